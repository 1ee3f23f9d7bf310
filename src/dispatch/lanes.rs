//! The lanes of one run: opening, feeding and ending them.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::atomic::Ordering as AtomicOrdering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crossbeam_channel::{SendTimeoutError, Sender, bounded};

use super::batch::{CopyStep, EventBody, Item, LaneBatch};
use super::budget::Budget;
use super::lane::{LaneContext, LaneWorker};
use super::progress::{LaneProgress, LaneState};
use super::quarantine::{AsideTable, TableId};
use super::resync::Copy;
use crate::apply::quarantine::SetAside;
use crate::apply::{SourceSchema, Target};
use crate::binlog::format::FormatDescription;
use crate::binlog::position::Position;
use crate::checkpoint::Checkpoint;
use crate::config::limits::{
    LANE_BATCH_BYTES, LANE_QUEUE_BATCHES, LANES_MAX, QUEUE_BYTES_MAX, SEND_CHECK_INTERVAL,
};
use crate::error::{Error, ErrorKind, Result};
use crate::failpoints;

/// The lanes' progress, shared with `status`.
pub type Roster = Arc<Mutex<Vec<Arc<LaneProgress>>>>;

struct Handle {
    sender: Sender<LaneBatch>,
    batch: LaneBatch,
    progress: Arc<LaneProgress>,
    thread: JoinHandle<()>,
    /// Groups that begin before this are in the target already.
    has_until: Option<Position>,
    /// The format it was last told.
    format: Option<Arc<FormatDescription>>,
}

/// All lanes of a run. Used by the coordinator's thread only.
pub struct Lanes {
    target: Arc<dyn Target>,
    context: LaneContext,
    budget: Budget,
    by_name: HashMap<String, usize>,
    handles: Vec<Option<Handle>>,
    roster: Roster,
    /// Where the run begins.
    from: Checkpoint,
}

impl Lanes {
    /// Opens a lane for every database that the target knows.
    pub fn open(
        target: Arc<dyn Target>,
        context: LaneContext,
        roster: Roster,
        from: Checkpoint,
    ) -> Result<Self> {
        let known = target.checkpoints()?;
        let mut lanes = Self {
            target,
            context,
            budget: Budget::new(QUEUE_BYTES_MAX),
            by_name: HashMap::new(),
            handles: Vec::new(),
            roster,
            from,
        };
        lanes.context.quarantine.clear();
        lanes.context.resyncs.reset();
        let mut opened = Vec::new();
        for (database, _) in known {
            opened.push(lanes.open_lane(&database)?);
            failpoints::hit(failpoints::LANE_OPENED);
        }
        // All at once: of some lanes nobody could tell how far the slowest of all is. Until then the former run's count.
        *lanes.roster.lock().unwrap_or_else(PoisonError::into_inner) = opened;
        Ok(lanes)
    }

    /// Answers from the source itself.
    pub fn source(&self) -> &dyn SourceSchema {
        self.context.source.as_ref()
    }

    /// Number of open lanes.
    pub fn count(&self) -> usize {
        self.by_name.len()
    }

    /// Whether a database has an open lane.
    pub fn is_open(&self, database: &str) -> bool {
        self.by_name.contains_key(database)
    }

    /// Numbers of all open lanes.
    pub fn all(&self) -> Vec<usize> {
        let mut all: Vec<_> = self.by_name.values().copied().collect();
        all.sort_unstable();
        all
    }

    /// The lane of a database, opened when needed.
    pub fn lane(&mut self, database: &str) -> Result<usize> {
        if let Some(lane) = self.by_name.get(database) {
            return Ok(*lane);
        }
        let progress = self.open_lane(database)?;
        self.roster
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(progress);
        Ok(self.handles.len() - 1)
    }

