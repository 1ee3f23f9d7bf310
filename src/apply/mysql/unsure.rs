//! ALTER TABLE statements that may give rows other values here than on the source, though their text is the same.

use std::sync::Arc;

use crate::apply::Ddl;
use crate::error::{Error, ErrorKind};
use crate::schema::ddl::Statement;
use crate::schema::effect::{Catalog, Change, ColumnOrigin, Fill, effect};
use crate::schema::table::{Collation, Column, DefaultValue, Table, same_name};

/// Functions whose outcome depends on more than their arguments and what a QUERY event says of its session.
const UNSURE: [&str; 33] = [
    "connection_id",
    "current_role",
    "current_user",
    "database",
    "found_rows",
    "get_lock",
    "is_free_lock",
    "is_used_lock",
    "last_insert_id",
    "lastval",
    "load_file",
    "master_pos_wait",
    "next",
    "nextval",
    "password",
    "rand",
    "random_bytes",
    "release_lock",
    "row_count",
    "schema",
    "session_user",
    "setval",
    "sleep",
    "source_pos_wait",
    "sys_guid",
    "sysdate",
    "system_user",
    "user",
    "uuid",
    "uuid_short",
    "uuid_v4",
    "uuid_v7",
    "version",
];

/// The definition of the one table that a statement changes.
struct One(Arc<Table>);

impl Catalog for One {
    fn table(&self, _database: &str, name: &str) -> Option<Arc<Table>> {
        same_name(&self.0.name, name).then(|| self.0.clone())
    }

    fn database_collation(&self, _database: &str) -> Option<Collation> {
        Some(self.0.collation.clone())
    }
}

/// The table of `database` that an ALTER TABLE may make another one here than it did on the source, if it adds a column.
pub(super) fn candidate<'a>(ddl: &Ddl<'a>, database: &str) -> Option<&'a str> {
    match ddl.statement {
        Statement::AlterTable(alter) if alter.table.database(&ddl.query.database) == database => {
            Some(&alter.table.name)
        }
        _ => None,
    }
}

/// Why only the source knows what the statement makes of `table`, as the target defines it; `None` when the target knows as well.
pub(super) fn reason(ddl: &Ddl<'_>, table: Arc<Table>) -> Option<Error> {
    let has_key = !table.primary_key.is_empty();
    // What is not understood here, the target judges.
    let changes = effect(ddl.statement, ddl.context, &One(table)).ok()?;
    let altered = changes.into_iter().find_map(|change| match change {
        Change::AlterTable { after, origins, .. } => Some((after, origins)),
        _ => None,
    });
    let (after, origins) = altered?;
    let columns = after.columns.iter().zip(&origins);
    let mut reasons = columns.filter_map(|(column, origin)| match origin {
        ColumnOrigin::New { fill } => why(column, fill, has_key),
        ColumnOrigin::Kept { .. } => None,
    });
    let why = reasons.next()?;
    let what = format!("only the source knows what this ALTER makes of the stored rows: {why}");
    Some(Error::new(ErrorKind::Unsupported, what).at_table(ddl.database, &after.name))
}

fn why(column: &Column, fill: &Fill, has_key: bool) -> Option<String> {
    match (fill, &column.default) {
        (Fill::AutoIncrement, _) if !has_key => Some(format!(
            "column `{}` numbers the rows of a table without a primary key",
            column.name
        )),
        (_, Some(DefaultValue::Expression(expression))) if is_unsure(expression) => Some(format!(
            "the default of column `{}` is {expression}",
            column.name
        )),
        _ => None,
    }
}

fn is_unsure(expression: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut words = expression.split(|c| !is_part(c));
    expression.contains("@@")
        || words.any(|word| UNSURE.contains(&word.to_ascii_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_that_each_server_answers_for_itself() {
        for expression in [
            "UUID()",
            "(1 + rand())",
            "@@server_id",
            "concat(USER(), 'x')",
        ] {
            assert!(is_unsure(expression), "{expression}");
        }
        for expression in ["(id + 1)", "concat(a, b)", "now(6)", "upper(uuids)"] {
            assert!(!is_unsure(expression), "{expression}");
        }
    }
}
