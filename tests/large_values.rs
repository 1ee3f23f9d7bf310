//! Values whose events are larger than a packet of the protocol, or larger than the target takes.

use crate::support::compare::{assert_database_equal, assert_equal};
use crate::support::relaylite::Replica;
use crate::support::server::{Flavor, Server};

on_both!(
    values_of_many_packets,
    a_row_that_sqlite_does_not_take,
    a_row_that_the_target_server_does_not_take,
);

/// The largest payload of one packet; an event of that size, with its status byte, goes on in the next one.
const PACKET: u64 = 0xff_ffff;

fn server(flavor: Flavor) -> Server {
    let server = Server::builder(flavor)
        .arg("--max-allowed-packet=128M")
        .arg("--loose-innodb-log-file-size=512M")
        .arg("--loose-innodb-redo-log-capacity=1G")
        .start();
    server.exec(
        "CREATE DATABASE big; CREATE TABLE big.t (id INT PRIMARY KEY, body LONGBLOB, text LONGTEXT)",
    );
    server
}

/// The size of the row event of the last statement.
fn row_event_bytes(server: &Server, from: u64) -> u64 {
    let (file, _) = server.position();
    let sql = format!("SHOW BINLOG EVENTS IN '{file}' FROM {from}");
    let events = server.query_strings(&sql);
    let rows = events
        .iter()
        .find(|event| event[2].as_deref().unwrap().starts_with("Write_rows"));
    let number = |column: usize| {
        rows.unwrap()[column]
            .as_ref()
            .unwrap()
            .parse::<u64>()
            .unwrap()
    };
    number(4) - number(1)
}

fn insert(server: &Server, id: u64, length: u64) -> u64 {
    let (_, from) = server.position();
    server.exec(&format!(
        "INSERT INTO big.t VALUES ({id}, REPEAT('y', {length}), NULL)"
    ));
    from
}

fn values_of_many_packets(flavor: Flavor) {
    let server = server(flavor);
    let replica = Replica::of(&server);
    let running = replica.follow();
    server.exec("INSERT INTO big.t VALUES (1, REPEAT('x', 17 << 20), NULL)");
    server.exec("INSERT INTO big.t VALUES (2, NULL, REPEAT('abc\\0', 10 << 20))");
    // Sizes at which the last packet is full, empty, or has one byte, also with the header of semi-synchronous replication.
    let around = insert(&server, 3, 1000);
    let around = row_event_bytes(&server, around) - 1000;
    let sizes = [
        PACKET - 3,
        PACKET - 2,
        PACKET - 1,
        PACKET,
        PACKET + 1,
        2 * PACKET - 1,
    ];
    for (id, size) in (10..).zip(sizes) {
        let from = insert(&server, id, size - around);
        assert_eq!(row_event_bytes(&server, from), size);
    }
    server.exec("UPDATE big.t SET text = 'short' WHERE id = 1");
    replica.wait_until_caught_up(&server);
    assert_equal(&server, &replica.target_dir());
    drop(running);
}

/// SQLite has its own limit, here one that is lowered: the table is set aside, and nothing else stops.
fn a_row_that_sqlite_does_not_take(flavor: Flavor) {
    let server = server(flavor);
    server.exec("CREATE DATABASE other; CREATE TABLE other.t (id INT PRIMARY KEY); CREATE TABLE big.u (id INT PRIMARY KEY, a LONGTEXT)");
    let replica = Replica::of(&server).env("RELAYLITE_TEST_SQLITE_LENGTH_MAX", 2 << 20);
    let running = replica.follow();
    // By one value; by an UPDATE, of two columns together.
    server.exec("INSERT INTO big.t VALUES (1, 'small', 'small'), (2, REPEAT('x', 3 << 20), NULL); INSERT INTO other.t VALUES (1)");
    server.exec("CREATE TABLE big.v (id INT PRIMARY KEY, a LONGTEXT, b LONGTEXT); INSERT INTO big.v VALUES (1, REPEAT('x', 1500000), NULL)");
    server.exec("UPDATE big.v SET b = a; INSERT INTO big.u VALUES (1, 'goes on')");
    replica.wait_until_caught_up(&server);
    let status = replica.status();
    assert_eq!(status.set_aside(), ["big.t", "big.v"]);
    for table in ["big.t", "big.v"] {
        let reason = status.aside(table)["Reason"].as_str().unwrap();
        assert!(
            reason.contains("larger than SQLite's limit, 2147483647 bytes"),
            "{reason}"
        );
    }
    assert_eq!(status.text("Replica_SQL_Running"), "Yes");
    assert_database_equal(&server, &replica.target_dir(), "other");
    // A copy of it does not fit either, and says so.
    let (code, text) = replica.resync(&["big.t"]);
    assert_ne!(code, 0);
    assert!(text.contains("larger than SQLite's limit"), "{text}");
    server.exec("DELETE FROM big.t WHERE id = 2; UPDATE big.v SET b = 'short'");
    let (code, text) = replica.resync(&["big.t", "big.v"]);
    assert_eq!(code, 0, "{text}");
    replica.wait_until_sound();
    replica.wait_until_caught_up(&server);
    drop(running);
    assert_equal(&server, &replica.target_dir());
}

fn a_row_that_the_target_server_does_not_take(flavor: Flavor) {
    let server = server(flavor);
    server.exec("CREATE TABLE big.u (id INT PRIMARY KEY, a LONGTEXT)");
    let target = Server::builder(flavor)
        .server_id(200)
        .arg("--max-allowed-packet=4M")
        .start();
    let replica = Replica::of(&server).onto(&target);
    let running = replica.follow();
    server.exec("INSERT INTO big.t VALUES (1, 'small', 'small'), (2, REPEAT('x', 5 << 20), NULL), (3, NULL, 'small')");
    // Larger than a packet of the protocol, too.
    server.exec("INSERT INTO big.u VALUES (1, 'goes on'); CREATE TABLE big.w (id INT PRIMARY KEY, a LONGTEXT)");
    server.exec("INSERT INTO big.w VALUES (1, REPEAT('x', 20 << 20)); INSERT INTO big.u VALUES (2, 'goes on')");
    replica.wait_until_caught_up(&server);
    let status = replica.status();
    assert_eq!(status.set_aside(), ["big.t", "big.w"]);
    let reason = status.aside("big.t")["Reason"].as_str().unwrap();
    assert!(
        reason.contains("max_allowed_packet is 4194304 bytes"),
        "{reason}"
    );
    let rows = "SELECT id, a FROM big.u ORDER BY id";
    assert_eq!(server.query(rows), target.query(rows));
    drop(running);
}
