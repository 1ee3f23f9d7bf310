//! The power fails at random moments, and everything that was not synced is gone: what is left goes on, and nothing is lost or
//! comes twice, although the relay log is purged all the time. What this simulates, and what not, is said in `support/power_loss.rs`.

use std::time::Duration;

use crate::support::compare::assert_equal;
use crate::support::power_loss::PowerLoss;
use crate::support::random::{self, Random, budget};
use crate::support::relaylite::Replica;
use crate::support::server::{Flavor, Server};
use crate::support::workload::{self, Load};

on_both!(the_power_fails_at_random_moments);

fn the_power_fails_at_random_moments(flavor: Flavor) {
    let seed = random::seed();
    let mut random = Random::new(seed, 77);
    // Small files, so that many are purged; rows of the target move from its WAL into its file now and then.
    let server = Server::builder(flavor).arg("--max-binlog-size=64K").start();
    workload::create(&server);
    let replica = Replica::of(&server);
    let mut power = PowerLoss::new();
    let load = Load::start(&server, seed, None);
    for _ in 0..budget("RELAYLITE_TEST_POWER_CUTS", 5) {
        let running = replica.spawn(power.command(&replica));
        std::thread::sleep(Duration::from_millis(random.range(50..4_000)));
        running.kill9();
        power.cut(&replica, &mut random);
    }
    load.finish();
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
}

/// The simulation bites: were the databases not synced before the watermark moves, rows would be lost.
#[test]
fn what_nobody_synced_is_gone() {
    let server = Server::start(Flavor::MariaDb);
    server.exec("CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY)");
    for (ignored, rows) in [(None, 3), (Some(".db-wal"), 0)] {
        let replica = Replica::of(&server);
        server.exec("DELETE FROM d.t; INSERT INTO d.t VALUES (1), (2), (3)");
        let mut power = PowerLoss::new();
        if let Some(suffix) = ignored {
            power = power.ignoring(suffix);
        }
        let running = replica.spawn(power.command(&replica));
        let (_, end) = server.position();
        replica.wait_for_status("all is durable", |status| {
            let lanes = status.json["Lanes"].as_array().unwrap();
            lanes
                .first()
                .is_some_and(|lane| lane["Durable_Source_Log_Pos"] == end)
        });
        // Until the watermark says so.
        let watermark = replica.target_dir().join("_relaylite_watermark.json");
        crate::support::relaylite::wait_for("the watermark", || {
            std::fs::read_to_string(&watermark)
                .is_ok_and(|text| text.contains(&format!("\"pos\": {end}")))
        });
        running.kill9();
        power.cut_all(&replica);
        // Not even our own tables may be left.
        let database = rusqlite::Connection::open(replica.target_dir().join("d.db")).unwrap();
        let count = database.query_row("SELECT COUNT(*) FROM t", [], |row| row.get::<_, i64>(0));
        assert_eq!(count.unwrap_or_default(), rows, "{ignored:?}");
    }
}
