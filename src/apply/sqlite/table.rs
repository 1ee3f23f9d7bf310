//! Row changes of one table as prepared statements.
//!
//! # Which row
//! A row is found by the first key whose columns the before image holds: the primary key, or a unique key without NULLs.
//! Such a key is as fine here as on the source or finer, and SQLite has an index for it. Else it is found by every column that
//! the image holds, compared byte for byte and NULL-safe, and of several equal rows exactly one is changed: see
//! [`super::row_finder`]. A change that finds no row is an error (MySQL 1032), never passed over.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, Connection};

use super::binder::{Binder, Bound, Scratch};
use super::generated::GeneratedColumns;
use super::row_change::{Shape, Way, changed_columns, shape_of};
use super::row_finder::RowFinder;
use super::table_sql::TableSql;
use crate::config::limits::SQLITE_UPDATE_SHAPES_MAX;
use crate::decode::json_diff::JsonDiffs;
use crate::decode::rows::{RowImages, RowKind, RowReader};
use crate::decode::value::Value;
use crate::decode::{json, json_patch};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::sqlite;
use crate::schema::table::Table;

/// Whether all rows of an event were applied.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// Yes, so many.
    All(u64),
    /// Up to a row whose key does not fit SQLite's rowid; the reader stands before that row again.
    KeyTooLarge(u64),
}

/// Writes one table.
#[derive(Debug)]
pub(super) struct TableWriter {
    /// The definition that this was made for.
    pub(super) table: Arc<Table>,
    pub(super) sql: TableSql,
    binders: Vec<Binder>,
    /// Keys that find a row, the primary one first, with the DELETE by each.
    pub(super) keys: Vec<(Vec<usize>, String)>,
    generated: GeneratedColumns,
    finder: RowFinder,
    /// The column that is SQLite's rowid, when it may hold what a rowid cannot.
    unsigned_rowid: Option<usize>,
    pub(super) insert_all: String,
    updates: HashMap<Shape, String>,
    /// The table is being read afresh: rows may not be there yet.
    pub(super) while_copied: bool,
}

impl TableWriter {
    /// A writer for `table`, which the file calls `sqlite_name`.
    ///
    /// # Errors
    /// `Schema` for a charset that cannot be transcoded.
    pub(super) fn new(table: Arc<Table>, sqlite_name: &str, rowid_alias: bool) -> Result<Self> {
        let binders = table
            .columns
            .iter()
            .map(Binder::new)
            .collect::<Result<_>>()?;
        let unsigned_rowid = sqlite::rowid_column(&table)
            .filter(|at| rowid_alias && sqlite::is_unsigned_bigint(&table, *at));
        let sql = TableSql::new(&table, sqlite_name);
        let delete = |key: &[usize]| {
            let mut text = sql.delete();
            sql.push_key_condition(&mut text, key, 1);
            text
        };
        let keys = sqlite::lookup_keys(&table).into_iter();
        Ok(Self {
            keys: keys.map(|key| (key.clone(), delete(&key))).collect(),
            insert_all: sql.insert(),
            generated: GeneratedColumns::of(&table),
            finder: RowFinder::default(),
            updates: HashMap::new(),
            while_copied: false,
            sql,
            binders,
            unsigned_rowid,
            table,
        })
    }

