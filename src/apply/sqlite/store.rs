//! One database file: opened, with our own tables in it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::ffi::{ErrorCode, SQLITE_READONLY_ROLLBACK};
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use crate::binlog::position::Position;
use crate::checkpoint::Checkpoint;
use crate::config::limits::{
    SQLITE_BUSY_TIMEOUT_MS, SQLITE_CACHE_KIB, SQLITE_STATEMENT_CACHE, SQLITE_WAL_PAGES,
};
use crate::error::{Error, ErrorKind, Result};
use crate::failpoints;
use crate::schema::table::Collation;

const SCHEMA: &str = include_str!("../../../schemas/sqlite.sql");

/// What `_relaylite_database` says.
#[derive(Debug, Clone, PartialEq)]
pub struct DatabaseRow {
    /// The source's database.
    pub name: String,
    /// Default collation of new tables, where known.
    pub collation: Option<Collation>,
    /// Dropped on the source.
    pub dropped: bool,
}

/// Opens a database file for writing and makes our tables in it.
pub fn open(path: &Path, database: &str) -> Result<Connection> {
    if !path.exists() {
        // SQLite would make it readable by all; its -wal and -shm take the main file's mode.
        crate::disk::private_file(path, false)?;
    }
    let connection = Connection::open(path).map_err(|error| at_path(error, path))?;
    connection.busy_timeout(Duration::from_millis(SQLITE_BUSY_TIMEOUT_MS))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "cache_size", -SQLITE_CACHE_KIB)?;
    connection.pragma_update(None, "wal_autocheckpoint", SQLITE_WAL_PAGES)?;
    connection.pragma_update(None, "foreign_keys", false)?;
    // Names in ALTER TABLE … RENAME must not be rewritten in other objects behind our back.
    connection.pragma_update(None, "legacy_alter_table", true)?;
    connection.pragma_update(None, "temp_store", "FILE")?;
    connection.set_prepared_statement_cache_capacity(SQLITE_STATEMENT_CACHE);
    if let Some(bytes) = failpoints::sqlite_length_max() {
        connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, bytes)?;
    }
    make_own_tables(&connection, database)?;
    Ok(connection)
}

/// All of them or none, so that [`is_ours`] is never true of a file that lacks a row.
fn make_own_tables(connection: &Connection, database: &str) -> Result<()> {
    let transaction = connection.unchecked_transaction()?;
    transaction.execute_batch(SCHEMA)?;
    transaction.execute(
        "INSERT INTO _relaylite_database (id, name, dropped) VALUES (1, ?1, 0) ON CONFLICT DO NOTHING",
        [database],
    )?;
    transaction.commit()?;
    Ok(())
}

