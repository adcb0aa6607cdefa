//! What an Established peer is told, when, and in how many messages.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::rig::{OUR_AS, Rig, config, key, next_hops, open, originate, peer, with};
use crate::policy::{NextHops, Origination, OriginationKey, PeerSet, RouteAttributes, Withheld};
use crate::router::{Event, Input, Wake};
use crate::session::{PeerConfig, RemoteAsn};
use crate::types::{ConnId, Family, FamilySet, PeerName, Peering, Prefix};
use crate::wire::{
    AsPath, Capability, Community, Message, NextHop, Open, PathAttributes, RefreshKind,
    RouteRefresh, Update,
};

const MILLISECOND: Duration = Duration::from_millis(1);

/// Established, and past the first messages.
fn ready() -> (Rig, ConnId) {
    let (mut rig, conn) = Rig::established(config(), &open());
    rig.hear(conn);
    (rig, conn)
}

fn announced(update: &Update) -> (Vec<Prefix>, PathAttributes, NextHop) {
    let announcement = update.announced.as_ref().expect("announces something");
    let [reach] = &announcement.reaches[..] else {
        panic!("one family per message");
    };
    (
        reach.prefixes.clone(),
        announcement.attributes.clone(),
        reach.next_hop,
    )
}

fn end_of_rib(family: Family) -> Update {
    Update {
        end_of_rib: Some(family),
        ..Update::default()
    }
}

#[test]
fn an_ebgp_peer_is_told_our_as_and_the_sessions_own_next_hop() {
    let (mut rig, conn) = ready();
    rig.give(Input::Originate(vec![
        originate("192.0.2.1/32"),
        originate("2001:db8::1/128"),
    ]));
    let updates = rig.updates(conn);
    let (prefixes, attributes, next_hop) = announced(&updates[0]);
    assert_eq!(prefixes, ["192.0.2.1/32".parse().unwrap()]);
    assert_eq!(attributes.as_path, AsPath::sequence(&[OUR_AS]));
    assert_eq!((attributes.med, attributes.local_pref), (None, None));
    assert_eq!(next_hop, NextHop::V4([10, 0, 0, 1].into()));
    let (prefixes, _, next_hop) = announced(&updates[1]);
    assert_eq!(prefixes, ["2001:db8::1/128".parse().unwrap()]);
    assert_eq!(next_hop, NextHop::V6("fd00::1".parse().unwrap()));
    assert_eq!(rig.stats().prefixes_out.ipv4, 1);
    assert_eq!(rig.stats().prefixes_out.ipv6, 1);
}

#[test]
fn an_ibgp_peer_is_told_a_local_preference_and_an_empty_path() {
    let inside = PeerConfig {
        remote_asn: RemoteAsn::Any(Peering::Internal),
        ..config()
    };
    let theirs = Open {
        asn: OUR_AS,
        ..open()
    };
    let theirs = Open {
        capabilities: theirs
            .capabilities
            .iter()
            .map(|capability| match capability {
                Capability::FourOctetAs(_) => Capability::FourOctetAs(OUR_AS),
                other => other.clone(),
            })
            .collect(),
        ..theirs
    };
    let (mut rig, conn) = Rig::established(inside, &theirs);
    rig.hear(conn);
    rig.give(Input::Originate(vec![originate("192.0.2.1/32")]));
    let (_, attributes, _) = announced(&rig.updates(conn)[0]);
    assert_eq!(attributes.local_pref, Some(100));
    assert_eq!(attributes.as_path, AsPath::empty());
}

#[test]
fn end_of_rib_waits_for_the_originations_to_be_complete() {
    let (mut rig, conn) = ready();
    rig.give(Input::Originate(vec![originate("192.0.2.1/32")]));
    assert_eq!(rig.updates(conn).len(), 1);
    rig.give(Input::Originate(vec![originate("192.0.2.2/32")]));
    rig.give(Input::OriginationsComplete);
    let updates = rig.updates(conn);
    assert_eq!(announced(&updates[0]).0, ["192.0.2.2/32".parse().unwrap()]);
    assert_eq!(
        updates[1..],
        [
            end_of_rib(Family::Ipv4Unicast),
            end_of_rib(Family::Ipv6Unicast)
        ]
    );
    rig.give(Input::OriginationsComplete);
    assert!(rig.updates(conn).is_empty(), "once per session");
    assert!(rig.stats().end_of_rib_sent.ipv4);
}

