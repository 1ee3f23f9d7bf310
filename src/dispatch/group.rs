//! Where source transactions begin and end: the coordinator's view of one group of events.
//!
//! Only XID, COMMIT, ROLLBACK, XA PREPARE or a statement that stands alone end a group; savepoints do not.
//!
//! MariaDB also logs what was undone, when a transaction made or dropped a temporary table or changed a table that cannot
//! be rolled back: a group that ends with ROLLBACK, or rows between SAVEPOINT and ROLLBACK TO. None of these rows count:
//! with row events, those of tables that cannot be rolled back stand in groups of their own, before it.

use std::collections::HashMap;
use std::sync::Arc;

use crate::binlog::format::FormatDescription;
use crate::binlog::gtid::Gtid;
use crate::binlog::position::Position;
use crate::binlog::xa_id::XaId;
use crate::checkpoint::parked::HeldRows;

/// Where the rows of a mapped table go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// To this lane.
    Lane(usize),
    /// Nowhere: passed over by rule, or the lane has this group already.
    Skip,
}

/// When the rows of a group go to the lanes.
#[derive(Debug, Default, PartialEq, Eq)]
pub enum Delivery {
    /// As they are read.
    #[default]
    AtOnce,
    /// Not yet: the group ends with XA PREPARE.
    AfterPrepare,
    /// When its end is known, because not all of it counts.
    AfterEnd,
    /// Now, read once more from where they stand.
    Replaying(Replay),
}

impl Delivery {
    /// Whether rows that are met now go nowhere.
    pub fn is_held(&self) -> bool {
        matches!(self, Self::AfterPrepare | Self::AfterEnd)
    }
}

/// Rows that are read once more, for a group that commits them.
#[derive(Debug, PartialEq, Eq)]
pub struct Replay {
    /// Where they stand.
    pub rows: HeldRows,
    /// The prepared XA transaction that they are, which must end with its XA PREPARE.
    pub xid: Option<XaId>,
    /// Whether the XA PREPARE was met.
    pub is_whole: bool,
    /// The group that commits them: start of its last event, and its end.
    pub commit: (u64, Position),
    /// The format of the file that the committing group stands in; the rows' own may be another.
    pub format: Arc<FormatDescription>,
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
    /// When its rows go to the lanes.
    pub delivery: Delivery,
    /// Savepoints, each with the position behind it.
    pub savepoints: Vec<(String, u64)>,
    /// Stretches that were undone: from the savepoint to ROLLBACK TO.
    pub undone: Vec<(u64, u64)>,
    /// Whether a definition changed in it while its rows were held.
    pub holds_ddl: bool,
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
        self.delivery = Delivery::AtOnce;
        self.savepoints.clear();
        self.undone.clear();
        self.holds_ddl = false;
    }
}
