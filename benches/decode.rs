//! Decoding row events of a table of 20 columns: ours against mysql_common's `rows()`, and with the feature
//! `mysql-cdc` against mysql_cdc's `BinlogReader`, over the same bytes in one run.
//!
//! `cargo bench --bench decode` prints rows per second of each and the ratios. The binlog is made here: events of about
//! 8 KiB, as servers write them by default (`binlog_row_event_max_size`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark fails by panicking"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use relaylite::binlog::checksum::{self, Checksum};
use relaylite::binlog::format::FormatDescription;
use relaylite::binlog::frame::{Frame, next_frame};
use relaylite::binlog::header::HEADER_LEN;
use relaylite::binlog::kind;
use relaylite::decode::plan::RowPlan;
use relaylite::decode::rows::{RowImages, RowReader, RowsEvent};
use relaylite::decode::table_map::TableMap;
use relaylite::decode::wire_type as wt;

const EVENTS: usize = 200;
const EVENT_ROWS: usize = 40;
const ROWS: u64 = (EVENTS * EVENT_ROWS) as u64;
const COLUMNS: usize = 20;
const TABLE_ID: [u8; 6] = [1, 0, 0, 0, 0, 0];

/// Types of the columns, and their type bytes.
const TYPES: [(u8, &[u8]); COLUMNS] = [
    (wt::LONGLONG, &[]),
    (wt::LONG, &[]),
    (wt::LONG, &[]),
    (wt::LONG, &[]),
    (wt::SHORT, &[]),
    (wt::TINY, &[]),
    (wt::VARCHAR, &[0x90, 0x01]),
    (wt::VARCHAR, &[0x90, 0x01]),
    (wt::VARCHAR, &[0xff, 0x00]),
    (wt::STRING, &[0xfe, 40]),
    (wt::NEWDECIMAL, &[10, 2]),
    (wt::NEWDECIMAL, &[18, 4]),
    (wt::DATETIME2, &[0]),
    (wt::DATETIME2, &[6]),
    (wt::TIMESTAMP2, &[0]),
    (wt::DATE, &[]),
    (wt::DOUBLE, &[8]),
    (wt::FLOAT, &[4]),
    (wt::BLOB, &[2]),
    (wt::ENUM, &[0xf7, 1]),
];

fn event(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut event = vec![0; HEADER_LEN];
    event[4] = kind;
    event[5] = 1;
    event.extend_from_slice(body);
    checksum::seal(&mut event, Checksum::Crc32).unwrap();
    event
}

fn format_description() -> Vec<u8> {
    let lens = [
        56, 13, 0, 8, 0, 18, 0, 4, 4, 4, 4, 18, 0, 0, 98, 0, 4, 26, 8, 0, 0, 0, 8, 8, 8, 2, 0, 0,
        0, 10, 10, 10, 42, 42, 0, 18, 52, 0, 10, 40, 0,
    ];
    let mut body = vec![4, 0];
    body.extend_from_slice(b"8.0.36");
    body.resize(2 + 50 + 4, 0);
    body.push(19);
    body.extend_from_slice(&lens);
    body.push(1);
    event(kind::FORMAT_DESCRIPTION, &body)
}

fn table_map() -> Vec<u8> {
    let mut body = [
        &TABLE_ID[..],
        &[1, 0],
        b"\x04shop\0\x06orders\0",
        &[COLUMNS as u8],
    ]
    .concat();
    // ENUM travels as STRING with its real type in the type bytes.
    body.extend(TYPES.map(|(kind, _)| if kind == wt::ENUM { wt::STRING } else { kind }));
    let meta = TYPES.map(|(_, meta)| meta).concat();
    body.push(meta.len() as u8);
    body.extend_from_slice(&meta);
    body.extend_from_slice(&[0xff; COLUMNS.div_ceil(8)]);
    event(kind::TABLE_MAP, &body)
}

fn row(out: &mut Vec<u8>, n: u64) {
    // The 17th column, DOUBLE, is NULL now and then.
    out.extend_from_slice(&[0, 0, u8::from(n.is_multiple_of(4))]);
    out.extend_from_slice(&n.to_le_bytes());
    for n in [n, n * 7, n * 13] {
        out.extend_from_slice(&(n as u32).to_le_bytes());
    }
    out.extend_from_slice(&(n as u16).to_le_bytes());
    out.push(n as u8);
    for text in ["Ada Lovelace", "12 Example Street, Springfield"] {
        out.extend_from_slice(&(text.len() as u16).to_le_bytes());
        out.extend_from_slice(text.as_bytes());
    }
    for text in ["ada@example.com", "shipped"] {
        out.push(text.len() as u8);
        out.extend_from_slice(text.as_bytes());
    }
    out.extend_from_slice(&[0x80, 0x00, 0x30, 0x39, 0x32]); // 12345.50
    out.extend_from_slice(&[0x80, 0, 0, 0, 0x01, 0xe2, 0x40, 0x04, 0xd2]); // 123456.1234
    let datetime = [0x99, 0xb2, 0x42, 0xa7, 0x4c];
    out.extend_from_slice(&datetime);
    out.extend_from_slice(&datetime);
    out.extend_from_slice(&[0x01, 0xe2, 0x40]);
    out.extend_from_slice(&0x6600_0000_u32.to_be_bytes());
    out.extend_from_slice(&[0x45, 0xd0, 0x0f]);
    if !n.is_multiple_of(4) {
        out.extend_from_slice(&(n as f64 * 1.5).to_le_bytes());
    }
    out.extend_from_slice(&(n as f32).to_le_bytes());
    out.extend_from_slice(&[22, 0]);
    out.extend_from_slice(b"leave it at the door ");
    out.push(b'.');
    out.push(2);
}

