//! Row images to row statements.
//!
//! # Invariants
//! Statements reach the target in the order of the stream. INSERTs and DELETEs by key gather in a batch until something
//! else comes; an UPDATE is one statement. Every UPDATE and DELETE must find its row, exactly one: else the target is
//! not what the source was, and nothing is committed.
//!
//! The one exception is a DELETE in a table whose foreign key cascades, behind another DELETE of the same statement: the
//! target may have deleted the row together with its parent, and a source logs the row twice when a DELETE names parent
//! and child (MySQL 9.7 does; bugs.mysql.com 80821).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use mysql_async::Value as Param;

use super::batch::{Batch, BatchKind};
use super::definition::Definition;
use super::session::{RowSettings, Session};
use super::statement::{Finder, Slot};
use super::value;
use crate::config::limits;
use crate::decode::rows::{
    FLAG_NO_FOREIGN_KEY_CHECKS, FLAG_SQL_FOREIGN_KEYS, FLAG_STMT_END, RowImages, RowKind, RowReader,
};
use crate::decode::value::Value;
use crate::error::{Error, ErrorKind, Result};
use crate::snapshot::SnapshotRows;

/// MySQL: a parent row is needed by a child row; a child row needs a parent row.
const FOREIGN_KEY_ERRORS: [u16; 2] = [1451, 1452];

/// What of row changes waits to be sent, for one lane.
pub(super) struct RowWriter {
    database: String,
    batch: Option<Batch>,
    /// What the current row event asks of the session.
    settings: RowSettings,
    /// Whether foreign keys may have deleted rows of the current row event before: they were enforced on the source, and
    /// its statement has deleted others.
    cascades: bool,
    /// Whether the current statement has deleted rows in an event before.
    deleted: bool,
    /// Sets of changed columns for which an UPDATE was prepared, by table.
    update_shapes: HashMap<String, HashSet<Vec<Slot>>>,
}

impl RowWriter {
    /// A writer with nothing to send.
    pub(super) fn new(database: &str) -> Self {
        Self {
            database: database.to_owned(),
            batch: None,
            settings: RowSettings::of_event(0),
            cascades: false,
            deleted: false,
            update_shapes: HashMap::new(),
        }
    }

    /// Drops what waits.
    pub(super) fn clear(&mut self) {
        self.batch = None;
        self.deleted = false;
    }

    /// Drops what waits of one table.
    pub(super) fn forget_rows_of(&mut self, table: &str) {
        self.batch
            .take_if(|batch| batch.kind.definition.table.name == table);
        self.update_shapes.clear();
    }

    /// Forgets what it learnt of tables, not what waits.
    pub(super) fn forget_tables(&mut self) {
        self.update_shapes.clear();
    }

    /// Takes the rows of one event; returns how many.
    pub(super) fn apply(
        &mut self,
        session: &mut Session,
        definition: &Arc<Definition>,
        rows: &mut RowReader<'_>,
    ) -> Result<u64> {
        let mut settings = RowSettings::of_event(rows.flags());
        // Only where the target's keys have something to do: the source has checked the rest, and a check here would meet the
        // lane of another database halfway.
        settings.foreign_keys &= definition.has_acting_keys && rows.kind() != RowKind::Insert;
        if settings != self.settings {
            self.flush(session)?;
            self.settings = settings;
        }
        let enforced = rows.flags() & FLAG_NO_FOREIGN_KEY_CHECKS == 0;
        let cascades = enforced || rows.flags() & FLAG_SQL_FOREIGN_KEYS != 0;
        self.cascades = cascades && self.deleted;
        let mut images = RowImages::default();
        let mut count = 0;
        while rows.next(&mut images)? {
            match rows.kind() {
                RowKind::Insert => self.insert(session, definition, &images.after)?,
                RowKind::Update => {
                    self.update(session, definition, &images.before, &images.after)?
                }
                RowKind::Delete => self.delete(session, definition, &images.before)?,
            }
            count += 1;
        }
        let is_last = rows.flags() & FLAG_STMT_END != 0;
        self.deleted = !is_last && (self.deleted || rows.kind() == RowKind::Delete);
        Ok(count)
    }

