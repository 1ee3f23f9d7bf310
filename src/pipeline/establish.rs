//! Before the first event: whose relay log, and where to begin.

use std::cmp::Ordering;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::Pipeline;
use crate::binlog::gtid::GtidSet;
use crate::binlog::position::{FIRST_EVENT_OFFSET, Position};
use crate::checkpoint::{Checkpoint, Watermark};
use crate::config::Until;
use crate::config::source::Start;
use crate::error::{Error, ErrorKind, Result, Retry};
use crate::relay::end::Durable;
use crate::relay::io_state::IoPhase;
use crate::relay::received::{self, Received};
use crate::relay::receiver::{Destination, pause, unix_now};
use crate::relay::recover;
use crate::source::{SourceConnection, StartAt, fits_dump_command};

impl Pipeline {
    /// Finds out whose relay log to use and where to begin; asks the source when the target does not know.
    pub(super) async fn establish(
        &self,
        stop: &CancellationToken,
    ) -> Result<Option<(Destination, Checkpoint)>> {
        if let Some(watermark) = self.target.watermark()? {
            let Some((watermark, skips)) = self.skip(watermark, stop).await? else {
                return Ok(None);
            };
            let (destination, from) = self.resume(watermark, skips)?;
            if self.config.until == Until::CaughtUp && self.until.get().is_none() {
                let asked = self.asked(stop, || Box::pin(self.ask_for_the_end(&from.source_id)));
                let Some(()) = asked.await? else {
                    return Ok(None);
                };
            }
            return Ok(Some((destination, from)));
        }
        let asked = self.asked(stop, || Box::pin(self.ask_for_the_start()));
        let Some((start, source_id, executed)) = asked.await? else {
            return Ok(None);
        };
        let directory = self.relay.source_directory(&source_id)?;
        recover::reset(&directory)?;
        let durable = recover::recover(&directory, true)?;
        let executed = Arc::new(executed);
        let received = Received::new(executed.clone());
        let (id, limit) = (source_id.clone(), self.config.relay_log.space_limit);
        let destination =
            Destination::open(id, directory, durable, received, start.clone(), limit)?;
        let position = match start {
            StartAt::Position(position) | StartAt::GtidAt(_, position) => position,
            // The source chooses the file; it is known with the first event.
            StartAt::Gtid(_) => Position::new("", FIRST_EVENT_OFFSET),
        };
        let from = Checkpoint {
            source_id,
            position,
            executed,
            timestamp: 0,
        };
        Ok(Some((destination, from)))
    }

    /// The target's watermark, moved on where `skip_to` says so; and whether it was, or may have to give up what is parked.
    async fn skip(
        &self,
        mut watermark: Watermark,
        stop: &CancellationToken,
    ) -> Result<Option<(Watermark, bool)>> {
        let at = &mut watermark.at;
        let to = match &self.config.skip_to {
            Some(to) if at.position.order(to) != Some(Ordering::Greater) => to,
            _ => return Ok(Some((watermark, false))),
        };
        if at.position == *to {
            let may_give_up = !watermark.parked.is_empty();
            return Ok(Some((watermark, may_give_up)));
        }
        let source_id = at.source_id.clone();
        let asked = self.asked(stop, || Box::pin(self.ask_what_was_before(&source_id, to)));
        let Some(before) = asked.await? else {
            return Ok(None);
        };
        tracing::warn!(from = %at.position, to = %to, "changes between these positions are given up");
        let executed = Arc::make_mut(&mut at.executed);
        executed.complete_from(&before);
        executed.replace_domains(&before);
        at.position = to.clone();
        Ok(Some((watermark, true)))
    }

    /// The relay log that the watermark belongs to, emptied when it cannot be the one; and where to go on.
    fn resume(&self, mut watermark: Watermark, skips: bool) -> Result<(Destination, Checkpoint)> {
        let directory = self.relay.source_directory(&watermark.at.source_id)?;
        let mut durable = recover::recover(&directory, true)?;
        let position = &watermark.at.position;
        // Without a file it is a start by GTID that nothing was applied from; the directory was empty then.
        let is_open = position.file.is_empty();
        let holds = is_open
            || durable.index.contains(&position.file)
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
        let from = &watermark.at;
        let received = received::scan(&directory, &durable, &from.position, &from.executed)?;
        let start = if is_open {
            StartAt::Gtid((*from.executed).clone())
        } else {
            start_of(&watermark, &durable)
        };
        let (id, limit) = (from.source_id.clone(), self.config.relay_log.space_limit);
        let destination = Destination::open(id, directory, durable, received, start, limit)?;
        Ok((destination, watermark.at))
    }

