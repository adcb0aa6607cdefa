//! One table of cases per rule.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::*;
use crate::policy::PeerSet;
use crate::wire::{ExtendedCommunity, LargeCommunity};

fn audience(peering: Peering) -> Audience {
    Audience {
        peer: PeerName::new("tor"),
        peering,
        local_asn: Asn(65_000),
        next_hops: NextHops {
            ipv4: Some(Ipv4Addr::new(10, 0, 0, 1)),
            ipv6: Some(global()),
            ipv6_link_local: None,
        },
        extended_next_hop: FamilySet::EMPTY,
        parting: Parting::Serving,
    }
}

fn global() -> Ipv6Addr {
    "fd00::1".parse().unwrap()
}

fn link_local() -> Ipv6Addr {
    "fe80::1".parse().unwrap()
}

fn offer(slot: u16, attributes: RouteAttributes) -> Offer {
    Offer {
        slot,
        attributes: Arc::new(attributes),
        peers: PeerSet::All,
    }
}

fn ipv4(attributes: RouteAttributes, audience: &Audience) -> Result<Told, Withheld> {
    evaluate(&[offer(0, attributes)], Family::Ipv4Unicast, audience)
}

#[test]
fn prepending_lengthens_the_path_towards_other_ases_only() {
    let route = RouteAttributes {
        prepend: 2,
        ..RouteAttributes::default()
    };
    let told = ipv4(route.clone(), &audience(Peering::External)).unwrap();
    assert_eq!(told.attributes.as_path, AsPath::sequence(&[Asn(65_000); 3]));
    let told = ipv4(route, &audience(Peering::Internal)).unwrap();
    assert_eq!(told.attributes.as_path, AsPath::empty());
}

#[test]
fn local_preference_stays_inside_the_as_and_is_always_there() {
    let preference = |set, peering| {
        let route = RouteAttributes {
            local_pref: set,
            ..RouteAttributes::default()
        };
        ipv4(route, &audience(peering))
            .unwrap()
            .attributes
            .local_pref
    };
    assert_eq!(preference(None, Peering::Internal), Some(100));
    assert_eq!(preference(Some(7), Peering::Internal), Some(7));
    assert_eq!(preference(Some(7), Peering::External), None);
}

#[test]
fn a_med_is_sent_only_where_it_is_set() {
    for med in [None, Some(0), Some(9)] {
        let route = RouteAttributes {
            med,
            ..RouteAttributes::default()
        };
        assert_eq!(
            ipv4(route, &audience(Peering::External))
                .unwrap()
                .attributes
                .med,
            med
        );
    }
}

#[test]
fn communities_of_all_kinds_unite_in_order() {
    let large = |last| LargeCommunity {
        global: 1,
        local_1: 2,
        local_2: last,
    };
    let one = RouteAttributes {
        communities: BTreeSet::from([Community::new(1, 2), Community::new(1, 1)]),
        large_communities: BTreeSet::from([large(4)]),
        ..RouteAttributes::default()
    };
    let other = RouteAttributes {
        communities: BTreeSet::from([Community::new(0, 9), Community::new(1, 1)]),
        large_communities: BTreeSet::from([large(3)]),
        extended_communities: BTreeSet::from([ExtendedCommunity([0; 8])]),
        ..RouteAttributes::default()
    };
    let offers = [offer(0, one), offer(1, other)];
    let told = evaluate(&offers, Family::Ipv4Unicast, &audience(Peering::External)).unwrap();
    let communities = [
        Community::new(0, 9),
        Community::new(1, 1),
        Community::new(1, 2),
    ];
    assert_eq!(told.attributes.communities, communities);
    assert_eq!(told.attributes.large_communities, [large(3), large(4)]);
    assert_eq!(told.attributes.extended_communities.len(), 1);
}

#[test]
fn contradictions_are_settled_alike_in_either_order() {
    let route = |local_pref, med, prepend, class| RouteAttributes {
        local_pref,
        med,
        prepend,
        class,
        ..RouteAttributes::default()
    };
    let one = route(Some(50), Some(3), 4, RouteClass::Service);
    let other = route(None, Some(1), 2, RouteClass::Standing);
    let told = |first: &RouteAttributes, second: &RouteAttributes| {
        let offers = [offer(0, first.clone()), offer(1, second.clone())];
        evaluate(&offers, Family::Ipv4Unicast, &audience(Peering::Internal)).unwrap()
    };
    assert_eq!(told(&one, &other), told(&other, &one));
    let attributes = told(&one, &other).attributes;
    assert_eq!(
        (attributes.local_pref, attributes.med),
        (Some(100), Some(1))
    );
}

