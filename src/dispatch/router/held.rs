//! Rows that are held until it is known whether they count, and are then read once more.
//!
//! **XA.** A group that begins as XA goes to no lane. When XA PREPARE ends it, only its place in the relay log is kept
//! ([`Parked`]). XA COMMIT makes a group of its own: the rows are read from that place by a second reader, as a stream, and
//! go to the lanes under the start, the end and the GTID of the *committing* group. So whatever holds for other groups
//! holds for it: a lane that has it already skips it, its rows and its checkpoint are one commit, and a crash in the middle
//! of it leaves nothing. `XA COMMIT … ONE PHASE` (MySQL) is told from XA PREPARE by the last event only, so its rows are
//! read twice too. MariaDB writes an ordinary transaction for it.
//!
//! **What the source undid.** MariaDB may log rows and then ROLLBACK, or ROLLBACK TO a savepoint (see
//! [`group`](crate::dispatch::group)). Lanes that have such rows, and nothing merged before them, drop them. Else, and for
//! a part of a transaction, the run begins again and holds this group until its end is known.

use std::mem;

use super::{Router, Step, set_aside, unsupported};
use crate::binlog::kind;
use crate::binlog::position::Position;
use crate::binlog::xa_id::XaId;
use crate::checkpoint::parked::{HeldRows, Parked, ParkedXa};
use crate::decode::mariadb;
use crate::decode::payload::Payload;
use crate::decode::xa::XaPrepare;
use crate::dispatch::batch::Item;
use crate::dispatch::group::{Delivery, Replay};
use crate::error::{Error, ErrorKind, Result};
use crate::relay::reader::RelayReader;

impl Router {
    /// XA transactions that are prepared and not decided.
    pub fn parked(&mut self) -> &mut Parked {
        &mut self.parked
    }

    /// The rows that are to be [`replayed`](Self::replay) before the next event.
    pub fn to_replay(&self) -> Option<&HeldRows> {
        match &self.group.delivery {
            Delivery::Replaying(replay) => Some(&replay.rows),
            Delivery::AtOnce | Delivery::AfterPrepare | Delivery::AfterEnd => None,
        }
    }

    /// Takes the next event of what [`to_replay`](Self::to_replay) says, from a reader that ends with it. False when that
    /// was all, and the group is committed.
    ///
    /// # Errors
    /// As for other rows; `Corrupt` when the relay log does not hold the transaction there.
    pub fn replay(&mut self, reader: &mut RelayReader) -> Result<bool> {
        let file = reader.file_name().clone();
        if *reader.format() != *self.format {
            self.format = reader.format().clone().into();
        }
        let Some(event) = reader.next_event()? else {
            return self.replayed(&reader.position()).map(|()| false);
        };
        let start = event.start;
        self.replay_step(Step::of(&event, &file))
            .map_err(|error| error.at_pos(file.clone(), start))?;
        Ok(true)
    }

