//! Rows that a foreign key deleted in the current statement.
//!
//! A DELETE that names parent and child is logged with the child's rows although they went with the parent: both rows'
//! events stand in the binlog, the child's behind (MySQL 8 and 9, bugs.mysql.com 80821). A MySQL that logs cascades
//! writes the child row twice, in one event where keys lead in a circle. The late image finds no row. It is right
//! exactly when a foreign key took that row in the same statement; any other missing row stays an error.
//!
//! The rows are kept as hashes in a TEMP table, so that memory stays bounded; it belongs to the lane's connection, and
//! a rollback takes it back with everything else.

use rusqlite::Connection;

use crate::error::Result;

/// What is noted.
#[derive(Debug, Default)]
pub(super) struct TakenRows {
    /// Whether the table may hold anything.
    is_used: bool,
}

impl TakenRows {
    /// Makes the table, in the open transaction or outside of one.
    pub(super) fn prepare(&self, connection: &Connection) -> Result<()> {
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS temp._relaylite_taken \
             (child TEXT, hash INTEGER, count INTEGER, PRIMARY KEY (child, hash)) WITHOUT ROWID",
        )?;
        Ok(())
    }

    /// A row of `child` is gone.
    pub(super) fn note(&mut self, connection: &Connection, child: &str, hash: i64) -> Result<()> {
        self.is_used = true;
        connection
            .prepare_cached(
                "INSERT INTO temp._relaylite_taken (child, hash, count) VALUES (?1, ?2, 1) \
                 ON CONFLICT (child, hash) DO UPDATE SET count = count + 1",
            )?
            .execute((child, hash))?;
        Ok(())
    }

    /// Whether a row of `child` went before; it counts once.
    pub(super) fn take(&self, connection: &Connection, child: &str, hash: i64) -> Result<bool> {
        if !self.is_used {
            return Ok(false);
        }
        let taken = connection
            .prepare_cached(
                "UPDATE temp._relaylite_taken SET count = count - 1 \
                 WHERE child = ?1 AND hash = ?2 AND count > 0",
            )?
            .execute((child, hash))?;
        Ok(taken == 1)
    }

    /// The statement is over.
    pub(super) fn clear(&mut self, connection: &Connection) -> Result<()> {
        if std::mem::take(&mut self.is_used) {
            connection
                .prepare_cached("DELETE FROM temp._relaylite_taken")?
                .execute([])?;
        }
        Ok(())
    }

    /// The transaction is rolled back, and the notes with it.
    pub(super) fn forget(&mut self) {
        self.is_used = false;
    }
}
