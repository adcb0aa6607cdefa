//! `ringbolt drain` and `undrain`: the mark on a node, and the one check before it is set.
//!
//! Owns the refusal to take away the last announcer of a Service. What a mark means is the speaker's
//! business; who announces what is read from the same view that `ringbolt status` shows.

use anyhow::{Result, bail};
use ringbolt_cluster::{Cluster, Drain, Role};
use ringbolt_config::NodeName;

use crate::args::{DrainArgs, SourceArgs, UndrainArgs};
use crate::daemon::parse_node;
use crate::source::{self, Source};
use crate::status::{self, Reach, Sole, View};
use crate::validate::Verdict;
use crate::{out, runtime};

/// Services named in a refusal.
const NAMED: usize = 10;

/// Sets the mark, unless that would leave an address unannounced.
pub(crate) fn drain(args: DrainArgs) -> Result<Verdict> {
    let DrainArgs {
        node,
        source,
        force,
    } = args;
    let node = parse_node("NODE", node)?;
    on_node(&node, source, async |cluster, view| {
        if is_draining(&view, &node)? {
            return Ok(format!("Node {node} is drained already"));
        }
        let alone = status::announced_by_nobody_else(&view, &node);
        if !force && !alone.is_empty() {
            bail!("{}", refusal(&node, &alone));
        }
        cluster.writer().set_drain(&node, Drain::Begin).await?;
        Ok(format!(
            "Node {node} is drained: what it announces for Services moves to other nodes; its sessions and pod \
             networks stay"
        ))
    })
}

/// Takes the mark away.
pub(crate) fn undrain(args: UndrainArgs) -> Result<Verdict> {
    let UndrainArgs { node, source } = args;
    let node = parse_node("NODE", node)?;
    on_node(&node, source, async |cluster, view| {
        if !is_draining(&view, &node)? {
            return Ok(format!("Node {node} is not drained"));
        }
        cluster.writer().set_drain(&node, Drain::End).await?;
        Ok(format!("Node {node} is in use again"))
    })
}

/// Reads everything, does what is to be done, and says what came of it.
fn on_node(
    node: &NodeName,
    source: SourceArgs,
    act: impl AsyncFnOnce(Cluster, View) -> Result<String>,
) -> Result<Verdict> {
    let source = Source::new(source, Role::Reader)?;
    runtime::build()?.block_on(async {
        let reach = Reach::of(&source);
        let cluster = source.open();
        let listing = source::read(&cluster).await?;
        let view = status::seen(&listing, reach).await;
        if view
            .nodes
            .get(node)
            .is_none_or(|parts| parts.node.is_none())
        {
            bail!("there is no Node {node}");
        }
        out::text(&act(cluster, view).await?);
        Ok(Verdict::Good)
    })
}

fn is_draining(view: &View, node: &NodeName) -> Result<bool> {
    let parts = view.nodes.get(node).and_then(|parts| parts.node.as_ref());
    match parts {
        Some(node) => Ok(node.draining),
        None => bail!("there is no Node {node}"),
    }
}

fn refusal(node: &NodeName, alone: &[Sole]) -> String {
    let named: Vec<String> = alone.iter().take(NAMED).map(ToString::to_string).collect();
    let more = match alone.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "only {node} announces {}{more}; --force drains it all the same",
        named.join(", ")
    )
}

#[cfg(test)]
mod tests;
