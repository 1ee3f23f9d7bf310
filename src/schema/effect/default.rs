//! Defaults: constants as the server keeps them for their column's type, and what a type holds when nothing is said.

use crate::schema::table::{ColumnType, DefaultValue, same_name};

/// Digits of the longest DECIMAL.
const DECIMAL_DIGITS_MAX: usize = 65;

/// Whether the server stores an address or UUID that it prints in other words than the definition has it.
pub fn may_be_printed_otherwise(text: &str, ty: &ColumnType) -> bool {
    match ty {
        ColumnType::Inet6 => text != "::",
        ColumnType::Uuid => {
            let is_place = |at: usize| matches!(at, 8 | 13 | 18 | 23);
            let is_printed = |(at, byte): (usize, u8)| match byte {
                b'-' => is_place(at),
                b'0'..=b'9' | b'a'..=b'f' => !is_place(at),
                _ => false,
            };
            text.len() != 36 || !text.bytes().enumerate().all(is_printed)
        }
        _ => false,
    }
}

/// What the server puts into a NOT NULL column of this type that has no default.
pub fn implicit_default(ty: &ColumnType) -> DefaultValue {
    let literal = |text: &str| DefaultValue::Literal(text.to_owned());
    let fraction = |text: &str, digits: u8| {
        let mut text = text.to_owned();
        if digits > 0 {
            text.push('.');
            text.extend(std::iter::repeat_n('0', usize::from(digits)));
        }
        DefaultValue::Literal(text)
    };
    match ty {
        ColumnType::Int { .. }
        | ColumnType::Float { .. }
        | ColumnType::Double { .. }
        | ColumnType::Bit { .. } => literal("0"),
        ColumnType::Decimal { scale, .. } => fraction("0", *scale),
        ColumnType::Year => literal("0000"),
        ColumnType::Date => literal("0000-00-00"),
        ColumnType::Time { fsp } => fraction("00:00:00", *fsp),
        ColumnType::DateTime { fsp } | ColumnType::Timestamp { fsp } => {
            fraction("0000-00-00 00:00:00", *fsp)
        }
        ColumnType::Enum { labels, .. } => literal(labels.first().map_or("", String::as_str)),
        ColumnType::Char { .. }
        | ColumnType::VarChar { .. }
        | ColumnType::Text { .. }
        | ColumnType::Set { .. } => literal(""),
        ColumnType::Binary { length } => {
            DefaultValue::Bytes(vec![0; usize::try_from(*length).unwrap_or(0).min(255)])
        }
        ColumnType::VarBinary { .. }
        | ColumnType::Blob { .. }
        | ColumnType::Geometry { .. }
        | ColumnType::Vector { .. } => DefaultValue::Bytes(Vec::new()),
        ColumnType::Json => literal("null"),
        ColumnType::Uuid => literal("00000000-0000-0000-0000-000000000000"),
        ColumnType::Inet4 => literal("0.0.0.0"),
        ColumnType::Inet6 => literal("::"),
    }
}

/// A default as written, as the server keeps it for a column of this type.
pub(super) fn normalised(value: &DefaultValue, ty: &ColumnType) -> DefaultValue {
    match value {
        DefaultValue::Literal(text) => literal(text, ty),
        DefaultValue::Bytes(bytes) => from_bytes(bytes, ty),
        DefaultValue::CurrentTimestamp(fsp) => match ty {
            ColumnType::Date | ColumnType::Time { .. } | ColumnType::Year => {
                DefaultValue::Expression(format!("current_timestamp({fsp})"))
            }
            _ => value.clone(),
        },
        DefaultValue::Expression(_) => value.clone(),
    }
}

/// A point in time as a session writes it, in UTC. Where the session's clock is not known, only the source knows what it means.
pub(super) fn in_utc(text: String, offset: Option<i32>) -> DefaultValue {
    if text.starts_with("0000-00-00") || offset == Some(0) {
        return DefaultValue::Literal(text);
    }
    let moved = offset.and_then(|offset| {
        let (time, fraction) = text.split_at_checked(19)?;
        let time: jiff::civil::DateTime = time.replacen(' ', "T", 1).parse().ok()?;
        let time = time.checked_sub(jiff::Span::new().seconds(offset)).ok()?;
        Some(format!("{}{fraction}", time.strftime("%Y-%m-%d %H:%M:%S")))
    });
    moved.map_or_else(
        || DefaultValue::Expression(format!("'{text}' in the session's time zone")),
        DefaultValue::Literal,
    )
}

