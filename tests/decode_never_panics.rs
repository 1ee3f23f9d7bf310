//! Hostile bytes end in an error, never in a panic, endless loop or memory without bound.
//!
//! `PROPTEST_CASES` sets the budget.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use relaylite::binlog::checksum::Checksum;
use relaylite::binlog::flavor::Flavor;
use relaylite::binlog::format::FormatDescription;
use relaylite::binlog::frame::{Frame, next_frame};
use relaylite::binlog::header::{HEADER_LEN, Header};
use relaylite::binlog::rotate::Rotate;
use relaylite::decode::charset::Charset;
use relaylite::decode::compressed_column;
use relaylite::decode::dump::{DumpOptions, dump};
use relaylite::decode::event::Event;
use relaylite::decode::json;
use relaylite::decode::json_diff::JsonDiffs;
use relaylite::decode::mariadb;
use relaylite::decode::plan::RowPlan;
use relaylite::decode::rows::{RowImages, RowReader, RowsEvent};
use relaylite::decode::table_map::{TableMap, WireColumn, table_map_names};

fn format(flavor: Flavor) -> FormatDescription {
    let mut post_header_lens = vec![0; 171];
    for (kind, len) in [
        (2, 13),
        (15, 98),
        (19, 8),
        (23, 8),
        (24, 8),
        (25, 8),
        (30, 10),
        (31, 10),
        (32, 10),
        (39, 10),
    ] {
        post_header_lens[kind - 1] = len;
    }
    post_header_lens[165..168].fill(8);
    FormatDescription {
        binlog_version: 4,
        server_version: "10.11.6-MariaDB".into(),
        flavor,
        version: 101_106,
        post_header_lens,
        checksum: Checksum::Off,
        in_use: false,
    }
}

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
        dump_bytes(&bytes, json);
    }

    #[test]
    fn random_events(kind in any::<u8>(), body in vec(any::<u8>(), 0..200), mariadb_flavor in any::<bool>()) {
        let format = format(if mariadb_flavor { Flavor::MariaDb } else { Flavor::MySql });
        let header = Header { timestamp: 0, kind, server_id: 1, event_size: 19, log_pos: 0, flags: 0 };
        let mut scratch = Vec::new();
        let _ = mariadb::plain(kind, &body, &format, &mut scratch);
        if let Ok(Event::Payload(payload)) = Event::parse(&header, &body, &format) {
            let mut reader = payload.reader().unwrap();
            while let Ok(Some(_)) = reader.next_event() {}
        }
        let _ = table_map_names(&body, &format);
        if let Ok(map) = TableMap::parse(&body, &format) {
            let _ = RowPlan::compile(&map, |_| true);
        }
        let _ = Rotate::parse(&body);
        let _ = next_frame(&body);
        let mut event = vec![0; HEADER_LEN];
        event[4] = 15;
        event[9] = 19;
        event.extend_from_slice(&body);
        let _ = FormatDescription::parse(&event);
    }

    #[test]
    fn framing_moves_on(bytes in vec(any::<u8>(), 0..400)) {
        let mut rest = &bytes[..];
        while let Ok(Frame::Event(header, event)) = next_frame(rest) {
            prop_assert!(event.len() >= HEADER_LEN && event.len() == header.event_size as usize);
            rest = &rest[event.len()..];
        }
    }

    #[test]
    fn random_rows(
        columns in vec(wire_column(), 1..24),
        kind in prop::sample::select(vec![23u8, 24, 25, 30, 31, 32, 39]),
        bitmaps in vec(any::<u8>(), 6),
        rows in vec(any::<u8>(), 0..300),
    ) {
        let map = TableMap {
            table_id: 1, flags: 0, database: "d".into(), table: "t".into(), columns, metadata: Default::default(),
        };
        let Ok(plan) = RowPlan::compile(&map, |column| column % 2 == 0) else { return Ok(()) };
        let head: &[u8] = if kind < 30 { &[1, 0, 0, 0, 0, 0, 1, 0] } else { &[1, 0, 0, 0, 0, 0, 1, 0, 2, 0] };
        let width = u8::try_from(plan.width()).unwrap();
        let body = [head, &[width], &bitmaps, &rows].concat();
        let format = format(Flavor::MySql);
        let Ok(event) = RowsEvent::parse(kind, &body, &format) else { return Ok(()) };
        let mut reader = RowReader::new(&plan, &event).unwrap();
        let mut row = RowImages::default();
        let mut count = 0;
        while let Ok(true) = reader.next(&mut row) {
            count += 1;
            prop_assert!(count <= body.len());
            for image in [&row.before, &row.after] {
                prop_assert!(image.is_empty() || image.len() == plan.width());
            }
        }
    }

    #[test]
    fn random_json(kind in 0u8..=15, bytes in vec(any::<u8>(), 0..300)) {
        let document = [&[kind][..], &bytes].concat();
        let mut text = Vec::new();
        if json::push_text(&mut text, &document).is_ok() {
            prop_assert!(text.len() <= 400 + 32 * document.len());
        }
        JsonDiffs::new(&bytes).for_each(drop);
    }

    #[test]
    fn small_json_containers(kind in 0u8..=3, count in 0u8..6, bytes in vec(0u8..40, 0..120)) {
        let size = u8::try_from(bytes.len() + 4).unwrap();
        let document = [&[kind, count, 0, size, 0][..], &bytes].concat();
        let _ = json::push_text(&mut Vec::new(), &document);
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
