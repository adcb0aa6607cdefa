//! What the announcer wants done, and what it wants known.
use std::net::{IpAddr, Ipv6Addr};

use bytes::Bytes;

use crate::types::{Epoch, IfIndex, KeyId, MacAddr, NodeName};

/// One thing to do. Order matters within an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Write the Ethernet frame (header included, padded to 60 bytes) to the interface.
    Send {
        /// Where.
        interface: IfIndex,
        /// What.
        frame: Bytes,
        /// Why; to be given back in `Input::SendFailed`.
        purpose: Purpose,
    },
    /// Seal the plaintext (at most [`PLAINTEXT_BYTES_MAX`]) and send it to all speakers on the segment.
    SendSealed {
        /// Where.
        interface: IfIndex,
        /// What, before sealing.
        plaintext: Bytes,
        /// The newest key that every live member there can read.
        key: KeyId,
    },
    /// Hold a membership of the IPv6 group on the interface, from now until `LeaveGroup` or the interface is gone.
    JoinGroup {
        /// Where.
        interface: IfIndex,
        /// A solicited-node group (RFC 4291 §2.7.1). Never asked for twice without a leave between.
        group: Ipv6Addr,
    },
    /// The membership is not needed any more.
    LeaveGroup {
        /// Where.
        interface: IfIndex,
        /// The group.
        group: Ipv6Addr,
    },
    /// Something worth a log line and a counter.
    Event(Event),
}

/// Longest plaintext of a sealed frame in bytes: with the seal and a long node name it fits an MTU of 1,500.
pub const PLAINTEXT_BYTES_MAX: usize = 1_100;

/// Why a frame is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The answer to a question: not repeated, the asker asks again.
    Answer,
    /// Makes the ownership of this address known: a failed one is tried again within the schedule.
    Announcement(IpAddr),
    /// Asks a neighbour whether we can hear at all.
    Probe,
}

/// Something an operator may want to see. The driver makes one log line and one counter of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A node is heard on the segment that was not before.
    MemberJoined {
        /// Where.
        interface: IfIndex,
        /// Who.
        node: NodeName,
    },
    /// A node is not a member any more.
    MemberLost {
        /// Where.
        interface: IfIndex,
        /// Who.
        node: NodeName,
        /// Why.
        cause: LossCause,
    },
    /// We own the address on the segment: answered and announced from here on.
    Acquired {
        /// Where.
        interface: IfIndex,
        /// What.
        address: IpAddr,
        /// Under which epoch.
        epoch: Epoch,
        /// Why.
        cause: AcquireCause,
    },
    /// We stopped answering for the address.
    Yielded {
        /// Where.
        interface: IfIndex,
        /// What.
        address: IpAddr,
        /// Who owns it next, where that is known.
        to: Option<NodeName>,
        /// Why.
        cause: YieldCause,
    },
    /// A station that is no member uses an address we own (RFC 5227 §2.4). At most one per address and 10 s.
    Conflict {
        /// Where.
        interface: IfIndex,
        /// Which address.
        address: IpAddr,
        /// The other station.
        mac: MacAddr,
    },
    /// A condition of the interface began.
    ConditionRaised {
        /// Where.
        interface: IfIndex,
        /// Which.
        condition: Condition,
    },
    /// A condition of the interface ended.
    ConditionCleared {
        /// Where.
        interface: IfIndex,
        /// Which.
        condition: Condition,
    },
    /// The Services that share the address have no eligible node in common. Once per change.
    SharedEligibilityEmpty {
        /// The address.
        address: IpAddr,
    },
    /// A member knew a higher counter of us than ours: we count on from there. Store it.
    IncarnationRaised {
        /// The counter from here on.
        incarnation: crate::types::Incarnation,
    },
    /// Nothing is held any more after `Input::Drain`.
    Drained {
        /// Addresses (per interface) that nobody took within 2 s.
        abandoned: usize,
    },
    /// Goodbye has been said; nothing is sent or answered after it.
    Left,
}

/// Why a member was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LossCause {
    /// Three of its intervals passed in silence.
    Silent,
    /// A detector said so (`Input::Verdict`).
    Verdict,
    /// It said goodbye.
    Left,
    /// A new process of that node has begun: what the old one held is free.
    Restarted,
}

