//! ALTER TABLE on a file with rows.

use rusqlite::Connection;

use super::*;

/// Runs an ALTER TABLE on a file with rows; checks the table's shape against a fresh one, here and on another
/// connection, and after a rollback; returns whether rows were rewritten, and the rows.
fn alter(
    create_sql: &str,
    inserts: &str,
    alter_sql: &str,
    context: &SqlContext,
) -> (bool, Vec<Vec<Stored>>) {
    let before = table_in(create_sql, context);
    let (after, origins) = altered(&before, alter_sql, context);
    let session = AlterSession::new(context, 1_600_000_000, 123_456, Some("+02:00"));
    let alias = has_rowid_alias(&before);
    let plan = alter_plan(
        &before,
        &after,
        &origins,
        &before.name,
        alias,
        false,
        &session,
    );
    let AlterPlan::Statements {
        steps,
        rowid_alias,
        rebuilds,
    } = plan
    else {
        panic!("{plan:?}")
    };

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("d.db");
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch("PRAGMA journal_mode = WAL")
        .unwrap();
    let reader = Connection::open(&path).unwrap();
    create(&connection, &before, alias);
    connection.execute_batch(inserts).unwrap();
    let (old_shape, old_rows) = (
        shape(&reader, &before.name),
        rows(&reader, "SELECT * FROM t"),
    );
    for commit in [false, true] {
        connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        for step in &steps {
            connection
                .execute_batch(&step.sql)
                .unwrap_or_else(|error| panic!("{}: {error}", step.sql));
        }
        if commit {
            connection.execute_batch("COMMIT").unwrap();
        } else {
            connection.execute_batch("ROLLBACK").unwrap();
            assert_eq!(
                shape(&connection, &before.name),
                old_shape,
                "after a rollback"
            );
            assert_eq!(
                rows(&connection, "SELECT * FROM t"),
                old_rows,
                "after a rollback"
            );
        }
    }
    let fresh = Connection::open_in_memory().unwrap();
    create(&fresh, &after, rowid_alias);
    assert_eq!(
        shape(&connection, &after.name),
        shape(&fresh, &after.name),
        "{steps:#?}"
    );
    assert_eq!(
        shape(&reader, &after.name),
        shape(&fresh, &after.name),
        "{steps:#?}"
    );
    assert_eq!(
        rows(&reader, "PRAGMA integrity_check"),
        [[Stored::Text("ok".to_owned())]],
        "{steps:#?}"
    );
    (rebuilds, rows(&reader, "SELECT * FROM t"))
}

fn text(t: &str) -> Stored {
    Stored::Text(t.to_owned())
}

#[test]
fn columns_at_the_end_are_added_natively() {
    let (rebuilds, rows) = alter(
        "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(10))",
        "INSERT INTO t VALUES (1, 'a'), (2, NULL)",
        "ALTER TABLE t ADD COLUMN n INT NOT NULL, ADD s VARCHAR(5) NOT NULL DEFAULT 'it''s', ADD d DATE, \
         ADD ts TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3), ADD dt DATETIME DEFAULT CURRENT_TIMESTAMP, ADD KEY (n)",
        &context(),
    );
    assert!(!rebuilds);
    let tail = [
        Stored::Integer(0),
        text("it's"),
        Stored::Null,
        text("2020-09-13 12:26:40.123"),
        text("2020-09-13 14:26:40"),
    ];
    assert_eq!(rows[0][2..], tail);
    assert_eq!(rows[1][2..], tail);
}

