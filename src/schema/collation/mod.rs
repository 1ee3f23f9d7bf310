//! Charsets and collations of both servers: ids, names, defaults, widths.
//!
//! The facts come from `information_schema` of MySQL 9.7 and MariaDB 11.8 and stand in `table.txt`; MariaDB's
//! uca1400 collations (ids from 2048) follow a rule and are computed. The table is parsed once, at first use.
//! Names are compared without regard to case; `utf8` is `utf8mb3`, as it is on both servers.

mod equality;

pub use equality::{
    SourceText, TextPair, answer as equality_answer, question as equality_question,
};

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::schema::ddl::context::Flavor;
use crate::schema::table::Collation;

/// One charset.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Charset {
    name: &'static str,
    bytes_max: u8,
    default_collation: String,
}

#[derive(Default)]
struct Facts {
    charsets: HashMap<&'static str, Charset>,
    by_id: HashMap<u16, Collation>,
    by_name: HashMap<String, Collation>,
}

static FACTS: LazyLock<Facts> = LazyLock::new(|| {
    let mut facts = Facts::default();
    for line in include_str!("table.txt").lines() {
        facts.add_line(line);
    }
    facts
});

/// Charsets that have uca1400 collations, in the order of their id blocks of 256.
const UCA1400_CHARSETS: [&str; 5] = ["utf8mb3", "utf8mb4", "ucs2", "utf16", "utf32"];

/// Languages of the uca1400 collations, in the order of their id blocks of 8; `None` where MariaDB has a gap.
const UCA1400_LANGUAGES: [Option<&str>; 25] = [
    Some(""),
    Some("icelandic_"),
    Some("latvian_"),
    Some("romanian_"),
    Some("slovenian_"),
    Some("polish_"),
    Some("estonian_"),
    Some("spanish_"),
    Some("swedish_"),
    Some("turkish_"),
    Some("czech_"),
    Some("danish_"),
    Some("lithuanian_"),
    Some("slovak_"),
    Some("spanish2_"),
    Some("roman_"),
    Some("persian_"),
    Some("esperanto_"),
    Some("hungarian_"),
    Some("sinhala_"),
    Some("german2_"),
    None,
    None,
    Some("vietnamese_"),
    Some("croatian_"),
];

/// The eight variants of each language, in the order of their ids.
const UCA1400_VARIANTS: [&str; 8] = [
    "ai_ci",
    "ai_cs",
    "as_ci",
    "as_cs",
    "nopad_ai_ci",
    "nopad_ai_cs",
    "nopad_as_ci",
    "nopad_as_cs",
];

impl Facts {
    /// One line of the table; a malformed one is left out (the unit tests count them all).
    fn add_line(&mut self, line: &'static str) {
        let Some((head, entries)) = line.split_once(':').filter(|_| !line.starts_with('#')) else {
            return;
        };
        let mut head = head.split(' ');
        let (Some(name), Some(bytes), Some(default)) = (head.next(), head.next(), head.next())
        else {
            return;
        };
        let Ok(bytes_max) = bytes.parse() else { return };
        let full = |suffix: &str| match suffix {
            "-" => name.to_owned(),
            suffix => format!("{name}_{suffix}"),
        };
        self.charsets.insert(
            name,
            Charset {
                name,
                bytes_max,
                default_collation: full(default),
            },
        );
        for entry in entries.split_ascii_whitespace() {
            let Some((id, suffix)) = entry.split_once('=') else {
                continue;
            };
            let Ok(id) = id.parse() else { continue };
            let collation = Collation {
                charset: name.to_owned(),
                name: full(suffix),
            };
            self.by_name
                .insert(collation.name.clone(), collation.clone());
            self.by_id.entry(id).or_insert(collation);
        }
    }
}

/// The collation with this id, on either server; `None` when no server has it.
pub fn by_id(id: u16) -> Option<Collation> {
    if let Some(offset) = id.checked_sub(2048) {
        let charset = UCA1400_CHARSETS.get(usize::from(offset / 256))?;
        let language = (*UCA1400_LANGUAGES.get(usize::from(offset % 256 / 8))?)?;
        let variant = UCA1400_VARIANTS.get(usize::from(offset % 8))?;
        return Some(Collation {
            charset: (*charset).to_owned(),
            name: format!("{charset}_uca1400_{language}{variant}"),
        });
    }
    FACTS.by_id.get(&id).cloned()
}

/// The collation of this name, in any case; `None` when no server has it.
///
/// MariaDB's short names (`uca1400_ai_ci`) need a charset: see [`in_charset`].
pub fn by_name(name: &str) -> Option<Collation> {
    let name = canonical(name);
    if let Some(known) = FACTS.by_name.get(&name) {
        return Some(known.clone());
    }
    let (charset, rest) = name.split_once("_uca1400_")?;
    let known = UCA1400_CHARSETS.contains(&charset)
        && UCA1400_VARIANTS.iter().any(|variant| {
            rest.strip_suffix(variant)
                .is_some_and(|language| UCA1400_LANGUAGES.contains(&Some(language)))
        });
    known.then(|| Collation {
        charset: charset.to_owned(),
        name: name.clone(),
    })
}

/// The collation that `name` means where `charset` is in force: MariaDB's short names get the charset in front.
pub fn in_charset(name: &str, charset: &str) -> Option<Collation> {
    by_name(name).or_else(|| by_name(&format!("{}_{name}", canonical_charset(charset))))
}