#[test]
fn a_later_session_gets_the_whole_view_and_end_of_rib_again() {
    let (mut rig, conn) = ready();
    rig.give(Input::Originate(vec![
        originate("192.0.2.1/32"),
        originate("192.0.2.2/32"),
    ]));
    rig.give(Input::OriginationsComplete);
    assert_eq!(rig.updates(conn).len(), 3);
    rig.give(Input::Closed { conn });
    rig.pass(Duration::from_secs(5));
    let conn = rig.establish(&open());
    let updates = rig.updates(conn);
    assert_eq!(announced(&updates[0]).0.len(), 2);
    assert_eq!(updates.len(), 3);
}

#[test]
fn the_first_change_goes_at_once_and_those_behind_it_within_ten_milliseconds() {
    let (mut rig, conn) = ready();
    rig.give(Input::Originate(vec![originate("192.0.2.1/32")]));
    assert_eq!(rig.updates(conn).len(), 1);
    for number in 2..9 {
        rig.pass(MILLISECOND);
        rig.give(Input::Originate(vec![originate(&format!(
            "192.0.2.{number}/32"
        ))]));
        assert!(rig.updates(conn).is_empty());
    }
    let (at, wake) = rig.router.next_deadline().unwrap();
    assert_eq!((at - rig.now, wake), (3 * MILLISECOND, Wake::Batch));
    rig.pass(3 * MILLISECOND);
    let updates = rig.updates(conn);
    assert_eq!(updates.len(), 1);
    assert_eq!(announced(&updates[0]).0.len(), 7);
}

#[test]
fn what_came_and_went_unsent_is_not_mentioned() {
    let (mut rig, conn) = ready();
    rig.give(Input::Originate(vec![originate("192.0.2.1/32")]));
    rig.hear(conn);
    for _ in 0..100 {
        rig.give(Input::Originate(vec![originate("192.0.2.2/32")]));
        rig.give(Input::Withdraw(vec![key("192.0.2.2/32")]));
    }
    rig.pass(20 * MILLISECOND);
    assert!(rig.updates(conn).is_empty());
}

#[test]
fn what_is_told_again_unchanged_is_no_change() {
    let (mut rig, conn) = ready();
    rig.give(Input::Originate(vec![originate("192.0.2.1/32")]));
    rig.hear(conn);
    rig.give(Input::Originate(vec![originate("192.0.2.1/32")]));
    rig.give(Input::Withdraw(vec![key("192.0.2.77/32")]));
    rig.pass(20 * MILLISECOND);
    assert!(rig.updates(conn).is_empty());
    assert_eq!(
        rig.router.next_deadline().unwrap().1,
        Wake::Session(crate::session::Timer::Keepalive)
    );
}

#[test]
fn a_changed_route_replaces_itself_without_a_withdrawal() {
    let (mut rig, conn) = ready();
    rig.give(Input::Originate(vec![originate("192.0.2.1/32")]));
    rig.hear(conn);
    rig.pass(20 * MILLISECOND);
    let med = RouteAttributes {
        med: Some(5),
        ..RouteAttributes::default()
    };
    rig.give(Input::Originate(vec![with("192.0.2.1/32", med)]));
    let updates = rig.updates(conn);
    assert_eq!(updates.len(), 1);
    assert!(updates[0].withdrawn.is_empty());
    assert_eq!(announced(&updates[0]).1.med, Some(5));
}

#[test]
fn withdrawals_and_announcements_do_not_share_a_message() {
    let (mut rig, conn) = ready();
    rig.give(Input::Originate(vec![
        originate("192.0.2.1/32"),
        originate("2001:db8::1/128"),
    ]));
    rig.hear(conn);
    rig.pass(20 * MILLISECOND);
    rig.give(Input::Withdraw(vec![
        key("192.0.2.1/32"),
        key("2001:db8::1/128"),
    ]));
    rig.give(Input::Originate(vec![originate("192.0.2.2/32")]));
    rig.pass(20 * MILLISECOND);
    let updates = rig.updates(conn);
    assert_eq!(updates.len(), 3);
    assert!(
        updates
            .iter()
            .all(|update| update.withdrawn.is_empty() != update.announced.is_none())
    );
    assert_eq!(rig.stats().prefixes_out.ipv4, 1);
}

