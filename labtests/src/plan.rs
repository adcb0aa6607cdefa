//! The numbers and names of a lab: written down once, or drawn from a seed, so that nothing works by accident of
//! one address plan.
//!
//! ```text
//!   client ──── router ──── rack switch ──── rack0 ┐
//!                                                  node (2 to 6) ── cni0 ── pods (two each)
//!   desk ─────────────── segment switch ──── seg0 ┘
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// A node's place in the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NodePlan {
    pub(crate) name: String,
    /// Towards the router.
    pub(crate) rack: [IpAddr; 2],
    /// On the layer-2 segment.
    pub(crate) segment: [IpAddr; 2],
    pub(crate) pod_cidrs: [IpNet; 2],
    pub(crate) pods: Vec<PodPlan>,
}

/// A pod's place in the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PodPlan {
    pub(crate) name: String,
    pub(crate) addresses: [IpAddr; 2],
}

/// A whole lab on paper. Arrays of two are IPv4, IPv6.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) seed: Option<u64>,
    pub(crate) nodes: Vec<NodePlan>,
    pub(crate) router_asn: u32,
    pub(crate) node_asn: u32,
    /// The router on the rack's network.
    pub(crate) router: [IpAddr; 2],
    /// The router on the clients' network.
    pub(crate) gateway: [IpAddr; 2],
    /// The client behind the router.
    pub(crate) client: [IpAddr; 2],
    /// The client on the layer-2 segment.
    pub(crate) desk: [IpAddr; 2],
    /// Ranges of the pool that is announced by BGP.
    pub(crate) public: [String; 2],
    /// Ranges of the pool on the segment.
    pub(crate) local: [String; 2],
    /// TCP-MD5 on the sessions.
    pub(crate) password: Option<String>,
    /// Kubernetes namespace of the Services.
    pub(crate) namespace: String,
    /// What every drawn name ends with.
    suffix: String,
}

const TREES: &[&str] = &[
    "alder", "birch", "cedar", "elm", "fir", "hazel", "larch", "maple", "oak", "pine", "rowan",
    "yew",
];
/// The networks reserved for documentation and for benchmarks (RFC 5737, RFC 2544).
const PUBLIC: &[[u8; 3]] = &[
    [192, 0, 2],
    [198, 51, 100],
    [203, 0, 113],
    [198, 18, 7],
    [198, 19, 250],
];

impl Plan {
    /// The plan of a seed; without one, the plan that the documentation shows.
    pub(crate) fn draw(seed: Option<u64>) -> Self {
        let mut dice = Dice(seed.unwrap_or(0));
        let drawn = seed.is_some();
        let mut pick = |standard: u64, from: u64, to: u64| {
            if drawn {
                dice.between(from, to)
            } else {
                standard
            }
        };
        let count = pick(3, 2, 6);
        let octet = pick(77, 1, 250);
        let router_asn = [
            pick(64511, 64512, 65000),
            pick(64511, 4_200_000_000, 4_200_999_999),
        ];
        let node_asn = [
            pick(64512, 65001, 65534),
            pick(64512, 4_201_000_000, 4_294_967_294),
        ];
        let wide = pick(0, 0, 3);
        let public = usize::try_from(pick(0, 0, 4)).unwrap_or_default();
        let quarter = pick(1, 0, 3) * 64;
        let first_tree = usize::try_from(pick(0, 0, 11)).unwrap_or_default();
        let password = (pick(0, 0, 1) == 1).then(|| format!("rope-{:04x}", pick(0, 0, 0xffff)));
        let suffix = if drawn {
            format!("-{:03x}", pick(0, 0, 0xfff))
        } else {
            String::new()
        };

        let name = |index: usize| match drawn {
            true => format!("{}{suffix}", TREES[(first_tree + index * 5) % TREES.len()]),
            false => format!("node-{}", index + 1),
        };
        let count = usize::try_from(count).unwrap_or(3);
        let nodes = (0..count)
            .map(|index| node(&name(index), octet, index))
            .collect();
        let [a, b, c] = PUBLIC[public];
        Self {
            seed,
            nodes,
            router_asn: narrow(router_asn[usize::from(wide & 1 == 1)]),
            node_asn: narrow(node_asn[usize::from(wide & 2 == 2)]),
            router: pair(octet, 0, 1),
            gateway: pair(octet, 1, 1),
            client: pair(octet, 1, 50),
            desk: pair(octet, 2, 50),
            public: [
                format!("{a}.{b}.{c}.{quarter}/26"),
                format!("2001:db8:{octet:x}:64::10-2001:db8:{octet:x}:64::ff"),
            ],
            local: [
                format!("10.{octet}.2.192-10.{octet}.2.220"),
                format!("{}-{}", v6(octet, 2, 0xc0), v6(octet, 2, 0xff)),
            ],
            password,
            namespace: if drawn {
                format!("shop{suffix}")
            } else {
                "default".to_owned()
            },
            suffix,
        }
    }

    /// A Service's name in this plan.
    pub(crate) fn service(&self, name: &str) -> String {
        format!("{name}{}", self.suffix)
    }

    /// The nodes' addresses on the rack, of one family.
    pub(crate) fn rack_addresses(&self, of: IpAddr) -> std::collections::BTreeSet<IpAddr> {
        self.nodes
            .iter()
            .map(|node| same_family(node.rack, of))
            .collect()
    }

    /// The node a pod runs on.
    pub(crate) fn node_of(&self, pod: &str) -> Option<&NodePlan> {
        self.nodes
            .iter()
            .find(|node| node.pods.iter().any(|known| known.name == pod))
    }
}

/// The address of the pair that is of the family of `of`.
pub(crate) fn same_family(pair: [IpAddr; 2], of: IpAddr) -> IpAddr {
    if of.is_ipv4() { pair[0] } else { pair[1] }
}

fn node(name: &str, octet: u64, index: usize) -> NodePlan {
    let number = u8::try_from(index).unwrap_or_default();
    let subnet = 100 + number;
    let pods = (0..2_u8).map(|pod| PodPlan {
        name: format!("{name}-pod-{}", char::from(b'a' + pod)),
        addresses: pair(octet, subnet, 10 + pod),
    });
    let [IpAddr::V4(v4_base), IpAddr::V6(v6_base)] = pair(octet, subnet, 0) else {
        unreachable!("a pair is one address of each family");
    };
    NodePlan {
        name: name.to_owned(),
        rack: pair(octet, 0, 11 + number),
        segment: pair(octet, 2, 11 + number),
        pod_cidrs: [
            IpNet::V4(Ipv4Net::new_assert(v4_base, 24)),
            IpNet::V6(Ipv6Net::new_assert(v6_base, 64)),
        ],
        pods: pods.collect(),
    }
}

fn pair(octet: u64, subnet: u8, host: u8) -> [IpAddr; 2] {
    let second = u8::try_from(octet).unwrap_or(77);
    [
        IpAddr::V4(Ipv4Addr::new(10, second, subnet, host)),
        IpAddr::V6(v6(octet, subnet, u16::from(host))),
    ]
}

fn v6(octet: u64, subnet: u8, host: u16) -> Ipv6Addr {
    let second = u16::try_from(octet).unwrap_or(77);
    Ipv6Addr::new(0xfd00, second, 0, u16::from(subnet), 0, 0, 0, host)
}

fn narrow(asn: u64) -> u32 {
    u32::try_from(asn).unwrap_or(64512)
}

/// A small generator (SplitMix64): equal seeds, equal labs.
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.next() % (to - from + 1)
    }
}

#[cfg(test)]
mod tests;
