//! One database file as a lane.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rusqlite::Connection;

use super::binder::{Binder, Scratch};
use super::cascade::Cascade;
use super::catalog::{Catalog, Entry};
use super::copy::drop_leftovers;
use super::foreign_keys::{self, ForeignKeys};
use super::row_finder;
use super::store;
use super::table::{TableWriter, Written};
use super::taken_rows::TakenRows;
use crate::apply::work::WorkInHand;
use crate::apply::{Ddl, DdlOutcome, Lane, SourceSchema};
use crate::checkpoint::Checkpoint;
use crate::decode::rows::{FLAG_STMT_END, RowImages, RowReader};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::sqlite;
use crate::schema::table::{Collation, Table};

/// What the names of our savepoints begin with.
const SAVEPOINT: &str = "_relaylite_";

/// The lane of one SQLite file.
pub(super) struct SqliteLane {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
    pub(super) catalog: Catalog,
    pub(super) collation: Option<Collation>,
    pub(super) dropped: bool,
    /// Told when a database is dropped.
    pub(super) may_have_dropped: Arc<AtomicBool>,
    checkpoint: Option<Checkpoint>,
    pub(super) in_transaction: bool,
    pub(super) writers: HashMap<String, TableWriter>,
    /// The foreign keys that act; `None` until they are asked for.
    foreign_keys: Option<Arc<ForeignKeys>>,
    taken: TakenRows,
    images: RowImages<'static>,
    pub(super) scratch: Scratch,
    pub(super) work: Arc<WorkInHand>,
}

impl SqliteLane {
    /// Opens or makes the file.
    pub(super) fn open(
        path: PathBuf,
        database: &str,
        may_have_dropped: Arc<AtomicBool>,
    ) -> Result<Self> {
        let connection = store::open(&path, database)?;
        row_finder::register(&connection)?;
        crate::disk::sync_parent(&path)?;
        let row = store::database_row(&connection)?;
        if row.name != database {
            return Err(Error::new(
                ErrorKind::Target,
                format!("{} holds the database `{}`", path.display(), row.name),
            ));
        }
        let checkpoint = store::checkpoint(&connection)?;
        drop_leftovers(&connection)?;
        let catalog = Catalog::load(&connection)?;
        Ok(Self {
            connection,
            path,
            catalog,
            collation: row.collation,
            dropped: row.dropped,
            may_have_dropped,
            checkpoint,
            in_transaction: false,
            writers: HashMap::new(),
            foreign_keys: None,
            taken: TakenRows::default(),
            images: RowImages::default(),
            scratch: Scratch::default(),
            work: Arc::default(),
        })
    }

    /// Learns whether the source ignores the case of table names, once it matters.
    pub(super) fn mind_case(&mut self, name: &str, source: &dyn SourceSchema) -> Result<()> {
        if self.catalog.is_only_in_other_case(name) && source.folds_table_names()? {
            self.catalog.fold_names();
        }
        Ok(())
    }

    /// Makes a table that is not there, in the open transaction.
    pub(super) fn create_table(&mut self, table: Table) -> Result<Arc<Table>> {
        let sqlite_name = self.catalog.free_sqlite_name(&table.name);
        let entry = self.make_table(table, sqlite_name)?;
        let table = entry.table.clone();
        self.catalog.put(&self.connection, entry)?;
        self.forget_writers()?;
        Ok(table)
    }

    /// Makes a table with its indexes under a name of SQLite's that is free, in the open transaction.
    pub(super) fn make_table(&mut self, table: Table, sqlite_name: String) -> Result<Entry> {
        // What cannot be stored is said now, not at the first row.
        table
            .columns
            .iter()
            .try_for_each(|column| Binder::new(column).map(drop))?;
        if self.dropped {
            self.set_database(self.collation.clone(), false)?;
        }
        let rowid_alias = sqlite::has_rowid_alias(&table);
        self.connection.execute_batch(&sqlite::create_table_sql(
            &table,
            &sqlite_name,
            rowid_alias,
        ))?;
        for step in sqlite::create_indexes(&table, &sqlite_name) {
            self.connection.execute_batch(&step.sql)?;
        }
        Ok(Entry {
            table: Arc::new(table),
            sqlite_name,
            rowid_alias,
        })
    }

    /// Forgets everything prepared for the tables' former definitions.
    pub(super) fn forget_writers(&mut self) -> Result<()> {
        self.writers.clear();
        self.foreign_keys = None;
        row_finder::drop_all(&self.connection)?;
        self.connection.flush_prepared_statement_cache();
        Ok(())
    }

    /// Brings what is in memory to what the file says, after a rollback.
    fn load_state(&mut self) -> Result<()> {
        self.catalog = Catalog::load(&self.connection)?;
        let row = store::database_row(&self.connection)?;
        self.collation = row.collation;
        self.dropped = row.dropped;
        self.taken.forget();
        self.forget_writers()
    }

    /// The file's foreign keys that act.
    fn foreign_keys(&mut self) -> Result<Arc<ForeignKeys>> {
        if let Some(known) = &self.foreign_keys {
            return Ok(known.clone());
        }
        // A key that an UPDATE cascades into may outgrow SQLite's rowid without a row event of its own.
        for name in foreign_keys::outgrowing(&self.catalog) {
            self.give_up_rowid_alias(&name)?;
        }
        let keys = Arc::new(ForeignKeys::of(&self.catalog));
        if !keys.is_empty() {
            self.taken.prepare(&self.connection)?;
        }
        self.foreign_keys = Some(keys.clone());
        Ok(keys)
    }

