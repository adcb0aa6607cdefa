//! What can happen to the announcer: every cause is one of these values.
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use crate::announcer::Purpose;
use crate::types::{
    AdvertisementName, ClusterId, IfIndex, Incarnation, Instance, InterfaceName, KeyId, MacAddr,
    NodeName, ServiceName, Standing, View,
};

/// One thing that happened. Borrowed bytes are only read during the call.
#[derive(Debug, Clone)]
pub enum Input<'a> {
    /// Who we are. Nothing is sent or answered before it came. A second one with another node or cluster starts afresh.
    SetNode(Identity),
    /// Which keys the sealing layer holds.
    SetKeys(Keys),
    /// All interfaces that may announce, each time in full: what is missing is gone.
    SetInterfaces(Vec<Interface>),
    /// All L2Advertisements of the configuration, each time in full.
    SetAdvertisements(Vec<Advertisement>),
    /// All addresses that Services want announced by layer 2, each time in full.
    SetAddresses(Vec<Claimable>),
    /// A change to the addresses: `set` are new or different, `removed` are gone. The same effect as the full list.
    ChangeAddresses {
        /// New or changed.
        set: Vec<Claimable>,
        /// No longer wanted: not answered from the return of this call on.
        removed: Vec<IpAddr>,
    },
    /// How many speakers the cluster should have, ourselves included; `None` while unknown.
    SetExpectedSpeakers(Option<u32>),
    /// The plaintext of a frame whose seal was checked and which was not seen before (the replay window is the driver's).
    Opened {
        /// Where it came in.
        interface: IfIndex,
        /// Whose subkey opened it.
        sender: NodeName,
        /// What was sealed.
        plaintext: &'a [u8],
    },
    /// A frame of our kind came in under a key id that we do not have.
    KeyUnknown {
        /// Where it came in.
        interface: IfIndex,
    },
    /// An Ethernet frame of type 0x0806, from its Ethernet header on.
    Arp {
        /// Where it came in.
        interface: IfIndex,
        /// Header and body; trailers are allowed.
        frame: &'a [u8],
    },
    /// An Ethernet frame of type 0x86dd, from its Ethernet header on.
    Ndp {
        /// Where it came in.
        interface: IfIndex,
        /// Header and body; trailers are allowed.
        frame: &'a [u8],
    },
    /// A detector has found the node dead on the segment of this interface. Its addresses are free at once.
    /// The timeout of hellos enters the same way, from inside.
    Verdict {
        /// The dead node.
        node: NodeName,
        /// The interface on whose segment it died.
        interface: IfIndex,
    },
    /// The stations behind the interface may have changed without its address changing (bond failover, VM migration:
    /// `IFLA_EVENT`): make everything known again.
    NotifyPeers {
        /// The interface.
        interface: IfIndex,
    },
    /// Hand everything over and take nothing: [`Event::Drained`](crate::announcer::Event::Drained) follows within 2 s.
    Drain,
    /// Take part again after [`Input::Drain`].
    Undrain,
    /// Say goodbye to the segments and stop answering. Drain first, or clients wait for the successor.
    Leave,
    /// The kernel did not take a frame (ENOBUFS, ENETDOWN, …).
    SendFailed {
        /// Where it should have left.
        interface: IfIndex,
        /// The purpose given with the frame.
        purpose: Purpose,
    },
    /// The time of `next_deadline` has come. Harmless at any other time.
    Tick,
}

/// Who we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The cluster; frames of another one are ignored.
    pub cluster: ClusterId,
    /// This node.
    pub node: NodeName,
    /// Higher than that of the life before, if it is known. If not, a member tells us and we jump above.
    pub incarnation: Incarnation,
    /// 64 random bits of this process.
    pub instance: Instance,
}

/// What the sealing layer can do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Keys {
    /// No key: everything is withheld with reason `NoKey`.
    #[default]
    Missing,
    /// Frames can be sealed and opened with these.
    Present(BTreeSet<KeyId>),
}

/// Whether frames can pass an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// Administratively up and with carrier.
    Up,
    /// Not.
    Down,
}

/// An interface that may announce.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Kernel index.
    pub index: IfIndex,
    /// Kernel name.
    pub name: InterfaceName,
    /// Its Ethernet address: what we answer with.
    pub mac: MacAddr,
    /// Its addresses with their on-link prefixes, link-local ones included.
    pub addresses: Vec<IpNet>,
    /// Routers of this segment, of both families: those of routes through this interface. At most 8 are used.
    pub gateways: Vec<IpAddr>,
    /// Whether the default route of a family leaves here: breaks ties, and stands in where no prefix matches.
    pub default_route: DefaultRoute,
    /// Whether frames can pass.
    pub link: Link,
}

/// Families whose default route leaves by an interface.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DefaultRoute {
    /// 0.0.0.0/0 leaves here.
    pub ipv4: bool,
    /// ::/0 leaves here.
    pub ipv6: bool,
}

/// Where an advertisement wants its addresses announced, resolved to names on this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InterfaceChoice {
    /// It names none: per address, the interface with the longest matching on-link prefix.
    Any,
    /// On each of these that exists.
    Named(BTreeSet<InterfaceName>),
}

/// An L2Advertisement as it concerns this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advertisement {
    /// Its name: nodes tell each other their standing under it.
    pub name: AdvertisementName,
    /// This node's standing, or `None` where the node selectors leave it out.
    pub standing: Option<Standing>,
    /// Where.
    pub interfaces: InterfaceChoice,
    /// Whether an address returns to the node that ranks first.
    pub failback: Failback,
    /// Time between two refreshes of an announced address (60 s by default); jitter is ± 1/6 of it.
    pub refresh: Duration,
}

/// Whether an address moves back to the node that ranks first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failback {
    /// After 30 s without trouble, paced, the new owner announcing before the old one stops.
    #[default]
    Auto,
    /// Only when the present owner goes.
    Never,
}

/// An address that one or more Services want announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimable {
    /// The address.
    pub address: IpAddr,
    /// The Services that carry it; eligible are the nodes that all of them allow.
    pub shares: Vec<Share>,
}

/// One Service's conditions on who may announce its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// The Service.
    pub service: ServiceName,
    /// The advertisements that select it: a node needs a standing in one of them.
    pub advertisements: BTreeSet<AdvertisementName>,
    /// Where its endpoints let it be announced.
    pub nodes: EligibleNodes,
}

/// Which nodes the endpoints of a Service allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EligibleNodes {
    /// All (policy `Cluster` with a usable endpoint, or announced without endpoints).
    Any,
    /// Those that have a usable endpoint (policy `Local`), by this node's view of the endpoints. Empty: nobody.
    Only {
        /// The nodes.
        nodes: BTreeSet<NodeName>,
        /// The version of that view; `None` where it cannot be known.
        view: Option<View>,
    },
}
