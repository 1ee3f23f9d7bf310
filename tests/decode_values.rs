//! Every column type with its edge values, on both servers: what `relay dump` decodes from the server's own binlog file
//! is what the same server SELECTs. Once plain and once with the server's compression of the binlog.

use std::fmt::Write as _;

use relaylite::decode::dump::{DumpOptions, dump};
use serde_json::Value;

use crate::support::server::{Flavor, Server};

/// How a column's value is asked for and compared.
#[derive(Clone, Copy, PartialEq)]
enum Compare {
    /// The same characters.
    Text,
    /// The same bytes. BINARY is padded by SELECT, not in the binlog.
    Bytes,
    Bits,
    /// The same document text, byte for byte.
    Json,
    /// The same 32-bit floats.
    Vector,
    /// The same 32 bits: the server prints six digits only.
    Float,
    /// The same number as SELECT prints it.
    Plain,
}

struct Column {
    sql_type: String,
    compare: Compare,
    literals: Vec<String>,
}

fn column(sql_type: &str, compare: Compare, literals: &[&str]) -> Column {
    let literals = literals.iter().map(|l| (*l).to_owned()).collect();
    Column {
        sql_type: sql_type.to_owned(),
        compare,
        literals,
    }
}

fn numbers() -> Vec<Column> {
    let mut columns = Vec::new();
    for (bits, name) in [
        (8, "TINYINT"),
        (16, "SMALLINT"),
        (24, "MEDIUMINT"),
        (32, "INT"),
        (64, "BIGINT"),
    ] {
        let (half, whole) = (1_i128 << (bits - 1), 1_i128 << bits);
        let signed = [-half, half - 1, 0, -1].map(|n| n.to_string());
        let unsigned = [0, whole - 1, half, 1].map(|n| n.to_string());
        for (suffix, literals) in [("", signed), (" UNSIGNED", unsigned)] {
            let literals: Vec<&str> = literals.iter().map(String::as_str).collect();
            columns.push(column(
                &format!("{name}{suffix}"),
                Compare::Plain,
                &literals,
            ));
        }
    }
    for (precision, scale) in [
        (1, 0),
        (1, 1),
        (5, 2),
        (9, 9),
        (10, 4),
        (18, 9),
        (38, 19),
        (65, 0),
        (65, 30),
        (30, 30),
    ] {
        let whole = "9".repeat(precision - scale);
        let most = if scale == 0 {
            whole
        } else {
            format!("{whole}.{}", "9".repeat(scale))
        };
        let least = format!("-0.{}1", "0".repeat(scale.saturating_sub(1)));
        let negative = format!("-{most}");
        let literals = [
            most.as_str(),
            &negative,
            "0",
            if scale == 0 { "-1" } else { least.as_str() },
        ];
        columns.push(column(
            &format!("DECIMAL({precision},{scale})"),
            Compare::Plain,
            &literals,
        ));
    }
    let floats = [
        "0",
        "-1",
        "0.1",
        "3.4028234e38",
        "1.17549435e-38",
        "16777217",
        "123456.789",
        "1e15",
    ];
    let doubles = [
        "0",
        "0.1",
        "-1.7976931348623157e308",
        "2.2250738585072014e-308",
        "5e-324",
        "1e14",
        "1e15",
        "123456789012345680",
        "1e-5",
        "1e-16",
        "0.30000000000000004",
    ];
    columns.push(column("FLOAT", Compare::Float, &floats));
    columns.push(column("DOUBLE", Compare::Plain, &doubles));
    columns.push(column("YEAR", Compare::Plain, &["0", "1901", "2155"]));
    for bits in [1, 7, 8, 9, 63, 64] {
        let ones = format!("b'{}'", "1".repeat(bits));
        columns.push(column(
            &format!("BIT({bits})"),
            Compare::Bits,
            &[&ones, "b'0'", "b'1'"],
        ));
    }
    columns
}

