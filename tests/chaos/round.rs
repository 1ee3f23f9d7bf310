//! One round: a source under load, a replica of it, and what goes wrong.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{fs, mem};

use super::damage;
use crate::random_ddl::model::Model;
use crate::support::compare::{self, assert_equal};
use crate::support::fault_proxy::{Fault, FaultProxy, Way};
use crate::support::gate::Gate;
use crate::support::process;
use crate::support::random::Random;
use crate::support::relaylite::{Replica, Running, tail};
use crate::support::server::{Builder, Flavor, Server};
use crate::support::workload::{self, Load};
use crate::xa::work::{self, XaWork};

/// Room for the relay log, or the target, where one of them has a disk of its own.
const DISK_BYTES: u64 = 192 << 20;

/// A disk of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SmallDisk {
    None,
    RelayLog,
    Target,
}

/// What the round's seed has chosen.
#[derive(Debug)]
struct Settings {
    semi_sync: bool,
    gtid_mode: bool,
    tls: bool,
    start: String,
    file_bytes: u64,
    space_limit: u64,
    disk: SmallDisk,
    row_image: &'static str,
    compressed: bool,
}

impl Settings {
    fn new(flavor: Flavor, random: &mut Random) -> Self {
        let gtid_mode = flavor.is_mariadb() || random.percent(75);
        let disk = match random.range(0..4) {
            0 => SmallDisk::RelayLog,
            1 => SmallDisk::Target,
            _ => SmallDisk::None,
        };
        let limits = match disk {
            SmallDisk::RelayLog => [2 << 20, 16 << 20],
            _ => [0, 2 << 20],
        };
        Self {
            semi_sync: random.percent(40),
            gtid_mode,
            tls: flavor == Flavor::MySql && random.percent(50),
            start: if gtid_mode && random.percent(40) {
                "gtid:".to_owned()
            } else {
                "earliest".to_owned()
            },
            file_bytes: [128 << 10, 1 << 20, 8 << 20][random.size(0..3)],
            space_limit: limits[random.size(0..2)],
            disk,
            row_image: random.pick(&["FULL", "FULL", "MINIMAL", "NOBLOB"]),
            compressed: random.percent(25),
        }
    }

    fn server(&self, flavor: Flavor) -> Builder {
        let word = if flavor.is_mariadb() {
            "master"
        } else {
            "source"
        };
        // What the source shows as committed must be in its binary log after a crash, and the other way round.
        let mut builder = Server::builder(flavor)
            .gtid_mode(self.gtid_mode)
            .arg("--innodb-flush-log-at-trx-commit=1")
            .arg("--innodb-doublewrite=ON")
            .arg("--sync-binlog=1")
            .arg(format!("--max-binlog-size={}", self.file_bytes))
            .arg(format!("--binlog-row-image={}", self.row_image));
        if self.semi_sync {
            if flavor == Flavor::MySql {
                builder = builder.arg("--plugin-load-add=semisync_source.so");
            }
            builder = builder
                .arg(format!("--rpl-semi-sync-{word}-enabled=ON"))
                .arg(format!("--rpl-semi-sync-{word}-timeout=400"));
        }
        if self.compressed {
            builder = builder.arg(if flavor.is_mariadb() {
                "--log-bin-compress=ON"
            } else {
                "--binlog-transaction-compression=ON"
            });
        }
        builder
    }

    fn replica(&self, proxy: &FaultProxy) -> Replica {
        let mut replica = Replica::at_port(proxy.port())
            .start(&self.start)
            .arg("--connect-retry=1")
            .arg("--heartbeat-period=1")
            .arg("--replica-net-timeout=3")
            .arg(format!("--relay-log-space-limit={}", self.space_limit))
            .arg(format!(
                "--ssl-mode={}",
                if self.tls { "required" } else { "disabled" }
            ));
        if self.semi_sync {
            replica = replica.arg("--semi-sync");
        }
        let directory = match self.disk {
            SmallDisk::None => return replica,
            SmallDisk::RelayLog => replica.relay_dir(),
            SmallDisk::Target => replica.target_dir(),
        };
        replica.small_disk(directory, DISK_BYTES)
    }
}

/// A round under way.
pub(super) struct Round {
    random: Random,
    settings: Settings,
    server: Server,
    proxy: FaultProxy,
    replica: Replica,
    running: Option<Running>,
    load: Load,
    xa: XaWork,
    ddl: DdlWork,
    gate: Arc<Gate>,
    number: u64,
}

impl Round {
    /// Starts both sides and the load.
    pub(super) fn start(flavor: Flavor, seed: u64) -> Self {
        let mut random = Random::new(seed, 77);
        let settings = Settings::new(flavor, &mut random);
        eprintln!("{}: seed {seed}: {settings:?}", flavor.name());
        let server = settings.server(flavor).start();
        workload::create(&server);
        work::create(&server);
        let proxy = FaultProxy::to(server.port());
        let replica = settings.replica(&proxy);
        let running = Some(replica.follow());
        let gate = Arc::default();
        Self {
            load: Load::start_paced(&server, seed, None, BETWEEN_TRANSACTIONS),
            xa: XaWork::start_between(&server, seed, &gate),
            ddl: DdlWork::start(&server, seed, &gate),
            random,
            settings,
            server,
            proxy,
            replica,
            running,
            gate,
            number: 0,
        }
    }

