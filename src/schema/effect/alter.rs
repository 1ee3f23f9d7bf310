//! ALTER TABLE: many actions, one new definition.
//!
//! All names of columns and keys in the actions mean the table as it was, so that two columns can swap their names. As
//! the server does it: first the old columns in their order, without the dropped ones, changed in place; then, in the
//! order of the actions, what is new comes in and what moves goes from its old place to its new one; then keys.

use std::sync::Arc;

use super::alter_key::alter_keys;
use super::alter_names::rename_in_expressions;
use super::column::{column, default_value, promote_first_timestamp};
use super::fill::{ColumnOrigin, Fill, fill, is_converted};
use super::resolve::{collation, converted, default_of_alter, recollated, relabels};
use super::versioning::{add_versioning, extend_keys, make_not_null};
use super::{Catalog, Change};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::ddl::CONVERT_TABLE;
use crate::schema::ddl::context::SqlContext;
use crate::schema::ddl::statement::{AlterAction, AlterTable, CharsetSpec, ColumnDef, ColumnPlace};
use crate::schema::table::{Collation, Column, ColumnType, Table, same_name};

/// A column on its way into the new definition.
pub(super) struct Slot {
    /// The column from now on.
    pub(super) column: Column,
    /// Where it stood before; `None` for a new one.
    pub(super) from: Option<usize>,
    /// Its expression has other names for the same columns.
    pub(super) follows_names: bool,
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
    let sequence = alter.actions.iter().rev().find_map(|action| match action {
        AlterAction::Options(options) => options.sequence,
        _ => None,
    });
    let rows_change = unnamed_row_changes(alter, (&database, &name), context);
    match (catalog.table(&database, &name), sequence) {
        // Its definition comes with its rows.
        _ if !rows_change.is_empty() => changes.extend(rows_change),
        (Some(_), Some(true)) => return Ok(vec![Change::DropTable { database, name }]),
        (None, Some(false)) => changes.push(Change::Unsupported {
            database: database.clone(),
            table: name.clone(),
            why: "it was a sequence, whose row is not here".to_owned(),
        }),
        (None, _) => changes.push(Change::NotKnown {
            database: database.clone(),
            name: name.clone(),
        }),
        (Some(before), _) => {
            let (after, origins) = altered(&before, alter, &database, context, catalog)
                .map_err(|error| error.at_table(&database, &name))?;
            relabels_a_column = before
                .columns
                .iter()
                .filter(|column| !is_written_anew(column, &alter.actions))
                .any(|column| relabels(&column.ty, &after.collation));
            if *before != after || may_zero_dates(&before, alter, context) {
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
    let converts = |action: &AlterAction| matches!(action, AlterAction::ConvertCharset(_));
    if relabels_a_column && alter.actions.iter().any(converts) {
        changes.push(Change::Unsupported {
            database: database.clone(),
            table: name.clone(),
            why: format!("{CONVERTED_LABELS} changes rows that no row event names"),
        });
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

/// Whether dates that the calendar does not have may become `0000-00-00`, as where a server copies the rows in a session that is not
/// strict. The target looks whether there are any.
fn may_zero_dates(table: &Table, alter: &AlterTable, context: &SqlContext) -> bool {
    let is_date =
        |column: &Column| matches!(column.ty, ColumnType::Date | ColumnType::DateTime { .. });
    (alter.ignore || !context.is_strict()) && table.columns.iter().any(is_date)
}

/// What changes rows that no row event names, and only the source knows which.
fn unnamed_row_changes(
    alter: &AlterTable,
    (database, name): (&str, &str),
    context: &SqlContext,
) -> Vec<Change> {
    let mut changes = Vec::new();
    for action in &alter.actions {
        let why = match action {
            AlterAction::PartitionRows { what, .. } => *what,
            AlterAction::DropSystemVersioning => "DROP SYSTEM VERSIONING",
            _ => continue,
        };
        let why = format!("{why} changes rows that no row event names");
        changes.push(Change::Unsupported {
            database: database.to_owned(),
            table: name.to_owned(),
            why: why.clone(),
        });
        if let AlterAction::PartitionRows {
            what,
            with: Some(other),
        } = action
        {
            let database = other.database(&context.default_database).to_owned();
            if *what == CONVERT_TABLE {
                // It is a partition from now on.
                let name = other.name.clone();
                changes.push(Change::DropTable { database, name });
                continue;
            }
            changes.push(Change::Unsupported {
                database,
                table: other.name.clone(),
                why,
            });
        }
    }
    changes
}

/// Why a table with labels that are not ASCII cannot follow a change of charset.
const CONVERTED_LABELS: &str = "CONVERT TO CHARACTER SET of an ENUM or SET";

/// Whether the actions drop a column or write out its definition.
pub(super) fn is_written_anew(column: &Column, actions: &[AlterAction]) -> bool {
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
    let (default, convert) = collations(before, &alter.actions, database, catalog, context)?;
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
    rename_in_expressions(before, &alter.actions, &mut slots, context);
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
        .map(|(slot, column)| origin(slot, column, before, &after))
        .collect();
    Ok((after, origins))
}

fn origin(slot: &Slot, column: &Column, before: &Table, after: &Table) -> ColumnOrigin {
    let is_of_period = after
        .system_period
        .as_ref()
        .is_some_and(|period| column.name == period.start || column.name == period.end);
    match slot
        .from
        .and_then(|from| Some((from, before.columns.get(from)?)))
    {
        Some((from, old)) => {
            let mut old = old.clone();
            if slot.follows_names {
                old.generated.clone_from(&column.generated);
            }
            let converted = is_converted(&old, column);
            ColumnOrigin::Kept { from, converted }
        }
        None if is_of_period => {
            let reason = "the source says since when rows are in force".to_owned();
            ColumnOrigin::New {
                fill: Fill::NeedsSource(reason),
            }
        }
        None => ColumnOrigin::New { fill: fill(column) },
    }
}

/// The table's default collation from now on, and the one that existing columns are converted to.
fn collations(
    before: &Table,
    actions: &[AlterAction],
    database: &str,
    catalog: &dyn Catalog,
    context: &SqlContext,
) -> Result<(Collation, Option<Collation>)> {
    let mut default = before.collation.clone();
    let (mut convert, mut option) = (None, None);
    let resolve =
        |spec: &CharsetSpec, own: &Collation, converts: bool| match spec.charset.as_deref() {
            Some("default") => {
                let inherited = default_of_alter(converts, database, catalog, context);
                collation(spec, &inherited, context)
            }
            _ => collation(spec, own, context),
        };
    for action in actions {
        match action {
            AlterAction::Options(options) if !options.charset.is_empty() => {
                default = resolve(&options.charset, &default, false)?;
                option = Some(default.clone());
            }
            AlterAction::ConvertCharset(spec) => {
                default = resolve(spec, &default, true)?;
                convert = Some(default.clone());
            }
            _ => {}
        }
    }
    // MariaDB lets a statement convert the columns to one charset and make another one the default; MySQL refuses it.
    match option {
        Some(option) if context.is_mariadb() && !context.later_charset_word_wins() => {
            Ok((option, convert))
        }
        _ => Ok((default, convert)),
    }
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
                    follows_names: false,
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
            // What moves is changed already, also by what other actions say of it.
            let place_now = slots
                .iter()
                .position(|slot| from.is_some() && slot.from == from);
            let slot = match place_now {
                Some(at) => slots.remove(at),
                None => Slot {
                    column: self.changed(def)?,
                    from,
                    follows_names: false,
                },
            };
            match place {
                None => slots.push(slot),
                Some(ColumnPlace::First) => {
                    let behind = usize::from(slots.first().is_some_and(is_generated_key));
                    slots.insert(behind, slot);
                }
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

    /// The rule for the first TIMESTAMP means the first one of the table as it is from now on, if the statement writes it out.
    fn promote(&self, slots: &mut [Slot]) {
        let mut timestamps = slots
            .iter_mut()
            .filter(|slot| matches!(slot.column.ty, ColumnType::Timestamp { .. }));
        let Some(first) = timestamps.next() else {
            return;
        };
        let def = self.actions.iter().find_map(|action| match action {
            AlterAction::AddColumn { column: def, .. }
            | AlterAction::ChangeColumn { column: def, .. } => {
                (def.name == first.column.name).then_some(def)
            }
            _ => None,
        });
        if let Some(def) = def {
            promote_first_timestamp(std::iter::once((def, &mut first.column)), self.context);
        }
    }
}

/// MySQL's generated invisible primary key stays in front of all others.
fn is_generated_key(slot: &Slot) -> bool {
    let column = &slot.column;
    column.name == "my_row_id" && column.invisible && column.auto_increment
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
            follows_names: false,
        }));
    }
}
