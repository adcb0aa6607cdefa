//! Makers of arbitrary valid values for round trips.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use proptest::prelude::*;

use super::super::attr::{Aggregator, FLAG_OPTIONAL, FLAG_PARTIAL, FLAG_TRANSITIVE};
use super::super::capability::{ExtendedNextHop, GracefulFamily, GracefulRestart};
use super::super::*;
use crate::types::{AfiSafi, Asn, Family, HoldTime, Prefix, RouterId};

pub(in super::super) fn asn() -> impl Strategy<Value = Asn> {
    prop_oneof![1_u32..=65_535, 65_536..=u32::MAX].prop_map(Asn)
}

pub(in super::super) fn prefix(family: Family) -> BoxedStrategy<Prefix> {
    match family {
        Family::Ipv4Unicast => (any::<u32>(), 0_u8..=32)
            .prop_map(|(address, bits)| {
                IpNet::V4(Ipv4Net::new(Ipv4Addr::from(address), bits).unwrap().trunc())
            })
            .boxed(),
        Family::Ipv6Unicast => (any::<u128>(), 0_u8..=128)
            .prop_map(|(address, bits)| {
                IpNet::V6(Ipv6Net::new(Ipv6Addr::from(address), bits).unwrap().trunc())
            })
            .boxed(),
    }
}

pub(in super::super) fn afi_safi() -> impl Strategy<Value = AfiSafi> {
    (any::<u16>(), any::<u8>()).prop_map(|(afi, safi)| AfiSafi { afi, safi })
}

pub(in super::super) fn capability() -> impl Strategy<Value = Capability> {
    let next_hop =
        (afi_safi(), any::<u16>()).prop_map(|(prefixes, next_hop_afi)| ExtendedNextHop {
            prefixes,
            next_hop_afi,
        });
    let family = (afi_safi(), any::<bool>())
        .prop_map(|(family, forwarding)| GracefulFamily { family, forwarding });
    let graceful = (
        any::<bool>(),
        any::<bool>(),
        0_u16..4_096,
        prop::collection::vec(family, 0..4),
    );
    prop_oneof![
        afi_safi().prop_map(Capability::Multiprotocol),
        Just(Capability::RouteRefresh),
        prop::collection::vec(next_hop, 0..4).prop_map(Capability::ExtendedNextHop),
        Just(Capability::ExtendedMessage),
        graceful.prop_map(|(restarting, notifications, restart_time_s, families)| {
            let graceful = GracefulRestart {
                restarting,
                notifications,
                restart_time_s,
                families,
            };
            Capability::GracefulRestart(graceful)
        }),
        asn().prop_map(Capability::FourOctetAs),
        Just(Capability::EnhancedRouteRefresh),
        (71_u8..=255, prop::collection::vec(any::<u8>(), 0..60))
            .prop_map(|(code, bytes)| Capability::Unknown { code, bytes }),
    ]
}

pub(in super::super) fn open() -> impl Strategy<Value = Open> {
    let hold = prop_oneof![Just(0_u16), 3..=u16::MAX];
    let capabilities = prop::collection::vec(capability(), 0..20);
    (1_u16..=u16::MAX, hold, 1_u32..=u32::MAX, capabilities).prop_map(
        |(my_as, hold, id, capabilities)| {
            let wide = capabilities.iter().find_map(|capability| {
                let Capability::FourOctetAs(asn) = capability else {
                    return None;
                };
                Some(*asn)
            });
            Open {
                asn: wide.unwrap_or(Asn(u32::from(my_as))),
                hold_time: HoldTime::from_secs(hold).unwrap(),
                router_id: RouterId::new(id).unwrap(),
                capabilities,
            }
        },
    )
}

/// A path as a speaker outside any confederation sends it.
pub(in super::super) fn as_path() -> impl Strategy<Value = AsPath> {
    let kind = prop_oneof![Just(SegmentKind::Sequence), Just(SegmentKind::Set)];
    let segment = (kind, prop::collection::vec(asn(), 1..6));
    prop::collection::vec(segment, 0..4).prop_map(|segments| AsPath::from_segments(&segments))
}

