//! Tables that the server adds columns to: generated keys, functional indexes, system versioning; and what the target
//! cannot follow is an error.

use super::LAX;
use crate::support::compare::{assert_equal, database_path, open};
use crate::support::relaylite::Replica;
use crate::support::server::{Flavor, Server};

#[test]
fn columns_that_mysql_makes() {
    let server = Server::start(Flavor::MySql);
    for image in ["FULL", "MINIMAL", "NOBLOB"] {
        server.exec(&format!(
            "{LAX}; SET binlog_row_image = {image}; CREATE DATABASE {image}; USE {image};
             SET sql_generate_invisible_primary_key = ON;
             CREATE TABLE made (a INT, b TEXT); INSERT INTO made (a, b) VALUES (1, 'x'), (1, 'x'), (NULL, NULL);
             UPDATE made SET b = 'y' WHERE a = 1 LIMIT 1; DELETE FROM made WHERE a IS NULL;
             SET sql_generate_invisible_primary_key = OFF;
             CREATE TABLE functional (id INT PRIMARY KEY, a VARCHAR(20), doc JSON, KEY ((UPPER(a))), UNIQUE KEY ((id + 1)),
                 KEY ((CAST(doc->'$.tags' AS UNSIGNED ARRAY))), KEY many (a, (CAST(doc->'$.names' AS CHAR(10) ARRAY))));
             INSERT INTO functional VALUES (1, 'x', '{{\"tags\": [1, 2], \"names\": [\"a\"]}}'), (2, NULL, NULL), (3, 'z', '[]');
             UPDATE functional SET doc = JSON_SET(doc, '$.tags', JSON_ARRAY(3)) WHERE id = 1; UPDATE functional SET a = 'y', id = 4 WHERE id = 2;
             CREATE TABLE keyless (a VARCHAR(20), doc JSON, v INT AS (LENGTH(a)) VIRTUAL, s INT AS (v + 1) STORED, KEY ((a + 0)));
             INSERT INTO keyless (a, doc) VALUES ('x', '1'), ('x', '1'), (NULL, '{{}}');
             UPDATE keyless SET a = 'yy' WHERE a = 'x' LIMIT 1; DELETE FROM keyless WHERE a IS NULL;
             CREATE TABLE hidden (id INT PRIMARY KEY INVISIBLE, a INT INVISIBLE DEFAULT 7, b INT);
             INSERT INTO hidden (id, b) VALUES (1, 1), (2, 2); UPDATE hidden SET a = 8 WHERE id = 2; DELETE FROM hidden WHERE id = 1"
        ));
    }
    let replica = Replica::of(&server);
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
}

/// A point in time that a definition names is one of the session's clock.
#[test]
fn points_in_time_of_another_clock() {
    for flavor in Flavor::both() {
        let server = Server::builder(flavor)
            .arg("--default-time-zone=+05:00")
            .arg("--binlog-row-image=MINIMAL")
            .start();
        server.exec(
            "CREATE DATABASE d; USE d; CREATE TABLE met (id INT PRIMARY KEY, a TIMESTAMP NULL DEFAULT '2024-02-29 22:30:00')",
        );
        let (file, position) = server.position();
        server.exec(
            "USE d; SET time_zone = '+02:00'; INSERT INTO met (id) VALUES (1);
             CREATE TABLE t (id INT PRIMARY KEY, a TIMESTAMP(2) NULL DEFAULT '2024-02-29 22:30:00.25');
             INSERT INTO t (id) VALUES (1); ALTER TABLE t ADD b TIMESTAMP NOT NULL DEFAULT '2024-02-29 22:30:00', ADD c DATETIME
               NOT NULL DEFAULT '2024-02-29 22:30:00', ADD z TIMESTAMP(1) NOT NULL DEFAULT '0000-00-00 00:00:00';
             SET time_zone = '-01:30'; INSERT INTO t (id) VALUES (2);
             ALTER TABLE t ALTER a SET DEFAULT '2024-02-29 22:30:00.5', MODIFY b TIMESTAMP NULL DEFAULT '2024-02-29 23:59:59';
             INSERT INTO t (id) VALUES (3); INSERT INTO met (id) VALUES (2);
             SET time_zone = SYSTEM; ALTER TABLE t ADD e TIMESTAMP NULL DEFAULT '2024-02-29 01:00:00'; INSERT INTO met (id) VALUES (3)"
                .replace("SET time_zone = '+02:00';", "SET sql_mode = ''; SET time_zone = '+02:00';")
                .as_str(),
        );
        let replica = Replica::of(&server).start(format!("{file}:{position}"));
        let _running = replica.follow();
        replica.wait_until_caught_up(&server);
        replica.wait_until_sound();
        assert_equal(&server, &replica.target_dir());
    }
}

