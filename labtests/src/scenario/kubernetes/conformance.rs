//! The back end on a real API server does what every back end must do: the checks of `cluster`, each on a cluster
//! from which the traces of the last one are gone.
//!
//! The back end has the rights of the account that a controller or a speaker has.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use kube::Client;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use ringbolt_cluster::conformance::{self, Ground};
use ringbolt_cluster::{Cluster, EventType, KubernetesOptions, Role};
use ringbolt_config::{Kind, ObjectRef};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::kubelab::{CONTROLLER, ControlPlane, Resource, SPEAKER, SYSTEM, User};
use crate::scenario::KubeScenario;

macro_rules! scenarios {
    ($($check:ident,)*) => {
        pub(super) const SCENARIOS: &[KubeScenario] = &[$(
            KubeScenario {
                name: concat!("kubernetes: conformance: ", stringify!($check)),
                run: |lab| {
                    let plane = lab.conformance()?;
                    let place = Place::swept(plane)?;
                    plane.run(conformance::$check(&place))
                },
            },
        )*];
    };
}
ringbolt_cluster::for_each_conformance_check!(scenarios);

/// The node whose speaker the checks play.
const NODE: &str = "node-1";

/// Between two looks of somebody who waits for an object's end, and how long he waits.
const LOOK: Duration = Duration::from_millis(50);
const LIMIT: Duration = Duration::from_secs(20);

/// A control plane, as somebody who owns objects sees it.
struct Place {
    admin: Client,
    person: PathBuf,
    controller: PathBuf,
    speaker: PathBuf,
}

impl Place {
    /// Removes what an earlier check left.
    fn swept(plane: &ControlPlane) -> Result<Self> {
        let place = Self {
            admin: plane.client(User::Admin)?,
            person: plane.kubeconfig(User::Admin),
            controller: plane.pod_kubeconfig(CONTROLLER, NODE)?,
            speaker: plane.pod_kubeconfig(SPEAKER, NODE)?,
        };
        let ours = Kind::ALL
            .iter()
            .filter(|kind| kind.is_ours())
            .map(|kind| (resource(*kind), None));
        let others = [
            (Resource::service(), Some("default")),
            (Resource::node(), None),
            (Resource::event(), Some("default")),
            (Resource::endpoint_slice(), Some("default")),
            (Resource::secret(), Some(SYSTEM)),
            (Resource::lease(), Some(SYSTEM)),
        ];
        for (resource, namespace) in ours.chain(others) {
            plane.run(sweep(&place.admin, &resource, namespace))??;
        }
        Ok(place)
    }

    fn cluster(&self, role: Role, kubeconfig: &Path) -> Cluster {
        Cluster::kubernetes(KubernetesOptions {
            kubeconfig: Some(kubeconfig.to_owned()),
            namespace: Some(SYSTEM.to_owned()),
            node: (role == Role::Speaker).then(|| NODE.parse().ok()).flatten(),
            ..KubernetesOptions::new(role)
        })
    }
}

fn resource(kind: Kind) -> Resource {
    Resource::new(kind.api_version(), kind.as_str())
}

/// Deletes every object of a kind, whatever holds it.
async fn sweep(client: &Client, resource: &Resource, namespace: Option<&str>) -> Result<()> {
    let api = resource.api(client.clone(), namespace);
    for object in api.list(&ListParams::default()).await? {
        let name = object.metadata.name.unwrap_or_default();
        // The API server makes this Service itself.
        if name == "kubernetes" {
            continue;
        }
        let free = Patch::Merge(json!({"metadata": {"finalizers": null}}));
        api.patch(&name, &PatchParams::default(), &free).await?;
        match api.delete(&name, &DeleteParams::default()).await {
            Err(kube::Error::Api(status)) if !status.is_not_found() => {
                return Err(kube::Error::Api(status).into());
            }
            Err(kube::Error::Api(_)) | Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

async fn apply(api: &Api<DynamicObject>, manifest: &Value) -> DynamicObject {
    let name = manifest["metadata"]["name"].as_str().unwrap_or_default();
    let params = PatchParams::apply("conformance").force();
    api.patch(name, &params, &Patch::Apply(manifest))
        .await
        .expect("the API server takes a check's manifest")
}

impl Ground for Place {
    fn controller(&self) -> Cluster {
        self.cluster(Role::Controller, &self.controller)
    }

    fn speaker(&self) -> Cluster {
        self.cluster(Role::Speaker, &self.speaker)
    }

    fn person(&self) -> Cluster {
        self.cluster(Role::Controller, &self.person)
    }

    async fn apply(&self, manifest: &Value) {
        let resource = Resource::of(manifest).expect("a check's manifest says what it is");
        let namespace = manifest["metadata"]["namespace"].as_str();
        let api = resource.api(self.admin.clone(), namespace);
        let applied = apply(&api, manifest).await;
        let Some(uid) = applied
            .metadata
            .uid
            .filter(|_| applied.metadata.deletion_timestamp.is_some())
        else {
            return;
        };
        // People who keep a manifest apply it again until it is what it says: once the old object is gone.
        let manifest = manifest.clone();
        tokio::spawn(async move {
            let name = manifest["metadata"]["name"].as_str().unwrap_or_default();
            let gone = async {
                while let Ok(Some(found)) = api.get_opt(name).await
                    && found.metadata.uid.as_ref() == Some(&uid)
                {
                    sleep(LOOK).await;
                }
            };
            if timeout(LIMIT, gone).await.is_ok() {
                apply(&api, &manifest).await;
            }
        });
    }

    async fn events(&self) -> Vec<(String, EventType, u32)> {
        let api = Resource::event().api(self.admin.clone(), Some("default"));
        let listed = api.list(&ListParams::default()).await;
        let events = listed.expect("events can be listed").items.into_iter();
        events
            .map(|event| {
                let reason = event.data["reason"].as_str().unwrap_or_default();
                let event_type = match event.data["type"].as_str() {
                    Some("Normal") => EventType::Normal,
                    _ => EventType::Warning,
                };
                let count = event.data["series"]["count"].as_u64().unwrap_or(1);
                (
                    reason.to_owned(),
                    event_type,
                    u32::try_from(count).unwrap_or(u32::MAX),
                )
            })
            .collect()
    }

    async fn delete(&self, object: &ObjectRef) {
        let namespace = object.namespace.as_deref();
        let api = resource(object.kind).api(self.admin.clone(), namespace);
        api.delete(&object.name, &DeleteParams::default())
            .await
            .expect("a check deletes what it has applied");
    }
}
