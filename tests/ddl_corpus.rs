//! The definitions that we make of DDL, against those that real servers make of it.
//!
//! Each statement runs on the server; where the server accepts it, its effect here must be the table that SHOW CREATE
//! TABLE and `information_schema` show. The public corpora are only read: nothing in them may panic or take long.

mod corpora;
mod pipeline;
mod rows;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use relaylite::schema::bootstrap::table_from_show_create;
use relaylite::schema::ddl::{self, SqlContext};
use relaylite::schema::effect::{Catalog, Change, effect};
use relaylite::schema::table::{Collation, Column, ColumnType, DefaultValue, Table};

use crate::support::server::{Builder, Flavor, Server, Session, name_of_today};

/// Tables that statements of the corpus refer to, and what later ones need.
const SETUP: &str = "
    CREATE DATABASE d CHARACTER SET latin1; CREATE DATABASE db1; CREATE DATABASE db2; CREATE DATABASE db;
    CREATE TABLE db2.t_old (a INT PRIMARY KEY, b VARCHAR(10) COLLATE utf8mb4_bin, KEY (b));
    CREATE TABLE db2.other (id INT PRIMARY KEY); CREATE TABLE d.parent (id INT PRIMARY KEY);
    CREATE TABLE d.other (id INT PRIMARY KEY); CREATE TABLE d.customers (id INT UNSIGNED PRIMARY KEY);
    CREATE TABLE d.p (id INT PRIMARY KEY, x INT, UNIQUE (x));
";

