//! The tokeniser: SQL text to tokens, as the source's own lexer reads it.
//!
//! Comments disappear; versioned comments (`/*!50100 … */`, `/*M!100100 … */`) are entered or passed over by the
//! source's family and version. Tokens borrow from the text where nothing had to be unescaped. The lexer is lazy: a
//! caller that only wants the leading keyword reads no further, so a routine's body is never looked at.

use std::borrow::Cow;

use super::context::{Flavor, SqlContext, sql_mode};
use crate::error::{Error, ErrorKind, Result};

/// One token.
#[derive(Debug, Clone, PartialEq)]
pub enum Token<'a> {
    /// An identifier or keyword without quotes.
    Word(&'a str),
    /// An identifier in backticks, in double quotes under ANSI_QUOTES, or in brackets under MSSQL; unescaped.
    Quoted(Cow<'a, str>),
    /// A string; unescaped.
    Text(Cow<'a, str>),
    /// A number, as written.
    Number(&'a str),
    /// `b'101'` or `0b101`: the digits.
    Bits(&'a str),
    /// `x'4D'` or `0x4D`: the digits.
    Hex(&'a str),
    /// Any other character.
    Punct(char),
}

/// A token and where it stands in the text.
#[derive(Debug, Clone, PartialEq)]
pub struct Spanned<'a> {
    /// The token.
    pub token: Token<'a>,
    /// Offset of its first byte.
    pub start: usize,
    /// Offset behind its last byte.
    pub end: usize,
}

/// Reads tokens from a statement.
#[derive(Debug, Clone)]
pub struct Lexer<'a> {
    sql: &'a str,
    at: usize,
    /// Versioned comments that are open.
    open_comments: u32,
    /// Behind `identifier.` a name may start with a digit.
    after_dot: bool,
    /// The last token was a name, and this is where it ended.
    name_end: Option<usize>,
    flavor: Flavor,
    version: u32,
    ansi_quotes: bool,
    /// `[x]` is an identifier.
    bracket_quotes: bool,
    backslash_escapes: bool,
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii()
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

impl<'a> Lexer<'a> {
    /// A lexer at the start of `sql`.
    pub fn new(sql: &'a str, context: &SqlContext) -> Self {
        Self {
            sql,
            at: 0,
            open_comments: 0,
            after_dot: false,
            name_end: None,
            flavor: context.flavor,
            version: context.version,
            ansi_quotes: context.has_mode(sql_mode::ANSI_QUOTES | sql_mode::ORACLE),
            bracket_quotes: context.is_mariadb() && context.has_mode(sql_mode::MSSQL),
            backslash_escapes: !context.has_mode(sql_mode::NO_BACKSLASH_ESCAPES),
        }
    }

    /// The next token, or `None` at the end.
    ///
    /// # Errors
    /// A quote or comment that is not closed.
    pub fn next_token(&mut self) -> Result<Option<Spanned<'a>>> {
        self.skip_blank()?;
        let start = self.at;
        let rest = self.rest();
        let Some(first) = rest.chars().next() else {
            return Ok(None);
        };
        let token = match first {
            '`' => Token::Quoted(self.quoted('`', false)?),
            '[' if self.bracket_quotes => Token::Quoted(self.quoted(']', false)?),
            '"' if self.ansi_quotes => Token::Quoted(self.quoted('"', false)?),
            '\'' | '"' => Token::Text(self.quoted(first, self.backslash_escapes)?),
            c if is_name_char(c)
                || (c == '.' && !self.is_qualifier(start) && starts_fraction(rest)) =>
            {
                self.word_or_number(rest)?
            }
            c => {
                self.at += c.len_utf8();
                Token::Punct(c)
            }
        };
        self.after_dot = self.name_end.is_some() && token == Token::Punct('.');
        let is_name = matches!(token, Token::Word(_) | Token::Quoted(_));
        self.name_end = is_name.then_some(self.at);
        Ok(Some(Spanned {
            token,
            start,
            end: self.at,
        }))
    }

    /// Whether a dot at `start` belongs to a qualified name: it stands right behind a name, or behind such a dot.
    fn is_qualifier(&self, start: usize) -> bool {
        self.name_end == Some(start) || self.after_dot
    }

    fn rest(&self) -> &'a str {
        self.sql.get(self.at..).unwrap_or_default()
    }

    fn error(what: &str) -> Error {
        Error::new(
            ErrorKind::Schema,
            format!("statement cannot be read: {what}"),
        )
    }

    /// Passes over white space and comments; enters versioned comments that are meant for the source.
    fn skip_blank(&mut self) -> Result<()> {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start_matches(is_space);
            self.at += rest.len() - trimmed.len();
            if trimmed.starts_with('#') || starts_line_comment(trimmed) {
                self.at += trimmed.find('\n').unwrap_or(trimmed.len());
            } else if let Some(inside) = trimmed.strip_prefix("/*") {
                self.comment(inside)?;
            } else if self.open_comments > 0 && trimmed.starts_with("*/") {
                self.open_comments -= 1;
                self.at += 2;
            } else {
                return Ok(());
            }
        }
    }

    /// A comment whose `/*` stands at the cursor.
    fn comment(&mut self, inside: &'a str) -> Result<()> {
        let maria_only = inside
            .strip_prefix("M!")
            .filter(|_| self.flavor == Flavor::MariaDb);
        let Some(body) = maria_only.or_else(|| inside.strip_prefix('!')) else {
            let end = inside
                .find("*/")
                .ok_or_else(|| Self::error("a comment is not closed"))?;
            self.at += 2 + end + 2;
            return Ok(());
        };
        let digits = body.bytes().take(6).take_while(u8::is_ascii_digit).count();
        let digits = if digits >= 5 { digits } else { 0 };
        let (number, text) = body.split_at_checked(digits).unwrap_or(("", body));
        if self.is_for_source(number, maria_only.is_some()) {
            self.open_comments += 1;
            self.at += self.rest().len() - text.len();
            return Ok(());
        }
        self.at += self.rest().len() - text.len();
        self.skip_nested(text)
    }

    /// Whether a versioned comment is meant for the source. MariaDB passes over `/*!50700` to `/*!99999`: features of
    /// MySQL versions that it does not descend from.
    fn is_for_source(&self, number: &str, maria_only: bool) -> bool {
        let Ok(number) = number.parse::<u32>() else {
            return true;
        };
        let foreign =
            self.flavor == Flavor::MariaDb && !maria_only && (50_700..=99_999).contains(&number);
        number <= self.version && !foreign
    }

    /// Passes over a comment that may hold comments, with its end.
    fn skip_nested(&mut self, text: &str) -> Result<()> {
        let (mut depth, mut offset) = (1u32, 0);
        while depth > 0 {
            let rest = text.get(offset..).unwrap_or_default();
            let end = rest
                .find("*/")
                .ok_or_else(|| Self::error("a comment is not closed"))?;
            match rest.find("/*").filter(|open| *open < end) {
                Some(open) => {
                    depth += 1;
                    offset += open + 2;
                }
                None => {
                    depth -= 1;
                    offset += end + 2;
                }
            }
        }
        self.at += offset;
        Ok(())
    }

    /// A quoted token at the cursor; a doubled quote stands for one.
    /// Up to `quote`; what opens is of one byte, as that is.
    fn quoted(&mut self, quote: char, escapes: bool) -> Result<Cow<'a, str>> {
        let body = self.rest().get(1..).unwrap_or_default();
        let mut value: Cow<'a, str> = Cow::Borrowed("");
        let mut from = 0; // start of the part not yet in `value`
        let mut chars = body.char_indices().peekable();
        while let Some((i, c)) = chars.next() {
            let part = body.get(from..i).unwrap_or_default();
            if c == quote {
                if chars.peek().is_none_or(|(_, next)| *next != quote) {
                    self.at += 1 + i + 1;
                    push(&mut value, part);
                    return Ok(value);
                }
                chars.next();
                push(&mut value, part);
                value.to_mut().push(quote);
                from = i + 2;
            } else if c == '\\' && escapes {
                let Some((_, escaped)) = chars.next() else {
                    break;
                };
                push(&mut value, part);
                unescape(value.to_mut(), escaped);
                from = i + 1 + escaped.len_utf8();
            }
        }
        Err(Self::error("a quoted text or name is not closed"))
    }

    fn word_or_number(&mut self, rest: &'a str) -> Result<Token<'a>> {
        let len = rest.find(|c| !is_name_char(c)).unwrap_or(rest.len());
        let (word, behind) = rest.split_at_checked(len).unwrap_or((rest, ""));
        if behind.starts_with('\'') && word.len() == 1 {
            let introducer = word.as_bytes().first().map(u8::to_ascii_lowercase);
            if let Some(kind @ (b'x' | b'b' | b'n')) = introducer {
                self.at += 1;
                let text = self.quoted('\'', kind == b'n' && self.backslash_escapes)?;
                return match (kind, text) {
                    (b'x', Cow::Borrowed(digits)) => Ok(Token::Hex(digits)),
                    (b'b', Cow::Borrowed(digits)) => Ok(Token::Bits(digits)),
                    (b'n', text) => Ok(Token::Text(text)),
                    _ => Err(Self::error("a quote inside a hexadecimal or bit literal")),
                };
            }
        }
        if self.after_dot {
            self.at += len;
            return Ok(Token::Word(word));
        }
        let (token, len) = number(rest, word).unwrap_or((Token::Word(word), len));
        self.at += len;
        Ok(token)
    }
}

fn push<'a>(value: &mut Cow<'a, str>, part: &'a str) {
    if value.is_empty() && matches!(value, Cow::Borrowed(_)) {
        *value = Cow::Borrowed(part);
    } else {
        value.to_mut().push_str(part);
    }
}

