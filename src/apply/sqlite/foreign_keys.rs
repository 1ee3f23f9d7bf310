//! The foreign keys of one file, as what a change of a parent row does to child rows.
//!
//! Only keys that act count (CASCADE, SET NULL); InnoDB takes SET DEFAULT for RESTRICT. Made from the catalog when a
//! writer is made, and forgotten with the writers at every DDL. Parents are looked up by name each time, so a key whose
//! parent is dropped does nothing until a table of that name is made, as on the source.

use std::collections::{HashMap, HashSet};

use rusqlite::Connection;

use super::catalog::{Catalog, Entry};
use super::generated::GeneratedColumns;
use super::key_match::KeyMatch;
use super::link_sql::{LinkSql, Refusal};
use super::spellings::SpelledKey;
use crate::apply::apart;
use crate::decode::rows::{FLAG_SQL_FOREIGN_KEYS, FLAG_STMT_END, keys_act_silently};
use crate::error::Result;
use crate::schema::sqlite;
use crate::schema::table::{ForeignKey, KeyPart, Table};

/// What becomes of a child row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// Nothing: the source refuses the parent's change when there is a child.
    Restrict,
    /// It goes with its parent, or takes its new key.
    Cascade,
    /// Its columns become NULL.
    SetNull,
}

impl Action {
    fn of(text: &str) -> Self {
        match text {
            "CASCADE" => Self::Cascade,
            "SET NULL" => Self::SetNull,
            _ => Self::Restrict,
        }
    }
}

/// All foreign keys of a file that act.
#[derive(Debug, Default)]
pub(super) struct ForeignKeys {
    parents: HashMap<String, Parent>,
    /// Tables whose rows may be deleted with a parent.
    deleted: HashSet<String>,
    /// Tables from which keys lead back to themselves.
    cyclic: HashSet<String>,
    /// Tables with a parent in another database, whose lane is another.
    apart: HashSet<String>,
    /// Keys whose children may spell them otherwise than their parents.
    spelled: Vec<SpelledKey>,
    /// Their places, by child.
    spelled_by: HashMap<String, Vec<usize>>,
}

/// A table that others refer to.
#[derive(Debug)]
pub(super) struct Parent {
    /// The columns that foreign keys refer to, ascending.
    pub(super) columns: Vec<usize>,
    /// The same, quoted, with commas.
    pub(super) list: String,
    /// In the order in which InnoDB looks at them: by name.
    pub(super) links: Vec<Link>,
}

/// One foreign key, seen from the parent.
#[derive(Debug)]
pub(super) struct Link {
    /// The child table.
    pub(super) child: String,
    /// ON DELETE.
    pub(super) on_delete: Action,
    /// ON UPDATE.
    pub(super) on_update: Action,
    /// The columns in the key's order.
    pub(super) columns: Vec<LinkColumn>,
    /// The statements, or why the child rows cannot be followed here.
    pub(super) sql: std::result::Result<LinkSql, Refusal>,
    /// The generated columns of the child.
    pub(super) generated: GeneratedColumns,
    /// Keys lead from the child back to the child: what becomes of one row may change which other rows match.
    pub(super) is_cyclic: bool,
    /// The place of the key among those that may be spelled otherwise.
    pub(super) spelled: Option<usize>,
}

/// One column of a foreign key.
#[derive(Debug)]
pub(super) struct LinkColumn {
    /// Where it stands in [`Parent::columns`].
    pub(super) parent: usize,
    /// Where it stands in the child.
    pub(super) child: usize,
    /// The child's column, quoted.
    pub(super) quoted: String,
    /// How it is compared.
    pub(super) by: KeyMatch,
}

/// A key whose parent is there.
struct Resolved<'a> {
    child: &'a Entry,
    key: &'a ForeignKey,
    parent_columns: Vec<usize>,
    child_columns: Vec<usize>,
    spelled: Option<usize>,
}

