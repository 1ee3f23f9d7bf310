//! Which tables are to be read afresh, and how far that is.
//!
//! Requests come from an operator (over the control socket), from the marks of tables that are set aside, and from lanes; the
//! coordinator takes them one after the other. A table waits once, however often it is asked for.
//!
//! # Threading
//! Shared by everybody; short locks only.
//!
//! # Limits
//! [`RESYNC_QUEUE_MAX`] tables wait; [`RESYNC_FAILURES_MAX`] failures are remembered for `status`.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::quarantine::TableId;
use crate::config::limits::{RESYNC_FAILURES_MAX, RESYNC_QUEUE_MAX};
use crate::error::{Error, ErrorKind, Result};

/// One copy of a table on its way, from the first chunk to the last. The coordinator and the table's lane both hold it.
#[derive(Debug)]
pub struct Copy {
    /// The table.
    pub id: TableId,
    ended: AtomicBool,
    failed: AtomicBool,
}

impl Copy {
    /// A copy that begins.
    pub fn new(id: TableId) -> Arc<Self> {
        Arc::new(Self {
            id,
            ended: AtomicBool::new(false),
            failed: AtomicBool::new(false),
        })
    }

    /// It is complete, or given up: what is still on its way is of no use.
    pub fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }

    /// The source could not give the rest: what the lane has not seen of it yet says nothing of how far it is.
    pub fn fail(&self) {
        self.failed.store(true, Ordering::Release);
    }

    fn is_under_way(&self) -> bool {
        !self.has_ended() && !self.failed.load(Ordering::Acquire)
    }

    /// Whether it is complete or given up.
    pub fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }
}

/// How far a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResyncState {
    /// It waits for its turn, or for the source.
    Waiting,
    /// Its rows are on their way.
    Copying,
    /// It failed for good.
    Failed,
}

impl ResyncState {
    /// As `status` shows it.
    pub fn text(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Copying => "copying",
            Self::Failed => "failed",
        }
    }
}

/// A request, for `status`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resync {
    /// The table.
    pub id: TableId,
    /// How far it is.
    pub state: ResyncState,
    /// Rows copied so far.
    pub rows: u64,
    /// About how many there are in all.
    pub rows_estimate: u64,
    /// What went wrong at the last attempt.
    pub error: Option<String>,
}

impl Resync {
    fn new(id: TableId) -> Self {
        Self {
            id,
            state: ResyncState::Waiting,
            rows: 0,
            rows_estimate: 0,
            error: None,
        }
    }
}

/// All requests.
#[derive(Debug, Default)]
pub struct ResyncQueue {
    /// In the order in which they are served.
    requests: Mutex<VecDeque<Resync>>,
}

impl ResyncQueue {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Resync>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A run begins: requests are still wanted, none is under way.
    pub fn reset(&self) {
        for request in self.lock().iter_mut() {
            if request.state == ResyncState::Copying {
                request.state = ResyncState::Waiting;
            }
        }
    }

    /// Asks for a table to be read afresh; one that waits already keeps its place, one that is under way goes on.
    ///
    /// # Errors
    /// `Config` when too many wait.
    pub fn request(&self, id: &TableId) -> Result<()> {
        let mut requests = self.lock();
        if let Some(known) = requests.iter_mut().find(|known| known.id == *id) {
            if known.state == ResyncState::Failed {
                *known = Resync::new(id.clone());
            }
            return Ok(());
        }
        if requests.len() >= RESYNC_QUEUE_MAX {
            return Err(Error::new(
                ErrorKind::Config,
                format!(
                    "{RESYNC_QUEUE_MAX} tables wait to be read afresh already; ask again later"
                ),
            ));
        }
        requests.push_back(Resync::new(id.clone()));
        Ok(())
    }

    /// The copy that was under way has ended; another one is wanted.
    pub fn again(&self, id: &TableId) {
        self.change(id, |request| *request = Resync::new(id.clone()));
    }

    /// The next table to read.
    pub fn next(&self) -> Option<TableId> {
        self.next_but(|_| false)
    }

    /// The next table to read that is not to wait longer.
    pub fn next_but(&self, waits: impl Fn(&TableId) -> bool) -> Option<TableId> {
        let requests = self.lock();
        let mut waiting = requests
            .iter()
            .filter(|request| request.state == ResyncState::Waiting && !waits(&request.id));
        waiting.next().map(|request| request.id.clone())
    }

