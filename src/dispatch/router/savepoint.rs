//! What a transaction of the source took back: in part (ROLLBACK TO SAVEPOINT) or whole (ROLLBACK).
//!
//! The servers cut what was taken back out of a transaction before they log it, with exceptions: MySQL and MariaDB log it
//! all, and SAVEPOINT, ROLLBACK TO and ROLLBACK as statements, when the transaction also did what cannot be taken back (MariaDB: when it made or dropped a
//! temporary table, or changed a table without transactions in the same statement). Rows of such tables are logged in transactions of
//! their own, so all rows of a transaction that was rolled back are gone on the source.
//!
//! Savepoints have numbers here: the same name may come twice, and servers compare names without their case.

use super::{Router, Step};
use crate::dispatch::batch::Item;
use crate::dispatch::group::{Route, Xa};
use crate::error::{Error, ErrorKind, Result};

/// The savepoints of the transaction being read.
#[derive(Debug, Default)]
pub struct Savepoints {
    /// Lower-case names, and numbers, in the order in which they were set.
    set: Vec<(String, u32)>,
    last: u32,
}

impl Savepoints {
    /// Forgets all.
    pub fn clear(&mut self) {
        self.set.clear();
        self.last = 0;
    }

    /// The numbers of those in force, oldest first.
    pub fn numbers(&self) -> impl Iterator<Item = u32> + '_ {
        self.set.iter().map(|(_, number)| *number)
    }

    fn add(&mut self, name: &str) -> u32 {
        self.last = self.last.saturating_add(1);
        self.set.push((name.to_lowercase(), self.last));
        self.last
    }

    /// Goes back to the last one of that name, which stays; those behind it are gone.
    fn go_back(&mut self, name: &str) -> Option<u32> {
        let name = name.to_lowercase();
        let at = self.set.iter().rposition(|(known, _)| *known == name)?;
        self.set.truncate(at + 1);
        self.set.last().map(|(_, number)| *number)
    }
}

impl Router {
    /// SAVEPOINT: every lane that has a part of the transaction remembers where it is. One that joins later is told of it
    /// when it begins.
    pub(super) fn savepoint(&mut self, name: &str) -> Result<()> {
        let number = self.group.savepoints.add(name);
        self.push_to_group(|| Item::Savepoint(number))
    }

    /// ROLLBACK TO SAVEPOINT.
    pub(super) fn rollback_to(&mut self, name: &str) -> Result<()> {
        let Some(number) = self.group.savepoints.go_back(name) else {
            return Err(Error::corrupt(format!(
                "ROLLBACK TO `{name}` in a transaction that has set no such savepoint"
            )));
        };
        self.push_to_group(|| Item::RollbackTo(number))
    }

    fn push_to_group(&mut self, item: impl Fn() -> Item) -> Result<()> {
        for at in 0..self.group.lanes.len() {
            if let Some(lane) = self.group.lanes.get(at).copied() {
                self.lanes.push(lane, item())?;
            }
        }
        Ok(())
    }

    /// ROLLBACK: the lanes have rows that may not stay, and merged transactions that must. The run begins again and leaves
    /// this transaction out.
    pub(super) fn rolled_back(&mut self, step: Step<'_>) -> Result<()> {
        let has_rows = self
            .group
            .routes
            .values()
            .any(|route| matches!(route, Route::Lane(_)));
        match &self.group.start {
            Some(start) if has_rows => Err(Error::new(
                ErrorKind::CutShort,
                "the source rolled this transaction back",
            )
            .at_pos(start.file.clone(), start.offset)),
            _ => {
                self.group.xa = Xa::No;
                self.end_group(step)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_means_its_last_savepoint() {
        let mut savepoints = Savepoints::default();
        assert_eq!(savepoints.add("a"), 1);
        assert_eq!(savepoints.add("B"), 2);
        assert_eq!(savepoints.add("a"), 3);
        assert_eq!(savepoints.go_back("b"), Some(2));
        assert_eq!(savepoints.numbers().collect::<Vec<_>>(), [1, 2]);
        assert_eq!(savepoints.go_back("A"), Some(1));
        assert_eq!(savepoints.go_back("b"), None);
        assert_eq!(savepoints.add("c"), 4);
    }
}
