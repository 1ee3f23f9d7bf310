//! Keys: names that the server makes up, implicit NOT NULL, indexes that foreign keys bring along.

use crate::error::{Error, ErrorKind, Result};
use crate::schema::collation::bytes_max;
use crate::schema::ddl::PRIMARY;
use crate::schema::ddl::context::SqlContext;
use crate::schema::ddl::statement::{ForeignKeyDef, KeyDef};
use crate::schema::table::{
    Collation, ColumnType, ForeignKey, Index, IndexKind, KeyPart, Table, same_name,
};

/// Adds a key to a table that has its columns.
pub(super) fn add_key(table: &mut Table, key: &KeyDef) -> Result<()> {
    let is_ordered = matches!(key.kind, None | Some(IndexKind::Plain | IndexKind::Unique));
    let mut parts: Vec<KeyPart> = key
        .parts
        .iter()
        .map(|part| own_part(table, part, is_ordered))
        .collect::<Result<_>>()?;
    if key.kind == Some(IndexKind::Plain) {
        parts.iter_mut().for_each(|part| cut_to_fit(table, part));
    }
    let Some(kind) = key.kind else {
        make_not_null(table, &parts);
        table.primary_key = parts;
        return Ok(());
    };
    if let Some(name) = &key.name
        && key.if_not_exists
        && table
            .indexes
            .iter()
            .any(|index| same_name(&index.name, name))
    {
        return Ok(());
    }
    if key.name.as_deref() == Some(PRIMARY) {
        make_not_null(table, &parts);
    }
    let name = key
        .name
        .clone()
        .unwrap_or_else(|| made_up_name(table, &parts));
    table.indexes.push(Index {
        name,
        kind,
        parts,
        hash: key.hash,
    });
    Ok(())
}

fn make_not_null(table: &mut Table, parts: &[KeyPart]) {
    for part in parts {
        let place = part.column().and_then(|name| table.column_index(name));
        if let Some(column) = place.and_then(|place| table.columns.get_mut(place)) {
            column.nullable = false;
        }
    }
}

/// A part with the column's name as the column has it; a prefix that covers the whole column is the column.
fn own_part(table: &Table, part: &KeyPart, is_ordered: bool) -> Result<KeyPart> {
    let Some(name) = part.column() else {
        return Ok(part.clone());
    };
    let Some(column) = table.column(name) else {
        let text = format!("a key names the column {name}, which is not there");
        return Err(Error::new(ErrorKind::Schema, text));
    };
    let name = column.name.clone();
    Ok(match part {
        KeyPart::Prefix { length, .. } if !is_shorter(*length, &column.ty) => KeyPart::Column {
            name,
            descending: false,
        },
        KeyPart::Prefix { length, .. } => KeyPart::Prefix {
            name,
            length: *length,
        },
        KeyPart::Column { .. } if is_point(&column.ty) && is_ordered => KeyPart::Prefix {
            name,
            length: POINT_BYTES,
        },
        KeyPart::Column { descending, .. } => KeyPart::Column {
            name,
            descending: *descending,
        },
        KeyPart::Expression(_) => part.clone(),
    })
}

/// InnoDB's longest key.
const KEY_BYTES_MAX: u32 = 3072;
/// What a server takes of a POINT in a key.
const POINT_BYTES: u32 = 25;

fn is_point(ty: &ColumnType) -> bool {
    matches!(ty, ColumnType::Geometry { kind } if kind == "point")
}

/// A whole column that is too long for a key is cut to what fits, in keys that need not be unique.
fn cut_to_fit(table: &Table, part: &mut KeyPart) {
    let KeyPart::Column { name, .. } = part else {
        return;
    };
    let Some(column) = table.column(name) else {
        return;
    };
    let characters =
        |collation: &Collation| KEY_BYTES_MAX / u32::from(bytes_max(&collation.charset)).max(1);
    let length = match &column.ty {
        ColumnType::Text { collation, .. } => characters(collation),
        ColumnType::VarChar { length, collation } if *length > characters(collation) => {
            characters(collation)
        }
        ColumnType::Blob { .. } => KEY_BYTES_MAX,
        ColumnType::VarBinary { length } if *length > KEY_BYTES_MAX => KEY_BYTES_MAX,
        _ => return,
    };
    let name = name.clone();
    *part = KeyPart::Prefix { name, length };
}

/// Whether a prefix of that length leaves something of the column out.
pub(super) fn is_shorter(length: u32, ty: &ColumnType) -> bool {
    match ty {
        ColumnType::Char { length: all, .. }
        | ColumnType::VarChar { length: all, .. }
        | ColumnType::Binary { length: all }
        | ColumnType::VarBinary { length: all } => length < *all,
        ColumnType::Text { .. } | ColumnType::Blob { .. } | ColumnType::Geometry { .. } => true,
        _ => false,
    }
}

