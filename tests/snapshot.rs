//! A table read in chunks while it changes: nothing twice, nothing missing, and each chunk at the position that it names.

use std::time::Duration;

use relaylite::binlog::position::Position;
use relaylite::config::source::DriverKind;
use relaylite::decode::value::Value;
use relaylite::error::ErrorKind;
use relaylite::snapshot::{LiveSnapshots, SnapshotSource, Step, TableSnapshot};
use tokio::runtime::Runtime;

use crate::drivers::follower::config;
use crate::support::server::{Flavor, Server};

/// The longest that a test waits for a step.
const PATIENCE: Duration = Duration::from_secs(30);

on_both!(
    every_row_comes_once,
    a_chunk_is_the_table_at_its_position,
    what_cannot_be_read_is_said,
);

/// A runtime for the network, and a source of snapshots over it.
struct Reader {
    runtime: Runtime,
    source: LiveSnapshots,
}

impl Reader {
    fn of(server: &Server) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let source =
            LiveSnapshots::new(config(server, DriverKind::Native), runtime.handle().clone());
        Self { runtime, source }
    }
}

fn next(snapshot: &mut dyn TableSnapshot) -> Step {
    snapshot
        .next(PATIENCE)
        .unwrap()
        .expect("a step did not come in time")
}

/// One chunk: its position, what `of` makes of its rows, and whether it was the last one.
fn chunk<T>(
    snapshot: &mut dyn TableSnapshot,
    of: impl Fn(&[Value<'_>]) -> T,
) -> (Position, Vec<T>, bool) {
    snapshot.begin();
    let Step::Chunk { at, .. } = next(snapshot) else {
        panic!("no chunk")
    };
    let mut found = Vec::new();
    loop {
        match next(snapshot) {
            Step::Rows(rows) => {
                for number in 0..rows.len() {
                    let mut row = Vec::new();
                    rows.fill(number, &mut row);
                    found.push(of(&row));
                }
            }
            Step::End { is_last, .. } => return (at, found, is_last),
            other => panic!("{other:?}"),
        }
    }
}

/// Sequences of numbers, for a server of either family.
fn numbers(flavor: Flavor, count: u32) -> String {
    match flavor {
        Flavor::MariaDb | Flavor::MariaDb11 => format!("SELECT seq AS n FROM seq_1_to_{count}"),
        Flavor::MySql => format!(
            "WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {count}) \
             SELECT /*+ SET_VAR(cte_max_recursion_depth = {count}) */ n FROM s"
        ),
    }
}

fn every_row_comes_once(flavor: Flavor) {
    let server = Server::start(flavor);
    let reader = Reader::of(&server);
    let keys = [
        "id BIGINT UNSIGNED PRIMARY KEY|n + 18446744073709540000",
        "id DECIMAL(30,10) PRIMARY KEY|n / -7",
        "id VARCHAR(40) CHARACTER SET latin1 PRIMARY KEY|CONCAT('Käse''\\\\', n)",
        "id VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NOT NULL UNIQUE|CONCAT('é🐘', n)",
        "id VARBINARY(40) PRIMARY KEY|UNHEX(SHA2(n, 256))",
        "id DATETIME(3) PRIMARY KEY|'2020-01-01' + INTERVAL n * 1000 MICROSECOND",
        "id TIMESTAMP(6) NOT NULL PRIMARY KEY|'2020-01-01' + INTERVAL n MICROSECOND",
        "id TIME(2) PRIMARY KEY|SEC_TO_TIME(n * 1.0 - 1000)",
        "id INT, part CHAR(3), PRIMARY KEY (part, id)|n, CONCAT('p', n % 3)",
        "id INT, other FLOAT|n, n / 3",
    ];
    server.exec("CREATE DATABASE d");
    // The two ways to a lock: with the privilege LOCK TABLES, and without.
    for (at, key) in keys.iter().enumerate() {
        let (columns, values) = key.split_once('|').unwrap();
        let numbers = numbers(flavor, 3_333);
        if at == keys.len() / 2 {
            server.exec("GRANT LOCK TABLES ON *.* TO 'repl'@'%'");
        }
        server.exec(&format!(
            "USE d; SET SESSION time_zone = '+00:00';
             CREATE TABLE d.`t{at}` ({columns}) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
             INSERT INTO d.`t{at}` SELECT {values} FROM ({numbers}) AS numbers"
        ));
        let mut snapshot = reader.source.open("d", &format!("t{at}")).unwrap();
        let (mut rows, mut chunks) = (Vec::new(), 0);
        loop {
            let (_, found, is_last) = chunk(snapshot.as_mut(), |row| format!("{row:?}"));
            rows.extend(found);
            chunks += 1;
            if is_last {
                break;
            }
        }
        rows.sort_unstable();
        rows.dedup();
        assert_eq!(rows.len(), 3_333, "{key}");
        assert_eq!(chunks > 1, !key.contains("FLOAT"), "{key}: {chunks} chunks");
    }
    reader.runtime.shutdown_timeout(PATIENCE);
}

fn a_chunk_is_the_table_at_its_position(flavor: Flavor) {
    let server = Server::start(flavor);
    let reader = Reader::of(&server);
    server.exec(
        "CREATE DATABASE d;
         CREATE TABLE d.t (id INT PRIMARY KEY, at INT) ENGINE=InnoDB;
         INSERT INTO d.t VALUES (1, 0), (2, 0)",
    );
    let mut snapshot = reader.source.open("d", "t").unwrap();
    // A transaction that is open keeps the lock from coming; its rows are not half in.
    let mut writer = server.client();
    writer.exec("BEGIN; UPDATE d.t SET at = 1 WHERE id = 1");
    snapshot.begin();
    assert!(matches!(next(snapshot.as_mut()), Step::Busy));
    writer.exec("COMMIT");
    let (file, offset) = server.position();
    snapshot.begin();
    let Step::Chunk {
        at,
        table,
        is_first,
    } = next(snapshot.as_mut())
    else {
        panic!("no chunk")
    };
    // The lock is gone when the chunk begins: what comes now is behind it.
    writer.exec("UPDATE d.t SET at = 2 WHERE id = 2");
    assert_eq!(at, Position::new(file, offset));
    assert!(is_first);
    assert_eq!(table.columns.len(), 2);
    let Step::Rows(rows) = next(snapshot.as_mut()) else {
        panic!("no rows")
    };
    let mut row = Vec::new();
    rows.fill(0, &mut row);
    assert_eq!(row, [Value::Int(1), Value::Int(1)]);
    rows.fill(1, &mut row);
    assert_eq!(row, [Value::Int(2), Value::Int(0)]);
    assert!(matches!(
        next(snapshot.as_mut()),
        Step::End {
            is_last: true,
            rows: 2,
            ..
        }
    ));
    reader.runtime.shutdown_timeout(PATIENCE);
}

fn what_cannot_be_read_is_said(flavor: Flavor) {
    let server = Server::start(flavor);
    let reader = Reader::of(&server);
    server.exec("CREATE DATABASE d; CREATE VIEW d.v AS SELECT 1; CREATE TABLE d.m (a INT) ENGINE=MyISAM; INSERT INTO d.m VALUES (1)");
    // To tell a view from a table takes the privilege SHOW VIEW.
    for (table, kind) in [("absent", ErrorKind::Schema), ("v", ErrorKind::Access)] {
        let mut snapshot = reader.source.open("d", table).unwrap();
        snapshot.begin();
        let error = snapshot.next(PATIENCE).unwrap_err();
        assert_eq!(error.kind(), kind, "{}", error.full_text());
    }
    let mut snapshot = reader.source.open("d", "m").unwrap();
    snapshot.begin();
    let error = snapshot.next(PATIENCE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Access);
    assert!(
        error.full_text().contains("LOCK TABLES"),
        "{}",
        error.full_text()
    );
    server.exec("GRANT LOCK TABLES ON *.* TO 'repl'@'%'");
    let mut snapshot = reader.source.open("d", "m").unwrap();
    let (_, rows, is_last) = chunk(snapshot.as_mut(), |row| format!("{row:?}"));
    assert_eq!(
        (rows.as_slice(), is_last),
        (&["[Int(1)]".to_owned()][..], true)
    );
    server.exec("INSERT INTO d.m VALUES (2)");
    reader.runtime.shutdown_timeout(PATIENCE);
}
