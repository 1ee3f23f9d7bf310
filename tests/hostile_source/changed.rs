//! Transactions of a real binlog file with some bits changed, and checksums that fit.

use relaylite::binlog::checksum::{self, Checksum};
use relaylite::binlog::frame::{Frame, next_frame};
use relaylite::binlog::header::HEADER_LEN;
use relaylite::binlog::kind;

use crate::support::random::Random;

/// What the variations are made of.
pub(super) struct Changed {
    /// Magic bytes and FORMAT_DESCRIPTION.
    head: Vec<u8>,
    /// Each from its GTID on, event by event.
    groups: Vec<Vec<Vec<u8>>>,
    random: Random,
}

impl Changed {
    /// Of a file whose events have checksums.
    pub(super) fn new(file: &[u8], random: Random) -> Self {
        let (mut at, mut head, mut groups) = (4, file[..4].to_vec(), Vec::new());
        while let Ok(Frame::Event(header, event)) = next_frame(&file[at..]) {
            at += event.len();
            match header.kind {
                kind::FORMAT_DESCRIPTION => head.extend(event),
                kind::GTID | kind::ANONYMOUS_GTID | kind::MARIADB_GTID => {
                    groups.push(vec![event.to_vec()]);
                }
                _ => {
                    if let Some(group) = groups.last_mut() {
                        group.push(event.to_vec());
                    }
                }
            }
        }
        assert!(groups.len() > 100, "{} transactions", groups.len());
        Self {
            head,
            groups,
            random,
        }
    }

    /// The next variation: a file of one transaction.
    pub(super) fn next(&mut self) -> Vec<u8> {
        let random = &mut self.random;
        let mut group = self.groups[random.size(0..self.groups.len())].clone();
        for _ in 0..random.range(1..4) {
            let at = random.size(0..group.len());
            let event = &mut group[at];
            event.truncate(event.len() - Checksum::Crc32.len());
            for _ in 0..random.range(1..4) {
                // Lengths and counts stand at the front.
                let end = if random.percent(50) {
                    event.len().min(HEADER_LEN + 40)
                } else {
                    event.len()
                };
                let at = random.size(4..end);
                event[at] = match random.range(0..3) {
                    0 => 0xff,
                    1 => random.next_u64().to_le_bytes()[0],
                    _ => event[at] ^ 1 << random.range(0..8),
                };
            }
            checksum::seal(event, Checksum::Crc32).unwrap();
        }
        [&self.head[..], &group.concat()].concat()
    }
}
