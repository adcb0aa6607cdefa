//! Every field of every schema is either read or refused by name: each is set to a value that is
//! valid and not the default, and something must come of it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;
use crate::Config;
use crate::object::decode;
use crate::resolve::{LastGood, Problem};
use crate::snapshot::Snapshot;

#[test]
fn every_field_is_read_or_refused_by_name() {
    let mut tried = BTreeSet::new();
    for (kind, path, spec) in samples() {
        let field = served_fields()
            .into_iter()
            .find(|f| f.kind == kind && *f.path == *path);
        let served = field
            .unwrap_or_else(|| panic!("{kind} has no field {path}"))
            .served;
        let (before, problems) = resolved(kind, base(kind, &path));
        assert_eq!(problems, [], "the base for {kind} {path}");
        let (after, problems) = resolved(kind, spec.clone());
        let row = row(kind, &path).map_or("", |(name, _)| name);
        let named = |field: String| {
            let of_kind = problems
                .iter()
                .filter(|problem| problem.object.kind == kind);
            of_kind
                .filter(|p| p.reason.reason() == "NotImplemented")
                .any(|p| *p.field == *field)
        };
        match served {
            Served::Read => {
                assert_eq!(problems, [], "{kind} {path}");
                assert_ne!(before, after, "{kind} {path} is neither read nor refused");
            }
            Served::Only(_) => assert!(named(format!("spec.{row}")), "{kind} {path}"),
            Served::Refused => assert!(named(format!("spec.{row}")), "{kind} {path}"),
        }
        tried.insert((kind, path));
    }
    let state = [Kind::IPAllocation, Kind::Speaker];
    let missing: Vec<_> = served_fields()
        .into_iter()
        .filter(|field| !state.contains(&field.kind) && !REFUSED_KINDS.contains(&field.kind))
        .filter(|field| !tried.contains(&(field.kind, field.path.to_string())))
        .collect();
    assert!(missing.is_empty(), "no sample for {missing:#?}");
}

#[test]
fn a_kind_that_is_not_served_is_refused_as_a_whole() {
    for &kind in REFUSED_KINDS {
        let (_, problems) = resolved(kind, json!({}));
        let [problem] = &problems[..] else {
            panic!("{problems:?}")
        };
        assert_eq!((problem.object.kind, &*problem.field), (kind, "spec"));
        assert_eq!(problem.reason.reason(), "NotImplemented");
        let fields = served_fields()
            .into_iter()
            .filter(|field| field.kind == kind);
        assert!(
            fields
                .map(|field| field.served)
                .all(|served| served == Served::Refused)
        );
    }
}

#[test]
fn values_that_are_served_of_a_field_that_is_partly_served_are_accepted() {
    for (kinds, field, served) in NOT_SERVED {
        let Served::Only(values) = served else {
            continue;
        };
        for (kind, value) in kinds
            .iter()
            .flat_map(|kind| values.iter().map(move |v| (kind, v)))
        {
            let value = match *value {
                "false" => json!(false),
                "0" => json!(0),
                text => json!(text),
            };
            assert_eq!(
                refusals(*kind, &json!({*field: value})),
                [],
                "{kind} {field} {value}"
            );
        }
    }
}

#[test]
fn every_row_of_the_table_is_about_a_field_that_exists() {
    for (kinds, field, _) in NOT_SERVED {
        for kind in *kinds {
            let fields = served_fields();
            let mut of_kind = fields.iter().filter(|f| f.kind == *kind);
            assert!(
                of_kind.any(|f| row(*kind, &f.path).is_some_and(|(name, _)| name == *field)),
                "{field}"
            );
        }
    }
}

#[test]
fn the_table_for_people_has_a_row_per_kind() {
    let text = render_markdown();
    assert!(
        text.contains("| BFDProfile | 7 | the kind as a whole |"),
        "{text}"
    );
    assert!(
        text.contains("`source` other than LoadBalancer, PodCIDR, Static"),
        "{text}"
    );
    assert_eq!(text.lines().count(), 2 + 9);
}

