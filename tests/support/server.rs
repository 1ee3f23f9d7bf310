//! Real MariaDB and MySQL servers for tests.
//!
//! Each [`Server`] has a data directory of its own in a temporary directory and listens on a free loopback port. Its
//! process is ended by its pid when the value is dropped, and also when the test process dies. The binaries are found
//! through the environment or what `dev/servers` left in the cache; a missing one fails the test.
//!
//! Everything here blocks and panics on failure: call it from plain `#[test]` functions and threads, not from async code
//! (there, use `tokio::task::spawn_blocking`).

mod datadir;
mod flavor;
mod programs;
mod session;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

pub(crate) use flavor::{Flavor, name_of_today};
pub(crate) use session::{Rows, Session};

use crate::support::kept::keep_if_wanted;
use crate::support::process::{self, POLL_INTERVAL, Process};
use crate::support::relaylite::wait_for;

/// The replication user that every server has.
pub(crate) const REPL_USER: &str = "repl";
/// The password of [`REPL_USER`].
pub(crate) const REPL_PASSWORD: &str = "repl-secret";

const START_TIMEOUT: Duration = Duration::from_secs(90);
const STOP_TIMEOUT: Duration = Duration::from_secs(60);

/// How a server is to be started; see [`Server::builder`].
#[derive(Clone, Debug)]
pub(crate) struct Builder {
    flavor: Flavor,
    server_id: u32,
    gtid_mode: bool,
    names_in_lower_case: bool,
    first_file: Option<u32>,
    args: Vec<String>,
}

impl Builder {
    /// `lower_case_table_names` is 1, which a `MySQL` server learns when its data directory is made.
    #[must_use]
    pub(crate) fn names_in_lower_case(mut self) -> Self {
        self.names_in_lower_case = true;
        self.arg(datadir::LOWER_CASE)
    }

    /// Adds a server option, such as `--binlog-row-image=MINIMAL`. It wins over the defaults.
    #[must_use]
    pub(crate) fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// The `server_id`, 100 by default.
    #[must_use]
    pub(crate) fn server_id(mut self, server_id: u32) -> Self {
        self.server_id = server_id;
        self
    }

    /// `gtid_mode` of a `MySQL` server, on by default. `MariaDB` always has GTIDs.
    #[must_use]
    pub(crate) fn gtid_mode(mut self, on: bool) -> Self {
        self.gtid_mode = on;
        self
    }

    /// The number of its first binary log file: a file of the number before it is there already.
    #[must_use]
    pub(crate) fn first_file(mut self, number: u32) -> Self {
        self.first_file = Some(number);
        self
    }

    /// Starts the server on a free port and returns once it answers.
    #[track_caller]
    pub(crate) fn start(self) -> Server {
        let mut server = self.prepare();
        server.start_on_free_port();
        server
    }

    /// Starts the server on this port, which a replica may already be trying.
    #[track_caller]
    pub(crate) fn start_at(self, port: u16) -> Server {
        let mut server = self.prepare();
        server.port = port;
        server.restart();
        server
    }

    #[track_caller]
    fn prepare(self) -> Server {
        let program = self.flavor.program();
        let version = programs::version(&program);
        let directory = tempfile::Builder::new().prefix("rl-").tempdir().unwrap();
        datadir::create(
            self.flavor,
            &program,
            version,
            &directory.path().join("data"),
            self.names_in_lower_case,
        );
        if let Some(number) = self.first_file {
            let before = format!("data/binlog.{:06}", number - 1);
            fs::write(directory.path().join(before), "").unwrap();
        }
        Server {
            process: None,
            port: 0,
            flavor: self.flavor,
            version,
            program,
            options: self.options(),
            directory,
        }
    }

    fn options(&self) -> Vec<String> {
        let mut options = datadir::base_options();
        options.extend([
            format!("--server-id={}", self.server_id),
            "--log-bin=binlog".to_owned(),
            "--binlog-format=ROW".to_owned(),
            "--sync-binlog=0".to_owned(),
        ]);
        if self.flavor == Flavor::MySql {
            // Said either way: MySQL 9.6 has it on by default, older ones off.
            let mode = if self.gtid_mode { "ON" } else { "OFF" };
            options.push(format!("--gtid-mode={mode}"));
            options.push(format!("--enforce-gtid-consistency={mode}"));
        }
        options.extend(self.args.iter().cloned());
        options
    }
}

/// A running server. Dropping it kills the server and removes its data.
#[derive(Debug)]
pub(crate) struct Server {
    process: Option<Process>,
    port: u16,
    flavor: Flavor,
    version: (u32, u32, u32),
    program: PathBuf,
    options: Vec<String>,
    directory: tempfile::TempDir,
}

