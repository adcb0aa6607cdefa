//! Small resolved trees, each with one thing wrong.

use serde_json::{Value, json};

use super::{check, permits};

/// A tree of `(name, version, ours, needs)`; a need is `name@version`.
fn tree(packages: &[(&str, &str, bool, &[&str])]) -> Value {
    let id = |name: &str, version: &str| format!("{name}@{version}");
    let list: Vec<Value> = packages
        .iter()
        .map(|(name, version, ours, _)| {
            let source = if *ours { Value::Null } else { json!("registry") };
            json!({"id": id(name, version), "name": name, "version": version, "license": "MIT", "source": source})
        })
        .collect();
    let nodes: Vec<Value> = packages
        .iter()
        .map(|(name, version, _, needs)| {
            let deps: Vec<Value> = needs
                .iter()
                .map(|need| json!({"pkg": need, "dep_kinds": [{"kind": null}]}))
                .collect();
            json!({"id": id(name, version), "deps": deps})
        })
        .collect();
    json!({"packages": list, "resolve": {"nodes": nodes}})
}

fn rules(metadata: &Value) -> Vec<String> {
    check(metadata)
        .into_iter()
        .map(|finding| finding.to_string())
        .collect()
}

#[test]
fn an_edge_that_is_not_drawn_is_found() {
    let bad = tree(&[
        ("ringbolt-config", "1", true, &["ringbolt-bgp@1"]),
        ("ringbolt-bgp", "1", true, &[]),
    ]);
    assert_eq!(
        rules(&bad),
        ["ringbolt-config: may not depend on ringbolt-bgp"]
    );
    let good = tree(&[
        ("ringbolt-bgp-net", "1", true, &["ringbolt-bgp@1"]),
        ("ringbolt-bgp", "1", true, &[]),
    ]);
    assert!(rules(&good).is_empty());
}

#[test]
fn a_package_nobody_drew_is_found() {
    assert_eq!(rules(&tree(&[("extra", "1", true, &[])])).len(), 1);
}

#[test]
fn tokio_anywhere_below_a_pure_crate_is_found() {
    let bad = tree(&[
        ("ringbolt-l2", "1", true, &["middle@1"]),
        ("middle", "1", false, &["tokio@1"]),
        ("tokio", "1", false, &[]),
    ]);
    assert_eq!(rules(&bad), ["ringbolt-l2: is pure, yet tokio is below it"]);
}

#[test]
fn development_dependencies_do_not_make_a_crate_impure() {
    let mut tree = tree(&[
        ("ringbolt-l2", "1", true, &["tokio@1"]),
        ("tokio", "1", false, &[]),
    ]);
    tree["resolve"]["nodes"][0]["deps"][0]["dep_kinds"][0]["kind"] = json!("dev");
    assert!(rules(&tree).is_empty());
}

#[test]
fn two_versions_of_a_crate_are_found_unless_excused() {
    let twice = |name| tree(&[(name, "1", false, &[]), (name, "2", false, &[])]);
    assert_eq!(rules(&twice("serde")), ["serde: is in the tree as 1 and 2"]);
    assert!(rules(&twice("syn")).is_empty());
}

#[test]
fn a_licence_outside_the_list_is_found() {
    let mut tree = tree(&[("other", "1", false, &[])]);
    tree["packages"][0]["license"] = json!("GPL-3.0");
    assert_eq!(rules(&tree).len(), 1);
    tree["packages"][0]["license"] = Value::Null;
    assert_eq!(rules(&tree).len(), 1);
}

#[test]
fn expressions_are_read_with_their_parentheses() {
    for good in [
        "MIT",
        "MIT/Apache-2.0",
        "GPL-2.0 OR MIT",
        "(MIT OR GPL-2.0) AND ISC",
        "MIT AND BSD-3-Clause",
    ] {
        assert!(permits(good), "{good}");
    }
    for bad in ["GPL-2.0", "MIT AND GPL-2.0", "(MIT OR ISC) AND GPL-2.0", ""] {
        assert!(!permits(bad), "{bad}");
    }
}
