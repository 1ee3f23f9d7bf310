//! The text of row statements: pure functions of a table's definition and of which columns take part.
//!
//! # Invariants
//! No value stands in the text. Placeholders come in the order of the columns, SET before WHERE, row after row. A
//! text is a function of its [`Shape`], so that the prepared statements of a table are few.

use std::fmt::Write as _;

use crate::schema::table::{Column, ColumnType};

/// How the columns of a table are written in statements.
#[derive(Debug)]
pub(super) struct TableSql {
    /// `` `database`.`table` ``.
    pub name: String,
    /// One for each column of the table.
    pub columns: Vec<ColumnSql>,
}

/// How one column is written.
#[derive(Debug)]
pub(super) struct ColumnSql {
    /// The quoted name.
    pub name: String,
    /// Its placeholder where a value is stored.
    value: &'static str,
    /// Its placeholder behind `=`: of the column's own type and collation, so that a key is used.
    key: String,
    /// Its placeholder behind `<=>`: compared exactly, text by its bytes.
    exact: String,
}

/// What an UPDATE does with a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Slot {
    /// Not named.
    Leave,
    /// Set to a parameter.
    Set,
    /// Set to itself: keeps ON UPDATE CURRENT_TIMESTAMP from firing.
    Hold,
}

/// How a statement finds its one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Finder<'k> {
    /// By the columns of a unique key without NULLs.
    Key(&'k [usize]),
    /// By all these columns, NULL-safe, the first that fits.
    Row(Vec<usize>),
}

impl Finder<'_> {
    /// The columns compared, in the order of their placeholders.
    pub(super) fn columns(&self) -> &[usize] {
        match self {
            Self::Key(columns) => columns,
            Self::Row(columns) => columns,
        }
    }
}

/// A name in backticks.
pub(super) fn quote(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

impl ColumnSql {
    fn new(column: &Column) -> Self {
        let (value, key, exact) = match &column.ty {
            ColumnType::Char { collation, .. }
            | ColumnType::VarChar { collation, .. }
            | ColumnType::Text { collation, .. } => {
                let key = format!(
                    "CONVERT(? USING {}) COLLATE {}",
                    collation.charset, collation.name
                );
                ("?", key, "?".to_owned())
            }
            // Compared with a string, a DECIMAL would be compared as a double.
            ColumnType::Decimal {
                precision, scale, ..
            } => {
                let cast = format!("CAST(? AS DECIMAL({precision},{scale}))");
                ("?", cast.clone(), cast)
            }
            ColumnType::Json => {
                let cast = "CAST(CONVERT(? USING utf8mb4) AS JSON)".to_owned();
                ("CONVERT(? USING utf8mb4)", cast.clone(), cast)
            }
            _ => ("?", "?".to_owned(), "?".to_owned()),
        };
        Self {
            name: quote(&column.name),
            value,
            key,
            exact,
        }
    }
}

impl TableSql {
    /// The words for a table.
    pub(super) fn new(database: &str, table: &str, columns: &[Column]) -> Self {
        Self {
            name: format!("{}.{}", quote(database), quote(table)),
            columns: columns.iter().map(ColumnSql::new).collect(),
        }
    }

    fn pick(&self, columns: &[usize]) -> impl Iterator<Item = &ColumnSql> {
        columns.iter().filter_map(|i| self.columns.get(*i))
    }

    /// INSERT of `rows` rows that name these columns.
    pub(super) fn insert(&self, columns: &[usize], rows: usize) -> String {
        let mut sql = format!("INSERT INTO {} (", self.name);
        join(&mut sql, ", ", self.pick(columns), |sql, column| {
            sql.push_str(&column.name)
        });
        sql.push_str(") VALUES ");
        let mut row = String::from("(");
        join(&mut row, ",", self.pick(columns), |row, column| {
            row.push_str(column.value)
        });
        row.push(')');
        join(
            &mut sql,
            ",",
            std::iter::repeat_n(&row, rows),
            |sql, row| sql.push_str(row),
        );
        sql
    }

    /// DELETE of `rows` rows by a unique key.
    pub(super) fn delete_by_key(&self, key: &[usize], rows: usize) -> String {
        let mut sql = format!("DELETE FROM {} WHERE ", self.name);
        if let ([only], true) = (key, rows > 1)
            && let Some(column) = self.columns.get(*only)
        {
            let _ = write!(sql, "{} IN (", column.name);
            let placeholders = std::iter::repeat_n(column.key.as_str(), rows);
            join(&mut sql, ",", placeholders, |sql, placeholder| {
                sql.push_str(placeholder)
            });
            sql.push(')');
            return sql;
        }
        let mut row = String::from("(");
        self.write_key(&mut row, key);
        row.push(')');
        join(
            &mut sql,
            " OR ",
            std::iter::repeat_n(&row, rows),
            |sql, row| sql.push_str(row),
        );
        sql
    }

    /// DELETE of the row with exactly this key, found by the index and compared by its bytes; the key's values come twice.
    pub(super) fn delete_exactly(&self, key: &[usize]) -> String {
        let mut sql = format!("DELETE FROM {} WHERE ", self.name);
        self.write_key(&mut sql, key);
        sql.push_str(" AND ");
        join(&mut sql, " AND ", self.pick(key), |sql, column| {
            let _ = write!(sql, "{} <=> {}", column.name, column.exact);
        });
        sql
    }

    /// DELETE of one row.
    pub(super) fn delete_one(&self, finder: &Finder<'_>) -> String {
        let mut sql = format!("DELETE FROM {} WHERE ", self.name);
        self.write_finder(&mut sql, finder);
        sql
    }

    /// UPDATE of one row; one slot for each column.
    pub(super) fn update_one(&self, slots: &[Slot], finder: &Finder<'_>) -> String {
        let mut sql = format!("UPDATE {} SET ", self.name);
        let set = self
            .columns
            .iter()
            .zip(slots)
            .filter(|(_, slot)| **slot != Slot::Leave);
        join(&mut sql, ", ", set, |sql, (column, slot)| {
            let value = if *slot == Slot::Set {
                column.value
            } else {
                &column.name
            };
            let _ = write!(sql, "{} = {value}", column.name);
        });
        sql.push_str(" WHERE ");
        self.write_finder(&mut sql, finder);
        sql
    }

    fn write_finder(&self, sql: &mut String, finder: &Finder<'_>) {
        match finder {
            Finder::Key(key) => self.write_key(sql, key),
            Finder::Row(columns) => {
                join(sql, " AND ", self.pick(columns), |sql, column| {
                    let _ = write!(sql, "{} <=> {}", column.name, column.exact);
                });
                sql.push_str(" LIMIT 1");
            }
        }
    }

    fn write_key(&self, sql: &mut String, key: &[usize]) {
        join(sql, " AND ", self.pick(key), |sql, column| {
            let _ = write!(sql, "{} = {}", column.name, column.key);
        });
    }
}

/// Writes items with a separator between them.
fn join<T>(
    sql: &mut String,
    separator: &str,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut String, T),
) {
    for (i, item) in items.into_iter().enumerate() {
        if i > 0 {
            sql.push_str(separator);
        }
        write(sql, item);
    }
}

