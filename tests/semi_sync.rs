//! Semi-synchronous replication: the source's own counters say that every commit was acknowledged, and its death proves
//! that nothing was acknowledged too early.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use relaylite::failpoints;

use crate::support::compare::{assert_equal, database_path, open};
use crate::support::process;
use crate::support::random::{self, Random, budget};
use crate::support::relaylite::{Replica, relaylite, wait_for};
use crate::support::server::{Builder, Flavor, Server, Session};
use crate::support::workload::{self, Load};

on_both!(
    every_commit_is_acknowledged,
    a_commit_waits_for_a_stopped_replica,
    commits_that_returned_survive_the_sources_death,
    the_acknowledgement_comes_after_the_fsync,
    killed_before_and_behind_an_acknowledgement,
    a_source_that_waits_for_nobody_is_noticed,
    a_name_that_begins_like_the_header,
);

/// A commit that is not acknowledged waits for longer than any test.
const TIMEOUT_MS: u64 = 3_600_000;

const TABLE: &str =
    "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY, v LONGTEXT) ENGINE=InnoDB";

/// `source` or `master`, as the server words it.
fn word(flavor: Flavor) -> &'static str {
    match flavor {
        Flavor::MariaDb | Flavor::MariaDb11 => "master",
        Flavor::MySql => "source",
    }
}

/// A server whose commits wait for acknowledgements, however long.
pub(crate) fn semi_sync_server(flavor: Flavor) -> Builder {
    let word = word(flavor);
    let builder = Server::builder(flavor);
    let builder = match flavor {
        Flavor::MariaDb | Flavor::MariaDb11 => builder,
        Flavor::MySql => builder.arg("--plugin-load-add=semisync_source.so"),
    };
    builder
        .arg(format!("--rpl-semi-sync-{word}-enabled=ON"))
        .arg(format!("--rpl-semi-sync-{word}-timeout={TIMEOUT_MS}"))
        .arg("--innodb-flush-log-at-trx-commit=1")
        .arg("--sync-binlog=1")
}

fn counter(server: &Server, name: &str) -> u64 {
    let word = word(server.flavor());
    let sql = format!("SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_{word}_{name}'");
    let rows = server.query_strings(&sql);
    let value = rows.first().unwrap_or_else(|| panic!("no counter {name}"))[1].clone();
    value.unwrap().parse().unwrap()
}

fn replica(server: &Server) -> Replica {
    Replica::of(server)
        .arg("--semi-sync")
        .arg("--connect-retry=1")
}

pub(crate) fn wait_for_the_client(server: &Server) {
    wait_for("a semi-synchronous replica", || {
        counter(server, "clients") == 1
    });
}

fn every_commit_is_acknowledged(flavor: Flavor) {
    let server = semi_sync_server(flavor)
        .arg("--max-allowed-packet=64M")
        .arg("--loose-innodb-log-file-size=256M")
        .arg("--loose-innodb-redo-log-capacity=256M")
        .start();
    let replica = replica(&server);
    let running = replica.follow();
    wait_for_the_client(&server);
    let before = counter(&server, "yes_tx");
    let mut session = server.client();
    session.exec(TABLE);
    for id in 0..50 {
        session.exec(&format!("INSERT INTO d.t VALUES ({id}, 'x')"));
        if id % 20 == 0 {
            session.exec("FLUSH BINARY LOGS");
        }
    }
    // Several at once, which are acknowledged together.
    let writers: Vec<_> = (1..4)
        .map(|writer| {
            let mut session = server.client();
            thread::spawn(move || {
                for id in 0..50 {
                    session.exec(&format!("INSERT INTO d.t VALUES ({writer}000 + {id}, 'y')"));
                }
            })
        })
        .collect();
    for writer in writers {
        writer.join().unwrap();
    }
    // An event over several packets has the header once; what comes behind it is counted anew.
    session.exec("INSERT INTO d.t VALUES (-1, REPEAT('z', 17 << 20))");
    session.exec("INSERT INTO d.t VALUES (-2, 'behind it')");
    // MySQL counts one for each group of transactions that were committed together.
    assert!(counter(&server, "yes_tx") >= before + 53);
    assert_eq!(counter(&server, "no_tx"), 0);
    assert_eq!(counter(&server, "clients"), 1);
    replica.wait_until_caught_up(&server);
    assert_equal(&server, &replica.target_dir());

    let status = replica.status();
    assert_eq!(status.text("Rpl_semi_sync_replica_status"), "ON");
    assert_eq!(status.text("Semi_Sync_Message"), "");
    let (acks, events) = (
        status.number("Semi_Sync_Acks"),
        status.number("Semi_Sync_Acked_Events"),
    );
    assert!((1..=events).contains(&acks), "{:#}", status.json);
    assert!(events >= 53, "{:#}", status.json);
    let (last, average, max) = (
        status.number("Semi_Sync_Ack_Micros_Last"),
        status.number("Semi_Sync_Ack_Micros_Average"),
        status.number("Semi_Sync_Ack_Micros_Max"),
    );
    assert!(last > 0 && average > 0 && max >= last && max >= average);
    assert_eq!(running.sigterm().0, 0);
}