fn temporals() -> Vec<Column> {
    let dates = [
        "'0000-00-00'",
        "'1000-01-01'",
        "'9999-12-31'",
        "'2015-00-21'",
        "'2015-12-00'",
    ];
    let mut columns = vec![column("DATE", Compare::Plain, &dates)];
    for fsp in 0..=6 {
        let digits = &"123456"[..fsp];
        let dot = if fsp == 0 { "" } else { "." };
        let shown = |moment: &str| format!("'{moment}{dot}{digits}'");
        let smallest = format!(
            "'-00:00:00{dot}{}'",
            if fsp == 0 {
                String::new()
            } else {
                format!("{:0fsp$}", 1)
            }
        );
        let times = [
            "'-838:59:59'".into(),
            "'838:59:59'".into(),
            "'00:00:00'".into(),
            smallest,
            shown("-00:00:01"),
            shown("-12:34:56"),
            shown("100:00:00"),
        ];
        let datetimes = [
            "'0000-00-00 00:00:00'".into(),
            format!("'9999-12-31 23:59:59{dot}{}'", &"999999"[..fsp]),
            shown("2015-00-21 00:00:00"),
            shown("2024-02-29 12:34:56"),
        ];
        // The session is three hours ahead of UTC; the second one lies in the hour that Europe leaves out.
        let timestamps = [
            "'0000-00-00 00:00:00'".into(),
            shown("1970-01-01 03:00:01"),
            shown("2024-03-31 02:30:00"),
            shown("2038-01-19 06:14:07"),
        ];
        for (name, literals) in [
            ("TIME", &times[..]),
            ("DATETIME", &datetimes),
            ("TIMESTAMP", &timestamps),
        ] {
            let literals: Vec<&str> = literals.iter().map(String::as_str).collect();
            columns.push(column(&format!("{name}({fsp})"), Compare::Plain, &literals));
        }
    }
    columns
}

/// A text that each charset can hold.
const CHARSETS: &[(&str, &str)] = &[
    ("utf8mb4", "💩é"),
    ("utf8mb3", "中é"),
    ("latin1", "€ÿ"),
    ("ascii", "a"),
    ("big5", "中文測試"),
    ("gbk", "你好世界"),
    ("gb2312", "你好"),
    ("sjis", "日本語ｱ"),
    ("cp932", "日本語①"),
    ("ujis", "日本語"),
    ("eucjpms", "日本語①"),
    ("euckr", "한국어"),
    ("ucs2", "aé中"),
    ("utf16", "a💩"),
    ("utf16le", "a💩"),
    ("utf32", "a💩"),
    ("cp1250", "ž"),
    ("cp1251", "Привет"),
    ("cp1256", "سلام"),
    ("cp1257", "ž"),
    ("cp850", "é"),
    ("cp852", "ł"),
    ("cp866", "Привет"),
    ("dec8", "é"),
    ("geostd8", "ა"),
    ("greek", "Ελλ"),
    ("hebrew", "שלום"),
    ("hp8", "é"),
    ("keybcs2", "ř"),
    ("koi8r", "Привет"),
    ("koi8u", "Ґ"),
    ("latin2", "łó"),
    ("latin5", "ğ"),
    ("latin7", "ą"),
    ("macce", "ł"),
    ("macroman", "é"),
    ("armscii8", "Հ"),
    ("swe7", "åäö"),
    ("tis620", "ไทย"),
];

fn texts(flavor: Flavor) -> Vec<Column> {
    let mut columns = Vec::new();
    let mut charsets = CHARSETS.to_vec();
    if flavor == Flavor::MySql {
        charsets.push(("gb18030", "你好💩"));
    }
    for (charset, text) in charsets {
        let literals = [
            format!("'{text}'"),
            format!("'{text} q'' '"),
            "''".to_owned(),
        ];
        let literals: Vec<&str> = literals.iter().map(String::as_str).collect();
        for sql_type in ["VARCHAR(30)", "CHAR(20)", "TEXT"] {
            let sql_type = format!("{sql_type} CHARACTER SET {charset}");
            columns.push(column(&sql_type, Compare::Text, &literals));
        }
        let sql_type = format!("ENUM('z','{text}') CHARACTER SET {charset}");
        columns.push(column(&sql_type, Compare::Text, &literals[..1]));
    }
    let long = format!("REPEAT('é', {})", 250);
    for sql_type in [
        "CHAR(255)",
        "VARCHAR(255)",
        "VARCHAR(256)",
        "VARCHAR(5000)",
        "TINYTEXT",
        "MEDIUMTEXT",
        "LONGTEXT",
    ] {
        let short = if sql_type == "TINYTEXT" {
            "REPEAT('é', 127)"
        } else {
            &long
        };
        columns.push(column(
            sql_type,
            Compare::Text,
            &["''", "'a'", "'trail  '", r"'\0\n\\'", short],
        ));
    }
    for sql_type in [
        "BINARY(5)",
        "BINARY(255)",
        "VARBINARY(9)",
        "VARBINARY(300)",
        "TINYBLOB",
        "BLOB",
        "MEDIUMBLOB",
        "LONGBLOB",
    ] {
        columns.push(column(
            sql_type,
            Compare::Bytes,
            &["''", "x'00'", "x'ff'", "x'00ff00'", "x'6100'"],
        ));
    }
    let labels = |prefix: &str, count: usize| {
        (0..count)
            .map(|n| format!("'{prefix}{n}'"))
            .collect::<Vec<_>>()
            .join(",")
    };
    columns.push(column(
        &format!("ENUM({})", labels("l", 300)),
        Compare::Text,
        &["'l0'", "'l255'", "'l256'", "'l299'", "'none'"],
    ));
    for count in [1, 8, 9, 24, 25, 64] {
        let last = format!("'s0,s{}'", count - 1);
        columns.push(column(
            &format!("SET({})", labels("s", count)),
            Compare::Text,
            &["''", "'s0'", &last],
        ));
    }
    columns
}

