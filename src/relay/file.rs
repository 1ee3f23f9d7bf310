//! One relay file open for appending: knows where the last whole event ends, so that a torn one can be cut away.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use crate::binlog::position::{FIRST_EVENT_OFFSET, MAGIC, Position};
use crate::disk::{private_file, sync_parent};
use crate::error::Result;

/// A relay file being written. Bytes are gathered in memory until [`flush`](Self::flush).
#[derive(Debug)]
pub struct RelayFile {
    file: Arc<File>,
    name: Arc<str>,
    /// Bytes gathered, not yet written; they belong at `flushed`.
    pending: Vec<u8>,
    /// Bytes in the file, whole or part of an event.
    flushed: u64,
    /// End of the last whole event, flushed or pending.
    whole: u64,
}

impl RelayFile {
    /// Makes a new file that holds just the magic bytes. A left-over of the same name is emptied: what the index does
    /// not name was never published.
    pub fn create(directory: &Path, name: &Arc<str>) -> Result<Self> {
        let path = directory.join(name.as_ref());
        let mut file = private_file(&path, true)?;
        file.write_all(&MAGIC)?;
        sync_parent(&path)?;
        Ok(Self {
            file: Arc::new(file),
            name: name.clone(),
            pending: Vec::new(),
            flushed: FIRST_EVENT_OFFSET,
            whole: FIRST_EVENT_OFFSET,
        })
    }

    /// Opens the newest file to go on after its last whole event at `end`; what stands behind it is cut away.
    pub fn reopen(directory: &Path, end: &Position) -> Result<Self> {
        let file = private_file(&directory.join(end.file.as_ref()), false)?;
        let mut this = Self {
            file: Arc::new(file),
            name: end.file.clone(),
            pending: Vec::new(),
            flushed: end.offset,
            whole: end.offset,
        };
        this.cut_torn()?;
        Ok(this)
    }

    /// The source's name of the file.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The open file, for fsync.
    pub fn handle(&self) -> &Arc<File> {
        &self.file
    }

    /// Offset of the next byte.
    pub fn offset(&self) -> u64 {
        self.flushed + self.pending.len() as u64
    }

    /// End of the last whole event.
    pub fn whole_end(&self) -> Position {
        Position {
            file: self.name.clone(),
            offset: self.whole,
        }
    }

    /// Adds bytes of an event; written at the next flush.
    pub fn append(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// Says that the bytes so far end with a whole event.
    pub fn event_complete(&mut self) {
        self.whole = self.offset();
    }

    /// Writes what was gathered (to the page cache; durability is the syncer's).
    pub fn flush(&mut self) -> Result<()> {
        // At its own place: a write that failed half-way has moved nothing.
        self.file.write_all_at(&self.pending, self.flushed)?;
        self.flushed += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }

    /// Covers the bytes up to `end` as a hole: the file grows, nothing is stored. Only for the zeros inside a filler.
    pub fn skip_zeros(&mut self, count: u64) -> Result<()> {
        self.flush()?;
        self.flushed += count;
        self.file.set_len(self.flushed)?;
        Ok(())
    }

    /// Cuts everything after the last whole event, in memory and on disk.
    pub fn cut_torn(&mut self) -> Result<()> {
        match self.whole.checked_sub(self.flushed) {
            Some(whole) => {
                self.pending
                    .truncate(usize::try_from(whole).unwrap_or(usize::MAX));
                self.flush()?;
            }
            None => {
                self.pending.clear();
                self.flushed = self.whole;
            }
        }
        self.file.set_len(self.whole)?;
        Ok(())
    }
}
