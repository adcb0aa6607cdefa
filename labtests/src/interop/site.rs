//! The namespaces of the matrix: a node with Ringbolt's speaker, the daemon's machine, one wire between them for
//! every session on a link, and a router between them for those that are not.

use std::net::IpAddr;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::line::{FAR_NET, Family, Line, NEAR_NET, Reach, on_wire};
use crate::lab::{Lab, link};
use crate::manifests::{self, Directory};
use crate::netns::Netns;
use crate::node::{Ringbolt, SPEAKER_HTTP, status};
use crate::place::Source;
use crate::process::Daemon;

const NODE: &str = "node-1";
/// The router's host number on both its networks.
const ROUTER_HOST: u8 = 254;

/// The place. The speaker comes before the lab: it ends first.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) speaker: Daemon,
    ringbolt: Ringbolt,
    source: Source,
    node: Netns,
    pub(super) machine: Netns,
    pub(super) lab: Lab,
}

impl Site {
    /// Builds it, writes the manifests and starts the speaker.
    pub(super) fn build(name: &str, lines: &[Line], ringbolt: &Ringbolt) -> Result<Self> {
        let mut lab = Lab::new(name)?;
        let (node, machine) = (lab.host("node")?, lab.host("machine")?);
        let router = lab.forwarder("router")?;
        link(&node, "far0", &router, "near0")?;
        link(&machine, "far0", &router, "away0")?;
        address(&router, "near0", on_wire(NEAR_NET, ROUTER_HOST))?;
        address(&router, "away0", on_wire(FAR_NET, ROUTER_HOST))?;
        for line in lines {
            let device = match line.reach {
                Reach::Routed => {
                    address(&node, "far0", on_wire(NEAR_NET, line.number))?;
                    address(&machine, "far0", on_wire(FAR_NET, line.number))?;
                    continue;
                }
                Reach::Link | Reach::Guarded => format!("wire{}", line.number),
            };
            link(&node, &device, &machine, &device)?;
            address(&node, &device, on_wire(line.number, 1))?;
            address(&machine, &device, on_wire(line.number, 2))?;
        }
        for (space, gateway) in [(&node, NEAR_NET), (&machine, FAR_NET)] {
            for gateway in on_wire(gateway, ROUTER_HOST) {
                space.ip(&format!("route add default via {gateway}"))?;
            }
        }
        let directory = Directory::create(lab.folder().join("manifests"))?;
        directory.put("node.yaml", &[manifests::node(NODE, &on_wire(1, 1), &[])])?;
        let objects: Vec<Value> = lines.iter().flat_map(Line::manifests).collect();
        directory.put("lines.yaml", &objects)?;
        let source = directory.source();
        let speaker = ringbolt.speaker(&node, NODE, &source, lab.folder(), lab.kept())?;
        Ok(Self {
            speaker,
            ringbolt: ringbolt.clone(),
            source,
            node,
            machine,
            lab,
        })
    }

    /// SIGKILL for our speaker.
    pub(super) fn kill_speaker(&mut self) -> Result<()> {
        self.speaker.kill()
    }

    /// Starts our speaker again.
    pub(super) fn start_speaker(&mut self) -> Result<()> {
        let (folder, kept) = (self.lab.folder(), self.lab.kept());
        self.speaker = self
            .ringbolt
            .speaker(&self.node, NODE, &self.source, folder, kept)?;
        Ok(())
    }

    /// What our speaker says about a session.
    pub(super) fn peer(&self, line: &Line) -> Result<Value> {
        let status = status(&self.node, SPEAKER_HTTP)?;
        let peers = status["bgp"]["peers"].as_array().context("no peers yet")?;
        let found = peers.iter().find(|peer| peer["peer"] == line.name());
        found.cloned().context("no such peer yet")
    }

    /// Succeeds when our speaker has the session and has been told one prefix of every one of these families.
    pub(super) fn has_learned(&self, line: &Line, families: &[Family]) -> Result<()> {
        let peer = self.peer(line)?;
        ensure!(
            peer["state"] == "Established",
            "we say {}, {}",
            peer["state"],
            peer["lastError"]
        );
        for family in families {
            let count = &peer["prefixesIn"][family.word()];
            ensure!(*count == 1, "we have {count} {} prefixes", family.word());
        }
        Ok(())
    }
}

fn address(space: &Netns, device: &str, pair: [IpAddr; 2]) -> Result<()> {
    let lines = pair.map(|address| {
        let length = if address.is_ipv4() { 24 } else { 64 };
        format!("address add {address}/{length} dev {device}")
    });
    space.ip_batch(&lines)
}
