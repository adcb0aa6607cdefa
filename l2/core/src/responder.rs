//! What a frame from the segment means for us: a total decision without side effects.
//!
//! Answers depend on four things only: our Ethernet addresses, the interface's own addresses, what we own on it, and
//! what else belongs on it. Limits, answers and defences are carried out by the announcer. A frame never takes an
//! address away from us: whoever forges one gets a question or a defence, not a service taken down.
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use crate::arp::{Arp, Operation};
use crate::ndp::{Body, Ndp};
use crate::types::MacAddr;

/// Our station on the segment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Station<'a> {
    /// The interface's Ethernet address.
    pub(crate) mac: MacAddr,
    /// Those of all our interfaces: two of them may hang on one segment.
    pub(crate) own_macs: &'a BTreeSet<MacAddr>,
    /// The interface's own addresses: the kernel's to answer for.
    pub(crate) addresses: &'a [IpNet],
    /// What we own here.
    pub(crate) held: &'a BTreeSet<IpAddr>,
    /// What belongs here, whoever owns it.
    pub(crate) wanted: &'a BTreeSet<IpAddr>,
}

/// What a well-formed frame means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// To another station (the interface is promiscuous): not for us.
    Elsewhere,
    /// Our own frame came back.
    Looped,
    /// Asks for something nobody can own.
    IllegalTarget,
    /// Nothing that concerns our addresses. `from` was heard.
    Chatter { from: IpAddr },
    /// Somebody asks for an address that belongs here.
    Question(Question),
    /// Another station uses an address that we own.
    Used { address: IpAddr, mac: MacAddr },
}

/// A question for an address that belongs here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) address: IpAddr,
    pub(crate) owned: Owned,
    /// Where the answer goes.
    pub(crate) mac: MacAddr,
    /// The asker's address; `None` for probes.
    pub(crate) asker: Option<IpAddr>,
    /// What else is to be noted about it.
    pub(crate) manner: Manner,
}

/// Whose address it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owned {
    Here,
    Elsewhere,
}

/// How a question was put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    Ordinary,
    /// The Ethernet source is not the sender in the body.
    SenderMismatch,
    /// Duplicate address detection (RFC 4862 §5.4): the asker is about to use the address.
    Duplicate,
}

/// Meaning of an ARP packet.
pub(crate) fn arp_meaning(arp: &Arp, station: &Station<'_>) -> Meaning {
    if station.own_macs.contains(&arp.sender_mac) {
        return Meaning::Looped;
    }
    if arp.ether_destination != MacAddr::BROADCAST && arp.ether_destination != station.mac {
        return Meaning::Elsewhere;
    }
    let (sender, target) = (IpAddr::V4(arp.sender), IpAddr::V4(arp.target));
    // RFC 5227 §2.4: any packet with our address as sender is a use of it, whatever else it asks.
    if station.held.contains(&sender) && !station.is_own(sender) {
        return Meaning::Used {
            address: sender,
            mac: arp.sender_mac,
        };
    }
    match arp.operation {
        Operation::Reply => Meaning::Chatter { from: sender },
        Operation::Request if !is_unicast(arp.target) => Meaning::IllegalTarget,
        // SPA = TPA is an announcement, not a question.
        Operation::Request if sender == target || !station.belongs(target) => {
            Meaning::Chatter { from: sender }
        }
        Operation::Request => Meaning::Question(Question {
            address: target,
            owned: station.owned(target),
            mac: arp.sender_mac,
            asker: (!arp.sender.is_unspecified()).then_some(sender),
            manner: match arp.ether_source == arp.sender_mac {
                true => Manner::Ordinary,
                false => Manner::SenderMismatch,
            },
        }),
    }
}

/// Meaning of a Neighbor Solicitation or Advertisement.
pub(crate) fn ndp_meaning(ndp: &Ndp, station: &Station<'_>) -> Meaning {
    let claims_mac = ndp.link_layer.unwrap_or(ndp.ether_source);
    if station.own_macs.contains(&ndp.ether_source) || station.own_macs.contains(&claims_mac) {
        return Meaning::Looped;
    }
    let [first, second, ..] = ndp.ether_destination.0;
    let group = (first, second) == (0x33, 0x33);
    if !group && ndp.ether_destination != station.mac {
        return Meaning::Elsewhere;
    }
    let (source, target) = (IpAddr::V6(ndp.source), IpAddr::V6(ndp.target));
    let held = |address: IpAddr| station.held.contains(&address) && !station.is_own(address);
    if held(source) {
        return Meaning::Used {
            address: source,
            mac: claims_mac,
        };
    }
    match ndp.body {
        Body::Advertisement(_) if held(target) => Meaning::Used {
            address: target,
            mac: claims_mac,
        },
        Body::Advertisement(_) => Meaning::Chatter { from: source },
        Body::Solicitation if !station.belongs(target) => Meaning::Chatter { from: source },
        Body::Solicitation => Meaning::Question(Question {
            address: target,
            owned: station.owned(target),
            mac: ndp.asker_mac(),
            asker: (!ndp.source.is_unspecified()).then_some(source),
            manner: match (
                ndp.source.is_unspecified(),
                ndp.asker_mac() == ndp.ether_source,
            ) {
                (true, _) => Manner::Duplicate,
                (false, true) => Manner::Ordinary,
                (false, false) => Manner::SenderMismatch,
            },
        }),
    }
}

impl Station<'_> {
    fn is_own(&self, address: IpAddr) -> bool {
        self.addresses
            .iter()
            .any(|network| network.addr() == address)
    }

    fn belongs(&self, address: IpAddr) -> bool {
        (self.held.contains(&address) || self.wanted.contains(&address)) && !self.is_own(address)
    }

    fn owned(&self, address: IpAddr) -> Owned {
        if self.held.contains(&address) {
            Owned::Here
        } else {
            Owned::Elsewhere
        }
    }
}

/// Whether an address can be asked for at all.
fn is_unicast(address: Ipv4Addr) -> bool {
    !(address.is_unspecified()
        || address.is_broadcast()
        || address.is_multicast()
        || address.is_loopback())
}
