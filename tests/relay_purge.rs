//! Relay files go when nobody needs them any more, and not before; the relay log takes no more room than it may.

use std::fs;

use crate::support::compare::assert_equal;
use crate::support::relaylite::{Replica, relaylite, wait_for};
use crate::support::server::{Flavor, Server};
use crate::support::workload;

on_both!(
    files_applied_everywhere_are_purged,
    files_behind_the_watermark_stay,
    files_of_an_undecided_xa_transaction_stay,
    files_are_kept_as_long_as_the_operator_wants,
    the_io_side_waits_for_room,
    a_transaction_larger_than_the_limit_passes,
    what_is_removed_by_hand_is_missed,
    more_than_the_limit_is_fetched_again,
);

/// The binlog files in the relay directory, and those in its index.
fn files(replica: &Replica) -> (Vec<String>, Vec<String>) {
    let directory = replica.source_dir();
    let mut there: Vec<_> = fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("binlog."))
        .collect();
    there.sort();
    let index = fs::read_to_string(directory.join("relay.index")).unwrap();
    (there, index.lines().map(str::to_owned).collect())
}

fn rotate(server: &Server, times: usize) {
    for round in 0..times {
        server.exec(&format!(
            "INSERT INTO a.t VALUES ({round}); FLUSH BINARY LOGS"
        ));
        server.exec(&format!("DELETE FROM a.t WHERE id = {round}"));
    }
}

fn files_applied_everywhere_are_purged(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec("CREATE DATABASE a; CREATE TABLE a.t (id INT PRIMARY KEY)");
    workload::create(&server);
    workload::run(&server, 7, 40);
    let replica = Replica::of(&server);
    let running = replica.follow();
    rotate(&server, 5);
    replica.wait_until_caught_up(&server);
    let (newest, _) = server.position();
    wait_for("only the newest file is left", || {
        files(&replica).0 == [newest.clone()]
    });
    assert_eq!(
        files(&replica).1,
        std::slice::from_ref(&newest),
        "the index says the same"
    );
    let list = relaylite()
        .args(["relay", "list", "--relay-dir"])
        .arg(replica.relay_dir())
        .output()
        .unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    assert!(list.contains(&format!("nothing before {newest}")), "{list}");
    // Killed and started again, it goes on from what is left; a database that is new then is whole.
    running.kill9();
    rotate(&server, 2);
    server.exec("CREATE DATABASE late; CREATE TABLE late.t (id INT PRIMARY KEY); INSERT INTO late.t VALUES (1)");
    workload::run(&server, 8, 40);
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
}

/// One database cannot go on: what it still needs stays, whatever the others have.
fn files_behind_the_watermark_stay(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec("CREATE DATABASE a; CREATE TABLE a.t (id INT PRIMARY KEY)");
    server.exec("CREATE DATABASE b; CREATE TABLE b.t (id INT PRIMARY KEY, x INT)");
    let replica = Replica::of(&server);
    replica.run_until_caught_up();
    // A reader of the target holds b's file, so b's lane waits in the middle.
    let lock = rusqlite::Connection::open(replica.target_dir().join("b.db")).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let running = replica.follow();
    let (needed, _) = server.position();
    server.exec("INSERT INTO b.t VALUES (1, 1)");
    rotate(&server, 4);
    replica.wait_for_status("b is stuck, everything is received", |status| {
        status.text("Source_Log_File") == server.position().0
            && status.number("Last_SQL_Errno") != 0
    });
    let (there, index) = files(&replica);
    assert_eq!(there, index);
    assert!(
        there.contains(&needed),
        "{needed} is still needed: {there:?}"
    );
    lock.execute_batch("ROLLBACK").unwrap();
    replica.wait_until_caught_up(&server);
    wait_for("the files go then", || files(&replica).0.len() == 1);
    drop(running);
    assert_equal(&server, &replica.target_dir());
}

