//! A speaker that is killed and started again while its API server is gone: a router and a client on a segment see
//! the routes and addresses of its last view, nothing beyond them, and no movement when the server is back
//! (contracts 4.3 and 4.5).
//!
//! ```text
//!   router 10.171.0.2 ── rack0 10.171.0.1 ┐
//!                                         ├ namespace of the plane: the speaker, beside two API servers
//!   desk   10.172.0.2 ── seg0  10.172.0.1 ┘
//! ```
//!
//! The speaker asks the second API server alone; the controller and whoever changes Services meanwhile use the first.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use ipnet::IpNet;
use serde_json::json;

use super::faults::controller;
use super::scenarios;
use super::stage::{LIMIT, QUIET, Stage};
use crate::bird::Bird;
use crate::kubelab::{ControlPlane, KubeLab, NodeSpec, Options, PodSpec, Resource, User};
use crate::lab::{Lab, link};
use crate::netns::Netns;
use crate::node::{CONTROLLER_HTTP, SPEAKER_HTTP, status};
use crate::process::Daemon;
use crate::router::{Neighbour, Router, RouterSetup, Table};
use crate::scenario::KubeScenario;
use crate::wait::{holds_for, wait_for};

pub(in crate::scenario) const LAST_VIEW: &[KubeScenario] =
    scenarios![self::a_speaker_without_its_server_announces_its_last_view];

const NODE: &str = "view-node";
const NODE_ASN: u32 = 64_513;
const ROUTER_ASN: u32 = 64_512;
const RACK: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 171, 0, 1), Ipv4Addr::new(10, 171, 0, 2)];
const SEGMENT: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 172, 0, 1), Ipv4Addr::new(10, 172, 0, 2)];
const POOL: &str = "10.172.0.100-10.172.0.103";
const POOL_OCTETS: RangeInclusive<u8> = 100..=103;
/// Of the pod behind all Services.
const POD: Ipv4Addr = Ipv4Addr::new(10, 173, 0, 2);
/// A controller that nobody takes turns with need not wait for a lease.
const ALONE: &[&str] = &["--leader-election", "false"];
/// The desk asks for a neighbour twice and then says that there is none.
const BRISK: &[(&str, &str)] = &[
    ("net.ipv4.neigh.seg0.mcast_solicit", "2"),
    ("net.ipv4.neigh.seg0.retrans_time_ms", "200"),
];
const PATIENCE: Duration = Duration::from_secs(10);
/// What a speaker asks a dead server for comes back slowly: its pace grows to half a minute.
const HEARD_AGAIN: Duration = Duration::from_secs(60);

/// The wires, who sits at their far ends, and what the speaker needs in files. The router's daemon ends first.
struct Around {
    bird: Bird,
    desk: Netns,
    state: PathBuf,
    key: PathBuf,
    lab: Lab,
}

impl Around {
    fn build(plane: &ControlPlane) -> Result<Self> {
        let mut lab = Lab::new("last-view")?;
        let (router, desk) = (lab.host("router")?, lab.host("desk")?);
        for (far, name, wire) in [(&router, "rack0", RACK), (&desk, "seg0", SEGMENT)] {
            let [near_address, far_address] = wire;
            link(plane.space(), name, far, name)?;
            let near = plane.space();
            near.ip(&format!("addr add {near_address}/24 dev {name}"))?;
            far.ip(&format!("addr add {far_address}/24 dev {name}"))?;
        }
        desk.sysctls(BRISK)?;
        let setup = RouterSetup {
            asn: ROUTER_ASN,
            id: RACK[1],
            address: RACK[1].into(),
            neighbours: vec![Neighbour {
                name: NODE.to_owned(),
                address: RACK[0].into(),
                asn: NODE_ASN,
                password: None,
            }],
        };
        let key = lab.folder().join("key");
        fs::write(&key, format!("1 {}\n", "5e".repeat(32)))?;
        Ok(Self {
            bird: Bird::start(&router, &setup, lab.folder(), lab.kept())?,
            desk,
            state: lab.folder().join("state"),
            key,
            lab,
        })
    }

    fn start_speaker(
        &self,
        lab: &KubeLab,
        plane: &ControlPlane,
        kubeconfig: &Path,
    ) -> Result<Daemon> {
        let text = |path: &Path| {
            let readable = path.to_str().context("a path with a readable name")?;
            anyhow::Ok(readable.to_owned())
        };
        let (state, key) = (text(&self.state)?, text(&self.key)?);
        let flags = [
            "speaker",
            "--node-name",
            NODE,
            "--state-dir",
            &state,
            "--key-file",
            &key,
        ];
        plane.start_ringbolt(lab.ringbolt(), "speaker", kubeconfig, &flags)
    }

