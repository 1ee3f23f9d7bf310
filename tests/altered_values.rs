//! What ALTER TABLE makes of values that do not fit as they are: the target equals the source, whether it computes them or reads
//! the table afresh.

use crate::support::compare::{assert_equal, assert_follows};
use crate::support::relaylite::Replica;
use crate::support::server::{Flavor, Server};

/// A text that is cut may end in spaces, a TIME that is cut may be a negative nothing, and zeros in front are part of a text.
#[test]
fn what_is_cut() {
    for flavor in Flavor::both() {
        let mode = if flavor.is_mariadb() {
            ""
        } else {
            "TIME_TRUNCATE_FRACTIONAL"
        };
        assert_follows(
            flavor,
            &format!(
                "SET sql_mode = '{mode}'; CREATE DATABASE d; USE d;
                 CREATE TABLE t (id INT PRIMARY KEY, a CHAR(10), b VARCHAR(20), c ENUM('a b', 'x'), d TEXT, e DATETIME, f TIME(6), g TIME(6));
                 INSERT INTO t VALUES (1, '  x', '  xyz', 1, '   text', '2024-01-02 10:11:12', '-00:00:00.5', '-00:00:00.000001'),
                   (2, 'a   b', 'a  ', 2, 'a        b', '0000-00-00', '-00:00:01.5', '00:00:00.9'), (3, 'abcdefgh', 'x y z', NULL, '', NULL, NULL, NULL);
                 ALTER TABLE t MODIFY a CHAR(2), MODIFY b CHAR(2), MODIFY c CHAR(2);
                 ALTER TABLE t MODIFY e CHAR(11), MODIFY f TIME, MODIFY g TIME(3);
                 ALTER TABLE t MODIFY d CHAR(3);
                 CREATE TABLE z (id INT PRIMARY KEY, f DECIMAL(10,3) ZEROFILL); INSERT INTO z VALUES (1, 1.5), (2, 0);
                 ALTER TABLE z MODIFY f VARCHAR(20)"
            ),
        );
    }
}

/// The last second that a type has cannot be rounded up.
#[test]
fn what_is_rounded_past_the_end() {
    for flavor in Flavor::both() {
        let mode = if flavor.is_mariadb() {
            "TIME_ROUND_FRACTIONAL"
        } else {
            ""
        };
        assert_follows(
            flavor,
            &format!(
                "SET sql_mode = '{mode}', time_zone = '+00:00'; CREATE DATABASE d; USE d;
                 CREATE TABLE t (id INT PRIMARY KEY, c TIMESTAMP(6) NULL); CREATE TABLE u (id INT PRIMARY KEY, c DATETIME(6));
                 INSERT INTO t VALUES (1, '2038-01-19 03:14:07.999999'), (2, '2038-01-19 03:14:06.999999');
                 INSERT INTO u VALUES (1, '9999-12-31 23:59:59.999999'), (2, '9999-12-31 23:59:58.999999'), (3, '2015-12-31 23:59:59.95');
                 CREATE TABLE v LIKE u; INSERT INTO v SELECT * FROM u;
                 ALTER TABLE t MODIFY c TIMESTAMP NULL; ALTER TABLE u MODIFY c DATETIME; ALTER TABLE v MODIFY c DATETIME(1)"
            ),
        );
    }
}

/// Dates that the calendar does not have become zeros where a server copies the rows, also in columns that the statement does not name.
#[test]
fn dates_that_are_none() {
    let copies = [
        "MODIFY c DATETIME(3)",
        "MODIFY d DATETIME",
        "MODIFY c DATE",
        "MODIFY f TIMESTAMP(4) NULL",
        "FORCE, ALGORITHM = COPY",
    ];
    for flavor in Flavor::both() {
        let mut sql = "CREATE DATABASE d; USE d".to_owned();
        let modes = ["NO_ZERO_IN_DATE,NO_ZERO_DATE", "", "ALLOW_INVALID_DATES"];
        for (number, (mode, copy)) in modes
            .iter()
            .flat_map(|mode| copies.map(|copy| (mode, copy)))
            .enumerate()
        {
            sql.push_str(&format!(
                "; SET sql_mode = 'ALLOW_INVALID_DATES';
                 CREATE TABLE t{number} (id INT PRIMARY KEY, c DATETIME, d DATE, e DATETIME(3), f TIMESTAMP(2) NULL);
                 INSERT INTO t{number} VALUES (1, '0000-00-00', '0000-00-00', '0000-00-00', NULL), (3, '2015-02-31 23:59:59', '2015-02-31', '2015-02-31 23:59:59.123', NULL),
                   (2, '2015-00-21 10:11:12', '2015-00-21', '2015-00-21 10:11:12.123', '0000-00-00'), (4, '2016-02-29', '2016-02-29', '2016-02-29 00:00:00.5', NULL);
                 SET sql_mode = '{mode}'; ALTER TABLE t{number} {copy}"
            ));
        }
        assert_follows(flavor, &sql);
    }
}

