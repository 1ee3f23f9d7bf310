//! The command line: one file per subcommand. The only place that prints.

mod check;
mod hide_passwords;
mod loose_files;
mod private_memory;
mod relay;
mod resync;
mod run;
mod status;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::layer::Layer;
use crate::config::source::{DriverKind, SslMode};
use crate::config::{DEFAULT_RELAY_DIR, OnTableError};
use crate::error::{Error, ErrorKind, Result};
use crate::serve::status::QuarantineReport;

pub use hide_passwords::hide_passwords;
pub use private_memory::forbid_core_dumps;

/// Follows a MySQL or MariaDB source into SQLite files (or another MySQL server), as a replica does.
#[derive(Debug, Parser)]
#[command(name = "relaylite", version, about, max_term_width = 100, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Example: follow a server from now on, into ./data/DATABASE.db
  export RELAYLITE_SOURCE_PASSWORD=...
  relaylite check --source mysql://repl@db1:3306 --server-id 101
  relaylite run   --source mysql://repl@db1:3306 --server-id 101 --target sqlite:data
  relaylite status

Every flag has a key in the config file (server_id, relay_dir, ...) and a variable (RELAYLITE_SERVER_ID, ...).";

#[derive(Debug, Subcommand)]
enum Command {
    /// Replicate: receive the binlog into the relay log and apply it to the target
    Run(Settings),
    /// Say every reason why `run` could not start, or would go wrong later, with its cure
    Check(Settings),
    /// Show how replication stands, in the names of SHOW REPLICA STATUS
    Status(status::StatusArgs),
    /// Read tables afresh from the source while replication runs, and lift their quarantine
    Resync(resync::ResyncArgs),
    /// Look at relay log files, or any binlog file, as mysqlbinlog would show them
    #[command(subcommand)]
    Relay(relay::RelayCommand),
}

