//! The source's DDL, passed on in the source's own words.
//!
//! A statement runs on a connection of its own, in a session set as the source's was: default database, SQL mode,
//! charsets, time zone, clock, foreign key checks. A statement that names several databases is run once, by the lane
//! of the first one it names; the servers move tables between databases by themselves.
//!
//! # After a crash
//! DDL commits by itself, apart from the checkpoint behind it. So before a statement runs, the lane notes it together
//! with a digest of the definitions of its tables ([`Intent`]); the note goes away with the checkpoint. When a lane finds
//! a note, the next DDL it gets is the one noted, because the order in a database is the source's. It waits until the
//! session that began it is over (`lock`), then looks at the tables again:
//! - definitions as they were: the statement did not happen, and runs ([`Progress::Again`]);
//! - definitions changed: it happened ([`Progress::Done`]). It also counts as done when somebody made the change by hand
//!   because the target does not know the source's words. Only DROP TABLE of several tables runs again, without minding
//!   tables that are gone, because MariaDB may have stopped in the middle of it.
//!
//! A statement that leaves no trace in a definition (ALTER TABLE … FORCE, EXCHANGE PARTITION) runs again; of the
//! everyday ones none is harmed by that.

use std::fmt::Write as _;

use super::checkpoint::Intent;
use super::connection::Connection;
use super::definition::show_create;
use super::statement::quote;
use crate::apply::Ddl;
use crate::checkpoint::Checkpoint;
use crate::decode::query::Query;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::collation;
use crate::schema::ddl::{SqlContext, Statement};

/// `OPTION_NO_FOREIGN_KEY_CHECKS` in a QUERY event's flags (MySQL `sql/query_options.h`).
const FLAG_NO_FOREIGN_KEY_CHECKS: u32 = 1 << 26;
/// `OPTION_RELAXED_UNIQUE_CHECKS`.
const FLAG_RELAXED_UNIQUE_CHECKS: u32 = 1 << 27;

/// MySQL: unknown database.
const ER_BAD_DB: u16 = 1049;
/// MySQL: a table to drop is not there.
const ER_BAD_TABLE: u16 = 1051;
/// MySQL: unknown charset, unknown collation.
const UNKNOWN_CHARSET: [u16; 2] = [1115, 1273];
/// MySQL: what a server answers to words that it does not know: charset, syntax, variable, option, collation, engine.
const UNKNOWN_WORDS: [u16; 6] = [1115, 1064, 1193, 1911, 1273, 1286];

/// SQL modes that change what a DDL statement means, by their bits in the event; names that both servers know.
const SQL_MODES: [(u32, &str); 17] = [
    (0, "REAL_AS_FLOAT"),
    (1, "PIPES_AS_CONCAT"),
    (2, "ANSI_QUOTES"),
    (3, "IGNORE_SPACE"),
    (5, "ONLY_FULL_GROUP_BY"),
    (6, "NO_UNSIGNED_SUBTRACTION"),
    (7, "NO_DIR_IN_CREATE"),
    (19, "NO_AUTO_VALUE_ON_ZERO"),
    (20, "NO_BACKSLASH_ESCAPES"),
    (21, "STRICT_TRANS_TABLES"),
    (22, "STRICT_ALL_TABLES"),
    (23, "NO_ZERO_IN_DATE"),
    (24, "NO_ZERO_DATE"),
    (25, "ALLOW_INVALID_DATES"),
    (26, "ERROR_FOR_DIVISION_BY_ZERO"),
    (29, "HIGH_NOT_PRECEDENCE"),
    (30, "NO_ENGINE_SUBSTITUTION"),
];
/// SQL modes that only MariaDB knows.
const MARIADB_SQL_MODES: [(u32, &str); 2] = [(4, "IGNORE_BAD_TABLE_OPTIONS"), (9, "ORACLE")];

/// Longest piece of a statement shown in an error.
const SHOWN_CHARS: usize = 200;

/// How far a statement was when its lane met it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// Never begun.
    New,
    /// Begun, and not done.
    Again,
    /// Done already.
    Done,
}

/// What a note of an earlier attempt says about the statement at hand; `now` is what would be noted now. Positions do
/// not count: after a change of the source the same statement stands elsewhere.
pub(super) fn progress(left: Option<&Intent>, now: &Intent) -> Progress {
    match left {
        Some(left)
            if left.event_timestamp == now.event_timestamp && left.statement == now.statement =>
        {
            if left.tables_before == now.tables_before {
                Progress::Again
            } else {
                Progress::Done
            }
        }
        _ => Progress::New,
    }
}

