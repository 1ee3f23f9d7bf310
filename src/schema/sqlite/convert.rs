//! Stored values under a changed column type: what the server makes of them, as SQL over what SQLite has stored.
//!
//! Only conversions that come out exactly as on the server are given; all others say why they need the source.

use super::alter_session::AlterSession;
use super::convert_fraction::{fraction, without_negative_zero, zeros};
use super::default::literal;
use super::name::quote_text;
use crate::charset::Charset;
use crate::schema::effect::implicit_default;
use crate::schema::table::{Collation, Column, ColumnType};

/// What becomes of a column's values.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Conversion {
    /// They stay as they are stored.
    Same,
    /// This expression over the stored value.
    Expression(String),
    /// Only the source can tell.
    NeedsSource(String),
}

use Conversion::{Expression, Same};

/// The conversion of a column; `x` is the SQL that stands for the stored value.
pub(super) fn conversion(
    before: &Column,
    after: &Column,
    x: &str,
    session: &AlterSession,
) -> Conversion {
    let needs_source =
        |why: String| Conversion::NeedsSource(format!("column `{}` {why}", after.name));
    if after.generated.is_some() && before.generated != after.generated {
        return needs_source("is generated anew".to_owned());
    }
    let Some(converted) = convert_type(&before.ty, &after.ty, x, session) else {
        return needs_source("changes its type".to_owned());
    };
    if !before.nullable || after.nullable {
        return converted;
    }
    if before.default.is_some() && !session.strict {
        // MariaDB gives the column's former default, if it alters in place.
        return needs_source("gets another value in place of NULL".to_owned());
    }
    // MariaDB does so in strict mode, too, where any other type would be an error.
    if matches!(after.ty, ColumnType::Timestamp { .. }) {
        return needs_source("gets times in place of NULL".to_owned());
    }
    if matches!(after.ty, ColumnType::Vector { .. }) {
        // MariaDB writes zeros, MySQL nothing.
        return needs_source("gets a vector in place of NULL".to_owned());
    }
    let value = match &converted {
        Expression(value) => value.as_str(),
        _ => x,
    };
    let instead = match after.ty {
        // The value without a label, where a new row would get the first one.
        ColumnType::Enum { .. } => quote_text(""),
        _ => literal(&implicit_default(&after.ty), &after.ty),
    };
    Expression(format!("coalesce({value}, {instead})"))
}

/// Whether a type only has room for more values, so that no expression over a value comes out differently.
pub(super) fn only_grows(from: &ColumnType, to: &ColumnType) -> bool {
    use ColumnType as T;
    match (from, to) {
        (
            T::Int {
                bytes: old,
                unsigned: was,
                zerofill: false,
                ..
            },
            T::Int {
                bytes: new,
                unsigned: is,
                zerofill: false,
                ..
            },
        ) => old <= new && was == is,
        (
            T::VarChar {
                length: old,
                collation: was,
            },
            T::VarChar {
                length: new,
                collation: is,
            },
        ) => old <= new && was == is,
        (T::VarBinary { length: old }, T::VarBinary { length: new }) => old <= new,
        _ => false,
    }
}

