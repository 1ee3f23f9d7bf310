//! The column types of both servers, with the values at the ends of their ranges and random ones between.

use crate::support::random::Random;
use crate::support::server::Flavor;

/// A type, and how literals for it are made.
#[derive(Clone, Debug)]
pub(super) struct ColumnKind {
    /// As CREATE TABLE says it.
    pub(super) sql_type: String,
    values: Values,
}

#[derive(Clone, Debug)]
enum Values {
    Integer {
        bits: u32,
        unsigned: bool,
    },
    Decimal {
        whole: usize,
        scale: usize,
        unsigned: bool,
    },
    Float,
    Double,
    Bit(u32),
    Year,
    Date,
    Time(usize),
    DateTime(usize),
    Timestamp(usize),
    /// Greatest number of characters, and from which to choose.
    Text(usize, &'static str),
    Bytes(usize),
    Enum(usize),
    Set(usize),
    Json,
    Geometry(&'static [&'static str]),
    Vector(usize),
    Uuid,
    Inet4,
    Inet6,
}

/// Characters of everyday text: letters in both cases, accents, scripts, what SQL and LIKE hold for special, and what
/// needs four bytes. No NUL: NOCASE does not look behind it (docs/limits.md), which only the edge values may have.
const EVERYDAY: &str = "aAbB ßéÉıİ'\"\\%_\n\t\u{1a}\u{7f}жΩ中한あ\u{301}\u{200d}\u{fffd}💩𝔘";
const LATIN: &str = "aAzZ éÉß€ÿ'\\";

const POINTS: &[&str] = &["POINT(0 0)", "POINT(-1.5 1e300)", "POINT(12.25 -7)"];
const SHAPES: &[&str] = &[
    "POINT(1 2)",
    "LINESTRING(0 0, 1 1, 2 -3)",
    "POLYGON((0 0, 4 0, 4 4, 0 4, 0 0), (1 1, 2 1, 2 2, 1 2, 1 1))",
    "MULTIPOINT(1 1, 2 2)",
    "MULTILINESTRING((0 0, 1 1), (2 2, 3 3))",
    "MULTIPOLYGON(((0 0, 1 0, 1 1, 0 0)))",
    "GEOMETRYCOLLECTION(POINT(1 1), LINESTRING(0 0, 1 1))",
];

impl ColumnKind {
    fn new(sql_type: impl Into<String>, values: Values) -> Self {
        Self {
            sql_type: sql_type.into(),
            values,
        }
    }

    /// Whether it can be in a key without a prefix.
    pub(super) fn can_be_key(&self) -> bool {
        match &self.values {
            Values::Json | Values::Geometry(_) | Values::Vector(_) | Values::Text(0, _) => false,
            _ => !self.sql_type.contains("TEXT") && !self.sql_type.contains("BLOB"),
        }
    }

    /// Whether a column may have this constant as its default.
    pub(super) fn can_have_default(&self) -> bool {
        self.can_be_key() && !self.sql_type.contains("COMPRESSED")
    }

