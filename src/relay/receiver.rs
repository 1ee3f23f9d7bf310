//! The I/O side: connects to the source, receives, writes the relay log, and comes back after every interruption.
//!
//! # Retry
//! Network trouble is retried every `connect_retry` without end; so is a refused login, because its cure is on the source
//! and needs no restart here. A refused dump (1236) and a source that cannot serve a replica stop the I/O side: going on
//! would need a decision. A damaged event is asked for once more, then stops it too.
//!
//! # Threading
//! One task receives; one blocking thread writes, so that neither the socket nor the disk waits for the other. Two
//! batches are on their way at most.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::end::{Durable, RelayEnd};
use super::files::RelayFiles;
use super::io_state::{IoPhase, IoState};
use super::writer::RelayWriter;
use crate::binlog::position::{FIRST_EVENT_OFFSET, Position};
use crate::config::source::SourceConfig;
use crate::error::{Error, ErrorKind, Result};
use crate::source::{EventBatch, SourceConnection, StartAt};

/// Batches on their way from the socket to the disk.
const BATCHES_AHEAD: usize = 2;

/// Where the received events go: known once the source has said who it is.
#[derive(Debug, Clone)]
pub struct Destination {
    /// The source that everything in the directory comes from.
    pub source_id: Arc<str>,
    /// Its relay directory.
    pub directory: PathBuf,
    /// The files there.
    pub files: Arc<RelayFiles>,
    /// The durable end there.
    pub end: Arc<RelayEnd>,
    /// Where to begin while the directory is empty.
    pub start: StartAt,
}

impl Destination {
    /// A recovered relay directory, where `space_limit` is the setting `relay_log_space_limit`.
    pub fn open(
        source_id: Arc<str>,
        directory: PathBuf,
        durable: Durable,
        start: StartAt,
        space_limit: Option<u64>,
    ) -> Result<Self> {
        let files = RelayFiles::open(&directory, durable.index.clone(), space_limit)?;
        Ok(Self {
            source_id,
            directory,
            files: Arc::new(files),
            end: Arc::new(RelayEnd::new(durable)),
            start,
        })
    }
}

/// Receives from one source into one relay directory.
pub struct Receiver {
    /// How to reach the source.
    pub source: SourceConfig,
    /// Time between two attempts.
    pub connect_retry: Duration,
    /// Where the events go.
    pub destination: Destination,
    /// Whether a refused login is tried again.
    pub retry_access: bool,
    /// Published for `status`.
    pub state: Arc<IoState>,
    /// Ends it.
    pub stop: CancellationToken,
}

impl Receiver {
    /// Receives until stopped; retries by itself what may be retried.
    ///
    /// # Errors
    /// What needs an operator.
    pub async fn run(&self) -> Result<()> {
        let mut damaged_at: Option<Position> = None;
        // Where a torn file was left, and the head to go on at instead: each file is left once.
        let (mut left, mut resume_at) = (None, None);
        loop {
            self.state.set_phase(IoPhase::Connecting);
            let error = match self.connect_and_receive(resume_at.take()).await {
                Ok(()) => {
                    self.state.set_phase(IoPhase::No);
                    return Ok(());
                }
                Err(error) => error,
            };
            self.state.set_error(&error, unix_now());
            let end = self.destination.end.get().end;
            if is_torn_at_source(&error)
                && left != end
                && let Some(next) = self.file_after(end.as_ref()).await
            {
                tracing::warn!(error = %error.full_text(), next = %next, "the source crashed while it wrote this file; going on in the next one");
                resume_at = Some(next);
                left = end;
                continue;
            }
            let again = match error.kind() {
                ErrorKind::Network | ErrorKind::DiskFull => true,
                ErrorKind::Access => self.retry_access,
                ErrorKind::Corrupt | ErrorKind::Protocol => {
                    let first_time = damaged_at != end || end.is_none();
                    damaged_at = end;
                    first_time
                }
                _ => false,
            };
            if !again {
                self.state.set_phase(IoPhase::No);
                return Err(error);
            }
            tracing::warn!(
                errno = error.errno(),
                error = %error.full_text(),
                retry_seconds = self.connect_retry.as_secs(),
                "receiving was interrupted"
            );
            self.state.set_phase(IoPhase::Connecting);
            if !pause(self.connect_retry, &self.stop).await {
                self.state.set_phase(IoPhase::No);
                return Ok(());
            }
        }
    }

    /// The head of the source's file after the one that ends at `end`; `None` when there is none, or nobody says.
    async fn file_after(&self, end: Option<&Position>) -> Option<Position> {
        let end = end?;
        let mut connection = crate::source::connect(&self.source).await.ok()?;
        let files = connection.binary_logs().await.ok()?;
        connection.quit().await;
        let heads = files
            .into_iter()
            .map(|(file, _)| Position::new(file, FIRST_EVENT_OFFSET));
        let mut later = heads.skip_while(|head| head.file != end.file).skip(1);
        later.next()
    }

