//! One lane: an OS thread that applies one database's part of the stream, in the source's order.
//!
//! # Merging
//! While the applier is behind, source transactions are merged into one target commit, up to
//! [`LANE_MERGE_ROWS_MAX`] rows or [`LANE_MERGE_TIME_MAX`]; when the queue runs empty, what is whole is committed at
//! once. A reader of the target never sees part of a source transaction either way.
//!
//! # Threading
//! Owns its [`Lane`]; takes one of the workers while it has something to do and gives it back while it waits.

mod aside;
mod by_statement;
mod copy;
mod sequence;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, TryRecvError};

use self::aside::AsideTables;
use super::barrier::Barrier;
use super::batch::{DdlTask, EventBody, Item, LaneBatch};
use super::budget::{Budget, Share};
use super::mapped::MappedTable;
use super::progress::{LaneProgress, LaneState};
use super::quarantine::Quarantine;
use super::resync::ResyncQueue;
use super::stop::StopFlag;
use crate::apply::quarantine::SetAside;
use crate::apply::{Ddl, DdlOutcome, Lane, SourceSchema};
use crate::binlog::format::FormatDescription;
use crate::binlog::gtid::Gtid;
use crate::checkpoint::Checkpoint;
use crate::config::OnTableError;
use crate::config::limits::{
    LANE_LINGER_MS, LANE_MERGE_ROWS_MAX, LANE_MERGE_TIME_MAX, LANE_TABLE_MAPS_MAX,
};
use crate::decode::rows::{RowKind, RowReader, RowsEvent, keys_act_silently, rows_table_id};
use crate::decode::table_map::{TableMap, table_map_names};
use crate::error::{Error, ErrorKind, Result};
use crate::failpoints;

/// What all lanes share.
#[derive(Clone)]
pub struct LaneContext {
    /// How the run ends.
    pub stop: Arc<StopFlag>,
    /// `--workers`.
    pub workers: Budget,
    /// Answers for tables that the catalog does not know.
    pub source: Arc<dyn SourceSchema>,
    /// Whether the coordinator has more to read.
    pub behind: Arc<AtomicBool>,
    /// Whether each transaction is to be committed at once, because receiving waits until relay files can go.
    pub hurry: Arc<AtomicBool>,
    /// What becomes of a table that cannot go on.
    pub on_table_error: OnTableError,
    /// The tables that are set aside.
    pub quarantine: Arc<Quarantine>,
    /// The tables that are to be read afresh.
    pub resyncs: Arc<ResyncQueue>,
}

/// The source transaction being applied, for messages.
#[derive(Debug, Default)]
struct Current {
    gtid: Option<Gtid>,
    file: Option<Arc<str>>,
    open: bool,
    /// Number of its first savepoint.
    first_savepoint: Option<u32>,
}

/// Runs one lane until its queue is closed.
pub struct LaneWorker {
    lane: Box<dyn Lane>,
    queue: Receiver<LaneBatch>,
    progress: Arc<LaneProgress>,
    context: LaneContext,
    format: Option<Arc<FormatDescription>>,
    tables: HashMap<u64, MappedTable>,
    /// Mapped tables that are set aside.
    passed_over: HashMap<u64, String>,
    /// Mapped tables that are sequences.
    sequences: HashMap<u64, String>,
    aside: AsideTables,
    current: Current,
    /// The checkpoint of the last whole transaction in the open target transaction.
    pending: Option<Arc<Checkpoint>>,
    pending_since: Instant,
    pending_rows: u64,
    pending_transactions: u64,
    worker: Option<Share>,
}

impl LaneWorker {
    /// A worker for `lane`, with the marks of its tables that are set aside.
    pub fn new(
        lane: Box<dyn Lane>,
        marks: Vec<SetAside>,
        queue: Receiver<LaneBatch>,
        progress: Arc<LaneProgress>,
        context: LaneContext,
    ) -> Self {
        Self {
            lane,
            queue,
            progress,
            context,
            format: None,
            tables: HashMap::new(),
            passed_over: HashMap::new(),
            sequences: HashMap::new(),
            aside: AsideTables::of(marks),
            current: Current::default(),
            pending: None,
            pending_since: Instant::now(),
            pending_rows: 0,
            pending_transactions: 0,
            worker: None,
        }
    }

    /// Applies until the queue is closed and empty, or something fails; the failure goes to the stop flag.
    pub fn run(mut self) {
        let outcome = self.work().and_then(|()| self.end());
        if let Err(error) = outcome {
            let failed = self.locate(error);
            if let Err(error) = self.lane.rollback() {
                tracing::warn!(database = %self.progress.database, error = %error.full_text(), "rollback failed");
            }
            self.context.stop.fail(failed);
        }
        self.progress.set_state(LaneState::Stopped);
    }

