//! A controller that begins in a cluster that has been at work (rule 43).

use ringbolt_config::Kind;

use super::*;
use crate::engine::Write;

const NEEDED: [Kind; 3] = [Kind::Service, Kind::IPAddressPool, Kind::IPAllocation];

/// Two Services have addresses, and their claims are lost; two more wait, one of which is older than these. By name,
/// everybody would be in another order.
fn at_work() -> World {
    let mut world = World::with_pools(&[("a", ranges(&["192.0.2.0/29"]))]);
    world.service("mm-oldest", json!({ "spec": { "type": "ClusterIP" } }));
    world.service("zz-holder", json!({}));
    world.service("yy-holder", json!({}));
    world.settle();
    assert_eq!(world.addresses("zz-holder"), ["192.0.2.0"]);
    assert_eq!(world.addresses("yy-holder"), ["192.0.2.1"]);
    world.edit("mm-oldest", json!({ "spec": { "type": "LoadBalancer" } }));
    world.service("bb-newest", json!({}));
    for address in ["192.0.2.0", "192.0.2.1"] {
        world.delete_claim(address);
    }
    world
}

/// For whom claims are under way to the cluster, in this order.
fn claimed(world: &mut World) -> Vec<String> {
    let unsent = world.controller(0).unsent.iter();
    let claims = unsent.filter_map(|(_, write)| match write {
        Write::CreateClaim(claim) => Some(claim.spec.holders[0].name.clone()),
        _ => None,
    });
    claims.collect()
}

#[test]
fn rule_43_nothing_is_given_before_services_pools_and_claims_are_complete() {
    let mut world = at_work();
    for missing in NEEDED {
        let before = (world.writes, world.status_writes);
        world.restart_without(0, &[missing]);
        world.settle();
        assert_eq!(world.controller(0).unsent.len(), 0, "without {missing:?}");
        assert_eq!((world.writes, world.status_writes), before);
        world.list(0, &[missing]);
        assert_ne!(claimed(&mut world), [""; 0], "with {missing:?}");
    }
}

#[test]
fn rule_43_those_who_have_addresses_are_served_first_and_all_in_order_of_creation() {
    let mut world = at_work();
    world.restart_without(0, &[Kind::IPAllocation]);
    world.list(0, &[Kind::IPAllocation]);
    assert_eq!(
        claimed(&mut world),
        ["zz-holder", "yy-holder", "mm-oldest", "bb-newest"]
    );
    world.settle();
    let served = [
        ("zz-holder", "192.0.2.0"),
        ("yy-holder", "192.0.2.1"),
        ("mm-oldest", "192.0.2.2"),
        ("bb-newest", "192.0.2.3"),
    ];
    for (name, address) in served {
        assert_eq!(world.addresses(name), [address], "{name}");
        assert_eq!(world.holders(address), [name]);
    }
}
