//! The real binary as a child process, with a relay and a target directory of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use relaylite::failpoints;
use serde_json::Value;

use super::disk::SmallDisk;
use super::kept::keep_if_wanted;
use super::process::{self, POLL_INTERVAL, Process};
use super::random::budget;
use super::server::{REPL_PASSWORD, REPL_USER, Server};

/// Longest wait for a condition. Generous: it only ends a test that hangs. `RELAYLITE_TEST_WAIT_S` is for large runs.
pub(crate) fn wait_timeout() -> Duration {
    Duration::from_secs(budget("RELAYLITE_TEST_WAIT_S", 120))
}

/// The binary under test: `RELAYLITE_TEST_BINARY`, for measurements of a release build, else the one of this build.
fn program() -> String {
    std::env::var("RELAYLITE_TEST_BINARY").unwrap_or(env!("CARGO_BIN_EXE_relaylite").to_owned())
}

const SERVER_ID: u32 = 101;
const LOG_TAIL_LINES: usize = 40;

/// Waits until `condition` holds.
#[track_caller]
pub(crate) fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + wait_timeout();
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain for: {what}");
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// How a run of relaylite is called, and the directories it keeps over restarts. Dropping it removes them.
#[derive(Debug)]
pub(crate) struct Replica {
    directory: tempfile::TempDir,
    target: PathBuf,
    /// In place of the SQLite files.
    target_url: Option<String>,
    port: u16,
    password: String,
    start: String,
    args: Vec<String>,
    environment: Vec<(String, String)>,
    disk: Option<SmallDisk>,
}

impl Drop for Replica {
    fn drop(&mut self) {
        if std::thread::panicking() {
            keep_if_wanted(&mut self.directory);
        }
    }
}

impl Replica {
    /// A replica of `server` from its first binary log file on, into SQLite.
    pub(crate) fn of(server: &Server) -> Self {
        Self::at_port(server.port())
    }

    /// As [`Self::of`], for a port where a server will or will not come up.
    pub(crate) fn at_port(port: u16) -> Self {
        let directory = tempfile::Builder::new().prefix("rl-").tempdir().unwrap();
        Self {
            target: directory.path().join("target"),
            target_url: None,
            directory,
            port,
            password: REPL_PASSWORD.to_owned(),
            start: "earliest".to_owned(),
            args: Vec::new(),
            environment: Vec::new(),
            disk: None,
        }
    }

    /// With a small disk of its own for the relay log, or for the target.
    #[must_use]
    pub(crate) fn small_disk(mut self, directory: PathBuf, bytes: u64) -> Self {
        fs::create_dir_all(&directory).unwrap();
        self.disk = Some(SmallDisk::mount(&directory, bytes, self.directory.path()));
        self
    }

    /// The small disk.
    #[track_caller]
    pub(crate) fn disk(&self) -> &SmallDisk {
        self.disk.as_ref().expect("a small disk")
    }

    /// `relaylite`, as this replica's disks want it.
    fn relaylite(&self) -> Command {
        match &self.disk {
            Some(disk) => without_settings(disk.command(&program())),
            None => relaylite(),
        }
    }

    /// Where it starts when it has no checkpoint: `FILE:POS`, `gtid:SET`, `earliest` or `latest`.
    #[must_use]
    pub(crate) fn start(mut self, start: impl Into<String>) -> Self {
        self.set_start(start);
        self
    }

    /// As [`Self::start`], between two runs.
    pub(crate) fn set_start(&mut self, start: impl Into<String>) {
        self.start = start.into();
    }

    /// The source's address has moved, or the operator names another server.
    pub(crate) fn set_port(&mut self, port: u16) {
        self.port = port;
    }

    /// Another directory for the SQLite files.
    #[must_use]
    pub(crate) fn target(mut self, directory: PathBuf) -> Self {
        self.target = directory;
        self
    }

    /// A server as the target, in place of SQLite.
    #[must_use]
    pub(crate) fn onto(mut self, target: &Server) -> Self {
        self.target_url = Some(target.root_url());
        self
    }

    /// Another password than the right one.
    #[must_use]
    pub(crate) fn password(mut self, password: &str) -> Self {
        self.set_password(password);
        self
    }

    /// As [`Self::password`], between two runs.
    pub(crate) fn set_password(&mut self, password: &str) {
        self.password = password.to_owned();
    }

    /// One more argument of `run`.
    #[must_use]
    pub(crate) fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// One more variable of `run`'s environment.
    #[must_use]
    pub(crate) fn env(mut self, name: &str, value: impl ToString) -> Self {
        self.environment.push((name.to_owned(), value.to_string()));
        self
    }

    /// The relay directory.
    pub(crate) fn relay_dir(&self) -> PathBuf {
        self.directory.path().join("relay")
    }

