//! ALTER TABLE: many actions, one new definition.
//!
//! All names of columns and keys in the actions mean the table as it was, so that two columns can swap their names. As
//! the server does it: first the old columns in their order, without the dropped ones, changed in place; then, in the
//! order of the actions, what is new comes in and what moves goes from its old place to its new one; then keys.

use std::sync::Arc;

use super::alter_key::alter_keys;
use super::column::{column, default_value, promote_first_timestamp};
use super::fill::{ColumnOrigin, Fill, fill, is_converted};
use super::resolve::{collation, converted, recollated, relabels};
use super::versioning::{add_versioning, extend_keys, make_not_null};
use super::{Catalog, Change};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::ddl::context::SqlContext;
use crate::schema::ddl::statement::{AlterAction, AlterTable, CharsetSpec, ColumnDef, ColumnPlace};
use crate::schema::table::{Collation, Column, Table, same_name};

/// A column on its way into the new definition.
pub(super) struct Slot {
    /// The column from now on.
    pub(super) column: Column,
    /// Where it stood before; `None` for a new one.
    pub(super) from: Option<usize>,
}

/// The steps of ALTER TABLE.
pub(super) fn alter_table(
    alter: &AlterTable,
    context: &SqlContext,
    catalog: &dyn Catalog,
) -> Result<Vec<Change>> {
    let database = alter.table.database(&context.default_database).to_owned();
    let name = alter.table.name.clone();
    let mut changes = Vec::new();
    let mut relabels_a_column = false;
    match catalog.table(&database, &name) {
        None => changes.push(Change::NotKnown {
            database: database.clone(),
            name: name.clone(),
        }),
        Some(before) => {
            let (after, origins) = altered(&before, alter, &database, context, catalog)
                .map_err(|error| error.at_table(&database, &name))?;
            relabels_a_column = before
                .columns
                .iter()
                .filter(|column| !is_written_anew(column, &alter.actions))
                .any(|column| relabels(&column.ty, &after.collation));
            if *before != after {
                let database = database.clone();
                changes.push(Change::AlterTable {
                    database,
                    before,
                    after,
                    origins,
                });
            }
        }
    }
    for action in &alter.actions {
        let why = match action {
            AlterAction::PartitionRows { what, .. } => *what,
            AlterAction::DropSystemVersioning => "DROP SYSTEM VERSIONING",
            AlterAction::ConvertCharset(_) if relabels_a_column => CONVERTED_LABELS,
            _ => continue,
        };
        let why = format!("{why} changes rows that no row event names");
        changes.push(Change::Unsupported {
            database: database.clone(),
            table: name.clone(),
            why: why.clone(),
        });
        if let AlterAction::PartitionRows {
            with: Some(other), ..
        } = action
        {
            let database = other.database(&context.default_database).to_owned();
            changes.push(Change::Unsupported {
                database,
                table: other.name.clone(),
                why,
            });
        }
    }
    let renamed = alter.actions.iter().rev().find_map(|action| match action {
        AlterAction::RenameTable(to) => Some(to),
        _ => None,
    });
    if let Some(to) = renamed {
        let to = (
            to.database(&context.default_database).to_owned(),
            to.name.clone(),
        );
        if to != (database.clone(), name.clone()) {
            changes.push(Change::RenameTable {
                from: (database, name),
                to,
            });
        }
    }
    Ok(changes)
}

/// Why a table with labels that are not ASCII cannot follow a change of charset.
const CONVERTED_LABELS: &str = "CONVERT TO CHARACTER SET of an ENUM or SET";

/// Whether the actions drop a column or write out its definition.
fn is_written_anew(column: &Column, actions: &[AlterAction]) -> bool {
    actions.iter().any(|action| match action {
        AlterAction::DropColumn { name, .. } | AlterAction::ChangeColumn { old: name, .. } => {
            same_name(name, &column.name)
        }
        _ => false,
    })
}

/// The new definition, and where its columns come from.
fn altered(
    before: &Arc<Table>,
    alter: &AlterTable,
    database: &str,
    context: &SqlContext,
    catalog: &dyn Catalog,
) -> Result<(Table, Vec<ColumnOrigin>)> {
    let database_collation = || {
        catalog
            .database_collation(database)
            .unwrap_or_else(|| context.server_collation())
    };
    let (default, convert) = collations(before, &alter.actions, database_collation, context)?;
    let change = ColumnChange {
        before,
        actions: &alter.actions,
        default: &default,
        convert,
        context,
    };
    let mut slots = change.kept()?;
    change.add_and_move(&mut slots)?;
    change.promote(&mut slots);
    move_hidden_to_end(before, &mut slots);
    let mut after = Table {
        columns: slots.iter().map(|slot| slot.column.clone()).collect(),
        collation: default.clone(),
        ..before.as_ref().clone()
    };
    for action in &alter.actions {
        if let AlterAction::AddApplicationPeriod(from, to) = action {
            make_not_null(&mut after, [from, to]);
        }
    }
    alter_versioning(&mut after, &alter.actions, &mut slots);
    alter_keys(
        &mut after,
        before,
        &slots,
        &alter.actions,
        database,
        context,
    )?;
    extend_keys(&mut after);
    // Keys may have made columns NOT NULL.
    let origins = slots
        .iter()
        .zip(&after.columns)
        .map(|(slot, column)| origin(slot, column, before, context))
        .collect();
    Ok((after, origins))
}

