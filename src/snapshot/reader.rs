//! Reads a table of the source in chunks, each at a position of the binlog that is known exactly.
//!
//! # How a chunk gets its position
//! One connection takes a read lock on the table (`LOCK TABLES … READ`): it comes when every transaction that changed the table has
//! committed wholly, in the binlog and in the engine. Under it a second connection opens a consistent read and touches the table, so that
//! no definition can change; then the end of the binlog is asked for, and the lock goes, some milliseconds after it came.
//! Whatever changes the table after that stands behind this position, and is not in the consistent read.
//! Tables of an engine without transactions are read under the lock.
//!
//! An account without the privilege LOCK TABLES locks the chunk's rows, and the gaps between them, in share mode instead: for that SELECT is
//! enough, and it means the same for the chunk.
//!
//! # Threading
//! One thread per table being read, started by [`LiveSnapshots`]; the network runs on the runtime given.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use tokio::runtime::Handle;

use super::rows::SnapshotRows;
use super::select::{self, Select, quoted};
use super::{SnapshotSource, Step, TableSnapshot, cell, definition};
use crate::binlog::flavor::Flavor;
use crate::binlog::position::Position;
use crate::config::limits::{
    EVENT_BYTES_MAX, QUERY_PACKET_BYTES_MAX, QUERY_TIMEOUT_MS, SNAPSHOT_CHUNK_BYTES,
    SNAPSHOT_CHUNK_ROWS, SNAPSHOT_FIRST_CHUNK_ROWS, SNAPSHOT_LOCK_WAIT_S, SNAPSHOT_PIECE_BYTES,
    SNAPSHOT_PIECES_AHEAD, SNAPSHOT_READ_TIMEOUT_S,
};
use crate::config::source::SourceConfig;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::table::Table;
use crate::source::{self, SourceConnection, SourceInfo, Version};
use crate::wire::{ResultSet, cells};

/// MySQL's `ER_LOCK_WAIT_TIMEOUT`.
const LOCK_WAIT_TIMEOUT: u16 = 1205;
/// MySQL's `ER_DBACCESS_DENIED_ERROR`: what LOCK TABLES answers to who may only SELECT.
const NO_LOCK_TABLES: u16 = 1044;
/// MySQL's `ER_DBACCESS_DENIED_ERROR`, `ER_TABLEACCESS_DENIED_ERROR`, `ER_COLUMNACCESS_DENIED_ERROR`.
const ACCESS_DENIED: [u16; 3] = [1044, 1142, 1143];
/// MySQL's `ER_NO_SUCH_TABLE`, `ER_BAD_DB_ERROR`.
const NOT_THERE: [u16; 2] = [1146, 1049];

/// Snapshots of the tables of one source.
#[derive(Debug)]
pub struct LiveSnapshots {
    source: Arc<SourceConfig>,
    runtime: Handle,
}

impl LiveSnapshots {
    /// Of this source; the network runs on `runtime`.
    pub fn new(source: SourceConfig, runtime: Handle) -> Self {
        Self {
            source: Arc::new(source),
            runtime,
        }
    }
}

impl SnapshotSource for LiveSnapshots {
    fn open(&self, database: &str, table: &str) -> Result<Box<dyn TableSnapshot>> {
        let (go, begun) = bounded(1);
        let (sender, steps) = bounded(SNAPSHOT_PIECES_AHEAD);
        let worker = Worker {
            source: self.source.clone(),
            runtime: self.runtime.clone(),
            database: database.to_owned(),
            table: table.to_owned(),
            steps: sender,
            rows: 0,
            estimate: 0,
            chunk_rows: SNAPSHOT_FIRST_CHUNK_ROWS,
            after: None,
            known: None,
            is_transactional: false,
            is_whole: false,
            locks_rows: false,
        };
        let thread = std::thread::Builder::new()
            .name("snapshot".into())
            .spawn(move || worker.run(&begun))?;
        Ok(Box::new(LiveSnapshot {
            go: Some(go),
            steps,
            thread: Some(thread),
        }))
    }
}