#[test]
fn graceful_shutdown_marks_services_and_nothing_else() {
    let asked = |class, peering| {
        let route = RouteAttributes {
            class,
            ..RouteAttributes::default()
        };
        let audience = Audience {
            parting: Parting::Asked,
            ..audience(peering)
        };
        ipv4(route, &audience).unwrap().attributes
    };
    let service = asked(RouteClass::Service, Peering::External);
    assert_eq!(service.communities, [Community::GRACEFUL_SHUTDOWN]);
    assert_eq!(
        asked(RouteClass::Service, Peering::Internal).local_pref,
        Some(0)
    );
    let standing = asked(RouteClass::Standing, Peering::Internal);
    assert!(standing.communities.is_empty());
    assert_eq!(standing.local_pref, Some(100));
}

#[test]
fn what_is_withheld_on_the_way_out_depends_on_what_it_stands_for() {
    let cases = [
        (Parting::Serving, false, false),
        (Parting::Asked, false, false),
        (Parting::Drained, true, false),
        (Parting::Gone, true, true),
    ];
    for (parting, service_gone, standing_gone) in cases {
        let audience = Audience {
            parting,
            ..audience(Peering::External)
        };
        for (class, gone) in [
            (RouteClass::Service, service_gone),
            (RouteClass::Standing, standing_gone),
        ] {
            let route = RouteAttributes {
                class,
                ..RouteAttributes::default()
            };
            let withheld = ipv4(route, &audience).err();
            assert_eq!(
                withheld,
                gone.then_some(Withheld::Draining),
                "{class:?} {parting:?}"
            );
        }
    }
}

#[test]
fn an_origination_for_others_is_not_for_this_peer() {
    let peers = PeerSet::Only(Arc::new(BTreeSet::from([PeerName::new("spine")])));
    let other = Offer {
        peers,
        ..offer(0, RouteAttributes::default())
    };
    let told = evaluate(&[other], Family::Ipv4Unicast, &audience(Peering::External));
    assert_eq!(told, Err(Withheld::NotForPeer));
}

#[test]
fn a_session_offers_the_next_hop_of_each_family_it_has() {
    let session = |ipv4, ipv6, ipv6_link_local| NextHops {
        ipv4,
        ipv6,
        ipv6_link_local,
    };
    let address = Ipv4Addr::new(10, 0, 0, 1);
    let (four, six, local) = (Some(address), Some(global()), Some(link_local()));
    let classic = Some(NextHop::V4(address));
    let [wide, near] = [global(), link_local()].map(|address| Some(NextHop::V6(address)));
    let both = Some(NextHop::V6LinkLocal {
        global: global(),
        link_local: link_local(),
    });
    use Family::{Ipv4Unicast as V4, Ipv6Unicast as V6};
    // Family, RFC 8950 negotiated, what the session has, what follows.
    let cases = [
        (V4, false, session(four, six, None), classic),
        (V4, true, session(four, six, None), classic),
        (V4, false, session(None, six, local), None),
        (V4, true, session(None, six, None), wide),
        (V4, true, session(None, None, local), near),
        (V4, true, session(None, None, None), None),
        (V6, false, session(four, None, None), None),
        (V6, false, session(four, six, None), wide),
        (V6, false, session(None, six, local), both),
        (V6, false, session(None, None, local), near),
    ];
    for (family, extended, next_hops, expected) in cases {
        let extended_next_hop = if extended {
            FamilySet::only(Family::Ipv4Unicast)
        } else {
            FamilySet::EMPTY
        };
        let audience = Audience {
            next_hops,
            extended_next_hop,
            ..audience(Peering::External)
        };
        let offers = [offer(0, RouteAttributes::default())];
        let told = evaluate(&offers, family, &audience).map(|told| told.next_hop);
        assert_eq!(
            told,
            expected.ok_or(Withheld::NoNextHop),
            "{family} {next_hops:?}"
        );
        assert_eq!(has_next_hop(family, &audience), expected.is_some());
    }
}

#[test]
fn a_next_hop_the_route_insists_on_comes_first() {
    let address = Ipv4Addr::new(9, 9, 9, 9);
    let next_hop = NextHops {
        ipv4: Some(address),
        ..NextHops::default()
    };
    let route = RouteAttributes {
        next_hop,
        ..RouteAttributes::default()
    };
    let told = ipv4(route, &audience(Peering::External)).unwrap();
    assert_eq!(told.next_hop, NextHop::V4(address));
}
