//! MySQL's binary JSON (`sql-common/json_binary.h`) as the text that `CAST(doc AS CHAR)` prints.
//!
//! Keys stay in their stored order (by length, then bytes), numbers keep their kind (1.0 is not 1), dates, decimals and
//! other SQL values inside JSON are printed as the server prints them. A document is a tree of offsets; hostile offsets
//! may point anywhere, so every byte read is paid from a budget of the document's length: no honest document reads a
//! byte twice, and none prints longer than about six times its length.

use super::decimal;
use super::float;
use super::short_text::ShortText;
use super::temporal;
use super::value::{Date, Time};
use super::wire_type as wt;
use crate::binlog::bytes::Bytes;
use crate::error::{Error, ErrorKind, Result};

/// Deepest nesting that the server allows.
const DEPTH_MAX: usize = 100;

/// The server breaks Base64 into lines of 76 characters, also inside JSON.
const BASE64_LINE_GROUPS: usize = 19;

const SMALL_OBJECT: u8 = 0x00;
const LARGE_OBJECT: u8 = 0x01;
const SMALL_ARRAY: u8 = 0x02;
const LARGE_ARRAY: u8 = 0x03;
const LITERAL: u8 = 0x04;
const INT16: u8 = 0x05;
const UINT16: u8 = 0x06;
const INT32: u8 = 0x07;
const UINT32: u8 = 0x08;
const INT64: u8 = 0x09;
const UINT64: u8 = 0x0a;
const DOUBLE: u8 = 0x0b;
const STRING: u8 = 0x0c;
const OPAQUE: u8 = 0x0f;

/// Appends the document's text to `out`.
///
/// # Errors
/// `Corrupt` when the bytes are no JSON document.
pub fn push_text(out: &mut Vec<u8>, document: &[u8]) -> Result<()> {
    let Some((kind, value)) = document.split_first() else {
        // What an INSERT IGNORE leaves in a NOT NULL column; the server reads it as a JSON null.
        out.extend_from_slice(b"null");
        return Ok(());
    };
    let mut printer = Printer {
        out,
        budget: document.len(),
    };
    printer.value(*kind, value, 0)
}

/// The widths of a container's numbers.
#[derive(Clone, Copy)]
struct Layout {
    large: bool,
    object: bool,
}

impl Layout {
    fn offset_len(self) -> usize {
        if self.large { 4 } else { 2 }
    }

    /// Count and size.
    fn header_len(self) -> usize {
        2 * self.offset_len()
    }

    /// Offset and length of a key.
    fn key_entry_len(self) -> usize {
        if self.object {
            self.offset_len() + 2
        } else {
            0
        }
    }

    /// Type, and offset or the value itself.
    fn value_entry_len(self) -> usize {
        1 + self.offset_len()
    }

    /// Whether a value of this type stands in its entry.
    fn is_inlined(self, kind: u8) -> bool {
        match kind {
            LITERAL | INT16 | UINT16 => true,
            INT32 | UINT32 => self.large,
            _ => false,
        }
    }
}

struct Printer<'o> {
    out: &'o mut Vec<u8>,
    /// Bytes of the document that may still be read.
    budget: usize,
}

