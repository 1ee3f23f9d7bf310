//! Generated columns that a row image leaves out.
//!
//! MariaDB leaves virtual columns out of MINIMAL and NOBLOB images, and since 11.8 all generated columns out of all images of UPDATE
//! and DELETE. Their values are columns like others in the target; an UPDATE that changes what such a column is made of must not leave
//! the former value there. Where the expression is one that SQLite can compute as the server does, it is computed.

use crate::decode::value::Value;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::ddl::{Flavor, SqlContext};
use crate::schema::sqlite;
use crate::schema::table::Table;

/// The generated columns of a table.
#[derive(Debug)]
pub(super) struct GeneratedColumns {
    /// A column, its name, and the columns that it is made of, directly or not.
    columns: Vec<(usize, String, Vec<usize>)>,
}

impl GeneratedColumns {
    /// Those of `table`.
    pub(super) fn of(table: &Table) -> Self {
        let generated = table.columns.iter().enumerate();
        let mut columns: Vec<(usize, String, Vec<usize>)> = generated
            .filter_map(|(at, column)| {
                let generated = column.generated.as_ref()?;
                let names = table.columns.iter().enumerate();
                let used = names.filter(|(_, other)| generated.mentions(&other.name));
                Some((at, column.name.clone(), used.map(|(at, _)| at).collect()))
            })
            .collect();
        // A generated column may be made of an earlier one.
        for n in 0..columns.len() {
            let (earlier, rest) = columns.split_at_mut(n);
            let Some((.., used)) = rest.first_mut() else {
                continue;
            };
            for (at, _, below) in earlier {
                if used.contains(at) {
                    used.extend_from_slice(below);
                }
            }
        }
        Self { columns }
    }

    /// The columns whose value follows from what an UPDATE changes, and is not in its image.
    pub(super) fn missing(&self, after: &[Value<'_>], changed: &[usize], missing: &mut Vec<usize>) {
        missing.clear();
        for (at, _, used) in &self.columns {
            let is_absent = after.get(*at) == Some(&Value::Absent);
            if is_absent && changed.iter().any(|column| used.contains(column)) {
                missing.push(*at);
            }
        }
    }

    /// The assignments of these columns, as SQL. `changed` columns have their new values in the parameters of their numbers.
    ///
    /// # Errors
    /// `SourceOnly` when the value of a generated column is not known.
    pub(super) fn assignments(
        &self,
        table: &Table,
        missing: &[usize],
        changed: &[usize],
    ) -> Result<Vec<String>> {
        let mut all = Vec::new();
        for at in missing {
            let Some(column) = table.columns.get(*at) else {
                continue;
            };
            let value = value(table, *at, missing, changed, GENERATED_DEPTH_MAX)
                .ok_or_else(|| unknown(&column.name))?;
            all.push(format!(
                "{} = {value}",
                sqlite::quote_identifier(&column.name)
            ));
        }
        Ok(all)
    }

    /// Checks that no generated column is made of what a foreign key changed inside the source.
    ///
    /// # Errors
    /// `Unsupported` when there is one: its value is not known.
    pub(super) fn check_cascade(&self, changed: &[usize]) -> Result<()> {
        for (_, name, used) in &self.columns {
            if changed.iter().any(|column| used.contains(column)) {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    format!(
                        "the generated column `{name}` is made of a column that the key changed inside the source, so \
                         its value is not known here; on MySQL 9.6 or later set innodb_native_foreign_keys=OFF, else \
                         drop the generated column or the key's action"
                    ),
                ));
            }
        }
        Ok(())
    }
}

/// A generated column is made of others that are generated, and so on: no deeper than this.
const GENERATED_DEPTH_MAX: u32 = 16;

/// The new value of a column as SQL.
fn value(
    table: &Table,
    at: usize,
    missing: &[usize],
    changed: &[usize],
    depth: u32,
) -> Option<String> {
    if !missing.contains(&at) {
        let parameter = changed.iter().position(|column| *column == at);
        return match parameter {
            Some(number) => Some(format!("?{}", number + 1)),
            None => sqlite::stored_value(table, at),
        };
    }
    let depth = depth.checked_sub(1)?;
    // As the servers print it: no sql_mode that reads it otherwise.
    let context = SqlContext::new(Flavor::MariaDb, MARIADB_THAT_LEAVES_OUT, "");
    sqlite::generated_sql(table, at, &context, &|other| {
        value(table, other, missing, changed, depth)
    })
}

/// The first MariaDB known to leave generated columns out of all images of UPDATE.
const MARIADB_THAT_LEAVES_OUT: u32 = 110_800;

/// The value of a generated column is not known.
pub(super) fn unknown(name: &str) -> Error {
    Error::new(
        ErrorKind::SourceOnly,
        format!(
            "the row image holds what the generated column `{name}` is made of, but not its value, and its expression cannot \
             be computed here; set binlog_row_image=FULL on the source, which MariaDB 11.8 does not heed there"
        ),
    )
}
