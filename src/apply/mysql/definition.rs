//! A table as the target itself defines it, and what follows from that for row statements.
//!
//! # Invariants
//! The definition is the target's own (`SHOW CREATE TABLE`), not the source's: generated columns are computed by the
//! target and never written, keys are those that the target can look up. Columns are in the source's order; the
//! hidden columns behind functional indexes, and those of MariaDB's keys by hash, follow them in row images and are left out.

use std::sync::Arc;

use super::connection::Connection;
use super::statement::{Finder, Slot, TableSql, quote};
use super::value;
use crate::decode::value::Value;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::check::hashed_keys;
use crate::schema::ddl::{self, Flavor, SqlContext, with_hex_literals};
use crate::schema::effect::{Catalog, Change, effect};
use crate::schema::sqlite;
use crate::schema::table::{Collation, Column, ColumnType, IndexKind, KeyPart, Table};

/// MySQL: no such table.
const ER_NO_SUCH_TABLE: u16 = 1146;
/// MySQL: unknown database.
const ER_BAD_DB: u16 = 1049;

/// A table of the target, ready for row statements.
#[derive(Debug)]
pub(super) struct Definition {
    /// What the target says.
    pub table: Arc<Table>,
    /// Its words.
    pub sql: TableSql,
    /// Positions of the columns of each usable unique key, the primary key first.
    keys: Vec<Vec<usize>>,
    /// Columns behind functional indexes, which row images may hold after the others.
    hidden_columns: usize,
    /// Whether the target deletes rows by itself when a parent's row goes.
    pub cascades_delete: bool,
    /// Whether foreign keys change rows of other tables when rows of this one change.
    pub has_acting_keys: bool,
    /// Whether it is a copy on its way: rows that are not there are still to come.
    pub is_copy: bool,
}

/// `SHOW CREATE TABLE` of a table; `None` when there is none.
pub(super) fn show_create(
    connection: &mut Connection,
    database: &str,
    table: &str,
) -> Result<Option<String>> {
    let sql = format!("SHOW CREATE TABLE {}.{}", quote(database), quote(table));
    let rows = connection.select_text::<mysql_async::Row>(&sql, "reading a table's definition");
    match rows {
        Ok(rows) => {
            let text = rows
                .into_iter()
                .next()
                .and_then(|row| row.get_opt::<Vec<u8>, _>(1));
            match text {
                Some(Ok(text)) => Ok(Some(readable(&text, &context_of(connection, database)))),
                _ => Err(
                    Error::new(ErrorKind::Schema, "the target does not show its definition")
                        .at_table(database, table),
                ),
            }
        }
        Err(error) if matches!(error.errno(), ER_NO_SUCH_TABLE | ER_BAD_DB) => Ok(None),
        Err(error) => Err(error.at_table(database, table)),
    }
}

/// Foreign keys within a database that change rows, as the target has them: parent and child.
pub(super) fn acting_keys(
    connection: &mut Connection,
    database: &str,
) -> Result<Vec<(String, String)>> {
    connection.select(
        "SELECT DISTINCT REFERENCED_TABLE_NAME, TABLE_NAME FROM information_schema.REFERENTIAL_CONSTRAINTS \
         WHERE CONSTRAINT_SCHEMA = ? AND UNIQUE_CONSTRAINT_SCHEMA = ? \
         AND (DELETE_RULE IN ('CASCADE', 'SET NULL') OR UPDATE_RULE IN ('CASCADE', 'SET NULL'))",
        vec![database.into(), database.into()],
        "reading foreign keys",
    )
}

/// What a target shows of a table. Defaults of binary columns may be printed as they are.
fn readable(text: &[u8], context: &SqlContext) -> String {
    let sql = with_hex_literals(text, context, |bytes| std::str::from_utf8(bytes).is_ok());
    String::from_utf8_lossy(sql.as_deref().unwrap_or(text)).into_owned()
}

