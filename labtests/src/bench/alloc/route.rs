//! From a Service to its route in a router: a speaker on a node of its own, BIRD as its neighbour, beside a bare
//! client with a bare BGP session that announces what its watch shows and decides nothing.
//!
//! BIRD exports what it learns to the kernel of its namespace as soon as it has chosen it, and the kernel tells
//! whoever listens: `ip monitor route` prints a line, and the clock is read when the line is. That is later than
//! BIRD's own table by some tens of microseconds, for both sides alike.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use kube::api::{DynamicObject, ListParams, PostParams};
use serde_json::json;

use super::super::originate::percentile;
use super::super::report::{Line, Reference, Target};
use super::super::usage;
use super::burst::fill;
use super::client::{self, Class, SPACE, Sightings};
use super::stage::{LIMIT, Stage};
use crate::bird::Bird;
use crate::kubelab::{NodeSpec, Resource, User};
use crate::lab::{Lab, link};
use crate::netns::Netns;
use crate::node::Ringbolt;
use crate::place::Source;
use crate::process::Daemon;
use crate::progress::say;
use crate::router::{Neighbour, RouterSetup, established};
use crate::wait::{holds_for, wait_for};
use announcer::Announcer;
use monitor::Monitor;

mod announcer;
mod monitor;

/// Single Services, one after the other.
const SINGLES: usize = 100;
/// How many others hold addresses in the second half.
const HELD: usize = 5_000;
/// Longer than BIRD waits after an error before it listens to a neighbour again.
const BIRD_FORGIVES: Duration = Duration::from_secs(4);
/// The longest that one route may take.
const PATIENCE: Duration = Duration::from_secs(30);
const NODE: &str = "bench";
const NODE_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 99, 1, 1);
const NODE_ASN: u32 = 65001;
const BARE_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 99, 1, 3);
const BARE_ASN: u16 = 65003;
const ROUTER_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 99, 1, 2);
const ROUTER_ASN: u32 = 65002;

/// Seconds of single Services.
#[derive(Debug, Default)]
struct Times {
    created_to_address: Vec<f64>,
    address_to_route: Vec<f64>,
    created_to_route: Vec<f64>,
}

/// The daemons come first: they end before their namespaces.
struct Rack {
    speaker: Option<Daemon>,
    router: Bird,
    monitor: Monitor,
    node: Netns,
    lab: Lab,
}

pub(super) fn measure(stage: &mut Stage, ringbolt: &Ringbolt) -> Result<Vec<Line>> {
    stage.put_pool()?;
    put_slices(stage)?;
    let mut rack = Rack::build(stage)?;
    rack.start_speaker(stage, ringbolt)?;
    let mut lines = Vec::new();
    for held in [0, HELD] {
        say(&format!("routes of single Services, {held} others"));
        if held > 0 {
            fill(stage, Class::Ours, held)?;
            rack.monitor.until(held, PATIENCE)?;
        }
        let ours = rack.singles(stage, Class::Ours, held)?;
        let bare = rack.singles(stage, Class::Bare, held)?;
        lines.extend(times(held, &ours, &bare));
    }
    let speaker = rack.speaker.as_ref().context("a speaker runs")?.pid();
    let speaker = usage::peak_kib(&[speaker])?;
    lines.push(memory(&format!("speaker, {HELD} held"), speaker)?);
    lines.push(rack.restart(stage, ringbolt)?);
    drop(rack.speaker.take());
    rack.lab.succeeded();
    Ok(lines)
}

/// A line about peak memory.
pub(super) fn memory(case: &str, kib: u64) -> Result<Line> {
    Ok(Line {
        case: case.to_owned(),
        metric: "peak-rss",
        unit: "MiB",
        ours: f64::from(u32::try_from(kib)?) / 1024.0,
        reference: None,
        target: Target::Absolute(40.0),
    })
}

