//! The oracle: what the source SELECTs, value by value, against what is in the SQLite files.
//!
//! The expected SQLite value of each column is computed here, from the server's own text and `information_schema`, by the
//! rules of docs/architecture.md and by no code of relaylite. Rows are compared as multisets, so that tables without a
//! key are compared too. Two liberties: `-0.0` equals `0.0`, and a DECIMAL that SQLite may hold as a number is compared
//! as a number, be it INTEGER or REAL there.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};

use super::relaylite::{Replica, wait_for};
use super::server::{Flavor, Server, Session};

/// Our own tables in a target begin so.
const OWN_PREFIX: &str = "_relaylite_";
/// Longer values are compared by length and hash.
const LONG_VALUE_BYTES: usize = 4096;
const SHOWN_ROWS: usize = 3;
const SHOWN_CELLS: usize = 20;
const SHOWN_CHARS: usize = 60;

/// Digits that a REAL holds exactly.
const EXACT_DIGITS: usize = 15;

/// Checks that every database and table of the source is in `target`, equal, and nothing else is.
#[track_caller]
pub(crate) fn assert_equal(server: &Server, target: &Path) {
    let mut session = server.client();
    let databases = databases(&mut session);
    for database in &databases {
        assert_database_equal(server, target, database);
    }
    for (database, path) in files(target) {
        if !databases.contains(&database) {
            let tables = tables_in_sqlite(&open(&path));
            assert!(
                tables.is_empty(),
                "{database}: the source has no such database, the target has {tables:?}"
            );
        }
    }
}

/// Checks that one database has the same tables on both sides, all equal.
#[track_caller]
pub(crate) fn assert_database_equal(server: &Server, target: &Path, database: &str) {
    let mut session = server.client();
    let expected = tables(&mut session, database);
    let path = database_path(target, database);
    if expected.is_empty() && !path.exists() {
        return;
    }
    assert_eq!(
        quarantined(&path),
        Vec::<String>::new(),
        "tables of {database} that are set aside"
    );
    let actual = tables_in_sqlite(&open(&path));
    assert_eq!(
        actual, expected,
        "tables of {database}: left in the target, right in the source"
    );
    for table in &expected {
        assert_table_equal(server, target, database, table);
    }
}

/// Checks that one table has the same columns in the same order, and the same rows in any order.
#[track_caller]
pub(crate) fn assert_table_equal(server: &Server, target: &Path, database: &str, table: &str) {
    let mut session = server.client();
    session.exec("SET NAMES utf8mb4");
    session.exec("SET time_zone = '+00:00'");
    let mut columns = columns(&mut session, server.flavor(), database, table);
    let history = match is_versioned(&mut session, database, table) {
        true => " FOR SYSTEM_TIME ALL",
        false => "",
    };
    if !history.is_empty() {
        columns.extend(hidden_period(&mut session, database, table));
    }
    let sqlite = open(&database_path(target, database));
    let expected_names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let in_file = name_in_file(&sqlite, table);
    assert_eq!(
        column_names(&sqlite, &in_file),
        expected_names,
        "columns of {database}.{table}: left in the target, right in the source"
    );
    let expected = source_rows(&mut session, database, table, history, &columns);
    let actual = sqlite_rows(&sqlite, &in_file, &columns);
    assert_rows_equal(&format!("{database}.{table}"), expected, actual);
}

/// The SQLite file of a database.
pub(crate) fn database_path(target: &Path, database: &str) -> PathBuf {
    files(target)
        .into_iter()
        .find_map(|(name, path)| (name == database).then_some(path))
        .unwrap_or_else(|| target.join(format!("{database}.db")))
}

