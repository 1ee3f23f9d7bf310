//! Statements that take as long as their tables are large: shown while they run, ended by a stop, whole after a kill.

use crate::support::compare::{assert_equal, database_path, open};
use crate::support::random::budget;
use crate::support::relaylite::{Replica, Running, wait_for};
use crate::support::server::{Flavor, Server};

on_both!(
    a_rebuild_shows_how_far_it_is,
    a_stop_does_not_wait_for_a_rebuild,
    killed_in_the_middle_of_a_rebuild,
    every_way_to_copy_a_table_keeps_its_rows,
);

/// Rows of the large table: more than are copied at once.
fn rows() -> u64 {
    budget("RELAYLITE_TEST_ALTER_ROWS", 40_000)
}

/// Makes a change of its type that SQLite can follow only by writing every row again.
const REBUILD: &str = "ALTER TABLE d.large MODIFY v VARCHAR(20), ADD f INT DEFAULT 7 FIRST, ADD KEY vt (v, t), ADD UNIQUE KEY (u)";

/// A table of [`rows`] rows, whose keys have gaps and begin below zero.
fn large(server: &Server) {
    server.exec(
        "CREATE DATABASE d; USE d; CREATE TABLE seed (n INT PRIMARY KEY);
         INSERT INTO seed VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9);
         CREATE TABLE large (id BIGINT PRIMARY KEY, v INT, t VARCHAR(30), u INT);
         CREATE TABLE small (id INT PRIMARY KEY, v INT); INSERT INTO small VALUES (1, 1)",
    );
    let mut made = 0;
    while made < rows() {
        let until = rows().min(made + 100_000);
        server.exec(&format!(
            "INSERT INTO d.large SELECT CASE WHEN n % 3 = 0 THEN -n * 1000003 ELSE n END, n % 1000, CONCAT('row ', n), n FROM
             (SELECT {made} + a.n + 10 * b.n + 100 * c.n + 1000 * e.n + 10000 * f.n AS n
              FROM d.seed a, d.seed b, d.seed c, d.seed e, d.seed f) x WHERE n < {until}"
        ));
        made = until;
    }
}

/// A replica that has all of it.
fn with_a_large_table(flavor: Flavor) -> (Server, Replica) {
    let server = Server::start(flavor);
    large(&server);
    let replica = Replica::of(&server);
    replica.run_until_caught_up();
    (server, replica)
}

/// Follows with the copy held before its second range.
fn follow_held(replica: &Replica) -> (Running, std::path::PathBuf) {
    let hold = replica.relay_dir().with_file_name("hold");
    std::fs::write(&hold, "").unwrap();
    let action = format!("hold:{}", hold.display());
    let running = replica.spawn(replica.command_with_failpoint("alter.copying", &action));
    (running, hold)
}

/// Rows that are as they were before [`REBUILD`].
fn former_rows(replica: &Replica) -> u64 {
    let sqlite = open(&database_path(&replica.target_dir(), "d"));
    let sql = "SELECT count(*) FROM large WHERE typeof(v) = 'integer'";
    let rows: i64 = sqlite.query_row(sql, [], |row| row.get(0)).unwrap();
    u64::try_from(rows).unwrap()
}

fn a_rebuild_shows_how_far_it_is(flavor: Flavor) {
    let (server, replica) = with_a_large_table(flavor);
    let (_running, hold) = follow_held(&replica);
    server.exec(REBUILD);
    server.exec("UPDATE d.small SET v = 2");
    let status = replica.wait_for_status("the rebuild is the cause of the lag", |status| {
        status.text("Lag_Cause") == "long statement"
    });
    let lane = &status.json["Lanes"][0];
    assert_eq!(lane["Database"], "d");
    assert_eq!(lane["State"], "applying");
    let statement = &lane["Statement"];
    assert_eq!(statement["Work"], "rebuilding");
    assert_eq!(statement["Table"], "d.large");
    assert_eq!(statement["Rows"], 0);
    assert_eq!(statement["Rows_Total"], rows());
    assert!(status.number("Oldest_Unapplied_Seconds") >= 2);
    let text = replica.status_text();
    assert!(text.contains("In one statement:"), "{text}");
    assert!(text.contains("d.large"), "{text}");
    // Readers see the table as it was.
    assert_eq!(former_rows(&replica), rows());
    std::fs::remove_file(hold).unwrap();
    replica.wait_until_caught_up(&server);
    let status = replica.status();
    assert!(status.json["Lanes"][0]["Statement"].is_null());
    assert_equal(&server, &replica.target_dir());
}

