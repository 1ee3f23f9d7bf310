//! What stored rows say about an ALTER TABLE: whether only the source knows what it makes of them.

use rusqlite::Connection;

use crate::error::Result;
use crate::schema::ddl::SqlContext;
use crate::schema::ddl::context::sql_mode::NO_AUTO_VALUE_ON_ZERO;
use crate::schema::effect::ColumnOrigin;
use crate::schema::sqlite::quote_identifier;
use crate::schema::table::{Column, ColumnType, IndexKind, KeyPart, Table};

/// The rows of a table that a statement is about to change.
pub(super) struct StoredRows<'a> {
    pub(super) connection: &'a Connection,
    pub(super) table: &'a Table,
    pub(super) sqlite_name: &'a str,
    /// The statement's.
    pub(super) context: &'a SqlContext,
    /// Whether values that do not fit would have been an error.
    pub(super) strict: bool,
}

impl StoredRows<'_> {
    /// Whether a column that is AUTO_INCREMENT from now on holds what the server puts numbers in place of: NULL, and 0 but under
    /// NO_AUTO_VALUE_ON_ZERO.
    pub(super) fn lack_numbers(&self, after: &Table, origins: &[ColumnOrigin]) -> Result<bool> {
        let zero = match self.context.has_mode(NO_AUTO_VALUE_ON_ZERO) {
            true => "",
            false => " OR CAST(x AS INTEGER) = 0",
        };
        for (old, new) in self.kept(after, origins) {
            if !new.auto_increment || old.auto_increment && (!old.nullable || new.nullable) {
                continue;
            }
            if self.any(old, &format!("x IS NULL{zero}"))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A column with dates that the calendar does not have, as `2015-00-21` and `2015-02-31`, where the statement may turn them into
    /// `0000-00-00`: in a session that is not strict, a server that copies the rows does so in all columns, also in those that stay
    /// as they are. It depends on `sql_mode`, on the server, and on how the server goes about the statement.
    pub(super) fn odd_date(&self, after: &Table, origins: &[ColumnOrigin]) -> Result<Option<&str>> {
        let is_date =
            |ty: &ColumnType| matches!(ty, ColumnType::Date | ColumnType::DateTime { .. });
        let dates = self.table.columns.iter().filter(|old| is_date(&old.ty));
        let converted: Vec<&Column> = self
            .kept(after, origins)
            .filter(|(old, new)| old.ty != new.ty && is_date(&new.ty))
            .map(|(old, _)| old)
            .collect();
        for column in dates.filter(|column| !self.strict || converted.contains(column)) {
            // All zeros is a value like any other.
            let odd = "(date(substr(x, 1, 10)) IS NOT substr(x, 1, 10) OR substr(x, 1, 4) = '0000') AND trim(x, '0:-. ') <> ''";
            if self.any(column, odd)? {
                return Ok(Some(&column.name));
            }
        }
        Ok(None)
    }

    /// Whether a unique key may refuse some: one that is new, or one over values that change.
    pub(super) fn may_not_be_let_in(&self, after: &Table, origins: &[ColumnOrigin]) -> bool {
        let unique = |table: &Table| -> Vec<Vec<KeyPart>> {
            let indexes = table.indexes.iter();
            let unique = indexes.filter(|index| index.kind == IndexKind::Unique);
            let keys = std::iter::once(&table.primary_key).chain(unique.map(|index| &index.parts));
            keys.cloned().collect()
        };
        let mut kept = self.kept(after, origins);
        unique(self.table) != unique(after)
            || kept.any(|(old, new)| old.ty != new.ty || old.nullable && !new.nullable)
    }

    /// The columns that stay: as they were, and as they are.
    fn kept<'b>(
        &'b self,
        after: &'b Table,
        origins: &'b [ColumnOrigin],
    ) -> impl Iterator<Item = (&'b Column, &'b Column)> {
        let pairs = after.columns.iter().zip(origins);
        pairs.filter_map(|(new, origin)| match origin {
            ColumnOrigin::Kept { from, .. } => Some((self.table.columns.get(*from)?, new)),
            ColumnOrigin::New { .. } => None,
        })
    }

    /// Whether the condition holds for any value `x` of the column.
    fn any(&self, column: &Column, condition: &str) -> Result<bool> {
        let sql = format!(
            "SELECT 1 FROM (SELECT {} AS x FROM {}) WHERE {condition} LIMIT 1",
            quote_identifier(&column.name),
            quote_identifier(self.sqlite_name)
        );
        Ok(self.connection.prepare(&sql)?.exists([])?)
    }
}
