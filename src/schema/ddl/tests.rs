//! The parser as a whole: statements of every family, and the everyday corpus.

use super::statement::{AlterAction, TableElement, XaCommand};
use super::*;
use crate::binlog::xa_id::XaId;

fn xid(format_id: u32, global: &[u8], branch: &[u8]) -> XaId {
    XaId::new(format_id, global.into(), branch.into()).unwrap()
}

fn mysql() -> SqlContext {
    SqlContext::new(Flavor::MySql, 80_400, "shop")
}

fn mariadb() -> SqlContext {
    SqlContext::new(Flavor::MariaDb, 110_809, "shop")
}

fn alter_actions(sql: &str, context: &SqlContext) -> Vec<AlterAction> {
    match parse(sql, context).unwrap() {
        Statement::AlterTable(alter) => alter.actions,
        other => panic!("{other:?}"),
    }
}

/// Statements of the everyday corpus with their names.
fn everyday() -> Option<Vec<(String, String)>> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared/fixtures/sql/everyday/ddl.sql");
    let text = std::fs::read_to_string(path).ok()?;
    let statements = text.split("--@ ").skip(1).filter_map(|part| {
        let (name, sql) = part.split_once('\n')?;
        Some((name.to_owned(), sql.trim_end().to_owned()))
    });
    Some(statements.collect())
}

#[test]
fn everyday_corpus_is_understood() {
    let Some(corpus) = everyday() else {
        eprintln!("no ../shared/fixtures beside the checkout: nothing checked");
        return;
    };
    let mut failed = Vec::new();
    for (name, sql) in &corpus {
        let context = if name.contains("maria") {
            mariadb()
        } else {
            mysql()
        };
        match parse(sql, &context) {
            Ok(Statement::Unknown) => failed.push(format!("{name}: unknown")),
            Ok(_) => {}
            Err(error) => failed.push(format!("{name}: {error}")),
        }
    }
    println!(
        "{} of {} statements understood",
        corpus.len() - failed.len(),
        corpus.len()
    );
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(corpus.len() >= 100);
}

