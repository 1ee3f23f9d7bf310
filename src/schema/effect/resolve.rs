//! Charsets inherited from table, database and server; types completed by them.

use super::Catalog;
use crate::charset::Charset;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::collation::{
    binary, binary_of, by_id, bytes_max, canonical_charset, in_charset,
};
use crate::schema::ddl::context::SqlContext;
use crate::schema::ddl::statement::{CharsetSpec, TypeSpec};
use crate::schema::table::{Collation, ColumnType};

/// Bytes that a VARCHAR may hold; a longer one becomes a TEXT.
const VARCHAR_BYTES_MAX: u64 = 65_535;

/// The collation that `spec` means where `inherited` is in force.
pub(super) fn collation(
    spec: &CharsetSpec,
    inherited: &Collation,
    context: &SqlContext,
) -> Result<Collation> {
    let unknown = |what: &str| {
        Error::new(
            ErrorKind::Schema,
            format!("the charset or collation {what} is not known"),
        )
    };
    let given = spec
        .charset
        .as_deref()
        .filter(|charset| *charset != "default");
    let charset = given.map_or_else(|| inherited.charset.clone(), canonical_charset);
    let old = context.later_charset_word_wins();
    match spec.collation.as_deref() {
        Some("default") if old && given.is_none() => Ok(inherited.clone()),
        Some("default") => context
            .default_collation(&charset)
            .ok_or_else(|| unknown(&charset)),
        Some(name) => in_charset(name, &charset).ok_or_else(|| unknown(name)),
        None if spec.binary => binary_of(&charset).ok_or_else(|| unknown(&charset)),
        None if given.is_some() => context
            .default_collation(&charset)
            .ok_or_else(|| unknown(&charset)),
        // CHARACTER SET DEFAULT: of what is inherited, MariaDB takes the charset only; older ones and MySQL the collation.
        None if spec.charset.is_some() && context.is_mariadb() && !old => context
            .own_collation_of(&charset)
            .ok_or_else(|| unknown(&charset)),
        None => Ok(inherited.clone()),
    }
}

/// What DEFAULT means in ALTER TABLE: the collation of the table's database on MariaDB; that of the session's default database on MySQL, and
/// behind CONVERT TO on older MariaDBs.
pub(super) fn default_of_alter(
    converts: bool,
    database: &str,
    catalog: &dyn Catalog,
    context: &SqlContext,
) -> Collation {
    let is_of_session = match context.is_mariadb() {
        true => converts && context.later_charset_word_wins(),
        false => !context.default_database.is_empty(),
    };
    let database = match is_of_session {
        true => context.default_database.as_str(),
        false => database,
    };
    let set = context.collation_database.and_then(by_id);
    set.filter(|_| is_of_session && context.is_mariadb())
        .or_else(|| catalog.database_collation(database))
        .unwrap_or_else(|| context.server_collation())
}

/// A type as the server makes it in a table whose default is `inherited`.
pub(super) fn column_type(
    spec: &TypeSpec,
    inherited: &Collation,
    context: &SqlContext,
) -> Result<ColumnType> {
    let resolve = |charset: &CharsetSpec| collation(charset, inherited, context);
    Ok(match spec {
        TypeSpec::Fixed(ty) => ty.clone(),
        TypeSpec::Char(length, charset) => {
            let collation = resolve(charset)?;
            match collation.charset == "binary" {
                true => ColumnType::Binary { length: *length },
                false => ColumnType::Char {
                    length: *length,
                    collation,
                },
            }
        }
        TypeSpec::VarChar(length, charset) => varchar(*length, resolve(charset)?),
        TypeSpec::Binary(length) => ColumnType::Binary { length: *length },
        TypeSpec::VarBinary(length) => varchar(*length, binary()),
        TypeSpec::Text(length_bytes, charset) => text(*length_bytes, resolve(charset)?),
        TypeSpec::SizedText(length, charset) => {
            let collation = resolve(charset)?;
            let bytes = u64::from(*length) * u64::from(bytes_max(&collation.charset));
            text(length_bytes(bytes), collation)
        }
        TypeSpec::SizedBlob(length) => ColumnType::Blob {
            length_bytes: length_bytes(u64::from(*length)),
        },
        TypeSpec::Enum(labels, charset) => {
            let collation = resolve(charset)?;
            ColumnType::Enum {
                labels: labels_in(&collation, labels),
                collation,
            }
        }
        TypeSpec::Set(labels, charset) => {
            let collation = resolve(charset)?;
            ColumnType::Set {
                labels: labels_in(&collation, labels),
                collation,
            }
        }
        TypeSpec::Json if context.is_mariadb() => {
            let charset = Some("utf8mb4".to_owned());
            text(
                4,
                resolve(&CharsetSpec {
                    charset,
                    binary: true,
                    collation: None,
                })?,
            )
        }
        TypeSpec::Json => ColumnType::Json,
    })
}

