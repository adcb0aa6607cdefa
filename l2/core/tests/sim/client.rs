//! A station of the segment that uses the addresses: its neighbour cache as Linux keeps it (net/ipv4/arp.c and
//! net/ipv6/ndisc.c, behaviour measured on kernel 6.18), and how it comes to ask.
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ringbolt_l2::arp::{Arp, Operation};
use ringbolt_l2::ndp::{Body, Ndp};
use ringbolt_l2::types::MacAddr;

/// An entry younger than this is not moved by what does not count as gratuitous (`locktime`).
const LOCKTIME: Duration = Duration::from_secs(1);
/// An entry older than this is checked by unicast.
const REACHABLE: Duration = Duration::from_secs(30);
/// An unanswered check is given up after this.
const CHECK: Duration = Duration::from_secs(3);

#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) mac: MacAddr,
    updated: Instant,
    checking: Option<Instant>,
}

/// One station.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) mac: MacAddr,
    pub(crate) ipv4: std::net::Ipv4Addr,
    pub(crate) ipv6: std::net::Ipv6Addr,
    pub(crate) cache: BTreeMap<IpAddr, Entry>,
}

/// How a frame touches an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Touch {
    /// Moves it whatever its age.
    Move,
    /// Moves it when it is older than the lock time.
    MoveIfUnlocked,
    /// Moves it or makes it.
    Create,
}

impl Client {
    /// Takes in a frame; gives back the answer to a question for the client's own address.
    pub(crate) fn take(&mut self, frame: &[u8], now: Instant) -> Option<Bytes> {
        if let Ok(arp) = Arp::decode(frame) {
            return self.take_arp(&arp, now);
        }
        let ndp = Ndp::decode(frame).ok()?;
        self.take_ndp(&ndp, now)
    }

    fn take_arp(&mut self, arp: &Arp, now: Instant) -> Option<Bytes> {
        let address = IpAddr::V4(arp.sender);
        if arp.sender.is_unspecified() {
            return (arp.target == self.ipv4).then(|| arp.answer(self.mac).encode());
        }
        let mine = arp.target == self.ipv4;
        let gratuitous = match arp.operation {
            Operation::Request => arp.sender == arp.target,
            Operation::Reply => arp.sender == arp.target && arp.target_mac == arp.sender_mac,
        };
        let touch = match arp.operation {
            Operation::Request if mine => Touch::Create,
            _ if gratuitous => Touch::Move,
            Operation::Request | Operation::Reply => Touch::MoveIfUnlocked,
        };
        let asked = arp.operation == Operation::Reply && mine && !self.cache.contains_key(&address);
        self.touch(
            address,
            arp.sender_mac,
            if asked { Touch::Create } else { touch },
            now,
        );
        (arp.operation == Operation::Request && mine).then(|| arp.answer(self.mac).encode())
    }

    fn take_ndp(&mut self, ndp: &Ndp, now: Instant) -> Option<Bytes> {
        match ndp.body {
            Body::Advertisement(flags) => {
                let address = IpAddr::V6(ndp.target);
                let asked = ndp.destination == self.ipv6 && !self.cache.contains_key(&address);
                if let Some(mac) = ndp.link_layer.filter(|_| flags.overrides) {
                    self.touch(
                        address,
                        mac,
                        if asked { Touch::Create } else { Touch::Move },
                        now,
                    );
                }
                None
            }
            Body::Solicitation => {
                if let Some(mac) = ndp.link_layer {
                    self.touch(IpAddr::V6(ndp.source), mac, Touch::Create, now);
                }
                let mine = ndp.target == self.ipv6;
                mine.then(|| ndp.answer(self.mac, self.ipv6).encode())
            }
        }
    }

    fn touch(&mut self, address: IpAddr, mac: MacAddr, touch: Touch, now: Instant) {
        let fresh = Entry {
            mac,
            updated: now,
            checking: None,
        };
        match self.cache.get_mut(&address) {
            None if touch == Touch::Create => drop(self.cache.insert(address, fresh)),
            None => {}
            Some(entry) if entry.mac == mac || entry.checking.is_some() => *entry = fresh,
            Some(entry) => {
                let locked = now.saturating_duration_since(entry.updated) < LOCKTIME;
                if touch != Touch::MoveIfUnlocked || !locked {
                    *entry = fresh;
                }
            }
        }
    }

    /// Wants to send to `address`: gives back the question it has to ask for that.
    pub(crate) fn use_address(&mut self, address: IpAddr, now: Instant) -> Option<Bytes> {
        let checked = match self.cache.get_mut(&address) {
            None => None,
            Some(entry) if now.saturating_duration_since(entry.updated) < REACHABLE => return None,
            Some(entry) => {
                let since = *entry.checking.get_or_insert(now);
                (now.saturating_duration_since(since) < CHECK).then_some(entry.mac)
            }
        };
        if checked.is_none() {
            self.cache.remove(&address);
        }
        Some(match address {
            IpAddr::V4(address) => Arp::directed(
                self.mac,
                self.ipv4,
                address,
                checked.unwrap_or(MacAddr::BROADCAST),
            )
            .encode(),
            IpAddr::V6(address) => Ndp::directed(self.mac, self.ipv6, address, checked).encode(),
        })
    }
}
