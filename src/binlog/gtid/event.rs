//! The events that open a group and name it: GTID, ANONYMOUS_GTID and GTID_TAGGED of MySQL, GTID of MariaDB.

use super::encoding::mysql_gtid;
use super::{Gtid, Tag, varlen};
use crate::binlog::bytes::Bytes;
use crate::binlog::kind;
use crate::binlog::xa_id::XaId;
use crate::error::{Error, Result};

/// GTID (33), ANONYMOUS_GTID (34) or GTID_TAGGED (42) of MySQL (`Gtid_event`).
///
/// What a server of the source's age does not write is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MySqlGtidEvent {
    /// Name of the group; `None` for an anonymous one.
    pub gtid: Option<Gtid>,
    /// Logical clock: the last group that this one must come after.
    pub last_committed: Option<u64>,
    /// Logical clock: this group.
    pub sequence_number: Option<u64>,
    /// Microseconds since 1970 when the group was committed on the source.
    pub immediate_commit_micros: Option<u64>,
    /// Microseconds since 1970 when it was committed where it was born.
    pub original_commit_micros: Option<u64>,
    /// Bytes of the whole group, this event included.
    pub transaction_bytes: Option<u64>,
}

/// Marks the form of the logical clock.
const LOGICAL_CLOCK: u8 = 2;

/// In the commit time: another one, of the original commit, follows.
const HAS_ORIGINAL_TIME: u64 = 1 << 55;

impl MySqlGtidEvent {
    /// Parses an event's body (after the header, without checksum).
    ///
    /// # Errors
    /// `Corrupt` when it cannot be one.
    pub fn parse(kind: u8, body: &[u8]) -> Result<Self> {
        match kind {
            kind::GTID => Self::parse_classic(body, true),
            kind::ANONYMOUS_GTID => Self::parse_classic(body, false),
            kind::GTID_TAGGED => Self::parse_tagged(body),
            _ => Err(Error::corrupt(format!(
                "event type {kind} is no GTID event"
            ))),
        }
    }

    fn parse_classic(body: &[u8], named: bool) -> Result<Self> {
        let mut r = Bytes::new(body);
        let _flags = r.u8()?;
        let uuid = r.array()?;
        let number = r.u64()?;
        let gtid = if named {
            Some(mysql_gtid(uuid, Tag::default(), number)?)
        } else {
            None
        };
        let mut event = Self {
            gtid,
            ..Self::default()
        };
        // MySQL 5.6 ends here; 5.7 after the logical clock.
        if r.len() < 17 || r.u8()? != LOGICAL_CLOCK {
            return Ok(event);
        }
        event.last_committed = Some(r.u64()?);
        event.sequence_number = Some(r.u64()?);
        if r.is_empty() {
            return Ok(event);
        }
        let time = r.uint(7)?;
        let immediate = time & !HAS_ORIGINAL_TIME;
        event.immediate_commit_micros = Some(immediate);
        let original = if time & HAS_ORIGINAL_TIME == 0 {
            immediate
        } else {
            r.uint(7)?
        };
        event.original_commit_micros = Some(original);
        if !r.is_empty() {
            event.transaction_bytes = Some(r.lenenc()?);
        }
        Ok(event)
    }

    /// The message form of MySQL 8.3 and later: each field has its number before it and may be missing.
    fn parse_tagged(body: &[u8]) -> Result<Self> {
        let mut r = Bytes::new(body);
        let _version = varlen::read_unsigned(&mut r)?;
        let _message_bytes = varlen::read_unsigned(&mut r)?;
        let _last_field_that_must_be_known = varlen::read_unsigned(&mut r)?;
        let (mut uuid, mut number, mut tag) = ([0; 16], 0, Tag::default());
        let mut event = Self::default();
        while !r.is_empty() {
            match varlen::read_unsigned(&mut r)? {
                0 => _ = varlen::read_unsigned(&mut r)?,
                1 => uuid = read_uuid(&mut r)?,
                2 => number = varlen::read_signed(&mut r)?,
                3 => tag = read_tag(&mut r)?,
                4 => event.last_committed = Some(varlen::read_signed(&mut r)?),
                5 => event.sequence_number = Some(varlen::read_signed(&mut r)?),
                6 => event.immediate_commit_micros = Some(varlen::read_unsigned(&mut r)?),
                7 => event.original_commit_micros = Some(varlen::read_unsigned(&mut r)?),
                8 => event.transaction_bytes = Some(varlen::read_unsigned(&mut r)?),
                // Server versions, commit group and what is to come: nothing that is needed here.
                _ => break,
            }
        }
        event.original_commit_micros = event
            .original_commit_micros
            .or(event.immediate_commit_micros);
        event.gtid = Some(mysql_gtid(uuid, tag, number)?);
        Ok(event)
    }
}

