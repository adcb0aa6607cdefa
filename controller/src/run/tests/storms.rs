//! Two controllers that both work on one API server which fails at random, while people create, change
//! and delete: at no version of the store is an address given twice or published without a claim, and
//! afterwards everybody has one and nothing is left over.

use std::collections::{BTreeMap, BTreeSet};

use ringbolt_cluster::fake::{Cut, FakeApi, Fault, On, Refusal, Step};
use ringbolt_cluster::{CallOutcome, Election, KubernetesOptions, Role as ClusterRole, Verb};
use ringbolt_config::{Kind, ObjectRef};

use super::*;

/// As many as the pool has addresses.
const SERVICES: u64 = 16;
const STEPS: usize = 150;
/// How long it may take until everything is as it should, on the clock of the test.
const SETTLED: Duration = Duration::from_secs(900);

#[tokio::test(start_paused = true)]
async fn two_controllers_and_a_failing_api_server_never_double_or_leak_an_address() {
    let (mut taken, mut stale) = (0, 0);
    for seed in 1..=8 {
        let mut storm = Storm::new(seed);
        storm.rage().await;
        storm.settle().await;
        check(&storm.fake.history(), seed);
        taken += storm.count(CallOutcome::AlreadyExists);
        stale += storm.count(CallOutcome::Conflict);
        storm.shutdown.cancel();
    }
    assert!(taken > 0, "two controllers never wanted one address");
    assert!(stale > 0, "no write was ever stale");
}

/// What people and fate do, by a seed.
struct Storm {
    seed: u64,
    chance: u64,
    fake: FakeApi,
    clusters: [Cluster; 2],
    shutdown: CancellationToken,
    _controllers: Vec<Handles>,
}

impl Storm {
    fn new(seed: u64) -> Self {
        let fake = FakeApi::new();
        fake.apply(&json!({
            "apiVersion": "ringbolt.io/v1beta1", "kind": "IPAddressPool",
            "metadata": {"name": "public"}, "spec": {"addresses": ["192.0.2.0/28"]},
        }));
        let clusters = [0, 1].map(|_| {
            fake.cluster(KubernetesOptions {
                election: Election::Off,
                ..KubernetesOptions::new(ClusterRole::Controller)
            })
        });
        let shutdown = CancellationToken::new();
        let controllers = clusters
            .iter()
            .map(|cluster| run(Settings::default(), cluster.clone(), shutdown.clone()));
        Self {
            seed,
            chance: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            _controllers: controllers.collect(),
            clusters,
            fake,
            shutdown,
        }
    }

