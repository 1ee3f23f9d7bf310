//! The coordinator's part of reading a table afresh: asks the source for chunks, and takes each in where the stream stands at
//! the chunk's position.
//!
//! ```text
//! idle ─begin─▶ asked ─Chunk─▶ ahead ─the stream gets there─▶ rows to the lane ─End─▶ idle
//!   ▲             └─Busy─▶ a pause, in which the stream goes on ─┐
//!   └────────────────────────────────────────────────────────────┘
//! ```
//!
//! # When the stream stands still
//! A chunk is of use only where the stream stands exactly at its position, and the source names it only once it has it. So nothing
//! is read from the relay log between the question and the answer. Then the stream goes on up to the position, and stands still again while
//! the chunk's rows come.
//!
//! # Threading
//! Belongs to the coordinator's thread. The reading itself goes on beside it.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::batch::{CopyFailure, CopyStep};
use super::quarantine::{Quarantine, TableId};
use super::resync::{Copy, ResyncQueue};
use super::router::Router;
use super::stop::StopFlag;
use crate::binlog::position::Position;
use crate::config::limits::{
    RELAY_WAIT, RESYNC_REST_FACTOR, RESYNC_REST_MAX, RESYNC_REST_MIN, RESYNC_RETRY,
    SNAPSHOT_LOCK_RETRY,
};
use crate::error::{Error, ErrorKind, Result, Retry};
use crate::schema::table::Table;
use crate::snapshot::{SnapshotSource, Step, TableSnapshot};

/// Copies tables, one after the other.
pub struct Copier {
    source: Arc<dyn SnapshotSource>,
    resyncs: Arc<ResyncQueue>,
    quarantine: Arc<Quarantine>,
    stop: Arc<StopFlag>,
    active: Option<Active>,
    not_before: Option<Instant>,
    rests: Rests,
}

struct Active {
    copy: Arc<Copy>,
    since: Instant,
    snapshot: Box<dyn TableSnapshot>,
    phase: Phase,
}

enum Phase {
    Idle {
        not_before: Option<Instant>,
    },
    Ahead {
        at: Position,
        table: Arc<Table>,
        is_first: bool,
    },
}

/// What stopped a copy: the source, or our own side.
enum Trouble {
    Source(Error),
    Own(Error),
}

impl Copier {
    /// Copies from `source` what `resyncs` asks for.
    pub fn new(
        source: Arc<dyn SnapshotSource>,
        resyncs: Arc<ResyncQueue>,
        quarantine: Arc<Quarantine>,
        stop: Arc<StopFlag>,
    ) -> Self {
        Self {
            source,
            resyncs,
            quarantine,
            stop,
            active: None,
            not_before: None,
            rests: Rests::default(),
        }
    }

    /// Whether [`Self::turn`] may have something to do.
    pub fn has_work(&self) -> bool {
        self.active.is_some() || self.resyncs.next().is_some()
    }

    /// Whether it would begin a chunk now.
    pub fn is_ready(&self) -> bool {
        self.active
            .as_ref()
            .is_some_and(|active| matches!(active.phase, Phase::Idle { not_before: None }))
    }

    /// Whether it waits for the stream to get beyond a position.
    pub fn is_beyond(&self, position: &Position) -> bool {
        let Some(Phase::Ahead { at, .. }) = self.active.as_ref().map(|active| &active.phase) else {
            return false;
        };
        at.order(position) != Some(Ordering::Less) && at != position
    }

    /// Does what can be done where the stream stands now, between two groups. `is_near` says that it is close behind what is
    /// received.
    ///
    /// # Errors
    /// Those of the lanes. What the source has against it is kept for `status`.
    pub fn turn(&mut self, router: &mut Router, is_near: bool) -> Result<()> {
        if self
            .active
            .as_ref()
            .is_some_and(|active| active.copy.has_ended())
        {
            // The lane has finished it, or has given it up and asked for another.
            self.ended();
        }
        if self.active.is_none() && is_near {
            self.open(router)?;
        }
        let Some(active) = &mut self.active else {
            return Ok(());
        };
        match active.advance(router, is_near, &self.resyncs, &self.stop) {
            Ok(true) => {
                self.ended();
                Ok(())
            }
            Ok(false) => Ok(()),
            Err(Trouble::Own(error)) => Err(error),
            Err(Trouble::Source(error)) => self.failed(router, &error),
        }
    }

