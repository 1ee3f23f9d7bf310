//! One statement of a plan, and what is known of the work that it is: for whoever runs it and shows how far it is.
//!
//! Work is counted in the steps of SQLite's virtual machine, which for one row are always the same: the loops of CREATE INDEX
//! and DROP COLUMN have a fixed number of instructions and one for each column (`EXPLAIN` shows them).

use super::name::quote_identifier;
use crate::schema::table::Table;

/// Names of the rowid, where no column has them.
pub(super) const ROWID_NAMES: [&str; 3] = ["rowid", "oid", "_rowid_"];
/// Steps for a row of CREATE INDEX: reading it and giving it to the sorter, then taking it out and appending it.
const INDEX_STEPS: u64 = 8;
/// More of them for a UNIQUE index: each key is compared with the one before.
const UNIQUE_STEPS: u64 = 2;
/// Steps for a row of DROP COLUMN.
const DROP_COLUMN_STEPS: u64 = 5;

/// A statement, to be run in order with the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its text.
    pub sql: String,
    /// What it does with rows.
    pub effort: Effort,
}

/// What a statement does with a table's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// Nothing: its time does not depend on their number.
    None,
    /// It copies all rows into another table. With `rowid`, the name of the rowid, it may be run for one range after
    /// the other, by a condition on it at the end of the text.
    Copy {
        /// `None` where all rows have to be seen at once.
        rowid: Option<&'static str>,
    },
    /// It builds an index, in so many steps for each row.
    Index {
        /// For each row.
        steps: u64,
    },
    /// It takes a column out of all rows, in so many steps for each.
    DropColumn {
        /// For each row.
        steps: u64,
    },
    /// It drops a table with its rows.
    DropTable,
}

impl Step {
    /// A statement whose time does not depend on the number of rows.
    pub(super) fn quick(sql: String) -> Self {
        let effort = Effort::None;
        Self { sql, effort }
    }

    /// CREATE INDEX over so many columns.
    pub(super) fn index(sql: String, columns: usize, unique: bool) -> Self {
        let columns = u64::try_from(columns).unwrap_or_default();
        let more = if unique { UNIQUE_STEPS } else { 0 };
        let effort = Effort::Index {
            steps: INDEX_STEPS + more + columns,
        };
        Self { sql, effort }
    }

    /// ALTER TABLE ... DROP COLUMN of a table of so many columns.
    pub(super) fn drop_column(sqlite_name: &str, column: &str, columns: usize) -> Self {
        let sql = format!(
            "ALTER TABLE {} DROP COLUMN {}",
            quote_identifier(sqlite_name),
            quote_identifier(column)
        );
        let left = u64::try_from(columns.saturating_sub(1)).unwrap_or_default();
        let effort = Effort::DropColumn {
            steps: DROP_COLUMN_STEPS + left,
        };
        Self { sql, effort }
    }

    /// DROP TABLE.
    pub(super) fn drop_table(sqlite_name: &str) -> Self {
        let sql = format!("DROP TABLE {}", quote_identifier(sqlite_name));
        let effort = Effort::DropTable;
        Self { sql, effort }
    }
}

/// A name of the rowid that no column of the table has.
pub fn rowid_name(table: &Table) -> Option<&'static str> {
    let is_free = |name: &&str| table.column_index(name).is_none();
    ROWID_NAMES.into_iter().find(is_free)
}
