//! The statements run on a real SQLite: what is stored stays as it was bound, and altered tables are those that a
//! fresh CREATE TABLE would make.

use std::sync::Arc;

use rusqlite::Connection;
use rusqlite::types::Value as Stored;

use super::*;
use crate::schema::collation;
use crate::schema::ddl::{Flavor, SqlContext, parse};
use crate::schema::effect::{Catalog, Change, ColumnOrigin, effect};
use crate::schema::table::{Collation, Table};

struct One(Option<Arc<Table>>);

impl Catalog for One {
    fn table(&self, _: &str, name: &str) -> Option<Arc<Table>> {
        self.0.clone().filter(|table| table.name == name)
    }

    fn database_collation(&self, _: &str) -> Option<Collation> {
        collation::by_name("utf8mb4_general_ci")
    }
}

fn context() -> SqlContext {
    SqlContext {
        sql_mode: 1 << 21,
        ..SqlContext::new(Flavor::MySql, 80_400, "d")
    }
}

fn table_in(sql: &str, context: &SqlContext) -> Table {
    match effect(&parse(sql, context).unwrap(), context, &One(None))
        .unwrap()
        .remove(0)
    {
        Change::CreateTable { table, .. } => table,
        other => panic!("{other:?}"),
    }
}

fn table(sql: &str) -> Table {
    table_in(sql, &context())
}

fn altered(before: &Table, sql: &str, context: &SqlContext) -> (Table, Vec<ColumnOrigin>) {
    let catalog = One(Some(Arc::new(before.clone())));
    match effect(&parse(sql, context).unwrap(), context, &catalog)
        .unwrap()
        .remove(0)
    {
        Change::AlterTable { after, origins, .. } => (after, origins),
        other => panic!("{other:?}"),
    }
}

fn create(connection: &Connection, table: &Table, rowid_alias: bool) {
    connection
        .execute_batch(&create_table_sql(table, &table.name, rowid_alias))
        .unwrap();
    for sql in create_index_sql(table, &table.name) {
        connection.execute_batch(&sql).unwrap();
    }
}

fn rows(connection: &Connection, sql: &str) -> Vec<Vec<Stored>> {
    let mut statement = connection.prepare(sql).unwrap();
    let width = statement.column_count();
    let rows = statement
        .query_map([], |row| {
            (0..width).map(|n| row.get::<_, Stored>(n)).collect()
        })
        .unwrap();
    rows.map(Result::unwrap).collect()
}

/// Columns, indexes and their columns as SQLite sees them; the text of CREATE TABLE may differ.
fn shape(connection: &Connection, table: &str) -> Vec<String> {
    let mut all = Vec::new();
    for sql in [
        format!("SELECT name, type, pk FROM pragma_table_info('{table}')"),
        format!(
            "SELECT name, \"unique\" FROM pragma_index_list('{table}') WHERE origin = 'c' ORDER BY name"
        ),
        format!(
            "SELECT l.name, i.name, i.desc, i.coll FROM pragma_index_list('{table}') l, \
             pragma_index_xinfo(l.name) i ORDER BY l.name, i.seqno"
        ),
    ] {
        all.extend(rows(connection, &sql).iter().map(|row| format!("{row:?}")));
    }
    all
}

#[test]
fn every_declared_type_is_a_type_to_sqlite() {
    let table = table(
        "CREATE TABLE t (a TINYINT UNSIGNED, b DECIMAL(9,2) UNSIGNED, c FLOAT UNSIGNED, d DOUBLE(9,2) UNSIGNED ZEROFILL, \
         e BIGINT UNSIGNED, f BIT(3), g TIME(2), h VARCHAR(9), i DECIMAL(15,0) UNSIGNED ZEROFILL)",
    );
    assert_eq!(declared_type(&table.columns[1].ty), "DECIMAL UNSIGNED(9,2)");
    create(&Connection::open_in_memory().unwrap(), &table, false);
}

