//! The marks of tables that are set aside, in `relaylite.quarantine`.
//!
//! A statement that these servers refuse takes back what itself has done; the transaction stays open. What takes back the
//! whole transaction (a deadlock, a lost connection) is no error of one table.

use mysql_async::Value;

use super::checkpoint::NAME;
use super::connection::Connection;
use super::definition;
use super::lane::MysqlLane;
use crate::apply::apart;
use crate::apply::quarantine::{QuarantineStore, SetAside};
use crate::error::Result;

type Row = (String, u16, String, String, u64, u64, u8);

/// All marks of a database.
pub(super) fn read(connection: &mut Connection, database: &str) -> Result<Vec<SetAside>> {
    let rows: Vec<Row> = connection.select(
        &format!(
            "SELECT table_name, errno, reason, file, pos, since, resync FROM relaylite.quarantine \
             WHERE source_database = {NAME} ORDER BY table_name"
        ),
        vec![database.into()],
        "reading which tables are set aside",
    )?;
    let mark = |(table, errno, reason, file, pos, since, resync): Row| SetAside {
        table,
        errno,
        reason,
        file,
        pos,
        since,
        resync: resync != 0,
    };
    Ok(rows.into_iter().map(mark).collect())
}

/// Stores a mark in the open transaction.
pub(super) fn write(connection: &mut Connection, database: &str, mark: &SetAside) -> Result<()> {
    let params = vec![
        database.into(),
        mark.table.as_str().into(),
        mark.errno.into(),
        mark.reason.as_str().into(),
        mark.file.as_str().into(),
        Value::UInt(mark.pos),
        Value::UInt(mark.since),
        mark.resync.into(),
    ];
    let sql = "REPLACE INTO relaylite.quarantine (source_database, table_name, errno, reason, file, pos, since, resync) \
               VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
    connection
        .execute(sql, params, "setting a table aside")
        .map(drop)
}

/// Removes a mark in the open transaction.
pub(super) fn remove(connection: &mut Connection, database: &str, table: &str) -> Result<()> {
    let sql = format!(
        "DELETE FROM relaylite.quarantine WHERE source_database = {NAME} AND table_name = {NAME}"
    );
    let params = vec![database.into(), table.into()];
    connection
        .execute(&sql, params, "taking a table out of quarantine")
        .map(drop)
}

impl QuarantineStore for MysqlLane {
    fn marks(&mut self) -> Result<Vec<SetAside>> {
        self.read_marks()
    }

    fn put_mark(&mut self, mark: &SetAside) -> Result<()> {
        self.with_marks(|connection, database| write(connection, database, mark))
    }

    fn remove_mark(&mut self, table: &str) -> Result<()> {
        self.with_marks(|connection, database| remove(connection, database, table))
    }

    /// What the target's own keys would do is not done while changes of the parent are passed over.
    fn dependents(&mut self, table: &str) -> Result<Vec<String>> {
        self.forget_old_definitions();
        if self.acting_keys.is_none() {
            self.acting_keys = Some(self.with_marks(definition::acting_keys)?);
        }
        let keys = self.acting_keys.as_deref().unwrap_or_default();
        Ok(apart::below(table, |parent| {
            let keys = keys.iter().filter(|(of, _)| of == parent);
            keys.map(|(_, child)| child.clone()).collect()
        }))
    }

    fn recover(&mut self, table: &str) -> Result<()> {
        self.forgive(table);
        Ok(())
    }
}
