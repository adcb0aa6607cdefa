//! Steps 9 to 12: the layer-2 segment. Who answers is read from the wire of a client on it.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::steps::Verdict;
use crate::client::{Account, Stream, Transport, ask};
use crate::frames::{Listener, Mac, Said, claimants};
use crate::manifests::{Policy, SERVICE_PORT};
use crate::node::{SPEAKER_HTTP, status};
use crate::rack::SEGMENT;
use crate::story::{LIMIT, Story};
use crate::wait::{holds_for, wait_for};

/// The layer-2 Service.
pub(super) const SERVICE: &str = "printer";
/// How long the client may be without an answer after a node's death.
pub(super) const DEATH_MAX: Duration = Duration::from_secs(8);
/// The hand-over: datagrams a second per family, and how long before and after the signal.
const RATE: u32 = 500;
const BEFORE: Duration = Duration::from_secs(2);
const AFTER: Duration = Duration::from_secs(3);

pub(super) fn answers_arp(story: &mut Story) -> Result<Verdict> {
    story.put(
        SERVICE,
        "segment",
        Policy::Cluster,
        &story.first_pods(),
        &[],
    )?;
    let [v4, _] = story.wait_addresses(SERVICE)?;
    answers(story, v4, "ARP")
}

pub(super) fn answers_ndp(story: &mut Story) -> Result<Verdict> {
    let [_, v6] = story.addresses(SERVICE)?;
    answers(story, v6, "NDP")
}

fn answers(story: &Story, address: IpAddr, protocol: &str) -> Result<Verdict> {
    let (owner, mac) = wait_owner(story, address)?;
    let mut evidence = vec![format!(
        "desk: {protocol}: {address} is at {mac} ({owner}), and nowhere else"
    )];
    for transport in [Transport::Tcp, Transport::Udp] {
        let to = SocketAddr::new(address, SERVICE_PORT);
        let answer = wait_for(&format!("{transport:?} to {to}"), LIMIT, || {
            ask(&story.rack.desk, transport, to)
        })?;
        evidence.push(format!(
            "desk: {transport:?} {to}: answered by {}",
            answer.pod
        ));
    }
    Ok(Verdict::Verified(evidence))
}

/// How often an owner is asked for, with an empty neighbour cache each time.
const ROUNDS: usize = 5;

/// Waits until exactly one node claims an address, and answers for it.
pub(crate) fn wait_owner(story: &Story, address: IpAddr) -> Result<(String, Mac)> {
    wait_for(&format!("one node answers for {address}"), LIMIT, || {
        let listener = Listener::start(&story.rack.desk)?;
        for _ in 0..ROUNDS {
            forget(story, address)?;
            ask(
                &story.rack.desk,
                Transport::Udp,
                SocketAddr::new(address, SERVICE_PORT),
            )?;
        }
        let found = claimants(&listener.finish()?, address);
        ensure!(found.len() == 1, "{} nodes answer", found.len());
        let mac = *found.first().context("there is one")?;
        Ok((node_at(story, mac)?, mac))
    })
}

/// Empties the client's neighbour cache of one address.
pub(crate) fn forget(story: &Story, address: IpAddr) -> Result<()> {
    story
        .rack
        .desk
        .ip(&format!("neigh flush to {address} dev {SEGMENT}"))
        .map(drop)
}

pub(super) fn node_at(story: &Story, mac: Mac) -> Result<String> {
    for node in story.plan().nodes.iter() {
        if story.rack.segment_mac(&node.name)? == mac {
            return Ok(node.name.clone());
        }
    }
    anyhow::bail!("{mac} is no node of ours")
}

/// Where the client sends to, by its own neighbour cache.
pub(super) fn neighbour(story: &Story, address: IpAddr) -> Result<Mac> {
    let text = story
        .rack
        .desk
        .ip(&format!("neigh show to {address} dev {SEGMENT}"))?;
    let mac = text
        .split_whitespace()
        .skip_while(|word| *word != "lladdr")
        .nth(1)
        .and_then(Mac::parse);
    mac.with_context(|| {
        format!(
            "the client knows no neighbour for {address}: {}",
            text.trim()
        )
    })
}

/// Waits until every speaker hears every other: before that, nobody can tell a death from a birth.
pub(super) fn wait_members(story: &Story) -> Result<()> {
    let others = story.plan().nodes.len() - 1;
    wait_for("every speaker hears every other", LIMIT, || {
        for node in story.node_names() {
            let told = status(story.rack.node_space(&node)?, SPEAKER_HTTP)?;
            let interfaces = told["layer2"]["interfaces"].as_array();
            let mut interfaces = interfaces.into_iter().flatten();
            let segment = interfaces.find(|known| known["name"] == SEGMENT);
            let members = segment.and_then(|known| known["members"].as_array());
            let heard = members.map_or(0, Vec::len);
            ensure!(heard == others, "{node} hears {heard} of {others}");
        }
        Ok(())
    })
}

