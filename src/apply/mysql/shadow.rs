//! The table beside a table that is read afresh: how it is made, how it takes the table's place, and what becomes of one that a
//! killed process left.
//!
//! It stands in relaylite's own database, as `copy_N`; `relaylite.copy` says for which table. Rows go into it in the lane's
//! transactions, like any others.
//!
//! # The swap
//! DDL commits by itself on these servers, so the swap cannot be part of the transaction that takes the table's mark away. It need
//! not be: what is in the copy is committed, with its position, before the swap, and the mark stays until behind it. A process
//! that is killed on the way leaves a table that is set aside and is read afresh once more; whether it shows the former
//! rows or the new ones does not matter.
//!
//! A table without foreign keys changes places in one RENAME TABLE: readers always see one or the other. With keys that would not do:
//! those of its children would follow the former table, and its own have names that are taken. There the former table is dropped, with
//! `foreign_key_checks` off, and keys find the new one by its name. Readers may see no table for the moment between;
//! when the process is killed in it, [`clean_up`] finishes the swap.
//!
//! # Old sessions
//! One that was cut off from its client may still run a RENAME. All this is done under the lock of the database's DDL
//! ([`lock`]), which waits for it.

use mysql_async::Value;

use super::checkpoint::{DATABASE, NAME};
use super::connection::Connection;
use super::create_table;
use super::definition::{self, Definition};
use super::lock::{self, Role};
use super::statement::quote;
use crate::apply::work::{Work, WorkInHand};
use crate::config::limits::MYSQL_TARGET_SWAP_WAIT_S;
use crate::error::{Error, ErrorKind, Result};
use crate::failpoints;
use crate::schema::table::Table;

/// MySQL: somebody keeps a table locked.
const ER_LOCK_WAIT_TIMEOUT: u16 = 1205;

/// The table beside one that is being read afresh.
#[derive(Debug, Clone)]
pub(super) struct Shadow {
    /// The table that it is for, as the source defines it.
    pub(super) source: Table,
    number: u64,
}

impl Shadow {
    /// Its name in relaylite's database.
    pub(super) fn name(&self) -> String {
        copy_name(self.number)
    }

    fn full_name(&self) -> String {
        in_own_database(&self.name())
    }
}

fn copy_name(number: u64) -> String {
    format!("copy_{number}")
}

fn former_name(number: u64) -> String {
    format!("former_{number}")
}

fn in_own_database(name: &str) -> String {
    format!("{}.{}", quote(DATABASE), quote(name))
}

fn full_name(database: &str, table: &str) -> String {
    format!("{}.{}", quote(database), quote(table))
}

/// A connection for this work on the copies of a database.
fn set_up(worker: &mut Connection, database: &str) -> Result<()> {
    lock::take(worker, Role::Ddl, database)?;
    worker.query(
        &format!(
            "SET SESSION sql_mode = '', time_zone = '+00:00', foreign_key_checks = 0, lock_wait_timeout = {MYSQL_TARGET_SWAP_WAIT_S}, \
             character_set_client = utf8mb4, character_set_connection = utf8mb4"
        ),
        "setting up a session for a copy",
    )
}

/// Makes the shadow of `source`, without its foreign keys.
///
/// # Errors
/// `Unsupported` and `Refused` when the table cannot be replaced here.
pub(super) fn make(
    worker: &mut Connection,
    database: &str,
    source: Table,
) -> Result<(Shadow, Definition)> {
    if source.system_period.is_some() {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "a MySQL target cannot take in a table WITH SYSTEM VERSIONING afresh: nobody can write its past rows there; copy it \
             with mysqldump",
        )
        .at_table(database, &source.name));
    }
    set_up(worker, database)?;
    refuse_triggers(worker, database, &source.name)?;
    let number = register(worker, database, &source.name)?;
    let shadow = Shadow { source, number };
    let doing = "making a copy's table";
    // A number may come again after a restart of the target, when no copy was left.
    drop_tables(worker, number)?;
    create_table::create_database(worker, database, &shadow.source.collation)?;
    let without_keys = Table {
        foreign_keys: Vec::new(),
        ..shadow.source.clone()
    };
    let sql = if is_as_in_the_source(worker, database, &without_keys)? {
        let like = full_name(database, &shadow.source.name);
        format!("CREATE TABLE {} LIKE {like}", shadow.full_name())
    } else {
        let table = Table {
            name: shadow.name(),
            ..without_keys
        };
        create_table::statement(DATABASE, &table, worker.server.mariadb)
    };
    worker
        .query(&sql, doing)
        .map_err(|error| error.at_table(database, &shadow.source.name))?;
    let made = definition::read(worker, DATABASE, &shadow.name())?.ok_or_else(|| {
        let what = "the target does not show the table just made for a copy";
        Error::new(ErrorKind::Schema, what)
    })?;
    let definition = Definition::of_copy(
        DATABASE,
        &shadow.name(),
        Table {
            name: shadow.source.name.clone(),
            ..made
        },
    );
    Ok((shadow, definition))
}

