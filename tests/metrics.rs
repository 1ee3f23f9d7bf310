//! The metrics of a running process, read over HTTP and compared with its status.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::semi_sync::{semi_sync_server, wait_for_the_client};
use crate::support::process;
use crate::support::relaylite::{Replica, relaylite, wait_for};
use crate::support::server::{Flavor, Server};

on_both!(
    they_are_the_status,
    acknowledgements_are_counted_by_their_latency
);

const TIMEOUT: Duration = Duration::from_secs(20);

/// A name that no label could have as it is.
const ODD: &str = "o\"d\\d";

/// What a server says to `request`, to the end of the connection.
fn ask(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn get(address: &str, path: &str) -> String {
    ask(
        address,
        &format!("GET {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n"),
    )
}

/// Values by name and labels.
fn metrics(address: &str) -> BTreeMap<String, f64> {
    let answer = get(address, "/metrics");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.contains("text/plain; version=0.0.4"), "{head}");
    let lines = body.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        })
        .collect()
}

fn with_metrics(server: &Server) -> (Replica, String) {
    let address = format!("127.0.0.1:{}", process::free_port());
    let replica = Replica::of(server)
        .arg("--connect-retry=1")
        .arg(format!("--metrics-listen={address}"));
    (replica, address)
}

fn they_are_the_status(flavor: Flavor) {
    let mut server = Server::start(flavor);
    let odd = format!("`{ODD}`");
    server.exec(&format!(
        "CREATE DATABASE a; CREATE TABLE a.t (id INT PRIMARY KEY); CREATE DATABASE {odd}; CREATE TABLE {odd}.t LIKE a.t; \
         INSERT INTO a.t VALUES (1), (2), (3); DELETE FROM a.t WHERE id = 2; INSERT INTO {odd}.t VALUES (7)"
    ));
    let (replica, address) = with_metrics(&server);
    let running = replica.follow();
    replica.wait_until_caught_up(&server);
    let read = metrics(&address);
    let status = replica.status();
    for (name, field) in [
        ("relaylite_connections_total", "Connections"),
        ("relaylite_seconds_behind_source", "Seconds_Behind_Source"),
        ("relaylite_behind_source_bytes", "Bytes_Behind_Source"),
        ("relaylite_relay_log_bytes", "Relay_Log_Space"),
        ("relaylite_last_sql_errno", "Last_SQL_Errno"),
    ] {
        assert_eq!(read[name], status.number(field) as f64, "{name}");
    }
    assert_eq!(read["relaylite_receiving"], 1.0);
    assert_eq!(read["relaylite_applying"], 1.0);
    assert_eq!(read[r#"relaylite_row_changes_total{database="a"}"#], 4.0);
    assert_eq!(
        read[r#"relaylite_row_changes_total{database="o\"d\\d"}"#],
        1.0
    );
    assert_eq!(read["relaylite_quarantined_tables"], 0.0);
    assert_eq!(read[r#"relaylite_disk_full{disk="target"}"#], 0.0);
    assert!(
        read.keys()
            .any(|name| name.starts_with("relaylite_info{version=\""))
    );
    // What is not known is not there.
    server.stop();
    wait_for("the end of the connection", || {
        metrics(&address)["relaylite_receiving"] == 0.0
    });
    let read = metrics(&address);
    assert!(!read.contains_key("relaylite_seconds_behind_source"));
    assert_ne!(read["relaylite_last_io_errno"], 0.0);
    drop(running);
}

fn acknowledgements_are_counted_by_their_latency(flavor: Flavor) {
    let server = semi_sync_server(flavor).start();
    let (replica, address) = with_metrics(&server);
    let replica = replica.arg("--semi-sync");
    let running = replica.follow();
    wait_for_the_client(&server);
    server.exec("CREATE DATABASE a; CREATE TABLE a.t (id INT PRIMARY KEY)");
    for id in 0..20 {
        server.exec(&format!("INSERT INTO a.t VALUES ({id})"));
    }
    replica.wait_until_caught_up(&server);
    let read = metrics(&address);
    assert_eq!(read["relaylite_semi_sync"], 1.0);
    let status = replica.status();
    let acks = status.number("Semi_Sync_Acks") as f64;
    assert!(acks >= 20.0);
    assert_eq!(read["relaylite_semi_sync_ack_seconds_count"], acks);
    assert_eq!(
        read[r#"relaylite_semi_sync_ack_seconds_bucket{le="+Inf"}"#],
        acks
    );
    let sum = read["relaylite_semi_sync_ack_seconds_sum"];
    let longest = status.number("Semi_Sync_Ack_Micros_Max") as f64 / 1e6;
    assert!(
        sum > 0.0 && sum <= acks * (longest + 1e-6),
        "{sum} of {acks} times {longest}"
    );
    let events = read["relaylite_semi_sync_acked_events_total"];
    assert_eq!(events, status.number("Semi_Sync_Acked_Events") as f64);
    drop(running);
}

#[test]
fn what_is_no_question_for_metrics_is_answered_and_idle_clients_are_in_nobodys_way() {
    let server = Server::start(Flavor::MariaDb);
    let (replica, address) = with_metrics(&server);
    let running = replica.follow();
    replica.wait_until_caught_up(&server);
    let idle: Vec<_> = (0..8)
        .map(|_| TcpStream::connect(&address).unwrap())
        .collect();
    assert!(get(&address, "/").starts_with("HTTP/1.1 404"));
    let posted =
        "POST /metrics HTTP/1.1\r\nHost: here\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    assert!(ask(&address, posted).starts_with("HTTP/1.1 405"));
    assert!(ask(&address, "\u{1}\u{2}no HTTP at all\r\n\r\n").starts_with("HTTP/1.1 400"));
    let endless = format!("GET /metrics HTTP/1.1\r\nX: {}", "x".repeat(100_000));
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    // Refused while it is being sent, or after.
    let _ = stream.write_all(endless.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"));
    assert_eq!(metrics(&address)["relaylite_receiving"], 1.0);
    // The address is taken: `run` says which setting, and `check` warns.
    let second = Replica::of(&server).arg(format!("--metrics-listen={address}"));
    assert_eq!(second.spawn(second.run_command()).wait(), 2);
    assert!(second.log().contains("metrics_listen"), "{}", second.log());
    let checked = relaylite()
        .args(["check", "--server-id=101", "--source", &server.url()])
        .arg(format!("--metrics-listen={address}"))
        .output()
        .unwrap();
    let checked = String::from_utf8_lossy(&checked.stdout);
    assert!(
        checked.contains(&format!("somebody listens on {address} already")),
        "{checked}"
    );
    drop((idle, running));
}

#[test]
fn an_address_that_is_none_is_refused() {
    let output = relaylite()
        .args(["run", "--source=mysql://r@127.0.0.1:1", "--server-id=7"])
        .arg("--metrics-listen=localhost")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("`metrics_listen` must be ADDRESS:PORT"),
        "{said}"
    );
}