impl Server {
    /// A server with the defaults: `server_id` 100, binary log `binlog` in ROW format, GTIDs on.
    #[track_caller]
    pub(crate) fn start(flavor: Flavor) -> Self {
        Self::builder(flavor).start()
    }

    /// A server with options of its own.
    pub(crate) fn builder(flavor: Flavor) -> Builder {
        Builder {
            flavor,
            server_id: 100,
            gtid_mode: true,
            names_in_lower_case: false,
            first_file: None,
            args: Vec::new(),
        }
    }

    /// The kind of server.
    pub(crate) fn flavor(&self) -> Flavor {
        self.flavor
    }

    /// Major, minor, patch.
    pub(crate) fn version(&self) -> (u32, u32, u32) {
        self.version
    }

    /// The port on 127.0.0.1. It stays the same over restarts.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// `mysql://` URL of the replication user.
    pub(crate) fn url(&self) -> String {
        format!(
            "mysql://{REPL_USER}:{REPL_PASSWORD}@127.0.0.1:{}",
            self.port
        )
    }

    /// `mysql://` URL of root, who has no password.
    pub(crate) fn root_url(&self) -> String {
        format!("mysql://root@127.0.0.1:{}", self.port)
    }

    /// The data directory, which also holds the binary logs (and `MySQL`'s `ca.pem`, `server-cert.pem`, ...).
    pub(crate) fn datadir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// A binary log file in the data directory.
    pub(crate) fn binlog_path(&self, name: &str) -> PathBuf {
        self.datadir().join(name)
    }

    /// The unix socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("s")
    }

    /// What the server logged so far.
    pub(crate) fn error_log(&self) -> String {
        error_log(self.directory.path())
    }

    /// Stock `mysqlbinlog` or `mariadb-binlog`, as the flavor has it. Its first argument must be `--no-defaults`.
    #[track_caller]
    pub(crate) fn mysqlbinlog(&self) -> PathBuf {
        Self::mysqlbinlog_of(self.flavor)
    }

    /// As [`Self::mysqlbinlog`], also for files of another server.
    #[track_caller]
    pub(crate) fn mysqlbinlog_of(flavor: Flavor) -> PathBuf {
        programs::find(match flavor {
            Flavor::MariaDb => "RELAYLITE_TEST_MARIADB_BINLOG",
            Flavor::MySql => "RELAYLITE_TEST_MYSQLBINLOG",
            Flavor::MariaDb11 => "RELAYLITE_TEST_MARIADB_BINLOG11",
        })
    }

    /// A new session of root.
    #[track_caller]
    pub(crate) fn client(&self) -> Session {
        Session::connect(&self.root_url())
            .unwrap_or_else(|error| panic!("cannot log in to {}: {error}", self.flavor.name()))
    }

    /// Runs one or many statements, separated by `;`, in a session of their own.
    #[track_caller]
    pub(crate) fn exec(&self, sql: &str) {
        self.client().exec(sql);
    }

    /// The rows of one query, in a session of its own.
    #[track_caller]
    pub(crate) fn query(&self, sql: &str) -> Rows {
        self.client().query(sql)
    }

    /// As [`Self::query`], as text; NULL is `None`.
    #[track_caller]
    pub(crate) fn query_strings(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        self.client().query_strings(sql)
    }

    /// The binary log files and their sizes, oldest first.
    #[track_caller]
    pub(crate) fn binlog_files(&self) -> Vec<(String, u64)> {
        self.query_strings("SHOW BINARY LOGS")
            .into_iter()
            .map(name_and_number)
            .collect()
    }

    /// Purges all binary log files before this one. MariaDB keeps a file without a word until its engines need it no more, and as
    /// long as it has not noticed that a reader is gone.
    #[track_caller]
    pub(crate) fn purge_binlogs_to(&self, name: &str) {
        wait_for("the purge", || {
            self.exec(&format!("PURGE BINARY LOGS TO '{name}'"));
            self.binlog_files()[0].0 == name
        });
    }

    /// Name of the current binary log file and the position of its end.
    #[track_caller]
    pub(crate) fn position(&self) -> (String, u64) {
        let sql = if self.flavor == Flavor::MySql && self.version >= (8, 2, 0) {
            "SHOW BINARY LOG STATUS"
        } else {
            "SHOW MASTER STATUS"
        };
        let rows = self.query_strings(sql);
        name_and_number(rows.into_iter().next().expect("the binary log is on"))
    }

    /// `gtid_executed`, or `gtid_binlog_pos` on `MariaDB`.
    #[track_caller]
    pub(crate) fn gtid_position(&self) -> String {
        let rows = self.query_strings(match self.flavor {
            Flavor::MariaDb | Flavor::MariaDb11 => "SELECT @@GLOBAL.gtid_binlog_pos",
            Flavor::MySql => "SELECT REPLACE(@@GLOBAL.gtid_executed, '\n', '')",
        });
        rows[0][0].clone().unwrap()
    }

    /// The server's process id. Panics when it does not run.
    #[track_caller]
    pub(crate) fn pid(&self) -> u32 {
        self.process
            .as_ref()
            .expect("the server does not run")
            .pid()
    }

    /// A clean shutdown (SIGTERM); does nothing when it does not run.
    #[track_caller]
    pub(crate) fn stop(&mut self) {
        if let Some(process) = self.process.take() {
            process.stop(STOP_TIMEOUT);
        }
    }

    /// A crash (SIGKILL); does nothing when it does not run.
    pub(crate) fn kill9(&mut self) {
        self.process = None;
    }

    /// Stops the server if it runs, and starts it on the same port and data.
    #[track_caller]
    pub(crate) fn restart(&mut self) {
        self.stop();
        if let Err(error) = self.try_start() {
            panic!("{} did not restart: {error}", self.flavor.name());
        }
    }

    /// As [`Self::restart`], with one more option, which wins over the earlier ones and stays.
    #[track_caller]
    pub(crate) fn restart_with(&mut self, arg: &str) {
        self.options.push(arg.to_owned());
        self.restart();
    }

    /// Freezes the server: connections stay open, nothing answers.
    #[track_caller]
    pub(crate) fn sigstop(&self) {
        process::signal(self.pid(), "STOP");
    }

    /// Thaws a frozen server.
    #[track_caller]
    pub(crate) fn sigcont(&self) {
        process::signal(self.pid(), "CONT");
    }

    /// Another process may take the port between our look and the server's bind; then another port is tried.
    #[track_caller]
    fn start_on_free_port(&mut self) {
        let mut failure = String::new();
        for _ in 0..5 {
            self.port = process::free_port();
            match self.try_start() {
                Ok(()) => return,
                Err(error) => failure = error,
            }
        }
        panic!("{} did not start: {failure}", self.flavor.name());
    }

    fn try_start(&mut self) -> Result<(), String> {
        self.process = None;
        self.process = Some(launch(
            &self.program,
            self.directory.path(),
            self.port,
            &self.options,
        )?);
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "--- the log of {} ends:\n{}",
                self.flavor.name(),
                log_tail(self.directory.path())
            );
            keep_if_wanted(&mut self.directory);
        }
    }
}

