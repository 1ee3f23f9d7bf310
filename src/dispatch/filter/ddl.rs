//! What is left of a DDL statement under the rules.
//!
//! Each table that a statement names is asked for by itself, after databases have got their names here. What a
//! statement does to tables that are left out is passed over; the rest is done as if the others were not named.

use std::borrow::Cow;

use super::Filter;
use super::rewrite::{quoted, rewritten};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::ddl::statement::AlterAction;
use crate::schema::ddl::{SqlContext, Statement, TableName};

/// What of a statement is followed.
#[derive(Debug, PartialEq)]
pub enum Scope {
    /// All of it.
    All,
    /// Nothing.
    Nothing,
    /// This in its place, also as text.
    Part(Statement, String),
}

impl Filter {
    /// A statement's text with the names that databases have here; `None` when it stays as it is.
    ///
    /// # Errors
    /// As [`Self::name_here`].
    pub fn rewritten(&self, text: &str, context: &SqlContext) -> Result<Option<String>> {
        rewritten(text, context, |name| {
            let here = self.name_here(name)?;
            Ok((here != name).then(|| here.to_owned()))
        })
    }

    /// What of a statement is followed; names are those here.
    ///
    /// # Errors
    /// `Unsupported` when a table comes into scope whose rows are not here, or what is left cannot be done by itself.
    pub fn scope(&self, statement: &Statement, default: &str) -> Result<Scope> {
        if self.rules.is_none() {
            return Ok(Scope::All);
        }
        let follows = |table: &TableName| self.follows_table(table.database(default), &table.name);
        match statement {
            Statement::DropTables { tables, if_exists } => {
                let mut kept = Vec::new();
                for table in tables {
                    if follows(table)? {
                        kept.push(table.clone());
                    }
                }
                Ok(match kept.len() {
                    0 => Scope::Nothing,
                    n if n == tables.len() => Scope::All,
                    _ => drop_tables(kept, *if_exists),
                })
            }
            Statement::RenameTables(pairs) => self.renames(pairs, default),
            Statement::AlterTable(alter) => {
                let renamed = alter.actions.iter().rev().find_map(|action| match action {
                    AlterAction::RenameTable(to) => Some(to),
                    _ => None,
                });
                if let Some(to) = renamed {
                    return self.alter_with_rename(&alter.table, to, default);
                }
                let follows_it = follows(&alter.table)?;
                for action in &alter.actions {
                    if let AlterAction::PartitionRows {
                        with: Some(other), ..
                    } = action
                        && follows(other)? != follows_it
                    {
                        return Err(exchanges_with_unknown(other.database(default), &other.name));
                    }
                }
                Ok(if follows_it {
                    Scope::All
                } else {
                    Scope::Nothing
                })
            }
            Statement::CreateTable(create) => {
                let follows_it = follows(&create.table)?;
                match &create.like {
                    Some(model) if follows_it && !follows(model)? => {
                        Err(made_like_unknown(&create.table, model, default))
                    }
                    _ => one(follows_it),
                }
            }
            Statement::Truncate(table) => one(follows(table)?),
            Statement::CreateDatabase { name, .. } | Statement::DropDatabase { name, .. } => {
                one(self.follows_database(name)?)
            }
            Statement::AlterDatabase { name, .. } => {
                one(self.follows_database(name.as_deref().unwrap_or(default))?)
            }
            _ => Ok(Scope::All),
        }
    }

    fn alter_with_rename(&self, from: &TableName, to: &TableName, default: &str) -> Result<Scope> {
        let follows = |table: &TableName| self.follows_table(table.database(default), &table.name);
        match (follows(from)?, follows(to)?) {
            (true, true) => Ok(Scope::All),
            (false, false) => Ok(Scope::Nothing),
            (true, false) => Ok(drop_tables(vec![from.clone()], true)),
            (false, true) => Err(comes_into_scope(from, to, default)),
        }
    }