/// A statement on its way to the target.
pub(super) struct Passage<'a> {
    at: &'a Checkpoint,
    query: &'a Query,
    statement: &'a Statement,
    context: &'a SqlContext,
    /// As it is sent.
    text: Vec<u8>,
}

impl<'a> Passage<'a> {
    /// The statement of a DDL event.
    pub(super) fn new(ddl: &Ddl<'a>) -> Self {
        let mut text = ddl.query.sql.clone();
        if let Statement::CreateTable(create) = ddl.statement
            && create.options.start_transaction
        {
            blank_start_transaction(&mut text);
        }
        Self {
            at: ddl.at,
            query: ddl.query,
            statement: ddl.statement,
            context: ddl.context,
            text,
        }
    }

    /// Whether it is the lane of this database that runs the statement.
    pub(super) fn is_run_by(&self, database: &str) -> bool {
        let databases = self.statement.databases(&self.query.database);
        databases.first().is_none_or(|first| first == database)
    }

    /// The first table that the statement names.
    pub(super) fn table(&self) -> Option<&'a str> {
        let tables = self.statement.tables(&self.query.database);
        tables.first().map(|(_, table)| *table)
    }

    /// What to note before the statement runs.
    pub(super) fn intent(&self, worker: &mut Connection) -> Result<Intent> {
        Ok(Intent {
            end: self.at.position.clone(),
            event_timestamp: self.query.timestamp,
            statement: self.text.clone(),
            tables_before: self.digest(worker)?,
        })
    }

    /// Runs the statement, unless it is done already.
    pub(super) fn run(&self, worker: &mut Connection, progress: Progress) -> Result<()> {
        let drops = matches!(self.statement, Statement::DropTables { .. });
        if progress == Progress::Done && !drops {
            tracing::info!(statement = %self.shown(), "ddl was done on the target already");
            return Ok(());
        }
        self.set_session(worker)?;
        match worker.query_bytes(&self.text, "running the source's DDL") {
            Err(error) if progress == Progress::Done && error.errno() == ER_BAD_TABLE => Ok(()),
            result => result.map_err(|error| self.refused(error, worker)),
        }
    }

    /// A digest of everything on the target that the statement can change and a definition shows.
    fn digest(&self, worker: &mut Connection) -> Result<String> {
        let mut text = String::new();
        let default = &self.query.database;
        let tables = self.statement.tables(default);
        for (database, table) in &tables {
            let definition = show_create(worker, database, table)?;
            let definition = definition
                .as_deref()
                .map_or("none".into(), without_auto_increment);
            let _ = writeln!(text, "{} {definition}", quote(table));
        }
        if matches!(self.statement, Statement::RenameTables(_)) {
            // Two tables alike may change places.
            for (database, table) in &tables {
                let _ = writeln!(text, "{}", self.created(worker, database, table)?);
            }
        }
        if tables.is_empty() {
            for database in self.statement.databases(default) {
                let rows: Vec<(String, String)> = worker.select(
                    "SELECT DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA \
                     WHERE SCHEMA_NAME = ?",
                    vec![database.as_ref().into()],
                    "reading a database's definition",
                )?;
                let _ = writeln!(text, "{rows:?}");
            }
        }
        let digest = worker.select(
            "SELECT SHA2(?, 256)",
            vec![text.into()],
            "computing a digest",
        )?;
        let missing = || Error::new(ErrorKind::Protocol, "the target computed no digest");
        digest.into_iter().next().ok_or_else(missing)
    }

    fn created(&self, worker: &mut Connection, database: &str, table: &str) -> Result<String> {
        let rows: Vec<Option<String>> = worker.select(
            "SELECT CAST(CREATE_TIME AS CHAR) FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?",
            vec![database.into(), table.into()],
            "reading a table's age",
        )?;
        Ok(rows.into_iter().flatten().next().unwrap_or_default())
    }

    /// Whether the statement may make a TIMESTAMP column: the word stands somewhere in it.
    fn has_timestamps(&self) -> bool {
        const WORD: &[u8] = b"TIMESTAMP";
        let mut words = self.text.windows(WORD.len());
        words.any(|word| word.eq_ignore_ascii_case(WORD))
    }

    /// Sets the session as the source's was.
    fn set_session(&self, worker: &mut Connection) -> Result<()> {
        let query = self.query;
        let mut sql = format!(
            "SET SESSION sql_mode = '{}', timestamp = {}.{:06}, foreign_key_checks = {}, unique_checks = {}",
            sql_mode(query.sql_mode, worker.server.mariadb),
            query.timestamp,
            query.micros,
            u8::from(query.flags2 & FLAG_NO_FOREIGN_KEY_CHECKS == 0),
            u8::from(query.flags2 & FLAG_RELAXED_UNIQUE_CHECKS == 0),
        );
        if let Some(zone) = &query.time_zone {
            let zone: String = zone.chars().filter(|c| !matches!(c, '\'' | '\\')).collect();
            let _ = write!(sql, ", time_zone = '{zone}'");
        }
        worker.query(
            &sql,
            "setting a session for DDL (an unknown time zone is loaded with mysql_tzinfo_to_sql)",
        )?;
        if self.has_timestamps() {
            let wanted = self.context.timestamps_are_explicit();
            set_if_other(worker, "explicit_defaults_for_timestamp", wanted.into())?;
        }
        if let Some(wanted) = query
            .default_collation_utf8mb4
            .filter(|_| !worker.server.mariadb)
            && let Some(wanted) = collation::by_id(wanted)
        {
            set_default_collation(worker, &wanted.name)?;
        }
        if !query.database.is_empty() {
            match worker.query(
                &format!("USE {}", quote(&query.database)),
                "choosing a database",
            ) {
                // A statement that names its databases does not need it.
                Err(error) if error.errno() == ER_BAD_DB => {}
                result => result?,
            }
        }
        self.set_charsets(worker)
    }

    /// The charsets last: what the client sends from now on is in the source's.
    fn set_charsets(&self, worker: &mut Connection) -> Result<()> {
        let Some((client, connection, server)) = self.query.charsets else {
            return Ok(());
        };
        let doing = "setting the charset for DDL";
        match worker.query(&format!("SET SESSION collation_server = {server}"), doing) {
            Err(error) if UNKNOWN_CHARSET.contains(&error.errno()) => {
                // Only a database that names no charset gets the server's.
                if matches!(self.statement, Statement::CreateDatabase { charset, .. } if charset.is_empty())
                {
                    return Err(self.refused(error, worker));
                }
            }
            result => result?,
        }
        // A server that lacks the collation still reads text of the charset.
        for (number, exact, by_charset) in [
            (
                connection,
                "collation_connection",
                "character_set_connection",
            ),
            (client, "character_set_client", "character_set_client"),
        ] {
            match worker.query(&format!("SET SESSION {exact} = {number}"), doing) {
                Err(error) if UNKNOWN_CHARSET.contains(&error.errno()) => {
                    let Some(known) = collation::by_id(number) else {
                        return Err(self.refused(error, worker));
                    };
                    worker.query(
                        &format!("SET SESSION {by_charset} = {}", known.charset),
                        doing,
                    )?;
                }
                result => result?,
            }
        }
        Ok(())
    }

    fn refused(&self, error: Error, worker: &Connection) -> Error {
        if error.kind() == ErrorKind::TargetBusy {
            return error;
        }
        let errno = error.errno();
        let server = &worker.server.version;
        let (kind, cure) = if UNKNOWN_WORDS.contains(&errno) {
            let cure = "the target does not know the source's words; make the change on the target in its own words \
                        and start again: it then counts as done";
            (ErrorKind::Schema, cure)
        } else {
            (
                error.kind(),
                "remove the cause on the target and start again",
            )
        };
        let what = format!("the target ({server}) refused `{}`; {cure}", self.shown());
        let error = Error::new(kind, what).with_errno(errno).with_source(error);
        match self.statement.tables(&self.query.database).first() {
            Some((database, table)) => error.at_table(database, table),
            None => error,
        }
    }

    /// The beginning of the statement, for messages.
    fn shown(&self) -> String {
        String::from_utf8_lossy(&self.text)
            .chars()
            .take(SHOWN_CHARS)
            .collect()
    }
}

