//! Definitions of tables as the source has them now, for tables that the catalog does not know.

use std::sync::{Mutex, PoisonError};

use tokio::runtime::Handle;

use crate::apply::SourceSchema;
use crate::config::source::SourceConfig;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::bootstrap;
use crate::schema::table::{Collation, Table};
use crate::source::BlockingClient;

/// Asks the source over a connection of its own, made when it is first needed.
///
/// # Threading
/// Lanes take turns; never call it from async code.
pub(super) struct LiveSchema {
    client: Mutex<BlockingClient>,
}

/// MySQL's `ER_NO_SUCH_TABLE`.
const NO_SUCH_TABLE: u16 = 1146;
/// MySQL's `ER_BAD_DB_ERROR`.
const NO_SUCH_DATABASE: u16 = 1049;

impl LiveSchema {
    /// A client for this source.
    pub(super) fn new(source: SourceConfig, runtime: Handle) -> Self {
        Self { client: Mutex::new(BlockingClient::new(source, runtime)) }
    }
}

impl SourceSchema for LiveSchema {
    fn table(&self, database: &str, table: &str) -> Result<Option<Table>> {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        for sql in bootstrap::SESSION_STATEMENTS {
            // Not every server knows every setting; the definition says whether it can be read.
            match client.query(sql) {
                Err(error) if error.kind() == ErrorKind::Network => return Err(error),
                _ => {}
            }
        }
        let answer = match client.query(&bootstrap::show_create_table(database, table)) {
            Ok(answer) => answer,
            Err(error) if matches!(error.errno(), NO_SUCH_TABLE | NO_SUCH_DATABASE) => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let version = client.query("SELECT VERSION() AS version")?;
        let version = version.first("version").unwrap_or_default().into_owned();
        let Some(text) = answer.first("Create Table") else {
            return Err(Error::new(
                ErrorKind::Schema,
                "the source shows no definition of the table (it may be a view now)",
            )
            .at_table(database, table));
        };
        bootstrap::table_from_show_create(&text, &version)
            .map(Some)
            .map_err(|error| error.at_table(database, table))
    }

    fn database_collation(&self, database: &str) -> Result<Option<Collation>> {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        let quoted = database.replace('\\', "\\\\").replace('\'', "''");
        let answer = client.query(&format!(
            "SELECT DEFAULT_CHARACTER_SET_NAME AS charset, DEFAULT_COLLATION_NAME AS name \
             FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = '{quoted}'"
        ))?;
        let (charset, name) = (answer.first("charset"), answer.first("name"));
        Ok(charset.zip(name).map(|(charset, name)| Collation {
            charset: charset.into_owned(),
            name: name.into_owned(),
        }))
    }
}
