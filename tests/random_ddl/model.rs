//! What the random statements know of the tables that they made: names, columns and which values go in.

use std::fmt::Write as _;

use crate::oracle::column_kind::{self, ColumnKind};
use crate::support::random::Random;
use crate::support::server::{Flavor, Server, Session};

const DATABASES: [&str; 2] = ["one", "two words"];
/// Not ucs2: MySQL reads the bytes of ENUM and SET labels that are given anew as if they were in it.
const CHARSETS: [&str; 6] = ["utf8mb4", "latin1", "utf8mb3", "euckr", "cp1251", "gbk"];
const SQL_MODES: [&str; 4] = [
    "",
    "ANSI_QUOTES",
    "NO_BACKSLASH_ESCAPES",
    "STRICT_ALL_TABLES,NO_ZERO_DATE",
];
/// Names that replicas stumbled over.
const NAMES: [&str; 12] = [
    "t", "a b", "sel`ect", "Ümlaut", "back\\", "q'uote", "dou\"ble", "per%cent", "x-y", "0",
    "sqlite", "rowid",
];
const TABLES_MAX: usize = 6;
const COLUMNS_MAX: usize = 12;

#[derive(Clone, Debug)]
struct Column {
    name: String,
    kind: ColumnKind,
}

#[derive(Clone, Debug)]
struct Table {
    database: &'static str,
    name: String,
    columns: Vec<Column>,
}

/// The tables, and the session that changes them.
pub(crate) struct Model {
    session: Session,
    random: Random,
    kinds: Vec<ColumnKind>,
    tables: Vec<Table>,
    names: u64,
}

impl Table {
    fn sql_name(&self) -> String {
        full_name(self.database, &self.name)
    }
}