fn context_of(connection: &Connection, database: &str) -> SqlContext {
    let flavor = if connection.server.mariadb {
        Flavor::MariaDb
    } else {
        Flavor::MySql
    };
    SqlContext {
        // All sessions that read definitions are in UTC.
        time_zone: Some("+00:00".to_owned()),
        ..SqlContext::new(flavor, connection.server.version_number, database)
    }
}

/// A table's definition; `None` when the target has no such table.
///
/// # Errors
/// `Schema` when the target's own words are not understood.
pub(super) fn read(
    connection: &mut Connection,
    database: &str,
    table: &str,
) -> Result<Option<Table>> {
    let Some(text) = show_create(connection, database, table)? else {
        return Ok(None);
    };
    let context = context_of(connection, database);
    understand(&text, &context)
        .map(Some)
        .map_err(|error| error.at_table(database, table))
}

/// The definition that a CREATE TABLE statement spells out.
pub(super) fn understand(text: &str, context: &SqlContext) -> Result<Table> {
    let statement = ddl::parse(text, context)?;
    let changes = effect(&statement, context, &NothingKnown)?;
    let mut tables = changes.into_iter().filter_map(|change| match change {
        Change::CreateTable { table, .. } => Some(table),
        _ => None,
    });
    tables.next().ok_or_else(|| {
        let what = "the target has a view or a sequence where the source has a table";
        Error::new(ErrorKind::Schema, what)
    })
}

/// A definition that names its charset needs nothing else known.
struct NothingKnown;

impl Catalog for NothingKnown {
    fn table(&self, _database: &str, _name: &str) -> Option<Arc<Table>> {
        None
    }

    fn database_collation(&self, _database: &str) -> Option<Collation> {
        None
    }
}

impl Definition {
    /// What follows from a table's definition.
    pub(super) fn new(database: &str, table: Arc<Table>) -> Self {
        let expressions = table.indexes.iter().flat_map(|index| &index.parts);
        let hidden_columns = expressions
            .filter(|p| matches!(p, KeyPart::Expression(_)))
            .count()
            + hashed_keys(&table);
        Self {
            sql: TableSql::new(database, &table.name, &table.columns),
            keys: usable_keys(&table),
            hidden_columns,
            cascades_delete: table
                .foreign_keys
                .iter()
                .any(|fk| fk.on_delete == "CASCADE"),
            has_acting_keys: false,
            is_copy: false,
            table,
        }
    }

    /// Of the shadow of a table that is read afresh; `table` has the table's name.
    pub(super) fn of_copy(database: &str, shadow: &str, table: Table) -> Self {
        let sql = TableSql::new(database, shadow, &table.columns);
        Self {
            sql,
            is_copy: true,
            ..Self::new(database, Arc::new(table))
        }
    }

    /// The key by which a row of a copy is told from others.
    pub(super) fn own_key(&self) -> Option<&[usize]> {
        self.keys.first().map(Vec::as_slice)
    }

    /// Whether an UPDATE gives a row another key.
    pub(super) fn changes_key(&self, before: &[Value<'_>], after: &[Value<'_>]) -> bool {
        let lookup = sqlite::lookup_keys(&self.table);
        let mut keys = self.keys.iter().chain(&lookup).flatten();
        keys.any(|at| {
            let now = after.get(*at).unwrap_or(&Value::Absent);
            let was = before.get(*at).unwrap_or(&Value::Absent);
            *now != Value::Absent && !value::same(was, now)
        })
    }

    /// A column by its position.
    pub(super) fn column(&self, i: usize) -> Result<&Column> {
        self.table.columns.get(i).ok_or_else(|| {
            Error::new(
                ErrorKind::Internal,
                format!("table `{}` has no column {i}", self.table.name),
            )
        })
    }

