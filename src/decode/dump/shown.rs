//! A value made ready to be shown, before the choice between SQL and JSON.

use super::column::DumpColumn;
use crate::decode::short_text::ShortText;
use crate::decode::value::Value;
use crate::decode::{compressed_column, decimal, float, json, temporal};
use crate::error::{Error, Result};

/// A value, by how it is written.
#[derive(Debug)]
pub(super) enum Shown<'a> {
    Null,
    /// Digits of a number, exact.
    Number(ShortText),
    /// A date, time, or DECIMAL: short text that is exact only as text.
    Exact(ShortText),
    Text(&'a str),
    Bytes(&'a [u8]),
    Bits(u64, u8),
    /// A JSON document's text.
    Document(&'a str),
    /// Diffs to a JSON document.
    Diffs(&'a [u8]),
}

/// Memory reused from value to value.
#[derive(Default)]
pub(super) struct Scratch {
    text: String,
    bytes: Vec<u8>,
}

impl Scratch {
    /// Makes a value ready; `None` when the image does not hold the column.
    pub(super) fn show<'v>(
        &'v mut self,
        value: Value<'v>,
        column: &'v DumpColumn,
    ) -> Result<Option<Shown<'v>>> {
        let mut short = ShortText::new();
        Ok(Some(match value {
            Value::Absent => return Ok(None),
            Value::Null => Shown::Null,
            Value::Int(n) => {
                if n < 0 {
                    short.push(b'-');
                }
                short.push_number(n.unsigned_abs(), 1);
                Shown::Number(short)
            }
            Value::UInt(n) => number(n),
            Value::Year(n) => {
                short.push_number(u64::from(n), 4);
                Shown::Exact(short)
            }
            Value::Float(n) => {
                float::push_float(&mut short, n);
                Shown::Number(short)
            }
            Value::Double(n) => {
                float::push_double(&mut short, n);
                Shown::Number(short)
            }
            Value::Decimal {
                packed,
                precision,
                scale,
            } => {
                decimal::push_text(&mut short, packed, precision, scale)?;
                Shown::Number(short)
            }
            Value::Date(date) => {
                temporal::push_date(&mut short, date);
                Shown::Exact(short)
            }
            Value::Time(time, fsp) => {
                temporal::push_time(&mut short, time, fsp);
                Shown::Exact(short)
            }
            Value::DateTime(date, time, fsp) => {
                temporal::push_datetime(&mut short, date, time, fsp);
                Shown::Exact(short)
            }
            Value::Timestamp {
                seconds,
                micros,
                fsp,
            } => {
                temporal::push_timestamp(&mut short, seconds, micros, fsp);
                Shown::Exact(short)
            }
            Value::Bit(bits, width) => Shown::Bits(bits, width),
            Value::Enum(index) => show_enum(index, column),
            Value::Set(bits) => self.show_set(bits, column),
            Value::Bytes(bytes) | Value::Printed(bytes) => {
                show_bytes(bytes, column, &mut self.text)
            }
            Value::Compressed(stored) => {
                let bytes = compressed_column::inflate(stored, &mut self.bytes)?;
                show_bytes(bytes, column, &mut self.text)
            }
            Value::Json(document) => {
                self.bytes.clear();
                json::push_text(&mut self.bytes, document)?;
                let text = std::str::from_utf8(&self.bytes)
                    .map_err(|e| Error::corrupt("JSON text is not UTF-8").with_source(e))?;
                Shown::Document(text)
            }
            Value::JsonDiff(diffs) => Shown::Diffs(diffs),
            Value::Geometry(bytes) => Shown::Bytes(bytes),
            Value::Vector(bytes) => self.show_vector(bytes),
        }))
    }

    fn show_set(&mut self, bits: u64, column: &DumpColumn) -> Shown<'_> {
        if column.labels.is_empty() {
            return number(bits);
        }
        self.text.clear();
        for (i, label) in column.labels.iter().enumerate().take(64) {
            if bits >> i & 1 == 1 {
                if !self.text.is_empty() {
                    self.text.push(',');
                }
                self.text.push_str(label);
            }
        }
        Shown::Text(&self.text)
    }

    /// A vector as the array of its numbers.
    fn show_vector<'v>(&'v mut self, bytes: &'v [u8]) -> Shown<'v> {
        let (numbers, []) = bytes.as_chunks::<4>() else {
            return Shown::Bytes(bytes);
        };
        self.text.clear();
        for (i, number) in numbers.iter().enumerate() {
            self.text.push_str(if i == 0 { "[" } else { ", " });
            let mut short = ShortText::new();
            float::push_float(&mut short, f32::from_le_bytes(*number));
            self.text.push_str(short.as_str());
        }
        self.text
            .push_str(if numbers.is_empty() { "[]" } else { "]" });
        Shown::Document(&self.text)
    }
}

fn number<'v>(n: u64) -> Shown<'v> {
    let mut short = ShortText::new();
    short.push_number(n, 1);
    Shown::Number(short)
}

/// The label, or the number where labels are not logged. 0 is the invalid value, shown as SELECT does.
fn show_enum(index: u16, column: &DumpColumn) -> Shown<'_> {
    if column.labels.is_empty() {
        return number(u64::from(index));
    }
    match usize::from(index).checked_sub(1) {
        None => Shown::Text(""),
        Some(i) => match column.labels.get(i) {
            Some(label) => Shown::Text(label),
            None => number(u64::from(index)),
        },
    }
}

/// Text in its charset; where the event does not say which, UTF-8 if it is that, else bytes.
fn show_bytes<'v>(bytes: &'v [u8], column: &DumpColumn, scratch: &'v mut String) -> Shown<'v> {
    let text = match column.charset {
        Some(charset) => charset.decode(bytes, scratch).ok(),
        None => std::str::from_utf8(bytes).ok(),
    };
    text.map_or(Shown::Bytes(bytes), Shown::Text)
}
