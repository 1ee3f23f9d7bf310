//! A table that cannot go on is set aside with its reason, and everything else goes on.

use std::path::Path;

use rusqlite::Connection;

use crate::support::compare::{
    assert_database_equal, assert_equal, assert_table_equal, database_path, open, quarantined,
};
use crate::support::relaylite::{Replica, Running, relaylite};
use crate::support::server::{Flavor, REPL_PASSWORD, Server};

on_both!(
    one_table_is_set_aside_and_the_others_go_on,
    errors_stop_replication_where_that_is_asked_for,
    marks_follow_ddl,
    tables_change_places_between_databases,
    insides_of_a_table_that_is_set_aside_are_passed_over,
    a_mark_moves_between_databases_and_survives_a_crash,
    changes_of_other_tables_in_the_failing_transaction_stay,
    a_statement_that_nobody_understands_sets_its_table_aside,
    children_go_with_a_parent_that_is_set_aside,
    a_mysql_target_sets_tables_aside_too,
);

const SHOP: &str = "CREATE DATABASE shop; CREATE DATABASE stock;
    CREATE TABLE shop.a (id INT PRIMARY KEY, v INT); CREATE TABLE shop.b LIKE shop.a; CREATE TABLE stock.c LIKE shop.a;
    INSERT INTO shop.a VALUES (1, 1), (2, 2), (3, 3); INSERT INTO shop.b SELECT * FROM shop.a;
    INSERT INTO stock.c SELECT * FROM shop.a";

/// Changes a database file behind relaylite's back.
pub(crate) fn tamper(target: &Path, database: &str, sql: &str) {
    let sqlite = Connection::open(database_path(target, database)).unwrap();
    sqlite
        .busy_timeout(std::time::Duration::from_secs(60))
        .unwrap();
    sqlite.execute_batch(sql).unwrap();
}

/// A replica that has everything of `SHOP`, running, with `shop.a` set aside: the row 1 was missing.
#[track_caller]
fn with_a_set_aside(server: &Server) -> (Replica, Running) {
    server.exec(SHOP);
    let replica = Replica::of(server);
    let running = replica.follow();
    replica.wait_until_caught_up(server);
    assert_equal(server, &replica.target_dir());
    tamper(&replica.target_dir(), "shop", "DELETE FROM a WHERE id = 1");
    server.exec("UPDATE shop.a SET v = 10 WHERE id = 1");
    replica.wait_until_caught_up(server);
    assert_eq!(replica.status().set_aside(), ["shop.a"]);
    (replica, running)
}

/// What the source does to children while their parent's changes are passed over is not in its binlog.
fn children_go_with_a_parent_that_is_set_aside(flavor: Flavor) {
    let mut builder = Server::builder(flavor);
    if flavor == Flavor::MySql {
        builder = builder.arg("--innodb-native-foreign-keys=ON");
    }
    let server = builder.start();
    server.exec(
        "CREATE DATABASE d; USE d; CREATE TABLE p (id INT PRIMARY KEY, v INT);
         CREATE TABLE c (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE ON UPDATE CASCADE);
         CREATE TABLE g (id INT PRIMARY KEY, c INT, FOREIGN KEY (c) REFERENCES c (id) ON DELETE CASCADE);
         CREATE TABLE other (id INT PRIMARY KEY);
         INSERT INTO p VALUES (1, 1), (2, 2), (3, 3), (4, 4); INSERT INTO c VALUES (10, 1), (20, 2), (30, 3), (40, 4);
         INSERT INTO g VALUES (100, 10), (200, 20), (300, 30), (400, 40)",
    );
    let replica = Replica::of(&server);
    let running = replica.follow();
    replica.wait_until_caught_up(&server);
    tamper(&replica.target_dir(), "d", "DELETE FROM p WHERE id = 1");
    server.exec("UPDATE d.p SET v = 9 WHERE id = 1; INSERT INTO d.p VALUES (5, 5)");
    replica.wait_until_caught_up(&server);
    // The grandchild loses its row, too, and no event says so.
    server.exec("DELETE FROM d.p WHERE id = 2; INSERT INTO d.other VALUES (1)");
    replica.wait_until_caught_up(&server);
    assert_eq!(replica.status().set_aside(), ["d.c", "d.g", "d.p"]);
    server.exec("DELETE FROM d.c WHERE id = 30");
    replica.wait_until_caught_up(&server);
    assert_eq!(replica.status().set_aside(), ["d.c", "d.g", "d.p"]);
    let (code, said) = replica.resync(&["d.p", "d.c", "d.g"]);
    assert_eq!(code, 0, "{said}");
    assert_equal(&server, &replica.target_dir());
    server.exec("DELETE FROM d.p WHERE id = 4; UPDATE d.p SET id = 11 WHERE id = 1");
    replica.wait_until_caught_up(&server);
    assert_equal(&server, &replica.target_dir());
    drop(running);
}

