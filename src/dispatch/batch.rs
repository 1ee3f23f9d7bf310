//! What goes from the coordinator to a lane: many small items in one message, with the bytes that they need.
//!
//! Event bytes are copied here once, so that neither the reader's buffer nor other lanes are held up by a slow lane, and
//! one wake-up of a lane covers thousands of rows.

use std::ops::Range;
use std::sync::Arc;

use super::barrier::Barrier;
use super::budget::Share;
use super::resync::Copy;
use crate::apply::quarantine::SetAside;
use crate::binlog::format::FormatDescription;
use crate::binlog::gtid::Gtid;
use crate::checkpoint::Checkpoint;
use crate::decode::query::Query;
use crate::error::Result;
use crate::schema::ddl::{SqlContext, Statement};
use crate::schema::table::Table;
use crate::snapshot::SnapshotRows;

/// Where an event's body stands in [`LaneBatch::bytes`], and where the event stood in the source's file.
#[derive(Debug, Clone)]
pub struct EventBody {
    /// Event type, uncompressed forms only.
    pub kind: u8,
    /// Body without header and checksum.
    pub body: Range<usize>,
    /// Offset of the event in the source's file (of the outer event when it was compressed).
    pub position: u64,
}

/// A DDL statement on its way to one or more lanes.
#[derive(Debug)]
pub struct DdlTask {
    /// The event.
    pub query: Query,
    /// What it says.
    pub statement: Statement,
    /// The session and server that it ran in.
    pub context: SqlContext,
    /// Where it ends; the checkpoint to commit with it.
    pub at: Arc<Checkpoint>,
    /// Start of the event in the source's file, for errors.
    pub start: u64,
    /// The lanes concerned meet before, and again between the two halves, when there is more than one.
    pub barriers: Option<(Barrier, Barrier)>,
}

/// Why a copy goes no further.
#[derive(Debug)]
pub struct CopyFailure {
    /// Whether another attempt is made.
    pub again: bool,
}

/// A step of the copy of a table that is read afresh; all of them stand between two groups.
#[derive(Debug)]
pub enum CopyStep {
    /// The first chunk begins: the copy begins with this definition.
    Begin {
        /// The definition.
        table: Arc<Table>,
        /// Where the stream is.
        at: Arc<Checkpoint>,
    },
    /// Another chunk begins.
    Next {
        /// The definition at its position.
        table: Arc<Table>,
    },
    /// Rows of the chunk.
    Rows {
        /// The rows.
        rows: SnapshotRows,
        /// Where the stream is.
        at: Arc<Checkpoint>,
    },
    /// The chunk is complete.
    End {
        /// And the table with it.
        is_last: bool,
        /// Where the stream is.
        at: Arc<Checkpoint>,
    },
    /// The source cannot give the rest.
    Failed(CopyFailure),
}

/// One thing for a lane to do.
#[derive(Debug)]
pub enum Item {
    /// A source transaction begins; `gtid` is for messages.
    Begin {
        /// Its GTID.
        gtid: Option<Gtid>,
        /// The file it stands in.
        file: Arc<str>,
        /// The source's clock when it began.
        timestamp: u32,
    },
    /// The format of the events that follow changed.
    Format(Arc<FormatDescription>),
    /// A TABLE_MAP of this lane's database.
    TableMap(EventBody),
    /// Row changes of a table mapped before.
    Rows(EventBody),
    /// A DDL statement, which is its own transaction.
    Ddl(Arc<DdlTask>),
    /// A DDL statement inside a transaction (MySQL 8 `CREATE TABLE … SELECT`); committed with it.
    DdlInside(Arc<DdlTask>),
    /// Remember this point of the open transaction, by its number in it.
    Savepoint(u32),
    /// Take back what was done since that point, which stays.
    RollbackTo(u32),
    /// A statement that nobody understands names this table: it is set aside.
    SetAside(Box<SetAside>),
    /// A statement in place of rows changes a table.
    ByStatement(Box<ByStatement>),
    /// A table that is read afresh.
    Copy(Arc<Copy>, Box<CopyStep>),
    /// The transaction ends here.
    Commit {
        /// The checkpoint after it.
        at: Arc<Checkpoint>,
        /// Present when the transaction has parts in other lanes.
        barrier: Option<Arc<Barrier>>,
    },
    /// Nothing for this lane up to here: move its checkpoint and make everything durable.
    Advance(Arc<Checkpoint>),
    /// Make what is committed durable; a transaction is open and goes on.
    MakeDurable,
}

/// A statement that changes rows of one table, and no row events of it.
#[derive(Debug)]
pub struct ByStatement {
    /// The table.
    pub table: String,
    /// What is wrong with it.
    pub what: String,
    /// The file it stands in.
    pub file: Arc<str>,
    /// Its offset there.
    pub pos: u64,
    /// The source's clock then.
    pub timestamp: u32,
}

/// One message to a lane.
#[derive(Debug, Default)]
pub struct LaneBatch {
    /// Bodies of the events that items refer to.
    pub bytes: Vec<u8>,
    /// What to do, in order.
    pub items: Vec<Item>,
    /// Bytes of rows that items hold themselves.
    pub rows_bytes: usize,
    /// The memory that this batch holds of the common budget; given back when dropped.
    pub share: Option<Share>,
}

impl LaneBatch {
    /// Copies an event's body in.
    pub fn add_body(&mut self, kind: u8, body: &[u8], position: u64) -> EventBody {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(body);
        EventBody {
            kind,
            body: start..self.bytes.len(),
            position,
        }
    }

    /// The bytes of an event's body.
    pub fn body(&self, event: &EventBody) -> Result<&[u8]> {
        self.bytes.get(event.body.clone()).ok_or_else(|| {
            crate::error::Error::new(
                crate::error::ErrorKind::Internal,
                "an item refers to bytes outside of its batch",
            )
        })
    }

    /// Memory held, roughly.
    pub fn weight(&self) -> usize {
        self.bytes.len() + self.rows_bytes + self.items.len() * size_of::<Item>()
    }
}
