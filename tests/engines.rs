//! Tables of other engines than InnoDB. A MEMORY table is empty after a restart of its server, which says so in the binary log when
//! the table is used again.

use crate::support::compare::assert_equal;
use crate::support::relaylite::Replica;
use crate::support::server::{Flavor, Server};

on_all!(tables_of_every_engine);

const ENGINES: [&str; 7] = [
    "MyISAM",
    "Aria",
    "MEMORY",
    "CSV",
    "ARCHIVE",
    "BLACKHOLE",
    "HEAP",
];

fn tables_of_every_engine(flavor: Flavor) {
    let mut server = Server::start(flavor);
    server.exec("CREATE DATABASE d");
    let mut session = server.client();
    session.exec("USE d; SET sql_mode = ''");
    let mut made = Vec::new();
    for engine in ENGINES {
        let table = format!("of_{}", engine.to_lowercase());
        let key = if engine == "CSV" || engine == "ARCHIVE" {
            ""
        } else {
            ", KEY (b)"
        };
        let create = format!(
            "CREATE TABLE {table} (id INT NOT NULL, b VARCHAR(20) NOT NULL{key}) ENGINE={engine}"
        );
        if session.try_exec(&create).is_err() {
            continue;
        }
        session.exec(&format!(
            "INSERT INTO {table} VALUES (1, 'a'), (2, 'b'), (3, 'c')"
        ));
        for change in [
            "UPDATE {} SET b = 'z' WHERE id = 2",
            "DELETE FROM {} WHERE id = 1",
            "ALTER TABLE {} ADD c INT NOT NULL DEFAULT 5",
        ] {
            let _ = session.try_exec(&change.replace("{}", &table));
        }
        made.push(table);
    }
    assert!(made.len() > 4, "{made:?}");
    let replica = Replica::of(&server);
    let running = replica.follow();
    replica.wait_until_caught_up(&server);
    // A BLACKHOLE table shows no rows, but logs them for those who have the table in another engine.
    server.exec("DROP TABLE IF EXISTS d.of_blackhole");
    made.retain(|table| table != "of_blackhole");
    replica.wait_until_caught_up(&server);
    assert_equal(&server, &replica.target_dir());
    drop(running);

    drop(session);
    server.restart();
    for table in &made {
        let _ = server.query(&format!("SELECT * FROM d.{table}"));
        server.exec(&format!("INSERT INTO d.{table} (id, b) VALUES (9, 'new')"));
    }
    let running = replica.follow();
    replica.wait_until_caught_up(&server);
    assert_equal(&server, &replica.target_dir());
    assert!(!replica.log().contains("set aside"), "{}", replica.log());
    drop(running);
}
