//! Text, bytes, and what is written as labels.

use super::{ColumnKind, Values, strings};
use crate::support::random::Random;
use crate::support::server::Flavor;

/// Characters of everyday text: letters in both cases, accents, scripts, what SQL and LIKE hold for special, and what
/// needs four bytes. No NUL: NOCASE does not look behind it (docs/limits.md), which only the edge values may have.
const EVERYDAY: &str = "aAbB ßéÉıİ'\"\\%_\n\t\u{1a}\u{7f}жΩ中한あ\u{301}\u{200d}\u{fffd}💩𝔘";
/// The same without U+FFFD, as which big5 and tis620 show bytes that they do not define: those are kept as they are.
const ANYWHERE: &str = "aAbB ßéÉıİ'\"\\%_\n\t\u{1a}\u{7f}жΩ中한あ\u{301}\u{200d}💩𝔘";
const LATIN: &str = "aAzZ éÉß€ÿ'\\";

/// A string literal that needs no escapes.
pub(in super::super) fn sql_text(text: &str) -> String {
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("_utf8mb4 x'{hex}'")
}

/// Greatest number of characters, and from which to choose.
#[derive(Debug)]
struct Text(usize, &'static str);

impl Values for Text {
    fn edges(&self) -> Vec<String> {
        let Self(length, characters) = self;
        let mut edges = strings(&[
            "''", "'a'", "'A'", "'a '", "' a'", "'1e3'", "'-0'", "'0x10'",
        ]);
        edges.push(sql_text("a\0b"));
        edges.push(sql_text(
            &characters.chars().take(*length).collect::<String>(),
        ));
        edges.push(format!(
            "REPEAT({}, {length})",
            sql_text(&characters.chars().next_back().unwrap().to_string())
        ));
        edges
    }

    fn random(&self, random: &mut Random) -> String {
        let Self(length, characters) = self;
        let characters: Vec<char> = characters.chars().collect();
        let length = random.size(0..*length.min(&40) + 1);
        let text: String = (0..length)
            .map(|_| characters[random.size(0..characters.len())])
            .collect();
        sql_text(&text)
    }
    fn can_be_key(&self) -> bool {
        self.0 > 0
    }
}

/// Greatest number of bytes.
#[derive(Debug)]
struct Bytes(usize);

impl Values for Bytes {
    fn edges(&self) -> Vec<String> {
        vec![
            "''".to_owned(),
            "x'00'".to_owned(),
            "x'6100'".to_owned(),
            "'a '".to_owned(),
            format!("REPEAT(x'ff', {})", self.0),
            "x'80e9'".to_owned(),
        ]
    }

    fn random(&self, random: &mut Random) -> String {
        let length = random.size(0..self.0.min(64) + 1);
        let bytes: String = (0..length)
            .map(|_| format!("{:02x}", random.range(0..256)))
            .collect();
        format!("x'{bytes}'")
    }
}

/// Number of labels `l0`, `l1`, …
#[derive(Debug)]
struct Enum(usize);

impl Values for Enum {
    fn edges(&self) -> Vec<String> {
        let mut edges = strings(&["'none of them'", "'l0'", "''", "'INT,1'"]);
        edges.extend(
            [254, 255, 256, self.0 - 1]
                .iter()
                .map(|n| format!("'l{}'", n.min(&(self.0 - 1)))),
        );
        edges
    }

    fn random(&self, random: &mut Random) -> String {
        format!("'l{}'", random.size(0..self.0))
    }
}

/// Number of labels `s0`, `s1`, …
#[derive(Debug)]
struct Set(usize);

impl Values for Set {
    fn edges(&self) -> Vec<String> {
        let all: Vec<String> = (0..self.0).map(|n| format!("s{n}")).collect();
        vec![
            "''".to_owned(),
            "'s0'".to_owned(),
            format!("'s{}'", self.0 - 1),
            format!("'{}'", all.join(",")),
        ]
    }

    fn random(&self, random: &mut Random) -> String {
        (random.next_u64() >> (64 - self.0)).to_string()
    }
}

/// The types of text, bytes and labels.
pub(super) fn kinds(flavor: Flavor) -> Vec<ColumnKind> {
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
        kinds.push(ColumnKind::new(name, Text(length, EVERYDAY)));
    }
    for (name, length) in [
        ("VARCHAR(255) CHARACTER SET latin1", 255),
        ("CHAR(255) CHARACTER SET latin1", 255),
        ("VARCHAR(256) CHARACTER SET latin1 COLLATE latin1_bin", 256),
        ("TEXT CHARACTER SET latin1", 300),
    ] {
        kinds.push(ColumnKind::new(name, Text(length, LATIN)));
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
        kinds.push(ColumnKind::new(name, Bytes(length)));
    }
    let labels = |prefix: &str, count| {
        let labels: Vec<String> = (0..count).map(|n| format!("'{prefix}{n}'")).collect();
        labels.join(",")
    };
    for count in [1, 2, 300] {
        kinds.push(ColumnKind::new(
            format!("ENUM({})", labels("l", count)),
            Enum(count),
        ));
    }
    kinds.push(ColumnKind::new(
        "ENUM('l0', 'INT,1', 'it''s', 'ß💩')",
        Enum(1),
    ));
    for count in [1, 8, 9, 17, 25, 33, 64] {
        kinds.push(ColumnKind::new(
            format!("SET({})", labels("s", count)),
            Set(count),
        ));
    }
    if flavor.is_mariadb() {
        kinds.extend(compressed());
    }
    if flavor == Flavor::MariaDb11 {
        for collation in ["uca1400_nopad_as_cs", "utf8mb4_uca1400_swedish_ai_ci"] {
            kinds.push(ColumnKind::new(
                format!("VARCHAR(40) CHARACTER SET utf8mb4 COLLATE {collation}"),
                Text(40, EVERYDAY),
            ));
        }
    }
    kinds
}

/// Text in a charset; what it does not have becomes a question mark in the source.
pub(in super::super) fn of_charset(charset: &str) -> ColumnKind {
    ColumnKind::new(
        format!("VARCHAR(20) CHARACTER SET {charset}"),
        Text(20, ANYWHERE),
    )
}

fn compressed() -> Vec<ColumnKind> {
    let mut kinds = Vec::new();
    for (name, length) in [
        ("VARCHAR(60) COMPRESSED", 60),
        ("VARCHAR(2000) COMPRESSED", 2000),
        ("TEXT COMPRESSED", 5000),
    ] {
        kinds.push(ColumnKind::new(name, Text(length, EVERYDAY)));
    }
    for (name, length) in [
        ("VARBINARY(60) COMPRESSED", 60),
        ("TINYBLOB COMPRESSED", 200),
        ("LONGBLOB COMPRESSED", 70_000),
    ] {
        kinds.push(ColumnKind::new(name, Bytes(length)));
    }
    kinds
}