/// The reading end. Dropping it ends the thread at its next step.
struct LiveSnapshot {
    go: Option<Sender<()>>,
    steps: Receiver<Result<Step>>,
    thread: Option<JoinHandle<()>>,
}

impl TableSnapshot for LiveSnapshot {
    fn begin(&mut self) {
        if let Some(go) = &self.go {
            // Full: a chunk is begun already. Disconnected: `next` says why.
            let _ = go.try_send(());
        }
    }

    fn next(&mut self, wait: Duration) -> Result<Option<Step>> {
        match self.steps.recv_timeout(wait) {
            Ok(step) => step.map(Some),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => {
                self.go = None;
                let panicked = self
                    .thread
                    .take()
                    .is_some_and(|thread| thread.join().is_err());
                let what = if panicked {
                    "the thread that reads a table panicked"
                } else {
                    "a snapshot was asked for more than it has"
                };
                Err(Error::new(ErrorKind::Internal, what))
            }
        }
    }
}

/// A connection, asked from a thread.
struct Session<'r> {
    connection: SourceConnection,
    runtime: &'r Handle,
}

impl Session<'_> {
    fn query(&mut self, sql: &str) -> Result<ResultSet> {
        self.runtime.block_on(self.connection.query(sql))
    }

    fn set_timeout(&mut self, timeout: Duration) {
        self.connection.set_query_timeout(timeout);
    }
}

struct Worker {
    source: Arc<SourceConfig>,
    runtime: Handle,
    database: String,
    table: String,
    steps: Sender<Result<Step>>,
    rows: u64,
    estimate: u64,
    /// Rows of the next chunk.
    chunk_rows: usize,
    /// Where the next chunk begins: the key of the last row, as literals.
    after: Option<Vec<String>>,
    /// The definition that `after` belongs to.
    known: Option<Table>,
    /// Whether the table's engine has transactions.
    is_transactional: bool,
    /// Whether it comes as one chunk, because foreign keys tie it to other tables.
    is_whole: bool,
    /// Whether rows are locked instead of the table.
    locks_rows: bool,
}

/// What a chunk is read with.
struct Fence {
    at: Position,
    table: Table,
}

impl Worker {
    /// Connects at once, so that a chunk that is begun has its position soon.
    fn run(mut self, begun: &Receiver<()>) {
        let runtime = self.runtime.clone();
        if let Err(error) = self.serve(begun, &runtime) {
            let error = error.at_table(&self.database, &self.table);
            // Nobody reads any more: then nobody needs the error.
            let _ = self.steps.send(Err(error));
        }
    }

    fn serve(&mut self, begun: &Receiver<()>, runtime: &Handle) -> Result<()> {
        let (mut lock, mut read) = self.connect(runtime)?;
        while begun.recv().is_ok() {
            if self.chunk(&mut lock, &mut read)? {
                break;
            }
        }
        runtime.block_on(lock.connection.quit());
        runtime.block_on(read.connection.quit());
        Ok(())
    }

