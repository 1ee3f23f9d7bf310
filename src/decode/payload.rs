//! TRANSACTION_PAYLOAD: a whole transaction in one event, compressed (MySQL 8.0.20, `binlog_transaction_compression`).
//!
//! The payload is inflated as a stream: memory is the decompressor's window and the largest event in it, never the
//! transaction. Inner events carry no checksum and no usable position; the payload event is the unit of position.

use std::io::{ErrorKind as IoErrorKind, Read};

use crate::binlog::bytes::Bytes;
use crate::binlog::header::{HEADER_LEN, Header};
use crate::binlog::kind;
use crate::config::limits::EVENT_BYTES_MAX;
use crate::error::{Error, ErrorKind, Result};

const FIELD_END: u64 = 0;
const FIELD_PAYLOAD_SIZE: u64 = 1;
const FIELD_COMPRESSION: u64 = 2;
const FIELD_UNCOMPRESSED_SIZE: u64 = 3;

/// Largest window that a payload may ask for, as a power of two: 128 MiB is zstd's own limit without long mode.
const WINDOW_LOG_MAX: u32 = 27;
/// A buffer that one large event made is given back above this size.
const BUFFER_BYTES_KEPT: usize = 1 << 20;

/// How the payload is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// ZSTD.
    Zstd,
    /// Not at all.
    None,
}

/// A TRANSACTION_PAYLOAD event, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payload<'a> {
    /// How it is compressed.
    pub compression: Compression,
    /// Size of the events within, where the event says so.
    pub uncompressed_size: Option<u64>,
    bytes: &'a [u8],
}

impl<'a> Payload<'a> {
    /// Parses an event's body (no header, no checksum).
    ///
    /// # Errors
    /// `Corrupt` when its fields do not fit, `Unsupported` for an unknown compression.
    pub fn parse(body: &'a [u8]) -> Result<Self> {
        let mut r = Bytes::new(body);
        let (mut size, mut compression, mut uncompressed_size) = (None, None, None);
        loop {
            let field = r.lenenc()?;
            if field == FIELD_END {
                break;
            }
            let mut value = Bytes::new(r.lenenc_bytes()?);
            match field {
                FIELD_PAYLOAD_SIZE => size = Some(value.lenenc_len()?),
                FIELD_COMPRESSION => compression = Some(value.lenenc()?),
                FIELD_UNCOMPRESSED_SIZE => uncompressed_size = Some(value.lenenc()?),
                _ => {} // fields of later versions can be passed over
            }
        }
        let compression = match compression {
            Some(0) => Compression::Zstd,
            Some(255) => Compression::None,
            other => {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    format!("transaction payload compression {other:?} is not known"),
                ));
            }
        };
        let bytes = r.take(size.unwrap_or(r.len()))?;
        Ok(Self {
            compression,
            uncompressed_size,
            bytes,
        })
    }

    /// A reader of the events within.
    ///
    /// # Errors
    /// `Internal` when the decompressor cannot be set up.
    pub fn reader(&self) -> Result<PayloadReader<'a>> {
        let input = match self.compression {
            Compression::None => Input::Plain(self.bytes),
            Compression::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(self.bytes)
                    .map_err(|e| broken(e, ErrorKind::Internal))?;
                decoder
                    .window_log_max(WINDOW_LOG_MAX)
                    .map_err(|e| broken(e, ErrorKind::Internal))?;
                Input::Zstd(Box::new(decoder))
            }
        };
        Ok(PayloadReader {
            input,
            claimed: self.uncompressed_size,
            read: 0,
            event: Vec::new(),
        })
    }
}

fn broken(error: std::io::Error, kind: ErrorKind) -> Error {
    Error::new(kind, "a transaction payload cannot be decompressed").with_source(error)
}

enum Input<'a> {
    Plain(&'a [u8]),
    Zstd(Box<zstd::stream::read::Decoder<'static, &'a [u8]>>),
}

impl Read for Input<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(bytes) => bytes.read(out),
            Self::Zstd(decoder) => decoder.read(out),
        }
    }
}

/// Yields the events of a payload one after the other.
pub struct PayloadReader<'a> {
    input: Input<'a>,
    claimed: Option<u64>,
    read: u64,
    event: Vec<u8>,
}

