//! Pools that stay while they are in use (contracts 1.11).

use ringbolt_config::api::pool::FINALIZER;

use super::*;

fn kept(list: &[&str]) -> Value {
    json!({ "addresses": list, "onRemoval": "Keep" })
}

#[test]
fn a_kept_pool_that_is_deleted_serves_its_holders_and_nobody_else() {
    let mut world = World::with_pools(&[("a", kept(&["192.0.2.0/30"]))]);
    world.service("old", json!({}));
    world.settle();
    assert_eq!(world.pool_finalizers("a"), Some(json!([FINALIZER])));
    world.delete_pool("a");
    world.service("new", json!({}));
    world.run_for(Duration::from_secs(30));
    assert_eq!(world.addresses("old"), ["192.0.2.0"]);
    assert!(world.addresses("new").is_empty());
    world.delete("old");
    world.run_for(Duration::from_secs(30));
    assert_eq!(world.pool_finalizers("a"), None, "the last holder is gone");
}

#[test]
fn a_kept_pool_that_is_deleted_says_for_how_many_addresses_it_waits() {
    let ready = |world: &World| {
        let status = world.pool_status("a");
        let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
        let ready = conditions.into_iter().find(|c| c["type"] == "Ready");
        let ready = ready.expect("every pool says whether it is in force");
        assert_eq!(ready["status"], "True");
        let text = |field: &str| ready[field].as_str().unwrap_or_default().to_owned();
        (text("reason"), text("message"))
    };
    let mut world = World::with_pools(&[("a", kept(&["192.0.2.0/30"]))]);
    world.service("one", json!({}));
    world.service("two", json!({}));
    world.run_for(Duration::from_secs(5));
    assert_eq!(ready(&world), ("InForce".to_owned(), String::new()));
    world.delete_pool("a");
    world.run_for(Duration::from_secs(5));
    let (reason, message) = ready(&world);
    assert_eq!(reason, "Deleting");
    assert!(message.ends_with("hold 2 addresses of it"), "{message}");
    world.delete("one");
    world.run_for(Duration::from_secs(30));
    let (_, message) = ready(&world);
    assert!(message.ends_with("hold 1 address of it"), "{message}");
}

#[test]
fn a_kept_pool_without_holders_goes_at_once() {
    let mut world = World::with_pools(&[("a", kept(&["192.0.2.0/30"]))]);
    world.settle();
    world.delete_pool("a");
    world.run_for(Duration::from_secs(3));
    assert_eq!(world.pool_finalizers("a"), None);
}

#[test]
fn a_kept_pool_survives_a_restart_of_the_controller() {
    let mut world = World::with_pools(&[("a", kept(&["192.0.2.0/30"]))]);
    world.service("web", json!({}));
    world.settle();
    world.delete_pool("a");
    world.settle();
    world.restart(0);
    world.run_for(Duration::from_secs(30));
    assert_eq!(world.addresses("web"), ["192.0.2.0"]);
    assert_eq!(world.pool_finalizers("a"), Some(json!([FINALIZER])));
}

#[test]
fn other_pools_carry_no_finalizer() {
    let mut world = World::with_pools(&[("a", ranges(&["192.0.2.0/30"]))]);
    world.settle();
    assert_eq!(world.pool_finalizers("a"), Some(Value::Null));
    world.edit_pool("a", json!({ "spec": { "onRemoval": "Keep" } }));
    world.run_for(Duration::from_secs(3));
    assert_eq!(world.pool_finalizers("a"), Some(json!([FINALIZER])));
    world.edit_pool("a", json!({ "spec": { "onRemoval": "Reallocate" } }));
    world.run_for(Duration::from_secs(3));
    assert_eq!(world.pool_finalizers("a"), Some(json!([])));
}
