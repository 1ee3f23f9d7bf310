//! Definitions of tables as the source has them now, for tables that the catalog does not know.

use std::sync::{Mutex, OnceLock, PoisonError};

use tokio::runtime::Handle;

use crate::apply::SourceSchema;
use crate::binlog::format::version_number;
use crate::config::filter::FilterConfig;
use crate::config::source::SourceConfig;
use crate::dispatch::filter::SourceNames;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::ddl::{Flavor, SqlContext};
use crate::schema::table::{Collation, Table};
use crate::schema::{bootstrap, collation};
use crate::source::BlockingClient;

/// Asks the source over a connection of its own, made when it is first needed.
///
/// # Threading
/// Lanes take turns; never call it from async code.
pub(super) struct LiveSchema {
    client: Mutex<BlockingClient>,
    folds_table_names: OnceLock<bool>,
    names: SourceNames,
}

/// MySQL's `ER_NO_SUCH_TABLE`.
const NO_SUCH_TABLE: u16 = 1146;
/// MySQL's `ER_BAD_DB_ERROR`.
const NO_SUCH_DATABASE: u16 = 1049;

impl LiveSchema {
    /// A client for this source.
    pub(super) fn new(source: SourceConfig, filter: &FilterConfig, runtime: Handle) -> Self {
        Self {
            client: Mutex::new(BlockingClient::new(source, runtime)),
            folds_table_names: OnceLock::new(),
            names: SourceNames::new(filter),
        }
    }
}

impl SourceSchema for LiveSchema {
    fn table(&self, database: &str, table: &str) -> Result<Option<Table>> {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        let version = client.query("SELECT VERSION() AS version")?;
        let context = context_of(&version.first("version").unwrap_or_default(), database);
        for sql in bootstrap::session_statements(context.flavor, context.version) {
            client.query(sql)?;
        }
        let answer = match client.query(&bootstrap::show_create_table(database, table)) {
            Ok(answer) => answer,
            Err(error) if matches!(error.errno(), NO_SUCH_TABLE | NO_SUCH_DATABASE) => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let Some(text) = answer.first("Create Table") else {
            return Err(Error::new(
                ErrorKind::Schema,
                "the source shows no definition of the table (it may be a view now)",
            )
            .at_table(database, table));
        };
        let inherited =
            collation_of(&mut client, database)?.unwrap_or_else(|| context.server_collation());
        bootstrap::table_from_show_create(&text, &inherited, &context)
            .map(Some)
            .map_err(|error| error.at_table(database, table))
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
        for name in self.names.of(database) {
            if let Some(collation) = collation_of(&mut client, name)? {
                return Ok(Some(collation));
            }
        }
        Ok(None)
    }
}

fn collation_of(client: &mut BlockingClient, database: &str) -> Result<Option<Collation>> {
    let answer = client.query(&bootstrap::select_database_collation(database))?;
    let name = answer.rows.first().and_then(|row| row.first()?.as_deref());
    Ok(name.and_then(|name| collation::by_name(&String::from_utf8_lossy(name))))
}

/// Family and version from what `VERSION()` says: `10.11.6-MariaDB-log`, `8.4.3`.
fn context_of(version: &str, database: &str) -> SqlContext {
    let flavor = if version.contains("MariaDB") {
        Flavor::MariaDb
    } else {
        Flavor::MySql
    };
    SqlContext::new(flavor, version_number(version), database)
}