/// `None` where only the server knows.
fn convert_type(
    from: &ColumnType,
    to: &ColumnType,
    x: &str,
    session: &AlterSession,
) -> Option<Conversion> {
    use ColumnType as T;
    if from == to {
        return Some(Same);
    }
    let strict = session.strict;
    match (from, to) {
        (T::Int { .. }, T::Int { .. }) => int_to_int(from, to, x, strict),
        (
            T::Int { bytes, .. },
            T::Decimal {
                precision, scale, ..
            },
        ) => {
            let room = precision.saturating_sub(*scale) >= int_digits(*bytes);
            (room && !loses_sign(from, to) || strict).then_some(Same)
        }
        (T::Int { bytes, .. }, T::Double { digits: None, .. }) if *bytes < 8 || strict => {
            (!loses_sign(from, to) || strict).then(|| Expression(as_real(x)))
        }
        (T::Int { bytes, .. }, T::Float { digits: None, .. }) if *bytes <= 3 => {
            (!loses_sign(from, to) || strict).then(|| Expression(format!("CAST({x} AS REAL)")))
        }
        (T::Int { .. }, _) if is_text(to) => Some(cut(int_text(from, x), 20, to, strict)),
        (T::Float { .. }, T::Float { digits: None, .. })
        | (T::Double { .. }, T::Double { digits: None, .. }) => {
            (!loses_sign(from, to) || strict).then_some(Same)
        }
        (T::Decimal { .. }, _) => decimal(from, to, x, strict),
        (T::Bit { bits: from }, T::Bit { bits: to }) => (from <= to).then_some(Same),
        (T::Bit { bits }, T::Int { bytes, .. }) => {
            (u32::from(*bits) < u32::from(*bytes) * 8).then_some(Same)
        }
        (T::Year, T::Int { bytes, .. }) => (*bytes >= 2).then_some(Same),
        (T::Year, _) if is_text(to) => Some(cut(format!("printf('%04d', {x})"), 4, to, strict))
            .map(|found| null_safe(found, x)),
        (T::Date, T::DateTime { fsp }) => Some(Expression(format!(
            "{x} || {}",
            quote_text(&format!(" 00:00:00{}", zeros(0, *fsp)))
        ))),
        (T::DateTime { fsp }, T::Date) => (*fsp == 0 || !session.rounds_fractions)
            .then(|| Expression(format!("substr({x}, 1, 10)"))),
        (T::DateTime { fsp: from }, T::DateTime { fsp: to })
        | (T::Timestamp { fsp: from }, T::Timestamp { fsp: to }) => {
            Some(fraction(*from, *to, x, session.rounds_fractions))
        }
        (T::Time { fsp: from }, T::Time { fsp: to }) if from < to || !session.rounds_fractions => {
            Some(without_negative_zero(fraction(*from, *to, x, false), x))
        }
        (T::Date | T::Time { .. } | T::DateTime { .. }, _) if is_text(to) => {
            Some(cut(x.to_owned(), 26, to, strict))
        }
        (
            T::Enum { labels: old, .. },
            T::Enum {
                labels: new,
                collation,
            },
        ) => labels(old, new, collation, x),
        (T::Set { labels: old, .. }, T::Set { labels: new, .. }) => {
            new.starts_with(old).then_some(Same)
        }
        (T::Geometry { .. }, T::Geometry { kind }) => {
            (strict || kind == "geometry").then_some(Same)
        }
        _ => text_or_bytes(from, to, x, strict),
    }
}

/// Texts and bytes, and what is stored as text.
fn text_or_bytes(from: &ColumnType, to: &ColumnType, x: &str, strict: bool) -> Option<Conversion> {
    use ColumnType as T;
    let unlimited = u32::MAX;
    match from {
        T::Enum { labels, .. } | T::Set { labels, .. } if is_text(to) => {
            let charset = Charset::by_name(&to.collation()?.charset)?;
            let fits = strict
                || labels
                    .iter()
                    .flat_map(|label| label.chars())
                    .all(|character| charset.has(character));
            fits.then(|| cut(x.to_owned(), unlimited, to, strict))
        }
        T::Json if is_text(to) => {
            let fits = strict || has_every_character(&to.collation()?.charset);
            fits.then(|| cut(x.to_owned(), unlimited, to, strict))
        }
        T::Uuid if is_text(to) => Some(cut(x.to_owned(), 36, to, strict)),
        T::Inet4 | T::Inet6 if is_text(to) => Some(cut(x.to_owned(), 39, to, strict)),
        _ if is_text(from) && is_text(to) => text_to_text(from, to, x, strict),
        _ if is_text(from) => {
            let charset = &from.collation()?.charset;
            let same_bytes = ["utf8mb4", "utf8mb3", "ascii"].contains(&charset.as_str());
            let room = matches!(to, T::VarBinary { .. } | T::Blob { .. });
            (same_bytes && room && strict).then(|| Expression(format!("CAST({x} AS BLOB)")))
        }
        T::Binary { length } | T::VarBinary { length } => match to {
            T::VarBinary { length: new } => (new >= length || strict).then_some(Same),
            T::Blob { length_bytes } => {
                (*length_bytes >= 2 || *length <= 255 || strict).then_some(Same)
            }
            _ => None,
        },
        T::Blob { length_bytes: old } => match to {
            T::Blob { length_bytes: new } => (new >= old || strict).then_some(Same),
            T::VarBinary { .. } => strict.then_some(Same),
            _ => None,
        },
        _ => None,
    }
}

fn is_text(ty: &ColumnType) -> bool {
    matches!(
        ty,
        ColumnType::Char { .. } | ColumnType::VarChar { .. } | ColumnType::Text { .. }
    )
}

fn has_every_character(charset: &str) -> bool {
    ["utf8mb4", "utf16", "utf16le", "utf32"].contains(&charset)
}

/// Whether every character of one charset is one of the other.
fn holds_all_of(from: &Collation, to: &Collation) -> bool {
    from.charset == to.charset
        || has_every_character(&to.charset)
        || from.charset == "ascii" && to.charset != "binary"
        || from.charset == "latin1" && ["utf8mb3", "ucs2"].contains(&to.charset.as_str())
}