/// What `CHARACTER SET charset` alone means on a server, without what the session may have set otherwise.
pub fn default_of(charset: &str, flavor: Flavor, version: u32) -> Option<Collation> {
    let charset = canonical_charset(charset);
    let known = FACTS.charsets.get(charset.as_str())?;
    let name = match flavor {
        Flavor::MySql if version >= 80_000 && charset == "utf8mb4" => {
            "utf8mb4_0900_ai_ci".to_owned()
        }
        Flavor::MariaDb if version >= 110_500 && UCA1400_CHARSETS.contains(&known.name) => {
            format!("{charset}_uca1400_ai_ci")
        }
        _ => known.default_collation.clone(),
    };
    Some(Collation { charset, name })
}

/// The binary collation of a charset: what the column attribute BINARY means.
pub fn binary_of(charset: &str) -> Option<Collation> {
    let charset = canonical_charset(charset);
    if charset == "binary" {
        return Some(binary());
    }
    by_name(&format!("{charset}_bin"))
}

/// The pseudo charset of byte strings.
pub fn binary() -> Collation {
    Collation {
        charset: "binary".to_owned(),
        name: "binary".to_owned(),
    }
}

/// Whether trailing spaces do not count in comparisons: PAD SPACE in MySQL's `information_schema.COLLATIONS`. NO PAD are
/// MySQL's collations of UCA 9.0 and MariaDB's that say so in their names.
pub fn pads_spaces(collation: &Collation) -> bool {
    let name = collation.name.as_str();
    let is_no_pad = |part: &str| matches!(part, "0900" | "nopad");
    name != "binary" && !name.split('_').any(is_no_pad)
}

/// Bytes of the longest character of a charset; 4 when the charset is not known.
pub fn bytes_max(charset: &str) -> u8 {
    FACTS
        .charsets
        .get(canonical_charset(charset).as_str())
        .map_or(4, |known| known.bytes_max)
}

/// The charset's name as the server prints it today: lower case, `utf8` as `utf8mb3`.
pub fn canonical_charset(charset: &str) -> String {
    let charset = charset.to_ascii_lowercase();
    if charset == "utf8" {
        "utf8mb3".to_owned()
    } else {
        charset
    }
}

fn canonical(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    match name.strip_prefix("utf8_") {
        Some(rest) => format!("utf8mb3_{rest}"),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_of_the_table_is_read() {
        assert_eq!(FACTS.charsets.len(), 41);
        // 396 pairs: five ids carry two names, and five names two ids (the croatian ones).
        assert_eq!(FACTS.by_name.len(), 391);
        assert_eq!(FACTS.by_id.len(), 391);
        for charset in FACTS.charsets.values() {
            assert!(by_name(&charset.default_collation).is_some(), "{charset:?}");
        }
    }

    #[test]
    fn ids_of_both_servers() {
        assert_eq!(by_id(8).unwrap().name, "latin1_swedish_ci");
        assert_eq!(by_id(33).unwrap().name, "utf8mb3_general_ci");
        assert_eq!(by_id(63).unwrap(), binary());
        assert_eq!(by_id(255).unwrap().name, "utf8mb4_0900_ai_ci");
        assert_eq!(by_id(248).unwrap().charset, "gb18030");
        assert_eq!(by_id(2304).unwrap().name, "utf8mb4_uca1400_ai_ci");
        assert_eq!(by_id(2048).unwrap().name, "utf8mb3_uca1400_ai_ci");
        assert_eq!(
            by_id(3271).unwrap().name,
            "utf32_uca1400_croatian_nopad_as_cs"
        );
        assert_eq!(by_id(2048 + 21 * 8), None);
        assert_eq!(by_id(0), None);
        assert_eq!(by_id(u16::MAX), None);
    }

    #[test]
    fn names_in_all_spellings() {
        assert_eq!(by_name("UTF8_General_CI").unwrap().charset, "utf8mb3");
        assert_eq!(
            by_name("utf8mb4_uca1400_swedish_nopad_as_ci")
                .unwrap()
                .charset,
            "utf8mb4"
        );
        assert_eq!(by_name("utf8mb4_uca1400_klingon_ai_ci"), None);
        assert_eq!(
            in_charset("uca1400_ai_ci", "utf8").unwrap().name,
            "utf8mb3_uca1400_ai_ci"
        );
        assert_eq!(
            in_charset("latin1_bin", "utf8mb4").unwrap().charset,
            "latin1"
        );
    }

    #[test]
    fn defaults_by_server() {
        let name = |charset, flavor, version| default_of(charset, flavor, version).unwrap().name;
        assert_eq!(name("utf8mb4", Flavor::MySql, 50_744), "utf8mb4_general_ci");
        assert_eq!(name("UTF8MB4", Flavor::MySql, 80_400), "utf8mb4_0900_ai_ci");
        assert_eq!(
            name("utf8mb4", Flavor::MariaDb, 101_119),
            "utf8mb4_general_ci"
        );
        assert_eq!(
            name("utf8mb4", Flavor::MariaDb, 110_809),
            "utf8mb4_uca1400_ai_ci"
        );
        assert_eq!(name("utf8", Flavor::MySql, 90_704), "utf8mb3_general_ci");
        assert_eq!(
            name("latin1", Flavor::MariaDb, 110_809),
            "latin1_swedish_ci"
        );
        assert_eq!(binary_of("latin1").unwrap().name, "latin1_bin");
        assert_eq!(bytes_max("gb18030"), 4);
        assert_eq!(bytes_max("latin1"), 1);
    }
}