fn times(held: usize, ours: &Times, bare: &Times) -> Vec<Line> {
    type Part = fn(&Times) -> &Vec<f64>;
    let line = |case: &str, of: Part, metric, part, target| Line {
        case: format!("{case}, {held} held"),
        metric,
        unit: "ms",
        ours: percentile(of(ours), part) * 1e3,
        reference: Some(Reference {
            value: percentile(of(bare), part) * 1e3,
            name: "bare client".to_owned(),
        }),
        target,
    };
    let rows: [(&str, Part, [Target; 2]); 3] = [
        (
            "created -> address",
            |times| &times.created_to_address,
            [Target::Absolute(6.0), Target::Absolute(15.0)],
        ),
        (
            "address -> BIRD",
            |times| &times.address_to_route,
            [Target::Absolute(2.0), Target::Absolute(5.0)],
        ),
        (
            "created -> BIRD",
            |times| &times.created_to_route,
            [Target::Absolute(8.0), Target::Absolute(20.0)],
        ),
    ];
    let lines = rows.into_iter().flat_map(|(case, of, [p50, p99])| {
        [
            line(case, of, "p50", 0.5, p50),
            line(case, of, "p99", 0.99, p99),
        ]
    });
    lines.collect()
}

impl Rack {
    fn build(stage: &Stage) -> Result<Self> {
        let mut lab = Lab::new("route")?;
        let (node, tor) = (lab.host("node")?, lab.host("tor")?);
        link(&node, "rack0", &tor, "eth0")?;
        for address in [NODE_ADDRESS, BARE_ADDRESS] {
            node.ip(&format!("addr add {address}/24 dev rack0"))?;
        }
        tor.ip(&format!("addr add {ROUTER_ADDRESS}/24 dev eth0"))?;
        stage.plane.plug(&node)?;
        stage.plane.put_node(&NodeSpec {
            name: NODE,
            addresses: &[NODE_ADDRESS.into()],
            pod_cidrs: &[],
            labels: &[],
        })?;
        let neighbour = |name: &str, address: Ipv4Addr, asn| Neighbour {
            name: name.to_owned(),
            address: address.into(),
            asn,
            password: None,
        };
        let setup = RouterSetup {
            asn: ROUTER_ASN,
            id: ROUTER_ADDRESS,
            address: ROUTER_ADDRESS.into(),
            neighbours: vec![
                neighbour(NODE, NODE_ADDRESS, NODE_ASN),
                neighbour("bare", BARE_ADDRESS, BARE_ASN.into()),
            ],
        };
        let router = Bird::start(&tor, &setup, lab.folder(), lab.kept())?;
        let monitor = Monitor::start(&tor)?;
        let peer = json!({
            "myASN": NODE_ASN, "peerASN": ROUTER_ASN, "peerAddress": ROUTER_ADDRESS,
            "connectTime": "1s",
        });
        let objects = [
            crate::manifests::resource("BGPPeer", "tor", peer),
            crate::manifests::resource(
                "BGPAdvertisement",
                SPACE,
                json!({"ipAddressPools": [SPACE]}),
            ),
        ];
        for object in &objects {
            stage.plane.apply(object)?;
        }
        Ok(Self {
            speaker: None,
            router,
            monitor,
            node,
            lab,
        })
    }

    fn start_speaker(&mut self, stage: &Stage, ringbolt: &Ringbolt) -> Result<()> {
        let source = Source::Kubernetes {
            kubeconfig: stage.plane.kubeconfig(User::Admin),
            state: None,
        };
        let (folder, kept) = (self.lab.folder(), self.lab.kept());
        let speaker = ringbolt.quiet_speaker(&self.node, NODE, &source, folder, kept)?;
        self.speaker = Some(speaker);
        wait_for("the session is up", PATIENCE, || {
            established(&self.router, &[NODE_ADDRESS.into()])
        })
    }

