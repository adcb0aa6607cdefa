//! A speaker that is away for a moment, and routers that keep its routes meanwhile (RFC 4724).

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ipnet::IpNet;
use serde_json::json;

use super::{Scenario, with_story};
use crate::manifests::Policy;
use crate::netns::Signal;
use crate::node::{Ringbolt, SPEAKER_HTTP, status};
use crate::plan::{Plan, same_family};
use crate::router::{RouterKind, Table, established, has_next_hops};
use crate::story::{LIMIT, Story};
use crate::wait::{holds_for, wait_for};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "bird_keeps_the_routes_of_a_speaker_that_is_killed_and_comes_back",
        run: |r| restarted(RouterKind::Bird, r),
    },
    Scenario {
        name: "frr_keeps_the_routes_of_a_speaker_that_is_killed_and_comes_back",
        run: |r| restarted(RouterKind::Frr, r),
    },
];

/// For how long a speaker stays away, and is watched when it is back.
const AWHILE: Duration = Duration::from_secs(3);

fn restarted(kind: RouterKind, ringbolt: &Ringbolt) -> Result<()> {
    with_story("restarting", Plan::draw(None), kind, ringbolt, |story| {
        story.wait_sessions()?;
        ask_for_graceful_restart(story)?;
        story.put("web", "public", Policy::Cluster, &story.first_pods(), &[])?;
        let addresses = story.wait_addresses("web")?;
        for address in addresses {
            story.wait_next_hops(address, &story.node_names())?;
        }
        let node = story.plan().nodes[0].name.clone();

        story.rack.speaker(&node)?.kill()?;
        story.rack.speakers.remove(&node);
        come_back(story, &node, addresses)?;

        story.rack.speaker(&node)?.signal(Signal::Term)?;
        story.rack.speaker(&node)?.wait_end(LIMIT)?;
        story.rack.speakers.remove(&node);
        come_back(story, &node, addresses)?;

        // What it does not announce any more must go all the same.
        story.rack.speaker(&node)?.kill()?;
        story.rack.speakers.remove(&node);
        let others: Vec<String> = story
            .node_names()
            .into_iter()
            .filter(|name| *name != node)
            .collect();
        story.put(
            "web",
            "public",
            Policy::Local,
            &story.first_pods_without(&node),
            &[],
        )?;
        story.rack.start_speaker(&node)?;
        for address in addresses {
            story.wait_next_hops(address, &others)?;
        }
        Ok(())
    })
}

/// Offers graceful restart, which costs every session once.
fn ask_for_graceful_restart(story: &Story) -> Result<()> {
    let mut spec = story.rack.peer_spec();
    spec["gracefulRestart"] = json!({"restartTimeSeconds": 30});
    story.rack.write_peer(spec)?;
    for node in story.node_names() {
        let space = story.rack.node_space(&node)?;
        wait_for(&format!("{node} offers graceful restart"), LIMIT, || {
            let told = status(space, SPEAKER_HTTP)?;
            let session = &told["bgp"]["peers"][0];
            ensure!(
                session["flaps"].as_u64() >= Some(1) && session["state"] == "Established",
                "{session}"
            );
            Ok(())
        })?;
    }
    story.wait_sessions()
}

/// The speaker of a node is away: nothing is missed until it is back, nor afterwards.
fn come_back(story: &mut Story, node: &str, addresses: [IpAddr; 2]) -> Result<()> {
    let found = story.plan().nodes.iter().find(|found| found.name == node);
    let neighbour = found.context("a node of the plan")?.rack[0];
    let stands = |story: &Story| established(story.router.as_ref(), &[neighbour]);
    without_a_gap(story, addresses, "the router sees it go", || {
        ensure!(stands(story).is_err(), "the session stands");
        Ok(())
    })?;
    holds_for("all routes stay", AWHILE, || complete(story, addresses))?;
    story.rack.start_speaker(node)?;
    without_a_gap(story, addresses, "it is back", || stands(story))?;
    holds_for("all routes stay", AWHILE, || complete(story, addresses))
}

/// Waits for something, and fails if a route was missed meanwhile.
fn without_a_gap(
    story: &Story,
    addresses: [IpAddr; 2],
    what: &str,
    probe: impl Fn() -> Result<()>,
) -> Result<()> {
    let mut gap = None;
    wait_for(what, LIMIT, || {
        if let Err(missed) = complete(story, addresses) {
            gap.get_or_insert(missed);
        }
        probe()
    })?;
    gap.map_or(
        Ok(()),
        |missed| Err(missed.context(format!("until {what}"))),
    )
}

/// Both addresses have every node for a next hop.
fn complete(story: &Story, addresses: [IpAddr; 2]) -> Result<()> {
    let Table::Routes(routes) = story.router.table()? else {
        anyhow::bail!("this router only counts");
    };
    for address in addresses {
        let hops = story.plan().nodes.iter();
        let hops = hops.map(|node| same_family(node.rack, address)).collect();
        has_next_hops(&routes, IpNet::from(address), &hops)?;
    }
    Ok(())
}
