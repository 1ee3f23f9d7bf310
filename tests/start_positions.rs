//! Where replication starts when there is no checkpoint.

use crate::support::compare::{self, assert_database_equal, assert_equal, database_path, open};
use crate::support::relaylite::Replica;
use crate::support::server::{Flavor, Server};

on_both!(
    from_file_and_position,
    from_gtid,
    from_latest,
    a_checkpoint_wins_over_start,
    killed_at_once_after_latest,
    until_a_position,
    until_the_head_of_the_next_file,
    a_table_that_is_gone_is_read_from_full_metadata,
    a_position_within_an_event_is_refused,
    from_the_whole_gtid_set_of_a_quiet_source,
);

const BEFORE: &str =
    "CREATE DATABASE old; CREATE TABLE old.t (id INT PRIMARY KEY); INSERT INTO old.t VALUES (1)";
const AFTER: &str = "CREATE DATABASE new; CREATE TABLE new.t (id INT PRIMARY KEY, v VARCHAR(9)); \
                     INSERT INTO new.t VALUES (1, 'a'), (2, 'b')";

fn from_file_and_position(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(BEFORE);
    let (file, pos) = server.position();
    server.exec(AFTER);
    let replica = Replica::of(&server).start(format!("{file}:{pos}"));
    replica.run_until_caught_up();
    assert_only_new(&server, &replica);
    // The relay file has the source's offsets although it began inside the file.
    let relay_file = replica.source_dir().join(&file);
    assert_eq!(
        std::fs::metadata(relay_file).unwrap().len(),
        server.position().1
    );
}

/// The source has another table of that name by now; the event itself says what it held then.
fn a_table_that_is_gone_is_read_from_full_metadata(flavor: Flavor) {
    let server = Server::builder(flavor)
        .arg("--binlog-row-metadata=FULL")
        .start();
    server.exec(
        "CREATE DATABASE old; CREATE TABLE old.t (id BIGINT UNSIGNED PRIMARY KEY, n VARCHAR(9) CHARACTER SET latin1, \
         e ENUM('x', 'y'), d DECIMAL(9,2), f DATETIME(3), b VARBINARY(8))",
    );
    let (file, pos) = server.position();
    server.exec(
        "INSERT INTO old.t VALUES (7, 'é', 'y', -1.50, '2001-02-03 04:05:06.789', x'00ff'); DROP TABLE old.t; \
         CREATE TABLE old.other (id INT PRIMARY KEY); INSERT INTO old.other VALUES (1)",
    );
    let end_of_insert = end_of_insert(&server, pos);
    let replica = Replica::of(&server)
        .start(format!("{file}:{pos}"))
        .arg("--until")
        .arg(format!("{file}:{end_of_insert}"));
    assert_eq!(replica.follow().wait(), 0, "{}", replica.log());
    let target = open(&database_path(&replica.target_dir(), "old"));
    let row: (i64, String, String, f64, String, Vec<u8>) = target
        .query_row("SELECT id, n, e, d, f, b FROM t", [], |row| {
            Ok((
                row.get(0)?,
                row.get(1)?,
                row.get(2)?,
                row.get(3)?,
                row.get(4)?,
                row.get(5)?,
            ))
        })
        .unwrap();
    let expected = (
        7,
        "é".into(),
        "y".into(),
        -1.5,
        "2001-02-03 04:05:06.789".into(),
        vec![0, 255],
    );
    assert_eq!(row, expected);
    Replica::run_until_caught_up(&Replica::of(&server).start(format!("{file}:{pos}")));
}

/// Where the first transaction after `pos` ends.
fn end_of_insert(server: &Server, pos: u64) -> u64 {
    let events = server.query_strings(&format!("SHOW BINLOG EVENTS FROM {pos}"));
    let xid = events
        .iter()
        .find(|event| event[2].as_deref() == Some("Xid"))
        .unwrap();
    xid[4].as_deref().unwrap().parse().unwrap()
}

fn a_position_within_an_event_is_refused(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(BEFORE);
    let (file, pos) = server.position();
    let mut replica = Replica::of(&server).start(format!("{file}:{}", pos - 5));
    assert_eq!(replica.try_until_caught_up(), 1);
    let log = replica.log();
    assert!(
        log.contains("1236") && log.contains(&format!("--start {file}:{pos}")),
        "{log}"
    );
    // Nothing was kept of the wrong start: the right one works in the same directories.
    replica.set_start("earliest");
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
}

