//! XA transactions: nothing of a prepared one is seen before the source commits it, and all of it is then, whatever was
//! killed or restarted in between.

pub(crate) mod work;

use std::time::Duration;

use self::work::XaWork;
use crate::support::compare::{assert_equal, database_path, open};
use crate::support::random::{self, Random, budget};
use crate::support::relaylite::{Replica, Status, relaylite};
use crate::support::server::{Flavor, Server, Session};
use crate::support::workload::{self, Load};

on_both!(
    prepared_rows_are_not_seen_before_the_commit,
    rolled_back_rows_never_come,
    one_phase_and_empty_ones,
    several_at_once_over_several_databases,
    the_source_dies_while_one_is_prepared,
    relaylite_dies_while_one_is_prepared,
    killed_at_random_moments_with_xa,
    a_start_after_the_prepare,
    until_between_prepare_and_commit,
    a_lost_relay_log_is_fetched_from_the_oldest_prepared_one,
    large_and_compressed,
    into_a_server,
    dumped_as_one_block_each,
);

const TABLES: &str = "
    CREATE DATABASE a; CREATE DATABASE b;
    CREATE TABLE a.t (id INT PRIMARY KEY, v VARCHAR(99), d DECIMAL(20,5)) ENGINE=InnoDB;
    CREATE TABLE b.t (id INT PRIMARY KEY, v VARCHAR(99), bl MEDIUMBLOB) ENGINE=InnoDB;
    CREATE TABLE b.keyless (id INT, v VARCHAR(99)) ENGINE=InnoDB;
    INSERT INTO a.t VALUES (1, 'before', 1.5), (2, 'before', 2.5); INSERT INTO b.t VALUES (1, 'before', x'00ff');
    INSERT INTO b.keyless VALUES (1, 'same'), (1, 'same'), (2, NULL)";

/// Rows of two databases, as `XA START` to `XA PREPARE` of one session.
fn prepare(server: &Server, xid: &str, rows: &str) {
    let mut session = server.client();
    session.exec(&format!(
        "XA START {xid}; {rows}; XA END {xid}; XA PREPARE {xid}"
    ));
    session.end(&mut server.client());
}

const CHANGES: &str = "INSERT INTO a.t VALUES (10, 'xa', 10.25); UPDATE a.t SET v = 'by xa' WHERE id = 1; \
                       INSERT INTO b.t VALUES (10, 'xa', REPEAT('x', 100000)); DELETE FROM b.keyless WHERE id = 1 LIMIT 1";

fn count(replica: &Replica, database: &str, table: &str) -> i64 {
    let target = open(&database_path(&replica.target_dir(), database));
    target
        .query_row(&format!("SELECT COUNT(*) FROM {table}"), [], |row| {
            row.get(0)
        })
        .unwrap()
}

fn prepared(status: &Status) -> u64 {
    status.number("Prepared_XA_Transactions")
}

fn prepared_rows_are_not_seen_before_the_commit(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(TABLES);
    let replica = Replica::of(&server);
    let running = replica.follow();
    replica.wait_until_caught_up(&server);
    assert_eq!(replica.status().text("Oldest_Prepared_XA_Xid"), "");
    let (file, pos) = server.position();
    prepare(&server, "'transfer','b 7',42", CHANGES);
    server.exec(
        "INSERT INTO a.t VALUES (3, 'meanwhile', 0); INSERT INTO b.keyless VALUES (2, 'meanwhile')",
    );
    server.exec("FLUSH BINARY LOGS; INSERT INTO a.t VALUES (4, 'meanwhile', 0); DELETE FROM a.t WHERE id = 2");
    replica.wait_until_caught_up(&server);
    // What is not committed cannot be selected on the source either.
    assert_equal(&server, &replica.target_dir());
    assert_eq!(count(&replica, "b", "t"), 1);
    let status = replica.status();
    assert_eq!(prepared(&status), 1);
    assert_eq!(status.text("Oldest_Prepared_XA_Xid"), "'transfer','b 7',42");
    assert_eq!(status.text("Oldest_Prepared_XA_Log_File"), file);
    assert_eq!(status.number("Oldest_Prepared_XA_Log_Pos"), pos);
    let age = status.number("Oldest_Prepared_XA_Timestamp");
    assert!(age > 1_600_000_000, "{age}");
    server.exec("XA COMMIT 'transfer','b 7',42");
    replica.wait_until_caught_up(&server);
    assert_equal(&server, &replica.target_dir());
    assert_eq!(count(&replica, "b", "t"), 2);
    let status = replica.status();
    assert_eq!(prepared(&status), 0);
    assert_eq!(
        status.text("Executed_Gtid_Set"),
        server.gtid_position(),
        "both groups count"
    );
    // The xid may be used again.
    prepare(&server, "'transfer','b 7',42", "DELETE FROM b.t");
    server.exec("XA COMMIT 'transfer','b 7',42");
    replica.wait_until_caught_up(&server);
    assert_equal(&server, &replica.target_dir());
    drop(running);
}

