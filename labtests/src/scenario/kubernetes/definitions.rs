//! The resource definitions in a real API server: what it takes and refuses, and what people see of it.
//!
//! Rules are written in the Rust types and are tried there without a server; here they meet the server's own CEL,
//! pruning, defaulting and subresources.

use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::rendered::folder;
use crate::kubelab::{ControlPlane, KubeLab, Resource};
use crate::scenario::KubeScenario;

pub(super) const SCENARIOS: &[KubeScenario] = &[
    KubeScenario {
        name: "kubernetes: definitions_take_what_is_meant_and_refuse_what_is_not",
        run: rules,
    },
    KubeScenario {
        name: "kubernetes: what_never_changes_cannot_be_changed",
        run: transitions,
    },
    KubeScenario {
        name: "kubernetes: statuses_are_subresources_and_kinds_are_listed_together",
        run: shown,
    },
];

/// Kinds with their short names and the titles of their columns after NAME.
const KINDS: &[(&str, &str, &[&str])] = &[
    (
        "IPAddressPool",
        "rbpool",
        &["ASSIGNED4", "FREE4", "ASSIGNED6", "FREE6", "READY"],
    ),
    (
        "IPAllocation",
        "ipalloc",
        &["ADDRESS", "POOL", "SERVICE", "RESERVED", "RELEASED"],
    ),
    (
        "L2Advertisement",
        "l2adv",
        &["POOLS", "INTERFACES", "SPEAKERS", "READY"],
    ),
    (
        "BGPAdvertisement",
        "bgpadv",
        &["SOURCE", "POOLS", "PEERS", "READY"],
    ),
    ("BGPPeer", "rbpeer", &["ASN", "ADDRESS", "NODES", "READY"]),
    ("Speaker", "spk", &["PEERS", "ADDRESSES", "ROUTES", "READY"]),
];

fn object(kind: &str, name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "ringbolt.io/v1beta1", "kind": kind, "metadata": {"name": name}, "spec": spec,
    })
}

/// A peer that is fine, with some fields changed; null takes one away.
fn peer(change: &Value) -> Value {
    let mut spec = json!({"myASN": 64512, "peerASN": 64513, "peerAddress": "192.0.2.1"});
    if let (Some(spec), Some(change)) = (spec.as_object_mut(), change.as_object()) {
        for (field, value) in change {
            spec.insert(field.clone(), value.clone());
        }
        spec.retain(|_, value| !value.is_null());
    }
    spec
}

fn accepted() -> Vec<(&'static str, Value)> {
    let peers = [
        json!({}),
        json!({"peerAddress": "2001:db8::1", "families": ["IPv4", "IPv6"]}),
        json!({"peerASN": null, "dynamicASN": "external"}),
        json!({"passwordSecret": {"name": "s"}}),
        json!({"holdTime": "0s"}),
        json!({"holdTime": "3s", "connectTime": "1s"}),
        json!({"routerID": "10.0.0.1", "sourceAddress": "192.0.2.9"}),
        json!({"ebgpMultiHop": false, "ttlSecurityHops": 1}),
    ];
    let mut cases: Vec<(&str, Value)> = peers
        .iter()
        .map(|change| ("BGPPeer", peer(change)))
        .collect();
    cases.extend([
        ("BGPPeerTemplate", json!({"myASN": 64512, "holdTime": "9s"})),
        (
            "IPAddressPool",
            json!({"addresses": ["192.0.2.0/24", "2001:db8::1-2001:db8::9"]}),
        ),
        ("BGPAdvertisement", json!({})),
        (
            "BGPAdvertisement",
            json!({"source": "PodCIDR", "nodeSelectors": [{}], "peers": ["tor"]}),
        ),
        (
            "BGPAdvertisement",
            json!({"source": "Static", "prefixes": ["192.0.2.0/24"]}),
        ),
        (
            "L2Advertisement",
            json!({"ipAddressPools": ["p"], "interfaces": ["eth0"]}),
        ),
        ("IPAllocation", json!({"address": "2001:db8::1"})),
        ("Speaker", json!({})),
    ]);
    cases
}

