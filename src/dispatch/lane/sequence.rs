//! MariaDB's sequences, which are no tables here: their row events are passed over.
//!
//! Nothing in the stream says that a table is a sequence, but its CREATE SEQUENCE, which may be long ago. So each time one is met that the
//! target does not know, its columns decide, and whether the source has a table of that name that could be meant. Nothing is kept
//! over restarts. docs/decisions/sequences.md says why.

use std::sync::atomic::Ordering;

use super::LaneWorker;
use crate::binlog::flavor::Flavor;
use crate::decode::rows::RowKind;
use crate::decode::table_map::TableMap;
use crate::decode::wire_type as wt;
use crate::dispatch::batch::DdlTask;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::check;
use crate::schema::ddl::Statement;

/// The columns of every sequence, in order.
const COLUMNS: [&str; 8] = [
    "next_not_cached_value",
    "minimum_value",
    "maximum_value",
    "start_value",
    "increment",
    "cache_size",
    "cycle_option",
    "cycle_count",
];
/// Types of the last four; the first four are all of the type that the sequence counts in.
const LAST_TYPES: [u8; 4] = [wt::LONGLONG, wt::LONGLONG, wt::TINY, wt::LONGLONG];
/// Types that a sequence can count in.
const COUNTING_TYPES: [u8; 5] = [wt::TINY, wt::SHORT, wt::INT24, wt::LONG, wt::LONGLONG];

/// Whether a sequence has these columns.
fn looks_like_one(map: &TableMap) -> bool {
    let types: Vec<u8> = map.columns.iter().map(|column| column.kind).collect();
    let (Some(counted), Some(last)) = (types.get(..4), types.get(4..)) else {
        return false;
    };
    let first = counted.first();
    let names = map.metadata.columns.iter().zip(COLUMNS);
    last == LAST_TYPES
        && counted.iter().all(|kind| Some(kind) == first)
        && first.is_some_and(|kind| COUNTING_TYPES.contains(kind))
        && map.columns.iter().all(|column| !column.nullable)
        && names
            .into_iter()
            .all(|(said, name)| said.name.as_deref().is_none_or(|said| said == name))
}

/// A view by now, or a sequence that the target has of its own.
fn none_of_that_name<T>(error: Error) -> Result<Option<T>> {
    match error.kind() {
        ErrorKind::Schema | ErrorKind::Unsupported => Ok(None),
        _ => Err(error),
    }
}

impl LaneWorker {
    /// Whether a mapped table is a sequence: the target does not know it, it looks like one, and no table of the source is meant.
    pub(super) fn is_sequence(&mut self, map: &TableMap, flavor: Flavor) -> Result<bool> {
        if flavor != Flavor::MariaDb || !looks_like_one(map) {
            return Ok(false);
        }
        let source = self.context.source.clone();
        let known = self.lane.table(&map.table, source.as_ref());
        if known.or_else(none_of_that_name)?.is_some() {
            return Ok(false);
        }
        let table = source.table(&map.database, &map.table);
        let table = table.or_else(none_of_that_name)?;
        Ok(table.is_none_or(|table| check::fits(&table, map).is_err()))
    }

    /// Counts a row event of a sequence.
    pub(super) fn pass_over_sequence(&mut self, kind: RowKind, table: &str) -> Result<()> {
        if kind != RowKind::Insert {
            // NEXTVAL writes its row anew each time, in the words of an INSERT.
            let what = "it was taken for a sequence, and its rows change as no sequence's do";
            return Err(
                Error::new(ErrorKind::Schema, what).at_table(&self.progress.database, table)
            );
        }
        self.progress
            .sequence_events
            .fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Whether a statement that failed makes a sequence: CREATE TABLE … LIKE one.
    pub(super) fn makes_a_sequence(&self, task: &DdlTask) -> Result<bool> {
        let Statement::CreateTable(create) = &task.statement else {
            return Ok(false);
        };
        let Some(model) = &create.like else {
            return Ok(false);
        };
        if !task.context.is_mariadb() {
            return Ok(false);
        }
        let default = &task.query.database;
        let source = self.context.source.as_ref();
        for table in [model, &create.table] {
            if source.is_sequence(table.database(default), &table.name)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
