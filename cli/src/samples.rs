//! Objects for the tests of this crate: two nodes, a pool, a Service with an endpoint on each node
//! and one peer, as the JSON a source holds.

use ringbolt_cluster::Listing;
use ringbolt_config::{Kind, NodeName, Object, decode};
use serde_json::{Value, json};

/// The objects as a cluster lists them; the speaker of every Speaker object runs.
pub(crate) fn listing(objects: impl IntoIterator<Item = Value>) -> Listing {
    let objects: Vec<Object> = objects.into_iter().map(object).collect();
    let speaker = |object: &Object| match object {
        Object::Speaker(_) => object.object_ref().name.parse::<NodeName>().ok(),
        _ => None,
    };
    Listing {
        present: objects.iter().filter_map(speaker).collect(),
        objects,
        problems: [].into(),
        skipped: Default::default(),
        unread: Default::default(),
        events: Vec::new(),
    }
}

fn object(value: Value) -> Object {
    let name = value["kind"].as_str().expect("samples have a kind");
    let kind = Kind::ALL.iter().find(|kind| kind.to_string() == name);
    decode(*kind.expect("a kind that is read"), value).expect("samples can be decoded")
}

/// Everything that announces `web` by BGP from both nodes, but no Speaker.
pub(crate) fn cluster() -> Vec<Value> {
    let mut objects = vec![pool(), advertisement(), peer(), web()];
    objects.extend(["node-1", "node-2"].map(node));
    objects.extend([
        slice("IPv4", &["10.0.1.1", "10.0.2.1"]),
        slice("IPv6", &["fd00:1::1", "fd00:2::1"]),
    ]);
    objects
}

pub(crate) fn pool() -> Value {
    ours(
        "IPAddressPool",
        "public",
        json!({"addresses": ["192.0.2.64/26", "2001:db8:64::10-2001:db8:64::ff"]}),
    )
}

pub(crate) fn peer() -> Value {
    let spec = json!({"myASN": 64512, "peerASN": 64511, "peerAddress": "192.0.2.1", "families": ["IPv4", "IPv6"]});
    ours("BGPPeer", "tor", spec)
}

pub(crate) fn advertisement() -> Value {
    ours(
        "BGPAdvertisement",
        "services",
        json!({"ipAddressPools": ["public"]}),
    )
}

pub(crate) fn segment() -> Value {
    ours(
        "L2Advertisement",
        "segment",
        json!({"ipAddressPools": ["public"]}),
    )
}

pub(crate) fn node(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": {"podCIDRs": ["10.0.1.0/24"]}})
}

/// A Service with an address of each family.
pub(crate) fn web() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "web", "namespace": "default", "uid": "u1"},
        "spec": {
            "type": "LoadBalancer", "ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "RequireDualStack",
            "externalTrafficPolicy": "Cluster", "ports": [{"port": 80, "protocol": "TCP"}],
        },
        "status": {"loadBalancer": {"ingress": [
            {"ip": "192.0.2.64", "ipMode": "VIP"}, {"ip": "2001:db8:64::10", "ipMode": "VIP"},
        ]}},
    })
}

/// One endpoint per node, in the order of the nodes.
fn slice(family: &str, addresses: &[&str; 2]) -> Value {
    let endpoint = |index: usize| json!({"addresses": [addresses[index]], "nodeName": format!("node-{}", index + 1)});
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {
            "name": format!("web-{}", family.to_lowercase()), "namespace": "default",
            "labels": {"kubernetes.io/service-name": "web"},
        },
        "addressType": family, "ports": [{"port": 8080, "protocol": "TCP"}],
        "endpoints": [endpoint(0), endpoint(1)],
    })
}

/// A speaker with one session.
pub(crate) fn speaker(node: &str, session: Value, addresses: &[&str]) -> Value {
    let mut speaker = ours("Speaker", node, json!({}));
    speaker["status"] = json!({
        "peers": "1/1", "sessions": [session], "ownedAddresses": addresses.len(), "addresses": addresses,
        "routesAnnounced": 2,
        "conditions": [condition("Ready", "True", "Announcing", ""), condition("Serving", "True", "Serving", "")],
    });
    speaker
}

/// A session with `tor`.
pub(crate) fn session(state: &str, families: &[&str]) -> Value {
    json!({"peer": "tor", "address": "192.0.2.1", "state": state, "families": families, "prefixesOut": 2})
}

pub(crate) fn condition(kind: &str, status: &str, reason: &str, message: &str) -> Value {
    json!({
        "type": kind, "status": status, "reason": reason, "message": message,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    })
}

fn ours(kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": "ringbolt.io/v1beta1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}
