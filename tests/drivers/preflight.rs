//! The checks before a start, on servers that are good, and on servers that are bad in each way.

use relaylite::config::source::{DriverKind, SourceConfig};
use relaylite::error::ErrorKind;
use relaylite::source::{Finding, Level, preflight};

use super::follower::config;
use crate::support::server::{Flavor, Server};

fn findings(config: &SourceConfig, start: Option<&str>) -> Vec<Finding> {
    let start = start.map(|word| word.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(preflight(config, start.as_ref()))
}

fn errors(findings: &[Finding]) -> Vec<&Finding> {
    findings
        .iter()
        .filter(|finding| finding.level == Level::Error)
        .collect()
}

/// Asserts that exactly this check fails, and says so with this number and cure.
#[track_caller]
fn assert_fails(findings: &[Finding], check: &str, errno: u16, cure: &str) {
    let errors = errors(findings);
    assert!(
        errors.iter().all(|finding| finding.check == check),
        "{errors:#?}"
    );
    assert!(!errors.is_empty(), "{check}: {findings:#?}");
    for finding in errors {
        assert_eq!(finding.errno, errno, "{finding:#?}");
        let text = finding.to_error().unwrap().full_text();
        assert!(text.contains(cure), "'{cure}' is not in: {text}");
    }
}

#[test]
fn a_good_source_has_no_error() {
    for flavor in Flavor::both() {
        let server = Server::builder(flavor)
            .arg("--binlog-row-metadata=FULL")
            .start();
        server.exec("CREATE DATABASE d");
        let config = config(&server, DriverKind::Native);
        let (file, offset) = server.position();
        let here = format!("{file}:{offset}");
        let set = format!("gtid:{}", server.gtid_position());
        for start in [
            None,
            Some("earliest"),
            Some("latest"),
            Some(here.as_str()),
            Some(&set),
        ] {
            let findings = findings(&config, start);
            let bad: Vec<_> = findings.iter().filter(|f| f.level != Level::Ok).collect();
            let expected = bad
                .iter()
                .all(|f| flavor.is_mariadb() && f.check == "binlog_checksum");
            assert!(expected, "{start:?} {bad:#?}");
            let checked = |check| findings.iter().any(|f| f.check == check);
            assert!(checked("grants") && checked("expiry") && checked("binlog_format"));
            assert_eq!(checked("start"), start.is_some());
        }
    }
}

#[test]
fn each_bad_setting_is_found() {
    for flavor in Flavor::both() {
        let server = Server::start(flavor);
        let good = config(&server, DriverKind::Native);

        server.exec("SET GLOBAL binlog_format = MIXED");
        assert_fails(
            &findings(&good, None),
            "binlog_format",
            1593,
            "SET GLOBAL binlog_format = ROW",
        );
        server.exec("SET GLOBAL binlog_format = ROW");

        let same_id = SourceConfig {
            server_id: 100,
            ..good.clone()
        };
        assert_fails(
            &findings(&same_id, None),
            "server_id",
            1593,
            "another server_id",
        );

        let wrong = SourceConfig {
            password: "x".into(),
            ..good.clone()
        };
        assert_fails(
            &findings(&wrong, None),
            "login",
            1045,
            "check user and password",
        );

        let nowhere = SourceConfig {
            port: 1,
            ..good.clone()
        };
        assert_fails(
            &findings(&nowhere, None),
            "reachable",
            2003,
            "check host and port",
        );

        server.exec("CREATE USER nobody IDENTIFIED BY 'x'; GRANT SELECT ON *.* TO nobody");
        let nobody = SourceConfig {
            user: "nobody".into(),
            password: "x".into(),
            ..good.clone()
        };
        let found = findings(&nobody, None);
        let grants: Vec<_> = errors(&found)
            .into_iter()
            .filter(|f| f.check == "grants")
            .collect();
        assert_eq!(grants.len(), 2, "{found:#?}");
        assert!(grants.iter().all(|f| f.errno == 1227));

        for start in ["binlog.999999:4", "binlog.000001:999999"] {
            let found = findings(&good, Some(start));
            assert_fails(&found, "start", 1236, "the source is now at binlog.");
            assert_eq!(
                errors(&found)[0].to_error().unwrap().kind(),
                ErrorKind::Dump
            );
        }
        let foreign = match flavor {
            Flavor::MariaDb | Flavor::MariaDb11 => "gtid:5678eb41-e6a5-11f1-a27a-02fc00000001:1-3",
            Flavor::MySql => "gtid:0-1-7",
        };
        assert_eq!(errors(&findings(&good, Some(foreign))).len(), 1);
    }
}

#[test]
fn a_source_without_a_binary_log_and_one_without_an_id() {
    for flavor in Flavor::both() {
        let server = Server::builder(flavor)
            .arg("--skip-log-bin")
            .gtid_mode(false)
            .start();
        let found = findings(&config(&server, DriverKind::Native), Some("latest"));
        assert_fails(&found, "log_bin", 1593, "log_bin = binlog");
    }
    let server = Server::builder(Flavor::MySql).server_id(0).start();
    let found = findings(&config(&server, DriverKind::Native), None);
    assert_fails(&found, "server_id", 1236, "SET GLOBAL server_id = 1");
}

#[test]
fn a_privilege_by_a_role_counts() {
    for flavor in Flavor::both() {
        let server = Server::start(flavor);
        let default = match flavor {
            Flavor::MySql => "SET DEFAULT ROLE replica TO r",
            Flavor::MariaDb | Flavor::MariaDb11 => "SET DEFAULT ROLE replica FOR r",
        };
        server.exec(&format!(
            "CREATE ROLE replica; GRANT REPLICATION SLAVE, REPLICATION CLIENT, SELECT ON *.* TO replica;
             CREATE USER r IDENTIFIED BY 'x'; GRANT replica TO r; {default}"
        ));
        let mut config = config(&server, DriverKind::Native);
        config.user = "r".to_owned();
        config.password = "x".into();
        assert!(errors(&findings(&config, None)).is_empty());
    }
}

#[test]
fn purged_transactions_are_found_before_the_dump() {
    let server = Server::start(Flavor::MySql);
    server.exec("CREATE DATABASE d; FLUSH BINARY LOGS");
    server.purge_binlogs_to(&server.position().0);
    let config = config(&server, DriverKind::Native);
    assert_fails(
        &findings(&config, Some("gtid:")),
        "start",
        1236,
        "--start gtid:",
    );
    let all = format!("gtid:{}", server.gtid_position());
    assert!(errors(&findings(&config, Some(&all))).is_empty());
}