#[test]
fn transaction_words() {
    let context = mysql();
    let is =
        |sql, expected: Statement| assert_eq!(parse(sql, &context).unwrap(), expected, "{sql}");
    is("BEGIN", Statement::Begin);
    is("begin work", Statement::Begin);
    is("START TRANSACTION", Statement::Begin);
    is("COMMIT", Statement::Commit);
    is("commit /* x */", Statement::Commit);
    is("ROLLBACK", Statement::Rollback);
    is("ROLLBACK /* added */", Statement::Rollback);
    is("ROLLBACK TO `sp1`", Statement::RollbackTo("sp1".into()));
    is(
        "ROLLBACK WORK TO SAVEPOINT sp1",
        Statement::RollbackTo("sp1".into()),
    );
    is("SAVEPOINT `s p`", Statement::Savepoint("s p".into()));
    is(
        "RELEASE SAVEPOINT a",
        Statement::ReleaseSavepoint("a".into()),
    );
    is(
        "XA START X'7831',X'',1",
        Statement::Xa(XaCommand::Start(xid(1, b"x1", b""))),
    );
    is(
        "XA END X'7831',X'',1",
        Statement::Xa(XaCommand::End(xid(1, b"x1", b""))),
    );
    is(
        "XA COMMIT X'78',X'',1 ONE PHASE",
        Statement::Xa(XaCommand::Commit {
            xid: xid(1, b"x", b""),
            one_phase: true,
        }),
    );
    is(
        "XA ROLLBACK 'a'",
        Statement::Xa(XaCommand::Rollback(xid(1, b"a", b""))),
    );
    is(
        r"XA COMMIT 'r''1\\', 0x00FF , 4294967295",
        Statement::Xa(XaCommand::Commit {
            xid: xid(u32::MAX, br"r'1\", b"\x00\xff"),
            one_phase: false,
        }),
    );
    is(
        "xa start x'7831','b' resume",
        Statement::Xa(XaCommand::Start(xid(1, b"x1", b"b"))),
    );
    for bad in [
        "XA COMMIT",
        "XA COMMIT X'123'",
        "XA END 'a',",
        "XA END 'a','',-1",
    ] {
        assert!(parse(bad, &mysql()).is_err(), "{bad}");
    }
    assert!(matches!(
        parse("BEGIN NOT ATOMIC SELECT 1; END", &mariadb()).unwrap(),
        Statement::DataChange(_)
    ));
}

#[test]
fn what_changes_no_table_is_passed_over() {
    for sql in [
        "GRANT SELECT ON *.* TO x",
        "/*!50003 CREATE*/ /*!50017 DEFINER=`r`@`%`*/ /*!50003 TRIGGER t BEFORE INSERT ON x FOR EACH ROW SET @a='*/",
        "CREATE DEFINER=`table`@`%` PROCEDURE p() BEGIN CREATE TABLE t (a INT); END",
        "CREATE OR REPLACE ALGORITHM = MERGE DEFINER = 'a'@'b' SQL SECURITY INVOKER VIEW v AS SELECT 1",
        "CREATE TEMPORARY TABLE t (a INT)",
        "DROP /*!40005 TEMPORARY */ TABLE IF EXISTS `t`",
        "CREATE OR REPLACE TEMPORARY TABLE t (a INT)",
        "ALTER USER u IDENTIFIED BY 'x'",
        "DROP FUNCTION IF EXISTS f",
        "CREATE SPATIAL REFERENCE SYSTEM 4120 NAME 'x'",
        "CREATE AGGREGATE FUNCTION f RETURNS INT SONAME 'x'",
        "ALTER SEQUENCE s RESTART",
        "RENAME USER a TO b",
        "START SLAVE",
        "",
        "-- nothing",
        "(SELECT 1) UNION (SELECT 2)",
        "LOAD INDEX INTO CACHE t",
        "SET PASSWORD FOR u = 'x'",
    ] {
        let context = if sql.contains("SEQUENCE") {
            mariadb()
        } else {
            mysql()
        };
        match parse(sql, &context) {
            Ok(Statement::NoTableChange(_)) => {}
            other => panic!("{sql}: {other:?}"),
        }
    }
}

#[test]
fn statements_that_change_rows_are_told_apart() {
    for sql in [
        "INSERT INTO t VALUES (1)",
        "/* tool */ update t set a = 1",
        "WITH x AS (SELECT 1) DELETE FROM t",
        "REPLACE t VALUES (1)",
        "LOAD DATA INFILE 'x' INTO TABLE t",
        "CALL p()",
    ] {
        assert!(
            matches!(parse(sql, &mysql()), Ok(Statement::DataChange(_))),
            "{sql}"
        );
    }
    assert_eq!(
        parse("FROBNICATE TABLE t", &mysql()).unwrap(),
        Statement::Unknown
    );
}

#[test]
fn wrapped_statements_are_read() {
    let sql = "SET STATEMENT max_statement_time=(SELECT 1 FOR UPDATE), lock_wait_timeout=1 FOR DROP TABLE t";
    assert_eq!(parse(sql, &mariadb()).unwrap().databases("d"), ["d"]);
}

#[test]
fn tables_and_databases_of_a_statement() {
    let statement = parse("RENAME TABLE a TO b, db1.c TO db2.d, a TO x", &mysql()).unwrap();
    assert_eq!(statement.databases("shop"), ["shop", "db1", "db2"]);
    assert_eq!(statement.tables("shop").len(), 5);
    let statement = parse("ALTER TABLE db1.t RENAME TO u", &mysql()).unwrap();
    assert_eq!(statement.tables("shop"), [("db1", "t"), ("shop", "u")]);
    let statement = parse("ALTER SCHEMA CHARACTER SET latin1", &mysql()).unwrap();
    assert_eq!(statement.databases("shop"), ["shop"]);
    assert!(
        parse("FLUSH TABLES", &mysql())
            .unwrap()
            .databases("shop")
            .is_empty()
    );
}

#[test]
fn partition_actions_that_move_rows_come_out() {
    for (sql, wanted) in [
        ("ALTER TABLE t DROP PARTITION p0, p1", "DROP PARTITION"),
        ("ALTER TABLE t TRUNCATE PARTITION ALL", "TRUNCATE PARTITION"),
        (
            "ALTER TABLE t EXCHANGE PARTITION p WITH TABLE db2.o WITHOUT VALIDATION",
            "EXCHANGE PARTITION",
        ),
        (
            "ALTER TABLE t IMPORT PARTITION p TABLESPACE",
            "IMPORT PARTITION",
        ),
        ("ALTER TABLE t DISCARD TABLESPACE", "DISCARD TABLESPACE"),
    ] {
        match alter_actions(sql, &mysql()).as_slice() {
            [AlterAction::PartitionRows { what, .. }] => assert_eq!(*what, wanted),
            other => panic!("{sql}: {other:?}"),
        }
    }
    for sql in [
        "ALTER TABLE t REMOVE PARTITIONING",
        "ALTER TABLE t ADD PARTITION (PARTITION p VALUES LESS THAN (1))",
        "ALTER TABLE t PARTITION BY HASH (a) PARTITIONS 4",
        "ALTER TABLE t ANALYZE PARTITION p, q",
        "ALTER TABLE t ORDER BY a DESC, b.c, d",
        "ALTER TABLE t ENGINE_ATTRIBUTE = '{}', ALGORITHM = INSTANT",
    ] {
        assert_eq!(alter_actions(sql, &mysql()), [], "{sql}");
    }
    assert_eq!(
        alter_actions("ALTER TABLE t ORDER BY a, b, DROP COLUMN c", &mysql()).len(),
        1
    );
}

#[test]
fn errors_name_the_table() {
    let error = parse("ALTER TABLE d.t ADD COLUMN a FROB", &mysql()).unwrap_err();
    assert_eq!(error.at().table.as_deref(), Some("d.t"));
    assert!(error.to_string().contains("FROB"), "{error}");
    assert!(parse("CREATE TABLE t (a INT", &mysql()).is_err());
    assert!(parse("CREATE TABLE t (a INT 'x)", &mysql()).is_err());
    assert!(parse_bytes(b"DROP TABLE \xff", &mysql()).is_err());
}

#[test]
fn create_table_select_in_both_shapes() {
    for (sql, select) in [
        ("CREATE TABLE t (SELECT 1)", true),
        ("CREATE TABLE t (a INT) REPLACE AS (SELECT 1)", true),
        (
            "CREATE TABLE t (a INT) PARTITION BY HASH (a) AS SELECT 1",
            true,
        ),
        (
            "CREATE TABLE t AS WITH x AS (SELECT 1) SELECT * FROM x",
            true,
        ),
        ("CREATE TABLE t TABLE s", true),
        (
            "CREATE TABLE `t` (`a` int NOT NULL) START TRANSACTION",
            false,
        ),
        ("CREATE TABLE t (a INT) WITH SYSTEM VERSIONING", false),
    ] {
        match parse(sql, &mysql()).unwrap() {
            Statement::CreateTable(create) => assert_eq!(create.select, select, "{sql}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn keys_written_behind_columns_keep_their_order() {
    let sql = "CREATE TABLE t (id SERIAL, a INT UNIQUE REFERENCES p(x), KEY (a), PRIMARY KEY (id))";
    let Statement::CreateTable(create) = parse(sql, &mysql()).unwrap() else {
        panic!()
    };
    let kinds: Vec<&str> = create
        .elements
        .iter()
        .map(|element| match element {
            TableElement::Column(_) => "column",
            TableElement::Key(key) if key.kind.is_none() => "primary",
            TableElement::Key(_) => "key",
            TableElement::ForeignKey(_) => "foreign",
            TableElement::SystemPeriod(..) | TableElement::ApplicationPeriod(..) => "period",
        })
        .collect();
    assert_eq!(
        kinds,
        [
            "column", "key", "column", "key", "foreign", "key", "primary"
        ]
    );
}