fn files_of_an_undecided_xa_transaction_stay(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec("CREATE DATABASE a; CREATE TABLE a.t (id INT PRIMARY KEY); CREATE TABLE a.x (id INT PRIMARY KEY)");
    let replica = Replica::of(&server);
    let running = replica.follow();
    rotate(&server, 2);
    let (needed, _) = server.position();
    let mut session = server.client();
    session.exec("XA START 'one'; INSERT INTO a.x VALUES (1); XA END 'one'; XA PREPARE 'one'");
    session.end(&mut server.client());
    rotate(&server, 3);
    replica.wait_until_caught_up(&server);
    wait_for("all files before the transaction's are gone", || {
        files(&replica).0.first() == Some(&needed)
    });
    running.kill9();
    let running = replica.follow();
    rotate(&server, 1);
    replica.wait_until_caught_up(&server);
    assert_eq!(
        files(&replica).0.first(),
        Some(&needed),
        "over a restart, too"
    );
    server.exec("XA COMMIT 'one'");
    rotate(&server, 1);
    replica.wait_until_caught_up(&server);
    wait_for("they go when it is decided", || {
        files(&replica).0.len() == 1
    });
    drop(running);
    assert_equal(&server, &replica.target_dir());
}

fn files_are_kept_as_long_as_the_operator_wants(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec("CREATE DATABASE a; CREATE TABLE a.t (id INT PRIMARY KEY)");
    rotate(&server, 4);
    for kept in [
        "--relay-log-purge=false",
        "--relay-log-expire-seconds=3600",
        "--relay-log-retain-bytes=1000000000",
    ] {
        let replica = Replica::of(&server).arg(kept);
        let running = replica.follow();
        replica.wait_until_caught_up(&server);
        running.sigterm();
        assert_eq!(
            files(&replica).0.len(),
            server.binlog_files().len(),
            "{kept}"
        );
    }
    // Too much is too much, however young.
    let replica = Replica::of(&server)
        .arg("--relay-log-expire-seconds=3600")
        .arg("--relay-log-retain-bytes=1");
    let running = replica.follow();
    wait_for("all but the newest go", || {
        replica.relay_dir().is_dir()
            && replica.status().number("Read_Source_Log_Pos") > 0
            && files(&replica).0 == [server.position().0]
    });
    drop(running);
}

/// More than the limit comes while the target cannot take it: receiving stops, the source cuts the connection, and
/// everything goes on when there is room.
fn the_io_side_waits_for_room(flavor: Flavor) {
    const LIMIT: u64 = 3 << 20;
    let server = Server::builder(flavor).arg("--max-binlog-size=1M").start();
    server.exec("CREATE DATABASE a; CREATE TABLE a.t (id INT PRIMARY KEY, body LONGBLOB)");
    let replica = Replica::of(&server)
        .arg(format!("--relay-log-space-limit={LIMIT}"))
        .arg("--connect-retry=1")
        .arg("--heartbeat-period=1")
        .arg("--replica-net-timeout=3");
    replica.run_until_caught_up();
    let lock = rusqlite::Connection::open(replica.target_dir().join("a.db")).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut running = replica.follow();
    for id in 0..24 {
        server.exec(&format!(
            "INSERT INTO a.t VALUES ({id}, REPEAT('x', 1 << 20))"
        ));
    }
    let waiting = replica.wait_for_status("it waits for room", |status| {
        status.text("Replica_State") == "Waiting for the replica SQL thread to free relay log space"
    });
    assert_eq!(waiting.text("Replica_IO_Running"), "Yes");
    // What was on its way when the limit was passed comes on top: a few batches of 1 MiB.
    let space = waiting.number("Relay_Log_Space");
    assert!((LIMIT..LIMIT * 2).contains(&space), "{space}");
    let first = waiting.number("Read_Source_Log_Pos");
    // As the source does after net_write_timeout, which takes a minute.
    let dumps = "SELECT id FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'";
    let id = server.query_strings(dumps)[0][0].clone().unwrap();
    server.exec(&format!("KILL {id}"));
    wait_for("the source has given the connection up", || {
        server.query_strings(dumps).is_empty()
    });
    let still = replica.status();
    assert_eq!(
        still.number("Read_Source_Log_Pos"),
        first,
        "nothing is received meanwhile"
    );
    lock.execute_batch("ROLLBACK").unwrap();
    replica.wait_until_caught_up(&server);
    assert!(!running.has_exited());
    replica.wait_for_status("what is applied goes", |status| {
        status.number("Relay_Log_Space") < LIMIT
    });
    assert_equal(&server, &replica.target_dir());
    drop(running);
}

