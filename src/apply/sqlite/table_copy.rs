//! Writing a table while it is read afresh: rows of the copy, and row events that meet rows that are not there yet.

use rusqlite::Connection;

use super::binder::Scratch;
use super::table::TableWriter;
use crate::decode::rows::RowImages;
use crate::decode::value::Value;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::sqlite;
use crate::snapshot::SnapshotRows;

impl TableWriter {
    /// Writes rows of a copy from number `first` on, in place of those with the same key; returns how many, fewer than there
    /// are when the next one's key does not fit SQLite's rowid.
    pub(super) fn copy<'a>(
        &self,
        connection: &Connection,
        rows: &'a SnapshotRows,
        first: usize,
        row: &mut Vec<Value<'a>>,
        scratch: &mut Scratch,
    ) -> Result<usize> {
        for number in first..rows.len() {
            rows.fill(number, row);
            if self.key_is_too_large(row) {
                return Ok(number - first);
            }
            self.put_row(connection, row, scratch)?;
        }
        Ok(rows.len().saturating_sub(first))
    }

    /// An UPDATE of a row that is not there, because a later chunk brings it. With another key it may belong to a chunk that
    /// is in already: then the row is made, if the event holds all of it.
    pub(super) fn update_ahead(
        &self,
        connection: &Connection,
        changed: &[usize],
        images: &RowImages<'_>,
        scratch: &mut Scratch,
        missing: Error,
    ) -> Result<()> {
        let changes_key = sqlite::lookup_keys(&self.table)
            .iter()
            .flatten()
            .any(|at| changed.contains(at));
        if !changes_key {
            return Ok(());
        }
        let is_whole = images.after.len() >= self.table.columns.len()
            && images
                .after
                .iter()
                .all(|value| !matches!(value, Value::Absent | Value::JsonDiff(_)));
        if !is_whole {
            return Err(Error::new(
                ErrorKind::RowMissing,
                "a row got another key before the copy had reached it, and the event does not hold all of it",
            )
            .with_source(missing));
        }
        self.put_row(connection, &images.after, scratch)
    }

    /// Makes a row, or replaces the one with the same key. Another row that SQLite holds for the same is an error: nothing
    /// is replaced but by its own key, byte for byte.
    fn put_row(
        &self,
        connection: &Connection,
        row: &[Value<'_>],
        scratch: &mut Scratch,
    ) -> Result<()> {
        let mut insert = connection.prepare_cached(&self.insert_all)?;
        self.bind_row(&mut insert, row, scratch)?;
        let error = match insert.raw_execute() {
            Ok(_) => return Ok(()),
            Err(error) => self.at_row(error.into(), row),
        };
        let (ErrorKind::DuplicateRow, Some((key, _))) = (error.kind(), self.keys.first()) else {
            return Err(error);
        };
        let all: Vec<usize> = (0..self.sql.width()).collect();
        let mut sql = self.sql.update(&all, &[]);
        self.sql
            .push_row_condition(&mut sql, "", key, all.len() + 1);
        let mut update = connection.prepare_cached(&sql)?;
        self.bind_row(&mut update, row, scratch)?;
        self.bind_columns(&mut update, all.len() + 1, key, row, scratch)?;
        let replaced = update
            .raw_execute()
            .map_err(|error| self.at_row(error.into(), row))?;
        if replaced == 1 { Ok(()) } else { Err(error) }
    }
}
