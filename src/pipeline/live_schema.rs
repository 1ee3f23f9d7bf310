//! Definitions of tables as the source has them now, for tables that the catalog does not know.

use std::sync::{Mutex, OnceLock, PoisonError};

use tokio::runtime::Handle;

use crate::apply::SourceSchema;
use crate::config::source::SourceConfig;
use crate::error::Result;
use crate::schema::table::{Collation, Table};
use crate::snapshot::definition;
use crate::source::BlockingClient;

/// Asks the source over a connection of its own, made when it is first needed.
///
/// # Threading
/// Lanes take turns; never call it from async code.
pub(super) struct LiveSchema {
    client: Mutex<BlockingClient>,
    folds_table_names: OnceLock<bool>,
}

impl LiveSchema {
    /// A client for this source.
    pub(super) fn new(source: SourceConfig, runtime: Handle) -> Self {
        Self {
            client: Mutex::new(BlockingClient::new(source, runtime)),
            folds_table_names: OnceLock::new(),
        }
    }
}

impl SourceSchema for LiveSchema {
    fn table(&self, database: &str, table: &str) -> Result<Option<Table>> {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        definition::table(&mut |sql| client.query(sql), database, table)
    }

    fn folds_table_names(&self) -> Result<bool> {
        if let Some(known) = self.folds_table_names.get() {
            return Ok(*known);
        }
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = client.query("SELECT @@lower_case_table_names AS folds")?;
        let folds = answer.first("folds").is_some_and(|value| value != "0");
        Ok(*self.folds_table_names.get_or_init(|| folds))
    }

    fn database_collation(&self, database: &str) -> Result<Option<Collation>> {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        definition::database_collation(&mut |sql| client.query(sql), database)
    }
}
