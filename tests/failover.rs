//! Failover: the source dies, its real replica is promoted, and relaylite goes on there by GTID, with other files and
//! other positions. Nothing is lost, nothing comes twice, and what cannot be right is refused.

mod onto_server;

use relaylite::failpoints;

use crate::support::compare::{self, assert_equal};
use crate::support::fault_proxy::FaultProxy;
use crate::support::random;
use crate::support::relaylite::{Replica, wait_for};
use crate::support::server::{Builder, Flavor, REPL_PASSWORD, REPL_USER, Server};
use crate::support::workload::{self, Load};

on_both!(
    the_promoted_replica_is_followed,
    the_address_moves_under_a_running_replica,
    gaps_tags_domains_and_numbers_out_of_order,
    a_crash_anywhere_in_the_change_is_survived,
    a_server_that_lacks_what_was_received_is_refused,
    a_source_without_gtids_is_not_left,
    received_and_executed_are_kept_apart,
    a_start_inside_a_file_knows_what_was_before,
);

/// A server whose files are called otherwise than those of the other one.
fn builder(flavor: Flavor, server_id: u32, base: &str) -> Builder {
    let builder = Server::builder(flavor)
        .server_id(server_id)
        .arg(format!("--log-bin={base}"));
    match flavor {
        Flavor::MariaDb | Flavor::MariaDb11 => builder.arg("--log-slave-updates=ON"),
        Flavor::MySql => builder,
    }
}

/// Makes `replica` a real replica of `source`.
fn replicate(replica: &Server, source: &Server) {
    let port = source.port();
    replica.exec(&match replica.flavor() {
        Flavor::MariaDb | Flavor::MariaDb11 => format!(
            "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={port}, MASTER_USER='{REPL_USER}', \
             MASTER_PASSWORD='{REPL_PASSWORD}', MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1; START SLAVE"
        ),
        Flavor::MySql => format!(
            "CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT={port}, \
             SOURCE_USER='{REPL_USER}', SOURCE_PASSWORD='{REPL_PASSWORD}', SOURCE_AUTO_POSITION=1, \
             SOURCE_CONNECT_RETRY=1, GET_SOURCE_PUBLIC_KEY=1; START REPLICA"
        ),
    });
}

/// Ends its replication: a server of its own from here on.
fn promote(replica: &Server) {
    replica.exec(match replica.flavor() {
        Flavor::MariaDb | Flavor::MariaDb11 => "STOP SLAVE; RESET SLAVE ALL",
        Flavor::MySql => "STOP REPLICA; RESET REPLICA ALL",
    });
}

fn wait_for_gtids(server: &Server, set: &str) {
    wait_for(&format!("the real replica to have {set}"), || {
        server.gtid_position() == set
    });
}

fn start_pair(flavor: Flavor) -> (Server, Server) {
    let a = builder(flavor, 100, "binlog").start();
    // Files of the same names, other content at each position: what would be mistaken most easily.
    let b = builder(flavor, 200, "binlog").start();
    replicate(&b, &a);
    (a, b)
}

fn the_promoted_replica_is_followed(flavor: Flavor) {
    let (a, mut b) = start_pair(flavor);
    workload::create(&a);
    let mut replica = Replica::of(&a).arg("--connect-retry=1");
    let running = replica.follow();
    let load = Load::start(&a, random::seed(), None);
    load.wait_for_more(150);
    a.exec("FLUSH BINARY LOGS");
    load.wait_for_more(150);
    load.finish();
    let end = a.gtid_position();
    wait_for_gtids(&b, &end);
    replica.wait_for_status("everything received", |status| {
        status.text("Retrieved_Gtid_Set") == end
    });
    // Both sides of the change in one file number: the base names are the same on both servers.
    drop(a);
    promote(&b);
    workload::run(&b, random::seed(), 60);
    b.exec("FLUSH BINARY LOGS");
    workload::run(&b, random::seed() + 1, 60);

    // It notices by itself when the address itself has moved; here the operator says where the new one is.
    running.kill9();
    replica.set_port(b.port());
    let running = replica.follow();
    // By GTID: the positions of the two servers say nothing about each other.
    let status = replica.wait_for_status("everything of the new source", |status| {
        status.text("Executed_Gtid_Set") == b.gtid_position()
    });
    assert_equal(&b, &replica.target_dir());
    assert_eq!(status.text("Retrieved_Gtid_Set"), b.gtid_position());
    assert_eq!(running.sigterm().0, 0);
    assert_checkpoints_at_the_end(&b, &replica);
    // And from the checkpoint there, with new events, after both were restarted.
    b.restart();
    workload::run(&b, random::seed() + 2, 30);
    replica.run_until_caught_up();
    assert_equal(&b, &replica.target_dir());
    assert_checkpoints_at_the_end(&b, &replica);
}

