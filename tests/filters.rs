//! Replication rules (`replicate_*`): what arrives under them.

mod server_replica;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use self::server_replica::{Rule, ServerReplica};
use crate::support::compare;
use crate::support::random::{self, Random};
use crate::support::relaylite::{Replica, relaylite};
use crate::support::server::{Flavor, REPL_PASSWORD, REPL_USER, Server};

on_both!(
    random_rules_do_what_they_do_on_a_server,
    each_table_of_a_statement_counts_by_itself,
    what_is_left_out_moves_the_position_and_is_counted,
    a_table_renamed_into_scope_is_read_afresh,
    a_table_renamed_into_scope_stops_with_a_cure,
    databases_get_other_names,
    other_names_on_a_mysql_target,
    check_knows_what_the_rules_name,
);

/// The rule for another name.
const REWRITE: &str = "shop_a->renamed";

/// Rules tried on each server.
const ROUNDS: u64 = 3;

/// Tables with their rows, by `database.table`.
type Tables = BTreeMap<String, Vec<String>>;

fn random_rules_do_what_they_do_on_a_server(flavor: Flavor) {
    let source = Server::start(flavor);
    let databases = ["shop", "shop_a", "Stock"];
    let tables = ["item", "item_2", "_item", "Upper"];
    for database in databases {
        source.exec(&format!("CREATE DATABASE IF NOT EXISTS {database}"));
        for (at, table) in tables.into_iter().enumerate() {
            source.exec(&format!(
                "USE {database}; CREATE TABLE {table} (id INT PRIMARY KEY, v INT); INSERT INTO {table} VALUES (1, {at}), (2, 0);
                 ALTER TABLE {table} ADD w INT DEFAULT 7; UPDATE {table} SET v = v + 1; DELETE FROM {table} WHERE id = 2;
                 CREATE TABLE gone{table} (a INT); INSERT INTO gone{table} VALUES (1); DROP TABLE gone{table}"
            ));
        }
    }
    let server_replica = ServerReplica::of(&source);
    let with_other_name = ServerReplica::with_other_name(&source, REWRITE);
    let mut random = Random::new(random::seed(), 0);
    let rounds = random::budget("RELAYLITE_TEST_FILTER_ROUNDS", ROUNDS);
    let other_case = [
        ("do_db", "stock"),
        ("do_table", "Stock.upper"),
        ("wild_do_table", "stock.u%"),
    ];
    let fixed = other_case.map(|(key, value)| {
        let value = value.to_owned();
        vec![Rule { key, value }]
    });
    let random = (0..rounds).map(|_| random_rules(&mut random, &databases, &tables));
    for rules in fixed.into_iter().chain(random) {
        let mut replica = Replica::of(&source);
        for rule in &rules {
            replica = replica.arg(format!(
                "--replicate-{}={}",
                rule.key.replace('_', "-"),
                rule.value
            ));
        }
        replica.run_until_caught_up();
        let server_replica = match &with_other_name {
            Some(other) if rules.iter().any(|rule| rule.key == "rewrite_db") => other,
            _ => &server_replica,
        };
        let expected = server_replica.replicate(&source, &rules);
        assert_eq!(
            in_sqlite(&replica.target_dir()),
            expected,
            "left by relaylite, right by the server, with {rules:?}"
        );
    }
}

fn random_rules(random: &mut Random, databases: &[&str], tables: &[&str]) -> Vec<Rule> {
    let mut rules = Vec::new();
    for key in Rule::KEYS {
        if !random.percent(30) {
            continue;
        }
        for _ in 0..random.range(1..3) {
            let database = random.pick(databases);
            let value = if key == "rewrite_db" {
                REWRITE.to_owned()
            } else if key.ends_with("_db") {
                random
                    .pick(&["shop", "shop_a", "Stock", "renamed", "none"])
                    .to_owned()
            } else if key.starts_with("wild") {
                random
                    .pick(&[
                        "shop%.%",
                        "shop\\_a.%",
                        "%.\\_%",
                        "s%.item_2",
                        "Stock.u%",
                        "shop.ite_",
                        "renamed.item%",
                        "%.gone%",
                    ])
                    .to_owned()
            } else {
                format!("{database}.{}", random.pick(tables))
            };
            if !rules
                .iter()
                .any(|rule: &Rule| rule.key == key && rule.value == value)
            {
                rules.push(Rule { key, value });
            }
        }
    }
    rules
}

