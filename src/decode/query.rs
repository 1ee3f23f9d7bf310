//! QUERY events: statement text with the session it ran in.

use crate::binlog::bytes::Bytes;
use crate::binlog::query::QueryParts;
use crate::error::{Error, Result};

/// A statement as the binlog has it (MySQL `Query_event`), owned: it outlives the event's buffer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Query {
    /// Default database of the session; empty when it had none.
    pub database: String,
    /// The statement, in the bytes of `charset_client`.
    pub sql: Vec<u8>,
    /// Seconds since 1970 on the source.
    pub timestamp: u32,
    /// Connection id on the source; names temporary tables.
    pub thread_id: u32,
    /// Error the statement ended with on the source, 0 for none.
    pub error_code: u16,
    /// `Q_SQL_MODE_CODE`.
    pub sql_mode: u64,
    /// `Q_FLAGS2_CODE` (OPTION_NO_FOREIGN_KEY_CHECKS 1<<26, OPTION_RELAXED_UNIQUE_CHECKS 1<<27, ...).
    pub flags2: u32,
    /// `Q_CHARSET_CODE`: collation ids of character_set_client, collation_connection, collation_server.
    pub charsets: Option<(u16, u16, u16)>,
    /// `Q_TIME_ZONE_CODE`.
    pub time_zone: Option<String>,
    /// `Q_CHARSET_DATABASE_CODE`: collation id of the default database.
    pub collation_database: Option<u16>,
    /// `Q_DEFAULT_COLLATION_FOR_UTF8MB4` (MySQL 8): collation id.
    pub default_collation_utf8mb4: Option<u16>,
    /// `Q_EXPLICIT_DEFAULTS_FOR_TIMESTAMP`.
    pub explicit_defaults_for_timestamp: Option<bool>,
    /// `Q_HRNOW` / `Q_MICROSECONDS`: microseconds of NOW() when the statement used them.
    pub micros: u32,
    /// `Q_GTID_FLAGS3`: which part of an ALTER TABLE in two phases this is.
    pub alter_phase: Option<AlterPhase>,
    /// `Q_CHARACTER_SET_COLLATIONS` (MariaDB 11.2 and later): collation ids that stand in for their charset's default.
    pub character_set_collations: Option<Vec<u16>>,
}

/// A part of an ALTER TABLE that MariaDB 10.8 and later log twice (`binlog_alter_two_phase`): when it begins and when
/// its outcome is known. Each carries the whole statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlterPhase {
    /// The source began; nothing has changed yet.
    Start,
    /// The change took effect.
    Commit,
    /// It failed on the source: nothing changed.
    Rollback,
}

impl AlterPhase {
    // `Gtid_log_event::FL_START_ALTER_E1`, `FL_COMMIT_ALTER_E1`, `FL_ROLLBACK_ALTER_E1` of MariaDB.
    const START: u8 = 2;
    const COMMIT: u8 = 4;
    const ROLLBACK: u8 = 8;

    fn from_flags(flags: u8) -> Option<Self> {
        match flags {
            _ if flags & Self::START != 0 => Some(Self::Start),
            _ if flags & Self::COMMIT != 0 => Some(Self::Commit),
            _ if flags & Self::ROLLBACK != 0 => Some(Self::Rollback),
            _ => None,
        }
    }
}

/// Status variables, in the server's own names: `sql/log_event.h` of MySQL, and of MariaDB from 128.
mod var {
    pub(super) const FLAGS2: u8 = 0;
    pub(super) const SQL_MODE: u8 = 1;
    pub(super) const CATALOG: u8 = 2;
    pub(super) const AUTO_INCREMENT: u8 = 3;
    pub(super) const CHARSET: u8 = 4;
    pub(super) const TIME_ZONE: u8 = 5;
    pub(super) const CATALOG_NZ: u8 = 6;
    pub(super) const LC_TIME_NAMES: u8 = 7;
    pub(super) const CHARSET_DATABASE: u8 = 8;
    pub(super) const TABLE_MAP_FOR_UPDATE: u8 = 9;
    pub(super) const MASTER_DATA_WRITTEN: u8 = 10;
    pub(super) const INVOKERS: u8 = 11;
    pub(super) const UPDATED_DB_NAMES: u8 = 12;
    pub(super) const MICROSECONDS: u8 = 13;
    pub(super) const COMMIT_TS: u8 = 14;
    pub(super) const COMMIT_TS2: u8 = 15;
    pub(super) const EXPLICIT_DEFAULTS_FOR_TIMESTAMP: u8 = 16;
    pub(super) const DDL_LOGGED_WITH_XID: u8 = 17;
    pub(super) const DEFAULT_COLLATION_FOR_UTF8MB4: u8 = 18;
    pub(super) const SQL_REQUIRE_PRIMARY_KEY: u8 = 19;
    pub(super) const DEFAULT_TABLE_ENCRYPTION: u8 = 20;
    pub(super) const HRNOW: u8 = 128;
    pub(super) const XID: u8 = 129;
    pub(super) const GTID_FLAGS3: u8 = 130;
    pub(super) const CHARACTER_SET_COLLATIONS: u8 = 131;
}