/// ALTER IGNORE drops rows that a new key does not let in, by the source's collation and in its order.
#[test]
fn rows_that_ignore_drops() {
    assert_follows(
        Flavor::MariaDb,
        "CREATE DATABASE d CHARACTER SET utf8mb4; USE d; CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(10) COLLATE utf8mb4_general_ci, b INT);
         INSERT INTO t VALUES (1, 'é', 1000), (2, 'e', 1), (3, 'x', NULL); CREATE TABLE u LIKE t; INSERT INTO u SELECT * FROM t;
         CREATE TABLE v LIKE t; INSERT INTO v SELECT * FROM t;
         ALTER IGNORE TABLE t ADD UNIQUE (a); ALTER IGNORE TABLE u MODIFY b TINYINT; ALTER IGNORE TABLE v MODIFY b INT NOT NULL, RENAME TO w;
         INSERT INTO t VALUES (9, 'y', 1)",
    );
}

/// `--exit-on-error` is about errors that need somebody, and caught up is who has what the source has.
#[test]
fn a_run_that_ends_reads_tables_afresh_first() {
    for flavor in Flavor::both() {
        let server = Server::start(flavor);
        server.exec(
            "SET sql_mode = ''; CREATE DATABASE d; USE d; CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(10)); INSERT INTO t VALUES (1, '1x'), (2, '2');
             CREATE TABLE u LIKE t; INSERT INTO u SELECT * FROM t; ALTER TABLE t MODIFY a INT",
        );
        let replica = Replica::of(&server).arg("--exit-on-error");
        let (file, pos) = server.position();
        let mut command = replica.run_command();
        command.args(["--until", &format!("{file}:{pos}")]);
        assert_eq!(replica.spawn(command).wait(), 0, "{}", replica.log());
        assert_equal(&server, &replica.target_dir());

        // What a copy needs of the stream lies behind this position.
        server.exec("USE d; SET sql_mode = ''; ALTER TABLE u MODIFY a INT");
        let (file, pos) = server.position();
        server.exec("INSERT INTO d.u VALUES (3, 3)");
        let mut command = replica.run_command();
        command.args(["--until", &format!("{file}:{pos}")]);
        assert_eq!(replica.spawn(command).wait(), 0, "{}", replica.log());
        assert_eq!(replica.status().set_aside(), ["d.u"]);

        let mut command = replica.run_command();
        command.arg("--until-caught-up");
        assert_eq!(replica.spawn(command).wait(), 0, "{}", replica.log());
        assert_equal(&server, &replica.target_dir());
    }
}

/// A default that only the source knows is asked for once.
#[test]
fn a_default_of_the_sources_time_zone() {
    for flavor in Flavor::both() {
        assert_follows(
            flavor,
            "CREATE DATABASE d; USE d; SET binlog_row_image = MINIMAL;
             CREATE TABLE t (id INT PRIMARY KEY, t TIMESTAMP NULL DEFAULT '2024-01-01 10:00:00', x INT); INSERT INTO t (id) VALUES (1);
             INSERT INTO t (id) VALUES (2); UPDATE t SET x = 5",
        );
    }
}

