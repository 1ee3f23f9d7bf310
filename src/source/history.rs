//! What a source's history holds, by GTID: what was before a position, and whether it holds all that we have.

use super::connection::{SourceConnection, connect};
use super::dump::{self, StartAt};
use super::event_stream::EventBatch;
use crate::binlog::checksum;
use crate::binlog::flavor::Flavor;
use crate::binlog::format::FormatDescription;
use crate::binlog::gtid::{GtidSet, MySqlGtidEvent};
use crate::binlog::header::Header;
use crate::binlog::kind;
use crate::binlog::position::{FIRST_EVENT_OFFSET, Position};
use crate::config::source::SourceConfig;
use crate::error::{Error, ErrorKind, Result};

impl SourceConnection {
    /// All GTIDs before a position, so that what is executed from there on is known whole. Empty at the head of a file,
    /// which says it itself, and on a source without GTIDs.
    ///
    /// MySQL has no statement for it: the file is read from its head up to the position, once, and not kept.
    ///
    /// # Errors
    /// As [`SourceConnection::dump`].
    pub async fn gtids_before(&mut self, position: &Position) -> Result<GtidSet> {
        if position.offset <= FIRST_EVENT_OFFSET {
            return Ok(GtidSet::default());
        }
        match self.info().flavor {
            Flavor::MariaDb => self.binlog_gtid_pos(position).await,
            Flavor::MySql if !self.info().has_gtids() => Ok(GtidSet::default()),
            Flavor::MySql => read_up_to(self.config().clone(), position).await,
        }
    }

    /// MariaDB's own answer.
    pub(super) async fn binlog_gtid_pos(&mut self, position: &Position) -> Result<GtidSet> {
        let file = position.file.replace('\\', "\\\\").replace('\'', "''");
        let sql = format!(
            "SELECT BINLOG_GTID_POS('{file}', {}) AS pos",
            position.offset
        );
        let answer = self.query(&sql).await?;
        answer.first("pos").unwrap_or_default().parse()
    }

    /// Why replication cannot go on here behind the transactions of `set`, which came from another server; `None` when it
    /// can: all of them are in this server's history, and what follows is still in its files.
    ///
    /// # Errors
    /// `Network`, and the source's own errors.
    pub async fn cannot_follow(&mut self, set: &GtidSet) -> Result<Option<String>> {
        if set.is_empty() {
            return Ok(Some(
                "no GTIDs are known of the old one, and a file and position mean nothing on another server".into(),
            ));
        }
        if let Err(error) = dump::check_family(set, self.info()) {
            return Ok(Some(error.what().to_owned()));
        }
        if !self.info().has_gtids() {
            return Ok(Some(
                "this one writes no GTIDs (gtid_mode is not ON)".into(),
            ));
        }
        match self.info().flavor {
            Flavor::MySql => self.mysql_cannot_follow(set).await,
            Flavor::MariaDb => {
                let answer = self
                    .query("SELECT @@global.gtid_binlog_state AS state")
                    .await?;
                let state = answer.first("state").unwrap_or_default();
                Ok(missing_in_state(&state, set).map(|missing| lacks(&missing)))
            }
        }
    }

    async fn mysql_cannot_follow(&mut self, set: &GtidSet) -> Result<Option<String>> {
        let sql = format!(
            "SELECT GTID_SUBTRACT('{set}', @@global.gtid_executed) AS missing, \
             GTID_SUBTRACT(@@global.gtid_purged, '{set}') AS purged"
        );
        let answer = self.query(&sql).await?;
        let missing = answer.first("missing").unwrap_or_default();
        if !missing.is_empty() {
            return Ok(Some(lacks(&missing)));
        }
        let purged = answer.first("purged").unwrap_or_default();
        Ok((!purged.is_empty()).then(|| {
            format!("it has purged transactions that were not received from the old one: {purged}")
        }))
    }
}

fn lacks(missing: &str) -> String {
    let missing = missing.replace('\n', "");
    format!("it lacks transactions that were received from the old one: {missing}")
}

