//! The test servers themselves: both flavors start, keep their data over restarts, and say where their binary log is.

use std::io::Read;
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use crate::support::server::{Flavor, Server, Session};

#[test]
fn start_write_read_restart() {
    for flavor in Flavor::both() {
        let mut server = Server::start(flavor);
        let before = server.position();
        server.exec(
            "CREATE DATABASE shop; CREATE TABLE shop.item (id INT PRIMARY KEY, name VARCHAR(20));
             INSERT INTO shop.item VALUES (1, 'käse'), (2, NULL)",
        );
        let after = server.position();
        assert_eq!(before.0, after.0);
        assert!(after.1 > before.1);
        assert_eq!(server.binlog_files().last(), Some(&after));

        let port = server.port();
        server.restart();
        assert_eq!(server.port(), port);
        let rows = server.query_strings("SELECT * FROM shop.item ORDER BY id");
        let text = |value: &str| Some(value.to_owned());
        assert_eq!(rows, [[text("1"), text("käse")], [text("2"), None]]);
        assert_ne!(
            server.position().0,
            after.0,
            "a restart opens a new binary log file"
        );

        server.kill9();
        server.restart();
        assert_eq!(server.query("SELECT id FROM shop.item").len(), 2);
        assert_ne!(server.gtid_position(), "");
    }
}

#[test]
fn replication_user_logs_in_and_its_position_is_visible() {
    for flavor in Flavor::both() {
        let server = Server::start(flavor);
        let mut session = Session::connect(&server.url()).unwrap();
        let files = session.query_strings("SHOW BINARY LOGS");
        assert_eq!(files[0][0].as_deref(), Some("binlog.000001"));
        assert!(session.try_exec("CREATE DATABASE forbidden").is_err());
        assert!(
            !session
                .query("SELECT table_name FROM information_schema.tables")
                .is_empty()
        );
    }
}

#[test]
fn options_server_id_and_sessions() {
    for flavor in Flavor::both() {
        let server = Server::builder(flavor)
            .server_id(7)
            .gtid_mode(false)
            .arg("--binlog-row-image=MINIMAL")
            .start();
        let rows = server.query_strings("SELECT @@server_id, @@binlog_row_image");
        assert_eq!(rows, [[Some("7".to_owned()), Some("MINIMAL".to_owned())]]);

        server.exec("CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY)");
        let mut session = server.client();
        session.exec("BEGIN; INSERT INTO d.t VALUES (1)");
        assert!(server.query("SELECT * FROM d.t").is_empty());
        session.exec("COMMIT");
        assert_eq!(server.query("SELECT * FROM d.t").len(), 1);
        assert!(
            session
                .try_exec("SELECT 1; SELECT nonsense; SELECT 2")
                .is_err()
        );
    }
}

#[test]
fn two_servers_of_a_flavor_have_different_uuids() {
    let uuids = [Server::start(Flavor::MySql), Server::start(Flavor::MySql)]
        .map(|server| server.query("SELECT @@server_uuid"));
    assert_ne!(uuids[0], uuids[1]);
}

#[test]
fn stock_mysqlbinlog_reads_a_file() {
    for flavor in Flavor::both() {
        let server = Server::start(flavor);
        server.exec("CREATE DATABASE shop; FLUSH BINARY LOGS");
        let output = Command::new(server.mysqlbinlog())
            .arg("--no-defaults")
            .arg(server.binlog_path("binlog.000001"))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(String::from_utf8_lossy(&output.stdout).contains("CREATE DATABASE shop"));
    }
}

#[test]
fn a_frozen_server_is_silent_until_sigcont() {
    let server = Server::start(Flavor::MariaDb);
    server.sigstop();
    // The kernel still takes the connection, but no greeting comes.
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    assert!(stream.read(&mut [0]).is_err());
    server.sigcont();
    stream.set_read_timeout(None).unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap(), 1);
}
