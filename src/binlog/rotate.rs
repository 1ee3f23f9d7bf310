//! ROTATE: the stream goes on in another file.

use super::bytes::Bytes;
use crate::error::{Error, Result};

/// Longest file name that a server writes (`FN_REFLEN`), in bytes.
const FILE_NAME_BYTES_MAX: usize = 512;

/// Where the stream goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotate<'a> {
    /// Offset in the next file.
    pub position: u64,
    /// Name of the next file, without a directory: safe to use as a file name of ours.
    pub file: &'a str,
}

impl<'a> Rotate<'a> {
    /// Parses an event's body (no header, no checksum).
    ///
    /// # Errors
    /// `Corrupt` for a name that is empty, too long, not UTF-8, or could leave the directory it is used in.
    pub fn parse(body: &'a [u8]) -> Result<Self> {
        let mut r = Bytes::new(body);
        let position = r.u64()?;
        let file = std::str::from_utf8(r.rest()).unwrap_or_default();
        let unsafe_name = matches!(file, "" | "." | "..")
            || file.len() > FILE_NAME_BYTES_MAX
            || file.contains(['/', '\\'])
            || file.bytes().any(|b| b.is_ascii_control());
        if unsafe_name {
            return Err(Error::corrupt(format!(
                "Rotate event names a file that cannot be: `{}`",
                r.rest().escape_ascii()
            )));
        }
        Ok(Self { position, file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_leave_the_directory_are_refused() {
        let body = |name: &[u8]| [&4u64.to_le_bytes(), name].concat();
        let good = body(b"binlog.000002");
        assert_eq!(
            Rotate::parse(&good).unwrap(),
            Rotate {
                position: 4,
                file: "binlog.000002"
            }
        );
        for bad in [&b""[..], b"..", b"../x", b"a/b", b"a\0b", b"\xff.000001"] {
            assert!(Rotate::parse(&body(bad)).is_err(), "{}", bad.escape_ascii());
        }
    }
}
