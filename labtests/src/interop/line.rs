//! The sessions of the matrix: who has which address, and what is special about each.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use serde_json::{Value, json};

use super::cell::Cell;
use crate::manifests::resource;

/// The daemon's AS number: it fits into two octets, as that of a peer which knows no others must.
pub(super) const THEIR_ASN: u32 = 64511;
/// Ours: it does not.
pub(super) const OUR_ASN: u32 = 4_200_000_001;
/// What stands for ours where only two octets are understood (RFC 6793).
pub(super) const AS_TRANS: u32 = 23456;
pub(super) const THEIR_ID: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 2);
pub(super) const PASSWORD: &str = "a-long-knot";
/// What every daemon announces.
pub(super) const THEIR_PREFIXES: [&str; 2] = ["203.0.113.0/24", "2001:db8:1::/48"];
pub(super) const STANDARD: &str = "65010:7";
pub(super) const LARGE: &str = "65010:1:2";
pub(super) const MED: u32 = 50;
/// Seconds: the shortest hold time there is, times three.
pub(super) const HOLD_S: u32 = 9;
/// Seconds for which a helper is to keep routes.
pub(super) const RESTART_S: u32 = 30;

/// What a session is there to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Shows(Cell),
    /// From behind a router, where we want a neighbour: it must not come up.
    TooFar,
}

/// How the two ends reach each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// On one wire.
    Link,
    /// On one wire, both take only what no router has touched (RFC 5082), and the daemon dials.
    Guarded,
    /// Through a router.
    Routed,
}

/// One session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) way: Way,
    /// Its number: in addresses and prefixes.
    pub(super) number: u8,
    pub(super) ours: IpAddr,
    pub(super) theirs: IpAddr,
    /// Our AS number as the daemon must expect it.
    pub(super) our_asn: u32,
    pub(super) families: &'static [Family],
    pub(super) password: Option<&'static str>,
    pub(super) reach: Reach,
}

/// An address family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Ipv4,
    Ipv6,
}

impl Family {
    /// `ipv4`, as most daemons write it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
        }
    }

    pub(super) const fn of(prefix: IpNet) -> Self {
        match prefix {
            IpNet::V4(_) => Self::Ipv4,
            IpNet::V6(_) => Self::Ipv6,
        }
    }

    const fn of_address(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::Ipv4,
            IpAddr::V6(_) => Self::Ipv6,
        }
    }
}

const V4: &[Family] = &[Family::Ipv4];
const V6: &[Family] = &[Family::Ipv6];
const BOTH: &[Family] = &[Family::Ipv4, Family::Ipv6];

/// An address on the wire of a line: host 1 is ours, 2 theirs. Arrays of two are IPv4, IPv6.
pub(super) fn on_wire(number: u8, host: u8) -> [IpAddr; 2] {
    let (third, last) = (u16::from(number), u16::from(host));
    [
        IpAddr::V4(Ipv4Addr::new(10, 99, number, host)),
        IpAddr::V6(Ipv6Addr::new(0xfd00, 0x99, third, 0, 0, 0, 0, last)),
    ]
}

/// Our side of the router, and theirs: the network's number.
pub(super) const NEAR_NET: u8 = 100;
pub(super) const FAR_NET: u8 = 101;

impl Line {
    /// Every session, by number.
    pub(super) fn all() -> Vec<Self> {
        let ways = [
            Way::Shows(Cell::Ipv4),
            Way::Shows(Cell::Ipv6),
            Way::Shows(Cell::DualFamily),
            Way::Shows(Cell::Internal),
            Way::Shows(Cell::Md5),
            Way::Shows(Cell::Gtsm),
            Way::Shows(Cell::TwoOctetAs),
            Way::Shows(Cell::Multihop),
            Way::TooFar,
            Way::Shows(Cell::GracefulRestart),
        ];
        (1..)
            .zip(ways)
            .map(|(number, way)| Self::new(number, way))
            .collect()
    }

