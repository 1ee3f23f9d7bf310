//! The status report of a running process, from what its stages publish.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::lag::Observed;
use super::published::{Published, RelayLog};
use super::status::{LaneReport, QuarantineReport, ResyncReport, StatementReport, StatusReport};
use crate::apply::quarantine::SetAside;
use crate::apply::work::WorkDone;
use crate::binlog::position::Position;
use crate::checkpoint::Checkpoint;
use crate::config::Config;
use crate::config::filter::FilterConfig;
use crate::dispatch::progress::{LaneProgress, LaneState};
use crate::dispatch::resync::Resync;
use crate::dispatch::state::ApplierStatus;
use crate::error::ErrorKind;
use crate::relay::files::RelayRoom;
use crate::relay::io_state::{IoPhase, IoStatus};
use crate::relay::receiver::unix_now;
use crate::source::SemiSync;

/// What of the configuration the report shows.
#[derive(Debug, Clone)]
pub struct Identity {
    host: String,
    port: u16,
    user: String,
    server_id: u32,
    connect_retry: u64,
    heartbeat_period: Duration,
    filter: FilterConfig,
    semi_sync: bool,
}

impl Identity {
    /// The parts of a configuration that may be shown.
    pub fn of(config: &Config) -> Self {
        Self {
            host: config.source.host.clone(),
            port: config.source.port,
            user: config.source.user.clone(),
            server_id: config.source.server_id,
            connect_retry: config.connect_retry.as_secs(),
            heartbeat_period: config.source.heartbeat_period,
            filter: config.filter.clone(),
            semi_sync: config.source.semi_sync,
        }
    }

    /// Fills in what the report says of the configuration.
    pub fn fill(&self, report: &mut StatusReport) {
        report.source_host = Some(self.host.clone());
        report.source_port = Some(self.port);
        report.source_user = Some(self.user.clone());
        report.server_id = Some(self.server_id);
        report.connect_retry = Some(self.connect_retry);
        let filter = &self.filter;
        report.replicate_do_db = filter.do_db.join(",");
        report.replicate_ignore_db = filter.ignore_db.join(",");
        report.replicate_do_table = filter.do_table.join(",");
        report.replicate_ignore_table = filter.ignore_table.join(",");
        report.replicate_wild_do_table = filter.wild_do_table.join(",");
        report.replicate_wild_ignore_table = filter.wild_ignore_table.join(",");
        let pairs: Vec<String> = filter
            .rewrite_db
            .iter()
            .map(|(from, to)| format!("({from},{to})"))
            .collect();
        report.replicate_rewrite_db = pairs.join(",");
    }
}

/// The report now.
pub fn report(identity: &Identity, published: &Published) -> StatusReport {
    let io = published.io.get();
    let applier = published.applier.get();
    let lanes = published
        .lanes
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let mut report = StatusReport {
        running: true,
        process_id: Some(std::process::id()),
        io_running: io.phase.text().to_owned(),
        sql_running: if applier.running { "Yes" } else { "No" }.to_owned(),
        connections: io.connections,
        received_bytes: io.heard.bytes,
        received_heartbeats: io.heard.heartbeats,
        passed_over_statements: applier.passed_over,
        left_out_row_events: applier.left_out.row_events,
        left_out_statements: applier.left_out.statements,
        ..StatusReport::default()
    };
    identity.fill(&mut report);
    report.fill_prepared_xa(applier.parked, applier.oldest_parked.as_ref());
    fill_errors(&mut report, &io, applier.last_error.as_ref());
    fill_semi_sync(&mut report, identity, &io);
    let relay = published.relay();
    let received = relay.as_ref().and_then(|relay| relay.end.get().end);
    let room = relay.as_ref().map(|relay| relay.files.room());
    let room = room.unwrap_or_default();
    if let Some(end) = &received {
        report.source_log_file = Some(end.file.to_string());
        report.read_source_log_pos = Some(end.offset);
    }
    let idle = lanes.iter().all(|lane| {
        lane.queued_bytes.load(Ordering::Relaxed) == 0 && lane.state() == LaneState::Idle
    });
    let caught_up = applier.running && applier.caught_up && idle;
    // Once everything is handed out and every lane is idle, what was read is applied; before that the slowest lane
    // counts, and nothing is known while one has not committed at all.
    let applied = match &applier.read {
        Some(read) if caught_up || lanes.is_empty() => Some(Arc::new(read.clone())),
        _ => slowest(&lanes),
    };
    let applied = applied.map(|at| (at.position.clone(), at.executed.to_string()));
    if let Some((position, executed)) = &applied {
        report.relay_source_log_file = Some(position.file.to_string());
        report.exec_source_log_pos = Some(position.offset);
        report.executed_gtid_set.clone_from(executed);
    }
    let received_gtids = relay.as_ref().map(|relay| relay.end.received());
    report.retrieved_gtid_set =
        received_gtids.map_or_else(String::new, |received| received.set().to_string());
    report.bytes_behind_source = match (&relay, applied) {
        (Some(relay), Some((applied, _))) => bytes_behind(relay, &applied),
        _ if caught_up => Some(0),
        _ => None,
    };
    report.disk_full = disk_full(room, applier.last_error.as_ref());
    let lag = Observed {
        io: &io,
        applier: &applier,
        lanes: &lanes,
        room,
        target_full: is_target_full(applier.last_error.as_ref()),
        caught_up,
        received: received.as_ref(),
        is_whole: is_received_whole(relay.as_ref(), &applier),
        heartbeat: identity.heartbeat_period,
        now: unix_now(),
    };
    fill_lag(&mut report, &lag);
    report.clock_difference_seconds = io.source_id.as_ref().map(|_| io.clock_difference);
    report.relay_log_space = room.bytes;
    report.replica_state = sentence(room, &io, applier.running, caught_up, received.as_ref());
    let sequence_events = lanes
        .iter()
        .map(|lane| lane.sequence_events.load(Ordering::Relaxed));
    report.sequence_row_events = sequence_events.sum();
    report.lanes = lanes.iter().map(|lane| lane_report(lane)).collect();
    fill_quarantine(&mut report, published);
    report
}

