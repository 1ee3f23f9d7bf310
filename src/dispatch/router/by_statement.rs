//! A statement in place of rows.

use super::{Router, Step, not_row_format};
use crate::binlog::flavor::Flavor;
use crate::decode::query::Query;
use crate::dispatch::batch::{ByStatement, Item};
use crate::dispatch::group::Route;
use crate::dispatch::statement;
use crate::error::Result;

impl Router {
    /// Where it is about one table, its lane knows whether the others can go on.
    pub(super) fn by_statement(&mut self, step: Step<'_>, query: &Query, what: &str) -> Result<()> {
        let error = not_row_format(what, &statement::excerpt(query));
        let Some((database, table)) = statement::changed_table(query, &self.format)
            .filter(|_| self.format.flavor == Flavor::MariaDb)
        else {
            return Err(error);
        };
        let Some(here) = self.filter.route(&database, &table)? else {
            return Err(error);
        };
        self.mark_start(step);
        if !self.group.is_known
            && let Route::Lane(lane) = self.route(&here, step.file)?
        {
            let change = ByStatement {
                table,
                what: error.full_text(),
                file: step.file.clone(),
                pos: step.start,
                timestamp: step.timestamp,
            };
            self.lanes.push(lane, Item::ByStatement(Box::new(change)))?;
        }
        self.end_if_alone(step)
    }
}