/// Labels in the charset of their column: spaces at the end go, but not in `binary`, and what it lacks becomes `?`, without a warning.
fn labels_in(collation: &Collation, labels: &[String]) -> Vec<String> {
    if collation.charset == "binary" {
        return labels.to_vec();
    }
    let labels: Vec<&str> = labels
        .iter()
        .map(|label| label.trim_end_matches(' '))
        .collect();
    let Some(charset) = Charset::by_name(&collation.charset) else {
        return labels.into_iter().map(str::to_owned).collect();
    };
    let stored = |character| match charset.has(character) {
        true => character,
        false => '?',
    };
    labels
        .iter()
        .map(|label| label.chars().map(stored).collect())
        .collect()
}

/// Whether CONVERT TO CHARACTER SET gives the column other labels. Both servers keep the bytes of the labels and read them in the
/// new charset; what values become then differs between them.
pub(super) fn relabels(ty: &ColumnType, to: &Collation) -> bool {
    let (ColumnType::Enum {
        labels,
        collation: from,
    }
    | ColumnType::Set {
        labels,
        collation: from,
    }) = ty
    else {
        return false;
    };
    if from.charset == to.charset || from.charset == "utf8mb3" && to.charset == "utf8mb4" {
        return false;
    }
    let is_ascii = |collation: &Collation| {
        Charset::by_name(&collation.charset).is_some_and(Charset::is_ascii_compatible)
    };
    !is_ascii(from) || !is_ascii(to) || !labels.iter().all(|label| label.is_ascii())
}

/// VARCHAR(n), or the TEXT that it becomes when it is too long for one.
fn varchar(length: u32, collation: Collation) -> ColumnType {
    let bytes = u64::from(length) * u64::from(bytes_max(&collation.charset));
    match (bytes > VARCHAR_BYTES_MAX, collation.charset == "binary") {
        (true, _) => text(length_bytes(bytes), collation),
        (false, true) => ColumnType::VarBinary { length },
        (false, false) => ColumnType::VarChar { length, collation },
    }
}

fn text(length_bytes: u8, collation: Collation) -> ColumnType {
    match collation.charset == "binary" {
        true => ColumnType::Blob { length_bytes },
        false => ColumnType::Text {
            length_bytes,
            collation,
        },
    }
}

/// The smallest kind of TEXT or BLOB that holds so many bytes, by the bytes of its length.
fn length_bytes(bytes: u64) -> u8 {
    match bytes {
        0..=0xff => 1,
        0x100..=0xffff => 2,
        0x1_0000..=0xff_ffff => 3,
        _ => 4,
    }
}

/// A type that is written next to CONVERT TO CHARACTER SET: its charset changes, and no more.
pub(super) fn recollated(ty: &ColumnType, to: &Collation) -> ColumnType {
    match ty {
        ColumnType::Text { length_bytes, .. } => text(*length_bytes, to.clone()),
        other => converted(other, to),
    }
}

/// A column's type after CONVERT TO CHARACTER SET: the same number of characters must fit, so TEXTs may grow.
pub(super) fn converted(ty: &ColumnType, to: &Collation) -> ColumnType {
    let Some(from) = ty.collation() else {
        return ty.clone();
    };
    if from.charset == "binary" {
        return ty.clone();
    }
    match ty {
        ColumnType::Char { length, .. } => match to.charset == "binary" {
            true => ColumnType::Binary { length: *length },
            false => ColumnType::Char {
                length: *length,
                collation: to.clone(),
            },
        },
        ColumnType::VarChar { length, .. } => varchar(*length, to.clone()),
        ColumnType::Text {
            length_bytes: bytes,
            ..
        } => {
            let capacity = (1u64 << (8 * u32::from(*bytes).min(4))) - 1;
            let characters = capacity / u64::from(bytes_max(&from.charset));
            let wanted = characters * u64::from(bytes_max(&to.charset));
            text((*bytes).max(length_bytes(wanted)), to.clone())
        }
        ColumnType::Enum { labels, .. } => ColumnType::Enum {
            labels: labels_in(to, labels),
            collation: to.clone(),
        },
        ColumnType::Set { labels, .. } => ColumnType::Set {
            labels: labels_in(to, labels),
            collation: to.clone(),
        },
        other => other.clone(),
    }
}
