//! Charsets whose characters have two or four bytes each.

use super::Invalid;

/// Which one.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wide {
    /// Two bytes, big-endian, no surrogates.
    Ucs2,
    /// UTF-16, big-endian.
    Utf16,
    /// UTF-16, little-endian.
    Utf16Le,
    /// Four bytes, big-endian.
    Utf32,
}

impl Wide {
    /// Appends the text to `out`.
    pub(super) fn decode(self, bytes: &[u8], out: &mut String) -> Result<(), Invalid> {
        let unit: fn([u8; 2]) -> u16 = match self {
            Self::Utf16Le => u16::from_le_bytes,
            _ => u16::from_be_bytes,
        };
        match self {
            Self::Utf32 => {
                for unit in whole_units::<4>(bytes)? {
                    out.push(char::from_u32(u32::from_be_bytes(*unit)).ok_or(Invalid)?);
                }
            }
            Self::Ucs2 => {
                for pair in whole_units::<2>(bytes)? {
                    out.push(char::from_u32(u32::from(unit(*pair))).ok_or(Invalid)?);
                }
            }
            Self::Utf16 | Self::Utf16Le => {
                let units = whole_units::<2>(bytes)?.iter().map(|pair| unit(*pair));
                for character in char::decode_utf16(units) {
                    out.push(character.map_err(|_| Invalid)?);
                }
            }
        }
        Ok(())
    }
}

fn whole_units<const N: usize>(bytes: &[u8]) -> Result<&[[u8; N]], Invalid> {
    match bytes.as_chunks::<N>() {
        (units, []) => Ok(units),
        _ => Err(Invalid),
    }
}
