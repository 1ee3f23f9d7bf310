//! The name of an XA transaction: a format id and two short byte strings.

use std::fmt;
use std::str::FromStr;

use super::bytes::Bytes;
use crate::error::{Error, Result};

/// Bytes of a global transaction id, and of a branch qualifier, at most (X/Open XA, `MAXGTRIDSIZE` and `MAXBQUALSIZE`).
pub const PART_BYTES_MAX: usize = 64;

/// An XA id. Two are the same transaction when all three parts are the same bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct XaId {
    /// Format id; 1 where nobody gave one.
    pub format_id: u32,
    /// Global transaction id.
    pub global: Vec<u8>,
    /// Branch qualifier.
    pub branch: Vec<u8>,
}

impl XaId {
    /// An id from its parts.
    ///
    /// # Errors
    /// `Corrupt` when a part is longer than an XA id may have.
    pub fn new(format_id: u32, global: Vec<u8>, branch: Vec<u8>) -> Result<Self> {
        if global.len() > PART_BYTES_MAX || branch.len() > PART_BYTES_MAX {
            return Err(too_long(global.len(), branch.len()));
        }
        Ok(Self {
            format_id,
            global,
            branch,
        })
    }

    /// Reads the two strings when format id and lengths are known.
    ///
    /// # Errors
    /// `Corrupt` when they are too long, or are not there.
    pub fn read(
        r: &mut Bytes<'_>,
        format_id: u32,
        global_len: usize,
        branch_len: usize,
    ) -> Result<Self> {
        if global_len > PART_BYTES_MAX || branch_len > PART_BYTES_MAX {
            return Err(too_long(global_len, branch_len));
        }
        Self::new(
            format_id,
            r.take(global_len)?.to_vec(),
            r.take(branch_len)?.to_vec(),
        )
    }

    /// For people: `'transfer-7','',1` where the bytes are plain text, else as [`fmt::Display`] has it. Both can be
    /// given to `XA COMMIT`.
    pub fn readable(&self) -> String {
        let is_plain = |part: &[u8]| {
            part.iter()
                .all(|b| (b.is_ascii_graphic() || *b == b' ') && !matches!(b, b'\'' | b'\\'))
        };
        if !is_plain(&self.global) || !is_plain(&self.branch) {
            return self.to_string();
        }
        format!(
            "'{}','{}',{}",
            String::from_utf8_lossy(&self.global),
            String::from_utf8_lossy(&self.branch),
            self.format_id
        )
    }
}

fn too_long(global: usize, branch: usize) -> Error {
    Error::corrupt(format!("an XA id of {global} and {branch} bytes"))
}

impl fmt::Display for XaId {
    /// As both servers write it into the binlog: `X'616263',X'64',7`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in [&self.global, &self.branch] {
            f.write_str("X'")?;
            part.iter().try_for_each(|b| write!(f, "{b:02x}"))?;
            f.write_str("',")?;
        }
        write!(f, "{}", self.format_id)
    }
}

impl FromStr for XaId {
    type Err = Error;

    /// Reads what [`fmt::Display`] writes.
    fn from_str(text: &str) -> Result<Self> {
        let bad = || Error::corrupt(format!("`{text}` is no XA id"));
        let part = |text: &str| {
            let digits = text.strip_prefix("X'").and_then(|t| t.strip_suffix('\''));
            digits.and_then(hex_bytes).ok_or_else(bad)
        };
        let mut parts = text.split(',');
        let (Some(global), Some(branch), Some(format_id), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(bad());
        };
        let format_id = format_id.parse().map_err(|_| bad())?;
        Self::new(format_id, part(global)?, part(branch)?)
    }
}

/// The bytes that pairs of hexadecimal digits spell; `None` for anything else.
pub fn hex_bytes(digits: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs
        .iter()
        .map(|[high, low]| {
            let digit = |b: &u8| {
                char::from(*b)
                    .to_digit(16)
                    .and_then(|d| u8::try_from(d).ok())
            };
            Some(digit(high)? << 4 | digit(low)?)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_print_as_the_binlog_names_them_and_read_back() {
        for (id, text, readable) in [
            (
                XaId::new(7, b"abc".into(), b"d".into()).unwrap(),
                "X'616263',X'64',7",
                "'abc','d',7",
            ),
            (
                XaId::new(u32::MAX, b"r'1".into(), Vec::new()).unwrap(),
                "X'722731',X'',4294967295",
                "X'722731',X'',4294967295",
            ),
            (
                XaId::new(1, vec![0, 255], vec![9]).unwrap(),
                "X'00ff',X'09',1",
                "X'00ff',X'09',1",
            ),
        ] {
            assert_eq!(id.to_string(), text);
            assert_eq!(text.parse::<XaId>().unwrap(), id);
            assert_eq!(id.readable(), readable);
        }
        for bad in [
            "",
            "X'6',X'',1",
            "X'6g',X'',1",
            "X'61',X''",
            "X'61',X'',x",
            "X'61',X'',1,2",
        ] {
            assert!(bad.parse::<XaId>().is_err(), "{bad}");
        }
        assert!(XaId::new(1, vec![0; 65], Vec::new()).is_err());
    }
}
