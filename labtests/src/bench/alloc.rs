//! What it costs to give Services their addresses, beside a bare client that does the same two writes: it creates a
//! claim and patches a status, and decides nothing.
//!
//! Both work on the same API server, in turns, with as many requests under way. The clock is the API server's: a
//! Service is served when the watch of this process shows its address.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures_util::StreamExt;
use futures_util::stream;
use kube::Client;
use kube::api::{
    Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, WatchParams,
};
use kube::core::WatchEvent;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::originate::percentile;
use super::report::{Line, Target};
use super::usage;
use crate::kubelab::{Assets, ControlPlane, Options, Resource, User};
use crate::node::{Ringbolt, http_get};
use crate::process::Daemon;
use crate::progress::say;
use crate::wait::wait_for;

/// Requests under way at once, on both sides.
const AT_ONCE: usize = 10;
/// Single Services, one after the other.
const SINGLES: usize = 200;
/// Services at once.
const BURSTS: [usize; 2] = [1_000, 10_000];
/// The longest wait for a burst.
const LIMIT: Duration = Duration::from_secs(300);
const SPACE: &str = "bench";
/// A class that the controller does not serve: the bare client's.
const BARE: &str = "example.com/bare";
const OURS: &str = "ringbolt.io/ringbolt";
const HTTP: u16 = 9642;

pub(super) fn run(ringbolt: &Ringbolt, assets: &Assets, rounds: usize) -> Result<Vec<Line>> {
    let mut bench = Bench::new(ringbolt, assets)?;
    let mut lines = Vec::new();
    say("single Services, one after the other");
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        ours.extend(bench.singles(OURS)?);
        bare.extend(bench.singles(BARE)?);
    }
    for (metric, part) in [("p50", 0.5), ("p99", 0.99)] {
        lines.push(Line {
            case: "created -> address".to_owned(),
            metric,
            unit: "ms",
            ours: percentile(&ours, part) * 1e3,
            reference: percentile(&bare, part) * 1e3,
            reference_name: "bare client".to_owned(),
            target: Target::Ratio(1.2),
        });
    }
    for count in BURSTS {
        say(&format!("{count} Services at once"));
        let turns = if count > 1_000 { 1 } else { rounds };
        match bench.bursts(count, turns) {
            Ok(line) => lines.push(line),
            // What was measured before is not lost with it.
            Err(error) => println!("        {count} at once: not measured: {error:#}"),
        }
    }
    let peak = usage::peak_kib(&[bench.controller.pid()])?;
    println!("        controller: {} MiB at most", peak / 1024);
    bench.plane.succeeded();
    Ok(lines)
}

struct Bench {
    controller: Daemon,
    plane: ControlPlane,
}

