//! Random transactions over the tables of [`super::tables`].

use super::DATABASES;
use crate::support::random::Random;

const BIG_STATEMENT_ROWS: std::ops::Range<usize> = 200..1200;
const LARGE_VALUE_BYTES: std::ops::Range<usize> = 20_000..1_500_000;

/// The statements of one transaction, its begin and end included.
pub(super) fn transaction(random: &mut Random) -> Vec<String> {
    if random.percent(25) {
        let database = database(random);
        return vec![change(random, database)]; // autocommit
    }
    let mut statements = vec!["BEGIN".to_owned()];
    let several = random.percent(30);
    let home = database(random);
    for number in 0..random.size(1..7) {
        let savepoint = random.percent(10);
        if savepoint {
            statements.push(format!("SAVEPOINT s{number}"));
        }
        let place = if several { database(random) } else { home };
        statements.push(change(random, place));
        if savepoint && random.percent(60) {
            statements.push(format!("ROLLBACK TO SAVEPOINT s{number}"));
        }
    }
    let end = if random.percent(12) {
        "ROLLBACK"
    } else {
        "COMMIT"
    };
    statements.push(end.to_owned());
    statements
}

fn database(random: &mut Random) -> &'static str {
    random.pick(&DATABASES)
}

/// One statement that changes some rows.
fn change(random: &mut Random, database: &str) -> String {
    let at = |table: &str| format!("`{database}`.{table}");
    match random.range(0..100) {
        0..=21 => by_int(random, &at("by_int")),
        22..=33 => by_unsigned(random, &at("by_unsigned")),
        34..=47 => by_pair(random, &at("by_pair")),
        48..=59 => by_name(random, &at("by_name")),
        60..=67 => by_unique(random, &at("by_unique")),
        68..=79 => no_key(random, &at("no_key")),
        80..=93 => types(random, &at("types")),
        94..=97 => many_rows(random, &at("by_int")),
        _ => large(random, &at("large")),
    }
}

fn by_int(random: &mut Random, table: &str) -> String {
    let id = random.range(1..2000);
    match random.range(0..10) {
        0..=4 => format!(
            "INSERT INTO {table} (small, medium, big, amount, name, added) VALUES {}",
            by_int_rows(random, 3)
        ),
        5..=7 => format!(
            "UPDATE {table} SET amount = amount * -1, medium = {}, name = {} WHERE id BETWEEN {id} AND {}",
            random.range(0..16_777_216),
            or_null(random, text),
            id + random.range(0..20)
        ),
        _ => format!("DELETE FROM {table} WHERE id = {id}"),
    }
}

fn by_int_rows(random: &mut Random, up_to: usize) -> String {
    let row = |random: &mut Random| {
        format!(
            "({}, {}, {}, {}, {}, {})",
            or_null(random, |random| (random.range(0..256)).to_string()
                + " - 128"),
            random.range(0..16_777_216),
            or_null(random, |random| i64::from_ne_bytes(
                random.next_u64().to_ne_bytes()
            )
            .to_string()),
            decimal(random, 10, 2),
            or_null(random, text),
            or_null(random, |random| format!(
                "'2024-0{}-15 0{}:30:00.{:03}'",
                random.range(1..10),
                random.range(0..10),
                random.range(0..1000)
            )),
        )
    };
    rows(random, up_to, row)
}

fn many_rows(random: &mut Random, table: &str) -> String {
    if random.percent(70) {
        let count = random.size(BIG_STATEMENT_ROWS);
        let row = |random: &mut Random| {
            format!(
                "({}, {}, {})",
                random.range(0..90),
                random.range(0..1_000_000),
                text(random)
            )
        };
        let values: Vec<String> = (0..count).map(|_| row(random)).collect();
        return format!(
            "INSERT INTO {table} (small, medium, name) VALUES {}",
            values.join(", ")
        );
    }
    let from = random.range(1..4000);
    if random.percent(60) {
        format!(
            "UPDATE {table} SET big = id * 1000003, small = NULL WHERE id BETWEEN {from} AND {}",
            from + 800
        )
    } else {
        format!(
            "DELETE FROM {table} WHERE id BETWEEN {from} AND {}",
            from + 600
        )
    }
}

