//! What `status` says of the lag is true: on an idle source, behind a lock, with wrong clocks, with either side down.

use std::fs;

use crate::support::fault_proxy::{Fault, FaultProxy};
use crate::support::relaylite::{Replica, Status};
use crate::support::server::{Flavor, Server};

on_both!(
    lag_is_what_it_says,
    clocks_that_differ_are_no_lag,
    the_network_is_named,
    work_of_the_applier_is_named,
    a_target_that_makes_no_room_is_named,
);

fn is_null(status: &Status, name: &str) -> bool {
    status.json[name].is_null()
}

fn follow(server: &Server) -> Replica {
    server.exec("CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY)");
    let replica = Replica::of(server)
        .arg("--heartbeat-period=1")
        .arg("--connect-retry=1");
    replica.run_until_caught_up();
    replica
}

/// Holds a database of the target, as a careless reader would.
fn lock(replica: &Replica) -> rusqlite::Connection {
    let lock = rusqlite::Connection::open(replica.target_dir().join("d.db")).unwrap();
    lock.busy_timeout(std::time::Duration::from_secs(60))
        .unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    lock
}

fn lag_is_what_it_says(flavor: Flavor) {
    let mut server = Server::start(flavor);
    let replica = follow(&server);
    let mut running = replica.follow();
    let is_idle = |status: &Status| {
        [
            "Seconds_Behind_Source",
            "Receive_Lag_Seconds",
            "Oldest_Unapplied_Seconds",
            "Bytes_Behind_Source",
        ]
        .iter()
        .all(|name| status.json[*name] == 0)
    };
    let idle = replica.wait_for_status("idle", |status| {
        is_idle(status) && status.number("Count_Received_Heartbeats") > 2
    });
    assert!(is_null(&idle, "Lag_Cause"));
    let locked = lock(&replica);
    // Two files, so that the bytes between are those of both.
    server.exec("SET timestamp = UNIX_TIMESTAMP() - 1000; INSERT INTO d.t VALUES (1)");
    server.exec("FLUSH BINARY LOGS; INSERT INTO d.t VALUES (2)");
    let behind = replica.wait_for_status("behind a lock", |status| {
        // Before that, nobody knows that it is a lock.
        !["", "apply speed"].contains(&status.text("Lag_Cause"))
            && status.text("Source_Log_File") == server.position().0
    });
    assert_eq!(behind.text("Lag_Cause"), "lock in the target");
    for name in ["Seconds_Behind_Source", "Oldest_Unapplied_Seconds"] {
        let seconds = behind.number(name);
        assert!((999..1100).contains(&seconds), "{name} {seconds}");
    }
    let files = server.binlog_files();
    let from = behind.number("Exec_Source_Log_Pos");
    let received = replica
        .wait_for_status("all is received", |status| {
            status.number("Read_Source_Log_Pos") == server.position().1
        })
        .number("Bytes_Behind_Source");
    let all = files[files.len() - 2].1 - from + server.position().1;
    assert_eq!(received, all, "bytes behind, over a file's end");
    let received = replica.wait_for_status("heartbeats say that there is no more", |status| {
        status.json["Receive_Lag_Seconds"] == 0
    });
    assert!(
        received.number("Seconds_Behind_Source") >= 999,
        "that is the target's lag"
    );
    drop(locked);
    replica.wait_for_status("idle again", is_idle);
    server.stop();
    let down = replica.wait_for_status("the source is down", |status| {
        status.text("Replica_IO_Running") == "Connecting"
    });
    assert!(is_null(&down, "Seconds_Behind_Source") && is_null(&down, "Receive_Lag_Seconds"));
    assert_eq!(down.number("Oldest_Unapplied_Seconds"), 0);
    server.restart();
    replica.wait_for_status("and back", is_idle);
    assert!(!running.has_exited());
}

/// A source whose clock is an hour late: what it does now is not an hour old.
fn clocks_that_differ_are_no_lag(flavor: Flavor) {
    let server = Server::builder(flavor)
        .arg("--init-connect=SET timestamp = UNIX_TIMESTAMP() - 3600")
        .start();
    let replica = follow(&server);
    let _running = replica.follow();
    replica.wait_for_status("idle", |status| {
        status.json["Oldest_Unapplied_Seconds"] == 0
    });
    let locked = lock(&replica);
    server.exec("SET timestamp = UNIX_TIMESTAMP() - 3600; INSERT INTO d.t VALUES (1)");
    let behind = replica.wait_for_status("behind a lock", |status| {
        status.number("Oldest_Unapplied_Seconds") >= 2
    });
    assert!(
        behind.number("Seconds_Behind_Source") < 600,
        "{:#}",
        behind.json
    );
    let difference = behind.number("Clock_Difference_Seconds");
    assert!((3598..=3660).contains(&difference), "{difference}");
    drop(locked);
    replica.wait_for_status("applied", |status| {
        status.json["Oldest_Unapplied_Seconds"] == 0
    });
}