    /// The directory of the source inside the relay directory: its files under its own names.
    #[track_caller]
    pub(crate) fn source_dir(&self) -> PathBuf {
        let entries = fs::read_dir(self.relay_dir()).unwrap();
        let mut directories = entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_dir());
        let directory = directories.next().expect("a relay directory of a source");
        assert_eq!(directories.next(), None, "only one source was followed");
        directory
    }

    /// The directory of the SQLite files.
    pub(crate) fn target_dir(&self) -> PathBuf {
        self.target.clone()
    }

    /// What all runs so far logged.
    pub(crate) fn log(&self) -> String {
        let bytes = fs::read(self.log_path()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn log_path(&self) -> PathBuf {
        self.directory.path().join("relaylite.log")
    }

    /// `relaylite run` for this replica, without what says when to end.
    pub(crate) fn run_command(&self) -> Command {
        let mut command = self.relaylite();
        command
            .env("RELAYLITE_SOURCE_PASSWORD", &self.password)
            .arg("run")
            .arg(format!(
                "--source=mysql://{REPL_USER}@127.0.0.1:{}",
                self.port
            ))
            .arg(format!("--server-id={SERVER_ID}"))
            .arg(format!("--start={}", self.start))
            .arg("--relay-dir")
            .arg(self.relay_dir())
            .arg(match &self.target_url {
                Some(url) => format!("--target={url}"),
                None => format!("--target=sqlite:{}", self.target.display()),
            })
            .args(&self.args)
            .envs(self.environment.iter().cloned());
        command
    }

    /// As [`Self::run_command`], with a failpoint armed: `crash:N`, or `hold:PATH`.
    pub(crate) fn command_with_failpoint(&self, name: &str, action: &str) -> Command {
        if !failpoints::COMPILED_IN {
            panic!("these tests need a build with debug assertions, which has failpoints");
        }
        let mut command = self.run_command();
        command.env("RELAYLITE_FAILPOINT", format!("{name}={action}"));
        command
    }

    /// Starts following the source, without end.
    #[track_caller]
    pub(crate) fn follow(&self) -> Running {
        self.spawn(self.run_command())
    }

    /// Starts `command`, whose output goes to this replica's log.
    #[track_caller]
    pub(crate) fn spawn(&self, command: Command) -> Running {
        let log = self.log_path();
        let starts_before = starts(&log);
        let process = Process::start(command, &log, self.directory.path());
        Running {
            process,
            log,
            starts_before,
        }
    }

    /// Runs until everything is applied that the source has now, or until an error ends it.
    #[track_caller]
    pub(crate) fn try_until_caught_up(&self) -> i32 {
        let mut command = self.run_command();
        command.args(["--until-caught-up", "--exit-on-error"]);
        // A test that means a statement to be followed fails where its table is read afresh instead.
        if !command
            .get_args()
            .any(|arg| arg.to_string_lossy().starts_with("--on-table-error"))
        {
            command.arg("--on-table-error=stop");
        }
        self.spawn(command).wait()
    }

    /// As [`Self::try_until_caught_up`], where it must end well.
    #[track_caller]
    pub(crate) fn run_until_caught_up(&self) {
        let code = self.try_until_caught_up();
        assert_eq!(code, 0, "relaylite failed:\n{}", tail(&self.log()));
    }

    /// As [`Self::run_until_caught_up`], up to where the source writes no more: after a rotation MariaDB adds an event to
    /// the new file a little later.
    #[track_caller]
    pub(crate) fn run_until_quiet(&self, server: &Server) {
        loop {
            let before = server.position();
            self.run_until_caught_up();
            if server.position() == before {
                return;
            }
        }
    }

    /// `relaylite status --json`, of the running process or of the files.
    #[track_caller]
    pub(crate) fn status(&self) -> Status {
        let mut command = self.relaylite();
        command
            .arg("status")
            .arg("--relay-dir")
            .arg(self.relay_dir())
            .arg("--json");
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        match serde_json::from_str(&text) {
            Ok(json) => Status { json },
            Err(error) => panic!(
                "status is no JSON: {error}\n{text}\n{}",
                String::from_utf8_lossy(&output.stderr)
            ),
        }
    }

    /// `relaylite status` of the running process, as people read it.
    #[track_caller]
    pub(crate) fn status_text(&self) -> String {
        let mut command = self.relaylite();
        command
            .arg("status")
            .arg("--relay-dir")
            .arg(self.relay_dir());
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    }

    /// Waits until `status` shows what `condition` wants, and returns that status.
    #[track_caller]
    pub(crate) fn wait_for_status(
        &self,
        what: &str,
        mut condition: impl FnMut(&Status) -> bool,
    ) -> Status {
        let deadline = Instant::now() + wait_timeout();
        loop {
            // The process may not have made its directory yet.
            if self.relay_dir().is_dir() {
                let status = self.status();
                if condition(&status) {
                    return status;
                }
                assert!(
                    Instant::now() < deadline,
                    "waited in vain for: {what}\n{:#}\n{}",
                    status.json,
                    tail(&self.log())
                );
            }
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    /// `relaylite resync --wait` of these tables; the exit code and what it printed.
    #[track_caller]
    pub(crate) fn resync(&self, tables: &[&str]) -> (i32, String) {
        let mut command = relaylite();
        command
            .args(["resync", "--wait", "--relay-dir"])
            .arg(self.relay_dir())
            .args(tables);
        let output = command.output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        (output.status.code().unwrap(), text)
    }

    /// Waits until no table is set aside or read afresh any more.
    #[track_caller]
    pub(crate) fn wait_until_sound(&self) {
        self.wait_for_status("no table set aside", |status| {
            status.set_aside().is_empty() && status.json["Resyncs"] == serde_json::json!([])
        });
    }

    /// Waits until everything is applied that `server` has now.
    #[track_caller]
    pub(crate) fn wait_until_caught_up(&self, server: &Server) {
        let (file, pos) = server.position();
        self.wait_for_status(&format!("everything before {file}:{pos}"), |status| {
            status.text("Relay_Source_Log_File") == file
                && status.number("Exec_Source_Log_Pos") >= pos
        });
    }
}

/// What `status --json` answered, by the names of `SHOW REPLICA STATUS`.
#[derive(Clone, Debug)]
pub(crate) struct Status {
    /// The whole document.
    pub(crate) json: Value,
}

impl Status {
    /// A field that is text; empty when it is null.
    #[track_caller]
    pub(crate) fn text(&self, name: &str) -> &str {
        let value = self.field(name);
        value.as_str().unwrap_or_else(|| {
            assert!(value.is_null(), "{name} is no text: {value}");
            ""
        })
    }

    /// A field that is a number; 0 when it is null.
    #[track_caller]
    pub(crate) fn number(&self, name: &str) -> u64 {
        let value = self.field(name);
        value.as_u64().unwrap_or_else(|| {
            assert!(value.is_null(), "{name} is no number: {value}");
            0
        })
    }

    /// The tables that are set aside, as `database.table`.
    pub(crate) fn set_aside(&self) -> Vec<String> {
        let tables = self.json["Quarantine"].as_array().unwrap().iter();
        let name = |table: &Value| {
            let part = |name: &str| table[name].as_str().unwrap().to_owned();
            format!("{}.{}", part("Database"), part("Table"))
        };
        tables.map(name).collect()
    }

    /// What status says of a table that is set aside.
    #[track_caller]
    pub(crate) fn aside(&self, table: &str) -> &Value {
        let at = self.set_aside().iter().position(|name| name == table);
        let at = at.unwrap_or_else(|| panic!("{table} is not set aside: {:#}", self.json));
        &self.json["Quarantine"][at]
    }

    #[track_caller]
    fn field(&self, name: &str) -> &Value {
        let field = self.json.get(name);
        field.unwrap_or_else(|| panic!("status has no {name}: {:#}", self.json))
    }
}

/// A running relaylite. Dropping it kills it; a failing test shows the end of its log.
#[derive(Debug)]
pub(crate) struct Running {
    process: Process,
    log: PathBuf,
    starts_before: usize,
}

/// How often a log says that relaylite starts.
fn starts(log: &Path) -> usize {
    read(log).matches(" starting ").count()
}

impl Running {
    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Whether it has ended.
    pub(crate) fn has_exited(&mut self) -> bool {
        self.process.exited().is_some()
    }

    /// Kills it at once (SIGKILL).
    pub(crate) fn kill9(self) {
        drop(self);
    }

    /// Asks it to end (SIGTERM); returns the exit code and how long it took.
    #[track_caller]
    pub(crate) fn sigterm(mut self) -> (i32, Duration) {
        // Before it can take the signal it is any process and dies of it.
        wait_for("it starts", || {
            starts(&self.log) > self.starts_before || self.has_exited()
        });
        let started = Instant::now();
        process::signal(self.pid(), "TERM");
        (self.wait(), started.elapsed())
    }

    /// Waits for its end; returns the exit code.
    #[track_caller]
    pub(crate) fn wait(mut self) -> i32 {
        let deadline = Instant::now() + wait_timeout();
        loop {
            if let Some(status) = self.process.exited() {
                return status
                    .code()
                    .unwrap_or_else(|| panic!("relaylite died: {status}"));
            }
            assert!(
                Instant::now() < deadline,
                "relaylite does not end:\n{}",
                tail(&read(&self.log))
            );
            std::thread::sleep(POLL_INTERVAL);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- relaylite's log ends:\n{}", tail(&read(&self.log)));
        }
    }
}

/// The binary under test, with nothing of this process' `RELAYLITE_` settings.
pub(crate) fn relaylite() -> Command {
    without_settings(Command::new(program()))
}

fn without_settings(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("RELAYLITE_") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

/// The last lines of a log.
pub(crate) fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
}

/// The kernel's high-water mark of a process' resident memory (`VmHWM`).
#[track_caller]
pub(crate) fn peak_memory_mib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    kib.and_then(|kib| kib.parse::<u64>().ok()).unwrap() >> 10
}
