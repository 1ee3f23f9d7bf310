//! Events to lanes: which database each event belongs to, and where groups begin and end.

mod by_statement;
mod ddl;
mod refusal;
pub mod savepoint;
mod step;
mod xa;

use std::sync::Arc;

use refusal::{incident, not_row_format, unsupported};
use step::Step;

use super::barrier::Barrier;
use super::batch::Item;
use super::filter::Filter;
use super::group::{Group, Route, Xa};
use super::lanes::Lanes;
use super::state::LeftOut;
use super::statement::{self, Meaning};
use crate::apply::quarantine::SetAside;
use crate::binlog::format::FormatDescription;
use crate::binlog::gtid::{Gtid, GtidSet, MariaDbGtidEvent, MySqlGtidEvent};
use crate::binlog::header::FLAG_IGNORABLE;
use crate::binlog::kind;
use crate::binlog::position::Position;
use crate::checkpoint::parked::Parked;
use crate::checkpoint::{Checkpoint, Watermark};
use crate::config::OnTableError;
use crate::decode::mariadb;
use crate::decode::payload::Payload;
use crate::decode::query::{Query, query_text};
use crate::decode::rows::{DUMMY_TABLE_ID, rows_table_id};
use crate::decode::table_map::table_map_names;
use crate::error::{Error, ErrorKind, Result};
use crate::relay::reader::RelayEvent;

/// Gives events to lanes.
pub struct Router {
    lanes: Lanes,
    filter: Filter,
    group: Group,
    format: Arc<FormatDescription>,
    source_id: Arc<str>,
    position: Position,
    last_end: Position,
    executed: Arc<GtidSet>,
    timestamp: u32,
    passed_over: u64,
    left_out: LeftOut,
    /// XA transactions that are prepared and not decided.
    parked: Parked,
    /// Starts of transactions that the source never finished, or rolled back.
    cut_short: Vec<Position>,
    on_table_error: OnTableError,
}

impl Router {
    /// A router that begins at a watermark.
    pub fn new(
        lanes: Lanes,
        filter: Filter,
        watermark: Watermark,
        format: FormatDescription,
        cut_short: Vec<Position>,
        on_table_error: OnTableError,
    ) -> Self {
        let from = watermark.at;
        Self {
            lanes,
            filter,
            group: Group::default(),
            format: Arc::new(format),
            source_id: from.source_id,
            last_end: from.position.clone(),
            position: from.position,
            executed: from.executed,
            timestamp: from.timestamp,
            passed_over: 0,
            parked: Parked::new(watermark.parked),
            left_out: LeftOut::default(),
            cut_short,
            on_table_error,
        }
    }

    /// The lanes.
    pub fn lanes(&mut self) -> &mut Lanes {
        &mut self.lanes
    }

    /// Whether a transaction is open.
    pub fn in_group(&self) -> bool {
        self.group.open
    }

    /// Start of the open transaction, and the source's clock then.
    pub fn open_group(&self) -> Option<(&Position, u32)> {
        let start = self.group.start.as_ref().filter(|_| self.group.open)?;
        Some((start, self.group.timestamp))
    }

    /// Statements that changed no table and were passed over.
    pub fn passed_over(&self) -> u64 {
        self.passed_over
    }

    /// What the replication rules left out.
    pub fn left_out(&self) -> LeftOut {
        self.left_out
    }

    /// Where the stream is.
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// End of the last group.
    pub fn last_end(&self) -> &Position {
        &self.last_end
    }

