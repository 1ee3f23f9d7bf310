//! A position in the source's binlog: file name and byte offset.
//!
//! Offsets are u64 counted by us; the header's u32 `log_pos` wraps at 4 GiB and is never used to order events
//! (bugs.mysql.com 112189).

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};

/// The first event's offset in every binlog file: after the four magic bytes.
pub const FIRST_EVENT_OFFSET: u64 = 4;

/// The magic bytes every binlog file starts with (MySQL `sql/binlog_ostream.h`, `BINLOG_MAGIC`).
pub const MAGIC: [u8; 4] = [0xfe, b'b', b'i', b'n'];

/// File name and offset, as `SHOW BINARY LOG STATUS` prints them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Position {
    /// The source's binlog file name, without a directory.
    pub file: Arc<str>,
    /// Offset in bytes; at least [`FIRST_EVENT_OFFSET`].
    pub offset: u64,
}

impl Position {
    /// A position from its parts.
    pub fn new(file: impl Into<Arc<str>>, offset: u64) -> Self {
        Self {
            file: file.into(),
            offset,
        }
    }

    /// Order within one history: by file number, then offset. `None` when the base names differ, because then
    /// the files are of different histories. Numbers are compared as integers: 999999 is followed by 1000000.
    pub fn order(&self, other: &Self) -> Option<Ordering> {
        if self.file == other.file {
            return Some(self.offset.cmp(&other.offset));
        }
        let (base, number) = split_file_name(&self.file)?;
        let (other_base, other_number) = split_file_name(&other.file)?;
        (base == other_base).then(|| {
            number
                .cmp(&other_number)
                .then(self.offset.cmp(&other.offset))
        })
    }
}

/// A binlog file's base name and number: `binlog.000012` is (`binlog`, 12). `None` when it has no number.
pub fn split_file_name(name: &str) -> Option<(&str, u64)> {
    let (base, number) = name.rsplit_once('.')?;
    let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    (digits && !base.is_empty()).then(|| number.parse().ok().map(|n| (base, n)))?
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.offset)
    }
}

impl FromStr for Position {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = || {
            Error::new(
                ErrorKind::Config,
                format!("`{text}` is not a position; write FILE:POS, such as binlog.000012:4"),
            )
        };
        let (file, offset) = text.rsplit_once(':').ok_or_else(bad)?;
        let offset: u64 = offset.parse().map_err(|_| bad())?;
        if split_file_name(file).is_none() || file.contains(['/', '\\', '\0']) {
            return Err(bad());
        }
        Ok(Self::new(file, offset.max(FIRST_EVENT_OFFSET)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_numbers_compare_as_integers() {
        let old = Position::new("binlog.999999", 900);
        let new = Position::new("binlog.1000000", 4);
        assert_eq!(old.order(&new), Some(Ordering::Less));
        assert_eq!(old.order(&Position::new("other.999999", 900)), None);
    }

    #[test]
    fn positions_parse_as_they_print() {
        let position: Position = "my.bin.000012:4294967300".parse().unwrap();
        assert_eq!(position.to_string(), "my.bin.000012:4294967300");
        for bad in [
            "",
            "binlog",
            "binlog.000001",
            "binlog.000001:x",
            "../a.000001:4",
            "x:4",
        ] {
            assert!(bad.parse::<Position>().is_err(), "{bad}");
        }
    }
}
