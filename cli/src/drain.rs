//! `ringbolt drain` and `undrain`: the mark on a node, and the one check before it is set.
//!
//! Owns the refusal to leave nobody who announces. What a mark means is the speaker's business.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use ringbolt_cluster::{Cluster, Drain, Listing, Role};
use ringbolt_config::{NodeName, Object};

use crate::args::{DrainArgs, UndrainArgs};
use crate::daemon::parse_node;
use crate::source::{self, Source};
use crate::validate::Verdict;
use crate::{out, runtime};

pub(crate) fn drain(args: DrainArgs) -> Result<Verdict> {
    let node = parse_node("NODE", args.node)?;
    let source = Source::new(args.source, Role::Reader)?;
    runtime::build()?.block_on(async {
        let cluster = source.open();
        let listing = source::read(&cluster).await?;
        let view = Nodes::new(&listing);
        if !view.all.contains(&node) {
            bail!("there is no Node {node}");
        }
        if view.draining.contains(&node) {
            out::text(&format!("Node {node} is drained already"));
            return Ok(Verdict::Good);
        }
        if !args.force && view.others(&node).is_empty() {
            bail!(
                "no other node announces: {node} is the last one in use, and every Service would be \
                 unreachable; --force drains it all the same"
            );
        }
        mark(&cluster, &node, Drain::Begin).await?;
        out::text(&format!(
            "Node {node} is drained: addresses and routes move to the other nodes, sessions and pod routes stay"
        ));
        Ok(Verdict::Good)
    })
}

pub(crate) fn undrain(args: UndrainArgs) -> Result<Verdict> {
    let node = parse_node("NODE", args.node)?;
    let source = Source::new(args.source, Role::Reader)?;
    runtime::build()?.block_on(async {
        let cluster = source.open();
        let listing = source::read(&cluster).await?;
        let view = Nodes::new(&listing);
        if !view.all.contains(&node) {
            bail!("there is no Node {node}");
        }
        if !view.draining.contains(&node) {
            out::text(&format!("Node {node} is not drained"));
            return Ok(Verdict::Good);
        }
        mark(&cluster, &node, Drain::End).await?;
        out::text(&format!("Node {node} is in use again"));
        Ok(Verdict::Good)
    })
}

async fn mark(cluster: &Cluster, node: &NodeName, drain: Drain) -> Result<()> {
    Ok(cluster.writer().set_drain(node, drain).await?)
}

/// The nodes as far as this command looks at them.
#[derive(Debug, Default)]
struct Nodes {
    all: BTreeSet<NodeName>,
    draining: BTreeSet<NodeName>,
    /// Nodes that have a speaker.
    speaking: BTreeSet<NodeName>,
}

impl Nodes {
    fn new(listing: &Listing) -> Self {
        let mut nodes = Self::default();
        for object in &listing.objects {
            match object {
                Object::Node(view) => {
                    nodes.all.insert(view.name.clone());
                    if view.draining {
                        nodes.draining.insert(view.name.clone());
                    }
                }
                Object::Speaker(speaker) => {
                    let name = speaker.metadata.name.as_deref();
                    nodes
                        .speaking
                        .extend(name.and_then(|name| name.parse().ok()));
                }
                _ => {}
            }
        }
        nodes
    }

    /// Nodes that announce when this one does not.
    fn others(&self, node: &NodeName) -> BTreeSet<&NodeName> {
        let speaking = self.speaking.intersection(&self.all);
        speaking
            .filter(|other| *other != node && !self.draining.contains(*other))
            .collect()
    }
}
