//! A table that is read afresh, as its lane takes it in: see `crate::snapshot` for why it is consistent.
//!
//! From the first chunk to the last the table is set aside with the mark `resync`, so that a crash begins the copy anew, and its
//! row events are applied to the copy. DDL on it ends the copy, and another one begins behind the statement.

use std::sync::Arc;

use super::LaneWorker;
use super::aside::unix_now;
use crate::apply::quarantine::{SetAside, is_of_one_table};
use crate::checkpoint::Checkpoint;
use crate::config::limits::LANE_MERGE_ROWS_MAX;
use crate::dispatch::batch::{CopyFailure, CopyStep};
use crate::dispatch::resync::Copy;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::table::Table;
use crate::snapshot::SnapshotRows;

impl LaneWorker {
    /// The next step of a copy. What comes of one that has ended is passed over.
    pub(super) fn copy_step(&mut self, copy: &Arc<Copy>, step: &CopyStep) -> Result<()> {
        if copy.has_ended() {
            return Ok(());
        }
        let table = &copy.id.table;
        let outcome = match step {
            CopyStep::Begin { table, at } => self.begin_copy(copy, table, at),
            CopyStep::Next { table } => self.next_chunk(copy, table),
            CopyStep::Rows { rows, at } => self.copy_rows(copy, rows, at),
            CopyStep::End { is_last, at } => self.end_chunk(copy, *is_last, at),
            CopyStep::Failed(failure) => self.copy_failed(copy, failure),
        };
        let outcome = outcome.or_else(|error| {
            if !is_of_one_table(&error) {
                return Err(error);
            }
            self.lane.recover(table)?;
            self.lane.begin()?;
            self.give_up_copy(table, &error)
        });
        self.publish_aside();
        outcome
    }

    fn begin_copy(
        &mut self,
        copy: &Arc<Copy>,
        table: &Arc<Table>,
        at: &Arc<Checkpoint>,
    ) -> Result<()> {
        let name = &copy.id.table;
        self.lane.begin()?;
        self.forget_maps();
        if let Err(error) = self.lane.begin_copy(table.as_ref().clone()) {
            if self.aside.get(name).is_none() && is_of_one_table(&error) {
                // It was sound, and stays so.
                self.lane.recover(name)?;
                copy.end();
                self.context.resyncs.fail(&copy.id, &error.full_text());
                tracing::error!(table = %copy.id, error = %error.full_text(), "the table cannot be read afresh");
                return Ok(());
            }
            return Err(error);
        }
        let mark = match self.aside.get(name) {
            Some(aside) => aside.mark.clone(),
            None => SetAside {
                table: name.clone(),
                errno: 0,
                reason: "it is being read afresh, as was asked for".to_owned(),
                file: at.position.file.to_string(),
                pos: at.position.offset,
                since: unix_now(),
                resync: true,
            },
        };
        self.put_aside(SetAside {
            resync: true,
            ..mark
        })?;
        if let Some(aside) = self.aside.get_mut(name) {
            aside.copy = Some(copy.clone());
        }
        self.context.resyncs.set_copying(copy, 0, 0);
        self.pending = Some(at.clone());
        tracing::info!(table = %copy.id, position = %at.position, "reading the table afresh");
        Ok(())
    }

    /// Another chunk of a table whose definition must be the one that the first had.
    fn next_chunk(&mut self, copy: &Arc<Copy>, table: &Arc<Table>) -> Result<()> {
        let name = &copy.id.table;
        let known = self.lane.table(name, self.context.source.as_ref())?;
        if known.as_ref() != Some(table) {
            self.lane.begin()?;
            self.restart_copy(name)?;
        }
        Ok(())
    }

    fn copy_rows(
        &mut self,
        copy: &Arc<Copy>,
        rows: &SnapshotRows,
        at: &Arc<Checkpoint>,
    ) -> Result<()> {
        let name = &copy.id.table;
        self.lane.begin()?;
        let Some(table) = self.lane.table(name, self.context.source.as_ref())? else {
            return Err(Error::new(
                ErrorKind::Internal,
                "rows of a copy that was not begun",
            ));
        };
        self.lane
            .copy_rows(&table, rows)
            .map_err(|error| error.at_table(&copy.id.database, name))?;
        self.pending = Some(at.clone());
        self.pending_rows += u64::try_from(rows.len()).unwrap_or(u64::MAX);
        if self.pending_rows >= LANE_MERGE_ROWS_MAX {
            self.commit_pending()?;
        }
        Ok(())
    }