    /// Literals at the ends of the range and where other programs went wrong.
    pub(super) fn edges(&self) -> Vec<String> {
        match &self.values {
            Values::Integer { bits, unsigned } => integer_edges(*bits, *unsigned),
            Values::Decimal {
                whole,
                scale,
                unsigned,
            } => decimal_edges(*whole, *scale, *unsigned),
            Values::Float => strings(&[
                "0",
                "-0e0",
                "-1",
                "0.1",
                "3.4028234e38",
                "-3.4028234e38",
                "1.17549435e-38",
                "1e-45",
                "16777217",
                "123456.789",
                "1e15",
                "0.3",
            ]),
            Values::Double => strings(&[
                "0",
                "-0e0",
                "0.1",
                "1.7976931348623157e308",
                "-1.7976931348623157e308",
                "2.2250738585072014e-308",
                "5e-324",
                "1e15",
                "123456789012345680",
                "9007199254740993",
                "1e-16",
                "0.30000000000000004",
            ]),
            Values::Bit(bits) => vec![
                format!("b'{}'", "1".repeat(*bits as usize)),
                "b'0'".to_owned(),
                "b'1'".to_owned(),
                format!("b'1{}'", "0".repeat(*bits as usize - 1)),
            ],
            Values::Year => strings(&["0", "'0000'", "1901", "2155", "2000"]),
            Values::Date => dates().iter().map(|date| format!("'{date}'")).collect(),
            Values::Time(fsp) => time_edges(*fsp),
            Values::DateTime(fsp) => {
                let moments = dates().into_iter();
                moments
                    .map(|date| format!("'{date} 23:59:59{}'", fraction(*fsp, "999999")))
                    .chain([
                        "'0000-00-00 00:00:00'".to_owned(),
                        "'2015-00-21 00:00:00'".to_owned(),
                    ])
                    .collect()
            }
            Values::Timestamp(fsp) => timestamp_edges(*fsp),
            Values::Text(length, characters) => text_edges(*length, characters),
            Values::Bytes(length) => vec![
                "''".to_owned(),
                "x'00'".to_owned(),
                "x'6100'".to_owned(),
                "'a '".to_owned(),
                format!("REPEAT(x'ff', {length})"),
                "x'80e9'".to_owned(),
            ],
            Values::Enum(labels) => {
                let mut edges = strings(&["'none of them'", "'l0'", "''", "'INT,1'"]);
                edges.extend(
                    [255, 256, labels - 1]
                        .iter()
                        .map(|n| format!("'l{}'", n.min(&(labels - 1)))),
                );
                edges
            }
            Values::Set(labels) => {
                let all: Vec<String> = (0..*labels).map(|n| format!("s{n}")).collect();
                vec![
                    "''".to_owned(),
                    "'s0'".to_owned(),
                    format!("'s{}'", labels - 1),
                    format!("'{}'", all.join(",")),
                ]
            }
            Values::Json => json_edges(),
            Values::Geometry(shapes) => shapes
                .iter()
                .map(|shape| format!("ST_GeomFromText('{shape}')"))
                .collect(),
            Values::Vector(size) => vec![
                vector(vec!["0".to_owned(); *size]),
                vector(vec!["-1.5e-20".to_owned(); *size]),
                vector(vec!["3.4028234e38".to_owned(); *size]),
            ],
            Values::Uuid => strings(&[
                "'00000000-0000-0000-0000-000000000000'",
                "'ffffffff-ffff-ffff-ffff-ffffffffffff'",
                "'123e4567-e89b-12d3-a456-426655440000'",
                "'6ccd780c-baba-1026-9564-5b8c656024db'",
                "'f47ac10b-58cc-4372-a567-0e02b2c3d479'",
                "'018f4f5e-7c00-7000-8000-000000000001'",
                "'00112233-4455-6677-8899-aabbccddeeff'",
                "'00112233-4455-1677-0899-aabbccddeeff'",
                "'123e4567-e89b-12d3-a456-426655440100'",
            ]),
            Values::Inet4 => strings(&[
                "'0.0.0.0'",
                "'255.255.255.255'",
                "'127.0.0.1'",
                "'10.0.0.0'",
            ]),
            Values::Inet6 => strings(&[
                "'::'",
                "'::1'",
                "'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'",
                "'::ffff:192.0.2.1'",
                "'::192.0.2.1'",
                "'2001:db8::'",
                "'2001:0:0:1::1'",
                "'1:0:2:0:3:0:4:0'",
                "'::ffff:0:0'",
                "'::1:2'",
                "'fe80::1:0:0:1'",
            ]),
        }
    }

