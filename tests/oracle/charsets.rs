//! Every charset of the servers: all that it shares with Unicode, bytes that are no text in it, and statements written in
//! it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use relaylite::charset::Charset;
use rusqlite::types::Value;

use super::LAX;
use super::column_kind::sql_text;
use crate::support::compare::{assert_equal, database_path, open};
use crate::support::random::{self, Random};
use crate::support::relaylite::Replica;
use crate::support::server::{Flavor, Server, Session};

on_both!(
    whole_repertoires,
    bytes_that_are_no_text,
    characters_that_a_charset_has
);
on_all!(statements_in_other_charsets);

const CHARACTERS_A_ROW: usize = 64;

pub(super) fn charsets(session: &mut Session) -> Vec<String> {
    let rows =
        session.query_strings("SELECT character_set_name FROM information_schema.character_sets");
    let names = rows.into_iter().map(|mut row| row.remove(0).unwrap());
    let mut names: Vec<String> = names.filter(|name| name != "binary").collect();
    names.sort();
    assert!(names.len() > 38, "{names:?}");
    names
}

/// The first plane, and samples of the others: the emoji and ideographs that charsets have, and both ends. Not U+FFFD, to
/// which tis620 turns all bytes that it does not define.
fn characters() -> Vec<char> {
    let planes = (0x1_f300..0x1_f700)
        .chain(0x2_0000..0x2_0800)
        .chain((0x1_0000..0x11_0000).step_by(997));
    (1..0x1_0000)
        .chain(planes)
        .chain([0x10_ffff])
        .filter_map(char::from_u32)
        .filter(|character| *character != '\u{fffd}')
        .collect()
}

fn whole_repertoires(flavor: Flavor) {
    let server = Server::start(flavor);
    let mut session = server.client();
    let charsets = charsets(&mut session);
    let columns: Vec<String> = charsets
        .iter()
        .map(|name| format!("c_{name} VARCHAR({CHARACTERS_A_ROW}) CHARACTER SET {name}"))
        .collect();
    session.exec(&format!(
        "{LAX}; CREATE DATABASE d; USE d; CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, {}); BEGIN",
        columns.join(", ")
    ));
    let values = vec!["@t"; charsets.len()].join(", ");
    for row in characters().chunks(CHARACTERS_A_ROW) {
        let text: String = row.iter().collect();
        session.exec(&format!(
            "SET @t = {}; INSERT INTO t VALUES (NULL, {values})",
            sql_text(&text)
        ));
    }
    session.exec("COMMIT");
    let replica = Replica::of(&server);
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
}

/// Sequences of a charset without a question mark, which stands for what cannot be converted.
/// What a server stores as itself, and does not make a `?` or another character of.
fn characters_that_a_charset_has(flavor: Flavor) {
    let server = Server::start(flavor);
    let mut session = server.client();
    let charsets = charsets(&mut session);
    session.exec(&format!(
        "{LAX}; CREATE DATABASE d; USE d; CREATE TABLE t (c VARCHAR(1) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin)"
    ));
    let all = characters();
    for some in all.chunks(1_000) {
        let values: Vec<String> = some
            .iter()
            .map(|character| format!("({})", sql_text(&character.to_string())))
            .collect();
        session.exec(&format!("INSERT INTO t VALUES {}", values.join(", ")));
    }
    for name in charsets {
        let charset = Charset::by_name(&name).unwrap();
        let kept = session.query_strings(&format!(
            "SELECT c FROM t WHERE HEX(CONVERT(CONVERT(c USING {name}) USING utf8mb4)) = HEX(c)"
        ));
        let kept: BTreeSet<char> = kept
            .iter()
            .filter_map(|row| row[0].as_deref()?.chars().next())
            .collect();
        let differing: String = all
            .iter()
            .filter(|character| charset.has(**character) != kept.contains(character))
            .collect();
        assert!(differing.is_empty(), "{name}: {differing:?}");
    }
}

fn sequences(charset: &str, random: &mut Random) -> Vec<Vec<u8>> {
    let unit = match charset {
        "ucs2" | "utf16" | "utf16le" => 2,
        "utf32" => 4,
        _ => 1,
    };
    let mut sequences: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte; unit]).collect();
    for _ in 0..150 {
        let len = random.size(1..3) * unit.max(2);
        sequences.push(
            (0..len)
                .map(|_| u8::try_from(random.range(0..256)).unwrap())
                .collect(),
        );
    }
    sequences.retain(|bytes| !bytes.contains(&b'?'));
    sequences
}

