//! Durations as MetalLB's fields have them: Go's notation, `1h30m`, `90s`, `500ms`.

use std::time::Duration;

/// Nanoseconds of a unit; `µs` in both of its spellings.
fn unit(text: &str) -> Option<u64> {
    Some(match text {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

/// Parses a duration that is not negative.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(digits);
        let end = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (name, next) = after.split_at(end);
        total = total.checked_add(scaled(number, unit(name)?)?)?;
        rest = next;
    }
    Some(Duration::from_nanos(total))
}

/// `number` times `unit`, with the digits after a point taken one by one.
fn scaled(number: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole = if whole.is_empty() {
        0
    } else {
        whole.parse::<u64>().ok()?
    };
    let mut total = whole.checked_mul(unit)?;
    let mut part = unit;
    for digit in fraction.chars() {
        part /= 10;
        total = total.checked_add(part.checked_mul(digit.to_digit(10)?.into())?)?;
    }
    Some(total)
}

#[cfg(test)]
mod tests;
