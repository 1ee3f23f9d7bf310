//! Where replication starts when there is no checkpoint.

use crate::support::compare::{assert_database_equal, assert_equal};
use crate::support::relaylite::Replica;
use crate::support::server::{Flavor, Server};

on_both!(
    from_file_and_position,
    from_gtid,
    from_latest,
    a_checkpoint_wins_over_start,
    until_a_position,
);

const BEFORE: &str =
    "CREATE DATABASE old; CREATE TABLE old.t (id INT PRIMARY KEY); INSERT INTO old.t VALUES (1)";
const AFTER: &str = "CREATE DATABASE new; CREATE TABLE new.t (id INT PRIMARY KEY, v VARCHAR(9)); \
                     INSERT INTO new.t VALUES (1, 'a'), (2, 'b')";

fn from_file_and_position(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(BEFORE);
    let (file, pos) = server.position();
    server.exec(AFTER);
    let replica = Replica::of(&server).start(format!("{file}:{pos}"));
    replica.run_until_caught_up();
    assert_only_new(&server, &replica);
    // The relay file has the source's offsets although it began inside the file.
    let relay_file = replica.source_dir().join(&file);
    assert_eq!(
        std::fs::metadata(relay_file).unwrap().len(),
        server.position().1
    );
}

fn from_gtid(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(BEFORE);
    let gtid = server.gtid_position();
    server.exec("FLUSH BINARY LOGS");
    server.exec(AFTER);
    let replica = Replica::of(&server).start(format!("gtid:{gtid}"));
    replica.run_until_caught_up();
    assert_only_new(&server, &replica);
    server.exec("INSERT INTO new.t VALUES (3, 'c')");
    replica.run_until_caught_up();
    assert_only_new(&server, &replica);
}

fn from_latest(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(BEFORE);
    let replica = Replica::of(&server).start("latest");
    let running = replica.follow();
    replica.wait_for_status("connected", |status| {
        status.text("Replica_IO_Running") == "Yes"
    });
    server.exec(AFTER);
    replica.wait_until_caught_up(&server);
    assert_only_new(&server, &replica);
    drop(running);
}

fn a_checkpoint_wins_over_start(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(BEFORE);
    let mut replica = Replica::of(&server);
    replica.run_until_caught_up();
    server.exec(AFTER);
    replica.set_start("latest");
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
}

fn until_a_position(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(BEFORE);
    let (file, pos) = server.position();
    server.exec(AFTER);
    let replica = Replica::of(&server);
    let mut command = replica.run_command();
    command.arg(format!("--until={file}:{pos}"));
    assert_eq!(replica.spawn(command).wait(), 0);
    assert_database_equal(&server, &replica.target_dir(), "old");
    assert!(!replica.target_dir().join("new.db").exists());
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
}

#[track_caller]
fn assert_only_new(server: &Server, replica: &Replica) {
    assert_database_equal(server, &replica.target_dir(), "new");
    assert!(
        !replica.target_dir().join("old.db").exists(),
        "nothing from before the start"
    );
}
