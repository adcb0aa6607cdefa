//! What is told of messages: lines for standard output, complaints for standard error.
//!
//! Owns the rule of what counts as not decoding. Everything is bounded by what was read for it:
//! a report is written out and dropped after each line, packet or record.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::Serialize;

use super::decode::{self, Decoded};
use super::reencode;
use super::show::{self, Shown};
use super::terms::{Reencode, Terms};

/// Where a message was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(super) enum Place {
    /// A line of digits; the first is 1.
    Line { line: u64 },
    /// The packet that completed it; the first is 1.
    Packet {
        packet: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        at: Option<String>,
        from: SocketAddr,
        to: SocketAddr,
    },
    /// A record of a dump; the first is 1.
    Record {
        record: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        at: Option<String>,
        /// Who sent the message, or gave the route.
        #[serde(skip_serializing_if = "Option::is_none")]
        peer: Option<IpAddr>,
        #[serde(skip_serializing_if = "Option::is_none")]
        peer_as: Option<u32>,
    },
    /// Octets from the start of the input.
    Offset { offset: u64 },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { line } => write!(f, "line {line}"),
            Self::Packet {
                packet, from, to, ..
            } => write!(f, "packet {packet}, {from} to {to}"),
            Self::Record {
                record,
                peer: Some(peer),
                ..
            } => write!(f, "record {record}, peer {peer}"),
            Self::Record { record, .. } => write!(f, "record {record}"),
            Self::Offset { offset } => write!(f, "offset {offset}"),
        }
    }
}

/// One line of output.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    shown: Shown,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reencoded: Option<Reencoded>,
    #[serde(flatten)]
    place: &'a Place,
}

/// What `--reencode` found.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Reencoded {
    Equal,
    Different,
}

/// What was told so far.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Report {
    /// JSON, one message to the line.
    pub(super) lines: String,
    /// What did not decode; empty means that everything did.
    pub(super) complaints: Vec<String>,
}

impl Report {
    /// Tells of a complete message.
    pub(super) fn message(&mut self, place: &Place, decoded: &Decoded, terms: &Terms) {
        let shown = show::message(decoded);
        let (error, reencoded) = match &decoded.outcome {
            Err(error) => {
                self.complain(place, error);
                (Some(error.to_string()), None)
            }
            Ok(_) if terms.reencode == Reencode::Skip => (None, None),
            Ok(message) => match reencode::check(message, terms) {
                Ok(()) => (None, Some(Reencoded::Equal)),
                Err(difference) => {
                    self.complain(place, &difference);
                    (Some(difference.to_string()), Some(Reencoded::Different))
                }
            },
        };
        self.line(&Line {
            shown,
            error,
            reencoded,
            place,
        });
    }

    /// Tells of a message that ends too early.
    pub(super) fn cut_off(&mut self, place: &Place, stream: &[u8]) {
        let problem = match decode::claimed(stream) {
            Some(claimed) => format!("cut off: {} of {claimed} octets", stream.len()),
            None => format!("cut off inside the header: {} octets", stream.len()),
        };
        let kind = decode::kind(stream).map(show::kind);
        self.trouble(place, kind, &problem);
    }

    /// Tells of what is no message.
    pub(super) fn trouble(
        &mut self,
        place: &Place,
        kind: Option<&'static str>,
        problem: &dyn fmt::Display,
    ) {
        self.complain(place, problem);
        self.line(&Line {
            shown: Shown::nothing(kind),
            error: Some(problem.to_string()),
            reencoded: None,
            place,
        });
    }

    fn complain(&mut self, place: &Place, problem: &dyn fmt::Display) {
        self.complaints.push(format!("{place}: {problem}"));
    }

    fn line(&mut self, line: &Line<'_>) {
        // Strings and numbers in structs: there is nothing that JSON could refuse.
        if let Ok(text) = serde_json::to_string(line) {
            self.lines.push_str(&text);
            self.lines.push('\n');
        }
    }
}
