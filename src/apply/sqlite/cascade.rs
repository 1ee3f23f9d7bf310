//! What foreign keys do inside the source, done here: child rows go, change or lose their parent with it.
//!
//! InnoDB writes none of this to the binlog (MariaDB; MySQL before 9.6, and later ones with
//! `innodb_native_foreign_keys`). Whether it was done is said by the parent's row event: see [`is_silent`]. The child
//! rows are found through the index that every foreign key has, and changed row by row in the parent's transaction,
//! level by level, in the order in which InnoDB goes: parents first, keys by their names.
//!
//! # Invariants
//! - NULL in any column of a key matches nothing. Of a key of several columns, an UPDATE copies those that changed.
//! - What a deleted row was is noted, so that a row event for it in the same statement is known to be late
//!   ([`super::taken_rows`]).
//! - An effect that cannot be told here is an error that says so, never a guess.

use rusqlite::Connection;
use rusqlite::types::Value;

use super::foreign_keys::{Action, ForeignKeys, Link, Parent};
use super::link_sql::{LinkSql, Refusal};
use super::taken_rows::TakenRows;
use crate::apply::SourceSchema;
use crate::config::limits::{SQLITE_CASCADE_LEVELS_MAX, SQLITE_CASCADE_PAGE_ROWS};
use crate::error::{Error, ErrorKind, Result};

/// The foreign keys at work on one row event.
pub(super) struct Cascade<'a> {
    /// The file's foreign keys.
    pub(super) keys: &'a ForeignKeys,
    /// Rows that went with their parents.
    pub(super) taken: &'a mut TakenRows,
    /// Who knows which texts are equal.
    pub(super) source: &'a dyn SourceSchema,
}

/// A child row that refers to a changed parent row.
struct ChildRow {
    rowid: i64,
    /// Of what tells it from other rows; where such rows may be deleted with their parents.
    hash: Option<i64>,
    /// Its columns that others refer to.
    referenced: Vec<Value>,
}

