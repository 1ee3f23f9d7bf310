//! A cursor over the tokens of one statement, with the small words of a recursive-descent parser.
//!
//! Keywords match words without quotes only, in any case. Where the grammar wants a name, any word will do: the
//! source has accepted the statement, so a reserved word cannot stand there by mistake.

use super::context::SqlContext;
use super::statement::TableName;
use super::token::{Lexer, Spanned, Token};
use crate::error::{Error, ErrorKind, Result};

/// Reads one statement. All methods named `eat` take the token when it is the one asked for, and say whether it was.
pub(super) struct Cursor<'a> {
    sql: &'a str,
    tokens: Vec<Spanned<'a>>,
    at: usize,
    pub(super) context: &'a SqlContext,
}

impl<'a> Cursor<'a> {
    /// Reads all tokens of a statement. A trailing `;` is left out.
    pub(super) fn new(sql: &'a str, context: &'a SqlContext) -> Result<Self> {
        let mut lexer = Lexer::new(sql, context);
        let mut tokens = Vec::new();
        while let Some(token) = lexer.next_token()? {
            tokens.push(token);
        }
        while tokens
            .last()
            .is_some_and(|last| last.token == Token::Punct(';'))
        {
            tokens.pop();
        }
        Ok(Self {
            sql,
            tokens,
            at: 0,
            context,
        })
    }

