//! Row changes of one table as prepared statements.
//!
//! # Which row
//! A row is found by its primary key where the before image holds it; else by every column that the image holds,
//! compared byte for byte and NULL-safe, and of several equal rows exactly one is changed. A change that finds no row is
//! an error (MySQL 1032), never passed over.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use rusqlite::{CachedStatement, Connection};

use super::binder::{Binder, Scratch};
use crate::config::limits::SQLITE_UPDATE_SHAPES_MAX;
use crate::decode::rows::{RowImages, RowKind, RowReader};
use crate::decode::value::Value;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::sqlite::{self, quote_identifier};
use crate::schema::table::{KeyPart, Table};

/// Which columns a statement names: one bit a column.
type Shape = Vec<u64>;

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
    quoted_name: String,
    quoted_columns: Vec<String>,
    binders: Vec<Binder>,
    /// Primary key as column numbers; empty when a row cannot be found by it.
    key: Vec<usize>,
    /// The column that is SQLite's rowid, when it may hold what a rowid cannot.
    unsigned_rowid: Option<usize>,
    insert_all: String,
    delete_by_key: String,
    updates: HashMap<Shape, String>,
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
        let key = key_columns(&table);
        let unsigned_rowid = key
            .first()
            .copied()
            .filter(|at| rowid_alias && sqlite::is_unsigned_bigint(&table, *at));
        let quoted_columns: Vec<_> = table
            .columns
            .iter()
            .map(|column| quote_identifier(&column.name))
            .collect();
        let mut this = Self {
            quoted_name: quote_identifier(sqlite_name),
            quoted_columns,
            binders,
            key,
            unsigned_rowid,
            insert_all: String::new(),
            delete_by_key: String::new(),
            updates: HashMap::new(),
            table,
        };
        let all: Vec<_> = (0..this.quoted_columns.len()).collect();
        this.insert_all = this.insert_sql(&all);
        let mut sql = format!("DELETE FROM {} WHERE ", this.quoted_name);
        this.push_key_condition(&mut sql, 1);
        this.delete_by_key = sql;
        Ok(this)
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
            RowKind::Insert => self.insert_rows(connection, rows, images, scratch),
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
            for (at, (value, binder)) in images.after.iter().zip(&self.binders).enumerate() {
                binder.bind(&mut statement, at + 1, value, scratch)?;
            }
            statement
                .raw_execute()
                .map_err(|error| self.at_row(error.into(), &images.after))?;
            done += 1;
            mark = self.mark(rows);
        }
        Ok(Written::All(done))
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
        let mut statement = connection.prepare_cached(&self.insert_with_defaults_sql(&columns)?)?;
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
        &self,
        connection: &Connection,
        rows: &mut RowReader<'a>,
        images: &mut RowImages<'a>,
        scratch: &mut Scratch,
    ) -> Result<Written> {
        let mut done = 0;
        let condition = self.condition_columns(rows)?;
        let mut statement = if condition == self.key {
            connection.prepare_cached(&self.delete_by_key)?
        } else {
            let mut sql = format!("DELETE FROM {} WHERE ", self.quoted_name);
            self.push_row_condition(&mut sql, &condition, 1);
            connection.prepare_cached(&sql)?
        };
        while rows.next(images)? {
            self.bind_columns(&mut statement, 1, &condition, &images.before, scratch)?;
            let changed = statement
                .raw_execute()
                .map_err(|error| self.at_row(error.into(), &images.before))?;
            if changed != 1 {
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
        let condition = self.condition_columns(rows)?;
        while rows.next(images)? {
            if self.key_is_too_large(&images.after) {
                return Ok(rewind(rows, mark, done));
            }
            changed_columns(images, &mut changed);
            if !changed.is_empty() {
                shape_of(&changed, &condition, self.binders.len(), &mut shape);
                if prepared.as_ref().is_none_or(|(known, _)| *known != shape) {
                    let sql = self.update_sql(&shape, &changed, &condition);
                    prepared = Some((shape.clone(), connection.prepare_cached(sql)?));
                }
                let Some((_, statement)) = &mut prepared else {
                    continue;
                };
                self.bind_columns(statement, 1, &changed, &images.after, scratch)?;
                self.bind_columns(
                    statement,
                    changed.len() + 1,
                    &condition,
                    &images.before,
                    scratch,
                )?;
                let count = statement
                    .raw_execute()
                    .map_err(|error| self.at_row(error.into(), &images.after))?;
                if count != 1 {
                    return Err(self.missing("update", &images.before));
                }
            }
            done += 1;
            mark = self.mark(rows);
        }
        Ok(Written::All(done))
    }

    fn bind_columns(
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

    /// The columns that find a row: the key where the event's before images hold it, else all that they hold.
    fn condition_columns(&self, rows: &RowReader<'_>) -> Result<Vec<usize>> {
        let before = rows.event().before;
        let holds = |at: &usize| before.is_some_and(|present| present.contains(*at));
        if !self.key.is_empty() && self.key.iter().all(holds) {
            return Ok(self.key.clone());
        }
        let columns: Vec<usize> = (0..self.binders.len()).filter(holds).collect();
        if columns.is_empty() {
            return Err(Error::corrupt("a row change whose image names no column"));
        }
        Ok(columns)
    }

    fn key_is_too_large(&self, after: &[Value<'_>]) -> bool {
        let Some(at) = self.unsigned_rowid else {
            return false;
        };
        matches!(after.get(at), Some(Value::UInt(n)) if i64::try_from(*n).is_err())
    }

    /// A copy of the reader to come back to, where a row may have to be read again.
    fn mark<'a>(&self, rows: &RowReader<'a>) -> Option<RowReader<'a>> {
        self.unsigned_rowid.map(|_| rows.clone())
    }

    fn insert_sql(&self, columns: &[usize]) -> String {
        let mut sql = format!("INSERT INTO {} (", self.quoted_name);
        for (n, at) in columns.iter().enumerate() {
            push_separated(&mut sql, n, ", ", self.column(*at));
        }
        sql.push_str(") VALUES (");
        for n in 0..columns.len() {
            push_separated(&mut sql, n, ", ", &format!("?{}", n + 1));
        }
        sql.push(')');
        sql
    }

    fn insert_with_defaults_sql(&self, columns: &[usize]) -> Result<String> {
        let mut sql = format!("INSERT INTO {} (", self.quoted_name);
        for (n, column) in self.quoted_columns.iter().enumerate() {
            push_separated(&mut sql, n, ", ", column);
        }
        sql.push_str(") VALUES (");
        for (n, column) in self.table.columns.iter().enumerate() {
            let value = match columns.iter().position(|at| *at == n) {
                Some(parameter) => format!("?{}", parameter + 1),
                None => sqlite::default_literal(column)?,
            };
            push_separated(&mut sql, n, ", ", &value);
        }
        sql.push(')');
        Ok(sql)
    }

    fn update_sql(&mut self, shape: &Shape, changed: &[usize], condition: &[usize]) -> &str {
        if self.updates.len() >= SQLITE_UPDATE_SHAPES_MAX {
            self.updates.clear();
        }
        if !self.updates.contains_key(shape) {
            let mut sql = format!("UPDATE {} SET ", self.quoted_name);
            for (n, at) in changed.iter().enumerate() {
                push_separated(
                    &mut sql,
                    n,
                    ", ",
                    &format!("{} = ?{}", self.column(*at), n + 1),
                );
            }
            sql.push_str(" WHERE ");
            if condition == self.key {
                self.push_key_condition(&mut sql, changed.len() + 1);
            } else {
                self.push_row_condition(&mut sql, condition, changed.len() + 1);
            }
            self.updates.insert(shape.clone(), sql);
        }
        self.updates.get(shape).map_or("", String::as_str)
    }

    fn column(&self, at: usize) -> &str {
        self.quoted_columns.get(at).map_or("", String::as_str)
    }

    fn push_key_condition(&self, sql: &mut String, first: usize) {
        for (n, at) in self.key.iter().enumerate() {
            push_separated(
                sql,
                n,
                " AND ",
                &format!("{} = ?{}", self.column(*at), first + n),
            );
        }
    }

    fn push_row_condition(&self, sql: &mut String, columns: &[usize], first: usize) {
        let _ = write!(
            sql,
            "rowid = (SELECT rowid FROM {} WHERE ",
            self.quoted_name
        );
        for (n, at) in columns.iter().enumerate() {
            let condition = format!("{} COLLATE BINARY IS ?{}", self.column(*at), first + n);
            push_separated(sql, n, " AND ", &condition);
        }
        sql.push_str(" LIMIT 1)");
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

    fn at_row(&self, error: Error, row: &[Value<'_>]) -> Error {
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
        if self.key.is_empty() {
            return "a table without a primary key".to_owned();
        }
        let mut text = String::from("key ");
        for (n, at) in self.key.iter().enumerate() {
            let value = match row.get(*at) {
                Some(Value::Int(n)) => n.to_string(),
                Some(Value::UInt(n)) => n.to_string(),
                _ => "…".to_owned(),
            };
            push_separated(
                &mut text,
                n,
                ", ",
                &format!("{} = {value}", self.column(*at)),
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

/// The primary key as column numbers, where all its parts are whole columns.
fn key_columns(table: &Table) -> Vec<usize> {
    let column = |part: &KeyPart| match part {
        KeyPart::Column { name, .. } => table
            .columns
            .iter()
            .position(|column| column.name.eq_ignore_ascii_case(name)),
        _ => None,
    };
    table
        .primary_key
        .iter()
        .map(column)
        .collect::<Option<_>>()
        .unwrap_or_default()
}

/// The columns whose value differs, or is only in the after image.
fn changed_columns(images: &RowImages<'_>, changed: &mut Vec<usize>) {
    changed.clear();
    for (at, after) in images.after.iter().enumerate() {
        let same = images
            .before
            .get(at)
            .is_some_and(|before| is_same(before, after));
        if *after != Value::Absent && !same {
            changed.push(at);
        }
    }
}

/// Equal to the bit: 0.0 and -0.0 are not the same stored value.
fn is_same(before: &Value<'_>, after: &Value<'_>) -> bool {
    match (before, after) {
        (Value::Double(a), Value::Double(b)) => a.to_bits() == b.to_bits(),
        (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
        _ => before == after,
    }
}

/// Two bits a column: set by the statement, used to find the row.
fn shape_of(changed: &[usize], condition: &[usize], width: usize, shape: &mut Shape) {
    shape.clear();
    shape.resize((2 * width).div_ceil(64), 0);
    let bits = changed
        .iter()
        .copied()
        .chain(condition.iter().map(|at| width + at));
    for bit in bits {
        if let Some(word) = shape.get_mut(bit / 64) {
            *word |= 1 << (bit % 64);
        }
    }
}
