//! Many binary log files, and numbers of more than six digits: 999999 is followed by 1000000.
//!
//! `RELAYLITE_TEST_FILES` says how many files; what they cost is printed.

use std::fs;
use std::time::Instant;

use crate::support::compare::assert_equal;
use crate::support::random::budget;
use crate::support::relaylite::{Replica, peak_memory_mib, relaylite, wait_for};
use crate::support::server::{Flavor, Server};

on_both!(numbers_beyond_999999, many_files);

const TABLE: &str =
    "CREATE DATABASE d; CREATE TABLE d.t (id INT AUTO_INCREMENT PRIMARY KEY, v INT)";

fn rotate(server: &Server, times: u64) {
    let mut session = server.client();
    for round in 0..times {
        session.exec(&format!(
            "INSERT INTO d.t (v) VALUES ({round}); FLUSH BINARY LOGS"
        ));
    }
}

/// The binlog files in the relay directory.
fn files(replica: &Replica) -> usize {
    let entries = fs::read_dir(replica.source_dir()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("binlog.")).count()
}

fn numbers_beyond_999999(flavor: Flavor) {
    let server = Server::builder(flavor).first_file(999_998).start();
    assert_eq!(server.position().0, "binlog.999998");
    server.exec(TABLE);
    rotate(&server, 1);
    // Half of it, up to a position beyond the turn, with everything kept.
    let keeping = Replica::of(&server).arg("--relay-log-purge=false");
    let running = keeping.follow();
    keeping.wait_until_caught_up(&server);
    running.kill9();
    rotate(&server, 2);
    let (file, pos) = server.position();
    assert_eq!(file, "binlog.1000001");
    rotate(&server, 2);
    let mut command = keeping.run_command();
    command.arg(format!("--until={file}:{pos}"));
    assert_eq!(keeping.spawn(command).wait(), 0, "{}", keeping.log());
    let status = keeping.status();
    assert_eq!(status.text("Relay_Source_Log_File"), file);
    let list = relaylite()
        .args(["relay", "list", "--relay-dir"])
        .arg(keeping.relay_dir())
        .output()
        .unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    let places = [
        "binlog.999998",
        "binlog.999999",
        "binlog.1000000",
        "binlog.1000001",
    ]
    .map(|name| list.find(name));
    assert!(
        places.iter().all(Option::is_some) && places.is_sorted(),
        "{list}"
    );
    keeping.run_until_caught_up();
    assert_equal(&server, &keeping.target_dir());
    // An index that is made again from the files has the same order.
    fs::remove_file(keeping.source_dir().join("relay.index")).unwrap();
    rotate(&server, 1);
    keeping.run_until_caught_up();
    assert_equal(&server, &keeping.target_dir());
    // And with purging: what is left is the newest, not the one that sorts last.
    let purging = Replica::of(&server);
    let running = purging.follow();
    purging.wait_until_caught_up(&server);
    wait_for("only the newest is left", || files(&purging) == 1);
    assert!(purging.source_dir().join(server.position().0).exists());
    drop(running);
    assert_equal(&server, &purging.target_dir());
}

fn many_files(flavor: Flavor) {
    let count = budget("RELAYLITE_TEST_FILES", 120);
    let server = Server::start(flavor);
    server.exec(TABLE);
    rotate(&server, count);
    let (newest, _) = server.position();
    for keeps in [true, false] {
        let replica = Replica::of(&server).arg(format!("--relay-log-purge={}", !keeps));
        let started = Instant::now();
        let running = replica.follow();
        replica.wait_until_caught_up(&server);
        let applied = started.elapsed();
        if keeps {
            assert_eq!(files(&replica) as u64, count + 1);
        } else {
            wait_for("only the newest is left", || files(&replica) == 1);
            assert!(replica.source_dir().join(&newest).exists());
        }
        let peak = peak_memory_mib(running.pid());
        let asked = Instant::now();
        replica.status();
        eprintln!(
            "{count} files, kept: {keeps}: applied in {applied:?}, peak memory {peak} MiB, status in {:?}",
            asked.elapsed()
        );
        assert!(peak <= 96, "peak memory {peak} MiB");
        running.kill9();
        let started = Instant::now();
        replica.run_until_caught_up();
        eprintln!("a restart took {:?}", started.elapsed());
        assert_equal(&server, &replica.target_dir());
    }
}
