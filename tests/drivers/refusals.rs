//! What goes wrong in every replication guide, provoked on real servers.

use std::net::TcpListener;

use relaylite::binlog::position::Position;
use relaylite::error::{Error, ErrorKind};
use relaylite::source::StartAt;

use super::follower::{Follower, Start, config, drivers, log_in};
use crate::support::server::{Flavor, REPL_PASSWORD, REPL_USER, Server};

fn native(server: &Server) -> relaylite::config::source::SourceConfig {
    config(server, relaylite::config::source::DriverKind::Native)
}

#[track_caller]
fn assert_says(error: &Error, kind: ErrorKind, errno: u16, parts: &[&str]) {
    let text = error.full_text();
    assert_eq!((error.kind(), error.errno()), (kind, errno), "{text}");
    for part in parts {
        assert!(text.contains(part), "'{part}' is not in: {text}");
    }
    assert!(!text.contains(REPL_PASSWORD) && !format!("{error:?}").contains(REPL_PASSWORD));
}

#[test]
fn nobody_listens() {
    let server = Server::start(Flavor::MariaDb);
    let mut config = native(&server);
    // A port that was free a moment ago.
    config.port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let peer = format!("127.0.0.1:{}", config.port);
    let error = log_in(&config).unwrap_err();
    assert_says(
        &error,
        ErrorKind::Network,
        2003,
        &[&peer, "refused", "bind_address"],
    );
    config.host = "no-such-host.invalid".to_owned();
    let error = log_in(&config).unwrap_err();
    assert_says(&error, ErrorKind::Network, 2003, &["no-such-host.invalid"]);
}

#[test]
fn the_password_is_wrong() {
    for flavor in Flavor::both() {
        let server = Server::start(flavor);
        let mut config = native(&server);
        config.password = "another-secret".into();
        let error = log_in(&config).unwrap_err();
        assert_says(
            &error,
            ErrorKind::Access,
            1045,
            &[REPL_USER, "Access denied"],
        );
        assert!(!error.full_text().contains("another-secret"));
    }
}

#[test]
fn the_grant_is_missing() {
    for flavor in Flavor::both() {
        let server = Server::start(flavor);
        server.exec("CREATE USER nobody IDENTIFIED BY 'x'");
        let mut config = native(&server);
        config.user = "nobody".to_owned();
        config.password = "x".into();
        let grant = "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO 'nobody'@'%'";
        let error = Follower::try_start(&config, &Start::Latest).err().unwrap();
        assert_says(&error, ErrorKind::Access, 1227, &[grant]);
        let (file, offset) = server.position();
        for driver in drivers() {
            config.driver = driver;
            let at = Start::At(StartAt::Position(Position::new(file.as_str(), offset)));
            let error = match Follower::try_start(&config, &at) {
                Ok(mut follower) => follower.until_error(),
                Err(error) => error,
            };
            assert_says(&error, ErrorKind::Access, 1227, &[grant]);
        }
        server.exec(grant);
        Follower::start(&config, &Start::Latest).until_heartbeats(1);
    }
}

#[test]
fn the_position_is_not_there() {
    for flavor in Flavor::both() {
        let server = Server::start(flavor);
        let first = server.position().0;
        server.exec("CREATE DATABASE d; FLUSH BINARY LOGS; FLUSH BINARY LOGS");
        let (second, _) = server.binlog_files().swap_remove(1);
        server.purge_binlogs_to(&second);
        let (last, end) = server.position();
        let cure = format!("--start {last}:{end}");
        for (file, offset) in [(&first, 4), (&last, 1_000_000)] {
            let asked = format!("{file}:{offset}");
            for driver in drivers() {
                let at = Start::At(StartAt::Position(Position::new(file.as_str(), offset)));
                let error = Follower::start(&config(&server, driver), &at).until_error();
                assert_says(&error, ErrorKind::Dump, 1236, &[&asked, &cure, &second]);
            }
        }
        // Inside of an event: the source sends an error, or bytes that are no event; never is it silent.
        Follower::start(&native(&server), &Start::Word(cure.replace("--start ", "")))
            .until_heartbeats(1);
    }
}

#[test]
fn a_gtid_set_that_was_purged_is_refused() {
    let server = Server::start(Flavor::MySql);
    server.exec("CREATE DATABASE d; FLUSH BINARY LOGS");
    let (last, end) = server.position();
    server.purge_binlogs_to(&last);
    for driver in drivers() {
        let start = Start::Word("gtid:".to_owned());
        let error = Follower::start(&config(&server, driver), &start).until_error();
        assert_says(
            &error,
            ErrorKind::Dump,
            1236,
            &[&format!("--start {last}:{end}"), "gtid:"],
        );
    }
}

#[test]
fn another_replica_has_our_id() {
    for flavor in Flavor::both() {
        let server = Server::start(flavor);
        for driver in drivers() {
            let config = config(&server, driver);
            let mut first = Follower::start(&config, &Start::Latest);
            first.until_heartbeats(1);
            let mut second = Follower::start(&config, &Start::Latest);
            second.until_heartbeats(1);
            let error = first.until_error();
            assert_eq!(error.kind(), ErrorKind::Double, "{error}");
            let parts = ["4711", "another server_id"];
            assert_says(&error, ErrorKind::Double, error.errno(), &parts);
        }
    }
}

#[test]
fn a_position_over_4_gib_names_gtid_mode() {
    for flavor in Flavor::both() {
        let server = Server::start(flavor);
        for driver in drivers() {
            let at = Position::new(server.position().0, 5_000_000_000);
            let start = Start::At(StartAt::Position(at));
            let error = Follower::try_start(&config(&server, driver), &start)
                .err()
                .unwrap();
            assert_says(&error, ErrorKind::Dump, 1236, &["4 GiB", "gtid:SET"]);
        }
    }
}
