//! Events out of the relay log, in order, up to its durable end.
//!
//! # Invariants
//! - Nothing behind the durable end is read, so nothing is acted on that a crash could take back.
//! - Every event is framed by its own size, counted in u64, and its CRC32 is checked again: the disk is not trusted more
//!   than the network.
//!
//! # Threading
//! One reader per applier, used by one thread. Memory: one read buffer, or one event where that is larger.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::end::{Durable, OpenFile, RelayEnd};
use crate::binlog::checksum::{self, Checksum};
use crate::binlog::format::FormatDescription;
use crate::binlog::frame::{Frame, next_frame};
use crate::binlog::header::{HEADER_LEN, Header};
use crate::binlog::kind;
use crate::binlog::position::{FIRST_EVENT_OFFSET, MAGIC, Position};
use crate::config::limits::RELAY_READ_BYTES;
use crate::error::{Error, ErrorKind, Result};

/// One event with where it stands.
#[derive(Debug, Clone, Copy)]
pub struct RelayEvent<'a> {
    /// Its header.
    pub header: Header,
    /// The file that it stands in, which may be another one than that of the event before.
    pub file: &'a Arc<str>,
    /// Offset of its first byte in the file.
    pub start: u64,
    /// Offset behind its last byte.
    pub end: u64,
    /// All its bytes, checksum included.
    pub bytes: &'a [u8],
    /// Its body: without header and checksum.
    pub body: &'a [u8],
}

/// Reads one source's relay directory.
#[derive(Debug)]
pub struct RelayReader {
    directory: PathBuf,
    end: Arc<RelayEnd>,
    durable: Durable,
    name: Arc<str>,
    claim: OpenFile,
    file: File,
    format: FormatDescription,
    /// File offset of `buffer[consumed]`: the next event.
    offset: u64,
    buffer: Vec<u8>,
    consumed: usize,
}

impl RelayReader {
    /// Opens at `position`, which must be the start of an event.
    ///
    /// # Errors
    /// `Dump` when the file is not in the index (purged, or never fetched); `Corrupt`, `Io`.
    pub fn open(directory: &Path, end: Arc<RelayEnd>, position: &Position) -> Result<Self> {
        let claim = end.open_file(&position.file);
        let durable = end.get();
        if !durable.index.contains(&position.file) {
            return Err(Error::new(
                ErrorKind::Dump,
                format!("{} is not in the relay log", position.file),
            ));
        }
        let (file, format) = open_file(directory, &position.file)?;
        Ok(Self {
            directory: directory.to_owned(),
            end,
            durable,
            name: position.file.clone(),
            claim,
            file,
            format,
            offset: position.offset.max(FIRST_EVENT_OFFSET),
            buffer: Vec::with_capacity(RELAY_READ_BYTES),
            consumed: 0,
        })
    }

