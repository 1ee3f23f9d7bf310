//! What a statement does to the tables that are known: [`Statement`] and catalog to [`Change`]s.
//!
//! Pure: the catalog is only read; whoever applies the changes writes them back. The changes of one statement are in
//! the order in which they must be applied, so that swapping renames work step by step. Where the outcome is not known
//! for sure there is a [`Change::Unsupported`] with the reason, never a guess.

mod alter;
mod alter_key;
mod alter_names;
mod column;
mod create;
mod default;
mod fill;
mod key;
mod resolve;
mod versioning;

use std::sync::Arc;

pub(in crate::schema) use create::build;
pub use default::{implicit_default, may_be_printed_otherwise};
pub use fill::{ColumnOrigin, Fill};

use crate::error::Result;
use crate::schema::ddl::context::SqlContext;
use crate::schema::ddl::statement::{CharsetSpec, Statement};
use crate::schema::table::{Collation, Table};

/// The definitions in force.
pub trait Catalog {
    /// A table, or `None` when it is not known.
    fn table(&self, database: &str, name: &str) -> Option<Arc<Table>>;

    /// The default collation of a database, or `None` when it is not known.
    fn database_collation(&self, database: &str) -> Option<Collation>;
}

/// One step of a statement's effect.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A database comes into being.
    CreateDatabase {
        /// Its name.
        name: String,
        /// Its default collation.
        collation: Collation,
    },
    /// A database's default collation changes.
    AlterDatabase {
        /// Its name.
        name: String,
        /// Its default collation from now on.
        collation: Collation,
    },
    /// A database goes, with all its tables.
    DropDatabase {
        /// Its name.
        name: String,
    },
    /// A table comes into being, empty.
    CreateTable {
        /// Its database.
        database: String,
        /// Its definition.
        table: Table,
    },
    /// A table goes, if it is there.
    DropTable {
        /// Its database.
        database: String,
        /// Its name.
        name: String,
    },
    /// A table gets another name, or moves to another database.
    RenameTable {
        /// Database and name so far.
        from: (String, String),
        /// Database and name from now on.
        to: (String, String),
    },
    /// A table's definition changes.
    AlterTable {
        /// Its database.
        database: String,
        /// The definition so far.
        before: Arc<Table>,
        /// The definition from now on; the name is the same.
        after: Table,
        /// Where each column of `after` comes from.
        origins: Vec<ColumnOrigin>,
    },
    /// All rows of a table go.
    Truncate {
        /// Its database.
        database: String,
        /// Its name.
        name: String,
    },
    /// A table changes that the catalog does not know: nothing to do until it is met.
    NotKnown {
        /// Its database.
        database: String,
        /// Its name.
        name: String,
    },
    /// What becomes of the table can only be asked from the source; it must not go on as it is.
    Unsupported {
        /// Its database.
        database: String,
        /// Its name.
        table: String,
        /// Why.
        why: String,
    },
}

/// The steps of a statement, in order. Statements that change no table have none.
///
/// # Errors
/// `Schema` when the statement does not fit the definitions in force, or names a charset that is not known.
pub fn effect(
    statement: &Statement,
    context: &SqlContext,
    catalog: &dyn Catalog,
) -> Result<Vec<Change>> {
    let default = context.default_database.as_str();
    let owned = |table: &crate::schema::ddl::TableName| {
        (table.database(default).to_owned(), table.name.clone())
    };
    let changes = match statement {
        Statement::CreateTable(create) => create::create_table(create, context, catalog)?,
        Statement::AlterTable(alter) => alter::alter_table(alter, context, catalog)?,
        Statement::DropTables { tables, .. } => tables
            .iter()
            .map(owned)
            .map(|(database, name)| Change::DropTable { database, name })
            .collect(),
        Statement::Truncate(table) => {
            let (database, name) = owned(table);
            vec![Change::Truncate { database, name }]
        }
        Statement::RenameTables(pairs) => pairs
            .iter()
            .map(|(from, to)| Change::RenameTable {
                from: owned(from),
                to: owned(to),
            })
            .collect(),
        Statement::CreateDatabase {
            name,
            if_not_exists,
            or_replace,
            charset,
        } => {
            if *if_not_exists && catalog.database_collation(name).is_some() {
                return Ok(Vec::new());
            }
            let collation = database_collation(charset, context.server_collation(), context)?;
            let create = Change::CreateDatabase {
                name: name.clone(),
                collation,
            };
            match or_replace {
                true => vec![Change::DropDatabase { name: name.clone() }, create],
                false => vec![create],
            }
        }
        Statement::AlterDatabase { name, charset } => {
            let name = name.as_deref().unwrap_or(default);
            let known = catalog.database_collation(name);
            if charset.is_empty() {
                return Ok(Vec::new());
            }
            let inherited = known.unwrap_or_else(|| context.server_collation());
            let collation = database_collation(charset, inherited, context)?;
            vec![Change::AlterDatabase {
                name: name.to_owned(),
                collation,
            }]
        }
        Statement::DropDatabase { name, .. } => {
            vec![Change::DropDatabase { name: name.clone() }]
        }
        _ => Vec::new(),
    };
    Ok(changes)
}

fn database_collation(
    spec: &CharsetSpec,
    inherited: Collation,
    context: &SqlContext,
) -> Result<Collation> {
    // DEFAULT means the server's; to older MariaDBs, no change.
    let base = match spec.charset.as_deref() {
        Some("default") if !context.later_charset_word_wins() => context.server_collation(),
        _ => inherited,
    };
    resolve::collation(spec, &base, context)
}

#[cfg(test)]
mod tests;
