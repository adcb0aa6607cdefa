//! `labtests demo --loopback`: the part of the story that needs no namespaces and no rights. A controller, a speaker
//! and a router, on addresses of 127.0.0.0/8 and ports above 1024.
//!
//! Layer 2, traffic and node failure need networks of their own and are not told.

mod router;

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ipnet::IpNet;
use serde_json::{Value, json};

use router::LoopbackRouter;

use crate::folder;
use crate::manifests::{self, Directory, Endpoint};
use crate::node::Ringbolt;
use crate::process::{Daemon, Kept};
use crate::progress::say;
use crate::router::RouterKind;
use crate::wait::{holds_for, wait_for};

/// How long anything may take.
const LIMIT: Duration = Duration::from_secs(30);
/// How long "nothing changes" is watched.
const QUIET: Duration = Duration::from_secs(3);
const NODE: &str = "node-1";
const NODE_ASN: u32 = 64_512;
const ROUTER_ASN: u32 = 64_700;
/// The node's end of the session.
const LOCAL: &str = "127.0.0.2";

struct Stage {
    ringbolt: Ringbolt,
    folder: PathBuf,
    kept: Kept,
    node: Directory,
    router: LoopbackRouter,
    ports: Ports,
    controller: Option<Daemon>,
    speaker: Option<Daemon>,
}

struct Ports {
    speaker: u16,
    controller: u16,
}

fn pool(name: &str, addresses: &str) -> Value {
    manifests::resource("IPAddressPool", name, json!({"addresses": [addresses]}))
}

fn advertisement(pool: &str, next_hop: &str) -> Value {
    let spec = json!({"ipAddressPools": [pool], "nextHop": next_hop});
    manifests::resource("BGPAdvertisement", pool, spec)
}

