//! One blocking connection to the target server, with its errors in relaylite's words.
//!
//! # Threading
//! A [`Connection`] drives its own single-threaded runtime: it belongs to one thread at a time. It blocks; inside a task
//! of a multi-threaded runtime it takes that worker out of the pool meanwhile, inside a single-threaded runtime it must
//! not be used.
//!
//! # Invariants
//! Statement text is UTF-8 or the source's own bytes; values go as parameters of prepared statements, never into the
//! text. A connection that failed below the SQL level is broken for good: its owner drops it and opens another.
//!
//! # Limits
//! `MYSQL_TARGET_STATEMENTS_MAX` prepared statements stay open; a packet is as large as the target allows.

use std::path::Path;
use std::time::{Duration, Instant};

use mysql_async::prelude::{FromRow, Queryable};
use mysql_async::{ClientIdentity, Conn, DriverError, Opts, OptsBuilder, SslOpts, Value};
use secrecy::ExposeSecret;
use tokio::runtime::Runtime;

use crate::config::limits;
use crate::config::source::{SslMode, TlsConfig};
use crate::config::target::MysqlTargetConfig;
use crate::error::{Error, ErrorKind, Result};

/// MySQL: lock wait timeout.
const ER_LOCK_WAIT_TIMEOUT: u16 = 1205;
/// MySQL: deadlock found.
const ER_LOCK_DEADLOCK: u16 = 1213;
/// MySQL: packet larger than `max_allowed_packet`.
const ER_NET_PACKET_TOO_LARGE: u16 = 1153;
/// How often TCP asks whether a silent server is still there.
const TCP_KEEPALIVE: Duration = Duration::from_secs(30);

/// Opens connections to one target server.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    opts: Opts,
    /// The same without TLS, for `ssl_mode=preferred` and a server that has none.
    plain: Option<Opts>,
    /// `user@host:port`, for messages.
    login: String,
}

/// What the server is and how it is set.
#[derive(Debug, Clone)]
pub(super) struct Server {
    /// Whether it is a MariaDB.
    pub mariadb: bool,
    /// `VERSION()`.
    pub version: String,
    /// The version as one number: 80400, 101119.
    pub version_number: u32,
    /// `max_allowed_packet`: no row can be larger.
    pub packet_bytes_max: usize,
    /// Whether a COMMIT that was answered survives a power loss.
    pub durable_commits: bool,
}

/// What a connection waits with.
struct Waiter(Option<Runtime>);

impl Waiter {
    fn new() -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        Ok(Self(Some(runtime)))
    }

    fn wait<F: Future>(&self, future: F) -> Result<F::Output> {
        match &self.0 {
            Some(runtime) => Ok(tokio::task::block_in_place(|| runtime.block_on(future))),
            None => Err(Error::new(
                ErrorKind::Internal,
                "a connection outlived its runtime",
            )),
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // A plain drop may block, which panics inside an asynchronous task.
            runtime.shutdown_background();
        }
    }
}

/// A connection that is logged in.
pub(super) struct Connection {
    conn: Conn,
    // Behind the connection, which is dropped first.
    waiter: Waiter,
    /// Whether the server is gone, or the protocol out of step.
    broken: bool,
    last_used: Instant,
    login: String,
    /// The server behind it.
    pub server: Server,
}

impl Connector {
    /// Prepares the login; nothing is opened.
    pub(super) fn new(config: &MysqlTargetConfig) -> Self {
        let base = OptsBuilder::default()
            .ip_or_hostname(config.host.clone())
            .tcp_port(config.port)
            .user(Some(config.user.clone()))
            .pass(Some(config.password.expose_secret().to_owned()))
            .prefer_socket(false)
            .tcp_nodelay(true)
            .tcp_keepalive(Some(TCP_KEEPALIVE))
            // An UPDATE then answers how many rows it found, also where nothing had to change.
            .client_found_rows(true)
            .stmt_cache_size(limits::MYSQL_TARGET_STATEMENTS_MAX);
        let plain = (config.tls.mode == SslMode::Preferred).then(|| Opts::from(base.clone()));
        Self {
            opts: Opts::from(base.ssl_opts(tls_options(&config.tls))),
            plain,
            login: format!("{}@{}", config.user, config.address()),
        }
    }