/// Starts a server on `directory/data` and waits until it, and not another one on that port, answers.
fn launch(
    program: &Path,
    directory: &Path,
    port: u16,
    options: &[String],
) -> Result<Process, String> {
    let socket = directory.join("s");
    // Servers that share a directory for temporary tables remove each other's.
    let temporary = directory.join("tmp");
    fs::create_dir_all(&temporary).map_err(|error| error.to_string())?;
    let mut args = vec![
        "--no-defaults".to_owned(),
        format!("--datadir={}", directory.join("data").display()),
        format!("--port={port}"),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--socket={}", socket.display()),
        format!("--tmpdir={}", temporary.display()),
        format!("--pid-file={}", directory.join("pid").display()),
        format!("--log-error={}", directory.join("error.log").display()),
    ];
    args.extend(options.iter().cloned());
    let mut command = Command::new(program);
    command.args(&args).current_dir(directory);
    let mut process = Process::start(command, &directory.join("error.log"), directory);
    let deadline = Instant::now() + START_TIMEOUT;
    loop {
        if let Some(status) = process.exited() {
            return Err(format!("{status}; its log ends:\n{}", log_tail(directory)));
        }
        if let Ok(mut session) = Session::connect(&format!("mysql://root@127.0.0.1:{port}")) {
            let rows = session.query("SELECT @@socket");
            if rows[0][0].as_deref() == Some(socket.as_os_str().as_encoded_bytes()) {
                return Ok(process);
            }
        }
        if Instant::now() > deadline {
            return Err(format!(
                "no answer on port {port}; its log ends:\n{}",
                log_tail(directory)
            ));
        }
        std::thread::sleep(POLL_INTERVAL);
    }
}

fn error_log(directory: &Path) -> String {
    let bytes = fs::read(directory.join("error.log")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn log_tail(directory: &Path) -> String {
    let log = error_log(directory);
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

fn name_and_number(row: Vec<Option<String>>) -> (String, u64) {
    let mut columns = row.into_iter().map(Option::unwrap);
    (
        columns.next().unwrap(),
        columns.next().unwrap().parse().unwrap(),
    )
}
