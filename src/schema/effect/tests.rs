//! Effects on a small catalog in memory, step by step as a lane would apply them.

use std::collections::HashMap;
use std::sync::Arc;

use super::*;
use crate::schema::collation;
use crate::schema::ddl::{Flavor, parse};
use crate::schema::table::{ColumnType, DefaultValue, KeyPart};

/// Applies changes to definitions.
struct Memory {
    context: SqlContext,
    tables: HashMap<(String, String), Arc<Table>>,
}

impl Catalog for Memory {
    fn table(&self, database: &str, name: &str) -> Option<Arc<Table>> {
        self.tables
            .get(&(database.to_owned(), name.to_owned()))
            .cloned()
    }

    fn database_collation(&self, database: &str) -> Option<Collation> {
        (database == "d").then(|| collation::by_name("latin1_swedish_ci").unwrap())
    }
}

impl Memory {
    fn new(flavor: Flavor, version: u32) -> Self {
        Self {
            context: SqlContext::new(flavor, version, "d"),
            tables: HashMap::new(),
        }
    }

    fn mysql() -> Self {
        Self::new(Flavor::MySql, 80_400)
    }

    fn mariadb() -> Self {
        Self::new(Flavor::MariaDb, 101_119)
    }

    fn run(&mut self, sql: &str) -> Vec<Change> {
        let changes = effect(&parse(sql, &self.context).unwrap(), &self.context, self).unwrap();
        for change in &changes {
            match change.clone() {
                Change::CreateTable { database, table } => {
                    self.tables
                        .insert((database, table.name.clone()), Arc::new(table));
                }
                Change::DropTable { database, name } => {
                    self.tables.remove(&(database, name));
                }
                Change::AlterTable {
                    database, after, ..
                } => {
                    self.tables
                        .insert((database, after.name.clone()), Arc::new(after));
                }
                Change::RenameTable { from, to } => {
                    if let Some(table) = self.tables.remove(&from) {
                        let table = Table {
                            name: to.1.clone(),
                            ..table.as_ref().clone()
                        };
                        self.tables.insert(to, Arc::new(table));
                    }
                }
                _ => {}
            }
        }
        changes
    }

    fn get(&self, name: &str) -> Arc<Table> {
        self.table("d", name).unwrap()
    }

    fn names(&self, table: &str) -> Vec<String> {
        self.get(table)
            .columns
            .iter()
            .map(|column| column.name.clone())
            .collect()
    }

    fn index_names(&self, table: &str) -> Vec<String> {
        self.get(table)
            .indexes
            .iter()
            .map(|index| index.name.clone())
            .collect()
    }
}

