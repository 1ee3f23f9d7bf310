//! Builds the stages, lets them run, and drains them.
//!
//! ```text
//! source ─▶ receiver (task) ─▶ relay log ─▶ coordinator (thread) ─▶ lanes (threads) ─▶ target
//! ```
//! The receiver and the applier side meet only at the relay log. Either may stop on an error of its own while the other
//! goes on, as MySQL's I/O and SQL threads do; the process ends on a signal, on `until`, or, with `exit_on_error`, on the
//! first error that needs an operator.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::apply::mysql::MysqlTarget;
use crate::apply::sqlite::SqliteTarget;
use crate::apply::{SourceSchema, Target};
use crate::binlog::gtid::GtidSet;
use crate::binlog::position::{FIRST_EVENT_OFFSET, Position};
use crate::checkpoint::Checkpoint;
use crate::config::limits::{APPLY_RETRY, DRAIN_TIMEOUT, RELAY_WAIT};
use crate::config::target::TargetConfig;
use crate::config::{Config, Until};
use crate::dispatch::budget::Budget;
use crate::dispatch::coordinator::{self, Ended, Run};
use crate::dispatch::lane::LaneContext;
use crate::dispatch::lanes::Roster;
use crate::dispatch::state::ApplierState;
use crate::dispatch::stop::StopFlag;
use crate::error::{Error, ErrorKind, Result, Retry};
use crate::relay::dir::RelayDir;
use crate::relay::end::RelayEnd;
use crate::relay::io_state::{IoPhase, IoState};
use crate::relay::reader::RelayReader;
use crate::relay::receiver::{Destination, Receiver, pause, unix_now};
use crate::relay::recover;
use crate::source::StartAt;
use crate::source_schema::LiveSchema;

/// What a running pipeline publishes; `serve` reads it.
#[derive(Clone, Default)]
pub struct Published {
    /// The I/O side.
    pub io: Arc<IoState>,
    /// The applier side.
    pub applier: Arc<ApplierState>,
    /// The lanes.
    pub lanes: Roster,
    /// The durable end of the relay log, once the source is known.
    pub relay_end: Arc<OnceLock<Arc<RelayEnd>>>,
}

/// How a pipeline ended.
#[derive(Debug)]
pub enum Outcome {
    /// `until` is reached: everything before it is applied and durable.
    Until,
    /// A signal asked for it.
    Stopped,
    /// `exit_on_error`, and this happened.
    Failed(Error),
}

/// A pipeline, ready to run: directories are held, nothing is connected.
pub struct Pipeline {
    config: Config,
    relay: RelayDir,
    target: Arc<dyn Target>,
    published: Published,
    until: Arc<OnceLock<Position>>,
}

impl Pipeline {
    /// Takes the relay and target directories.
    ///
    /// # Errors
    /// `Locked` when another process has one of them; `Io`, `Target`.
    pub fn open(mut config: Config, runtime: &Handle) -> Result<Self> {
        let relay = RelayDir::open(&config.relay_dir)?;
        config.source.replica_uuid = relay.replica_uuid().to_owned();
        let target: Arc<dyn Target> = match &config.target {
            TargetConfig::Sqlite { dir } => Arc::new(SqliteTarget::open(dir)?),
            TargetConfig::Mysql(mysql) => Arc::new(MysqlTarget::open(mysql, runtime.clone())?),
        };
        let until = Arc::new(OnceLock::new());
        if let Until::Position(position) = &config.until {
            // Nobody else has it yet.
            let _ = until.set(position.clone());
        }
        Ok(Self { config, relay, target, published: Published::default(), until })
    }

    /// What it publishes.
    pub fn published(&self) -> Published {
        self.published.clone()
    }

    /// Runs until stopped, `until` is reached, or an error ends it (with `exit_on_error`).
    ///
    /// # Errors
    /// Only what keeps the pipeline from running at all.
    pub async fn run(self, stop: CancellationToken) -> Result<Outcome> {
        let mut refetched: Option<(Arc<str>, u64)> = None;
        loop {
            let (destination, from) = match self.establish(&stop).await {
                Ok(Some(established)) => established,
                Ok(None) => return Ok(Outcome::Stopped),
                Err(error) => return self.stay(error, &stop).await,
            };
            // The second time round there is one already; both follow the same directory.
            let _ = self.published.relay_end.set(destination.end.clone());
            let damage = match self.session(destination.clone(), from, &stop).await? {
                SessionEnd::Over(outcome) => return Ok(outcome),
                SessionEnd::Damaged(error) => error,
            };
            let at = damage.at();
            let place = at.file.clone().zip(at.pos);
            let (Some((file, pos)), true) = (place.clone(), place != refetched) else {
                return self.stay(damage, &stop).await;
            };
            tracing::warn!(error = %damage.full_text(), "the relay log is damaged here; fetching it again");
            recover::cut(&destination.directory, &Position { file, offset: pos })?;
            refetched = place;
        }
    }

