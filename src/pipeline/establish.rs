//! Before the first event: whose relay log, and where to begin.

use std::cmp::Ordering;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::Pipeline;
use crate::binlog::gtid::GtidSet;
use crate::binlog::position::{FIRST_EVENT_OFFSET, Position};
use crate::checkpoint::Checkpoint;
use crate::config::Until;
use crate::config::source::Start;
use crate::error::{ErrorKind, Result, Retry};
use crate::relay::end::RelayEnd;
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
        if let Some(from) = self.watermark()? {
            let destination = self.resume(&from)?;
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
        let destination = Destination {
            source_id: source_id.clone(),
            end: Arc::new(RelayEnd::new(recover::recover(&directory, true)?)),
            directory,
            start: start.clone(),
        };
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

    /// The target's watermark, moved on where `skip_to` says so.
    fn watermark(&self) -> Result<Option<Checkpoint>> {
        let Some(mut watermark) = self.target.watermark()? else {
            return Ok(None);
        };
        if let Some(to) = &self.config.skip_to
            && watermark.position.order(to) != Some(Ordering::Greater)
            && watermark.position != *to
        {
            tracing::warn!(from = %watermark.position, to = %to, "changes between these positions are given up");
            watermark.position = to.clone();
            self.target.set_watermark(&watermark)?;
        }
        Ok(Some(watermark))
    }

    /// The relay log that the watermark belongs to; emptied when it cannot be the one.
    fn resume(&self, from: &Checkpoint) -> Result<Destination> {
        let directory = self.relay.source_directory(&from.source_id)?;
        let mut durable = recover::recover(&directory, true)?;
        let holds = durable.index.names().contains(&from.position.file)
            && durable
                .end
                .as_ref()
                .is_some_and(|end| end.order(&from.position).is_some_and(Ordering::is_ge));
        if !holds {
            recover::reset(&directory)?;
            durable = recover::recover(&directory, true)?;
        }
        Ok(Destination {
            source_id: from.source_id.clone(),
            directory,
            end: Arc::new(RelayEnd::new(durable)),
            start: StartAt::Position(from.position.clone()),
        })
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