fn of_one_server(flavor: Flavor) -> Vec<Column> {
    let long = "REPEAT(x'00ff', 10000)";
    match flavor {
        Flavor::MySql => vec![
            column(
                "VECTOR(3)",
                Compare::Vector,
                &["STRING_TO_VECTOR('[0.1,-2.5,3e10]')"],
            ),
            column(
                "GEOMETRY",
                Compare::Bytes,
                &[
                    "ST_GEOMFROMTEXT('POINT(1 2)')",
                    "ST_GEOMFROMTEXT('LINESTRING(0 0,1 1)', 4326)",
                ],
            ),
            column(
                "JSON",
                Compare::Json,
                &[
                    "'null'",
                    "'true'",
                    "'-32769'",
                    "'65536'",
                    "'4294967296'",
                    "'18446744073709551615'",
                    "'1.0'",
                    "'-0.0'",
                    "'1e100'",
                    "'5e-324'",
                    r#"'"\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u007f💩"'"#,
                    "'[]'",
                    "'{}'",
                    r#"'{"b":1,"aa":[1,-70000,3000000000,{}],"a":{"x":null},"":1.5}'"#,
                    "JSON_ARRAY(REPEAT('x', 127), REPEAT('y', 128), REPEAT('z', 70000), 1, -70000, 3000000000)",
                    "JSON_OBJECT('blob', REPEAT(x'ff', 100), 'bit', b'101', 'year', CAST(2020 AS YEAR))",
                    "JSON_ARRAY(TIME'-12:00:01.5', DATE'2020-01-02', TIMESTAMP'2020-01-01 01:02:03.25', 1.50, -0.05, 123456789012345678901234567890.123456789)",
                    "JSON_ARRAY(1e15, 1e16, -1e-7, 123456789012345678e0, x'', CAST(1.5e0 AS FLOAT))",
                ],
            ),
        ],
        Flavor::MariaDb | Flavor::MariaDb11 => vec![
            column("POINT", Compare::Bytes, &["POINT(1, 2)"]),
            column(
                "VARCHAR(100) COMPRESSED",
                Compare::Text,
                &["''", "'a'", "REPEAT('é', 100)"],
            ),
            column(
                "VARCHAR(2000) COMPRESSED",
                Compare::Text,
                &["''", "'a'", "REPEAT('é', 2000)"],
            ),
            column(
                "TEXT COMPRESSED",
                Compare::Text,
                &["''", "REPEAT('é', 5000)"],
            ),
            column(
                "TINYBLOB COMPRESSED",
                Compare::Bytes,
                &["''", "x'00'", "REPEAT(x'00ff', 100)"],
            ),
            column("BLOB COMPRESSED", Compare::Bytes, &["''", "x'00'", long]),
            column(
                "LONGBLOB COMPRESSED",
                Compare::Bytes,
                &["''", "x'00'", long],
            ),
        ],
    }
}

/// A table of some of the columns: each has its n-th value in row n, NULL where it has none.
struct Table {
    name: String,
    columns: Vec<Column>,
}

impl Table {
    fn fill_sql(&self) -> String {
        let name = &self.name;
        let mut sql = format!("CREATE TABLE {name} (id INT PRIMARY KEY AUTO_INCREMENT");
        for (i, column) in self.columns.iter().enumerate() {
            let _ = write!(sql, ", c{i} {} NULL", column.sql_type);
        }
        sql.push_str(") DEFAULT CHARSET utf8mb4;");
        let rows = self.columns.iter().map(|c| c.literals.len()).max().unwrap();
        for row in 0..=rows {
            let literal = |c: &Column| {
                c.literals
                    .get(row)
                    .map_or("NULL", String::as_str)
                    .to_owned()
            };
            let literals: Vec<String> = self.columns.iter().map(literal).collect();
            let _ = write!(
                sql,
                "INSERT INTO {name} VALUES (NULL, {});",
                literals.join(", ")
            );
        }
        sql
    }

    fn select_sql(&self) -> String {
        let expressions = self
            .columns
            .iter()
            .enumerate()
            .map(|(i, column)| match column.compare {
                Compare::Text => format!("HEX(CONVERT(c{i} USING utf8mb4))"),
                Compare::Bytes | Compare::Vector => format!("HEX(c{i})"),
                Compare::Bits => format!("BIN(c{i})"),
                Compare::Float => format!("CAST(c{i} * 1e0 AS CHAR)"),
                Compare::Json | Compare::Plain => format!("CAST(c{i} AS CHAR)"),
            });
        let expressions: Vec<String> = expressions.collect();
        format!(
            "SELECT {} FROM {} ORDER BY id",
            expressions.join(", "),
            self.name
        )
    }
}

