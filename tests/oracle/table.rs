//! Tables with columns of any kind, and statements that change their rows.

use std::fmt::Write as _;

use super::column_kind::ColumnKind;
use crate::support::random::Random;

/// Bytes that the server allows a row, blobs aside, with room to spare.
const ROW_BYTES_MAX: usize = 40_000;

/// A table: columns `c0`, `c1`, … and a key.
#[derive(Debug)]
pub(super) struct Table {
    /// Its name.
    pub(super) name: String,
    columns: Vec<ColumnKind>,
    /// Which columns are NOT NULL.
    not_null: Vec<bool>,
    create: String,
}

impl Table {
    /// A table whose rows `id` finds.
    pub(super) fn with_id(name: &str, columns: &[ColumnKind]) -> Self {
        let mut create = format!("CREATE TABLE {name} (id INT PRIMARY KEY AUTO_INCREMENT");
        for (at, column) in columns.iter().enumerate() {
            let _ = write!(create, ", c{at} {} NULL", column.sql_type);
        }
        create.push_str(") DEFAULT CHARSET utf8mb4");
        Self {
            name: name.to_owned(),
            columns: columns.to_vec(),
            not_null: vec![false; columns.len()],
            create,
        }
    }

    /// A table whose only columns are those of the key.
    pub(super) fn with_key(name: &str, columns: &[ColumnKind]) -> Self {
        let mut create = format!("CREATE TABLE {name} (id INT");
        for (at, column) in columns.iter().enumerate() {
            let _ = write!(create, ", c{at} {} NOT NULL", column.sql_type);
        }
        let names: Vec<String> = (0..columns.len()).map(|at| format!("c{at}")).collect();
        let _ = write!(
            create,
            ", PRIMARY KEY ({})) DEFAULT CHARSET utf8mb4",
            names.join(", ")
        );
        Self {
            name: name.to_owned(),
            columns: columns.to_vec(),
            not_null: vec![true; columns.len()],
            create,
        }
    }

    /// A random table: any columns, any kind of key or none.
    /// MariaDB leaves virtual columns out of images that are not FULL, and then they cannot be followed.
    pub(super) fn random(
        name: &str,
        kinds: &[ColumnKind],
        has_virtual: bool,
        random: &mut Random,
    ) -> Self {
        let columns: Vec<ColumnKind> = (0..random.range(2..13))
            .map(|_| kinds[random.size(0..kinds.len())].clone())
            .collect();
        let mut create = format!("CREATE TABLE {name} (id INT");
        let mut keys = Vec::new();
        let mut not_null = Vec::new();
        for (at, column) in columns.iter().enumerate() {
            let can_be_key = column.can_be_key();
            if can_be_key && keys.len() < 3 && random.percent(40) {
                keys.push(format!("c{at}"));
            }
            let null = if keys.last() == Some(&format!("c{at}")) || random.percent(20) {
                "NOT NULL"
            } else {
                "NULL"
            };
            let _ = write!(create, ", c{at} {} {null}", column.sql_type);
            not_null.push(null == "NOT NULL");
            if column.can_have_default() && random.percent(10) {
                create.push_str(" INVISIBLE");
                if null == "NOT NULL" {
                    let _ = write!(create, " DEFAULT {}", constant(column));
                }
            }
        }
        if random.percent(30) {
            create.push_str(", g0 BIGINT AS (id + 1) STORED");
            if has_virtual {
                create.push_str(", g1 VARCHAR(30) AS (CONCAT(id, '-')) VIRTUAL");
            }
        }
        let key = keys.join(", ");
        let _ = match random.range(0..5) {
            _ if keys.is_empty() => Ok(()),
            0 => Ok(()),
            1 => write!(create, ", UNIQUE KEY u ({key})"),
            2 => write!(create, ", KEY k ({key})"),
            _ => write!(create, ", PRIMARY KEY ({key})"),
        };
        create.push_str(") DEFAULT CHARSET utf8mb4");
        Self {
            name: name.to_owned(),
            columns,
            not_null,
            create,
        }
    }

    /// CREATE TABLE.
    pub(super) fn create_sql(&self) -> &str {
        &self.create
    }

    /// One INSERT per edge value: each column has its n-th in row n, NULL (or its first) behind its last.
    pub(super) fn insert_edges_sql(&self, null: bool) -> String {
        let edges: Vec<Vec<String>> = self.columns.iter().map(ColumnKind::edges).collect();
        let rows = edges.iter().map(Vec::len).max().unwrap_or_default() + usize::from(null);
        let mut sql = String::new();
        for row in 0..rows {
            let value = |edges: &Vec<String>| match edges.get(row) {
                Some(edge) => edge.clone(),
                None if null => "NULL".to_owned(),
                None => edges[row % edges.len()].clone(),
            };
            let values: Vec<String> = edges.iter().map(value).collect();
            let _ = writeln!(
                sql,
                "INSERT IGNORE INTO {} ({}) VALUES ({});",
                self.name,
                self.names(),
                values.join(", ")
            );
        }
        sql
    }