    /// Opens the lane of a database, which gets the next number.
    fn open_lane(&mut self, database: &str) -> Result<Arc<LaneProgress>> {
        if self.by_name.len() >= LANES_MAX {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("more than {LANES_MAX} databases at once"),
            ));
        }
        let mut lane = self.target.open_lane(database)?;
        let marks = lane.marks()?;
        self.publish_marks(database, &marks);
        // A checkpoint of another source says nothing of where this one's events belong. The run began here only after
        // every database had all that came from that one.
        let checkpoint = lane.checkpoint().map(|at| {
            if at.source_id == self.from.source_id {
                at
            } else {
                self.from.clone()
            }
        });
        // What a killed process committed may not be durable yet, and the watermark relies on it.
        lane.make_durable()?;
        let has_until = checkpoint.as_ref().map(|at| at.position.clone());
        let stop = self.context.stop.clone();
        let progress = Arc::new(LaneProgress::new(database, checkpoint, stop));
        lane.show_work(progress.work.clone());
        let (sender, queue) = bounded(LANE_QUEUE_BATCHES);
        let worker = LaneWorker::new(lane, marks, queue, progress.clone(), self.context.clone());
        let thread = std::thread::Builder::new()
            .name("lane".into())
            .spawn(move || worker.run())?;
        let number = self.handles.len();
        self.handles.push(Some(Handle {
            sender,
            batch: LaneBatch::default(),
            progress: progress.clone(),
            thread,
            has_until,
            format: None,
        }));
        self.by_name.insert(database.to_owned(), number);
        Ok(progress)
    }

    /// What is set aside, before the lane itself publishes it: other lanes ask for it, and for a fresh copy of what needs one.
    fn publish_marks(&self, database: &str, marks: &[SetAside]) {
        let table = |mark: &SetAside| AsideTable {
            mark: mark.clone(),
            passed_over: 0,
        };
        let tables = marks.iter().map(table).collect();
        self.context.quarantine.publish(database, tables);
        for mark in marks.iter().filter(|mark| mark.resync) {
            // When too many wait, the next start brings up the rest.
            let _ = self
                .context
                .resyncs
                .request(&TableId::new(database, &mark.table));
        }
    }

    fn handle(&mut self, lane: usize) -> Result<&mut Handle> {
        self.handles
            .get_mut(lane)
            .and_then(Option::as_mut)
            .ok_or_else(|| Error::new(ErrorKind::Internal, "an item for a lane that is closed"))
    }

    /// Whether the lane already has the group that begins at `start`.
    pub fn has(&mut self, lane: usize, start: &Position) -> Result<bool> {
        let handle = self.handle(lane)?;
        let Some(until) = &handle.has_until else {
            return Ok(false);
        };
        let has = start.order(until) == Some(Ordering::Less);
        if !has {
            // Positions only grow: no later group can be in there either.
            handle.has_until = None;
        }
        Ok(has)
    }

    /// Queues an item.
    pub fn push(&mut self, lane: usize, item: Item) -> Result<()> {
        let handle = self.handle(lane)?;
        handle.batch.items.push(item);
        self.flush_if_full(lane)
    }

    /// Queues a step of a table's copy, whose rows take memory of their own.
    pub fn push_copy(&mut self, lane: usize, copy: &Arc<Copy>, step: CopyStep) -> Result<()> {
        let bytes = match &step {
            CopyStep::Rows { rows, .. } => rows.weight(),
            _ => 0,
        };
        let handle = self.handle(lane)?;
        handle.batch.rows_bytes += bytes;
        self.push(lane, Item::Copy(copy.clone(), Box::new(step)))
    }

    /// Queues an event with its body; tells the lane the format first when it changed.
    pub fn push_event(
        &mut self,
        lane: usize,
        format: &Arc<FormatDescription>,
        (kind, body, position): (u8, &[u8], u64),
        item: impl FnOnce(EventBody) -> Item,
    ) -> Result<()> {
        let handle = self.handle(lane)?;
        if handle
            .format
            .as_ref()
            .is_none_or(|known| !Arc::ptr_eq(known, format))
        {
            handle.format = Some(format.clone());
            handle.batch.items.push(Item::Format(format.clone()));
        }
        let event = handle.batch.add_body(kind, body, position);
        handle.batch.items.push(item(event));
        self.flush_if_full(lane)
    }

    fn flush_if_full(&mut self, lane: usize) -> Result<()> {
        if self.handle(lane)?.batch.weight() >= LANE_BATCH_BYTES {
            self.flush(lane)
        } else {
            Ok(())
        }
    }

    /// Sends what is gathered for a lane.
    pub fn flush(&mut self, lane: usize) -> Result<()> {
        let handle = self.handle(lane)?;
        if handle.batch.items.is_empty() {
            return Ok(());
        }
        let mut batch = std::mem::take(&mut handle.batch);
        let weight = batch.weight();
        // What waits in the queue of a lane that has failed is given back only when the lanes are closed.
        let failed = || self.context.stop.is_failed();
        let share = self
            .budget
            .take_unless(weight, SEND_CHECK_INTERVAL, failed)?;
        batch.share = Some(share);
        let handle = self.handle(lane)?;
        handle
            .progress
            .queued_bytes
            .fetch_add(weight as u64, AtomicOrdering::Relaxed);
        let sender = handle.sender.clone();
        loop {
            match sender.send_timeout(batch, SEND_CHECK_INTERVAL) {
                Ok(()) => return Ok(()),
                Err(SendTimeoutError::Disconnected(_)) => return Err(stopped()),
                Err(SendTimeoutError::Timeout(unsent)) => {
                    if self.context.stop.is_failed() {
                        return Err(stopped());
                    }
                    batch = unsent;
                }
            }
        }
    }

    /// Sends what is gathered for all lanes.
    pub fn flush_all(&mut self) -> Result<()> {
        for lane in self.all() {
            self.flush(lane)?;
        }
        Ok(())
    }

    /// Ends one lane after it has done all that is queued.
    pub fn close(&mut self, lane: usize) -> Result<()> {
        self.flush(lane)?;
        let Some(handle) = self.handles.get_mut(lane).and_then(Option::take) else {
            return Ok(());
        };
        self.by_name.retain(|_, number| *number != lane);
        self.roster
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|progress| !Arc::ptr_eq(progress, &handle.progress));
        drop(handle.sender);
        join(handle.thread)
    }

    /// Ends all lanes: what is queued is done first, unless the run has failed.
    pub fn close_all(&mut self) -> Result<()> {
        let flushed = if self.context.stop.is_failed() {
            Ok(())
        } else {
            self.flush_all()
        };
        let handles: Vec<_> = self.handles.drain(..).flatten().collect();
        self.by_name.clear();
        let threads: Vec<_> = handles.into_iter().map(|handle| handle.thread).collect();
        for thread in threads {
            join(thread)?;
        }
        flushed
    }

    /// Up to where every database has everything durably; `None` while one has nothing yet.
    pub fn durable(&self) -> Option<Arc<Checkpoint>> {
        let mut least: Option<Arc<Checkpoint>> = None;
        for handle in self.handles.iter().flatten() {
            let durable = handle.progress.durable()?;
            let is_less = least.as_ref().is_none_or(|least| {
                durable.position.order(&least.position) == Some(Ordering::Less)
            });
            if is_less {
                least = Some(durable);
            }
        }
        least
    }

    /// Whether no lane has anything to do.
    pub fn are_idle(&self) -> bool {
        self.handles.iter().flatten().all(|handle| {
            let progress = &handle.progress;
            progress.state() == LaneState::Idle
                && progress.queued_bytes.load(AtomicOrdering::Relaxed) == 0
        })
    }

    /// The source's clock when the oldest transaction began that a lane has begun and not committed.
    pub fn oldest(&self) -> Option<u64> {
        let open = self.handles.iter().flatten();
        open.filter_map(|handle| handle.progress.oldest()).min()
    }

    /// Wakes everything that waits for memory or a worker, because the run has failed.
    pub fn abort(&self) {
        self.budget.stop();
        self.context.workers.stop();
    }
}

fn join(thread: JoinHandle<()>) -> Result<()> {
    thread
        .join()
        .map_err(|_| Error::new(ErrorKind::Internal, "a lane's thread panicked"))
}

fn stopped() -> Error {
    Error::new(ErrorKind::Stopped, "a lane has stopped")
}