fn text_to_text(from: &ColumnType, to: &ColumnType, x: &str, strict: bool) -> Option<Conversion> {
    if !strict && !holds_all_of(from.collation()?, to.collation()?) {
        return None;
    }
    let (longest, kind) = match from {
        ColumnType::Char { length, .. } => (*length, 0),
        ColumnType::VarChar { length, .. } => (*length, 1),
        _ => (u32::MAX, 2),
    };
    match to {
        ColumnType::Char { .. } if kind != 0 => {
            Some(match cut(x.to_owned(), longest, to, strict) {
                Expression(value) => shown_text(x, &value),
                _ => shown_text(x, x),
            })
        }
        ColumnType::Text { length_bytes, .. } => {
            let shrinks = match from {
                ColumnType::Text {
                    length_bytes: old, ..
                } => old > length_bytes,
                _ => *length_bytes == 1,
            };
            (!shrinks || strict).then_some(Same)
        }
        ColumnType::VarChar { .. } if kind == 2 && !strict => None,
        _ => Some(cut(x.to_owned(), longest, to, strict)),
    }
}

/// Cuts a text of at most `longest` characters to the length of a CHAR or VARCHAR. Even a strict server cuts spaces.
fn cut(value: String, longest: u32, to: &ColumnType, strict: bool) -> Conversion {
    let limit = match to {
        ColumnType::Char { length, .. } | ColumnType::VarChar { length, .. } => *length,
        ColumnType::Text {
            length_bytes: 1, ..
        } if !strict => 255,
        _ => u32::MAX,
    };
    let is_column = value.starts_with('"') && value.ends_with('"');
    match (limit < longest, is_column) {
        (false, true) => Same,
        (false, false) => Expression(value),
        (true, true) => Expression(format!(
            "CASE WHEN typeof({value}) = 'text' AND length(CAST({value} AS BLOB)) > {limit} THEN {} ELSE {value} END",
            first_characters(&value, limit, to)
        )),
        (true, false) => Expression(as_shown(format!("substr({value}, 1, {limit})"), to)),
    }
}

/// What a CHAR shows of the value that comes of the text `x`; a text that is not valid in its charset stays as it is.
fn shown_text(x: &str, value: &str) -> Conversion {
    Expression(format!(
        "CASE WHEN typeof({x}) = 'text' THEN rtrim({value}, ' ') ELSE {x} END"
    ))
}

/// A CHAR shows no spaces at its end.
fn as_shown(value: String, to: &ColumnType) -> String {
    match to {
        ColumnType::Char { .. } => format!("rtrim({value}, ' ')"),
        _ => value,
    }
}

/// SQLite sees no character behind a NUL: a text with one that may have to be cut is an error.
fn first_characters(value: &str, limit: u32, to: &ColumnType) -> String {
    let first = as_shown(format!("substr({value}, 1, {limit})"), to);
    let refused = refusal(value);
    format!("CASE WHEN instr({value}, char(0)) > 0 THEN {refused} ELSE {first} END")
}

/// An error of the statement (an integer overflow), so that the table is read from the source: for a value `x`, which is not NULL,
/// that only the source can convert. It names `x`, or SQLite would compute it before the first row.
pub(super) fn refusal(x: &str) -> String {
    format!("abs(-9223372036854775807 - ({x} IS NOT NULL))")
}

/// printf makes text of NULL.
fn null_safe(conversion: Conversion, x: &str) -> Conversion {
    match conversion {
        Expression(value) => Expression(format!("CASE WHEN {x} IS NOT NULL THEN {value} END")),
        other => other,
    }
}

/// A number as a DOUBLE. What has more digits than SQLite's numbers keep is text, which SQLite does not always round to the nearest one.
fn as_real(x: &str) -> String {
    let refused = refusal(x);
    format!("CASE WHEN typeof({x}) = 'text' THEN {refused} ELSE CAST({x} AS REAL) END")
}

/// Digits of the largest value of an integer type.
fn int_digits(bytes: u8) -> u8 {
    match bytes {
        1 => 3,
        2 => 5,
        3 => 8,
        4 => 10,
        _ => 20,
    }
}

/// Whether negative values would have to change.
fn loses_sign(from: &ColumnType, to: &ColumnType) -> bool {
    let unsigned = |ty: &ColumnType| match ty {
        ColumnType::Int { unsigned, .. }
        | ColumnType::Float { unsigned, .. }
        | ColumnType::Double { unsigned, .. }
        | ColumnType::Decimal { unsigned, .. } => *unsigned,
        _ => true,
    };
    unsigned(to) && !unsigned(from)
}

