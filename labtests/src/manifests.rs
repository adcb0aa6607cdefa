//! The directory of manifests a lab writes, and the state Ringbolt keeps below it.
//!
//! Objects are built as JSON values and written as YAML, a file for each, replaced by rename as an editor does.
//! Knows the shapes of Kubernetes and of Ringbolt's resources; does not know the lab.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::place::Source;

/// The directory.
#[derive(Debug, Clone)]
pub(crate) struct Directory {
    path: PathBuf,
}

impl Directory {
    pub(crate) fn create(path: PathBuf) -> Result<Self> {
        fs::create_dir_all(&path)?;
        Ok(Self { path })
    }

    pub(crate) fn at(path: PathBuf) -> Self {
        Self { path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The directory as a source of objects.
    pub(crate) fn source(&self) -> Source {
        Source::Manifests(self.path.clone())
    }

    /// Writes objects into one file, replacing what it held.
    pub(crate) fn put(&self, file: &str, objects: &[Value]) -> Result<()> {
        self.put_hidden(file, objects)?;
        self.reveal(file)
    }

    /// Writes objects where nobody reads them yet; [`Directory::reveal`] makes them the file.
    pub(crate) fn put_hidden(&self, file: &str, objects: &[Value]) -> Result<()> {
        let documents: Vec<String> = objects
            .iter()
            .map(serde_saphyr::to_string)
            .collect::<Result<_, _>>()
            .context("writing YAML")?;
        Ok(fs::write(self.hidden(file), documents.join("---\n"))?)
    }

    /// Moves what was written hidden to its place.
    pub(crate) fn reveal(&self, file: &str) -> Result<()> {
        fs::rename(self.hidden(file), self.path.join(file)).with_context(|| file.to_owned())
    }

    /// Writes a file as it is.
    pub(crate) fn put_text(&self, file: &str, text: &str) -> Result<()> {
        fs::write(self.hidden(file), text)?;
        self.reveal(file)
    }

    fn hidden(&self, file: &str) -> PathBuf {
        self.path.join(format!(".{file}.new"))
    }

    pub(crate) fn remove(&self, file: &str) -> Result<()> {
        fs::remove_file(self.path.join(file)).with_context(|| file.to_owned())
    }

    /// The objects of one file.
    pub(crate) fn read(&self, file: &str) -> Result<Vec<Value>> {
        let text = fs::read_to_string(self.path.join(file)).with_context(|| file.to_owned())?;
        serde_saphyr::from_multiple(&text).with_context(|| file.to_owned())
    }

    /// Every object in every file that can be read.
    pub(crate) fn objects(&self) -> Vec<Value> {
        let mut objects = Vec::new();
        let mut files: Vec<PathBuf> = fs::read_dir(&self.path)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .collect();
        files.sort();
        for file in files.iter().filter(|file| is_manifest(file)) {
            let Ok(text) = fs::read_to_string(file) else {
                continue;
            };
            let Ok(documents) = serde_saphyr::from_multiple::<Value>(&text) else {
                continue;
            };
            objects.extend(documents);
        }
        objects
    }

    /// The object that Ringbolt keeps for one of ours, if it has made one.
    pub(crate) fn state(&self, plural: &str, namespace: &str, name: &str) -> Option<Value> {
        let path = self
            .path
            .join(".ringbolt")
            .join(plural)
            .join(namespace)
            .join(name);
        let text = fs::read_to_string(path).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// The addresses of every Service of a namespace that has a status.
    pub(crate) fn all_addresses(&self, namespace: &str) -> Result<BTreeMap<String, Vec<IpAddr>>> {
        let folder = self.path.join(".ringbolt/services").join(namespace);
        let mut services = BTreeMap::new();
        for entry in fs::read_dir(folder)?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.starts_with('.') {
                let addresses = self.addresses(namespace, &name);
                services.insert(name, addresses);
            }
        }
        Ok(services)
    }

    /// The addresses in a Service's status.
    pub(crate) fn addresses(&self, namespace: &str, service: &str) -> Vec<IpAddr> {
        let Some(state) = self.state("services", namespace, service) else {
            return Vec::new();
        };
        ingress(&state["status"])
    }
}

/// The addresses in the status of a Service.
pub(crate) fn ingress(status: &Value) -> Vec<IpAddr> {
    let entries = status["loadBalancer"]["ingress"].as_array();
    let entries = entries.into_iter().flatten();
    entries
        .filter_map(|entry| entry["ip"].as_str()?.parse().ok())
        .collect()
}

fn is_manifest(path: &Path) -> bool {
    let hidden = path
        .file_name()
        .is_none_or(|name| name.to_string_lossy().starts_with('.'));
    let yaml = path
        .extension()
        .is_some_and(|ext| ext == "yaml" || ext == "yml" || ext == "json");
    yaml && !hidden
}

/// Where traffic may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    Cluster,
    Local,
}

/// What a Service of the lab is made of: both families; port 80 of TCP and UDP leads to [`crate::pod::PORT`].
#[derive(Debug, Clone)]
pub(crate) struct ServiceSpec<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
    pub(crate) pool: &'a str,
    pub(crate) policy: Policy,
    /// Addresses asked for by annotation.
    pub(crate) requested: &'a [IpAddr],
}