impl ForeignKeys {
    /// Those of a file.
    pub(super) fn of(catalog: &Catalog) -> Self {
        let mut keys = Self::default();
        let mut resolved: HashMap<&str, (&Table, Vec<Resolved<'_>>)> = HashMap::new();
        for child in catalog.entries() {
            for key in child.table.foreign_keys.iter().filter(|key| key.acts()) {
                if Action::of(&key.on_delete) == Action::Cascade {
                    keys.deleted.insert(child.table.name.clone());
                }
                if key.parent_database.is_some() {
                    keys.apart.insert(child.table.name.clone());
                }
                let parent = match key.parent_database {
                    None => catalog.get(&key.parent_table),
                    Some(_) => None,
                };
                if let Some(parent) = parent
                    && let Some(mut found) = Resolved::new(&parent.table, child, key)
                {
                    found.spelled = keys.add_spelled(parent, &found);
                    let table = parent.table.as_ref();
                    let known = resolved.entry(&table.name).or_insert((table, Vec::new()));
                    known.1.push(found);
                }
            }
        }
        let referenced: HashMap<&str, Vec<usize>> = resolved
            .iter()
            .map(|(name, (_, keys))| (*name, referenced_columns(keys)))
            .collect();
        for (name, (table, found)) in resolved {
            let parent = Parent::new(table, found, &referenced, &keys);
            keys.parents.insert(name.to_owned(), parent);
        }
        keys.mark_cycles();
        keys
    }

    fn add_spelled(&mut self, parent: &Entry, key: &Resolved<'_>) -> Option<usize> {
        let to = (parent, key.parent_columns.as_slice());
        let from = (key.child, key.child_columns.as_slice());
        let spelled = SpelledKey::new(to, from)?;
        let known = self
            .spelled
            .iter()
            .position(|known| known.is_same(&spelled));
        Some(known.unwrap_or_else(|| {
            let (place, child) = (self.spelled.len(), key.child.table.name.clone());
            self.spelled.push(spelled);
            self.spelled_by.entry(child).or_default().push(place);
            place
        }))
    }

    fn mark_cycles(&mut self) {
        let children = |parent: &str| -> Vec<&str> {
            let links = self.parents.get(parent).map_or(&[][..], |p| &p.links);
            links.iter().map(|link| link.child.as_str()).collect()
        };
        let is_cyclic = |table: &str| {
            let (mut seen, mut next) = (HashSet::new(), children(table));
            while let Some(child) = next.pop() {
                if child == table {
                    return true;
                }
                if seen.insert(child) {
                    next.extend(children(child));
                }
            }
            false
        };
        let cyclic: HashSet<String> = self
            .parents
            .keys()
            .filter(|table| is_cyclic(table))
            .cloned()
            .collect();
        for link in self.parents.values_mut().flat_map(|p| &mut p.links) {
            link.is_cyclic = cyclic.contains(&link.child);
        }
        self.cyclic = cyclic;
    }

    /// Whether no key acts.
    pub(super) fn is_empty(&self) -> bool {
        self.parents.is_empty() && self.deleted.is_empty() && self.apart.is_empty()
    }

    /// A table as a parent whose keys act here, because the source did what they ask for without a row event.
    pub(super) fn acting_parent(&self, table: &str, flags: u16) -> Option<&Parent> {
        self.parent(table).filter(|_| keys_act_silently(flags))
    }

    /// What follows from a change of this table.
    pub(super) fn parent(&self, table: &str) -> Option<&Parent> {
        self.parents.get(table)
    }

    /// Whether a source that logs cascades may log the same row of this table twice in one statement, and an event with
    /// these flags is not known to be behind all others of its kind.
    pub(super) fn may_come_twice(&self, table: &str, flags: u16) -> bool {
        let is_last = flags & FLAG_STMT_END != 0;
        flags & FLAG_SQL_FOREIGN_KEYS != 0
            && self.deletes(table)
            && (!is_last || self.cyclic.contains(table))
    }

    /// The table as a parent, where an event with these flags says that its keys do not act: they leave children behind that
    /// find no parent.
    pub(super) fn idle_parent(&self, table: &str, flags: u16) -> Option<&Parent> {
        self.parent(table).filter(|_| !keys_act_silently(flags))
    }

    /// Columns of a parent's row are about to change.
    pub(super) fn before_update(
        &self,
        connection: &Connection,
        parent: &Parent,
        columns: &[usize],
    ) -> Result<()> {
        if !parent.is_referenced(columns) {
            return Ok(());
        }
        let acting = parent.links.iter();
        let acting = acting.filter(|link| link.on_update != Action::Restrict);
        let mut spelled = acting.filter_map(|link| self.spelled(link));
        spelled.try_for_each(|key| key.before_parent(connection))
    }

    /// A row of a parent has changed, and its keys did not act.
    pub(super) fn leave_children(&self, connection: &Connection, parent: &Parent) -> Result<()> {
        let mut spelled = parent.links.iter().filter_map(|link| self.spelled(link));
        spelled.try_for_each(|key| key.stop_watching(connection))
    }

    /// The keys of a child that may be spelled otherwise than their parents'.
    pub(super) fn spelled_by(&self, child: &str) -> impl Iterator<Item = &SpelledKey> {
        let places = self.spelled_by.get(child).map_or(&[][..], Vec::as_slice);
        places.iter().filter_map(|place| self.spelled.get(*place))
    }

    /// The key of a link, where it may be spelled otherwise.
    pub(super) fn spelled(&self, link: &Link) -> Option<&SpelledKey> {
        self.spelled.get(link.spelled?)
    }

    /// Refuses a row event of a child whose parent is in another database, unless the source logs what foreign keys do:
    /// else rows of the child may have been changed without a word in its lane.
    pub(super) fn check_apart(&self, table: &str, flags: u16) -> Result<()> {
        if apart::is_silent(flags) && self.apart.contains(table) {
            return Err(apart::error());
        }
        Ok(())
    }

    /// Whether rows of this table may go with a parent's.
    pub(super) fn deletes(&self, table: &str) -> bool {
        self.deleted.contains(table)
    }
}

/// Tables whose primary key is SQLite's rowid, and may be given a number by a foreign key that does not fit there.
pub(super) fn outgrowing(catalog: &Catalog) -> Vec<String> {
    let may_outgrow = |entry: &&Entry| {
        let table = entry.table.as_ref();
        let Some(rowid) = sqlite::rowid_column(table).filter(|_| entry.rowid_alias) else {
            return false;
        };
        let has = |key: &ForeignKey| {
            let mut places = key.columns.iter().map(|name| table.column_index(name));
            places.any(|place| place == Some(rowid))
        };
        sqlite::is_unsigned_bigint(table, rowid)
            && table
                .foreign_keys
                .iter()
                .any(|key| Action::of(&key.on_update) == Action::Cascade && has(key))
    };
    let found = catalog.entries().filter(may_outgrow);
    found.map(|entry| entry.table.name.clone()).collect()
}

/// The tables whose rows keys change along with those of `table`, level by level, itself aside.
pub(super) fn dependents(catalog: &Catalog, table: &str) -> Vec<String> {
    let refers = |child: &Table, parent: &str| {
        let mut keys = child.foreign_keys.iter();
        keys.any(|key| key.acts() && key.parent_database.is_none() && key.parent_table == parent)
    };
    apart::below(table, |parent| {
        let children = catalog.entries().map(|entry| &entry.table);
        let children = children.filter(|child| refers(child, parent));
        children.map(|child| child.name.clone()).collect()
    })
}

/// The columns that tell a row of this table from others, for [`super::taken_rows`].
pub(super) fn identity(table: &Table) -> Vec<usize> {
    let key = sqlite::lookup_keys(table).into_iter().next();
    let columns = table.columns.iter().enumerate();
    let given = columns.filter(|(_, column)| column.generated.is_none());
    key.unwrap_or_else(|| given.map(|(at, _)| at).collect())
}

impl<'a> Resolved<'a> {
    /// `None` where a column is not there: then the source cannot use the key either.
    fn new(parent: &Table, child: &'a Entry, key: &'a ForeignKey) -> Option<Self> {
        let places = |table: &Table, names: &[String]| -> Option<Vec<usize>> {
            names.iter().map(|name| table.column_index(name)).collect()
        };
        // `REFERENCES parent` alone means the parent's primary key.
        let parent_columns = match key.parent_columns.is_empty() {
            false => places(parent, &key.parent_columns)?,
            true => {
                let parts = parent.primary_key.iter();
                let place = |part: &KeyPart| parent.column_index(part.column()?);
                parts.map(place).collect::<Option<_>>()?
            }
        };
        let child_columns = places(&child.table, &key.columns)?;
        (parent_columns.len() == child_columns.len()).then_some(Self {
            child,
            key,
            parent_columns,
            child_columns,
            spelled: None,
        })
    }
}

fn referenced_columns(keys: &[Resolved<'_>]) -> Vec<usize> {
    let mut columns: Vec<usize> = keys
        .iter()
        .flat_map(|key| key.parent_columns.iter().copied())
        .collect();
    columns.sort_unstable();
    columns.dedup();
    columns
}

impl Parent {
    /// Whether a foreign key refers to one of these columns.
    pub(super) fn is_referenced(&self, changed: &[usize]) -> bool {
        changed
            .iter()
            .any(|at| self.columns.binary_search(at).is_ok())
    }

    fn new(
        table: &Table,
        mut keys: Vec<Resolved<'_>>,
        referenced: &HashMap<&str, Vec<usize>>,
        all: &ForeignKeys,
    ) -> Self {
        keys.sort_by(|a, b| a.key.name.cmp(&b.key.name));
        let columns = referenced_columns(&keys);
        let links = keys
            .iter()
            .map(|key| {
                let name = key.child.table.name.as_str();
                let below = referenced.get(name).map_or(&[][..], Vec::as_slice);
                Link::new(table, &columns, key, below, all)
            })
            .collect();
        let names = columns.iter().filter_map(|at| table.columns.get(*at));
        let names: Vec<String> = names
            .map(|column| sqlite::quote_identifier(&column.name))
            .collect();
        Self {
            list: names.join(", "),
            columns,
            links,
        }
    }
}

impl Link {
    /// `below` are the columns of the child that others refer to.
    fn new(
        parent: &Table,
        parent_columns: &[usize],
        key: &Resolved<'_>,
        below: &[usize],
        all: &ForeignKeys,
    ) -> Self {
        let child = key.child.table.as_ref();
        let mut columns = Vec::new();
        let mut refused = None;
        for (p, c) in key.parent_columns.iter().zip(&key.child_columns) {
            let (Some(theirs), Some(ours)) = (parent.columns.get(*p), child.columns.get(*c)) else {
                continue;
            };
            let by = KeyMatch::new(theirs, ours).unwrap_or_else(|why| {
                refused = Some(why);
                KeyMatch::Exact
            });
            columns.push(LinkColumn {
                parent: parent_columns.binary_search(p).unwrap_or_default(),
                child: *c,
                quoted: sqlite::quote_identifier(&ours.name),
                by,
            });
        }
        if child.system_period.is_some() {
            refused = Some("the child keeps its history (WITH SYSTEM VERSIONING)".to_owned());
        }
        let sql = match refused {
            Some(why) => Err(why),
            None => {
                let is_noted = all.deleted.contains(&child.name);
                let is_spelled = all.spelled_by.contains_key(&child.name);
                LinkSql::new(key.child, &columns, below, is_noted, is_spelled)
                    .map_err(|error| error.full_text())
            }
        };
        Self {
            child: child.name.clone(),
            on_delete: Action::of(&key.key.on_delete),
            on_update: Action::of(&key.key.on_update),
            sql: sql.map_err(|why| Refusal::new(why, key.child, &columns)),
            generated: GeneratedColumns::of(child),
            is_cyclic: false,
            spelled: key.spelled,
            columns,
        }
    }
}
