//! Rows about requests for addresses.

use super::*;

fn small() -> Step {
    Pool("a", ranges(&["192.0.2.0/30"]))
}

#[test]
fn are_met_or_named() {
    let rows = [
        Row {
            input: "s1 requests A, s2 requests A",
            steps: vec![
                small(),
                Service("s1", asks("192.0.2.1")),
                Service("s2", asks("192.0.2.1")),
            ],
            expected: vec![
                ("s1", Addresses(&["192.0.2.1"])),
                ("s2", Refused("AddressTaken")),
            ],
        },
        Row {
            input: "… s1 frees, s2 is served",
            steps: vec![
                small(),
                Service("s1", asks("192.0.2.1")),
                Service("s2", asks("192.0.2.1")),
                Delete("s1"),
            ],
            expected: vec![("s2", Addresses(&["192.0.2.1"]))],
        },
        Row {
            input: "avoidBuggyIPs: requests for .0, .255, .254",
            steps: vec![
                Pool(
                    "a",
                    json!({ "addresses": ["192.0.2.0/24"], "avoidBuggyIPs": true }),
                ),
                Service("s1", asks("192.0.2.0")),
                Service("s2", asks("192.0.2.255")),
                Service("s3", asks("192.0.2.254")),
            ],
            expected: vec![
                ("s1", Refused("AddressUnusable")),
                ("s2", Refused("AddressUnusable")),
                ("s3", Addresses(&["192.0.2.254"])),
            ],
        },
        Row {
            input: "ClusterIP Service; first LoadBalancer Service of a /31; a request by spec",
            steps: vec![
                Pool("a", ranges(&["1.2.3.0/31"])),
                Service("s1", json!({ "spec": { "type": "ClusterIP" } })),
                Service("s2", json!({})),
                Service("s3", json!({ "spec": { "loadBalancerIP": "1.2.3.1" } })),
            ],
            expected: vec![
                ("s1", Addresses(&[])),
                ("s2", Addresses(&["1.2.3.0"])),
                ("s3", Addresses(&["1.2.3.1"])),
            ],
        },
    ];
    rows.into_iter().for_each(run);
}

#[test]
fn that_cannot_be_met_change_nothing() {
    let rows = [
        Row {
            input: "spec and annotation disagree; not an address; two of one family",
            steps: vec![
                Pool("a", ranges(&["1.2.3.0/24"])),
                Service("s1", {
                    let mut value = asks("1.2.3.1");
                    value["spec"]["loadBalancerIP"] = json!("1.2.3.2");
                    value
                }),
                Service("s2", asks("not-an-ip")),
                Service("s3", asks("1.2.3.1,1.2.3.2")),
            ],
            expected: vec![
                ("s1", Refused("RequestInvalid")),
                ("s2", Refused("RequestInvalid")),
                ("s3", Refused("RequestInvalid")),
            ],
        },
        Row {
            input: "holds an address, asks for one outside (difference: the old one stays)",
            steps: vec![
                small(),
                Service("s1", json!({})),
                Edit("s1", asks("203.0.113.1")),
            ],
            expected: vec![("s1", Keeps("192.0.2.0", "AddressOutsidePools"))],
        },
        Row {
            input: "explicit v4 of one pool and v6 of another (difference: contracts 1.7 allow it)",
            steps: vec![
                small(),
                Pool("b", ranges(&["2001:db8::/64"])),
                Service("s1", {
                    let mut value = asks("192.0.2.1,2001:db8::1");
                    value["spec"]["ipFamilyPolicy"] = json!("RequireDualStack");
                    value["spec"]["ipFamilies"] = json!(["IPv4", "IPv6"]);
                    value
                }),
            ],
            expected: vec![("s1", Addresses(&["192.0.2.1", "2001:db8::1"]))],
        },
        Row {
            input: "an IPv6 Service and a pool of IPv4",
            steps: vec![
                small(),
                Service("s1", json!({ "spec": { "ipFamilies": ["IPv6"] } })),
            ],
            expected: vec![("s1", Refused("NoEligiblePool"))],
        },
    ];
    rows.into_iter().for_each(run);
}