/// What an ALTER TABLE puts where NULL was is not what a new row would get.
#[test]
fn null_that_is_not_allowed_any_more() {
    for flavor in Flavor::both() {
        let server = Server::start(flavor);
        server.exec(&format!(
            "{LAX}; CREATE DATABASE d; USE d; CREATE TABLE t (id INT PRIMARY KEY, e ENUM('x', 'y'), s SET('p', 'q'), n INT, v VARCHAR(5), d DATE,
               ti TIME(2), y YEAR, b VARBINARY(3), de DECIMAL(5,2));
             INSERT INTO t (id) VALUES (1); INSERT INTO t (id, e, s, n) VALUES (2, 'y', 'q', 3);
             ALTER TABLE t MODIFY e ENUM('x', 'y') NOT NULL, MODIFY s SET('p', 'q') NOT NULL FIRST, MODIFY n INT NOT NULL,
               MODIFY v VARCHAR(5) NOT NULL, MODIFY d DATE NOT NULL, MODIFY ti TIME(2) NOT NULL, MODIFY y YEAR NOT NULL,
               MODIFY b VARBINARY(3) NOT NULL, MODIFY de DECIMAL(5,2) NOT NULL;
             ALTER TABLE t ADD e2 ENUM('x', 'y') NOT NULL FIRST"
        ));
        let replica = Replica::of(&server);
        replica.run_until_caught_up();
        assert_equal(&server, &replica.target_dir());
    }
}

/// A unique key over long text has a hidden column of hashes.
#[test]
fn columns_that_mariadb_hides() {
    let server = Server::start(Flavor::MariaDb);
    for image in ["FULL", "NOBLOB", "MINIMAL"] {
        server.exec(&format!(
            "{LAX}; SET binlog_row_image = {image}; CREATE DATABASE {image}; USE {image};
             CREATE TABLE long_key (id INT, a TEXT NOT NULL, UNIQUE KEY (a));
             INSERT INTO long_key VALUES (1, REPEAT('x', 5000)), (2, 'y'), (3, 'z');
             UPDATE long_key SET id = 4, a = 'Y' WHERE a = 'y'; DELETE FROM long_key WHERE id = 1;
             CREATE TABLE long_keys (id INT PRIMARY KEY, a TEXT, b BLOB, UNIQUE KEY (a, b), UNIQUE KEY (b));
             INSERT INTO long_keys VALUES (1, REPEAT('x', 5000), 'b'), (2, 'y', NULL), (3, NULL, NULL);
             UPDATE long_keys SET a = 'q' WHERE id < 3; DELETE FROM long_keys WHERE id = 3;
             CREATE TABLE long_point (id INT, g GEOMETRY, UNIQUE KEY (g));
             INSERT INTO long_point VALUES (1, ST_GeomFromText('POINT(1 2)')), (2, NULL); UPDATE long_point SET id = 3 WHERE id = 1;
             CREATE TABLE booking (id INT, s DATE, e DATE, PERIOD FOR stay (s, e), UNIQUE KEY (id, stay WITHOUT OVERLAPS));
             INSERT INTO booking VALUES (1, '2024-01-01', '2024-02-01');
             DELETE FROM booking FOR PORTION OF stay FROM '2024-01-10' TO '2024-01-20';
             UPDATE booking FOR PORTION OF stay FROM '2024-01-25' TO '2024-01-28' SET id = 2;
             CREATE TABLE checked (id INT PRIMARY KEY, a INT CHECK (a > 0), b INT DEFAULT (a + 1), CONSTRAINT c CHECK (a < 10));
             INSERT INTO checked (id, a) VALUES (1, 1), (2, 2); UPDATE checked SET a = 3 WHERE id = 1"
        ));
    }
    let replica = Replica::of(&server);
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
}

