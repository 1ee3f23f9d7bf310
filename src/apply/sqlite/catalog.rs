//! The definitions in force, in memory and in `_relaylite_catalog`.
//!
//! Every change goes to both in the open transaction; [`Catalog::load`] after a rollback brings them together again.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::Connection;

use crate::error::{Error, ErrorKind, Result};
use crate::schema::sqlite;
use crate::schema::table::Table;

/// One table of the file.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Its definition.
    pub(super) table: Arc<Table>,
    /// What the file calls it.
    pub(super) sqlite_name: String,
    /// Whether its primary key is SQLite's rowid.
    pub(super) rowid_alias: bool,
}

/// The tables of one file, by the source's name.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    entries: HashMap<String, Entry>,
}

impl Catalog {
    /// Reads all definitions.
    pub(super) fn load(connection: &Connection) -> Result<Self> {
        let mut statement = connection.prepare(
            "SELECT table_name, sqlite_name, rowid_alias, definition FROM _relaylite_catalog",
        )?;
        let mut rows = statement.query([])?;
        let mut entries = HashMap::new();
        while let Some(row) = rows.next()? {
            let name: String = row.get(0)?;
            let definition: String = row.get(3)?;
            let table = serde_json::from_str(&definition).map_err(|error| {
                Error::new(
                    ErrorKind::Schema,
                    format!("the catalog's definition of `{name}` cannot be read"),
                )
                .with_source(error)
            })?;
            let entry = Entry {
                table: Arc::new(table),
                sqlite_name: row.get(1)?,
                rowid_alias: row.get(2)?,
            };
            entries.insert(name, entry);
        }
        Ok(Self { entries })
    }

    /// A table by its name; with another case when only one table matches so (`lower_case_table_names`).
    pub(super) fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name).or_else(|| {
            let mut same = self
                .entries
                .iter()
                .filter(|(known, _)| known.to_lowercase() == name.to_lowercase());
            let found = same.next().map(|(_, entry)| entry);
            if same.next().is_some() { None } else { found }
        })
    }

    /// Names of all tables.
    pub(super) fn names(&self) -> Vec<String> {
        self.entries.keys().cloned().collect()
    }

    /// A name for a new table that no table of the file has; SQLite's names ignore case, the source's may not.
    pub(super) fn free_sqlite_name(&self, name: &str) -> String {
        let wanted = sqlite::sqlite_name(name);
        let taken = |candidate: &str| {
            self.entries
                .values()
                .any(|entry| entry.sqlite_name.eq_ignore_ascii_case(candidate))
        };
        let numbered = (2..).map(|n| format!("{wanted}~{n}"));
        std::iter::once(wanted.clone())
            .chain(numbered)
            .find(|candidate| !taken(candidate))
            .unwrap_or(wanted)
    }

    /// Stores a definition.
    pub(super) fn put(&mut self, connection: &Connection, entry: Entry) -> Result<()> {
        let definition = serde_json::to_string(entry.table.as_ref()).map_err(|error| {
            Error::new(ErrorKind::Internal, "a definition cannot be stored").with_source(error)
        })?;
        connection.execute(
            "INSERT INTO _relaylite_catalog (table_name, sqlite_name, rowid_alias, definition) \
             VALUES (?1, ?2, ?3, ?4) ON CONFLICT (table_name) DO UPDATE SET \
             sqlite_name = excluded.sqlite_name, rowid_alias = excluded.rowid_alias, \
             definition = excluded.definition",
            (
                &entry.table.name,
                &entry.sqlite_name,
                entry.rowid_alias,
                definition,
            ),
        )?;
        self.entries.insert(entry.table.name.clone(), entry);
        Ok(())
    }

    /// Forgets a table.
    pub(super) fn remove(&mut self, connection: &Connection, name: &str) -> Result<()> {
        connection.execute(
            "DELETE FROM _relaylite_catalog WHERE table_name = ?1",
            [name],
        )?;
        self.entries.remove(name);
        Ok(())
    }
}
