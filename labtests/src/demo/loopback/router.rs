//! The router of a story on loopback: BIRD, which needs no rights as long as it installs nothing, or another Ringbolt
//! speaker, which tells how many prefixes its session has brought and not which.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ipnet::IpNet;
use serde_json::{Value, json};

use super::{LOCAL, NODE_ASN, ROUTER_ASN, free_port};
use crate::bird::Bird;
use crate::manifests::{self, Directory};
use crate::node::Ringbolt;
use crate::process::{Daemon, Kept};
use crate::router::{Router as _, RouterKind};

/// Where it waits for the node.
const ADDRESS: &str = "127.0.0.1";
const ID: &str = "192.0.2.254";
const NAME: &str = "router";

/// A running router.
pub(super) struct LoopbackRouter {
    port: u16,
    speaks: Speaks,
}

enum Speaks {
    Bird(Bird),
    Ringbolt { daemon: Daemon, http: u16 },
}

impl LoopbackRouter {
    /// Starts the wanted router or, where that cannot be, the one that is always there, and says so.
    pub(super) fn start(
        kind: RouterKind,
        ringbolt: &Ringbolt,
        folder: &Path,
        kept: &Kept,
    ) -> Result<Self> {
        let why = match kind {
            RouterKind::Ringbolt => return Self::ringbolt(ringbolt, folder, kept),
            RouterKind::Frr => "FRR needs root and a network of its own".to_owned(),
            RouterKind::Bird => match Self::bird(folder, kept) {
                Ok(router) => return Ok(router),
                Err(error) => {
                    let error = format!("{error:#}").replace('\n', "; ");
                    format!("BIRD does not run here ({error})")
                }
            },
        };
        println!("demo: {why}; Ringbolt is the router");
        Self::ringbolt(ringbolt, folder, kept)
    }

    fn bird(folder: &Path, kept: &Kept) -> Result<Self> {
        let port = free_port()?;
        let bird = Bird::start_here("bird", &configuration(port), folder, kept)?;
        let speaks = Speaks::Bird(bird);
        Ok(Self { port, speaks })
    }

    fn ringbolt(ringbolt: &Ringbolt, folder: &Path, kept: &Kept) -> Result<Self> {
        let (port, http) = (free_port()?, free_port()?);
        let directory = Directory::create(folder.join("router"))?;
        let spec = json!({
            "myASN": ROUTER_ASN, "peerASN": NODE_ASN, "peerAddress": LOCAL, "families": ["IPv4", "IPv6"],
            "passive": true, "routerID": ID,
        });
        let node = manifests::node(NAME, &[ADDRESS.parse()?], &[]);
        let peer = manifests::resource("BGPPeer", "node", spec);
        directory.put("router.yaml", &[node, peer])?;
        let mut command = Command::new(ringbolt.program());
        command
            .arg("speaker")
            .args(directory.source().arguments())
            .args(["--node-name", NAME])
            .args(["--bgp-listen", &format!("{ADDRESS}:{port}")])
            .args(["--http", &format!("{ADDRESS}:{http}")]);
        let daemon = Daemon::start(NAME, &mut command, folder, kept)?;
        let speaks = Speaks::Ringbolt { daemon, http };
        Ok(Self { port, speaks })
    }

    /// Name and version, as the program prints them.
    pub(super) fn version(&self, ringbolt: &Ringbolt) -> Result<String> {
        match &self.speaks {
            Speaks::Bird(bird) => bird.version(),
            Speaks::Ringbolt { .. } => ringbolt.version(),
        }
    }

    /// Where to dial.
    pub(super) fn address(&self) -> &'static str {
        ADDRESS
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn check_alive(&mut self) -> Result<()> {
        match &mut self.speaks {
            Speaks::Bird(bird) => bird.check_alive(),
            Speaks::Ringbolt { daemon, .. } => daemon.check_alive(),
        }
    }

    /// Succeeds when its session is there and has brought exactly these prefixes, or as many of each family; returns
    /// what it says.
    pub(super) fn has(&self, wanted: &BTreeSet<IpNet>) -> Result<String> {
        match &self.speaks {
            Speaks::Bird(bird) => {
                let state = bird.sessions()?.remove(&LOCAL.parse::<IpAddr>()?);
                let state = state.unwrap_or_else(|| "absent".to_owned());
                ensure!(state == "Established", "the session is {state}");
                let found = bird.prefixes()?;
                ensure!(found == *wanted, "it has {found:?}, not {wanted:?}");
                let shown = wanted.iter().map(|prefix| bird.shown(*prefix));
                let shown: Vec<String> = shown.collect::<Result<_>>()?;
                Ok(format!(
                    "bird: the session with {LOCAL} is {state}\n{}",
                    shown.join("\n")
                ))
            }
            Speaks::Ringbolt { http, .. } => {
                let peer = &status(*http)?["bgp"]["peers"][0];
                let state = &peer["state"];
                ensure!(state == "Established", "the session is {state}");
                let v4 = wanted.iter().filter(|prefix| prefix.addr().is_ipv4());
                let v4 = v4.count();
                let v6 = wanted.len() - v4;
                let counts = &peer["prefixesIn"];
                ensure!(
                    *counts == json!({"ipv4": v4, "ipv6": v6}),
                    "it has {counts}"
                );
                Ok(format!(
                    "ringbolt: the session with {} is {state}; prefixes {counts}",
                    peer["address"]
                ))
            }
        }
    }
}

/// A BIRD that touches neither the kernel's routes nor a port that is reserved. Its next hops lead nowhere, and
/// `multihop` lets it keep the routes all the same.
fn configuration(port: u16) -> String {
    format!(
        "log stderr all;\nrouter id {ID};\nprotocol device {{ }}\n\
         protocol bgp node {{\n  local {ADDRESS} port {port} as {ROUTER_ASN};\n  neighbor {LOCAL} as {NODE_ASN};\n\
         \x20 strict bind yes;\n  passive yes;\n  multihop;\n  error wait time 1, 2;\n\
         \x20 ipv4 {{ import all; export none; }};\n  ipv6 {{ import all; export none; }};\n}}\n"
    )
}

/// `/status` of a daemon.
fn status(port: u16) -> Result<Value> {
    let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let limit = Duration::from_secs(2);
    let mut stream = TcpStream::connect_timeout(&to, limit)?;
    stream.set_read_timeout(Some(limit))?;
    write!(stream, "GET /status HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let (_, body) = text.split_once("\r\n\r\n").context("no HTTP answer")?;
    Ok(serde_json::from_str(body)?)
}
