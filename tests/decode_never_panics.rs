//! Hostile bytes end in an error, never in a panic, endless loop or memory without bound.
//!
//! `PROPTEST_CASES` sets the budget.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use relaylite::binlog::flavor::Flavor;
use relaylite::binlog::header::Header;
use relaylite::charset::Charset;
use relaylite::decode::compressed_column;
use relaylite::decode::dump::{DumpOptions, dump};
use relaylite::decode::plan::RowPlan;
use relaylite::decode::table_map::{TableMap, WireColumn, table_map_names};

/// What cargo-fuzz runs, too: see `dev/fuzz`.
#[path = "../fuzz/src/lib.rs"]
#[allow(unreachable_pub, reason = "it is a library of its own, too")]
mod fuzz;

use fuzz::{ddl, events, gtid, json, packets, payload, rows};

/// Every fixture file of at most 64 KiB, read once.
fn fixtures() -> &'static [Vec<u8>] {
    static FILES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    FILES.get_or_init(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures/binlogs");
        let entries = fs::read_dir(&folder).unwrap_or_else(|e| {
            panic!("the fixture files are not there: {}: {e}", folder.display())
        });
        let paths = entries.map(|e| e.unwrap().path());
        let binlogs = paths.filter(|path| path.extension().is_none_or(|ext| ext != "txt"));
        binlogs
            .map(|path| fs::read(path).unwrap())
            .filter(|bytes| bytes.len() <= 64 * 1024)
            .collect()
    })
}

fn dump_bytes(bytes: &[u8], json: bool) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("binlog.000001");
    fs::write(&path, bytes).unwrap();
    let _ = dump(
        &[path],
        DumpOptions {
            json,
            verify: false,
        },
        &mut std::io::sink(),
    );
}

/// All wire types there are, with type bytes that may be nonsense.
fn wire_column() -> impl Strategy<Value = WireColumn> {
    let kind = prop_oneof![0u8..=20, 140u8..=141, 242u8..=255];
    (kind, 0u16..=1100, any::<bool>()).prop_map(|(kind, meta, nullable)| WireColumn {
        kind,
        meta,
        nullable,
    })
}

/// Words that statements are made of, so that some are understood.
fn statement() -> impl Strategy<Value = String> {
    const WORDS: &str = "CREATE ALTER DROP TABLE IF NOT EXISTS LIKE t `a``b` d.t a b INT(11) VARCHAR(9) ENUM('x','y') \
        DECIMAL(5,2) TEXT JSON PRIMARY UNIQUE KEY INDEX FOREIGN REFERENCES ON CASCADE NULL DEFAULT 'it''s' 0 1.5e3 0x4D \
        b'01' ( ) , . ; = -- # /* */ /*!50100 /*M!100100 ADD COLUMN MODIFY CHANGE RENAME TO FIRST AFTER CONVERT \
        CHARACTER SET utf8mb4 COLLATE TRUNCATE DATABASE PARTITION BY HASH AS SELECT \" ' ` \\ \n ä";
    let words: Vec<&str> = WORDS.split(' ').filter(|word| !word.is_empty()).collect();
    vec(prop::sample::select(words), 0..24).prop_map(|words| words.join(" "))
}

