//! A statement that changes definitions: to all lanes that it concerns, which meet where there are several.

use std::sync::Arc;

use super::{Router, Step};
use crate::decode::query::Query;
use crate::dispatch::barrier::Barrier;
use crate::dispatch::batch::{DdlTask, Item};
use crate::dispatch::group::Route;
use crate::dispatch::statement;
use crate::error::Result;
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
        let is_held = inside && self.group.delivery.is_held();
        self.group.holds_ddl |= is_held;
        let names = if self.group.is_known || is_held {
            Vec::new()
        } else {
            statement::databases(&statement, &query.database)
        };
        let dropped = statement::dropped_database(&statement).map(str::to_owned);
        let concerned = self.concerned_lanes(&names, step.file)?;
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
