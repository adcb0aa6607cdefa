//! The lab without Ringbolt: BIRD announces for every node, the addresses are written by hand. What passes here
//! is not Ringbolt's merit, and what fails here is not its fault.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;

use super::{Scenario, with_rack};
use crate::bird::{Bird, announcer};
use crate::client::{Transport, ask, ask_many};
use crate::manifests::{Families, Policy, SERVICE_PORT, ServiceSpec, service};
use crate::node::Ringbolt;
use crate::plan::Plan;
use crate::pod;
use crate::router::{RouterKind, established, has_next_hops};
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
            let plan = rack.plan.clone();
            let vips: [IpAddr; 2] = ["192.0.2.70".parse()?, "2001:db8:4d:64::70".parse()?];
            let mut announcers = Vec::new();
            for node in &plan.nodes {
                let hosts = vips.map(ipnet::IpNet::from);
                let prefixes = [&hosts[..], &node.pod_cidrs[..]].concat();
                let text = announcer(
                    node.rack[0],
                    plan.node_asn,
                    plan.router[0],
                    plan.router_asn,
                    &prefixes,
                )?;
                let space = rack.node_space(&node.name)?;
                let name = format!("announcer-{}", node.name);
                announcers.push(Bird::start_with(
                    space,
                    &name,
                    &text,
                    rack.lab.folder(),
                    rack.lab.kept(),
                )?);
            }
            let spec = ServiceSpec {
                namespace: &plan.namespace,
                name: "web",
                pool: "public",
                families: Families::Dual,
                policy: Policy::Cluster,
                requested: &[],
            };
            rack.put_service(&service(&spec))?;
            let pods: Vec<&str> = plan
                .nodes
                .iter()
                .map(|node| node.pods[0].name.as_str())
                .collect();
            rack.put_endpoints("web", &pods)?;
            let state = rack
                .directory
                .path()
                .join(".ringbolt/Service")
                .join(&plan.namespace);
            std::fs::create_dir_all(&state)?;
            let ingress =
                json!({"status": {"loadBalancer": {"ingress": vips.map(|ip| json!({"ip": ip}))}}});
            std::fs::write(state.join("web"), ingress.to_string())?;

            let neighbours: Vec<IpAddr> = plan.nodes.iter().map(|node| node.rack[0]).collect();
            wait_for("sessions", LIMIT, || established(router, &neighbours))?;
            for vip in vips {
                let hops = plan.rack_addresses(vip);
                wait_for("next hops", LIMIT, || {
                    has_next_hops(router, vip.into(), &hops)
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
            let (first, last) = (
                &plan.nodes[0].pods[0],
                &plan.nodes[plan.nodes.len() - 1].pods[1],
            );
            for family in 0..2 {
                let to = SocketAddr::new(last.addresses[family], pod::PORT);
                let answer = wait_for("a pod", LIMIT, || {
                    ask(rack.pod_space(&first.name)?, Transport::Tcp, to)
                })?;
                ensure!(
                    answer.seen == first.addresses[family],
                    "the pod saw {}",
                    answer.seen
                );
            }
            rack.check_alive()
        },
    )
}