#[test]
fn originations_of_one_prefix_for_one_peer_unite_and_for_another_do_not_count() {
    let (mut rig, conn) = ready();
    let tagged = |community: u16, slot: u16, peers: PeerSet| Origination {
        key: OriginationKey {
            slot,
            ..key("192.0.2.1/32")
        },
        attributes: Arc::new(RouteAttributes {
            communities: BTreeSet::from([Community::new(65_000, community)]),
            ..RouteAttributes::default()
        }),
        peers,
    };
    let only = |name: &str| PeerSet::Only(Arc::new(BTreeSet::from([PeerName::new(name)])));
    rig.give(Input::Originate(vec![
        tagged(1, 0, PeerSet::All),
        tagged(2, 1, only("tor")),
        tagged(3, 2, only("other")),
    ]));
    let (_, attributes, _) = announced(&rig.updates(conn)[0]);
    assert_eq!(
        attributes.communities,
        [Community::new(65_000, 1), Community::new(65_000, 2)]
    );
    rig.pass(20 * MILLISECOND);
    rig.give(Input::Withdraw(vec![key("192.0.2.1/32")]));
    let (_, attributes, _) = announced(&rig.updates(conn)[0]);
    assert_eq!(attributes.communities, [Community::new(65_000, 2)]);
}

#[test]
fn a_refresh_is_answered_between_brackets() {
    let (mut rig, conn) = ready();
    rig.give(Input::Originate(vec![
        originate("192.0.2.1/32"),
        originate("2001:db8::1/128"),
    ]));
    rig.hear(conn);
    let refresh = |kind| {
        Message::RouteRefresh(RouteRefresh {
            family: Family::Ipv4Unicast.afi_safi(),
            kind,
        })
    };
    rig.say(conn, &refresh(RefreshKind::Request));
    let heard = rig.hear(conn);
    assert_eq!(heard.len(), 3);
    assert_eq!(heard[0], refresh(RefreshKind::BeginOfRib));
    assert!(matches!(heard[1], Message::Update(_)));
    assert_eq!(heard[2], refresh(RefreshKind::EndOfRib));
}

#[test]
fn a_peer_without_rfc_7313_gets_the_routes_alone() {
    let plain = Open {
        capabilities: open()
            .capabilities
            .into_iter()
            .filter(|capability| *capability != Capability::EnhancedRouteRefresh)
            .collect(),
        ..open()
    };
    let (mut rig, conn) = Rig::established(config(), &plain);
    rig.give(Input::Originate(vec![originate("192.0.2.1/32")]));
    rig.hear(conn);
    let family = Family::Ipv4Unicast.afi_safi();
    rig.say(
        conn,
        &Message::RouteRefresh(RouteRefresh {
            family,
            kind: RefreshKind::Request,
        }),
    );
    assert!(matches!(rig.hear(conn)[..], [Message::Update(_)]));
}

#[test]
fn a_refresh_of_a_family_that_is_not_carried_is_ignored() {
    let (mut rig, conn) = ready();
    let family = crate::types::AfiSafi { afi: 99, safi: 1 };
    rig.say(
        conn,
        &Message::RouteRefresh(RouteRefresh {
            family,
            kind: RefreshKind::Request,
        }),
    );
    assert!(rig.hear(conn).is_empty());
}

#[test]
fn we_ask_for_a_refresh_where_the_peer_can_give_one() {
    let (mut rig, conn) = ready();
    rig.give(Input::RefreshPeer { peer: peer() });
    let requests = Family::ALL.map(|family| {
        let kind = RefreshKind::Request;
        Message::RouteRefresh(RouteRefresh {
            family: family.afi_safi(),
            kind,
        })
    });
    assert_eq!(rig.hear(conn), requests);
}

#[test]
fn a_family_without_a_next_hop_is_withheld_with_its_reason() {
    let (mut rig, conn) = ready();
    rig.events();
    rig.give(Input::SetNextHops {
        conn,
        next_hops: NextHops::default(),
    });
    let reason = Some(Withheld::NoNextHop);
    let family = Family::Ipv6Unicast;
    assert_eq!(
        rig.events(),
        [Event::Withheld {
            peer: peer(),
            family,
            reason
        }]
    );
    assert_eq!(rig.stats().withheld.ipv6, reason);
    assert_eq!(rig.stats().withheld.ipv4, None);
    rig.give(Input::Originate(vec![originate("2001:db8::1/128")]));
    assert!(rig.updates(conn).is_empty());

    rig.give(Input::SetNextHops {
        conn,
        next_hops: next_hops(),
    });
    assert_eq!(
        announced(&rig.updates(conn)[0]).0,
        ["2001:db8::1/128".parse().unwrap()]
    );
    assert_eq!(rig.stats().withheld.ipv6, None);
}