/// Bytes as a server's packets, numbered as they must be.
fn packets_of(payloads: &[Vec<u8>], first: u8) -> Vec<u8> {
    let mut sent = Vec::new();
    for (i, payload) in payloads.iter().enumerate() {
        let [low, high, ..] = payload.len().to_le_bytes();
        let sequence = first.wrapping_add(u8::try_from(i).unwrap());
        sent.extend_from_slice(&[low, high, 0, sequence]);
        sent.extend_from_slice(payload);
    }
    sent
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_files(
        file in any::<Index>(),
        changes in vec((any::<Index>(), any::<u8>()), 1..12),
        cut in any::<Index>(),
        json in any::<bool>(),
    ) {
        let mut bytes = file.get(fixtures()).clone();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if cut.index(4) == 0 {
            bytes.truncate(cut.index(bytes.len()));
        }
        events::check(bytes.get(4..).unwrap_or_default());
        dump_bytes(&bytes, json);
    }

    #[test]
    fn random_packets(choice in any::<u8>(), payloads in vec(vec(any::<u8>(), 0..40), 0..6), raw in vec(any::<u8>(), 0..20)) {
        let first = u8::from(choice % 4 == 2);
        packets::check(&[&[choice], &packets_of(&payloads, first)[..], &raw].concat());
    }

    #[test]
    fn random_events(kind in any::<u8>(), body in vec(any::<u8>(), 0..200), mariadb_flavor in any::<bool>()) {
        let format = events::standard_format(if mariadb_flavor { Flavor::MariaDb } else { Flavor::MySql });
        let header = Header { timestamp: 0, kind, server_id: 1, event_size: 19, log_pos: 0, flags: 0 };
        events::check_body(&header, &body, &format);
        payload::check(&body);
        let _ = table_map_names(&body, &format);
        if let Ok(map) = TableMap::parse(&body, &format) {
            let _ = RowPlan::compile(&map, |_| true);
        }
        let mut event = vec![0; 4];
        event.push(kind);
        event.extend_from_slice(&[1, 0, 0, 0]);
        event.extend_from_slice(&u32::try_from(19 + body.len()).unwrap().to_le_bytes());
        event.resize(19, 0);
        event.extend_from_slice(&body);
        events::check(&event);
    }

    #[test]
    fn random_streams(bytes in vec(any::<u8>(), 0..400)) {
        events::check(&bytes);
    }

    #[test]
    fn random_rows(
        columns in vec(wire_column(), 1..24),
        kind in prop::sample::select(vec![23u8, 24, 25, 30, 31, 32, 39]),
        bitmaps in vec(any::<u8>(), 6),
        images in vec(any::<u8>(), 0..300),
        unsigned in any::<bool>(),
    ) {
        let width = u8::try_from(columns.len()).unwrap();
        let map = TableMap {
            table_id: 1, flags: 0, database: "d".into(), table: "t".into(), columns, metadata: Default::default(),
        };
        let head: &[u8] = if kind < 30 { &[1, 0, 0, 0, 0, 0, 1, 0] } else { &[1, 0, 0, 0, 0, 0, 1, 0, 2, 0] };
        let body = [head, &[width], &bitmaps, &images].concat();
        rows::check_rows(&map, kind, unsigned, Flavor::MySql, &body);
    }

    #[test]
    fn random_table_maps(map in vec(any::<u8>(), 0..100), images in vec(any::<u8>(), 0..100), flags in any::<u8>()) {
        let map = [&[1, 0, 0, 0, 0, 0, 1, 0, 1, b'd', 0, 1, b't', 0], &map[..]].concat();
        rows::check(&rows::input(30, flags, &map, &images).unwrap());
    }

    #[test]
    fn random_json(kind in 0u8..=15, bytes in vec(any::<u8>(), 0..300), diffs in vec(any::<u8>(), 0..40)) {
        let document = [&[kind][..], &bytes].concat();
        json::check(&json::input(&document, &diffs).unwrap());
    }

    #[test]
    fn small_json_containers(
        kind in 0u8..=3,
        count in 0u8..6,
        bytes in vec(0u8..40, 0..120),
        operation in 0u8..4,
        leg in prop::sample::select(vec!["$", "$.a", "$[0]", "$[1][0]", "$.\"\"", "$."]),
    ) {
        let size = u8::try_from(bytes.len() + 4).unwrap();
        let document = [&[kind, count, 0, size, 0][..], &bytes].concat();
        let path = u8::try_from(leg.len()).unwrap();
        let diff = [&[operation, path], leg.as_bytes(), &[3, 5, 7, 0]].concat();
        json::check_document(&document, &diff);
    }

    #[test]
    fn random_statements(choice in any::<u8>(), words in statement(), raw in any::<String>()) {
        ddl::check_statement(&words, &ddl::context(choice));
        ddl::check(&[&[choice], raw.as_bytes()].concat());
    }

    #[test]
    fn random_gtids(bytes in vec(any::<u8>(), 0..120), text in "[0-9a-f:,\\- _t]{0,60}") {
        gtid::check(&bytes);
        gtid::check_text(&text);
    }

    #[test]
    fn random_text(bytes in vec(any::<u8>(), 0..60), id in 1u16..3400) {
        let mut scratch = String::new();
        if let Some(charset) = Charset::by_collation_id(id) {
            let _ = charset.decode(&bytes, &mut scratch);
        }
    }

    #[test]
    fn random_compressed_values(bytes in vec(any::<u8>(), 0..60)) {
        let mut scratch = Vec::new();
        let _ = compressed_column::inflate(&bytes, &mut scratch);
    }
}