    /// Succeeds when the router has learned exactly these addresses.
    fn routes(&self, wanted: &BTreeSet<Ipv4Addr>) -> Result<()> {
        let Table::Routes(found) = self.bird.table()? else {
            bail!("BIRD shows its routes");
        };
        let wanted: BTreeSet<IpNet> = wanted
            .iter()
            .map(|address| IpAddr::from(*address).into())
            .collect();
        ensure!(
            found.keys().copied().collect::<BTreeSet<_>>() == wanted,
            "the router has {found:?}"
        );
        Ok(())
    }

    /// Waits until exactly these addresses are announced, to the router and on the segment.
    fn wait(&self, which: &str, wanted: &BTreeSet<Ipv4Addr>) -> Result<()> {
        let what = format!("the router has the addresses {which}");
        wait_for(&what, LIMIT, || self.routes(wanted))?;
        let what = format!("the segment has the addresses {which}");
        wait_for(&what, LIMIT, || {
            let found = self.answered()?;
            ensure!(found == *wanted, "somebody answers for {found:?}");
            Ok(())
        })
    }

    /// What changes when the session or a route of these addresses (`None`: any route, in or out) moves: when they
    /// were learned, and how much the session has brought and taken.
    fn movements(&self, of: Option<[Ipv4Addr; 2]>) -> Result<String> {
        let session = self.bird.birdc("show protocols n0")?;
        let line = session.lines().find(|line| line.starts_with("n0 "));
        let mut told = vec![line.context("BIRD shows no session")?.to_owned()];
        let Some(addresses) = of else {
            told.push(self.bird.birdc("show route")?);
            let session = self.bird.birdc("show protocols all n0")?;
            let counts = ["Import updates:", "Import withdraws:"].map(|word| {
                let line = session.lines().find(|line| line.contains(word));
                line.with_context(|| format!("BIRD shows no `{word}`:\n{session}"))
                    .map(str::to_owned)
            });
            for count in counts {
                told.push(count?);
            }
            return Ok(told.join("\n"));
        };
        for address in addresses {
            told.push(self.bird.birdc(&format!("show route for {address}/32"))?);
        }
        Ok(told.join("\n"))
    }

    /// Succeeds when the speaker's view of Services is on disk, with the last of them.
    fn has_view(&self) -> Result<()> {
        let file = self.state.join("view-services.jsonl");
        let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        ensure!(text.contains(LEAVING), "it holds:\n{text}");
        Ok(())
    }

    /// The addresses of the pool that somebody on the segment answers for, by the client's own cache.
    fn answered(&self) -> Result<BTreeSet<Ipv4Addr>> {
        self.desk.ip("neigh flush dev seg0")?;
        self.desk.inside(|| {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
            for last in POOL_OCTETS {
                // Whether anybody listens does not matter: the kernel asks for the neighbour.
                socket.send_to(b"?", (Ipv4Addr::new(10, 172, 0, last), 9))?;
            }
            std::io::Result::Ok(())
        })??;
        let found = wait_for("the client's kernel has asked", PATIENCE, || {
            let text = self.desk.ip("neigh show dev seg0")?;
            ensure!(!text.contains("INCOMPLETE"), "it is asking:\n{text}");
            Ok(text)
        })?;
        let lines = found.lines().filter(|line| line.contains("lladdr"));
        Ok(lines
            .filter_map(|line| line.split_whitespace().next()?.parse().ok())
            .collect())
    }
}

/// The Services there are when the speaker loses its server, and what becomes of them.
struct Services {
    /// Stay what they are.
    staying: [Ipv4Addr; 2],
    /// Is deleted while the speaker cannot see it.
    leaving: Ipv4Addr,
    /// Is created meanwhile.
    coming: Option<Ipv4Addr>,
}

const LEAVING: &str = "short-lived";

impl Services {
    fn create(stage: &Stage<'_>) -> Result<Self> {
        let create = |name: &str| -> Result<Ipv4Addr> {
            stage.service(name, &json!({"selector": {"app": "all"}}))?;
            Ok(stage.address(name)?.parse()?)
        };
        Ok(Self {
            staying: [create("web")?, create("mail")?],
            leaving: create(LEAVING)?,
            coming: None,
        })
    }

