//! Children that spell their keys otherwise than their parents: `é` refers to `e` where the collation holds the two for equal,
//! and goes with it.

use relaylite::config::limits::SQLITE_SPELLINGS_MAX;

use super::{Source, session};
use crate::support::compare::{self, assert_equal};
use crate::support::random::{self, Random, budget};
use crate::support::relaylite::Replica;
use crate::support::server::{Server, Session};

/// Collations of a source with a few spellings that are one to them, or not.
fn collations(source: Source) -> Vec<&'static str> {
    let mut all = vec![
        "utf8mb4_general_ci",
        "utf8mb4_unicode_ci",
        "utf8mb4_unicode_520_ci",
        "latin1_german2_ci",
        "latin1_swedish_ci",
        "utf8mb4_turkish_ci",
        "utf8mb3_lithuanian_ci",
        "utf8mb4_czech_ci",
        "utf8mb4_bin",
    ];
    match source {
        Source::MariaDb => all.extend(["utf8mb4_general_nopad_ci", "utf8mb4_unicode_nopad_ci"]),
        _ => all.extend([
            "utf8mb4_0900_ai_ci",
            "utf8mb4_0900_as_ci",
            "utf8mb4_0900_bin",
            "utf8mb4_es_trad_0900_ai_ci",
        ]),
    }
    all
}

const SPELLINGS: [&str; 24] = [
    "e", "E", "é", "É", "è", "e ", "é  ", "ss", "ß", "SS", "sz", "ae", "ä", "Æ", "i", "I", "y",
    "ch", "CH", "cH", "a", "a b", "o", "ö",
];

/// A table of parents and four of children by each collation.
fn create(collation: &str, n: usize) -> String {
    let charset = collation.split('_').next().unwrap();
    let of = |table: &str, columns: &str| {
        format!("CREATE TABLE {table}{n} ({columns}) CHARACTER SET {charset} COLLATE {collation};")
    };
    let key = |columns: &str, parent: &str, actions: &str| {
        format!("FOREIGN KEY ({columns}) REFERENCES {parent} {actions}")
    };
    let parent = format!("p{n} (w)");
    // What a CHAR is to a VARCHAR is not known where spaces count.
    let pads = !collation.contains("nopad") && !collation.contains("0900");
    let fixed = if pads { "CHAR" } else { "VARCHAR" };
    [
        of("p", "w VARCHAR(20) PRIMARY KEY, v INT"),
        of(
            "gone",
            &format!(
                "id INT PRIMARY KEY, w VARCHAR(20), {}",
                key("w", &parent, "ON DELETE CASCADE ON UPDATE CASCADE")
            ),
        ),
        of(
            "empty",
            &format!(
                "w {fixed}(10), id INT, {}",
                key("w", &parent, "ON DELETE SET NULL ON UPDATE CASCADE")
            ),
        ),
        of(
            "two",
            &format!("k INT, w VARCHAR(20), x {fixed}(9), v INT, PRIMARY KEY (k, w, x)"),
        ),
        of(
            "pair",
            &format!(
                "id INT PRIMARY KEY, k INT, w VARCHAR(20), x {fixed}(9), v INT, {}",
                key(
                    "k, w, x",
                    &format!("two{n} (k, w, x)"),
                    "ON DELETE CASCADE ON UPDATE CASCADE"
                )
            ),
        ),
        // One that takes its own key from its parent, and has a child.
        of(
            "mid",
            &format!(
                "w VARCHAR(20) PRIMARY KEY, {}",
                key("w", &parent, "ON DELETE CASCADE ON UPDATE CASCADE")
            ),
        ),
        of(
            "low",
            &format!(
                "w VARCHAR(20), {}",
                key(
                    "w",
                    &format!("mid{n} (w)"),
                    "ON DELETE SET NULL ON UPDATE CASCADE"
                )
            ),
        ),
    ]
    .concat()
}

