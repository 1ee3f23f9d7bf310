//! Tables read afresh into a MySQL-protocol target: equal in the end, killed wherever it may be.

use super::{Writer, tables};
use crate::mysql_target::driver::{assert_same, rows_of};
use crate::support::random::{self, Random, budget};
use crate::support::relaylite::{Replica, Running, relaylite, wait_for};
use crate::support::server::{Flavor, Server};
use crate::support::workload;

on_both!(
    tables_come_back_while_they_are_written_to,
    killed_at_each_step_of_the_swap,
    killed_while_tables_are_read,
    readers_keep_a_table_from_being_replaced,
    what_the_target_refuses_is_read_by_itself,
    every_kind_of_table_can_be_read_afresh,
    what_cannot_be_replaced_is_said,
    images_may_be_minimal,
    children_go_with_a_parent_that_is_set_aside,
    what_only_the_source_knows_is_read_from_it,
);

const BROKEN: [&str; 3] = ["d.by_int", "d.by_pair", "d.no_key"];
const ALL: [&str; 7] = [
    "by_int", "by_pair", "no_key", "other", "parent", "child", "tree",
];

/// Parent and child, and a table that is both; with what CREATE TABLE may say of storage.
const KEYS: &str = "CREATE TABLE d.parent (id INT PRIMARY KEY, v INT COMMENT 'a comment') COMMENT 'of the table';
    CREATE TABLE d.child (id INT PRIMARY KEY, p INT, v INT, at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE
      CURRENT_TIMESTAMP(3), CONSTRAINT one FOREIGN KEY (p) REFERENCES d.parent (id) ON DELETE CASCADE ON UPDATE CASCADE);
    CREATE TABLE d.tree (id INT PRIMARY KEY, up INT, v INT, CONSTRAINT two FOREIGN KEY (up) REFERENCES d.tree (id));
    INSERT INTO d.parent VALUES (1, 1), (2, 2), (3, 3); INSERT INTO d.child (id, p) VALUES (10, 1), (20, 2), (30, 3);
    INSERT INTO d.tree VALUES (1, NULL, 1), (2, 1, 2), (3, 2, 3)";

/// Source, target, and a running replica that has all of `d`; the tables of [`BROKEN`] are set aside.
struct Scene {
    server: Server,
    target: Server,
    replica: Replica,
}

impl Scene {
    #[track_caller]
    fn new(flavor: Flavor, rows: u64, arg: Option<&str>) -> (Self, Running) {
        let mut server = Server::builder(flavor);
        if let Some(arg) = arg {
            server = server.arg(arg);
        }
        let (server, target) = (server.start(), Server::start(flavor));
        server.exec(&tables(rows));
        server.exec(KEYS);
        let replica = Replica::of(&server).onto(&target);
        let running = replica.follow();
        replica.wait_until_caught_up(&server);
        let scene = Self {
            server,
            target,
            replica,
        };
        scene.assert_same();
        scene.break_tables();
        (scene, running)
    }

    #[track_caller]
    fn break_tables(&self) {
        self.target.exec(
            "DELETE FROM d.by_int WHERE id % 3 = 0; DELETE FROM d.by_pair; DELETE FROM d.no_key",
        );
        self.server.exec(
            "UPDATE d.by_int SET v = v + 1; UPDATE d.by_pair SET v = v + 1; UPDATE d.no_key SET v = v + 1",
        );
        self.replica.wait_until_caught_up(&self.server);
        assert_eq!(self.replica.status().set_aside(), BROKEN);
    }

    #[track_caller]
    fn assert_same(&self) {
        for table in ALL {
            assert_eq!(
                rows_of(&self.target, "d", table),
                rows_of(&self.server, "d", table),
                "{table}"
            );
            assert_eq!(
                definition(&self.target, table),
                definition(&self.server, table)
            );
        }
    }

    /// Nothing is left of the copies.
    #[track_caller]
    fn assert_no_leftovers(&self) {
        let tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'relaylite' AND (table_name \
                      LIKE 'copy%' OR table_name LIKE 'former%') AND table_name <> 'copy'";
        wait_for("no leftovers", || self.target.query(tables).is_empty());
        assert!(self.target.query("SELECT * FROM relaylite.copy").is_empty());
    }