    /// A random literal.
    pub(super) fn random(&self, random: &mut Random) -> String {
        if random.percent(30) {
            let edges = self.edges();
            return edges[random.size(0..edges.len())].clone();
        }
        match &self.values {
            Values::Integer { bits, unsigned } => {
                let n = random.next_u64() >> (64 - bits) >> random.range(0..u64::from(*bits));
                match unsigned {
                    true => n.to_string(),
                    false if random.percent(50) => (n >> 1).to_string(),
                    false => format!("-{}", n >> 1),
                }
            }
            Values::Decimal {
                whole,
                scale,
                unsigned,
            } => {
                let sign = if *unsigned || random.percent(50) {
                    ""
                } else {
                    "-"
                };
                let whole = random.size(0..*whole + 1);
                let scale = random.size(0..*scale + 1);
                let whole = digits(random, whole);
                format!("{sign}0{whole}.{}0", digits(random, scale))
            }
            Values::Float => {
                let bits = f32::from_bits(low_bits(random));
                float(random, f64::from(bits))
            }
            Values::Double => {
                let bits = f64::from_bits(random.next_u64());
                float(random, bits)
            }
            Values::Bit(bits) => (random.next_u64() >> (64 - bits)).to_string(),
            Values::Year => random.range(1901..2156).to_string(),
            Values::Date => format!("'{}'", date(random)),
            Values::Time(fsp) => {
                let sign = if random.percent(50) { "" } else { "-" };
                format!("'{sign}{}:{}'", random.range(0..839), clock(random, *fsp))
            }
            Values::DateTime(fsp) => format!(
                "'{} {}:{}'",
                date(random),
                random.range(0..24),
                clock(random, *fsp)
            ),
            Values::Timestamp(fsp) => {
                let seconds = random.range(1..0x7fff_ffff);
                format!(
                    "FROM_UNIXTIME({seconds}{})",
                    fraction(*fsp, &digits(random, 6))
                )
            }
            Values::Text(length, characters) => text(random, *length, characters),
            Values::Bytes(length) => {
                let length = random.size(0..*length.min(&64) + 1);
                let bytes: String = (0..length)
                    .map(|_| format!("{:02x}", random.range(0..256)))
                    .collect();
                format!("x'{bytes}'")
            }
            Values::Enum(labels) => format!("'l{}'", random.size(0..*labels)),
            Values::Set(labels) => (random.next_u64() >> (64 - labels)).to_string(),
            Values::Json => format!("CAST({} AS JSON)", sql_text(&json(random, 0))),
            Values::Geometry(shapes) => format!("ST_GeomFromText('{}')", random.pick(shapes)),
            Values::Vector(size) => {
                let number = |_| {
                    format!(
                        "{:e}",
                        f64::from(f32::from_bits(low_bits(random) & 0xbf7f_ffff))
                    )
                };
                vector((0..*size).map(number).collect())
            }
            Values::Uuid => {
                let [a, b] =
                    [random.next_u64(), random.next_u64()].map(|half| format!("{half:016x}"));
                let text = format!("{a}{b}");
                format!(
                    "'{}-{}-{}-{}-{}'",
                    &text[..8],
                    &text[8..12],
                    &text[12..16],
                    &text[16..20],
                    &text[20..]
                )
            }
            Values::Inet4 => {
                let address = std::net::Ipv4Addr::from(low_bits(random));
                format!("'{address}'")
            }
            Values::Inet6 => {
                let mut groups = [0u16; 8];
                for group in &mut groups {
                    if random.percent(50) {
                        *group = u16::try_from(random.range(0..65536)).unwrap();
                    }
                }
                format!("'{}'", std::net::Ipv6Addr::from(groups))
            }
        }
    }
}

/// A string literal that needs no escapes.
pub(super) fn sql_text(text: &str) -> String {
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("_utf8mb4 x'{hex}'")
}

fn strings(literals: &[&str]) -> Vec<String> {
    literals
        .iter()
        .map(|literal| (*literal).to_owned())
        .collect()
}

fn low_bits(random: &mut Random) -> u32 {
    u32::try_from(random.next_u64() >> 32).unwrap()
}