    async fn connect_and_receive(&self, resume_at: Option<Position>) -> Result<()> {
        let connected = tokio::select! {
            connected = crate::source::connect(&self.source) => connected,
            () = self.stop.cancelled() => return Ok(()),
        };
        let connection = connected?;
        self.check_identity(&connection)?;
        self.state.set_source(
            connection.info().source_id.clone(),
            connection.info().version_text.clone(),
        );
        if let Some(clock) = connection.info().clock {
            self.state.set_clock(clock, unix_now());
        }
        let start = match resume_at.or_else(|| self.destination.end.get().end) {
            Some(at) => StartAt::Position(at),
            None => self.destination.start.clone(),
        };
        tracing::info!(source = %self.source.host, port = self.source.port, start = %start, "receiving");
        self.receive(connection, &start).await
    }

    /// File and offset mean something on one server only: another one under the same address is refused.
    fn check_identity(&self, connection: &SourceConnection) -> Result<()> {
        let info = connection.info();
        if info.server_id == self.source.server_id {
            let what = format!(
                "the source has our own server_id {}: take another --server-id",
                self.source.server_id
            );
            return Err(Error::new(ErrorKind::Preflight, what));
        }
        if info.source_id == self.destination.source_id {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Dump,
            format!(
                "{}:{} is another server now ({}; the relay log and target follow {}); point relaylite at the old \
                 source, or start afresh with empty relay and target directories",
                self.source.host, self.source.port, info.source_id, self.destination.source_id
            ),
        ))
    }

    async fn receive(&self, connection: SourceConnection, start: &StartAt) -> Result<()> {
        let checksum = connection.info().checksum;
        let writer = {
            let (files, end) = (self.destination.files.clone(), self.destination.end.clone());
            tokio::task::spawn_blocking(move || RelayWriter::open(&files, &end, checksum))
                .await
                .map_err(writer_panicked)??
        };
        let mut stream = connection.dump(start).await?;
        let (full, writing) = mpsc::channel::<EventBatch>(BATCHES_AHEAD);
        let (used, mut empty) = mpsc::channel::<EventBatch>(BATCHES_AHEAD + 1);
        let state = self.state.clone();
        let writing =
            tokio::task::spawn_blocking(move || write_all(writer, writing, &used, &state));
        let mut first = true;
        let received = loop {
            let mut batch = empty.try_recv().unwrap_or_default();
            let read = tokio::select! {
                read = stream.read(&mut batch) => read,
                () = self.stop.cancelled() => break Ok(()),
            };
            if let Err(error) = read {
                break Err(error);
            }
            if first {
                self.state.set_receiving();
                first = false;
            }
            if full.send(batch).await.is_err() {
                break Ok(()); // the writer has ended, and says why
            }
        };
        drop(full);
        // What arrived before the connection broke is kept: the writer's error is the more urgent one.
        writing.await.map_err(writer_panicked)??;
        received
    }
}

/// Whether the source's own file ends within an event (`LOG_READ_TRUNC`): it crashed while it wrote, and what is torn was
/// never committed. Nobody can read on in that file, and nothing is in it that the source still has.
fn is_torn_at_source(error: &Error) -> bool {
    error.kind() == ErrorKind::Dump
        && error
            .what()
            .contains("binlog truncated in the middle of event")
}

/// Writes batches until the channel closes; ends with everything whole durable.
fn write_all(
    mut writer: RelayWriter,
    mut batches: mpsc::Receiver<EventBatch>,
    used: &mpsc::Sender<EventBatch>,
    state: &IoState,
) -> Result<()> {
    while let Some(batch) = batches.blocking_recv() {
        writer.write(&batch)?;
        state.set_heard(writer.heard());
        // Nobody waits for it: when the receiving side has gone, its memory may go too.
        let _ = used.try_send(batch);
    }
    writer.finish()
}

fn writer_panicked(error: tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::Internal, "the relay writer panicked").with_source(error)
}

/// Waits for about `time`, spread by up to a fifth so that many replicas do not come back at once; false when stopped.
pub async fn pause(time: Duration, stop: &CancellationToken) -> bool {
    let jitter = f64::from(
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |t| t.subsec_nanos())
            % 1000,
    ) / 1000.0;
    tokio::select! {
        () = tokio::time::sleep(time.mul_f64(0.9 + jitter / 5.0)) => true,
        () = stop.cancelled() => false,
    }
}

/// Seconds since 1970.
pub fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_secs())
}
