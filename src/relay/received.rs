//! What of the source's history is received: its whole transactions, by GTID.
//!
//! Kept apart from what is executed: it grows with the relay log, also while the applier side is stopped. Only whole
//! transactions count; one that a broken connection cut in two is not received before its end is.
//!
//! # Durability
//! It needs no file of its own: the relay log is its store. After a restart [`scan`] reads it back from the newest relay
//! file, whose head names the GTIDs of all files before it.

use std::path::Path;
use std::sync::Arc;

use super::end::{Durable, RelayEnd};
use super::reader::RelayReader;
use crate::binlog::gtid::{Gtid, GtidSet, MariaDbGtidEvent, MySqlGtidEvent};
use crate::binlog::header::Header;
use crate::binlog::kind;
use crate::binlog::position::{FIRST_EVENT_OFFSET, Position};
use crate::binlog::query::QueryParts;
use crate::error::Result;

/// The transactions received so far, and whether another one is under way.
#[derive(Debug, Clone, Default)]
pub struct Received {
    set: Arc<GtidSet>,
    end: Option<Position>,
    /// Both of them, before the newest group of a MariaDB source.
    before: Option<(Arc<GtidSet>, Position)>,
    gtid: Option<Gtid>,
    /// A GTID event was read and its group has not ended.
    named: bool,
    /// BEGIN was read and its end was not.
    open: bool,
}

impl Received {
    /// Nothing beyond `set`.
    pub fn new(set: Arc<GtidSet>) -> Self {
        Self {
            set,
            ..Self::default()
        }
    }

    /// All GTIDs up to the end of the last whole transaction, those before the start of replication included.
    pub fn set(&self) -> &Arc<GtidSet> {
        &self.set
    }

    /// End of the last whole transaction in the relay log; `None` while there is none.
    pub fn end(&self) -> Option<&Position> {
        self.end.as_ref()
    }

    /// Where the newest group begins, whole or not, and all GTIDs before it. Of a MariaDB source only, whose sets are short; `None`
    /// while no group was seen.
    pub fn newest_group(&self) -> Option<&(Arc<GtidSet>, Position)> {
        self.before.as_ref()
    }

    /// Takes the next event of the relay log, which ends at `end`. `body` is `None` for an event too large to be looked
    /// at; none of those that name a group is.
    ///
    /// # Errors
    /// `Corrupt` when the event is not what its type says.
    pub fn event(
        &mut self,
        header: &Header,
        body: Option<&[u8]>,
        end: impl FnOnce() -> Position,
    ) -> Result<()> {
        match (header.kind, body) {
            (kind::GTID | kind::ANONYMOUS_GTID | kind::GTID_TAGGED, Some(body)) => {
                self.begin(MySqlGtidEvent::parse(header.kind, body)?.gtid, false);
            }
            (kind::MARIADB_GTID, Some(body)) => {
                let event = MariaDbGtidEvent::parse(header.server_id, body)?;
                self.before = self.end.clone().map(|end| (self.set.clone(), end));
                self.begin(Some(event.gtid), !event.is_standalone());
            }
            (kind::PREVIOUS_GTIDS, Some(body)) => self.complete_from(&GtidSet::decode(body)?),
            (kind::MARIADB_GTID_LIST, Some(body)) => {
                self.complete_from(&GtidSet::decode_mariadb_list(body)?);
            }
            (kind::QUERY, Some(body)) => self.statement(QueryParts::split(body)?.sql),
            (kind::QUERY | kind::MARIADB_QUERY_COMPRESSED | kind::INCIDENT, _) if !self.open => {
                self.end_group();
            }
            (kind::XID | kind::XA_PREPARE | kind::TRANSACTION_PAYLOAD, _) => self.end_group(),
            (kind::TABLE_MAP, _) => self.open = true,
            // A group that is open was never finished: the source crashed.
            (kind::FORMAT_DESCRIPTION, _) => self.begin(None, false),
            _ => {}
        }
        if header.kind == kind::FORMAT_DESCRIPTION {
            self.named = false;
        }
        if !self.named && !self.open {
            self.end = Some(end());
        }
        Ok(())
    }

    fn begin(&mut self, gtid: Option<Gtid>, open: bool) {
        (self.gtid, self.named, self.open) = (gtid, true, open);
    }

    /// BEGIN, what ends a transaction, what stands inside of one, or a statement that stands alone.
    fn statement(&mut self, sql: &[u8]) {
        let starts = |word: &[u8]| {
            sql.get(..word.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(word))
        };
        if starts(b"BEGIN") || starts(b"XA START") {
            self.open = true;
        } else if starts(b"COMMIT")
            || sql.eq_ignore_ascii_case(b"ROLLBACK")
            || starts(b"XA COMMIT")
            || starts(b"XA ROLLBACK")
            || !self.open
        {
            self.end_group();
        }
    }

    fn end_group(&mut self) {
        if let Some(gtid) = self.gtid.take() {
            Arc::make_mut(&mut self.set).add(&gtid);
        }
        (self.named, self.open) = (false, false);
    }

