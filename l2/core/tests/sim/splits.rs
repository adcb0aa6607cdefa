//! The segment itself goes wrong: it splits, it carries one way only, a carrier goes, a name is used twice.
use std::time::Duration;

use ringbolt_l2::announcer::{Condition, Link as Carrier};

use crate::link::Port;
use crate::stories::settled;
use crate::world::{ETH, Setup, World};
use crate::{LISTENING, S, SILENCE, all_is_well, one_answerer_each};

#[test]
fn each_side_of_a_split_serves_its_clients_and_the_whole_heals() {
    for seed in 0..20 {
        let mut world = settled(Setup::new(seed, 4));
        let left = [Port::Node(0), Port::Node(1), Port::Client(0)];
        let right = [
            Port::Node(2),
            Port::Node(3),
            Port::Client(1),
            Port::Client(2),
        ];
        world.link.split(&left, &right);
        world.run_for(SILENCE + S);
        for address in world.addresses.clone() {
            let answerers = world.answerers(address);
            assert_eq!(
                answerers.iter().filter(|node| **node < 2).count(),
                1,
                "seed {seed}: {address}"
            );
            assert_eq!(
                answerers.iter().filter(|node| **node >= 2).count(),
                1,
                "seed {seed}: {address}"
            );
        }
        world.run_for(60 * S);
        world.link.cuts.clear();
        // The next hello shows that something was missed; a question and its answer settle it.
        world.run_for(Duration::from_millis(2_400) + S);
        one_answerer_each(&world).unwrap();
        world.run_for(60 * S);
        all_is_well(&world).unwrap();
    }
}

#[test]
fn a_node_that_cannot_hear_stays_silent_and_is_relieved() {
    for seed in 0..10 {
        let mut world = settled(Setup::new(seed, 3));
        for other in [
            Port::Node(1),
            Port::Node(2),
            Port::Client(0),
            Port::Client(1),
            Port::Client(2),
        ] {
            world.link.cuts.insert((other, Port::Node(0)));
        }
        world.run_for(SILENCE + S);
        let held = world.nodes[0].answering.clone();
        world.sent[0] = 0;
        world.run_for(2 * S);
        let deaf = world.nodes[0].announcer.stats().interfaces[&ETH]
            .conditions
            .clone();
        assert!(deaf.contains(&Condition::Deaf), "seed {seed}");
        // It takes nothing that it did not have, and what it had is answered by those who hear.
        assert!(world.nodes[0].answering.is_subset(&held));
        for address in world.addresses.clone() {
            let hearing = world
                .answerers(address)
                .into_iter()
                .filter(|node| *node != 0)
                .count();
            assert_eq!(hearing, 1, "seed {seed}: {address}");
        }
        let announced_by_it = world
            .last_announcer
            .values()
            .filter(|mac| **mac == world.nodes[0].mac);
        assert_eq!(announced_by_it.count(), 0, "seed {seed}");
        world.link.cuts.clear();
        world.run_for(5 * S);
        one_answerer_each(&world).unwrap();
        world.run_for(60 * S);
        all_is_well(&world).unwrap();
    }
}

#[test]
fn a_node_that_cannot_send_is_replaced_and_yields_to_what_it_hears() {
    for seed in 0..10 {
        let mut world = settled(Setup::new(seed, 3));
        for other in [
            Port::Node(1),
            Port::Node(2),
            Port::Client(0),
            Port::Client(1),
            Port::Client(2),
        ] {
            world.link.cuts.insert((Port::Node(0), other));
        }
        world.run_for(SILENCE + S);
        assert!(world.nodes[0].answering.is_empty(), "seed {seed}");
        world.link.cuts.clear();
        world.run_for(80 * S);
        all_is_well(&world).unwrap();
    }
}

#[test]
fn a_carrier_that_goes_and_comes_ends_in_one_owner_and_a_full_schedule() {
    for (seed, outage) in [(1, S), (2, 3 * S), (3, 20 * S)] {
        let mut world = settled(Setup::new(seed, 3));
        world.set_carrier(0, Carrier::Down);
        world.run_for(outage);
        world.set_carrier(0, Carrier::Up);
        world.run_for(SILENCE + LISTENING);
        one_answerer_each(&world).unwrap();
        world.run_for(60 * S);
        all_is_well(&world).unwrap();
    }
}

#[test]
fn two_nodes_of_one_name_are_noticed_and_keep_what_they_hold() {
    let mut world = settled(Setup::new(4, 3));
    let held = world.nodes[0].answering.clone();
    assert!(!held.is_empty());
    // Node 1 goes and comes back under the name of node 0.
    world.drain(1);
    world.run_for(S);
    world.leave(1);
    world.run_for(S);
    let held: Vec<_> = world.nodes[0].answering.union(&held).copied().collect();
    world.nodes[1].name = world.nodes[0].name.clone();
    world.start(1, 7);
    world.run_for(30 * S);
    for node in [0, 1, 2] {
        let stats = world.nodes[node].announcer.stats();
        let conditions = &stats.interfaces[&ETH].conditions;
        assert!(
            conditions.contains(&Condition::DuplicateNodeName),
            "node {node}"
        );
    }
    assert!(
        held.iter()
            .all(|address| world.nodes[0].answering.contains(address))
    );
    assert!(world.nodes[1].answering.is_empty());
}

#[test]
fn nobody_heard_where_others_should_be_is_a_condition() {
    let mut world = World::new(Setup {
        expected: Some(3),
        ..Setup::new(4, 1)
    });
    world.start_all();
    world.run_for(10 * S);
    let stats = world.nodes[0].announcer.stats();
    assert!(
        stats.interfaces[&ETH]
            .conditions
            .contains(&Condition::NoPeersHeard)
    );
    // The gateway answers its questions: it hears, and serves.
    one_answerer_each(&world).unwrap();
}
