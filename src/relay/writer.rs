//! Raw events in, relay files out: the same bytes at the same offsets under the source's own names.
//!
//! # Invariants
//! - An event that stands in the source's file at offset N stands in ours at offset N. Offsets are counted here, in
//!   u64; the header's u32 `log_pos` only confirms their low half.
//! - What the dump thread makes up (fake ROTATE, FORMAT_DESCRIPTION in the middle of a file, heartbeats) is acted on and
//!   not written.
//! - Bytes that the source did not send (before the start position, or transactions skipped by GTID) are covered with
//!   ignorable events, so that stock mysqlbinlog reads the file from its head.
//! - Every event's CRC32 is checked before it counts as received.
//! - After an error the file ends with the last whole event.
//!
//! # Threading
//! One writer per relay directory; used by one thread at a time.

use std::cmp::Ordering;
use std::sync::Arc;

use super::ack::{DurableAcks, Wanted, join};
use super::end::RelayEnd;
use super::file::RelayFile;
use super::files::RelayFiles;
use super::index::{is_safe_file_name, order};
use super::reader::head;
use super::received::Received;
use super::sync::{Syncer, Written};
use crate::binlog::checksum::{self, Checksum};
use crate::binlog::format::FormatDescription;
use crate::binlog::frame::filler;
use crate::binlog::header::{HEADER_LEN, Header};
use crate::binlog::kind;
use crate::binlog::position::{FIRST_EVENT_OFFSET, Position};
use crate::binlog::rotate::Rotate;
use crate::config::limits::RELAY_FILLER_BYTES_MAX;
use crate::error::{Error, ErrorKind, Result};
use crate::source::{EventBatch, Frame};

/// Largest distance between our offset and the low half of the source's that counts as a gap; beyond it the source is
/// behind us.
const MAX_GAP: u32 = 0x7fff_ffff;

/// Where the common header keeps `log_pos`.
const LOG_POS_FIELD: std::ops::Range<usize> = 13..17;

/// An event larger than a batch, arriving in pieces.
#[derive(Debug)]
struct Partial {
    header: Header,
    crc: crc32fast::Hasher,
    /// The last bytes seen, at most four: they may be the checksum.
    tail: Vec<u8>,
    received: u64,
}

/// Where the source says it is, beyond what was written.
#[derive(Debug, Clone, Default)]
pub struct Heard {
    /// Position of the last heartbeat, or of the last event.
    pub position: Option<Position>,
    /// Timestamp of the last event that came from a client of the source; 0 before one.
    pub timestamp: u32,
    /// The source's end is reached: the last thing it said was a heartbeat.
    pub idle: bool,
    /// Heartbeats received.
    pub heartbeats: u64,
    /// Bytes of events written.
    pub bytes: u64,
}

/// Writes the relay log of one source.
#[derive(Debug)]
pub struct RelayWriter {
    files: Arc<RelayFiles>,
    end: Arc<RelayEnd>,
    file: Option<RelayFile>,
    /// A file that a ROTATE announced, to be made when its FORMAT_DESCRIPTION comes.
    announced: Option<(Arc<str>, u64)>,
    checksum: Checksum,
    partial: Option<Partial>,
    heard: Heard,
    syncer: Syncer,
    received: Received,
    /// What a semi-synchronous source waits for in the batch under way.
    wanted: Option<Wanted>,
    acks: Option<DurableAcks>,
}

impl RelayWriter {
    /// A writer that goes on where `end` (a recovered relay directory) says.
    ///
    /// # Errors
    /// `DiskFull` while the disk that was full has no room again; `Io`.
    pub fn open(files: &Arc<RelayFiles>, end: &Arc<RelayEnd>, checksum: Checksum) -> Result<Self> {
        files.check_room()?;
        let file = match &end.get().end {
            Some(position) => Some(files.note(RelayFile::reopen(files.directory(), position))?),
            None => None,
        };
        Ok(Self {
            files: files.clone(),
            end: end.clone(),
            file,
            announced: None,
            checksum,
            partial: None,
            heard: Heard::default(),
            syncer: Syncer::start(end.clone())?,
            received: end.received(),
            wanted: None,
            acks: None,
        })
    }

    /// Says who is told when what the source waits for is durable.
    pub fn acknowledge_by(&mut self, acks: DurableAcks) {
        self.acks = Some(acks);
    }

    /// What the source has said so far.
    pub fn heard(&self) -> &Heard {
        &self.heard
    }

