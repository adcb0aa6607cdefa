//! A seed becomes a network, a list of mishaps, and a judgement.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use ringbolt_bgp::policy::{Origination, OriginationKey, PeerSet, RouteAttributes, RouteClass};
use ringbolt_bgp::router::{Drain, Input};
use ringbolt_bgp::sabotage::Sabotage;
use ringbolt_bgp::session::{GracefulRestart, Mode, PeerConfig, RemoteAsn};
use ringbolt_bgp::types::{Asn, Family, FamilySet, HoldTime, Prefix, RouterId};
use ringbolt_bgp::wire::Community;

use crate::check;
use crate::node::{Node, NodeIx, peer_id};
use crate::rng::Rng;
use crate::world::{Happening, World, epoch};

/// How long things go wrong.
const TROUBLE: Duration = Duration::from_secs(90);
/// Longest hold time, back-off and drain wait of a scenario, with room to spare.
const REST: Duration = Duration::from_secs(150);
/// Sessions must not move after that.
const STILL: Duration = Duration::from_secs(60);

/// One mishap, or an operator's deed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Complete,
    Originate,
    OriginateMany,
    Withdraw,
    Flap,
    Kill,
    PowerLoss,
    Restart,
    Break,
    Deafen,
    ToggleDrain,
    ToggleNextHop,
    Refresh,
    Reset,
    Reconfigure,
    Retune,
    RemovePeer,
    SetPeers,
}

const MISHAPS: [Act; 19] = [
    Act::Originate,
    Act::Originate,
    Act::Originate,
    Act::Withdraw,
    Act::Withdraw,
    Act::Flap,
    Act::Flap,
    Act::Kill,
    Act::PowerLoss,
    Act::Break,
    Act::Break,
    Act::Deafen,
    Act::ToggleDrain,
    Act::ToggleNextHop,
    Act::Refresh,
    Act::Reset,
    Act::Reconfigure,
    Act::Retune,
    Act::RemovePeer,
];

/// How many prefixes `OriginateMany` makes: more than one round of writing takes.
const MANY: u32 = 15_000;

/// Runs one seed and says what went wrong.
pub(crate) fn run(seed: u64, sabotage: Option<Sabotage>) -> Vec<String> {
    let mut world = World::new(seed, sabotage, epoch());
    let mut plan = build(&mut world);
    schedule_trouble(&mut world, &mut plan, seed);
    let start = world.now;
    let acts = plan.acts.clone();
    let act = |world: &mut World, which: usize| carry_out(world, acts[which].0, acts[which].1);
    world.run_until(start + TROUBLE, act);
    heal(&mut world);
    world.run_until(start + TROUBLE + REST, act);
    let flaps = all_flaps(&world);
    world.run_until(start + TROUBLE + REST + STILL, act);
    let mut wrong = check::at_rest(&world);
    if all_flaps(&world) != flaps {
        wrong.push("sessions flap at rest".to_owned());
    }
    wrong
}

#[derive(Debug, Default)]
struct Plan {
    acts: Vec<(NodeIx, Act)>,
}

fn build(world: &mut World) -> Plan {
    let transport = world.rng.pick(&[
        Family::Ipv4Unicast,
        Family::Ipv4Unicast,
        Family::Ipv6Unicast,
    ]);
    let count = 2 + world.rng.below(3);
    let one_as = world.rng.chance(30);
    for ix in 0..count {
        let number = u32::try_from(ix).expect("few nodes");
        let asn = if one_as || world.rng.chance(20) {
            Asn(65_000)
        } else {
            Asn(4_200_000_000 + number)
        };
        let id = RouterId::new(number + 1).expect("not zero");
        world
            .nodes
            .push(Node::new(ix, asn, id, transport, world.now));
    }
    for one in 0..count {
        for other in one + 1..count {
            if other == one + 1 || world.rng.chance(50) {
                join(world, one, other);
            }
        }
    }
    let mut plan = Plan::default();
    for ix in 0..count {
        for _ in 0..world.rng.below(30) {
            carry_out(world, ix, Act::Originate);
        }
        let delay = world.rng.millis(0, 1500);
        at(world, &mut plan, delay, ix, Act::Restart);
        // Originations go on coming between the start and their completion.
        for _ in 0..3 {
            let delay = world.rng.millis(1500, 3000);
            at(world, &mut plan, delay, ix, Act::Originate);
        }
    }
    plan
}

