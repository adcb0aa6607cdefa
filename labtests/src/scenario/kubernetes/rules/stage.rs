//! A namespace with a pool of its own, and what is looked at in it: statuses, claims, events, the history of an object.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::StreamExt;
use kube::api::WatchParams;
use kube::core::WatchEvent;
use serde_json::{Value, json};

use crate::kubelab::{ControlPlane, Resource};
use crate::node::http_get;
use crate::wait::wait_for;

/// What a controller may take to react: it may have been started a moment ago.
pub(super) const LIMIT: Duration = Duration::from_secs(30);
/// How long "nothing happens" is watched.
pub(super) const QUIET: Duration = Duration::from_secs(2);
/// Our finalizer on Services.
pub(super) const FINALIZER: &str = "service.kubernetes.io/load-balancer-cleanup";
/// The controller's HTTP port.
const HTTP: u16 = 9642;

/// See the module.
pub(super) struct Stage<'a> {
    pub(super) plane: &'a ControlPlane,
    pub(super) space: String,
}

impl<'a> Stage<'a> {
    /// Namespace and pool `name`; the pool serves that namespace alone.
    pub(super) fn new(plane: &'a ControlPlane, name: &str, addresses: &[&str]) -> Result<Self> {
        let stage = Self::without_pool(plane, name)?;
        stage.pool(addresses)?;
        Ok(stage)
    }

    pub(super) fn without_pool(plane: &'a ControlPlane, name: &str) -> Result<Self> {
        let kind = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        plane.apply(&kind)?;
        Ok(Self {
            plane,
            space: name.to_owned(),
        })
    }

    /// Makes the pool this.
    pub(super) fn pool(&self, addresses: &[&str]) -> Result<()> {
        self.plane.apply(&json!({
            "apiVersion": "ringbolt.io/v1beta1", "kind": "IPAddressPool",
            "metadata": {"name": self.space},
            "spec": {"addresses": addresses, "serviceAllocation": {"namespaces": [self.space]}},
        }))?;
        Ok(())
    }

    /// A LoadBalancer Service of one port with these further fields in its spec.
    pub(super) fn service(&self, name: &str, more: &Value) -> Result<Value> {
        let mut spec = json!({
            "type": "LoadBalancer", "selector": {"app": name},
            "ports": [{"name": "web", "port": 80, "protocol": "TCP"}],
        });
        let fields = spec.as_object_mut().context("an object")?;
        for (field, value) in more.as_object().into_iter().flatten() {
            fields.insert(field.clone(), value.clone());
        }
        self.plane.apply(&json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"namespace": self.space, "name": name},
            "spec": spec,
        }))
    }

    pub(super) fn get(&self, name: &str) -> Result<Value> {
        let found = self.find(name)?;
        found.with_context(|| format!("there is no Service {name}"))
    }

    pub(super) fn find(&self, name: &str) -> Result<Option<Value>> {
        self.plane
            .get(&Resource::service(), Some(&self.space), name)
    }

    pub(super) fn patch(&self, name: &str, change: &Value) -> Result<Value> {
        self.plane
            .patch(&Resource::service(), Some(&self.space), name, change)
    }

    pub(super) fn patch_status(&self, name: &str, status: &Value) -> Result<Value> {
        self.plane
            .patch_status(&Resource::service(), Some(&self.space), name, status)
    }

    pub(super) fn delete(&self, name: &str) -> Result<()> {
        self.plane
            .delete(&Resource::service(), Some(&self.space), name)
    }

    /// Waits for as many addresses in status.
    pub(super) fn addresses(&self, name: &str, count: usize) -> Result<Vec<String>> {
        wait_for(&format!("{name} has {count} addresses"), LIMIT, || {
            let service = self.get(name)?;
            let found = ingress(&service);
            ensure!(found.len() == count, "its status is {}", service["status"]);
            Ok(found)
        })
    }

    pub(super) fn address(&self, name: &str) -> Result<String> {
        self.addresses(name, 1).map(|mut found| found.remove(0))
    }

    /// Waits until a Service is gone.
    pub(super) fn gone(&self, name: &str) -> Result<()> {
        wait_for(&format!("{name} is gone"), LIMIT, || {
            ensure!(self.find(name)?.is_none(), "it is still there");
            Ok(())
        })
    }

    /// Waits until a Service is free of us: no address, no finalizer, no claim that names it.
    pub(super) fn released(&self, name: &str) -> Result<()> {
        wait_for(&format!("{name} is released"), LIMIT, || {
            if let Some(service) = self.find(name)? {
                ensure!(ingress(&service).is_empty(), "status {}", service["status"]);
                ensure!(!has_finalizer(&service), "it has our finalizer");
            }
            let held = self.claims_of(name)?;
            ensure!(held.is_empty(), "claims {held:?} name it");
            Ok(())
        })
    }

    /// The claims that name a Service of this namespace as a holder.
    pub(super) fn claims_of(&self, name: &str) -> Result<Vec<Value>> {
        let claims = self.plane.list(&Resource::ringbolt("IPAllocation"), None)?;
        let ours = |claim: &Value| {
            let holders = claim["spec"]["holders"].as_array();
            holders
                .into_iter()
                .flatten()
                .any(|holder| holder["namespace"] == self.space.as_str() && holder["name"] == name)
        };
        Ok(claims.into_iter().filter(ours).collect())
    }

    /// Every version of a Service since `version`, oldest first, as the API server tells it.
    pub(super) fn history(&self, name: &str, version: &str) -> Result<Vec<(String, Value)>> {
        let api = Resource::service().api(
            self.plane.client(crate::kubelab::User::Admin)?,
            Some(&self.space),
        );
        let selector = format!("metadata.name={name}");
        let params = WatchParams::default().fields(&selector).timeout(1);
        let events = self.plane.run(async {
            let mut told = Vec::new();
            let mut stream = Box::pin(api.watch(&params, version).await?);
            while let Some(event) = stream.next().await {
                match event? {
                    WatchEvent::Added(object) => told.push(("ADDED", object)),
                    WatchEvent::Modified(object) => told.push(("MODIFIED", object)),
                    WatchEvent::Deleted(object) => told.push(("DELETED", object)),
                    WatchEvent::Bookmark(_) | WatchEvent::Error(_) => {}
                }
            }
            anyhow::Ok(told)
        })??;
        let value =
            |(what, object): (&str, _)| Ok((what.to_owned(), serde_json::to_value(object)?));
        events.into_iter().map(value).collect()
    }

    /// Types and reasons of our events that regard a Service, sorted, each as often as it was told.
    pub(super) fn events(&self, name: &str) -> Result<Vec<String>> {
        let events = self.plane.list(&Resource::event(), Some(&self.space))?;
        // The API server tells things of its own about Services.
        let by_us = |event: &Value| {
            let reporter = event["reportingComponent"].as_str();
            reporter.is_some_and(|reporter| reporter.starts_with("ringbolt.io/"))
        };
        let ours = events
            .iter()
            .filter(|event| event["involvedObject"]["name"] == name && by_us(event));
        let mut told = Vec::new();
        for event in ours {
            let text = |field: &str| event[field].as_str().unwrap_or_default();
            let line = format!("{} {}", text("type"), text("reason"));
            let times = event["series"]["count"].as_u64().unwrap_or(1);
            told.extend((0..times).map(|_| line.clone()));
        }
        told.sort();
        Ok(told)
    }

    /// Waits until exactly this was told about a Service, in the order of the alphabet.
    pub(super) fn told(&self, name: &str, wanted: &[&str]) -> Result<()> {
        wait_for(&format!("{name} has its events"), LIMIT, || {
            let told = self.events(name)?;
            ensure!(told == wanted, "they are {told:?}");
            Ok(())
        })
    }

    /// Waits until our condition says that a Service is refused for this reason. Events come at a bounded rate: only
    /// who has a controller to himself can wait for them.
    pub(super) fn refused(&self, name: &str, wanted: &str) -> Result<()> {
        wait_for(&format!("{name} is refused: {wanted}"), LIMIT, || {
            let condition = condition(&self.get(name)?);
            ensure!(condition["reason"] == wanted, "it says {condition}");
            ensure!(condition["status"] == "False", "it says {condition}");
            Ok(())
        })
    }

    /// Watches that a Service stays exactly what it is.
    pub(super) fn untouched(&self, name: &str, span: Duration) -> Result<()> {
        let before = self.get(name)?;
        crate::wait::holds_for(&format!("{name} is not touched"), span, || {
            let now = self.get(name)?;
            let version = |service: &Value| service["metadata"]["resourceVersion"].clone();
            ensure!(version(&before) == version(&now), "it became {now}");
            Ok(())
        })
    }
}

