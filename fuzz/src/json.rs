//! Binary JSON to text, and partial updates of that text.

use relaylite::decode::json;
use relaylite::decode::json_diff::JsonDiffs;
use relaylite::decode::json_patch;

use super::rows::{JSON_TEXT_MORE, JSON_TEXT_RATIO};

/// Length of a document in two bytes, the document, diffs to apply to its text.
pub fn check(data: &[u8]) {
    let [low, high, rest @ ..] = data else { return };
    let len = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
    let (document, diffs) = rest.split_at(len);
    check_document(document, diffs);
}

/// The input that [`check`] reads.
pub fn input(document: &[u8], diffs: &[u8]) -> Option<Vec<u8>> {
    let len = u16::try_from(document.len()).ok()?.to_le_bytes();
    Some([&len[..], document, diffs].concat())
}

/// What is printed is JSON, and no longer than the document can make it; a diff makes JSON of JSON.
pub fn check_document(document: &[u8], diffs: &[u8]) {
    JsonDiffs::new(diffs).for_each(drop);
    let mut text = Vec::new();
    if json::push_text(&mut text, document).is_err() {
        return;
    }
    assert!(text.len() <= JSON_TEXT_MORE + JSON_TEXT_RATIO * document.len());
    if !is_json(&text) {
        return;
    }
    for diff in JsonDiffs::new(diffs).map_while(Result::ok) {
        let mut value = Vec::new();
        // No server has a number in a document that JSON does not know.
        if json::push_text(&mut value, diff.value).is_err() || !is_json(&value) {
            return;
        }
    }
    let before = text.len();
    if json_patch::apply(&mut text, JsonDiffs::new(diffs)).is_ok() {
        assert!(is_json(&text), "{}", String::from_utf8_lossy(&text));
        let more = JSON_TEXT_MORE + JSON_TEXT_RATIO * diffs.len();
        assert!(text.len() <= before + more);
    }
}

/// Whether a text is JSON. It must be, but for numbers that only hostile bytes hold (infinity, not a number).
fn is_json(text: &[u8]) -> bool {
    let text = std::str::from_utf8(text).unwrap();
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(_) => true,
        Err(_) if text.contains("inf") || text.contains("NaN") || text.contains("nan") => false,
        Err(error) => panic!("{error}: {text}"),
    }
}
