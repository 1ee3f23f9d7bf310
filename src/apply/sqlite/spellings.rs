//! Child keys that are spelled otherwise than their parents': `é` refers to `e` where the collation holds the two for equal, which
//! SQLite does not know.
//!
//! A parent key is unique under its collation, and equality here is finer than there. So a child that finds its parent here
//! has no other one, and only the spellings that find none may refer to a parent that changes: those are kept in
//! `_relaylite_spelling`, and when a parent changes the source is asked which of them are equal to its key. Equality of two texts
//! depends on no position, so the answer is right whenever it comes. Where the parent's key is not unique, all spellings are kept.
//!
//! # Invariants
//! - A key that is *watched* has every such spelling of its child there; what is no longer used may stand there, too. Watching
//!   begins with a scan, or with an empty child. It is given up by everything that is not seen row by row: DDL, a copy, changes of
//!   parents without `foreign_key_checks`, cascades that the source logs.
//! - All of it is written in the transaction of the rows.

use std::sync::atomic::{AtomicU8, Ordering};

use rusqlite::types::Value;
use rusqlite::{CachedStatement, Connection};

use super::catalog::Entry;
use super::key_match::KeyMatch;
use super::table_sql::TableSql;
use crate::config::limits::{SQLITE_SPELLINGS_MAX, SQLITE_SPELLINGS_PAGE};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::collation::{SourceText, TextPair};
use crate::schema::sqlite::quote_text;
use crate::schema::table::{Index, IndexKind, KeyPart, Table};

/// The texts of one key, in its order of columns.
pub(super) type Texts = Vec<Value>;

/// Not looked up yet.
const UNKNOWN: u8 = 0;
/// Not every spelling is kept.
const NOT_WATCHED: u8 = 1;
/// Every spelling is kept, and there is none.
const EMPTY: u8 = 2;
/// Every spelling is kept.
const WATCHED: u8 = 3;

/// A foreign key with text that is compared more coarsely on the source than here.
#[derive(Debug)]
pub(super) struct SpelledKey {
    /// Columns of the child that the key is made of.
    pub(super) child_columns: Vec<usize>,
    /// Which of the key's columns are text.
    texts: Vec<usize>,
    /// How those are compared.
    by: Vec<KeyMatch>,
    /// `child`, `parent` and `columns` as the table of spellings has them, as literals with commas.
    id: String,
    /// `WHERE` that finds this key's spellings.
    condition: String,
    /// Keeps the spelling of the row with a rowid.
    note: String,
    /// Keeps all spellings.
    scan: String,
    /// Whether the child has no row.
    is_empty: String,
    state: AtomicU8,
}

impl SpelledKey {
    /// Of a key between two tables; `None` when equality is the same here and there, or the child's rows have no number.
    pub(super) fn new(
        (parent, parent_columns): (&Entry, &[usize]),
        (child, child_columns): (&Entry, &[usize]),
    ) -> Option<Self> {
        let (mut texts, mut by) = (Vec::new(), Vec::new());
        let pairs = parent_columns.iter().zip(child_columns);
        for (n, (p, c)) in pairs.clone().enumerate() {
            let (theirs, ours) = (parent.table.columns.get(*p)?, child.table.columns.get(*c)?);
            let one = KeyMatch::new(theirs, ours).ok()?;
            if matches!(one, KeyMatch::Text { .. }) {
                texts.push(n);
                by.push(one);
            }
        }
        if by.iter().all(is_exact) {
            return None;
        }
        let sql = TableSql::new(&child.table, &child.sqlite_name);
        let (name, rowid) = (&sql.name, sql.rowid().ok()?);
        let parent_sql = TableSql::new(&parent.table, &parent.sqlite_name);
        let columns: Vec<String> = pairs
            .map(|(p, c)| format!("{}={}", sql.column(*c), parent_sql.column(*p)))
            .collect();
        let id = [&child.table.name, &parent.table.name, &columns.join(",")]
            .map(|part| quote_text(part));
        let condition = format!(
            "child = {} AND parent = {} AND columns = {}",
            id[0], id[1], id[2]
        );
        let id = id.join(", ");
        let own: Vec<&str> = child_columns.iter().map(|at| sql.column(*at)).collect();
        let theirs: Vec<&str> = parent_columns
            .iter()
            .map(|at| parent_sql.column(*at))
            .collect();
        let is_set: Vec<String> = own
            .iter()
            .map(|own| format!("c.{own} IS NOT NULL"))
            .collect();
        let mut select = format!(
            "{id}, {} FROM {name} AS c WHERE {}",
            encoding(&own, &texts),
            is_set.join(" AND ")
        );
        if is_unique(&parent.table, parent_columns) {
            select.push_str(" AND ");
            select.push_str(&finds_no_parent(
                &parent_sql.name,
                &theirs,
                &own,
                &texts,
                &by,
            ));
        }
        let insert = "INSERT OR IGNORE INTO _relaylite_spelling (child, parent, columns, texts) ";
        Some(Self {
            child_columns: child_columns.to_vec(),
            note: format!("{insert}SELECT {select} AND c.{rowid} = ?1"),
            scan: format!("{insert}SELECT DISTINCT {select}"),
            is_empty: format!("SELECT NOT EXISTS (SELECT 1 FROM {name})"),
            state: AtomicU8::new(UNKNOWN),
            texts,
            by,
            id,
            condition,
        })
    }

