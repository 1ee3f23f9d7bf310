//! Integers of variable length, as MySQL 8.3 and later write them in tagged GTIDs (`mysql/serialization`).
//!
//! The number of ones at the low end of the first byte says how many bytes follow; the value is what is above them,
//! little-endian.

use crate::binlog::bytes::Bytes;
use crate::error::{Error, Result};

/// An unsigned integer, 1 to 9 bytes.
pub(super) fn read_unsigned(r: &mut Bytes<'_>) -> Result<u64> {
    let first = r.u8()?;
    let more = first.trailing_ones();
    if more == 8 {
        return r.u64();
    }
    let mut value = u64::from(first);
    for i in 1..=more {
        value |= u64::from(r.u8()?) << (8 * i);
    }
    Ok(value >> (more + 1))
}

/// An integer whose lowest bit is its sign, and which must not be negative here.
pub(super) fn read_signed(r: &mut Bytes<'_>) -> Result<u64> {
    let value = read_unsigned(r)?;
    if value & 1 == 1 {
        return Err(Error::corrupt("a negative number in a tagged GTID"));
    }
    Ok(value >> 1)
}

/// A byte count, for lengths below 64 (tags): one byte.
pub(super) fn write_short(out: &mut Vec<u8>, len: usize) {
    out.push(u8::try_from(len << 1).unwrap_or(0));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_each_length() {
        for (bytes, value) in [
            (&[0x02u8][..], 1u64),
            (&[0xfe], 127),
            (&[0xad, 0x03], 0xeb),
            (&[0x83, 0x12, 0x0b], 90_704),
            (
                &[0x7f, 0x3b, 0xda, 0xfa, 0xee, 0xe1, 0x60, 0x06],
                0x06_60e1_eefa_da3b,
            ),
            (&[0xff, 1, 2, 3, 4, 5, 6, 7, 8], 0x0807_0605_0403_0201),
        ] {
            let mut r = Bytes::new(bytes);
            assert_eq!(read_unsigned(&mut r).unwrap(), value, "{bytes:x?}");
            assert!(r.is_empty());
            let head = &bytes[..bytes.len() - 1];
            assert!(read_unsigned(&mut Bytes::new(head)).is_err());
        }
    }
}
