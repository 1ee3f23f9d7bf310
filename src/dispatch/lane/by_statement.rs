//! Changes that MariaDB logs as statements whatever `binlog_format` says: those of tables whose history is kept by transaction
//! numbers (`ROW START` and `ROW END` as BIGINT UNSIGNED). Such a table is set aside and read afresh after each of them.

use super::LaneWorker;
use crate::apply::quarantine::SetAside;
use crate::config::OnTableError;
use crate::dispatch::batch::ByStatement;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::table::{ColumnType, Table};

/// Whether a table's history is kept by transaction numbers.
fn counts_transactions(table: &Table) -> bool {
    let Some(period) = &table.system_period else {
        return false;
    };
    let start = table.column(&period.start);
    start.is_some_and(|column| matches!(column.ty, ColumnType::Int { .. }))
}

impl LaneWorker {
    /// A statement that changes rows of one table.
    ///
    /// # Errors
    /// The statement stands in place of rows of a table that is followed.
    pub(super) fn by_statement(&mut self, change: &ByStatement) -> Result<()> {
        if let Some(name) = self.aside_name(&change.table)? {
            // A copy that has begun does not have it.
            self.restart_copy(&name)?;
            if let Some(aside) = self.aside.get_mut(&name) {
                aside.passed_over += 1;
            }
            return Ok(());
        }
        let database = self.progress.database.clone();
        let source = self.context.source.clone();
        let expected = match self.lane.table(&change.table, source.as_ref())? {
            Some(table) => counts_transactions(&table),
            None => source
                .table(&database, &change.table)?
                .is_some_and(|table| counts_transactions(&table)),
        };
        let located = |error: Error| error.at_pos(change.file.clone(), change.pos);
        if !expected || self.context.on_table_error == OnTableError::Stop {
            return Err(located(Error::new(ErrorKind::Unsupported, &*change.what)));
        }
        let what = "its history is kept by transaction numbers, and MariaDB logs changes of such a table as statements only: it is \
                    read afresh after each";
        let error = located(Error::new(ErrorKind::Unsupported, what));
        let error = error.at_table(&database, &change.table);
        let since = u64::from(change.timestamp);
        self.set_aside(&SetAside::new(&change.table, &error, since, true))
    }
}