    fn locate(&self, error: Error) -> Error {
        let error = match &self.current.gtid {
            Some(gtid) => error.at_gtid(gtid),
            None => error,
        };
        if error.at().table.is_none() {
            return error.at_table(&self.progress.database, "*");
        }
        error
    }

    fn work(&mut self) -> Result<()> {
        while let Some(batch) = self.next_batch()? {
            if self.context.stop.is_failed() {
                return Err(Error::new(
                    ErrorKind::Stopped,
                    "stopped by another database's error",
                ));
            }
            for item in &batch.items {
                self.item(&batch, item)?;
            }
            let weight = batch.weight() as u64;
            self.progress
                .queued_bytes
                .fetch_sub(weight, Ordering::Relaxed);
        }
        Ok(())
    }

    /// After the last batch: what is whole stays, a transaction cut short by the stop goes.
    fn end(&mut self) -> Result<()> {
        if self.current.open {
            self.lane.rollback()?;
        } else {
            self.commit_pending()?;
        }
        self.make_durable()
    }

    fn next_batch(&mut self) -> Result<Option<LaneBatch>> {
        match self.queue.try_recv() {
            Ok(batch) => return self.take_worker().map(|()| Some(batch)),
            Err(TryRecvError::Disconnected) => return Ok(None),
            Err(TryRecvError::Empty) => {}
        }
        if self.pending.is_some() && !self.current.open {
            if self.context.behind.load(Ordering::Acquire) {
                match self
                    .queue
                    .recv_timeout(Duration::from_millis(LANE_LINGER_MS))
                {
                    Ok(batch) => return self.take_worker().map(|()| Some(batch)),
                    Err(RecvTimeoutError::Disconnected) => return Ok(None),
                    Err(RecvTimeoutError::Timeout) => {}
                }
            }
            self.commit_pending()?;
        }
        self.worker = None;
        self.progress.set_state(LaneState::Idle);
        match self.queue.recv() {
            Ok(batch) => self.take_worker().map(|()| Some(batch)),
            Err(_) => Ok(None),
        }
    }

    fn take_worker(&mut self) -> Result<()> {
        if self.worker.is_none() {
            self.progress.set_state(LaneState::WaitingForWorker);
            self.worker = Some(self.context.workers.take(1)?);
        }
        self.progress.set_state(LaneState::Applying);
        Ok(())
    }

    fn item(&mut self, batch: &LaneBatch, item: &Item) -> Result<()> {
        match item {
            Item::Begin {
                gtid,
                file,
                timestamp,
            } => {
                if self.tables.len() >= LANE_TABLE_MAPS_MAX {
                    self.forget_maps();
                }
                self.current = Current {
                    gtid: *gtid,
                    file: Some(file.clone()),
                    open: true,
                    first_savepoint: None,
                };
                self.progress.set_oldest(*timestamp);
                self.begin()
            }
            Item::Format(format) => {
                self.format = Some(format.clone());
                self.forget_maps();
                Ok(())
            }
            Item::TableMap(event) => {
                let body = batch.body(event)?;
                // Once more when its table was set aside: it is passed over then.
                while let Err(error) = self.map_table(body) {
                    self.contain(self.at_event(error, event))?;
                }
                Ok(())
            }
            Item::Rows(event) => {
                let body = batch.body(event)?;
                // Once more when a table was set aside: this one, or another whose rows were waiting to be sent.
                while let Err(error) = self.apply_rows(event.kind, body) {
                    self.contain(self.at_event(error, event))?;
                }
                Ok(())
            }
            Item::SetAside(mark) => self.set_aside(mark),
            Item::ByStatement(change) => self.by_statement(change),
            Item::Copy(copy, step) => self.copy_step(copy, step),
            Item::Ddl(task) => self.ddl(task).map_err(|error| at_ddl(error, task)),
            Item::DdlInside(task) => self
                .run_ddl(task, false)
                .map_err(|error| at_ddl(error, task))
                .map(drop),
            Item::Savepoint(number) => {
                self.current.first_savepoint.get_or_insert(*number);
                self.lane.savepoint(*number)
            }
            Item::RollbackTo(number) => {
                // What was learnt of tables since then may be gone, too.
                self.tables.clear();
                self.lane.rollback_to(*number)
            }
            Item::Commit { at, barrier } => self.commit(at, barrier.as_deref()),
            Item::Advance(at) => self.advance(at),
            Item::MakeDurable => self.make_durable(),
        }
    }