impl PayloadReader<'_> {
    /// The next event: header and body (there is no checksum); `None` behind the last one.
    ///
    /// # Errors
    /// `Corrupt` when the payload does not decompress, or to other than whole events of the size it claims.
    pub fn next_event(&mut self) -> Result<Option<(Header, &[u8])>> {
        if self.event.capacity() > BUFFER_BYTES_KEPT {
            self.event = Vec::new();
        }
        self.event.clear();
        self.fill(HEADER_LEN)?;
        if self.event.is_empty() {
            return match self.claimed {
                Some(claimed) if claimed != self.read => Err(Error::corrupt(format!(
                    "a transaction payload claims {claimed} bytes and holds {}",
                    self.read
                ))),
                _ => Ok(None),
            };
        }
        let header = Header::parse(&self.event)?;
        if u64::from(header.event_size) > EVENT_BYTES_MAX {
            return Err(Error::corrupt(format!(
                "a {} event in a transaction payload claims {} bytes",
                kind::name(header.kind),
                header.event_size
            )));
        }
        let size = header.event_size as usize;
        self.fill(size)?;
        if self.event.len() < size {
            return Err(Error::corrupt("a transaction payload ends within an event"));
        }
        Ok(Some((
            header,
            self.event.get(HEADER_LEN..).unwrap_or_default(),
        )))
    }

    /// Reads until the event's buffer has `size` bytes or the payload ends. The buffer grows with what comes, so that
    /// a false size costs no memory.
    fn fill(&mut self, size: usize) -> Result<()> {
        const STEP_BYTES: usize = 256 * 1024;
        while self.event.len() < size {
            let have = self.event.len();
            self.event.resize(size.min(have + STEP_BYTES), 0);
            let got = match self
                .input
                .read(self.event.get_mut(have..).unwrap_or_default())
            {
                Ok(got) => got,
                Err(e) if e.kind() == IoErrorKind::Interrupted => 0,
                Err(e) => return Err(broken(e, ErrorKind::Corrupt)),
            };
            self.event.truncate(have + got);
            self.read += got as u64;
            if self.claimed.is_some_and(|claimed| self.read > claimed) {
                return Err(Error::corrupt(
                    "a transaction payload holds more than it claims",
                ));
            }
            if got == 0 {
                break;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binlog::checksum::Checksum;
    use crate::binlog::frame::filler;

    fn body(compression: u8, uncompressed_size: usize, payload: &[u8]) -> Vec<u8> {
        let size = u8::try_from(payload.len()).unwrap();
        let claimed = u16::try_from(uncompressed_size).unwrap().to_le_bytes();
        let compression: &[u8] = if compression == 255 {
            &[2, 3, 0xfc, 255, 0]
        } else {
            &[2, 1, 0]
        };
        [
            compression,
            &[3, 3, 0xfc, claimed[0], claimed[1], 9, 1, 77, 1, 1, size, 0],
            payload,
        ]
        .concat()
    }

    fn events(body: &[u8]) -> Result<Vec<u32>> {
        let mut reader = Payload::parse(body)?.reader()?;
        let mut sizes = Vec::new();
        while let Some((header, body)) = reader.next_event()? {
            assert_eq!(body.len(), header.event_size as usize - HEADER_LEN);
            sizes.push(header.event_size);
        }
        Ok(sizes)
    }

    #[test]
    fn events_come_out_of_both_kinds_of_payload() {
        let inner: Vec<u8> = [40, 19, 90]
            .iter()
            .flat_map(|size| filler(*size, 1, 0, Checksum::Off).unwrap())
            .collect();
        assert_eq!(
            events(&body(255, inner.len(), &inner)).unwrap(),
            [40, 19, 90]
        );
        let packed = zstd::encode_all(&inner[..], 3).unwrap();
        assert_eq!(
            events(&body(0, inner.len(), &packed)).unwrap(),
            [40, 19, 90]
        );
        assert!(events(&body(0, inner.len() - 1, &packed)).is_err());
        assert!(events(&body(0, inner.len() + 1, &packed)).is_err());
        assert!(events(&body(0, inner.len(), &packed[..packed.len() - 6])).is_err());
        assert!(events(&body(255, inner.len() - 1, &inner[..inner.len() - 1])).is_err());
    }
}
