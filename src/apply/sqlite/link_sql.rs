//! The statements of a foreign key: how its child rows are found, and changed.

use std::fmt::Write as _;

use super::catalog::Entry;
use super::foreign_keys::{LinkColumn, identity};
use super::row_finder::hash_sql;
use super::table_sql::TableSql;
use crate::config::limits::SQLITE_CASCADE_PAGE_ROWS;
use crate::error::Result;
use crate::schema::sqlite;
use crate::schema::table::{Index, IndexKind, KeyPart, Table};

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
    /// Behind it: what others refer to is returned, and the rowid where spellings are kept.
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

impl Refusal {
    /// Of a key of `child`.
    pub(super) fn new(why: String, child: &Entry, columns: &[LinkColumn]) -> Self {
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
    /// Of a key of `child`. `below` are its columns that others refer to; with `is_noted` its deleted rows are remembered, with
    /// `is_spelled` the number of a row that changes is returned behind them.
    pub(super) fn new(
        child: &Entry,
        columns: &[LinkColumn],
        below: &[usize],
        is_noted: bool,
        is_spelled: bool,
    ) -> Result<Self> {
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
            referenced: referenced.len(),
            returning: returning(referenced.into_iter().chain(is_spelled.then_some(rowid))),
        })
    }
}

/// The end of a statement that gives back these columns, if any.
pub(super) fn returning<'a>(columns: impl Iterator<Item = &'a str>) -> String {
    let columns: Vec<&str> = columns.collect();
    match columns.is_empty() {
        true => String::new(),
        false => format!(" RETURNING {}", columns.join(", ")),
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
