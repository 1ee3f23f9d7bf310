//! The corpora on real servers, through the whole pipeline. What the server accepts is followed with rows in each table, or passed
//! over; what it refuses makes no binary log.

use std::fs;
use std::path::{Path, PathBuf};

use super::pipeline::Replay;
use super::{
    SCENARIO, SETUP, UNREAD_DEFAULTS, clauses, everyday, fixtures, mysql_tests, statements_in,
    tables_for, without_syncs,
};
use crate::support::random::budget;
use crate::support::server::{Builder, Flavor, Server};

on_all!(
    everyday_statements,
    all_clauses,
    more_statements,
    public_corpora
);

fn builder(flavor: Flavor) -> Builder {
    Server::builder(flavor)
        .arg("--sql-mode=")
        .arg("--event-scheduler=OFF")
}

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

fn more_statements(flavor: Flavor) {
    let mut replay = Replay::on(without_syncs(builder(flavor)));
    replay.session().exec(SETUP);
    replay.new_session("USE d; SET SESSION sql_mode = ''; SET innodb_strict_mode = 0");
    for sql in statements_in("pipeline.sql") {
        if let Err(error) = replay.run(&sql) {
            eprintln!("refused: {error}: {sql}");
        }
    }
    replay.finish("more statements");
}

/// Statements of the public corpora that a server must not run here, by how they begin, and why.
const NOT_RUN: [(&str, &str); 5] = [
    ("shutdown", "there would be no server any more"),
    ("kill", "it may hit a session of the test"),
    ("set global v1", "no such variable, and none is wanted"),
    ("flush tables foo, bar for export", "it holds the tables"),
    ("purge", "the replica reads the binary logs"),
];

/// How many more lines a statement may take that its first line seems to end.
const MORE_LINES_MAX: usize = 60;

/// The server's answer to a statement that goes on.
fn is_cut_short(error: &str) -> bool {
    error.contains("1064") && error.contains("near ''")
}

/// Runs the statements of a text. Some of them stand behind DELIMITER, some have semicolons inside: a statement ends at the end of
/// a line where the server thinks so.
fn run_all(replay: &mut Replay, text: &str) {
    let mut parts: Vec<String> = vec![String::new()];
    for line in text.lines() {
        if line.trim_start().to_lowercase().starts_with("delimiter") {
            continue;
        }
        let last = parts.last_mut().unwrap();
        last.push_str(line);
        last.push('\n');
        if line.trim_end().ends_with([';', '$', '/']) {
            parts.push(String::new());
        }
    }
    let mut parts = parts.into_iter().peekable();
    while let Some(mut sql) = parts.next() {
        let lower = sql.trim().to_lowercase();
        if lower.is_empty() || NOT_RUN.iter().any(|(begins, _)| lower.starts_with(begins)) {
            continue;
        }
        for _ in 0..MORE_LINES_MAX {
            let text = sql.trim().trim_end_matches([';', '$', '/']);
            match replay.run(text) {
                Err(error) if is_cut_short(&error) => match parts.next() {
                    Some(more) => sql.push_str(&more),
                    None => break,
                },
                _ => break,
            }
        }
        replay.tidy();
    }
}

fn public_corpora(flavor: Flavor) {
    let mut replay = Replay::on(without_syncs(builder(flavor)));
    replay.session().exec(SETUP);
    replay.session().exec("CREATE DATABASE test");
    replay.new_session("USE test; SET foreign_key_checks = 0");
    for sql in SCENARIO {
        let _ = replay.run(sql);
    }
    // All of it, or what holds definitions.
    let share = usize::try_from(budget("RELAYLITE_TEST_CORPUS_SHARE", 12)).unwrap();
    for (_, sql) in mysql_tests().into_iter().step_by(share) {
        let _ = replay.run(&sql);
    }
    for directory in ["maxwell", "debezium-ddl-parser"] {
        for path in files_in(&fixtures().join(directory)) {
            let text = path.to_string_lossy().into_owned();
            let is_repeated = text.contains("legacy") || !text.contains("ddl");
            if share > 1 && directory != "maxwell" && is_repeated {
                continue;
            }
            let Ok(bytes) = fs::read(&path) else { continue };
            let text = String::from_utf8_lossy(&bytes);
            replay.start_file(&path);
            if directory == "maxwell" && path.parent().unwrap().ends_with("ddl") {
                // A statement a line.
                let lines = text.lines().filter(|line| !has_unread_default(line));
                lines.step_by(share).for_each(|line| {
                    let _ = replay.run(line);
                    replay.tidy();
                });
            } else {
                run_all(&mut replay, &text);
            }
        }
    }
    replay.finish("public corpora");
}

/// Whether a statement has a default that is kept as it was written; see [`UNREAD_DEFAULTS`].
fn has_unread_default(sql: &str) -> bool {
    UNREAD_DEFAULTS.iter().any(|default| sql.contains(default))
}

/// The files below a directory, in order; not those that say which errors a parser makes.
fn files_in(directory: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    let mut found = Vec::new();
    for path in entries {
        if path.is_dir() {
            found.extend(files_in(&path));
        } else if path
            .extension()
            .is_none_or(|extension| extension != "errors")
        {
            found.push(path);
        }
    }
    found
}
