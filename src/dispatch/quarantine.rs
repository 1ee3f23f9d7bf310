//! The tables that are set aside, of all databases: published by the lanes, read by each other and by `status`.
//!
//! # Threading
//! Each lane publishes its own database's tables as a whole; anybody reads. What is published may not be committed yet.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::apply::quarantine::SetAside;

/// A table of the source by its names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TableId {
    /// Its database.
    pub database: String,
    /// Its name.
    pub table: String,
}

impl TableId {
    /// The table of this name.
    pub fn new(database: &str, table: &str) -> Self {
        Self {
            database: database.to_owned(),
            table: table.to_owned(),
        }
    }
}

impl fmt::Display for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.database, self.table)
    }
}

/// One table that is set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AsideTable {
    /// Why and since when.
    pub mark: SetAside,
    /// Row events that were passed over, since the process started.
    pub passed_over: u64,
}

/// All tables that are set aside.
#[derive(Debug, Default)]
pub struct Quarantine {
    databases: Mutex<BTreeMap<String, Vec<AsideTable>>>,
}

impl Quarantine {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Vec<AsideTable>>> {
        self.databases
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// A run begins: nothing is known.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// The tables of one database, in place of what was published of it before.
    pub fn publish(&self, database: &str, tables: Vec<AsideTable>) {
        let mut databases = self.lock();
        if tables.is_empty() {
            databases.remove(database);
        } else {
            databases.insert(database.to_owned(), tables);
        }
    }

    /// The mark of a table, if it is set aside.
    pub fn mark(&self, id: &TableId) -> Option<SetAside> {
        let databases = self.lock();
        let tables = databases.get(&id.database)?;
        let found = tables.iter().find(|table| table.mark.table == id.table)?;
        Some(found.mark.clone())
    }

    /// All tables, by database and name.
    pub fn all(&self) -> Vec<(String, AsideTable)> {
        let databases = self.lock();
        let tables = databases.iter().flat_map(|(name, tables)| {
            tables
                .iter()
                .map(move |table| (name.clone(), table.clone()))
        });
        tables.collect()
    }
}
