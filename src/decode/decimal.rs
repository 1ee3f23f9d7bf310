//! DECIMAL in its packed form: digits in groups of nine, four bytes a group, fewer for the outer groups; the first
//! bit is the inverted sign, and a negative number has all its bits inverted (MySQL `strings/decimal.cc`).

use super::short_text::ShortText;
use crate::binlog::bytes::Bytes;
use crate::error::{Error, Result};

/// Digits of a full group.
const GROUP_DIGITS: u8 = 9;
/// Bytes that a group of so many digits takes.
const GROUP_LEN: [usize; 10] = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4];
/// Numbers up to here have 15 digits, which a double keeps.
const EXACT_MAX: u64 = 999_999_999_999_999;

/// A DECIMAL as a number that loses nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// No fraction.
    Int(i64),
    /// At most 15 significant digits: printed with so many digits it reads the same.
    Real(f64),
}

fn group_len(digits: u8) -> usize {
    GROUP_LEN.get(usize::from(digits)).copied().unwrap_or(4)
}

/// Bytes of a packed DECIMAL(precision, scale); `None` when there is no such type.
pub fn packed_len(precision: u8, scale: u8) -> Option<usize> {
    if precision == 0 || precision > 65 {
        return None;
    }
    let whole = precision.checked_sub(scale)?;
    let part =
        |digits: u8| usize::from(digits / GROUP_DIGITS) * 4 + group_len(digits % GROUP_DIGITS);
    Some(part(whole) + part(scale))
}

/// The groups of a packed number in order, each with its count of digits; sign first.
struct Groups<'a> {
    rest: Bytes<'a>,
    negative: bool,
    /// The first byte still has the sign bit in it.
    at_sign: bool,
}

impl<'a> Groups<'a> {
    fn new(packed: &'a [u8]) -> Self {
        let negative = packed.first().is_some_and(|b| b & 0x80 == 0);
        Self {
            rest: Bytes::new(packed),
            negative,
            at_sign: true,
        }
    }

    fn next(&mut self, digits: u8) -> Result<u64> {
        let len = group_len(digits);
        let mut bits = self.rest.uint_be(len)?;
        if len > 0 && std::mem::take(&mut self.at_sign) {
            bits ^= 0x80 << (8 * (len - 1));
        }
        if self.negative {
            bits = !bits & ((1 << (8 * len)) - 1);
        }
        if bits >= 10_u64.pow(u32::from(digits)) {
            return Err(Error::corrupt(format!(
                "{bits} in a DECIMAL's group of {digits} digits"
            )));
        }
        Ok(bits)
    }
}

/// Digit counts of the groups before and after the point, outermost first.
fn group_sizes(precision: u8, scale: u8) -> impl Iterator<Item = (u8, bool)> {
    let whole = precision.saturating_sub(scale);
    let head = [whole % GROUP_DIGITS]
        .into_iter()
        .filter(|n| *n > 0)
        .map(|n| (n, false));
    let wholes = std::iter::repeat_n((GROUP_DIGITS, false), usize::from(whole / GROUP_DIGITS));
    let parts = std::iter::repeat_n((GROUP_DIGITS, true), usize::from(scale / GROUP_DIGITS));
    let tail = [scale % GROUP_DIGITS]
        .into_iter()
        .filter(|n| *n > 0)
        .map(|n| (n, true));
    head.chain(wholes).chain(parts).chain(tail)
}

/// Appends the number as SELECT shows it: no leading zeros but one before the point, `scale` digits after it.
///
/// # Errors
/// `Corrupt` when the bytes are no DECIMAL(precision, scale).
pub fn push_text(text: &mut ShortText, packed: &[u8], precision: u8, scale: u8) -> Result<()> {
    let mut groups = Groups::new(packed);
    if groups.negative {
        text.push(b'-');
    }
    let (mut any_whole, mut in_fraction) = (false, false);
    for (digits, fraction) in group_sizes(precision, scale) {
        let group = groups.next(digits)?;
        if fraction && !in_fraction {
            if !any_whole {
                text.push(b'0');
            }
            any_whole = true;
            in_fraction = true;
            text.push(b'.');
        }
        if in_fraction || any_whole {
            text.push_number(group, usize::from(digits));
        } else if group != 0 {
            text.push_number(group, 0);
            any_whole = true;
        }
    }
    if !any_whole {
        text.push(b'0');
    }
    Ok(())
}