impl Printer<'_> {
    fn pay(&mut self, bytes: usize) -> Result<()> {
        self.budget = self
            .budget
            .checked_sub(bytes)
            .ok_or_else(|| Error::corrupt("parts of a JSON document overlap"))?;
        Ok(())
    }

    /// Prints the value whose bytes `bytes` starts with; they may go on behind it.
    fn value(&mut self, kind: u8, bytes: &[u8], depth: usize) -> Result<()> {
        let mut r = Bytes::new(bytes);
        let before = r.len();
        match kind {
            SMALL_OBJECT | LARGE_OBJECT | SMALL_ARRAY | LARGE_ARRAY => {
                let layout = Layout {
                    large: kind == LARGE_OBJECT || kind == LARGE_ARRAY,
                    object: kind == SMALL_OBJECT || kind == LARGE_OBJECT,
                };
                return self.container(layout, bytes, depth);
            }
            LITERAL => self.literal(r.u8()?)?,
            INT16 => self.integer(i64::from(r.i16()?)),
            UINT16 => self.unsigned(u64::from(r.u16()?)),
            INT32 => self.integer(i64::from(r.i32()?)),
            UINT32 => self.unsigned(u64::from(r.u32()?)),
            INT64 => self.integer(r.i64()?),
            UINT64 => self.unsigned(r.u64()?),
            DOUBLE => self.double(f64::from_le_bytes(r.array()?)),
            STRING => {
                let len = variable_len(&mut r)?;
                self.string(r.take(len)?)?;
            }
            OPAQUE => {
                let field_type = r.u8()?;
                let len = variable_len(&mut r)?;
                self.opaque(field_type, r.take(len)?)?;
            }
            _ => return Err(Error::corrupt(format!("JSON value of unknown type {kind}"))),
        }
        self.pay(before - r.len())
    }

    fn container(&mut self, layout: Layout, bytes: &[u8], depth: usize) -> Result<()> {
        if depth >= DEPTH_MAX {
            return Err(Error::corrupt(format!(
                "JSON is nested deeper than {DEPTH_MAX}"
            )));
        }
        let mut header = Bytes::new(bytes);
        let count = read_offset(&mut header, layout)?;
        let size = read_offset(&mut header, layout)?;
        let bytes = Bytes::new(bytes).take(size)?;
        let entries = count
            .checked_mul(layout.key_entry_len() + layout.value_entry_len())
            .filter(|n| *n <= size.saturating_sub(layout.header_len()))
            .ok_or_else(|| Error::corrupt("JSON container is too short for its elements"))?;
        self.pay(layout.header_len() + entries)?;

        let mut header = Bytes::new(bytes);
        header.take(layout.header_len())?;
        let mut keys = Bytes::new(header.take(count * layout.key_entry_len())?);
        let mut values = header;
        self.out.push(if layout.object { b'{' } else { b'[' });
        for i in 0..count {
            if i > 0 {
                self.out.extend_from_slice(b", ");
            }
            if layout.object {
                let offset = read_offset(&mut keys, layout)?;
                let len = usize::from(keys.u16()?);
                let key = at(bytes, offset)?;
                self.string(Bytes::new(key).take(len)?)?;
                self.pay(len)?;
                self.out.extend_from_slice(b": ");
            }
            let kind = values.u8()?;
            let entry = values.take(layout.offset_len())?;
            if layout.is_inlined(kind) {
                self.inlined(kind, entry)?;
            } else {
                let offset = read_offset(&mut Bytes::new(entry), layout)?;
                self.value(kind, at(bytes, offset)?, depth + 1)?;
            }
        }
        self.out.push(if layout.object { b'}' } else { b']' });
        Ok(())
    }

    /// A value inside its entry, which is paid for already.
    fn inlined(&mut self, kind: u8, entry: &[u8]) -> Result<()> {
        let mut r = Bytes::new(entry);
        match kind {
            LITERAL => self.literal(r.u8()?)?,
            INT16 => self.integer(i64::from(r.i16()?)),
            UINT16 => self.unsigned(u64::from(r.u16()?)),
            INT32 => self.integer(i64::from(r.i32()?)),
            _ => self.unsigned(u64::from(r.u32()?)),
        }
        Ok(())
    }

    fn literal(&mut self, literal: u8) -> Result<()> {
        self.out.extend_from_slice(match literal {
            0 => b"null",
            1 => b"true",
            2 => b"false",
            _ => {
                return Err(Error::corrupt(format!(
                    "JSON literal {literal} is not known"
                )));
            }
        });
        Ok(())
    }

    fn integer(&mut self, n: i64) {
        if n < 0 {
            self.out.push(b'-');
        }
        self.unsigned(n.unsigned_abs());
    }

    fn unsigned(&mut self, n: u64) {
        let mut text = ShortText::new();
        text.push_number(n, 1);
        self.out.extend_from_slice(text.as_bytes());
    }

    /// A double shows that it is one.
    fn double(&mut self, value: f64) {
        let mut text = ShortText::new();
        float::push_double(&mut text, value);
        self.out.extend_from_slice(text.as_bytes());
        if text
            .as_bytes()
            .iter()
            .all(|b| b.is_ascii_digit() || *b == b'-')
        {
            self.out.extend_from_slice(b".0");
        }
    }

    fn string(&mut self, text: &[u8]) -> Result<()> {
        let text = std::str::from_utf8(text)
            .map_err(|error| Error::corrupt("JSON string is not UTF-8").with_source(error))?;
        push_string(self.out, text);
        Ok(())
    }

    /// An SQL value that JSON has no kind for.
    fn opaque(&mut self, field_type: u8, data: &[u8]) -> Result<()> {
        let mut r = Bytes::new(data);
        let mut text = ShortText::new();
        match field_type {
            wt::NEWDECIMAL => {
                let (precision, scale) = (r.u8()?, r.u8()?);
                let len = decimal::packed_len(precision, scale)
                    .ok_or_else(|| Error::corrupt("JSON decimal of impossible precision"))?;
                decimal::push_text(&mut text, r.take(len)?, precision, scale)?;
                self.out.extend_from_slice(text.as_bytes());
                return Ok(());
            }
            wt::DATE => temporal::push_date(&mut text, packed_datetime(r.i64()?)?.0),
            wt::DATETIME | wt::TIMESTAMP => {
                let (date, time) = packed_datetime(r.i64()?)?;
                temporal::push_datetime(&mut text, date, time, 6);
            }
            wt::TIME => temporal::push_time(&mut text, packed_time(r.i64()?)?, 6),
            _ => {
                text.push_number(u64::from(field_type), 1);
                self.out.extend_from_slice(b"\"base64:type");
                self.out.extend_from_slice(text.as_bytes());
                self.out.push(b':');
                self.base64(data);
                self.out.push(b'"');
                return Ok(());
            }
        }
        self.out.push(b'"');
        self.out.extend_from_slice(text.as_bytes());
        self.out.push(b'"');
        Ok(())
    }

    fn base64(&mut self, data: &[u8]) {
        const ALPHABET: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        for (i, chunk) in data.chunks(3).enumerate() {
            if i > 0 && i % BASE64_LINE_GROUPS == 0 {
                self.out.extend_from_slice(b"\\n");
            }
            let mut group = [0; 3];
            group
                .iter_mut()
                .zip(chunk)
                .for_each(|(to, from)| *to = *from);
            let [a, b, c] = group;
            let sextets = [
                a >> 2,
                (a & 3) << 4 | b >> 4,
                (b & 15) << 2 | c >> 6,
                c & 63,
            ];
            for (i, sextet) in sextets.into_iter().enumerate() {
                let digit = ALPHABET.get(usize::from(sextet)).copied().unwrap_or(b'=');
                self.out.push(if i > chunk.len() { b'=' } else { digit });
            }
        }
    }
}

