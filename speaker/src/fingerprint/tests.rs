//! What moves the word, and what does not.

use serde_json::json;

use crate::desired::tests::world::{HERE, World, node, peer, pool, with};

fn shown(world: &World) -> String {
    world.planner.fingerprint().to_owned()
}

#[test]
fn the_same_configuration_has_the_same_word_on_every_node_and_in_any_order() {
    let mut other = World::nodeless();
    let mut usual = World::bare().announcing();
    other = other.announcing();
    assert_eq!(shown(&usual), shown(&other));
    usual.apply(with(
        node(HERE),
        json!({"metadata": {"labels": {"a": "b"}}}),
    ));
    usual.apply(pool("a", &["10.8.0.0/24"]));
    usual.apply(pool("b", &["10.9.0.0/24"]));
    other.apply(pool("b", &["10.9.0.0/24"]));
    other.apply(pool("a", &["10.8.0.0/24"]));
    assert_eq!(shown(&usual), shown(&other));
}

#[test]
fn a_change_has_another_word_and_a_secret_moves_none() {
    let mut world = World::usual();
    let before = shown(&world);
    world.apply(pool("public", &["192.0.2.0/25", "2001:db8::/64"]));
    assert_ne!(shown(&world), before);
    let password = |word: &str| with(peer("tor"), json!({"spec": {"password": word}}));
    world.apply(password("one"));
    let before = shown(&world);
    world.apply(password("two"));
    assert_eq!(shown(&world), before);
    world.apply(pool("public", &["192.0.2.0/24", "2001:db8::/64"]));
    assert_ne!(shown(&world), before);
}
