//! REFERENCES, behind FOREIGN KEY or behind a column.

use super::cursor::Cursor;
use super::statement::ForeignKeyDef;
use crate::error::Result;

/// `REFERENCES parent (columns) ON DELETE … ON UPDATE …`; the caller fills in the child's side.
pub(super) fn references(cursor: &mut Cursor<'_>) -> Result<ForeignKeyDef> {
    cursor.expect_word("REFERENCES")?;
    let parent = cursor.table_name()?;
    let parent_columns = if cursor.is_punct('(') {
        cursor.name_list()?
    } else {
        Vec::new()
    };
    let mut key = ForeignKeyDef {
        constraint: None,
        index: None,
        columns: Vec::new(),
        parent,
        parent_columns,
        on_delete: "RESTRICT".to_owned(),
        on_update: "RESTRICT".to_owned(),
        inline: false,
        if_not_exists: false,
    };
    loop {
        if cursor.eat_word("MATCH") {
            cursor.name()?;
        } else if cursor.eat_words(&["ON", "DELETE"]) {
            key.on_delete = action(cursor)?;
        } else if cursor.eat_words(&["ON", "UPDATE"]) {
            key.on_update = action(cursor)?;
        } else {
            return Ok(key);
        }
    }
}

fn action(cursor: &mut Cursor<'_>) -> Result<String> {
    for words in [
        &["SET", "NULL"][..],
        &["SET", "DEFAULT"],
        &["NO", "ACTION"],
        &["CASCADE"],
        &["RESTRICT"],
    ] {
        if cursor.eat_words(words) {
            return Ok(words.join(" "));
        }
    }
    Err(cursor.error("CASCADE, SET NULL, SET DEFAULT, RESTRICT or NO ACTION"))
}