/// Databases that have a file in `target`, by the source's name, with the file. One that the source dropped does not
/// count: its file only waits until no restart can need it.
pub(crate) fn files(target: &Path) -> Vec<(String, PathBuf)> {
    let Ok(entries) = fs::read_dir(target) else {
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    let databases = paths.filter(|path| path.extension().is_some_and(|name| name == "db"));
    let mut found: Vec<(String, PathBuf)> = databases
        .filter_map(|path| Some((name_in(&path)?, path)))
        .collect();
    found.sort();
    found
}

fn name_in(path: &Path) -> Option<String> {
    let sql = "SELECT name FROM _relaylite_database WHERE NOT dropped";
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let name = Connection::open_with_flags(path, flags)
        .and_then(|sqlite| sqlite.query_row(sql, [], |row| row.get(0)).optional());
    match name {
        Ok(name) => name,
        // The file of a dropped database goes at some moment, after its WAL.
        Err(error) => {
            let shown = path.display();
            wait_for(&format!("{shown} to go ({error})"), || !path.exists());
            None
        }
    }
}

/// Runs the statements while a replica follows; the target must come to equal the source.
#[track_caller]
pub(crate) fn assert_follows(flavor: Flavor, sql: &str) {
    let server = Server::start(flavor);
    let replica = Replica::of(&server);
    let _running = replica.follow();
    server.exec(sql);
    replica.wait_until_caught_up(&server);
    replica.wait_until_sound();
    assert_equal(&server, &replica.target_dir());
}

/// Opens a file of the target as any reader would.
#[track_caller]
pub(crate) fn open(path: &Path) -> Connection {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags)
        .unwrap_or_else(|error| panic!("cannot open {}: {error}", path.display()))
}

/// The tables of a file that are set aside, each with the reason.
pub(crate) fn quarantined(path: &Path) -> Vec<String> {
    let sqlite = open(path);
    let sql = "SELECT table_name || ': ' || reason FROM _relaylite_quarantine ORDER BY table_name";
    let mut statement = sqlite.prepare(sql).unwrap();
    let tables = statement.query_map([], |row| row.get(0)).unwrap();
    tables.map(Result::unwrap).collect()
}

/// How far one database of the target is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    /// The source's database.
    pub(crate) database: String,
    /// The source's binary log file.
    pub(crate) file: String,
    /// The offset in it.
    pub(crate) pos: u64,
}

/// The checkpoint of each database that is in `target`.
#[track_caller]
pub(crate) fn checkpoints(target: &Path) -> Vec<Checkpoint> {
    let checkpoint = |(database, path): (String, PathBuf)| {
        let sqlite = open(&path);
        let sql = "SELECT file, pos FROM _relaylite_checkpoint";
        let (file, pos): (String, i64) = sqlite
            .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        Checkpoint {
            database,
            file,
            pos: u64::try_from(pos).unwrap(),
        }
    };
    files(target).into_iter().map(checkpoint).collect()
}

/// Databases of the source that are replicated.
pub(crate) fn databases(session: &mut Session) -> BTreeSet<String> {
    let rows = session.query_strings(
        "SELECT schema_name FROM information_schema.schemata WHERE CAST(schema_name AS BINARY) NOT IN
         ('mysql', 'information_schema', 'performance_schema', 'sys')",
    );
    rows.into_iter()
        .map(|mut row| row.remove(0).unwrap())
        .collect()
}

fn tables(session: &mut Session, database: &str) -> BTreeSet<String> {
    let rows = session.query_strings(&format!(
        "SELECT table_name FROM information_schema.tables
         WHERE table_type IN ('BASE TABLE', 'SYSTEM VERSIONED') AND {}",
        exactly("table_schema", database)
    ));
    rows.into_iter()
        .map(|mut row| row.remove(0).unwrap())
        .collect()
}

/// Tables of a file by the source's name. Where SQLite could not have the name, the file's catalog says what it is
/// called there; a table that the catalog does not know goes by its own.
fn tables_in_sqlite(sqlite: &Connection) -> BTreeSet<String> {
    let mut statement = sqlite
        .prepare(
            "SELECT ifnull(table_name, name), ifnull(sqlite_name, '(nothing)')
             FROM (SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!')
             FULL JOIN _relaylite_catalog ON sqlite_name = name",
        )
        .unwrap();
    let names = statement
        .query_map([], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
        })
        .unwrap();
    names
        .map(Result::unwrap)
        .filter(|(name, in_file)| !name.starts_with(OWN_PREFIX) || in_file.starts_with('~'))
        .map(|(name, _)| name)
        .collect()
}

