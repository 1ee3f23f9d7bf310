//! Values whose events are larger than a packet of the protocol.

use crate::support::compare::assert_equal;
use crate::support::relaylite::Replica;
use crate::support::server::{Flavor, Server};

on_both!(values_of_many_packets);

fn values_of_many_packets(flavor: Flavor) {
    let server = Server::builder(flavor)
        .arg("--max-allowed-packet=128M")
        .arg("--loose-innodb-log-file-size=512M")
        .arg("--loose-innodb-redo-log-capacity=1G")
        .start();
    server.exec(
        "CREATE DATABASE big; CREATE TABLE big.t (id INT PRIMARY KEY, body LONGBLOB, text LONGTEXT)",
    );
    let replica = Replica::of(&server);
    let running = replica.follow();
    // 17 MiB; 40 MiB; and the lengths around which a packet is exactly full, where an empty one follows.
    server.exec("INSERT INTO big.t VALUES (1, REPEAT('x', 17 << 20), NULL)");
    server.exec("INSERT INTO big.t VALUES (2, NULL, REPEAT('abc\\0', 10 << 20))");
    for length in (0xff_ffff - 60)..(0xff_ffff - 20) {
        if length % 8 == 0 {
            server.exec(&format!(
                "REPLACE INTO big.t VALUES (3, REPEAT('y', {length}), 'end')"
            ));
        }
    }
    server.exec("UPDATE big.t SET text = 'short' WHERE id = 1");
    replica.wait_until_caught_up(&server);
    assert_equal(&server, &replica.target_dir());
    drop(running);
    let again = Replica::of(&server);
    again.run_until_caught_up();
    assert_equal(&server, &again.target_dir());
}
