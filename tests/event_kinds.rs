//! What stands in a binary log beside rows and everyday DDL: transactions taken back in part or whole, tables made from a
//! query, temporary tables, statements as comments, tagged GTIDs.

use crate::support::compare::assert_equal;
use crate::support::relaylite::Replica;
use crate::support::server::{Flavor, Server};

on_all!(transactions_taken_back, tables_made_from_a_query);
on_both!(statements_as_comments);

const TABLES: &str = "CREATE TABLE i (id INT PRIMARY KEY, a INT) ENGINE=InnoDB; CREATE TABLE m (id INT PRIMARY KEY, a INT) ENGINE=MyISAM;
    CREATE TABLE tr (id INT PRIMARY KEY) ENGINE=InnoDB; CREATE TABLE keyless (a INT, b VARCHAR(9));
    CREATE TRIGGER t AFTER INSERT ON tr FOR EACH ROW INSERT INTO m VALUES (NEW.id, 0);
    INSERT INTO i VALUES (1, 1), (2, 2); INSERT INTO m VALUES (1, 1), (2, 2); INSERT INTO keyless VALUES (1, 'x'), (1, 'x')";

/// One in each line, some with what makes the server log what was taken back.
const TAKEN_BACK: &[&str] = &[
    "BEGIN; INSERT INTO i VALUES (10, 1); SAVEPOINT s; INSERT INTO i VALUES (11, 1); ROLLBACK TO s; INSERT INTO i VALUES (12, 1); COMMIT",
    "BEGIN; INSERT INTO i VALUES (20, 1); UPDATE i, m SET i.a = 7, m.a = 7 WHERE i.id = m.id; ROLLBACK",
    "BEGIN; INSERT INTO tr VALUES (30); ROLLBACK",
    "BEGIN; INSERT INTO i VALUES (40, 1); SAVEPOINT s; INSERT INTO tr VALUES (41); ROLLBACK TO s; INSERT INTO i VALUES (42, 1); COMMIT",
    "BEGIN; INSERT INTO i VALUES (50, 1); INSERT INTO m VALUES (50, 1); SAVEPOINT s; INSERT INTO i VALUES (51, 1);
     INSERT INTO m VALUES (51, 1); ROLLBACK TO s; INSERT INTO i VALUES (52, 1); COMMIT",
    "BEGIN; INSERT INTO i VALUES (60, 1); CREATE TEMPORARY TABLE x (a INT) ENGINE=MyISAM; SAVEPOINT s; INSERT INTO i VALUES (61, 1);
     INSERT INTO x VALUES (1); ROLLBACK TO s; INSERT INTO i VALUES (62, 1); DROP TEMPORARY TABLE x; ROLLBACK",
    "BEGIN; INSERT INTO i VALUES (70, 1); SAVEPOINT `S 1`; INSERT INTO i VALUES (71, 1); SAVEPOINT b; DELETE FROM i WHERE id = 1;
     SAVEPOINT `s 1`; UPDATE keyless SET b = 'y' LIMIT 1; CREATE TEMPORARY TABLE y (a INT); ROLLBACK TO B; INSERT INTO i VALUES (72, 1);
     DROP TEMPORARY TABLE y; COMMIT",
    "BEGIN; SAVEPOINT first; INSERT INTO i VALUES (80, 1); CREATE TEMPORARY TABLE z (a INT); SAVEPOINT second; INSERT INTO other.t VALUES (80);
     ROLLBACK TO first; INSERT INTO i VALUES (81, 1); INSERT INTO other.t VALUES (81); DROP TEMPORARY TABLE z; COMMIT",
    "BEGIN; SAVEPOINT s; CREATE TEMPORARY TABLE v (a INT); DELETE FROM keyless LIMIT 1; SAVEPOINT u; DELETE FROM other.t; ROLLBACK TO s;
     DROP TEMPORARY TABLE v; UPDATE keyless SET a = a + 1; COMMIT",
    "BEGIN; SAVEPOINT s; INSERT INTO i VALUES (90, 1); RELEASE SAVEPOINT s; SAVEPOINT s; INSERT INTO i VALUES (91, 1);
     CREATE TEMPORARY TABLE w (a INT); ROLLBACK TO s; DROP TEMPORARY TABLE w; COMMIT",
    "BEGIN; INSERT INTO i VALUES (100, 1); INSERT INTO other.t VALUES (100); CREATE TEMPORARY TABLE q (a INT); DROP TEMPORARY TABLE q; ROLLBACK",
];

fn transactions_taken_back(flavor: Flavor) {
    // With GTIDs MySQL refuses to mix tables with and without transactions.
    let server = Server::builder(flavor).gtid_mode(false).start();
    server.exec("CREATE DATABASE other; CREATE TABLE other.t (id INT PRIMARY KEY)");
    let replica = Replica::of(&server);
    let running = replica.follow();
    server.exec(&format!("CREATE DATABASE d; USE d; {TABLES}"));
    for sql in TAKEN_BACK {
        server.exec(&format!(
            "USE d; SET sql_mode = ''; DELETE FROM other.t; {sql}"
        ));
        server.exec("INSERT INTO d.keyless VALUES (2, 'between')");
    }
    replica.wait_until_caught_up(&server);
    assert_equal(&server, &replica.target_dir());
    drop(running);
    // All of it at once.
    let replica = Replica::of(&server);
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
}

