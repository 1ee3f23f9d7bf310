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

/// The one table whose rows a statement changes: INSERT, REPLACE, UPDATE and DELETE of one table. `None` for all others.
pub fn changed_table(sql: &str, context: &SqlContext) -> Option<TableName> {
    let mut cursor = Cursor::new(sql, context).ok()?;
    let verb = cursor.eat_any(&["INSERT", "REPLACE", "UPDATE", "DELETE"])?;
    let modifiers = [
        "LOW_PRIORITY",
        "HIGH_PRIORITY",
        "DELAYED",
        "QUICK",
        "IGNORE",
    ];
    while cursor.eat_any(&modifiers).is_some() {}
    match verb {
        "UPDATE" => {}
        "DELETE" => {
            cursor.eat_word("HISTORY");
            cursor.eat_word("FROM").then_some(())?;
        }
        _ => {
            cursor.eat_word("INTO");
        }
    }
    let table = cursor.table_name().ok()?;
    let goes_on = [
        "WHERE",
        "ORDER",
        "LIMIT",
        "BEFORE",
        "RETURNING",
        "SET",
        "PARTITION",
        "FOR",
    ];
    let alone = match verb {
        "UPDATE" | "DELETE" => cursor.is_end() || goes_on.iter().any(|word| cursor.is_word(word)),
        _ => true,
    };
    alone.then_some(table)
}

#[cfg(test)]
mod tests {
    use super::super::context::Flavor;
    use super::*;

    #[test]
    fn the_table_of_a_change() {
        let context = SqlContext::new(Flavor::MariaDb, 101_100, "d");
        for (sql, wanted) in [
            ("INSERT IGNORE INTO `d`.`t` (`a`) VALUES (1)", Some("t")),
            ("replace t select * from u", Some("t")),
            ("UPDATE LOW_PRIORITY t SET a = 1", Some("t")),
            ("UPDATE t, u SET t.a = 1", None),
            ("UPDATE t JOIN u SET t.a = 1", None),
            ("DELETE FROM t", Some("t")),
            ("DELETE HISTORY FROM t BEFORE SYSTEM_TIME NOW()", Some("t")),
            ("DELETE QUICK FROM t WHERE a LIMIT 1", Some("t")),
            ("DELETE t FROM t JOIN u", None),
            ("DELETE FROM t USING t JOIN u", None),
            ("CALL p()", None),
        ] {
            let table = changed_table(sql, &context).map(|table| table.name);
            assert_eq!(table.as_deref(), wanted, "{sql}");
        }
    }

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
