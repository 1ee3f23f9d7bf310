//! Whether a known definition is the one that a TABLE_MAP was written for.
//!
//! Compared is what decides how row images are read: number of columns, wire types and their lengths, and, where the
//! source logs them, names, signedness and labels. Whether a column allows NULL does not decide that, and is not.

use crate::error::{Error, ErrorKind, Result};
use crate::schema::collation::bytes_max;
use crate::schema::table::{
    Collation, Column, ColumnType, Index, IndexKind, KeyPart, Table, same_name,
};

/// A column as a TABLE_MAP describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WireColumn<'a> {
    /// Type code; ENUM and SET as such.
    pub kind: u8,
    /// The type code's name, for messages.
    pub kind_name: &'static str,
    /// What the type needs to know: greatest length in bytes of (VAR)CHAR, width of a BLOB's length prefix, width of
    /// ENUM and SET numbers, number of bits, fractional digits, or DECIMAL's `precision << 8 | scale`.
    pub meta: u16,
    /// Name, where the source logs it.
    pub name: Option<&'a str>,
    /// UNSIGNED, where the source logs it.
    pub unsigned: Option<bool>,
    /// Number of labels of an ENUM or SET, where the source logs them.
    pub labels: Option<usize>,
}

/// A TABLE_MAP, as far as it is compared. The decoder's implements it, as it knows of definitions and not the reverse.
pub trait WireTable {
    /// Database and table.
    fn names(&self) -> (&str, &str);

    /// How many columns there are.
    fn column_count(&self) -> usize;

    /// A column; `None` behind the last.
    fn column(&self, at: usize) -> Option<WireColumn<'_>>;
}

/// Checks that `table` is what `map` describes.
///
/// # Errors
/// `Schema`, saying the first column that differs and how.
pub fn fits(table: &Table, map: &impl WireTable) -> Result<()> {
    let misfit = |what: String| {
        let text = format!("the known definition is not the one in force: {what}");
        let (database, name) = map.names();
        Error::new(ErrorKind::Schema, text).at_table(database, name)
    };
    let (known, found) = (table.columns.len(), map.column_count());
    let is_hash = |at| {
        map.column(at)
            .is_some_and(|column| column.kind == wt::LONGLONG)
    };
    let hashes = found.checked_sub(known);
    let fits = hashes.is_some_and(|more| more <= hashed_keys(table)) && (known..found).all(is_hash);
    if !fits {
        return Err(misfit(format!(
            "it has {known} columns, the binlog {found}"
        )));
    }
    for (at, column) in table.columns.iter().enumerate() {
        let Some(wire) = map.column(at) else { break };
        if let Some(what) = difference(column, wire) {
            return Err(misfit(format!(
                "column {} `{}` {what}",
                at + 1,
                column.name
            )));
        }
    }
    Ok(())
}

/// Unique keys that MariaDB may keep by a hash, because they are too long for an index or written USING HASH: each has a hidden
/// BIGINT column behind all others, which row images hold too. Which it does depends on the engine and its row format.
pub fn hashed_keys(table: &Table) -> usize {
    let is_hashed = |index: &&Index| {
        let columns = index.parts.iter().map(|part| match part {
            KeyPart::Column { name, .. } => {
                table.column(name).map_or(0, |column| key_bytes(&column.ty))
            }
            KeyPart::Prefix { .. } | KeyPart::Expression(_) => 0,
        });
        index.kind == IndexKind::Unique
            && (index.hash || columns.fold(0, u32::saturating_add) > SHORT_KEY_BYTES)
    };
    table.indexes.iter().filter(is_hashed).count()
}

/// A key of so many bytes fits into an index of every engine: InnoDB's ROW_FORMAT=COMPACT has no longer ones.
const SHORT_KEY_BYTES: u32 = 767;

/// Bytes of a column in a key, where they matter.
fn key_bytes(ty: &ColumnType) -> u32 {
    match ty {
        ColumnType::Text { .. } | ColumnType::Blob { .. } | ColumnType::Geometry { .. } => u32::MAX,
        ColumnType::Char { length, collation } | ColumnType::VarChar { length, collation } => {
            text_bytes(*length, collation)
        }
        ColumnType::Binary { length } | ColumnType::VarBinary { length } => *length,
        _ => 0,
    }
}

