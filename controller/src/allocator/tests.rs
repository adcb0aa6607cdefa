//! The allocator against a model that knows no index: it looks at every address of every pool,
//! again for each question.

mod model;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use ringbolt_config::model::Pool;
use ringbolt_config::service::Protocol;
use ringbolt_config::{Object, PoolName, ServiceKey, Snapshot, Uid};
use serde_json::{Value, json};

use super::*;
use crate::Family;
use model::Model;

/// What can happen to an allocator.
#[derive(Debug, Clone)]
enum Happening {
    /// A Service asks, and takes what it gets.
    Ask {
        service: usize,
        wish: Wish,
    },
    /// A Service lets go of all it has.
    LetGo {
        service: usize,
    },
    /// A person keeps an address for a Service.
    Reserve {
        address: usize,
        service: usize,
    },
    /// Claims that have rested are deleted.
    Sweep,
    Pass {
        minutes: u16,
    },
    Configure {
        variant: usize,
    },
    Bar {
        addresses: Vec<usize>,
    },
    /// All is forgotten and learnt again from the claims.
    Restore,
}

#[derive(Debug, Clone)]
struct Wish {
    families: Vec<Family>,
    addresses: Vec<usize>,
    pool: Option<&'static str>,
    key: Option<&'static str>,
    ports: Vec<u16>,
    local: Option<&'static str>,
    label: Option<&'static str>,
}

const SERVICES: usize = 6;

/// Addresses in, at the edge of and outside all variants of pools.
const UNIVERSE: &[&str] = &[
    "192.0.2.0",
    "192.0.2.1",
    "192.0.2.2",
    "192.0.2.3",
    "192.0.2.255",
    "198.51.100.0",
    "198.51.100.1",
    "198.51.100.2",
    "203.0.113.9",
    "2001:db8::",
    "2001:db8::1",
    "2001:db8::2",
    "2001:db8:1::",
    "2001:db8:1::5",
];

fn address(index: usize) -> IpAddr {
    UNIVERSE[index].parse().unwrap()
}

