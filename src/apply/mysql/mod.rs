//! A MySQL or MariaDB server as the target.
//!
//! Row changes go as prepared statements in multi-row batches, DDL goes in the source's own words, and both leave their
//! checkpoint in the database `relaylite` on the target, in the same transaction as the rows. A source database goes
//! into the target's database of the same name.
//!
//! ```text
//! MysqlTarget ── keeper connection: one relaylite per target, watermark
//!  └ lane ────── session (rows) ─ row_writer ─ batch ─ statement + value
//!      └──────── one more connection for each DDL statement ─ ddl
//! ```
//!
//! # Invariants
//! - One relaylite per target: a user lock that the keeper holds. One session per lane, and one for its DDL: a user lock
//!   each (`lock`).
//! - DDL commits by itself on these servers. Before it a row in `relaylite.ddl` says what is about to run; it goes away
//!   with the checkpoint behind the statement. See `ddl` for what a restart makes of one that is left.
//!
//! # Threading
//! [`MysqlTarget`] is shared; each lane belongs to one thread at a time. All of it blocks.
//!
//! # Durability
//! A COMMIT is durable where the target says so (`innodb_flush_log_at_trx_commit = 1`, and `sync_binlog = 1` where it
//! has a binary log). Where it does not, `make_durable` flushes its logs, which takes the privilege RELOAD.

mod batch;
mod checkpoint;
mod connection;
mod copy;
mod create_table;
mod ddl;
mod definition;
mod lane;
mod lock;
mod quarantine;
mod row_writer;
mod session;
mod shadow;
mod statement;
mod ties;
mod unsure;
mod value;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use connection::{Connection, Connector};
use lane::MysqlLane;
use ties::Ties;

use super::{Lane, Target};
use crate::checkpoint::{Checkpoint, Watermark};
use crate::config::target::MysqlTargetConfig;
use crate::error::{Error, ErrorKind, Result};

/// The user lock of a target.
const TARGET_LOCK: &str = "relaylite";

/// A server that takes the changes.
pub struct MysqlTarget {
    shared: Arc<Shared>,
}

/// What the lanes of one target share.
struct Shared {
    connector: Connector,
    /// The connection that holds the target's lock.
    keeper: Mutex<Option<Connection>>,
    /// Databases that foreign keys tie; `None` until they are read.
    ties: Mutex<Option<Ties>>,
    /// Held while a copy with foreign keys takes its table's place.
    swapping: Mutex<()>,
    /// Counts DDL, so that every lane forgets the definitions it read before.
    generation: AtomicU64,
}

impl MysqlTarget {
    /// Connects, takes the target for this process, and makes relaylite's own tables where there are none. Blocks.
    ///
    /// # Errors
    /// `Network` and `Access` from the login, `Locked` when another relaylite writes to this target, `Access` when
    /// commits are not durable and the privilege to flush the logs is missing.
    pub fn connect(config: &MysqlTargetConfig) -> Result<Self> {
        let shared = Arc::new(Shared {
            connector: Connector::new(config),
            keeper: Mutex::new(None),
            ties: Mutex::new(None),
            swapping: Mutex::new(()),
            generation: AtomicU64::new(0),
        });
        shared.with_keeper(|keeper| {
            make_durable(keeper)?;
            checkpoint::create_tables(keeper)
        })?;
        Ok(Self { shared })
    }
}

impl Target for MysqlTarget {
    fn checkpoints(&self) -> Result<Vec<(String, Checkpoint)>> {
        self.shared.with_keeper(checkpoint::read_all)
    }

    fn watermark(&self) -> Result<Option<Watermark>> {
        self.shared.with_keeper(checkpoint::read_watermark)
    }

    fn set_watermark(&self, watermark: &Watermark) -> Result<()> {
        self.shared.with_keeper(|keeper| {
            checkpoint::write_watermark(keeper, watermark)?;
            make_durable(keeper)
        })
    }

