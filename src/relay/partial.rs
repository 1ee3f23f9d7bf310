//! An event larger than a batch, whose pieces are written as they come: its length and checksum are known at its end.

use crate::binlog::checksum::Checksum;
use crate::binlog::header::Header;
use crate::error::{Error, Result};

/// An event larger than a batch, arriving in pieces.
#[derive(Debug)]
pub(super) struct Partial {
    header: Header,
    crc: crc32fast::Hasher,
    /// The last bytes seen, at most four: they may be the checksum.
    tail: Vec<u8>,
    received: u64,
}

impl Partial {
    /// An event of which nothing has come but its header.
    pub(super) fn new(header: Header) -> Self {
        Self {
            header,
            crc: crc32fast::Hasher::new(),
            tail: Vec::with_capacity(2 * Checksum::Crc32.len()),
            received: 0,
        }
    }

    /// Its header.
    pub(super) fn header(&self) -> &Header {
        &self.header
    }

    /// Feeds the checksum with all but the last bytes, which may be the checksum itself.
    pub(super) fn take(&mut self, bytes: &[u8], checksum: Checksum) {
        self.received += bytes.len() as u64;
        self.tail.extend_from_slice(bytes);
        let body = self.tail.len().saturating_sub(checksum.len());
        if let Some((head, _)) = self.tail.split_at_checked(body) {
            self.crc.update(head);
            self.tail.drain(..body);
        }
    }

    pub(super) fn finish(&mut self, checksum: Checksum) -> Result<()> {
        if self.received != u64::from(self.header.event_size) {
            return Err(Error::corrupt(format!(
                "an event of {} bytes claims {} bytes",
                self.received, self.header.event_size
            )));
        }
        if checksum == Checksum::Crc32 {
            let stored = self
                .tail
                .first_chunk::<4>()
                .map(|bytes| u32::from_le_bytes(*bytes));
            if stored != Some(self.crc.clone().finalize()) {
                return Err(Error::corrupt("an event's CRC32 is wrong"));
            }
        }
        Ok(())
    }
}
