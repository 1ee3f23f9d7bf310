//! What stands in a relay file in place of bytes that never came: ignorable events, and the head as the file's own.

use super::file::RelayFile;
use crate::binlog::checksum::{self, Checksum};
use crate::binlog::frame::filler;
use crate::binlog::header::{HEADER_LEN, Header};
use crate::binlog::position::FIRST_EVENT_OFFSET;
use crate::error::Result;

/// Where the common header keeps `log_pos`.
const LOG_POS_FIELD: std::ops::Range<usize> = 13..17;

/// Bytes of the smallest event: a header and its checksum.
pub(super) fn smallest_event(checksum: Checksum) -> u32 {
    match checksum {
        Checksum::Off => 19,
        Checksum::Crc32 => 23,
    }
}

pub(super) fn low_half(offset: u64) -> u32 {
    u32::try_from(offset & u64::from(u32::MAX)).unwrap_or_default()
}

/// Appends an ignorable event of `size` bytes; its zeros become a hole in the file.
pub(super) fn append_filler(file: &mut RelayFile, size: u64, checksum: Checksum) -> Result<()> {
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
pub(super) fn rebuilt_format_description(header: &Header, event: &[u8]) -> Result<Vec<u8>> {
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
