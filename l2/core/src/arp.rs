//! ARP over Ethernet (RFC 826, RFC 5227) as values: frames in, frames out.
//!
//! Only IPv4 over Ethernet exists here; whatever else a frame says is an [`ArpProblem`]. Which frames deserve an answer
//! is decided in `responder`, not here. Called by `responder` and the announcer.
//!
//! ```text
//!  0      6      12     14    16    18 19 20    22     28    32     38    42
//!  | dst  | src  | 0806 | htype ptype |6|4| op  | SHA  | SPA | THA  | TPA |  padding to 60
//! ```
use std::net::Ipv4Addr;

use bytes::Bytes;
use pnet_packet::arp::{ArpHardwareTypes, ArpOperation, ArpPacket, MutableArpPacket};
use pnet_packet::ethernet::{EtherTypes, EthernetPacket, MutableEthernetPacket};
use pnet_packet::{MutablePacket, Packet};

use crate::types::MacAddr;

/// Shortest Ethernet frame without its checksum (IEEE 802.3): what we send is padded to it.
pub const FRAME_BYTES_MIN: usize = 60;

/// What an ARP packet does (RFC 826). All other operation codes are dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// 1.
    Request,
    /// 2.
    Reply,
}

/// An ARP packet with the Ethernet header around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arp {
    /// Ethernet destination.
    pub ether_destination: MacAddr,
    /// Ethernet source.
    pub ether_source: MacAddr,
    /// Request or reply.
    pub operation: Operation,
    /// SHA.
    pub sender_mac: MacAddr,
    /// SPA.
    pub sender: Ipv4Addr,
    /// THA.
    pub target_mac: MacAddr,
    /// TPA.
    pub target: Ipv4Addr,
}

/// Why a frame is not an ARP packet that we read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ArpProblem {
    /// Shorter than 42 bytes.
    #[error("the frame is too short")]
    Short,
    /// Another Ethertype (a second VLAN tag, for example).
    #[error("the frame is not of type 0x0806")]
    EtherType,
    /// htype ≠ 1, ptype ≠ 0x0800, hlen ≠ 6 or plen ≠ 4.
    #[error("the addresses are not IPv4 over Ethernet")]
    AddressKinds,
    /// op is neither 1 nor 2.
    #[error("the operation is neither request nor reply")]
    Operation,
    /// SHA is a group, broadcast or zero.
    #[error("the sender's hardware address is not a station")]
    SenderMac,
}

impl Arp {
    /// Reads a frame from its Ethernet header on; a trailer is ignored.
    ///
    /// # Errors
    /// When it is anything but a request or reply of IPv4 over Ethernet from a station.
    pub fn decode(frame: &[u8]) -> Result<Self, ArpProblem> {
        let ethernet = EthernetPacket::new(frame).ok_or(ArpProblem::Short)?;
        if ethernet.get_ethertype() != EtherTypes::Arp {
            return Err(ArpProblem::EtherType);
        }
        let arp = ArpPacket::new(ethernet.payload()).ok_or(ArpProblem::Short)?;
        if arp.get_hardware_type() != ArpHardwareTypes::Ethernet
            || arp.get_protocol_type() != EtherTypes::Ipv4
            || arp.get_hw_addr_len() != 6
            || arp.get_proto_addr_len() != 4
        {
            return Err(ArpProblem::AddressKinds);
        }
        let operation = match arp.get_operation() {
            ArpOperation(1) => Operation::Request,
            ArpOperation(2) => Operation::Reply,
            ArpOperation(_) => return Err(ArpProblem::Operation),
        };
        let sender_mac = MacAddr(arp.get_sender_hw_addr().octets());
        if !sender_mac.is_station() {
            return Err(ArpProblem::SenderMac);
        }
        Ok(Self {
            ether_destination: MacAddr(ethernet.get_destination().octets()),
            ether_source: MacAddr(ethernet.get_source().octets()),
            operation,
            sender_mac,
            sender: arp.get_sender_proto_addr(),
            target_mac: MacAddr(arp.get_target_hw_addr().octets()),
            target: arp.get_target_proto_addr(),
        })
    }

    /// The frame, padded to [`FRAME_BYTES_MIN`].
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut frame = vec![0; FRAME_BYTES_MIN];
        let mut ethernet =
            MutableEthernetPacket::new(&mut frame).expect("60 bytes hold an Ethernet header");
        ethernet.set_destination(self.ether_destination.0.into());
        ethernet.set_source(self.ether_source.0.into());
        ethernet.set_ethertype(EtherTypes::Arp);
        let mut arp = MutableArpPacket::new(ethernet.payload_mut()).expect("46 bytes hold ARP");
        arp.set_hardware_type(ArpHardwareTypes::Ethernet);
        arp.set_protocol_type(EtherTypes::Ipv4);
        arp.set_hw_addr_len(6);
        arp.set_proto_addr_len(4);
        arp.set_operation(match self.operation {
            Operation::Request => ArpOperation(1),
            Operation::Reply => ArpOperation(2),
        });
        arp.set_sender_hw_addr(self.sender_mac.0.into());
        arp.set_sender_proto_addr(self.sender);
        arp.set_target_hw_addr(self.target_mac.0.into());
        arp.set_target_proto_addr(self.target);
        Bytes::from(frame)
    }

    /// The announcement of RFC 5227 §3: a broadcast request, SPA = TPA. Every RFC 826 cache merges it.
    #[must_use]
    pub fn announcement(mac: MacAddr, address: Ipv4Addr) -> Self {
        Self {
            ether_destination: MacAddr::BROADCAST,
            ether_source: mac,
            operation: Operation::Request,
            sender_mac: mac,
            sender: address,
            target_mac: MacAddr::ZERO,
            target: address,
        }
    }

    /// The announcement as a broadcast reply. THA = SHA: with any other THA Linux does not see it as gratuitous, and
    /// drops it within a second of the last update (`arp_process` in net/ipv4/arp.c).
    #[must_use]
    pub fn announcement_as_reply(mac: MacAddr, address: Ipv4Addr) -> Self {
        Self {
            operation: Operation::Reply,
            target_mac: mac,
            ..Self::announcement(mac, address)
        }
    }

    /// An ordinary request from `address` to one host: it overrides and even creates the entry there, and earns a
    /// reply. Unicast where the host's Ethernet address is known.
    #[must_use]
    pub fn directed(mac: MacAddr, address: Ipv4Addr, host: Ipv4Addr, host_mac: MacAddr) -> Self {
        Self {
            ether_destination: host_mac,
            ether_source: mac,
            operation: Operation::Request,
            sender_mac: mac,
            sender: address,
            target_mac: MacAddr::ZERO,
            target: host,
        }
    }

    /// The answer to this request: unicast to SHA, whatever subnet SPA is in (0.0.0.0 of a probe too).
    #[must_use]
    pub fn answer(&self, mac: MacAddr) -> Self {
        Self {
            ether_destination: self.sender_mac,
            ether_source: mac,
            operation: Operation::Reply,
            sender_mac: mac,
            sender: self.target,
            target_mac: self.sender_mac,
            target: self.sender,
        }
    }
}

#[cfg(test)]
mod tests;