/// The numbers that rows get depend on the session, the engine, and the order in which the source has them.
#[test]
fn numbers_of_rows() {
    for flavor in Flavor::both() {
        let mut sql = "CREATE DATABASE d; USE d".to_owned();
        for (number, (table, setup, more)) in [
            (
                "",
                "SET auto_increment_increment = 10, auto_increment_offset = 3",
                "",
            ),
            (
                "",
                "SET auto_increment_increment = 1, auto_increment_offset = 1",
                ", AUTO_INCREMENT = 100",
            ),
            ("", "SET insert_id = 500", ", ALGORITHM = COPY"),
            ("PARTITION BY HASH (a) PARTITIONS 3", "DO 1", ""),
            ("", "DO 1", ", DROP PRIMARY KEY, ADD PRIMARY KEY (b)"),
        ]
        .iter()
        .enumerate()
        {
            sql.push_str(&format!(
                "; CREATE TABLE t{number} (a INT PRIMARY KEY, b INT NOT NULL) {table}; INSERT INTO t{number} VALUES (5, 1), (1, 2), (4, 0), (3, 3);
                 {setup}; ALTER TABLE t{number} ADD id INT AUTO_INCREMENT, ADD KEY (id){more}"
            ));
        }
        sql.push_str(
            "; CREATE TABLE t (a INT, b INT, PRIMARY KEY (b, a DESC)); INSERT INTO t VALUES (1, 1), (5, 1), (3, 2); ALTER TABLE t ADD id INT AUTO_INCREMENT UNIQUE",
        );
        assert_follows(flavor, &sql);
    }
}

/// Constants that their column's type turns into something else.
#[test]
fn defaults_of_another_kind() {
    let columns = [
        "BIT(4) DEFAULT 1.5",
        "BIT(64) DEFAULT 1e2",
        "YEAR DEFAULT 1.5",
        "YEAR DEFAULT '5.'",
        "VARCHAR(20) DEFAULT 1e2",
        "VARCHAR(20) DEFAULT -0.0",
        "BINARY(5) DEFAULT 1e2",
        "TIME DEFAULT '-0'",
        "TIME(3) DEFAULT '-00:00'",
        "CHAR(5) DEFAULT 1.50",
        "VARBINARY(9) DEFAULT -5",
    ];
    for flavor in Flavor::both() {
        let only_here = match flavor.is_mariadb() {
            true => [
                "BIGINT DEFAULT TIMESTAMP'2024-02-29 10:11:12'",
                "INT DEFAULT TIME'10:11:12'",
                "DATETIME DEFAULT NOW(3)",
                "ENUM('a', 'B', '1') DEFAULT TRUE",
            ],
            false => [
                "DECIMAL(10,3) DEFAULT ('7abc')",
                "ENUM('a', 'B', '1') DEFAULT ('x')",
                "SET('a', 'B', '1') DEFAULT ('x')",
                "YEAR DEFAULT (1.50)",
            ],
        };
        let mut sql =
            "SET sql_mode = '', time_zone = '+00:00'; CREATE DATABASE d; USE d".to_owned();
        for (number, column) in columns.iter().chain(&only_here).enumerate() {
            sql.push_str(&format!(
                "; CREATE TABLE t{number} (id INT PRIMARY KEY); INSERT INTO t{number} VALUES (1); ALTER TABLE t{number} ADD c {column};
                 SET binlog_row_image = MINIMAL; INSERT IGNORE INTO t{number} (id) VALUES (2); SET binlog_row_image = FULL"
            ));
        }
        assert_follows(flavor, &sql);
    }
}

/// SQLite reads this one as the number below.
#[test]
fn many_digits_become_a_double() {
    for flavor in Flavor::both() {
        assert_follows(
            flavor,
            "CREATE DATABASE d; USE d; CREATE TABLE t (id INT PRIMARY KEY, c DECIMAL(65,30)); CREATE TABLE u (id INT PRIMARY KEY, c BIGINT UNSIGNED);
             INSERT INTO t VALUES (1, -37180.9966389422734260), (2, 1.5), (3, NULL);
             INSERT INTO u VALUES (1, 18446744073709551615), (2, 9223372036854775809), (3, 9007199254740993); CREATE TABLE v (c DECIMAL(30,2));
             INSERT INTO v VALUES (1.25), (NULL), (123456789.5); ALTER TABLE t MODIFY c DOUBLE; ALTER TABLE u MODIFY c DOUBLE; ALTER TABLE v MODIFY c DOUBLE",
        );
    }
}
