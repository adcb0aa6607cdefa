//! Neighbor Solicitation and Advertisement (RFC 4861, RFC 4862) as values: frames in, frames out.
//!
//! Decoding is strict as §7.1 of RFC 4861 demands: hop limit, checksum, code, lengths and options that would make a host
//! ignore the message make it an [`NdpProblem`]. Extension headers before ICMPv6 are not accepted (RFC 6980). Which
//! messages deserve an answer is decided in `responder`.
//!
//! ```text
//!  0      14                       54     55     56         58     62                    78
//!  | eth  | IPv6 header, next = 58 | type | code | checksum | flags | target (16 bytes)  | options …
//! ```
use std::net::Ipv6Addr;

use bytes::Bytes;
use pnet_packet::ethernet::{EtherTypes, EthernetPacket, MutableEthernetPacket};
use pnet_packet::icmpv6::ndp::{MutableNeighborAdvertPacket, MutableNeighborSolicitPacket};
use pnet_packet::icmpv6::{Icmpv6Code, Icmpv6Packet, Icmpv6Types, checksum};
use pnet_packet::ip::IpNextHeaderProtocols;
use pnet_packet::ipv6::{Ipv6Packet, MutableIpv6Packet};
use pnet_packet::{MutablePacket, Packet};

use crate::types::MacAddr;

/// All nodes on the link (RFC 4291 §2.7.1).
pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

const ETHERNET_HEADER_BYTES: usize = 14;
const IPV6_HEADER_BYTES: usize = 40;
/// Type, code, checksum, flags or reserved, target.
const MESSAGE_BYTES: usize = 24;
/// A link-layer address option for Ethernet: type, length 1 (in units of 8 bytes), address.
const OPTION_BYTES: usize = 8;
const SOURCE_LINK_LAYER: u8 = 1;
const TARGET_LINK_LAYER: u8 = 2;

/// A message with the headers around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ndp {
    /// Ethernet destination.
    pub ether_destination: MacAddr,
    /// Ethernet source.
    pub ether_source: MacAddr,
    /// IPv6 source; `::` in duplicate address detection.
    pub source: Ipv6Addr,
    /// IPv6 destination.
    pub destination: Ipv6Addr,
    /// The address that is asked for, or about.
    pub target: Ipv6Addr,
    /// Solicitation or advertisement.
    pub body: Body,
    /// The link-layer address option: of the source in a solicitation, of the target in an advertisement.
    pub link_layer: Option<MacAddr>,
}

/// The two messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// "Who has target?"
    Solicitation,
    /// "Target is at."
    Advertisement(Flags),
}

/// Flags of an advertisement (RFC 4861 §4.4). R is never set by us: a Service address is no router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flags {
    /// S: answers a solicitation.
    pub solicited: bool,
    /// O: overrides what is cached.
    pub overrides: bool,
}

/// Why a frame is not a message that we read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NdpProblem {
    /// Shorter than its headers say, or than a message must be.
    #[error("the frame is too short")]
    Short,
    /// Another Ethertype.
    #[error("the frame is not of type 0x86dd")]
    EtherType,
    /// Next header is not ICMPv6: another protocol, a fragment, an extension header.
    #[error("the next header is not ICMPv6")]
    NextHeader,
    /// Hop limit is not 255: it came from beyond the link.
    #[error("the hop limit is not 255")]
    HopLimit,
    /// Type is neither 135 nor 136.
    #[error("neither a solicitation nor an advertisement")]
    Kind,
    /// Code is not 0.
    #[error("the code is not 0")]
    Code,
    /// The checksum is wrong.
    #[error("the checksum is wrong")]
    Checksum,
    /// Target is multicast.
    #[error("the target is a multicast address")]
    Target,
    /// An option has length 0 or ends beyond the message.
    #[error("an option has a wrong length")]
    Option,
    /// A link-layer address option, or the Ethernet source, is not a station.
    #[error("a link-layer address is not a station")]
    LinkLayer,
    /// Duplicate address detection with a source option, or to another destination than the solicited-node group; a
    /// multicast source; an advertisement that claims to answer a multicast.
    #[error("the addresses contradict each other")]
    Addresses,
}

/// The solicited-node group of an address (RFC 4291 §2.7.1).
#[must_use]
pub fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = address.octets();
    Ipv6Addr::new(
        0xff02,
        0,
        0,
        0,
        0,
        1,
        0xff00 | u16::from(a),
        u16::from_be_bytes([b, c]),
    )
}

