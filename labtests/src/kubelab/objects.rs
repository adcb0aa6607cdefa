//! Objects in the API server as JSON: read, written and deleted by whoever a lab plays.

use anyhow::{Context, Result};
use kube::Client;
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams,
};
use serde_json::{Value, json};

use super::plane::ControlPlane;

/// A kind of object and where the API server keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resource(ApiResource);

/// Kinds whose plural is more than an `s`, and those called by a short name here.
const PLURALS: &[(&str, &str)] = &[("NetworkPolicy", "networkpolicies")];

impl Resource {
    /// A kind of an API version, such as `v1`, `Service`.
    pub(crate) fn new(api_version: &str, kind: &str) -> Self {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let irregular = PLURALS.iter().find(|(known, _)| *known == kind);
        let lower = kind.to_lowercase();
        let plural = match irregular {
            Some((_, plural)) => (*plural).to_owned(),
            None if lower.ends_with('y') => format!("{}ies", lower.trim_end_matches('y')),
            None if lower.ends_with('s') => format!("{lower}es"),
            None => format!("{lower}s"),
        };
        Self(ApiResource {
            group: group.to_owned(),
            version: version.to_owned(),
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            plural,
        })
    }

    /// What an object says it is.
    pub(crate) fn of(object: &Value) -> Result<Self> {
        let text = |field: &str| {
            object[field]
                .as_str()
                .with_context(|| format!("no {field}"))
        };
        Ok(Self::new(text("apiVersion")?, text("kind")?))
    }

    pub(crate) fn service() -> Self {
        Self::new("v1", "Service")
    }

    pub(crate) fn node() -> Self {
        Self::new("v1", "Node")
    }

    pub(crate) fn pod() -> Self {
        Self::new("v1", "Pod")
    }

    pub(crate) fn event() -> Self {
        Self::new("v1", "Event")
    }

    pub(crate) fn secret() -> Self {
        Self::new("v1", "Secret")
    }

    pub(crate) fn endpoint_slice() -> Self {
        Self::new("discovery.k8s.io/v1", "EndpointSlice")
    }

    pub(crate) fn lease() -> Self {
        Self::new("coordination.k8s.io/v1", "Lease")
    }

    /// One of Ringbolt's kinds.
    pub(crate) fn ringbolt(kind: &str) -> Self {
        Self::new("ringbolt.io/v1beta1", kind)
    }

    /// The objects of this kind, in a namespace or (`None`) wherever they are.
    pub(crate) fn api(&self, client: Client, namespace: Option<&str>) -> Api<DynamicObject> {
        match namespace {
            Some(namespace) => Api::namespaced_with(client, namespace, &self.0),
            None => Api::all_with(client, &self.0),
        }
    }
}

/// Who writes, for the API server's records.
const FIELD_MANAGER: &str = "lab";

impl ControlPlane {
    /// An object as the administrator sees it; nothing if there is none of that name.
    pub(crate) fn get(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<Value>> {
        let api = resource.api(self.admin(), namespace);
        let found = self.ask(async { api.get_opt(name).await })??;
        found
            .map(|object| Ok(serde_json::to_value(object)?))
            .transpose()
    }

    /// All objects of a kind, in a namespace or (`None`) everywhere.
    pub(crate) fn list(&self, resource: &Resource, namespace: Option<&str>) -> Result<Vec<Value>> {
        let api = resource.api(self.admin(), namespace);
        let listed = self.ask(async { api.list(&ListParams::default()).await })??;
        let objects = listed.items.into_iter().map(serde_json::to_value);
        Ok(objects.collect::<Result<_, _>>()?)
    }

    /// Makes an object what `object` says and leaves fields of others alone, as `kubectl apply --server-side`.
    /// Status is not part of it.
    pub(crate) fn apply(&self, object: &Value) -> Result<Value> {
        let (api, name) = self.place_of(object)?;
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let applied = self.ask(async { api.patch(&name, &params, &Patch::Apply(object)).await })?;
        let applied = applied.with_context(|| format!("apply {} {name}", object["kind"]))?;
        Ok(serde_json::to_value(applied)?)
    }

    /// Creates an object; refused when there is one of that name.
    pub(crate) fn create(&self, object: &Value) -> Result<Value> {
        let (api, name) = self.place_of(object)?;
        let typed: DynamicObject = serde_json::from_value(object.clone())?;
        let created = self.ask(async { api.create(&PostParams::default(), &typed).await })?;
        let created = created.with_context(|| format!("create {} {name}", object["kind"]))?;
        Ok(serde_json::to_value(created)?)
    }

    /// Merges `change` into an object.
    pub(crate) fn patch(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        name: &str,
        change: &Value,
    ) -> Result<Value> {
        let api = resource.api(self.admin(), namespace);
        let params = PatchParams::default();
        let patched = self.ask(async { api.patch(name, &params, &Patch::Merge(change)).await })?;
        Ok(serde_json::to_value(
            patched.with_context(|| format!("patch {name}"))?,
        )?)
    }

    /// Merges `status` into the status of an object.
    pub(crate) fn patch_status(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        name: &str,
        status: &Value,
    ) -> Result<Value> {
        let api = resource.api(self.admin(), namespace);
        let change = json!({"status": status});
        let params = PatchParams::default();
        let patched = self.ask(async {
            api.patch_status(name, &params, &Patch::Merge(&change))
                .await
        })?;
        Ok(serde_json::to_value(
            patched.with_context(|| format!("patch the status of {name}"))?,
        )?)
    }

    /// Asks for an object's deletion, without a grace period; finalizers still hold it. No such object is fine.
    pub(crate) fn delete(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<()> {
        let api = resource.api(self.admin(), namespace);
        let params = DeleteParams::default().grace_period(0);
        match self.ask(async { api.delete(name, &params).await })? {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
            Err(error) => Err(error).with_context(|| format!("delete {name}")),
        }
    }

    fn place_of(&self, object: &Value) -> Result<(Api<DynamicObject>, String)> {
        let name = object["metadata"]["name"].as_str().context("no name")?;
        let namespace = object["metadata"]["namespace"].as_str();
        let api = Resource::of(object)?.api(self.admin(), namespace);
        Ok((api, name.to_owned()))
    }
}
