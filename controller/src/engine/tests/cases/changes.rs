//! Rows about changes of Services, pools and namespaces.

use super::*;

#[test]
fn move_only_who_must_move() {
    let rows = [
        Row {
            input: "LoadBalancer → NodePort, and the address is used again",
            steps: vec![
                Pool("a", ranges(&["192.0.2.1"])),
                Service("s1", json!({})),
                Edit("s1", json!({ "spec": { "type": "NodePort" } })),
                Service("s2", json!({})),
            ],
            expected: vec![("s1", Addresses(&[])), ("s2", Addresses(&["192.0.2.1"]))],
        },
        Row {
            input: "a deleted Service's only address is recycled",
            steps: vec![
                Pool("a", ranges(&["192.0.2.1"])),
                Service("s1", json!({})),
                Delete("s1"),
                Service("s2", json!({})),
            ],
            expected: vec![("s2", Addresses(&["192.0.2.1"]))],
        },
        Row {
            input: "a pool goes, a second one is there",
            steps: vec![
                Pool("a", ranges(&["192.0.2.1"])),
                Service("s1", json!({})),
                Pool("b", ranges(&["198.51.100.1"])),
                NoPool("a"),
            ],
            expected: vec![("s1", Addresses(&["198.51.100.1"]))],
        },
        Row {
            input: "no change, wider, shrunk so that the address falls out",
            steps: vec![
                Pool("a", ranges(&["192.0.2.0/29"])),
                Service("s1", asks("192.0.2.6")),
                Service("s2", json!({})),
                Pool("a", ranges(&["192.0.2.0/28"])),
                Edit("s1", json!({ "metadata": { "annotations": null } })),
                Pool("a", ranges(&["192.0.2.0/30"])),
            ],
            expected: vec![
                ("s1", Addresses(&["192.0.2.1"])),
                ("s2", Addresses(&["192.0.2.0"])),
            ],
        },
    ];
    rows.into_iter().for_each(run);
}

#[test]
fn of_the_controller_and_of_labels() {
    let rows = [
        Row {
            input: "five restarts with Services that wait",
            steps: vec![
                Pool("a", ranges(&["192.0.2.0/31"])),
                Service("s1", json!({})),
                Service("s2", json!({})),
                Service("s3", json!({})),
                Restart,
                Restart,
                Restart,
                Restart,
                Restart,
            ],
            expected: vec![
                ("s1", Addresses(&["192.0.2.0"])),
                ("s2", Addresses(&["192.0.2.1"])),
                ("s3", Refused("PoolExhausted")),
            ],
        },
        Row {
            input: "a namespace loses the label by which its Services may use a pool",
            steps: vec![
                Pool(
                    "a",
                    json!({ "addresses": ["192.0.2.0/29"], "serviceAllocation": {
                    "namespaceSelectors": [{ "matchLabels": { "tier": "front" } }],
                } }),
                ),
                Namespace("default", json!({ "tier": "front" })),
                Service("s1", json!({})),
                Namespace("default", json!({ "tier": "back" })),
            ],
            expected: vec![("s1", Refused("NoEligiblePool"))],
        },
    ];
    rows.into_iter().for_each(run);
}