fn statement(random: &mut Random, n: usize) -> String {
    let w = |random: &mut Random| format!("'{}'", random.pick(&SPELLINGS));
    let small = |random: &mut Random| random.range(1..4);
    match random.range(0..100) {
        0..15 => format!(
            "INSERT IGNORE INTO p{n} (w) VALUES ({}), ({})",
            w(random),
            w(random)
        ),
        15..35 => format!(
            "INSERT IGNORE INTO gone{n} (id, w) VALUES ({}, {}), ({}, {})",
            random.range(0..200),
            w(random),
            random.range(0..200),
            w(random)
        ),
        35..45 => format!("INSERT IGNORE INTO empty{n} VALUES ({}, 1)", w(random)),
        45..52 => format!("INSERT IGNORE INTO mid{n} VALUES ({})", w(random)),
        52..58 => format!("INSERT IGNORE INTO low{n} VALUES ({})", w(random)),
        58..66 => format!(
            "INSERT IGNORE INTO two{n} VALUES ({}, {}, {}, 1)",
            small(random),
            w(random),
            w(random)
        ),
        66..74 => format!(
            "INSERT IGNORE INTO pair{n} SELECT {}, k, {}, {}, 1 FROM two{n} WHERE w = {} LIMIT 1",
            random.range(0..200),
            w(random),
            w(random),
            w(random)
        ),
        74..78 => format!(
            "UPDATE IGNORE gone{n} SET w = {} WHERE id < {}",
            w(random),
            random.range(0..200)
        ),
        78..81 => format!(
            "UPDATE IGNORE pair{n} SET w = {}, v = 3 WHERE id < {}",
            w(random),
            random.range(0..200)
        ),
        81..86 => format!(
            "UPDATE IGNORE p{n} SET w = {} WHERE w = {}",
            w(random),
            w(random)
        ),
        86..89 => format!(
            "UPDATE IGNORE two{n} SET w = {} WHERE w = {}",
            w(random),
            w(random)
        ),
        89..91 => format!("UPDATE IGNORE two{n} SET k = k + 1 WHERE x = {}", w(random)),
        91..96 => format!("DELETE FROM p{n} WHERE w = {}", w(random)),
        96..98 => format!("DELETE FROM two{n} WHERE w = {} LIMIT 1", w(random)),
        98 => format!("REPLACE INTO p{n} (w) VALUES ({})", w(random)),
        _ => format!("DELETE FROM gone{n} WHERE id < {}", random.range(0..50)),
    }
}

/// Random children and parents by many collations, while relaylite is killed now and then.
pub(super) fn spellings_of_all_sorts(source: Source) {
    let seed = random::seed();
    let server = source.start();
    let replica = Replica::of(&server);
    let mut random = Random::new(seed, 9);
    for image in ["FULL", "MINIMAL"] {
        let mut session = session(&server, image);
        let collations = collations(source);
        for (n, collation) in collations.iter().enumerate() {
            session.exec(&create(collation, n));
        }
        let mut running = replica.follow();
        for turn in 0..budget("RELAYLITE_TEST_TRANSACTIONS", 150) {
            let n = random.size(0..collations.len());
            session.exec("START TRANSACTION");
            for _ in 0..random.range(1..25) {
                run(&mut session, &statement(&mut random, n));
            }
            session.exec(if random.percent(90) {
                "COMMIT"
            } else {
                "ROLLBACK"
            });
            match random.range(0..30) {
                0 => session.exec(&format!("SET foreign_key_checks = 0; DELETE FROM p{n} LIMIT 2; SET foreign_key_checks = 1")),
                1 => session.exec(&format!("ALTER TABLE gone{n} ADD c{turn} INT; ALTER TABLE p{n} ADD c{turn} INT FIRST, DROP v, ADD v INT")),
                2 => session.exec(&format!("RENAME TABLE p{n} TO away, away TO p{n}")),
                _ => {}
            }
            if turn % 40 == 39 {
                running.kill9();
                running = replica.follow();
            }
        }
        running.kill9();
    }
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
    let log = replica.log();
    assert!(!log.contains("set aside"), "{log}");
}

#[track_caller]
fn run(session: &mut Session, statement: &str) {
    match session.try_exec(statement) {
        Ok(()) => {}
        Err(mysql_async::Error::Server(error))
            if [1062, 1451, 1452, 1761].contains(&error.code) => {}
        Err(error) => panic!("{error}\nin: {statement}"),
    }
}

/// Where keys lead in a circle, the order in which InnoDB goes would have to be known: the tables are read afresh. So are those of
/// texts that the source does not compare.
pub(super) fn what_nobody_can_tell_is_read_afresh(source: Source) {
    let server = source.start();
    let mut session = session(&server, "FULL");
    session.exec(
        "CREATE TABLE tree (w VARCHAR(9) PRIMARY KEY, up VARCHAR(9), FOREIGN KEY (up) REFERENCES tree (w) ON DELETE CASCADE);
         INSERT INTO tree VALUES ('e', NULL), ('f', 'É'), ('g', 'e'), ('h', 'f'), ('x', 'x')",
    );
    let is_silent = source != Source::MySql;
    if is_silent {
        // More than the other one's limit of tables.
        session.exec(
            "CREATE TABLE leaf (w VARCHAR(9), FOREIGN KEY (w) REFERENCES tree (w) ON DELETE SET NULL);
             INSERT INTO leaf VALUES ('F'), ('é'), ('x')",
        );
    }
    let replica = Replica::of(&server);
    let running = replica.follow();
    replica.wait_until_caught_up(&server);
    session.exec("DELETE FROM tree WHERE w = 'e'");
    replica.wait_until_caught_up(&server);
    replica.wait_until_sound();
    assert_equal(&server, &replica.target_dir());
    assert_eq!(replica.log().contains("keys lead in a circle"), is_silent);
    session.exec("DELETE FROM tree WHERE w = 'x'");
    replica.wait_until_caught_up(&server);
    assert_equal(&server, &replica.target_dir());
    drop(running);
}

