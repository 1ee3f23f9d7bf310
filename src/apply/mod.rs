//! 5. Changes go into the target: the contract that every target keeps.
//!
//! # Contract
//! - One [`Lane`] per database, used by one OS thread at a time; lanes of one target run in parallel.
//! - Between [`Lane::begin`] and [`Lane::commit`] everything goes into ONE target transaction, and `commit` writes the
//!   checkpoint into it. Several source transactions may be merged: `begin` on an open transaction is a no-op, and
//!   the checkpoint of the last one counts.
//! - Readers of the target never see part of a source transaction (of this database).
//! - After a crash, [`Lane::checkpoint`] is the last committed one; everything after it comes again, nothing before.
//! - `commit` need not be durable against power loss; [`Lane::make_durable`] is, for all commits before it. Relay
//!   files are purged by what is durable.

mod apart;
pub mod copy;
pub mod mysql;
pub mod quarantine;
pub mod sqlite;
pub mod work;

use std::collections::HashSet;
use std::sync::Arc;

use self::copy::TableCopy;
use self::quarantine::QuarantineStore;
use self::work::WorkInHand;
use crate::checkpoint::{Checkpoint, Watermark};
use crate::decode::query::Query;
use crate::decode::rows::RowReader;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::collation::TextPair;
use crate::schema::ddl::{SqlContext, Statement};
use crate::schema::table::Table;

/// Where changes go. Shared by all lanes.
pub trait Target: Send + Sync {
    /// Databases that have a checkpoint in the target, with it.
    fn checkpoints(&self) -> Result<Vec<(String, Checkpoint)>>;

    /// The watermark: up to here every database has everything durably. `None` on a fresh target.
    fn watermark(&self) -> Result<Option<Watermark>>;

    /// Stores the watermark durably, whole or not at all. Called from one thread, seldom (seconds apart).
    fn set_watermark(&self, watermark: &Watermark) -> Result<()>;

    /// Opens the lane of one source database; makes its place in the target if there is none.
    fn open_lane(&self, database: &str) -> Result<Box<dyn Lane>>;

    /// Whether the target's disk has room, where it is ours to know. Asked after an error that a full disk may have caused
    /// without saying so.
    ///
    /// # Errors
    /// `DiskFull`.
    fn check_room(&self) -> Result<()> {
        Ok(())
    }

    /// The databases whose lanes have to meet for a DDL statement about `databases`, these among them; its foreign keys refer to
    /// `referred`. Called from one thread, in the source's order.
    fn met_by_ddl(&self, databases: Vec<String>, _referred: Vec<String>) -> Result<Vec<String>> {
        Ok(databases)
    }

    /// Removes what is left of databases that the source dropped before `watermark`: no restart can need it any more.
    /// `is_open` says which databases have a lane (they are in use again).
    fn purge_dropped(&self, watermark: &Checkpoint, is_open: &dyn Fn(&str) -> bool) -> Result<()>;
}

/// A DDL statement as a lane gets it.
pub struct Ddl<'a> {
    /// The event: text, session settings, default database.
    pub query: &'a Query,
    /// What it says.
    pub statement: &'a Statement,
    /// The session and server that it ran in.
    pub context: &'a SqlContext,
    /// The source's definition of a table of this lane, asked for when the catalog does not know it.
    pub source: &'a dyn SourceSchema,
    /// The lane's database when the statement names several: each lane does its own part.
    pub database: &'a str,
    /// The checkpoint that will be committed with it.
    pub at: &'a Checkpoint,
    /// Tables of `database` that are set aside: the statement's other work is done, and their names follow it.
    pub set_aside: &'a HashSet<String>,
}

/// Whether a lane has done its part of a DDL statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DdlOutcome {
    /// Yes: commit.
    Done,
    /// Not before the other databases of the statement have committed theirs: call [`Lane::finish_ddl`] then.
    Unfinished,
}

/// Asks the source for a table that the catalog does not know.
pub trait SourceSchema: Send + Sync {
    /// The table as the source has it now; `None` when it has none of that name. Blocks; seldom called. `database` is the
    /// source's name of it.
    fn table(&self, database: &str, table: &str) -> Result<Option<Table>>;