fn one_table_is_set_aside_and_the_others_go_on(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec("CREATE DATABASE before_it");
    let (file, before) = server.position();
    let (replica, running) = with_a_set_aside(&server);
    server.exec("INSERT INTO shop.a VALUES (4, 4); DELETE FROM shop.a WHERE id = 2");
    server.exec(
        "BEGIN; UPDATE shop.a SET v = 7; UPDATE shop.b SET v = 7; UPDATE stock.c SET v = 7; COMMIT",
    );
    replica.wait_until_caught_up(&server);
    let target = replica.target_dir();
    assert_table_equal(&server, &target, "shop", "b");
    assert_database_equal(&server, &target, "stock");
    assert_eq!(
        rows_of_a(&target),
        "2=2,3=3",
        "as it was when it was set aside"
    );

    let status = replica.status();
    let aside = status.aside("shop.a");
    assert_eq!(aside["Errno"], 1032, "{aside:#}");
    assert_eq!(aside["Source_Log_File"], file, "{aside:#}");
    let (_, after) = server.position();
    let pos = aside["Source_Log_Pos"].as_u64().unwrap();
    assert!((before..after).contains(&pos), "{aside:#}");
    assert!(aside["Since_Timestamp"].as_u64().unwrap() > 1_700_000_000);
    assert!(
        aside["Passed_Over_Row_Events"].as_u64().unwrap() >= 3,
        "{aside:#}"
    );
    assert_eq!(aside["Resync_Wanted"], false);
    assert_eq!(status.text("Replica_SQL_Running"), "Yes");
    let said = replica.log().matches("table set aside").count();
    assert_eq!(said, 1, "said once: {}", replica.log());

    // The files say it, too, and a restart does not forget it.
    assert_eq!(running.sigterm().0, 0);
    assert_eq!(replica.status().aside("shop.a")["Errno"], 1032);
    server.exec("UPDATE shop.b SET v = 8; UPDATE shop.a SET v = 8");
    replica.run_until_caught_up();
    assert_table_equal(&server, &target, "shop", "b");
    assert_eq!(rows_of_a(&target), "2=2,3=3");
    assert!(
        replica.log().contains("warning: shop.a is set aside"),
        "{}",
        replica.log()
    );
}

fn rows_of_a(target: &Path) -> String {
    let sql = "SELECT group_concat(id || '=' || v) FROM (SELECT * FROM a ORDER BY id)";
    open(&database_path(target, "shop"))
        .query_row(sql, [], |row| row.get(0))
        .unwrap()
}

/// The default with `--exit-on-error`.
fn errors_stop_replication_where_that_is_asked_for(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(SHOP);
    let replica = Replica::of(&server);
    replica.run_until_caught_up();
    tamper(&replica.target_dir(), "shop", "DELETE FROM a WHERE id = 1");
    server.exec("DELETE FROM shop.a WHERE id = 1");
    assert_eq!(replica.try_until_caught_up(), 1);
    let path = database_path(&replica.target_dir(), "shop");
    assert!(quarantined(&path).is_empty());

    let mut command = replica.run_command();
    command.arg("--on-table-error=stop");
    let running = replica.spawn(command);
    let status = replica.wait_for_status("an error", |status| status.number("Last_SQL_Errno") != 0);
    assert_eq!(status.number("Last_SQL_Errno"), 1032);
    assert_eq!(status.text("Replica_SQL_Running"), "No");
    drop(running);

    let replica = replica.arg("--on-table-error=quarantine");
    assert_eq!(replica.try_until_caught_up(), 0, "{}", replica.log());
    assert_eq!(quarantined(&path).len(), 1);
    assert_table_equal(&server, &replica.target_dir(), "shop", "b");
}

