//! Many things at once, drawn from a seed; and bytes that nobody meant.
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use ringbolt_l2::announcer::{Input, Link as Carrier, Output};
use ringbolt_l2::hello::{Claim, Hello, HelloFlags, Message, Record, Sender, encode};
use ringbolt_l2::types::{ClusterId, Epoch, Incarnation, Instance, MacAddr, NodeName, Standing};

use crate::link::{Chance, Port};
use crate::world::{ETH, Life, Mutant, Setup, World};
use crate::{MS, S, all_is_well, one_answerer_each};

/// A claim in the name of a node's earlier process.
pub(crate) fn claim_of(node: &str, incarnation: u64, address: IpAddr, epoch: u64) -> Bytes {
    let sender = Sender {
        cluster: ClusterId([7; 16]),
        node: NodeName::new(node).unwrap(),
        incarnation: Incarnation(incarnation),
        instance: Instance(1),
        sequence: 1_000_000,
    };
    let hello = Hello {
        interval: 2 * S,
        flags: HelloFlags::default(),
        mac: MacAddr([2, 0, 0, 0, 0, 10]),
        held: 1,
        digest: 1,
        eligibility: 1,
        keys: [ringbolt_l2::types::KeyId(1)].into(),
        addresses: Vec::new(),
    };
    let (epoch, standing) = (Epoch(epoch), Standing::default());
    let claim = Claim {
        address,
        epoch,
        view: None,
        standing,
        moves: 0,
    };
    encode(&Message {
        sender,
        records: vec![Record::Hello(hello), Record::Claim(claim)],
    })
}

/// One fault, drawn.
fn trouble(world: &mut World, chance: &mut Chance) {
    let node = chance.below(world.nodes.len());
    let running = matches!(world.nodes[node].life, Life::Running);
    match chance.below(12) {
        0 if running => world.crash(node),
        1 if running => world.power_off(node),
        2 if running => {
            let pause = chance.between(100 * MS, 12 * S);
            world.pause(node, pause);
        }
        3 if running => world.drain(node),
        4 if running => {
            world.drain(node);
            world.leave(node);
        }
        5 if running => world.set_carrier(node, Carrier::Down),
        6 => world.set_carrier(node, Carrier::Up),
        7 => {
            let ports: Vec<Port> = (0..world.nodes.len()).map(Port::Node).collect();
            let (left, right) = ports.split_at(chance.below(ports.len()));
            world.link.split(left, right);
        }
        8 => world.link.cuts.clear(),
        9 => {
            let other = chance.below(world.nodes.len());
            world
                .link
                .cuts
                .insert((Port::Node(node), Port::Node(other)));
        }
        10 => {
            let address = world.addresses[chance.below(world.addresses.len())];
            let nodes: Vec<usize> = (0..world.nodes.len())
                .filter(|_| chance.per_mille(500))
                .collect();
            world.set_endpoints(address, &nodes, 2 * S);
        }
        _ if matches!(world.nodes[node].life, Life::Crashed | Life::Off) => {
            let counter = if chance.per_mille(300) {
                1
            } else {
                world.nodes[node].incarnation + 1
            };
            world.start(node, counter);
        }
        _ => {}
    }
}

/// Seeds of the storms: a few as a test, or those of `RINGBOLT_SIM_SEEDS=FROM..TO` as a search.
fn seeds() -> std::ops::Range<u64> {
    let range = std::env::var("RINGBOLT_SIM_SEEDS").unwrap_or_else(|_| "0..40".to_owned());
    let (from, to) = range.split_once("..").expect("FROM..TO");
    from.parse().unwrap()..to.parse().unwrap()
}

/// A minute and a half of trouble, then everything is repaired, then minutes of quiet.
fn storm(setup: Setup) -> World {
    let mut chance = Chance(setup.seed ^ 0x5eed);
    let mut world = World::new(setup);
    world.link.loss = u64::try_from(chance.below(100)).unwrap();
    world.link.duplication = 20;
    world.link.reordering = 50;
    for node in 0..world.nodes.len() {
        world.start(node, 1);
        let lag = chance.between(Duration::ZERO, 4 * S);
        world.run_for(lag);
    }
    for _ in 0..20 {
        let calm = chance.between(100 * MS, 9 * S);
        world.run_for(calm);
        trouble(&mut world, &mut chance);
    }
    world.link = crate::link::Link::default();
    for node in 0..world.nodes.len() {
        world.set_carrier(node, Carrier::Up);
        let paused = matches!(world.nodes[node].life, Life::Paused { .. });
        if paused {
            world.run_for(12 * S);
        }
        if world.nodes[node].draining {
            world.nodes[node].draining = false;
            world.give(node, Input::Undrain);
        }
        if matches!(world.nodes[node].life, Life::Crashed | Life::Off) {
            let counter = world.nodes[node].incarnation + 1;
            world.start(node, counter);
        }
    }
    world.run_for(20 * S);
    if one_answerer_each(&world).is_err() {
        // A planned move may be on the wire at this very moment.
        world.run_for(10 * MS);
    }
    one_answerer_each(&world).unwrap();
    // Long enough for moves of the storm to be forgotten, and for the last address to have come back since.
    world.run_for(250 * S);
    world
}

