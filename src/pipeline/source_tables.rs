//! Tables read afresh under the names that they have in the target: `replicate_rewrite_db` may give a database another one.

use std::sync::Arc;

use crate::apply::SourceSchema;
use crate::dispatch::filter::SourceNames;
use crate::error::Result;
use crate::snapshot::{LiveSnapshots, SnapshotSource, TableSnapshot};

/// Finds the table behind a name of the target, and reads it.
pub(super) struct SourceTables {
    /// Reads it.
    pub(super) live: LiveSnapshots,
    /// Names of databases.
    pub(super) names: SourceNames,
    /// Says where a table is, when several databases of the source have one name here.
    pub(super) schema: Arc<dyn SourceSchema>,
}

impl SnapshotSource for SourceTables {
    fn open(&self, database: &str, table: &str) -> Result<Box<dyn TableSnapshot>> {
        let mut candidates = self.names.of(database).into_iter().peekable();
        while let Some(candidate) = candidates.next() {
            if candidates.peek().is_none() || self.schema.table(candidate, table)?.is_some() {
                return self.live.open(candidate, table);
            }
        }
        self.live.open(database, table)
    }
}