fn origin(slot: &Slot, column: &Column, before: &Table, context: &SqlContext) -> ColumnOrigin {
    match slot
        .from
        .and_then(|from| Some((from, before.columns.get(from)?)))
    {
        Some((from, old)) => ColumnOrigin::Kept {
            from,
            converted: is_converted(old, column),
        },
        None if before.system_period.is_none()
            && column.invisible
            && column.name.starts_with("row_") =>
        {
            let reason = "the source says since when rows are in force".to_owned();
            ColumnOrigin::New {
                fill: Fill::NeedsSource(reason),
            }
        }
        None => ColumnOrigin::New {
            fill: fill(column, context),
        },
    }
}

/// The table's default collation from now on, and the one that existing columns are converted to.
fn collations(
    before: &Table,
    actions: &[AlterAction],
    database_collation: impl Fn() -> Collation,
    context: &SqlContext,
) -> Result<(Collation, Option<Collation>)> {
    let mut default = before.collation.clone();
    let mut convert = None;
    let resolve = |spec: &CharsetSpec, own: &Collation| match spec.charset.as_deref() {
        Some("default") => collation(spec, &database_collation(), context),
        _ => collation(spec, own, context),
    };
    for action in actions {
        match action {
            AlterAction::Options(options) if !options.charset.is_empty() => {
                default = resolve(&options.charset, &default)?;
            }
            AlterAction::ConvertCharset(spec) => {
                default = resolve(spec, &default)?;
                convert = Some(default.clone());
            }
            _ => {}
        }
    }
    Ok((default, convert))
}

/// What happens to the columns.
struct ColumnChange<'a> {
    before: &'a Table,
    actions: &'a [AlterAction],
    default: &'a Collation,
    convert: Option<Collation>,
    context: &'a SqlContext,
}

