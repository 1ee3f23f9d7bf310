//! What a QUERY event means for the stream.

use std::borrow::Cow;

use super::filter::Filter;
use crate::binlog::flavor::Flavor;
use crate::binlog::format::FormatDescription;
use crate::binlog::xa_id::XaId;
use crate::charset::Charset;
use crate::decode::query::{AlterPhase, Query};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::ddl::statement::XaCommand;
use crate::schema::ddl::statement::{AlterAction, ForeignKeyDef, TableElement};
use crate::schema::ddl::{self, SqlContext, Statement};

/// Databases of the server itself: what happens in them is not replicated. Servers know them in lower case only: where names
/// tell cases apart, `SYS` is somebody's own database (and a server that does not writes its names in lower case).
const SYSTEM_DATABASES: [&str; 4] = ["mysql", "information_schema", "performance_schema", "sys"];

/// Longest part of a statement that an error shows, in characters.
const EXCERPT_CHARS: usize = 300;

/// What a statement means.
pub enum Meaning {
    /// A transaction begins.
    Begin,
    /// A transaction ends, its changes stay.
    End,
    /// A transaction ends, its changes are gone.
    Rollback,
    /// Sets a savepoint.
    Savepoint(String),
    /// Takes back what was done since a savepoint.
    RollbackTo(String),
    /// Neither begins nor ends anything, and changes nothing by itself.
    InsideGroup,
    /// An XA transaction begins.
    XaBegin,
    /// Commits a transaction that was prepared before, in a group of its own.
    XaCommit(XaId),
    /// Drops a transaction that was prepared before, in a group of its own.
    XaRollback(XaId),
    /// Changes no table that is followed.
    PassOver,
    /// Changes rows by statement.
    DataChange(&'static str),
    /// Changes a table's definition.
    Ddl(Box<Statement>, Box<SqlContext>),
    /// Nobody knows.
    NotUnderstood,
}

/// Whether a database belongs to the server itself.
pub fn is_system_database(name: &str) -> bool {
    SYSTEM_DATABASES.contains(&name)
}

/// The databases that a statement reads or changes, without the server's own; sorted.
pub fn databases(statement: &Statement, default: &str) -> Vec<String> {
    let mut names: Vec<String> = statement
        .databases(default)
        .into_iter()
        .map(std::borrow::Cow::into_owned)
        .collect();
    if let Statement::CreateTable(create) = statement
        && let Some(like) = &create.like
    {
        names.push(like.database(default).to_owned());
    }
    names.retain(|name| !name.is_empty() && !is_system_database(name));
    names.sort_unstable();
    names.dedup();
    names
}

/// The databases that the foreign keys of a statement refer to.
pub fn referred_databases(statement: &Statement, default: &str) -> Vec<String> {
    let mut keys: Vec<&ForeignKeyDef> = Vec::new();
    match statement {
        Statement::CreateTable(create) => {
            for element in &create.elements {
                if let TableElement::ForeignKey(key) = element {
                    keys.push(key);
                }
            }
        }
        Statement::AlterTable(alter) => {
            for action in &alter.actions {
                if let AlterAction::AddForeignKey(key) = action {
                    keys.push(key);
                }
            }
        }
        _ => {}
    }
    let parents = keys.into_iter().map(|key| &key.parent);
    // Without a database the parent is in the child's.
    let named = parents.filter(|parent| parent.database.is_some());
    named
        .map(|parent| parent.database(default).to_owned())
        .collect()
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
    if let Some(AlterPhase::Start | AlterPhase::Rollback) = query.alter_phase {
        return Ok(Meaning::PassOver);
    }
    let context = context_of(query, format);
    let mut scratch = String::new();
    let text = match text_of(query, &context, &mut scratch) {
        Ok(text) => text,
        // Routines and triggers may hold raw bytes (`_binary'…'`); what changes no table need not be read.
        Err(_) if changes_no_table(&query.sql, &context) => return Ok(Meaning::PassOver),
        Err(error) => return Err(error),
    };
    Ok(match ddl::parse(&text, &context)? {
        Statement::Begin => Meaning::Begin,
        Statement::Xa(XaCommand::Start(_)) => Meaning::XaBegin,
        Statement::Commit => Meaning::End,
        Statement::Rollback => Meaning::Rollback,
        Statement::Savepoint(name) => Meaning::Savepoint(name),
        Statement::RollbackTo(name) => Meaning::RollbackTo(name),
        Statement::ReleaseSavepoint(_)
        | Statement::Xa(XaCommand::End(_) | XaCommand::Prepare(_)) => Meaning::InsideGroup,
        Statement::Xa(XaCommand::Commit { xid, .. }) => Meaning::XaCommit(xid),
        Statement::Xa(XaCommand::Rollback(xid)) => Meaning::XaRollback(xid),
        Statement::NoTableChange(_) => Meaning::PassOver,
        Statement::DataChange(what) => {
            if changes_system_table_only(query) {
                Meaning::PassOver
            } else {
                Meaning::DataChange(what)
            }
        }
        Statement::Unknown => Meaning::NotUnderstood,
        statement => Meaning::Ddl(Box::new(statement), Box::new(context)),
    })
}

/// Collation id of utf8mb4_general_ci: the charset of statements that were written here.
const UTF8MB4: u16 = 45;

/// The statement with the names that databases have here.
///
/// # Errors
/// As [`meaning`], and when the source has to be asked about names and cannot be.
pub fn in_names_here(
    mut query: Query,
    format: &FormatDescription,
    filter: &Filter,
) -> Result<Query> {
    if !filter.renames_databases() {
        return Ok(query);
    }
    let context = context_of(&query, format);
    let mut scratch = String::new();
    let text = filter.rewritten(&text_of(&query, &context, &mut scratch)?, &context)?;
    query.database = filter.name_here(&query.database)?.to_owned();
    Ok(match text {
        Some(text) => with_text(query, text),
        None => query,
    })
}

/// The event with another statement in its place.
pub fn with_text(query: Query, text: String) -> Query {
    Query {
        sql: text.into_bytes(),
        charsets: query
            .charsets
            .map(|(_, connection, server)| (UTF8MB4, connection, server)),
        ..query
    }
}

/// A statement that puts a sequence in a table's place drops the table, in words that every target knows.
pub fn in_words_of_tables(query: Query, statement: &Statement, context: &SqlContext) -> Query {
    let Statement::DropTables { tables, .. } = statement else {
        return query;
    };
    let family = ddl::classify(&String::from_utf8_lossy(&query.sql), context);
    if matches!(
        family,
        Ok(ddl::Family::DropTable | ddl::Family::Wrapped(_)) | Err(_)
    ) {
        return query;
    }
    let quoted = |name: &str| format!("`{}`", name.replace('`', "``"));
    let names: Vec<String> = tables
        .iter()
        .map(|table| match &table.database {
            Some(database) => format!("{}.{}", quoted(database), quoted(&table.name)),
            None => quoted(&table.name),
        })
        .collect();
    with_text(query, format!("DROP TABLE IF EXISTS {}", names.join(", ")))
}

/// The table that a statement changes which [`meaning`] cannot read, with its database, where its leading words say so. Bytes that
/// are not valid may stand anywhere but in the name.
pub fn named_table(query: &Query, format: &FormatDescription) -> Option<(String, String)> {
    let context = context_of(query, format);
    let mut scratch = String::new();
    let text = match text_of(query, &context, &mut scratch) {
        Ok(text) => text,
        Err(_) => String::from_utf8_lossy(&query.sql),
    };
    let table = ddl::named_table(&text, &context)?;
    if table.name.contains(char::REPLACEMENT_CHARACTER) {
        return None;
    }
    let database = table.database(&query.database).to_owned();
    Some((database, table.name))
}

/// The one table whose rows a statement changes, with its database, where that can be told.
pub fn changed_table(query: &Query, format: &FormatDescription) -> Option<(String, String)> {
    let context = context_of(query, format);
    let mut scratch = String::new();
    let table = ddl::changed_table(&text_of(query, &context, &mut scratch).ok()?, &context)?;
    let database = table.database(&query.database).to_owned();
    Some((database, table.name))
}

/// Whether a statement's first words, which are ASCII in every charset of a session, say that it changes no table.
fn changes_no_table(sql: &[u8], context: &SqlContext) -> bool {
    let family = ddl::classify(&String::from_utf8_lossy(sql), context);
    matches!(family, Ok(ddl::Family::NoTableChange(_)))
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

/// The session and server that a statement ran in.
fn context_of(query: &Query, format: &FormatDescription) -> SqlContext {
    let explicit_defaults = match format.flavor {
        Flavor::MySql => query.explicit_defaults_for_timestamp,
        Flavor::MariaDb => ddl::context::explicit_defaults_of_flags2(query.flags2, format.version),
    };
    SqlContext {
        sql_mode: query.sql_mode,
        collation_server: query.charsets.map(|(_, _, server)| server),
        collation_connection: query.charsets.map(|(_, connection, _)| connection),
        collation_database: query.collation_database,
        default_collation_utf8mb4: query.default_collation_utf8mb4,
        character_set_collations: query.character_set_collations.clone(),
        explicit_defaults_for_timestamp: explicit_defaults,
        time_zone: query.time_zone.clone(),
        ..SqlContext::new(format.flavor, format.version, query.database.as_str())
    }
}

/// The statement as text, from the charset that the session sent it in; strings that are bytes as hexadecimal literals.
fn text_of<'q>(
    query: &'q Query,
    context: &SqlContext,
    scratch: &'q mut String,
) -> Result<Cow<'q, str>> {
    let charset = match query.charsets {
        Some((client, _, _)) => Charset::by_collation_id(client).ok_or_else(|| {
            let what = format!("the session's charset (collation id {client}) is not known");
            Error::new(ErrorKind::Schema, what)
        })?,
        None => Charset::UTF8MB4,
    };
    if !query.sql.is_ascii() && (charset.is_binary() || charset.has_ascii_as_it_is()) {
        let is_text = |bytes: &[u8]| decoded(charset, bytes, &mut String::new()).is_some();
        if let Some(sql) = ddl::with_hex_literals(&query.sql, context, is_text) {
            let text = decoded(charset, &sql, scratch).ok_or_else(|| bad_text(charset, query))?;
            return Ok(Cow::Owned(text.to_owned()));
        }
    }
    match decoded(charset, &query.sql, scratch) {
        Some(text) => Ok(Cow::Borrowed(text)),
        None => Err(bad_text(charset, query)),
    }
}

fn decoded<'q>(charset: Charset, bytes: &'q [u8], scratch: &'q mut String) -> Option<&'q str> {
    match charset.is_binary() {
        true => std::str::from_utf8(bytes).ok(),
        false => charset.decode(bytes, scratch).ok(),
    }
}

fn bad_text(charset: Charset, query: &Query) -> Error {
    Error::new(
        ErrorKind::Schema,
        format!(
            "a statement is not valid in its session's charset {}: {}",
            charset.name(),
            excerpt(query)
        ),
    )
}