fn from_gtid(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(BEFORE);
    let gtid = server.gtid_position();
    server.exec("FLUSH BINARY LOGS");
    server.exec(AFTER);
    let replica = Replica::of(&server).start(format!("gtid:{gtid}"));
    replica.run_until_caught_up();
    assert_only_new(&server, &replica);
    server.exec("INSERT INTO new.t VALUES (3, 'c')");
    replica.run_until_caught_up();
    assert_only_new(&server, &replica);
}

fn from_latest(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(BEFORE);
    let replica = Replica::of(&server).start("latest");
    let running = replica.follow();
    replica.wait_for_status("connected", |status| {
        status.text("Replica_IO_Running") == "Yes"
    });
    server.exec(AFTER);
    replica.wait_until_caught_up(&server);
    assert_only_new(&server, &replica);
    drop(running);
}

fn a_checkpoint_wins_over_start(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(BEFORE);
    let mut replica = Replica::of(&server);
    replica.run_until_caught_up();
    server.exec(AFTER);
    replica.set_start("latest");
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
}

/// What `latest` was is settled when replication begins, not when it begins once more after a crash.
fn killed_at_once_after_latest(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(BEFORE);
    let replica = Replica::of(&server).start("latest");
    let running = replica.follow();
    replica.wait_for_status("connected", |status| {
        status.text("Replica_IO_Running") == "Yes"
    });
    server.exec(AFTER);
    running.kill9();
    server.exec("INSERT INTO new.t VALUES (3, 'c')");
    replica.run_until_caught_up();
    assert_only_new(&server, &replica);
}

fn until_a_position(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(BEFORE);
    let (file, pos) = server.position();
    server.exec(AFTER);
    let replica = Replica::of(&server);
    let mut command = replica.run_command();
    command.arg(format!("--until={file}:{pos}"));
    assert_eq!(replica.spawn(command).wait(), 0);
    assert_database_equal(&server, &replica.target_dir(), "old");
    assert!(!replica.target_dir().join("new.db").exists());
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
}

/// The first event of a file is read while the reader is still at the end of the one before.
fn until_the_head_of_the_next_file(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(BEFORE);
    server.exec(AFTER);
    server.exec("FLUSH BINARY LOGS");
    let (file, _) = server.position();
    let head = &server.query_strings(&format!("SHOW BINLOG EVENTS IN '{file}' LIMIT 1"))[0];
    let end: u64 = head[4].as_deref().unwrap().parse().unwrap();
    let replica = Replica::of(&server);
    let mut command = replica.run_command();
    command.arg(format!("--until={file}:{end}"));
    assert_eq!(replica.spawn(command).wait(), 0);
    for checkpoint in compare::checkpoints(&replica.target_dir()) {
        assert_eq!(
            (checkpoint.file.as_str(), checkpoint.pos),
            (file.as_str(), end)
        );
    }
    // Nothing comes twice.
    server.exec("INSERT INTO new.t VALUES (30, 'c')");
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
}

#[track_caller]
fn assert_only_new(server: &Server, replica: &Replica) {
    assert_database_equal(server, &replica.target_dir(), "new");
    assert!(
        !replica.target_dir().join("old.db").exists(),
        "nothing from before the start"
    );
}

/// Nothing of the set may come back when a connection is made again by position.
fn from_the_whole_gtid_set_of_a_quiet_source(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec("CREATE DATABASE new; CREATE TABLE new.t (id INT, v VARCHAR(9)); INSERT INTO new.t VALUES (1, 'a')");
    let gtid = server.gtid_position();
    let replica = Replica::of(&server)
        .start(format!("gtid:{gtid}"))
        .arg("--heartbeat-period")
        .arg("1");
    replica.run_until_caught_up();
    replica.run_until_caught_up();
    server.exec("INSERT INTO new.t VALUES (2, 'b')");
    replica.run_until_caught_up();
    let target = open(&database_path(&replica.target_dir(), "new"));
    let rows: Vec<i64> = target
        .prepare("SELECT id FROM t")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(rows, [2]);
}