    pub(super) fn entry(&self, name: &str) -> Result<&Entry> {
        self.catalog.get(name).ok_or_else(|| {
            Error::new(
                ErrorKind::Internal,
                format!("`{name}` is not in the catalog"),
            )
        })
    }

    /// Rebuilds a table whose key no longer fits SQLite's rowid.
    pub(super) fn give_up_rowid_alias(&mut self, name: &str) -> Result<()> {
        let entry = self.entry(name)?.clone();
        row_finder::drop_all(&self.connection)?;
        let (table, sqlite_name) = (&entry.table, &entry.sqlite_name);
        let steps = sqlite::rebuild_without_rowid_alias(table, sqlite_name);
        self.run_steps(&steps, name, sqlite_name)?;
        self.catalog.put(
            &self.connection,
            Entry {
                rowid_alias: false,
                ..entry
            },
        )?;
        self.forget_writers()
    }
}

impl Lane for SqliteLane {
    fn show_work(&mut self, work: Arc<WorkInHand>) {
        self.work = work;
    }

    fn checkpoint(&self) -> Option<Checkpoint> {
        self.checkpoint.clone()
    }

    fn table(&mut self, name: &str, source: &dyn SourceSchema) -> Result<Option<Arc<Table>>> {
        self.mind_case(name, source)?;
        Ok(self.catalog.get(name).map(|entry| entry.table.clone()))
    }

    fn adopt(&mut self, table: Table) -> Result<Arc<Table>> {
        self.within_savepoint(|lane| lane.create_table(table))
    }

    fn begin(&mut self) -> Result<()> {
        // The last event of a statement may stand in another lane.
        self.taken.clear(&self.connection)?;
        if !self.in_transaction {
            // IMMEDIATE: a lock that another writer holds shows here, not in the middle.
            self.connection
                .prepare_cached("BEGIN IMMEDIATE")?
                .execute([])?;
            self.in_transaction = true;
        }
        Ok(())
    }

    fn rows(&mut self, table: &Arc<Table>, rows: &mut RowReader<'_>) -> Result<u64> {
        let mut images = std::mem::take(&mut self.images).recycle();
        let keys = self.foreign_keys()?;
        keys.check_apart(&table.name, rows.flags())?;
        let mut done = 0;
        loop {
            let known = self.writers.get(&table.name);
            if known.is_none_or(|writer| !Arc::ptr_eq(&writer.table, table)) {
                let entry = self.entry(&table.name)?;
                let mut writer =
                    TableWriter::new(table.clone(), &entry.sqlite_name, entry.rowid_alias)?;
                writer.while_copied = self.catalog.is_shadow(&table.name);
                self.writers.insert(table.name.clone(), writer);
            }
            let Some(writer) = self.writers.get_mut(&table.name) else {
                continue;
            };
            let cascade = (!keys.is_empty()).then_some(Cascade {
                keys: &keys,
                taken: &mut self.taken,
            });
            match writer.write(
                &self.connection,
                rows,
                &mut images,
                &mut self.scratch,
                cascade,
            )? {
                Written::All(count) => {
                    self.images = images.recycle();
                    if rows.flags() & FLAG_STMT_END != 0 {
                        self.taken.clear(&self.connection)?;
                    }
                    return Ok(done + count);
                }
                Written::KeyTooLarge(count) => {
                    done += count;
                    self.give_up_rowid_alias(&table.name)?;
                }
            }
        }
    }

    fn ddl(&mut self, ddl: &Ddl<'_>) -> Result<DdlOutcome> {
        self.with_progress(|lane| lane.within_savepoint(|lane| lane.apply_ddl(ddl)))
    }

    fn finish_ddl(&mut self, _: &Ddl<'_>) -> Result<()> {
        // Tables that moved away are dropped already: all that was missing is the commit.
        Ok(())
    }

    fn commit(&mut self, at: &Checkpoint) -> Result<()> {
        self.begin()?;
        store::set_checkpoint(&self.connection, at)?;
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        self.in_transaction = false;
        self.checkpoint = Some(at.clone());
        Ok(())
    }

    fn savepoint(&mut self, number: u32) -> Result<()> {
        let sql = format!("SAVEPOINT {SAVEPOINT}{number}");
        Ok(self.connection.execute_batch(&sql)?)
    }

    fn rollback_to(&mut self, number: u32) -> Result<()> {
        let sql = format!("ROLLBACK TO {SAVEPOINT}{number}");
        self.connection.execute_batch(&sql)?;
        self.load_state()
    }

    fn release_savepoint(&mut self, number: u32) -> Result<()> {
        let sql = format!("RELEASE {SAVEPOINT}{number}");
        Ok(self.connection.execute_batch(&sql)?)
    }

    fn rollback(&mut self) -> Result<()> {
        if self.in_transaction {
            // SQLite may have rolled back by itself (disk full); then there is nothing left to do.
            if !self.connection.is_autocommit() {
                self.connection.execute_batch("ROLLBACK")?;
            }
            self.in_transaction = false;
            self.load_state()?;
        }
        Ok(())
    }

    fn invalid_texts(&self) -> u64 {
        self.scratch.invalid_texts
    }

    fn make_durable(&mut self) -> Result<()> {
        // Every commit since the last checkpoint of the WAL stands in the WAL; the checkpoint syncs the rest itself. The
        // WAL is there as long as a connection is open.
        let wal = store::wal_path(&self.path);
        let missing = [&self.path, &wal].into_iter().find(|path| !path.exists());
        if let Some(missing) = missing {
            return Err(Error::new(
                ErrorKind::Target,
                format!(
                    "{} is gone: it was removed while replication runs; put the target directory back as it was, or \
                     remove all of it to start afresh, and start again",
                    missing.display()
                ),
            ));
        }
        store::sync_wal(&self.path)
    }
}
