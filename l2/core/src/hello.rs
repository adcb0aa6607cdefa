//! What speakers tell each other: the content of a sealed frame, as values and as bytes.
//!
//! A [`Message`] names its sender and carries records: the hello itself, the sender's eligibility, claims, releases,
//! questions. The format knows nothing of the transport and nothing of the seal (that is `l2/net`); it is versioned, and
//! a reader skips records that it does not know. What a record *means* is decided in `liveness` and `claim`.
//!
//! ```text
//! | "RB" | version | cluster (16) | node (length, bytes) | incarnation (8) | instance (8) | sequence (8) | records … |
//! record: | kind (1) | length (2) | body |                                        all numbers in network order
//! ```
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use crate::owner::text_seed;
use crate::types::{
    AdvertisementName, ClusterId, Epoch, Incarnation, Instance, KeyId, MacAddr, NodeName, Standing,
    View,
};

mod codec;
mod reader;

pub(crate) use codec::Packer;
pub use codec::{DecodeError, decode, encode};

/// Version of the format; a frame of another one is not read.
pub const VERSION: u8 = 1;
/// Longest plaintext that is read, in bytes: what an Ethernet frame of 1,500 can carry.
pub const READ_BYTES_MAX: usize = 1_500;
/// Key ids in one hello.
pub const KEYS_MAX: usize = 16;
/// Interface addresses in one hello.
pub const ADDRESSES_MAX: usize = 16;
/// Entries in one eligibility record.
pub const ENTRIES_MAX: usize = 20;
/// Intervals that a hello may state.
pub const INTERVAL_MIN: Duration = Duration::from_millis(100);
/// The longest of them: 5,000 nodes at 100 a second, and room.
pub const INTERVAL_MAX: Duration = Duration::from_secs(120);

/// Everything in one sealed frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Who says it.
    pub sender: Sender,
    /// What.
    pub records: Vec<Record>,
}

/// Who sent a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// Its cluster.
    pub cluster: ClusterId,
    /// Its node.
    pub node: NodeName,
    /// The life of its process.
    pub incarnation: Incarnation,
    /// Its process.
    pub instance: Instance,
    /// Grows with each message of the instance.
    pub sequence: u64,
}

/// One statement or question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// "I am here."
    Hello(Hello),
    /// "These advertisements allow me": part of a list.
    Eligibility(Eligibility),
    /// "I own this address on this segment."
    Claim(Claim),
    /// "I owned this address and do not any more."
    Release(Release),
    /// The claims after this one in the message are part of everything that the sender holds.
    Listing(Listing),
    /// "List what you hold", to one node.
    AskNode(NodeName),
    /// "Does anybody own this address?" Owners claim again.
    AskAddress(IpAddr),
    /// "I have heard you with this counter": to a node that lost its own.
    Counter(CounterKnown),
}

/// The heartbeat of a node on one segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// The next one comes within this time.
    pub interval: Duration,
    /// What the node is about to do.
    pub flags: HelloFlags,
    /// Its Ethernet address on this segment.
    pub mac: MacAddr,
    /// Number of addresses it holds on this segment.
    pub held: u32,
    /// Digest of these addresses and their epochs: who computes another one has missed something.
    pub digest: u64,
    /// Identifies its list of eligibilities.
    pub eligibility: u64,
    /// Keys it can read.
    pub keys: BTreeSet<KeyId>,
    /// Addresses of its interface with their on-link prefixes.
    pub addresses: Vec<IpNet>,
}

/// What a node is about to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HelloFlags {
    /// Listens and takes nothing yet.
    pub joining: bool,
    /// Wants to be relieved of what it holds, and takes nothing.
    pub draining: bool,
    /// This is its last message.
    pub leaving: bool,
}

/// Part of a node's list of the advertisements that allow it to announce on this segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Eligibility {
    /// The list that this is part of: equal to that of the hello.
    pub list: u64,
    /// Which part, from 0.
    pub part: u8,
    /// How many there are.
    pub parts: u8,
    /// The entries.
    pub entries: Vec<Eligible>,
}

/// One advertisement that allows the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Eligible {
    /// Which.
    pub advertisement: AdvertisementId,
    /// With what standing.
    pub standing: Standing,
    /// For which addresses.
    pub scope: Scope,
}

/// For which of its addresses an advertisement allows a node on a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// All: it names the interface.
    Named,
    /// Those whose longest on-link prefix is of this interface: it names no interface.
    OnLink,
    /// As `OnLink`, and those that no prefix matches: the default routes leave here.
    Default,
}

/// An advertisement on the wire: 64 bits of its name, so that a list of many fits few frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AdvertisementId(pub u64);

impl AdvertisementId {
    /// The id of a name.
    #[must_use]
    pub fn of(name: &AdvertisementName) -> Self {
        Self(text_seed(name.as_str()))
    }
}

/// Ownership of an address on the segment where the message is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The address.
    pub address: IpAddr,
    /// Which claim of it this is.
    pub epoch: Epoch,
    /// The endpoints it rests on; `None` where they do not matter or are not known.
    pub view: Option<View>,
    /// The claimant's standing: all that hear two equal epochs compare the same numbers.
    pub standing: Standing,
    /// How often the address changed owners in the last 180 s, as the claimant knows: who has just come must not add
    /// a move that the network would take for a duplicate address.
    pub moves: u8,
}

/// The end of an ownership.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Release {
    /// The address.
    pub address: IpAddr,
    /// The epoch under which it was held.
    pub epoch: Epoch,
    /// Whether somebody else has claimed it.
    pub successor: Successor,
}

/// Who has an address after a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Successor {
    /// Nobody that the sender knows of: it is free.
    Nobody,
    /// A higher claim was seen; that claimant has to be the last to announce.
    Claimed,
}

/// Where a message stands in a full list of claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listing {
    /// The list; the sender's next one has another number.
    pub list: u32,
    /// Which part, from 0.
    pub part: u16,
    /// How many there are; at least 1.
    pub parts: u16,
}

/// What somebody else knows of a node's counter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CounterKnown {
    /// The node.
    pub node: NodeName,
    /// Which of its processes is meant.
    pub instance: Instance,
    /// The highest counter heard.
    pub incarnation: Incarnation,
}

#[cfg(test)]
mod tests;
