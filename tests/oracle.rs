//! Values through the whole pipeline: what a real server SELECTs is what SQLite holds, for every type and charset of both
//! servers, every row image, with and without compression.
//!
//! `RELAYLITE_TEST_SEED` repeats the random part, `RELAYLITE_TEST_ROWS` (about so many changed rows, 2000 by default)
//! makes it longer.

mod charsets;
mod collations;
pub(crate) mod column_kind;
mod keyless;
mod partial_json;
mod special_tables;
mod table;
mod time_zones;

use crate::support::compare::{assert_database_equal, assert_equal};
use crate::support::random::{self, Random, budget};
use crate::support::relaylite::Replica;
use crate::support::server::{Flavor, Server, Session};
use table::Table;

on_all!(edge_values, everything_in_one_table, random_tables);

/// The session that writes: nothing is refused, and the zone has gaps and folds.
const LAX: &str = "SET sql_mode = 'NO_ENGINE_SUBSTITUTION', time_zone = '+02:00', NAMES utf8mb4";

/// The values of `binlog_row_image`.
fn row_images(flavor: Flavor) -> &'static [&'static str] {
    match flavor {
        Flavor::MariaDb11 => &["FULL", "MINIMAL", "NOBLOB", "FULL_NODUP"],
        Flavor::MariaDb | Flavor::MySql => &["FULL", "MINIMAL", "NOBLOB"],
    }
}

/// Ways to log the same changes.
struct Logging {
    name: &'static str,
    global: &'static str,
    session: &'static str,
}

fn loggings(flavor: Flavor) -> Vec<Logging> {
    let logging = |name, global, session| Logging {
        name,
        global,
        session,
    };
    match flavor {
        Flavor::MariaDb | Flavor::MariaDb11 => {
            let mut loggings = vec![
                logging(
                    "plain",
                    "binlog_row_metadata = NO_LOG",
                    "binlog_row_image = FULL",
                ),
                logging(
                    "minimal",
                    "binlog_row_metadata = MINIMAL",
                    "binlog_row_image = MINIMAL",
                ),
                logging(
                    "noblob",
                    "binlog_row_metadata = FULL",
                    "binlog_row_image = NOBLOB",
                ),
                logging("packed", "log_bin_compress = ON", "binlog_row_image = FULL"),
            ];
            if flavor == Flavor::MariaDb11 {
                loggings.push(logging(
                    "nodup",
                    "log_bin_compress = OFF",
                    "binlog_row_image = FULL_NODUP",
                ));
            }
            loggings
        }
        Flavor::MySql => vec![
            logging(
                "plain",
                "binlog_row_metadata = MINIMAL",
                "binlog_row_image = FULL",
            ),
            logging(
                "minimal",
                "binlog_row_metadata = FULL",
                "binlog_row_image = MINIMAL",
            ),
            logging(
                "noblob",
                "binlog_row_metadata = MINIMAL",
                "binlog_row_image = NOBLOB",
            ),
            logging(
                "packed",
                "binlog_row_metadata = FULL",
                "binlog_row_image = MINIMAL, binlog_transaction_compression = ON, \
                 binlog_row_value_options = PARTIAL_JSON",
            ),
        ],
    }
}

fn session(server: &Server, logging: &Logging) -> Session {
    let mut session = server.client();
    session.exec(&format!(
        "SET GLOBAL {}; SET {}; {LAX}",
        logging.global, logging.session
    ));
    let name = logging.name;
    session.exec(&format!("CREATE DATABASE {name}; USE {name}"));
    session
}

/// Tables of some columns each, so that all types are in them.
fn edge_tables(flavor: Flavor) -> Vec<Table> {
    let kinds = column_kind::all(flavor);
    let mut tables: Vec<Table> = kinds
        .chunks(16)
        .enumerate()
        .map(|(n, kinds)| Table::with_id(&format!("t{n}"), kinds))
        .collect();
    let keys = kinds.iter().filter(|kind| kind.can_be_key());
    for (n, kind) in keys.enumerate() {
        tables.push(Table::with_key(
            &format!("k{n}"),
            std::slice::from_ref(kind),
        ));
    }
    tables
}