fn join(world: &mut World, one: NodeIx, other: NodeIx) {
    let hold = world.rng.pick(&[0, 3, 6, 9, 90]);
    let one_passive = world.rng.chance(25);
    let other_passive = !one_passive && world.rng.chance(25);
    for (here, there, passive) in [(one, other, one_passive), (other, one, other_passive)] {
        let remote = match world.rng.below(3) {
            0 => RemoteAsn::Any(world.peering(here, there)),
            _ => RemoteAsn::Exactly(world.nodes[there].asn),
        };
        let mut config = PeerConfig::new(peer_id(there), remote, world.nodes[there].address);
        config.hold_time = HoldTime::from_secs(hold).expect("one of ours");
        config.mode = if passive { Mode::Passive } else { Mode::Active };
        config.drain_wait = Duration::from_millis(world.rng.pick(&[0, 300, 3000]));
        if world.rng.chance(30) {
            config.graceful_restart = Some(GracefulRestart { restart_time_s: 60 });
        }
        if world.rng.chance(20) {
            config.families = FamilySet::only(Family::Ipv4Unicast);
        }
        world.nodes[here].peers.insert(there, config);
    }
}

fn schedule_trouble(world: &mut World, plan: &mut Plan, seed: u64) {
    let count = world.nodes.len();
    for _ in 0..25 + world.rng.below(30) {
        let delay = world.rng.millis(1000, 85_000);
        let ix = world.rng.below(count);
        let act = world.rng.pick(&MISHAPS);
        at(world, plan, delay, ix, act);
    }
    // Bursts inside one batching window, some when all trouble is over, while others ask again.
    for _ in 0..8 {
        let base = world.rng.millis(1000, 130_000);
        let ix = world.rng.below(count);
        for _ in 0..4 {
            let delay = base + world.rng.millis(0, 12);
            let act = world.rng.pick(&[Act::Originate, Act::Withdraw, Act::Flap]);
            at(world, plan, delay, ix, act);
        }
        if world.rng.chance(50) {
            let delay = base.saturating_sub(world.rng.millis(0, 8));
            let asks = world.rng.below(count);
            at(world, plan, delay, asks, Act::Refresh);
        }
    }
    if seed % 50 == 3 {
        let delay = world.rng.millis(10_000, 60_000);
        let ix = world.rng.below(count);
        at(world, plan, delay, ix, Act::OriginateMany);
    }
}

fn at(world: &mut World, plan: &mut Plan, after: Duration, ix: NodeIx, act: Act) {
    plan.acts.push((ix, act));
    world.schedule(after, Happening::Act(plan.acts.len() - 1));
}

/// Whatever is broken is mended, and everybody is configured and complete.
fn heal(world: &mut World) {
    let now = world.now;
    for ix in 0..world.nodes.len() {
        world.nodes[ix].deaf_until = now;
        if world.nodes[ix].router.is_none() {
            carry_out(world, ix, Act::Restart);
        }
        carry_out(world, ix, Act::SetPeers);
        carry_out(world, ix, Act::Complete);
    }
    world.reset_void_links();
}

fn all_flaps(world: &World) -> Vec<u64> {
    world
        .nodes
        .iter()
        .filter_map(|node| node.router.as_ref())
        .flat_map(|router| router.stats().peers.into_values().map(|peer| peer.flaps))
        .collect()
}

