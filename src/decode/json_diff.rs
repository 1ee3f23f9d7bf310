//! The diffs that a partial update has in place of a JSON value (MySQL `sql-common/json_diff.h`).
//!
//! Each is an operation, a path as JSON path text, and but for REMOVE a value in binary JSON. They apply one after the
//! other, each to what the one before left.

use crate::binlog::bytes::Bytes;
use crate::error::{Error, Result};

/// What a diff does at its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiffOperation {
    /// The value at the path becomes another.
    Replace,
    /// A member or array element appears; elements behind it move up.
    Insert,
    /// A member or array element goes.
    Remove,
}

/// One diff.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonDiff<'a> {
    /// What to do.
    pub operation: DiffOperation,
    /// Where, as JSON path text: `$.a[3]."b c"`.
    pub path: &'a str,
    /// The new value in binary JSON; empty for REMOVE.
    pub value: &'a [u8],
}

/// The diffs of one value, in order.
#[derive(Debug, Clone, Copy)]
pub struct JsonDiffs<'a> {
    rest: Bytes<'a>,
}

impl<'a> JsonDiffs<'a> {
    /// Over the bytes of a [`super::value::Value::JsonDiff`].
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: Bytes::new(bytes),
        }
    }

    fn read(&mut self) -> Result<JsonDiff<'a>> {
        let r = &mut self.rest;
        let operation = match r.u8()? {
            0 => DiffOperation::Replace,
            1 => DiffOperation::Insert,
            2 => DiffOperation::Remove,
            n => {
                return Err(Error::corrupt(format!(
                    "JSON diff operation {n} is not known"
                )));
            }
        };
        let path = std::str::from_utf8(r.lenenc_bytes()?)
            .map_err(|e| Error::corrupt("path of a JSON diff is not UTF-8").with_source(e))?;
        let value = match operation {
            DiffOperation::Remove => &[][..],
            DiffOperation::Replace | DiffOperation::Insert => r.lenenc_bytes()?,
        };
        Ok(JsonDiff {
            operation,
            path,
            value,
        })
    }
}

impl<'a> Iterator for JsonDiffs<'a> {
    type Item = Result<JsonDiff<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let diff = self.read();
        if diff.is_err() {
            self.rest = Bytes::new(&[]); // nothing behind an error has a beginning
        }
        Some(diff)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn diffs_come_in_order_and_end_at_an_error() {
        let bytes = [
            0, 3, b'$', b'.', b'a', 3, 5, 7, 0, 2, 4, b'$', b'[', b'1', b']',
        ];
        let diffs: Vec<_> = JsonDiffs::new(&bytes).map(Result::unwrap).collect();
        assert_eq!(diffs[0].operation, DiffOperation::Replace);
        assert_eq!((diffs[0].path, diffs[0].value), ("$.a", &[5, 7, 0][..]));
        assert_eq!(
            (diffs[1].operation, diffs[1].path),
            (DiffOperation::Remove, "$[1]")
        );
        for end in [1, 3, 6, 8, 12] {
            let torn: Vec<_> = JsonDiffs::new(&bytes[..end]).collect();
            assert!(torn.last().unwrap().is_err(), "{end}");
        }
    }
}
