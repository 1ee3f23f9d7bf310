//! Partial JSON updates (`binlog_row_value_options=PARTIAL_JSON`) applied to a document's text.
//!
//! The text is the one that [`super::json`] prints. What a diff does not touch keeps its text, so that nothing is read as a
//! number and printed anew; new values are printed from their binary form. Keys stay in the server's order: by length,
//! then by bytes.

use super::json;
use super::json_diff::{DiffOperation, JsonDiff, JsonDiffs};
use crate::error::{Error, ErrorKind, Result};

/// A step of a path.
#[derive(Debug, PartialEq)]
enum Leg {
    Member(String),
    Element(usize),
}

/// Applies `diffs` to `document`, in order.
///
/// # Errors
/// `Corrupt` when a diff cannot be read, `RowMissing` when the document has not what a diff is about.
pub fn apply(document: &mut Vec<u8>, diffs: JsonDiffs<'_>) -> Result<()> {
    for diff in diffs {
        apply_one(document, &diff?)?;
    }
    Ok(())
}

fn apply_one(document: &mut Vec<u8>, diff: &JsonDiff<'_>) -> Result<()> {
    let legs = parse_path(diff.path)?;
    let mut value = Vec::new();
    if diff.operation != DiffOperation::Remove {
        json::push_text(&mut value, diff.value)?;
    }
    let Some((last, parents)) = legs.split_last() else {
        if diff.operation == DiffOperation::Replace {
            *document = value;
            return Ok(());
        }
        return Err(Error::corrupt(
            "a JSON diff inserts or removes the whole document",
        ));
    };
    let mut start = 0;
    for leg in parents {
        start = find(document, start, leg)?.found(diff)?.value;
    }
    let place = find(document, start, last)?;
    let (from, to) = match diff.operation {
        DiffOperation::Replace => {
            let item = place.found(diff)?;
            (item.value, item.end)
        }
        DiffOperation::Remove => {
            let item = place.found(diff)?;
            remove_range(document, &item)
        }
        DiffOperation::Insert => {
            let (at, is_empty) = place.insertion(last).ok_or_else(|| misfit(diff))?;
            value = inserted(last, value, document.get(at), is_empty);
            (at, at)
        }
    };
    document.splice(from..to, value);
    Ok(())
}

/// Where an item's text stands: from its key (or value) to behind its value.
#[derive(Debug)]
struct Item {
    start: usize,
    value: usize,
    end: usize,
    is_first: bool,
}

/// What a container has at a leg.
#[derive(Debug)]
enum Place {
    At(Item),
    /// Nothing: where it would be inserted, and whether the container is empty.
    Gap(usize, bool),
    /// It is no container of that kind.
    Nowhere,
}

impl Place {
    fn found(self, diff: &JsonDiff<'_>) -> Result<Item> {
        match self {
            Self::At(item) => Ok(item),
            Self::Gap(..) | Self::Nowhere => Err(misfit(diff)),
        }
    }

    /// Where a new item goes, and whether it will be the only one. A member that is there already is none.
    fn insertion(&self, leg: &Leg) -> Option<(usize, bool)> {
        match (self, leg) {
            (Self::At(item), Leg::Element(_)) => Some((item.start, false)),
            (Self::Gap(at, is_empty), _) => Some((*at, *is_empty)),
            _ => None,
        }
    }
}

fn misfit(diff: &JsonDiff<'_>) -> Error {
    Error::new(
        ErrorKind::RowMissing,
        format!(
            "a partial JSON update does not fit the document at {}; the table was changed here",
            diff.path
        ),
    )
}

/// The text of a new item, with the separator on the side where a neighbour stands.
fn inserted(leg: &Leg, value: Vec<u8>, next: Option<&u8>, is_empty: bool) -> Vec<u8> {
    let is_last = matches!(next, Some(b'}' | b']'));
    let mut text = Vec::with_capacity(value.len() + 8);
    if is_last && !is_empty {
        text.extend_from_slice(b", ");
    }
    if let Leg::Member(name) = leg {
        json::push_string(&mut text, name);
        text.extend_from_slice(b": ");
    }
    text.extend_from_slice(&value);
    if !is_last {
        text.extend_from_slice(b", ");
    }
    text
}

/// What to cut for an item to be gone: also the separator before it, or behind the first one.
fn remove_range(document: &[u8], item: &Item) -> (usize, usize) {
    if !item.is_first {
        return (item.start.saturating_sub(2), item.end);
    }
    let separator = match document.get(item.end) {
        Some(b',') => 2,
        _ => 0,
    };
    (item.start, (item.end + separator).min(document.len()))
}