/// Packs a number that the server printed, as [`push_text`] prints it; leading zeros (ZEROFILL) do not count. Appends to `packed`.
///
/// # Errors
/// `Corrupt` when the text is no number of DECIMAL(precision, scale).
pub fn pack(packed: &mut Vec<u8>, text: &[u8], precision: u8, scale: u8) -> Result<()> {
    let bad = || Error::corrupt("the source prints a DECIMAL that its column cannot hold");
    let (negative, digits) = match text.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (whole, fraction) = match digits.iter().position(|byte| *byte == b'.') {
        Some(point) => digits.split_at(point),
        None => (digits, &[][..]),
    };
    let fraction = fraction.strip_prefix(b".").unwrap_or(fraction);
    let zeros = whole.iter().take_while(|byte| **byte == b'0').count();
    let whole = whole.get(zeros..).unwrap_or_default();
    let room = usize::from(precision.saturating_sub(scale));
    if whole.len() > room || fraction.len() > usize::from(scale) {
        return Err(bad());
    }
    let padding = std::iter::repeat_n(b'0', room - whole.len());
    let ending = std::iter::repeat_n(b'0', usize::from(scale) - fraction.len());
    let mut all = padding
        .chain(whole.iter().copied())
        .chain(fraction.iter().copied())
        .chain(ending);
    let start = packed.len();
    for (count, _) in group_sizes(precision, scale) {
        let mut group = 0_u32;
        for byte in all.by_ref().take(usize::from(count)) {
            let digit = byte.checked_sub(b'0').filter(|d| *d < 10).ok_or_else(bad)?;
            group = group * 10 + u32::from(digit);
        }
        let bytes = group.to_be_bytes();
        let from = bytes.len().saturating_sub(group_len(count));
        packed.extend_from_slice(bytes.get(from..).unwrap_or_default());
    }
    let number = packed.get_mut(start..).unwrap_or_default();
    if negative {
        number.iter_mut().for_each(|byte| *byte = !*byte);
    }
    if let Some(first) = number.first_mut() {
        *first ^= 0x80;
    }
    Ok(())
}

/// The number as an integer or double that loses nothing; `None` when it has more than 15 significant digits (zeros at
/// either end are not significant).
///
/// # Errors
/// `Corrupt` when the bytes are no DECIMAL(precision, scale).
pub fn number(packed: &[u8], precision: u8, scale: u8) -> Result<Option<Number>> {
    let mut groups = Groups::new(packed);
    // Digits without point and without the zeros at their end; `None` once they are too many.
    let (mut digits, mut zeros) = (Some(0_u64), 0_u32);
    for (count, _) in group_sizes(precision, scale) {
        let mut group = groups.next(count)?;
        if group == 0 {
            // Zeros count only when something follows them.
            zeros += u32::from(count);
            continue;
        }
        let (mut shift, mut zeros_behind) = (zeros + u32::from(count), 0);
        while group % 10 == 0 {
            group /= 10;
            shift -= 1;
            zeros_behind += 1;
        }
        zeros = zeros_behind;
        digits = digits.and_then(|d| match d {
            0 => Some(group),
            d => 10_u64
                .checked_pow(shift)?
                .checked_mul(d)?
                .checked_add(group),
        });
    }
    let Some(digits) = digits.filter(|d| *d <= EXACT_MAX) else {
        return Ok(None);
    };
    Ok(Some(match digits {
        0 => Number::Int(0),
        _ => to_number(digits, groups.negative, zeros, u32::from(scale)),
    }))
}

