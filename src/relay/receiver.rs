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
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::ack::Wanted;
use super::end::{Durable, RelayEnd};
use super::files::RelayFiles;
use super::io_state::{IoPhase, IoState};
use super::received::Received;
use super::writer::RelayWriter;
use crate::binlog::flavor::Flavor;
use crate::binlog::gtid::GtidSet;
use crate::binlog::position::{FIRST_EVENT_OFFSET, Position};
use crate::config::source::SourceConfig;
use crate::error::{Error, ErrorKind, Result};
use crate::failpoints;
use crate::source::{
    EventBatch, EventStream, SemiSync, SourceConnection, StartAt, fits_dump_command,
};

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
        received: Received,
        start: StartAt,
        space_limit: Option<u64>,
    ) -> Result<Self> {
        let files = RelayFiles::open(&directory, durable.index.clone(), space_limit)?;
        Ok(Self {
            source_id,
            directory,
            files: Arc::new(files),
            end: Arc::new(RelayEnd::new(durable).with_received(received)),
            start,
        })
    }
}

/// How receiving ended without an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parted {
    /// A stop was asked for.
    Stopped,
    /// Another server answers now (its id), and holds all that was received, so that replication can go on there.
    OtherSource(Arc<str>),
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
    pub async fn run(&self) -> Result<Parted> {
        let mut damaged_at: Option<Position> = None;
        // Where a torn file was left, and the head to go on at instead: each file is left once.
        let (mut left, mut resume_at) = (None, None);
        loop {
            self.state.set_phase(IoPhase::Connecting);
            let error = match self.connect_and_receive(resume_at.take()).await {
                Ok(parted) => {
                    self.state.set_phase(IoPhase::No);
                    return Ok(parted);
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
                return Ok(Parted::Stopped);
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

    async fn connect_and_receive(&self, resume_at: Option<Position>) -> Result<Parted> {
        let connected = tokio::select! {
            connected = crate::source::connect(&self.source) => connected,
            () = self.stop.cancelled() => return Ok(Parted::Stopped),
        };
        let mut connection = connected?;
        if !self.is_same_source(&mut connection).await? {
            let to = connection.info().source_id.clone();
            connection.quit().await;
            return Ok(Parted::OtherSource(to));
        }
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
        let start = self.within_reach(&connection, start);
        tracing::info!(source = %self.source.host, port = self.source.port, start = %start, "receiving");
        self.receive(connection, &start).await?;
        Ok(Parted::Stopped)
    }

    /// A start that a dump can begin with. Beyond 4 GiB in a file the command of a position ends: there the source is asked by
    /// GTID, or for the last transaction once more. MariaDB is asked for that one in any case: behind the last of a file it would
    /// begin with the next file, and leave out what ends this one.
    fn within_reach(&self, connection: &SourceConnection, start: StartAt) -> StartAt {
        let end = match &start {
            StartAt::Position(end) if !fits_dump_command(end.offset) => end,
            _ => return start,
        };
        let received = self.destination.end.received();
        let set = GtidSet::clone(received.set());
        let newest = received.newest_group();
        let newest = newest.filter(|(set, start)| start.file == end.file && !set.is_empty());
        let info = connection.info();
        match received.end().filter(|whole| whole.file == end.file) {
            Some(_) if info.flavor == Flavor::MySql && info.has_gtids() => {
                StartAt::GtidAt(set, end.clone())
            }
            Some(whole) if fits_dump_command(whole.offset) => StartAt::Position(whole.clone()),
            Some(whole) => match newest {
                Some((before, group)) => StartAt::GtidAt(GtidSet::clone(before), group.clone()),
                None if !set.is_empty() => StartAt::GtidAt(set, whole.clone()),
                None => start,
            },
            None => start,
        }
    }

    /// Whether this is the server that the relay log comes from. File and offset mean something on one server only:
    /// false for another one where the GTIDs say that replication can go on there, an error for any other.
    async fn is_same_source(&self, connection: &mut SourceConnection) -> Result<bool> {
        let info = connection.info();
        if info.server_id == self.source.server_id {
            let what = format!(
                "the source has our own server_id {}: take another --server-id",
                self.source.server_id
            );
            return Err(Error::new(ErrorKind::Preflight, what));
        }
        if info.source_id == self.destination.source_id {
            return Ok(true);
        }
        let id = info.source_id.clone();
        let received = self.destination.end.received();
        let Some(why) = connection.cannot_follow(received.set()).await? else {
            return Ok(false);
        };
        Err(Error::new(
            ErrorKind::Dump,
            format!(
                "{}:{} is another server now ({id}; the relay log and target follow {}), and replication cannot go on \
                 there: {why}; point relaylite at the old source, or at a server that has all of it, or start afresh \
                 with empty relay and target directories",
                self.source.host, self.source.port, self.destination.source_id
            ),
        ))
    }

    /// What the source does about acknowledgements, told when it is not what was wished for.
    fn note_semi_sync(&self, connection: &SourceConnection) {
        if !self.source.semi_sync {
            return;
        }
        let semi_sync = connection.info().semi_sync();
        if semi_sync != SemiSync::On {
            tracing::warn!(
                cure = semi_sync.cure(),
                "semi_sync is set, but the source waits for nobody"
            );
        }
        self.state.set_semi_sync(Some(semi_sync));
    }

    /// Where the first event of a dump stands, where that is not simply the end of the relay log, or the source would not say it
    /// in 64 bits.
    fn known_beginning<'a>(&self, start: &'a StartAt) -> Option<&'a Position> {
        let end = self.destination.end.get().end;
        match start {
            StartAt::Position(at) => {
                let is_before = |end: Position| end.file == at.file && at.offset < end.offset;
                end.is_some_and(is_before).then_some(at)
            }
            StartAt::GtidAt(_, at) => Some(at),
            StartAt::Gtid(_) => None,
        }
    }

    async fn receive(&self, mut connection: SourceConnection, start: &StartAt) -> Result<()> {
        let checksum = connection.info().checksum;
        let mut writer = {
            let (files, end) = (self.destination.files.clone(), self.destination.end.clone());
            tokio::task::spawn_blocking(move || RelayWriter::open(&files, &end, checksum))
                .await
                .map_err(writer_panicked)??
        };
        let (durable_acks, acks) = mpsc::unbounded_channel();
        writer.acknowledge_by(durable_acks);
        if let Some(at) = self.known_beginning(start) {
            writer.begin_at(at.clone());
        }
        if matches!(start, StartAt::Gtid(_)) {
            // Who may not see them may dump all the same.
            writer.mind_files_beyond_4_gib(connection.binary_logs().await.unwrap_or_default());
        }
        self.note_semi_sync(&connection);
        let stream = connection.dump(start).await?;
        let mut dump = Dump {
            stream,
            acks,
            state: &self.state,
        };
        let (full, writing) = mpsc::channel::<EventBatch>(BATCHES_AHEAD);
        let (used, mut empty) = mpsc::channel::<EventBatch>(BATCHES_AHEAD + 1);
        let state = self.state.clone();
        let writing =
            tokio::task::spawn_blocking(move || write_all(writer, writing, &used, &state));
        let mut batch = EventBatch::default();
        let mut first = true;
        let received = loop {
            let read = tokio::select! {
                read = dump.next(&mut batch) => read,
                () = self.stop.cancelled() => break Ok(()),
            };
            if let Err(error) = read {
                break Err(error);
            }
            if first {
                self.state.set_receiving();
                first = false;
            }
            let next = empty.try_recv().unwrap_or_default();
            match dump
                .hand_over(&full, std::mem::replace(&mut batch, next))
                .await
            {
                Ok(true) => {}
                Ok(false) => break Ok(()), // the writer has ended, and says why
                Err(error) => break Err(error),
            }
        };
        drop(full);
        self.state.set_semi_sync(None);
        // What arrived before the connection broke is kept: the writer's error is the more urgent one.
        writing.await.map_err(writer_panicked)??;
        if received.is_ok() {
            dump.acknowledge_the_rest().await;
        }
        received
    }
}

/// A dump under way, and what is to be acknowledged on it.
struct Dump<'a> {
    stream: Box<dyn EventStream>,
    acks: mpsc::UnboundedReceiver<Wanted>,
    state: &'a IoState,
}

