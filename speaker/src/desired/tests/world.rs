//! A cluster made of objects, as a speaker sees it: apply manifests, ask for announcements.

use ringbolt_config::names::{Kind, ObjectRef, ServiceKey};
use ringbolt_config::object::{self, Object};
use serde_json::{Value, json};

use crate::desired::{self, Announcements, BgpVerdict, L2Verdict, Verdicts};
use crate::planner::{Orders, Planner};
use crate::settings::Settings;

/// The node the world is seen from.
pub(crate) const HERE: &str = "node-1";
/// A node elsewhere.
pub(crate) const ELSEWHERE: &str = "node-2";

pub(crate) struct World {
    pub(crate) planner: Planner,
}

impl World {
    /// Nothing at all, not even a Node object.
    pub(crate) fn nodeless() -> Self {
        let planner = Planner::new(&Settings::new(HERE.parse().unwrap()));
        Self { planner }
    }

    /// Nothing but this node.
    pub(crate) fn bare() -> Self {
        let mut world = Self::nodeless();
        world.apply(node(HERE));
        world
    }

    /// A pool of both families, announced everywhere by BGP (one peer) and on layer 2.
    pub(crate) fn usual() -> Self {
        Self::bare().announcing()
    }

    /// The same on what there is.
    pub(crate) fn announcing(mut self) -> Self {
        self.apply(pool("public", &["192.0.2.0/24", "2001:db8::/64"]));
        self.apply(peer("tor"));
        self.apply(bgp_advertisement("all", json!({})));
        self.apply(l2_advertisement("all", json!({})));
        self
    }

    /// Takes in a manifest and settles.
    pub(crate) fn apply(&mut self, manifest: Value) -> Orders {
        self.planner.apply(decoded(manifest));
        self.planner.settle()
    }

    /// Takes an object away and settles.
    pub(crate) fn remove(&mut self, kind: Kind, name: &str) -> Orders {
        self.planner
            .remove(&ObjectRef::new(kind, None, name).unwrap());
        self.planner.settle()
    }

    pub(crate) fn announcements(&self, service: &str) -> Announcements {
        desired::compute(self.planner.index(), self.planner.local(), &key(service))
    }

    pub(crate) fn verdicts(&self, service: &str, address: &str) -> Verdicts {
        let announcements = self.announcements(service);
        announcements.addresses[&address.parse().unwrap()].clone()
    }

    /// The reasons for BGP and for layer 2, `-` where it is announced.
    pub(crate) fn reasons(&self, service: &str, address: &str) -> [&'static str; 2] {
        let verdicts = self.verdicts(service, address);
        let bgp = match verdicts.bgp {
            BgpVerdict::Announced(_) => "-",
            BgpVerdict::Withheld(withheld) => withheld.reason(),
        };
        let l2 = match verdicts.l2 {
            L2Verdict::Claimable(_) => "-",
            L2Verdict::Withheld(withheld) => withheld.reason(),
        };
        [bgp, l2]
    }

    /// All routes this node has, as text.
    pub(crate) fn routes(&self) -> Vec<String> {
        self.planner
            .routes()
            .all()
            .iter()
            .map(|route| route.key.prefix.to_string())
            .collect()
    }
}

pub(crate) fn decoded(manifest: Value) -> Object {
    let text = |field: &str| manifest[field].as_str().unwrap();
    let kind = Kind::from_manifest(text("apiVersion"), text("kind")).unwrap();
    object::decode(kind, manifest).unwrap()
}

pub(crate) fn key(name: &str) -> ServiceKey {
    ServiceKey::new("default", name).unwrap()
}

/// `patch` laid over `base`, field by field (RFC 7396).
pub(crate) fn with(mut base: Value, patch: Value) -> Value {
    merge(&mut base, patch);
    base
}

fn merge(base: &mut Value, patch: Value) {
    match (base, patch) {
        (Value::Object(base), Value::Object(patch)) => {
            for (field, value) in patch {
                if value.is_null() {
                    base.remove(&field);
                } else {
                    merge(base.entry(field).or_insert(Value::Null), value);
                }
            }
        }
        (base, patch) => *base = patch,
    }
}

pub(crate) fn node(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "spec": {"podCIDRs": ["10.244.1.0/24", "fd00:10:244:1::/64"]},
    })
}

pub(crate) fn pool(name: &str, addresses: &[&str]) -> Value {
    ours("IPAddressPool", name, json!({"addresses": addresses}))
}

pub(crate) fn peer(name: &str) -> Value {
    ours(
        "BGPPeer",
        name,
        json!({"myASN": 64512, "peerASN": 64513, "peerAddress": "198.51.100.1"}),
    )
}

pub(crate) fn bgp_advertisement(name: &str, spec: Value) -> Value {
    ours("BGPAdvertisement", name, spec)
}

pub(crate) fn l2_advertisement(name: &str, spec: Value) -> Value {
    ours("L2Advertisement", name, spec)
}

fn ours(kind: &str, name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "ringbolt.io/v1beta1", "kind": kind,
        "metadata": {"name": name}, "spec": spec,
    })
}

/// A Service of type LoadBalancer with these addresses in its status.
pub(crate) fn service(name: &str, addresses: &[&str]) -> Value {
    let ingress: Vec<_> = addresses
        .iter()
        .map(|ip| json!({"ip": ip, "ipMode": "VIP"}))
        .collect();
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {
            "namespace": "default", "name": name, "uid": format!("uid-of-{name}"),
            "creationTimestamp": "2026-01-01T00:00:00Z", "labels": {"app": name},
        },
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
        "status": {"loadBalancer": {"ingress": ingress}},
    })
}

/// A slice of a Service's endpoints; one address per endpoint is made up.
pub(crate) fn slice(name: &str, service: &str, family: &str, endpoints: Value) -> Value {
    let mut endpoints = endpoints;
    for (at, endpoint) in endpoints.as_array_mut().unwrap().iter_mut().enumerate() {
        let address = match family {
            "IPv4" => format!("10.244.1.{}", at + 1),
            _ => format!("fd00:10:244:1::{}", at + 1),
        };
        endpoint["addresses"] = json!([address]);
    }
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {
            "namespace": "default", "name": name, "generation": 3,
            "labels": {"kubernetes.io/service-name": service},
        },
        "addressType": family, "endpoints": endpoints, "ports": [{"port": 8080}],
    })
}

/// A slice with one ready endpoint of IPv4 on a node.
pub(crate) fn ready_on(service: &str, node: &str) -> Value {
    let endpoints = json!([{"nodeName": node, "conditions": {"ready": true}}]);
    slice(&format!("{service}-4"), service, "IPv4", endpoints)
}
