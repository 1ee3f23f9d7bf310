//! CREATE TABLE.

use super::column::{column, promote_first_timestamp};
use super::key::{add_foreign_key, add_foreign_key_index, add_key};
use super::resolve::collation;
use super::versioning::{add_versioning, empty_table, extend_keys, make_not_null};
use super::{Catalog, Change};
use crate::error::Result;
use crate::schema::ddl::context::SqlContext;
use crate::schema::ddl::statement::{ColumnDef, CreateTable, ForeignKeyDef, TableElement};
use crate::schema::table::{Collation, Table};

/// Engines that read foreign keys and forget them.
const NO_FOREIGN_KEYS: [&str; 9] = [
    "myisam",
    "aria",
    "memory",
    "heap",
    "archive",
    "csv",
    "merge",
    "mrg_myisam",
    "blackhole",
];

/// The steps of CREATE TABLE.
pub(super) fn create_table(
    create: &CreateTable,
    context: &SqlContext,
    catalog: &dyn Catalog,
) -> Result<Vec<Change>> {
    let database = create.table.database(&context.default_database).to_owned();
    let name = create.table.name.clone();
    if create.if_not_exists && catalog.table(&database, &name).is_some() {
        return Ok(Vec::new());
    }
    let mut changes = Vec::new();
    if create.or_replace {
        changes.push(Change::DropTable {
            database: database.clone(),
            name: name.clone(),
        });
    }
    let unsupported = |why: String| Change::Unsupported {
        database: database.clone(),
        table: name.clone(),
        why,
    };
    if create.select {
        changes.push(unsupported("its columns come from a query".to_owned()));
    } else if let Some(like) = &create.like {
        let like_database = like.database(&context.default_database);
        match catalog.table(like_database, &like.name) {
            Some(model) => {
                let table = Table {
                    name,
                    foreign_keys: Vec::new(),
                    ..model.as_ref().clone()
                };
                changes.push(Change::CreateTable { database, table });
            }
            None => changes.push(unsupported(format!(
                "it is made like {}, which is not known",
                like.name
            ))),
        }
    } else {
        let inherited = catalog
            .database_collation(&database)
            .unwrap_or_else(|| context.server_collation());
        let table = build(create, &database, &inherited, context)
            .map_err(|error| error.at_table(&database, &create.table.name))?;
        changes.push(Change::CreateTable { database, table });
    }
    Ok(changes)
}

/// The table that a CREATE TABLE with columns makes in a database whose default collation is `inherited`.
pub(in crate::schema) fn build(
    create: &CreateTable,
    database: &str,
    inherited: &Collation,
    context: &SqlContext,
) -> Result<Table> {
    let collation = collation(&create.options.charset, inherited, context)?;
    let mut table = empty_table(&create.table.name, collation);
    let defs: Vec<&ColumnDef> = create
        .elements
        .iter()
        .filter_map(|element| match element {
            TableElement::Column(def) => Some(def),
            _ => None,
        })
        .collect();
    for def in &defs {
        table.columns.push(column(def, &table.collation, context)?);
    }
    promote_first_timestamp(defs.iter().copied().zip(&mut table.columns), context);
    for element in &create.elements {
        if let TableElement::ApplicationPeriod(from, to) = element {
            make_not_null(&mut table, [from, to]);
        }
    }
    let versioned = create.options.system_versioning || defs.iter().any(|def| def.system_versioned);
    if versioned {
        add_versioning(&mut table, explicit_period(create, &defs));
    }
    add_keys(&mut table, create, database, context)?;
    extend_keys(&mut table);
    Ok(table)
}

/// The columns of a period that is written out.
fn explicit_period(create: &CreateTable, defs: &[&ColumnDef]) -> Option<(String, String)> {
    let written = create.elements.iter().find_map(|element| match element {
        TableElement::SystemPeriod(start, end) => Some((start.clone(), end.clone())),
        _ => None,
    });
    written.or_else(|| {
        let at = |end: bool| defs.iter().find(|def| def.row_period == Some(end));
        Some((at(false)?.name.clone(), at(true)?.name.clone()))
    })
}

fn add_keys(
    table: &mut Table,
    create: &CreateTable,
    database: &str,
    context: &SqlContext,
) -> Result<()> {
    let mut foreign: Vec<&ForeignKeyDef> = Vec::new();
    for element in &create.elements {
        match element {
            TableElement::Key(key) => add_key(table, key)?,
            TableElement::ForeignKey(key) => {
                add_foreign_key(table, key, database, context)?;
                foreign.push(key);
            }
            _ => {}
        }
    }
    // Explicit keys come first: one that begins with the columns of a foreign key spares its index.
    for key in foreign {
        add_foreign_key_index(table, key, context);
    }
    let engine = create.options.engine.as_deref().unwrap_or_default();
    if NO_FOREIGN_KEYS.contains(&engine) {
        table.foreign_keys.clear();
    }
    Ok(())
}