impl Cascade<'_> {
    /// A row of `parent` with these values in [`Parent::columns`] was deleted.
    pub(super) fn deleted(
        &mut self,
        connection: &Connection,
        parent: &Parent,
        old: &[Value],
    ) -> Result<()> {
        self.follow(connection, parent, old, None, 0)
    }

    /// A row of `parent` had the values `old` in [`Parent::columns`], and has `new`.
    pub(super) fn updated(
        &mut self,
        connection: &Connection,
        parent: &Parent,
        old: &[Value],
        new: &[Value],
    ) -> Result<()> {
        self.follow(connection, parent, old, Some(new), 0)
    }

    fn follow(
        &mut self,
        connection: &Connection,
        parent: &Parent,
        old: &[Value],
        new: Option<&[Value]>,
        level: usize,
    ) -> Result<()> {
        for link in &parent.links {
            let action = match new {
                None => link.on_delete,
                Some(new) if link.is_changed(old, new) => link.on_update,
                Some(_) => Action::Restrict,
            };
            let key = link.key(old);
            if action == Action::Restrict || key.iter().any(|value| **value == Value::Null) {
                continue;
            }
            if level >= SQLITE_CASCADE_LEVELS_MAX {
                return Err(Error::new(
                    ErrorKind::RowMissing,
                    "foreign keys lead on and on here, as they did not on the source: the tables were changed here",
                ));
            }
            self.follow_key(connection, link, action, &key, new, level)
                .map_err(|error| at_child(error, link))?;
        }
        Ok(())
    }

    /// The children that say the key as the parent does, and those that spell it otherwise.
    fn follow_key(
        &mut self,
        connection: &Connection,
        link: &Link,
        action: Action,
        key: &[&Value],
        new: Option<&[Value]>,
        level: usize,
    ) -> Result<()> {
        let sql = match &link.sql {
            Ok(sql) => sql,
            Err(refusal) => return refuse(connection, refusal),
        };
        let update = match (action, new) {
            (Action::Cascade, None) => None,
            _ => Some(Update::new(link, sql, action, key, new)?),
        };
        let change = Change {
            link,
            sql,
            update,
            level,
        };
        self.follow_link(connection, &change, action, key)?;
        let keys = self.keys;
        let Some(spelled) = keys.spelled(link) else {
            return Ok(());
        };
        let source = self.source;
        for texts in spelled.equal_to(connection, key, &|pairs| source.are_equal(pairs))? {
            let key = spelled.with_texts(key, &texts);
            if link.is_cyclic
                && !link
                    .find(connection, sql, &key, Search::First)?
                    .rows
                    .is_empty()
            {
                return Err(Error::new(
                    ErrorKind::SourceOnly,
                    "foreign keys lead in a circle here, and a row spells its key otherwise than its parent: in which order they \
                     changed rows is not known",
                ));
            }
            spelled.used(connection, &texts)?;
            self.follow_link(connection, &change, action, &key)?;
        }
        Ok(())
    }

    fn follow_link(
        &mut self,
        connection: &Connection,
        change: &Change<'_>,
        action: Action,
        key: &[&Value],
    ) -> Result<()> {
        let Change { link, sql, .. } = change;
        // One by one where one row's fate may decide another's; of rows that stay and still match, by their number.
        let mut search = match (link.is_cyclic, action) {
            (true, Action::Cascade) if change.update.is_some() => Search::Next(i64::MIN),
            (true, _) => Search::First,
            (false, _) => Search::Page(i64::MIN),
        };
        loop {
            let page = link.find(connection, sql, key, search)?;
            for row in &page.rows {
                match &change.update {
                    None => self.delete(connection, change, row)?,
                    Some(update) => self.update(connection, change, update, row)?,
                }
            }
            match page.next {
                Some(next) => search = next,
                None => return Ok(()),
            }
        }
    }

    fn delete(
        &mut self,
        connection: &Connection,
        change: &Change<'_>,
        row: &ChildRow,
    ) -> Result<()> {
        let gone = connection
            .prepare_cached(&change.sql.delete)?
            .execute([row.rowid])?;
        // A row that refers to itself, or to the same parent in two ways, is gone already.
        if gone == 0 {
            return Ok(());
        }
        let child = &change.link.child;
        if let Some(hash) = row.hash {
            self.taken.note(connection, child, hash)?;
        }
        match self.keys.parent(child) {
            Some(below) => self.follow(connection, below, &row.referenced, None, change.level + 1),
            None => Ok(()),
        }
    }

    fn update(
        &mut self,
        connection: &Connection,
        change: &Change<'_>,
        update: &Update,
        row: &ChildRow,
    ) -> Result<()> {
        let link = change.link;
        link.generated.check_cascade(&update.columns)?;
        if let Some(below) = self.keys.parent(&link.child) {
            self.keys
                .before_update(connection, below, &update.columns)?;
        }
        let mut statement = connection.prepare_cached(&update.text)?;
        for (n, value) in update.values.iter().enumerate() {
            statement.raw_bind_parameter(n + 1, value)?;
        }
        statement.raw_bind_parameter(update.values.len() + 1, row.rowid)?;
        let Some(new) = returned_row(&mut statement)? else {
            return Ok(());
        };
        drop(statement);
        let keys = self.keys;
        note_spellings(connection, keys, &link.child, &update.columns, &new)?;
        match keys.parent(&link.child) {
            Some(below) => self.follow(
                connection,
                below,
                &row.referenced,
                Some(&new),
                change.level + 1,
            ),
            None => Ok(()),
        }
    }
}

/// Keeps the spellings of a row whose `columns` have changed. The row's number is the last of what its UPDATE gave back.
pub(super) fn note_spellings(
    connection: &Connection,
    keys: &ForeignKeys,
    table: &str,
    columns: &[usize],
    returned: &[Value],
) -> Result<()> {
    for spelled in keys.spelled_by(table) {
        if let (Some(Value::Integer(rowid)), true) = (
            returned.last(),
            spelled.child_columns.iter().any(|at| columns.contains(at)),
        ) {
            spelled.note(connection, *rowid)?;
        }
    }
    Ok(())
}

/// What happens to the child rows of one parent row by one key.
struct Change<'a> {
    link: &'a Link,
    sql: &'a LinkSql,
    /// `None`: they go.
    update: Option<Update>,
    level: usize,
}

/// What becomes of the child rows of one parent row that stay.
struct Update {
    text: String,
    columns: Vec<usize>,
    values: Vec<Value>,
}

impl Update {
    /// The columns become NULL, or what the parent's became where those changed.
    fn new(
        link: &Link,
        sql: &LinkSql,
        action: Action,
        key: &[&Value],
        new: Option<&[Value]>,
    ) -> Result<Self> {
        let (mut columns, mut values, mut sets) = (Vec::new(), Vec::new(), Vec::new());
        for (column, old) in link.columns.iter().zip(key) {
            let value = match (action, new.and_then(|new| new.get(column.parent))) {
                (Action::Cascade, Some(new)) if new == *old => continue,
                (Action::Cascade, Some(new)) => column.by.copied(new)?,
                _ => Value::Null,
            };
            columns.push(column.child);
            values.push(value);
            sets.push(format!("{} = ?{}", column.quoted, values.len()));
        }
        Ok(Self {
            text: format!(
                "{}{}{}?{}{}",
                sql.update,
                sets.join(", "),
                sql.condition,
                values.len() + 1,
                sql.returning
            ),
            columns,
            values,
        })
    }
}

