//! Feeds a real source's binary log into the lanes of a MySQL target, one event after the other: what the dispatcher
//! does, without threads, so that a test can stop anywhere.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use relaylite::apply::mysql::MysqlTarget;
use relaylite::apply::{Ddl, DdlOutcome, Lane, SourceSchema, Target};
use relaylite::binlog::checksum;
use relaylite::binlog::format::FormatDescription;
use relaylite::binlog::frame::{Frame, next_frame};
use relaylite::binlog::position::Position;
use relaylite::checkpoint::Checkpoint;
use relaylite::config::target::TargetConfig;
use relaylite::decode::event::Event;
use relaylite::decode::plan::RowPlan;
use relaylite::decode::query::Query;
use relaylite::decode::rows::{RowReader, RowsEvent};
use relaylite::decode::table_map::TableMap;
use relaylite::schema::ddl::{self, SqlContext, Statement};
use relaylite::schema::table::{Collation, ColumnType, Table};
use relaylite::{Error, Result};

use crate::support::server::{Flavor, Server};

/// The lanes of one target, following one source.
pub(crate) struct Driver {
    pub(crate) target: MysqlTarget,
    lanes: BTreeMap<String, Box<dyn Lane>>,
    source: NoSource,
}

/// A source that shows the tables that a test gave it.
#[derive(Default)]
pub(crate) struct NoSource {
    pub(crate) tables: HashMap<String, Table>,
}

impl SourceSchema for NoSource {
    fn table(&self, _database: &str, table: &str) -> Result<Option<Table>> {
        Ok(self.tables.get(table).cloned())
    }

    fn database_collation(&self, _database: &str) -> Result<Option<Collation>> {
        Ok(None)
    }
}

/// Where the driver stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// At the end of the file, with everything committed.
    End,
    /// Just before the n-th commit (from 1), as after a crash.
    BeforeCommit(usize),
}

/// What reading the file needs to remember.
struct Reading {
    file: String,
    format: Option<FormatDescription>,
    maps: HashMap<u64, (TableMap, Option<RowPlan>)>,
    touched: BTreeSet<String>,
    commits: usize,
}

pub(crate) fn connect(server: &Server) -> Result<MysqlTarget> {
    match TargetConfig::parse(&server.root_url(), None)? {
        TargetConfig::Mysql(config) => MysqlTarget::connect(&config),
        TargetConfig::Sqlite { .. } => panic!("not a MySQL URL"),
    }
}

impl Driver {
    pub(crate) fn new(server: &Server) -> Self {
        Self {
            target: connect(server).unwrap(),
            lanes: BTreeMap::new(),
            source: NoSource::default(),
        }
    }

    pub(crate) fn with_source(mut self, tables: Vec<Table>) -> Self {
        self.source.tables = tables
            .into_iter()
            .map(|table| (table.name.clone(), table))
            .collect();
        self
    }

    pub(crate) fn lane(&mut self, database: &str) -> Result<&mut Box<dyn Lane>> {
        if !self.lanes.contains_key(database) {
            let lane = self.target.open_lane(database)?;
            self.lanes.insert(database.to_owned(), lane);
        }
        Ok(self.lanes.get_mut(database).unwrap())
    }

    pub(crate) fn rollback(&mut self) -> Result<()> {
        self.lanes.values_mut().try_for_each(|lane| lane.rollback())
    }

    /// Applies the source's current binary log file from its head; lanes skip what they have.
    pub(crate) fn run(&mut self, source: &Server, stop: Stop) -> Result<()> {
        let (file, _) = source.position();
        let bytes = std::fs::read(source.binlog_path(&file)).unwrap();
        let mut reading = Reading {
            file,
            format: None,
            maps: HashMap::new(),
            touched: BTreeSet::new(),
            commits: 0,
        };
        let mut offset = 4;
        while let Frame::Event(header, event) = next_frame(&bytes[offset..])? {
            let end = offset + event.len();
            if header.kind == relaylite::binlog::kind::FORMAT_DESCRIPTION {
                reading.format = Some(FormatDescription::parse(event)?);
            } else {
                let format = reading.format.clone().unwrap();
                let body = checksum::body(event, format.checksum)?;
                let at = Checkpoint {
                    source_id: "test".into(),
                    position: Position::new(reading.file.as_str(), end as u64),
                    executed: Arc::default(),
                    timestamp: header.timestamp,
                };
                let event = Event::parse(&header, body, &format)?;
                if self.event(event, &mut reading, &format, &at, stop)? {
                    return Ok(());
                }
            }
            offset = end;
        }
        Ok(())
    }

    fn has(&mut self, database: &str, at: &Checkpoint) -> Result<bool> {
        let done = self.lane(database)?.checkpoint();
        Ok(done.is_some_and(|done| {
            done.position
                .order(&at.position)
                .is_some_and(std::cmp::Ordering::is_ge)
        }))
    }

