//! The foreign keys of one file, as what a change of a parent row does to child rows.
//!
//! Only keys that act count (CASCADE, SET NULL); InnoDB takes SET DEFAULT for RESTRICT. Made from the catalog when a
//! writer is made, and forgotten with the writers at every DDL. Parents are looked up by name each time, so a key whose
//! parent is dropped does nothing until a table of that name is made, as on the source.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use super::catalog::{Catalog, Entry};
use super::generated::GeneratedColumns;
use super::key_match::KeyMatch;
use super::row_finder::hash_sql;
use super::table_sql::TableSql;
use crate::config::limits::SQLITE_CASCADE_PAGE_ROWS;
use crate::decode::rows::{FLAG_SQL_FOREIGN_KEYS, FLAG_STMT_END, keys_act_silently};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::sqlite;
use crate::schema::table::{ForeignKey, Index, IndexKind, KeyPart, Table};

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

/// The statements of one foreign key.
#[derive(Debug)]
pub(super) struct LinkSql {
    /// Finds child rows: rowid, hash of the row's key or NULL, the key's columns, then the columns that others refer
    /// to. Parameters: one or two bounds for each column, the least rowid.
    pub(super) find: String,
    /// The same without the least rowid, in the order of the index that InnoDB reads.
    pub(super) find_in_order: String,
    /// Deletes the child row with a rowid.
    pub(super) delete: String,
    /// UPDATE of the child's table, up to what it sets.
    pub(super) update: String,
    /// The condition behind it, up to the parameter.
    pub(super) condition: String,
    /// What others refer to is returned behind it.
    pub(super) returning: String,
    /// How many columns others refer to.
    pub(super) referenced: usize,
}

/// Why a key cannot be followed.
#[derive(Debug)]
pub(super) struct Refusal {
    /// The reason.
    pub(super) why: String,
    /// Finds a row that it may matter to.
    pub(super) probe: String,
}

/// A key whose parent is there.
struct Resolved<'a> {
    child: &'a Entry,
    key: &'a ForeignKey,
    parent_columns: Vec<usize>,
    child_columns: Vec<usize>,
}

