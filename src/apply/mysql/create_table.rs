//! CREATE TABLE for a table that the target meets for the first time, from the source's definition.
//!
//! The text is our own, made for the target in a session of UTF-8 without special SQL modes. What does not matter to
//! rows (engine, partitions, comments, ON UPDATE CURRENT_TIMESTAMP) is left to the target's defaults.

use std::fmt::Write as _;

use super::connection::Connection;
use super::statement::quote;
use crate::error::Result;
use crate::schema::table::{
    Collation, Column, ColumnType, DefaultValue, ForeignKey, IndexKind, KeyPart, Table,
};

/// Time that CREATE TABLE waits for a table that another session holds: our own lane may be that session.
const LOCK_WAIT_S: u32 = 2;

/// Makes the table, and its database where there is none. A table that is there already is left as it is.
///
/// # Errors
/// `TargetBusy` when a table that it needs is in use.
pub(super) fn create(worker: &mut Connection, database: &str, table: &Table) -> Result<()> {
    let doing = "making a table that it did not have";
    worker.query(
        &format!(
            "SET SESSION sql_mode = '', time_zone = '+00:00', foreign_key_checks = 0, lock_wait_timeout = {LOCK_WAIT_S}, \
             character_set_client = utf8mb4, character_set_connection = utf8mb4"
        ),
        doing,
    )?;
    create_database(worker, database, &table.collation)?;
    let result = worker.query(&statement(database, table, worker.server.mariadb), doing);
    result.map_err(|error| error.at_table(database, &table.name))
}

/// Makes a database where there is none.
pub(super) fn create_database(
    worker: &mut Connection,
    database: &str,
    collation: &Collation,
) -> Result<()> {
    worker.query(
        &format!(
            "CREATE DATABASE IF NOT EXISTS {} CHARACTER SET {} COLLATE {}",
            quote(database),
            collation.charset,
            collation.name
        ),
        "making a database that it did not have",
    )
}

/// The text.
pub(super) fn statement(database: &str, table: &Table, mariadb: bool) -> String {
    let columns = table.columns.iter();
    let mut lines: Vec<String> = columns
        .map(|c| column(c, &table.collation, mariadb))
        .collect();
    if !table.primary_key.is_empty() {
        lines.push(format!("PRIMARY KEY {}", key_parts(&table.primary_key)));
    }
    for index in &table.indexes {
        let kind = match index.kind {
            IndexKind::Plain => "KEY",
            IndexKind::Unique => "UNIQUE KEY",
            IndexKind::Fulltext => "FULLTEXT KEY",
            IndexKind::Spatial => "SPATIAL KEY",
            IndexKind::Vector => "VECTOR KEY",
        };
        lines.push(format!(
            "{kind} {} {}",
            quote(&index.name),
            key_parts(&index.parts)
        ));
    }
    lines.extend(table.foreign_keys.iter().map(foreign_key));
    format!(
        "CREATE TABLE IF NOT EXISTS {}.{} (\n  {}\n) CHARACTER SET {} COLLATE {}",
        quote(database),
        quote(&table.name),
        lines.join(",\n  "),
        table.collation.charset,
        table.collation.name
    )
}