/// CREATE TABLE … START TRANSACTION is only understood from a binlog; the rows that follow come as rows anyway.
fn blank_start_transaction(text: &mut [u8]) {
    const WORDS: &[u8] = b"START TRANSACTION";
    let at = text
        .windows(WORDS.len())
        .rposition(|words| words.eq_ignore_ascii_case(WORDS));
    if let Some(words) = at.and_then(|at| text.get_mut(at..at + WORDS.len())) {
        words.fill(b' ');
    }
}

/// `SHOW CREATE TABLE` without the counter, which moves by itself.
fn without_auto_increment(definition: &str) -> std::borrow::Cow<'_, str> {
    const WORD: &str = " AUTO_INCREMENT=";
    // Table options stand behind the last line break; a column's comment may hold the same words.
    let options = definition.rfind("\n)").unwrap_or(0);
    let Some(at) = definition.get(options..).and_then(|tail| tail.find(WORD)) else {
        return definition.into();
    };
    let (head, tail) = definition.split_at(options + at);
    let tail = tail
        .trim_start_matches(WORD)
        .trim_start_matches(|c: char| c.is_ascii_digit());
    format!("{head}{tail}").into()
}

/// The names of an event's SQL mode that the target knows and that matter to DDL.
fn sql_mode(bits: u64, mariadb: bool) -> String {
    let own = if mariadb {
        MARIADB_SQL_MODES.as_slice()
    } else {
        &[]
    };
    let modes = SQL_MODES.iter().chain(own);
    let names: Vec<&str> = modes
        .filter(|(bit, _)| bits >> bit & 1 == 1)
        .map(|(_, name)| *name)
        .collect();
    names.join(",")
}