/// Looks for a leg in the container that starts at `start`.
fn find(document: &[u8], start: usize, leg: &Leg) -> Result<Place> {
    let (open, mut at) = (document.get(start), start + 1);
    let is_object = match (open, leg) {
        (Some(b'{'), Leg::Member(_)) => true,
        (Some(b'['), Leg::Element(_)) => false,
        _ => return Ok(Place::Nowhere),
    };
    let mut index = 0;
    loop {
        match document.get(at) {
            Some(b'}' | b']') => return Ok(Place::Gap(at, index == 0)),
            Some(b',') => at += 2,
            Some(_) => {}
            None => return Err(not_ours()),
        }
        let item_start = at;
        let mut order = std::cmp::Ordering::Less;
        if is_object {
            let end = string_end(document, at)?;
            let key = unescape(document.get(at + 1..end - 1).unwrap_or_default())?;
            if let Leg::Member(name) = leg {
                order = (key.len(), key.as_bytes()).cmp(&(name.len(), name.as_bytes()));
            }
            at = end + 2;
        } else if let Leg::Element(wanted) = leg {
            order = index.cmp(wanted);
        }
        let end = value_end(document, at)?;
        if !matches!(document.get(end), Some(b',' | b'}' | b']')) {
            return Err(not_ours());
        }
        match order {
            std::cmp::Ordering::Equal => {
                return Ok(Place::At(Item {
                    start: item_start,
                    value: at,
                    end,
                    is_first: index == 0,
                }));
            }
            std::cmp::Ordering::Greater => return Ok(Place::Gap(item_start, false)),
            std::cmp::Ordering::Less => {}
        }
        at = end;
        index += 1;
    }
}

#[cold]
fn not_ours() -> Error {
    Error::new(
        ErrorKind::RowMissing,
        "the stored JSON document is not as it was written; the table was changed here",
    )
}

/// Behind the string that starts at `at`.
fn string_end(document: &[u8], at: usize) -> Result<usize> {
    let mut bytes = document.iter().enumerate().skip(at + 1);
    if document.get(at) != Some(&b'"') {
        return Err(not_ours());
    }
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return Ok(at + 1),
            b'\\' => {
                bytes.next();
            }
            _ => {}
        }
    }
    Err(not_ours())
}

/// Behind the value that starts at `at`.
fn value_end(document: &[u8], mut at: usize) -> Result<usize> {
    let mut depth = 0_usize;
    loop {
        match document.get(at) {
            Some(b'"') => at = string_end(document, at)?,
            Some(b'{' | b'[') => {
                depth += 1;
                at += 1;
            }
            Some(b'}' | b']') if depth > 0 => {
                depth -= 1;
                at += 1;
            }
            Some(b'}' | b']' | b',') if depth == 0 => return Ok(at),
            Some(_) => {
                at += 1;
                continue;
            }
            None => return Err(not_ours()),
        }
        if depth == 0 {
            return Ok(at);
        }
    }
}

/// The text that a JSON string's inside stands for.
fn unescape(text: &[u8]) -> Result<String> {
    let text = std::str::from_utf8(text).map_err(|_| not_ours())?;
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match rest.next() {
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('u') => {
                let digits = rest.as_str().get(..4).ok_or_else(not_ours)?;
                // The server writes only control characters so.
                let code = u32::from_str_radix(digits, 16).map_err(|_| not_ours())?;
                out.push(char::from_u32(code).ok_or_else(not_ours)?);
                rest = rest.as_str().get(4..).unwrap_or_default().chars();
            }
            Some(plain) => out.push(plain),
            None => return Err(not_ours()),
        }
    }
    Ok(out)
}

