//! The default target: one ordinary SQLite file per source database, in WAL mode, that other programs read while
//! replication runs.
//!
//! # Durability
//! `synchronous=NORMAL`: a commit survives the process, not a power loss. [`SqliteTarget`] keeps the watermark in a file of
//! its own, moved only behind an fsync of every database's WAL; what a power loss takes is still in the relay log.

mod binder;
mod cascade;
mod catalog;
mod copy;
mod ddl;
mod delete;
mod failure;
pub mod file_name;
mod foreign_keys;
mod generated;
mod key_match;
mod lane;
mod link_sql;
mod quarantine;
mod renamed_keys;
mod row_change;
mod row_finder;
mod spellings;
pub mod store;
mod stored_rows;
mod table;
mod table_copy;
mod table_sql;
mod taken_rows;
mod update;
mod watermark;
mod work;

pub use watermark::load as watermark;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering as AtomicOrdering};

use self::file_name::EXTENSION;
use self::lane::SqliteLane;
use super::quarantine::SetAside;
use super::{Lane, Target};
use crate::checkpoint::{Checkpoint, Watermark};
use crate::config::limits::ROOM_PROBE_BYTES;
use crate::disk::{DirectoryLock, check_room, sync_parent};
use crate::error::{Error, ErrorKind, Result};

/// The directory of SQLite files, held by this process.
#[derive(Debug)]
pub struct SqliteTarget {
    directory: PathBuf,
    /// Whether a file may be one of a dropped database: spares looking into all of them.
    may_have_dropped: Arc<AtomicBool>,
    _lock: DirectoryLock,
}

impl SqliteTarget {
    /// Takes the directory, making it if it is not there.
    ///
    /// # Errors
    /// `Locked` when another process has it.
    pub fn open(directory: &Path) -> Result<Self> {
        let lock = DirectoryLock::take(directory)?;
        let may_have_dropped = Arc::new(AtomicBool::new(false));
        Ok(Self {
            directory: directory.to_owned(),
            may_have_dropped,
            _lock: lock,
        })
    }
}

/// Database files of a target directory that are ours, with what they say; works while a process writes them.
pub fn databases(
    directory: &Path,
) -> Result<Vec<(PathBuf, store::DatabaseRow, Option<Checkpoint>)>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let is_database = path.to_str().is_some_and(|path| path.ends_with(EXTENSION));
        if !is_database || fs::metadata(&path)?.len() == 0 {
            continue;
        }
        let connection = store::open_read_only(&path)?;
        if store::is_ours(&connection)? {
            let row = store::database_row(&connection)?;
            let checkpoint = store::checkpoint(&connection)?;
            found.push((path, row, checkpoint));
        }
    }
    found.sort_by(|a, b| a.1.name.cmp(&b.1.name));
    Ok(found)
}

/// The tables of a database file that are set aside; works while a process writes it.
pub fn marks(path: &Path) -> Result<Vec<SetAside>> {
    quarantine::load(&store::open_read_only(path)?)
}

impl Target for SqliteTarget {
    fn checkpoints(&self) -> Result<Vec<(String, Checkpoint)>> {
        let all = databases(&self.directory)?;
        for (path, ..) in all.iter().filter(|(_, row, _)| row.dropped) {
            self.may_have_dropped.store(true, AtomicOrdering::Release);
            // No lane is opened for it, and the watermark relies on what a killed process did to it.
            store::sync_wal(path)?;
        }
        Ok(all
            .into_iter()
            .filter(|(_, row, _)| !row.dropped)
            .filter_map(|(_, row, checkpoint)| Some((row.name, checkpoint?)))
            .collect())
    }

    fn watermark(&self) -> Result<Option<Watermark>> {
        watermark::load(&self.directory)
    }

    fn set_watermark(&self, watermark: &Watermark) -> Result<()> {
        watermark::store(&self.directory, watermark)
    }

    fn check_room(&self) -> Result<()> {
        check_room(&self.directory, ROOM_PROBE_BYTES)
    }

    fn open_lane(&self, database: &str) -> Result<Box<dyn Lane>> {
        let path = self.directory.join(file_name::file_name(database));
        Ok(Box::new(SqliteLane::open(
            path,
            database,
            self.may_have_dropped.clone(),
        )?))
    }

    fn purge_dropped(&self, watermark: &Checkpoint, is_open: &dyn Fn(&str) -> bool) -> Result<()> {
        if !self.may_have_dropped.swap(false, AtomicOrdering::AcqRel) {
            return Ok(());
        }
        for (path, row, checkpoint) in databases(&self.directory)? {
            if !row.dropped {
                continue;
            }
            let is_past = checkpoint.is_some_and(|at| at.is_behind(watermark));
            if is_past && !is_open(&row.name) {
                remove_database(&path)?;
            } else {
                self.may_have_dropped.store(true, AtomicOrdering::Release);
            }
        }
        Ok(())
    }
}

/// Removes a database file and its companions; the file itself goes last, so that a crash leaves it recognisable. Nobody knows in
/// which order a power loss keeps that: the file says itself that it is dropped, whatever becomes of its WAL.
fn remove_database(path: &Path) -> Result<()> {
    if let Err(error) = store::empty_wal(path) {
        // On a full disk, say; its removal makes room.
        tracing::warn!(path = %path.display(), error = %error.full_text(), "a dropped database keeps its WAL until it is removed");
    }
    let mut shm = path.as_os_str().to_owned();
    shm.push("-shm");
    for name in [store::wal_path(path), shm.into(), path.to_owned()] {
        match fs::remove_file(&name) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                let what = format!("cannot remove {}", name.display());
                return Err(Error::new(ErrorKind::Io, what).with_source(error));
            }
        }
    }
    sync_parent(path)
}
