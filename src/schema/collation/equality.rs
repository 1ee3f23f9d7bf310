//! Whether two texts are one to a collation: only a server knows, so it is asked.

use std::fmt::Write as _;

use crate::schema::table::Collation;

/// A text of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceText {
    /// In UTF-8.
    Utf8(String),
    /// Not valid in its charset: the source's bytes.
    Bytes(Vec<u8>),
}

/// Two texts to compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextPair {
    /// Of both.
    pub collation: Collation,
    /// One of them.
    pub left: SourceText,
    /// The other one.
    pub right: SourceText,
}

/// The question for some pairs; the answer is one text with `1` for each pair that is equal, and `0` for each other.
/// `old_names`: as servers called collations of utf8mb3 that did not know that name.
pub fn question(pairs: &[TextPair], old_names: bool) -> String {
    let mut sql = String::from("SELECT CONCAT(");
    for (n, pair) in pairs.iter().enumerate() {
        if n > 0 {
            sql.push_str(", ");
        }
        push_text(&mut sql, &pair.left, &pair.collation, old_names);
        sql.push_str(" = ");
        push_text(&mut sql, &pair.right, &pair.collation, old_names);
    }
    sql.push_str(") AS equal");
    sql
}

/// What the source said of `count` pairs; `None` when that is no answer.
pub fn answer(text: &str, count: usize) -> Option<Vec<bool>> {
    let digit = |digit: u8| match digit {
        b'0' => Some(false),
        b'1' => Some(true),
        _ => None,
    };
    let all: Option<Vec<bool>> = text.bytes().map(digit).collect();
    all.filter(|all| all.len() == count)
}

fn push_text(sql: &mut String, text: &SourceText, collation: &Collation, old_names: bool) {
    let renamed = |name: &str| match name.strip_prefix("utf8mb3") {
        Some(rest) if old_names => format!("utf8{rest}"),
        _ => name.to_owned(),
    };
    let (charset, name) = (renamed(&collation.charset), renamed(&collation.name));
    let hex = |bytes: &[u8]| {
        bytes.iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    };
    let _ = match text {
        SourceText::Utf8(text) => write!(
            sql,
            "CONVERT(_utf8mb4 x'{}' USING {charset}) COLLATE {name}",
            hex(text.as_bytes())
        ),
        SourceText::Bytes(bytes) => write!(sql, "_{charset} x'{}' COLLATE {name}", hex(bytes)),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::collation;

    fn pair(collation: &str) -> TextPair {
        TextPair {
            collation: collation::by_name(collation).unwrap(),
            left: SourceText::Utf8("é".to_owned()),
            right: SourceText::Bytes(vec![0xff]),
        }
    }

    #[test]
    fn a_question_holds_no_text_as_it_is() {
        let sql = question(&[pair("latin1_german2_ci"), pair("utf8mb3_bin")], false);
        assert_eq!(
            sql,
            "SELECT CONCAT(CONVERT(_utf8mb4 x'c3a9' USING latin1) COLLATE latin1_german2_ci = \
             _latin1 x'ff' COLLATE latin1_german2_ci, CONVERT(_utf8mb4 x'c3a9' USING utf8mb3) COLLATE utf8mb3_bin = \
             _utf8mb3 x'ff' COLLATE utf8mb3_bin) AS equal"
        );
        let sql = question(&[pair("utf8mb3_general_ci")], true);
        assert!(
            sql.contains("USING utf8) COLLATE utf8_general_ci = _utf8 x'ff'"),
            "{sql}"
        );
    }

    #[test]
    fn an_answer_speaks_of_every_pair() {
        assert_eq!(answer("010", 3), Some(vec![false, true, false]));
        assert_eq!(answer("01", 3), None);
        assert_eq!(answer("0x1", 3), None);
    }
}
