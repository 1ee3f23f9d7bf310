//! `relaylite status`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use comfy_table::{ContentArrangement, Table, presets};

use super::{of_relay_dir, print_line};
use crate::config::DEFAULT_TARGET;
use crate::config::limits::STATUS_TRIES_MAX;
use crate::config::target::TargetConfig;
use crate::error::{Error, ErrorKind, Result};
use crate::relay::receiver::unix_now;
use crate::serve::status::StatusReport;
use crate::serve::{control, offline};

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// TOML file that `run` was given; names the directories
    #[arg(long, value_name = "FILE", env = "RELAYLITE_CONFIG")]
    config: Option<PathBuf>,
    /// Directory of the relay log [default: relay]
    #[arg(long, value_name = "DIR")]
    relay_dir: Option<PathBuf>,
    /// Target, to look at when no process runs: sqlite:DIR [default: sqlite:data]
    #[arg(long, value_name = "URL")]
    target: Option<String>,
    /// As JSON; schemas/status.schema.json says what is in it
    #[arg(long)]
    json: bool,
}

/// Exit code 0 when a process runs and neither side of it has stopped, else 1.
pub(super) fn status(args: &StatusArgs) -> Result<ExitCode> {
    let (relay_dir, layer) = of_relay_dir(args.config.as_deref(), args.relay_dir.clone())?;
    let report = report(&relay_dir, args.target.clone().or(layer.target))?;
    if args.json {
        let text = serde_json::to_string_pretty(&report).map_err(|error| {
            Error::new(ErrorKind::Internal, "status as JSON").with_source(error)
        })?;
        print_line(&text)?;
    } else {
        print(&report)?;
    }
    let healthy = report.running && report.io_running != "No" && report.sql_running == "Yes";
    Ok(if healthy {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The report of the running process, or of the files when none runs.
fn report(relay_dir: &Path, target: Option<String>) -> Result<StatusReport> {
    let mut tries = STATUS_TRIES_MAX;
    loop {
        if let Some(report) = control::ask(relay_dir)? {
            return Ok(report);
        }
        tries -= 1;
        match from_files(relay_dir, target.clone()) {
            // A process that has just begun mends and purges files under our eyes; it answers for itself soon.
            Err(error) if error.kind() == ErrorKind::Io && tries > 0 => {}
            outcome => return outcome,
        }
    }
}

fn from_files(relay_dir: &Path, target: Option<String>) -> Result<StatusReport> {
    let remembered = offline::remembered_target(relay_dir)?;
    let target = target
        .or(remembered)
        .unwrap_or_else(|| DEFAULT_TARGET.to_owned());
    let directory = match TargetConfig::parse(&target, None)? {
        TargetConfig::Sqlite { dir } => Some(dir),
        TargetConfig::Mysql(_) => None,
    };
    if !relay_dir.exists() {
        return Err(Error::new(
            ErrorKind::Config,
            format!(
                "there is no relay directory {}; give --relay-dir DIR",
                relay_dir.display()
            ),
        ));
    }
    offline::report(relay_dir, directory.as_deref())
}

/// The report as `SHOW REPLICA STATUS\G` would print it, then the lanes as a table.
fn print(report: &StatusReport) -> Result<()> {
    let value = serde_json::to_value(report)
        .map_err(|error| Error::new(ErrorKind::Internal, "status").with_source(error))?;
    for (name, value) in value.as_object().into_iter().flatten() {
        let text = match value {
            serde_json::Value::Null => "NULL".to_owned(),
            serde_json::Value::String(text) => text.clone(),
            serde_json::Value::Array(_) => continue,
            other => other.to_string(),
        };
        print_line(&format!("{name:>28}: {text}"))?;
    }
    print_lanes(report)?;
    print_quarantine(report)
}

fn new_table<const COLUMNS: usize>(header: [&str; COLUMNS]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(header);
    table
}

fn print_quarantine(report: &StatusReport) -> Result<()> {
    if !report.quarantine.is_empty() {
        print_line("\nSet aside; `relaylite resync DB.TABLE` reads a table afresh:")?;
        let mut table = new_table([
            "Table",
            "Errno",
            "File",
            "Pos",
            "Events passed over",
            "Reason",
        ]);
        for aside in &report.quarantine {
            table.add_row([
                format!("{}.{}", aside.database, aside.table),
                aside.errno.to_string(),
                aside.source_log_file.clone(),
                aside.source_log_pos.to_string(),
                aside.passed_over_row_events.to_string(),
                aside.reason.clone(),
            ]);
        }
        print_line(&table.to_string())?;
    }
    if !report.resyncs.is_empty() {
        print_line("\nTo be read afresh:")?;
        let mut table = new_table(["Table", "State", "Rows", "Of about", "Last error"]);
        for resync in &report.resyncs {
            table.add_row([
                format!("{}.{}", resync.database, resync.table),
                resync.state.clone(),
                resync.rows.to_string(),
                resync.rows_estimate.to_string(),
                resync.last_error.clone().unwrap_or_default(),
            ]);
        }
        print_line(&table.to_string())?;
    }
    Ok(())
}

fn print_lanes(report: &StatusReport) -> Result<()> {
    if report.lanes.is_empty() {
        return Ok(());
    }
    let mut table = new_table([
        "Database",
        "State",
        "File",
        "Pos",
        "Transactions",
        "Rows",
        "Queued bytes",
    ]);
    for lane in &report.lanes {
        table.add_row([
            lane.database.clone(),
            lane.state.clone(),
            lane.exec_source_log_file.clone().unwrap_or_default(),
            lane.exec_source_log_pos
                .map_or_else(String::new, |pos| pos.to_string()),
            lane.transactions.to_string(),
            lane.rows.to_string(),
            lane.queued_bytes.to_string(),
        ]);
    }
    print_line(&format!("\n{table}"))?;
    print_statements(report)
}

/// The statements that take as long as their tables are large.
fn print_statements(report: &StatusReport) -> Result<()> {
    let statements = report
        .lanes
        .iter()
        .filter_map(|lane| lane.statement.as_ref());
    let statements: Vec<_> = statements.collect();
    if statements.is_empty() {
        return Ok(());
    }
    print_line("\nIn one statement:")?;
    let mut table = new_table(["Table", "Work", "Rows", "Of", "Seconds"]);
    let number = |number: Option<u64>| number.map_or_else(String::new, |n| n.to_string());
    for statement in statements {
        let seconds = unix_now().saturating_sub(statement.since);
        table.add_row([
            statement.table.clone(),
            statement.work.clone(),
            number(statement.rows),
            number(statement.rows_total),
            seconds.to_string(),
        ]);
    }
    print_line(&table.to_string())
}
