//! A source that is none, or means harm: whatever it sends at whatever step costs bounded memory, ends in an error that
//! `status` shows, and is not asked again faster than `connect_retry` says. When it is a source again, replication goes on.

mod changed;
mod proxy;

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use changed::Changed;
use proxy::{Attack, HostileProxy, Moment, Plan};
use relaylite::config::source::{DriverKind, SourceConfig, SslMode};
use relaylite::error::ErrorKind;

use crate::decode_never_panics::dump_bytes;
use crate::decode_never_panics::fuzz::events;
use crate::drivers::follower::config;
use crate::random_ddl::model::Model;
use crate::support::compare::assert_equal;
use crate::support::random::{self, Random, budget};
use crate::support::relaylite::{Replica, Running};
use crate::support::server::{Flavor, Server};
use crate::support::workload;

on_both!(
    lies_at_each_step_are_errors,
    lies_cost_bounded_memory_and_no_storm,
    events_that_lie_are_errors,
    changed_events_with_right_checksums_never_panic,
    an_event_above_the_sources_limit_is_waited_out_by_the_operator,
);

/// Memory that a process may take at its peak, whatever its source sends: what one answer may take
/// (`QUERY_RESULT_BYTES_MAX`), the packet under way, and what relaylite has anyway.
const PEAK_KIB_MAX: u64 = 192 << 10;

const TABLE: &str =
    "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY); INSERT INTO d.t VALUES (1)";

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// Connects and asks what has to be known before a dump.
fn connect_and_ask(config: &SourceConfig) -> relaylite::error::Result<()> {
    runtime().block_on(async {
        let mut connection = relaylite::source::connect(config).await?;
        connection.resolve(&"earliest".parse()?).await?;
        connection.quit().await;
        Ok(())
    })
}

/// Each attack at steps of the connections before a dump; `RELAYLITE_TEST_HOSTILE_STEPS` of each (2 by default).
fn lies_at_each_step_are_errors(flavor: Flavor) {
    let mut random = Random::new(random::seed(), 21);
    let server = Server::start(flavor);
    let proxy = HostileProxy::to(server.port());
    let mut config = config(&server, DriverKind::Native);
    config.port = proxy.port();
    config.tls.mode = SslMode::Disabled;
    // A first login may take more packets than the later ones.
    let mut direct = config.clone();
    direct.port = server.port();
    connect_and_ask(&direct).unwrap();
    connect_and_ask(&config).unwrap();
    let steps = proxy.packets();
    assert!(steps > 4, "{steps} packets");
    let tries = budget("RELAYLITE_TEST_HOSTILE_STEPS", 2);
    let start = "earliest".parse().unwrap();
    for attack in Attack::ANSWERS {
        for _ in 0..tries {
            // The last packet says goodbye: nothing is to be answered.
            let plan = Plan {
                at: Moment::Packet(random.range(0..steps)),
                attack,
                random: random.next_u64(),
            };
            proxy.plan(vec![plan]);
            let since = Instant::now();
            // Some of what it asks may stay without an answer; it must end.
            let findings = runtime().block_on(relaylite::source::preflight(&config, Some(&start)));
            assert!(!findings.is_empty(), "{plan:?}");
            let outcome = connect_and_ask(&config);
            let Err(error) = outcome else {
                panic!("{plan:?} was believed");
            };
            assert_ne!(error.kind(), ErrorKind::Internal, "{plan:?}: {error}");
            assert_ne!(error.errno(), 0, "{plan:?}: {error}");
            assert!(error.full_text().len() < 16 << 10, "{plan:?}");
            let took = since.elapsed();
            assert!(took < Duration::from_secs(30), "{plan:?} took {took:?}");
        }
    }
}

/// Events that are received and applied as far as they make sense: an error, or changed values, and never a panic.
/// `RELAYLITE_TEST_HOSTILE_DUMPS` of each attack on events (2 by default).
fn events_that_lie_are_errors(flavor: Flavor) {
    let seed = random::seed();
    let mut random = Random::new(seed, 23);
    let server = Server::start(flavor);
    workload::create(&server);
    workload::run(&server, seed, 60);
    let (file, end) = server.position();
    let proxy = HostileProxy::to(server.port());
    let times = budget("RELAYLITE_TEST_HOSTILE_DUMPS", 2);
    let others = random.pick(&[&Attack::ANSWERS[..9], &Attack::ANSWERS[9..]]);
    for (attacks, times) in [(&Attack::EVENTS[..], times), (others, times / 2)] {
        for attack in attacks
            .iter()
            .copied()
            .cycle()
            .take(attacks.len() * usize::try_from(times).unwrap())
        {
            let plan = Plan {
                at: Moment::Dump,
                attack,
                random: random.next_u64(),
            };
            proxy.plan(vec![plan]);
            let replica = Replica::at_port(proxy.port())
                .arg("--connect-retry=1")
                .arg("--heartbeat-period=1")
                .arg("--replica-net-timeout=3")
                .arg("--on-table-error=stop")
                .arg("--ssl-mode=disabled");
            let mut running = replica.follow();
            let status = replica.wait_for_status(&format!("{plan:?}: an error"), |status| {
                let error = |side: &str| status.number(&format!("Last_{side}_Errno")) != 0;
                let is_through = status.text("Relay_Source_Log_File") == file
                    && status.number("Exec_Source_Log_Pos") >= end;
                error("IO") || error("SQL") || attack == Attack::ChangedEvents && is_through
            });
            let peak = peak_kib(&running);
            assert!(
                peak < PEAK_KIB_MAX,
                "{plan:?}: {peak} KiB: {:#}",
                status.json
            );
            assert!(!running.has_exited(), "{plan:?}");
            assert_eq!(running.sigterm().0, 0, "{plan:?}");
            assert!(
                !replica.log().contains("panicked"),
                "{plan:?}: {}",
                replica.log()
            );
        }
    }
}

