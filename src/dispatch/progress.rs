//! How far each lane is, for the watermark and for `status`.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::stop::StopFlag;
use crate::apply::work::WorkInHand;
use crate::checkpoint::Checkpoint;

/// What a lane is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LaneState {
    /// Nothing queued.
    Idle,
    /// Has work, waits for one of the `--workers`.
    WaitingForWorker,
    /// Applying.
    Applying,
    /// Waits for a lock that somebody else has in the target.
    WaitingForTarget,
    /// Waits for the other databases of a transaction.
    WaitingForDatabases,
    /// Ended.
    Stopped,
}

impl LaneState {
    const ALL: [Self; 6] = [
        Self::Idle,
        Self::WaitingForWorker,
        Self::Applying,
        Self::WaitingForTarget,
        Self::WaitingForDatabases,
        Self::Stopped,
    ];

    /// As `status` shows it.
    pub fn text(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::WaitingForWorker => "waiting for a worker",
            Self::Applying => "applying",
            Self::WaitingForTarget => "waiting for a lock in the target",
            Self::WaitingForDatabases => "waiting for other databases of the transaction",
            Self::Stopped => "stopped",
        }
    }
}

/// Published by one lane, read by the coordinator and `status`.
#[derive(Debug)]
pub struct LaneProgress {
    /// The source's database.
    pub database: String,
    state: AtomicU8,
    /// Since when the lane waits for a lock in the target.
    waiting_since: Mutex<Option<Instant>>,
    committed: Mutex<Option<Arc<Checkpoint>>>,
    durable: Mutex<Option<Arc<Checkpoint>>>,
    /// Source transactions committed in this run.
    pub transactions: AtomicU64,
    /// Row changes applied in this run.
    pub rows: AtomicU64,
    /// Commits of the target in this run.
    pub commits: AtomicU64,
    /// Text values kept as BLOB because they were not valid in their charset, in this run.
    pub invalid_texts: AtomicU64,
    /// Row events of sequences that were passed over in this run.
    pub sequence_events: AtomicU64,
    /// Bytes queued and not yet applied.
    pub queued_bytes: AtomicU64,
    /// Row changes of the source transaction that is being applied, so far.
    pub open_rows: AtomicU64,
    /// Whether rows of a table without a key are being looked for.
    pub searches: AtomicBool,
    /// The statement that takes long.
    pub work: Arc<WorkInHand>,
    /// Source timestamp of the oldest transaction that is begun and not committed here; 0 when there is none.
    oldest_timestamp: AtomicU64,
}

impl LaneProgress {
    /// A lane that starts at `checkpoint`; `stop` ends its long statements.
    pub fn new(database: &str, checkpoint: Option<Checkpoint>, stop: Arc<StopFlag>) -> Self {
        let checkpoint = checkpoint.map(Arc::new);
        Self {
            database: database.to_owned(),
            state: AtomicU8::new(0),
            waiting_since: Mutex::new(None),
            committed: Mutex::new(checkpoint.clone()),
            durable: Mutex::new(checkpoint),
            transactions: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            commits: AtomicU64::new(0),
            invalid_texts: AtomicU64::new(0),
            sequence_events: AtomicU64::new(0),
            queued_bytes: AtomicU64::new(0),
            open_rows: AtomicU64::new(0),
            searches: AtomicBool::new(false),
            work: Arc::new(WorkInHand::new(move || stop.gives_up_statements())),
            oldest_timestamp: AtomicU64::new(0),
        }
    }

    /// The source's clock when the oldest transaction began that is begun and not committed here.
    pub fn oldest(&self) -> Option<u64> {
        Some(self.oldest_timestamp.load(Ordering::Relaxed)).filter(|at| *at > 0)
    }

    /// A transaction of this time is begun; older ones may be open already.
    pub fn set_oldest(&self, timestamp: u32) {
        if self.oldest().is_none() {
            let at = u64::from(timestamp);
            self.oldest_timestamp.store(at, Ordering::Relaxed);
        }
    }

    /// Everything begun is committed.
    pub fn clear_oldest(&self) {
        self.oldest_timestamp.store(0, Ordering::Relaxed);
    }

    /// What the lane is doing.
    pub fn state(&self) -> LaneState {
        let at = usize::from(self.state.load(Ordering::Relaxed));
        LaneState::ALL.get(at).copied().unwrap_or(LaneState::Idle)
    }

    /// How long the lane has been waiting for a lock in the target; `None` when it does not.
    pub fn waited_for_target(&self) -> Option<Duration> {
        let since = self.waiting_since.lock();
        since
            .unwrap_or_else(PoisonError::into_inner)
            .map(|since| since.elapsed())
    }

    /// Publishes that the lane waits for a lock in the target since then.
    pub fn set_waiting_since(&self, since: Option<Instant>) {
        let waiting = self.waiting_since.lock();
        *waiting.unwrap_or_else(PoisonError::into_inner) = since;
    }

    /// Publishes what the lane is doing.
    pub fn set_state(&self, state: LaneState) {
        self.set_waiting_since((state == LaneState::WaitingForTarget).then(Instant::now));
        let at = LaneState::ALL
            .iter()
            .position(|known| *known == state)
            .unwrap_or_default();
        self.state
            .store(u8::try_from(at).unwrap_or_default(), Ordering::Relaxed);
    }

    /// The last commit.
    pub fn committed(&self) -> Option<Arc<Checkpoint>> {
        self.committed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The last commit that survives power loss.
    pub fn durable(&self) -> Option<Arc<Checkpoint>> {
        self.durable
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Publishes a commit.
    pub fn set_committed(&self, at: Arc<Checkpoint>) {
        *self
            .committed
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(at);
    }

    /// Publishes that everything committed is durable.
    pub fn set_durable(&self) {
        let committed = self.committed();
        *self.durable.lock().unwrap_or_else(PoisonError::into_inner) = committed;
    }
}
