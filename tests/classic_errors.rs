//! The errors that every guide to replication has, provoked on a real server, and recovered from without deleting
//! anything; and statements where rows are expected.

use crate::support::compare::{assert_equal, database_path, open};
use crate::support::process::free_port;
use crate::support::relaylite::{Replica, relaylite};
use crate::support::server::{Flavor, REPL_PASSWORD, Server};

on_both!(
    nobody_listens_on_the_port,
    the_password_is_wrong,
    the_grant_is_missing,
    the_file_was_purged,
    the_position_is_impossible,
    the_file_was_purged_while_away,
    a_statement_instead_of_rows,
    the_source_cannot_serve_a_replica,
);

const SHOP: &str = "CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY, v INT); \
                    INSERT INTO shop.t VALUES (1, 10), (2, 20)";

fn nobody_listens_on_the_port(flavor: Flavor) {
    let port = free_port();
    let replica = Replica::at_port(port).arg("--connect-retry=1");
    let running = replica.follow();
    let status = replica.wait_for_status("an error", |status| status.number("Last_IO_Errno") != 0);
    assert_eq!(status.number("Last_IO_Errno"), 2003);
    assert_eq!(status.text("Replica_IO_Running"), "Connecting");
    assert!(
        status
            .text("Last_IO_Error")
            .contains(&format!("127.0.0.1:{port}")),
        "{:#}",
        status.json
    );

    let server = Server::builder(flavor).start_at(port);
    server.exec(SHOP);
    replica.wait_until_caught_up(&server);
    assert_equal(&server, &replica.target_dir());
    assert_eq!(replica.status().text("Replica_IO_Running"), "Yes");
    assert_eq!(running.sigterm().0, 0);
}

fn the_password_is_wrong(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(SHOP);
    let mut replica = Replica::of(&server).password("not-the-password");
    let running = replica.follow();
    let status = replica.wait_for_status("an error", |status| status.number("Last_IO_Errno") != 0);
    assert_eq!(status.number("Last_IO_Errno"), 1045);
    assert_ne!(status.text("Replica_IO_Running"), "Yes");
    assert!(
        status.text("Last_IO_Error").contains("repl"),
        "it names the user: {:#}",
        status.json
    );
    assert!(!status.json.to_string().contains("not-the-password"));
    assert!(!replica.log().contains("not-the-password"));
    assert_eq!(running.sigterm().0, 0);
    assert_eq!(replica.try_until_caught_up(), 1, "--exit-on-error");

    replica.set_password(REPL_PASSWORD);
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
}

fn the_grant_is_missing(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(SHOP);
    server.exec("REVOKE REPLICATION SLAVE ON *.* FROM 'repl'@'%'");
    let replica = Replica::of(&server);
    assert_eq!(replica.try_until_caught_up(), 1, "--exit-on-error");
    let running = replica.follow();
    let status = replica.wait_for_status("an error", |status| status.number("Last_IO_Errno") != 0);
    drop(running);
    assert!(
        [1227, 1045].contains(&status.number("Last_IO_Errno")),
        "{:#}",
        status.json
    );
    assert!(
        status.text("Last_IO_Error").contains("REPLICATION SLAVE"),
        "{:#}",
        status.json
    );
    server.exec("GRANT REPLICATION SLAVE ON *.* TO 'repl'@'%'");
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
}

fn the_file_was_purged(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec("FLUSH BINARY LOGS");
    let (kept, _) = server.position();
    server.purge_binlogs_to(&kept);
    server.exec(SHOP);
    let start = "binlog.000001:4";
    starts_where_the_error_says(&server, start);
}

fn the_position_is_impossible(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(SHOP);
    let (file, pos) = server.position();
    starts_where_the_error_says(&server, &format!("{file}:{}", pos + 1000));
}

/// With a checkpoint it goes on where `--skip-to` says, in the words of the error, and nothing is deleted.
fn the_file_was_purged_while_away(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(SHOP);
    let replica = Replica::of(&server);
    replica.run_until_caught_up();
    server.exec("INSERT INTO shop.t VALUES (3, 30); FLUSH BINARY LOGS");
    let (kept, _) = server.position();
    server.purge_binlogs_to(&kept);

    let running = replica.follow();
    let status = replica.wait_for_status("an error", |status| status.number("Last_IO_Errno") != 0);
    drop(running);
    assert_eq!(status.number("Last_IO_Errno"), 1236, "{:#}", status.json);
    let error = status.text("Last_IO_Error");
    let cure = error
        .split("--skip-to ")
        .nth(1)
        .and_then(|cure| cure.split(' ').next());
    let cure = cure.unwrap_or_else(|| panic!("it says how to go on: {error}"));

    server.exec("INSERT INTO shop.t VALUES (4, 40)");
    let replica = replica.arg(format!("--skip-to={cure}"));
    replica.run_until_caught_up();
    let sqlite = open(&database_path(&replica.target_dir(), "shop"));
    let sql = "SELECT group_concat(id) FROM (SELECT id FROM t ORDER BY id)";
    let ids: String = sqlite.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(ids, "1,2,4", "all but what was given up");
}

