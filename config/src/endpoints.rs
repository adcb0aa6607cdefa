//! `EndpointSliceView`: what is read of an EndpointSlice. Which endpoint is usable is said here
//! once (semantics rules 17-20); who announces because of it is the speaker's decision.

use std::net::IpAddr;
use std::sync::Arc;

use k8s_openapi::api::discovery::v1::{Endpoint as ApiEndpoint, EndpointSlice};

use crate::names::{NodeName, ServiceKey};

/// Label that names the Service of a slice.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// What the addresses of a slice are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AddressType {
    /// IPv4 addresses.
    IPv4,
    /// IPv6 addresses.
    IPv6,
    /// Names, or anything else; such slices are ignored (rule 20).
    Other,
}

/// One endpoint; absent conditions have their defaults filled in (rule 18).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Addresses of the slice's family; what does not parse is left out.
    pub addresses: Vec<IpAddr>,
    /// Node the endpoint runs on; an endpoint without one is local nowhere (rule 17).
    pub node: Option<NodeName>,
    /// Takes new connections.
    pub ready: bool,
    /// Answers, though it may be on its way out.
    pub serving: bool,
    /// On its way out.
    pub terminating: bool,
}

impl Endpoint {
    /// Whether the endpoint counts only while nothing else does: still serving, no longer ready.
    pub fn is_last_resort(&self) -> bool {
        !self.ready && self.serving && self.terminating
    }
}

/// An EndpointSlice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointSliceView {
    /// Namespace of the slice, and of its Service.
    pub namespace: Arc<str>,
    /// Name of the slice.
    pub name: Arc<str>,
    /// Service the slice belongs to; without the label it belongs to none.
    pub service: Option<ServiceKey>,
    /// `metadata.generation`, a part of the view of endpoints that layer-2 claims rest on;
    /// 0 if absent.
    pub generation: u64,
    /// What the addresses are.
    pub address_type: AddressType,
    /// The endpoints, in the order of the object.
    pub endpoints: Vec<Endpoint>,
}

impl EndpointSliceView {
    /// Reads a slice of a checked name.
    pub fn new(namespace: Arc<str>, name: Arc<str>, object: EndpointSlice) -> Self {
        let labels = object.metadata.labels.unwrap_or_default();
        let service = labels
            .get(SERVICE_NAME)
            .and_then(|service| ServiceKey::new(&namespace, service).ok());
        let address_type = match object.address_type.as_str() {
            "IPv4" => AddressType::IPv4,
            "IPv6" => AddressType::IPv6,
            _ => AddressType::Other,
        };
        let generation = object
            .metadata
            .generation
            .and_then(|g| u64::try_from(g).ok());
        Self {
            namespace,
            name,
            service,
            generation: generation.unwrap_or(0),
            address_type,
            endpoints: object
                .endpoints
                .into_iter()
                .map(|e| endpoint(e, address_type))
                .collect(),
        }
    }
}

fn endpoint(api: ApiEndpoint, kind: AddressType) -> Endpoint {
    let conditions = api.conditions.unwrap_or_default();
    let addresses = api.addresses.iter().filter_map(|text| text.parse().ok());
    let of_family = |a: &IpAddr| match kind {
        AddressType::IPv4 => a.is_ipv4(),
        AddressType::IPv6 => a.is_ipv6(),
        AddressType::Other => false,
    };
    Endpoint {
        addresses: addresses.filter(of_family).collect(),
        node: api.node_name.and_then(|name| name.parse().ok()),
        ready: conditions.ready.unwrap_or(true),
        serving: conditions.serving.or(conditions.ready).unwrap_or(true),
        terminating: conditions.terminating.unwrap_or(false),
    }
}

#[cfg(test)]
mod tests;
