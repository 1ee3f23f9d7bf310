//! What a lane's target does in one statement that may take long, while it does it: for `status`, and so that a stop need not wait
//! for its end.
//!
//! # Threading
//! The lane's thread writes; any thread reads.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::{Error, ErrorKind, Result};

/// A statement's work, or a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// What is done, as in `rebuilding`.
    pub what: &'static str,
    /// The table that it is done to; empty when it is the whole database.
    pub table: String,
    /// Rows that have to be gone through, where that is known.
    pub rows: Option<u64>,
    /// Steps that one row takes, where rows are not counted one by one.
    pub steps_per_row: Option<u64>,
    /// Nothing is done now: somebody else has a lock that is needed.
    pub waits: bool,
}

impl Work {
    /// Work whose end cannot be foreseen.
    pub fn new(what: &'static str, table: &str) -> Self {
        Self {
            what,
            table: table.to_owned(),
            rows: None,
            steps_per_row: None,
            waits: false,
        }
    }

    /// Work that waits for somebody else's lock.
    pub fn waiting(what: &'static str, table: &str) -> Self {
        Self {
            waits: true,
            ..Self::new(what, table)
        }
    }
}

/// How far a statement is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkDone {
    /// What is done.
    pub work: Work,
    /// Rows that are done, where that is known.
    pub rows: Option<u64>,
    /// When the statement began, seconds since 1970.
    pub since: u64,
}

/// The work that one lane has in hand.
pub struct WorkInHand {
    now: Mutex<Option<(Work, u64)>>,
    rows: AtomicU64,
    steps: AtomicU64,
    is_given_up: Box<dyn Fn() -> bool + Send + Sync>,
}

impl std::fmt::Debug for WorkInHand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("WorkInHand").field(&self.done()).finish()
    }
}

impl Default for WorkInHand {
    fn default() -> Self {
        Self::new(|| false)
    }
}

impl WorkInHand {
    /// Nothing; `is_given_up` says whether what is begun shall end before it is done.
    pub fn new(is_given_up: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self {
            now: Mutex::new(None),
            rows: AtomicU64::new(0),
            steps: AtomicU64::new(0),
            is_given_up: Box::new(is_given_up),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<(Work, u64)>> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a statement's work, or the next part of it.
    pub fn begin(&self, work: Work) {
        let mut now = self.lock();
        self.rows.store(0, Ordering::Relaxed);
        self.steps.store(0, Ordering::Relaxed);
        let since = now.as_ref().map_or_else(unix_now, |(_, since)| *since);
        *now = Some((work, since));
    }

    /// The statement is done, or has failed.
    pub fn end(&self) {
        *self.lock() = None;
    }

    /// More rows are done.
    pub fn add_rows(&self, rows: u64) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
    }

    /// More steps are done; false when there shall be no more.
    pub fn add_steps(&self, steps: u64) -> bool {
        self.steps.fetch_add(steps, Ordering::Relaxed);
        !self.is_given_up()
    }

    /// Whether what is begun shall end before it is done.
    pub fn is_given_up(&self) -> bool {
        (self.is_given_up)()
    }

    /// An end before the work is done.
    ///
    /// # Errors
    /// `Stopped`, when it shall end.
    pub fn check(&self) -> Result<()> {
        if self.is_given_up() {
            return Err(interrupted());
        }
        Ok(())
    }

    /// What is in hand and how far it is.
    pub fn done(&self) -> Option<WorkDone> {
        let (work, since) = self.lock().clone()?;
        let counted = self.rows.load(Ordering::Relaxed);
        let rows = work.rows.map(|all| {
            let by_steps = match work.steps_per_row {
                Some(steps) => self.steps.load(Ordering::Relaxed) / steps.max(1),
                None => counted,
            };
            by_steps.min(all)
        });
        Some(WorkDone { work, rows, since })
    }
}

/// The error of a statement that was ended before it was done.
pub fn interrupted() -> Error {
    Error::new(
        ErrorKind::Stopped,
        "a statement of the target was ended before it was done; it is done at the next start",
    )
}

fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted_or_come_from_steps_and_parts_keep_the_statements_beginning() {
        let hand = WorkInHand::default();
        assert_eq!(hand.done(), None);
        let rebuilding = Work {
            rows: Some(100),
            ..Work::new("rebuilding", "t")
        };
        hand.begin(rebuilding.clone());
        hand.add_rows(30);
        assert!(hand.add_steps(1_000));
        let done = hand.done().unwrap();
        assert_eq!((done.rows, done.work), (Some(30), rebuilding.clone()));
        hand.begin(Work {
            steps_per_row: Some(9),
            ..rebuilding
        });
        assert_eq!(hand.done().unwrap().rows, Some(0));
        hand.add_steps(95);
        assert_eq!(hand.done().unwrap().rows, Some(10));
        hand.add_steps(9_000);
        assert_eq!(hand.done().unwrap().rows, Some(100), "never more than all");
        assert_eq!(hand.done().unwrap().since, done.since);
        hand.begin(Work::new("dropping", "t"));
        assert_eq!(hand.done().unwrap().rows, None);
        hand.end();
        assert_eq!(hand.done(), None);
    }

    #[test]
    fn it_can_be_given_up() {
        let hand = WorkInHand::new(|| true);
        assert!(!hand.add_steps(1));
        assert_eq!(hand.check().unwrap_err().kind(), ErrorKind::Stopped);
    }
}
