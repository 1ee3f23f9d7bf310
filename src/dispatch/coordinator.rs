//! The coordinator: reads the relay log once, in order, and gives each database's part to its lane.
//!
//! # Invariants
//! - Items reach a lane in the source's order. A commit that several lanes share is sent to all of them before anything
//!   later is sent to any, so lanes that wait for each other always have what they wait for (no deadlock).
//! - A group that a lane has already (by its checkpoint) is not sent to it again.
//! - The checkpoint moves over groups that change nothing here, too.
//!
//! # Threading
//! Runs on one thread; talks to lanes through their bounded queues and reads back their published progress.

use std::cmp::Ordering;
use std::sync::atomic::Ordering as AtomicOrdering;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::copier::Copier;
use super::filter::Filter;
use super::lane::LaneContext;
use super::lanes::{Lanes, Roster};
use super::router::Router;
use super::state::ApplierState;
use crate::apply::Target;
use crate::binlog::position::Position;
use crate::checkpoint::parked::ParkedXa;
use crate::checkpoint::{Checkpoint, Watermark};
use crate::config::filter::FilterConfig;
use crate::config::limits::{
    RELAY_WAIT, RESYNC_BEHIND_BYTES_MAX, UNTIL_POLL, UNTIL_RESYNC_MAX, WATERMARK_INTERVAL,
};
use crate::error::{Error, ErrorKind, Result};
use crate::failpoints;
use crate::relay::reader::RelayReader;
use crate::snapshot::SnapshotSource;

/// What one run of the applier side needs.
pub struct Run {
    /// The relay log, opened at `from`.
    pub reader: RelayReader,
    /// Where it begins: the watermark, or the start position.
    pub from: Watermark,
    /// Starts of transactions that the source never finished, or rolled back: left out.
    pub cut_short: Vec<Position>,
    /// Where changes go.
    pub target: Arc<dyn Target>,
    /// Which tables are followed.
    pub filter: FilterConfig,
    /// What lanes share.
    pub context: LaneContext,
    /// Where tables are read afresh.
    pub snapshots: Arc<dyn SnapshotSource>,
    /// The lanes' progress, for `status`.
    pub roster: Roster,
    /// Ends when everything before this is applied and durable; may be set later (`--until-caught-up`).
    pub until: Arc<OnceLock<Position>>,
    /// What becomes there of tables that wait to be read afresh.
    pub at_until: AtUntil,
    /// Published for `status`.
    pub state: Arc<ApplierState>,
}

/// How a run ended without an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// `until` is reached, applied and durable.
    Until,
    /// A stop was asked for.
    Stopped,
}

/// What becomes of tables that wait to be read afresh when `until` is reached. They are not what the source has before they are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtUntil {
    /// They wait on.
    Leave,
    /// They are read, where the source stands at `until` still: a copy is of use only where the stream gets to.
    ReadThere,
    /// They are read, and the stream goes on meanwhile.
    ReadBeyond,
}

/// Whether a run may end at `until`.
enum Settled {
    Yes,
    /// The stream stands still there.
    NotYet,
    /// The stream goes on.
    GoOn,
}

struct Coordinator {
    reader: RelayReader,
    /// Reads the rows of a prepared XA transaction that is being committed.
    replay: Option<RelayReader>,
    router: Router,
    target: Arc<dyn Target>,
    context: LaneContext,
    copier: Copier,
    until: Arc<OnceLock<Position>>,
    at_until: AtUntil,
    /// When `until` was reached with tables that wait.
    until_since: Option<Instant>,
    state: Arc<ApplierState>,
    watermark: Option<Position>,
    advanced: Option<Position>,
    last_duties: Instant,
    /// Whether the open transaction is published.
    shows_open: bool,
}

/// Applies from the relay log until told to stop, `until` is reached, or something fails.
///
/// # Errors
/// The first error of the coordinator or any lane. What was whole then is committed or rolled back, and comes again in
/// the next run.
pub fn run(run: Run) -> Result<Ended> {
    let lanes = Lanes::open(
        run.target.clone(),
        run.context.clone(),
        run.roster,
        run.from.at.clone(),
    )?;
    let from_position = run.from.at.position.clone();
    run.reader.release(run.from.needed_from());
    let flavor = run.reader.format().flavor;
    let filter = Filter::new(&run.filter, flavor, run.context.source.clone());
    let mut coordinator = Coordinator {
        router: Router::new(
            lanes,
            filter,
            run.from,
            run.reader.format().clone(),
            run.cut_short,
            run.context.on_table_error,
        ),
        copier: Copier::new(
            run.snapshots,
            run.context.resyncs.clone(),
            run.context.quarantine.clone(),
            run.context.stop.clone(),
        ),
        reader: run.reader,
        replay: None,
        target: run.target,
        context: run.context,
        until: run.until,
        at_until: run.at_until,
        until_since: None,
        state: run.state,
        watermark: Some(from_position),
        advanced: None,
        last_duties: Instant::now(),
        shows_open: false,
    };
    coordinator.publish_parked();
    let outcome = coordinator.work();
    coordinator.end(outcome)
}