fn literal(text: &str, ty: &ColumnType) -> DefaultValue {
    let trimmed = text.trim();
    let normal = match ty {
        ColumnType::Int { .. } => decimal(trimmed, 0),
        ColumnType::Decimal { scale, .. } => decimal(trimmed, *scale),
        ColumnType::Year => year(trimmed),
        ColumnType::Bit { .. } => {
            let is_whole = !trimmed.is_empty() && trimmed.bytes().all(|byte| byte.is_ascii_digit());
            is_whole.then(|| trimmed.to_owned())
        }
        ColumnType::Timestamp { .. } if is_partial_date(trimmed) => None,
        ColumnType::Date => date(trimmed).map(|(date, _)| date),
        ColumnType::DateTime { fsp } | ColumnType::Timestamp { fsp } => {
            date(trimmed).and_then(|(date, rest)| {
                time(rest.trim_start_matches([' ', 'T']), *fsp).map(|time| format!("{date} {time}"))
            })
        }
        ColumnType::Time { fsp } => time(trimmed, *fsp),
        ColumnType::Enum { labels, .. } => enum_label(text, labels),
        ColumnType::Set { labels, .. } => set_labels(text, labels),
        ColumnType::Char { .. } => Some(text.trim_end_matches(' ').to_owned()),
        ColumnType::Float { .. } | ColumnType::Double { .. } => float(trimmed),
        // Beyond ASCII the bytes depend on the session's charset, which is asked before.
        ColumnType::Binary { .. } | ColumnType::VarBinary { .. } if text.is_ascii() => {
            return from_bytes(text.as_bytes(), ty);
        }
        _ => None,
    };
    match (normal, ty) {
        (Some(normal), _) => DefaultValue::Literal(normal),
        // A form that is not read here: better no constant than another one.
        (
            None,
            ColumnType::Int { .. }
            | ColumnType::Decimal { .. }
            | ColumnType::Float { .. }
            | ColumnType::Double { .. }
            | ColumnType::Bit { .. }
            | ColumnType::Year
            | ColumnType::Date
            | ColumnType::DateTime { .. }
            | ColumnType::Timestamp { .. }
            | ColumnType::Time { .. },
        ) => DefaultValue::Expression(text.to_owned()),
        (None, _) => DefaultValue::Literal(text.to_owned()),
    }
}

/// Bits and bytes: a number for numeric columns, text for text columns.
fn from_bytes(bytes: &[u8], ty: &ColumnType) -> DefaultValue {
    let as_text = || std::str::from_utf8(bytes).ok().map(str::to_owned);
    let normal = match ty {
        ColumnType::Int { .. }
        | ColumnType::Bit { .. }
        | ColumnType::Year
        | ColumnType::Decimal { .. }
        | ColumnType::Float { .. }
        | ColumnType::Double { .. } => {
            let value = bytes
                .iter()
                .fold(0u64, |value, byte| (value << 8) | u64::from(*byte));
            return literal(&value.to_string(), ty);
        }
        ColumnType::Enum { labels, .. } => as_text().and_then(|text| enum_label(&text, labels)),
        ColumnType::Set { labels, .. } => as_text().and_then(|text| set_labels(&text, labels)),
        ColumnType::Char { collation, .. }
        | ColumnType::VarChar { collation, .. }
        | ColumnType::Text { collation, .. }
            if bytes.is_ascii() || collation.charset.starts_with("utf8") =>
        {
            as_text()
        }
        // Their charset would have to be decoded.
        ColumnType::Char { .. } | ColumnType::VarChar { .. } | ColumnType::Text { .. } => {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            return DefaultValue::Expression(format!("x'{hex}'"));
        }
        ColumnType::Binary { length } => {
            let mut padded = bytes.to_vec();
            padded.resize(
                usize::try_from(*length)
                    .unwrap_or(0)
                    .min(255)
                    .max(bytes.len()),
                0,
            );
            return DefaultValue::Bytes(padded);
        }
        _ => None,
    };
    normal.map_or_else(
        || DefaultValue::Bytes(bytes.to_vec()),
        DefaultValue::Literal,
    )
}

