//! Secondary indexes.

use super::create::{key_substitute, whole_key};
use super::name::quote_identifier;
use super::step::Step;
use crate::schema::table::{ColumnType, Index, IndexKind, KeyPart, Table};

/// Columns of at most so many characters or bytes are indexed whole where the source indexes a prefix.
const WHOLE_INSTEAD_OF_PREFIX_MAX: u32 = 1024;

/// SQLite's name of an index: unique in its file, and never the name of a table (see [`super::sqlite_name`]). The second
/// colon ends the table's name, so one inside it is percent-encoded.
pub fn index_name(sqlite_name: &str, index: &str) -> String {
    let table = sqlite_name.replace('%', "%25").replace(':', "%3A");
    format!("ix:{table}:{index}")
}

/// CREATE INDEX for all indexes that SQLite can have.
///
/// UNIQUE stays where every part is a whole column. Prefix and functional parts end an index early (its leading columns
/// still serve queries); FULLTEXT, SPATIAL and VECTOR indexes have no counterpart.
pub fn create_indexes(table: &Table, sqlite_name: &str) -> Vec<Step> {
    let mut statements: Vec<Step> = key_substitute(table, sqlite_name).into_iter().collect();
    statements.extend(
        table
            .indexes
            .iter()
            .filter_map(|index| one_index(table, index, sqlite_name)),
    );
    statements
}

/// The keys by which a row can be found, as column numbers, the primary key first: each has an index in SQLite, and no two rows
/// are equal in all its columns. Unique keys that allow NULL are none.
pub fn lookup_keys(table: &Table) -> Vec<Vec<usize>> {
    let unique = table
        .indexes
        .iter()
        .filter(|index| index.kind == IndexKind::Unique);
    let parts = std::iter::once(&table.primary_key).chain(unique.map(|index| &index.parts));
    let key = |(n, parts): (usize, &Vec<KeyPart>)| -> Option<Vec<usize>> {
        let place = |part: &KeyPart| match part {
            KeyPart::Column { name, .. } => table.column_index(name),
            // What differs in a prefix differs as a whole, and short columns are indexed whole.
            KeyPart::Prefix { name, .. } if is_short(table, name) => table.column_index(name),
            KeyPart::Prefix { .. } | KeyPart::Expression(_) => None,
        };
        let key: Vec<usize> = parts.iter().map(place).collect::<Option<_>>()?;
        let is_null = |at: &usize| table.columns.get(*at).is_none_or(|column| column.nullable);
        let is_sure = n == 0 || !key.iter().any(is_null);
        (!key.is_empty() && is_sure).then_some(key)
    };
    parts.enumerate().filter_map(key).collect()
}

/// CREATE INDEX for one index; `None` when SQLite cannot have it or has it already.
pub(super) fn one_index(table: &Table, index: &Index, sqlite_name: &str) -> Option<Step> {
    if !matches!(index.kind, IndexKind::Plain | IndexKind::Unique) {
        return None;
    }
    let (parts, whole) = usable_parts(table, &index.parts);
    let unique = index.kind == IndexKind::Unique && whole;
    let sole = match index.parts.as_slice() {
        [KeyPart::Column { name, .. }] => table.column_index(name),
        _ => None,
    };
    let is_key = sole.is_some_and(|place| whole_key(table).is_some_and(|key| key == [place]));
    if parts.is_empty() || is_key {
        return None;
    }
    let name = index_name(sqlite_name, &index.name);
    Some(create_index(unique, &name, sqlite_name, &parts))
}

/// A plain index in place of a primary key with a prefix.
pub(super) fn fallback_key(table: &Table, sqlite_name: &str) -> Option<Step> {
    let (parts, _) = usable_parts(table, &table.primary_key);
    let name = index_name(sqlite_name, "PRIMARY");
    (!parts.is_empty()).then(|| create_index(false, &name, sqlite_name, &parts))
}

fn create_index(unique: bool, name: &str, sqlite_name: &str, parts: &[String]) -> Step {
    let sql = format!(
        "CREATE {}INDEX {} ON {} ({})",
        if unique { "UNIQUE " } else { "" },
        quote_identifier(name),
        quote_identifier(sqlite_name),
        parts.join(", ")
    );
    Step::index(sql, parts.len(), unique)
}

/// The leading parts that SQLite can index; and whether they are all of them, each a whole column.
fn usable_parts(table: &Table, parts: &[KeyPart]) -> (Vec<String>, bool) {
    let mut usable = Vec::new();
    let mut whole = true;
    for part in parts {
        match part {
            KeyPart::Column { name, descending } => {
                let order = if *descending { " DESC" } else { "" };
                usable.push(format!("{}{order}", quote_identifier(name)));
            }
            KeyPart::Prefix { name, .. } if is_short(table, name) => {
                whole = false;
                usable.push(quote_identifier(name));
            }
            KeyPart::Prefix { .. } | KeyPart::Expression(_) => return (usable, false),
        }
    }
    (usable, whole)
}

fn is_short(table: &Table, name: &str) -> bool {
    matches!(
        table.column(name).map(|column| &column.ty),
        Some(
            ColumnType::Char { length, .. }
                | ColumnType::VarChar { length, .. }
                | ColumnType::Binary { length }
                | ColumnType::VarBinary { length }
        ) if *length <= WHOLE_INSTEAD_OF_PREFIX_MAX
    )
}
