//! Values into SQLite's types: the mapping of design "Values", one binder per column.
//!
//! Nothing is allocated per value: text that has to be made is made in one scratch buffer, and SQLite copies it.

use rusqlite::Statement;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};

use crate::charset::Charset;
use crate::decode::decimal::{self, Number};
use crate::decode::short_text::ShortText;
use crate::decode::value::Value;
use crate::decode::{compressed_column, float, json, network_address, temporal};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::table::{Collation, Column, ColumnType};

/// How the bytes or numbers of one column become what SQLite stores.
#[derive(Debug)]
pub(super) enum Binder {
    /// The value says everything.
    Plain,
    /// Text in a charset.
    Text(Charset),
    /// BINARY(n): padded with zero bytes to n.
    Binary(usize),
    /// ENUM: labels from 1.
    Enum(Vec<String>),
    /// SET: labels from bit 0.
    Set(Vec<String>),
    /// MariaDB UUID.
    Uuid,
    /// MariaDB INET4.
    Inet4,
    /// MariaDB INET6.
    Inet6,
    /// DECIMAL of at most 15 digits: always a number.
    ShortDecimal,
}

/// Buffers that binders share.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    text: String,
    bytes: Vec<u8>,
    /// Text values that were not valid in their charset, and were kept as BLOB.
    pub(super) invalid_texts: u64,
}

/// A value on its way into a statement.
pub(super) struct Bound<'a>(pub(super) ValueRef<'a>);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(self.0))
    }
}

impl Binder {
    /// The binder of a column.
    ///
    /// # Errors
    /// `Schema` for a charset that cannot be transcoded.
    pub(super) fn new(column: &Column) -> Result<Self> {
        Ok(match &column.ty {
            ColumnType::Char { collation, .. }
            | ColumnType::VarChar { collation, .. }
            | ColumnType::Text { collation, .. } => Self::Text(charset_of(collation)?),
            ColumnType::Binary { length } => {
                Self::Binary(usize::try_from(*length).unwrap_or_default())
            }
            ColumnType::Enum { labels, .. } => Self::Enum(labels.clone()),
            ColumnType::Set { labels, .. } => Self::Set(labels.clone()),
            ColumnType::Uuid => Self::Uuid,
            ColumnType::Inet4 => Self::Inet4,
            ColumnType::Inet6 => Self::Inet6,
            ColumnType::Decimal { precision, .. } if *precision <= 15 => Self::ShortDecimal,
            _ => Self::Plain,
        })
    }

    /// Binds `value` as parameter `at` (from 1).
    ///
    /// # Errors
    /// `Corrupt` or `Schema` when the value cannot be one of this column.
    pub(super) fn bind(
        &self,
        statement: &mut Statement<'_>,
        at: usize,
        value: &Value<'_>,
        scratch: &mut Scratch,
    ) -> Result<()> {
        match *value {
            Value::Null => set(statement, at, ValueRef::Null),
            Value::Int(n) => set(statement, at, ValueRef::Integer(n)),
            Value::UInt(n) => bind_unsigned(statement, at, n),
            Value::Bytes(bytes) => self.bind_bytes(statement, at, bytes, scratch),
            Value::Double(n) => set(statement, at, ValueRef::Real(n)),
            Value::Float(n) => set(statement, at, ValueRef::Real(float::widen(n))),
            Value::Year(n) => set(statement, at, ValueRef::Integer(n.into())),
            Value::Bit(n, _) => bind_unsigned(statement, at, n),
            Value::Decimal {
                packed,
                precision,
                scale,
            } => bind_decimal(statement, at, packed, precision, scale),
            Value::Date(_) | Value::Time(..) | Value::DateTime(..) | Value::Timestamp { .. } => {
                let mut text = ShortText::new();
                push_temporal(&mut text, value);
                set(statement, at, ValueRef::Text(text.as_bytes()))
            }
            Value::Enum(number) => self.bind_enum(statement, at, number),
            Value::Set(bits) => self.bind_set(statement, at, bits, scratch),
            Value::Json(bytes) => {
                scratch.bytes.clear();
                json::push_text(&mut scratch.bytes, bytes)?;
                set(statement, at, ValueRef::Text(&scratch.bytes))
            }
            Value::Geometry(bytes) | Value::Vector(bytes) => {
                set(statement, at, ValueRef::Blob(bytes))
            }
            Value::Printed(text) => set(statement, at, ValueRef::Text(text)),
            Value::Compressed(stored) => {
                let mut inflated = std::mem::take(&mut scratch.bytes);
                let bytes = compressed_column::inflate(stored, &mut inflated)?;
                let outcome = self.bind_bytes(statement, at, bytes, scratch);
                scratch.bytes = inflated;
                outcome
            }
            Value::JsonDiff(_) => Err(Error::new(
                ErrorKind::Unsupported,
                "partial JSON updates cannot be applied yet; set binlog_row_value_options='' on the source",
            )),
            Value::Absent => Err(Error::new(ErrorKind::Internal, "an absent value was bound")),
        }
    }

