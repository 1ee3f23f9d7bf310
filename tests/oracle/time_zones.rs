//! TIMESTAMP from a source in a zone with daylight saving time: the hour that is left out, the hour that comes twice, and the
//! source's clock in them.

use crate::support::compare::assert_equal;
use crate::support::relaylite::Replica;
use crate::support::server::{Flavor, Server};

on_all!(
    a_zone_with_a_gap_and_a_fold,
    local_time_that_only_the_source_knows
);

/// A zone of that name, as the servers keep the system's: two hours ahead of UTC in the summer of 2024, else one.
const ZONE: &str = "SET sql_log_bin = 0; INSERT INTO mysql.time_zone VALUES (900, 'N');
    INSERT INTO mysql.time_zone_name VALUES ('Summery', 900);
    INSERT INTO mysql.time_zone_transition_type VALUES (900, 0, 3600, 0, 'CET'), (900, 1, 7200, 1, 'CEST');
    INSERT INTO mysql.time_zone_transition VALUES (900, 1698541200, 0), (900, 1711846800, 1), (900, 1729990800, 0);
    SET sql_log_bin = 1";

/// Before the gap, behind it, the two hours of the fold, behind them; seconds since 1970.
const MOMENTS: [u64; 7] = [
    1_711_846_799,
    1_711_846_800,
    1_729_987_199,
    1_729_988_200,
    1_729_990_800,
    1_729_991_800,
    1_729_994_400,
];

fn source(flavor: Flavor) -> Server {
    let server = Server::start(flavor);
    server.exec(ZONE);
    server.exec("SET GLOBAL time_zone = 'Summery'");
    server
}

fn a_zone_with_a_gap_and_a_fold(flavor: Flavor) {
    let server = source(flavor);
    let mut session = server.client();
    session.exec(
        "CREATE DATABASE d; USE d; SET sql_mode = '';
         CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, written VARCHAR(30), at TIMESTAMP NULL, micros TIMESTAMP(6) NULL,
             made TIMESTAMP(3) DEFAULT CURRENT_TIMESTAMP(3), changed TIMESTAMP DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
             clock DATETIME DEFAULT CURRENT_TIMESTAMP, day DATE DEFAULT (CURRENT_DATE));
         CREATE TABLE keyed (at TIMESTAMP(2) NOT NULL PRIMARY KEY, clock DATETIME(2))",
    );
    let zones = ["Summery", "SYSTEM", "-05:30", "+00:00", "Summery"];
    for (n, moment) in MOMENTS.iter().enumerate() {
        let zone = zones[n % zones.len()];
        session.exec(&format!(
            "SET time_zone = '{zone}', timestamp = {moment}.25; INSERT INTO t (written) VALUES ('{zone}');
             INSERT INTO t (written, at, micros) VALUES ('now', NOW(), NOW(6)); INSERT IGNORE INTO keyed VALUES (NOW(2), NOW(2));
             SET time_zone = 'Summery'; UPDATE t SET written = CONCAT(written, '!') ORDER BY id DESC LIMIT 1;
             UPDATE keyed SET clock = at ORDER BY at DESC LIMIT 1"
        ));
    }
    session.exec("SET time_zone = 'Summery', timestamp = DEFAULT");
    for local in [
        "2024-03-31 01:59:59.999999",
        "2024-03-31 02:30:00",
        "2024-03-31 03:00:00",
        "2024-10-27 01:59:59",
        "2024-10-27 02:00:00",
        "2024-10-27 02:30:00.5",
        "2024-10-27 02:59:59",
        "2024-10-27 03:00:00",
        "1970-01-01 01:00:01",
        "2038-01-19 04:14:07",
    ] {
        session.exec(&format!(
            "INSERT INTO t (written, at, micros) VALUES ('{local}', '{local}', '{local}'); INSERT IGNORE INTO keyed VALUES ('{local}', '{local}')"
        ));
    }
    session.exec(
        "DELETE FROM keyed WHERE clock > '2024-10-27 02:15:00' ORDER BY at LIMIT 2; UPDATE t SET micros = at WHERE id % 2;
         SET time_zone = 'Summery', timestamp = 1729990800.5; ALTER TABLE t ADD added TIMESTAMP(3) DEFAULT CURRENT_TIMESTAMP(3);
         INSERT INTO t (written) VALUES ('last'); SET time_zone = '-03:30'; ALTER TABLE t ADD local DATETIME(2) DEFAULT CURRENT_TIMESTAMP(2)",
    );
    let replica = Replica::of(&server);
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
}

/// Rows that are there get the local time of a zone that only the source has.
fn local_time_that_only_the_source_knows(flavor: Flavor) {
    let server = source(flavor);
    server.exec(
        "CREATE DATABASE d; USE d; CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1);
         SET time_zone = 'Summery'; ALTER TABLE t ADD at DATETIME DEFAULT CURRENT_TIMESTAMP",
    );
    let replica = Replica::of(&server);
    assert_eq!(replica.try_until_caught_up(), 1);
    let log = replica.log();
    assert!(log.contains("`at` takes the source's local time"), "{log}");
}
