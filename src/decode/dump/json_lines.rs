//! Row changes as JSON objects, one a line.
//!
//! `{"file", "position", "time", "gtid", "database", "table", "type", "before", "after"}`: `position` is where the row
//! event begins (the payload's offset for a compressed transaction), `time` the statement's in UTC; `gtid` is missing
//! for groups without one. `before` and `after` map column names (`@1` where they are not logged) to values; a column
//! that the image does not hold is missing. Integers, floats and JSON documents are themselves; DECIMAL, dates and times
//! are strings, bytes `{"hex": "…"}`, bits `{"bits": "…"}`, JSON diffs `{"diffs": […]}`.

use std::fmt::Write as _;

use super::column::DumpTable;
use super::shown::{Scratch, Shown};
use crate::decode::json;
use crate::decode::json_diff::{DiffOperation, JsonDiffs};
use crate::decode::rows::{RowImages, RowKind};
use crate::decode::value::Value;
use crate::error::{Error, Result};

/// What all rows of an event have in common.
pub(super) struct Place<'a> {
    pub(super) file: &'a str,
    pub(super) position: u64,
    pub(super) time: &'a str,
    pub(super) gtid: Option<&'a str>,
}

/// Writes one row change into `out`, with its newline.
pub(super) fn push_change(
    out: &mut String,
    place: &Place<'_>,
    kind: RowKind,
    table: &DumpTable,
    row: &RowImages<'_>,
    scratch: &mut Scratch,
) -> Result<()> {
    out.push_str("{\"file\":");
    push_string(out, place.file);
    let _ = write!(out, ",\"position\":{},\"time\":", place.position);
    push_string(out, place.time);
    if let Some(gtid) = place.gtid {
        out.push_str(",\"gtid\":");
        push_string(out, gtid);
    }
    out.push_str(",\"database\":");
    push_string(out, &table.map.database);
    out.push_str(",\"table\":");
    push_string(out, &table.map.table);
    out.push_str(match kind {
        RowKind::Insert => ",\"type\":\"insert\"",
        RowKind::Update => ",\"type\":\"update\"",
        RowKind::Delete => ",\"type\":\"delete\"",
    });
    if kind != RowKind::Insert {
        out.push_str(",\"before\":");
        push_image(out, table, &row.before, scratch)?;
    }
    if kind != RowKind::Delete {
        out.push_str(",\"after\":");
        push_image(out, table, &row.after, scratch)?;
    }
    out.push_str("}\n");
    Ok(())
}

fn push_image(
    out: &mut String,
    table: &DumpTable,
    values: &[Value<'_>],
    scratch: &mut Scratch,
) -> Result<()> {
    out.push('{');
    let mut first = true;
    for (column, value) in table.columns.iter().zip(values) {
        let is_decimal = matches!(value, Value::Decimal { .. });
        let Some(shown) = scratch.show(*value, column)? else {
            continue;
        };
        if !std::mem::take(&mut first) {
            out.push(',');
        }
        push_string(out, &column.name);
        out.push(':');
        match shown {
            Shown::Number(text) if is_decimal => push_string(out, text.as_str()),
            shown => push_value(out, &shown)?,
        }
    }
    out.push('}');
    Ok(())
}

fn push_value(out: &mut String, shown: &Shown<'_>) -> Result<()> {
    match shown {
        Shown::Null => out.push_str("null"),
        Shown::Number(text) if text.as_str().contains(['N', 'i']) => {
            push_string(out, text.as_str())
        }
        Shown::Number(text) => out.push_str(text.as_str()),
        Shown::Exact(text) => push_string(out, text.as_str()),
        Shown::Text(text) => push_string(out, text),
        Shown::Document(text) => out.push_str(text),
        Shown::Bytes(bytes) => {
            out.push_str("{\"hex\":\"");
            bytes.iter().for_each(|b| {
                let _ = write!(out, "{b:02x}");
            });
            out.push_str("\"}");
        }
        Shown::Bits(bits, width) => {
            let _ = write!(
                out,
                "{{\"bits\":\"{bits:0width$b}\"}}",
                width = usize::from(*width)
            );
        }
        Shown::Diffs(diffs) => push_diffs(out, diffs)?,
    }
    Ok(())
}

fn push_diffs(out: &mut String, diffs: &[u8]) -> Result<()> {
    out.push_str("{\"diffs\":[");
    let mut document = Vec::new();
    for (i, diff) in JsonDiffs::new(diffs).enumerate() {
        let diff = diff?;
        if i > 0 {
            out.push(',');
        }
        out.push_str(match diff.operation {
            DiffOperation::Replace => "{\"operation\":\"replace\",\"path\":",
            DiffOperation::Insert => "{\"operation\":\"insert\",\"path\":",
            DiffOperation::Remove => "{\"operation\":\"remove\",\"path\":",
        });
        push_string(out, diff.path);
        if diff.operation != DiffOperation::Remove {
            document.clear();
            json::push_text(&mut document, diff.value)?;
            let value = std::str::from_utf8(&document)
                .map_err(|e| Error::corrupt("JSON text is not UTF-8").with_source(e))?;
            out.push_str(",\"value\":");
            out.push_str(value);
        }
        out.push('}');
    }
    out.push_str("]}");
    Ok(())
}

/// A JSON string.
fn push_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
