//! Fractions of a second that become longer or shorter.

use super::convert::Conversion::{self, Expression};
use super::convert::refusal;
use super::name::quote_text;

/// What to append to a text with `from` fractional digits so that it has `to`.
pub(super) fn zeros(from: u8, to: u8) -> String {
    let point = if from == 0 && to > 0 { "." } else { "" };
    format!(
        "{point}{}",
        "0".repeat(usize::from(to.saturating_sub(from)))
    )
}

/// More or fewer fractional digits of a time.
pub(super) fn fraction(from: u8, to: u8, x: &str, rounds: bool) -> Conversion {
    if from <= to {
        return Expression(format!("{x} || {}", quote_text(&zeros(from, to))));
    }
    let dropped = from - to;
    let cut = dropped + u8::from(to == 0);
    let kept = format!("substr({x}, 1, length({x}) - {cut})");
    if !rounds {
        return Expression(kept);
    }
    // Rounded up: one more second, or one more of the last digit that stays.
    let next_second = format!("strftime('%Y-%m-%d %H:%M:%S', substr({x}, 1, 19), '+1 second')");
    let up = if to == 0 {
        next_second
    } else {
        let nines = "9".repeat(usize::from(to));
        let none = zeros(0, to);
        format!(
            "CASE WHEN substr({x}, 21, {to}) = '{nines}' THEN {next_second} || '{none}' \
             ELSE substr({x}, 1, 20) || printf('%0{to}d', CAST(substr({x}, 21, {to}) AS INTEGER) + 1) END"
        )
    };
    // What servers make of the last second that the type has differs.
    let lasts = LAST_SECONDS.map(quote_text).join(", ");
    let refused = refusal(x);
    Expression(format!(
        "CASE WHEN substr({x}, -{dropped}, 1) < '5' THEN {kept} \
         WHEN substr({x}, 1, 19) IN ({lasts}) THEN {refused} ELSE {up} END"
    ))
}

/// The last second of a DATETIME, and that of a TIMESTAMP, which is another one since MariaDB 11.5.
const LAST_SECONDS: [&str; 3] = [
    "9999-12-31 23:59:59",
    "2038-01-19 03:14:07",
    "2106-02-07 06:28:15",
];

/// A negative TIME of which nothing is left has no sign.
pub(super) fn without_negative_zero(conversion: Conversion, x: &str) -> Conversion {
    match conversion {
        Expression(value) => Expression(format!(
            "CASE WHEN {x} LIKE '-%' AND trim({value}, '-0:.') = '' THEN substr({value}, 2) ELSE {value} END"
        )),
        other => other,
    }
}
