//! When a child row refers to a parent row: InnoDB compares the columns of a foreign key by their collation, and copies
//! the parent's bytes when it cascades an UPDATE (`row_ins_cascade_calc_update_vec` in its `row0ins.cc`).
//!
//! # Limits
//! Equality is known for text that is the same, or differs only in the case of ASCII letters and in trailing spaces. That
//! `é` is `e` to some collations is not: see docs/limits.md.

use rusqlite::types::Value;

use crate::error::{Error, ErrorKind, Result};
use crate::schema::collation;
use crate::schema::sqlite::is_nocase;
use crate::schema::table::{Collation, Column, ColumnType};

/// How one column of a foreign key is compared and copied.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum KeyMatch {
    /// As SQLite compares: numbers, times, bytes.
    Exact,
    /// Text, by collation.
    Text {
        /// Trailing spaces do not count.
        pads: bool,
        /// The case of ASCII letters does not count.
        nocase: bool,
        /// The child is CHAR: kept without trailing spaces.
        trims: bool,
        /// The parent is CHAR of so many characters and the child VARCHAR: InnoDB copies the padding.
        padded_to: Option<u32>,
        /// The charset that the padding is counted in.
        collation: Collation,
    },
}

impl KeyMatch {
    /// Of a parent's and a child's column.
    ///
    /// # Errors
    /// Why the columns cannot be compared here, as text.
    pub(super) fn new(parent: &Column, child: &Column) -> std::result::Result<Self, String> {
        let (parent_text, child_text) = (text_of(&parent.ty), text_of(&child.ty));
        if let (Some((fixed, length, ours)), Some((trims, _, theirs))) = (parent_text, child_text)
            && ours == theirs
        {
            let pads = collation::pads_spaces(ours);
            if pads || fixed == trims {
                return Ok(Self::Text {
                    pads,
                    nocase: is_nocase(ours),
                    trims,
                    padded_to: (fixed && !trims).then_some(length),
                    collation: ours.clone(),
                });
            }
        } else if is_same_type(&parent.ty, &child.ty) {
            return Ok(Self::Exact);
        }
        Err(format!(
            "the columns `{}` and `{}` are of different types",
            child.name, parent.name
        ))
    }

    /// Whether a search needs a lower and an upper bound instead of one value.
    pub(super) fn is_range(&self) -> bool {
        matches!(
            self,
            Self::Text {
                pads: true,
                trims: false,
                ..
            }
        )
    }

    /// The values to search the child's column by: all that match lie between them.
    pub(super) fn bounds(&self, key: &Value) -> (Value, Value) {
        match (self, key) {
            (Self::Text { pads: true, .. }, Value::Text(text)) => {
                let least = text.trim_end_matches(' ');
                // `!` is the character behind the space.
                (
                    Value::Text(least.to_owned()),
                    Value::Text(format!("{least}!")),
                )
            }
            _ => (key.clone(), key.clone()),
        }
    }

    /// Whether a value that lies within the bounds of `key` matches it.
    pub(super) fn holds(&self, key: &Value, child: &Value) -> bool {
        let Self::Text { pads, nocase, .. } = self else {
            return true;
        };
        let (Value::Text(key), Value::Text(child)) = (key, child) else {
            return key == child;
        };
        let (key, child) = match pads {
            true => (key.trim_end_matches(' '), child.trim_end_matches(' ')),
            false => (key.as_str(), child.as_str()),
        };
        match nocase {
            true => key.eq_ignore_ascii_case(child),
            false => key == child,
        }
    }

    /// What the child's column holds after the parent's column became `value`.
    ///
    /// # Errors
    /// `Unsupported` where the padding that InnoDB copies along is not known.
    pub(super) fn copied(&self, value: &Value) -> Result<Value> {
        let (
            Self::Text {
                trims,
                padded_to,
                collation,
                ..
            },
            Value::Text(text),
        ) = (self, value)
        else {
            return Ok(value.clone());
        };
        if *trims {
            return Ok(Value::Text(text.trim_end_matches(' ').to_owned()));
        }
        let Some(bytes_min) = padded_to else {
            return Ok(value.clone());
        };
        let bytes_min = usize::try_from(*bytes_min).unwrap_or(usize::MAX);
        let bytes = match collation.charset.as_str() {
            "utf8mb4" | "utf8mb3" => text.len(),
            charset if collation::bytes_max(charset) == 1 => text.chars().count(),
            charset => {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    format!(
                        "a foreign key copied a CHAR of charset {charset} into a VARCHAR inside the source, with a \
                         padding that is not known here"
                    ),
                ));
            }
        };
        let mut padded = text.clone();
        padded.extend(std::iter::repeat_n(' ', bytes_min.saturating_sub(bytes)));
        Ok(Value::Text(padded))
    }
}

