//! Changes to SQLite's own catalog, in constant time whatever the table's size.
//!
//! SQLite cannot rename an index or change a column's declared type, but both are only text in `sqlite_schema`; what is
//! stored in the table does not depend on it as long as affinity and collation stay. The edits are made with
//! `PRAGMA writable_schema`, which SQLite documents for such cases. Another schema change in the same transaction
//! (a view that comes and goes) makes every connection read the schema anew.

use super::create::REBUILD_NAME;
use super::index::index_name;
use super::name::{quote_identifier, quote_text};
use crate::schema::table::Table;

/// Statements that rename a table and its indexes, in the open transaction.
pub fn rename_table_sql(table: &Table, from: &str, to: &str) -> Vec<String> {
    let mut statements = Vec::new();
    if from != to {
        let rename = |from: &str, to: &str| {
            let (from, to) = (quote_identifier(from), quote_identifier(to));
            format!("ALTER TABLE {from} RENAME TO {to}")
        };
        // To SQLite another case is the same name, and so one that is taken.
        if from.eq_ignore_ascii_case(to) {
            statements.push(rename(from, REBUILD_NAME));
            statements.push(rename(REBUILD_NAME, to));
        } else {
            statements.push(rename(from, to));
        }
    }
    let names = table.indexes.iter().map(|index| index.name.as_str());
    let edits: Vec<String> = names
        .chain(std::iter::once("PRIMARY"))
        .map(|index| rename_index_edit(&index_name(from, index), &index_name(to, index)))
        .collect();
    if from != to {
        statements.extend(edit_schema(edits));
    }
    statements
}

/// The edit that renames an index; no change when there is none of that name.
pub(super) fn rename_index_edit(from: &str, to: &str) -> String {
    let (quoted_from, quoted_to) = (quote_identifier(from), quote_identifier(to));
    format!(
        "UPDATE sqlite_schema SET name = {}, sql = replace(sql, {}, {}) WHERE type = 'index' AND name = {}",
        quote_text(to),
        quote_text(&format!("INDEX {quoted_from} ON ")),
        quote_text(&format!("INDEX {quoted_to} ON ")),
        quote_text(from),
    )
}

/// The edit that replaces one column's definition in a table's text.
pub(super) fn redefine_column_edit(sqlite_name: &str, from: &str, to: &str) -> String {
    // In front of a definition stands the opening parenthesis, a comma, or white space behind one of them.
    format!(
        "UPDATE sqlite_schema SET sql = replace(sql, {}, {}) WHERE type = 'table' AND name = {}",
        quote_text(from),
        quote_text(to),
        quote_text(sqlite_name),
    )
}

/// Wraps edits of `sqlite_schema` into what makes them allowed and seen.
pub(super) fn edit_schema(edits: Vec<String>) -> Vec<String> {
    if edits.is_empty() {
        return edits;
    }
    let mut statements = vec!["PRAGMA writable_schema = ON".to_owned()];
    statements.extend(edits);
    statements.extend([
        "PRAGMA writable_schema = RESET".to_owned(),
        "CREATE VIEW \"_relaylite_schema_changed\" AS SELECT 1".to_owned(),
        "DROP VIEW \"_relaylite_schema_changed\"".to_owned(),
    ]);
    statements
}
