//! Dates and times: from their packed forms in row images, and as the text that MySQL prints.
//!
//! Zero and partial dates are values like any other. A part that is out of its range (month 14, minute 61) cannot
//! come from a server and is an error, so that garbage is never taken for a date. Packed forms: MySQL
//! `mysys/my_time.cc`, `my_*_packed_from_binary`.

use super::short_text::ShortText;
use super::value::{Date, Time};
use crate::binlog::bytes::Bytes;
use crate::error::{Error, Result};

/// Seconds of a day.
const DAY_SECONDS: u64 = 86_400;
/// Bias that keeps packed TIME values positive; for five and six digits it stands before the fraction.
const TIME_BIAS: i64 = 0x80_0000;
/// Bias of packed DATETIME values.
const DATETIME_BIAS: u64 = 0x80_0000_0000;

#[inline]
fn low8(n: u64) -> u8 {
    let [byte, ..] = n.to_le_bytes();
    byte
}

#[inline]
fn low16(n: u64) -> u16 {
    let [a, b, ..] = n.to_le_bytes();
    u16::from_le_bytes([a, b])
}

#[inline]
fn low32(n: u64) -> u32 {
    let [a, b, c, d, ..] = n.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

#[cold]
fn no_date(year: u64, month: u64, day: u64) -> Error {
    Error::corrupt(format!("{year:04}-{month:02}-{day:02} is no date"))
}

#[cold]
fn no_time(hour: u64, minute: u64, second: u64) -> Error {
    Error::corrupt(format!("{hour:02}:{minute:02}:{second:02} is no time"))
}

#[inline]
fn date_of(year: u64, month: u64, day: u64) -> Result<Date> {
    if year > 9999 || month > 12 || day > 31 {
        return Err(no_date(year, month, day));
    }
    Ok(Date {
        year: low16(year),
        month: low8(month),
        day: low8(day),
    })
}

#[inline]
fn time_of(negative: bool, hms: (u64, u64, u64), micros: u64, hour_max: u64) -> Result<Time> {
    let (hour, minute, second) = hms;
    if hour > hour_max || minute > 59 || second > 59 || micros > 999_999 {
        return Err(no_time(hour, minute, second));
    }
    Ok(Time {
        negative,
        hour: low16(hour),
        minute: low8(minute),
        second: low8(second),
        micros: low32(micros),
    })
}

/// Hour, minute and second of `hhmmss` in decimal.
fn decimal_hms(n: u64) -> (u64, u64, u64) {
    (n / 10_000, n / 100 % 100, n % 100)
}

/// Hour, minute and second of their six-bit fields.
fn binary_hms(n: u64) -> (u64, u64, u64) {
    (n >> 12, n >> 6 & 63, n & 63)
}

/// Bytes that a fraction of `fsp` digits takes.
#[inline]
pub(super) fn fraction_len(fsp: u8) -> usize {
    usize::from(fsp.div_ceil(2))
}

/// A fraction in its big-endian unit (1/100, 1/10000, 1/1000000) as microseconds.
#[inline]
fn read_fraction(r: &mut Bytes<'_>, fsp: u8) -> Result<u64> {
    let scale = match fraction_len(fsp) {
        0 => return Ok(0),
        1 => 10_000,
        2 => 100,
        _ => 1,
    };
    Ok(r.uint_be(fraction_len(fsp))? * scale)
}

/// DATE: 15 bits year, 4 month, 5 day.
#[inline]
pub(super) fn read_date(r: &mut Bytes<'_>) -> Result<Date> {
    let n = u64::from(r.u24()?);
    date_of(n >> 9, n >> 5 & 15, n & 31)
}

/// TIME before MySQL 5.6.4: `hhmmss` in decimal, signed, three bytes.
#[inline]
pub(super) fn read_time(r: &mut Bytes<'_>) -> Result<Time> {
    let n = r.u24()?;
    let negative = n & 0x80_0000 != 0;
    let n = if negative { (1 << 24) - n } else { n };
    time_of(negative, decimal_hms(u64::from(n)), 0, 838)
}

/// DATETIME before MySQL 5.6.4: `yyyymmddhhmmss` in decimal.
#[inline]
pub(super) fn read_datetime(r: &mut Bytes<'_>) -> Result<(Date, Time)> {
    let n = r.u64()?;
    let (date, time) = (n / 1_000_000, n % 1_000_000);
    Ok((
        date_of(date / 10_000, date / 100 % 100, date % 100)?,
        time_of(false, decimal_hms(time), 0, 23)?,
    ))
}

/// TIME(fsp): a biased number in which negative values count down, fraction included.
#[inline]
pub(super) fn read_time2(r: &mut Bytes<'_>, fsp: u8) -> Result<Time> {
    let fraction_bits = 8 * fraction_len(fsp);
    let packed = r.uint_be(3 + fraction_len(fsp))?.cast_signed() - (TIME_BIAS << fraction_bits);
    let (negative, magnitude) = (packed < 0, packed.unsigned_abs());
    let scale = match fraction_len(fsp) {
        0 | 3 => 1,
        1 => 10_000,
        _ => 100,
    };
    let micros = (magnitude & ((1 << fraction_bits) - 1)) * scale;
    time_of(
        negative,
        binary_hms(magnitude >> fraction_bits),
        micros,
        838,
    )
}

/// DATETIME(fsp): year and month as `year * 13 + month`, then 5 bits day, 5 hour, 6 minute, 6 second.
#[inline]
pub(super) fn read_datetime2(r: &mut Bytes<'_>, fsp: u8) -> Result<(Date, Time)> {
    let packed = r.uint_be(5)?;
    let micros = read_fraction(r, fsp)?;
    let packed = packed
        .checked_sub(DATETIME_BIAS)
        .ok_or_else(|| Error::corrupt("a DATETIME before year 0 is no value"))?;
    from_packed(packed >> 17, packed & 0x1_ffff, micros)
}

/// A DATETIME from its packed date (year and month as `year * 13 + month`, 5 bits day), time and microseconds.
#[inline]
pub(super) fn from_packed(date: u64, time: u64, micros: u64) -> Result<(Date, Time)> {
    let year_month = date >> 5;
    let date = date_of(year_month / 13, year_month % 13, date & 31)?;
    Ok((date, time_of(false, binary_hms(time), micros, 23)?))
}

/// A TIME from its packed hour, minute and second, and microseconds.
#[inline]
pub(super) fn time_from_packed(negative: bool, time: u64, micros: u64) -> Result<Time> {
    time_of(negative, binary_hms(time), micros, 838)
}

/// TIMESTAMP(fsp): seconds since 1970 and microseconds. Unsigned: MariaDB 11.5 goes up to 2106.
#[inline]
pub(super) fn read_timestamp2(r: &mut Bytes<'_>, fsp: u8) -> Result<(u64, u32)> {
    let seconds = u64::from(r.u32_be()?);
    Ok((seconds, low32(read_fraction(r, fsp)?)))
}

/// Appends `YYYY-MM-DD`.
pub fn push_date(text: &mut ShortText, date: Date) {
    text.push_number(u64::from(date.year), 4);
    text.push(b'-');
    text.push_number(u64::from(date.month), 2);
    text.push(b'-');
    text.push_number(u64::from(date.day), 2);
}

/// Appends `[-]hh:mm:ss[.ffffff]` with `fsp` digits of the fraction.
pub fn push_time(text: &mut ShortText, time: Time, fsp: u8) {
    if time.negative {
        text.push(b'-');
    }
    text.push_number(u64::from(time.hour), 2);
    text.push(b':');
    text.push_number(u64::from(time.minute), 2);
    text.push(b':');
    text.push_number(u64::from(time.second), 2);
    push_fraction(text, time.micros, fsp);
}

/// Appends `YYYY-MM-DD hh:mm:ss[.ffffff]`.
pub fn push_datetime(text: &mut ShortText, date: Date, time: Time, fsp: u8) {
    push_date(text, date);
    text.push(b' ');
    push_time(text, time, fsp);
}

/// Appends a TIMESTAMP in UTC; second 0 with no fraction is the zero timestamp.
pub fn push_timestamp(text: &mut ShortText, seconds: u64, micros: u32, fsp: u8) {
    let (date, time) = if seconds == 0 && micros == 0 {
        (Date::default(), Time::default())
    } else {
        utc(seconds, micros)
    };
    push_datetime(text, date, time, fsp);
}

fn push_fraction(text: &mut ShortText, micros: u32, fsp: u8) {
    if fsp > 0 {
        text.push(b'.');
        let shown = u32::from(fsp.min(6));
        text.push_number(
            u64::from(micros / 10_u32.pow(6 - shown)),
            usize::from(fsp.min(6)),
        );
    }
}

/// Date and time in UTC of seconds since 1970, by the proleptic Gregorian calendar.
///
/// Days are counted from 0000-03-01, so that the leap day is the last of a year; a month's first day is then
/// `(153 * month + 2) / 5` (H. Fliegel and T. van Flandern, 1968).
pub fn utc(seconds: u64, micros: u32) -> (Date, Time) {
    const DAYS_0000_03_01_TO_1970: u64 = 719_468;
    const ERA_DAYS: u64 = 146_097;
    let days = seconds / DAY_SECONDS + DAYS_0000_03_01_TO_1970;
    let (era, day_of_era) = (days / ERA_DAYS, days % ERA_DAYS);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let (month, carry) = match month_from_march {
        m @ 0..=9 => (m + 3, 0),
        m => (m - 9, 1),
    };
    let second_of_day = seconds % DAY_SECONDS;
    (
        Date {
            year: low16(era * 400 + year_of_era + carry),
            month: low8(month),
            day: low8(day),
        },
        Time {
            negative: false,
            hour: low16(second_of_day / 3600),
            minute: low8(second_of_day / 60 % 60),
            second: low8(second_of_day % 60),
            micros,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time_text(bytes: &[u8], fsp: u8) -> String {
        let mut r = Bytes::new(bytes);
        let time = read_time2(&mut r, fsp).unwrap();
        assert!(r.is_empty());
        let mut text = ShortText::new();
        push_time(&mut text, time, fsp);
        text.to_string()
    }

    #[test]
    fn negative_times_keep_their_fraction_at_every_precision() {
        assert_eq!(time_text(&[0x80, 0x00, 0x00], 0), "00:00:00");
        assert_eq!(time_text(&[0x7f, 0xff, 0xff], 0), "-00:00:01");
        assert_eq!(time_text(&[0x7f, 0xff, 0xff, 0xce], 1), "-00:00:00.5");
        assert_eq!(time_text(&[0x7f, 0xff, 0xff, 0xff], 2), "-00:00:00.01");
        assert_eq!(time_text(&[0x7f, 0xff, 0xfe, 0xff], 2), "-00:00:01.01");
        assert_eq!(
            time_text(&[0x7f, 0xff, 0xff, 0xff, 0xf6], 3),
            "-00:00:00.001"
        );
        assert_eq!(
            time_text(&[0x7f, 0xff, 0xff, 0xff, 0xff, 0xff], 6),
            "-00:00:00.000001"
        );
        assert_eq!(time_text(&[0xb4, 0x6e, 0xfb], 0), "838:59:59");
        assert_eq!(time_text(&[0x4b, 0x91, 0x05], 0), "-838:59:59");
    }

    #[test]
    fn zero_and_partial_dates_are_kept_and_consume_their_fraction() {
        let mut r = Bytes::new(&[0x80, 0, 0, 0, 0, 0, 0, 0, 9]);
        let (date, time) = read_datetime2(&mut r, 6).unwrap();
        let mut text = ShortText::new();
        push_datetime(&mut text, date, time, 6);
        assert_eq!(text.as_str(), "0000-00-00 00:00:00.000000");
        assert_eq!(r.rest(), [9]);

        let mut text = ShortText::new();
        push_date(
            &mut text,
            read_date(&mut Bytes::new(&[0x15, 0xbe, 0x0f])).unwrap(),
        );
        assert_eq!(text.as_str(), "2015-00-21");
    }

    #[test]
    fn timestamps_are_utc_and_zero_is_not_1970() {
        let shown = |seconds, micros, fsp| {
            let mut text = ShortText::new();
            push_timestamp(&mut text, seconds, micros, fsp);
            text.to_string()
        };
        assert_eq!(shown(0, 0, 3), "0000-00-00 00:00:00.000");
        assert_eq!(shown(1, 0, 0), "1970-01-01 00:00:01");
        assert_eq!(shown(951_782_400, 0, 0), "2000-02-29 00:00:00");
        assert_eq!(
            shown(2_147_483_647, 999_999, 6),
            "2038-01-19 03:14:07.999999"
        );
        assert_eq!(shown(4_294_967_295, 0, 0), "2106-02-07 06:28:15");
    }

    #[test]
    fn what_no_server_writes_is_an_error() {
        assert!(read_date(&mut Bytes::new(&[0xff, 0xff, 0xff])).is_err());
        assert!(read_time2(&mut Bytes::new(&[0xff; 6]), 6).is_err());
        assert!(read_datetime2(&mut Bytes::new(&[0; 5]), 0).is_err());
        assert!(read_datetime(&mut Bytes::new(&[0xff; 8])).is_err());
    }
}
