//! Two controllers at once, without a lease: the watch of each is late, their writes and answers
//! overtake each other, either may die. No address is ever given twice (the world checks every
//! write), and in the end every Service has what it asks for and nothing is left over.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::world::Selection;
use super::*;

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];
const ADDRESSES: [&str; 3] = ["192.0.2.0", "192.0.2.1", "2001:db8::2"];

/// One thing that happens.
#[derive(Debug, Clone)]
enum Happening {
    Create { name: usize, wish: Wish },
    Edit { name: usize, wish: Wish },
    Delete { name: usize },
    Vanish { name: usize },
    Retype { name: usize },
    Deliver { to: usize, log: usize, most: usize },
    CarryOut { of: usize, index: usize },
    Reply { to: usize, index: usize },
    Pass { tenths: u64 },
    Die { who: usize },
}

#[derive(Debug, Clone)]
enum Wish {
    Any,
    Address(usize),
    Dual,
    Shared(u16),
}

fn wish() -> impl Strategy<Value = Wish> {
    prop_oneof![
        Just(Wish::Any),
        (0..ADDRESSES.len()).prop_map(Wish::Address),
        Just(Wish::Dual),
        (80u16..83).prop_map(Wish::Shared),
    ]
}

fn happening() -> impl Strategy<Value = Happening> {
    let name = 0..NAMES.len();
    prop_oneof![
        3 => (name.clone(), wish()).prop_map(|(name, wish)| Happening::Create { name, wish }),
        2 => (name.clone(), wish()).prop_map(|(name, wish)| Happening::Edit { name, wish }),
        2 => name.clone().prop_map(|name| Happening::Delete { name }),
        1 => name.clone().prop_map(|name| Happening::Vanish { name }),
        1 => name.prop_map(|name| Happening::Retype { name }),
        8 => (0usize..2, 0usize..2, 1usize..5)
            .prop_map(|(to, log, most)| Happening::Deliver { to, log, most }),
        10 => (0usize..2, 0usize..4).prop_map(|(of, index)| Happening::CarryOut { of, index }),
        10 => (0usize..2, 0usize..4).prop_map(|(to, index)| Happening::Reply { to, index }),
        4 => (1u64..30).prop_map(|tenths| Happening::Pass { tenths }),
        1 => (0usize..2).prop_map(|who| Happening::Die { who }),
    ]
}

fn spec(wish: &Wish) -> Value {
    let single = json!({
        "metadata": { "annotations": {
            "ringbolt.io/loadBalancerIPs": null, "ringbolt.io/allow-shared-ip": null,
        } },
        "spec": {
            "type": "LoadBalancer", "ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv4"],
            "ports": [{ "port": 80, "protocol": "TCP" }],
        },
    });
    let mut value = single;
    match wish {
        Wish::Any => {}
        Wish::Address(index) => {
            let address = ADDRESSES[*index];
            value["metadata"]["annotations"]["ringbolt.io/loadBalancerIPs"] = json!(address);
            let family = if address.contains(':') {
                "IPv6"
            } else {
                "IPv4"
            };
            value["spec"]["ipFamilies"] = json!([family]);
        }
        Wish::Dual => {
            value["spec"]["ipFamilyPolicy"] = json!("RequireDualStack");
            value["spec"]["ipFamilies"] = json!(["IPv6", "IPv4"]);
        }
        Wish::Shared(port) => {
            value["metadata"]["annotations"]["ringbolt.io/allow-shared-ip"] = json!("k");
            value["spec"]["ports"] = json!([{ "port": port, "protocol": "TCP" }]);
        }
    }
    value
}

/// Writes arrive within the time for which what they rest on counts as known.
fn in_time(world: &mut World) {
    for place in 0..2 {
        while world.carry_out(place, 0) {}
    }
}

