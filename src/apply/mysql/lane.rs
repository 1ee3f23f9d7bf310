//! One database of the target: its session, its open transaction, its rows.
//!
//! # Invariants
//! - Rows and checkpoint are committed together by [`Lane::commit`]. Rows may wait in a batch until then: an error that
//!   belongs to a row can come from a later call, always before the commit. After an error nothing is committed until
//!   [`Lane::rollback`].
//! - [`Lane::checkpoint`] is what the target holds, also when the connection broke in the middle of a COMMIT: `rollback`
//!   connects again, ends the old session, and reads it anew.
//! - DDL and tables made for the first time go through a connection of their own, so that their implicit commits
//!   never commit rows.
//!
//! # Threading
//! One thread at a time, blocking.
//!
//! # Limits
//! One batch (see `batch`), one definition per table until the next DDL.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::Shared;
use super::checkpoint::{self, Intent};
use super::connection::Connection;
use super::copy::CopyInProgress;
use super::create_table;
use super::ddl::{self, Passage, Progress};
use super::definition::{self, Definition};
use super::lock::{self, Role};
use super::quarantine;
use super::row_writer::RowWriter;
use super::session::Session;
use super::shadow::{self, Shadow};
use super::unsure;
use crate::apply::quarantine::{SetAside, is_of_one_table};
use crate::apply::work::{Work, WorkInHand};
use crate::apply::{Ddl, DdlOutcome, Lane, SourceSchema, apart};
use crate::checkpoint::Checkpoint;
use crate::config::limits;
use crate::decode::rows::RowReader;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::table::Table;

/// The lane of one database on a MySQL target.
pub(super) struct MysqlLane {
    pub(super) database: String,
    pub(super) shared: Arc<Shared>,
    session: Option<Session>,
    checkpoint: Option<Checkpoint>,
    /// The DDL statement that was begun and has no checkpoint behind it yet, by this life or an earlier one: the row
    /// in `relaylite.ddl`.
    intent: Option<Intent>,
    open: bool,
    /// Whether the open transaction holds rows, sent or waiting.
    pub(super) dirty: bool,
    /// Whether something failed, so that only `rollback` may come next.
    failed: bool,
    definitions: HashMap<String, Arc<Definition>>,
    /// Foreign keys that change rows of this database, as parent and child; `None` until they are asked for.
    pub(super) acting_keys: Option<Vec<(String, String)>>,
    /// Of which schema generation `definitions` are.
    generation: u64,
    pub(super) writer: RowWriter,
    pub(super) work: Arc<WorkInHand>,
    /// Tables that are being read afresh, by name.
    pub(super) copies: HashMap<String, CopyInProgress>,
    /// Shadows that were given up in the open transaction.
    pub(super) discarded: Vec<Shadow>,
}

impl MysqlLane {
    /// Opens the lane; reads where it is.
    pub(super) fn open(shared: Arc<Shared>, database: &str) -> Result<Self> {
        let mut lane = Self {
            database: database.to_owned(),
            generation: shared.generation(),
            shared,
            session: None,
            checkpoint: None,
            intent: None,
            open: false,
            dirty: false,
            failed: false,
            definitions: HashMap::new(),
            acting_keys: None,
            writer: RowWriter::new(database),
            work: Arc::default(),
            copies: HashMap::new(),
            discarded: Vec::new(),
        };
        lane.connect()?;
        let shared = lane.shared.clone();
        let reader = lane.connection()?;
        shadow::clean_up(reader, || shared.connect(), database)?;
        reader.query("COMMIT", "ending a read")?;
        Ok(lane)
    }

    /// Connects and reads where the target is.
    fn connect(&mut self) -> Result<()> {
        self.session = None;
        self.shared.hold()?;
        let mut session = Session::new(self.shared.connect()?, &self.database)?;
        let checkpoint = checkpoint::read(&mut session.connection, &self.database)?;
        let intent = checkpoint::read_intent(&mut session.connection, &self.database)?;
        session.connection.query("COMMIT", "ending a read")?;
        self.checkpoint = checkpoint;
        self.intent = intent;
        self.session = Some(session);
        Ok(())
    }