fn marks_follow_ddl(flavor: Flavor) {
    let server = Server::start(flavor);
    let (replica, _running) = with_a_set_aside(&server);
    let marks_after = |sql: &str| {
        server.exec(sql);
        replica.wait_until_caught_up(&server);
        let status = replica.status();
        assert_eq!(
            status.text("Replica_SQL_Running"),
            "Yes",
            "{sql}: {}",
            replica.log()
        );
        status.set_aside().join(" ")
    };
    assert_eq!(marks_after("RENAME TABLE shop.a TO shop.x"), "shop.x");
    assert_eq!(marks_after("INSERT INTO shop.x VALUES (11, 1)"), "shop.x");
    // A swap.
    assert_eq!(
        marks_after("RENAME TABLE shop.x TO shop.t, shop.b TO shop.x, shop.t TO shop.b"),
        "shop.b"
    );
    assert_eq!(
        marks_after("UPDATE shop.x SET v = 3; UPDATE shop.b SET v = 3"),
        "shop.b"
    );
    assert_table_equal(&server, &replica.target_dir(), "shop", "x");
    assert_eq!(
        marks_after("ALTER TABLE shop.b ADD n INT, RENAME TO shop.c"),
        "shop.c"
    );
    assert_eq!(
        marks_after("ALTER TABLE shop.c RENAME TO stock.moved"),
        "stock.moved"
    );
    assert_database_equal(&server, &replica.target_dir(), "shop");
    assert_eq!(
        marks_after("RENAME TABLE stock.moved TO shop.back, stock.c TO stock.d"),
        "shop.back"
    );
    assert_database_equal(&server, &replica.target_dir(), "stock");
    assert_eq!(marks_after("DROP TABLE shop.back"), "");
    assert_eq!(
        marks_after("CREATE TABLE shop.back (id INT); INSERT INTO shop.back VALUES (5)"),
        ""
    );
    assert_equal(&server, &replica.target_dir());

    tamper(&replica.target_dir(), "stock", "DELETE FROM d");
    assert_eq!(marks_after("DELETE FROM stock.d"), "stock.d");
    assert_eq!(marks_after("DROP DATABASE stock"), "");
    assert_eq!(
        marks_after("CREATE DATABASE stock; CREATE TABLE stock.d (id INT)"),
        ""
    );
    assert_equal(&server, &replica.target_dir());
}

fn insides_of_a_table_that_is_set_aside_are_passed_over(flavor: Flavor) {
    let server = Server::start(flavor);
    let (replica, _running) = with_a_set_aside(&server);
    server.exec(
        "ALTER TABLE shop.a ADD COLUMN x INT FIRST, ADD KEY (x); CREATE INDEX i ON shop.a (v);
         UPDATE shop.a SET x = 5; ALTER TABLE shop.a DROP COLUMN v; CREATE TABLE IF NOT EXISTS shop.a (id INT);
         TRUNCATE TABLE shop.a; ALTER TABLE shop.a DROP COLUMN x; INSERT INTO shop.a VALUES (5);
         UPDATE shop.b SET v = 9",
    );
    replica.wait_until_caught_up(&server);
    assert_eq!(replica.status().set_aside(), ["shop.a"]);
    assert_eq!(rows_of_a(&replica.target_dir()), "2=2,3=3");
    assert_table_equal(&server, &replica.target_dir(), "shop", "b");
    // A statement that names it and others does its work on the others.
    server.exec("DROP TABLE shop.a, shop.b");
    replica.wait_until_caught_up(&server);
    assert_equal(&server, &replica.target_dir());
}

