//! What the server prints for a column, back into the value that the binlog would hold.

use super::rows::{Cell, SnapshotRows};
use crate::decode::decimal;
use crate::decode::value::Value;
use crate::error::{Error, Result};
use crate::schema::table::ColumnType;

/// Appends the value of a column of type `ty`, which the server gave as `text` for [`super::select::Select`]'s expression.
///
/// # Errors
/// `Corrupt` when the answer cannot be a value of the column.
pub(super) fn push(rows: &mut SnapshotRows, text: Option<&[u8]>, ty: &ColumnType) -> Result<()> {
    let Some(text) = text else {
        rows.push(Cell::Plain(Value::Null));
        return Ok(());
    };
    let cell = match ty {
        ColumnType::Int { unsigned: true, .. } => Cell::Plain(Value::UInt(number(text)?)),
        ColumnType::Int { .. } => Cell::Plain(Value::Int(number(text)?)),
        ColumnType::Year => Cell::Plain(Value::Year(number(text)?)),
        ColumnType::Bit { bits } => Cell::Plain(Value::Bit(number(text)?, *bits)),
        ColumnType::Enum { .. } => Cell::Plain(Value::Enum(number(text)?)),
        ColumnType::Set { .. } => Cell::Plain(Value::Set(number(text)?)),
        ColumnType::Double { .. } => Cell::Plain(Value::Double(number(text)?)),
        ColumnType::Float { .. } => Cell::Plain(Value::Float(single(number(text)?))),
        ColumnType::Decimal {
            precision, scale, ..
        } => {
            let mut packed = Vec::new();
            decimal::pack(&mut packed, text, *precision, *scale)?;
            Cell::Decimal(rows.keep(&packed), *precision, *scale)
        }
        ColumnType::Char { .. }
        | ColumnType::VarChar { .. }
        | ColumnType::Text { .. }
        | ColumnType::Binary { .. }
        | ColumnType::VarBinary { .. }
        | ColumnType::Blob { .. } => Cell::Bytes(rows.keep(text)),
        ColumnType::Geometry { .. } => Cell::Geometry(rows.keep(text)),
        ColumnType::Vector { .. } => Cell::Vector(rows.keep(text)),
        ColumnType::Date
        | ColumnType::Time { .. }
        | ColumnType::DateTime { .. }
        | ColumnType::Timestamp { .. }
        | ColumnType::Json
        | ColumnType::Uuid
        | ColumnType::Inet4
        | ColumnType::Inet6 => Cell::Printed(rows.keep(text)),
    };
    rows.push(cell);
    Ok(())
}

fn number<N: std::str::FromStr>(text: &[u8]) -> Result<N> {
    std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| Error::corrupt("the source prints a number that its column cannot hold"))
}

/// The FLOAT that a double was made of: exact.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the source widened a 32-bit value"
)]
fn single(widened: f64) -> f32 {
    widened as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value_of(text: &str, ty: ColumnType) -> Result<SnapshotRows> {
        let mut rows = SnapshotRows::new(1);
        push(&mut rows, Some(text.as_bytes()), &ty)?;
        Ok(rows)
    }

    #[test]
    fn values_are_those_of_the_binlog() {
        let mut row = Vec::new();
        let float = ColumnType::Float {
            unsigned: false,
            digits: None,
        };
        let rows = value_of("0.10000000149011612", float).unwrap();
        rows.fill(0, &mut row);
        assert_eq!(row, [Value::Float(0.1)]);
        let rows = value_of("18446744073709551615", ColumnType::Bit { bits: 64 }).unwrap();
        let mut row = Vec::new();
        rows.fill(0, &mut row);
        assert_eq!(row, [Value::Bit(u64::MAX, 64)]);
        let rows = value_of("2020-00-00", ColumnType::Date).unwrap();
        let mut row = Vec::new();
        rows.fill(0, &mut row);
        assert_eq!(row, [Value::Printed(b"2020-00-00")]);
        assert!(value_of("x", ColumnType::Year).is_err());
    }
}