/// In the library alone, thousands of them: `RELAYLITE_TEST_HOSTILE_EVENTS` (2,000 by default).
fn changed_events_with_right_checksums_never_panic(flavor: Flavor) {
    let seed = random::seed();
    let server = Server::builder(flavor)
        .arg("--binlog-row-metadata=FULL")
        .start();
    workload::create(&server);
    workload::run(&server, seed, 120);
    let mut model = Model::new(&server, Random::new(seed, 24));
    for _ in 0..60 {
        model.step();
    }
    server.exec("XA START 'x'; INSERT INTO shop.no_key (a) VALUES (9); XA END 'x'; XA PREPARE 'x'; XA COMMIT 'x'");
    let file = fs::read(server.binlog_path(&server.position().0)).unwrap();
    let mut changed = Changed::new(&file, Random::new(seed, 25));
    for at in 0..budget("RELAYLITE_TEST_HOSTILE_EVENTS", 2_000) {
        let bytes = changed.next();
        events::check(&bytes[4..]);
        dump_bytes(&bytes, at % 2 == 0);
    }
}

/// Servers of today lift their limit for a dump, so the answer is ours; the text has the cure, and nothing is asked again
/// until somebody has done it.
fn an_event_above_the_sources_limit_is_waited_out_by_the_operator(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(TABLE);
    let proxy = HostileProxy::to(server.port());
    proxy.plan(vec![Plan {
        at: Moment::Dump,
        attack: Attack::EventTooLarge,
        random: 0,
    }]);
    let replica = Replica::at_port(proxy.port())
        .arg("--connect-retry=1")
        .arg("--ssl-mode=disabled");
    let running = replica.follow();
    let status = replica.wait_for_status("it stopped", |status| {
        status.number("Last_IO_Errno") == 1236 && status.text("Replica_IO_Running") == "No"
    });
    let error = status.text("Last_IO_Error");
    assert!(
        error.contains("SET GLOBAL max_allowed_packet = 1073741824"),
        "{error}"
    );
    assert!(
        error.contains("no server sends an event beyond 1 GiB"),
        "{error}"
    );
    let before = proxy.accepted();
    thread::sleep(Duration::from_secs(3));
    assert_eq!(proxy.accepted(), before, "it asks no more");
    running.kill9();
    server.exec("SET GLOBAL max_allowed_packet = 1073741824");
    proxy.plan(Vec::new());
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
}

/// The most memory that the process had so far, in KiB.
fn peak_kib(running: &Running) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", running.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.unwrap().trim().trim_end_matches(" kB");
    number.parse().unwrap()
}

/// Through the binary; `RELAYLITE_TEST_HOSTILE_SECONDS` (8 by default) says for how long.
fn lies_cost_bounded_memory_and_no_storm(flavor: Flavor) {
    let mut random = Random::new(random::seed(), 22);
    let server = Server::start(flavor);
    server.exec(TABLE);
    let proxy = HostileProxy::to(server.port());
    let replica = Replica::at_port(proxy.port())
        .arg("--connect-retry=1")
        .arg("--heartbeat-period=1")
        .arg("--replica-net-timeout=3")
        .arg("--ssl-mode=disabled");
    let attacks = Attack::ANSWERS.iter();
    let mut plans: Vec<Plan> = attacks
        .flat_map(|attack| [(*attack, 0), (*attack, 1), (*attack, 2)])
        .map(|(attack, region)| Plan {
            at: Moment::Packet([0, random.range(1..3), random.range(3..8)][region]),
            attack,
            random: random.next_u64(),
        })
        .collect();
    for at in (1..plans.len()).rev() {
        plans.swap(at, random.size(0..at + 1));
    }
    proxy.plan(plans);
    let since = Instant::now();
    let mut running = replica.follow();
    let status = replica.wait_for_status("an error", |status| status.number("Last_IO_Errno") != 0);
    assert!(!status.text("Last_IO_Error").is_empty());
    assert_ne!(status.text("Replica_IO_Running"), "Yes");
    let time = Duration::from_secs(budget("RELAYLITE_TEST_HOSTILE_SECONDS", 8));
    let mut peak = 0;
    while since.elapsed() < time {
        thread::sleep(Duration::from_millis(100));
        assert!(!running.has_exited());
        peak = peak_kib(&running).max(peak);
        assert!(peak < PEAK_KIB_MAX, "{peak} KiB");
        if replica.status().text("Replica_IO_Running") == "No" {
            // One clear error that needs somebody: a lie that a real server may say.
            assert_ne!(replica.status().number("Last_IO_Errno"), 0);
            running.kill9();
            running = replica.follow();
        }
    }
    // An attempt is a connection that checks the source, and one that asks for events.
    let (accepted, seconds) = (proxy.accepted(), since.elapsed().as_secs());
    assert!(
        accepted <= 2 * (seconds + 3),
        "{accepted} connections in {seconds} s"
    );
    eprintln!("{accepted} connections in {seconds} s, {peak} KiB at the peak");
    proxy.plan(Vec::new());
    running.kill9();
    let running = replica.follow();
    replica.wait_until_caught_up(&server);
    assert_equal(&server, &replica.target_dir());
    assert_eq!(replica.status().number("Last_IO_Errno"), 0);
    assert!(!replica.log().contains("panicked"));
    drop(running);
}