fn carry_out(world: &mut World, ix: NodeIx, act: Act) {
    match act {
        Act::Complete => {
            world.nodes[ix].complete = world.nodes[ix].router.is_some();
            world.give(ix, Input::OriginationsComplete);
        }
        Act::Originate => originate_some(world, ix),
        Act::OriginateMany => originate_many(world, ix),
        Act::Withdraw => withdraw_some(world, ix),
        Act::Flap => {
            withdraw_some(world, ix);
            originate_some(world, ix);
        }
        Act::Kill => world.kill(ix, false),
        Act::PowerLoss => world.kill(ix, true),
        Act::Restart => restart(world, ix),
        Act::Break => {
            let links: Vec<_> = world.links.keys().copied().collect();
            if !links.is_empty() {
                let link = world.rng.pick(&links);
                world.break_link(link);
            }
        }
        Act::Deafen => world.nodes[ix].deaf_until = world.now + world.rng.millis(100, 20_000),
        Act::ToggleDrain => toggle_drain(world, ix),
        Act::ToggleNextHop => toggle_next_hop(world, ix),
        Act::Refresh | Act::Reset | Act::Reconfigure | Act::Retune | Act::RemovePeer => {
            touch_peer(world, ix, act);
        }
        Act::SetPeers => {
            for config in world.nodes[ix].peers.clone().into_values() {
                world.give(ix, Input::SetPeer(Box::new(config)));
            }
        }
    }
    // The dead come back by themselves.
    if matches!(act, Act::Kill | Act::PowerLoss | Act::Complete) && world.nodes[ix].router.is_none()
    {
        restart(world, ix);
    }
    world.pump(ix);
}

fn restart(world: &mut World, ix: NodeIx) {
    if world.nodes[ix].router.is_some() {
        return;
    }
    world.start(ix);
    let all: Vec<Origination> = world.nodes[ix].originations.values().cloned().collect();
    let (first, rest) = all.split_at(all.len() / 2);
    world.give(ix, Input::Originate(first.to_vec()));
    world.pump(ix);
    world.give(ix, Input::Originate(rest.to_vec()));
    world.pump(ix);
    if world.rng.chance(70) {
        world.nodes[ix].complete = true;
        world.give(ix, Input::OriginationsComplete);
    }
    world.pump(ix);
    world.reset_void_links();
}

fn toggle_drain(world: &mut World, ix: NodeIx) {
    let node = &mut world.nodes[ix];
    node.drain = match node.drain {
        Drain::Serving => Drain::Drained,
        Drain::Drained => Drain::Serving,
    };
    node.policy_changed = world.now;
    let drain = node.drain;
    world.give(ix, Input::Drain(drain));
}

fn toggle_next_hop(world: &mut World, ix: NodeIx) {
    let now = world.now;
    let node = &mut world.nodes[ix];
    let octet = u8::try_from(ix + 1).expect("few nodes");
    if node.address.is_ipv4() {
        let fresh = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, u16::from(octet));
        node.next_hops.ipv6 = node.next_hops.ipv6.is_none().then_some(fresh);
    } else {
        let fresh = Ipv4Addr::new(10, 0, 0, octet);
        node.next_hops.ipv4 = node.next_hops.ipv4.is_none().then_some(fresh);
    }
    node.policy_changed = now;
    let next_hops = node.next_hops;
    let conns: Vec<_> = node.conns.keys().copied().collect();
    for conn in conns {
        world.give(ix, Input::SetNextHops { conn, next_hops });
    }
}

fn touch_peer(world: &mut World, ix: NodeIx, act: Act) {
    let peers: Vec<NodeIx> = world.nodes[ix].peers.keys().copied().collect();
    if peers.is_empty() {
        return;
    }
    let there = world.rng.pick(&peers);
    let peer = peer_id(there);
    let config = world.nodes[ix].peers.get_mut(&there).expect("one of them");
    match act {
        Act::Refresh => world.give(ix, Input::RefreshPeer { peer }),
        Act::Reset => world.give(
            ix,
            Input::ResetPeer {
                peer,
                reason: Arc::from("for a change"),
            },
        ),
        Act::Reconfigure => {
            let toggled = if config.families == FamilySet::ALL {
                FamilySet::only(Family::Ipv4Unicast)
            } else {
                FamilySet::ALL
            };
            config.families = toggled;
            let config = config.clone();
            world.give(ix, Input::SetPeer(Box::new(config)));
        }
        Act::Retune => {
            config.connect_retry += Duration::from_millis(100);
            let config = config.clone();
            world.give(ix, Input::SetPeer(Box::new(config)));
        }
        _ => {
            let config = config.clone();
            world.give(ix, Input::RemovePeer { peer });
            world.pump(ix);
            world.give(ix, Input::SetPeer(Box::new(config)));
        }
    }
}

