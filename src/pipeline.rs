//! Builds the stages, lets them run, and drains them.
//!
//! ```text
//! source ─▶ receiver (task) ─▶ relay log ─▶ coordinator (thread) ─▶ lanes (threads) ─▶ target
//! ```
//! The receiver and the applier side meet only at the relay log. Either may stop on an error of its own while the other
//! goes on, as MySQL's I/O and SQL threads do; the process ends on a signal, on `until`, or, with `exit_on_error`, on the
//! first error that needs an operator.

mod applier;
mod establish;
mod failover;
mod live_schema;
mod source_tables;

use std::sync::{Arc, Mutex, OnceLock};

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::applier::Applier;
use self::live_schema::LiveSchema;
use self::source_tables::SourceTables;
use crate::apply::mysql::MysqlTarget;
use crate::apply::sqlite::SqliteTarget;
use crate::apply::{SourceSchema, Target};
use crate::binlog::position::Position;
use crate::checkpoint::Checkpoint;
use crate::config::limits::DRAIN_TIMEOUT;
use crate::config::target::TargetConfig;
use crate::config::{Config, Until};
use crate::dispatch::coordinator::{AtUntil, Ended};
use crate::dispatch::filter::SourceNames;
use crate::dispatch::stop::StopFlag;
use crate::error::{Error, ErrorKind, Result, Retry};
use crate::relay::dir::RelayDir;
use crate::relay::purge::Purger;
use crate::relay::receiver::{Destination, Parted, Receiver, pause, unix_now};
use crate::relay::recover;
use crate::serve::published::Published;
use crate::snapshot::LiveSnapshots;

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

/// A pipeline, ready to run: relay directory and target are held, the source is not connected.
pub struct Pipeline {
    config: Config,
    relay: RelayDir,
    target: Arc<dyn Target>,
    published: Published,
    until: Arc<OnceLock<Position>>,
}

impl Pipeline {
    /// Takes the target: a directory, or a server, which is waited for when it cannot be reached yet. `None` when
    /// stopped meanwhile.
    ///
    /// # Errors
    /// `Locked` when another process has the target; `Access`, `Target`, `Io`.
    pub async fn open(
        mut config: Config,
        relay: RelayDir,
        published: Published,
        stop: &CancellationToken,
    ) -> Result<Option<Self>> {
        config.source.replica_uuid = relay.replica_uuid().to_owned();
        for doubt in config.filter.doubts() {
            tracing::warn!(%doubt, "replication rules");
        }
        let target = loop {
            let error = match open_target(&config.target) {
                Ok(target) => break target,
                Err(error) if error.kind().retry() == Retry::Backoff => error,
                Err(error) => return Err(error),
            };
            published.applier.set_error(&error, unix_now());
            tracing::warn!(errno = error.errno(), error = %error.full_text(), "the target cannot be reached yet");
            if !pause(config.connect_retry, stop).await {
                return Ok(None);
            }
        };
        let until = Arc::new(OnceLock::new());
        if let Until::Position(position) = &config.until {
            // Nobody else has it yet.
            let _ = until.set(position.clone());
        }
        Ok(Some(Self {
            config,
            relay,
            target,
            published,
            until,
        }))
    }

