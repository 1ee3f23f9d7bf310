//! The source is another server now: a replica that was promoted, found by its GTIDs to hold all that was received.
//!
//! Positions of two servers cannot be compared, so nothing of the new source may reach a lane while anything of the old
//! one is still on its way:
//!
//! 1. The relay log of the old source is cut behind its last whole transaction, and applied to its end; every database
//!    has all of it durably, and says so in its checkpoint.
//! 2. The relay directory of the new source is emptied: what an earlier time has left there belongs to other checkpoints.
//! 3. The watermark moves to the new source, with no file yet and all GTIDs so far. This is the durable mark of the change:
//!    from here on a checkpoint of the old source means "all that was before the change" (`Lanes::lane`).
//! 4. Receiving begins there, by GTID; what is left of the old source's relay log goes.
//!
//! A crash before 3 starts again with the old source's relay log, one after it with the new source.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

use super::Pipeline;
use crate::binlog::position::{FIRST_EVENT_OFFSET, Position};
use crate::checkpoint::{Checkpoint, Watermark};
use crate::config::Until;
use crate::dispatch::coordinator::{AtUntil, Ended};
use crate::error::{Error, ErrorKind, Result};
use crate::failpoints;
use crate::relay::end::RelayEnd;
use crate::relay::receiver::Destination;
use crate::relay::recover;

impl Pipeline {
    /// Leaves the source of `old` for `to`, which holds all that was received; false when stopped meanwhile.
    pub(super) async fn change_source(
        &mut self,
        old: &Destination,
        from: Checkpoint,
        to: Arc<str>,
        stop: &CancellationToken,
    ) -> Result<bool> {
        tracing::warn!(from = %old.source_id, to = %to, "the source is another server now, and holds all that was received");
        let received = old.end.received();
        if let Some(end) = received.end()
            && !self.apply_up_to(old, end, from.clone(), stop).await?
        {
            return Ok(false);
        }
        let watermark = self.target.watermark()?;
        let Watermark { at, parked } = watermark.unwrap_or_else(|| Watermark::new(from));
        if at.source_id != old.source_id || !received.set().is_subset(&at.executed) {
            return Err(Error::new(
                ErrorKind::Internal,
                "the relay log of the old source was applied, and the watermark is not at its end",
            ));
        }
        if let Some(oldest) = parked.first() {
            return Err(Error::new(
                ErrorKind::Dump,
                format!(
                    "{} XA transactions wait for their decision in the old source's relay log, the oldest is {}: bring the old \
                     source back and decide them there, or begin with an empty relay directory and target",
                    parked.len(),
                    oldest.id
                ),
            ));
        }
        failpoints::hit(failpoints::FAILOVER_DRAINED);
        recover::reset(&self.relay.source_directory(&to)?)?;
        self.target.set_watermark(&Watermark::new(Checkpoint {
            source_id: to,
            position: Position::new("", FIRST_EVENT_OFFSET),
            ..at
        }))?;
        failpoints::hit(failpoints::FAILOVER_MARKED);
        if let Err(error) = std::fs::remove_dir_all(&old.directory) {
            // It only takes room; a return to that source empties it.
            tracing::warn!(directory = %old.directory.display(), error = %error, "the relay log of the old source is left");
        }
        if self.config.until == Until::CaughtUp {
            // It was a position of the old source.
            self.until = Arc::new(OnceLock::new());
        }
        Ok(true)
    }

    /// Applies a relay log that grows no more, up to `end`; false when stopped meanwhile.
    async fn apply_up_to(
        &self,
        old: &Destination,
        end: &Position,
        from: Checkpoint,
        stop: &CancellationToken,
    ) -> Result<bool> {
        // What is behind it is the beginning of a transaction that the new source sends whole.
        recover::cut(&old.directory, end)?;
        let durable = recover::recover(&old.directory, true)?;
        let rest = Destination {
            end: Arc::new(RelayEnd::new(durable).with_received(old.end.received())),
            ..old.clone()
        };
        self.published
            .set_relay(rest.end.clone(), rest.files.clone());
        let mut applier = self.applier(rest, from);
        applier.until = Arc::new(OnceLock::from(end.clone()));
        applier.at_until = AtUntil::Leave;
        let stop_applier = applier.stop.clone();
        let mut applying = tokio::task::spawn_blocking(move || applier.run());
        let ended = tokio::select! {
            ended = &mut applying => ended,
            () = stop.cancelled() => {
                stop_applier.cancel();
                applying.await
            }
        };
        Ok(ended.map_err(super::task_panicked)?? == Ended::Until)
    }
}