fn a_mark_moves_between_databases_and_survives_a_crash(flavor: Flavor) {
    let server = Server::start(flavor);
    let (replica, running) = with_a_set_aside(&server);
    running.kill9();
    server.exec("RENAME TABLE shop.a TO stock.a, stock.c TO stock.e; UPDATE stock.a SET v = 2");
    server.exec("UPDATE stock.e SET v = 2");
    let running = replica.follow();
    replica.wait_until_caught_up(&server);
    assert_eq!(replica.status().set_aside(), ["stock.a"]);
    running.kill9();
    let running = replica.follow();
    server.exec("RENAME TABLE stock.a TO shop.a; UPDATE shop.a SET v = 5");
    replica.wait_until_caught_up(&server);
    assert_eq!(replica.status().set_aside(), ["shop.a"]);
    assert_database_equal(&server, &replica.target_dir(), "stock");
    drop(running);
}

fn changes_of_other_tables_in_the_failing_transaction_stay(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(SHOP);
    let replica = Replica::of(&server).arg("--on-table-error=quarantine");
    replica.run_until_caught_up();
    tamper(
        &replica.target_dir(),
        "shop",
        "INSERT INTO a VALUES (20, 0)",
    );
    server.exec(
        "BEGIN; UPDATE shop.b SET v = 20; INSERT INTO stock.c VALUES (20, 1);
         INSERT INTO shop.a VALUES (18, 0), (19, 0), (20, 0), (21, 0); UPDATE shop.a SET v = 1;
         INSERT INTO shop.b VALUES (20, 0); COMMIT; INSERT INTO shop.b VALUES (21, 0)",
    );
    replica.run_until_caught_up();
    let target = replica.target_dir();
    let marks = quarantined(&database_path(&target, "shop"));
    assert_eq!(marks.len(), 1, "{marks:?}");
    assert!(marks[0].starts_with("a: "), "{marks:?}");
    assert_table_equal(&server, &target, "shop", "b");
    assert_database_equal(&server, &target, "stock");
}

/// Its text is not valid in its charset; what it made of the table is read from the source.
fn a_statement_that_nobody_understands_sets_its_table_aside(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(SHOP);
    let replica = Replica::of(&server);
    let running = replica.follow();
    replica.wait_until_caught_up(&server);
    let mut session = server.client();
    session.exec_bytes(b"ALTER TABLE shop.a ADD x INT DEFAULT 5 /* \xff\xfe */".to_vec());
    session.exec("INSERT INTO shop.a VALUES (9, 9, 9); UPDATE shop.b SET v = 1");
    replica.wait_until_caught_up(&server);
    replica.wait_until_sound();
    assert_equal(&server, &replica.target_dir());
    let log = replica.log();
    assert!(
        log.contains("table set aside") && log.contains("not valid in its session's charset"),
        "{log}"
    );
    assert_eq!(running.sigterm().0, 0);
    // Where it is to stop, it stops.
    session.exec_bytes(b"ALTER TABLE shop.a ADD y INT DEFAULT 5 /* \xff\xfe */".to_vec());
    assert_eq!(replica.try_until_caught_up(), 1);
}

