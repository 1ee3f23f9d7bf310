//! The questions that read a table: which expressions give its values exactly, and how the next chunk begins.
//!
//! The session that asks has `character_set_results = NULL` (texts come in their column's charset, as in the binlog),
//! `time_zone = '+00:00'` and an empty `sql_mode`.

use std::fmt::Write as _;

use crate::schema::sqlite;
use crate::schema::table::{ColumnType, Table};

/// Reads one table, in one definition of it.
#[derive(Debug)]
pub(super) struct Select {
    /// Everything before WHERE.
    head: String,
    /// Columns that chunks are ordered by; empty when the table comes whole.
    key: Vec<usize>,
    /// The same, quoted.
    key_names: Vec<String>,
}

impl Select {
    /// For `table` of `database`, all at once where it is to come `whole`.
    pub(super) fn new(database: &str, table: &Table, whole: bool) -> Self {
        let mut head = String::from("SELECT ");
        for (at, column) in table.columns.iter().enumerate() {
            let separator = if at == 0 { "" } else { ", " };
            let name = quoted(&column.name);
            head.push_str(separator);
            // Writing into a String cannot fail.
            let _ = match &column.ty {
                // Text of a FLOAT has six digits; as DOUBLE it has all that it needs, also with (m,d).
                ColumnType::Float { .. } | ColumnType::Double { .. } => {
                    write!(head, "{name} + 0e0")
                }
                // Their numbers: labels would have to be found again.
                ColumnType::Enum { .. } | ColumnType::Set { .. } | ColumnType::Bit { .. } => {
                    write!(head, "CAST({name} AS UNSIGNED)")
                }
                _ => write!(head, "{name}"),
            };
        }
        let _ = write!(head, " FROM {}.{}", quoted(database), quoted(&table.name));
        if table.system_period.is_some() {
            head.push_str(" FOR SYSTEM_TIME ALL");
        }
        let key = if whole { Vec::new() } else { chunk_key(table) };
        let key_names = key
            .iter()
            .filter_map(|at| table.columns.get(*at))
            .map(|column| quoted(&column.name))
            .collect();
        Self {
            head,
            key,
            key_names,
        }
    }

    /// Columns whose values of a row say where the next chunk begins; empty when all rows come at once.
    pub(super) fn key(&self) -> &[usize] {
        &self.key
    }

    /// All rows, in no order.
    pub(super) fn all(&self) -> &str {
        &self.head
    }

    /// The first `rows` rows behind `after`, the key's values as literals.
    pub(super) fn chunk(&self, after: Option<&[String]>, rows: usize) -> String {
        let mut sql = self.head.clone();
        if let Some(after) = after {
            sql.push_str(" WHERE ");
            self.push_behind(&mut sql, after);
        }
        let _ = write!(sql, " ORDER BY {} LIMIT {rows}", self.key_names.join(", "));
        sql
    }

    /// Locks what the next chunk would read, or everything where there are no chunks.
    pub(super) fn lock(&self, after: Option<&[String]>, rows: usize) -> String {
        let sql = if self.key.is_empty() {
            self.all().to_owned()
        } else {
            self.chunk(after, rows)
        };
        let from = sql.find(" FROM ").unwrap_or_default();
        format!(
            "SELECT 1{} LOCK IN SHARE MODE",
            sql.get(from..).unwrap_or_default()
        )
    }

    /// `a >= 1 AND (a > 1 OR (b >= 2 AND (b > 2 ...)))`: unlike `(a, b) > (1, 2)`, both servers find the place in the index.
    fn push_behind(&self, sql: &mut String, after: &[String]) {
        let parts: Vec<_> = self.key_names.iter().zip(after).collect();
        let last = parts.len().saturating_sub(1);
        for (n, (name, value)) in parts.iter().enumerate() {
            let _ = if n == last {
                write!(sql, "{name} > {value}")
            } else {
                write!(sql, "{name} >= {value} AND ({name} > {value} OR (")
            };
        }
        sql.push_str(&"))".repeat(last));
    }
}

