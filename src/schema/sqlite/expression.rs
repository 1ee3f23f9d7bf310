//! Expressions of generated columns as SQL over what SQLite has stored, for those that come out exactly as on the server.
//!
//! MariaDB 11.8 leaves generated columns out of the images of UPDATE, whatever `binlog_row_image` says. Known here are integers with
//! `+ - * DIV %`, comparisons and logic, `IF`, `CASE`, `IFNULL`, `COALESCE`, texts with `CONCAT`, `LEFT`, `SUBSTR`, `UPPER`, `LOWER`,
//! lengths, parts of dates, and a member of a JSON document. What else there is stays with the source. What depends on the row
//! (letters beyond ASCII, a number that is too large) is checked when the value is computed: [`FAILURE`] is the value then.

use super::name::{quote_identifier, quote_text};
use crate::schema::ddl::SqlContext;
use crate::schema::ddl::token::{Lexer, Token};
use crate::schema::table::{Column, ColumnType, Table, same_name};

/// An expression that SQLite cannot compute, whatever the row: the statement fails.
const FAILURE: &str = "abs(-9223372036854775807 - 1)";

/// No expression that is known here is nested deeper.
const DEPTH_MAX: u32 = 32;

/// What an expression yields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Int,
    /// Text, and whether its letters have one byte each in the column's charset, in UTF-8, or in another way.
    Text(Bytes),
    /// A DATE or DATETIME as text.
    Date,
    /// The value of the column with this number as it is.
    Column(usize),
}

/// How many bytes letters have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bytes {
    One,
    Utf8,
    Other,
}

type Sql = (String, Kind);

/// The value of the generated column `at` as SQL; `reference` gives the SQL for another column's value. `None` where only the source
/// knows it.
pub fn generated_sql(
    table: &Table,
    at: usize,
    context: &SqlContext,
    reference: &dyn Fn(usize) -> Option<String>,
) -> Option<String> {
    let column = table.columns.get(at)?;
    let expression = &column.generated.as_ref()?.expression;
    let mut lexer = Lexer::new(expression, context);
    let mut tokens = Vec::new();
    while let Some(found) = lexer.next_token().ok()? {
        tokens.push(found.token);
    }
    let mut translator = Translator {
        table,
        tokens,
        at: 0,
        depth: 0,
        reference,
    };
    let value = translator.or()?;
    (translator.at == translator.tokens.len()).then_some(())?;
    assigned(column, table, &value)
}

/// The value as the column stores it.
fn assigned(column: &Column, table: &Table, (sql, kind): &Sql) -> Option<String> {
    if let Kind::Column(from) = kind
        && table.columns.get(*from)?.ty == column.ty
    {
        return Some(sql.clone());
    }
    let (value, kind) = plain((sql.clone(), *kind), table)?;
    let good = match (&column.ty, kind) {
        (
            ColumnType::Int {
                bytes,
                unsigned,
                zerofill: false,
                ..
            },
            Kind::Int,
        ) => {
            let bits = u32::from(*bytes) * 8;
            let (low, high) = match unsigned {
                true if bits >= 64 => (0, i64::MAX),
                true => (0, (1i64 << bits) - 1),
                false if bits >= 64 => (i64::MIN, i64::MAX),
                false => (-(1i64 << (bits - 1)), (1i64 << (bits - 1)) - 1),
            };
            // The least number of 64 bits cannot be written down.
            let low = low.max(i64::MIN + 1);
            format!("typeof(v) = 'integer' AND v BETWEEN {low} AND {high}")
        }
        (ColumnType::VarChar { length, collation }, Kind::Text(_)) => {
            format!("{} AND length(v) <= {length}", text_of(&collation.charset))
        }
        (
            ColumnType::Text {
                length_bytes: 3..=4,
                collation,
            },
            Kind::Text(_),
        ) => text_of(&collation.charset),
        _ => return None,
    };
    Some(format!(
        "(SELECT CASE WHEN v IS NULL OR {good} THEN v ELSE {FAILURE} END FROM (SELECT {value} AS v))"
    ))
}

/// What a text must be that a column of this charset stores as it is.
fn text_of(charset: &str) -> String {
    let letters = match charset {
        "utf8mb4" => "",
        _ => " AND v NOT GLOB '*[^ -~]*'",
    };
    format!("typeof(v) = 'text' AND instr(v, char(0)) = 0{letters}")
}

/// A text that SQLite's functions read as the server's do: no bytes, no NUL.
fn sound(x: &str) -> String {
    format!(
        "(CASE WHEN typeof({x}) = 'blob' OR instr({x}, char(0)) > 0 THEN {FAILURE} ELSE {x} END)"
    )
}