fn full_name(database: &str, table: &str) -> String {
    format!("{}.{}", quoted(database), quoted(table))
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

fn session(url: &str) -> Session {
    let mut session = Session::connect(url).unwrap();
    session.exec("SET NAMES utf8mb4, time_zone = '+02:00'");
    session
}

impl Model {
    /// Two databases with nothing in them.
    pub(crate) fn new(server: &Server, random: Random) -> Self {
        Self::at(&server.root_url(), server.flavor(), random)
    }

    /// As [`Self::new`], of the server at this URL.
    pub(crate) fn at(url: &str, flavor: Flavor, random: Random) -> Self {
        let mut session = session(url);
        for database in DATABASES {
            session.exec(&format!("CREATE DATABASE {}", quoted(database)));
        }
        Self {
            session,
            random,
            kinds: column_kind::all(flavor),
            tables: Vec::new(),
            names: 0,
        }
    }

    /// Logs in again, after a restart of the server between two steps.
    pub(crate) fn log_in_again(&mut self, url: &str) {
        self.session = session(url);
    }

    /// One statement.
    pub(crate) fn step(&mut self) {
        if self.random.percent(10) {
            let mode = self.random.pick(&SQL_MODES);
            self.session.exec(&format!("SET sql_mode = '{mode}'"));
        }
        // A table that lost all columns but its key is of no more use.
        if let Some(bare) = self
            .tables
            .iter()
            .position(|table| table.columns.is_empty())
        {
            let bare = self.tables.remove(bare);
            self.run(&format!("DROP TABLE {}", bare.sql_name()));
        }
        if self.tables.is_empty() {
            return self.create();
        }
        match self.random.range(0..100) {
            0..8 => self.create(),
            8..11 => self.drop(),
            11..40 => self.insert(),
            40..52 => self.update(),
            52..58 => self.delete(),
            58..84 => self.alter(),
            84..89 => self.rename(),
            89..92 => self.index(),
            92..95 => self.copy(),
            95..97 => self.truncate(),
            97..98 => self.database(),
            _ => self.passed_over(),
        }
    }

    fn run(&mut self, sql: &str) -> bool {
        match self.session.try_exec(sql) {
            Ok(()) => {
                eprintln!("{sql};");
                true
            }
            Err(_) => false,
        }
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("{}{}", self.random.pick(&NAMES), self.names)
    }

    fn kind(&mut self) -> ColumnKind {
        self.kinds[self.random.size(0..self.kinds.len())].clone()
    }

    fn new_column(&mut self) -> Column {
        Column {
            name: self.name(),
            kind: self.kind(),
        }
    }

    fn table(&mut self) -> usize {
        self.random.size(0..self.tables.len())
    }

    fn column(&mut self, table: usize) -> usize {
        self.random.size(0..self.tables[table].columns.len())
    }

    fn definition(&mut self, column: &Column) -> String {
        let mut sql = format!("{} {}", quoted(&column.name), column.kind.sql_type);
        let not_null = self.random.percent(30);
        sql.push_str(if not_null { " NOT NULL" } else { " NULL" });
        if column.kind.can_have_default() && self.random.percent(30) {
            let value = column.kind.random(&mut self.random);
            let _ = write!(sql, " DEFAULT {value}");
        }
        sql
    }

    fn create(&mut self) {
        if self.tables.len() >= TABLES_MAX {
            return self.drop();
        }
        let database = self.random.pick(&DATABASES);
        let name = self.name();
        let columns: Vec<Column> = (0..self.random.range(1..6))
            .map(|_| self.new_column())
            .collect();
        let mut parts: Vec<String> = columns
            .iter()
            .map(|column| self.definition(column))
            .collect();
        let keys: Vec<String> = columns
            .iter()
            .filter(|column| column.kind.can_be_key())
            .map(|column| quoted(&column.name))
            .collect();
        if self.random.percent(50) {
            parts.insert(0, "id INT AUTO_INCREMENT PRIMARY KEY".to_owned());
        } else if let Some(key) = keys.first().filter(|_| self.random.percent(60)) {
            parts.push(format!("PRIMARY KEY ({key})"));
        }
        if let Some(key) = keys.last().filter(|_| self.random.percent(30)) {
            let unique = if self.random.percent(30) {
                "UNIQUE "
            } else {
                ""
            };
            parts.push(format!("{unique}KEY ({key})"));
        }
        let sql = format!(
            "CREATE TABLE {} ({}) DEFAULT CHARSET {}",
            full_name(database, &name),
            parts.join(", "),
            self.random.pick(&CHARSETS)
        );
        if self.run(&sql) {
            self.tables.push(Table {
                database,
                name,
                columns,
            });
        }
    }

    fn drop(&mut self) {
        let table = self.table();
        let sql = format!("DROP TABLE {}", self.tables[table].sql_name());
        if self.run(&sql) {
            self.tables.remove(table);
        }
    }

    fn insert(&mut self) {
        let table = self.tables[self.random.size(0..self.tables.len())].clone();
        let names: Vec<String> = table.columns.iter().map(|c| quoted(&c.name)).collect();
        let rows: Vec<String> = (0..self.random.range(1..8))
            .map(|_| {
                let values: Vec<String> = table
                    .columns
                    .iter()
                    .map(|column| self.value(column))
                    .collect();
                format!("({})", values.join(", "))
            })
            .collect();
        self.run(&format!(
            "INSERT IGNORE INTO {} ({}) VALUES {}",
            table.sql_name(),
            names.join(", "),
            rows.join(", ")
        ));
    }

    fn value(&mut self, column: &Column) -> String {
        if self.random.percent(10) {
            "NULL".to_owned()
        } else {
            column.kind.random(&mut self.random)
        }
    }

    fn update(&mut self) {
        let table = self.tables[self.random.size(0..self.tables.len())].clone();
        let at = self.random.size(0..table.columns.len());
        let value = self.value(&table.columns[at]);
        let few = self.few();
        self.run(&format!(
            "UPDATE IGNORE {} SET {} = {value} {few}",
            table.sql_name(),
            quoted(&table.columns[at].name),
        ));
    }

    fn delete(&mut self) {
        let (table, few) = (self.table(), self.few());
        let sql = format!("DELETE FROM {} {few}", self.tables[table].sql_name());
        self.run(&sql);
    }

    fn few(&mut self) -> String {
        format!("LIMIT {}", self.random.range(1..4))
    }

    fn alter(&mut self) {
        let table = self.table();
        let mut after = self.tables[table].clone();
        let clauses: Vec<String> = (0..self.random.range(1..4))
            .map(|_| self.clause(table, &mut after))
            .collect();
        let sql = format!(
            "ALTER TABLE {} {}",
            self.tables[table].sql_name(),
            clauses.join(", ")
        );
        if self.run(&sql) {
            self.tables[table] = after;
        }
    }

    fn clause(&mut self, table: usize, after: &mut Table) -> String {
        let at = self.column(table);
        let old = self.tables[table].columns[at].clone();
        let name = quoted(&old.name);
        let place = match self.random.range(0..4) {
            0 => " FIRST".to_owned(),
            1 => format!(" AFTER {}", quoted(&self.tables[table].columns[0].name)),
            _ => String::new(),
        };
        match self.random.range(0..12) {
            0..3 if after.columns.len() < COLUMNS_MAX => {
                let column = self.new_column();
                let sql = format!("ADD COLUMN {}{place}", self.definition(&column));
                after.columns.push(column);
                sql
            }
            3..5 => {
                after.columns.retain(|column| column.name != old.name);
                format!("DROP COLUMN {name}")
            }
            5 => format!("MODIFY {}{place}", self.definition(&old)),
            6..8 => {
                let new = Column {
                    name: old.name.clone(),
                    kind: self.kind(),
                };
                let sql = format!("MODIFY {}{place}", self.definition(&new));
                replace(after, &old.name, new);
                sql
            }
            8 => {
                let new = Column {
                    name: self.name(),
                    kind: old.kind.clone(),
                };
                let sql = if self.random.percent(50) {
                    format!("RENAME COLUMN {name} TO {}", quoted(&new.name))
                } else {
                    format!("CHANGE {name} {}{place}", self.definition(&new))
                };
                replace(after, &old.name, new);
                sql
            }
            9 => {
                let charset = self.random.pick(&CHARSETS);
                if self.random.percent(50) {
                    format!("CONVERT TO CHARACTER SET {charset}")
                } else {
                    format!("DEFAULT CHARACTER SET {charset}")
                }
            }
            10 => self
                .random
                .pick(&["DROP PRIMARY KEY", "ENGINE=InnoDB", "FORCE", "COMMENT 'x'"])
                .to_owned(),
            _ => match self.random.range(0..4) {
                0 => format!("ADD PRIMARY KEY ({name})"),
                1 => format!("ADD UNIQUE ({name})"),
                2 => format!("ALTER {name} DROP DEFAULT"),
                _ => format!("ADD KEY ({name})"),
            },
        }
    }

    fn rename(&mut self) {
        let table = self.table();
        let to = self.name();
        let here = self.tables[table].clone();
        let database = if self.random.percent(30) {
            self.random.pick(&DATABASES)
        } else {
            here.database
        };
        let sql = format!(
            "RENAME TABLE {} TO {}",
            here.sql_name(),
            full_name(database, &to)
        );
        let other = self
            .tables
            .iter()
            .position(|t| t.database == here.database && t.name != here.name);
        if let Some(other) = other.filter(|_| self.random.percent(50)) {
            // A swap, as at the end of an online schema change.
            let there = self.tables[other].clone();
            let between = full_name(here.database, &to);
            let swap = format!(
                "RENAME TABLE {0} TO {between}, {1} TO {0}, {between} TO {1}",
                here.sql_name(),
                there.sql_name()
            );
            if self.run(&swap) {
                self.tables[table].name = there.name;
                self.tables[other].name = here.name;
            }
        } else if self.run(&sql) {
            self.tables[table].name = to;
            self.tables[table].database = DATABASES
                .into_iter()
                .find(|known| *known == database)
                .unwrap();
        }
    }

    fn index(&mut self) {
        let table = self.table();
        let at = self.column(table);
        let unique = if self.random.percent(40) {
            "UNIQUE "
        } else {
            ""
        };
        let name = self.name();
        let on = self.tables[table].sql_name();
        let create = format!(
            "CREATE {unique}INDEX {} ON {on} ({})",
            quoted(&name),
            quoted(&self.tables[table].columns[at].name)
        );
        if self.run(&create) && self.random.percent(50) {
            self.run(&format!("DROP INDEX {} ON {on}", quoted(&name)));
        }
    }

    fn copy(&mut self) {
        if self.tables.len() >= TABLES_MAX {
            return self.drop();
        }
        let table = self.table();
        let mut new = self.tables[table].clone();
        new.name = self.name();
        let from = self.tables[table].sql_name();
        let sql = if self.random.percent(50) {
            format!("CREATE TABLE {} LIKE {from}", new.sql_name())
        } else {
            format!("CREATE TABLE {} AS SELECT * FROM {from}", new.sql_name())
        };
        if self.run(&sql) {
            self.tables.push(new);
        }
    }

    fn truncate(&mut self) {
        let table = self.table();
        let sql = format!("TRUNCATE TABLE {}", self.tables[table].sql_name());
        self.run(&sql);
    }

    fn database(&mut self) {
        let database = self.random.pick(&DATABASES);
        let charset = self.random.pick(&CHARSETS);
        self.run(&format!(
            "ALTER DATABASE {} CHARACTER SET {charset}",
            quoted(database)
        ));
    }

    fn passed_over(&mut self) {
        let table = self.table();
        let table = &self.tables[table];
        let sql = match self.names % 3 {
            0 => format!("ANALYZE TABLE {}", table.sql_name()),
            1 => format!(
                "CREATE OR REPLACE VIEW {}.v AS SELECT 1 FROM {}",
                quoted(table.database),
                table.sql_name()
            ),
            _ => format!("DROP VIEW IF EXISTS {}.v", quoted(table.database)),
        };
        self.run(&sql);
    }
}

fn replace(table: &mut Table, name: &str, new: Column) {
    for column in &mut table.columns {
        if column.name == name {
            *column = new.clone();
        }
    }
}