fn by_unsigned(random: &mut Random, table: &str) -> String {
    // Half of the keys are above what a signed integer holds.
    let id = |random: &mut Random| {
        let high = u64::from(random.percent(50)) << 63;
        high + random.range(0..300)
    };
    match random.range(0..10) {
        0..=5 => format!(
            "REPLACE INTO {table} VALUES ({}, {}, {}, {})",
            id(random),
            or_null(random, |random| random.next_u64().to_string()),
            or_null(random, |random| decimal(random, 20, 10)),
            random.next_u64()
        ),
        6..=7 => format!(
            "UPDATE {table} SET huge = {} WHERE id = {}",
            random.next_u64(),
            id(random)
        ),
        _ => format!("DELETE FROM {table} WHERE id = {}", id(random)),
    }
}

fn by_pair(random: &mut Random, table: &str) -> String {
    let (a, b) = (random.range(0..40), random.range(0..40));
    match random.range(0..10) {
        0..=4 => format!(
            "INSERT INTO {table} VALUES ({a}, 'clé {b}', {}, {}) ON DUPLICATE KEY UPDATE c = {}",
            or_null(random, |random| format!("'{}  '", random.range(0..1000))),
            or_null(random, |random| format!(
                "x'{:04x}'",
                random.range(0..65536)
            )),
            text(random).replacen('\'', "LEFT('", 1) + ", 8)"
        ),
        5..=6 => format!(
            "UPDATE {table} SET d = x'00ff{:02x}' WHERE a = {a}",
            random.range(0..256)
        ),
        7 => format!(
            "UPDATE IGNORE {table} SET a = {} WHERE a = {a} AND b > 'clé 2'",
            random.range(0..40)
        ),
        _ => format!("DELETE FROM {table} WHERE a = {a} AND b LIKE 'clé {b}%'"),
    }
}

fn by_name(random: &mut Random, table: &str) -> String {
    let name = random.pick(&[
        "ann", "Ann", "BOB", "bob ", "chloë", "日本", "😀", "d'Arc", "",
    ]);
    let name = format!("'{}{}'", name.replace('\'', "''"), random.range(0..25));
    match random.range(0..10) {
        0..=5 => format!(
            "INSERT INTO {table} (name, note) VALUES ({name}, {}) ON DUPLICATE KEY UPDATE hits = hits + 1",
            or_null(random, text)
        ),
        // The key may change in its case only.
        6..=7 => {
            format!("UPDATE {table} SET name = UPPER(name), hits = hits + 10 WHERE name = {name}")
        }
        _ => format!("DELETE FROM {table} WHERE name = {name}"),
    }
}

fn by_unique(random: &mut Random, table: &str) -> String {
    let code = random.range(0..200);
    match random.range(0..10) {
        0..=4 => format!(
            "INSERT IGNORE INTO {table} VALUES ({code}, {}), ({}, 'x')",
            or_null(random, text),
            code + 1
        ),
        5..=7 => format!(
            "UPDATE {table} SET note = {} WHERE code < {code} AND code > {code} - 5",
            or_null(random, text)
        ),
        // Each row takes the value that the one before had.
        8 => format!("UPDATE {table} SET code = code + 1 WHERE code > {code} ORDER BY code DESC"),
        _ => format!("DELETE FROM {table} WHERE code = {code}"),
    }
}

fn no_key(random: &mut Random, table: &str) -> String {
    let row = |random: &mut Random| {
        let a = or_null(random, |random| random.range(0..6).to_string());
        let b = or_null(random, |random| {
            format!("'{}'", random.pick(&["x", "y", "z"]))
        });
        let c = or_null(random, |random| {
            random.pick(&["0.1", "-2.5e100", "1e-7", "3"]).to_owned()
        });
        let d = or_null(random, |random| {
            random.pick(&["0.1", "3.14159", "1e20"]).to_owned()
        });
        format!("({a}, {b}, {c}, {d})")
    };
    let a = random.range(0..6);
    match random.range(0..10) {
        0..=5 => format!("INSERT INTO {table} VALUES {}", rows(random, 6, row)),
        6..=7 => format!("UPDATE {table} SET c = c + 1, b = 'w' WHERE a = {a} LIMIT 2"),
        8 => format!("DELETE FROM {table} WHERE a IS NULL LIMIT 3"),
        _ => format!("DELETE FROM {table} WHERE a = {a} LIMIT 1"),
    }
}