    fn new(number: u8, way: Way) -> Self {
        let reach = match way {
            Way::Shows(Cell::Multihop) | Way::TooFar => Reach::Routed,
            Way::Shows(Cell::Gtsm) => Reach::Guarded,
            Way::Shows(_) => Reach::Link,
        };
        let index = usize::from(way == Way::Shows(Cell::Ipv6));
        let [ours, theirs] = match reach {
            Reach::Routed => [on_wire(NEAR_NET, number), on_wire(FAR_NET, number)],
            Reach::Link | Reach::Guarded => [on_wire(number, 1), on_wire(number, 2)],
        };
        Self {
            way,
            number,
            ours: ours[index],
            theirs: theirs[index],
            our_asn: match way {
                Way::Shows(Cell::Internal) => THEIR_ASN,
                Way::Shows(_) | Way::TooFar => OUR_ASN,
            },
            families: match way {
                Way::Shows(Cell::Ipv6) => V6,
                Way::Shows(Cell::DualFamily | Cell::Internal) => BOTH,
                Way::Shows(_) | Way::TooFar => V4,
            },
            password: (way == Way::Shows(Cell::Md5)).then_some(PASSWORD),
            reach,
        }
    }

    /// The session that shows a cell.
    pub(super) fn is_for(&self, cell: Cell) -> bool {
        self.way == Way::Shows(cell)
    }

    /// The family the session itself runs over.
    pub(super) const fn carrier(&self) -> Family {
        Family::of_address(self.ours)
    }

    pub(super) fn is_internal(&self) -> bool {
        self.is_for(Cell::Internal)
    }

    /// The name of the session, as a word.
    pub(super) fn name(&self) -> String {
        format!("line{}", self.number)
    }

    /// What we announce on this session and no other.
    pub(super) fn prefixes(&self) -> Vec<IpNet> {
        let third = u16::from(self.number);
        let both = self.families.iter().map(|family| {
            IpNet::from(match family {
                Family::Ipv4 => IpAddr::V4(Ipv4Addr::new(198, 51, 100, self.number)),
                Family::Ipv6 => IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0x99, 0, 0, 0, 0, third)),
            })
        });
        both.collect()
    }

    /// The next hop we give for a prefix.
    pub(super) fn next_hop(&self, prefix: IpNet) -> IpAddr {
        if prefix.addr().is_ipv4() == self.ours.is_ipv4() {
            return self.ours;
        }
        let [v4, v6] = on_wire(self.number, 1);
        if prefix.addr().is_ipv4() { v4 } else { v6 }
    }

    /// The peer, and what is announced to it.
    pub(super) fn manifests(&self) -> [Value; 2] {
        let asn = if self.is_internal() {
            THEIR_ASN
        } else {
            OUR_ASN
        };
        let families: Vec<&str> = self
            .families
            .iter()
            .map(|family| match family {
                Family::Ipv4 => "IPv4",
                Family::Ipv6 => "IPv6",
            })
            .collect();
        let mut peer = json!({
            "myASN": asn,
            "peerASN": THEIR_ASN,
            "peerAddress": self.theirs,
            "sourceAddress": self.ours,
            "families": families,
            "connectTime": "1s",
            "holdTime": format!("{HOLD_S}s"),
            "drain": {"waitSeconds": 0},
        });
        if self.is_for(Cell::GracefulRestart) {
            peer["gracefulRestart"] = json!({"restartTimeSeconds": RESTART_S});
        }
        if let Some(password) = self.password {
            peer["password"] = json!(password);
        }
        match (self.way, self.reach) {
            (Way::TooFar, _) => peer["ttlSecurityHops"] = json!(1),
            (_, Reach::Guarded) => {
                peer["ttlSecurityHops"] = json!(1);
                peer["passive"] = json!(true);
            }
            (_, Reach::Routed) => peer["ebgpMultiHop"] = json!(true),
            (_, Reach::Link) => {}
        }
        let announced = json!({
            "source": "Static",
            "peers": [self.name()],
            "prefixes": self.prefixes(),
            "communities": [STANDARD, format!("large:{LARGE}")],
            "med": MED,
        });
        [
            resource("BGPPeer", &self.name(), peer),
            resource("BGPAdvertisement", &self.name(), announced),
        ]
    }
}