fn rolled_back_rows_never_come(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(TABLES);
    prepare(&server, "X'00ff27','x',0", CHANGES);
    prepare(
        &server,
        "'other'",
        "INSERT INTO a.t VALUES (11, 'other', 1)",
    );
    server.exec("XA ROLLBACK X'00ff27','x',0; INSERT INTO a.t VALUES (10, 'free again', 1); XA COMMIT 'other'");
    let replica = Replica::of(&server);
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
    let status = replica.status();
    assert_eq!(prepared(&status), 0);
    assert_eq!(status.text("Executed_Gtid_Set"), server.gtid_position());
}

/// One phase, nothing in it, only rows that cannot be rolled back in it, ended without a prepare, savepoints.
fn one_phase_and_empty_ones(flavor: Flavor) {
    // MySQL with GTIDs refuses tables that cannot be rolled back in a transaction.
    let server = Server::builder(flavor).gtid_mode(false).start();
    server.exec(TABLES);
    server.exec("CREATE TABLE a.now (id INT) ENGINE=MyISAM");
    server.exec(&format!(
        "XA START 'one'; {CHANGES}; XA END 'one'; XA COMMIT 'one' ONE PHASE;
         XA START 'empty'; XA END 'empty'; XA PREPARE 'empty'; XA COMMIT 'empty';
         XA START 'none'; UPDATE a.t SET v = 'x' WHERE id = 77; XA END 'none'; XA PREPARE 'none'; XA ROLLBACK 'none';
         XA START 'now'; INSERT INTO a.now VALUES (1); XA END 'now'; XA PREPARE 'now'; XA ROLLBACK 'now';
         XA START 'now'; INSERT INTO a.now VALUES (2); INSERT INTO a.t VALUES (20, 'now', 0); XA END 'now';
         XA PREPARE 'now'; XA COMMIT 'now';
         XA START 'early'; INSERT INTO a.t VALUES (21, 'no', 0); XA END 'early'; XA ROLLBACK 'early';
         XA START 'points'; INSERT INTO a.t VALUES (22, 'yes', 0); SAVEPOINT s; INSERT INTO a.t VALUES (23, 'no', 0);
         INSERT INTO a.now VALUES (3); ROLLBACK TO s; SAVEPOINT u; RELEASE SAVEPOINT u; XA END 'points';
         XA PREPARE 'points'; XA COMMIT 'points'"
    ));
    let replica = Replica::of(&server);
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
    assert_eq!(count(&replica, "a", "t"), 5);
    assert_eq!(prepared(&replica.status()), 0);
}

