//! The lab without Ringbolt: BIRD announces for every node, the addresses are written by hand. What passes here
//! is not Ringbolt's merit, and what fails here is not its fault.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use ipnet::IpNet;
use serde_json::json;

use super::{KubeScenario, Scenario, with_rack};
use crate::bird::{Bird, announcer};
use crate::client::{Transport, ask, ask_many};
use crate::kubelab::{KubeLab, Lifetime, Resource};
use crate::manifests::{Policy, SERVICE_PORT, ServiceSpec, service};
use crate::node::Ringbolt;
use crate::place::Ground;
use crate::plan::{NodePlan, Plan};
use crate::pod;
use crate::rack::Rack;
use crate::router::{Router, RouterKind, Routes, Table, established, has_next_hops};
use crate::wait::wait_for;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "the_lab_itself_carries_traffic_through_bird",
        run: through_bird,
    },
    Scenario {
        name: "the_lab_itself_carries_traffic_through_frr",
        run: through_frr,
    },
];

pub(super) const ON_KUBERNETES: &[KubeScenario] = &[KubeScenario {
    name: "kubernetes: the_lab_itself_carries_traffic_through_kube_proxy",
    run: through_kube_proxy,
}];

fn through_bird(ringbolt: &Ringbolt) -> Result<()> {
    carries_traffic(&Ground::Directory, RouterKind::Bird, ringbolt)
}

fn through_frr(ringbolt: &Ringbolt) -> Result<()> {
    carries_traffic(&Ground::Directory, RouterKind::Frr, ringbolt)
}

fn through_kube_proxy(lab: &KubeLab) -> Result<()> {
    let ground = Ground::Kubernetes(lab.assets().clone(), Lifetime::OfThisProcess);
    carries_traffic(&ground, RouterKind::Bird, lab.ringbolt())
}

const LIMIT: Duration = Duration::from_secs(20);

fn carries_traffic(ground: &Ground, kind: RouterKind, ringbolt: &Ringbolt) -> Result<()> {
    with_rack(
        ground,
        "itself",
        Plan::draw(None),
        kind,
        ringbolt,
        |rack, router| {
            let vips: [IpAddr; 2] = ["192.0.2.70".parse()?, "2001:db8:4d:64::70".parse()?];
            let _announcers = announce(rack, vips)?;
            publish(rack, vips)?;
            let plan = &rack.plan;
            let neighbours: Vec<IpAddr> = plan.nodes.iter().map(|node| node.rack[0]).collect();
            wait_for("sessions", LIMIT, || established(router, &neighbours))?;
            for vip in vips {
                let hops = plan.rack_addresses(vip);
                wait_for("next hops", LIMIT, || {
                    has_next_hops(&routes(router)?, vip.into(), &hops)
                })?;
                for transport in [Transport::Tcp, Transport::Udp] {
                    let to = SocketAddr::new(vip, SERVICE_PORT);
                    wait_for("24 answers by several pods", LIMIT, || {
                        let answered = ask_many(&rack.client, transport, to, 24)?;
                        ensure!(answered.len() > 1, "only {answered:?} answered at {to}");
                        Ok(())
                    })?;
                }
            }
            let (from, to) = (
                &plan.nodes[0].pods[0],
                &plan.nodes[plan.nodes.len() - 1].pods[1],
            );
            for (source, target) in from.addresses.into_iter().zip(to.addresses) {
                let answer = wait_for("a pod", LIMIT, || {
                    let space = rack.pod_space(&from.name)?;
                    ask(space, Transport::Tcp, SocketAddr::new(target, pod::PORT))
                })?;
                ensure!(answer.seen == source, "the pod saw {}", answer.seen);
            }
            rack.check_alive()
        },
    )
}

fn routes(router: &dyn Router) -> Result<Routes> {
    match router.table()? {
        Table::Routes(routes) => Ok(routes),
        Table::Counts(_) => bail!("this router only counts"),
    }
}

/// A BIRD on every node that says what a speaker would say.
fn announce(rack: &Rack, vips: [IpAddr; 2]) -> Result<Vec<Bird>> {
    let plan = &rack.plan;
    let start = |node: &NodePlan| {
        let prefixes = [&vips.map(IpNet::from)[..], &node.pod_cidrs[..]].concat();
        let text = announcer(
            node.rack[0],
            plan.node_asn,
            plan.router[0],
            plan.router_asn,
            &prefixes,
        )?;
        let name = format!("announcer-{}", node.name);
        let space = rack.node_space(&node.name)?;
        Bird::start_with(space, &name, &text, rack.lab.folder(), rack.lab.kept())
    };
    plan.nodes.iter().map(start).collect()
}

/// A Service with its addresses in its status, as a controller would have written them.
fn publish(rack: &Rack, vips: [IpAddr; 2]) -> Result<()> {
    let namespace = &rack.plan.namespace;
    let spec = ServiceSpec {
        namespace,
        name: "web",
        pool: "public",
        policy: Policy::Cluster,
        requested: &[],
    };
    rack.put_service(&service(&spec))?;
    let pods: Vec<&str> = rack
        .plan
        .nodes
        .iter()
        .map(|node| &*node.pods[0].name)
        .collect();
    rack.put_endpoints("web", &pods)?;
    let ingress = vips.map(|ip| json!({"ip": ip}));
    let status = json!({"loadBalancer": {"ingress": ingress}});
    if let Some(place) = rack.place.kubernetes() {
        let (resource, plane) = (Resource::service(), &place.plane);
        return plane
            .patch_status(&resource, Some(namespace), "web", &status)
            .map(drop);
    }
    let folder = rack
        .directory
        .path()
        .join(".ringbolt/services")
        .join(namespace);
    fs::create_dir_all(&folder)?;
    Ok(fs::write(
        folder.join("web"),
        json!({"status": status}).to_string(),
    )?)
}
