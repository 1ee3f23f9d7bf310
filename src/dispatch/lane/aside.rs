//! The tables of a lane that are set aside: how an error becomes a mark, what of the stream is passed over, and how marks follow
//! DDL.
//!
//! # Invariants
//! - A mark is written in the transaction whose checkpoint passes the event that failed.
//! - What a statement does to names (DROP, RENAME) is done to marks in the same transaction. When a table moves to another
//!   database, the receiving lane takes the mark from what the giving lane has published; the giving lane publishes the
//!   move only when all lanes of the statement are behind their first half.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::LaneWorker;
use crate::apply::quarantine::{SetAside, is_of_one_table};
use crate::config::OnTableError;
use crate::dispatch::batch::DdlTask;
use crate::dispatch::quarantine::{AsideTable, TableId};
use crate::dispatch::resync::Copy;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::ddl::statement::AlterAction;
use crate::schema::ddl::{CONVERT_TABLE, Statement, TableName};

/// A table that is set aside.
#[derive(Debug)]
pub(super) struct Aside {
    /// Why and since when.
    pub(super) mark: SetAside,
    /// Row events passed over since the lane was opened.
    pub(super) passed_over: u64,
    /// While it is being read afresh, its events are applied.
    pub(super) copy: Option<Arc<Copy>>,
}

/// The tables of a lane that are set aside, by name.
#[derive(Debug, Default)]
pub(super) struct AsideTables {
    tables: BTreeMap<String, Aside>,
    /// Something is not published yet.
    changed: bool,
}

impl AsideTables {
    /// As the target remembers them.
    pub(super) fn of(marks: Vec<SetAside>) -> Self {
        let aside = |mark: SetAside| {
            let aside = Aside {
                mark,
                passed_over: 0,
                copy: None,
            };
            (aside.mark.table.clone(), aside)
        };
        Self {
            tables: marks.into_iter().map(aside).collect(),
            changed: true,
        }
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// One of them.
    pub(super) fn get(&self, table: &str) -> Option<&Aside> {
        self.tables.get(table)
    }

    /// One of them, to change.
    pub(super) fn get_mut(&mut self, table: &str) -> Option<&mut Aside> {
        self.changed = true;
        self.tables.get_mut(table)
    }

    /// The copy of a table that is being read afresh.
    pub(super) fn copy(&self, table: &str) -> Option<&Arc<Copy>> {
        self.tables.get(table)?.copy.as_ref()
    }

    /// Takes one out.
    pub(super) fn remove(&mut self, table: &str) -> Option<Aside> {
        self.changed = true;
        self.tables.remove(table)
    }

    fn names(&self) -> Vec<String> {
        self.tables.keys().cloned().collect()
    }

    fn published(&self) -> Vec<AsideTable> {
        let tables = self.tables.values();
        tables
            .map(|aside| AsideTable {
                mark: aside.mark.clone(),
                passed_over: aside.passed_over,
            })
            .collect()
    }
}

impl LaneWorker {
    pub(super) fn id(&self, table: &str) -> TableId {
        TableId::new(&self.progress.database, table)
    }

    /// Publishes the tables that are set aside, if anything changed.
    pub(super) fn publish_aside(&mut self) {
        if std::mem::take(&mut self.aside.changed) {
            let tables = self.aside.published();
            let database = &self.progress.database;
            self.context.quarantine.publish(database, tables);
        }
    }

    /// The name under which a table is set aside, which differs in case only where the source does not mind.
    pub(super) fn aside_name(&self, table: &str) -> Result<Option<String>> {
        if self.aside.is_empty() {
            return Ok(None);
        }
        if self.aside.get(table).is_some() {
            return Ok(Some(table.to_owned()));
        }
        let folded = table.to_lowercase();
        let mut names = self.aside.names().into_iter();
        match names.find(|name| name.to_lowercase() == folded) {
            Some(name) if self.context.source.folds_table_names()? => Ok(Some(name)),
            _ => Ok(None),
        }
    }

    /// The name of a table whose events are passed over.
    pub(super) fn passed_over_name(&self, table: &str) -> Result<Option<String>> {
        let name = self.aside_name(table)?;
        Ok(name.filter(|name| self.aside.copy(name).is_none()))
    }

    /// Tables whose statements are passed over.
    pub(super) fn passed_over_names(&self) -> HashSet<String> {
        let names = self.aside.names().into_iter();
        names
            .filter(|name| self.aside.copy(name).is_none())
            .collect()
    }

    /// Counts a row event that is passed over. Where the source changed rows of other tables with it, because of foreign keys and
    /// without an event of their own, those cannot be followed either: they are set aside, too.
    pub(super) fn pass_over(&mut self, table: &str, changes_others: bool) -> Result<()> {
        let Some(aside) = self.aside.get_mut(table) else {
            return Ok(());
        };
        aside.passed_over += 1;
        if !changes_others {
            return Ok(());
        }
        for child in self.lane.dependents(table)? {
            if self.aside.get(&child).is_some() {
                continue;
            }
            let Some(parent) = self.aside.get(table) else {
                continue;
            };
            let mark = SetAside {
                reason: format!(
                    "its foreign keys refer to {table}, which is set aside: what they do here is not known; after that one is \
                     read afresh, read this one"
                ),
                table: child,
                ..parent.mark.clone()
            };
            self.set_aside(&mark)?;
        }
        Ok(())
    }

