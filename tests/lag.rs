//! What `status` says of the lag is true: on an idle source, behind a lock, with wrong clocks, with either side down.

use crate::support::relaylite::{Replica, Status};
use crate::support::server::{Flavor, Server};

on_both!(lag_is_what_it_says, clocks_that_differ_are_no_lag);

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
        !is_null(status, "Lag_Cause") && status.text("Source_Log_File") == server.position().0
    });
    assert_eq!(behind.text("Lag_Cause"), "lock in the target");
    for name in ["Seconds_Behind_Source", "Oldest_Unapplied_Seconds"] {
        let seconds = behind.number(name);
        assert!((1000..1100).contains(&seconds), "{name} {seconds}");
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
        received.number("Seconds_Behind_Source") >= 1000,
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
