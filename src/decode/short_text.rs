//! A small text buffer on the stack, so that numbers and dates are printed without allocation.

use std::fmt;

/// Longest text kept: a DECIMAL(65) with sign, point and leading zero is 68 bytes.
const CAPACITY: usize = 80;

/// ASCII text of at most 80 bytes.
#[derive(Clone, Copy)]
pub struct ShortText {
    bytes: [u8; CAPACITY],
    len: usize,
}

impl Default for ShortText {
    fn default() -> Self {
        Self {
            bytes: [0; CAPACITY],
            len: 0,
        }
    }
}

impl ShortText {
    /// An empty text.
    pub fn new() -> Self {
        Self::default()
    }

    /// Empties it.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// What is in it.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// What is in it.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// Appends one ASCII character. What does not fit is dropped: no printer here writes more than fits.
    #[inline]
    pub fn push(&mut self, byte: u8) {
        debug_assert!(byte.is_ascii());
        if let Some(slot) = self.bytes.get_mut(self.len) {
            *slot = byte;
            self.len += 1;
        }
    }

    /// Appends `count` zeros.
    pub fn push_zeros(&mut self, count: usize) {
        for _ in 0..count {
            self.push(b'0');
        }
    }

    /// Appends a number with at least `width` digits.
    #[inline]
    pub fn push_number(&mut self, mut n: u64, width: usize) {
        let mut digits = [b'0'; 20];
        let mut used = 0;
        for slot in digits.iter_mut().rev() {
            if n == 0 && used >= width.max(1) {
                break;
            }
            let [digit, ..] = (n % 10).to_le_bytes();
            *slot = b'0' + digit;
            n /= 10;
            used += 1;
        }
        for digit in digits.get(digits.len() - used..).unwrap_or_default() {
            self.push(*digit);
        }
    }
}

impl fmt::Write for ShortText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        let slot = self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?;
        slot.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

impl fmt::Display for ShortText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for ShortText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_padded_and_nothing_overflows() {
        let mut text = ShortText::new();
        text.push_number(0, 0);
        text.push_number(7, 2);
        text.push_number(u64::MAX, 1);
        assert_eq!(text.as_str(), "00718446744073709551615");
        text.push_zeros(500);
        assert_eq!(text.as_bytes().len(), CAPACITY);
        text.clear();
        assert_eq!(text.as_str(), "");
    }
}