/// Statements beyond the corpus, in order: each builds on those before it.
const SCENARIO: [&str; 42] = [
    "DROP TABLE IF EXISTS t",
    "CREATE TABLE t (id INT UNSIGNED NOT NULL AUTO_INCREMENT, a VARCHAR(20), b TEXT, c DATETIME(3), PRIMARY KEY (id), KEY (a), KEY ab (a, b(10)))",
    "ALTER TABLE t ADD COLUMN n INT NOT NULL DEFAULT 0 AFTER a, ADD f VARCHAR(10) FIRST, ADD COLUMN (d INT, e INT)",
    "ALTER TABLE t RENAME COLUMN d TO e, RENAME COLUMN e TO d",
    "ALTER TABLE t CHANGE a aa VARCHAR(5) CHARACTER SET utf8mb4, MODIFY b MEDIUMTEXT FIRST",
    "ALTER TABLE t DROP COLUMN aa, ADD KEY (d, e), ADD KEY (d)",
    "ALTER TABLE t ADD UNIQUE (d), ADD UNIQUE KEY (e, d), ADD INDEX (n)",
    "ALTER TABLE t RENAME INDEX n TO nn, DROP INDEX d",
    "ALTER TABLE t ADD t1 TEXT, ADD t2 TINYTEXT CHARACTER SET utf8mb4, ADD t3 CHAR(3) CHARACTER SET binary",
    "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4",
    "ALTER TABLE t CONVERT TO CHARACTER SET latin1 COLLATE latin1_bin",
    "ALTER TABLE t DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci, ADD t4 VARCHAR(3)",
    "ALTER TABLE t ALTER n SET DEFAULT 5, ALTER COLUMN f SET DEFAULT 'x'",
    "ALTER TABLE t ALTER n DROP DEFAULT, MODIFY c TIMESTAMP(2) NULL",
    "ALTER TABLE t MODIFY id BIGINT UNSIGNED NOT NULL, DROP PRIMARY KEY, ADD PRIMARY KEY (id, n)",
    "CREATE UNIQUE INDEX ix ON t (f DESC, t4)",
    "DROP INDEX ix ON t",
    "ALTER TABLE t DROP n",
    "ALTER TABLE t ADD FOREIGN KEY (id) REFERENCES p (x), ADD CONSTRAINT fkc FOREIGN KEY fki (d) REFERENCES p (id) ON DELETE CASCADE",
    "ALTER TABLE t MODIFY id INT NOT NULL, ADD FOREIGN KEY (id) REFERENCES p (x), ADD CONSTRAINT fkc FOREIGN KEY fki (d) REFERENCES p (id) ON DELETE CASCADE",
    "ALTER TABLE t DROP FOREIGN KEY fkc, ADD FOREIGN KEY (e) REFERENCES p (id) ON UPDATE SET NULL",
    "CREATE TABLE u (a INT REFERENCES p (id), b INT, KEY (b, a), FOREIGN KEY (b) REFERENCES p (id))",
    "CREATE TABLE ts (a TIMESTAMP, b TIMESTAMP NULL, c TIMESTAMP DEFAULT CURRENT_TIMESTAMP, d TIMESTAMP(3) NOT NULL DEFAULT NOW(3))",
    "ALTER TABLE ts ADD e TIMESTAMP, ADD f TIMESTAMP FIRST",
    "CREATE TABLE big (v VARCHAR(70000), w VARCHAR(30000) CHARACTER SET utf8mb4, x VARBINARY(70000), y TEXT(70000), z BLOB(300))",
    "ALTER TABLE big CONVERT TO CHARACTER SET utf8mb4",
    "CREATE TABLE df (a INT DEFAULT '1.6', b DECIMAL(10,2) DEFAULT 1.005, c DATETIME DEFAULT '2020-1-1', d DATE DEFAULT 20200103, e TIME(2) DEFAULT '1:2', f YEAR DEFAULT 70, g ENUM('a','b') DEFAULT 'B', h SET('x','y') DEFAULT 'y,x', i BIT(4) DEFAULT 5, j FLOAT DEFAULT 1.50, k CHAR(5) DEFAULT 'a  ', l VARBINARY(3) DEFAULT 0x4142, m BIGINT DEFAULT -0, n VARCHAR(9) DEFAULT 12)",
    "CREATE TABLE ch (a CHAR(3) CHARACTER SET utf8, b NCHAR(3), c CHAR(3) BYTE, d TEXT BINARY, e CHAR(3) ASCII, f LONG, g LONG VARBINARY, h VARCHAR(3) COLLATE utf8mb4_bin, i ENUM('a') CHARACTER SET binary) CHARSET utf8mb4",
    "CREATE TABLE nu (a FLOAT(20), b FLOAT(30), c REAL, d DOUBLE PRECISION UNSIGNED, e DEC(5), f NUMERIC, g INT1, h INT8 UNSIGNED, i BOOL, j SMALLINT(3) ZEROFILL, k FLOAT(7,4), l BIT)",
    "CREATE TABLE ge (p POINT NOT NULL, g GEOMCOLLECTION, m MULTIPOLYGON)",
    "CREATE TABLE pk (a INT, b INT, c INT UNIQUE, PRIMARY KEY (b, a))",
    "ALTER TABLE pk DROP PRIMARY KEY, MODIFY a INT, ADD d SERIAL",
    "ALTER TABLE pk MODIFY COLUMN c BIGINT UNSIGNED UNIQUE AFTER d",
    "ALTER TABLE pk ADD g INT AS (a + 1) VIRTUAL, ADD h INT GENERATED ALWAYS AS (a * 2) STORED",
    "CREATE TABLE lk LIKE t",
    "CREATE TABLE `we``ird $1` (`a``b` INT, `1a` INT, `select` INT, KEY `k 1` (`select`))",
    "ALTER TABLE `we``ird $1` RENAME TO d.plain",
    "RENAME TABLE plain TO plain2, lk TO plain, plain2 TO lk",
    "ALTER TABLE lk ENGINE=InnoDB, COMMENT='x;y', AUTO_INCREMENT=5",
    "CREATE TABLE pt (id INT NOT NULL, d DATE) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), PARTITION pm VALUES LESS THAN MAXVALUE)",
    "ALTER TABLE pt REORGANIZE PARTITION pm INTO (PARTITION p1 VALUES LESS THAN (20), PARTITION pm VALUES LESS THAN MAXVALUE)",
    "ALTER TABLE pt ADD x INT, ADD KEY (x) PARTITION BY HASH (id) PARTITIONS 2",
];

fn fixtures() -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures/sql");
    assert!(directory.is_dir(), "{} is not there", directory.display());
    directory
}

