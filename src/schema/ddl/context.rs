//! What a statement's text means depends on where it ran: server, version, session settings.

pub use crate::binlog::flavor::Flavor;
use crate::schema::collation;
use crate::schema::table::Collation;

/// `sql_mode` bits that change how DDL text is read or what it means (equal on both servers).
pub mod sql_mode {
    /// REAL means FLOAT.
    pub const REAL_AS_FLOAT: u64 = 1;
    /// `||` is CONCAT.
    pub const PIPES_AS_CONCAT: u64 = 1 << 1;
    /// `"x"` is an identifier.
    pub const ANSI_QUOTES: u64 = 1 << 2;
    /// MariaDB: Oracle's words (`VARCHAR2`, `NUMBER`, DATE with a time).
    pub const ORACLE: u64 = 1 << 9;
    /// MariaDB: `[x]` is an identifier.
    pub const MSSQL: u64 = 1 << 10;
    /// 0 in an AUTO_INCREMENT column is 0.
    pub const NO_AUTO_VALUE_ON_ZERO: u64 = 1 << 19;
    /// A backslash in a string is a backslash.
    pub const NO_BACKSLASH_ESCAPES: u64 = 1 << 20;
    /// Values that do not fit are errors in transactional tables.
    pub const STRICT_TRANS_TABLES: u64 = 1 << 21;
    /// Values that do not fit are errors in all tables.
    pub const STRICT_ALL_TABLES: u64 = 1 << 22;
    /// NOT binds as tightly as `!`.
    pub const HIGH_NOT_PRECEDENCE: u64 = 1 << 29;
    /// MySQL: fractions of a second are cut, not rounded.
    pub const TIME_TRUNCATE_FRACTIONAL: u64 = 1 << 32;
    /// MariaDB: fractions of a second are rounded, not cut.
    pub const TIME_ROUND_FRACTIONAL: u64 = 1 << 34;
}

/// Whether MariaDB's `flags2` of a QUERY event say `explicit_defaults_for_timestamp` (`OPTION_EXPLICIT_DEF_TIMESTAMP`).
/// Servers that have it as a setting of the session write the bit, on or off, into every event; `None` for older ones.
pub fn explicit_defaults_of_flags2(flags2: u32, version: u32) -> Option<bool> {
    // It came into several series at once.
    let since = match version / 100 {
        1005 => 100_517,
        1006 => 100_609,
        1007 => 100_705,
        1008 => 100_804,
        _ => 100_902,
    };
    (version >= since).then_some(flags2 & (1 << 24) != 0)
}

/// Seconds east of UTC of a `time_zone`: `+02:00`, `-5:30`, `UTC`. Named zones and SYSTEM are not known here.
pub fn utc_offset(zone: &str) -> Option<i32> {
    if zone.eq_ignore_ascii_case("UTC") {
        return Some(0);
    }
    let (sign, rest) = match zone.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    Some(sign * (hours * 3600 + minutes * 60))
}

/// The session and server that a statement ran in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlContext {
    /// Family of the source.
    pub flavor: Flavor,
    /// Version as one number: 80400, 101119.
    pub version: u32,
    /// The event's `sql_mode`.
    pub sql_mode: u64,
    /// Default database of the session; empty when it had none.
    pub default_database: String,
    /// The session's `collation_server` (collation id), the default of new databases.
    pub collation_server: Option<u16>,
    /// The session's `collation_connection` (collation id): the charset of strings without an introducer.
    pub collation_connection: Option<u16>,
    /// The session's `collation_database` (collation id) where it is not that of its default database.
    pub collation_database: Option<u16>,
    /// MySQL's `default_collation_for_utf8mb4` (collation id).
    pub default_collation_utf8mb4: Option<u16>,
    /// MariaDB's `character_set_collations` where it is known: collation ids that stand in for their charset's default.
    pub character_set_collations: Option<Vec<u16>>,
    /// `explicit_defaults_for_timestamp` where the event says it.
    pub explicit_defaults_for_timestamp: Option<bool>,
    /// The session's `time_zone` where the event says it.
    pub time_zone: Option<String>,
}

impl SqlContext {
    /// A context of a server with nothing known of the session.
    pub fn new(flavor: Flavor, version: u32, default_database: impl Into<String>) -> Self {
        Self {
            flavor,
            version,
            sql_mode: 0,
            default_database: default_database.into(),
            collation_server: None,
            collation_connection: None,
            collation_database: None,
            default_collation_utf8mb4: None,
            character_set_collations: None,
            explicit_defaults_for_timestamp: None,
            time_zone: None,
        }
    }

    /// Seconds east of UTC of the session's clock, where it is known.
    pub fn utc_offset(&self) -> Option<i32> {
        self.time_zone.as_deref().and_then(utc_offset)
    }

    /// Whether the source is MariaDB.
    pub fn is_mariadb(&self) -> bool {
        self.flavor == Flavor::MariaDb
    }

    /// Whether a bit of [`sql_mode`] is set.
    pub fn has_mode(&self, bit: u64) -> bool {
        self.sql_mode & bit != 0
    }

    /// Whether strings of the session are UTF-8 as the server has them, as they are here; so they are where nothing is said.
    pub fn connection_is_utf8(&self) -> bool {
        let collation = self.collation_connection.and_then(collation::by_id);
        collation.is_none_or(|collation| collation.charset.starts_with("utf8"))
    }

