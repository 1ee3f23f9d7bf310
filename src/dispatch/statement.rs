//! What a QUERY event means for the stream.

use crate::binlog::flavor::Flavor;
use crate::binlog::format::FormatDescription;
use crate::decode::query::Query;
use crate::error::Result;
use crate::schema::ddl::{self, Statement, XaCommand};

/// Databases of the server itself: what happens in them is not replicated.
const SYSTEM_DATABASES: [&str; 4] = ["mysql", "information_schema", "performance_schema", "sys"];

/// Longest part of a statement that an error shows, in characters.
const EXCERPT_CHARS: usize = 300;

/// What a statement means.
pub enum Meaning {
    /// A transaction begins.
    Begin,
    /// A transaction ends, its changes stay.
    End,
    /// Neither begins nor ends anything, and changes nothing by itself.
    InsideGroup,
    /// Changes no table that is followed.
    PassOver,
    /// Changes rows by statement.
    DataChange(&'static str),
    /// Changes a table's definition.
    Ddl(Box<Statement>),
    /// Nobody knows.
    NotUnderstood,
}

/// Whether a database belongs to the server itself.
pub fn is_system_database(name: &str) -> bool {
    SYSTEM_DATABASES.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// The database that a statement drops.
pub fn dropped_database(statement: &Statement) -> Option<&str> {
    match statement {
        Statement::DropDatabase { name, .. } => Some(name),
        _ => None,
    }
}

/// Reads a statement.
///
/// # Errors
/// `Unsupported` or `Schema` when a statement that changes a table cannot be read.
pub fn meaning(query: &Query, format: &FormatDescription) -> Result<Meaning> {
    let text = query.sql_text()?;
    let context = ddl::context_of(query, format.flavor, format.version);
    Ok(match ddl::parse(&text, &context)? {
        Statement::Begin | Statement::Xa(XaCommand::Start(_)) => Meaning::Begin,
        Statement::Commit | Statement::Rollback => Meaning::End,
        Statement::RollbackTo(_)
        | Statement::Savepoint(_)
        | Statement::ReleaseSavepoint(_)
        | Statement::Xa(_) => Meaning::InsideGroup,
        Statement::NoTableChange(_) => Meaning::PassOver,
        Statement::DataChange(what) => {
            if changes_system_table_only(query) { Meaning::PassOver } else { Meaning::DataChange(what) }
        }
        Statement::Unknown => Meaning::NotUnderstood,
        statement => Meaning::Ddl(Box::new(statement)),
    })
}

/// Tools write into system tables by statement (`mysql.rds_heartbeat2`): nothing that is followed changes.
fn changes_system_table_only(query: &Query) -> bool {
    is_system_database(&query.database)
}

/// The statement's beginning, for messages.
pub fn excerpt(query: &Query) -> String {
    let text = String::from_utf8_lossy(&query.sql);
    let mut excerpt: String = text.chars().take(EXCERPT_CHARS).collect();
    if text.chars().nth(EXCERPT_CHARS).is_some() {
        excerpt.push('…');
    }
    excerpt
}

/// Whether the source is MariaDB.
pub fn is_mariadb(format: &FormatDescription) -> bool {
    format.flavor == Flavor::MariaDb
}