fn unescape(value: &mut String, escaped: char) {
    match escaped {
        '0' => value.push('\0'),
        'b' => value.push('\x08'),
        'n' => value.push('\n'),
        'r' => value.push('\r'),
        't' => value.push('\t'),
        'Z' => value.push('\x1a'),
        // Patterns of LIKE keep their backslash.
        '%' | '_' => value.extend(['\\', escaped]),
        other => value.push(other),
    }
}

/// `--` starts a comment only before white space, a control character or the end.
fn starts_line_comment(text: &str) -> bool {
    text.strip_prefix("--").is_some_and(|rest| {
        rest.chars()
            .next()
            .is_none_or(|c| is_space(c) || c.is_control())
    })
}

fn starts_fraction(text: &str) -> bool {
    text.as_bytes().get(1).is_some_and(u8::is_ascii_digit)
}

/// The number at the start of `rest`, whose leading run of name characters is `word`; `None` when it is a name
/// (`1a`, `0xZ`): names may start with digits.
fn number<'a>(rest: &'a str, word: &'a str) -> Option<(Token<'a>, usize)> {
    if let Some(digits) = word.strip_prefix("0x")
        && !digits.is_empty()
        && digits.bytes().all(|b| b.is_ascii_hexdigit())
    {
        return Some((Token::Hex(digits), word.len()));
    }
    if let Some(digits) = word.strip_prefix("0b")
        && !digits.is_empty()
        && digits.bytes().all(|b| matches!(b, b'0' | b'1'))
    {
        return Some((Token::Bits(digits), word.len()));
    }
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(rest);
    let mut len = whole;
    let tail = rest.get(len..).unwrap_or_default();
    if let Some(fraction) = tail.strip_prefix('.') {
        len += 1 + digits(fraction);
    }
    if len == 0 || len == 1 && whole == 0 {
        return None;
    }
    let tail = rest.get(len..).unwrap_or_default();
    if let Some(exponent) = tail.strip_prefix(['e', 'E']) {
        let sign = usize::from(exponent.starts_with(['+', '-']));
        let power = digits(exponent.get(sign..).unwrap_or_default());
        if power > 0 {
            len += 1 + sign + power;
        }
    }
    let ends = rest
        .get(len..)
        .unwrap_or_default()
        .chars()
        .next()
        .is_none_or(|c| !is_name_char(c));
    // `1a` is a name; `1.5a` is a number and then a name, which no statement has.
    (ends || len > whole).then(|| rest.get(..len).map(|text| (Token::Number(text), len)))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens_of(sql: &str, context: &SqlContext) -> Vec<String> {
        let mut lexer = Lexer::new(sql, context);
        let mut all = Vec::new();
        while let Some(token) = lexer.next_token().unwrap() {
            all.push(match token.token {
                Token::Word(w) => w.to_owned(),
                Token::Quoted(q) => format!("`{q}`"),
                Token::Text(t) => format!("'{t}'"),
                Token::Number(n) => format!("#{n}"),
                Token::Bits(b) => format!("b{b}"),
                Token::Hex(x) => format!("x{x}"),
                Token::Punct(c) => c.to_string(),
            });
        }
        all
    }

    fn mysql(sql: &str) -> String {
        tokens_of(sql, &SqlContext::new(Flavor::MySql, 80_400, "")).join(" ")
    }

    fn mariadb(sql: &str) -> String {
        tokens_of(sql, &SqlContext::new(Flavor::MariaDb, 101_119, "")).join(" ")
    }

    #[test]
    fn comments_of_all_kinds() {
        assert_eq!(
            mysql("a -- x\n b # y\nc /* z */ d --\ne 1--1"),
            "a b c d e #1 - - #1"
        );
        assert_eq!(mysql("/* gh-ost */ alter /*+ hint */ table"), "alter table");
        assert_eq!(mysql("a /*!50100 b /* c */ d */ e"), "a b d e");
        assert_eq!(mysql("a /*!99999 b /* c */ d */ e"), "a e");
        assert_eq!(mysql("a /*! b*/ c"), "a b c");
        assert_eq!(mysql("a /*M! b*/ c"), "a c");
        assert_eq!(mysql("a /*!80016 NOT ENFORCED */"), "a NOT ENFORCED");
        assert_eq!(mysql("a /*!32312 IF*/ b"), "a IF b");
    }

    #[test]
    fn versioned_comments_of_mariadb() {
        assert_eq!(mariadb("a /*M!100100 b */ c"), "a b c");
        assert_eq!(mariadb("a /*M!110100 b */ c"), "a c");
        assert_eq!(mariadb("a /*!80016 b */ c"), "a c");
        assert_eq!(mariadb("a /*!100100 b */ c"), "a b c");
        assert_eq!(mariadb("a /*!50100 b */ c"), "a b c");
    }

    #[test]
    fn quotes() {
        assert_eq!(
            mysql(r"'it''s' 'a\'b' '\\' '\n' '50\%' `a``b` "),
            "'it's' 'a'b' '\\' '\n' '50\\%' `a`b`"
        );
        assert_eq!(mysql(r#""x""y" 'ä'"#), "'x\"y' 'ä'");
        let mut context = SqlContext::new(Flavor::MySql, 80_400, "");
        context.sql_mode = sql_mode::ANSI_QUOTES | sql_mode::NO_BACKSLASH_ESCAPES;
        assert_eq!(
            tokens_of(r#""x""y" 'a\' `t\`"#, &context).join(" "),
            "`x\"y` 'a\\' `t\\`"
        );
    }

    #[test]
    fn numbers_and_names() {
        assert_eq!(
            mysql("1 1.5 .5 1e10 1.5E-3 1a 1e t.1 t.2x 0x4D x'4D' b'01' 0b01"),
            "#1 #1.5 #.5 #1e10 #1.5E-3 1a 1e t . 1 t . 2x x4D x4D b01 b01"
        );
        assert_eq!(
            mysql("a$b _utf8mb4'x' N'y' таблица `a b`.`c`"),
            "a$b _utf8mb4 'x' 'y' таблица `a b` . `c`"
        );
        assert_eq!(mysql("0xZZ x b n"), "0xZZ x b n");
        // No number begins behind the dot of a name: this must not stand still.
        assert_eq!(mysql("a..0 .0"), "a . . #0 #.0");
    }

    #[test]
    fn what_is_not_closed_is_an_error() {
        let context = SqlContext::new(Flavor::MySql, 80_400, "");
        for sql in ["'a", "`a", "/* a", "a 'b\\'", "/*!99999 a", "x'4"] {
            let mut lexer = Lexer::new(sql, &context);
            let mut result = Ok(None);
            for _ in 0..4 {
                result = lexer.next_token();
                if !matches!(result, Ok(Some(_))) {
                    break;
                }
            }
            assert!(result.is_err(), "{sql}");
        }
    }
}