impl Dump<'_> {
    /// Reads the next events, and acknowledges what became durable meanwhile. Cancel-safe but for a half-sent
    /// acknowledgement: after it the connection must be given up.
    async fn next(&mut self, batch: &mut EventBatch) -> Result<()> {
        loop {
            tokio::select! {
                read = self.stream.read(batch) => {
                    batch.arrived = Some(Instant::now());
                    return read;
                }
                Some(durable) = self.acks.recv() => self.acknowledge(durable).await?,
            }
        }
    }

    /// Gives a batch to the writer; false when that has ended. While it is busy, acknowledgements go on.
    async fn hand_over(
        &mut self,
        writer: &mpsc::Sender<EventBatch>,
        batch: EventBatch,
    ) -> Result<bool> {
        loop {
            tokio::select! {
                room = writer.reserve() => {
                    return Ok(match room {
                        Ok(room) => {
                            room.send(batch);
                            true
                        }
                        Err(_) => false,
                    });
                }
                Some(durable) = self.acks.recv() => self.acknowledge(durable).await?,
            }
        }
    }

    /// Acknowledges the newest of all that is durable: it stands for the others.
    async fn acknowledge(&mut self, durable: Wanted) -> Result<()> {
        let mut newest = durable;
        while let Ok(later) = self.acks.try_recv() {
            newest = newest.joined(later);
        }
        failpoints::hit(failpoints::ACK_BEFORE_SEND);
        self.stream.acknowledge(&newest.at).await?;
        self.state.count_ack(&newest);
        Ok(())
    }

    /// What became durable while the receiver stopped: a commit of the source may wait for it.
    async fn acknowledge_the_rest(&mut self) {
        if let Ok(durable) = self.acks.try_recv()
            && let Err(error) = self.acknowledge(durable).await
        {
            tracing::debug!(error = %error.full_text(), "the last acknowledgement was not sent");
        }
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
