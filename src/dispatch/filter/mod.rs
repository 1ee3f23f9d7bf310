//! Which tables are followed, and what their databases are called here (`replicate_*`).
//!
//! `rules` says yes or no to names, in MySQL's order; `ddl` says what is left of a statement; `rewrite` puts other
//! database names into a statement's text. Where a server evaluates statements by the session's default database, DDL is evaluated
//! here by the tables that it names, as row events are: so no table that is followed misses a change.
//!
//! The source's `lower_case_table_names` decides whether the case of names counts. It is asked only when the answer
//! depends on it, which is seldom: most rules are written as the names are.
//!
//! # Threading
//! Belongs to the coordinator; asking the source blocks it.

mod ddl;
mod rewrite;
mod rules;
mod wild;

use std::collections::HashMap;
use std::sync::Arc;

use self::rules::Rules;
use crate::apply::SourceSchema;
use crate::binlog::flavor::Flavor;
use crate::config::filter::FilterConfig;
use crate::config::limits::FILTER_NAMES_MAX;
use crate::error::Result;

pub use self::ddl::Scope;

/// The rules of a run.
pub struct Filter {
    /// As written, and without regard to case; `None` when everything is followed under its own name.
    rules: Option<[Rules; 2]>,
    source: Arc<dyn SourceSchema>,
    /// Tables asked for before, by `DATABASE\0TABLE`: the database here, or `None` when it is left out.
    known: HashMap<String, Option<Arc<str>>>,
    key: String,
}

impl Filter {
    /// Rules that ask `source` about the case of names.
    pub fn new(config: &FilterConfig, flavor: Flavor, source: Arc<dyn SourceSchema>) -> Self {
        Self {
            rules: (!config.is_empty())
                .then(|| [false, true].map(|fold| Rules::new(config, flavor, fold))),
            source,
            known: HashMap::new(),
            key: String::new(),
        }
    }

    /// Whether any database has another name here.
    pub fn renames_databases(&self) -> bool {
        self.rules
            .as_ref()
            .is_some_and(|[rules, _]| rules.renames_databases())
    }

    /// What the rules say, asking the source about case only where that makes a difference.
    fn ask<'a, T: PartialEq>(&'a self, open: T, say: impl Fn(&'a Rules) -> T) -> Result<T> {
        let Some([as_written, folding]) = &self.rules else {
            return Ok(open);
        };
        let (minding, not_minding) = (say(as_written), say(folding));
        if minding == not_minding || !self.source.folds_table_names()? {
            return Ok(minding);
        }
        Ok(not_minding)
    }

    /// The name here of a database of the source.
    ///
    /// # Errors
    /// When the source has to be asked and cannot be.
    pub fn name_here<'a>(&'a self, database: &'a str) -> Result<&'a str> {
        self.ask(database, |rules| rules.name_here(database))
    }

    /// Whether a table is followed, by the name of its database here.
    ///
    /// # Errors
    /// As [`Self::name_here`].
    pub fn follows_table(&self, database: &str, table: &str) -> Result<bool> {
        self.ask(true, |rules| rules.follows_table(database, table))
    }

    /// Whether a database has a place here, by its name here.
    ///
    /// # Errors
    /// As [`Self::name_here`].
    pub fn follows_database(&self, database: &str) -> Result<bool> {
        self.ask(true, |rules| rules.follows_database(database))
    }

    /// Where the rows of a table of the source go: the name of its database here, or `None` when it is left out. Quick for
    /// tables met before: it is asked for every TABLE_MAP.
    ///
    /// # Errors
    /// As [`Self::name_here`].
    pub fn route(&mut self, database: &str, table: &str) -> Result<Option<Arc<str>>> {
        self.key.clear();
        self.key.extend([database, "\0", table]);
        if let Some(known) = self.known.get(&self.key) {
            return Ok(known.clone());
        }
        let here = self.name_here(database)?;
        let route = self.follows_table(here, table)?.then(|| Arc::from(here));
        if self.known.len() >= FILTER_NAMES_MAX {
            self.known.clear();
        }
        self.known.insert(self.key.clone(), route.clone());
        Ok(route)
    }
}

/// The names that databases here may have at the source, for who asks the source about them.
pub struct SourceNames(Rules);

impl SourceNames {
    /// By these rules.
    pub fn new(config: &FilterConfig) -> Self {
        Self(Rules::new(config, Flavor::MySql, false))
    }

    /// The names at the source of a database here, the likeliest first.
    pub fn of<'a>(&'a self, database: &'a str) -> Vec<&'a str> {
        self.0.names_at_source(database)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::schema::table::{Collation, Table};

    /// A source with `lower_case_table_names` = 1 that counts questions.
    #[derive(Default)]
    pub(super) struct Folding(pub(super) AtomicUsize);

    impl SourceSchema for Folding {
        fn table(&self, _: &str, _: &str) -> Result<Option<Table>> {
            Ok(None)
        }

        fn folds_table_names(&self) -> Result<bool> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(true)
        }

        fn database_collation(&self, _: &str) -> Result<Option<Collation>> {
            Ok(None)
        }
    }

    #[test]
    fn the_source_is_asked_only_where_case_makes_a_difference() {
        let source = Arc::new(Folding::default());
        let config = FilterConfig {
            do_db: vec!["Shop".into()],
            ..FilterConfig::default()
        };
        let mut filter = Filter::new(&config, Flavor::MySql, source.clone());
        assert_eq!(filter.route("Shop", "t").unwrap().as_deref(), Some("Shop"));
        assert_eq!(filter.route("other", "t").unwrap(), None);
        assert_eq!(source.0.load(Ordering::Relaxed), 0);
        for _ in 0..3 {
            assert_eq!(filter.route("shop", "t").unwrap().as_deref(), Some("shop"));
        }
        assert_eq!(source.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn without_rules_everything_is_followed() {
        let mut filter = Filter::new(
            &FilterConfig::default(),
            Flavor::MySql,
            Arc::new(Folding::default()),
        );
        assert_eq!(filter.route("d", "t").unwrap().as_deref(), Some("d"));
        assert!(filter.follows_database("d").unwrap());
    }
}