/// A number with an exponent, `1.5e-3`, without it; `None` where that would be longer than any DECIMAL.
fn without_exponent(text: &str) -> Option<String> {
    let Some((number, exponent)) = text.split_once(['e', 'E']) else {
        return Some(text.to_owned());
    };
    let exponent: i32 = exponent.parse().ok()?;
    let (sign, number) = match number.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", number.strip_prefix('+').unwrap_or(number)),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let point = i32::try_from(whole.len()).ok()?.checked_add(exponent)?;
    let before = usize::try_from((-point).max(0)).ok()?;
    let zeros = |count: usize| "0".repeat(count.min(DECIMAL_DIGITS_MAX));
    let mut digits = format!("{}{whole}{fraction}", zeros(before));
    let point = usize::try_from(point.max(0)).ok()?;
    if point > 2 * DECIMAL_DIGITS_MAX || before > 2 * DECIMAL_DIGITS_MAX {
        return None;
    }
    digits.push_str(&zeros(point.saturating_sub(digits.len())));
    let (whole, fraction) = digits.split_at_checked(point)?;
    Some(format!("{sign}{whole}.{fraction}"))
}

/// A decimal number rounded half away from zero to `scale` digits; `None` for what is none.
fn decimal(text: &str, scale: u8) -> Option<String> {
    let scale = usize::from(scale);
    let text = without_exponent(text)?;
    let text = text.as_str();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() && fraction.is_empty() || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let kept = fraction.get(..scale.min(fraction.len()))?;
    let round_up = fraction
        .as_bytes()
        .get(scale)
        .is_some_and(|digit| *digit >= b'5');
    let mut number: Vec<u8> = format!("{whole}{kept:0<scale$}").into_bytes();
    if round_up {
        let mut carry = true;
        for digit in number.iter_mut().rev() {
            match *digit {
                b'9' => *digit = b'0',
                other => {
                    *digit = other + 1;
                    carry = false;
                    break;
                }
            }
        }
        if carry {
            number.insert(0, b'1');
        }
    }
    let number = String::from_utf8(number).ok()?;
    let (whole, fraction) = number.split_at_checked(number.len().checked_sub(scale)?)?;
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let zero = whole == "0" && fraction.bytes().all(|b| b == b'0');
    let sign = if negative && !zero { "-" } else { "" };
    let point = if scale > 0 { "." } else { "" };
    Some(format!("{sign}{whole}{point}{fraction}"))
}

/// A number as short as it can be, without an exponent.
fn float(text: &str) -> Option<String> {
    if text.contains(['e', 'E']) {
        let value: f64 = text.parse().ok()?;
        return value.is_finite().then(|| value.to_string());
    }
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text),
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_plain = whole
        .bytes()
        .chain(fraction.bytes())
        .all(|b| b.is_ascii_digit());
    let (whole, fraction) = (
        whole.trim_start_matches('0'),
        fraction.trim_end_matches('0'),
    );
    let whole = if whole.is_empty() { "0" } else { whole };
    is_plain.then(|| match fraction {
        "" => format!("{sign}{whole}"),
        fraction => format!("{sign}{whole}.{fraction}"),
    })
}

fn year(text: &str) -> Option<String> {
    let number: u16 = text.parse().ok()?;
    Some(match (text.len(), number) {
        (4.., _) | (_, 100..) => format!("{number:04}"),
        // As a number; '0' and '00' as text are 2000.
        (_, 0) => "0000".to_owned(),
        (_, 1..=69) => format!("{}", 2000 + number),
        _ => format!("{}", 1900 + number),
    })
}

