//! The main job: what is written to the source is in SQLite afterwards, value by value.

use crate::support::compare::{self, assert_equal};
use crate::support::random;
use crate::support::relaylite::Replica;
use crate::support::server::{Flavor, Server};
use crate::support::workload::{self, Load};

on_all!(random_changes_with_other_row_images);
on_both!(
    a_database_dropped_and_made_again_stays,
    a_table_that_moved_between_databases_is_in_one_place,
    random_changes_while_running,
    everyday_ddl_between_changes,
    a_transaction_over_several_databases,
    readers_see_whole_transactions,
    what_the_source_undid_does_not_come,
);

fn random_changes_while_running(flavor: Flavor) {
    let server = Server::start(flavor);
    let replica = Replica::of(&server);
    let running = replica.follow();
    workload::create(&server);
    workload::run(&server, random::seed(), workload::transactions(1500));
    replica.wait_until_caught_up(&server);
    assert_equal(&server, &replica.target_dir());
    assert_eq!(running.sigterm().0, 0);
    // The end of a running replica and a run to the end agree.
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
}

fn random_changes_with_other_row_images(flavor: Flavor) {
    let images: &[&str] = match flavor {
        Flavor::MariaDb | Flavor::MySql => &["MINIMAL", "NOBLOB"],
        Flavor::MariaDb11 => &["MINIMAL", "FULL_NODUP"],
    };
    for image in images {
        let server = Server::builder(flavor)
            .arg(format!("--binlog-row-image={image}"))
            .start();
        workload::create(&server);
        workload::run(&server, random::seed(), workload::transactions(400));
        let replica = Replica::of(&server);
        replica.run_until_caught_up();
        assert_equal(&server, &replica.target_dir());
    }
}

fn everyday_ddl_between_changes(flavor: Flavor) {
    let server = Server::start(flavor);
    let replica = Replica::of(&server);
    let running = replica.follow();
    let steps = [
        "CREATE DATABASE shop; CREATE TABLE shop.item (id INT PRIMARY KEY, name VARCHAR(20), INDEX by_name (name))",
        "INSERT INTO shop.item VALUES (1, 'tea'), (2, 'coffee'), (3, NULL)",
        "ALTER TABLE shop.item ADD COLUMN price DECIMAL(8,2) NOT NULL DEFAULT 9.99 AFTER id, ADD note TEXT",
        "INSERT INTO shop.item VALUES (4, 1.25, 'milk', 'cold'); UPDATE shop.item SET price = 2 WHERE id = 1",
        "ALTER TABLE shop.item DROP COLUMN note, RENAME COLUMN name TO label",
        "UPDATE shop.item SET label = 'cocoa' WHERE id = 3; ALTER TABLE shop.item MODIFY label VARCHAR(80) NOT NULL DEFAULT '-' FIRST",
        "UPDATE shop.item SET label = 'water' WHERE id = 3; DELETE FROM shop.item WHERE id = 2",
        "CREATE UNIQUE INDEX by_label ON shop.item (label); DROP INDEX by_name ON shop.item",
        "CREATE TABLE shop.copy LIKE shop.item; INSERT INTO shop.copy SELECT * FROM shop.item",
        "RENAME TABLE shop.item TO shop.was, shop.copy TO shop.item, shop.was TO shop.copy",
        "UPDATE shop.item SET price = price + 1; TRUNCATE TABLE shop.copy; INSERT INTO shop.copy VALUES ('x', 9, 1)",
        "CREATE DATABASE other; RENAME TABLE shop.copy TO other.moved; INSERT INTO other.moved VALUES ('y', 10, 2)",
        "CREATE TABLE other.made AS SELECT id, label FROM shop.item; UPDATE other.made SET label = UPPER(label)",
        "CREATE VIEW shop.v AS SELECT * FROM shop.item; CREATE USER u; GRANT SELECT ON shop.* TO u",
        "ALTER TABLE shop.item DROP PRIMARY KEY, ADD PRIMARY KEY (label); INSERT INTO shop.item VALUES ('z', 1, 3)",
        "DROP TABLE other.moved; CREATE DATABASE gone; CREATE TABLE gone.t (id INT); INSERT INTO gone.t VALUES (1)",
        "DROP DATABASE gone",
    ];
    for step in steps {
        server.exec(step);
        replica.wait_until_caught_up(&server);
        assert_equal(&server, &replica.target_dir());
    }
    drop(running);
    // All of it at once, from the binary log alone.
    let replica = Replica::of(&server);
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
}

fn a_transaction_over_several_databases(flavor: Flavor) {
    let server = Server::start(flavor);
    for database in ["a", "b", "c"] {
        server.exec(&format!(
            "CREATE DATABASE {database}; CREATE TABLE {database}.t (id INT PRIMARY KEY, n INT)"
        ));
    }
    let replica = Replica::of(&server).arg("--workers=2");
    let running = replica.follow();
    let mut session = server.client();
    for id in 0..200 {
        session.exec(&format!(
            "BEGIN; INSERT INTO a.t VALUES ({id}, 1); INSERT INTO b.t VALUES ({id}, 2);
             UPDATE a.t SET n = n + 1; INSERT INTO c.t VALUES ({id}, 3); COMMIT;
             INSERT INTO a.t VALUES ({id} + 1000, 4)"
        ));
    }
    replica.wait_until_caught_up(&server);
    assert_equal(&server, &replica.target_dir());
    drop(running);
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
}