/// Appends a string with its quotes and escapes.
pub(super) fn push_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\r' => out.extend_from_slice(b"\\r"),
            control @ 0..0x20 => {
                let hex = |n: u8| if n < 10 { b'0' + n } else { b'a' + n - 10 };
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[hex(control >> 4), hex(control & 15)]);
            }
            plain => out.push(plain),
        }
    }
    out.push(b'"');
}

fn at(bytes: &[u8], offset: usize) -> Result<&[u8]> {
    bytes
        .get(offset..)
        .ok_or_else(|| Error::corrupt("JSON offset points outside of its container"))
}

fn read_offset(r: &mut Bytes<'_>, layout: Layout) -> Result<usize> {
    Ok(if layout.large {
        r.u32()? as usize
    } else {
        usize::from(r.u16()?)
    })
}

/// A length in groups of seven bits, lowest first; the high bit says that another follows.
fn variable_len(r: &mut Bytes<'_>) -> Result<usize> {
    let mut len = 0_usize;
    for shift in [0, 7, 14, 21, 28] {
        let byte = r.u8()?;
        len |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(len);
        }
    }
    Err(Error::new(
        ErrorKind::Corrupt,
        "JSON length of more than five bytes",
    ))
}

/// MySQL's packed DATETIME: year and month as `year * 13 + month`, then 5 bits day, 5 hour, 6 minute, 6 second, 24
/// microseconds.
fn packed_datetime(packed: i64) -> Result<(Date, Time)> {
    let packed = packed.unsigned_abs();
    let seconds = packed >> 24;
    temporal::from_packed(seconds >> 17, seconds & 0x1_ffff, packed & 0xff_ffff)
}

