//! The newer capture file (draft-ietf-opsawg-pcapng): sections of blocks, of which interfaces and
//! packets are read and all others skipped.

use std::io::BufRead;

use jiff::Timestamp;

use super::pcap::{PACKET_MAX, unknown_link};
use super::{Capture, Link, Packet};
use crate::bgp::octets::{Octets, Order};
use crate::bgp::read::{ReadProblem, Source};
use crate::bgp::report::{Place, Report};

const SECTION: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
const INTERFACE: u32 = 1;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;
/// The option of an interface that says in what unit its times are.
const OPTION_RESOLUTION: u16 = 9;
/// Interfaces of one section that are remembered.
const INTERFACES_MAX: usize = 4_096;
/// Octets of a block around the packet: fixed fields, and options that nobody reads.
const BLOCK_MAX: u64 = PACKET_MAX + 65_536;

/// An interface of the section.
#[derive(Clone, Copy, Debug)]
struct Interface {
    /// `None` where its packets are not read.
    link: Option<Link>,
    /// Time stamps per second; `None` where the unit is out of reason.
    per_second: Option<u64>,
}

/// Whether a file that starts so is a capture of this form.
pub(in crate::bgp) fn recognises(start: &[u8]) -> bool {
    start.starts_with(&SECTION)
}

/// Reads a whole file, and tells after each packet.
pub(in crate::bgp) fn read<R: BufRead>(
    source: &mut Source<R>,
    capture: &mut Capture,
    tell: &mut dyn FnMut(Report),
) -> Result<(), ReadProblem> {
    let mut order = Order::Big;
    let mut interfaces = Vec::new();
    while !source.at_end()? {
        let offset = source.offset();
        let header: [u8; 8] = source.array()?;
        let mut report = Report::default();
        if header.starts_with(&SECTION) {
            let magic: [u8; 4] = source.array()?;
            order = match magic {
                [0x1a, 0x2b, 0x3c, 0x4d] => Order::Big,
                [0x4d, 0x3c, 0x2b, 0x1a] => Order::Little,
                _ => return broken(offset, "not the start of a section", tell),
            };
            interfaces.clear();
        }
        let mut fields = Octets::ordered(&header, order);
        let kind = fields.u32().unwrap_or(0);
        let length = u64::from(fields.u32().unwrap_or(0));
        // Type, both lengths, and what has been read of it.
        let read = source.offset() - offset;
        let Some(left) = length.checked_sub(read + 4).filter(|left| left % 4 == 0) else {
            return broken(offset, "a block with an impossible length", tell);
        };
        match kind {
            INTERFACE => {
                let body = source.octets(left, BLOCK_MAX)?;
                let body = Octets::ordered(&body, order);
                let place = Place::Offset { offset };
                if interfaces.len() == INTERFACES_MAX {
                    return broken(offset, "too many interfaces", tell);
                }
                interfaces.push(interface(body, &place, &mut report));
            }
            ENHANCED_PACKET | SIMPLE_PACKET => {
                let body = source.octets(left, BLOCK_MAX)?;
                let body = Octets::ordered(&body, order);
                let packet = match kind {
                    ENHANCED_PACKET => enhanced(body, &interfaces),
                    _ => simple(body, &interfaces),
                };
                match packet {
                    Some(packet) => capture.packet(&packet, &mut report),
                    None => capture.packets += 1,
                }
            }
            _ => source.skip(left)?,
        }
        source.array::<4>()?;
        tell(report);
    }
    Ok(())
}

/// What follows cannot be found.
fn broken(
    offset: u64,
    problem: &'static str,
    tell: &mut dyn FnMut(Report),
) -> Result<(), ReadProblem> {
    let mut report = Report::default();
    report.trouble(&Place::Offset { offset }, None, &problem);
    tell(report);
    Ok(())
}

fn interface(mut body: Octets<'_>, place: &Place, report: &mut Report) -> Interface {
    let number = body.u16().map_or(0, u32::from);
    let link = Link::from_number(number);
    if link.is_none() {
        report.trouble(place, None, &unknown_link(number));
    }
    // Reserved, and the longest packet.
    let _fixed = body.take(6);
    let mut per_second = Some(1_000_000);
    while let (Some(code), Some(length)) = (body.u16(), body.u16()) {
        let Some(value) = body.take(usize::from(length).next_multiple_of(4)) else {
            break;
        };
        if let (OPTION_RESOLUTION, Some(resolution)) = (code, value.first()) {
            let exponent = u32::from(resolution & 0x7f);
            let base: u64 = if resolution & 0x80 == 0 { 10 } else { 2 };
            per_second = base.checked_pow(exponent);
        }
    }
    Interface { link, per_second }
}

fn enhanced<'a>(mut body: Octets<'a>, interfaces: &[Interface]) -> Option<Packet<'a>> {
    let interface = interfaces.get(usize::try_from(body.u32()?).ok()?)?;
    let (high, low) = (u64::from(body.u32()?), u64::from(body.u32()?));
    let captured = usize::try_from(body.u32()?).ok()?;
    body.u32()?;
    Some(Packet {
        link: interface.link?,
        at: time(high << 32 | low, interface.per_second),
        octets: body.take(captured)?,
    })
}

/// A packet of the first interface, without a time; what is padding, its IP header tells.
fn simple<'a>(mut body: Octets<'a>, interfaces: &[Interface]) -> Option<Packet<'a>> {
    body.u32()?;
    Some(Packet {
        link: interfaces.first()?.link?,
        at: None,
        octets: body.rest(),
    })
}

fn time(stamp: u64, per_second: Option<u64>) -> Option<Timestamp> {
    let per_second = per_second?;
    let seconds = i64::try_from(stamp / per_second).ok()?;
    let part = u128::from(stamp % per_second) * 1_000_000_000 / u128::from(per_second);
    Timestamp::new(seconds, i32::try_from(part).ok()?).ok()
}