/// Sets a variable only where it differs: setting it at all may take a privilege.
fn set_if_other(worker: &mut Connection, name: &str, wanted: u64) -> Result<()> {
    let current: Vec<u64> =
        worker.select_text(&format!("SELECT @@SESSION.{name}"), "asking for a variable")?;
    if current.first() == Some(&wanted) {
        return Ok(());
    }
    worker.query(
        &format!("SET SESSION {name} = {wanted}"),
        "setting a session for DDL",
    )
}

fn set_default_collation(worker: &mut Connection, wanted: &str) -> Result<()> {
    const NAME: &str = "default_collation_for_utf8mb4";
    let current: Vec<String> =
        worker.select_text(&format!("SELECT @@SESSION.{NAME}"), "asking for a variable")?;
    if current.first().is_some_and(|current| current == wanted) {
        return Ok(());
    }
    worker.query(
        &format!("SET SESSION {NAME} = {wanted}"),
        "setting a session for DDL",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binlog::position::Position;

    fn intent(timestamp: u32, statement: &[u8], tables: &str) -> Intent {
        Intent {
            end: Position::new("binlog.000001", 4),
            event_timestamp: timestamp,
            statement: statement.to_vec(),
            tables_before: tables.to_owned(),
        }
    }

    #[test]
    fn a_note_counts_only_for_the_statement_it_was_made_for() {
        let now = intent(5, b"ALTER", "b");
        assert_eq!(progress(None, &now), Progress::New);
        assert_eq!(
            progress(Some(&intent(4, b"ALTER", "b")), &now),
            Progress::New
        );
        assert_eq!(
            progress(Some(&intent(5, b"DROP", "b")), &now),
            Progress::New
        );
        assert_eq!(
            progress(Some(&intent(5, b"ALTER", "b")), &now),
            Progress::Again
        );
        assert_eq!(
            progress(Some(&intent(5, b"ALTER", "a")), &now),
            Progress::Done
        );
    }

    #[test]
    fn the_counter_is_no_part_of_a_definition() {
        let text = "CREATE TABLE `t` (\n  `a` int COMMENT ' AUTO_INCREMENT=1'\n) ENGINE=InnoDB AUTO_INCREMENT=57 X=1";
        let expected =
            "CREATE TABLE `t` (\n  `a` int COMMENT ' AUTO_INCREMENT=1'\n) ENGINE=InnoDB X=1";
        assert_eq!(without_auto_increment(text), expected);
        assert_eq!(without_auto_increment(expected), expected);
    }

    #[test]
    fn sql_modes_go_by_name_where_the_target_knows_them() {
        let bits = 1 << 2 | 1 << 9 | 1 << 22 | 1 << 28 | 1 << 40;
        assert_eq!(sql_mode(bits, false), "ANSI_QUOTES,STRICT_ALL_TABLES");
        assert_eq!(sql_mode(bits, true), "ANSI_QUOTES,STRICT_ALL_TABLES,ORACLE");
    }

    #[test]
    fn start_transaction_is_blanked_in_any_case() {
        let mut text = b"create table t (a int) start transaction".to_vec();
        blank_start_transaction(&mut text);
        assert_eq!(text.trim_ascii_end(), b"create table t (a int)");
        blank_start_transaction(&mut text);
        assert_eq!(text.trim_ascii_end(), b"create table t (a int)");
    }
}
