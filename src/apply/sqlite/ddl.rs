//! DDL on a SQLite file, in the same transaction as its position.
//!
//! # Tables that move between databases
//! The receiving lane copies the table out of the other database's file, which is committed up to this statement, and
//! commits. The giving lane drops it in its own open transaction, so that the statement may give its name to another table,
//! and commits last. A crash between the two leaves the giving lane at the position before the statement, and it drops
//! the table when the statement comes again.

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::binder::Bound;
use super::catalog::{Catalog, Entry};
use super::file_name::file_name;
use super::lane::SqliteLane;
use super::renamed_keys::{FullName, after_column_rename, after_rename, renamed};
use super::spellings;
use super::store;
use super::stored_rows::StoredRows;
use crate::apply::work::Work;
use crate::apply::{Ddl, DdlOutcome, apart};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::ddl::statement::AlterAction;
use crate::schema::ddl::{Statement, TableName};
use crate::schema::effect::{self, Change, ColumnOrigin};
use crate::schema::sqlite::{self, AlterPlan, AlterSession};
use crate::schema::table::{Collation, Column, Table};

/// The definitions in force as the statement sees them: this file's, and those of other databases' files.
struct View<'a> {
    lane: &'a SqliteLane,
    ddl: &'a Ddl<'a>,
    /// A failure to look something up; the effect's own interface has no room for it.
    failed: RefCell<Option<Error>>,
}

impl View<'_> {
    fn keep<T>(&self, outcome: Result<Option<T>>) -> Option<T> {
        outcome.unwrap_or_else(|error| {
            self.failed.borrow_mut().get_or_insert(error);
            None
        })
    }
}

impl effect::Catalog for View<'_> {
    fn table(&self, database: &str, name: &str) -> Option<Arc<Table>> {
        // The definition of a table that is set aside may be out of date: it is not there for CREATE TABLE … LIKE.
        if database == self.ddl.database && self.ddl.set_aside.contains(name) {
            return None;
        }
        if database == self.ddl.database {
            return self.lane.catalog.get(name).map(|entry| entry.table.clone());
        }
        self.keep(self.lane.foreign_entry(database, name))
            .map(|entry| entry.table)
    }

    fn database_collation(&self, database: &str) -> Option<Collation> {
        // What the source has now under this name says nothing of a database that is dropped at this position.
        if database == self.ddl.database && (self.lane.collation.is_some() || self.lane.dropped) {
            return self.lane.collation.clone();
        }
        self.keep(self.ddl.source.database_collation(database))
    }
}

impl SqliteLane {
    /// Applies this database's part of a statement.
    pub(super) fn apply_ddl(&mut self, ddl: &Ddl<'_>) -> Result<DdlOutcome> {
        for (database, table) in ddl.statement.tables(&ddl.query.database) {
            if database == ddl.database {
                self.mind_case(table, ddl.source)?;
            }
        }
        let view = View {
            lane: self,
            ddl,
            failed: RefCell::new(None),
        };
        let statement = followed(ddl);
        let changes = effect::effect(&statement, ddl.context, &view);
        if let Some(error) = view.failed.into_inner() {
            return Err(error);
        }
        let mut changes = changes?;
        changes.retain(|change| !is_passed_over(change, ddl));
        let mut outcome = DdlOutcome::Done;
        for change in changes {
            let renamed = match &change {
                Change::RenameTable { to, .. } => Some(to.1.clone()),
                _ => None,
            };
            let applied = self.apply_change(change, ddl);
            let applied = applied.map_err(|error| match &renamed {
                Some(table) => error.at_table(ddl.database, table),
                None => error,
            });
            if applied? == DdlOutcome::Unfinished {
                outcome = DdlOutcome::Unfinished;
            }
        }
        if !ddl.context.may_log_cascades() {
            self.check_apart(ddl.database)?;
        }
        self.forget_writers()?;
        Ok(outcome)
    }

