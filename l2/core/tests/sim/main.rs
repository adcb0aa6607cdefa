//! The announcer among others: whole clusters under a virtual clock, with everything a network and an operator can do
//! to them. A failure names its seed; the same seed repeats the run.
//!
//! Bounds are those of the hello timeout: a silent member is dead after three of its intervals of at most 2.4 s.
#![expect(
    clippy::unwrap_used,
    reason = "a simulation stops at the first surprise"
)]

mod client;
mod link;
mod splits;
mod stories;
mod storms;
mod watch;
mod world;

use std::time::Duration;

use world::{Life, World};

/// The longest a dead node counts as a member.
pub(crate) const SILENCE: Duration = Duration::from_millis(7_200);
/// The longest a node that hears others listens before it takes part.
pub(crate) const LISTENING: Duration = Duration::from_millis(4_800);
pub(crate) const MS: Duration = Duration::from_millis(1);
pub(crate) const S: Duration = Duration::from_secs(1);

/// Every address has exactly one answerer if a node is there that may have it, else none (P1).
pub(crate) fn one_answerer_each(world: &World) -> Result<(), String> {
    for address in &world.addresses {
        let answerers = world.answerers(*address);
        let able = able(world, *address);
        let right = match able.is_empty() {
            true => answerers.is_empty(),
            false => answerers.len() == 1 && able.contains(&answerers[0]),
        };
        if !right {
            let seed = world.setup.seed;
            return Err(format!(
                "seed {seed}: {address} is answered by {answerers:?}, able are {able:?}"
            ));
        }
    }
    Ok(())
}

/// Nodes that may own an address as things are.
pub(crate) fn able(world: &World, address: std::net::IpAddr) -> Vec<usize> {
    let nodes = world.nodes.iter().enumerate().filter(|(index, node)| {
        matches!(node.life, Life::Running)
            && !node.draining
            && node.carrier == ringbolt_l2::announcer::Link::Up
            && world
                .local
                .get(&address)
                .is_none_or(|(nodes, _)| nodes.contains(index))
    });
    nodes.map(|(index, _)| index).collect()
}

/// The last announcement of each address, and what every client has cached, is the owner's (P6).
pub(crate) fn all_point_to_the_owner(world: &World) -> Result<(), String> {
    let seed = world.setup.seed;
    for address in &world.addresses {
        let [owner] = world.answerers(*address)[..] else {
            continue;
        };
        let mac = world.nodes[owner].mac;
        if world.last_announcer.get(address) != Some(&mac) {
            return Err(format!(
                "seed {seed}: {address} was last announced by another than node {owner}"
            ));
        }
        for (index, client) in world.clients.iter().enumerate() {
            if let Some(entry) = client.cache.get(address).filter(|entry| entry.mac != mac) {
                let cached = entry.mac;
                return Err(format!(
                    "seed {seed}: client {index} has {cached} for {address}, owned by node {owner}"
                ));
            }
        }
    }
    Ok(())
}

/// Nothing happened that may never happen.
pub(crate) fn nothing_forbidden(world: &World) -> Result<(), String> {
    match world.violations.first() {
        None => Ok(()),
        Some(first) => Err(format!("seed {}: {first}", world.setup.seed)),
    }
}

pub(crate) fn all_is_well(world: &World) -> Result<(), String> {
    one_answerer_each(world)?;
    all_point_to_the_owner(world)?;
    nothing_forbidden(world)
}
