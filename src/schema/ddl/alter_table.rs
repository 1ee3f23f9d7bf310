//! ALTER TABLE.

use super::column::{column, column_body};
use super::create_table::{begins_period, element, period};
use super::cursor::Cursor;
use super::default::default_value;
use super::key::{begins_key, key_or_constraint};
use super::partition;
use super::rename::wait;
use super::statement::{
    AlterAction, AlterTable, CharsetSpec, ColumnPlace, Statement, TableElement, TableOptions,
};
use super::table_option::{charset_name, eat_charset_words, table_option};
use super::token::Token;
use crate::error::Result;

/// ALTER [ONLINE] [IGNORE] TABLE [IF EXISTS] name action, …
pub(super) fn alter_table(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.expect_word("ALTER")?;
    let mut ignore = false;
    while let Some(word) = cursor.eat_any(&["ONLINE", "OFFLINE", "IGNORE"]) {
        ignore |= word == "IGNORE";
    }
    cursor.expect_word("TABLE")?;
    let if_exists = cursor.eat_if_exists();
    let table = cursor.table_name()?;
    let mut alter = AlterTable {
        table,
        ignore,
        if_exists,
        actions: Vec::new(),
    };
    let database = alter
        .table
        .database(&cursor.context.default_database)
        .to_owned();
    let name = alter.table.name.clone();
    actions(cursor, &mut alter.actions).map_err(|error| error.at_table(&database, &name))?;
    Ok(Statement::AlterTable(Box::new(alter)))
}

fn actions(cursor: &mut Cursor<'_>, all: &mut Vec<AlterAction>) -> Result<()> {
    wait(cursor)?;
    while !cursor.is_end() {
        if cursor.eat_punct(',') {
            continue;
        }
        if let Some(found) = partition::eat_action(cursor)? {
            all.extend(found);
            continue;
        }
        action(cursor, all)?;
    }
    Ok(())
}

fn action(cursor: &mut Cursor<'_>, all: &mut Vec<AlterAction>) -> Result<()> {
    match cursor.eat_any(&[
        "ADD", "CHANGE", "MODIFY", "ALTER", "DROP", "RENAME", "CONVERT",
    ]) {
        Some("ADD") => add(cursor, all),
        Some("CHANGE") => change(cursor, all, true),
        Some("MODIFY") => change(cursor, all, false),
        Some("ALTER") => alter(cursor, all),
        Some("DROP") => drop(cursor, all),
        Some("RENAME") => rename(cursor, all),
        Some(_) => convert(cursor, all),
        None => other(cursor, all),
    }
}

/// Keys and foreign keys as actions.
fn push_elements(elements: Vec<TableElement>, all: &mut Vec<AlterAction>) {
    for element in elements {
        all.push(match element {
            TableElement::Column(column) => AlterAction::AddColumn {
                column,
                place: None,
                if_not_exists: false,
            },
            TableElement::Key(key) => AlterAction::AddKey(key),
            TableElement::ForeignKey(key) => AlterAction::AddForeignKey(key),
            TableElement::SystemPeriod(from, to) => AlterAction::AddSystemPeriod(from, to),
            TableElement::ApplicationPeriod(from, to) => {
                AlterAction::AddApplicationPeriod(from, to)
            }
        });
    }
}

fn add(cursor: &mut Cursor<'_>, all: &mut Vec<AlterAction>) -> Result<()> {
    if cursor.eat_words(&["SYSTEM", "VERSIONING"]) {
        all.push(AlterAction::AddSystemVersioning);
        return Ok(());
    }
    if begins_period(cursor) {
        push_elements(vec![period(cursor)?], all);
        return Ok(());
    }
    if begins_key(cursor) {
        push_elements(key_or_constraint(cursor)?.into_iter().collect(), all);
        return Ok(());
    }
    // COLUMN is a reserved word; a column may not be called so without quotes.
    cursor.eat_word("COLUMN");
    let if_not_exists = cursor.eat_if_not_exists();
    if cursor.eat_punct('(') {
        loop {
            let mut elements = Vec::new();
            element(cursor, &mut elements)?;
            let from = all.len();
            push_elements(elements, all);
            for action in all.iter_mut().skip(from) {
                if let AlterAction::AddColumn {
                    if_not_exists: may_be,
                    ..
                } = action
                {
                    *may_be = if_not_exists;
                }
            }
            if !cursor.eat_punct(',') {
                return cursor.expect_punct(')');
            }
        }
    }
    let mut extras = Vec::new();
    let column = column(cursor, &mut extras)?;
    let place = place(cursor)?;
    all.push(AlterAction::AddColumn {
        column,
        place,
        if_not_exists,
    });
    push_elements(extras, all);
    Ok(())
}

