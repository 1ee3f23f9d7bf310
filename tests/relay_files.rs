//! The relay log holds the source's own bytes, stock tools read it, and damage to it is repaired.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::compare::assert_equal;
use crate::support::random::{self, Random};
use crate::support::relaylite::{Replica, relaylite};
use crate::support::server::{Flavor, Server};
use crate::support::workload;

on_all!(files_are_the_sources_own);
on_both!(
    files_without_checksums,
    a_truncated_file_is_fetched_again,
    a_corrupted_file_is_fetched_again,
);

/// The format description's flags say whether the file is in use, at this offset of a binlog file.
const IN_USE_FLAG_AT: usize = 4 + 17;

fn files_are_the_sources_own(flavor: Flavor) {
    let server = Server::start(flavor);
    let replica = keeping(&server);
    let running = replica.follow();
    workload::create(&server);
    for round in 0..3 {
        workload::run(&server, random::seed() + round, 60);
        server.exec("FLUSH BINARY LOGS");
    }
    replica.wait_until_caught_up(&server);
    assert_equal(&server, &replica.target_dir());
    let closed = assert_closed_files_equal(&server, &replica);
    assert!(closed.len() >= 3, "{closed:?}");
    for path in closed {
        for reader in Flavor::both() {
            assert_stock_tool_reads(reader, flavor, &path);
        }
    }
    assert_eq!(running.sigterm().0, 0);
    let verify = relay_command(&replica, "verify");
    assert!(
        verify.contains(&server.position().0),
        "verify names each file: {verify}"
    );
    let list = relay_command(&replica, "list");
    for (name, _) in server.binlog_files() {
        assert!(list.contains(&name), "list names {name}: {list}");
    }
}

/// MariaDB 11.8 writes a large transaction into a file of its own first, which becomes the next binlog file; its head is
/// padded to what was reserved for it.
#[test]
fn a_large_transaction_that_became_a_file() {
    let server = Server::builder(Flavor::MariaDb11)
        .arg("--binlog-large-commit-threshold=10485760")
        .arg("--max-allowed-packet=64M")
        .start();
    server.exec(
        "CREATE DATABASE d; USE d; CREATE TABLE t (id INT PRIMARY KEY, b LONGBLOB); INSERT INTO t VALUES (0, 'small');
         BEGIN; INSERT INTO t SELECT seq, REPEAT(CHAR(seq + 64), 1000000) FROM seq_1_to_12; UPDATE t SET b = 'x' WHERE id = 3; COMMIT",
    );
    let (file, _) = server.position();
    assert_ne!(
        file, "binlog.000001",
        "the transaction has a file of its own"
    );
    server.exec(
        "INSERT INTO d.t VALUES (100, 'after'); FLUSH BINARY LOGS; DELETE FROM d.t WHERE id = 4",
    );
    let replica = keeping(&server);
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
    assert!(assert_closed_files_equal(&server, &replica).len() > 1);
}

fn files_without_checksums(flavor: Flavor) {
    let server = Server::builder(flavor)
        .arg("--binlog-checksum=NONE")
        .start();
    workload::create(&server);
    workload::run(&server, random::seed(), 60);
    server.exec("FLUSH BINARY LOGS");
    let replica = keeping(&server);
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
    assert_closed_files_equal(&server, &replica);
}

fn a_truncated_file_is_fetched_again(flavor: Flavor) {
    let seed = random::seed();
    let mut random = Random::new(seed, 1000);
    damaged_and_repaired(flavor, seed, |path| {
        let length = fs::metadata(path).unwrap().len();
        let file = File::options().write(true).open(path).unwrap();
        file.set_len(random.range(length / 2..length)).unwrap();
    });
}

fn a_corrupted_file_is_fetched_again(flavor: Flavor) {
    let seed = random::seed();
    let mut random = Random::new(seed, 1000);
    damaged_and_repaired(flavor, seed, |path| {
        let length = fs::metadata(path).unwrap().len();
        let mut file = File::options().read(true).write(true).open(path).unwrap();
        let at = SeekFrom::Start(random.range(length / 2..length));
        let mut byte = [0];
        file.seek(at).unwrap();
        file.read_exact(&mut byte).unwrap();
        file.seek(at).unwrap();
        file.write_all(&[byte[0] ^ 0x5a]).unwrap();
    });
}

/// A replica that keeps all its relay files.
fn keeping(server: &Server) -> Replica {
    Replica::of(server).arg("--relay-log-purge=false")
}

/// Follows a source, is killed, finds the last relay file damaged, and goes on, with nothing to be done by hand.
fn damaged_and_repaired(flavor: Flavor, seed: u64, mut damage: impl FnMut(&Path)) {
    let server = Server::start(flavor);
    workload::create(&server);
    let replica = keeping(&server);
    for round in 0..3 {
        workload::run(&server, seed + round, 40);
        let running = replica.follow();
        replica.wait_for_status("the relay log has some", |status| {
            status.number("Read_Source_Log_Pos") > 1000
        });
        running.kill9();
        damage(&replica.source_dir().join(server.position().0));
    }
    workload::run(&server, seed + 3, 40);
    server.exec("FLUSH BINARY LOGS");
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
    assert_closed_files_equal(&server, &replica);
}

/// Compares all but the last file with the source's; returns the relay files compared.
#[track_caller]
fn assert_closed_files_equal(server: &Server, replica: &Replica) -> Vec<PathBuf> {
    let mut files = server.binlog_files();
    files.pop();
    let path = |name: &str| replica.source_dir().join(name);
    for (name, _) in &files {
        let ours =
            fs::read(path(name)).unwrap_or_else(|error| panic!("relay file {name}: {error}"));
        let theirs = fs::read(server.binlog_path(name)).unwrap();
        assert_same_bytes(name, ours, theirs);
    }
    files.into_iter().map(|(name, _)| path(&name)).collect()
}

#[track_caller]
fn assert_same_bytes(name: &str, mut ours: Vec<u8>, mut theirs: Vec<u8>) {
    let length = u32::from_le_bytes(ours[13..17].try_into().unwrap());
    let format_description_end = 4 + usize::try_from(length).unwrap();
    for bytes in [&mut ours, &mut theirs] {
        bytes[IN_USE_FLAG_AT] &= !1;
        bytes[format_description_end - 4..format_description_end].fill(0);
    }
    let differs = ours.iter().zip(&theirs).position(|(a, b)| a != b);
    assert_eq!(
        differs, None,
        "{name} differs from the source's at this offset"
    );
    assert_eq!(ours.len(), theirs.len(), "length of {name}");
}

/// Each server's own tool reads files of its own kind whole. The other's reads them too, but for what it cannot know.
#[track_caller]
fn assert_stock_tool_reads(tool: Flavor, file_of: Flavor, path: &Path) {
    let output = Command::new(Server::mysqlbinlog_of(tool))
        .arg("--no-defaults")
        .arg("--verify-binlog-checksum")
        .arg(path)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        text.contains("Start: binlog v 4"),
        "{}: {errors}",
        path.display()
    );
    if tool == file_of {
        assert!(output.status.success(), "{}: {errors}", path.display());
        assert!(text.contains("End of log file"), "{}", path.display());
        assert!(text.contains("Table_map: "), "{}", path.display());
    }
}

#[track_caller]
fn relay_command(replica: &Replica, what: &str) -> String {
    let output = relaylite()
        .args(["relay", what, "--relay-dir"])
        .arg(replica.relay_dir())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}
