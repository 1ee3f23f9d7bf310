//! Statements that may take long, on a SQLite file: how far they are, and how they end early.
//!
//! A table is copied in ranges of its rowid, within the one transaction: then the rows are counted as they are copied, for nothing.
//! What is one statement by its nature (CREATE INDEX) is counted by SQLite's progress handler. The handler also ends a
//! statement when the process is to end; the transaction is rolled back then, and the statement comes again.

use std::ffi::c_int;
use std::time::Duration;

use super::lane::SqliteLane;
use crate::apply::work::{Work, interrupted};
use crate::config::limits::{SQLITE_COPY_ROWS, SQLITE_PROGRESS_STEPS};
use crate::error::Result;
use crate::failpoints;
use crate::schema::sqlite::{Effort, Step, quote_identifier};

/// How often a copy that a test holds looks whether it may go on.
const HOLD_LOOK: Duration = Duration::from_millis(2);

impl SqliteLane {
    /// Runs `work` with an eye on its statements.
    pub(super) fn with_progress<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        let hand = self.work.clone();
        let steps = u64::from(SQLITE_PROGRESS_STEPS);
        let interval = c_int::try_from(SQLITE_PROGRESS_STEPS).unwrap_or(c_int::MAX);
        self.connection
            .progress_handler(interval, Some(move || !hand.add_steps(steps)))?;
        let done = work(self);
        let removed = self.connection.progress_handler(0, None::<fn() -> bool>);
        self.work.end();
        let done = done?;
        removed?;
        Ok(done)
    }

    /// Runs the statements that make `table` anew, or add to it; the file calls it `sqlite_name`.
    pub(super) fn run_steps(&self, steps: &[Step], table: &str, sqlite_name: &str) -> Result<()> {
        let takes_time = |step: &Step| step.effort != Effort::None;
        let rows = match steps.iter().any(takes_time) {
            true => Some(self.count_rows(sqlite_name)?),
            false => None,
        };
        for step in steps {
            let begin = |what, steps_per_row| {
                self.work.begin(Work {
                    rows,
                    steps_per_row,
                    ..Work::new(what, table)
                });
            };
            match step.effort {
                Effort::None => {}
                Effort::Copy { rowid: Some(rowid) } => {
                    begin("rebuilding", None);
                    self.copy_by_ranges(&step.sql, sqlite_name, rowid)?;
                    continue;
                }
                Effort::Copy { rowid: None } => self.work.begin(Work::new("rebuilding", table)),
                Effort::Index { steps } => begin("building an index", Some(steps)),
                Effort::DropColumn { steps } => begin("dropping a column", Some(steps)),
                Effort::DropTable => self
                    .work
                    .begin(Work::new("removing the former rows", table)),
            }
            self.connection.execute_batch(&step.sql)?;
        }
        Ok(())
    }

    fn count_rows(&self, sqlite_name: &str) -> Result<u64> {
        let sql = format!("SELECT count(*) FROM {}", quote_identifier(sqlite_name));
        let rows: i64 = self.connection.query_row(&sql, [], |row| row.get(0))?;
        Ok(u64::try_from(rows).unwrap_or_default())
    }

    /// Runs a statement that copies all rows, for one range of rowids after the other.
    fn copy_by_ranges(&self, sql: &str, sqlite_name: &str, rowid: &str) -> Result<()> {
        let table = quote_identifier(sqlite_name);
        let mut copy = self
            .connection
            .prepare(&format!("{sql} WHERE {rowid} BETWEEN ?1 AND ?2"))?;
        let mut next = self.connection.prepare(&format!(
            "SELECT min({rowid}) FROM {table} WHERE {rowid} >= ?1"
        ))?;
        let mut span = SQLITE_COPY_ROWS;
        let mut from = i64::MIN;
        while let Some(low) = next.query_row([from], |row| row.get::<_, Option<i64>>(0))? {
            self.hold()?;
            let high = low.saturating_add(span - 1);
            let copied = copy.execute([low, high])?;
            self.work
                .add_rows(u64::try_from(copied).unwrap_or_default());
            failpoints::hit(failpoints::ALTER_COPIED);
            if high == i64::MAX {
                break;
            }
            // Rowids with gaps: as many rows at a time all the same.
            let copied = i64::try_from(copied).unwrap_or(i64::MAX);
            if copied < SQLITE_COPY_ROWS / 2 {
                span = span.saturating_mul(2);
            } else if copied > SQLITE_COPY_ROWS {
                span = SQLITE_COPY_ROWS.max(span / 2);
            }
            from = high + 1;
        }
        Ok(())
    }

    /// Where a test holds a copy, as a table that is large enough would.
    fn hold(&self) -> Result<()> {
        while failpoints::is_held(failpoints::ALTER_COPYING) {
            if self.work.is_given_up() {
                return Err(interrupted());
            }
            std::thread::sleep(HOLD_LOOK);
        }
        Ok(())
    }
}
