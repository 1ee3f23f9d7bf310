//! User locks that keep sessions of an earlier life out.
//!
//! A session that lost its client lives on at the server until the server notices: it may still finish an ALTER TABLE,
//! or hold the row locks of half a transaction. Each session of relaylite therefore holds a user lock, which the server
//! frees only when the session is over; the session that takes its place waits for that lock, or ends the old session.
//!
//! The target as a whole is locked by the keeper, so whoever holds one of these locks is an old session of relaylite.

use super::connection::Connection;
use crate::config::limits;
use crate::error::{Error, ErrorKind, Result};

/// Which session of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The lane's own. What an old one has open is to be rolled back, so it is ended at once.
    Rows,
    /// The one that runs a DDL statement. An old one is left to finish its statement.
    Ddl,
}

impl Role {
    fn prefix(self) -> &'static str {
        match self {
            Self::Rows => "relaylite:",
            Self::Ddl => "relaylite-ddl:",
        }
    }
}

/// Takes the lock of a database for `connection`, for as long as that connection lives.
///
/// # Errors
/// `TargetBusy` when an old session does not go away in time.
pub(super) fn take(connection: &mut Connection, role: Role, database: &str) -> Result<()> {
    let doing = "locking a database for its lane";
    // A lock's name has at most 64 characters.
    let name = format!("CONCAT('{}', LEFT(SHA2(?, 256), 40))", role.prefix());
    let sql = format!("SELECT GET_LOCK({name}, 1), IS_USED_LOCK({name})");
    for _ in 0..limits::MYSQL_TARGET_LOCK_WAIT_S {
        let params = vec![database.into(), database.into()];
        let rows: Vec<(Option<u8>, Option<u64>)> = connection.select(&sql, params, doing)?;
        let holder = match rows.first() {
            Some((Some(1), _)) => return Ok(()),
            Some((_, Some(holder))) => *holder,
            _ => continue,
        };
        if role == Role::Rows || is_idle(connection, holder)? {
            tracing::warn!(
                database,
                connection = holder,
                "ending an old session on the target"
            );
            // It may be gone by now; then the next attempt gets the lock.
            let _ = connection.query(&format!("KILL {holder}"), doing);
        }
    }
    let what = match role {
        Role::Rows => "an old session of relaylite on the target does not end",
        Role::Ddl => "a DDL statement that was begun earlier is still running on the target",
    };
    Err(Error::new(
        ErrorKind::TargetBusy,
        format!("{what} (database `{database}`)"),
    ))
}

/// Whether a session runs nothing.
fn is_idle(connection: &mut Connection, id: u64) -> Result<bool> {
    let commands: Vec<String> = connection.select(
        "SELECT COMMAND FROM information_schema.PROCESSLIST WHERE ID = ?",
        vec![id.into()],
        "looking at an old session",
    )?;
    Ok(commands.first().is_some_and(|command| command == "Sleep"))
}
