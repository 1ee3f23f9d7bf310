//! DEFAULT of a column.

use super::cursor::Cursor;
use super::statement::DefaultSpec;
use super::token::Token;
use crate::error::Result;
use crate::schema::table::DefaultValue;

/// Words that stand for the statement's time.
const NOW: [&str; 4] = ["CURRENT_TIMESTAMP", "NOW", "LOCALTIMESTAMP", "LOCALTIME"];

/// The introducer of bytes.
const BINARY: &str = "_binary";

/// The value behind DEFAULT.
pub(super) fn default_value(cursor: &mut Cursor<'_>) -> Result<DefaultSpec> {
    if cursor.is_punct('(') {
        return parenthesised(cursor);
    }
    if let Some(literal) = literal(cursor) {
        return Ok(literal);
    }
    if let Some(fsp) = now(cursor)? {
        return Ok(DefaultSpec::Value(DefaultValue::CurrentTimestamp(fsp)));
    }
    expression(cursor)
}

/// CURRENT_TIMESTAMP and its other words, with parentheses or without; its digits.
pub(super) fn now(cursor: &mut Cursor<'_>) -> Result<Option<u8>> {
    let Some(word) = cursor.eat_any(&NOW) else {
        return Ok(None);
    };
    if word == "NOW" && !cursor.is_punct('(') {
        return Err(cursor.error("'('"));
    }
    if !cursor.eat_punct('(') {
        return Ok(Some(0));
    }
    let fsp = if cursor.is_punct(')') {
        0
    } else {
        cursor.number()?
    };
    cursor.expect_punct(')')?;
    Ok(Some(u8::try_from(fsp.min(6)).unwrap_or(6)))
}

/// `( expression )`; a mere literal inside is taken as one.
fn parenthesised(cursor: &mut Cursor<'_>) -> Result<DefaultSpec> {
    let mark = cursor.mark();
    cursor.expect_punct('(')?;
    let inner = if cursor.is_punct('(') {
        Some(parenthesised(cursor)?)
    } else {
        match literal(cursor) {
            Some(found) => Some(found),
            None => now(cursor)
                .ok()
                .flatten()
                .map(|fsp| DefaultSpec::Value(DefaultValue::CurrentTimestamp(fsp))),
        }
    };
    if let Some(inner) = inner
        && cursor.eat_punct(')')
    {
        return Ok(match inner {
            DefaultSpec::Value(DefaultValue::Literal(_) | DefaultValue::Bytes(_))
            | DefaultSpec::Text(_)
            | DefaultSpec::Binary(_) => DefaultSpec::InParentheses(Box::new(inner)),
            other => other,
        });
    }
    cursor.rewind(mark);
    let text = cursor.parenthesised()?;
    Ok(DefaultSpec::Value(DefaultValue::Expression(
        text.to_owned(),
    )))
}

fn value(text: impl Into<String>) -> DefaultSpec {
    DefaultSpec::Value(DefaultValue::Literal(text.into()))
}

fn literal(cursor: &mut Cursor<'_>) -> Option<DefaultSpec> {
    let mark = cursor.mark();
    if cursor.eat_word("NULL") {
        return Some(DefaultSpec::Null);
    }
    match cursor.eat_any(&["TRUE", "FALSE"]) {
        Some("TRUE") => return Some(value("1")),
        Some(_) => return Some(value("0")),
        None => {}
    }
    // DATE'…', TIME'…', TIMESTAMP'…'.
    let is_time = ["DATE", "TIME", "TIMESTAMP"]
        .iter()
        .any(|word| cursor.is_word(word))
        && cursor.is_text_at(1);
    if is_time {
        // To a column of another type it is no text.
        cursor.advance();
        return cursor.eat_text().map(value);
    }
    let introduced = matches!(cursor.peek(), Some(Token::Word(word)) if word.starts_with('_'))
        && matches!(
            cursor.peek_at(1),
            Some(Token::Text(_) | Token::Hex(_) | Token::Bits(_))
        );
    if introduced {
        cursor.advance();
    }
    let found = match cursor.eat_text() {
        Some(text) => Some(DefaultSpec::Text(text)),
        None => number_or_bytes(cursor),
    };
    if found.is_none() {
        cursor.rewind(mark);
        return None;
    }
    let text = cursor.text_between(mark, cursor.mark());
    match found {
        Some(found) if introduced => Some(introduced_literal(found, text)),
        found => found,
    }
}

