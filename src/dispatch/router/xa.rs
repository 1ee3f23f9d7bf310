//! XA transactions: rows that wait for a decision, and rows that are read once more when it has come.
//!
//! A group that begins as XA goes to no lane. When XA PREPARE ends it, only its place in the relay log is kept
//! ([`Parked`](crate::checkpoint::parked::Parked)). XA COMMIT makes a group of its own: the rows are read from that place
//! by a second reader, as a stream, and go to the lanes under the start, the end and the GTID of the *committing*
//! group. So whatever holds for other groups holds for it: a lane that has it already skips it, its rows and its
//! checkpoint are one commit, and a crash in the middle of it leaves nothing.
//!
//! `XA COMMIT … ONE PHASE` (MySQL) is told from XA PREPARE by the last event only, so its rows are read twice too.
//! MariaDB writes an ordinary transaction for it.

use std::mem;

use super::{Router, Step, unsupported};
use crate::binlog::kind;
use crate::binlog::position::Position;
use crate::binlog::xa_id::XaId;
use crate::checkpoint::parked::{Parked, ParkedXa};
use crate::decode::mariadb;
use crate::decode::payload::Payload;
use crate::decode::query::Query;
use crate::decode::xa::XaPrepare;
use crate::dispatch::group::{Replay, Xa};
use crate::dispatch::statement::{self, Meaning};
use crate::error::{Error, ErrorKind, Result};
use crate::relay::reader::RelayReader;

impl Router {
    /// XA transactions that are prepared and not decided.
    pub fn parked(&mut self) -> &mut Parked {
        &mut self.parked
    }

    /// The prepared transaction whose rows are to be [`replayed`](Self::replay) before the next event.
    pub fn to_replay(&self) -> Option<&ParkedXa> {
        match &self.group.xa {
            Xa::Replaying(replay) => Some(&replay.xa),
            Xa::No | Xa::Preparing => None,
        }
    }

    /// Takes the next event of what [`to_replay`](Self::to_replay) says, from a reader that ends with it. False when that
    /// was all, and the group is committed.
    ///
    /// # Errors
    /// As for other rows; `Corrupt` when the relay log does not hold the transaction there.
    pub fn replay(&mut self, reader: &mut RelayReader) -> Result<bool> {
        if *reader.format() != *self.format {
            self.format = reader.format().clone().into();
        }
        let Some(event) = reader.next_event()? else {
            return self.replayed(&reader.position()).map(|()| false);
        };
        self.replay_step(Step::of(&event))
            .map_err(|error| error.at_pos(event.file.clone(), event.start))?;
        Ok(true)
    }

    /// Only rows and savepoints count: what begins, marks and ends the prepared group was understood when it was met first.
    fn replay_step(&mut self, step: Step<'_>) -> Result<()> {
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
            kind::QUERY => {
                let query = Query::parse(step.body, step.timestamp)?;
                match statement::meaning(&query, &self.format)? {
                    Meaning::Savepoint(name) => self.savepoint(&name),
                    Meaning::RollbackTo(name) => self.rollback_to(&name),
                    _ => Ok(()),
                }
            }
            kind::XA_PREPARE => {
                let met = XaPrepare::parse(step.body)?.id;
                if let Xa::Replaying(replay) = &mut self.group.xa {
                    replay.is_whole = met == replay.xa.id;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// All rows are with the lanes: they commit.
    fn replayed(&mut self, read_to: &Position) -> Result<()> {
        let Xa::Replaying(replay) = mem::take(&mut self.group.xa) else {
            return Err(Error::new(
                ErrorKind::Internal,
                "there is nothing to replay",
            ));
        };
        if !replay.is_whole || *read_to != replay.xa.end_position() {
            let what = format!(
                "the relay log does not hold the prepared XA transaction {} where it was received",
                replay.xa.id
            );
            let start = replay.xa.start;
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

    /// XA PREPARE ends a group that waits, XA COMMIT … ONE PHASE one that does not.
    pub(super) fn xa_prepare(&mut self, step: Step<'_>) -> Result<()> {
        let prepare = XaPrepare::parse(step.body)?;
        let (Xa::Preparing, Some(start)) = (mem::take(&mut self.group.xa), &self.group.start)
        else {
            return Err(Error::corrupt(
                "XA PREPARE ends a group that did not begin as an XA transaction",
            ));
        };
        let xa = ParkedXa {
            id: prepare.id,
            start: start.clone(),
            end: step.end,
            timestamp: self.group.timestamp,
        };
        if !prepare.one_phase {
            if let Some(lost) = self.parked.park(xa) {
                tracing::warn!(xid = %lost.id, prepared_at = %lost.start, "prepared again without a decision; the older one is dropped");
            }
            return self.end_group(step);
        }
        if self.group.is_known {
            return self.end_group(step);
        }
        self.begin_replay(step, xa);
        Ok(())
    }

    /// XA COMMIT: a group of its own.
    pub(super) fn xa_commit(&mut self, step: Step<'_>, id: &XaId) -> Result<()> {
        self.mark_start(step);
        let end = Position {
            file: step.file.clone(),
            offset: step.end,
        };
        let xa = self.parked.decide(id, end.clone());
        if self.group.is_known {
            return self.end_group(step);
        }
        let xa = xa.ok_or_else(|| never_prepared(id, &end))?;
        self.begin_replay(step, xa);
        Ok(())
    }

    /// XA ROLLBACK: a group of its own. That nothing of the transaction is known does not matter.
    pub(super) fn xa_rollback(&mut self, step: Step<'_>, id: &XaId) -> Result<()> {
        let end = Position {
            file: step.file.clone(),
            offset: step.end,
        };
        self.parked.decide(id, end);
        self.end_group(step)
    }

    fn begin_replay(&mut self, step: Step<'_>, xa: ParkedXa) {
        let end = Position {
            file: step.file.clone(),
            offset: step.end,
        };
        self.begin(step);
        self.group.routes.clear();
        self.group.xa = Xa::Replaying(Replay {
            xa,
            commit: (step.start, end),
            format: self.format.clone(),
            is_whole: false,
        });
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
