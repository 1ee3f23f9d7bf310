//! The durable end of the relay log: the one point where the I/O side and the applier side meet.
//!
//! # Threading
//! One writer publishes, any number of readers wait. Only what is fsynced is published, so a reader never acts on
//! bytes that a crash could take back.

use std::cmp::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::index::Index;
use super::received::Received;
use crate::binlog::position::Position;

/// A snapshot of what is durable.
#[derive(Debug, Clone, Default)]
pub struct Durable {
    /// End of the last durable event; `None` while the relay log is empty.
    pub end: Option<Position>,
    /// The files, oldest first.
    pub index: Arc<Index>,
}

#[derive(Debug, Default)]
struct State {
    durable: Durable,
    received: Received,
    woken: u64,
}

/// Where the durable end is published.
#[derive(Debug, Default)]
pub struct RelayEnd {
    state: Mutex<State>,
    changed: Condvar,
}

impl RelayEnd {
    /// Publishes what a recovered relay directory holds.
    pub fn new(durable: Durable) -> Self {
        Self {
            state: Mutex::new(State {
                durable,
                ..State::default()
            }),
            changed: Condvar::new(),
        }
    }

    /// The same, with the transactions that the directory holds.
    #[must_use]
    pub fn with_received(self, received: Received) -> Self {
        self.lock().received = received;
        self
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes a new durable end. Called after the fsync that made it true.
    pub fn publish(&self, end: Position, index: Arc<Index>, received: Received) {
        let mut state = self.lock();
        state.durable = Durable {
            end: Some(end),
            index,
        };
        state.received = received;
        drop(state);
        self.changed.notify_all();
    }

    /// The transactions that are durable now.
    pub fn received(&self) -> Received {
        self.lock().received.clone()
    }

    /// The snapshot now.
    pub fn get(&self) -> Durable {
        self.lock().durable.clone()
    }

    /// Wakes all waiters, for shutdown.
    pub fn wake(&self) {
        self.lock().woken += 1;
        self.changed.notify_all();
    }

    /// Waits until something beyond `position` is durable, somebody calls [`wake`](Self::wake), or `timeout` is over;
    /// returns the snapshot then.
    pub fn wait_beyond(&self, position: &Position, timeout: Duration) -> Durable {
        let state = self.lock();
        let woken = state.woken;
        let (state, _) = self
            .changed
            .wait_timeout_while(state, timeout, |state| {
                state.woken == woken && !is_beyond(state.durable.end.as_ref(), position)
            })
            .unwrap_or_else(PoisonError::into_inner);
        state.durable.clone()
    }
}

fn is_beyond(end: Option<&Position>, position: &Position) -> bool {
    end.is_some_and(|end| {
        end.order(position)
            .is_none_or(|order| order == Ordering::Greater)
    })
}