/// `digits`, followed by `zeros`, of which `scale` digits are behind the point. An integer where it is one and fits.
///
/// Both the digits (below 2^53) and a power of ten up to 10^22 are exact doubles, so their quotient is the double
/// nearest to the decimal; beyond that the standard library's reading of the text is.
fn to_number(digits: u64, negative: bool, zeros: u32, scale: u32) -> Number {
    let digits = if negative {
        -digits.cast_signed()
    } else {
        digits.cast_signed()
    };
    let places = scale.saturating_sub(zeros);
    let whole_zeros = zeros.saturating_sub(scale);
    if places == 0
        && let Some(whole) = 10_i64.checked_pow(whole_zeros)
        && let Some(whole) = whole.checked_mul(digits)
    {
        return Number::Int(whole);
    }
    if (1..=22).contains(&places) {
        #[expect(clippy::cast_precision_loss, reason = "15 digits fit a double")]
        let digits = digits as f64;
        return Number::Real(digits / 10_f64.powi(places.cast_signed()));
    }
    let mut text = ShortText::new();
    let exponent = i64::from(whole_zeros) - i64::from(places);
    let written = std::fmt::Write::write_fmt(&mut text, format_args!("{digits}e{exponent}"));
    let parsed = written.ok().and_then(|()| text.as_str().parse().ok());
    Number::Real(parsed.unwrap_or(f64::NAN))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(packed: &[u8], precision: u8, scale: u8) -> String {
        assert_eq!(packed_len(precision, scale), Some(packed.len()));
        let mut text = ShortText::new();
        push_text(&mut text, packed, precision, scale).unwrap();
        text.to_string()
    }

    #[test]
    fn digits_are_as_select_shows_them() {
        // 1234567890.1234 as DECIMAL(14,4), the example of MySQL's own comment in decimal2bin.
        let packed = [0x81, 0x0d, 0xfb, 0x38, 0xd2, 0x04, 0xd2];
        assert_eq!(text(&packed, 14, 4), "1234567890.1234");
        let negative: Vec<u8> = packed.iter().map(|b| !b).collect();
        assert_eq!(text(&negative, 14, 4), "-1234567890.1234");
        assert_eq!(text(&[0x80, 0x00], 4, 2), "0.00");
        assert_eq!(text(&[0x80, 0x05], 4, 2), "0.05");
        assert_eq!(text(&[0x8a], 2, 0), "10");
        assert_eq!(text(&[0x85], 1, 1), "0.5");
    }

    #[test]
    fn what_is_printed_packs_again() {
        let cases = [
            ("1234567890.1234", 14, 4),
            ("-1234567890.1234", 14, 4),
            ("0.05", 4, 2),
            ("-0.5", 1, 1),
            ("10", 2, 0),
            (
                "-99999999999999999999999999999999999.999999999999999999999999999999",
                65,
                30,
            ),
        ];
        for (number, precision, scale) in cases {
            let mut packed = Vec::new();
            pack(&mut packed, number.as_bytes(), precision, scale).unwrap();
            assert_eq!(text(&packed, precision, scale), number.replace("-.", "-0."));
        }
        let mut packed = vec![7];
        pack(&mut packed, b"0042.1", 5, 2).unwrap();
        assert_eq!(text(&packed[1..], 5, 2), "42.10");
        for wrong in ["1000", "1.234", "x", "1e3", "--1"] {
            assert!(
                pack(&mut Vec::new(), wrong.as_bytes(), 5, 2).is_err(),
                "{wrong}"
            );
        }
    }

    #[test]
    fn fifteen_digits_become_numbers_and_more_do_not() {
        let packed = [0x81, 0x0d, 0xfb, 0x38, 0xd2, 0x04, 0xd2];
        assert_eq!(
            number(&packed, 14, 4).unwrap(),
            Some(Number::Real(1234567890.1234))
        );
        assert_eq!(
            number(&[0x80, 0x05], 4, 2).unwrap(),
            Some(Number::Real(0.05))
        );
        assert_eq!(number(&[0x8a, 0x00], 4, 2).unwrap(), Some(Number::Int(10)));
        assert_eq!(number(&[0x75, 0xff], 4, 2).unwrap(), Some(Number::Int(-10)));
        // 10^18 and 10^19 have one significant digit.
        let power =
            |head: u8, precision| number(&[head, 0, 0, 0, 0, 0, 0, 0, 0], precision, 0).unwrap();
        assert_eq!(
            power(0x81, 19),
            Some(Number::Int(1_000_000_000_000_000_000))
        );
        assert_eq!(power(0x8a, 20), Some(Number::Real(1e19)));
        // 1.5 with 29 zeros behind it, in groups of nine digits.
        let packed = [0x81, 0x1d, 0xcd, 0x65, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(number(&packed, 31, 30).unwrap(), Some(Number::Real(1.5)));
    }

    #[test]
    fn impossible_groups_are_errors() {
        assert!(push_text(&mut ShortText::new(), &[0xff], 2, 0).is_err());
        assert!(push_text(&mut ShortText::new(), &[], 2, 0).is_err());
        assert_eq!(packed_len(0, 0), None);
        assert_eq!(packed_len(66, 0), None);
        assert_eq!(packed_len(3, 4), None);
    }
}