impl Bench {
    fn new(ringbolt: &Ringbolt, assets: &Assets) -> Result<Self> {
        let plane = ControlPlane::start(assets, "alloc", &Options::default())?;
        plane.install_definitions()?;
        plane.make_home()?;
        plane.apply(
            &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}}),
        )?;
        let admin = plane.kubeconfig(User::Admin);
        let args = ["controller", "--default-provider", "false"];
        let controller = plane.start_ringbolt(ringbolt, "controller", &admin, &args)?;
        let bench = Self { controller, plane };
        wait_for("the controller leads", Duration::from_secs(60), || {
            let status = http_get(bench.plane.space(), HTTP, "/status")?;
            ensure!(status.contains("\"Leading\""), "not yet");
            Ok(())
        })?;
        Ok(bench)
    }

    fn pool(&self, addresses: &str) -> Result<()> {
        self.plane
            .apply(&json!({
                "apiVersion": "ringbolt.io/v1beta1", "kind": "IPAddressPool",
                "metadata": {"name": SPACE}, "spec": {"addresses": [addresses]},
            }))
            .map(drop)
    }

    fn api(&self, resource: &Resource, namespace: Option<&str>) -> Result<Api<DynamicObject>> {
        Ok(resource.api(self.plane.client(User::Admin)?, namespace))
    }

    /// Seconds from sending the create to seeing the address, for each of some Services.
    fn singles(&mut self, class: &str) -> Result<Vec<f64>> {
        self.pool("10.200.0.0/16")?;
        let services = self.api(&Resource::service(), Some(SPACE))?;
        let client = self.plane.client(User::Admin)?;
        let times = self.plane.run(async {
            let (seen, watcher) = follow(&services).await?;
            let times = one_by_one(&services, &client, class, seen).await;
            watcher.abort();
            times
        })??;
        self.clear()?;
        Ok(times)
    }

    /// The best of some turns, ours beside the bare client's.
    fn bursts(&mut self, count: usize, turns: usize) -> Result<Line> {
        let (mut ours, mut bare) = (f64::INFINITY, f64::INFINITY);
        let mut spent = f64::INFINITY;
        for _ in 0..turns {
            bare = bare.min(self.burst(BARE, count)?);
            let before = usage::cpu(&[self.controller.pid()])?;
            ours = ours.min(self.burst(OURS, count)?);
            let used = usage::cpu(&[self.controller.pid()])? - before;
            spent = spent.min(used.as_secs_f64());
        }
        let each = Duration::from_secs_f64(spent * 1e3 / f64::from(u32::try_from(count)?));
        println!(
            "        {count} at once: {:.2} ms of CPU for each, created to released",
            each.as_secs_f64()
        );
        Ok(Line {
            case: format!("{count} at once"),
            metric: "time",
            unit: "s",
            ours,
            reference: bare,
            reference_name: "bare client".to_owned(),
            // Nine tenths of its rate.
            target: Target::Ratio(1.0 / 0.9),
        })
    }

    /// Seconds in which Services that are all there get their addresses.
    fn burst(&mut self, class: &str, count: usize) -> Result<f64> {
        self.plane
            .delete(&Resource::ringbolt("IPAddressPool"), None, SPACE)?;
        let services = self.api(&Resource::service(), Some(SPACE))?;
        let client = self.plane.client(User::Admin)?;
        let created = self.plane.run(create(&services, class, count))??;
        let seen = self.plane.run(follow(&services))??;
        let (mut seen, watcher) = seen;
        let started = Instant::now();
        if class == OURS {
            self.pool("10.200.0.0/16")?;
        }
        let all = self.plane.run(async {
            if class != OURS {
                let work = created.into_iter().enumerate().map(|(number, service)| {
                    let (services, client) = (services.clone(), client.clone());
                    async move { serve(&services, &client, &service, address(number)).await }
                });
                let done: Vec<_> = stream::iter(work).buffer_unordered(AT_ONCE).collect().await;
                done.into_iter().collect::<kube::Result<Vec<_>>>()?;
            }
            let mut served = BTreeSet::new();
            let all = async {
                while served.len() < count {
                    let (name, given) = seen.recv().await.context("the watch has ended")?;
                    if given {
                        served.insert(name);
                    }
                }
                anyhow::Ok(())
            };
            tokio::time::timeout(LIMIT, all)
                .await
                .context("not all are served")?
        })?;
        let took = started.elapsed().as_secs_f64();
        watcher.abort();
        all?;
        self.clear()?;
        Ok(took)
    }

    /// Takes every Service and claim away again.
    fn clear(&self) -> Result<()> {
        let services = self.api(&Resource::service(), Some(SPACE))?;
        let claims = self.api(&Resource::ringbolt("IPAllocation"), None)?;
        self.plane.run(delete_all(&services))??;
        wait_for("all Services are gone", LIMIT, || {
            let left = self.plane.list(&Resource::service(), Some(SPACE))?;
            ensure!(left.is_empty(), "{} are left", left.len());
            Ok(())
        })?;
        self.plane.run(delete_all(&claims))?
    }
}

/// Tells of every change of a Service, and whether it has an address.
type Seen = mpsc::UnboundedReceiver<(String, bool)>;

async fn follow(services: &Api<DynamicObject>) -> Result<(Seen, tokio::task::JoinHandle<()>)> {
    let (tell, seen) = mpsc::unbounded_channel();
    let listed = services.list(&ListParams::default().limit(1)).await?;
    let version = listed.metadata.resource_version.unwrap_or_default();
    let services = services.clone();
    let watcher = tokio::spawn(async move {
        let params = WatchParams::default().timeout(290);
        let Ok(stream) = services.watch(&params, &version).await else {
            return;
        };
        let mut stream = Box::pin(stream);
        while let Some(Ok(event)) = stream.next().await {
            if let WatchEvent::Added(object) | WatchEvent::Modified(object) = event {
                let given = !object.data["status"]["loadBalancer"]["ingress"].is_null();
                if tell
                    .send((object.metadata.name.unwrap_or_default(), given))
                    .is_err()
                {
                    return;
                }
            }
        }
    });
    Ok((seen, watcher))
}

