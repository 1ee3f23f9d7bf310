//! Other database names in a statement's text (`replicate_rewrite_db`).
//!
//! The text is changed before it is parsed, so that everything behind sees one set of names. A name of a database stands before
//! a dot (`d.t`, not the middle of `d.t.c`) or behind CREATE, ALTER or DROP DATABASE. A table that is called as the
//! database is cannot be told from it in `t.column`, inside a CHECK or generated column; a MySQL target then refuses the
//! statement, and SQLite does not compute such expressions.

use crate::error::Result;
use crate::schema::ddl::SqlContext;
use crate::schema::ddl::token::{Lexer, Spanned, Token};

/// The statement with other names, or `None` when it names no database that has one. `name_here` gives the name of a
/// database.
pub(super) fn rewritten(
    text: &str,
    context: &SqlContext,
    name_here: impl Fn(&str) -> Result<Option<String>>,
) -> Result<Option<String>> {
    let tokens = tokens(text, context);
    let mut out = String::new();
    let mut from = 0;
    for (at, token) in tokens.iter().enumerate() {
        let Some(name) = name(token) else { continue };
        if !(qualifies(&tokens, at) || is_database_of_statement(&tokens, at)) {
            continue;
        }
        if let Some(here) = name_here(name)? {
            out.push_str(text.get(from..token.start).unwrap_or_default());
            out.push_str(&quoted(&here));
            from = token.end;
        }
    }
    if from == 0 {
        return Ok(None);
    }
    out.push_str(text.get(from..).unwrap_or_default());
    Ok(Some(out))
}

/// An identifier that means itself in every SQL mode.
pub(super) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// All tokens up to what cannot be read; the parser says what is wrong with it.
fn tokens<'a>(text: &'a str, context: &SqlContext) -> Vec<Spanned<'a>> {
    let mut lexer = Lexer::new(text, context);
    std::iter::from_fn(|| lexer.next_token().ok().flatten()).collect()
}

fn name<'a>(token: &'a Spanned<'_>) -> Option<&'a str> {
    match &token.token {
        Token::Word(word) => Some(word),
        Token::Quoted(name) => Some(name),
        _ => None,
    }
}

fn is_dot(tokens: &[Spanned<'_>], at: usize) -> bool {
    tokens
        .get(at)
        .is_some_and(|token| token.token == Token::Punct('.'))
}

/// Whether the name at `at` is the first one before a dot.
fn qualifies(tokens: &[Spanned<'_>], at: usize) -> bool {
    let is_first = at
        .checked_sub(1)
        .is_none_or(|before| !is_dot(tokens, before));
    is_first && is_dot(tokens, at + 1)
}

/// Whether the name at `at` follows CREATE, ALTER or DROP DATABASE, and IF [NOT] EXISTS.
fn is_database_of_statement(tokens: &[Spanned<'_>], at: usize) -> bool {
    let is = |at: Option<usize>, words: &[&str]| {
        let token = at.and_then(|at| tokens.get(at));
        token.is_some_and(|token| {
            matches!(token.token, Token::Word(word) if words.iter().any(|w| w.eq_ignore_ascii_case(word)))
        })
    };
    let mut before = at.checked_sub(1);
    let mut back = |words: &[&str]| {
        let found = is(before, words);
        if found {
            before = before.and_then(|at| at.checked_sub(1));
        }
        found
    };
    if back(&["EXISTS"]) {
        back(&["NOT"]);
        back(&["IF"]);
    }
    back(&["DATABASE", "SCHEMA"]) && back(&["CREATE", "ALTER", "DROP", "REPLACE"])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::ddl::{Flavor, parse};

    fn rewrite(sql: &str) -> String {
        let context = SqlContext::new(Flavor::MariaDb, 101_114, "d");
        let here = |name: &str| Ok((name == "old").then(|| "ne`w".to_owned()));
        let out = rewritten(sql, &context, here).unwrap();
        out.unwrap_or_else(|| "-".into())
    }

    #[test]
    fn names_before_a_dot_change() {
        assert_eq!(
            rewrite("DROP TABLE old.t, `old`. u, x.old, old"),
            "DROP TABLE `ne``w`.t, `ne``w`. u, x.old, old"
        );
        assert_eq!(
            rewrite(
                "CREATE TABLE t (a INT COMMENT 'old.t', FOREIGN KEY (a) REFERENCES old.p (a) /* old.x */)"
            ),
            "CREATE TABLE t (a INT COMMENT 'old.t', FOREIGN KEY (a) REFERENCES `ne``w`.p (a) /* old.x */)"
        );
        assert_eq!(
            rewrite("ALTER TABLE /*!50100 old.t */ ADD old INT"),
            "ALTER TABLE /*!50100 `ne``w`.t */ ADD old INT"
        );
        assert_eq!(rewrite("TRUNCATE t"), "-");
    }

    #[test]
    fn databases_of_database_statements_change() {
        for (sql, wanted) in [
            ("CREATE DATABASE old", "CREATE DATABASE `ne``w`"),
            (
                "create or replace schema `old` CHARSET latin1",
                "create or replace schema `ne``w` CHARSET latin1",
            ),
            (
                "CREATE DATABASE IF NOT EXISTS old",
                "CREATE DATABASE IF NOT EXISTS `ne``w`",
            ),
            (
                "DROP DATABASE IF EXISTS old",
                "DROP DATABASE IF EXISTS `ne``w`",
            ),
            (
                "ALTER DATABASE old COLLATE utf8mb4_bin",
                "ALTER DATABASE `ne``w` COLLATE utf8mb4_bin",
            ),
            ("DROP DATABASE older", "-"),
        ] {
            assert_eq!(rewrite(sql), wanted);
            let context = SqlContext::new(Flavor::MariaDb, 101_114, "d");
            parse(sql, &context).unwrap();
        }
    }
}