#[test]
fn a_route_that_names_its_own_next_hop_needs_none_of_the_session() {
    let (mut rig, conn) = ready();
    rig.give(Input::SetNextHops {
        conn,
        next_hops: NextHops::default(),
    });
    let address = "2001:db8:ffff::1".parse().unwrap();
    let next_hop = NextHops {
        ipv6: Some(address),
        ..NextHops::default()
    };
    let insists = RouteAttributes {
        next_hop,
        ..RouteAttributes::default()
    };
    rig.give(Input::Originate(vec![with("2001:db8::1/128", insists)]));
    assert_eq!(announced(&rig.updates(conn)[0]).2, NextHop::V6(address));
}

#[test]
fn only_families_both_sides_carry_are_announced() {
    let ipv4 = PeerConfig {
        families: FamilySet::only(Family::Ipv4Unicast),
        ..config()
    };
    let (mut rig, conn) = Rig::established(ipv4, &open());
    rig.hear(conn);
    rig.give(Input::Originate(vec![
        originate("192.0.2.1/32"),
        originate("2001:db8::1/128"),
    ]));
    rig.give(Input::OriginationsComplete);
    let updates = rig.updates(conn);
    assert_eq!(updates.len(), 2);
    assert_eq!(updates[1], end_of_rib(Family::Ipv4Unicast));
}

#[test]
fn the_age_of_what_is_unsent_is_known() {
    let (mut rig, conn) = ready();
    assert_eq!(rig.stats().oldest_unsent, None);
    rig.give(Input::Originate(vec![originate("192.0.2.1/32")]));
    rig.pass(Duration::from_secs(3));
    rig.give(Input::Tick);
    assert_eq!(rig.stats().oldest_unsent, Some(Duration::from_secs(3)));
    rig.hear(conn);
    assert_eq!(rig.stats().oldest_unsent, None);
}

fn many(count: u32) -> Vec<Origination> {
    let attributes = Arc::new(RouteAttributes::default());
    (0..count)
        .map(|number| {
            let address = std::net::Ipv4Addr::from(0x0a80_0000 + number);
            let prefix = Prefix::new(address.into(), 32).unwrap();
            let key = OriginationKey { prefix, slot: 0 };
            Origination {
                key,
                attributes: Arc::clone(&attributes),
                peers: PeerSet::All,
            }
        })
        .collect()
}

#[test]
fn messages_are_filled_to_the_limit_across_rounds_of_writing() {
    let (mut rig, conn) = ready();
    rig.give(Input::Originate(many(100_000)));
    let bytes = rig.bytes(conn);
    let updates = super::rig::read(bytes.clone());
    // 4096 octets less header, two lengths and 20 octets of attributes hold 810 of 5 octets each.
    assert_eq!(updates.len(), 100_000_usize.div_ceil(810));
    assert!(bytes.len() < 510_000);
    let told: usize = updates
        .iter()
        .map(|message| match message {
            Message::Update(update) => announced(update).0.len(),
            other => panic!("{other:?}"),
        })
        .sum();
    assert_eq!(told, 100_000);
}

#[test]
fn one_call_writes_no_more_than_a_socket_takes() {
    let (mut rig, conn) = ready();
    rig.give(Input::Originate(many(100_000)));
    let mut buf = bytes::BytesMut::new();
    assert!(rig.router.poll_transmit(conn, &mut buf));
    assert!(buf.len() <= 70_000, "{} octets", buf.len());
}

#[test]
fn a_peer_that_does_not_read_sees_each_route_once_however_often_it_changed() {
    let (mut rig, conn) = ready();
    rig.give(Input::Originate(many(1000)));
    for round in 0..50 {
        rig.pass(20 * MILLISECOND);
        let med = Arc::new(RouteAttributes {
            med: Some(round),
            ..RouteAttributes::default()
        });
        let routes = many(1000);
        let attributes = |route| Origination {
            attributes: Arc::clone(&med),
            ..route
        };
        rig.give(Input::Originate(
            routes.into_iter().map(attributes).collect(),
        ));
    }
    let updates = rig.updates(conn);
    assert_eq!(updates.len(), 2);
    assert!(
        updates
            .iter()
            .all(|update| announced(update).1.med == Some(49))
    );
}

#[test]
fn attributes_too_large_for_any_message_hold_back_their_route_alone() {
    let (mut rig, conn) = ready();
    let communities = (0..2000)
        .map(|number| Community::new(65_000, number))
        .collect();
    let huge = RouteAttributes {
        communities,
        ..RouteAttributes::default()
    };
    rig.give(Input::Originate(vec![
        with("192.0.2.1/32", huge),
        originate("192.0.2.2/32"),
    ]));
    let updates = rig.updates(conn);
    assert_eq!(updates.len(), 1);
    assert_eq!(announced(&updates[0]).0, ["192.0.2.2/32".parse().unwrap()]);
}