/// What the file calls a table.
fn name_in_file(sqlite: &Connection, table: &str) -> String {
    let sql = "SELECT sqlite_name FROM _relaylite_catalog WHERE table_name = ?1";
    let name = sqlite.query_row(sql, [table], |row| row.get(0));
    name.optional().unwrap().unwrap_or_else(|| table.to_owned())
}

fn column_names(sqlite: &Connection, table: &str) -> Vec<String> {
    let mut statement = sqlite
        .prepare("SELECT name FROM pragma_table_xinfo(?1) ORDER BY cid")
        .unwrap();
    let names = statement.query_map([table], |row| row.get(0)).unwrap();
    names.map(Result::unwrap).collect()
}

/// How a column's values are rendered by the source and stored in SQLite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Integer,
    Float,
    Double,
    Decimal,
    Text,
    Bytes,
}

#[derive(Debug)]
struct Column {
    name: String,
    kind: Kind,
    /// What to SELECT.
    expression: String,
}

#[track_caller]
fn columns(session: &mut Session, flavor: Flavor, database: &str, table: &str) -> Vec<Column> {
    let rows = session.query_strings(&format!(
        "SELECT column_name, data_type FROM information_schema.columns
         WHERE {} AND {} ORDER BY ordinal_position",
        exactly("table_schema", database),
        exactly("table_name", table)
    ));
    let column = |mut row: Vec<Option<String>>| {
        let data_type = row.pop().unwrap().unwrap().to_lowercase();
        let name = row.pop().unwrap().unwrap();
        let quoted = quoted(&name, '`');
        let (kind, expression) = match data_type.as_str() {
            "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "year" => {
                (Kind::Integer, quoted)
            }
            "bit" => (Kind::Integer, format!("{quoted}+0")),
            // Both servers round a FLOAT when they print it, and a DOUBLE(m,d).
            "float" => (Kind::Float, format!("CAST({quoted} AS DOUBLE)")),
            "double" => (Kind::Double, format!("CAST({quoted} AS DOUBLE)")),
            "decimal" => (Kind::Decimal, quoted),
            "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" | "enum"
            | "set" | "date" | "datetime" | "time" | "timestamp" | "uuid" | "inet4" | "inet6" => {
                (Kind::Text, quoted)
            }
            "json" => (Kind::Text, format!("CAST({quoted} AS CHAR)")),
            "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob"
            | "geometry" | "point" | "linestring" | "polygon" | "multipoint"
            | "multilinestring" | "multipolygon" | "geometrycollection" | "geomcollection"
            | "vector" => (Kind::Bytes, quoted),
            other => panic!("{}: the comparison does not know {other}", flavor.name()),
        };
        Column {
            name,
            kind,
            expression,
        }
    };
    rows.into_iter().map(column).collect()
}

/// Whether the server keeps former rows of the table (`WITH SYSTEM VERSIONING`).
fn is_versioned(session: &mut Session, database: &str, table: &str) -> bool {
    let rows = session.query_strings(&format!(
        "SELECT 1 FROM information_schema.tables WHERE table_type = 'SYSTEM VERSIONED' AND {} AND {}",
        exactly("table_schema", database),
        exactly("table_name", table)
    ));
    !rows.is_empty()
}

/// The columns of a period that nobody has declared; `information_schema` does not list them.
fn hidden_period(session: &mut Session, database: &str, table: &str) -> Vec<Column> {
    let show = format!(
        "SHOW CREATE TABLE {}.{}",
        quoted(database, '`'),
        quoted(table, '`')
    );
    let text = session.query_strings(&show)[0][1].clone().unwrap();
    if text.contains("PERIOD FOR SYSTEM_TIME") {
        return Vec::new();
    }
    let column = |name: &str| Column {
        name: name.to_owned(),
        kind: Kind::Text,
        expression: name.to_owned(),
    };
    vec![column("row_start"), column("row_end")]
}

/// A value as it is, or must be, in SQLite.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Cell {
    Null,
    Integer(i64),
    /// The bits of the f64.
    Real(u64),
    Text(Vec<u8>),
    Bytes(Vec<u8>),
    /// Text or bytes of some length: whether it is text, length, hash.
    Long(bool, usize, u64),
}

impl Cell {
    fn real(value: f64) -> Self {
        Self::Real(if value == 0.0 { 0.0f64 } else { value }.to_bits())
    }

