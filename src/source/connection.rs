//! A connection to the source that is not dumping: questions, and the way into a dump.

use std::time::Duration;

use super::dump::{self, StartAt};
use super::event_stream::EventStream;
use super::info::SourceInfo;
use super::native::NativeStream;
use super::refusal;
use crate::binlog::flavor::Flavor;
use crate::binlog::gtid::GtidSet;
use crate::binlog::position::{FIRST_EVENT_OFFSET, Position};
use crate::config::source::{DriverKind, SourceConfig, Start};
use crate::error::{Error, ErrorKind, Result};
use crate::wire::{self, Connection, Endpoint, ResultSet, Rows};

/// MySQL's `ER_PARSE_ERROR`: the server has no such statement.
const PARSE_ERROR: u16 = 1064;

/// A connection that is logged in and knows who the source is.
#[derive(Debug)]
pub struct SourceConnection {
    config: SourceConfig,
    connection: Connection,
    info: SourceInfo,
}

/// Logs in and asks the source who it is.
///
/// # Errors
/// `Network` (2003), `Access` (1045), or the configuration cannot be used.
pub async fn connect(config: &SourceConfig) -> Result<SourceConnection> {
    let mut connection = open(config).await?;
    let info = SourceInfo::read(&mut connection).await?;
    Ok(SourceConnection {
        config: config.clone(),
        connection,
        info,
    })
}

/// Logs in.
pub(super) async fn open(config: &SourceConfig) -> Result<Connection> {
    let endpoint = Endpoint {
        host: &config.host,
        port: config.port,
        user: &config.user,
        password: &config.password,
        tls: &config.tls,
    };
    match wire::connect(&endpoint).await {
        Ok((connection, _)) => Ok(connection),
        Err(cause) => Err(refusal::login(config, cause)),
    }
}

impl SourceConnection {
    /// Who the source is.
    pub fn info(&self) -> &SourceInfo {
        &self.info
    }

    /// How it is reached.
    pub(super) fn config(&self) -> &SourceConfig {
        &self.config
    }

    /// Runs an ordinary query.
    ///
    /// # Errors
    /// The source's error with its number; `Network` when the connection is lost.
    pub async fn query(&mut self, sql: &str) -> Result<ResultSet> {
        self.connection.query(sql).await
    }

