//! What the Router is told about a configured peer, and who the speaker is.

use std::num::NonZeroU8;
use std::time::Duration;

use ringbolt_bgp::session::{GracefulRestart, Hops, Mode, PeerConfig, RemoteAsn};
use ringbolt_bgp::types::{Asn, Family, FamilySet, PeerId, Peering, RouterId};
use serde_json::{Value, json};

use crate::desired::tests::world::{HERE, World, node, peer, with};

#[test]
fn a_peer_with_defaults_is_an_active_one_of_its_address_family() {
    let told = told(json!({}));
    assert_eq!(told.id, PeerId::new("tor"));
    assert_eq!(
        (told.local_asn, told.remote_asn),
        (Some(Asn(64512)), RemoteAsn::Exactly(Asn(64513)))
    );
    assert_eq!(
        (told.address.to_string(), told.port),
        ("198.51.100.1".to_owned(), 179)
    );
    assert_eq!((told.mode, told.hops), (Mode::Active, Hops::Default));
    assert_eq!(told.families, FamilySet::only(Family::Ipv4Unicast));
    assert_eq!(
        (told.hold_time.as_secs(), told.drain_wait),
        (90, Duration::from_secs(3))
    );
    assert!(told.password.is_none() && told.source.is_none() && told.max_prefixes_in.is_none());
}

#[test]
fn every_field_is_carried_over() {
    let told = told(json!({
        "peerPort": 1179, "sourceAddress": "198.51.100.2", "localASN": 65000,
        "routerID": "192.0.2.99",
        "peerASN": null, "dynamicASN": "external", "passive": true, "ttlSecurityHops": 2,
        "holdTime": "30s", "keepaliveTime": "5s", "connectTime": "7s", "password": "hush",
        "families": ["IPv4", "IPv6"], "maxPrefixes": 12, "drain": {"waitSeconds": 9},
        "gracefulRestart": {"restartTimeSeconds": 90},
    }));
    assert_eq!(
        (told.port, told.source.map(|ip| ip.to_string())),
        (1179, Some("198.51.100.2".to_owned()))
    );
    assert_eq!(
        (told.local_asn, told.remote_asn),
        (Some(Asn(65000)), RemoteAsn::Any(Peering::External))
    );
    assert_eq!(told.router_id, RouterId::new(0xc000_0263));
    assert_eq!(
        (told.mode, told.hops),
        (Mode::Passive, Hops::Security(NonZeroU8::new(2).unwrap()))
    );
    assert_eq!(
        (told.hold_time.as_secs(), told.keepalive),
        (30, Some(Duration::from_secs(5)))
    );
    assert_eq!(
        (told.connect_retry, told.drain_wait),
        (Duration::from_secs(7), Duration::from_secs(9))
    );
    assert_eq!(
        told.password.map(|password| password.expose().to_vec()),
        Some(b"hush".to_vec())
    );
    assert_eq!(
        (told.families, told.max_prefixes_in),
        (FamilySet::ALL, Some(12))
    );
    assert_eq!(
        told.graceful_restart,
        Some(GracefulRestart { restart_time_s: 90 })
    );
}

#[test]
fn only_changes_of_open_or_socket_cost_the_session() {
    let before = told(json!({}));
    for (patch, resets) in [
        (json!({"maxPrefixes": 5}), false),
        (json!({"drain": {"waitSeconds": 1}}), false),
        (json!({"connectTime": "9s"}), false),
        (json!({"passive": true}), false),
        (json!({"holdTime": "30s"}), true),
        (json!({"routerID": "192.0.2.99"}), true),
        (json!({"password": "x"}), true),
        (json!({"families": ["IPv4", "IPv6"]}), true),
        (json!({"peerAddress": "198.51.100.9"}), true),
        (json!({"ebgpMultiHop": true}), true),
        (json!({"enableGracefulRestart": true}), true),
    ] {
        assert_eq!(before.needs_reset(&told(patch.clone())), resets, "{patch}");
    }
}

#[test]
fn the_identifier_is_the_nodes_address_or_made_of_the_name() {
    let mut world = World::usual();
    let id = |world: &World| world.planner.identity().router_id.to_string();
    let made = id(&world);
    assert_eq!(made, id(&World::usual()), "the same after a restart");
    assert!(
        made.split('.').next().unwrap().parse::<u8>().unwrap() >= 240,
        "{made}"
    );
    let addresses = json!({"status": {"addresses": [
        {"type": "InternalIP", "address": "fd00::1"}, {"type": "InternalIP", "address": "10.0.0.7"},
    ]}});
    world.apply(with(node(HERE), addresses));
    assert_eq!(id(&world), "10.0.0.7");
    world.apply(with(
        peer("tor"),
        json!({"spec": {"routerID": "192.0.2.99"}}),
    ));
    assert_eq!(id(&world), "10.0.0.7", "one peer's wish is that peer's");
}

/// How a BGPPeer with these fields is told.
fn told(fields: Value) -> PeerConfig {
    let mut world = World::bare();
    let orders = world.apply(with(peer("tor"), json!({"spec": fields})));
    assert!(
        world.planner.problems().is_empty(),
        "{:?}",
        world.planner.problems()
    );
    orders.peers.unwrap().into_values().next().unwrap()
}