/// Why we took an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AcquireCause {
    /// Nobody was known to hold it.
    Vacant,
    /// Its owner is gone.
    OwnerLost,
    /// Its owner drains, or may not hold it any more.
    HandedOver,
    /// We rank first and have been stable long enough.
    Failback,
}

/// Why we stopped answering for an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum YieldCause {
    /// A higher claim was seen.
    Outclaimed,
    /// No Service wants it any more.
    Removed,
    /// We may not announce it any more, and nobody took it within 2 s.
    Ineligible,
    /// Drained, and nobody took it within 2 s.
    Drained,
    /// The interface is gone or went down.
    InterfaceDown,
    /// We left, or lost our keys or identity.
    Left,
}

/// What is wrong on an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Condition {
    /// There should be other speakers, and none is heard: a switch may drop our Ethertype.
    NoPeersHeard,
    /// Another live speaker uses this node's name, or two use one name: nothing new is claimed where it is ours.
    DuplicateNodeName,
    /// Frames come in under a key that we do not have: nothing new is claimed.
    KeyUnknown,
    /// Our own frames come back: a loop in the network.
    FramesLooped,
    /// Nothing at all is heard, not even answers to our own questions: nothing is claimed or announced.
    Deaf,
}

/// Why this node does not announce an address on an interface, or at all.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Withheld {
    /// Who we are was not said yet.
    NoIdentity,
    /// There is no key to seal claims with.
    NoKey,
    /// No interface is named for it that exists, and no on-link prefix covers it.
    NoInterface,
    /// The interface is down.
    InterfaceDown,
    /// No advertisement selects this node for it.
    NotSelected,
    /// No endpoint of it lets this node announce it (policy `Local`).
    NoLocalEndpoint,
    /// No node has a usable endpoint.
    NoEndpoints,
    /// The Services that share it allow no common node.
    SharedEligibilityEmpty,
    /// We are listening first.
    Joining,
    /// We drain or left.
    Draining,
    /// Another member owns it.
    HeldBy(NodeName),
    /// Others rank before us and are given their time to claim.
    AwaitingSuccessor,
    /// A condition of the interface forbids new claims.
    Blocked(Condition),
}

macro_rules! reasons {
    ($type:ident { $($variant:pat => $name:expr),+ $(,)? }) => {
        impl $type {
            /// The word that status, events and metrics use.
            #[must_use]
            pub fn reason(&self) -> &'static str {
                match self { $($variant => $name),+ }
            }
        }
    };
}

reasons!(LossCause { Self::Silent => "Silent", Self::Verdict => "Verdict", Self::Left => "Left", Self::Restarted => "Restarted" });
reasons!(AcquireCause {
    Self::Vacant => "Vacant", Self::OwnerLost => "OwnerLost",
    Self::HandedOver => "HandedOver", Self::Failback => "Failback",
});
reasons!(YieldCause {
    Self::Outclaimed => "Outclaimed", Self::Removed => "Removed", Self::Ineligible => "Ineligible",
    Self::Drained => "Drained", Self::InterfaceDown => "InterfaceDown", Self::Left => "Left",
});
reasons!(Condition {
    Self::NoPeersHeard => "NoPeersHeard", Self::DuplicateNodeName => "DuplicateNodeName",
    Self::KeyUnknown => "KeyUnknown", Self::FramesLooped => "FramesLooped", Self::Deaf => "Deaf",
});
reasons!(Withheld {
    Self::NoIdentity => "NoIdentity", Self::NoKey => "NoKey", Self::NoInterface => "NoInterface",
    Self::InterfaceDown => "InterfaceDown", Self::NotSelected => "NotSelected",
    Self::NoLocalEndpoint => "NoLocalEndpoint", Self::NoEndpoints => "NoEndpoints",
    Self::SharedEligibilityEmpty => "SharedEligibilityEmpty", Self::Joining => "Joining",
    Self::Draining => "Draining", Self::HeldBy(_) => "HeldElsewhere",
    Self::AwaitingSuccessor => "AwaitingSuccessor", Self::Blocked(condition) => condition.reason(),
});