fn bytes_that_are_no_text(flavor: Flavor) {
    let server = Server::start(flavor);
    let mut session = server.client();
    let mut random = Random::new(random::seed(), 3);
    session.exec(&format!("{LAX}; CREATE DATABASE d; USE d"));
    let charsets = charsets(&mut session);
    for charset in &charsets {
        session.exec(&format!(
            "CREATE TABLE {charset} (id INT PRIMARY KEY AUTO_INCREMENT, c VARCHAR(20) CHARACTER SET {charset}); BEGIN"
        ));
        for bytes in sequences(charset, &mut random) {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            // The server refuses what is malformed, and takes what is only not defined.
            let _ = session.try_exec(&format!(
                "INSERT INTO {charset} (c) VALUES (_{charset} x'{hex}')"
            ));
        }
        session.exec("COMMIT");
    }
    let replica = Replica::of(&server);
    replica.run_until_caught_up();
    let sqlite = open(&database_path(&replica.target_dir(), "d"));
    let (mut texts, mut blobs) = (0, 0);
    for charset in &charsets {
        let mut statement = sqlite
            .prepare(&format!("SELECT id, c FROM {charset}"))
            .unwrap();
        let rows = statement.query_map([], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Value>(1)?))
        });
        let stored: BTreeMap<i64, Value> = rows.unwrap().map(Result::unwrap).collect();
        let expected = session.query(&format!(
            "SELECT id, CAST(c AS BINARY), CONVERT(c USING utf8mb4),
                    CAST(CONVERT(CONVERT(c USING utf8mb4) USING {charset}) AS BINARY) FROM {charset}"
        ));
        assert_eq!(stored.len(), expected.len(), "{charset}");
        for row in expected {
            let id: i64 = String::from_utf8_lossy(row[0].as_ref().unwrap())
                .parse()
                .unwrap();
            let (bytes, text) = (row[1].clone().unwrap(), row[2].clone().unwrap());
            // The server leaves halves of characters out, which MySQL lets into ucs2.
            let is_half = |unit: &[u8]| (0xd8..0xe0).contains(&unit[0]);
            let is_lost = charset == "ucs2" && bytes.chunks(2).any(is_half);
            // A mark for what could not be converted, or that very character: only the latter comes back as it was. But
            // tis620 cannot hold U+FFFD, and its undefined bytes come back all the same.
            let is_whole = row[3].as_ref() == Some(&bytes) && charset != "tis620";
            let value = match String::from_utf8(text) {
                Ok(text) if !is_lost && (is_whole || !text.contains(['?', '\u{fffd}'])) => {
                    Value::Text(text)
                }
                _ => Value::Blob(bytes.clone()),
            };
            match value {
                Value::Text(_) => texts += 1,
                _ => blobs += 1,
            }
            assert_eq!(stored[&id], value, "{charset}: bytes {bytes:02x?}");
        }
    }
    assert!(texts > 5000 && blobs > 300, "{texts} texts, {blobs} blobs");
}

fn statements_in_other_charsets(flavor: Flavor) {
    let server = Server::start(flavor);
    let mut session = server.client();
    session.exec("CREATE DATABASE d; USE d");
    for (charset, encoding, word) in [
        ("latin1", encoding_rs::WINDOWS_1252, "Käse€"),
        ("cp1251", encoding_rs::WINDOWS_1251, "Привет"),
        ("koi8r", encoding_rs::KOI8_R, "Привет"),
        ("gbk", encoding_rs::GBK, "你好誠"),
        ("big5", encoding_rs::BIG5, "成功許"),
        ("sjis", encoding_rs::SHIFT_JIS, "表ソ能"),
        ("ujis", encoding_rs::EUC_JP, "表ソ能"),
        ("euckr", encoding_rs::EUC_KR, "한국어"),
        ("utf8mb4", encoding_rs::UTF_8, "𝔘é💩"),
    ] {
        let name: String = word.chars().filter(|c| u32::from(*c) < 0x1_0000).collect();
        let mut sql = format!(
            "SET NAMES {charset}; CREATE TABLE `{charset} {name}` (id INT PRIMARY KEY, `{name}` VARCHAR(20) NOT NULL DEFAULT '{word}',
             e ENUM('{word}', 'it''s') DEFAULT '{word}', s SET('{word}', 'b') CHARACTER SET utf8mb4) DEFAULT CHARSET {charset};"
        );
        let _ = write!(
            sql,
            "INSERT INTO `{charset} {name}` VALUES (1, '{word}', '{word}', '{word},b'), (2, '{word} 2', 'it''s', '');
             ALTER TABLE `{charset} {name}` ADD `{name} 2` TEXT, ADD d VARCHAR(20) DEFAULT '{word}';
             UPDATE `{charset} {name}` SET `{name} 2` = '{word}' WHERE id = 2;"
        );
        let (bytes, _, is_lossy) = encoding.encode(&sql);
        assert!(!is_lossy, "{charset}");
        session.exec_bytes(bytes.into_owned());
    }
    let replica = Replica::of(&server);
    replica.run_until_caught_up();
    assert_equal(&server, &replica.target_dir());
}