fn everyday() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(fixtures().join("everyday/ddl.sql")).unwrap();
    let named = text
        .split("--@ ")
        .skip(1)
        .filter_map(|part| part.split_once('\n'));
    named
        .map(|(name, sql)| (name.to_owned(), sql.trim_end().to_owned()))
        .collect()
}

/// Defaults that are kept as expressions here, because reading them needs more than the parser has.
const UNREAD_DEFAULTS: [&str; 2] = ["2/2/2", "_koi8r 0xFF"];

/// CREATE TABLE statements of MySQL's own tests, one a line.
fn mysql_tests() -> Vec<(String, String)> {
    let text = std::fs::read(fixtures().join("maxwell/ddl/mysql-test.sql")).unwrap();
    let text = String::from_utf8_lossy(&text).into_owned();
    text.lines()
        .filter(|sql| sql.to_lowercase().starts_with("create table"))
        .filter(|sql| !UNREAD_DEFAULTS.iter().any(|default| sql.contains(default)))
        .map(|sql| ("mysql_tests".to_owned(), sql.to_owned()))
        .collect()
}

/// Makes the tables that a statement of the corpus wants to change.
fn make_tables_for(name: &str, session: &mut Session, follower: &mut Follower) {
    for sql in tables_for(name) {
        session.exec(sql);
        follower.run(sql).unwrap();
    }
}

/// What makes the tables that a statement of the corpus wants to change.
fn tables_for(name: &str) -> [&'static str; 3] {
    const INDEXED: &str = "CREATE TABLE d.t (id INT NOT NULL, a VARCHAR(50), b VARCHAR(50), c INT, d TEXT, g GEOMETRY NOT NULL, \
                           h INT, body TEXT, z INT, x INT)";
    let sql = match name {
        "alt_add" | "alt_if_exists_maria" => "CREATE TABLE d.t (b INT, z INT)",
        "alt_drop" => {
            "CREATE TABLE d.t (a INT, b INT, c INT PRIMARY KEY, d INT, KEY k1 (d), KEY k2 (a, d), KEY kd (d, c), \
             CONSTRAINT fk1 FOREIGN KEY (d) REFERENCES p (id))"
        }
        "alt_drop_check_8" => {
            "CREATE TABLE d.t (a INT, CONSTRAINT c1 CHECK (a > 0), CONSTRAINT c2 CHECK (a > 1), CONSTRAINT c3 CHECK (a > 2))"
        }
        "alt_change" => {
            "CREATE TABLE db1.t (old_name VARCHAR(5), `a b` INT, e INT, KEY (old_name(3)))"
        }
        "alt_rename_col" => "CREATE TABLE d.t (a INT, KEY i1 (a), KEY i3 (a))",
        "alt_drop_part" | "alt_trunc_part" | "alt_reorg_part" | "alt_exchange_part"
        | "alt_remove_part" => {
            "CREATE TABLE d.t (a INT) PARTITION BY RANGE (a) (PARTITION p0 VALUES LESS THAN (1), \
             PARTITION p1 VALUES LESS THAN (2), PARTITION pmax VALUES LESS THAN MAXVALUE)"
        }
        "alt_add_part" => {
            "CREATE TABLE d.t (a INT) PARTITION BY RANGE (a) (PARTITION p0 VALUES LESS THAN (1))"
        }
        "alt_set_visible_8" => "CREATE TABLE d.t (a INT, c INT, KEY i (a))",
        "alt_add_constraint" => "CREATE TABLE d.t (id INT NOT NULL, a INT, b INT, x INT)",
        "alt_online" => "CREATE TABLE d.t (a INT)",
        "truncate" => "CREATE TABLE db.t (a INT)",
        "drop_index" => "CREATE TABLE d.t (a INT, KEY ix (a))",
        _ => INDEXED,
    };
    [
        "DROP TABLE IF EXISTS d.t, db.t, db1.t, db2.t2, d.t2, d.q, d.t_chk, d.t_chk8",
        "CREATE TABLE d.q (id INT PRIMARY KEY)",
        sql,
    ]
}