/// Kind, spec, and a piece of what the server must say.
fn refused() -> Vec<(&'static str, Value, &'static str)> {
    let peers = [
        (json!({"peerAddress": null}), "is needed"),
        (json!({"interface": "eth0"}), "one way only"),
        (json!({"peerPrefix": "192.0.2.0/24"}), "one way only"),
        (json!({"peerASN": null}), "one of peerASN and dynamicASN"),
        (json!({"dynamicASN": "internal"}), "exclude each other"),
        (json!({"myASN": null}), "myASN is needed"),
        (json!({"myASN": 4_294_967_296_u64}), "less than or equal to"),
        (
            json!({"password": "x", "passwordSecret": {"name": "s"}}),
            "exclude each other",
        ),
        (
            json!({"families": ["IPv4", "IPv6"], "disableMP": true}),
            "leaves one family",
        ),
        (
            json!({"families": ["IPv4"], "dualStackAddressFamily": true}),
            "disagree",
        ),
        (
            json!({"ebgpMultiHop": true, "ttlSecurityHops": 1}),
            "exclude each other",
        ),
        (json!({"peerAddress": "192.0.2"}), "must be an IP address"),
        (
            json!({"peerAddress": "192.0.02.1"}),
            "must be an IP address",
        ),
        (
            json!({"routerID": "2001:db8::1"}),
            "must be an IPv4 address",
        ),
        (
            json!({"peerAddress": null, "peerPrefix": "192.0.2.0"}),
            "must be a CIDR",
        ),
        (json!({"holdTime": "2s"}), "between 3s and 65535s"),
        (json!({"holdTime": "soon"}), "spec.holdTime"),
        (json!({"families": ["IPv5"]}), "supported values"),
    ];
    let mut cases: Vec<(&str, Value, &str)> = peers
        .iter()
        .map(|(change, why)| ("BGPPeer", peer(change), *why))
        .collect();
    cases.extend(refused_others());
    cases
}

fn refused_others() -> Vec<(&'static str, Value, &'static str)> {
    let source = |source: &str, more: Value| {
        let mut spec = more;
        spec["source"] = json!(source);
        spec
    };
    vec![
        (
            "BGPAdvertisement",
            source("PodCIDR", json!({"ipAddressPools": ["p"]})),
            "pools belong",
        ),
        (
            "BGPAdvertisement",
            source("Static", json!({})),
            "Static needs prefixes",
        ),
        (
            "BGPAdvertisement",
            json!({"prefixes": ["192.0.2.0/24"]}),
            "no other source has them",
        ),
        (
            "BGPAdvertisement",
            source("PodCIDR", json!({"serviceSelectors": [{}]})),
            "Service fields",
        ),
        (
            "BGPAdvertisement",
            source("ExternalIP", json!({})),
            "needs allowedCIDRs",
        ),
        (
            "BGPAdvertisement",
            json!({"nextHop": "here"}),
            "must be an IP address",
        ),
        ("IPAddressPool", json!({}), "spec.addresses"),
        ("IPAddressPool", json!({"addresses": []}), "at least 1"),
        (
            "IPAllocation",
            json!({"address": "nonsense"}),
            "must be an IP address",
        ),
        (
            "L2Advertisement",
            json!({"ipAddressPools": ["p"], "failback": "Sometimes"}),
            "supported values",
        ),
    ]
}

fn rules(lab: &KubeLab) -> Result<()> {
    let plane = lab.shared()?;
    for (number, (kind, spec)) in accepted().into_iter().enumerate() {
        let name = format!("taken-{number}");
        let made = plane.create(&object(kind, &name, &spec));
        made.with_context(|| format!("{kind} {spec}"))?;
        plane.delete(&Resource::ringbolt(kind), None, &name)?;
    }
    for (number, (kind, spec, why)) in refused().into_iter().enumerate() {
        let name = format!("refused-{number}");
        match plane.create(&object(kind, &name, &spec)) {
            Ok(_) => anyhow::bail!("the server takes {kind} {spec}"),
            Err(error) => {
                let said = format!("{error:#}");
                ensure!(
                    said.contains(why),
                    "{kind} {spec}: refused, but not for `{why}`: {said}"
                );
            }
        }
    }
    unknown_fields(plane)
}

/// `kubectl` asks the server to be strict: a misspelt field is refused and not dropped.
fn unknown_fields(plane: &ControlPlane) -> Result<()> {
    let misspelt = object(
        "IPAddressPool",
        "misspelt",
        &json!({"addresses": ["192.0.2.0/24"], "autoAsign": true}),
    );
    let file = plane.folder().join("misspelt.json");
    fs::write(&file, misspelt.to_string())?;
    let file = file.to_string_lossy();
    match plane.kubectl(&["create", "-f", &file]) {
        Ok(_) => anyhow::bail!("a misspelt field is taken"),
        Err(error) => {
            let said = format!("{error:#}");
            ensure!(said.contains("unknown field \"spec.autoAsign\""), "{said}");
            Ok(())
        }
    }
}

