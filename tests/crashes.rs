//! After a crash of either side, at any moment, replication goes on with nothing lost and nothing applied twice.

use std::time::Duration;

use relaylite::binlog::checksum::{self, Checksum};
use relaylite::binlog::format::FormatDescription;
use relaylite::binlog::frame::{Frame, next_frame};
use relaylite::binlog::kind;
use relaylite::failpoints;
use rusqlite::Connection;

use crate::support::compare::{self, assert_equal, database_path, open};
use crate::support::random::{self, Random, budget};
use crate::support::relaylite::{Replica, wait_for};
use crate::support::server::{Flavor, Server};
use crate::support::workload::{self, Load};

on_both!(
    killed_at_random_moments,
    killed_at_random_moments_while_far_behind,
    the_source_restarts,
    a_transaction_cut_short_by_the_sources_crash_is_left_out,
    terminated_and_started_again,
    killed_at_each_arrow_of_the_durability_order,
    status_counts_databases_that_are_not_open_yet,
);

/// Killed while it keeps up with a source that is written to.
fn killed_at_random_moments(flavor: Flavor) {
    let seed = random::seed();
    let mut random = Random::new(seed, 1000);
    let server = Server::start(flavor);
    workload::create(&server);
    let replica = Replica::of(&server);
    let load = Load::start(&server, seed, None);
    for _ in 0..budget("RELAYLITE_TEST_KILLS", 20) {
        let running = replica.follow();
        std::thread::sleep(Duration::from_millis(random.range(0..700)));
        running.kill9();
    }
    load.finish();
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
    assert_checkpoints_at_the_end(&server, &replica);
}

/// Killed while it works off a backlog, where it merges transactions.
fn killed_at_random_moments_while_far_behind(flavor: Flavor) {
    let seed = random::seed();
    let mut random = Random::new(seed, 1000);
    let server = Server::start(flavor);
    workload::create(&server);
    workload::run(&server, seed, workload::transactions(1500));
    let replica = Replica::of(&server);
    for _ in 0..budget("RELAYLITE_TEST_KILLS", 20) {
        let running = replica.follow();
        std::thread::sleep(Duration::from_millis(random.range(10..300)));
        running.kill9();
    }
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
    assert_checkpoints_at_the_end(&server, &replica);
}

/// While the lanes of a new run are opened one after the other, `status` must not take the first for the slowest.
fn status_counts_databases_that_are_not_open_yet(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(
        "CREATE DATABASE a; CREATE DATABASE b; CREATE TABLE a.t (id INT PRIMARY KEY); CREATE TABLE b.t (id INT PRIMARY KEY)",
    );
    let replica = Replica::of(&server);
    let running = replica.follow();
    replica.wait_until_caught_up(&server);
    // The lane of b waits for this lock; what a has is later in the source.
    let lock = Connection::open(database_path(&replica.target_dir(), "b")).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    server.exec("INSERT INTO b.t VALUES (1)");
    server.exec("INSERT INTO a.t VALUES (1)");
    let in_a = open(&database_path(&replica.target_dir(), "a"));
    let rows_of_a = || in_a.query_row("SELECT COUNT(*) FROM t", [], |row| row.get::<_, i64>(0));
    wait_for("the row in a", || rows_of_a().unwrap() == 1);
    running.kill9();
    drop(lock);

    let hold = replica.relay_dir().join("hold");
    std::fs::write(&hold, "").unwrap();
    let action = format!("hold:{}", hold.display());
    let running = replica.spawn(replica.command_with_failpoint(failpoints::LANE_OPENED, &action));
    replica.wait_for_status("it runs", |status| status.json["Running"] == true);
    for _ in 0..10 {
        let applied = &replica.status().json["Exec_Source_Log_Pos"];
        assert!(applied.is_null(), "{applied}");
    }
    std::fs::remove_file(&hold).unwrap();
    replica.wait_until_caught_up(&server);
    assert_equal(&server, &replica.target_dir());
    running.sigterm();
}

/// Killed before and behind each arrow of the durability order.
fn killed_at_each_arrow_of_the_durability_order(flavor: Flavor) {
    let server = Server::start(flavor);
    workload::create(&server);
    let replica = Replica::of(&server);
    let load = Load::start(&server, random::seed(), None);
    // The others stand where these runs do not come by, or come by too seldom: tests/semi_sync.rs, tests/failover.rs and below.
    let here = failpoints::ALL.iter().filter(|name| {
        !name.starts_with("ack.")
            && !name.starts_with("failover.")
            && **name != failpoints::LANE_OPENED
    });
    for name in here {
        // The watermark is stored every few seconds only.
        let time = if name.starts_with("watermark.") { 1 } else { 3 };
        let command = replica.command_with_failpoint(name, &format!("crash:{time}"));
        let mut running = replica.spawn(command);
        wait_for(&format!("the crash at {name}"), || running.has_exited());
    }
    load.finish();
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
    assert_checkpoints_at_the_end(&server, &replica);
}

