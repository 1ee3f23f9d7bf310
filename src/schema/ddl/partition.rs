//! Partitions. How rows are spread over files means nothing here; which rows go away does.

use super::cursor::Cursor;
use super::statement::AlterAction;
use super::token::Token;
use crate::error::Result;

/// The action that makes a table a partition of another one: it is no table any more.
pub const CONVERT_TABLE: &str = "CONVERT TABLE";

/// PARTITION BY … up to what may follow it in CREATE TABLE: the query of CREATE TABLE … SELECT, or the end.
pub(super) fn skip_partition_by(cursor: &mut Cursor<'_>) -> Result<()> {
    while let Some(token) = cursor.peek() {
        match token {
            Token::Punct('(') => {
                cursor.parenthesised()?;
            }
            Token::Word(word)
                if ["SELECT", "AS", "IGNORE", "REPLACE", "WITH", "TABLE"]
                    .iter()
                    .any(|end| word.eq_ignore_ascii_case(end)) =>
            {
                return Ok(());
            }
            _ => cursor.advance(),
        }
    }
    Ok(())
}

/// A partition action of ALTER TABLE at the cursor: `None` when there is none, `Some(None)` for one that changes no
/// rows.
pub(super) fn eat_action(cursor: &mut Cursor<'_>) -> Result<Option<Option<AlterAction>>> {
    const HARMLESS: [&str; 8] = [
        "ADD",
        "COALESCE",
        "REORGANIZE",
        "ANALYZE",
        "CHECK",
        "OPTIMIZE",
        "REBUILD",
        "REPAIR",
    ];
    const CHANGING: [(&str, &str); 5] = [
        ("TRUNCATE", "TRUNCATE PARTITION"),
        ("DROP", "DROP PARTITION"),
        ("DISCARD", "DISCARD PARTITION"),
        ("IMPORT", "IMPORT PARTITION"),
        ("EXCHANGE", "EXCHANGE PARTITION"),
    ];
    if cursor.is_word("PARTITION") && cursor.is_word_at(1, "BY") {
        skip_partition_by(cursor)?;
        return Ok(Some(None));
    }
    if cursor.eat_words(&["REMOVE", "PARTITIONING"])
        || cursor.eat_words(&["UPGRADE", "PARTITIONING"])
    {
        return Ok(Some(None));
    }
    if cursor.eat_words(&["CONVERT", "TABLE"]) {
        let with = Some(cursor.table_name()?);
        skip_to_end_of_action(cursor)?;
        return Ok(Some(Some(AlterAction::PartitionRows {
            what: CONVERT_TABLE,
            with,
        })));
    }
    if cursor.eat_words(&["CONVERT", "PARTITION"]) {
        cursor.name()?;
        cursor.expect_word("TO")?;
        cursor.expect_word("TABLE")?;
        let with = Some(cursor.table_name()?);
        skip_to_end_of_action(cursor)?;
        return Ok(Some(Some(AlterAction::PartitionRows {
            what: "CONVERT PARTITION",
            with,
        })));
    }
    if !cursor.is_word_at(1, "PARTITION") {
        return Ok(None);
    }
    if cursor.eat_any(&HARMLESS).is_some() {
        skip_to_end_of_action(cursor)?;
        return Ok(Some(None));
    }
    for (word, what) in CHANGING {
        if cursor.eat_word(word) {
            cursor.expect_word("PARTITION")?;
            let with = exchanged_table(cursor)?;
            return Ok(Some(Some(AlterAction::PartitionRows { what, with })));
        }
    }
    Ok(None)
}

/// Partition actions stand alone in their statement, and their lists of partitions have commas.
fn skip_to_end_of_action(cursor: &mut Cursor<'_>) -> Result<()> {
    while !cursor.is_end() {
        if cursor.is_punct('(') {
            cursor.parenthesised()?;
        } else {
            cursor.advance();
        }
    }
    Ok(())
}

/// `… WITH TABLE t`, where there is one; passes over the rest.
fn exchanged_table(cursor: &mut Cursor<'_>) -> Result<Option<super::statement::TableName>> {
    let mut with = None;
    while !cursor.is_end() {
        if cursor.eat_words(&["WITH", "TABLE"]) {
            with = Some(cursor.table_name()?);
        } else {
            cursor.advance();
        }
    }
    Ok(with)
}
