//! Positions beyond 4 GiB, which the protocol's dump command cannot carry: what is received goes on from the relay log, the
//! connection by GTID, and each file is the source's own in the end.
//!
//! Every day the limit is set lower (`RELAYLITE_TEST_DUMP_OFFSET_MAX`), so that small files are beyond it.
//! `RELAYLITE_TEST_FILE_MIB=4500` makes a file that really is, by one transaction.

use std::fs::{self, File};
use std::io::Read;

use crate::support::compare::assert_equal;
use crate::support::fault_proxy::FaultProxy;
use crate::support::random::{self, budget};
use crate::support::relaylite::{Replica, relaylite, wait_for};
use crate::support::server::{Flavor, Server};
use crate::support::workload::{self, Load};

on_all!(every_connection_begins_beyond_the_limit);
on_both!(
    a_file_beyond_the_limit,
    without_the_relay_log,
    a_first_start_beyond_the_limit,
);

/// Lowers the limit to so many bytes.
const LIMIT: &str = "RELAYLITE_TEST_DUMP_OFFSET_MAX";

/// A replica through a proxy, which keeps its files.
fn replica_through(proxy: &FaultProxy, limit: u64) -> Replica {
    Replica::at_port(proxy.port())
        .arg("--connect-retry=1")
        .arg("--heartbeat-period=1")
        .arg("--relay-log-purge=false")
        .env(LIMIT, limit)
}

/// The connection is cut at random moments, also within large transactions, and the process is killed.
fn every_connection_begins_beyond_the_limit(flavor: Flavor) {
    let seed = random::seed();
    let server = Server::start(flavor);
    workload::create(&server);
    server.exec("CREATE DATABASE big; CREATE TABLE big.t (id INT PRIMARY KEY, body LONGBLOB)");
    let proxy = FaultProxy::to(server.port());
    let replica = replica_through(&proxy, 100);
    let mut running = replica.follow();
    replica.wait_until_caught_up(&server);
    let load = Load::start(&server, seed, None);
    for round in 0..4 {
        let before = replica.status().number("Connections");
        let mut large = "BEGIN;".to_owned();
        for row in 0..6 {
            large.push_str(&format!(
                "INSERT INTO big.t VALUES ({}, REPEAT('x', 1500000));",
                round * 10 + row
            ));
        }
        server.exec(&(large + "COMMIT"));
        load.wait_for_more(10);
        if round == 2 {
            running.kill9();
            running = replica.follow();
        } else {
            proxy.cut();
            replica.wait_for_status("connected again", |status| {
                status.number("Connections") > before && status.text("Replica_IO_Running") == "Yes"
            });
        }
        load.wait_for_more(10);
    }
    load.finish();
    server.exec("FLUSH BINARY LOGS");
    replica.wait_until_caught_up(&server);
    assert!(replica.log().contains("(by GTID)"), "{}", replica.log());
    assert!(!running.has_exited());
    assert_equal(&server, &replica.target_dir());
    assert_closed_files_equal(&server, &replica);
}

/// One transaction makes a file larger than the limit. The process is killed while it is received, then while it is
/// applied, and connections are cut behind it.
fn a_file_beyond_the_limit(flavor: Flavor) {
    const VALUE_MIB: u64 = 4;
    let mib = budget("RELAYLITE_TEST_FILE_MIB", 40);
    let is_real = mib << 20 > u64::from(u32::MAX);
    let limit = if is_real {
        u64::from(u32::MAX)
    } else {
        mib << 19
    };
    // Without GTIDs on MySQL: what comes again begins before the limit.
    let server = Server::builder(flavor)
        .gtid_mode(is_real)
        .arg("--max-allowed-packet=64M")
        .arg("--loose-innodb-log-file-size=1G")
        .arg("--loose-innodb-redo-log-capacity=2G")
        .start();
    server.exec("CREATE DATABASE big; CREATE TABLE big.t (id INT PRIMARY KEY, body LONGBLOB, text LONGTEXT)");
    let proxy = FaultProxy::to(server.port());
    let replica = replica_through(&proxy, limit);
    let mut running = replica.follow();
    server.exec(&format!(
        "INSERT INTO big.t VALUES (1, REPEAT('x', {VALUE_MIB} << 20), 'first')"
    ));
    replica.wait_until_caught_up(&server);
    let (file, _) = server.position();
    let mut sql = "BEGIN;".to_owned();
    for round in 0..=mib / (2 * VALUE_MIB) {
        sql.push_str(&format!(
            "UPDATE big.t SET body = CONCAT(LPAD({round}, 8, '0'), SUBSTRING(body, 9)), text = 'last';"
        ));
    }
    server.exec(&(sql + "COMMIT"));
    wait_for("the relay log is beyond the limit", || {
        let file = fs::metadata(replica.source_dir().join(&file));
        file.is_ok_and(|file| file.len() > limit + (1 << 20))
    });
    running.kill9();
    running = replica.follow();
    let (end_file, end) = server.position();
    replica.wait_for_status("received whole", |status| {
        (
            status.text("Source_Log_File"),
            status.number("Read_Source_Log_Pos"),
        ) == (&end_file, end)
    });
    running.kill9();
    running = replica.follow();
    replica.wait_until_caught_up(&server);
    if is_real || flavor.is_mariadb() {
        for id in 2..5 {
            proxy.cut();
            server.exec(&format!(
                "INSERT INTO big.t VALUES ({id}, NULL, 'behind it')"
            ));
            replica.wait_until_caught_up(&server);
        }
    } else {
        refused_without_gtids(&server, &proxy, &replica);
        return;
    }
    server.exec("FLUSH BINARY LOGS; INSERT INTO big.t VALUES (9, NULL, 'in the next file')");
    replica.wait_until_caught_up(&server);
    running.sigterm();
    let verify = relaylite()
        .args(["relay", "verify", "--relay-dir"])
        .arg(replica.relay_dir())
        .output()
        .unwrap();
    assert!(
        verify.status.success(),
        "{}",
        String::from_utf8_lossy(&verify.stderr)
    );
    assert_equal(&server, &replica.target_dir());
    assert_closed_files_equal(&server, &replica);
    let beyond = server
        .binlog_files()
        .iter()
        .any(|(_, size)| *size > limit + (1 << 20));
    assert!(beyond, "{:?}", server.binlog_files());
}