    /// True when the driver is to stop.
    fn event(
        &mut self,
        event: Event<'_>,
        reading: &mut Reading,
        format: &FormatDescription,
        at: &Checkpoint,
        stop: Stop,
    ) -> Result<bool> {
        match event {
            Event::TableMap(body) => {
                let map = TableMap::parse(body, format)?;
                reading.maps.insert(map.table_id, (map, None));
            }
            Event::Rows(rows) => self.rows(&rows, reading, at)?,
            Event::Xid(_) => return self.commit(reading, at, stop),
            Event::Query(query) => {
                let mut context =
                    SqlContext::new(format.flavor, format.version, query.database.as_str());
                context.sql_mode = query.sql_mode;
                let text = String::from_utf8_lossy(&query.sql);
                match ddl::parse(&text, &context)? {
                    Statement::Commit => return self.commit(reading, at, stop),
                    statement if statement.is_ddl() => {
                        self.ddl(&query, &statement, &context, reading, at)?;
                        return self.commit(reading, at, stop);
                    }
                    _ => {}
                }
            }
            _ => {}
        }
        Ok(false)
    }

    fn rows(&mut self, rows: &RowsEvent<'_>, reading: &mut Reading, at: &Checkpoint) -> Result<()> {
        let (map, plan) = reading.maps.get_mut(&rows.table_id).unwrap();
        let (database, name) = (map.database.clone(), map.table.clone());
        if self.has(&database, at)? {
            return Ok(());
        }
        let known = self.lane(&database)?.table(&name, &NoSource::default())?;
        let table = match known {
            Some(table) => table,
            None => {
                let table = self.source.table(&database, &name)?;
                let table = table.ok_or_else(|| {
                    Error::new(relaylite::ErrorKind::Schema, format!("nobody knows {name}"))
                })?;
                self.lane(&database)?.adopt(table)?
            }
        };
        let unsigned = |i: usize| match table.columns.get(i).map(|column| &column.ty) {
            Some(ColumnType::Int { unsigned, .. }) => *unsigned,
            _ => false,
        };
        if plan.is_none() {
            *plan = Some(RowPlan::compile(map, unsigned)?);
        }
        let mut reader = RowReader::new(plan.as_ref().unwrap(), rows)?;
        let lane = self.lane(&database)?;
        lane.begin()?;
        reading.touched.insert(database.clone());
        lane.rows(&table, &mut reader, &NoSource::default())
            .map(drop)
    }

    fn ddl(
        &mut self,
        query: &Query,
        statement: &Statement,
        context: &SqlContext,
        reading: &mut Reading,
        at: &Checkpoint,
    ) -> Result<()> {
        let databases: Vec<String> = statement
            .databases(&query.database)
            .iter()
            .map(|name| name.to_string())
            .collect();
        for database in databases {
            if self.has(&database, at)? {
                continue;
            }
            self.lane(&database)?;
            let source = &self.source;
            let lane = self.lanes.get_mut(&database).unwrap();
            lane.begin()?;
            let ddl = Ddl {
                query,
                statement,
                context,
                source,
                database: &database,
                at,
                set_aside: &HashSet::new(),
            };
            if lane.ddl(&ddl)? == DdlOutcome::Unfinished {
                lane.finish_ddl(&ddl)?;
            }
            reading.touched.insert(database);
        }
        Ok(())
    }

    fn commit(&mut self, reading: &mut Reading, at: &Checkpoint, stop: Stop) -> Result<bool> {
        reading.maps.clear();
        let touched = std::mem::take(&mut reading.touched);
        if touched.is_empty() {
            return Ok(false);
        }
        reading.commits += 1;
        if stop == Stop::BeforeCommit(reading.commits) {
            return Ok(true);
        }
        for database in touched {
            self.lane(&database)?.commit(at)?;
            self.lane(&database)?.make_durable()?;
        }
        Ok(false)
    }
}

/// All rows of a table, each value as the server prints it, in hexadecimal: equal bytes, not just equal in a collation.
pub(crate) fn rows_of(server: &Server, database: &str, table: &str) -> Vec<Vec<Option<String>>> {
    let mut session = server.client();
    session.exec("SET time_zone = '+00:00'; SET NAMES utf8mb4");
    let columns = session.query_strings(&format!(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = '{database}' AND table_name = '{table}' \
         ORDER BY ordinal_position"
    ));
    let names: Vec<String> = columns
        .into_iter()
        .map(|row| {
            let name = row[0].as_deref().unwrap().replace('`', "``");
            match row[1].as_deref() {
                Some("vector") => format!("HEX(`{name}`)"),
                _ => format!("HEX(CONCAT(`{name}`))"),
            }
        })
        .collect();
    // Sorted here: a server has too little memory to sort large values.
    let mut rows = session.query_strings(&format!(
        "SELECT {} FROM `{database}`.`{table}`",
        names.join(", ")
    ));
    rows.sort();
    rows
}

/// Source and target hold the same rows, at least one.
#[track_caller]
pub(crate) fn assert_same(source: &Server, target: &Server, database: &str, tables: &[&str]) {
    for table in tables {
        let wanted = rows_of(source, database, table);
        assert!(
            !wanted.is_empty(),
            "{database}.{table} is empty on the source"
        );
        assert_eq!(
            rows_of(target, database, table),
            wanted,
            "{database}.{table}"
        );
    }
}

/// The pairs of servers that everything must work between.
pub(crate) fn pairs() -> [(Flavor, Flavor); 4] {
    use Flavor::{MariaDb, MySql};
    [
        (MariaDb, MariaDb),
        (MySql, MySql),
        (MySql, MariaDb),
        (MariaDb, MySql),
    ]
}