    /// Whether both keys say the same.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.condition == other.condition
    }

    /// Keeps spellings of rows that are written; `None` while the key is not watched.
    pub(super) fn noting<'c>(&self, connection: &'c Connection) -> Result<Option<Noting<'_, 'c>>> {
        if self.state(connection)? == NOT_WATCHED {
            return Ok(None);
        }
        Ok(Some(Noting {
            key: self,
            statement: connection.prepare_cached(&self.note)?,
        }))
    }

    /// A row of the child was written: keeps its spelling, if the key is watched.
    pub(super) fn note(&self, connection: &Connection, rowid: i64) -> Result<()> {
        match self.noting(connection)? {
            Some(mut noting) => noting.note(rowid),
            None => Ok(()),
        }
    }

    /// Rows are about to be inserted into the child: if it is empty, watching costs no scan.
    pub(super) fn before_insert(&self, connection: &Connection) -> Result<()> {
        if self.state.load(Ordering::Relaxed) != UNKNOWN || self.state(connection)? != NOT_WATCHED {
            return Ok(());
        }
        let is_empty: bool = connection.query_row(&self.is_empty, [], |row| row.get(0))?;
        if is_empty {
            self.watch(connection)
        } else {
            Ok(())
        }
    }

    /// Something happened that is not seen row by row.
    pub(super) fn stop_watching(&self, connection: &Connection) -> Result<()> {
        if self.state(connection)? != NOT_WATCHED {
            self.forget(connection)?;
        }
        Ok(())
    }

    /// A row of the parent is about to change: what it becomes may hide a spelling from a scan.
    pub(super) fn before_parent(&self, connection: &Connection) -> Result<()> {
        match self.state(connection)? {
            NOT_WATCHED => self.watch(connection),
            _ => Ok(()),
        }
    }

    /// The spellings that the source holds for equal to the texts of `key`, and we do not.
    ///
    /// # Errors
    /// `SourceOnly` when there are too many to ask for; those of the question.
    pub(super) fn equal_to(
        &self,
        connection: &Connection,
        key: &[&Value],
        ask: &dyn Fn(&[TextPair]) -> Result<Vec<bool>>,
    ) -> Result<Vec<Texts>> {
        self.before_parent(connection)?;
        let mut found = Vec::new();
        let (mut after, mut seen) = (String::new(), 0);
        while self.state.load(Ordering::Relaxed) == WATCHED {
            let page = self.page(connection, &after)?;
            let Some(last) = page.last() else { break };
            after.clone_from(last);
            seen += page.len();
            if seen > SQLITE_SPELLINGS_MAX {
                self.forget(connection)?;
                return Err(too_many());
            }
            let page: Vec<Texts> = page.iter().filter_map(|text| decoded(text)).collect();
            self.choose(key, page, ask, &mut found)?;
        }
        Ok(found)
    }

    /// The spelling is about to be used up.
    pub(super) fn used(&self, connection: &Connection, texts: &Texts) -> Result<()> {
        // Other columns of the key may differ from row to row.
        if self.texts.len() < self.child_columns.len() {
            return Ok(());
        }
        let sql = format!(
            "DELETE FROM _relaylite_spelling WHERE {} AND texts = ?1",
            self.condition
        );
        connection.prepare_cached(&sql)?.execute([encoded(texts)])?;
        Ok(())
    }

    /// `key` with other texts.
    pub(super) fn with_texts<'v>(&self, key: &[&'v Value], texts: &'v Texts) -> Vec<&'v Value> {
        let mut spelled = key.to_vec();
        for (at, text) in self.texts.iter().zip(texts) {
            if let Some(place) = spelled.get_mut(*at) {
                *place = text;
            }
        }
        spelled
    }

    fn choose(
        &self,
        key: &[&Value],
        page: Vec<Texts>,
        ask: &dyn Fn(&[TextPair]) -> Result<Vec<bool>>,
        found: &mut Vec<Texts>,
    ) -> Result<()> {
        let key: Vec<&Value> = self
            .texts
            .iter()
            .filter_map(|at| key.get(*at).copied())
            .collect();
        let is_same = |texts: &Texts| {
            let all = self.by.iter().zip(&key).zip(texts);
            all.fold(true, |same, ((by, key), text)| same && by.holds(key, text))
        };
        let mut pairs = Vec::new();
        let mut doubtful = Vec::new();
        for texts in page.into_iter().filter(|texts| !is_same(texts)) {
            for ((by, key), text) in self.by.iter().zip(&key).zip(&texts) {
                pairs.push(pair(by, key, text)?);
            }
            doubtful.push(texts);
        }
        if pairs.is_empty() {
            return Ok(());
        }
        let answers = ask(&pairs)?;
        let mut answers = answers.chunks(self.by.len().max(1));
        for texts in doubtful {
            if answers
                .next()
                .is_some_and(|all| all.iter().all(|equal| *equal))
            {
                found.push(texts);
            }
        }
        Ok(())
    }

    fn page(&self, connection: &Connection, after: &str) -> Result<Vec<String>> {
        let sql = format!(
            "SELECT texts FROM _relaylite_spelling WHERE {} AND texts > ?1 ORDER BY texts LIMIT {SQLITE_SPELLINGS_PAGE}",
            self.condition
        );
        let mut statement = connection.prepare_cached(&sql)?;
        let texts = statement.query_map([after], |row| row.get(0))?;
        Ok(texts.collect::<rusqlite::Result<_>>()?)
    }

    fn state(&self, connection: &Connection) -> Result<u8> {
        let known = self.state.load(Ordering::Relaxed);
        if known != UNKNOWN {
            return Ok(known);
        }
        let sql = format!(
            "SELECT count(*) FROM (SELECT 1 FROM _relaylite_spelling WHERE {} LIMIT 2)",
            self.condition
        );
        let rows: i64 = connection.query_row(&sql, [], |row| row.get(0))?;
        let state = match rows {
            0 => NOT_WATCHED,
            // The mark alone.
            1 => EMPTY,
            _ => WATCHED,
        };
        self.state.store(state, Ordering::Relaxed);
        Ok(state)
    }

    /// Keeps every spelling from now on.
    fn watch(&self, connection: &Connection) -> Result<()> {
        self.forget(connection)?;
        let found = connection.execute(&self.scan, [])?;
        let mark = format!(
            "INSERT INTO _relaylite_spelling (child, parent, columns, texts) VALUES ({}, '')",
            self.id
        );
        connection.execute(&mark, [])?;
        self.state
            .store(if found > 0 { WATCHED } else { EMPTY }, Ordering::Relaxed);
        Ok(())
    }

    fn forget(&self, connection: &Connection) -> Result<()> {
        let sql = format!("DELETE FROM _relaylite_spelling WHERE {}", self.condition);
        connection.execute(&sql, [])?;
        self.state.store(NOT_WATCHED, Ordering::Relaxed);
        Ok(())
    }
}

