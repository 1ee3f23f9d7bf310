//! Names: whatever identifier a server accepts is followed, in DDL and in rows, and has one place in SQLite.

use crate::support::compare::{self, assert_equal};
use crate::support::random::budget;
use crate::support::relaylite::Replica;
use crate::support::server::{Flavor, Server, Session};

on_both!(
    any_name_that_the_server_accepts,
    names_that_differ_in_case_only,
    names_that_differ_from_the_servers_own_in_case_only,
    names_where_case_does_not_count,
    statements_in_the_charset_of_their_session,
    temporary_tables_in_front_of_real_ones,
);

/// Names that have broken readers of DDL, quoting, file names or SQLite before. A server refuses some of them for some
/// kinds of things; which ones is its affair.
fn hard_names() -> Vec<String> {
    let written = [
        "a b",
        "a'b",
        "a\"b",
        "a`b",
        "``",
        "\"",
        "'",
        "'; DROP TABLE x; --",
        "--",
        "-- a",
        "/* a */",
        "#a",
        "a\\",
        "\\",
        "\\'",
        "a-b",
        "..",
        ".",
        "a.b",
        "../a",
        "/",
        "a/b",
        "a\\b",
        "%",
        "%2E",
        "a%",
        "~",
        "~a",
        "a~2",
        "a:b",
        "?1",
        ":a",
        "@a",
        "$a",
        "1",
        "0x41",
        "1e5",
        "123abc",
        "1.5",
        "*",
        "a*",
        "(",
        ")",
        ",",
        "a,b",
        "=",
        " a",
        "  ",
        "a\tb",
        "a\nb",
        "a\rb",
        "select",
        "table",
        "index",
        "primary",
        "order",
        "group",
        "rename",
        "to",
        "key",
        "column",
        "after",
        "check",
        "constraint",
        "values",
        "abort",
        "glob",
        "vacuum",
        "rowid",
        "oid",
        "_rowid_",
        "pragma",
        "exclude",
        "raise",
        "current_date",
        "null",
        "true",
        "sqlite_master",
        "sqlite_x",
        "SQLITE_sequence",
        "_relaylite_x",
        "_relaylite_catalog",
        "_relaylite_1",
        "ix:a:b",
        "ix:t:k",
        "con",
        "nul",
        "aux",
        "lost+found",
        "#sql-1",
        "#mysql50#a-b",
        "a.db",
        "a-wal",
        "db",
        "ibdata1",
        "é",
        "e\u{301}",
        "ß",
        "SS",
        "ẞ",
        "İ",
        "ı",
        "ς",
        "σ",
        "Σ",
        "ΑΣ",
        "ſ",
        "K",
        "ﬁ",
        "Ǆ",
        "ꙁ",
        "数量",
        "таблица",
        "한글",
        "\u{200b}",
        "\u{feff}a",
        "a\u{a0}",
        "\u{3000}",
        "\u{ffff}",
        "\u{fffd}",
        "\u{202e}abc",
        "😀",
    ];
    let mut names: Vec<String> = written.iter().map(|name| (*name).to_owned()).collect();
    names.extend([
        "x".repeat(64),
        "語".repeat(64),
        "é".repeat(64),
        "`".repeat(64),
        ".".repeat(64),
    ]);
    names
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Runs statements up to the first that the server refuses.
fn run(session: &mut Session, statements: &[String]) -> bool {
    let refused = |sql: &String| {
        session
            .try_exec(sql)
            .inspect_err(|error| eprintln!("{error}: {sql}"))
            .is_err()
    };
    !statements.iter().any(refused)
}

fn any_name_that_the_server_accepts(flavor: Flavor) {
    // A character outside utf8mb3, which MariaDB refuses in a name, is a `?` to MySQL.
    // A thousand definitions: their files need not survive a power cut.
    let mut builder = Server::builder(flavor).arg("--innodb-flush-method=nosync");
    if budget("RELAYLITE_TEST_NAMES_IN_LOWER_CASE", 0) > 0 {
        builder = builder.names_in_lower_case();
    }
    let server = builder.start();
    let mut session = server.client();
    session.exec("SET NAMES utf8mb4; CREATE DATABASE d; CREATE DATABASE e; USE d");
    let mut accepted = [0; 3];
    let all = budget("RELAYLITE_TEST_ALL_NAMES", 0) > 0;
    let turn = usize::from(flavor == Flavor::MySql);
    for (number, name) in hard_names().iter().enumerate() {
        // Half of them on each server, or all on both when a longer run is asked for.
        let is_needed = ["a\\", "a.b", ".."].contains(&name.as_str());
        if number % 2 != turn && !is_needed && !all {
            continue;
        }
        let n = quoted(name);
        let as_table = [
            format!(
                "CREATE TABLE {n} (id INT PRIMARY KEY, v VARCHAR(20), w INT, KEY k (v), UNIQUE KEY u (w))"
            ),
            format!(
                "INSERT INTO {n} VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', 3); UPDATE d.{n} SET v = 'x' WHERE id = 2"
            ),
            format!(
                "ALTER TABLE {n} ADD x INT DEFAULT 7 FIRST, DROP w, ADD KEY l (x, v); DELETE FROM {n} WHERE id = 1"
            ),
            format!("RENAME TABLE {n} TO moved, d.moved TO d.{n}; INSERT INTO {n} (id) VALUES (9)"),
        ];
        let as_column = [
            format!(
                "CREATE TABLE `c {number}` ({n} INT, b VARCHAR(20), c INT, PRIMARY KEY ({n}), KEY {n} (b, {n}))"
            ),
            format!(
                "INSERT INTO `c {number}` VALUES (1, 'a', 1), (2, 'b', 2); UPDATE `c {number}` SET {n} = 5 WHERE b = 'a'"
            ),
            format!(
                "ALTER TABLE `c {number}` CHANGE {n} y BIGINT AFTER c, CHANGE b {n} VARCHAR(30), RENAME INDEX {n} TO i"
            ),
            format!("UPDATE `c {number}` SET {n} = 'z' WHERE y = 5"),
            format!(
                "ALTER TABLE `c {number}` RENAME COLUMN y TO {n}, RENAME COLUMN {n} TO y, DROP INDEX i, ADD UNIQUE KEY {n} (y, c)"
            ),
            format!("INSERT INTO `c {number}` ({n}, y) VALUES (11, 'n')"),
        ];
        let as_database = [
            format!("CREATE DATABASE {n}; USE {n}"),
            "CREATE TABLE t (a INT, b TEXT); INSERT INTO t VALUES (1, 'a'), (1, 'a'), (2, NULL)"
                .to_owned(),
            format!("USE d; DELETE FROM {n}.t WHERE a = 1 LIMIT 1"),
        ];
        // A database costs most: those that could lead a file name astray, and some of the others.
        let is_path = name.contains(['.', '/', '\\', '%', '~', ' ', '_']) || !name.is_ascii();
        let as_database = if is_path || number % 4 == 0 {
            &as_database[..]
        } else {
            &[]
        };
        for (kind, statements) in [&as_table[..], &as_column[..], as_database]
            .iter()
            .enumerate()
        {
            accepted[kind] += usize::from(run(&mut session, statements));
            session.exec("USE d");
        }
    }
    session.exec("USE `a.b`; RENAME TABLE d.`a\\` TO `a\\`.`..`; ALTER TABLE t ADD c INT DEFAULT 4; ALTER DATABASE CHARACTER SET latin1;
        CREATE TABLE `l` (v VARCHAR(9)); INSERT INTO l VALUES ('é'); ALTER TABLE d.`..` RENAME TO `/`");
    session.exec("CREATE DATABASE `go.ne`; CREATE TABLE `go.ne`.`x\\` (a INT); DROP TABLE `go.ne`.`x\\`; DROP DATABASE `go.ne`");
    eprintln!(
        "{}: tables, columns, databases accepted: {accepted:?} of {}",
        flavor.name(),
        hard_names().len()
    );
    assert!(accepted.iter().all(|count| *count > 20), "{accepted:?}");
    let replica = Replica::of(&server);
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
}

fn names_that_differ_in_case_only(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(
        "CREATE DATABASE d; CREATE DATABASE D; CREATE DATABASE `Ä`; CREATE DATABASE `ä`; USE d;
         CREATE TABLE d.t (id INT PRIMARY KEY, a INT, KEY k (a)); CREATE TABLE d.T (id INT PRIMARY KEY, b TEXT, KEY k (b(5)));
         INSERT INTO t VALUES (1, 1), (2, 2); INSERT INTO T VALUES (1, 'x'); INSERT INTO t VALUES (3, 3);
         ALTER TABLE T ADD c INT DEFAULT 5; ALTER TABLE t ADD d INT DEFAULT 6, RENAME INDEX k TO K;
         CREATE TABLE `t~2` (v INT); INSERT INTO `t~2` VALUES (7); CREATE TABLE D.t (x INT); INSERT INTO D.t VALUES (8);
         CREATE TABLE `É` (v INT); CREATE TABLE `é` (v INT); INSERT INTO `É` VALUES (1); INSERT INTO `é` VALUES (2);
         CREATE TABLE once (id INT PRIMARY KEY, v INT, KEY k (v)); INSERT INTO once VALUES (1, 1);
         RENAME TABLE once TO ONCE; INSERT INTO ONCE VALUES (2, 2); ALTER TABLE ONCE RENAME TO Once, ADD w INT;
         INSERT INTO Once VALUES (3, 3, 3);
         CREATE TABLE swap (a INT PRIMARY KEY); CREATE TABLE SWAP (b INT PRIMARY KEY); INSERT INTO swap VALUES (1);
         RENAME TABLE swap TO tmp, SWAP TO swap, tmp TO SWAP; INSERT INTO swap VALUES (2); INSERT INTO SWAP VALUES (3);
         RENAME TABLE T TO D.T, d.`t~2` TO T; INSERT INTO D.T VALUES (4, 'y', 4); INSERT INTO T VALUES (9);
         CREATE TABLE c (Name INT, `É` INT, PRIMARY KEY (name)); INSERT INTO c (NAME, `é`) VALUES (1, 2);
         ALTER TABLE c CHANGE NAME NAME BIGINT, ADD INDEX (`é`); ALTER TABLE c RENAME COLUMN `é` TO `É2`, ADD X INT;
         ALTER TABLE c RENAME COLUMN x TO X; UPDATE c SET x = 3; ALTER TABLE c MODIFY x BIGINT NOT NULL DEFAULT 1; UPDATE c SET X = 4;
         ALTER TABLE c CHANGE X x BIGINT, CHANGE name Name INT; INSERT INTO c VALUES (5, 6, 7);
         CREATE TABLE `a` (c INT, d INT, KEY `b:c` (c)); CREATE TABLE `a:b` (c INT, d INT, KEY `c` (c));
         INSERT INTO a VALUES (1, 1); INSERT INTO `a:b` VALUES (2, 2)",
    );
    let replica = Replica::of(&server);
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
}

/// `SYS` is not `sys` where names tell cases apart. No server gives tables of a `PERFORMANCE_SCHEMA` away, in any case.
fn names_that_differ_from_the_servers_own_in_case_only(flavor: Flavor) {
    let server = Server::start(flavor);
    let names = ["SYS", "Sys", "Mysql", "MYSQL"];
    for name in &names {
        server.exec(&format!(
            "CREATE DATABASE IF NOT EXISTS x; CREATE DATABASE `{name}`; USE `{name}`;
             CREATE TABLE user (id INT PRIMARY KEY); INSERT INTO user VALUES (1); CREATE TABLE x.`{name}` LIKE user"
        ));
    }
    let replica = Replica::of(&server);
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
    assert_eq!(
        compare::databases(&mut server.client()).len(),
        names.len() + 1
    );
    // The server's own is nobody's business all the same.
    server.exec("CREATE TABLE mysql.own (a INT); INSERT INTO mysql.own VALUES (1); INSERT INTO SYS.user VALUES (2)");
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
    assert!(!compare::database_path(&replica.target_dir(), "mysql").exists());
}

fn statements_in_the_charset_of_their_session(flavor: Flavor) {
    let server = Server::start(flavor);
    let mut session = server.client();
    session.exec("CREATE DATABASE d; USE d");
    // In GBK 誠 is D5 5C and in Shift JIS 表 is 95 5C: a backslash in their second bytes.
    let cases: [(&str, &[u8]); 8] = [
        ("latin1", b"\xe9t\xe9"),
        ("gbk", b"\xd5\x5c"),
        ("gb18030", b"\xd5\x5c"),
        ("sjis", b"\x95\x5c"),
        ("cp932", b"\x95\x5c"),
        ("big5", b"\xa5\x5c"),
        ("koi8r", b"\xd4\xc1"),
        ("utf8mb3", "é".as_bytes()),
    ];
    let mut accepted = 0;
    for (charset, name) in cases {
        if session.try_exec(&format!("SET NAMES {charset}")).is_err() {
            continue;
        }
        accepted += 1;
        let mut statement = |parts: &[&[u8]]| session.exec_bytes(parts.concat());
        let table = [b"`", name, charset.as_bytes(), b"`"].concat();
        let default = [b"'", name, b"'"].concat();
        statement(&[
            b"CREATE TABLE ",
            &table,
            b" (`",
            name,
            b"` INT PRIMARY KEY, e ENUM(",
            &default,
            b", 'b') DEFAULT ",
            &default,
            b",
            v VARCHAR(9) CHARACTER SET utf8mb4 DEFAULT ",
            &default,
            b" COMMENT ",
            &default,
            b")",
        ]);
        statement(&[b"INSERT INTO ", &table, b" (`", name, b"`) VALUES (1)"]);
        statement(&[
            b"ALTER TABLE ",
            &table,
            b" ADD w VARCHAR(9) CHARACTER SET utf8mb4 NOT NULL DEFAULT ",
            &default,
        ]);
        statement(&[b"UPDATE ", &table, b" SET v = 'x' WHERE `", name, b"` = 1"]);
        statement(&[
            b"CREATE VIEW `v",
            charset.as_bytes(),
            b"` AS SELECT ",
            &default,
        ]);
    }
    session.exec("SET NAMES utf8mb4");
    // Bytes that are no text of the session's charset, where the server takes them: not in a name.
    session.exec_bytes(b"CREATE PROCEDURE p() SELECT _binary'\xff\xfe'".to_vec());
    assert!(accepted >= 7, "{accepted}");
    let replica = Replica::of(&server);
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
}

/// A session's temporary table hides the real one of the same name: what the session does to it is not done to that.
fn temporary_tables_in_front_of_real_ones(flavor: Flavor) {
    let server = Server::start(flavor);
    let mut session = server.client();
    session.exec(
        "CREATE DATABASE d; USE d; CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (1, 1), (2, 2);
         CREATE TABLE u (id INT PRIMARY KEY); INSERT INTO u VALUES (7)",
    );
    let hidden = [
        "CREATE TEMPORARY TABLE t (x INT, y TEXT)",
        "INSERT INTO t VALUES (5, 'temporary')",
        "ALTER TABLE t ADD z INT, ADD KEY (x)",
        "CREATE INDEX i ON t (z)",
        "DROP INDEX i ON t",
        "UPDATE t SET z = 4",
        "TRUNCATE TABLE t",
        "INSERT INTO t VALUES (6, 'temporary', 7)",
        "CREATE TABLE like_temporary LIKE t",
        "CREATE TABLE of_temporary AS SELECT * FROM t",
        "INSERT INTO of_temporary SELECT * FROM t",
        "ALTER TABLE t RENAME TO t_elsewhere",
        "INSERT INTO t VALUES (3, 3)",
        "ALTER TABLE t_elsewhere RENAME TO t",
        "RENAME TABLE t TO t_again",
        "RENAME TABLE t_again TO t",
        "DROP TABLE IF EXISTS t, u",
        "INSERT INTO t VALUES (4, 4)",
        "CREATE TEMPORARY TABLE IF NOT EXISTS t (q INT)",
        "CREATE OR REPLACE TEMPORARY TABLE t (q INT)",
        "BEGIN; CREATE TEMPORARY TABLE inside (a INT); INSERT INTO inside VALUES (1); DROP TEMPORARY TABLE inside; COMMIT",
        "DROP TEMPORARY TABLE t",
        "INSERT INTO t VALUES (5, 5)",
        "CREATE TEMPORARY TABLE t (q INT)",
    ];
    for sql in hidden {
        if let Err(error) = session.try_exec(sql) {
            eprintln!("{error}: {sql}");
        }
    }
    // The server drops what is left.
    drop(session);
    server.exec("UPDATE d.t SET v = v + 1");
    let replica = Replica::of(&server);
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
}

/// The source ignores the case of table names: files, tables and rows follow, however statements write them.
fn names_where_case_does_not_count(flavor: Flavor) {
    let server = Server::builder(flavor).names_in_lower_case().start();
    server.exec(
        "CREATE DATABASE Shop; CREATE TABLE SHOP.Item (Id INT PRIMARY KEY, V INT); INSERT INTO shop.item VALUES (1, 1);
         USE sHOP; ALTER TABLE ITEM ADD w INT DEFAULT 4; INSERT INTO Shop.Item (id) VALUES (2); RENAME TABLE Item TO THING;
         CREATE TABLE Copy LIKE Shop.THING; INSERT INTO copy SELECT * FROM thing; CREATE DATABASE Other;
         ALTER TABLE SHOP.COPY RENAME OTHER.Copy; UPDATE other.copy SET w = 9; CREATE INDEX I ON OTHER.COPY (W);
         CREATE TABLE Gone (a INT); INSERT INTO gone VALUES (1); DROP TABLE GONE; TRUNCATE Thing;
         INSERT INTO THING VALUES (8, 8, 8); CREATE DATABASE Away; CREATE TABLE AWAY.t (a INT); DROP DATABASE aWAY;
         CREATE TABLE MYSQL.Own (A INT); INSERT INTO Mysql.OWN VALUES (1); USE Mysql; DROP TABLE OWN; USE Shop;
         CREATE TABLE Parent (W VARCHAR(9) PRIMARY KEY); CREATE TABLE Child (W VARCHAR(9), CONSTRAINT K FOREIGN KEY (w)
           REFERENCES SHOP.PARENT (W) ON DELETE CASCADE ON UPDATE CASCADE);
         INSERT INTO parent VALUES ('a'), ('b'), ('c'); INSERT INTO child VALUES ('A'), ('b'), ('c'); DELETE FROM Parent WHERE W = 'a';
         UPDATE PARENT SET w = 'x' WHERE w = 'b'; RENAME TABLE Parent TO Papa; DELETE FROM papa WHERE w = 'x';
         ALTER TABLE CHILD DROP FOREIGN KEY k; DELETE FROM PAPA",
    );
    let replica = Replica::of(&server);
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
}
