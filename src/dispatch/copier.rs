//! The coordinator's part of reading a table afresh: asks the source for chunks, and takes each in where the stream stands at
//! the chunk's position.
//!
//! ```text
//! idle ─begin─▶ asked ─Chunk─▶ ahead ─the stream gets there─▶ rows to the lane ─End─▶ idle
//!                 └─ too late, the stream is past it ─▶ draining ─End─▶ idle
//! ```
//!
//! # Why the stream stands still
//! A chunk is of use only where the stream stands exactly at its position, and the source names it only once it has it. So nothing
//! is read from the relay log between the question and the answer, for [`RESYNC_CHUNK_WAIT`] at most: the source may not get its
//! short lock at once. When the answer comes later, the stream has gone on; if it is past the chunk's position, the chunk's rows
//! are read and thrown away, and another is asked for. The stream goes on until it is at the position, and
//! stands still again while the chunk's rows come.
//!
//! # Threading
//! Belongs to the coordinator's thread. The reading itself goes on beside it.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::batch::{CopyFailure, CopyStep};
use super::quarantine::Quarantine;
use super::resync::{Copy, ResyncQueue};
use super::router::Router;
use super::stop::StopFlag;
use crate::binlog::position::Position;
use crate::config::limits::{RELAY_WAIT, RESYNC_CHUNK_WAIT, RESYNC_PIECE_WAIT, RESYNC_RETRY};
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
}

struct Active {
    copy: Arc<Copy>,
    snapshot: Box<dyn TableSnapshot>,
    phase: Phase,
    /// The lane has begun it.
    begun: bool,
}

enum Phase {
    Idle,
    Asked,
    Ahead {
        at: Position,
        table: Arc<Table>,
        is_first: bool,
    },
    Draining,
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
        }
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
            self.active = None;
        }
        if self.active.is_none() && is_near {
            self.open(router)?;
        }
        let Some(active) = &mut self.active else {
            return Ok(());
        };
        match active.advance(router, is_near, &self.resyncs, &self.stop) {
            Ok(true) => {
                self.active = None;
                Ok(())
            }
            Ok(false) => Ok(()),
            Err(Trouble::Own(error)) => Err(error),
            Err(Trouble::Source(error)) => self.failed(router, &error),
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
        let Some(id) = self.resyncs.next() else {
            return Ok(());
        };
        let copy = Copy::new(id);
        match self.source.open(&copy.id.database, &copy.id.table) {
            Ok(snapshot) => {
                self.active = Some(Active {
                    copy,
                    snapshot,
                    phase: Phase::Idle,
                    begun: false,
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
        let is_aside = self.quarantine.mark(&copy.id).is_some();
        let again = match error.kind() {
            ErrorKind::Schema => is_aside,
            kind => kind.retry() != Retry::Never,
        };
        let text = error.full_text();
        if again {
            self.not_before = Some(Instant::now() + RESYNC_RETRY);
            if self.resyncs.put_back(&copy.id, &text) {
                tracing::warn!(table = %copy.id, errno = error.errno(), error = text, "the table cannot be read yet");
            }
        } else {
            self.resyncs.fail(&copy.id, &text);
            tracing::error!(table = %copy.id, errno = error.errno(), error = text, "the table cannot be read afresh");
        }
        if is_aside && !copy.has_ended() {
            let lane = router.lanes().lane(&copy.id.database)?;
            let failure = CopyStep::Failed(CopyFailure { again });
            router.lanes().push_copy(lane, copy, failure)?;
        }
        Ok(())
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
        if matches!(self.phase, Phase::Idle) && is_near {
            self.snapshot.begin();
            self.phase = Phase::Asked;
            self.await_chunk(RESYNC_CHUNK_WAIT, stop)?;
        }
        if matches!(self.phase, Phase::Asked) {
            self.await_chunk(Duration::ZERO, stop)?;
        }
        if let Phase::Ahead { at, .. } = &self.phase
            && router.position().order(at) != Some(Ordering::Less)
        {
            return self.arrived(router, resyncs, stop);
        }
        if matches!(self.phase, Phase::Draining) {
            self.drain()?;
        }
        Ok(false)
    }

    fn await_chunk(&mut self, wait: Duration, stop: &StopFlag) -> Result<(), Trouble> {
        let until = Instant::now() + wait;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let step = self.snapshot.next(left.min(RELAY_WAIT));
            match step.map_err(Trouble::Source)? {
                Some(Step::Chunk {
                    at,
                    table,
                    is_first,
                }) => {
                    self.phase = Phase::Ahead {
                        at,
                        table: Arc::new(table),
                        is_first,
                    };
                    return Ok(());
                }
                Some(_) => return Err(Trouble::Own(out_of_order())),
                None if left.is_zero() || stop.is_requested() => return Ok(()),
                None => {}
            }
        }
    }

    /// The stream has come to the chunk's position, or is past it.
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
        } = std::mem::replace(&mut self.phase, Phase::Draining)
        else {
            return Ok(false);
        };
        // Behind the position there may stand events that belong to no transaction, no more.
        if router.last_end().order(&at) == Some(Ordering::Greater) {
            return Ok(false);
        }
        let lane = router
            .lanes()
            .lane(&self.copy.id.database)
            .map_err(Trouble::Own)?;
        if router.lanes().has(lane, &at).map_err(Trouble::Own)? {
            return Ok(false);
        }
        let step = if is_first {
            let at = Arc::new(router.checkpoint());
            CopyStep::Begin { table, at }
        } else {
            CopyStep::Next { table }
        };
        self.begun = true;
        let lanes = router.lanes();
        lanes
            .push_copy(lane, &self.copy, step)
            .map_err(Trouble::Own)?;
        let ended = self.rows(router, lane, resyncs, stop)?;
        self.phase = Phase::Idle;
        Ok(ended)
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
        let mut waiting_since = Instant::now();
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
                    resyncs.set_copying(&self.copy.id, rows, rows_estimate);
                    let at = at.clone();
                    (CopyStep::End { is_last, at }, Some(is_last))
                }
                Some(Step::Chunk { .. }) => return Err(Trouble::Own(out_of_order())),
                None if waiting_since.elapsed() > RESYNC_PIECE_WAIT => {
                    return Err(Trouble::Source(Error::new(
                        ErrorKind::Network,
                        "the source gives no more rows of the table",
                    )));
                }
                None => continue,
            };
            waiting_since = Instant::now();
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

    /// Throws away what has come of a chunk that came too late.
    fn drain(&mut self) -> Result<(), Trouble> {
        while let Some(step) = self
            .snapshot
            .next(Duration::ZERO)
            .map_err(Trouble::Source)?
        {
            if matches!(step, Step::End { .. }) {
                self.phase = Phase::Idle;
                return Ok(());
            }
        }
        Ok(())
    }
}

fn out_of_order() -> Error {
    Error::new(
        ErrorKind::Internal,
        "a snapshot's steps came in another order than promised",
    )
}