    /// Applies a row event.
    ///
    /// # Errors
    /// `RowMissing`, `DuplicateRow`, `Corrupt`, and SQLite's own.
    pub(super) fn write<'a>(
        &mut self,
        connection: &Connection,
        rows: &mut RowReader<'a>,
        images: &mut RowImages<'a>,
        scratch: &mut Scratch,
    ) -> Result<Written> {
        match rows.kind() {
            RowKind::Insert => {
                let written = self.insert_rows(connection, rows, images, scratch)?;
                if let Written::All(count) = written {
                    self.finder.inserted(connection, &self.sql, count)?;
                }
                Ok(written)
            }
            RowKind::Update => self.update_rows(connection, rows, images, scratch),
            RowKind::Delete => self.delete_rows(connection, rows, images, scratch),
        }
    }

    fn insert_rows<'a>(
        &self,
        connection: &Connection,
        rows: &mut RowReader<'a>,
        images: &mut RowImages<'a>,
        scratch: &mut Scratch,
    ) -> Result<Written> {
        let complete = rows.event().after.is_some_and(|present| present.is_all());
        let mut done = 0;
        if !complete {
            return self.insert_partial_rows(connection, rows, images, scratch);
        }
        let mut statement = connection.prepare_cached(&self.insert_all)?;
        let mut mark = self.mark(rows);
        while rows.next(images)? {
            if self.key_is_too_large(&images.after) {
                return Ok(rewind(rows, mark, done));
            }
            self.bind_row(&mut statement, &images.after, scratch)?;
            statement
                .raw_execute()
                .map_err(|error| self.at_row(error.into(), &images.after))?;
            done += 1;
            mark = self.mark(rows);
        }
        Ok(Written::All(done))
    }

    /// Binds all columns, parameters from 1.
    pub(super) fn bind_row(
        &self,
        statement: &mut rusqlite::Statement<'_>,
        row: &[Value<'_>],
        scratch: &mut Scratch,
    ) -> Result<()> {
        for (at, (value, binder)) in row.iter().zip(&self.binders).enumerate() {
            binder.bind(statement, at + 1, value, scratch)?;
        }
        Ok(())
    }

    /// INSERT whose image lacks columns: they get the column's default, as on the source.
    fn insert_partial_rows<'a>(
        &self,
        connection: &Connection,
        rows: &mut RowReader<'a>,
        images: &mut RowImages<'a>,
        scratch: &mut Scratch,
    ) -> Result<Written> {
        let mut done = 0;
        let mut mark = self.mark(rows);
        let present = rows.event().after;
        let columns: Vec<usize> = (0..self.binders.len())
            .filter(|at| present.is_some_and(|present| present.contains(*at)))
            .collect();
        let mut statement =
            connection.prepare_cached(&self.sql.insert_with_defaults(&self.table, &columns)?)?;
        while rows.next(images)? {
            if self.key_is_too_large(&images.after) {
                return Ok(rewind(rows, mark, done));
            }
            self.bind_columns(&mut statement, 1, &columns, &images.after, scratch)?;
            statement
                .raw_execute()
                .map_err(|error| self.at_row(error.into(), &images.after))?;
            done += 1;
            mark = self.mark(rows);
        }
        Ok(Written::All(done))
    }

    fn delete_rows<'a>(
        &mut self,
        connection: &Connection,
        rows: &mut RowReader<'a>,
        images: &mut RowImages<'a>,
        scratch: &mut Scratch,
    ) -> Result<Written> {
        let mut done = 0;
        let way = self.way(rows)?;
        let mut statement = match &way {
            Way::Key(number, _) => connection.prepare_cached(self.delete_by_key(*number))?,
            Way::Search(_) => {
                let mut sql = self.sql.delete();
                self.sql.push_rowid_condition(&mut sql, 1)?;
                connection.prepare_cached(&sql)?
            }
        };
        while rows.next(images)? {
            match &way {
                Way::Key(_, key) => {
                    self.bind_columns(&mut statement, 1, key, &images.before, scratch)?
                }
                Way::Search(columns) => {
                    let row =
                        self.search(connection, "delete", columns, &images.before, scratch)?;
                    statement.raw_bind_parameter(1, row)?;
                }
            }
            let changed = statement
                .raw_execute()
                .map_err(|error| self.at_row(error.into(), &images.before))?;
            if changed != 1 && !self.while_copied {
                return Err(self.missing("delete", &images.before));
            }
            done += 1;
        }
        Ok(Written::All(done))
    }

    fn update_rows<'a>(
        &mut self,
        connection: &Connection,
        rows: &mut RowReader<'a>,
        images: &mut RowImages<'a>,
        scratch: &mut Scratch,
    ) -> Result<Written> {
        let mut done = 0;
        let mut mark = self.mark(rows);
        let mut prepared: Option<(Shape, CachedStatement<'_>)> = None;
        let (mut changed, mut shape) = (Vec::new(), Shape::new());
        let way = self.way(rows)?;
        while rows.next(images)? {
            if self.key_is_too_large(&images.after) {
                return Ok(rewind(rows, mark, done));
            }
            changed_columns(images, self.binders.len(), &mut changed);
            if !changed.is_empty() {
                self.generated.check(&images.after, &changed)?;
                shape_of(&changed, &way, self.binders.len(), &mut shape);
                if prepared.as_ref().is_none_or(|(known, _)| *known != shape) {
                    let sql = self.update_sql(&shape, &changed, &way)?;
                    prepared = Some((shape.clone(), connection.prepare_cached(sql)?));
                }
                if let Some((_, statement)) = &mut prepared {
                    let updated =
                        self.update_row(connection, statement, &changed, &way, images, scratch);
                    match updated {
                        Err(error)
                            if self.while_copied && error.kind() == ErrorKind::RowMissing =>
                        {
                            self.update_ahead(connection, &changed, images, scratch, error)?;
                        }
                        updated => updated?,
                    }
                }
            }
            done += 1;
            mark = self.mark(rows);
        }
        Ok(Written::All(done))
    }

    fn update_row(
        &mut self,
        connection: &Connection,
        statement: &mut CachedStatement<'_>,
        changed: &[usize],
        way: &Way,
        images: &RowImages<'_>,
        scratch: &mut Scratch,
    ) -> Result<()> {
        let first = changed.len() + 1;
        let row = match way {
            Way::Key(_, key) => {
                self.bind_columns(statement, first, key, &images.before, scratch)?;
                None
            }
            Way::Search(columns) => {
                let row = self.search(connection, "update", columns, &images.before, scratch)?;
                statement.raw_bind_parameter(first, row)?;
                Some(row)
            }
        };
        for (n, at) in changed.iter().enumerate() {
            if let Some(Value::JsonDiff(_)) = images.after.get(*at) {
                let document = self.patched(connection, *at, way, row, images, scratch)?;
                statement.raw_bind_parameter(n + 1, Bound(ValueRef::Text(&document)))?;
            } else {
                self.bind_columns(statement, n + 1, &[*at], &images.after, scratch)?;
            }
        }
        let count = statement
            .raw_execute()
            .map_err(|error| self.at_row(error.into(), &images.after))?;
        if count != 1 {
            return Err(self.missing("update", &images.before));
        }
        Ok(())
    }

    /// The text of a JSON document behind its partial update.
    fn patched(
        &self,
        connection: &Connection,
        at: usize,
        way: &Way,
        row: Option<i64>,
        images: &RowImages<'_>,
        scratch: &mut Scratch,
    ) -> Result<Vec<u8>> {
        let Some(Value::JsonDiff(diffs)) = images.after.get(at) else {
            return Err(Error::new(ErrorKind::Internal, "no partial update"));
        };
        let mut document = Vec::new();
        if let Some(Value::Json(before)) = images.before.get(at) {
            json::push_text(&mut document, before)?;
        } else {
            let mut sql = format!(
                "SELECT {} FROM {} WHERE ",
                self.sql.column(at),
                self.sql.name
            );
            match way {
                Way::Key(_, key) => self.sql.push_key_condition(&mut sql, key, 1),
                Way::Search(_) => self.sql.push_rowid_condition(&mut sql, 1)?,
            }
            let mut statement = connection.prepare_cached(&sql)?;
            match (way, row) {
                (Way::Key(_, key), _) => {
                    self.bind_columns(&mut statement, 1, key, &images.before, scratch)?
                }
                (Way::Search(_), row) => statement.raw_bind_parameter(1, row)?,
            }
            let mut rows = statement.raw_query();
            let row = rows
                .next()?
                .ok_or_else(|| self.missing("update", &images.before))?;
            match row.get_ref(0)? {
                ValueRef::Text(text) => document.extend_from_slice(text),
                _ => return Err(self.missing("update", &images.before)),
            }
        }
        json_patch::apply(&mut document, JsonDiffs::new(diffs))?;
        Ok(document)
    }

    /// The rowid of a row with these values.
    fn search(
        &mut self,
        connection: &Connection,
        what: &str,
        columns: &[usize],
        before: &[Value<'_>],
        scratch: &mut Scratch,
    ) -> Result<i64> {
        self.finder.improve(connection, &self.sql, columns)?;
        loop {
            let mut statement =
                connection.prepare_cached(&self.finder.find_sql(&self.sql, columns)?)?;
            self.bind_columns(&mut statement, 1, columns, before, scratch)?;
            if let Some(row) = self.finder.find(&mut statement)? {
                return Ok(row);
            }
            drop(statement);
            // Rowids change when somebody runs VACUUM; then the table itself is searched.
            if !self.finder.give_up(connection, &self.sql)? {
                return Err(self.missing(what, before));
            }
        }
    }

    pub(super) fn bind_columns(
        &self,
        statement: &mut rusqlite::Statement<'_>,
        first: usize,
        columns: &[usize],
        values: &[Value<'_>],
        scratch: &mut Scratch,
    ) -> Result<()> {
        for (n, at) in columns.iter().enumerate() {
            let (Some(value), Some(binder)) = (values.get(*at), self.binders.get(*at)) else {
                return Err(Error::new(
                    ErrorKind::Internal,
                    "a column outside of its row",
                ));
            };
            binder.bind(statement, first + n, value, scratch)?;
        }
        Ok(())
    }

    /// How the rows of an event are found: by a key where their before images hold one, else by all that they hold.
    fn way(&self, rows: &RowReader<'_>) -> Result<Way> {
        let before = rows.event().before;
        let holds = |at: &usize| before.is_some_and(|present| present.contains(*at));
        for (number, (key, _)) in self.keys.iter().enumerate() {
            if key.iter().all(holds) {
                return Ok(Way::Key(number, key.clone()));
            }
        }
        let columns: Vec<usize> = (0..self.binders.len()).filter(holds).collect();
        if columns.is_empty() {
            return Err(Error::corrupt("a row change whose image names no column"));
        }
        Ok(Way::Search(columns))
    }

    fn delete_by_key(&self, number: usize) -> &str {
        self.keys.get(number).map_or("", |(_, sql)| sql)
    }

    pub(super) fn key_is_too_large(&self, after: &[Value<'_>]) -> bool {
        let Some(at) = self.unsigned_rowid else {
            return false;
        };
        matches!(after.get(at), Some(Value::UInt(n)) if i64::try_from(*n).is_err())
    }

    /// A copy of the reader to come back to, where a row may have to be read again.
    fn mark<'a>(&self, rows: &RowReader<'a>) -> Option<RowReader<'a>> {
        self.unsigned_rowid.map(|_| rows.clone())
    }

    fn update_sql(&mut self, shape: &Shape, changed: &[usize], way: &Way) -> Result<&str> {
        if self.updates.len() >= SQLITE_UPDATE_SHAPES_MAX {
            self.updates.clear();
        }
        if !self.updates.contains_key(shape) {
            let mut sql = self.sql.update(changed);
            match way {
                Way::Key(_, key) => self
                    .sql
                    .push_key_condition(&mut sql, key, changed.len() + 1),
                Way::Search(_) => self.sql.push_rowid_condition(&mut sql, changed.len() + 1)?,
            }
            self.updates.insert(shape.clone(), sql);
        }
        Ok(self.updates.get(shape).map_or("", String::as_str))
    }

    fn missing(&self, what: &str, before: &[Value<'_>]) -> Error {
        Error::new(
            ErrorKind::RowMissing,
            format!(
                "the row to {what} is not in the target ({}); the table was changed here, or replication began after \
                 the row was made",
                self.key_text(before)
            ),
        )
    }

    pub(super) fn at_row(&self, error: Error, row: &[Value<'_>]) -> Error {
        match error.kind() {
            ErrorKind::DuplicateRow => Error::new(
                ErrorKind::DuplicateRow,
                format!(
                    "a row with this key is in the target already ({}); the table was changed here",
                    self.key_text(row)
                ),
            )
            .with_source(error),
            _ => error,
        }
    }

    /// The key's columns and, where they are numbers, their values: texts may be nobody's business.
    fn key_text(&self, row: &[Value<'_>]) -> String {
        let Some((key, _)) = self.keys.first() else {
            return "a table without a key".to_owned();
        };
        let mut text = String::from("key ");
        for (n, at) in key.iter().enumerate() {
            let value = match row.get(*at) {
                Some(Value::Int(n)) => n.to_string(),
                Some(Value::UInt(n)) => n.to_string(),
                _ => "…".to_owned(),
            };
            push_separated(
                &mut text,
                n,
                ", ",
                &format!("{} = {value}", self.sql.column(*at)),
            );
        }
        text
    }
}

fn rewind<'a>(rows: &mut RowReader<'a>, mark: Option<RowReader<'a>>, done: u64) -> Written {
    if let Some(mark) = mark {
        *rows = mark;
    }
    Written::KeyTooLarge(done)
}

fn push_separated(sql: &mut String, n: usize, separator: &str, text: &str) {
    if n > 0 {
        sql.push_str(separator);
    }
    sql.push_str(text);
}