    /// Takes one batch: everything whole in it is written and handed to the syncer. Waits first while the relay log takes
    /// more room than it may.
    ///
    /// # Errors
    /// `Corrupt` for a bad checksum, `Protocol` for events that do not follow each other, `Io`, `DiskFull`. The file is
    /// then cut after its last whole event.
    pub fn write(&mut self, batch: &EventBatch) -> Result<()> {
        let outcome = self.wait_for_room().and_then(|()| self.write_frames(batch));
        if outcome.is_err() {
            self.partial = None;
            if let Some(file) = &mut self.file {
                // The first error is the one to report; a file that cannot be cut is cut by the next writer.
                let _ = file.cut_torn();
            }
        }
        self.files.note(outcome)
    }

    fn wait_for_room(&self) -> Result<()> {
        if self.files.is_over_limit() {
            // What is written must be there to read: the applier side may need it to make room.
            self.syncer.drain()?;
            self.files.wait_for_room(&self.end);
        }
        Ok(())
    }

    /// Makes everything whole durable.
    pub fn finish(&mut self) -> Result<()> {
        self.partial = None;
        if let Some(file) = &mut self.file {
            file.cut_torn()?;
        }
        self.syncer.drain()
    }

    fn write_frames(&mut self, batch: &EventBatch) -> Result<()> {
        for frame in &batch.frames {
            let bytes = batch
                .bytes
                .get(frame.start..frame.start + frame.len)
                .ok_or_else(|| Error::new(ErrorKind::Internal, "a frame outside of its batch"))?;
            if frame.first && frame.last {
                self.whole_event(bytes)?;
            } else {
                self.piece(*frame, bytes)?;
            }
            if let (true, Some(file), Some(since)) = (frame.wants_ack, &self.file, batch.arrived) {
                let wanted = Wanted {
                    at: file.whole_end(),
                    since,
                    events: 1,
                };
                self.wanted = join(self.wanted.take(), Some(wanted));
            }
        }
        self.flush()
    }