#[test]
fn history_of_system_versioned_tables() {
    let server = Server::start(Flavor::MariaDb);
    let mut session = server.client();
    let history = |table: &str, start: &str, end: &str| {
        format!(
            "SELECT id, a, {start}, {end} FROM {table} FOR SYSTEM_TIME ALL ORDER BY id, {start}, {end}"
        )
    };
    for image in ["FULL", "NOBLOB", "MINIMAL"] {
        session.exec(&format!(
            "SET time_zone = '+00:00', binlog_row_image = {image}; CREATE DATABASE {image}; USE {image};
             CREATE TABLE hidden (id INT PRIMARY KEY, a VARCHAR(20)) WITH SYSTEM VERSIONING;
             CREATE TABLE shown (id INT, a VARCHAR(20), s TIMESTAMP(6) GENERATED ALWAYS AS ROW START,
                 e TIMESTAMP(6) GENERATED ALWAYS AS ROW END, PERIOD FOR SYSTEM_TIME (s, e), PRIMARY KEY (id)) WITH SYSTEM VERSIONING;
             CREATE TABLE keyless (id INT, a VARCHAR(20)) WITH SYSTEM VERSIONING"
        ));
        for table in ["hidden", "shown", "keyless"] {
            session.exec(&format!(
                "INSERT INTO {table} (id, a) VALUES (1, 'a'), (2, 'b'), (3, NULL)"
            ));
            for _ in 0..3 {
                session.exec(&format!(
                    "UPDATE {table} SET a = CONCAT(a, '!') WHERE id < 3; DELETE FROM {table} WHERE id = 2;
                     INSERT INTO {table} (id, a) VALUES (2, 'again'); UPDATE {table} SET id = id + 10 WHERE id = 3"
                ));
            }
        }
    }
    let replica = Replica::of(&server);
    replica.run_until_caught_up();
    for image in ["FULL", "NOBLOB", "MINIMAL"] {
        session.exec(&format!("USE {image}"));
        let sqlite = open(&database_path(&replica.target_dir(), image));
        for (table, start, end) in [
            ("hidden", "row_start", "row_end"),
            ("shown", "s", "e"),
            ("keyless", "row_start", "row_end"),
        ] {
            let expected = session.query_strings(&history(table, start, end));
            let sql = history(table, start, end).replace("FOR SYSTEM_TIME ALL", "");
            let mut statement = sqlite.prepare(&sql).unwrap();
            let rows = statement.query_map([], |row| {
                let id = row.get::<_, Option<i64>>(0)?.map(|id| id.to_string());
                Ok(vec![id, row.get(1)?, row.get(2)?, row.get(3)?])
            });
            let stored: Vec<Vec<Option<String>>> = rows.unwrap().map(Result::unwrap).collect();
            assert_eq!(stored, expected, "{image}.{table}");
        }
    }
}

/// MariaDB leaves virtual columns out of MINIMAL images; what SQLite cannot compute as the server does is not known then.
#[test]
fn a_generated_value_that_is_not_logged_is_an_error() {
    let server = Server::start(Flavor::MariaDb);
    server.exec(
        "CREATE DATABASE d; USE d; CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT, v INT AS (a + 1) VIRTUAL,
             w DOUBLE AS (SQRT(a)) VIRTUAL);
         INSERT INTO t (id, a, b) VALUES (1, 1, 1), (2, 2, 2); SET binlog_row_image = MINIMAL; UPDATE t SET b = 3 WHERE id = 1",
    );
    let replica = Replica::of(&server);
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
    server.exec("SET binlog_row_image = MINIMAL; UPDATE d.t SET a = 5 WHERE id = 2");
    assert_eq!(replica.try_until_caught_up(), 1);
    assert!(
        replica.log().contains("generated column `w`"),
        "{}",
        replica.log()
    );
}
