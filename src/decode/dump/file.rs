//! Events of a file, one after the other, by their own sizes.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use crate::binlog::frame::{Frame, next_frame};
use crate::binlog::header::{HEADER_LEN, Header};
use crate::binlog::position::{FIRST_EVENT_OFFSET, MAGIC};
use crate::error::{Error, ErrorKind, Result};

/// How a file encrypted by MySQL 8 begins.
const ENCRYPTED_MAGIC: [u8; 4] = [0xfd, b'b', b'i', b'n'];
/// Bytes read from the file at once.
const READ_BYTES: usize = 256 * 1024;

/// An open binlog or relay file.
pub(super) struct EventFile {
    reader: BufReader<File>,
    name: Arc<str>,
    offset: u64,
    event: Vec<u8>,
}

impl EventFile {
    /// Opens a file and checks its first bytes.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let name: Arc<str> = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into();
        let at_start = |e: Error| e.at_pos(Arc::clone(&name), 0);
        let file = File::open(path).map_err(|e| {
            Error::new(ErrorKind::Io, format!("cannot open {}", path.display())).with_source(e)
        })?;
        let mut reader = BufReader::with_capacity(READ_BYTES, file);
        let mut magic = Vec::with_capacity(MAGIC.len());
        let read = reader
            .by_ref()
            .take(FIRST_EVENT_OFFSET)
            .read_to_end(&mut magic);
        read.map_err(|e| at_start(e.into()))?;
        if magic == ENCRYPTED_MAGIC {
            return Err(at_start(Error::new(
                ErrorKind::Unsupported,
                "the file is encrypted; only the server that wrote it can read it",
            )));
        }
        if magic != MAGIC {
            return Err(at_start(Error::corrupt(
                "the file is no binlog: it does not begin with one's magic bytes",
            )));
        }
        Ok(Self {
            reader,
            name,
            offset: FIRST_EVENT_OFFSET,
            event: Vec::new(),
        })
    }

    /// The file's name without its directory.
    pub(super) fn name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    /// Where the next event begins.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The next whole event; `None` at the end of the file.
    pub(super) fn next(&mut self) -> Result<Option<(Header, &[u8])>> {
        self.event.clear();
        self.read_up_to(HEADER_LEN)?;
        if self.event.is_empty() {
            return Ok(None);
        }
        if let Frame::Incomplete(size) = next_frame(&self.event)? {
            self.read_up_to(size)?;
        }
        match next_frame(&self.event)? {
            Frame::Event(header, event) => {
                self.offset += u64::from(header.event_size);
                Ok(Some((header, event)))
            }
            Frame::Incomplete(size) => Err(Error::corrupt(format!(
                "the file ends within an event: {} of {size} bytes are there",
                self.event.len()
            ))),
        }
    }

    /// Reads until the buffer has `size` bytes or the file ends. It grows with what is really there.
    fn read_up_to(&mut self, size: usize) -> Result<()> {
        let missing = size.saturating_sub(self.event.len()) as u64;
        self.reader
            .by_ref()
            .take(missing)
            .read_to_end(&mut self.event)?;
        Ok(())
    }
}
