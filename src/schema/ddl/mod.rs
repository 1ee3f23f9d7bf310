//! The DDL parser: a statement's text to a [`Statement`].
//!
//! Own tokeniser and recursive descent (docs/decisions says why). The leading keywords decide first: what changes no
//! table is passed over without looking at the rest, so nothing there can be misunderstood. What changes a table is
//! read in full, and anything not understood is an error that names the table, never a guess.
//!
//! Pure functions on text; the only allocations are for what the statement says. BEGIN and COMMIT, the two statements
//! that every transaction has, allocate nothing.

mod alter_table;
mod classify;
mod column;
pub mod context;
mod create_table;
mod cursor;
mod data_type;
mod database;
mod default;
mod foreign_key;
mod generated_text;
mod index;
mod key;
mod name_case;
mod named;
mod partition;
mod raw_text;
mod rename;
pub mod statement;
mod table_option;
pub mod token;
mod transaction;

pub use classify::{Family, classify};
pub use context::{Flavor, SqlContext};
pub(in crate::schema) use generated_text::with_new_names;
pub(in crate::schema) use key::PRIMARY;
pub use named::{changed_table, named_table};
pub use partition::CONVERT_TABLE;
pub use raw_text::with_hex_literals;
pub use statement::{Statement, TableName};

use crate::error::{Error, ErrorKind, Result};
use cursor::Cursor;

/// Reads a statement.
///
/// # Errors
/// `Schema` when the statement changes tables and is not understood; the error's location names the table where the
/// text got that far.
pub fn parse(sql: &str, context: &SqlContext) -> Result<Statement> {
    match sql {
        "BEGIN" => return Ok(Statement::Begin),
        "COMMIT" => return Ok(Statement::Commit),
        _ => {}
    }
    let family = classify(sql, context)?;
    let mut cursor = match family {
        Family::NoTableChange(keyword) => return Ok(Statement::NoTableChange(keyword)),
        Family::DataChange(keyword) => return Ok(Statement::DataChange(keyword)),
        Family::Unknown => return Ok(Statement::Unknown),
        Family::Wrapped(from) => return parse(sql.get(from..).unwrap_or_default(), context),
        _ => Cursor::new(sql, context)?,
    };
    let statement = match family {
        Family::Transaction => transaction::transaction(&mut cursor)?,
        Family::CreateTable => create_table::create_table(&mut cursor)?,
        Family::ReplaceBySequence => create_table::create_sequence(&mut cursor)?,
        Family::AlterTable => alter_table::alter_table(&mut cursor)?,
        Family::DropTable => rename::drop_tables(&mut cursor)?,
        Family::Truncate => rename::truncate(&mut cursor)?,
        Family::RenameTable => rename::rename_tables(&mut cursor)?,
        Family::CreateIndex => index::create_index(&mut cursor)?,
        Family::DropIndex => index::drop_index(&mut cursor)?,
        Family::CreateDatabase => database::create_database(&mut cursor)?,
        Family::AlterDatabase => database::alter_database(&mut cursor)?,
        Family::DropDatabase => database::drop_database(&mut cursor)?,
        Family::NoTableChange(_) | Family::DataChange(_) | Family::Unknown | Family::Wrapped(_) => {
            return Ok(Statement::Unknown);
        }
    };
    Ok(statement)
}

/// Reads a statement from its bytes, which must be UTF-8 by now.
///
/// # Errors
/// As [`parse`], and for bytes that are no UTF-8.
pub fn parse_bytes(sql: &[u8], context: &SqlContext) -> Result<Statement> {
    match std::str::from_utf8(sql) {
        Ok(sql) => parse(sql, context),
        Err(error) => Err(Error::new(
            ErrorKind::Schema,
            "statement text is not valid in its charset",
        )
        .with_source(error)),
    }
}

#[cfg(test)]
mod tests;
