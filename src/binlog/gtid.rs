//! GTIDs and sets of them, of both families.
//!
//! MySQL names a transaction by the uuid of the server it was born on, an optional tag (8.3 and later) and a number; a
//! set keeps intervals of numbers. MariaDB names it by domain, server id and sequence number; a list keeps the last
//! one of each domain, and stands for all before it. A [`GtidSet`] holds either, so that no operation on it can fail;
//! in practice one source writes one family.
//!
//! Adding the number that follows the last one costs one map lookup: it is done for every transaction.

mod encoding;
mod event;
mod intervals;
mod sid;
mod varlen;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

pub use event::{MariaDbGtidEvent, MySqlGtidEvent};
pub use intervals::{Interval, Intervals};
pub use sid::{Sid, Tag, Uuid};

use crate::error::{Error, ErrorKind, Result};

/// The name of one transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Gtid {
    /// `uuid[:tag]:number`.
    MySql {
        /// Where it was born, and its tag.
        sid: Sid,
        /// Number, from 1.
        number: u64,
    },
    /// `domain-server-sequence`.
    MariaDb {
        /// `gtid_domain_id`.
        domain: u32,
        /// Server id of the server where it was born.
        server_id: u32,
        /// Sequence number within the domain.
        sequence: u64,
    },
}

impl fmt::Display for Gtid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MySql { sid, number } => write!(f, "{sid}:{number}"),
            Self::MariaDb {
                domain,
                server_id,
                sequence,
            } => {
                write!(f, "{domain}-{server_id}-{sequence}")
            }
        }
    }
}

/// The last transaction of a MariaDB domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct DomainEnd {
    server_id: u32,
    sequence: u64,
}

/// A set of GTIDs: a MySQL set, or a MariaDB position list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GtidSet {
    sids: BTreeMap<Sid, Intervals>,
    domains: BTreeMap<u32, DomainEnd>,
}

impl GtidSet {
    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.sids.is_empty() && self.domains.is_empty()
    }

    /// Whether it holds GTIDs of MySQL's family.
    pub fn has_mysql(&self) -> bool {
        !self.sids.is_empty()
    }

    /// Whether it holds GTIDs of MariaDB's family.
    pub fn has_mariadb(&self) -> bool {
        !self.domains.is_empty()
    }

    /// Whether the transaction is in the set. In a MariaDB domain everything up to the last one is.
    pub fn contains(&self, gtid: &Gtid) -> bool {
        match gtid {
            Gtid::MySql { sid, number } => self
                .sids
                .get(sid)
                .is_some_and(|intervals| intervals.contains(*number)),
            Gtid::MariaDb {
                domain, sequence, ..
            } => self
                .domains
                .get(domain)
                .is_some_and(|end| *sequence <= end.sequence),
        }
    }

    /// Adds one transaction. In a MariaDB domain it becomes the last one, whatever its number: the order is the
    /// binlog's.
    pub fn add(&mut self, gtid: &Gtid) {
        match *gtid {
            Gtid::MySql { sid, number } => {
                self.sids.entry(sid).or_default().add(Interval {
                    first: number,
                    last: number,
                });
            }
            Gtid::MariaDb {
                domain,
                server_id,
                sequence,
            } => {
                self.domains.insert(
                    domain,
                    DomainEnd {
                        server_id,
                        sequence,
                    },
                );
            }
        }
    }

    /// Adds what the head of a file says was before it. A MariaDB domain that is known already keeps its last one: what
    /// was read in order is more exact than numbers that may be out of order, and a start by GTID may lie behind the head.
    pub fn complete_from(&mut self, list: &Self) {
        for (sid, intervals) in &list.sids {
            let mine = self.sids.entry(*sid).or_default();
            for interval in intervals.iter() {
                mine.add(*interval);
            }
        }
        for (domain, end) in &list.domains {
            self.domains.entry(*domain).or_insert(*end);
        }
    }

    /// Takes the last one of each MariaDB domain from a list that is known to be newer.
    pub fn replace_domains(&mut self, newer: &Self) {
        self.domains.extend(&newer.domains);
    }

    /// Whether everything in it is in `other` too.
    pub fn is_subset(&self, other: &Self) -> bool {
        let sids = self.sids.iter().all(|(sid, intervals)| {
            other
                .sids
                .get(sid)
                .is_some_and(|theirs| intervals.is_subset(theirs))
        });
        sids && self.domains.iter().all(|(domain, end)| {
            other
                .domains
                .get(domain)
                .is_some_and(|theirs| end.sequence <= theirs.sequence)
        })
    }
}

