//! A power loss without one: after the process is killed, its files are put back to what was durable.
//!
//! `power_loss.c` is preloaded into relaylite and keeps what each file and directory held at its last fsync. [`PowerLoss::cut`] makes
//! the directories anew from that: names that no fsync of their directory made durable are gone, as are bytes that no fsync
//! covered. Of some files, by the seed, everything written is kept instead: a disk may have written what nobody asked for.
//!
//! Not covered: a file of which some of the unsynced writes are kept and others are not, torn sectors, disks that lie.

use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::UNIX_EPOCH;

use super::random::Random;
use super::relaylite::Replica;

/// The library, and what is durable.
#[derive(Debug)]
pub(crate) struct PowerLoss {
    scratch: tempfile::TempDir,
    runs: u32,
    ignored: Option<String>,
    /// What was there when the run began: all of it is durable.
    before: HashMap<String, PathBuf>,
    /// Names of a directory then.
    names_before: HashMap<String, Vec<Entry>>,
}

#[derive(Clone, Debug)]
struct Entry {
    is_directory: bool,
    key: String,
    name: String,
}

/// As `power_loss.c` names it.
fn key(metadata: &Metadata) -> String {
    let born = metadata
        .created()
        .unwrap()
        .duration_since(UNIX_EPOCH)
        .unwrap();
    format!("{}-{}", metadata.ino(), born.as_nanos())
}

fn entries(directory: &Path) -> Vec<Entry> {
    let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
    entries
        .map(|entry| {
            let metadata = entry.metadata().unwrap();
            Entry {
                is_directory: metadata.is_dir(),
                key: key(&metadata),
                name: entry.file_name().into_string().unwrap(),
            }
        })
        .collect()
}

impl PowerLoss {
    /// Builds the library.
    #[track_caller]
    pub(crate) fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/power_loss.c");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
            .arg(scratch.path().join("power_loss.so"))
            .arg(source)
            .args(["-ldl", "-lpthread"])
            .output()
            .unwrap();
        assert!(
            built.status.success(),
            "{}",
            String::from_utf8_lossy(&built.stderr)
        );
        Self {
            scratch,
            runs: 0,
            ignored: None,
            before: HashMap::new(),
            names_before: HashMap::new(),
        }
    }

    /// As if the program never synced files whose names end like this.
    #[must_use]
    pub(crate) fn ignoring(mut self, suffix: &str) -> Self {
        self.ignored = Some(suffix.to_owned());
        self
    }

    fn shadow(&self) -> PathBuf {
        self.scratch.path().join(format!("shadow-{}", self.runs))
    }

    /// `relaylite run` of which everything synced is kept.
    pub(crate) fn command(&mut self, replica: &Replica) -> Command {
        self.runs += 1;
        let copies = self.scratch.path().join(format!("before-{}", self.runs));
        fs::create_dir_all(&copies).unwrap();
        fs::create_dir_all(self.shadow()).unwrap();
        self.before.clear();
        self.names_before.clear();
        self.remember(replica.relay_dir().parent().unwrap(), &copies);
        let mut command = replica.run_command();
        command
            .env("LD_PRELOAD", self.scratch.path().join("power_loss.so"))
            .env("RELAYLITE_TEST_SHADOW", self.shadow());
        if let Some(suffix) = &self.ignored {
            command.env("RELAYLITE_TEST_IGNORED_SYNCS", suffix);
        }
        command
    }

    fn remember(&mut self, directory: &Path, copies: &Path) {
        let names = entries(directory);
        for entry in &names {
            let path = directory.join(&entry.name);
            if entry.is_directory {
                self.remember(&path, copies);
            } else if path.is_file() {
                let copy = copies.join(&entry.key);
                fs::copy(&path, &copy).unwrap();
                self.before.insert(entry.key.clone(), copy);
            }
        }
        self.names_before
            .insert(key(&fs::metadata(directory).unwrap()), names);
    }

    /// The power fails, and of some files everything written is kept, by a random choice. The process must be dead.
    pub(crate) fn cut(&self, replica: &Replica, random: &mut Random) {
        self.put_back(replica, &mut || random.percent(25));
    }

    /// The power fails, and nothing is kept that was not synced.
    pub(crate) fn cut_all(&self, replica: &Replica) {
        self.put_back(replica, &mut || false);
    }

    fn put_back(&self, replica: &Replica, keeps: &mut dyn FnMut() -> bool) {
        let root = replica.relay_dir().parent().unwrap().to_owned();
        let made_anew = self.scratch.path().join("made-anew");
        fs::create_dir(&made_anew).unwrap();
        for entry in self.names(&key(&fs::metadata(&root).unwrap())) {
            if entry.is_directory {
                self.make(
                    &entry,
                    &root.join(&entry.name),
                    &made_anew.join(&entry.name),
                    keeps,
                );
            }
        }
        for directory in [replica.relay_dir(), replica.target_dir()] {
            fs::remove_dir_all(&directory).ok();
            let from = made_anew.join(directory.file_name().unwrap());
            if from.exists() {
                fs::rename(from, directory).unwrap();
            }
        }
        fs::remove_dir_all(made_anew).unwrap();
    }

    /// The durable names of a directory.
    fn names(&self, key: &str) -> Vec<Entry> {
        let Ok(text) = fs::read_to_string(self.shadow().join(key)) else {
            return self.names_before.get(key).cloned().unwrap_or_default();
        };
        text.lines()
            .map(|line| {
                let mut parts = line.splitn(3, ' ');
                let mut part = || parts.next().unwrap().to_owned();
                Entry {
                    is_directory: part() == "d",
                    key: part(),
                    name: part(),
                }
            })
            .collect()
    }

    fn make(&self, entry: &Entry, now: &Path, to: &Path, keeps: &mut dyn FnMut() -> bool) {
        if entry.is_directory {
            fs::create_dir(to).unwrap();
            fs::set_permissions(to, fs::Permissions::from_mode(0o700)).unwrap();
            for inner in self.names(&entry.key) {
                self.make(&inner, &now.join(&inner.name), &to.join(&inner.name), keeps);
            }
            return;
        }
        let is_the_same = fs::metadata(now)
            .is_ok_and(|metadata| metadata.is_file() && key(&metadata) == entry.key);
        let synced = self.shadow().join(&entry.key);
        if is_the_same && keeps() {
            fs::copy(now, to).unwrap();
        } else if synced.is_file() {
            fs::copy(synced, to).unwrap();
        } else if let Some(before) = self.before.get(&entry.key) {
            fs::copy(before, to).unwrap();
        } else {
            File::create(to).unwrap();
        }
        fs::set_permissions(to, fs::Permissions::from_mode(0o600)).unwrap();
    }
}