/// Waits until `status` names this cause, and checks that the lag is as old as it must be.
#[track_caller]
fn wait_for_cause(replica: &Replica, cause: &str) -> Status {
    let mut seen = Vec::new();
    replica.wait_for_status(&format!("the cause {cause}"), |status| {
        let text = status.text("Lag_Cause").to_owned();
        let is_it = text == cause;
        if !is_it && !text.is_empty() && seen.last() != Some(&text) {
            eprintln!("another cause first: {text}");
            seen.push(text);
        }
        is_it
    })
}

/// A connection that carries little; one that carries nothing any more.
fn the_network_is_named(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(
        "CREATE DATABASE d; CREATE TABLE d.t (id INT AUTO_INCREMENT PRIMARY KEY, body LONGBLOB)",
    );
    let proxy = FaultProxy::to(server.port());
    let replica = Replica::at_port(proxy.port())
        .arg("--heartbeat-period=1")
        .arg("--connect-retry=1");
    let _running = replica.follow();
    replica.wait_until_caught_up(&server);
    proxy.set(Fault::Delay);
    let mut session = server.client();
    for _ in 0..48 {
        session.exec("INSERT INTO d.t (body) VALUES (REPEAT('x', 1 << 20))");
    }
    let slow = wait_for_cause(&replica, "network");
    assert!(slow.number("Receive_Lag_Seconds") >= 2, "{:#}", slow.json);
    proxy.set(Fault::None);
    replica.wait_until_caught_up(&server);
    replica.wait_for_status("no lag", |status| status.json["Seconds_Behind_Source"] == 0);
    proxy.set(Fault::Blackhole);
    let silent = wait_for_cause(&replica, "network");
    assert_eq!(silent.number("Oldest_Unapplied_Seconds"), 0);
    assert!(silent.number("Receive_Lag_Seconds") >= 2);
    proxy.set(Fault::None);
}

/// Everything is received, and the target has work for a while: of each kind by turns.
fn work_of_the_applier_is_named(flavor: Flavor) {
    let server = Server::start(flavor);
    let replica = follow(&server);
    server.exec("CREATE TABLE d.keyless (a INT, b INT); CREATE TABLE d.large (id INT AUTO_INCREMENT PRIMARY KEY, a INT)");
    server.exec("INSERT INTO d.large (a) VALUES (1)");
    server.exec(&"INSERT INTO d.large (a) SELECT a + id FROM d.large;".repeat(16));
    let double = "INSERT INTO d.large (a) SELECT id FROM d.large;".repeat(2);
    let mut fill = "INSERT INTO d.keyless VALUES (1, 1);".to_owned();
    for _ in 0..14 {
        fill.push_str("INSERT INTO d.keyless SELECT a + 1, b FROM d.keyless;");
    }
    server.exec(&fill);
    let _running = replica.follow();
    for (cause, work) in [
        ("apply speed", many_transactions()),
        ("large transaction", format!("BEGIN; {double} COMMIT")),
        (
            "table without a key",
            "UPDATE d.keyless SET b = b + 1".to_owned(),
        ),
    ] {
        replica.wait_until_caught_up(&server);
        let locked = lock(&replica);
        // As old as if it had waited for long; the lock keeps it until all of it is received.
        server.exec(&format!("SET timestamp = UNIX_TIMESTAMP() - 1000; {work}"));
        let (file, end) = server.position();
        replica.wait_for_status("all is received", |status| {
            status.text("Source_Log_File") == file
                && status.number("Read_Source_Log_Pos") == end
                && status.json["Receive_Lag_Seconds"] == 0
        });
        drop(locked);
        let seen = wait_for_cause(&replica, cause);
        let behind = seen.number("Seconds_Behind_Source");
        assert!((999..1200).contains(&behind), "{cause}: {behind}");
    }
    replica.wait_until_caught_up(&server);
}

/// None of them large, and all together some work for the target and little for the source.
fn many_transactions() -> String {
    let insert = "INSERT INTO d.copy (a) SELECT a FROM d.large LIMIT 60000;";
    format!(
        "CREATE TABLE d.copy (id INT AUTO_INCREMENT PRIMARY KEY, a INT); {}",
        insert.repeat(10)
    )
}

/// The relay log may take no more, and the target gives nothing back.
fn a_target_that_makes_no_room_is_named(flavor: Flavor) {
    let server = Server::builder(flavor).arg("--max-binlog-size=1M").start();
    server.exec(
        "CREATE DATABASE d; CREATE TABLE d.t (id INT AUTO_INCREMENT PRIMARY KEY, body LONGBLOB)",
    );
    let replica = Replica::of(&server).arg("--relay-log-space-limit=2000000");
    replica.run_until_caught_up();
    let held = replica.relay_dir().join("held");
    fs::write(&held, "").unwrap();
    let _running = replica.spawn(replica.command_with_failpoint(
        relaylite::failpoints::LANE_BEFORE_COMMIT,
        &format!("hold:{}", held.display()),
    ));
    for _ in 0..8 {
        server.exec("INSERT INTO d.t (body) VALUES (REPEAT('x', 1 << 20))");
    }
    let waiting = wait_for_cause(&replica, "relay log space limit");
    assert!(waiting.number("Relay_Log_Space") >= 2_000_000);
    fs::remove_file(&held).unwrap();
    replica.wait_until_caught_up(&server);
    replica.wait_for_status("no lag", |status| status.json["Seconds_Behind_Source"] == 0);
}