type Step = (&'static str, fn(&mut Stage) -> Result<String>);

const STEPS: &[Step] = &[
    ("a Service gets an address of each family", addressed),
    ("the router has a session, and the routes", announced),
    ("another Service: the router is told of it", another),
    ("a Service is deleted: its routes are withdrawn", deleted),
    (
        "a broken manifest is named, and nothing else changes",
        broken,
    ),
    (
        "controller and speaker are restarted: no address moves",
        restarted,
    ),
];

/// Tells the story.
pub(super) fn run(ringbolt: Ringbolt, kind: RouterKind) -> Result<ExitCode> {
    let started = Instant::now();
    println!("demo: {}, on loopback", ringbolt.version()?);
    let folder = folder::create("loopback")?;
    let mut stage = Stage::begin(ringbolt, &folder, kind)?;
    println!(
        "demo: {} is the router",
        stage.router.version(&stage.ringbolt)?
    );
    println!(
        "demo: next hops lead nowhere here; a router that looks keeps the routes as unreachable"
    );
    for (number, (title, step)) in (1..).zip(STEPS) {
        say(&format!("{number:2}. {title}"));
        let outcome = step(&mut stage);
        match outcome.and_then(|evidence| stage.router.check_alive().map(|()| evidence)) {
            Ok(evidence) => {
                evidence
                    .lines()
                    .for_each(|line| say(&format!("      {line}")));
                println!("    verified");
            }
            Err(error) => {
                println!("    FAILED: {error:#}");
                println!("demo: step {number} failed; logs: {}", folder.display());
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    drop(stage);
    fs::remove_dir_all(&folder)?;
    let count = STEPS.len();
    println!("demo: took {:.0} s", started.elapsed().as_secs_f64());
    println!("demo: {count} of {count} steps verified, on loopback");
    Ok(ExitCode::SUCCESS)
}

/// A port nobody listens on at this moment.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

impl Stage {
    fn begin(ringbolt: Ringbolt, folder: &Path, kind: RouterKind) -> Result<Self> {
        let kept = Kept::default();
        let router = LoopbackRouter::start(kind, &ringbolt, folder, &kept)?;
        let ports = Ports {
            speaker: free_port()?,
            controller: free_port()?,
        };
        let mut stage = Self {
            node: Directory::create(folder.join("manifests"))?,
            router,
            ringbolt,
            folder: folder.to_owned(),
            kept,
            ports,
            controller: None,
            speaker: None,
        };
        stage.write()?;
        stage.controller = Some(stage.start(Part::Controller)?);
        stage.speaker = Some(stage.start(Part::Speaker)?);
        Ok(stage)
    }

    fn write(&self) -> Result<()> {
        let peer = json!({
            "myASN": NODE_ASN, "peerASN": ROUTER_ASN, "families": ["IPv4", "IPv6"], "routerID": "192.0.2.1",
            "peerAddress": self.router.address(), "peerPort": self.router.port(), "sourceAddress": LOCAL,
        });
        self.node.put(
            "network.yaml",
            &[
                manifests::node(NODE, &[LOCAL.parse()?], &[]),
                manifests::resource("BGPPeer", "router", peer),
                pool("v4", "192.0.2.64/28"),
                pool("v6", "2001:db8:64::/120"),
                // Nobody can be reached by way of a loopback address, and no router believes it.
                advertisement("v4", "192.0.2.1"),
                advertisement("v6", "2001:db8::1"),
            ],
        )?;
        self.service("web")
    }

    /// A Service of each family, with an endpoint.
    fn service(&self, name: &str) -> Result<()> {
        let mut objects = Vec::new();
        let endpoint = Endpoint {
            addresses: ["10.1.1.2".parse()?, "fd00:1::2".parse()?],
            node: NODE.to_owned(),
        };
        for (family, pool) in [("IPv4", "v4"), ("IPv6", "v6")] {
            let name = format!("{name}-{pool}");
            objects.push(json!({
                "apiVersion": "v1", "kind": "Service",
                "metadata": {
                    "namespace": "default", "name": name,
                    "annotations": {"ringbolt.io/address-pool": pool},
                },
                "spec": {
                    "type": "LoadBalancer", "ipFamilies": [family], "selector": {"app": name},
                    "ports": [{"name": "tcp", "port": 80, "protocol": "TCP"}],
                },
            }));
            let slices =
                manifests::endpoint_slices("default", &name, std::slice::from_ref(&endpoint));
            objects.extend(
                slices
                    .into_iter()
                    .filter(|slice| slice["addressType"] == family),
            );
        }
        self.node.put(&format!("{name}.yaml"), &objects)
    }

    /// The addresses of the two Services of a name.
    fn addresses(&self, name: &str) -> Result<Vec<IpAddr>> {
        let pools = ["v4", "v6"];
        let found = pools.map(|pool| self.node.addresses("default", &format!("{name}-{pool}")));
        let found: Vec<_> = found.into_iter().flatten().collect();
        ensure!(found.len() == 2, "{name} has {found:?}");
        Ok(found)
    }

    /// Waits until the router has the addresses of these Services, and nothing else.
    fn told(&self, names: &[&str]) -> Result<String> {
        let wanted = format!("the router has the addresses of {}", names.join(" and "));
        wait_for(&wanted, LIMIT, || {
            let mut prefixes = BTreeSet::new();
            for name in names {
                prefixes.extend(self.addresses(name)?.into_iter().map(IpNet::from));
            }
            self.router.has(&prefixes)
        })
    }

    fn start(&self, part: Part) -> Result<Daemon> {
        let mut command = Command::new(self.ringbolt.program());
        let (name, port) = match part {
            Part::Controller => ("controller", self.ports.controller),
            Part::Speaker => ("speaker", self.ports.speaker),
        };
        command.arg(name).args(self.node.source().arguments());
        command.args(["--http", &format!("127.0.0.1:{port}")]);
        if part == Part::Speaker {
            command.args(["--node-name", NODE]);
        }
        Daemon::start(name, &mut command, &self.folder, &self.kept)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Controller,
    Speaker,
}

fn addressed(stage: &mut Stage) -> Result<String> {
    let found = wait_for("addresses", LIMIT, || stage.addresses("web"))?;
    Ok(format!("web: {found:?}"))
}

fn announced(stage: &mut Stage) -> Result<String> {
    stage.told(&["web"])
}

fn another(stage: &mut Stage) -> Result<String> {
    stage.service("more")?;
    stage.told(&["web", "more"])
}

fn deleted(stage: &mut Stage) -> Result<String> {
    stage.node.remove("more.yaml")?;
    stage.told(&["web"])
}

fn broken(stage: &mut Stage) -> Result<String> {
    let before = stage.addresses("web")?;
    let text = "apiVersion: ringbolt.io/v1beta1\nkind: IPAddressPool\nmetadata:\n  name: broken\nspec:\n  \
                addresses: [198.51.100.0/28]\n  autoAsign: false\n";
    stage.node.put_text("broken.yaml", text)?;
    let folder = stage.node.path().display().to_string();
    let mut validate = Command::new(stage.ringbolt.program());
    let said = validate.args(["validate", "-f", &folder]).output()?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let line = said.lines().find(|line| line.contains("broken.yaml:7"));
    let line = line.with_context(|| format!("no line of the file in:\n{said}"))?;
    holds_for("nothing else changes", QUIET, || {
        ensure!(stage.addresses("web")? == before, "an address moved");
        stage.told(&["web"]).map(drop)
    })?;
    stage.node.remove("broken.yaml")?;
    Ok(line.replace(&format!("{folder}/"), ""))
}

fn restarted(stage: &mut Stage) -> Result<String> {
    let before = stage.addresses("web")?;
    for daemon in [&mut stage.controller, &mut stage.speaker] {
        if let Some(mut old) = daemon.take() {
            old.terminate(LIMIT)?;
        }
    }
    stage.controller = Some(stage.start(Part::Controller)?);
    stage.speaker = Some(stage.start(Part::Speaker)?);
    let told = stage.told(&["web"])?;
    ensure!(stage.addresses("web")? == before, "an address moved");
    Ok(format!("{told}\nweb: {before:?} as before"))
}
