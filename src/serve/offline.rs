//! The status report when no process runs: from the relay log and the target's files.

use std::path::Path;

use super::report::quarantine_report;
use super::status::{LaneReport, StatusReport};
use crate::apply::sqlite;
use crate::checkpoint::Watermark;
use crate::disk::write_atomically;
use crate::error::Result;
use crate::relay::dir::source_directories;
use crate::relay::files::RelayFiles;
use crate::relay::received;
use crate::relay::recover;

/// Where a run keeps the target's URL for `status`, without a password.
const TARGET_FILE: &str = "target.url";

/// Remembers the target for [`remembered_target`].
pub fn remember_target(relay_dir: &Path, target: &str) -> Result<()> {
    if remembered_target(relay_dir)?.as_deref() == Some(target) {
        return Ok(()); // a restart on a full disk needs no room
    }
    write_atomically(
        &relay_dir.join(TARGET_FILE),
        format!("{target}\n").as_bytes(),
    )
}

/// The target of the last run in this relay directory.
pub fn remembered_target(relay_dir: &Path) -> Result<Option<String>> {
    match std::fs::read_to_string(relay_dir.join(TARGET_FILE)) {
        Ok(text) => Ok(Some(text.trim_end().to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What the files say; `target` is the directory of a SQLite target, where it is known.
pub fn report(relay_dir: &Path, target: Option<&Path>) -> Result<StatusReport> {
    let mut report = StatusReport {
        replica_state: "Not running".into(),
        io_running: "No".into(),
        sql_running: "No".into(),
        semi_sync_status: "OFF".into(),
        ..StatusReport::default()
    };
    let watermark = target.map(sqlite::watermark).transpose()?.flatten();
    let mut sources = source_directories(relay_dir)?;
    if let Some(watermark) = &watermark {
        let at = &watermark.at;
        report.fill_prepared_xa(watermark.parked.len(), watermark.parked.first());
        sources.retain(|(id, _)| *id == *at.source_id);
        report.source_id = Some(at.source_id.to_string());
        report.relay_source_log_file = Some(at.position.file.to_string());
        report.exec_source_log_pos = Some(at.position.offset);
        report.executed_gtid_set = at.executed.to_string();
    }
    if let Some((id, directory)) = sources.pop() {
        report.source_id = Some(id);
        let durable = recover::recover(&directory, false)?;
        let index = durable.index.clone();
        let files = RelayFiles::open(&directory, index, None)?;
        report.relay_log_space = files.room().bytes;
        if let Some(Watermark { at, .. }) = &watermark {
            let received = received::scan(&directory, &durable, &at.position, &at.executed)?;
            report.retrieved_gtid_set = received.set().to_string();
        }
        if let Some(end) = durable.end {
            report.source_log_file = Some(end.file.to_string());
            report.read_source_log_pos = Some(end.offset);
        }
    }
    if let Some(directory) = target {
        for (path, row, checkpoint) in sqlite::databases(directory)? {
            for mark in sqlite::marks(&path)? {
                let entry = quarantine_report(row.name.clone(), mark);
                report.quarantine.push(entry);
            }
            report.lanes.push(LaneReport {
                database: row.name,
                state: if row.dropped { "dropped" } else { "stopped" }.into(),
                exec_source_log_file: checkpoint.as_ref().map(|at| at.position.file.to_string()),
                exec_source_log_pos: checkpoint.as_ref().map(|at| at.position.offset),
                ..LaneReport::default()
            });
        }
    }
    Ok(report)
}
