//! Where the lanes of one transaction meet before they commit.

use std::sync::{Condvar, Mutex, PoisonError};

use super::stop::StopFlag;
use crate::error::{Error, ErrorKind, Result};

/// Opens when as many lanes as were announced have arrived. Used once.
#[derive(Debug)]
pub struct Barrier {
    expected: usize,
    arrived: Mutex<usize>,
    opened: Condvar,
}

/// How long a waiting lane sleeps before it looks whether everything is being stopped.
const STOP_CHECK_INTERVAL: std::time::Duration = std::time::Duration::from_millis(50);

impl Barrier {
    /// A barrier for `expected` lanes.
    pub fn new(expected: usize) -> Self {
        Self {
            expected,
            arrived: Mutex::new(0),
            opened: Condvar::new(),
        }
    }

    /// Waits for the other lanes.
    ///
    /// # Errors
    /// `Stopped` when replication is being stopped: another lane may never arrive.
    pub fn wait(&self, stop: &StopFlag) -> Result<()> {
        let mut arrived = self.arrived.lock().unwrap_or_else(PoisonError::into_inner);
        *arrived += 1;
        self.opened.notify_all();
        while *arrived < self.expected {
            if stop.is_failed() {
                return Err(Error::new(
                    ErrorKind::Stopped,
                    "stopped while waiting for another database",
                ));
            }
            arrived = self
                .opened
                .wait_timeout(arrived, STOP_CHECK_INTERVAL)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        Ok(())
    }
}