/// The I/O side stops with 1236; the text shows the current file and position, and a start from there works.
fn starts_where_the_error_says(server: &Server, start: &str) {
    let mut replica = Replica::of(server).start(start);
    let mut running = replica.follow();
    let status = replica.wait_for_status("an error", |status| status.number("Last_IO_Errno") != 0);
    assert_eq!(status.number("Last_IO_Errno"), 1236, "{:#}", status.json);
    assert_eq!(status.text("Replica_IO_Running"), "No");
    let (file, pos) = server.position();
    let current = format!("{file}:{pos}");
    assert!(
        status.text("Last_IO_Error").contains(&current),
        "{:#}",
        status.json
    );
    assert!(
        !running.has_exited(),
        "the process lives on, as a replica server does"
    );
    running.kill9();

    replica.set_start(current);
    let running = replica.follow();
    replica.wait_for_status("connected", |status| {
        status.text("Replica_IO_Running") == "Yes"
    });
    server.exec(
        "CREATE DATABASE fresh; CREATE TABLE fresh.t (id INT); INSERT INTO fresh.t VALUES (7)",
    );
    replica.wait_until_caught_up(server);
    crate::support::compare::assert_database_equal(server, &replica.target_dir(), "fresh");
    drop(running);
}

fn a_statement_instead_of_rows(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(SHOP);
    let replica = Replica::of(&server);
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
    let (file, before) = server.position();
    server.exec("SET SESSION binlog_format = STATEMENT; UPDATE shop.t SET v = v + 1 WHERE id = 2");
    server.exec("INSERT INTO shop.t VALUES (3, 30)");
    let (_, after) = server.position();

    assert_eq!(replica.try_until_caught_up(), 1, "--exit-on-error");
    let running = replica.follow();
    let status = replica.wait_for_status("an error, and receiving goes on", |status| {
        status.number("Last_SQL_Errno") != 0 && status.text("Replica_IO_Running") == "Yes"
    });
    assert_eq!(running.sigterm().0, 0, "the process lives on");
    assert_eq!(status.text("Replica_SQL_Running"), "No");
    let error = status.text("Last_SQL_Error");
    assert!(
        error.contains("UPDATE shop.t SET v = v + 1 WHERE id = 2"),
        "{error}"
    );
    let pos = positions_of(error, &file)
        .into_iter()
        .find(|pos| (before..after).contains(pos));
    assert!(
        pos.is_some(),
        "it says where in {file}, between {before} and {after}: {error}"
    );
    // Nothing was skipped: the applier stands before the statement.
    assert!(
        status.number("Exec_Source_Log_Pos") <= before,
        "{:#}",
        status.json
    );
}

fn the_source_cannot_serve_a_replica(flavor: Flavor) {
    for (option, said) in [
        ("--skip-log-bin", "log_bin"),
        ("--binlog-format=STATEMENT", "binlog_format"),
        ("--server-id=101", "server_id"),
    ] {
        let server = Server::builder(flavor).arg(option).start();
        let replica = Replica::of(&server);
        assert_eq!(replica.try_until_caught_up(), 1, "{option}");
        assert!(replica.log().contains(said), "{option}: {}", replica.log());
        let mut check = relaylite();
        check
            .env("RELAYLITE_SOURCE_PASSWORD", REPL_PASSWORD)
            .args(["check", "--server-id=101", "--source"])
            .arg(format!("mysql://repl@127.0.0.1:{}", server.port()))
            .arg("--relay-dir")
            .arg(replica.relay_dir())
            .arg(format!(
                "--target=sqlite:{}",
                replica.target_dir().display()
            ));
        let output = check.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{option}: {text}");
        assert!(text.contains(said), "{option}: {text}");
    }
}

/// All `FILE:POS` of a text.
fn positions_of(text: &str, file: &str) -> Vec<u64> {
    let before = format!("{file}:");
    let after = text.split(&before).skip(1);
    let digits = after.map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next().unwrap());
    digits.filter_map(|digits| digits.parse().ok()).collect()
}
