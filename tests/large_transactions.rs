//! One transaction, however large, costs disk and not memory, and `status` is truthful meanwhile.
//!
//! `RELAYLITE_TEST_TRANSACTION_ROWS` and `RELAYLITE_TEST_TRANSACTION_MIB` set the size, `RELAYLITE_TEST_VALUE_MIB` that of
//! one value, `RELAYLITE_TEST_BACKLOG_MIB` that of a backlog; what each costs is printed.

use std::time::Instant;

use crate::support::compare::assert_equal;
use crate::support::random::budget;
use crate::support::relaylite::{Replica, Running, Status, peak_memory_mib};
use crate::support::server::{Flavor, Server};

on_both!(
    a_transaction_of_many_rows,
    a_transaction_of_many_bytes,
    a_value_of_many_bytes,
    a_value_of_many_bytes_into_a_server,
    a_backlog_of_many_bytes,
);

/// The transaction is older than anything that the test itself takes.
const LONG_AGO: &str = "SET timestamp = UNIX_TIMESTAMP() - 20000;";
const AGE: u64 = 20_000;

/// Memory that a replica needs for everything but the event in its hands.
const BASE_MIB: u64 = 96;

fn server(flavor: Flavor) -> Server {
    let server = Server::builder(flavor)
        .arg("--max-allowed-packet=1G")
        .arg("--loose-innodb-log-file-size=2G")
        .arg("--loose-innodb-redo-log-capacity=4G")
        .start();
    server.exec("CREATE DATABASE big");
    server
}

fn a_transaction_of_many_rows(flavor: Flavor) {
    let rows = budget("RELAYLITE_TEST_TRANSACTION_ROWS", 60_000);
    let server = server(flavor);
    server.exec("CREATE TABLE big.t (id INT AUTO_INCREMENT PRIMARY KEY, a VARCHAR(50), b BIGINT)");
    let replica = Replica::of(&server);
    let running = replica.follow();
    server.exec("INSERT INTO big.t (a, b) VALUES ('a row of everyday size', 7)");
    let double = "INSERT INTO big.t (a, b) SELECT a, b + id FROM big.t;";
    let mut sql = format!("{LONG_AGO} BEGIN;");
    for _ in 0..rows.next_power_of_two().ilog2() {
        sql.push_str(double);
    }
    server.exec(&(sql + "COMMIT"));
    applied(&server, &replica, &running, BASE_MIB);
}

/// One value that is changed again and again: the target stays small, the transaction does not.
fn a_transaction_of_many_bytes(flavor: Flavor) {
    const VALUE_MIB: u64 = 4;
    let size = budget("RELAYLITE_TEST_TRANSACTION_MIB", 96);
    let server = server(flavor);
    server.exec("CREATE TABLE big.t (id INT PRIMARY KEY, body LONGBLOB, text LONGTEXT)");
    let replica = Replica::of(&server).arg("--relay-log-purge=false");
    let running = replica.follow();
    server.exec(&format!(
        "INSERT INTO big.t VALUES (1, REPEAT('x', {VALUE_MIB} << 20), 'first')"
    ));
    // Both images are in the event.
    let mut sql = format!("{LONG_AGO} BEGIN;");
    for round in 0..=size / (2 * VALUE_MIB) {
        sql.push_str(&format!(
            "UPDATE big.t SET body = CONCAT(LPAD({round}, 8, '0'), SUBSTRING(body, 9)), text = 'last';"
        ));
    }
    server.exec(&(sql + "COMMIT"));
    server.exec("INSERT INTO big.t VALUES (2, NULL, 'behind it'); FLUSH BINARY LOGS");
    server.exec("INSERT INTO big.t VALUES (3, NULL, 'in the next file')");
    applied(&server, &replica, &running, BASE_MIB + 12 * VALUE_MIB);
    // The source may have gone on in the next file by itself.
    let largest = server.binlog_files().into_iter().max_by_key(|file| file.1);
    let path = replica.source_dir().join(largest.unwrap().0);
    let relay_bytes = std::fs::metadata(path).unwrap().len();
    assert!(relay_bytes > size << 20, "{relay_bytes}");
    // And again after a restart, which begins behind it.
    assert_eq!(running.sigterm().0, 0);
    server.exec("INSERT INTO big.t VALUES (4, NULL, 'after a restart')");
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
}

fn a_value_of_many_bytes(flavor: Flavor) {
    let size = budget("RELAYLITE_TEST_VALUE_MIB", 48);
    let server = server(flavor);
    server.exec("CREATE TABLE big.t (id INT PRIMARY KEY, body LONGBLOB)");
    let replica = Replica::of(&server);
    let running = replica.follow();
    server.exec(&format!(
        "INSERT INTO big.t VALUES (1, REPEAT('x', {size} << 20))"
    ));
    server.exec("INSERT INTO big.t VALUES (2, 'behind it')");
    // The event in the reader, in the lane's queue, and in SQLite.
    applied(&server, &replica, &running, BASE_MIB + 4 * size);
}

