//! Tables that are set aside: what a target keeps of them.
//!
//! A table that cannot go on is set aside, and everything else goes on. The mark is durable with the checkpoint that
//! passes the event that failed, so that no restart meets the table unmarked behind that event.

use crate::error::{Error, ErrorKind, Result};

/// Why and since when a table is set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// The table, as the source spells it.
    pub table: String,
    /// MySQL's number of the error; 0 when a copy was asked for and nothing was wrong.
    pub errno: u16,
    /// The error's text.
    pub reason: String,
    /// The source's binlog file of the event.
    pub file: String,
    /// Offset of the event in it.
    pub pos: u64,
    /// When it was set aside, seconds since 1970.
    pub since: u64,
    /// It is to be read afresh, by itself.
    pub resync: bool,
}

impl SetAside {
    /// The mark of `table` for `error`.
    pub fn new(table: &str, error: &Error, since: u64, resync: bool) -> Self {
        let at = error.at();
        Self {
            table: table.to_owned(),
            errno: error.errno(),
            reason: error.full_text(),
            file: at.file.as_deref().unwrap_or_default().to_owned(),
            pos: at.pos.unwrap_or_default(),
            since,
            resync,
        }
    }
}

/// Whether an error can be that of one table alone, and does not pass by itself: another row, definition or value is
/// needed, not another try.
pub fn is_of_one_table(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Schema
            | ErrorKind::Unsupported
            | ErrorKind::SourceOnly
            | ErrorKind::Corrupt
            | ErrorKind::RowMissing
            | ErrorKind::DuplicateRow
            | ErrorKind::Refused
    )
}

/// The marks of one database, in the target. All but [`marks`](Self::marks) work in the open transaction.
pub trait QuarantineStore {
    /// All marks; called when the lane is opened.
    fn marks(&mut self) -> Result<Vec<SetAside>>;

    /// Stores a mark in place of the table's former one.
    fn put_mark(&mut self, mark: &SetAside) -> Result<()>;

    /// Removes the mark of a table, if it has one.
    fn remove_mark(&mut self, table: &str) -> Result<()>;

    /// The tables whose rows this target changes along with those of `table`, because of foreign keys.
    fn dependents(&mut self, table: &str) -> Result<Vec<String>>;

    /// After an error of `table` that [`is_of_one_table`]: makes the open transaction usable again. What other tables
    /// changed in it stays; what the failing one did may stay in part.
    fn recover(&mut self, table: &str) -> Result<()>;
}
