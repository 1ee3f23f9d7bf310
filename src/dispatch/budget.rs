//! The memory that all queues together may hold, and the number of lanes that may run at once.
//!
//! # Threading
//! [`Budget`] is a counting semaphore: `take` blocks, shares give back when dropped. Stopping wakes everybody.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};

#[derive(Debug)]
struct State {
    free: usize,
    stopped: bool,
}

#[derive(Debug)]
struct Shared {
    total: usize,
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A counted resource shared by threads.
#[derive(Debug, Clone)]
pub struct Budget {
    shared: Arc<Shared>,
}

/// A part of a [`Budget`]; given back when dropped.
#[derive(Debug)]
pub struct Share {
    shared: Arc<Shared>,
    amount: usize,
}

impl Budget {
    /// A budget of `total` units, at least one.
    pub fn new(total: usize) -> Self {
        let total = total.max(1);
        let state = Mutex::new(State {
            free: total,
            stopped: false,
        });
        Self {
            shared: Arc::new(Shared {
                total,
                state,
                changed: Condvar::new(),
            }),
        }
    }

    /// Waits for `amount` units. More than there are in all counts as all: one oversized holder runs alone.
    ///
    /// # Errors
    /// `Stopped` once [`stop`](Self::stop) was called.
    pub fn take(&self, amount: usize) -> Result<Share> {
        let amount = amount.min(self.shared.total);
        let state = self.shared.lock();
        let mut state = self
            .shared
            .changed
            .wait_while(state, |state| !state.stopped && state.free < amount)
            .unwrap_or_else(PoisonError::into_inner);
        if state.stopped {
            return Err(Error::new(ErrorKind::Stopped, "stopped"));
        }
        state.free -= amount;
        Ok(Share {
            shared: self.shared.clone(),
            amount,
        })
    }

    /// As [`take`](Self::take), where what is waited for may never come back: looks every `interval` whether `is_over`.
    ///
    /// # Errors
    /// `Stopped` once it is over, or [`stop`](Self::stop) was called.
    pub fn take_unless(
        &self,
        amount: usize,
        interval: Duration,
        is_over: impl Fn() -> bool,
    ) -> Result<Share> {
        let amount = amount.min(self.shared.total);
        let mut state = self.shared.lock();
        while !state.stopped && state.free < amount {
            if is_over() {
                return Err(Error::new(ErrorKind::Stopped, "stopped"));
            }
            let waited = self.shared.changed.wait_timeout(state, interval);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        drop(state);
        // Nobody else takes from a budget that is waited for like this.
        self.take(amount)
    }

    /// Units in use.
    pub fn used(&self) -> usize {
        self.shared.total - self.shared.lock().free
    }

    /// Ends all waits, now and later, with an error.
    pub fn stop(&self) {
        self.shared.lock().stopped = true;
        self.shared.changed.notify_all();
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.shared.lock().free += self.amount;
        self.shared.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn nobody_waits_for_a_share_that_never_comes_back() {
        let budget = Budget::new(10);
        let kept = budget.take(10).unwrap();
        let over = AtomicBool::new(false);
        let looks = || over.swap(true, Ordering::Relaxed);
        let refused = budget.take_unless(4, Duration::from_millis(1), looks);
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Stopped);
        drop(kept);
        let share = budget.take_unless(4, Duration::from_millis(1), || true);
        assert_eq!(share.unwrap().amount, 4);
    }

    #[test]
    fn shares_come_back_and_an_oversized_one_runs_alone() {
        let budget = Budget::new(10);
        let first = budget.take(4).unwrap();
        assert_eq!(budget.used(), 4);
        let waiting = budget.clone();
        let big = std::thread::spawn(move || waiting.take(1_000).map(|share| share.amount));
        drop(first);
        assert_eq!(big.join().unwrap().unwrap(), 10);
        assert_eq!(budget.used(), 0);
        budget.stop();
        assert_eq!(budget.take(1).unwrap_err().kind(), ErrorKind::Stopped);
    }
}