/// `$.a[3]."b c"`: as the server writes it, names quoted where they are no identifiers.
fn parse_path(path: &str) -> Result<Vec<Leg>> {
    let bad = || Error::corrupt("the path of a JSON diff is none");
    let mut rest = path.strip_prefix('$').ok_or_else(bad)?;
    let mut legs = Vec::new();
    while !rest.is_empty() {
        if let Some(quoted) = rest.strip_prefix(".\"") {
            let end = string_end(rest.as_bytes(), 1).map_err(|_| bad())?;
            let inside = quoted.get(..end - 3).ok_or_else(bad)?;
            legs.push(Leg::Member(unescape(inside.as_bytes()).map_err(|_| bad())?));
            rest = rest.get(end..).unwrap_or_default();
        } else if let Some(name) = rest.strip_prefix('.') {
            let end = name.find(['.', '[']).unwrap_or(name.len());
            let (name, behind) = name.split_at(end);
            legs.push(Leg::Member(name.to_owned()));
            rest = behind;
        } else if let Some(cell) = rest.strip_prefix('[') {
            let (index, behind) = cell.split_once(']').ok_or_else(bad)?;
            legs.push(Leg::Element(index.parse().map_err(|_| bad())?));
            rest = behind;
        } else {
            return Err(bad());
        }
    }
    Ok(legs)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// INT16 7 in binary JSON.
    const SEVEN: &[u8] = &[5, 7, 0];

    fn patched(document: &str, operation: DiffOperation, path: &str) -> Result<String> {
        let mut text = document.as_bytes().to_vec();
        let value = if operation == DiffOperation::Remove {
            &[][..]
        } else {
            SEVEN
        };
        apply_one(
            &mut text,
            &JsonDiff {
                operation,
                path,
                value,
            },
        )?;
        Ok(String::from_utf8(text).unwrap())
    }

    #[test]
    fn paths_of_the_server() {
        let member = |name: &str| Leg::Member(name.to_owned());
        assert_eq!(parse_path("$").unwrap(), []);
        assert_eq!(
            parse_path(r#"$.a[3]."b \"]."[0].é"#).unwrap(),
            [
                member("a"),
                Leg::Element(3),
                member("b \"]."),
                Leg::Element(0),
                member("é")
            ]
        );
        for bad in ["", "a", "$a", "$[", "$[x]", "$.\"a"] {
            assert!(parse_path(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_replaced() {
        use DiffOperation::Replace;
        let document = r#"{"a": [1.0, "x]", {"b\n": null}], "bb": {}}"#;
        for (path, expected) in [
            ("$", "7"),
            ("$.bb", r#"{"a": [1.0, "x]", {"b\n": null}], "bb": 7}"#),
            ("$.a[1]", r#"{"a": [1.0, 7, {"b\n": null}], "bb": {}}"#),
            (
                r#"$.a[2]."b\n""#,
                r#"{"a": [1.0, "x]", {"b\n": 7}], "bb": {}}"#,
            ),
        ] {
            assert_eq!(
                patched(document, Replace, path).unwrap(),
                expected,
                "{path}"
            );
        }
        for missing in ["$.b", "$.a[3]", "$.a.x", "$.bb.x", "$[0]"] {
            assert!(patched(document, Replace, missing).is_err(), "{missing}");
        }
    }

    #[test]
    fn what_appears_keeps_the_order() {
        use DiffOperation::Insert;
        for (document, path, expected) in [
            ("{}", "$.a", r#"{"a": 7}"#),
            ("[]", "$[0]", "[7]"),
            ("[1]", "$[0]", "[7, 1]"),
            ("[1]", "$[9]", "[1, 7]"),
            (
                r#"{"b": 1, "aa": 2}"#,
                "$.a",
                r#"{"a": 7, "b": 1, "aa": 2}"#,
            ),
            (
                r#"{"b": 1, "aa": 2}"#,
                "$.c",
                r#"{"b": 1, "c": 7, "aa": 2}"#,
            ),
            (
                r#"{"b": 1, "aa": 2}"#,
                "$.ab",
                r#"{"b": 1, "aa": 2, "ab": 7}"#,
            ),
            (r#"[{"b": 1}]"#, r#"$[0]."\t""#, r#"[{"\t": 7, "b": 1}]"#),
        ] {
            assert_eq!(
                patched(document, Insert, path).unwrap(),
                expected,
                "{document} {path}"
            );
        }
        assert!(patched(r#"{"a": 1}"#, Insert, "$.a").is_err());
    }

    #[test]
    fn what_goes_takes_its_separator() {
        use DiffOperation::Remove;
        for (document, path, expected) in [
            (r#"{"a": 1}"#, "$.a", "{}"),
            ("[1, 2, 3]", "$[0]", "[2, 3]"),
            ("[1, 2, 3]", "$[1]", "[1, 3]"),
            ("[1, [2, 3]]", "$[1]", "[1]"),
            (
                r#"{"a": "}", "b": [1]}"#,
                "$.b[0]",
                r#"{"a": "}", "b": []}"#,
            ),
        ] {
            assert_eq!(
                patched(document, Remove, path).unwrap(),
                expected,
                "{document} {path}"
            );
        }
    }

    #[test]
    fn text_that_is_no_document_is_an_error() {
        for document in ["", "{", "{\"a", "[\"", "{\"a\": ", "{\"a\"}"] {
            assert!(
                patched(document, DiffOperation::Remove, "$.a").is_err(),
                "{document}"
            );
            assert!(
                patched(document, DiffOperation::Remove, "$[0]").is_err(),
                "{document}"
            );
        }
    }
}