    #[track_caller]
    fn resync(&self, tables: &[&str]) {
        let (code, said) = self.replica.resync(tables);
        assert_eq!(code, 0, "{said}{}", self.replica.log());
    }

    /// Asks for tables without waiting for them.
    #[track_caller]
    fn ask_for(&self, tables: &[&str]) {
        let mut command = relaylite();
        let command = command
            .args(["resync", "--relay-dir"])
            .arg(self.replica.relay_dir());
        assert!(command.args(tables).status().unwrap().success());
    }
}

/// `SHOW CREATE TABLE`, without the counter.
fn definition(server: &Server, table: &str) -> String {
    let rows = server.query_strings(&format!("SHOW CREATE TABLE d.{table}"));
    let text = rows[0][1].clone().unwrap();
    let words = text.split(' ');
    let words: Vec<_> = words
        .filter(|word| !word.starts_with("AUTO_INCREMENT="))
        .collect();
    words.join(" ")
}

fn tables_come_back_while_they_are_written_to(flavor: Flavor) {
    let rows = budget("RELAYLITE_TEST_ROWS", 20_000);
    let (scene, _running) = Scene::new(flavor, rows, None);
    let writer = Writer::start(&scene.server, random::seed(), rows, false);
    scene.ask_for(&BROKEN);
    scene
        .replica
        .wait_for_status("the first of them is sound", |status| {
            !status.set_aside().contains(&"d.by_int".to_owned())
        });
    // The target may be slower than the writer, and copies wait until it has caught up.
    writer.finish();
    scene.replica.wait_until_sound();
    // Those with foreign keys on either side, and one that is sound.
    scene.resync(&["d.child", "d.parent", "d.tree", "d.other"]);
    scene.replica.wait_until_caught_up(&scene.server);
    scene.assert_same();
    scene.assert_no_leftovers();
    assert!(scene.replica.status().set_aside().is_empty());
    // The keys act as before.
    scene.server.exec(
        "DELETE FROM d.parent WHERE id = 1; UPDATE d.parent SET id = 4 WHERE id = 2; INSERT INTO d.child (id, p) VALUES (40, 4)",
    );
    scene.replica.wait_until_caught_up(&scene.server);
    scene.assert_same();
    let refused = scene
        .target
        .client()
        .try_exec("INSERT INTO d.child (id, p) VALUES (50, 99)");
    assert!(refused.is_err(), "the key is enforced on the target");
}

fn killed_at_each_step_of_the_swap(flavor: Flavor) {
    let (scene, running) = Scene::new(flavor, 3_000, None);
    running.kill9();
    scene.target.exec("DELETE FROM d.child WHERE id = 20");
    for (point, table) in [
        ("copy.before_swap", "d.by_int"),
        ("copy.swapped", "d.by_int"),
        ("copy.before_swap", "d.parent"),
        ("copy.half_swapped", "d.parent"),
        ("copy.swapped", "d.parent"),
        ("copy.half_swapped", "d.child"),
        ("copy.half_swapped", "d.tree"),
    ] {
        let command = scene.replica.command_with_failpoint(point, "crash:1");
        let mut running = scene.replica.spawn(command);
        scene.replica.wait_for_status("it runs", |status| {
            status.text("Replica_SQL_Running") == "Yes"
        });
        scene.ask_for(&[table]);
        wait_for(&format!("the crash at {point}"), || running.has_exited());
        // Changes that the copy at hand does not have.
        scene.server.exec(
            "UPDATE d.by_int SET v = v + 1 WHERE id < 100; UPDATE d.parent SET v = v + 1; UPDATE d.child SET v = 5;
             UPDATE d.tree SET v = v + 1",
        );
        let running = scene.replica.follow();
        scene.replica.wait_until_caught_up(&scene.server);
        let name = table.strip_prefix("d.").unwrap();
        scene
            .replica
            .wait_for_status(&format!("{table} after {point}"), |status| {
                !status.set_aside().contains(&table.to_owned())
            });
        assert_same(&scene.server, &scene.target, "d", &[name]);
        assert_eq!(
            definition(&scene.target, name),
            definition(&scene.server, name)
        );
        running.kill9();
    }
    let _running = scene.replica.follow();
    scene.replica.wait_for_status("it runs", |status| {
        status.text("Replica_SQL_Running") == "Yes"
    });
    scene.resync(&BROKEN);
    scene.resync(&["d.child"]);
    scene.replica.wait_until_caught_up(&scene.server);
    scene.assert_same();
    scene.assert_no_leftovers();
}