    fn open_lane(&self, database: &str) -> Result<Box<dyn Lane>> {
        if database.eq_ignore_ascii_case(checkpoint::DATABASE) {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "the source has a database named `relaylite`, where a MySQL target keeps its checkpoints; leave it \
                 out with replicate_ignore_db, or rename it on the source",
            ));
        }
        Ok(Box::new(MysqlLane::open(
            Arc::clone(&self.shared),
            database,
        )?))
    }

    fn met_by_ddl(&self, databases: Vec<String>, referred: Vec<String>) -> Result<Vec<String>> {
        self.shared.with_ties(|ties| {
            ties.tie(databases.iter().cloned().chain(referred).collect());
            ties.with_tied(&databases).into_iter().collect()
        })
    }

    fn purge_dropped(&self, watermark: &Checkpoint, is_open: &dyn Fn(&str) -> bool) -> Result<()> {
        let gone = self.shared.with_keeper(checkpoint::read_dropped)?;
        for (database, at) in gone {
            if at.is_behind(watermark) && !is_open(&database) {
                self.shared
                    .with_keeper(|keeper| checkpoint::remove(keeper, &database))?;
            }
        }
        Ok(())
    }
}

impl Shared {
    fn with_ties<T>(&self, work: impl FnOnce(&mut Ties) -> T) -> Result<T> {
        let mut ties = self.ties.lock().unwrap_or_else(PoisonError::into_inner);
        if ties.is_none() {
            *ties = Some(self.with_keeper(Ties::read)?);
        }
        Ok(work(ties.get_or_insert_default()))
    }

    fn connect(&self) -> Result<Connection> {
        self.connector.connect()
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    fn schema_changed(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    fn make_durable(&self) -> Result<()> {
        self.with_keeper(make_durable)
    }

    /// Makes sure that the target is still this process's own.
    fn hold(&self) -> Result<()> {
        self.with_keeper(Connection::ping)
    }

    /// Works with the keeper; a keeper that was lost is replaced once, and its lock taken anew.
    fn with_keeper<T>(&self, work: impl Fn(&mut Connection) -> Result<T>) -> Result<T> {
        let mut slot = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(keeper) = &mut *slot {
            let result = work(keeper);
            if result.is_ok() || !keeper.is_broken() {
                return result;
            }
        }
        let lost = slot.take().map(|keeper| keeper.id());
        let mut keeper = self.connect()?;
        keeper.query(
            "SET SESSION wait_timeout = 31536000",
            "setting up the target's keeper",
        )?;
        take_target(&mut keeper, lost)?;
        let result = work(&mut keeper);
        *slot = Some(keeper);
        result
    }
}

/// Takes the target's lock; `lost` is the connection that held it for this process before.
fn take_target(keeper: &mut Connection, lost: Option<u32>) -> Result<()> {
    let doing = "locking the target";
    let sql = format!("SELECT GET_LOCK('{TARGET_LOCK}', 1), IS_USED_LOCK('{TARGET_LOCK}')");
    for _ in 0..2 {
        let rows: Vec<(Option<u8>, Option<u32>)> = keeper.select_text(&sql, doing)?;
        match rows.first() {
            Some((Some(1), _)) => return Ok(()),
            Some((_, Some(holder))) if lost == Some(*holder) => {
                // Our own, cut off without the server's notice. It may be gone by now.
                let _ = keeper.query(&format!("KILL {holder}"), doing);
            }
            Some((_, Some(holder))) => {
                return Err(Error::new(
                    ErrorKind::Locked,
                    format!(
                        "another relaylite (connection {holder} of the target) writes to this target; stop it, or if \
                         it died with its machine, run KILL {holder} on the target"
                    ),
                ));
            }
            _ => {}
        }
    }
    Err(Error::new(
        ErrorKind::TargetBusy,
        "the target does not give relaylite its lock",
    ))
}

/// Makes all commits so far durable where the target does not do so by itself.
fn make_durable(connection: &mut Connection) -> Result<()> {
    if connection.server.durable_commits {
        return Ok(());
    }
    connection.query("FLUSH ENGINE LOGS", "flushing its logs").map_err(|error| {
        if error.kind() != ErrorKind::Access {
            return error;
        }
        let errno = error.errno();
        Error::new(
            ErrorKind::Access,
            "the target's commits are not durable (innodb_flush_log_at_trx_commit or sync_binlog is not 1) and its \
             user may not flush the logs; set them to 1, or GRANT RELOAD ON *.* to the user",
        )
        .with_errno(errno)
        .with_source(error)
    })
}
