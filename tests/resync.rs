//! Tables read afresh while replication runs and while they are written to: equal in the end, whatever happens meanwhile.

mod onto_server;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crate::quarantine::tamper;
use crate::support::compare::{assert_equal, database_path, open};
use crate::support::random::{self, Random, budget};
use crate::support::relaylite::{Replica, Running, wait_for};
use crate::support::server::{Flavor, Server, Session};
use crate::support::workload::{self, Load};

on_both!(
    a_large_table_comes_back_while_it_is_written_to,
    definitions_change_while_tables_are_read,
    killed_while_tables_are_read,
    images_may_be_minimal,
    every_kind_of_table_can_be_read_afresh,
    what_only_the_source_knows_is_read_from_it,
    what_cannot_be_read_is_said,
    nobody_runs,
);

/// Tables with keys of several kinds, `rows` rows each: more than one chunk.
fn tables(rows: u64) -> String {
    format!(
        "CREATE DATABASE d; USE d; CREATE TABLE seed (n INT PRIMARY KEY);
         INSERT INTO seed VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9);
         CREATE TABLE by_int (id INT PRIMARY KEY, v INT, u INT, t VARCHAR(30), UNIQUE KEY (u));
         INSERT INTO by_int SELECT n, n, n, CONCAT('row ', n) FROM (SELECT a.n + 10 * b.n + 100 * c.n + 1000 * d.n +
           10000 * e.n AS n FROM seed a, seed b, seed c, seed d, seed e) x WHERE n < {rows};
         CREATE TABLE by_pair (a VARCHAR(20), b INT, v INT, PRIMARY KEY (a, b));
         INSERT INTO by_pair SELECT CONCAT('k', id % 7), id, v FROM by_int;
         CREATE TABLE no_key (a INT, v INT); INSERT INTO no_key SELECT id, v FROM by_int WHERE id < 300;
         CREATE TABLE other (id INT PRIMARY KEY, v INT); INSERT INTO other VALUES (1, 0)"
    )
}

/// A session that changes the tables of [`tables`] until it is stopped.
struct Writer {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Writer {
    fn start(server: &Server, seed: u64, rows: u64, with_ddl: bool) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (url, stopped) = (server.root_url(), stop.clone());
        let thread = std::thread::spawn(move || {
            let mut session = Session::connect(&url).unwrap();
            session.exec("USE d");
            let mut random = Random::new(seed, 7);
            let mut fresh = rows;
            while !stopped.load(Ordering::Relaxed) {
                if with_ddl && random.percent(1) {
                    session.exec(&ddl(&mut random, fresh));
                }
                session.exec("BEGIN");
                for _ in 0..random.range(1..5) {
                    fresh += 1;
                    match session.try_exec(&change(&mut random, rows, fresh)) {
                        Ok(()) => {}
                        // A key or a unique value is taken: this statement does nothing.
                        Err(mysql_async::Error::Server(error)) if error.code == 1062 => {}
                        // The chunk's rows are locked, or have just been.
                        Err(mysql_async::Error::Server(error)) => {
                            assert!([1213, 1205, 1020].contains(&error.code), "{error}");
                            session.exec("ROLLBACK; BEGIN");
                        }
                        Err(error) => panic!("{error}"),
                    }
                }
                session.exec("COMMIT");
            }
        });
        Self { stop, thread }
    }

    fn finish(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
    }
}

fn change(random: &mut Random, rows: u64, fresh: u64) -> String {
    let (id, k, v) = (
        random.range(0..rows),
        random.range(0..7),
        random.range(0..1000),
    );
    match random.range(0..10) {
        0 => format!("INSERT INTO by_int (id, v, u) VALUES ({id}, {v}, {fresh})"),
        1 => format!("INSERT INTO by_int (id, v, u, t) VALUES ({fresh}, {v}, {fresh}, 'new')"),
        2 => format!("DELETE FROM by_int WHERE id BETWEEN {id} AND {id} + 3"),
        3 => format!("UPDATE by_int SET v = {v}, u = {fresh} WHERE id = {id}"),
        4 => format!("UPDATE by_int SET t = '{v}' WHERE id BETWEEN {id} AND {id} + 20"),
        // Keys that move, to chunks that are in and to those that are not.
        5 => format!("UPDATE by_int SET id = {fresh} WHERE id = {id}"),
        6 => format!(
            "UPDATE by_pair SET a = 'k{k}', v = {v} WHERE a = 'k{}' AND b = {id}",
            id % 7
        ),
        7 => format!("DELETE FROM by_pair WHERE a = 'k{k}' AND b BETWEEN {id} AND {id} + 30"),
        8 => format!("UPDATE no_key SET v = {v} WHERE a = {}", id % 300),
        _ => format!(
            "UPDATE other SET v = {v}; DELETE FROM no_key WHERE a = {} LIMIT 1",
            id % 300
        ),
    }
}

