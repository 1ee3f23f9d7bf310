//! JSON of MySQL.

use super::{ColumnKind, Values, sql_text, strings};
use crate::support::random::Random;

#[derive(Debug)]
struct Json;

impl Values for Json {
    fn edges(&self) -> Vec<String> {
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

    fn random(&self, random: &mut Random) -> String {
        format!("CAST({} AS JSON)", sql_text(&document(random, 0)))
    }

    fn can_be_key(&self) -> bool {
        false
    }
}

/// A random document.
pub(in super::super) fn document(random: &mut Random, depth: u32) -> String {
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
                .map(|_| document(random, depth + 1))
                .collect();
            format!("[{}]", elements.join(","))
        }
        _ => {
            let members: Vec<String> = (0..random.range(0..6))
                .map(|_| format!("{}:{}", json_string(random), document(random, depth + 1)))
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

/// The type.
pub(super) fn kind() -> ColumnKind {
    ColumnKind::new("JSON", Json)
}