#[test]
fn values_stay_as_they_are_bound() {
    let table = table(
        "CREATE TABLE t (i INT, bu BIGINT UNSIGNED, b63 BIT(63), b64 BIT(64), y YEAR, f FLOAT, d DOUBLE, \
         n15 DECIMAL(15,4), n20 DECIMAL(20,4), c CHAR(5), v VARCHAR(5), tx TEXT, e ENUM('mint','1'), \
         s SET('1','2'), j JSON, da DATE, ti TIME(3), dt DATETIME(6), ts TIMESTAMP, bi BINARY(4), \
         vb VARBINARY(4), bl LONGBLOB, p POINT, ls LINESTRING, ve VECTOR(3))",
    );
    let connection = Connection::open_in_memory().unwrap();
    create(&connection, &table, false);
    let text = |t: &str| Stored::Text(t.to_owned());
    let cases: [(&str, Stored); 37] = [
        ("i", Stored::Integer(-5)),
        ("bu", Stored::Integer(i64::MAX)),
        ("bu", text("18446744073709551615")),
        ("bu", text("9223372036854775808")),
        ("b63", Stored::Integer(i64::MAX)),
        ("b64", text("18446744073709551615")),
        ("y", Stored::Integer(0)),
        ("f", Stored::Real(0.1)),
        ("f", Stored::Real(3.0)),
        ("d", Stored::Real(1e300)),
        ("n15", Stored::Real(12345678901.2345)),
        ("n15", Stored::Integer(12)),
        ("n20", text("1234567890123456.7890")),
        ("n20", Stored::Real(1.5)),
        ("c", text("0123")),
        ("v", text("1e5")),
        ("tx", text("42")),
        ("e", text("1")),
        ("e", text("mint")),
        ("e", text("")),
        ("s", text("1")),
        ("j", text("5")),
        ("j", text("1.50")),
        ("da", text("0000-00-00")),
        ("da", text("2020-02-00")),
        ("ti", text("-838:59:59.000")),
        ("ti", text("00:00:00.000")),
        ("dt", text("0000-00-00 00:00:00.000000")),
        ("ts", text("1970-01-01 00:00:01")),
        ("ts", text("0000-00-00 00:00:00")),
        ("bi", Stored::Blob(b"12\0\0".to_vec())),
        ("vb", Stored::Blob(b"12".to_vec())),
        ("bl", Stored::Blob(Vec::new())),
        ("p", Stored::Blob(b"1".to_vec())),
        ("ls", Stored::Blob(b"1".to_vec())),
        ("ve", Stored::Blob(vec![0; 12])),
        ("v", Stored::Blob(vec![0xff])),
    ];
    for (column, value) in cases {
        connection.execute("DELETE FROM t", []).unwrap();
        connection
            .execute(&format!("INSERT INTO t ({column}) VALUES (?1)"), [&value])
            .unwrap();
        let found = rows(&connection, &format!("SELECT {column} FROM t"))
            .remove(0)
            .remove(0);
        assert_eq!(found, value, "{column}");
        if let (Stored::Real(a), Stored::Real(b)) = (&found, &value) {
            assert_eq!(a.to_bits(), b.to_bits(), "{column}");
        }
    }
}

#[test]
fn declared_types_have_the_affinity_they_need() {
    let table = table(
        "CREATE TABLE t (a TINYINT UNSIGNED, b POINT, c ENUM('int'), d JSON, e BIGINT UNSIGNED, f DECIMAL(16,2), \
         g DATETIME(3), h VARCHAR(9) COLLATE utf8mb4_bin, i TINYTEXT, j MEDIUMBLOB, k FLOAT)",
    );
    let found: Vec<Affinity> = table
        .columns
        .iter()
        .map(|column| affinity(&declared_type(&column.ty)))
        .collect();
    use Affinity::{Blob, Integer, Numeric, Real, Text};
    assert_eq!(
        found,
        [
            Integer, Blob, Text, Text, Blob, Blob, Numeric, Text, Text, Blob, Real
        ]
    );
    assert_eq!(column_definition(&table.columns[7]), "\"h\" VARCHAR(9)");
    assert_eq!(
        column_definition(&table.columns[8]),
        "\"i\" TINYTEXT COLLATE NOCASE"
    );
}

#[test]
fn keys_and_indexes() {
    let table = table(
        "CREATE TABLE t (id INT UNSIGNED PRIMARY KEY, a VARCHAR(20), b TEXT, c INT, UNIQUE (a), UNIQUE u (a(5)), \
         KEY k (c DESC, a), KEY p (c, b(10)), FULLTEXT (b), KEY f ((c + 1)), UNIQUE (id))",
    );
    assert!(has_rowid_alias(&table));
    assert_eq!(
        create_index_sql(&table, "t"),
        [
            "CREATE UNIQUE INDEX \"ix:t:a\" ON \"t\" (\"a\")",
            "CREATE INDEX \"ix:t:u\" ON \"t\" (\"a\")",
            "CREATE INDEX \"ix:t:k\" ON \"t\" (\"c\" DESC, \"a\")",
            "CREATE INDEX \"ix:t:p\" ON \"t\" (\"c\")",
        ]
    );
    let connection = Connection::open_in_memory().unwrap();
    create(&connection, &table, true);
    connection
        .execute("INSERT INTO t (id, a) VALUES (0, 'x')", [])
        .unwrap();
    assert_eq!(
        rows(&connection, "SELECT rowid FROM t WHERE a = 'X'"),
        [[Stored::Integer(0)]]
    );
    assert!(
        connection
            .execute("INSERT INTO t (id, a) VALUES (1, 'X')", [])
            .is_err()
    );
}

#[test]
fn keys_that_sqlite_cannot_have() {
    let prefix = table("CREATE TABLE t (a VARCHAR(50), b INT, PRIMARY KEY (a(10), b))");
    assert!(!has_rowid_alias(&prefix));
    assert!(!create_table_sql(&prefix, "t", false).contains("PRIMARY"));
    assert_eq!(
        create_index_sql(&prefix, "t"),
        ["CREATE INDEX \"ix:t:PRIMARY\" ON \"t\" (\"a\", \"b\")"]
    );
    let composite = table("CREATE TABLE t (a VARCHAR(50), b INT, PRIMARY KEY (b, a))");
    assert!(create_table_sql(&composite, "t", false).contains("PRIMARY KEY (\"b\", \"a\")"));
}

