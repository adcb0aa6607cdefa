//! The CEL rules of the CRDs, evaluated as an API server would, and held against the resolver: in
//! a directory of manifests nobody evaluates CEL, so what CEL refuses the resolver must refuse.

use kube::CustomResourceExt;
use kube::core::cel::{validate_cel, validate_cel_update};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;
use crate::names::Kind;
use crate::object::decode;
use crate::resolve::{Effect, LastGood};
use crate::snapshot::Snapshot;

const PEER: &str = r#"{"myASN": 64512, "peerASN": 64513, "peerAddress": "192.0.2.1"}"#;

#[test]
fn peers_that_name_the_other_side_in_one_way_are_accepted() {
    for change in [
        json!({}),
        json!({"peerAddress": "2001:db8::1", "families": ["IPv4", "IPv6"]}),
        json!({"peerASN": null, "dynamicASN": "external"}),
        json!({"password": "x"}),
        json!({"passwordSecret": {"name": "s"}}),
        json!({"families": ["IPv4"], "disableMP": true}),
        json!({"families": ["IPv4", "IPv6"], "dualStackAddressFamily": true}),
        json!({"ebgpMultiHop": false, "ttlSecurityHops": 1}),
        json!({"holdTime": "0s"}),
        json!({"holdTime": "3s", "connectTime": "1s"}),
        json!({"routerID": "10.0.0.1", "sourceAddress": "192.0.2.9"}),
    ] {
        assert_eq!(
            verdicts::<BGPPeer>(Kind::BGPPeer, merged(PEER, &change)),
            (true, true),
            "{change}"
        );
    }
}

#[test]
fn peers_that_contradict_themselves_are_refused_by_cel_and_by_the_resolver() {
    for change in [
        json!({"peerAddress": null}),
        json!({"interface": "eth0"}),
        json!({"peerPrefix": "192.0.2.0/24"}),
        json!({"peerGateway": "IPv4"}),
        json!({"peerNodeSelector": {}}),
        json!({"peerASN": null}),
        json!({"dynamicASN": "internal"}),
        json!({"myASN": null}),
        json!({"password": "x", "passwordSecret": {"name": "s"}}),
        json!({"families": ["IPv4", "IPv6"], "disableMP": true}),
        json!({"families": ["IPv4", "IPv6"], "dualStackAddressFamily": false}),
        json!({"families": ["IPv4"], "dualStackAddressFamily": true}),
        json!({"disableMP": true, "dualStackAddressFamily": true}),
        json!({"ebgpMultiHop": true, "ttlSecurityHops": 1}),
        json!({"peerAddress": "192.0.2"}),
        json!({"sourceAddress": "nonsense"}),
        json!({"routerID": "2001:db8::1"}),
        json!({"holdTime": "2s"}),
        json!({"holdTime": "65536s"}),
        json!({"connectTime": "0s"}),
    ] {
        let seen = verdicts::<BGPPeer>(Kind::BGPPeer, merged(PEER, &change));
        assert_eq!(seen, (false, false), "{change}");
    }
}

#[test]
fn fields_of_an_advertisement_belong_to_its_source() {
    let accepted = [
        json!({}),
        json!({"source": "LoadBalancer", "ipAddressPools": ["p"], "serviceSelectors": [{}]}),
        json!({"source": "PodCIDR", "nodeSelectors": [{}], "peers": ["tor"]}),
        json!({"source": "Static", "prefixes": ["192.0.2.0/24"]}),
        json!({"nextHop": "192.0.2.1"}),
    ];
    for spec in accepted {
        let seen = verdicts::<BGPAdvertisement>(Kind::BGPAdvertisement, spec.clone());
        assert_eq!(seen, (true, true), "{spec}");
    }
    let refused = [
        json!({"source": "PodCIDR", "ipAddressPools": ["p"]}),
        json!({"source": "Static", "prefixes": ["192.0.2.0/24"], "ipAddressPoolSelectors": [{}]}),
        json!({"source": "Static"}),
        json!({"prefixes": ["192.0.2.0/24"]}),
        json!({"source": "PodCIDR", "prefixes": ["192.0.2.0/24"]}),
        json!({"source": "PodCIDR", "serviceSelectors": [{}]}),
        json!({"source": "PodCIDR", "namespaceSelectors": [{}]}),
        json!({"source": "PodCIDR", "withoutEndpoints": "Announce"}),
        json!({"source": "PodCIDR", "allowServiceAttributes": true}),
        json!({"source": "Static", "prefixes": ["192.0.2.0/24"], "linkBandwidth": "Never"}),
        json!({"source": "ExternalIP"}),
        json!({"allowedCIDRs": ["192.0.2.0/24"]}),
        json!({"nextHop": "nonsense"}),
    ];
    for spec in refused {
        let seen = verdicts::<BGPAdvertisement>(Kind::BGPAdvertisement, spec.clone());
        assert_eq!(seen, (false, false), "{spec}");
    }
}