    /// One fault, which may last into the next one.
    pub(super) fn fault(&mut self) {
        self.number += 1;
        let what = match self.random.range(0..17) {
            0 | 1 => self.kill_the_replica(),
            2 => self.stop_the_replica(),
            3 => self.freeze_the_replica(),
            4 => self.freeze_the_source(),
            5 => self.kill_the_source(),
            6 => self.restart_the_source(),
            7 | 8 => self.cut(),
            9 => self.slow_link(),
            10 => self.silent_link(),
            11 | 12 => self.corrupt(),
            13 => self.flush(),
            14 | 15 => self.damage_the_relay_log(),
            _ => self.fill_the_disk(),
        };
        eprintln!("fault {}: {what}", self.number);
        if self.random.percent(35) {
            self.wait_until_receiving();
        }
        self.pause(0..900);
    }

    fn pause(&mut self, milliseconds: std::ops::Range<u64>) {
        thread::sleep(Duration::from_millis(self.random.range(milliseconds)));
    }

    fn wait_until_receiving(&mut self) {
        self.start_the_replica();
        self.replica.wait_for_status("receiving", |status| {
            status.text("Replica_IO_Running") == "Yes"
        });
    }

    fn start_the_replica(&mut self) {
        if self.running.is_none() {
            self.running = Some(self.replica.follow());
        }
    }

    fn kill_the_replica(&mut self) -> String {
        if let Some(running) = self.running.take() {
            running.kill9();
        }
        if self.random.percent(50) {
            self.pause(0..1_000);
        }
        self.start_the_replica();
        "kill -9 of the replica".to_owned()
    }

    fn stop_the_replica(&mut self) -> String {
        self.terminate();
        self.pause(0..500);
        self.start_the_replica();
        "SIGTERM to the replica".to_owned()
    }

    /// Ends it as an operator would.
    fn terminate(&mut self) {
        if let Some(running) = self.running.take() {
            let (code, _) = running.sigterm();
            assert_eq!(code, 0, "{}", tail(&self.replica.log()));
        }
    }

    fn freeze_the_replica(&mut self) -> String {
        self.start_the_replica();
        let pid = self.running.as_ref().unwrap().pid();
        process::signal(pid, "STOP");
        self.pause(100..4_000);
        process::signal(pid, "CONT");
        "the replica stood still".to_owned()
    }

    fn freeze_the_source(&mut self) -> String {
        self.server.sigstop();
        self.pause(100..5_000);
        self.server.sigcont();
        "the source stood still".to_owned()
    }

    fn kill_the_source(&mut self) -> String {
        let gate = Arc::clone(&self.gate);
        let closed = gate.close();
        self.server.kill9();
        self.pause(0..500);
        self.server.restart();
        drop(closed);
        "kill -9 of the source".to_owned()
    }

    fn restart_the_source(&mut self) -> String {
        let gate = Arc::clone(&self.gate);
        let closed = gate.close();
        // A source that is shut down waits for who does not take its events, as we may not on a full disk.
        self.proxy.cut();
        self.server.restart();
        drop(closed);
        "restart of the source".to_owned()
    }

    fn cut(&mut self) -> String {
        if self.random.percent(30) {
            self.proxy.cut();
            return "the connections were cut".to_owned();
        }
        let bytes = match self.random.range(0..3) {
            0 => self.random.range(1..200),
            1 => self.random.range(1..20_000),
            _ => self.random.range(1..1_000_000),
        };
        self.proxy.cut_after(bytes);
        self.pause(0..800);
        format!("cut after {bytes} bytes")
    }

    fn slow_link(&mut self) -> String {
        self.proxy.set(Fault::Delay);
        self.pause(100..1_500);
        self.proxy.set(Fault::None);
        "a slow link".to_owned()
    }

    fn silent_link(&mut self) -> String {
        self.proxy.set(Fault::Blackhole);
        self.pause(0..4_500);
        let cuts = self.random.percent(50);
        if cuts {
            self.proxy.cut();
        }
        self.proxy.set(Fault::None);
        format!("a silent link, cut: {cuts}")
    }

    fn corrupt(&mut self) -> String {
        let way = if self.random.percent(75) {
            Way::ToReplica
        } else {
            Way::ToSource
        };
        // The same event damaged twice means that the source has it so, and stops.
        self.wait_until_receiving();
        self.proxy.corrupt_next(way, self.random.next_u64());
        self.pause(0..700);
        self.proxy.spare();
        format!("a changed byte {way:?}")
    }