    /// One UPDATE per column, which moves it to its next edge value or to NULL.
    pub(super) fn update_edges_sql(&self, shift: usize) -> String {
        let mut sql = String::new();
        for (at, column) in self.columns.iter().enumerate() {
            let edges = column.edges();
            for row in (shift..edges.len() + 1).step_by(3) {
                let value = edges
                    .get((row + shift) % (edges.len() + 1))
                    .map_or("NULL", String::as_str);
                let _ = writeln!(
                    sql,
                    "UPDATE IGNORE {} SET c{at} = {value} WHERE id = {};",
                    self.name,
                    row + 1
                );
            }
        }
        sql
    }

    /// Finds every row of a table by its key, and moves and removes one.
    pub(super) fn change_keys_sql(&self) -> String {
        let (name, edges) = (&self.name, self.columns[0].edges());
        format!(
            "UPDATE {name} SET id = 1; DELETE FROM {name} ORDER BY c0 LIMIT 1;
             UPDATE IGNORE {name} SET c0 = {} ORDER BY c0 DESC LIMIT 1; INSERT IGNORE INTO {name} VALUES (2, {})",
            edges[0],
            edges[edges.len() - 1]
        )
    }

    fn names(&self) -> String {
        let names: Vec<String> = (0..self.columns.len()).map(|at| format!("c{at}")).collect();
        names.join(", ")
    }

    /// A random INSERT, UPDATE or DELETE, of one row or several.
    pub(super) fn change_sql(&self, random: &mut Random) -> String {
        match random.range(0..10) {
            0..6 => self.insert_sql(random),
            6..9 => {
                let sets: Vec<String> = (0..random.range(1..4))
                    .map(|_| {
                        let at = random.size(0..self.columns.len());
                        format!("c{at} = {}", self.value(at, random))
                    })
                    .collect();
                format!(
                    "UPDATE IGNORE {} SET {} {}",
                    self.name,
                    sets.join(", "),
                    some_rows(random)
                )
            }
            _ => format!("DELETE FROM {} {}", self.name, some_rows(random)),
        }
    }

    fn insert_sql(&self, random: &mut Random) -> String {
        let mut rows = Vec::new();
        let mut bytes = 0;
        for _ in 0..random.range(1..5) {
            let values: Vec<String> = (0..self.columns.len())
                .map(|at| self.value(at, random))
                .collect();
            let row = format!("({}, {})", random.range(0..1000), values.join(", "));
            bytes += row.len();
            rows.push(row);
            if random.percent(20) {
                rows.push(rows[0].clone());
            }
            if bytes > ROW_BYTES_MAX {
                break;
            }
        }
        format!(
            "INSERT IGNORE INTO {} (id, {}) VALUES {}",
            self.name,
            self.names(),
            rows.join(", ")
        )
    }

    /// One row more, of a table whose rows `id` finds.
    pub(super) fn new_row_sql(&self, random: &mut Random) -> String {
        let values: Vec<String> = (0..self.columns.len())
            .map(|at| self.value(at, random))
            .collect();
        format!(
            "INSERT IGNORE INTO {} ({}) VALUES ({})",
            self.name,
            self.names(),
            values.join(", ")
        )
    }

    /// Another value in some column of a row, of a table whose rows `id` finds.
    pub(super) fn change_row_sql(&self, id: u64, random: &mut Random) -> String {
        let at = random.size(0..self.columns.len());
        format!(
            "UPDATE IGNORE {} SET c{at} = {} WHERE id = {id}",
            self.name,
            self.value(at, random)
        )
    }

    fn value(&self, at: usize, random: &mut Random) -> String {
        match random.range(0..12) {
            0 if !self.not_null[at] => "NULL".to_owned(),
            1 if !self.not_null[at] => "DEFAULT".to_owned(),
            _ => self.columns[at].random(random),
        }
    }
}

/// A literal that every version takes as a default.
fn constant(column: &ColumnKind) -> String {
    let edges = column.edges();
    let is_plain =
        |edge: &&String| !edge.contains('(') && !edge.contains("x'") && !edge.starts_with("'0000");
    edges
        .iter()
        .rfind(is_plain)
        .cloned()
        .unwrap_or_else(|| "''".to_owned())
}

fn some_rows(random: &mut Random) -> String {
    format!(
        "ORDER BY RAND({}) LIMIT {}",
        random.range(0..1000),
        random.range(1..4)
    )
}