/// A uuid in the message form: each of its bytes is an integer of variable length.
fn read_uuid(r: &mut Bytes<'_>) -> Result<[u8; 16]> {
    let mut uuid = [0; 16];
    for byte in &mut uuid {
        *byte = u8::try_from(varlen::read_unsigned(r)?)
            .map_err(|_| Error::corrupt("a GTID with an impossible uuid"))?;
    }
    Ok(uuid)
}

fn read_tag(r: &mut Bytes<'_>) -> Result<Tag> {
    let len = usize::try_from(varlen::read_unsigned(r)?)
        .map_err(|_| Error::corrupt("a GTID with an endless tag"))?;
    Tag::from_bytes(r.take(len)?)
}

/// GTID (162) of MariaDB (`Gtid_log_event`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MariaDbGtidEvent {
    /// Name of the group.
    pub gtid: Gtid,
    /// `FL_*` bits.
    pub flags: u8,
    /// Groups with the same number were committed together.
    pub commit_id: Option<u64>,
    /// The XA transaction that the group prepares or completes.
    pub xid: Option<XaId>,
}

impl MariaDbGtidEvent {
    /// `FL_STANDALONE`: the group is one statement, with no COMMIT after it.
    pub const STANDALONE: u8 = 1;
    /// `FL_GROUP_COMMIT_ID`: a commit id follows.
    pub const GROUP_COMMIT_ID: u8 = 2;
    /// `FL_TRANSACTIONAL`: all its changes can be rolled back.
    pub const TRANSACTIONAL: u8 = 4;
    /// `FL_DDL`: the group holds DDL.
    pub const DDL: u8 = 32;
    /// `FL_PREPARED_XA`: the group ends with XA PREPARE.
    pub const PREPARED_XA: u8 = 64;
    /// `FL_COMPLETED_XA`: the group is XA COMMIT or XA ROLLBACK.
    pub const COMPLETED_XA: u8 = 128;

    /// Parses an event's body (after the header, without checksum); the server id stands in the header.
    ///
    /// # Errors
    /// `Corrupt` when it cannot be one.
    pub fn parse(server_id: u32, body: &[u8]) -> Result<Self> {
        let mut r = Bytes::new(body);
        let sequence = r.u64()?;
        let domain = r.u32()?;
        let flags = r.u8()?;
        // What the flags do not promise is left out; zeros fill the body up to 19 bytes.
        let commit_id = if flags & Self::GROUP_COMMIT_ID == 0 {
            None
        } else {
            Some(r.u64()?)
        };
        let xid = if flags & (Self::PREPARED_XA | Self::COMPLETED_XA) == 0 {
            None
        } else {
            let format_id = r.u32()?;
            let (global_len, branch_len) = (r.u8()?, r.u8()?);
            Some(XaId::read(
                &mut r,
                format_id,
                global_len.into(),
                branch_len.into(),
            )?)
        };
        let gtid = Gtid::MariaDb {
            domain,
            server_id,
            sequence,
        };
        Ok(Self {
            gtid,
            flags,
            commit_id,
            xid,
        })
    }

    /// Whether the group is one statement, with no COMMIT after it.
    pub fn is_standalone(&self) -> bool {
        self.flags & Self::STANDALONE != 0
    }

