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
use super::cover::{append_filler, low_half, rebuilt_format_description, smallest_event};
use super::end::RelayEnd;
use super::file::RelayFile;
use super::files::RelayFiles;
use super::index::{is_safe_file_name, order};
use super::partial::Partial;
use super::reader::head;
use super::received::Received;
use super::resent::{Resent, Sent};
use super::sync::{Syncer, Written};
use crate::binlog::checksum::{self, Checksum};
use crate::binlog::format::FormatDescription;
use crate::binlog::header::{HEADER_LEN, Header};
use crate::binlog::kind;
use crate::binlog::position::{FIRST_EVENT_OFFSET, Position};
use crate::binlog::rotate::Rotate;
use crate::config::limits::RELAY_FILLER_BYTES_MAX;
use crate::error::{Error, ErrorKind, Result};
use crate::source::{EventBatch, Frame, fits_dump_command};

/// Largest distance between our offset and the low half of the source's that counts as a gap; beyond it the source is
/// behind us.
const MAX_GAP: u32 = 0x7fff_ffff;

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
    /// What of the dump is written already.
    resent: Option<Resent>,
    /// Whether the source has sent a FORMAT_DESCRIPTION on this connection.
    had_format: bool,
    /// A large event is written already; its other pieces are still to come.
    passing: bool,
    /// Files of the source beyond 4 GiB, in which a dump by GTID may begin anywhere.
    unclear: Vec<String>,
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
        let at = end.get().end;
        files.drop_behind(at.as_ref())?;
        let file = match &at {
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
            resent: None,
            had_format: false,
            passing: false,
            unclear: Vec::new(),
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

    /// Says where the first event of the dump stands: before the end of the relay log, or beyond 4 GiB.
    pub fn begin_at(&mut self, at: Position) {
        self.resent = Some(Resent::from(at));
    }

    /// Says what files the source has when the dump begins by GTID: in one beyond 4 GiB nobody can tell where.
    pub fn mind_files_beyond_4_gib(&mut self, files: Vec<(String, u64)>) {
        let beyond = files
            .into_iter()
            .filter(|(_, size)| !fits_dump_command(*size));
        self.unclear = beyond.map(|(name, _)| name).collect();
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
                if self.is_sent_again(&header)? {
                    return Ok(());
                }
                self.place(&header)?;
                self.complete_event(&header, event)
            }
        }
    }

    /// Whether the event is written already.
    fn is_sent_again(&mut self, header: &Header) -> Result<bool> {
        let (Some(resent), Some(file)) = (&mut self.resent, &self.file) else {
            return Ok(false);
        };
        let sent = resent.event(header, file.offset())?;
        if sent == Sent::New {
            self.resent = None;
        }
        Ok(sent == Sent::Again)
    }

    /// A heartbeat says how far the source has come without sending anything: over transactions that were skipped by
    /// GTID. They are covered, so that a reconnect goes on behind them.
    fn cover_skipped(&mut self, header: &Header, event: &[u8]) -> Result<()> {
        let (Some(file), None, None) = (&self.file, &self.announced, &self.resent) else {
            return Ok(());
        };
        // The body is the file's name; whether a checksum follows does not matter for its beginning.
        let is_ours = event
            .get(HEADER_LEN..)
            .is_some_and(|body| body.starts_with(file.name().as_bytes()));
        let gap = header.log_pos.wrapping_sub(low_half(file.offset()));
        let is_ours = is_ours && !self.unclear.iter().any(|name| *name == **file.name());
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
        self.leave_resent(name)?;
        self.announced = Some((name.into(), rotate.position));
        Ok(())
    }

    /// A dump by GTID may leave the file at once: then all of it was written.
    fn leave_resent(&mut self, name: &str) -> Result<()> {
        let ends_here = |resent: &Resent| {
            let end = self.file.as_ref().map(RelayFile::whole_end);
            end.is_none_or(|end| end == *resent.at())
        };
        match &self.resent {
            Some(resent) if *resent.at().file != *name && !ends_here(resent) => Err(Error::new(
                ErrorKind::Protocol,
                format!(
                    "the source went on in {name} and was to go on at {}",
                    resent.at()
                ),
            )),
            Some(resent) if *resent.at().file != *name => {
                self.resent = None;
                Ok(())
            }
            _ => Ok(()),
        }
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
        // Only the first one is the head of the file; a copied relay log has others in it.
        let is_head = !std::mem::replace(&mut self.had_format, true);
        let Some((name, start)) = self.announced.take() else {
            return match is_head {
                true => self.check_same_file(header),
                false => Ok(()),
            };
        };
        self.close_file()?;
        let mut file = RelayFile::create(self.files.directory(), &name)?;
        file.append(&rebuilt_format_description(header, event)?);
        file.event_complete();
        self.received.event(header, None, || file.whole_end())?;
        self.heard.bytes += event.len() as u64;
        self.file = Some(file);
        self.files.add(&name)?;
        // Where the source begins in 64 bits, its ROTATE may have said it in fewer.
        let known = self.resent.as_ref().map(|resent| resent.at().offset);
        self.cover_up_to(known.unwrap_or(start).max(FIRST_EVENT_OFFSET))
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
            1..=MAX_GAP if self.unclear.iter().any(|name| *name == **file.name()) => {
                Err(unclear_place(file.name()))
            }
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
            self.passing = self.is_sent_again(&header)?;
            if !self.passing {
                self.place(&header)?;
            }
            self.partial = Some(Partial::new(header));
        }
        let Some(partial) = &mut self.partial else {
            return Err(Error::new(
                ErrorKind::Protocol,
                "a piece of an event without its beginning",
            ));
        };
        partial.take(bytes, self.checksum);
        if self.passing {
            if frame.last {
                partial.finish(self.checksum)?;
                self.partial = None;
            }
            return Ok(());
        }
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
            if partial.header().timestamp != 0 {
                self.heard.timestamp = partial.header().timestamp;
            }
            self.received
                .event(partial.header(), None, || file.whole_end())?;
            self.partial = None;
        }
        Ok(())
    }
}

/// Made by the dump thread: flagged, or a ROTATE without a time, which no file holds.
fn is_made_up(header: &Header) -> bool {
    header.is_artificial() || header.timestamp == 0 || header.log_pos == 0
}

/// A start by GTID inside of a file beyond 4 GiB.
fn unclear_place(file: &str) -> Error {
    Error::new(
        ErrorKind::Dump,
        format!(
            "the transactions after the GTIDs to start with stand in {file}, which is larger than 4 GiB, and the source tells \
             positions in 32 bits: start at {file}:4, or run FLUSH BINARY LOGS on the source and start with the GTIDs of that \
             moment"
        ),
    )
}
