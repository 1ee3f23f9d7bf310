//! The contract of the source drivers, kept by both on both servers: the bytes they give are the source's own.

pub(crate) mod follower;
mod logins;
pub(crate) use logins::Certificates;
mod preflight;
mod refusals;

use std::fs;
use std::thread;
use std::time::Duration;

use follower::{Follower, Start, config, drivers, masked};
use relaylite::binlog::position::Position;
use relaylite::config::source::{DriverKind, SourceConfig};
use relaylite::error::ErrorKind;
use relaylite::source::StartAt;

use crate::support::server::{Flavor, Server};

/// DDL, transactions over several files, text and bytes, a table that is altered between rows.
const WORK: &str = "
    CREATE DATABASE shop;
    CREATE TABLE shop.item (id INT PRIMARY KEY, name VARCHAR(200), data BLOB) ENGINE=InnoDB;
    INSERT INTO shop.item VALUES (1, 'käse', NULL), (2, NULL, x'00ff');
    FLUSH BINARY LOGS;
    BEGIN; UPDATE shop.item SET name = 'x' WHERE id = 1; DELETE FROM shop.item WHERE id = 2; COMMIT;
    ALTER TABLE shop.item ADD price DECIMAL(10,2);
    INSERT INTO shop.item VALUES (3, 'three', REPEAT('y', 60000), 1.5);
    FLUSH BINARY LOGS;
    INSERT INTO shop.item VALUES (4, 'four', NULL, NULL);
";

fn position(file: &str, offset: u64) -> Start {
    Start::At(StartAt::Position(Position::new(file, offset)))
}

/// Asserts that what was followed of `file` is what the server has there from its first to its last followed byte.
#[track_caller]
fn assert_same(server: &Server, follower: &Follower, file: &str) {
    let (offset, bytes) = follower.file(file);
    let on_disk = fs::read(server.binlog_path(file)).unwrap();
    let end = offset + bytes.len();
    let expected = masked(on_disk[offset..end].to_vec(), offset);
    let got = masked(bytes.to_vec(), offset);
    if got != expected {
        let at = got.iter().zip(&expected).position(|(a, b)| a != b);
        panic!("{file} differs from {offset} + {at:?} of {}", got.len());
    }
}

#[test]
fn the_bytes_are_those_of_the_files() {
    for flavor in Flavor::both() {
        let server = Server::builder(flavor)
            .arg("--loose-binlog-annotate-row-events=ON")
            .start();
        server.exec(WORK);
        let files = server.binlog_files();
        assert!(files.len() >= 3);
        let is_last = |file: &str| files.last().is_some_and(|(last, _)| last == file);
        for driver in drivers() {
            let config = config(&server, driver);
            let mut follower = Follower::start(&config, &position(&files[0].0, 4));
            follower.until(&server.position());
            for (file, size) in &files {
                let (offset, bytes) = follower.file(file);
                let len = bytes.len() as u64;
                // MariaDB appends a Binlog_checkpoint to a new file when it gets to it.
                let is_whole = len == size - 4 || is_last(file) && len > size - 4;
                assert!(
                    offset == 4 && is_whole,
                    "{driver:?} {file}: {offset}, {len} of {size}"
                );
                assert_same(&server, &follower, file);
            }
        }
    }
}

#[test]
fn a_dump_goes_on_with_what_is_written_while_it_runs() {
    for flavor in Flavor::both() {
        let server = Server::start(flavor);
        for driver in drivers() {
            let config = config(&server, driver);
            let (file, offset) = server.position();
            let mut follower = Follower::start(&config, &Start::Latest);
            server.exec("CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY)");
            let mut session = server.client();
            for id in 0..50 {
                session.exec(&format!("INSERT INTO d.t VALUES ({id})"));
                if id % 10 == 0 {
                    follower.until(&server.position());
                }
            }
            follower.until(&server.position());
            assert_eq!(follower.file(&file).0 as u64, offset);
            assert_same(&server, &follower, &file);
            server.exec("DROP DATABASE d");
        }
    }
}

