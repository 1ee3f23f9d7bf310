//! What is sent to the source to get its binlog: session settings, registration, the dump command.
//!
//! Pure functions; both drivers send the same.

use std::fmt;

use super::info::SourceInfo;
use super::semi_sync::{self, SemiSync};
use crate::binlog::flavor::Flavor;
use crate::binlog::gtid::{GtidSet, Uuid};
use crate::binlog::position::{FIRST_EVENT_OFFSET, Position};
use crate::config::source::SourceConfig;
use crate::error::{Error, ErrorKind, Result};
use crate::failpoints;

const COM_BINLOG_DUMP: u8 = 0x12;
const COM_REGISTER_SLAVE: u8 = 0x15;
const COM_BINLOG_DUMP_GTID: u8 = 0x1e;

/// `BINLOG_SEND_ANNOTATE_ROWS_EVENT` of MariaDB: without it events are left out, and offsets differ from the file's.
const SEND_ANNOTATE_ROWS: u16 = 2;

/// `MARIA_SLAVE_CAPABILITY_GTID`: the source then sends all of MariaDB's event types as they are in its file.
const MARIADB_CAPABILITY: u8 = 4;

/// Shortest time that the source waits for us to take an event: its own default.
const NET_TIMEOUT_SECONDS_MIN: u64 = 60;

/// Where a dump starts.
#[derive(Debug, Clone, PartialEq)]
pub enum StartAt {
    /// At a position, between two events.
    Position(Position),
    /// After all transactions of a set.
    Gtid(GtidSet),
    /// At a position that the dump command cannot carry, between two transactions: found by all GTIDs before it.
    GtidAt(GtidSet, Position),
}

impl StartAt {
    /// The set that the source starts behind.
    fn gtids(&self) -> Option<&GtidSet> {
        match self {
            Self::Position(_) => None,
            Self::Gtid(set) | Self::GtidAt(set, _) => Some(set),
        }
    }
}

/// Whether the dump command of a position, which has 32 bits for the offset, can carry this one.
pub fn fits_dump_command(offset: u64) -> bool {
    offset <= failpoints::dump_offset_max().unwrap_or(u64::from(u32::MAX))
}

impl fmt::Display for StartAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Position(position) => write!(f, "{position}"),
            Self::Gtid(set) => write!(f, "gtid:{set}"),
            Self::GtidAt(_, position) => write!(f, "{position} (by GTID)"),
        }
    }
}

/// Statements to run before the dump.
///
/// User variables are set under the names of both generations: each server reads those that it knows.
pub(super) fn session_statements(
    config: &SourceConfig,
    info: &SourceInfo,
    start: &StartAt,
) -> Result<Vec<String>> {
    let heartbeat = config.heartbeat_period.as_nanos();
    let uuid: Uuid = config.replica_uuid.parse()?;
    let net_timeout = config
        .net_read_timeout
        .as_secs()
        .max(NET_TIMEOUT_SECONDS_MIN);
    let mut statements = vec![
        format!(
            "SET @master_heartbeat_period = {heartbeat}, @source_heartbeat_period = {heartbeat}"
        ),
        format!("SET @slave_uuid = '{uuid}', @replica_uuid = '{uuid}'"),
        format!(
            "SET SESSION net_read_timeout = {net_timeout}, SESSION net_write_timeout = \
             {net_timeout}"
        ),
    ];
    if info.variable("binlog_checksum").is_some() {
        statements.push(
            "SET @master_binlog_checksum = @@global.binlog_checksum, @source_binlog_checksum = \
             @@global.binlog_checksum"
                .to_owned(),
        );
    }
    if config.semi_sync && info.semi_sync() != SemiSync::Missing {
        statements.push(semi_sync::ANNOUNCE.to_owned());
    }
    if info.flavor == Flavor::MariaDb {
        statements.push(format!(
            "SET @mariadb_slave_capability = {MARIADB_CAPABILITY}"
        ));
        if let Some(set) = start.gtids() {
            check_family(set, info)?;
            statements.push(format!("SET @slave_connect_state = '{set}'"));
            statements.push("SET @slave_gtid_strict_mode = 0".to_owned());
            statements.push("SET @slave_gtid_ignore_duplicates = 0".to_owned());
        }
    }
    Ok(statements)
}