impl Ndp {
    /// Reads a frame from its Ethernet header on; what follows the IPv6 payload is ignored.
    ///
    /// # Errors
    /// When a host would have to ignore it.
    pub fn decode(frame: &[u8]) -> Result<Self, NdpProblem> {
        let ethernet = EthernetPacket::new(frame).ok_or(NdpProblem::Short)?;
        if ethernet.get_ethertype() != EtherTypes::Ipv6 {
            return Err(NdpProblem::EtherType);
        }
        let ether_source = MacAddr(ethernet.get_source().octets());
        if !ether_source.is_station() {
            return Err(NdpProblem::LinkLayer);
        }
        let ipv6 = Ipv6Packet::new(ethernet.payload()).ok_or(NdpProblem::Short)?;
        if ipv6.get_next_header() != IpNextHeaderProtocols::Icmpv6 {
            return Err(NdpProblem::NextHeader);
        }
        if ipv6.get_hop_limit() != 255 {
            return Err(NdpProblem::HopLimit);
        }
        let length = usize::from(ipv6.get_payload_length());
        let message = ethernet
            .payload()
            .get(IPV6_HEADER_BYTES..IPV6_HEADER_BYTES + length)
            .ok_or(NdpProblem::Short)?;
        let (source, destination) = (ipv6.get_source(), ipv6.get_destination());
        let (body, target, options) = decode_message(message, source, destination)?;
        let ndp = Self {
            ether_destination: MacAddr(ethernet.get_destination().octets()),
            ether_source,
            source,
            destination,
            target,
            body,
            link_layer: find_link_layer(options, body)?,
        };
        ndp.check_addresses()?;
        Ok(ndp)
    }

    fn check_addresses(&self) -> Result<(), NdpProblem> {
        if self.target.is_multicast() {
            return Err(NdpProblem::Target);
        }
        let consistent = match self.body {
            Body::Solicitation if self.source.is_unspecified() => {
                self.link_layer.is_none() && self.destination == solicited_node(self.target)
            }
            Body::Solicitation => true,
            Body::Advertisement(flags) => !(flags.solicited && self.destination.is_multicast()),
        };
        match consistent && !self.source.is_multicast() {
            true => Ok(()),
            false => Err(NdpProblem::Addresses),
        }
    }

    /// The frame. A message with its option is longer than the Ethernet minimum, so nothing is padded.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let option = if self.link_layer.is_some() {
            OPTION_BYTES
        } else {
            0
        };
        let payload = MESSAGE_BYTES + option;
        let mut frame = vec![0; ETHERNET_HEADER_BYTES + IPV6_HEADER_BYTES + payload];
        let mut ethernet =
            MutableEthernetPacket::new(&mut frame).expect("the buffer holds an Ethernet header");
        ethernet.set_destination(self.ether_destination.0.into());
        ethernet.set_source(self.ether_source.0.into());
        ethernet.set_ethertype(EtherTypes::Ipv6);
        let mut ipv6 = MutableIpv6Packet::new(ethernet.payload_mut())
            .expect("the buffer holds an IPv6 header");
        ipv6.set_version(6);
        ipv6.set_payload_length(u16::try_from(payload).expect("24 or 32 bytes"));
        ipv6.set_next_header(IpNextHeaderProtocols::Icmpv6);
        ipv6.set_hop_limit(255);
        ipv6.set_source(self.source);
        ipv6.set_destination(self.destination);
        self.encode_message(ipv6.payload_mut());
        Bytes::from(frame)
    }

    fn encode_message(&self, message: &mut [u8]) {
        let option_type = match self.body {
            Body::Solicitation => {
                let mut solicit = MutableNeighborSolicitPacket::new(message)
                    .expect("the buffer holds a solicitation");
                solicit.set_icmpv6_type(Icmpv6Types::NeighborSolicit);
                solicit.set_target_addr(self.target);
                SOURCE_LINK_LAYER
            }
            Body::Advertisement(flags) => {
                let mut advert = MutableNeighborAdvertPacket::new(message)
                    .expect("the buffer holds an advertisement");
                advert.set_icmpv6_type(Icmpv6Types::NeighborAdvert);
                advert
                    .set_flags((u8::from(flags.solicited) << 6) | (u8::from(flags.overrides) << 5));
                advert.set_target_addr(self.target);
                TARGET_LINK_LAYER
            }
        };
        if let Some(mac) = self.link_layer {
            message[MESSAGE_BYTES] = option_type;
            message[MESSAGE_BYTES + 1] = 1;
            message[MESSAGE_BYTES + 2..MESSAGE_BYTES + OPTION_BYTES].copy_from_slice(&mac.0);
        }
        let view = Icmpv6Packet::new(message).expect("the buffer holds an ICMPv6 header");
        let sum = checksum(&view, &self.source, &self.destination);
        message[2..4].copy_from_slice(&sum.to_be_bytes());
    }

    /// The unsolicited advertisement of a takeover: to all nodes, S = 0, O = 1, R = 0 (RFC 4861 §7.2.6).
    #[must_use]
    pub fn announcement(mac: MacAddr, source: Ipv6Addr, address: Ipv6Addr) -> Self {
        Self {
            ether_destination: MacAddr::of_ipv6_group(ALL_NODES),
            ether_source: mac,
            source,
            destination: ALL_NODES,
            target: address,
            body: Body::Advertisement(Flags {
                solicited: false,
                overrides: true,
            }),
            link_layer: Some(mac),
        }
    }

    /// A solicitation from `address` to one host, by unicast where its Ethernet address is known, else to its
    /// solicited-node group: the source option overrides and even creates the entry for `address` there.
    #[must_use]
    pub fn directed(
        mac: MacAddr,
        address: Ipv6Addr,
        host: Ipv6Addr,
        host_mac: Option<MacAddr>,
    ) -> Self {
        let group = solicited_node(host);
        Self {
            ether_destination: host_mac.unwrap_or_else(|| MacAddr::of_ipv6_group(group)),
            ether_source: mac,
            source: address,
            destination: if host_mac.is_some() { host } else { group },
            target: host,
            body: Body::Solicitation,
            link_layer: Some(mac),
        }
    }

    /// The answer to this solicitation, from `source`: to the asker, S = 1, O = 1; to duplicate address detection, to
    /// all nodes, S = 0 (RFC 4861 §7.2.4).
    #[must_use]
    pub fn answer(&self, mac: MacAddr, source: Ipv6Addr) -> Self {
        if self.source.is_unspecified() {
            return Self::announcement(mac, source, self.target);
        }
        Self {
            ether_destination: self.asker_mac(),
            ether_source: mac,
            source,
            destination: self.source,
            target: self.target,
            body: Body::Advertisement(Flags {
                solicited: true,
                overrides: true,
            }),
            link_layer: Some(mac),
        }
    }

    /// Where an answer goes: the source option, else the Ethernet source (RFC 4861 §7.2.3 allows a unicast
    /// solicitation without the option).
    #[must_use]
    pub fn asker_mac(&self) -> MacAddr {
        match self.body {
            Body::Solicitation => self.link_layer.unwrap_or(self.ether_source),
            Body::Advertisement(_) => self.ether_source,
        }
    }
}

