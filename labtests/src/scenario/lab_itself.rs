//! The lab without Ringbolt: BIRD announces for every node, the addresses are written by hand. What passes here
//! is not Ringbolt's merit, and what fails here is not its fault.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use ipnet::IpNet;
use serde_json::json;

use super::{Scenario, with_rack};
use crate::bird::{Bird, announcer};
use crate::client::{Transport, ask, ask_many};
use crate::manifests::{Policy, SERVICE_PORT, ServiceSpec, service};
use crate::node::Ringbolt;
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

fn through_bird(ringbolt: &Ringbolt) -> Result<()> {
    carries_traffic(RouterKind::Bird, ringbolt)
}

fn through_frr(ringbolt: &Ringbolt) -> Result<()> {
    carries_traffic(RouterKind::Frr, ringbolt)
}

const LIMIT: Duration = Duration::from_secs(20);

fn carries_traffic(kind: RouterKind, ringbolt: &Ringbolt) -> Result<()> {
    with_rack(
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

/// A Service with its addresses in the state, as a controller would have written them.
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
    let folder = rack
        .directory
        .path()
        .join(".ringbolt/services")
        .join(namespace);
    fs::create_dir_all(&folder)?;
    let ingress = vips.map(|ip| json!({"ip": ip}));
    let state = json!({"status": {"loadBalancer": {"ingress": ingress}}});
    Ok(fs::write(folder.join("web"), state.to_string())?)
}
