//! Which collation a column gets that names none, or only a charset: that depends on session, server, database and
//! table.

use std::collections::HashMap;

use serde_json::Value;

use crate::support::compare::{database_path, open};
use crate::support::relaylite::Replica;
use crate::support::server::{Flavor, Server, name_of_today};

on_all!(collations_that_are_not_written);

/// Session settings that change what a charset alone means.
fn settings(flavor: Flavor) -> &'static [&'static str] {
    match flavor {
        Flavor::MariaDb => &["collation_server = 'utf8mb4_general_ci'", "NAMES latin1"],
        Flavor::MySql => &[
            "default_collation_for_utf8mb4 = 'utf8mb4_general_ci'",
            "default_collation_for_utf8mb4 = 'utf8mb4_0900_ai_ci'",
            "collation_server = 'utf8mb4_bin'",
        ],
        Flavor::MariaDb11 => &[
            "@nothing = 1",
            "character_set_collations = ''",
            "character_set_collations = 'utf8mb4=utf8mb4_bin,latin1=latin1_german1_ci'",
            "character_set_collations = 'utf8mb3=utf8mb3_uca1400_swedish_as_cs', collation_server = 'utf8mb4_nopad_bin'",
            "NAMES latin1",
        ],
    }
}

fn collations_that_are_not_written(flavor: Flavor) {
    let server = Server::start(flavor);
    let mut session = server.client();
    for (n, setting) in settings(flavor).iter().enumerate() {
        session.exec(&format!(
            "SET {setting}; CREATE DATABASE d{n}; USE d{n};
             CREATE TABLE plain (id INT PRIMARY KEY, a VARCHAR(9), b VARCHAR(9) CHARACTER SET utf8mb4, c TEXT CHARACTER SET latin1,
                 d CHAR(3) CHARACTER SET utf8mb3, e ENUM('x'), f VARCHAR(9) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci);
             CREATE TABLE of_charset (a VARCHAR(9), b VARCHAR(9) CHARACTER SET latin1) CHARSET utf8mb4;
             CREATE TABLE altered (a VARCHAR(9)) CHARSET latin1;
             ALTER TABLE altered ADD b VARCHAR(9), ADD c VARCHAR(9) CHARACTER SET utf8mb4; ALTER TABLE altered ADD d TEXT CHARACTER SET ucs2;
             CREATE TABLE converted (a VARCHAR(9)) CHARSET latin1; ALTER TABLE converted CONVERT TO CHARACTER SET utf8mb4;
             CREATE TABLE alike LIKE plain;
             CREATE DATABASE e{n} CHARACTER SET utf8mb4; USE e{n}; CREATE TABLE plain (a VARCHAR(9), b TEXT CHARACTER SET utf8mb4);
             ALTER DATABASE e{n} CHARACTER SET latin1; CREATE TABLE again (a VARCHAR(9))"
        ));
        session = server.client();
    }
    let replica = Replica::of(&server);
    replica.run_until_caught_up();
    let rows = session.query_strings(
        "SELECT table_schema, table_name, column_name, collation_name FROM information_schema.columns
         WHERE collation_name IS NOT NULL AND table_schema REGEXP '^[de][0-9]$'",
    );
    let mut files = HashMap::new();
    let mut compared = 0;
    for row in rows {
        let texts: Vec<String> = row.into_iter().map(Option::unwrap).collect();
        let [database, table, column, collation] = &texts[..] else {
            panic!("{texts:?}")
        };
        let collation = name_of_today(collation);
        let sqlite = files
            .entry(database.clone())
            .or_insert_with(|| open(&database_path(&replica.target_dir(), database)));
        let sql = "SELECT definition FROM _relaylite_catalog WHERE table_name = ?1";
        let definition: String = sqlite.query_row(sql, [table], |row| row.get(0)).unwrap();
        let definition: Value = serde_json::from_str(&definition).unwrap();
        let columns = definition["columns"].as_array().unwrap();
        let found = columns
            .iter()
            .find(|known| known["name"] == *column)
            .unwrap();
        assert!(
            found.to_string().contains(&format!("\"{collation}\"")),
            "{database}.{table}.{column} is {collation} on the source, here {found}"
        );
        compared += 1;
    }
    assert!(compared > 30, "{compared}");
}
