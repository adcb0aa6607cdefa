//! Rows about shared addresses.

use super::*;

fn one() -> Step {
    Pool("a", ranges(&["192.0.2.1"]))
}

#[test]
fn needs_one_key_other_ports_and_the_same_backend() {
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
    ];
    rows.into_iter().for_each(run);
}

#[test]
fn outlives_what_leaves_it_legal() {
    let rows = [
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
