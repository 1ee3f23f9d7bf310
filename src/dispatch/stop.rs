//! How the applier side ends: by request (drain, then end) or by the first error of any lane.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::error::{Error, ErrorKind};

/// Shared by the coordinator and all lanes of one run.
#[derive(Debug, Default)]
pub struct StopFlag {
    requested: AtomicBool,
    failed: AtomicBool,
    first_error: Mutex<Option<Error>>,
}

impl StopFlag {
    /// Asks for an orderly end: what is queued is applied, nothing more is read.
    pub fn request(&self) {
        self.requested.store(true, Ordering::Release);
    }

    /// Whether an end was asked for, or forced by an error.
    pub fn is_requested(&self) -> bool {
        self.requested.load(Ordering::Acquire) || self.is_failed()
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