/// Keeps spellings of one key, row by row.
pub(super) struct Noting<'k, 'c> {
    key: &'k SpelledKey,
    statement: CachedStatement<'c>,
}

impl Noting<'_, '_> {
    /// A row of the child was written.
    pub(super) fn note(&mut self, rowid: i64) -> Result<()> {
        if self.statement.execute([rowid])? > 0 {
            self.key.state.store(WATCHED, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// What is known of keys from or to a table is so no longer.
pub(super) fn forget(connection: &Connection, table: &str) -> Result<()> {
    connection.execute(
        "DELETE FROM _relaylite_spelling WHERE child = ?1 OR parent = ?1",
        [table],
    )?;
    Ok(())
}

/// Whether spellings of one definition are those of the other: no column that was there has changed, and no key.
pub(super) fn outlive(before: &Table, after: &Table) -> bool {
    let stays = |column: &crate::schema::table::Column| {
        let mut same = after.columns.iter().filter(|now| now.name == column.name);
        same.next().is_some_and(|now| now.ty == column.ty)
    };
    before.foreign_keys == after.foreign_keys
        && before.primary_key == after.primary_key
        && before.indexes == after.indexes
        && before.columns.iter().all(stays)
}

fn too_many() -> Error {
    Error::new(
        ErrorKind::SourceOnly,
        format!(
            "a foreign key has more than {SQLITE_SPELLINGS_MAX} values that are spelled otherwise than any parent here; if rows \
             of the parent from before the start are missing, read it afresh"
        ),
    )
}

/// Whether the source tells all apart that SQLite does.
fn is_exact(by: &KeyMatch) -> bool {
    match by {
        KeyMatch::Exact => true,
        KeyMatch::Text { collation, .. } => {
            collation.name == "binary" || collation.name.ends_with("_bin")
        }
    }
}

/// Whether rows of the parent differ in these columns, by their collations.
fn is_unique(parent: &Table, columns: &[usize]) -> bool {
    let is_within = |parts: &[KeyPart]| {
        let part = |part: &KeyPart| {
            let (KeyPart::Column { name, .. } | KeyPart::Prefix { name, .. }) = part else {
                return false;
            };
            parent
                .column_index(name)
                .is_some_and(|at| columns.contains(&at))
        };
        !parts.is_empty() && parts.iter().all(part)
    };
    let unique = |index: &&Index| index.kind == IndexKind::Unique;
    is_within(&parent.primary_key)
        || parent
            .indexes
            .iter()
            .filter(unique)
            .any(|index| is_within(&index.parts))
}

/// A condition on a child row `c`. Trailing spaces are tried both ways where they do not count; SQLite does not look behind a NUL.
fn finds_no_parent(
    parent: &str,
    theirs: &[&str],
    own: &[&str],
    texts: &[usize],
    by: &[KeyMatch],
) -> String {
    let pads = |n: usize| {
        let place = texts.iter().position(|at| *at == n);
        let by = place.and_then(|place| by.get(place));
        matches!(by, Some(KeyMatch::Text { pads: true, .. }))
    };
    let missing = |trims: bool| {
        let columns = theirs.iter().zip(own).enumerate();
        let same: Vec<String> = columns
            .map(|(n, (theirs, own))| match trims && pads(n) {
                true => format!("p.{theirs} = rtrim(c.{own})"),
                false => format!("p.{theirs} = c.{own}"),
            })
            .collect();
        format!(
            "NOT EXISTS (SELECT 1 FROM {parent} AS p WHERE {})",
            same.join(" AND ")
        )
    };
    let mut condition = missing(false);
    if (0..own.len()).any(pads) {
        condition = format!("{condition} AND {}", missing(true));
    }
    let has_nul = texts.iter().filter_map(|at| own.get(*at));
    let has_nul: Vec<String> = has_nul
        .map(|own| format!("instr(c.{own}, char(0)) > 0"))
        .collect();
    format!("({} OR {condition})", has_nul.join(" OR "))
}

/// The texts of a child row `c` as one text: `t` or `b` and hexadecimal digits each.
fn encoding(own: &[&str], texts: &[usize]) -> String {
    let own = texts.iter().filter_map(|at| own.get(*at));
    let each = own.map(|own| {
        format!("CASE typeof(c.{own}) WHEN 'blob' THEN 'b' ELSE 't' END || hex(c.{own})")
    });
    each.collect::<Vec<_>>().join(" || ',' || ")
}

fn encoded(texts: &Texts) -> String {
    let hex = |kind: &str, bytes: &[u8]| {
        bytes.iter().fold(kind.to_owned(), |mut hex, byte| {
            hex.push_str(&format!("{byte:02X}"));
            hex
        })
    };
    let each = texts.iter().map(|text| match text {
        Value::Blob(bytes) => hex("b", bytes),
        Value::Text(text) => hex("t", text.as_bytes()),
        _ => String::new(),
    });
    each.collect::<Vec<_>>().join(",")
}

/// `None` for what we have not written: then it is no spelling.
fn decoded(texts: &str) -> Option<Texts> {
    let one = |part: &str| {
        let (kind, digits) = part.split_at_checked(1)?;
        let bytes: Option<Vec<u8>> = digits
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
            .collect();
        match kind {
            "b" => bytes.map(Value::Blob),
            _ => String::from_utf8(bytes?).ok().map(Value::Text),
        }
    };
    texts.split(',').map(one).collect()
}

fn pair(by: &KeyMatch, key: &Value, text: &Value) -> Result<TextPair> {
    match (by, source_text(key), source_text(text)) {
        (KeyMatch::Text { collation, .. }, Some(left), Some(right)) => Ok(TextPair {
            collation: collation.clone(),
            left,
            right,
        }),
        _ => Err(Error::new(
            ErrorKind::Internal,
            "a text of a key that is none",
        )),
    }
}

fn source_text(value: &Value) -> Option<SourceText> {
    match value {
        Value::Text(text) => Some(SourceText::Utf8(text.clone())),
        Value::Blob(bytes) => Some(SourceText::Bytes(bytes.clone())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_written_and_read() {
        let texts = vec![
            Value::Text("é,\0".to_owned()),
            Value::Blob(vec![0xff, 0]),
            Value::Text(String::new()),
        ];
        assert_eq!(encoded(&texts), "tC3A92C00,bFF00,t");
        assert_eq!(decoded(&encoded(&texts)), Some(texts));
        assert_eq!(decoded("txx"), None);
        assert_eq!(decoded(""), None);
    }
}
