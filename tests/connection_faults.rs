//! What happens to connections: each fault ends in recovery, or in one clear error that `status` shows; never in silence
//! or in a busy loop.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::compare::assert_equal;
use crate::support::fault_proxy::{Fault, FaultProxy, Way};
use crate::support::random::{self, Random, budget};
use crate::support::relaylite::Replica;
use crate::support::server::{Flavor, REPL_PASSWORD, Server};
use crate::support::workload::{self, Load};

on_both!(
    a_half_open_connection_is_noticed,
    cut_delayed_corrupted_and_silent_connections,
    a_source_that_hangs_up_at_once_is_not_stormed,
    another_replica_took_our_identity,
    the_password_changes_while_connected,
);

const TABLE: &str = "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY, v LONGTEXT); INSERT INTO d.t VALUES (1, 'x')";

/// A replica through a proxy that notices silence within seconds.
fn replica_through(proxy: &FaultProxy) -> Replica {
    Replica::at_port(proxy.port())
        .arg("--connect-retry=1")
        .arg("--heartbeat-period=1")
        .arg("--replica-net-timeout=3")
}

fn wait_until_receiving(replica: &Replica) {
    replica.wait_for_status("receiving", |status| {
        status.text("Replica_IO_Running") == "Yes"
    });
}

fn a_half_open_connection_is_noticed(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(TABLE);
    let proxy = FaultProxy::to(server.port());
    let replica = replica_through(&proxy);
    let running = replica.follow();
    replica.wait_until_caught_up(&server);
    proxy.set(Fault::Blackhole);
    let status = replica.wait_for_status("an error", |status| status.number("Last_IO_Errno") != 0);
    assert_eq!(status.number("Last_IO_Errno"), 2013, "{:#}", status.json);
    let error = status.text("Last_IO_Error");
    assert!(error.contains("sent nothing for 3 s"), "{error}");
    assert_eq!(status.text("Replica_IO_Running"), "Connecting");
    assert!(status.json["Seconds_Behind_Source"].is_null());
    server.exec("INSERT INTO d.t VALUES (2, 'y')");
    proxy.set(Fault::None);
    replica.wait_until_caught_up(&server);
    assert_equal(&server, &replica.target_dir());
    assert_eq!(replica.status().number("Last_IO_Errno"), 0);
    drop(running);
}

/// One fault after the other under load; in the end the data is equal.
fn cut_delayed_corrupted_and_silent_connections(flavor: Flavor) {
    let seed = random::seed();
    let mut random = Random::new(seed, 11);
    let server = Server::start(flavor);
    workload::create(&server);
    let proxy = FaultProxy::to(server.port());
    let replica = replica_through(&proxy);
    let mut running = replica.follow();
    wait_until_receiving(&replica);
    let load = Load::start(&server, seed, None);
    for _ in 0..budget("RELAYLITE_TEST_FAULTS", 8) {
        match random.range(0..4) {
            0 => proxy.cut(),
            1 => proxy.set(Fault::Delay),
            2 => {
                // Within the stream of events: every one of them has a checksum.
                wait_until_receiving(&replica);
                proxy.corrupt_next(Way::ToReplica, random.next_u64());
            }
            _ => {
                proxy.set(Fault::Blackhole);
                thread::sleep(Duration::from_millis(random.range(0..4_500)));
                proxy.cut();
            }
        }
        thread::sleep(Duration::from_millis(random.range(50..700)));
        proxy.set(Fault::None);
        wait_until_receiving(&replica);
    }
    load.finish();
    replica.wait_until_caught_up(&server);
    assert_equal(&server, &replica.target_dir());
    assert!(!running.has_exited());
    assert_eq!(running.sigterm().0, 0);
}

fn a_source_that_hangs_up_at_once_is_not_stormed(flavor: Flavor) {
    let server = Server::start(flavor);
    let proxy = FaultProxy::to(server.port());
    let replica = replica_through(&proxy);
    let running = replica.follow();
    replica.wait_until_caught_up(&server);
    proxy.set(Fault::Refuse);
    proxy.cut();
    let (before, since) = (proxy.accepted(), Instant::now());
    let status = replica.wait_for_status("an error", |status| status.number("Last_IO_Errno") != 0);
    assert_eq!(status.text("Replica_IO_Running"), "Connecting");
    thread::sleep(Duration::from_secs(4));
    let attempts = proxy.accepted() - before;
    let seconds = since.elapsed().as_secs();
    assert!(
        (1..=seconds + 3).contains(&attempts),
        "{attempts} attempts in {seconds} s"
    );
    proxy.set(Fault::None);
    wait_until_receiving(&replica);
    drop(running);
}

/// The relay directory was copied, so both have the same uuid and server id: the source keeps the newer one, and the older
/// one says why it stopped instead of fighting back.
fn another_replica_took_our_identity(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(TABLE);
    let first = Replica::of(&server)
        .arg("--connect-retry=1")
        .arg("--heartbeat-period=1");
    let running_first = first.follow();
    first.wait_until_caught_up(&server);
    let second = Replica::of(&server)
        .arg("--connect-retry=1")
        .arg("--heartbeat-period=1");
    fs::create_dir_all(second.relay_dir()).unwrap();
    fs::copy(
        first.relay_dir().join("replica.uuid"),
        second.relay_dir().join("replica.uuid"),
    )
    .unwrap();
    let running_second = second.follow();
    let status = first.wait_for_status("an error", |status| status.number("Last_IO_Errno") != 0);
    assert_eq!(status.text("Replica_IO_Running"), "No", "it does not fight");
    assert!([1236, 4052].contains(&status.number("Last_IO_Errno")));
    let error = status.text("Last_IO_Error");
    assert!(error.contains("another server_id"), "{error}");
    // The newer one works, and keeps working.
    server.exec("INSERT INTO d.t VALUES (2, 'y')");
    second.wait_until_caught_up(&server);
    assert_equal(&server, &second.target_dir());
    let status = second.status();
    assert_eq!(status.number("Connections"), 1, "{:#}", status.json);
    drop((running_first, running_second));
}

fn the_password_changes_while_connected(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(TABLE);
    let proxy = FaultProxy::to(server.port());
    let replica = replica_through(&proxy);
    let running = replica.follow();
    replica.wait_until_caught_up(&server);
    server.exec("ALTER USER 'repl'@'%' IDENTIFIED BY 'another-one'");
    proxy.cut();
    let status = replica.wait_for_status("access denied", |status| {
        status.number("Last_IO_Errno") == 1045
    });
    assert_eq!(status.text("Replica_IO_Running"), "Connecting");
    let error = status.text("Last_IO_Error");
    assert!(error.contains("check user and password"), "{error}");
    server.exec(&format!(
        "ALTER USER 'repl'@'%' IDENTIFIED BY '{REPL_PASSWORD}'; INSERT INTO d.t VALUES (2, 'y')"
    ));
    replica.wait_until_caught_up(&server);
    assert_equal(&server, &replica.target_dir());
    drop(running);
}