/// The same onto a server, which takes no larger packet than the source.
fn a_value_of_many_bytes_into_a_server(flavor: Flavor) {
    let size = budget("RELAYLITE_TEST_VALUE_MIB", 48);
    let server = server(flavor);
    let target = Server::builder(flavor)
        .server_id(200)
        .arg("--max-allowed-packet=1G")
        .arg("--loose-innodb-log-file-size=2G")
        .arg("--loose-innodb-redo-log-capacity=4G")
        .start();
    server.exec("CREATE TABLE big.t (id INT PRIMARY KEY, body LONGBLOB)");
    let replica = Replica::of(&server).onto(&target);
    let running = replica.follow();
    server.exec(&format!(
        "INSERT INTO big.t VALUES (1, REPEAT('x', {size} << 20))"
    ));
    server.exec("INSERT INTO big.t VALUES (2, 'behind it')");
    replica.wait_until_caught_up(&server);
    let peak = peak_memory_mib(running.pid());
    eprintln!("a value of {size} MiB into a server: peak memory {peak} MiB");
    assert!(peak <= BASE_MIB + 5 * size, "peak memory {peak} MiB");
    let rows = "SELECT id, LENGTH(body), SHA2(body, 256) FROM big.t ORDER BY id";
    assert_eq!(server.query(rows), target.query(rows));
    assert!(replica.status().set_aside().is_empty());
    drop(running);
}

/// The replica comes when all of it is there: disk, not memory, and the relay log goes as it is applied.
fn a_backlog_of_many_bytes(flavor: Flavor) {
    let size = budget("RELAYLITE_TEST_BACKLOG_MIB", 64);
    let server = Server::builder(flavor)
        .arg("--max-allowed-packet=64M")
        .arg("--loose-innodb-log-file-size=1G")
        .arg("--loose-innodb-redo-log-capacity=2G")
        .arg(format!(
            "--max-binlog-size={}",
            if size > 4096 { 1 << 30 } else { 8 << 20 }
        ))
        .start();
    server.exec("CREATE DATABASE big; CREATE TABLE big.t (id INT PRIMARY KEY, body LONGBLOB)");
    server.exec("INSERT INTO big.t VALUES (1, REPEAT('x', 1 << 20)), (2, REPEAT('y', 1 << 20))");
    let mut session = server.client();
    // Two row images of 1 MiB in each event.
    for round in 0..size / 2 {
        session.exec(&format!("UPDATE big.t SET body = CONCAT(LPAD({round}, 8, '0'), SUBSTRING(body, 9)) WHERE id = 1 + {round} % 2"));
    }
    let replica = Replica::of(&server);
    let running = replica.follow();
    applied(&server, &replica, &running, BASE_MIB);
    replica.wait_for_status("the relay log is purged", |status| {
        status.number("Relay_Log_Space") < (size << 20) / 2
    });
}

/// Waits until everything is applied, and checks what that took.
#[track_caller]
fn applied(server: &Server, replica: &Replica, running: &Running, limit_mib: u64) {
    let started = Instant::now();
    let (mut behind, mut seen) = (0, Vec::new());
    let mut progress = Progress::default();
    let (file, pos) = server.position();
    replica.wait_for_status("the transaction is applied", |status| {
        behind = behind.max(status.number("Seconds_Behind_Source"));
        progress.look(status);
        let cause = status.text("Lag_Cause").to_owned();
        if !seen.contains(&cause) {
            seen.push(cause);
        }
        status.text("Relay_Source_Log_File") == file && status.number("Exec_Source_Log_Pos") >= pos
    });
    let peak = peak_memory_mib(running.pid());
    eprintln!(
        "applied in {:?}, peak memory {peak} MiB, at most {behind} s behind, causes {seen:?}",
        started.elapsed()
    );
    progress.check();
    assert!(
        peak <= limit_mib,
        "peak memory {peak} MiB, more than {limit_mib}"
    );
    assert_equal(server, &replica.target_dir());
}

/// What `status` said while a transaction of long ago was received and applied.
#[derive(Default)]
struct Progress {
    rows: Vec<u64>,
    looks_behind: u64,
    /// It was behind, is not done, and says otherwise: only between a commit and its publication.
    wrong: Vec<String>,
}

impl Progress {
    fn look(&mut self, status: &Status) {
        let lanes = status.json["Lanes"].as_array().unwrap();
        self.rows.push(
            lanes
                .iter()
                .map(|lane| lane["Rows"].as_u64().unwrap())
                .sum(),
        );
        let behind = status.number("Seconds_Behind_Source");
        if behind >= AGE {
            self.looks_behind += 1;
        } else if self.looks_behind > 0 && status.number("Bytes_Behind_Source") > 1 << 20 {
            self.wrong.push(format!("{:#}", status.json));
        }
    }

    #[track_caller]
    fn check(&self) {
        assert!(
            self.rows.is_sorted(),
            "rows are counted as they are applied: {:?}",
            self.rows
        );
        assert!(self.wrong.len() <= 1, "{}", self.wrong.join("\n"));
        let mut steps = self.rows.clone();
        steps.dedup();
        eprintln!(
            "{} looks at status, {} of them behind, {} different counts of rows",
            self.rows.len(),
            self.looks_behind,
            steps.len()
        );
    }
}
