//! A node: its process, its kernel, and what it has seen of the endpoints.
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use bytes::Bytes;
use ringbolt_l2::announcer::{Announcer, Event, Link as Carrier};
use ringbolt_l2::arp::{Arp, Operation};
use ringbolt_l2::types::{MacAddr, NodeName};

use super::Carried;

#[derive(Debug)]
pub(crate) enum Life {
    Running,
    /// The process is stopped; what arrives waits.
    Paused {
        inbox: VecDeque<Carried>,
        until: Instant,
    },
    /// The process is dead, its kernel answers for the node.
    Crashed,
    /// Everything is dead.
    Off,
}

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) name: NodeName,
    pub(crate) mac: MacAddr,
    pub(crate) ipv4: Ipv4Addr,
    pub(crate) announcer: Announcer,
    pub(crate) life: Life,
    pub(crate) carrier: Carrier,
    pub(crate) draining: bool,
    pub(crate) incarnation: u64,
    /// Endpoints of `Local` addresses as this node has seen them.
    pub(super) views: BTreeMap<IpAddr, (BTreeSet<usize>, u64)>,
    /// Addresses that it answers for.
    pub(crate) answering: BTreeSet<IpAddr>,
    pub(super) ever_owned: BTreeSet<IpAddr>,
    pub(super) wake: Option<Instant>,
    pub(super) ticks_at: (Instant, u32),
    pub(crate) events: Vec<(Instant, Event)>,
}

impl Node {
    pub(super) fn new(index: usize, now: Instant) -> Self {
        let number = u8::try_from(index).unwrap() + 10;
        Self {
            name: NodeName::new(&format!("node-{index}")).unwrap(),
            mac: MacAddr([2, 0, 0, 0, 0, number]),
            ipv4: Ipv4Addr::new(10, 0, 0, number),
            announcer: Announcer::new(),
            life: Life::Off,
            carrier: Carrier::Up,
            draining: false,
            incarnation: 1,
            views: BTreeMap::new(),
            answering: BTreeSet::new(),
            ever_owned: BTreeSet::new(),
            wake: None,
            ticks_at: (now, 0),
            events: Vec::new(),
        }
    }

    /// The kernel answers for the node's own address, whatever the process does.
    pub(super) fn kernel_answer(&self, frame: &[u8]) -> Option<Bytes> {
        let arp = Arp::decode(frame).ok()?;
        let asked = arp.operation == Operation::Request && arp.target == self.ipv4;
        (asked && arp.sender != arp.target).then(|| arp.answer(self.mac).encode())
    }
}
