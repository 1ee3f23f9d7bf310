//! DELETE of one table's rows, with what foreign keys delete along.

use rusqlite::types::Value as Stored;
use rusqlite::{CachedStatement, Connection};

use super::binder::Scratch;
use super::cascade::{Cascade, returned_row};
use super::foreign_keys::{Parent, identity};
use super::row_change::Way;
use super::row_finder::hash_sql;
use super::table::{TableWriter, Written};
use crate::decode::rows::{RowImages, RowReader};
use crate::decode::value::Value;
use crate::error::{ErrorKind, Result};

/// How the rows of one event are deleted.
struct Deletion<'a> {
    way: Way,
    /// The table as a parent, when foreign keys act on its children.
    parent: Option<&'a Parent>,
    /// Whether the rows may go with a parent's, so that some may be gone already.
    may_be_gone: bool,
    /// Whether the source may log a row once more that this event deletes.
    is_noted: bool,
}

impl TableWriter {
    /// Deletes the rows of an event.
    pub(super) fn delete_rows<'a>(
        &mut self,
        connection: &Connection,
        rows: &mut RowReader<'a>,
        images: &mut RowImages<'a>,
        scratch: &mut Scratch,
        keys: &mut Option<Cascade<'_>>,
    ) -> Result<Written> {
        let mut done = 0;
        let flags = rows.flags();
        let foreign = keys.as_ref().map(|cascade| cascade.keys);
        let deletes = foreign.is_some_and(|keys| keys.deletes(&self.table.name));
        let deletion = Deletion {
            way: self.way(rows)?,
            parent: foreign.and_then(|keys| keys.acting_parent(&self.table.name, flags)),
            may_be_gone: deletes,
            is_noted: foreign.is_some_and(|keys| keys.may_come_twice(&self.table.name, flags)),
        };
        if let Some(keys) = foreign
            && let Some(parent) = keys.idle_parent(&self.table.name, flags)
        {
            keys.leave_children(connection, parent)?;
        }
        let mut statement = self.delete_statement(connection, &deletion)?;
        while rows.next(images)? {
            done += 1;
            let before = &images.before;
            let outcome = self.delete_row(connection, &mut statement, &deletion, before, scratch);
            let old = match outcome {
                Ok(old) => old,
                Err(error) if error.kind() == ErrorKind::RowMissing && self.while_copied => {
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::RowMissing && deletion.may_be_gone => {
                    if self.was_taken(connection, before, scratch, keys)? {
                        continue;
                    }
                    return Err(error);
                }
                Err(error) => return Err(error),
            };
            if let (Some(parent), Some(cascade), Some(old)) = (deletion.parent, &mut *keys, old) {
                cascade.deleted(connection, parent, &old)?;
            }
            if let (true, Some(cascade)) = (deletion.is_noted, &mut *keys)
                && let Some(hash) = self.identity_hash(connection, before, scratch)?
            {
                cascade.taken.note(connection, &self.table.name, hash)?;
            }
        }
        Ok(Written::All(done))
    }

    fn delete_statement<'c>(
        &self,
        connection: &'c Connection,
        deletion: &Deletion<'_>,
    ) -> Result<CachedStatement<'c>> {
        let mut searched = self.sql.delete();
        let sql = match &deletion.way {
            Way::Key(number, _) => self.delete_by_key(*number),
            Way::Search(_) => {
                self.sql.push_rowid_condition(&mut searched, 1)?;
                &searched
            }
        };
        Ok(match deletion.parent {
            None => connection.prepare_cached(sql)?,
            Some(parent) => {
                connection.prepare_cached(&format!("{sql} RETURNING {}", parent.list))?
            }
        })
    }

    /// Deletes one row; gives what foreign keys refer to, of a parent.
    fn delete_row(
        &mut self,
        connection: &Connection,
        statement: &mut CachedStatement<'_>,
        deletion: &Deletion<'_>,
        before: &[Value<'_>],
        scratch: &mut Scratch,
    ) -> Result<Option<Vec<Stored>>> {
        match &deletion.way {
            Way::Key(_, key) => self.bind_columns(statement, 1, key, before, scratch)?,
            Way::Search(columns) => {
                let row = self.search(connection, "delete", columns, before, scratch)?;
                statement.raw_bind_parameter(1, row)?;
            }
        }
        if deletion.parent.is_some() {
            let old = returned_row(statement).map_err(|error| self.at_row(error, before))?;
            return match old {
                Some(old) => Ok(Some(old)),
                None => Err(self.missing("delete", before)),
            };
        }
        let changed = statement
            .raw_execute()
            .map_err(|error| self.at_row(error.into(), before))?;
        match changed {
            1 => Ok(None),
            _ => Err(self.missing("delete", before)),
        }
    }

    /// Whether a foreign key deleted this row in the same statement.
    fn was_taken(
        &self,
        connection: &Connection,
        before: &[Value<'_>],
        scratch: &mut Scratch,
        keys: &Option<Cascade<'_>>,
    ) -> Result<bool> {
        let hash = self.identity_hash(connection, before, scratch)?;
        match (keys, hash) {
            (Some(cascade), Some(hash)) => cascade.taken.take(connection, &self.table.name, hash),
            _ => Ok(false),
        }
    }

    /// The hash by which a deleted row is noted; `None` when the image does not hold what it is made of.
    fn identity_hash(
        &self,
        connection: &Connection,
        before: &[Value<'_>],
        scratch: &mut Scratch,
    ) -> Result<Option<i64>> {
        let columns = identity(&self.table);
        let is_absent = |at: &usize| matches!(before.get(*at), None | Some(Value::Absent));
        if columns.iter().any(is_absent) {
            return Ok(None);
        }
        let marks: Vec<String> = (1..=columns.len()).map(|n| format!("?{n}")).collect();
        let sql = format!("SELECT {}", hash_sql(marks.iter().map(String::as_str)));
        let mut statement = connection.prepare_cached(&sql)?;
        self.bind_columns(&mut statement, 1, &columns, before, scratch)?;
        let mut rows = statement.raw_query();
        Ok(rows.next()?.map(|row| row.get(0)).transpose()?)
    }
}