    pub(super) fn peek(&self) -> Option<&Token<'a>> {
        self.peek_at(0)
    }

    pub(super) fn peek_at(&self, ahead: usize) -> Option<&Token<'a>> {
        self.tokens
            .get(self.at + ahead)
            .map(|spanned| &spanned.token)
    }

    pub(super) fn is_end(&self) -> bool {
        self.at >= self.tokens.len()
    }

    /// Where the cursor stands, for [`Cursor::rewind`].
    pub(super) fn mark(&self) -> usize {
        self.at
    }

    pub(super) fn rewind(&mut self, mark: usize) {
        self.at = mark;
    }

    pub(super) fn advance(&mut self) {
        self.at += 1;
    }

    /// The source text between two marks.
    pub(super) fn text_between(&self, from: usize, to: usize) -> &'a str {
        let start = self.tokens.get(from).map_or(0, |first| first.start);
        let end = to
            .checked_sub(1)
            .and_then(|last| self.tokens.get(last))
            .map_or(start, |last| last.end);
        self.sql.get(start..end).unwrap_or_default()
    }

    pub(super) fn error(&self, wanted: &str) -> Error {
        let near: String = match self.tokens.get(self.at) {
            Some(spanned) => {
                let rest = self.sql.get(spanned.start..).unwrap_or_default();
                format!("near '{}'", rest.chars().take(40).collect::<String>())
            }
            None => "at the end".to_owned(),
        };
        Error::new(
            ErrorKind::Schema,
            format!("statement not understood: {wanted} wanted {near}"),
        )
    }

    /// Whether the token `ahead` of the cursor is this keyword.
    pub(super) fn is_word_at(&self, ahead: usize, word: &str) -> bool {
        matches!(self.peek_at(ahead), Some(Token::Word(w)) if w.eq_ignore_ascii_case(word))
    }

    pub(super) fn is_word(&self, word: &str) -> bool {
        self.is_word_at(0, word)
    }

    pub(super) fn is_punct_at(&self, ahead: usize, c: char) -> bool {
        self.peek_at(ahead) == Some(&Token::Punct(c))
    }

    pub(super) fn is_punct(&self, c: char) -> bool {
        self.is_punct_at(0, c)
    }

    /// Whether the token `ahead` of the cursor is a string.
    pub(super) fn is_text_at(&self, ahead: usize) -> bool {
        matches!(self.peek_at(ahead), Some(Token::Text(_)))
    }

    /// Takes all of these keywords, or none.
    pub(super) fn eat_words(&mut self, words: &[&str]) -> bool {
        let all = words
            .iter()
            .enumerate()
            .all(|(i, word)| self.is_word_at(i, word));
        if all {
            self.at += words.len();
        }
        all
    }

    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        self.eat_words(&[word])
    }

    /// Takes one of these keywords.
    pub(super) fn eat_any<'k>(&mut self, words: &[&'k str]) -> Option<&'k str> {
        words.iter().copied().find(|word| self.eat_word(word))
    }

    pub(super) fn eat_punct(&mut self, c: char) -> bool {
        let is = self.is_punct(c);
        if is {
            self.at += 1;
        }
        is
    }

    pub(super) fn expect_word(&mut self, word: &str) -> Result<()> {
        if self.eat_word(word) {
            Ok(())
        } else {
            Err(self.error(word))
        }
    }

    pub(super) fn expect_punct(&mut self, c: char) -> Result<()> {
        if self.eat_punct(c) {
            Ok(())
        } else {
            Err(self.error(&format!("'{c}'")))
        }
    }

    pub(super) fn eat_if_exists(&mut self) -> bool {
        self.eat_words(&["IF", "EXISTS"])
    }

    pub(super) fn eat_if_not_exists(&mut self) -> bool {
        self.eat_words(&["IF", "NOT", "EXISTS"])
    }

    /// A name: a quoted identifier or any word.
    pub(super) fn name(&mut self) -> Result<String> {
        match self.eat_name() {
            Some(name) => Ok(name),
            None => Err(self.error("a name")),
        }
    }

    pub(super) fn eat_name(&mut self) -> Option<String> {
        let name = match self.peek()? {
            Token::Word(word) => (*word).to_owned(),
            Token::Quoted(name) => name.clone().into_owned(),
            _ => return None,
        };
        self.at += 1;
        Some(self.kept_name(name))
    }

    /// A name as the server keeps it. Names are utf8mb3: MariaDB refuses what that lacks, MySQL makes a `?` of it.
    fn kept_name(&self, name: String) -> String {
        let is_lacking = |c: char| u32::from(c) > 0xffff;
        match !self.context.is_mariadb() && name.contains(is_lacking) {
            true => name.replace(is_lacking, "?"),
            false => name,
        }
    }

    /// `table`, `database.table` or `.table`.
    pub(super) fn table_name(&mut self) -> Result<TableName> {
        if self.eat_punct('.') {
            return Ok(TableName {
                database: None,
                name: self.name()?,
            });
        }
        let first = self.name()?;
        if !self.eat_punct('.') {
            return Ok(TableName {
                database: None,
                name: first,
            });
        }
        Ok(TableName {
            database: Some(first),
            name: self.name()?,
        })
    }

    /// A column, with table and database in front or not; the column's name alone.
    pub(super) fn column_name(&mut self) -> Result<String> {
        let mut name = self.name()?;
        while self.eat_punct('.') {
            name = self.name()?;
        }
        Ok(name)
    }

    /// Names in parentheses.
    pub(super) fn name_list(&mut self) -> Result<Vec<String>> {
        self.expect_punct('(')?;
        let mut names = Vec::new();
        loop {
            names.push(self.column_name()?);
            if !self.eat_punct(',') {
                break;
            }
        }
        self.expect_punct(')')?;
        Ok(names)
    }

    /// A string, of several parts maybe (`'a' 'b'`), with a charset introducer or not.
    pub(super) fn eat_text(&mut self) -> Option<String> {
        if matches!(self.peek(), Some(Token::Word(word)) if word.starts_with('_'))
            && matches!(self.peek_at(1), Some(Token::Text(_)))
        {
            self.at += 1;
        }
        let mut text: Option<String> = None;
        while let Some(Token::Text(part)) = self.peek() {
            text.get_or_insert_default().push_str(part);
            self.at += 1;
        }
        text
    }

    /// A whole number. Servers read `DECIMAL(19.5)` up to the point, and so does this.
    pub(super) fn number(&mut self) -> Result<u32> {
        let Some(Token::Number(digits)) = self.peek() else {
            return Err(self.error("a number"));
        };
        let whole = digits.split_once('.').map_or(*digits, |(whole, _)| whole);
        let value = whole.parse().map_err(|_| self.error("a whole number"))?;
        self.at += 1;
        Ok(value)
    }

    /// A whole number in parentheses, where there is one.
    pub(super) fn eat_parenthesised_number(&mut self) -> Result<Option<u32>> {
        if !self.is_punct('(') || !matches!(self.peek_at(1), Some(Token::Number(_))) {
            return Ok(None);
        }
        self.at += 1;
        let number = self.number()?;
        self.expect_punct(')')?;
        Ok(Some(number))
    }

    /// Passes over a balanced `( … )`; returns what stands between the parentheses.
    pub(super) fn parenthesised(&mut self) -> Result<&'a str> {
        self.expect_punct('(')?;
        let from = self.at;
        let mut depth = 1u32;
        while depth > 0 {
            match self.peek() {
                Some(Token::Punct('(')) => depth += 1,
                Some(Token::Punct(')')) => depth -= 1,
                Some(_) => {}
                None => return Err(self.error("')'")),
            }
            self.at += 1;
        }
        Ok(self.text_between(from, self.at - 1))
    }

    /// Passes over the value of an option: one token, or a balanced `( … )`.
    pub(super) fn skip_value(&mut self) -> Result<()> {
        self.eat_punct('=');
        if self.is_punct('(') {
            self.parenthesised()?;
            return Ok(());
        }
        if self.eat_text().is_some() {
            return Ok(());
        }
        self.eat_punct('-');
        if self.is_end() {
            return Err(self.error("a value"));
        }
        self.at += 1;
        Ok(())
    }

    /// Passes over tokens up to a comma outside parentheses, or the end; the comma stays.
    pub(super) fn skip_to_comma(&mut self) -> Result<()> {
        while let Some(token) = self.peek() {
            match token {
                Token::Punct(',') => return Ok(()),
                Token::Punct('(') => {
                    self.parenthesised()?;
                }
                _ => self.at += 1,
            }
        }
        Ok(())
    }

    /// The statement must end here.
    pub(super) fn expect_end(&self) -> Result<()> {
        if self.is_end() {
            Ok(())
        } else {
            Err(self.error("the end"))
        }
    }
}
