//! Random work for a source: several sessions, databases, kinds of tables and of transactions, from one seed.
//!
//! What each session sends comes from the seed alone; how the server interleaves the sessions does not. Deadlocks and
//! lock timeouts are rolled back and passed over, and a session whose server goes away logs in again.

mod statements;
mod tables;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::random::{Random, budget};
use super::relaylite::{wait_for, wait_timeout};
use super::server::{Server, Session};

const SESSIONS: u64 = 4;
const RECONNECT_INTERVAL: Duration = Duration::from_millis(100);

/// Errors of a single statement that random work may have: duplicate key, deadlock, lock wait timeout, and `MySQL`'s
/// and `MariaDB`'s ways to say that a row changed under a snapshot.
const HARMLESS: [u16; 4] = [1062, 1213, 1205, 1020];

/// The databases that the work touches. One name needs an encoded file name.
pub(crate) const DATABASES: [&str; 4] = ["shop", "stock", "staff", "käse & co"];

/// Transactions of one test, by all sessions together; `RELAYLITE_TEST_TRANSACTIONS` asks for more.
pub(crate) fn transactions(default: u64) -> u64 {
    budget("RELAYLITE_TEST_TRANSACTIONS", default)
}

/// Makes the databases and their tables.
#[track_caller]
pub(crate) fn create(server: &Server) {
    let mut session = server.client();
    for database in DATABASES {
        session.exec(&tables::create(database));
    }
}

/// Does `transactions` random transactions and returns.
#[track_caller]
pub(crate) fn run(server: &Server, seed: u64, transactions: u64) {
    Load::start(server, seed, Some(transactions)).finish();
}

/// Sessions that write until they have done their number of transactions, or are stopped.
#[derive(Debug)]
pub(crate) struct Load {
    shared: Arc<Shared>,
    sessions: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    url: String,
    stop: AtomicBool,
    done: AtomicU64,
    limit: Option<u64>,
    pause: Duration,
}

impl Load {
    /// Starts writing; without `limit` until [`Self::finish`].
    pub(crate) fn start(server: &Server, seed: u64, limit: Option<u64>) -> Self {
        Self::start_paced(server, seed, limit, Duration::ZERO)
    }

    /// As [`Self::start`], with a pause between two transactions of a session.
    pub(crate) fn start_paced(
        server: &Server,
        seed: u64,
        limit: Option<u64>,
        pause: Duration,
    ) -> Self {
        let shared = Arc::new(Shared {
            url: server.root_url(),
            stop: AtomicBool::new(false),
            done: AtomicU64::new(0),
            limit,
            pause,
        });
        let session = |stream| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || write(&shared, Random::new(seed, stream)))
        };
        let sessions = (0..SESSIONS).map(session).collect();
        Self { shared, sessions }
    }

    /// Transactions that were sent so far.
    pub(crate) fn done(&self) -> u64 {
        self.shared.done.load(Ordering::Relaxed)
    }

    /// Waits until so many more transactions were sent, or all of the limit.
    #[track_caller]
    pub(crate) fn wait_for_more(&self, transactions: u64) {
        let goal = self.done() + transactions;
        let goal = self.shared.limit.map_or(goal, |limit| goal.min(limit));
        wait_for("random transactions", || {
            self.done() >= goal || self.failed()
        });
    }

    fn failed(&self) -> bool {
        self.sessions.iter().any(JoinHandle::is_finished)
    }

    /// Stops the sessions (those with a limit reach it first) and fails if one of them did.
    #[track_caller]
    pub(crate) fn finish(mut self) {
        if self.shared.limit.is_none() {
            self.shared.stop.store(true, Ordering::Relaxed);
        }
        for session in self.sessions.drain(..) {
            if let Err(panic) = session.join() {
                std::panic::resume_unwind(panic);
            }
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}

/// One session's life.
fn write(shared: &Shared, mut random: Random) {
    let mut session = connect(shared);
    while !shared.stop.load(Ordering::Relaxed) {
        let number = shared.done.fetch_add(1, Ordering::Relaxed);
        if shared.limit.is_some_and(|limit| number >= limit) {
            return;
        }
        let statements = statements::transaction(&mut random);
        let Some(current) = &mut session else {
            return;
        };
        match send(current, &statements) {
            Outcome::Done => std::thread::sleep(shared.pause),
            Outcome::ConnectionLost => session = connect(shared),
        }
    }
}

enum Outcome {
    Done,
    ConnectionLost,
}

fn send(session: &mut Session, statements: &[String]) -> Outcome {
    for statement in statements {
        match session.try_exec(statement) {
            Ok(()) => {}
            Err(mysql_async::Error::Server(error)) if HARMLESS.contains(&error.code) => {
                // After a deadlock the rest of the transaction would be one of its own.
                return match session.try_exec("ROLLBACK") {
                    Ok(()) => Outcome::Done,
                    Err(_) => Outcome::ConnectionLost,
                };
            }
            // 1053: server shutdown in progress; 1927: killed by it; 3100: a semi-synchronous source that ends.
            Err(mysql_async::Error::Server(error)) if ![1053, 1927, 3100].contains(&error.code) => {
                let shown: String = statement.chars().take(500).collect();
                panic!("{error}\nin: {shown}");
            }
            Err(_) => return Outcome::ConnectionLost,
        }
    }
    Outcome::Done
}

/// Logs in, also while the server restarts; `None` when the work was stopped meanwhile.
fn connect(shared: &Shared) -> Option<Session> {
    let deadline = Instant::now() + wait_timeout();
    while !shared.stop.load(Ordering::Relaxed) {
        let session = Session::connect(&shared.url).and_then(|mut session| {
            session.try_exec(
                "SET SESSION innodb_lock_wait_timeout = 1, time_zone = '+05:30',
                 sql_mode = 'ALLOW_INVALID_DATES'",
            )?;
            Ok(session)
        });
        match session {
            Ok(session) => return Some(session),
            Err(error) => assert!(Instant::now() < deadline, "the server stays away: {error}"),
        }
        std::thread::sleep(RECONNECT_INTERVAL);
    }
    None
}