/// A literal behind an introducer, whose charset gives bytes beyond ASCII their meaning; a text of such has been through another.
fn introduced_literal(found: DefaultSpec, text: &str) -> DefaultSpec {
    let is_binary = text
        .get(..BINARY.len())
        .is_some_and(|word| word.eq_ignore_ascii_case(BINARY));
    match found {
        DefaultSpec::Text(found) if !found.is_ascii() => {
            DefaultSpec::Value(DefaultValue::Expression(text.to_owned()))
        }
        DefaultSpec::Value(DefaultValue::Bytes(bytes)) if !bytes.is_ascii() => match is_binary {
            true => DefaultSpec::Binary(bytes),
            false => DefaultSpec::Value(DefaultValue::Expression(text.to_owned())),
        },
        found => found,
    }
}

fn number_or_bytes(cursor: &mut Cursor<'_>) -> Option<DefaultSpec> {
    let negative = cursor.eat_punct('-');
    if !negative {
        cursor.eat_punct('+');
    }
    let found = match cursor.peek() {
        Some(Token::Number(digits)) if negative => Some(value(format!("-{digits}"))),
        Some(Token::Number(digits)) => Some(value(*digits)),
        Some(Token::Hex(digits)) => {
            hex_bytes(digits).map(|bytes| DefaultSpec::Value(DefaultValue::Bytes(bytes)))
        }
        Some(Token::Bits(digits)) => {
            bit_bytes(digits).map(|bytes| DefaultSpec::Value(DefaultValue::Bytes(bytes)))
        }
        _ => None,
    };
    if found.is_some() {
        cursor.advance();
    }
    found
}

/// MariaDB's expressions without parentheses: a function call, `NEXT VALUE FOR sequence`, a bare function word.
fn expression(cursor: &mut Cursor<'_>) -> Result<DefaultSpec> {
    let from = cursor.mark();
    if cursor.eat_words(&["NEXT", "VALUE", "FOR"])
        || cursor.eat_words(&["PREVIOUS", "VALUE", "FOR"])
    {
        cursor.table_name()?;
    } else {
        cursor.table_name()?;
        if cursor.is_punct('(') {
            cursor.parenthesised()?;
        }
    }
    let text = cursor.text_between(from, cursor.mark()).to_owned();
    Ok(DefaultSpec::Value(DefaultValue::Expression(text)))
}

/// The bytes of hexadecimal digits; an odd number of digits has a zero in front.
pub(super) fn hex_bytes(digits: &str) -> Option<Vec<u8>> {
    let padded = if digits.len() % 2 == 1 {
        format!("0{digits}")
    } else {
        digits.to_owned()
    };
    padded
        .as_bytes()
        .chunks(2)
        .map(|pair| {
            std::str::from_utf8(pair)
                .ok()
                .and_then(|hex| u8::from_str_radix(hex, 16).ok())
        })
        .collect()
}

/// The bytes of binary digits, with zeros in front.
pub(super) fn bit_bytes(digits: &str) -> Option<Vec<u8>> {
    let width = digits.len().div_ceil(8).max(1) * 8;
    let padded = format!("{digits:0>width$}");
    padded
        .as_bytes()
        .chunks(8)
        .map(|octet| {
            std::str::from_utf8(octet)
                .ok()
                .and_then(|bits| u8::from_str_radix(bits, 2).ok())
        })
        .collect()
}