    /// A table that leaves the scope is dropped here: the source has it no longer under a name that is followed.
    fn renames(&self, pairs: &[(TableName, TableName)], default: &str) -> Result<Scope> {
        let follows = |table: &TableName| self.follows_table(table.database(default), &table.name);
        let (mut stays, mut leaves, mut others) = (Vec::new(), Vec::new(), 0);
        for (from, to) in whole_ways(pairs, default) {
            match (follows(&from)?, follows(&to)?) {
                (true, true) => stays.push((from, to)),
                (true, false) => leaves.push(from),
                (false, false) => others += 1,
                (false, true) => return Err(comes_into_scope(&from, &to, default)),
            }
        }
        match (stays.is_empty(), leaves.is_empty()) {
            (true, true) => Ok(Scope::Nothing),
            (true, false) => Ok(drop_tables(leaves, true)),
            // Names that are passed through do not matter.
            (false, true) if others == 0 => Ok(Scope::All),
            (false, true) => self.renames_left(pairs, default),
            (false, false) => Err(Error::new(
                ErrorKind::Unsupported,
                "one RENAME TABLE takes one table out of what is followed and renames another: it cannot be followed in one \
                 step; let the replicate_ rules name both names, or rename in two statements",
            )),
        }
    }

    /// The steps that are about tables which are followed, when no table changes sides.
    fn renames_left(&self, pairs: &[(TableName, TableName)], default: &str) -> Result<Scope> {
        let mut kept = Vec::new();
        for (from, to) in pairs {
            let from_follows = self.follows_table(from.database(default), &from.name)?;
            let to_follows = self.follows_table(to.database(default), &to.name)?;
            match (from_follows, to_follows) {
                (true, true) => kept.push((from.clone(), to.clone())),
                (false, false) => {}
                _ => {
                    return Err(Error::new(
                        ErrorKind::Unsupported,
                        "one RENAME TABLE swaps tables that are followed by way of a name that is not, beside tables that are \
                         not followed: let the replicate_ rules name all of them",
                    ));
                }
            }
        }
        let steps: Vec<String> = kept
            .iter()
            .map(|(from, to)| format!("{} TO {}", table_text(from), table_text(to)))
            .collect();
        let text = format!("RENAME TABLE {}", steps.join(", "));
        Ok(Scope::Part(Statement::RenameTables(kept), text))
    }
}

fn one(follows: bool) -> Result<Scope> {
    Ok(if follows { Scope::All } else { Scope::Nothing })
}

/// The decision about a table that is renamed into scope: its rows were never sent here, so whatever came next would
/// be about rows that are missing. THE place to change when tables can be copied afresh.
fn comes_into_scope(from: &TableName, to: &TableName, default: &str) -> Error {
    let (old, new) = (shown(from, default), shown(to, default));
    Error::new(
        ErrorKind::Unsupported,
        format!(
            "{old}, which the replicate_ rules leave out, is now called {new}, which they follow: its rows are not here. \
             To go on without it, add {new} to replicate_ignore_table; to have it, start an empty target with rules that \
             follow {old} too"
        ),
    )
    .at_table(to.database(default), &to.name)
}

fn made_like_unknown(table: &TableName, model: &TableName, default: &str) -> Error {
    let (new, old) = (shown(table, default), shown(model, default));
    Error::new(
        ErrorKind::Unsupported,
        format!(
            "{new} is made like {old}, which the replicate_ rules leave out: its definition is not here. To go on without \
             it, add {new} to replicate_ignore_table; to have it, start an empty target with rules that follow {old} too"
        ),
    )
    .at_table(table.database(default), &table.name)
}

fn exchanges_with_unknown(database: &str, table: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "a partition changes places with a table of which only one side is followed: its rows are not here; let the \
         replicate_ rules follow both tables or neither",
    )
    .at_table(database, table)
}

fn shown(table: &TableName, default: &str) -> String {
    format!("{}.{}", table.database(default), table.name)
}

fn table_text(table: &TableName) -> String {
    let database = table
        .database
        .as_deref()
        .map(|name| format!("{}.", quoted(name)));
    format!("{}{}", database.unwrap_or_default(), quoted(&table.name))
}

fn drop_tables(tables: Vec<TableName>, if_exists: bool) -> Scope {
    let names: Vec<String> = tables.iter().map(table_text).collect();
    let condition = if if_exists { "IF EXISTS " } else { "" };
    let text = format!("DROP TABLE {condition}{}", names.join(", "));
    Scope::Part(Statement::DropTables { if_exists, tables }, text)
}

