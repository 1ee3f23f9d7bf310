//! The text of the statements that write one table.

use std::fmt::Write as _;

use crate::error::{Error, ErrorKind, Result};
use crate::schema::sqlite::{self, quote_identifier};
use crate::schema::table::Table;

/// Names of a table as SQL needs them.
#[derive(Debug)]
pub(super) struct TableSql {
    /// The table, quoted.
    pub(super) name: String,
    /// The same, not quoted.
    pub(super) plain_name: String,
    columns: Vec<String>,
    rowid: Option<&'static str>,
}

impl TableSql {
    /// Of `table`, which the file calls `sqlite_name`.
    pub(super) fn new(table: &Table, sqlite_name: &str) -> Self {
        let columns = table.columns.iter();
        Self {
            name: quote_identifier(sqlite_name),
            plain_name: sqlite_name.to_owned(),
            columns: columns
                .map(|column| quote_identifier(&column.name))
                .collect(),
            rowid: sqlite::rowid_name(table),
        }
    }

    /// Number of columns.
    pub(super) fn width(&self) -> usize {
        self.columns.len()
    }

    /// A column, quoted.
    pub(super) fn column(&self, at: usize) -> &str {
        self.columns.get(at).map_or("", String::as_str)
    }

    /// A name by which the row's own number is to be had.
    pub(super) fn rowid(&self) -> Result<&'static str> {
        self.rowid.ok_or_else(|| {
            Error::new(
                ErrorKind::Unsupported,
                "a table without a key that has columns called rowid, _rowid_ and oid cannot be changed",
            )
        })
    }

    /// INSERT of all columns.
    pub(super) fn insert(&self) -> String {
        let values: Vec<String> = (1..=self.width()).map(|n| format!("?{n}")).collect();
        self.insert_values(&values)
    }

    /// INSERT of some columns; the others get their defaults as constants.
    pub(super) fn insert_with_defaults(&self, table: &Table, columns: &[usize]) -> Result<String> {
        let value = |(n, column)| match columns.iter().position(|at| *at == n) {
            Some(parameter) => Ok(format!("?{}", parameter + 1)),
            None => sqlite::default_literal(column),
        };
        let values: Vec<String> = table
            .columns
            .iter()
            .enumerate()
            .map(value)
            .collect::<Result<_>>()?;
        Ok(self.insert_values(&values))
    }

    fn insert_values(&self, values: &[String]) -> String {
        format!(
            "INSERT INTO {} ({}) VALUES ({})",
            self.name,
            self.columns.join(", "),
            values.join(", ")
        )
    }

    /// DELETE, up to its condition.
    pub(super) fn delete(&self) -> String {
        format!("DELETE FROM {} WHERE ", self.name)
    }

    /// UPDATE of some columns, parameters from 1, up to its condition.
    pub(super) fn update(&self, changed: &[usize], more: &[String]) -> String {
        let set = |(n, at): (usize, &usize)| format!("{} = ?{}", self.column(*at), n + 1);
        let mut sets: Vec<String> = changed.iter().enumerate().map(set).collect();
        sets.extend_from_slice(more);
        format!("UPDATE {} SET {} WHERE ", self.name, sets.join(", "))
    }

    /// Equality of all columns of a key with parameters from `first` on.
    pub(super) fn push_key_condition(&self, sql: &mut String, key: &[usize], first: usize) {
        for (n, at) in key.iter().enumerate() {
            let and = if n > 0 { " AND " } else { "" };
            let _ = write!(sql, "{and}{} = ?{}", self.column(*at), first + n);
        }
    }

    /// The row that parameter `parameter` numbers.
    pub(super) fn push_rowid_condition(&self, sql: &mut String, parameter: usize) -> Result<()> {
        let _ = write!(sql, "{} = ?{parameter}", self.rowid()?);
        Ok(())
    }

    /// Columns byte for byte as parameters from `first` on, NULL-safe.
    pub(super) fn push_row_condition(
        &self,
        sql: &mut String,
        prefix: &str,
        columns: &[usize],
        first: usize,
    ) {
        for (n, at) in columns.iter().enumerate() {
            let and = if n > 0 { " AND " } else { "" };
            let _ = write!(
                sql,
                "{and}{prefix}{} COLLATE BINARY IS ?{}",
                self.column(*at),
                first + n
            );
        }
    }
}
