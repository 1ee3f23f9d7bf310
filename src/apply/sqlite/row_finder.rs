//! Finding the row of a table that has no key, by all that the source says of it.
//!
//! A search by all columns reads the table. That is right for a few rows; for many it would be quadratic. When searches
//! in a table have cost too much, a *finder* is made: a TEMP table from a hash of the row's values to its rowid, filled by one
//! scan and kept right by TEMP triggers on the table. A search then looks the hash up and compares the row in full, so a
//! collision costs time, never a wrong row.
//!
//! TEMP objects belong to the lane's connection: no reader of the file sees them, they are rolled back with the
//! transaction, and SQLite keeps them in a temporary file behind a small cache, so memory stays bounded whatever the size of
//! the table (disk: about 30 bytes a row while it lives). A finder goes when nobody has used it for many inserts, before
//! any DDL, and with the connection.
//!
//! # Threading
//! Belongs to one lane.

use std::collections::hash_map::DefaultHasher;
use std::fmt::Write as _;
use std::hash::Hasher;

use rusqlite::functions::FunctionFlags;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Statement, StatementStatus};

use super::table_sql::TableSql;
use crate::config::limits::{
    SQLITE_FIND_FREE_STEPS, SQLITE_FIND_STEPS_MAX, SQLITE_FINDER_COLUMNS_MAX,
    SQLITE_FINDER_IDLE_ROWS_MAX,
};
use crate::error::Result;
use crate::schema::sqlite::quote_identifier;

/// The names of all TEMP objects here begin so.
const PREFIX: &str = "_relaylite_finder:";
const HASH: &str = "_relaylite_hash";

/// Makes the hash function known to a lane's connection. Nothing in the file refers to it.
pub(super) fn register(connection: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function(HASH, -1, flags, |context| {
        let mut hasher = DefaultHasher::new();
        for at in 0..context.len() {
            hash_value(context.get_raw(at), &mut hasher);
        }
        Ok(hasher.finish().cast_signed())
    })?;
    Ok(())
}

/// The hash of some columns, as SQL.
pub(super) fn hash_sql<'a>(columns: impl Iterator<Item = &'a str>) -> String {
    let columns: Vec<&str> = columns.collect();
    format!("{HASH}({})", columns.join(", "))
}

/// Values that `IS` holds for equal have equal hashes: 1 and 1.0, 0.0 and -0.0.
fn hash_value(value: ValueRef<'_>, hasher: &mut DefaultHasher) {
    let number = |hasher: &mut DefaultHasher, n: f64| {
        hasher.write_u8(1);
        hasher.write_u64(if n == 0.0 { 0 } else { n.to_bits() });
    };
    match value {
        ValueRef::Null => hasher.write_u8(0),
        #[expect(clippy::cast_precision_loss, reason = "equal numbers stay equal")]
        ValueRef::Integer(n) => number(hasher, n as f64),
        ValueRef::Real(n) => number(hasher, n),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            hasher.write_u8(2);
            hasher.write_usize(bytes.len());
            hasher.write(bytes);
        }
    }
}

