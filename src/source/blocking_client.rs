//! Ordinary queries on the source, for threads.

use tokio::runtime::Handle;

use super::connection::open;
use crate::config::source::SourceConfig;
use crate::error::{ErrorKind, Result};
use crate::wire::{Connection, ResultSet};

/// A connection that is made when it is first needed and made again when it was lost.
///
/// # Threading
/// For threads that are not part of the runtime; never call it from async code.
#[derive(Debug)]
pub struct BlockingClient {
    config: SourceConfig,
    runtime: Handle,
    connection: Option<Connection>,
}

impl BlockingClient {
    /// A client that is not connected yet; the network runs on `runtime`.
    pub fn new(config: SourceConfig, runtime: Handle) -> Self {
        Self {
            config,
            runtime,
            connection: None,
        }
    }

    /// Runs a query. A connection that was lost since the last one (`wait_timeout`) is made again once.
    ///
    /// # Errors
    /// `Network` and `Access` as for a login; the source's error with its number.
    pub fn query(&mut self, sql: &str) -> Result<ResultSet> {
        let runtime = self.runtime.clone();
        runtime.block_on(async {
            if let Some(connection) = &mut self.connection {
                match connection.query(sql).await {
                    Err(error) if error.kind() == ErrorKind::Network => self.connection = None,
                    answer => return answer,
                }
            }
            let mut connection = open(&self.config).await?;
            let answer = connection.query(sql).await;
            self.connection = Some(connection);
            answer
        })
    }
}
