//! Keys under ALTER TABLE: they follow their columns, go with them, and take the actions on keys.

use super::alter::Slot;
use super::key::{add_foreign_key, add_foreign_key_index, add_key, is_shorter};
use crate::error::Result;
use crate::schema::ddl::PRIMARY;
use crate::schema::ddl::context::SqlContext;
use crate::schema::ddl::statement::AlterAction;
use crate::schema::table::{KeyPart, Table, same_name};

/// Rewrites the keys of `after`, which still has those of `before`.
pub(super) fn alter_keys(
    after: &mut Table,
    before: &Table,
    slots: &[Slot],
    actions: &[AlterAction],
    database: &str,
    context: &SqlContext,
) -> Result<()> {
    drop_keys(after, actions);
    follow_columns(after, before, slots);
    let mut foreign = Vec::new();
    for action in actions {
        match action {
            AlterAction::AddKey(key) => add_key(after, key)?,
            AlterAction::AddForeignKey(key) => {
                add_foreign_key(after, key, database, context)?;
                foreign.push(key);
            }
            _ => {}
        }
    }
    for key in foreign {
        add_foreign_key_index(after, key, context);
    }
    Ok(())
}

/// DROP and RENAME of keys, which mean the keys as they were.
fn drop_keys(after: &mut Table, actions: &[AlterAction]) {
    let renamed: Vec<(&String, &String)> = actions
        .iter()
        .filter_map(|action| match action {
            AlterAction::RenameKey(from, to) => Some((from, to)),
            _ => None,
        })
        .collect();
    for action in actions {
        match action {
            AlterAction::DropPrimaryKey => {
                after.primary_key.clear();
                after.indexes.retain(|index| index.name != PRIMARY);
            }
            AlterAction::DropKey(name) => {
                after.indexes.retain(|index| !same_name(&index.name, name));
            }
            AlterAction::DropForeignKey(name) => drop_foreign_key(after, name),
            AlterAction::DropConstraint(name) => {
                if name.eq_ignore_ascii_case("PRIMARY") {
                    after.primary_key.clear();
                }
                drop_foreign_key(after, name);
                after.indexes.retain(|index| {
                    index.kind != crate::schema::table::IndexKind::Unique
                        || !same_name(&index.name, name)
                });
            }
            _ => {}
        }
    }
    for index in &mut after.indexes {
        if let Some((_, to)) = renamed
            .iter()
            .find(|(from, _)| same_name(from, &index.name))
        {
            index.name.clone_from(to);
        }
    }
}

fn drop_foreign_key(after: &mut Table, name: &str) {
    after.foreign_keys.retain(|key| {
        !key.name
            .as_deref()
            .is_some_and(|known| same_name(known, name))
    });
}

/// Parts take their columns' new names; parts of dropped columns go, and keys without parts with them.
fn follow_columns(after: &mut Table, before: &Table, slots: &[Slot]) {
    let now = |old: &str| {
        let place = before.column_index(old);
        slots
            .iter()
            .find(|slot| slot.from.is_some() && slot.from == place)
            .map(|slot| &slot.column)
    };
    let part = |part: &KeyPart| match part {
        KeyPart::Expression(_) => Some(part.clone()),
        KeyPart::Column { name, descending } => now(name).map(|column| KeyPart::Column {
            name: column.name.clone(),
            descending: *descending,
        }),
        KeyPart::Prefix { name, length } => {
            now(name).map(|column| match is_shorter(*length, &column.ty) {
                true => KeyPart::Prefix {
                    name: column.name.clone(),
                    length: *length,
                },
                false => KeyPart::Column {
                    name: column.name.clone(),
                    descending: false,
                },
            })
        }
    };
    let parts = |all: &[KeyPart]| -> Vec<KeyPart> { all.iter().filter_map(part).collect() };
    after.primary_key = parts(&after.primary_key);
    for index in &mut after.indexes {
        index.parts = parts(&index.parts);
    }
    after.indexes.retain(|index| !index.parts.is_empty());
    // A primary key keeps its columns NOT NULL, whatever MODIFY left out.
    for part in &after.primary_key {
        let column = part
            .column()
            .and_then(|name| after.columns.iter_mut().find(|c| c.name == name));
        if let Some(column) = column {
            column.nullable = false;
        }
    }
    let own_name = after.name.clone();
    for key in &mut after.foreign_keys {
        let is_own = key.parent_database.is_none() && key.parent_table == own_name;
        let rename = |name: &mut String| {
            if let Some(column) = now(name) {
                name.clone_from(&column.name);
            }
        };
        key.columns.iter_mut().for_each(rename);
        if is_own {
            key.parent_columns.iter_mut().for_each(rename);
        }
    }
    after.foreign_keys.retain(|key| {
        key.columns
            .iter()
            .all(|name| slots.iter().any(|s| &s.column.name == name))
    });
}
