//! The index of a relay directory: the names of its files in the source's order, one a line, as MySQL's
//! `binlog.index` has them.
//!
//! The index is rewritten whole and atomically (temporary file, fsync, rename, fsync of the directory), so it is never
//! half-written; a file that is not in it does not exist for readers.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use crate::binlog::position::split_file_name;
use crate::disk::write_atomically;
use crate::error::{Error, Result};

/// Name of the index file. It has no number, so no binlog file can be called so.
pub const INDEX_FILE: &str = "relay.index";

/// The names in an index, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Index {
    names: Vec<Arc<str>>,
}

impl Index {
    /// Reads the index of `directory`; empty when there is none yet.
    ///
    /// # Errors
    /// `Corrupt` when a line is no binlog file name or names go backwards; `Io`.
    pub fn load(directory: &Path) -> Result<Self> {
        let text = match fs::read_to_string(directory.join(INDEX_FILE)) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => return Err(error.into()),
        };
        let mut index = Self::default();
        for line in text.lines().filter(|line| !line.is_empty()) {
            index.check_follows(line)?;
            index.names.push(line.into());
        }
        Ok(index)
    }

    fn check_follows(&self, name: &str) -> Result<()> {
        if !is_safe_file_name(name) {
            return Err(Error::corrupt(format!(
                "`{name}` in {INDEX_FILE} is no binlog file name"
            )));
        }
        if self.names.iter().any(|known| known.as_ref() == name) {
            return Err(Error::corrupt(format!(
                "`{name}` stands twice in {INDEX_FILE}"
            )));
        }
        Ok(())
    }

    /// File names, oldest first.
    pub fn names(&self) -> &[Arc<str>] {
        &self.names
    }

    /// The newest file.
    pub fn last(&self) -> Option<&Arc<str>> {
        self.names.last()
    }

    /// The file after `name`.
    pub fn after(&self, name: &str) -> Option<&Arc<str>> {
        let at = self.names.iter().position(|known| known.as_ref() == name)?;
        self.names.get(at + 1)
    }

    /// Adds a file at the end and stores the index.
    pub fn append(&mut self, directory: &Path, name: &str) -> Result<Arc<str>> {
        self.check_follows(name)?;
        let name: Arc<str> = name.into();
        self.names.push(name.clone());
        self.store(directory)?;
        Ok(name)
    }

    /// Takes the newest file out; stores the index only with `store`.
    pub fn drop_last(&mut self, directory: &Path, store: bool) -> Result<()> {
        self.names.pop();
        if store { self.store(directory) } else { Ok(()) }
    }

    fn store(&self, directory: &Path) -> Result<()> {
        let mut text = String::new();
        for name in &self.names {
            text.push_str(name);
            text.push('\n');
        }
        write_atomically(&directory.join(INDEX_FILE), text.as_bytes())
    }
}

/// Whether `name` is a binlog file name that may be used as a file name here: a base, a dot, digits, no directory.
pub fn is_safe_file_name(name: &str) -> bool {
    split_file_name(name).is_some()
        && name.len() <= 255
        && !name.starts_with('.')
        && !name.contains(|c: char| c == '/' || c == '\\' || c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_survives_reload() {
        let dir = tempfile::tempdir().unwrap();
        let mut index = Index::load(dir.path()).unwrap();
        for name in ["b.000009", "b.999999", "b.1000000"] {
            index.append(dir.path(), name).unwrap();
        }
        assert!(index.append(dir.path(), "b.000009").is_err());
        assert!(index.append(dir.path(), "../b.000010").is_err());
        let again = Index::load(dir.path()).unwrap();
        assert_eq!(again, index);
        assert_eq!(again.after("b.000009").unwrap().as_ref(), "b.999999");
    }
}
