//! Statements with strings that are bytes: `_binary'…'` as mysqldump writes it, and the raw bytes that SHOW CREATE TABLE of MariaDB
//! prints as defaults of binary columns. Such strings become hexadecimal literals, which mean the same and are text.
//!
//! # Limits
//! Only for charsets in which every ASCII byte is that character: there quotes and backslashes are found byte by byte.

use std::fmt::Write as _;

use super::context::{SqlContext, sql_mode};

/// The statement with every string as `x'…'` that is no text, or is not ASCII and said to be binary; `None` when there is no such
/// string, or a quote is not closed.
pub fn with_hex_literals(
    sql: &[u8],
    context: &SqlContext,
    is_text: impl Fn(&[u8]) -> bool,
) -> Option<Vec<u8>> {
    let escapes = !context.has_mode(sql_mode::NO_BACKSLASH_ESCAPES);
    let has_quoted_names = context.has_mode(sql_mode::ANSI_QUOTES | sql_mode::ORACLE);
    let mut all = Vec::new();
    let (mut at, mut copied) = (0, 0);
    while let Some(byte) = sql.get(at).copied() {
        let is_string = byte == b'\'' || byte == b'"' && !has_quoted_names;
        let rest = sql.get(at..)?;
        if is_string || byte == b'`' || byte == b'"' {
            let (value, len) = quoted(rest, byte, is_string && escapes)?;
            let before = sql.get(..at)?;
            if is_string && (is_binary(&value, before) || !is_text(&value)) {
                all.extend_from_slice(sql.get(copied..at)?);
                all.extend_from_slice(hexadecimal(&value).as_bytes());
                copied = at + len;
            }
            at += len;
        } else {
            at += comment_len(rest).unwrap_or(1);
        }
    }
    if copied == 0 {
        return None;
    }
    all.extend_from_slice(sql.get(copied..)?);
    Some(all)
}

fn is_binary(value: &[u8], before: &[u8]) -> bool {
    const INTRODUCER: &[u8] = b"_binary";
    let before = before.trim_ascii_end();
    let word = before.len().checked_sub(INTRODUCER.len());
    let word = word.and_then(|at| before.get(at..));
    !value.is_ascii() && word.is_some_and(|word| word.eq_ignore_ascii_case(INTRODUCER))
}

/// What a quoted text at the start of `text` means, and its length with both quotes.
fn quoted(text: &[u8], quote: u8, escapes: bool) -> Option<(Vec<u8>, usize)> {
    let mut value = Vec::new();
    let mut at = 1;
    loop {
        let byte = *text.get(at)?;
        at += 1;
        if byte == quote {
            if text.get(at) != Some(&quote) {
                return Some((value, at));
            }
            at += 1;
            value.push(quote);
        } else if byte == b'\\' && escapes {
            let escaped = *text.get(at)?;
            at += 1;
            match escaped {
                b'0' => value.push(0),
                b'b' => value.push(8),
                b'n' => value.push(b'\n'),
                b'r' => value.push(b'\r'),
                b't' => value.push(b'\t'),
                b'Z' => value.push(0x1a),
                b'%' | b'_' => value.extend([b'\\', escaped]),
                other => value.push(other),
            }
        } else {
            value.push(byte);
        }
    }
}

/// The length of a comment that is none to the source, either.
fn comment_len(text: &[u8]) -> Option<usize> {
    let is_line = match text {
        [b'#', ..] => true,
        [b'-', b'-', next, ..] => next.is_ascii_whitespace() || next.is_ascii_control(),
        _ => false,
    };
    if is_line {
        let end = text.iter().position(|byte| *byte == b'\n');
        return Some(end.unwrap_or(text.len()));
    }
    match text {
        [b'/', b'*', b'!' | b'M', ..] => None,
        [b'/', b'*', inside @ ..] => {
            let end = inside.windows(2).position(|two| two == b"*/");
            Some(end.map_or(text.len(), |end| end + 4))
        }
        _ => None,
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::from(" x'");
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text.push('\'');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::ddl::Flavor;

    fn is_utf8(bytes: &[u8]) -> bool {
        std::str::from_utf8(bytes).is_ok()
    }

    fn rewritten(sql: &[u8]) -> Option<String> {
        let context = SqlContext::new(Flavor::MariaDb, 101_100, "d");
        with_hex_literals(sql, &context, is_utf8).map(|sql| String::from_utf8(sql).unwrap())
    }

    #[test]
    fn strings_that_are_bytes_become_hexadecimal() {
        assert_eq!(
            rewritten(b"a DEFAULT '\xff\\0''\\Z\\\\', b DEFAULT 'x' /* \xc3\xa9 ' */").unwrap(),
            "a DEFAULT  x'ff00271a5c', b DEFAULT 'x' /* é ' */"
        );
        assert_eq!(
            rewritten(b"`it's` _BINARY 'caf\xc3\xa9', '\xc3\xa9' -- '\n, \"\xfe\"").unwrap(),
            "`it's` _BINARY  x'636166c3a9', 'é' -- '\n,  x'fe'"
        );
        assert_eq!(rewritten(b"_binary'abc' 'abc'"), None);
        assert_eq!(rewritten(b"'\xff"), None);
        assert_eq!(rewritten(b""), None);
    }

    #[test]
    fn modes_of_the_session_count() {
        let mut context = SqlContext::new(Flavor::MySql, 90_700, "d");
        context.sql_mode = sql_mode::NO_BACKSLASH_ESCAPES | sql_mode::ANSI_QUOTES;
        let sql = with_hex_literals(b"\"\xc3\xa9\" '\\\xff' '\\'", &context, is_utf8).unwrap();
        assert_eq!(String::from_utf8(sql).unwrap(), "\"é\"  x'5cff' '\\'");
    }
}
