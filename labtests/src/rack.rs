//! A plan, built: router, clients, nodes and pods as namespaces; Ringbolt's processes on the nodes; the manifests
//! they all read.
//!
//! The lab plays what standalone leaves to a cluster: the proxy of every node, and the Node and EndpointSlice
//! objects. It verifies nothing.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::lab::{Lab, link, plug};
use crate::manifests::{self, Directory, Endpoint};
use crate::netns::Netns;
use crate::node::Ringbolt;
use crate::plan::{NodePlan, Plan};
use crate::process::Daemon;
use crate::router::{Neighbour, RouterSetup};

/// The interface of every node on the layer-2 segment.
pub(crate) const SEGMENT: &str = "seg0";
/// The interface of every node towards the router.
pub(crate) const RACK: &str = "rack0";

/// How long a speaker that ends keeps its routes after the warning. Longer than the datagrams of the hand-over flow
/// after the signal: pods of its node are reached through the router, which forgets them when the session ends.
const DRAIN_WAIT_S: u32 = 4;

/// Everything of a lab but the router's daemon. Daemons come before the lab: they end first.
#[derive(Debug)]
pub(crate) struct Rack {
    pub(crate) plan: Plan,
    pub(crate) speakers: BTreeMap<String, Daemon>,
    pub(crate) controller: Option<Daemon>,
    services: Vec<Daemon>,
    pub(crate) ringbolt: Ringbolt,
    pub(crate) directory: Directory,
    pub(crate) router: Netns,
    pub(crate) client: Netns,
    pub(crate) desk: Netns,
    rack_switch: Netns,
    segment_switch: Netns,
    nodes: BTreeMap<String, Netns>,
    pods: BTreeMap<String, Netns>,
    pub(crate) lab: Lab,
}

impl Rack {
    /// Builds the network, starts the pods and the proxy, and writes the Node objects.
    pub(crate) fn build(name: &str, plan: Plan, ringbolt: Ringbolt) -> Result<Self> {
        let mut lab = Lab::new(name)?;
        let directory = Directory::create(lab.folder().join("manifests"))?;
        let (rack_switch, segment_switch) = (lab.switch("rack")?, lab.switch("segment")?);
        let router = lab.forwarder("router")?;
        let (client, desk) = (lab.host("client")?, lab.host("desk")?);
        plug(&router, RACK, &rack_switch, "router")?;
        plug(&desk, SEGMENT, &segment_switch, "desk")?;
        link(&router, "cli0", &client, "eth0")?;
        addresses(&router, RACK, plan.router)?;
        addresses(&router, "cli0", plan.gateway)?;
        addresses(&client, "eth0", plan.client)?;
        addresses(&desk, SEGMENT, plan.desk)?;
        default_route(&client, plan.gateway)?;
        let mut rack = Self {
            speakers: BTreeMap::new(),
            controller: None,
            services: Vec::new(),
            ringbolt,
            directory,
            router,
            client,
            desk,
            rack_switch,
            segment_switch,
            nodes: BTreeMap::new(),
            pods: BTreeMap::new(),
            lab,
            plan: plan.clone(),
        };
        for (index, node) in plan.nodes.iter().enumerate() {
            rack.add_node(index, node)?;
        }
        rack.start_proxy()?;
        Ok(rack)
    }

    fn add_node(&mut self, index: usize, node: &NodePlan) -> Result<()> {
        let space = self.lab.forwarder(&node.name)?;
        plug(&space, RACK, &self.rack_switch, &port(index))?;
        plug(&space, SEGMENT, &self.segment_switch, &port(index))?;
        addresses(&space, RACK, node.rack)?;
        addresses(&space, SEGMENT, node.segment)?;
        default_route(&space, self.plan.router)?;
        space.ip("link add cni0 type bridge forward_delay 0")?;
        space.ip("link set cni0 up")?;
        let gateway = node
            .pod_cidrs
            .map(|cidr| cidr.hosts().next().unwrap_or(cidr.addr()));
        let gateway = [gateway[0], first_host(gateway[1])];
        addresses(&space, "cni0", gateway)?;
        for (number, pod) in node.pods.iter().enumerate() {
            let pod_space = self.lab.host(&pod.name)?;
            let outside = format!("pod{number}");
            link(&pod_space, "eth0", &space, &outside)?;
            space.ip(&format!("link set {outside} master cni0"))?;
            addresses(&pod_space, "eth0", pod.addresses)?;
            default_route(&pod_space, gateway)?;
            let mut command = pod_space.command(own_program()?);
            command.args(["pod", &pod.name]);
            let daemon =
                Daemon::start(&pod.name, &mut command, self.lab.folder(), self.lab.kept())?;
            self.services.push(daemon);
            self.pods.insert(pod.name.clone(), pod_space);
        }
        self.nodes.insert(node.name.clone(), space);
        let file = format!("node-{}.yaml", node.name);
        self.directory.put(
            &file,
            &[manifests::node(&node.name, &node.rack, &node.pod_cidrs)],
        )
    }