/// What `run` and `check` take.
#[derive(Debug, Args)]
struct Settings {
    /// TOML file with the same keys as these flags (server_id, relay_dir, ...)
    #[arg(long, value_name = "FILE", env = "RELAYLITE_CONFIG")]
    config: Option<PathBuf>,
    /// mysql://USER@HOST:PORT; the password is better given as RELAYLITE_SOURCE_PASSWORD or --password-file
    #[arg(long, value_name = "URL")]
    source: Option<String>,
    /// File that holds the source's password
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Our own server id: a number that no other server of this replication has
    #[arg(long, value_name = "N")]
    server_id: Option<u32>,
    /// Where to start when there is no checkpoint: FILE:POS, gtid:SET, earliest or latest [default: latest]
    #[arg(long, value_name = "START")]
    start: Option<String>,
    /// Go on at this position although the checkpoint is before it, and give up the changes between (after error
    /// 1236: the source has purged them). Does nothing once the checkpoint is beyond it
    #[arg(long, value_name = "FILE:POS")]
    skip_to: Option<String>,
    /// Directory of the relay log [default: relay]
    #[arg(long, value_name = "DIR")]
    relay_dir: Option<PathBuf>,
    /// Whether relay files go once everything in them is durable in every database [default: true]
    #[arg(long, value_name = "BOOL")]
    relay_log_purge: Option<bool>,
    /// Keep such files for so long since they were last written to [default: 0]
    #[arg(long, value_name = "SECONDS")]
    relay_log_expire_seconds: Option<u64>,
    /// Keep such files while the relay log takes no more than this [default: 0]
    #[arg(long, value_name = "BYTES")]
    relay_log_retain_bytes: Option<u64>,
    /// Stop receiving while the relay log takes so much and the target can still make room; 0 for no limit [default: 0]
    #[arg(long, value_name = "BYTES")]
    relay_log_space_limit: Option<u64>,
    /// sqlite:DIR or mysql://USER@HOST:PORT [default: sqlite:data]
    #[arg(long, value_name = "URL")]
    target: Option<String>,
    /// File that holds the target's password
    #[arg(long, value_name = "FILE")]
    target_password_file: Option<PathBuf>,
    /// Databases applied at the same time [default: number of processors]
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
    /// Seconds between attempts to reach the source [default: 5]
    #[arg(long, value_name = "SECONDS")]
    connect_retry: Option<u64>,
    /// Seconds between heartbeats of an idle source [default: 10]
    #[arg(long, value_name = "SECONDS")]
    heartbeat_period: Option<u64>,
    /// Seconds without a packet after which the connection is taken for dead [default: 60]
    #[arg(long, alias = "slave-net-timeout", value_name = "SECONDS")]
    replica_net_timeout: Option<u64>,
    /// TLS to the source: disabled, preferred, required, verify_ca or verify_identity [default: preferred]
    #[arg(long, value_name = "MODE", value_parser = parse_word::<SslMode>)]
    ssl_mode: Option<SslMode>,
    /// CA certificates in PEM
    #[arg(long, value_name = "FILE")]
    ssl_ca: Option<PathBuf>,
    /// Client certificate in PEM
    #[arg(long, value_name = "FILE")]
    ssl_cert: Option<PathBuf>,
    /// Key of the client certificate in PEM
    #[arg(long, value_name = "FILE")]
    ssl_key: Option<PathBuf>,
    /// native, or mysql_cdc where it was built in [default: native]
    #[arg(long, value_name = "DRIVER", value_parser = parse_word::<DriverKind>)]
    driver: Option<DriverKind>,
    /// Follow only this database of the source; may be given often
    #[arg(long, value_name = "NAME")]
    replicate_do_db: Vec<String>,
    /// Leave this database out; may be given often
    #[arg(long, value_name = "NAME")]
    replicate_ignore_db: Vec<String>,
    /// Follow only this table; may be given often
    #[arg(long, value_name = "DATABASE.TABLE")]
    replicate_do_table: Vec<String>,
    /// Leave this table out; may be given often
    #[arg(long, value_name = "DATABASE.TABLE")]
    replicate_ignore_table: Vec<String>,
    /// Follow only tables like this (% any text, _ any character); may be given often
    #[arg(long, value_name = "PATTERN")]
    replicate_wild_do_table: Vec<String>,
    /// Leave out tables like this; may be given often
    #[arg(long, value_name = "PATTERN")]
    replicate_wild_ignore_table: Vec<String>,
    /// Give a database another name here; the other rules see the new name; may be given often
    #[arg(long, value_name = "FROM->TO")]
    replicate_rewrite_db: Vec<String>,
    /// Acknowledge to a semi-synchronous source what is durable in the relay log: its commits then wait for that
    #[arg(long)]
    semi_sync: bool,
    /// Serve metrics in Prometheus' text format at http://ADDRESS:PORT/metrics, to anybody who can connect
    /// (127.0.0.1:9104, [::]:9104) [default: nowhere]
    #[arg(long, value_name = "ADDRESS:PORT")]
    metrics_listen: Option<String>,
    /// Stop when everything before this position of the source is applied and durable
    #[arg(long, value_name = "FILE:POS", conflicts_with = "until_caught_up")]
    until: Option<String>,
    /// Stop when everything that the source has at start is applied and durable
    #[arg(long)]
    until_caught_up: bool,
    /// End with exit code 1 on an error that would stop replication
    #[arg(long)]
    exit_on_error: bool,
    /// What becomes of a table that cannot go on: quarantine (it is set aside, the others go on), resync (so where reading it
    /// afresh mends it, else stop) or stop [default: quarantine; with --exit-on-error: resync]
    #[arg(long, value_name = "WHAT", value_parser = parse_word::<OnTableError>)]
    on_table_error: Option<OnTableError>,
}

/// Reads a word as the config file would.
fn parse_word<T: serde::de::DeserializeOwned>(text: &str) -> std::result::Result<T, String> {
    let value = toml::Value::String(text.to_lowercase());
    value
        .try_into()
        .map_err(|error: toml::de::Error| error.message().to_owned())
}

/// A list that no flag was given for says nothing.
fn given(names: Vec<String>) -> Option<Vec<String>> {
    (!names.is_empty()).then_some(names)
}

