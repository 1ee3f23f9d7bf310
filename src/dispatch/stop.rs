//! How the applier side ends: by request (drain, then end) or by the first error of any lane.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Instant;

use crate::config::limits::STATEMENT_GRACE;

use crate::error::{Error, ErrorKind};

/// Shared by the coordinator and all lanes of one run.
#[derive(Debug, Default)]
pub struct StopFlag {
    requested: AtomicBool,
    requested_at: OnceLock<Instant>,
    failed: AtomicBool,
    first_error: Mutex<Option<Error>>,
}

impl StopFlag {
    /// Asks for an orderly end: what is queued is applied, nothing more is read.
    pub fn request(&self) {
        self.requested_at.get_or_init(Instant::now);
        self.requested.store(true, Ordering::Release);
    }

    /// Whether an end was asked for, or forced by an error.
    pub fn is_requested(&self) -> bool {
        self.requested.load(Ordering::Acquire) || self.is_failed()
    }

    /// Whether a statement that takes long shall end before it is done: an end was asked for, and it has had its time; or the run
    /// has failed.
    pub fn gives_up_statements(&self) -> bool {
        let asked = self.requested_at.get();
        self.is_failed() || asked.is_some_and(|at| at.elapsed() > STATEMENT_GRACE)
    }

    /// Ends everything because of `error`; only the first one is kept, and `Stopped` is none.
    pub fn fail(&self, error: Error) {
        if error.kind() != ErrorKind::Stopped {
            let mut first = self
                .first_error
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert(error);
        }
        self.failed.store(true, Ordering::Release);
    }

    /// Whether an error ended the run.
    pub fn is_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// The error that ended the run.
    pub fn take_error(&self) -> Option<Error> {
        self.first_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}