/// A date at the start of `text` in its usual form, and what follows it.
fn date(text: &str) -> Option<(String, &str)> {
    if let Some((digits, rest)) = text.split_at_checked(8)
        && digits.bytes().all(|b| b.is_ascii_digit())
        && (rest.is_empty() || rest.len() == 6)
    {
        let (year, rest_of_date) = digits.split_at_checked(4)?;
        let (month, day) = rest_of_date.split_at_checked(2)?;
        return Some((format!("{year}-{month}-{day}"), rest));
    }
    if text.trim_matches('0').is_empty() {
        return Some(("0000-00-00".to_owned(), ""));
    }
    let mut parts = text.splitn(3, '-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let day_len = day.bytes().take_while(u8::is_ascii_digit).count();
    let (day, rest) = day.split_at_checked(day_len)?;
    let year: u16 = year.parse().ok().filter(|_| year.len() == 4)?;
    let (month, day): (u8, u8) = (month.parse().ok()?, day.parse().ok()?);
    Some((format!("{year:04}-{month:02}-{day:02}"), rest))
}

/// Hours of the largest TIME.
const TIME_HOURS_MAX: u16 = 838;

/// Whether a date that is not all zeros has no month or day: no point in time.
fn is_partial_date(text: &str) -> bool {
    let is_zero = |part: Option<&str>| part.is_some_and(|part| part.trim_matches('0').is_empty());
    let date = text.split([' ', 'T']).next().unwrap_or_default();
    let mut parts = date.split('-');
    let year = parts.next();
    let (month, day) = (parts.next(), parts.next());
    !is_zero(year) && (is_zero(month) || is_zero(day))
}

/// A time of day or span with `fsp` digits; empty text is midnight. `None` where digits would have to be rounded away.
fn time(text: &str, fsp: u8) -> Option<String> {
    let fsp = usize::from(fsp);
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text),
    };
    let (clock, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut numbers = [0u16; 3];
    if clock.contains(':') {
        for (slot, part) in numbers.iter_mut().zip(clock.split(':')) {
            *slot = part.parse().ok()?;
        }
    } else if !clock.is_empty() {
        // 123456, or shorter: from the right.
        let value: u32 = clock.parse().ok()?;
        numbers = [
            u16::try_from(value / 10_000).ok()?,
            u16::try_from(value / 100 % 100).ok()?,
            u16::try_from(value % 100).ok()?,
        ];
    }
    let [hour, minute, second] = numbers;
    if hour > TIME_HOURS_MAX || minute > 59 || second > 59 {
        return None;
    }
    let is_zero = numbers == [0; 3] && fraction.bytes().all(|b| b == b'0');
    let sign = if is_zero { "" } else { sign };
    let dropped = fraction.get(fsp..).unwrap_or_default();
    if !dropped.bytes().all(|b| b == b'0') || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let kept = fraction.get(..fsp.min(fraction.len()))?;
    let point = if fsp > 0 { "." } else { "" };
    Some(format!(
        "{sign}{hour:02}:{minute:02}:{second:02}{point}{kept:0<fsp$}"
    ))
}

/// The label that `text` means, in the label's own spelling; a number is the label's place.
fn enum_label(text: &str, labels: &[String]) -> Option<String> {
    let as_written = labels.iter().find(|label| *label == text);
    let text = text.trim_end_matches(' ');
    let exact = as_written.or_else(|| labels.iter().find(|label| *label == text));
    let same = || labels.iter().find(|label| same_name(label, text));
    let by_number = || labels.get(text.parse::<usize>().ok()?.checked_sub(1)?);
    exact.or_else(same).or_else(by_number).cloned()
}