    fn text(bytes: &[u8]) -> Self {
        Self::shortened(true, bytes).unwrap_or_else(|| Self::Text(bytes.to_owned()))
    }

    fn bytes(bytes: &[u8]) -> Self {
        Self::shortened(false, bytes).unwrap_or_else(|| Self::Bytes(bytes.to_owned()))
    }

    fn shortened(text: bool, bytes: &[u8]) -> Option<Self> {
        (bytes.len() > LONG_VALUE_BYTES).then(|| {
            let mut hasher = DefaultHasher::new();
            hasher.write(bytes);
            Self::Long(text, bytes.len(), hasher.finish())
        })
    }

    /// What SQLite must hold for a value that the server printed so.
    fn expected(kind: Kind, printed: Option<&[u8]>) -> Self {
        let Some(printed) = printed else {
            return Self::Null;
        };
        let text = || std::str::from_utf8(printed).unwrap();
        match kind {
            Kind::Integer => text()
                .parse()
                .map_or_else(|_| Self::text(printed), Self::Integer),
            Kind::Float => {
                let value = narrowed(text().parse().unwrap());
                // The shortest decimal that reads back as the same f32, read as f64.
                Self::real(value.to_string().parse().unwrap())
            }
            Kind::Double => Self::real(text().parse().unwrap()),
            Kind::Decimal if significant_digits(text()) <= EXACT_DIGITS => {
                Self::real(text().parse().unwrap())
            }
            Kind::Decimal | Kind::Text => Self::text(printed),
            Kind::Bytes => Self::bytes(printed),
        }
    }

    fn actual(kind: Kind, value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null => Self::Null,
            #[allow(
                clippy::cast_precision_loss,
                reason = "15 digits at most, or it differs"
            )]
            ValueRef::Integer(value) if kind == Kind::Decimal => Self::real(value as f64),
            ValueRef::Integer(value) => Self::Integer(value),
            ValueRef::Real(value) => Self::real(value),
            ValueRef::Text(value) => Self::text(value),
            ValueRef::Blob(value) => Self::bytes(value),
        }
    }
}

#[allow(clippy::cast_possible_truncation, reason = "the server widened an f32")]
fn narrowed(value: f64) -> f32 {
    value as f32
}

fn significant_digits(decimal: &str) -> usize {
    let digits = decimal.trim_start_matches('-');
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{}", fraction.trim_end_matches('0'));
    let all = all.trim_start_matches('0');
    if fraction.trim_end_matches('0').is_empty() {
        all.trim_end_matches('0').len()
    } else {
        all.len()
    }
}

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Real(bits) => write!(f, "{:?} (real)", f64::from_bits(*bits)),
            Self::Text(text) => {
                let text = String::from_utf8_lossy(text);
                let shown: String = text.chars().take(SHOWN_CHARS).collect();
                write!(f, "{shown:?}")
            }
            Self::Bytes(bytes) => {
                f.write_str("x'")?;
                for byte in bytes.iter().take(SHOWN_CHARS / 2) {
                    write!(f, "{byte:02x}")?;
                }
                f.write_str("'")
            }
            Self::Long(text, length, hash) => {
                let what = if *text {
                    "characters in bytes"
                } else {
                    "bytes"
                };
                write!(f, "<{length} {what}, hash {hash:016x}>")
            }
        }
    }
}

type Row = Vec<Cell>;

#[track_caller]
fn source_rows(
    session: &mut Session,
    database: &str,
    table: &str,
    history: &str,
    columns: &[Column],
) -> Vec<Row> {
    let expressions: Vec<&str> = columns
        .iter()
        .map(|column| column.expression.as_str())
        .collect();
    let sql = format!(
        "SELECT {} FROM {}.{}{history}",
        expressions.join(", "),
        quoted(database, '`'),
        quoted(table, '`')
    );
    let row = |row: Vec<Option<Vec<u8>>>| {
        let cells = columns.iter().zip(&row);
        cells
            .map(|(column, value)| Cell::expected(column.kind, value.as_deref()))
            .collect()
    };
    session.query(&sql).into_iter().map(row).collect()
}