fn variants() -> [Vec<(&'static str, Value)>; 3] {
    [
        vec![
            (
                "a",
                json!({ "addresses": ["192.0.2.0/30", "2001:db8::/126"] }),
            ),
            (
                "b",
                json!({
                    "addresses": ["198.51.100.0/31"], "reuseDelaySeconds": 1200, "sharing": "Cluster",
                    "serviceAllocation": { "priority": 5, "namespaces": ["n1"] },
                }),
            ),
        ],
        vec![
            (
                "a",
                json!({
                    "addresses": ["192.0.2.0/24"], "avoidBuggyIPs": true, "sharing": "Never",
                    "excludeAddresses": ["192.0.2.3-192.0.2.254"],
                }),
            ),
            (
                "c",
                json!({
                    "addresses": ["2001:db8:1::", "2001:db8::1-2001:db8::2", "198.51.100.2"],
                    "serviceAllocation": { "serviceSelectors": [{ "matchLabels": { "tier": "x" } }] },
                    "limits": [{ "maxAddressesPerNamespace": 1 }],
                }),
            ),
        ],
        vec![
            (
                "b",
                json!({
                    "addresses": ["198.51.100.0/30", "2001:db8:1::/125"], "avoidEdgeAddresses": true, "sharing": "Cluster",
                    "limits": [{ "namespaces": ["n0"], "maxAddressesPerNamespace": 2 }],
                }),
            ),
            (
                "d",
                json!({ "addresses": ["192.0.2.1", "192.0.2.255"], "autoAssign": false }),
            ),
            (
                "e",
                json!({ "addresses": ["192.0.2.2-192.0.2.3"], "paused": true }),
            ),
        ],
    ]
}

/// The pools of a variant, as the resolver makes them.
fn pools(list: &[(&'static str, Value)]) -> Vec<Arc<Pool>> {
    let mut snapshot = Snapshot::default();
    for (name, spec) in list {
        let value = json!({
            "apiVersion": "ringbolt.io/v1beta1", "kind": "IPAddressPool",
            "metadata": { "name": name }, "spec": spec,
        });
        snapshot
            .apply(ringbolt_config::decode(ringbolt_config::Kind::IPAddressPool, value).unwrap());
    }
    let config = ringbolt_config::resolve(&snapshot).unwrap();
    config.pools.into_values().collect()
}

fn key(service: usize) -> ServiceKey {
    ServiceKey::new(&format!("n{}", service % 2), &format!("s{service}")).unwrap()
}

fn uid(service: usize) -> Uid {
    format!("uid-{service}").parse().unwrap()
}

fn request(service: usize, wish: &Wish) -> Request {
    let labels = wish
        .label
        .map(|label| ("tier".to_owned(), label.to_owned()));
    let port = |number: &u16| Port {
        protocol: Protocol::Tcp,
        number: *number,
    };
    let backend = wish.local.map_or(Backend::Everywhere, |app| {
        Backend::Local(Arc::new(BTreeMap::from([(
            "app".to_owned(),
            app.to_owned(),
        )])))
    });
    Request {
        key: key(service),
        uid: uid(service),
        labels: Arc::new(labels.into_iter().collect()),
        namespace_labels: Arc::default(),
        pool: wish.pool.map(|name| name.parse().unwrap()),
        addresses: wish.addresses.iter().map(|index| address(*index)).collect(),
        tenancy: wish.key.map(|key| Tenancy {
            key: key.parse().unwrap(),
            ports: wish.ports.iter().map(port).collect(),
            backend,
        }),
    }
}

fn wish() -> impl Strategy<Value = Wish> {
    let families = select(vec![
        vec![Family::Ipv4],
        vec![Family::Ipv6],
        vec![Family::Ipv4, Family::Ipv6],
        vec![Family::Ipv6, Family::Ipv4],
    ]);
    let one_of_each = (
        prop::option::weighted(0.3, 0usize..9),
        prop::option::weighted(0.3, 9usize..14),
    );
    let pool = prop::option::weighted(0.2, select(vec!["a", "b", "c", "d", "nowhere"]));
    (
        families,
        one_of_each,
        pool,
        prop::option::of(select(vec!["k", "l"])),
        subsequence(vec![80, 81, 82], 1..3),
        prop::option::weighted(0.3, select(vec!["app1", "app2"])),
        prop::option::of(select(vec!["x", "y"])),
    )
        .prop_map(
            |(families, (v4, v6), pool, key, ports, local, label)| Wish {
                addresses: v4.into_iter().chain(v6).collect(),
                families,
                pool,
                key,
                ports,
                local,
                label,
            },
        )
}

fn happening() -> impl Strategy<Value = Happening> {
    let service = 0..SERVICES;
    let address = 0..UNIVERSE.len();
    prop_oneof![
        8 => (service.clone(), wish()).prop_map(|(service, wish)| Happening::Ask { service, wish }),
        4 => service.clone().prop_map(|service| Happening::LetGo { service }),
        1 => (address, service).prop_map(|(address, service)| Happening::Reserve { address, service }),
        1 => Just(Happening::Sweep),
        2 => (1u16..30).prop_map(|minutes| Happening::Pass { minutes }),
        1 => (0usize..3).prop_map(|variant| Happening::Configure { variant }),
        1 => prop::collection::vec(0..UNIVERSE.len(), 0..3)
            .prop_map(|addresses| Happening::Bar { addresses }),
        1 => Just(Happening::Restore),
    ]
}

/// The allocator and the model side by side.
struct Pair {
    allocator: Allocator,
    model: Model,
    now: Timestamp,
}

impl Pair {
    fn new() -> Self {
        let mut pair = Self {
            allocator: Allocator::default(),
            model: Model::default(),
            now: "2026-01-01T00:00:00Z".parse().unwrap(),
        };
        pair.configure(0);
        pair
    }

    fn configure(&mut self, variant: usize) {
        self.model.pools = pools(&variants()[variant]);
        self.allocator.configure(&self.model.pools);
    }

    fn apply(&mut self, claim: Claim) {
        self.model.claims.insert(claim.address, claim.clone());
        self.allocator.apply(claim);
    }

    fn happen(&mut self, happening: &Happening) {
        match happening {
            Happening::Ask { service, wish } => self.ask(*service, wish),
            Happening::LetGo { service } => self.let_go(*service),
            Happening::Reserve {
                address: index,
                service,
            } => {
                if !self.model.claims.contains_key(&address(*index)) {
                    let reserved_for = Some(key(*service));
                    self.apply(Claim {
                        reserved_for,
                        ..Claim::unheld(address(*index))
                    });
                }
            }
            Happening::Sweep => {
                let rested = |claim: &&Claim| {
                    self.allocator
                        .rests_until(claim)
                        .is_some_and(|until| until <= self.now)
                };
                let rested: Vec<IpAddr> = self
                    .model
                    .claims
                    .values()
                    .filter(rested)
                    .map(|c| c.address)
                    .collect();
                for address in rested {
                    self.model.claims.remove(&address);
                    self.allocator.remove(address);
                }
            }
            Happening::Pass { minutes } => {
                self.now += Duration::from_secs(u64::from(*minutes) * 60);
            }
            Happening::Configure { variant } => self.configure(*variant),
            Happening::Bar { addresses } => {
                self.model.barred = addresses.iter().map(|index| address(*index)).collect();
                let nodes = self.model.barred.iter().copied();
                self.allocator.bar(Barred::new(nodes, [], []));
            }
            Happening::Restore => {
                self.allocator = Allocator::default();
                self.allocator.configure(&self.model.pools);
                self.allocator
                    .bar(Barred::new(self.model.barred.iter().copied(), [], []));
                for (uid, tenancy) in &self.model.tenants {
                    self.allocator.set_tenancy(uid, Some(tenancy.clone()));
                }
                for claim in self.model.claims.values() {
                    self.allocator.apply(claim.clone());
                }
            }
        }
    }

    /// A Service that has nothing asks. It takes all or nothing, so that questions stay many.
    fn ask(&mut self, service: usize, wish: &Wish) {
        if self.allocator.held_by(&uid(service)).next().is_some() {
            return;
        }
        let request = request(service, wish);
        let tenancy = request.tenancy.clone();
        self.allocator.set_tenancy(&request.uid, tenancy.clone());
        match tenancy {
            Some(tenancy) => self.model.tenants.insert(request.uid.clone(), tenancy),
            None => self.model.tenants.remove(&request.uid),
        };
        let choice = self
            .allocator
            .choose(&request, &wish.families, None, self.now);
        let chosen: Vec<Option<IpAddr>> = choice
            .answers
            .iter()
            .map(|(_, a)| a.as_ref().ok().map(|pick| pick.address))
            .collect();
        let expected = self.model.choose(&request, &wish.families, self.now);
        assert_eq!(
            chosen, expected,
            "{request:?} was answered {:?}",
            choice.answers
        );
        let Some(chosen) = chosen.into_iter().collect::<Option<Vec<_>>>() else {
            return;
        };
        for address in chosen {
            let known = self.allocator.claim(address).cloned();
            let mut claim = known.unwrap_or_else(|| Claim::unheld(address));
            claim.holders.push(Holder {
                uid: request.uid.clone(),
                key: request.key.clone(),
                ports: request
                    .tenancy
                    .iter()
                    .flat_map(|t| &t.ports)
                    .copied()
                    .collect(),
            });
            claim.sharing_key = request.tenancy.as_ref().map(|t| t.key.clone());
            claim.released_at = None;
            self.apply(claim);
        }
    }

    fn let_go(&mut self, service: usize) {
        for address in self.allocator.held_by(&uid(service)).collect::<Vec<_>>() {
            let mut claim = self.allocator.claim(address).unwrap().clone();
            claim.holders.retain(|holder| holder.uid != uid(service));
            if claim.holders.is_empty() {
                claim.released_at = Some(self.now);
                claim.sharing_key = None;
            }
            self.apply(claim);
        }
    }

    fn check(&self) {
        for pool in &self.model.pools {
            let occupancy = self.allocator.occupancy(&pool.name).unwrap();
            for (family, fill) in [
                (Family::Ipv4, occupancy.ipv4),
                (Family::Ipv6, occupancy.ipv6),
            ] {
                let (capacity, assigned, available) = self.model.fill(pool, family);
                assert_eq!(
                    (fill.capacity, fill.assigned, fill.available),
                    (capacity, assigned, available),
                    "{family} of pool {} with {:?}",
                    pool.name,
                    self.model.claims,
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_address_is_always_the_one_that_the_rules_name(
        happenings in prop::collection::vec(happening(), 1..60),
    ) {
        let mut pair = Pair::new();
        for happening in &happenings {
            pair.happen(happening);
            pair.check();
        }
    }
}

#[test]
fn a_pool_of_millions_is_filled_from_its_low_end_without_looking_at_it_all() {
    let mut allocator = Allocator::default();
    let huge = json!({ "addresses": ["10.0.0.0/8", "2001:db8::/32"], "avoidBuggyIPs": true });
    allocator.configure(&pools(&[("a", huge)]));
    let wish = Wish {
        families: vec![Family::Ipv4, Family::Ipv6],
        addresses: vec![],
        pool: None,
        key: None,
        ports: vec![],
        local: None,
        label: None,
    };
    for service in 0..600 {
        let request = request(service, &wish);
        let choice = allocator.choose(&request, &wish.families, None, Timestamp::UNIX_EPOCH);
        for (_, answer) in choice.answers {
            let pick = answer.unwrap();
            let holder = Holder {
                uid: uid(service),
                key: key(service),
                ports: BTreeSet::new(),
            };
            allocator.apply(Claim {
                holders: vec![holder],
                ..Claim::unheld(pick.address)
            });
        }
    }
    let name: PoolName = "a".parse().unwrap();
    let occupancy = allocator.occupancy(&name).unwrap();
    assert_eq!(occupancy.ipv4.capacity, (1 << 24) - 2 * (1 << 16));
    assert_eq!(
        (occupancy.ipv4.assigned, occupancy.ipv6.assigned),
        (600, 600)
    );
    assert_eq!(
        allocator.held_by(&uid(599)).next(),
        "10.0.2.92".parse().ok()
    );
}

#[test]
fn claims_survive_the_way_through_their_object() {
    let claim = Claim {
        address: address(0),
        pool: Some("a".parse().unwrap()),
        holders: vec![Holder {
            uid: uid(1),
            key: key(1),
            ports: BTreeSet::from([Port {
                protocol: Protocol::Sctp,
                number: 7,
            }]),
        }],
        sharing_key: Some("k".parse().unwrap()),
        released_at: Some("2026-01-01T00:00:00Z".parse().unwrap()),
        reserved_for: Some(key(2)),
        created: None,
        fault: None,
    };
    let mut object = ringbolt_config::api::IPAllocation::new("v4-192-0-2-0", Default::default());
    claim.write(&mut object);
    assert_eq!(Claim::of(address(0), &object), claim);
    assert_eq!(
        Claim::of(address(1), &object).fault,
        Some(ClaimProblem::Name)
    );
    let text = serde_json::to_value(&object).unwrap();
    let Ok(Object::IPAllocation(read)) =
        ringbolt_config::decode(ringbolt_config::Kind::IPAllocation, text)
    else {
        panic!("what is written can be read");
    };
    assert_eq!(Claim::of(address(0), &read), claim);
}
