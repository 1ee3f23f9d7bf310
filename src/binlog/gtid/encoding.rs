//! Binary forms of a set: MySQL's, in PREVIOUS_GTIDS and COM_BINLOG_DUMP_GTID (`Gtid_set::encode`), classic and, when
//! a tag occurs, tagged; and MariaDB's GTID_LIST.

use super::intervals::NUMBER_MAX;
use super::{DomainEnd, Gtid, GtidSet, Interval, Sid, Tag, Uuid, varlen};
use crate::binlog::bytes::Bytes;
use crate::error::{Error, Result};

/// Marks the tagged form, in the lowest and the highest byte of the leading count.
const FORMAT_TAGGED: u8 = 1;

/// The number of GTIDs in a MariaDB GTID_LIST shares its four bytes with flags.
const MARIADB_LIST_COUNT_MASK: u32 = 0x0fff_ffff;

impl GtidSet {
    /// The MySQL part of the set, as COM_BINLOG_DUMP_GTID carries it.
    pub fn encode(&self) -> Vec<u8> {
        let tagged = self.sids.keys().any(|sid| !sid.tag.is_empty());
        let count = self.sids.len() as u64;
        let mut out = Vec::new();
        if tagged {
            let format = u64::from(FORMAT_TAGGED);
            out.extend_from_slice(&(format | (count << 8) | (format << 56)).to_le_bytes());
        } else {
            out.extend_from_slice(&count.to_le_bytes());
        }
        for (sid, intervals) in &self.sids {
            out.extend_from_slice(&sid.uuid.0);
            if tagged {
                let tag = sid.tag.as_str();
                varlen::write_short(&mut out, tag.len());
                out.extend_from_slice(tag.as_bytes());
            }
            out.extend_from_slice(&(intervals.iter().len() as u64).to_le_bytes());
            for Interval { first, last } in intervals.iter() {
                out.extend_from_slice(&first.to_le_bytes());
                out.extend_from_slice(&last.saturating_add(1).to_le_bytes());
            }
        }
        out
    }

    /// Reads the body of a PREVIOUS_GTIDS event (after the header, without checksum).
    ///
    /// # Errors
    /// `Corrupt` when it cannot be one.
    pub fn decode(body: &[u8]) -> Result<Self> {
        let mut r = Bytes::new(body);
        let [low, middle @ .., format] = r.array::<8>()?;
        let tagged = match format {
            0 => false,
            FORMAT_TAGGED => true,
            _ => {
                return Err(Error::corrupt(format!(
                    "a GTID set in unknown form {format}"
                )));
            }
        };
        let count = if tagged {
            Bytes::new(&middle).u48()?
        } else {
            (Bytes::new(&middle).u48()? << 8) | u64::from(low)
        };
        let mut set = Self::default();
        for _ in 0..count {
            let uuid = Uuid(r.array()?);
            let tag = if tagged {
                read_tag(&mut r)?
            } else {
                Tag::default()
            };
            read_intervals(&mut r, &mut set, Sid { uuid, tag })?;
        }
        Ok(set)
    }

    /// Reads the body of a MariaDB GTID_LIST event (after the header, without checksum). A domain may be named once
    /// for each server that wrote to it; the last one is the latest.
    ///
    /// # Errors
    /// `Corrupt` when it cannot be one.
    pub fn decode_mariadb_list(body: &[u8]) -> Result<Self> {
        let mut r = Bytes::new(body);
        let count = r.u32()? & MARIADB_LIST_COUNT_MASK;
        let mut set = Self::default();
        for _ in 0..count {
            let domain = r.u32()?;
            let end = DomainEnd {
                server_id: r.u32()?,
                sequence: r.u64()?,
            };
            set.domains.insert(domain, end);
        }
        Ok(set)
    }
}

fn read_tag(r: &mut Bytes<'_>) -> Result<Tag> {
    let len = varlen::read_unsigned(r)?;
    let len = usize::try_from(len).map_err(|_| Error::corrupt("a GTID with an endless tag"))?;
    Tag::from_bytes(r.take(len)?)
}

fn read_intervals(r: &mut Bytes<'_>, set: &mut GtidSet, sid: Sid) -> Result<()> {
    let count = r.u64()?;
    for _ in 0..count {
        let (first, end) = (r.u64()?, r.u64()?);
        if first == 0 || end <= first || end > NUMBER_MAX + 1 {
            return Err(Error::corrupt(format!(
                "a GTID interval from {first} to before {end}"
            )));
        }
        set.sids.entry(sid).or_default().add(Interval {
            first,
            last: end - 1,
        });
    }
    Ok(())
}

/// A MySQL GTID from its parts in an event.
pub(super) fn mysql_gtid(uuid: [u8; 16], tag: Tag, number: u64) -> Result<Gtid> {
    if number == 0 || number > NUMBER_MAX {
        return Err(Error::corrupt(format!("a GTID with number {number}")));
    }
    Ok(Gtid::MySql {
        sid: Sid {
            uuid: Uuid(uuid),
            tag,
        },
        number,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binlog::gtid::tests_support::bytes;

    // PREVIOUS_GTIDS and GTID_LIST as MySQL 9.7 and MariaDB 10.11 wrote them.
    const TAGGED: &str = "01030000000000015678eb41e6a511f1a27a02fc00000001000100000000000000010000000000000004\
        000000000000005678eb41e6a511f1a27a02fc00000001066162630100000000000000010000000000000002\
        000000000000005678eb41e6a511f1a27a02fc000000010e7461675f6f6e65010000000000000001000000\
        000000000300000000000000";
    const LIST: &str = "0200000007000000c8000000010000000000000000000000c80000000500000000000000";

    #[test]
    fn reads_and_writes_the_tagged_form() {
        let body = bytes(TAGGED);
        let set = GtidSet::decode(&body).unwrap();
        assert_eq!(
            set.to_string(),
            "5678eb41-e6a5-11f1-a27a-02fc00000001:1-3:abc:1:tag_one:1-2"
        );
        assert_eq!(set.encode(), body);
        assert_every_cut_fails(&body, |b| GtidSet::decode(b).is_err());
    }

    #[test]
    fn reads_and_writes_the_classic_form() {
        let text =
            "5678eb41-e6a5-11f1-a27a-02fc00000001:1-3:5,6678eb41-e6a5-11f1-a27a-02fc00000001:7";
        let set: GtidSet = text.parse().unwrap();
        let body = set.encode();
        assert_eq!(body.len(), 8 + 16 + 8 + 2 * 16 + 16 + 8 + 16);
        assert_eq!(GtidSet::decode(&body).unwrap(), set);
        assert_every_cut_fails(&body, |b| GtidSet::decode(b).is_err());
        assert_eq!(GtidSet::decode(&[0; 8]).unwrap(), GtidSet::default());
    }

    #[test]
    fn reads_a_mariadb_list() {
        let body = bytes(LIST);
        let set = GtidSet::decode_mariadb_list(&body).unwrap();
        assert_eq!(set.to_string(), "0-200-5,7-200-1");
        assert_every_cut_fails(&body, |b| GtidSet::decode_mariadb_list(b).is_err());
        assert!(
            GtidSet::decode_mariadb_list(&[0, 0, 0, 0, 0, 0])
                .unwrap()
                .is_empty()
        );
    }

    fn assert_every_cut_fails(body: &[u8], fails: impl Fn(&[u8]) -> bool) {
        for len in 0..body.len() {
            assert!(fails(&body[..len]), "cut at {len}");
        }
    }
}
