//! The durable end of the relay log: the one point where the I/O side and the applier side meet.
//!
//! Here the applier side also says what it needs no more, and who reads which file: what may be purged.
//!
//! # Threading
//! One writer publishes, any number of readers wait. Only what is fsynced is published, so a reader never acts on
//! bytes that a crash could take back.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering as AtomicOrdering};
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
    /// Everything before this is durable in the target.
    released: Option<Position>,
    /// Where a reader found nothing more to read.
    read_to: Option<Position>,
    /// The oldest file that is left.
    oldest: Option<Arc<str>>,
}

/// The files that readers have open.
#[derive(Debug, Default)]
struct Readers {
    next: u64,
    files: HashMap<u64, Arc<str>>,
}

/// A reader's claim to a file: it is not purged meanwhile.
#[derive(Debug)]
pub struct OpenFile {
    readers: Arc<Mutex<Readers>>,
    number: u64,
}

impl OpenFile {
    /// The reader goes on in another file.
    pub fn move_to(&self, file: &Arc<str>) {
        lock_readers(&self.readers)
            .files
            .insert(self.number, file.clone());
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        lock_readers(&self.readers).files.remove(&self.number);
    }
}

fn lock_readers(readers: &Mutex<Readers>) -> MutexGuard<'_, Readers> {
    readers.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where the durable end is published.
#[derive(Debug, Default)]
pub struct RelayEnd {
    state: Mutex<State>,
    changed: Condvar,
    readers: Arc<Mutex<Readers>>,
    room_wanted: AtomicBool,
}

impl RelayEnd {
    /// Publishes what a recovered relay directory holds.
    pub fn new(durable: Durable) -> Self {
        Self {
            state: Mutex::new(State {
                durable,
                ..State::default()
            }),
            ..Self::default()
        }
    }

    /// Another end of the same files: what is read up to there counts as reading here.
    #[must_use]
    pub fn part(&self, end: Position) -> Self {
        let index = self.lock().durable.index.clone();
        let end = Some(end);
        Self {
            readers: self.readers.clone(),
            ..Self::new(Durable { end, index })
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
        let index = match &state.oldest {
            // The index was taken before the fsync; files may have been purged since.
            Some(oldest) if index.count_before(oldest) > 0 => {
                Arc::new(index.without_oldest(index.count_before(oldest)))
            }
            _ => index,
        };
        state.durable = Durable {
            end: Some(end),
            index,
        };
        state.received = received;
        drop(state);
        self.changed.notify_all();
    }

    /// Claims a file for a reader.
    pub fn open_file(&self, file: &Arc<str>) -> OpenFile {
        self.lock().read_to = None;
        let mut readers = lock_readers(&self.readers);
        readers.next += 1;
        let number = readers.next;
        readers.files.insert(number, file.clone());
        OpenFile {
            readers: self.readers.clone(),
            number,
        }
    }

    /// Says that no restart will need anything before `position`: everything before it is durable in the target.
    pub fn release(&self, position: &Position) {
        self.lock().released = Some(position.clone());
        self.changed.notify_all();
    }

    /// Up to where the target needs nothing any more.
    pub fn released(&self) -> Option<Position> {
        self.lock().released.clone()
    }

    /// Waits until what is released is no longer `known`, somebody calls [`wake`](Self::wake), or `timeout` is over.
    pub fn wait_released(&self, known: Option<&Position>, timeout: Duration) {
        let state = self.lock();
        let woken = state.woken;
        let waited = self.changed.wait_timeout_while(state, timeout, |state| {
            state.woken == woken && state.released.as_ref() == known
        });
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// Hides the `count` oldest files from those who come, unless somebody has one of them open: fewer then. Returns how
    /// many are hidden.
    pub fn hide_oldest(&self, index: &Index, count: usize) -> usize {
        let mut state = self.lock();
        let readers = lock_readers(&self.readers);
        let count = readers
            .files
            .values()
            .map(|file| index.count_before(file))
            .fold(count, usize::min);
        let hidden = index.names().get(count).cloned();
        if count > 0
            && let Some(oldest) = hidden
        {
            let before = state.durable.index.count_before(&oldest);
            state.durable.index = Arc::new(state.durable.index.without_oldest(before));
            state.oldest = Some(oldest);
        }
        count
    }

    /// Whether the I/O side waits until files are released.
    pub fn is_room_wanted(&self) -> bool {
        self.room_wanted.load(AtomicOrdering::Relaxed)
    }

    /// Says whether the I/O side waits until files are released.
    pub fn want_room(&self, wanted: bool) {
        self.room_wanted.store(wanted, AtomicOrdering::Relaxed);
    }

    /// Whether a reader waits at the durable end, having read all there is; or beyond it, for what was lost and comes again.
    pub fn is_read_to_end(&self) -> bool {
        let state = self.lock();
        let Some(end) = &state.durable.end else {
            return true;
        };
        let order = state.read_to.as_ref().and_then(|at| at.order(end));
        order.is_some_and(Ordering::is_ge)
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
        let mut state = self.lock();
        let woken = state.woken;
        state.read_to = Some(position.clone());
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
