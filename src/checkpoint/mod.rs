//! 6. How far the target is: one checkpoint per database, written in the same transaction as the rows.

use std::sync::Arc;

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