/// The port clients use.
pub(crate) const SERVICE_PORT: u16 = 80;

/// The label of pods behind a Service; its value is `yes`.
pub(crate) fn endpoint_label(service: &str) -> String {
    format!("behind/{service}")
}

pub(crate) fn service(spec: &ServiceSpec<'_>) -> Value {
    let mut annotations = json!({"ringbolt.io/address-pool": spec.pool});
    if !spec.requested.is_empty() {
        let list: Vec<String> = spec.requested.iter().map(ToString::to_string).collect();
        annotations["ringbolt.io/loadBalancerIPs"] = json!(list.join(","));
    }
    let target = crate::pod::PORT;
    let port = |name: &str, protocol: &str| json!({"name": name, "protocol": protocol, "port": SERVICE_PORT, "targetPort": target});
    let policy = match spec.policy {
        Policy::Cluster => "Cluster",
        Policy::Local => "Local",
    };
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"namespace": spec.namespace, "name": spec.name, "annotations": annotations},
        "spec": {
            "type": "LoadBalancer",
            "ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv4", "IPv6"],
            "externalTrafficPolicy": policy,
            "selector": {endpoint_label(spec.name): "yes"},
            "ports": [port("tcp", "TCP"), port("udp", "UDP")],
        },
    })
}

/// One pod behind a Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) addresses: [IpAddr; 2],
    pub(crate) node: String,
}

/// The slices of a Service, one for each family.
pub(crate) fn endpoint_slices(
    namespace: &str,
    service: &str,
    endpoints: &[Endpoint],
) -> Vec<Value> {
    let families = [("IPv4", "ipv4"), ("IPv6", "ipv6")];
    let slices = families.into_iter().map(|(family, suffix)| {
        let listed: Vec<Value> = endpoints
            .iter()
            .flat_map(|endpoint| endpoint.addresses.iter().map(move |address| (endpoint, address)))
            .filter(|(_, address)| address.is_ipv4() == (family == "IPv4"))
            .map(|(endpoint, address)| {
                let conditions = json!({"ready": true, "serving": true, "terminating": false});
                json!({"addresses": [address], "nodeName": endpoint.node, "conditions": conditions})
            })
            .collect();
        let port = |name: &str, protocol: &str| json!({"name": name, "protocol": protocol, "port": crate::pod::PORT});
        json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {
                "namespace": namespace, "name": format!("{service}-{suffix}"),
                "labels": {"kubernetes.io/service-name": service},
            },
            "addressType": family,
            "ports": [port("tcp", "TCP"), port("udp", "UDP")],
            "endpoints": listed,
        })
    });
    slices.collect()
}

pub(crate) fn node(name: &str, addresses: &[IpAddr], pod_cidrs: &[ipnet::IpNet]) -> Value {
    let internal: Vec<Value> = addresses
        .iter()
        .map(|address| json!({"type": "InternalIP", "address": address}))
        .collect();
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "spec": {"podCIDRs": pod_cidrs},
        "status": {"addresses": internal, "conditions": [{"type": "Ready", "status": "True"}]},
    })
}

/// One of Ringbolt's own resources.
pub(crate) fn resource(kind: &str, name: &str, spec: Value) -> Value {
    let metadata = json!({"name": name});
    json!({"apiVersion": "ringbolt.io/v1beta1", "kind": kind, "metadata": metadata, "spec": spec})
}
