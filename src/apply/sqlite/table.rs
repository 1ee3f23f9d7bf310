//! Row changes of one table as prepared statements.
//!
//! # Which row
//! A row is found by the first key whose columns the before image holds: the primary key, or a unique key without NULLs.
//! Such a key is as fine here as on the source or finer, and SQLite has an index for it. Else it is found by every column that
//! the image holds, compared byte for byte and NULL-safe, and of several equal rows exactly one is changed: see
//! [`super::row_finder`]. A change that finds no row is an error (MySQL 1032), never passed over.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::Connection;

use super::binder::{Binder, Scratch};
use super::cascade::Cascade;
use super::generated::GeneratedColumns;
use super::row_change::{Shape, Way};
use super::row_finder::RowFinder;
use super::spellings::{Noting, SpelledKey};
use super::table_sql::TableSql;
use crate::decode::rows::{FLAG_SQL_FOREIGN_KEYS, RowImages, RowKind, RowReader};
use crate::decode::value::Value;
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
    /// The names that statements are made of.
    pub(super) sql: TableSql,
    /// How values become SQLite's, one for each column.
    pub(super) binders: Vec<Binder>,
    /// Keys that find a row, the primary one first, with the DELETE by each.
    pub(super) keys: Vec<(Vec<usize>, String)>,
    /// Generated columns, whose values may be missing in images.
    pub(super) generated: GeneratedColumns,
    finder: RowFinder,
    /// The column that is SQLite's rowid, when it may hold what a rowid cannot.
    unsigned_rowid: Option<usize>,
    pub(super) insert_all: String,
    /// The text of UPDATE statements, by what they set.
    pub(super) updates: HashMap<Shape, String>,
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

    /// Applies a row event; `keys` are the file's foreign keys, if any act.
    ///
    /// # Errors
    /// `RowMissing`, `DuplicateRow`, `Corrupt`, and SQLite's own.
    pub(super) fn write<'a>(
        &mut self,
        connection: &Connection,
        rows: &mut RowReader<'a>,
        images: &mut RowImages<'a>,
        scratch: &mut Scratch,
        mut keys: Option<Cascade<'_>>,
    ) -> Result<Written> {
        match rows.kind() {
            RowKind::Insert => {
                let spelled = spelled_keys(connection, &self.table.name, rows, &keys)?;
                let mut notings = Vec::new();
                for key in &spelled {
                    key.before_insert(connection)?;
                    notings.extend(key.noting(connection)?);
                }
                let written = self.insert_rows(connection, rows, images, scratch, &mut notings)?;
                if let Written::All(count) = written {
                    self.finder.inserted(connection, &self.sql, count)?;
                }
                Ok(written)
            }
            RowKind::Update => self.update_rows(connection, rows, images, scratch, &mut keys),
            RowKind::Delete => self.delete_rows(connection, rows, images, scratch, &mut keys),
        }
    }

    /// Columns that the image lacks get their default, as on the source.
    fn insert_rows<'a>(
        &self,
        connection: &Connection,
        rows: &mut RowReader<'a>,
        images: &mut RowImages<'a>,
        scratch: &mut Scratch,
        notings: &mut [Noting<'_, '_>],
    ) -> Result<Written> {
        let present = rows.event().after;
        let holds = |at: &usize| present.is_some_and(|present| present.contains(*at));
        let partial = match present.is_some_and(|present| present.is_all()) {
            true => None,
            false => Some((0..self.binders.len()).filter(holds).collect::<Vec<_>>()),
        };
        let mut statement = match &partial {
            None => connection.prepare_cached(&self.insert_all)?,
            Some(columns) => {
                connection.prepare_cached(&self.sql.insert_with_defaults(&self.table, columns)?)?
            }
        };
        let mut done = 0;
        let mut mark = self.mark(rows);
        while rows.next(images)? {
            if self.key_is_too_large(&images.after) {
                return Ok(rewind(rows, mark, done));
            }
            match &partial {
                None => self.bind_row(&mut statement, &images.after, scratch)?,
                Some(columns) => {
                    self.bind_columns(&mut statement, 1, columns, &images.after, scratch)?;
                }
            }
            statement
                .raw_execute()
                .map_err(|error| self.at_row(error.into(), &images.after))?;
            for noting in &mut *notings {
                noting.note(connection.last_insert_rowid())?;
            }
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

    /// The rowid of a row with these values.
    pub(super) fn search(
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
    pub(super) fn way(&self, rows: &RowReader<'_>) -> Result<Way> {
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

    pub(super) fn delete_by_key(&self, number: usize) -> &str {
        self.keys.get(number).map_or("", |(_, sql)| sql)
    }

    pub(super) fn key_is_too_large(&self, after: &[Value<'_>]) -> bool {
        let Some(at) = self.unsigned_rowid else {
            return false;
        };
        matches!(after.get(at), Some(Value::UInt(n)) if i64::try_from(*n).is_err())
    }

    /// A copy of the reader to come back to, where a row may have to be read again.
    pub(super) fn mark<'a>(&self, rows: &RowReader<'a>) -> Option<RowReader<'a>> {
        self.unsigned_rowid.map(|_| rows.clone())
    }

    pub(super) fn missing(&self, what: &str, before: &[Value<'_>]) -> Error {
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

/// The keys of `table` whose spellings an event adds to. Where the source logs what foreign keys do, nobody needs them.
pub(super) fn spelled_keys<'k>(
    connection: &Connection,
    table: &str,
    rows: &RowReader<'_>,
    keys: &Option<Cascade<'k>>,
) -> Result<Vec<&'k SpelledKey>> {
    let Some(cascade) = keys else {
        return Ok(Vec::new());
    };
    let spelled: Vec<_> = cascade.keys.spelled_by(table).collect();
    if rows.flags() & FLAG_SQL_FOREIGN_KEYS == 0 {
        return Ok(spelled);
    }
    for key in spelled {
        key.stop_watching(connection)?;
    }
    Ok(Vec::new())
}

pub(super) fn rewind<'a>(
    rows: &mut RowReader<'a>,
    mark: Option<RowReader<'a>>,
    done: u64,
) -> Written {
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
