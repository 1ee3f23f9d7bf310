//! What the I/O side publishes of itself, for `status`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::ack::{AckStatistics, Wanted};
use super::receiver::unix_now;
use super::writer::Heard;
use crate::error::Error;
use crate::source::SemiSync;

/// What the I/O side is doing, in MySQL's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IoPhase {
    /// Not running: never started, ended, or stopped by an error that needs an operator.
    #[default]
    No,
    /// Trying to reach the source.
    Connecting,
    /// Receiving.
    Yes,
}

impl IoPhase {
    /// As `Replica_IO_Running` shows it.
    pub fn text(self) -> &'static str {
        match self {
            Self::No => "No",
            Self::Connecting => "Connecting",
            Self::Yes => "Yes",
        }
    }
}

/// A snapshot.
#[derive(Debug, Clone, Default)]
pub struct IoStatus {
    /// What it is doing.
    pub phase: IoPhase,
    /// `server_uuid` or `server_id` of the source.
    pub source_id: Option<Arc<str>>,
    /// The source's version as it words it.
    pub source_version: Option<String>,
    /// What was received.
    pub heard: Heard,
    /// When that was, and how late: the age of the last event when it came, in seconds.
    pub heard_at: Option<(Instant, u64)>,
    /// Our clock less the source's when the connection was made, in seconds.
    pub clock_difference: i64,
    /// What the source's clock said, and when. From then on the time since counts, and not our clock, which may be set.
    pub clock: Option<(u64, Instant)>,
    /// Connections made since start.
    pub connections: u64,
    /// Semi-synchronous replication of this connection; `None` when it is not configured, or nobody is connected.
    pub semi_sync: Option<SemiSync>,
    /// What was acknowledged.
    pub acks: AckStatistics,
    /// Number, text and time (seconds since 1970) of the last error, until the next success.
    pub last_error: Option<(u16, String, u64)>,
}

impl IoStatus {
    /// The source's clock, where ours says `now`; in seconds since 1970.
    pub fn source_now(&self, now: u64) -> i64 {
        let seconds = |time: u64| i64::try_from(time).unwrap_or(i64::MAX);
        match self.clock {
            Some((source, at)) => seconds(source.saturating_add(at.elapsed().as_secs())),
            None => seconds(now).saturating_sub(self.clock_difference),
        }
    }
}

/// Where it is published.
#[derive(Debug, Default)]
pub struct IoState {
    status: Mutex<IoStatus>,
}

impl IoState {
    fn lock(&self) -> MutexGuard<'_, IoStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The snapshot now.
    pub fn get(&self) -> IoStatus {
        self.lock().clone()
    }

    /// What it is doing now.
    pub fn set_phase(&self, phase: IoPhase) {
        self.lock().phase = phase;
    }

    /// Who the source is.
    pub fn set_source(&self, id: Arc<str>, version: String) {
        let mut status = self.lock();
        status.source_id = Some(id);
        status.source_version = Some(version);
    }

    /// What the source's clock said when ours said `now`.
    pub fn set_clock(&self, source: u64, now: u64) {
        let difference = i128::from(now) - i128::from(source);
        let mut status = self.lock();
        status.clock_difference = i64::try_from(difference).unwrap_or_default();
        status.clock = Some((source, Instant::now()));
    }

    /// The first events of a connection are in: what was wrong before is over.
    pub fn set_receiving(&self) {
        let mut status = self.lock();
        status.phase = IoPhase::Yes;
        status.connections += 1;
        status.last_error = None;
    }

    /// What the source of this connection does about acknowledgements.
    pub fn set_semi_sync(&self, semi_sync: Option<SemiSync>) {
        self.lock().semi_sync = semi_sync;
    }

    /// Something was acknowledged, so the source takes it.
    pub fn count_ack(&self, wanted: &Wanted) {
        let mut status = self.lock();
        status.acks.count(wanted);
        status.semi_sync = Some(SemiSync::On);
    }

    /// More was received.
    pub fn set_heard(&self, heard: &Heard) {
        let mut status = self.lock();
        let age = status.source_now(unix_now()) - i64::from(heard.timestamp);
        let late = match heard.timestamp {
            0 => 0,
            _ if heard.idle => 0,
            _ => u64::try_from(age).unwrap_or_default(),
        };
        status.heard_at = Some((Instant::now(), late));
        status.heard.clone_from(heard);
    }

    /// An error ended the connection, or the attempt at one.
    pub fn set_error(&self, error: &Error, now: u64) {
        self.lock().last_error = Some((error.errno(), error.full_text(), now));
    }
}