    fn ended(&mut self) {
        if let Some(active) = self.active.take() {
            self.rests.after(&active.copy.id, active.since.elapsed());
        }
    }

    fn open(&mut self, router: &mut Router) -> Result<()> {
        if self
            .not_before
            .is_some_and(|instant| Instant::now() < instant)
        {
            return Ok(());
        }
        self.not_before = None;
        self.rests.forget_over();
        let Some(id) = self.resyncs.next_but(|id| self.rests.has(id)) else {
            return Ok(());
        };
        let copy = Copy::new(id);
        match self.source.open(&copy.id.database, &copy.id.table) {
            Ok(snapshot) => {
                self.active = Some(Active {
                    copy,
                    since: Instant::now(),
                    snapshot,
                    phase: Phase::Idle { not_before: None },
                });
                Ok(())
            }
            Err(error) => self.give_up(router, &copy, &error),
        }
    }

    fn failed(&mut self, router: &mut Router, error: &Error) -> Result<()> {
        match self.active.take() {
            Some(active) => self.give_up(router, &active.copy, error),
            None => Ok(()),
        }
    }

    /// The copy ends here. It is tried again when that may help: the source was away, a grant is missing; or the table is set
    /// aside and has another name by now, which the stream will tell.
    fn give_up(&mut self, router: &mut Router, copy: &Arc<Copy>, error: &Error) -> Result<()> {
        if copy.has_ended() {
            // By the lane, which has asked for another where one is wanted.
            return Ok(());
        }
        copy.fail();
        let is_aside = self.quarantine.mark(&copy.id).is_some();
        let again = match error.kind() {
            ErrorKind::Schema => is_aside,
            kind => kind.retry() != Retry::Never,
        };
        let text = error.full_text();
        if again {
            self.not_before = Some(Instant::now() + RESYNC_RETRY);
            if self.resyncs.put_back(copy, &text) {
                tracing::warn!(table = %copy.id, errno = error.errno(), error = text, "the table cannot be read yet");
            }
        } else {
            self.resyncs.fail(&copy.id, &text);
            tracing::error!(table = %copy.id, errno = error.errno(), error = text, "the table cannot be read afresh");
        }
        // The lane may have the beginning in its queue still, and set a sound table aside for it.
        if is_aside || router.lanes().is_open(&copy.id.database) {
            let lane = router.lanes().lane(&copy.id.database)?;
            let failure = CopyStep::Failed(CopyFailure { again });
            router.lanes().push_copy(lane, copy, failure)?;
        }
        Ok(())
    }
}

/// Tables that were read a moment ago. One whose changes only the source can tell is wanted again at each of them; the source is
/// not read without a pause for it.
#[derive(Default)]
struct Rests(HashMap<TableId, Instant>);

impl Rests {
    /// A copy of the table has ended that `took` so long.
    fn after(&mut self, id: &TableId, took: Duration) {
        let rest = took.saturating_mul(RESYNC_REST_FACTOR);
        let rest = rest.clamp(RESYNC_REST_MIN, RESYNC_REST_MAX);
        self.0.insert(id.clone(), Instant::now() + rest);
    }

    fn has(&self, id: &TableId) -> bool {
        self.0.contains_key(id)
    }

    fn forget_over(&mut self) {
        let now = Instant::now();
        self.0.retain(|_, until| *until > now);
    }
}

impl Active {
    /// Goes on as far as the stream's position allows; true when the copy is complete.
    fn advance(
        &mut self,
        router: &mut Router,
        is_near: bool,
        resyncs: &ResyncQueue,
        stop: &StopFlag,
    ) -> Result<bool, Trouble> {
        if let Phase::Idle { not_before } = self.phase
            && is_near
            && not_before.is_none_or(|instant| instant <= Instant::now())
        {
            self.snapshot.begin();
            self.await_chunk(stop)?;
        }
        match &self.phase {
            Phase::Ahead { at, .. } if router.position().order(at) != Some(Ordering::Less) => {
                self.arrived(router, resyncs, stop)
            }
            _ => Ok(false),
        }
    }