#[track_caller]
fn sqlite_rows(sqlite: &Connection, table: &str, columns: &[Column]) -> Vec<Row> {
    let names: Vec<String> = columns
        .iter()
        .map(|column| quoted(&column.name, '"'))
        .collect();
    let sql = format!("SELECT {} FROM {}", names.join(", "), quoted(table, '"'));
    let mut statement = sqlite.prepare(&sql).unwrap();
    let mut rows = statement.query([]).unwrap();
    let mut found = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        let cells = columns.iter().enumerate();
        found.push(
            cells
                .map(|(at, column)| Cell::actual(column.kind, row.get_ref(at).unwrap()))
                .collect(),
        );
    }
    found
}

#[track_caller]
fn assert_rows_equal(table: &str, mut expected: Vec<Row>, mut actual: Vec<Row>) {
    expected.sort();
    actual.sort();
    if expected == actual {
        return;
    }
    let (missing, extra) = differences(&expected, &actual);
    let shown = |rows: &[&Row]| -> String {
        let lines = rows
            .iter()
            .take(SHOWN_ROWS)
            .map(|row| format!("\n  {row:?}"));
        lines.collect()
    };
    panic!(
        "{table}: {} rows in the source, {} in the target\n\
         {} only in the source:{}\n{} only in the target:{}\nrows that begin alike differ in:{}",
        expected.len(),
        actual.len(),
        missing.len(),
        shown(&missing),
        extra.len(),
        shown(&extra),
        cells_that_differ(&missing, &extra)
    );
}

/// Of rows of both sides with the same first cell, which is mostly the key: source | target.
fn cells_that_differ(missing: &[&Row], extra: &[&Row]) -> String {
    let mut lines = Vec::new();
    for row in missing {
        let Some(other) = extra.iter().find(|other| other.first() == row.first()) else {
            continue;
        };
        for (at, (left, right)) in row.iter().zip(other.iter()).enumerate() {
            if left != right {
                lines.push(format!(
                    "\n  row {:?}, column {at}: {left:?} | {right:?}",
                    row[0]
                ));
            }
        }
    }
    lines.truncate(SHOWN_CELLS);
    lines.concat()
}

/// Rows that only one of two sorted lists has.
fn differences<'a>(left: &'a [Row], right: &'a [Row]) -> (Vec<&'a Row>, Vec<&'a Row>) {
    let (mut only_left, mut only_right) = (Vec::new(), Vec::new());
    let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
    loop {
        match (left.peek(), right.peek()) {
            (None, None) => return (only_left, only_right),
            (Some(l), Some(r)) if l == r => {
                left.next();
                right.next();
            }
            (Some(l), Some(r)) if l < r => only_left.extend(left.next()),
            (Some(_), None) => only_left.extend(left.next()),
            (_, Some(_)) => only_right.extend(right.next()),
        }
    }
}

fn quoted(name: &str, quote: char) -> String {
    let doubled = name.replace(quote, &format!("{quote}{quote}"));
    format!("{quote}{doubled}{quote}")
}

/// A condition on a column of `information_schema`, which ignores case where the server's names may not.
fn exactly(column: &str, name: &str) -> String {
    let name = text_literal(name);
    format!("{column} = {name} AND CAST({column} AS BINARY) = CAST({name} AS BINARY)")
}

/// A string literal that no `sql_mode` reads otherwise.
fn text_literal(text: &str) -> String {
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("CONVERT(x'{hex}' USING utf8mb4)")
}

#[test]
fn significant_digits_are_counted_as_sqlite_needs_them() {
    for (decimal, digits) in [
        ("0", 0),
        ("0.00", 0),
        ("-12.50", 3),
        ("1000", 1),
        ("0.0012", 2),
        ("100.01", 5),
        ("123456789012345.6", 16),
    ] {
        assert_eq!(significant_digits(decimal), digits, "{decimal}");
    }
}

#[test]
fn differences_are_counted_with_their_multiplicity() {
    let row = |value| vec![Cell::Integer(value)];
    let left = [row(1), row(1), row(2), row(4)];
    let right = [row(1), row(2), row(3)];
    let (only_left, only_right) = differences(&left, &right);
    assert_eq!(only_left, [&row(1), &row(4)]);
    assert_eq!(only_right, [&row(3)]);
}
