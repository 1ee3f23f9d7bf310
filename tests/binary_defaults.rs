//! Defaults that are bytes reach rows whose image leaves the column out, and rows that were there before the column: as the
//! source's definition prints them, and as statements hold them.

use crate::support::compare::assert_equal;
use crate::support::relaylite::Replica;
use crate::support::server::{Flavor, Server};

on_both!(
    of_a_table_that_is_met_for_the_first_time,
    in_statements,
    in_statements_to_a_mysql_target,
);

const COLUMNS: &str = "a BINARY(4) DEFAULT x'ff00', b VARBINARY(10) DEFAULT x'c328', c VARBINARY(10) DEFAULT 'abc',
    d VARBINARY(9) DEFAULT x'27225cff00', e VARBINARY(6) DEFAULT x'', f BINARY(3) DEFAULT x'0a0d1a', g VARBINARY(9) DEFAULT x'f09f98',
    h CHAR(5) CHARACTER SET latin1 DEFAULT 'é', i VARBINARY(8) DEFAULT 'é', j CHAR(4) CHARACTER SET binary DEFAULT x'fe41',
    k BIT(16) DEFAULT 'A', l BIT(16) DEFAULT '12', m BIT(16) DEFAULT 12, n YEAR DEFAULT '0', o YEAR DEFAULT 0, p YEAR DEFAULT '00',
    q BIT(8) NOT NULL DEFAULT '', r INT DEFAULT '7', s BIT(64) DEFAULT x'ffeeddccbbaa9988', t DOUBLE DEFAULT 1.5,
    u VARBINARY(9) DEFAULT _latin1 x'e9', v VARBINARY(9) DEFAULT _binary x'e9'";

fn of_a_table_that_is_met_for_the_first_time(flavor: Flavor) {
    let server = Server::start(flavor);
    let mut session = server.client();
    let blob = if flavor.is_mariadb() {
        "bl BLOB DEFAULT x'80ff27', bt BLOB DEFAULT 'é'"
    } else {
        "bl BLOB DEFAULT (x'80ff27'), bt BLOB DEFAULT ('é')"
    };
    session.exec(&format!(
        "SET NAMES utf8mb4, binlog_row_image = MINIMAL; CREATE DATABASE d CHARACTER SET utf8mb4; USE d;
         CREATE TABLE known (id INT PRIMARY KEY, {COLUMNS}, {blob}); CREATE TABLE other LIKE known"
    ));
    let (file, pos) = server.position();
    let replica = Replica::of(&server).start(format!("{file}:{pos}"));
    replica.run_until_caught_up();
    session.exec("INSERT INTO known (id) VALUES (1), (2); INSERT INTO other (id, t) VALUES (1, 2)");
    replica.run_until_caught_up();
    session.exec("ALTER TABLE other ADD z VARBINARY(9) DEFAULT x'fe27', ADD y BIT(9) DEFAULT 'B'");
    session.exec("INSERT INTO other (id) VALUES (2)");
    replica.run_until_caught_up();
    let log = replica.log();
    // MySQL logs the value of a default in parentheses, or it is asked for.
    assert!(!log.contains("set aside"), "{log}");
    assert_equal(&server, &replica.target_dir());
}

/// The bytes of a statement, which are no text of the session's charset, or text that is another one.
fn statements(flavor: Flavor) -> Vec<(&'static str, Vec<u8>)> {
    let mut all = Vec::new();
    for (n, charset) in ["utf8mb4", "latin1", "binary", "cp1251", "utf8mb3"]
        .into_iter()
        .enumerate()
    {
        let sql = |parts: &[&[u8]]| parts.concat();
        let table = format!("t{n}").into_bytes();
        all.push((
            charset,
            sql(&[
                b"CREATE TABLE ",
                &table,
                b" (id INT PRIMARY KEY, a VARBINARY(9) DEFAULT _binary'\xff\\0\\'''', b BINARY(4) DEFAULT _binary \"\xc3\xa9\")",
            ]),
        ));
        all.push((
            charset,
            sql(&[b"INSERT INTO ", &table, b" (id) VALUES (1)"]),
        ));
        all.push((
            charset,
            sql(&[
                b"ALTER TABLE ",
                &table,
                b" ADD c VARBINARY(9) DEFAULT _binary'\xfe\xff', \
                  ALTER a SET DEFAULT _binary'\xee', ADD e BIT(8) DEFAULT '7'",
            ]),
        ));
        all.push((
            charset,
            sql(&[b"INSERT INTO ", &table, b" (id) VALUES (2)"]),
        ));
    }
    // Not said to be binary: the bytes that the connection's charset has for it.
    all.push((
        "latin1",
        b"ALTER TABLE t1 ADD d VARCHAR(9) CHARACTER SET latin1 DEFAULT _binary'\xe9', ADD f VARBINARY(9) DEFAULT '\xe9\xe8'".to_vec(),
    ));
    all.push((
        "utf8mb4",
        "ALTER TABLE t0 ADD f VARBINARY(9) DEFAULT 'éè'"
            .as_bytes()
            .to_vec(),
    ));
    if flavor.is_mariadb() {
        // Its records of this one say `xE9xE8`.
        all.push((
            "utf8mb4",
            b"ALTER TABLE t1 ADD g BLOB DEFAULT _binary'\xe9\xe8'".to_vec(),
        ));
    }
    all.push(("utf8mb4", b"INSERT INTO t0 (id) VALUES (3)".to_vec()));
    all
}

fn run(server: &Server, flavor: Flavor) {
    let mut session = server.client();
    session.exec("SET binlog_row_image = MINIMAL; CREATE DATABASE d; USE d");
    for (charset, statement) in statements(flavor) {
        session.exec(&format!("SET NAMES {charset}"));
        session.exec_bytes(statement);
    }
}

fn in_statements(flavor: Flavor) {
    let server = Server::start(flavor);
    run(&server, flavor);
    let replica = Replica::of(&server);
    let running = replica.follow();
    replica.wait_until_caught_up(&server);
    replica.wait_until_sound();
    drop(running);
    assert_equal(&server, &replica.target_dir());
    // What the bytes of a string are in another charset the source says.
    let log = replica.log();
    let aside = log.lines().filter(|line| line.contains("table set aside"));
    assert!(aside.clone().all(|line| line.contains("t1")), "{log}");
}

fn in_statements_to_a_mysql_target(flavor: Flavor) {
    let (server, target) = (Server::start(flavor), Server::start(flavor));
    run(&server, flavor);
    server.exec(&format!(
        "CREATE TABLE d.first (id INT PRIMARY KEY, {COLUMNS})"
    ));
    let replica = Replica::of(&server).onto(&target);
    replica.run_until_caught_up();
    server.exec("INSERT INTO d.first (id) VALUES (1)");
    replica.run_until_caught_up();
    for table in ["t0", "t1", "t2", "t3", "t4", "first"] {
        let rows = format!("SELECT * FROM d.{table} ORDER BY id");
        assert_eq!(
            server.client().query(&rows),
            target.client().query(&rows),
            "{table}"
        );
    }
}