// Routes.

fn prefix(rng: &mut Rng) -> Prefix {
    let number = rng.below(40);
    let octet = u8::try_from(number).expect("below 40");
    if rng.chance(50) {
        Prefix::new(Ipv4Addr::new(192, 0, 2, octet).into(), 32).expect("a host route")
    } else {
        let address = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(octet));
        Prefix::new(address.into(), 128).expect("a host route")
    }
}

fn origination(world: &mut World, ix: NodeIx) -> Origination {
    let prefix = prefix(&mut world.rng);
    let rng = &mut world.rng;
    let salt = prefix
        .addr()
        .to_string()
        .bytes()
        .map(u32::from)
        .sum::<u32>();
    let community =
        |rng: &mut Rng| Community::new(65_000, u16::try_from(rng.below(4)).expect("small"));
    let attributes = RouteAttributes {
        class: if salt % 4 == 0 {
            RouteClass::Standing
        } else {
            RouteClass::Service
        },
        local_pref: (salt % 3 == 0).then_some(100 + salt),
        med: (salt % 5 == 0).then_some(salt),
        prepend: u8::try_from(salt % 3).expect("small"),
        communities: (0..rng.below(3)).map(|_| community(rng)).collect(),
        ..RouteAttributes::default()
    };
    let slot = u16::try_from(rng.below(2)).expect("small");
    let neighbours: Vec<NodeIx> = world.nodes[ix].peers.keys().copied().collect();
    let everyone = neighbours.is_empty() || world.rng.chance(70);
    let peers = if everyone {
        PeerSet::All
    } else {
        let chosen = world.rng.pick(&neighbours);
        PeerSet::Only(Arc::new(BTreeSet::from([peer_id(chosen).name().clone()])))
    };
    Origination {
        key: OriginationKey { prefix, slot },
        attributes: Arc::new(attributes),
        peers,
    }
}

fn originate_some(world: &mut World, ix: NodeIx) {
    let count = 1 + world.rng.below(6);
    let routes: Vec<Origination> = (0..count).map(|_| origination(world, ix)).collect();
    originate(world, ix, routes);
}

fn originate_many(world: &mut World, ix: NodeIx) {
    let attributes = Arc::new(RouteAttributes::default());
    let routes = (0..MANY).map(|number| {
        let address = Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 128, 0, 0)) + number);
        let prefix = Prefix::new(address.into(), 32).expect("a host route");
        let key = OriginationKey { prefix, slot: 0 };
        Origination {
            key,
            attributes: Arc::clone(&attributes),
            peers: PeerSet::All,
        }
    });
    let routes: Vec<Origination> = routes.collect();
    originate(world, ix, routes);
}

fn originate(world: &mut World, ix: NodeIx, routes: Vec<Origination>) {
    let node = &mut world.nodes[ix];
    for route in &routes {
        node.originations.insert(route.key, route.clone());
    }
    world.give(ix, Input::Originate(routes));
}

fn withdraw_some(world: &mut World, ix: NodeIx) {
    let keys: Vec<OriginationKey> = world.nodes[ix].originations.keys().copied().collect();
    if keys.is_empty() {
        return;
    }
    let count = 1 + world.rng.below(6);
    let chosen: Vec<OriginationKey> = (0..count).map(|_| world.rng.pick(&keys)).collect();
    let node = &mut world.nodes[ix];
    for key in &chosen {
        node.originations.remove(key);
    }
    world.give(ix, Input::Withdraw(chosen));
}