fn happen(world: &mut World, happening: &Happening) {
    match happening {
        Happening::Create { name, wish } if !world.exists(NAMES[*name]) => {
            world.service(NAMES[*name], spec(wish));
        }
        Happening::Edit { name, wish } if world.exists(NAMES[*name]) => {
            world.edit(NAMES[*name], spec(wish));
        }
        Happening::Retype { name } if world.exists(NAMES[*name]) => {
            world.edit(NAMES[*name], json!({ "spec": { "type": "ClusterIP" } }));
        }
        Happening::Delete { name } => world.delete(NAMES[*name]),
        Happening::Vanish { name } if world.exists(NAMES[*name]) => {
            world.force_delete(NAMES[*name]);
        }
        Happening::Deliver { to, log, most } => {
            world.deliver_some(*to, *log, *most);
        }
        Happening::CarryOut { of, index } => {
            world.carry_out(*of, *index);
        }
        Happening::Reply { to, index } => {
            world.reply(*to, *index);
        }
        Happening::Pass { tenths } => {
            in_time(world);
            world.pass(Duration::from_millis(tenths * 100));
        }
        Happening::Die { who } => world.restart(*who),
        Happening::Create { .. }
        | Happening::Edit { .. }
        | Happening::Retype { .. }
        | Happening::Vanish { .. } => {}
    }
}

/// Every address in a status is claimed for its Service, and every claim is in a status.
fn assert_consistent(world: &World) {
    let mut carried: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for name in NAMES {
        for address in world.addresses(name) {
            carried.entry(address).or_default().insert(name);
        }
    }
    for (address, claim) in world.claims() {
        let holders: BTreeSet<&str> = claim.spec.holders.iter().map(|h| h.name.as_str()).collect();
        let users = carried.remove(&address.to_string()).unwrap_or_default();
        assert_eq!(
            holders, users,
            "holders of {address} and those who carry it"
        );
    }
    assert!(
        carried.is_empty(),
        "{carried:?} are carried without a claim"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn two_controllers_never_give_one_address_twice(
        happenings in prop::collection::vec(happening(), 1..120),
        selection in prop_oneof![Just(Selection::All), Just(Selection::LoadBalancers)],
    ) {
        let mut world = World::with_pools(&[("p", ranges(&["192.0.2.0/31", "2001:db8::2"]))]);
        world.selection = selection;
        world.start_controller();
        for happening in &happenings {
            happen(&mut world, happening);
        }
        in_time(&mut world);
        world.settle();
        assert_consistent(&world);
        let writes = world.writes;
        world.run_for(Duration::from_secs(300));
        prop_assert_eq!(world.writes, writes, "two controllers at rest write nothing");
    }
}

/// Two controllers that know of a Service `web` with 192.0.2.0.
fn two_that_know_web() -> World {
    let mut world = World::with_pools(&[("p", ranges(&["192.0.2.0/31"]))]);
    world.start_controller();
    world.service("web", asks("192.0.2.0"));
    world.settle();
    world
}

/// The first controller works alone for a while.
fn only_first(world: &mut World) {
    for _ in 0..100 {
        world.deliver(0);
        world.carry_out(0, 0);
        world.reply(0, 0);
    }
}

#[test]
fn what_another_controller_publishes_meanwhile_is_not_released() {
    let mut world = two_that_know_web();
    world.edit("web", asks("192.0.2.1"));
    only_first(&mut world);
    assert_eq!(world.addresses("web"), ["192.0.2.1"]);
    // Back again, and only the second one sees it.
    world.edit("web", asks("192.0.2.0"));
    for _ in 0..100 {
        world.deliver(1);
        world.carry_out(1, 0);
        world.reply(1, 0);
    }
    assert_eq!(world.addresses("web"), ["192.0.2.0"]);
    world.pass(Duration::from_secs(2));
    while world.carry_out(0, 0) || world.reply(0, 0) {}
    assert_eq!(
        world.holders("192.0.2.0"),
        ["web"],
        "the first one looks before it releases"
    );
}

#[test]
fn a_claim_that_another_controller_has_released_meanwhile_is_not_published() {
    let mut world = two_that_know_web();
    world.edit("web", asks("192.0.2.1"));
    only_first(&mut world);
    world.pass(Duration::from_secs(2));
    only_first(&mut world);
    world.service("thief", asks("192.0.2.0"));
    only_first(&mut world);
    assert_eq!(world.addresses("thief"), ["192.0.2.0"]);
    world.edit("web", asks("192.0.2.0"));
    // The second one sees Services, and claims as they were.
    for _ in 0..100 {
        world.deliver_some(1, 1, usize::MAX);
        world.carry_out(1, 0);
        world.reply(1, 0);
    }
    world.settle();
    assert_eq!(world.addresses("web"), ["192.0.2.1"]);
    assert_eq!(world.reason("web"), "AddressTaken");
}
