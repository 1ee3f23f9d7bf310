//! MariaDB 11.8 logs no generated column with UPDATE and DELETE: what can be computed is, and a table where it cannot is read afresh.

use crate::support::compare::{assert_equal, assert_follows};
use crate::support::relaylite::Replica;
use crate::support::server::{Flavor, Server};

on_all!(
    values_follow_what_they_are_made_of,
    bases_are_converted,
    bases_get_other_names,
    expressions_of_other_modes,
);

/// Columns that follow from `id, a INT, u INT UNSIGNED, s VARCHAR(40), l VARCHAR(40) CHARACTER SET latin1, d DATE, t DATETIME(3), doc TEXT`.
const COMPUTED: [&str; 30] = [
    "INT AS (a)",
    "BIGINT AS (a + 1) STORED",
    "BIGINT AS (a * 2 - id + (a - -3) * 5) VIRTUAL",
    "BIGINT AS (a DIV 3) STORED",
    "INT AS (a % 7) STORED",
    "BIGINT AS (MOD(a, 5)) STORED",
    "BIGINT AS (ABS(a)) STORED",
    "INT AS (u DIV 10) STORED",
    "INT AS (IF(a > 10, 1, 0)) STORED",
    "INT AS (CASE WHEN a < 0 THEN -1 WHEN a = 0 THEN 0 ELSE 1 END) STORED",
    "VARCHAR(9) AS (CASE WHEN a >= 5 AND a <> 7 THEN 'large' WHEN a IS NULL THEN 'none' END)",
    "BIGINT AS (IFNULL(a, 5) + COALESCE(a, id)) STORED",
    "TINYINT(1) AS (a IS NULL OR a > 3) STORED",
    "VARCHAR(90) AS (CONCAT(s, ' ', id, '-', a)) STORED",
    "VARCHAR(90) AS (CONCAT('it''s ', s)) VIRTUAL",
    "VARCHAR(90) AS (CONCAT(l, s)) STORED",
    "VARCHAR(40) AS (s) STORED",
    "VARCHAR(40) CHARACTER SET latin1 AS (l) STORED",
    "INT AS (LENGTH(s)) STORED",
    "INT AS (LENGTH(l)) STORED",
    "INT AS (CHAR_LENGTH(s)) STORED",
    "VARCHAR(5) AS (LEFT(s, 5)) STORED",
    "VARCHAR(9) AS (SUBSTR(s, 2, 3)) STORED",
    "VARCHAR(99) AS (SUBSTRING(s, 3)) STORED",
    "INT AS (YEAR(d)) STORED",
    "INT AS (MONTH(t) * 100 + DAY(t)) STORED",
    "VARCHAR(60) AS (JSON_UNQUOTE(JSON_EXTRACT(doc, '$.name'))) STORED",
    "VARCHAR(60) AS (JSON_VALUE(doc, '$.n')) STORED",
    "DATE AS (d) STORED",
    "BIGINT AS (g1 + g2 + a) STORED",
];

