//! The index of a relay directory: the names of its files in the source's order, one a line, as MySQL's
//! `binlog.index` has them.
//!
//! # Invariants
//! - Names have one base and growing numbers, so a name is found by its number; 10 000 files cost no more than ten.
//! - A name is added by one write behind the last line; what a crash leaves of it has no end of line and does not count.
//!   Everything else replaces the file whole (temporary file, fsync, rename, fsync of the directory).
//! - At the head a name goes before its file does, at the tail after it: what a crash leaves in between is one run of files
//!   without a hole (see [`super::recover`]).

use std::cmp::Ordering;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use crate::binlog::position::split_file_name;
use crate::disk::{private_file, sync_parent, write_atomically};
use crate::error::{Error, Result};

/// Name of the index file. It has no number, so no binlog file can be called so.
pub const INDEX_FILE: &str = "relay.index";

/// The names in an index, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Index {
    names: Vec<Arc<str>>,
    /// Bytes of all lines.
    bytes: u64,
}

impl Index {
    /// Reads the index of `directory`; `None` when there is none.
    ///
    /// # Errors
    /// `Corrupt` when a line is no binlog file name, or does not follow the one before; `Io`.
    pub fn load(directory: &Path) -> Result<Option<Self>> {
        let text = match fs::read(directory.join(INDEX_FILE)) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut index = Self::default();
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            // A name that was being added when the process or the machine died.
            let Some(line) = line.strip_suffix(b"\n") else {
                break;
            };
            let name = std::str::from_utf8(line).map_err(|error| {
                Error::corrupt(format!("a line of {INDEX_FILE} is no text")).with_source(error)
            })?;
            index.push(name)?;
        }
        Ok(Some(index))
    }

    /// An index of these names, oldest first.
    ///
    /// # Errors
    /// `Corrupt` when they do not follow each other.
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let mut index = Self::default();
        names
            .into_iter()
            .try_for_each(|name| index.push(name).map(drop))?;
        Ok(index)
    }

    fn push(&mut self, name: &str) -> Result<Arc<str>> {
        if !is_safe_file_name(name) {
            return Err(Error::corrupt(format!(
                "`{name}` in {INDEX_FILE} is no binlog file name"
            )));
        }
        if let Some(last) = self.last()
            && order(last, name) != Some(Ordering::Less)
        {
            return Err(Error::corrupt(format!(
                "`{name}` in {INDEX_FILE} does not follow `{last}`"
            )));
        }
        let name: Arc<str> = name.into();
        self.names.push(name.clone());
        self.bytes += line_bytes(&name);
        Ok(name)
    }

    /// File names, oldest first.
    pub fn names(&self) -> &[Arc<str>] {
        &self.names
    }

    /// The newest file.
    pub fn last(&self) -> Option<&Arc<str>> {
        self.names.last()
    }

    /// Whether it names this file.
    pub fn contains(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// The file after `name`.
    pub fn after(&self, name: &str) -> Option<&Arc<str>> {
        self.names.get(self.find(name)? + 1)
    }

    /// How many files stand before `name`, which need not be one of them; none when it is of another history.
    pub fn count_before(&self, name: &str) -> usize {
        self.names
            .partition_point(|known| order(known, name) == Some(Ordering::Less))
    }

    fn find(&self, name: &str) -> Option<usize> {
        let at = self.count_before(name);
        (self.names.get(at)?.as_ref() == name).then_some(at)
    }

    /// Adds a file at the end, here and on disk.
    pub fn append(&mut self, directory: &Path, name: &str) -> Result<Arc<str>> {
        let mut longer = self.clone();
        let name = longer.push(name)?;
        let path = directory.join(INDEX_FILE);
        let is_new = !path.exists();
        let file = private_file(&path, false)?;
        if file.metadata()?.len() < self.bytes {
            longer.store(directory)?;
        } else {
            // What an append that failed left behind the last line is cut away.
            file.set_len(self.bytes)?;
            file.write_all_at(format!("{name}\n").as_bytes(), self.bytes)?;
            file.sync_all()?;
            if is_new {
                sync_parent(&path)?;
            }
        }
        *self = longer;
        Ok(name)
    }

    /// The same without the `count` oldest files; nothing is stored.
    #[must_use]
    pub fn without_oldest(&self, count: usize) -> Self {
        let names = self.names.get(count..).unwrap_or_default().to_vec();
        let bytes = names.iter().map(|name| line_bytes(name)).sum();
        Self { names, bytes }
    }

    /// Takes the newest file out; nothing is stored.
    pub fn drop_last(&mut self) {
        if let Some(name) = self.names.pop() {
            self.bytes -= line_bytes(&name);
        }
    }

    /// Replaces the index on disk by this one.
    pub fn store(&self, directory: &Path) -> Result<()> {
        let mut text = String::new();
        for name in &self.names {
            text.push_str(name);
            text.push('\n');
        }
        write_atomically(&directory.join(INDEX_FILE), text.as_bytes())
    }
}

fn line_bytes(name: &str) -> u64 {
    name.len() as u64 + 1
}

/// Order of two binlog file names by their numbers; `None` when they are of different histories.
pub fn order(one: &str, other: &str) -> Option<Ordering> {
    let (base, number) = split_file_name(one)?;
    let (other_base, other_number) = split_file_name(other)?;
    (base == other_base).then(|| number.cmp(&other_number))
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

    const NAMES: [&str; 4] = ["b.000009", "b.999999", "b.1000000", "b.1000001"];

    #[test]
    fn names_are_added_found_and_loaded_again() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Index::load(dir.path()).unwrap(), None);
        let mut index = Index::default();
        for name in NAMES {
            index.append(dir.path(), name).unwrap();
        }
        for bad in ["b.000009", "b.1000001", "../b.1000002", "c.1000002"] {
            assert!(index.append(dir.path(), bad).is_err(), "{bad}");
        }
        let again = Index::load(dir.path()).unwrap().unwrap();
        assert_eq!(again, index);
        assert_eq!(again.after("b.000009").unwrap().as_ref(), "b.999999");
        assert_eq!(again.after("b.1000001"), None);
        assert_eq!(again.after("b.000010"), None);
        assert!(again.contains("b.1000000") && !again.contains("b.000010"));
        let before = ["b.000001", "b.000010", "b.1000001", "b.2000000", "c.000010"];
        let before = before.map(|name| again.count_before(name));
        assert_eq!(before, [0, 1, 3, 4, 0]);
    }

    #[test]
    fn a_name_torn_by_a_crash_does_not_count_and_is_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(INDEX_FILE);
        let mut index = Index::default();
        index.append(dir.path(), "b.000001").unwrap();
        let whole = fs::read(&path).unwrap();
        for torn in ["b", "b.000002", "\0\0\0\0", "b.00\0"] {
            fs::write(&path, [&whole, torn.as_bytes()].concat()).unwrap();
            let mut loaded = Index::load(dir.path()).unwrap().unwrap();
            assert_eq!(loaded, index, "{torn:?}");
            loaded.append(dir.path(), "b.000002").unwrap();
            assert_eq!(Index::load(dir.path()).unwrap().unwrap(), loaded);
        }
    }

    #[test]
    fn lines_that_do_not_follow_each_other_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        for bad in [
            "b.000002\nb.000001\n",
            "b.000001\nb.000001\n",
            "x\n",
            "\n",
            "b.1\nc.2\n",
        ] {
            fs::write(dir.path().join(INDEX_FILE), bad).unwrap();
            let error = Index::load(dir.path()).unwrap_err();
            assert_eq!(error.kind(), crate::error::ErrorKind::Corrupt, "{bad:?}");
        }
    }
}
