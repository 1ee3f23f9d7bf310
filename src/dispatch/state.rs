//! What the applier side publishes of itself, for `status`.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::binlog::position::Position;
use crate::checkpoint::Checkpoint;
use crate::checkpoint::parked::ParkedXa;
use crate::error::{Error, ErrorKind};

/// What was left out by the replication rules, since the process started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Row events.
    pub row_events: u64,
    /// Statements, those left out in part included.
    pub statements: u64,
}

/// A snapshot.
#[derive(Debug, Clone, Default)]
pub struct ApplierStatus {
    /// Whether it runs.
    pub running: bool,
    /// The last group read and handed to the lanes.
    pub read: Option<Checkpoint>,
    /// End of the last event read.
    pub read_end: Option<Position>,
    /// Whether everything received is handed to the lanes.
    pub caught_up: bool,
    /// Start of the transaction that is being read, and the source's clock then.
    pub open: Option<(Position, u32)>,
    /// Where the reader is in it.
    pub open_read: u64,
    /// The source's clock when the oldest transaction began that an interrupted run had in its hands.
    pub interrupted: Option<u64>,
    /// Whether the last error was that somebody else holds the target.
    pub target_busy: bool,
    /// Statements that changed no table and were passed over.
    pub passed_over: u64,
    /// XA transactions that are prepared and not decided.
    pub parked: usize,
    /// The oldest of them.
    pub oldest_parked: Option<ParkedXa>,
    /// What the replication rules left out.
    pub left_out: LeftOut,
    /// Number, text and time (seconds since 1970) of the error that stopped it.
    pub last_error: Option<(u16, String, u64)>,
}

/// Where it is published.
#[derive(Debug, Default)]
pub struct ApplierState {
    status: Mutex<ApplierStatus>,
}

impl ApplierState {
    fn lock(&self) -> MutexGuard<'_, ApplierStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The snapshot now.
    pub fn get(&self) -> ApplierStatus {
        self.lock().clone()
    }

    /// A run begins or ends.
    pub fn set_running(&self, running: bool) {
        let mut status = self.lock();
        status.running = running;
        status.open = None;
        status.interrupted = None;
        status.caught_up = false;
    }

    /// A group was handed to the lanes.
    pub fn set_read(&self, at: Checkpoint, passed_over: u64, left_out: LeftOut) {
        let mut status = self.lock();
        status.read = Some(at);
        status.open = None;
        status.passed_over = passed_over;
        status.left_out = left_out;
        status.caught_up = false;
    }

    /// So many XA transactions are prepared and not decided, and this one is the oldest.
    pub fn set_parked(&self, count: usize, oldest: Option<&ParkedXa>) {
        let mut status = self.lock();
        status.parked = count;
        if status.oldest_parked.as_ref() != oldest {
            status.oldest_parked = oldest.cloned();
        }
    }

    /// A transaction that begins at `start` is being read.
    pub fn set_open(&self, start: Position, timestamp: u32) {
        let mut status = self.lock();
        status.open_read = start.offset;
        status.open = Some((start, timestamp));
        status.caught_up = false;
    }

    /// It is read up to here.
    pub fn set_open_read(&self, offset: u64) {
        self.lock().open_read = offset;
    }

    /// A run ends with an error; the oldest transaction that it could not commit is this old.
    pub fn set_interrupted(&self, oldest: Option<u64>) {
        let mut status = self.lock();
        status.interrupted = oldest.or(status.interrupted);
    }

    /// Everything received up to `end` is handed to the lanes, and they are done with it or not: only then is an error over.
    pub fn set_caught_up(&self, end: Position, done: bool) {
        let mut status = self.lock();
        status.read_end = Some(end);
        status.caught_up = status.open.is_none();
        status.interrupted = None;
        if done {
            status.last_error = None;
            status.target_busy = false;
        }
    }

    /// The error that stopped it.
    pub fn set_error(&self, error: &Error, now: u64) {
        let mut status = self.lock();
        status.last_error = Some((error.errno(), error.full_text(), now));
        status.target_busy = error.kind() == ErrorKind::TargetBusy;
    }

    /// A run has got past the error.
    pub fn clear_error(&self) {
        let mut status = self.lock();
        status.last_error = None;
        status.target_busy = false;
    }
}
