//! A table of the source read afresh while replication runs: how `resync` gets its rows.
//!
//! # How it fits the stream
//! The table is read in chunks. Each chunk is the table's next rows in the order of its key, exactly as they are at one position
//! of the binlog, which the chunk names before its rows come ([`Step::Chunk`]). Whoever applies the stream brings the target to
//! that position, takes in the chunk's rows, and goes on. So at every moment the rows in the target are rows that the
//! source had at the same position, and those up to the last chunk's end are all of them:
//! - an INSERT is applied, wherever its key stands; a later chunk brings the same row again;
//! - an UPDATE or DELETE of a row that is not there belongs to a later chunk and is passed over;
//! - an UPDATE that gives a row that is not there another key makes the row, if the event holds all of it.
//!
//! Nobody's position may pass a chunk's before its rows are in, so a chunk is begun ([`TableSnapshot::begin`]) only by the one
//! who reads the stream, between two transactions, and nothing more is read of the stream before its `Chunk` or `Busy` has come:
//! within [`crate::config::limits::SNAPSHOT_LOCK_WAIT_S`] and some milliseconds, or with an error after the network's time-outs.
//!
//! # Limits
//! Rows come in pieces of about [`crate::config::limits::SNAPSHOT_PIECE_BYTES`]; one row has to fit into memory. A table without a
//! key that can be compared exactly comes as one chunk.

mod cell;
pub mod definition;
mod reader;
mod rows;
mod select;

use std::time::Duration;

pub use reader::LiveSnapshots;
pub use rows::{Cell, SnapshotRows};

use crate::binlog::position::Position;
use crate::error::Result;
use crate::schema::table::Table;

/// What a snapshot says, in this order for each chunk: `Chunk`, any number of `Rows`, `End`; or just `Busy`.
#[derive(Debug)]
pub enum Step {
    /// The chunk could not begin, because somebody keeps the table locked or has changed it in a transaction that is still open. Nothing
    /// was read: begin again, after [`crate::config::limits::SNAPSHOT_LOCK_RETRY`].
    Busy,
    /// A chunk begins.
    Chunk {
        /// Its rows are as they are here: everything before is in them, nothing from here on.
        at: Position,
        /// The table's definition at this position.
        table: Table,
        /// Every row of the table so far is replaced: the first chunk, or the only one.
        is_first: bool,
    },
    /// Rows of the chunk.
    Rows(SnapshotRows),
    /// All rows of the chunk were given.
    End {
        /// No chunk follows: the table is complete.
        is_last: bool,
        /// Rows of the table so far, for progress.
        rows: u64,
        /// About how many rows there are in all, by the source's own estimate.
        rows_estimate: u64,
    },
}

/// Where snapshots come from.
pub trait SnapshotSource: Send + Sync {
    /// Opens a snapshot of a table. Nothing is read before [`TableSnapshot::begin`].
    fn open(&self, database: &str, table: &str) -> Result<Box<dyn TableSnapshot>>;
}

/// One table being read.
///
/// # Threading
/// Used by one thread; the reading goes on beside it.
pub trait TableSnapshot: Send {
    /// Lets the next chunk begin: the one behind the last `End`, or again the one that was `Busy`. Its position will not be before what the source had committed when this was called.
    fn begin(&mut self);

    /// The next step; `None` when it has not come within `wait`.
    ///
    /// # Errors
    /// The source's, when the table cannot be read: `Schema` when there is no such table, `Access` (1142, 1044) with the grant that
    /// is missing, `Network`. A failed snapshot is of no more use; open another.
    fn next(&mut self, wait: Duration) -> Result<Option<Step>>;
}