/// The tests make tables of the same few names again and again.
fn drop_first(create: &str, session: &mut Session, follower: &mut Follower) {
    let statement = ddl::parse(create, &follower.context).unwrap();
    for (database, name) in statement.tables("d") {
        let sql = format!(
            "DROP TABLE IF EXISTS `{database}`.`{}`",
            name.replace('`', "``")
        );
        if session.try_exec(&sql).is_ok() {
            follower.run(&sql).unwrap();
        }
    }
}

/// A session of a server.
fn context_of(flavor: Flavor, version: (u32, u32, u32), database: &str) -> SqlContext {
    let flavor = match flavor.is_mariadb() {
        true => ddl::Flavor::MariaDb,
        false => ddl::Flavor::MySql,
    };
    let (major, minor, patch) = version;
    SqlContext {
        time_zone: Some("+00:00".to_owned()),
        ..SqlContext::new(flavor, major * 10_000 + minor * 100 + patch, database)
    }
}

/// Our side: definitions that follow the statements.
struct Follower {
    context: SqlContext,
    tables: HashMap<(String, String), Arc<Table>>,
    databases: HashMap<String, Collation>,
}

impl Catalog for Follower {
    fn table(&self, database: &str, name: &str) -> Option<Arc<Table>> {
        self.tables
            .get(&(database.to_owned(), name.to_owned()))
            .cloned()
    }

    fn database_collation(&self, database: &str) -> Option<Collation> {
        self.databases.get(database).cloned()
    }
}

impl Follower {
    fn new(flavor: Flavor, version: (u32, u32, u32), session: &mut Session) -> Self {
        let mut context = context_of(flavor, version, "d");
        let rows = session.query_strings("SELECT @@collation_server");
        let server = rows[0][0].clone().unwrap();
        // MariaDB's newer collations have an id for each charset.
        let (table, column) = match flavor.is_mariadb_since(10, 10) {
            true => (
                "collation_character_set_applicability",
                "full_collation_name",
            ),
            false => ("collations", "collation_name"),
        };
        let id = session.query_strings(&format!(
            "SELECT id FROM information_schema.{table} WHERE {column} = '{server}'"
        ));
        context.collation_server = id[0][0].as_ref().and_then(|id| id.parse().ok());
        Self {
            context,
            tables: HashMap::new(),
            databases: HashMap::new(),
        }
    }

    /// Goes on with the server's definition of a table, so that one difference does not lead to others.
    fn adopt(&mut self, session: &mut Session, database: &str, name: &str) {
        let text = show_create(session, &format!("SHOW CREATE TABLE `{database}`.`{name}`"));
        let inherited = self.context.server_collation();
        if let Ok(table) = table_from_show_create(&text, &inherited, &self.context) {
            self.tables
                .insert((database.to_owned(), name.to_owned()), Arc::new(table));
        }
    }

