//! UPDATE of one table's rows, with what foreign keys change along.

use rusqlite::types::{Value as Stored, ValueRef};
use rusqlite::{CachedStatement, Connection};

use super::binder::{Bound, Scratch};
use super::cascade::{Cascade, note_spellings, returned_row};
use super::foreign_keys::Parent;
use super::generated::unknown;
use super::link_sql::returning;
use super::row_change::{Returns, Shape, Way, changed_columns, shape_of};
use super::table::{TableWriter, Written, rewind, spelled_keys};
use crate::config::limits::SQLITE_UPDATE_SHAPES_MAX;
use crate::decode::json_diff::JsonDiffs;
use crate::decode::rows::{RowImages, RowReader};
use crate::decode::value::Value;
use crate::decode::{json, json_patch};
use crate::error::{Error, ErrorKind, Result};

/// What one row's UPDATE does.
struct Change<'a> {
    /// The columns that it sets.
    columns: &'a [usize],
    /// Generated columns that follow, and are not in the image.
    computed: &'a [usize],
    /// How the row is found.
    way: &'a Way,
    /// The table as a parent, when foreign keys act on its children.
    parent: Option<&'a Parent>,
    /// What is given back.
    returns: Returns,
}

/// What became of a row that foreign keys are about: of a parent, the values that they refer to, before and after. Behind the
/// latter is the row's number where it is asked for.
type Moved = (Vec<Stored>, Vec<Stored>);

