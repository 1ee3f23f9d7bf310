//! CREATE TABLE, and which column is the rowid.

use super::declared::column_definition;
use super::index::{create_indexes, fallback_key};
use super::name::quote_identifier;
use super::step::{Effort, Step, rowid_name};
use crate::schema::table::{ColumnType, KeyPart, Table};

/// Name of a table while it is being rebuilt.
pub(super) const REBUILD_NAME: &str = "_relaylite_rebuild";

/// The columns of the primary key, when all its parts are whole columns; else SQLite has no such key.
pub(super) fn whole_key(table: &Table) -> Option<Vec<usize>> {
    if table.primary_key.is_empty() {
        return None;
    }
    let place = |part: &KeyPart| match part {
        KeyPart::Column { name, .. } => table.column_index(name),
        _ => None,
    };
    table.primary_key.iter().map(place).collect()
}

/// The column that can be SQLite's rowid: a primary key of one integer column.
pub fn rowid_column(table: &Table) -> Option<usize> {
    let key = whole_key(table)?;
    let [place] = key.as_slice() else { return None };
    let is_int = matches!(table.columns.get(*place)?.ty, ColumnType::Int { .. });
    is_int.then_some(*place)
}

/// Whether the table's primary key can be SQLite's rowid, which is the fastest key there is. A BIGINT UNSIGNED key can
/// as long as every value is below 2^63: see [`is_unsigned_bigint`] and [`rebuild_without_rowid_alias`].
pub fn has_rowid_alias(table: &Table) -> bool {
    rowid_column(table).is_some()
}

/// Whether column `at` may hold integers that SQLite's INTEGER cannot.
pub fn is_unsigned_bigint(table: &Table, at: usize) -> bool {
    matches!(
        table.columns.get(at).map(|column| &column.ty),
        Some(ColumnType::Int {
            bytes: 8,
            unsigned: true,
            ..
        })
    )
}

/// CREATE TABLE for `table` under the name `sqlite_name`; with `rowid_alias` its sole integer key is the rowid.
pub fn create_table_sql(table: &Table, sqlite_name: &str, rowid_alias: bool) -> String {
    let alias = rowid_column(table).filter(|_| rowid_alias);
    let key = whole_key(table)
        .filter(|_| alias.is_none())
        .unwrap_or_default();
    let mut parts = Vec::with_capacity(table.columns.len() + 1);
    for (place, column) in table.columns.iter().enumerate() {
        if alias == Some(place) {
            parts.push(format!(
                "{} INTEGER PRIMARY KEY",
                quote_identifier(&column.name)
            ));
            continue;
        }
        let mut sql = column_definition(column);
        if key.contains(&place) {
            sql.push_str(" NOT NULL");
        }
        parts.push(sql);
    }
    if !key.is_empty() {
        let names: Vec<String> = key
            .iter()
            .filter_map(|place| table.columns.get(*place))
            .map(|column| quote_identifier(&column.name))
            .collect();
        parts.push(format!("PRIMARY KEY ({})", names.join(", ")));
    }
    format!(
        "CREATE TABLE {} (\n  {}\n)",
        quote_identifier(sqlite_name),
        parts.join(",\n  ")
    )
}

/// Statements that give up the rowid alias of a table whose key is about to exceed it; in the open transaction.
pub fn rebuild_without_rowid_alias(table: &Table, sqlite_name: &str) -> Vec<Step> {
    let names: Vec<String> = table
        .columns
        .iter()
        .map(|column| quote_identifier(&column.name))
        .collect();
    let rowid = rowid_name(table);
    rebuild(table, sqlite_name, false, &names, &names, rowid)
}

/// Statements that make a table anew: `columns` of the new one from `expressions` over the old one, whose rowid is called
/// `rowid`, if it may be copied range by range.
pub(super) fn rebuild(
    after: &Table,
    sqlite_name: &str,
    rowid_alias: bool,
    columns: &[String],
    expressions: &[String],
    rowid: Option<&'static str>,
) -> Vec<Step> {
    let (old, new) = (
        quote_identifier(sqlite_name),
        quote_identifier(REBUILD_NAME),
    );
    let mut statements = vec![Step::quick(create_table_sql(
        after,
        REBUILD_NAME,
        rowid_alias,
    ))];
    if !columns.is_empty() {
        let sql = format!(
            "INSERT INTO {new} ({}) SELECT {} FROM {old}",
            columns.join(", "),
            expressions.join(", "),
        );
        let effort = Effort::Copy { rowid };
        statements.push(Step { sql, effort });
    }
    statements.push(Step::drop_table(sqlite_name));
    statements.push(Step::quick(format!("ALTER TABLE {new} RENAME TO {old}")));
    statements.extend(create_indexes(after, sqlite_name));
    statements
}

/// What stands in for a primary key that SQLite cannot have.
pub(super) fn key_substitute(table: &Table, sqlite_name: &str) -> Option<Step> {
    if table.primary_key.is_empty() || whole_key(table).is_some() {
        return None;
    }
    fallback_key(table, sqlite_name)
}
