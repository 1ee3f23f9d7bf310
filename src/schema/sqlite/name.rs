//! Names and texts in SQLite's SQL.

/// Beginnings of names that are not free for the source's tables: SQLite's own, ours, and those of our indexes.
const RESERVED_PREFIXES: [&str; 3] = ["sqlite_", "_relaylite_", "ix:"];

/// A name in double quotes.
pub fn quote_identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text in single quotes. SQLite's SQL ends at a NUL, so a text that holds one is written as bytes.
pub fn quote_text(text: &str) -> String {
    if text.contains('\0') {
        return format!("CAST({} AS TEXT)", quote_bytes(text.as_bytes()));
    }
    format!("'{}'", text.replace('\'', "''"))
}

/// Bytes as a BLOB literal.
pub(super) fn quote_bytes(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut sql = String::with_capacity(bytes.len() * 2 + 3);
    sql.push_str("x'");
    for byte in bytes {
        let _ = write!(sql, "{byte:02x}");
    }
    sql.push('\'');
    sql
}

/// What SQLite calls a table of the source: its own name, with `~` in front where that would be a reserved one.
///
/// Different names stay different; SQLite does not tell `T` from `t`, so the caller numbers names that differ in case
/// only.
pub fn sqlite_name(table: &str) -> String {
    let reserved = table.starts_with('~')
        || RESERVED_PREFIXES.iter().any(|prefix| {
            table
                .get(..prefix.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(prefix))
        });
    if reserved {
        format!("~{table}")
    } else {
        table.to_owned()
    }
}