fn killed_while_tables_are_read(flavor: Flavor) {
    let seed = random::seed();
    let mut random = Random::new(seed, 1000);
    let rows = 15_000;
    let (scene, mut running) = Scene::new(flavor, rows, None);
    let writer = Writer::start(&scene.server, seed, rows, false);
    for _ in 0..budget("RELAYLITE_TEST_KILLS", 4) {
        scene.ask_for(&["d.by_int", "d.by_pair", "d.no_key", "d.child", "d.tree"]);
        std::thread::sleep(std::time::Duration::from_millis(random.range(50..1500)));
        running.kill9();
        running = scene.replica.follow();
        scene.replica.wait_for_status("running", |status| {
            status.text("Replica_SQL_Running") == "Yes"
        });
    }
    writer.finish();
    scene.resync(&BROKEN);
    scene.replica.wait_until_sound();
    scene.replica.wait_until_caught_up(&scene.server);
    scene.assert_same();
    scene.assert_no_leftovers();
    drop(running);
}

fn readers_keep_a_table_from_being_replaced(flavor: Flavor) {
    let (scene, running) = Scene::new(flavor, 2_000, None);
    let mut reader = scene.target.client();
    reader.exec("BEGIN");
    reader.exec("SELECT COUNT(*) FROM d.by_int");
    scene.ask_for(&["d.by_int"]);
    scene.replica.wait_for_status("the lock", |status| {
        let work = &status.json["Lanes"][0]["Statement"]["Work"];
        work.as_str()
            .is_some_and(|work| work.starts_with("waiting for a lock"))
    });
    assert_eq!(scene.replica.status().set_aside(), BROKEN);
    // Changes behind it wait, and are late because of the lock.
    scene
        .server
        .exec("SET timestamp = UNIX_TIMESTAMP() - 100; INSERT INTO d.other VALUES (9, 9)");
    scene.replica.wait_for_status("the cause", |status| {
        status.text("Lag_Cause") == "lock in the target"
    });
    // A stop does not wait for the reader.
    let (code, time) = running.sigterm();
    assert_eq!(code, 0, "{}", scene.replica.log());
    assert!(time.as_secs() < 5, "{time:?}");
    assert!(
        !scene.replica.log().contains("not drained in time"),
        "{}",
        scene.replica.log()
    );
    let _running = scene.replica.follow();
    reader.exec("COMMIT");
    scene.replica.wait_for_status("the copy", |status| {
        status.set_aside() == ["d.by_pair", "d.no_key"]
    });
    scene.resync(&BROKEN);
    scene.replica.wait_until_caught_up(&scene.server);
    scene.assert_same();
}

fn what_the_target_refuses_is_read_by_itself(flavor: Flavor) {
    let (scene, _running) = Scene::new(flavor, 100, None);
    scene.resync(&BROKEN);
    // Its definition there is another one: the statement cannot be carried out.
    scene.target.exec("ALTER TABLE d.by_int DROP COLUMN v");
    scene.server.exec("ALTER TABLE d.by_int ADD INDEX (v), ADD g INT AS (id + 1) STORED, ADD e ENUM('a', 'b') NOT NULL DEFAULT 'b'");
    scene.server.exec("INSERT INTO d.other VALUES (77, 1)");
    scene.replica.wait_until_caught_up(&scene.server);
    scene.replica.wait_until_sound();
    assert_same(&scene.server, &scene.target, "d", &ALL);
    // And goes on with what it has now.
    scene.server.exec("UPDATE d.by_int SET v = 5, e = 'a' WHERE id < 50; ALTER TABLE d.by_int DROP COLUMN g, ADD h INT");
    scene.replica.wait_until_caught_up(&scene.server);
    assert!(scene.replica.status().set_aside().is_empty());
    assert_same(&scene.server, &scene.target, "d", &ALL);
    // A table that is gone there comes back.
    scene.target.exec("DROP TABLE d.by_pair");
    scene
        .server
        .exec("UPDATE d.by_pair SET v = 8 LIMIT 5; ALTER TABLE d.by_pair ADD x INT");
    scene.replica.wait_until_caught_up(&scene.server);
    scene.resync(&["d.by_pair"]);
    scene.replica.wait_until_sound();
    scene.assert_same();
}

