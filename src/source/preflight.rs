//! Every reason why a source could not be followed, or would make trouble later, each with its cure.
//!
//! `check` prints all findings; `run` refuses to start on one of level [`Level::Error`].

mod rules;
mod start;

pub use rules::check_rules;

use super::connection::{SourceConnection, connect};
use super::grants::Grants;
use super::info::{SourceInfo, Version};
use super::refusal::grant_statement;
use super::semi_sync::SemiSync;
use crate::binlog::checksum::Checksum;
use crate::binlog::flavor::Flavor;
use crate::config::source::{SourceConfig, Start};
use crate::error::{Error, ErrorKind, Result};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it should be.
    Ok,
    /// Works, but something will be missed or may go wrong later.
    Warning,
    /// Cannot work.
    Error,
}

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// What was checked: one word or two.
    pub check: &'static str,
    /// What was found.
    pub text: String,
    /// What to do: exact SQL or my.cnf lines.
    pub cure: Option<String>,
    /// MySQL's number, 0 where there is none.
    pub errno: u16,
    kind: ErrorKind,
}

impl Finding {
    /// As it should be.
    pub fn ok(check: &'static str, text: impl Into<String>) -> Self {
        Self {
            level: Level::Ok,
            check,
            text: text.into(),
            cure: None,
            errno: 0,
            kind: ErrorKind::Preflight,
        }
    }

    /// Works, with a cure for what may go wrong.
    pub fn warning(check: &'static str, text: impl Into<String>, cure: impl Into<String>) -> Self {
        Self {
            level: Level::Warning,
            cure: Some(cure.into()),
            ..Self::ok(check, text)
        }
    }

    fn error(check: &'static str, text: impl Into<String>, cure: impl Into<String>) -> Self {
        Self {
            level: Level::Error,
            errno: 1593,
            ..Self::warning(check, text, cure)
        }
    }

    /// A failed step of the checks themselves; its text holds its cure.
    pub fn failed(check: &'static str, error: &Error) -> Self {
        Self {
            level: Level::Error,
            errno: error.errno(),
            kind: error.kind(),
            ..Self::ok(check, error.full_text())
        }
    }

    fn with_errno(mut self, kind: ErrorKind, errno: u16) -> Self {
        (self.kind, self.errno) = (kind, errno);
        self
    }

    /// The error to refuse with; `None` below [`Level::Error`].
    pub fn to_error(&self) -> Option<Error> {
        if self.level != Level::Error {
            return None;
        }
        let what = match &self.cure {
            Some(cure) => format!("{}; {cure}", self.text),
            None => self.text.clone(),
        };
        Some(Error::new(self.kind, what).with_errno(self.errno))
    }
}

/// Shortest time that a source should keep its files.
const EXPIRY_SECONDS_MIN: u64 = 24 * 3600;

/// Checks a source; `start` is where replication would begin, when there is no checkpoint yet.
pub async fn preflight(config: &SourceConfig, start: Option<&Start>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if config.server_id == 0 {
        findings.push(Finding::error(
            "server_id",
            "our own server_id is 0, which no replica may have",
            "set server_id to a number that no other server of the topology has (1 to 4294967295)",
        ));
    }
    let mut source = match connect(config).await {
        Ok(source) => source,
        Err(error) => {
            let check = if error.kind() == ErrorKind::Access {
                "login"
            } else {
                "reachable"
            };
            findings.push(Finding::failed(check, &error));
            return findings;
        }
    };
    let info = source.info().clone();
    findings.push(Finding::ok(
        "reachable",
        format!(
            "{}:{} answers: {} {}",
            config.host, config.port, info.flavor, info.version_text
        ),
    ));
    findings.push(Finding::ok(
        "login",
        format!("logged in as {}", info.account),
    ));
    findings.push(check_version(&info));
    match check_grants(&mut source).await {
        Ok(grants) => findings.extend(grants),
        Err(error) => findings.push(Finding::failed("grants", &error)),
    }
    findings.push(check_server_id(config, &info));
    findings.extend(config.semi_sync.then(|| check_semi_sync(&info)));
    findings.extend(check_binlog(&info));
    if info.is_on("log_bin") {
        findings.extend(start::check_start(&mut source, start).await);
    }
    source.quit().await;
    findings
}

fn check_version(info: &SourceInfo) -> Finding {
    let (oldest, newest) = match info.flavor {
        Flavor::MySql => (Version::new(5, 7, 0), Version::new(9, u16::MAX, 0)),
        Flavor::MariaDb => (Version::new(10, 5, 0), Version::new(11, u16::MAX, 0)),
    };
    if (oldest..=newest).contains(&info.version) {
        return Finding::ok(
            "version",
            format!("{} {} is supported", info.flavor, info.version),
        );
    }
    Finding::warning(
        "version",
        format!(
            "{} {} is not tested; {} {oldest} to {}.x are",
            info.flavor, info.version, info.flavor, newest.major
        ),
        "compare some tables of source and target before you rely on it",
    )
}