/// Whether the target's own table is what the source's is, keys into other tables aside: its storage, partitions and comments are
/// then kept.
fn is_as_in_the_source(worker: &mut Connection, database: &str, source: &Table) -> Result<bool> {
    let known = match definition::read(worker, database, &source.name) {
        Err(error) if error.kind() == ErrorKind::Schema => None,
        known => known?,
    };
    let without_keys = known.map(|table| Table {
        foreign_keys: Vec::new(),
        ..table
    });
    Ok(without_keys.as_ref() == Some(source))
}

/// They would not come along.
fn refuse_triggers(worker: &mut Connection, database: &str, table: &str) -> Result<()> {
    let triggers: Vec<String> = worker.select(
        "SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = ? AND EVENT_OBJECT_TABLE = ?",
        vec![database.into(), table.into()],
        "looking for triggers",
    )?;
    let Some(trigger) = triggers.first() else {
        return Ok(());
    };
    Err(Error::new(
        ErrorKind::Refused,
        format!(
            "the target's table has a trigger, `{trigger}`, which would be lost when the table is replaced; drop it there first"
        ),
    )
    .at_table(database, table))
}

fn register(worker: &mut Connection, database: &str, table: &str) -> Result<u64> {
    let doing = "noting a copy";
    worker.execute(
        "INSERT INTO relaylite.copy (source_database, table_name, is_complete) VALUES (?, ?, 0)",
        vec![database.into(), table.into()],
        doing,
    )?;
    let numbers: Vec<u64> = worker.select_text("SELECT LAST_INSERT_ID()", doing)?;
    let missing = || Error::new(ErrorKind::Protocol, "the target gave a copy no number");
    numbers.into_iter().next().ok_or_else(missing)
}

fn drop_tables(worker: &mut Connection, number: u64) -> Result<()> {
    let (copy, former) = (
        in_own_database(&copy_name(number)),
        in_own_database(&former_name(number)),
    );
    worker.query(
        &format!("DROP TABLE IF EXISTS {copy}, {former}"),
        "dropping a copy",
    )
}

fn forget(worker: &mut Connection, number: u64) -> Result<()> {
    drop_tables(worker, number)?;
    worker
        .execute(
            "DELETE FROM relaylite.copy WHERE id = ?",
            vec![Value::UInt(number)],
            "striking out a copy",
        )
        .map(drop)
}

/// Drops a shadow that is of no more use.
pub(super) fn discard(worker: &mut Connection, database: &str, shadow: &Shadow) -> Result<()> {
    set_up(worker, database)?;
    forget(worker, shadow.number)
}

/// Puts the shadow in its table's place. All rows of it must be committed. Waits for readers that keep the table, until `work` is
/// given up.
pub(super) fn swap(
    worker: &mut Connection,
    database: &str,
    shadow: &Shadow,
    work: &WorkInHand,
) -> Result<()> {
    let name = &shadow.source.name;
    set_up(worker, database)?;
    refuse_triggers(worker, database, name)?;
    work.begin(Work::new("replacing by the fresh copy", name));
    let swapped = exchange(worker, database, shadow, work);
    work.end();
    swapped.map_err(|error| error.at_table(database, name))?;
    forget(worker, shadow.number)
}