    /// Runs until stopped, `until` is reached, or an error ends it (with `exit_on_error`).
    ///
    /// # Errors
    /// Only what keeps the pipeline from running at all.
    pub async fn run(mut self, stop: CancellationToken) -> Result<Outcome> {
        let mut refetched: Option<(Arc<str>, u64)> = None;
        loop {
            let (destination, from) = match self.establish(&stop).await {
                Ok(Some(established)) => established,
                Ok(None) => return Ok(Outcome::Stopped),
                Err(error) if error.kind() == ErrorKind::DiskFull => {
                    self.published.io.set_error(&error, unix_now());
                    tracing::warn!(errno = error.errno(), error = %error.full_text(), "there is no room to begin");
                    if !pause(self.config.connect_retry, &stop).await {
                        return Ok(Outcome::Stopped);
                    }
                    continue;
                }
                Err(error) => return self.stay(error, &stop).await,
            };
            self.published
                .set_relay(destination.end.clone(), destination.files.clone());
            let ended = self.session(destination.clone(), from.clone(), &stop);
            let damage = match ended.await? {
                SessionEnd::Over(outcome) => return Ok(outcome),
                SessionEnd::Damaged(error) => error,
                SessionEnd::OtherSource(to) => {
                    match self.change_source(&destination, from, to, &stop).await {
                        Ok(true) => continue,
                        Ok(false) => return Ok(Outcome::Stopped),
                        Err(error) => return self.stay(error, &stop).await,
                    }
                }
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
            waits_for_operator: !self.config.exit_on_error,
            stop: stop_receiver.clone(),
        };
        let relay_log = destination.clone();
        let applier = self.applier(destination, from);
        let stop_applier = applier.stop.clone();
        let purging = self.purger(&relay_log);
        let mut sides = Sides {
            receiving: tokio::spawn(async move { receiver.run().await }),
            applying: tokio::task::spawn_blocking(move || applier.run()),
            received: false,
            applied: false,
            exit_on_error: self.config.exit_on_error,
        };
        let outcome = sides.watch(&relay_log, stop).await?;
        stop_applier.cancel();
        stop_receiver.cancel();
        relay_log.files.close();
        relay_log.end.wake();
        if matches!(outcome, SessionEnd::Damaged(_) | SessionEnd::OtherSource(_)) {
            // The relay log is about to be cut: nobody may write it, or apply from it, any more.
            sides.join().await;
            if let Some(purging) = purging {
                purging.await.map_err(task_panicked)?;
            }
        } else if tokio::time::timeout(DRAIN_TIMEOUT, sides.join())
            .await
            .is_err()
        {
            tracing::warn!(
                "not drained in time; what is open is rolled back and comes again at the next start"
            );
        }
        Ok(outcome)
    }

    /// Starts what removes relay files; nothing with `relay_log_purge` off.
    fn purger(&self, relay_log: &Destination) -> Option<JoinHandle<()>> {
        let retention = self.config.relay_log.retention?;
        let purger = Purger {
            files: relay_log.files.clone(),
            end: relay_log.end.clone(),
            retention,
        };
        Some(tokio::task::spawn_blocking(move || purger.run()))
    }

    fn applier(&self, destination: Destination, from: Checkpoint) -> Applier {
        let schema: Arc<dyn SourceSchema> = Arc::new(LiveSchema::new(
            self.config.source.clone(),
            &self.config.filter,
            Handle::current(),
        ));
        Applier {
            destination,
            from,
            target: self.target.clone(),
            schema: schema.clone(),
            filter: self.config.filter.clone(),
            snapshots: Arc::new(SourceTables {
                live: LiveSnapshots::new(self.config.source.clone(), Handle::current()),
                names: SourceNames::new(&self.config.filter),
                schema: schema.clone(),
            }),
            on_table_error: self.config.on_table_error,
            workers: self.config.workers,
            until: self.until.clone(),
            at_until: match self.config.until {
                Until::CaughtUp => AtUntil::ReadBeyond,
                Until::Position(_) | Until::Stopped => AtUntil::ReadThere,
            },
            cut_short: Vec::new(),
            has_begun: false,
            is_full: false,
            published: self.published.clone(),
            stop: CancellationToken::new(),
            flag: Arc::new(Mutex::new(Arc::new(StopFlag::default()))),
        }
    }
}

fn open_target(config: &TargetConfig) -> Result<Arc<dyn Target>> {
    Ok(match config {
        TargetConfig::Sqlite { dir } => Arc::new(SqliteTarget::open(dir)?),
        TargetConfig::Mysql(mysql) => Arc::new(MysqlTarget::connect(mysql)?),
    })
}

/// Whether the relay log no longer holds what was received where an error happened; an event that is whole and cannot
/// be decoded would come again as it is.
fn is_relay_damaged(relay_log: &Destination, error: &Error) -> bool {
    let at = error.at();
    match (error.kind(), &at.file, at.pos) {
        (ErrorKind::Corrupt, Some(file), Some(pos)) => {
            recover::is_damaged(&relay_log.directory, &Position::new(file.clone(), pos))
        }
        _ => false,
    }
}

/// The two sides of a session while they run.
struct Sides {
    receiving: JoinHandle<Result<Parted>>,
    applying: JoinHandle<Result<Ended>>,
    /// The receiver has ended.
    received: bool,
    /// The applier side has ended.
    applied: bool,
    exit_on_error: bool,
}

impl Sides {
    /// Waits for what ends the session. One side that stops leaves the other running, as on any replica.
    async fn watch(
        &mut self,
        relay_log: &Destination,
        stop: &CancellationToken,
    ) -> Result<SessionEnd> {
        loop {
            tokio::select! {
                received = &mut self.receiving, if !self.received => {
                    self.received = true;
                    match received.map_err(task_panicked)? {
                        Ok(Parted::Stopped) => {}
                        Ok(Parted::OtherSource(to)) => return Ok(SessionEnd::OtherSource(to)),
                        Err(error) => {
                            tracing::error!(errno = error.errno(), error = %error.full_text(), "receiving stopped");
                            if self.exit_on_error {
                                return Ok(SessionEnd::Over(Outcome::Failed(error)));
                            }
                        }
                    }
                }
                ended = &mut self.applying, if !self.applied => {
                    self.applied = true;
                    match ended.map_err(task_panicked)? {
                        Ok(Ended::Until) => return Ok(SessionEnd::Over(Outcome::Until)),
                        Ok(Ended::Stopped) => {}
                        Err(error) if is_relay_damaged(relay_log, &error) => {
                            return Ok(SessionEnd::Damaged(error));
                        }
                        Err(error) => {
                            tracing::error!(errno = error.errno(), error = %error.full_text(), "applying stopped");
                            if self.exit_on_error {
                                return Ok(SessionEnd::Over(Outcome::Failed(error)));
                            }
                        }
                    }
                }
                () = stop.cancelled() => return Ok(SessionEnd::Over(Outcome::Stopped)),
            }
        }
    }

    /// Waits until both have ended. How no longer matters: what is whole is kept, the rest comes again.
    async fn join(&mut self) {
        if !self.applied {
            let _ = (&mut self.applying).await;
        }
        if !self.received {
            let _ = (&mut self.receiving).await;
        }
    }
}

/// How a session ended.
enum SessionEnd {
    Over(Outcome),
    Damaged(Error),
    /// Another server is at the source's address, and holds all that was received.
    OtherSource(Arc<str>),
}

fn task_panicked(error: tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::Internal, "a stage panicked").with_source(error)
}
