//! Vectors of 32-bit numbers.

use super::{ColumnKind, Values, low_bits};
use crate::support::random::Random;
use crate::support::server::Flavor;

#[derive(Debug)]
struct Vector {
    dimensions: usize,
    from_text: &'static str,
}

impl Vector {
    fn literal(&self, numbers: &[String]) -> String {
        format!("{}('[{}]')", self.from_text, numbers.join(","))
    }
}

impl Values for Vector {
    fn edges(&self) -> Vec<String> {
        ["0", "-1.5e-20", "3.4028234e38"]
            .map(|number| self.literal(&vec![number.to_owned(); self.dimensions]))
            .into()
    }

    fn random(&self, random: &mut Random) -> String {
        let number = |_| {
            let number = f32::from_bits(low_bits(random) & 0xbf7f_ffff);
            // MySQL takes no subnormal numbers.
            format!("{:e}", if number.is_normal() { number } else { 0.5 })
        };
        let numbers: Vec<String> = (0..self.dimensions).map(number).collect();
        self.literal(&numbers)
    }

    fn can_be_key(&self) -> bool {
        false
    }
}

/// The vector types that a server has.
pub(super) fn kinds(flavor: Flavor) -> Vec<ColumnKind> {
    let kind = |sql_type, dimensions, from_text| {
        let vector = Vector {
            dimensions,
            from_text,
        };
        ColumnKind::new(sql_type, vector)
    };
    match flavor {
        Flavor::MariaDb => Vec::new(),
        Flavor::MySql => vec![
            kind("VECTOR(3)", 3, "STRING_TO_VECTOR"),
            kind("VECTOR", 300, "STRING_TO_VECTOR"),
        ],
        Flavor::MariaDb11 => vec![
            kind("VECTOR(1)", 1, "VEC_FromText"),
            kind("VECTOR(300)", 300, "VEC_FromText"),
        ],
    }
}