fn tables_made_from_a_query(flavor: Flavor) {
    // With GTIDs MySQL refuses to make tables without transactions so.
    let server = Server::builder(flavor).gtid_mode(false).start();
    let own = if flavor.is_mariadb() {
        "CREATE OR REPLACE TABLE made AS SELECT id + 1 AS n, name FROM source; CREATE OR REPLACE TABLE made (n INT PRIMARY KEY) SELECT id AS n FROM source;
         CREATE OR REPLACE TEMPORARY TABLE t1 AS SELECT * FROM source; CREATE TABLE IF NOT EXISTS made AS SELECT 7 AS n;
         CREATE TABLE sequence_like AS SELECT seq FROM seq_1_to_5; CREATE TABLE a2 ENGINE=Aria AS SELECT id FROM source"
    } else {
        "CREATE TABLE made AS SELECT id + 1 AS n, name FROM source; CREATE TABLE of_values AS VALUES ROW(1, 'x'), ROW(2, 'y')"
    };
    server.exec(&format!(
        "CREATE DATABASE d; USE d; CREATE TABLE source (id INT PRIMARY KEY, name VARCHAR(20), price DECIMAL(8,2), made DATETIME(3));
         INSERT INTO source VALUES (1, 'a', 1.5, '2024-01-02 03:04:05.678'), (2, NULL, NULL, NULL);
         {own};
         CREATE TABLE plain SELECT * FROM source; CREATE TABLE empty_one SELECT * FROM source WHERE id > 5;
         CREATE TABLE more (extra INT DEFAULT 5, name VARCHAR(5) NOT NULL DEFAULT '-', KEY (name)) SELECT id, IFNULL(name, '?') AS name FROM source;
         SET sql_mode = 'ANSI_QUOTES';
         CREATE TABLE \"quoted \"\"name\" (\"a b\" INT DEFAULT 1) AS SELECT id AS \"id of `it`\", 'START TRANSACTION' AS \"start transaction\" FROM source;
         SET sql_mode = ''; CREATE TABLE m ENGINE=MyISAM AS SELECT * FROM source;
         CREATE TEMPORARY TABLE t AS SELECT * FROM source; INSERT INTO t SELECT id + 10, name, price, made FROM source; UPDATE t SET price = 9;
         CREATE TABLE of_temporary AS SELECT * FROM t; INSERT INTO source SELECT id + 10, name, price, made FROM t; DROP TABLE t;
         CREATE TEMPORARY TABLE plain (x INT); INSERT INTO plain VALUES (1); ALTER TABLE plain ADD y INT; TRUNCATE TABLE plain;
         DROP TABLE plain; INSERT INTO plain (id) VALUES (77); RENAME TABLE of_temporary TO renamed"
    ));
    // Made and gone again: the query fails at its last row.
    let mut session = server.client();
    session.exec("USE d; SET sql_mode = 'STRICT_ALL_TABLES'");
    for engine in ["InnoDB", "MyISAM"] {
        let failing = format!(
            "CREATE TABLE failed (id INT PRIMARY KEY) ENGINE={engine} AS SELECT 1 AS id UNION ALL SELECT 2 UNION ALL SELECT 1"
        );
        assert!(session.try_exec(&failing).is_err());
        session.exec(&format!("CREATE TABLE after_{engine} (id INT)"));
    }
    if flavor.is_mariadb() {
        // What it would replace is gone all the same.
        let failing =
            "CREATE OR REPLACE TABLE made (n INT PRIMARY KEY) AS SELECT 1 AS n UNION ALL SELECT 1";
        assert!(session.try_exec(failing).is_err());
    }
    session.exec("INSERT INTO plain (id) VALUES (78)");
    let replica = Replica::of(&server);
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
}

fn statements_as_comments(flavor: Flavor) {
    let server = Server::start(flavor);
    let with_comments = if flavor.is_mariadb() {
        "SET binlog_annotate_row_events = ON"
    } else {
        "SET binlog_rows_query_log_events = ON"
    };
    server.exec(&format!(
        "CREATE DATABASE d; USE d; CREATE TABLE t (id INT PRIMARY KEY, a TEXT); {with_comments}, sql_mode = 'ANSI_QUOTES';
         INSERT INTO t VALUES (1, 'BEGIN'), (2, 'COMMIT'); BEGIN; UPDATE t SET a = 'ROLLBACK'; SAVEPOINT s; DELETE FROM t WHERE id = 1; COMMIT"
    ));
    let replica = Replica::of(&server);
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
}

#[test]
fn tagged_gtids() {
    let server = Server::start(Flavor::MySql);
    server.exec(
        "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY); SET gtid_next = 'AUTOMATIC:tea'; INSERT INTO d.t VALUES (1);
         INSERT INTO d.t VALUES (2); SET gtid_next = 'AUTOMATIC:coffee'; ALTER TABLE d.t ADD a INT; UPDATE d.t SET a = 1;
         SET gtid_next = 'AUTOMATIC', binlog_transaction_compression = ON; INSERT INTO d.t VALUES (3, 3);
         SET gtid_next = 'AUTOMATIC:tea'; DELETE FROM d.t WHERE id = 1",
    );
    let replica = Replica::of(&server);
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
    let status = replica.status();
    assert_eq!(status.text("Executed_Gtid_Set"), server.gtid_position());
    server.exec("SET gtid_next = 'AUTOMATIC:tea'; INSERT INTO d.t VALUES (4, 4)");
    // From the middle, by what it has.
    let other = Replica::of(&server).start(format!("gtid:{}", status.text("Executed_Gtid_Set")));
    other.run_until_caught_up();
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
    assert_eq!(
        other.status().text("Executed_Gtid_Set"),
        server.gtid_position()
    );
}
