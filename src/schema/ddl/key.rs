//! Keys and constraints, in CREATE TABLE and ALTER TABLE … ADD.

use super::cursor::Cursor;
use super::foreign_key;
use super::statement::{KeyDef, TableElement};
use crate::error::Result;
use crate::schema::table::{IndexKind, KeyPart};

/// The primary key's name. An index is called so only where it stands in for a primary key WITHOUT OVERLAPS.
pub(in crate::schema) const PRIMARY: &str = "PRIMARY";

/// Whether a key or constraint begins at the cursor, and not a column.
pub(super) fn begins_key(cursor: &Cursor<'_>) -> bool {
    const RESERVED: [&str; 9] = [
        "CONSTRAINT",
        "PRIMARY",
        "UNIQUE",
        "FOREIGN",
        "CHECK",
        "INDEX",
        "KEY",
        "FULLTEXT",
        "SPATIAL",
    ];
    RESERVED.iter().any(|word| cursor.is_word(word))
        || cursor.is_word("VECTOR")
            && (cursor.is_word_at(1, "KEY")
                || cursor.is_word_at(1, "INDEX")
                || cursor.is_punct_at(1, '('))
}

/// A key or constraint; `None` for a CHECK, which changes nothing here.
pub(super) fn key_or_constraint(cursor: &mut Cursor<'_>) -> Result<Option<TableElement>> {
    let mut constraint = None;
    let mut if_not_exists = false;
    if cursor.eat_word("CONSTRAINT") {
        if_not_exists = cursor.eat_if_not_exists();
        let unnamed = ["PRIMARY", "UNIQUE", "FOREIGN", "CHECK"]
            .iter()
            .any(|word| cursor.is_word(word));
        if !unnamed {
            constraint = Some(cursor.name()?);
        }
    }
    if cursor.eat_word("CHECK") {
        check(cursor)?;
        return Ok(None);
    }
    if cursor.eat_words(&["FOREIGN", "KEY"]) {
        let if_not_exists = cursor.eat_if_not_exists() || if_not_exists;
        let index = if cursor.is_punct('(') {
            None
        } else {
            Some(cursor.name()?)
        };
        let columns = cursor.name_list()?;
        let mut key = foreign_key::references(cursor)?;
        key.constraint = constraint;
        key.index = index;
        key.columns = columns;
        key.if_not_exists = if_not_exists;
        return Ok(Some(TableElement::ForeignKey(key)));
    }
    let kind = if cursor.eat_words(&["PRIMARY", "KEY"]) {
        None
    } else {
        Some(index_kind(cursor))
    };
    let mut key = key_body(cursor, kind)?;
    key.if_not_exists |= if_not_exists;
    if key.name.is_none() {
        key.name = constraint;
    }
    Ok(Some(TableElement::Key(key)))
}

/// UNIQUE, FULLTEXT, SPATIAL, VECTOR and the word KEY or INDEX.
pub(super) fn index_kind(cursor: &mut Cursor<'_>) -> IndexKind {
    let kind = match cursor.eat_any(&["UNIQUE", "FULLTEXT", "SPATIAL", "VECTOR"]) {
        Some("UNIQUE") => IndexKind::Unique,
        Some("FULLTEXT") => IndexKind::Fulltext,
        Some("SPATIAL") => IndexKind::Spatial,
        Some(_) => IndexKind::Vector,
        None => IndexKind::Plain,
    };
    let _ = cursor.eat_any(&["KEY", "INDEX"]);
    kind
}

/// `CHECK` has been taken: the condition, and whether it is enforced.
pub(super) fn check(cursor: &mut Cursor<'_>) -> Result<()> {
    cursor.parenthesised()?;
    if !cursor.eat_word("ENFORCED") {
        cursor.eat_words(&["NOT", "ENFORCED"]);
    }
    Ok(())
}

/// What follows the words of a key: name, type, parts, options.
fn key_body(cursor: &mut Cursor<'_>, kind: Option<IndexKind>) -> Result<KeyDef> {
    let if_not_exists = cursor.eat_if_not_exists();
    let named = !cursor.is_punct('(') && !begins_index_type(cursor);
    let name = if named { Some(cursor.name()?) } else { None };
    let mut hash = index_type(cursor);
    let (parts, overlaps) = key_parts(cursor)?;
    hash |= key_options(cursor)?;
    // A key WITHOUT OVERLAPS holds the ends of the period as well: its other parts alone are not unique.
    let (kind, name) = match (overlaps, kind) {
        (true, None) => (Some(IndexKind::Plain), Some(PRIMARY.to_owned())),
        (true, Some(_)) => (Some(IndexKind::Plain), name),
        (false, kind) => (kind, name),
    };
    Ok(KeyDef {
        kind,
        name,
        parts,
        if_not_exists,
        hash,
    })
}

fn begins_index_type(cursor: &Cursor<'_>) -> bool {
    let is_type = ["BTREE", "HASH", "RTREE"]
        .iter()
        .any(|word| cursor.is_word_at(1, word));
    cursor.is_word("USING") || cursor.is_word("TYPE") && is_type
}

/// `USING BTREE`; and whether it is HASH.
pub(super) fn index_type(cursor: &mut Cursor<'_>) -> bool {
    if !begins_index_type(cursor) {
        return false;
    }
    cursor.advance();
    let is_hash = cursor.is_word("HASH");
    cursor.advance();
    is_hash
}

/// Parts in parentheses; and whether one is a period WITHOUT OVERLAPS, which is left out.
pub(super) fn key_parts(cursor: &mut Cursor<'_>) -> Result<(Vec<KeyPart>, bool)> {
    cursor.expect_punct('(')?;
    let (mut parts, mut overlaps) = (Vec::new(), false);
    loop {
        if cursor.is_punct('(') {
            parts.push(KeyPart::Expression(cursor.parenthesised()?.to_owned()));
            let _ = cursor.eat_any(&["ASC", "DESC"]);
        } else {
            let name = cursor.column_name()?;
            let length = cursor.eat_parenthesised_number()?;
            let is_desc = cursor.eat_any(&["ASC", "DESC"]) == Some("DESC");
            let descending = is_desc && cursor.context.keys_descend();
            if cursor.eat_words(&["WITHOUT", "OVERLAPS"]) {
                overlaps = true;
            } else if let Some(length) = length {
                parts.push(KeyPart::Prefix { name, length });
            } else {
                parts.push(KeyPart::Column { name, descending });
            }
        }
        if !cursor.eat_punct(',') {
            break;
        }
    }
    cursor.expect_punct(')')?;
    Ok((parts, overlaps))
}

/// Options behind a key, which end at a comma or a closing parenthesis. Whether one is USING HASH; the others have no effect on
/// rows.
pub(super) fn key_options(cursor: &mut Cursor<'_>) -> Result<bool> {
    let mut is_hash = false;
    while !cursor.is_end() && !cursor.is_punct(',') && !cursor.is_punct(')') {
        if cursor.is_punct('(') {
            cursor.parenthesised()?;
        } else if begins_index_type(cursor) {
            is_hash |= index_type(cursor);
        } else {
            cursor.advance();
        }
    }
    Ok(is_hash)
}