#[test]
fn other_words_and_names_rewrite_no_row() {
    let create = "CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(10), b INT, c TEXT, KEY ab (a, b), UNIQUE KEY u (b))";
    let insert = "INSERT INTO t VALUES (1, 'a', 2, 'x')";
    for alter_sql in [
        "ALTER TABLE t MODIFY a VARCHAR(200)",
        "ALTER TABLE t MODIFY id BIGINT UNSIGNED AUTO_INCREMENT",
        "ALTER TABLE t MODIFY b BIGINT, MODIFY c LONGTEXT",
        "ALTER TABLE t RENAME COLUMN a TO b, RENAME COLUMN b TO a",
        "ALTER TABLE t CHANGE a `A` VARCHAR(10), CHANGE b `x \"y` SMALLINT UNSIGNED",
        "ALTER TABLE t RENAME INDEX ab TO other, DROP INDEX u",
        "ALTER TABLE t DROP COLUMN c, ADD KEY c3 (b DESC)",
        "ALTER TABLE t DROP COLUMN b",
        "ALTER TABLE t ADD UNIQUE (a), DROP KEY ab",
        "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci",
        "ALTER TABLE t MODIFY b INT UNSIGNED, CHANGE b bb INT UNSIGNED",
    ] {
        let (rebuilds, _) = alter(create, insert, alter_sql, &context());
        assert!(!rebuilds, "{alter_sql}");
    }
    // A default that older rows take from the schema's text survives an edit of that text.
    let (rebuilds, rows) = alter(
        "CREATE TABLE t (id INT PRIMARY KEY)",
        "INSERT INTO t VALUES (1); ALTER TABLE t ADD COLUMN \"q\" INT DEFAULT 7; ALTER TABLE t DROP COLUMN \"q\"; \
         INSERT INTO t VALUES (2)",
        "ALTER TABLE t ADD COLUMN x VARCHAR(3) DEFAULT 'abc'",
        &context(),
    );
    assert!(!rebuilds);
    assert_eq!(rows[1][1], text("abc"));
}

#[test]
fn a_rename_takes_the_indexes_along() {
    let connection = Connection::open_in_memory().unwrap();
    let make = |name: &str| {
        table(&format!(
            "CREATE TABLE {name} (a INT, b INT, KEY k (a), UNIQUE (b))"
        ))
    };
    let (orders, ghost) = (make("orders"), make("_orders_gho"));
    create(&connection, &orders, false);
    create(&connection, &ghost, false);
    connection.execute_batch("BEGIN").unwrap();
    for (table, from, to) in [
        (&orders, "orders", "_orders_del"),
        (&ghost, "_orders_gho", "orders"),
    ] {
        for sql in rename_table_sql(table, from, to) {
            connection.execute_batch(&sql).unwrap();
        }
    }
    connection.execute_batch("COMMIT").unwrap();
    create(&connection, &ghost, false);
    let fresh = Connection::open_in_memory().unwrap();
    create(&fresh, &orders, false);
    assert_eq!(shape(&connection, "orders"), shape(&fresh, "orders"));
    connection
        .execute_batch("DROP INDEX \"ix:_orders_del:k\"; REINDEX; DROP TABLE orders")
        .unwrap();
    assert_eq!(rows(&connection, "PRAGMA integrity_check"), [[text("ok")]]);
}

#[test]
fn moves_and_conversions_rebuild() {
    let (rebuilds, found) = alter(
        "CREATE TABLE t (id INT PRIMARY KEY, a INT, b VARCHAR(10), d DATE, e ENUM('x','y'), f DATETIME(3), g INT, \
         h DECIMAL(20,2), KEY (a))",
        "INSERT INTO t VALUES (1, 5, 'Abc  ', '2020-01-02', 'y', '2020-12-31 23:59:59.600', NULL, \
         '123456789012345678.50'), (2, -5, NULL, NULL, 'x', '2020-01-01 00:00:00.400', 3, 1.5)",
        "ALTER TABLE t MODIFY a VARCHAR(12) FIRST, MODIFY b CHAR(10), MODIFY d DATETIME(2), MODIFY e ENUM('z','y'), \
         MODIFY f DATETIME, MODIFY g INT NOT NULL, MODIFY h DECIMAL(24,4)",
        &context(),
    );
    assert!(rebuilds);
    assert_eq!(
        found[0],
        [
            text("5"),
            Stored::Integer(1),
            text("Abc"),
            text("2020-01-02 00:00:00.00"),
            text("y"),
            text("2021-01-01 00:00:00"),
            Stored::Integer(0),
            text("123456789012345678.5000"),
        ]
    );
    assert_eq!(
        found[1],
        [
            text("-5"),
            Stored::Integer(2),
            Stored::Null,
            Stored::Null,
            text(""),
            text("2020-01-01 00:00:00"),
            Stored::Integer(3),
            Stored::Real(1.5),
        ]
    );
}

