//! Which collations become `COLLATE NOCASE`.
//!
//! NOCASE holds ASCII letters of either case for equal and nothing else. A column may take it when its own collation
//! holds them for equal too: then a unique key of the source is one in SQLite as well. All `_ci` collations of both
//! servers were measured for that on MySQL 9.7 and MariaDB 11.8: each letter, each pair of letters, and the trigraphs
//! of the languages that have them, in every mix of cases. The exceptions are below.

use crate::schema::collation;
use crate::schema::table::Collation;

/// Parts of the names of Unicode collations that tell some mix of cases apart: in Turkish `i` is not `I`, and where a
/// language has letters of two characters, `cH` is not the letter that `ch`, `Ch` and `CH` are.
const UNICODE_EXCEPTIONS: [&str; 19] = [
    "turkish",
    "tr",
    "czech",
    "cs",
    "slovak",
    "sk",
    "lithuanian",
    "lt",
    "croatian",
    "hr",
    "bs",
    "latn",
    "danish",
    "da",
    "nb",
    "nn",
    "hu",
    "spanish2",
    "trad",
];

/// 8-bit collations that do so; the weights of the second and third have a slip in one letter each.
const OTHER_EXCEPTIONS: [&str; 3] = ["latin5_turkish", "cp866_general", "latin7_general"];

/// Whether a text column of this collation is compared with NOCASE.
pub fn is_nocase(collation: &Collation) -> bool {
    let name = collation.name.as_str();
    if !name.ends_with("_ci") || collation::by_name(name).is_none() {
        return false;
    }
    let is_unicode = ["utf8mb3", "utf8mb4", "ucs2", "utf16", "utf16le", "utf32"]
        .contains(&collation.charset.as_str());
    match is_unicode {
        true => !name
            .split('_')
            .any(|part| UNICODE_EXCEPTIONS.contains(&part)),
        false => !OTHER_EXCEPTIONS.iter().any(|start| name.starts_with(start)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_collations_at_least_as_coarse() {
        let nocase = |name: &str| is_nocase(&collation::by_name(name).unwrap());
        for name in [
            "latin1_swedish_ci",
            "utf8mb4_general_ci",
            "utf8mb4_0900_ai_ci",
            "utf8mb4_unicode_520_ci",
            "utf8mb4_uca1400_ai_ci",
            "utf8mb4_de_pb_0900_ai_ci",
            "utf8mb4_hungarian_ci",
            "latin1_danish_ci",
            "gbk_chinese_ci",
            "utf8mb4_0900_as_ci",
        ] {
            assert!(nocase(name), "{name}");
        }
        for name in [
            "utf8mb4_bin",
            "utf8mb4_0900_as_cs",
            "latin1_general_cs",
            "utf8mb4_turkish_ci",
            "utf8mb4_tr_0900_ai_ci",
            "utf8mb4_uca1400_czech_nopad_ai_ci",
            "utf8mb4_es_trad_0900_ai_ci",
            "utf8mb4_hu_0900_ai_ci",
            "utf8mb3_croatian_ci",
            "utf8mb4_croatian_mysql561_ci",
            "latin7_general_ci",
            "cp866_general_nopad_ci",
        ] {
            assert!(!nocase(name), "{name}");
        }
    }
}
