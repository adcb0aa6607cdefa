//! Steps 1 to 8: sessions, addresses and routes, and traffic through the router.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, Result, ensure};

use super::cluster;
use super::steps::{Verdict, verdict};
use crate::client::{Transport, ask, ask_many};
use crate::manifests::{Policy, SERVICE_PORT};
use crate::pod;
use crate::story::{LIMIT, Story};
use crate::wait::wait_for;

pub(super) fn sessions(story: &mut Story) -> Result<Verdict> {
    story.wait_sessions()?;
    let mut evidence = vec![story.router.version()?];
    for (address, state) in story.router.sessions()? {
        let node = story
            .plan()
            .nodes
            .iter()
            .find(|node| node.rack[0] == address);
        evidence.push(format!(
            "{address} ({}) {state}",
            node.context("a stranger")?.name
        ));
    }
    Ok(Verdict::Verified(evidence))
}

pub(super) fn addresses(story: &mut Story) -> Result<Verdict> {
    story.put("web", "public", Policy::Cluster, &story.first_pods(), &[])?;
    let [v4, v6] = story.wait_addresses("web")?;
    ensure!(
        v4.is_ipv4() && v6.is_ipv6(),
        "the addresses are {v4} and {v6}"
    );
    let mut question = vec!["status".to_owned(), "services".to_owned()];
    question.extend(story.rack.source().arguments());
    let first_node = story.plan().nodes[0].clone();
    let first = story.rack.node_space(&first_node.name)?;
    let full = story.plan().service("web");
    let shown = wait_for("`ringbolt status` shows them", LIMIT, || {
        let (_, shown) = story.rack.ringbolt.ask(first, &question)?;
        let announced = |address: IpAddr| {
            let address = address.to_string();
            let mut lines = shown.lines();
            lines.any(|line| line.contains(&address) && line.contains(&first_node.name))
        };
        ensure!(announced(v4) && announced(v6), "it prints:\n{shown}");
        Ok(shown)
    })?;
    let lines = shown
        .lines()
        .filter(|line| line.contains(&full) || line.contains("ADDRESS"));
    let mut evidence: Vec<String> = lines.map(str::to_owned).collect();
    evidence.extend(cluster::external_addresses(story, &full, [v4, v6])?);
    Ok(Verdict::Verified(evidence))
}

pub(super) fn route_v4(story: &mut Story) -> Result<Verdict> {
    let [v4, _] = story.addresses("web")?;
    Ok(Verdict::Verified(vec![
        story.wait_next_hops(v4, &story.node_names())?,
    ]))
}

pub(super) fn route_v6(story: &mut Story) -> Result<Verdict> {
    let [_, v6] = story.addresses("web")?;
    Ok(Verdict::Verified(vec![
        story.wait_next_hops(v6, &story.node_names())?,
    ]))
}

/// How many questions each transport and family gets.
const QUESTIONS: usize = 24;

pub(super) fn reached(story: &mut Story) -> Result<Verdict> {
    let mut evidence = Vec::new();
    let addresses = story.addresses("web")?;
    if story.forwards() {
        for address in addresses {
            for transport in [Transport::Tcp, Transport::Udp] {
                let to = SocketAddr::new(address, SERVICE_PORT);
                let nodes = wait_for(&format!("{transport:?} to {to}"), LIMIT, || {
                    let pods = ask_many(&story.rack.client, transport, to, QUESTIONS)?;
                    let nodes: BTreeSet<&str> = pods
                        .iter()
                        .filter_map(|pod| story.plan().node_of(pod))
                        .map(|node| node.name.as_str())
                        .collect();
                    ensure!(nodes.len() > 1, "only {nodes:?} answered");
                    Ok(nodes.into_iter().collect::<Vec<_>>().join(", "))
                })?;
                evidence.push(format!("client: {transport:?} {to}: {QUESTIONS} of {QUESTIONS} answered, by pods of {nodes}"));
            }
        }
    }
    Ok(verdict(
        story,
        "the routes of steps 3 and 4 stand for it",
        evidence,
    ))
}

