//! FORMAT_DESCRIPTION: how to read all that follows it in a file or stream.
//!
//! A file may hold two (relay logs, joined files): the later one counts from where it stands.

use super::bytes::Bytes;
use super::checksum::{CHECKSUM_LEN, Checksum};
use super::flavor::Flavor;
use super::header::{FLAG_IN_USE, HEADER_LEN, Header};
use super::kind;
use crate::error::{Error, ErrorKind, Result};

/// Bytes of the server version field, padded with NULs.
const SERVER_VERSION_LEN: usize = 50;
/// From here on servers write the checksum algorithm into the event.
const CHECKSUM_SINCE_MYSQL: u32 = 50_601;
/// See [`CHECKSUM_SINCE_MYSQL`].
const CHECKSUM_SINCE_MARIADB: u32 = 50_300;
/// Only MariaDB describes this many event types.
const MARIADB_EVENT_TYPES_MIN: usize = 160;

/// What a FORMAT_DESCRIPTION event says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatDescription {
    /// Always 4; older ones are refused.
    pub binlog_version: u16,
    /// As the server printed it: `8.0.36`, `10.11.6-MariaDB-log`.
    pub server_version: String,
    /// Which family wrote it.
    pub flavor: Flavor,
    /// `server_version` as a number: 80036, 101106.
    pub version: u32,
    /// Length of each event type's post-header, from type 1.
    pub post_header_lens: Vec<u8>,
    /// Whether events carry a checksum.
    pub checksum: Checksum,
    /// Whether the server had the file open for writing (or did not close it).
    pub in_use: bool,
}

impl FormatDescription {
    /// Parses a whole event, header included. A checksum is not checked here; see [`super::checksum::verify`].
    ///
    /// # Errors
    /// `Unsupported` for binlog versions 1 to 3, `Corrupt` for anything else that is no FORMAT_DESCRIPTION.
    pub fn parse(event: &[u8]) -> Result<Self> {
        let header = Header::parse(event)?;
        if header.kind == kind::START_V3 {
            return Err(old_version(3));
        }
        if header.kind != kind::FORMAT_DESCRIPTION {
            return Err(Error::corrupt(format!(
                "no Format_desc event says how to read this; an event of type {} stands in its place",
                header.kind
            )));
        }
        let mut r = Bytes::new(event.get(HEADER_LEN..).unwrap_or_default());
        let binlog_version = r.u16()?;
        if binlog_version < 4 {
            return Err(old_version(binlog_version));
        }
        let server_version = Bytes::new(r.take(SERVER_VERSION_LEN)?).until_nul();
        let server_version = String::from_utf8_lossy(server_version).into_owned();
        r.u32()?; // creation time
        if usize::from(r.u8()?) != HEADER_LEN {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "the file's event headers are not 19 bytes long",
            ));
        }
        let version = version_number(&server_version);
        let flavor = flavor_of(&server_version, version, r.len());
        let (post_header_lens, checksum) = split_algorithm(r.rest(), flavor, version)?;
        Ok(Self {
            binlog_version,
            server_version,
            flavor,
            version,
            post_header_lens: post_header_lens.to_vec(),
            checksum,
            in_use: header.flags & FLAG_IN_USE != 0,
        })
    }

    /// Length of an event type's post-header; 0 for a type that the writing server did not know.
    pub fn post_header_len(&self, kind: u8) -> usize {
        let index = usize::from(kind).checked_sub(1);
        index
            .and_then(|i| self.post_header_lens.get(i))
            .copied()
            .map_or(0, usize::from)
    }
}

fn old_version(version: u16) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!(
            "binlog version {version} was written by a server before MySQL 5.0; only version 4 can be read"
        ),
    )
}

/// A version text as one number: `8.0.36` is 80036, `10.11.6-MariaDB-log` is 101106; missing parts count as 0.
pub fn version_number(text: &str) -> u32 {
    let mut parts = text
        .split(|c: char| !c.is_ascii_digit())
        .map(|p| p.parse::<u32>().unwrap_or(0).min(99));
    let mut next = || parts.next().unwrap_or(0);
    next() * 10_000 + next() * 100 + next()
}