/// FIRST or AFTER column.
fn place(cursor: &mut Cursor<'_>) -> Result<Option<ColumnPlace>> {
    if cursor.eat_word("FIRST") {
        return Ok(Some(ColumnPlace::First));
    }
    if cursor.eat_word("AFTER") {
        return Ok(Some(ColumnPlace::After(cursor.column_name()?)));
    }
    Ok(None)
}

/// CHANGE COLUMN old new …, or MODIFY COLUMN name ….
fn change(cursor: &mut Cursor<'_>, all: &mut Vec<AlterAction>, renames: bool) -> Result<()> {
    cursor.eat_word("COLUMN");
    let if_exists = cursor.eat_if_exists();
    let old = cursor.column_name()?;
    let new = if renames {
        cursor.column_name()?
    } else {
        old.clone()
    };
    let mut extras = Vec::new();
    let column = column_body(cursor, new, &mut extras)?;
    let place = place(cursor)?;
    all.push(AlterAction::ChangeColumn {
        old,
        column,
        place,
        if_exists,
    });
    push_elements(extras, all);
    Ok(())
}

/// ALTER COLUMN, ALTER INDEX, ALTER CHECK.
fn alter(cursor: &mut Cursor<'_>, all: &mut Vec<AlterAction>) -> Result<()> {
    let what = ["INDEX", "KEY", "CHECK", "CONSTRAINT"];
    if cursor.eat_any(&what).is_some() {
        cursor.eat_if_exists();
        cursor.name()?;
        // Visibility of keys and enforcement of checks change no rows.
        return cursor.skip_to_comma();
    }
    cursor.eat_word("COLUMN");
    let if_exists = cursor.eat_if_exists();
    let column = cursor.column_name()?;
    if cursor.eat_words(&["DROP", "DEFAULT"]) {
        all.push(AlterAction::SetDefault {
            column,
            default: None,
            if_exists,
        });
    } else if cursor.eat_words(&["SET", "DEFAULT"]) {
        let default = Some(default_value(cursor)?);
        all.push(AlterAction::SetDefault {
            column,
            default,
            if_exists,
        });
    } else if cursor.eat_words(&["SET", "INVISIBLE"]) {
        all.push(AlterAction::SetInvisible {
            column,
            invisible: true,
        });
    } else if cursor.eat_words(&["SET", "VISIBLE"]) {
        all.push(AlterAction::SetInvisible {
            column,
            invisible: false,
        });
    } else {
        return Err(cursor.error("SET DEFAULT or DROP DEFAULT"));
    }
    Ok(())
}

fn drop(cursor: &mut Cursor<'_>, all: &mut Vec<AlterAction>) -> Result<()> {
    if cursor.eat_words(&["PRIMARY", "KEY"]) {
        all.push(AlterAction::DropPrimaryKey);
    } else if cursor.eat_words(&["FOREIGN", "KEY"]) {
        cursor.eat_if_exists();
        all.push(AlterAction::DropForeignKey(cursor.column_name()?));
    } else if cursor.eat_words(&["SYSTEM", "VERSIONING"]) {
        all.push(AlterAction::DropSystemVersioning);
    } else if cursor.eat_words(&["PERIOD", "FOR"])
        || cursor.eat_words(&["PERIOD", "IF", "EXISTS", "FOR"])
        || cursor.eat_word("CHECK")
    {
        cursor.name()?;
    } else if cursor.eat_any(&["INDEX", "KEY"]).is_some() {
        cursor.eat_if_exists();
        let name = cursor.name()?;
        all.push(match name.eq_ignore_ascii_case("PRIMARY") {
            true => AlterAction::DropPrimaryKey,
            false => AlterAction::DropKey(name),
        });
    } else if cursor.eat_word("CONSTRAINT") {
        cursor.eat_if_exists();
        all.push(AlterAction::DropConstraint(cursor.name()?));
    } else {
        cursor.eat_word("COLUMN");
        let if_exists = cursor.eat_if_exists();
        all.push(AlterAction::DropColumn {
            name: cursor.column_name()?,
            if_exists,
        });
    }
    let _ = cursor.eat_any(&["RESTRICT", "CASCADE"]);
    Ok(())
}

