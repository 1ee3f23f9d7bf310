//! Patterns of `replicate_wild_do_table` and `replicate_wild_ignore_table`.
//!
//! `%` is any text, `_` one character, and a backslash takes the character behind it for itself, as in LIKE. The pattern
//! is held against `DATABASE.TABLE` as a whole (MySQL `sql/rpl_filter.cc`, `find_wild`), so `%` may reach over the dot.

/// Whether `text` is as `pattern` says. Takes time in the product of both lengths at worst.
pub(super) fn matches(pattern: &str, text: &str, fold: bool) -> bool {
    let pattern = parts(pattern, fold);
    let text: Vec<char> = folded(text, fold).chars().collect();
    let (mut at_pattern, mut at_text) = (0, 0);
    // The last `%`, and the text that it has taken: on a misfit it takes one character more.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        match (pattern.get(at_pattern), text.get(at_text)) {
            (None, None) => return true,
            (Some(Part::Any), _) => {
                retry = Some((at_pattern + 1, at_text));
                at_pattern += 1;
                continue;
            }
            (Some(Part::One), Some(_)) => {
                at_pattern += 1;
                at_text += 1;
                continue;
            }
            (Some(Part::Char(wanted)), Some(c)) if wanted == c => {
                at_pattern += 1;
                at_text += 1;
                continue;
            }
            _ => {}
        }
        match retry {
            Some((behind, taken)) if taken < text.len() => {
                retry = Some((behind, taken + 1));
                (at_pattern, at_text) = (behind, taken + 1);
            }
            _ => return false,
        }
    }
}

/// A name as it is compared.
pub(super) fn folded(name: &str, fold: bool) -> std::borrow::Cow<'_, str> {
    if fold {
        name.to_lowercase().into()
    } else {
        name.into()
    }
}

#[derive(Debug, PartialEq)]
enum Part {
    Any,
    One,
    Char(char),
}

fn parts(pattern: &str, fold: bool) -> Vec<Part> {
    let pattern = folded(pattern, fold);
    let mut chars = pattern.chars();
    let mut parts = Vec::new();
    while let Some(c) = chars.next() {
        parts.push(match c {
            '%' => Part::Any,
            '_' => Part::One,
            // One at the end stands for itself.
            '\\' => Part::Char(chars.next().unwrap_or(c)),
            _ => Part::Char(c),
        });
    }
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_are_those_of_like() {
        for (pattern, text, wanted) in [
            ("shop.item", "shop.item", true),
            ("shop.item", "shop.items", false),
            ("shop.%", "shop.item", true),
            ("shop.%", "shop.", true),
            ("sho%", "shop.item", true),
            ("%.item", "a.b.item", true),
            ("s_op.i%m", "stop.item", true),
            ("s\\_op.item", "stop.item", false),
            ("s\\_op.item", "s_op.item", true),
            ("a.\\%\\\\", "a.%\\", true),
            ("a.b\\", "a.b\\", true),
            ("%%_.x", ".x", false),
            ("日_.t", "日本.t", true),
            ("Shop.%", "shop.item", false),
        ] {
            assert_eq!(matches(pattern, text, false), wanted, "{pattern} {text}");
        }
        assert!(matches("Shop.I%", "sHOP.item", true));
    }

    /// The same by recursion, from the definition.
    fn by_definition(pattern: &[Part], text: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some((Part::Any, rest)) => (0..=text.len()).any(|n| by_definition(rest, &text[n..])),
            Some((Part::One, rest)) => !text.is_empty() && by_definition(rest, &text[1..]),
            Some((Part::Char(c), rest)) => {
                text.first() == Some(c) && by_definition(rest, &text[1..])
            }
        }
    }

    proptest! {
        #[test]
        fn it_is_the_definition(pattern in "[ab%_\\\\]{0,8}", text in "[ab_]{0,8}") {
            let chars: Vec<char> = text.chars().collect();
            prop_assert_eq!(matches(&pattern, &text, false), by_definition(&parts(&pattern, false), &chars));
        }
    }
}