/// Runs a statement that changes one row and gives what it returns; `None` when it changed none or returns nothing.
pub(super) fn returned_row(statement: &mut rusqlite::Statement<'_>) -> Result<Option<Vec<Value>>> {
    let columns = statement.column_count();
    if columns == 0 {
        statement.raw_execute()?;
        return Ok(None);
    }
    let mut rows = statement.raw_query();
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let values = (0..columns).map(|at| row.get(at));
    let values = values.collect::<rusqlite::Result<_>>()?;
    // The change is complete only when the statement is stepped to its end.
    while rows.next()?.is_some() {}
    Ok(Some(values))
}

/// Which child rows are read at once.
#[derive(Clone, Copy)]
enum Search {
    /// Many, from this rowid on.
    Page(i64),
    /// One, from this rowid on.
    Next(i64),
    /// The first one in InnoDB's order.
    First,
}

/// Child rows of one search, and how to find those behind them.
struct Page {
    rows: Vec<ChildRow>,
    next: Option<Search>,
}

impl Link {
    fn is_changed(&self, old: &[Value], new: &[Value]) -> bool {
        self.columns
            .iter()
            .any(|column| old.get(column.parent) != new.get(column.parent))
    }

    fn key<'v>(&self, old: &'v [Value]) -> Vec<&'v Value> {
        let value = |at: usize| old.get(at).unwrap_or(&Value::Null);
        self.columns
            .iter()
            .map(|column| value(column.parent))
            .collect()
    }

    fn find(
        &self,
        connection: &Connection,
        sql: &LinkSql,
        key: &[&Value],
        search: Search,
    ) -> Result<Page> {
        let (text, from, rows_max) = match search {
            Search::Page(from) => (&sql.find, Some(from), SQLITE_CASCADE_PAGE_ROWS),
            Search::Next(from) => (&sql.find, Some(from), 1),
            Search::First => (&sql.find_in_order, None, 1),
        };
        let mut statement = connection.prepare_cached(text)?;
        let mut parameter = 1;
        for (column, value) in self.columns.iter().zip(key) {
            let (least, most) = column.by.bounds(value);
            statement.raw_bind_parameter(parameter, least)?;
            parameter += 1;
            if column.by.is_range() {
                statement.raw_bind_parameter(parameter, most)?;
                parameter += 1;
            }
        }
        if let Some(from) = from {
            statement.raw_bind_parameter(parameter, from)?;
        }
        let mut found = statement.raw_query();
        let (mut rows, mut read, mut last) = (Vec::new(), 0, None);
        while rows.len() < rows_max
            && let Some(row) = found.next()?
        {
            read += 1;
            let rowid: i64 = row.get(0)?;
            last = Some(rowid);
            let width = self.columns.len();
            let mut matches = true;
            for (n, (column, value)) in self.columns.iter().zip(key).enumerate() {
                matches &= column.by.holds(value, &row.get(n + 2)?);
            }
            if matches {
                let referenced = (0..sql.referenced).map(|n| row.get(n + 2 + width));
                rows.push(ChildRow {
                    rowid,
                    hash: row.get(1)?,
                    referenced: referenced.collect::<rusqlite::Result<_>>()?,
                });
            }
        }
        let is_full = rows.len() >= rows_max || read >= SQLITE_CASCADE_PAGE_ROWS;
        let behind = last
            .and_then(|rowid| rowid.checked_add(1))
            .filter(|_| is_full);
        let next = behind.map(|from| match search {
            Search::Page(_) => Search::Page(from),
            Search::Next(_) => Search::Next(from),
            Search::First => Search::First,
        });
        Ok(Page { rows, next })
    }
}

/// An error when the key has any child row; else there is nothing to refuse.
fn refuse(connection: &Connection, refusal: &Refusal) -> Result<()> {
    if !connection.prepare_cached(&refusal.probe)?.exists([])? {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Unsupported,
        format!(
            "what a foreign key did inside the source cannot be told here: {}; on MySQL 9.6 or later set \
             innodb_native_foreign_keys=OFF, so that the source logs it",
            refusal.why
        ),
    ))
}

fn at_child(error: Error, link: &Link) -> Error {
    match error.kind() {
        kind @ (ErrorKind::Unsupported | ErrorKind::SourceOnly) => {
            Error::new(kind, format!("foreign key of `{}`", link.child)).with_source(error)
        }
        _ => error,
    }
}
