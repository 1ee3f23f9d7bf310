//! Words that begin, end and mark transactions.

use super::cursor::Cursor;
use super::statement::{Statement, XaCommand};
use crate::error::Result;

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
    let from = cursor.mark();
    let mut to = from;
    let mut one_phase = false;
    while !cursor.is_end() {
        one_phase |= cursor.eat_words(&["ONE", "PHASE"]);
        if cursor.is_end() || cursor.eat_any(&["JOIN", "RESUME", "SUSPEND"]).is_some() {
            break;
        }
        cursor.advance();
        to = cursor.mark();
    }
    let xid = cursor.text_between(from, to).to_owned();
    if xid.is_empty() {
        return Err(cursor.error("an xid"));
    }
    Ok(Statement::Xa(match word {
        "END" => XaCommand::End(xid),
        "PREPARE" => XaCommand::Prepare(xid),
        "COMMIT" => XaCommand::Commit { xid, one_phase },
        "ROLLBACK" => XaCommand::Rollback(xid),
        _ => XaCommand::Start(xid),
    }))
}
