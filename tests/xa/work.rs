//! Random XA transactions beside other work, from one seed: prepared by one session, decided by it or by another one, at
//! once or after many others.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::support::gate::Gate;
use crate::support::random::Random;
use crate::support::relaylite::wait_for;
use crate::support::server::{Server, Session};
use crate::support::workload::DATABASES;

/// `XAER_NOTA`: no such xid, or its session is not quite gone yet.
const XAER_NOTA: u16 = 1397;
/// A crash of the source may lose a prepared transaction, which nobody can decide then.
const LOST_AFTER: Duration = Duration::from_secs(10);
/// Prepared transactions that wait at a time, at most.
const PENDING_MAX: usize = 12;

/// Makes a table for XA in each database of the workload.
pub(crate) fn create(server: &Server) {
    for database in DATABASES {
        server.exec(&format!(
            "CREATE TABLE `{database}`.xa (id INT PRIMARY KEY, v VARCHAR(300), b MEDIUMBLOB, n DECIMAL(20,4))"
        ));
    }
}

/// A thread that works until it is finished.
pub(crate) struct XaWork {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<usize>,
}

impl XaWork {
    pub(crate) fn start(server: &Server, seed: u64) -> Self {
        Self::start_between(server, seed, &Arc::default())
    }

    /// As [`Self::start`], with each step behind `gate`: the source restarts between two steps only.
    pub(crate) fn start_between(server: &Server, seed: u64, gate: &Arc<Gate>) -> Self {
        let gate = Arc::clone(gate);
        let stop = Arc::new(AtomicBool::new(false));
        let mut worker = Worker {
            url: server.root_url(),
            random: Random::new(seed, 7),
            session: None,
            free: Vec::new(),
            pending: VecDeque::new(),
            next: 0,
            life: 0,
        };
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || worker.work(&stopped, &gate));
        Self { stop, thread }
    }

    /// Stops it, with what is prepared then decided or left as it is; returns how many were prepared.
    pub(crate) fn finish(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// `ER_LOCK_WAIT_TIMEOUT`.
const LOCK_WAIT_TIMEOUT: u16 = 1205;

/// A row that no prepared transaction holds.
type Row = (usize, u64);

struct Prepared {
    xid: String,
    /// Rows that are there if it is committed.
    committed: Vec<Row>,
    /// Rows that are there if it is rolled back.
    rolled_back: Vec<Row>,
}

struct Worker {
    url: String,
    random: Random,
    session: Option<Session>,
    free: Vec<Row>,
    pending: VecDeque<Prepared>,
    next: u64,
    /// Which life of the source this is, from 0.
    life: u64,
}

impl Worker {
    fn work(&mut self, stop: &AtomicBool, gate: &Gate) -> usize {
        let mut prepared = 0;
        while !stop.load(Ordering::Relaxed) {
            let entered = gate.enter();
            if *entered != self.life {
                (self.life, self.session) = (*entered, None);
            }
            self.prepare();
            prepared += 1;
            // Left alone it can be decided by any session; the session that prepared it can do nothing else before.
            if self.random.percent(40) {
                self.leave();
                if self.pending.len() > PENDING_MAX || self.random.percent(50) {
                    let at = self.random.size(0..self.pending.len());
                    self.decide(at);
                }
            } else {
                self.decide(self.pending.len() - 1);
            }
        }
        self.session = None;
        while self.pending.len() > 2 {
            self.decide(0);
        }
        prepared
    }

    fn session(&mut self) -> &mut Session {
        let url = &self.url;
        self.session
            .get_or_insert_with(|| Session::connect(url).unwrap())
    }

    fn leave(&mut self) {
        if let Some(session) = self.session.take() {
            session.end(self.session());
        }
    }

    fn prepare(&mut self) {
        self.next += 1;
        let number = self.next;
        let xid = match number % 3 {
            0 => format!("'t{}'", number % 50), // used again
            1 => format!("'branch','{number}'"),
            _ => format!("X'00ff27{number:08x}','',{}", number % 7),
        };
        let in_use = |prepared: &Prepared| prepared.xid == xid;
        if let Some(at) = self.pending.iter().position(in_use) {
            self.decide(at);
        }
        let mut statements = vec![format!("XA START {xid}")];
        let (mut committed, mut rolled_back) = (Vec::new(), Vec::new());
        for change in 0..self.random.range(1..6) {
            let (database, id) = (self.random.size(0..DATABASES.len()), number * 10 + change);
            let table = |database: usize| format!("`{}`.xa", DATABASES[database]);
            let blob = match self.random.range(0..20) {
                0 => 700_000,
                1..=5 => 9_000,
                _ => 20,
            };
            let row = self.random.percent(50).then(|| self.take_free()).flatten();
            statements.push(match row {
                None => {
                    committed.push((database, id));
                    format!(
                        "INSERT INTO {} VALUES ({id}, 'row {number}', REPEAT('b', {blob}), {number}.5)",
                        table(database)
                    )
                }
                Some((database, id)) if self.random.percent(30) => {
                    rolled_back.push((database, id));
                    format!("DELETE FROM {} WHERE id = {id}", table(database))
                }
                Some((database, id)) => {
                    committed.push((database, id));
                    rolled_back.push((database, id));
                    format!(
                        "UPDATE {} SET v = 'changed by {number}', b = REPEAT('c', {blob}) WHERE id = {id}",
                        table(database)
                    )
                }
            });
        }
        statements.push(format!("XA END {xid}; XA PREPARE {xid}"));
        let sql = statements.join("; ");
        match self.session().try_exec(&sql) {
            Ok(()) => {}
            // A transaction that a crash of the source brought back as prepared holds one of these rows: without them, then.
            Err(mysql_async::Error::Server(error)) if error.code == LOCK_WAIT_TIMEOUT => {
                self.session()
                    .exec(&format!("XA END {xid}; XA ROLLBACK {xid}"));
                return;
            }
            Err(error) => panic!("{error}\nin: {sql}"),
        }
        self.pending.push_back(Prepared {
            xid,
            committed,
            rolled_back,
        });
    }

    fn take_free(&mut self) -> Option<Row> {
        let len = self.free.len();
        (len > 0).then(|| {
            let at = self.random.size(0..len);
            self.free.swap_remove(at)
        })
    }

    fn decide(&mut self, at: usize) {
        let prepared = self.pending.remove(at).unwrap();
        let commits = self.random.percent(75);
        let word = if commits { "COMMIT" } else { "ROLLBACK" };
        let sql = format!("XA {word} {}", prepared.xid);
        let since = Instant::now();
        let mut is_lost = false;
        wait_for("the prepared transaction", || {
            match self.session().try_exec(&sql) {
                Ok(()) => true,
                Err(mysql_async::Error::Server(error)) if error.code == XAER_NOTA => {
                    is_lost = self.life > 0 && since.elapsed() > LOST_AFTER;
                    is_lost
                }
                Err(error) => panic!("{sql}: {error}"),
            }
        });
        if is_lost {
            eprintln!("the source lost {} in its crash", prepared.xid);
            return;
        }
        self.free.extend(if commits {
            prepared.committed
        } else {
            prepared.rolled_back
        });
    }
}
