//! `relaylite check`.

use std::process::ExitCode;

use super::{Settings, print_line};
use crate::config::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::source::{Level, check_rules, preflight};

pub(super) fn check(settings: Settings) -> Result<ExitCode> {
    let config = Config::from_layer(settings.merged()?)?;
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
    for finding in &findings {
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