fn types(random: &mut Random, table: &str) -> String {
    let id = random.range(0..400);
    match random.range(0..10) {
        0..=5 => {
            let row = [
                or_null(random, |random| {
                    random
                        .pick(&["1.1", "-3.4e38", "1e-30", "0", "16777217"])
                        .to_owned()
                }),
                or_null(random, |random| {
                    random
                        .pick(&["1.1", "-1.7e308", "5e-324", "0", "123456789.125"])
                        .to_owned()
                }),
                or_null(random, |random| random.range(0..1024).to_string()),
                or_null(random, |random| {
                    random.pick(&["1901", "2155", "0", "2024"]).to_owned()
                }),
                or_null(random, |random| {
                    format!(
                        "'{}'",
                        random.pick(&[
                            "2024-02-29",
                            "1000-01-01",
                            "0000-00-00",
                            "2024-00-10",
                            "9999-12-31"
                        ])
                    )
                }),
                or_null(random, |random| {
                    format!(
                        "'{}'",
                        random.pick(&[
                            "-838:59:59",
                            "00:00:00.01",
                            "-00:00:00.5",
                            "23:59:59.99",
                            "838:59:59"
                        ])
                    )
                }),
                or_null(random, |random| {
                    format!(
                        "'{}'",
                        random.pick(&[
                            "2024-06-30 23:59:59.999999",
                            "1000-01-01",
                            "0000-00-00",
                            "2024-02-29 12:00:00.5"
                        ])
                    )
                }),
                or_null(random, |random| {
                    format!(
                        "'{}'",
                        random.pick(&[
                            "2024-03-31 02:30:00",
                            "0000-00-00",
                            "1970-01-02",
                            "2037-12-31 23:59:59"
                        ])
                    )
                }),
                or_null(random, |random| {
                    format!("'{}'", random.pick(&["tea", "coffee", "water"]))
                }),
                or_null(random, |random| {
                    format!(
                        "'{}'",
                        random.pick(&["", "hot", "cold,sweet", "hot,cold,sweet"])
                    )
                }),
                or_null(random, document),
                or_null(random, |random| {
                    format!(
                        "ST_GeomFromText('POINT({} {})')",
                        random.range(0..100),
                        random.range(0..100)
                    )
                }),
                or_null(random, |random| format!("x'{:016x}00'", random.next_u64())),
            ];
            format!("REPLACE INTO {table} VALUES ({id}, {})", row.join(", "))
        }
        6..=7 => format!(
            "UPDATE {table} SET clock = '12:00:00.25', d = d / 3, tags = 'cold' WHERE id BETWEEN {id} AND {id} + 3"
        ),
        8 => format!("UPDATE {table} SET doc = JSON_SET(doc, '$.n', {id}) WHERE id = {id}"),
        _ => format!("DELETE FROM {table} WHERE id = {id}"),
    }
}

fn document(random: &mut Random) -> String {
    match random.range(0..4) {
        0 => format!(
            "'{{\"n\": {}, \"b\": [true, null, -1.5], \"a\": \"é\"}}'",
            random.range(0..100_000)
        ),
        1 => "'[]'".to_owned(),
        2 => format!("'\"{}\"'", random.range(0..1000)),
        _ => format!(
            "JSON_OBJECT('x', {}, 'yy', JSON_ARRAY(1, 'two'))",
            random.next_u64()
        ),
    }
}

fn large(random: &mut Random, table: &str) -> String {
    let id = random.range(0..12);
    let size = random.size(LARGE_VALUE_BYTES);
    let unit = random.range(16..256);
    if random.percent(70) {
        format!(
            "REPLACE INTO {table} VALUES ({id}, REPEAT('ä{unit}', {}), REPEAT(x'00{unit:02x}', {}))",
            size / 8,
            size / 2
        )
    } else {
        format!("UPDATE {table} SET body = LEFT(body, 1000) WHERE id = {id}")
    }
}

fn rows(random: &mut Random, up_to: usize, row: impl Fn(&mut Random) -> String) -> String {
    let count = random.size(1..up_to + 1);
    let rows: Vec<String> = (0..count).map(|_| row(random)).collect();
    rows.join(", ")
}

fn or_null(random: &mut Random, value: impl Fn(&mut Random) -> String) -> String {
    if random.percent(15) {
        "NULL".to_owned()
    } else {
        value(random)
    }
}

fn decimal(random: &mut Random, digits: u32, scale: u32) -> String {
    let whole = random.range(0..10u64.pow((digits - scale).min(18)));
    let digits = usize::try_from(scale).unwrap();
    let fraction = random.range(0..10u64.pow(scale));
    let sign = if random.percent(40) { "-" } else { "" };
    format!("{sign}{whole}.{fraction:0digits$}")
}

fn text(random: &mut Random) -> String {
    let word = random.pick(&[
        "plain",
        "Käse",
        "quote '' here",
        "back\\\\slash",
        "日本語",
        "😀",
        "",
        "two\\nlines",
    ]);
    format!("'{word} {}'", random.range(0..1000))
}