/// Count of updated databases that means "too many to list".
const OVER_MAX_DBS: u8 = 254;

/// Default database and statement text of a QUERY body, without looking at the session.
///
/// # Errors
/// `Corrupt` when the body ends before the text begins.
pub fn query_text(body: &[u8]) -> Result<(&[u8], &[u8])> {
    QueryParts::split(body).map(|parts| (parts.database, parts.sql))
}

impl Query {
    /// Parses the body of a QUERY event (after the 19-byte header, without checksum; MariaDB's compressed ones
    /// inflated before).
    ///
    /// # Errors
    /// `Corrupt` when it is no QUERY event.
    pub fn parse(body: &[u8], timestamp: u32) -> Result<Self> {
        let parts = QueryParts::split(body)?;
        let database = std::str::from_utf8(parts.database).map_err(|e| {
            let shown = parts.database.escape_ascii();
            Error::corrupt(format!("database name `{shown}` is not UTF-8")).with_source(e)
        })?;
        let mut query = Self {
            database: database.to_owned(),
            sql: parts.sql.to_vec(),
            timestamp,
            thread_id: parts.thread_id,
            error_code: parts.error_code,
            ..Self::default()
        };
        query.read_vars(Bytes::new(parts.vars))?;
        Ok(query)
    }

    /// Reads the status variables. They have no length of their own, so reading stops at the first unknown one, as
    /// the servers do: newer variables come last.
    fn read_vars(&mut self, mut r: Bytes<'_>) -> Result<()> {
        while !r.is_empty() {
            let code = r.u8()?;
            match code {
                var::FLAGS2 => self.flags2 = r.u32()?,
                var::SQL_MODE => self.sql_mode = r.u64()?,
                var::CHARSET => self.charsets = Some((r.u16()?, r.u16()?, r.u16()?)),
                var::TIME_ZONE => {
                    let name = short_bytes(&mut r)?;
                    self.time_zone = Some(String::from_utf8_lossy(name).into_owned());
                }
                var::CHARSET_DATABASE => self.collation_database = Some(r.u16()?),
                var::MICROSECONDS | var::HRNOW => self.micros = r.u24()?,
                var::EXPLICIT_DEFAULTS_FOR_TIMESTAMP => {
                    self.explicit_defaults_for_timestamp = Some(r.u8()? != 0);
                }
                var::DEFAULT_COLLATION_FOR_UTF8MB4 => {
                    self.default_collation_utf8mb4 = Some(r.u16()?);
                }
                var::GTID_FLAGS3 => {
                    self.alter_phase = AlterPhase::from_flags(r.u8()?);
                    // The number of the START ALTER that it belongs to; the statement itself is here, too.
                    if matches!(
                        self.alter_phase,
                        Some(AlterPhase::Commit | AlterPhase::Rollback)
                    ) {
                        r.u64()?;
                    }
                }
                var::CHARACTER_SET_COLLATIONS => {
                    self.character_set_collations = Some(collations(&mut r)?);
                }
                _ if skip_var(code, &mut r)? => {}
                _ => break,
            }
        }
        Ok(())
    }
}

/// Pairs of a charset's and a collation's id; the collation's charset is the one meant.
fn collations(r: &mut Bytes<'_>) -> Result<Vec<u16>> {
    let count = r.u8()?;
    let mut ids = Vec::with_capacity(count.into());
    for _ in 0..count {
        r.u16()?;
        ids.push(r.u16()?);
    }
    Ok(ids)
}