    /// Opens the target transaction, which may have to wait for somebody else's.
    fn begin(&mut self) -> Result<()> {
        self.progress.open_rows.store(0, Ordering::Relaxed);
        self.progress.set_state(LaneState::WaitingForTarget);
        let begun = self.lane.begin();
        self.progress.set_state(LaneState::Applying);
        begun
    }

    fn at_event(&self, error: Error, event: &EventBody) -> Error {
        match &self.current.file {
            Some(file) => error.at_pos(file.clone(), event.position),
            None => error,
        }
    }

    fn forget_maps(&mut self) {
        self.tables.clear();
        self.passed_over.clear();
        self.sequences.clear();
    }

    fn map_table(&mut self, body: &[u8]) -> Result<()> {
        let format = self.format.as_ref().ok_or_else(no_format)?;
        let (id, database, table) = table_map_names(body, format)?;
        let known = self.tables.get(&id);
        if known.is_some_and(|known| known.is_same(body)) {
            return Ok(());
        }
        let database = String::from_utf8_lossy(database);
        let table = String::from_utf8_lossy(table);
        if let Some(name) = self.passed_over_name(&table)? {
            self.tables.remove(&id);
            self.passed_over.insert(id, name);
            return Ok(());
        }
        self.passed_over.remove(&id);
        self.sequences.remove(&id);
        let flavor = format.flavor;
        let map =
            TableMap::parse(body, format).map_err(|error| error.at_table(&database, &table))?;
        if self.is_sequence(&map, flavor)? {
            self.tables.remove(&id);
            self.sequences.insert(id, map.table);
            return Ok(());
        }
        let mapped = MappedTable::new(
            map,
            body,
            flavor,
            self.lane.as_mut(),
            self.context.source.as_ref(),
        )
        .map_err(|error| error.at_table(&database, &table))?;
        self.tables.insert(id, mapped);
        Ok(())
    }

    fn apply_rows(&mut self, kind: u8, body: &[u8]) -> Result<()> {
        let format = self.format.as_ref().ok_or_else(no_format)?;
        let id = rows_table_id(body, format.post_header_len(kind))?;
        if let Some(table) = self.passed_over.get(&id).cloned() {
            let event = RowsEvent::parse(kind, body, format);
            let changes_others = event.map_or(true, |event| {
                event.kind != RowKind::Insert && keys_act_silently(event.flags)
            });
            return self.pass_over(&table, changes_others);
        }
        let located = |error: Error, mapped: Option<&MappedTable>| match mapped {
            Some(mapped) => error.at_table(&mapped.map.database, &mapped.map.table),
            None => error,
        };
        let event = RowsEvent::parse(kind, body, format)
            .map_err(|error| located(error, self.tables.get(&id)))?;
        if let Some(table) = self.sequences.get(&event.table_id).cloned() {
            return self.pass_over_sequence(event.kind, &table);
        }
        let Some(mapped) = self.tables.get(&event.table_id) else {
            return Err(Error::corrupt(format!(
                "no Table_map event for table id {}",
                event.table_id
            )));
        };
        let searches = mapped.is_without_key && event.kind != RowKind::Insert;
        self.progress.searches.store(searches, Ordering::Relaxed);
        let reader = RowReader::new(&mapped.plan, &event);
        let source = self.context.source.as_ref();
        let rows = reader.and_then(|mut reader| self.lane.rows(&mapped.table, &mut reader, source));
        let rows = rows.map_err(|error| located(error, Some(mapped)))?;
        self.pending_rows += rows;
        self.progress.open_rows.fetch_add(rows, Ordering::Relaxed);
        self.progress.rows.fetch_add(rows, Ordering::Relaxed);
        Ok(())
    }

    fn commit(&mut self, at: &Arc<Checkpoint>, barrier: Option<&Barrier>) -> Result<()> {
        self.current.open = false;
        if let Some(first) = self.current.first_savepoint.take() {
            self.lane.release_savepoint(first)?;
        }
        self.set_pending(at);
        self.publish_aside();
        if let Some(barrier) = barrier {
            self.meet(barrier)?;
            return self.commit_pending();
        }
        let full = self.pending_rows >= LANE_MERGE_ROWS_MAX
            || self.pending_since.elapsed() >= LANE_MERGE_TIME_MAX
            || self.context.hurry.load(Ordering::Relaxed);
        if full { self.commit_pending() } else { Ok(()) }
    }

    fn set_pending(&mut self, at: &Arc<Checkpoint>) {
        if self.pending.is_none() {
            self.pending_since = Instant::now();
        }
        self.pending = Some(at.clone());
        self.pending_transactions += 1;
        self.progress.set_oldest(at.timestamp);
    }