fn values_follow_what_they_are_made_of(flavor: Flavor) {
    let server = Server::start(flavor);
    let generated: Vec<String> = COMPUTED
        .iter()
        .enumerate()
        .map(|(n, column)| format!("g{n} {column}"))
        .collect();
    let columns = format!(
        "a INT, u INT UNSIGNED, s VARCHAR(40) CHARACTER SET utf8mb4, l VARCHAR(40) CHARACTER SET latin1, d DATE, t DATETIME(3), \
         doc TEXT CHARACTER SET utf8mb4, {}",
        generated.join(", ")
    );
    let mut session = server.client();
    session.exec(&format!(
        "CREATE DATABASE d; USE d; SET sql_mode = 'ALLOW_INVALID_DATES'; CREATE TABLE keyed (id INT PRIMARY KEY, {columns}); CREATE TABLE keyless (id INT, {columns}); \
         CREATE TABLE upper (id INT PRIMARY KEY, s VARCHAR(40), u VARCHAR(40) AS (UPPER(s)) STORED, l VARCHAR(40) AS (LCASE(s)));
         CREATE TABLE by_generated (a INT, k INT AS (a + 1) STORED UNIQUE, UNIQUE (a));
         INSERT INTO by_generated (a) VALUES (1), (2), (3); UPDATE by_generated SET a = 10 WHERE a = 2; DELETE FROM by_generated WHERE a = 1;
         INSERT INTO upper (id, s) VALUES (1, 'aBc'), (2, 'x'); UPDATE upper SET s = 'New Text' WHERE id = 1"
    ));
    for table in ["keyed", "keyless"] {
        session.exec(&format!(
            "INSERT INTO {table} (id, a, u, s, l, d, t, doc) VALUES
                 (1, 5, 7, 'ätherisch', 'plain', '2024-02-29', '2021-03-04 05:06:07.891', '{{\"name\": \"x y\", \"n\": 5}}'),
                 (2, -17, 4000000000, '', '', '2000-01-01', '2000-12-31 00:00:00', '{{}}'), (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
             UPDATE {table} SET a = a + 7; UPDATE {table} SET a = -8 WHERE id = 3; UPDATE {table} SET s = CONCAT(s, 'ß€😀') WHERE id = 1;
             UPDATE {table} SET l = 'other', u = 12 WHERE id = 2; UPDATE {table} SET d = '1999-12-31', t = '1999-11-30 01:02:03.5' WHERE id < 3;
             UPDATE {table} SET doc = '{{\"n\": \"seven\", \"name\": \"Ü\"}}' WHERE id = 2; UPDATE {table} SET doc = NULL WHERE id = 1;
             UPDATE {table} SET id = id + 10 WHERE id = 2; UPDATE {table} SET a = 2000000000, s = 'long enough a text' WHERE id = 12;
             UPDATE {table} SET a = NULL, s = NULL WHERE id = 1; DELETE FROM {table} WHERE id = 3; UPDATE {table} SET a = 1 WHERE id = 1"
        ));
    }
    let replica = Replica::of(&server);
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());

    // What SQLite would compute otherwise, and what is not known here at all, is read afresh, also where the stream goes on meanwhile.
    server.exec(
        "USE d; CREATE TABLE other (id INT PRIMARY KEY, a DOUBLE, r DOUBLE AS (SQRT(a)) STORED, p DECIMAL(9,2), t DECIMAL(9,2) AS (p * id));
         INSERT INTO other (id, a, p) VALUES (1, 4, 1.5), (2, 9, 2.25);
         UPDATE upper SET s = 'äöü' WHERE id = 2; UPDATE other SET a = 9; UPDATE keyed SET a = 3 WHERE id = 1; UPDATE other SET p = p + 1 WHERE id = 2;
         DELETE FROM other WHERE id = 1; UPDATE other SET p = 7",
    );
    let replica = replica.arg("--on-table-error=resync");
    replica.run_until_caught_up();
    assert!(replica.status().set_aside().is_empty());
    assert_equal(&server, &replica.target_dir());
    let log = replica.log();
    assert_eq!(log.contains("table set aside"), flavor == Flavor::MariaDb11);
    server.exec("UPDATE d.other SET p = 8; UPDATE d.other SET p = 9");
    let _running = replica.follow();
    server.exec("UPDATE d.other SET p = 10; UPDATE d.other SET a = 11");
    replica.wait_until_caught_up(&server);
    replica.wait_until_sound();
    assert_equal(&server, &replica.target_dir());
}

/// A changed type of a column changes the values that are made of it.
fn bases_are_converted(flavor: Flavor) {
    let columns = [
        ("INT", "BIGINT AS (a * 2)", "1000", "TINYINT"),
        ("INT", "INT AS (IFNULL(a, 7))", "NULL", "INT NOT NULL"),
        ("INT(5) ZEROFILL", "VARCHAR(9) AS (CONCAT(a))", "7", "INT"),
        ("INT", "BIGINT AS (a + 1)", "5", "BIGINT"),
        (
            "VARCHAR(20)",
            "INT AS (LENGTH(a))",
            "'é'",
            "VARCHAR(20) CHARACTER SET utf8mb4",
        ),
        (
            "DATETIME(3)",
            "VARCHAR(30) AS (CONCAT(a, ''))",
            "'2024-01-01 10:10:10.567'",
            "DATETIME",
        ),
        ("ENUM('x', 'y')", "INT AS (a + 0)", "'x'", "ENUM('y', 'x')"),
        (
            "VARCHAR(5) COLLATE latin1_general_cs",
            "INT AS (a = 'X')",
            "'x'",
            "VARCHAR(5) COLLATE latin1_general_ci",
        ),
    ];
    let mut sql = "SET sql_mode = ''; CREATE DATABASE d CHARACTER SET latin1; USE d".to_owned();
    for (number, (ty, generated, value, new)) in columns.iter().enumerate() {
        sql.push_str(&format!(
            "; CREATE TABLE t{number} (id INT PRIMARY KEY, a {ty}, s {generated} STORED, v {generated} VIRTUAL);
             INSERT INTO t{number} (id, a) VALUES (1, {value}); ALTER TABLE t{number} MODIFY a {new}"
        ));
    }
    assert_follows(flavor, &sql);
}

