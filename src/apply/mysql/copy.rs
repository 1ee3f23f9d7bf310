//! A table read afresh into a MySQL target, beside the former one: see [`super::shadow`] for where, and for the swap at the end.
//!
//! # Invariants
//! - From `begin_copy` on, the lane's table of that name is the source's definition, and its rows go into the shadow.
//! - A shadow that is given up within a transaction is dropped behind it: the lane's own session may have rows in it until then.

use std::sync::{Arc, PoisonError};

use super::checkpoint::DATABASE;
use super::definition::Definition;
use super::lane::MysqlLane;
use super::shadow::{self, Shadow};
use crate::apply::copy::TableCopy;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::table::Table;
use crate::snapshot::SnapshotRows;

/// A table that is being read afresh.
pub(super) struct CopyInProgress {
    /// As the source defines it.
    pub(super) source: Arc<Table>,
    /// As the target defines its shadow.
    pub(super) definition: Arc<Definition>,
    shadow: Shadow,
}

impl TableCopy for MysqlLane {
    fn begin_copy(&mut self, table: Table) -> Result<Arc<Table>> {
        self.abandon_copy(&table.name)?;
        let mut worker = self.shared.connect()?;
        let made = shadow::make(&mut worker, &self.database, table);
        worker.close();
        let (shadow, definition) = made?;
        let source = Arc::new(shadow.source.clone());
        let copy = CopyInProgress {
            source: source.clone(),
            definition: Arc::new(definition),
            shadow,
        };
        self.copies.insert(source.name.clone(), copy);
        Ok(source)
    }

    fn copy_rows(&mut self, table: &Arc<Table>, rows: &SnapshotRows) -> Result<()> {
        let Some(copy) = self.copies.get(&table.name) else {
            return Err(not_begun());
        };
        let definition = copy.definition.clone();
        self.guarded(|lane| {
            lane.dirty = true;
            let (session, writer) = lane.session_and_writer()?;
            writer.copy(session, &definition, rows)
        })
    }

    fn end_copy(&mut self, name: &str) -> Result<()> {
        let Some(copy) = self.copies.get(name) else {
            return Err(not_begun());
        };
        if self.dirty {
            return Err(Error::new(
                ErrorKind::Internal,
                "the rows of a copy are not committed before it takes its table's place",
            ));
        }
        let mut worker = self.shared.connect()?;
        // Foreign keys have names of their own only within a database, and all copies are in one.
        let lock = self.shared.swapping.lock();
        let _swapping = lock.unwrap_or_else(PoisonError::into_inner);
        let swapped = shadow::swap(&mut worker, &self.database, &copy.shadow, &self.work);
        worker.close();
        self.shared.schema_changed();
        swapped?;
        self.copies.remove(name);
        Ok(())
    }

    fn abandon_copy(&mut self, name: &str) -> Result<()> {
        self.writer.forget_rows_of(name);
        if let Some(copy) = self.copies.remove(name) {
            self.discarded.push(copy.shadow);
        }
        Ok(())
    }
}

impl MysqlLane {
    /// Drops the shadows that were given up. The lane's session must have no transaction open.
    pub(super) fn drop_discarded(&mut self) {
        if self.discarded.is_empty() {
            return;
        }
        let database = &self.database;
        let shared = &self.shared;
        let drop_all = |shadows: &[Shadow]| -> Result<()> {
            let mut worker = shared.connect()?;
            for shadow in shadows {
                shadow::discard(&mut worker, database, shadow)?;
            }
            worker.close();
            Ok(())
        };
        if let Err(error) = drop_all(&self.discarded) {
            tracing::warn!(
                database,
                error = %error.full_text(),
                "an unfinished copy in the target's database {DATABASE} is dropped at the next start"
            );
        }
        self.discarded.clear();
    }
}

fn not_begun() -> Error {
    Error::new(ErrorKind::Internal, "a copy goes on that was not begun")
}