#[test]
fn keys_that_change_rebuild() {
    let create =
        "CREATE TABLE t (a INT NOT NULL, b INT NOT NULL, c VARCHAR(5), PRIMARY KEY (a), KEY (b))";
    let insert = "INSERT INTO t VALUES (2, 1, 'x'), (1, 2, 'y')";
    for sql in [
        "ALTER TABLE t DROP PRIMARY KEY",
        "ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (a, b)",
        "ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (b)",
        "ALTER TABLE t ADD z INT FIRST",
        "ALTER TABLE t DROP a, DROP b",
        "ALTER TABLE t MODIFY c VARCHAR(5) COLLATE utf8mb4_bin",
    ] {
        let (rebuilds, found) = alter(create, insert, sql, &context());
        assert!(rebuilds, "{sql}");
        assert_eq!(found.len(), 2);
    }
}

#[test]
fn fractions_are_rounded_or_cut_as_the_server_does() {
    let rounds = context();
    let cuts = SqlContext {
        sql_mode: 1 << 21,
        ..SqlContext::new(Flavor::MariaDb, 101_119, "d")
    };
    let create = "CREATE TABLE t (f DATETIME(6))";
    let insert = "INSERT INTO t VALUES ('2020-12-31 23:59:59.999600'), ('2020-12-31 23:59:58.123500'), (NULL)";
    let (_, found) = alter(
        create,
        insert,
        "ALTER TABLE t MODIFY f DATETIME(3)",
        &rounds,
    );
    assert_eq!(found[0], [text("2021-01-01 00:00:00.000")]);
    assert_eq!(found[1], [text("2020-12-31 23:59:58.124")]);
    assert_eq!(found[2], [Stored::Null]);
    let (_, found) = alter(create, insert, "ALTER TABLE t MODIFY f DATETIME(3)", &cuts);
    assert_eq!(found[0], [text("2020-12-31 23:59:59.999")]);
    let (_, found) = alter(create, insert, "ALTER TABLE t MODIFY f DATETIME", &cuts);
    assert_eq!(found[0], [text("2020-12-31 23:59:59")]);
}

#[test]
fn integers_are_clamped_where_the_server_was_not_strict() {
    let lax = SqlContext::new(Flavor::MySql, 80_400, "d");
    let (_, found) = alter(
        "CREATE TABLE t (a BIGINT UNSIGNED, b INT)",
        "INSERT INTO t VALUES ('18446744073709551615', -1), (7, 300)",
        "ALTER TABLE t MODIFY a BIGINT, MODIFY b TINYINT UNSIGNED",
        &lax,
    );
    assert_eq!(found[0], [Stored::Integer(i64::MAX), Stored::Integer(0)]);
    assert_eq!(found[1], [Stored::Integer(7), Stored::Integer(255)]);
}

#[test]
fn what_only_the_source_knows_is_said() {
    let create = "CREATE TABLE t (a FLOAT, b VARCHAR(10), c TIMESTAMP, d INT PRIMARY KEY)";
    for sql in [
        "ALTER TABLE t MODIFY a DOUBLE",
        "ALTER TABLE t MODIFY b INT",
        "ALTER TABLE t MODIFY c DATETIME",
        "ALTER TABLE t ADD g INT AS (d + 1) STORED",
        "ALTER TABLE t ADD u CHAR(36) DEFAULT (uuid())",
        "ALTER TABLE t ADD id INT AUTO_INCREMENT UNIQUE",
    ] {
        let before = table(create);
        let (after, origins) = altered(&before, sql, &context());
        let plan = alter_plan(
            &before,
            &after,
            &origins,
            "t",
            false,
            false,
            &AlterSession::default(),
        );
        assert!(matches!(plan, AlterPlan::NeedsSource(_)), "{sql}: {plan:?}");
    }
}

#[test]
fn metadata_alone_changes_nothing() {
    let before = table("CREATE TABLE t (id INT PRIMARY KEY, a INT)");
    let (after, origins) = altered(
        &before,
        "ALTER TABLE t ALTER a SET DEFAULT 5, COMMENT 'x', MODIFY id INT(11) AUTO_INCREMENT",
        &context(),
    );
    let plan = alter_plan(
        &before,
        &after,
        &origins,
        "t",
        true,
        false,
        &AlterSession::default(),
    );
    assert_eq!(
        plan,
        AlterPlan::Statements {
            steps: vec![],
            rowid_alias: true,
            rebuilds: false
        }
    );
}