    /// Connects, logs in and asks what the server is.
    ///
    /// # Errors
    /// `Network` when it cannot be reached, `Access` when it refuses the login.
    pub(super) fn connect(&self) -> Result<Connection> {
        let waiter = Waiter::new()?;
        let conn = waiter.wait(self.login())??;
        let mut connection = Connection {
            conn,
            waiter,
            broken: false,
            last_used: Instant::now(),
            login: self.login.clone(),
            server: Server {
                mariadb: false,
                version: String::new(),
                version_number: 0,
                packet_bytes_max: 0,
                durable_commits: false,
            },
        };
        connection.server = connection.ask_server()?;
        Ok(connection)
    }

    async fn login(&self) -> Result<Conn> {
        match self.attempt(&self.opts).await {
            Err(mysql_async::Error::Driver(DriverError::NoClientSslFlagFromServer)) => {
                let Some(plain) = &self.plain else {
                    return Err(Error::new(
                        ErrorKind::Preflight,
                        format!(
                            "the target {} offers no TLS, but ssl_mode asks for it",
                            self.login
                        ),
                    ));
                };
                self.attempt(plain)
                    .await
                    .map_err(|error| self.refused(error))
            }
            result => result.map_err(|error| self.refused(error)),
        }
    }

    async fn attempt(&self, opts: &Opts) -> mysql_async::Result<Conn> {
        let timeout = Duration::from_millis(limits::CONNECT_TIMEOUT_MS);
        match tokio::time::timeout(timeout, Box::pin(Conn::new(opts.clone()))).await {
            Ok(result) => result,
            Err(_) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
        }
    }

    fn refused(&self, error: mysql_async::Error) -> Error {
        match &error {
            mysql_async::Error::Server(server) => {
                let (kind, code) = (server_kind(server.code), server.code);
                let kind = if kind == ErrorKind::Target {
                    ErrorKind::Access
                } else {
                    kind
                };
                Error::new(
                    kind,
                    format!("the target refused the login of {}", self.login),
                )
                .with_errno(code)
                .with_source(error)
            }
            mysql_async::Error::Io(mysql_async::IoError::Tls(_)) => Error::new(
                ErrorKind::Preflight,
                format!(
                    "no TLS session with the target {}; check ssl_mode and ssl_ca",
                    self.login
                ),
            )
            .with_source(error),
            _ => Error::new(
                ErrorKind::Network,
                format!(
                    "cannot connect to the target {}; check host, port and that the server runs",
                    self.login
                ),
            )
            .with_source(error),
        }
    }
}

/// `ssl_mode` in the client's terms; `None` for no TLS.
fn tls_options(tls: &TlsConfig) -> Option<SslOpts> {
    let path = |path: &Path| path.to_path_buf().into();
    let identity = match (&tls.cert, &tls.key) {
        (Some(cert), Some(key)) => Some(ClientIdentity::new(path(cert), path(key))),
        _ => None,
    };
    let checks_nothing = matches!(tls.mode, SslMode::Preferred | SslMode::Required);
    let options = SslOpts::default()
        .with_client_identity(identity)
        .with_danger_accept_invalid_certs(checks_nothing)
        .with_danger_skip_domain_validation(tls.mode != SslMode::VerifyIdentity);
    let options = match &tls.ca {
        Some(ca) => options
            .with_root_certs(vec![path(ca)])
            .with_disable_built_in_roots(true),
        None => options,
    };
    (tls.mode != SslMode::Disabled).then_some(options)
}

/// Errors that say of one statement that its tables, definitions or values are not as they must be (MySQL's and MariaDB's
/// error references): objects that are there or are not, words that are not known, values that do not fit, keys and checks.
const OF_ONE_STATEMENT: [u16; 58] = [
    1005, 1022, 1048, 1049, 1050, 1051, 1054, 1059, 1060, 1061, 1062, 1063, 1064, 1067, 1068, 1069,
    1070, 1071, 1072, 1073, 1074, 1075, 1083, 1089, 1091, 1101, 1113, 1115, 1118, 1136, 1146, 1163,
    1164, 1170, 1171, 1193, 1215, 1217, 1231, 1264, 1265, 1273, 1286, 1292, 1364, 1366, 1406, 1416,
    1451, 1452, 1690, 1826, 1911, 3140, 3819, 3822, 4025, 4166,
];

