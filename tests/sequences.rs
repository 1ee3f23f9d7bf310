//! MariaDB's sequences: no tables here, whatever is done to them in the words of tables.

use crate::support::compare::{assert_equal, database_path, open};
use crate::support::relaylite::Replica;
use crate::support::server::{Flavor, Server};

on_servers!({mariadb = MariaDb, mariadb11 = MariaDb11};
    sequences_are_no_tables,
    one_from_before_the_start,
    sequences_under_rules,
    a_table_that_only_looks_like_one,
);

/// The columns of a sequence, as a table may have them, too.
const LOOKS_LIKE_ONE: &str = "(next_not_cached_value BIGINT NOT NULL, minimum_value BIGINT NOT NULL, maximum_value BIGINT NOT NULL, \
     start_value BIGINT NOT NULL, increment BIGINT NOT NULL, cache_size BIGINT UNSIGNED NOT NULL, \
     cycle_option TINYINT UNSIGNED NOT NULL, cycle_count BIGINT NOT NULL)";

/// What is left of it all on the source is compared; what it is not any more has no part in it.
const WORK: &str = "
    CREATE DATABASE d; CREATE DATABASE e; USE d;
    CREATE SEQUENCE s; DO NEXTVAL(s); DO SETVAL(s, 5000); DO NEXTVAL(s); ALTER SEQUENCE s RESTART 3;
    CREATE TABLE t (a INT DEFAULT NEXTVAL(s), b INT); INSERT INTO t (b) VALUES (1), (2); ALTER TABLE t ADD c INT DEFAULT NEXTVAL(d.s);
    INSERT INTO t (b) VALUES (3); UPDATE t SET c = b; ALTER TABLE s COMMENT = 'x';
    INSERT INTO s VALUES (7, 1, 9223372036854775806, 1, 1, 1000, 0, 0); DO NEXTVAL(s);
    RENAME TABLE s TO s1; DO NEXTVAL(s1); ALTER TABLE s1 RENAME TO e.s; DO NEXTVAL(e.s); RENAME TABLE e.s TO s, t TO u, u TO t;
    CREATE TABLE like_s LIKE s; DO NEXTVAL(like_s); CREATE TABLE like_gone LIKE s; DO NEXTVAL(like_gone); DROP SEQUENCE like_gone;
    CREATE SEQUENCE dropped; DO NEXTVAL(dropped); DROP SEQUENCE dropped;
    CREATE SEQUENCE dropped_as_table; DO NEXTVAL(dropped_as_table); DROP TABLE dropped_as_table;
    CREATE TABLE table_first (a INT); INSERT INTO table_first VALUES (1); CREATE OR REPLACE SEQUENCE table_first; DO NEXTVAL(table_first);
    CREATE SEQUENCE sequence_first; DO NEXTVAL(sequence_first); CREATE OR REPLACE TABLE sequence_first (a INT);
    INSERT INTO sequence_first VALUES (1), (2);
    CREATE SEQUENCE again; DO NEXTVAL(again); DROP SEQUENCE again; CREATE TABLE again (a INT PRIMARY KEY); INSERT INTO again VALUES (1);
    CREATE TEMPORARY SEQUENCE again; DO NEXTVAL(again); DROP TEMPORARY SEQUENCE again; CREATE TEMPORARY SEQUENCE IF NOT EXISTS t;
    CREATE OR REPLACE TEMPORARY SEQUENCE t; DROP TEMPORARY SEQUENCE t; INSERT INTO again VALUES (2);
    CREATE SEQUENCE IF NOT EXISTS t; INSERT INTO t (b) VALUES (4);
    CREATE SEQUENCE small INCREMENT BY -3 MINVALUE -9 MAXVALUE 0 CYCLE NOCACHE ENGINE=MyISAM; DO NEXTVAL(small), NEXTVAL(small);
    BEGIN; INSERT INTO t (b) VALUES (5); DO NEXTVAL(s); DO NEXTVAL(small); INSERT INTO again VALUES (3); COMMIT;
    BEGIN; INSERT INTO t (b) VALUES (6); DO NEXTVAL(small); ROLLBACK";

fn sequences_are_no_tables(flavor: Flavor) {
    let server = Server::start(flavor);
    let mut session = server.client();
    for sql in WORK.split(';') {
        if let Err(error) = session.try_exec(sql) {
            eprintln!("{error}: {sql}");
        }
    }
    let definition = LOOKS_LIKE_ONE;
    session.exec(&format!(
        "CREATE TABLE made_so {definition} SEQUENCE = 1; DO NEXTVAL(made_so);
         CREATE TABLE becomes_one {definition}; INSERT INTO becomes_one VALUES (1, 1, 9223372036854775806, 1, 1, 1000, 0, 0)"
    ));
    session.exec("ALTER TABLE becomes_one SEQUENCE = 1; DO NEXTVAL(becomes_one)");
    session.exec("CREATE SEQUENCE is_table_now; DO NEXTVAL(is_table_now); ALTER TABLE is_table_now SEQUENCE = 0");
    if flavor == Flavor::MariaDb11 {
        session.exec("CREATE SEQUENCE counts_small AS SMALLINT UNSIGNED; DO NEXTVAL(counts_small), SETVAL(counts_small, 5000)");
    }
    let replica = Replica::of(&server);
    let running = replica.follow();
    replica.wait_until_caught_up(&server);
    replica.wait_until_sound();
    assert_equal(&server, &replica.target_dir());
    let status = replica.status();
    assert!(
        status.number("Sequence_Row_Events") > 10,
        "{:#}",
        status.json
    );
    assert_eq!(status.text("Replica_SQL_Running"), "Yes");
    let log = replica.log();
    let aside: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("set aside"))
        .collect();
    // What only the source knows.
    let reasons = ["was a sequence", "the default of c is NEXTVAL"];
    let is_stated = |line: &&str| reasons.iter().any(|reason| line.contains(reason));
    assert!(aside.iter().all(is_stated), "{aside:#?}");
    drop(running);
}