async fn check_grants(source: &mut SourceConnection) -> Result<Vec<Finding>> {
    let answer = source.query("SHOW GRANTS").await?;
    let lines: Vec<String> = answer
        .rows
        .iter()
        .filter_map(|row| row.first()?.as_deref())
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect();
    let grants = Grants::parse(lines.iter().map(String::as_str));
    Ok(grant_findings(&grants, source.info()))
}

fn grant_findings(grants: &Grants, info: &SourceInfo) -> Vec<Finding> {
    let account = &info.account;
    let privilege = |name: &'static str, why: &str, has: bool| {
        if has {
            return Finding::ok("grants", format!("{account} has {name}"));
        }
        let text = format!("{account} lacks {name}, needed {why}");
        let cure = format!("on the source: {};", grant_statement(account));
        Finding::error("grants", text, cure).with_errno(ErrorKind::Access, 1227)
    };
    let mut findings = vec![
        privilege(
            "REPLICATION SLAVE",
            "to read the binary log",
            grants.replication_slave(),
        ),
        privilege(
            "REPLICATION CLIENT",
            "to see binary log files",
            grants.replication_client(),
        ),
    ];
    let select_cure =
        || grant_statement(account).replace("REPLICATION SLAVE, REPLICATION CLIENT", "SELECT");
    findings.push(if grants.select_all() {
        Finding::ok(
            "grants",
            format!("{account} has SELECT, to read table definitions"),
        )
    } else if grants.select_some() {
        Finding::warning(
            "grants",
            format!(
                "{account} has SELECT on some databases only; tables elsewhere cannot be looked up"
            ),
            format!(
                "on the source, if you replicate more than these: {};",
                select_cure()
            ),
        )
    } else {
        Finding::warning(
            "grants",
            format!(
                "{account} has no SELECT: a table met for the first time is known only if its \
                 CREATE TABLE is in the binary log, or by the column names of \
                 binlog_row_metadata = FULL"
            ),
            format!("on the source: {};", select_cure()),
        )
    });
    findings
}

fn check_server_id(config: &SourceConfig, info: &SourceInfo) -> Finding {
    let id = info.server_id;
    if id == 0 {
        return Finding::error(
            "server_id",
            "the source's server_id is 0: it refuses replicas",
            "on the source: SET GLOBAL server_id = 1; and server_id = 1 in its my.cnf under \
             [mysqld]",
        )
        .with_errno(ErrorKind::Preflight, 1236);
    }
    if id == config.server_id {
        return Finding::error(
            "server_id",
            format!("the source has our own server_id ({id})"),
            "set another server_id here; each server of a topology needs its own",
        );
    }
    Finding::ok(
        "server_id",
        format!("the source has {id}, we have {}", config.server_id),
    )
}

/// Whether the source waits for acknowledgements, where they were asked for.
fn check_semi_sync(info: &SourceInfo) -> Finding {
    match info.semi_sync() {
        SemiSync::On => Finding::ok("semi_sync", "the source waits for acknowledgements"),
        state => Finding::warning(
            "semi_sync",
            "semi_sync is set, but the source waits for nobody",
            state.cure(),
        ),
    }
}

/// How the source writes its binlog.
fn check_binlog(info: &SourceInfo) -> Vec<Finding> {
    if !info.is_on("log_bin") {
        return vec![Finding::error(
            "log_bin",
            "the source writes no binary log",
            "in the source's my.cnf under [mysqld]: log_bin = binlog, server_id = 1, \
             binlog_format = ROW; then restart it",
        )];
    }
    let mut findings = vec![
        Finding::ok("log_bin", "the source writes a binary log"),
        check_format(info),
        check_row_image(info),
        check_row_metadata(info),
        check_checksum(info),
        check_expiry(info),
    ];
    if let Some(options) = info
        .variable("binlog_row_value_options")
        .filter(|v| !v.is_empty())
    {
        findings.push(Finding::ok(
            "binlog_row_value_options",
            format!("{options}: JSON updates come as diffs"),
        ));
    }
    if info.is_on("log_bin_compress") || info.is_on("binlog_transaction_compression") {
        findings.push(Finding::ok(
            "compression",
            "the source compresses its binary log; it is unpacked here",
        ));
    }
    if info.is_on("encrypt_binlog") || info.is_on("binlog_encryption") {
        findings.push(Finding::ok(
            "encryption",
            "the source encrypts its binary log and sends it in clear: the relay log here is not \
             encrypted",
        ));
    }
    findings
}

