//! Events that the source sends again because a dump had to begin before the end of the relay log.
//!
//! A dump begins at an offset of 32 bits, or behind a set of GTIDs. Where the relay log ends beyond 4 GiB in a file, it has to
//! begin before that end: at the last whole transaction. What is written already is then passed over.
//!
//! # Invariants
//! Where an event stands is counted from the known beginning of the dump; the low half of `log_pos` confirms it. What is
//! passed over must end exactly where the relay log ends.

use crate::binlog::header::Header;
use crate::binlog::kind;
use crate::binlog::position::Position;
use crate::error::{Error, ErrorKind, Result};

/// What becomes of an event of the dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// It is written already, or belongs to the head of the file.
    Again,
    /// It comes for the first time, as do all that follow.
    New,
}

/// A dump that has not reached the end of the relay log yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resent {
    /// Where its next event stands.
    at: Position,
    /// Whether an event of there has come: before it comes the head of the file.
    begun: bool,
}

impl Resent {
    /// A dump whose first event stands at `at`.
    pub(super) fn from(at: Position) -> Self {
        Self { at, begun: false }
    }

    /// Where its next event stands.
    pub(super) fn at(&self) -> &Position {
        &self.at
    }

    /// Looks at the next event, where the relay log ends at `end` of the same file.
    ///
    /// # Errors
    /// `Protocol` when what is sent is not what is written.
    pub(super) fn event(&mut self, header: &Header, end: u64) -> Result<Sent> {
        let low = |offset: u64| offset & u64::from(u32::MAX);
        let starts = u64::from(header.log_pos.wrapping_sub(header.event_size));
        // MariaDB 11.4 and later send 0 within a transaction.
        let is_here = starts == low(self.at.offset) || header.log_pos == 0 && self.begun;
        if !self.begun && (is_of_the_head(header.kind) || !is_here && !begins_group(header.kind)) {
            return Ok(Sent::Again);
        }
        if !is_here {
            return Err(self.differs(&format!("an event that begins at {starts} (modulo 4 GiB)")));
        }
        self.begun = true;
        if self.at.offset == end {
            return Ok(Sent::New);
        }
        self.at.offset += u64::from(header.event_size);
        if self.at.offset > end {
            return Err(self.differs(&format!("an event across {end}, where the relay log ends")));
        }
        Ok(Sent::Again)
    }

    fn differs(&self, sent: &str) -> Error {
        Error::new(
            ErrorKind::Protocol,
            format!(
                "the source was to go on at {} and sent {sent}: it does not have what was received from it",
                self.at
            ),
        )
    }
}

/// Events that a dump by GTID begins with, wherever it begins.
fn is_of_the_head(kind: u8) -> bool {
    matches!(
        kind,
        kind::PREVIOUS_GTIDS | kind::MARIADB_GTID_LIST | kind::MARIADB_START_ENCRYPTION
    )
}

fn begins_group(kind: u8) -> bool {
    matches!(
        kind,
        kind::GTID | kind::GTID_TAGGED | kind::ANONYMOUS_GTID | kind::MARIADB_GTID
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binlog::header::HEADER_LEN;

    const GIB4: u64 = 1 << 32;

    fn event(kind: u8, start: u64, size: u32) -> Header {
        let mut bytes = vec![0u8; HEADER_LEN];
        bytes[4] = kind;
        bytes[9..13].copy_from_slice(&size.to_le_bytes());
        let log_pos = u32::try_from((start + u64::from(size)) % GIB4).unwrap();
        bytes[13..17].copy_from_slice(&log_pos.to_le_bytes());
        Header::parse(&bytes).unwrap()
    }

    #[test]
    fn what_is_written_already_is_passed_over_up_to_the_end() {
        let at = GIB4 + 1000;
        let mut resent = Resent::from(Position::new("b.000001", at));
        let mut sent = |kind, start, size| resent.event(&event(kind, start, size), at + 300);
        // The head, also where its offset looks like the one that is waited for; a checkpoint of long ago.
        assert_eq!(
            sent(kind::MARIADB_GTID_LIST, 1000, 50).unwrap(),
            Sent::Again
        );
        assert_eq!(
            sent(kind::MARIADB_BINLOG_CHECKPOINT, 300, 50).unwrap(),
            Sent::Again
        );
        assert_eq!(sent(kind::MARIADB_GTID, at, 100).unwrap(), Sent::Again);
        assert_eq!(
            sent(kind::WRITE_ROWS_V1, at + 100, 200).unwrap(),
            Sent::Again
        );
        assert_eq!(sent(kind::WRITE_ROWS_V1, at + 300, 200).unwrap(), Sent::New);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let at = GIB4 + 1000;
        let begin = || Resent::from(Position::new("b.000001", at));
        let far = begin().event(&event(kind::MARIADB_GTID, at + 40, 100), at);
        assert_eq!(far.unwrap_err().kind(), ErrorKind::Protocol);
        let across = begin().event(&event(kind::GTID, at, 100), at + 50);
        assert!(across.unwrap_err().what().contains("across"));
        let mut resent = begin();
        assert_eq!(
            resent.event(&event(kind::GTID, at, 100), at).unwrap(),
            Sent::New
        );
    }
}