#[test]
fn a_dump_resumes_between_any_two_events() {
    for flavor in Flavor::both() {
        let server = Server::start(flavor);
        server.exec(WORK);
        let end = server.position();
        let file = &server.binlog_files()[1].0;
        for driver in drivers() {
            let config = config(&server, driver);
            let mut whole = Follower::start(&config, &position(file, 4));
            whole.until(&end);
            // The crate's small writes make each of its starts take a third of a second.
            let step = if driver == DriverKind::Native { 1 } else { 5 };
            for offset in whole.event_offsets(file).into_iter().skip(1).step_by(step) {
                // Another replica each time, or the source first waits for the end of the last one.
                let config = SourceConfig {
                    server_id: 10_000 + u32::try_from(offset).unwrap(),
                    replica_uuid: format!("0badcafe-0000-4000-8000-{offset:012}"),
                    ..config.clone()
                };
                let mut rest = Follower::start(&config, &position(file, offset as u64));
                rest.until(&end);
                assert_eq!(rest.file(file).0, offset);
                assert_same(&server, &rest, file);
            }
        }
    }
}

#[test]
fn a_dump_starts_after_a_gtid_set() {
    for flavor in Flavor::both() {
        let server = Server::start(flavor);
        server.exec(WORK);
        let (file, offset) = server.position();
        let set = server.gtid_position();
        server.exec("INSERT INTO shop.item VALUES (5, 'five', NULL, NULL)");
        let end = server.position();
        for driver in drivers() {
            let config = config(&server, driver);
            let mut follower = Follower::start(&config, &Start::Word(format!("gtid:{set}")));
            follower.until(&end);
            // What belongs to the set is skipped; what follows is as it is in the file.
            let (_, bytes) = follower.file(&file);
            let on_disk = fs::read(server.binlog_path(&file)).unwrap();
            let tail = &on_disk[usize::try_from(offset).unwrap()..];
            assert!(bytes.ends_with(tail), "{flavor:?} {driver:?}");
            assert!(bytes.len() < on_disk.len() - 4);

            let mut all = Follower::start(&config, &Start::Word("gtid:".to_owned()));
            all.until(&end);
            assert_same(&server, &all, &server.binlog_files()[0].0);
        }
    }
}

#[test]
fn tagged_gtids_are_understood_in_a_set() {
    let server = Server::start(Flavor::MySql);
    server.exec(
        "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY);
         SET gtid_next = 'AUTOMATIC:backfill'; INSERT INTO d.t VALUES (1); INSERT INTO d.t VALUES (2)",
    );
    let set = server.gtid_position();
    assert!(set.contains(":backfill:1-2"), "{set}");
    let (file, offset) = server.position();
    server.exec("SET gtid_next = 'AUTOMATIC:backfill'; INSERT INTO d.t VALUES (3)");
    let config = config(&server, DriverKind::Native);
    let mut follower = Follower::start(&config, &Start::Word(format!("gtid:{set}")));
    follower.until(&server.position());
    let on_disk = fs::read(server.binlog_path(&file)).unwrap();
    let tail = &on_disk[usize::try_from(offset).unwrap()..];
    assert!(follower.file(&file).1.ends_with(tail));
}

#[test]
fn earliest_and_latest_are_the_ends_of_the_history() {
    for flavor in Flavor::both() {
        let server = Server::start(flavor);
        server.exec(WORK);
        let config = config(&server, DriverKind::Native);
        let (first, _) = server.binlog_files().remove(0);
        let end = server.position();
        let earliest = follower::resolve(&config, "earliest");
        assert_eq!(earliest, StartAt::Position(Position::new(first, 4)));
        let latest = follower::resolve(&config, "latest");
        assert_eq!(latest, StartAt::Position(Position::new(end.0, end.1)));
        assert_eq!(
            follower::current_gtids(&config).to_string(),
            server.gtid_position()
        );
    }
}

/// Inserts a row of `len` bytes; returns the size of its event.
fn insert(server: &Server, len: usize) -> usize {
    server.exec(&format!("INSERT INTO d.t VALUES (REPEAT('x', {len}))"));
    follower::row_event_sizes(server).pop().unwrap()
}