    fn flush(&mut self) -> Result<()> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        file.flush()?;
        let end = file.whole_end();
        self.heard.position = Some(end.clone());
        let (file, index) = (file.handle().clone(), self.files.index());
        self.files.set_size(&end.file, &file.metadata()?);
        let wanted = self.wanted.take().zip(self.acks.clone());
        self.syncer.submit(Written {
            file,
            end,
            index,
            received: self.received.clone(),
            wanted,
        })
    }

    fn whole_event(&mut self, event: &[u8]) -> Result<()> {
        let header = Header::parse(event)?;
        if header.event_size as usize != event.len() {
            return Err(Error::corrupt(format!(
                "an event of {} bytes claims {} bytes",
                event.len(),
                header.event_size
            )));
        }
        match header.kind {
            kind::HEARTBEAT | kind::HEARTBEAT_V2 => {
                self.heard.heartbeats += 1;
                self.heard.idle = true;
                self.cover_skipped(&header, event)
            }
            kind::ROTATE if is_made_up(&header) => self.announce(event),
            kind::FORMAT_DESCRIPTION => self.format_description(&header, event),
            _ if header.is_artificial() => Ok(()),
            _ => {
                checksum::verify(event, self.checksum)?;
                self.place(&header)?;
                self.complete_event(&header, event)
            }
        }
    }

    /// A heartbeat says how far the source has come without sending anything: over transactions that were skipped by
    /// GTID. They are covered, so that a reconnect goes on behind them.
    fn cover_skipped(&mut self, header: &Header, event: &[u8]) -> Result<()> {
        let (Some(file), None) = (&self.file, &self.announced) else {
            return Ok(());
        };
        // The body is the file's name; whether a checksum follows does not matter for its beginning.
        let is_ours = event
            .get(HEADER_LEN..)
            .is_some_and(|body| body.starts_with(file.name().as_bytes()));
        let gap = header.log_pos.wrapping_sub(low_half(file.offset()));
        let smallest = smallest_event(self.checksum);
        if header.kind != kind::HEARTBEAT || !is_ours || !(smallest..=MAX_GAP).contains(&gap) {
            return Ok(());
        }
        self.cover_up_to(file.offset() + u64::from(gap))
    }

    fn complete_event(&mut self, header: &Header, event: &[u8]) -> Result<()> {
        if let Some(file) = &mut self.file {
            file.append(event);
            file.event_complete();
            self.heard.bytes += event.len() as u64;
            self.heard.idle = false;
            if header.timestamp != 0 {
                self.heard.timestamp = header.timestamp;
            }
            let body = checksum::body(event, self.checksum)?;
            self.received
                .event(header, Some(body), || file.whole_end())?;
        }
        Ok(())
    }

    /// A fake ROTATE names the file that the next events stand in.
    fn announce(&mut self, event: &[u8]) -> Result<()> {
        // Whether this event carries a checksum depends on the file before it, which may be none of ours.
        let checksum = match checksum::verify(event, Checksum::Crc32) {
            Ok(()) => Checksum::Crc32,
            Err(_) => Checksum::Off,
        };
        let rotate = Rotate::parse(checksum::body(event, checksum)?)?;
        let name = rotate.file;
        if !is_safe_file_name(name) {
            return Err(Error::new(
                ErrorKind::Protocol,
                "the source names a binlog file that is no plain file name with a number",
            ));
        }
        if self
            .file
            .as_ref()
            .is_some_and(|file| file.name().as_ref() == name)
        {
            self.announced = None;
            return Ok(());
        }
        self.check_follows(name)?;
        self.announced = Some((name.into(), rotate.position));
        Ok(())
    }

    fn check_follows(&self, name: &str) -> Result<()> {
        let index = self.files.index();
        let Some(last) = index.last() else {
            return Ok(());
        };
        let follows = order(last, name) == Some(Ordering::Less);
        if follows {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Dump,
            format!(
                "the source goes on in {name}, but the relay log already holds {last}: this is another history \
                 (RESET, or a rebuilt server); empty the relay directory and the target to start afresh"
            ),
        ))
    }

    fn format_description(&mut self, header: &Header, event: &[u8]) -> Result<()> {
        let format = FormatDescription::parse(event)?;
        checksum::verify(event, format.checksum)?;
        self.checksum = format.checksum;
        let Some((name, start)) = self.announced.take() else {
            return self.check_same_file(header);
        };
        self.close_file()?;
        let mut file = RelayFile::create(self.files.directory(), &name)?;
        file.append(&rebuilt_format_description(header, event)?);
        file.event_complete();
        self.received.event(header, None, || file.whole_end())?;
        self.heard.bytes += event.len() as u64;
        self.file = Some(file);
        self.files.add(&name)?;
        self.cover_up_to(start.max(FIRST_EVENT_OFFSET))
    }

    /// A connection that goes on within a file is told its head again: when the file was begun. Another time means another
    /// file of that name: the source was reset, or restored from a copy of itself, and has grown beyond our position.
    fn check_same_file(&self, header: &Header) -> Result<()> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let ours = head(self.files.directory(), file.name())?.timestamp;
        if ours == header.timestamp {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Dump,
            format!(
                "the source's {} is not the file that was received under this name: it was begun at {}, that one at {ours} \
                 (seconds since 1970); this is another history (RESET, or a server restored from a copy); empty the relay \
                 directory and the target to start afresh",
                file.name(),
                header.timestamp
            ),
        ))
    }

    /// Makes the file before a switch durable: from then on the syncer sees only the next one.
    fn close_file(&mut self) -> Result<()> {
        if let Some(mut file) = self.file.take() {
            file.flush()?;
            self.syncer.drain()?;
            file.handle().sync_data()?;
            self.files.set_size(file.name(), &file.handle().metadata()?);
        }
        Ok(())
    }

    /// Checks that the event belongs at our offset; covers a gap before it.
    fn place(&mut self, header: &Header) -> Result<()> {
        let Some(file) = &self.file else {
            return Err(Error::new(
                ErrorKind::Protocol,
                "an event came before the file it stands in",
            ));
        };
        // MariaDB 11.4 and later send 0 for events inside a transaction (MDEV-33582): they follow each other.
        if header.log_pos == 0 {
            return Ok(());
        }
        let start_low = header.log_pos.wrapping_sub(header.event_size);
        let gap = start_low.wrapping_sub(low_half(file.offset()));
        match gap {
            0 => Ok(()),
            1..=MAX_GAP => self.cover_up_to(file.offset() + u64::from(gap)),
            _ => Err(Error::new(
                ErrorKind::Protocol,
                format!(
                    "the source sent an event that ends at {}, but {}:{} is already written",
                    header.log_pos,
                    file.name(),
                    file.offset()
                ),
            )),
        }
    }

    /// Covers everything from the current offset to `end` with ignorable events.
    fn cover_up_to(&mut self, end: u64) -> Result<()> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let smallest = u64::from(smallest_event(self.checksum));
        while file.offset() < end {
            let gap = end - file.offset();
            let size = match gap.checked_sub(RELAY_FILLER_BYTES_MAX) {
                None | Some(0) => gap,
                // The rest must still hold an event.
                Some(rest) if rest < smallest => RELAY_FILLER_BYTES_MAX - smallest,
                Some(_) => RELAY_FILLER_BYTES_MAX,
            };
            if gap < smallest {
                return Err(Error::new(
                    ErrorKind::Protocol,
                    format!(
                        "a gap of {gap} bytes at {}:{} fits no event",
                        file.name(),
                        file.offset()
                    ),
                ));
            }
            append_filler(file, size, self.checksum)?;
        }
        Ok(())
    }

    fn piece(&mut self, frame: Frame, bytes: &[u8]) -> Result<()> {
        if frame.first {
            let header = Header::parse(bytes)?;
            self.place(&header)?;
            let (crc, tail) = (crc32fast::Hasher::new(), Vec::with_capacity(8));
            self.partial = Some(Partial {
                header,
                crc,
                tail,
                received: 0,
            });
        }
        let Some(partial) = &mut self.partial else {
            return Err(Error::new(
                ErrorKind::Protocol,
                "a piece of an event without its beginning",
            ));
        };
        partial.take(bytes, self.checksum);
        let Some(file) = &mut self.file else {
            return Err(Error::new(
                ErrorKind::Protocol,
                "an event came before the file it stands in",
            ));
        };
        file.append(bytes);
        self.heard.bytes += bytes.len() as u64;
        if frame.last {
            partial.finish(self.checksum)?;
            file.event_complete();
            self.heard.idle = false;
            if partial.header.timestamp != 0 {
                self.heard.timestamp = partial.header.timestamp;
            }
            self.received
                .event(&partial.header, None, || file.whole_end())?;
            self.partial = None;
        }
        Ok(())
    }
}

