//! What a changed definition comes to in SQLite: the cheapest statements that lead to the right table.
//!
//! Cheapest first: nothing; edits of SQLite's own catalog (other words for the same affinity, other names); ADD COLUMN at
//! the end with a constant, RENAME COLUMN, DROP COLUMN; else the table is made anew in one pass. Everything runs in the
//! lane's open transaction.

use super::alter_session::AlterSession;
use super::convert::{Conversion, conversion, only_grows};
use super::create::{has_rowid_alias, is_unsigned_bigint, rebuild, rowid_column, whole_key};
use super::declared::{affinity, column_definition, column_is_nocase, declared_type};
use super::default::literal;
use super::index::{create_indexes, index_name, one_index};
use super::name::{quote_identifier, quote_text};
use super::rename::{edit_schema, redefine_column_edit, rename_index_edit};
use super::step::{ROWID_NAMES, Step, rowid_name};
use crate::schema::effect::{ColumnOrigin, Fill};
use crate::schema::table::{Column, KeyPart, Table, same_name};

/// How a table follows its changed definition.
#[derive(Debug, Clone, PartialEq)]
pub enum AlterPlan {
    /// By these statements, in order; none when only the definition changes.
    Statements {
        /// The statements.
        steps: Vec<Step>,
        /// Whether the primary key is the rowid afterwards.
        rowid_alias: bool,
        /// Whether all rows are written again.
        rebuilds: bool,
    },
    /// Values come about that only the source knows: the reason.
    NeedsSource(String),
}

/// How the table `sqlite_name` goes from `before` to `after`. `rowid_alias`: whether its key is the rowid now.
/// `is_empty`: it has no rows, as the shadow tables of online schema changes; then nothing has to be known of values.
pub fn alter_plan(
    before: &Table,
    after: &Table,
    origins: &[ColumnOrigin],
    sqlite_name: &str,
    rowid_alias: bool,
    is_empty: bool,
    session: &AlterSession,
) -> AlterPlan {
    let change = TableChange {
        is_empty,
        before,
        after,
        origins,
        sqlite_name,
        rowid_alias,
        session,
    };
    match change.values() {
        Err(why) => AlterPlan::NeedsSource(why),
        Ok(values) => {
            let alias_after = change.rowid_alias_after();
            match change.native(&values, alias_after) {
                Some(steps) => AlterPlan::Statements {
                    steps,
                    rowid_alias: alias_after,
                    rebuilds: false,
                },
                None => AlterPlan::Statements {
                    steps: change.rebuild(&values, alias_after),
                    rowid_alias: alias_after,
                    rebuilds: true,
                },
            }
        }
    }
}

/// What a column of the new definition holds.
enum Value {
    /// What the old column held.
    Kept(usize),
    /// An expression over the old columns.
    Expression(String),
    /// A constant in every row, as SQL.
    Constant(String),
}

struct TableChange<'a> {
    before: &'a Table,
    after: &'a Table,
    origins: &'a [ColumnOrigin],
    sqlite_name: &'a str,
    rowid_alias: bool,
    is_empty: bool,
    session: &'a AlterSession,
}