    /// Sets the table of an error aside, so that the rest goes on.
    ///
    /// # Errors
    /// The error itself when it is not that of one table of this lane, or when errors are to stop replication.
    pub(super) fn contain(&mut self, error: Error) -> Result<()> {
        let prefix = format!("{}.", self.progress.database);
        let table = error.at().table.as_deref();
        match table.and_then(|table| table.strip_prefix(&prefix)) {
            Some(table) if is_of_one_table(&error) => {
                let table = table.to_owned();
                let resync = error.kind() == ErrorKind::SourceOnly;
                self.contain_table(&table, error, resync)
            }
            _ => Err(error),
        }
    }

    /// As [`Self::contain`], for a statement: where the error names no table, the statement's own are set aside. What became of
    /// their definition only the source can say, so they are read afresh.
    pub(super) fn contain_ddl(&mut self, error: Error, task: &DdlTask) -> Result<()> {
        if !is_of_one_table(&error) {
            return Err(error);
        }
        let database = self.progress.database.clone();
        let prefix = format!("{database}.");
        let named = error.at().table.as_deref();
        let table = match named.and_then(|table| table.strip_prefix(&prefix)) {
            Some(table) => Some(table.to_owned()),
            None => {
                let tables = task.statement.tables(&task.query.database).into_iter();
                let mut own =
                    tables.filter(|(of, table)| *of == database && self.aside.get(table).is_none());
                own.next().map(|(_, table)| table.to_owned())
            }
        };
        match table {
            Some(table) => self.contain_table(&table, error, true),
            None => Err(error),
        }
    }

    fn contain_table(&mut self, table: &str, error: Error, resync: bool) -> Result<()> {
        let error = match &self.current.gtid {
            Some(gtid) => error.at_gtid(gtid),
            None => error,
        };
        if self.aside.copy(table).is_some() {
            self.lane.recover(table)?;
            self.lane.begin()?;
            return self.give_up_copy(table, &error);
        }
        let stops = match self.context.on_table_error {
            OnTableError::Quarantine => false,
            OnTableError::Resync => !resync,
            OnTableError::Stop => true,
        };
        if stops || self.aside.get(table).is_some() {
            return Err(error);
        }
        self.lane.recover(table)?;
        self.lane.begin()?;
        tracing::error!(
            database = %self.progress.database,
            table,
            errno = error.errno(),
            error = %error.full_text(),
            "table set aside; the others go on"
        );
        self.put_aside(SetAside::new(table, &error, unix_now(), resync))?;
        self.publish_aside();
        Ok(())
    }

    /// Sets a table aside at the router's word: a statement that nobody understands names it.
    pub(super) fn set_aside(&mut self, mark: &SetAside) -> Result<()> {
        if self.aside.get(&mark.table).is_some() {
            self.restart_copy(&mark.table)?;
            return Ok(());
        }
        tracing::error!(
            database = %self.progress.database,
            table = mark.table,
            errno = mark.errno,
            error = mark.reason,
            "table set aside; the others go on"
        );
        self.put_aside(mark.clone())?;
        self.publish_aside();
        Ok(())
    }

    /// Marks a table, in the open transaction, and forgets what was prepared for it.
    pub(super) fn put_aside(&mut self, mark: SetAside) -> Result<()> {
        self.lane.put_mark(&mark)?;
        let table = mark.table.clone();
        if mark.resync {
            // When too many wait, the mark brings it up again at the next start.
            let _ = self.context.resyncs.request(&self.id(&table));
        }
        self.pass_over_rest(&table);
        let passed_over = self.aside.get(&table).map_or(0, |aside| aside.passed_over);
        self.aside.changed = true;
        self.aside.tables.insert(
            table,
            Aside {
                mark,
                passed_over,
                copy: None,
            },
        );
        Ok(())
    }

    /// What the open transaction has still for this table is passed over; other tables keep what they have.
    pub(super) fn pass_over_rest(&mut self, table: &str) {
        let mapped = self.tables.iter();
        let ids: Vec<u64> = mapped
            .filter(|(_, mapped)| mapped.map.table == table)
            .map(|(id, _)| *id)
            .collect();
        for id in ids {
            self.tables.remove(&id);
            self.passed_over.insert(id, table.to_owned());
        }
    }

    /// Takes the mark off a table, in the open transaction.
    fn take_mark(&mut self, table: &str) -> Result<Option<SetAside>> {
        let Some(name) = self.aside_name(table)? else {
            return Ok(None);
        };
        self.lane.remove_mark(&name)?;
        self.context.resyncs.remove(&self.id(&name));
        Ok(self.aside.remove(&name).map(|aside| aside.mark))
    }

