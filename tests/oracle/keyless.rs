//! Tables without a key: one row per event, and no scan per row.

use std::time::{Duration, Instant};

use super::{LAX, row_images};
use crate::support::compare::assert_equal;
use crate::support::relaylite::Replica;
use crate::support::server::{Flavor, Server};

on_both!(many_changes_of_a_large_table);
on_all!(one_row_per_event);

/// Rows that are equal, or nearly so.
const ALIKE: &str = "CREATE TABLE t (a INT, b VARCHAR(20), c FLOAT, d DOUBLE, e BLOB, f DECIMAL(40,10), g DATETIME(3), h TEXT);
    INSERT INTO t VALUES (1, 'a', 0.1, 1e300, 'x', 1, '2020-01-01', 'T'), (1, 'a', 0.1, 1e300, 'x', 1, '2020-01-01', 'T'),
        (1, 'A', 0.1, 1e300, 'x', 1, '2020-01-01', 'T'), (1, 'a ', 0.1, 1e300, 'x', 1, '2020-01-01', 'T'),
        (1, 'a', 0.1, 1e300, 'X', 1, '2020-01-01', 'T'), (1, 'a', 0.1, 1e300, 'x', 1, '2020-01-01', 't'),
        (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
        (1, 'a', 0.1, 1e300, NULL, 1, '2020-01-01', 'T'), (1, '', 0.1, 1e300, '', 1, '2020-01-01', ''),
        (1, 'a', 0.1, 1e300, 'x', 12345678901234567890.5, '2020-01-01', 'T');
    INSERT INTO t SELECT * FROM t";

/// `rowid` names a column here.
const ODD_NAMES: &str = "CREATE TABLE odd (rowid INT, `_ROWID_` VARCHAR(9), hash INT, id INT);
    INSERT INTO odd VALUES (7, 'a', 1, 1), (7, 'a', 1, 1), (1, 'b', 2, 3), (1, NULL, NULL, NULL);
    UPDATE odd SET rowid = 2 WHERE id = 1 LIMIT 1; DELETE FROM odd WHERE rowid = 7; DELETE FROM odd WHERE id IS NULL";

/// Not primary, but keys all the same; and keys that are none.
const OTHER_KEYS: &str = "CREATE TABLE u (a INT NOT NULL, b VARCHAR(9) NOT NULL, c INT, UNIQUE KEY (b, a), UNIQUE KEY n (c));
    INSERT INTO u VALUES (1, 'a', NULL), (1, 'b', NULL), (2, 'a', 3); UPDATE u SET b = 'B', c = 4 WHERE a = 1 AND b = 'b';
    DELETE FROM u WHERE a = 2; UPDATE u SET a = 9 WHERE c IS NULL;
    CREATE TABLE p (a VARCHAR(3000) NOT NULL, b INT, PRIMARY KEY (a(20)), KEY (b));
    INSERT INTO p VALUES ('x', 1), (REPEAT('y', 3000), 1), (' ', 1); UPDATE p SET a = 'X' WHERE a = 'x'; DELETE FROM p WHERE a = ' ';
    CREATE TABLE s (a VARCHAR(30) NOT NULL, b TEXT NOT NULL, UNIQUE KEY (a(4)), UNIQUE KEY (b(9)));
    INSERT INTO s VALUES ('abc', 'x'), ('abd', 'y'); UPDATE s SET b = 'z' WHERE a = 'ABC'; DELETE FROM s WHERE a = 'abd'";

fn one_row_per_event(flavor: Flavor) {
    let server = Server::start(flavor);
    for image in row_images(flavor) {
        let mut session = server.client();
        session.exec(&format!("{LAX}; SET binlog_row_image = {image}"));
        session.exec(&format!(
            "CREATE DATABASE {image}; USE {image}; {ALIKE}; {ODD_NAMES}; {OTHER_KEYS}"
        ));
        session.exec(
            "DELETE FROM t WHERE a IS NULL LIMIT 1; DELETE FROM t WHERE BINARY b = 'a' AND BINARY e = 'x' LIMIT 3;
             UPDATE t SET b = 'A' WHERE BINARY b = 'a' LIMIT 1; UPDATE t SET c = 0.3 WHERE a = 1 ORDER BY h LIMIT 5;
             UPDATE t SET a = 5, e = NULL WHERE f > 2 LIMIT 1; DELETE FROM t WHERE h = '' LIMIT 1",
        );
    }
    let replica = Replica::of(&server);
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
}

fn many_changes_of_a_large_table(flavor: Flavor) {
    let server = Server::start(flavor);
    let mut session = server.client();
    session.exec("CREATE DATABASE large; USE large; CREATE TABLE t (a INT, b VARCHAR(40), c DOUBLE, KEY (a))");
    session.exec("INSERT INTO t VALUES (0, 'row', 0.5), (1, 'row', 0.5)");
    for _ in 0..16 {
        session.exec("INSERT INTO t SELECT (a * 7 + RAND() * 1000) % 50, CONCAT('row ', RAND()), RAND() FROM t");
    }
    session.exec(
        "UPDATE t SET b = CONCAT(b, '!') WHERE RAND(1) < 0.08; DELETE FROM t WHERE RAND(2) < 0.08",
    );
    session.exec("INSERT INTO t SELECT * FROM t LIMIT 1000; ALTER TABLE t ADD d INT; UPDATE t SET d = 1 WHERE RAND(3) < 0.02");
    let replica = Replica::of(&server);
    let started = Instant::now();
    replica.run_until_caught_up();
    // Ten thousand scans of that table take many minutes.
    assert!(
        started.elapsed() < Duration::from_secs(60),
        "{:?}",
        started.elapsed()
    );
    assert_equal(&server, &replica.target_dir());
    let sqlite = crate::support::compare::database_path(&replica.target_dir(), "large");
    let objects: i64 = crate::support::compare::open(&sqlite)
        .query_row(
            "SELECT COUNT(*) FROM sqlite_schema WHERE name LIKE '%finder%'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(objects, 0, "readers see nothing of it");
}
