//! What the announcer shows of itself: a snapshot for status and metrics, made on demand.
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::announcer::{Condition, Withheld};
use crate::types::{Epoch, IfIndex, Incarnation, InterfaceName, KeyId, MacAddr, NodeName};

/// Everything at one moment. Costs time in the number of addresses: make it at a human pace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AnnouncerStats {
    /// Who we are, once said.
    pub node: Option<NodeName>,
    /// The counter in force.
    pub incarnation: Option<Incarnation>,
    /// What stands in the way of everything, if something does.
    pub withheld: Option<Withheld>,
    /// Per announcing interface.
    pub interfaces: BTreeMap<IfIndex, InterfaceStats>,
    /// Per wanted address.
    pub addresses: BTreeMap<IpAddr, AddressStats>,
}

/// One announcing interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceStats {
    /// Kernel name.
    pub name: InterfaceName,
    /// Our Ethernet address there.
    pub mac: MacAddr,
    /// Whether we are past listening and may claim.
    pub joined: Joined,
    /// Members heard there, ourselves not counted.
    pub members: BTreeMap<NodeName, MemberStats>,
    /// The key we seal with there.
    pub sealing_key: Option<KeyId>,
    /// What is wrong there.
    pub conditions: BTreeSet<Condition>,
    /// Addresses owned there.
    pub held: usize,
    /// Frames of the schedule that wait for the pacer.
    pub queued: usize,
    /// Stations remembered as having asked, over all addresses.
    pub askers: usize,
    /// Since the start.
    pub counters: Counters,
}

/// How far we have got on a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joined {
    /// The interface is down.
    Down,
    /// Listening before taking part.
    Listening,
    /// Taking part.
    Active,
}

/// A member as we see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberStats {
    /// Its counter.
    pub incarnation: Incarnation,
    /// Its Ethernet address on the segment.
    pub mac: MacAddr,
    /// Whether it said it is still listening.
    pub joining: bool,
    /// Whether it said it drains.
    pub draining: bool,
    /// Keys it can read.
    pub keys: BTreeSet<KeyId>,
    /// Addresses it holds on the segment, by our table.
    pub holds: usize,
}

/// One wanted address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressStats {
    /// Set when it is announced on no interface of this node, for a reason that is not of one interface.
    pub withheld: Option<Withheld>,
    /// Per interface where it belongs.
    pub on: BTreeMap<IfIndex, Ownership>,
}

/// Who has an address on a segment, by our table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ownership {
    /// The owner: a member or this node.
    pub owner: Option<NodeName>,
    /// The epoch of its claim; the highest seen where nobody owns it.
    pub epoch: Epoch,
    /// Why it is not this node. `None` where it is.
    pub withheld: Option<Withheld>,
}

macro_rules! counters {
    ($($(#[$doc:meta])* $field:ident),+ $(,)?) => {
        /// Counts since the start, per interface.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct Counters {
            $($(#[$doc])* pub $field: u64,)+
        }

        impl Counters {
            /// Name and value of each, in order: for metrics.
            #[must_use]
            pub fn named(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($field), self.$field)),+]
            }
        }
    };
}

counters! {
    /// ARP requests and Neighbor Solicitations for an address we own.
    requests,
    /// Answers sent.
    answers,
    /// Questions not answered because the asker asked more than 10 times a second.
    limited_by_asker,
    /// Questions not answered because the interface answered 20,000 in a second.
    limited_by_interface,
    /// Frames dropped as malformed or illegal.
    malformed,
    /// Questions whose Ethernet source was not the sender in the body; answered to the latter.
    sender_mismatch,
    /// Our own frames seen coming back.
    looped,
    /// Frames by which a station that is no member used an address we own.
    conflicts,
    /// Defence announcements sent (RFC 5227 §2.4).
    defences,
    /// Announcements sent, of every form.
    announcements,
    /// Probes sent to learn whether we can hear.
    probes,
    /// Directed requests to gateways that stayed without an answer three times in a row.
    gateways_silent,
    /// Frames the kernel did not take.
    send_failures,
    /// Sealed frames handed to the driver.
    sealed_sent,
    /// Sealed frames taken in.
    sealed_received,
    /// Plaintexts that could not be decoded, or whose inner sender was not the outer one.
    sealed_malformed,
    /// Plaintexts of another cluster.
    foreign_cluster,
    /// Frames of a life of a member that is over, or of a node that is not a member.
    stale,
    /// Claims not believed: out of range, or for an address the sender may not have.
    claims_refused,
    /// Frames under a key that we do not have.
    key_unknown,
    /// Hellos sent.
    hellos,
    /// Times an address was taken.
    acquired,
    /// Times an address was given up.
    yielded,
}