/// Type, code, checksum, target; gives back the options.
fn decode_message(
    message: &[u8],
    source: Ipv6Addr,
    destination: Ipv6Addr,
) -> Result<(Body, Ipv6Addr, &[u8]), NdpProblem> {
    let (head, options) = message
        .split_at_checked(MESSAGE_BYTES)
        .ok_or(NdpProblem::Short)?;
    let icmpv6 = Icmpv6Packet::new(message).ok_or(NdpProblem::Short)?;
    let body = match icmpv6.get_icmpv6_type() {
        Icmpv6Types::NeighborSolicit => Body::Solicitation,
        Icmpv6Types::NeighborAdvert => Body::Advertisement(Flags {
            solicited: head[4] & 0x40 != 0,
            overrides: head[4] & 0x20 != 0,
        }),
        _ => return Err(NdpProblem::Kind),
    };
    if icmpv6.get_icmpv6_code() != Icmpv6Code(0) {
        return Err(NdpProblem::Code);
    }
    if checksum(&icmpv6, &source, &destination) != icmpv6.get_checksum() {
        return Err(NdpProblem::Checksum);
    }
    let target: [u8; 16] = head[8..].try_into().expect("24 - 8 = 16 bytes");
    Ok((body, Ipv6Addr::from(target), options))
}

/// Walks all options, so that a bad one spoils the message wherever it stands; unknown ones are skipped.
fn find_link_layer(mut options: &[u8], body: Body) -> Result<Option<MacAddr>, NdpProblem> {
    let wanted = match body {
        Body::Solicitation => SOURCE_LINK_LAYER,
        Body::Advertisement(_) => TARGET_LINK_LAYER,
    };
    let mut found = None;
    while let [kind, units, ..] = *options {
        let length = usize::from(units) * OPTION_BYTES;
        let (option, rest) = match length {
            0 => return Err(NdpProblem::Option),
            _ => options.split_at_checked(length).ok_or(NdpProblem::Option)?,
        };
        if kind == wanted && length == OPTION_BYTES {
            let mac = MacAddr(option[2..].try_into().expect("8 - 2 = 6 bytes"));
            if !mac.is_station() {
                return Err(NdpProblem::LinkLayer);
            }
            found.get_or_insert(mac);
        }
        options = rest;
    }
    match options.is_empty() {
        true => Ok(found),
        false => Err(NdpProblem::Option),
    }
}

#[cfg(test)]
mod tests;