fn integer_edges(bits: u32, unsigned: bool) -> Vec<String> {
    let (half, whole) = (1_i128 << (bits - 1), 1_i128 << bits);
    let edges = match unsigned {
        false => vec![-half, half - 1, 0, -1],
        true => vec![0, whole - 1, half, half - 1, 1],
    };
    edges.iter().map(i128::to_string).collect()
}

fn decimal_edges(whole: usize, scale: usize, unsigned: bool) -> Vec<String> {
    let number = |whole: &str, fraction: &str| match fraction {
        "" => format!("0{whole}"),
        _ => format!("0{whole}.{fraction}"),
    };
    let most = number(&"9".repeat(whole), &"9".repeat(scale));
    let mut edges = vec!["0".to_owned(), most.clone()];
    edges.push(number(
        &format!("1{}", "0".repeat(whole.saturating_sub(1)))[..whole],
        "",
    ));
    if scale > 0 {
        edges.push(number("", &format!("{}1", "0".repeat(scale - 1))));
        edges.push(number("", &format!("1{}", "0".repeat(scale - 1))));
    }
    if !unsigned {
        edges.extend(edges.clone().iter().map(|edge| format!("-{edge}")));
    }
    edges
}

fn fraction(fsp: usize, digits: &str) -> String {
    match fsp {
        0 => String::new(),
        _ => format!(".{}", &digits[..fsp]),
    }
}

fn dates() -> Vec<&'static str> {
    vec![
        "0000-00-00",
        "1000-01-01",
        "9999-12-31",
        "2015-00-21",
        "2015-12-00",
        "0001-01-01",
        "2024-02-29",
        "0000-01-01",
    ]
}

fn time_edges(fsp: usize) -> Vec<String> {
    let mut edges = strings(&["'-838:59:59'", "'838:59:59'", "'00:00:00'", "'-00:00:01'"]);
    edges.push(format!("'-00:00:00{}'", fraction(fsp, "000001")));
    edges.push(format!("'-12:34:56{}'", fraction(fsp, "500000")));
    edges.push(format!("'837:59:59{}'", fraction(fsp, "999999")));
    edges.push(format!("'-837:59:59{}'", fraction(fsp, "999999")));
    edges.push(format!("'-00:00:00{}'", fraction(fsp, "999999")));
    edges
}

/// In the session's zone, which is two hours ahead of UTC and has a gap and a fold hour; and as seconds.
fn timestamp_edges(fsp: usize) -> Vec<String> {
    let mut edges = strings(&["'0000-00-00 00:00:00'"]);
    for seconds in [
        "1",
        "1711846799",
        "1711846800",
        "1729990800",
        "1729994400",
        "2147483647",
    ] {
        edges.push(format!(
            "FROM_UNIXTIME({seconds}{})",
            fraction(fsp, "999999")
        ));
    }
    edges.push(format!("'2024-02-29 12:34:56{}'", fraction(fsp, "123456")));
    edges
}

fn text_edges(length: usize, characters: &str) -> Vec<String> {
    let mut edges = strings(&[
        "''", "'a'", "'A'", "'a '", "' a'", "'1e3'", "'-0'", "'0x10'",
    ]);
    edges.push(sql_text("a\0b"));
    edges.push(sql_text(
        &characters.chars().take(length).collect::<String>(),
    ));
    edges.push(format!(
        "REPEAT({}, {length})",
        sql_text(&characters.chars().next_back().unwrap().to_string())
    ));
    edges
}