    /// Takes rows of a copy, in place of those with the same key.
    pub(super) fn copy(
        &mut self,
        session: &mut Session,
        definition: &Arc<Definition>,
        rows: &SnapshotRows,
    ) -> Result<()> {
        if self.settings != RowSettings::COPY {
            self.flush(session)?;
            self.settings = RowSettings::COPY;
        }
        let mut row = Vec::new();
        for number in 0..rows.len() {
            rows.fill(number, &mut row);
            self.put(session, definition, &row, true)?;
        }
        Ok(())
    }

    fn insert(
        &mut self,
        session: &mut Session,
        definition: &Arc<Definition>,
        after: &[Value<'_>],
    ) -> Result<()> {
        self.put(session, definition, after, false)
    }

    fn put(
        &mut self,
        session: &mut Session,
        definition: &Arc<Definition>,
        after: &[Value<'_>],
        replaces: bool,
    ) -> Result<()> {
        definition.check_width(after)?;
        let columns = definition.written(after);
        let params = bind(definition, &columns, after)?;
        let kind = BatchKind {
            definition: Arc::clone(definition),
            insert: true,
            lenient: has_invalid_enum(after) || definition.needs_implicit_default(&columns),
            columns,
            may_be_gone: false,
            replaces,
        };
        self.push(session, kind, params)
    }

    fn delete(
        &mut self,
        session: &mut Session,
        definition: &Arc<Definition>,
        before: &[Value<'_>],
    ) -> Result<()> {
        definition.check_width(before)?;
        let finder = definition.finder(before)?;
        let params = bind(definition, finder.columns(), before)?;
        let may_be_gone = definition.is_copy || (definition.cascades_delete && self.cascades);
        if let Finder::Key(key) = finder {
            let kind = BatchKind {
                definition: Arc::clone(definition),
                insert: false,
                columns: key.to_vec(),
                lenient: false,
                may_be_gone,
                replaces: false,
            };
            return self.push(session, kind, params);
        }
        self.flush(session)?;
        let sql = definition.sql.delete_one(&finder);
        let found = self.run(session, &sql, params, false)?;
        if found == 1 || may_be_gone {
            return Ok(());
        }
        Err(missing(definition, &finder, before, "delete"))
    }

    fn update(
        &mut self,
        session: &mut Session,
        definition: &Arc<Definition>,
        before: &[Value<'_>],
        after: &[Value<'_>],
    ) -> Result<()> {
        definition.check_width(before)?;
        definition.check_width(after)?;
        self.flush(session)?;
        let slots = self.update_slots(definition, before, after);
        let set: Vec<usize> = slots
            .iter()
            .enumerate()
            .filter(|(_, slot)| **slot == Slot::Set)
            .map(|(i, _)| i)
            .collect();
        let finder = definition.finder(before)?;
        let mut params = bind(definition, &set, after)?;
        params.extend(bind(definition, finder.columns(), before)?);
        let sql = definition.sql.update_one(&slots, &finder);
        let found = self.run(session, &sql, params, has_invalid_enum(after))?;
        if found == 1 {
            return Ok(());
        }
        if definition.is_copy {
            return self.update_ahead(session, definition, before, after);
        }
        Err(missing(definition, &finder, before, "update"))
    }

    /// An UPDATE of a row that is not there, because a later chunk of the copy brings it. With another key it may belong to a
    /// chunk that is in already: then the row is made, if the event holds all of it.
    fn update_ahead(
        &mut self,
        session: &mut Session,
        definition: &Arc<Definition>,
        before: &[Value<'_>],
        after: &[Value<'_>],
    ) -> Result<()> {
        if !definition.changes_key(before, after) {
            return Ok(());
        }
        let is_absent = |value: &Value<'_>| matches!(value, Value::Absent | Value::JsonDiff(_));
        if after.iter().any(is_absent) {
            return Err(Error::new(
                ErrorKind::RowMissing,
                "a row got another key before the copy had reached it, and the event does not hold all of it",
            ));
        }
        self.put(session, definition, after, true)
    }

    /// The changed columns; all columns once a table has had too many different sets of them.
    fn update_slots(
        &mut self,
        definition: &Definition,
        before: &[Value<'_>],
        after: &[Value<'_>],
    ) -> Vec<Slot> {
        let slots = definition.slots(before, after, true);
        let name = &definition.table.name;
        let Some(shapes) = self.update_shapes.get_mut(name) else {
            self.update_shapes
                .insert(name.clone(), HashSet::from([slots.clone()]));
            return slots;
        };
        if shapes.contains(&slots) {
            return slots;
        }
        if shapes.len() < limits::MYSQL_TARGET_UPDATE_SHAPES_MAX {
            shapes.insert(slots.clone());
            return slots;
        }
        definition.slots(before, after, false)
    }

    /// Adds a row to the batch; sends the batch first when the row does not belong to it.
    fn push(&mut self, session: &mut Session, kind: BatchKind, params: Vec<Param>) -> Result<()> {
        let bytes = value::size(&params);
        check_packet(session, bytes)?;
        let goes_on = self
            .batch
            .as_ref()
            .is_some_and(|b| b.kind == kind && !b.is_full_for(bytes));
        if !goes_on {
            self.flush(session)?;
        }
        self.batch
            .get_or_insert_with(|| Batch::new(kind))
            .push(params, bytes);
        Ok(())
    }

    /// Sends what waits.
    pub(super) fn flush(&mut self, session: &mut Session) -> Result<()> {
        let Some(batch) = self.batch.take() else {
            return Ok(());
        };
        let kind = batch.kind.clone();
        let table = &kind.definition.table.name;
        for (rows, params) in batch.into_pieces() {
            let sent = if kind.insert {
                self.send_inserts(session, &kind, rows, params)
            } else {
                self.send_deletes(session, &kind, rows, params)
            };
            // The call that sends a batch may come with another table's rows, or with none.
            sent.map_err(|error| error.at_table(&self.database, table))?;
        }
        Ok(())
    }

    fn send_inserts(
        &mut self,
        session: &mut Session,
        kind: &BatchKind,
        rows: usize,
        params: Vec<Param>,
    ) -> Result<()> {
        let sql = kind.definition.sql.insert(&kind.columns, rows);
        if !kind.replaces {
            return self.run(session, &sql, params, kind.lenient).map(drop);
        }
        match self.run(session, &sql, params.clone(), kind.lenient) {
            Err(error) if error.kind() == ErrorKind::DuplicateRow => {
                let rows = params.chunks(kind.columns.len().max(1));
                rows.into_iter()
                    .try_for_each(|row| self.replace(session, kind, row))
            }
            sent => sent.map(drop),
        }
    }

    /// Writes one row of a copy, in place of the one with the same key. Another row that the target holds for the same is an error.
    fn replace(&mut self, session: &mut Session, kind: &BatchKind, row: &[Param]) -> Result<()> {
        let insert = kind.definition.sql.insert(&kind.columns, 1);
        let error = match self.run(session, &insert, row.to_vec(), kind.lenient) {
            Err(error) if error.kind() == ErrorKind::DuplicateRow => error,
            sent => return sent.map(drop),
        };
        let param = |at: &usize| {
            let place = kind.columns.iter().position(|column| column == at)?;
            row.get(place).cloned()
        };
        let key = kind.definition.own_key().unwrap_or_default();
        let values: Option<Vec<Param>> = key.iter().chain(key).map(param).collect();
        let Some(values) = values.filter(|values| !values.is_empty()) else {
            return Err(error);
        };
        let delete = kind.definition.sql.delete_exactly(key);
        match self.run(session, &delete, values, false)? {
            1 => self
                .run(session, &insert, row.to_vec(), kind.lenient)
                .map(drop),
            _ => Err(error),
        }
    }

    /// Deletes rows by key and checks that each was there.
    fn send_deletes(
        &mut self,
        session: &mut Session,
        kind: &BatchKind,
        rows: usize,
        params: Vec<Param>,
    ) -> Result<()> {
        let definition = &*kind.definition;
        let sql = definition.sql.delete_by_key(&kind.columns, rows);
        if kind.may_be_gone {
            return self.run(session, &sql, params, false).map(drop);
        }
        if rows > 1 {
            // To be able to say which row is missing.
            session
                .connection
                .query("SAVEPOINT relaylite", "setting a savepoint")?;
        }
        let found = self.run(session, &sql, params.clone(), false)?;
        if usize::try_from(found) == Ok(rows) {
            return Ok(());
        }
        if rows > 1 {
            let doing = "going back to a savepoint";
            session
                .connection
                .query("ROLLBACK TO SAVEPOINT relaylite", doing)?;
        }
        let one = definition.sql.delete_by_key(&kind.columns, 1);
        for key in params.chunks(kind.columns.len().max(1)) {
            if rows == 1 || self.run(session, &one, key.to_vec(), false)? != 1 {
                return Err(missing_key(definition, &kind.columns, key, "delete"));
            }
        }
        Ok(())
    }

    /// Runs one row statement with the settings that its event asks for.
    fn run(
        &self,
        session: &mut Session,
        sql: &str,
        params: Vec<Param>,
        lenient: bool,
    ) -> Result<u64> {
        check_packet(session, value::size(&params))?;
        session.apply(RowSettings {
            lenient,
            ..self.settings
        })?;
        session
            .connection
            .execute(sql, params, "changing rows")
            .map_err(waits_for_another_lane)
    }
}

/// A statement that no packet can hold is refused before it costs the connection.
fn check_packet(session: &Session, bytes: usize) -> Result<()> {
    if bytes > session.connection.server.packet_bytes_max {
        return Err(session
            .connection
            .packet_too_large("changing rows", Some(bytes)));
    }
    Ok(())
}

/// The parameters of some columns of an image.
fn bind(definition: &Definition, columns: &[usize], image: &[Value<'_>]) -> Result<Vec<Param>> {
    let value = |i: &usize| image.get(*i).unwrap_or(&Value::Absent);
    columns
        .iter()
        .map(|i| value::bind(value(i), definition.column(*i)?))
        .collect()
}

/// Index 0 is what an ENUM column holds after a source let an unknown label pass.
fn has_invalid_enum(image: &[Value<'_>]) -> bool {
    image.contains(&Value::Enum(0))
}

fn missing(
    definition: &Definition,
    finder: &Finder<'_>,
    before: &[Value<'_>],
    what: &str,
) -> Error {
    match finder {
        Finder::Key(key) => match bind(definition, key, before) {
            Ok(params) => missing_key(definition, key, &params, what),
            Err(error) => error,
        },
        Finder::Row(_) => row_missing(
            &definition.table.name,
            what,
            "the same values in all columns (the table has no key)",
        ),
    }
}

fn missing_key(definition: &Definition, key: &[usize], params: &[Param], what: &str) -> Error {
    let parts: Vec<String> = key
        .iter()
        .zip(params)
        .map(|(i, param)| {
            let name = definition
                .sql
                .columns
                .get(*i)
                .map_or("?", |column| &column.name);
            format!("{name} = {}", param.as_sql(false))
        })
        .collect();
    row_missing(&definition.table.name, what, &parts.join(" and "))
}

fn row_missing(table: &str, what: &str, row: &str) -> Error {
    Error::new(
        ErrorKind::RowMissing,
        format!(
            "the row to {what} in `{table}` with {row} is not on the target; somebody else changed the target, or \
             replication began at a position that does not fit it"
        ),
    )
}

/// A foreign key between two databases may fail because the other lane is not as far yet: worth another try. The
/// server writes a parent's database only where it is another one than the child's.
fn waits_for_another_lane(error: Error) -> Error {
    if !FOREIGN_KEY_ERRORS.contains(&error.errno()) {
        return error;
    }
    let text = error.full_text();
    let parent = text
        .rsplit_once("REFERENCES `")
        .map_or("", |(_, parent)| parent);
    let elsewhere = parent
        .split_once('`')
        .is_some_and(|(_, rest)| rest.starts_with(".`"));
    if !elsewhere {
        return error;
    }
    let errno = error.errno();
    let what = "a foreign key into another database waits for that database's lane";
    Error::new(ErrorKind::TargetBusy, what)
        .with_errno(errno)
        .with_source(error)
}