    fn end_chunk(&mut self, copy: &Arc<Copy>, is_last: bool, at: &Arc<Checkpoint>) -> Result<()> {
        self.lane.begin()?;
        self.pending = Some(at.clone());
        if !is_last {
            return Ok(());
        }
        let name = &copy.id.table;
        if self.lane.commits_ddl() {
            // The rows first: the table stays set aside until it has its copy, whatever happens between.
            self.commit_pending()?;
            if copy.has_ended() {
                return Ok(());
            }
            self.lane.begin()?;
            self.pending = Some(at.clone());
        }
        self.lane.end_copy(name)?;
        self.lane.remove_mark(name)?;
        self.aside.remove(name);
        self.forget_maps();
        self.commit_pending()?;
        copy.end();
        // First the one, then the other: who waits takes a table that is in neither for sound.
        self.publish_aside();
        self.context.resyncs.remove(&copy.id);
        tracing::info!(table = %copy.id, position = %at.position, "the table is read afresh, and followed again");
        Ok(())
    }

    /// The source could not give the rest.
    fn copy_failed(&mut self, copy: &Arc<Copy>, failure: &CopyFailure) -> Result<()> {
        let name = &copy.id.table;
        self.begin_with_last_checkpoint()?;
        if self.aside.copy(name).is_some() {
            copy.end();
            self.pass_over_rest(name);
            self.lane.abandon_copy(name)?;
        }
        let Some(mark) = self.aside.get(name).map(|aside| aside.mark.clone()) else {
            return Ok(());
        };
        self.put_mark_quietly(SetAside {
            resync: failure.again,
            ..mark
        })
    }

    /// Ends the copy of a table, if there is one, and begins another.
    pub(super) fn restart_copy(&mut self, table: &str) -> Result<()> {
        let Some(copy) = self.aside.copy(table).cloned() else {
            return Ok(());
        };
        copy.end();
        self.pass_over_rest(table);
        self.lane.abandon_copy(table)?;
        if let Some(aside) = self.aside.get_mut(table) {
            aside.copy = None;
        }
        self.context.resyncs.again(&copy.id);
        tracing::info!(table = %copy.id, "the table changed while it was read; reading it again");
        Ok(())
    }

    /// An error ends the copy of a table: it stays set aside. Where the stream ran ahead of the copy, or changed what only the source
    /// can tell, another one begins.
    pub(super) fn give_up_copy(&mut self, table: &str, error: &Error) -> Result<()> {
        if matches!(error.kind(), ErrorKind::RowMissing | ErrorKind::SourceOnly) {
            return self.restart_copy(table);
        }
        let Some(copy) = self.aside.copy(table).cloned() else {
            let id = self.id(table);
            self.context.resyncs.fail(&id, &error.full_text());
            return self.clear_resync(table);
        };
        copy.end();
        self.pass_over_rest(table);
        self.lane.abandon_copy(table)?;
        self.context.resyncs.fail(&copy.id, &error.full_text());
        tracing::error!(table = %copy.id, error = %error.full_text(), "the table cannot be read afresh");
        self.put_mark_quietly(SetAside::new(table, error, unix_now(), false))
    }

    fn clear_resync(&mut self, table: &str) -> Result<()> {
        match self.aside.get(table).map(|aside| aside.mark.clone()) {
            Some(mark) => self.put_mark_quietly(SetAside {
                resync: false,
                ..mark
            }),
            None => Ok(()),
        }
    }

    /// Changes a mark without asking for another copy.
    fn put_mark_quietly(&mut self, mark: SetAside) -> Result<()> {
        self.lane.put_mark(&mark)?;
        if let Some(aside) = self.aside.get_mut(&mark.table.clone()) {
            aside.mark = mark;
            aside.copy = None;
        }
        Ok(())
    }

    /// Opens a transaction that leaves the lane where it is.
    fn begin_with_last_checkpoint(&mut self) -> Result<()> {
        self.lane.begin()?;
        if self.pending.is_none() {
            self.pending = self.progress.committed();
        }
        Ok(())
    }
}
