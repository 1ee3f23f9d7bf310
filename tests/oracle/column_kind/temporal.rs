//! Dates, times, and both.

use super::{ColumnKind, Values, digits, strings};
use crate::support::random::Random;
use crate::support::server::Flavor;

#[derive(Debug)]
struct Year;

impl Values for Year {
    fn edges(&self) -> Vec<String> {
        strings(&["0", "'0000'", "1901", "2155", "2000"])
    }

    fn random(&self, random: &mut Random) -> String {
        random.range(1901..2156).to_string()
    }
}

#[derive(Debug)]
struct Date;

impl Values for Date {
    fn edges(&self) -> Vec<String> {
        dates().iter().map(|date| format!("'{date}'")).collect()
    }

    fn random(&self, random: &mut Random) -> String {
        format!("'{}'", date(random))
    }
}

/// TIME of so many fractional digits.
#[derive(Debug)]
struct Time(usize);

impl Values for Time {
    fn edges(&self) -> Vec<String> {
        let fsp = self.0;
        let mut edges = strings(&["'-838:59:59'", "'838:59:59'", "'00:00:00'", "'-00:00:01'"]);
        edges.push(format!("'-00:00:00{}'", fraction(fsp, "000001")));
        edges.push(format!("'-12:34:56{}'", fraction(fsp, "500000")));
        edges.push(format!("'837:59:59{}'", fraction(fsp, "999999")));
        edges.push(format!("'-837:59:59{}'", fraction(fsp, "999999")));
        edges.push(format!("'-00:00:00{}'", fraction(fsp, "999999")));
        edges
    }

    fn random(&self, random: &mut Random) -> String {
        let sign = if random.percent(50) { "" } else { "-" };
        format!("'{sign}{}:{}'", random.range(0..839), clock(random, self.0))
    }
}

/// DATETIME of so many fractional digits.
#[derive(Debug)]
struct DateTime(usize);

impl Values for DateTime {
    fn edges(&self) -> Vec<String> {
        let moments = dates().into_iter();
        moments
            .map(|date| format!("'{date} 23:59:59{}'", fraction(self.0, "999999")))
            .chain([
                "'0000-00-00 00:00:00'".to_owned(),
                "'2015-00-21 00:00:00'".to_owned(),
            ])
            .collect()
    }

    fn random(&self, random: &mut Random) -> String {
        format!(
            "'{} {}:{}'",
            date(random),
            random.range(0..24),
            clock(random, self.0)
        )
    }
}

/// Last second of a TIMESTAMP: 31 bits of seconds, 32 since MariaDB 11.5.
const LAST_SECOND: u64 = 0x7fff_ffff;
const LAST_SECOND_OF_MARIADB11: u64 = 0xffff_ffff;

/// TIMESTAMP.
#[derive(Debug)]
struct Timestamp {
    /// Fractional digits.
    fsp: usize,
    last_second: u64,
}

impl Values for Timestamp {
    /// Around the hours that a zone with daylight saving time leaves out and has twice, as seconds; both ends.
    fn edges(&self) -> Vec<String> {
        let mut edges = strings(&["'0000-00-00 00:00:00'"]);
        for seconds in [
            1,
            1_711_846_799,
            1_711_846_800,
            1_729_990_800,
            1_729_994_400,
            LAST_SECOND,
            LAST_SECOND + 1,
            self.last_second,
        ] {
            if seconds <= self.last_second {
                edges.push(format!(
                    "FROM_UNIXTIME({seconds}{})",
                    fraction(self.fsp, "999999")
                ));
            }
        }
        edges.push(format!(
            "'2024-02-29 12:34:56{}'",
            fraction(self.fsp, "123456")
        ));
        edges
    }

    fn random(&self, random: &mut Random) -> String {
        let seconds = random.range(1..self.last_second);
        format!(
            "FROM_UNIXTIME({seconds}{})",
            fraction(self.fsp, &digits(random, 6))
        )
    }
}

fn fraction(fsp: usize, digits: &str) -> String {
    match fsp {
        0 => String::new(),
        _ => format!(".{}", &digits[..fsp]),
    }
}

fn dates() -> Vec<&'static str> {
    vec![
        "0000-00-00",
        "1000-01-01",
        "9999-12-31",
        "2015-00-21",
        "2015-12-00",
        "0001-01-01",
        "2024-02-29",
        "0000-01-01",
    ]
}

fn date(random: &mut Random) -> String {
    format!(
        "{:04}-{:02}-{:02}",
        random.range(0..10_000),
        random.range(1..13),
        random.range(1..29)
    )
}

/// Minutes, seconds and their fraction.
fn clock(random: &mut Random, fsp: usize) -> String {
    let micros = digits(random, 6);
    format!(
        "{:02}:{:02}{}",
        random.range(0..60),
        random.range(0..60),
        fraction(fsp, &micros)
    )
}

/// The types of dates and times.
pub(super) fn kinds(flavor: Flavor) -> Vec<ColumnKind> {
    let mut kinds = vec![ColumnKind::new("YEAR", Year), ColumnKind::new("DATE", Date)];
    let last_second = match flavor {
        Flavor::MariaDb11 => LAST_SECOND_OF_MARIADB11,
        Flavor::MariaDb | Flavor::MySql => LAST_SECOND,
    };
    for fsp in 0..=6 {
        kinds.push(ColumnKind::new(format!("TIME({fsp})"), Time(fsp)));
        kinds.push(ColumnKind::new(format!("DATETIME({fsp})"), DateTime(fsp)));
        kinds.push(ColumnKind::new(
            format!("TIMESTAMP({fsp})"),
            Timestamp { fsp, last_second },
        ));
    }
    kinds
}
