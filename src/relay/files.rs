//! The files of one source's relay directory while a process holds it: the index on disk, and the room they take.
//!
//! # Invariants
//! - Everything that changes the index on disk goes through here: the writer adds at the tail, the purger takes from the
//!   head, each under the one lock.
//! - The room is what the files take on the disk: the holes of fillers cost nothing.
//!
//! # Threading
//! Shared by the writer, the purger and `status`.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::end::RelayEnd;
use super::index::{Index, order};
use crate::binlog::position::Position;
use crate::config::limits::{RELAY_ROOM_PATIENCE, RELAY_WAIT, ROOM_PROBE_BYTES};
use crate::disk::check_room;
use crate::error::{ErrorKind, Result};
use crate::failpoints;

/// What `st_blocks` counts in, whatever the file system's own block size (POSIX leaves it open, Linux does not).
const STAT_BLOCK_BYTES: u64 = 512;

#[derive(Debug)]
struct State {
    index: Arc<Index>,
    bytes: HashMap<Arc<str>, u64>,
    total: u64,
    waiting: bool,
    /// The oldest file that was needed (none, too) when waiting had no use.
    given_up: Option<Option<Arc<str>>>,
    disk_full: bool,
    closing: bool,
}

/// The room that the relay log takes, for `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RelayRoom {
    /// Bytes of all files on the disk.
    pub bytes: u64,
    /// Whether the I/O side waits until the applier side has made room.
    pub waiting: bool,
    /// Whether the disk was full when it was last written to.
    pub disk_full: bool,
}

/// The files of one source.
#[derive(Debug)]
pub struct RelayFiles {
    directory: PathBuf,
    /// `relay_log_space_limit`; `None` for no limit.
    space_limit: Option<u64>,
    state: Mutex<State>,
}