    fn connection(&mut self) -> Result<&mut Connection> {
        match &mut self.session {
            Some(session) => Ok(&mut session.connection),
            None => Err(lost_connection()),
        }
    }

    /// A session for a new transaction: a connection that died while idle is replaced.
    fn fresh_session(&mut self) -> Result<()> {
        let after = Duration::from_millis(limits::MYSQL_TARGET_PING_AFTER_MS);
        let alive = match &mut self.session {
            None => false,
            Some(session) if session.connection.is_broken() => false,
            Some(session) if session.connection.idle() < after => true,
            Some(session) => session.connection.ping().is_ok(),
        };
        if alive { Ok(()) } else { self.connect() }
    }

    /// Runs `work` and remembers a failure.
    pub(super) fn guarded<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.failed {
            return Err(Error::new(
                ErrorKind::Internal,
                "a transaction that failed on the target goes on without being rolled back",
            ));
        }
        let result = work(self);
        self.failed = result.is_err();
        result
    }

    pub(super) fn session_and_writer(&mut self) -> Result<(&mut Session, &mut RowWriter)> {
        match &mut self.session {
            Some(session) => Ok((session, &mut self.writer)),
            None => Err(lost_connection()),
        }
    }

    /// The definition of a table, read from the target when it is not known.
    fn definition(&mut self, name: &str) -> Result<Option<Arc<Definition>>> {
        self.forget_old_definitions();
        if let Some(copy) = self.copies.get(name) {
            return Ok(Some(copy.definition.clone()));
        }
        if let Some(known) = self.definitions.get(name) {
            return Ok(Some(Arc::clone(known)));
        }
        let open = self.open;
        let Some(session) = &mut self.session else {
            return Err(lost_connection());
        };
        let read = definition::read(&mut session.connection, &self.database, name);
        if self.acting_keys.is_none() {
            let acting = definition::acting_keys(&mut session.connection, &self.database)?;
            self.acting_keys = Some(acting);
        }
        if !open {
            // Gives up the metadata lock that reading took.
            session.connection.query("COMMIT", "ending a read")?;
        }
        let Some(table) = read? else { return Ok(None) };
        let mut definition = Definition::new(&self.database, Arc::new(table));
        let mut acting = self.acting_keys.iter().flatten();
        definition.has_acting_keys = acting.any(|(parent, _)| parent == name);
        let definition = Arc::new(definition);
        self.definitions
            .insert(name.to_owned(), Arc::clone(&definition));
        Ok(Some(definition))
    }

    /// DDL of any lane may have changed what this lane knows.
    pub(super) fn forget_old_definitions(&mut self) {
        let generation = self.shared.generation();
        if generation != self.generation {
            self.definitions.clear();
            self.acting_keys = None;
            self.writer.forget_tables();
            self.generation = generation;
        }
    }

    /// A statement about savepoints, behind the rows that wait.
    fn at_savepoint(&mut self, verb: &str, number: u32) -> Result<()> {
        self.guarded(|lane| {
            let (session, writer) = lane.session_and_writer()?;
            writer.flush(session)?;
            let sql = format!("{verb} `_relaylite_{number}`");
            session.connection.query(&sql, "keeping a savepoint")
        })
    }

    fn apply_rows(&mut self, name: &str, rows: &mut RowReader<'_>) -> Result<u64> {
        let Some(definition) = self.definition(name)? else {
            return Err(Error::new(
                ErrorKind::Schema,
                "the target has no such table",
            ));
        };
        apart::check(&definition.table, rows.flags())?;
        self.dirty = true;
        let (session, writer) = self.session_and_writer()?;
        writer.apply(session, &definition, rows)
    }

    fn write_commit(&mut self, at: &Checkpoint) -> Result<()> {
        let (session, writer) = self.session_and_writer()?;
        writer.flush(session)?;
        let database = self.database.clone();
        let first = self.checkpoint.is_none();
        // A checkpoint short of the statement leaves the note: the statement is still to come.
        let passed = self.intent.as_ref().is_some_and(|intent| {
            intent
                .end
                .order(&at.position)
                .is_some_and(std::cmp::Ordering::is_le)
        });
        let connection = self.connection()?;
        checkpoint::write(connection, &database, at, first)?;
        if passed {
            checkpoint::remove_intent(connection, &database)?;
        }
        connection.query("COMMIT", "committing")?;
        self.checkpoint = Some(at.clone());
        if passed {
            self.intent = None;
        }
        self.end_transaction();
        self.drop_discarded();
        Ok(())
    }

    fn end_transaction(&mut self) {
        self.open = false;
        self.dirty = false;
        self.writer.clear();
    }

    fn run_ddl(&mut self, ddl: &Ddl<'_>) -> Result<DdlOutcome> {
        if self.dirty {
            return Err(Error::new(
                ErrorKind::Internal,
                "DDL inside a transaction with rows: on a MySQL target the lane must commit first",
            ));
        }
        let passage = Passage::new(ddl);
        self.shared.schema_changed();
        if !passage.is_run_by(&self.database) {
            // This lane's checkpoint must not say that it is done before it is.
            return Ok(DdlOutcome::Unfinished);
        }
        let mut worker = self.shared.connect()?;
        // An earlier attempt, cut off from its client, may still be running.
        lock::take(&mut worker, Role::Ddl, &self.database)?;
        let now = passage.intent(&mut worker)?;
        let progress = ddl::progress(self.intent.as_ref(), &now);
        if progress == Progress::New {
            self.intent = Some(now.clone());
            let Some(session) = &mut self.session else {
                return Err(lost_connection());
            };
            checkpoint::write_intent(&mut session.connection, &self.database, &now)?;
        }
        // Also gives up every metadata lock, which the statement would wait for.
        self.connection()?
            .query("COMMIT", "noting a DDL statement")?;
        let table = passage.table().unwrap_or_default();
        self.work
            .begin(Work::new("running the source's statement", table));
        let result = passage.run(&mut worker, progress);
        self.work.end();
        worker.close();
        self.shared.schema_changed();
        result.map(|()| DdlOutcome::Done)
    }

    /// Makes a table met for the first time, without touching the open transaction.
    fn create_table(&mut self, table: &Table) -> Result<()> {
        let mut worker = self.shared.connect()?;
        let created = create_table::create(&mut worker, &self.database, table);
        match created {
            Err(error) if error.kind() == ErrorKind::TargetBusy && self.open => {
                // The open transaction itself holds what the new table needs (the parent of a foreign key).
                self.rollback()?;
                create_table::create(&mut worker, &self.database, table)?;
                worker.close();
                self.failed = true;
                Err(Error::new(
                    ErrorKind::TargetBusy,
                    "the table was made on the target; its transaction is applied anew",
                )
                .at_table(&self.database, &table.name))
            }
            result => {
                worker.close();
                result
            }
        }
    }
}

