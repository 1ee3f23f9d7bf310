//! CREATE, ALTER and DROP DATABASE.

use super::cursor::Cursor;
use super::statement::{CharsetSpec, Statement};
use super::table_option::eat_charset_option;
use crate::error::Result;

/// CREATE [OR REPLACE] DATABASE [IF NOT EXISTS] name options.
pub(super) fn create_database(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.expect_word("CREATE")?;
    let or_replace = cursor.eat_words(&["OR", "REPLACE"]);
    database_word(cursor)?;
    let if_not_exists = cursor.eat_if_not_exists();
    let name = cursor.name()?;
    let charset = options(cursor)?;
    Ok(Statement::CreateDatabase {
        name,
        if_not_exists,
        or_replace,
        charset,
    })
}

/// ALTER DATABASE [name] options.
pub(super) fn alter_database(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.expect_word("ALTER")?;
    database_word(cursor)?;
    let mark = cursor.mark();
    // Without a name the options begin at once; a database may be called like an option's first word.
    let mut charset = CharsetSpec::default();
    let begins_option =
        eat_charset_option(cursor, &mut charset).unwrap_or(false) || is_other_option(cursor);
    cursor.rewind(mark);
    let name = if begins_option || cursor.is_end() {
        None
    } else {
        Some(cursor.name()?)
    };
    if cursor.is_word("UPGRADE") {
        return Ok(Statement::NoTableChange("ALTER DATABASE UPGRADE"));
    }
    Ok(Statement::AlterDatabase {
        name,
        charset: options(cursor)?,
    })
}

/// DROP DATABASE [IF EXISTS] name.
pub(super) fn drop_database(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.expect_word("DROP")?;
    database_word(cursor)?;
    let if_exists = cursor.eat_if_exists();
    let name = cursor.name()?;
    cursor.expect_end()?;
    Ok(Statement::DropDatabase { name, if_exists })
}

fn database_word(cursor: &mut Cursor<'_>) -> Result<()> {
    match cursor.eat_any(&["DATABASE", "SCHEMA"]) {
        Some(_) => Ok(()),
        None => Err(cursor.error("DATABASE")),
    }
}

fn is_other_option(cursor: &Cursor<'_>) -> bool {
    cursor.is_word("DEFAULT")
        || cursor.is_word("READ") && cursor.is_word_at(1, "ONLY")
        || ["ENCRYPTION", "COMMENT"].iter().any(|word| {
            cursor.is_word(word) && (cursor.is_punct_at(1, '=') || cursor.is_text_at(1))
        })
}

fn options(cursor: &mut Cursor<'_>) -> Result<CharsetSpec> {
    let mut charset = CharsetSpec::default();
    while !cursor.is_end() {
        if eat_charset_option(cursor, &mut charset)? {
            continue;
        }
        cursor.eat_word("DEFAULT");
        if cursor.eat_words(&["READ", "ONLY"])
            || cursor.eat_any(&["ENCRYPTION", "COMMENT"]).is_some()
        {
            cursor.skip_value()?;
        } else {
            return Err(cursor.error("a database option"));
        }
    }
    Ok(charset)
}