/// Every kind of table of the random workload, while it goes on, and what only one family of servers has.
fn every_kind_of_table_can_be_read_afresh(flavor: Flavor) {
    let seed = random::seed();
    let (server, target) = (Server::start(flavor), Server::start(flavor));
    workload::create(&server);
    workload::run(&server, seed, workload::transactions(200));
    let own = match flavor {
        Flavor::MySql => {
            "id INT PRIMARY KEY, j JSON, v VECTOR(3), k INT AS (j->'$.a') VIRTUAL, KEY f ((id + 1))"
        }
        _ => {
            "id UUID PRIMARY KEY, i6 INET6, i4 INET4, c TEXT COMPRESSED, j JSON, l TEXT, UNIQUE KEY (l)"
        }
    };
    server.exec(&flavor.with_types_it_has(&format!(
        "CREATE DATABASE own; CREATE TABLE own.t ({own}); CREATE TABLE own.e (id INT PRIMARY KEY)"
    )));
    server.exec(match flavor {
        Flavor::MySql => {
            r#"INSERT INTO own.t (id, j, v) VALUES (1, '{"a": 1, "ü": [1.0, null, "x\\"y"]}', TO_VECTOR('[1,-2,3.5]')), (2, NULL, NULL),
               (3, '[]', TO_VECTOR('[0,0,0]'))"#
        }
        _ => {
            "INSERT INTO own.t (id, i6, i4, c, j) VALUES ('123e4567-e89b-12d3-a456-426655440000', '::1', '10.0.0.0', REPEAT('ab', 500), '{}'),
             (UUID(), '2001:db8::', '1.2.3.4', 'short', NULL), (UUID(), NULL, NULL, NULL, '[1]')"
        }
    });
    let replica = Replica::of(&server).onto(&target);
    let _running = replica.follow();
    replica.wait_until_caught_up(&server);
    let names = [
        ("käse & co", "by_int"),
        ("stock", "by_unsigned"),
        ("shop", "by_pair"),
        ("shop", "by_name"),
        ("shop", "by_unique"),
        ("shop", "no_key"),
        ("shop", "types"),
        ("staff", "large"),
        ("own", "t"),
        ("own", "e"),
    ];
    let tables: Vec<String> = names.iter().map(|(d, t)| format!("{d}.{t}")).collect();
    let tables: Vec<&str> = tables.iter().map(String::as_str).collect();
    let mut command = relaylite();
    let command = command
        .args(["resync", "--relay-dir"])
        .arg(replica.relay_dir());
    assert!(command.args(&tables).status().unwrap().success());
    workload::run(&server, seed + 1, workload::transactions(200));
    let (code, said) = replica.resync(&tables);
    assert_eq!(code, 0, "{said}{}", replica.log());
    server.exec("UPDATE own.t SET j = NULL; INSERT INTO own.e VALUES (1)");
    replica.wait_until_caught_up(&server);
    assert!(replica.status().set_aside().is_empty());
    for (database, table) in names {
        assert_eq!(
            rows_of(&target, database, table),
            rows_of(&server, database, table),
            "{database}.{table}"
        );
    }
}