/// How a column differs from what the event says of it.
fn difference(column: &Column, wire: WireColumn<'_>) -> Option<String> {
    if !is_wire_type_of(&column.ty, wire) {
        let declared = format!("{:?}", column.ty);
        return Some(format!(
            "is known as {declared} and comes as {} ({})",
            wire.kind_name, wire.meta
        ));
    }
    if let Some(name) = wire.name
        && !same_name(name, &column.name)
    {
        return Some(format!("is called `{name}`"));
    }
    let known = match &column.ty {
        ColumnType::Int { unsigned, .. }
        | ColumnType::Float { unsigned, .. }
        | ColumnType::Double { unsigned, .. }
        | ColumnType::Decimal { unsigned, .. } => Some(*unsigned),
        _ => None,
    };
    if let (Some(known), Some(found)) = (known, wire.unsigned)
        && known != found
    {
        return Some(if found { "is unsigned" } else { "is signed" }.to_owned());
    }
    if let (ColumnType::Enum { labels, .. } | ColumnType::Set { labels, .. }, Some(found)) =
        (&column.ty, wire.labels)
        && labels.len() != found
    {
        return Some(format!("has {found} labels, not {}", labels.len()));
    }
    None
}

/// Type codes of TABLE_MAP events (MySQL `include/field_types.h`; MariaDB's compressed columns).
mod wt {
    pub(super) const TINY: u8 = 1;
    pub(super) const SHORT: u8 = 2;
    pub(super) const LONG: u8 = 3;
    pub(super) const FLOAT: u8 = 4;
    pub(super) const DOUBLE: u8 = 5;
    pub(super) const TIMESTAMP: u8 = 7;
    pub(super) const LONGLONG: u8 = 8;
    pub(super) const INT24: u8 = 9;
    pub(super) const DATE: u8 = 10;
    pub(super) const TIME: u8 = 11;
    pub(super) const DATETIME: u8 = 12;
    pub(super) const YEAR: u8 = 13;
    pub(super) const NEWDATE: u8 = 14;
    pub(super) const VARCHAR: u8 = 15;
    pub(super) const BIT: u8 = 16;
    pub(super) const TIMESTAMP2: u8 = 17;
    pub(super) const DATETIME2: u8 = 18;
    pub(super) const TIME2: u8 = 19;
    pub(super) const BLOB_COMPRESSED: u8 = 140;
    pub(super) const VARCHAR_COMPRESSED: u8 = 141;
    pub(super) const VECTOR: u8 = 242;
    pub(super) const JSON: u8 = 245;
    pub(super) const NEWDECIMAL: u8 = 246;
    pub(super) const ENUM: u8 = 247;
    pub(super) const SET: u8 = 248;
    pub(super) const TINY_BLOB: u8 = 249;
    pub(super) const MEDIUM_BLOB: u8 = 250;
    pub(super) const LONG_BLOB: u8 = 251;
    pub(super) const BLOB: u8 = 252;
    pub(super) const VAR_STRING: u8 = 253;
    pub(super) const STRING: u8 = 254;
    pub(super) const GEOMETRY: u8 = 255;
}

fn text_bytes(length: u32, collation: &Collation) -> u32 {
    length.saturating_mul(u32::from(bytes_max(&collation.charset)))
}

/// Bytes of an ENUM's number.
fn enum_bytes(labels: usize) -> u32 {
    if labels < 256 { 1 } else { 2 }
}

/// Bytes of a SET's bits.
fn set_bytes(labels: usize) -> u32 {
    match labels.div_ceil(8) {
        0 | 1 => 1,
        2 => 2,
        3 => 3,
        4 => 4,
        _ => 8,
    }
}