#[test]
fn the_source_of_an_advertisement_never_changes() {
    let of = |spec: Value| object::<BGPAdvertisement>("BGPAdvertisement", spec);
    let (unsaid, said) = (
        of(json!({})),
        of(json!({"source": "LoadBalancer", "med": 5})),
    );
    let other = of(json!({"source": "PodCIDR"}));
    assert!(validate_cel_update(&said, &unsaid).is_ok());
    assert!(validate_cel_update(&unsaid, &said).is_ok());
    assert!(validate_cel_update(&other, &unsaid).is_err());
    assert!(validate_cel_update(&unsaid, &other).is_err());
}

#[test]
fn the_address_of_a_claim_never_changes_and_is_an_address() {
    let of = |address: &str| object::<IPAllocation>("IPAllocation", json!({"address": address}));
    let (one, other) = (of("192.0.2.1"), of("192.0.2.2"));
    assert!(validate_cel(&one).is_ok());
    assert!(validate_cel_update(&one, &one).is_ok());
    assert!(validate_cel_update(&other, &one).is_err());
    assert!(validate_cel(&of("nonsense")).is_err());
}

/// Whether CEL accepts a spec, and whether the resolver does.
fn verdicts<T>(kind: Kind, spec: Value) -> (bool, bool)
where
    T: CustomResourceExt + Serialize + DeserializeOwned,
{
    let cel = validate_cel(&object::<T>(kind.as_str(), spec.clone())).is_ok();
    let mut snapshot = Snapshot::default();
    let pool = json!({"metadata": {"name": "p"}, "spec": {"addresses": ["192.0.2.0/24"]}});
    let tor = json!({"metadata": {"name": "tor"}, "spec": merged(PEER, &json!({}))});
    let secret = json!({"metadata": {"name": "s"}, "stringData": {"password": "x"}});
    for (kind, value) in [
        (Kind::IPAddressPool, pool),
        (Kind::BGPPeer, tor),
        (Kind::Secret, secret),
    ] {
        snapshot.apply(decode(kind, value).unwrap());
    }
    let value = json!({"metadata": {"name": "candidate"}, "spec": spec});
    snapshot.apply(decode(kind, value).unwrap());
    let (_, problems) = LastGood::default().update(&snapshot);
    let refused = problems
        .iter()
        .any(|problem| problem.reason.effect() == Effect::Refused);
    (cel, !refused)
}

fn object<T: DeserializeOwned>(kind: &str, spec: Value) -> T {
    let value = json!({
        "apiVersion": "ringbolt.io/v1beta1", "kind": kind,
        "metadata": {"name": "candidate"}, "spec": spec,
    });
    serde_json::from_value(value).unwrap()
}

/// A spec with some members replaced; null takes one away.
fn merged(base: &str, change: &Value) -> Value {
    let mut spec: Value = serde_json::from_str(base).unwrap();
    for (key, value) in change.as_object().unwrap() {
        spec[key] = value.clone();
    }
    spec.as_object_mut()
        .unwrap()
        .retain(|_, value| !value.is_null());
    spec
}