fn a_stop_does_not_wait_for_a_rebuild(flavor: Flavor) {
    let (server, replica) = with_a_large_table(flavor);
    let (running, hold) = follow_held(&replica);
    server.exec(REBUILD);
    replica.wait_for_status("the rebuild", |status| {
        !status.json["Lanes"][0]["Statement"].is_null()
    });
    let (code, time) = running.sigterm();
    assert_eq!(code, 0, "{}", replica.log());
    assert!(time.as_secs() < 5, "{time:?}");
    assert!(
        !replica.log().contains("not drained in time"),
        "it was rolled back in order:\n{}",
        replica.log()
    );
    assert_eq!(former_rows(&replica), rows(), "nothing of it is there");
    std::fs::remove_file(hold).unwrap();
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
}

fn killed_in_the_middle_of_a_rebuild(flavor: Flavor) {
    let (server, replica) = with_a_large_table(flavor);
    server.exec(REBUILD);
    server.exec("UPDATE d.large SET v = CONCAT('x', v) WHERE u % 100 = 0");
    for crash in ["crash:1", "crash:2", "crash:3"] {
        let mut command = replica.command_with_failpoint("alter.copied", crash);
        command.args(["--until-caught-up", "--exit-on-error"]);
        let mut running = replica.spawn(command);
        wait_for("the crash", || running.has_exited());
        assert_eq!(former_rows(&replica), rows(), "nothing of it is there");
    }
    assert_eq!(replica.log().matches("crashing here").count(), 3);
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
}

/// No rows, one row, keys at both ends of what there is, no name for the rowid.
fn every_way_to_copy_a_table_keeps_its_rows(flavor: Flavor) {
    let server = Server::start(flavor);
    server.exec(
        "SET sql_mode = 'STRICT_ALL_TABLES'; CREATE DATABASE d; USE d; CREATE TABLE none (id INT PRIMARY KEY, v INT);
         CREATE TABLE ends (id BIGINT PRIMARY KEY, v INT);
         INSERT INTO ends VALUES (-9223372036854775808, 1), (9223372036854775807, 2), (0, 3), (9223372036854775806, 4);
         CREATE TABLE no_name (rowid INT PRIMARY KEY, _rowid_ INT, oid INT, v INT); INSERT INTO no_name VALUES (5, 6, 7, 8), (1, 2, 3, 4);
         CREATE TABLE one_name (a INT, rowid INT, oid INT); INSERT INTO one_name VALUES (5, 6, 7), (1, 2, 3);
         CREATE TABLE no_key (a VARCHAR(9), b INT); INSERT INTO no_key VALUES ('b', 1), ('a', 2), ('b', 1);
         CREATE TABLE big_key (id BIGINT UNSIGNED PRIMARY KEY, v INT); INSERT INTO big_key VALUES (18446744073709551615, 1), (1, 2);
         CREATE TABLE grows (id BIGINT UNSIGNED PRIMARY KEY, v INT, KEY (v)); INSERT INTO grows VALUES (1, 1), (2, 2)",
    );
    let replica = Replica::of(&server);
    let _running = replica.follow();
    replica.wait_until_caught_up(&server);
    for sql in [
        "ALTER TABLE none MODIFY v VARCHAR(9) FIRST",
        "ALTER TABLE ends MODIFY v VARCHAR(9) FIRST",
        "ALTER TABLE no_name MODIFY v VARCHAR(9) FIRST",
        "ALTER TABLE one_name MODIFY a VARCHAR(9), DROP COLUMN oid, ADD b INT FIRST",
        "ALTER TABLE no_key MODIFY b VARCHAR(9) FIRST, ADD KEY (b, a)",
        "ALTER TABLE big_key MODIFY v VARCHAR(9) FIRST",
        "INSERT INTO grows VALUES (18446744073709551615, 3)",
        "ALTER TABLE grows MODIFY v VARCHAR(9) FIRST, DROP KEY v, DROP PRIMARY KEY",
    ] {
        server.exec(&format!("USE d; {sql}"));
        replica.wait_until_caught_up(&server);
        let status = replica.status();
        assert!(status.set_aside().is_empty(), "{sql}");
        assert!(status.json["Lanes"][0]["Statement"].is_null(), "{sql}");
        assert_equal(&server, &replica.target_dir());
    }
}
