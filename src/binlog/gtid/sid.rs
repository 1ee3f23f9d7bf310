//! Where a MySQL transaction was born: server uuid and tag.

use std::fmt;
use std::str::FromStr;

use super::unreadable;
use crate::error::{Error, Result};

/// A server's uuid, in the order it is printed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uuid(pub [u8; 16]);

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, byte) in self.0.iter().enumerate() {
            if matches!(i, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Uuid {
    type Err = Error;

    /// 32 hexadecimal digits, with or without dashes.
    fn from_str(text: &str) -> Result<Self> {
        let digits = text.bytes().filter(|b| *b != b'-');
        let mut value = 0u128;
        let mut count = 0;
        for digit in digits {
            let Some(nibble) = char::from(digit).to_digit(16) else {
                return Err(unreadable(text, "a server uuid has 32 hexadecimal digits"));
            };
            value = (value << 4) | u128::from(nibble);
            count += 1;
        }
        if count != 32 {
            return Err(unreadable(text, "a server uuid has 32 hexadecimal digits"));
        }
        Ok(Self(value.to_be_bytes()))
    }
}

/// Length of the longest tag, in bytes.
const TAG_BYTES_MAX: usize = 32;

/// The tag of a GTID: a letter or underscore, then letters, digits and underscores; empty for none.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Tag {
    /// Padded with NUL, which no tag holds: the order is that of the text.
    bytes: [u8; TAG_BYTES_MAX],
}

impl Tag {
    /// Whether there is no tag.
    pub fn is_empty(&self) -> bool {
        self.bytes.first() == Some(&0)
    }

    /// The tag's text.
    pub fn as_str(&self) -> &str {
        let len = self
            .bytes
            .iter()
            .position(|b| *b == 0)
            .unwrap_or(TAG_BYTES_MAX);
        self.bytes
            .get(..len)
            .and_then(|b| std::str::from_utf8(b).ok())
            .unwrap_or_default()
    }

    /// A tag from the bytes of an event; none from none.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let text = std::str::from_utf8(bytes).unwrap_or("(not UTF-8)");
        text.parse()
            .map_err(|e: Error| Error::corrupt("a GTID with an impossible tag").with_source(e))
    }
}

impl FromStr for Tag {
    type Err = Error;

    /// As MySQL reads it: upper case becomes lower case.
    fn from_str(text: &str) -> Result<Self> {
        let letter = |b: u8| b.is_ascii_alphabetic() || b == b'_';
        let good = text.bytes().next().is_some_and(letter)
            && text.bytes().all(|b| letter(b) || b.is_ascii_digit());
        let mut bytes = [0; TAG_BYTES_MAX];
        match bytes.get_mut(..text.len()) {
            Some(head) if good => head.copy_from_slice(text.to_ascii_lowercase().as_bytes()),
            _ => {
                return Err(unreadable(
                    text,
                    "a tag has 1 to 32 letters, digits and underscores, and begins with no digit",
                ));
            }
        }
        Ok(Self { bytes })
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// What counts transactions on its own: a server uuid, and a tag where there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sid {
    /// Uuid of the server where the transaction was born.
    pub uuid: Uuid,
    /// Tag, MySQL 8.3 and later.
    pub tag: Tag,
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.uuid)?;
        if !self.tag.is_empty() {
            write!(f, ":{}", self.tag)?;
        }
        Ok(())
    }
}