impl Coordinator {
    fn work(&mut self) -> Result<Ended> {
        loop {
            if self.context.stop.is_requested() {
                return Ok(Ended::Stopped);
            }
            if !self.router.in_group() && self.is_until_reached()? {
                match self.settle()? {
                    Settled::Yes => return Ok(Ended::Until),
                    Settled::NotYet => continue,
                    Settled::GoOn => {}
                }
            }
            if self.last_duties.elapsed() >= self.duties_interval() {
                self.duties()?;
            }
            if !self.router.in_group() && self.copier.has_work() {
                let is_near = self.reader.is_near_end(RESYNC_BEHIND_BYTES_MAX);
                self.copier.turn(&mut self.router, is_near)?;
            }
            self.step()?;
        }
    }

    fn step(&mut self) -> Result<()> {
        if self.router.to_replay().is_some() {
            self.replay_step()
        } else {
            self.read_step()
        }
    }

    fn read_step(&mut self) -> Result<()> {
        let hurry = self.reader.is_room_wanted();
        self.context.hurry.store(hurry, AtomicOrdering::Relaxed);
        let Some(event) = self.reader.next_event()? else {
            return self.caught_up();
        };
        self.context.behind.store(true, AtomicOrdering::Release);
        self.router
            .event(&event)
            .map_err(|error| error.at_pos(event.file.clone(), event.start))?;
        self.publish();
        Ok(())
    }

    /// The rows of a prepared XA transaction go to the lanes, one event at a time, so that a stop is heard between them.
    fn replay_step(&mut self) -> Result<()> {
        let reader = match (&mut self.replay, self.router.to_replay()) {
            (Some(reader), _) => reader,
            (None, Some(xa)) => self.replay.insert(
                self.reader
                    .range(&xa.start, xa.end)
                    .map_err(|error| no_rows(error, xa))?,
            ),
            (None, None) => return Ok(()),
        };
        if !self.router.replay(reader)? {
            self.replay = None;
            self.publish();
        }
        Ok(())
    }

    fn publish(&mut self) {
        if let Some((start, timestamp)) = self.router.open_group() {
            if !self.shows_open {
                self.state.set_open(start.clone(), timestamp);
                self.shows_open = true;
            }
            self.state.set_open_read(self.reader.position().offset);
            return;
        }
        self.shows_open = false;
        let (passed_over, left_out) = (self.router.passed_over(), self.router.left_out());
        self.state
            .set_read(self.router.checkpoint(), passed_over, left_out);
        self.publish_parked();
    }

    fn publish_parked(&mut self) {
        let (count, oldest) = self.router.parked().summary();
        self.state.set_parked(count, oldest);
    }

    /// Everything durable in the relay log is read: let the lanes commit, and wait for more.
    fn caught_up(&mut self) -> Result<()> {
        self.router.lanes().flush_all()?;
        self.context.behind.store(false, AtomicOrdering::Release);
        let done = self.router.lanes().are_idle();
        self.state.set_caught_up(self.reader.position(), done);
        let wait = match self.copier.is_ready() {
            true => Duration::ZERO,
            false => RELAY_WAIT,
        };
        self.reader.wait(wait);
        Ok(())
    }

    fn is_until_reached(&self) -> Result<bool> {
        let Some(until) = self.until.get() else {
            return Ok(false);
        };
        let next = self.reader.position();
        match next.order(until) {
            Some(order) => Ok(order != Ordering::Less),
            None => Err(Error::new(
                ErrorKind::Config,
                format!(
                    "the source's files are called as in {next}: there is no {until} to stop at"
                ),
            )),
        }
    }