fn rename(cursor: &mut Cursor<'_>, all: &mut Vec<AlterAction>) -> Result<()> {
    // `RENAME column` alone would be a new table name: it takes a name and TO behind these words.
    if cursor.eat_word("COLUMN") {
        let if_exists = cursor.eat_if_exists();
        let from = cursor.column_name()?;
        cursor.expect_word("TO")?;
        let to = cursor.column_name()?;
        all.push(AlterAction::RenameColumn {
            from,
            to,
            if_exists,
        });
    } else if cursor.eat_any(&["INDEX", "KEY"]).is_some() {
        cursor.eat_if_exists();
        let from = cursor.name()?;
        cursor.expect_word("TO")?;
        all.push(AlterAction::RenameKey(from, cursor.name()?));
    } else {
        if cursor.eat_any(&["TO", "AS"]).is_none() {
            cursor.eat_punct('=');
        }
        all.push(AlterAction::RenameTable(cursor.table_name()?));
    }
    Ok(())
}

/// CONVERT TO CHARACTER SET x [COLLATE y].
fn convert(cursor: &mut Cursor<'_>, all: &mut Vec<AlterAction>) -> Result<()> {
    cursor.expect_word("TO")?;
    let mut charset = CharsetSpec::default();
    if eat_charset_words(cursor) {
        cursor.eat_punct('=');
        charset.charset = Some(charset_name(cursor)?);
    }
    if cursor.eat_word("COLLATE") {
        cursor.eat_punct('=');
        charset.collation = Some(charset_name(cursor)?);
    }
    if charset.is_empty() {
        return Err(cursor.error("CHARACTER SET"));
    }
    all.push(AlterAction::ConvertCharset(charset));
    Ok(())
}

/// Actions without effect on rows, tablespaces, and table options.
fn other(cursor: &mut Cursor<'_>, all: &mut Vec<AlterAction>) -> Result<()> {
    for (words, what) in [
        (["IMPORT", "TABLESPACE"], "IMPORT TABLESPACE"),
        (["DISCARD", "TABLESPACE"], "DISCARD TABLESPACE"),
    ] {
        if cursor.eat_words(&words) {
            all.push(AlterAction::PartitionRows { what, with: None });
            return Ok(());
        }
    }
    const HARMLESS: [&[&str]; 9] = [
        &["DISABLE", "KEYS"],
        &["ENABLE", "KEYS"],
        &["WITH", "VALIDATION"],
        &["WITHOUT", "VALIDATION"],
        &["SECONDARY_LOAD"],
        &["SECONDARY_UNLOAD"],
        &["NOWAIT"],
        &["NOCOPY"],
        &["ONLINE"],
    ];
    if HARMLESS.iter().any(|words| cursor.eat_words(words)) {
        return Ok(());
    }
    if cursor.is_word("FORCE") && !cursor.is_punct_at(1, '=') {
        cursor.advance();
        return Ok(());
    }
    if cursor.eat_words(&["ORDER", "BY"]) {
        return order_by(cursor);
    }
    if cursor.eat_any(&["ALGORITHM", "LOCK"]).is_some() {
        return cursor.skip_value();
    }
    // Options written one after the other are one action: `CHARSET x COLLATE y` belong together.
    if let Some(AlterAction::Options(known)) = all.last_mut() {
        return table_option(cursor, known);
    }
    let mut options = TableOptions::default();
    table_option(cursor, &mut options)?;
    if options != TableOptions::default() {
        all.push(AlterAction::Options(options));
    }
    Ok(())
}

/// ORDER BY has commas of its own: what follows a comma belongs to it as long as it is a column alone.
fn order_by(cursor: &mut Cursor<'_>) -> Result<()> {
    loop {
        cursor.column_name()?;
        let _ = cursor.eat_any(&["ASC", "DESC"]);
        let mark = cursor.mark();
        let goes_on = cursor.eat_punct(',')
            && cursor.eat_name().is_some()
            && match cursor.peek() {
                None | Some(Token::Punct(',' | '.')) => true,
                Some(_) => cursor.is_word("ASC") || cursor.is_word("DESC"),
            };
        cursor.rewind(mark);
        if !goes_on {
            return Ok(());
        }
        cursor.advance();
    }
}