/// Resolves an object of a kind among others it may refer to.
fn resolved(kind: Kind, spec: Value) -> (Config, Vec<Problem>) {
    let mut snapshot = Snapshot::default();
    let labels = json!({"edge": "yes"});
    for (other, name, spec) in [
        (
            Kind::IPAddressPool,
            "other",
            json!({"addresses": ["203.0.113.0/24"]}),
        ),
        (
            Kind::BGPPeer,
            "other",
            json!({"myASN": 1, "peerASN": 2, "peerAddress": "203.0.113.1"}),
        ),
        (Kind::BGPPeerTemplate, "base", json!({"holdTime": "60s"})),
        (
            Kind::Community,
            "other",
            json!({"communities": [{"name": "alias", "value": "7:7"}]}),
        ),
    ] {
        let metadata = json!({"name": name, "labels": labels});
        snapshot.apply(decode(other, json!({"metadata": metadata, "spec": spec})).unwrap());
    }
    let secret = json!({"metadata": {"name": "s"}, "stringData": {"password": "x"}});
    snapshot.apply(decode(Kind::Secret, secret).unwrap());
    let secret = json!({"metadata": {"name": "s", "namespace": "ns"},
        "stringData": {"password": "y"}});
    snapshot.apply(decode(Kind::Secret, secret).unwrap());
    let value = json!({"metadata": {"name": "subject"}, "spec": spec});
    snapshot.apply(decode(kind, value).unwrap());
    if kind == Kind::BGPPeerTemplate {
        let user = json!({"templateRef": "subject", "keepaliveTime": null});
        let value = json!({"metadata": {"name": "user"}, "spec": user});
        snapshot.apply(decode(Kind::BGPPeer, value).unwrap());
    }
    LastGood::default().update(&snapshot)
}

/// A spec that resolves, without the field, and with what the field needs around it.
fn base(kind: Kind, path: &str) -> Value {
    match (kind, path) {
        (Kind::IPAddressPool, "serviceAllocation.priority") => {
            json!({"addresses": ["192.0.2.0/24"], "serviceAllocation": {}})
        }
        (Kind::IPAddressPool, path) if path.starts_with("limits[].namespace") => {
            json!({"addresses": ["192.0.2.0/24"], "limits": [{"maxAddressesPerNamespace": 1}]})
        }
        (Kind::IPAddressPool, _) => json!({"addresses": ["192.0.2.0/24"]}),
        (Kind::BGPPeer | Kind::BGPPeerTemplate, "passwordSecret.namespace") => {
            with(base(kind, ""), &json!({"passwordSecret": {"name": "s"}}))
        }
        (Kind::BGPPeer | Kind::BGPPeerTemplate, "disableMP") => {
            with(base(kind, ""), &json!({"dualStackAddressFamily": true}))
        }
        (Kind::BGPPeer | Kind::BGPPeerTemplate, _) => {
            json!({"myASN": 64512, "peerASN": 64513, "peerAddress": "192.0.2.1"})
        }
        (Kind::BGPAdvertisement, "prefixes") => {
            json!({"source": "Static", "prefixes": ["10.0.0.0/8"]})
        }
        // What a refused kind is given makes no difference; it must only be accepted so far.
        _ => json!({}),
    }
}

fn with(mut spec: Value, members: &Value) -> Value {
    for (key, value) in members.as_object().unwrap() {
        spec[key] = value.clone();
    }
    spec.as_object_mut()
        .unwrap()
        .retain(|_, value| !value.is_null());
    spec
}

/// For each field a spec that sets it.
fn samples() -> Vec<(Kind, String, Value)> {
    let mut samples = Vec::new();
    let mut add = |kind: Kind, path: &str, members: Value| {
        samples.push((kind, path.to_owned(), with(base(kind, path), &members)));
    };
    for (path, members) in pool_samples() {
        add(Kind::IPAddressPool, path, members);
    }
    for (path, members) in l2_samples() {
        add(Kind::L2Advertisement, path, members);
    }
    for (path, members) in bgp_samples() {
        add(Kind::BGPAdvertisement, path, members);
    }
    for (path, members) in peer_samples().into_iter().chain(restart_samples()) {
        add(Kind::BGPPeer, path, members.clone());
        add(Kind::BGPPeerTemplate, path, members);
    }
    add(Kind::BGPPeer, "templateRef", json!({"templateRef": "base"}));
    let alias = json!({"communities": [{"name": "x", "value": "1:1"}]});
    add(Kind::Community, "communities[].name", alias.clone());
    add(Kind::Community, "communities[].value", alias);
    samples
}

