//! Files and directories of ours: private, held by one process, replaced whole.
//!
//! Directories are made with mode 0700 and files with 0600: they hold the source's data.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};

const LOCK_FILE: &str = "relaylite.lock";

/// The file that [`check_room`] stores and removes.
const ROOM_FILE: &str = "relaylite.room";

/// Makes `path` and its parents, readable by the owner only. Their names are durable: a power loss must not take what is durable in
/// them.
pub fn private_directory(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let path = std::path::absolute(path)?;
    let missing = path.ancestors().take_while(|path| !path.exists());
    let missing: Vec<_> = missing.collect();
    make_directory(&path)?;
    missing.iter().rev().try_for_each(|made| sync_parent(made))
}

fn make_directory(path: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| {
            Error::new(
                ErrorKind::Io,
                format!("cannot make the directory {}", path.display()),
            )
            .with_source(error)
        })
}

/// Opens a file for writing, readable by the owner only; with `truncate` it starts empty.
pub fn private_file(path: &Path, truncate: bool) -> Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(truncate)
        .mode(0o600)
        .open(path)
        .map_err(|error| {
            let full = error.kind() == std::io::ErrorKind::StorageFull;
            let kind = if full {
                ErrorKind::DiskFull
            } else {
                ErrorKind::Io
            };
            Error::new(kind, format!("cannot write {}", path.display())).with_source(error)
        })
}

/// An exclusive hold on a directory, ended when dropped (or when the process dies).
#[derive(Debug)]
pub struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Takes the directory, making it if it is not there.
    ///
    /// # Errors
    /// `Locked` when another process has it.
    pub fn take(directory: &Path) -> Result<Self> {
        private_directory(directory)?;
        let path = directory.join(LOCK_FILE);
        let file = private_file(&path, false)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(Error::new(
                ErrorKind::Locked,
                format!(
                    "{} is used by another relaylite process; stop it first, or give this one a directory of its own",
                    directory.display()
                ),
            )),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }
}

/// Replaces a small file so that after a crash it holds either the old or the new bytes, whole.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let temporary = PathBuf::from(temporary);
    let mut file = private_file(&temporary, true)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    sync_parent(path)
}

/// Whether `bytes` more can be stored in a directory, found out by storing them: quotas and reserved blocks count, too.
///
/// # Errors
/// `DiskFull` when they cannot.
pub fn check_room(directory: &Path, bytes: usize) -> Result<()> {
    let path = directory.join(ROOM_FILE);
    // A pattern: zeros may be stored without taking any room.
    let pattern: Vec<u8> = (0..bytes)
        .map(|at| u8::try_from(at % 251).unwrap_or_default())
        .collect();
    let mut file = private_file(&path, true)?;
    let stored = file.write_all(&pattern).and_then(|()| file.sync_all());
    fs::remove_file(&path)?;
    Ok(stored?)
}

/// Makes a new, renamed or removed name in the parent directory durable.
pub fn sync_parent(path: &Path) -> Result<()> {
    let parent = path.parent().ok_or_else(|| {
        Error::new(
            ErrorKind::Internal,
            format!("{} has no parent directory", path.display()),
        )
    })?;
    File::open(parent)?.sync_all()?;
    Ok(())
}
