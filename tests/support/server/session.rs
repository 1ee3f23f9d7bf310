//! A client session that blocks.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, Opts, OptsBuilder, Row, Value};
use tokio::runtime::Runtime;

use crate::support::relaylite::wait_for;

/// Rows in the text protocol: the server's own rendering of each value, NULL as `None`.
pub(crate) type Rows = Vec<Vec<Option<Vec<u8>>>>;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// One connection. A transaction may go over several calls.
#[derive(Debug)]
pub(crate) struct Session {
    // Before the runtime: it is dropped first.
    connection: Conn,
    runtime: Runtime,
}

impl Session {
    /// Logs in.
    pub(crate) fn connect(url: &str) -> Result<Self, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        // Or the driver would ask the server for its socket and go there.
        let opts = OptsBuilder::from_opts(Opts::from_url(url)?).prefer_socket(false);
        let connection = runtime.block_on(async {
            match tokio::time::timeout(CONNECT_TIMEOUT, Conn::new(opts)).await {
                Ok(connection) => connection,
                Err(elapsed) => Err(std::io::Error::from(elapsed).into()),
            }
        })?;
        Ok(Self {
            connection,
            runtime,
        })
    }

    /// The server's id of this connection.
    pub(crate) fn id(&self) -> u32 {
        self.connection.id()
    }

    /// Ends it, and waits until `other` sees that InnoDB knows: a transaction that it prepared is nobody's then. `MariaDB`
    /// gives the xid to others a moment before (`trans_xa_detach`, then `innobase_close_connection`): an XA COMMIT between
    /// the two is logged and answered with OK, and InnoDB commits nothing. Such a source differs from its own binary log.
    #[track_caller]
    pub(crate) fn end(self, other: &mut Self) {
        let owner = format!("thread id {},", self.id());
        drop(self);
        wait_for("a session's end", || {
            let status = other.query("SHOW ENGINE INNODB STATUS");
            let text = status[0][2].as_deref().unwrap();
            !String::from_utf8_lossy(text).contains(&owner)
        });
    }

    /// Runs one or many statements, separated by `;`.
    #[track_caller]
    pub(crate) fn exec(&mut self, sql: &str) {
        if let Err(error) = self.try_exec(sql) {
            panic!("{error}\nin: {}", shown(sql));
        }
    }

    /// As [`Self::exec`], where the error is wanted.
    pub(crate) fn try_exec(&mut self, sql: &str) -> Result<(), Error> {
        self.runtime.block_on(self.connection.query_drop(sql))
    }

    /// As [`Self::exec`], for statements that are not in UTF-8.
    #[track_caller]
    pub(crate) fn exec_bytes(&mut self, sql: Vec<u8>) {
        let shown = String::from_utf8_lossy(&sql).into_owned();
        if let Err(error) = self.runtime.block_on(self.connection.query_drop(sql)) {
            panic!("{error}\nin: {shown}");
        }
    }

    /// The rows of one query.
    #[track_caller]
    pub(crate) fn query(&mut self, sql: &str) -> Rows {
        match self.runtime.block_on(self.connection.query::<Row, _>(sql)) {
            Ok(rows) => rows.into_iter().map(columns).collect(),
            Err(error) => panic!("{error}\nin: {}", shown(sql)),
        }
    }

    /// As [`Self::query`], as text.
    #[track_caller]
    pub(crate) fn query_strings(&mut self, sql: &str) -> Vec<Vec<Option<String>>> {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let rows = self.query(sql).into_iter();
        rows.map(|row| row.into_iter().map(|value| value.map(text)).collect())
            .collect()
    }
}

fn columns(row: Row) -> Vec<Option<Vec<u8>>> {
    let value = |value| match value {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(bytes),
        other => panic!("{other:?} in the text protocol"),
    };
    row.unwrap().into_iter().map(value).collect()
}

fn shown(sql: &str) -> String {
    sql.chars().take(500).collect()
}