/// MySQL does not let columns go by another name that others are made of.
fn bases_get_other_names(flavor: Flavor) {
    if !flavor.is_mariadb() {
        return;
    }
    assert_follows(
        flavor,
        "CREATE DATABASE d; USE d;
         CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT, g INT AS (a-b) STORED, h INT AS (g*10) VIRTUAL);
         INSERT INTO t (id, a, b) VALUES (1, 10, 3); CREATE TABLE u LIKE t; INSERT INTO u (id, a, b) VALUES (1, 10, 3); CREATE TABLE w LIKE t;
         ALTER TABLE t RENAME COLUMN a TO `z``y`; UPDATE t SET `z``y` = 50;
         ALTER TABLE u CHANGE a b INT, CHANGE b a INT; UPDATE u SET a = a + 50;
         ALTER TABLE w CHANGE g f INT AS (a-b) STORED; INSERT INTO w (id, a, b) VALUES (1, 10, 3); UPDATE w SET a = a + 50;
         SET binlog_row_image = MINIMAL; UPDATE t SET b = 7; UPDATE u SET b = 1; UPDATE w SET b = 9",
    );
}

/// The same text is another expression in another session.
fn expressions_of_other_modes(flavor: Flavor) {
    let oracle = match flavor.is_mariadb() {
        true => {
            "; SET sql_mode = 'ORACLE'; CREATE TABLE o (id INT PRIMARY KEY, a VARCHAR(10), b VARCHAR(10), g VARCHAR(40) AS (CONCAT(a, b)) STORED,
               h VARCHAR(40) AS (a || b) STORED); INSERT INTO o (id, a, b) VALUES (1, 'q', 'r'); UPDATE o SET a = NULL"
        }
        false => "",
    };
    assert_follows(
        flavor,
        &format!(
            r#"CREATE DATABASE d CHARACTER SET utf8mb4; USE d; SET sql_mode = 'ANSI_QUOTES';
               CREATE TABLE a (id INT PRIMARY KEY, "a" VARCHAR(10), "b""c" INT, g VARCHAR(40) AS (CONCAT("a", 'x')) STORED, h INT AS ("b""c" + 1));
               INSERT INTO a (id, a, "b""c") VALUES (1, 'q', 3); UPDATE a SET a = 'zz', "b""c" = 8;
               SET sql_mode = 'NO_BACKSLASH_ESCAPES'; CREATE TABLE n (id INT PRIMARY KEY, a VARCHAR(10), g VARCHAR(40) AS (CONCAT(a, '
')) STORED);
               INSERT INTO n (id, a) VALUES (1, 'q'); UPDATE n SET a = 'zz';
               SET sql_mode = 'PIPES_AS_CONCAT'; CREATE TABLE p (id INT PRIMARY KEY, a VARCHAR(10), g VARCHAR(40) AS (a || 'x') STORED);
               INSERT INTO p (id, a) VALUES (1, 'q'); UPDATE p SET a = 'zz';
               SET sql_mode = 'HIGH_NOT_PRECEDENCE'; CREATE TABLE h (id INT PRIMARY KEY, a INT, g INT AS (NOT a BETWEEN -5 AND 5) STORED);
               INSERT INTO h (id, a) VALUES (1, 1); UPDATE h SET a = 7{oracle}"#
        ),
    );
}