    /// A number below this (xorshift).
    fn draw(&mut self, below: u64) -> u64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        (self.chance >> 16) % below
    }

    async fn rage(&mut self) {
        for _ in 0..STEPS {
            match self.draw(4) {
                0 => self.fail(),
                1 => self.delete(),
                _ => self.apply(),
            }
            let pause = self.draw(1_500);
            // Sometimes several things happen at once.
            if !pause.is_multiple_of(3) {
                sleep(Duration::from_millis(pause)).await;
            }
        }
        self.fake.heal();
        for number in 0..SERVICES {
            self.fake.apply(&service(number, 80));
        }
    }

    fn apply(&mut self) {
        let (number, port) = (self.draw(SERVICES), self.draw(3));
        self.fake.apply(&service(number, 80 + port));
    }

    fn delete(&mut self) {
        let number = self.draw(SERVICES);
        self.fake.delete(&name(number));
    }

    fn fail(&mut self) {
        let plurals = ["services", "ipallocations", "ipaddresspools"];
        let plural = plurals[self.pick(plurals.len())];
        let verbs = [
            Verb::Get,
            Verb::Create,
            Verb::Patch,
            Verb::Delete,
            Verb::List,
            Verb::Watch,
        ];
        let verb = verbs[self.pick(verbs.len())];
        let faults = [
            Fault::LoseAnswer,
            Fault::Hang,
            Fault::BreakOff,
            Fault::EmptyList,
            Fault::Refuse(Refusal::unavailable()),
            Fault::Refuse(Refusal::too_many_requests(1)),
            Fault::Refuse(Refusal::expired()),
            Fault::Refuse(Refusal::forbidden()),
        ];
        let fault = faults[self.pick(faults.len())].clone();
        self.fake.inject(On::of(verb, plural).times(2), fault);
        let cuts = [Cut::Break, Cut::End, Cut::Expire, Cut::Freeze];
        let cut = cuts[self.pick(cuts.len())];
        self.fake.cut(Some(plural), cut);
    }

    fn pick(&mut self, of: usize) -> usize {
        let of = u64::try_from(of).unwrap();
        usize::try_from(self.draw(of)).unwrap()
    }

    /// Waits until every Service has an address, and no address a holder that is not one of them.
    async fn settle(&self) {
        let settled = async {
            while self.whole().is_err() {
                // Deleted ones may have been on their way out when all were applied.
                for number in 0..SERVICES {
                    if self.fake.object(&name(number)).is_none() {
                        self.fake.apply(&service(number, 80));
                    }
                }
                sleep(Duration::from_secs(1)).await;
            }
        };
        if timeout(SETTLED, settled).await.is_err() {
            panic!("seed {}: {:?}", self.seed, self.whole());
        }
    }

    fn whole(&self) -> Result<(), String> {
        let services = self.fake.objects("services");
        let uids: BTreeSet<&str> = services.iter().filter_map(uid).collect();
        for service in &services {
            if address(service).is_none() || service["metadata"]["deletionTimestamp"].is_string() {
                return Err(format!(
                    "{} has no address: {service}",
                    service["metadata"]["name"]
                ));
            }
        }
        let claims = self.fake.objects("ipallocations");
        let held: Vec<&str> = claims.iter().flat_map(holders).collect();
        if held.len() != uids.len() || !held.iter().all(|uid| uids.contains(uid)) {
            return Err(format!(
                "{} Services hold {} claims: {claims:?}",
                uids.len(),
                held.len()
            ));
        }
        let enough = usize::try_from(SERVICES).unwrap();
        if uids.len() == enough {
            Ok(())
        } else {
            Err(format!("{} Services", uids.len()))
        }
    }

    /// How often both controllers together met this.
    fn count(&self, outcome: CallOutcome) -> u64 {
        let counts = self.clusters.iter().flat_map(Cluster::calls);
        let of_claims_and_services = counts.filter(|((verb, plural, met), _)| {
            verb.writes() && *met == outcome && matches!(*plural, "ipallocations" | "services")
        });
        of_claims_and_services.map(|(_, count)| count).sum()
    }
}

/// Holds every state of the store against the rules.
fn check(history: &[Step], seed: u64) {
    let mut published: BTreeMap<String, String> = BTreeMap::new();
    let mut claims: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for step in history {
        let object = &step.object;
        let id = uid(object).unwrap_or_default().to_owned();
        match object["kind"].as_str() {
            Some("Service") => {
                published.remove(&id);
                if let Some(address) = address(object).filter(|_| step.exists) {
                    let holders = claims.get(address).cloned().unwrap_or_default();
                    assert!(
                        holders.contains(&id),
                        "seed {seed}: {address} is published unclaimed"
                    );
                    let other = published.values().any(|other| other == address);
                    assert!(
                        !other,
                        "seed {seed}: {address} is published twice: {object}"
                    );
                    published.insert(id, address.to_owned());
                }
            }
            Some("IPAllocation") => {
                let address = object["spec"]["address"].as_str().unwrap_or_default();
                let holders: Vec<String> = holders(object).map(str::to_owned).collect();
                let holders = if step.exists { holders } else { Vec::new() };
                assert!(
                    holders.len() <= 1,
                    "seed {seed}: {address} is held twice: {object}"
                );
                claims.insert(address.to_owned(), holders);
            }
            _ => {}
        }
    }
}

fn service(number: u64, port: u64) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": format!("web-{number}"), "namespace": "default"},
        "spec": {"type": "LoadBalancer", "ports": [{"port": port}]},
    })
}

fn name(number: u64) -> ObjectRef {
    ObjectRef::new(Kind::Service, Some("default"), &format!("web-{number}")).unwrap()
}

fn uid(object: &Value) -> Option<&str> {
    object["metadata"]["uid"].as_str()
}

fn address(service: &Value) -> Option<&str> {
    service["status"]["loadBalancer"]["ingress"][0]["ip"].as_str()
}

fn holders(claim: &Value) -> impl Iterator<Item = &str> {
    let holders = claim["spec"]["holders"].as_array().into_iter().flatten();
    holders.filter_map(|holder| holder["uid"].as_str())
}