impl TableWriter {
    /// Updates the rows of an event.
    pub(super) fn update_rows<'a>(
        &mut self,
        connection: &Connection,
        rows: &mut RowReader<'a>,
        images: &mut RowImages<'a>,
        scratch: &mut Scratch,
        keys: &mut Option<Cascade<'_>>,
    ) -> Result<Written> {
        let mut done = 0;
        let mut mark = self.mark(rows);
        let foreign = keys.as_ref().map(|cascade| cascade.keys);
        let parent = foreign.and_then(|keys| keys.acting_parent(&self.table.name, rows.flags()));
        let idle = foreign.and_then(|keys| keys.idle_parent(&self.table.name, rows.flags()));
        let spelled = spelled_keys(connection, &self.table.name, rows, keys)?;
        let mut prepared: Option<(Shape, CachedStatement<'_>)> = None;
        let (mut changed, mut computed, mut shape) = (Vec::new(), Vec::new(), Shape::new());
        let mut written = Vec::new();
        let way = self.way(rows)?;
        while rows.next(images)? {
            if self.key_is_too_large(&images.after) {
                return Ok(rewind(rows, mark, done));
            }
            changed_columns(images, self.binders.len(), &mut changed);
            if !changed.is_empty() {
                self.generated
                    .missing(&images.after, &changed, &mut computed);
                written.clear();
                written.extend(changed.iter().chain(&computed));
                let parent = parent.filter(|parent| parent.is_referenced(&written));
                let mut spelled = spelled.iter().flat_map(|key| &key.child_columns);
                let returns = Returns {
                    referenced: parent.is_some(),
                    rowid: spelled.any(|at| written.contains(at)),
                };
                let change = Change {
                    columns: &changed,
                    computed: &computed,
                    way: &way,
                    parent,
                    returns,
                };
                shape_of(&changed, &way, self.binders.len(), returns, &mut shape);
                shape.extend(computed.iter().map(|at| *at as u64));
                if let (Some(keys), Some(parent)) = (foreign, change.parent) {
                    keys.before_update(connection, parent, &written)?;
                }
                if prepared.as_ref().is_none_or(|(known, _)| *known != shape) {
                    let sql = self.update_sql(&shape, &change)?;
                    prepared = Some((shape.clone(), connection.prepare_cached(sql)?));
                }
                if let Some((_, statement)) = &mut prepared {
                    let updated = self.update_row(connection, statement, &change, images, scratch);
                    let moved = match updated {
                        Err(error)
                            if self.while_copied
                                && computed.is_empty()
                                && error.kind() == ErrorKind::RowMissing =>
                        {
                            self.update_ahead(connection, &changed, images, scratch, error)?;
                            None
                        }
                        updated => updated?,
                    };
                    if let (Some(cascade), Some((old, new))) = (&mut *keys, moved) {
                        let name = &self.table.name;
                        note_spellings(connection, cascade.keys, name, &written, &new)?;
                        if let Some(parent) = change.parent {
                            cascade.updated(connection, parent, &old, &new)?;
                        }
                    }
                    if let (Some(keys), Some(parent)) = (foreign, idle)
                        && parent.is_referenced(&written)
                    {
                        keys.leave_children(connection, parent)?;
                    }
                }
            }
            done += 1;
            mark = self.mark(rows);
        }
        Ok(Written::All(done))
    }

    fn update_row(
        &mut self,
        connection: &Connection,
        statement: &mut CachedStatement<'_>,
        change: &Change<'_>,
        images: &RowImages<'_>,
        scratch: &mut Scratch,
    ) -> Result<Option<Moved>> {
        let first = change.columns.len() + 1;
        let row = match change.way {
            Way::Key(_, key) => {
                self.bind_columns(statement, first, key, &images.before, scratch)?;
                None
            }
            Way::Search(columns) => {
                let row = self.search(connection, "update", columns, &images.before, scratch)?;
                statement.raw_bind_parameter(first, row)?;
                Some(row)
            }
        };
        for (n, at) in change.columns.iter().enumerate() {
            if let Some(Value::JsonDiff(_)) = images.after.get(*at) {
                let document = self.patched(connection, *at, change.way, row, images, scratch)?;
                statement.raw_bind_parameter(n + 1, Bound(ValueRef::Text(&document)))?;
            } else {
                self.bind_columns(statement, n + 1, &[*at], &images.after, scratch)?;
            }
        }
        if change.returns.referenced || change.returns.rowid {
            let old = match change.parent {
                Some(parent) => {
                    self.stored(connection, &parent.list, change.way, row, images, scratch)?
                }
                None => Vec::new(),
            };
            return match returned_row(statement)
                .map_err(|error| self.at_row(error, &images.after))?
            {
                Some(new) => Ok(Some((old, new))),
                None => Err(self.missing("update", &images.before)),
            };
        }
        let count = statement.raw_execute().map_err(|error| {
            let error = self.at_row(error.into(), &images.after);
            let first = change
                .computed
                .first()
                .and_then(|at| self.table.columns.get(*at));
            match first {
                Some(column) if error.kind() == ErrorKind::Refused => {
                    unknown(&column.name).with_source(error)
                }
                _ => error,
            }
        })?;
        match count {
            1 => Ok(None),
            _ => Err(self.missing("update", &images.before)),
        }
    }

    /// The text of a JSON document behind its partial update.
    fn patched(
        &self,
        connection: &Connection,
        at: usize,
        way: &Way,
        row: Option<i64>,
        images: &RowImages<'_>,
        scratch: &mut Scratch,
    ) -> Result<Vec<u8>> {
        let Some(Value::JsonDiff(diffs)) = images.after.get(at) else {
            return Err(Error::new(ErrorKind::Internal, "no partial update"));
        };
        let mut document = Vec::new();
        if let Some(Value::Json(before)) = images.before.get(at) {
            json::push_text(&mut document, before)?;
        } else {
            let list = self.sql.column(at);
            let stored = self.stored(connection, list, way, row, images, scratch)?;
            match stored.into_iter().next() {
                Some(Stored::Text(text)) => document = text.into_bytes(),
                _ => return Err(self.missing("update", &images.before)),
            }
        }
        json_patch::apply(&mut document, JsonDiffs::new(diffs))?;
        Ok(document)
    }

    /// What the row to update holds so far, in the columns of `list`.
    fn stored(
        &self,
        connection: &Connection,
        list: &str,
        way: &Way,
        row: Option<i64>,
        images: &RowImages<'_>,
        scratch: &mut Scratch,
    ) -> Result<Vec<Stored>> {
        let mut sql = format!("SELECT {list} FROM {} WHERE ", self.sql.name);
        match way {
            Way::Key(_, key) => self.sql.push_key_condition(&mut sql, key, 1),
            Way::Search(_) => self.sql.push_rowid_condition(&mut sql, 1)?,
        }
        let mut statement = connection.prepare_cached(&sql)?;
        match way {
            Way::Key(_, key) => {
                self.bind_columns(&mut statement, 1, key, &images.before, scratch)?
            }
            Way::Search(_) => statement.raw_bind_parameter(1, row)?,
        }
        returned_row(&mut statement)?.ok_or_else(|| self.missing("update", &images.before))
    }

    fn update_sql(&mut self, shape: &Shape, change: &Change<'_>) -> Result<&str> {
        if self.updates.len() >= SQLITE_UPDATE_SHAPES_MAX {
            self.updates.clear();
        }
        if !self.updates.contains_key(shape) {
            let computed =
                self.generated
                    .assignments(&self.table, change.computed, change.columns)?;
            let mut sql = self.sql.update(change.columns, &computed);
            let first = change.columns.len() + 1;
            match change.way {
                Way::Key(_, key) => self.sql.push_key_condition(&mut sql, key, first),
                Way::Search(_) => self.sql.push_rowid_condition(&mut sql, first)?,
            }
            let list = change.parent.map(|parent| parent.list.as_str());
            let rowid = match change.returns.rowid {
                true => Some(self.sql.rowid()?),
                false => None,
            };
            sql.push_str(&returning(list.into_iter().chain(rowid)));
            self.updates.insert(shape.clone(), sql);
        }
        Ok(self.updates.get(shape).map_or("", String::as_str))
    }
}
