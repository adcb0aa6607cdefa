//! What cargo resolved: who may depend on whom, what the pure crates must never see, one version of each
//! crate, and licences we may ship.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Finding;

/// Our packages, and the packages of ours each may depend on. Drawn in ARCHITECTURE.md.
const GRAPH: &[(&str, &[&str])] = &[
    ("ringbolt-bgp", &[]),
    ("ringbolt-bfd", &[]),
    ("ringbolt-bgp-net", &["ringbolt-bgp", "ringbolt-bfd"]),
    ("ringbolt-l2", &[]),
    ("ringbolt-l2-net", &["ringbolt-l2"]),
    ("ringbolt-config", &[]),
    ("ringbolt-cluster", &["ringbolt-config"]),
    (
        "ringbolt-controller",
        &["ringbolt-cluster", "ringbolt-config"],
    ),
    (
        "ringbolt-speaker",
        &[
            "ringbolt-cluster",
            "ringbolt-config",
            "ringbolt-bgp",
            "ringbolt-bgp-net",
            "ringbolt-l2",
            "ringbolt-l2-net",
        ],
    ),
    (
        "ringbolt",
        &[
            "ringbolt-controller",
            "ringbolt-speaker",
            "ringbolt-cluster",
            "ringbolt-config",
            "ringbolt-bgp",
        ],
    ),
    (
        "labtests",
        &[
            "ringbolt-bgp",
            "ringbolt-bgp-net",
            "ringbolt-config",
            "ringbolt-cluster",
        ],
    ),
    ("xtask", &[]),
];

/// Crates without clock, socket or cluster, and what must be nowhere below them.
const PURE: &[&str] = &["ringbolt-bgp", "ringbolt-bfd", "ringbolt-l2"];
const IMPURE: &[&str] = &[
    "tokio",
    "kube",
    "kube-core",
    "k8s-openapi",
    "mio",
    "socket2",
    "async-std",
];

/// Crates that may stand in the tree in several versions, and why.
const TWICE: &[(&str, &str)] = &[
    (
        "bit-vec",
        "tests only: cel (through antlr4rust) and rcgen (through yasna) disagree by one minor",
    ),
    (
        "getrandom",
        "ring, ahash (through kube's JSON) and tempfile each ask for another major",
    ),
    (
        "netlink-packet-core",
        "rtnetlink and netlink-packet-route disagree by one minor",
    ),
    (
        "netlink-sys",
        "rtnetlink and our multicast socket disagree by one minor",
    ),
    (
        "synstructure",
        "a build-time crate; the derive macros of asn1-rs have not moved to the newer minor",
    ),
    (
        "syn",
        "a build-time crate; half of the derive macros have not moved to 3",
    ),
    ("thiserror", "a build-time crate; dependencies still on 1"),
    ("thiserror-impl", "goes with thiserror"),
];

/// Licences of crates we may link into an Apache-2.0 program.
const LICENCES: &[&str] = &[
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// A package as cargo resolved it.
struct Package<'a> {
    name: &'a str,
    version: &'a str,
    licence: Option<&'a str>,
    ours: bool,
    /// Ids of what it depends on, development dependencies left out.
    needs: Vec<&'a str>,
}

pub(super) fn check(metadata: &Value) -> Vec<Finding> {
    let packages = packages(metadata);
    let mut findings = edges(&packages);
    findings.extend(purity(&packages));
    findings.extend(versions(&packages));
    findings.extend(licences(&packages));
    findings
}

fn packages(metadata: &Value) -> BTreeMap<&str, Package<'_>> {
    let mut needs: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for node in metadata["resolve"]["nodes"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let deps = node["deps"].as_array().into_iter().flatten();
        let used = deps.filter(|dep| {
            let kinds = dep["dep_kinds"].as_array();
            kinds.is_none_or(|kinds| kinds.iter().any(|kind| kind["kind"] != "dev"))
        });
        let ids = used.filter_map(|dep| dep["pkg"].as_str()).collect();
        if let Some(id) = node["id"].as_str() {
            needs.insert(id, ids);
        }
    }
    let mut packages = BTreeMap::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let texts = (
            package["id"].as_str(),
            package["name"].as_str(),
            package["version"].as_str(),
        );
        let (Some(id), Some(name), Some(version)) = texts else {
            continue;
        };
        let Some(needs) = needs.remove(id) else {
            continue;
        };
        let ours = package["source"].is_null();
        let licence = package["license"].as_str();
        packages.insert(
            id,
            Package {
                name,
                version,
                licence,
                ours,
                needs,
            },
        );
    }
    packages
}

