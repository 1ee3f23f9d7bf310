//! What a column holds that an INSERT does not name, as SQLite stores it.

use super::name::{quote_bytes, quote_text};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::effect::{implicit_default, may_be_printed_otherwise};
use crate::schema::table::{Column, ColumnType, DefaultValue};

/// Significant digits that a SQLite number keeps.
const EXACT_DIGITS: usize = 15;

/// What an INSERT stores in a column that its row image lacks (`binlog_row_image` MINIMAL and NOBLOB).
#[derive(Debug, Clone, PartialEq)]
pub enum DefaultForAbsent {
    /// NULL.
    Null,
    /// A constant: the default, or what the type holds when nothing is said.
    Constant(DefaultValue),
    /// The value of an expression, which the image must hold: the text.
    NeedsExpression(String),
}

/// What an INSERT stores in `column` when it does not name it.
pub fn default_for_absent(column: &Column) -> DefaultForAbsent {
    if let Some(generated) = &column.generated {
        return DefaultForAbsent::NeedsExpression(generated.expression.clone());
    }
    match &column.default {
        Some(DefaultValue::CurrentTimestamp(_)) => {
            DefaultForAbsent::NeedsExpression("CURRENT_TIMESTAMP".to_owned())
        }
        Some(DefaultValue::Expression(text)) => DefaultForAbsent::NeedsExpression(text.clone()),
        Some(DefaultValue::Literal(text)) if may_be_printed_otherwise(text, &column.ty) => {
            DefaultForAbsent::NeedsExpression(text.clone())
        }
        Some(constant) => DefaultForAbsent::Constant(constant.clone()),
        None if column.nullable => DefaultForAbsent::Null,
        None => DefaultForAbsent::Constant(implicit_default(&column.ty)),
    }
}

/// The same as a SQL literal.
///
/// # Errors
/// `SourceOnly` for defaults that only the source can tell; servers write the values of expressions into every image.
pub fn default_literal(column: &Column) -> Result<String> {
    match default_for_absent(column) {
        DefaultForAbsent::Null => Ok("NULL".to_owned()),
        DefaultForAbsent::Constant(value) => Ok(literal(&value, &column.ty)),
        DefaultForAbsent::NeedsExpression(text) => Err(Error::new(
            ErrorKind::SourceOnly,
            format!(
                "column `{}` is not in the row image and its value is {text}",
                column.name
            ),
        )),
    }
}

/// A constant of a column's type as the SQL literal of what SQLite stores for it.
pub(super) fn literal(value: &DefaultValue, ty: &ColumnType) -> String {
    match value {
        DefaultValue::Literal(text) => text_literal(text, ty),
        DefaultValue::Bytes(bytes) => match (ty.collation(), std::str::from_utf8(bytes)) {
            (Some(_), Ok(text)) => quote_text(text),
            _ => quote_bytes(bytes),
        },
        DefaultValue::CurrentTimestamp(_) | DefaultValue::Expression(_) => "NULL".to_owned(),
    }
}

fn text_literal(text: &str, ty: &ColumnType) -> String {
    match ty {
        ColumnType::Int { .. } | ColumnType::Bit { .. } | ColumnType::Year => integer(text),
        ColumnType::Float { digits, .. } => single(real(text, *digits)),
        ColumnType::Double { digits, .. } => format!("{:?}", real(text, *digits)),
        ColumnType::Decimal { .. } => decimal(text.trim()),
        ColumnType::Binary { length } => {
            let mut bytes = text.as_bytes().to_vec();
            let length = usize::try_from(*length).unwrap_or(0).min(255);
            bytes.resize(length.max(bytes.len()), 0);
            quote_bytes(&bytes)
        }
        ColumnType::VarBinary { .. }
        | ColumnType::Blob { .. }
        | ColumnType::Geometry { .. }
        | ColumnType::Vector { .. } => quote_bytes(text.as_bytes()),
        _ => quote_text(text),
    }
}

/// A number, rounded to the digits of FLOAT(m,d) and DOUBLE(m,d) as the servers do it (`Field_real::truncate`).
fn real(text: &str, digits: Option<(u8, u8)>) -> f64 {
    let number = match text.trim().parse::<f64>() {
        Ok(number) if number.is_finite() => number,
        _ => 0.0,
    };
    let Some((_, scale)) = digits else {
        return number;
    };
    let (whole, factor) = (number.floor(), 10_f64.powi(scale.into()));
    let rounded = whole + ((number - whole) * factor).round_ties_even() / factor;
    if rounded.is_finite() { rounded } else { number }
}

/// The shortest decimal that reads back as the 32-bit value, as for values of rows.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the server rounds to 32 bits, too"
)]
fn single(number: f64) -> String {
    let number = number as f32;
    if number.is_finite() {
        format!("{number:?}")
    } else {
        "0.0".to_owned()
    }
}

/// Whole numbers that SQLite's INTEGER holds are such; larger ones are their digits as text.
fn integer(text: &str) -> String {
    let text = text.trim();
    if let Ok(number) = text.parse::<i64>() {
        return number.to_string();
    }
    match text.parse::<u64>() {
        Ok(number) => quote_text(&number.to_string()),
        Err(_) => "0".to_owned(),
    }
}

/// A number where 15 digits hold it, zeros at either end aside; else all digits as text.
fn decimal(text: &str) -> String {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let significant = digits.trim_matches('0').len();
    let number = text.parse::<f64>().ok().filter(|_| !digits.is_empty());
    match number {
        Some(number) if significant <= EXACT_DIGITS => {
            let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
            // A fraction of zeros would make a REAL of what is stored as an INTEGER.
            let is_whole = fraction.bytes().all(|b| b == b'0');
            match whole.parse::<i64>() {
                Ok(whole) if is_whole => whole.to_string(),
                _ if is_whole => format!("{number:?}"),
                _ => text.to_owned(),
            }
        }
        _ => quote_text(text),
    }
}
