//! The corpora on real servers, through the whole pipeline. What the server accepts is followed with rows in each table, or passed
//! over; what it refuses makes no binary log.

use std::fs;
use std::path::Path;

use super::pipeline::Replay;
use super::{SCENARIO, SETUP, clauses, everyday, fixtures, mysql_tests, tables_for, without_syncs};
use crate::support::random::budget;
use crate::support::server::{Builder, Flavor, Server};

on_all!(everyday_statements, all_clauses, public_corpora);

fn builder(flavor: Flavor) -> Builder {
    Server::builder(flavor)
        .arg("--sql-mode=")
        .arg("--event-scheduler=OFF")
}

/// Statements one after the other, as they are in a text; each may need more lines than it seems.
const MORE_LINES: usize = 400;

fn everyday_statements(flavor: Flavor) {
    let mut replay = Replay::on(without_syncs(builder(flavor)));
    replay.session().exec(SETUP);
    replay.new_session("USE d; SET foreign_key_checks = 0");
    for (name, sql) in everyday() {
        if name.starts_with("alt_") || name.contains("_index") || name.starts_with("truncate") {
            for sql in tables_for(&name) {
                replay.run(sql).unwrap();
            }
        }
        if let Err(error) = replay.run(&sql) {
            eprintln!("{name} refused: {error}");
        }
        if name == "xa" {
            replay
                .session()
                .exec("XA END X'7831',X'',1; XA ROLLBACK X'7831',X'',1");
        }
        if name.starts_with("alt_") {
            let to = format!("RENAME TABLE d.t TO d.`{name}`");
            let _ = replay.run(&to);
        }
    }
    replay.finish("everyday");
}

fn all_clauses(flavor: Flavor) {
    let mut replay = Replay::on(without_syncs(builder(flavor)));
    replay.session().exec(SETUP);
    replay.new_session("USE d; SET SESSION sql_mode = ''; SET innodb_strict_mode = 0");
    for sql in clauses() {
        if let Err(error) = replay.run(&sql) {
            eprintln!("refused: {error}: {sql}");
        }
    }
    replay.finish("clauses");
}

fn public_corpora(flavor: Flavor) {
    let mut replay = Replay::on(without_syncs(builder(flavor)));
    replay.session().exec(SETUP);
    replay.session().exec("CREATE DATABASE test");
    let share = usize::try_from(budget("RELAYLITE_TEST_CORPUS_SHARE", 1)).unwrap();
    replay.new_session("USE test; SET foreign_key_checks = 0");
    for sql in SCENARIO {
        let _ = replay.run(sql);
    }
    for (_, sql) in mysql_tests().into_iter().step_by(share) {
        let _ = replay.run(&sql);
    }
    replay.finish("public");
}

on_all!(adhoc);

fn adhoc(flavor: Flavor) {
    let text = fs::read_to_string(std::env::var("ADHOC_SQL").unwrap()).unwrap();
    let mut replay = Replay::on(without_syncs(builder(flavor)));
    replay.session().exec(SETUP);
    replay.new_session("USE d; SET SESSION sql_mode = ''; SET innodb_strict_mode = 0");
    for sql in text.split(";\n").filter(|sql| !sql.trim().is_empty()) {
        match replay.run(sql) {
            Err(error) => eprintln!("refused: {error}: {sql}"),
            Ok(()) => eprintln!("ok: {sql}"),
        }
    }
    replay.finish("adhoc");
}
