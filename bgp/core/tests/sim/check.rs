//! Is the world as it should be?
//!
//! [`missing`] is asked whenever a node calls a table whole; [`at_rest`] after quiescence.

use std::time::{Duration, Instant};

use ringbolt_bgp::router::{Drain, Wake};
use ringbolt_bgp::session::State;
use ringbolt_bgp::types::{Family, FamilySet, Prefix};

use crate::link::{Link, Side, Socket};
use crate::model::{Listener, Standing, expected};
use crate::node::{NodeIx, peer_id};
use crate::observer::View;
use crate::world::World;

/// Drain waits of the scenarios are shorter.
const SETTLED: Duration = Duration::from_secs(10);

/// Who listens to node `ix` on its session with `to`.
pub(crate) fn listener(world: &World, ix: NodeIx, to: NodeIx) -> Listener {
    let speaker = &world.nodes[ix];
    let mine = speaker
        .peers
        .get(&to)
        .map_or(FamilySet::EMPTY, |config| config.families);
    let theirs = world.nodes[to]
        .peers
        .get(&ix)
        .map_or(FamilySet::EMPTY, |config| config.families);
    Listener {
        name: peer_id(to).name().clone(),
        peering: world.peering(ix, to),
        speaker_asn: speaker.asn,
        families: mine.intersection(theirs),
        next_hops: speaker.next_hops,
        ipv4_over_ipv6: speaker.address.is_ipv6(),
        standing: match speaker.drain {
            Drain::Serving => Standing::Serving,
            Drain::Drained => Standing::Drained,
        },
    }
}

/// A prefix that should be in `said` and is not, or the other way round.
pub(crate) fn missing(
    world: &World,
    ix: NodeIx,
    to: NodeIx,
    family: Family,
    said: &View,
) -> Option<Prefix> {
    let node = &world.nodes[ix];
    let ago = |at: Instant| world.now.saturating_duration_since(at);
    if ago(node.policy_changed) < SETTLED {
        return None;
    }
    // What the session agreed on, which the configurations may have left behind.
    let stats = node.router.as_ref()?.stats();
    let agreed = stats.peers.get(&peer_id(to))?.negotiated.as_ref()?.families;
    let listener = Listener {
        families: agreed,
        ..listener(world, ix, to)
    };
    let wanted = expected(&node.originations, &listener);
    let lacking = wanted.keys().filter(|prefix| Family::of(prefix) == family);
    let lacking = lacking.copied().find(|prefix| !said.contains_key(prefix));
    let surplus = said.keys().filter(|prefix| Family::of(prefix) == family);
    lacking.or_else(|| surplus.copied().find(|prefix| !wanted.contains_key(prefix)))
}

/// Everything that is wrong with a world in which nothing has happened for a long time.
pub(crate) fn at_rest(world: &World) -> Vec<String> {
    let mut wrong = world.violations.clone();
    for link in world.links.values() {
        for side in Side::BOTH {
            let end = link.end(side);
            wrong.extend(
                end.said
                    .violations
                    .iter()
                    .chain(&end.heard.violations)
                    .cloned(),
            );
        }
    }
    for ix in 0..world.nodes.len() {
        deadlines(world, ix, &mut wrong);
        for to in world.nodes[ix].peers.keys() {
            if world.nodes[*to].peers.contains_key(&ix) {
                edge(world, ix, *to, &mut wrong);
            }
        }
    }
    wrong
}

/// One direction of a configured pair.
fn edge(world: &World, ix: NodeIx, to: NodeIx, wrong: &mut Vec<String>) {
    let live: Vec<(&Link, Side)> = world
        .links
        .values()
        .flat_map(|link| Side::BOTH.map(|side| (link, side)))
        .filter(|(link, side)| {
            let (here, there) = (link.end(*side), link.end(side.other()));
            here.node == ix && there.node == to && !link.void && here.socket == Socket::Open
        })
        .collect();
    let stats = world.nodes[ix].router.as_ref().expect("all live").stats();
    let peer = &stats.peers[&peer_id(to)];
    let [(link, side)] = live[..] else {
        wrong.push(format!(
            "node {ix} → {to}: {} connections, {:?} {:?}",
            live.len(),
            peer.state,
            peer.last_down
        ));
        return;
    };
    if peer.state != State::Established {
        wrong.push(format!("node {ix} → {to}: {:?} at rest", peer.state));
    }
    let listener = listener(world, ix, to);
    let wanted = expected(&world.nodes[ix].originations, &listener);
    let end = link.end(side);
    compare(
        &format!("node {ix} → {to}"),
        &wanted,
        &end.heard.view,
        wrong,
    );
    for family in listener.families.iter() {
        if end.heard.end_of_rib.get(&family) != Some(&1) {
            wrong.push(format!("node {ix} → {to}: no End-of-RIB of {family}"));
        }
        let told = wanted
            .keys()
            .filter(|prefix| Family::of(prefix) == family)
            .count();
        if *peer.prefixes_out.get(family) != told {
            let counted = peer.prefixes_out.get(family);
            wrong.push(format!(
                "node {ix} → {to}: counts {counted} {family}, told {told}"
            ));
        }
    }
    if peer.oldest_unsent.is_some() {
        wrong.push(format!(
            "node {ix} → {to}: unsent since {:?}",
            peer.oldest_unsent
        ));
    }
}

fn compare(what: &str, wanted: &View, found: &View, wrong: &mut Vec<String>) {
    for (prefix, route) in wanted {
        match found.get(prefix) {
            None => wrong.push(format!("{what}: {prefix} is missing")),
            Some(other) if other != route => {
                wrong.push(format!(
                    "{what}: {prefix} is {other:?} instead of {route:?}"
                ));
            }
            Some(_) => {}
        }
    }
    let surplus = found.keys().filter(|prefix| !wanted.contains_key(prefix));
    wrong.extend(surplus.map(|prefix| format!("{what}: {prefix} should have gone")));
}

/// Timers are armed iff a state demands it.
fn deadlines(world: &World, ix: NodeIx, wrong: &mut Vec<String>) {
    let router = world.nodes[ix].router.as_ref().expect("all live");
    let stats = router.stats();
    let holds = stats
        .peers
        .values()
        .filter_map(|peer| peer.negotiated.as_ref()?.hold_time.duration());
    let shortest = holds.min();
    let waiting = stats
        .peers
        .values()
        .any(|peer| peer.state != State::Established);
    match (router.next_deadline(), shortest) {
        (None, Some(_)) => wrong.push(format!("node {ix}: no timer for a hold time")),
        (Some((at, wake)), None) if !waiting => {
            let after = at.saturating_duration_since(world.now);
            wrong.push(format!("node {ix}: {wake:?} in {after:?} without a need"));
        }
        (Some((at, _)), Some(hold)) if at > world.now + hold => {
            wrong.push(format!("node {ix}: wakes after the hold time"));
        }
        (Some((_, Wake::Batch | Wake::Departure)), _) => {
            wrong.push(format!(
                "node {ix}: a batch or a departure is pending at rest"
            ));
        }
        _ => {}
    }
}