    /// Checks that an image is one of this table.
    ///
    /// # Errors
    /// `Schema` when it has another number of columns.
    pub(super) fn check_width(&self, image: &[Value<'_>]) -> Result<()> {
        let own = self.table.columns.len();
        if image.len() < own || image.len() > own + self.hidden_columns {
            return Err(Error::new(
                ErrorKind::Schema,
                format!(
                    "the source's row has {} columns, the target's table has {own}; give the target's table the \
                     source's definition",
                    image.len()
                ),
            ));
        }
        Ok(())
    }

    /// Positions of the columns of `image` that are written: present, and not computed by the target.
    pub(super) fn written(&self, image: &[Value<'_>]) -> Vec<usize> {
        let columns = self.table.columns.iter().zip(image).enumerate();
        columns
            .filter(|(_, (column, value))| column.generated.is_none() && **value != Value::Absent)
            .map(|(i, _)| i)
            .collect()
    }

    /// How to find the row that a before image shows.
    ///
    /// # Errors
    /// `Schema` when the image has neither a key's columns nor any other.
    pub(super) fn finder(&self, before: &[Value<'_>]) -> Result<Finder<'_>> {
        let usable = |key: &&Vec<usize>| {
            key.iter().all(|i| {
                before
                    .get(*i)
                    .is_some_and(|v| !matches!(v, Value::Absent | Value::Null))
            })
        };
        if let Some(key) = self.keys.iter().find(usable) {
            return Ok(Finder::Key(key));
        }
        let columns = self.written(before);
        if columns.is_empty() {
            return Err(Error::new(
                ErrorKind::Schema,
                "the row image names no column to find its row by",
            ));
        }
        Ok(Finder::Row(columns))
    }

    /// What an UPDATE sets: the columns that changed (or all that the image holds), and those that the target would
    /// touch by itself.
    pub(super) fn slots(
        &self,
        before: &[Value<'_>],
        after: &[Value<'_>],
        only_changed: bool,
    ) -> Vec<Slot> {
        let mut slots: Vec<Slot> = Vec::with_capacity(self.table.columns.len());
        for (i, column) in self.table.columns.iter().enumerate() {
            let after = after.get(i).unwrap_or(&Value::Absent);
            let unchanged = before
                .get(i)
                .is_some_and(|before| value::same(before, after));
            // ON UPDATE CURRENT_TIMESTAMP fires for a column that is not set.
            let clock = matches!(
                column.ty,
                ColumnType::Timestamp { .. } | ColumnType::DateTime { .. }
            );
            slots.push(match after {
                _ if column.generated.is_some() => Slot::Leave,
                Value::Absent if clock => Slot::Hold,
                Value::Absent => Slot::Leave,
                _ if unchanged && only_changed && clock => Slot::Hold,
                _ if unchanged && only_changed => Slot::Leave,
                _ => Slot::Set,
            });
        }
        if slots.iter().all(|slot| *slot == Slot::Leave)
            && let Some(i) = self
                .table
                .columns
                .iter()
                .position(|c| c.generated.is_none())
            && let Some(slot) = slots.get_mut(i)
        {
            // Nothing changes; the row must be there all the same.
            *slot = Slot::Hold;
        }
        slots
    }

    /// Whether an INSERT that names only these columns leaves one to the target's implicit default.
    pub(super) fn needs_implicit_default(&self, written: &[usize]) -> bool {
        if written.len() == self.table.columns.len() {
            return false;
        }
        self.table.columns.iter().enumerate().any(|(i, column)| {
            !column.nullable
                && column.default.is_none()
                && column.generated.is_none()
                && !column.auto_increment
                && !written.contains(&i)
        })
    }
}

/// The keys that name exactly one row: no NULL, no expression. A prefix is as good as the column when the whole column
/// is compared.
fn usable_keys(table: &Table) -> Vec<Vec<usize>> {
    let primary = std::iter::once(table.primary_key.as_slice());
    let unique = table.indexes.iter().filter(|i| i.kind == IndexKind::Unique);
    let candidates = primary.chain(unique.map(|index| index.parts.as_slice()));
    candidates
        .filter(|parts| !parts.is_empty())
        .filter_map(|parts| positions(table, parts))
        .collect()
}

fn positions(table: &Table, parts: &[KeyPart]) -> Option<Vec<usize>> {
    parts
        .iter()
        .map(|part| match part {
            KeyPart::Column { name, .. } | KeyPart::Prefix { name, .. } => {
                let same = |c: &Column| c.name.eq_ignore_ascii_case(name) && !c.nullable;
                table.columns.iter().position(same)
            }
            KeyPart::Expression(_) => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(text: &str) -> Definition {
        let context = SqlContext::new(Flavor::MySql, 90_704, "d");
        Definition::new("d", Arc::new(understand(text, &context).unwrap()))
    }

    #[test]
    fn rows_are_found_by_the_primary_key_then_by_a_unique_one_then_by_all_columns() {
        let keyed = definition(
            "CREATE TABLE t (a int NOT NULL, b int, c int NOT NULL, PRIMARY KEY (c), UNIQUE KEY (a)) \
             DEFAULT CHARSET=utf8mb4",
        );
        let row = [Value::Int(1), Value::Null, Value::Int(3)];
        assert_eq!(keyed.finder(&row).unwrap(), Finder::Key(&[2]));
        let minimal = [Value::Int(1), Value::Absent, Value::Absent];
        assert_eq!(keyed.finder(&minimal).unwrap(), Finder::Key(&[0]));
        let keyless =
            definition("CREATE TABLE t (a int, b int, UNIQUE KEY (a)) DEFAULT CHARSET=utf8mb4");
        let row = [Value::Int(1), Value::Null];
        assert_eq!(keyless.finder(&row).unwrap(), Finder::Row(vec![0, 1]));
        assert!(keyless.finder(&[Value::Absent, Value::Absent]).is_err());
    }

    #[test]
    fn updates_set_what_changed_and_hold_the_clocks() {
        let table = definition(
            "CREATE TABLE t (a int, b double, c timestamp NULL ON UPDATE CURRENT_TIMESTAMP, d int AS (a + 1)) \
             DEFAULT CHARSET=utf8mb4",
        );
        let clock = Value::Timestamp {
            seconds: 5,
            micros: 0,
            fsp: 0,
        };
        let before = [Value::Int(1), Value::Double(0.0), clock, Value::Int(2)];
        let after = [Value::Int(1), Value::Double(-0.0), clock, Value::Int(2)];
        use Slot::{Hold, Leave, Set};
        assert_eq!(
            table.slots(&before, &after, true),
            [Leave, Set, Hold, Leave]
        );
        assert_eq!(table.slots(&before, &after, false), [Set, Set, Set, Leave]);
        let partly = [
            Value::Absent,
            Value::Double(1.0),
            Value::Absent,
            Value::Absent,
        ];
        assert_eq!(
            table.slots(&before, &partly, true),
            [Leave, Set, Hold, Leave]
        );
        let nothing = definition("CREATE TABLE t (a int, b int) DEFAULT CHARSET=utf8mb4");
        let row = [Value::Int(1), Value::Null];
        assert_eq!(nothing.slots(&row, &row, true), [Hold, Leave]);
    }

    #[test]
    fn images_must_be_as_wide_as_the_table() {
        let table = definition("CREATE TABLE t (a int, KEY k ((a + 1))) DEFAULT CHARSET=utf8mb4");
        assert!(table.check_width(&[Value::Int(1)]).is_ok());
        assert!(
            table.check_width(&[Value::Int(1), Value::Int(2)]).is_ok(),
            "the hidden column"
        );
        assert!(table.check_width(&[]).is_err());
        assert!(
            table
                .check_width(&[Value::Null, Value::Null, Value::Null])
                .is_err()
        );
    }

    #[test]
    fn absent_columns_need_the_lenient_mode_only_without_a_default() {
        let table = definition(
            "CREATE TABLE t (a int NOT NULL AUTO_INCREMENT PRIMARY KEY, b int NOT NULL, c int NOT NULL DEFAULT 3, d int) \
             DEFAULT CHARSET=utf8mb4",
        );
        assert!(!table.needs_implicit_default(&[1]));
        assert!(table.needs_implicit_default(&[0, 2, 3]));
    }
}