    /// Before a statement is applied: a table that is being read afresh cannot follow it, and one that is replaced is sound
    /// again.
    pub(super) fn prepare_marks(&mut self, task: &DdlTask) -> Result<()> {
        let own = self.progress.database.clone();
        let default = &task.query.database;
        if let Statement::DropDatabase { name, .. } = &task.statement
            && *name == own
        {
            for table in self.aside.names() {
                self.restart_copy(&table)?;
            }
        }
        for (database, table) in task.statement.tables(default) {
            if database == own
                && let Some(name) = self.aside_name(table)?
            {
                self.restart_copy(&name)?;
            }
        }
        let Statement::CreateTable(create) = &task.statement else {
            return Ok(());
        };
        if create.table.database(default) != own {
            return Ok(());
        }
        if create.or_replace {
            self.take_mark(&create.table.name)?;
        }
        let Some(like) = &create.like else {
            return Ok(());
        };
        let model = TableId::new(like.database(default), &like.name);
        if model.database != own && self.context.quarantine.mark(&model).is_some() {
            let error = Error::new(
                ErrorKind::Unsupported,
                format!("it is made like {model}, which is set aside"),
            );
            let error = error.at_table(&own, &create.table.name);
            self.contain_ddl(super::at_ddl(error, task), task)?;
        }
        Ok(())
    }

    /// After a statement was applied: marks go where their tables went.
    pub(super) fn follow_marks(&mut self, task: &DdlTask) -> Result<()> {
        let own = self.progress.database.clone();
        let default = &task.query.database;
        match &task.statement {
            Statement::DropTables { tables, .. } => {
                for table in tables.iter().filter(|table| table.database(default) == own) {
                    self.take_mark(&table.name)?;
                }
            }
            Statement::DropDatabase { name, .. } if *name == own => {
                for table in self.aside.names() {
                    self.take_mark(&table)?;
                }
            }
            Statement::RenameTables(pairs) => {
                let error = self.incoming_error(task);
                for (from, to) in pairs {
                    self.move_mark(from, to, default)?;
                    if let Some(error) = &error
                        && from.database(default) != own
                        && to.database(default) == own
                    {
                        self.take_mark(&to.name)?;
                        self.set_aside(&SetAside::new(&to.name, error, unix_now(), true))?;
                    }
                }
            }
            Statement::AlterTable(alter) => {
                let renames = alter.actions.iter().rev();
                let mut renames = renames.filter_map(|action| match action {
                    AlterAction::RenameTable(to) => Some(to),
                    _ => None,
                });
                if let Some(to) = renames.next() {
                    self.move_mark(&alter.table, to, default)?;
                }
                for action in &alter.actions {
                    if let AlterAction::PartitionRows {
                        what: CONVERT_TABLE,
                        with: Some(gone),
                    } = action
                        && gone.database(default) == own
                    {
                        self.take_mark(&gone.name)?;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Tables of other databases that a statement brings here, where it also takes some away, by the names that they get first: a crash
    /// between the two could not be told from one before or after. They are read afresh. (A target with transactions of its own
    /// for statements follows as the source does.)
    pub(super) fn incoming<'b>(&self, task: &'b DdlTask) -> Vec<&'b str> {
        let Statement::RenameTables(pairs) = &task.statement else {
            return Vec::new();
        };
        let is_own =
            |table: &TableName| table.database(&task.query.database) == self.progress.database;
        let leaves = pairs.iter().any(|(from, to)| is_own(from) && !is_own(to));
        if !leaves || self.lane.commits_ddl() {
            return Vec::new();
        }
        let comes = pairs
            .iter()
            .filter(|(from, to)| !is_own(from) && is_own(to));
        comes.map(|(_, to)| to.name.as_str()).collect()
    }

    /// Why and where they are set aside, if there are any.
    pub(super) fn incoming_error(&self, task: &DdlTask) -> Option<Error> {
        let table = *self.incoming(task).first()?;
        let what = "one RENAME TABLE moves tables into this database and out of it: it cannot be followed crash-safely; \
                    rename in two statements";
        let error = Error::new(ErrorKind::Unsupported, what);
        let error = super::at_ddl(error.at_table(&self.progress.database, table), task);
        Some(match &self.current.gtid {
            Some(gtid) => error.at_gtid(gtid),
            None => error,
        })
    }

    fn move_mark(&mut self, from: &TableName, to: &TableName, default: &str) -> Result<()> {
        let own = self.progress.database.clone();
        let mark = if from.database(default) == own {
            self.take_mark(&from.name)?
        } else {
            let id = TableId::new(from.database(default), &from.name);
            self.context.quarantine.mark(&id)
        };
        match mark {
            Some(mark) if to.database(default) == own => self.put_aside(SetAside {
                table: to.name.clone(),
                ..mark
            }),
            _ => Ok(()),
        }
    }
}

/// Now, in seconds since 1970.
pub(super) fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_secs())
}
