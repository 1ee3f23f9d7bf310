//! Which family a statement belongs to, by its leading keywords alone.

use super::context::SqlContext;
use super::token::{Lexer, Token};
use crate::error::Result;

/// A statement's family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// BEGIN, COMMIT, XA, ...
    Transaction,
    /// CREATE TABLE.
    CreateTable,
    /// ALTER TABLE.
    AlterTable,
    /// DROP TABLE.
    DropTable,
    /// TRUNCATE TABLE.
    Truncate,
    /// RENAME TABLE.
    RenameTable,
    /// MariaDB's CREATE OR REPLACE SEQUENCE, which may take a table's place.
    ReplaceBySequence,
    /// CREATE INDEX.
    CreateIndex,
    /// DROP INDEX.
    DropIndex,
    /// CREATE DATABASE.
    CreateDatabase,
    /// ALTER DATABASE.
    AlterDatabase,
    /// DROP DATABASE.
    DropDatabase,
    /// Changes no table.
    NoTableChange(&'static str),
    /// Changes rows by statement.
    DataChange(&'static str),
    /// MariaDB's `SET STATEMENT … FOR` around another statement, which begins at this offset.
    Wrapped(usize),
    /// Begins with nothing known here.
    Unknown,
}

/// Statements that change no table, by their first word.
const NO_TABLE_CHANGE: [&str; 43] = [
    "GRANT",
    "REVOKE",
    "FLUSH",
    "ANALYZE",
    "OPTIMIZE",
    "CHECK",
    "CHECKSUM",
    "REPAIR",
    "LOCK",
    "UNLOCK",
    "KILL",
    "SHOW",
    "DESCRIBE",
    "DESC",
    "EXPLAIN",
    "USE",
    "INSTALL",
    "UNINSTALL",
    "CACHE",
    "PREPARE",
    "DEALLOCATE",
    "RESET",
    "PURGE",
    "CHANGE",
    "STOP",
    "SHUTDOWN",
    "RESTART",
    "CLONE",
    "BACKUP",
    "BINLOG",
    "HELP",
    "SIGNAL",
    "RESIGNAL",
    "GET",
    "DO",
    "HANDLER",
    "SELECT",
    "VALUES",
    "TABLE",
    "SET",
    "DECLARE",
    "DELIMITER",
    "RETURN",
];

/// Statements that change rows, by their first word.
const DATA_CHANGE: [&str; 9] = [
    "INSERT", "UPDATE", "DELETE", "REPLACE", "LOAD", "CALL", "WITH", "EXECUTE", "IMPORT",
];

/// Kinds of things that CREATE, ALTER and DROP know besides tables, indexes and databases.
const OTHER_OBJECTS: [&str; 19] = [
    "VIEW",
    "TRIGGER",
    "PROCEDURE",
    "FUNCTION",
    "EVENT",
    "USER",
    "ROLE",
    "SERVER",
    "TABLESPACE",
    "LOGFILE",
    "UNDO",
    "SEQUENCE",
    "PACKAGE",
    "LIBRARY",
    "RESOURCE",
    "REFERENCE",
    "INSTANCE",
    "PREPARE",
    "CATALOG",
];

/// No statement names its kind of object later than this: `CREATE OR REPLACE ALGORITHM = x DEFINER = 'u'@'h' SQL
/// SECURITY DEFINER VIEW` takes 15.
const LEADING_TOKENS_MAX: usize = 32;

fn find(words: &[&'static str], word: &str) -> Option<&'static str> {
    words
        .iter()
        .copied()
        .find(|known| known.eq_ignore_ascii_case(word))
}

/// The family of a statement. Reads the leading tokens only.
///
/// # Errors
/// A quote or comment among them that is not closed.
pub fn classify(sql: &str, context: &SqlContext) -> Result<Family> {
    let mut lexer = Lexer::new(sql, context);
    let mut next_word = |skip: char| -> Result<Option<&str>> {
        loop {
            return Ok(match lexer.next_token()? {
                Some(token) if token.token == Token::Punct(skip) => continue,
                Some(token) => match token.token {
                    Token::Word(word) => Some(word),
                    _ => Some(""),
                },
                None => None,
            });
        }
    };
    // `(SELECT …)`: parentheses in front tell nothing.
    let Some(first) = next_word('(')? else {
        return Ok(Family::NoTableChange("empty statement"));
    };
    if let Some(verb) = find(&["CREATE", "ALTER", "DROP"], first) {
        return object(verb, &mut lexer);
    }
    let second = next_word('(').ok().flatten().unwrap_or_default();
    let second_is = |word: &str| second.eq_ignore_ascii_case(word);
    if first.eq_ignore_ascii_case("RENAME") {
        return Ok(match find(&["TABLE", "TABLES"], second) {
            Some(_) => Family::RenameTable,
            None => Family::NoTableChange("RENAME USER"),
        });
    }
    if first.eq_ignore_ascii_case("TRUNCATE") {
        return Ok(Family::Truncate);
    }
    if first.eq_ignore_ascii_case("START") {
        return Ok(match second_is("TRANSACTION") {
            true => Family::Transaction,
            false => Family::NoTableChange("START"),
        });
    }
    if first.eq_ignore_ascii_case("BEGIN") && second_is("NOT") {
        return Ok(Family::DataChange("BEGIN NOT ATOMIC"));
    }
    if find(
        &["BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "XA"],
        first,
    )
    .is_some()
    {
        return Ok(Family::Transaction);
    }
    if first.eq_ignore_ascii_case("SET") && second_is("STATEMENT") {
        return wrapped(&mut lexer);
    }
    if first.eq_ignore_ascii_case("LOAD") && second_is("INDEX") {
        return Ok(Family::NoTableChange("LOAD INDEX"));
    }
    let no_change = find(&NO_TABLE_CHANGE, first).map(Family::NoTableChange);
    let data_change = || find(&DATA_CHANGE, first).map(Family::DataChange);
    Ok(no_change.or_else(data_change).unwrap_or(Family::Unknown))
}

/// CREATE, ALTER or DROP of what?
fn object(verb: &'static str, lexer: &mut Lexer<'_>) -> Result<Family> {
    let (mut temporary, mut replaces) = (false, false);
    for _ in 0..LEADING_TOKENS_MAX {
        let Some(token) = lexer.next_token()? else {
            break;
        };
        let Token::Word(word) = token.token else {
            continue;
        };
        temporary |= word.eq_ignore_ascii_case("TEMPORARY");
        replaces |= word.eq_ignore_ascii_case("REPLACE");
        if replaces && !temporary && word.eq_ignore_ascii_case("SEQUENCE") {
            return Ok(Family::ReplaceBySequence);
        }
        if find(&OTHER_OBJECTS, word).is_some() {
            return Ok(Family::NoTableChange(verb));
        }
        let is = |name: &str| word.eq_ignore_ascii_case(name);
        let table = is("TABLE") || is("TABLES");
        let database = is("DATABASE") || is("SCHEMA");
        if table && temporary {
            return Ok(Family::NoTableChange("TEMPORARY TABLE"));
        }
        if table || database || is("INDEX") {
            return Ok(match (verb, table, database) {
                ("CREATE", true, _) => Family::CreateTable,
                ("CREATE", _, true) => Family::CreateDatabase,
                ("CREATE", ..) => Family::CreateIndex,
                ("ALTER", true, _) => Family::AlterTable,
                ("ALTER", _, true) => Family::AlterDatabase,
                ("ALTER", ..) => Family::Unknown,
                (_, true, _) => Family::DropTable,
                (_, _, true) => Family::DropDatabase,
                _ => Family::DropIndex,
            });
        }
    }
    Ok(Family::Unknown)
}

/// `SET STATEMENT variable = value, … FOR statement`.
fn wrapped(lexer: &mut Lexer<'_>) -> Result<Family> {
    let mut depth = 0u32;
    while let Some(token) = lexer.next_token()? {
        match token.token {
            Token::Punct('(') => depth += 1,
            Token::Punct(')') => depth = depth.saturating_sub(1),
            Token::Word(word) if depth == 0 && word.eq_ignore_ascii_case("FOR") => {
                return Ok(Family::Wrapped(token.end));
            }
            _ => {}
        }
    }
    Ok(Family::Unknown)
}