fn in_sqlite(target: &Path) -> Tables {
    let mut all = Tables::new();
    for (database, path) in compare::files(target) {
        let sqlite = compare::open(&path);
        let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_relaylite%' ESCAPE '\\'";
        let names: Vec<String> = sqlite
            .prepare(sql)
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        for name in names {
            let sql = format!("SELECT id || ' ' || v FROM \"{name}\" ORDER BY id");
            let rows = sqlite.prepare(&sql).unwrap();
            let rows = { rows }
                .query_map([], |row| row.get(0))
                .unwrap()
                .map(Result::unwrap)
                .collect();
            all.insert(format!("{database}.{name}"), rows);
        }
    }
    all
}

fn table_names(target: &Path) -> BTreeSet<String> {
    in_sqlite(target).into_keys().collect()
}

fn names(list: &str) -> BTreeSet<String> {
    list.split_whitespace().map(str::to_owned).collect()
}

fn each_table_of_a_statement_counts_by_itself(flavor: Flavor) {
    let source = Server::start(flavor);
    let replica = Replica::of(&source)
        .arg("--replicate-ignore-db=private")
        .arg("--replicate-wild-ignore-table=shop.\\_%");
    source.exec(
        "CREATE DATABASE shop; CREATE DATABASE private; USE private;
         CREATE TABLE shop.a (id INT PRIMARY KEY, v INT); CREATE TABLE shop.b LIKE shop.a; CREATE TABLE shop.c LIKE shop.a;
         CREATE TABLE shop._x LIKE shop.a; CREATE TABLE t LIKE shop.a; CREATE TABLE shop.d LIKE shop.a;
         INSERT INTO shop.a VALUES (1, 1); INSERT INTO shop._x VALUES (1, 2); INSERT INTO t VALUES (1, 3);
         BEGIN; INSERT INTO shop.b VALUES (1, 4); INSERT INTO t VALUES (2, 5); INSERT INTO shop._x VALUES (2, 6); COMMIT;
         DROP TABLE shop.c, shop._x, t; RENAME TABLE shop.d TO shop._d; RENAME TABLE shop.a TO shop.e, shop._d TO private.d;
         ALTER TABLE private.d ADD w INT; TRUNCATE private.d; INSERT INTO private.d VALUES (1, 7, 8);
         ALTER TABLE shop.e ADD INDEX (v); INSERT INTO shop.e VALUES (2, 9)",
    );
    replica.run_until_caught_up();
    assert_eq!(table_names(&replica.target_dir()), names("shop.b shop.e"));
    for table in ["b", "e"] {
        compare::assert_table_equal(&source, &replica.target_dir(), "shop", table);
    }
    // Dropping the database that is left out is no business of ours, dropping the other is.
    source.exec("DROP DATABASE private; DROP DATABASE shop");
    replica.run_until_caught_up();
    assert_eq!(table_names(&replica.target_dir()), names(""));
}

fn what_is_left_out_moves_the_position_and_is_counted(flavor: Flavor) {
    let source = Server::start(flavor);
    // Nothing but rules leaves these tables out, so what cannot be followed does not stop anything either.
    source.exec(
        "SET SESSION sql_mode = ''; CREATE DATABASE tools; USE tools; CREATE TABLE t (id INT PRIMARY KEY, v FLOAT);
         INSERT INTO t VALUES (1, 1.5); UPDATE t SET v = 2.5; ALTER TABLE t MODIFY v DOUBLE; DELETE FROM t",
    );
    let replica = Replica::of(&source).arg("--replicate-ignore-db=tools");
    let running = replica.follow();
    replica.wait_until_caught_up(&source);
    let status = replica.status();
    assert_eq!(status.number("Left_Out_Row_Events"), 3);
    assert_eq!(status.number("Left_Out_Statements"), 3);
    assert_eq!(status.text("Replicate_Ignore_DB"), "tools");
    assert!(compare::files(&replica.target_dir()).is_empty());
    assert_eq!(running.sigterm().0, 0);
    // The position was kept: nothing is read again.
    source.exec("CREATE DATABASE shop; USE shop; CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (1, 1)");
    let running = replica.follow();
    replica.wait_until_caught_up(&source);
    assert_eq!(replica.status().number("Left_Out_Row_Events"), 0);
    assert_eq!(table_names(&replica.target_dir()), names("shop.t"));
    drop(running);
}