fn ddl(random: &mut Random, fresh: u64) -> String {
    match random.range(0..6) {
        0 => format!("ALTER TABLE by_int ADD c{fresh} INT DEFAULT {fresh}"),
        1 => "RENAME TABLE by_int TO moved, by_pair TO by_int2, moved TO by_int, by_int2 TO by_pair".into(),
        2 => "CREATE TABLE copy LIKE by_int; DROP TABLE by_pair; CREATE TABLE by_pair (a VARCHAR(20), b INT, v INT, \
              PRIMARY KEY (a, b)); DROP TABLE copy"
            .into(),
        3 => "ALTER TABLE by_int MODIFY t VARCHAR(40), ALGORITHM=COPY".into(),
        4 => "TRUNCATE TABLE no_key; INSERT INTO no_key VALUES (1, 1)".into(),
        _ => "ALTER TABLE by_int RENAME TO d.x; RENAME TABLE x TO by_int".into(),
    }
}

/// A running replica of `server` that has all of `d`, with its tables set aside.
#[track_caller]
fn with_tables_set_aside(server: &Server, rows: u64) -> (Replica, Running) {
    server.exec(&tables(rows));
    let replica = Replica::of(server);
    let running = replica.follow();
    replica.wait_until_caught_up(server);
    assert_equal(server, &replica.target_dir());
    break_tables(server, &replica);
    (replica, running)
}

fn break_tables(server: &Server, replica: &Replica) {
    let sql = "DELETE FROM by_int; DELETE FROM by_pair; DELETE FROM no_key";
    tamper(&replica.target_dir(), "d", sql);
    server.exec("UPDATE d.by_int SET v = v + 1; UPDATE d.by_pair SET v = v + 1; UPDATE d.no_key SET v = v + 1");
    replica.wait_until_caught_up(server);
    let wanted = ["d.by_int", "d.by_pair", "d.no_key"];
    assert_eq!(replica.status().set_aside(), wanted);
}

const BROKEN: [&str; 3] = ["d.by_int", "d.by_pair", "d.no_key"];

fn a_large_table_comes_back_while_it_is_written_to(flavor: Flavor) {
    let seed = random::seed();
    let rows = budget("RELAYLITE_TEST_ROWS", 30_000);
    let server = Server::start(flavor);
    let (replica, _running) = with_tables_set_aside(&server, rows);
    let writer = Writer::start(&server, seed, rows, false);
    let (code, said) = replica.resync(&BROKEN);
    assert_eq!(code, 0, "{said}{}", replica.log());
    server.exec("GRANT LOCK TABLES ON *.* TO 'repl'@'%'");
    // And once more, though nothing is wrong with them.
    let (code, said) = replica.resync(&BROKEN);
    writer.finish();
    assert_eq!(code, 0, "{said}{}", replica.log());
    replica.wait_until_caught_up(&server);
    assert_equal(&server, &replica.target_dir());
    assert!(replica.status().set_aside().is_empty());
}

fn definitions_change_while_tables_are_read(flavor: Flavor) {
    let seed = random::seed();
    let rows = 6_000;
    let server = Server::start(flavor);
    let (replica, _running) = with_tables_set_aside(&server, rows);
    let writer = Writer::start(&server, seed, rows, true);
    for _ in 0..budget("RELAYLITE_TEST_RESYNCS", 6) {
        // A table may be gone under its name for the moment.
        replica.resync(&BROKEN);
    }
    writer.finish();
    replica.wait_until_caught_up(&server);
    let (code, said) = replica.resync(&BROKEN);
    assert_eq!(code, 0, "{said}{}", replica.log());
    replica.wait_until_sound();
    assert_equal(&server, &replica.target_dir());
}

