//! A rack with Ringbolt running in it and a router that tells what it knows: what the demo and the scenarios
//! start from, and the questions they both ask.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ipnet::IpNet;

use crate::bird::Bird;
use crate::frr::Frr;
use crate::manifests::{Policy, SERVICE_PORT, ServiceSpec, service};
use crate::node::Ringbolt;
use crate::place::Ground;
use crate::plan::{Plan, same_family};
use crate::rack::Rack;
use crate::router::{Router, RouterKind, Table, established, has_next_hops};
use crate::twin::Twin;
use crate::wait::wait_for;

/// How long anything may take that is not said to be quicker.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// The lab of the story. The router comes first: it ends before the lab does.
pub(crate) struct Story {
    pub(crate) router: Box<dyn Router>,
    pub(crate) kind: RouterKind,
    pub(crate) rack: Rack,
    /// What each Service held when it was last looked at: what one knows while nobody can be asked.
    known: RefCell<BTreeMap<String, [IpAddr; 2]>>,
    /// What every node should have told the router: the measure for a router that only counts.
    expected: RefCell<BTreeMap<IpAddr, BTreeSet<IpNet>>>,
}

impl Story {
    /// Builds the lab and starts everything in it.
    pub(crate) fn begin(
        ground: &Ground,
        name: &str,
        plan: Plan,
        kind: RouterKind,
        ringbolt: Ringbolt,
    ) -> Result<Self> {
        let mut rack = Rack::build(ground, name, plan, ringbolt)?;
        rack.write_configuration()?;
        let router = start_router(&rack, kind)?;
        rack.start_controllers()?;
        rack.start_speakers()?;
        let networks = rack.plan.nodes.iter();
        let expected = networks
            .map(|node| (node.rack[0], BTreeSet::from(node.pod_cidrs)))
            .collect();
        Ok(Self {
            router,
            kind,
            rack,
            known: RefCell::default(),
            expected: RefCell::new(expected),
        })
    }

    pub(crate) fn plan(&self) -> &Plan {
        &self.rack.plan
    }

    pub(crate) fn forwards(&self) -> bool {
        self.kind != RouterKind::Ringbolt
    }

    /// Writes a Service and its endpoints.
    pub(crate) fn put(
        &self,
        name: &str,
        pool: &str,
        policy: Policy,
        pods: &[String],
        requested: &[IpAddr],
    ) -> Result<()> {
        let namespace = self.plan().namespace.clone();
        let full = self.plan().service(name);
        let spec = ServiceSpec {
            namespace: &namespace,
            name: &full,
            pool,
            policy,
            requested,
        };
        let pods: Vec<&str> = pods.iter().map(String::as_str).collect();
        self.rack.put_endpoints(&full, &pods)?;
        self.rack.put_service(&service(&spec))
    }

    /// The addresses of a Service, IPv4 first, once it has both.
    pub(crate) fn addresses(&self, name: &str) -> Result<[IpAddr; 2]> {
        let full = self.plan().service(name);
        let mut found = self.rack.addresses(&full);
        found.sort();
        let pair: [IpAddr; 2] = found
            .try_into()
            .map_err(|found| anyhow::anyhow!("{full} holds {found:?}"))?;
        self.known.borrow_mut().insert(name.to_owned(), pair);
        Ok(pair)
    }

    /// The addresses a Service held when it was last asked for them.
    pub(crate) fn last_addresses(&self, name: &str) -> Result<[IpAddr; 2]> {
        let known = self.known.borrow().get(name).copied();
        known.with_context(|| format!("{name} was never seen with addresses"))
    }

    pub(crate) fn wait_addresses(&self, name: &str) -> Result<[IpAddr; 2]> {
        wait_for(&format!("{name} holds two addresses"), LIMIT, || {
            self.addresses(name)
        })
    }

    /// Waits until the router's next hops for an address are these nodes, and returns what the router prints.
    pub(crate) fn wait_next_hops(&self, address: IpAddr, nodes: &[String]) -> Result<String> {
        self.wait_route(IpNet::from(address), nodes)
    }

    /// Waits until the router's next hops for a prefix are these nodes, and returns what the router prints.
    pub(crate) fn wait_route(&self, prefix: IpNet, nodes: &[String]) -> Result<String> {
        self.expect(prefix, nodes);
        let through = self
            .plan()
            .nodes
            .iter()
            .filter(|node| nodes.contains(&node.name));
        let hops = through
            .map(|node| same_family(node.rack, prefix.addr()))
            .collect();
        let what = format!("{prefix} with {} next hops", nodes.len());
        wait_for(&what, LIMIT, || match self.router.table()? {
            Table::Routes(routes) => has_next_hops(&routes, prefix, &hops),
            Table::Counts(counts) => self.check_counts(&counts, prefix),
        })?;
        self.router.shown(prefix)
    }