fn check_format(info: &SourceInfo) -> Finding {
    match info.variable("binlog_format") {
        Some(format) if !format.eq_ignore_ascii_case("ROW") => Finding::error(
            "binlog_format",
            format!(
                "binlog_format is {format}: changes may come as statements, which cannot be applied"
            ),
            "on the source: SET GLOBAL binlog_format = ROW; and binlog_format = ROW in its \
             my.cnf under [mysqld]; sessions that are open keep the old format until they \
             reconnect",
        ),
        _ => Finding::ok("binlog_format", "ROW"),
    }
}

fn check_row_image(info: &SourceInfo) -> Finding {
    match info.variable("binlog_row_image").unwrap_or("FULL") {
        full if full.eq_ignore_ascii_case("FULL") => Finding::ok("binlog_row_image", "FULL"),
        part if info.flavor == Flavor::MariaDb && !part.eq_ignore_ascii_case("FULL_NODUP") => {
            Finding::warning(
                "binlog_row_image",
                format!(
                    "{part}: when REPLACE meets a row, MariaDB does not log what columns become that \
                     it does not name"
                ),
                "on the source: SET GLOBAL binlog_row_image = FULL; and the same line in its my.cnf \
                 under [mysqld]",
            )
        }
        other => Finding::ok(
            "binlog_row_image",
            format!("{other}: columns that are not in the binary log keep their values"),
        ),
    }
}

fn check_row_metadata(info: &SourceInfo) -> Finding {
    match info.variable("binlog_row_metadata") {
        Some(full) if full.eq_ignore_ascii_case("FULL") => {
            Finding::ok("binlog_row_metadata", "FULL")
        }
        Some(other) => Finding::warning(
            "binlog_row_metadata",
            format!(
                "{other}: column names of tables met for the first time are those the source has \
                 now, not then"
            ),
            "on the source: SET GLOBAL binlog_row_metadata = FULL; and the same line in its \
             my.cnf under [mysqld]",
        ),
        None => Finding::warning(
            "binlog_row_metadata",
            "the source cannot log column names: those of tables met for the first time are \
             those it has now",
            "start before the tables are created, or do not alter them until they are replicated",
        ),
    }
}

fn check_checksum(info: &SourceInfo) -> Finding {
    match info.checksum {
        Checksum::Crc32 => Finding::ok("binlog_checksum", "CRC32"),
        Checksum::Off => Finding::warning(
            "binlog_checksum",
            "NONE: bytes damaged on the way or on a disk are not noticed",
            "on the source: SET GLOBAL binlog_checksum = CRC32;",
        ),
    }
}

/// How long the source keeps its files; `None` for ever.
fn expiry_seconds(info: &SourceInfo) -> Option<u64> {
    let number = |name| {
        info.variable(name)
            .and_then(|value| value.parse::<f64>().ok())
    };
    let seconds = number("binlog_expire_logs_seconds").filter(|seconds| *seconds > 0.0);
    let days = number("expire_logs_days").filter(|days| *days > 0.0);
    if info.variable("binlog_expire_logs_auto_purge").is_some()
        && !info.is_on("binlog_expire_logs_auto_purge")
    {
        return None;
    }
    let seconds = seconds.or(days.map(|days| days * 86400.0))?;
    // Both servers keep it below 2^32.
    format!("{seconds:.0}").parse().ok()
}