fn origins(changes: &[Change]) -> Vec<ColumnOrigin> {
    match changes {
        [Change::AlterTable { origins, .. }, ..] => origins.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn charsets_are_inherited() {
    let mut db = Memory::mysql();
    db.run(
        "CREATE TABLE t (a CHAR(3), b TEXT CHARACTER SET utf8mb4, c VARCHAR(3) COLLATE utf8mb4_bin, \
         d VARCHAR(3) BINARY, e ENUM('x') CHARACTER SET binary, f CHAR(3) CHARACTER SET binary, g NCHAR(3), \
         h TEXT BYTE, i CHAR(3) ASCII, j VARCHAR(3) CHARACTER SET utf8 COLLATE utf8_bin) COLLATE utf8mb3_polish_ci",
    );
    let table = db.get("t");
    let found: Vec<&str> = table
        .columns
        .iter()
        .map(|column| {
            column
                .ty
                .collation()
                .map_or("-", |collation| collation.name.as_str())
        })
        .collect();
    assert_eq!(
        found,
        [
            "utf8mb3_polish_ci",
            "utf8mb4_0900_ai_ci",
            "utf8mb4_bin",
            "utf8mb3_bin",
            "binary",
            "-",
            "utf8mb3_general_ci",
            "-",
            "latin1_swedish_ci",
            "utf8mb3_bin"
        ]
    );
    assert_eq!(table.columns[5].ty, ColumnType::Binary { length: 3 });
    assert_eq!(table.columns[7].ty, ColumnType::Blob { length_bytes: 2 });
}

#[test]
fn sizes_choose_the_type() {
    let mut db = Memory::mysql();
    db.run(
        "CREATE TABLE t (a TEXT(100), b TEXT(100) CHARACTER SET utf8mb4, c BLOB(70000), d VARCHAR(70000), \
         e VARCHAR(20000) CHARACTER SET utf8mb4, f VARBINARY(70000))",
    );
    let found: Vec<String> = db
        .get("t")
        .columns
        .iter()
        .map(|column| crate::schema::sqlite::declared_type(&column.ty))
        .collect();
    assert_eq!(
        found,
        [
            "TINYTEXT",
            "TEXT",
            "MEDIUMBLOB",
            "MEDIUMTEXT",
            "MEDIUMTEXT",
            "MEDIUMBLOB"
        ]
    );
    db.run("ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4");
    let found: Vec<String> = db
        .get("t")
        .columns
        .iter()
        .map(|column| crate::schema::sqlite::declared_type(&column.ty))
        .collect();
    assert_eq!(
        found,
        [
            "TEXT",
            "TEXT",
            "MEDIUMBLOB",
            "LONGTEXT",
            "MEDIUMTEXT",
            "MEDIUMBLOB"
        ]
    );
}

#[test]
fn names_of_indexes_are_the_servers() {
    let mut db = Memory::mysql();
    db.run(
        "CREATE TABLE t (id INT PRIMARY KEY, a INT UNIQUE, b INT, KEY (a), KEY (a, b), KEY ((a + 1)), KEY ((a + 2)), \
         CONSTRAINT cu UNIQUE (b), FOREIGN KEY (b) REFERENCES p (id), CONSTRAINT fk FOREIGN KEY (id, b) REFERENCES p (x, y))",
    );
    assert_eq!(
        db.index_names("t"),
        [
            "a",
            "a_2",
            "a_3",
            "functional_index",
            "functional_index_2",
            "cu",
            "fk"
        ]
    );
    let keys: Vec<_> = db
        .get("t")
        .foreign_keys
        .iter()
        .map(|key| key.name.clone().unwrap())
        .collect();
    assert_eq!(keys, ["t_ibfk_1", "fk"]);
    db.run("ALTER TABLE t DROP FOREIGN KEY t_ibfk_1, ADD FOREIGN KEY x (a) REFERENCES p (id), DROP INDEX a_2, ADD KEY (a)");
    assert_eq!(db.index_names("t").last().unwrap(), "a_2");
    assert_eq!(
        db.get("t").foreign_keys[1].name.as_deref(),
        Some("t_ibfk_1")
    );
}

#[test]
fn keys_make_columns_not_null() {
    let mut db = Memory::mysql();
    db.run("CREATE TABLE t (id SERIAL, a INT, b INT, PRIMARY KEY (a, B))");
    let nullable: Vec<bool> = db
        .get("t")
        .columns
        .iter()
        .map(|column| column.nullable)
        .collect();
    assert_eq!(nullable, [false, false, false]);
    assert_eq!(db.get("t").primary_key[1].column(), Some("b"));
    let changes = db.run("ALTER TABLE t DROP PRIMARY KEY, MODIFY a INT, ADD PRIMARY KEY (b)");
    assert!(matches!(
        origins(&changes)[1],
        ColumnOrigin::Kept {
            from: 1,
            converted: false
        }
    ));
    assert!(db.get("t").columns[1].nullable);
}

#[test]
fn timestamps_without_explicit_defaults() {
    let mut db = Memory::new(Flavor::MySql, 50_744);
    db.run("CREATE TABLE t (a TIMESTAMP, b TIMESTAMP, c TIMESTAMP NULL, d DATETIME)");
    let table = db.get("t");
    let nullable: Vec<bool> = table.columns.iter().map(|column| column.nullable).collect();
    assert_eq!(nullable, [false, false, true, true]);
    assert_eq!(
        table.columns[0].default,
        Some(DefaultValue::CurrentTimestamp(0))
    );
    let zero = DefaultValue::Literal("0000-00-00 00:00:00".to_owned());
    assert_eq!(table.columns[1].default, Some(zero));
    db.run("ALTER TABLE t ADD e TIMESTAMP FIRST, ADD f TIMESTAMP");
    let default = |name: &str| db.get("t").column(name).unwrap().default.clone();
    assert_eq!(default("e"), Some(DefaultValue::CurrentTimestamp(0)));
    assert_ne!(default("f"), Some(DefaultValue::CurrentTimestamp(0)));
    db.context.explicit_defaults_for_timestamp = Some(true);
    db.run("CREATE TABLE u (a TIMESTAMP)");
    assert!(db.get("u").columns[0].nullable);
}

#[test]
fn columns_move_and_swap_names() {
    let mut db = Memory::mysql();
    db.run("CREATE TABLE t (a INT, b INT, c INT, d INT, KEY ab (a, b))");
    let changes = db.run(
        "ALTER TABLE t RENAME COLUMN a TO b, CHANGE b a BIGINT, MODIFY d INT FIRST, ADD e INT AFTER d, DROP c, \
         ADD (f INT, g INT)",
    );
    assert_eq!(db.names("t"), ["d", "e", "b", "a", "f", "g"]);
    let kept = |from| ColumnOrigin::Kept {
        from,
        converted: from == 1,
    };
    let new = || ColumnOrigin::New { fill: Fill::Null };
    assert_eq!(
        origins(&changes),
        [kept(3), new(), kept(0), kept(1), new(), new()]
    );
    let parts: Vec<_> = db.get("t").indexes[0]
        .parts
        .iter()
        .filter_map(KeyPart::column)
        .map(str::to_owned)
        .collect();
    assert_eq!(parts, ["b", "a"]);
    db.run("ALTER TABLE t DROP a, DROP b");
    assert!(db.get("t").indexes.is_empty());
}

#[test]
fn alter_of_a_missing_column_is_an_error() {
    let mut db = Memory::mariadb();
    db.run("CREATE TABLE t (a INT)");
    db.run("ALTER TABLE t DROP COLUMN IF EXISTS x, MODIFY COLUMN IF EXISTS y INT, ADD COLUMN IF NOT EXISTS a TEXT");
    assert_eq!(db.names("t"), ["a"]);
    let statement = parse("ALTER TABLE t DROP x", &db.context).unwrap();
    let error = effect(&statement, &db.context, &db).unwrap_err();
    assert_eq!(error.at().table.as_deref(), Some("d.t"));
}

#[test]
fn new_columns_are_filled() {
    let mut db = Memory::mysql();
    db.run("CREATE TABLE t (a INT)");
    let changes = db.run(
        "ALTER TABLE t ADD b INT NOT NULL, ADD c ENUM('x','y') NOT NULL, ADD d DATETIME(3) DEFAULT NOW(3), \
         ADD e INT AS (a) STORED, ADD f DECIMAL(5,2) NOT NULL DEFAULT 1, ADD g CHAR(36) DEFAULT (uuid())",
    );
    let literal = |text: &str| Fill::Value(DefaultValue::Literal(text.to_owned()));
    let fills: Vec<Fill> = origins(&changes)
        .into_iter()
        .filter_map(|origin| match origin {
            ColumnOrigin::New { fill } => Some(fill),
            ColumnOrigin::Kept { .. } => None,
        })
        .collect();
    assert_eq!(
        fills[..3],
        [literal("0"), literal("x"), Fill::StatementTime { fsp: 3 }]
    );
    assert!(matches!(fills[3], Fill::NeedsSource(_)));
    assert_eq!(fills[4], literal("1.00"));
    assert!(matches!(fills[5], Fill::NeedsSource(_)));
}

#[test]
fn system_versioning_adds_hidden_columns_and_key_parts() {
    let mut db = Memory::mariadb();
    db.run("CREATE TABLE t (a INT PRIMARY KEY, b INT, UNIQUE (b)) WITH SYSTEM VERSIONING");
    assert_eq!(db.names("t"), ["a", "b", "row_start", "row_end"]);
    assert_eq!(db.get("t").primary_key.len(), 2);
    assert_eq!(db.get("t").indexes[0].parts.len(), 2);
    db.run("ALTER TABLE t ADD c INT, ADD d INT FIRST");
    assert_eq!(db.names("t"), ["d", "a", "b", "c", "row_start", "row_end"]);
    db.run(
        "CREATE TABLE p (a INT, s TIMESTAMP(6) GENERATED ALWAYS AS ROW START, e TIMESTAMP(6) GENERATED ALWAYS AS ROW END, \
         b INT, PERIOD FOR SYSTEM_TIME (s, e)) WITH SYSTEM VERSIONING",
    );
    assert_eq!(db.names("p"), ["a", "s", "e", "b"]);
    assert!(!db.get("p").columns[1].nullable);
    let changes = db.run("ALTER TABLE t DROP SYSTEM VERSIONING");
    // Before anything else: with past rows in it, the table cannot have its former key.
    assert!(matches!(changes[..], [Change::Unsupported { .. }]));
}

#[test]
fn renames_work_step_by_step() {
    let mut db = Memory::mysql();
    db.run("CREATE TABLE a (x INT)");
    db.run("CREATE TABLE b (y INT)");
    db.run("RENAME TABLE a TO tmp, b TO a, tmp TO b");
    assert_eq!(db.names("a"), ["y"]);
    assert_eq!(db.names("b"), ["x"]);
    let changes = db.run("ALTER TABLE a ADD z INT, RENAME TO e.c");
    assert_eq!(changes.len(), 2);
    assert!(db.table("e", "c").is_some());
}

#[test]
fn create_in_other_ways() {
    let mut db = Memory::mysql();
    db.run(
        "CREATE TABLE a (x INT REFERENCES p (y), CONSTRAINT f FOREIGN KEY (x) REFERENCES e.p (y))",
    );
    db.run("CREATE TABLE b LIKE a");
    assert_eq!(db.get("b").indexes, db.get("a").indexes);
    assert!(db.get("b").foreign_keys.is_empty());
    assert_eq!(db.get("a").foreign_keys.len(), 1);
    assert!(db.run("CREATE TABLE IF NOT EXISTS a (z INT)").is_empty());
    let changes = db.run("CREATE TABLE c SELECT 1");
    assert!(matches!(changes[0], Change::Unsupported { .. }));
    let changes = db.run("CREATE TABLE c LIKE unknown");
    assert!(matches!(changes[0], Change::Unsupported { .. }));
    let mut db = Memory::mariadb();
    assert_eq!(db.run("CREATE OR REPLACE TABLE a (x JSON)").len(), 2);
    assert_eq!(
        db.get("a").columns[0].ty.collation().unwrap().name,
        "utf8mb4_bin"
    );
}

#[test]
fn databases() {
    let mut db = Memory::mysql();
    db.context.collation_server = Some(8);
    let collation_of = |changes: Vec<Change>| match changes.last() {
        Some(
            Change::CreateDatabase { collation, .. } | Change::AlterDatabase { collation, .. },
        ) => collation.name.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        collation_of(db.run("CREATE DATABASE x")),
        "latin1_swedish_ci"
    );
    assert_eq!(
        collation_of(db.run("CREATE DATABASE x CHARSET utf8mb4")),
        "utf8mb4_0900_ai_ci"
    );
    assert_eq!(
        collation_of(db.run("ALTER DATABASE COLLATE utf8mb4_bin")),
        "utf8mb4_bin"
    );
    assert!(db.run("CREATE DATABASE IF NOT EXISTS d").is_empty());
    assert_eq!(
        db.run("DROP DATABASE d"),
        [Change::DropDatabase {
            name: "d".to_owned()
        }]
    );
}

#[test]
fn what_moves_rows_in_silence_is_not_supported() {
    let mut db = Memory::mysql();
    db.run("CREATE TABLE t (a INT)");
    let changes = db.run("ALTER TABLE t EXCHANGE PARTITION p WITH TABLE e.o");
    assert_eq!(changes.len(), 2);
    assert!(matches!(&changes[1], Change::Unsupported { database, .. } if database == "e"));
    let changes = db.run("ALTER TABLE nobody ADD c INT");
    assert!(matches!(changes[0], Change::NotKnown { .. }));
    assert!(db.run("ALTER TABLE t ENGINE = InnoDB, FORCE").is_empty());
    let mut db = Memory::mariadb();
    db.run("CREATE TABLE t (a INT)");
    db.run("CREATE TABLE u (a INT)");
    let changes = db.run("ALTER TABLE t CONVERT TABLE u TO PARTITION p VALUES LESS THAN (5)");
    assert!(matches!(&changes[1], Change::DropTable { name, .. } if name == "u"));
}

#[test]
fn a_table_and_a_sequence_take_each_others_place() {
    let mut db = Memory::mariadb();
    db.run("CREATE TABLE t (a INT)");
    assert!(db.run("CREATE SEQUENCE IF NOT EXISTS t").is_empty());
    let changes = db.run("CREATE OR REPLACE SEQUENCE t START 5");
    assert!(matches!(changes[..], [Change::DropTable { .. }]));
    db.run("CREATE TABLE t (a INT)");
    let changes = db.run("ALTER TABLE t COMMENT 'x', SEQUENCE = 1");
    assert!(matches!(changes[..], [Change::DropTable { .. }]));
    assert!(db.run("CREATE TABLE s (a INT) SEQUENCE = 1").is_empty());
    let changes = db.run("ALTER TABLE s SEQUENCE = 0");
    assert!(matches!(changes[0], Change::Unsupported { .. }));
}

/// What MariaDB 10.5 and 10.11 made of these statements.
#[test]
fn the_later_charset_word_wins_on_older_mariadbs() {
    let collations = |version: u32| {
        let mut db = Memory::new(Flavor::MariaDb, version);
        db.run("CREATE TABLE a (x TEXT) COLLATE latin1_bin CHARACTER SET latin1");
        db.run("CREATE TABLE b (x TEXT) CHARACTER SET utf8mb4 COLLATE DEFAULT");
        db.run("CREATE TABLE c (x TEXT) CHARACTER SET utf8mb4");
        db.run("ALTER TABLE c COLLATE utf8mb4_bin, CONVERT TO CHARACTER SET utf8mb4");
        db.run("CREATE TABLE d (x TEXT COLLATE DEFAULT) COLLATE utf8mb4_bin");
        let column = |name: &str| db.get(name).columns[0].ty.collation().unwrap().name.clone();
        [
            db.get("a").collation.name.clone(),
            db.get("b").collation.name.clone(),
            db.get("c").collation.name.clone(),
            column("d"),
        ]
    };
    assert_eq!(
        collations(100_529),
        [
            "latin1_swedish_ci",
            "latin1_swedish_ci",
            "utf8mb4_general_ci",
            "utf8mb4_bin"
        ]
    );
    assert_eq!(
        collations(101_119),
        [
            "latin1_bin",
            "utf8mb4_general_ci",
            "utf8mb4_bin",
            "utf8mb4_general_ci"
        ]
    );
}

#[test]
fn keys_descend_where_the_server_lets_them() {
    for (flavor, version, descends) in [
        (Flavor::MariaDb, 100_529, false),
        (Flavor::MariaDb, 101_119, true),
        (Flavor::MySql, 50_744, false),
        (Flavor::MySql, 80_400, true),
    ] {
        let mut db = Memory::new(flavor, version);
        db.run("CREATE TABLE t (a INT, KEY (a DESC))");
        let KeyPart::Column { descending, .. } = &db.get("t").indexes[0].parts[0] else {
            panic!("a column wanted");
        };
        assert_eq!(*descending, descends, "{flavor:?} {version}");
    }
}