/// COM_REGISTER_SLAVE: makes us show up in SHOW REPLICAS. Without a host, as a replica without `report_host`.
pub(super) fn register_command(config: &SourceConfig) -> Vec<u8> {
    let mut out = vec![COM_REGISTER_SLAVE];
    out.extend_from_slice(&config.server_id.to_le_bytes());
    // Empty host, user and password; port, rank and the source's id 0.
    out.extend_from_slice(&[0; 3 + 2 + 4 + 4]);
    out
}

/// COM_BINLOG_DUMP or COM_BINLOG_DUMP_GTID. Never non-blocking: an idle source waits for the next event.
pub(super) fn dump_command(
    config: &SourceConfig,
    info: &SourceInfo,
    start: &StartAt,
) -> Result<Vec<u8>> {
    let flags = match info.flavor {
        Flavor::MariaDb => SEND_ANNOTATE_ROWS,
        Flavor::MySql => 0,
    };
    let mut out = Vec::new();
    match start {
        StartAt::Gtid(set) | StartAt::GtidAt(set, _)
            if info.flavor == Flavor::MySql
                && (info.has_gtids() || matches!(start, StartAt::Gtid(_))) =>
        {
            check_family(set, info)?;
            // Without a file name the source finds the file by the set. With one it starts there, and has 64 bits for the
            // offset (MySQL `rpl_binlog_sender.cc`, `check_start_file`).
            let (file, offset) = match start {
                StartAt::GtidAt(_, at) => (&*at.file, at.offset),
                _ => ("", FIRST_EVENT_OFFSET),
            };
            let set = set.encode();
            let len = u32::try_from(set.len())
                .map_err(|_| Error::new(ErrorKind::Config, "the GTID set is over 4 GiB"))?;
            out.push(COM_BINLOG_DUMP_GTID);
            out.extend_from_slice(&flags.to_le_bytes());
            out.extend_from_slice(&config.server_id.to_le_bytes());
            let name_len = u32::try_from(file.len())
                .map_err(|_| Error::new(ErrorKind::Config, "the file name is over 4 GiB"))?;
            out.extend_from_slice(&name_len.to_le_bytes());
            out.extend_from_slice(file.as_bytes());
            out.extend_from_slice(&offset.to_le_bytes());
            out.extend_from_slice(&len.to_le_bytes());
            out.extend_from_slice(&set);
        }
        _ => {
            // On MariaDB the set went ahead in @slave_connect_state.
            let (file, offset) = match start {
                StartAt::Position(at) => (&*at.file, dump_offset(at, info)?),
                StartAt::GtidAt(_, at) if !info.has_gtids() => (&*at.file, dump_offset(at, info)?),
                _ => ("", 4),
            };
            out.push(COM_BINLOG_DUMP);
            out.extend_from_slice(&offset.to_le_bytes());
            out.extend_from_slice(&flags.to_le_bytes());
            out.extend_from_slice(&config.server_id.to_le_bytes());
            out.extend_from_slice(file.as_bytes());
        }
    }
    Ok(out)
}

/// The offset as the command carries it, in 32 bits.
fn dump_offset(position: &Position, info: &SourceInfo) -> Result<u32> {
    if info.has_innodb_binlog() {
        return Err(Error::new(
            ErrorKind::Preflight,
            "the source keeps its binlog in InnoDB, where a replica cannot start at a file and \
             position; start with gtid:SET (SELECT @@gtid_binlog_pos on the source)",
        ));
    }
    let offset = u32::try_from(position.offset).ok();
    offset.filter(|_| fits_dump_command(position.offset)).ok_or_else(|| {
        let cure = match info.flavor {
            Flavor::MySql => {
                "turn on GTID mode on the source (gtid_mode = ON) and start an empty target with \
                 gtid:SET, or give up the rest of this file with --skip-to NEXTFILE:4"
            }
            Flavor::MariaDb => {
                "start an empty target with gtid:SET (SELECT BINLOG_GTID_POS(file, position) on the \
                 source), or give up the rest of this file with --skip-to NEXTFILE:4"
            }
        };
        Error::new(
            ErrorKind::Dump,
            format!(
                "{position} is beyond 4 GiB in its file, and the protocol's dump command has 32 \
                 bits for a position; {cure}"
            ),
        )
    })
}

