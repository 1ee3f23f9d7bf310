//! A table read afresh beside the former one, which readers see until the copy is complete.
//!
//! The copy is an ordinary table whose name begins with [`PREFIX`]; it costs the table's size on disk once more while it
//! lasts. What a killed process left of one is dropped when the file is opened.

use std::sync::Arc;

use rusqlite::Connection;

use super::catalog::Entry;
use super::lane::SqliteLane;
use super::table::TableWriter;
use crate::apply::copy::TableCopy;
use crate::apply::work::Work;
use crate::decode::value::Value;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::sqlite::{self, quote_identifier};
use crate::schema::table::Table;
use crate::snapshot::SnapshotRows;

/// Names of unfinished copies begin so.
const PREFIX: &str = "_relaylite_resync_";

/// Drops what a killed process left of its copies.
pub(super) fn drop_leftovers(connection: &Connection) -> Result<()> {
    let mut statement = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB ?1 || '*'")?;
    let names = statement.query_map([PREFIX], |row| row.get::<_, String>(0))?;
    let names: Vec<String> = names.collect::<rusqlite::Result<_>>()?;
    drop(statement);
    for name in names {
        connection.execute_batch(&format!("DROP TABLE {}", quote_identifier(&name)))?;
    }
    Ok(())
}

impl TableCopy for SqliteLane {
    fn begin_copy(&mut self, table: Table) -> Result<Arc<Table>> {
        self.within_savepoint(|lane| lane.make_shadow(table))
    }

    fn copy_rows(&mut self, table: &Arc<Table>, rows: &SnapshotRows) -> Result<()> {
        let mut row: Vec<Value<'_>> = Vec::new();
        let mut number = 0;
        while number < rows.len() {
            let entry = self.entry(&table.name)?;
            let writer = TableWriter::new(table.clone(), &entry.sqlite_name, entry.rowid_alias)?;
            let written =
                writer.copy(&self.connection, rows, number, &mut row, &mut self.scratch)?;
            number += written;
            if number < rows.len() {
                self.give_up_rowid_alias(&table.name)?;
            }
        }
        Ok(())
    }

    fn end_copy(&mut self, name: &str) -> Result<()> {
        self.with_progress(|lane| lane.within_savepoint(|lane| lane.show_shadow(name)))
    }

    fn abandon_copy(&mut self, name: &str) -> Result<()> {
        self.forget_writers()?;
        if let Some(shadow) = self.catalog.shadows().remove(name) {
            let sql = format!("DROP TABLE {}", quote_identifier(&shadow.sqlite_name));
            self.connection.execute_batch(&sql)?;
        }
        Ok(())
    }
}

impl SqliteLane {
    fn make_shadow(&mut self, table: Table) -> Result<Arc<Table>> {
        self.abandon_copy(&table.name)?;
        let number = (1..).find(|n| {
            let name = format!("{PREFIX}{n}");
            let mut shadows = self.catalog.shadows().values();
            shadows.all(|shadow| shadow.sqlite_name != name)
        });
        let sqlite_name = format!("{PREFIX}{}", number.unwrap_or_default());
        // With the indexes from the start: row events that come between two chunks find their rows by unique keys, too.
        let entry = self.make_table(table, sqlite_name)?;
        let table = entry.table.clone();
        self.catalog.shadows().insert(table.name.clone(), entry);
        self.forget_writers()?;
        Ok(table)
    }

    fn show_shadow(&mut self, name: &str) -> Result<()> {
        self.forget_writers()?;
        let Some(shadow) = self.catalog.shadows().remove(name) else {
            return Err(Error::new(
                ErrorKind::Internal,
                "a copy ends that was not begun",
            ));
        };
        if let Some(former) = self.catalog.get(name).cloned() {
            self.work
                .begin(Work::new("replacing by the fresh copy", name));
            let sql = format!("DROP TABLE {}", quote_identifier(&former.sqlite_name));
            self.connection.execute_batch(&sql)?;
            self.catalog.remove(&self.connection, &former.table.name)?;
        }
        let sqlite_name = self.catalog.free_sqlite_name(name);
        for sql in sqlite::rename_table_sql(&shadow.table, &shadow.sqlite_name, &sqlite_name) {
            self.connection.execute_batch(&sql)?;
        }
        let entry = Entry {
            sqlite_name,
            ..shadow
        };
        self.catalog.put(&self.connection, entry)?;
        self.forget_writers()
    }
}
