//! Properties of resolving: total, repeatable, and never out of nothing.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn resolving_is_total_and_says_the_same_twice(objects in objects()) {
        let mut snapshot = Snapshot::default();
        for (kind, name, spec) in &objects {
            let value = json!({"metadata": {"name": name}, "spec": spec});
            if let Ok(object) = decode(*kind, value) {
                snapshot.apply(object);
            }
        }
        let mut memory = LastGood::default();
        let (config, problems) = memory.update(&snapshot);
        let (again, same) = memory.update(&snapshot);
        prop_assert_eq!(&config, &again);
        prop_assert_eq!(&problems, &same);
        match resolve(&snapshot) {
            Ok(resolved) => prop_assert_eq!(resolved, config),
            Err(said) => prop_assert_eq!(said, problems),
        }
    }

    #[test]
    fn no_two_pools_in_force_ever_overlap(steps in prop::collection::vec(pool_step(), 1..12)) {
        let mut snapshot = Snapshot::default();
        let mut memory = LastGood::default();
        for (name, ranges) in steps {
            let list: Vec<_> = ranges
                .iter()
                .map(|(a, b)| format!("10.0.0.{}-10.0.0.{}", a.min(b), a.max(b)))
                .collect();
            if list.is_empty() {
                let object = crate::names::ObjectRef::new(Kind::IPAddressPool, None, &name);
                snapshot.remove(&object.unwrap());
            } else {
                put(&mut snapshot, Kind::IPAddressPool, json!({"name": name}),
                    json!({"addresses": list}));
            }
            let (config, problems) = memory.update(&snapshot);
            let ranges: Vec<_> = config
                .pools
                .values()
                .flat_map(|pool| pool.ranges.iter().map(|range| range.span))
                .collect();
            for (i, one) in ranges.iter().enumerate() {
                for other in &ranges[..i] {
                    prop_assert!(!one.overlaps(*other), "{} {}", one, other);
                }
            }
            // What is not in force is talked about.
            for name in snapshot.pools.keys() {
                let in_force = config.pools.keys().any(|pool| pool.as_str() == &**name);
                let talked_about = problems.iter().any(|problem| problem.object.name == *name);
                prop_assert!(in_force || talked_about, "{}", name);
            }
        }
    }
}

fn pool_step() -> impl Strategy<Value = (String, Vec<(u8, u8)>)> {
    let range = (0u8..60).prop_flat_map(|a| (Just(a), a..a.saturating_add(8)));
    ("[abc]", prop::collection::vec(range, 0..3))
}

/// Objects of our kinds whose fields are mostly of the right type and often nonsense.
fn objects() -> impl Strategy<Value = Vec<(Kind, String, Value)>> {
    let kind = prop::sample::select(vec![
        Kind::IPAddressPool,
        Kind::Community,
        Kind::BGPPeerTemplate,
        Kind::BGPPeer,
        Kind::BGPAdvertisement,
        Kind::L2Advertisement,
    ]);
    let object = (kind, "[ab]")
        .prop_flat_map(|(kind, name)| spec(kind).prop_map(move |spec| (kind, name.clone(), spec)));
    prop::collection::vec(object, 0..8)
}

fn spec(kind: Kind) -> BoxedStrategy<Value> {
    let fields: &[(&str, &str)] = match kind {
        Kind::IPAddressPool => &[
            ("addresses", "texts"),
            ("excludeAddresses", "texts"),
            ("serviceAllocation", "any"),
        ],
        Kind::Community => &[("communities", "aliases")],
        Kind::BGPPeer | Kind::BGPPeerTemplate => &[
            ("myASN", "number"),
            ("peerASN", "number"),
            ("peerAddress", "text"),
            ("sourceAddress", "text"),
            ("routerID", "text"),
            ("holdTime", "text"),
            ("keepaliveTime", "text"),
            ("ttlSecurityHops", "number"),
            ("nodeSelectors", "selectors"),
            ("disableMP", "flag"),
        ],
        Kind::BGPAdvertisement => &[
            ("ipAddressPools", "texts"),
            ("peers", "texts"),
            ("peerSelectors", "selectors"),
            ("communities", "texts"),
            ("prefixes", "texts"),
            ("nextHop", "text"),
            ("aggregationLength", "number"),
        ],
        _ => &[
            ("ipAddressPools", "texts"),
            ("nodeSelectors", "selectors"),
            ("interfacePatterns", "texts"),
            ("refreshSeconds", "number"),
        ],
    };
    let members: Vec<_> = fields
        .iter()
        .map(|(name, sort)| prop::option::of(value(sort)).prop_map(move |v| v.map(|v| (*name, v))))
        .collect();
    members
        .prop_map(|members| {
            members
                .into_iter()
                .flatten()
                .map(|(k, v)| (k.to_owned(), v))
                .collect::<Value>()
        })
        .boxed()
}

fn value(sort: &str) -> BoxedStrategy<Value> {
    let text = prop_oneof![
        "\\PC{2,20}",
        "[ab]",
        prop::sample::select(vec![
            "192.0.2.0/24",
            "192.0.2.1",
            "192.0.2.9-192.0.2.1",
            "2001:db8::/64",
            "::1",
            "10s",
            "0s",
            "99999999999h",
            "65000:1",
            "large:1:2:3",
            "ext:1",
            "0.0.0.0/0",
            "::/0",
        ])
        .prop_map(str::to_owned),
    ];
    match sort {
        "text" => text.prop_map(Value::from).boxed(),
        "texts" => prop::collection::vec(text, 0..4)
            .prop_map(Value::from)
            .boxed(),
        "number" => (0u32..300).prop_map(Value::from).boxed(),
        "flag" => any::<bool>().prop_map(Value::from).boxed(),
        "selectors" => prop::sample::select(vec![
            json!([]),
            json!([{}]),
            json!([{"matchExpressions": [{"key": "a", "operator": "In"}]}]),
            json!([{"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["x"]}]}]),
        ])
        .boxed(),
        "aliases" => (text.clone(), text)
            .prop_map(|(name, value)| json!([{"name": name, "value": value}]))
            .boxed(),
        _ => prop::sample::select(vec![json!({}), json!({"priority": 0})]).boxed(),
    }
}
