//! Which databases and tables are followed, and under which names: the `replicate_*` settings, checked.
//!
//! The keys and their meaning are MySQL's (manual, "Replica Server Options and Variables" and "How Servers Evaluate
//! Replication Filtering Rules"; MariaDB's "Replication Filters" are the same). `dispatch::filter` evaluates them.
//! As with MySQL's options, a flag gives one name and may be given often; a comma is part of the name there. The environment
//! has one variable a key, and separates names by commas.

use super::layer::Layer;
use crate::error::{Error, ErrorKind, Result};

/// What every server has for itself. Nothing may be written there.
const SYSTEM_DATABASES: [&str; 4] = ["mysql", "information_schema", "performance_schema", "sys"];

/// The settings, each list in the order in which it was given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FilterConfig {
    /// `replicate_do_db`: only these databases.
    pub do_db: Vec<String>,
    /// `replicate_ignore_db`: all but these databases.
    pub ignore_db: Vec<String>,
    /// `replicate_do_table`: `DATABASE.TABLE`.
    pub do_table: Vec<String>,
    /// `replicate_ignore_table`: `DATABASE.TABLE`.
    pub ignore_table: Vec<String>,
    /// `replicate_wild_do_table`: patterns with `%` and `_` over `DATABASE.TABLE`.
    pub wild_do_table: Vec<String>,
    /// `replicate_wild_ignore_table`.
    pub wild_ignore_table: Vec<String>,
    /// `replicate_rewrite_db`: the source's name of a database and ours.
    pub rewrite_db: Vec<(String, String)>,
}

impl FilterConfig {
    /// Checks merged settings.
    ///
    /// # Errors
    /// `Config` that names the setting and what to write.
    pub fn from_layer(layer: &Layer) -> Result<Self> {
        Ok(Self {
            do_db: databases("replicate_do_db", layer.replicate_do_db.as_deref())?,
            ignore_db: databases("replicate_ignore_db", layer.replicate_ignore_db.as_deref())?,
            do_table: tables("replicate_do_table", layer.replicate_do_table.as_deref())?,
            ignore_table: tables(
                "replicate_ignore_table",
                layer.replicate_ignore_table.as_deref(),
            )?,
            wild_do_table: tables(
                "replicate_wild_do_table",
                layer.replicate_wild_do_table.as_deref(),
            )?,
            wild_ignore_table: tables(
                "replicate_wild_ignore_table",
                layer.replicate_wild_ignore_table.as_deref(),
            )?,
            rewrite_db: rewrites(layer.replicate_rewrite_db.as_deref())?,
        })
    }

    /// Whether everything is followed under its own name.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What can hardly be meant, each in a sentence. Not an error for a server either.
    pub fn doubts(&self) -> Vec<String> {
        let mut doubts = Vec::new();
        if !self.do_db.is_empty() && !self.ignore_db.is_empty() {
            doubts.push(
                "replicate_ignore_db has no effect beside replicate_do_db, which decides alone"
                    .into(),
            );
        }
        for (stronger, names, weaker, others) in [
            (
                "replicate_do_table",
                &self.do_table,
                "replicate_ignore_table",
                &self.ignore_table,
            ),
            (
                "replicate_wild_do_table",
                &self.wild_do_table,
                "replicate_wild_ignore_table",
                &self.wild_ignore_table,
            ),
        ] {
            for name in names.iter().filter(|name| others.contains(name)) {
                doubts.push(format!(
                    "`{name}` is in {weaker} and in {stronger}, which wins"
                ));
            }
        }
        for (key, names) in self.lists() {
            for name in names.iter().filter(|name| name.contains(',')) {
                doubts.push(format!(
                    "{key} names `{name}`: a comma does not separate names there; give the setting once for each name"
                ));
            }
        }
        for table in self.do_table.iter().chain(&self.wild_do_table) {
            let database = table.split('.').next().unwrap_or_default();
            let is_plain = !database.contains(['%', '_', '\\']);
            let excluded = if self.do_db.is_empty() {
                self.ignore_db.iter().any(|name| name == database)
            } else {
                !self.do_db.iter().any(|name| name == database)
            };
            if is_plain && excluded {
                doubts.push(format!(
                    "`{table}` can never be followed: the rules for databases come first and leave `{database}` out"
                ));
            }
        }
        doubts.extend(self.rewrites_in_doubt());
        doubts
    }

    fn rewrites_in_doubt(&self) -> Vec<String> {
        let mut doubts = Vec::new();
        for (at, (from, to)) in self.rewrite_db.iter().enumerate() {
            let earlier = self.rewrite_db.get(..at).unwrap_or_default();
            if earlier.iter().any(|(_, other)| other == to) {
                doubts.push(format!(
                    "replicate_rewrite_db writes several databases into `{to}`: tables of the same name become one there"
                ));
            }
            let named = |names: &[String]| names.iter().any(|name| name == from);
            if named(&self.do_db) || named(&self.ignore_db) {
                doubts.push(format!(
                    "replicate_rewrite_db makes `{to}` of `{from}` before the other rules are looked at: name `{to}` in them"
                ));
            }
        }
        doubts
    }

