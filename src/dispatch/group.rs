//! Where source transactions begin and end: the coordinator's view of one group of events.
//!
//! Only XID, COMMIT, ROLLBACK, a one-phase XA PREPARE or a statement that stands alone end a group; savepoints do not.
//! A ROLLBACK in the binlog closes a group whose changes stay (rows of a non-transactional table, MySQL manual
//! "Binary Logging and Nontransactional Tables"), so it ends a group as COMMIT does.

use std::collections::HashMap;

use crate::binlog::gtid::Gtid;
use crate::binlog::position::Position;

/// Where the rows of a mapped table go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// To this lane.
    Lane(usize),
    /// Nowhere: of the server's own, or the lane has this group already.
    Skip,
    /// Nowhere: left out by the replication rules.
    LeftOut,
}

/// The group being read.
#[derive(Debug, Default)]
pub struct Group {
    /// Whether a transaction is open (BEGIN was seen, its end was not).
    pub open: bool,
    /// Where its first event stands.
    pub start: Option<Position>,
    /// Its GTID.
    pub gtid: Option<Gtid>,
    /// Whether its GTID was executed before the start.
    pub is_known: bool,
    /// Source clock of its first event with a time.
    pub timestamp: u32,
    /// Tables mapped so far.
    pub routes: HashMap<u64, Route>,
    /// Lanes that have a part of it, each once.
    pub lanes: Vec<usize>,
}

impl Group {
    /// Forgets the group, for the next one.
    pub fn clear(&mut self) {
        self.open = false;
        self.start = None;
        self.gtid = None;
        self.is_known = false;
        self.timestamp = 0;
        self.routes.clear();
        self.lanes.clear();
    }
}
