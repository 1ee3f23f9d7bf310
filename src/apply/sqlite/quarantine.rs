//! The marks of tables that are set aside, in `_relaylite_quarantine`, and what makes a transaction usable behind an error.
//!
//! A statement that fails takes back only what itself has done; the transaction stays open with all that was done before
//! it. DDL, which is many statements, runs within a savepoint.

use rusqlite::Connection;

use super::catalog::Catalog;
use super::foreign_keys;
use super::lane::SqliteLane;
use super::row_finder;
use crate::apply::quarantine::{QuarantineStore, SetAside};
use crate::error::{Error, ErrorKind, Result};

/// All marks of a file. Files of earlier versions have no table of marks until they are opened for writing.
pub(super) fn load(connection: &Connection) -> Result<Vec<SetAside>> {
    let known: bool = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = '_relaylite_quarantine')",
        [],
        |row| row.get(0),
    )?;
    if !known {
        return Ok(Vec::new());
    }
    let mut statement = connection.prepare(
        "SELECT table_name, errno, reason, file, pos, since, resync FROM _relaylite_quarantine ORDER BY 1",
    )?;
    let marks = statement.query_map([], |row| {
        let number = |at: usize| -> rusqlite::Result<u64> {
            Ok(u64::try_from(row.get::<_, i64>(at)?).unwrap_or_default())
        };
        Ok(SetAside {
            table: row.get(0)?,
            errno: u16::try_from(number(1)?).unwrap_or_default(),
            reason: row.get(2)?,
            file: row.get(3)?,
            pos: number(4)?,
            since: number(5)?,
            resync: row.get(6)?,
        })
    })?;
    Ok(marks.collect::<rusqlite::Result<_>>()?)
}

fn signed(number: u64) -> Result<i64> {
    i64::try_from(number).map_err(|_| Error::new(ErrorKind::Internal, "a number beyond 2^63"))
}

impl QuarantineStore for SqliteLane {
    fn marks(&mut self) -> Result<Vec<SetAside>> {
        load(&self.connection)
    }

    fn dependents(&mut self, table: &str) -> Result<Vec<String>> {
        Ok(foreign_keys::dependents(&self.catalog, table))
    }

    fn put_mark(&mut self, mark: &SetAside) -> Result<()> {
        self.connection.execute(
            "INSERT OR REPLACE INTO _relaylite_quarantine (table_name, errno, reason, file, pos, since, resync) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            (
                &mark.table,
                mark.errno,
                &mark.reason,
                &mark.file,
                signed(mark.pos)?,
                signed(mark.since)?,
                mark.resync,
            ),
        )?;
        Ok(())
    }

    fn remove_mark(&mut self, table: &str) -> Result<()> {
        self.connection.execute(
            "DELETE FROM _relaylite_quarantine WHERE table_name = ?1",
            [table],
        )?;
        Ok(())
    }

    fn recover(&mut self, _table: &str) -> Result<()> {
        if self.in_transaction && self.connection.is_autocommit() {
            return Err(Error::new(
                ErrorKind::TargetBusy,
                "SQLite has taken back the whole transaction; it is applied anew",
            ));
        }
        self.forget_writers()
    }
}

impl SqliteLane {
    /// Runs `work` so that nothing of it stays when it fails.
    pub(super) fn within_savepoint<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        // TEMP triggers must not be in the way of what happens to their tables.
        row_finder::drop_all(&self.connection)?;
        self.connection.execute_batch("SAVEPOINT relaylite")?;
        let before = (self.collation.clone(), self.dropped);
        let shadows = self.catalog.shadows().clone();
        match work(self) {
            Ok(done) => {
                self.connection.execute_batch("RELEASE relaylite")?;
                Ok(done)
            }
            // The whole transaction is gone, and the savepoint with it.
            Err(error) if self.connection.is_autocommit() => Err(error),
            Err(error) => {
                // An edit of SQLite's own catalog may have been cut short.
                self.connection.execute_batch(
                    "PRAGMA writable_schema = OFF; ROLLBACK TO relaylite; RELEASE relaylite",
                )?;
                self.catalog = Catalog::load(&self.connection)?;
                *self.catalog.shadows() = shadows;
                (self.collation, self.dropped) = before;
                self.forget_writers()?;
                Err(error)
            }
        }
    }
}
