//! What happens to connections: each fault ends in recovery, or in one clear error that `status` shows; never in silence
//! or in a busy loop.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use relaylite::config::limits::DOUBLE_RETRY_FACTOR;

use crate::support::certificates::Certificates;
use crate::support::compare::assert_equal;
use crate::support::fault_proxy::{Fault, FaultProxy, Way};
use crate::support::random::{self, Random, budget};
use crate::support::relaylite::{Replica, Running, Status, wait_for};
use crate::support::server::{Flavor, REPL_PASSWORD, Server};
use crate::support::workload::{self, Load};

on_both!(
    a_half_open_connection_is_noticed,
    cut_delayed_corrupted_and_silent_connections,
    a_source_that_hangs_up_at_once_is_not_stormed,
    another_replica_took_our_identity,
    the_password_changes_while_connected,
    a_new_password_comes_from_the_password_file,
    a_certificate_expires_and_is_renewed,
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

/// A replica, and then another one with its server id and uuid.
fn doubles(server: &Server) -> ((Replica, Running), (Replica, Running)) {
    let replica = || {
        Replica::of(server)
            .arg("--connect-retry=1")
            .arg("--heartbeat-period=1")
    };
    let first = replica();
    let running_first = first.follow();
    first.wait_until_caught_up(server);
    let second = replica();
    fs::create_dir_all(second.relay_dir()).unwrap();
    fs::copy(
        first.relay_dir().join("replica.uuid"),
        second.relay_dir().join("replica.uuid"),
    )
    .unwrap();
    let running_second = second.follow();
    ((first, running_first), (second, running_second))
}

/// Without that grant MariaDB does not say whether the other one is still there: each comes back after a long while.
#[test]
fn two_that_cannot_know_of_each_other_change_places_seldom() {
    let server = Server::start(Flavor::MariaDb);
    server.exec(TABLE);
    let ((first, running_first), (second, running_second)) = doubles(&server);
    let is_refused = |status: &Status| status.number("Last_IO_Errno") == 4052;
    first.wait_for_status("the error", is_refused);
    let since = Instant::now();
    second.wait_for_status("the older one to come back", is_refused);
    let seconds = u32::try_from(since.elapsed().as_secs()).unwrap();
    assert!(seconds + 3 >= DOUBLE_RETRY_FACTOR, "after {seconds} s");
    running_first.kill9();
    server.exec("INSERT INTO d.t VALUES (2, 'y')");
    second.wait_until_caught_up(&server);
    assert_equal(&server, &second.target_dir());
    drop(running_second);
}

/// The relay directory was copied, so both have the same uuid and server id: the source keeps the newer one, and the older
/// one says why it waits instead of fighting back. When the newer one has gone, it goes on by itself.
fn another_replica_took_our_identity(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(TABLE);
    if flavor.is_mariadb() {
        // What SHOW SLAVE HOSTS needs there.
        server.exec("GRANT REPLICATION MASTER ADMIN ON *.* TO 'repl'@'%'");
    }
    let ((first, running_first), (second, running_second)) = doubles(&server);
    let is_refused = |status: &Status| {
        let error = status.text("Last_IO_Error");
        [1236, 4052].contains(&status.number("Last_IO_Errno"))
            && error.contains("give one of them another server_id")
            && status.text("Replica_IO_Running") == "Connecting"
    };
    first.wait_for_status("the error", is_refused);
    // The newer one works, and keeps working.
    server.exec("INSERT INTO d.t VALUES (2, 'y')");
    second.wait_until_caught_up(&server);
    assert_equal(&server, &second.target_dir());
    // Beyond the time after which the older one looks again.
    let looks_after = Duration::from_secs(u64::from(DOUBLE_RETRY_FACTOR));
    let since = Instant::now();
    while since.elapsed() < looks_after.mul_f64(1.2) {
        let status = first.status();
        assert!(is_refused(&status), "{:#}", status.json);
        thread::sleep(Duration::from_millis(200));
    }
    let status = second.status();
    assert_eq!(status.number("Connections"), 1, "{:#}", status.json);
    assert_eq!(status.text("Replica_IO_Running"), "Yes");
    let said = first.log().matches("receiving was interrupted").count();
    assert!((1..=4).contains(&said), "said {said} times");
    running_second.kill9();
    server.exec("INSERT INTO d.t VALUES (3, 'z')");
    first.wait_until_caught_up(&server);
    assert_equal(&server, &first.target_dir());
    assert_eq!(first.status().number("Last_IO_Errno"), 0);
    drop(running_first);
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

/// The operator changes it at the source, and then in the file: nothing is restarted.
fn a_new_password_comes_from_the_password_file(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(TABLE);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("password");
    fs::write(&file, format!("{REPL_PASSWORD}\n")).unwrap();
    let proxy = FaultProxy::to(server.port());
    let replica = replica_through(&proxy).arg(format!("--password-file={}", file.display()));
    let mut running = replica.follow();
    replica.wait_until_caught_up(&server);
    server.exec("ALTER USER 'repl'@'%' IDENTIFIED BY 'another-one'");
    proxy.cut();
    replica.wait_for_status("access denied", |status| {
        status.number("Last_IO_Errno") == 1045
    });
    fs::remove_file(&file).unwrap();
    let status = replica.wait_for_status("no file", |status| {
        status
            .text("Last_IO_Error")
            .contains("cannot read the password file")
    });
    assert_eq!(status.text("Replica_IO_Running"), "Connecting");
    fs::write(&file, "another-one").unwrap();
    server.exec("INSERT INTO d.t VALUES (2, 'y')");
    replica.wait_until_caught_up(&server);
    assert_equal(&server, &replica.target_dir());
    assert_eq!(replica.status().number("Last_IO_Errno"), 0);
    assert!(
        !replica.log().contains("another-one"),
        "nothing secret is printed"
    );
    assert!(!running.has_exited());
}

/// Connections that stand go on with the old certificate; the next one sees the new one.
fn a_certificate_expires_and_is_renewed(flavor: Flavor) {
    let certificates = Certificates::new();
    let server = certificates.server(flavor, "server");
    let in_use = certificates.path("server.pem");
    let good = fs::read(&in_use).unwrap();
    let reload = match flavor {
        Flavor::MariaDb | Flavor::MariaDb11 => "FLUSH SSL",
        Flavor::MySql => "ALTER INSTANCE RELOAD TLS",
    };
    server.exec(TABLE);
    let proxy = FaultProxy::to(server.port());
    let replica = replica_through(&proxy)
        .arg("--ssl-mode=verify_identity")
        .arg(format!(
            "--ssl-ca={}",
            certificates.path("ca.pem").display()
        ));
    let running = replica.follow();
    replica.wait_until_caught_up(&server);
    // MySQL takes none that is over already.
    let expired = certificates.add_expiring("short", 5);
    fs::copy(certificates.path("short.pem"), &in_use).unwrap();
    server.exec(reload);
    wait_for("the end of its time", || jiff::Timestamp::now() >= expired);
    proxy.cut();
    let status = replica.wait_for_status("a TLS error", |status| {
        status.number("Last_IO_Errno") == 2026
    });
    let error = status.text("Last_IO_Error");
    assert!(error.to_lowercase().contains("expired"), "{error}");
    assert_eq!(status.text("Replica_IO_Running"), "Connecting");
    fs::write(&in_use, good).unwrap();
    server.exec(reload);
    server.exec("INSERT INTO d.t VALUES (2, 'y')");
    replica.wait_until_caught_up(&server);
    assert_equal(&server, &replica.target_dir());
    drop(running);
}
