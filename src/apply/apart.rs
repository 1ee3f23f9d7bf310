//! Foreign keys that change rows by themselves, as far as it is the same for all targets.
//!
//! Some change rows of one database when those of another change. Each database has a lane of its own, which neither
//! sees the other's rows nor keeps its pace: where the source does not log what such a key does, its child is set aside.

use crate::decode::rows::FLAG_SQL_FOREIGN_KEYS;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::table::Table;

/// Whether events with these flags may stand beside changes of the same table that are in nobody's lane.
pub(super) fn is_silent(flags: u16) -> bool {
    flags & FLAG_SQL_FOREIGN_KEYS == 0
}

/// Refuses a row event of a table with [such a key](Table::has_key_apart), unless the source logs what foreign keys do.
///
/// # Errors
/// `Unsupported`.
pub(super) fn check(table: &Table, flags: u16) -> Result<()> {
    if is_silent(flags) && table.has_key_apart() {
        return Err(error());
    }
    Ok(())
}

/// Why a table is refused with [such a key](Table::has_key_apart).
pub(super) fn error() -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "a foreign key of this table (ON DELETE or ON UPDATE, CASCADE or SET NULL) refers to another database, and the \
         source does not log what such a key does to rows; on the source, make it RESTRICT, or on MySQL 9.6 or later set \
         innodb_native_foreign_keys=OFF; then read the table afresh (`relaylite resync`)",
    )
}

/// The tables whose rows such keys change along with those of `table`, level by level, itself aside.
pub(super) fn below(table: &str, children: impl Fn(&str) -> Vec<String>) -> Vec<String> {
    let mut found = vec![table.to_owned()];
    let mut next = 0;
    while let Some(parent) = found.get(next).cloned() {
        next += 1;
        for child in children(&parent) {
            if !found.contains(&child) {
                found.push(child);
            }
        }
    }
    found.split_off(1)
}