/// Runs a commit on a thread of its own; the receiver hears when it returned.
fn commit(server: &Server, sql: &str) -> mpsc::Receiver<()> {
    let (done, returned) = mpsc::channel();
    let (mut session, sql) = (server.client(), sql.to_owned());
    thread::spawn(move || {
        session.exec(&sql);
        done.send(()).ok();
    });
    returned
}

/// Longest wait for a commit that is no longer held up.
const RELEASED: Duration = Duration::from_secs(60);

#[track_caller]
fn assert_waits(returned: &mpsc::Receiver<()>) {
    let early = returned.recv_timeout(Duration::from_millis(700));
    assert_eq!(
        early,
        Err(mpsc::RecvTimeoutError::Timeout),
        "the commit did not wait"
    );
}

fn a_commit_waits_for_a_stopped_replica(flavor: Flavor) {
    let server = semi_sync_server(flavor).start();
    let replica = replica(&server);
    let running = replica.follow();
    wait_for_the_client(&server);
    server.exec(TABLE);
    process::signal(running.pid(), "STOP");
    let returned = commit(&server, "INSERT INTO d.t VALUES (1, 'x')");
    assert_waits(&returned);
    process::signal(running.pid(), "CONT");
    returned.recv_timeout(RELEASED).unwrap();
    assert_eq!(counter(&server, "no_tx"), 0);
}

/// The source dies right after commits returned: all of these are in our relay log, and in the target.
fn commits_that_returned_survive_the_sources_death(flavor: Flavor) {
    let mut random = Random::new(random::seed(), 7);
    let mut server = semi_sync_server(flavor).start();
    let replica = replica(&server);
    let running = replica.follow();
    wait_for_the_client(&server);
    server.exec(TABLE);
    for round in 0..budget("RELAYLITE_TEST_SOURCE_DEATHS", 6) {
        let returned = Arc::new(Mutex::new(Vec::new()));
        let writers: Vec<_> = (0..3)
            .map(|writer| {
                let (session, returned) = (server.client(), returned.clone());
                let first = i64::try_from(round).unwrap() * 1_000_000 + writer * 100_000;
                thread::spawn(move || write_until_it_dies(session, first, &returned))
            })
            .collect();
        wait_for("some commits", || returned.lock().unwrap().len() > 5);
        thread::sleep(Duration::from_millis(random.range(0..100)));
        server.kill9();
        for writer in writers {
            writer.join().unwrap();
        }
        let returned = returned.lock().unwrap().clone();
        let database = database_path(&replica.target_dir(), "d");
        // The source is dead: what comes now comes from our relay log.
        wait_for("what was committed, in the target", || {
            let sqlite = open(&database);
            let mut statement = sqlite
                .prepare_cached("SELECT 1 FROM t WHERE id = ?1")
                .unwrap();
            returned.iter().all(|id| statement.exists([*id]).unwrap())
        });
        server.restart();
        wait_for_the_client(&server);
    }
    replica.wait_until_caught_up(&server);
    assert_equal(&server, &replica.target_dir());
    assert_eq!(running.sigterm().0, 0);
}

fn write_until_it_dies(mut session: Session, first: i64, returned: &Mutex<Vec<i64>>) {
    for id in first.. {
        let sql = format!("INSERT INTO d.t VALUES ({id}, 'x')");
        if session.try_exec(&sql).is_err() {
            return;
        }
        returned.lock().unwrap().push(id);
    }
}