impl MysqlLane {
    /// The marks of this lane's database.
    pub(super) fn read_marks(&mut self) -> Result<Vec<SetAside>> {
        let database = self.database.clone();
        let open = self.open;
        let connection = self.connection()?;
        let marks = quarantine::read(connection, &database)?;
        if !open {
            connection.query("COMMIT", "ending a read")?;
        }
        Ok(marks)
    }

    /// Works on the marks, in the open transaction.
    pub(super) fn with_marks<T>(
        &mut self,
        work: impl FnOnce(&mut Connection, &str) -> Result<T>,
    ) -> Result<T> {
        let database = self.database.clone();
        self.guarded(|lane| work(lane.connection()?, &database))
    }

    /// Goes on in the open transaction behind an error of one table.
    pub(super) fn forgive(&mut self, table: &str) {
        self.definitions.clear();
        self.writer.forget_rows_of(table);
        self.failed = false;
    }

    /// Runs a statement that tables take part in which are set aside: the target may refuse what does not fit them.
    fn run_ddl_on_stale_tables(&mut self, ddl: &Ddl<'_>) -> Result<DdlOutcome> {
        match self.run_ddl(ddl) {
            Err(error) if is_of_one_table(&error) => {
                tracing::warn!(error = %error.full_text(), "the statement names tables that are set aside; passed over");
                Ok(DdlOutcome::Done)
            }
            outcome => outcome,
        }
    }