/// The labels of a SET in the order of the definition.
fn set_labels(text: &str, labels: &[String]) -> Option<String> {
    if text.is_empty() {
        return Some(String::new());
    }
    let mut chosen = vec![false; labels.len()];
    for part in text.split(',') {
        let as_written = labels.iter().position(|label| label == part);
        let part = part.trim_end_matches(' ');
        let same = || labels.iter().position(|label| same_name(label, part));
        let place = as_written.or_else(same)?;
        *chosen.get_mut(place)? = true;
    }
    let kept: Vec<&str> = labels
        .iter()
        .zip(chosen)
        .filter_map(|(label, chosen)| chosen.then_some(label.as_str()))
        .collect();
    Some(kept.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::collation::binary;

    fn is(ty: &ColumnType, written: &str, kept: &str) {
        let value = DefaultValue::Literal(written.to_owned());
        assert_eq!(
            normalised(&value, ty),
            DefaultValue::Literal(kept.to_owned()),
            "{written}"
        );
    }

    // Each pair as MariaDB 10.11 and MySQL 9.7 show it in SHOW CREATE TABLE.
    #[test]
    fn points_in_time_are_kept_in_utc() {
        let moved = |text: &str, offset| in_utc(text.to_owned(), offset);
        let literal = |text: &str| DefaultValue::Literal(text.to_owned());
        let written = "2024-03-01 01:30:00.25";
        let earlier = literal("2024-02-29 23:30:00.25");
        assert_eq!(moved(written, Some(7_200)), earlier);
        assert_eq!(
            moved(written, Some(-1_800)),
            literal("2024-03-01 02:00:00.25")
        );
        assert_eq!(moved(written, Some(0)), literal(written));
        assert!(matches!(moved(written, None), DefaultValue::Expression(_)));
        let zero = "0000-00-00 00:00:00";
        assert_eq!(moved(zero, None), literal(zero));
    }

    #[test]
    fn constants_take_the_form_of_their_type() {
        let int = ColumnType::Int {
            bytes: 4,
            unsigned: false,
            display_width: None,
            zerofill: false,
        };
        is(&int, "1.6", "2");
        is(&int, "-01", "-1");
        is(&int, "1e3", "1000");
        let decimal = ColumnType::Decimal {
            precision: 10,
            scale: 2,
            unsigned: false,
        };
        is(&decimal, "1.005", "1.01");
        is(&decimal, "0", "0.00");
        is(&decimal, "99.999", "100.00");
        is(&decimal, "-.5", "-0.50");
        is(&decimal, "1e1", "10.00");
        is(&decimal, "-1.25E-1", "-0.13");
        is(&decimal, "123.4e0", "123.40");
        is(
            &ColumnType::Double {
                unsigned: false,
                digits: None,
            },
            "-1.5e-3",
            "-0.0015",
        );
        is(
            &ColumnType::DateTime { fsp: 0 },
            "2020-1-1",
            "2020-01-01 00:00:00",
        );
        is(
            &ColumnType::DateTime { fsp: 3 },
            "2020-01-01 1:2:3",
            "2020-01-01 01:02:03.000",
        );
        is(
            &ColumnType::Timestamp { fsp: 0 },
            "0",
            "0000-00-00 00:00:00",
        );
        is(&ColumnType::Date, "20200103", "2020-01-03");
        is(&ColumnType::Time { fsp: 2 }, "1:2", "01:02:00.00");
        is(&ColumnType::Year, "70", "1970");
        let labels = vec!["a".to_owned(), "b".to_owned()];
        is(
            &ColumnType::Enum {
                labels: labels.clone(),
                collation: binary(),
            },
            "B",
            "b",
        );
        is(
            &ColumnType::Set {
                labels,
                collation: binary(),
            },
            "b,A",
            "a,b",
        );
    }

    #[test]
    fn bits_and_bytes_by_type() {
        let bytes = |b: &[u8]| DefaultValue::Bytes(b.to_vec());
        let text = |t: &str| DefaultValue::Literal(t.to_owned());
        assert_eq!(
            normalised(&bytes(&[5]), &ColumnType::Bit { bits: 4 }),
            text("5")
        );
        assert_eq!(
            normalised(&bytes(b"AB"), &ColumnType::Binary { length: 4 }),
            bytes(b"AB\0\0")
        );
        let latin1 = crate::schema::collation::by_id(8).unwrap();
        let varchar = ColumnType::VarChar {
            length: 5,
            collation: latin1,
        };
        assert_eq!(normalised(&bytes(b"AB"), &varchar), text("AB"));
        let undecoded = DefaultValue::Expression("x'e4'".to_owned());
        assert_eq!(normalised(&bytes(&[0xe4]), &varchar), undecoded);
    }
}