impl TableChange<'_> {
    /// What each new column holds, or why only the source can tell.
    fn values(&self) -> Result<Vec<Value>, String> {
        if let Some(name) = self.computed_anew().filter(|_| !self.is_empty) {
            return Err(format!(
                "column `{name}` is generated from one that is converted"
            ));
        }
        self.after
            .columns
            .iter()
            .zip(self.origins)
            .map(|(column, origin)| {
                let value = match origin {
                    ColumnOrigin::Kept { from, converted } => self.kept(*from, *converted, column),
                    ColumnOrigin::New { fill } => self.filled(column, fill),
                };
                match value {
                    Err(_) if self.is_empty => Ok(Value::Expression("NULL".to_owned())),
                    value => value,
                }
            })
            .collect()
    }

    /// A generated column that stays, made of a column whose values change, or what an expression sees of them.
    fn computed_anew(&self) -> Option<&str> {
        let pairs = || {
            let pairs = self.after.columns.iter().zip(self.origins);
            pairs.filter_map(|(new, origin)| match origin {
                ColumnOrigin::Kept { from, .. } => Some((self.before.columns.get(*from)?, new)),
                ColumnOrigin::New { .. } => None,
            })
        };
        let changed: Vec<&str> = pairs()
            .filter(|(old, new)| {
                old.ty != new.ty && !only_grows(&old.ty, &new.ty) || old.nullable && !new.nullable
            })
            .map(|(_, new)| new.name.as_str())
            .collect();
        let mut generated = pairs().filter_map(|(_, new)| Some((new, new.generated.as_ref()?)));
        let found =
            generated.find(|(_, generated)| changed.iter().any(|name| generated.mentions(name)));
        found.map(|(column, _)| column.name.as_str())
    }

    fn kept(&self, from: usize, converted: bool, column: &Column) -> Result<Value, String> {
        let Some(old) = self.before.columns.get(from).filter(|_| converted) else {
            return Ok(Value::Kept(from));
        };
        match conversion(old, column, &quote_identifier(&old.name), self.session) {
            Conversion::Same => Ok(Value::Kept(from)),
            Conversion::Expression(sql) => Ok(Value::Expression(sql)),
            Conversion::NeedsSource(why) => Err(why),
        }
    }

    fn filled(&self, column: &Column, fill: &Fill) -> Result<Value, String> {
        match fill {
            Fill::Null => Ok(Value::Constant("NULL".to_owned())),
            Fill::Value(value) => Ok(Value::Constant(literal(value, &column.ty))),
            Fill::StatementTime { fsp } => match self.session.time(&column.ty, *fsp) {
                Some(text) => Ok(Value::Constant(quote_text(&text))),
                None => Err(format!(
                    "column `{}` takes the source's local time",
                    column.name
                )),
            },
            // By the session's increment, offset and next number, in an order that the engine, the direction of the key and
            // partitions decide.
            Fill::AutoIncrement => Err(format!("column `{}` numbers the rows", column.name)),
            Fill::NeedsSource(why) => Err(why.clone()),
        }
    }

    /// The key stays the rowid, or becomes it, unless it may already hold what a rowid cannot.
    fn rowid_alias_after(&self) -> bool {
        let Some(place) = rowid_column(self.after) else {
            return false;
        };
        match self.origins.get(place) {
            Some(ColumnOrigin::Kept { from, .. }) if is_unsigned_bigint(self.before, *from) => {
                self.rowid_alias && rowid_column(self.before) == Some(*from)
            }
            _ => has_rowid_alias(self.after),
        }
    }

    fn rebuild(&self, values: &[Value], alias_after: bool) -> Vec<Step> {
        let columns: Vec<String> = self
            .after
            .columns
            .iter()
            .map(|column| quote_identifier(&column.name))
            .collect();
        let expressions: Vec<String> = values
            .iter()
            .map(|value| match value {
                Value::Kept(from) => self.before.columns.get(*from).map_or_else(
                    || "NULL".to_owned(),
                    |column| quote_identifier(&column.name),
                ),
                Value::Expression(sql) | Value::Constant(sql) => sql.clone(),
            })
            .collect();
        let rowid = rowid_name(self.before);
        rebuild(
            self.after,
            self.sqlite_name,
            alias_after,
            &columns,
            &expressions,
            rowid,
        )
    }

    /// The statements when no rebuild is needed; `None` when one is.
    fn native(&self, values: &[Value], alias_after: bool) -> Option<Vec<Step>> {
        let kept = self.kept_in_place(values)?;
        let renamed = self.renamed(&kept);
        if alias_after != self.rowid_alias || !self.key_stays(&renamed) || self.touches_rowid(&kept)
        {
            return None;
        }
        let edits = self.redefinitions(&kept, &renamed, alias_after)?;
        let dropped: Vec<&Column> = (0..self.before.columns.len())
            .filter(|place| !kept.iter().any(|(from, _)| from == place))
            .filter_map(|place| self.before.columns.get(place))
            .collect();
        // Each DROP COLUMN writes all rows again; from the second on, one rebuild is cheaper.
        if dropped.len() > 1 || kept.is_empty() {
            return None;
        }
        let (drop_indexes, index_edits, create_indexes) = self.index_changes(&renamed);
        let table = quote_identifier(self.sqlite_name);
        let mut steps: Vec<Step> = drop_indexes.into_iter().map(Step::quick).collect();
        let width = self.before.columns.len();
        let drops = dropped.iter();
        steps.extend(drops.map(|column| Step::drop_column(self.sqlite_name, &column.name, width)));
        steps.extend(self.renames(&kept).into_iter().map(Step::quick));
        for (column, value) in self.after.columns.iter().zip(values) {
            if let Value::Constant(constant) = value {
                let default = if constant == "NULL" {
                    String::new()
                } else {
                    format!(" DEFAULT {constant}")
                };
                let definition = column_definition(column);
                steps.push(Step::quick(format!(
                    "ALTER TABLE {table} ADD COLUMN {definition}{default}"
                )));
            }
        }
        let edits = edit_schema(edits.into_iter().chain(index_edits).collect());
        steps.extend(edits.into_iter().map(Step::quick));
        steps.extend(create_indexes);
        Some(steps)
    }

    /// Old and new place of the kept columns, when they keep their order and values and all new ones, which hold a
    /// constant, stand behind them.
    fn kept_in_place(&self, values: &[Value]) -> Option<Vec<(usize, usize)>> {
        let mut kept: Vec<(usize, usize)> = Vec::new();
        let mut new_seen = false;
        for (place, value) in values.iter().enumerate() {
            match value {
                Value::Kept(from) => {
                    if new_seen || kept.last().is_some_and(|(last, _)| last >= from) {
                        return None;
                    }
                    kept.push((*from, place));
                }
                // ADD COLUMN takes plain literals as defaults only.
                Value::Constant(sql) if !sql.starts_with("CAST") => new_seen = true,
                _ => return None,
            }
        }
        Some(kept)
    }

    /// The old definition with the new names of the columns that stay.
    fn renamed(&self, kept: &[(usize, usize)]) -> Table {
        let mut renamed = self.before.clone();
        for (from, to) in kept {
            let (Some(old), Some(new)) =
                (self.before.columns.get(*from), self.after.columns.get(*to))
            else {
                continue;
            };
            if let Some(column) = renamed.columns.get_mut(*from) {
                column.name.clone_from(&new.name);
            }
            let follow = |part: &mut KeyPart, original: &KeyPart| {
                if let (KeyPart::Column { name, .. } | KeyPart::Prefix { name, .. }, Some(was)) =
                    (part, original.column())
                    && same_name(was, &old.name)
                {
                    name.clone_from(&new.name);
                }
            };
            for (part, original) in renamed.primary_key.iter_mut().zip(&self.before.primary_key) {
                follow(part, original);
            }
            for (index, original) in renamed.indexes.iter_mut().zip(&self.before.indexes) {
                for (part, original) in index.parts.iter_mut().zip(&original.parts) {
                    follow(part, original);
                }
            }
        }
        renamed
    }

    /// Whether a column goes, or goes by another name, that is called as SQLite calls its rowid: it refuses to do that.
    fn touches_rowid(&self, kept: &[(usize, usize)]) -> bool {
        let is_rowid = |name: &str| ROWID_NAMES.iter().any(|rowid| same_name(rowid, name));
        let stays = |(from, to): &(usize, usize), place: usize, name: &str| {
            let now = self.after.columns.get(*to);
            *from == place && now.is_some_and(|column| column.name == name)
        };
        self.before
            .columns
            .iter()
            .enumerate()
            .any(|(place, column)| {
                is_rowid(&column.name) && !kept.iter().any(|pair| stays(pair, place, &column.name))
            })
    }

    /// Whether the key that SQLite has is the same, names aside.
    fn key_stays(&self, renamed: &Table) -> bool {
        let names = |table: &Table| -> Option<Vec<String>> {
            let key = whole_key(table)?;
            Some(
                key.iter()
                    .filter_map(|place| table.columns.get(*place))
                    .map(|column| column.name.clone())
                    .collect(),
            )
        };
        names(renamed) == names(self.after)
    }

    /// Edits for columns whose words change; `None` when more than words does.
    fn redefinitions(
        &self,
        kept: &[(usize, usize)],
        renamed: &Table,
        alias_after: bool,
    ) -> Option<Vec<String>> {
        let alias = rowid_column(self.after).filter(|_| alias_after);
        let mut edits = Vec::new();
        for (from, to) in kept.iter().filter(|(_, to)| alias != Some(*to)) {
            let (old, new) = (renamed.columns.get(*from)?, self.after.columns.get(*to)?);
            let (old_sql, new_sql) = (column_definition(old), column_definition(new));
            if old_sql == new_sql {
                continue;
            }
            let (old_type, new_type) = (declared_type(&old.ty), declared_type(&new.ty));
            let only_words = affinity(&old_type) == affinity(&new_type)
                && column_is_nocase(old) == column_is_nocase(new)
                && !old_type.is_empty()
                && !new_type.is_empty();
            if !only_words {
                return None;
            }
            edits.push(redefine_column_edit(self.sqlite_name, &old_sql, &new_sql));
        }
        Some(edits)
    }

    /// RENAME COLUMN, by way of a name that nobody has where the new one is still taken.
    fn renames(&self, kept: &[(usize, usize)]) -> Vec<String> {
        let table = quote_identifier(self.sqlite_name);
        let rename = |from: &str, to: &str| {
            let (from, to) = (quote_identifier(from), quote_identifier(to));
            format!("ALTER TABLE {table} RENAME COLUMN {from} TO {to}")
        };
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for (from, to) in kept {
            let (Some(old), Some(new)) =
                (self.before.columns.get(*from), self.after.columns.get(*to))
            else {
                continue;
            };
            if old.name == new.name {
                continue;
            }
            let is_taken = self
                .before
                .columns
                .iter()
                .any(|column| same_name(&column.name, &new.name));
            if is_taken {
                let between = format!("_relaylite_{from}");
                first.push(rename(&old.name, &between));
                second.push(rename(&between, &new.name));
            } else {
                first.push(rename(&old.name, &new.name));
            }
        }
        first.extend(second);
        first
    }

    /// DROP INDEX, edits that rename, CREATE INDEX.
    fn index_changes(&self, renamed: &Table) -> (Vec<String>, Vec<String>, Vec<Step>) {
        let mut gone: Vec<(String, Step)> = named_indexes(renamed, self.sqlite_name);
        let mut wanted: Vec<(String, Step)> = named_indexes(self.after, self.sqlite_name);
        let old_names: Vec<String> = gone.iter().map(|(name, _)| name.clone()).collect();
        let stays: Vec<(String, Step)> = gone
            .iter()
            .filter(|index| wanted.contains(index))
            .cloned()
            .collect();
        gone.retain(|index| !stays.contains(index));
        wanted.retain(|index| !stays.contains(index));
        let mut edits = Vec::new();
        wanted.retain(|(name, step)| {
            let same = gone.iter().position(|(old_name, old)| {
                old.sql
                    .replacen(&quote_identifier(old_name), &quote_identifier(name), 1)
                    == step.sql
                    && !old_names.iter().any(|old| old.eq_ignore_ascii_case(name))
            });
            match same {
                Some(place) => {
                    let (old_name, _) = gone.remove(place);
                    edits.push(rename_index_edit(&old_name, name));
                    false
                }
                None => true,
            }
        });
        let drops = gone
            .iter()
            .map(|(name, _)| format!("DROP INDEX IF EXISTS {}", quote_identifier(name)))
            .collect();
        (
            drops,
            edits,
            wanted.into_iter().map(|(_, step)| step).collect(),
        )
    }
}

/// SQLite's indexes of a table: name and statement.
fn named_indexes(table: &Table, sqlite_name: &str) -> Vec<(String, Step)> {
    let mut all: Vec<(String, Step)> = table
        .indexes
        .iter()
        .filter_map(|index| {
            let step = one_index(table, index, sqlite_name)?;
            Some((index_name(sqlite_name, &index.name), step))
        })
        .collect();
    // What is left is the substitute for a primary key that SQLite cannot have.
    let substitute = create_indexes(table, sqlite_name)
        .into_iter()
        .find(|step| !all.iter().any(|(_, known)| known == step));
    all.extend(substitute.map(|step| (index_name(sqlite_name, "PRIMARY"), step)));
    all
}