    fn await_chunk(&mut self, stop: &StopFlag) -> Result<(), Trouble> {
        while !stop.is_requested() {
            let step = self.snapshot.next(RELAY_WAIT).map_err(Trouble::Source)?;
            self.phase = match step {
                Some(Step::Chunk {
                    at,
                    table,
                    is_first,
                }) => Phase::Ahead {
                    at,
                    table: Arc::new(table),
                    is_first,
                },
                Some(Step::Busy) => Phase::Idle {
                    not_before: Some(Instant::now() + SNAPSHOT_LOCK_RETRY),
                },
                Some(_) => return Err(Trouble::Own(out_of_order())),
                None => continue,
            };
            break;
        }
        Ok(())
    }

    /// The stream has come to the chunk's position.
    fn arrived(
        &mut self,
        router: &mut Router,
        resyncs: &ResyncQueue,
        stop: &StopFlag,
    ) -> Result<bool, Trouble> {
        let Phase::Ahead {
            at,
            table,
            is_first,
        } = std::mem::replace(&mut self.phase, Phase::Idle { not_before: None })
        else {
            return Ok(false);
        };
        let lane = router
            .lanes()
            .lane(&self.copy.id.database)
            .map_err(Trouble::Own)?;
        // Behind the position there may stand events that belong to no transaction, no more. A source that went back, after
        // a crash or a restored backup, names such a position.
        let is_past = router.last_end().order(&at) == Some(Ordering::Greater)
            || router.lanes().has(lane, &at).map_err(Trouble::Own)?;
        if is_past {
            return Err(Trouble::Source(Error::new(
                ErrorKind::Network,
                format!("the source stands at {at}, which is behind what was applied"),
            )));
        }
        let step = if is_first {
            let at = Arc::new(router.checkpoint());
            CopyStep::Begin { table, at }
        } else {
            CopyStep::Next { table }
        };
        let lanes = router.lanes();
        lanes
            .push_copy(lane, &self.copy, step)
            .map_err(Trouble::Own)?;
        self.rows(router, lane, resyncs, stop)
    }

    /// Hands the chunk's rows to the lane. Nothing is read from the relay log meanwhile.
    fn rows(
        &mut self,
        router: &mut Router,
        lane: usize,
        resyncs: &ResyncQueue,
        stop: &StopFlag,
    ) -> Result<bool, Trouble> {
        let at = Arc::new(router.checkpoint());
        loop {
            if stop.is_requested() {
                // The copy begins anew at the next start.
                return Ok(false);
            }
            let step = self.snapshot.next(RELAY_WAIT).map_err(Trouble::Source)?;
            let (step, is_last) = match step {
                Some(Step::Rows(rows)) => (
                    CopyStep::Rows {
                        rows,
                        at: at.clone(),
                    },
                    None,
                ),
                Some(Step::End {
                    is_last,
                    rows,
                    rows_estimate,
                }) => {
                    resyncs.set_copying(&self.copy, rows, rows_estimate);
                    let at = at.clone();
                    (CopyStep::End { is_last, at }, Some(is_last))
                }
                Some(Step::Chunk { .. } | Step::Busy) => {
                    return Err(Trouble::Own(out_of_order()));
                }
                None => continue,
            };
            let lanes = router.lanes();
            lanes
                .push_copy(lane, &self.copy, step)
                .map_err(Trouble::Own)?;
            if let Some(is_last) = is_last {
                lanes.flush(lane).map_err(Trouble::Own)?;
                return Ok(is_last);
            }
        }
    }
}

fn out_of_order() -> Error {
    Error::new(
        ErrorKind::Internal,
        "a snapshot's steps came in another order than promised",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_rests_after_its_copy_and_others_do_not() {
        let table = |name: &str| TableId {
            database: "d".into(),
            table: name.into(),
        };
        let (queue, mut rests) = (ResyncQueue::default(), Rests::default());
        queue.request(&table("busy")).unwrap();
        queue.request(&table("other")).unwrap();
        rests.after(&table("busy"), Duration::from_secs(100));
        rests.forget_over();
        assert_eq!(queue.next(), Some(table("busy")));
        assert_eq!(queue.next_but(|id| rests.has(id)), Some(table("other")));
        let rest = |took| {
            let mut rests = Rests::default();
            rests.after(&table("t"), took);
            let until = rests.0[&table("t")];
            let rest = until - Instant::now();
            (rest + Duration::from_millis(100)).as_millis() / 500
        };
        assert_eq!(rest(Duration::ZERO), 1);
        assert_eq!(rest(Duration::from_secs(10)), 20);
        assert_eq!(rest(Duration::from_secs(100_000)), 120);
    }
}