fn json_edges() -> Vec<String> {
    let texts = [
        "null",
        "true",
        "-32769",
        "65536",
        "4294967296",
        "18446744073709551615",
        "-9223372036854775808",
        "1.0",
        "-0.0",
        "1e100",
        "5e-324",
        "1e15",
        "1e16",
        "1e17",
        "123456789.123456789",
        r#""\"\\\/\b\f\n\r\t\u0001\u007f\u00e9💩""#,
        "[]",
        "{}",
        r#"{"b":1,"aa":[1,-70000,3000000000,{}],"a":{"x":null},"":1.5,"B":[[]]}"#,
        r#""""#,
    ];
    let mut edges: Vec<String> = texts
        .iter()
        .map(|text| format!("CAST({} AS JSON)", sql_text(text)))
        .collect();
    edges.push(format!("'{}1{}'", "[".repeat(99), "]".repeat(99)));
    edges.extend(strings(&[
        "JSON_ARRAY(REPEAT('x', 127), REPEAT('y', 128), REPEAT('z', 70000), 1, -70000, 3000000000)",
        "JSON_OBJECT('blob', REPEAT(x'ff', 100), 'bit', b'101', 'year', CAST(2020 AS YEAR))",
        "JSON_ARRAY(TIME'-12:00:01.5', DATE'2020-01-02', TIMESTAMP'2020-01-01 01:02:03.25', 1.50, -0.05, 0.0)",
        "JSON_ARRAY(1e-7, 123456789012345678e0, x'', CAST(1.5e0 AS FLOAT), 12345678901234567890123456789.0123456789)",
        "JSON_OBJECT('t', TIME'00:00:00', 'z', CAST('0000-00-00' AS DATE), 'd', CAST(7 AS DECIMAL(65,30)))",
    ]));
    edges
}

fn vector(numbers: Vec<String>) -> String {
    format!("STRING_TO_VECTOR('[{}]')", numbers.join(","))
}

fn digits(random: &mut Random, count: usize) -> String {
    (0..count)
        .map(|_| char::from(b'0' + u8::try_from(random.range(0..10)).unwrap()))
        .collect()
}

/// Random bits, or a number that people write.
fn float(random: &mut Random, bits: f64) -> String {
    if bits.is_finite() && random.percent(50) {
        return format!("{bits:e}");
    }
    let sign = if random.percent(50) { "" } else { "-" };
    format!(
        "{sign}{}.{}e0",
        random.range(0..100_000),
        random.range(0..1000)
    )
}

fn date(random: &mut Random) -> String {
    format!(
        "{:04}-{:02}-{:02}",
        random.range(0..10_000),
        random.range(1..13),
        random.range(1..29)
    )
}

/// Minutes, seconds and their fraction.
fn clock(random: &mut Random, fsp: usize) -> String {
    let micros = digits(random, 6);
    format!(
        "{:02}:{:02}{}",
        random.range(0..60),
        random.range(0..60),
        fraction(fsp, &micros)
    )
}

fn text(random: &mut Random, length: usize, characters: &str) -> String {
    let characters: Vec<char> = characters.chars().collect();
    let length = random.size(0..length.min(40) + 1);
    let text: String = (0..length)
        .map(|_| characters[random.size(0..characters.len())])
        .collect();
    sql_text(&text)
}

/// A random document.
pub(super) fn json(random: &mut Random, depth: u32) -> String {
    let kinds = if depth > 3 { 6 } else { 9 };
    match random.range(0..kinds) {
        0 => random.pick(&["null", "true", "false"]).to_owned(),
        1 => (random.next_u64() >> random.range(0..64)).to_string(),
        2 => format!("-{}", random.next_u64() >> random.range(1..64)),
        3 => format!("{}.{}", random.range(0..1000), random.range(0..1000)),
        4 => format!(
            "{}e{}",
            random.range(1..100),
            random.range(0..600).cast_signed() - 300
        ),
        5 => json_string(random),
        6 => {
            let elements: Vec<String> = (0..random.range(0..6))
                .map(|_| json(random, depth + 1))
                .collect();
            format!("[{}]", elements.join(","))
        }
        _ => {
            let members: Vec<String> = (0..random.range(0..6))
                .map(|_| format!("{}:{}", json_string(random), json(random, depth + 1)))
                .collect();
            format!("{{{}}}", members.join(","))
        }
    }
}