/// The target never saw them made; the source has dropped or renamed some by the time we read.
fn one_from_before_the_start(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(
        "CREATE DATABASE d; USE d; CREATE TABLE t (a INT); CREATE SEQUENCE stays; CREATE SEQUENCE goes; CREATE SEQUENCE moves;
         CREATE SEQUENCE becomes_table; DO NEXTVAL(goes)",
    );
    let (file, pos) = server.position();
    let replica = Replica::of(&server).start(format!("{file}:{pos}"));
    server.exec(
        "USE d; DO NEXTVAL(stays), SETVAL(goes, 5000), SETVAL(moves, 5000), NEXTVAL(becomes_table); INSERT INTO t VALUES (1);
         DROP SEQUENCE goes; RENAME TABLE moves TO moved; DO SETVAL(moved, 9000); DROP SEQUENCE becomes_table;
         CREATE TABLE becomes_table (a INT); INSERT INTO becomes_table VALUES (5)",
    );
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
    server.exec("DO SETVAL(d.stays, 20000), SETVAL(d.moved, 20000); INSERT INTO d.t VALUES (2)");
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
    assert!(!replica.log().contains("set aside"), "{}", replica.log());
}

fn sequences_under_rules(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(
        "CREATE DATABASE shop; CREATE DATABASE other; CREATE SEQUENCE shop.s; CREATE SEQUENCE other.s; CREATE SEQUENCE other.comes;
         DO NEXTVAL(shop.s), NEXTVAL(other.s), NEXTVAL(other.comes); CREATE TABLE shop.t (a INT DEFAULT NEXTVAL(other.s), b INT);
         INSERT INTO shop.t (b) VALUES (1); RENAME TABLE other.comes TO shop.comes; DO SETVAL(shop.comes, 5000);
         CREATE TABLE shop.like_other LIKE other.s; DO NEXTVAL(shop.like_other); RENAME TABLE shop.s TO other.went;
         CREATE OR REPLACE SEQUENCE other.s; CREATE TABLE shop.gone (a INT); CREATE OR REPLACE SEQUENCE shop.gone; DROP DATABASE other",
    );
    let replica = Replica::of(&server).arg("--replicate-do-db=shop");
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
    assert!(!replica.log().contains("set aside"), "{}", replica.log());
}

/// Its columns are those of a sequence, but it is none: nothing of it is passed over.
fn a_table_that_only_looks_like_one(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec("CREATE DATABASE d");
    let table = |name: &str| {
        format!(
            "CREATE TABLE d.{name} {LOOKS_LIKE_ONE}; INSERT INTO d.{name} VALUES (1, 2, 3, 4, 5, 6, 7, 8), (9, 8, 7, 6, 5, 4, 3, 2);
             UPDATE d.{name} SET increment = 1 WHERE cycle_count = 2"
        )
    };
    server.exec(&format!("CREATE TABLE d.before_it {LOOKS_LIKE_ONE}"));
    let (file, pos) = server.position();
    let replica = Replica::of(&server).start(format!("{file}:{pos}"));
    server.exec(&table("known"));
    server.exec("INSERT INTO d.before_it VALUES (1, 2, 3, 4, 5, 6, 7, 8); DELETE FROM d.before_it; INSERT INTO d.before_it VALUES (1, 2, 3, 4, 5, 6, 7, 9)");
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
    let sqlite = open(&database_path(&replica.target_dir(), "d"));
    let rows: i64 = sqlite
        .query_row(
            "SELECT (SELECT count(*) FROM known) + (SELECT count(*) FROM before_it)",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(rows, 3);
}

/// A server as the target knows nothing of sequences either: it gets the tables, and loses one that a sequence replaces.
#[test]
fn a_server_as_target_gets_tables_only() {
    let (server, target) = (Server::start(Flavor::MariaDb), Server::start(Flavor::MySql));
    server.exec(
        "CREATE DATABASE d; USE d; CREATE SEQUENCE s; DO NEXTVAL(s); CREATE TABLE t (a INT, b INT); CREATE TABLE gone (a INT);
         INSERT INTO gone VALUES (1); INSERT INTO t VALUES (NEXTVAL(s), 1), (NEXTVAL(s), 2); ALTER SEQUENCE s RESTART 5000;
         INSERT INTO t VALUES (NEXTVAL(s), 3); CREATE OR REPLACE SEQUENCE gone; DO NEXTVAL(gone); DROP SEQUENCE s;
         UPDATE t SET b = 4 WHERE b = 1",
    );
    let replica = Replica::of(&server).onto(&target);
    replica.run_until_caught_up();
    let rows = "SELECT a, b FROM d.t ORDER BY a, b";
    assert_eq!(target.query_strings(rows), server.query_strings(rows));
    let tables = target.query_strings(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'd' AND table_name NOT LIKE '!_relaylite!_%' ESCAPE '!'",
    );
    assert_eq!(tables, [[Some("t".to_owned())]], "{}", replica.log());
}
