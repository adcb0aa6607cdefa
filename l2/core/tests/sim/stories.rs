//! One thing goes wrong, or is planned, at a time.
use std::time::Duration;

use ringbolt_l2::announcer::{Event, Failback};

use crate::link::Port;
use crate::world::{Carried, Setup, World};
use crate::{LISTENING, MS, S, SILENCE, all_is_well, nothing_forbidden, one_answerer_each};

/// A cluster in which every address has been owned for a while.
pub(crate) fn settled(setup: Setup) -> World {
    let mut world = World::new(setup);
    world.start_all();
    world.run_for(20 * S);
    all_is_well(&world).unwrap();
    world.watch.begin(world.now);
    world
}

fn longest_gap(world: &World) -> Duration {
    world
        .addresses
        .iter()
        .map(|address| world.watch.unanswered(*address))
        .max()
        .unwrap()
}

fn longest_double(world: &World) -> Duration {
    world
        .addresses
        .iter()
        .map(|address| world.watch.doubled(*address))
        .max()
        .unwrap()
}

#[test]
fn every_address_has_one_answerer_after_a_common_start() {
    for seed in 0..20 {
        let mut world = World::new(Setup::new(seed, 2 + usize::try_from(seed % 4).unwrap()));
        world.start_all();
        world.run_for(LISTENING + S);
        one_answerer_each(&world).unwrap();
        world.run_for(15 * S);
        all_is_well(&world).unwrap();
    }
}

#[test]
fn a_single_speaker_takes_everything_after_three_seconds() {
    let mut world = World::new(Setup::new(1, 1));
    world.start_all();
    world.run_for(Duration::from_millis(2_990));
    assert!(
        world
            .addresses
            .iter()
            .all(|address| world.answerers(*address).is_empty())
    );
    world.run_for(20 * MS);
    one_answerer_each(&world).unwrap();
}

#[test]
fn a_dead_node_is_replaced_within_three_of_its_intervals() {
    for seed in 0..20 {
        let mut world = settled(Setup::new(seed, 3));
        let before: Vec<_> = world
            .addresses
            .iter()
            .map(|one| world.answerers(*one))
            .collect();
        world.power_off(0);
        world.run_for(SILENCE + 100 * MS);
        one_answerer_each(&world).unwrap();
        assert!(
            longest_gap(&world) <= SILENCE + 5 * MS,
            "seed {seed}: {:?}",
            longest_gap(&world)
        );
        // Only what the dead node had has moved.
        for (address, before) in world.addresses.iter().zip(before) {
            assert!(
                before == [0] || world.answerers(*address) == before,
                "seed {seed}: {address}"
            );
        }
        world.run_for(11 * S);
        all_is_well(&world).unwrap();
    }
}

#[test]
fn a_verdict_alone_moves_the_addresses_in_less_than_200_ms() {
    for seed in 0..20 {
        let mut world = settled(Setup::new(seed, 3));
        world.power_off(1);
        world.run_for(50 * MS);
        world.watch.begin(world.now);
        world.verdict(1);
        world.run_for(200 * MS);
        one_answerer_each(&world).unwrap();
        assert!(
            longest_gap(&world) < 200 * MS,
            "seed {seed}: {:?}",
            longest_gap(&world)
        );
        world.run_for(11 * S);
        all_is_well(&world).unwrap();
    }
}

#[test]
fn a_verdict_moves_the_addresses_of_a_pair_as_well() {
    let mut world = settled(Setup::new(3, 2));
    world.power_off(1);
    world.verdict(1);
    world.run_for(200 * MS);
    one_answerer_each(&world).unwrap();
}

#[test]
fn two_simultaneous_deaths_cost_the_stagger_at_most() {
    for seed in 0..20 {
        let mut world = settled(Setup::new(seed, 4));
        world.power_off(0);
        world.power_off(1);
        // Only one death is known: its first successor may be the other dead one.
        world.watch.begin(world.now);
        world.verdict(0);
        world.run_for(400 * MS);
        for address in world.addresses.clone() {
            let answerers = world.answerers(address);
            assert!(answerers.len() == 1 || world.watch.unanswered(address) > 390 * MS);
        }
        world.verdict(1);
        world.run_for(200 * MS);
        one_answerer_each(&world).unwrap();
    }
}