fn json_string(random: &mut Random) -> String {
    const PIECES: [&str; 12] = [
        "a", "b", "A", "é", "💩", "\\n", "\\\"", "\\\\", "\\u0002", ".", "$", " ",
    ];
    let pieces: String = (0..random.range(0..5))
        .map(|_| random.pick(&PIECES).to_owned())
        .collect();
    format!("\"{pieces}\"")
}

/// Every type that a server has.
pub(super) fn all(flavor: Flavor) -> Vec<ColumnKind> {
    let mut kinds = numbers();
    kinds.extend(temporals());
    kinds.extend(texts());
    kinds.extend(of_one_server(flavor));
    kinds
}

fn numbers() -> Vec<ColumnKind> {
    let mut kinds = Vec::new();
    for (bits, name) in [
        (8, "TINYINT"),
        (16, "SMALLINT"),
        (24, "MEDIUMINT"),
        (32, "INT"),
        (64, "BIGINT"),
    ] {
        kinds.push(ColumnKind::new(
            name,
            Values::Integer {
                bits,
                unsigned: false,
            },
        ));
        kinds.push(ColumnKind::new(
            format!("{name} UNSIGNED"),
            Values::Integer {
                bits,
                unsigned: true,
            },
        ));
    }
    kinds.push(ColumnKind::new(
        "BOOL",
        Values::Integer {
            bits: 8,
            unsigned: false,
        },
    ));
    kinds.push(ColumnKind::new(
        "INT(9) ZEROFILL",
        Values::Integer {
            bits: 32,
            unsigned: true,
        },
    ));
    let decimals = [
        (1, 0),
        (1, 1),
        (5, 2),
        (9, 9),
        (15, 0),
        (15, 15),
        (16, 0),
        (16, 2),
        (18, 9),
        (38, 19),
        (65, 0),
        (65, 30),
        (30, 30),
    ];
    for (precision, scale) in decimals {
        let values = |unsigned| Values::Decimal {
            whole: precision - scale,
            scale,
            unsigned,
        };
        kinds.push(ColumnKind::new(
            format!("DECIMAL({precision},{scale})"),
            values(false),
        ));
    }
    for (name, whole, scale) in [
        ("DECIMAL(20,5) UNSIGNED", 15, 5),
        ("DECIMAL(9,2) UNSIGNED", 7, 2),
    ] {
        let values = Values::Decimal {
            whole,
            scale,
            unsigned: true,
        };
        kinds.push(ColumnKind::new(name, values));
    }
    for name in ["FLOAT", "FLOAT UNSIGNED", "FLOAT(7,3)"] {
        kinds.push(ColumnKind::new(name, Values::Float));
    }
    for name in ["DOUBLE", "DOUBLE(20,5)"] {
        kinds.push(ColumnKind::new(name, Values::Double));
    }
    for bits in [1, 7, 8, 9, 31, 32, 33, 63, 64] {
        kinds.push(ColumnKind::new(format!("BIT({bits})"), Values::Bit(bits)));
    }
    kinds
}

fn temporals() -> Vec<ColumnKind> {
    let mut kinds = vec![
        ColumnKind::new("YEAR", Values::Year),
        ColumnKind::new("DATE", Values::Date),
    ];
    for fsp in 0..=6 {
        kinds.push(ColumnKind::new(format!("TIME({fsp})"), Values::Time(fsp)));
        kinds.push(ColumnKind::new(
            format!("DATETIME({fsp})"),
            Values::DateTime(fsp),
        ));
        kinds.push(ColumnKind::new(
            format!("TIMESTAMP({fsp})"),
            Values::Timestamp(fsp),
        ));
    }
    kinds
}

