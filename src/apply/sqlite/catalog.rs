//! The definitions in force, in memory and in `_relaylite_catalog`.
//!
//! Every change goes to both in the open transaction; [`Catalog::load`] after a rollback brings them together again.
//!
//! # Shadows
//! A table that is read afresh is written under another name until it is complete; readers see the former one so long.
//! Such a shadow stands in memory only, in front of the former table's entry: a restart begins the copy anew.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::Connection;

use super::spellings;
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
    shadows: HashMap<String, Entry>,
    /// The source ignores the case of table names (`lower_case_table_names` is not 0).
    folds_names: bool,
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
        Ok(Self {
            entries,
            shadows: HashMap::new(),
            folds_names: false,
        })
    }

    /// A table by its name; in another case only where the source ignores it.
    pub(super) fn get(&self, name: &str) -> Option<&Entry> {
        let exact = self.shadows.get(name).or_else(|| self.entries.get(name));
        if exact.is_some() || !self.folds_names {
            return exact;
        }
        self.in_other_case(name)
    }

    fn in_other_case(&self, name: &str) -> Option<&Entry> {
        let folded = name.to_lowercase();
        let mut same = self
            .entries
            .iter()
            .filter(|(known, _)| known.to_lowercase() == folded);
        same.next().map(|(_, entry)| entry)
    }

    /// Whether a name is only known in another case, so that it matters whether the source ignores it.
    pub(super) fn is_only_in_other_case(&self, name: &str) -> bool {
        !self.folds_names && !self.entries.contains_key(name) && self.in_other_case(name).is_some()
    }

    /// From now on the case of table names is ignored, as on the source.
    pub(super) fn fold_names(&mut self) {
        self.folds_names = true;
    }

    /// All tables, in no order.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// The tables that are being read afresh.
    pub(super) fn shadows(&mut self) -> &mut HashMap<String, Entry> {
        &mut self.shadows
    }

    /// Whether a table is being read afresh.
    pub(super) fn is_shadow(&self, name: &str) -> bool {
        self.shadows.contains_key(name)
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
        if let Some(shadow) = self.shadows.get_mut(&entry.table.name) {
            *shadow = entry;
            return Ok(());
        }
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
        let name = entry.table.name.clone();
        let after = entry.table.clone();
        let before = self.entries.insert(name, entry);
        match before {
            Some(before) if spellings::outlive(&before.table, &after) => Ok(()),
            _ => spellings::forget(connection, &after.name),
        }
    }

    /// Forgets a table.
    pub(super) fn remove(&mut self, connection: &Connection, name: &str) -> Result<()> {
        connection.execute(
            "DELETE FROM _relaylite_catalog WHERE table_name = ?1",
            [name],
        )?;
        self.entries.remove(name);
        spellings::forget(connection, name)
    }
}