    /// An error that needs an operator: with `exit_on_error` the process ends, else it stays for `status`.
    async fn stay(&self, error: Error, stop: &CancellationToken) -> Result<Outcome> {
        tracing::error!(errno = error.errno(), error = %error.full_text(), "replication stopped");
        if self.config.exit_on_error {
            return Ok(Outcome::Failed(error));
        }
        stop.cancelled().await;
        Ok(Outcome::Stopped)
    }

    /// Finds out whose relay log to use and where to begin; asks the source when the target does not know.
    async fn establish(&self, stop: &CancellationToken) -> Result<Option<(Destination, Checkpoint)>> {
        if let Some(from) = self.target.watermark()? {
            let destination = self.resume(&from)?;
            if self.config.until == Until::CaughtUp && self.until.get().is_none() {
                let Some(()) = self.with_source(stop, None).await?.map(drop) else { return Ok(None) };
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
        let from =
            Checkpoint { source_id, position, executed: Arc::new(executed), timestamp: 0 };
        Ok(Some((destination, from)))
    }

    /// The relay log that the watermark belongs to; emptied when it cannot be the one.
    fn resume(&self, from: &Checkpoint) -> Result<Destination> {
        let directory = self.relay.source_directory(&from.source_id)?;
        let mut durable = recover::recover(&directory, true)?;
        let holds = durable.index.names().contains(&from.position.file)
            && durable.end.as_ref().is_some_and(|end| {
                end.order(&from.position).is_some_and(std::cmp::Ordering::is_ge)
            });
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
        let (start, executed) = connection.resolve_with_gtids(&self.config.start).await?;
        if self.config.until == Until::CaughtUp {
            let (end, _) = connection.current_position().await?;
            // Set once: the position at start counts.
            let _ = self.until.set(end);
        }
        connection.quit().await;
        Ok((start, source_id, executed))
    }

    /// One life of receiver and applier side.
    async fn session(
        &self,
        destination: Destination,
        from: Checkpoint,
        stop: &CancellationToken,
    ) -> Result<SessionEnd> {
        let stop_receiver = stop.child_token();
        let receiver = Receiver {
            source: self.config.source.clone(),
            connect_retry: self.config.connect_retry,
            destination: destination.clone(),
            state: self.published.io.clone(),
            retry_access: !self.config.exit_on_error,
            stop: stop_receiver.clone(),
        };
        let mut receiving = tokio::spawn(async move { receiver.run().await });
        let applier = self.applier(destination, from);
        let stop_applier = applier.stop.clone();
        let mut applying = tokio::task::spawn_blocking(move || applier.run());
        let mut applied = None;
        let mut failed = None;
        let outcome = loop {
            tokio::select! {
                received = &mut receiving, if !receiving.is_finished() || failed.is_none() => {
                    let Err(error) = received.map_err(task_panicked)? else {
                        failed = Some(());
                        if stop.is_cancelled() { break SessionEnd::Over(Outcome::Stopped) }
                        continue;
                    };
                    tracing::error!(errno = error.errno(), error = %error.full_text(), "receiving stopped");
                    failed = Some(());
                    if self.config.exit_on_error {
                        break SessionEnd::Over(Outcome::Failed(error));
                    }
                }
                ended = &mut applying, if applied.is_none() => {
                    applied = Some(());
                    match ended.map_err(task_panicked)? {
                        Ok(Ended::Until) => break SessionEnd::Over(Outcome::Until),
                        Ok(Ended::Stopped) => {}
                        Err(error) if error.kind() == ErrorKind::Corrupt => break SessionEnd::Damaged(error),
                        Err(error) => {
                            tracing::error!(errno = error.errno(), error = %error.full_text(), "applying stopped");
                            if self.config.exit_on_error {
                                break SessionEnd::Over(Outcome::Failed(error));
                            }
                        }
                    }
                }
                () = stop.cancelled() => break SessionEnd::Over(Outcome::Stopped),
            }
        };
        stop_applier.cancel();
        stop_receiver.cancel();
        let drained = tokio::time::timeout(DRAIN_TIMEOUT, async {
            if applied.is_none() {
                // How it ended no longer matters: what is whole is committed, the rest comes again.
                let _ = (&mut applying).await;
            }
            if failed.is_none() {
                let _ = (&mut receiving).await;
            }
        });
        if drained.await.is_err() {
            tracing::warn!("not drained in time; what is open is rolled back and comes again at the next start");
        }
        Ok(outcome)
    }

    fn applier(&self, destination: Destination, from: Checkpoint) -> Applier {
        let schema: Arc<dyn SourceSchema> =
            Arc::new(LiveSchema::new(self.config.source.clone(), Handle::current()));
        Applier {
            destination,
            from,
            target: self.target.clone(),
            schema,
            workers: self.config.workers,
            until: self.until.clone(),
            published: self.published.clone(),
            stop: CancellationToken::new(),
            flag: Arc::new(Mutex::new(Arc::new(StopFlag::default()))),
        }
    }
}

/// How a session ended.
enum SessionEnd {
    Over(Outcome),
    Damaged(Error),
}

fn task_panicked(error: tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::Internal, "a stage panicked").with_source(error)
}

/// The applier side: runs the coordinator, again and again while its errors pass by themselves.
struct Applier {
    destination: Destination,
    from: Checkpoint,
    target: Arc<dyn Target>,
    schema: Arc<dyn SourceSchema>,
    workers: usize,
    until: Arc<OnceLock<Position>>,
    published: Published,
    stop: CancellationToken,
    flag: Arc<Mutex<Arc<StopFlag>>>,
}

impl Applier {
    fn run(mut self) -> Result<Ended> {
        let watcher = self.watch_stop();
        let state = self.published.applier.clone();
        let outcome = loop {
            state.set_running(true);
            match self.run_once() {
                Err(error) if error.kind().retry() == Retry::Backoff => {
                    state.set_error(&error, unix_now());
                    tracing::warn!(errno = error.errno(), error = %error.full_text(), "applying was interrupted");
                    if self.wait(APPLY_RETRY) {
                        break Ok(Ended::Stopped);
                    }
                }
                Err(error) => {
                    state.set_error(&error, unix_now());
                    break Err(error);
                }
                Ok(ended) => break Ok(ended),
            }
        };
        state.set_running(false);
        self.stop.cancel();
        // The watcher only waits for the token.
        let _ = watcher.join();
        outcome
    }