    fn flush(&mut self) -> String {
        let times = self.random.range(1..4);
        for _ in 0..times {
            self.server.exec("FLUSH BINARY LOGS");
        }
        format!("{times} new binlog files")
    }

    /// The directory that holds the relay files, wherever it is seen from here.
    fn relay_files(&self) -> Option<PathBuf> {
        let directory = match self.settings.disk {
            SmallDisk::RelayLog => self.replica.disk().path(),
            _ => self.replica.relay_dir(),
        };
        let entries = fs::read_dir(directory).ok()?;
        let mut paths = entries.map(|entry| entry.unwrap().path());
        paths.find(|path| path.is_dir())
    }

    fn damage_the_relay_log(&mut self) -> String {
        if self.random.percent(50) {
            self.terminate();
        } else if let Some(running) = self.running.take() {
            running.kill9();
        }
        let what = match self.relay_files() {
            Some(directory) => damage::damage(&directory, &mut self.random),
            None => "no relay log yet".to_owned(),
        };
        self.start_the_replica();
        format!("damage while the replica was down: {what}")
    }

    fn fill_the_disk(&mut self) -> String {
        if self.settings.disk == SmallDisk::None {
            return self.kill_the_replica();
        }
        let left = self.random.range(0..300_000);
        self.replica.disk().fill_up_to(left);
        self.pause(300..3_000);
        let killed = self.random.percent(30);
        if killed {
            self.running = None;
            self.start_the_replica();
            self.pause(0..1_000);
        }
        self.replica.disk().make_room();
        format!("a full disk but for {left} bytes, killed meanwhile: {killed}")
    }

    /// All faults are over: nobody does anything any more, and both sides become equal.
    pub(super) fn end(mut self) {
        self.proxy.spare();
        self.start_the_replica();
        self.load.finish();
        self.ddl.finish();
        let prepared = self.xa.finish();
        assert!(prepared > 0);
        let since = Instant::now();
        self.replica.wait_until_caught_up(&self.server);
        let caught_up = since.elapsed();
        self.replica.wait_until_sound();
        eprintln!(
            "caught up after {caught_up:?}, sound after {:?}",
            since.elapsed()
        );
        self.replica.wait_until_caught_up(&self.server);
        let status = self.replica.wait_for_status("no error", |status| {
            status.text("Replica_IO_Running") == "Yes" && status.number("Last_IO_Errno") == 0
        });
        assert_eq!(status.number("Last_SQL_Errno"), 0, "{:#}", status.json);
        if self.settings.gtid_mode {
            let all = self.server.gtid_position();
            self.replica.wait_for_status("all GTIDs", |status| {
                status.text("Executed_Gtid_Set") == all
            });
        }
        let mut running = mem::take(&mut self.running).unwrap();
        assert!(!running.has_exited());
        assert_eq!(running.sigterm().0, 0);
        self.replica.run_until_quiet(&self.server);
        let log = self.replica.log();
        assert!(!log.contains("panicked"), "{}", tail(&log));
        let copy = tempfile::tempdir().unwrap();
        let target = match self.settings.disk {
            SmallDisk::Target => {
                for entry in fs::read_dir(self.replica.disk().path()).unwrap() {
                    let entry = entry.unwrap();
                    fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
                }
                copy.path().to_owned()
            }
            _ => self.replica.target_dir(),
        };
        assert_equal(&self.server, &target);
        let (file, pos) = self.server.position();
        let checkpoints = compare::checkpoints(&target);
        assert!(checkpoints.len() >= workload::DATABASES.len());
        for checkpoint in checkpoints {
            assert_eq!(
                (checkpoint.file.as_str(), checkpoint.pos),
                (file.as_str(), pos),
                "checkpoint of {}",
                checkpoint.database
            );
        }
    }
}

/// A thread that changes tables at random until it is finished.
struct DdlWork {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// Time between two transactions of a session: the replica is to be beside them most of the time, not behind.
const BETWEEN_TRANSACTIONS: Duration = Duration::from_millis(12);

/// Time between two statements: what has to be read afresh takes its time, too.
const BETWEEN_STEPS: Duration = Duration::from_millis(40);

impl DdlWork {
    fn start(server: &Server, seed: u64, gate: &Arc<Gate>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, gate) = (Arc::clone(&stop), Arc::clone(gate));
        let (url, flavor) = (server.root_url(), server.flavor());
        let thread = thread::spawn(move || {
            let entered = gate.enter();
            let mut life = *entered;
            let mut model = Model::at(&url, flavor, Random::new(seed, 78));
            drop(entered);
            while !stopped.load(Ordering::Relaxed) {
                let entered = gate.enter();
                if *entered != life {
                    life = *entered;
                    model.log_in_again(&url);
                }
                model.step();
                drop(entered);
                thread::sleep(BETWEEN_STEPS);
            }
        });
        Self { stop, thread }
    }

    fn finish(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
    }
}
