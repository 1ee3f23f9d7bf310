//! relaylite's own database on the target: checkpoints, watermark, and the DDL that was begun.
//!
//! # Invariants
//! [`write`] runs in the transaction that holds the rows; whoever calls it commits. The tables are those of
//! `schemas/mysql_target.sql`; names of databases are compared byte by byte.

use std::sync::Arc;

use mysql_async::Value;

use super::connection::Connection;
use crate::binlog::gtid::GtidSet;
use crate::binlog::position::Position;
use crate::checkpoint::{Checkpoint, Watermark};
use crate::error::{Error, ErrorKind, Result};

/// The database that relaylite keeps on the target.
pub(super) const DATABASE: &str = "relaylite";

const TABLES: &str = include_str!("../../../schemas/mysql_target.sql");

/// A database's name as a parameter that compares by the primary key.
pub(super) const NAME: &str = "CONVERT(? USING utf8mb4) COLLATE utf8mb4_bin";

/// MySQL: unknown database.
const ER_BAD_DB: u16 = 1049;
/// MySQL: no such table.
const ER_NO_SUCH_TABLE: u16 = 1146;

/// A DDL statement that was begun, as [`DATABASE`] remembers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Intent {
    /// Where the statement ends in the source's binlog: what a checkpoint must reach to be behind it.
    pub end: Position,
    /// When the source ran it.
    pub event_timestamp: u32,
    /// Its text.
    pub statement: Vec<u8>,
    /// Digest of the definitions of its tables before it.
    pub tables_before: String,
}

type Row = (String, String, u64, String, u32);

/// Makes the tables that are not there yet.
pub(super) fn create_tables(connection: &mut Connection) -> Result<()> {
    let missing = match connection.select_text::<u64>(
        "SELECT COUNT(*) FROM relaylite.copy",
        "looking for relaylite's own tables",
    ) {
        Ok(_) => false,
        Err(error) if matches!(error.errno(), ER_BAD_DB | ER_NO_SUCH_TABLE) => true,
        Err(error) => return Err(error),
    };
    if missing {
        for statement in statements(TABLES) {
            connection.query(&statement, "making relaylite's own tables")?;
        }
    }
    Ok(())
}

/// The statements of a script without its comment lines. No `;` stands inside a statement.
fn statements(script: &str) -> Vec<String> {
    let lines = script.lines().filter(|line| !line.starts_with("--"));
    let text = lines.collect::<Vec<_>>().join("\n");
    text.split(';')
        .map(str::trim)
        .filter(|s| !s.is_empty())
        .map(str::to_owned)
        .collect()
}

/// All databases' checkpoints.
pub(super) fn read_all(connection: &mut Connection) -> Result<Vec<(String, Checkpoint)>> {
    read_where(connection, "TRUE")
}

/// The checkpoints of databases that the target does not have (any more).
pub(super) fn read_dropped(connection: &mut Connection) -> Result<Vec<(String, Checkpoint)>> {
    let there = "SELECT CONVERT(SCHEMA_NAME USING utf8mb4) COLLATE utf8mb4_bin FROM information_schema.SCHEMATA";
    read_where(connection, &format!("source_database NOT IN ({there})"))
}

/// Forgets how far a database is.
pub(super) fn remove(connection: &mut Connection, database: &str) -> Result<()> {
    let sql = format!("DELETE FROM relaylite.checkpoint WHERE source_database = {NAME}");
    connection
        .execute(&sql, vec![database.into()], "removing a checkpoint")
        .map(drop)
}

fn read_where(connection: &mut Connection, which: &str) -> Result<Vec<(String, Checkpoint)>> {
    let rows: Vec<(String, String, String, u64, String, u32)> = connection.select_text(
        &format!(
            "SELECT source_database, source_id, file, pos, executed, source_timestamp FROM relaylite.checkpoint \
             WHERE {which}"
        ),
        "reading the checkpoints",
    )?;
    rows.into_iter()
        .map(|(database, source_id, file, pos, executed, timestamp)| {
            let checkpoint = parse((source_id, file, pos, executed, timestamp))?;
            Ok((database, checkpoint))
        })
        .collect()
}

/// One database's checkpoint.
pub(super) fn read(connection: &mut Connection, database: &str) -> Result<Option<Checkpoint>> {
    let rows: Vec<Row> = connection.select(
        &format!(
            "SELECT source_id, file, pos, executed, source_timestamp FROM relaylite.checkpoint \
             WHERE source_database = {NAME}"
        ),
        vec![database.into()],
        "reading the checkpoint",
    )?;
    rows.into_iter().next().map(parse).transpose()
}