fn several_at_once_over_several_databases(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(TABLES);
    let replica = Replica::of(&server);
    let running = replica.follow();
    for number in 100..110 {
        prepare(
            &server,
            &format!("'n{number}','',{number}"),
            &format!(
                "INSERT INTO a.t VALUES ({number}, 'xa', 1); INSERT INTO b.t VALUES ({number}, 'xa', 'x'); \
                 INSERT INTO b.keyless VALUES (9, 'nine')"
            ),
        );
        server.exec(&format!(
            "INSERT INTO a.t VALUES ({number} + 100, 'plain', 0)"
        ));
    }
    replica.wait_until_caught_up(&server);
    assert_eq!(prepared(&replica.status()), 10);
    for number in [105, 100, 109, 101, 104] {
        server.exec(&format!("XA COMMIT 'n{number}','',{number}"));
    }
    server.exec("UPDATE b.keyless SET v = 'changed' WHERE id = 9 LIMIT 2");
    for number in [108, 102] {
        server.exec(&format!("XA ROLLBACK 'n{number}','',{number}"));
    }
    replica.wait_until_caught_up(&server);
    assert_equal(&server, &replica.target_dir());
    let status = replica.status();
    assert_eq!(prepared(&status), 3);
    assert_eq!(status.text("Oldest_Prepared_XA_Xid"), "'n103','',103");
    // What is parked is known without a process, too.
    assert_eq!(running.sigterm().0, 0);
    let status = replica.status();
    assert_eq!(prepared(&status), 3);
    assert_eq!(status.text("Oldest_Prepared_XA_Xid"), "'n103','',103");
    for number in [103, 106, 107] {
        server.exec(&format!("XA COMMIT 'n{number}','',{number}"));
    }
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
    assert_eq!(prepared(&replica.status()), 0);
}

fn durable_server(flavor: Flavor) -> Server {
    Server::builder(flavor)
        .arg("--innodb-flush-log-at-trx-commit=1")
        .arg("--sync-binlog=1")
        .start()
}

fn the_source_dies_while_one_is_prepared(flavor: Flavor) {
    let mut server = durable_server(flavor);
    server.exec(TABLES);
    let replica = Replica::of(&server).arg("--connect-retry=1");
    let running = replica.follow();
    prepare(&server, "'survivor'", CHANGES);
    prepare(
        &server,
        "'victim'",
        "INSERT INTO a.t VALUES (30, 'victim', 0)",
    );
    replica.wait_until_caught_up(&server);
    server.kill9();
    server.restart();
    assert_eq!(server.query("XA RECOVER").len(), 2);
    server.exec("INSERT INTO a.t VALUES (31, 'after', 0)");
    replica.wait_until_caught_up(&server);
    assert_equal(&server, &replica.target_dir());
    server
        .exec("XA COMMIT 'survivor'; XA ROLLBACK 'victim'; INSERT INTO a.t VALUES (30, 'free', 0)");
    replica.wait_until_caught_up(&server);
    assert_equal(&server, &replica.target_dir());
    assert_eq!(count(&replica, "b", "t"), 2);
    drop(running);
}

/// Killed with one parked behind the watermark and one before it, and again while the commit is applied.
fn relaylite_dies_while_one_is_prepared(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(TABLES);
    prepare(&server, "'stored'", CHANGES);
    let replica = Replica::of(&server);
    replica.run_until_caught_up();
    assert_eq!(prepared(&replica.status()), 1, "stored with the watermark");
    let running = replica.follow();
    prepare(
        &server,
        "'fresh'",
        "INSERT INTO a.t VALUES (40, 'fresh', 0)",
    );
    replica.wait_until_caught_up(&server);
    running.kill9();
    server.exec("FLUSH BINARY LOGS; XA COMMIT 'stored'; XA COMMIT 'fresh'; INSERT INTO a.t VALUES (41, 'after', 0)");
    let running = replica.follow();
    replica.wait_for_status("the rows of the stored one", |status| {
        status.number("Exec_Source_Log_Pos") > 4 && count(&replica, "a", "t") > 2
    });
    running.kill9();
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
    assert_eq!(prepared(&replica.status()), 0);
}