    fn bind_bytes(
        &self,
        statement: &mut Statement<'_>,
        at: usize,
        bytes: &[u8],
        scratch: &mut Scratch,
    ) -> Result<()> {
        match self {
            Self::Text(charset) => match charset.decode(bytes, &mut scratch.text) {
                Ok(text) => set(statement, at, ValueRef::Text(text.as_bytes())),
                Err(_) => {
                    scratch.invalid_texts += 1;
                    set(statement, at, ValueRef::Blob(bytes))
                }
            },
            Self::Binary(length) if bytes.len() < *length => {
                scratch.bytes.clear();
                scratch.bytes.extend_from_slice(bytes);
                scratch.bytes.resize(*length, 0);
                set(statement, at, ValueRef::Blob(&scratch.bytes))
            }
            Self::Uuid => {
                let mut text = ShortText::new();
                network_address::push_uuid(&mut text, bytes)?;
                set(statement, at, ValueRef::Text(text.as_bytes()))
            }
            Self::Inet4 | Self::Inet6 => {
                let mut text = ShortText::new();
                network_address::push_inet(&mut text, bytes, matches!(self, Self::Inet6))?;
                set(statement, at, ValueRef::Text(text.as_bytes()))
            }
            _ => set(statement, at, ValueRef::Blob(bytes)),
        }
    }

    fn bind_enum(&self, statement: &mut Statement<'_>, at: usize, number: u16) -> Result<()> {
        let label = match (self, number.checked_sub(1)) {
            (Self::Enum(_), None) => "",
            (Self::Enum(labels), Some(index)) => labels
                .get(usize::from(index))
                .map(String::as_str)
                .ok_or_else(|| no_label("ENUM"))?,
            _ => return Err(no_label("ENUM")),
        };
        set(statement, at, ValueRef::Text(label.as_bytes()))
    }

    fn bind_set(
        &self,
        statement: &mut Statement<'_>,
        at: usize,
        bits: u64,
        scratch: &mut Scratch,
    ) -> Result<()> {
        let Self::Set(labels) = self else {
            return Err(no_label("SET"));
        };
        scratch.text.clear();
        let mut left = bits;
        while left != 0 {
            let bit = left.trailing_zeros() as usize;
            let label = labels.get(bit).ok_or_else(|| no_label("SET"))?;
            if !scratch.text.is_empty() || bits.trailing_zeros() as usize != bit {
                scratch.text.push(',');
            }
            scratch.text.push_str(label);
            left &= left - 1;
        }
        set(statement, at, ValueRef::Text(scratch.text.as_bytes()))
    }
}

fn charset_of(collation: &Collation) -> Result<Charset> {
    Charset::by_name(&collation.charset).ok_or_else(|| {
        let what = format!(
            "the charset {} is not known and cannot be transcoded",
            collation.charset
        );
        Error::new(ErrorKind::Schema, what)
    })
}

/// Appends a DATE, TIME, DATETIME or TIMESTAMP as MySQL prints it, TIMESTAMP in UTC.
fn push_temporal(text: &mut ShortText, value: &Value<'_>) {
    match *value {
        Value::Date(date) => temporal::push_date(text, date),
        Value::Time(time, fsp) => temporal::push_time(text, time, fsp),
        Value::DateTime(date, time, fsp) => temporal::push_datetime(text, date, time, fsp),
        Value::Timestamp {
            seconds,
            micros,
            fsp,
        } => {
            temporal::push_timestamp(text, seconds, micros, fsp);
        }
        _ => {}
    }
}

fn set(statement: &mut Statement<'_>, at: usize, value: ValueRef<'_>) -> Result<()> {
    statement.raw_bind_parameter(at, Bound(value))?;
    Ok(())
}

/// Numbers beyond 2^63−1 do not fit SQLite's INTEGER: their digits as text.
fn bind_unsigned(statement: &mut Statement<'_>, at: usize, n: u64) -> Result<()> {
    if let Ok(n) = i64::try_from(n) {
        return set(statement, at, ValueRef::Integer(n));
    }
    let mut text = ShortText::new();
    text.push_number(n, 0);
    set(statement, at, ValueRef::Text(text.as_bytes()))
}

/// A number where 15 digits hold it, else all digits as text.
fn bind_decimal(
    statement: &mut Statement<'_>,
    at: usize,
    packed: &[u8],
    precision: u8,
    scale: u8,
) -> Result<()> {
    match decimal::number(packed, precision, scale)? {
        Some(Number::Int(n)) => set(statement, at, ValueRef::Integer(n)),
        Some(Number::Real(n)) => set(statement, at, ValueRef::Real(n)),
        None => {
            let mut text = ShortText::new();
            decimal::push_text(&mut text, packed, precision, scale)?;
            set(statement, at, ValueRef::Text(text.as_bytes()))
        }
    }
}

#[cold]
fn no_label(what: &str) -> Error {
    Error::new(
        ErrorKind::Schema,
        format!("{what} value without a label: the known definition is not the one in force"),
    )
}
