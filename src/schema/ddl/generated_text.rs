//! The text of a generated column's expression: written so that it can be read without its session, and with other names of columns.

use super::context::{Flavor, SqlContext, sql_mode};
use super::token::{Lexer, Token};
use crate::error::Result;
use crate::schema::table::same_name;

/// Modes in which the same text has other tokens.
const OTHER_TOKENS: u64 =
    sql_mode::ANSI_QUOTES | sql_mode::ORACLE | sql_mode::MSSQL | sql_mode::NO_BACKSLASH_ESCAPES;
/// Modes in which the same tokens mean something else.
const OTHER_MEANING: u64 =
    sql_mode::ORACLE | sql_mode::PIPES_AS_CONCAT | sql_mode::HIGH_NOT_PRECEDENCE;
/// Around an expression that means something else than it says. No server has such a function, so nobody takes the expression for
/// one that is known.
const OF_ANOTHER_MODE: &str = "_relaylite_other_mode";

/// An expression as it would be written in a session without any `sql_mode`.
///
/// # Errors
/// Those of the lexer.
pub(super) fn without_mode(expression: &str, context: &SqlContext) -> Result<String> {
    let plain = match context.has_mode(OTHER_TOKENS) {
        true => rewritten(expression, context, &|_| None)?,
        false => expression.to_owned(),
    };
    Ok(match context.has_mode(OTHER_MEANING) {
        true => format!("{OF_ANOTHER_MODE}({plain})"),
        false => plain,
    })
}

/// The expression of a generated column with new names for columns, old and new one in pairs. `None` where it cannot be read.
pub(in crate::schema) fn with_new_names(
    expression: &str,
    flavor: Flavor,
    version: u32,
    renamed: &[(&str, &str)],
) -> Option<String> {
    let context = SqlContext::new(flavor, version, "");
    let new_name = |name: &str| {
        let pair = renamed.iter().find(|(old, _)| same_name(old, name));
        pair.map(|(_, new)| (*new).to_owned())
    };
    rewritten(expression, &context, &new_name).ok()
}

/// The same tokens, with names and strings in quotes that every session reads alike.
fn rewritten(
    expression: &str,
    context: &SqlContext,
    new_name: &dyn Fn(&str) -> Option<String>,
) -> Result<String> {
    let mut lexer = Lexer::new(expression, context);
    let mut tokens = Vec::new();
    while let Some(found) = lexer.next_token()? {
        tokens.push(found);
    }
    let mut text = String::new();
    let mut end = 0;
    for (at, found) in tokens.iter().enumerate() {
        if found.start > end {
            text.push(' ');
        }
        end = found.end;
        let next = tokens.get(at + 1);
        let is_call = next.is_some_and(|next| next.token == Token::Punct('('));
        match &found.token {
            Token::Quoted(name) => {
                let renamed = new_name(name);
                text.push_str(&in_backticks(renamed.as_deref().unwrap_or(name)));
            }
            Token::Word(word) => match new_name(word).filter(|_| !is_call) {
                Some(renamed) => text.push_str(&in_backticks(&renamed)),
                None => text.push_str(word),
            },
            Token::Text(string) => {
                let escaped = string.replace('\\', "\\\\").replace('\'', "''");
                text.push_str(&format!("'{escaped}'"));
            }
            _ => text.push_str(expression.get(found.start..found.end).unwrap_or_default()),
        }
    }
    Ok(text)
}

fn in_backticks(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without(expression: &str, mode: u64) -> String {
        let mut context = SqlContext::new(Flavor::MariaDb, 110_800, "");
        context.sql_mode = mode;
        without_mode(expression, &context).unwrap()
    }

    #[test]
    fn sessions_read_it_alike() {
        assert_eq!(without(r#""a" + 1"#, 0), r#""a" + 1"#);
        let text = without(r#"concat("a""b`",'x\n')"#, sql_mode::ANSI_QUOTES);
        assert_eq!(text, "concat(`a\"b```,'x\n')");
        let text = without(r"concat(a, '\n''')", sql_mode::NO_BACKSLASH_ESCAPES);
        assert_eq!(text, r"concat(a, '\\n''')");
        let text = without("a || b", sql_mode::PIPES_AS_CONCAT);
        assert_eq!(text, "_relaylite_other_mode(a || b)");
    }

    #[test]
    fn names_change_places() {
        let renamed = [("a", "b c"), ("B", "a"), ("left", "l")];
        let expression = "left(a, 1) + `b` - A.left + 'a'";
        let text = with_new_names(expression, Flavor::MariaDb, 110_800, &renamed);
        assert_eq!(text.unwrap(), "left(`b c`, 1) + `a` - `b c`.`l` + 'a'");
    }
}