/// Whether the transaction that is being read was received to its end.
fn is_received_whole(relay: Option<&RelayLog>, applier: &ApplierStatus) -> bool {
    let Some((start, _)) = &applier.open else {
        return false;
    };
    let received = relay.map(|relay| relay.end.received());
    let end = received.as_ref().and_then(|received| received.end());
    end.is_some_and(|end| end.order(start) == Some(std::cmp::Ordering::Greater))
}

fn fill_lag(report: &mut StatusReport, lag: &Observed<'_>) {
    report.seconds_behind_source = lag.behind();
    report.receive_lag_seconds = lag.receive_lag();
    report.oldest_unapplied_seconds = lag.oldest_unapplied();
    report.lag_cause = lag.cause().map(str::to_owned);
}

fn fill_quarantine(report: &mut StatusReport, published: &Published) {
    // In this order: a table that is done leaves the quarantine first.
    report.resyncs = published
        .resyncs
        .all()
        .into_iter()
        .map(resync_report)
        .collect();
    let set_aside = published.quarantine.all().into_iter();
    report.quarantine = set_aside
        .map(|(database, aside)| QuarantineReport {
            passed_over_row_events: aside.passed_over,
            ..quarantine_report(database, aside.mark)
        })
        .collect();
}

/// A mark as the report shows it.
pub(super) fn quarantine_report(database: String, mark: SetAside) -> QuarantineReport {
    QuarantineReport {
        database,
        table: mark.table,
        errno: mark.errno,
        reason: mark.reason,
        source_log_file: mark.file,
        source_log_pos: mark.pos,
        since: mark.since,
        passed_over_row_events: 0,
        resync_wanted: mark.resync,
    }
}

fn resync_report(resync: Resync) -> ResyncReport {
    ResyncReport {
        database: resync.id.database,
        table: resync.id.table,
        state: resync.state.text().to_owned(),
        rows: resync.rows,
        rows_estimate: resync.rows_estimate,
        last_error: resync.error,
    }
}

fn fill_errors(report: &mut StatusReport, io: &IoStatus, sql: Option<&(u16, String, u64)>) {
    report.source_id = io.source_id.as_ref().map(ToString::to_string);
    report.source_version.clone_from(&io.source_version);
    if let Some((errno, text, at)) = &io.last_error {
        report.last_io_errno = *errno;
        report.last_io_error.clone_from(text);
        report.last_io_error_timestamp = Some(*at);
    }
    if let Some((errno, text, at)) = sql {
        report.last_sql_errno = *errno;
        report.last_sql_error.clone_from(text);
        report.last_sql_error_timestamp = Some(*at);
    }
}

