//! Another Ringbolt speaker as the router. It speaks BGP, imports nothing and forwards nothing, so it can tell how
//! many prefixes each session has brought, and not which: that is what is compared.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use anyhow::{Context, Result};
use ipnet::IpNet;
use serde_json::{Value, json};

use crate::manifests::{self, Directory};
use crate::netns::Netns;
use crate::node::{Ringbolt, SPEAKER_HTTP, status};
use crate::plan::NodePlan;
use crate::process::{Daemon, Kept};
use crate::router::{Router, RouterSetup, Table};

/// A running speaker that waits to be dialled.
#[derive(Debug)]
pub(crate) struct Twin {
    daemon: Daemon,
    space: Netns,
    version: String,
}

/// The name of its own Node object.
const NODE: &str = "router";

impl Twin {
    pub(crate) fn start(
        ringbolt: &Ringbolt,
        space: &Netns,
        setup: &RouterSetup,
        folder: &Path,
        kept: &Kept,
    ) -> Result<Self> {
        let directory = Directory::create(folder.join("router"))?;
        directory.put("node.yaml", &[manifests::node(NODE, &[setup.address], &[])])?;
        let peers = setup.neighbours.iter().map(|neighbour| {
            let mut spec = json!({
                "myASN": setup.asn,
                "peerASN": neighbour.asn,
                "peerAddress": neighbour.address,
                "families": ["IPv4", "IPv6"],
                "routerID": setup.id,
                "passive": true,
            });
            if let Some(password) = &neighbour.password {
                spec["password"] = json!(password);
            }
            manifests::resource("BGPPeer", &neighbour.name, spec)
        });
        directory.put("peers.yaml", &peers.collect::<Vec<_>>())?;
        let daemon = ringbolt.speaker(space, NODE, &directory.source(), folder, kept)?;
        Ok(Self {
            daemon,
            space: space.clone(),
            version: ringbolt.version()?,
        })
    }

    /// Routes to the pods of every node, by hand: the segment's Services are answered by pods of other nodes too.
    pub(crate) fn route_pods(space: &Netns, nodes: &[NodePlan]) -> Result<()> {
        let lines = nodes.iter().flat_map(|node| {
            let pairs = node.pod_cidrs.into_iter().zip(node.rack);
            pairs.map(|(cidr, hop)| format!("route add {cidr} via {hop}"))
        });
        space.ip_batch(&lines.collect::<Vec<_>>())
    }

    fn peers(&self) -> Result<Vec<Value>> {
        let status = status(&self.space, SPEAKER_HTTP)?;
        status["bgp"]["peers"]
            .as_array()
            .cloned()
            .context("/status has no peers yet")
    }
}

impl Router for Twin {
    fn version(&self) -> Result<String> {
        Ok(self.version.clone())
    }

    fn sessions(&self) -> Result<BTreeMap<IpAddr, String>> {
        let peers = self.peers()?;
        let states = peers.iter().filter_map(|peer| {
            Some((
                peer["address"].as_str()?.parse().ok()?,
                peer["state"].as_str()?.to_owned(),
            ))
        });
        Ok(states.collect())
    }

    fn table(&self) -> Result<Table> {
        let peers = self.peers()?;
        let counts = peers.iter().filter_map(|peer| {
            let count = |family: &str| peer["prefixesIn"][family].as_u64();
            Some((
                peer["address"].as_str()?.parse().ok()?,
                [count("ipv4")?, count("ipv6")?],
            ))
        });
        Ok(Table::Counts(counts.collect()))
    }

    fn shown(&self, prefix: IpNet) -> Result<String> {
        let Table::Counts(counts) = self.table()? else {
            return Ok(String::new());
        };
        let family = usize::from(prefix.addr().is_ipv6());
        let lines = counts.iter().map(|(peer, counts)| {
            let name = ["IPv4", "IPv6"][family];
            format!("{peer} has told it {} {name} prefixes", counts[family])
        });
        Ok(lines.collect::<Vec<_>>().join("\n"))
    }

    fn attributes(&self, _prefix: IpNet) -> Result<String> {
        Ok(self.state())
    }

    fn state(&self) -> String {
        status(&self.space, SPEAKER_HTTP)
            .map_or_else(|error| format!("{error:#}"), |status| format!("{status:#}"))
    }

    fn stop(&mut self) -> Result<()> {
        self.daemon.kill()
    }

    fn check_alive(&mut self) -> Result<()> {
        self.daemon.check_alive()
    }
}
