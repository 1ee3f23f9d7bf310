//! Before the first event: whose relay log, and where to begin.

use std::cmp::Ordering;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::Pipeline;
use crate::binlog::gtid::GtidSet;
use crate::binlog::position::{FIRST_EVENT_OFFSET, Position};
use crate::checkpoint::{Checkpoint, Watermark};
use crate::config::Until;
use crate::config::source::Start;
use crate::error::{ErrorKind, Result, Retry};
use crate::relay::io_state::IoPhase;
use crate::relay::receiver::{Destination, pause, unix_now};
use crate::relay::recover;
use crate::source::StartAt;

impl Pipeline {
    /// Finds out whose relay log to use and where to begin; asks the source when the target does not know.
    pub(super) async fn establish(
        &self,
        stop: &CancellationToken,
    ) -> Result<Option<(Destination, Checkpoint)>> {
        if let Some(watermark) = self.target.watermark()? {
            let (destination, from) = self.resume(watermark)?;
            if self.config.until == Until::CaughtUp && self.until.get().is_none() {
                let Some(()) = self.with_source(stop, None).await?.map(drop) else {
                    return Ok(None);
                };
            }
            return Ok(Some((destination, from)));
        }
        let Some((start, source_id, executed)) = self.with_source(stop, Some(())).await? else {
            return Ok(None);
        };
        let directory = self.relay.source_directory(&source_id)?;
        recover::reset(&directory)?;
        let durable = recover::recover(&directory, true)?;
        let limit = self.config.relay_log.space_limit;
        let destination =
            Destination::open(source_id.clone(), directory, durable, start.clone(), limit)?;
        let position = match start {
            StartAt::Position(position) => position,
            // The source chooses the file; it is known with the first event.
            StartAt::Gtid(_) => Position::new("", FIRST_EVENT_OFFSET),
        };
        let from = Checkpoint {
            source_id,
            position,
            executed: Arc::new(executed),
            timestamp: 0,
        };
        Ok(Some((destination, from)))
    }

    /// The relay log that the watermark belongs to, emptied when it cannot be the one; and where to go on, which is
    /// further on where `skip_to` says so.
    fn resume(&self, mut watermark: Watermark) -> Result<(Destination, Checkpoint)> {
        let skips = self.skip(&mut watermark);
        let directory = self.relay.source_directory(&watermark.at.source_id)?;
        let mut durable = recover::recover(&directory, true)?;
        let position = &watermark.at.position;
        let holds = durable.index.contains(&position.file)
            && durable.index.contains(&watermark.needed_from().file)
            && durable
                .end
                .as_ref()
                .is_some_and(|end| end.order(position).is_some_and(Ordering::is_ge));
        if skips {
            if !holds {
                give_up_parked(&mut watermark);
            }
            self.target.set_watermark(&watermark)?;
        }
        if !holds {
            recover::reset(&directory)?;
            durable = recover::recover(&directory, true)?;
        }
        let start = StartAt::Position(watermark.needed_from().clone());
        let (source_id, limit) = (
            watermark.at.source_id.clone(),
            self.config.relay_log.space_limit,
        );
        let destination = Destination::open(source_id, directory, durable, start, limit)?;
        Ok((destination, watermark.at))
    }

    /// Moves the watermark on where `skip_to` says so; whether it did, or may have to give up what is parked.
    fn skip(&self, watermark: &mut Watermark) -> bool {
        let position = &mut watermark.at.position;
        let Some(to) = &self.config.skip_to else {
            return false;
        };
        if position.order(to) == Some(Ordering::Greater) {
            return false;
        }
        if position == to {
            return !watermark.parked.is_empty();
        }
        tracing::warn!(from = %position, to = %to, "changes between these positions are given up");
        *position = to.clone();
        true
    }

    /// Asks the source where to start, and where it ends now; retries until it answers.
    async fn with_source(
        &self,
        stop: &CancellationToken,
        want_start: Option<()>,
    ) -> Result<Option<(StartAt, Arc<str>, GtidSet)>> {
        self.published.io.set_phase(IoPhase::Connecting);
        loop {
            let asked = tokio::select! {
                asked = self.ask_source(want_start.is_some()) => asked,
                () = stop.cancelled() => return Ok(None),
            };
            let error = match asked {
                Ok(answer) => return Ok(Some(answer)),
                Err(error) => error,
            };
            self.published.io.set_error(&error, unix_now());
            let again = match error.kind() {
                ErrorKind::Access => !self.config.exit_on_error,
                kind => kind.retry() == Retry::Backoff,
            };
            if !again {
                self.published.io.set_phase(IoPhase::No);
                return Err(error);
            }
            tracing::warn!(errno = error.errno(), error = %error.full_text(), "the source cannot be asked yet");
            if !pause(self.config.connect_retry, stop).await {
                return Ok(None);
            }
        }
    }

    async fn ask_source(&self, want_start: bool) -> Result<(StartAt, Arc<str>, GtidSet)> {
        let mut connection = crate::source::connect(&self.config.source).await?;
        let source_id = connection.info().source_id.clone();
        let wanted = want_start.then_some(&self.config.start);
        for finding in crate::source::preflight(&self.config.source, wanted).await {
            if let Some(error) = finding.to_error() {
                return Err(error);
            }
        }
        let start = connection.resolve(&self.config.start).await?;
        let (end, all) = connection.current_position().await?;
        let executed = match (&self.config.start, &start) {
            (_, StartAt::Gtid(set)) => set.clone(),
            (Start::Latest, _) => all,
            // The files say it at their head.
            _ => GtidSet::default(),
        };
        if self.config.until == Until::CaughtUp {
            // Set once: the position at start counts.
            let _ = self.until.set(end);
        }
        connection.quit().await;
        Ok((start, source_id, executed))
    }
}

/// What is skipped includes the rows of prepared XA transactions where the relay log does not hold them any more.
fn give_up_parked(watermark: &mut Watermark) {
    for xa in watermark.parked.drain(..) {
        tracing::warn!(xid = %xa.id, prepared_at = %xa.rows.start, "a prepared XA transaction is given up");
    }
}