    /// Runs an ordinary query whose rows come one by one; see [`Connection::rows`].
    ///
    /// # Errors
    /// As [`Self::query`].
    pub async fn rows(&mut self, sql: &str, row_bytes_max: usize) -> Result<Rows<'_>> {
        self.connection.rows(sql, row_bytes_max).await
    }

    /// Sets how long the source may stay silent while it works on a query.
    pub fn set_query_timeout(&mut self, timeout: Duration) {
        self.connection.set_read_timeout(timeout);
    }

    /// Runs a query that needs REPLICATION CLIENT.
    async fn query_as_replica(&mut self, sql: &str) -> Result<ResultSet> {
        let answer = self.connection.query(sql).await;
        answer.map_err(|cause| refusal::missing_grant(&self.info, &format!("run {sql}"), cause))
    }

    /// The end of the source's binlog, and all GTIDs up to there.
    ///
    /// # Errors
    /// `Preflight` when the source has no binlog, `Access` (1227) when the account may not see it.
    pub async fn current_position(&mut self) -> Result<(Position, GtidSet)> {
        if self.info.flavor == Flavor::MySql {
            let status = self.binlog_status().await?;
            let set = status
                .first("Executed_Gtid_Set")
                .unwrap_or_default()
                .parse()?;
            return Ok((end_of(&status)?, set));
        }
        // MariaDB tells position and GTIDs apart: they belong together when nothing was written in between.
        let mut end = end_of(&self.binlog_status().await?)?;
        for _ in 0..3 {
            let set = self.query("SELECT @@global.gtid_binlog_pos AS pos").await?;
            let after = end_of(&self.binlog_status().await?)?;
            if end == after {
                return Ok((end, set.first("pos").unwrap_or_default().parse()?));
            }
            end = after;
        }
        // On a busy source, let it look the GTIDs up in the file.
        let set = self.binlog_gtid_pos(&end).await?;
        Ok((end, set))
    }

    /// SHOW BINARY LOG STATUS, or what it was called before.
    async fn binlog_status(&mut self) -> Result<ResultSet> {
        const NEW: &str = "SHOW BINARY LOG STATUS";
        const OLD: &str = "SHOW MASTER STATUS";
        let (first, second) = if self.info.has_binary_log_status() {
            (NEW, OLD)
        } else {
            (OLD, NEW)
        };
        match self.query_as_replica(first).await {
            Err(error) if error.errno() == PARSE_ERROR => self.query_as_replica(second).await,
            answer => answer,
        }
    }

    /// The source's binlog files with their sizes in bytes, oldest first.
    ///
    /// # Errors
    /// As [`Self::current_position`].
    pub async fn binary_logs(&mut self) -> Result<Vec<(String, u64)>> {
        let answer = match self.query_as_replica("SHOW BINARY LOGS").await {
            // ER_NO_BINARY_LOGGING
            Err(error) if error.errno() == 1381 => return Err(no_binlog().with_source(error)),
            answer => answer?,
        };
        let size = |row| {
            answer
                .text(row, "File_size")
                .and_then(|size| size.parse().ok())
        };
        Ok(answer
            .rows
            .iter()
            .filter_map(|row| Some((answer.text(row, "Log_name")?.into_owned(), size(row)?)))
            .collect())
    }

    /// Where a dump starts that the configuration words so.
    ///
    /// # Errors
    /// `Config` for a GTID set of the other family; otherwise as [`Self::current_position`].
    pub async fn resolve(&mut self, start: &Start) -> Result<StartAt> {
        match start {
            Start::Position(position) => Ok(StartAt::Position(position.clone())),
            Start::Gtid(set) => {
                dump::check_family(set, &self.info)?;
                Ok(StartAt::Gtid(set.clone()))
            }
            Start::Earliest if self.info.has_innodb_binlog() => {
                Ok(StartAt::Gtid(GtidSet::default()))
            }
            Start::Earliest => match self.binary_logs().await?.into_iter().next() {
                Some((file, _)) => Ok(StartAt::Position(Position::new(file, FIRST_EVENT_OFFSET))),
                None => Err(no_binlog()),
            },
            Start::Latest => {
                let (position, set) = self.current_position().await?;
                Ok(if set.is_empty() {
                    StartAt::Position(position)
                } else if self.info.has_innodb_binlog() {
                    StartAt::Gtid(set)
                } else if dump::fits_dump_command(position.offset) {
                    StartAt::Position(position)
                } else {
                    StartAt::GtidAt(set, position)
                })
            }
        }
    }

    /// Starts the dump. A start that the source does not have is refused by the first [`EventStream::read`].
    ///
    /// # Errors
    /// `Access` (1227) without REPLICATION SLAVE; `Dump` for a position over 4 GiB; `Network`.
    pub async fn dump(mut self, start: &StartAt) -> Result<Box<dyn EventStream>> {
        let statements = dump::session_statements(&self.config, &self.info, start)?;
        let command = dump::dump_command(&self.config, &self.info, start)?;
        if self.config.driver == DriverKind::MysqlCdc {
            self.connection.quit().await;
            return mysql_cdc_dump(self.config, self.info, start, statements, command).await;
        }
        for statement in statements {
            self.connection.exec(&statement).await?;
        }
        self.connection
            .command(&dump::register_command(&self.config))
            .await?;
        let registered = self.connection.read_ok().await;
        registered
            .map_err(|cause| refusal::missing_grant(&self.info, "register as a replica", cause))?;
        self.connection.command(&command).await?;
        Ok(Box::new(NativeStream::new(
            self.connection,
            self.config,
            self.info,
            start.clone(),
        )))
    }

    /// Says goodbye.
    pub async fn quit(self) {
        self.connection.quit().await;
    }
}

#[cfg(feature = "mysql-cdc")]
use super::mysql_cdc::dump as mysql_cdc_dump;

/// Stands in for the driver in a build without it.
#[cfg(not(feature = "mysql-cdc"))]
#[expect(clippy::unused_async, reason = "has the shape of the real one")]
async fn mysql_cdc_dump(
    _config: SourceConfig,
    _info: SourceInfo,
    _start: &StartAt,
    _statements: Vec<String>,
    _command: Vec<u8>,
) -> Result<Box<dyn EventStream>> {
    Err(Error::new(
        ErrorKind::Config,
        "this build has no driver mysql_cdc; set driver = \"native\", or build with --features \
         mysql-cdc",
    ))
}

fn end_of(status: &ResultSet) -> Result<Position> {
    let file = status.first("File").filter(|file| !file.is_empty());
    let offset = status
        .first("Position")
        .and_then(|offset| offset.parse().ok());
    match (file, offset) {
        (Some(file), Some(offset)) => Ok(Position::new(&*file, offset)),
        _ => Err(no_binlog()),
    }
}

fn no_binlog() -> Error {
    Error::new(
        ErrorKind::Preflight,
        "the source writes no binary log; in its my.cnf under [mysqld]: log_bin = binlog, \
         server_id = 1, then restart it",
    )
}
