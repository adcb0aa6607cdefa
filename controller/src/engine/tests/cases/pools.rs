//! Rows about which pool an address comes from, and how large pools are.

use super::*;

fn labelled(label: &str) -> Value {
    json!({ "metadata": { "labels": { "tier": label } } })
}

fn by_label(list: &[&str], priority: u32, names: &[&str]) -> Value {
    json!({ "addresses": list, "serviceAllocation": {
        "priority": priority, "namespaces": names,
        "serviceSelectors": [{ "matchLabels": { "tier": "front" } }],
    } })
}

#[test]
fn are_for_those_whom_they_select() {
    let rows = [
        Row {
            input: "a pool for a namespace: within and without, also by address and by name",
            steps: vec![
                Pool("a", for_namespaces(&["192.0.2.0/29"], &["default"])),
                Pool("b", for_namespaces(&["198.51.100.0/29"], &["other"])),
                Service("s1", json!({})),
                Service("s2", asks("198.51.100.1")),
                Service("s3", from_pool("b")),
            ],
            expected: vec![
                ("s1", Addresses(&["192.0.2.0"])),
                ("s2", Refused("PoolNotEligible")),
                ("s3", Refused("PoolNotEligible")),
            ],
        },
        Row {
            input: "a pool for labels",
            steps: vec![
                Pool("a", by_label(&["192.0.2.0/29"], 0, &[])),
                Service("s1", labelled("front")),
                Service("s2", labelled("back")),
            ],
            expected: vec![
                ("s1", Addresses(&["192.0.2.0"])),
                ("s2", Refused("NoEligiblePool")),
            ],
        },
        Row {
            input: "four addresses, five Services; one is released; a sixth shares",
            steps: vec![
                Pool("a", ranges(&["192.0.2.0/30"])),
                Service("s1", json!({})),
                Service("s2", json!({})),
                Service("s3", json!({})),
                Service("s4", keyed("k", 80)),
                Service("s5", json!({})),
                Delete("s2"),
                Service("s6", keyed("k", 443)),
            ],
            expected: vec![
                ("s5", Addresses(&["192.0.2.1"])),
                ("s6", Addresses(&["192.0.2.3"])),
            ],
        },
    ];
    rows.into_iter().for_each(run);
}

#[test]
fn are_tried_in_the_order_of_their_priority() {
    let rows = [
        Row {
            input: "autoAssign false: unasked, and by name",
            steps: vec![
                Pool(
                    "a",
                    json!({ "addresses": ["192.0.2.0/29"], "autoAssign": false }),
                ),
                Service("s1", json!({})),
                Service("s2", from_pool("a")),
            ],
            expected: vec![
                ("s1", Refused("NoEligiblePool")),
                ("s2", Addresses(&["192.0.2.0"])),
            ],
        },
        Row {
            input: "priorities: 10 for ns, 5 for ns and label, 8 for label",
            steps: vec![
                Pool(
                    "ten",
                    json!({ "addresses": ["192.0.2.10"], "serviceAllocation": {
                    "priority": 10, "namespaces": ["default"],
                } }),
                ),
                Pool("five", by_label(&["192.0.2.5"], 5, &["default"])),
                Pool("eight", by_label(&["192.0.2.8"], 8, &[])),
                Service("s1", json!({})),
                Service("s2", labelled("front")),
                ServiceIn("other", "s3", labelled("front")),
                Service("s4", labelled("front")),
            ],
            expected: vec![
                ("s1", Addresses(&["192.0.2.10"])),
                ("s2", Addresses(&["192.0.2.5"])),
                ("s4", Refused("PoolExhausted")),
            ],
        },
        Row {
            input: "a pool for a namespace without priority, and a plain one",
            steps: vec![
                Pool("a", ranges(&["198.51.100.0/29"])),
                Pool("b", for_namespaces(&["192.0.2.0/29"], &["default"])),
                Service("s1", json!({})),
            ],
            expected: vec![("s1", Addresses(&["192.0.2.0"]))],
        },
        Row {
            input: "an address of pool a, then the name of pool b",
            steps: vec![
                Pool("a", ranges(&["192.0.2.0/29"])),
                Pool("b", ranges(&["198.51.100.0/29"])),
                Service("s1", json!({})),
                Edit("s1", from_pool("b")),
            ],
            expected: vec![("s1", Addresses(&["198.51.100.0"]))],
        },
    ];
    rows.into_iter().for_each(run);
}

#[test]
fn are_as_large_as_what_they_can_give() {
    let sizes = |spec: Value| {
        let mut world = World::with_pools(&[("a", spec)]);
        world.settle();
        let status = world.pool_status("a");
        (
            status["capacityIPv4"].clone(),
            status["capacityIPv6"].clone(),
        )
    };
    let buggy = |list: &[&str]| json!({ "addresses": list, "avoidBuggyIPs": true });
    assert_eq!(sizes(ranges(&["192.0.2.0/24"])), (json!(256), json!(0)));
    assert_eq!(
        sizes(ranges(&["192.0.2.0/24", "198.51.100.0/25"])),
        (json!(384), json!(0))
    );
    assert_eq!(
        sizes(buggy(&["192.0.2.0/24", "198.51.100.0/25"])),
        (json!(381), json!(0))
    );
    let crossing = [
        "192.0.1.254/31",
        "192.0.2.0/31",
        "198.51.100.0/31",
        "203.0.113.254/31",
    ];
    assert_eq!(sizes(buggy(&crossing)), (json!(4), json!(0)));
    let capped = sizes(ranges(&["192.0.2.0/24", "2001:db8::/64"]));
    assert_eq!(capped, (json!(256), json!(i64::MAX)));
    let edges =
        json!({ "addresses": ["192.0.2.0/29", "198.51.100.1"], "avoidEdgeAddresses": true });
    assert_eq!(sizes(edges), (json!(7), json!(0)));
}