impl Settings {
    /// Flags over environment over file.
    fn merged(self) -> Result<Layer> {
        let file = match &self.config {
            Some(path) => Layer::from_file(path)?,
            None => Layer::default(),
        };
        let environment = Layer::from_environment(|name| std::env::var(name).ok())?;
        Ok(file.under(environment).under(self.layer()))
    }

    fn layer(self) -> Layer {
        Layer {
            source: self.source,
            password_file: self.password_file,
            server_id: self.server_id,
            start: self.start,
            skip_to: self.skip_to,
            relay_dir: self.relay_dir,
            relay_log_purge: self.relay_log_purge,
            relay_log_expire_seconds: self.relay_log_expire_seconds,
            relay_log_retain_bytes: self.relay_log_retain_bytes,
            relay_log_space_limit: self.relay_log_space_limit,
            target: self.target,
            target_password_file: self.target_password_file,
            workers: self.workers,
            connect_retry: self.connect_retry,
            heartbeat_period: self.heartbeat_period,
            replica_net_timeout: self.replica_net_timeout,
            ssl_mode: self.ssl_mode,
            ssl_ca: self.ssl_ca,
            ssl_cert: self.ssl_cert,
            ssl_key: self.ssl_key,
            driver: self.driver,
            replicate_do_db: given(self.replicate_do_db),
            replicate_ignore_db: given(self.replicate_ignore_db),
            replicate_do_table: given(self.replicate_do_table),
            replicate_ignore_table: given(self.replicate_ignore_table),
            replicate_wild_do_table: given(self.replicate_wild_do_table),
            replicate_wild_ignore_table: given(self.replicate_wild_ignore_table),
            replicate_rewrite_db: given(self.replicate_rewrite_db),
            semi_sync: self.semi_sync.then_some(true),
            metrics_listen: self.metrics_listen,
            until: self.until,
            until_caught_up: self.until_caught_up.then_some(true),
            exit_on_error: self.exit_on_error.then_some(true),
            on_table_error: self.on_table_error,
            ..Layer::default()
        }
    }
}

/// The relay directory of a command that only looks at it or asks who holds it, and all other settings but flags.
fn of_relay_dir(config: Option<&Path>, relay_dir: Option<PathBuf>) -> Result<(PathBuf, Layer)> {
    let file = config
        .map(Layer::from_file)
        .transpose()?
        .unwrap_or_default();
    let layer = file.under(Layer::from_environment(|name| std::env::var(name).ok())?);
    let relay_dir = relay_dir.or_else(|| layer.relay_dir.clone());
    Ok((relay_dir.unwrap_or_else(|| DEFAULT_RELAY_DIR.into()), layer))
}

/// Runs a parsed command line; the exit code is design's: 0 done, 1 a replication error, 2 usage or configuration.
pub fn execute(cli: Cli) -> ExitCode {
    let outcome = match cli.command {
        Command::Run(settings) => run::run(settings),
        Command::Check(settings) => check::check(settings),
        Command::Status(args) => status::status(&args),
        Command::Resync(args) => resync::resync(&args),
        Command::Relay(command) => relay::relay(&command),
    };
    outcome.unwrap_or_else(|error| {
        complain(&error);
        exit_code(&error)
    })
}

fn exit_code(error: &Error) -> ExitCode {
    match error.kind() {
        ErrorKind::Config | ErrorKind::Locked => ExitCode::from(2),
        _ => ExitCode::FAILURE,
    }
}

#[expect(
    clippy::print_stderr,
    reason = "the one place where errors reach the user"
)]
fn complain(error: &Error) {
    eprintln!("relaylite: error {}: {}", error.errno(), error.full_text());
}

/// Says which tables were set aside, where the exit code does not.
#[expect(clippy::print_stderr, reason = "a warning for the user")]
fn warn_of_quarantine(tables: &[QuarantineReport]) {
    for table in tables {
        eprintln!(
            "relaylite: warning: {}.{} is set aside since {}:{}: {}",
            table.database, table.table, table.source_log_file, table.source_log_pos, table.reason
        );
    }
}

/// Writes a line to standard output.
///
/// # Errors
/// `Io` when nobody reads any more (a closed pipe).
fn print_line(text: &str) -> Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(())
}
