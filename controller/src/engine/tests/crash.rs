//! A controller that dies after any single write is continued by the next one.

use super::*;

/// One thing that people do.
type Act = fn(&mut World);

/// What happens in order; the world comes to rest after each.
const SCENARIO: &[Act] = &[
    |world| world.service("web", json!({})),
    |world| {
        let dual = json!({ "ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv6", "IPv4"] });
        world.service("dual", json!({ "spec": dual }));
        world.service("late", asks("192.0.2.1"));
    },
    |world| {
        let mut shared = annotated(json!({ "ringbolt.io/allow-shared-ip": "k" }));
        world.service("share1", shared.clone());
        shared["spec"]["ports"] = json!([{ "port": 443, "protocol": "TCP" }]);
        world.service("share2", shared);
    },
    |world| world.edit("web", asks("192.0.2.6")),
    |world| {
        let single = json!({ "ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv6"] });
        world.edit("dual", json!({ "spec": single }));
    },
    |world| world.delete("share1"),
    |world| world.edit("share2", json!({ "spec": { "type": "ClusterIP" } })),
    |world| world.remove_pool("b"),
    |world| world.delete("dual"),
    |world| world.delete("web"),
];

fn world() -> World {
    World::with_pools(&[
        ("a", ranges(&["192.0.2.0/29"])),
        ("b", ranges(&["2001:db8::/126", "198.51.100.0/30"])),
        ("c", ranges(&["2001:db8:1::/126"])),
    ])
}

/// Plays the scenario; the controller dies after write number `death`, before it learns of it.
fn play(death: Option<usize>) -> World {
    let mut world = world();
    for act in SCENARIO {
        act(&mut world);
        while let Some(death) = death.filter(|death| world.writes < *death) {
            let moved = world.carry_out(0, 0);
            if world.writes == death {
                world.restart(0);
                break;
            }
            if !(world.reply(0, 0) | moved | world.deliver(0)) && !world.jump(0) {
                break;
            }
        }
        world.settle();
    }
    world
}

#[test]
fn a_death_after_any_write_changes_nothing_in_the_end() {
    let undisturbed = play(None);
    assert_eq!(undisturbed.addresses("late"), ["192.0.2.1"]);
    assert!(!undisturbed.exists("dual") && !undisturbed.exists("web"));
    assert!(undisturbed.writes > 20, "{} writes", undisturbed.writes);
    for death in 1..=undisturbed.writes {
        let disturbed = play(Some(death));
        assert_eq!(
            disturbed.outcome(),
            undisturbed.outcome(),
            "died after write {death}"
        );
        let held = disturbed
            .claims()
            .values()
            .map(|c| c.spec.holders.len())
            .sum::<usize>();
        let carried = ["web", "dual", "late", "share1", "share2"]
            .iter()
            .map(|name| disturbed.addresses(name).len())
            .sum::<usize>();
        assert_eq!(held, carried, "a claim is left over after write {death}");
    }
}

#[test]
fn the_leftovers_of_a_service_that_vanished_during_an_outage_are_released() {
    let mut world = world();
    world.service("web", json!({}));
    world.settle();
    world.force_delete("web");
    world.restart(0);
    world.run_for(Duration::from_millis(1_999));
    assert_eq!(
        world.holders("192.0.2.0"),
        ["web"],
        "the bound begins when it is found"
    );
    world.settle();
    assert!(world.holders("192.0.2.0").is_empty());
}