impl fmt::Display for GtidSet {
    /// As the servers print it: MySQL writes a uuid once, with its tags after it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut last_uuid = None;
        let mut separator = "";
        for (sid, intervals) in &self.sids {
            if last_uuid != Some(sid.uuid) {
                write!(f, "{separator}{}", sid.uuid)?;
                last_uuid = Some(sid.uuid);
                separator = ",";
            }
            if !sid.tag.is_empty() {
                write!(f, ":{}", sid.tag)?;
            }
            write!(f, "{intervals}")?;
        }
        for (domain, end) in &self.domains {
            write!(f, "{separator}{domain}-{}-{}", end.server_id, end.sequence)?;
            separator = ",";
        }
        Ok(())
    }
}

impl FromStr for GtidSet {
    type Err = Error;

    /// Reads what either server prints; blanks and line breaks around the parts are skipped.
    fn from_str(text: &str) -> Result<Self> {
        let mut set = Self::default();
        for part in text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            if part.contains(':') {
                set.parse_mysql(part)?;
            } else {
                set.parse_mariadb(part)?;
            }
        }
        Ok(set)
    }
}

impl GtidSet {
    /// `uuid[:tag]:interval[:interval]...[:tag:interval]...`
    fn parse_mysql(&mut self, part: &str) -> Result<()> {
        let mut fields = part.split(':').map(str::trim);
        let mut sid = Sid {
            uuid: fields.next().unwrap_or_default().parse()?,
            tag: Tag::default(),
        };
        let mut complete = false;
        for field in fields {
            if field.starts_with(|c: char| c.is_ascii_digit()) {
                self.sids.entry(sid).or_default().add(field.parse()?);
                complete = true;
            } else {
                sid.tag = field.parse()?;
                complete = false;
            }
        }
        if complete {
            return Ok(());
        }
        Err(unreadable(part, "the number of a transaction is missing"))
    }

    /// `domain-server-sequence`
    fn parse_mariadb(&mut self, part: &str) -> Result<()> {
        let fields: Vec<&str> = part.split('-').map(str::trim).collect();
        let [domain, server_id, sequence] = fields.as_slice() else {
            return Err(unreadable(
                part,
                "it is neither UUID:NUMBERS nor DOMAIN-SERVER-SEQUENCE",
            ));
        };
        let number = |_| unreadable(part, "DOMAIN-SERVER-SEQUENCE are three numbers");
        let domain = domain.parse().map_err(number)?;
        let end = DomainEnd {
            server_id: server_id.parse().map_err(number)?,
            sequence: sequence.parse().map_err(number)?,
        };
        if self.domains.insert(domain, end).is_some() {
            return Err(unreadable(part, "its domain is given twice"));
        }
        Ok(())
    }
}

/// The error for text that is no GTID set.
fn unreadable(part: &str, why: &str) -> Error {
    Error::new(
        ErrorKind::Config,
        format!("cannot read '{part}' as part of a GTID set: {why}"),
    )
}