/// The name of an index that was given none: its first column, with a number where that is taken.
fn made_up_name(table: &Table, parts: &[KeyPart]) -> String {
    let functional = parts.iter().any(|part| part.column().is_none());
    let base = match parts.first().and_then(KeyPart::column) {
        Some(column) if !functional => column,
        _ => "functional_index",
    };
    let taken = |name: &str| {
        table
            .indexes
            .iter()
            .any(|index| same_name(&index.name, name))
    };
    if !taken(base) && !same_name(base, "PRIMARY") {
        return base.to_owned();
    }
    (2u32..)
        .map(|n| format!("{base}_{n}"))
        .find(|name| !taken(name))
        .unwrap_or_default()
}

/// Adds a foreign key to a table of `database`, without the index that it may need.
pub(super) fn add_foreign_key(
    table: &mut Table,
    key: &ForeignKeyDef,
    database: &str,
    context: &SqlContext,
) -> Result<()> {
    if key.inline && !context.inline_references_count() {
        return Ok(());
    }
    // MariaDB takes the index's name for the constraint's where that is missing; MySQL makes one up.
    let given = match context.is_mariadb() {
        true => key.constraint.as_ref().or(key.index.as_ref()),
        false => key.constraint.as_ref(),
    };
    let taken = |table: &Table, name: &str| {
        table
            .foreign_keys
            .iter()
            .any(|known| known.name.as_deref().is_some_and(|k| same_name(k, name)))
    };
    let name = match given {
        Some(name) if key.if_not_exists && taken(table, name) => return Ok(()),
        Some(name) => name.clone(),
        None => format!("{}_ibfk_{}", table.name, last_number(table) + 1),
    };
    let columns = key
        .columns
        .iter()
        .map(|name| {
            let column = table.column(name);
            column.map(|column| column.name.clone()).ok_or_else(|| {
                let text = format!("a foreign key names the column {name}, which is not there");
                Error::new(ErrorKind::Schema, text)
            })
        })
        .collect::<Result<_>>()?;
    // MariaDB reads SET DEFAULT and forgets it; MySQL refuses it.
    let action = |written: &String| match written.as_str() {
        "SET DEFAULT" => "RESTRICT".to_owned(),
        _ => written.clone(),
    };
    // A parent without a database is beside its child, whatever the session's default is.
    let parent_database = key.parent.database.clone();
    table.foreign_keys.push(ForeignKey {
        name: Some(name),
        columns,
        parent_database: parent_database.filter(|parent| parent != database),
        parent_table: key.parent.name.clone(),
        parent_columns: key.parent_columns.clone(),
        on_delete: action(&key.on_delete),
        on_update: action(&key.on_update),
    });
    Ok(())
}

/// The highest N of the names `table_ibfk_N`.
fn last_number(table: &Table) -> u32 {
    let prefix = format!("{}_ibfk_", table.name);
    let number = |key: &ForeignKey| {
        key.name
            .as_deref()?
            .strip_prefix(&prefix)?
            .parse::<u32>()
            .ok()
    };
    table
        .foreign_keys
        .iter()
        .filter_map(number)
        .max()
        .unwrap_or(0)
}

/// Adds the index that a foreign key needs on the child's side, when no other key begins with its columns.
pub(super) fn add_foreign_key_index(table: &mut Table, key: &ForeignKeyDef, context: &SqlContext) {
    if key.inline && !context.inline_references_count() {
        return;
    }
    let begins = |parts: &[KeyPart]| {
        parts.len() >= key.columns.len()
            && key.columns.iter().zip(parts).all(|(column, part)| {
                matches!(part, KeyPart::Column { name, .. } if same_name(name, column))
            })
    };
    let has = begins(&table.primary_key)
        || table.indexes.iter().any(|index| {
            matches!(index.kind, IndexKind::Plain | IndexKind::Unique) && begins(&index.parts)
        });
    if has {
        return;
    }
    let parts: Vec<KeyPart> = key
        .columns
        .iter()
        .filter_map(|name| table.column(name))
        .map(|column| KeyPart::Column {
            name: column.name.clone(),
            descending: false,
        })
        .collect();
    let given = key.constraint.clone().or_else(|| key.index.clone());
    let name = given.unwrap_or_else(|| made_up_name(table, &parts));
    table.indexes.push(Index {
        name,
        kind: IndexKind::Plain,
        parts,
        hash: false,
    });
}
