//! Where source transactions begin and end: the coordinator's view of one group of events.
//!
//! Only XID, COMMIT, ROLLBACK, XA PREPARE or a statement that stands alone end a group; savepoints do not.
//! What ROLLBACK and ROLLBACK TO SAVEPOINT take back: see [`super::router::savepoint`].

use std::collections::HashMap;
use std::sync::Arc;

use super::router::savepoint::Savepoints;
use crate::binlog::format::FormatDescription;
use crate::binlog::gtid::Gtid;
use crate::binlog::position::Position;
use crate::checkpoint::parked::ParkedXa;

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

/// What a group has to do with XA.
#[derive(Debug, Default, PartialEq, Eq)]
pub enum Xa {
    /// Nothing.
    #[default]
    No,
    /// It ends with XA PREPARE: its rows go nowhere yet.
    Preparing,
    /// It commits a prepared transaction, whose rows are read from where they stand.
    Replaying(Replay),
}

/// Rows that are read once more, for a group that commits them.
#[derive(Debug, PartialEq, Eq)]
pub struct Replay {
    /// Where they stand.
    pub xa: ParkedXa,
    /// The group that commits them: start of its last event, and its end.
    pub commit: (u64, Position),
    /// The format of the file that the committing group stands in; the rows' own may be another.
    pub format: Arc<FormatDescription>,
    /// Whether the XA PREPARE that ends the rows was met.
    pub is_whole: bool,
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
    /// What it has to do with XA.
    pub xa: Xa,
    /// Its savepoints.
    pub savepoints: Savepoints,
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
        self.xa = Xa::No;
        self.savepoints.clear();
    }
}
