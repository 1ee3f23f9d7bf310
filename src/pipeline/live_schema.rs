//! Definitions of tables as the source has them now, for tables that the catalog does not know.

use std::sync::{Mutex, OnceLock, PoisonError};

use tokio::runtime::Handle;

use crate::apply::SourceSchema;
use crate::config::filter::FilterConfig;
use crate::config::source::SourceConfig;
use crate::dispatch::filter::SourceNames;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::collation::{TextPair, equality_answer, equality_question};
use crate::schema::table::{Collation, Table};
use crate::snapshot::definition;
use crate::source::BlockingClient;

/// MySQL's `ER_UNKNOWN_COLLATION`.
const UNKNOWN_COLLATION: u16 = 1273;

/// Asks the source over a connection of its own, made when it is first needed.
///
/// # Threading
/// Lanes take turns; never call it from async code.
pub(super) struct LiveSchema {
    client: Mutex<BlockingClient>,
    names: SourceNames,
    lower_case_table_names: OnceLock<String>,
}

impl LiveSchema {
    /// A client for this source.
    pub(super) fn new(source: SourceConfig, filter: &FilterConfig, runtime: Handle) -> Self {
        Self {
            client: Mutex::new(BlockingClient::new(source, runtime)),
            lower_case_table_names: OnceLock::new(),
            names: SourceNames::new(filter),
        }
    }

    /// The variable of that name, which no server changes while it runs; asked once.
    fn lower_case_table_names(&self) -> Result<&str> {
        if let Some(known) = self.lower_case_table_names.get() {
            return Ok(known);
        }
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = client.query("SELECT @@lower_case_table_names AS names")?;
        let value = answer.first("names").unwrap_or_default();
        Ok(self
            .lower_case_table_names
            .get_or_init(|| value.to_string()))
    }
}

impl SourceSchema for LiveSchema {
    fn table(&self, database: &str, table: &str) -> Result<Option<Table>> {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        definition::table(&mut |sql| client.query(sql), database, table)
    }

    fn is_sequence(&self, database: &str, table: &str) -> Result<bool> {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        for name in self.names.of(database) {
            if definition::is_sequence(&mut |sql| client.query(sql), name, table)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn folds_table_names(&self) -> Result<bool> {
        Ok(self.lower_case_table_names()? != "0")
    }

    fn keeps_names_in_lower_case(&self) -> Result<bool> {
        Ok(self.lower_case_table_names()? == "1")
    }

    fn are_equal(&self, pairs: &[TextPair]) -> Result<Vec<bool>> {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        let mut answer = client.query(&equality_question(pairs, false));
        if answer
            .as_ref()
            .is_err_and(|error| error.errno() == UNKNOWN_COLLATION)
        {
            answer = client.query(&equality_question(pairs, true));
        }
        let answer = answer.map_err(|error| match error.kind() {
            // The server's own word, not that of the protocol.
            ErrorKind::Protocol if error.errno() != ErrorKind::Protocol.default_errno() => {
                Error::new(ErrorKind::SourceOnly, "the source cannot compare two texts")
                    .with_source(error)
            }
            _ => error,
        })?;
        let text = answer.first("equal").unwrap_or_default();
        equality_answer(&text, pairs.len()).ok_or_else(|| {
            Error::new(
                ErrorKind::SourceOnly,
                "the source does not say whether two texts are equal",
            )
        })
    }

    fn database_collation(&self, database: &str) -> Result<Option<Collation>> {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        for name in self.names.of(database) {
            let collation = definition::database_collation(&mut |sql| client.query(sql), name)?;
            if collation.is_some() {
                return Ok(collation);
            }
        }
        Ok(None)
    }
}