async fn one_by_one(
    services: &Api<DynamicObject>,
    client: &Client,
    class: &str,
    mut seen: Seen,
) -> Result<Vec<f64>> {
    let mut times = Vec::with_capacity(SINGLES);
    for number in 0..SINGLES {
        let service = service(class, number)?;
        let name = service.metadata.name.clone().unwrap_or_default();
        let started = Instant::now();
        let created = services.create(&PostParams::default(), &service).await?;
        let mut begun = class == OURS;
        loop {
            let (changed, given) = seen.recv().await.context("the watch has ended")?;
            if changed != name {
                continue;
            }
            if given {
                break;
            }
            // The bare client goes by what it is told, too.
            if !begun {
                begun = true;
                serve(services, client, &created, address(number)).await?;
            }
        }
        times.push(started.elapsed().as_secs_f64());
    }
    Ok(times)
}

async fn create(
    services: &Api<DynamicObject>,
    class: &str,
    count: usize,
) -> Result<Vec<DynamicObject>> {
    let params = PostParams::default();
    let work = (0..count).map(|number| {
        let params = &params;
        async move {
            let service = service(class, number)?;
            anyhow::Ok(services.create(params, &service).await?)
        }
    });
    let created: Vec<_> = stream::iter(work).buffer_unordered(AT_ONCE).collect().await;
    created.into_iter().collect()
}

/// The two writes.
async fn serve(
    services: &Api<DynamicObject>,
    client: &Client,
    service: &DynamicObject,
    address: String,
) -> kube::Result<()> {
    let name = service.metadata.name.as_deref().unwrap_or_default();
    let uid = service.metadata.uid.as_deref().unwrap_or_default();
    let claims = Resource::ringbolt("IPAllocation").api(client.clone(), None);
    let claim = json!({
        "apiVersion": "ringbolt.io/v1beta1", "kind": "IPAllocation",
        "metadata": {"name": format!("v4-{}", address.replace('.', "-"))},
        "spec": {
            "address": address, "pool": SPACE,
            "holders": [{
                "uid": uid, "namespace": SPACE, "name": name,
                "ports": [{"protocol": "TCP", "port": 80}],
            }],
        },
    });
    let claim: DynamicObject = serde_json::from_value(claim).map_err(kube::Error::SerdeError)?;
    claims.create(&PostParams::default(), &claim).await?;
    let patch = json!({
        "metadata": {
            "resourceVersion": service.metadata.resource_version,
            "finalizers": ["example.com/bare"],
            "annotations": {"example.com/from": SPACE},
        },
        "status": {"loadBalancer": {"ingress": [{"ip": address, "ipMode": "VIP"}]}},
    });
    let params = PatchParams::default();
    services
        .patch_status(name, &params, &Patch::Merge(&patch))
        .await?;
    Ok(())
}

async fn delete_all(objects: &Api<DynamicObject>) -> Result<()> {
    let listed = objects.list(&ListParams::default()).await?;
    let params = DeleteParams::default();
    let free = json!({"metadata": {"finalizers": null}});
    let work = listed.items.into_iter().map(|object| {
        let (params, free) = (&params, &free);
        async move {
            let name = object.metadata.name.unwrap_or_default();
            let held = object.metadata.finalizers.unwrap_or_default();
            objects.delete(&name, params).await?;
            if held.iter().any(|finalizer| finalizer == "example.com/bare") {
                let patch = Patch::Merge(free);
                objects
                    .patch(&name, &PatchParams::default(), &patch)
                    .await?;
            }
            kube::Result::Ok(())
        }
    });
    let done: Vec<_> = stream::iter(work).buffer_unordered(AT_ONCE).collect().await;
    for outcome in done {
        match outcome {
            // The controller may have been quicker.
            Err(kube::Error::Api(status)) if status.is_not_found() => {}
            outcome => outcome?,
        }
    }
    Ok(())
}

fn address(number: usize) -> String {
    format!("10.201.{}.{}", number / 250, number % 250 + 1)
}

fn service(class: &str, number: usize) -> Result<DynamicObject> {
    let service: Value = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"namespace": SPACE, "name": format!("web-{number}")},
        "spec": {
            "type": "LoadBalancer", "loadBalancerClass": class,
            "allocateLoadBalancerNodePorts": false, "ports": [{"port": 80}],
        },
    });
    Ok(serde_json::from_value(service)?)
}