    /// The lists of names, with their keys.
    pub fn lists(&self) -> [(&'static str, &[String]); 6] {
        [
            ("replicate_do_db", &self.do_db),
            ("replicate_ignore_db", &self.ignore_db),
            ("replicate_do_table", &self.do_table),
            ("replicate_ignore_table", &self.ignore_table),
            ("replicate_wild_do_table", &self.wild_do_table),
            ("replicate_wild_ignore_table", &self.wild_ignore_table),
        ]
    }
}

fn databases(key: &str, names: Option<&[String]>) -> Result<Vec<String>> {
    let names = names.unwrap_or_default();
    if names.iter().any(String::is_empty) {
        return Err(invalid(key, "names a database without a name"));
    }
    Ok(names.to_vec())
}

fn tables(key: &str, names: Option<&[String]>) -> Result<Vec<String>> {
    let names = names.unwrap_or_default();
    for name in names {
        match name.split_once('.') {
            Some((database, table)) if !database.is_empty() && !table.is_empty() => {}
            _ => {
                let why = format!("has `{name}`, which is not of the form DATABASE.TABLE");
                return Err(invalid(key, &why));
            }
        }
    }
    Ok(names.to_vec())
}

fn rewrites(rules: Option<&[String]>) -> Result<Vec<(String, String)>> {
    const KEY: &str = "replicate_rewrite_db";
    let mut all: Vec<(String, String)> = Vec::new();
    for rule in rules.unwrap_or_default() {
        let (from, to) = rule.split_once("->").unwrap_or_default();
        let (from, to) = (from.trim(), to.trim());
        if from.is_empty() || to.is_empty() {
            let why = format!("has `{rule}`, which is not of the form FROM->TO");
            return Err(invalid(KEY, &why));
        }
        if SYSTEM_DATABASES
            .iter()
            .any(|name| name.eq_ignore_ascii_case(to))
        {
            let why = format!("would write into `{to}`, which belongs to the server itself");
            return Err(invalid(KEY, &why));
        }
        if all.iter().any(|(known, _)| known == from) {
            let why = format!("names `{from}` twice; one database goes to one place");
            return Err(invalid(KEY, &why));
        }
        all.push((from.to_owned(), to.to_owned()));
    }
    Ok(all)
}

fn invalid(key: &str, why: &str) -> Error {
    Error::new(ErrorKind::Config, format!("`{key}` {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(names: &[&str]) -> Option<Vec<String>> {
        Some(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        type Edit = fn(&mut Layer);
        let cases: [(&str, Edit); 6] = [
            ("`replicate_do_db`", |l| l.replicate_do_db = list(&[""])),
            ("`replicate_do_table`", |l| {
                l.replicate_do_table = list(&["t"])
            }),
            ("`replicate_wild_ignore_table`", |l| {
                l.replicate_wild_ignore_table = list(&["d%."]);
            }),
            ("`replicate_rewrite_db`", |l| {
                l.replicate_rewrite_db = list(&["a=b"])
            }),
            ("`replicate_rewrite_db`", |l| {
                l.replicate_rewrite_db = list(&["a->sys"])
            }),
            ("`replicate_rewrite_db`", |l| {
                l.replicate_rewrite_db = list(&["a->b", "a->c"]);
            }),
        ];
        for (name, edit) in cases {
            let mut layer = Layer::default();
            edit(&mut layer);
            let error = FilterConfig::from_layer(&layer).unwrap_err();
            assert!(error.what().starts_with(name), "{error}");
        }
    }

    #[test]
    fn doubts_are_said() {
        let layer = Layer {
            replicate_do_db: list(&["a", "b,c", "old"]),
            replicate_ignore_db: list(&["x"]),
            replicate_do_table: list(&["a.t", "z.t"]),
            replicate_ignore_table: list(&["a.t"]),
            replicate_rewrite_db: list(&[" old -> new ", "older->new"]),
            ..Layer::default()
        };
        let config = FilterConfig::from_layer(&layer).unwrap();
        assert_eq!(config.rewrite_db[0], ("old".into(), "new".into()));
        let doubts = config.doubts().join("\n");
        for part in [
            "replicate_ignore_db has no effect",
            "`a.t` is in replicate_ignore_table",
            "`b,c`: a comma",
            "`z.t` can never be followed",
            "several databases into `new`",
            "name `new` in them",
        ] {
            assert!(doubts.contains(part), "{part}: {doubts}");
        }
        assert!(FilterConfig::default().doubts().is_empty());
    }
}