    /// A second reader of the same relay log that gives just the events from `start` to `end` in one file, which were
    /// durable when this reader passed them.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn range(&self, start: &Position, end: u64) -> Result<Self> {
        let end = self.end.part(Position {
            file: start.file.clone(),
            offset: end,
        });
        Self::open(&self.directory, Arc::new(end), start)
    }

    /// Position of the next event.
    pub fn position(&self) -> Position {
        Position {
            file: self.name.clone(),
            offset: self.offset,
        }
    }

    /// The format that the current file declares.
    pub fn format(&self) -> &FormatDescription {
        &self.format
    }

    /// Says that no restart will need anything before `position`.
    pub fn release(&self, position: &Position) {
        self.end.release(position);
    }

    /// Whether the I/O side waits until something is released.
    pub fn is_room_wanted(&self) -> bool {
        self.end.is_room_wanted()
    }

    /// Whether less than so many bytes of what is durable are still to be read, as far as files can be compared.
    pub fn is_near_end(&self, bytes: u64) -> bool {
        match self.end.get().end {
            Some(end) => *end.file == *self.name && end.offset.saturating_sub(self.offset) < bytes,
            None => false,
        }
    }

    /// Waits until there may be more to read than [`next_event`](Self::next_event) has given.
    pub fn wait(&mut self, timeout: Duration) {
        self.durable = self.end.wait_beyond(&self.position(), timeout);
    }

    /// The next event, or `None` when everything durable was given; [`wait`](Self::wait) then.
    ///
    /// # Errors
    /// `Corrupt` (located) for bytes that are no event or fail their checksum; `Io`.
    pub fn next_event(&mut self) -> Result<Option<RelayEvent<'_>>> {
        loop {
            let want = match next_frame(self.buffer.get(self.consumed..).unwrap_or_default()) {
                Ok(Frame::Event(header, _)) => return self.give(header).map(Some),
                Ok(Frame::Incomplete(want)) => want,
                Err(error) => return Err(self.locate(error)),
            };
            if !self.fill(want)? && !self.next_file()? {
                return Ok(None);
            }
        }
    }

    fn locate(&self, error: Error) -> Error {
        error.at_pos(self.name.clone(), self.offset)
    }

    fn give(&mut self, header: Header) -> Result<RelayEvent<'_>> {
        let (start, size) = (self.offset, header.event_size as usize);
        let from = self.consumed;
        let located = |error: Error| error.at_pos(self.name.clone(), start);
        let bytes = self.buffer.get(from..from + size).unwrap_or_default();
        if header.kind == kind::FORMAT_DESCRIPTION {
            self.format = parse_format(bytes).map_err(located)?;
        } else {
            checksum::verify(bytes, self.format.checksum).map_err(located)?;
        }
        let body = checksum::body(bytes, self.format.checksum).map_err(located)?;
        self.consumed += size;
        self.offset += size as u64;
        Ok(RelayEvent {
            header,
            file: &self.name,
            start,
            end: start + size as u64,
            bytes,
            body,
        })
    }

    /// How far the current file may be read.
    fn readable_end(&self) -> Option<u64> {
        match &self.durable.end {
            Some(end) if end.file == self.name => Some(end.offset),
            Some(_) => None,
            None => Some(0),
        }
    }

    /// Reads more of the current file so that `want` bytes may be there; false when there is nothing more for now.
    fn fill(&mut self, want: usize) -> Result<bool> {
        self.buffer.drain(..self.consumed);
        self.consumed = 0;
        let held = self.buffer.len();
        if want <= RELAY_READ_BYTES && self.buffer.capacity() > 4 * RELAY_READ_BYTES {
            // One large event must not keep its memory for the rest of the stream.
            self.buffer.shrink_to(RELAY_READ_BYTES);
        }
        let at = self.offset + held as u64;
        let room = want
            .saturating_sub(held)
            .max(RELAY_READ_BYTES.saturating_sub(held));
        let room = match self.readable_end() {
            Some(end) => room.min(usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX)),
            None => room,
        };
        if room == 0 {
            return Ok(false);
        }
        // Grow only by what the file really has: a lying length must not cost memory.
        let step = room.min(RELAY_READ_BYTES.max(held));
        self.buffer.resize(held + step, 0);
        let read = match self.buffer.get_mut(held..) {
            Some(space) => self.file.read_at(space, at)?,
            None => 0,
        };
        self.buffer.truncate(held + read);
        Ok(read > 0)
    }

    /// Goes on in the file after this one, when there is one and this one has been read to its end.
    fn next_file(&mut self) -> Result<bool> {
        if self.readable_end().is_some() {
            return Ok(false);
        }
        if !self.buffer.is_empty() {
            let error = Error::corrupt("the relay file ends within an event");
            return Err(self.locate(error));
        }
        let Some(next) = self.durable.index.after(&self.name).cloned() else {
            return Ok(false);
        };
        self.claim.move_to(&next);
        let (file, format) = open_file(&self.directory, &next)?;
        self.file = file;
        self.format = format;
        self.name = next;
        self.offset = FIRST_EVENT_OFFSET;
        Ok(true)
    }
}

/// Opens a relay file and reads the FORMAT_DESCRIPTION at its head.
pub(super) fn open_file(directory: &Path, name: &Arc<str>) -> Result<(File, FormatDescription)> {
    let path = directory.join(name.as_ref());
    let file = File::open(&path).map_err(|error| {
        Error::new(ErrorKind::Io, format!("cannot read {}", path.display())).with_source(error)
    })?;
    let format =
        read_head(&file).map_err(|error| error.at_pos(name.clone(), FIRST_EVENT_OFFSET))?;
    Ok((file, format))
}

/// The header of a relay file's first event.
pub(super) fn head(directory: &Path, name: &Arc<str>) -> Result<Header> {
    let mut bytes = [0; HEADER_LEN];
    let file = File::open(directory.join(name.as_ref()))?;
    file.read_exact_at(&mut bytes, FIRST_EVENT_OFFSET)?;
    Header::parse(&bytes)
}

/// A FORMAT_DESCRIPTION has its CRC32 whatever the file's other events have, since there are checksums.
fn parse_format(event: &[u8]) -> Result<FormatDescription> {
    checksum::verify(event, Checksum::Crc32)?;
    FormatDescription::parse(event)
}

fn read_head(file: &File) -> Result<FormatDescription> {
    let mut head = vec![0u8; 4096];
    let mut filled = 0;
    while let Some(space) = head.get_mut(filled..).filter(|space| !space.is_empty()) {
        match file.read_at(space, filled as u64)? {
            0 => break,
            read => filled += read,
        }
    }
    head.truncate(filled);
    let events = head
        .strip_prefix(&MAGIC)
        .ok_or_else(|| Error::corrupt("the file does not begin with the binlog magic bytes"))?;
    match next_frame(events)? {
        Frame::Event(_, event) => parse_format(event),
        Frame::Incomplete(_) => Err(Error::corrupt("the file has no whole Format_desc event")),
    }
}