    /// One goes, one comes.
    fn change(&mut self, stage: &Stage<'_>) -> Result<()> {
        stage.delete(LEAVING)?;
        stage.service("newcomer", &json!({"selector": {"app": "all"}}))?;
        self.coming = Some(stage.address("newcomer")?.parse()?);
        stage.gone(LEAVING)
    }

    fn before(&self) -> BTreeSet<Ipv4Addr> {
        self.staying.into_iter().chain([self.leaving]).collect()
    }

    fn after(&self) -> BTreeSet<Ipv4Addr> {
        self.staying.into_iter().chain(self.coming).collect()
    }
}

fn a_speaker_without_its_server_announces_its_last_view(lab: &KubeLab) -> Result<()> {
    let mut plane = lab.fresh("last-view", &Options::default())?;
    let mut around = Around::build(&plane)?;
    let stage = Stage::new(&plane, "last-view", &[POOL])?;
    configure(&plane, &stage)?;
    let server = plane.second_api_server(&[])?;
    let kubeconfig = server.kubeconfig(User::Admin);
    let allocator = controller(lab, &plane, "controller", CONTROLLER_HTTP, ALONE)?;
    let mut services = Services::create(&stage)?;
    told_how_many(&plane)?;

    let mut speaker = around.start_speaker(lab, &plane, &kubeconfig)?;
    around.wait("of all Services", &services.before())?;
    wait_for("the view is written", LIMIT, || around.has_view())?;

    server.kill()?;
    speaker.kill()?;
    wait_for("the router has lost everything", LIMIT, || {
        around.routes(&BTreeSet::new())
    })?;
    services.change(&stage)?;

    let mut speaker = around.start_speaker(lab, &plane, &kubeconfig)?;
    around.wait("of the last view", &services.before())?;
    let said = status(plane.space(), SPEAKER_HTTP)?;
    ensure!(
        said["phase"] == "Restored",
        "its phase is {}",
        said["phase"]
    );
    let still = around.movements(None)?;
    holds_for("nothing is added or withdrawn", QUIET, || {
        let found = around.movements(None)?;
        ensure!(found == still, "before:\n{still}\nthen:\n{found}");
        Ok(())
    })?;

    let still = around.movements(Some(services.staying))?;
    server.start()?;
    wait_for("the router has what there is", HEARD_AGAIN, || {
        around.routes(&services.after())
    })?;
    let found = around.movements(Some(services.staying))?;
    ensure!(found == still, "before:\n{still}\nthen:\n{found}");
    around.wait("of what there is", &services.after())?;
    speaker.check_alive()?;
    drop((speaker, allocator, server));
    around.lab.succeeded();
    plane.succeeded();
    Ok(())
}

/// The node with a pod that every Service selects, and how its addresses are announced: by BGP and on the segment.
fn configure(plane: &ControlPlane, stage: &Stage<'_>) -> Result<()> {
    plane.put_node(&NodeSpec {
        name: NODE,
        addresses: &[RACK[0].into()],
        pod_cidrs: &[],
        labels: &[],
    })?;
    plane.put_pod(&PodSpec {
        namespace: &stage.space,
        name: "pod",
        node: NODE,
        labels: &[("app", "all")],
        addresses: &[POD.into()],
        service_account: None,
    })?;
    let pools = json!({"ipAddressPools": [stage.space]});
    let mut layer2 = pools.clone();
    layer2["interfaces"] = json!(["seg0"]);
    let peer = json!({
        "myASN": NODE_ASN, "peerASN": ROUTER_ASN, "peerAddress": RACK[1], "connectTime": "1s",
    });
    for (kind, spec) in [
        ("BGPPeer", peer),
        ("BGPAdvertisement", pools),
        ("L2Advertisement", layer2),
    ] {
        plane.apply(&json!({
            "apiVersion": "ringbolt.io/v1beta1", "kind": kind,
            "metadata": {"name": stage.space}, "spec": spec,
        }))?;
    }
    Ok(())
}

/// Waits until the controller has counted the speakers of the segment: a view that lacks the count says that there
/// should be none.
fn told_how_many(plane: &ControlPlane) -> Result<()> {
    wait_for("the speakers are counted", LIMIT, || {
        let kind = Resource::ringbolt("L2Advertisement");
        let found = plane.get(&kind, None, "last-view")?;
        let found = found.context("the advertisement")?;
        let count = &found["status"]["expectedSpeakers"];
        ensure!(*count == 1, "there are {count}");
        Ok(())
    })
}