#[test]
fn after_any_storm_every_address_has_one_owner_and_all_caches_know_it() {
    for seed in seeds() {
        let world = storm(Setup::new(seed, 2 + usize::try_from(seed % 5).unwrap()));
        all_is_well(&world).unwrap();
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in 0..5 {
        let runs = [0, 1].map(|_| storm(Setup::new(seed, 4)).trace);
        assert_eq!(runs[0], runs[1], "seed {seed}");
    }
    assert_ne!(storm(Setup::new(1, 4)).trace, storm(Setup::new(2, 4)).trace);
}

#[test]
fn frames_of_strangers_cause_at_most_one_frame_and_no_panic() {
    let mut world = World::new(Setup::new(77, 2));
    world.start_all();
    world.run_for(20 * S);
    let mut chance = Chance(77);
    let arp = ringbolt_l2::arp::Arp::directed(
        MacAddr([2, 0, 0, 0, 9, 9]),
        [10, 0, 0, 77].into(),
        [10, 0, 0, 100].into(),
        MacAddr::BROADCAST,
    )
    .encode();
    let sealed = claim_of("node-1", 1, world.addresses[0], 5);
    for round in 0..60_000_u32 {
        let template: &[u8] = if round % 2 == 0 { &arp } else { &sealed };
        let mut bytes: Vec<u8> = match round % 3 {
            0 => (0..chance.below(120))
                .map(|_| u8::try_from(chance.below(256)).unwrap())
                .collect(),
            _ => template.to_vec(),
        };
        for _ in 0..chance.below(4) {
            let (at, length) = (chance.below(bytes.len().max(1)), bytes.len());
            if let Some(byte) = bytes.get_mut(at) {
                *byte = u8::try_from(chance.below(256)).unwrap();
            }
            if chance.per_mille(100) {
                bytes.truncate(chance.below(length + 1));
            }
        }
        let sender = world.nodes[1].name.clone();
        let input = match round % 4 {
            0 => Input::Arp {
                interface: ETH,
                frame: &bytes,
            },
            1 => Input::Ndp {
                interface: ETH,
                frame: &bytes,
            },
            2 => Input::Opened {
                interface: ETH,
                sender,
                plaintext: &bytes,
            },
            _ => Input::Arp {
                interface: ETH,
                frame: &bytes,
            },
        };
        let authentic = matches!(input, Input::Opened { .. });
        world.nodes[0].announcer.handle(input, world.now);
        let mut frames = 0;
        while let Some(output) = world.nodes[0].announcer.poll_output() {
            let sends = matches!(output, Output::Send { .. } | Output::SendSealed { .. });
            frames += usize::from(sends);
        }
        // What carries a seal may have consequences; what anybody can send may not.
        assert!(authentic || frames <= 1, "round {round}: {frames} frames");
    }
}

#[test]
fn what_is_deliberately_broken_is_noticed() {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    let mutants = [
        Mutant::ClaimsUnheard,
        Mutant::Silent,
        Mutant::EpochsFlattened,
        Mutant::AnswersForEver,
    ];
    for mutant in mutants {
        let caught = (0..10).any(|seed| {
            let setup = Setup {
                mutant,
                ..Setup::new(seed, 4)
            };
            let run = AssertUnwindSafe(|| all_is_well(&storm(setup)));
            catch_unwind(run).map_or(true, |outcome| outcome.is_err())
        });
        assert!(caught, "{mutant:?} went unnoticed");
    }
}

#[test]
fn a_leave_without_a_drain_is_noticed_as_a_gap() {
    let gap = |mutant| {
        let mut world = World::new(Setup {
            mutant,
            ..Setup::new(2, 3)
        });
        world.start_all();
        world.run_for(20 * S);
        world.watch.begin(world.now);
        world.drain(0);
        world.run_for(S);
        let gaps = world
            .addresses
            .iter()
            .map(|address| world.watch.unanswered(*address));
        gaps.max().unwrap()
    };
    assert_eq!(gap(Mutant::None), Duration::ZERO);
    assert!(gap(Mutant::LeavesWithoutDrain) > Duration::ZERO);
}
