//! The applier side: runs the coordinator, again and again while its errors pass by themselves.
//!
//! # Threading
//! Blocks; runs on a thread of its own. A second thread turns the stop token into the flag that the coordinator polls.

use std::cmp::Ordering;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::apply::{SourceSchema, Target};
use crate::binlog::position::Position;
use crate::checkpoint::{Checkpoint, Watermark};
use crate::config::OnTableError;
use crate::config::filter::FilterConfig;
use crate::config::limits::{APPLY_RETRY, RELAY_WAIT};
use crate::dispatch::budget::Budget;
use crate::dispatch::coordinator::{self, AtUntil, Ended, Run};
use crate::dispatch::lane::LaneContext;
use crate::dispatch::stop::StopFlag;
use crate::error::{Error, ErrorKind, Result, Retry};
use crate::relay::reader::RelayReader;
use crate::relay::receiver::{Destination, unix_now};
use crate::serve::published::Published;
use crate::snapshot::SnapshotSource;

/// The applier side, ready to run.
pub(super) struct Applier {
    /// The relay log.
    pub(super) destination: Destination,
    /// Where a fresh target begins.
    pub(super) from: Checkpoint,
    /// Where changes go.
    pub(super) target: Arc<dyn Target>,
    /// Answers for unknown tables.
    pub(super) schema: Arc<dyn SourceSchema>,
    /// Which tables are followed.
    pub(super) filter: FilterConfig,
    /// Reads tables afresh.
    pub(super) snapshots: Arc<dyn SnapshotSource>,
    /// What becomes of a table that cannot go on.
    pub(super) on_table_error: OnTableError,
    /// `--workers`.
    pub(super) workers: usize,
    /// When to end.
    pub(super) until: Arc<OnceLock<Position>>,
    /// What becomes there of tables that wait to be read afresh.
    pub(super) at_until: AtUntil,
    /// What it publishes.
    pub(super) published: Published,
    /// Starts of transactions that the source never finished, or rolled back.
    pub(super) cut_short: Vec<Position>,
    /// The target had a watermark once.
    pub(super) has_begun: bool,
    /// The last run ended on a full disk.
    pub(super) is_full: bool,
    /// Ends it.
    pub(super) stop: CancellationToken,
    /// The flag of the run under way.
    pub(super) flag: Arc<Mutex<Arc<StopFlag>>>,
}

impl Applier {
    /// Applies until stopped, `until` is reached, or an error does not pass by itself.
    pub(super) fn run(mut self) -> Result<Ended> {
        let watcher = self.watch_stop();
        let state = self.published.applier.clone();
        let outcome = loop {
            state.set_running(true);
            let outcome = self.run_once();
            match outcome.map_err(|error| self.explain(error)) {
                Err(error) if error.kind() == ErrorKind::CutShort => self.leave_out(&error),
                Err(error) if error.kind().retry() == Retry::Backoff => {
                    state.set_error(&error, unix_now());
                    tracing::warn!(errno = error.errno(), error = %error.full_text(), "applying was interrupted");
                    if self.wait(APPLY_RETRY) {
                        break Ok(Ended::Stopped);
                    }
                }
                Err(error) => {
                    // A target that is not as it was left is let alone.
                    if !matches!(error.kind(), ErrorKind::Target | ErrorKind::Io) {
                        self.keep_what_is_whole();
                    }
                    state.set_error(&error, unix_now());
                    break Err(error);
                }
                Ok(ended) => break Ok(ended),
            }
        };
        state.set_running(false);
        self.stop.cancel();
        // The watcher only waits for the token.
        let _ = watcher.join();
        outcome
    }

    /// SQLite does not always say that the disk is full: its shared memory and its new files fail in other words. Somebody may
    /// have made room since: right behind a full disk such an error passes once more.
    fn explain(&mut self, error: Error) -> Error {
        let was_full = std::mem::replace(&mut self.is_full, error.kind() == ErrorKind::DiskFull);
        if !matches!(error.kind(), ErrorKind::Target | ErrorKind::Io) {
            return error;
        }
        let full = self.target.check_room().err();
        self.is_full = full.is_some_and(|full| full.kind() == ErrorKind::DiskFull);
        if was_full || self.is_full {
            return Error::new(ErrorKind::DiskFull, "no space left for the target")
                .with_source(error);
        }
        error
    }

