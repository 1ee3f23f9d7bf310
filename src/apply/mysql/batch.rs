//! Rows of one table and one kind, gathered for multi-row statements.
//!
//! # Invariants
//! A batch holds rows that follow each other in the stream and differ in nothing but their values; whatever differs
//! ends it, so that the order between statements is the stream's.
//!
//! # Limits
//! `MYSQL_TARGET_BATCH_ROWS_MAX` rows, `MYSQL_TARGET_BATCH_BYTES_MAX` bytes (one larger row goes alone) and
//! `MYSQL_TARGET_PLACEHOLDERS_MAX` placeholders a statement.

use std::sync::Arc;

use mysql_async::Value as Param;

use super::definition::Definition;
use crate::config::limits;

/// What the rows of a batch have in common.
#[derive(Debug, Clone)]
pub(super) struct BatchKind {
    /// The table, by identity: another definition is another batch.
    pub definition: Arc<Definition>,
    /// INSERT, else DELETE by a key.
    pub insert: bool,
    /// Columns written (INSERT) or compared (DELETE).
    pub columns: Vec<usize>,
    /// Whether the rows need the lenient SQL mode.
    pub lenient: bool,
    /// Whether a row to delete may be gone already.
    pub may_be_gone: bool,
    /// Whether a row with the same key is replaced.
    pub replaces: bool,
}

impl PartialEq for BatchKind {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.definition, &other.definition)
            && self.insert == other.insert
            && self.lenient == other.lenient
            && self.may_be_gone == other.may_be_gone
            && self.replaces == other.replaces
            && self.columns == other.columns
    }
}

/// Rows that wait to be sent.
#[derive(Debug)]
pub(super) struct Batch {
    /// What they have in common.
    pub kind: BatchKind,
    params: Vec<Param>,
    rows: usize,
    bytes: usize,
}

impl Batch {
    /// An empty batch.
    pub(super) fn new(kind: BatchKind) -> Self {
        Self {
            kind,
            params: Vec::new(),
            rows: 0,
            bytes: 0,
        }
    }

    /// Adds a row's parameters.
    pub(super) fn push(&mut self, row: Vec<Param>, row_bytes: usize) {
        self.bytes += row_bytes;
        self.rows += 1;
        self.params.extend(row);
    }

    /// Whether it must be sent before a row of so many bytes comes in.
    pub(super) fn is_full_for(&self, row_bytes: usize) -> bool {
        let width = self.kind.columns.len();
        self.rows > 0
            && (self.rows >= limits::MYSQL_TARGET_BATCH_ROWS_MAX
                || self.bytes + row_bytes > limits::MYSQL_TARGET_BATCH_BYTES_MAX
                || (self.rows + 1) * width > limits::MYSQL_TARGET_PLACEHOLDERS_MAX)
    }

    /// The rows in pieces of a power of two each, largest first, in order: a table then needs few prepared statements.
    pub(super) fn into_pieces(self) -> Vec<(usize, Vec<Param>)> {
        let width = self.kind.columns.len();
        let mut pieces = Vec::new();
        let mut rest = self.params;
        let mut rows = self.rows;
        while rows > 0 {
            let piece = 1 << rows.ilog2();
            let tail = rest.split_off(rest.len().min(piece * width));
            pieces.push((piece, std::mem::replace(&mut rest, tail)));
            rows -= piece;
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::super::definition::understand;
    use super::*;
    use crate::schema::ddl::{Flavor, SqlContext};

    fn kind(columns: usize) -> BatchKind {
        let context = SqlContext::new(Flavor::MySql, 90_704, "d");
        let table = understand("CREATE TABLE t (a int) DEFAULT CHARSET=latin1", &context).unwrap();
        BatchKind {
            definition: Arc::new(Definition::new("d", Arc::new(table))),
            insert: true,
            columns: (0..columns).collect(),
            lenient: false,
            may_be_gone: false,
            replaces: false,
        }
    }

    #[test]
    fn pieces_are_powers_of_two_and_keep_the_order() {
        let mut batch = Batch::new(kind(2));
        for n in 0..7 {
            batch.push(vec![Param::Int(n), Param::NULL], 16);
        }
        let pieces = batch.into_pieces();
        assert_eq!(
            pieces.iter().map(|(rows, _)| *rows).collect::<Vec<_>>(),
            [4, 2, 1]
        );
        let all: Vec<Param> = pieces.into_iter().flat_map(|(_, params)| params).collect();
        assert_eq!(all.len(), 14);
        assert_eq!(all.get(12), Some(&Param::Int(6)));
    }

    #[test]
    fn a_batch_is_full_by_rows_bytes_or_placeholders() {
        let mut batch = Batch::new(kind(1));
        assert!(!batch.is_full_for(usize::MAX), "one row always fits");
        batch.push(vec![Param::NULL], limits::MYSQL_TARGET_BATCH_BYTES_MAX);
        assert!(batch.is_full_for(1));
        let wide = limits::MYSQL_TARGET_PLACEHOLDERS_MAX / 2 + 1;
        let mut batch = Batch::new(kind(wide));
        batch.push(vec![Param::NULL; wide], 1);
        assert!(batch.is_full_for(1));
        let mut batch = Batch::new(kind(1));
        for _ in 0..limits::MYSQL_TARGET_BATCH_ROWS_MAX {
            assert!(!batch.is_full_for(1));
            batch.push(vec![Param::NULL], 1);
        }
        assert!(batch.is_full_for(1));
    }
}
