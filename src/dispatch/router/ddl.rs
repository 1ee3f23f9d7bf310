//! A statement that changes definitions: to all lanes that it concerns, which meet where there are several.

use std::sync::Arc;

use super::{Router, Step, unsupported};
use crate::decode::query::Query;
use crate::dispatch::barrier::Barrier;
use crate::dispatch::batch::{DdlTask, Item};
use crate::dispatch::filter::Scope;
use crate::dispatch::group::{Route, Xa};
use crate::dispatch::statement;
use crate::error::{Error, Result};
use crate::schema::ddl::{SqlContext, Statement};

impl Router {
    pub(super) fn ddl(
        &mut self,
        step: Step<'_>,
        query: Query,
        statement: Statement,
        context: SqlContext,
    ) -> Result<()> {
        self.mark_start(step);
        let inside = self.group.open;
        if inside && self.group.xa == Xa::Preparing {
            return Err(unsupported("a definition changes inside an XA transaction"));
        }
        let scope = match self.filter.scope(&statement, &query.database) {
            _ if self.group.is_known => Scope::Nothing,
            Ok(scope) => scope,
            Err(error) => return self.without_its_rows(step, &query, &statement, error),
        };
        let (query, statement, names) = self.what_is_followed(query, statement, scope)?;
        let dropped = statement::dropped_database(&statement).map(str::to_owned);
        let met = match inside {
            true => names.clone(),
            false => {
                let referred = statement::referred_databases(&statement, &query.database);
                self.lanes.met_by_ddl(names.clone(), referred)?
            }
        };
        let concerned = self.concerned_lanes(&met, step.file)?;
        if !inside {
            self.count_gtid();
        }
        let at = Arc::new(self.checkpoint_at(step));
        let barriers = (!inside && concerned.len() > 1)
            .then(|| (Barrier::new(concerned.len()), Barrier::new(concerned.len())));
        let task = Arc::new(DdlTask {
            query,
            statement,
            context,
            at,
            start: step.start,
            barriers,
        });
        for lane in &concerned {
            let item = if inside {
                Item::DdlInside(task.clone())
            } else {
                Item::Ddl(task.clone())
            };
            self.lanes.push(*lane, item)?;
        }
        if inside {
            return Ok(());
        }
        if concerned.len() > 1 {
            for lane in &concerned {
                self.lanes.flush(*lane)?;
            }
        }
        self.finish(step);
        if let Some(name) = dropped
            && names.contains(&name)
        {
            let lane = self.lanes.lane(&name)?;
            self.lanes.close(lane)?;
        }
        Ok(())
    }

    /// A statement brings a table into what is followed, and its rows were never sent: the table is set aside and read afresh, where
    /// the statement is about no other table that is followed.
    fn without_its_rows(
        &mut self,
        step: Step<'_>,
        query: &Query,
        statement: &Statement,
        error: Error,
    ) -> Result<()> {
        let place = error.at().table.clone().unwrap_or_default();
        let Some((database, table)) = place.split_once('.') else {
            return Err(error);
        };
        if self.lanes.source().is_sequence(database, table)? {
            // It has no rows that anybody follows.
            return self.end_if_alone(step);
        }
        for (of, other) in statement.tables(&query.database) {
            let is_it = of == database && other == table;
            if !is_it && self.filter.follows_table(of, other)? {
                return Err(error);
            }
        }
        self.set_table_aside(step, database, table, error)
    }

    /// What is left of a statement under the rules, and the databases that it concerns.
    fn what_is_followed(
        &mut self,
        query: Query,
        statement: Statement,
        scope: Scope,
    ) -> Result<(Query, Statement, Vec<String>)> {
        if self.group.is_known {
            return Ok((query, statement, Vec::new()));
        }
        self.left_out.statements += u64::from(scope != Scope::All);
        let (query, statement) = match scope {
            Scope::All => (query, statement),
            Scope::Nothing => return Ok((query, statement, Vec::new())),
            Scope::Part(part, text) => (statement::with_text(query, text), part),
        };
        let mut names = Vec::new();
        for name in statement::databases(&statement, &query.database) {
            // Also a table that is read only, by CREATE TABLE … LIKE, is named.
            if self.filter.follows_database(&name)? {
                names.push(name);
            }
        }
        Ok((query, statement, names))
    }

    /// The lanes of these databases that do not have the statement yet.
    fn concerned_lanes(&mut self, names: &[String], file: &Arc<str>) -> Result<Vec<usize>> {
        let mut concerned = Vec::new();
        for name in names {
            if self.group.open {
                if let Route::Lane(lane) = self.route(name, file)? {
                    concerned.push(lane);
                }
                continue;
            }
            let lane = self.lanes.lane(name)?;
            let has = match &self.group.start {
                Some(start) => self.lanes.has(lane, start)?,
                None => false,
            };
            if !has {
                concerned.push(lane);
            }
        }
        Ok(concerned)
    }
}