    /// Asks the source until it answers; `None` when stopped meanwhile.
    async fn asked<'a, T>(
        &'a self,
        stop: &CancellationToken,
        question: impl Fn() -> Answer<'a, T>,
    ) -> Result<Option<T>> {
        self.published.io.set_phase(IoPhase::Connecting);
        loop {
            let asked = tokio::select! {
                asked = question() => asked,
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

    /// Where an empty target starts, and with which GTIDs before it.
    async fn ask_for_the_start(&self) -> Result<(StartAt, Arc<str>, GtidSet)> {
        let mut connection = self.checked_source(Some(&self.config.start)).await?;
        let source_id = connection.info().source_id.clone();
        let mut start = connection.resolve(&self.config.start).await?;
        let (end, all) = connection.current_position().await?;
        if let StartAt::Position(at) = &start
            && !fits_dump_command(at.offset)
        {
            start = StartAt::GtidAt(connection.gtids_before(at).await?, at.clone());
        }
        let executed = match (&self.config.start, &start) {
            (_, StartAt::Gtid(set) | StartAt::GtidAt(set, _)) => set.clone(),
            (Start::Latest, _) => all,
            (_, StartAt::Position(position)) => connection.gtids_before(position).await?,
        };
        self.set_until(end);
        connection.quit().await;
        Ok((start, source_id, executed))
    }

    /// Where the source ends now. Another source than the target's is left for later: its positions mean nothing yet.
    async fn ask_for_the_end(&self, source_id: &str) -> Result<()> {
        let mut connection = self.checked_source(None).await?;
        if *connection.info().source_id == *source_id {
            let (end, _) = connection.current_position().await?;
            self.set_until(end);
        }
        connection.quit().await;
        Ok(())
    }

    /// The GTIDs before a position that replication skips to.
    async fn ask_what_was_before(&self, source_id: &str, to: &Position) -> Result<GtidSet> {
        let mut connection = self.checked_source(None).await?;
        if *connection.info().source_id != *source_id {
            return Err(Error::new(
                ErrorKind::Dump,
                format!(
                    "skip_to is a position of the server that was followed so far ({source_id}), and another one \
                     answers now; leave skip_to out"
                ),
            ));
        }
        let before = connection.gtids_before(to).await?;
        connection.quit().await;
        Ok(before)
    }

    /// A connection to a source that can serve us.
    async fn checked_source(&self, start: Option<&Start>) -> Result<SourceConnection> {
        for finding in crate::source::preflight(&self.config.source, start).await {
            if let Some(error) = finding.to_error() {
                return Err(error);
            }
        }
        crate::source::connect(&self.config.source).await
    }

    fn set_until(&self, end: Position) {
        if self.config.until == Until::CaughtUp {
            // Set once: the position at start counts.
            let _ = self.until.set(end);
        }
    }
}

/// Where a relay log begins that holds nothing: a position, by all that is before it where the dump command cannot carry it.
fn start_of(watermark: &Watermark, durable: &Durable) -> StartAt {
    let (from, at) = (watermark.needed_from(), &watermark.at);
    let by_gtid = durable.end.is_none()
        && !fits_dump_command(from.offset)
        && *from == at.position
        && !at.executed.is_empty();
    if by_gtid {
        StartAt::GtidAt((*at.executed).clone(), from.clone())
    } else {
        StartAt::Position(from.clone())
    }
}

/// What is skipped includes the rows of prepared XA transactions where the relay log does not hold them any more.
fn give_up_parked(watermark: &mut Watermark) {
    for xa in watermark.parked.drain(..) {
        tracing::warn!(xid = %xa.id, prepared_at = %xa.start, "a prepared XA transaction is given up");
    }
}

/// What the source says, later.
type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;