/// A value of a column as what it is.
fn plain((sql, kind): Sql, table: &Table) -> Option<Sql> {
    let Kind::Column(at) = kind else {
        return Some((sql, kind));
    };
    let bytes = |charset: &str| match charset {
        "latin1" | "ascii" => Bytes::One,
        "utf8mb4" | "utf8mb3" => Bytes::Utf8,
        _ => Bytes::Other,
    };
    let kind = match &table.columns.get(at)?.ty {
        ColumnType::Int {
            bytes,
            unsigned,
            zerofill: false,
            ..
        } if *bytes < 8 || !unsigned => Kind::Int,
        ColumnType::Char { collation, .. }
        | ColumnType::VarChar { collation, .. }
        | ColumnType::Text { collation, .. } => Kind::Text(bytes(&collation.charset)),
        ColumnType::Date | ColumnType::DateTime { .. } => Kind::Date,
        _ => return None,
    };
    Some((sql, kind))
}

struct Translator<'a> {
    table: &'a Table,
    tokens: Vec<Token<'a>>,
    at: usize,
    depth: u32,
    reference: &'a dyn Fn(usize) -> Option<String>,
}

impl Translator<'_> {
    fn eat(&mut self, word: &str) -> bool {
        let found = matches!(self.tokens.get(self.at), Some(Token::Word(found)) if found.eq_ignore_ascii_case(word));
        self.at += usize::from(found);
        found
    }

    fn eat_punct(&mut self, punct: &str) -> bool {
        let found = punct
            .chars()
            .enumerate()
            .all(|(n, c)| self.tokens.get(self.at + n) == Some(&Token::Punct(c)));
        self.at += if found { punct.len() } else { 0 };
        found
    }

    fn int(&self, value: Sql) -> Option<String> {
        let (sql, kind) = plain(value, self.table)?;
        (kind == Kind::Int).then_some(sql)
    }

    fn text(&self, value: Sql) -> Option<(String, Bytes)> {
        match plain(value, self.table)? {
            (sql, Kind::Text(bytes)) => Some((sql, bytes)),
            _ => None,
        }
    }

    fn or(&mut self) -> Option<Sql> {
        self.depth += 1;
        (self.depth <= DEPTH_MAX).then_some(())?;
        let mut left = self.and()?;
        while self.eat("OR") {
            let right = self.and()?;
            left = (
                format!("({} OR {})", self.int(left)?, self.int(right)?),
                Kind::Int,
            );
        }
        self.depth -= 1;
        Some(left)
    }

    fn and(&mut self) -> Option<Sql> {
        let mut left = self.comparison()?;
        while self.eat("AND") || self.eat_punct("&&") {
            let right = self.comparison()?;
            left = (
                format!("({} AND {})", self.int(left)?, self.int(right)?),
                Kind::Int,
            );
        }
        Some(left)
    }

    fn comparison(&mut self) -> Option<Sql> {
        let left = self.sum()?;
        if self.eat("IS") {
            let not = if self.eat("NOT") { " NOT" } else { "" };
            self.eat("NULL").then_some(())?;
            return Some((format!("({} IS{not} NULL)", left.0), Kind::Int));
        }
        for operator in ["<>", "!=", "<=", ">=", "=", "<", ">"] {
            // `<=>` and `<<` are others.
            let other = ["<=>", "<<", ">>"].iter().any(|other| {
                let before = self.at;
                let found = self.eat_punct(other);
                self.at = before;
                found
            });
            if !other && self.eat_punct(operator) {
                let right = self.sum()?;
                let (left, right) = (self.int(left)?, self.int(right)?);
                return Some((format!("({left} {operator} {right})"), Kind::Int));
            }
        }
        Some(left)
    }

    fn sum(&mut self) -> Option<Sql> {
        let mut left = self.product()?;
        loop {
            let operator = match () {
                () if self.eat_punct("+") => '+',
                () if self.eat_punct("-") => '-',
                () => return Some(left),
            };
            let right = self.product()?;
            left = (
                format!("({} {operator} {})", self.int(left)?, self.int(right)?),
                Kind::Int,
            );
        }
    }

    fn product(&mut self) -> Option<Sql> {
        let mut left = self.unary()?;
        loop {
            let operator = match () {
                () if self.eat_punct("*") => '*',
                () if self.eat("DIV") => '/',
                () if self.eat_punct("%") || self.eat("MOD") => '%',
                () => return Some(left),
            };
            let right = self.unary()?;
            left = (
                format!("({} {operator} {})", self.int(left)?, self.int(right)?),
                Kind::Int,
            );
        }
    }

    fn unary(&mut self) -> Option<Sql> {
        if self.eat_punct("-") {
            self.depth += 1;
            (self.depth <= DEPTH_MAX).then_some(())?;
            let value = self.unary()?;
            self.depth -= 1;
            return Some((format!("(- {})", self.int(value)?), Kind::Int));
        }
        self.primary()
    }

    fn primary(&mut self) -> Option<Sql> {
        if self.eat_punct("(") {
            let value = self.or()?;
            return self.eat_punct(")").then_some(value);
        }
        if self.eat("CASE") {
            return self.case();
        }
        let token = self.tokens.get(self.at)?.clone();
        self.at += 1;
        let is_call = self.tokens.get(self.at) == Some(&Token::Punct('('));
        match token {
            Token::Number(digits) => {
                digits.parse::<i64>().ok()?;
                Some((digits.to_owned(), Kind::Int))
            }
            Token::Text(text) => {
                Some((quote_text(&text), Kind::Text(Bytes::Other))).filter(|_| text.is_ascii())
            }
            Token::Word(word)
                if word.starts_with('_')
                    && matches!(self.tokens.get(self.at), Some(Token::Text(_))) =>
            {
                self.primary()
            }
            Token::Word(word) if word.eq_ignore_ascii_case("NULL") => None,
            Token::Word(word) if is_call => self.call(&word.to_ascii_lowercase()),
            Token::Word(name) => self.column(name),
            Token::Quoted(name) => self.column(&name),
            _ => None,
        }
    }

    fn column(&self, name: &str) -> Option<Sql> {
        let mut columns = self.table.columns.iter();
        let at = columns.position(|column| same_name(&column.name, name))?;
        Some(((self.reference)(at)?, Kind::Column(at)))
    }

    /// CASE has been taken: WHEN … THEN … ELSE … END.
    fn case(&mut self) -> Option<Sql> {
        let mut sql = "CASE".to_owned();
        let mut kinds = Vec::new();
        while self.eat("WHEN") {
            let condition = self.or()?;
            self.eat("THEN").then_some(())?;
            let value = self.or()?;
            let (value, kind) = plain(value, self.table)?;
            sql.push_str(&format!(" WHEN {} THEN {value}", self.int(condition)?));
            kinds.push(kind);
        }
        if self.eat("ELSE") {
            let value = self.or()?;
            let (value, kind) = plain(value, self.table)?;
            sql.push_str(&format!(" ELSE {value}"));
            kinds.push(kind);
        }
        self.eat("END").then_some(())?;
        Some((format!("({sql} END)"), same_kind(&kinds)?))
    }

    fn arguments(&mut self) -> Option<Vec<Sql>> {
        self.eat_punct("(").then_some(())?;
        let mut all = Vec::new();
        loop {
            all.push(self.or()?);
            if !self.eat_punct(",") {
                return self.eat_punct(")").then_some(all);
            }
        }
    }

    fn call(&mut self, name: &str) -> Option<Sql> {
        if matches!(name, "json_unquote" | "json_value") {
            return self.json_member(name);
        }
        let arguments = self.arguments()?;
        let mut plain_ones = Vec::new();
        for argument in &arguments {
            plain_ones.push(plain(argument.clone(), self.table)?);
        }
        match (name, plain_ones.as_slice()) {
            ("if", [(condition, Kind::Int), (yes, one), (no, other)]) => {
                let kind = same_kind(&[*one, *other])?;
                Some((
                    format!("(CASE WHEN {condition} THEN {yes} ELSE {no} END)"),
                    kind,
                ))
            }
            ("ifnull" | "coalesce", [_, _, ..]) => {
                let kinds: Vec<Kind> = plain_ones.iter().map(|(_, kind)| *kind).collect();
                let list: Vec<&str> = plain_ones.iter().map(|(sql, _)| sql.as_str()).collect();
                Some((format!("coalesce({})", list.join(", ")), same_kind(&kinds)?))
            }
            ("abs", [(x, Kind::Int)]) => Some((format!("abs({x})"), Kind::Int)),
            ("mod", [(x, Kind::Int), (y, Kind::Int)]) => Some((format!("({x} % {y})"), Kind::Int)),
            ("concat", [_, ..]) => self.concat(arguments),
            ("upper" | "ucase" | "lower" | "lcase", [(x, Kind::Text(bytes))]) => {
                let function = if name.starts_with('u') {
                    "upper"
                } else {
                    "lower"
                };
                Some((
                    format!(
                        "(CASE WHEN {x} GLOB '*[^ -~]*' THEN {FAILURE} ELSE {function}({x}) END)"
                    ),
                    Kind::Text(*bytes),
                ))
            }
            ("char_length" | "character_length", [(x, Kind::Text(_))]) => {
                Some((format!("length({})", sound(x)), Kind::Int))
            }
            ("length" | "octet_length", [(x, Kind::Text(Bytes::Utf8))]) => {
                Some((format!("length(CAST({x} AS BLOB))"), Kind::Int))
            }
            ("length" | "octet_length", [(x, Kind::Text(Bytes::One))]) => {
                Some((format!("length({})", sound(x)), Kind::Int))
            }
            ("left", [(x, kind @ Kind::Text(_)), (n, Kind::Int)]) => {
                Some((format!("substr({}, 1, max({n}, 0))", sound(x)), *kind))
            }
            (
                "substr" | "substring" | "mid",
                [(x, kind @ Kind::Text(_)), (from, Kind::Int), rest @ ..],
            ) => {
                let is_positive = from.parse::<u32>().is_ok_and(|from| from > 0);
                let length = match rest {
                    [] => String::new(),
                    [(length, Kind::Int)] => format!(", max({length}, 0)"),
                    _ => return None,
                };
                is_positive.then(|| (format!("substr({}, {from}{length})", sound(x)), *kind))
            }
            ("year", [(x, Kind::Date)]) => Some((date_part(x, 1, 4), Kind::Int)),
            ("month", [(x, Kind::Date)]) => Some((date_part(x, 6, 2), Kind::Int)),
            ("day" | "dayofmonth", [(x, Kind::Date)]) => Some((date_part(x, 9, 2), Kind::Int)),
            _ => None,
        }
    }

    fn concat(&self, arguments: Vec<Sql>) -> Option<Sql> {
        let mut parts = Vec::new();
        for argument in arguments {
            parts.push(match plain(argument.clone(), self.table)? {
                (sql, Kind::Int) => format!("CAST({sql} AS TEXT)"),
                _ => {
                    let (sql, _) = self.text(argument)?;
                    // Bytes that are no text would become one.
                    format!("(CASE WHEN typeof({sql}) = 'blob' THEN {FAILURE} ELSE {sql} END)")
                }
            });
        }
        Some((
            format!("({})", parts.join(" || ")),
            Kind::Text(Bytes::Other),
        ))
    }

    /// `JSON_UNQUOTE(JSON_EXTRACT(document, path))`, `JSON_VALUE(document, path)`: where it is a text or a whole number.
    fn json_member(&mut self, name: &str) -> Option<Sql> {
        let unquotes = name == "json_unquote";
        if unquotes {
            self.eat_punct("(").then_some(())?;
            self.eat("JSON_EXTRACT").then_some(())?;
        }
        let arguments = self.arguments()?;
        if unquotes {
            self.eat_punct(")").then_some(())?;
        }
        let [document, path] = <[Sql; 2]>::try_from(arguments).ok()?;
        let (document, _) = self.text(document)?;
        let (path, _) = self.text(path)?;
        let name = path
            .strip_prefix("'$.")
            .and_then(|path| path.strip_suffix('\''))?;
        let is_simple = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        (is_simple && !name.is_empty()).then_some(())?;
        // A document that is not valid fails by itself, one that has the member twice is read by its first.
        Some((
            format!(
                "(CASE WHEN {document} IS NULL THEN NULL WHEN json_type({document}, {path}) IS NULL THEN NULL \
                 WHEN json_type({document}, {path}) = 'text' THEN json_extract({document}, {path}) \
                 WHEN json_type({document}, {path}) = 'integer' THEN CAST(json_extract({document}, {path}) AS TEXT) \
                 ELSE {FAILURE} END)"
            ),
            Kind::Text(Bytes::Other),
        ))
    }
}

fn same_kind(kinds: &[Kind]) -> Option<Kind> {
    let first = kinds.first()?;
    match first {
        Kind::Text(_) => {
            let texts = kinds.iter().all(|kind| matches!(kind, Kind::Text(_)));
            texts.then_some(Kind::Text(Bytes::Other))
        }
        _ => kinds.iter().all(|kind| kind == first).then_some(*first),
    }
}

fn date_part(x: &str, from: u32, length: u32) -> String {
    format!("CAST(substr({x}, {from}, {length}) AS INTEGER)")
}

/// A column's value by its name.
pub fn stored_value(table: &Table, at: usize) -> Option<String> {
    table
        .columns
        .get(at)
        .map(|column| quote_identifier(&column.name))
}
