//! FLOAT and DOUBLE as numbers and as the text that MySQL prints.

use std::fmt::Write as _;

use super::short_text::ShortText;

/// Decimal exponents up to here are printed without `e` (MySQL `MAX_DECPT_FOR_F_FORMAT`).
const PLAIN_POINT_MAX: i32 = 15;

/// A FLOAT as the double that prints as the shortest decimal that reads back as the same 32 bits: 0.1, not
/// 0.10000000149011612.
pub fn widen(value: f32) -> f64 {
    if value == value.trunc() && value.abs() < 16_777_216.0 {
        return f64::from(value); // whole numbers print the same at both widths
    }
    let mut text = ShortText::new();
    match write!(text, "{value:e}") {
        Ok(()) => text.as_str().parse().unwrap_or(f64::from(value)),
        Err(_) => f64::from(value),
    }
}

/// Appends a DOUBLE as MySQL prints it (`my_gcvt`): the shortest digits that read back the same; plain up to 15 places
/// on either side of the point, else as `d.ddde-n` without `+`.
pub fn push_double(text: &mut ShortText, value: f64) {
    let mut scientific = ShortText::new();
    if write!(scientific, "{value:e}").is_ok() {
        push_digits(text, scientific.as_str());
    }
}

/// Appends a FLOAT by the same rules.
pub fn push_float(text: &mut ShortText, value: f32) {
    let mut scientific = ShortText::new();
    if write!(scientific, "{value:e}").is_ok() {
        push_digits(text, scientific.as_str());
    }
}

/// Lays out `[-]d.ddde[-]n`.
fn push_digits(text: &mut ShortText, scientific: &str) {
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        let _ = text.write_str(scientific); // `inf` and `NaN`, which no server stores
        return;
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let mut digits = ShortText::new();
    for byte in mantissa.bytes() {
        match byte {
            b'-' => text.push(b'-'),
            b'.' => {}
            digit => digits.push(digit),
        }
    }
    let digits = digits.as_bytes();
    let point = exponent + 1; // digits before the point
    if digits == b"0" {
        text.push(b'0');
    } else if (-PLAIN_POINT_MAX + 1..=PLAIN_POINT_MAX).contains(&point) {
        push_plain(text, digits, point);
    } else {
        push_exponential(text, digits, exponent);
    }
}

fn push_plain(text: &mut ShortText, digits: &[u8], point: i32) {
    let Ok(before) = usize::try_from(point) else {
        text.push(b'0');
        text.push(b'.');
        text.push_zeros(usize::try_from(-point).unwrap_or(0));
        digits.iter().for_each(|d| text.push(*d));
        return;
    };
    if before == 0 {
        text.push(b'0');
    }
    for (i, digit) in digits.iter().enumerate() {
        if i == before {
            text.push(b'.');
        }
        text.push(*digit);
    }
    text.push_zeros(before.saturating_sub(digits.len()));
}

fn push_exponential(text: &mut ShortText, digits: &[u8], exponent: i32) {
    for (i, digit) in digits.iter().enumerate() {
        if i == 1 {
            text.push(b'.');
        }
        text.push(*digit);
    }
    let _ = write!(text, "e{exponent}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_print_as_the_server_prints_them() {
        for (value, shown) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-1.5, "-1.5"),
            (0.1, "0.1"),
            (100.0, "100"),
            (1e14, "100000000000000"),
            (1e15, "1e15"),
            (123_456_789_012_345.6, "123456789012345.6"),
            (1e-15, "0.000000000000001"),
            (1e-16, "1e-16"),
            (f64::MAX, "1.7976931348623157e308"),
            (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
            (5e-324, "5e-324"),
        ] {
            let mut text = ShortText::new();
            push_double(&mut text, value);
            assert_eq!(text.as_str(), shown);
        }
    }

    #[test]
    fn floats_widen_to_their_shortest_decimal() {
        assert_eq!(widen(0.1), 0.1);
        assert_eq!(widen(-16_777_216.0), -16_777_216.0);
        assert_eq!(widen(f32::MAX), 3.4028235e38);
        assert_eq!(widen(1e-45), 1e-45);
    }
}
