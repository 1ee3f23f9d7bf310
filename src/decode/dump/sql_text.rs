//! Row changes as readable SQL.

use std::fmt::Write as _;

use super::column::DumpTable;
use super::shown::{Scratch, Shown};
use crate::decode::json;
use crate::decode::json_diff::{DiffOperation, JsonDiffs};
use crate::decode::rows::{RowImages, RowKind};
use crate::decode::value::Value;
use crate::error::{Error, Result};

/// Writes one row change into `out`, with its semicolon and newline.
pub(super) fn push_change(
    out: &mut String,
    kind: RowKind,
    table: &DumpTable,
    row: &RowImages<'_>,
    scratch: &mut Scratch,
) -> Result<()> {
    let name = &table.quoted;
    let _ = match kind {
        RowKind::Insert => write!(out, "INSERT INTO {name}"),
        RowKind::Update => write!(out, "UPDATE {name}"),
        RowKind::Delete => write!(out, "DELETE FROM {name}"),
    };
    if kind != RowKind::Delete {
        push_image(out, table, &row.after, scratch, Clause::Set)?;
    }
    if kind != RowKind::Insert {
        push_image(out, table, &row.before, scratch, Clause::Where)?;
    }
    out.push_str(";\n");
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Clause {
    Set,
    Where,
}

fn push_image(
    out: &mut String,
    table: &DumpTable,
    values: &[Value<'_>],
    scratch: &mut Scratch,
    clause: Clause,
) -> Result<()> {
    let (word, separator, empty) = match clause {
        Clause::Set => (" SET ", ", ", " VALUES ()"),
        Clause::Where => (" WHERE ", " AND ", ""),
    };
    let mut first = true;
    for (column, value) in table.columns.iter().zip(values) {
        let Some(shown) = scratch.show(*value, column)? else {
            continue;
        };
        out.push_str(if first { word } else { separator });
        first = false;
        out.push_str(&column.quoted);
        if clause == Clause::Where && matches!(shown, Shown::Null) {
            out.push_str(" IS NULL");
            continue;
        }
        out.push('=');
        push_value(out, &shown, &column.quoted)?;
    }
    if first {
        out.push_str(empty);
    }
    Ok(())
}

fn push_value(out: &mut String, shown: &Shown<'_>, column: &str) -> Result<()> {
    match shown {
        Shown::Null => out.push_str("NULL"),
        Shown::Number(text) => out.push_str(text.as_str()),
        Shown::Exact(text) => {
            out.push('\'');
            out.push_str(text.as_str());
            out.push('\'');
        }
        Shown::Text(text) | Shown::Document(text) => push_string(out, text),
        Shown::Bytes(bytes) => {
            out.push_str("x'");
            bytes.iter().for_each(|b| {
                let _ = write!(out, "{b:02x}");
            });
            out.push('\'');
        }
        Shown::Bits(bits, width) => {
            let _ = write!(out, "b'{bits:0width$b}'", width = usize::from(*width));
        }
        Shown::Diffs(diffs) => push_diffs(out, diffs, column)?,
    }
    Ok(())
}

/// A string with MySQL's escapes, on one line.
pub(super) fn push_string(out: &mut String, text: &str) {
    out.push('\'');
    for c in text.chars() {
        match c {
            '\'' => out.push_str("''"),
            '\\' => out.push_str("\\\\"),
            '\0' => out.push_str("\\0"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\x1a' => out.push_str("\\Z"),
            c => out.push(c),
        }
    }
    out.push('\'');
}

/// Diffs as the functions that have the same effect, the first one innermost.
fn push_diffs(out: &mut String, diffs: &[u8], column: &str) -> Result<()> {
    let mut text = column.to_owned();
    let mut document = Vec::new();
    for diff in JsonDiffs::new(diffs) {
        let diff = diff?;
        let function = match diff.operation {
            DiffOperation::Replace => "JSON_REPLACE",
            DiffOperation::Insert if diff.path.ends_with(']') => "JSON_ARRAY_INSERT",
            DiffOperation::Insert => "JSON_INSERT",
            DiffOperation::Remove => "JSON_REMOVE",
        };
        text = format!("{function}({text}, ");
        push_string(&mut text, diff.path);
        if diff.operation != DiffOperation::Remove {
            document.clear();
            json::push_text(&mut document, diff.value)?;
            let value = std::str::from_utf8(&document)
                .map_err(|e| Error::corrupt("JSON text is not UTF-8").with_source(e))?;
            text.push_str(", CAST(");
            push_string(&mut text, value);
            text.push_str(" AS JSON)");
        }
        text.push(')');
    }
    out.push_str(&text);
    Ok(())
}
