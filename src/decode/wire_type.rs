//! Column type codes of TABLE_MAP events (MySQL `include/field_types.h`; MariaDB `sql/sql_type.h` and `field.h`).

#![allow(missing_docs, reason = "the names are the server's own")]

use crate::binlog::flavor::Flavor;

pub const DECIMAL: u8 = 0;
pub const TINY: u8 = 1;
pub const SHORT: u8 = 2;
pub const LONG: u8 = 3;
pub const FLOAT: u8 = 4;
pub const DOUBLE: u8 = 5;
pub const NULL: u8 = 6;
pub const TIMESTAMP: u8 = 7;
pub const LONGLONG: u8 = 8;
pub const INT24: u8 = 9;
pub const DATE: u8 = 10;
pub const TIME: u8 = 11;
pub const DATETIME: u8 = 12;
pub const YEAR: u8 = 13;
pub const NEWDATE: u8 = 14;
pub const VARCHAR: u8 = 15;
pub const BIT: u8 = 16;
pub const TIMESTAMP2: u8 = 17;
pub const DATETIME2: u8 = 18;
pub const TIME2: u8 = 19;
pub const TYPED_ARRAY: u8 = 20;
pub const BLOB_COMPRESSED: u8 = 140;
pub const VARCHAR_COMPRESSED: u8 = 141;
pub const VECTOR: u8 = 242;
pub const JSON: u8 = 245;
pub const NEWDECIMAL: u8 = 246;
pub const ENUM: u8 = 247;
pub const SET: u8 = 248;
pub const TINY_BLOB: u8 = 249;
pub const MEDIUM_BLOB: u8 = 250;
pub const LONG_BLOB: u8 = 251;
pub const BLOB: u8 = 252;
pub const VAR_STRING: u8 = 253;
pub const STRING: u8 = 254;
pub const GEOMETRY: u8 = 255;

/// Whether the SIGNEDNESS metadata has a bit for columns of this type. Both servers count YEAR.
pub fn is_numeric(kind: u8) -> bool {
    matches!(
        kind,
        TINY | SHORT | INT24 | LONG | LONGLONG | NEWDECIMAL | FLOAT | DOUBLE | YEAR
    )
}

/// Whether the charset metadata has an entry for columns of this type: besides text, MySQL 9 counts VECTOR and
/// MariaDB counts GEOMETRY.
pub fn is_character(kind: u8, flavor: Flavor) -> bool {
    match kind {
        STRING | VAR_STRING | VARCHAR | VARCHAR_COMPRESSED => true,
        TINY_BLOB | BLOB | MEDIUM_BLOB | LONG_BLOB | BLOB_COMPRESSED => true,
        VECTOR => flavor == Flavor::MySql,
        GEOMETRY => flavor == Flavor::MariaDb,
        _ => false,
    }
}

/// The type's name for messages.
pub fn name(kind: u8) -> &'static str {
    match kind {
        DECIMAL => "DECIMAL of MySQL 4",
        TINY => "TINYINT",
        SHORT => "SMALLINT",
        LONG => "INT",
        FLOAT => "FLOAT",
        DOUBLE => "DOUBLE",
        NULL => "NULL",
        TIMESTAMP | TIMESTAMP2 => "TIMESTAMP",
        LONGLONG => "BIGINT",
        INT24 => "MEDIUMINT",
        DATE | NEWDATE => "DATE",
        TIME | TIME2 => "TIME",
        DATETIME | DATETIME2 => "DATETIME",
        YEAR => "YEAR",
        VARCHAR | VAR_STRING => "VARCHAR",
        BIT => "BIT",
        TYPED_ARRAY => "ARRAY",
        BLOB_COMPRESSED => "BLOB COMPRESSED",
        VARCHAR_COMPRESSED => "VARCHAR COMPRESSED",
        VECTOR => "VECTOR",
        JSON => "JSON",
        NEWDECIMAL => "DECIMAL",
        ENUM => "ENUM",
        SET => "SET",
        TINY_BLOB | BLOB | MEDIUM_BLOB | LONG_BLOB => "BLOB",
        STRING => "CHAR",
        GEOMETRY => "GEOMETRY",
        _ => "a type unknown to relaylite",
    }
}