fn killed_at_random_moments_with_xa(flavor: Flavor) {
    let seed = random::seed();
    let mut random = Random::new(seed, 2000);
    let server = Server::start(flavor);
    workload::create(&server);
    work::create(&server);
    let replica = Replica::of(&server);
    let load = Load::start(&server, seed, None);
    let xa = XaWork::start(&server, seed);
    for _ in 0..budget("RELAYLITE_TEST_KILLS", 12) {
        let running = replica.follow();
        std::thread::sleep(Duration::from_millis(random.range(0..700)));
        running.kill9();
    }
    load.finish();
    let done = xa.finish();
    assert!(done > 20, "only {done} XA transactions");
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
    let left = server.query("XA RECOVER").len();
    assert_eq!(prepared(&replica.status()), left as u64);
    let mut session = server.client();
    decide_all(&mut session, "COMMIT");
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
    assert_eq!(prepared(&replica.status()), 0);
}

/// Decides whatever `XA RECOVER` lists.
fn decide_all(session: &mut Session, word: &str) {
    for row in session.query("XA RECOVER") {
        let text = |at: usize| String::from_utf8(row[at].clone().unwrap()).unwrap();
        let global_len: usize = text(1).parse().unwrap();
        let (global, branch) = row[3].as_deref().unwrap().split_at(global_len);
        let hex = |bytes: &[u8]| -> String { bytes.iter().map(|b| format!("{b:02x}")).collect() };
        session.exec(&format!(
            "XA {word} X'{}',X'{}',{}",
            hex(global),
            hex(branch),
            text(0)
        ));
    }
}

fn a_start_after_the_prepare(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(TABLES);
    prepare(&server, "'dropped'", "INSERT INTO a.t VALUES (50, 'no', 0)");
    prepare(
        &server,
        "'lost'",
        "INSERT INTO b.t VALUES (50, 'unknown', '')",
    );
    let (file, pos) = server.position();
    server.exec("XA ROLLBACK 'dropped'; CREATE DATABASE c; CREATE TABLE c.t (id INT PRIMARY KEY); INSERT INTO c.t VALUES (1)");
    let replica = Replica::of(&server).start(format!("{file}:{pos}"));
    replica.run_until_caught_up();
    server.exec("XA COMMIT 'lost'");
    let (file, end) = server.position();
    server.exec("INSERT INTO c.t VALUES (2)");
    assert_eq!(replica.try_until_caught_up(), 1);
    let log = replica.log();
    let cure = format!("--skip-to {file}:{end}");
    assert!(
        log.contains("XA COMMIT of 'lost','',1") && log.contains(&cure) && log.contains("1677"),
        "{log}"
    );
    let replica = replica.arg(format!("--skip-to={file}:{end}"));
    replica.run_until_caught_up();
    crate::support::compare::assert_database_equal(&server, &replica.target_dir(), "c");
}

fn until_between_prepare_and_commit(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(TABLES);
    prepare(&server, "'x'", CHANGES);
    let (file, pos) = server.position();
    server.exec("XA COMMIT 'x'; INSERT INTO a.t VALUES (60, 'after', 0)");
    let replica = Replica::of(&server);
    let mut command = replica.run_command();
    command.arg(format!("--until={file}:{pos}"));
    assert_eq!(replica.spawn(command).wait(), 0);
    assert_eq!(prepared(&replica.status()), 1);
    assert_eq!(count(&replica, "a", "t"), 2);
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
}

fn a_lost_relay_log_is_fetched_from_the_oldest_prepared_one(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(TABLES);
    server.exec("FLUSH BINARY LOGS");
    prepare(&server, "'x'", CHANGES);
    server.exec("FLUSH BINARY LOGS; INSERT INTO a.t VALUES (70, 'after', 0)");
    let replica = Replica::of(&server);
    replica.run_until_caught_up();
    std::fs::remove_dir_all(replica.relay_dir()).unwrap();
    server.exec("XA COMMIT 'x'");
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
}

