//! Lines of hexadecimal digits: text to octets and back, and what is wrong with a line.

use std::fmt::Write as _;

use thiserror::Error;

use super::decode;
use super::report::{Place, Report};
use super::terms::Terms;

#[cfg(test)]
mod tests;

/// The longest line that is read, in octets: the longest message eight times over.
pub(super) const LINE_MAX: usize = 1 << 20;

/// Why a line is not octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum HexProblem {
    #[error("column {column}: not a hexadecimal digit")]
    Digit { column: usize },
    #[error("an odd number of digits")]
    Odd,
    #[error("longer than {LINE_MAX} characters")]
    TooLong,
}

/// Reports the messages of line `number`.
pub(super) fn line(number: u64, text: &[u8], terms: &Terms, report: &mut Report) {
    let place = Place::Line { line: number };
    let octets = match octets(text) {
        Ok(octets) => octets,
        Err(problem) => return report.trouble(&place, None, &problem),
    };
    let mut stream = octets.as_slice();
    while !stream.is_empty() {
        let Some(decoded) = decode::next(stream, &terms.ctx) else {
            return report.cut_off(&place, stream);
        };
        report.message(&place, &decoded, terms);
        stream = decoded
            .octets
            .and_then(|taken| stream.get(taken..))
            .unwrap_or_default();
    }
}

/// The octets that a line spells; none for an empty line and for a comment.
pub(super) fn octets(text: &[u8]) -> Result<Vec<u8>, HexProblem> {
    let text = text.trim_ascii_end();
    if text.len() > LINE_MAX {
        return Err(HexProblem::TooLong);
    }
    let start = text.len() - text.trim_ascii_start().len();
    let prefixed = |prefix: &[u8]| {
        text.get(start..)
            .is_some_and(|rest| rest.starts_with(prefix))
    };
    let start = if prefixed(b"0x") || prefixed(b"0X") {
        start + 2
    } else {
        start
    };
    let mut octets = Vec::new();
    let mut high = None;
    for (index, character) in text.iter().enumerate().skip(start) {
        if *character == b'#' {
            break;
        }
        if character.is_ascii_whitespace() || *character == b':' {
            continue;
        }
        let digit = char::from(*character)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
            .ok_or(HexProblem::Digit { column: index + 1 })?;
        high = match high {
            None => Some(digit),
            Some(high) => {
                octets.push(high << 4 | digit);
                None
            }
        };
    }
    match high {
        None => Ok(octets),
        Some(_) => Err(HexProblem::Odd),
    }
}

/// Octets as digits.
pub(super) fn text(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        let _a_string_takes_everything = write!(text, "{octet:02x}");
        text
    })
}