    /// Applies a statement and names the tables that it left behind.
    fn run(&mut self, sql: &str) -> Result<Vec<(String, String)>, String> {
        let statement = ddl::parse(sql, &self.context).map_err(|error| error.to_string())?;
        let changes = effect(&statement, &self.context, self).map_err(|error| error.full_text())?;
        for change in changes {
            match change {
                Change::CreateDatabase { name, collation }
                | Change::AlterDatabase { name, collation } => {
                    self.databases.insert(name, collation);
                }
                Change::DropDatabase { name } => {
                    self.tables.retain(|(database, _), _| *database != name);
                }
                Change::CreateTable { database, table } => {
                    self.tables
                        .insert((database, table.name.clone()), Arc::new(table));
                }
                Change::DropTable { database, name } => {
                    self.tables.remove(&(database, name));
                }
                Change::AlterTable {
                    database,
                    after,
                    origins,
                    ..
                } => {
                    assert_eq!(origins.len(), after.columns.len());
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
        let tables = statement.tables("d").into_iter();
        Ok(tables
            .map(|(database, name)| (database.to_owned(), name.to_owned()))
            .filter(|key| self.tables.contains_key(key))
            .collect())
    }
}

/// What is compared of a table: no display widths, no texts of expressions, no order of keys.
fn comparable(table: &Table) -> String {
    let mut text = format!("{} {}\n", table.name, table.collation.name);
    for column in &table.columns {
        let mut ty = column.ty.clone();
        if let ColumnType::Int { display_width, .. } = &mut ty {
            *display_width = None;
        }
        let default = match &column.default {
            Some(DefaultValue::Expression(_)) => "expression".to_owned(),
            other => format!("{other:?}"),
        };
        let _ = writeln!(
            text,
            "  {} {ty:?} null={} default={default} ai={} generated={} invisible={}",
            column.name,
            column.nullable,
            column.auto_increment,
            column.generated.is_some(),
            column.invisible,
        );
    }
    let _ = writeln!(text, "  key {:?}", table.primary_key);
    let mut lines: Vec<String> = table
        .indexes
        .iter()
        .map(|index| {
            let functional = index.parts.iter().any(|part| part.column().is_none());
            let parts = if functional {
                "functional".to_owned()
            } else {
                format!("{:?}", index.parts)
            };
            format!("  index {} {:?} {parts}\n", index.name, index.kind)
        })
        .collect();
    lines.extend(table.foreign_keys.iter().map(|key| {
        let action = |action: &str| action.replace("NO ACTION", "RESTRICT");
        format!(
            "  foreign {:?} {:?} {} {:?} {} {}\n",
            key.name,
            key.columns,
            key.parent_table,
            key.parent_columns,
            action(&key.on_delete),
            action(&key.on_update),
        )
    }));
    lines.sort();
    text + &lines.concat()
}

/// A type as `information_schema.columns.column_type` has it, without display widths.
fn column_type(column: &Column) -> String {
    let sign = |unsigned: bool| if unsigned { " unsigned" } else { "" };
    let quoted = |labels: &[String]| {
        let labels: Vec<String> = labels
            .iter()
            .map(|label| format!("'{}'", label.replace('\'', "''")))
            .collect();
        labels.join(",")
    };
    let fsp = |word: &str, fsp: u8| {
        if fsp > 0 {
            format!("{word}({fsp})")
        } else {
            word.to_owned()
        }
    };
    let size = |bytes: u8| ["", "tiny", "", "medium", "long"][usize::from(bytes)];
    match &column.ty {
        ColumnType::Int {
            bytes,
            unsigned,
            zerofill,
            ..
        } => {
            let word = [
                "",
                "tinyint",
                "smallint",
                "mediumint",
                "int",
                "",
                "",
                "",
                "bigint",
            ];
            let zerofill = if *zerofill { " zerofill" } else { "" };
            format!("{}{}{zerofill}", word[usize::from(*bytes)], sign(*unsigned))
        }
        ColumnType::Float {
            unsigned,
            digits: None,
        } => format!("float{}", sign(*unsigned)),
        ColumnType::Float {
            unsigned,
            digits: Some((m, d)),
        } => format!("float({m},{d}){}", sign(*unsigned)),
        ColumnType::Double {
            unsigned,
            digits: None,
        } => format!("double{}", sign(*unsigned)),
        ColumnType::Double {
            unsigned,
            digits: Some((m, d)),
        } => format!("double({m},{d}){}", sign(*unsigned)),
        ColumnType::Decimal {
            precision,
            scale,
            unsigned,
        } => {
            format!("decimal({precision},{scale}){}", sign(*unsigned))
        }
        ColumnType::Bit { bits } => format!("bit({bits})"),
        ColumnType::Year => "year".to_owned(),
        ColumnType::Date => "date".to_owned(),
        ColumnType::Time { fsp: digits } => fsp("time", *digits),
        ColumnType::DateTime { fsp: digits } => fsp("datetime", *digits),
        ColumnType::Timestamp { fsp: digits } => fsp("timestamp", *digits),
        ColumnType::Char { length, .. } => format!("char({length})"),
        ColumnType::VarChar { length, .. } => format!("varchar({length})"),
        ColumnType::Text { length_bytes, .. } => format!("{}text", size(*length_bytes)),
        ColumnType::Binary { length } => format!("binary({length})"),
        ColumnType::VarBinary { length } => format!("varbinary({length})"),
        ColumnType::Blob { length_bytes } => format!("{}blob", size(*length_bytes)),
        ColumnType::Enum { labels, .. } => format!("enum({})", quoted(labels)),
        ColumnType::Set { labels, .. } => format!("set({})", quoted(labels)),
        ColumnType::Json => "json".to_owned(),
        ColumnType::Geometry { kind } => kind.clone(),
        ColumnType::Vector { dimensions } => format!("vector({dimensions})"),
        ColumnType::Uuid => "uuid".to_owned(),
        ColumnType::Inet4 => "inet4".to_owned(),
        ColumnType::Inet6 => "inet6".to_owned(),
    }
}

/// The server's column type without what it may leave out: display widths, doubled backslashes.
fn server_type(text: &str) -> String {
    // ZEROFILL of fractions has no effect on values.
    let fraction = ["double", "float", "decimal"]
        .iter()
        .any(|word| text.starts_with(word));
    let text = if fraction {
        text.replace(" zerofill", "")
    } else {
        text.to_owned()
    };
    let mut text = text
        .replace("geomcollection", "geometrycollection")
        .replace(" /*M!100301 COMPRESSED*/", "")
        .replace("\\\\", "\\");
    for word in ["int(", "year("] {
        if let Some(at) = text.find(word)
            && !text.starts_with("enum")
            && !text.starts_with("set")
        {
            let end = text[at..].find(')').unwrap() + at;
            text.replace_range(at + word.len() - 1..=end, "");
        }
    }
    text
}

/// SHOW CREATE TABLE, where MariaDB prints defaults of binary columns as their raw bytes.
fn show_create(session: &mut Session, show: &str) -> String {
    let rows = session.query(show);
    String::from_utf8_lossy(rows[0][1].as_ref().unwrap()).into_owned()
}

/// The lines that only one of two texts has, or has elsewhere.
fn changed_lines(ours: &str, theirs: &str) -> String {
    let only = |these: &str, those: &str, sign: &str| -> String {
        let lines = these
            .lines()
            .filter(|line| !those.lines().any(|other| other == *line));
        lines.map(|line| format!("\n{sign} {line}")).collect()
    };
    let changed = only(ours, theirs, "ours:    ") + &only(theirs, ours, "server's:");
    match changed.is_empty() {
        true => format!("another order: ours\n{ours}"),
        false => changed,
    }
}

/// Compares one table with what the server says of it; the difference as text.
fn difference(
    follower: &Follower,
    session: &mut Session,
    database: &str,
    name: &str,
) -> Option<String> {
    let ours = follower.table(database, name).unwrap();
    let inherited = follower
        .database_collation(database)
        .unwrap_or_else(|| follower.context.server_collation());
    definition_difference(&ours, &inherited, &follower.context, session, database)
}

/// As [`difference`], for any definition.
fn definition_difference(
    ours: &Table,
    inherited: &Collation,
    context: &SqlContext,
    session: &mut Session,
    database: &str,
) -> Option<String> {
    let name = &ours.name;
    let quoted = |text: &str| text.replace('`', "``");
    let show = format!(
        "SHOW CREATE TABLE `{}`.`{}`",
        quoted(database),
        quoted(name)
    );
    // Some engines refuse to show what they let be made.
    session.try_exec(&show).ok()?;
    let text = show_create(session, &show);
    let theirs = match table_from_show_create(&text, inherited, context) {
        Ok(table) => table,
        Err(error) => return Some(format!("{error}\n{text}")),
    };
    let (a, b) = (comparable(ours), comparable(&theirs));
    if a != b {
        return Some(format!("{}\n{text}", changed_lines(&a, &b)));
    }
    let rows = session.query_strings(&format!(
        "SELECT column_name, column_type, is_nullable, collation_name FROM information_schema.columns \
         WHERE table_schema = '{database}' AND table_name = '{}' ORDER BY ordinal_position",
        name.replace('\'', "''")
    ));
    for (column, row) in ours.columns.iter().zip(&rows) {
        let collation = column.ty.collation().map(|found| found.name.clone());
        let collation = collation.filter(|name| name != "binary");
        let mine = [
            Some(column.name.clone()),
            Some(column_type(column)),
            Some(if column.nullable { "YES" } else { "NO" }.to_owned()),
            collation,
        ];
        let mut yours = row.clone();
        yours[1] = yours[1].as_deref().map(server_type);
        let theirs = yours[3].take().filter(|name| name != "binary");
        yours[3] = theirs.as_deref().map(name_of_today);
        if yours[1].as_deref() == Some("json") || mine[1..2] == [Some("json".to_owned())] {
            yours[3] = None;
        }
        if mine != *yours.as_slice() {
            return Some(format!("ours {mine:?}, the server's {yours:?}"));
        }
    }
    None
}

fn compare_on(flavor: Flavor) {
    // MariaDB clears temporary tables of others out of a shared directory when it starts.
    let temporary = tempfile::tempdir().unwrap();
    let server = Server::builder(flavor)
        .arg("--sql-mode=")
        .arg(format!("--tmpdir={}", temporary.path().display()))
        .start();
    let mut session = server.client();
    let mut follower = Follower::new(flavor, server.version(), &mut session);
    for statement in SETUP
        .split(';')
        .map(str::trim)
        .filter(|sql| !sql.is_empty())
    {
        session.exec(statement);
        follower.run(statement).unwrap();
    }
    session.exec("USE d; SET foreign_key_checks = 0; SET SESSION sql_mode = ''");
    let statements: Vec<(String, String)> = everyday()
        .into_iter()
        .chain(
            SCENARIO
                .iter()
                .map(|sql| ("scenario".to_owned(), (*sql).to_owned())),
        )
        .chain(mysql_tests())
        .collect();
    let (mut accepted, mut wrong) = (0, Vec::new());
    for (name, sql) in &statements {
        let is_ddl = ddl::parse(sql, &follower.context).is_ok_and(|statement| statement.is_ddl());
        if name == "drop_db" || name == "drop_schema" || !is_ddl {
            continue;
        }
        if name.starts_with("alt_") || name.contains("_index") || name.starts_with("truncate") {
            make_tables_for(name, &mut session, &mut follower);
        }
        if name == "mysql_tests" {
            drop_first(sql, &mut session, &mut follower);
        }
        if let Err(error) = session.try_exec(sql) {
            if name != "mysql_tests" {
                eprintln!("{}: {name} refused: {error}", flavor.name());
            }
            continue;
        }
        accepted += 1;
        match follower.run(sql) {
            Err(error) => wrong.push(format!("{name}: {sql}\n{error}")),
            Ok(tables) => wrong.extend(tables.into_iter().filter_map(|(database, table)| {
                let what = difference(&follower, &mut session, &database, &table)?;
                Some(format!("{name}: {sql}\n{database}.{table}: {what}"))
            })),
        }
    }
    eprintln!(
        "{}: {accepted} of {} statements accepted and compared",
        flavor.name(),
        statements.len()
    );
    assert!(
        wrong.is_empty(),
        "{} differ\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
    assert!(accepted > 60, "only {accepted} statements were accepted");
}

/// The statements of `ddl_corpus/clauses.sql`.
fn clauses() -> Vec<String> {
    statements_in("clauses.sql")
}

/// The statements of a file of `ddl_corpus`.
fn statements_in(name: &str) -> Vec<String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/ddl_corpus")
        .join(name);
    let text = std::fs::read_to_string(path).unwrap();
    let (mut found, mut current) = (Vec::new(), String::new());
    for line in text.lines().filter(|line| !line.starts_with("--")) {
        current.push_str(line);
        match current.strip_suffix(';') {
            Some(statement) => found.push(statement.to_owned()),
            None => {
                current.push('\n');
                continue;
            }
        }
        current.clear();
    }
    found.retain(|statement| !statement.trim().is_empty());
    found
}

/// Clauses whose effect here is known to be another than the server's, and why that is left so.
const KNOWN_DIFFERENCES: [(&str, &str); 7] = [
    (
        "CREATE TABLE tb2 ",
        "a default of 2/2/2 is kept as it was written",
    ),
    (
        "CREATE TABLE t18 ",
        "MariaDB shows an empty default of a COMPRESSED NOT NULL column that was given none",
    ),
    (
        "CREATE TABLE a19 ",
        "a quoted default of BIT is its bytes; quotes are not kept, and it is read as a number",
    ),
    (
        "CREATE TABLE k16 ",
        "columns that REFERENCES leaves out are looked up when they are needed",
    ),
    (
        "CREATE TABLE k17 ",
        "columns that REFERENCES leaves out are looked up when they are needed",
    ),
    (
        "CREATE TABLE a20 ",
        "MariaDB prints the bytes of a binary default as they are, which is no text",
    ),
    (
        "CREATE TABLE p8 ",
        "columns that come from a query are learnt from the source",
    ),
];

fn is_known_difference(sql: &str) -> bool {
    let mut known = KNOWN_DIFFERENCES.iter();
    known.any(|(beginning, _)| format!("{sql} ").starts_with(beginning))
}

/// Each clause of the servers' grammars: understood, and with the server's own result.
fn clauses_on(server: &Server) {
    let mut session = server.client();
    let mut follower = Follower::new(server.flavor(), server.version(), &mut session);
    for sql in SETUP
        .split(';')
        .map(str::trim)
        .filter(|sql| !sql.is_empty())
    {
        session.exec(sql);
        follower.run(sql).unwrap();
    }
    session.exec("USE d; SET SESSION sql_mode = ''; SET innodb_strict_mode = 0");
    let (mut accepted, mut wrong) = (0, Vec::new());
    let statements = clauses();
    for sql in &statements {
        if let Err(error) = session.try_exec(sql) {
            eprintln!("refused: {error}: {sql}");
            continue;
        }
        accepted += 1;
        match follower.run(sql) {
            Err(error) => wrong.push(format!("{sql}\n{error}")),
            Ok(tables) => {
                for (database, table) in tables {
                    if let Some(what) = difference(&follower, &mut session, &database, &table) {
                        if !is_known_difference(sql) {
                            wrong.push(format!("{sql}\n{database}.{table}: {what}"));
                        }
                        follower.adopt(&mut session, &database, &table);
                    }
                }
            }
        }
    }
    wrong.extend(missing_tables(&follower, &mut session));
    eprintln!(
        "{accepted} of {} clauses accepted and compared",
        statements.len()
    );
    assert!(
        wrong.is_empty(),
        "{} differ\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
    assert!(accepted > 150, "only {accepted} statements were accepted");
}

/// Hundreds of definitions: their files need not survive a power cut.
fn without_syncs(builder: Builder) -> Server {
    // What a TIMESTAMP default means in the zone SYSTEM, only the source knows.
    builder
        .arg("--innodb-flush-method=nosync")
        .arg("--default-time-zone=+00:00")
        .start()
}

/// Tables that are on one side only.
fn missing_tables(follower: &Follower, session: &mut Session) -> Option<String> {
    let rows = session.query_strings(
        "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type IN ('BASE TABLE', 'SYSTEM VERSIONED')
         AND table_schema NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys')",
    );
    let mut theirs: Vec<(String, String)> = rows
        .into_iter()
        .map(|mut row| (row[0].take().unwrap(), row[1].take().unwrap()))
        .collect();
    let mut ours: Vec<(String, String)> = follower.tables.keys().cloned().collect();
    theirs.retain(|(_, table)| !is_known_difference(&format!("CREATE TABLE {table}")));
    ours.retain(|(_, table)| !is_known_difference(&format!("CREATE TABLE {table}")));
    theirs.sort();
    ours.sort();
    (ours != theirs).then(|| format!("tables: ours {ours:?}, the server's {theirs:?}"))
}

#[test]
fn every_clause_on_mariadb() {
    clauses_on(&without_syncs(Server::builder(Flavor::MariaDb)));
}

#[test]
fn every_clause_on_mariadb_11() {
    clauses_on(&without_syncs(Server::builder(Flavor::MariaDb11)));
}

#[test]
fn every_clause_on_mysql() {
    clauses_on(&without_syncs(Server::builder(Flavor::MySql)));
}

#[test]
fn definitions_are_the_servers_on_mariadb() {
    compare_on(Flavor::MariaDb);
}

#[test]
fn definitions_are_the_servers_on_mysql() {
    compare_on(Flavor::MySql);
}