    /// Only rows count: what begins, marks and ends the group was understood when it was met first.
    fn replay_step(&mut self, step: Step<'_>) -> Result<()> {
        if self
            .to_replay()
            .is_some_and(|rows| rows.is_undone(step.start))
        {
            return Ok(());
        }
        match step.kind {
            kind::TABLE_MAP => self.table_map(step),
            kind::WRITE_ROWS_V1..=kind::DELETE_ROWS_V1
            | kind::WRITE_ROWS_V2..=kind::DELETE_ROWS_V2
            | kind::PARTIAL_UPDATE_ROWS => self.rows(step),
            kind::TRANSACTION_PAYLOAD => {
                let mut events = Payload::parse(step.body)?.reader()?;
                while let Some((header, body)) = events.next_event()? {
                    self.replay_step(step.inner(&header, body))?;
                }
                Ok(())
            }
            kind::MARIADB_QUERY_COMPRESSED..=kind::MARIADB_DELETE_ROWS_COMPRESSED => {
                let mut scratch = Vec::new();
                let (kind, body) =
                    mariadb::plain(step.kind, step.body, &self.format, &mut scratch)?;
                self.replay_step(Step { kind, body, ..step })
            }
            kind::XA_PREPARE => {
                let met = XaPrepare::parse(step.body)?.id;
                if let Delivery::Replaying(replay) = &mut self.group.delivery {
                    replay.is_whole = replay.xid.as_ref() == Some(&met);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// All rows are with the lanes: they commit.
    fn replayed(&mut self, read_to: &Position) -> Result<()> {
        let Delivery::Replaying(replay) = mem::take(&mut self.group.delivery) else {
            return Err(Error::new(
                ErrorKind::Internal,
                "there is nothing to replay",
            ));
        };
        let is_whole = replay.is_whole || replay.xid.is_none();
        if !is_whole || *read_to != replay.rows.end_position() {
            let start = replay.rows.start;
            let what = "the relay log does not hold a transaction any more where it was received";
            return Err(Error::corrupt(what).at_pos(start.file, start.offset));
        }
        self.format = replay.format;
        let (start, end) = replay.commit;
        self.end_group(Step {
            kind: kind::QUERY,
            flags: 0,
            server_id: 0,
            timestamp: self.group.timestamp,
            body: &[],
            file: &end.file,
            start,
            end: end.offset,
        })
    }

    /// XID or COMMIT.
    pub(super) fn commit(&mut self, step: Step<'_>) -> Result<()> {
        match self.group.delivery {
            Delivery::AtOnce | Delivery::Replaying(_) => self.end_group(step),
            Delivery::AfterPrepare => Err(Error::corrupt(
                "a group that began as an XA transaction ends without XA PREPARE",
            )),
            Delivery::AfterEnd => {
                let rows = self.held_rows(step)?;
                self.replay_or_end(step, rows, None)
            }
        }
    }

    /// ROLLBACK: no row of the group counts.
    pub(super) fn rollback(&mut self, step: Step<'_>) -> Result<()> {
        if let Some(start) = &self.group.start {
            for lane in self.group.lanes.drain(..) {
                self.lanes.push(lane, Item::Rollback(start.clone()))?;
            }
        }
        self.end_group(step)
    }

    /// SAVEPOINT; one of the same name moves.
    pub(super) fn savepoint(&mut self, step: Step<'_>, name: &str) {
        let name = name.to_lowercase();
        self.group.savepoints.retain(|(known, _)| *known != name);
        self.group.savepoints.push((name, step.end));
    }

    /// ROLLBACK TO: no row since the savepoint counts. One that was not logged stood before all rows.
    pub(super) fn rollback_to(&mut self, step: Step<'_>, name: &str) -> Result<()> {
        let Some(start) = self.group.start.clone() else {
            return Ok(());
        };
        if !self.group.lanes.is_empty() {
            return Err(set_aside(
                start,
                "the source rolled this transaction back to a savepoint",
            ));
        }
        let name = name.to_lowercase();
        let known = self.group.savepoints.iter();
        let from = match known.clone().position(|(known, _)| *known == name) {
            Some(at) => {
                self.group.savepoints.truncate(at + 1);
                self.group.savepoints.last().map_or(0, |(_, from)| *from)
            }
            None => start.offset,
        };
        if from > step.start {
            return Err(unsupported(
                "ROLLBACK TO a savepoint within a compressed transaction",
            ));
        }
        self.group.undone.push((from, step.start));
        Ok(())
    }

    /// The group so far, for later.
    fn held_rows(&mut self, step: Step<'_>) -> Result<HeldRows> {
        if self.group.holds_ddl {
            return Err(unsupported(
                "a definition changes in a transaction that is prepared, or partly rolled back",
            ));
        }
        let Some(start) = self.group.start.clone() else {
            return Err(Error::new(ErrorKind::Internal, "a group without a start"));
        };
        Ok(HeldRows {
            start,
            end: step.end,
            undone: mem::take(&mut self.group.undone),
        })
    }

    /// XA PREPARE ends a group that waits, XA COMMIT … ONE PHASE one that does not.
    pub(super) fn xa_prepare(&mut self, step: Step<'_>) -> Result<()> {
        if self.group.delivery != Delivery::AfterPrepare {
            return Err(Error::corrupt(
                "XA PREPARE ends a group that did not begin as an XA transaction",
            ));
        }
        let prepare = XaPrepare::parse(step.body)?;
        let rows = self.held_rows(step)?;
        if prepare.one_phase {
            return self.replay_or_end(step, rows, Some(prepare.id));
        }
        let lost = self.parked.park(ParkedXa {
            id: prepare.id,
            rows,
            timestamp: self.group.timestamp,
        });
        if let Some(lost) = lost {
            tracing::warn!(xid = %lost.id, prepared_at = %lost.rows.start, "prepared again without a decision; the older one is dropped");
        }
        self.end_group(step)
    }

    /// XA COMMIT: a group of its own.
    pub(super) fn xa_commit(&mut self, step: Step<'_>, id: &XaId) -> Result<()> {
        self.mark_start(step);
        let end = step.end_position();
        match self.parked.decide(id, end.clone()) {
            Some(xa) => self.replay_or_end(step, xa.rows, Some(xa.id)),
            None if self.group.is_known => self.end_group(step),
            None => Err(never_prepared(id, &end)),
        }
    }

    /// XA ROLLBACK: a group of its own. That nothing of the transaction is known does not matter.
    pub(super) fn xa_rollback(&mut self, step: Step<'_>, id: &XaId) -> Result<()> {
        self.parked.decide(id, step.end_position());
        self.end_group(step)
    }

    /// The group commits these rows; nothing is to be done when it was executed before the start.
    fn replay_or_end(&mut self, step: Step<'_>, rows: HeldRows, xid: Option<XaId>) -> Result<()> {
        if self.group.is_known {
            return self.end_group(step);
        }
        self.begin(step);
        self.group.routes.clear();
        self.group.delivery = Delivery::Replaying(Replay {
            rows,
            xid,
            is_whole: false,
            commit: (step.start, step.end_position()),
            format: self.format.clone(),
        });
        Ok(())
    }
}

fn never_prepared(id: &XaId, end: &Position) -> Error {
    unsupported(&format!(
        "XA COMMIT of {}, whose XA PREPARE was never received: its rows are not known here (replication was started, or \
         moved on, between the two); copy the tables that it changed afresh and start behind it, or give up its rows with \
         --skip-to {end}",
        id.readable()
    ))
}