/// Writes one database's checkpoint in the open transaction; `first` when the database has none.
pub(super) fn write(
    connection: &mut Connection,
    database: &str,
    at: &Checkpoint,
    first: bool,
) -> Result<()> {
    let sql = if first {
        "INSERT INTO relaylite.checkpoint (source_id, file, pos, executed, source_timestamp, source_database) \
         VALUES (?, ?, ?, ?, ?, ?)"
            .to_owned()
    } else {
        format!(
            "UPDATE relaylite.checkpoint SET source_id = ?, file = ?, pos = ?, executed = ?, source_timestamp = ? \
             WHERE source_database = {NAME}"
        )
    };
    let mut params = columns(at);
    params.push(database.into());
    let rows = connection.execute(&sql, params, "writing the checkpoint")?;
    if rows != 1 {
        return Err(Error::new(
            ErrorKind::Target,
            format!(
                "the checkpoint of `{database}` is gone from the target's table relaylite.checkpoint; restore it \
                 before replication goes on"
            ),
        ));
    }
    Ok(())
}

/// The watermark.
pub(super) fn read_watermark(connection: &mut Connection) -> Result<Option<Watermark>> {
    let rows: Vec<(String, String, u64, String, u32, String)> = connection.select_text(
        "SELECT source_id, file, pos, executed, source_timestamp, parked FROM relaylite.watermark WHERE id = 1",
        "reading the watermark",
    )?;
    let Some((source_id, file, pos, executed, timestamp, parked)) = rows.into_iter().next() else {
        return Ok(None);
    };
    let parked = serde_json::from_str(&parked).map_err(|error| {
        Error::new(
            ErrorKind::Target,
            "relaylite.watermark on the target holds no list of parked XA transactions",
        )
        .with_source(error)
    })?;
    let at = parse((source_id, file, pos, executed, timestamp))?;
    Ok(Some(Watermark { at, parked }))
}

/// Replaces the watermark, in one statement.
pub(super) fn write_watermark(connection: &mut Connection, watermark: &Watermark) -> Result<()> {
    let parked = serde_json::to_string(&watermark.parked)
        .map_err(|error| Error::new(ErrorKind::Internal, "watermark").with_source(error))?;
    let sql = "REPLACE INTO relaylite.watermark (id, source_id, file, pos, executed, source_timestamp, parked) \
               VALUES (1, ?, ?, ?, ?, ?, ?)";
    let mut params = columns(&watermark.at);
    params.push(parked.into());
    connection
        .execute(sql, params, "writing the watermark")
        .map(drop)
}

/// The DDL of a database that was begun and not checkpointed.
pub(super) fn read_intent(connection: &mut Connection, database: &str) -> Result<Option<Intent>> {
    let rows: Vec<(String, u64, u32, Vec<u8>, String)> = connection.select(
        &format!(
            "SELECT file, pos, event_timestamp, statement, tables_before FROM relaylite.ddl \
             WHERE source_database = {NAME}"
        ),
        vec![database.into()],
        "reading which DDL was begun",
    )?;
    Ok(rows
        .into_iter()
        .next()
        .map(
            |(file, pos, event_timestamp, statement, tables_before)| Intent {
                end: Position::new(file, pos),
                event_timestamp,
                statement,
                tables_before,
            },
        ))
}

/// Remembers that a DDL is about to run.
pub(super) fn write_intent(
    connection: &mut Connection,
    database: &str,
    intent: &Intent,
) -> Result<()> {
    let sql = "REPLACE INTO relaylite.ddl (source_database, file, pos, event_timestamp, statement, tables_before) \
               VALUES (?, ?, ?, ?, ?, ?)";
    let params = vec![
        database.into(),
        (&*intent.end.file).into(),
        Value::UInt(intent.end.offset),
        intent.event_timestamp.into(),
        Value::Bytes(intent.statement.clone()),
        intent.tables_before.as_str().into(),
    ];
    connection
        .execute(sql, params, "noting a DDL statement")
        .map(drop)
}

/// Forgets the DDL in the open transaction.
pub(super) fn remove_intent(connection: &mut Connection, database: &str) -> Result<()> {
    let sql = format!("DELETE FROM relaylite.ddl WHERE source_database = {NAME}");
    connection
        .execute(&sql, vec![database.into()], "striking out a DDL statement")
        .map(drop)
}

fn columns(at: &Checkpoint) -> Vec<Value> {
    vec![
        (&*at.source_id).into(),
        (&*at.position.file).into(),
        Value::UInt(at.position.offset),
        at.executed.to_string().into(),
        Value::UInt(at.timestamp.into()),
    ]
}

fn parse((source_id, file, pos, executed, timestamp): Row) -> Result<Checkpoint> {
    let executed = if executed.is_empty() {
        GtidSet::default()
    } else {
        executed.parse().map_err(|error: Error| {
            Error::new(
                ErrorKind::Target,
                "the target's table in `relaylite` holds no GTID set",
            )
            .with_source(error)
        })?
    };
    Ok(Checkpoint {
        source_id: source_id.into(),
        position: Position::new(file, pos),
        executed: Arc::new(executed),
        timestamp,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_splits_into_its_statements() {
        let statements = statements(TABLES);
        assert_eq!(statements.len(), 6);
        assert!(
            statements
                .iter()
                .all(|s| s.starts_with("CREATE ") && s.contains("relaylite"))
        );
    }
}