    fn start_proxy(&mut self) -> Result<()> {
        let mut command = Command::new(own_program()?);
        command.arg("proxy").arg(self.directory.path());
        command.args(
            self.nodes
                .iter()
                .map(|(name, space)| format!("{name}={}", space.name())),
        );
        let daemon = Daemon::start("proxy", &mut command, self.lab.folder(), self.lab.kept())?;
        self.services.push(daemon);
        Ok(())
    }

    /// What the router is told: it expects every node.
    pub(crate) fn router_setup(&self) -> RouterSetup {
        let [address, _] = self.plan.router;
        let IpAddr::V4(id) = address else {
            unreachable!("the first of a pair is IPv4")
        };
        let neighbours = self.plan.nodes.iter().map(|node| Neighbour {
            name: node.name.clone(),
            address: node.rack[0],
            asn: self.plan.node_asn,
            password: self.plan.password.clone(),
        });
        RouterSetup {
            asn: self.plan.router_asn,
            id,
            address,
            neighbours: neighbours.collect(),
        }
    }

    /// Writes the pools, the peer and the advertisements of the story.
    pub(crate) fn write_configuration(&self) -> Result<()> {
        self.write_peer(self.peer_spec())?;
        let resource = manifests::resource;
        let pools = [
            resource(
                "IPAddressPool",
                "public",
                json!({"addresses": self.plan.public}),
            ),
            resource(
                "IPAddressPool",
                "segment",
                json!({"addresses": self.plan.local}),
            ),
        ];
        self.directory.put("pools.yaml", &pools)?;
        let services = json!({"ipAddressPools": ["public"]});
        let services = resource("BGPAdvertisement", "services", services);
        self.directory.put("services.yaml", &[services])?;
        let pods = resource("BGPAdvertisement", "pods", json!({"source": "PodCIDR"}));
        self.directory.put("pods.yaml", &[pods])?;
        let layer2 = json!({"ipAddressPools": ["segment"], "interfaces": [SEGMENT]});
        self.directory.put(
            "layer2.yaml",
            &[resource("L2Advertisement", "segment", layer2)],
        )
    }

    /// Writes the session with the router.
    pub(crate) fn write_peer(&self, spec: Value) -> Result<()> {
        self.directory
            .put("peer.yaml", &[manifests::resource("BGPPeer", "tor", spec)])
    }

    /// The session with the router: both families on it, and timers that notice a dead node soon.
    pub(crate) fn peer_spec(&self) -> Value {
        let mut spec = json!({
            "myASN": self.plan.node_asn,
            "peerASN": self.plan.router_asn,
            "peerAddress": self.plan.router[0],
            "families": ["IPv4", "IPv6"],
            "connectTime": "1s",
            "holdTime": "9s",
            "keepaliveTime": "3s",
            "drain": {"waitSeconds": DRAIN_WAIT_S},
        });
        if let Some(password) = &self.plan.password {
            spec["password"] = json!(password);
        }
        spec
    }

    /// Writes a Service.
    pub(crate) fn put_service(&self, service: &Value) -> Result<()> {
        let name = service["metadata"]["name"]
            .as_str()
            .context("a Service without a name")?;
        self.directory.put(
            &format!("service-{name}.yaml"),
            std::slice::from_ref(service),
        )
    }

    /// Writes which pods are behind a Service.
    pub(crate) fn put_endpoints(&self, service: &str, pods: &[&str]) -> Result<()> {
        let endpoints: Vec<Endpoint> = pods
            .iter()
            .map(|pod| self.endpoint(pod))
            .collect::<Result<_>>()?;
        let slices = manifests::endpoint_slices(&self.plan.namespace, service, &endpoints);
        self.directory
            .put(&format!("endpoints-{service}.yaml"), &slices)
    }

    /// Removes a Service and its slices, as a person would.
    pub(crate) fn remove_service(&self, name: &str) -> Result<()> {
        self.directory.remove(&format!("service-{name}.yaml"))?;
        self.directory.remove(&format!("endpoints-{name}.yaml"))
    }

