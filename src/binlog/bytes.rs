//! A checked cursor over input bytes: every read says how much it wanted and fails as `Corrupt`, never panics.

use crate::error::{Error, Result};

/// A cursor over borrowed bytes. All multi-byte integers are little-endian unless the name says `be`.
#[derive(Debug, Clone, Copy)]
pub struct Bytes<'a> {
    rest: &'a [u8],
}

#[cold]
fn short(wanted: usize, left: usize) -> Error {
    Error::corrupt(format!(
        "event ends early: {wanted} more bytes wanted, {left} left"
    ))
}

macro_rules! fixed_int {
    ($($(#[$doc:meta])* $name:ident, $ty:ty, $from:ident;)*) => {
        $(
            $(#[$doc])*
            #[inline]
            pub fn $name(&mut self) -> Result<$ty> {
                Ok(<$ty>::$from(self.array()?))
            }
        )*
    };
}

impl<'a> Bytes<'a> {
    /// A cursor at the start of `bytes`.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What is left.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// How many bytes are left.
    #[inline]
    pub fn len(&self) -> usize {
        self.rest.len()
    }

    /// Whether nothing is left.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next `n` bytes.
    #[inline]
    pub fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        match self.rest.split_at_checked(n) {
            Some((head, tail)) => {
                self.rest = tail;
                Ok(head)
            }
            None => Err(short(n, self.rest.len())),
        }
    }

    /// The next `N` bytes as an array.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        match self.rest.split_first_chunk::<N>() {
            Some((head, tail)) => {
                self.rest = tail;
                Ok(*head)
            }
            None => Err(short(N, self.rest.len())),
        }
    }

    /// The next byte.
    #[inline]
    pub fn u8(&mut self) -> Result<u8> {
        match self.rest.split_first() {
            Some((head, tail)) => {
                self.rest = tail;
                Ok(*head)
            }
            None => Err(short(1, 0)),
        }
    }

    fixed_int! {
        /// Two bytes.
        u16, u16, from_le_bytes;
        /// Four bytes.
        u32, u32, from_le_bytes;
        /// Eight bytes.
        u64, u64, from_le_bytes;
        /// Two bytes, signed.
        i16, i16, from_le_bytes;
        /// Four bytes, signed.
        i32, i32, from_le_bytes;
        /// Eight bytes, signed.
        i64, i64, from_le_bytes;
        /// Two bytes, big-endian.
        u16_be, u16, from_be_bytes;
        /// Four bytes, big-endian.
        u32_be, u32, from_be_bytes;
    }

    /// Three bytes.
    #[inline]
    pub fn u24(&mut self) -> Result<u32> {
        let [a, b, c] = self.array()?;
        Ok(u32::from_le_bytes([a, b, c, 0]))
    }

    /// Six bytes.
    #[inline]
    pub fn u48(&mut self) -> Result<u64> {
        let [a, b, c, d, e, f] = self.array()?;
        Ok(u64::from_le_bytes([a, b, c, d, e, f, 0, 0]))
    }

    /// A little-endian integer of `n` bytes, at most 8.
    #[inline]
    pub fn uint(&mut self, n: usize) -> Result<u64> {
        let mut buf = [0u8; 8];
        let bytes = self.take(n)?;
        match buf.get_mut(..n) {
            Some(head) => head.copy_from_slice(bytes),
            None => return Err(Error::corrupt(format!("an integer of {n} bytes"))),
        }
        Ok(u64::from_le_bytes(buf))
    }

    /// A big-endian integer of `n` bytes, at most 8.
    #[inline]
    pub fn uint_be(&mut self, n: usize) -> Result<u64> {
        let bytes = self.take(n)?;
        if n > 8 {
            return Err(Error::corrupt(format!("an integer of {n} bytes")));
        }
        Ok(bytes.iter().fold(0, |acc, b| (acc << 8) | u64::from(*b)))
    }

    /// A length-encoded integer (MySQL manual, "Protocol::LengthEncodedInteger"); 0xFB and 0xFF are refused.
    #[inline]
    pub fn lenenc(&mut self) -> Result<u64> {
        match self.u8()? {
            n @ 0..=0xfa => Ok(u64::from(n)),
            0xfc => Ok(u64::from(self.u16()?)),
            0xfd => Ok(u64::from(self.u24()?)),
            0xfe => self.u64(),
            n => Err(Error::corrupt(format!(
                "{n:#x} is no length-encoded integer"
            ))),
        }
    }

    /// A length-encoded integer as a length in memory.
    #[inline]
    pub fn lenenc_len(&mut self) -> Result<usize> {
        let n = self.lenenc()?;
        usize::try_from(n).map_err(|_| Error::corrupt(format!("a length of {n} bytes")))
    }

    /// A length-encoded string.
    #[inline]
    pub fn lenenc_bytes(&mut self) -> Result<&'a [u8]> {
        let n = self.lenenc_len()?;
        self.take(n)
    }

    /// Bytes up to a NUL, which is consumed; all that is left when there is none.
    pub fn until_nul(&mut self) -> &'a [u8] {
        match self.rest.iter().position(|b| *b == 0) {
            Some(n) => {
                let head = self.rest.get(..n).unwrap_or_default();
                self.rest = self.rest.get(n + 1..).unwrap_or_default();
                head
            }
            None => std::mem::take(&mut self.rest),
        }
    }
}