    /// Turns the token into the flag that the coordinator polls, and wakes it.
    fn watch_stop(&self) -> std::thread::JoinHandle<()> {
        let (stop, flag, end) = (self.stop.clone(), self.flag.clone(), self.destination.end.clone());
        let runtime = Handle::current();
        std::thread::spawn(move || {
            runtime.block_on(stop.cancelled());
            flag.lock().unwrap_or_else(PoisonError::into_inner).request();
            end.wake();
        })
    }

    /// Waits; true when stopped meanwhile.
    fn wait(&self, time: Duration) -> bool {
        let until = std::time::Instant::now() + time;
        while std::time::Instant::now() < until && !self.stop.is_cancelled() {
            std::thread::sleep(RELAY_WAIT.min(time));
        }
        self.stop.is_cancelled()
    }

    fn run_once(&mut self) -> Result<Ended> {
        let flag = Arc::new(StopFlag::default());
        *self.flag.lock().unwrap_or_else(PoisonError::into_inner) = flag.clone();
        let Some(from) = self.begin()? else { return Ok(Ended::Stopped) };
        let Some(reader) = self.open_reader(&from.position)? else { return Ok(Ended::Stopped) };
        self.published.applier.clear_error();
        coordinator::run(Run {
            reader,
            from,
            target: self.target.clone(),
            context: LaneContext {
                stop: flag,
                workers: Budget::new(self.workers),
                source: self.schema.clone(),
                behind: Arc::new(AtomicBool::new(false)),
            },
            roster: self.published.lanes.clone(),
            until: self.until.clone(),
            state: self.published.applier.clone(),
        })
    }

    /// Where to begin: the watermark, or on a fresh target the start, which becomes the watermark before anything is
    /// applied.
    fn begin(&mut self) -> Result<Option<Checkpoint>> {
        if let Some(watermark) = self.target.watermark()? {
            return Ok(Some(watermark));
        }
        if self.from.position.file.is_empty() {
            let Some(file) = self.first_file() else { return Ok(None) };
            self.from.position.file = file;
        }
        self.target.set_watermark(&self.from)?;
        Ok(Some(self.from.clone()))
    }

    fn first_file(&self) -> Option<Arc<str>> {
        loop {
            if let Some(file) = self.destination.end.get().index.names().first() {
                return Some(file.clone());
            }
            if self.wait(RELAY_WAIT) {
                return None;
            }
        }
    }

    /// Opens the relay log at a position; waits until its file has come.
    fn open_reader(&self, position: &Position) -> Result<Option<RelayReader>> {
        loop {
            let durable = self.destination.end.get();
            let has_head = durable.end.is_some();
            if has_head && durable.index.names().contains(&position.file) {
                let end = self.destination.end.clone();
                return RelayReader::open(&self.destination.directory, end, position).map(Some);
            }
            self.destination.end.wait_beyond(position, RELAY_WAIT);
            if self.stop.is_cancelled() {
                return Ok(None);
            }
        }
    }
}
