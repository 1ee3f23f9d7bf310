//! The table that a statement changes, from its leading words, when the rest is not understood.

use super::classify::{Family, classify};
use super::context::SqlContext;
use super::cursor::Cursor;
use super::statement::TableName;

/// The one table that a statement makes or changes; `None` when it is not of one table, or does not get that far.
pub fn named_table(sql: &str, context: &SqlContext) -> Option<TableName> {
    let family = classify(sql, context).ok()?;
    if let Family::Wrapped(from) = family {
        return named_table(sql.get(from..)?, context);
    }
    let before: &[&str] = match family {
        Family::CreateTable | Family::AlterTable | Family::Truncate => &["TABLE"],
        Family::CreateIndex | Family::DropIndex => &["ON"],
        _ => return None,
    };
    let mut cursor = Cursor::new(sql, context).ok()?;
    while !cursor.is_end() {
        if cursor.eat_any(before).is_some() {
            cursor.eat_if_not_exists();
            cursor.eat_if_exists();
            return cursor.table_name().ok();
        }
        cursor.advance();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::context::Flavor;
    use super::*;

    #[test]
    fn the_leading_words_name_the_table() {
        let context = SqlContext::new(Flavor::MariaDb, 101_100, "d");
        for (sql, wanted) in [
            (
                "ALTER ONLINE TABLE IF EXISTS a.`b c` FROBNICATE",
                Some((Some("a"), "b c")),
            ),
            ("create or replace table t (a FROBTYPE)", Some((None, "t"))),
            ("CREATE TABLE IF NOT EXISTS t ?", Some((None, "t"))),
            ("CREATE UNIQUE INDEX i ON `t` (a ??)", Some((None, "t"))),
            ("SET STATEMENT x = 1 FOR ALTER TABLE t ?", Some((None, "t"))),
            ("DROP TABLE a, b ?", None),
            ("ALTER DATABASE d ?", None),
            ("FROBNICATE TABLE t", None),
        ] {
            let table = named_table(sql, &context);
            let table = table
                .as_ref()
                .map(|table| (table.database.as_deref(), table.name.as_str()));
            assert_eq!(table, wanted, "{sql}");
        }
    }
}