fn write_rows(first: u64) -> Vec<u8> {
    let mut body = [
        &TABLE_ID[..],
        &[1, 0, 2, 0],
        &[COLUMNS as u8],
        &[0xff, 0xff, 0x0f],
    ]
    .concat();
    for n in first..first + EVENT_ROWS as u64 {
        row(&mut body, n);
    }
    event(kind::WRITE_ROWS_V2, &body)
}

/// A whole binlog: each row event after its table map, as servers write them.
fn binlog() -> Vec<u8> {
    let mut file = vec![0xfe, b'b', b'i', b'n'];
    file.extend(format_description());
    for n in 0..EVENTS {
        file.extend(table_map());
        file.extend(write_rows((n * EVENT_ROWS) as u64));
    }
    file
}

fn ours(file: &[u8]) -> u64 {
    let mut rest = &file[4..];
    let mut format: Option<FormatDescription> = None;
    let mut known: Option<(&[u8], RowPlan)> = None;
    let mut images = RowImages::default();
    let mut rows = 0;
    while !rest.is_empty() {
        let Frame::Event(header, event) = next_frame(rest).unwrap() else {
            panic!("torn")
        };
        rest = &rest[event.len()..];
        if header.kind == kind::FORMAT_DESCRIPTION {
            format = Some(FormatDescription::parse(event).unwrap());
            continue;
        }
        let format = format.as_ref().unwrap();
        let body = checksum::body(event, format.checksum).unwrap();
        if header.kind == kind::TABLE_MAP {
            if known.as_ref().is_none_or(|(known, _)| *known != body) {
                let map = TableMap::parse(body, format).unwrap();
                known = Some((body, RowPlan::compile(&map, |_| false).unwrap()));
            }
            continue;
        }
        let (_, plan) = known.as_ref().unwrap();
        let event = RowsEvent::parse(header.kind, body, format).unwrap();
        let mut reader = RowReader::new(plan, &event).unwrap();
        let mut row = images.recycle();
        while reader.next(&mut row).unwrap() {
            black_box(&row);
            rows += 1;
        }
        images = row.recycle();
    }
    rows
}

fn mysql_common(file: &[u8]) -> u64 {
    use mysql_common::binlog::events::EventData;
    use mysql_common::binlog::{BinlogFile, consts::BinlogVersion};
    let mut binlog = BinlogFile::new(BinlogVersion::Version4, file).unwrap();
    let mut rows = 0;
    while let Some(event) = binlog.next() {
        let event = event.unwrap();
        if let Some(EventData::RowsEvent(data)) = event.read_data().unwrap() {
            let map = binlog.reader().get_tme(data.table_id()).unwrap();
            for row in data.rows(map) {
                black_box(row.unwrap());
                rows += 1;
            }
        }
    }
    rows
}

#[cfg(feature = "mysql-cdc")]
fn mysql_cdc(path: &std::path::Path) -> u64 {
    use mysql_cdc::binlog_reader::BinlogReader;
    use mysql_cdc::events::binlog_event::BinlogEvent;
    let reader = BinlogReader::new(std::fs::File::open(path).unwrap()).unwrap();
    let mut rows = 0;
    for event in reader.read_events() {
        if let (_, BinlogEvent::WriteRowsEvent(event)) = event.unwrap() {
            rows += black_box(event.rows).len() as u64;
        }
    }
    rows
}

/// Rows per second over about a second.
fn rows_per_second(mut run: impl FnMut() -> u64) -> f64 {
    let (start, mut rows) = (Instant::now(), 0);
    while start.elapsed() < Duration::from_secs(1) {
        rows += run();
    }
    rows as f64 / start.elapsed().as_secs_f64()
}

fn main() {
    let file = binlog();
    assert_eq!(ours(&file), ROWS);
    assert_eq!(mysql_common(&file), ROWS);

    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(ROWS)).sample_size(20);
    group.bench_function("relaylite", |b| b.iter(|| ours(&file)));
    group.bench_function("mysql_common", |b| b.iter(|| mysql_common(&file)));
    group.finish();

    let own = rows_per_second(|| ours(&file));
    let theirs = rows_per_second(|| mysql_common(&file));
    println!("relaylite     {own:>12.0} rows/s");
    println!(
        "mysql_common  {theirs:>12.0} rows/s, ratio {:.1}",
        own / theirs
    );
    #[cfg(feature = "mysql-cdc")]
    {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("binlog.000001");
        std::fs::write(&path, &file).unwrap();
        assert_eq!(mysql_cdc(&path), ROWS);
        let theirs = rows_per_second(|| mysql_cdc(&path));
        println!(
            "mysql_cdc     {theirs:>12.0} rows/s, ratio {:.1}",
            own / theirs
        );
    }
}