/// A server's last words on a connection: it shuts down, the connection was killed, nobody used it for too long.
const LAST_WORDS: [u16; 3] = [1053, 1927, 4031];

/// What kind of trouble a server's error number is.
fn server_kind(code: u16) -> ErrorKind {
    match code {
        // Too many connections; locks; a statement killed.
        1040 | 1203 | ER_LOCK_WAIT_TIMEOUT | ER_LOCK_DEADLOCK | 1317 | 3024 | 3572 => {
            ErrorKind::TargetBusy
        }
        code if LAST_WORDS.contains(&code) => ErrorKind::TargetBusy,
        // Login and grants, host blocked, read-only server.
        1044 | 1045 | 1129 | 1130 | 1142 | 1143 | 1227 | 1290 | 1370 | 1419 | 1698 | 1836
        | 4052 => ErrorKind::Access,
        1062 | 1169 | 1586 => ErrorKind::DuplicateRow,
        1021 | 1114 => ErrorKind::DiskFull,
        code if OF_ONE_STATEMENT.contains(&code) => ErrorKind::Refused,
        _ => ErrorKind::Target,
    }
}

/// Whether the server has left the connection, which it does with an error of its own where it can.
fn is_last_word(error: &mysql_async::Error) -> bool {
    match error {
        mysql_async::Error::Server(server) => LAST_WORDS.contains(&server.code),
        _ => false,
    }
}

impl Connection {
    /// Whether the connection can no longer be used.
    pub(super) fn is_broken(&self) -> bool {
        self.broken
    }

    /// The server's number for this connection.
    pub(super) fn id(&self) -> u32 {
        self.conn.id()
    }

    /// How long nothing was sent.
    pub(super) fn idle(&self) -> Duration {
        self.last_used.elapsed()
    }

    /// Asks for a sign of life.
    pub(super) fn ping(&mut self) -> Result<()> {
        let result = self.waiter.wait(self.conn.ping())?;
        self.finish(result, "answering a ping")
    }

    /// Runs one statement without parameters; `doing` is what an error says was going on.
    pub(super) fn query(&mut self, sql: &str, doing: &str) -> Result<()> {
        self.query_bytes(sql.as_bytes(), doing)
    }

    /// Runs one statement in whatever charset the session is set to.
    pub(super) fn query_bytes(&mut self, sql: &[u8], doing: &str) -> Result<()> {
        let result = self.waiter.wait(self.conn.query_drop(sql))?;
        self.finish(result, doing)
    }

    /// Runs a prepared statement; returns how many rows it found (UPDATE) or changed.
    pub(super) fn execute(&mut self, sql: &str, params: Vec<Value>, doing: &str) -> Result<u64> {
        let params = positional(params);
        let result = self.waiter.wait(self.conn.exec_drop(sql, params))?;
        self.finish(result, doing)?;
        Ok(self.conn.affected_rows())
    }

    /// The rows of a prepared query.
    pub(super) fn select<T>(&mut self, sql: &str, params: Vec<Value>, doing: &str) -> Result<Vec<T>>
    where
        T: FromRow + Send + 'static,
    {
        let params = positional(params);
        let result = self.waiter.wait(self.conn.exec(sql, params))?;
        self.finish(result, doing)
    }

    /// The rows of a query that cannot be prepared everywhere.
    pub(super) fn select_text<T>(&mut self, sql: &str, doing: &str) -> Result<Vec<T>>
    where
        T: FromRow + Send + 'static,
    {
        let result = self.waiter.wait(self.conn.query(sql))?;
        self.finish(result, doing)
    }

