//! Statements: tokens, what they say, what they do to tables, and the SQL that SQLite gets for it.

use std::sync::Arc;

use relaylite::binlog::flavor::Flavor;
use relaylite::schema::ddl::context::sql_mode;
use relaylite::schema::ddl::token::{Lexer, Spanned, Token};
use relaylite::schema::ddl::{self, SqlContext};
use relaylite::schema::effect::{self, Catalog, Change};
use relaylite::schema::sqlite;
use relaylite::schema::table::{Collation, KeyPart, Table};
use rusqlite::Connection;

/// The first byte chooses server and SQL mode; the rest is the statement.
pub fn check(data: &[u8]) {
    let Some((choice, text)) = data.split_first() else {
        return;
    };
    check_statement(&String::from_utf8_lossy(text), &context(*choice));
}

/// A session by number.
pub fn context(choice: u8) -> SqlContext {
    let (flavor, version) = match choice & 3 {
        0 => (Flavor::MySql, 80_036),
        1 => (Flavor::MySql, 90_700),
        2 => (Flavor::MariaDb, 101_114),
        _ => (Flavor::MySql, 50_744),
    };
    let mut context = SqlContext::new(flavor, version, "d");
    for (bit, mode) in [
        (4, sql_mode::ANSI_QUOTES),
        (8, sql_mode::NO_BACKSLASH_ESCAPES),
        (16, sql_mode::ORACLE),
        (32, sql_mode::STRICT_ALL_TABLES),
    ] {
        if choice & bit != 0 {
            context.sql_mode |= mode;
        }
    }
    context
}

/// A statement is read, or refused with a reason; what is made of it is SQL.
pub fn check_statement(text: &str, context: &SqlContext) {
    check_tokens(text, context);
    let _ = ddl::classify(text, context);
    let Ok(statement) = ddl::parse(text, context) else {
        return;
    };
    let databases = statement.databases("d");
    let tables = statement.tables("d");
    if !tables.is_empty() {
        assert!(statement.is_ddl());
        assert!(
            tables
                .iter()
                .all(|(database, _)| databases.iter().any(|name| name == database))
        );
    }
    let Ok(changes) = effect::effect(&statement, context, &Nothing) else {
        return;
    };
    for change in changes {
        if let Change::CreateTable { table, .. } = change {
            check_table(&table);
        }
    }
}

/// Tokens follow one another, each is in the text where it says, and between them is nothing but blanks and comments.
fn check_tokens(text: &str, context: &SqlContext) {
    let mut lexer = Lexer::new(text, context);
    let mut end = 0;
    while let Ok(Some(token)) = lexer.next_token() {
        assert!(
            token.start >= end && token.end > token.start,
            "{token:?} behind {end}"
        );
        let between = text.get(end..token.start).unwrap();
        let is_blank = |c: char| c.is_ascii_whitespace() || c == '\x0b';
        let opens = |start: &str| between.trim_start_matches(is_blank).starts_with(start);
        assert!(
            opens("") && between.trim_matches(is_blank).is_empty()
                || ["#", "--", "/*", "*/"].into_iter().any(opens),
            "{between:?} was passed over"
        );
        check_token(&token, text.get(token.start..token.end).unwrap());
        end = token.end;
    }
}

fn check_token(token: &Spanned<'_>, written: &str) {
    match &token.token {
        Token::Word(word) | Token::Number(word) => assert_eq!(*word, written),
        Token::Quoted(name) => assert!(name.len() + 2 <= written.len()),
        Token::Text(text) => assert!(text.len() + 2 <= written.len()),
        Token::Bits(digits) => assert!(written.len() >= digits.len() + 2),
        Token::Hex(digits) => assert!(written.len() >= digits.len() + 2),
        Token::Punct(c) => assert_eq!(written.chars().as_str(), c.to_string()),
    }
}

/// No tables, and no databases that say anything.
struct Nothing;

impl Catalog for Nothing {
    fn table(&self, _: &str, _: &str) -> Option<Arc<Table>> {
        None
    }

    fn database_collation(&self, _: &str) -> Option<Collation> {
        None
    }
}

/// SQLite takes the table as it is made here.
fn check_table(table: &Table) {
    let sqlite_name = sqlite::sqlite_name(&table.name);
    let create = sqlite::create_table_sql(table, &sqlite_name, sqlite::has_rowid_alias(table));
    let connection = Connection::open_in_memory().unwrap();
    let indexes = sqlite::create_indexes(table, &sqlite_name).into_iter();
    for sql in std::iter::once(create).chain(indexes.map(|step| step.sql)) {
        if let Err(error) = connection.execute_batch(&sql) {
            assert!(is_beyond_any_server(table), "{error}: {sql}");
            return;
        }
    }
}

/// What the source would have refused, so that it is in no binlog: names that are none, or that two things have.
fn is_beyond_any_server(table: &Table) -> bool {
    let columns = lower(table.columns.iter().map(|column| &column.name));
    let indexes = lower(table.indexes.iter().map(|index| &index.name));
    let own = lower(std::iter::once(&table.name));
    let is_no_name = |name: &String| name.is_empty() || name.contains('\0');
    let doubled = |names: &[String]| names.windows(2).any(|pair| pair[0] == pair[1]);
    let mut parts = table
        .primary_key
        .iter()
        .chain(table.indexes.iter().flat_map(|i| &i.parts));
    let unknown_part = parts.any(|part| match part {
        KeyPart::Column { name, .. } | KeyPart::Prefix { name, .. } => {
            !columns.contains(&name.to_lowercase())
        }
        _ => false,
    });
    doubled(&columns)
        || doubled(&indexes)
        || [&columns, &indexes, &own]
            .into_iter()
            .flatten()
            .any(is_no_name)
        || unknown_part
        || columns.is_empty()
        || columns.len() > 1000
}

fn lower<'a>(names: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut names: Vec<String> = names.map(|name| name.to_lowercase()).collect();
    names.sort_unstable();
    names
}
