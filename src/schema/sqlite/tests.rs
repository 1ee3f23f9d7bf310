//! The statements run on a real SQLite: what is stored stays as it was bound, and altered tables are those that a
//! fresh CREATE TABLE would make.

mod alter;

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

/// The text of all statements that make a table's indexes.
fn index_sql(table: &Table) -> Vec<String> {
    let steps = create_indexes(table, "t").into_iter();
    steps.map(|step| step.sql).collect()
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
    for step in create_indexes(table, &table.name) {
        connection.execute_batch(&step.sql).unwrap();
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
        index_sql(&table),
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
        index_sql(&prefix),
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
    for step in rebuild_without_rowid_alias(&table, "t") {
        connection.execute_batch(&step.sql).unwrap();
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