    /// The XA transaction that this group prepares. Such a group has no `XA START` of its own (MySQL's has).
    pub fn prepares(&self) -> Option<&XaId> {
        (self.flags & Self::PREPARED_XA != 0)
            .then_some(self.xid.as_ref())
            .flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binlog::gtid::tests_support::bytes;

    // Bodies as MySQL 9.7 and MariaDB 10.11 wrote them.
    const CLASSIC: &str = "015678eb41e6a511f1a27a02fc0000000102000000000000000201000000000000000200000000000000\
        8bc1faeee16006c250620100";
    const TAGGED: &str = "027600000002acf0ad03829903950222c5038902f404f103000000020404060e7461675f6f6e6508080a\
        0c0c7f3bdafaeee160061031041283120b";
    const MARIADB_DDL: &str = "01000000000000000000000029000000000000";
    const MARIADB_PREPARE: &str = "0400000000000000000000004c010000000200673101ff";
    const MARIADB_XA_COMMIT: &str = "0500000000000000000000008d0100000002006731";

    #[test]
    fn reads_a_classic_gtid() {
        let body = bytes(CLASSIC);
        let event = MySqlGtidEvent::parse(kind::GTID, &body).unwrap();
        assert_eq!(
            event.gtid.unwrap().to_string(),
            "5678eb41-e6a5-11f1-a27a-02fc00000001:2"
        );
        assert_eq!(
            (event.last_committed, event.sequence_number),
            (Some(1), Some(2))
        );
        assert_eq!(event.transaction_bytes, Some(0xc2));
        assert_eq!(event.immediate_commit_micros, Some(0x06_60e1_eefa_c18b));
        assert_eq!(event.original_commit_micros, event.immediate_commit_micros);
        let anonymous = MySqlGtidEvent::parse(kind::ANONYMOUS_GTID, &body).unwrap();
        assert_eq!(anonymous.gtid, None);
        // MySQL 5.6 writes 25 bytes, 5.7 writes 42.
        assert!(
            MySqlGtidEvent::parse(kind::GTID, &body[..25])
                .unwrap()
                .last_committed
                .is_none()
        );
        assert_eq!(
            MySqlGtidEvent::parse(kind::GTID, &body[..42])
                .unwrap()
                .sequence_number,
            Some(2)
        );
        for len in 0..25 {
            assert!(MySqlGtidEvent::parse(kind::GTID, &body[..len]).is_err());
        }
    }

    #[test]
    fn reads_a_tagged_gtid() {
        let body = bytes(TAGGED);
        let event = MySqlGtidEvent::parse(kind::GTID_TAGGED, &body).unwrap();
        assert_eq!(
            event.gtid.unwrap().to_string(),
            "5678eb41-e6a5-11f1-a27a-02fc00000001:tag_one:1"
        );
        assert_eq!(
            (event.last_committed, event.sequence_number),
            (Some(2), Some(3))
        );
        assert_eq!(event.immediate_commit_micros, Some(0x06_60e1_eefa_da3b));
        assert_eq!(event.transaction_bytes, Some(268));
        for len in 0..30 {
            assert!(MySqlGtidEvent::parse(kind::GTID_TAGGED, &body[..len]).is_err());
        }
    }

    #[test]
    fn reads_mariadb_gtids() {
        let ddl = MariaDbGtidEvent::parse(200, &bytes(MARIADB_DDL)).unwrap();
        assert_eq!(ddl.gtid.to_string(), "0-200-1");
        assert!(ddl.is_standalone());
        assert_ne!(ddl.flags & MariaDbGtidEvent::DDL, 0);
        let prepare = MariaDbGtidEvent::parse(200, &bytes(MARIADB_PREPARE)).unwrap();
        let commit = MariaDbGtidEvent::parse(200, &bytes(MARIADB_XA_COMMIT)).unwrap();
        assert_eq!(prepare.prepares().unwrap().global, b"g1");
        assert_eq!(commit.prepares(), None);
        assert_eq!(prepare.xid, commit.xid);
        assert!(!prepare.is_standalone() && commit.is_standalone());
        for len in 0..13 {
            assert!(MariaDbGtidEvent::parse(200, &bytes(MARIADB_DDL)[..len]).is_err());
        }
    }
}
