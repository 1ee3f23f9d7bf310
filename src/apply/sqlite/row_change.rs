//! What an UPDATE does to a row: which columns it sets, and by what the row is found.

use crate::decode::rows::RowImages;
use crate::decode::value::Value;

/// Which columns an UPDATE sets, one bit a column, and by which key it finds the row: one text of the statement each.
pub(super) type Shape = Vec<u64>;

/// How the rows of an event are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    /// By the columns of the key with this number.
    Key(usize, Vec<usize>),
    /// By these columns, which are all that the image holds.
    Search(Vec<usize>),
}

/// What an UPDATE gives back of the row as it is then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Returns {
    /// What foreign keys refer to.
    pub(super) referenced: bool,
    /// Its number, behind all else.
    pub(super) rowid: bool,
}

/// The columns whose value differs, or is only in the after image.
/// Behind the table's `width` columns may stand others that only the source knows.
pub(super) fn changed_columns(images: &RowImages<'_>, width: usize, changed: &mut Vec<usize>) {
    changed.clear();
    for (at, after) in images.after.iter().enumerate().take(width) {
        let same = images
            .before
            .get(at)
            .is_some_and(|before| is_same(before, after));
        if *after != Value::Absent && !same {
            changed.push(at);
        }
    }
}

/// Equal to the bit: 0.0 and -0.0 are not the same stored value.
fn is_same(before: &Value<'_>, after: &Value<'_>) -> bool {
    match (before, after) {
        (Value::Double(a), Value::Double(b)) => a.to_bits() == b.to_bits(),
        (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
        _ => before == after,
    }
}

/// One bit for each column that is set; behind, the number of the key that finds the row, and which of the row's new values are
/// returned.
pub(super) fn shape_of(
    changed: &[usize],
    way: &Way,
    width: usize,
    returns: Returns,
    shape: &mut Shape,
) {
    shape.clear();
    shape.resize(width.div_ceil(64), 0);
    for bit in changed {
        if let Some(word) = shape.get_mut(bit / 64) {
            *word |= 1 << (bit % 64);
        }
    }
    shape.push(match way {
        Way::Key(number, _) => u64::try_from(*number).unwrap_or(u64::MAX),
        Way::Search(_) => u64::MAX,
    });
    shape.push(u64::from(returns.referenced) | u64::from(returns.rowid) << 1);
}
