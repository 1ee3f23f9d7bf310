//! MariaDB's UUID, INET4 and INET6 columns: fixed bytes in the row image, text in SELECT.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::short_text::ShortText;
use crate::error::{Error, Result};

/// Appends a UUID as SELECT prints it.
///
/// Versions 1 to 5 are stored with their fields from last to first, so that they sort by node and time; the others as they
/// print (MariaDB `plugin/type_uuid/sql_type_uuid.h`, `memory_to_record`).
///
/// # Errors
/// `Corrupt` when there are not 16 bytes.
pub fn push_uuid(text: &mut ShortText, stored: &[u8]) -> Result<()> {
    let stored: [u8; 16] = padded(stored)?;
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = stored;
    // Where the version and the variant stand when the fields are turned round.
    let is_turned = i >> 4 != 0 && i >> 4 < 6 && g & 0x80 != 0;
    let bytes = if is_turned {
        [m, n, o, p, k, l, i, j, g, h, a, b, c, d, e, f]
    } else {
        stored
    };
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push(b'-');
        }
        let _ = write!(text, "{byte:02x}");
    }
    Ok(())
}

/// Appends an INET4 (4 bytes) or INET6 (16 bytes) address as SELECT prints it.
///
/// # Errors
/// `Corrupt` for any other length.
pub fn push_inet(text: &mut ShortText, stored: &[u8], is_v6: bool) -> Result<()> {
    let outcome = if is_v6 {
        write!(text, "{}", Ipv6Addr::from(padded::<16>(stored)?))
    } else {
        write!(text, "{}", Ipv4Addr::from(padded::<4>(stored)?))
    };
    outcome.map_err(|_| Error::corrupt("an address that does not print"))
}

/// Trailing zero bytes may be missing, as of every fixed-length string in a row image.
fn padded<const N: usize>(stored: &[u8]) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    match bytes.get_mut(..stored.len()) {
        Some(head) => head.copy_from_slice(stored),
        None => {
            return Err(Error::corrupt(format!(
                "{} bytes where {N} belong",
                stored.len()
            )));
        }
    }
    Ok(bytes)
}