    /// Succeeds when the router has nothing of these addresses any more.
    pub(crate) fn lacks(&self, addresses: &[IpAddr]) -> Result<()> {
        let prefixes: Vec<IpNet> = addresses.iter().copied().map(IpNet::from).collect();
        match self.router.table()? {
            Table::Routes(routes) => {
                let left = prefixes.iter().find(|prefix| routes.contains_key(prefix));
                ensure!(left.is_none(), "the router still has {left:?}");
                Ok(())
            }
            Table::Counts(counts) => {
                prefixes.iter().for_each(|prefix| self.expect(*prefix, &[]));
                prefixes
                    .iter()
                    .try_for_each(|prefix| self.check_counts(&counts, *prefix))
            }
        }
    }

    /// Notes who should have told the router about a prefix.
    fn expect(&self, prefix: IpNet, nodes: &[String]) {
        let mut expected = self.expected.borrow_mut();
        for node in &self.plan().nodes {
            let told = expected.entry(node.rack[0]).or_default();
            if nodes.contains(&node.name) {
                told.insert(prefix);
            } else {
                told.remove(&prefix);
            }
        }
    }

    /// Succeeds when every node has told as many prefixes of this one's family as it should have.
    fn check_counts(&self, counts: &BTreeMap<IpAddr, [u64; 2]>, like: IpNet) -> Result<()> {
        let v4 = like.addr().is_ipv4();
        for (peer, told) in self.expected.borrow().iter() {
            let wanted: u64 = told
                .iter()
                .filter(|prefix| prefix.addr().is_ipv4() == v4)
                .map(|_| 1)
                .sum();
            let found = counts.get(peer).copied().unwrap_or_default()[usize::from(!v4)];
            ensure!(
                found == wanted,
                "{peer} has told {found} prefixes like {like}, not {wanted}"
            );
        }
        Ok(())
    }

    /// Names of all nodes.
    pub(crate) fn node_names(&self) -> Vec<String> {
        self.plan()
            .nodes
            .iter()
            .map(|node| node.name.clone())
            .collect()
    }

    /// The first pod of every node.
    pub(crate) fn first_pods(&self) -> Vec<String> {
        self.first_pods_without("")
    }

    /// The first pod of every node but one.
    pub(crate) fn first_pods_without(&self, node: &str) -> Vec<String> {
        let nodes = self.plan().nodes.iter().filter(|known| known.name != node);
        nodes.map(|node| node.pods[0].name.clone()).collect()
    }

    pub(crate) fn wait_sessions(&self) -> Result<()> {
        let neighbours: Vec<IpAddr> = self.plan().nodes.iter().map(|node| node.rack[0]).collect();
        wait_for("every session Established", LIMIT, || {
            established(self.router.as_ref(), &neighbours)
        })
    }

    /// Addresses of all Services, and the router's routes: what must not change when nothing should.
    pub(crate) fn picture(&self) -> Result<(BTreeMap<String, Vec<IpAddr>>, Table)> {
        let services = self.rack.all_addresses()?;
        ensure!(!services.is_empty(), "no Service has a status");
        Ok((services, self.router.table()?))
    }

    pub(crate) fn check_alive(&mut self) -> Result<()> {
        self.router.check_alive()?;
        self.rack.check_alive()
    }

    /// How to look around in a lab that is kept.
    pub(crate) fn print_tour(&self) -> Result<()> {
        let [v4, v6] = self.addresses("web")?;
        let (client, router) = (self.rack.client.name(), self.rack.router.name());
        let directory = self.rack.directory.path().display();
        println!("The lab stays. Look around:");
        println!("  ip netns exec {client} curl -s http://{v4}:{SERVICE_PORT}/");
        println!(
            "  ip netns exec {client} curl -s http://{}/",
            SocketAddr::new(v6, SERVICE_PORT)
        );
        println!(
            "  ip netns exec {router} ip route          (and ip -6 route: what the router forwards)"
        );
        println!(
            "  {} status --manifests {directory}",
            self.rack.ringbolt.program().display()
        );
        println!("  ls {directory}                           (edit, and watch it follow)");
        println!("  ls {directory}/.ringbolt                 (addresses, claims, events)");
        println!("  tail -f {}/*.log", self.rack.lab.folder().display());
        println!(
            "A Service's address does not answer ping: only its ports are anybody's business."
        );
        println!("`cargo xtask demo --down` removes it.");
        Ok(())
    }
}

/// Refuses, before anything is built, a router that is not to be had here.
pub(crate) fn require_router(kind: RouterKind) -> Result<()> {
    match kind {
        RouterKind::Bird => Bird::require(),
        RouterKind::Frr => Frr::require(),
        RouterKind::Ringbolt => Ok(()),
    }
}

/// Starts the daemon that plays the router.
pub(crate) fn start_router(rack: &Rack, kind: RouterKind) -> Result<Box<dyn Router>> {
    let (setup, lab) = (rack.router_setup(), &rack.lab);
    Ok(match kind {
        RouterKind::Bird => Box::new(Bird::start(&rack.router, &setup, lab.folder(), lab.kept())?),
        RouterKind::Frr => Box::new(Frr::start(&rack.router, &setup, lab.folder(), lab.kept())?),
        RouterKind::Ringbolt => {
            Twin::route_pods(&rack.router, &rack.plan.nodes)?;
            Box::new(Twin::start(
                &rack.ringbolt,
                &rack.router,
                &setup,
                lab.folder(),
                lab.kept(),
            )?)
        }
    })
}