/// What the tests of this directory share.
#[cfg(test)]
mod tests_support {
    /// The bytes of a hexadecimal text.
    pub(super) fn bytes(hex: &str) -> Vec<u8> {
        let digits = hex.as_bytes().chunks(2);
        digits
            .map(|d| u8::from_str_radix(std::str::from_utf8(d).unwrap(), 16).unwrap())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const A: &str = "5678eb41-e6a5-11f1-a27a-02fc00000001";
    const B: &str = "6678eb41-e6a5-11f1-a27a-02fc00000001";

    fn set(text: &str) -> GtidSet {
        text.parse().unwrap()
    }

    fn mysql(uuid: &str, tag: &str, number: u64) -> Gtid {
        let tag = if tag.is_empty() {
            Tag::default()
        } else {
            tag.parse().unwrap()
        };
        Gtid::MySql {
            sid: Sid {
                uuid: uuid.parse().unwrap(),
                tag,
            },
            number,
        }
    }

    #[test]
    fn reads_and_prints_what_mysql_prints() {
        for text in [
            format!("{A}:1-4"),
            format!("{A}:1"),
            format!("{A}:1-4:6:8-9,{B}:7"),
            format!("{A}:1-4:abc:1:tag_one:1-2,{B}:tag_one:5"),
        ] {
            assert_eq!(set(&text).to_string(), text);
        }
        let listed = format!("\n{}:1-3: 5 ,\n {B}:1\n", A.to_uppercase());
        assert_eq!(set(&listed).to_string(), format!("{A}:1-3:5,{B}:1"));
        assert_eq!(
            set(&format!("{A}:1-3:4-5:ABC:1")).to_string(),
            format!("{A}:1-5:abc:1")
        );
    }

    #[test]
    fn reads_and_prints_what_mariadb_prints() {
        assert_eq!(set("0-200-5,7-200-1").to_string(), "0-200-5,7-200-1");
        assert_eq!(set(" 7-1-1,\n0-2-5 ").to_string(), "0-2-5,7-1-1");
        assert!(set("").is_empty());
    }

    #[test]
    fn refuses_what_is_no_set() {
        for text in [
            "x",
            "0-1",
            "0-1-2-3",
            "0-1-x",
            "0-1-2,0-2-3",
            A,
            &format!("{A}:"),
            &format!("{A}:0"),
            &format!("{A}:5-3"),
            &format!("{A}:1-x"),
            &format!("{A}:tag"),
            &format!("{A}:1:-tag:1"),
            "5678eb41:1",
        ] {
            assert!(text.parse::<GtidSet>().is_err(), "{text}");
        }
    }

    #[test]
    fn adds_one_transaction_after_the_other() {
        let mut set = GtidSet::default();
        for number in [1, 2, 3, 5, 4, 9] {
            let gtid = mysql(A, "", number);
            assert!(!set.contains(&gtid));
            set.add(&gtid);
            assert!(set.contains(&gtid));
        }
        set.add(&mysql(A, "t", 1));
        assert_eq!(set.to_string(), format!("{A}:1-5:9:t:1"));
        assert!(!set.contains(&mysql(B, "", 1)));
    }

    #[test]
    fn the_last_one_of_a_domain_counts() {
        let mut set = set("0-1-5");
        set.add(&Gtid::MariaDb {
            domain: 0,
            server_id: 2,
            sequence: 4,
        });
        set.add(&Gtid::MariaDb {
            domain: 3,
            server_id: 2,
            sequence: 1,
        });
        assert_eq!(set.to_string(), "0-2-4,3-2-1");
        assert!(set.contains(&Gtid::MariaDb {
            domain: 0,
            server_id: 9,
            sequence: 3
        }));
        assert!(!set.contains(&Gtid::MariaDb {
            domain: 0,
            server_id: 1,
            sequence: 5
        }));
    }

    #[test]
    fn the_head_of_a_file_completes_and_never_takes_back() {
        let mut known = set(&format!("{A}:5,0-1-4"));
        known.complete_from(&set(&format!("{A}:1-3,0-2-10,7-1-1")));
        assert_eq!(known.to_string(), format!("{A}:1-3:5,0-1-4,7-1-1"));
        known.replace_domains(&set("0-2-3"));
        assert_eq!(known.to_string(), format!("{A}:1-3:5,0-2-3,7-1-1"));
    }

    #[test]
    fn completed_and_subset() {
        let mut all = set(&format!("{A}:1-3:7,0-1-5"));
        let other = set(&format!("{A}:2-9,{B}:1,0-2-4,1-1-1"));
        assert!(!all.is_subset(&other));
        assert!(!other.is_subset(&all));
        all.complete_from(&other);
        assert_eq!(all.to_string(), format!("{A}:1-9,{B}:1,0-1-5,1-1-1"));
        assert!(other.is_subset(&all));
        assert!(GtidSet::default().is_subset(&other));
    }

    proptest! {
        #[test]
        fn a_set_is_what_was_added(numbers in proptest::collection::vec(1u64..200, 0..120)) {
            let mut set = GtidSet::default();
            for number in &numbers {
                set.add(&mysql(A, "", *number));
            }
            for number in 1..201 {
                prop_assert_eq!(set.contains(&mysql(A, "", number)), numbers.contains(&number));
            }
            prop_assert_eq!(&set.to_string().parse::<GtidSet>().unwrap(), &set);
            prop_assert_eq!(&GtidSet::decode(&set.encode()).unwrap(), &set);
        }

        #[test]
        fn a_completed_set_holds_both(
            left in proptest::collection::vec((1u64..90, 0u64..9), 0..20),
            right in proptest::collection::vec((1u64..90, 0u64..9), 0..20),
        ) {
            let build = |ranges: &[(u64, u64)]| {
                let mut set = GtidSet::default();
                for (first, more) in ranges {
                    (*first..=first + more).for_each(|n| set.add(&mysql(A, "", n)));
                }
                set
            };
            let (left, right) = (build(&left), build(&right));
            let mut all = left.clone();
            all.complete_from(&right);
            prop_assert!(left.is_subset(&all) && right.is_subset(&all));
            for number in 1..110 {
                let gtid = mysql(A, "", number);
                prop_assert_eq!(all.contains(&gtid), left.contains(&gtid) || right.contains(&gtid));
            }
            prop_assert_eq!(all.is_subset(&left), right.is_subset(&left));
        }

        #[test]
        fn any_text_is_a_set_or_an_error(text in "[0-9a-f:,\\- \n_t]{0,60}") {
            if let Ok(set) = text.parse::<GtidSet>() {
                prop_assert_eq!(set.to_string().parse::<GtidSet>().unwrap(), set);
            }
        }
    }
}