/// The source has no GTIDs, and the last whole transaction ends beyond the limit.
fn refused_without_gtids(server: &Server, proxy: &FaultProxy, replica: &Replica) {
    proxy.cut();
    server.exec("INSERT INTO big.t VALUES (2, NULL, 'behind it')");
    let refused =
        replica.wait_for_status("refused", |status| status.number("Last_IO_Errno") == 1236);
    let error = refused.text("Last_IO_Error");
    assert!(
        error.contains("32 bits for a position; turn on GTID mode"),
        "{error}"
    );
    assert_eq!(refused.text("Replica_SQL_Running"), "Yes");
}

/// All that was received is gone, and the target's position is beyond the limit.
fn without_the_relay_log(flavor: Flavor) {
    let server = Server::start(flavor);
    workload::create(&server);
    workload::run(&server, random::seed(), 40);
    let replica = Replica::of(&server)
        .arg("--relay-log-purge=false")
        .env(LIMIT, 100);
    replica.run_until_caught_up();
    fs::remove_dir_all(replica.relay_dir()).unwrap();
    workload::run(&server, random::seed() + 1, 40);
    replica.run_until_caught_up();
    assert!(replica.log().contains("(by GTID)"), "{}", replica.log());
    assert_equal(&server, &replica.target_dir());
    let (file, end) = server.position();
    let bytes = fs::metadata(replica.source_dir().join(file)).unwrap().len();
    assert_eq!(bytes, end, "events stand where they stand on the source");
}

fn a_first_start_beyond_the_limit(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec("CREATE DATABASE old; CREATE TABLE old.t (id INT PRIMARY KEY); INSERT INTO old.t VALUES (1)");
    let set = server.gtid_position();
    let (file, pos) = server.position();
    // Where GTIDs say it, nobody can tell where that is in the file.
    let unclear = Replica::of(&server)
        .start(format!("gtid:{set}"))
        .env(LIMIT, 100);
    server.exec("INSERT INTO old.t VALUES (2)");
    assert_eq!(unclear.try_until_caught_up(), 1);
    assert!(
        unclear
            .log()
            .contains(&format!("start at {file}:4, or run FLUSH BINARY LOGS")),
        "{}",
        unclear.log()
    );
    // The present position is known exactly.
    let latest = Replica::of(&server).start("latest").env(LIMIT, 100);
    let running = latest.follow();
    latest.wait_for_status("receiving", |status| {
        status.text("Replica_IO_Running") == "Yes"
    });
    server.exec("CREATE DATABASE new; CREATE TABLE new.t (id INT PRIMARY KEY); INSERT INTO new.t VALUES (1)");
    latest.wait_until_caught_up(&server);
    let bytes = fs::metadata(latest.source_dir().join(&file)).unwrap().len();
    assert_eq!(bytes, server.position().1);
    drop(running);
    let at = Replica::of(&server)
        .start(format!("{file}:{pos}"))
        .env(LIMIT, 100);
    let code = at.try_until_caught_up();
    if flavor.is_mariadb() {
        assert_eq!(code, 1);
        assert!(at.log().contains("beyond 4 GiB"), "{}", at.log());
    } else {
        assert_eq!(code, 0, "{}", at.log());
        let bytes = fs::metadata(at.source_dir().join(&file)).unwrap().len();
        assert_eq!(bytes, server.position().1);
    }
}

/// Compares all but the newest file with the source's, of whatever size.
#[track_caller]
fn assert_closed_files_equal(server: &Server, replica: &Replica) {
    let mut files = server.binlog_files();
    files.pop();
    assert!(!files.is_empty());
    for (name, size) in files {
        let mut ours = File::open(replica.source_dir().join(&name)).unwrap();
        let mut theirs = File::open(server.binlog_path(&name)).unwrap();
        assert_eq!(ours.metadata().unwrap().len(), size, "length of {name}");
        let mut offset = 0;
        loop {
            let (mut one, mut other) = (vec![0; 1 << 20], vec![0; 1 << 20]);
            let read = ours.read(&mut one).unwrap();
            if read == 0 {
                break;
            }
            theirs.read_exact(&mut other[..read]).unwrap();
            if offset == 0 {
                forget_in_use_flag(&mut one);
                forget_in_use_flag(&mut other);
            }
            let differs = one[..read]
                .iter()
                .zip(&other[..read])
                .position(|(a, b)| a != b);
            assert_eq!(
                differs.map(|at| at + offset),
                None,
                "{name} differs from the source's at this offset"
            );
            offset += read;
        }
    }
}

/// The head says whether the source still writes the file, and has a checksum.
fn forget_in_use_flag(head: &mut [u8]) {
    let size = u32::from_le_bytes(head[13..17].try_into().unwrap());
    let end = 4 + usize::try_from(size).unwrap();
    head[4 + 17] &= !1;
    head[end - 4..end].fill(0);
}