    /// Where the stream is, between two groups.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            source_id: self.source_id.clone(),
            position: self.position.clone(),
            executed: self.executed.clone(),
            timestamp: self.timestamp,
        }
    }

    /// Moves the checkpoint of all lanes to `at`, where the last group ended. Those that have a part in the open group are
    /// asked for what they have only: a checkpoint there would commit half of it.
    pub fn advance_all(&mut self, at: &Checkpoint) -> Result<()> {
        let at = Arc::new(at.clone());
        for lane in self.lanes.all() {
            if self.group.lanes.contains(&lane) {
                self.lanes.push(lane, Item::MakeDurable)?;
            } else if !self.lanes.has(lane, &at.position)? {
                self.lanes.push(lane, Item::Advance(at.clone()))?;
            }
        }
        Ok(())
    }

    /// Takes the next event.
    ///
    /// # Errors
    /// `Unsupported` for what cannot be applied, `Corrupt`, `Stopped` when a lane has failed.
    pub fn event(&mut self, event: &RelayEvent<'_>) -> Result<()> {
        self.step(Step::of(event))?;
        if event.header.kind == kind::FORMAT_DESCRIPTION {
            self.format = Arc::new(FormatDescription::parse(event.bytes)?);
        }
        if self.group.start.is_none() {
            self.position = Position {
                file: event.file.clone(),
                offset: event.end,
            };
        }
        Ok(())
    }

    fn step(&mut self, step: Step<'_>) -> Result<()> {
        match step.kind {
            kind::TABLE_MAP => self.table_map(step),
            kind::WRITE_ROWS_V1..=kind::DELETE_ROWS_V1
            | kind::WRITE_ROWS_V2..=kind::DELETE_ROWS_V2
            | kind::PARTIAL_UPDATE_ROWS => self.rows(step),
            kind::XID => self.end_group(step),
            kind::QUERY => self.query(step),
            kind::GTID | kind::ANONYMOUS_GTID | kind::GTID_TAGGED => {
                let event = MySqlGtidEvent::parse(step.kind, step.body)?;
                self.begin_named(step, event.gtid);
                Ok(())
            }
            kind::MARIADB_GTID => {
                let event = MariaDbGtidEvent::parse(step.server_id, step.body)?;
                self.begin_named(step, Some(event.gtid));
                if event.prepares().is_some() {
                    self.group.xa = Xa::Preparing;
                }
                if !event.is_standalone() {
                    self.begin(step);
                }
                Ok(())
            }
            kind::PREVIOUS_GTIDS => {
                self.previous_gtids(&GtidSet::decode(step.body)?);
                Ok(())
            }
            kind::MARIADB_GTID_LIST => {
                self.previous_gtids(&GtidSet::decode_mariadb_list(step.body)?);
                Ok(())
            }
            kind::XA_PREPARE => self.xa_prepare(step),
            kind::TRANSACTION_PAYLOAD => self.payload(step),
            kind::MARIADB_QUERY_COMPRESSED..=kind::MARIADB_DELETE_ROWS_COMPRESSED => {
                let mut scratch = Vec::new();
                let (kind, body) =
                    mariadb::plain(step.kind, step.body, &self.format, &mut scratch)?;
                self.step(Step { kind, body, ..step })
            }
            kind::FORMAT_DESCRIPTION => self.new_file(),
            kind::STOP
            | kind::ROTATE
            | kind::INTVAR
            | kind::RAND
            | kind::USER_VAR
            | kind::IGNORABLE
            | kind::ROWS_QUERY
            | kind::TRANSACTION_CONTEXT
            | kind::VIEW_CHANGE
            | kind::MARIADB_ANNOTATE_ROWS
            | kind::MARIADB_BINLOG_CHECKPOINT => Ok(()),
            kind::INCIDENT => Err(incident(step)),
            kind::BEGIN_LOAD_QUERY | kind::EXECUTE_LOAD_QUERY => {
                Err(not_row_format("LOAD DATA", "LOAD DATA INFILE"))
            }
            kind::PRE_GA_WRITE_ROWS..=kind::PRE_GA_DELETE_ROWS => Err(unsupported(
                "row events of MySQL 5.1 before its release cannot be read",
            )),
            kind::MARIADB_START_ENCRYPTION => Err(unsupported("the binlog is encrypted")),
            _ if step.flags & FLAG_IGNORABLE != 0 => Ok(()),
            unknown => Err(unsupported(&format!(
                "event type {unknown} is unknown and not marked as ignorable; a newer relaylite may know it"
            ))),
        }
    }

    /// No transaction goes on in another file: one that is open was being written when the source crashed. Nothing of it
    /// may stay, and what was merged before it must: the run begins again, and leaves it out.
    fn new_file(&mut self) -> Result<()> {
        match self.group.start.take() {
            Some(start) if self.group.open && !self.cut_short.contains(&start) => Err(Error::new(
                ErrorKind::CutShort,
                "the source crashed while it wrote this transaction",
            )
            .at_pos(start.file, start.offset)),
            _ => {
                self.group.clear();
                Ok(())
            }
        }
    }

    fn begin_named(&mut self, step: Step<'_>, gtid: Option<Gtid>) {
        self.group.clear();
        self.group.gtid = gtid;
        // A start by GTID set may lie in the middle of a file: what the set holds is not applied. MariaDB's positions
        // are no sets: a lower number may be new there.
        self.group.is_known = gtid.is_some_and(|gtid| {
            matches!(gtid, Gtid::MySql { .. }) && self.executed.contains(&gtid)
        });
        self.mark_start(step);
    }

    fn mark_start(&mut self, step: Step<'_>) {
        if self.group.start.is_none() {
            let start = Position {
                file: step.file.clone(),
                offset: step.start,
            };
            self.group.is_known |= self.cut_short.contains(&start);
            self.group.start = Some(start);
        }
        if self.group.timestamp == 0 {
            self.group.timestamp = step.timestamp;
        }
    }

    fn begin(&mut self, step: Step<'_>) {
        self.mark_start(step);
        self.group.open = true;
    }

    /// The head of a file names everything before it, also what was there before the start.
    fn previous_gtids(&mut self, set: &GtidSet) {
        Arc::make_mut(&mut self.executed).complete_from(set);
    }

    fn table_map(&mut self, step: Step<'_>) -> Result<()> {
        let (id, database, table) = table_map_names(step.body, &self.format)?;
        let database = std::str::from_utf8(database)
            .map_err(|_| Error::corrupt("a database name that is not UTF-8"))?;
        let table = std::str::from_utf8(table)
            .map_err(|_| Error::corrupt("a table name that is not UTF-8"))?;
        // A row event without BEGIN is a group all the same (MySQL 5.1 non-transactional tables).
        self.begin(step);
        let is_nothing = self.group.is_known || self.group.xa == Xa::Preparing;
        let route = if is_nothing || statement::is_system_database(database) {
            Route::Skip
        } else {
            match self.filter.route(database, table)? {
                Some(here) => self.route(&here, step.file)?,
                None => Route::LeftOut,
            }
        };
        self.group.routes.insert(id, route);
        match route {
            Route::Skip | Route::LeftOut => Ok(()),
            Route::Lane(lane) => self.lanes.push_event(
                lane,
                &self.format,
                (step.kind, step.body, step.start),
                Item::TableMap,
            ),
        }
    }

    /// The lane of a database in this group; the lane is told that a transaction begins, whose rows stand in `file`,
    /// when it is new in it.
    fn route(&mut self, database: &str, file: &Arc<str>) -> Result<Route> {
        let lane = self.lanes.lane(database)?;
        if self.group.lanes.contains(&lane) {
            return Ok(Route::Lane(lane));
        }
        if let Some(start) = &self.group.start
            && self.lanes.has(lane, start)?
        {
            return Ok(Route::Skip);
        }
        self.group.lanes.push(lane);
        let (gtid, timestamp) = (self.group.gtid, self.group.timestamp);
        self.lanes.push(
            lane,
            Item::Begin {
                gtid,
                file: file.clone(),
                timestamp,
            },
        )?;
        for number in self.group.savepoints.numbers() {
            self.lanes.push(lane, Item::Savepoint(number))?;
        }
        Ok(Route::Lane(lane))
    }

    fn rows(&mut self, step: Step<'_>) -> Result<()> {
        let id = rows_table_id(step.body, self.format.post_header_len(step.kind))?;
        match self.group.routes.get(&id) {
            Some(Route::Lane(lane)) => self.lanes.push_event(
                *lane,
                &self.format,
                (step.kind, step.body, step.start),
                Item::Rows,
            ),
            Some(Route::Skip) => Ok(()),
            Some(Route::LeftOut) => {
                self.left_out.row_events += 1;
                Ok(())
            }
            None if id == DUMMY_TABLE_ID => Ok(()),
            None => Err(Error::corrupt(format!(
                "no Table_map event for table id {id}"
            ))),
        }
    }

    fn query(&mut self, step: Step<'_>) -> Result<()> {
        // The two that end most groups, before anything is parsed or allocated.
        match query_text(step.body)?.1 {
            b"BEGIN" => {
                self.begin(step);
                return Ok(());
            }
            b"COMMIT" => return self.end_group(step),
            _ => {}
        }
        let query = Query::parse(step.body, step.timestamp)?;
        let query = statement::in_names_here(query, &self.format, &self.filter)?;
        let meaning = match statement::meaning(&query, &self.format) {
            Err(error) if self.is_about_a_table_left_out(&error)? => {
                self.left_out.statements += 1;
                return self.end_if_alone(step);
            }
            Ok(meaning) => meaning,
            Err(error) => return self.not_understood(step, &query, error),
        };
        match meaning {
            Meaning::Begin => self.begin(step),
            Meaning::End => return self.end_group(step),
            Meaning::XaBegin => {
                self.group.xa = Xa::Preparing;
                self.begin(step);
            }
            Meaning::Rollback => return self.rolled_back(step),
            Meaning::Savepoint(name) => return self.savepoint(&name),
            Meaning::RollbackTo(name) => return self.rollback_to(&name),
            Meaning::InsideGroup => {}
            Meaning::XaCommit(id) => return self.xa_commit(step, &id),
            Meaning::XaRollback(id) => return self.xa_rollback(step, &id),
            Meaning::PassOver => {
                self.passed_over += 1;
                return self.end_if_alone(step);
            }
            Meaning::DataChange(what) => {
                return self.by_statement(step, &query, what);
            }
            Meaning::NotUnderstood => {
                return Err(unsupported(&format!(
                    "a statement is not understood, and may change tables: {}",
                    statement::excerpt(&query)
                )));
            }
            Meaning::Ddl(statement, context) => {
                let lower = statement.in_lower_case();
                // Asked only where it matters; nothing of it is in the binlog.
                let is_lower =
                    lower != *statement && self.lanes.source().keeps_names_in_lower_case()?;
                let statement = if is_lower { lower } else { *statement };
                let query = statement::in_words_of_tables(query, &statement, &context);
                return self.ddl(step, query, statement, *context);
            }
        }
        Ok(())
    }

    /// Whether a statement that could not be read is about a table that is left out.
    fn is_about_a_table_left_out(&self, error: &Error) -> Result<bool> {
        let place = error.at().table.as_deref();
        match place.and_then(|place| place.split_once('.')) {
            Some((database, table)) => self.filter.follows_table(database, table).map(|yes| !yes),
            None => Ok(false),
        }
    }

    /// A statement that changes a table and is not understood: the table is set aside where it can be named.
    fn not_understood(&mut self, step: Step<'_>, query: &Query, error: Error) -> Result<()> {
        match statement::named_table(query, &self.format) {
            Some((database, table)) if !database.is_empty() => {
                self.set_table_aside(step, &database, &table, error)
            }
            _ => Err(error),
        }
    }

    /// The statement is about this table, which cannot go on, and only about it. It is read afresh by itself.
    fn set_table_aside(
        &mut self,
        step: Step<'_>,
        database: &str,
        table: &str,
        error: Error,
    ) -> Result<()> {
        if self.on_table_error == OnTableError::Stop {
            return Err(error);
        }
        self.mark_start(step);
        if !self.group.is_known
            && !statement::is_system_database(database)
            && let Some(here) = self.filter.route(database, table)?
            && let Route::Lane(lane) = self.route(&here, step.file)?
        {
            let error = error
                .at_pos(step.file.clone(), step.start)
                .at_table(&here, table);
            let mark = SetAside::new(table, &error, u64::from(step.timestamp), true);
            self.lanes.push(lane, Item::SetAside(Box::new(mark)))?;
        }
        self.end_if_alone(step)
    }

    /// Ends a group that is one statement; inside a transaction nothing ends.
    fn end_if_alone(&mut self, step: Step<'_>) -> Result<()> {
        if self.group.open {
            Ok(())
        } else {
            self.end_group(step)
        }
    }

    fn payload(&mut self, step: Step<'_>) -> Result<()> {
        let mut events = Payload::parse(step.body)?.reader()?;
        while let Some((header, body)) = events.next_event()? {
            self.step(step.inner(&header, body))?;
        }
        Ok(())
    }

    fn count_gtid(&mut self) {
        if let Some(gtid) = self.group.gtid {
            Arc::make_mut(&mut self.executed).add(&gtid);
        }
    }

    fn checkpoint_at(&self, step: Step<'_>) -> Checkpoint {
        Checkpoint {
            source_id: self.source_id.clone(),
            position: Position {
                file: step.file.clone(),
                offset: step.end,
            },
            executed: self.executed.clone(),
            timestamp: self.group.timestamp,
        }
    }

    /// The group is over: its lanes commit, together when there are several.
    fn end_group(&mut self, step: Step<'_>) -> Result<()> {
        if self.group.xa == Xa::Preparing {
            return Err(Error::corrupt(
                "a group that began as an XA transaction ends without XA PREPARE",
            ));
        }
        self.mark_start(step);
        self.count_gtid();
        if !self.group.lanes.is_empty() {
            let at = Arc::new(self.checkpoint_at(step));
            let several = self.group.lanes.len() > 1;
            let barrier = several.then(|| Arc::new(Barrier::new(self.group.lanes.len())));
            for at_lane in 0..self.group.lanes.len() {
                let Some(lane) = self.group.lanes.get(at_lane).copied() else {
                    break;
                };
                let item = Item::Commit {
                    at: at.clone(),
                    barrier: barrier.clone(),
                };
                self.lanes.push(lane, item)?;
            }
            if several {
                for at_lane in 0..self.group.lanes.len() {
                    let Some(lane) = self.group.lanes.get(at_lane).copied() else {
                        break;
                    };
                    self.lanes.flush(lane)?;
                }
            }
        }
        self.finish(step);
        Ok(())
    }

    fn finish(&mut self, step: Step<'_>) {
        self.timestamp = self.group.timestamp;
        self.position = Position {
            file: step.file.clone(),
            offset: step.end,
        };
        self.last_end = self.position.clone();
        self.group.clear();
    }
}