    /// Whether a table waits or is being read that nothing is known to stand in the way of.
    pub fn is_any_hopeful(&self) -> bool {
        let hopeful =
            |request: &Resync| request.state != ResyncState::Failed && request.error.is_none();
        self.lock().iter().any(hopeful)
    }

    fn change(&self, id: &TableId, change: impl FnOnce(&mut Resync)) {
        if let Some(request) = self.lock().iter_mut().find(|known| known.id == *id) {
            change(request);
        }
    }

    /// Rows of the table are on their way. Nothing changes when the copy has ended or failed: the lane may have asked for another, or
    /// is told of a beginning whose end is known already.
    pub fn set_copying(&self, copy: &Copy, rows: u64, rows_estimate: u64) {
        self.change(&copy.id, |request| {
            if copy.is_under_way() {
                request.state = ResyncState::Copying;
                request.rows = rows;
                request.rows_estimate = rows_estimate;
            }
        });
    }

    /// An attempt failed and is made again; those behind it go first. True when the text is another than before. Nothing
    /// changes when the copy has ended.
    pub fn put_back(&self, copy: &Copy, error: &str) -> bool {
        let id = &copy.id;
        let mut requests = self.lock();
        if copy.has_ended() {
            return false;
        }
        let Some(at) = requests.iter().position(|known| known.id == *id) else {
            return false;
        };
        let Some(request) = requests.remove(at) else {
            return false;
        };
        let is_new = request.error.as_deref() != Some(error);
        requests.push_back(Resync {
            error: Some(error.to_owned()),
            ..Resync::new(id.clone())
        });
        is_new
    }

    /// The table cannot be read afresh.
    pub fn fail(&self, id: &TableId, error: &str) {
        self.change(id, |request| {
            request.state = ResyncState::Failed;
            request.error = Some(error.to_owned());
        });
        let mut requests = self.lock();
        let failed = |request: &&Resync| request.state == ResyncState::Failed;
        if requests.iter().filter(failed).count() > RESYNC_FAILURES_MAX
            && let Some(oldest) = requests.iter().position(|request| failed(&request))
        {
            requests.remove(oldest);
        }
    }

    /// The table is complete, or gone, or has another name.
    pub fn remove(&self, id: &TableId) {
        self.lock().retain(|known| known.id != *id);
    }

    /// All requests, in order.
    pub fn all(&self) -> Vec<Resync> {
        self.lock().iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_waits_once_and_failures_let_others_go_first() {
        let queue = ResyncQueue::default();
        let (a, b) = (TableId::new("d", "a"), TableId::new("d", "b"));
        for id in [&a, &b, &a] {
            queue.request(id).unwrap();
        }
        assert_eq!(queue.all().len(), 2);
        assert_eq!(queue.next(), Some(a.clone()));
        let copy = Copy::new(a.clone());
        assert!(queue.put_back(&copy, "no"));
        assert_eq!(queue.next(), Some(b.clone()));
        assert!(!queue.put_back(&copy, "no"), "nothing new");
        queue.set_copying(&Copy::new(b.clone()), 5, 10);
        assert_eq!(queue.next(), Some(a.clone()));
        let failed = Copy::new(a.clone());
        failed.fail();
        queue.set_copying(&failed, 5, 10);
        assert_eq!(queue.next(), Some(a.clone()), "of a copy that has failed");
        queue.reset();
        assert_eq!(queue.next(), Some(b.clone()));
        queue.remove(&b);
        copy.end();
        queue.set_copying(&copy, 5, 10);
        assert_eq!(queue.next(), Some(a.clone()), "of a copy that has ended");
        queue.fail(&a, "gone");
        assert_eq!(queue.next(), None);
        assert_eq!(queue.all()[0].error.as_deref(), Some("gone"));
        queue.request(&a).unwrap();
        assert_eq!(queue.next(), Some(a));
    }

    #[test]
    fn it_is_bounded() {
        let queue = ResyncQueue::default();
        for n in 0..RESYNC_QUEUE_MAX {
            queue.request(&TableId::new("d", &n.to_string())).unwrap();
        }
        assert!(queue.request(&TableId::new("d", "more")).is_err());
        for n in 0..=RESYNC_FAILURES_MAX {
            queue.fail(&TableId::new("d", &n.to_string()), "no");
        }
        assert_eq!(queue.all().len(), RESYNC_QUEUE_MAX - 1);
    }
}
