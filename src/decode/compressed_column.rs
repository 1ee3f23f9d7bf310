//! Values of MariaDB COMPRESSED columns (MariaDB `sql/field_comp.cc`): one byte says how, then the length of the
//! original, big-endian, then the deflated bytes.

use flate2::{Decompress, FlushDecompress, Status};

use crate::binlog::bytes::Bytes;
use crate::error::{Error, ErrorKind, Result};

/// The high half of the first byte: stored as it is.
const METHOD_NONE: u8 = 0;
/// The high half of the first byte: deflate.
const METHOD_ZLIB: u8 = 8;
/// Bit of the first byte: deflate without zlib's header and checksum.
const RAW_DEFLATE: u8 = 0x08;
/// Bits of the first byte: how many bytes the original's length takes.
const LENGTH_BYTES: u8 = 0x07;
/// LONGTEXT's own limit on the original is 4 GiB; a packet cannot bring more than this.
const VALUE_BYTES_MAX: u64 = crate::config::limits::EVENT_BYTES_MAX;

/// The bytes of a compressed value; `scratch` holds them when they had to be inflated.
///
/// # Errors
/// `Corrupt` when they do not inflate to the length they claim, `Unsupported` for a method that is not known.
pub fn inflate<'v>(stored: &'v [u8], scratch: &'v mut Vec<u8>) -> Result<&'v [u8]> {
    let mut r = Bytes::new(stored);
    if r.is_empty() {
        return Ok(r.rest());
    }
    let first = r.u8()?;
    match first >> 4 {
        METHOD_NONE => Ok(r.rest()),
        METHOD_ZLIB => {
            let length = r.uint_be(usize::from(first & LENGTH_BYTES))?;
            if length > VALUE_BYTES_MAX {
                return Err(Error::corrupt(format!(
                    "a compressed value claims {length} bytes"
                )));
            }
            scratch.clear();
            inflate_zlib(r.rest(), first & RAW_DEFLATE == 0, length, scratch)?;
            Ok(scratch)
        }
        method => Err(Error::new(
            ErrorKind::Unsupported,
            format!("a compressed column uses method {method}; only zlib (8) is known"),
        )),
    }
}

/// Inflates `deflated` to exactly `length` bytes behind what is in `out`. The buffer grows with what really comes out, so that a false length
/// costs no memory.
pub(super) fn inflate_zlib(
    deflated: &[u8],
    zlib_header: bool,
    length: u64,
    out: &mut Vec<u8>,
) -> Result<()> {
    const STEP_BYTES: usize = 64 * 1024;
    let base = out.len();
    let wrong = || Error::corrupt(format!("compressed bytes do not inflate to {length} bytes"));
    let length = usize::try_from(length).map_err(|_| wrong())?;
    let mut inflater = Decompress::new(zlib_header);
    loop {
        let have = out.len() - base;
        let wanted = (length - have).min(STEP_BYTES.max(have));
        // One byte more than wanted at the end, so that output beyond the length is noticed.
        out.reserve_exact(wanted + 1);
        let read_before = inflater.total_in();
        let input = usize::try_from(read_before)
            .ok()
            .and_then(|n| deflated.get(n..));
        let status = inflater
            .decompress_vec(input.unwrap_or_default(), out, FlushDecompress::None)
            .map_err(|e| wrong().with_source(e))?;
        let got = out.len() - base;
        if got > length {
            return Err(wrong());
        }
        if status == Status::StreamEnd {
            return if got == length { Ok(()) } else { Err(wrong()) };
        }
        if inflater.total_in() == read_before && got == have {
            return Err(wrong());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn deflated(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn stored_and_deflated_values_come_back() {
        let mut scratch = Vec::new();
        assert_eq!(inflate(b"", &mut scratch).unwrap(), b"");
        assert_eq!(inflate(b"\0abc", &mut scratch).unwrap(), b"abc");
        let text = b"abc".repeat(100_000);
        let length = u32::try_from(text.len()).unwrap().to_be_bytes();
        let stored = [&[0x84][..], &length, &deflated(&text)].concat();
        assert_eq!(inflate(&stored, &mut scratch).unwrap(), text);
    }

    #[test]
    fn false_lengths_and_garbage_are_errors() {
        let mut scratch = Vec::new();
        for claimed in [0u8, 1, 2, 4, 200] {
            let stored = [&[0x81, claimed][..], &deflated(b"abc")].concat();
            assert!(inflate(&stored, &mut scratch).is_err(), "{claimed}");
        }
        for bad in [
            &b"\x81"[..],
            b"\x81\x03",
            b"\x81\x03zzzz",
            b"\x90abc",
            b"\x84\xff\xff\xff\xffx",
        ] {
            assert!(
                inflate(bad, &mut scratch).is_err(),
                "{}",
                bad.escape_ascii()
            );
        }
    }
}
