//! GTID events of both servers as raw numbers; `binlog::gtid` gives them meaning.

use super::xa::XaId;
use crate::binlog::bytes::Bytes;
use crate::binlog::kind;
use crate::error::{Error, Result};

/// MySQL's Gtid, Anonymous_Gtid and Gtid_tagged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MySqlGtid<'a> {
    /// The group has no GTID: uuid, number and tag mean nothing.
    pub anonymous: bool,
    /// UUID of the server where the transaction was first committed.
    pub uuid: [u8; 16],
    /// Its number there (or under that tag), from 1.
    pub gno: u64,
    /// Tag in lower case; empty for none.
    pub tag: &'a [u8],
    /// Logical clock: the group may run beside all that are committed after this one.
    pub last_committed: i64,
    /// Logical clock: this group.
    pub sequence_number: i64,
    /// Microseconds since 1970 of the commit on the source.
    pub immediate_commit_micros: Option<u64>,
    /// Microseconds since 1970 of the commit on the first server.
    pub original_commit_micros: Option<u64>,
    /// Bytes of the whole group in the source's file, this event included.
    pub transaction_length: Option<u64>,
}

/// The logical clock's type code; older ones do not exist.
const LOGICAL_CLOCK: u8 = 2;
/// In a commit time's seven bytes: another time follows.
const HAS_ORIGINAL_TIME: u64 = 1 << 55;

impl<'a> MySqlGtid<'a> {
    /// Parses an event's body (no header, no checksum).
    ///
    /// # Errors
    /// `Corrupt` when it is no GTID event.
    pub fn parse(event_kind: u8, body: &'a [u8]) -> Result<Self> {
        let mut gtid = match event_kind {
            kind::GTID_TAGGED => Self::parse_tagged(body)?,
            _ => Self::parse_fixed(body)?,
        };
        gtid.anonymous = event_kind == kind::ANONYMOUS_GTID;
        if gtid.gno == 0 && !gtid.anonymous {
            return Err(Error::corrupt("a GTID with number 0"));
        }
        Ok(gtid)
    }

    /// What MySQL 5.6 wrote, and what later versions added behind it.
    fn parse_fixed(body: &'a [u8]) -> Result<Self> {
        let mut r = Bytes::new(body);
        r.u8()?; // whether there are statements besides rows
        let mut gtid = Self {
            uuid: r.array()?,
            gno: number(r.i64()?)?,
            ..Self::default()
        };
        if r.is_empty() || r.u8()? != LOGICAL_CLOCK {
            return Ok(gtid);
        }
        gtid.last_committed = r.i64()?;
        gtid.sequence_number = r.i64()?;
        if r.is_empty() {
            return Ok(gtid); // before 8.0.1
        }
        let time = r.uint(7)?;
        let immediate = time & !HAS_ORIGINAL_TIME;
        let original = if time & HAS_ORIGINAL_TIME != 0 {
            r.uint(7)?
        } else {
            immediate
        };
        gtid.immediate_commit_micros = Some(immediate);
        gtid.original_commit_micros = Some(original);
        if !r.is_empty() {
            gtid.transaction_length = Some(r.lenenc()?);
        }
        Ok(gtid)
    }

    /// MySQL 8.3's self-describing form: numbered fields, all integers of variable length; fields above the last
    /// known one are passed over by stopping there.
    fn parse_tagged(body: &'a [u8]) -> Result<Self> {
        let mut r = Bytes::new(body);
        let (version, _size, last_needed) = (varint(&mut r)?, varint(&mut r)?, varint(&mut r)?);
        if version != 1 {
            return Err(Error::corrupt(format!(
                "Gtid_tagged of serialization version {version}"
            )));
        }
        let mut gtid = Self::default();
        while !r.is_empty() {
            match varint(&mut r)? {
                0 => drop(varint(&mut r)?), // flags
                1 => {
                    for byte in &mut gtid.uuid {
                        *byte = u8::try_from(varint(&mut r)?)
                            .map_err(|e| Error::corrupt("a UUID byte above 255").with_source(e))?;
                    }
                }
                2 => gtid.gno = number(signed_varint(&mut r)?)?,
                3 => {
                    let len = usize::try_from(varint(&mut r)?).unwrap_or(usize::MAX);
                    gtid.tag = r.take(len)?;
                }
                4 => gtid.last_committed = signed_varint(&mut r)?,
                5 => gtid.sequence_number = signed_varint(&mut r)?,
                6 => gtid.immediate_commit_micros = Some(varint(&mut r)?),
                7 => gtid.original_commit_micros = Some(varint(&mut r)?),
                8 => gtid.transaction_length = Some(varint(&mut r)?),
                9..=11 => drop(varint(&mut r)?), // server versions, commit group ticket
                field if field <= last_needed => {
                    return Err(Error::corrupt(format!(
                        "Gtid_tagged needs unknown field {field}"
                    )));
                }
                _ => break,
            }
        }
        gtid.original_commit_micros = gtid.original_commit_micros.or(gtid.immediate_commit_micros);
        Ok(gtid)
    }
}

fn number(gno: i64) -> Result<u64> {
    u64::try_from(gno).map_err(|e| Error::corrupt("a GTID with a negative number").with_source(e))
}

/// MySQL's serialization library: as many low bits set in the first byte as bytes follow, then a zero bit, then the
/// number (`mysql::serialization`, `variable_length_integers.h`).
fn varint(r: &mut Bytes<'_>) -> Result<u64> {
    let first = r.u8()?;
    let follow = first.trailing_ones();
    let rest = r.uint(follow as usize)?;
    // With seven or more bytes to follow, all of the first is prefix.
    Ok(match follow {
        7.. => rest,
        _ => u64::from(first >> (follow + 1)) | rest << (7 - follow),
    })
}