fn texts() -> Vec<ColumnKind> {
    let mut kinds = Vec::new();
    for (name, length) in [
        ("CHAR(0)", 0),
        ("CHAR(1)", 1),
        ("CHAR(60)", 60),
        ("CHAR(255)", 255),
        ("VARCHAR(63)", 63),
        ("VARCHAR(64)", 64),
        ("VARCHAR(300)", 300),
        ("TINYTEXT", 60),
        ("TEXT", 9000),
        ("MEDIUMTEXT", 70_000),
        ("LONGTEXT", 100),
        ("VARCHAR(40) COLLATE utf8mb4_bin", 40),
    ] {
        kinds.push(ColumnKind::new(name, Values::Text(length, EVERYDAY)));
    }
    for (name, length) in [
        ("VARCHAR(255) CHARACTER SET latin1", 255),
        ("CHAR(255) CHARACTER SET latin1", 255),
        ("VARCHAR(256) CHARACTER SET latin1 COLLATE latin1_bin", 256),
        ("TEXT CHARACTER SET latin1", 300),
    ] {
        kinds.push(ColumnKind::new(name, Values::Text(length, LATIN)));
    }
    for (name, length) in [
        ("BINARY(1)", 1),
        ("BINARY(5)", 5),
        ("BINARY(255)", 255),
        ("VARBINARY(9)", 9),
        ("VARBINARY(300)", 300),
        ("TINYBLOB", 255),
        ("BLOB", 60_000),
        ("MEDIUMBLOB", 70_000),
        ("LONGBLOB", 70_000),
    ] {
        kinds.push(ColumnKind::new(name, Values::Bytes(length)));
    }
    let labels = |prefix: &str, count| {
        let labels: Vec<String> = (0..count).map(|n| format!("'{prefix}{n}'")).collect();
        labels.join(",")
    };
    for count in [1, 2, 300] {
        kinds.push(ColumnKind::new(
            format!("ENUM({})", labels("l", count)),
            Values::Enum(count),
        ));
    }
    kinds.push(ColumnKind::new(
        "ENUM('l0', 'INT,1', 'it''s', 'ß💩')",
        Values::Enum(1),
    ));
    for count in [1, 8, 9, 17, 25, 33, 64] {
        kinds.push(ColumnKind::new(
            format!("SET({})", labels("s", count)),
            Values::Set(count),
        ));
    }
    kinds
}

fn of_one_server(flavor: Flavor) -> Vec<ColumnKind> {
    let mut kinds = vec![
        ColumnKind::new("POINT", Values::Geometry(POINTS)),
        ColumnKind::new("GEOMETRY", Values::Geometry(SHAPES)),
    ];
    for shape in &SHAPES[1..6] {
        let (name, _) = shape.split_once('(').unwrap();
        kinds.push(ColumnKind::new(
            name,
            Values::Geometry(std::slice::from_ref(shape)),
        ));
    }
    match flavor {
        Flavor::MySql => {
            kinds.push(ColumnKind::new("JSON", Values::Json));
            kinds.push(ColumnKind::new("VECTOR(3)", Values::Vector(3)));
            kinds.push(ColumnKind::new("VECTOR", Values::Vector(300)));
        }
        Flavor::MariaDb => {
            kinds.push(ColumnKind::new("UUID", Values::Uuid));
            kinds.push(ColumnKind::new("INET4", Values::Inet4));
            kinds.push(ColumnKind::new("INET6", Values::Inet6));
            for (name, length) in [
                ("VARCHAR(60) COMPRESSED", 60),
                ("VARCHAR(2000) COMPRESSED", 2000),
                ("TEXT COMPRESSED", 5000),
            ] {
                kinds.push(ColumnKind::new(name, Values::Text(length, EVERYDAY)));
            }
            for (name, length) in [
                ("VARBINARY(60) COMPRESSED", 60),
                ("TINYBLOB COMPRESSED", 200),
                ("LONGBLOB COMPRESSED", 70_000),
            ] {
                kinds.push(ColumnKind::new(name, Values::Bytes(length)));
            }
        }
    }
    kinds
}