/// The addresses in a Service's status, in their order.
pub(super) fn ingress(service: &Value) -> Vec<String> {
    let entries = service["status"]["loadBalancer"]["ingress"].as_array();
    let entries = entries.into_iter().flatten();
    entries
        .filter_map(|entry| entry["ip"].as_str().map(str::to_owned))
        .collect()
}

pub(super) fn has_finalizer(service: &Value) -> bool {
    let finalizers = service["metadata"]["finalizers"].as_array();
    finalizers
        .into_iter()
        .flatten()
        .any(|name| name == FINALIZER)
}

pub(super) fn version(object: &Value) -> Result<&str> {
    object["metadata"]["resourceVersion"]
        .as_str()
        .context("an object without version")
}

/// Versions of one store are numbers in the order of its writes.
pub(super) fn number(object: &Value) -> Result<u64> {
    Ok(version(object)?.parse()?)
}

/// Our condition of a Service; null where it has none.
pub(super) fn condition(service: &Value) -> Value {
    let conditions = service["status"]["conditions"].as_array();
    let mut conditions = conditions.into_iter().flatten();
    let ours = conditions.find(|condition| condition["type"] == "ringbolt.io/Allocated");
    ours.cloned().unwrap_or_default()
}

/// What a Service of both families asks for.
pub(super) fn both() -> Value {
    json!({"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv4", "IPv6"]})
}

/// Calls that change something, by outcome, as `/metrics` of the controller tells them. Leases are left out, and
/// events, which are told at a rate of their own.
pub(super) fn writes(plane: &ControlPlane) -> Result<Vec<(String, u64)>> {
    writes_at(plane, HTTP)
}

pub(super) fn writes_at(plane: &ControlPlane, port: u16) -> Result<Vec<(String, u64)>> {
    let mut found = changes_at(plane, port)?;
    found.retain(|(labels, _)| !labels.contains("\"events\""));
    Ok(found)
}

/// As [`writes_at`], with the events.
pub(super) fn changes_at(plane: &ControlPlane, port: u16) -> Result<Vec<(String, u64)>> {
    let text = http_get(plane.space(), port, "/metrics")?;
    let lines = text.lines().filter(|line| {
        line.starts_with("ringbolt_api_calls_total{") && !line.contains("\"leases\"")
    });
    let mut found = Vec::new();
    for line in lines {
        let (labels, count) = line.rsplit_once(' ').context("a sample")?;
        let verbs = ["create", "update", "patch", "delete"];
        if verbs
            .iter()
            .any(|verb| labels.contains(&format!("\"{verb}\"")))
        {
            found.push((labels.to_owned(), count.parse()?));
        }
    }
    found.sort();
    Ok(found)
}