/// Nobody restarts anything but the servers.
fn the_address_moves_under_a_running_replica(flavor: Flavor) {
    let (a, b) = start_pair(flavor);
    workload::create(&a);
    let proxy = FaultProxy::to(a.port());
    let replica = Replica::at_port(proxy.port()).arg("--connect-retry=1");
    let mut running = replica.follow();
    workload::run(&a, random::seed(), 100);
    let end = a.gtid_position();
    wait_for_gtids(&b, &end);
    replica.wait_for_status("everything received", |status| {
        status.text("Retrieved_Gtid_Set") == end
    });
    drop(a);
    promote(&b);
    proxy.move_to(b.port());
    workload::run(&b, random::seed() + 1, 100);
    replica.wait_for_status("everything of the new source", |status| {
        status.text("Executed_Gtid_Set") == b.gtid_position()
    });
    assert_equal(&b, &replica.target_dir());
    assert!(!running.has_exited());
    assert!(
        replica.source_dir().join("binlog.000001").is_file(),
        "the directory of the old source is gone"
    );
    assert_eq!(running.sigterm().0, 0);
    assert_checkpoints_at_the_end(&b, &replica);
}

/// GTIDs as they are after years: the sets are the source's at each end, and replication goes on from them elsewhere.
fn gaps_tags_domains_and_numbers_out_of_order(flavor: Flavor) {
    let (a, b) = start_pair(flavor);
    a.exec("CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY AUTO_INCREMENT, v INT)");
    let insert = "INSERT INTO d.t (v) VALUES (1)";
    let odd = |round: u32| match flavor {
        // Not strict: a lower number of another server comes behind a higher one, and is the last one then. (Each server's
        // own numbers rise: MariaDB itself cannot find its place among others.)
        Flavor::MariaDb | Flavor::MariaDb11 => format!(
            "SET gtid_domain_id = 7; {insert}; {insert}; SET gtid_domain_id = 0; SET gtid_seq_no = {}; {insert}; \
             SET server_id = 33; SET gtid_seq_no = {}; {insert}",
            10_000 + 10 * round,
            4_000 + round
        ),
        Flavor::MySql => {
            let uuid = "5678eb41-e6a5-11f1-a27a-02fc00000001";
            format!(
                "SET gtid_next = '{uuid}:{}'; {insert}; SET gtid_next = '{uuid}:{round}'; {insert}; \
                 SET gtid_next = '{uuid}:tagged:{}'; {insert}; SET gtid_next = 'AUTOMATIC:own'; {insert}; \
                 SET gtid_next = 'AUTOMATIC'",
                50 + round,
                9 - round
            )
        }
    };
    let mut replica = Replica::of(&a);
    for (round, flush) in [(1, "DO 0"), (3, "FLUSH BINARY LOGS"), (5, "DO 0")] {
        replica.run_until_caught_up();
        let status = replica.status();
        assert_eq!(status.text("Executed_Gtid_Set"), a.gtid_position());
        assert_eq!(status.text("Retrieved_Gtid_Set"), a.gtid_position());
        a.exec(&format!("{}; {flush}", odd(round)));
        // In the domain, or of the uuid, that the head of the new file names.
        a.exec(&odd(round + 1));
    }
    replica.run_until_caught_up();
    wait_for_gtids(&b, &a.gtid_position());
    drop(a);
    promote(&b);
    b.exec(insert);
    replica.set_port(b.port());
    replica.run_until_caught_up();
    assert_equal(&b, &replica.target_dir());
    assert_eq!(
        replica.status().text("Executed_Gtid_Set"),
        b.gtid_position()
    );
}

