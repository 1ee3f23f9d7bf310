//! Row images: a TABLE_MAP and an event of row changes, to values and their text.

use relaylite::binlog::flavor::Flavor;
use relaylite::decode::json_diff::JsonDiffs;
use relaylite::decode::plan::RowPlan;
use relaylite::decode::rows::{RowImages, RowReader, RowsEvent};
use relaylite::decode::short_text::ShortText;
use relaylite::decode::table_map::TableMap;
use relaylite::decode::value::Value;
use relaylite::decode::{compressed_column, decimal, float, json, temporal};

use super::events::standard_format;

/// Most bytes that a printed JSON document has for each of its own, and besides.
pub const JSON_TEXT_RATIO: usize = 32;
/// See [`JSON_TEXT_RATIO`].
pub const JSON_TEXT_MORE: usize = 400;

/// The event's type, flags (1: of MariaDB, 2: integers are unsigned), length of the TABLE_MAP's body in two bytes, that
/// body, the row event's body.
pub fn check(data: &[u8]) {
    let [kind, flags, low, high, rest @ ..] = data else {
        return;
    };
    let map_len = usize::from(u16::from_le_bytes([*low, *high]));
    let Some((map, rows)) = rest.split_at_checked(map_len) else {
        return;
    };
    let flavor = if flags & 1 == 0 {
        Flavor::MySql
    } else {
        Flavor::MariaDb
    };
    if let Ok(map) = TableMap::parse(map, &standard_format(flavor)) {
        check_rows(&map, *kind, flags & 2 != 0, flavor, rows);
    }
}

/// The input that [`check`] reads.
pub fn input(kind: u8, flags: u8, map: &[u8], rows: &[u8]) -> Option<Vec<u8>> {
    let map_len = u16::try_from(map.len()).ok()?.to_le_bytes();
    Some([&[kind, flags], &map_len[..], map, rows].concat())
}

/// Reads all rows of an event's body: each image has every column, no row costs nothing, and no value is larger than
/// what it stands in.
pub fn check_rows(map: &TableMap, kind: u8, unsigned: bool, flavor: Flavor, body: &[u8]) {
    let Ok(plan) = RowPlan::compile(map, |column| unsigned || column % 2 == 0) else {
        return;
    };
    assert_eq!(plan.width(), map.columns.len());
    let Ok(event) = RowsEvent::parse(kind, body, &standard_format(flavor)) else {
        return;
    };
    let Ok(mut reader) = RowReader::new(&plan, &event) else {
        return;
    };
    let mut row = RowImages::default();
    let mut count = 0;
    while let Ok(true) = reader.next(&mut row) {
        count += 1;
        assert!(count <= body.len(), "rows out of nothing");
        for image in [&row.before, &row.after] {
            assert!(image.is_empty() || image.len() == plan.width());
            image.iter().for_each(|value| check_value(*value, body));
        }
    }
}

/// A value borrows from the event, and its text is as long as its type allows.
fn check_value(value: Value<'_>, body: &[u8]) {
    let mut text = ShortText::new();
    match value {
        Value::Float(n) => float::push_float(&mut text, n),
        Value::Double(n) => float::push_double(&mut text, n),
        Value::Date(date) => temporal::push_date(&mut text, date),
        Value::Time(time, fsp) => temporal::push_time(&mut text, time, fsp),
        Value::DateTime(date, time, fsp) => temporal::push_datetime(&mut text, date, time, fsp),
        Value::Timestamp {
            seconds,
            micros,
            fsp,
        } => temporal::push_timestamp(&mut text, seconds, micros, fsp),
        Value::Decimal {
            packed,
            precision,
            scale,
        } => check_decimal(&mut text, packed, precision, scale),
        Value::Bit(_, width) => assert!((1..=64).contains(&width)),
        Value::Year(year) => assert!(year == 0 || (1901..=2155).contains(&year)),
        Value::Bytes(bytes) | Value::Geometry(bytes) | Value::Vector(bytes) => {
            assert!(bytes.len() <= body.len());
        }
        Value::Compressed(bytes) => {
            let _ = compressed_column::inflate(bytes, &mut Vec::new());
        }
        Value::Json(bytes) => {
            let mut text = Vec::new();
            if json::push_text(&mut text, bytes).is_ok() {
                assert!(text.len() <= JSON_TEXT_MORE + JSON_TEXT_RATIO * bytes.len());
            }
        }
        Value::JsonDiff(bytes) => JsonDiffs::new(bytes).for_each(drop),
        Value::Printed(_) => panic!("no event holds a printed value"),
        Value::Absent
        | Value::Null
        | Value::Int(_)
        | Value::UInt(_)
        | Value::Enum(_)
        | Value::Set(_) => {}
    }
    assert!(text.as_bytes().is_ascii());
}

/// The digits of a DECIMAL are those of its type, and it is a number.
fn check_decimal(text: &mut ShortText, packed: &[u8], precision: u8, scale: u8) {
    if decimal::push_text(text, packed, precision, scale).is_err() {
        return;
    }
    let printed = std::str::from_utf8(text.as_bytes()).unwrap();
    let digits = printed.bytes().filter(u8::is_ascii_digit).count();
    assert!(digits <= usize::from(precision) + 1, "{printed}");
    let fraction = printed
        .split_once('.')
        .map_or(0, |(_, digits)| digits.len());
    assert_eq!(fraction, usize::from(scale), "{printed}");
    assert!(printed.parse::<f64>().is_ok(), "{printed}");
    assert!(decimal::number(packed, precision, scale).is_ok());
}