/// From where to where each table goes in all steps together.
fn whole_ways(pairs: &[(TableName, TableName)], default: &str) -> Vec<(TableName, TableName)> {
    let full = |table: &TableName| {
        (
            Cow::Owned::<str>(table.database(default).to_owned()),
            table.name.clone(),
        )
    };
    let mut ways: Vec<(TableName, TableName)> = Vec::new();
    for (from, to) in pairs {
        match ways.iter_mut().find(|(_, at)| full(at) == full(from)) {
            Some((_, at)) => *at = to.clone(),
            None => ways.push((from.clone(), to.clone())),
        }
    }
    ways
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::tests::Folding;
    use super::*;
    use crate::config::filter::FilterConfig;
    use crate::schema::ddl::{Flavor, parse};

    /// Everything but `d._%` and database `x`.
    fn scope(sql: &str) -> Result<Scope> {
        let config = FilterConfig {
            ignore_db: vec!["x".into()],
            wild_ignore_table: vec!["d.\\_%".into()],
            ..FilterConfig::default()
        };
        let statement = parse(sql, &SqlContext::new(Flavor::MySql, 80_036, "d")).unwrap();
        Filter::new(&config, Flavor::MySql, Arc::new(Folding::default())).scope(&statement, "d")
    }

    fn part(sql: &str) -> String {
        match scope(sql).unwrap() {
            Scope::Part(statement, text) => {
                let context = SqlContext::new(Flavor::MySql, 80_036, "d");
                assert_eq!(parse(&text, &context).unwrap(), statement);
                text
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_table_counts_by_itself() {
        for sql in [
            "CREATE TABLE _t (a INT)",
            "ALTER TABLE x.t ADD a INT",
            "TRUNCATE _t",
            "DROP TABLE _a, x.b",
            "CREATE DATABASE x",
            "DROP DATABASE x",
            "RENAME TABLE _a TO _b, x.c TO x.d",
            "ALTER TABLE _t RENAME x.t",
        ] {
            assert_eq!(scope(sql).unwrap(), Scope::Nothing, "{sql}");
        }
        for sql in [
            "CREATE TABLE t (a INT)",
            "DROP TABLE a, y.b",
            "CREATE DATABASE y",
            "RENAME TABLE a TO b",
            "RENAME TABLE a TO _swap, b TO a, _swap TO b",
            "ALTER TABLE a RENAME b",
        ] {
            assert_eq!(scope(sql).unwrap(), Scope::All, "{sql}");
        }
        assert_eq!(
            part("DROP TABLE IF EXISTS a, _b, x.c, y.`d``e`"),
            "DROP TABLE IF EXISTS `a`, `y`.`d``e`"
        );
        assert_eq!(
            part("RENAME TABLE a TO b, _a TO _b"),
            "RENAME TABLE `a` TO `b`"
        );
    }

    #[test]
    fn a_table_that_leaves_is_dropped() {
        assert_eq!(
            part("RENAME TABLE a TO _a, y.b TO x.b"),
            "DROP TABLE IF EXISTS `a`, `y`.`b`"
        );
        assert_eq!(
            part("ALTER TABLE a ADD c INT, RENAME _a"),
            "DROP TABLE IF EXISTS `a`"
        );
    }

    #[test]
    fn a_table_that_comes_stops_with_a_cure() {
        for sql in [
            "RENAME TABLE t TO _t_del, _t_gho TO t",
            "ALTER TABLE x.t RENAME t",
            "RENAME TABLE _a TO _b, _b TO t",
        ] {
            let error = scope(sql).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert!(
                error.what().contains("add d.t to replicate_ignore_table"),
                "{error}"
            );
        }
        for sql in [
            "RENAME TABLE a TO _a, b TO a",
            "CREATE TABLE a LIKE x.b",
            "ALTER TABLE a EXCHANGE PARTITION p WITH TABLE _a",
        ] {
            let error = scope(sql).unwrap_err();
            assert!(error.what().contains("replicate_"), "{sql}: {error}");
        }
    }
}