#[cfg(test)]
mod tests {
    use super::super::definition::understand;
    use super::*;
    use crate::schema::ddl::{Flavor, SqlContext};

    fn table(text: &str) -> TableSql {
        let context = SqlContext::new(Flavor::MySql, 90_704, "d");
        let table = understand(text, &context).unwrap();
        TableSql::new("d", &table.name, &table.columns)
    }

    fn shop() -> TableSql {
        table(
            "CREATE TABLE `o``rders` (id int NOT NULL, name varchar(9), sum decimal(10,2), doc json, PRIMARY KEY (id)) \
             DEFAULT CHARSET=latin1 COLLATE=latin1_bin",
        )
    }

    #[test]
    fn rows_of_an_insert_repeat_the_placeholders() {
        assert_eq!(
            shop().insert(&[0, 3], 2),
            "INSERT INTO `d`.`o``rders` (`id`, `doc`) VALUES (?,CONVERT(? USING utf8mb4)),(?,CONVERT(? USING utf8mb4))"
        );
        assert_eq!(
            shop().insert(&[], 1),
            "INSERT INTO `d`.`o``rders` () VALUES ()"
        );
    }

    #[test]
    fn deletes_by_one_column_use_in() {
        assert_eq!(
            shop().delete_by_key(&[0], 3),
            "DELETE FROM `d`.`o``rders` WHERE `id` IN (?,?,?)"
        );
        assert_eq!(
            shop().delete_by_key(&[0], 1),
            "DELETE FROM `d`.`o``rders` WHERE (`id` = ?)"
        );
        assert_eq!(
            shop().delete_by_key(&[0, 1], 2),
            "DELETE FROM `d`.`o``rders` WHERE (`id` = ? AND `name` = CONVERT(? USING latin1) COLLATE latin1_bin) OR \
             (`id` = ? AND `name` = CONVERT(? USING latin1) COLLATE latin1_bin)"
        );
    }

    #[test]
    fn a_row_without_a_key_is_compared_exactly() {
        assert_eq!(
            shop().delete_one(&Finder::Row(vec![1, 2])),
            "DELETE FROM `d`.`o``rders` WHERE `name` <=> ? AND `sum` <=> CAST(? AS DECIMAL(10,2)) LIMIT 1"
        );
    }

    #[test]
    fn updates_set_and_hold() {
        let slots = [Slot::Leave, Slot::Set, Slot::Hold, Slot::Leave];
        assert_eq!(
            shop().update_one(&slots, &Finder::Key(&[0])),
            "UPDATE `d`.`o``rders` SET `name` = ?, `sum` = `sum` WHERE `id` = ?"
        );
    }
}