#[test]
fn a_drain_leaves_no_address_unanswered_and_says_when_it_is_done() {
    for seed in 0..20 {
        let mut world = settled(Setup::new(seed, 3));
        world.drain(0);
        world.run_for(S);
        one_answerer_each(&world).unwrap();
        assert_eq!(longest_gap(&world), Duration::ZERO, "seed {seed}");
        assert!(
            longest_double(&world) < 2 * MS,
            "seed {seed}: {:?}",
            longest_double(&world)
        );
        let drained = world.nodes[0]
            .events
            .iter()
            .any(|(_, event)| *event == Event::Drained { abandoned: 0 });
        assert!(drained, "seed {seed}");
        world.leave(0);
        world.run_for(11 * S);
        all_is_well(&world).unwrap();
    }
}

#[test]
fn a_drain_with_nobody_to_take_over_ends_after_two_seconds() {
    let mut world = settled(Setup {
        addresses: 2,
        ..Setup::new(5, 2)
    });
    let only = world.addresses[0];
    world.set_endpoints(only, &[0], Duration::ZERO);
    world.run_for(5 * S);
    assert_eq!(world.answerers(only), [0]);
    world.drain(0);
    world.run_for(Duration::from_millis(1_950));
    assert_eq!(world.answerers(only), [0]);
    world.run_for(100 * MS);
    assert!(world.answerers(only).is_empty());
    let drained = world.nodes[0]
        .events
        .iter()
        .any(|(_, event)| *event == Event::Drained { abandoned: 1 });
    assert!(drained);
}

#[test]
fn addresses_come_back_after_thirty_seconds_without_a_gap() {
    for seed in 0..10 {
        let mut world = settled(Setup {
            addresses: 12,
            ..Setup::new(seed, 3)
        });
        let before: Vec<_> = world
            .addresses
            .iter()
            .map(|one| world.answerers(*one))
            .collect();
        world.drain(2);
        world.run_for(S);
        world.leave(2);
        world.run_for(5 * S);
        world.start(2, 2);
        world.watch.begin(world.now);
        world.run_for(LISTENING + 29 * S);
        assert!(
            world
                .addresses
                .iter()
                .all(|address| world.watch.changes(*address) == 0)
        );
        world.run_for(5 * S);
        assert_eq!(longest_gap(&world), Duration::ZERO, "seed {seed}");
        assert!(longest_double(&world) < 2 * MS, "seed {seed}");
        let after: Vec<_> = world
            .addresses
            .iter()
            .map(|one| world.answerers(*one))
            .collect();
        assert_eq!(before, after, "seed {seed}");
        world.run_for(11 * S);
        all_is_well(&world).unwrap();
    }
}

#[test]
fn without_failback_nothing_comes_back() {
    let setup = Setup {
        failback: Failback::Never,
        ..Setup::new(1, 3)
    };
    let mut world = settled(setup);
    world.drain(2);
    world.run_for(S);
    world.leave(2);
    world.start(2, 2);
    world.run_for(100 * S);
    assert!(world.nodes[2].answering.is_empty());
    all_is_well(&world).unwrap();
}

#[test]
fn a_process_that_restarts_is_replaced_before_its_silence_would_show() {
    for seed in 0..10 {
        let mut world = settled(Setup::new(seed, 3));
        world.crash(0);
        world.run_for(500 * MS);
        world.start(0, 2);
        world.run_for(Duration::from_millis(2_500));
        one_answerer_each(&world).unwrap();
        world.run_for(60 * S);
        all_is_well(&world).unwrap();
    }
}

#[test]
fn a_node_that_lost_its_counter_is_told_and_jumps_above() {
    for seed in 0..10 {
        let mut world = World::new(Setup::new(seed, 3));
        for node in 0..3 {
            world.start(node, 41);
        }
        world.run_for(20 * S);
        world.crash(0);
        world.run_for(2 * S);
        world.start(0, 1);
        world.run_for(SILENCE + LISTENING);
        assert_eq!(world.nodes[0].incarnation, 42, "seed {seed}");
        world.run_for(60 * S);
        all_is_well(&world).unwrap();
    }
}

#[test]
fn a_message_of_a_life_that_is_over_changes_nothing() {
    let mut world = settled(Setup::new(9, 3));
    let old = world.nodes[0].announcer.stats();
    assert!(
        old.addresses
            .values()
            .any(|one| one.on.values().any(|on| on.withheld.is_none()))
    );
    world.crash(0);
    world.start(0, 2);
    let mut recorded = Vec::new();
    // What the old process said last arrives again and again during and after the new one's start.
    for address in world.addresses.clone() {
        recorded.push(crate::storms::claim_of("node-0", 1, address, 900));
    }
    for _ in 0..20 {
        world.run_for(S);
        for plaintext in &recorded {
            let sender = world.nodes[0].name.clone();
            world.carry(
                Port::Client(0),
                Carried::Sealed {
                    sender,
                    plaintext: plaintext.clone(),
                },
            );
        }
    }
    world.run_for(60 * S);
    all_is_well(&world).unwrap();
    let epochs = world.nodes[1].announcer.stats().addresses.into_values();
    assert!(
        epochs
            .flat_map(|one| one.on.into_values())
            .all(|on| on.epoch.0 < 100)
    );
}

