//! A table's definition as the source has it now.

use crate::binlog::format::version_number;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::ddl::{Flavor, SqlContext, with_hex_literals};
use crate::schema::table::{Collation, Table};
use crate::schema::{bootstrap, collation};
use crate::wire::ResultSet;

/// MySQL's `ER_NO_SUCH_TABLE`.
const NO_SUCH_TABLE: u16 = 1146;
/// MySQL's `ER_BAD_DB_ERROR`.
const NO_SUCH_DATABASE: u16 = 1049;

/// Asks the source one question.
pub type Ask<'a> = &'a mut dyn FnMut(&str) -> Result<ResultSet>;

/// The table as the source has it now; `None` when it has none of that name. Changes settings of the session.
///
/// # Errors
/// `Schema` when the answer is not understood, or is a view; those of `ask`.
pub fn table(ask: Ask<'_>, database: &str, table: &str) -> Result<Option<Table>> {
    let Some((text, context)) = shown(ask, database, table)? else {
        return Ok(None);
    };
    if bootstrap::is_sequence(&text, &context) {
        return Ok(None);
    }
    let inherited =
        database_collation(ask, database)?.unwrap_or_else(|| context.server_collation());
    bootstrap::table_from_show_create(&text, &inherited, &context)
        .map(Some)
        .map_err(|error| error.at_table(database, table))
}

/// Whether the source has a sequence of that name now. Changes settings of the session.
///
/// # Errors
/// Those of `ask`.
pub fn is_sequence(ask: Ask<'_>, database: &str, table: &str) -> Result<bool> {
    match shown(ask, database, table) {
        Ok(Some((text, context))) => Ok(bootstrap::is_sequence(&text, &context)),
        Ok(None) => Ok(false),
        Err(error) if error.kind() == ErrorKind::Schema => Ok(false),
        Err(error) => Err(error),
    }
}

/// What SHOW CREATE TABLE says, and whose words it speaks.
fn shown(ask: Ask<'_>, database: &str, table: &str) -> Result<Option<(String, SqlContext)>> {
    let version = ask("SELECT VERSION() AS version")?;
    let context = context_of(&version.first("version").unwrap_or_default(), database);
    for sql in bootstrap::session_statements(context.flavor, context.version) {
        ask(sql)?;
    }
    let answer = match ask(&bootstrap::show_create_table(database, table)) {
        Ok(answer) => answer,
        Err(error) if matches!(error.errno(), NO_SUCH_TABLE | NO_SUCH_DATABASE) => return Ok(None),
        Err(error) => return Err(error),
    };
    let Some(text) = answer.first_bytes("Create Table") else {
        return Err(Error::new(
            ErrorKind::Schema,
            "the source shows no definition of the table (it may be a view now)",
        )
        .at_table(database, table));
    };
    // Defaults of binary columns may be printed as they are.
    let readable = with_hex_literals(text, &context, |bytes| std::str::from_utf8(bytes).is_ok());
    let text = String::from_utf8_lossy(readable.as_deref().unwrap_or(text));
    Ok(Some((text.into_owned(), context)))
}

/// Default collation of a database; `None` when the source has no such database, or it is not known.
///
/// # Errors
/// Those of `ask`.
pub fn database_collation(ask: Ask<'_>, database: &str) -> Result<Option<Collation>> {
    let answer = ask(&bootstrap::select_database_collation(database))?;
    let name = answer.rows.first().and_then(|row| row.first()?.as_deref());
    Ok(name.and_then(|name| collation::by_name(&String::from_utf8_lossy(name))))
}

/// Family and version from what `VERSION()` says: `10.11.6-MariaDB-log`, `8.4.3`.
fn context_of(version: &str, database: &str) -> SqlContext {
    let flavor = if version.contains("MariaDB") {
        Flavor::MariaDb
    } else {
        Flavor::MySql
    };
    SqlContext::new(flavor, version_number(version), database)
}
