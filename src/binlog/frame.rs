//! Where one event ends and the next begins, and events that we make ourselves.

use super::checksum::{self, Checksum};
use super::header::{FLAG_IGNORABLE, HEADER_LEN, Header};
use super::kind;
use crate::config::limits::EVENT_BYTES_MAX;
use crate::error::{Error, Result};

/// The head of a byte stream of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame<'a> {
    /// Less than one event; this many bytes are needed for the next step, counted from the event's start.
    Incomplete(usize),
    /// One whole event: header, body and checksum.
    Event(Header, &'a [u8]),
}

/// Frames the event at the start of `bytes`.
///
/// # Errors
/// `Corrupt` when its header claims a size below a header's or above [`EVENT_BYTES_MAX`].
pub fn next_frame(bytes: &[u8]) -> Result<Frame<'_>> {
    if bytes.len() < HEADER_LEN {
        return Ok(Frame::Incomplete(HEADER_LEN));
    }
    let header = Header::parse(bytes)?;
    if u64::from(header.event_size) > EVENT_BYTES_MAX {
        return Err(Error::corrupt(format!(
            "a {} event claims {} bytes; no server sends more than {EVENT_BYTES_MAX}",
            kind::name(header.kind),
            header.event_size
        )));
    }
    let size = header.event_size as usize;
    Ok(bytes
        .get(..size)
        .map_or(Frame::Incomplete(size), |event| Frame::Event(header, event)))
}

/// An event that every reader passes over, to cover a gap in a relay file: `event_size` bytes in all, zeros inside.
///
/// `log_pos` is the offset at which it ends. Both stock `mysqlbinlog`s read on behind it.
///
/// # Errors
/// `Corrupt` when the size is below the smallest event or above [`EVENT_BYTES_MAX`].
pub fn filler(
    event_size: u32,
    server_id: u32,
    log_pos: u32,
    checksum: Checksum,
) -> Result<Vec<u8>> {
    let size = event_size as usize;
    let unsealed = size
        .checked_sub(checksum.len())
        .filter(|n| *n >= HEADER_LEN);
    let Some(unsealed) = unsealed.filter(|_| u64::from(event_size) <= EVENT_BYTES_MAX) else {
        return Err(Error::corrupt(format!(
            "a filler event cannot have {size} bytes"
        )));
    };
    let mut event = Vec::with_capacity(size);
    event.extend_from_slice(&0u32.to_le_bytes());
    event.push(kind::IGNORABLE);
    event.extend_from_slice(&server_id.to_le_bytes());
    event.extend_from_slice(&event_size.to_le_bytes());
    event.extend_from_slice(&log_pos.to_le_bytes());
    event.extend_from_slice(&FLAG_IGNORABLE.to_le_bytes());
    event.resize(unsealed, 0);
    checksum::seal(&mut event, checksum)?;
    Ok(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filler_is_one_frame_of_the_size_asked_for() {
        for (size, sum) in [
            (19, Checksum::Off),
            (23, Checksum::Crc32),
            (70_000, Checksum::Crc32),
        ] {
            let event = filler(size, 7, 1234, sum).unwrap();
            let Frame::Event(header, whole) = next_frame(&event).unwrap() else {
                panic!("{size}")
            };
            assert_eq!(
                (header.event_size, header.log_pos, header.server_id),
                (size, 1234, 7)
            );
            assert_eq!(whole.len(), size as usize);
            checksum::verify(whole, sum).unwrap();
        }
        assert!(filler(22, 7, 0, Checksum::Crc32).is_err());
        assert!(filler(u32::MAX, 7, 0, Checksum::Off).is_err());
    }

    #[test]
    fn a_torn_event_is_incomplete_and_a_monstrous_one_is_corrupt() {
        let mut event = filler(40, 1, 0, Checksum::Off).unwrap();
        assert_eq!(
            next_frame(&event[..18]).unwrap(),
            Frame::Incomplete(HEADER_LEN)
        );
        assert_eq!(next_frame(&event[..39]).unwrap(), Frame::Incomplete(40));
        event[9..13].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(next_frame(&event).is_err());
        event[9..13].copy_from_slice(&18u32.to_le_bytes());
        assert!(next_frame(&event).is_err());
    }
}