#[test]
fn a_stall_of_two_seconds_moves_nothing() {
    for seed in 0..20 {
        let mut world = settled(Setup::new(seed, 3));
        let before: Vec<_> = world
            .addresses
            .iter()
            .map(|one| world.answerers(*one))
            .collect();
        world.pause(1, 2 * S);
        world.run_for(10 * S);
        let after: Vec<_> = world
            .addresses
            .iter()
            .map(|one| world.answerers(*one))
            .collect();
        assert_eq!(before, after, "seed {seed}");
        all_is_well(&world).unwrap();
    }
}

#[test]
fn a_long_stall_moves_the_addresses_and_the_waking_node_yields() {
    for seed in 0..20 {
        let mut world = settled(Setup::new(seed, 3));
        world.pause(1, 30 * S);
        world.run_for(SILENCE + S);
        one_answerer_each(&world).unwrap();
        world.run_for(30 * S);
        one_answerer_each(&world).unwrap();
        world.run_for(60 * S);
        all_is_well(&world).unwrap();
    }
}

#[test]
fn moving_endpoints_take_the_address_along_without_a_gap() {
    for seed in 0..20 {
        let mut world = settled(Setup::new(seed, 4));
        let address = world.addresses[usize::try_from(seed % 8).unwrap()];
        world.set_endpoints(address, &[0], 300 * MS);
        world.run_for(10 * S);
        assert_eq!(world.answerers(address), [0], "seed {seed}");
        for (target, next) in [(1, 2), (2, 3), (3, 0), (0, 1)] {
            world.watch.begin(world.now);
            world.set_endpoints(address, &[target], 500 * MS);
            world.run_for(3 * S);
            assert_eq!(world.answerers(address), [target], "seed {seed}");
            assert!(world.watch.unanswered(address) < 5 * MS, "seed {seed}");
            assert!(target != next);
        }
        // Nobody has an endpoint: nobody answers.
        world.set_endpoints(address, &[], 500 * MS);
        world.run_for(S);
        assert!(world.answerers(address).is_empty());
        world.set_endpoints(address, &[2, 3], 500 * MS);
        world.run_for(2 * S);
        nothing_forbidden(&world).unwrap();
        world.run_for(11 * S);
        all_is_well(&world).unwrap();
    }
}

#[test]
fn epochs_only_rise_through_drains_deaths_and_failbacks() {
    for seed in 0..5 {
        let mut world = settled(Setup::new(seed, 4));
        for node in 0..4 {
            if node % 2 == 0 {
                world.drain(node);
                world.run_for(S);
                world.leave(node);
            } else {
                world.power_off(node);
            }
            world.run_for(20 * S);
            let incarnation = world.nodes[node].incarnation + 1;
            world.start(node, incarnation);
            world.run_for(45 * S);
        }
        let mut acquired: Vec<_> = world.nodes.iter().flat_map(|node| &node.events).collect();
        acquired.sort_by_key(|(at, _)| *at);
        let mut highest = std::collections::BTreeMap::new();
        for (at, event) in acquired {
            if let Event::Acquired { address, epoch, .. } = event {
                let before = highest.insert(*address, *epoch);
                let at = *at - world.start;
                assert!(
                    before.is_none_or(|before| before < *epoch),
                    "seed {seed}: {address} at {at:?}"
                );
            }
        }
        assert!(highest.values().any(|epoch| epoch.0 > 2));
    }
}

#[test]
fn a_flapping_node_moves_an_address_three_times_in_three_minutes_at_most() {
    for seed in 0..5 {
        let mut world = settled(Setup::new(seed, 3));
        world.nodes.iter_mut().for_each(|node| node.events.clear());
        for life in 2..9 {
            world.crash(0);
            world.run_for(10 * S);
            world.start(0, life);
            world.run_for(50 * S);
        }
        let mut acquired = std::collections::BTreeMap::<_, Vec<_>>::new();
        for (at, event) in world.nodes.iter().flat_map(|node| &node.events) {
            if let Event::Acquired { address, .. } = event {
                acquired.entry(*address).or_default().push(*at);
            }
        }
        for (address, mut times) in acquired {
            times.sort();
            let crowded = times.windows(4).any(|four| four[3] - four[0] < 180 * S);
            assert!(!crowded, "seed {seed}: {address}");
        }
    }
}