    /// The target's own definition of a table, as others read it.
    fn known_table(&mut self, name: &str) -> Result<Option<Arc<Table>>> {
        if let Some(copy) = self.copies.get(name) {
            return Ok(Some(copy.source.clone()));
        }
        if !self.open {
            self.fresh_session()?;
        }
        Ok(self
            .definition(name)?
            .map(|definition| Arc::clone(&definition.table)))
    }
}

impl Lane for MysqlLane {
    fn show_work(&mut self, work: Arc<WorkInHand>) {
        self.work = work;
    }

    fn checkpoint(&self) -> Option<Checkpoint> {
        self.checkpoint.clone()
    }

    fn table(&mut self, name: &str, _source: &dyn SourceSchema) -> Result<Option<Arc<Table>>> {
        self.known_table(name)
    }

    fn adopt(&mut self, table: Table) -> Result<Arc<Table>> {
        self.create_table(&table)?;
        let parents = table
            .foreign_keys
            .iter()
            .filter_map(|key| key.parent_database.clone());
        let tied = parents.chain([self.database.clone()]).collect();
        self.shared.with_ties(|ties| ties.tie(tied))?;
        self.shared.schema_changed();
        let database = self.database.clone();
        let lost = || {
            Error::new(
                ErrorKind::Schema,
                "the target does not show the table just made",
            )
            .at_table(&database, &table.name)
        };
        self.known_table(&table.name)?.ok_or_else(lost)
    }

    fn begin(&mut self) -> Result<()> {
        if !self.open {
            self.fresh_session()?;
            self.open = true;
        }
        Ok(())
    }

    fn rows(
        &mut self,
        table: &Arc<Table>,
        rows: &mut RowReader<'_>,
        _source: &dyn SourceSchema,
    ) -> Result<u64> {
        let database = self.database.clone();
        self.guarded(|lane| lane.apply_rows(&table.name, rows))
            .map_err(|error| error.at_table(&database, &table.name))
    }

    fn commits_ddl(&self) -> bool {
        true
    }

    fn ddl(&mut self, ddl: &Ddl<'_>) -> Result<DdlOutcome> {
        let tables = ddl.statement.tables(&ddl.query.database);
        let is_aside = |(database, table): &(&str, &str)| {
            *database == self.database && ddl.set_aside.contains(*table)
        };
        if tables.iter().any(is_aside) {
            return self.guarded(|lane| lane.run_ddl_on_stale_tables(ddl));
        }
        if let Some(name) = unsure::candidate(ddl, &self.database)
            && let Ok(Some(table)) = self.known_table(name)
            && let Some(error) = unsure::reason(ddl, table)
        {
            return Err(error);
        }
        self.guarded(|lane| lane.run_ddl(ddl))
    }

    fn finish_ddl(&mut self, _ddl: &Ddl<'_>) -> Result<()> {
        // The lane of the statement's first database has run it, and committed.
        Ok(())
    }

    fn commit(&mut self, at: &Checkpoint) -> Result<()> {
        if !self.open && !self.failed {
            self.fresh_session()?;
        }
        self.guarded(|lane| lane.write_commit(at))
    }

    fn savepoint(&mut self, number: u32) -> Result<()> {
        self.at_savepoint("SAVEPOINT", number)
    }

    fn rollback_to(&mut self, number: u32) -> Result<()> {
        self.at_savepoint("ROLLBACK TO SAVEPOINT", number)
    }

    fn release_savepoint(&mut self, number: u32) -> Result<()> {
        self.at_savepoint("RELEASE SAVEPOINT", number)
    }

    fn rollback(&mut self) -> Result<()> {
        self.end_transaction();
        if let Some(session) = &mut self.session
            && session.connection.query("ROLLBACK", "rolling back").is_ok()
        {
            self.failed = false;
            return Ok(());
        }
        self.connect()?;
        self.failed = false;
        Ok(())
    }

    fn make_durable(&mut self) -> Result<()> {
        // Not on the lane's own connection: flushing commits what is open there.
        self.shared.make_durable()
    }
}

impl Drop for MysqlLane {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            session.connection.close();
        }
    }
}

fn lost_connection() -> Error {
    Error::new(
        ErrorKind::TargetBusy,
        "the connection to the target is lost",
    )
    .with_errno(2013)
}
