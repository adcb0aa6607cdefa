//! Layer 2 with three nodes on one bridge: who answers, how it is written, and that owners are spread.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{Scenario, with_story};
use crate::capture::Capture;
use crate::client::{Transport, ask};
use crate::demo::segment::{forget, wait_owner};
use crate::frames::{Listener, claimants};
use crate::manifests::{Policy, SERVICE_PORT};
use crate::netns::Signal;
use crate::node::Ringbolt;
use crate::plan::Plan;
use crate::rack::SEGMENT;
use crate::router::RouterKind;
use crate::story::{LIMIT, Story};
use crate::wait::{holds_for, wait_for};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "tcpdump_reads_every_arp_and_ndp_frame_without_complaint",
        run: clean_frames,
    },
    Scenario {
        name: "addresses_are_spread_over_the_nodes_of_a_segment",
        run: spread,
    },
    Scenario {
        name: "a_speaker_that_hangs_for_a_second_loses_nothing",
        run: hangs,
    },
];

fn serve(story: &Story, name: &str) -> Result<[IpAddr; 2]> {
    story.put(name, "segment", Policy::Cluster, &story.first_pods(), &[])?;
    story.wait_addresses(name)
}

fn clean_frames(ringbolt: &Ringbolt) -> Result<()> {
    with_story(
        "frames",
        Plan::draw(None),
        RouterKind::Bird,
        ringbolt,
        |story| {
            let lab = &story.rack.lab;
            let filter = "arp or icmp6 or ether proto 0x88b5";
            let capture =
                Capture::start(&story.rack.desk, SEGMENT, filter, lab.folder(), lab.kept())?;
            let addresses = serve(story, "printer")?;
            for address in addresses {
                wait_owner(story, address)?;
            }
            let (owner, _) = wait_owner(story, addresses[0])?;
            // Without its speaker the router forgets the way to the pods of that node.
            let others: Vec<String> = story.first_pods_without(&owner);
            story.put("printer", "segment", Policy::Cluster, &others, &[])?;
            story.rack.speaker(&owner)?.terminate(LIMIT)?;
            story.rack.speakers.remove(&owner);
            for address in addresses {
                let (heir, _) = wait_owner(story, address)?;
                ensure!(
                    heir != owner,
                    "{address} is answered by a node without a speaker"
                );
            }
            let decoded = capture.finish()?;
            let [v4, v6] = addresses;
            ensure!(
                decoded.text().contains(&format!("Reply {v4} is-at")),
                "no ARP reply was recorded"
            );
            ensure!(
                decoded.text().contains(&format!("tgt is {v6}")),
                "no neighbour advertisement was recorded"
            );
            decoded.check_clean()
        },
    )
}

fn spread(ringbolt: &Ringbolt) -> Result<()> {
    with_story(
        "spread",
        Plan::draw(None),
        RouterKind::Bird,
        ringbolt,
        |story| {
            let mut owners = BTreeSet::new();
            for number in 0..8 {
                for address in serve(story, &format!("printer-{number}"))? {
                    owners.insert(wait_owner(story, address)?.0);
                }
            }
            // Sixteen addresses on one of three nodes by chance: once in fourteen million.
            ensure!(owners.len() > 1, "every address is on {owners:?}");
            Ok(())
        },
    )
}

fn hangs(ringbolt: &Ringbolt) -> Result<()> {
    with_story(
        "hangs",
        Plan::draw(None),
        RouterKind::Bird,
        ringbolt,
        |story| {
            let [v4, _] = serve(story, "printer")?;
            let (owner, mac) = wait_owner(story, v4)?;
            let to = SocketAddr::new(v4, SERVICE_PORT);
            let listener = Listener::start(&story.rack.desk)?;
            story.rack.speaker(&owner)?.signal(Signal::Stop)?;
            let held = holds_for(
                "a client with a cache is answered",
                Duration::from_secs(1),
                || ask(&story.rack.desk, Transport::Udp, to).map(drop),
            );
            story.rack.speaker(&owner)?.signal(Signal::Continue)?;
            held?;
            forget(story, v4)?;
            wait_for("an answer", LIMIT, || {
                ask(&story.rack.desk, Transport::Udp, to)
            })?;
            let found = claimants(&listener.finish()?, v4);
            ensure!(
                found == BTreeSet::from([mac]),
                "{v4} was claimed by {found:?}, not by {mac} alone"
            );
            found.first().context("somebody").map(drop)
        },
    )
}