/// Drops every finder of a connection.
pub(super) fn drop_all(connection: &Connection) -> Result<()> {
    let mut statement = connection.prepare_cached(
        "SELECT type, name FROM temp.sqlite_schema WHERE type IN ('table', 'trigger') AND name GLOB ?1 || '*' \
         ORDER BY type DESC",
    )?;
    let objects = statement.query_map([PREFIX], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let objects: Vec<(String, String)> = objects.collect::<rusqlite::Result<_>>()?;
    drop(statement);
    for (kind, name) in objects {
        connection.execute_batch(&format!("DROP {kind} temp.{}", quote_identifier(&name)))?;
    }
    Ok(())
}

/// How the rows of one table are found.
#[derive(Debug, Default)]
pub(super) struct RowFinder {
    /// Steps that searches took beyond what is free.
    steps: u64,
    /// The finder's columns, once there is one.
    columns: Option<Vec<usize>>,
    idle_rows: u64,
}

impl RowFinder {
    /// The statement that finds a row by `columns`, its rowid being the result; parameters are the columns' values in order.
    pub(super) fn find_sql(&self, table: &TableSql, columns: &[usize]) -> Result<String> {
        let rowid = table.rowid()?;
        let mut sql = String::new();
        match &self.columns {
            Some(hashed) if hashed.iter().all(|at| columns.contains(at)) => {
                let place = |at: &usize| columns.iter().position(|column| column == at);
                let values = hashed.iter().filter_map(place);
                let values: Vec<String> = values.map(|at| format!("?{}", at + 1)).collect();
                let _ = write!(
                    sql,
                    "SELECT t.{rowid} FROM temp.{} f CROSS JOIN main.{} t ON t.{rowid} = f.id \
                     WHERE f.hash = {HASH}({}) AND ",
                    finder_name(table),
                    table.name,
                    values.join(", ")
                );
            }
            _ => {
                let _ = write!(sql, "SELECT t.{rowid} FROM main.{} t WHERE ", table.name);
            }
        }
        table.push_row_condition(&mut sql, "t.", columns, 1);
        sql.push_str(" LIMIT 1");
        Ok(sql)
    }

    /// Runs a statement of [`Self::find_sql`] that has its parameters.
    pub(super) fn find(&mut self, statement: &mut Statement<'_>) -> Result<Option<i64>> {
        statement.reset_status(StatementStatus::VmStep);
        let found = statement
            .raw_query()
            .next()?
            .map(|row| row.get(0))
            .transpose()?;
        let steps = u64::try_from(statement.get_status(StatementStatus::VmStep)).unwrap_or(0);
        self.steps += steps.saturating_sub(SQLITE_FIND_FREE_STEPS);
        self.idle_rows = 0;
        Ok(found)
    }

    /// Makes a finder over `columns` when searches have cost enough; true when the statement to find by is another now.
    pub(super) fn improve(
        &mut self,
        connection: &Connection,
        table: &TableSql,
        columns: &[usize],
    ) -> Result<bool> {
        if self.steps < SQLITE_FIND_STEPS_MAX {
            return Ok(false);
        }
        self.steps = 0;
        let columns: Vec<usize> = columns
            .iter()
            .copied()
            .take(SQLITE_FINDER_COLUMNS_MAX)
            .collect();
        if self.columns.as_ref() == Some(&columns) {
            // It is no help: many rows are equal in all its columns.
            return Ok(false);
        }
        self.build(connection, table, &columns)?;
        self.columns = Some(columns);
        Ok(true)
    }

    fn build(&self, connection: &Connection, table: &TableSql, columns: &[usize]) -> Result<()> {
        drop_one(connection, table)?;
        let (name, target, rowid) = (finder_name(table), &table.name, table.rowid()?);
        let hash = |row: &str| {
            let columns: Vec<String> = columns
                .iter()
                .map(|at| format!("{row}{}", table.column(*at)))
                .collect();
            format!("{HASH}({})", columns.join(", "))
        };
        let trigger = |event: &str| {
            format!(
                "temp.{}",
                quote_identifier(&format!("{PREFIX}{event}:{}", table.plain_name))
            )
        };
        let remove = format!(
            "DELETE FROM {name} WHERE hash = {} AND id = old.{rowid}",
            hash("old.")
        );
        let add = format!("INSERT INTO {name} VALUES ({}, new.{rowid})", hash("new."));
        connection.execute_batch(&format!(
            "CREATE TABLE temp.{name} (hash INTEGER, id INTEGER, PRIMARY KEY (hash, id)) WITHOUT ROWID;
             INSERT INTO temp.{name} SELECT {}, {rowid} FROM main.{target} ORDER BY 1, 2;
             CREATE TRIGGER {} AFTER INSERT ON main.{target} BEGIN {add}; END;
             CREATE TRIGGER {} AFTER DELETE ON main.{target} BEGIN {remove}; END;
             CREATE TRIGGER {} AFTER UPDATE ON main.{target} BEGIN {remove}; {add}; END;",
            hash(""),
            trigger("insert"),
            trigger("delete"),
            trigger("update"),
        ))?;
        Ok(())
    }

    /// Told of rows that were inserted; drops a finder that nobody uses.
    pub(super) fn inserted(
        &mut self,
        connection: &Connection,
        table: &TableSql,
        rows: u64,
    ) -> Result<()> {
        if self.columns.is_some() {
            self.idle_rows += rows;
            if self.idle_rows > SQLITE_FINDER_IDLE_ROWS_MAX {
                self.give_up(connection, table)?;
            }
        }
        Ok(())
    }

    /// Drops the finder, which somebody else's change of the file may have made wrong; true when there was one.
    pub(super) fn give_up(&mut self, connection: &Connection, table: &TableSql) -> Result<bool> {
        self.idle_rows = 0;
        if self.columns.take().is_none() {
            return Ok(false);
        }
        drop_one(connection, table)?;
        Ok(true)
    }
}

fn finder_name(table: &TableSql) -> String {
    quote_identifier(&format!("{PREFIX}{}", table.plain_name))
}

fn drop_one(connection: &Connection, table: &TableSql) -> Result<()> {
    let mut sql = String::new();
    for event in ["insert", "delete", "update"] {
        let name = quote_identifier(&format!("{PREFIX}{event}:{}", table.plain_name));
        let _ = write!(sql, "DROP TRIGGER IF EXISTS temp.{name};");
    }
    let _ = write!(sql, "DROP TABLE IF EXISTS temp.{};", finder_name(table));
    connection.execute_batch(&sql)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_have_equal_hashes_and_others_do_not() {
        let connection = Connection::open_in_memory().unwrap();
        register(&connection).unwrap();
        let is_same = |a: &str, b: &str| -> bool {
            let sql = format!("SELECT {HASH}({a}) = {HASH}({b})");
            connection.query_row(&sql, [], |row| row.get(0)).unwrap()
        };
        for (a, b) in [
            ("1", "1.0"),
            ("0.0", "-0.0"),
            ("NULL, 'a'", "NULL, 'a'"),
            ("9007199254740993", "9007199254740993"),
        ] {
            assert!(is_same(a, b), "{a} {b}");
        }
        for (a, b) in [
            ("1", "'1'"),
            ("NULL", "0"),
            ("'a', 'b'", "'ab', ''"),
            ("'a'", "'A'"),
        ] {
            assert!(!is_same(a, b), "{a} {b}");
        }
    }

    #[test]
    fn nothing_is_left_behind() {
        let connection = Connection::open_in_memory().unwrap();
        let name = quote_identifier(&format!("{PREFIX}t"));
        connection
            .execute_batch(&format!(
                "CREATE TABLE t (a); CREATE TABLE temp.{name} (hash, id);
                 CREATE TRIGGER temp.\"{PREFIX}insert:t\" AFTER INSERT ON main.t BEGIN SELECT 1; END;
                 CREATE TEMP TABLE other (a)"
            ))
            .unwrap();
        drop_all(&connection).unwrap();
        let left: String = connection
            .query_row(
                "SELECT group_concat(name) FROM temp.sqlite_schema",
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(left, "other");
    }
}