/// Inserts a row whose event makes a packet of exactly `payload` bytes: the event and a byte before it.
fn insert_with_payload(server: &Server, payload: usize) {
    const PROBE: usize = 100_000;
    let overhead = insert(server, PROBE) - PROBE;
    assert_eq!(insert(server, payload - 1 - overhead) + 1, payload);
}

fn server_for_large_events(flavor: Flavor) -> Server {
    let server = Server::builder(flavor)
        .arg("--max-allowed-packet=1G")
        .arg("--loose-binlog-annotate-row-events=OFF")
        .arg("--loose-binlog-row-event-max-size=8192")
        .start();
    server.exec("CREATE DATABASE d; CREATE TABLE d.t (data LONGBLOB)");
    server
}

#[test]
fn events_around_and_over_16_mib_come_whole() {
    const FULL: usize = 0xff_ffff;
    for flavor in Flavor::both() {
        let server = server_for_large_events(flavor);
        let (file, offset) = server.position();
        for payload in [FULL - 1, FULL, FULL + 1, 2 * FULL] {
            insert_with_payload(&server, payload);
        }
        let config = config(&server, DriverKind::Native);
        let mut follower = Follower::start(&config, &position(&file, offset));
        follower.until(&server.position());
        assert_same(&server, &follower, &file);
        assert!(
            follower.largest_batch < 3 << 20,
            "{}",
            follower.largest_batch
        );
    }
}

#[cfg(feature = "mysql-cdc")]
#[test]
fn mysql_cdc_refuses_an_event_of_16_mib() {
    for flavor in Flavor::both() {
        let server = server_for_large_events(flavor);
        let (file, offset) = server.position();
        insert_with_payload(&server, 0xff_fffe);
        let config = config(&server, DriverKind::MysqlCdc);
        let mut follower = Follower::start(&config, &position(&file, offset));
        follower.until(&server.position());
        assert_same(&server, &follower, &file);
        insert_with_payload(&server, 0xff_ffff);
        let error = follower.until_error();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.what().contains("driver = \"native\""));
    }
}

#[test]
fn a_cancelled_read_loses_nothing() {
    let server = Server::start(Flavor::MariaDb);
    let (file, offset) = server.position();
    server.exec("CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY, data LONGBLOB)");
    for driver in drivers() {
        let config = config(&server, driver);
        let mut follower = Follower::start(&config, &position(&file, offset));
        follower.cancel_reads_after(Duration::from_micros(300));
        thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let mut session = server.client();
                for id in 0..20 {
                    session.exec(&format!(
                        "REPLACE INTO d.t VALUES ({id}, REPEAT('z', {id} * 200000))"
                    ));
                }
            });
            while !writer.is_finished() {
                follower.until(&server.position());
            }
        });
        follower.until(&server.position());
        assert_same(&server, &follower, &file);
        follower.until_heartbeats(2);
        assert!(follower.cancelled > 0);
    }
}

#[test]
fn heartbeats_keep_an_idle_dump_alive_and_silence_ends_it() {
    for flavor in Flavor::both() {
        let server = Server::start(flavor);
        for driver in drivers() {
            let mut config = config(&server, driver);
            config.heartbeat_period = Duration::from_millis(100);
            config.net_read_timeout = Duration::from_secs(1);
            let mut follower = Follower::start(&config, &Start::Latest);
            follower.until_heartbeats(15);
            server.sigstop();
            let error = follower.until_error();
            server.sigcont();
            assert_eq!(
                (error.kind(), error.errno()),
                (ErrorKind::Network, 2013),
                "{error}"
            );
        }
    }
}

#[test]
fn a_source_that_shuts_down_ends_the_dump_as_a_network_error() {
    for flavor in Flavor::both() {
        // MySQL takes ten seconds to shut down under a replica.
        let some = if flavor == Flavor::MySql { 1 } else { 2 };
        for driver in drivers().into_iter().take(some) {
            let mut server = Server::start(flavor);
            let mut follower = Follower::start(&config(&server, driver), &Start::Latest);
            follower.until_heartbeats(1);

            server.stop();

            let error = follower.until_error();
            assert_eq!(error.kind(), ErrorKind::Network, "{error}");
        }
    }
}