    /// At `until`: reads the tables that wait to be read afresh, unless something is known to stand in their way.
    fn settle(&mut self) -> Result<Settled> {
        if self.at_until == AtUntil::Leave {
            return Ok(Settled::Yes);
        }
        let since = *self.until_since.get_or_insert_with(Instant::now);
        if since.elapsed() >= UNTIL_RESYNC_MAX {
            return Ok(Settled::Yes);
        }
        let goes_on = self.at_until == AtUntil::ReadBeyond;
        if goes_on && self.context.resyncs.is_any_hopeful() {
            // The lanes commit in their own time.
            return Ok(Settled::GoOn);
        }
        self.router.lanes().flush_all()?;
        let is_idle = self.router.lanes().are_idle();
        // Asked once more: what the lanes have just done may have set a table aside.
        if is_idle && !self.context.resyncs.is_any_hopeful() {
            return Ok(Settled::Yes);
        }
        if goes_on {
            return Ok(Settled::GoOn);
        }
        if is_idle && self.copier.has_work() {
            if !self.reader.is_near_end(RESYNC_BEHIND_BYTES_MAX) {
                return Ok(Settled::Yes);
            }
            self.copier.turn(&mut self.router, true)?;
            let until = self.until.get();
            if until.is_some_and(|until| self.copier.is_beyond(until)) {
                return Ok(Settled::Yes);
            }
        }
        std::thread::sleep(UNTIL_POLL);
        Ok(Settled::NotYet)
    }

    /// With many databases, moving every checkpoint costs as many fsyncs: less often then. At once while receiving waits
    /// for it.
    fn duties_interval(&mut self) -> Duration {
        if self.reader.is_room_wanted() {
            return RELAY_WAIT;
        }
        let lanes = u32::try_from(self.router.lanes().count()).unwrap_or(u32::MAX);
        WATERMARK_INTERVAL.saturating_mul(1 + lanes / 16)
    }

    fn duties(&mut self) -> Result<()> {
        self.last_duties = Instant::now();
        self.store_watermark()?;
        // Also within a group: with one large transaction after the other the watermark would never move else.
        self.advance_all()
    }

    /// Moves the checkpoints of idle databases, and makes everything durable.
    fn advance_all(&mut self) -> Result<()> {
        let at = self.router.checkpoint();
        if self.advanced.as_ref() == Some(&at.position) {
            return Ok(());
        }
        self.advanced = Some(at.position.clone());
        self.router.advance_all(&at)?;
        self.router.lanes().flush_all()
    }

    fn store_watermark(&mut self) -> Result<()> {
        let at = match self.router.lanes().durable() {
            Some(at) => at,
            // Without any database there is nothing to lose.
            None if self.router.lanes().count() == 0 && !self.router.in_group() => {
                Arc::new(self.router.checkpoint())
            }
            None => return Ok(()),
        };
        self.keep_watermark(&at)
    }

    fn keep_watermark(&mut self, at: &Checkpoint) -> Result<()> {
        let is_later = self
            .watermark
            .as_ref()
            .is_none_or(|known| known.order(&at.position) == Some(Ordering::Less));
        // After a restart lanes may be ahead of what was read again: what is parked there is not known yet.
        let read = self.router.checkpoint().position;
        if !is_later || at.position.order(&read) == Some(Ordering::Greater) {
            return Ok(());
        }
        failpoints::hit(failpoints::WATERMARK_BEFORE_STORE);
        let parked = self.router.parked();
        let watermark = Watermark {
            at: at.clone(),
            parked: parked.at(&at.position),
        };
        self.target.set_watermark(&watermark)?;
        parked.forget(&at.position);
        failpoints::hit(failpoints::WATERMARK_STORED);
        self.reader.release(watermark.needed_from());
        self.watermark = Some(at.position.clone());
        self.state.clear_error();
        let lanes = self.router.lanes();
        self.target
            .purge_dropped(at, &|database| lanes.is_open(database))
    }

    /// Ends the lanes; the first error of all wins.
    fn end(mut self, outcome: Result<Ended>) -> Result<Ended> {
        let error = match outcome.and_then(|ended| self.end_orderly().map(|()| ended)) {
            Ok(ended) => return Ok(ended),
            Err(error) => error,
        };
        self.context.stop.fail(error);
        self.state.set_interrupted(self.router.lanes().oldest());
        self.router.lanes().abort();
        if let Err(error) = self.router.lanes().close_all() {
            self.context.stop.fail(error);
        }
        self.context
            .stop
            .take_error()
            .map_or(Ok(Ended::Stopped), Err)
    }

    fn end_orderly(&mut self) -> Result<()> {
        if !self.router.in_group() {
            self.advance_all()?;
        }
        let at = self.router.checkpoint();
        let in_group = self.router.in_group();
        self.router.lanes().close_all()?;
        if self.context.stop.is_failed() {
            return Err(Error::new(ErrorKind::Stopped, "a lane failed"));
        }
        if !in_group {
            self.keep_watermark(&at)?;
        }
        Ok(())
    }
}

fn no_rows(error: Error, xa: &ParkedXa) -> Error {
    let what = format!(
        "the rows of the prepared XA transaction {} cannot be read from the relay log any more, and it is to be committed",
        xa.id.readable()
    );
    Error::new(error.kind(), what)
        .at_pos(xa.start.file.clone(), xa.start.offset)
        .with_source(error)
}
