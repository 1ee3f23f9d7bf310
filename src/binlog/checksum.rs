//! The CRC32 at the end of each event (MySQL WL#2540), and what lies between it and the header.

use super::header::{FLAG_IN_USE, HEADER_LEN};
use super::kind;
use crate::error::{Error, Result};

/// Bytes of a checksum.
pub const CHECKSUM_LEN: usize = 4;

/// Offset of the flags in the header.
const FLAGS_OFFSET: usize = 17;
/// Offset of the event size in the header.
const SIZE_OFFSET: usize = 9;
/// Offset of the type code in the header.
const KIND_OFFSET: usize = 4;

/// What `binlog_checksum` was when the file was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Checksum {
    /// Events end with their body.
    #[default]
    Off,
    /// Events end with four bytes of CRC32.
    Crc32,
}

impl Checksum {
    /// How many bytes it takes at the end of each event.
    pub fn len(self) -> usize {
        match self {
            Self::Off => 0,
            Self::Crc32 => CHECKSUM_LEN,
        }
    }

    /// Whether events carry no checksum.
    pub fn is_empty(self) -> bool {
        self == Self::Off
    }
}

/// The CRC32 of an event's bytes without its last four. A FORMAT_DESCRIPTION is summed with its in-use flag cleared,
/// because the server flips that flag when it closes the file and leaves the checksum alone.
fn crc_of(summed: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    let is_format = summed.get(KIND_OFFSET) == Some(&kind::FORMAT_DESCRIPTION);
    match summed.split_at_checked(FLAGS_OFFSET) {
        Some((head, [flags, tail @ ..])) if is_format => {
            let [in_use, _] = FLAG_IN_USE.to_le_bytes();
            hasher.update(head);
            hasher.update(&[flags & !in_use]);
            hasher.update(tail);
        }
        _ => hasher.update(summed),
    }
    hasher.finalize()
}

/// Checks the CRC32 of a whole event; does nothing when the file has none.
///
/// # Errors
/// `Corrupt` when the sums differ, or the event is too short to have one.
pub fn verify(event: &[u8], checksum: Checksum) -> Result<()> {
    if checksum == Checksum::Off {
        return Ok(());
    }
    let Some((summed, stored)) = event.split_last_chunk::<CHECKSUM_LEN>() else {
        return Err(Error::corrupt("event is too short for its checksum"));
    };
    let (computed, stored) = (crc_of(summed), u32::from_le_bytes(*stored));
    if computed == stored {
        return Ok(());
    }
    let kind = kind::name(event.get(KIND_OFFSET).copied().unwrap_or_default());
    Err(Error::corrupt(format!(
        "checksum of a {kind} event is {stored:#010x}, but its bytes sum to {computed:#010x}"
    )))
}

/// The body of a whole event: without its header and its checksum.
///
/// # Errors
/// `Corrupt` when the event is shorter than these two.
pub fn body(event: &[u8], checksum: Checksum) -> Result<&[u8]> {
    event
        .len()
        .checked_sub(checksum.len())
        .and_then(|end| event.get(HEADER_LEN..end))
        .ok_or_else(|| Error::corrupt("event is shorter than its header and checksum"))
}

/// Completes an event built by us: sets the size in its header and appends the checksum where the file has one.
///
/// # Errors
/// `Corrupt` when it is shorter than a header or longer than 4 GiB.
pub fn seal(event: &mut Vec<u8>, checksum: Checksum) -> Result<()> {
    let size = u32::try_from(event.len() + checksum.len())
        .map_err(|_| Error::corrupt("event is longer than 4 GiB"))?;
    match event
        .get_mut(SIZE_OFFSET..HEADER_LEN)
        .and_then(<[u8]>::first_chunk_mut::<4>)
    {
        Some(field) => *field = size.to_le_bytes(),
        None => return Err(Error::corrupt("event is shorter than its header")),
    }
    if checksum == Checksum::Crc32 {
        event.extend_from_slice(&crc_of(event).to_le_bytes());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealed_events_verify_and_a_flipped_bit_is_found() {
        let mut event = vec![0u8; HEADER_LEN + 5];
        event[KIND_OFFSET] = kind::STOP;
        seal(&mut event, Checksum::Crc32).unwrap();
        assert_eq!(event.len(), HEADER_LEN + 5 + CHECKSUM_LEN);
        verify(&event, Checksum::Crc32).unwrap();
        assert_eq!(body(&event, Checksum::Crc32).unwrap(), [0; 5]);
        event[HEADER_LEN] ^= 1;
        assert!(verify(&event, Checksum::Crc32).is_err());
        assert!(verify(&event, Checksum::Off).is_ok());
    }

    #[test]
    fn only_a_format_description_is_summed_without_its_in_use_flag() {
        for (kind, same) in [(kind::FORMAT_DESCRIPTION, true), (kind::QUERY, false)] {
            let mut event = vec![0u8; HEADER_LEN];
            event[KIND_OFFSET] = kind;
            seal(&mut event, Checksum::Crc32).unwrap();
            event[FLAGS_OFFSET] |= 1;
            assert_eq!(verify(&event, Checksum::Crc32).is_ok(), same);
        }
    }
}