fn readers_see_whole_transactions(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(
        "CREATE DATABASE bank; CREATE TABLE bank.account (id INT PRIMARY KEY, amount INT);
         INSERT INTO bank.account VALUES (1, 1000), (2, 1000), (3, 1000)",
    );
    let replica = Replica::of(&server);
    let running = replica.follow();
    replica.wait_until_caught_up(&server);
    let load = {
        let mut session = server.client();
        std::thread::spawn(move || {
            for round in 0..400 {
                let (from, to) = (round % 3 + 1, (round + 1) % 3 + 1);
                session.exec(&format!(
                    "BEGIN; UPDATE bank.account SET amount = amount - 7 WHERE id = {from};
                     UPDATE bank.account SET amount = amount + 7 WHERE id = {to}; COMMIT"
                ));
            }
        })
    };
    let sqlite = compare::open(&compare::database_path(&replica.target_dir(), "bank"));
    let mut looks = 0;
    while !load.is_finished() || looks == 0 {
        let sum: i64 = sqlite
            .query_row("SELECT SUM(amount) FROM account", [], |row| row.get(0))
            .unwrap();
        assert_eq!(sum, 3000);
        looks += 1;
    }
    load.join().unwrap();
    replica.wait_until_caught_up(&server);
    assert_equal(&server, &replica.target_dir());
    drop(running);
}

/// The same files after any number of workers.
#[test]
fn any_number_of_workers() {
    let server = Server::start(Flavor::MariaDb);
    workload::create(&server);
    Load::start(&server, random::seed(), Some(workload::transactions(300))).finish();
    for workers in [1, 2, 8] {
        let replica = Replica::of(&server).arg(format!("--workers={workers}"));
        replica.run_until_caught_up();
        assert_equal(&server, &replica.target_dir());
    }
}

/// `CREATE DATABASE IF NOT EXISTS` after a drop, as dumps have it: the file must not be taken for the dropped one's.
fn a_database_dropped_and_made_again_stays(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(
        "CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY); INSERT INTO shop.t VALUES (1);
         DROP DATABASE shop; CREATE DATABASE IF NOT EXISTS shop; CREATE TABLE shop.t (id INT PRIMARY KEY);
         INSERT INTO shop.t VALUES (2); CREATE DATABASE gone; CREATE TABLE gone.t (id INT); DROP DATABASE gone",
    );
    let replica = Replica::of(&server);
    for round in 0..3 {
        replica.run_until_caught_up();
        assert_equal(&server, &replica.target_dir());
        server.exec(&format!("INSERT INTO shop.t VALUES (1{round})"));
    }
    assert!(!compare::database_path(&replica.target_dir(), "gone").exists());
}

fn a_table_that_moved_between_databases_is_in_one_place(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(
        "CREATE DATABASE a; CREATE DATABASE b; CREATE TABLE a.t (id INT PRIMARY KEY, v VARCHAR(20), KEY (v));
         INSERT INTO a.t VALUES (1, 'x'), (2, NULL); RENAME TABLE a.t TO b.t2; INSERT INTO b.t2 VALUES (3, 'y');
         CREATE TABLE a.t (id INT PRIMARY KEY); INSERT INTO a.t VALUES (7)",
    );
    let replica = Replica::of(&server);
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
}

/// MariaDB logs rows and then that they were rolled back, when a temporary table or one that cannot be rolled back was
/// touched in between.
fn what_the_source_undid_does_not_come(flavor: Flavor) {
    // MySQL with GTIDs refuses tables that cannot be rolled back in a transaction.
    let server = Server::builder(flavor).gtid_mode(false).start();
    server.exec(
        "CREATE DATABASE a; CREATE DATABASE b; CREATE TABLE a.t (id INT PRIMARY KEY, v VARCHAR(9)) ENGINE=InnoDB;
         CREATE TABLE b.t LIKE a.t; CREATE TABLE a.now (id INT) ENGINE=MyISAM; INSERT INTO a.t VALUES (1, 'one')",
    );
    let undone = |n: u32| {
        format!(
            "BEGIN; INSERT INTO a.t VALUES ({n}0, 'no'); CREATE TEMPORARY TABLE a.tmp (x INT); INSERT INTO b.t VALUES ({n}0, 'no');
               UPDATE a.t SET v = 'no' WHERE id = 1; ROLLBACK;
             INSERT INTO b.t VALUES ({n}9, 'plain');
             BEGIN; INSERT INTO a.t VALUES ({n}1, 'yes'); SAVEPOINT `S p`; INSERT INTO a.t VALUES ({n}2, 'no');
               INSERT INTO b.t VALUES ({n}2, 'no'); DROP TEMPORARY TABLE a.tmp; ROLLBACK TO `s P`; INSERT INTO b.t VALUES ({n}3, 'yes');
               SAVEPOINT x; INSERT INTO a.t VALUES ({n}4, 'no'); SAVEPOINT y; DELETE FROM a.t; ROLLBACK TO y; ROLLBACK TO x; COMMIT;
             BEGIN; INSERT INTO a.now VALUES ({n}); INSERT INTO a.t VALUES ({n}5, 'no'); INSERT INTO a.now VALUES ({n}); ROLLBACK;
             BEGIN; INSERT INTO a.t VALUES ({n}6, 'yes'); SAVEPOINT z; INSERT INTO a.now VALUES ({n});
               INSERT INTO a.t VALUES ({n}7, 'no'); ROLLBACK TO z; COMMIT; UPDATE a.t SET v = 'last' WHERE id = {n}1"
        )
    };
    for n in 1..6 {
        server.exec(&undone(n));
    }
    let replica = Replica::of(&server);
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
    let running = replica.follow();
    for n in 6..9 {
        server.exec(&undone(n));
        replica.wait_until_caught_up(&server);
        assert_equal(&server, &replica.target_dir());
    }
    drop(running);
}