    /// Waits for other lanes, without holding a worker that they may need.
    fn meet(&mut self, barrier: &Barrier) -> Result<()> {
        self.worker = None;
        self.progress.set_state(LaneState::WaitingForDatabases);
        barrier.wait(&self.context.stop)?;
        self.take_worker()
    }

    fn commit_pending(&mut self) -> Result<()> {
        let Some(at) = self.pending.take() else {
            return Ok(());
        };
        failpoints::hit(failpoints::LANE_BEFORE_COMMIT);
        // Rows that wait to be sent may show only now that they do not fit.
        while let Err(error) = self.lane.commit(&at) {
            self.contain(error.at_pos(at.position.file.clone(), at.position.offset))?;
        }
        failpoints::hit(failpoints::LANE_COMMITTED);
        self.progress.set_committed(at);
        self.progress.commits.fetch_add(1, Ordering::Relaxed);
        let invalid = self.lane.invalid_texts();
        self.progress
            .invalid_texts
            .store(invalid, Ordering::Relaxed);
        self.progress
            .transactions
            .fetch_add(self.pending_transactions, Ordering::Relaxed);
        self.progress.clear_oldest();
        self.pending_rows = 0;
        self.pending_transactions = 0;
        Ok(())
    }

    fn make_durable(&mut self) -> Result<()> {
        self.lane.make_durable()?;
        failpoints::hit(failpoints::LANE_DURABLE);
        self.progress.set_durable();
        Ok(())
    }

    fn advance(&mut self, at: &Arc<Checkpoint>) -> Result<()> {
        self.pending = Some(at.clone());
        self.commit_pending()?;
        self.make_durable()
    }

    fn ddl(&mut self, task: &DdlTask) -> Result<()> {
        self.current.file = Some(task.at.position.file.clone());
        let outcome = self.ddl_halves(task);
        self.publish_aside();
        outcome
    }

    fn ddl_halves(&mut self, task: &DdlTask) -> Result<()> {
        let Some((before, between)) = &task.barriers else {
            self.lane.begin()?;
            // Alone again after a crash: the other databases have done their part already.
            if self.run_ddl(task, false)? == DdlOutcome::Unfinished {
                self.run_ddl(task, true)?;
            }
            self.set_pending(&task.at);
            return Ok(());
        };
        self.commit_pending()?;
        self.meet(before)?;
        self.lane.begin()?;
        let outcome = self.run_ddl(task, false)?;
        self.set_pending(&task.at);
        if outcome == DdlOutcome::Done {
            self.commit_pending()?;
        }
        self.meet(between)?;
        if outcome == DdlOutcome::Unfinished {
            self.run_ddl(task, true)?;
            self.commit_pending()?;
        }
        Ok(())
    }

    fn run_ddl(&mut self, task: &DdlTask, finish: bool) -> Result<DdlOutcome> {
        self.forget_maps();
        if !finish {
            if self.lane.commits_ddl() {
                // The whole transactions before it; its own has no rows yet.
                self.commit_pending()?;
                self.lane.begin()?;
            }
            if self.context.on_table_error == OnTableError::Stop
                && let Some(error) = self.incoming_error(task)
            {
                return Err(error);
            }
            self.prepare_marks(task)?;
        }
        self.progress.set_oldest(task.at.timestamp);
        let outcome = loop {
            let mut set_aside = self.passed_over_names();
            set_aside.extend(self.incoming(task).into_iter().map(str::to_owned));
            let ddl = Ddl {
                query: &task.query,
                statement: &task.statement,
                context: &task.context,
                source: self.context.source.as_ref(),
                database: &self.progress.database,
                at: &task.at,
                set_aside: &set_aside,
            };
            let outcome = if finish {
                self.lane.finish_ddl(&ddl).map(|()| DdlOutcome::Done)
            } else {
                self.lane.ddl(&ddl)
            };
            match outcome {
                Ok(outcome) => break outcome,
                Err(_) if !finish && self.makes_a_sequence(task)? => break DdlOutcome::Done,
                // Once more without the table that was set aside.
                Err(error) => self.contain_ddl(at_ddl(error, task), task)?,
            }
        };
        if !finish {
            self.follow_marks(task)?;
        }
        Ok(outcome)
    }
}

fn at_ddl(error: Error, task: &DdlTask) -> Error {
    error.at_pos(task.at.position.file.clone(), task.start)
}

fn no_format() -> Error {
    Error::new(ErrorKind::Internal, "a lane got an event before its format")
}
