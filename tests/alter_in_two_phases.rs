//! ALTER TABLE that MariaDB logs when it begins and again when its outcome is known (`binlog_alter_two_phase`): it takes
//! effect where it did on the source, whatever stands between.

use crate::support::compare::assert_equal;
use crate::support::relaylite::Replica;
use crate::support::server::{Flavor, Server, Session};

const SETTINGS: &str = "SET time_zone = '+03:00', sql_mode = 'STRICT_TRANS_TABLES'";

/// Before 10.8, an ALTER has one phase only.
fn has_two_phases(server: &Server) -> bool {
    server.flavor().is_mariadb_since(10, 8)
}

/// A session that logs in two phases where the server can.
fn session(server: &Server) -> Session {
    let mut session = server.client();
    session.exec(SETTINGS);
    if has_two_phases(server) {
        session.exec("SET binlog_alter_two_phase = ON");
    }
    session
}

/// How often a part of an ALTER is in the source's binary log, by mariadb-binlog's word for it.
fn logged(server: &Server, word: &str) -> usize {
    let (file, _) = server.position();
    let rows = server.query_strings(&format!("SHOW BINLOG EVENTS IN '{file}'"));
    let is_part =
        |row: &&Vec<Option<String>>| row[5].as_ref().is_some_and(|info| info.contains(word));
    rows.iter().filter(is_part).count()
}

/// How many ALTERs have ended, well or not.
fn ended(server: &Server) -> usize {
    logged(server, "COMMIT ALTER") + logged(server, "ROLLBACK ALTER")
}

fn create(session: &mut Session) {
    session.exec(
        "CREATE DATABASE d; USE d;
         CREATE TABLE t (id INT PRIMARY KEY, a INT, b VARCHAR(20)); INSERT INTO t VALUES (1, 1, 'x'), (2, 1, 'X'), (3, 2, NULL);
         CREATE TABLE other (id INT PRIMARY KEY, n INT)",
    );
}

fn followed_to_the_end(flavor: Flavor) {
    let server = Server::start(flavor);
    let mut session = session(&server);
    create(&mut session);
    session.exec(
        "ALTER TABLE t ADD c INT NOT NULL DEFAULT 7 AFTER id; INSERT INTO t VALUES (4, 8, 3, 'y');
         ALTER TABLE t ADD made DATETIME(3) DEFAULT CURRENT_TIMESTAMP(3), ADD at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, ALGORITHM=COPY;
         UPDATE t SET b = 'z' WHERE id = 2; ALTER TABLE t RENAME TO u, DROP a; INSERT INTO u (id, b) VALUES (5, 'five');
         CREATE INDEX b ON u (b); DROP INDEX b ON u; ALTER TABLE IF EXISTS nothing ADD x INT; ALTER TABLE u RENAME t",
    );
    // Refused, some before they begin and some after.
    for refused in [
        "ALTER TABLE t ADD UNIQUE (c)",
        "ALTER TABLE t MODIFY b INT NOT NULL, ALGORITHM=COPY",
        "ALTER TABLE t ADD c INT",
        "ALTER TABLE t ADD UNIQUE (c), ADD later INT, ALGORITHM=COPY",
    ] {
        assert!(session.try_exec(refused).is_err(), "{refused}");
        session.exec("UPDATE t SET c = c + 1");
    }
    if has_two_phases(&server) {
        assert!(
            logged(&server, "START ALTER") > 4,
            "{}",
            logged(&server, "START ALTER")
        );
        assert!(logged(&server, "COMMIT ALTER") > 3);
        assert!(logged(&server, "ROLLBACK ALTER") > 1);
    }
    let replica = Replica::of(&server);
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
}

/// Other transactions are logged between the two parts, or else while the ALTER runs.
fn changes_between_the_parts(flavor: Flavor) {
    let server = Server::start(flavor);
    let mut session = session(&server);
    create(&mut session);
    session.exec(
        "CREATE TABLE large (id INT PRIMARY KEY, a INT); INSERT INTO large SELECT seq, seq FROM seq_1_to_50000;
         INSERT INTO large VALUES (50001, 50000)",
    );
    let replica = Replica::of(&server);
    let running = replica.follow();
    let two_phases = has_two_phases(&server);
    let mut between = [0, 0];
    let mut id = 0;
    for round in 0..30 {
        let fails = round % 2;
        let mut altering = self::session(&server);
        altering.exec("USE d");
        let unique = [
            format!("ADD c{round} INT DEFAULT 5"),
            "ADD UNIQUE (a)".to_owned(),
        ];
        let sql = format!("ALTER TABLE large {}, ALGORITHM=COPY", unique[fails]);
        let altering = std::thread::spawn(move || altering.try_exec(&sql).is_ok());
        while !altering.is_finished() {
            id += 1;
            session.exec(&format!("INSERT INTO other VALUES ({id}, {round})"));
            let is_between = logged(&server, "START ALTER") > round && ended(&server) == round;
            between[fails] += usize::from(is_between || !two_phases);
        }
        assert_eq!(altering.join().unwrap(), fails == 0);
        session
            .exec("UPDATE large SET a = a + 1 WHERE id % 1000 = 0; DELETE FROM other WHERE id % 2");
        if between.iter().all(|count| *count > 1) {
            break;
        }
    }
    assert!(between.iter().all(|count| *count > 1), "{between:?}");
    replica.wait_until_caught_up(&server);
    assert_equal(&server, &replica.target_dir());
    assert_eq!(running.sigterm().0, 0);
    let replica = Replica::of(&server);
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
}

on_servers!({mariadb = MariaDb, mariadb11 = MariaDb11}; followed_to_the_end, changes_between_the_parts);
