//! The common event header (MySQL `libbinlogevents/include/binlog_event.h`, "Binary log event header", 19 bytes).

use super::bytes::Bytes;
use crate::error::{Error, Result};

/// Length of the common header since binlog version 4.
pub const HEADER_LEN: usize = 19;

/// `LOG_EVENT_BINLOG_IN_USE_F`: set in a FORMAT_DESCRIPTION while the file is open for writing.
pub const FLAG_IN_USE: u16 = 0x0001;
/// `LOG_EVENT_ARTIFICIAL_F`: made by the dump thread, not in any file.
pub const FLAG_ARTIFICIAL: u16 = 0x0020;
/// `LOG_EVENT_IGNORABLE_F`: a reader that does not know the type may skip it.
pub const FLAG_IGNORABLE: u16 = 0x0080;

/// The header of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Seconds since 1970 on the source, when the statement began; 0 for artificial events.
    pub timestamp: u32,
    /// Type code; see [`super::kind`].
    pub kind: u8,
    /// Server id of the server where the event was born.
    pub server_id: u32,
    /// Whole event in bytes: header, body and checksum.
    pub event_size: u32,
    /// End offset in the source's file modulo 2^32; 0 when it has none. Never used to order events.
    pub log_pos: u32,
    /// `LOG_EVENT_*_F` bits.
    pub flags: u16,
}

impl Header {
    /// Parses the first 19 bytes of `event`.
    ///
    /// # Errors
    /// `Corrupt` when there are fewer bytes, or the size is smaller than a header.
    pub fn parse(event: &[u8]) -> Result<Self> {
        let mut r = Bytes::new(event);
        let header = Self {
            timestamp: r.u32()?,
            kind: r.u8()?,
            server_id: r.u32()?,
            event_size: r.u32()?,
            log_pos: r.u32()?,
            flags: r.u16()?,
        };
        if (header.event_size as usize) < HEADER_LEN {
            return Err(Error::corrupt(format!(
                "event of type {} claims {} bytes, less than its own header",
                header.kind, header.event_size
            )));
        }
        Ok(header)
    }

    /// Whether the event was made by the dump thread and stands in no file.
    pub fn is_artificial(&self) -> bool {
        self.flags & FLAG_ARTIFICIAL != 0
    }
}
