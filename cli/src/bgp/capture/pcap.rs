//! The classic capture file (draft-ietf-opsawg-pcap): a header, then packets, each with its time
//! and two lengths.

use std::io::BufRead;

use jiff::Timestamp;

use super::{Capture, Link, Packet};
use crate::bgp::octets::{Octets, Order};
use crate::bgp::read::{ReadProblem, Source};
use crate::bgp::report::{Place, Report};

/// The longest packet that is believed: four times what tcpdump captures at most.
pub(super) const PACKET_MAX: u64 = 1 << 20;

/// What the magic number says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Form {
    order: Order,
    /// Nanoseconds in the second field of a time stamp's unit.
    unit_ns: i32,
}

impl Form {
    const fn from_magic(magic: [u8; 4]) -> Option<Self> {
        let (order, unit_ns) = match magic {
            [0xa1, 0xb2, 0xc3, 0xd4] => (Order::Big, 1_000),
            [0xa1, 0xb2, 0x3c, 0x4d] => (Order::Big, 1),
            [0xd4, 0xc3, 0xb2, 0xa1] => (Order::Little, 1_000),
            [0x4d, 0x3c, 0xb2, 0xa1] => (Order::Little, 1),
            _ => return None,
        };
        Some(Self { order, unit_ns })
    }
}

/// Whether a file that starts so is a classic capture.
pub(in crate::bgp) fn recognises(start: &[u8]) -> bool {
    start
        .first_chunk()
        .is_some_and(|magic| Form::from_magic(*magic).is_some())
}

/// Reads a whole file, and tells after each packet.
pub(in crate::bgp) fn read<R: BufRead>(
    source: &mut Source<R>,
    capture: &mut Capture,
    tell: &mut dyn FnMut(Report),
) -> Result<(), ReadProblem> {
    let header: [u8; 24] = source.array()?;
    let Some(form) = header
        .first_chunk()
        .and_then(|magic| Form::from_magic(*magic))
    else {
        return Ok(());
    };
    let mut fields = Octets::ordered(&header, form.order);
    let _version_zone_and_snaplen = fields.take(20);
    // The upper bits say something of frame check sequences.
    let number = fields.u32().unwrap_or(0) & 0x0fff_ffff;
    let Some(link) = Link::from_number(number) else {
        let mut report = Report::default();
        let place = Place::Offset { offset: 20 };
        report.trouble(&place, None, &unknown_link(number));
        tell(report);
        return Ok(());
    };
    while !source.at_end()? {
        let header: [u8; 16] = source.array()?;
        let mut fields = Octets::ordered(&header, form.order);
        let (seconds, fraction) = (fields.u32().unwrap_or(0), fields.u32().unwrap_or(0));
        let captured = fields.u32().unwrap_or(0);
        let octets = source.octets(u64::from(captured), PACKET_MAX)?;
        let nanoseconds = i32::try_from(fraction)
            .ok()
            .and_then(|fraction| fraction.checked_mul(form.unit_ns));
        let at = nanoseconds.and_then(|ns| Timestamp::new(i64::from(seconds), ns).ok());
        let mut report = Report::default();
        let packet = Packet {
            link,
            at,
            octets: &octets,
        };
        capture.packet(&packet, &mut report);
        tell(report);
    }
    Ok(())
}

/// What is said of an interface that is not read.
pub(super) fn unknown_link(number: u32) -> String {
    format!("link type {number} is not read; Ethernet, raw IP, loopback and Linux cooked are")
}
