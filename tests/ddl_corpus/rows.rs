//! Rows for a table that nobody has described: what a server takes for each of its columns.

use crate::support::server::Session;

/// A column that takes values.
struct Target {
    name: String,
    data_type: String,
    column_type: String,
}

/// Puts some rows into a table, changes one and deletes one now and then; `number` makes them different each time. What the
/// server refuses of it (a key, a foreign key, a type that takes no such value) is left out.
pub(super) fn some_rows(session: &mut Session, database: &str, table: &str, number: u64) {
    let name = format!("{}.{}", quoted(database), quoted(table));
    let columns = targets(session, database, table);
    let nothing = format!("INSERT IGNORE INTO {name} () VALUES ()");
    if columns.is_empty() {
        let _ = session.try_exec(&nothing);
        return;
    }
    let list: Vec<String> = columns.iter().map(|column| quoted(&column.name)).collect();
    let row = |number: u64| {
        let values: Vec<String> = columns.iter().map(|column| column.value(number)).collect();
        format!("({})", values.join(", "))
    };
    let insert = |rows: String| {
        format!(
            "INSERT IGNORE INTO {name} ({}) VALUES {rows}",
            list.join(", ")
        )
    };
    if session
        .try_exec(&insert(format!("{}, {}", row(number), row(number + 1))))
        .is_err()
    {
        let _ = session.try_exec(&insert(row(number)));
    }
    if let Some(last) = columns.last() {
        let (column, value) = (quoted(&last.name), last.value(number + 2));
        let _ = session.try_exec(&format!(
            "UPDATE IGNORE {name} SET {column} = {value} LIMIT 1"
        ));
    }
    let _ = session.try_exec(&nothing);
    if number.is_multiple_of(3) {
        let _ = session.try_exec(&format!("DELETE FROM {name} LIMIT 1"));
    }
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// The columns that a statement may give values.
fn targets(session: &mut Session, database: &str, table: &str) -> Vec<Target> {
    let text = |name: &str| name.replace('\\', "\\\\").replace('\'', "''");
    let rows = session.query_strings(&format!(
        "SELECT column_name, data_type, column_type FROM information_schema.columns
         WHERE table_schema = '{}' AND table_name = '{}' AND ifnull(generation_expression, '') = ''
           AND extra NOT LIKE '%GENERATED%' AND extra NOT LIKE '%auto_increment%' ORDER BY ordinal_position",
        text(database),
        text(table)
    ));
    let target = |row: Vec<Option<String>>| {
        let mut row = row.into_iter().map(Option::unwrap);
        let mut next = || row.next().unwrap();
        Target {
            name: next(),
            data_type: next().to_lowercase(),
            column_type: next().to_lowercase(),
        }
    };
    rows.into_iter().map(target).collect()
}

impl Target {
    /// A value that the column takes.
    fn value(&self, number: u64) -> String {
        let small = number % 90 + 1;
        match self.data_type.as_str() {
            "tinyint" | "smallint" | "mediumint" | "int" | "bigint" => small.to_string(),
            "float" | "double" | "decimal" => format!("{small}.25"),
            "year" => (2000 + small).to_string(),
            "bit" => (number % 2).to_string(),
            "enum" | "set" => (number % 2 + 1).to_string(),
            "date" => format!("'2021-03-{:02}'", number % 28 + 1),
            "datetime" | "timestamp" => format!("'2021-03-{:02} 10:11:12.345678'", number % 28 + 1),
            "time" => format!("'{:02}:11:12.5'", number % 24),
            "json" => format!("'{{\"n\": {small}}}'"),
            "uuid" => format!("'123e4567-e89b-12d3-a456-4266141740{small:02}'"),
            "inet4" => format!("'10.0.0.{small}'"),
            "inet6" => format!("'2001:db8::{small}'"),
            "geometry" | "point" => format!("ST_GeomFromText('POINT({small} 1)')"),
            "linestring" => format!("ST_GeomFromText('LINESTRING(0 0,{small} 1)')"),
            "polygon" => format!("ST_GeomFromText('POLYGON((0 0,0 {small},1 1,0 0))')"),
            "multipoint" => format!("ST_GeomFromText('MULTIPOINT(0 0,{small} 1)')"),
            "multilinestring" => format!("ST_GeomFromText('MULTILINESTRING((0 0,{small} 1))')"),
            "multipolygon" => format!("ST_GeomFromText('MULTIPOLYGON(((0 0,0 {small},1 1,0 0)))')"),
            "geometrycollection" | "geomcollection" => {
                format!("ST_GeomFromText('GEOMETRYCOLLECTION(POINT({small} 1))')")
            }
            "vector" => self.vector(small),
            _ => format!("'v{small}'"),
        }
    }

    /// The bytes of a vector: both servers take them as they are.
    fn vector(&self, number: u64) -> String {
        let digits = self.column_type.chars().filter(char::is_ascii_digit);
        let dimensions: usize = digits.collect::<String>().parse().unwrap_or(1);
        let element = f32::from(u8::try_from(number).unwrap()).to_le_bytes();
        let element: String = element.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("x'{}'", element.repeat(dimensions))
    }
}