    fn connect<'r>(&self, runtime: &'r Handle) -> Result<(Session<'r>, Session<'r>)> {
        let open = || -> Result<Session<'r>> {
            let connection = runtime.block_on(source::connect(&self.source))?;
            Ok(Session {
                connection,
                runtime,
            })
        };
        let (mut lock, mut read) = (open()?, open()?);
        let unlimited = match lock.connection.info().flavor {
            Flavor::MySql => "SET SESSION max_execution_time = 0",
            Flavor::MariaDb => "SET SESSION max_statement_time = 0",
        };
        for session in [&mut lock, &mut read] {
            session.query(unlimited)?;
            session.query("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")?;
            session.query(&format!(
                "SET SESSION time_zone = '+00:00', sql_mode = '', lock_wait_timeout = {SNAPSHOT_LOCK_WAIT_S}, \
                 innodb_lock_wait_timeout = {SNAPSHOT_LOCK_WAIT_S}, net_write_timeout = {SNAPSHOT_READ_TIMEOUT_S}, sql_select_limit = DEFAULT"
            ))?;
        }
        read.query("SET NAMES utf8mb4")?;
        read.query("SET SESSION character_set_results = NULL")?;
        Ok((lock, read))
    }

    /// Reads one chunk; true when it was the last one.
    fn chunk(&mut self, lock: &mut Session<'_>, read: &mut Session<'_>) -> Result<bool> {
        lock.set_timeout(Duration::from_millis(QUERY_TIMEOUT_MS));
        read.set_timeout(Duration::from_millis(QUERY_TIMEOUT_MS));
        self.learn(lock)?;
        let Some(Fence { at, table }) = self.fence(lock, read)? else {
            send(&self.steps, Step::Busy)?;
            return Ok(false);
        };
        lock.set_timeout(Duration::from_secs(SNAPSHOT_READ_TIMEOUT_S));
        read.set_timeout(Duration::from_secs(SNAPSHOT_READ_TIMEOUT_S));
        if self.after_in(&table).is_none() {
            // The first chunk, or another definition and so perhaps another order of keys.
            self.after = None;
            self.rows = 0;
        }
        send(
            &self.steps,
            Step::Chunk {
                at,
                table: table.clone(),
                is_first: self.after.is_none(),
            },
        )?;
        let is_last = if self.is_transactional {
            let is_last = self.read(read, &table)?;
            read.query("COMMIT")?;
            is_last
        } else {
            lock.query("SET SESSION character_set_results = NULL")?;
            let is_last = self.read(lock, &table)?;
            lock.query("UNLOCK TABLES")?;
            is_last
        };
        self.known = Some(table);
        send(
            &self.steps,
            Step::End {
                is_last,
                rows: self.rows,
                rows_estimate: self.estimate.max(self.rows),
            },
        )?;
        Ok(is_last)
    }

    /// Asks about the table what may be a little out of date: its size, whether its engine has transactions, and whether foreign keys
    /// change its rows, or other tables' along with them, behind the binlog: such changes need all rows at one position.
    fn learn(&mut self, session: &mut Session<'_>) -> Result<()> {
        let literal = |name: &str| format!("'{}'", name.replace('\'', "''").replace('\\', "\\\\"));
        session.query("SET NAMES utf8mb4")?;
        let answer = session.query(&format!(
            "SELECT t.TABLE_ROWS AS estimate, e.TRANSACTIONS AS transactional FROM information_schema.TABLES t \
             LEFT JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE \
             WHERE t.TABLE_SCHEMA = {} AND t.TABLE_NAME = {}",
            literal(&self.database),
            literal(&self.table)
        ))?;
        if let Some(estimate) = answer.first("estimate").and_then(|rows| rows.parse().ok()) {
            self.estimate = estimate;
        }
        self.is_transactional = answer
            .first("transactional")
            .is_some_and(|answer| answer.eq_ignore_ascii_case("YES"));
        if !logs_cascades(session.connection.info()) {
            let (database, table) = (literal(&self.database), literal(&self.table));
            let keys = session.query(&format!(
                "SELECT COUNT(*) AS number FROM information_schema.REFERENTIAL_CONSTRAINTS \
                 WHERE (CONSTRAINT_SCHEMA = {database} AND TABLE_NAME = {table}) \
                 OR (UNIQUE_CONSTRAINT_SCHEMA = {database} AND REFERENCED_TABLE_NAME = {table})"
            ))?;
            self.is_whole = keys.first("number").is_some_and(|number| number != "0");
        }
        Ok(())
    }

    /// Finds a position at which `read` sees the table, and leaves its transaction open; `None` when the lock did not come in
    /// time. The lock is kept where the engine has no transactions.
    fn fence(&mut self, lock: &mut Session<'_>, read: &mut Session<'_>) -> Result<Option<Fence>> {
        let table = self.definition(lock)?;
        if table.has_key_apart() && !logs_cascades(lock.connection.info()) {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "a foreign key of this table (CASCADE or SET NULL) refers to another database, and the source does not log what \
                 such a key does to rows: it would not be followed from there on; make the key RESTRICT on the source first",
            ));
        }
        let locked = if self.locks_rows {
            self.lock_rows(lock, &table)
        } else {
            lock.query(&format!("LOCK TABLES {} READ", self.name()))
                .map(drop)
        };
        match locked {
            Ok(()) => {
                let fence = self.under_lock(lock, read)?;
                // Rows were locked by the definition before the lock.
                let is_sure = !self.locks_rows || fence.table == table;
                if !is_sure {
                    read.query("ROLLBACK")?;
                }
                Ok(is_sure.then_some(fence))
            }
            Err(error) if error.errno() == LOCK_WAIT_TIMEOUT => {
                lock.query("ROLLBACK")?;
                Ok(None)
            }
            // Without the privilege LOCK TABLES; what else is missing shows there.
            Err(error) if error.errno() == NO_LOCK_TABLES && self.may_lock_rows() => {
                self.locks_rows = true;
                self.fence(lock, read)
            }
            Err(error) => Err(self.refused(error, lock)),
        }
    }

    fn may_lock_rows(&self) -> bool {
        self.is_transactional && !self.locks_rows
    }

    /// The second way to a lock, for which SELECT is enough: the rows of this chunk, and the gaps between them.
    fn lock_rows(&self, lock: &mut Session<'_>, table: &Table) -> Result<()> {
        let select = Select::new(&self.database, table, self.is_whole);
        lock.query("START TRANSACTION")?;
        let sql = select.lock(self.after_in(table), self.chunk_rows);
        lock.runtime.block_on(async {
            let mut rows = lock.connection.rows(&sql, QUERY_PACKET_BYTES_MAX).await?;
            while rows.next().await?.is_some() {}
            Ok::<(), Error>(())
        })
    }

    fn under_lock(&self, lock: &mut Session<'_>, read: &mut Session<'_>) -> Result<Fence> {
        let table = self.definition(lock)?;
        if self.is_transactional {
            read.query("START TRANSACTION WITH CONSISTENT SNAPSHOT")?;
            read.query(&format!("SELECT 1 FROM {} LIMIT 0", self.name()))
                .map_err(|error| self.refused(error, lock))?;
        }
        let (at, _) = lock.runtime.block_on(lock.connection.current_position())?;
        if self.is_transactional {
            lock.query(if self.locks_rows {
                "COMMIT"
            } else {
                "UNLOCK TABLES"
            })?;
        }
        Ok(Fence { at, table })
    }

    fn definition(&self, session: &mut Session<'_>) -> Result<Table> {
        definition::table(&mut |sql| session.query(sql), &self.database, &self.table)
            .map_err(|error| self.refused(error, session))?
            .ok_or_else(no_table)
    }

    fn name(&self) -> String {
        format!("{}.{}", quoted(&self.database), quoted(&self.table))
    }

    /// Where the next chunk of a table that is still the same begins.
    fn after_in(&self, table: &Table) -> Option<&[String]> {
        self.after
            .as_deref()
            .filter(|_| self.known.as_ref() == Some(table))
    }

    /// Sends the rows of one chunk; true when no more follow.
    fn read(&mut self, session: &mut Session<'_>, table: &Table) -> Result<bool> {
        let select = Select::new(&self.database, table, self.is_whole);
        let is_whole = select.key().is_empty();
        let limit = self.chunk_rows;
        let sql = if is_whole {
            select.all().to_owned()
        } else {
            select.chunk(self.after.as_deref(), limit)
        };
        let width = table.columns.len();
        let (mut count, mut bytes) = (0, 0);
        let mut after = self.after.take();
        let (steps, connection) = (&self.steps, &mut session.connection);
        session.runtime.block_on(async {
            let row_bytes_max = usize::try_from(EVENT_BYTES_MAX).unwrap_or(usize::MAX);
            let mut rows = connection.rows(&sql, row_bytes_max).await?;
            let mut piece = SnapshotRows::new(width);
            while let Some(packet) = rows.next().await? {
                push_row(&mut piece, &packet, table)?;
                count += 1;
                bytes += packet.len();
                if !is_whole && count == limit {
                    after = Some(key_of(&packet, &select, table)?);
                }
                if piece.weight() >= SNAPSHOT_PIECE_BYTES {
                    let full = std::mem::replace(&mut piece, SnapshotRows::new(width));
                    send(steps, Step::Rows(full))?;
                }
            }
            if piece.is_empty() {
                return Ok(());
            }
            send(steps, Step::Rows(piece))
        })?;
        self.rows += u64::try_from(count).unwrap_or(u64::MAX);
        self.after = after;
        self.chunk_rows = next_chunk_rows(limit, count, bytes);
        Ok(is_whole || count < limit)
    }
    /// What the source says when the account may not read or lock the table.
    fn refused(&self, error: Error, session: &Session<'_>) -> Error {
        if NOT_THERE.contains(&error.errno()) {
            return no_table().with_source(error);
        }
        if !ACCESS_DENIED.contains(&error.errno()) {
            return error;
        }
        let what = format!(
            "to read the table afresh, the source's account needs more: GRANT SELECT, LOCK TABLES ON {}.* TO {} (the lock \
             is held for some milliseconds at a time)",
            quoted(&self.database),
            session.connection.info().account,
        );
        Error::new(ErrorKind::Access, what)
            .with_errno(error.errno())
            .with_source(error)
    }
}

