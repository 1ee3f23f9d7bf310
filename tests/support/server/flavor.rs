//! The kinds of servers, and what not each version of them has.

use std::path::PathBuf;

use super::programs;

/// Which kind of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Flavor {
    /// `MariaDB`, 10.11 unless the environment names another.
    MariaDb,
    /// `MySQL`, 9.x unless the environment names another.
    MySql,
    /// `MariaDB` 11.8, for what 10.11 does not have.
    MariaDb11,
}

impl Flavor {
    /// The two families, for the tests that run on each.
    pub(crate) fn both() -> [Self; 2] {
        [Self::MariaDb, Self::MySql]
    }

    /// `mariadb` or `mysql`.
    pub(crate) fn name(self) -> &'static str {
        if self.is_mariadb() {
            "mariadb"
        } else {
            "mysql"
        }
    }

    /// Whether it is `MariaDB`, of any version.
    pub(crate) fn is_mariadb(self) -> bool {
        self != Self::MySql
    }

    /// Whether it is `MariaDB` of this version or a later one: the environment may name one that lacks something.
    #[track_caller]
    pub(crate) fn is_mariadb_since(self, major: u32, minor: u32) -> bool {
        self.is_mariadb() && programs::version(&self.program()) >= (major, minor, 0)
    }

    /// Statements for this server: types that it does not have are those that people take instead.
    #[track_caller]
    pub(crate) fn with_types_it_has(self, sql: &str) -> String {
        let mut sql = sql.to_owned();
        for (since, own, instead) in [
            ((10, 7), " UUID", " CHAR(36)"),
            ((10, 10), " INET4", " VARCHAR(15)"),
        ] {
            if self.is_mariadb() && !self.is_mariadb_since(since.0, since.1) {
                for end in [" ", ",", ")"] {
                    sql = sql.replace(&format!("{own}{end}"), &format!("{instead}{end}"));
                }
            }
        }
        sql
    }

    /// The server's binary.
    #[track_caller]
    pub(super) fn program(self) -> PathBuf {
        programs::find(match self {
            Self::MariaDb => "RELAYLITE_TEST_MARIADBD",
            Self::MySql => "RELAYLITE_TEST_MYSQLD",
            Self::MariaDb11 => "RELAYLITE_TEST_MARIADBD11",
        })
    }
}

/// A collation's name as newer servers say it: `utf8` was the name of utf8mb3 before MariaDB 10.6.
pub(crate) fn name_of_today(collation: &str) -> String {
    match collation.strip_prefix("utf8_") {
        Some(rest) => format!("utf8mb3_{rest}"),
        None => collation.to_owned(),
    }
}