/// Many megabytes in one, under the servers' compressions, whose format changes before the commit.
fn large_and_compressed(flavor: Flavor) {
    let compression = match flavor {
        Flavor::MySql => "--binlog-transaction-compression=ON",
        Flavor::MariaDb | Flavor::MariaDb11 => "--log-bin-compress=ON",
    };
    let mut server = Server::builder(flavor).arg(compression).start();
    server.exec(TABLES);
    let replica = Replica::of(&server).arg("--connect-retry=1");
    let running = replica.follow();
    let large = "USE b; INSERT INTO b.t SELECT 100 + seq.n, REPEAT('v', 90), REPEAT(HEX(seq.n * 7919), 40000) FROM \
                 (WITH RECURSIVE n AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM n WHERE n < 120) SELECT n FROM n) seq; \
                 UPDATE b.t SET bl = CONCAT(bl, x'0001') WHERE id > 150; \
                 INSERT INTO a.t VALUES (80, REPEAT('long', 20), 8.125); DELETE FROM a.t WHERE id = 2";
    prepare(&server, "'large'", large);
    server.exec(
        "XA START 'one'; INSERT INTO a.t VALUES (81, REPEAT('once', 20), 1); XA END 'one'; XA COMMIT 'one' ONE PHASE"
    );
    replica.wait_until_caught_up(&server);
    server.restart_with("--binlog-checksum=NONE");
    server.exec("XA COMMIT 'large'; INSERT INTO a.t VALUES (82, 'plain', 0); UPDATE b.t SET v = 'u' WHERE id = 200");
    replica.wait_until_caught_up(&server);
    assert_equal(&server, &replica.target_dir());
    assert_eq!(count(&replica, "b", "t"), 121);
    drop(running);
}

/// With a MySQL or MariaDB server as the target, killed at each stage.
fn into_a_server(flavor: Flavor) {
    let (server, target) = (Server::start(flavor), Server::start(flavor));
    server.exec(TABLES);
    let replica = Replica::of(&server).onto(&target);
    prepare(&server, "'x'", CHANGES);
    prepare(&server, "'y'", "INSERT INTO a.t VALUES (90, 'y', 0)");
    server.exec("INSERT INTO a.t VALUES (91, 'plain', 0)");
    replica.run_until_caught_up();
    assert_same_tables(&server, &target);
    let running = replica.follow();
    assert_eq!(
        prepared(&replica.wait_for_status("parked ones", |status| prepared(status) == 2)),
        2
    );
    running.kill9();
    server.exec("XA ROLLBACK 'y'; INSERT INTO a.t VALUES (90, 'free', 0); XA COMMIT 'x'");
    replica.run_until_caught_up();
    assert_same_tables(&server, &target);
    let parked = target.query_strings("SELECT parked FROM relaylite.watermark");
    assert_eq!(parked[0][0].as_deref(), Some("[]"));
}

#[track_caller]
fn assert_same_tables(source: &Server, target: &Server) {
    for table in ["a.t", "b.t", "b.keyless"] {
        let sql = format!("SELECT * FROM {table} ORDER BY 1, 2");
        assert_eq!(source.query(&sql), target.query(&sql), "{table}");
    }
}

fn dumped_as_one_block_each(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(TABLES);
    server.exec("FLUSH BINARY LOGS");
    let (file, _) = server.position();
    prepare(&server, "'x','y',7", CHANGES);
    server.exec("XA COMMIT 'x','y',7");
    let mut command = relaylite();
    command
        .args(["relay", "dump", "--verify"])
        .arg(server.binlog_path(&file));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let blocks: Vec<&str> = text
        .split("\n\n")
        .filter(|block| block.contains("XA "))
        .collect();
    assert_eq!(blocks.len(), 2, "{text}");
    let lines: Vec<&str> = blocks[0]
        .lines()
        .filter(|line| line.starts_with("XA "))
        .collect();
    assert_eq!(
        lines,
        [
            "XA START X'78',X'79',7;",
            "XA END X'78',X'79',7;",
            "XA PREPARE X'78',X'79',7;"
        ],
        "{text}"
    );
    assert!(blocks[0].contains("`b`.`keyless`"), "{text}");
    assert!(blocks[1].ends_with("XA COMMIT X'78',X'79',7;"), "{text}");
}