/// Whether the source's binlog has what foreign keys do to child rows (MySQL manual, `innodb_native_foreign_keys`).
fn logs_cascades(info: &SourceInfo) -> bool {
    info.flavor == Flavor::MySql
        && info.version >= Version::new(9, 6, 0)
        && !info.is_on("innodb_native_foreign_keys")
}

/// Hands on a step; waits until there is room. Nobody there to take it ends the thread.
fn send(steps: &Sender<Result<Step>>, step: Step) -> Result<()> {
    steps
        .send(Ok(step))
        .map_err(|_| Error::new(ErrorKind::Stopped, "nobody reads this snapshot any more"))
}

fn push_row(piece: &mut SnapshotRows, packet: &[u8], table: &Table) -> Result<()> {
    let mut values = cells(packet);
    for column in &table.columns {
        let value = values.next().ok_or_else(short_row)??;
        cell::push(piece, value, &column.ty)?;
    }
    Ok(())
}

/// The key of a row, as literals.
fn key_of(packet: &[u8], select: &Select, table: &Table) -> Result<Vec<String>> {
    let values = cells(packet).collect::<Result<Vec<_>>>()?;
    let literal = |at: &usize| {
        let value = values.get(*at).copied().flatten()?;
        Some(select::literal(value, &table.columns.get(*at)?.ty))
    };
    let key: Option<Vec<_>> = select.key().iter().map(literal).collect();
    key.ok_or_else(short_row)
}

/// As many rows as fill a chunk, going by the last one.
fn next_chunk_rows(limit: usize, count: usize, bytes: usize) -> usize {
    let fitting = SNAPSHOT_CHUNK_BYTES
        .saturating_mul(count)
        .checked_div(bytes)
        .unwrap_or(limit);
    fitting
        .min(limit.saturating_mul(4))
        .clamp(1, SNAPSHOT_CHUNK_ROWS)
}

fn short_row() -> Error {
    Error::new(ErrorKind::Protocol, "a row with too few values")
}

fn no_table() -> Error {
    Error::new(
        ErrorKind::Schema,
        "the source has no such table, or the account may not see it",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_grow_to_their_size_and_no_further() {
        assert_eq!(next_chunk_rows(1_000, 1_000, 100_000), 4_000);
        assert_eq!(
            next_chunk_rows(16_000, 16_000, 1_600_000),
            SNAPSHOT_CHUNK_ROWS
        );
        assert_eq!(next_chunk_rows(1_000, 1_000, 1 << 30), 15);
        assert_eq!(next_chunk_rows(1_000, 1, 1 << 30), 1);
        assert_eq!(next_chunk_rows(1_000, 0, 0), 1_000);
    }
}
