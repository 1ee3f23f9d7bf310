//! A table as a TABLE_MAP with full metadata describes it (`binlog_row_metadata=FULL`), for a table that the source has
//! no longer, or has otherwise by now.
//!
//! What the event does not say is left out: secondary indexes, foreign keys, defaults. Values do not depend on them.

use crate::binlog::flavor::Flavor;
use crate::charset::Charset;
use crate::decode::metadata::ColumnMetadata;
use crate::decode::table_map::{TableMap, WireColumn};
use crate::decode::wire_type as wt;
use crate::schema::collation;
use crate::schema::table::{Collation, Column, ColumnType, KeyPart, Table};

/// Collation id of `binary`.
const BINARY: u16 = 63;

/// Names of geometry types by number (MySQL `Field::geometry_type`).
const GEOMETRIES: [&str; 8] = [
    "geometry",
    "point",
    "linestring",
    "polygon",
    "multipoint",
    "multilinestring",
    "multipolygon",
    "geometrycollection",
];

/// The table, or `None` when the event does not say enough to know every column's type for sure.
pub fn described(map: &TableMap, flavor: Flavor) -> Option<Table> {
    if !map.metadata.has_names() {
        return None;
    }
    let columns: Vec<Column> = map
        .columns
        .iter()
        .zip(&map.metadata.columns)
        .map(|(wire, said)| {
            Some(Column {
                name: said.name.clone()?,
                ty: column_type(*wire, said, flavor)?,
                nullable: wire.nullable,
                default: None,
                auto_increment: false,
                generated: None,
                invisible: said.visible == Some(false),
                compressed: matches!(wire.kind, wt::BLOB_COMPRESSED | wt::VARCHAR_COMPRESSED),
            })
        })
        .collect::<Option<_>>()?;
    let mut primary_key = Vec::new();
    for part in map.metadata.primary_key.iter().flatten() {
        let name = columns.get(part.column)?.name.clone();
        primary_key.push(match u32::try_from(part.prefix).ok()? {
            0 => KeyPart::Column {
                name,
                descending: false,
            },
            length => KeyPart::Prefix { name, length },
        });
    }
    Some(Table {
        name: map.table.clone(),
        columns,
        primary_key,
        indexes: Vec::new(),
        foreign_keys: Vec::new(),
        collation: collation::by_name("utf8mb4_general_ci")?,
        system_period: None,
    })
}

fn column_type(wire: WireColumn, said: &ColumnMetadata, flavor: Flavor) -> Option<ColumnType> {
    let unsigned = said.unsigned;
    let [low, high] = wire.meta.to_le_bytes();
    let integer = |bytes| {
        Some(ColumnType::Int {
            bytes,
            unsigned: unsigned?,
            display_width: None,
            zerofill: false,
        })
    };
    Some(match wire.kind {
        wt::TINY => integer(1)?,
        wt::SHORT => integer(2)?,
        wt::INT24 => integer(3)?,
        wt::LONG => integer(4)?,
        wt::LONGLONG => integer(8)?,
        wt::FLOAT => ColumnType::Float {
            unsigned: unsigned?,
            digits: None,
        },
        wt::DOUBLE => ColumnType::Double {
            unsigned: unsigned?,
            digits: None,
        },
        wt::NEWDECIMAL => ColumnType::Decimal {
            precision: high,
            scale: low,
            unsigned: unsigned?,
        },
        wt::BIT => ColumnType::Bit {
            bits: u8::try_from(wire.meta).ok()?,
        },
        wt::YEAR => ColumnType::Year,
        wt::DATE | wt::NEWDATE => ColumnType::Date,
        wt::TIME2 => ColumnType::Time { fsp: low },
        wt::DATETIME2 => ColumnType::DateTime { fsp: low },
        wt::TIMESTAMP2 => ColumnType::Timestamp { fsp: low },
        wt::JSON => ColumnType::Json,
        wt::VECTOR => ColumnType::Vector {
            dimensions: said.dimensions?,
        },
        wt::GEOMETRY => {
            let kind = GEOMETRIES.get(usize::from(said.geometry.unwrap_or_default()))?;
            ColumnType::Geometry {
                kind: (*kind).to_owned(),
            }
        }
        wt::ENUM | wt::SET => labelled(wire.kind, said)?,
        wt::VARCHAR | wt::VAR_STRING | wt::VARCHAR_COMPRESSED => {
            let length = u32::from(wire.meta);
            match text_collation(said)? {
                Some(collation) => ColumnType::VarChar {
                    length: characters(length, &collation),
                    collation,
                },
                None => ColumnType::VarBinary { length },
            }
        }
        wt::STRING => fixed_string(u32::from(wire.meta), said, flavor)?,
        wt::BLOB | wt::TINY_BLOB | wt::MEDIUM_BLOB | wt::LONG_BLOB | wt::BLOB_COMPRESSED => {
            match text_collation(said)? {
                Some(collation) => ColumnType::Text {
                    length_bytes: low,
                    collation,
                },
                None => ColumnType::Blob { length_bytes: low },
            }
        }
        _ => return None,
    })
}

/// MariaDB's UUID, INET4 and INET6 come as binary strings of their length: not told apart from BINARY(16) or (4) here.
fn fixed_string(bytes: u32, said: &ColumnMetadata, flavor: Flavor) -> Option<ColumnType> {
    match text_collation(said)? {
        Some(collation) => Some(ColumnType::Char {
            length: characters(bytes, &collation),
            collation,
        }),
        None if flavor == Flavor::MariaDb && matches!(bytes, 4 | 16) => None,
        None => Some(ColumnType::Binary { length: bytes }),
    }
}

fn labelled(kind: u8, said: &ColumnMetadata) -> Option<ColumnType> {
    let collation = collation::by_id(said.collation?)?;
    let charset = Charset::by_name(&collation.charset)?;
    let mut scratch = String::new();
    let labels = said
        .labels
        .as_ref()?
        .iter()
        .map(|label| charset.decode(label, &mut scratch).map(str::to_owned).ok())
        .collect::<Option<Vec<_>>>()?;
    Some(match kind {
        wt::ENUM => ColumnType::Enum { labels, collation },
        _ => ColumnType::Set { labels, collation },
    })
}

/// The column's collation, `Some(None)` for bytes, `None` when it is not said or not known.
fn text_collation(said: &ColumnMetadata) -> Option<Option<Collation>> {
    match said.collation? {
        BINARY => Some(None),
        id => collation::by_id(id).map(Some),
    }
}

fn characters(bytes: u32, collation: &Collation) -> u32 {
    bytes / u32::from(collation::bytes_max(&collation.charset)).max(1)
}
