//! A row image's value as a parameter of a prepared statement.
//!
//! # Invariants
//! The rows' session has `character_set_client = binary`, so that a parameter's bytes are stored as they are: text
//! travels in its column's own charset. Temporal values go as text in UTC, DECIMAL as text, FLOAT as its 32 bits,
//! ENUM and SET as numbers. What cannot go into the column unchanged is an error.

use mysql_async::Value as Param;

use crate::decode::short_text::ShortText;
use crate::decode::value::Value;
use crate::decode::{compressed_column, decimal, json, network_address, temporal};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::table::{Column, ColumnType};

/// The parameter that stores `value` in `column`.
///
/// # Errors
/// `Schema` when the target's column is of another kind, `Unsupported` for partial JSON updates.
pub(super) fn bind(value: &Value<'_>, column: &Column) -> Result<Param> {
    if !fits(value, &column.ty) {
        return Err(Error::new(
            ErrorKind::Schema,
            format!(
                "the source's values do not go into the target's column `{}` unchanged: the two are of different \
                 kinds; give the target's table the source's definition",
                column.name
            ),
        ));
    }
    let mut text = ShortText::new();
    match *value {
        Value::Null => return Ok(Param::NULL),
        Value::Int(n) => return Ok(Param::Int(n)),
        Value::UInt(n) | Value::Set(n) | Value::Bit(n, _) => return Ok(Param::UInt(n)),
        Value::Year(year) => return Ok(Param::Int(year.into())),
        Value::Enum(number) => return Ok(Param::Int(number.into())),
        Value::Float(x) => return Ok(Param::Float(x)),
        Value::Double(x) => return Ok(Param::Double(x)),
        Value::Bytes(bytes) => return Ok(Param::Bytes(stored_bytes(bytes, &column.ty))),
        Value::Compressed(bytes) => {
            let mut inflated = Vec::new();
            let bytes = compressed_column::inflate(bytes, &mut inflated)?;
            return Ok(Param::Bytes(bytes.to_vec()));
        }
        Value::Geometry(bytes) | Value::Vector(bytes) => {
            return Ok(Param::Bytes(bytes.to_vec()));
        }
        Value::Printed(printed) => {
            return Ok(Param::Bytes(match column.ty {
                ColumnType::Uuid => network_address::uuid_bytes(printed)?.to_vec(),
                ColumnType::Inet4 => network_address::inet_bytes(printed, false)?,
                ColumnType::Inet6 => network_address::inet_bytes(printed, true)?,
                _ => printed.to_vec(),
            }));
        }
        Value::Json(document) => {
            let mut text = Vec::new();
            json::push_text(&mut text, document)?;
            return Ok(Param::Bytes(text));
        }
        Value::JsonDiff(_) | Value::Absent => {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!(
                    "a value of column `{}` that a MySQL target cannot take yet",
                    column.name
                ),
            ));
        }
        Value::Decimal {
            packed,
            precision,
            scale,
        } => {
            decimal::push_text(&mut text, packed, precision, scale)?;
        }
        Value::Date(date) => temporal::push_date(&mut text, date),
        Value::Time(time, fsp) => temporal::push_time(&mut text, time, fsp),
        Value::DateTime(date, time, fsp) => temporal::push_datetime(&mut text, date, time, fsp),
        Value::Timestamp {
            seconds,
            micros,
            fsp,
        } => {
            temporal::push_timestamp(&mut text, seconds, micros, fsp);
        }
    }
    Ok(Param::Bytes(text.as_bytes().to_vec()))
}

/// Bytes of a fixed length as they are stored: row images leave out trailing zeros. UUID and INET columns take their
/// bytes from a binary parameter.
fn stored_bytes(bytes: &[u8], ty: &ColumnType) -> Vec<u8> {
    let length = match ty {
        ColumnType::Binary { length } => usize::try_from(*length).unwrap_or_default(),
        ColumnType::Uuid | ColumnType::Inet6 => 16,
        ColumnType::Inet4 => 4,
        _ => 0,
    };
    let mut stored = Vec::with_capacity(bytes.len().max(length));
    stored.extend_from_slice(bytes);
    stored.resize(bytes.len().max(length), 0);
    stored
}

/// Whether a value of this kind means the same in a column of that type. Numbers, texts and times may be of
/// different widths: the target's strict mode refuses what does not fit.
fn fits(value: &Value<'_>, ty: &ColumnType) -> bool {
    use ColumnType as Ty;
    match value {
        Value::Enum(_) => matches!(ty, Ty::Enum { .. }),
        Value::Set(_) => matches!(ty, Ty::Set { .. }),
        Value::Geometry(_) => matches!(ty, Ty::Geometry { .. }),
        Value::Vector(_) => matches!(ty, Ty::Vector { .. }),
        Value::Bit(..) => matches!(ty, Ty::Bit { .. }),
        Value::Json(_) | Value::JsonDiff(_) => matches!(ty, Ty::Json | Ty::Text { .. }),
        Value::Bytes(_) | Value::Compressed(_) => matches!(
            ty,
            Ty::Char { .. }
                | Ty::VarChar { .. }
                | Ty::Text { .. }
                | Ty::Binary { .. }
                | Ty::VarBinary { .. }
                | Ty::Blob { .. }
                | Ty::Uuid
                | Ty::Inet4
                | Ty::Inet6
        ),
        Value::Int(_)
        | Value::UInt(_)
        | Value::Float(_)
        | Value::Double(_)
        | Value::Decimal { .. } => {
            matches!(
                ty,
                Ty::Int { .. } | Ty::Float { .. } | Ty::Double { .. } | Ty::Decimal { .. }
            )
        }
        Value::Date(_) | Value::DateTime(..) => matches!(ty, Ty::Date | Ty::DateTime { .. }),
        Value::Timestamp { .. } => matches!(ty, Ty::Timestamp { .. }),
        Value::Time(..) => matches!(ty, Ty::Time { .. }),
        Value::Year(_) => matches!(ty, Ty::Year),
        Value::Printed(_) => matches!(
            ty,
            Ty::Date
                | Ty::DateTime { .. }
                | Ty::Timestamp { .. }
                | Ty::Time { .. }
                | Ty::Json
                | Ty::Text { .. }
                | Ty::Uuid
                | Ty::Inet4
                | Ty::Inet6
        ),
        Value::Null | Value::Absent => true,
    }
}

/// Whether two values of one column are the same bit for bit.
pub(super) fn same(a: &Value<'_>, b: &Value<'_>) -> bool {
    match (a, b) {
        // 0.0 equals -0.0, and yet a change from one to the other is a change.
        (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
        (Value::Double(a), Value::Double(b)) => a.to_bits() == b.to_bits(),
        _ => a == b,
    }
}

/// About how many bytes parameters take in a packet.
pub(super) fn size(params: &[Param]) -> usize {
    let one = |param: &Param| match param {
        Param::Bytes(bytes) => bytes.len() + 9,
        _ => 8,
    };
    params.iter().map(one).sum()
}
