//! The same change with a server as the target, where the checkpoint stands in a table of that server.

use relaylite::failpoints;

use super::{promote, replicate, start_pair, wait_for_gtids};
use crate::mysql_target::driver::rows_of;
use crate::support::fault_proxy::FaultProxy;
use crate::support::random;
use crate::support::relaylite::{Replica, wait_for};
use crate::support::server::{Flavor, Server};
use crate::support::workload::{self, Load};

on_both!(
    the_address_moves_to_the_promoted_replica,
    a_crash_anywhere_in_the_change_is_survived,
);

/// Every table of the workload holds the same rows.
#[track_caller]
fn assert_equal(source: &Server, target: &Server) {
    for database in workload::DATABASES {
        let tables = source.query_strings(&format!(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = '{database}' ORDER BY 1"
        ));
        assert!(tables.len() > 5, "tables of {database}");
        for table in tables {
            let table = table[0].as_deref().unwrap();
            assert!(
                rows_of(source, database, table) == rows_of(target, database, table),
                "{database}.{table} differs"
            );
        }
    }
}

fn wait_until_executed(replica: &Replica, server: &Server) {
    let all = server.gtid_position();
    replica.wait_for_status("everything of the source", |status| {
        status.text("Executed_Gtid_Set") == all
    });
}

/// The source is killed under load; nobody restarts relaylite.
fn the_address_moves_to_the_promoted_replica(flavor: Flavor) {
    let (mut a, mut b) = start_pair(flavor);
    let target = Server::builder(flavor).server_id(300).start();
    workload::create(&a);
    let proxy = FaultProxy::to(a.port());
    let replica = Replica::at_port(proxy.port())
        .onto(&target)
        .arg("--connect-retry=1");
    let mut running = replica.follow();
    let load = Load::start(&a, random::seed(), None);
    load.wait_for_more(150);
    a.exec("FLUSH BINARY LOGS");
    load.wait_for_more(100);
    load.finish();
    let end = a.gtid_position();
    wait_for_gtids(&b, &end);
    replica.wait_for_status("everything received", |status| {
        status.text("Retrieved_Gtid_Set") == end
    });
    a.kill9();
    promote(&b);
    workload::run(&b, random::seed() + 1, 60);
    proxy.move_to(b.port());
    workload::run(&b, random::seed() + 2, 60);
    wait_until_executed(&replica, &b);
    assert_equal(&b, &target);
    assert!(!running.has_exited());
    assert_eq!(running.sigterm().0, 0);
    // From the checkpoint there.
    b.restart();
    workload::run(&b, random::seed() + 3, 30);
    replica.run_until_caught_up();
    assert_equal(&b, &target);
}

/// Killed at each step of the change with a backlog, and back again to the first server.
fn a_crash_anywhere_in_the_change_is_survived(flavor: Flavor) {
    let (a, b) = start_pair(flavor);
    let target = Server::builder(flavor).server_id(300).start();
    workload::create(&a);
    let mut replica = Replica::of(&a).onto(&target).arg("--connect-retry=1");
    replica.run_until_caught_up();
    workload::run(&a, random::seed(), 120);
    wait_for_gtids(&b, &a.gtid_position());
    let hold = replica.relay_dir().join("hold");
    std::fs::write(&hold, "").unwrap();
    let action = format!("hold:{}", hold.display());
    let command = replica.command_with_failpoint(failpoints::LANE_BEFORE_COMMIT, &action);
    let running = replica.spawn(command);
    replica.wait_for_status("everything received", |status| {
        status.text("Retrieved_Gtid_Set") == a.gtid_position()
    });
    running.kill9();
    promote(&b);
    workload::run(&b, random::seed() + 1, 40);
    replica.set_port(b.port());
    for name in [
        failpoints::LANE_BEFORE_COMMIT,
        failpoints::LANE_COMMITTED,
        failpoints::FAILOVER_DRAINED,
        failpoints::FAILOVER_MARKED,
        failpoints::WATERMARK_STORED,
    ] {
        let command = replica.command_with_failpoint(name, "crash:1");
        let mut running = replica.spawn(command);
        workload::run(&b, random::seed() + 2, 10);
        wait_for(&format!("the crash at {name}"), || running.has_exited());
    }
    replica.run_until_caught_up();
    assert_equal(&b, &target);
    replicate(&a, &b);
    wait_for_gtids(&a, &b.gtid_position());
    promote(&a);
    workload::run(&a, random::seed() + 4, 40);
    replica.set_port(a.port());
    replica.run_until_caught_up();
    assert_equal(&a, &target);
}
