//! A table's definition as the source tells it: what to ask, and how to read the answer.
//!
//! The answer to SHOW CREATE TABLE goes through the same parser as the binlog's DDL, so that a table met for the first
//! time and a table followed from its birth are the same to everything behind. Asking is done elsewhere.

use crate::error::{Error, ErrorKind, Result};
use crate::schema::ddl::context::{Flavor, SqlContext};
use crate::schema::ddl::statement::TableElement;
use crate::schema::ddl::{Statement, parse};
use crate::schema::effect::build;
use crate::schema::table::{Collation, Table};

/// First MySQL that can hide the primary key that it made up itself.
const GENERATED_KEYS_SINCE: u32 = 80_030;

/// Statements to run once on a connection before it is asked for definitions.
pub fn session_statements(flavor: Flavor, version: u32) -> Vec<&'static str> {
    let mut statements = vec![
        "SET NAMES utf8mb4",
        // Defaults of TIMESTAMP columns are shown in the session's time.
        "SET SESSION sql_mode = '', sql_quote_show_create = 1, time_zone = '+00:00'",
    ];
    if flavor == Flavor::MySql && version >= GENERATED_KEYS_SINCE {
        statements.push("SET SESSION show_gipk_in_create_table_and_information_schema = ON");
    }
    statements
}

/// The question for a table; its answer's second column is the definition.
pub fn show_create_table(database: &str, table: &str) -> String {
    format!("SHOW CREATE TABLE {}.{}", quoted(database), quoted(table))
}

/// The question for a database's default collation; one row with one column, or none.
pub fn select_database_collation(database: &str) -> String {
    let name = database.replace('\\', "\\\\").replace('\'', "''");
    format!(
        "SELECT DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = '{name}'"
    )
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Whether an answer to SHOW CREATE TABLE is that of a sequence of MariaDB, which is no table here.
pub fn is_sequence(text: &str, context: &SqlContext) -> bool {
    matches!(parse(text, context), Ok(Statement::NoTableChange(_)))
}

/// The table that an answer to SHOW CREATE TABLE describes. `inherited` is its database's default collation, which
/// counts only where the answer names none; of `context` only family and version count.
///
/// # Errors
/// `Schema` when the answer is no table's (a view's), or is not understood.
pub fn table_from_show_create(
    text: &str,
    inherited: &Collation,
    context: &SqlContext,
) -> Result<Table> {
    let context = SqlContext {
        // The answer spells NULL and defaults out.
        explicit_defaults_for_timestamp: Some(true),
        ..SqlContext::new(
            context.flavor,
            context.version,
            context.default_database.as_str(),
        )
    };
    match parse(text, &context)? {
        Statement::CreateTable(mut create) if !create.select && create.like.is_none() => {
            for element in &mut create.elements {
                // Where a column is NOT NULL, the answer says so.
                if let TableElement::Column(column) = element
                    && column.not_null_implied
                {
                    column.nullable = Some(true);
                }
            }
            build(&create, &context.default_database, inherited, &context)
        }
        _ => Err(Error::new(
            ErrorKind::Schema,
            "the source's definition is not that of a table",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::collation;
    use crate::schema::table::ColumnType;

    #[test]
    fn questions_quote_names() {
        assert_eq!(
            show_create_table("a`b", "t"),
            "SHOW CREATE TABLE `a``b`.`t`"
        );
        assert!(select_database_collation(r"it's\").ends_with(r"'it''s\\'"));
        assert_eq!(session_statements(Flavor::MariaDb, 101_119).len(), 2);
        assert_eq!(session_statements(Flavor::MySql, 90_704).len(), 3);
    }

    #[test]
    fn an_answer_with_a_generated_key() {
        let context = SqlContext::new(Flavor::MySql, 90_704, "d");
        let latin1 = collation::by_id(8).unwrap();
        let text = "CREATE TABLE `gi` (\n  `my_row_id` bigint unsigned NOT NULL AUTO_INCREMENT /*!80023 INVISIBLE */,\n  \
                    `a` varchar(3) COLLATE utf8mb4_bin DEFAULT NULL,\n  `ts` timestamp NULL DEFAULT NULL,\n  \
                    PRIMARY KEY (`my_row_id`)\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci";
        let table = table_from_show_create(text, &latin1, &context).unwrap();
        assert_eq!(table.columns.len(), 3);
        assert!(table.columns[0].invisible && table.columns[0].auto_increment);
        assert_eq!(table.collation.name, "utf8mb4_0900_ai_ci");
        match &table.columns[1].ty {
            ColumnType::VarChar {
                length: 3,
                collation,
            } => assert_eq!(collation.name, "utf8mb4_bin"),
            other => panic!("{other:?}"),
        }
        assert!(table.columns[2].nullable);
        let json = serde_json::to_string(&table).unwrap();
        assert_eq!(serde_json::from_str::<Table>(&json).unwrap(), table);
    }

    #[test]
    fn a_view_is_no_table() {
        let context = SqlContext::new(Flavor::MySql, 90_704, "d");
        let text = "CREATE ALGORITHM=UNDEFINED VIEW `v` AS select 1";
        assert!(table_from_show_create(text, &collation::binary(), &context).is_err());
    }
}