fn check_expiry(info: &SourceInfo) -> Finding {
    match expiry_seconds(info) {
        None => Finding::ok(
            "expiry",
            "binary log files are kept until somebody purges them",
        ),
        Some(seconds) if seconds >= EXPIRY_SECONDS_MIN => Finding::ok(
            "expiry",
            format!("binary log files are kept for {} hours", seconds / 3600),
        ),
        Some(seconds) => Finding::warning(
            "expiry",
            format!(
                "binary log files are kept for {seconds} s only: a replica that is away for \
                 longer cannot go on"
            ),
            if info.variable("binlog_expire_logs_seconds").is_some() {
                "on the source: SET GLOBAL binlog_expire_logs_seconds = 604800; and the same \
                 line in its my.cnf"
            } else {
                "on the source: SET GLOBAL expire_logs_days = 7; and the same line in its my.cnf"
            },
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::start::check_position;
    use super::*;
    use crate::binlog::position::Position;
    use crate::source::info::tests::info;

    fn level_of(findings: &[Finding], check: &str) -> Level {
        findings
            .iter()
            .filter(|f| f.check == check)
            .map(|f| f.level)
            .max()
            .unwrap()
    }

    #[test]
    fn a_binlog_as_it_should_be_and_as_it_should_not() {
        let good = check_binlog(&info(&[
            ("version", "8.4.1"),
            ("log_bin", "ON"),
            ("binlog_format", "ROW"),
            ("binlog_row_image", "minimal"),
            ("binlog_row_metadata", "FULL"),
            ("binlog_checksum", "CRC32"),
            ("binlog_expire_logs_seconds", "2592000"),
        ]));
        assert!(good.iter().all(|f| f.level == Level::Ok), "{good:?}");
        let bad = check_binlog(&info(&[
            ("version", "8.4.1"),
            ("log_bin", "1"),
            ("binlog_format", "MIXED"),
            ("binlog_row_metadata", "MINIMAL"),
            ("binlog_checksum", "NONE"),
            ("binlog_expire_logs_seconds", "3600"),
        ]));
        assert_eq!(level_of(&bad, "binlog_format"), Level::Error);
        for check in ["binlog_row_metadata", "binlog_checksum", "expiry"] {
            assert_eq!(level_of(&bad, check), Level::Warning, "{check}");
        }
        assert!(
            bad.iter()
                .filter(|f| f.level != Level::Ok)
                .all(|f| f.cure.is_some())
        );
        let mariadb = |image| {
            let version = ("version", "10.11.6-MariaDB");
            check_row_image(&info(&[version, ("binlog_row_image", image)])).level
        };
        assert_eq!(mariadb("FULL"), Level::Ok);
        assert_eq!(mariadb("FULL_NODUP"), Level::Ok);
        assert_eq!(mariadb("NOBLOB"), Level::Warning);
        let off = check_binlog(&info(&[("version", "8.4.1"), ("log_bin", "OFF")]));
        assert_eq!(level_of(&off, "log_bin"), Level::Error);
        let error = off[0].to_error().unwrap();
        assert_eq!((error.kind(), error.errno()), (ErrorKind::Preflight, 1593));
        assert!(error.what().contains("log_bin = binlog"));
    }

    #[test]
    fn files_expire_by_seconds_or_by_days() {
        let seconds = |variables: &[(&str, &str)]| expiry_seconds(&info(variables));
        assert_eq!(seconds(&[("expire_logs_days", "7.000000")]), Some(604_800));
        assert_eq!(
            seconds(&[
                ("expire_logs_days", "0.041667"),
                ("binlog_expire_logs_seconds", "3600")
            ]),
            Some(3600)
        );
        assert_eq!(
            seconds(&[
                ("binlog_expire_logs_seconds", "0"),
                ("expire_logs_days", "2")
            ]),
            Some(172_800)
        );
        assert_eq!(seconds(&[("binlog_expire_logs_seconds", "0")]), None);
        let kept = [
            ("binlog_expire_logs_seconds", "60"),
            ("binlog_expire_logs_auto_purge", "OFF"),
        ];
        assert_eq!(seconds(&kept), None);
    }

    #[test]
    fn a_position_is_in_a_file_or_refused() {
        let mysql = info(&[("version", "8.4.1")]);
        let logs = [("b.2".to_owned(), 500), ("b.3".to_owned(), 5_000_000_000)];
        let check =
            |file: &str, offset| check_position(&mysql, &logs, &Position::new(file, offset));
        assert_eq!(check("b.2", 500).level, Level::Ok);
        for (file, offset) in [("b.1", 4), ("b.2", 501), ("b.3", 4_500_000_000)] {
            let error = check(file, offset).to_error().unwrap();
            assert_eq!(
                (error.kind(), error.errno()),
                (ErrorKind::Dump, 1236),
                "{file}:{offset}"
            );
        }
        assert!(check("b.1", 4).text.contains("oldest is b.2"));
    }

    #[test]
    fn grants_and_ids() {
        let mysql = info(&[("version", "8.4.1"), ("server_id", "7")]);
        let none = grant_findings(&Grants::default(), &mysql);
        let levels: Vec<Level> = none.iter().map(|f| f.level).collect();
        assert_eq!(levels, [Level::Error, Level::Error, Level::Warning]);
        assert_eq!(none[0].errno, 1227);
        assert!(
            none[2]
                .cure
                .as_ref()
                .unwrap()
                .contains("GRANT SELECT ON *.* TO 'slave'@'%'")
        );
        assert_eq!(check_version(&mysql).level, Level::Ok);
        assert_eq!(
            check_version(&info(&[("version", "12.3.1-MariaDB")])).level,
            Level::Warning
        );
        assert_eq!(
            check_version(&info(&[("version", "5.6.40")])).level,
            Level::Warning
        );
    }
}