#[test]
fn unsigned_keys_give_up_the_rowid() {
    let table = table("CREATE TABLE t (id BIGINT UNSIGNED PRIMARY KEY, v INT, KEY (v))");
    assert!(
        has_rowid_alias(&table) && is_unsigned_bigint(&table, 0) && !is_unsigned_bigint(&table, 1)
    );
    let connection = Connection::open_in_memory().unwrap();
    create(&connection, &table, true);
    connection
        .execute_batch("INSERT INTO t VALUES (1, 2)")
        .unwrap();
    assert!(
        connection
            .execute("INSERT INTO t VALUES ('18446744073709551615', 3)", [])
            .is_err()
    );
    for sql in rebuild_without_rowid_alias(&table, "t") {
        connection.execute_batch(&sql).unwrap();
    }
    connection
        .execute("INSERT INTO t VALUES ('18446744073709551615', 3)", [])
        .unwrap();
    assert_eq!(rows(&connection, "SELECT typeof(id) FROM t").len(), 2);
    assert!(
        connection
            .execute("INSERT INTO t VALUES (1, 3)", [])
            .is_err()
    );
}

#[test]
fn reserved_and_odd_names() {
    assert_eq!(sqlite_name("orders"), "orders");
    assert_eq!(sqlite_name("SQLite_x"), "~SQLite_x");
    assert_eq!(sqlite_name("_relaylite_catalog"), "~_relaylite_catalog");
    assert_eq!(sqlite_name("~a"), "~~a");
    assert_eq!(sqlite_name("ix:t:a"), "~ix:t:a");
    assert_eq!(quote_identifier("a\"b"), "\"a\"\"b\"");
    assert_eq!(quote_text("it's"), "'it''s'");
    let table = table(
        "CREATE TABLE `a\"b 'c'` (`x\"y` INT PRIMARY KEY, `select` VARCHAR(3), KEY `k\"'` (`select`))",
    );
    let connection = Connection::open_in_memory().unwrap();
    create(&connection, &table, true);
}

#[test]
fn defaults_of_absent_columns() {
    let table = table(
        "CREATE TABLE t (a INT NOT NULL DEFAULT 5, b INT, c VARCHAR(5) NOT NULL DEFAULT 'it''s', \
         d DECIMAL(20,2) DEFAULT 1.5, e DECIMAL(30,2) DEFAULT '1234567890123456789.50', f DOUBLE DEFAULT 2, \
         g DATETIME DEFAULT '2020-01-01', h BINARY(3) DEFAULT 'a', i ENUM('x','y') NOT NULL, j BIT(4) DEFAULT b'101', \
         k BIGINT UNSIGNED DEFAULT 18446744073709551615, l TIMESTAMP DEFAULT CURRENT_TIMESTAMP, \
         m CHAR(36) DEFAULT (uuid()), n YEAR NOT NULL DEFAULT 2020, o DECIMAL(5,2) DEFAULT 0)",
    );
    let found: Vec<String> = table
        .columns
        .iter()
        .map(|column| default_literal(column).unwrap_or_else(|_| "error".to_owned()))
        .collect();
    assert_eq!(
        found,
        [
            "5",
            "NULL",
            "'it''s'",
            "1.50",
            "'1234567890123456789.50'",
            "2.0",
            "'2020-01-01 00:00:00'",
            "x'610000'",
            "'x'",
            "5",
            "'18446744073709551615'",
            "error",
            "error",
            "2020",
            "0"
        ]
    );
}

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
        sql,
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
        for statement in &sql {
            connection
                .execute_batch(statement)
                .unwrap_or_else(|error| panic!("{statement}: {error}"));
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
        "{sql:#?}"
    );
    assert_eq!(
        shape(&reader, &after.name),
        shape(&fresh, &after.name),
        "{sql:#?}"
    );
    assert_eq!(
        rows(&reader, "PRAGMA integrity_check"),
        [[Stored::Text("ok".to_owned())]],
        "{sql:#?}"
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
    let (_, found) = alter(
        create,
        insert,
        "ALTER TABLE t DROP PRIMARY KEY, ADD id INT AUTO_INCREMENT PRIMARY KEY FIRST",
        &context(),
    );
    assert_eq!(found[0][..2], [Stored::Integer(1), Stored::Integer(1)]);
    assert_eq!(found[1][..2], [Stored::Integer(2), Stored::Integer(2)]);
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
    let create = "CREATE TABLE t (a FLOAT, b VARCHAR(10), c TIMESTAMP, d INT)";
    for sql in [
        "ALTER TABLE t MODIFY a DOUBLE",
        "ALTER TABLE t MODIFY b INT",
        "ALTER TABLE t MODIFY c DATETIME",
        "ALTER TABLE t ADD g INT AS (d + 1) STORED",
        "ALTER TABLE t ADD u CHAR(36) DEFAULT (uuid())",
        "ALTER TABLE t ADD id INT AUTO_INCREMENT PRIMARY KEY",
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
            sql: vec![],
            rowid_alias: true,
            rebuilds: false
        }
    );
}