/// MariaDB puts its name into the version unless a build was told not to; then the number of event types tells.
fn flavor_of(server_version: &str, version: u32, lens: usize) -> Flavor {
    let named = server_version.to_ascii_lowercase().contains("mariadb");
    if named || version >= 100_000 || lens >= MARIADB_EVENT_TYPES_MIN {
        Flavor::MariaDb
    } else {
        Flavor::MySql
    }
}

/// Splits the post-header lengths from the algorithm byte and the event's own checksum, which since they exist are
/// there even when checksums are off.
fn split_algorithm(rest: &[u8], flavor: Flavor, version: u32) -> Result<(&[u8], Checksum)> {
    let since = match flavor {
        Flavor::MySql => CHECKSUM_SINCE_MYSQL,
        Flavor::MariaDb => CHECKSUM_SINCE_MARIADB,
    };
    if version < since {
        return Ok((rest, Checksum::Off));
    }
    let tail = rest
        .len()
        .checked_sub(CHECKSUM_LEN + 1)
        .and_then(|n| rest.split_at_checked(n));
    match tail {
        Some((lens, [0 | 255, ..])) => Ok((lens, Checksum::Off)),
        Some((lens, [1, ..])) => Ok((lens, Checksum::Crc32)),
        Some((_, [algorithm, ..])) => Err(Error::new(
            ErrorKind::Unsupported,
            format!("the file's checksum algorithm is number {algorithm}; only CRC32 (1) is known"),
        )),
        _ => Err(Error::corrupt(
            "Format_desc event ends before its checksum algorithm",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binlog::checksum;

    /// A FORMAT_DESCRIPTION as a server of that version would write it.
    fn event(version: &str, lens: &[u8], algorithm: Option<u8>) -> Vec<u8> {
        let mut event = vec![0u8; HEADER_LEN];
        event[4] = kind::FORMAT_DESCRIPTION;
        event.extend_from_slice(&4u16.to_le_bytes());
        let mut text = [0u8; SERVER_VERSION_LEN];
        text[..version.len()].copy_from_slice(version.as_bytes());
        event.extend_from_slice(&text);
        event.extend_from_slice(&[0, 0, 0, 0, 19]);
        event.extend_from_slice(lens);
        event.extend(algorithm);
        let sum = if algorithm.is_some() {
            Checksum::Crc32
        } else {
            Checksum::Off
        };
        checksum::seal(&mut event, sum).unwrap();
        event
    }

    #[test]
    fn both_families_are_told_apart() {
        let format = FormatDescription::parse(&event("8.0.36", &[56, 13], Some(1))).unwrap();
        assert_eq!((format.flavor, format.version), (Flavor::MySql, 80_036));
        assert_eq!(format.checksum, Checksum::Crc32);
        assert_eq!(format.post_header_len(kind::QUERY), 13);
        assert_eq!(format.post_header_len(kind::GTID_TAGGED), 0);

        let format =
            FormatDescription::parse(&event("10.11.6-MariaDB-log", &[56], Some(0))).unwrap();
        assert_eq!((format.flavor, format.version), (Flavor::MariaDb, 101_106));
        assert_eq!(format.checksum, Checksum::Off);
        assert_eq!(format.post_header_lens, [56]);

        let format = FormatDescription::parse(&event("5.5.9-custom", &[0; 171], Some(1))).unwrap();
        assert_eq!(format.flavor, Flavor::MariaDb);
    }

    #[test]
    fn files_from_before_checksums_have_no_algorithm_byte() {
        let format = FormatDescription::parse(&event("5.1.34-log", &[56, 13, 0], None)).unwrap();
        assert_eq!(format.checksum, Checksum::Off);
        assert_eq!(format.post_header_lens, [56, 13, 0]);
    }

    #[test]
    fn what_cannot_be_read_is_refused_by_name() {
        let mut old = event("4.0.0", &[], None);
        old[4] = kind::START_V3;
        assert_eq!(
            FormatDescription::parse(&old).unwrap_err().kind(),
            ErrorKind::Unsupported
        );
        let unknown = event("8.0.36", &[56], Some(7));
        assert_eq!(
            FormatDescription::parse(&unknown).unwrap_err().kind(),
            ErrorKind::Unsupported
        );
        for end in 0..HEADER_LEN + 57 {
            let whole = event("8.0.36", &[], Some(1));
            assert!(FormatDescription::parse(&whole[..end]).is_err(), "{end}");
        }
    }
}