    fn complete_from(&mut self, list: &GtidSet) {
        Arc::make_mut(&mut self.set).complete_from(list);
    }
}

/// Reads back what a relay directory holds, from a position on at which `executed` is all there was before. An empty file
/// name stands for the head of its first file.
///
/// # Errors
/// `Io`; `Corrupt` for damage that recovery has not cut away.
pub fn scan(
    directory: &Path,
    durable: &Durable,
    from: &Position,
    executed: &Arc<GtidSet>,
) -> Result<Received> {
    let mut received = Received::new(executed.clone());
    let (Some(end), Some(first)) = (&durable.end, durable.index.names().first()) else {
        return Ok(received);
    };
    let start = if from.file.is_empty() {
        Position::new(first.clone(), FIRST_EVENT_OFFSET)
    } else if from.file == end.file {
        from.clone()
    } else {
        Position::new(end.file.clone(), FIRST_EVENT_OFFSET)
    };
    // What lies between is in the newest file's head, and newer than `executed`.
    let mut replaces = !from.file.is_empty() && from.file != end.file;
    let published = Arc::new(RelayEnd::new(durable.clone()));
    let mut reader = RelayReader::open(directory, published, &start)?;
    received.end = Some(start);
    loop {
        let file = reader.file_name().clone();
        let Some(event) = reader.next_event()? else {
            return Ok(received);
        };
        if replaces && event.header.kind == kind::MARIADB_GTID_LIST {
            let list = GtidSet::decode_mariadb_list(event.body)?;
            Arc::make_mut(&mut received.set).replace_domains(&list);
            replaces = false;
        }
        let offset = event.end;
        received.event(&event.header, Some(event.body), || Position {
            file,
            offset,
        })?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binlog::header::HEADER_LEN;

    const UUID: &str = "5678eb41-e6a5-11f1-a27a-02fc00000001";

    fn header(kind: u8) -> Header {
        let mut bytes = vec![0u8; HEADER_LEN];
        bytes[4] = kind;
        bytes[5] = 7;
        bytes[9] = u8::try_from(HEADER_LEN).unwrap();
        Header::parse(&bytes).unwrap()
    }

    fn query(sql: &str) -> Vec<u8> {
        let mut body = vec![0u8; 13];
        body.push(0);
        body.extend_from_slice(sql.as_bytes());
        body
    }

    fn gtid(number: u8) -> Vec<u8> {
        let mut body = vec![0];
        body.extend(
            (0..16)
                .map(|at| u8::from_str_radix(&UUID.replace('-', "")[2 * at..][..2], 16).unwrap()),
        );
        body.extend([number, 0, 0, 0, 0, 0, 0, 0]);
        body
    }

    struct Log {
        received: Received,
        offset: u64,
    }

    impl Log {
        fn take(&mut self, kind: u8, body: Option<&[u8]>) {
            self.offset += 100;
            let offset = self.offset;
            let end = || Position::new("b.000001", offset);
            self.received.event(&header(kind), body, end).unwrap();
        }

        fn state(&self) -> (String, u64) {
            let end = self.received.end().map_or(0, |end| end.offset);
            (self.received.set().to_string(), end)
        }
    }

    #[test]
    fn only_whole_transactions_count() {
        let mut log = Log {
            received: Received::default(),
            offset: 0,
        };
        log.take(kind::FORMAT_DESCRIPTION, None);
        assert_eq!(log.state(), (String::new(), 100));
        log.take(kind::GTID, Some(&gtid(1)));
        log.take(kind::QUERY, Some(&query("BEGIN")));
        log.take(kind::TABLE_MAP, None);
        log.take(kind::QUERY, Some(&query("SAVEPOINT a")));
        log.take(kind::QUERY, Some(&query("ROLLBACK TO a")));
        assert_eq!(log.state(), (String::new(), 100));
        log.take(kind::XID, None);
        assert_eq!(log.state(), (format!("{UUID}:1"), 700));
        // DDL, a compressed transaction, and one too large to be looked at.
        log.take(kind::GTID, Some(&gtid(2)));
        log.take(kind::QUERY, Some(&query("CREATE TABLE t (a INT)")));
        log.take(kind::GTID, Some(&gtid(3)));
        log.take(kind::TRANSACTION_PAYLOAD, None);
        log.take(kind::GTID, Some(&gtid(4)));
        log.take(kind::QUERY, None);
        assert_eq!(log.state(), (format!("{UUID}:1-4"), 1300));
        // The source crashed within one.
        log.take(kind::GTID, Some(&gtid(5)));
        log.take(kind::QUERY, Some(&query("BEGIN")));
        log.take(kind::FORMAT_DESCRIPTION, None);
        assert_eq!(log.state(), (format!("{UUID}:1-4"), 1600));
        log.take(kind::GTID, Some(&gtid(9)));
        log.take(kind::QUERY, Some(&query("XA COMMIT 'x'")));
        assert_eq!(log.state(), (format!("{UUID}:1-4:9"), 1800));
    }
}
