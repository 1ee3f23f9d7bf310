//! The session that row statements run in: its settings, and the lock that keeps zombies out.
//!
//! # Invariants
//! - `character_set_client` and `collation_connection` are `binary`: parameters are stored byte for byte.
//! - Time zone is UTC, so TIMESTAMP text is exact, in daylight saving hours too.
//! - The SQL mode is strict, so nothing is cut or rounded in silence; zero, partial and impossible dates pass, and 0 is
//!   0 in an AUTO_INCREMENT column. The lenient mode serves single rows that the source itself let pass (an invalid
//!   ENUM value, an implicit default).
//! - `autocommit` is off: a transaction begins with its first statement. READ COMMITTED, so that lanes do not block
//!   each other by gap locks.
//! - The lock of the database is held as long as the session lives: a session of an earlier life, cut off in the middle
//!   of a transaction, is ended first, and with it what it still might commit.

use super::connection::Connection;
use super::lock::{self, Role};
use crate::config::limits;
use crate::decode::rows::{
    FLAG_NO_FOREIGN_KEY_CHECKS, FLAG_RELAXED_UNIQUE_CHECKS, FLAG_SQL_FOREIGN_KEYS,
};
use crate::error::Result;

const STRICT_MODE: &str =
    "STRICT_ALL_TABLES,ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION";
const LENIENT_MODE: &str = "ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION";

/// The settings that row events ask for, as they are in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RowSettings {
    /// `foreign_key_checks`: on for the target's own cascades, which the source did in silence.
    pub foreign_keys: bool,
    /// `unique_checks`.
    pub unique: bool,
    /// The lenient SQL mode instead of the strict one.
    pub lenient: bool,
}

impl RowSettings {
    /// What a new session has.
    const INITIAL: Self = Self {
        foreign_keys: true,
        unique: true,
        lenient: false,
    };

    /// What the rows of a copy ask for.
    pub(super) const COPY: Self = Self {
        foreign_keys: false,
        unique: true,
        lenient: false,
    };

    /// What a row event asks for by its flags.
    pub(super) fn of_event(flags: u16) -> Self {
        Self {
            // Where the source logs cascades as rows, the target must not do them a second time.
            foreign_keys: flags & (FLAG_NO_FOREIGN_KEY_CHECKS | FLAG_SQL_FOREIGN_KEYS) == 0,
            unique: flags & FLAG_RELAXED_UNIQUE_CHECKS == 0,
            lenient: false,
        }
    }
}

/// A connection set up for row statements.
pub(super) struct Session {
    /// The connection.
    pub connection: Connection,
    settings: RowSettings,
}

impl Session {
    /// Sets a fresh connection up for a database's rows, and takes the database's lock.
    pub(super) fn new(mut connection: Connection, database: &str) -> Result<Self> {
        let doing = "setting up a lane's session";
        connection.query(
            &format!(
                "SET SESSION autocommit = 0, character_set_client = binary, character_set_results = utf8mb4, \
                 collation_connection = binary, time_zone = '+00:00', sql_mode = '{STRICT_MODE}', \
                 foreign_key_checks = 1, unique_checks = 1, wait_timeout = 31536000, lock_wait_timeout = {}",
                limits::MYSQL_TARGET_LOCK_WAIT_S
            ),
            doing,
        )?;
        connection.query(
            "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
            doing,
        )?;
        if connection.server.mariadb {
            // The source checked them already.
            connection.query("SET SESSION check_constraint_checks = 0", doing)?;
        }
        lock::take(&mut connection, Role::Rows, database)?;
        Ok(Self {
            connection,
            settings: RowSettings::INITIAL,
        })
    }

    /// Makes the settings those that the next statement needs.
    pub(super) fn apply(&mut self, wanted: RowSettings) -> Result<()> {
        if wanted == self.settings {
            return Ok(());
        }
        let sql = format!(
            "SET SESSION foreign_key_checks = {}, unique_checks = {}, sql_mode = '{}'",
            u8::from(wanted.foreign_keys),
            u8::from(wanted.unique),
            if wanted.lenient {
                LENIENT_MODE
            } else {
                STRICT_MODE
            },
        );
        self.connection.query(&sql, "changing a lane's session")?;
        self.settings = wanted;
        Ok(())
    }
}
