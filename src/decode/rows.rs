//! Row events: an iterator over row images.

/// Which row event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowKind {
    /// Only an after image.
    Insert,
    /// Before and after image.
    Update,
    /// Only a before image.
    Delete,
}

/// Reads the rows of one row event by the plan compiled for its table map.
pub struct RowReader<'a> {
    _body: &'a [u8],
}
