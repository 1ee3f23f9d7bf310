//! Every fixture file through `relay dump`, compared with what the stock decoders print for it.
//!
//! A reference lists each row change as `###` lines with one `@n=value` a column. Values are compared by their meaning:
//! the stock tools print dates with colons, timestamps as seconds, ENUM and SET as numbers, floats with six digits.
//! A file without a reference is truncated, malformed, encrypted or foreign: any outcome but a panic is right.

use std::fs;
use std::path::{Path, PathBuf};

use relaylite::decode::dump::{DumpOptions, dump};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

/// One row change of a dump, columns in order.
#[derive(Debug, Deserialize)]
struct Change {
    database: String,
    table: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    before: Image,
    #[serde(default)]
    after: Image,
}

/// Values of an image in the order of the columns.
#[derive(Debug, Default, PartialEq)]
struct Image(Vec<Value>);

impl<'de> Deserialize<'de> for Image {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Image;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Image, A::Error> {
                let mut values = Vec::new();
                while let Some((_, value)) = map.next_entry::<String, Value>()? {
                    values.push(value);
                }
                Ok(Image(values))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// A row change as a reference prints it: table as `` `db`.`t` ``, and per value its text and its type comment.
#[derive(Debug, Default)]
struct Expected {
    kind: &'static str,
    table: String,
    before: Vec<(String, String)>,
    after: Vec<(String, String)>,
}

fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures/binlogs");
    assert!(
        folder.is_dir(),
        "the fixture files are not there: {} should hold binlogs and the stock decoders' text beside them",
        folder.display()
    );
    folder
}

/// Binlogs of the folder, each with its references.
fn fixtures() -> Vec<(PathBuf, Vec<PathBuf>)> {
    let mut all: Vec<PathBuf> = fs::read_dir(folder())
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    all.sort();
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    let is_reference = |path: &Path| name(path).ends_with("binlog.txt");
    let binlogs = all.iter().filter(|path| !is_reference(path));
    let references = |binlog: &Path| {
        let prefix = format!("{}.", name(binlog));
        let of_it = |path: &&PathBuf| is_reference(path) && name(path).starts_with(&prefix);
        all.iter().filter(of_it).cloned().collect()
    };
    binlogs
        .map(|path| (path.clone(), references(path)))
        .collect()
}

fn dump_to_string(path: &Path, options: DumpOptions) -> (String, Option<relaylite::Error>) {
    let mut out = Vec::new();
    let outcome = dump(&[path.to_owned()], options, &mut out);
    (String::from_utf8(out).unwrap(), outcome.err())
}

fn changes(path: &Path) -> Vec<Change> {
    let (text, error) = dump_to_string(
        path,
        DumpOptions {
            json: true,
            verify: true,
        },
    );
    assert!(error.is_none(), "{}: {error:?}", path.display());
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn expected(reference: &Path) -> Vec<Expected> {
    // Bytes as they are, one character each: text columns are printed in whatever charset they have.
    let text: String = fs::read(reference)
        .unwrap()
        .into_iter()
        .map(char::from)
        .collect();
    let mut all: Vec<Expected> = Vec::new();
    let mut in_after = false;
    for line in text.lines() {
        let Some(line) = line.strip_prefix("### ") else {
            continue;
        };
        let begin = |kind, table: &str| Expected {
            kind,
            table: table.into(),
            ..Expected::default()
        };
        if let Some(table) = line.strip_prefix("INSERT INTO ") {
            all.push(begin("insert", table));
        } else if let Some(table) = line.strip_prefix("UPDATE ") {
            all.push(begin("update", table));
        } else if let Some(table) = line.strip_prefix("DELETE FROM ") {
            all.push(begin("delete", table));
        } else if line == "SET" || line == "WHERE" {
            in_after = line == "SET";
        } else if let Some(value) = line.trim_start().strip_prefix('@') {
            let (_, value) = value.split_once('=').unwrap();
            let (value, comment) = value.rsplit_once(" /* ").unwrap_or((value, ""));
            let change = all.last_mut().unwrap();
            let image = if in_after {
                &mut change.after
            } else {
                &mut change.before
            };
            image.push((value.trim_end().to_owned(), comment.to_owned()));
        }
    }
    all
}

#[test]
fn row_changes_are_those_of_the_stock_decoders() {
    let (mut compared, mut values) = (0, 0);
    for (binlog, references) in fixtures() {
        for reference in references {
            let expected = expected(&reference);
            let name = reference.file_name().unwrap().to_string_lossy();
            let changes = if expected.is_empty() {
                Vec::new()
            } else {
                changes(&binlog)
            };
            assert_eq!(changes.len(), expected.len(), "row changes of {name}");
            for (i, (change, expected)) in changes.iter().zip(&expected).enumerate() {
                let at = format!("change {} of {name}", i + 1);
                assert_eq!(change.kind, expected.kind, "{at}");
                let table = format!("`{}`.`{}`", change.database, change.table);
                assert_eq!(table, expected.table, "{at}");
                assert_image(&change.before, &expected.before, &at);
                assert_image(&change.after, &expected.after, &at);
                values += expected.before.len() + expected.after.len();
            }
            compared += changes.len();
        }
    }
    assert!(
        compared > 400 && values > 2000,
        "only {compared} changes, {values} values were compared"
    );
}

fn assert_image(image: &Image, expected: &[(String, String)], at: &str) {
    assert_eq!(image.0.len(), expected.len(), "columns of {at}");
    for (n, (value, (text, comment))) in image.0.iter().zip(expected).enumerate() {
        assert!(
            is_same(value, text, comment),
            "column {} of {at}: {value} is not {text} /* {comment}",
            n + 1
        );
    }
}

/// Whether a dumped value means what the reference says.
fn is_same(value: &Value, text: &str, comment: &str) -> bool {
    if text == "NULL" {
        return value.is_null();
    }
    let type_name = comment.split([' ', '(']).next().unwrap_or_default();
    match type_name {
        "TIMESTAMP" => value
            .as_str()
            .is_some_and(|shown| seconds(shown) == text.parse().ok()),
        "DATE" => value.as_str() == Some(&text.trim_matches('\'').replace(':', "-")),
        "ENUM" if value.is_string() => text.parse::<u64>().is_ok(),
        "SET" => {
            let bits = text.trim_matches(['b', '\'']);
            let ones = bits.bytes().filter(|b| *b == b'1').count();
            match value {
                Value::String(labels) => {
                    labels.split(',').filter(|l| !l.is_empty()).count() == ones
                }
                number => number.as_u64() == u64::from_str_radix(bits, 2).ok(),
            }
        }
        "BIT" => value["bits"].as_str() == Some(text.trim_matches(['b', '\''])),
        "JSON" if text.starts_with("JSON_") => value["diffs"].is_array(),
        "JSON" => serde_json::from_slice::<Value>(&unquoted(text)).unwrap() == *value,
        "VECTOR" => {
            let expected: Vec<f64> = serde_json::from_str(&text.replace("e+", "e")).unwrap();
            let numbers: Vec<f64> = value
                .as_array()
                .unwrap()
                .iter()
                .filter_map(Value::as_f64)
                .collect();
            expected.len() == numbers.len()
                && expected.iter().zip(&numbers).all(|(a, b)| is_close(*a, *b))
        }
        "FLOAT" | "DOUBLE" => is_close(value.as_f64().unwrap(), text.parse().unwrap()),
        "DECIMAL" => value.as_str() == Some(text),
        _ if text.starts_with('\'') => match value {
            // Backslashes are escaped by one of the two decoders only.
            Value::String(shown) => {
                shown.as_bytes() == unquoted(text)
                    || shown.as_bytes() == raw_bytes(text.trim_matches('\''))
            }
            bytes => bytes["hex"].as_str() == Some(&hex(&unquoted(text))),
        },
        // A negative number has its unsigned reading behind it, for who knows that it is one.
        _ => {
            let shown = value.to_string();
            text.split([' ', '(', ')']).any(|number| number == shown)
        }
    }
}

/// Seconds since 1970 of a date and time in UTC; 0 for the zero timestamp.
fn seconds(shown: &str) -> Option<i64> {
    if shown.starts_with("0000") {
        return Some(0);
    }
    let time: jiff::civil::DateTime = shown.parse().ok()?;
    Some(
        time.to_zoned(jiff::tz::TimeZone::UTC)
            .ok()?
            .timestamp()
            .as_second(),
    )
}

fn is_close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-5 * a.abs().max(b.abs())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn raw_bytes(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(c).unwrap()).collect()
}

/// The bytes within quotes, their `\x41`, `\'` and `\\` resolved.
fn unquoted(text: &str) -> Vec<u8> {
    let bytes = raw_bytes(text);
    let inner = bytes
        .strip_prefix(b"'")
        .and_then(|t| t.strip_suffix(b"'"))
        .unwrap_or(&bytes);
    let mut out = Vec::new();
    let mut rest = inner;
    while let [first, tail @ ..] = rest {
        rest = match (first, tail) {
            (b'\\', [b'x', high, low, tail @ ..]) => {
                let code = String::from_utf8(vec![*high, *low]).unwrap();
                out.push(u8::from_str_radix(&code, 16).unwrap());
                tail
            }
            (b'\\', [escaped, tail @ ..]) => {
                out.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'f' => 12,
                    other => *other,
                });
                tail
            }
            _ => {
                out.push(*first);
                tail
            }
        };
    }
    out
}

#[test]
fn no_file_panics_and_errors_name_file_and_offset() {
    for (binlog, references) in fixtures() {
        for json in [false, true] {
            let (text, error) = dump_to_string(
                &binlog,
                DumpOptions {
                    json,
                    verify: false,
                },
            );
            let name = binlog.file_name().unwrap().to_string_lossy();
            match error {
                None => assert!(json || text.starts_with("# "), "{name}"),
                Some(error) => {
                    assert_eq!(error.at().file.as_deref(), Some(&*name), "{error}");
                    assert!(error.at().pos.is_some(), "{name}: {error}");
                    let opaque = ["START_V3", "encrypted", "binlog version"];
                    let allowed = opaque.iter().any(|word| error.what().contains(word));
                    assert!(references.is_empty() || allowed, "{name}: {error}");
                }
            }
        }
    }
}