fn unknown() -> impl Strategy<Value = UnknownAttribute> {
    (41_u8..=255, prop::collection::vec(any::<u8>(), 0..300)).prop_map(|(code, bytes)| {
        let flags = FLAG_OPTIONAL | FLAG_TRANSITIVE | FLAG_PARTIAL;
        UnknownAttribute {
            code,
            flags,
            bytes: bytes.into(),
        }
    })
}

/// Attributes as an eBGP peer may send them.
pub(in super::super) fn attributes() -> impl Strategy<Value = PathAttributes> {
    let origin = prop_oneof![
        Just(Origin::Igp),
        Just(Origin::Egp),
        Just(Origin::Incomplete)
    ];
    let aggregator = (asn(), any::<u32>()).prop_map(|(asn, router)| Aggregator {
        asn,
        router: Ipv4Addr::from(router),
    });
    let communities = prop::collection::vec(any::<u32>().prop_map(Community), 0..80);
    let extended = prop::collection::vec(any::<[u8; 8]>().prop_map(ExtendedCommunity), 0..4);
    let large = prop::collection::vec(
        any::<[u32; 3]>().prop_map(|[global, local_1, local_2]| LargeCommunity {
            global,
            local_1,
            local_2,
        }),
        0..4,
    );
    (
        (origin, as_path(), any::<Option<u32>>(), any::<bool>()),
        prop::option::of(aggregator),
        (communities, extended, large),
        prop::collection::btree_map(any::<u8>(), unknown(), 0..3),
    )
        .prop_map(
            |((origin, as_path, med, atomic_aggregate), aggregator, lists, unknown)| {
                let (communities, extended_communities, large_communities) = lists;
                let mut unknown: Vec<_> = unknown.into_values().collect();
                unknown.sort_by_key(|unknown| unknown.code);
                unknown.dedup_by_key(|unknown| unknown.code);
                PathAttributes {
                    med,
                    atomic_aggregate,
                    aggregator,
                    communities,
                    extended_communities,
                    large_communities,
                    unknown,
                    ..PathAttributes::new(origin, as_path)
                }
            },
        )
}

pub(in super::super) fn next_hop(family: Family) -> BoxedStrategy<NextHop> {
    let global =
        any::<u64>().prop_map(|low| Ipv6Addr::from(0x2001_0db8_u128 << 96 | u128::from(low)));
    match family {
        Family::Ipv4Unicast => (0x0a00_0001_u32..0x0b00_0000)
            .prop_map(|address| NextHop::V4(Ipv4Addr::from(address)))
            .boxed(),
        Family::Ipv6Unicast => prop_oneof![
            global.clone().prop_map(NextHop::V6),
            (global, any::<u64>()).prop_map(|(global, low)| NextHop::V6LinkLocal {
                global,
                link_local: Ipv6Addr::from(0xfe80_u128 << 112 | u128::from(low)),
            }),
        ]
        .boxed(),
    }
}

/// An UPDATE that fits one message: one family, announcing or withdrawing.
pub(in super::super) fn update() -> impl Strategy<Value = Update> {
    let family = prop_oneof![Just(Family::Ipv4Unicast), Just(Family::Ipv6Unicast)];
    family.prop_flat_map(|family| {
        let prefixes = prop::collection::vec(prefix(family), 1..40);
        let announced = (attributes(), next_hop(family), prefixes.clone()).prop_map(
            move |(attributes, next_hop, prefixes)| Update {
                announced: Some(Announcement {
                    attributes,
                    reaches: vec![Reach {
                        family,
                        next_hop,
                        prefixes,
                    }],
                }),
                ..Update::default()
            },
        );
        let withdrawn = prefixes.prop_map(|withdrawn| Update {
            withdrawn,
            ..Update::default()
        });
        let complete = Just(Update {
            end_of_rib: Some(family),
            ..Update::default()
        });
        prop_oneof![4 => announced, 2 => withdrawn, 1 => complete]
    })
}