/// The same with the sign in the lowest bit.
fn signed_varint(r: &mut Bytes<'_>) -> Result<i64> {
    let n = varint(r)?;
    let magnitude = (n >> 1).cast_signed();
    Ok(if n & 1 == 0 { magnitude } else { !magnitude })
}

/// MariaDB's Gtid event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MariaDbGtid<'a> {
    /// Replication domain.
    pub domain: u32,
    /// Server where the transaction was first committed: the event header's.
    pub server_id: u32,
    /// Its number in the domain.
    pub sequence: u64,
    /// `FL_*` bits: [`Self::STANDALONE`] and so on.
    pub flags: u8,
    /// Groups with the same one were committed together.
    pub commit_id: Option<u64>,
    /// Of groups that XA PREPARE ends, or that end a prepared one.
    pub xa: Option<XaId<'a>>,
}

impl<'a> MariaDbGtid<'a> {
    /// The group is one event (DDL) and has no COMMIT.
    pub const STANDALONE: u8 = 1;
    /// The event has a commit id.
    pub const GROUP_COMMIT: u8 = 2;
    /// Only transactional tables were changed.
    pub const TRANSACTIONAL: u8 = 4;
    /// The group is DDL.
    pub const DDL: u8 = 32;
    /// XA PREPARE ends the group.
    pub const PREPARED_XA: u8 = 64;
    /// XA COMMIT or XA ROLLBACK of a prepared group.
    pub const COMPLETED_XA: u8 = 128;

    /// Parses an event's body (no header, no checksum).
    ///
    /// # Errors
    /// `Corrupt` when it is no MariaDB GTID event.
    pub fn parse(body: &'a [u8], server_id: u32) -> Result<Self> {
        let mut r = Bytes::new(body);
        let (sequence, domain, flags) = (r.u64()?, r.u32()?, r.u8()?);
        let commit_id = (flags & Self::GROUP_COMMIT != 0)
            .then(|| r.u64())
            .transpose()?;
        let xa = if flags & (Self::PREPARED_XA | Self::COMPLETED_XA) != 0 {
            let format_id = r.u32()?;
            let (global_len, branch_len) = (usize::from(r.u8()?), usize::from(r.u8()?));
            Some(XaId::read(&mut r, format_id, global_len, branch_len)?)
        } else {
            None
        };
        Ok(Self {
            domain,
            server_id,
            sequence,
            flags,
            commit_id,
            xa,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `2b` to bytes.
    fn hex(text: &str) -> Vec<u8> {
        let digit = |b: u8| u8::try_from(char::from(b).to_digit(16).unwrap()).unwrap();
        text.as_bytes()
            .chunks(2)
            .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
            .collect()
    }

    const UUID: &str = "dfcc3a70e6a511f1955f02fc00000001";

    #[test]
    fn tagged_gtids_of_mysql_9_7() {
        let body = hex(concat!(
            "0274000000027d03310374e09903950222c5035502be04f103000000020404060a6d79746167",
            "08000a040c7fe23b7920e26006105d041283120b"
        ));
        let gtid = MySqlGtid::parse(kind::GTID_TAGGED, &body).unwrap();
        assert_eq!(gtid.uuid.to_vec(), hex(UUID));
        assert_eq!((gtid.gno, gtid.tag), (1, &b"mytag"[..]));
        assert_eq!((gtid.last_committed, gtid.sequence_number), (0, 1));
        assert_eq!(gtid.immediate_commit_micros, Some(0x0006_60e2_2079_3be2));
        assert_eq!(gtid.transaction_length, Some(279));
        for end in 0..body.len() {
            let _ = MySqlGtid::parse(kind::GTID_TAGGED, &body[..end]);
        }
    }

    #[test]
    fn plain_gtids_of_mysql_9_7() {
        let body = hex(&format!(
            "00{UUID}0b000000000000000201000000000000000200000000000000b9447920e26006fc150150620100"
        ));
        let gtid = MySqlGtid::parse(kind::GTID, &body).unwrap();
        assert_eq!(
            (gtid.gno, gtid.last_committed, gtid.sequence_number),
            (11, 1, 2)
        );
        assert_eq!(gtid.transaction_length, Some(277));
        assert_eq!(gtid.original_commit_micros, gtid.immediate_commit_micros);
        let short = MySqlGtid::parse(kind::GTID, &body[..25]).unwrap();
        assert_eq!(short.transaction_length, None);
    }

    #[test]
    fn integers_of_all_lengths() {
        for (bytes, n) in [("00", 0), ("fe", 127), ("0102", 128), ("037d0000", 0xfa0)] {
            let bytes = hex(bytes);
            assert_eq!(varint(&mut Bytes::new(&bytes)).unwrap(), n, "{bytes:?}");
        }
        let most = hex("ffffffffffffffffff");
        assert_eq!(varint(&mut Bytes::new(&most)).unwrap(), u64::MAX);
        assert_eq!(signed_varint(&mut Bytes::new(&[0x02])).unwrap(), -1);
    }

    #[test]
    fn mariadb_gtids_with_and_without_commit_id() {
        let body = hex("090000000000000000000000040000000000000000");
        let gtid = MariaDbGtid::parse(&body[..19], 11).unwrap();
        assert_eq!((gtid.domain, gtid.server_id, gtid.sequence), (0, 11, 9));
        assert_eq!(
            (gtid.flags, gtid.commit_id),
            (MariaDbGtid::TRANSACTIONAL, None)
        );
        let xa = hex("0900000000000000000000004207000000000000000700000003016162639a");
        let gtid = MariaDbGtid::parse(&xa, 11).unwrap();
        assert_eq!(gtid.commit_id, Some(7));
        assert_eq!(gtid.xa.unwrap().to_string(), "X'616263',X'9a',7");
    }
}
