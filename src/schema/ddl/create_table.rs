//! CREATE TABLE.

use super::column::column;
use super::cursor::Cursor;
use super::key::{begins_key, key_or_constraint};
use super::statement::{CreateTable, Statement, TableElement, TableName, TableOptions};
use super::table_option::table_option;
use super::token::Token;
use crate::error::Result;

/// CREATE [OR REPLACE] TABLE [IF NOT EXISTS] name …
pub(super) fn create_table(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.expect_word("CREATE")?;
    let or_replace = cursor.eat_words(&["OR", "REPLACE"]);
    // HeatWave's EXTERNAL tables hold no rows of their own, and none come in the binlog.
    if cursor.eat_word("EXTERNAL") {
        return Ok(Statement::NoTableChange("EXTERNAL TABLE"));
    }
    cursor.expect_word("TABLE")?;
    let if_not_exists = cursor.eat_if_not_exists();
    let table = cursor.table_name()?;
    let mut create = CreateTable {
        table,
        if_not_exists,
        or_replace,
        elements: Vec::new(),
        like: None,
        options: TableOptions::default(),
        select: false,
    };
    let database = create
        .table
        .database(&cursor.context.default_database)
        .to_owned();
    let name = create.table.name.clone();
    body(cursor, &mut create).map_err(|error| error.at_table(&database, &name))?;
    if create.options.sequence == Some(true) {
        return Ok(sequence(create.table, create.or_replace));
    }
    Ok(Statement::CreateTable(Box::new(create)))
}

/// `CREATE OR REPLACE SEQUENCE [IF NOT EXISTS] name …`. What it says of the sequence is not looked at.
pub(super) fn create_sequence(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.expect_word("CREATE")?;
    let or_replace = cursor.eat_words(&["OR", "REPLACE"]);
    cursor.expect_word("SEQUENCE")?;
    cursor.eat_if_not_exists();
    Ok(sequence(cursor.table_name()?, or_replace))
}

/// A sequence is no table here; but it may take the place of one.
fn sequence(name: TableName, or_replace: bool) -> Statement {
    match or_replace {
        true => Statement::DropTables {
            if_exists: true,
            tables: vec![name],
        },
        false => Statement::NoTableChange("CREATE SEQUENCE"),
    }
}

fn body(cursor: &mut Cursor<'_>, create: &mut CreateTable) -> Result<()> {
    let parenthesised_like = cursor.is_punct('(') && cursor.is_word_at(1, "LIKE");
    if parenthesised_like {
        cursor.advance();
    }
    if cursor.eat_word("LIKE") {
        create.like = Some(cursor.table_name()?);
        if parenthesised_like {
            cursor.expect_punct(')')?;
        }
        return cursor.expect_end();
    }
    if cursor.is_punct('(') && !begins_query(cursor, 1) {
        create.elements = elements(cursor)?;
    }
    while !cursor.is_end() {
        if cursor.eat_punct(',') {
            continue;
        }
        if eat_query(cursor) {
            create.select = true;
            return Ok(());
        }
        table_option(cursor, &mut create.options)?;
    }
    Ok(())
}

/// Whether a query begins `ahead` of the cursor.
fn begins_query(cursor: &Cursor<'_>, ahead: usize) -> bool {
    match cursor.peek_at(ahead) {
        Some(Token::Punct('(')) => begins_query(cursor, ahead + 1),
        Some(Token::Word(_)) => {
            ["SELECT", "VALUES", "TABLE"]
                .iter()
                .any(|word| cursor.is_word_at(ahead, word))
                || cursor.is_word_at(ahead, "WITH") && !cursor.is_word_at(ahead + 1, "SYSTEM")
        }
        _ => false,
    }
}

/// `[IGNORE | REPLACE] [AS] query`: whether it stands at the cursor. What the query says is not looked at.
fn eat_query(cursor: &Cursor<'_>) -> bool {
    let mut ahead = 0;
    if cursor.is_word("IGNORE") || cursor.is_word("REPLACE") {
        ahead = 1;
    }
    if cursor.is_word_at(ahead, "AS") {
        ahead += 1;
    }
    begins_query(cursor, ahead)
}

/// Columns, keys and constraints in parentheses.
fn elements(cursor: &mut Cursor<'_>) -> Result<Vec<TableElement>> {
    cursor.expect_punct('(')?;
    let mut elements = Vec::new();
    loop {
        element(cursor, &mut elements)?;
        if !cursor.eat_punct(',') {
            break;
        }
    }
    cursor.expect_punct(')')?;
    Ok(elements)
}

/// One of them; keys written behind a column follow it.
pub(super) fn element(cursor: &mut Cursor<'_>, elements: &mut Vec<TableElement>) -> Result<()> {
    if begins_key(cursor) {
        elements.extend(key_or_constraint(cursor)?);
        return Ok(());
    }
    if begins_period(cursor) {
        elements.push(period(cursor)?);
        return Ok(());
    }
    let mut extras = Vec::new();
    elements.push(TableElement::Column(column(cursor, &mut extras)?));
    elements.append(&mut extras);
    Ok(())
}

/// Whether a period begins at the cursor, and not a column of that name.
pub(super) fn begins_period(cursor: &Cursor<'_>) -> bool {
    cursor.is_word("PERIOD") && (cursor.is_word_at(1, "FOR") || cursor.is_word_at(1, "IF"))
}

/// PERIOD [IF NOT EXISTS] FOR name (from, to).
pub(super) fn period(cursor: &mut Cursor<'_>) -> Result<TableElement> {
    cursor.expect_word("PERIOD")?;
    cursor.eat_if_not_exists();
    cursor.expect_word("FOR")?;
    let name = cursor.name()?;
    let columns = cursor.name_list()?;
    match <[String; 2]>::try_from(columns) {
        Ok([from, to]) if name.eq_ignore_ascii_case("SYSTEM_TIME") => {
            Ok(TableElement::SystemPeriod(from, to))
        }
        Ok([from, to]) => Ok(TableElement::ApplicationPeriod(from, to)),
        Err(_) => Err(cursor.error("two columns of a period")),
    }
}
