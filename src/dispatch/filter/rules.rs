//! The rules themselves: names to yes or no. Pure.
//!
//! In the order of MySQL's manual ("How Servers Evaluate Replication Filtering Rules") and of `sql/rpl_filter.cc` of both
//! servers (`db_ok`, `tables_ok`), for row events:
//! 1. `replicate_rewrite_db` gives the database its name here; everything below sees that name.
//! 2. With `replicate_do_db`, a database that is not in it is left out, and `replicate_ignore_db` is not looked at. Without, a
//!    database that is in `replicate_ignore_db` is left out.
//! 3. The first of these that has the table decides: do_table (yes), ignore_table (no), wild_do_table (yes),
//!    wild_ignore_table (no).
//! 4. A table that none has is left out when there is a do_table or a wild_do_table, and followed otherwise.
//!
//! The case of names counts unless the source's `lower_case_table_names` says otherwise. A MariaDB server goes by that
//! for databases only, and never minds the case in rules about tables (tried on 10.11); MySQL goes by it everywhere (tried
//! on 9.7). Here it is as with the source's own family.

use super::wild::{folded, matches};
use crate::binlog::flavor::Flavor;
use crate::config::filter::FilterConfig;

/// The rules, with the case of names as they are compared.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    config: FilterConfig,
    fold_databases: bool,
    fold_tables: bool,
}

impl Rules {
    /// Rules of a source that minds the case of names, or does not.
    pub(super) fn new(config: &FilterConfig, flavor: Flavor, fold: bool) -> Self {
        Self {
            config: config.clone(),
            fold_databases: fold,
            fold_tables: fold || flavor == Flavor::MariaDb,
        }
    }

    fn has_database(&self, names: &[String], name: &str) -> bool {
        names
            .iter()
            .any(|known| same(known, name, self.fold_databases))
    }

    fn has_table(&self, names: &[String], name: &str) -> bool {
        names
            .iter()
            .any(|known| same(known, name, self.fold_tables))
    }

    fn has_like(&self, patterns: &[String], name: &str) -> bool {
        patterns
            .iter()
            .any(|pattern| matches(pattern, name, self.fold_tables))
    }

    /// Whether any database has another name here.
    pub(super) fn renames_databases(&self) -> bool {
        !self.config.rewrite_db.is_empty()
    }

    /// The name here of a database of the source.
    pub(super) fn name_here<'a>(&'a self, database: &'a str) -> &'a str {
        let rule = self
            .config
            .rewrite_db
            .iter()
            .find(|(from, _)| same(from, database, self.fold_databases));
        rule.map_or(database, |(_, to)| to)
    }

    /// Step 2, by the name here.
    fn follows_by_database(&self, database: &str) -> bool {
        if self.config.do_db.is_empty() {
            !self.has_database(&self.config.ignore_db, database)
        } else {
            self.has_database(&self.config.do_db, database)
        }
    }

    /// Whether a table is followed, by the name of its database here.
    pub(super) fn follows_table(&self, database: &str, table: &str) -> bool {
        if !self.follows_by_database(database) {
            return false;
        }
        let config = &self.config;
        let name = format!("{database}.{table}");
        if self.has_table(&config.do_table, &name) {
            return true;
        }
        if self.has_table(&config.ignore_table, &name) {
            return false;
        }
        if self.has_like(&config.wild_do_table, &name) {
            return true;
        }
        if self.has_like(&config.wild_ignore_table, &name) {
            return false;
        }
        self.follows_by_default()
    }

    fn follows_by_default(&self) -> bool {
        self.config.do_table.is_empty() && self.config.wild_do_table.is_empty()
    }

    /// Whether a database has a place here: a table of it could be followed. The servers ask less for CREATE DATABASE
    /// (`db_ok_with_wild_table`: `DATABASE.` is held against the wild patterns); a database that can hold nothing is not
    /// made here.
    pub(super) fn follows_database(&self, database: &str) -> bool {
        if !self.follows_by_database(database) {
            return false;
        }
        let config = &self.config;
        let named = |name: &String| {
            name.split_once('.')
                .is_some_and(|(known, _)| same(known, database, self.fold_tables))
        };
        if config.do_table.iter().any(named) {
            return true;
        }
        // The part before a dot fits. (That `%` may reach over the dot makes room for tables with a dot in their name:
        // their databases come into being with their first row.)
        let here = format!("{database}.");
        let fits = |pattern: &String| {
            let dots = pattern.match_indices('.').map(|(at, dot)| at + dot.len());
            dots.filter_map(|end| pattern.get(..end))
                .any(|head| matches(head, &here, self.fold_tables))
        };
        if config.wild_do_table.iter().any(fits) {
            return true;
        }
        self.follows_by_default() && !self.has_like(&config.wild_ignore_table, &here)
    }