fn exchange(
    worker: &mut Connection,
    database: &str,
    shadow: &Shadow,
    work: &WorkInHand,
) -> Result<()> {
    let name = &shadow.source.name;
    let (table, copy) = (full_name(database, name), shadow.full_name());
    let has_keys =
        !shadow.source.foreign_keys.is_empty() || takes_part_in_keys(worker, database, name)?;
    failpoints::hit(failpoints::COPY_BEFORE_SWAP);
    let exists = !worker
        .select::<u8>(
            "SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?",
            vec![database.into(), name.as_str().into()],
            "looking for a table",
        )?
        .is_empty();
    if exists && !has_keys {
        let former = in_own_database(&former_name(shadow.number));
        let sql = format!("RENAME TABLE {table} TO {former}, {copy} TO {table}");
        patiently(worker, &sql, name, work)?;
    } else {
        for key in &shadow.source.foreign_keys {
            let key = create_table::foreign_key_in(key, database);
            let sql = format!("ALTER TABLE {copy} ADD {key}");
            patiently(worker, &sql, name, work)?;
        }
        worker.execute(
            "UPDATE relaylite.copy SET is_complete = 1 WHERE id = ?",
            vec![Value::UInt(shadow.number)],
            "noting a copy that is complete",
        )?;
        patiently(worker, &format!("DROP TABLE IF EXISTS {table}"), name, work)?;
        failpoints::hit(failpoints::COPY_HALF_SWAPPED);
        patiently(
            worker,
            &format!("RENAME TABLE {copy} TO {table}"),
            name,
            work,
        )?;
    }
    failpoints::hit(failpoints::COPY_SWAPPED);
    Ok(())
}

/// Whether the target's table has foreign keys, or is the parent of some.
fn takes_part_in_keys(worker: &mut Connection, database: &str, table: &str) -> Result<bool> {
    let keys: Vec<String> = worker.select(
        "SELECT CONSTRAINT_NAME FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE \
         (CONSTRAINT_SCHEMA = ? AND TABLE_NAME = ?) OR (UNIQUE_CONSTRAINT_SCHEMA = ? AND REFERENCED_TABLE_NAME = ?)",
        vec![database.into(), table.into(), database.into(), table.into()],
        "looking for foreign keys",
    )?;
    Ok(!keys.is_empty())
}

/// Runs a statement that needs a table for itself. Others that want the table queue up behind one that waits, so each attempt waits
/// only for a moment.
fn patiently(worker: &mut Connection, sql: &str, table: &str, work: &WorkInHand) -> Result<()> {
    loop {
        match worker.query(sql, "replacing a table by its copy") {
            Err(error) if error.errno() == ER_LOCK_WAIT_TIMEOUT => {
                work.begin(Work::waiting(
                    "waiting for a lock, to replace by the fresh copy",
                    table,
                ));
                work.check()?;
                std::thread::sleep(std::time::Duration::from_secs(
                    MYSQL_TARGET_SWAP_WAIT_S.into(),
                ));
            }
            result => return result,
        }
    }
}

/// What a killed process left of a database's copies goes; a swap that was half done is finished.
pub(super) fn clean_up(
    reader: &mut Connection,
    connect: impl FnOnce() -> Result<Connection>,
    database: &str,
) -> Result<()> {
    let left: Vec<(u64, String, u8)> = reader.select(
        &format!(
            "SELECT id, table_name, is_complete FROM relaylite.copy WHERE source_database = {NAME}"
        ),
        vec![database.into()],
        "looking for unfinished copies",
    )?;
    if left.is_empty() {
        return Ok(());
    }
    let mut worker = connect()?;
    set_up(&mut worker, database)?;
    for (number, table, is_complete) in left {
        if is_complete != 0 && finish(&mut worker, database, &table, number)? {
            tracing::info!(database, table, "a table's copy takes its place");
        }
        forget(&mut worker, number)?;
    }
    worker.close();
    Ok(())
}

/// Gives a table that was dropped for its copy back; true when it was.
fn finish(worker: &mut Connection, database: &str, table: &str, number: u64) -> Result<bool> {
    let copy = copy_name(number);
    let there: Vec<String> = worker.select(
        "SELECT TABLE_NAME FROM information_schema.TABLES WHERE (TABLE_SCHEMA = ? AND TABLE_NAME = ?) OR \
         (TABLE_SCHEMA = 'relaylite' AND TABLE_NAME = ?)",
        vec![database.into(), table.into(), copy.as_str().into()],
        "looking for a copy",
    )?;
    if there != [copy.as_str()] {
        return Ok(false);
    }
    let (copy, table) = (in_own_database(&copy), full_name(database, table));
    worker.query(
        &format!("RENAME TABLE {copy} TO {table}"),
        "giving a table back",
    )?;
    Ok(true)
}
