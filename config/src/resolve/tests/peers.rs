//! Peers: defaults, templates, Secrets.

use std::time::Duration;

use super::*;
use crate::model::IpFamily;
use crate::model::bgp::{Distance, RemoteAsn};

#[test]
fn a_peer_with_the_least_fields_has_all_defaults() {
    let peer = the_peer(&snapshot(&[(Kind::BGPPeer, "tor", peer())]));
    assert_eq!(
        (peer.my_asn, peer.shown_asn(), peer.port),
        (64512, 64512, 179)
    );
    assert_eq!(peer.remote_asn, RemoteAsn::Exact(64513));
    assert_eq!(seconds(&peer), (90, 30, 5));
    assert_eq!(peer.distance, Distance::Usual);
    assert_eq!(peer.families, [IpFamily::IPv4].into());
    assert_eq!(peer.drain_wait, Duration::from_secs(3));
    assert!(!peer.passive && peer.password.is_none() && peer.nodes.is_all());
}

#[test]
fn families_follow_the_address_unless_said_otherwise() {
    let families = |change: Value| {
        let mut spec = peer();
        spec.as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        Vec::from_iter(
            the_peer(&snapshot(&[(Kind::BGPPeer, "tor", spec)]))
                .families
                .clone(),
        )
    };
    let (four, six) = (IpFamily::IPv4, IpFamily::IPv6);
    assert_eq!(families(json!({})), [four]);
    assert_eq!(families(json!({"peerAddress": "2001:db8::1"})), [six]);
    assert_eq!(
        families(json!({"dualStackAddressFamily": true})),
        [four, six]
    );
    assert_eq!(families(json!({"disableMP": true})), [four]);
    assert_eq!(families(json!({"families": ["IPv6"]})), [six]);
    assert_eq!(families(json!({"families": ["IPv6", "IPv4"]})), [four, six]);
}

#[test]
fn graceful_restart_is_off_unless_asked_for() {
    let restart = |change: Value| {
        let mut spec = peer();
        spec.as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        let peer = the_peer(&snapshot(&[(Kind::BGPPeer, "tor", spec)]));
        peer.graceful_restart.map(|offer| offer.restart_time_s)
    };
    assert_eq!(restart(json!({})), None);
    assert_eq!(restart(json!({"enableGracefulRestart": false})), None);
    assert_eq!(restart(json!({"enableGracefulRestart": true})), Some(60));
    assert_eq!(restart(json!({"gracefulRestart": {}})), Some(60));
    let ninety = json!({"gracefulRestart": {"restartTimeSeconds": 90}});
    assert_eq!(restart(ninety), Some(90));
}

#[test]
fn graceful_restart_that_is_off_has_no_times() {
    let mut spec = peer();
    spec["enableGracefulRestart"] = json!(false);
    spec["gracefulRestart"] = json!({});
    let problems = resolve(&snapshot(&[(Kind::BGPPeer, "tor", spec)])).unwrap_err();
    assert_eq!(
        said(&problems),
        ["BGPPeer tor: spec.enableGracefulRestart: Disagreement"]
    );
}

#[test]
fn times_imply_each_other() {
    for (hold, keepalive, expected) in [
        (Some("9s"), None, (9, 3, 5)),
        (Some("0s"), None, (0, 0, 5)),
        (Some("10s"), Some("9s"), (10, 9, 5)),
        (None, Some("10s"), (30, 10, 5)),
        (Some("1m30s"), Some("30s"), (90, 30, 5)),
    ] {
        let mut spec = peer();
        spec["holdTime"] = json!(hold);
        spec["keepaliveTime"] = json!(keepalive);
        let peer = the_peer(&snapshot(&[(Kind::BGPPeer, "tor", spec)]));
        assert_eq!(seconds(&peer), expected, "{hold:?} {keepalive:?}");
    }
    for (field, text) in [
        ("holdTime", "2s"),
        ("holdTime", "90500ms"),
        ("holdTime", "soon"),
        ("keepaliveTime", "0s"),
        ("connectTime", "0s"),
    ] {
        let mut spec = peer();
        spec[field] = json!(text);
        let problems = resolve(&snapshot(&[(Kind::BGPPeer, "tor", spec)])).unwrap_err();
        assert_eq!(
            said(&problems),
            [format!("BGPPeer tor: spec.{field}: InvalidDuration")]
        );
    }
    let mut spec = peer();
    spec["holdTime"] = json!("9s");
    spec["keepaliveTime"] = json!("9s");
    assert!(resolve(&snapshot(&[(Kind::BGPPeer, "tor", spec)])).is_err());
}

#[test]
fn a_template_fills_what_the_peer_leaves_open() {
    let template = json!({
        "myASN": 64512, "peerASN": 64999, "peerAddress": "192.0.2.254", "holdTime": "9s",
        "families": ["IPv4", "IPv6"], "ebgpMultiHop": true, "maxPrefixes": 10,
    });
    let own = json!({
        "templateRef": "t", "peerAddress": "192.0.2.1", "dynamicASN": "external",
        "ttlSecurityHops": 1, "keepaliveTime": "20s",
    });
    let peer = the_peer(&snapshot(&[
        (Kind::BGPPeerTemplate, "t", template),
        (Kind::BGPPeer, "tor", own),
    ]));
    assert_eq!((peer.my_asn, peer.remote_asn), (64512, RemoteAsn::External));
    assert_eq!(peer.address.to_string(), "192.0.2.1");
    assert_eq!(peer.families.len(), 2);
    assert_eq!(peer.distance, Distance::TtlSecurity { hops: 1 });
    assert_eq!((seconds(&peer), peer.max_prefixes), ((60, 20, 5), Some(10)));
}

