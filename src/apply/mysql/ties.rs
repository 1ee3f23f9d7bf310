//! Databases that foreign keys of the target tie: a statement that changes a table's definition waits there for every transaction
//! that has touched a parent or a child of it, in whatever database, and those wait for lanes that stand behind the statement.
//!
//! Ties are never undone while the process lives: one too many costs a statement a moment, one too few would hold up everything.

use std::collections::BTreeSet;

use super::connection::Connection;
use crate::error::Result;

/// Groups of databases, no two of which have one in common.
#[derive(Debug, Default)]
pub(super) struct Ties {
    groups: Vec<BTreeSet<String>>,
}

impl Ties {
    /// Those of the keys that the target has.
    pub(super) fn read(connection: &mut Connection) -> Result<Self> {
        let pairs: Vec<(String, String)> = connection.select(
            "SELECT DISTINCT CONSTRAINT_SCHEMA, UNIQUE_CONSTRAINT_SCHEMA FROM information_schema.REFERENTIAL_CONSTRAINTS \
             WHERE CONSTRAINT_SCHEMA <> UNIQUE_CONSTRAINT_SCHEMA",
            Vec::new(),
            "reading foreign keys between databases",
        )?;
        let mut ties = Self::default();
        for (child, parent) in pairs {
            ties.tie([child, parent].into());
        }
        Ok(ties)
    }

    /// These belong together from now on.
    pub(super) fn tie(&mut self, mut databases: BTreeSet<String>) {
        if databases.len() < 2 {
            return;
        }
        self.groups.retain(|group| {
            let meets = !group.is_disjoint(&databases);
            if meets {
                databases.extend(group.iter().cloned());
            }
            !meets
        });
        self.groups.push(databases);
    }

    /// These, and all that are tied to them.
    pub(super) fn with_tied(&self, databases: &[String]) -> BTreeSet<String> {
        let mut all: BTreeSet<String> = databases.iter().cloned().collect();
        let tied = self.groups.iter();
        for group in tied.filter(|group| databases.iter().any(|name| group.contains(name))) {
            all.extend(group.iter().cloned());
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn ties_are_passed_on() {
        let mut ties = Ties::default();
        for (one, other) in [("a", "b"), ("c", "d"), ("x", "x"), ("d", "b")] {
            ties.tie(set(&[one, other]));
        }
        assert_eq!(
            ties.with_tied(&["a".to_owned()]),
            set(&["a", "b", "c", "d"])
        );
        assert_eq!(ties.with_tied(&["x".to_owned()]), set(&["x"]));
        assert_eq!(
            ties.with_tied(&["x".to_owned(), "c".to_owned()]),
            set(&["a", "b", "c", "d", "x"])
        );
    }
}