impl Partial {
    /// Feeds the checksum with all but the last bytes, which may be the checksum itself.
    fn take(&mut self, bytes: &[u8], checksum: Checksum) {
        self.received += bytes.len() as u64;
        self.tail.extend_from_slice(bytes);
        let body = self.tail.len().saturating_sub(checksum.len());
        if let Some((head, _)) = self.tail.split_at_checked(body) {
            self.crc.update(head);
            self.tail.drain(..body);
        }
    }

    fn finish(&mut self, checksum: Checksum) -> Result<()> {
        if self.received != u64::from(self.header.event_size) {
            return Err(Error::corrupt(format!(
                "an event of {} bytes claims {} bytes",
                self.received, self.header.event_size
            )));
        }
        if checksum == Checksum::Crc32 {
            let stored = self
                .tail
                .first_chunk::<4>()
                .map(|bytes| u32::from_le_bytes(*bytes));
            if stored != Some(self.crc.clone().finalize()) {
                return Err(Error::corrupt("an event's CRC32 is wrong"));
            }
        }
        Ok(())
    }
}

/// Made by the dump thread: flagged, or a ROTATE without a time, which no file holds.
fn is_made_up(header: &Header) -> bool {
    header.is_artificial() || header.timestamp == 0 || header.log_pos == 0
}

/// Bytes of the smallest event: a header and its checksum.
fn smallest_event(checksum: Checksum) -> u32 {
    match checksum {
        Checksum::Off => 19,
        Checksum::Crc32 => 23,
    }
}

fn low_half(offset: u64) -> u32 {
    u32::try_from(offset & u64::from(u32::MAX)).unwrap_or_default()
}

/// Appends an ignorable event of `size` bytes; its zeros become a hole in the file.
fn append_filler(file: &mut RelayFile, size: u64, checksum: Checksum) -> Result<()> {
    let log_pos = low_half(file.offset() + size);
    let event = filler(low_half(size), 0, log_pos, checksum)?;
    let zeros = event.len() - HEADER_LEN - checksum.len();
    let (head, rest) = event.split_at_checked(HEADER_LEN).unwrap_or_default();
    file.append(head);
    file.skip_zeros(zeros as u64)?;
    file.append(rest.get(zeros..).unwrap_or_default());
    file.event_complete();
    Ok(())
}

/// The FORMAT_DESCRIPTION as the file's own: the dump thread zeroes `log_pos` when it starts in the middle
/// (MySQL `rpl_binlog_sender.cc`, `send_format_description_event`). It carries a CRC32 whatever the file's other
/// events do, since MySQL 5.6.1 and MariaDB 5.3; where those have none, the dump thread leaves the old sum in place.
fn rebuilt_format_description(header: &Header, event: &[u8]) -> Result<Vec<u8>> {
    let mut bytes = event.to_vec();
    if header.log_pos != 0 {
        return Ok(bytes);
    }
    let log_pos = header.event_size.wrapping_add(low_half(FIRST_EVENT_OFFSET));
    if let Some(field) = bytes.get_mut(LOG_POS_FIELD) {
        field.copy_from_slice(&log_pos.to_le_bytes());
    }
    bytes.truncate(bytes.len().saturating_sub(Checksum::Crc32.len()));
    checksum::seal(&mut bytes, Checksum::Crc32)?;
    Ok(bytes)
}