/// Edges between our crates that the drawing does not have, and crates it has forgotten.
fn edges(packages: &BTreeMap<&str, Package<'_>>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in packages.values().filter(|package| package.ours) {
        let Some((_, allowed)) = GRAPH.iter().find(|(name, _)| *name == package.name) else {
            findings.push(Finding::new(
                package.name,
                0,
                "is not in the drawing of crates",
            ));
            continue;
        };
        for need in package
            .needs
            .iter()
            .filter_map(|id| packages.get(id))
            .filter(|need| need.ours)
        {
            if !allowed.contains(&need.name) {
                let rule = format!("may not depend on {}", need.name);
                findings.push(Finding::new(package.name, 0, rule));
            }
        }
    }
    findings
}

fn purity(packages: &BTreeMap<&str, Package<'_>>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (id, package) in packages
        .iter()
        .filter(|(_, package)| PURE.contains(&package.name))
    {
        let mut seen = BTreeSet::new();
        let mut open = vec![*id];
        while let Some(id) = open.pop() {
            let Some(below) = packages.get(id).filter(|_| seen.insert(id)) else {
                continue;
            };
            if IMPURE.contains(&below.name) {
                let rule = format!("is pure, yet {} is below it", below.name);
                findings.push(Finding::new(package.name, 0, rule));
            }
            open.extend(&below.needs);
        }
    }
    findings
}

fn versions(packages: &BTreeMap<&str, Package<'_>>) -> Vec<Finding> {
    let mut by_name: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in packages.values() {
        by_name
            .entry(package.name)
            .or_default()
            .insert(package.version);
    }
    let excused = |name: &str| TWICE.iter().any(|(excused, _)| *excused == name);
    by_name
        .into_iter()
        .filter(|(name, versions)| versions.len() > 1 && !excused(name))
        .map(|(name, versions)| {
            let versions: Vec<&str> = versions.into_iter().collect();
            Finding::new(
                name,
                0,
                format!("is in the tree as {}", versions.join(" and ")),
            )
        })
        .collect()
}

fn licences(packages: &BTreeMap<&str, Package<'_>>) -> Vec<Finding> {
    let bad = packages
        .values()
        .filter(|package| !package.licence.is_some_and(permits));
    bad.map(|package| {
        let licence = package.licence.unwrap_or("no licence");
        Finding::new(
            package.name,
            0,
            format!("{licence}: not a licence we may ship"),
        )
    })
    .collect()
}

/// Whether an SPDX expression leaves a way open with licences of the list. `/` is the old spelling of OR.
fn permits(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ");
    let expression = expression.trim();
    let split = |word: &str| split_outside_parentheses(expression, word);
    let alternatives = split(" OR ");
    if alternatives.len() > 1 {
        return alternatives.into_iter().any(permits);
    }
    let all = split(" AND ");
    if all.len() > 1 {
        return all.into_iter().all(permits);
    }
    match expression
        .strip_prefix('(')
        .and_then(|inner| inner.strip_suffix(')'))
    {
        Some(inner) => permits(inner),
        None => LICENCES.contains(&expression),
    }
}

fn split_outside_parentheses<'a>(text: &'a str, word: &str) -> Vec<&'a str> {
    let mut parts = Vec::new();
    let mut depth = 0_usize;
    let mut start = 0;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if depth == 0 && at >= start && text[at..].starts_with(word) => {
                parts.push(&text[start..at]);
                start = at + word.len();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

#[cfg(test)]
mod tests;