fn a_transaction_larger_than_the_limit_passes(flavor: Flavor) {
    let server = Server::builder(flavor).arg("--max-binlog-size=1M").start();
    server.exec("CREATE DATABASE a; CREATE TABLE a.t (id INT PRIMARY KEY, body LONGBLOB)");
    let replica = Replica::of(&server).arg("--relay-log-space-limit=2000000");
    let running = replica.follow();
    let rows: Vec<_> = (0..30)
        .map(|id| format!("INSERT INTO a.t VALUES ({id}, REPEAT('x', 1 << 20))"))
        .collect();
    server.exec(&format!("BEGIN; {}; COMMIT", rows.join("; ")));
    server.exec("INSERT INTO a.t VALUES (1000, 'small')");
    replica.wait_until_caught_up(&server);
    assert_equal(&server, &replica.target_dir());
    wait_for("its file goes when it is applied", || {
        replica.status().number("Relay_Log_Space") < 2_000_000
    });
    drop(running);
}

/// Somebody empties the target's directory while replication runs: it stops and says so, and nothing more is purged. Afresh, all
/// is there again.
fn what_is_removed_by_hand_is_missed(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec("CREATE DATABASE a; CREATE TABLE a.t (id INT PRIMARY KEY)");
    let replica = Replica::of(&server);
    let running = replica.follow();
    replica.wait_until_caught_up(&server);
    let (needed, _) = server.position();
    for entry in fs::read_dir(replica.target_dir()).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    rotate(&server, 3);
    let stopped = replica.wait_for_status("it is noticed", |status| {
        status.text("Replica_SQL_Running") == "No"
    });
    let error = stopped.text("Last_SQL_Error");
    assert!(
        error.contains("a.db is gone: it was removed while replication runs"),
        "{error}"
    );
    replica.wait_for_status("all is received", |status| {
        status.text("Source_Log_File") == server.position().0
    });
    assert!(files(&replica).0.contains(&needed), "{:?}", files(&replica));
    drop(running);
    fs::remove_dir_all(replica.target_dir()).unwrap();
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
}

/// The newest file is lost, and an undecided XA transaction needs all from far before it: more than may be there at a time.
fn more_than_the_limit_is_fetched_again(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec("CREATE DATABASE a; CREATE TABLE a.t (id INT PRIMARY KEY, b LONGBLOB)");
    let mut xa = server.client();
    xa.exec("XA START 'x'; INSERT INTO a.t VALUES (0, 'x'); XA END 'x'; XA PREPARE 'x'");
    for id in 1..7 {
        server.exec(&format!(
            "INSERT INTO a.t VALUES ({id}, REPEAT('x', 1 << 20)); FLUSH BINARY LOGS"
        ));
    }
    server.exec("INSERT INTO a.t VALUES (7, 'x')");
    let replica = Replica::of(&server).arg(format!("--relay-log-space-limit={}", 2 << 20));
    replica.run_until_quiet(&server);
    let (newest, _) = server.position();
    fs::remove_file(replica.source_dir().join(newest)).unwrap();
    server.exec("INSERT INTO a.t VALUES (8, 'x')");
    let running = replica.follow();
    replica.wait_until_caught_up(&server);
    xa.exec("XA COMMIT 'x'");
    replica.wait_until_caught_up(&server);
    assert_equal(&server, &replica.target_dir());
    drop(running);
}