/// Passes over a variable that says nothing we need; false when it is unknown.
fn skip_var(code: u8, r: &mut Bytes<'_>) -> Result<bool> {
    match code {
        var::CATALOG => {
            short_bytes(r)?;
            r.u8()?;
        }
        var::CATALOG_NZ => drop(short_bytes(r)?),
        var::INVOKERS => {
            short_bytes(r)?;
            short_bytes(r)?;
        }
        var::UPDATED_DB_NAMES => {
            let count = r.u8()?;
            for _ in 0..if count == OVER_MAX_DBS { 0 } else { count } {
                r.until_nul();
            }
        }
        var::SQL_REQUIRE_PRIMARY_KEY | var::DEFAULT_TABLE_ENCRYPTION => drop(r.u8()?),
        var::LC_TIME_NAMES => drop(r.u16()?),
        var::AUTO_INCREMENT | var::MASTER_DATA_WRITTEN => drop(r.u32()?),
        var::TABLE_MAP_FOR_UPDATE
        | var::COMMIT_TS
        | var::COMMIT_TS2
        | var::DDL_LOGGED_WITH_XID
        | var::XID => drop(r.u64()?),
        _ => return Ok(false),
    }
    Ok(true)
}

/// Bytes with their length in one byte.
fn short_bytes<'a>(r: &mut Bytes<'a>) -> Result<&'a [u8]> {
    let len = usize::from(r.u8()?);
    r.take(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(vars: &[u8], database: &[u8], sql: &[u8]) -> Vec<u8> {
        let mut body = vec![7, 0, 0, 0, 0, 0, 0, 0];
        body.push(u8::try_from(database.len()).unwrap());
        body.extend_from_slice(&[0, 0]);
        body.extend_from_slice(&u16::try_from(vars.len()).unwrap().to_le_bytes());
        for part in [vars, database, &[0], sql] {
            body.extend_from_slice(part);
        }
        body
    }

    #[test]
    fn session_settings_are_read_up_to_an_unknown_one() {
        let vars = [
            &[
                0, 0, 0, 0, 4, 1, 1, 0, 0, 0, 0, 0, 0, 0, 6, 3, b's', b't', b'd',
            ][..],
            &[4, 45, 0, 33, 0, 8, 0, 5, 6],
            b"+03:00",
            &[
                12, 2, b'a', 0, b'b', 0, 128, 1, 2, 0, 18, 255, 0, 131, 1, 0, 0, 0, 0, 16, 1,
            ],
            &[250, 1, 2, 3],
        ]
        .concat();
        let query = Query::parse(&body(&vars, b"lab", b"CREATE TABLE t (a INT)"), 99).unwrap();
        assert_eq!(query.database, "lab");
        assert_eq!(query.sql, b"CREATE TABLE t (a INT)");
        assert_eq!((query.timestamp, query.thread_id), (99, 7));
        assert_eq!((query.flags2, query.sql_mode), (1 << 26, 1));
        assert_eq!(query.charsets, Some((45, 33, 8)));
        assert_eq!(query.time_zone.as_deref(), Some("+03:00"));
        assert_eq!(query.micros, 513);
        assert_eq!(query.default_collation_utf8mb4, Some(255));
        assert_eq!(query.explicit_defaults_for_timestamp, Some(true));
        assert_eq!(query.character_set_collations, Some(vec![0]));
        assert_eq!(query.alter_phase, None);
    }

    #[test]
    fn the_parts_of_an_alter_are_told_apart() {
        let number = [9, 0, 0, 0, 0, 0, 0, 0];
        for (flags, phase, has_number) in [
            (2, AlterPhase::Start, false),
            (4, AlterPhase::Commit, true),
            (8, AlterPhase::Rollback, true),
        ] {
            let number = if has_number { &number[..] } else { &[] };
            // The sql_mode behind it is read: nothing is left over of the number.
            let vars = [&[130, flags][..], number, &[1, 4, 0, 0, 0, 0, 0, 0, 0]].concat();
            let query = Query::parse(&body(&vars, b"lab", b"ALTER TABLE t ADD a INT"), 0).unwrap();
            assert_eq!(query.alter_phase, Some(phase));
            assert_eq!(query.sql_mode, 4);
        }
    }

    #[test]
    fn torn_events_are_errors() {
        let whole = body(&[0, 1, 2, 3, 4], b"lab", b"");
        for end in 0..whole.len() {
            assert!(Query::parse(&whole[..end], 0).is_err(), "{end}");
        }
        assert_eq!(
            query_text(&body(&[], b"", b"BEGIN")).unwrap(),
            (&b""[..], &b"BEGIN"[..])
        );
        assert!(Query::parse(&body(&[], b"\xff", b"BEGIN"), 0).is_err());
    }
}