    fn singles(&mut self, stage: &Stage, class: Class, first: usize) -> Result<Times> {
        let services = stage.services()?;
        let client = stage.plane.client(User::Admin)?;
        let mut session = match class {
            Class::Ours | Class::Other => None,
            Class::Bare => {
                let dial = || Announcer::dial(&self.node, BARE_ADDRESS, BARE_ASN, ROUTER_ADDRESS);
                Some(wait_for("the bare session", PATIENCE, dial)?)
            }
        };
        let monitor = &mut self.monitor;
        let times = stage.plane.run(async {
            let mut seen = Sightings::begin(&services).await?;
            let mut times = Times::default();
            for number in first..first + SINGLES {
                let service = client::service(class, number)?;
                let name = client::name(number);
                let created = Instant::now();
                let object = services.create(&PostParams::default(), &service).await?;
                if class == Class::Bare {
                    // It goes by what it is told, too.
                    while seen.next().await?.name != name {}
                    client::serve(&services, &client, &object, client::address(number)).await?;
                }
                let (address, given) = loop {
                    let sighting = seen.next().await?;
                    if let (true, Some(address)) = (sighting.name == name, sighting.address) {
                        break (address.parse()?, sighting.at);
                    }
                };
                if let Some(session) = &mut session {
                    session.announce(address)?;
                }
                let there = monitor.route(address, PATIENCE)?;
                let since = |from: Instant| there.saturating_duration_since(from).as_secs_f64();
                times
                    .created_to_address
                    .push((given - created).as_secs_f64());
                times.address_to_route.push(since(given));
                times.created_to_route.push(since(created));
            }
            let created = services.list(&ListParams::default()).await?.items;
            let ours = |object: &DynamicObject| {
                let name = object.metadata.name.as_deref();
                (first..first + SINGLES).any(|number| name == Some(&client::name(number)))
            };
            client::delete(&services, created.into_iter().filter(ours).collect()).await?;
            anyhow::Ok(times)
        })??;
        wait_for("they are gone", LIMIT, || {
            let left = stage.plane.list(&Resource::service(), Some(SPACE))?;
            ensure!(left.len() <= first, "{} are left", left.len());
            Ok(())
        })?;
        drop(session);
        // Routes that go are not to be in the way of the next that come.
        holds_for("all is quiet", BIRD_FORGIVES, || Ok(()))?;
        self.monitor.forget_past();
        Ok(times)
    }

    /// A speaker that dies and is started again, until its last route is back.
    fn restart(&mut self, stage: &Stage, ringbolt: &Ringbolt) -> Result<Line> {
        let mut speaker = self.speaker.take().context("a speaker runs")?;
        speaker.kill()?;
        holds_for("BIRD forgives", BIRD_FORGIVES, || Ok(()))?;
        self.monitor.forget_past();
        let started = Instant::now();
        self.start_speaker(stage, ringbolt)?;
        self.monitor.until(HELD, LIMIT)?;
        Ok(Line {
            case: format!("speaker starts, {HELD} held"),
            metric: "time",
            unit: "s",
            ours: started.elapsed().as_secs_f64(),
            reference: None,
            target: Target::Absolute(1.0),
        })
    }
}

/// An endpoint on the node for every Service that will be: none is announced without.
fn put_slices(stage: &Stage) -> Result<()> {
    let client = stage.plane.client(User::Admin)?;
    let slices = Resource::endpoint_slice().api(client, Some(SPACE));
    let slice = |number| -> Result<DynamicObject> {
        let name = client::name(number);
        Ok(serde_json::from_value(json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {
                "namespace": SPACE, "name": name,
                "labels": {"kubernetes.io/service-name": name},
            },
            "addressType": "IPv4",
            "ports": [{"protocol": "TCP", "port": 80}],
            "endpoints": [{
                "addresses": ["10.244.0.10"], "nodeName": NODE,
                "conditions": {"ready": true, "serving": true, "terminating": false},
            }],
        }))?)
    };
    let objects = (0..HELD + SINGLES).map(slice).collect::<Result<_>>()?;
    stage.plane.run(client::create_all(&slices, objects))??;
    Ok(())
}