/// Tables without such keys have nothing kept for them; a child that is filled row by row is never scanned.
pub(super) fn only_odd_spellings_are_kept(source: Source) {
    let server: Server = source.start();
    let mut session = session(&server, "FULL");
    session.exec(
        "CREATE TABLE p (w VARCHAR(9) PRIMARY KEY, n INT UNIQUE); INSERT INTO p VALUES ('e', 1), ('f ', 2), ('a', 3);
         CREATE TABLE c (w VARCHAR(9), FOREIGN KEY (w) REFERENCES p (w) ON DELETE CASCADE);
         CREATE TABLE number (n INT, FOREIGN KEY (n) REFERENCES p (n) ON DELETE CASCADE);
         CREATE TABLE still (w VARCHAR(9), FOREIGN KEY (w) REFERENCES p (w));
         INSERT INTO c VALUES ('e'), ('E '), (NULL), ('É'), ('F '); INSERT INTO number VALUES (1); INSERT INTO still VALUES ('á')",
    );
    let replica = Replica::of(&server);
    replica.run_until_caught_up();
    let kept = || {
        let target = compare::open(&compare::database_path(&replica.target_dir(), "FULL"));
        let mut kept = target
            .prepare("SELECT child || ' ' || texts FROM _relaylite_spelling")
            .unwrap();
        let kept = kept.query_map([], |row| row.get::<_, String>(0)).unwrap();
        kept.map(Result::unwrap).collect::<Vec<_>>()
    };
    match source {
        Source::MySql => assert!(kept().is_empty()),
        _ => assert_eq!(kept(), ["c ", "c tC389"]),
    }
    session.exec("DELETE FROM p WHERE w = 'e'; DELETE FROM p WHERE w = 'f'");
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
    assert!(kept().len() < 2);
}

/// Past so many the source is not asked for each parent.
pub(super) fn too_many_spellings_are_read_afresh(source: Source) {
    let server = source.start();
    let mut session = session(&server, "FULL");
    let rows = SQLITE_SPELLINGS_MAX + 100;
    session.exec(
        "CREATE TABLE digit (d INT); INSERT INTO digit VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9);
         CREATE TABLE p (w VARCHAR(9) PRIMARY KEY, n INT);
         CREATE TABLE c (w VARCHAR(9), FOREIGN KEY (w) REFERENCES p (w) ON DELETE CASCADE ON UPDATE CASCADE)",
    );
    session.exec(&format!(
        "INSERT INTO p SELECT CONCAT('e', n), n FROM (SELECT a.d + 10 * b.d + 100 * c.d + 1000 * d.d + 10000 * e.d AS n \
         FROM digit a, digit b, digit c, digit d, digit e) numbers WHERE n < {rows};
         INSERT INTO c SELECT CONCAT('é', n) FROM p"
    ));
    let replica = Replica::of(&server);
    let running = replica.follow();
    replica.wait_until_caught_up(&server);
    session.exec("DELETE FROM p WHERE w = 'e7'; UPDATE p SET w = 'x8' WHERE w = 'e8'");
    replica.wait_until_caught_up(&server);
    replica.wait_until_sound();
    assert_equal(&server, &replica.target_dir());
    let is_silent = source != Source::MySql;
    assert_eq!(replica.log().contains("spelled otherwise"), is_silent);
    drop(running);
}

/// What only the source can tell waits for it, and everything else with it.
pub(super) fn a_source_that_is_away_is_waited_for(source: Source) {
    let mut server = source.start();
    let mut session = session(&server, "FULL");
    session.exec(
        "CREATE TABLE p (w VARCHAR(9) PRIMARY KEY); INSERT INTO p VALUES ('e'), ('f');
         CREATE TABLE c (w VARCHAR(9), n INT, FOREIGN KEY (w) REFERENCES p (w) ON DELETE CASCADE);
         INSERT INTO c VALUES ('É', 1), ('f', 2), ('é', 3)",
    );
    let replica = Replica::of(&server).arg("--connect-retry=1");
    let running = replica.follow();
    replica.wait_until_caught_up(&server);
    let reader = compare::database_path(&replica.target_dir(), "FULL");
    let reader = rusqlite::Connection::open(reader).unwrap();
    reader.execute_batch("BEGIN IMMEDIATE").unwrap();
    session.exec("DELETE FROM p WHERE w = 'e'; INSERT INTO c VALUES ('f', 5)");
    let (_, end) = server.position();
    replica.wait_for_status("all is received, and waits", |status| {
        status.number("Read_Source_Log_Pos") == end
            && status.json["Lanes"][0]["State"] == "waiting for a lock in the target"
    });
    drop(session);
    server.stop();
    drop(reader);
    let status = replica.wait_for_status("both sides miss the source", |status| {
        status.text("Replica_IO_Running") == "Connecting"
            && (source == Source::MySql || status.number("Last_SQL_Errno") == 2003)
    });
    assert!(status.set_aside().is_empty());
    server.restart();
    replica.wait_until_caught_up(&server);
    replica.wait_until_sound();
    assert_equal(&server, &replica.target_dir());
    assert!(!replica.log().contains("set aside"), "{}", replica.log());
    replica.wait_for_status("it is over", |status| status.number("Last_SQL_Errno") == 0);
    drop(running);
}