fn transitions(lab: &KubeLab) -> Result<()> {
    let plane = lab.shared()?;
    let cases = [
        (
            "BGPAdvertisement",
            json!({}),
            json!({"source": "PodCIDR"}),
            "source never changes",
        ),
        (
            "BGPAdvertisement",
            json!({"source": "PodCIDR"}),
            json!({"source": null}),
            "source never changes",
        ),
        (
            "IPAllocation",
            json!({"address": "192.0.2.1"}),
            json!({"address": "192.0.2.2"}),
            "never changes",
        ),
    ];
    for (number, (kind, spec, change, why)) in cases.iter().enumerate() {
        let name = format!("constant-{number}");
        let resource = Resource::ringbolt(kind);
        plane.create(&object(kind, &name, spec))?;
        let patched = plane.patch(&resource, None, &name, &json!({"spec": change}));
        let said = match patched {
            Ok(object) => anyhow::bail!("{kind} {spec} became {object}"),
            Err(error) => format!("{error:#}"),
        };
        ensure!(said.contains(why), "{said}");
        plane.delete(&resource, None, &name)?;
    }
    let (resource, name) = (Resource::ringbolt("BGPAdvertisement"), "constant-said");
    plane.create(&object("BGPAdvertisement", name, &json!({})))?;
    plane.patch(
        &resource,
        None,
        name,
        &json!({"spec": {"source": "LoadBalancer"}}),
    )?;
    plane.delete(&resource, None, name)
}

fn shown(lab: &KubeLab) -> Result<()> {
    let plane = lab.shared()?;
    let resource = Resource::ringbolt("Speaker");
    plane.create(&object("Speaker", "shown-node", &json!({})))?;
    plane.patch(
        &resource,
        None,
        "shown-node",
        &json!({"status": {"peers": "9/9"}}),
    )?;
    let seen = plane
        .get(&resource, None, "shown-node")?
        .context("a Speaker")?;
    ensure!(
        seen.get("status").is_none(),
        "the object's own URL writes its status: {seen}"
    );
    let condition = json!({
        "type": "Ready", "status": "True", "reason": "Running", "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    });
    let status = json!({"peers": "1/2", "ownedAddresses": 3, "routesAnnounced": 4, "conditions": [condition]});
    plane.patch_status(&resource, None, "shown-node", &status)?;
    let row = plane.kubectl(&["get", "spk", "shown-node", "--no-headers"])?;
    let cells: Vec<&str> = row.split_whitespace().collect();
    ensure!(
        cells == ["shown-node", "1/2", "3", "4", "True"],
        "kubectl shows {cells:?}"
    );
    let before = seen["metadata"]["generation"].clone();
    let after = plane
        .get(&resource, None, "shown-node")?
        .context("a Speaker")?;
    ensure!(
        after["metadata"]["generation"] == before,
        "a status counts as a change of the spec"
    );
    plane.delete(&resource, None, "shown-node")?;
    listing(plane)
}

/// Each kind by its short name with its columns, and all of them by the category.
fn listing(plane: &ControlPlane) -> Result<()> {
    let spec = |kind: &str| match kind {
        "IPAddressPool" => json!({"addresses": ["192.0.2.0/24"]}),
        "IPAllocation" => json!({"address": "192.0.2.7"}),
        "BGPPeer" => peer(&json!({})),
        _ => json!({}),
    };
    for (kind, _, _) in KINDS {
        plane.create(&object(kind, "listed", &spec(kind)))?;
    }
    let together = plane.kubectl(&["get", "ringbolt", "-o", "name"])?;
    for (kind, short, columns) in KINDS {
        let table = plane.kubectl(&["get", short])?;
        let titles: Vec<&str> = table
            .lines()
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        ensure!(
            titles[1..] == **columns,
            "{kind} has the columns {titles:?}"
        );
        let name = format!("{}.ringbolt.io/listed", kind.to_lowercase());
        ensure!(
            together.lines().any(|line| line == name),
            "`kubectl get ringbolt` lacks {name}:\n{together}"
        );
        plane.delete(&Resource::ringbolt(kind), None, "listed")?;
    }
    // The tables above name every kind that people see; a new one must be added.
    let files = fs::read_dir(folder("crds"))?.flatten();
    let files = files.filter(|file| file.path().extension().is_some_and(|ext| ext == "yaml"));
    let defined = plane.kubectl(&["api-resources", "--api-group=ringbolt.io", "-o", "name"])?;
    ensure!(
        defined.lines().count() == files.count(),
        "the server serves\n{defined}"
    );
    Ok(())
}