/// The key that chunks go by: one that the target finds rows by too, of columns whose values can be written down exactly.
fn chunk_key(table: &Table) -> Vec<usize> {
    // Past rows of a versioned table share their key with the one in force.
    if table.system_period.is_some() {
        return Vec::new();
    }
    let can_be_written = |at: &usize| {
        table.columns.get(*at).is_some_and(|column| {
            !matches!(
                column.ty,
                ColumnType::Float { .. }
                    | ColumnType::Double { .. }
                    | ColumnType::Bit { .. }
                    | ColumnType::Enum { .. }
                    | ColumnType::Set { .. }
                    | ColumnType::Json
                    | ColumnType::Geometry { .. }
                    | ColumnType::Vector { .. }
            )
        })
    };
    sqlite::lookup_keys(table)
        .into_iter()
        .find(|key| key.iter().all(can_be_written))
        .unwrap_or_default()
}

/// A value that the server gave for a column of a chunk's key, as a literal.
pub(super) fn literal(value: &[u8], ty: &ColumnType) -> String {
    let text = |prefix: &str| {
        let mut literal = format!("{prefix}X'");
        for byte in value {
            let _ = write!(literal, "{byte:02X}");
        }
        literal.push('\'');
        literal
    };
    match ty {
        ColumnType::Int { .. } | ColumnType::Decimal { .. } | ColumnType::Year => {
            // Digits, a sign and a point: the server printed them.
            String::from_utf8_lossy(value).into_owned()
        }
        ColumnType::Char { collation, .. }
        | ColumnType::VarChar { collation, .. }
        | ColumnType::Text { collation, .. } => text(&format!("_{} ", collation.charset)),
        ColumnType::Binary { .. } | ColumnType::VarBinary { .. } | ColumnType::Blob { .. } => {
            text("")
        }
        // Dates, UUIDs and addresses: plain ASCII.
        _ => text("_latin1 "),
    }
}

/// A name in backquotes.
pub(super) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::bootstrap::table_from_show_create;
    use crate::schema::collation;
    use crate::schema::ddl::{Flavor, SqlContext};

    fn table(sql: &str) -> Table {
        let context = SqlContext::new(Flavor::MariaDb, 101_100, "d");
        table_from_show_create(sql, &collation::by_id(45).unwrap(), &context).unwrap()
    }

    #[test]
    fn a_chunk_begins_behind_the_last_row() {
        let table = table(
            "CREATE TABLE `t``x` (a INT, b DATE, c VARCHAR(9), f FLOAT, PRIMARY KEY (a, b, c))",
        );
        let select = Select::new("d", &table, false);
        assert_eq!(select.key(), [0, 1, 2]);
        assert_eq!(
            select.all(),
            "SELECT `a`, `b`, `c`, `f` + 0e0 FROM `d`.`t``x`"
        );
        let after: Vec<String> = [&b"-5"[..], b"2020-01-01", b"x'"]
            .iter()
            .zip(&table.columns)
            .map(|(value, column)| literal(value, &column.ty))
            .collect();
        assert_eq!(
            after,
            ["-5", "_latin1 X'323032302D30312D3031'", "_utf8mb4 X'7827'"]
        );
        let short = ["1".to_owned(), "2".to_owned(), "3".to_owned()];
        let sql = select.chunk(Some(&short), 10);
        assert!(
            sql.ends_with(
                "WHERE `a` >= 1 AND (`a` > 1 OR (`b` >= 2 AND (`b` > 2 OR (`c` > 3)))) \
                 ORDER BY `a`, `b`, `c` LIMIT 10"
            ),
            "{sql}"
        );
    }

    #[test]
    fn a_table_without_such_a_key_comes_whole() {
        for sql in [
            "CREATE TABLE t (a INT)",
            "CREATE TABLE t (a FLOAT PRIMARY KEY)",
            "CREATE TABLE t (a INT, UNIQUE (a))",
        ] {
            assert!(
                Select::new("d", &table(sql), false).key().is_empty(),
                "{sql}"
            );
        }
        let by_unique = table("CREATE TABLE t (e ENUM('x') PRIMARY KEY, a INT NOT NULL UNIQUE)");
        assert_eq!(Select::new("d", &by_unique, false).key(), [1]);
        assert!(Select::new("d", &by_unique, true).key().is_empty());
    }
}