fn the_source_restarts(flavor: Flavor) {
    // What the source shows as committed must be in its binary log, and the other way round, after its crash.
    let mut server = Server::builder(flavor)
        .arg("--innodb-flush-log-at-trx-commit=1")
        .arg("--sync-binlog=1")
        .start();
    workload::create(&server);
    let replica = Replica::of(&server).arg("--connect-retry=1");
    let mut running = replica.follow();
    let load = Load::start(&server, random::seed(), None);
    load.wait_for_more(100);
    server.restart();
    load.wait_for_more(100);
    server.kill9();
    server.restart();
    load.wait_for_more(100);
    load.finish();
    replica.wait_until_caught_up(&server);
    assert!(
        !running.has_exited(),
        "it lives through restarts of the source"
    );
    assert_equal(&server, &replica.target_dir());
    let status = replica.status();
    assert_eq!(status.text("Replica_IO_Running"), "Yes");
    assert_eq!(
        status.number("Last_IO_Errno"),
        0,
        "an error that is over is not shown"
    );
}

fn terminated_and_started_again(flavor: Flavor) {
    let seed = random::seed();
    let server = Server::start(flavor);
    workload::create(&server);
    let replica = Replica::of(&server);
    let load = Load::start(&server, seed, None);
    for _ in 0..5 {
        let running = replica.follow();
        load.wait_for_more(30);
        let (code, time) = running.sigterm();
        assert_eq!(code, 0);
        assert!(time < Duration::from_secs(5), "it took {time:?} to end");
    }
    load.finish();
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
    assert_checkpoints_at_the_end(&server, &replica);
}

/// Each database's own checkpoint is at the end of the source's binary log.
#[track_caller]
fn assert_checkpoints_at_the_end(server: &Server, replica: &Replica) {
    let (file, pos) = server.position();
    let checkpoints = compare::checkpoints(&replica.target_dir());
    assert!(checkpoints.len() >= workload::DATABASES.len());
    for checkpoint in checkpoints {
        assert_eq!(
            (checkpoint.file.as_str(), checkpoint.pos),
            (file.as_str(), pos),
            "checkpoint of {}",
            checkpoint.database
        );
    }
}

/// A binlog file that ends within a transaction and within an event, as a crash leaves it: MariaDB keeps such a file and
/// goes on in the next one, MySQL cuts it.
fn a_transaction_cut_short_by_the_sources_crash_is_left_out(flavor: Flavor) {
    let mut server = Server::builder(flavor)
        .arg("--innodb-flush-log-at-trx-commit=1")
        .arg("--sync-binlog=1")
        .start();
    server.exec("CREATE DATABASE d; CREATE TABLE d.t (id INT); INSERT INTO d.t VALUES (7)");
    let (file, _) = server.position();
    server.kill9();
    append_torn_copy_of_the_last_transaction(&server.binlog_path(&file));
    server.restart();
    server.exec("INSERT INTO d.t VALUES (8)");
    let replica = Replica::of(&server).arg("--connect-retry=1");
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
    // And a new start, from the watermark.
    server.exec("INSERT INTO d.t VALUES (9)");
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
}

/// Appends the last transaction of a binlog file once more, without its last bytes.
fn append_torn_copy_of_the_last_transaction(path: &std::path::Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let (mut at, mut group, mut starts) = (4, 0, Vec::new());
    let mut crc = Checksum::Off;
    while let Ok(Frame::Event(header, event)) = next_frame(&bytes[at..]) {
        match header.kind {
            kind::FORMAT_DESCRIPTION => crc = FormatDescription::parse(event).unwrap().checksum,
            kind::GTID | kind::MARIADB_GTID => group = at,
            _ => {}
        }
        starts.push(at);
        at += event.len();
    }
    bytes.truncate(at);
    let shift = u32::try_from(at - group).unwrap();
    let mut copy = Vec::new();
    for start in starts.into_iter().filter(|start| *start >= group) {
        let Ok(Frame::Event(header, event)) = next_frame(&bytes[start..]) else {
            panic!()
        };
        let mut event = event[..event.len() - crc.len()].to_vec();
        event[13..17].copy_from_slice(&(header.log_pos + shift).to_le_bytes());
        checksum::seal(&mut event, crc).unwrap();
        copy.extend(event);
    }
    bytes.extend(&copy[..copy.len() - 5]);
    std::fs::write(path, bytes).unwrap();
}