/// Makes what is committed durable, where it is not in the main file already.
pub fn sync_wal(path: &Path) -> Result<()> {
    match File::open(wal_path(path)) {
        Ok(wal) => wal.sync_data()?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// Moves all that is committed into the main file, durably, as far as readers allow.
pub fn empty_wal(path: &Path) -> Result<()> {
    let connection = Connection::open(path).map_err(|error| at_path(error, path))?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}

/// Opens a database file for reading only.
pub fn open_read_only(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    // Without a WAL nobody writes; a reader that looked for one would leave files behind that it cannot remove.
    let mode = if wal_path(path).exists() {
        ""
    } else {
        "?immutable=1"
    };
    let uri = format!("file:{}{mode}", uri_path(path));
    let connection =
        Connection::open_with_flags(uri, flags).map_err(|error| at_path(error, path))?;
    connection.busy_timeout(Duration::from_millis(SQLITE_BUSY_TIMEOUT_MS))?;
    Ok(connection)
}

/// A path as SQLite's URI form wants it (<https://sqlite.org/uri.html>).
fn uri_path(path: &Path) -> String {
    path.to_string_lossy()
        .replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23")
}

fn at_path(error: rusqlite::Error, path: &Path) -> Error {
    Error::new(ErrorKind::Target, format!("cannot open {}", path.display())).with_source(error)
}

/// Whether a file is one of ours: it has our tables.
pub fn is_ours(connection: &Connection) -> Result<bool> {
    let count = connection.query_row(
        "SELECT count(*) FROM sqlite_schema WHERE name IN ('_relaylite_checkpoint', '_relaylite_database')",
        [],
        |row| row.get::<_, i64>(0),
    );
    match count {
        Ok(count) => Ok(count == 2),
        // The file is being made, or was when the process was killed: before it is in WAL mode, and so before our tables
        // are in it, a rollback journal stands beside it that only a writer may undo.
        Err(rusqlite::Error::SqliteFailure(failure, _))
            if failure.extended_code == SQLITE_READONLY_ROLLBACK =>
        {
            Ok(false)
        }
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The database's own row.
pub fn database_row(connection: &Connection) -> Result<DatabaseRow> {
    let row = connection.query_row(
        "SELECT name, charset, collation, dropped FROM _relaylite_database WHERE id = 1",
        [],
        |row| {
            let (charset, name): (Option<String>, Option<String>) = (row.get(1)?, row.get(2)?);
            Ok(DatabaseRow {
                name: row.get(0)?,
                collation: charset
                    .zip(name)
                    .map(|(charset, name)| Collation { charset, name }),
                dropped: row.get(3)?,
            })
        },
    )?;
    Ok(row)
}

/// Stores the default collation, and whether the database is dropped.
pub fn set_database_row(
    connection: &Connection,
    collation: Option<&Collation>,
    dropped: bool,
) -> Result<()> {
    connection.execute(
        "UPDATE _relaylite_database SET charset = ?1, collation = ?2, dropped = ?3 WHERE id = 1",
        (
            collation.map(|c| c.charset.as_str()),
            collation.map(|c| c.name.as_str()),
            dropped,
        ),
    )?;
    Ok(())
}

/// The checkpoint; `None` before the first commit.
pub fn checkpoint(connection: &Connection) -> Result<Option<Checkpoint>> {
    let row = connection
        .query_row(
            "SELECT source_id, file, pos, gtid, source_timestamp FROM _relaylite_checkpoint WHERE id = 1",
            [],
            |row| {
                let fields: (String, String, i64, String, i64) =
                    (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?);
                Ok(fields)
            },
        )
        .optional()?;
    let Some((source_id, file, pos, gtid, timestamp)) = row else {
        return Ok(None);
    };
    let bad = |_| {
        Error::new(
            ErrorKind::Target,
            "_relaylite_checkpoint holds no valid position",
        )
    };
    Ok(Some(Checkpoint {
        source_id: source_id.into(),
        position: Position::new(file, u64::try_from(pos).map_err(bad)?),
        executed: Arc::new(gtid.parse()?),
        timestamp: u32::try_from(timestamp).map_err(bad)?,
    }))
}

/// Writes the checkpoint into the open transaction.
pub fn set_checkpoint(connection: &Connection, at: &Checkpoint) -> Result<()> {
    let pos = i64::try_from(at.position.offset)
        .map_err(|_| Error::new(ErrorKind::Internal, "a position beyond 2^63"))?;
    let mut statement = connection.prepare_cached(
        "INSERT INTO _relaylite_checkpoint (id, source_id, file, pos, gtid, source_timestamp) \
         VALUES (1, ?1, ?2, ?3, ?4, ?5) \
         ON CONFLICT (id) DO UPDATE SET source_id = excluded.source_id, file = excluded.file, \
         pos = excluded.pos, gtid = excluded.gtid, source_timestamp = excluded.source_timestamp",
    )?;
    statement.execute((
        at.source_id.as_ref(),
        at.position.file.as_ref(),
        pos,
        at.executed.to_string(),
        at.timestamp,
    ))?;
    Ok(())
}

/// The write-ahead log's file of a database file.
pub fn wal_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}
