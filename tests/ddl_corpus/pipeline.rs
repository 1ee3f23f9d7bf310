//! Statements through the whole pipeline, with rows between them: the source is a real server, and at the end everything is
//! compared with it, definitions and rows.

use std::panic::{AssertUnwindSafe, catch_unwind};

use relaylite::schema::collation;
use relaylite::schema::ddl::{self, SqlContext, Statement};
use relaylite::schema::table::Table;

use super::rows::some_rows;
use super::{context_of, definition_difference, is_known_difference};
use crate::support::compare::{
    assert_database_equal, assert_equal, database_path, databases, files, open,
};
use crate::support::relaylite::{Replica, Status};
use crate::support::server::{REPL_USER, Server, Session};

/// Why a table may be set aside: what docs/limits.md says that only the source knows.
const STATED: [&str; 11] = [
    " changes rows that no row event names",
    "only the source knows what this ALTER makes of the stored rows",
    "columns that come from a query are learnt from the source",
    "not valid in its session's charset",
    // Of a table that is set aside for one of the others.
    ", which is not known",
    "it was a sequence",
    "its history is kept by transaction numbers",
    "it cannot be followed crash-safely",
    NOT_COMPUTED,
    // Of a table that has generated columns only.
    "a row change whose image names no column",
    // ENUM(0xFFFF): a label that no text stands for.
    "a label in UTF-8 wanted",
];

/// Set aside so, a table is not read afresh by itself.
const NOT_COMPUTED: &str = "its expression cannot be computed here";

/// A server that runs statements of a corpus.
pub(super) struct Replay {
    server: Server,
    session: Session,
    number: u64,
    file: u32,
    accepted: usize,
    refused: usize,
    changing: usize,
}

impl Replay {
    pub(super) fn on(server: Server) -> Self {
        let session = server.client();
        Self {
            server,
            session,
            number: 0,
            file: 0,
            accepted: 0,
            refused: 0,
            changing: 0,
        }
    }

    pub(super) fn session(&mut self) -> &mut Session {
        &mut self.session
    }

    /// A new session; what the last one had open is gone.
    pub(super) fn new_session(&mut self, setup: &str) {
        self.session = self.server.client();
        self.session.exec(setup);
    }

    /// Another file of statements: a session and a database of its own.
    pub(super) fn start_file(&mut self, path: &std::path::Path) {
        self.file += 1;
        let database = format!("file_{}", self.file);
        eprintln!("{database}: {}", path.display());
        self.new_session(&format!(
            "CREATE DATABASE {database}; USE {database}; SET foreign_key_checks = 0"
        ));
    }

    /// Gives back what a statement may hold, and goes on in a session that works.
    pub(super) fn tidy(&mut self) {
        let tidied = self
            .session
            .try_exec("ROLLBACK; UNLOCK TABLES; SET autocommit = 1, sql_log_bin = 1");
        if tidied.is_err() {
            let database = format!("file_{}", self.file);
            self.new_session(&format!("USE {database}"));
        }
    }

    /// The session's own settings, which decide what a statement names.
    fn context(&mut self) -> Option<SqlContext> {
        let settings = "SELECT ifnull(DATABASE(), ''), @@sql_mode";
        let rows = self.session.query_strings(settings);
        let (database, modes) = (rows[0][0].clone()?, rows[0][1].clone()?);
        let bit = |mode: &str, bit: u64| u64::from(modes.contains(mode)) << bit;
        Some(SqlContext {
            sql_mode: bit("ANSI_QUOTES", 2) | bit("NO_BACKSLASH_ESCAPES", 20),
            ..context_of(self.server.flavor(), self.server.version(), &database)
        })
    }

    /// Runs a statement, once more without the rows of its tables where they are in its way. Where it changes tables, each gets
    /// some rows afterwards.
    pub(super) fn run(&mut self, sql: &str) -> Result<(), String> {
        let Some(context) = self.context() else {
            return Err("a session that is lost".to_owned());
        };
        let statement = ddl::parse(sql, &context).ok();
        if let Err(error) = self.session.try_exec(sql) {
            let tables = statement
                .as_ref()
                .map(|statement| statement.tables(&context.default_database));
            for (database, table) in tables.unwrap_or_default() {
                let name = quoted_name(database, table);
                let _ = self.session.try_exec(&format!("DELETE FROM {name}"));
            }
            if self.session.try_exec(sql).is_err() {
                self.refused += 1;
                return Err(error.to_string());
            }
        }
        self.accepted += 1;
        let Some(statement) = statement.filter(Statement::is_ddl) else {
            return Ok(());
        };
        self.changing += 1;
        for (database, table) in statement.tables(&context.default_database) {
            self.fill(database, table);
        }
        Ok(())
    }

    fn fill(&mut self, database: &str, table: &str) {
        let name = quoted_name(database, table);
        if self
            .session
            .try_exec(&format!("SELECT 1 FROM {name} LIMIT 0"))
            .is_ok()
        {
            self.number += 2;
            some_rows(&mut self.session, database, table, self.number);
        }
        // MERGE tables over nothing, engines without a server behind them: nobody can read their rows.
        if self
            .session
            .try_exec(&format!("SELECT 1 FROM {name} LIMIT 1"))
            .is_err()
        {
            let _ = self.session.try_exec(&format!("DROP TABLE {name}"));
        }
    }