    /// Refuses a table with rows whose foreign key came to refer to another database: see
    /// [`super::foreign_keys::ForeignKeys::check_apart`], which does so at row events.
    fn check_apart(&self, database: &str) -> Result<()> {
        for entry in self.catalog.entries() {
            if !entry.table.has_key_apart() {
                continue;
            }
            let name = sqlite::quote_identifier(&entry.sqlite_name);
            let sql = format!("SELECT 1 FROM {name} LIMIT 1");
            if self.connection.prepare(&sql)?.exists([])? {
                return Err(apart::error().at_table(database, &entry.table.name));
            }
        }
        Ok(())
    }

    fn apply_change(&mut self, change: Change, ddl: &Ddl<'_>) -> Result<DdlOutcome> {
        let own = |database: &str| database == ddl.database;
        match change {
            Change::CreateDatabase { name, collation }
            | Change::AlterDatabase { name, collation }
                if own(&name) =>
            {
                self.set_database(Some(collation), false)?;
            }
            Change::DropDatabase { name } if own(&name) => {
                for table in self.catalog.names() {
                    self.drop_table(&table)?;
                }
                self.set_database(None, true)?;
            }
            Change::CreateTable { database, table } if own(&database) => {
                self.create_table(table)?;
            }
            Change::DropTable { database, name } if own(&database) => self.drop_table(&name)?,
            Change::RenameTable { from, to } => return self.rename(&from, &to, ddl.database),
            Change::AlterTable {
                database,
                before,
                after,
                origins,
            } if own(&database) => {
                self.alter_table(&before, after, &origins, ddl)?;
            }
            Change::Truncate { database, name } if own(&database) => {
                if let Some(entry) = self.catalog.get(&name) {
                    self.work.begin(Work::new("emptying", &name));
                    let sql = format!(
                        "DELETE FROM {}",
                        sqlite::quote_identifier(&entry.sqlite_name)
                    );
                    self.connection.execute_batch(&sql)?;
                    spellings::forget(&self.connection, &entry.table.name)?;
                }
            }
            Change::Unsupported {
                database,
                table,
                why,
            } if own(&database) => {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    format!("what this statement makes of the table cannot be told here: {why}"),
                )
                .at_table(&database, &table));
            }
            _ => {}
        }
        Ok(DdlOutcome::Done)
    }

    pub(super) fn set_database(
        &mut self,
        collation: Option<Collation>,
        dropped: bool,
    ) -> Result<()> {
        store::set_database_row(&self.connection, collation.as_ref(), dropped)?;
        self.collation = collation;
        self.dropped = dropped;
        self.may_have_dropped.fetch_or(dropped, Ordering::AcqRel);
        Ok(())
    }

    fn drop_table(&mut self, name: &str) -> Result<()> {
        let Some(entry) = self.catalog.get(name).cloned() else {
            return Ok(());
        };
        self.work.begin(Work::new("dropping", name));
        let sql = format!(
            "DROP TABLE {}",
            sqlite::quote_identifier(&entry.sqlite_name)
        );
        self.connection.execute_batch(&sql)?;
        self.catalog.remove(&self.connection, &entry.table.name)
    }

    fn rename(&mut self, from: &FullName, to: &FullName, own: &str) -> Result<DdlOutcome> {
        match (from.0 == own, to.0 == own) {
            (true, true) => self.rename_table(from, to)?,
            (true, false) => {
                self.drop_table(&from.1)?;
                self.follow(|table| after_rename(table, own, from, to))?;
                return Ok(DdlOutcome::Unfinished);
            }
            (false, true) => self.take_over(from, to)?,
            (false, false) => {}
        }
        self.follow(|table| after_rename(table, own, from, to))?;
        Ok(DdlOutcome::Done)
    }

    /// Stores the definitions that `now` changes: those of children of a table that got another name.
    fn follow(&mut self, now: impl Fn(&Table) -> Option<Table>) -> Result<()> {
        let entries = self.catalog.entries();
        let followed: Vec<Entry> = entries
            .filter_map(|entry| {
                let table = Arc::new(now(&entry.table)?);
                Some(Entry {
                    table,
                    ..entry.clone()
                })
            })
            .collect();
        for entry in followed {
            self.catalog.put(&self.connection, entry)?;
        }
        Ok(())
    }

    fn rename_table(&mut self, from: &FullName, to: &FullName) -> Result<()> {
        let Some(entry) = self.catalog.get(&from.1).cloned() else {
            return Ok(());
        };
        self.catalog.remove(&self.connection, &entry.table.name)?;
        let sqlite_name = self.catalog.free_sqlite_name(&to.1);
        for sql in sqlite::rename_table_sql(&entry.table, &entry.sqlite_name, &sqlite_name) {
            self.connection.execute_batch(&sql)?;
        }
        let table = Arc::new(renamed(&entry.table, from, to));
        self.catalog.put(
            &self.connection,
            Entry {
                table,
                sqlite_name,
                ..entry
            },
        )
    }

    fn alter_table(
        &mut self,
        before: &Arc<Table>,
        after: Table,
        origins: &[ColumnOrigin],
        ddl: &Ddl<'_>,
    ) -> Result<()> {
        let Some(entry) = self.catalog.get(&before.name).cloned() else {
            return Ok(());
        };
        let ignores = matches!(ddl.statement, Statement::AlterTable(alter) if alter.ignore);
        let mut session = AlterSession::new(
            ddl.context,
            ddl.query.timestamp,
            ddl.query.micros,
            ddl.query.time_zone.as_deref(),
        );
        let needs_source = |why: &str| {
            let what =
                format!("only the source knows what this ALTER makes of the stored rows: {why}");
            Error::new(ErrorKind::Unsupported, what).at_table(ddl.database, &before.name)
        };
        session.strict &= !ignores;
        let rows = StoredRows {
            strict: session.strict,
            connection: &self.connection,
            table: before,
            sqlite_name: &entry.sqlite_name,
            context: ddl.context,
        };
        if rows.lack_numbers(&after, origins)? {
            return Err(needs_source("an AUTO_INCREMENT column gets numbers"));
        }
        if let Some(column) = rows.odd_date(&after, origins)? {
            return Err(needs_source(&format!(
                "column `{column}` holds dates that are none"
            )));
        }
        let (alias, name) = (entry.rowid_alias, &entry.sqlite_name);
        let is_empty = self.is_empty(name)?;
        if ignores && !is_empty && rows.may_not_be_let_in(&after, origins) {
            return Err(needs_source(
                "IGNORE drops those that a key does not let in",
            ));
        }
        match sqlite::alter_plan(before, &after, origins, name, alias, is_empty, &session) {
            AlterPlan::Statements {
                steps, rowid_alias, ..
            } => {
                self.run_steps(&steps, &before.name, name)?;
                let names = new_column_names(before, &after, origins);
                let table = Arc::new(after);
                self.catalog.put(
                    &self.connection,
                    Entry {
                        table,
                        rowid_alias,
                        ..entry
                    },
                )?;
                let parent = (ddl.database.to_owned(), before.name.clone());
                self.follow(|table| match table.name == before.name {
                    // The keys of the table itself are part of its new definition.
                    true => None,
                    false => after_column_rename(table, ddl.database, &parent, &names),
                })
            }
            AlterPlan::NeedsSource(why) => Err(needs_source(&why)),
        }
    }

    fn is_empty(&self, sqlite_name: &str) -> Result<bool> {
        let sql = format!(
            "SELECT NOT EXISTS (SELECT 1 FROM {})",
            sqlite::quote_identifier(sqlite_name)
        );
        Ok(self.connection.query_row(&sql, [], |row| row.get(0))?)
    }

    /// The entry of a table in another database's file; that file's lane stands still meanwhile.
    fn foreign_entry(&self, database: &str, name: &str) -> Result<Option<Entry>> {
        let path = self.path.with_file_name(file_name(database));
        if !path.exists() {
            return Ok(None);
        }
        let connection = store::open_read_only(&path)?;
        Ok(Catalog::load(&connection)?.get(name).cloned())
    }

    /// Copies a table out of another database's file.
    fn take_over(&mut self, from: &FullName, to: &FullName) -> Result<()> {
        let Some(theirs) = self.foreign_entry(&from.0, &from.1)? else {
            return Ok(());
        };
        let made = self.create_table(renamed(&theirs.table, from, to))?;
        if !theirs.rowid_alias && sqlite::has_rowid_alias(&made) {
            self.give_up_rowid_alias(&to.1)?;
        }
        let ours = self.catalog.get(&to.1).cloned().ok_or_else(|| {
            Error::new(
                ErrorKind::Internal,
                "a table that was just made is not there",
            )
        })?;
        self.copy_rows(&from.0, &theirs, &ours)
    }

    /// Row by row, because SQLite cannot attach a file within a transaction.
    fn copy_rows(&self, database: &str, theirs: &Entry, ours: &Entry) -> Result<()> {
        let other = store::open_read_only(&self.path.with_file_name(file_name(database)))?;
        let columns: Vec<_> = ours
            .table
            .columns
            .iter()
            .map(|column| sqlite::quote_identifier(&column.name))
            .collect();
        let list = columns.join(", ");
        let mut read = other.prepare(&format!(
            "SELECT {list} FROM {}",
            sqlite::quote_identifier(&theirs.sqlite_name)
        ))?;
        let marks = vec!["?"; columns.len()].join(", ");
        let mut write = self.connection.prepare(&format!(
            "INSERT INTO {} ({list}) VALUES ({marks})",
            sqlite::quote_identifier(&ours.sqlite_name)
        ))?;
        let count = format!(
            "SELECT count(*) FROM {}",
            sqlite::quote_identifier(&theirs.sqlite_name)
        );
        let all: i64 = other.query_row(&count, [], |row| row.get(0))?;
        self.work.begin(Work {
            rows: u64::try_from(all).ok(),
            ..Work::new("taking over from another database", &ours.table.name)
        });
        let mut rows = read.query([])?;
        while let Some(row) = rows.next()? {
            self.work.check()?;
            self.work.add_rows(1);
            for at in 0..columns.len() {
                write.raw_bind_parameter(at + 1, Bound(row.get_ref(at)?))?;
            }
            write.raw_execute()?;
        }
        Ok(())
    }
}

