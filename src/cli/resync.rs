//! `relaylite resync`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::{of_relay_dir, print_line};
use crate::config::limits::RESYNC_POLL;
use crate::dispatch::quarantine::TableId;
use crate::error::{Error, ErrorKind, Result};
use crate::serve::control;
use crate::serve::status::StatusReport;

#[derive(Debug, Args)]
pub(super) struct ResyncArgs {
    /// The tables. A name that holds a dot or a backquote stands in backquotes, as in MySQL
    #[arg(value_name = "DB.TABLE", required = true)]
    tables: Vec<String>,
    /// Wait until they are followed again; exit code 1 when one is not
    #[arg(long)]
    wait: bool,
    /// TOML file that `run` was given; names the directories
    #[arg(long, value_name = "FILE", env = "RELAYLITE_CONFIG")]
    config: Option<PathBuf>,
    /// Directory of the relay log [default: relay]
    #[arg(long, value_name = "DIR")]
    relay_dir: Option<PathBuf>,
}

/// Exit code 0 when the running process has taken the request; with `--wait`, when it is done.
pub(super) fn resync(args: &ResyncArgs) -> Result<ExitCode> {
    let tables: Vec<TableId> = args
        .tables
        .iter()
        .map(|text| parse(text))
        .collect::<Result<_>>()?;
    let (relay_dir, _) = of_relay_dir(args.config.as_deref(), args.relay_dir.clone())?;
    if control::resync(&relay_dir, tables.clone())?.is_none() {
        return Err(not_running(&relay_dir));
    }
    if !args.wait {
        return Ok(ExitCode::SUCCESS);
    }
    let mut code = ExitCode::SUCCESS;
    for table in &tables {
        match wait(&relay_dir, table)? {
            None => print_line(&format!("{table}: read afresh, and followed again"))?,
            Some(error) => {
                print_line(&format!("{table}: {error}"))?;
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}

/// Waits until a request is over; what went wrong, if anything.
fn wait(relay_dir: &Path, id: &TableId) -> Result<Option<String>> {
    loop {
        let Some(report) = control::ask(relay_dir)? else {
            return Err(not_running(relay_dir));
        };
        if let Some(outcome) = outcome(&report, id) {
            return Ok(outcome);
        }
        std::thread::sleep(RESYNC_POLL);
    }
}

/// How a request ended: `None` while it has not, `Some(None)` when the table is followed again.
fn outcome(report: &StatusReport, id: &TableId) -> Option<Option<String>> {
    let mut requests = report.resyncs.iter();
    let request = requests.find(|it| it.database == id.database && it.table == id.table);
    if let Some(request) = request {
        let failed = request.state == "failed";
        return failed.then(|| Some(request.last_error.clone().unwrap_or_default()));
    }
    let mut marks = report.quarantine.iter();
    let mark = marks.find(|it| it.database == id.database && it.table == id.table);
    Some(mark.map(|mark| format!("still set aside: {}", mark.reason)))
}

fn not_running(relay_dir: &Path) -> Error {
    Error::new(
        ErrorKind::Config,
        format!(
            "no relaylite runs with the relay directory {}: a table is read afresh while replication runs; start \
             `relaylite run` and ask again (give --relay-dir when it is another)",
            relay_dir.display()
        ),
    )
}

/// `DB.TABLE`, each in backquotes or plain.
fn parse(text: &str) -> Result<TableId> {
    let wrong = || {
        let what = format!("`{text}` is no table; write DB.TABLE, names with dots in backquotes");
        Error::new(ErrorKind::Config, what)
    };
    let (database, rest) = name(text).ok_or_else(wrong)?;
    let table = rest.strip_prefix('.').ok_or_else(wrong)?;
    let table = match table.starts_with('`') {
        true => name(table)
            .filter(|(_, rest)| rest.is_empty())
            .map(|(name, _)| name),
        // Nothing follows it that a dot could separate.
        false => Some(table.to_owned()),
    };
    let table = table.filter(|table| !table.is_empty()).ok_or_else(wrong)?;
    Ok(TableId { database, table })
}

/// The first name of a text, and what follows it.
fn name(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('`') else {
        let end = text.find('.')?;
        let (name, rest) = text.split_at_checked(end)?;
        return (!name.is_empty()).then(|| (name.to_owned(), rest));
    };
    let mut name = String::new();
    let mut rest = quoted;
    loop {
        let (before, after) = rest.split_once('`')?;
        name.push_str(before);
        match after.strip_prefix('`') {
            Some(more) => {
                name.push('`');
                rest = more;
            }
            None => return (!name.is_empty()).then_some((name, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_named_as_in_mysql() {
        for (text, database, table) in [
            ("d.t", "d", "t"),
            ("d.a.b", "d", "a.b"),
            ("`d.x`.`a``b`", "d.x", "a`b"),
            ("käse & co.t", "käse & co", "t"),
        ] {
            assert_eq!(
                parse(text).unwrap(),
                TableId::new(database, table),
                "{text}"
            );
        }
        for text in ["", "t", ".t", "d.", "`d.t", "``.t", "`d`t", "d.`t`x"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