fn killed_while_tables_are_read(flavor: Flavor) {
    let seed = random::seed();
    let mut random = Random::new(seed, 1000);
    let rows = 20_000;
    let server = Server::start(flavor);
    let (replica, mut running) = with_tables_set_aside(&server, rows);
    let writer = Writer::start(&server, seed, rows, false);
    for _ in 0..budget("RELAYLITE_TEST_KILLS", 6) {
        let mut command = crate::support::relaylite::relaylite();
        let tables = command
            .args(["resync", "--relay-dir"])
            .arg(replica.relay_dir());
        assert!(tables.args(BROKEN).status().unwrap().success());
        std::thread::sleep(std::time::Duration::from_millis(random.range(50..900)));
        running.kill9();
        running = replica.follow();
        replica.wait_for_status("running", |status| {
            status.text("Replica_SQL_Running") == "Yes"
        });
    }
    let (code, said) = replica.resync(&BROKEN);
    writer.finish();
    assert_eq!(code, 0, "{said}{}", replica.log());
    replica.wait_until_caught_up(&server);
    assert_equal(&server, &replica.target_dir());
    assert_no_leftovers(&replica, "d");
    drop(running);
}

/// Unfinished copies are gone.
fn assert_no_leftovers(replica: &Replica, database: &str) {
    let sql = "SELECT count(*) FROM sqlite_schema WHERE name GLOB '_relaylite_resync*'";
    let sqlite = open(&database_path(&replica.target_dir(), database));
    let count: i64 = sqlite.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(count, 0);
}

/// A key that changes before the copy has reached its row then begins the copy anew: writers rest in the end.
fn images_may_be_minimal(flavor: Flavor) {
    let seed = random::seed();
    let rows = 3_000;
    let server = Server::builder(flavor)
        .arg("--binlog-row-image=MINIMAL")
        .start();
    let (replica, _running) = with_tables_set_aside(&server, rows);
    let writer = Writer::start(&server, seed, rows, false);
    let mut command = crate::support::relaylite::relaylite();
    let tables = command
        .args(["resync", "--relay-dir"])
        .arg(replica.relay_dir());
    assert!(tables.args(BROKEN).status().unwrap().success());
    replica.wait_for_status("a copy that is begun", |status| {
        let resyncs = status.json["Resyncs"].as_array().unwrap();
        resyncs.len() < BROKEN.len() || resyncs.iter().any(|resync| resync["Rows"] != 0)
    });
    writer.finish();
    replica.wait_until_sound();
    replica.wait_until_caught_up(&server);
    assert_equal(&server, &replica.target_dir());
}

/// Every kind of table of the random workload, while it goes on.
fn every_kind_of_table_can_be_read_afresh(flavor: Flavor) {
    let seed = random::seed();
    let server = Server::start(flavor);
    server.exec("GRANT LOCK TABLES ON *.* TO 'repl'@'%'");
    workload::create(&server);
    workload::run(&server, seed, workload::transactions(300));
    let replica = Replica::of(&server);
    let _running = replica.follow();
    replica.wait_until_caught_up(&server);
    let load = Load::start(&server, seed + 1, None);
    let tables = [
        "käse & co.by_int",
        "stock.by_unsigned",
        "shop.by_pair",
        "shop.by_name",
        "shop.by_unique",
        "shop.no_key",
        "shop.types",
        "staff.large",
    ];
    let (code, said) = replica.resync(&tables);
    load.finish();
    assert_eq!(code, 0, "{said}{}", replica.log());
    replica.wait_until_caught_up(&server);
    assert_equal(&server, &replica.target_dir());
}

