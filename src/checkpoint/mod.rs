//! 6. How far the target is: one checkpoint per database, written in the same transaction as the rows.
//!
//! Below all of them lies the watermark, with the XA transactions that are prepared and not decided there.

pub mod parked;

use std::cmp::Ordering;
use std::sync::Arc;

use self::parked::ParkedXa;
use crate::binlog::gtid::GtidSet;
use crate::binlog::position::Position;

/// The point in the source's history up to which a database has everything.
///
/// It stands between two transactions: all groups that end at or before `position` are in, none after it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// Whose history: `server_uuid` of a MySQL source, `server_id` of a MariaDB source.
    pub source_id: Arc<str>,
    /// End of the last transaction, in the source's own coordinates.
    pub position: Position,
    /// All GTIDs up to here, for any database; empty when the source writes none.
    pub executed: Arc<GtidSet>,
    /// The source's clock when that transaction began, in seconds since 1970; 0 when not known.
    pub timestamp: u32,
}

/// The point up to which every database of the target has everything durably: where a restart reads on.
#[derive(Debug, Clone, PartialEq)]
pub struct Watermark {
    /// How far.
    pub at: Checkpoint,
    /// The XA transactions that were prepared before that point and were neither committed nor rolled back before it,
    /// oldest first. Their rows are in no database; they stand in the relay log.
    pub parked: Vec<ParkedXa>,
}

impl Watermark {
    /// A watermark with nothing parked.
    pub fn new(at: Checkpoint) -> Self {
        Self {
            at,
            parked: Vec::new(),
        }
    }

    /// The first position of the relay log that is still needed: that of the oldest parked transaction, or where a
    /// restart reads on. **A purge of the relay log must never pass it.**
    pub fn needed_from(&self) -> &Position {
        let mut from = &self.at.position;
        for xa in &self.parked {
            if xa.start.order(from) == Some(Ordering::Less) {
                from = &xa.start;
            }
        }
        from
    }
}

impl Checkpoint {
    /// Whether all that this one stands for is behind `watermark`. What came from another source is: a source is left
    /// only when everything that came from it is durable in every database.
    pub fn is_behind(&self, watermark: &Self) -> bool {
        self.source_id != watermark.source_id
            || self
                .position
                .order(&watermark.position)
                .is_some_and(Ordering::is_le)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_of_two_sources_are_not_compared() {
        let at = |source: &str, offset| Checkpoint {
            source_id: source.into(),
            position: Position::new("b.000001", offset),
            executed: Arc::default(),
            timestamp: 0,
        };
        assert!(at("a", 4).is_behind(&at("a", 4)) && !at("a", 5).is_behind(&at("a", 4)));
        assert!(at("a", 9).is_behind(&at("b", 4)));
    }
}
