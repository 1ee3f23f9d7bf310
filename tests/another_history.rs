//! A source that answers under the old name and id, and has another history: never followed, whatever its files are
//! called and however large they are.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::support::compare;
use crate::support::relaylite::{Replica, wait_for};
use crate::support::server::{Builder, Flavor, Server};

on_both!(
    reset_and_grown_beyond_our_position,
    restored_from_a_copy_and_grown_beyond_our_position,
);

/// Without GTIDs, where only file and position are left.
fn builder(flavor: Flavor) -> Builder {
    Server::builder(flavor).gtid_mode(false)
}

const TABLE: &str = "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY, v VARCHAR(100))";

fn rows(server: &Server, ids: std::ops::Range<u32>, value: &str) {
    let mut session = server.client();
    for id in ids {
        session.exec(&format!("INSERT INTO d.t VALUES ({id}, '{value}')"));
    }
}

/// Files say in seconds when they were begun.
fn wait_for_another_second() {
    let now = || {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs()
    };
    let then = now();
    wait_for("another second", || now() > then);
}

/// The replica says what has happened, takes nothing, and asks no more.
#[track_caller]
fn assert_refused(server: &Server, replica: &Replica, had: &[compare::Checkpoint]) {
    let running = replica.follow();
    let status = replica.wait_for_status("the error", |status| {
        status.text("Replica_IO_Running") == "No" && status.number("Last_IO_Errno") != 0
    });
    assert_eq!(status.number("Last_IO_Errno"), 1236, "{:#}", status.json);
    let error = status.text("Last_IO_Error");
    assert!(error.contains("another history"), "{error}");
    assert_eq!(running.sigterm().0, 0);
    assert_eq!(compare::checkpoints(&replica.target_dir()), had);
    let sqlite = compare::open(&compare::database_path(&replica.target_dir(), "d"));
    let others: u32 = sqlite
        .query_row("SELECT count(*) FROM t WHERE v = 'other'", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(others, 0);
    let theirs = server.query_strings("SELECT count(*) FROM d.t WHERE v = 'other'");
    assert_ne!(theirs[0][0].as_deref(), Some("0"));
}

/// As many files as before, each larger: the position is there, and may even be the end of an event.
fn reset_and_grown_beyond_our_position(flavor: Flavor) {
    let server = builder(flavor).start();
    server.exec(TABLE);
    server.exec("FLUSH BINARY LOGS");
    rows(&server, 0..5, "ours");
    let replica = Replica::of(&server);
    replica.run_until_quiet(&server);
    let had = compare::checkpoints(&replica.target_dir());
    let (file, end) = server.position();
    wait_for_another_second();
    server.exec(match flavor {
        Flavor::MariaDb | Flavor::MariaDb11 => "RESET MASTER",
        Flavor::MySql => "RESET BINARY LOGS AND GTIDS",
    });
    server.exec("FLUSH BINARY LOGS");
    // The same sizes: what begins at our position is the beginning of an event.
    rows(&server, 100..105, "othe");
    rows(&server, 105..130, "other");
    assert_eq!(server.position().0, file);
    assert!(server.position().1 > end);
    assert_refused(&server, &replica, &had);
}

/// The copy has the old server's id and uuid, and the first part of its history.
fn restored_from_a_copy_and_grown_beyond_our_position(flavor: Flavor) {
    let mut server = builder(flavor).start();
    server.exec(TABLE);
    rows(&server, 0..3, "both");
    server.stop();
    let backup = tempfile::tempdir().unwrap();
    let copy = backup.path().join("data");
    copy_directory(&server.datadir(), &copy);
    server.restart();
    rows(&server, 10..20, "ours");
    let replica = Replica::of(&server);
    replica.run_until_quiet(&server);
    let had = compare::checkpoints(&replica.target_dir());
    let (file, end) = server.position();
    server.stop();
    wait_for_another_second();
    fs::remove_dir_all(server.datadir()).unwrap();
    copy_directory(&copy, &server.datadir());
    server.restart();
    rows(&server, 100..140, "other");
    assert_eq!(server.position().0, file);
    assert!(server.position().1 > end);
    assert_refused(&server, &replica, &had);
}

fn copy_directory(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(status.unwrap().success(), "cp -a {}", from.display());
}
