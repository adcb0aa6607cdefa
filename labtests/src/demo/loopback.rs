//! `labtests demo --loopback`: the part of the story that needs no namespaces and no rights. A controller, a speaker
//! and another speaker as the router, on addresses of 127.0.0.0/8 and ports above 1024.
//!
//! The router tells how many prefixes its session has brought. Layer 2, traffic and node failure need networks of
//! their own and are not told.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::manifests::{self, Directory, Endpoint};
use crate::node::Ringbolt;
use crate::process::{Daemon, Kept};
use crate::progress::say;
use crate::wait::{holds_for, wait_for};

/// How long anything may take.
const LIMIT: Duration = Duration::from_secs(30);
/// How long "nothing changes" is watched.
const QUIET: Duration = Duration::from_secs(3);
const NODE: &str = "node-1";
const ROUTER: &str = "router";
/// The node's end of the session.
const LOCAL: &str = "127.0.0.2";

struct Stage {
    ringbolt: Ringbolt,
    folder: PathBuf,
    kept: Kept,
    node: Directory,
    router: Directory,
    ports: Ports,
    controller: Option<Daemon>,
    speaker: Option<Daemon>,
    /// Held to the end.
    _router: Option<Daemon>,
}

struct Ports {
    bgp: u16,
    router: u16,
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
pub(super) fn run(ringbolt: Ringbolt) -> Result<ExitCode> {
    let started = Instant::now();
    println!(
        "demo: {}, on loopback, Ringbolt as the router",
        ringbolt.version()?
    );
    let folder = tempfile::Builder::new()
        .prefix("ringbolt-loopback-")
        .tempdir()?;
    let mut stage = Stage::begin(ringbolt, folder.path())?;
    for (number, (title, step)) in (1..).zip(STEPS) {
        say(&format!("{number:2}. {title}"));
        match step(&mut stage) {
            Ok(evidence) => {
                evidence
                    .lines()
                    .for_each(|line| say(&format!("      {line}")));
                println!("    verified");
            }
            Err(error) => {
                println!("    FAILED: {error:#}");
                let kept = folder.keep();
                println!("demo: step {number} failed; logs: {}", kept.display());
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    drop(stage);
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
    fn begin(ringbolt: Ringbolt, folder: &Path) -> Result<Self> {
        let ports = Ports {
            bgp: free_port()?,
            router: free_port()?,
            speaker: free_port()?,
            controller: free_port()?,
        };
        let mut stage = Self {
            node: Directory::create(folder.join("manifests"))?,
            router: Directory::create(folder.join("router"))?,
            ringbolt,
            folder: folder.to_owned(),
            kept: Kept::default(),
            ports,
            controller: None,
            speaker: None,
            _router: None,
        };
        stage.write()?;
        stage._router = Some(stage.start(Part::Router)?);
        stage.controller = Some(stage.start(Part::Controller)?);
        stage.speaker = Some(stage.start(Part::Speaker)?);
        Ok(stage)
    }

    fn write(&self) -> Result<()> {
        let peer = |address: &str, own: u32, theirs: u32, more: Value| {
            let mut spec = json!({
                "myASN": own, "peerASN": theirs, "peerAddress": address, "families": ["IPv4", "IPv6"],
            });
            if let (Some(spec), Some(more)) = (spec.as_object_mut(), more.as_object()) {
                spec.extend(more.clone());
            }
            spec
        };
        let accepts = peer(
            LOCAL,
            64_700,
            64_512,
            json!({"passive": true, "routerID": "192.0.2.254"}),
        );
        self.router.put(
            "router.yaml",
            &[
                manifests::node(ROUTER, &["127.0.0.1".parse()?], &[]),
                manifests::resource("BGPPeer", "node", accepts),
            ],
        )?;
        let dials = json!({
            "peerPort": self.ports.bgp, "sourceAddress": LOCAL, "routerID": "192.0.2.1",
        });
        self.node.put(
            "network.yaml",
            &[
                manifests::node(NODE, &[LOCAL.parse()?], &[]),
                manifests::resource(
                    "BGPPeer",
                    "router",
                    peer("127.0.0.1", 64_512, 64_700, dials),
                ),
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

    /// Waits until the router was told so many prefixes of each family.
    fn told(&self, count: u64) -> Result<String> {
        wait_for(
            &format!("the router has {count} and {count} prefixes"),
            LIMIT,
            || {
                let peer = &status(self.ports.router)?["bgp"]["peers"][0];
                ensure!(
                    peer["state"] == "Established",
                    "the session is {}",
                    peer["state"]
                );
                let counts = &peer["prefixesIn"];
                let wanted = json!({"ipv4": count, "ipv6": count});
                ensure!(*counts == wanted, "it has {counts}");
                Ok(format!(
                    "router: the session with {} is {}; prefixes {counts}",
                    peer["address"], peer["state"]
                ))
            },
        )
    }

    fn start(&self, part: Part) -> Result<Daemon> {
        let mut command = Command::new(self.ringbolt.program());
        let http = |port: u16| format!("127.0.0.1:{port}");
        let (name, directory, port) = match part {
            Part::Controller => ("controller", &self.node, self.ports.controller),
            Part::Speaker => ("speaker", &self.node, self.ports.speaker),
            Part::Router => ("router", &self.router, self.ports.router),
        };
        command.arg(if part == Part::Controller {
            "controller"
        } else {
            "speaker"
        });
        command.args(directory.source().arguments());
        command.args(["--http", &http(port)]);
        match part {
            Part::Controller => {}
            Part::Speaker => {
                command.args(["--node-name", NODE]);
            }
            Part::Router => {
                command.args(["--node-name", ROUTER, "--bgp-listen", &http(self.ports.bgp)]);
            }
        }
        Daemon::start(name, &mut command, &self.folder, &self.kept)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Controller,
    Speaker,
    Router,
}

fn addressed(stage: &mut Stage) -> Result<String> {
    let found = wait_for("addresses", LIMIT, || stage.addresses("web"))?;
    Ok(format!("web: {found:?}"))
}

fn announced(stage: &mut Stage) -> Result<String> {
    stage.told(1)
}

fn another(stage: &mut Stage) -> Result<String> {
    stage.service("more")?;
    stage.told(2)
}

fn deleted(stage: &mut Stage) -> Result<String> {
    stage.node.remove("more.yaml")?;
    stage.told(1)
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
        stage.told(1).map(drop)
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
    let told = stage.told(1)?;
    ensure!(stage.addresses("web")? == before, "an address moved");
    Ok(format!("{told}\nweb: {before:?} as before"))
}