fn what_cannot_be_replaced_is_said(flavor: Flavor) {
    let (scene, _running) = Scene::new(flavor, 100, None);
    scene
        .target
        .exec("CREATE TRIGGER d.own AFTER INSERT ON d.other FOR EACH ROW SET @x = 1");
    let (code, said) = scene.replica.resync(&["d.other"]);
    assert_eq!(code, 1);
    assert!(said.contains("trigger, `own`"), "{said}");
    let (code, said) = scene.replica.resync(&["d.nowhere"]);
    assert_eq!(code, 1);
    assert!(said.contains("no such table"), "{said}");
    // The one was sound and stays so.
    scene.server.exec("UPDATE d.other SET v = 77");
    scene.replica.wait_until_caught_up(&scene.server);
    assert_eq!(scene.replica.status().set_aside(), BROKEN);
    assert_same(&scene.server, &scene.target, "d", &["other"]);
    scene.target.exec("DROP TRIGGER d.own");
    scene.resync(&["d.other"]);
    scene.resync(&BROKEN);
    scene.assert_same();
}

/// Where the target would come to other values by the same statement.
fn what_only_the_source_knows_is_read_from_it(flavor: Flavor) {
    let (scene, _running) = Scene::new(flavor, 100, None);
    scene.resync(&BROKEN);
    // Rows in another order than on the source.
    scene.target.exec(
        "CREATE TABLE d.again LIKE d.no_key; INSERT INTO d.again SELECT * FROM d.no_key ORDER BY a DESC;
         RENAME TABLE d.no_key TO d.was, d.again TO d.no_key",
    );
    let mut asked = 1;
    scene
        .server
        .exec("ALTER TABLE d.no_key ADD n INT AUTO_INCREMENT, ADD KEY (n)");
    let mut session = scene.server.client();
    for sql in [
        "ALTER TABLE d.by_int ADD x CHAR(36) DEFAULT (UUID())",
        "ALTER TABLE d.by_pair ADD x DOUBLE DEFAULT (RAND())",
    ] {
        // MySQL refuses it in its binary log.
        asked += usize::from(session.try_exec(sql).is_ok());
    }
    scene.server.exec("ALTER TABLE d.other ADD x VARCHAR(50) DEFAULT (CONCAT('id ', id)), ADD y DATETIME(6) DEFAULT NOW(6)");
    scene.replica.wait_until_caught_up(&scene.server);
    scene.replica.wait_until_sound();
    scene.assert_same();
    let log = scene.replica.log();
    let set_aside = log.matches("only the source knows").count();
    assert_eq!(set_aside, asked, "{log}");
}

/// What the source does to children while their parent's changes are passed over, the target's own keys do not do.
fn children_go_with_a_parent_that_is_set_aside(flavor: Flavor) {
    let silent = ["--innodb-native-foreign-keys=ON"];
    let arg = silent.first().filter(|_| flavor == Flavor::MySql);
    let (scene, _running) = Scene::new(flavor, 100, arg.copied());
    scene.resync(&BROKEN);
    scene
        .target
        .exec("SET foreign_key_checks = 0; DELETE FROM d.parent WHERE id = 1");
    scene.server.exec("UPDATE d.parent SET v = 9 WHERE id = 1");
    scene.replica.wait_until_caught_up(&scene.server);
    assert!(
        scene
            .replica
            .status()
            .set_aside()
            .contains(&"d.parent".to_owned())
    );
    scene
        .server
        .exec("DELETE FROM d.parent WHERE id = 2; INSERT INTO d.other VALUES (5, 5)");
    scene.replica.wait_until_caught_up(&scene.server);
    assert_eq!(scene.replica.status().set_aside(), ["d.child", "d.parent"]);
    scene.resync(&["d.parent", "d.child"]);
    scene.assert_same();
    scene.server.exec("DELETE FROM d.parent WHERE id = 3");
    scene.replica.wait_until_caught_up(&scene.server);
    scene.assert_same();
}

fn images_may_be_minimal(flavor: Flavor) {
    let rows = 3_000;
    let (scene, _running) = Scene::new(flavor, rows, Some("--binlog-row-image=MINIMAL"));
    let writer = Writer::start(&scene.server, random::seed(), rows, false);
    scene.ask_for(&BROKEN);
    scene
        .replica
        .wait_for_status("a copy that is begun", |status| {
            let resyncs = status.json["Resyncs"].as_array().unwrap();
            resyncs.len() < BROKEN.len() || resyncs.iter().any(|resync| resync["Rows"] != 0)
        });
    writer.finish();
    scene.replica.wait_until_sound();
    scene.replica.wait_until_caught_up(&scene.server);
    scene.assert_same();
}