    /// Whether the source has a sequence (MariaDB) of that name now. `database` is its name in the target.
    fn is_sequence(&self, _database: &str, _table: &str) -> Result<bool> {
        Ok(false)
    }

    /// Whether the source ignores the case of table names (`lower_case_table_names`).
    fn folds_table_names(&self) -> Result<bool> {
        Ok(false)
    }

    /// Whether the source keeps names of databases and tables in lower case (`lower_case_table_names` is 1).
    fn keeps_names_in_lower_case(&self) -> Result<bool> {
        Ok(false)
    }

    /// Which pairs of texts the source holds for equal. Blocks; asked only where nobody else can tell.
    ///
    /// # Errors
    /// `SourceOnly` when it cannot compare them; those of a connection.
    fn are_equal(&self, _pairs: &[TextPair]) -> Result<Vec<bool>> {
        Err(Error::new(
            ErrorKind::SourceOnly,
            "nobody can be asked whether two texts are equal",
        ))
    }

    /// Default collation of a database as the source has it now. `database` is its name in the target.
    fn database_collation(&self, database: &str)
    -> Result<Option<crate::schema::table::Collation>>;
}

/// One database of the target.
///
/// # Threading
/// Used by one thread at a time, blocking.
pub trait Lane: QuarantineStore + TableCopy + Send {
    /// From now on shows in `work` what takes long, and ends it there when it is given up.
    fn show_work(&mut self, work: Arc<WorkInHand>);

    /// The last committed checkpoint; `None` when nothing was ever committed.
    fn checkpoint(&self) -> Option<Checkpoint>;

    /// The definition in force of a table, or `None` when the target does not know it. `source` says whether the case
    /// of its name counts, where that matters.
    fn table(&mut self, name: &str, source: &dyn SourceSchema) -> Result<Option<Arc<Table>>>;

    /// Creates a table met for the first time, in the open transaction.
    fn adopt(&mut self, table: Table) -> Result<Arc<Table>>;

    /// Opens the target transaction; no-op when one is open.
    fn begin(&mut self) -> Result<()>;

    /// Applies one row event in the open transaction; returns how many rows it held.
    ///
    /// # Errors
    /// `RowMissing` (1032) and `DuplicateRow` (1062) when target and event disagree.
    fn rows(
        &mut self,
        table: &Arc<Table>,
        rows: &mut RowReader<'_>,
        source: &dyn SourceSchema,
    ) -> Result<u64>;

    /// Whether DDL commits by itself here. What is open must then be committed before [`Lane::ddl`].
    fn commits_ddl(&self) -> bool {
        false
    }

    /// Applies this database's part of a DDL statement, in the open transaction where the target can, so that
    /// `commit` makes it and its position visible together.
    fn ddl(&mut self, ddl: &Ddl<'_>) -> Result<DdlOutcome>;

    /// The second half of a DDL that moves tables between databases, for a lane that answered `Unfinished`; called when
    /// the other lanes have committed theirs.
    fn finish_ddl(&mut self, ddl: &Ddl<'_>) -> Result<()>;

    /// Commits rows and checkpoint together; writes just the checkpoint when no transaction is open.
    fn commit(&mut self, at: &Checkpoint) -> Result<()>;

    /// Remembers this point of the open transaction. Numbers rise from one savepoint of a source transaction to the next.
    fn savepoint(&mut self, number: u32) -> Result<()>;

    /// Takes back what was done since that savepoint, which stays; those behind it are gone.
    fn rollback_to(&mut self, number: u32) -> Result<()>;

    /// Forgets that savepoint and those behind it; what was done since stays.
    fn release_savepoint(&mut self, number: u32) -> Result<()>;

    /// Drops the open transaction, if any.
    fn rollback(&mut self) -> Result<()>;

    /// Text values that were not valid in their charset, and were kept as the source's bytes, since the lane was opened.
    fn invalid_texts(&self) -> u64 {
        0
    }

    /// Makes all commits so far durable against power loss.
    fn make_durable(&mut self) -> Result<()>;
}