    /// The names at the source of a database here.
    pub(super) fn names_at_source<'a>(&'a self, database: &'a str) -> Vec<&'a str> {
        let mut names: Vec<&str> = self
            .config
            .rewrite_db
            .iter()
            .filter(|(_, to)| to == database)
            .map(|(from, _)| from.as_str())
            .collect();
        if self.name_here(database) == database {
            names.push(database);
        }
        names
    }
}

fn same(a: &str, b: &str, fold: bool) -> bool {
    folded(a, fold) == folded(b, fold)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &str) -> Vec<String> {
        list.split_whitespace().map(str::to_owned).collect()
    }

    fn rules(config: FilterConfig) -> Rules {
        Rules::new(&config, Flavor::MySql, false)
    }

    /// `d.t` of those given that are followed.
    fn followed(rules: &Rules, tables: &str) -> String {
        let all = names(tables);
        let kept = all.iter().filter(|name| {
            let (database, table) = name.split_once('.').unwrap();
            rules.follows_table(rules.name_here(database), table)
        });
        kept.cloned().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn databases_come_first_and_do_wins() {
        let only = rules(FilterConfig {
            do_db: names("a b"),
            ignore_db: names("a"),
            do_table: names("a.t c.t"),
            ..FilterConfig::default()
        });
        assert_eq!(followed(&only, "a.t a.u b.t c.t"), "a.t");
        let without = rules(FilterConfig {
            ignore_db: names("a"),
            do_table: names("a.t"),
            ignore_table: names("b.t"),
            ..FilterConfig::default()
        });
        assert_eq!(followed(&without, "a.t b.t b.u"), "");
    }

    #[test]
    fn the_first_list_that_has_the_table_decides() {
        let mixed = rules(FilterConfig {
            do_table: names("a.one"),
            ignore_table: names("a.one a.two"),
            wild_do_table: names("a.t%"),
            wild_ignore_table: names("a.%"),
            ..FilterConfig::default()
        });
        assert_eq!(
            followed(&mixed, "a.one a.two a.three a.four b.x"),
            "a.one a.three"
        );
        let ignoring = rules(FilterConfig {
            ignore_table: names("a.t"),
            wild_ignore_table: names("%.\\_%"),
            ..FilterConfig::default()
        });
        assert_eq!(followed(&ignoring, "a.t a._t b.t b._x"), "b.t");
    }

    #[test]
    fn rewriting_comes_before_the_rules() {
        let rules = rules(FilterConfig {
            rewrite_db: vec![("old".into(), "new".into())],
            do_db: names("new"),
            ..FilterConfig::default()
        });
        assert_eq!(followed(&rules, "old.t new.t other.t"), "old.t new.t");
        assert_eq!(rules.names_at_source("new"), ["old", "new"]);
        assert!(rules.names_at_source("old").is_empty());
    }

    #[test]
    fn a_database_that_can_hold_nothing_has_no_place() {
        let by_table = rules(FilterConfig {
            do_table: names("a.t"),
            wild_do_table: names("b%.t c\\_.% %z.t"),
            ..FilterConfig::default()
        });
        for (database, wanted) in [
            ("a", true),
            ("b", true),
            ("bb", true),
            ("c_", true),
            ("cx", false),
            ("xyz", true),
            ("xzy", false),
            ("d", false),
        ] {
            assert_eq!(by_table.follows_database(database), wanted, "{database}");
        }
        let ignoring = rules(FilterConfig {
            ignore_db: names("a"),
            wild_ignore_table: names("b.% c.t%"),
            ..FilterConfig::default()
        });
        assert!(!ignoring.follows_database("a") && !ignoring.follows_database("b"));
        assert!(ignoring.follows_database("c") && ignoring.follows_database("d"));
    }

    #[test]
    fn case_counts_where_the_source_says_so() {
        let config = FilterConfig {
            do_table: names("Shop.Item"),
            rewrite_db: vec![("Old".into(), "Shop".into())],
            ..FilterConfig::default()
        };
        for flavor in [Flavor::MySql, Flavor::MariaDb] {
            let minding = Rules::new(&config, flavor, false);
            assert_eq!(
                minding.follows_table("shop", "item"),
                flavor == Flavor::MariaDb
            );
            assert_eq!(minding.name_here("old"), "old");
            let folding = Rules::new(&config, flavor, true);
            assert!(folding.follows_table("shop", "item"));
            assert_eq!(folding.name_here("old"), "Shop");
        }
    }
}