fn tables(flavor: Flavor) -> Vec<Table> {
    let mut columns = numbers();
    columns.extend(temporals());
    columns.extend(texts(flavor));
    columns.extend(of_one_server(flavor));
    let mut tables: Vec<Table> = Vec::new();
    for column in columns {
        if tables.last().is_none_or(|table| table.columns.len() == 20) {
            tables.push(Table {
                name: format!("t{}", tables.len()),
                columns: Vec::new(),
            });
        }
        tables.last_mut().unwrap().columns.push(column);
    }
    tables
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02X}");
        text
    })
}

/// Whether the decoded value, found in `line` of the dump, is what SELECT printed.
fn is_same(compare: Compare, value: &Value, selected: Option<&str>, line: &str) -> bool {
    let Some(selected) = selected else {
        return value.is_null();
    };
    match compare {
        Compare::Text => {
            value.as_str().map(|text| hex(text.as_bytes())).as_deref() == Some(selected)
        }
        Compare::Bytes => {
            let stored = value["hex"].as_str().unwrap_or("none").to_uppercase();
            stored == selected || format!("{stored:0<width$}", width = selected.len()) == selected
        }
        Compare::Bits => {
            value["bits"]
                .as_str()
                .map(|bits| bits.trim_start_matches('0'))
                == Some(selected.trim_start_matches('0'))
        }
        Compare::Json => line.contains(selected),
        Compare::Vector => {
            let numbers = value.as_array().unwrap().iter();
            let floats = numbers.map(|n| n.to_string().parse::<f32>().unwrap());
            let bytes: Vec<u8> = floats.flat_map(f32::to_le_bytes).collect();
            hex(&bytes) == selected
        }
        Compare::Float => {
            let widened: f64 = selected.parse().unwrap();
            #[allow(clippy::cast_possible_truncation)]
            let exact = widened as f32;
            value
                .as_f64()
                .is_some_and(|n| n.to_string().parse::<f32>() == Ok(exact))
        }
        Compare::Plain => match value {
            Value::String(text) => text == selected,
            Value::Number(number) if number.is_f64() => number.as_f64() == selected.parse().ok(),
            number => format!("{number}") == selected,
        },
    }
}

fn check(server: &Server, compressed: bool) {
    let flavor = server.flavor();
    let tables = tables(flavor);
    let mut session = server.client();
    session.exec("CREATE DATABASE IF NOT EXISTS lab; USE lab; SET sql_mode = 'NO_ENGINE_SUBSTITUTION', time_zone = '+03:00'");
    for table in &tables {
        session.exec(&format!("DROP TABLE IF EXISTS {}", table.name));
    }
    session.exec("FLUSH BINARY LOGS");
    let file = server.binlog_path(&server.position().0);
    for table in &tables {
        session.exec(&table.fill_sql());
    }
    session.exec("SET time_zone = '+00:00'; FLUSH BINARY LOGS");

    let mut dumped = Vec::new();
    dump(
        &[file],
        DumpOptions {
            json: true,
            verify: true,
        },
        &mut dumped,
    )
    .unwrap();
    let dumped = String::from_utf8(dumped).unwrap();
    let mut compared = 0;
    for table in &tables {
        let marker = format!("\"table\":\"{}\"", table.name);
        let lines: Vec<&str> = dumped
            .lines()
            .filter(|line| line.contains(&marker))
            .collect();
        let rows = session.query_strings(&table.select_sql());
        assert_eq!(lines.len(), rows.len(), "rows of {}", table.name);
        for (line, row) in lines.iter().zip(&rows) {
            let change: Value = serde_json::from_str(line).unwrap();
            for (i, (column, selected)) in table.columns.iter().zip(row).enumerate() {
                let value = &change["after"][format!("c{i}")];
                assert!(
                    is_same(column.compare, value, selected.as_deref(), line),
                    "{} on {}, compressed {compressed}: decoded {value}, selected {selected:?}",
                    column.sql_type,
                    flavor.name()
                );
                compared += 1;
            }
        }
    }
    assert!(compared > 1200, "only {compared} values were compared");
}

#[test]
fn every_type_decodes_to_what_the_server_selects() {
    for flavor in Flavor::both() {
        let server = Server::builder(flavor)
            .arg("--binlog-row-metadata=FULL")
            .start();
        check(&server, false);
        server.exec(match flavor {
            Flavor::MySql => "SET GLOBAL binlog_transaction_compression = ON",
            Flavor::MariaDb | Flavor::MariaDb11 => {
                "SET GLOBAL log_bin_compress = ON, log_bin_compress_min_len = 10"
            }
        });
        check(&server, true);
    }
}