    fn endpoint(&self, pod: &str) -> Result<Endpoint> {
        let node = self
            .plan
            .node_of(pod)
            .with_context(|| format!("no pod {pod}"))?;
        let pod = node
            .pods
            .iter()
            .find(|known| known.name == pod)
            .context("the node has its pod")?;
        Ok(Endpoint {
            addresses: pod.addresses,
            node: node.name.clone(),
        })
    }

    /// Starts the controller on the first node.
    pub(crate) fn start_controller(&mut self) -> Result<()> {
        let first = self
            .plan
            .nodes
            .first()
            .context("a plan has nodes")?
            .name
            .clone();
        self.start_controller_on(&first)
    }

    /// Starts a controller on a node, in place of the one the lab knew.
    pub(crate) fn start_controller_on(&mut self, node: &str) -> Result<()> {
        let (folder, kept) = (self.lab.folder(), self.lab.kept());
        let daemon =
            self.ringbolt
                .controller(self.node_space(node)?, &self.directory, folder, kept)?;
        self.controller = Some(daemon);
        Ok(())
    }

    /// Starts the speaker of a node.
    pub(crate) fn start_speaker(&mut self, node: &str) -> Result<()> {
        let space = self.node_space(node)?;
        let daemon = self.ringbolt.speaker(
            space,
            node,
            &self.directory,
            self.lab.folder(),
            self.lab.kept(),
        )?;
        self.speakers.insert(node.to_owned(), daemon);
        Ok(())
    }

    pub(crate) fn start_speakers(&mut self) -> Result<()> {
        let names: Vec<String> = self
            .plan
            .nodes
            .iter()
            .map(|node| node.name.clone())
            .collect();
        names.iter().try_for_each(|name| self.start_speaker(name))
    }

    pub(crate) fn speaker(&mut self, node: &str) -> Result<&mut Daemon> {
        self.speakers
            .get_mut(node)
            .with_context(|| format!("no speaker runs on {node}"))
    }

    pub(crate) fn node_space(&self, node: &str) -> Result<&Netns> {
        self.nodes
            .get(node)
            .with_context(|| format!("no node {node}"))
    }

    pub(crate) fn pod_space(&self, pod: &str) -> Result<&Netns> {
        self.pods.get(pod).with_context(|| format!("no pod {pod}"))
    }

    /// Sets both switch ports of a node: `down` is a pulled cable.
    pub(crate) fn set_cables(&self, node: &str, state: &str) -> Result<()> {
        let index = self
            .plan
            .nodes
            .iter()
            .position(|known| known.name == node)
            .context("no such node")?;
        for switch in [&self.rack_switch, &self.segment_switch] {
            switch.ip(&format!("link set {} {state}", port(index)))?;
        }
        Ok(())
    }

    /// The hardware address of a node on the segment.
    pub(crate) fn segment_mac(&self, node: &str) -> Result<crate::frames::Mac> {
        let text = self
            .node_space(node)?
            .ip(&format!("link show dev {SEGMENT}"))?;
        let after = text
            .split_whitespace()
            .skip_while(|word| *word != "link/ether")
            .nth(1);
        after
            .and_then(crate::frames::Mac::parse)
            .with_context(|| format!("no hardware address: {text}"))
    }

    /// An error once any process of the lab has ended by itself.
    pub(crate) fn check_alive(&mut self) -> Result<()> {
        let daemons = self
            .speakers
            .values_mut()
            .chain(&mut self.controller)
            .chain(&mut self.services);
        for daemon in daemons {
            daemon.check_alive()?;
        }
        Ok(())
    }
}

/// The switch port of the node of that number.
fn port(index: usize) -> String {
    format!("node{index}")
}

fn own_program() -> Result<PathBuf> {
    std::env::current_exe().context("where is this program?")
}

fn first_host(network: IpAddr) -> IpAddr {
    match network {
        IpAddr::V6(address) if address.segments()[7] == 0 => {
            IpAddr::V6((u128::from(address) + 1).into())
        }
        other => other,
    }
}

fn addresses(space: &Netns, interface: &str, pair: [IpAddr; 2]) -> Result<()> {
    let [v4, v6] = pair;
    let lines = [
        format!("addr add {v4}/24 dev {interface}"),
        format!("addr add {v6}/64 dev {interface} nodad"),
    ];
    space.ip_batch(&lines)
}

fn default_route(space: &Netns, via: [IpAddr; 2]) -> Result<()> {
    let [v4, v6] = via;
    space.ip_batch(&[
        format!("route add default via {v4}"),
        format!("route add default via {v6}"),
    ])
}
