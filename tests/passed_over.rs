//! Statements that change no table that is followed, or that come to the binary log by detours: the stream goes on, and
//! the tables are equal.

use crate::support::compare::assert_equal;
use crate::support::relaylite::Replica;
use crate::support::server::{Flavor, Server};

on_both!(ddl_by_detours);

/// DDL in prepared statements, procedures and events; views where tables could stand.
fn ddl_by_detours(flavor: Flavor) {
    let server = Server::start(flavor);
    let mut session = server.client();
    session.exec("CREATE DATABASE d; USE d");
    for sql in [
        "PREPARE p FROM 'CREATE TABLE prepared (a INT PRIMARY KEY, b TEXT)'",
        "EXECUTE p; DEALLOCATE PREPARE p",
        "INSERT INTO prepared VALUES (1, 'x')",
        "SET @sql = 'ALTER TABLE prepared ADD c INT DEFAULT 3'; PREPARE p FROM @sql; EXECUTE p",
        "CREATE PROCEDURE make(n INT) BEGIN CREATE TABLE made (a INT, b INT); INSERT INTO made VALUES (n, n); \
         ALTER TABLE made ADD c INT DEFAULT 7 FIRST; RENAME TABLE made TO remade; INSERT INTO remade VALUES (n, n, n); END",
        "CALL make(5)",
        "DROP PROCEDURE make",
        "CREATE VIEW v AS SELECT * FROM prepared",
        "CREATE OR REPLACE VIEW v AS SELECT a FROM prepared",
        "CREATE VIEW v2 AS SELECT * FROM v",
        "INSERT INTO v VALUES (2)",
        "DROP TABLE IF EXISTS v",
        "RENAME TABLE v TO v3",
        "ALTER VIEW v3 AS SELECT a, b FROM prepared",
        "UPDATE v3 SET b = 'through a view' WHERE a = 2",
        "DROP VIEW IF EXISTS v, v2, v3, nothing",
        "CREATE TRIGGER tr AFTER INSERT ON prepared FOR EACH ROW INSERT INTO remade VALUES (0, NEW.a, 0)",
        "INSERT INTO prepared VALUES (9, 'y', 9)",
        "DROP TRIGGER tr",
        "CREATE EVENT e ON SCHEDULE EVERY 1 YEAR DO ALTER TABLE prepared ADD z INT",
        "ALTER EVENT e COMMENT 'DROP TABLE prepared; DELIMITER //'",
        "DROP EVENT e",
        "CREATE USER 'u'@'%'; GRANT SELECT ON d.* TO 'u'@'%'; RENAME USER 'u'@'%' TO 'w'@'%'; DROP USER 'w'@'%'",
        "ANALYZE TABLE prepared; OPTIMIZE TABLE prepared; CHECK TABLE prepared; REPAIR TABLE prepared",
        "CREATE TABLE /* DROP TABLE prepared; */ commented (a INT) -- the end",
        "LOCK TABLES prepared WRITE; ALTER TABLE prepared ADD l INT; UNLOCK TABLES",
        "FLUSH TABLES; FLUSH LOGS",
        "CREATE TABLE IF NOT EXISTS prepared (other INT); DROP TABLE IF EXISTS nothing, never",
        "CREATE TABLE atomic_a (a INT); DROP TABLE atomic_a, nothing",
        "SET STATEMENT lock_wait_timeout = 5 FOR ALTER TABLE prepared ADD s INT",
    ] {
        if let Err(error) = session.try_exec(sql) {
            eprintln!("{error}: {sql}");
        }
    }
    session.exec("INSERT INTO prepared (a) VALUES (100)");
    let replica = Replica::of(&server);
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
}