/// Columns that have another name now: the former one and the new one.
fn new_column_names(
    before: &Table,
    after: &Table,
    origins: &[ColumnOrigin],
) -> Vec<(String, String)> {
    let columns = origins.iter().zip(&after.columns);
    let pair = |(origin, now): (&ColumnOrigin, &Column)| match origin {
        ColumnOrigin::Kept { from, .. } => {
            let old = before.columns.get(*from)?;
            (old.name != now.name).then(|| (old.name.clone(), now.name.clone()))
        }
        ColumnOrigin::New { .. } => None,
    };
    columns.filter_map(pair).collect()
}

/// What of a statement is followed while some tables are set aside: their names, not their insides.
fn followed<'a>(ddl: &Ddl<'a>) -> Cow<'a, Statement> {
    let default = &ddl.query.database;
    let is_aside = |table: &TableName| {
        table.database(default) == ddl.database && ddl.set_aside.contains(&table.name)
    };
    match ddl.statement {
        Statement::AlterTable(alter) if is_aside(&alter.table) => {
            let mut alter = alter.clone();
            alter.actions.retain(|action| {
                matches!(
                    action,
                    AlterAction::RenameTable(_) | AlterAction::PartitionRows { with: Some(_), .. }
                )
            });
            Cow::Owned(Statement::AlterTable(alter))
        }
        // It is there, or it would not be set aside; how it was made does not matter until it is read afresh.
        Statement::CreateTable(create) if !create.or_replace && is_aside(&create.table) => {
            Cow::Owned(Statement::NoTableChange("CREATE TABLE"))
        }
        statement => Cow::Borrowed(statement),
    }
}

/// Whether a change is one of the insides of a table that is set aside, or moves one here that is not to be moved.
fn is_passed_over(change: &Change, ddl: &Ddl<'_>) -> bool {
    let is_aside =
        |database: &str, table: &str| database == ddl.database && ddl.set_aside.contains(table);
    match change {
        Change::Truncate { database, name } => is_aside(database, name),
        Change::Unsupported {
            database, table, ..
        } => is_aside(database, table),
        Change::CreateTable { database, table } => is_aside(database, &table.name),
        Change::RenameTable { from, to } => from.0 != ddl.database && is_aside(&to.0, &to.1),
        _ => false,
    }
}