    /// After an error of the reading side: what was read before it and merged into an open target transaction is applied
    /// once more, up to there, so that nothing but the cause is missing when somebody skips it (`--skip-to`). An error of
    /// a lane comes again, and has been told already.
    fn keep_what_is_whole(&mut self) {
        let Some(read) = self.published.applier.get().read else {
            return;
        };
        let until = std::mem::replace(&mut self.until, Arc::new(read.position.into()));
        let at_until = std::mem::replace(&mut self.at_until, AtUntil::Leave);
        if let Err(error) = self.run_once() {
            tracing::debug!(error = %error.full_text(), "what was read before the error is not whole either");
        }
        (self.until, self.at_until) = (until, at_until);
    }

    /// A transaction that the source does not have is left out of the next run.
    fn leave_out(&mut self, error: &Error) {
        tracing::warn!(error = %error.full_text(), "a transaction in the binlog is left out");
        if let (Some(file), Some(offset)) = (error.at().file.clone(), error.at().pos) {
            self.cut_short.push(Position { file, offset });
        }
    }

    /// Turns the token into the flag that the coordinator polls, and wakes it.
    fn watch_stop(&self) -> std::thread::JoinHandle<()> {
        let (stop, flag, end) = (
            self.stop.clone(),
            self.flag.clone(),
            self.destination.end.clone(),
        );
        let runtime = Handle::current();
        std::thread::spawn(move || {
            runtime.block_on(stop.cancelled());
            flag.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .request();
            end.wake();
        })
    }

    /// Waits; true when stopped meanwhile.
    fn wait(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        while Instant::now() < until && !self.stop.is_cancelled() {
            std::thread::sleep(RELAY_WAIT.min(time));
        }
        self.stop.is_cancelled()
    }

    fn run_once(&mut self) -> Result<Ended> {
        let flag = Arc::new(StopFlag::default());
        *self.flag.lock().unwrap_or_else(PoisonError::into_inner) = flag.clone();
        if self.stop.is_cancelled() {
            flag.request(); // the watcher may have set the flag of the run before
        }
        let Some(from) = self.begin()? else {
            return Ok(Ended::Stopped);
        };
        self.cut_short
            .retain(|start| start.order(&from.at.position) != Some(Ordering::Less));
        let Some(reader) = self.open_reader(&from.at.position)? else {
            return Ok(Ended::Stopped);
        };
        coordinator::run(Run {
            reader,
            from,
            cut_short: self.cut_short.clone(),
            target: self.target.clone(),
            filter: self.filter.clone(),
            context: LaneContext {
                stop: flag,
                workers: Budget::new(self.workers),
                source: self.schema.clone(),
                behind: Arc::new(AtomicBool::new(false)),
                hurry: Arc::new(AtomicBool::new(false)),
                on_table_error: self.on_table_error,
                quarantine: self.published.quarantine.clone(),
                resyncs: self.published.resyncs.clone(),
            },
            snapshots: self.snapshots.clone(),
            roster: self.published.lanes.clone(),
            until: self.until.clone(),
            at_until: self.at_until,
            state: self.published.applier.clone(),
        })
    }

    /// Where to begin: the watermark, or on a fresh target the start, which becomes the watermark before anything is
    /// applied. Either may leave the file to the source (a start by GTID): it is the first one that came.
    fn begin(&mut self) -> Result<Option<Watermark>> {
        let known = self.target.watermark()?;
        let is_known = known.is_some();
        if !is_known && self.has_begun {
            return Err(Error::new(
                ErrorKind::Target,
                "the target's watermark is gone: it was removed while replication runs; put the target back as it was, or \
                 remove all of it to start afresh, and start again",
            ));
        }
        let mut from = known.unwrap_or_else(|| Watermark::new(self.from.clone()));
        if from.at.position.file.is_empty() {
            let Some(file) = self.first_file() else {
                return Ok(None);
            };
            from.at.position.file = file;
        } else if is_known {
            self.has_begun = true;
            return Ok(Some(from));
        }
        self.target.set_watermark(&from)?;
        self.has_begun = true;
        self.from = from.at.clone();
        Ok(Some(from))
    }

    fn first_file(&self) -> Option<Arc<str>> {
        loop {
            if let Some(file) = self.destination.end.get().index.names().first() {
                return Some(file.clone());
            }
            if self.wait(RELAY_WAIT) {
                return None;
            }
        }
    }

    /// Opens the relay log at a position; waits until its file has come.
    fn open_reader(&self, position: &Position) -> Result<Option<RelayReader>> {
        loop {
            let durable = self.destination.end.get();
            let has_head = durable.end.is_some();
            if has_head && durable.index.contains(&position.file) {
                let end = self.destination.end.clone();
                return RelayReader::open(&self.destination.directory, end, position).map(Some);
            }
            self.destination.end.wait_beyond(position, RELAY_WAIT);
            if self.stop.is_cancelled() {
                return Ok(None);
            }
        }
    }
}