fn fill_semi_sync(report: &mut StatusReport, identity: &Identity, io: &IoStatus) {
    let waits = io.phase == IoPhase::Yes && io.semi_sync == Some(SemiSync::On);
    report.semi_sync_status = if waits { "ON" } else { "OFF" }.to_owned();
    report.semi_sync_message = match io.semi_sync {
        _ if !identity.semi_sync || waits => String::new(),
        Some(state) if state != SemiSync::On => {
            format!("the source waits for nobody; {}", state.cure())
        }
        _ => "not connected to the source".to_owned(),
    };
    let acks = &io.acks;
    let micros = |time: std::time::Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    report.semi_sync_acks = acks.sent;
    report.semi_sync_acked_events = acks.events;
    report.semi_sync_ack_micros_last = acks.last().map(micros);
    report.semi_sync_ack_micros_average = acks.average().map(micros);
    report.semi_sync_ack_micros_max = (acks.sent > 0).then(|| micros(acks.longest));
}

/// The least commit of all lanes.
fn slowest(lanes: &[Arc<LaneProgress>]) -> Option<Arc<Checkpoint>> {
    let committed: Option<Vec<_>> = lanes.iter().map(|lane| lane.committed()).collect();
    committed?.into_iter().min_by(|a, b| {
        a.position
            .order(&b.position)
            .unwrap_or(std::cmp::Ordering::Equal)
    })
}

/// Bytes of relay log between `applied` and the durable end; holes of fillers count in the files between only.
fn bytes_behind(relay: &RelayLog, applied: &Position) -> Option<u64> {
    let durable = relay.end.get();
    let end = durable.end?;
    if end.file == applied.file {
        return Some(end.offset.saturating_sub(applied.offset));
    }
    let names = durable.index.names();
    let from = durable.index.count_before(&applied.file);
    let bytes = |name: &Arc<str>| relay.files.bytes_of(name);
    let whole = names.get(from..names.len().checked_sub(1)?)?;
    let all = whole.iter().map(bytes).sum::<u64>() + end.offset;
    Some(all.saturating_sub(applied.offset))
}

fn is_target_full(sql: Option<&(u16, String, u64)>) -> bool {
    sql.is_some_and(|(errno, ..)| *errno == ErrorKind::DiskFull.default_errno())
}

/// Whose disk was full at the last write.
fn disk_full(room: RelayRoom, sql: Option<&(u16, String, u64)>) -> Option<String> {
    match (room.disk_full, is_target_full(sql)) {
        (true, true) => Some("relay log, target".to_owned()),
        (true, false) => Some("relay log".to_owned()),
        (false, true) => Some("target".to_owned()),
        (false, false) => None,
    }
}

fn sentence(
    room: RelayRoom,
    io: &IoStatus,
    applying: bool,
    caught_up: bool,
    received: Option<&Position>,
) -> String {
    match (io.phase, applying) {
        (_, _) if room.waiting => "Waiting for the replica SQL thread to free relay log space",
        (_, _) if room.disk_full => "Waiting for room on the relay log's disk",
        (IoPhase::Connecting, _) => "Connecting to source",
        (IoPhase::No, _) => "Receiving has stopped; see Last_IO_Error",
        (_, false) if received.is_some() => "Applying has stopped; see Last_SQL_Error",
        (_, false) => "Waiting for source to send event",
        (_, true) if caught_up => "Replica has read all relay log; waiting for more updates",
        (_, true) => "Applying batch of row changes",
    }
    .to_owned()
}

fn lane_report(lane: &LaneProgress) -> LaneReport {
    let committed = lane.committed();
    LaneReport {
        database: lane.database.clone(),
        state: lane.state().text().to_owned(),
        exec_source_log_file: committed.as_ref().map(|at| at.position.file.to_string()),
        exec_source_log_pos: committed.as_ref().map(|at| at.position.offset),
        durable_source_log_pos: lane.durable().map(|at| at.position.offset),
        transactions: lane.transactions.load(Ordering::Relaxed),
        rows: lane.rows.load(Ordering::Relaxed),
        commits: lane.commits.load(Ordering::Relaxed),
        invalid_texts: lane.invalid_texts.load(Ordering::Relaxed),
        queued_bytes: lane.queued_bytes.load(Ordering::Relaxed),
        statement: lane
            .work
            .done()
            .map(|done| statement_report(&lane.database, done)),
    }
}

fn statement_report(database: &str, done: WorkDone) -> StatementReport {
    let table = match done.work.table.as_str() {
        "" => database.to_owned(),
        table => format!("{database}.{table}"),
    };
    StatementReport {
        work: done.work.what.to_owned(),
        table,
        rows: done.rows,
        rows_total: done.work.rows,
        since: done.since,
    }
}