/// As at the end of an online schema change whose shadow table is left out.
fn a_table_renamed_into_scope_is_read_afresh(flavor: Flavor) {
    let source = Server::start(flavor);
    source.exec("CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY, v INT); INSERT INTO shop.t VALUES (1, 1)");
    let replica = Replica::of(&source)
        .arg("--replicate-wild-ignore-table=%.\\_%")
        .arg("--replicate-rewrite-db=shop->store");
    let running = replica.follow();
    replica.wait_until_caught_up(&source);
    source.exec(
        "USE shop; CREATE TABLE _t_gho LIKE t; ALTER TABLE _t_gho ADD w VARCHAR(9) DEFAULT 'new' FIRST;
         INSERT INTO _t_gho (id, v) SELECT id, v FROM t; INSERT INTO t VALUES (2, 2); INSERT INTO _t_gho VALUES ('x', 2, 2);
         RENAME TABLE t TO _t_del, _t_gho TO t; INSERT INTO t (id, v) VALUES (3, 3); UPDATE t SET v = 7 WHERE id = 1",
    );
    replica.wait_until_caught_up(&source);
    replica.wait_until_sound();
    let all = in_sqlite(&replica.target_dir());
    assert_eq!(all["store.t"], ["1 7", "2 2", "3 3"]);
    drop(running);
}

fn a_table_renamed_into_scope_stops_with_a_cure(flavor: Flavor) {
    let source = Server::start(flavor);
    source.exec(
        "CREATE DATABASE shop; USE shop; CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (1, 1);
         CREATE TABLE _t_gho LIKE t; INSERT INTO _t_gho VALUES (1, 1); RENAME TABLE t TO _t_del, _t_gho TO t;
         INSERT INTO t VALUES (2, 2); CREATE TABLE u (id INT PRIMARY KEY, v INT); INSERT INTO u VALUES (3, 3)",
    );
    let replica = Replica::of(&source).arg("--replicate-wild-ignore-table=%.\\_%");
    assert_eq!(replica.try_until_caught_up(), 1);
    let log = replica.log();
    assert!(
        log.contains("shop._t_gho") && log.contains("add shop.t to replicate_ignore_table"),
        "{log}"
    );
    // Everything before is applied; with the cure it goes on from there, without that table.
    assert_eq!(in_sqlite(&replica.target_dir())["shop.t"], ["1 1"]);
    let replica = replica.arg("--replicate-ignore-table=shop.t");
    replica.run_until_caught_up();
    let all = in_sqlite(&replica.target_dir());
    assert_eq!(all["shop.t"], ["1 1"]);
    assert_eq!(all["shop.u"], ["3 3"]);
}

const RENAMED: &str = "CREATE DATABASE old CHARACTER SET latin1; CREATE DATABASE other; USE old;
    CREATE TABLE t (id INT PRIMARY KEY, v INT, note VARCHAR(9)); INSERT INTO t VALUES (1, 1, 'old.t');
    USE other; CREATE TABLE old.u LIKE old.t; INSERT INTO old.u SELECT * FROM old.t; CREATE TABLE t LIKE old.u;
    BEGIN; INSERT INTO other.t VALUES (1, 2, 'x'); UPDATE old.t SET v = 3; COMMIT;
    ALTER TABLE old.u ADD w VARCHAR(9) DEFAULT 'old.'; RENAME TABLE old.u TO other.u; INSERT INTO other.u (id, v) VALUES (5, 5);
    CREATE TABLE old.gone (id INT); DROP TABLE old.gone; ALTER DATABASE old CHARACTER SET utf8mb4;
    CREATE TABLE old.late (id INT PRIMARY KEY, v INT); INSERT INTO old.late VALUES (1, 8)";