impl ColumnChange<'_> {
    fn unknown_column(name: &str) -> Error {
        Error::new(
            ErrorKind::Schema,
            format!("the statement names the column {name}, which is not there"),
        )
    }

    /// Where an old column stands; `None` when it may be missing and is.
    fn find(&self, name: &str, may_miss: bool) -> Result<Option<usize>> {
        match self.before.column_index(name) {
            None if !may_miss => Err(Self::unknown_column(name)),
            found => Ok(found),
        }
    }

    /// The old columns that stay where they are, changed where the actions say so.
    fn kept(&self) -> Result<Vec<Slot>> {
        let mut slots: Vec<Option<Slot>> = self
            .before
            .columns
            .iter()
            .enumerate()
            .map(|(place, column)| {
                let mut column = column.clone();
                if let Some(to) = &self.convert {
                    column.ty = converted(&column.ty, to);
                }
                Some(Slot {
                    column,
                    from: Some(place),
                })
            })
            .collect();
        for action in self.actions {
            let place = match action {
                AlterAction::DropColumn { name, if_exists }
                | AlterAction::RenameColumn {
                    from: name,
                    if_exists,
                    ..
                }
                | AlterAction::ChangeColumn {
                    old: name,
                    if_exists,
                    ..
                }
                | AlterAction::SetDefault {
                    column: name,
                    if_exists,
                    ..
                } => self.find(name, *if_exists)?,
                AlterAction::SetInvisible { column, .. } => self.find(column, false)?,
                _ => None,
            };
            let Some(slot) = place.and_then(|place| slots.get_mut(place)) else {
                continue;
            };
            self.change_slot(action, slot)?;
        }
        Ok(slots.into_iter().flatten().collect())
    }

    /// One action on one old column. A column that moves stays where it is until `add_and_move`.
    fn change_slot(&self, action: &AlterAction, slot: &mut Option<Slot>) -> Result<()> {
        match action {
            AlterAction::DropColumn { .. } => *slot = None,
            AlterAction::ChangeColumn { column: def, .. } => {
                if let Some(slot) = slot {
                    slot.column = self.changed(def)?;
                }
            }
            AlterAction::RenameColumn { to, .. } => {
                if let Some(slot) = slot {
                    slot.column.name.clone_from(to);
                }
            }
            AlterAction::SetDefault { default, .. } => {
                if let Some(slot) = slot {
                    slot.column.default = default
                        .as_ref()
                        .and_then(|default| default_value(default, &slot.column.ty, self.context));
                }
            }
            AlterAction::SetInvisible { invisible, .. } => {
                if let Some(slot) = slot {
                    slot.column.invisible = *invisible;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn changed(&self, def: &ColumnDef) -> Result<Column> {
        let mut column = column(def, self.default, self.context)?;
        // CONVERT TO CHARACTER SET has the last word, also over what the same statement says of a column.
        if let Some(to) = &self.convert {
            column.ty = recollated(&column.ty, to);
        }
        Ok(column)
    }

    /// New columns and those that move, in the order of the actions.
    fn add_and_move(&self, slots: &mut Vec<Slot>) -> Result<()> {
        for action in self.actions {
            let (def, place, from) = match action {
                AlterAction::AddColumn {
                    column,
                    place,
                    if_not_exists,
                } => {
                    if *if_not_exists && self.before.column_index(&column.name).is_some() {
                        continue;
                    }
                    (column, place.as_ref(), None)
                }
                AlterAction::ChangeColumn {
                    old,
                    column,
                    place: Some(place),
                    if_exists,
                } => match self.find(old, *if_exists)? {
                    Some(from) => (column, Some(place), Some(from)),
                    None => continue,
                },
                _ => continue,
            };
            if from.is_some() {
                slots.retain(|slot| slot.from != from);
            }
            let slot = Slot {
                column: self.changed(def)?,
                from,
            };
            match place {
                None => slots.push(slot),
                Some(ColumnPlace::First) => slots.insert(0, slot),
                Some(ColumnPlace::After(name)) => {
                    let at = slots
                        .iter()
                        .position(|other| same_name(&other.column.name, name));
                    let at = at.ok_or_else(|| Self::unknown_column(name))?;
                    slots.insert(at + 1, slot);
                }
            }
        }
        Ok(())
    }

    /// The rule for the first TIMESTAMP counts the columns that the statement writes out.
    fn promote(&self, slots: &mut [Slot]) {
        for action in self.actions {
            let (AlterAction::AddColumn { column: def, .. }
            | AlterAction::ChangeColumn { column: def, .. }) = action
            else {
                continue;
            };
            let slot = slots.iter_mut().find(|slot| slot.column.name == def.name);
            let Some(slot) = slot else { continue };
            let is_timestamp = matches!(
                slot.column.ty,
                crate::schema::table::ColumnType::Timestamp { .. }
            );
            if is_timestamp {
                promote_first_timestamp(std::iter::once((def, &mut slot.column)), self.context);
                return;
            }
        }
    }
}

/// Columns that the server made for system versioning stay behind all others.
fn move_hidden_to_end(before: &Table, slots: &mut Vec<Slot>) {
    let Some(period) = before.system_period.as_ref().filter(|period| period.hidden) else {
        return;
    };
    let (hidden, others): (Vec<Slot>, Vec<Slot>) = std::mem::take(slots)
        .into_iter()
        .partition(|slot| slot.column.name == period.start || slot.column.name == period.end);
    slots.extend(others);
    slots.extend(hidden);
}

/// ADD and DROP SYSTEM VERSIONING.
fn alter_versioning(after: &mut Table, actions: &[AlterAction], slots: &mut Vec<Slot>) {
    let drops = actions.contains(&AlterAction::DropSystemVersioning);
    if drops && let Some(period) = after.system_period.take() {
        if period.hidden {
            let is_hidden = |name: &str| name == period.start || name == period.end;
            after.columns.retain(|column| !is_hidden(&column.name));
            slots.retain(|slot| !is_hidden(&slot.column.name));
        }
        let is_end = |part: &crate::schema::table::KeyPart| part.column() == Some(&period.end);
        after.primary_key.retain(|part| !is_end(part));
        after
            .indexes
            .iter_mut()
            .for_each(|index| index.parts.retain(|part| !is_end(part)));
    }
    let adds = actions.iter().any(|action| match action {
        AlterAction::AddSystemVersioning => true,
        AlterAction::Options(options) => options.system_versioning,
        _ => false,
    });
    if adds && after.system_period.is_none() {
        let explicit = actions.iter().find_map(|action| match action {
            AlterAction::AddSystemPeriod(start, end) => Some((start.clone(), end.clone())),
            _ => None,
        });
        let known = after.columns.len();
        add_versioning(after, explicit);
        let added = after.columns.iter().skip(known);
        slots.extend(added.map(|column| Slot {
            column: column.clone(),
            from: None,
        }));
    }
}