/// Refuses a set of the other family.
pub(super) fn check_family(set: &GtidSet, info: &SourceInfo) -> Result<()> {
    let (foreign, form) = match info.flavor {
        Flavor::MySql => (set.has_mariadb(), "UUID:NUMBERS"),
        Flavor::MariaDb => (set.has_mysql(), "DOMAIN-SERVER-SEQUENCE"),
    };
    if !foreign {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Config,
        format!(
            "the source is a {} server, whose GTIDs read {form}, not '{set}'",
            info.flavor
        ),
    ))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::source::info::tests::info;

    fn config() -> SourceConfig {
        SourceConfig {
            host: "h".into(),
            port: 1,
            user: "u".into(),
            password: "p".into(),
            tls: Default::default(),
            server_id: 0x0102_0304,
            replica_uuid: "5678eb41-e6a5-11f1-a27a-02fc00000001".into(),
            heartbeat_period: Duration::from_millis(1500),
            net_read_timeout: Duration::from_secs(90),
            driver: Default::default(),
            semi_sync: false,
        }
    }

    #[test]
    fn a_position_in_32_bits_or_not_at_all() {
        let mysql = info(&[("version", "8.4.1")]);
        let at = |offset| StartAt::Position(Position::new("bin.1", offset));
        let command = dump_command(&config(), &mysql, &at(0xffff_ffff)).unwrap();
        assert_eq!(command, b"\x12\xff\xff\xff\xff\0\0\x04\x03\x02\x01bin.1");
        let error = dump_command(&config(), &mysql, &at(0x1_0000_0000)).unwrap_err();
        assert!(error.what().contains("gtid_mode = ON"), "{error}");
        let mariadb = info(&[("version", "10.5.1-MariaDB")]);
        let command = dump_command(&config(), &mariadb, &at(4)).unwrap();
        assert_eq!(command, b"\x12\x04\0\0\0\x02\0\x04\x03\x02\x01bin.1");
        let innodb = info(&[
            ("version", "12.3.1-MariaDB"),
            ("binlog_storage_engine", "innodb"),
        ]);
        let error = dump_command(&config(), &innodb, &at(4)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Preflight);
    }

    #[test]
    fn a_set_goes_the_way_of_its_family() {
        let mysql = info(&[("version", "8.4.1"), ("binlog_checksum", "CRC32")]);
        let mariadb = info(&[("version", "10.5.1-MariaDB")]);
        let uuid = "5678eb41-e6a5-11f1-a27a-02fc00000001:1-3";
        let (uuids, domains) = (
            StartAt::Gtid(uuid.parse().unwrap()),
            StartAt::Gtid("0-1-7".parse().unwrap()),
        );
        let command = dump_command(&config(), &mysql, &uuids).unwrap();
        assert_eq!(command.len(), 1 + 2 + 4 + 4 + 8 + 4 + 8 + 16 + 8 + 16);
        let statements = session_statements(&config(), &mysql, &uuids).unwrap();
        assert!(
            statements
                .iter()
                .any(|s| s.contains("@source_heartbeat_period = 1500000000"))
        );
        assert!(
            statements
                .iter()
                .any(|s| s.contains("@source_binlog_checksum"))
        );
        assert!(!statements.iter().any(|s| s.contains("connect_state")));
        let statements = session_statements(&config(), &mariadb, &domains).unwrap();
        assert!(
            statements
                .iter()
                .any(|s| s == "SET @slave_connect_state = '0-1-7'")
        );
        assert_eq!(
            dump_command(&config(), &mariadb, &domains).unwrap().len(),
            11
        );
        assert!(dump_command(&config(), &mysql, &domains).is_err());
        assert!(session_statements(&config(), &mariadb, &uuids).is_err());
    }
}