fn column(column: &Column, default: &Collation, mariadb: bool) -> String {
    let mut text = format!(
        "{} {}",
        quote(&column.name),
        column_type(&column.ty, default)
    );
    if let Some(generated) = &column.generated {
        let kind = if generated.stored {
            "STORED"
        } else {
            "VIRTUAL"
        };
        let _ = write!(
            text,
            " GENERATED ALWAYS AS ({}) {kind}",
            generated.expression
        );
        // MariaDB takes no NOT NULL here; whether NULL comes out is up to the expression.
        if !column.nullable && !mariadb {
            text.push_str(" NOT NULL");
        }
    } else {
        // Said in either case: a TIMESTAMP would otherwise get a default of its own.
        text.push_str(if column.nullable {
            " NULL"
        } else {
            " NOT NULL"
        });
        let bit = matches!(column.ty, ColumnType::Bit { .. });
        match &column.default {
            // As a string, the digits would be bytes of the BIT.
            Some(DefaultValue::Literal(digits)) if bit && digits.parse::<u64>().is_ok() => {
                let _ = write!(text, " DEFAULT {digits}");
            }
            Some(DefaultValue::Literal(literal)) => {
                let _ = write!(text, " DEFAULT {}", string(literal));
            }
            Some(DefaultValue::Bytes(bytes)) => {
                // MariaDB takes no hexadecimal string for a BIT.
                text.push_str(if bit { " DEFAULT b'" } else { " DEFAULT x'" });
                for byte in bytes {
                    let _ = if bit {
                        write!(text, "{byte:08b}")
                    } else {
                        write!(text, "{byte:02x}")
                    };
                }
                text.push('\'');
            }
            Some(DefaultValue::CurrentTimestamp(fsp)) => {
                let _ = write!(text, " DEFAULT CURRENT_TIMESTAMP({fsp})");
            }
            Some(DefaultValue::Expression(expression)) => {
                let _ = write!(text, " DEFAULT ({expression})");
            }
            None => {}
        }
        if column.auto_increment {
            text.push_str(" AUTO_INCREMENT");
        }
    }
    if column.invisible {
        text.push_str(" INVISIBLE");
    }
    text
}

fn column_type(ty: &ColumnType, default: &Collation) -> String {
    let sign = |unsigned: bool| if unsigned { " UNSIGNED" } else { "" };
    match ty {
        ColumnType::Int {
            bytes,
            unsigned,
            display_width,
            zerofill,
        } => {
            let word = match bytes {
                1 => "TINYINT",
                2 => "SMALLINT",
                3 => "MEDIUMINT",
                4 => "INT",
                _ => "BIGINT",
            };
            let width = display_width.map_or(String::new(), |width| format!("({width})"));
            let zerofill = if *zerofill { " ZEROFILL" } else { "" };
            format!("{word}{width}{}{zerofill}", sign(*unsigned))
        }
        ColumnType::Float { unsigned, digits } => {
            format!("FLOAT{}{}", float_digits(*digits), sign(*unsigned))
        }
        ColumnType::Double { unsigned, digits } => {
            format!("DOUBLE{}{}", float_digits(*digits), sign(*unsigned))
        }
        ColumnType::Decimal {
            precision,
            scale,
            unsigned,
        } => {
            format!("DECIMAL({precision},{scale}){}", sign(*unsigned))
        }
        ColumnType::Bit { bits } => format!("BIT({bits})"),
        ColumnType::Year => "YEAR".to_owned(),
        ColumnType::Date => "DATE".to_owned(),
        ColumnType::Time { fsp } => format!("TIME({fsp})"),
        ColumnType::DateTime { fsp } => format!("DATETIME({fsp})"),
        ColumnType::Timestamp { fsp } => format!("TIMESTAMP({fsp})"),
        ColumnType::Char { length, collation } => {
            format!("CHAR({length}){}", charset(collation, default))
        }
        ColumnType::VarChar { length, collation } => {
            format!("VARCHAR({length}){}", charset(collation, default))
        }
        ColumnType::Text {
            length_bytes,
            collation,
        } => {
            format!(
                "{}TEXT{}",
                size_word(*length_bytes),
                charset(collation, default)
            )
        }
        ColumnType::Binary { length } => format!("BINARY({length})"),
        ColumnType::VarBinary { length } => format!("VARBINARY({length})"),
        ColumnType::Blob { length_bytes } => format!("{}BLOB", size_word(*length_bytes)),
        ColumnType::Enum { labels, collation } => {
            format!("ENUM({}){}", strings(labels), charset(collation, default))
        }
        ColumnType::Set { labels, collation } => {
            format!("SET({}){}", strings(labels), charset(collation, default))
        }
        ColumnType::Json => "JSON".to_owned(),
        ColumnType::Geometry { kind } => kind.to_ascii_uppercase(),
        ColumnType::Vector { dimensions } => format!("VECTOR({dimensions})"),
        ColumnType::Uuid => "UUID".to_owned(),
        ColumnType::Inet4 => "INET4".to_owned(),
        ColumnType::Inet6 => "INET6".to_owned(),
    }
}