/// Whether CHAR, length in characters, collation; `None` for what is compared otherwise.
fn text_of(ty: &ColumnType) -> Option<(bool, u32, &Collation)> {
    match ty {
        ColumnType::Char { length, collation } => Some((true, *length, collation)),
        ColumnType::VarChar { length, collation } => Some((false, *length, collation)),
        _ => None,
    }
}

/// Whether equal values of both types are equal in SQLite, too.
fn is_same_type(a: &ColumnType, b: &ColumnType) -> bool {
    use ColumnType as T;
    match (a, b) {
        (
            T::Int {
                bytes: a,
                unsigned: c,
                ..
            },
            T::Int {
                bytes: b,
                unsigned: d,
                ..
            },
        ) => (a, c) == (b, d),
        (T::Float { .. }, T::Float { .. }) | (T::Double { .. }, T::Double { .. }) => true,
        (T::Binary { .. } | T::VarBinary { .. }, T::Binary { .. } | T::VarBinary { .. }) => true,
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(ty: ColumnType) -> Column {
        Column {
            name: "k".to_owned(),
            ty,
            nullable: true,
            default: None,
            auto_increment: false,
            generated: None,
            invisible: false,
            compressed: false,
        }
    }

    fn varchar(name: &str) -> Column {
        let collation = collation::by_name(name).unwrap();
        let length = 9;
        column(ColumnType::VarChar { length, collation })
    }

    fn char_of(name: &str, length: u32) -> Column {
        let collation = collation::by_name(name).unwrap();
        column(ColumnType::Char { length, collation })
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    fn matches(name: &str, key: &str, child: &str) -> bool {
        let by = KeyMatch::new(&varchar(name), &varchar(name)).unwrap();
        by.holds(&text(key), &text(child))
    }

    #[test]
    fn text_is_compared_by_its_collation() {
        assert!(matches("utf8mb4_general_ci", "abc", "ABC  "));
        assert!(matches("utf8mb4_0900_ai_ci", "abc", "ABC"));
        assert!(!matches("utf8mb4_0900_ai_ci", "abc", "abc "));
        assert!(matches("utf8mb4_bin", "abc  ", "abc"));
        assert!(!matches("utf8mb4_bin", "abc", "ABC"));
        assert!(!matches("utf8mb4_nopad_bin", "abc ", "abc"));
        assert!(!matches("utf8mb4_turkish_ci", "i", "I"));
    }

    #[test]
    fn all_that_match_lie_within_the_bounds() {
        let by = KeyMatch::new(&varchar("latin1_bin"), &varchar("latin1_bin")).unwrap();
        assert!(by.is_range());
        let (least, most) = by.bounds(&text("a "));
        assert_eq!((least, most), (text("a"), text("a!")));
        let blob = Value::Blob(vec![0xff]);
        assert_eq!(by.bounds(&blob), (blob.clone(), blob));
    }

    #[test]
    fn a_copy_is_padded_as_innodb_stores_it() {
        let name = "utf8mb4_general_ci";
        let by = KeyMatch::new(&char_of(name, 5), &varchar(name)).unwrap();
        assert_eq!(by.copied(&text("b")).unwrap(), text("b    "));
        assert_eq!(by.copied(&text("éé")).unwrap(), text("éé "));
        let by = KeyMatch::new(&varchar(name), &char_of(name, 5)).unwrap();
        assert_eq!(by.copied(&text("b ")).unwrap(), text("b"));
        let by = KeyMatch::new(&char_of("gbk_bin", 5), &varchar("gbk_bin")).unwrap();
        assert!(by.copied(&text("b")).is_err());
        // Whether a CHAR matches a VARCHAR by a collation that does not pad is not known.
        assert!(
            KeyMatch::new(
                &char_of("utf8mb4_0900_bin", 5),
                &varchar("utf8mb4_0900_bin")
            )
            .is_err()
        );
    }

    #[test]
    fn only_equal_types_are_compared() {
        let int = |bytes, unsigned| {
            column(ColumnType::Int {
                bytes,
                unsigned,
                display_width: None,
                zerofill: false,
            })
        };
        assert_eq!(
            KeyMatch::new(&int(4, false), &int(4, false)),
            Ok(KeyMatch::Exact)
        );
        assert!(KeyMatch::new(&int(4, false), &int(4, true)).is_err());
        let fsp = |fsp| column(ColumnType::DateTime { fsp });
        assert!(KeyMatch::new(&fsp(0), &fsp(3)).is_err());
    }
}
