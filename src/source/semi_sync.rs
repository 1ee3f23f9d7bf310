//! Semi-synchronous replication, the replica's part: the header that each event then has, and the acknowledgement.
//!
//! Read from MySQL's `plugin/semisync/semisync.h`, `semisync_source.cc` (`reserveSyncHeader`, `reportReplyPacket`) and
//! `semisync_replica.cc` (`slaveReply`); MariaDB's `sql/semisync*.cc` speak the same:
//! - a replica that announced itself gets two bytes before every event: [`MAGIC`], and a flag whether the source waits;
//! - an acknowledgement is a packet of its own: [`MAGIC`], the position behind the event in 8 bytes, the file's name
//!   without a NUL;
//! - both sides count packets anew from an event that the source waits for.

use super::info::SourceInfo;
use crate::binlog::position::Position;

/// First byte of the header and of an acknowledgement (`kPacketMagicNum`). No event begins so when the source sent no
/// header: the first one of a dump has a timestamp of 0.
const MAGIC: u8 = 0xef;

/// The source waits for this event (`kPacketFlagSync`).
const FLAG_SYNC: u8 = 0x01;

/// Bytes of the header.
pub(super) const HEADER_LEN: usize = 2;

/// Tells the source of an acknowledging replica, under the names of both generations.
pub(super) const ANNOUNCE: &str = "SET @rpl_semi_sync_replica = 1, @rpl_semi_sync_slave = 1";

/// Whether a source takes acknowledgements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SemiSync {
    /// It has no such thing: MySQL without the plugin.
    Missing,
    /// It could, and is switched off.
    Off,
    /// Its commits wait for acknowledgements.
    On,
}

impl SemiSync {
    /// What makes a source take them; empty for one that does.
    pub fn cure(self) -> &'static str {
        match self {
            Self::Missing => {
                "on the source: INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'; \
                 SET PERSIST rpl_semi_sync_source_enabled = ON (before MySQL 8.0.26: \
                 rpl_semi_sync_master, 'semisync_master.so')"
            }
            Self::Off => {
                "on the source: SET GLOBAL rpl_semi_sync_source_enabled = ON (MariaDB and MySQL \
                 before 8.0.26: rpl_semi_sync_master_enabled)"
            }
            Self::On => "",
        }
    }

    /// What the source said at login.
    pub(super) fn of(info: &SourceInfo) -> Self {
        let names = [
            "rpl_semi_sync_source_enabled",
            "rpl_semi_sync_master_enabled",
        ];
        let known = names.iter().any(|name| info.variable(name).is_some());
        match (known, names.iter().any(|name| info.is_on(name))) {
            (false, _) => Self::Missing,
            (true, false) => Self::Off,
            (true, true) => Self::On,
        }
    }
}

/// What is in front of the events of a dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Headers {
    /// Nothing: we announced nothing, or the source does not take it.
    None,
    /// We announced; the first event shows whether the source agreed.
    Announced,
    /// [`HEADER_LEN`] bytes.
    Agreed,
}

impl Headers {
    /// Looks at the bytes at the beginning of an event: `None` when it is more than what arrived, else whether the
    /// source waits for the event. An error is a source that left the header out once.
    pub(super) fn read(&mut self, event: &[u8]) -> Result<Option<Seen>, NoHeader> {
        if *self == Self::None {
            return Ok(Some(Seen::default()));
        }
        let Some([magic, flags]) = event.first_chunk::<HEADER_LEN>() else {
            return Ok(None);
        };
        match (*magic == MAGIC, *self) {
            (true, _) => {
                *self = Self::Agreed;
                Ok(Some(Seen {
                    header_len: HEADER_LEN,
                    wants_ack: flags & FLAG_SYNC != 0,
                }))
            }
            (false, Self::Announced) => {
                *self = Self::None;
                Ok(Some(Seen::default()))
            }
            (false, _) => Err(NoHeader),
        }
    }
}

/// What stands in front of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Seen {
    /// Bytes to leave out.
    pub(super) header_len: usize,
    /// Whether the source waits for it.
    pub(super) wants_ack: bool,
}

/// An event without the header that all others had.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoHeader;

/// The payload that acknowledges everything up to `at`.
pub(super) fn acknowledgement(at: &Position) -> Vec<u8> {
    let mut out = vec![MAGIC];
    out.extend_from_slice(&at.offset.to_le_bytes());
    out.extend_from_slice(at.file.as_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::info::tests::info;

    #[test]
    fn only_an_announced_header_is_taken_off() {
        let event = [MAGIC, 1, 0, 0];
        let plain = Seen::default();
        assert_eq!(Headers::None.read(&event), Ok(Some(plain)));
        let mut headers = Headers::Announced;
        assert_eq!(headers.read(&event[..1]), Ok(None));
        let waits = Seen {
            header_len: 2,
            wants_ack: true,
        };
        assert_eq!(headers.read(&event), Ok(Some(waits)));
        assert!(!headers.read(&[MAGIC, 0]).unwrap().unwrap().wants_ack);
        assert_eq!(headers.read(&[0, 0, 0, 0]), Err(NoHeader));
        // A source that does not agree: its first event begins with a timestamp of 0.
        let mut headers = Headers::Announced;
        assert_eq!(headers.read(&[0, 0, 0, 0]), Ok(Some(plain)));
        assert_eq!(headers.read(&event), Ok(Some(plain)), "not ours any more");
    }

    #[test]
    fn an_acknowledgement_has_the_name_to_its_end() {
        let at = Position::new("b\u{ff61}.000001", 0x1_0000_0004);
        let bytes = acknowledgement(&at);
        assert_eq!(bytes[..9], [0xef, 4, 0, 0, 0, 1, 0, 0, 0]);
        assert_eq!(&bytes[9..], "b\u{ff61}.000001".as_bytes());
    }

    #[test]
    fn the_source_says_whether_it_waits() {
        let of = |variables: &[(&str, &str)]| SemiSync::of(&info(variables));
        assert_eq!(of(&[("version", "8.4.1")]), SemiSync::Missing);
        assert_eq!(
            of(&[("rpl_semi_sync_master_enabled", "OFF")]),
            SemiSync::Off
        );
        assert_eq!(of(&[("rpl_semi_sync_source_enabled", "ON")]), SemiSync::On);
    }
}