impl ForeignKeys {
    /// Those of a file.
    pub(super) fn of(catalog: &Catalog) -> Self {
        let mut keys = Self::default();
        let mut resolved: HashMap<&str, (&Table, Vec<Resolved<'_>>)> = HashMap::new();
        for child in catalog.entries() {
            for key in child.table.foreign_keys.iter().filter(|key| acts(key)) {
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
                    && let Some(found) = Resolved::new(&parent.table, child, key)
                {
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
            let parent = Parent::new(table, found, &referenced, &keys.deleted);
            keys.parents.insert(name.to_owned(), parent);
        }
        keys.mark_cycles();
        keys
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

    /// Refuses a row event of a child whose parent is in another database, unless the source logs what foreign keys do:
    /// else rows of the child may have been changed without a word in its lane.
    pub(super) fn check_apart(&self, table: &str, flags: u16) -> Result<()> {
        if flags & FLAG_SQL_FOREIGN_KEYS == 0 && self.apart.contains(table) {
            return Err(apart_error());
        }
        Ok(())
    }

    /// Whether rows of this table may go with a parent's.
    pub(super) fn deletes(&self, table: &str) -> bool {
        self.deleted.contains(table)
    }
}

/// The columns by which rows of equal keys follow each other in the index that InnoDB takes for a foreign key: the first
/// one that begins with its columns (`dict_foreign_find_index`), behind which stand those of the primary key.
fn index_rest(child: &Table, columns: &[LinkColumn]) -> Vec<usize> {
    let places = |parts: &[KeyPart]| -> Option<Vec<usize>> {
        let whole = |part: &KeyPart| match part {
            KeyPart::Column { name, .. } => child.column_index(name),
            _ => None,
        };
        parts.iter().map(whole).collect()
    };
    let unique = |index: &&Index| index.kind == IndexKind::Unique;
    let plain = |index: &&Index| index.kind == IndexKind::Plain;
    let all = child.indexes.iter();
    let parts = std::iter::once(&child.primary_key)
        .chain(all.clone().filter(unique).map(|index| &index.parts))
        .chain(all.filter(plain).map(|index| &index.parts));
    let begins = |places: &Vec<usize>| {
        places.len() >= columns.len() && columns.iter().zip(places).all(|(c, at)| c.child == *at)
    };
    let found = parts.filter_map(|parts| places(parts)).find(begins);
    let rest = found
        .into_iter()
        .flat_map(|places| places.into_iter().skip(columns.len()));
    rest.chain(places(&child.primary_key).unwrap_or_default())
        .collect()
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

/// Whether a key of the table acts on rows that refer to another database.
pub(super) fn is_apart(table: &Table) -> bool {
    let keys = table.foreign_keys.iter();
    keys.filter(|key| acts(key))
        .any(|key| key.parent_database.is_some())
}

/// Why a table is refused that [`is_apart`].
pub(super) fn apart_error() -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "a foreign key of this table (ON DELETE or ON UPDATE, CASCADE or SET NULL) refers to another database, and the \
         source does not log what such a key does to rows; on the source, make it RESTRICT, or on MySQL 9.6 or later set \
         innodb_native_foreign_keys=OFF",
    )
}

/// The tables whose rows keys change along with those of `table`, itself aside.
pub(super) fn dependents(catalog: &Catalog, table: &str) -> Vec<String> {
    let refers = |child: &Table| {
        child.name != table
            && child
                .foreign_keys
                .iter()
                .any(|key| acts(key) && key.parent_database.is_none() && key.parent_table == table)
    };
    catalog
        .entries()
        .filter(|entry| refers(&entry.table))
        .map(|entry| entry.table.name.clone())
        .collect()
}

/// Whether a key changes child rows.
fn acts(key: &ForeignKey) -> bool {
    let acts = |action: &str| Action::of(action) != Action::Restrict;
    acts(&key.on_delete) || acts(&key.on_update)
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
        deleted: &HashSet<String>,
    ) -> Self {
        keys.sort_by(|a, b| a.key.name.cmp(&b.key.name));
        let columns = referenced_columns(&keys);
        let links = keys
            .iter()
            .map(|key| {
                let name = key.child.table.name.as_str();
                let below = referenced.get(name).map_or(&[][..], Vec::as_slice);
                Link::new(table, &columns, key, below, deleted.contains(name))
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
    /// `below` are the columns of the child that others refer to; with `is_noted` its deleted rows are remembered.
    fn new(
        parent: &Table,
        parent_columns: &[usize],
        key: &Resolved<'_>,
        below: &[usize],
        is_noted: bool,
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
            None => LinkSql::new(key.child, &columns, below, is_noted)
                .map_err(|error| error.full_text()),
        };
        Self {
            child: child.name.clone(),
            on_delete: Action::of(&key.key.on_delete),
            on_update: Action::of(&key.key.on_update),
            sql: sql.map_err(|why| Refusal::new(why, key.child, &columns)),
            generated: GeneratedColumns::of(child),
            is_cyclic: false,
            columns,
        }
    }
}

impl Refusal {
    fn new(why: String, child: &Entry, columns: &[LinkColumn]) -> Self {
        let is_set: Vec<String> = columns
            .iter()
            .map(|column| format!("{} IS NOT NULL", column.quoted))
            .collect();
        let name = sqlite::quote_identifier(&child.sqlite_name);
        let is_set = is_set.join(" AND ");
        Self {
            why,
            probe: format!("SELECT 1 FROM {name} WHERE {is_set} LIMIT 1"),
        }
    }
}

impl LinkSql {
    fn new(child: &Entry, columns: &[LinkColumn], below: &[usize], is_noted: bool) -> Result<Self> {
        let sql = TableSql::new(&child.table, &child.sqlite_name);
        let (name, rowid) = (&sql.name, sql.rowid()?);
        let referenced: Vec<&str> = below.iter().map(|at| sql.column(*at)).collect();
        let hash = match is_noted {
            true => hash_sql(identity(&child.table).iter().map(|at| sql.column(*at))),
            false => "NULL".to_owned(),
        };
        let own = columns.iter().map(|column| column.quoted.as_str());
        let values: Vec<&str> = own.chain(referenced.iter().copied()).collect();
        let mut find = format!(
            "SELECT {rowid}, {hash}, {} FROM {name} WHERE ",
            values.join(", ")
        );
        let mut parameter = 1;
        for column in columns {
            let quoted = &column.quoted;
            if column.by.is_range() {
                let most = parameter + 1;
                let _ = write!(
                    find,
                    "{quoted} >= ?{parameter} AND {quoted} <= ?{most} AND "
                );
                parameter += 2;
            } else {
                let _ = write!(find, "{quoted} = ?{parameter} AND ");
                parameter += 1;
            }
        }
        let condition = find.trim_end_matches(" AND ");
        let mut order: Vec<&str> = index_rest(&child.table, columns)
            .into_iter()
            .map(|at| sql.column(at))
            .collect();
        order.push(rowid);
        let find_in_order = format!("{condition} ORDER BY {}", order.join(", "));
        // The plus keeps SQLite from searching by rowid, which is no search.
        let _ = write!(
            find,
            "+{rowid} >= ?{parameter} ORDER BY {rowid} LIMIT {SQLITE_CASCADE_PAGE_ROWS}"
        );
        Ok(Self {
            find,
            find_in_order,
            delete: format!("DELETE FROM {name} WHERE {rowid} = ?1"),
            update: format!("UPDATE {name} SET "),
            condition: format!(" WHERE {rowid} = "),
            returning: match referenced.is_empty() {
                true => String::new(),
                false => format!(" RETURNING {}", referenced.join(", ")),
            },
            referenced: referenced.len(),
        })
    }
}
