//! The column types of the servers, with the values at the ends of their ranges and random ones between.

mod address;
mod geometry;
mod json;
mod number;
mod temporal;
mod text;
mod vector;

use std::fmt::Debug;
use std::rc::Rc;

use crate::support::random::Random;
use crate::support::server::Flavor;

pub(super) use json::document;
pub(super) use text::{of_charset, sql_text};

/// How literals for a type are made.
trait Values: Debug {
    /// Those at the ends of the range and where other programs went wrong.
    fn edges(&self) -> Vec<String>;

    /// Any.
    fn random(&self, random: &mut Random) -> String;

    /// Whether such values can be in a key without a prefix.
    fn can_be_key(&self) -> bool {
        true
    }
}

/// A type, and how literals for it are made.
#[derive(Clone, Debug)]
pub(crate) struct ColumnKind {
    /// As CREATE TABLE says it.
    pub(crate) sql_type: String,
    values: Rc<dyn Values>,
}

impl ColumnKind {
    fn new(sql_type: impl Into<String>, values: impl Values + 'static) -> Self {
        Self {
            sql_type: sql_type.into(),
            values: Rc::new(values),
        }
    }

    /// Whether it can be in a key without a prefix.
    pub(crate) fn can_be_key(&self) -> bool {
        let too_long = ["TEXT", "BLOB", "COMPRESSED"];
        self.values.can_be_key() && !too_long.iter().any(|word| self.sql_type.contains(word))
    }

    /// Whether a column may have one of its values as its default.
    pub(crate) fn can_have_default(&self) -> bool {
        self.can_be_key()
    }

    /// Literals at the ends of the range and where other programs went wrong.
    pub(crate) fn edges(&self) -> Vec<String> {
        self.values.edges()
    }

    /// A random literal.
    pub(crate) fn random(&self, random: &mut Random) -> String {
        if random.percent(30) {
            let edges = self.edges();
            return edges[random.size(0..edges.len())].clone();
        }
        self.values.random(random)
    }
}

/// Every type that a server has.
pub(crate) fn all(flavor: Flavor) -> Vec<ColumnKind> {
    let mut kinds = number::kinds();
    kinds.extend(temporal::kinds(flavor));
    kinds.extend(text::kinds(flavor));
    kinds.extend(geometry::kinds());
    kinds.extend(vector::kinds(flavor));
    if flavor.is_mariadb() {
        kinds.extend(address::kinds(flavor));
    } else {
        kinds.push(json::kind());
    }
    kinds
}

fn strings(literals: &[&str]) -> Vec<String> {
    literals
        .iter()
        .map(|literal| (*literal).to_owned())
        .collect()
}

fn low_bits(random: &mut Random) -> u32 {
    u32::try_from(random.next_u64() >> 32).unwrap()
}

fn digits(random: &mut Random, count: usize) -> String {
    (0..count)
        .map(|_| char::from(b'0' + u8::try_from(random.range(0..10)).unwrap()))
        .collect()
}