fn float_digits(digits: Option<(u8, u8)>) -> String {
    digits.map_or(String::new(), |(all, after)| format!("({all},{after})"))
}

fn size_word(length_bytes: u8) -> &'static str {
    match length_bytes {
        1 => "TINY",
        2 => "",
        3 => "MEDIUM",
        _ => "LONG",
    }
}

/// Nothing where it is that of the table.
fn charset(collation: &Collation, default: &Collation) -> String {
    if collation == default {
        return String::new();
    }
    format!(
        " CHARACTER SET {} COLLATE {}",
        collation.charset, collation.name
    )
}

fn key_parts(parts: &[KeyPart]) -> String {
    let parts: Vec<String> = parts
        .iter()
        .map(|part| match part {
            KeyPart::Column {
                name,
                descending: false,
            } => quote(name),
            KeyPart::Column {
                name,
                descending: true,
            } => format!("{} DESC", quote(name)),
            KeyPart::Prefix { name, length } => format!("{}({length})", quote(name)),
            KeyPart::Expression(expression) => format!("({expression})"),
        })
        .collect();
    format!("({})", parts.join(", "))
}

/// A foreign key of a table of `database`, as a table of another database spells it.
pub(super) fn foreign_key_in(key: &ForeignKey, database: &str) -> String {
    let parent = key.parent_database.clone();
    foreign_key(&ForeignKey {
        parent_database: parent.or_else(|| Some(database.to_owned())),
        ..key.clone()
    })
}

fn foreign_key(key: &ForeignKey) -> String {
    let names = |names: &[String]| {
        names
            .iter()
            .map(|n| quote(n))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let constraint = key
        .name
        .as_ref()
        .map_or(String::new(), |name| format!("CONSTRAINT {} ", quote(name)));
    let database = key
        .parent_database
        .as_ref()
        .map_or(String::new(), |name| format!("{}.", quote(name)));
    // What is so anyway is not said, as by the servers.
    let action = |when: &str, action: &str| match action {
        "RESTRICT" => String::new(),
        action => format!(" ON {when} {action}"),
    };
    format!(
        "{constraint}FOREIGN KEY ({}) REFERENCES {database}{} ({}){}{}",
        names(&key.columns),
        quote(&key.parent_table),
        names(&key.parent_columns),
        action("DELETE", &key.on_delete),
        action("UPDATE", &key.on_update),
    )
}

fn strings(texts: &[String]) -> String {
    texts
        .iter()
        .map(|text| string(text))
        .collect::<Vec<_>>()
        .join(",")
}

/// A string literal, for a session without NO_BACKSLASH_ESCAPES.
fn string(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::super::definition::understand;
    use super::*;
    use crate::schema::ddl::{Flavor, SqlContext};

    #[test]
    fn names_and_labels_are_quoted() {
        let text = "CREATE TABLE t (`we``ird` enum('it''s','a\\\\b') NOT NULL DEFAULT 'it''s' INVISIBLE, o CHAR(3) CHARSET utf8mb4 COLLATE utf8mb4_bin, \
                    PRIMARY KEY (`we``ird` DESC)) DEFAULT CHARSET=latin1 COLLATE=latin1_bin";
        let context = SqlContext::new(Flavor::MySql, 90_704, "d");
        let table = understand(text, &context).unwrap();
        assert_eq!(
            statement("d", &table, false),
            "CREATE TABLE IF NOT EXISTS `d`.`t` (\n  `we``ird` ENUM('it''s','a\\\\b') NOT NULL DEFAULT 'it''s' INVISIBLE,\n  `o` CHAR(3) CHARACTER SET utf8mb4 COLLATE \
             utf8mb4_bin NULL,\n  PRIMARY KEY (`we``ird` DESC)\n) CHARACTER SET latin1 \
             COLLATE latin1_bin"
        );
    }
}