/// MySQL's packed TIME: hour, 6 bits minute, 6 second, 24 microseconds.
fn packed_time(packed: i64) -> Result<Time> {
    let magnitude = packed.unsigned_abs();
    temporal::time_from_packed(packed < 0, magnitude >> 24, magnitude & 0xff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(document: &[u8]) -> Result<String> {
        let mut out = Vec::new();
        push_text(&mut out, document)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn scalars_and_containers() {
        assert_eq!(text(&[]).unwrap(), "null");
        assert_eq!(text(&[LITERAL, 1]).unwrap(), "true");
        assert_eq!(
            text(&[INT64, 0, 0, 0, 0, 0, 0, 0, 0x80]).unwrap(),
            "-9223372036854775808"
        );
        let one = 1.0f64.to_le_bytes();
        assert_eq!(text(&[&[DOUBLE][..], &one].concat()).unwrap(), "1.0");
        assert_eq!(
            text(&[STRING, 4, b'a', b'"', 1, b'\n']).unwrap(),
            r#""a\"\u0001\n""#
        );
        let object = [
            SMALL_OBJECT,
            2,
            0,
            22,
            0,
            18,
            0,
            1,
            0,
            19,
            0,
            1,
            0,
            INT16,
            0xff,
            0xff,
            STRING,
            20,
            0,
            b'a',
            b'b',
            1,
            b'x',
        ];
        assert_eq!(text(&object).unwrap(), r#"{"a": -1, "b": "x"}"#);
        assert_eq!(text(&[SMALL_ARRAY, 0, 0, 4, 0]).unwrap(), "[]");
    }

    #[test]
    fn sql_values_inside() {
        assert_eq!(
            text(&[OPAQUE, wt::NEWDECIMAL, 4, 4, 2, 0x81, 0x05]).unwrap(),
            "1.05"
        );
        assert_eq!(
            text(&[OPAQUE, 252, 2, 0xff, 0xfe]).unwrap(),
            r#""base64:type252://4=""#
        );
    }

    #[test]
    fn overlapping_parts_do_not_explode() {
        // An array whose two elements are both the array itself.
        let mut bomb = vec![
            SMALL_ARRAY,
            2,
            0,
            10,
            0,
            SMALL_ARRAY,
            0,
            0,
            SMALL_ARRAY,
            0,
            0,
        ];
        assert!(text(&bomb).is_err());
        bomb.resize(60_000, 0);
        assert!(text(&bomb).is_err());
    }

    #[test]
    fn torn_documents_are_errors() {
        let whole = [SMALL_OBJECT, 1, 0, 12, 0, 11, 0, 1, 0, INT16, 1, 0, b'a'];
        assert_eq!(text(&whole).unwrap(), r#"{"a": 1}"#);
        for end in 1..whole.len() {
            assert!(text(&whole[..end]).is_err(), "{end}");
        }
    }
}