/// What ALTER TABLE makes of stored values where it cannot be computed here, and partitions that come and go.
fn what_only_the_source_knows_is_read_from_it(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(
        "SET sql_mode = ''; CREATE DATABASE d; USE d;
         CREATE TABLE t (id INT PRIMARY KEY, f FLOAT, n VARCHAR(20), day VARCHAR(30), s TIMESTAMP NULL,
           m DECIMAL(12,4), c TIME(6)) DEFAULT CHARSET=utf8mb4;
         INSERT INTO t VALUES (1, 0.1, '12abc', '2020-02-30', '2020-01-02 03:04:05', 1.2345, '10:00:00.999999'),
           (2, 16777217, '', 'x', NULL, -0.00005, '-838:59:58.5'), (3, 1e10, ' 7 ', '20200101', '2038-01-19 03:14:07', 9.9999, NULL);
         CREATE TABLE p (id INT PRIMARY KEY, v INT) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10),
           PARTITION p1 VALUES LESS THAN (20), PARTITION p2 VALUES LESS THAN (30));
         INSERT INTO p VALUES (1, 1), (11, 1), (21, 1); CREATE TABLE e (id INT PRIMARY KEY, v INT);
         INSERT INTO e VALUES (22, 5), (23, 5); CREATE TABLE calm (id INT PRIMARY KEY)",
    );
    let replica = Replica::of(&server);
    let _running = replica.follow();
    replica.wait_until_caught_up(&server);
    assert_equal(&server, &replica.target_dir());
    for sql in [
        "ALTER TABLE t MODIFY f DOUBLE",
        "ALTER TABLE t MODIFY n INT",
        "ALTER TABLE t MODIFY day DATE",
        "SET time_zone = '+05:30'; ALTER TABLE t MODIFY s DATETIME",
        "ALTER TABLE t MODIFY m DECIMAL(10,2)",
        "ALTER TABLE t MODIFY c TIME(1)",
        "ALTER TABLE t ADD g INT AS (id * 2) STORED",
        "ALTER TABLE t ADD x VARCHAR(50) DEFAULT (CONCAT('id ', id))",
        "ALTER TABLE p TRUNCATE PARTITION p0",
        "ALTER TABLE p DROP PARTITION p1",
        "ALTER TABLE p EXCHANGE PARTITION p2 WITH TABLE e",
    ] {
        let mut session = server.client();
        session.exec("SET sql_mode = ''; USE d");
        session.exec(sql);
        session.exec("INSERT INTO calm SELECT COUNT(*) FROM calm");
        session.exec("UPDATE t SET id = id + 10 ORDER BY id DESC LIMIT 1; UPDATE p SET v = v + 1");
        replica.wait_until_caught_up(&server);
        replica.wait_until_sound();
        assert_equal(&server, &replica.target_dir());
    }
    assert!(
        replica.log().contains("read afresh, and followed again"),
        "{}",
        replica.log()
    );
}

fn what_cannot_be_read_is_said(flavor: Flavor) {
    let server = Server::start(flavor);
    let (replica, _running) = with_tables_set_aside(&server, 100);
    let (code, said) = replica.resync(&["d.nowhere"]);
    assert_eq!(code, 1);
    assert!(said.contains("no such table"), "{said}");
    let (code, said) = replica.resync(&["nowhere"]);
    assert_eq!(code, 2);
    assert!(said.contains("DB.TABLE"), "{said}");

    // A grant that is missing is said, and tried again until it is there. A sound table goes on meanwhile.
    server.exec("REVOKE SELECT ON *.* FROM 'repl'@'%'; FLUSH PRIVILEGES");
    let mut command = crate::support::relaylite::relaylite();
    let tables = command
        .args(["resync", "--relay-dir"])
        .arg(replica.relay_dir());
    assert!(
        tables
            .args(["d.other", "d.by_int"])
            .status()
            .unwrap()
            .success()
    );
    replica.wait_for_status("the grant", |status| {
        let resyncs = status.json["Resyncs"].as_array().unwrap();
        let says = |resync: &serde_json::Value| {
            resync["Last_Error"]
                .as_str()
                .is_some_and(|error| error.contains("SELECT"))
        };
        resyncs.iter().filter(|resync| says(resync)).count() == 2
    });
    server.exec("UPDATE d.other SET v = 77");
    replica.wait_until_caught_up(&server);
    crate::support::compare::assert_table_equal(&server, &replica.target_dir(), "d", "other");
    assert_eq!(replica.status().set_aside().len(), 3);
    server.exec("GRANT SELECT ON *.* TO 'repl'@'%'");
    let (code, said) = replica.resync(&BROKEN);
    assert_eq!(code, 0, "{said}");
    wait_for("the end", || {
        replica.status().json["Resyncs"]
            == serde_json::json!([
                {"Database": "d", "Table": "nowhere", "State": "failed", "Rows": 0, "Rows_Estimate": 0,
                 "Last_Error": replica.status().json["Resyncs"][0]["Last_Error"]}
            ])
    });
    assert_equal(&server, &replica.target_dir());
}

fn nobody_runs(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec("CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY)");
    let replica = Replica::of(&server);
    replica.run_until_caught_up();
    let (code, said) = replica.resync(&["d.t"]);
    assert_eq!(code, 2);
    assert!(said.contains("relaylite run"), "{said}");
}