/// Least and greatest value of an integer type.
fn int_range(ty: &ColumnType) -> (i128, i128) {
    let ColumnType::Int {
        bytes, unsigned, ..
    } = ty
    else {
        return (0, 0);
    };
    let bits = u32::from(*bytes) * 8;
    match unsigned {
        true => (0, (1i128 << bits) - 1),
        false => (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1),
    }
}

/// Clamps as a server that is not strict does; a strict one has refused values out of range.
fn int_to_int(from: &ColumnType, to: &ColumnType, x: &str, strict: bool) -> Option<Conversion> {
    let ((from_low, from_high), (low, high)) = (int_range(from), int_range(to));
    if strict || low <= from_low && from_high <= high {
        return Some(Same);
    }
    Some(Expression(clamped(x, low, high)))
}

/// Digits beyond SQLite's INTEGER are text, and any text is greater than any number.
fn clamped(x: &str, low: i128, high: i128) -> String {
    let raised = format!("max({x}, {low})");
    if high > i128::from(i64::MAX) {
        raised
    } else {
        format!("min({raised}, {high})")
    }
}

fn int_text(ty: &ColumnType, x: &str) -> String {
    match ty {
        ColumnType::Int {
            bytes,
            zerofill: true,
            display_width,
            ..
        } => {
            let width = display_width.unwrap_or_else(|| u16::from(int_digits(*bytes)));
            format!(
                "CASE WHEN length({x}) < {width} THEN substr('{:0>255}' || {x}, -{width}) ELSE CAST({x} AS TEXT) END",
                "0"
            )
        }
        _ => format!("CAST({x} AS TEXT)"),
    }
}

fn decimal(from: &ColumnType, to: &ColumnType, x: &str, strict: bool) -> Option<Conversion> {
    let ColumnType::Decimal {
        precision,
        scale,
        unsigned,
    } = from
    else {
        return None;
    };
    if loses_sign(from, to) && !strict && !is_text(to) {
        return None;
    }
    let short = *precision <= 15;
    match to {
        ColumnType::Decimal {
            precision: new_precision,
            scale: new_scale,
            ..
        } => {
            let whole = precision - scale.min(precision);
            let room = new_precision.saturating_sub(*new_scale) >= whole || strict;
            if new_scale < scale || !room {
                return None;
            }
            if short || new_scale == scale {
                return Some(Same);
            }
            let more = quote_text(&zeros(*scale, *new_scale));
            Some(Expression(format!(
                "CASE WHEN typeof({x}) = 'text' THEN {x} || {more} ELSE {x} END"
            )))
        }
        ColumnType::Double { digits: None, .. } => Some(Expression(as_real(x))),
        ColumnType::Int { .. } if short => {
            let (low, high) = int_range(to);
            let rounded = format!("CAST(round({x}) AS INTEGER)");
            Some(Expression(if strict {
                rounded
            } else {
                clamped(&rounded, low, high)
            }))
        }
        // An UNSIGNED one may be ZEROFILL, which the definition does not keep.
        _ if is_text(to) && short && !unsigned => {
            let text = format!("printf('%.{scale}f', {x})");
            Some(null_safe(cut(text, 18, to, strict), x))
        }
        _ => None,
    }
}

/// ENUM values keep their label; one whose label is gone becomes the empty value. `None` where only the source's collation can
/// tell which label is meant.
fn labels(old: &[String], new: &[String], collation: &Collation, x: &str) -> Option<Conversion> {
    if new.starts_with(old) {
        return Some(Same);
    }
    // Of the charset `binary`, where spaces at the end count.
    if old.iter().chain(new).any(|label| label.ends_with(' ')) {
        return None;
    }
    let is_binary = collation.name.ends_with("_bin") || collation.charset == "binary";
    let mut sql = format!("CASE {x}");
    for label in old {
        // The server takes the first label that its collation holds for the same one.
        let found = if is_binary {
            new.iter().find(|other| *other == label)
        } else if label.is_ascii() && new.iter().all(|other| other.is_ascii()) {
            new.iter().find(|other| other.eq_ignore_ascii_case(label))
        } else {
            Some(new.iter().find(|other| *other == label)?)
        };
        let to = found.map_or("", String::as_str);
        sql.push_str(&format!(
            " WHEN {} THEN {}",
            quote_text(label),
            quote_text(to)
        ));
    }
    sql.push_str(&format!(" ELSE {x} END"));
    Some(Expression(sql))
}