fn databases_get_other_names(flavor: Flavor) {
    let source = Server::start(flavor);
    source.exec("CREATE DATABASE early; CREATE TABLE early.t (id INT PRIMARY KEY, v INT)");
    let replica = Replica::of(&source)
        .start("latest")
        .arg("--replicate-rewrite-db=old->new")
        .arg("--replicate-rewrite-db=early->later")
        .arg("--replicate-do-db=new")
        .arg("--replicate-do-db=later")
        .arg("--replicate-do-db=other");
    let running = replica.follow();
    replica.wait_for_status("it begins", |status| {
        status.text("Replica_IO_Running") == "Yes"
    });
    // Met first as rows: the definition is asked for by the source's name.
    source.exec("INSERT INTO early.t VALUES (1, 6)");
    source.exec(RENAMED);
    replica.wait_until_caught_up(&source);
    let all = in_sqlite(&replica.target_dir());
    let expected = [
        ("later.t", vec!["1 6"]),
        ("new.late", vec!["1 8"]),
        ("new.t", vec!["1 3"]),
        ("other.t", vec!["1 2"]),
        ("other.u", vec!["1 1", "5 5"]),
    ];
    let expected = expected.map(|(name, rows)| {
        (
            name.to_owned(),
            rows.into_iter().map(str::to_owned).collect(),
        )
    });
    assert_eq!(all, Tables::from(expected));
    source.exec("DROP DATABASE old");
    replica.wait_until_caught_up(&source);
    assert!(
        !in_sqlite(&replica.target_dir())
            .keys()
            .any(|name| name.starts_with("new."))
    );
    assert_eq!(
        replica.status().text("Replicate_Rewrite_DB"),
        "(old,new),(early,later)"
    );
    assert_eq!(running.sigterm().0, 0);
}

fn other_names_on_a_mysql_target(flavor: Flavor) {
    let (source, target) = (Server::start(flavor), Server::start(flavor));
    source.exec(RENAMED);
    let replica = Replica::of(&source)
        .onto(&target)
        .arg("--replicate-rewrite-db=old->new")
        .arg("--replicate-ignore-table=new.late");
    replica.run_until_caught_up();
    let databases = "SELECT schema_name FROM information_schema.schemata WHERE schema_name IN ('old', 'new', 'other') ORDER BY 1";
    let tables = "SELECT table_schema, table_name FROM information_schema.tables
                  WHERE table_schema IN ('new', 'other') ORDER BY 1, 2";
    let flat = |sql: &str| -> Vec<String> {
        let rows = target.query_strings(sql);
        rows.into_iter()
            .map(|row| row.into_iter().flatten().collect::<Vec<_>>().join("."))
            .collect()
    };
    assert_eq!(flat(databases), ["new", "other"]);
    assert_eq!(flat(tables), ["new.t", "other.t", "other.u"]);
    for (here, there) in [
        ("new.t", "old.t"),
        ("other.t", "other.t"),
        ("other.u", "other.u"),
    ] {
        let rows = |table: &str| format!("SELECT * FROM {table} ORDER BY id");
        assert_eq!(
            target.query_strings(&rows(here)),
            source.query_strings(&rows(there)),
            "{here}"
        );
    }
}

fn check_knows_what_the_rules_name(flavor: Flavor) {
    let source = Server::start(flavor);
    source.exec("CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY)");
    let check = |rules: &[&str]| {
        let mut command = relaylite();
        command
            .env("RELAYLITE_SOURCE_PASSWORD", REPL_PASSWORD)
            .arg("check")
            .arg(format!(
                "--source=mysql://{REPL_USER}@127.0.0.1:{}",
                source.port()
            ))
            .arg("--server-id=101")
            .args(rules);
        let output = command.output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    let (code, text) = check(&[
        "--replicate-do-db=shop",
        "--replicate-do-db=shpo",
        "--replicate-ignore-db=x",
        "--replicate-do-table=shop.t",
        "--replicate-ignore-table=shop.tt",
        "--replicate-wild-do-table=shoe.%",
    ]);
    assert_eq!(code, Some(0), "{text}");
    for part in [
        "the source has no database `shpo`",
        "replicate_ignore_db has no effect",
        "`shop` has no such table at the source",
        "the source has no database `shoe`",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("`shop.t`"), "{text}");
    let (_, text) = check(&[
        "--replicate-rewrite-db=shop->store",
        "--replicate-do-table=store.t",
    ]);
    assert!(text.contains("the source has what they name"), "{text}");
    let (code, _) = check(&["--replicate-do-table=t"]);
    assert_eq!(code, Some(2));
}