    /// Whether values that do not fit end a statement with an error.
    pub fn is_strict(&self) -> bool {
        self.has_mode(sql_mode::STRICT_TRANS_TABLES | sql_mode::STRICT_ALL_TABLES)
    }

    /// Whether a TIMESTAMP column is an ordinary one (no implicit NOT NULL and defaults).
    pub fn timestamps_are_explicit(&self) -> bool {
        self.explicit_defaults_for_timestamp
            .unwrap_or(match self.flavor {
                Flavor::MySql => self.version >= 80_000,
                Flavor::MariaDb => self.version >= 101_000,
            })
    }

    /// Whether a fraction that no longer fits is rounded (MySQL's way) or cut (MariaDB's way).
    pub fn rounds_fractions(&self) -> bool {
        match self.flavor {
            Flavor::MySql => !self.has_mode(sql_mode::TIME_TRUNCATE_FRACTIONAL),
            Flavor::MariaDb => self.has_mode(sql_mode::TIME_ROUND_FRACTIONAL),
        }
    }

    /// Whether inline `REFERENCES` of a column makes a foreign key, or is read and forgotten.
    pub fn inline_references_count(&self) -> bool {
        match self.flavor {
            Flavor::MySql => self.version >= 90_000,
            Flavor::MariaDb => self.version >= 100_500,
        }
    }

    /// Whether the server may log what foreign keys do to child rows; it does unless `innodb_native_foreign_keys` is set.
    pub fn may_log_cascades(&self) -> bool {
        match self.flavor {
            Flavor::MySql => self.version >= 90_600,
            Flavor::MariaDb => false,
        }
    }

    /// Whether DESC of a key's column counts, or is read and forgotten.
    pub fn keys_descend(&self) -> bool {
        match self.flavor {
            Flavor::MySql => self.version >= 80_000,
            Flavor::MariaDb => self.version >= 100_800,
        }
    }

    /// MariaDB before 10.9.2: CHARACTER SET and COLLATE of a table or database say one thing, and the later word wins.
    pub fn later_charset_word_wins(&self) -> bool {
        self.is_mariadb() && self.version < 100_902
    }

    /// What `CHARACTER SET charset` alone means in this session; `None` when no server has that charset.
    pub fn default_collation(&self, charset: &str) -> Option<Collation> {
        let charset = collation::canonical_charset(charset);
        if self.is_mariadb() {
            for id in self.character_set_collations.iter().flatten() {
                if let Some(known) = collation::by_id(*id).filter(|known| known.charset == charset)
                {
                    return Some(known);
                }
            }
            if self.character_set_collations.is_some() {
                return self.own_collation_of(&charset);
            }
        } else if charset == "utf8mb4"
            && let Some(known) = self.default_collation_utf8mb4.and_then(collation::by_id)
        {
            return Some(known);
        }
        collation::default_of(&charset, self.flavor, self.version)
    }

    /// The default collation that a charset has on every server of the family: MariaDB's `character_set_collations` left aside.
    pub fn own_collation_of(&self, charset: &str) -> Option<Collation> {
        const BEFORE_SUBSTITUTES: u32 = 100_000;
        collation::default_of(charset, self.flavor, BEFORE_SUBSTITUTES)
    }

    /// The server's own default, for databases that nothing is known of.
    pub fn server_collation(&self) -> Collation {
        if let Some(known) = self.collation_server.and_then(collation::by_id) {
            return known;
        }
        let charset = match self.flavor {
            Flavor::MySql if self.version >= 80_000 => "utf8mb4",
            Flavor::MariaDb if self.version >= 110_600 => "utf8mb4",
            _ => "latin1",
        };
        self.default_collation(charset)
            .unwrap_or_else(collation::binary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_follow_the_session() {
        let mut mysql = SqlContext::new(Flavor::MySql, 80_400, "d");
        assert_eq!(
            mysql.default_collation("utf8mb4").unwrap().name,
            "utf8mb4_0900_ai_ci"
        );
        mysql.default_collation_utf8mb4 = Some(45);
        assert_eq!(
            mysql.default_collation("utf8mb4").unwrap().name,
            "utf8mb4_general_ci"
        );
        assert!(mysql.timestamps_are_explicit());
        let mut maria = SqlContext::new(Flavor::MariaDb, 110_809, "d");
        assert_eq!(maria.server_collation().name, "utf8mb4_uca1400_ai_ci");
        maria.character_set_collations = Some(Vec::new());
        assert_eq!(
            maria.default_collation("utf8mb4").unwrap().name,
            "utf8mb4_general_ci"
        );
        assert_eq!(
            SqlContext::new(Flavor::MariaDb, 101_119, "")
                .server_collation()
                .charset,
            "latin1"
        );
        assert_eq!(mysql.default_collation("no_such"), None);
    }

    #[test]
    fn explicit_defaults_are_said_since_the_session_has_them() {
        let on = 1 << 24;
        for (version, says) in [
            (100_516, false),
            (100_517, true),
            (100_529, true),
            (100_608, false),
            (100_622, true),
            (100_704, false),
            (100_803, false),
            (100_804, true),
            (100_901, false),
            (100_902, true),
            (101_000, true),
            (110_809, true),
        ] {
            let said = explicit_defaults_of_flags2(on, version);
            assert_eq!(said, says.then_some(true), "{version}");
            let said = explicit_defaults_of_flags2(0, version);
            assert_eq!(said, says.then_some(false), "{version}");
        }
    }
}
