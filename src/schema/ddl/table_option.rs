//! Options of tables and databases. Charset, engine and system versioning matter; the rest is read and dropped.

use super::cursor::Cursor;
use super::partition;
use super::statement::{CharsetSpec, TableOptions};
use super::token::Token;
use crate::error::Result;

/// `[DEFAULT] CHARACTER SET [=] x` or `[DEFAULT] COLLATE [=] x`; says whether one stood there.
pub(super) fn eat_charset_option(cursor: &mut Cursor<'_>, spec: &mut CharsetSpec) -> Result<bool> {
    let mark = cursor.mark();
    cursor.eat_word("DEFAULT");
    let later_wins = cursor.context.later_charset_word_wins();
    if eat_charset_words(cursor) {
        cursor.eat_punct('=');
        spec.charset = Some(charset_name(cursor)?);
        if later_wins {
            spec.collation = None;
        }
        return Ok(true);
    }
    if cursor.eat_word("COLLATE") {
        cursor.eat_punct('=');
        let name = charset_name(cursor)?;
        if later_wins && name == "default" {
            // As CHARACTER SET DEFAULT, whatever charset was said before.
            spec.charset = Some(name);
            spec.collation = None;
            return Ok(true);
        }
        if later_wins && spec.charset.as_deref() == Some("default") {
            spec.charset = None;
        }
        spec.collation = Some(name);
        return Ok(true);
    }
    cursor.rewind(mark);
    Ok(false)
}

/// CHARACTER SET, CHAR SET, CHARSET.
pub(super) fn eat_charset_words(cursor: &mut Cursor<'_>) -> bool {
    cursor.eat_words(&["CHARACTER", "SET"])
        || cursor.eat_words(&["CHAR", "SET"])
        || cursor.eat_word("CHARSET")
}

/// A charset or collation: a name or a string.
pub(super) fn charset_name(cursor: &mut Cursor<'_>) -> Result<String> {
    let name = match cursor.peek() {
        Some(Token::Text(_)) => cursor.eat_text().unwrap_or_default(),
        _ => cursor.name()?,
    };
    Ok(name.to_ascii_lowercase())
}

/// One table option at the cursor; the caller has made sure that something stands there.
pub(super) fn table_option(cursor: &mut Cursor<'_>, options: &mut TableOptions) -> Result<()> {
    if eat_charset_option(cursor, &mut options.charset)? {
        return Ok(());
    }
    if cursor.eat_words(&["WITH", "SYSTEM", "VERSIONING"]) {
        options.system_versioning = true;
        return Ok(());
    }
    if cursor.eat_words(&["START", "TRANSACTION"]) {
        options.start_transaction = true;
        return Ok(());
    }
    if cursor.is_word("PARTITION") && cursor.is_word_at(1, "BY") {
        partition::skip_partition_by(cursor)?;
        return Ok(());
    }
    let is_sequence = cursor.context.is_mariadb() && cursor.is_word("SEQUENCE");
    let is_engine = cursor.is_word("ENGINE") || cursor.is_word("TYPE");
    if cursor.eat_words(&["DATA", "DIRECTORY"]) || cursor.eat_words(&["INDEX", "DIRECTORY"]) {
        return cursor.skip_value();
    }
    if cursor.eat_words(&["STORAGE"]) {
        return cursor.skip_value();
    }
    if cursor.eat_name().is_none() {
        return Err(cursor.error("a table option"));
    }
    if is_sequence {
        cursor.eat_punct('=');
        options.sequence = Some(cursor.peek() != Some(&Token::Number("0")));
        cursor.advance();
        return Ok(());
    }
    if is_engine {
        cursor.eat_punct('=');
        options.engine = Some(charset_name(cursor)?);
        return Ok(());
    }
    cursor.skip_value()
}