pub(super) fn node_death(story: &mut Story) -> Result<Verdict> {
    wait_members(story)?;
    let [v4, _] = story.addresses(SERVICE)?;
    let to = SocketAddr::new(v4, SERVICE_PORT);
    let (owner, mac) = wait_owner(story, v4)?;
    let stream = Stream::start(&story.rack.desk, to, 100)?;
    holds_for("answers before", Duration::from_millis(500), || {
        ask(&story.rack.desk, Transport::Udp, to).map(drop)
    })?;
    story.rack.speaker(&owner)?.kill()?;
    story.rack.speakers.remove(&owner);
    story.rack.set_cables(&owner, "down")?;
    let died = Instant::now();
    // The cluster's node controller would take the dead node's pods out of the slices.
    put_pods(story, &story.first_pods_without(&owner))?;
    let answered = wait_for("another node answers", DEATH_MAX, || {
        let at = neighbour(story, v4)?;
        ensure!(at != mac, "the client still sends to {owner}");
        ask(&story.rack.desk, Transport::Udp, to)?;
        Ok(at)
    })?;
    let elapsed = died.elapsed();
    let account = stream.finish()?;
    ensure!(
        account.gap <= DEATH_MAX,
        "nobody answered for {:.2} s",
        account.gap.as_secs_f64()
    );
    let heir = node_at(story, answered)?;
    let evidence = vec![
        format!(
            "{owner} died; desk: {v4} is at {answered} ({heir}) after {:.2} s",
            elapsed.as_secs_f64()
        ),
        format!(
            "desk: gap without answers {:.2} s ({})",
            account.gap.as_secs_f64(),
            counted(&account)
        ),
    ];
    revive(story, &owner)?;
    put_pods(story, &story.first_pods())?;
    wait_owner(story, v4)?;
    Ok(Verdict::Verified(evidence))
}

fn put_pods(story: &Story, pods: &[String]) -> Result<()> {
    let pods: Vec<&str> = pods.iter().map(String::as_str).collect();
    story
        .rack
        .put_endpoints(&story.plan().service(SERVICE), &pods)
}

/// The dead node comes back, with a session of its own.
fn revive(story: &mut Story, node: &str) -> Result<()> {
    story.rack.set_cables(node, "up")?;
    story.rack.start_speaker(node)?;
    story.wait_sessions()
}

pub(super) fn counted(account: &Account) -> String {
    format!(
        "{} of {} datagrams answered",
        account.answered, account.sent
    )
}

pub(super) fn hand_over(story: &mut Story) -> Result<Verdict> {
    let addresses = story.addresses(SERVICE)?;
    let mut evidence = Vec::new();
    let mut ended = BTreeSet::new();
    // The families may have owners of their own; then each of them is ended once.
    for address in addresses {
        let (owner, _) = wait_owner(story, address)?;
        if ended.insert(owner.clone()) {
            evidence.extend(hand_over_of(story, &owner, addresses, address)?);
        }
    }
    Ok(Verdict::Verified(evidence))
}

fn hand_over_of(
    story: &mut Story,
    owner: &str,
    addresses: [IpAddr; 2],
    of: IpAddr,
) -> Result<Vec<String>> {
    let before = story.rack.segment_mac(owner)?;
    let listener = Listener::start(&story.rack.desk)?;
    let mut streams = Vec::new();
    for address in addresses {
        streams.push((
            address,
            Stream::start(
                &story.rack.desk,
                SocketAddr::new(address, SERVICE_PORT),
                RATE,
            )?,
        ));
    }
    let alive = |story: &Story| {
        ensure!(
            story.rack.speakers.contains_key(owner),
            "the speaker of {owner} is gone"
        );
        Ok(())
    };
    holds_for("datagrams before", BEFORE, || alive(story))?;
    story
        .rack
        .speaker(owner)?
        .signal(crate::netns::Signal::Term)?;
    holds_for("datagrams after", AFTER, || alive(story))?;
    let mut evidence = Vec::new();
    let mut accounts = Vec::new();
    streams.iter().for_each(|(_, stream)| stream.stop());
    for (address, stream) in streams {
        accounts.push((address, stream.finish()?));
    }
    let seen = listener.finish()?;
    story
        .rack
        .speaker(owner)?
        .wait_end(Duration::from_secs(20))?;
    story.rack.speakers.remove(owner);
    for (address, account) in accounts {
        ensure!(
            account.lost() == 0,
            "{address}: {} when {owner} ended",
            counted(&account)
        );
        let last = seen
            .iter()
            .rev()
            .find(|frame| frame.said == Said::Packet(address));
        let heir = node_at(
            story,
            last.context("no answer was seen on the wire")?.source,
        )?;
        ensure!(
            address != of || heir != owner,
            "{address} is still answered through {owner}"
        );
        evidence.push(format!(
            "{owner} ended; desk: {address}: {}, gap {} ms, at the end through {heir}",
            counted(&account),
            account.gap.as_millis()
        ));
    }
    ensure!(
        claimants_after(&seen, of, before),
        "nobody else has claimed {of}"
    );
    story.rack.start_speaker(owner)?;
    story.wait_sessions()?;
    Ok(evidence)
}

/// Whether somebody else than `before` has claimed the address.
fn claimants_after(seen: &[crate::frames::Seen], address: IpAddr, before: Mac) -> bool {
    claimants(seen, address).iter().any(|mac| *mac != before)
}