/// What of `set` is not in a MariaDB server's `gtid_binlog_state`, which has the last sequence number of each domain
/// and server: `0-1-5,0-2-9`.
fn missing_in_state(state: &str, set: &GtidSet) -> Option<String> {
    let wanted = set.to_string();
    let holds = |gtid: &str| {
        let Some((stream, sequence)) = split_gtid(gtid) else {
            return false;
        };
        state
            .split(',')
            .filter_map(split_gtid)
            .any(|(known, last)| known == stream && sequence <= last)
    };
    let missing: Vec<&str> = wanted.split(',').filter(|gtid| !holds(gtid)).collect();
    (!missing.is_empty()).then(|| missing.join(","))
}

/// `DOMAIN-SERVER` and the sequence number.
fn split_gtid(gtid: &str) -> Option<(&str, u64)> {
    let (stream, sequence) = gtid.trim().rsplit_once('-')?;
    Some((stream, sequence.parse().ok()?))
}

/// Reads a MySQL file from its head up to `position`, over a connection of its own.
async fn read_up_to(mut config: SourceConfig, position: &Position) -> Result<GtidSet> {
    // Nobody may wait for acknowledgements of this one.
    config.semi_sync = false;
    let head = StartAt::Position(Position::new(position.file.clone(), FIRST_EVENT_OFFSET));
    let mut stream = connect(&config).await?.dump(&head).await?;
    let mut reading = Reading {
        until: position.offset,
        offset: FIRST_EVENT_OFFSET,
        set: GtidSet::default(),
        format: None,
    };
    let mut batch = EventBatch::default();
    loop {
        stream.read(&mut batch).await?;
        for frame in batch.frames.iter().filter(|frame| frame.first) {
            if reading.event(batch.bytes_of(frame))? {
                return Ok(reading.set);
            }
        }
    }
}

/// GTIDs of a file, up to a position in it.
struct Reading {
    until: u64,
    /// Where the next event begins. Counted, because `log_pos` has 32 bits.
    offset: u64,
    set: GtidSet,
    format: Option<FormatDescription>,
}

impl Reading {
    /// Takes an event, or the beginning of a large one; true when nothing more is before the position.
    fn event(&mut self, event: &[u8]) -> Result<bool> {
        let header = Header::parse(event)?;
        if matches!(header.kind, kind::HEARTBEAT | kind::HEARTBEAT_V2) {
            return Ok(self.offset >= self.until);
        }
        if header.is_artificial() || header.kind == kind::ROTATE && header.log_pos == 0 {
            return Ok(false);
        }
        if self.offset >= self.until {
            return Ok(true);
        }
        self.offset += u64::from(header.event_size);
        match (header.kind, &self.format) {
            (kind::FORMAT_DESCRIPTION, _) => {
                self.format = Some(FormatDescription::parse(event)?);
            }
            (kind::PREVIOUS_GTIDS, Some(format)) => {
                let body = checksum::body(event, format.checksum)?;
                self.set.complete_from(&GtidSet::decode(body)?);
            }
            (kind::GTID | kind::GTID_TAGGED, Some(format)) => {
                let body = checksum::body(event, format.checksum)?;
                if let Some(gtid) = MySqlGtidEvent::parse(header.kind, body)?.gtid {
                    self.set.add(&gtid);
                }
            }
            (_, None) => {
                let what = "an event before the head of its file";
                return Err(Error::new(ErrorKind::Protocol, what));
            }
            _ => {}
        }
        Ok(self.offset >= self.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_holds_what_each_server_wrote_up_to_its_last() {
        let missing =
            |state: &str, set: &str| missing_in_state(state, &set.parse::<GtidSet>().unwrap());
        assert_eq!(missing("0-1-5,0-2-9,7-1-3", "0-1-5,7-1-2"), None);
        // The last one of the domain is another server's, but this one is in the history too.
        assert_eq!(missing("0-1-5,0-2-4", "0-1-5"), None);
        assert_eq!(missing("0-1-5,0-2-9", "0-1-6").as_deref(), Some("0-1-6"));
        assert_eq!(missing("", "0-1-6,1-1-1").as_deref(), Some("0-1-6,1-1-1"));
    }
}
