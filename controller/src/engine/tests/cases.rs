//! The case table of semantics section 3, with the differences of section 4: what users of MetalLB
//! know, row by row.

use super::*;

/// What happens to the world.
enum Step {
    Pool(&'static str, Value),
    NoPool(&'static str),
    Namespace(&'static str, Value),
    Service(&'static str, Value),
    ServiceIn(&'static str, &'static str, Value),
    Edit(&'static str, Value),
    Delete(&'static str),
    Restart,
}

/// What a Service of namespace `default` then has.
enum Has {
    Addresses(&'static [&'static str]),
    Refused(&'static str),
    /// Another address than it asks for, and the reason.
    Keeps(&'static str, &'static str),
}

struct Row {
    input: &'static str,
    steps: Vec<Step>,
    expected: Vec<(&'static str, Has)>,
}

use Has::{Addresses, Keeps, Refused};
use Step::{Delete, Edit, Namespace, NoPool, Pool, Restart, Service, ServiceIn};

fn run(row: Row) {
    let mut world = World::with_pools(&[]);
    for step in row.steps {
        match step {
            Pool(name, spec) => world.pool(name, spec),
            NoPool(name) => world.remove_pool(name),
            Namespace(name, labels) => world.namespace(name, labels),
            Service(name, change) => world.service(name, change),
            ServiceIn(namespace, name, change) => world.service_in(namespace, name, change),
            Edit(name, change) => world.edit(name, change),
            Delete(name) => world.delete(name),
            Restart => world.restart(0),
        }
        world.settle();
    }
    for (name, has) in row.expected {
        let context = format!("{}: Service {name}", row.input);
        match has {
            Addresses(list) => assert_eq!(world.addresses(name), list, "{context}"),
            Refused(reason) => {
                assert!(world.addresses(name).is_empty(), "{context}");
                assert_eq!(world.reason(name), reason, "{context}");
            }
            Keeps(address, reason) => {
                assert_eq!(world.addresses(name), [address], "{context}");
                assert_eq!(world.reason(name), reason, "{context}");
            }
        }
    }
}

fn keyed(key: &str, port: u16) -> Value {
    let mut value = annotated(json!({ "ringbolt.io/allow-shared-ip": key }));
    value["spec"]["ports"] = json!([{ "port": port, "protocol": "TCP" }]);
    value
}

fn keyed_at(key: &str, port: u16, address: &str) -> Value {
    let mut value = keyed(key, port);
    value["metadata"]["annotations"]["ringbolt.io/loadBalancerIPs"] = json!(address);
    value
}

fn local(mut value: Value, app: &str) -> Value {
    value["spec"]["externalTrafficPolicy"] = json!("Local");
    value["spec"]["selector"] = json!({ "app": app });
    value
}

fn for_namespaces(list: &[&str], names: &[&str]) -> Value {
    json!({ "addresses": list, "serviceAllocation": { "namespaces": names } })
}

fn from_pool(pool: &str) -> Value {
    annotated(json!({ "ringbolt.io/address-pool": pool }))
}

#[test]
fn requests() {
    let small = || Pool("a", ranges(&["192.0.2.0/30"]));
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

#[test]
fn sharing() {
    let one = || Pool("a", ranges(&["192.0.2.1"]));
    let refused = |input, second: Value, reason| Row {
        input,
        steps: vec![one(), Service("s1", keyed("k", 80)), Service("s2", second)],
        expected: vec![("s1", Addresses(&["192.0.2.1"])), ("s2", Refused(reason))],
    };
    let rows = [
        Row {
            input: "same key, another port, same backend",
            steps: vec![
                one(),
                Service("s1", keyed("k", 80)),
                Service("s2", keyed("k", 443)),
            ],
            expected: vec![("s2", Addresses(&["192.0.2.1"]))],
        },
        refused(
            "another key",
            keyed_at("other", 443, "192.0.2.1"),
            "SharingRefused",
        ),
        refused(
            "same port",
            keyed_at("k", 80, "192.0.2.1"),
            "SharingRefused",
        ),
        refused("no key", asks("192.0.2.1"), "AddressTaken"),
        refused(
            "another backend",
            local(keyed_at("k", 443, "192.0.2.1"), "web"),
            "SharingRefused",
        ),
        Row {
            input: "Local with one selector, and with two",
            steps: vec![
                one(),
                Service("s1", local(keyed("k", 80), "web")),
                Service("s2", local(keyed("k", 443), "web")),
                Service("s3", local(keyed("k", 8080), "db")),
            ],
            expected: vec![
                ("s2", Addresses(&["192.0.2.1"])),
                ("s3", Refused("PoolExhausted")),
            ],
        },
        Row {
            input: "a sole holder changes port and key",
            steps: vec![
                one(),
                Service("s1", keyed("k", 80)),
                Edit("s1", keyed("l", 81)),
            ],
            expected: vec![("s1", Addresses(&["192.0.2.1"]))],
        },
        Row {
            input: "a holder that shares changes its key: it leaves",
            steps: vec![
                one(),
                Service("s1", keyed("k", 80)),
                Service("s2", keyed("k", 443)),
                Edit("s1", keyed("l", 80)),
            ],
            expected: vec![
                ("s1", Refused("PoolExhausted")),
                ("s2", Addresses(&["192.0.2.1"])),
            ],
        },
        Row {
            input: "over namespaces only where the pool says so",
            steps: vec![
                one(),
                ServiceIn("other", "s1", keyed("k", 80)),
                Service("s2", keyed_at("k", 443, "192.0.2.1")),
                Pool(
                    "b",
                    json!({ "addresses": ["192.0.2.2"], "sharing": "Cluster" }),
                ),
                ServiceIn("other", "s3", keyed_at("k", 80, "192.0.2.2")),
                Service("s4", keyed_at("k", 443, "192.0.2.2")),
                Pool(
                    "c",
                    json!({ "addresses": ["192.0.2.3"], "sharing": "Never" }),
                ),
                Service("s5", keyed_at("k", 80, "192.0.2.3")),
                Service("s6", keyed_at("k", 443, "192.0.2.3")),
            ],
            expected: vec![
                ("s2", Refused("SharingRefused")),
                ("s4", Addresses(&["192.0.2.2"])),
                ("s5", Addresses(&["192.0.2.3"])),
                ("s6", Refused("SharingRefused")),
            ],
        },
    ];
    rows.into_iter().for_each(run);
}

#[test]
fn pools() {
    let labelled = |label: &str| json!({ "metadata": { "labels": { "tier": label } } });
    let by_label = |list: &[&str], priority: u32, names: &[&str]| {
        json!({ "addresses": list, "serviceAllocation": {
            "priority": priority, "namespaces": names,
            "serviceSelectors": [{ "matchLabels": { "tier": "front" } }],
        } })
    };
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
fn changes() {
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

#[test]
fn sizes() {
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
