//! Group fsync: one thread syncs the newest bytes while the writer goes on, then publishes them.
//!
//! Whatever was written while one fsync ran is covered by the next one, so the number of fsyncs follows the disk and
//! not the number of transactions.
//!
//! # Threading
//! [`Syncer::submit`] comes from the writer; the syncing thread ends when the `Syncer` is dropped.

use std::fs::File;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::ack::{DurableAcks, Wanted};
use super::end::RelayEnd;
use super::index::Index;
use super::received::Received;
use crate::binlog::position::Position;
use crate::error::{Error, ErrorKind, Result};
use crate::failpoints;

/// What has been written, and becomes durable with the next fsync of `file`.
#[derive(Debug, Clone)]
pub struct Written {
    /// The file that holds the newest bytes; all older files are synced already.
    pub file: Arc<File>,
    /// End of the last whole event in it.
    pub end: Position,
    /// The files then.
    pub index: Arc<Index>,
    /// The transactions up to `end`.
    pub received: Received,
    /// What the source waits for, up to `end`, and who is told when it is durable.
    pub wanted: Option<(Wanted, DurableAcks)>,
}

#[derive(Debug, Default)]
struct State {
    next: Option<Written>,
    syncing: bool,
    stop: bool,
    failed: Option<std::io::Error>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The handle of the syncing thread.
#[derive(Debug)]
pub struct Syncer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Syncer {
    /// Starts the thread.
    pub fn start(end: Arc<RelayEnd>) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let inside = shared.clone();
        let thread = std::thread::Builder::new()
            .name("relay-sync".into())
            .spawn(move || sync_loop(&inside, &end))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Hands over what was written; returns at once.
    ///
    /// # Errors
    /// The failure of an earlier fsync: after one, nothing on that file can be trusted to be durable.
    pub fn submit(&self, written: Written) -> Result<()> {
        let mut state = self.shared.lock();
        take_failure(&mut state)?;
        let earlier = state.next.take().and_then(|next| next.wanted);
        let mut written = written;
        written.wanted = match (earlier, written.wanted) {
            (Some((earlier, acks)), Some((later, _))) => Some((earlier.joined(later), acks)),
            (earlier, later) => later.or(earlier),
        };
        state.next = Some(written);
        self.shared.changed.notify_all();
        Ok(())
    }

    /// Waits until all that was submitted is durable and published.
    pub fn drain(&self) -> Result<()> {
        let state = self.shared.lock();
        let mut state = self
            .shared
            .changed
            .wait_while(state, |s| {
                s.failed.is_none() && (s.next.is_some() || s.syncing)
            })
            .unwrap_or_else(PoisonError::into_inner);
        take_failure(&mut state)
    }
}

fn take_failure(state: &mut State) -> Result<()> {
    match state.failed.take() {
        None => Ok(()),
        Some(error) if error.kind() == std::io::ErrorKind::StorageFull => Err(error.into()),
        Some(error) => Err(
            Error::new(ErrorKind::Io, "the relay log cannot be made durable").with_source(error),
        ),
    }
}

fn sync_loop(shared: &Shared, end: &RelayEnd) {
    loop {
        let written = {
            let state = shared.lock();
            let mut state = shared
                .changed
                .wait_while(state, |s| s.next.is_none() && !s.stop)
                .unwrap_or_else(PoisonError::into_inner);
            let Some(written) = state.next.take() else {
                return;
            };
            state.syncing = true;
            written
        };
        failpoints::hit(failpoints::RELAY_BEFORE_SYNC);
        let outcome = written.file.sync_data();
        if outcome.is_ok() {
            failpoints::hit(failpoints::RELAY_SYNCED);
            end.publish(written.end, written.index, written.received);
            failpoints::hit(failpoints::RELAY_PUBLISHED);
            if let Some((wanted, acks)) = written.wanted {
                // When the connection has gone, nobody waits for it any more.
                let _ = acks.send(wanted);
            }
        }
        let mut state = shared.lock();
        state.syncing = false;
        if let Err(error) = outcome {
            state.failed = Some(error);
            state.next = None;
        }
        shared.changed.notify_all();
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // The thread only returns; a panic in it would have nothing to tell here.
            let _ = thread.join();
        }
    }
}