/// Whether columns of type `ty` come as `wire`.
fn is_wire_type_of(ty: &ColumnType, wire: WireColumn<'_>) -> bool {
    let meta = u32::from(wire.meta);
    let char_of = |bytes: u32| wire.kind == wt::STRING && meta == bytes;
    let varchar_of = |bytes: u32| match wire.kind {
        wt::VARCHAR | wt::VAR_STRING => meta == bytes,
        // MariaDB's compressed columns say one byte more.
        wt::VARCHAR_COMPRESSED => true,
        _ => false,
    };
    let blob_of = |length_bytes: u8| match wire.kind {
        wt::BLOB | wt::TINY_BLOB | wt::MEDIUM_BLOB | wt::LONG_BLOB | wt::BLOB_COMPRESSED => {
            meta == u32::from(length_bytes)
        }
        _ => false,
    };
    let temporal =
        |new: u8, old: u8, fsp: u8| wire.kind == new && meta == u32::from(fsp) || wire.kind == old;
    match ty {
        ColumnType::Int { bytes, .. } => {
            let kind = match bytes {
                1 => wt::TINY,
                2 => wt::SHORT,
                3 => wt::INT24,
                4 => wt::LONG,
                _ => wt::LONGLONG,
            };
            wire.kind == kind
        }
        ColumnType::Float { .. } => wire.kind == wt::FLOAT,
        ColumnType::Double { .. } => wire.kind == wt::DOUBLE,
        ColumnType::Decimal {
            precision, scale, ..
        } => {
            wire.kind == wt::NEWDECIMAL && meta == (u32::from(*precision) << 8 | u32::from(*scale))
        }
        ColumnType::Bit { bits } => wire.kind == wt::BIT && meta == u32::from(*bits),
        ColumnType::Year => wire.kind == wt::YEAR,
        ColumnType::Date => matches!(wire.kind, wt::DATE | wt::NEWDATE),
        ColumnType::Time { fsp } => temporal(wt::TIME2, wt::TIME, *fsp),
        ColumnType::DateTime { fsp } => temporal(wt::DATETIME2, wt::DATETIME, *fsp),
        ColumnType::Timestamp { fsp } => temporal(wt::TIMESTAMP2, wt::TIMESTAMP, *fsp),
        ColumnType::Char { length, collation } => char_of(text_bytes(*length, collation)),
        ColumnType::Binary { length } => char_of(*length),
        ColumnType::VarChar { length, collation } => varchar_of(text_bytes(*length, collation)),
        ColumnType::VarBinary { length } => varchar_of(*length),
        ColumnType::Text { length_bytes, .. } | ColumnType::Blob { length_bytes } => {
            blob_of(*length_bytes)
        }
        ColumnType::Enum { labels, .. } => {
            wire.kind == wt::ENUM && meta == enum_bytes(labels.len())
        }
        ColumnType::Set { labels, .. } => wire.kind == wt::SET && meta == set_bytes(labels.len()),
        ColumnType::Json => wire.kind == wt::JSON,
        ColumnType::Geometry { .. } => wire.kind == wt::GEOMETRY,
        // MariaDB sends its VECTOR as the bytes that it is made of.
        ColumnType::Vector { dimensions } => {
            wire.kind == wt::VECTOR || varchar_of(dimensions.saturating_mul(4))
        }
        ColumnType::Uuid | ColumnType::Inet6 => char_of(16),
        ColumnType::Inet4 => char_of(4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::bootstrap::table_from_show_create;
    use crate::schema::collation;
    use crate::schema::ddl::{Flavor, SqlContext};

    fn table(columns: &str) -> Table {
        let context = SqlContext::new(Flavor::MySql, 80_400, "d");
        let latin1 = collation::by_id(8).unwrap();
        table_from_show_create(&format!("CREATE TABLE `t` ({columns})"), &latin1, &context).unwrap()
    }

    struct Map(Vec<WireColumn<'static>>);

    impl WireTable for Map {
        fn names(&self) -> (&str, &str) {
            ("d", "t")
        }

        fn column_count(&self) -> usize {
            self.0.len()
        }

        fn column(&self, at: usize) -> Option<WireColumn<'_>> {
            self.0.get(at).copied()
        }
    }

    fn map(columns: &[(u8, u16)]) -> Map {
        let column = |(kind, meta): &(u8, u16)| WireColumn {
            kind: *kind,
            kind_name: "KIND",
            meta: *meta,
            ..WireColumn::default()
        };
        Map(columns.iter().map(column).collect())
    }

    #[test]
    fn equal_definitions_fit() {
        let table = table(
            "a int, b varchar(10) charset utf8mb4, c char(200) charset utf8mb4, d decimal(10,2), \
             e enum('x','y'), f set('1','2','3','4','5','6','7','8','9'), g bit(10), h datetime(3), i tinytext",
        );
        let wire = map(&[
            (wt::LONG, 0),
            (wt::VARCHAR, 40),
            (wt::STRING, 800),
            (wt::NEWDECIMAL, 10 << 8 | 2),
            (wt::ENUM, 1),
            (wt::SET, 2),
            (wt::BIT, 10),
            (wt::DATETIME2, 3),
            (wt::BLOB, 1),
        ]);
        fits(&table, &wire).unwrap();
    }

    #[test]
    fn the_first_difference_is_said() {
        let said = |columns: &str, wire: &[(u8, u16)]| {
            fits(&table(columns), &map(wire)).unwrap_err().to_string()
        };
        assert!(said("a int", &[]).contains("1 columns, the binlog 0"));
        assert!(said("a int", &[(wt::LONGLONG, 0)]).contains("column 1 `a`"));
        assert!(said("a varchar(10)", &[(wt::VARCHAR, 40)]).contains("comes as KIND (40)"));
        let mut named = map(&[(wt::LONG, 0)]);
        named.0[0].name = Some("b");
        let error = fits(&table("a int"), &named).unwrap_err().to_string();
        assert!(error.contains("is called `b`"), "{error}");
        named.0[0] = WireColumn {
            name: Some("a"),
            unsigned: Some(true),
            ..named.0[0]
        };
        let error = fits(&table("A int"), &named).unwrap_err().to_string();
        assert!(error.contains("is unsigned"), "{error}");
    }
}
