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
    /// Runs `work` with an eye on its statements; within itself, it is part of what is being watched.
    pub(super) fn with_progress<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        if self.is_watched {
            return work(self);
        }
        let hand = self.work.clone();
        let steps = u64::from(SQLITE_PROGRESS_STEPS);
        let interval = c_int::try_from(SQLITE_PROGRESS_STEPS).unwrap_or(c_int::MAX);
        self.connection
            .progress_handler(interval, Some(move || !hand.add_steps(steps)))?;
        self.is_watched = true;
        let done = work(self);
        self.is_watched = false;
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Arc, OnceLock, Weak};

    use super::*;
    use crate::apply::Lane;
    use crate::apply::work::WorkInHand;
    use crate::error::ErrorKind;

    const ROWS: u64 = 100_000;

    /// A file with a table `t` of [`ROWS`] rows.
    fn with_rows(directory: &tempfile::TempDir) -> SqliteLane {
        let path = directory.path().join("d.db");
        let lane = SqliteLane::open(path, "d", Arc::default()).unwrap();
        let sql = format!(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a INT, b TEXT, c TEXT, d REAL);
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})
             INSERT INTO t SELECT i, i * 7 % 1000, 'text ' || i, 'more ' || i, i * 0.5 FROM n"
        );
        lane.connection.execute_batch(&sql).unwrap();
        lane
    }

    fn steps() -> [Step; 3] {
        let index = |sql: &str, columns, unique| Step::index(sql.to_owned(), columns, unique);
        [
            index("CREATE INDEX one ON t (a)", 1, false),
            index("CREATE UNIQUE INDEX two ON t (b, a)", 2, true),
            Step::drop_column("t", "c", 5),
        ]
    }

    #[test]
    fn steps_tell_how_many_rows_are_done() {
        let directory = tempfile::tempdir().unwrap();
        let mut lane = with_rows(&directory);
        let slot: Arc<OnceLock<Weak<WorkInHand>>> = Arc::default();
        let seen = Arc::new(AtomicU64::new(0));
        let (from, to) = (slot.clone(), seen.clone());
        let hand = Arc::new(WorkInHand::new(move || {
            let hand = from.get().and_then(Weak::upgrade);
            let rows = hand.and_then(|hand| hand.done()).and_then(|done| done.rows);
            to.fetch_max(rows.unwrap_or_default(), Ordering::Relaxed);
            false
        }));
        slot.set(Arc::downgrade(&hand)).unwrap();
        lane.show_work(hand);
        for step in steps() {
            seen.store(0, Ordering::Relaxed);
            let done =
                lane.with_progress(|lane| lane.run_steps(std::slice::from_ref(&step), "t", "t"));
            done.unwrap();
            // The last look comes some steps before the end.
            let seen = seen.load(Ordering::Relaxed);
            assert!(seen > ROWS / 100 * 95, "{seen} of {ROWS}: {step:?}");
        }
        // Were the steps of a row fewer than it is said, all rows would be done too early.
        for step in steps() {
            let (Effort::Index { steps } | Effort::DropColumn { steps }) = step.effort else {
                panic!("{step:?}");
            };
            let sql = step.sql.replace("one", "three").replace("two", "four");
            let sql = sql.replace("DROP COLUMN \"c\"", "DROP COLUMN \"d\"");
            lane.connection.execute_batch("SAVEPOINT s").unwrap();
            let hand = Arc::new(AtomicU64::new(0));
            let counted = hand.clone();
            let interval = c_int::try_from(SQLITE_PROGRESS_STEPS).unwrap();
            let handler = move || {
                counted.fetch_add(u64::from(SQLITE_PROGRESS_STEPS), Ordering::Relaxed);
                false
            };
            lane.connection
                .progress_handler(interval, Some(handler))
                .unwrap();
            lane.connection.execute_batch(&sql).unwrap();
            lane.connection
                .progress_handler(0, None::<fn() -> bool>)
                .unwrap();
            lane.connection
                .execute_batch("ROLLBACK TO s; RELEASE s")
                .unwrap();
            // DROP COLUMN has one column less to write here.
            let counted = hand.load(Ordering::Relaxed);
            assert!(counted < (steps + 1) * ROWS, "{counted}: {sql}");
        }
    }

    #[test]
    fn a_statement_that_is_given_up_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let mut lane = with_rows(&directory);
        lane.show_work(Arc::new(WorkInHand::new(|| true)));
        for step in steps() {
            lane.begin().unwrap();
            let ended = lane.with_progress(|lane| {
                lane.within_savepoint(|lane| lane.run_steps(&[step], "t", "t"))
            });
            assert_eq!(ended.unwrap_err().kind(), ErrorKind::Stopped);
            lane.rollback().unwrap();
        }
        let left: i64 = lane
            .connection
            .query_row(
                "SELECT (SELECT count(*) FROM sqlite_schema WHERE name IN ('one', 'two')) + 10 * (SELECT count(*) FROM \
                 pragma_table_info('t'))",
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(left, 50);
    }
}
