//! Integers, decimals, floating point numbers and bits.

use super::{ColumnKind, Values, digits, low_bits, strings};
use crate::support::random::Random;

#[derive(Debug)]
struct Integer {
    bits: u32,
    unsigned: bool,
}

impl Values for Integer {
    fn edges(&self) -> Vec<String> {
        let (half, whole) = (1_i128 << (self.bits - 1), 1_i128 << self.bits);
        let edges = match self.unsigned {
            false => vec![-half, half - 1, 0, -1],
            true => vec![0, whole - 1, half, half - 1, 1],
        };
        edges.iter().map(i128::to_string).collect()
    }

    fn random(&self, random: &mut Random) -> String {
        let n = random.next_u64() >> (64 - self.bits) >> random.range(0..u64::from(self.bits));
        match self.unsigned {
            true => n.to_string(),
            false if random.percent(50) => (n >> 1).to_string(),
            false => format!("-{}", n >> 1),
        }
    }
}

#[derive(Debug)]
struct Decimal {
    whole: usize,
    scale: usize,
    unsigned: bool,
}

impl Values for Decimal {
    fn edges(&self) -> Vec<String> {
        let number = |whole: &str, fraction: &str| match fraction {
            "" => format!("0{whole}"),
            _ => format!("0{whole}.{fraction}"),
        };
        let (whole, scale) = (self.whole, self.scale);
        let most = number(&"9".repeat(whole), &"9".repeat(scale));
        let mut edges = vec!["0".to_owned(), most];
        edges.push(number(
            &format!("1{}", "0".repeat(whole.saturating_sub(1)))[..whole],
            "",
        ));
        if scale > 0 {
            edges.push(number("", &format!("{}1", "0".repeat(scale - 1))));
            edges.push(number("", &format!("1{}", "0".repeat(scale - 1))));
        }
        if !self.unsigned {
            edges.extend(edges.clone().iter().map(|edge| format!("-{edge}")));
        }
        edges
    }

    fn random(&self, random: &mut Random) -> String {
        let sign = if self.unsigned || random.percent(50) {
            ""
        } else {
            "-"
        };
        let whole = random.size(0..self.whole + 1);
        let scale = random.size(0..self.scale + 1);
        let whole = digits(random, whole);
        format!("{sign}0{whole}.{}0", digits(random, scale))
    }
}

#[derive(Debug)]
struct Float;

impl Values for Float {
    fn edges(&self) -> Vec<String> {
        strings(&[
            "0",
            "-0e0",
            "-1",
            "0.1",
            "3.4028234e38",
            "-3.4028234e38",
            "1.17549435e-38",
            "1e-45",
            "16777217",
            "123456.789",
            "1e15",
            "0.3",
        ])
    }

    fn random(&self, random: &mut Random) -> String {
        let bits = f32::from_bits(low_bits(random));
        float(random, f64::from(bits))
    }
}

#[derive(Debug)]
struct Double;

impl Values for Double {
    fn edges(&self) -> Vec<String> {
        strings(&[
            "0",
            "-0e0",
            "0.1",
            "1.7976931348623157e308",
            "-1.7976931348623157e308",
            "2.2250738585072014e-308",
            "5e-324",
            "1e15",
            "123456789012345680",
            "9007199254740993",
            "1e-16",
            "0.30000000000000004",
        ])
    }

    fn random(&self, random: &mut Random) -> String {
        let bits = f64::from_bits(random.next_u64());
        float(random, bits)
    }
}

/// Random bits, or a number that people write.
fn float(random: &mut Random, bits: f64) -> String {
    if bits.is_finite() && random.percent(50) {
        return format!("{bits:e}");
    }
    let sign = if random.percent(50) { "" } else { "-" };
    format!(
        "{sign}{}.{}e0",
        random.range(0..100_000),
        random.range(0..1000)
    )
}

#[derive(Debug)]
struct Bit(u32);

impl Values for Bit {
    fn edges(&self) -> Vec<String> {
        vec![
            format!("b'{}'", "1".repeat(self.0 as usize)),
            "b'0'".to_owned(),
            "b'1'".to_owned(),
            format!("b'1{}'", "0".repeat(self.0 as usize - 1)),
        ]
    }

    fn random(&self, random: &mut Random) -> String {
        (random.next_u64() >> (64 - self.0)).to_string()
    }
}

/// The types of numbers.
pub(super) fn kinds() -> Vec<ColumnKind> {
    let mut kinds = Vec::new();
    for (bits, name) in [
        (8, "TINYINT"),
        (16, "SMALLINT"),
        (24, "MEDIUMINT"),
        (32, "INT"),
        (64, "BIGINT"),
    ] {
        kinds.push(ColumnKind::new(
            name,
            Integer {
                bits,
                unsigned: false,
            },
        ));
        kinds.push(ColumnKind::new(
            format!("{name} UNSIGNED"),
            Integer {
                bits,
                unsigned: true,
            },
        ));
    }
    kinds.push(ColumnKind::new(
        "BOOL",
        Integer {
            bits: 8,
            unsigned: false,
        },
    ));
    kinds.push(ColumnKind::new(
        "INT(9) ZEROFILL",
        Integer {
            bits: 32,
            unsigned: true,
        },
    ));
    let decimals = [
        (1, 0),
        (1, 1),
        (5, 2),
        (9, 9),
        (15, 0),
        (15, 15),
        (16, 0),
        (16, 2),
        (18, 9),
        (38, 19),
        (65, 0),
        (65, 30),
        (30, 30),
    ];
    for (precision, scale) in decimals {
        let values = |unsigned| Decimal {
            whole: precision - scale,
            scale,
            unsigned,
        };
        kinds.push(ColumnKind::new(
            format!("DECIMAL({precision},{scale})"),
            values(false),
        ));
    }
    for (name, whole, scale) in [
        ("DECIMAL(20,5) UNSIGNED", 15, 5),
        ("DECIMAL(9,2) UNSIGNED", 7, 2),
    ] {
        let values = Decimal {
            whole,
            scale,
            unsigned: true,
        };
        kinds.push(ColumnKind::new(name, values));
    }
    for name in ["FLOAT", "FLOAT UNSIGNED", "FLOAT(7,3)"] {
        kinds.push(ColumnKind::new(name, Float));
    }
    for name in ["DOUBLE", "DOUBLE(20,5)"] {
        kinds.push(ColumnKind::new(name, Double));
    }
    for bits in [1, 7, 8, 9, 31, 32, 33, 63, 64] {
        kinds.push(ColumnKind::new(format!("BIT({bits})"), Bit(bits)));
    }
    kinds
}