    /// Says goodbye to the server, so that it frees locks at once.
    pub(super) fn close(self) {
        let Self {
            conn,
            waiter,
            broken,
            ..
        } = self;
        if !broken {
            // A server that is gone by now frees them anyway.
            let _ = waiter.wait(conn.disconnect());
        }
    }

    fn finish<T>(&mut self, result: mysql_async::Result<T>, doing: &str) -> Result<T> {
        self.last_used = Instant::now();
        result.map_err(|error| {
            self.broken |= error.is_fatal() || is_last_word(&error);
            self.explain(error, doing)
        })
    }

    fn explain(&self, error: mysql_async::Error, doing: &str) -> Error {
        let login = &self.login;
        match &error {
            mysql_async::Error::Driver(DriverError::PacketTooLarge) => {
                self.packet_too_large(doing, None).with_source(error)
            }
            mysql_async::Error::Server(server) if server.code == ER_NET_PACKET_TOO_LARGE => {
                self.packet_too_large(doing, None).with_source(error)
            }
            mysql_async::Error::Server(server) => Error::new(
                server_kind(server.code),
                format!("the target {login} failed {doing}"),
            )
            .with_errno(server.code)
            .with_source(error),
            mysql_async::Error::Io(_)
            | mysql_async::Error::Driver(
                DriverError::ConnectionClosed | DriverError::PacketOutOfOrder,
            ) => Error::new(
                ErrorKind::TargetBusy,
                format!("the connection to the target {login} broke while {doing}"),
            )
            .with_errno(2013)
            .with_source(error),
            _ => Error::new(
                ErrorKind::Target,
                format!("the target {login} failed {doing}"),
            )
            .with_source(error),
        }
    }

    /// The error for a row that the target does not take, with the setting that decides.
    pub(super) fn packet_too_large(&self, doing: &str, bytes: Option<usize>) -> Error {
        let bytes = bytes.map_or(String::new(), |bytes| format!(" of {bytes} bytes"));
        Error::new(
            ErrorKind::Refused,
            format!(
                "a row{bytes} is too large for the target {} ({doing}): its max_allowed_packet is {} bytes; set it at \
                 least as high as on the source (1 GiB at most) and start again",
                self.login, self.server.packet_bytes_max
            ),
        )
        .with_errno(ER_NET_PACKET_TOO_LARGE)
    }

    fn ask_server(&mut self) -> Result<Server> {
        let doing = "asking for its version and settings";
        let rows: Vec<(String, usize, u64, u64, u64)> = self.select_text(
            "SELECT VERSION(), @@max_allowed_packet, @@innodb_flush_log_at_trx_commit, @@log_bin, @@sync_binlog",
            doing,
        )?;
        let Some((version, packet_bytes_max, flush, log_bin, sync_binlog)) =
            rows.into_iter().next()
        else {
            return Err(Error::new(
                ErrorKind::Protocol,
                "the target did not tell its version",
            ));
        };
        Ok(Server {
            mariadb: version.to_ascii_lowercase().contains("mariadb"),
            version_number: version_number(&version),
            version,
            packet_bytes_max,
            // With a binary log, crash recovery rolls back what that log lost.
            durable_commits: flush == 1 && (log_bin == 0 || sync_binlog == 1),
        })
    }
}

/// `10.11.19-MariaDB-log` is 101119.
fn version_number(version: &str) -> u32 {
    let digits = version
        .split(|c: char| !c.is_ascii_digit() && c != '.')
        .next()
        .unwrap_or_default();
    let mut parts = digits
        .split('.')
        .map(|part| part.parse::<u32>().unwrap_or(0).min(99));
    let mut part = || parts.next().unwrap_or(0);
    part() * 10_000 + part() * 100 + part()
}

fn positional(params: Vec<Value>) -> mysql_async::Params {
    if params.is_empty() {
        mysql_async::Params::Empty
    } else {
        mysql_async::Params::Positional(params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_numbers() {
        assert_eq!(version_number("10.11.19-MariaDB-0+deb12u1-log"), 101_119);
        assert_eq!(version_number("9.7.4-2"), 90_704);
        assert_eq!(version_number("8.4"), 80_400);
        assert_eq!(version_number("junk"), 0);
    }
}
