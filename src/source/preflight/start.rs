//! Whether replication could begin where it is told to.

use super::{Finding, Level};
use crate::binlog::flavor::Flavor;
use crate::binlog::gtid::GtidSet;
use crate::binlog::position::{FIRST_EVENT_OFFSET, Position};
use crate::config::source::Start;
use crate::error::{ErrorKind, Result};
use crate::source::connection::SourceConnection;
use crate::source::dump::fits_dump_command;
use crate::source::info::SourceInfo;

/// Whether the source still has what replication would begin with.
pub(super) async fn check_start(
    source: &mut SourceConnection,
    start: Option<&Start>,
) -> Vec<Finding> {
    let logs = match source.binary_logs().await {
        Ok(logs) => logs,
        Err(error) => return vec![Finding::failed("start", &error)],
    };
    match start {
        None => Vec::new(),
        Some(Start::Position(position)) => {
            let finding = check_position(source.info(), &logs, position);
            if finding.level != Level::Ok {
                return vec![finding];
            }
            vec![
                check_boundary(source, &logs, position)
                    .await
                    .unwrap_or(finding),
            ]
        }
        Some(Start::Gtid(set)) => match check_gtid(source, set).await {
            Ok(finding) => vec![finding],
            Err(error) => vec![Finding::failed("start", &error)],
        },
        Some(start @ (Start::Earliest | Start::Latest)) => match source.resolve(start).await {
            Ok(at) => vec![Finding::ok("start", format!("{start} is {at}"))],
            Err(error) => vec![Finding::failed("start", &error)],
        },
    }
}

pub(super) fn check_position(
    info: &SourceInfo,
    logs: &[(String, u64)],
    position: &Position,
) -> Finding {
    if info.has_innodb_binlog() {
        return Finding::error(
            "start",
            "the source keeps its binlog in InnoDB, where a replica cannot start at a file and \
             position",
            "start with gtid:SET; SELECT @@gtid_binlog_pos on the source gives the present one",
        );
    }
    let present = logs
        .last()
        .map(|(file, size)| format!("{file}:{size}"))
        .unwrap_or_default();
    let refuse = |text: String| {
        let cure = format!(
            "the source is now at {present}: start there with --start {present}, or take another \
             START that SHOW BINARY LOGS on the source lists"
        );
        Finding::error("start", text, cure).with_errno(ErrorKind::Dump, 1236)
    };
    match logs.iter().find(|(file, _)| **file == *position.file) {
        None => {
            let oldest = logs
                .first()
                .map(|(file, _)| file.as_str())
                .unwrap_or_default();
            refuse(format!(
                "the source has no binary log file {} (purged, or never there); its oldest is \
                 {oldest}",
                position.file
            ))
        }
        Some((file, size)) if position.offset > *size => refuse(format!(
            "position {} is beyond the end of {file}, which has {size} bytes",
            position.offset
        )),
        Some(_) if !fits_dump_command(position.offset) && !knows_gtids_there(info) => {
            refuse(format!(
                "position {} is beyond 4 GiB, where a dump can only start by GTID (gtid:SET)",
                position.offset
            ))
        }
        Some(_) => Finding::ok("start", format!("the source has {position}")),
    }
}

/// Whether the GTIDs before a position beyond 4 GiB can be found out: MySQL's file is read up to there, MariaDB's
/// `BINLOG_GTID_POS` takes 32 bits.
fn knows_gtids_there(info: &SourceInfo) -> bool {
    info.flavor == Flavor::MySql && info.has_gtids()
}

/// Whether an event begins at the position: the source reads one there. `None` when it does, or does not say.
async fn check_boundary(
    source: &mut SourceConnection,
    logs: &[(String, u64)],
    position: &Position,
) -> Option<Finding> {
    let is_end = logs
        .iter()
        .any(|(file, size)| **file == *position.file && *size == position.offset);
    if is_end || position.offset <= FIRST_EVENT_OFFSET {
        return None;
    }
    let sql = format!(
        "SHOW BINLOG EVENTS IN '{}' FROM {} LIMIT 1",
        position.file.replace('\\', "\\\\").replace('\'', "''"),
        position.offset
    );
    let error = source.query(&sql).await.err()?;
    if matches!(error.kind(), ErrorKind::Network | ErrorKind::Access) {
        return None;
    }
    let present = logs
        .last()
        .map(|(file, size)| format!("{file}:{size}"))
        .unwrap_or_default();
    Some(
        Finding::error(
            "start",
            format!("no event begins at {position}: {}", error.what()),
            format!(
                "SHOW BINLOG EVENTS IN '{}' on the source lists where events begin; the source is \
                 now at {present}: start there with --start {present}",
                position.file
            ),
        )
        .with_errno(ErrorKind::Dump, 1236),
    )
}

async fn check_gtid(source: &mut SourceConnection, set: &GtidSet) -> Result<Finding> {
    source.resolve(&Start::Gtid(set.clone())).await?;
    if source.info().flavor == Flavor::MariaDb {
        // MariaDB says only when asked for the dump whether it has the next transaction of each domain.
        return Ok(Finding::ok("start", format!("after gtid:{set}")));
    }
    if !source
        .info()
        .variable("gtid_mode")
        .is_some_and(|mode| mode.starts_with("ON"))
    {
        return Ok(Finding::error(
            "start",
            "the source writes no GTIDs (gtid_mode is not ON)",
            "start with FILE:POS, or turn on gtid_mode and enforce_gtid_consistency on the source",
        ));
    }
    let answer = source
        .query("SELECT @@global.gtid_purged AS purged")
        .await?;
    let purged: GtidSet = answer.first("purged").unwrap_or_default().parse()?;
    if purged.is_subset(set) {
        return Ok(Finding::ok("start", format!("after gtid:{set}")));
    }
    Ok(Finding::error(
        "start",
        format!(
            "the source has purged transactions that come after gtid:{set}: gtid_purged is {purged}"
        ),
        format!(
            "load the data anew and start after what it holds, or take them as done: --start \
             gtid:{purged}"
        ),
    )
    .with_errno(ErrorKind::Dump, 1236))
}
