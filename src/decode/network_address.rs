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

/// The bytes that a UUID is stored as, from its text: the reverse of [`push_uuid`].
///
/// # Errors
/// `Corrupt` when it is none.
pub fn uuid_bytes(text: &[u8]) -> Result<[u8; 16]> {
    let digits: Vec<u8> = text.iter().copied().filter(|c| *c != b'-').collect();
    let wrong = || Error::corrupt("a text that is no UUID");
    let number = std::str::from_utf8(&digits)
        .ok()
        .filter(|digits| digits.len() == 32)
        .and_then(|digits| u128::from_str_radix(digits, 16).ok());
    let [m, n, o, p, k, l, i, j, g, h, a, b, c, d, e, f] = number.ok_or_else(wrong)?.to_be_bytes();
    Ok(if i >> 4 != 0 && i >> 4 < 6 && g & 0x80 != 0 {
        [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
    } else {
        number.ok_or_else(wrong)?.to_be_bytes()
    })
}

/// The bytes that an INET4 or INET6 address is stored as, from its text.
///
/// # Errors
/// `Corrupt` when it is none.
pub fn inet_bytes(text: &[u8], is_v6: bool) -> Result<Vec<u8>> {
    let text = std::str::from_utf8(text).unwrap_or_default();
    let bytes = if is_v6 {
        let address = text.parse::<Ipv6Addr>();
        address.map(|address| address.octets().to_vec())
    } else {
        let address = text.parse::<Ipv4Addr>();
        address.map(|address| address.octets().to_vec())
    };
    bytes.map_err(|_| Error::corrupt("a text that is no address"))
}

/// Appends an INET4 (4 bytes) or INET6 (16 bytes) address as SELECT prints it.
///
/// # Errors
/// `Corrupt` for any other length.
pub fn push_inet(text: &mut ShortText, stored: &[u8], is_v6: bool) -> Result<()> {
    let outcome = if is_v6 {
        write_v6(text, Ipv6Addr::from(padded::<16>(stored)?).segments())
    } else {
        write!(text, "{}", Ipv4Addr::from(padded::<4>(stored)?))
    };
    outcome.map_err(|_| Error::corrupt("an address that does not print"))
}

/// The longest run of zero groups is left out, be it one group only; behind six of them, or five and `ffff`, stands an
/// IPv4 address. Both differ from the usual form (RFC 5952).
fn write_v6(text: &mut ShortText, groups: [u16; 8]) -> std::fmt::Result {
    let (mut gap_start, mut gap_len, mut run) = (groups.len(), 0, 0);
    for (at, group) in groups.iter().enumerate() {
        run = if *group == 0 { run + 1 } else { 0 };
        if run > gap_len {
            (gap_start, gap_len) = (at + 1 - run, run);
        }
    }
    let [.., before_v4, _, _] = groups;
    let holds_v4 = gap_start == 0 && (gap_len == 6 || (gap_len == 5 && before_v4 == 0xffff));
    for (at, group) in groups.into_iter().enumerate() {
        if at == gap_start {
            text.write_str(if at == 0 { "::" } else { ":" })?;
        }
        if (gap_start..gap_start + gap_len).contains(&at) {
            continue;
        }
        if holds_v4 && at == 6 {
            let [.., high, low] = groups;
            let address = u32::from(high) << 16 | u32::from(low);
            return write!(text, "{}", Ipv4Addr::from(address));
        }
        let colon = if at + 1 < groups.len() { ":" } else { "" };
        write!(text, "{group:x}{colon}")?;
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn v6(address: &str) -> String {
        let mut text = ShortText::new();
        let address: Ipv6Addr = address.parse().unwrap();
        push_inet(&mut text, &address.octets(), true).unwrap();
        text.to_string()
    }

    #[test]
    fn texts_give_the_stored_bytes_back() {
        for uuid in [
            "123e4567-e89b-12d3-a456-426655440000",
            "00112233-4455-6677-8899-aabbccddeeff",
            "0190163d-8694-739b-aea5-966c26f8ad91",
            "00000000-0000-0000-0000-000000000000",
        ] {
            let stored = uuid_bytes(uuid.as_bytes()).unwrap();
            let mut text = ShortText::new();
            push_uuid(&mut text, &stored).unwrap();
            assert_eq!(text.to_string(), uuid);
        }
        assert!(uuid_bytes(b"123e4567").is_err());
        assert_eq!(inet_bytes(b"10.0.0.1", false).unwrap(), [10, 0, 0, 1]);
        let address = inet_bytes(b"::ffff:1.2.3.4", true).unwrap();
        assert_eq!(address.get(10..), Some(&[255, 255, 1, 2, 3, 4][..]));
        assert!(inet_bytes(b"x", true).is_err());
    }

    #[test]
    fn v6_as_the_server_prints_it() {
        for address in [
            "::",
            "::1",
            "1::",
            "::ffff:192.0.2.1",
            "::192.0.2.1",
            "2001:db8::",
            "2001::1:0:0:1:1",
            "1::2:0:3:0:4:0",
            "1:0:2::3",
        ] {
            assert_eq!(v6(address), address);
        }
        assert_eq!(v6("::1:2"), "::0.1.0.2");
        assert_eq!(v6("1:2:3:4:5:6:7:0"), "1:2:3:4:5:6:7::");
    }
}