/// The relay log's fsync is held back: the commit waits, although everything was received.
fn the_acknowledgement_comes_after_the_fsync(flavor: Flavor) {
    let server = semi_sync_server(flavor).start();
    let replica = replica(&server);
    let directory = tempfile::tempdir().unwrap();
    let hold = directory.path().join("hold");
    let hold_action = format!("hold:{}", hold.display());
    let command = replica.command_with_failpoint(failpoints::RELAY_BEFORE_SYNC, &hold_action);
    let running = replica.spawn(command);
    wait_for_the_client(&server);
    server.exec(TABLE);
    let acks = replica.status().number("Semi_Sync_Acks");
    std::fs::write(&hold, "").unwrap();
    let before = replica.status().number("Received_Bytes");
    let returned = commit(&server, "INSERT INTO d.t VALUES (1, 'x')");
    replica.wait_for_status("the commit's events, received", |status| {
        status.number("Received_Bytes") > before
    });
    assert_waits(&returned);
    assert_eq!(replica.status().number("Semi_Sync_Acks"), acks);
    std::fs::remove_file(&hold).unwrap();
    returned.recv_timeout(RELEASED).unwrap();
    drop(running);
}

/// Every commit that returned is there in the end, and nothing twice.
fn killed_before_and_behind_an_acknowledgement(flavor: Flavor) {
    let server = semi_sync_server(flavor).start();
    let replica = replica(&server);
    let running = replica.follow();
    wait_for_the_client(&server);
    workload::create(&server);
    running.kill9();
    let load = Load::start(&server, random::seed(), None);
    for name in [failpoints::ACK_BEFORE_SEND, failpoints::ACK_SENT] {
        for time in [1, 5] {
            let command = replica.command_with_failpoint(name, &format!("crash:{time}"));
            let mut running = replica.spawn(command);
            wait_for(&format!("the crash at {name}"), || running.has_exited());
        }
    }
    // Its commits wait for us.
    let running = replica.follow();
    load.finish();
    replica.wait_until_caught_up(&server);
    assert_equal(&server, &replica.target_dir());
    drop(running);
}

fn a_source_that_waits_for_nobody_is_noticed(flavor: Flavor) {
    let server = Server::start(flavor);
    let replica = replica(&server);
    let running = replica.follow();
    server.exec(TABLE);
    replica.wait_until_caught_up(&server);
    let status = replica.status();
    assert_eq!(status.text("Replica_IO_Running"), "Yes");
    assert_eq!(status.text("Rpl_semi_sync_replica_status"), "OFF");
    let message = status.text("Semi_Sync_Message");
    let cure = match flavor {
        Flavor::MariaDb | Flavor::MariaDb11 => "rpl_semi_sync_master_enabled",
        Flavor::MySql => "INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'",
    };
    assert!(message.contains(cure), "{message}");
    assert!(replica.log().contains("semi_sync is set"));
    assert_eq!(running.sigterm().0, 0);

    // Switched on: MariaDB's dump is known to acknowledge already, MySQL's plugin meets us at the next connection.
    let word = word(flavor);
    if flavor == Flavor::MySql {
        server.exec("INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'");
    }
    let running = replica.follow();
    wait_for_the_client(&server);
    let was_off = replica.status();
    assert_eq!(was_off.text("Rpl_semi_sync_replica_status"), "OFF");
    server.exec(&format!(
        "SET GLOBAL rpl_semi_sync_{word}_timeout = {TIMEOUT_MS}; SET GLOBAL rpl_semi_sync_{word}_enabled = ON"
    ));
    server.exec("INSERT INTO d.t VALUES (1, 'x')");
    replica.wait_for_status("ON", |status| {
        status.text("Rpl_semi_sync_replica_status") == "ON"
    });
    assert_eq!(counter(&server, "yes_tx"), 1);
    drop(running);

    let mut refused = relaylite();
    refused.args([
        "run",
        "--source=mysql://a@b",
        "--server-id=9",
        "--semi-sync",
    ]);
    refused.arg("--driver=mysql_cdc");
    let output = refused.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("driver = \"native\""));
}

/// The file's name, which is in the first event and in the acknowledgement, has the header's own bytes.
fn a_name_that_begins_like_the_header(flavor: Flavor) {
    let name = "\u{ff61}log";
    let server = semi_sync_server(flavor)
        .arg(format!("--log-bin={name}"))
        .start();
    let replica = replica(&server);
    let running = replica.follow();
    wait_for_the_client(&server);
    server.exec(TABLE);
    server.exec("INSERT INTO d.t VALUES (1, 'x')");
    replica.wait_until_caught_up(&server);
    assert_equal(&server, &replica.target_dir());
    assert_eq!(counter(&server, "no_tx"), 0);
    drop(running);
}