fn a_mysql_target_sets_tables_aside_too(flavor: Flavor) {
    let (server, target) = (Server::start(flavor), Server::start(flavor));
    server.exec(SHOP);
    let replica = Replica::of(&server);
    let command = || {
        let mut command = relaylite();
        command
            .env("RELAYLITE_SOURCE_PASSWORD", REPL_PASSWORD)
            .args(["run", "--server-id=101", "--start=earliest", "--source"])
            .arg(format!("mysql://repl@127.0.0.1:{}", server.port()))
            .arg("--relay-dir")
            .arg(replica.relay_dir())
            .arg(format!("--target={}", target.root_url()));
        command
    };
    let running = replica.spawn(command());
    replica.wait_until_caught_up(&server);
    target.exec("DELETE FROM shop.a WHERE id = 1; INSERT INTO shop.b VALUES (30, 0)");
    server.exec(
        "BEGIN; UPDATE stock.c SET v = 5; INSERT INTO shop.b VALUES (29, 1), (30, 1), (31, 1); UPDATE stock.c SET v = 6;
         DELETE FROM shop.a WHERE id = 1; COMMIT; UPDATE shop.a SET v = 3; UPDATE stock.c SET v = 7",
    );
    replica.wait_until_caught_up(&server);
    let status = replica.status();
    assert_eq!(
        status.set_aside(),
        ["shop.a", "shop.b"],
        "{}",
        replica.log()
    );
    assert_eq!(status.aside("shop.a")["Errno"], 1032);
    assert_eq!(status.aside("shop.b")["Errno"], 1062);
    let same = |sql: &str| {
        assert_eq!(
            server.query_strings(sql),
            target.query_strings(sql),
            "{sql}"
        )
    };
    same("SELECT * FROM stock.c ORDER BY id");
    // The target refuses what does not fit a table that is set aside; the others follow.
    target.exec("ALTER TABLE shop.a DROP COLUMN v");
    server.exec("ALTER TABLE shop.a ADD INDEX (v); RENAME TABLE shop.a TO stock.a; ALTER TABLE stock.c ADD n INT");
    server.exec("DROP TABLE shop.b; CREATE TABLE shop.b (id INT PRIMARY KEY); INSERT INTO shop.b VALUES (1)");
    replica.wait_until_caught_up(&server);
    assert_eq!(
        replica.status().set_aside(),
        ["stock.a"],
        "{}",
        replica.log()
    );
    same("SELECT * FROM stock.c ORDER BY id");
    same("SELECT * FROM shop.b");
    running.kill9();
    let running = replica.spawn(command());
    server.exec("UPDATE stock.a SET v = 4; UPDATE stock.c SET n = 4");
    replica.wait_until_caught_up(&server);
    assert_eq!(replica.status().set_aside(), ["stock.a"]);
    same("SELECT * FROM stock.c ORDER BY id");
    // Read afresh: one that is set aside, and one that is sound.
    let (code, said) = replica.resync(&["stock.a", "stock.c"]);
    assert_eq!(code, 0, "{said}");
    same("SELECT * FROM stock.a ORDER BY id");
    server.exec("UPDATE stock.c SET n = 5");
    replica.wait_until_caught_up(&server);
    same("SELECT * FROM stock.c ORDER BY id");
    assert_eq!(running.sigterm().0, 0);
}

/// Under a name that one table gives up, another one comes from elsewhere, in one statement.
fn tables_change_places_between_databases(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(
        "CREATE DATABASE a; CREATE DATABASE b; CREATE DATABASE c; CREATE TABLE a.t (id INT PRIMARY KEY, x INT); INSERT INTO a.t VALUES (1, 1), (2, 2);
         CREATE TABLE b.u (k INT PRIMARY KEY, y TEXT); INSERT INTO b.u VALUES (5, 'u');
         CREATE TABLE a.s LIKE a.t; CREATE TABLE b.s LIKE b.u; INSERT INTO a.s VALUES (1, 1); INSERT INTO b.s VALUES (5, 'u')",
    );
    let replica = Replica::of(&server);
    let _running = replica.follow();
    for statements in [
        "RENAME TABLE a.t TO b.m, b.u TO a.t; INSERT INTO a.t VALUES (6, 'v'); INSERT INTO b.m VALUES (3, 3)",
        "RENAME TABLE a.s TO c.s, b.s TO a.s, c.s TO b.s; UPDATE a.s SET y = 'w'; UPDATE b.s SET x = 9",
        "RENAME TABLE a.s TO a.s2, b.s TO a.s, a.s2 TO b.s; UPDATE b.s SET y = 'ww'; UPDATE a.s SET x = 19",
    ] {
        server.exec(statements);
        replica.wait_until_caught_up(&server);
        replica.wait_until_sound();
        assert_equal(&server, &replica.target_dir());
    }
}