type Sample = (&'static str, Value);

fn selectors() -> Value {
    json!([{"matchLabels": {"edge": "yes"}}])
}

fn pool_samples() -> Vec<Sample> {
    let allocation = |member: &str, value: Value| json!({"serviceAllocation": {member: value}});
    vec![
        ("addresses", json!({"addresses": ["198.51.100.0/24"]})),
        (
            "excludeAddresses",
            json!({"excludeAddresses": ["192.0.2.1"]}),
        ),
        ("autoAssign", json!({"autoAssign": false})),
        ("avoidBuggyIPs", json!({"avoidBuggyIPs": true})),
        ("avoidEdgeAddresses", json!({"avoidEdgeAddresses": true})),
        ("paused", json!({"paused": true})),
        ("sharing", json!({"sharing": "Cluster"})),
        ("onRemoval", json!({"onRemoval": "Keep"})),
        ("reuseDelaySeconds", json!({"reuseDelaySeconds": 7})),
        (
            "serviceAllocation.priority",
            allocation("priority", json!(7)),
        ),
        (
            "serviceAllocation.namespaces",
            allocation("namespaces", json!(["ns"])),
        ),
        (
            "serviceAllocation.namespaceSelectors",
            allocation("namespaceSelectors", selectors()),
        ),
        (
            "serviceAllocation.serviceSelectors",
            allocation("serviceSelectors", selectors()),
        ),
        (
            "limits[].maxAddressesPerNamespace",
            json!({"limits": [{"maxAddressesPerNamespace": 1}]}),
        ),
        (
            "limits[].namespaces",
            json!({"limits": [{"maxAddressesPerNamespace": 1, "namespaces": ["ns"]}]}),
        ),
        (
            "limits[].namespaceSelectors",
            json!({"limits": [{"maxAddressesPerNamespace": 1, "namespaceSelectors": selectors()}]}),
        ),
    ]
}

fn l2_samples() -> Vec<Sample> {
    let preferred = json!({"preferredNodeSelectors": [{"weight": 5, "preference": {}}]});
    vec![
        ("ipAddressPools", json!({"ipAddressPools": ["other"]})),
        (
            "ipAddressPoolSelectors",
            json!({"ipAddressPoolSelectors": selectors()}),
        ),
        ("serviceSelectors", json!({"serviceSelectors": selectors()})),
        (
            "namespaceSelectors",
            json!({"namespaceSelectors": selectors()}),
        ),
        ("nodeSelectors", json!({"nodeSelectors": selectors()})),
        ("interfaces", json!({"interfaces": ["eth0"]})),
        ("interfacePatterns", json!({"interfacePatterns": ["eth*"]})),
        ("preferredNodeSelectors[].weight", preferred.clone()),
        ("preferredNodeSelectors[].preference", preferred),
        ("weightLabel", json!({"weightLabel": "weight"})),
        ("failback", json!({"failback": "Never"})),
        ("refreshSeconds", json!({"refreshSeconds": 5})),
        ("profile", json!({"profile": "Fast"})),
        ("withoutEndpoints", json!({"withoutEndpoints": "Announce"})),
    ]
}

fn bgp_samples() -> Vec<Sample> {
    let by_node = json!({"attributesByNode": [{
        "nodeSelector": {}, "localPref": 1, "med": 1, "asPathPrepend": 1, "communities": ["1:1"],
    }]});
    vec![
        ("source", json!({"source": "NodeAddress"})),
        ("ipAddressPools", json!({"ipAddressPools": ["other"]})),
        (
            "ipAddressPoolSelectors",
            json!({"ipAddressPoolSelectors": selectors()}),
        ),
        ("serviceSelectors", json!({"serviceSelectors": selectors()})),
        (
            "namespaceSelectors",
            json!({"namespaceSelectors": selectors()}),
        ),
        ("nodeSelectors", json!({"nodeSelectors": selectors()})),
        ("peers", json!({"peers": ["other"]})),
        ("peerSelectors", json!({"peerSelectors": selectors()})),
        ("prefixes", json!({"prefixes": ["192.0.2.0/24"]})),
        ("aggregationLength", json!({"aggregationLength": 24})),
        ("aggregationLengthV6", json!({"aggregationLengthV6": 64})),
        ("localPref", json!({"localPref": 7})),
        ("communities", json!({"communities": ["alias"]})),
        ("med", json!({"med": 7})),
        ("asPathPrepend", json!({"asPathPrepend": 2})),
        ("nextHop", json!({"nextHop": "192.0.2.1"})),
        ("attributesByNode[].nodeSelector", by_node.clone()),
        ("attributesByNode[].localPref", by_node.clone()),
        ("attributesByNode[].med", by_node.clone()),
        ("attributesByNode[].asPathPrepend", by_node.clone()),
        ("attributesByNode[].communities", by_node),
        ("linkBandwidth", json!({"linkBandwidth": "ReadyEndpoints"})),
        ("withoutEndpoints", json!({"withoutEndpoints": "Announce"})),
        (
            "allowServiceAttributes",
            json!({"allowServiceAttributes": true}),
        ),
        (
            "allowedCIDRs",
            json!({"source": "ExternalIP", "allowedCIDRs": ["192.0.2.0/24"]}),
        ),
    ]
}

fn peer_samples() -> Vec<Sample> {
    vec![
        ("myASN", json!({"myASN": 7})),
        ("peerASN", json!({"peerASN": 7})),
        (
            "dynamicASN",
            json!({"peerASN": null, "dynamicASN": "external"}),
        ),
        ("peerAddress", json!({"peerAddress": "192.0.2.7"})),
        (
            "interface",
            json!({"peerAddress": null, "interface": "eth0"}),
        ),
        (
            "peerPrefix",
            json!({"peerAddress": null, "peerPrefix": "192.0.2.0/24"}),
        ),
        (
            "peerNodeSelector",
            json!({"peerAddress": null, "peerNodeSelector": {}}),
        ),
        (
            "peerGateway",
            json!({"peerAddress": null, "peerGateway": "IPv4"}),
        ),
        ("peerPort", json!({"peerPort": 1179})),
        ("sourceAddress", json!({"sourceAddress": "192.0.2.9"})),
        ("routerID", json!({"routerID": "10.0.0.1"})),
        ("holdTime", json!({"holdTime": "9s"})),
        ("keepaliveTime", json!({"keepaliveTime": "2s"})),
        ("connectTime", json!({"connectTime": "1s"})),
        ("password", json!({"password": "x"})),
        (
            "passwordSecret.name",
            json!({"passwordSecret": {"name": "s"}}),
        ),
        (
            "passwordSecret.namespace",
            json!({"passwordSecret": {"name": "s", "namespace": "ns"}}),
        ),
        ("bfdProfile", json!({"bfdProfile": "fast"})),
        ("ebgpMultiHop", json!({"ebgpMultiHop": true})),
        ("ttlSecurityHops", json!({"ttlSecurityHops": 1})),
        ("localASN", json!({"localASN": 7})),
        ("passive", json!({"passive": true})),
        ("families", json!({"families": ["IPv4", "IPv6"]})),
        (
            "disableMP",
            json!({"dualStackAddressFamily": null, "disableMP": true}),
        ),
        (
            "dualStackAddressFamily",
            json!({"dualStackAddressFamily": true}),
        ),
        ("nodeSelectors", json!({"nodeSelectors": selectors()})),
        ("vrf", json!({"vrf": "red"})),
        ("maxPrefixes", json!({"maxPrefixes": 7})),
        ("maxPrefixesOut", json!({"maxPrefixesOut": 7})),
        ("allowASIn", json!({"allowASIn": 1})),
        ("replaceAS", json!({"replaceAS": true})),
        ("removePrivateAS", json!({"removePrivateAS": true})),
        (
            "routeReflectorClient",
            json!({"routeReflectorClient": true}),
        ),
        ("clusterID", json!({"clusterID": "10.0.0.1"})),
        ("addPaths", json!({"addPaths": "Both"})),
        ("role", json!({"role": "Customer"})),
        ("drain.waitSeconds", json!({"drain": {"waitSeconds": 7}})),
        ("strictBFD", json!({"strictBFD": true})),
    ]
}

fn restart_samples() -> Vec<Sample> {
    let restart = |time: &str| json!({"gracefulRestart": {time: 90}});
    vec![
        (
            "enableGracefulRestart",
            json!({"enableGracefulRestart": true}),
        ),
        (
            "gracefulRestart.restartTimeSeconds",
            restart("restartTimeSeconds"),
        ),
        (
            "gracefulRestart.longLivedStaleTimeSeconds",
            restart("longLivedStaleTimeSeconds"),
        ),
    ]
}
