//! RENAME TABLE, DROP TABLE, TRUNCATE TABLE: statements that name tables and say nothing of their insides.

use super::cursor::Cursor;
use super::statement::Statement;
use crate::error::Result;

/// RENAME TABLE a TO b, c TO d.
pub(super) fn rename_tables(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.expect_word("RENAME")?;
    table_word(cursor)?;
    cursor.eat_if_exists();
    let mut pairs = Vec::new();
    loop {
        let from = cursor.table_name()?;
        wait(cursor)?;
        cursor.expect_word("TO")?;
        pairs.push((from, cursor.table_name()?));
        if !cursor.eat_punct(',') {
            break;
        }
    }
    cursor.expect_end()?;
    Ok(Statement::RenameTables(pairs))
}

/// DROP TABLE a, b.
pub(super) fn drop_tables(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.expect_word("DROP")?;
    table_word(cursor)?;
    let if_exists = cursor.eat_if_exists();
    let mut tables = Vec::new();
    loop {
        tables.push(cursor.table_name()?);
        if !cursor.eat_punct(',') {
            break;
        }
    }
    wait(cursor)?;
    let _ = cursor.eat_any(&["RESTRICT", "CASCADE"]);
    cursor.expect_end()?;
    Ok(Statement::DropTables { if_exists, tables })
}

/// TRUNCATE [TABLE] a.
pub(super) fn truncate(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.expect_word("TRUNCATE")?;
    cursor.eat_word("TABLE");
    let table = cursor.table_name()?;
    wait(cursor)?;
    cursor.expect_end()?;
    Ok(Statement::Truncate(table))
}

fn table_word(cursor: &mut Cursor<'_>) -> Result<()> {
    match cursor.eat_any(&["TABLE", "TABLES"]) {
        Some(_) => Ok(()),
        None => Err(cursor.error("TABLE")),
    }
}

/// MariaDB's `WAIT n` and `NOWAIT`.
pub(super) fn wait(cursor: &mut Cursor<'_>) -> Result<()> {
    if cursor.eat_word("WAIT") {
        cursor.number()?;
    } else {
        cursor.eat_word("NOWAIT");
    }
    Ok(())
}
