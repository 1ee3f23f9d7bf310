//! One process that a test starts, ended by its pid.

use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How often the tests look whether a condition has come true.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Waits for its standard input to close, which happens when the test process dies without dropping its children (at a
/// test timeout, say), and then kills the process and removes its directory.
const WATCHDOG: &str = "trap '' INT TERM HUP; \
    read -r _ || { kill -s KILL \"$1\"; sleep 1; rm -rf \"$2\"; }";

/// A child process that does not outlive the test process. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    watchdog: Child,
}

impl Process {
    /// Starts `command`; what it prints is appended to the file `log`. `directory` is removed when the test process dies
    /// without dropping this.
    #[track_caller]
    pub(crate) fn start(mut command: Command, log: &Path, directory: &Path) -> Self {
        let log = File::options().create(true).append(true).open(log).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
        let watchdog = Command::new("sh")
            .args(["-c", WATCHDOG, "sh", &child.id().to_string()])
            .arg(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, watchdog }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it did.
    pub(crate) fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Asks it to shut down and waits until it has.
    #[track_caller]
    pub(crate) fn stop(mut self, timeout: Duration) {
        signal(self.pid(), "TERM");
        let deadline = Instant::now() + timeout;
        while self.exited().is_none() {
            assert!(Instant::now() < deadline, "the process ignores SIGTERM");
            std::thread::sleep(POLL_INTERVAL);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The watchdog goes first: after the child is waited for, its pid may belong to another process.
        for child in [&mut self.watchdog, &mut self.child] {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

/// Sends a signal by its short name.
#[track_caller]
pub(crate) fn signal(pid: u32, name: &str) {
    let status = Command::new("sh")
        .args(["-c", "kill -s \"$1\" \"$2\"", "sh", name, &pid.to_string()])
        .status()
        .unwrap();
    assert!(status.success(), "cannot send SIG{name} to {pid}");
}

/// A port on 127.0.0.1 that nobody listens on. It lies below the range that outgoing connections use: while the server is
/// down, a client that keeps trying to connect could otherwise get that port itself and talk to itself.
pub(crate) fn free_port() -> u16 {
    let random = RandomState::new();
    (0..1000_u64)
        .map(|attempt| 20_000 + u16::try_from(random.hash_one(attempt) % 12_000).unwrap())
        .find(|&port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok())
        .expect("no free port")
}
