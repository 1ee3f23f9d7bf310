//! Words that begin, end and mark transactions.

use super::cursor::Cursor;
use super::statement::{Statement, XaCommand};
use super::token::Token;
use crate::binlog::xa_id::{XaId, hex_bytes};
use crate::error::Result;

/// The format id of an xid that names none.
const DEFAULT_FORMAT_ID: u32 = 1;

/// BEGIN, START TRANSACTION, COMMIT, ROLLBACK, SAVEPOINT, RELEASE SAVEPOINT, XA.
pub(super) fn transaction(cursor: &mut Cursor<'_>) -> Result<Statement> {
    if cursor.eat_word("BEGIN") || cursor.eat_words(&["START", "TRANSACTION"]) {
        return Ok(Statement::Begin);
    }
    if cursor.eat_word("COMMIT") {
        return Ok(Statement::Commit);
    }
    if cursor.eat_word("SAVEPOINT") {
        return Ok(Statement::Savepoint(cursor.name()?));
    }
    if cursor.eat_words(&["RELEASE", "SAVEPOINT"]) {
        return Ok(Statement::ReleaseSavepoint(cursor.name()?));
    }
    if cursor.eat_word("ROLLBACK") {
        cursor.eat_word("WORK");
        if cursor.eat_word("TO") {
            cursor.eat_word("SAVEPOINT");
            return Ok(Statement::RollbackTo(cursor.name()?));
        }
        return Ok(Statement::Rollback);
    }
    cursor.expect_word("XA")?;
    xa(cursor)
}

fn xa(cursor: &mut Cursor<'_>) -> Result<Statement> {
    if cursor.is_word("RECOVER") {
        return Ok(Statement::NoTableChange("XA RECOVER"));
    }
    let Some(word) = cursor.eat_any(&["START", "BEGIN", "END", "PREPARE", "COMMIT", "ROLLBACK"])
    else {
        return Err(cursor.error("START, END, PREPARE, COMMIT or ROLLBACK"));
    };
    let xid = xid(cursor)?;
    let one_phase = cursor.eat_words(&["ONE", "PHASE"]);
    // What may follow START and END says how the session goes on.
    cursor.eat_any(&["JOIN", "RESUME", "SUSPEND"]);
    Ok(Statement::Xa(match word {
        "END" => XaCommand::End(xid),
        "PREPARE" => XaCommand::Prepare(xid),
        "COMMIT" => XaCommand::Commit { xid, one_phase },
        "ROLLBACK" => XaCommand::Rollback(xid),
        _ => XaCommand::Start(xid),
    }))
}

/// `X'6162',X'',1` as the servers write it, or any other form that a client may use: `'ab'`, `0x6162,'',7`.
fn xid(cursor: &mut Cursor<'_>) -> Result<XaId> {
    let global = xid_part(cursor)?;
    let (mut branch, mut format_id) = (Vec::new(), DEFAULT_FORMAT_ID);
    if cursor.eat_punct(',') {
        branch = xid_part(cursor)?;
        if cursor.eat_punct(',') {
            format_id = match cursor.peek() {
                Some(Token::Number(digits)) => digits.parse().ok(),
                Some(Token::Hex(digits)) => u32::from_str_radix(digits, 16).ok(),
                _ => None,
            }
            .ok_or_else(|| cursor.error("a format id"))?;
            cursor.advance();
        }
    }
    XaId::new(format_id, global, branch)
}

fn xid_part(cursor: &mut Cursor<'_>) -> Result<Vec<u8>> {
    let part = match cursor.peek() {
        Some(Token::Text(text)) => Some(text.as_bytes().to_vec()),
        Some(Token::Hex(digits)) => hex_bytes(digits),
        _ => None,
    }
    .ok_or_else(|| cursor.error("an xid"))?;
    cursor.advance();
    Ok(part)
}