pub(super) fn local_service(story: &mut Story) -> Result<Verdict> {
    let node = story.plan().nodes[1].clone();
    let pod = node.pods[0].name.clone();
    story.put(
        "api",
        "public",
        Policy::Local,
        std::slice::from_ref(&pod),
        &[],
    )?;
    let addresses = story.wait_addresses("api")?;
    let mut evidence = Vec::new();
    for address in addresses {
        evidence.push(story.wait_next_hops(address, std::slice::from_ref(&node.name))?);
    }
    for address in addresses.into_iter().filter(|_| story.forwards()) {
        let own = crate::plan::same_family(story.plan().client, address);
        for transport in [Transport::Tcp, Transport::Udp] {
            let to = SocketAddr::new(address, SERVICE_PORT);
            let answer = wait_for(&format!("{transport:?} to {to}"), LIMIT, || {
                ask(&story.rack.client, transport, to)
            })?;
            ensure!(
                answer.pod == pod && answer.seen == own,
                "{to} was answered by {answer:?}"
            );
            evidence.push(format!(
                "{pod}: {transport:?} from {} (the client's own address)",
                answer.seen
            ));
        }
    }
    Ok(verdict(
        story,
        "only the announcement was verified",
        evidence,
    ))
}

pub(super) fn pod_networks(story: &mut Story) -> Result<Verdict> {
    let mut evidence = Vec::new();
    for node in &story.plan().nodes {
        for cidr in node.pod_cidrs {
            evidence.push(story.wait_route(cidr, std::slice::from_ref(&node.name))?);
        }
    }
    Ok(Verdict::Verified(evidence))
}

pub(super) fn pod_to_pod(story: &mut Story) -> Result<Verdict> {
    let by = "the routes of step 7 stand for it";
    if !story.forwards() {
        return Ok(verdict(story, by, Vec::new()));
    }
    let (first, last) = (
        &story.plan().nodes[0],
        story.plan().nodes.last().context("a plan has nodes")?,
    );
    let (from, to) = (&first.pods[0], &last.pods[1]);
    let mut evidence = Vec::new();
    for (source, target) in from.addresses.into_iter().zip(to.addresses) {
        let witness = Witness::start(story, source, target)?;
        let address = SocketAddr::new(target, pod::PORT);
        let answer = wait_for(&format!("{} answers", to.name), LIMIT, || {
            ask(story.rack.pod_space(&from.name)?, Transport::Tcp, address)
        })?;
        ensure!(
            answer.pod == to.name && answer.seen == source,
            "{address} was answered by {answer:?}"
        );
        let forwarded = witness.finish(story)?;
        ensure!(
            forwarded > 0,
            "the router forwarded nothing from {source} to {target}"
        );
        evidence.push(format!(
            "{}: from {} ({}, no NAT); the router forwarded {forwarded} packets of it",
            answer.pod, answer.seen, from.name
        ));
    }
    Ok(verdict(story, by, evidence))
}

/// A packet counter in the router.
struct Witness;

impl Witness {
    fn start(story: &Story, source: IpAddr, target: IpAddr) -> Result<Self> {
        let family = if source.is_ipv4() { "ip" } else { "ip6" };
        let rules = format!(
            "table inet witness {{\n chain forward {{\n type filter hook forward priority filter\n\
             {family} saddr {source} {family} daddr {target} counter\n }}\n}}\n"
        );
        story.rack.router.feed("nft", &["-f", "-"], &rules)?;
        Ok(Self)
    }

    fn finish(self, story: &Story) -> Result<u64> {
        let text = story.rack.router.run("nft list table inet witness")?;
        story.rack.router.run("nft delete table inet witness")?;
        let count = text
            .split_whitespace()
            .skip_while(|word| *word != "packets")
            .nth(1);
        count
            .and_then(|word| word.parse().ok())
            .with_context(|| format!("no count in {text}"))
    }
}
