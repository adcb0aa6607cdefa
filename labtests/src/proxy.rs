//! The node's proxy, which standalone Ringbolt leaves to others: nft rules that send each Service address and
//! port to the ready endpoints, recomputed from the manifests and from the addresses in Ringbolt's state.
//!
//! `Local` Services reach the node's own endpoints only and keep the client's address; others are masqueraded.
//! Runs as a process of its own (`labtests proxy`) for all nodes of a lab, so a kept lab keeps it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{fs, thread, time::Duration};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::manifests::{Directory, Policy};
use crate::netns::{self, Netns};

/// How often the directory is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// A Service as the proxy sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Frontend {
    addresses: Vec<IpAddr>,
    /// Protocol in lower case, port, target port.
    ports: Vec<(String, u64, u64)>,
    policy: Policy,
    /// Ready endpoints with their nodes.
    endpoints: Vec<(IpAddr, String)>,
}

/// `labtests proxy DIRECTORY NODE=NAMESPACE…`: follows the directory until it is told to end.
pub(crate) fn follow(args: &[String]) -> Result<()> {
    let (directory, nodes) = args
        .split_first()
        .context("proxy needs a directory and nodes")?;
    let directory = Directory::at(PathBuf::from(directory));
    let spaces = Netns::all()?;
    let mut nodes: Vec<(String, Netns, String)> = nodes
        .iter()
        .map(|pair| {
            let (node, space) = pair.split_once('=').context("a node is NAME=NAMESPACE")?;
            let space = spaces
                .iter()
                .find(|known| known.name() == space)
                .context("no such namespace")?;
            Ok((node.to_owned(), space.clone(), String::new()))
        })
        .collect::<Result<_>>()?;
    netns::catch_interrupts();
    let mut seen = BTreeMap::new();
    while !netns::is_interrupted() {
        let stamps = stamps(directory.path());
        if stamps != seen {
            seen = stamps;
            let frontends = frontends(&directory);
            for (node, space, current) in &mut nodes {
                let rules = ruleset(node, &frontends);
                if rules != *current {
                    space.feed("nft", &["-f", "-"], &rules)?;
                    *current = rules;
                }
            }
        }
        thread::sleep(LOOK);
    }
    Ok(())
}

/// Names, times and lengths of everything below the directory: what has to change for the rules to change.
fn stamps(folder: &Path) -> BTreeMap<PathBuf, (SystemTime, u64)> {
    let mut stamps = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf(), folder.join(".ringbolt/services")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let Ok(meta) = entry.metadata() else { continue };
            if meta.is_dir() {
                let hidden = entry.file_name().to_string_lossy().starts_with('.');
                folders.extend((!hidden).then(|| entry.path()));
            } else if let Ok(modified) = meta.modified() {
                stamps.insert(entry.path(), (modified, meta.len()));
            }
        }
    }
    stamps
}

fn frontends(directory: &Directory) -> Vec<Frontend> {
    let objects = directory.objects();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let namespace = |object: &Value| {
        object["metadata"]["namespace"]
            .as_str()
            .unwrap_or("default")
            .to_owned()
    };
    let services = objects.iter().filter(|object| object["kind"] == "Service");
    services
        .map(|service| {
            let (space, name) = (namespace(service), text(&service["metadata"]["name"]));
            let slices = objects.iter().filter(|object| {
                object["kind"] == "EndpointSlice"
                    && namespace(object) == space
                    && object["metadata"]["labels"]["kubernetes.io/service-name"] == *name
            });
            Frontend {
                addresses: directory.addresses(&space, &name),
                ports: ports(service),
                policy: match service["spec"]["externalTrafficPolicy"].as_str() {
                    Some("Local") => Policy::Local,
                    Some(_) | None => Policy::Cluster,
                },
                endpoints: slices.flat_map(endpoints).collect(),
            }
        })
        .collect()
}

fn ports(service: &Value) -> Vec<(String, u64, u64)> {
    let listed = service["spec"]["ports"].as_array().into_iter().flatten();
    listed
        .filter_map(|port| {
            let number = port["port"].as_u64()?;
            let target = port["targetPort"].as_u64().unwrap_or(number);
            Some((
                port["protocol"].as_str().unwrap_or("TCP").to_lowercase(),
                number,
                target,
            ))
        })
        .collect()
}

fn endpoints(slice: &Value) -> Vec<(IpAddr, String)> {
    let listed = slice["endpoints"].as_array().into_iter().flatten();
    listed
        .filter(|endpoint| endpoint["conditions"]["ready"] != false)
        .filter_map(|endpoint| {
            let address = endpoint["addresses"][0].as_str()?.parse().ok()?;
            Some((
                address,
                endpoint["nodeName"].as_str().unwrap_or_default().to_owned(),
            ))
        })
        .collect()
}

/// The rules of one node. Chains stay and rules are exchanged in one transaction, so translated connections
/// live on.
fn ruleset(node: &str, frontends: &[Frontend]) -> String {
    let mut text = String::from(
        "add table inet lab\n\
         add chain inet lab prerouting { type nat hook prerouting priority dstnat; }\n\
         add chain inet lab postrouting { type nat hook postrouting priority srcnat; }\n\
         add chain inet lab forward { type filter hook forward priority filter; }\n\
         flush table inet lab\n\
         add rule inet lab postrouting meta mark 0x1 masquerade\n",
    );
    for frontend in frontends {
        for address in &frontend.addresses {
            let family = if address.is_ipv4() { "ip" } else { "ip6" };
            let usable: Vec<&IpAddr> = frontend
                .endpoints
                .iter()
                .filter(|(pod, of)| {
                    pod.is_ipv4() == address.is_ipv4()
                        && (frontend.policy == Policy::Cluster || of == node)
                })
                .map(|(pod, _)| pod)
                .collect();
            for (protocol, port, target) in &frontend.ports {
                let to = format!(
                    "add rule inet lab prerouting {family} daddr {address} {protocol} dport {port}"
                );
                if frontend.policy == Policy::Cluster {
                    // Writing to a String cannot fail.
                    let _ = writeln!(text, "{to} meta mark set 0x1");
                }
                for (index, pod) in usable.iter().enumerate() {
                    let left = usable.len() - index;
                    let chance = if left > 1 {
                        format!(" numgen random mod {left} 0")
                    } else {
                        String::new()
                    };
                    let pod = if pod.is_ipv4() {
                        pod.to_string()
                    } else {
                        format!("[{pod}]")
                    };
                    let _ = writeln!(text, "{to}{chance} dnat {family} to {pod}:{target}");
                }
            }
            // What no rule translated would go back to the router, which would send it here again.
            let _ = writeln!(
                text,
                "add rule inet lab forward {family} daddr {address} drop"
            );
        }
    }
    text
}

#[cfg(test)]
mod tests;
