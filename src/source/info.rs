//! Who the source is, and how it writes its binlog.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::semi_sync::SemiSync;
use crate::binlog::checksum::Checksum;
use crate::binlog::flavor::Flavor;
use crate::error::Result;
use crate::wire::{Connection, ResultSet};

/// A server's version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// 8 of 8.4.3.
    pub major: u16,
    /// 4 of 8.4.3.
    pub minor: u16,
    /// 3 of 8.4.3.
    pub patch: u16,
}

impl Version {
    /// A version from its parts.
    pub const fn new(major: u16, minor: u16, patch: u16) -> Self {
        Self {
            major,
            minor,
            patch,
        }
    }

    /// The numbers that a version text begins with; missing ones are 0.
    fn parse(text: &str) -> Self {
        // MariaDB before 11 hides behind a version that replicas of MySQL 5.5 accepted.
        let text = text.strip_prefix("5.5.5-").unwrap_or(text);
        let end = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let numbers = text.get(..end).unwrap_or_default();
        let mut parts = numbers.split('.').map(|part| part.parse().unwrap_or(0));
        let mut next = || parts.next().unwrap_or(0);
        Self::new(next(), next(), next())
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// The global variables that say how the source writes its binlog; older and other servers have not all of them.
const VARIABLES: &[&str] = &[
    "binlog_annotate_row_events",
    "binlog_checksum",
    "binlog_encryption",
    "binlog_expire_logs_auto_purge",
    "binlog_expire_logs_seconds",
    "binlog_format",
    "binlog_row_image",
    "binlog_row_metadata",
    "binlog_row_value_options",
    "binlog_storage_engine",
    "binlog_transaction_compression",
    "encrypt_binlog",
    "expire_logs_days",
    "gtid_mode",
    "innodb_native_foreign_keys",
    "log_bin",
    "log_bin_compress",
    "lower_case_table_names",
    "rpl_semi_sync_master_enabled",
    "rpl_semi_sync_source_enabled",
    "server_id",
    "server_uuid",
    "sql_mode",
    "time_zone",
    "version",
];

/// Who the source is, and how it writes its binlog, as it said at login.
#[derive(Debug, Clone)]
pub struct SourceInfo {
    /// Family.
    pub flavor: Flavor,
    /// Version as the server words it.
    pub version_text: String,
    /// Version in numbers.
    pub version: Version,
    /// Whose history its binlog is: `server_uuid` of a MySQL server, `server_id` of a MariaDB server.
    pub source_id: Arc<str>,
    /// `server_id`.
    pub server_id: u32,
    /// `binlog_checksum`.
    pub checksum: Checksum,
    /// The account that the server took us for: `slave@%`.
    pub account: String,
    /// Its clock when it was asked, in seconds since 1970.
    pub clock: Option<u64>,
    /// Global variables by name, in lower case.
    variables: BTreeMap<String, String>,
}

impl SourceInfo {
    /// Asks the server.
    pub(super) async fn read(connection: &mut Connection) -> Result<Self> {
        let names = VARIABLES.join("','");
        let sql = format!("SHOW GLOBAL VARIABLES WHERE Variable_name IN ('{names}')");
        let variables = connection.query(&sql).await?;
        let sql = "SELECT CURRENT_USER() AS account, UNIX_TIMESTAMP() AS clock";
        let answer = connection.query(sql).await?;
        let account = answer.first("account").unwrap_or_default().into_owned();
        let mut info = Self::new(&variables, account);
        info.clock = answer.first("clock").and_then(|clock| clock.parse().ok());
        Ok(info)
    }

    fn new(answer: &ResultSet, account: String) -> Self {
        let mut variables = BTreeMap::new();
        for row in &answer.rows {
            if let Some(name) = answer.text(row, "Variable_name") {
                let value = answer.text(row, "Value").unwrap_or_default();
                variables.insert(name.to_ascii_lowercase(), value.into_owned());
            }
        }
        let value = |name: &str| variables.get(name).map(String::as_str).unwrap_or_default();
        let version_text = value("version").to_owned();
        let flavor = if version_text.to_ascii_lowercase().contains("mariadb") {
            Flavor::MariaDb
        } else {
            Flavor::MySql
        };
        let id = match flavor {
            Flavor::MySql => value("server_uuid"),
            Flavor::MariaDb => value("server_id"),
        };
        Self {
            flavor,
            version: Version::parse(&version_text),
            source_id: Arc::from(id),
            server_id: value("server_id").parse().unwrap_or(0),
            checksum: if value("binlog_checksum").eq_ignore_ascii_case("CRC32") {
                Checksum::Crc32
            } else {
                Checksum::Off
            },
            version_text,
            account,
            clock: None,
            variables,
        }
    }

    /// A global variable of the source; `None` when it has none of that name, or it was not asked for.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// Whether a global variable of the source is ON.
    pub fn is_on(&self, name: &str) -> bool {
        self.variable(name)
            .is_some_and(|value| value.eq_ignore_ascii_case("ON") || value == "1")
    }

    /// Whether every transaction has a GTID: a MariaDB source's always has.
    pub fn has_gtids(&self) -> bool {
        let mode = self.variable("gtid_mode").unwrap_or_default();
        self.flavor == Flavor::MariaDb || mode.eq_ignore_ascii_case("ON")
    }

    /// Whether it takes acknowledgements of what it sends.
    pub fn semi_sync(&self) -> SemiSync {
        SemiSync::of(self)
    }

    /// Whether the binlog lies in InnoDB (MariaDB 12.3 and later): it then has no offsets that a replica could ask for.
    pub fn has_innodb_binlog(&self) -> bool {
        self.variable("binlog_storage_engine")
            .is_some_and(|engine| !engine.is_empty())
    }

    /// Whether `SHOW MASTER STATUS` is called `SHOW BINARY LOG STATUS`.
    pub(super) fn has_binary_log_status(&self) -> bool {
        self.flavor == Flavor::MySql && self.version >= Version::new(8, 2, 0)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What a server with these variables would be.
    pub(in crate::source) fn info(variables: &[(&str, &str)]) -> SourceInfo {
        let columns = vec!["Variable_name".to_owned(), "Value".to_owned()];
        let cell = |text: &str| Some(text.as_bytes().to_vec());
        let rows = variables
            .iter()
            .map(|(name, value)| vec![cell(name), cell(value)])
            .collect();
        SourceInfo::new(&ResultSet { columns, rows }, "slave@%".to_owned())
    }

    #[test]
    fn knows_the_families() {
        let mysql = info(&[
            ("version", "9.7.4-2"),
            ("server_id", "100"),
            ("server_uuid", "5678eb41-e6a5-11f1-a27a-02fc00000001"),
            ("binlog_checksum", "CRC32"),
            ("log_bin", "ON"),
        ]);
        assert_eq!(
            (mysql.flavor, mysql.version),
            (Flavor::MySql, Version::new(9, 7, 4))
        );
        assert_eq!(&*mysql.source_id, "5678eb41-e6a5-11f1-a27a-02fc00000001");
        assert_eq!((mysql.server_id, mysql.checksum), (100, Checksum::Crc32));
        assert!(mysql.is_on("log_bin") && mysql.has_binary_log_status());
        let mariadb = info(&[
            ("version", "10.11.14-MariaDB-0+deb12u2-log"),
            ("server_id", "7"),
        ]);
        assert_eq!(
            (mariadb.flavor, mariadb.version),
            (Flavor::MariaDb, Version::new(10, 11, 14))
        );
        assert_eq!(
            (&*mariadb.source_id, mariadb.checksum),
            ("7", Checksum::Off)
        );
        assert!(!mariadb.has_binary_log_status() && !mariadb.has_innodb_binlog());
        assert_eq!(
            Version::parse("5.5.5-10.6.1-MariaDB"),
            Version::new(10, 6, 1)
        );
        assert_eq!(Version::parse("8.0"), Version::new(8, 0, 0));
        assert_eq!(Version::parse(""), Version::new(0, 0, 0));
    }
}
