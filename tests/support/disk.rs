//! A small disk: a tmpfs in a mount namespace of its own, which goes with the process that holds it. Nothing of the
//! machine changes; it needs the right to mount (root, or user namespaces).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::{POLL_INTERVAL, Process};

/// Mounts, says so by a file in the new disk, and stays.
const HOLD: &str = "mount -t tmpfs -o \"size=$2,mode=0700\" small \"$1\" && : > \"$1/.mounted\" && exec sleep 86400";

/// A file system of a few bytes, seen by the processes that are started with [`Self::command`].
#[derive(Debug)]
pub(crate) struct SmallDisk {
    holder: Process,
    directory: PathBuf,
}

impl SmallDisk {
    /// A disk of `bytes` at `directory`; `scratch` is removed when the test process dies.
    #[track_caller]
    pub(crate) fn mount(directory: &Path, bytes: u64, scratch: &Path) -> Self {
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "sh", "-c", HOLD, "sh"])
            .arg(directory)
            .arg(bytes.to_string());
        let log = scratch.join("disk.log");
        let disk = Self {
            holder: Process::start(command, &log, scratch),
            directory: directory.to_owned(),
        };
        let mut disk = disk;
        while !disk.path().join(".mounted").exists() {
            assert!(
                disk.holder.exited().is_none(),
                "cannot mount a tmpfs in a namespace of its own; this test needs that right: {}",
                fs::read_to_string(&log).unwrap_or_default()
            );
            std::thread::sleep(POLL_INTERVAL);
        }
        disk
    }

    /// The disk, as seen from outside of its namespace. Not for SQLite, which follows the path back to the outside.
    pub(crate) fn path(&self) -> PathBuf {
        let inside = self.directory.strip_prefix("/").unwrap();
        Path::new("/proc")
            .join(self.holder.pid().to_string())
            .join("root")
            .join(inside)
    }

    /// A command that sees the disk.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg("--mount")
            .arg("--target")
            .arg(self.holder.pid().to_string())
            .arg("--")
            .arg(program);
        command
    }

    /// Takes all room that is left but `bytes`.
    pub(crate) fn fill_up_to(&self, bytes: u64) {
        let path = self.path().join("ballast");
        let mut file = fs::File::create(&path).unwrap();
        // tmpfs says that it is full only after it has taken what fits.
        let _ = std::io::copy(&mut std::io::repeat(7), &mut file);
        let filled = file.metadata().unwrap().len();
        file.set_len(filled.saturating_sub(bytes)).unwrap();
    }

    /// Makes it read-only, or writable again; no process may have a file open for writing then.
    #[track_caller]
    pub(crate) fn set_read_only(&self, read_only: bool) {
        let mode = if read_only {
            "remount,ro"
        } else {
            "remount,rw"
        };
        let mut command = self.command("mount");
        let status = command.args(["-o", mode]).arg(&self.directory).status();
        assert!(status.unwrap().success(), "mount -o {mode}");
    }

    /// Gives the room back.
    pub(crate) fn make_room(&self) {
        fs::remove_file(self.path().join("ballast")).unwrap();
    }
}
