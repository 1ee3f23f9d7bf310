//! `relaylite check`.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;

use super::loose_files::loose_files;
use super::{Settings, print_line};
use crate::config::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::source::{Finding, Level, check_rules, preflight};

/// Loose files that `check` names one by one.
const LOOSE_FILES_SHOWN: usize = 8;

pub(super) fn check(settings: Settings) -> Result<ExitCode> {
    let layer = settings.merged()?;
    let passwords = [&layer.password_file, &layer.target_password_file];
    let passwords: Vec<_> = passwords.into_iter().flatten().cloned().collect();
    let config = Config::from_layer(layer)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            Error::new(ErrorKind::Internal, "the network runtime cannot start").with_source(error)
        })?;
    let findings = runtime.block_on(async {
        let mut findings = preflight(&config.source, Some(&config.start)).await;
        findings.extend(check_rules(&config.source, &config.filter).await);
        findings
    });
    let (mut errors, mut warnings) = (0, 0);
    let findings = findings
        .into_iter()
        .chain(private_files(&config, &passwords))
        .chain(config.metrics_listen.map(metrics_address));
    for finding in findings {
        let mark = match finding.level {
            Level::Ok => "ok     ",
            Level::Warning => "warning",
            Level::Error => "ERROR  ",
        };
        errors += usize::from(finding.level == Level::Error);
        warnings += usize::from(finding.level == Level::Warning);
        let number = if finding.errno == 0 {
            String::new()
        } else {
            format!(" [{}]", finding.errno)
        };
        print_line(&format!(
            "{mark} {}: {}{number}",
            finding.check, finding.text
        ))?;
        if let Some(cure) = &finding.cure {
            for line in cure.lines() {
                print_line(&format!("          -> {line}"))?;
            }
        }
    }
    print_line(&match (errors, warnings) {
        (0, 0) => "run can start".to_owned(),
        (0, n) => format!("run can start; {n} of these may go wrong later"),
        (n, _) => format!("run cannot start: {n} of these must be mended first"),
    })?;
    Ok(if errors == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Whether `run` could listen there.
fn metrics_address(address: SocketAddr) -> Finding {
    const CHECK: &str = "metrics";
    match TcpListener::bind(address) {
        Ok(_) => Finding::ok(CHECK, format!("{address} is free to listen on")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Finding::warning(
            CHECK,
            format!("somebody listens on {address} already"),
            "nothing to do when that is this replica, running; else give another --metrics-listen",
        ),
        Err(error) => {
            let what =
                format!("nobody can listen on {address} here; give another --metrics-listen");
            let error = Error::new(ErrorKind::Config, what).with_source(error);
            Finding::failed(CHECK, &error)
        }
    }
}

/// Whether anybody else can read what is ours.
fn private_files(config: &Config, passwords: &[PathBuf]) -> Vec<Finding> {
    let found = match loose_files(config, passwords) {
        Ok(found) => found,
        Err(error) => return vec![Finding::failed("private files", &error)],
    };
    if found.is_empty() {
        return vec![Finding::ok(
            "private files",
            "only their owner can read them",
        )];
    }
    let warning = |(path, mode): (PathBuf, u32)| {
        let path = path.display();
        Finding::warning(
            "private files",
            format!("others can read or write {path} (mode {mode:04o})"),
            format!("chmod go= '{path}'"),
        )
    };
    let more = found.len().saturating_sub(LOOSE_FILES_SHOWN);
    let mut findings: Vec<_> = found
        .into_iter()
        .take(LOOSE_FILES_SHOWN)
        .map(warning)
        .collect();
    if more > 0 {
        let what = format!("the same is true of {more} more files");
        findings.push(Finding::warning(
            "private files",
            what,
            "chmod -R go= on the directories",
        ));
    }
    findings
}
