//! A table read afresh, as a target takes it in.
//!
//! # Contract
//! `begin_copy`, `copy_rows` for each piece, `end_copy`; or `abandon_copy` at any time. All work in the open
//! transaction, and may be committed in between: the checkpoint is then the position that the copy has reached. Where DDL commits
//! by itself ([`super::Lane::commits_ddl`]), everything must be committed before `end_copy`.
//!
//! From `begin_copy` on, [`super::Lane::table`] is the copy, and row events go into it as `crate::snapshot` says: a row that is
//! not there yet is no error. Only a changed key whose row is neither there nor in the event as a whole is one
//! (`RowMissing`): the copy has to begin anew. Readers of the target see the former table until `end_copy` is committed.
//! Nothing of a copy needs to outlive the process.

use std::sync::Arc;

use crate::error::Result;
use crate::schema::table::Table;
use crate::snapshot::SnapshotRows;

/// Takes in tables that are read afresh.
pub trait TableCopy {
    /// Begins the copy of a table; one that was begun before is dropped.
    ///
    /// # Errors
    /// `Unsupported` or `Refused` when this target cannot.
    fn begin_copy(&mut self, table: Table) -> Result<Arc<Table>>;

    /// Writes rows of the copy, in place of those with the same key.
    fn copy_rows(&mut self, table: &Arc<Table>, rows: &SnapshotRows) -> Result<()>;

    /// The copy is complete: it takes the table's place.
    fn end_copy(&mut self, name: &str) -> Result<()>;

    /// Drops the copy.
    fn abandon_copy(&mut self, name: &str) -> Result<()>;
}