/// Each database's own checkpoint is at the end of the source's binary log.
#[track_caller]
fn assert_checkpoints_at_the_end(server: &Server, replica: &Replica) {
    let (file, pos) = server.position();
    for checkpoint in compare::checkpoints(&replica.target_dir()) {
        assert_eq!(
            (checkpoint.file.as_str(), checkpoint.pos),
            (file.as_str(), pos),
            "checkpoint of {}",
            checkpoint.database
        );
    }
}

/// Killed at each step of the change, with a backlog that is not applied yet and half a transaction at its end; and back
/// again to the first server, whose old files must not be mistaken for what is there now.
fn a_crash_anywhere_in_the_change_is_survived(flavor: Flavor) {
    let (a, b) = start_pair(flavor);
    workload::create(&a);
    workload::run(&a, random::seed(), 200);
    let mut replica = Replica::of(&a).arg("--connect-retry=1");
    replica.run_until_caught_up();
    workload::run(&a, random::seed() + 1, 100);
    wait_for_gtids(&b, &a.gtid_position());
    // Received, and stopped somewhere in applying.
    let hold = replica.relay_dir().join("hold");
    std::fs::write(&hold, "").unwrap();
    let hold_action = format!("hold:{}", hold.display());
    let command = replica.command_with_failpoint(failpoints::LANE_BEFORE_COMMIT, &hold_action);
    let running = replica.spawn(command);
    replica.wait_for_status("everything received", |status| {
        status.text("Retrieved_Gtid_Set") == a.gtid_position()
    });
    running.kill9();
    cut_the_newest_relay_file(&replica);

    promote(&b);
    workload::run(&b, random::seed() + 2, 50);
    replica.set_port(b.port());
    for name in [
        failpoints::LANE_BEFORE_COMMIT,
        failpoints::FAILOVER_DRAINED,
        failpoints::FAILOVER_MARKED,
        failpoints::WATERMARK_STORED,
    ] {
        let command = replica.command_with_failpoint(name, "crash:1");
        let mut running = replica.spawn(command);
        workload::run(&b, random::seed() + 3, 10);
        wait_for(&format!("the crash at {name}"), || running.has_exited());
    }
    replica.run_until_caught_up();
    assert_equal(&b, &replica.target_dir());

    // And back to the first one, which has caught up with what happened meanwhile.
    replicate(&a, &b);
    wait_for_gtids(&a, &b.gtid_position());
    promote(&a);
    workload::run(&a, random::seed() + 4, 50);
    replica.set_port(a.port());
    replica.run_until_caught_up();
    assert_equal(&a, &replica.target_dir());
    assert_checkpoints_at_the_end(&a, &replica);
}

/// Takes the end of the last transaction away, as a connection that broke within it does.
fn cut_the_newest_relay_file(replica: &Replica) {
    let directory = replica.source_dir();
    let index = std::fs::read_to_string(directory.join("relay.index")).unwrap();
    let newest = directory.join(index.lines().last().unwrap());
    let file = std::fs::File::options().write(true).open(newest).unwrap();
    // No transaction ends with an event as small as this.
    file.set_len(file.metadata().unwrap().len() - 10).unwrap();
}

fn a_server_that_lacks_what_was_received_is_refused(flavor: Flavor) {
    let (a, b) = start_pair(flavor);
    a.exec("CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY); INSERT INTO d.t VALUES (1)");
    wait_for_gtids(&b, &a.gtid_position());
    promote(&b);
    // It never gets this one.
    a.exec("INSERT INTO d.t VALUES (2)");
    let mut replica = Replica::of(&a);
    replica.run_until_caught_up();
    let before = compare::checkpoints(&replica.target_dir());
    b.exec("INSERT INTO d.t VALUES (3)");
    replica.set_port(b.port());
    assert_eq!(replica.try_until_caught_up(), 1);
    let running = replica.follow();
    let status = replica.wait_for_status("an error", |status| status.number("Last_IO_Errno") != 0);
    assert_eq!(status.number("Last_IO_Errno"), 1236);
    assert_eq!(status.text("Replica_IO_Running"), "No");
    let error = status.text("Last_IO_Error");
    for part in [
        "is another server now",
        "it lacks transactions",
        "point relaylite at the old source",
    ] {
        assert!(error.contains(part), "{error}");
    }
    drop(running);
    let after = compare::checkpoints(&replica.target_dir());
    assert_eq!(
        format!("{before:?}"),
        format!("{after:?}"),
        "nothing was touched"
    );
    // The cure.
    replica.set_port(a.port());
    a.exec("INSERT INTO d.t VALUES (4)");
    replica.run_until_caught_up();
    assert_equal(&a, &replica.target_dir());
}

