//! `binlog_row_value_options=PARTIAL_JSON`: documents changed in place.

use std::fmt::Write as _;

use super::LAX;
use super::column_kind::{document, sql_text};
use crate::support::compare::assert_equal;
use crate::support::random::{self, Random, budget};
use crate::support::relaylite::Replica;
use crate::support::server::{Flavor, Server};

/// Paths that some documents have.
const PATHS: [&str; 12] = [
    "$.a",
    "$.b",
    "$.aa",
    "$[0]",
    "$[1]",
    "$.a.b",
    "$[0].a",
    "$.a[1]",
    "$.\"é\"",
    "$.\"a b.\\\"\"",
    "$[0][0]",
    "$.c.d[2].e",
];

/// A document with room in it, or the server would log it whole.
const START: &str = r#"'{"a": [1, 2.50, {"b": "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}], "b": {"c": "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"},
    "aa": 1.0, "é": "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", "a b.\\"": [{}, [], "\\n"], "c": {"d": [0, 1, {"e": "wwwwwwwwwwwwww"}]}}'"#;

/// JSON functions that the server may log as diffs.
fn change(random: &mut Random) -> String {
    let path = random.pick(&PATHS).to_owned();
    let value = match random.range(0..6) {
        0 => "1.50".to_owned(),
        1 => "TIMESTAMP'2020-01-01 01:02:03.25'".to_owned(),
        2 => "CAST(x'00ff' AS BINARY)".to_owned(),
        3 => "'text'".to_owned(),
        _ => format!("CAST({} AS JSON)", sql_text(&document(random, 3))),
    };
    match random.range(0..4) {
        0 => format!("JSON_REMOVE(doc, '{path}')"),
        1 => format!("JSON_REPLACE(doc, '{path}', {value})"),
        _ => format!("JSON_SET(doc, '{path}', {value})"),
    }
}

#[test]
fn partial_updates_keep_the_document_as_the_server_prints_it() {
    let server = Server::start(Flavor::MySql);
    let mut random = Random::new(random::seed(), 7);
    let mut session = server.client();
    session.exec(&format!("{LAX}; CREATE DATABASE d; USE d"));
    let rows = budget("RELAYLITE_TEST_ROWS", 2000);
    for (image, key) in [
        ("MINIMAL", "PRIMARY KEY"),
        ("NOBLOB", "NOT NULL UNIQUE"),
        ("FULL", ""),
        ("MINIMAL", ""),
    ] {
        let table = format!("t{}", random.range(0..1_000_000_000));
        session.exec(&format!(
            "SET binlog_row_image = {image}, binlog_row_value_options = PARTIAL_JSON, binlog_transaction_compression = {};
             CREATE TABLE {table} (id INT {key}, doc JSON, other JSON, n INT)",
            if key.is_empty() { "ON" } else { "OFF" }
        ));
        let mut sql = String::new();
        for id in 0..10 {
            let _ = writeln!(sql, "INSERT INTO {table} VALUES ({id}, {START}, NULL, 0);");
            let _ = writeln!(
                sql,
                "UPDATE {table} SET other = CAST({} AS JSON) WHERE id = {id};",
                sql_text(&document(&mut random, 0))
            );
        }
        session.exec(&sql);
        for _ in 0..rows / 8 {
            let change = change(&mut random);
            let more = if random.percent(30) {
                ", other = JSON_SET(other, '$.a', n)"
            } else {
                ""
            };
            let sql = format!(
                "UPDATE IGNORE {table} SET n = n + 1, doc = {change}{more} WHERE id = {}",
                random.range(0..10)
            );
            if let Err(error) = session.try_exec(&sql) {
                eprintln!("{error}: {sql}");
            }
        }
    }
    let replica = Replica::of(&server);
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
    let events = server.query_strings("SHOW BINLOG EVENTS");
    let is_partial = |row: &&Vec<Option<String>>| row[2].as_deref() == Some("Update_rows_partial");
    let partial = events.iter().filter(is_partial).count();
    assert!(partial > 50, "only {partial} partial updates were logged");
}
