//! The bare client: what an API server can do for somebody who decides nothing. It creates Services for everybody,
//! does the two writes for its own, and tells what the watch shows.

use std::time::Instant;

use anyhow::{Context, Result};
use futures_util::StreamExt;
use futures_util::stream;
use kube::Client;
use kube::api::{
    Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, WatchParams,
};
use kube::core::WatchEvent;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::kubelab::Resource;

/// Requests under way at once, on both sides.
const AT_ONCE: usize = 10;
/// Where the Services are, and the name of the pool.
pub(super) const SPACE: &str = "bench";
/// A finalizer, as the controller has one.
const FINALIZER: &str = "example.com/bare";

/// Whose Services they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Ours,
    Bare,
    /// Those of another controller.
    Other,
}

impl Class {
    const fn name(self) -> &'static str {
        match self {
            Self::Ours => "ringbolt.io/ringbolt",
            Self::Bare => "example.com/bare",
            Self::Other => "example.com/other",
        }
    }
}

/// What the watch showed of a Service.
#[derive(Debug)]
pub(super) struct Sighting {
    pub(super) name: String,
    pub(super) address: Option<String>,
    pub(super) at: Instant,
}

/// Everything the watch shows, from when it was begun. It ends with the value.
#[derive(Debug)]
pub(super) struct Sightings {
    seen: mpsc::UnboundedReceiver<Sighting>,
    watcher: JoinHandle<()>,
}

impl Drop for Sightings {
    fn drop(&mut self) {
        self.watcher.abort();
    }
}

impl Sightings {
    pub(super) async fn begin(services: &Api<DynamicObject>) -> Result<Self> {
        let (tell, seen) = mpsc::unbounded_channel();
        let listed = services.list(&ListParams::default().limit(1)).await?;
        let version = listed.metadata.resource_version.unwrap_or_default();
        let params = WatchParams::default().timeout(290);
        let stream = services.watch(&params, &version).await?.boxed();
        let watcher = tokio::spawn(async move {
            let mut stream = stream;
            while let Some(Ok(event)) = stream.next().await {
                if let WatchEvent::Added(object) | WatchEvent::Modified(object) = event
                    && tell.send(sighting(object)).is_err()
                {
                    return;
                }
            }
        });
        Ok(Self { seen, watcher })
    }

    pub(super) async fn next(&mut self) -> Result<Sighting> {
        self.seen.recv().await.context("the watch has ended")
    }
}

fn sighting(object: DynamicObject) -> Sighting {
    let ingress = &object.data["status"]["loadBalancer"]["ingress"];
    Sighting {
        address: ingress[0]["ip"].as_str().map(str::to_owned),
        name: object.metadata.name.unwrap_or_default(),
        at: Instant::now(),
    }
}

/// Makes Services of these numbers.
pub(super) async fn create(
    services: &Api<DynamicObject>,
    class: Class,
    numbers: std::ops::Range<usize>,
) -> Result<Vec<DynamicObject>> {
    let objects = numbers.map(|number| service(class, number));
    create_all(services, objects.collect::<Result<_>>()?).await
}

/// Creates objects, as many at once as are under way at all.
pub(super) async fn create_all(
    api: &Api<DynamicObject>,
    objects: Vec<DynamicObject>,
) -> Result<Vec<DynamicObject>> {
    let params = PostParams::default();
    let work = objects.into_iter().map(|object| {
        let params = &params;
        async move { api.create(params, &object).await }
    });
    let created: Vec<_> = stream::iter(work).buffer_unordered(AT_ONCE).collect().await;
    Ok(created.into_iter().collect::<kube::Result<_>>()?)
}

/// Gives every one of them an address.
pub(super) async fn serve_all(
    services: &Api<DynamicObject>,
    client: &Client,
    created: Vec<DynamicObject>,
) -> Result<()> {
    let work = created
        .into_iter()
        .enumerate()
        .map(|(number, service)| async move {
            serve(services, client, &service, address(number)).await
        });
    let done: Vec<_> = stream::iter(work).buffer_unordered(AT_ONCE).collect().await;
    done.into_iter().collect::<kube::Result<Vec<_>>>()?;
    Ok(())
}

/// The two writes.
pub(super) async fn serve(
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
            "finalizers": [FINALIZER],
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

pub(super) async fn delete_all(objects: &Api<DynamicObject>) -> Result<()> {
    let listed = objects.list(&ListParams::default()).await?;
    delete(objects, listed.items).await
}

/// Asks for objects to go; those that the bare client serves do.
pub(super) async fn delete(objects: &Api<DynamicObject>, which: Vec<DynamicObject>) -> Result<()> {
    let params = DeleteParams::default();
    let free = json!({"metadata": {"finalizers": null}});
    let work = which.into_iter().map(|object| {
        let (params, free) = (&params, &free);
        async move {
            let name = object.metadata.name.unwrap_or_default();
            let held = object.metadata.finalizers.unwrap_or_default();
            objects.delete(&name, params).await?;
            if held.iter().any(|finalizer| finalizer == FINALIZER) {
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

/// Which address the bare client gives.
pub(super) fn address(number: usize) -> String {
    format!("10.201.{}.{}", number / 250, number % 250 + 1)
}

pub(super) fn name(number: usize) -> String {
    format!("web-{number}")
}

pub(super) fn service(class: Class, number: usize) -> Result<DynamicObject> {
    let service: Value = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"namespace": SPACE, "name": name(number)},
        "spec": {
            "type": "LoadBalancer", "loadBalancerClass": class.name(),
            "allocateLoadBalancerNodePorts": false, "ports": [{"port": 80}],
        },
    });
    Ok(serde_json::from_value(service)?)
}