fn edge_values(flavor: Flavor) {
    let server = Server::builder(flavor)
        .arg("--default-time-zone=+05:30")
        // A TIMESTAMP that changes with each UPDATE would be another one's duplicate.
        .arg("--explicit-defaults-for-timestamp=ON")
        .start();
    for logging in loggings(flavor) {
        let mut session = session(&server, &logging);
        for table in edge_tables(flavor) {
            let has_id = table.name.starts_with('t');
            if !has_id && logging.name != "plain" {
                continue;
            }
            // Met for the first time by its row events, not by its DDL.
            let is_met_late = logging.name == "noblob";
            if is_met_late {
                session.exec("SET sql_log_bin = 0");
            }
            session.exec(table.create_sql());
            session.exec("SET sql_log_bin = 1");
            session.exec(&table.insert_edges_sql(has_id));
            if has_id {
                for shift in 0..2 {
                    session.exec(&table.update_edges_sql(shift));
                }
                session.exec(&format!("DELETE FROM {} WHERE id % 7 = 3", table.name));
            } else {
                session.exec(&table.change_keys_sql());
            }
        }
    }
    let replica = Replica::of(&server);
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
}

/// All types and all charsets, edge values and random rows, in every way to log them.
/// `RELAYLITE_TEST_ROWS_OF_EVERYTHING` rows each (60 by default).
fn everything_in_one_table(flavor: Flavor) {
    let seed = random::seed();
    let rows = budget("RELAYLITE_TEST_ROWS_OF_EVERYTHING", 60);
    let server = Server::builder(flavor)
        .arg("--innodb-strict-mode=OFF")
        .arg("--loose-innodb-log-file-size=96M")
        .arg("--loose-innodb-redo-log-capacity=192M")
        .start();
    let mut kinds = column_kind::all(flavor);
    let charsets = charsets::charsets(&mut server.client());
    kinds.extend(charsets.iter().map(|name| column_kind::of_charset(name)));
    let table = Table::with_id("everything", &kinds);
    for (stream, logging) in (100..).zip(loggings(flavor)) {
        let mut random = Random::new(seed, stream);
        let mut session = session(&server, &logging);
        session.exec(table.create_sql());
        session.exec(&format!("BEGIN; {} COMMIT", table.insert_edges_sql(true)));
        for id in 1..=rows {
            let end = if id % 100 == 0 { "; COMMIT; BEGIN" } else { "" };
            session.exec(&format!("{}{end}", table.new_row_sql(&mut random)));
            for _ in 0..random.range(0..3) {
                session.exec(&table.change_row_sql(random.range(1..id + 1), &mut random));
            }
            if random.percent(10) {
                session.exec(&format!(
                    "DELETE FROM everything WHERE id = {}",
                    random.range(1..id + 1)
                ));
            }
        }
        session.exec("COMMIT");
    }
    let replica = Replica::of(&server);
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
}

fn random_tables(flavor: Flavor) {
    let seed = random::seed();
    let rows = budget("RELAYLITE_TEST_ROWS", 2000);
    let server = Server::builder(flavor)
        .arg("--default-time-zone=-03:00")
        .start();
    let kinds = column_kind::all(flavor);
    let loggings = loggings(flavor);
    let mut failures = 0;
    let mut statements = 0;
    for (stream, logging) in (1..).zip(&loggings) {
        let mut random = Random::new(seed, stream);
        let mut session = session(&server, logging);
        for n in 0..6 {
            let has_virtual =
                !flavor.is_mariadb() || logging.session.contains("binlog_row_image = FULL");
            let table = Table::random(&format!("t{n}"), &kinds, has_virtual, &mut random);
            eprintln!("{}: {}", logging.name, table.create_sql());
            if let Err(error) = session.try_exec(table.create_sql()) {
                eprintln!("{error}");
                continue;
            }
            for _ in 0..rows / 3 / 24 {
                statements += 1;
                let sql = table.change_sql(&mut random);
                if let Err(error) = session.try_exec(&sql) {
                    failures += 1;
                    if failures < 5 {
                        eprintln!("{error}: {sql:.300}");
                    }
                }
            }
        }
    }
    assert!(
        failures * 4 < statements,
        "{failures} of {statements} statements failed"
    );
    let replica = Replica::of(&server);
    replica.run_until_caught_up();
    for logging in &loggings {
        assert_database_equal(&server, &replica.target_dir(), logging.name);
    }
}