#[test]
fn a_peer_whose_template_is_missing_or_bad_is_refused() {
    let own = json!({"templateRef": "t", "peerAddress": "192.0.2.1"});
    let alone = resolve(&snapshot(&[(Kind::BGPPeer, "tor", own.clone())])).unwrap_err();
    assert_eq!(
        said(&alone),
        ["BGPPeer tor: spec.templateRef: UnknownReference"]
    );
    let template = json!({"myASN": 1, "peerASN": 2, "vrf": "red", "routerID": "1.2.3.999"});
    let bad = resolve(&snapshot(&[
        (Kind::BGPPeerTemplate, "t", template),
        (Kind::BGPPeer, "tor", own.clone()),
    ]));
    assert_eq!(
        said(&bad.unwrap_err()),
        [
            "BGPPeerTemplate t: spec.vrf: NotImplemented",
            "BGPPeerTemplate t: spec.routerID: InvalidAddress",
            "BGPPeer tor: spec.templateRef: DependencyProblem",
        ]
    );
    let empty = snapshot(&[
        (Kind::BGPPeerTemplate, "t", json!({})),
        (Kind::BGPPeer, "tor", own),
    ]);
    assert_eq!(
        said(&resolve(&empty).unwrap_err()),
        [
            "BGPPeer tor: spec.myASN: MissingField",
            "BGPPeer tor: spec.peerASN: MissingField"
        ]
    );
}

#[test]
fn a_password_comes_from_its_secret_and_is_never_printed() {
    let mut spec = peer();
    spec["passwordSecret"] = json!({"name": "bgp"});
    let mut snapshot = snapshot(&[(Kind::BGPPeer, "tor", spec)]);
    let mut memory = LastGood::default();
    let (config, problems) = memory.update(&snapshot);
    assert_eq!(
        said(&problems),
        ["BGPPeer tor: spec.passwordSecret: UnknownReference"]
    );
    assert!(config.peers.is_empty());
    put(
        &mut snapshot,
        Kind::Secret,
        json!({"name": "bgp"}),
        json!({"password": "hunter2"}),
    );
    let (config, problems) = memory.update(&snapshot);
    assert_eq!(problems, []);
    let peer = config.peers.values().next().unwrap();
    assert_eq!(peer.password.as_ref().unwrap().expose(), b"hunter2");
    assert!(!format!("{config:?} {snapshot:?}").contains("hunter2"));
    let long = "x".repeat(81);
    for entries in [
        json!({"other": "x"}),
        json!({"password": ""}),
        json!({"password": long}),
    ] {
        put(&mut snapshot, Kind::Secret, json!({"name": "bgp"}), entries);
        let (after, problems) = memory.update(&snapshot);
        assert_eq!(
            said(&problems),
            ["BGPPeer tor: spec.passwordSecret: SecretEntry"]
        );
        assert_eq!(after, config);
    }
}

#[test]
fn an_inline_password_is_never_printed_from_the_config() {
    let mut spec = peer();
    spec["password"] = json!("hunter2");
    let config = resolve(&snapshot(&[(Kind::BGPPeer, "tor", spec)])).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn addresses_that_nobody_can_be_reached_at_are_refused() {
    for (field, text) in [
        ("peerAddress", "0.0.0.0"),
        ("peerAddress", "224.0.0.1"),
        ("peerAddress", "nonsense"),
        ("sourceAddress", "2001:db8::1"),
        ("routerID", "0.0.0.0"),
    ] {
        let mut spec = peer();
        spec[field] = json!(text);
        let problems = resolve(&snapshot(&[(Kind::BGPPeer, "tor", spec)])).unwrap_err();
        assert_eq!(&*problems[0].field, format!("spec.{field}"), "{text}");
    }
    let template = json!({"sourceAddress": "2001:db8::1"});
    let mut own = peer();
    own["templateRef"] = json!("t");
    let crossed = snapshot(&[
        (Kind::BGPPeerTemplate, "t", template),
        (Kind::BGPPeer, "tor", own),
    ]);
    let problems = resolve(&crossed).unwrap_err();
    assert_eq!(
        said(&problems),
        ["BGPPeer tor: spec.sourceAddress: Disagreement"]
    );
}

fn the_peer(snapshot: &Snapshot) -> Arc<Peer> {
    resolve(snapshot)
        .unwrap()
        .peers
        .values()
        .next()
        .unwrap()
        .clone()
}

fn seconds(peer: &Peer) -> (u64, u64, u64) {
    let of = Duration::as_secs;
    (
        of(&peer.hold_time),
        of(&peer.keepalive_time),
        of(&peer.connect_time),
    )
}
