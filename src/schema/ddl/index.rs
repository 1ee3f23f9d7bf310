//! CREATE INDEX and DROP INDEX: other words for ALTER TABLE.

use super::cursor::Cursor;
use super::key::{index_kind, index_type, key_options, key_parts};
use super::rename::wait;
use super::statement::{AlterAction, AlterTable, KeyDef, Statement};
use crate::error::Result;
use crate::schema::table::IndexKind;

/// CREATE [OR REPLACE] [UNIQUE] INDEX [IF NOT EXISTS] name ON table (parts) options.
pub(super) fn create_index(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.expect_word("CREATE")?;
    let or_replace = cursor.eat_words(&["OR", "REPLACE"]);
    let _ = cursor.eat_any(&["ONLINE", "OFFLINE"]);
    let kind = index_kind(cursor);
    let if_not_exists = cursor.eat_if_not_exists();
    let name = cursor.name()?;
    let mut hash = index_type(cursor);
    cursor.expect_word("ON")?;
    let table = cursor.table_name()?;
    wait(cursor)?;
    let (parts, overlaps) = key_parts(cursor)?;
    hash |= key_options(cursor)?;
    let mut actions = Vec::new();
    if or_replace {
        actions.push(AlterAction::DropKey(name.clone()));
    }
    let kind = Some(if overlaps { IndexKind::Plain } else { kind });
    actions.push(AlterAction::AddKey(KeyDef {
        kind,
        name: Some(name),
        parts,
        if_not_exists,
        hash,
    }));
    Ok(Statement::AlterTable(Box::new(AlterTable {
        ignore: false,
        table,
        if_exists: false,
        actions,
    })))
}

/// DROP INDEX [IF EXISTS] name ON table options.
pub(super) fn drop_index(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.expect_word("DROP")?;
    let _ = cursor.eat_any(&["ONLINE", "OFFLINE"]);
    cursor.expect_word("INDEX")?;
    cursor.eat_if_exists();
    let name = cursor.name()?;
    cursor.expect_word("ON")?;
    let table = cursor.table_name()?;
    let action = match name.eq_ignore_ascii_case("PRIMARY") {
        true => AlterAction::DropPrimaryKey,
        false => AlterAction::DropKey(name),
    };
    Ok(Statement::AlterTable(Box::new(AlterTable {
        ignore: false,
        table,
        if_exists: false,
        actions: vec![action],
    })))
}