fn a_source_without_gtids_is_not_left(flavor: Flavor) {
    // MariaDB always has them: there the other one is a server of its own, with a history of its own.
    let a = builder(flavor, 100, "binlog").gtid_mode(false).start();
    let b = builder(flavor, 200, "binlog").start();
    for server in [&a, &b] {
        server.exec(
            "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY); INSERT INTO d.t VALUES (1)",
        );
    }
    let mut replica = Replica::of(&a);
    replica.run_until_caught_up();
    replica.set_port(b.port());
    assert_eq!(replica.try_until_caught_up(), 1);
    let said = match flavor {
        Flavor::MariaDb | Flavor::MariaDb11 => "it lacks transactions",
        Flavor::MySql => "no GTIDs are known of the old one",
    };
    let log = replica.log();
    assert!(
        log.contains("is another server now") && log.contains(said),
        "{log}"
    );
}

/// What is received counts while nothing is applied, and after a restart; the executed set stands still.
fn received_and_executed_are_kept_apart(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(
        "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY); INSERT INTO d.t VALUES (1)",
    );
    let replica = Replica::of(&server);
    replica.run_until_caught_up();
    let executed = server.gtid_position();
    let status = replica.status();
    assert_eq!(status.text("Executed_Gtid_Set"), executed);
    assert_eq!(status.text("Retrieved_Gtid_Set"), executed);

    let hold = replica.relay_dir().join("hold");
    std::fs::write(&hold, "").unwrap();
    let hold_action = format!("hold:{}", hold.display());
    let command = replica.command_with_failpoint(failpoints::LANE_BEFORE_COMMIT, &hold_action);
    server.exec("INSERT INTO d.t VALUES (2); FLUSH BINARY LOGS; INSERT INTO d.t VALUES (3)");
    let running = replica.spawn(command);
    let received = server.gtid_position();
    let status = replica.wait_for_status("everything received", |status| {
        status.text("Retrieved_Gtid_Set") == received
    });
    assert_eq!(status.text("Executed_Gtid_Set"), executed);
    running.kill9();
    let status = replica.status();
    assert_eq!(
        status.text("Retrieved_Gtid_Set"),
        received,
        "from the files"
    );
    assert_eq!(status.text("Executed_Gtid_Set"), executed);
    replica.run_until_caught_up();
    assert_eq!(replica.status().text("Executed_Gtid_Set"), received);
}

/// The executed set is whole from the first event on, also when replication starts in the middle of a file.
fn a_start_inside_a_file_knows_what_was_before(flavor: Flavor) {
    let (a, b) = start_pair(flavor);
    a.exec("CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY); INSERT INTO d.t VALUES (1)");
    a.exec("FLUSH BINARY LOGS; INSERT INTO d.t VALUES (2); DROP DATABASE d");
    let (file, pos) = a.position();
    a.exec("CREATE DATABASE e; CREATE TABLE e.t (id INT PRIMARY KEY); INSERT INTO e.t VALUES (1)");
    let mut replica = Replica::of(&a).start(format!("{file}:{pos}"));
    replica.run_until_caught_up();
    assert_eq!(
        replica.status().text("Executed_Gtid_Set"),
        a.gtid_position()
    );
    wait_for_gtids(&b, &a.gtid_position());
    drop(a);
    promote(&b);
    b.exec("INSERT INTO e.t VALUES (2)");
    replica.set_port(b.port());
    replica.run_until_caught_up();
    assert_equal(&b, &replica.target_dir());
}