    /// Replicates it all and compares. Nothing may be set aside but for a stated reason.
    pub(super) fn finish(self, what: &str) {
        eprintln!(
            "{what} on {:?}: {} accepted, {} of them change tables; {} refused",
            self.server.version(),
            self.accepted,
            self.changing,
            self.refused
        );
        // Tables of engines without transactions are read afresh under a lock.
        self.server
            .exec(&format!("GRANT LOCK TABLES ON *.* TO {REPL_USER}"));
        let replica = Replica::of(&self.server);
        let running = replica.follow();
        replica.wait_for_status("everything applied, or an error", |status| {
            let (file, pos) = self.server.position();
            status.number("Last_SQL_Errno") != 0
                || status.text("Relay_Source_Log_File") == file
                    && status.number("Exec_Source_Log_Pos") >= pos
        });
        let status = replica.status();
        let mut wrong = Vec::new();
        if status.text("Replica_SQL_Running") != "Yes" {
            wrong.push(format!("it stopped: {}", status.text("Last_SQL_Error")));
        }
        for line in replica
            .log()
            .lines()
            .filter(|line| line.contains("table set aside"))
        {
            if !STATED.iter().any(|reason| line.contains(reason)) {
                wrong.push(format!("set aside: {line}"));
            }
        }
        let by_hand = not_computed(&status);
        if !by_hand.is_empty() {
            let by_hand: Vec<&str> = by_hand.iter().map(String::as_str).collect();
            let (code, said) = replica.resync(&by_hand);
            assert_eq!(code, 0, "{said}");
        }
        if wrong.is_empty() {
            replica.wait_until_sound();
        } else if status.text("Replica_SQL_Running") == "Yes" {
            // What else differs is worth to be seen, too.
            replica.wait_for_status("every table read afresh that can be", |status| {
                status.json["Resyncs"].as_array().unwrap().is_empty()
            });
        }
        eprintln!(
            "Passed_Over_Statements {}",
            status.number("Passed_Over_Statements")
        );
        wrong.extend(self.compare(&replica));
        assert!(
            wrong.is_empty(),
            "{} differ\n{}",
            wrong.len(),
            wrong.join("\n\n")
        );
        assert_equal(&self.server, &replica.target_dir());
        drop(running);
    }

    fn compare(&self, replica: &Replica) -> Vec<String> {
        let mut session = self.server.client();
        let target = replica.target_dir();
        let mut wrong = Vec::new();
        for database in databases(&mut session) {
            let compared =
                AssertUnwindSafe(|| assert_database_equal(&self.server, &target, &database));
            if let Err(panic) = catch_unwind(compared) {
                wrong.push(panic.downcast_ref::<String>().cloned().unwrap_or_default());
            }
            if !files(&target).iter().any(|(name, _)| *name == database) {
                continue;
            }
            let rows = session.query_strings(&format!(
                "SELECT default_collation_name FROM information_schema.schemata WHERE schema_name = '{}'",
                database.replace('\'', "''")
            ));
            let Some(Some(inherited)) = rows.first().and_then(|row| row.first()) else {
                continue;
            };
            let inherited = collation::by_name(inherited).unwrap();
            let context = context_of(self.server.flavor(), self.server.version(), &database);
            for table in definitions(&database_path(&target, &database)) {
                let what =
                    definition_difference(&table, &inherited, &context, &mut session, &database);
                if let Some(what) =
                    what.filter(|_| !is_known_difference(&made(&database, &table.name)))
                {
                    wrong.push(format!("{database}.{}: {what}", table.name));
                }
            }
        }
        wrong
    }
}

/// Tables with values that MariaDB 11.8 does not log and that are not computed here: somebody has to read them afresh.
fn not_computed(status: &Status) -> Vec<String> {
    let is_one = |table: &String| {
        let reason = status.aside(table)["Reason"].as_str().unwrap().to_owned();
        reason.contains(NOT_COMPUTED) || reason.contains("whose image names no column")
    };
    status.set_aside().into_iter().filter(is_one).collect()
}

/// The definitions that a file of the target has.
fn definitions(path: &std::path::Path) -> Vec<Table> {
    let sqlite = open(path);
    let mut statement = sqlite
        .prepare("SELECT definition FROM _relaylite_catalog")
        .unwrap();
    let rows = statement
        .query_map([], |row| row.get::<_, String>(0))
        .unwrap();
    rows.map(|text| serde_json::from_str(&text.unwrap()).unwrap())
        .collect()
}

/// The beginning of the statement that made a table, as [`is_known_difference`] has it.
fn made(database: &str, table: &str) -> String {
    match database.starts_with("q") {
        false => format!("CREATE TABLE {table}"),
        true => format!("CREATE TABLE {database}.{table}"),
    }
}

fn quoted_name(database: &str, table: &str) -> String {
    format!(
        "`{}`.`{}`",
        database.replace('`', "``"),
        table.replace('`', "``")
    )
}