impl RelayFiles {
    /// The files that a recovered directory holds.
    pub fn open(directory: &Path, index: Arc<Index>, space_limit: Option<u64>) -> Result<Self> {
        let mut bytes = HashMap::new();
        for name in index.names() {
            let metadata = fs::metadata(directory.join(name.as_ref()))?;
            bytes.insert(name.clone(), occupied(&metadata));
        }
        let state = State {
            index,
            total: bytes.values().sum(),
            bytes,
            waiting: false,
            given_up: None,
            disk_full: false,
            closing: false,
        };
        Ok(Self {
            directory: directory.to_owned(),
            space_limit,
            state: Mutex::new(state),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where they are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Their names.
    pub fn index(&self) -> Arc<Index> {
        self.lock().index.clone()
    }

    /// What they take, and what keeps the I/O side.
    pub fn room(&self) -> RelayRoom {
        let state = self.lock();
        RelayRoom {
            bytes: state.total,
            waiting: state.waiting,
            disk_full: state.disk_full,
        }
    }

    /// Bytes of one file on the disk.
    pub fn bytes_of(&self, name: &str) -> u64 {
        self.lock().bytes.get(name).copied().unwrap_or_default()
    }

    /// Adds the file that the writer has just made.
    pub fn add(&self, name: &str) -> Result<Arc<Index>> {
        let mut state = self.lock();
        Arc::make_mut(&mut state.index).append(&self.directory, name)?;
        Ok(state.index.clone())
    }

    /// Takes away what a connection made behind the durable end and could not finish: a file whose first events were never
    /// handed over, because one behind them was damaged. It is sent again.
    pub fn drop_behind(&self, end: Option<&Position>) -> Result<()> {
        let mut state = self.lock();
        let mut index = Index::clone(&state.index);
        let mut gone = Vec::new();
        while let Some(name) = index.last().cloned()
            && end.is_none_or(|end| order(&end.file, &name) == Some(Ordering::Less))
        {
            index.drop_last();
            gone.push(name);
        }
        if gone.is_empty() {
            return Ok(());
        }
        index.store(&self.directory)?;
        for name in &gone {
            let bytes = state.bytes.remove(name).unwrap_or_default();
            state.total = state.total.saturating_sub(bytes);
            super::recover::remove(&self.directory, name)?;
        }
        state.index = Arc::new(index);
        Ok(())
    }

    /// The newest file has grown.
    pub fn set_size(&self, name: &Arc<str>, metadata: &Metadata) {
        let now = occupied(metadata);
        let mut state = self.lock();
        let before = state.bytes.insert(name.clone(), now).unwrap_or_default();
        state.total = state.total.saturating_sub(before).saturating_add(now);
    }

    /// Takes the `count` oldest files out of the index, then away.
    ///
    /// On a full disk there is no room for a new index: the files go first there. A name at the head whose file is not
    /// there counts as purged, so a crash in between is harmless either way.
    pub fn purge_oldest(&self, count: usize) -> Result<Vec<Arc<str>>> {
        let mut state = self.lock();
        let names = state.index.names();
        let gone: Vec<_> = names.iter().take(count).cloned().collect();
        let rest = state.index.without_oldest(count);
        failpoints::hit(failpoints::PURGE_BEFORE_INDEX);
        let full_disk = match rest.store(&self.directory) {
            Ok(()) => false,
            Err(error) if error.kind() == ErrorKind::DiskFull => true,
            Err(error) => return Err(error),
        };
        for name in &gone {
            let bytes = state.bytes.remove(name).unwrap_or_default();
            state.total = state.total.saturating_sub(bytes);
        }
        state.index = Arc::new(rest);
        if full_disk {
            self.remove_all(&gone)?;
            state.index.store(&self.directory)?;
        } else {
            // The writer need not wait: removing a large file takes its time.
            drop(state);
            self.remove_all(&gone)?;
        }
        Ok(gone)
    }

    fn remove_all(&self, names: &[Arc<str>]) -> Result<()> {
        failpoints::hit(failpoints::PURGE_BEFORE_REMOVE);
        names.iter().try_for_each(|name| {
            super::recover::remove(&self.directory, name)?;
            failpoints::hit(failpoints::PURGE_REMOVED);
            Ok(())
        })
    }

    /// Whether they take more than they may.
    pub fn is_over_limit(&self) -> bool {
        self.space_limit.is_some() && self.is_over_limit_at(self.room().bytes)
    }

    /// Whether so many bytes are more than they may take.
    pub fn is_over_limit_at(&self, bytes: u64) -> bool {
        self.space_limit.is_some_and(|limit| bytes >= limit)
    }

    /// Waits until there is room, or nothing can make any: the applier side has read everything and needs more first (one
    /// transaction, or one file of the source, that is larger than the limit; an XA transaction that is not decided).
    pub fn wait_for_room(&self, end: &RelayEnd) {
        let mut read_to_end: Option<Instant> = None;
        while self.is_over_limit() && !self.is_closing() {
            if end.is_read_to_end() {
                let since = *read_to_end.get_or_insert_with(Instant::now);
                if !self.may_shrink(end, since) {
                    break;
                }
            } else {
                read_to_end = None;
            }
            self.lock().waiting = true;
            end.want_room(true);
            std::thread::sleep(RELAY_WAIT);
        }
        end.want_room(false);
        self.lock().waiting = false;
    }

    /// Whether older files may still go although everything was read `since` then: what was read becomes durable a little
    /// later. Waited for once, until the applier side needs another file as its oldest: an XA transaction that is not decided
    /// keeps that file, however far the others come.
    fn may_shrink(&self, end: &RelayEnd, since: Instant) -> bool {
        let released = end.released().map(|at| at.file);
        let mut state = self.lock();
        if state.index.names().len() < 2 || state.given_up.as_ref() == Some(&released) {
            return false;
        }
        if since.elapsed() < RELAY_ROOM_PATIENCE {
            return true;
        }
        state.given_up = Some(released);
        false
    }

    /// Remembers whether a write found the disk full.
    pub fn note<T>(&self, written: Result<T>) -> Result<T> {
        match &written {
            Ok(_) => self.lock().disk_full = false,
            Err(error) if error.kind() == ErrorKind::DiskFull => self.lock().disk_full = true,
            Err(_) => {}
        }
        written
    }

    /// After a full disk: whether there is room again, before the source is asked for events that have no place.
    ///
    /// # Errors
    /// `DiskFull` while there is none.
    pub fn check_room(&self) -> Result<()> {
        if self.room().disk_full {
            check_room(&self.directory, ROOM_PROBE_BYTES)?;
        }
        Ok(())
    }

    /// Nobody waits any more, now and later.
    pub fn close(&self) {
        self.lock().closing = true;
    }

    /// Whether the end has come.
    pub fn is_closing(&self) -> bool {
        self.lock().closing
    }
}

/// Bytes that a file takes on the disk; file systems that reserve ahead count more than there is.
fn occupied(metadata: &Metadata) -> u64 {
    metadata
        .len()
        .min(metadata.blocks().saturating_mul(STAT_BLOCK_BYTES))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relay::end::Durable;

    fn three_files(directory: &Path, limit: Option<u64>) -> RelayFiles {
        let mut index = Index::default();
        for name in ["b.000001", "b.000002", "b.000003"] {
            index.append(directory, name).unwrap();
            fs::write(directory.join(name), vec![7; 10_000]).unwrap();
        }
        RelayFiles::open(directory, Arc::new(index), limit).unwrap()
    }

    #[test]
    fn purged_files_leave_index_disk_and_count() {
        let dir = tempfile::tempdir().unwrap();
        let files = three_files(dir.path(), None);
        assert_eq!(files.room().bytes, 30_000);
        assert_eq!(files.purge_oldest(2).unwrap().len(), 2);
        assert_eq!(files.room().bytes, 10_000);
        assert_eq!(*files.index(), Index::load(dir.path()).unwrap().unwrap());
        assert_eq!(files.index().names().len(), 1);
        assert!(!dir.path().join("b.000002").exists());
        assert!(dir.path().join("b.000003").exists());
    }

    #[test]
    fn over_the_limit_one_waits_only_while_the_applier_side_has_something_to_read() {
        let dir = tempfile::tempdir().unwrap();
        let files = Arc::new(three_files(dir.path(), Some(15_000)));
        let end = Position::new("b.000003", 10_000);
        let end = Arc::new(RelayEnd::new(Durable {
            end: Some(end.clone()),
            index: files.index(),
        }));
        let (waiting, there) = (files.clone(), end.clone());
        let waiter = std::thread::spawn(move || waiting.wait_for_room(&there));
        while !files.room().waiting {
            std::thread::yield_now();
        }
        files.purge_oldest(2).unwrap();
        waiter.join().unwrap();
        assert!(!files.room().waiting);
        // The applier side waits for a file that comes again: nobody can make room before it is there.
        let files = RelayFiles::open(dir.path(), files.index(), Some(5_000)).unwrap();
        end.wait_beyond(&Position::new("b.000007", 700), RELAY_WAIT);
        files.wait_for_room(&end);
        // Read to the end, and no older file that could go: it returns although the limit is passed.
        let files = RelayFiles::open(dir.path(), files.index(), Some(5_000)).unwrap();
        end.wait_beyond(&Position::new("b.000003", 10_000), RELAY_WAIT);
        files.wait_for_room(&end);
        assert!(files.is_over_limit());
    }
}
