//! Whether a known definition is the one that a TABLE_MAP was written for.
//!
//! Compared is what decides how row images are read: number of columns, wire types and their lengths, and, where the
//! source logs them, names, signedness and labels. Whether a column allows NULL does not decide that, and is not.

use crate::decode::metadata::ColumnMetadata;
use crate::decode::table_map::{TableMap, WireColumn};
use crate::decode::wire_type as wt;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::collation::bytes_max;
use crate::schema::table::{Collation, Column, ColumnType, Table, same_name};

/// Checks that `table` is what `map` describes.
///
/// # Errors
/// `Schema`, saying the first column that differs and how.
pub fn fits(table: &Table, map: &TableMap) -> Result<()> {
    let misfit = |what: String| {
        let text = format!("the known definition is not the one in force: {what}");
        Error::new(ErrorKind::Schema, text).at_table(&map.database, &map.table)
    };
    if table.columns.len() != map.columns.len() {
        let (known, found) = (table.columns.len(), map.columns.len());
        return Err(misfit(format!(
            "it has {known} columns, the binlog {found}"
        )));
    }
    for (n, (column, wire)) in table.columns.iter().zip(&map.columns).enumerate() {
        if !is_wire_type_of(&column.ty, *wire) {
            return Err(misfit(format!(
                "column {} `{}` is known as {:?} and comes as {} ({})",
                n + 1,
                column.name,
                column.ty,
                wt::name(wire.kind),
                wire.meta
            )));
        }
        if let Some(metadata) = map.metadata.columns.get(n) {
            check_metadata(column, metadata)
                .map_err(|what| misfit(format!("column {} `{}` {what}", n + 1, column.name)))?;
        }
    }
    Ok(())
}

fn check_metadata(column: &Column, metadata: &ColumnMetadata) -> std::result::Result<(), String> {
    if let Some(name) = &metadata.name
        && !same_name(name, &column.name)
    {
        return Err(format!("is called `{name}`"));
    }
    let known = match &column.ty {
        ColumnType::Int { unsigned, .. }
        | ColumnType::Float { unsigned, .. }
        | ColumnType::Double { unsigned, .. }
        | ColumnType::Decimal { unsigned, .. } => Some(*unsigned),
        _ => None,
    };
    if let (Some(known), Some(found)) = (known, metadata.unsigned)
        && known != found
    {
        return Err(if found { "is unsigned" } else { "is signed" }.to_owned());
    }
    if let (ColumnType::Enum { labels, .. } | ColumnType::Set { labels, .. }, Some(found)) =
        (&column.ty, &metadata.labels)
        && labels.len() != found.len()
    {
        return Err(format!("has {} labels, not {}", found.len(), labels.len()));
    }
    Ok(())
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
fn is_wire_type_of(ty: &ColumnType, wire: WireColumn) -> bool {
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

    fn map(columns: &[(u8, u16)]) -> TableMap {
        let columns = columns
            .iter()
            .map(|(kind, meta)| WireColumn {
                kind: *kind,
                meta: *meta,
                nullable: true,
            })
            .collect();
        TableMap {
            table_id: 1,
            flags: 0,
            database: "d".to_owned(),
            table: "t".to_owned(),
            columns,
            metadata: Default::default(),
        }
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
        assert!(said("a varchar(10)", &[(wt::VARCHAR, 40)]).contains("comes as VARCHAR (40)"));
        let mut named = map(&[(wt::LONG, 0)]);
        named.metadata.columns = vec![ColumnMetadata {
            name: Some("b".to_owned()),
            ..ColumnMetadata::default()
        }];
        let error = fits(&table("a int"), &named).unwrap_err().to_string();
        assert!(error.contains("is called `b`"), "{error}");
        named.metadata.columns = vec![ColumnMetadata {
            unsigned: Some(true),
            ..ColumnMetadata::default()
        }];
        assert!(
            fits(&table("A int"), &named)
                .unwrap_err()
                .to_string()
                .contains("is unsigned")
        );
    }
}
