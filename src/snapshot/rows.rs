//! Rows on their way from the source's query into a lane.

use std::ops::Range;

use crate::decode::value::Value;

/// One value, like [`Value`]; what has bytes has them in its [`SnapshotRows`].
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// A value that holds no bytes.
    Plain(Value<'static>),
    /// [`Value::Bytes`].
    Bytes(Range<usize>),
    /// [`Value::Printed`].
    Printed(Range<usize>),
    /// [`Value::Decimal`]: packed digits, precision and scale.
    Decimal(Range<usize>, u8, u8),
    /// [`Value::Geometry`].
    Geometry(Range<usize>),
    /// [`Value::Vector`].
    Vector(Range<usize>),
}

/// A piece of a table: all columns of some rows, in the order of the definition.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SnapshotRows {
    width: usize,
    cells: Vec<Cell>,
    bytes: Vec<u8>,
}

impl SnapshotRows {
    /// No rows yet, each of `width` columns.
    pub fn new(width: usize) -> Self {
        Self {
            width: width.max(1),
            ..Self::default()
        }
    }

    /// Number of whole rows.
    pub fn len(&self) -> usize {
        self.cells.len() / self.width.max(1)
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Memory that the rows take, in bytes.
    pub fn weight(&self) -> usize {
        self.bytes.len() + self.cells.len() * size_of::<Cell>()
    }

    /// Keeps bytes; gives where they are, for a [`Cell`].
    pub fn keep(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }

    /// The next value, of the row that is being filled.
    pub fn push(&mut self, cell: Cell) {
        self.cells.push(cell);
    }

    /// The values of row `number`, counted from 0, in place of what is in `row`; none when there is no such row.
    pub fn fill<'a>(&'a self, number: usize, row: &mut Vec<Value<'a>>) {
        row.clear();
        let cells = self.cells.chunks_exact(self.width.max(1)).nth(number);
        row.extend(cells.into_iter().flatten().map(|cell| self.value(cell)));
    }

    fn value<'a>(&'a self, cell: &Cell) -> Value<'a> {
        let bytes = |range: &Range<usize>| self.bytes.get(range.clone()).unwrap_or_default();
        match cell {
            Cell::Plain(value) => *value,
            Cell::Bytes(at) => Value::Bytes(bytes(at)),
            Cell::Printed(at) => Value::Printed(bytes(at)),
            Cell::Decimal(at, precision, scale) => Value::Decimal {
                packed: bytes(at),
                precision: *precision,
                scale: *scale,
            },
            Cell::Geometry(at) => Value::Geometry(bytes(at)),
            Cell::Vector(at) => Value::Vector(bytes(at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_back_what_was_kept() {
        let mut rows = SnapshotRows::new(2);
        for (n, text) in [(3, &b"one"[..]), (0, b""), (5, b"three")] {
            let at = rows.keep(text);
            rows.push(Cell::Plain(Value::Int(n)));
            rows.push(Cell::Bytes(at));
        }
        let mut row = Vec::new();
        rows.fill(2, &mut row);
        assert_eq!(row, [Value::Int(5), Value::Bytes(b"three")]);
        rows.fill(1, &mut row);
        assert_eq!(row, [Value::Int(0), Value::Bytes(b"")]);
        rows.fill(3, &mut row);
        assert!(row.is_empty());
        assert_eq!(rows.len(), 3);
    }
}
