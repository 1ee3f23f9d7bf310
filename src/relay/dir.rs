//! The relay directory: who holds it, and what stands where in it.
//!
//! ```text
//! DIR/relaylite.lock      held while a process runs
//! DIR/replica.uuid        our own uuid, stable over restarts
//! DIR/relaylite.sock      status of the running process
//! DIR/<source id>/        one directory per source: its files under its own names, and relay.index
//! ```
//! All of it is readable by the owner only ([`crate::disk`]).

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::disk::{DirectoryLock, private_directory, write_atomically};
use crate::error::{Error, ErrorKind, Result};

const UUID_FILE: &str = "replica.uuid";

/// The relay directory, held by this process.
#[derive(Debug)]
pub struct RelayDir {
    path: PathBuf,
    replica_uuid: String,
    _lock: DirectoryLock,
}

impl RelayDir {
    /// Takes the directory and reads or makes our uuid.
    pub fn open(path: &Path) -> Result<Self> {
        let lock = DirectoryLock::take(path)?;
        let replica_uuid = load_or_make_uuid(path)?;
        Ok(Self {
            path: path.to_owned(),
            replica_uuid,
            _lock: lock,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Our own uuid.
    pub fn replica_uuid(&self) -> &str {
        &self.replica_uuid
    }

    /// The directory of one source, made if it is not there.
    ///
    /// # Errors
    /// `Protocol` when the id is no plain word (it comes from the network and becomes a file name).
    pub fn source_directory(&self, source_id: &str) -> Result<PathBuf> {
        let directory = self.path.join(check_source_id(source_id)?);
        private_directory(&directory)?;
        Ok(directory)
    }
}

/// Source ids become directory names: letters, digits and dashes only.
fn check_source_id(source_id: &str) -> Result<&str> {
    let safe = !source_id.is_empty()
        && source_id.len() <= 64
        && source_id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if safe {
        Ok(source_id)
    } else {
        Err(Error::new(
            ErrorKind::Protocol,
            format!("`{source_id}` is no server uuid or server id"),
        ))
    }
}

/// Directories of sources below a relay directory, by name.
pub fn source_directories(path: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(found),
        Err(error) => return Err(error.into()),
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().join(super::index::INDEX_FILE).is_file() && check_source_id(&name).is_ok() {
            found.push((name, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

fn load_or_make_uuid(path: &Path) -> Result<String> {
    let file = path.join(UUID_FILE);
    match fs::read_to_string(&file) {
        Ok(text) if is_uuid(text.trim()) => Ok(text.trim().to_owned()),
        Ok(_) => Err(Error::new(
            ErrorKind::Config,
            format!(
                "{} holds no uuid; remove it and a new one is made",
                file.display()
            ),
        )),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let uuid = random_uuid()?;
            write_atomically(&file, format!("{uuid}\n").as_bytes())?;
            Ok(uuid)
        }
        Err(error) => Err(error.into()),
    }
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

/// A version 4 uuid (RFC 9562) from the system's random source.
fn random_uuid() -> Result<String> {
    let mut bytes = [0u8; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let bits = u128::from_be_bytes(bytes);
    let bits = bits & !(0xf000 << 64) | (0x4000 << 64);
    let bits = bits & !(0xc000 << 48) | (0x8000 << 48);
    let hex = format!("{bits:032x}");
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    Ok([
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32),
    ]
    .join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_second_holder_is_refused_and_the_uuid_stays() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("relay");
        let first = RelayDir::open(&path).unwrap();
        let refused = RelayDir::open(&path).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Locked);
        let uuid = first.replica_uuid().to_owned();
        assert!(is_uuid(&uuid) && uuid.as_bytes()[14] == b'4', "{uuid}");
        drop(first);
        assert_eq!(RelayDir::open(&path).unwrap().replica_uuid(), uuid);
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o700
        );
        assert_eq!(
            fs::metadata(path.join(UUID_FILE))
                .unwrap()
                .permissions()
                .mode()
                & 0o777,
            0o600
        );
    }

    #[test]
    fn source_ids_cannot_leave_the_directory() {
        let base = tempfile::tempdir().unwrap();
        let relay = RelayDir::open(base.path()).unwrap();
        for bad in ["", "..", "a/b", "a.b"] {
            assert!(relay.source_directory(bad).is_err(), "{bad}");
        }
        assert!(relay.source_directory("100").unwrap().is_dir());
    }
}
