//! Declared types, chosen so that SQLite's affinity rules never change a stored value.
//!
//! SQLite looks for `INT`, then `CHAR`, `CLOB`, `TEXT`, then `BLOB` or nothing at all, then `REAL`, `FLOA`, `DOUB`; all
//! else is numeric. MySQL's own word stays where what it yields is harmless; where it would not be (`POINT` holds an
//! `INT`, `ENUM('mint')` does, `JSON` would be numeric), a neutral one stands there.

use super::name::quote_identifier;
use super::nocase::is_nocase;
use crate::schema::table::{Column, ColumnType};

/// DECIMALs of at most so many digits survive as SQLite numbers.
const EXACT_DIGITS: u8 = 15;

/// SQLite's column affinities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Affinity {
    /// INTEGER.
    Integer,
    /// TEXT.
    Text,
    /// BLOB: values stay as they are.
    Blob,
    /// REAL.
    Real,
    /// NUMERIC.
    Numeric,
}

/// The affinity that SQLite derives from a declared type (its documentation, "Determination Of Column Affinity").
pub fn affinity(declared: &str) -> Affinity {
    let declared = declared.to_ascii_uppercase();
    let has = |word: &str| declared.contains(word);
    if has("INT") {
        Affinity::Integer
    } else if has("CHAR") || has("CLOB") || has("TEXT") {
        Affinity::Text
    } else if has("BLOB") || declared.is_empty() {
        Affinity::Blob
    } else if has("REAL") || has("FLOA") || has("DOUB") {
        Affinity::Real
    } else {
        Affinity::Numeric
    }
}

/// The declared type of a column; empty for types whose values must stay as they are bound.
pub fn declared_type(ty: &ColumnType) -> String {
    match ty {
        ColumnType::Int {
            bytes: 8,
            unsigned: true,
            ..
        } => String::new(),
        ColumnType::Int {
            bytes, unsigned, ..
        } => {
            let word = match bytes {
                1 => "TINYINT",
                2 => "SMALLINT",
                3 => "MEDIUMINT",
                4 => "INT",
                _ => "BIGINT",
            };
            with_sign(word, *unsigned)
        }
        ColumnType::Float { unsigned, .. } => with_sign("FLOAT", *unsigned),
        ColumnType::Double { unsigned, .. } => with_sign("DOUBLE", *unsigned),
        ColumnType::Decimal {
            precision,
            scale,
            unsigned,
        } if *precision <= EXACT_DIGITS => {
            // SQLite's grammar wants the numbers last.
            format!("{}({precision},{scale})", with_sign("DECIMAL", *unsigned))
        }
        ColumnType::Decimal { .. } => String::new(),
        ColumnType::Bit { bits } if *bits < 64 => format!("BIT({bits})"),
        ColumnType::Bit { .. } => String::new(),
        ColumnType::Year => "YEAR".to_owned(),
        // Numeric by the rules, but no date or time text reads as a number.
        ColumnType::Date => "DATE".to_owned(),
        ColumnType::Time { fsp } => with_digits("TIME", *fsp),
        ColumnType::DateTime { fsp } => with_digits("DATETIME", *fsp),
        ColumnType::Timestamp { fsp } => with_digits("TIMESTAMP", *fsp),
        ColumnType::Char { length, .. } => format!("CHAR({length})"),
        ColumnType::VarChar { length, .. } => format!("VARCHAR({length})"),
        ColumnType::Text { length_bytes, .. } => sized(*length_bytes, "TEXT"),
        ColumnType::Binary { .. }
        | ColumnType::VarBinary { .. }
        | ColumnType::Geometry { .. }
        | ColumnType::Vector { .. } => "BLOB".to_owned(),
        ColumnType::Blob { length_bytes } => sized(*length_bytes, "BLOB"),
        ColumnType::Enum { .. }
        | ColumnType::Set { .. }
        | ColumnType::Json
        | ColumnType::Uuid
        | ColumnType::Inet4
        | ColumnType::Inet6 => "TEXT".to_owned(),
    }
}

fn with_sign(word: &str, unsigned: bool) -> String {
    if unsigned {
        format!("{word} UNSIGNED")
    } else {
        word.to_owned()
    }
}

fn with_digits(word: &str, fsp: u8) -> String {
    if fsp > 0 {
        format!("{word}({fsp})")
    } else {
        word.to_owned()
    }
}

fn sized(length_bytes: u8, word: &str) -> String {
    let size = match length_bytes {
        1 => "TINY",
        2 => "",
        3 => "MEDIUM",
        _ => "LONG",
    };
    format!("{size}{word}")
}

/// A column as CREATE TABLE and ADD COLUMN write it: name, declared type, collation.
pub fn column_definition(column: &Column) -> String {
    let mut sql = quote_identifier(&column.name);
    let declared = declared_type(&column.ty);
    if !declared.is_empty() {
        sql.push(' ');
        sql.push_str(&declared);
    }
    if column_is_nocase(column) {
        sql.push_str(" COLLATE NOCASE");
    }
    sql
}

/// Whether a column is compared with NOCASE.
pub(super) fn column_is_nocase(column: &Column) -> bool {
    column.ty.collation().is_some_and(is_nocase)
}
