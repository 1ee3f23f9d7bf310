//! A full disk stops one side for as long as it is full: nothing is lost, nothing comes twice, nobody has to do anything
//! but make room.

use std::fs;

use relaylite::config::limits::QUEUE_BYTES_MAX;

use crate::support::compare::{assert_equal, database_path};
use crate::support::random;
use crate::support::relaylite::{Replica, wait_for};
use crate::support::server::{Flavor, Server};
use crate::support::workload;

on_both!(
    the_relay_logs_disk_is_full,
    the_targets_disk_is_full,
    started_on_a_full_disk,
    a_read_only_directory_is_named,
    a_database_fails_with_a_full_queue,
);

const DISK_BYTES: u64 = 64 << 20;

/// A replica of `server`, of which one directory stands on a small disk.
fn with_small(server: &Server, directory: impl Fn(&Replica) -> std::path::PathBuf) -> Replica {
    let replica = Replica::of(server).arg("--connect-retry=1");
    let directory = directory(&replica);
    replica.small_disk(directory, DISK_BYTES)
}

/// So much comes that it cannot fit.
fn write_much(server: &Server) {
    server.exec("CREATE DATABASE IF NOT EXISTS big; CREATE TABLE IF NOT EXISTS big.t (id INT AUTO_INCREMENT PRIMARY KEY, body LONGBLOB)");
    for _ in 0..12 {
        server.exec("INSERT INTO big.t (body) VALUES (REPEAT('x', 1 << 20))");
    }
}

/// Some work that fits, a disk that somebody else fills, and more than fits.
fn write_until_full(server: &Server, replica: &Replica, seed: u64, round: u64) {
    workload::run(server, seed + round, 20);
    replica.wait_until_caught_up(server);
    let left = random::Random::new(seed, round).range(0..200_000);
    replica.disk().fill_up_to(left);
    write_much(server);
}

fn the_relay_logs_disk_is_full(flavor: Flavor) {
    let seed = random::seed();
    let server = Server::start(flavor);
    workload::create(&server);
    let replica = with_small(&server, Replica::relay_dir);
    let mut running = replica.follow();
    for round in 0..3 {
        write_until_full(&server, &replica, seed, round);
        let full = replica.wait_for_status("the disk is full", |status| {
            status.text("Disk_Full") == "relay log"
        });
        assert_eq!(full.number("Last_IO_Errno"), 1021);
        assert_eq!(full.text("Lag_Cause"), "relay log disk full");
        assert_eq!(full.text("Replica_SQL_Running"), "Yes");
        if round == 1 {
            running.kill9();
            running = replica.follow();
        }
        replica.disk().make_room();
        replica.wait_until_caught_up(&server);
        let over =
            replica.wait_for_status("it is over", |status| status.text("Disk_Full").is_empty());
        assert_eq!(over.number("Last_IO_Errno"), 0);
        server.exec("FLUSH BINARY LOGS");
    }
    assert!(!running.has_exited());
    assert_equal(&server, &replica.target_dir());
}

fn the_targets_disk_is_full(flavor: Flavor) {
    let seed = random::seed();
    let server = Server::start(flavor);
    workload::create(&server);
    let replica = with_small(&server, Replica::target_dir);
    let mut running = replica.follow();
    for round in 0..2 {
        write_until_full(&server, &replica, seed, round);
        workload::run(&server, seed + 10 + round, 20);
        let full = replica.wait_for_status("the disk is full", |status| {
            status.text("Disk_Full") == "target"
                && status.text("Source_Log_File") == server.position().0
        });
        assert_eq!(full.number("Last_SQL_Errno"), 1021);
        assert_eq!(full.text("Lag_Cause"), "target disk full");
        if round == 1 {
            running.kill9();
            running = replica.follow();
            replica.wait_for_status("still full", |status| status.text("Disk_Full") == "target");
        }
        replica.disk().make_room();
        replica.wait_until_caught_up(&server);
        replica.wait_for_status("it is over", |status| status.text("Disk_Full").is_empty());
    }
    assert!(!running.has_exited());
    assert_eq!(running.sigterm().0, 0);
    assert_target_equal(&server, &replica);
}

/// The directories are there, and not a byte of room.
fn started_on_a_full_disk(flavor: Flavor) {
    let server = Server::start(flavor);
    workload::create(&server);
    let replica = with_small(&server, Replica::relay_dir);
    replica.run_until_caught_up();
    write_much(&server);
    replica.disk().fill_up_to(0);
    let running = replica.follow();
    replica.wait_for_status("the disk is full", |status| {
        status.text("Disk_Full") == "relay log"
    });
    replica.disk().make_room();
    replica.wait_until_caught_up(&server);
    drop(running);
    assert_equal(&server, &replica.target_dir());
}

fn a_read_only_directory_is_named(flavor: Flavor) {
    let server = Server::start(flavor);
    workload::create(&server);
    for directory in [Replica::relay_dir, Replica::target_dir] {
        let replica = with_small(&server, directory);
        replica.run_until_caught_up();
        replica.disk().set_read_only(true);
        assert_ne!(replica.try_until_caught_up(), 0);
        let (log, path) = (replica.log(), directory(&replica).display().to_string());
        let last = log.lines().last().unwrap();
        assert!(
            last.contains(&path) && last.contains("Read-only file system"),
            "{last}"
        );
        replica.disk().set_read_only(false);
        replica.run_until_caught_up();
    }
}

/// Compares a target that stands on a small disk: a copy of its files.
#[track_caller]
fn assert_target_equal(server: &Server, replica: &Replica) {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(replica.disk().path()).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    assert_equal(server, copy.path());
}

/// What waits for a database that cannot go on takes all memory that queues may take: the others must not wait for it.
/// (A full disk fails so in several databases at once; a lock can be held for one.)
fn a_database_fails_with_a_full_queue(flavor: Flavor) {
    let server = Server::start(flavor);
    for database in ["a", "b"] {
        server.exec(&format!(
            "CREATE DATABASE {database}; CREATE TABLE {database}.t (id INT PRIMARY KEY, body LONGBLOB); \
             INSERT INTO {database}.t VALUES (0, 'x')"
        ));
    }
    let replica = Replica::of(&server);
    let running = replica.follow();
    replica.wait_until_caught_up(&server);
    let held = rusqlite::Connection::open(database_path(&replica.target_dir(), "a")).unwrap();
    held.execute_batch("BEGIN IMMEDIATE").unwrap();
    // The lane holds the first one; the next three stay in its queue, and leave too little for the last one.
    let third = QUEUE_BYTES_MAX * 3 / 10;
    for (database, id, bytes) in [
        ("a", 1, 1),
        ("a", 2, third),
        ("a", 3, third),
        ("a", 4, third),
        ("b", 1, QUEUE_BYTES_MAX / 2),
    ] {
        server.exec(&format!(
            "INSERT INTO {database}.t VALUES ({id}, REPEAT('x', {bytes}))"
        ));
    }
    wait_for("the failure", || {
        replica.log().contains("applying was interrupted")
    });
    held.execute_batch("ROLLBACK").unwrap();
    replica.wait_until_caught_up(&server);
    assert_equal(&server, &replica.target_dir());
    drop(running);
}
