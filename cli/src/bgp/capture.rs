//! Captured packets as BGP messages: each direction of each connection is put in order, and the
//! OPENs seen in it decide how the rest is read.
//!
//! Owns which connections are BGP (port 179 on either side, or a segment that starts with a
//! marker) and how many are remembered: at most [`STREAMS_MAX`] directions and [`HELD_MAX`] octets,
//! then the one that was silent longest is given up.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use jiff::Timestamp;
use ringbolt_bgp::wire::{Message, MessageType};

use super::decode;
use super::report::{Place, Report};
use super::terms::{Offer, Terms};

mod packet;
pub(super) mod pcap;
pub(super) mod pcapng;
mod stream;

#[cfg(test)]
mod tests;

use packet::{Link, Segment};
use stream::{Pushed, Stream};

/// Directions of connections that are remembered.
const STREAMS_MAX: usize = 2_048;
/// Octets that wait in all of them.
const HELD_MAX: usize = 32 * 1024 * 1024;
/// The port of BGP.
const PORT: u16 = 179;

/// Who sends, and to whom.
type Direction = (SocketAddr, SocketAddr);

/// A packet as the file has it.
#[derive(Clone, Copy, Debug)]
struct Packet<'a> {
    link: Link,
    at: Option<Timestamp>,
    octets: &'a [u8],
}

/// What has been captured so far.
#[derive(Debug)]
pub(super) struct Capture {
    terms: Terms,
    streams: BTreeMap<Direction, Flow>,
    /// Which direction was touched when: the first has been silent longest.
    touched: BTreeMap<u64, Direction>,
    /// Packets so far; the first is 1.
    packets: u64,
    /// Octets in all streams.
    held: usize,
}

#[derive(Debug, Default)]
struct Flow {
    stream: Stream,
    /// The number its SYN gave the first octet.
    began: Option<u32>,
    /// What its OPEN says.
    offer: Option<Offer>,
    touched: u64,
}

impl Capture {
    pub(super) const fn new(terms: Terms) -> Self {
        Self {
            terms,
            streams: BTreeMap::new(),
            touched: BTreeMap::new(),
            packets: 0,
            held: 0,
        }
    }

    /// Adds a packet and reports the messages it completes.
    fn packet(&mut self, packet: &Packet<'_>, report: &mut Report) {
        self.packets += 1;
        let Some(segment) = packet::segment(packet.link, packet.octets) else {
            return;
        };
        let direction = (segment.from, segment.to);
        if !self.streams.contains_key(&direction) && !is_bgp(&segment) {
            return;
        }
        let place = self.place(direction, packet.at);
        self.touch(direction);
        if segment.syn {
            self.begin(direction, segment.sequence, report);
        }
        self.change(direction, &place, report, |stream| {
            stream.push(segment.sequence, segment.payload)
        });
        if let Some(number) = segment.acknowledged {
            let other = (segment.to, segment.from);
            let place = self.place(other, packet.at);
            self.change(other, &place, report, |stream| stream.acknowledged(number));
        }
        self.give_up_some(report);
    }

    /// Changes a stream, and reports the messages that completes.
    fn change(
        &mut self,
        direction: Direction,
        place: &Place,
        report: &mut Report,
        change: impl FnOnce(&mut Stream) -> Pushed,
    ) -> Pushed {
        let Some(flow) = self.streams.get_mut(&direction) else {
            return Pushed::Fine;
        };
        let before = flow.stream.size();
        let pushed = change(&mut flow.stream);
        self.held = self.held - before + flow.stream.size();
        if let Pushed::Gap(missing) = pushed {
            let problem = format!("{missing} octets of the stream are not in the capture");
            report.trouble(place, None, &problem);
        }
        self.messages(direction, place, report);
        pushed
    }

    /// The input ends: reports what is left.
    pub(super) fn finish(&mut self, report: &mut Report) {
        while let Some((_, direction)) = self.touched.pop_first() {
            self.end(direction, report);
        }
    }

    fn place(&self, (from, to): Direction, at: Option<Timestamp>) -> Place {
        Place::Packet {
            packet: self.packets,
            at: at.map(|at| at.to_string()),
            from,
            to,
        }
    }

    fn touch(&mut self, direction: Direction) {
        let flow = self.streams.entry(direction).or_default();
        self.touched.remove(&flow.touched);
        flow.touched = self.packets;
        self.touched.insert(self.packets, direction);
    }

    /// A SYN: another connection between the same ports, or the same one sent again.
    fn begin(&mut self, direction: Direction, sequence: u32, report: &mut Report) {
        let known = self.streams.get(&direction).and_then(|flow| flow.began);
        if known == Some(sequence) {
            return;
        }
        self.end(direction, report);
        self.touch(direction);
        if let Some(flow) = self.streams.get_mut(&direction) {
            flow.began = Some(sequence);
            flow.stream.open(sequence);
        }
    }

    /// Reports the complete messages of a direction.
    fn messages(&mut self, direction: Direction, place: &Place, report: &mut Report) {
        let (from, to) = direction;
        let mut receiver = self.streams.get(&(to, from)).and_then(|flow| flow.offer);
        if from == to {
            receiver = None;
        }
        let Some(flow) = self.streams.get_mut(&direction) else {
            return;
        };
        let before = flow.stream.size();
        loop {
            let terms = self.terms.between(flow.offer, receiver);
            let ready = flow.stream.ready();
            if ready.is_empty() {
                break;
            }
            let Some(decoded) = decode::next(ready, &terms.ctx) else {
                break;
            };
            if let Ok(Message::Open(open)) = &decoded.outcome {
                flow.offer = Some(Offer::of(open));
            }
            let paths = Offer::path_identifiers(flow.offer, receiver);
            if paths && decoded.kind == Some(MessageType::Update) {
                let problem = "NotImplemented: the session carries path identifiers (RFC 7911), which the decoder does not know in this version";
                report.trouble(place, Some("update"), &problem);
            } else {
                report.message(place, &decoded, &terms);
            }
            match decoded.octets {
                Some(octets) => flow.stream.consume(octets),
                None => flow.stream.lose_the_way(),
            }
        }
        self.held = self.held - before + flow.stream.size();
    }

    /// Keeps the bounds.
    fn give_up_some(&mut self, report: &mut Report) {
        while self.streams.len() > STREAMS_MAX || self.held > HELD_MAX {
            let Some((_, direction)) = self.touched.pop_first() else {
                return;
            };
            self.end(direction, report);
        }
    }

    /// Forgets a direction, after what is left of it has been told.
    fn end(&mut self, direction: Direction, report: &mut Report) {
        let place = self.place(direction, None);
        // Each turn takes what waits out of the stream.
        while self.change(direction, &place, report, Stream::skip) != Pushed::Fine {}
        if let Some(flow) = self.streams.remove(&direction) {
            self.held -= flow.stream.size();
            if !flow.stream.ready().is_empty() && !flow.stream.is_astray() {
                report.cut_off(&place, flow.stream.ready());
            }
        }
    }
}

fn is_bgp(segment: &Segment<'_>) -> bool {
    let at_port = segment.from.port() == PORT || segment.to.port() == PORT;
    let marked = segment.payload.starts_with(&[0xff; 16]);
    marked || (at_port && (segment.syn || !segment.payload.is_empty()))
}
