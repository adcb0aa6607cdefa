//! `ServiceView`: the only reader of Service fields and annotations.
//!
//! It is made once, at the border. What cannot be read becomes a [`ServiceProblem`] and the rest of
//! the view stays usable: whoever decides asks [`ServiceView::request`], which refuses what is
//! ambiguous. The view knows nothing of pools, nodes or other Services.

pub mod annotations;
mod classes;
pub mod problem;
mod status;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Service, ServiceSpec};

use crate::api::bgp_peer::IpFamily;
use crate::api::condition::Condition;
use crate::names::{PoolName, ResourceVersion, ServiceKey, SharingKey, Uid};

pub use annotations::{ServiceAttributes, Spelling};
pub use classes::{Classes, Provider};
pub use problem::{Concern, Field, Remark, ServiceProblem};
pub use status::{Ingress, IpMode, StatusWriter};

/// Finalizer of the upstream service controller (semantics rule 23).
pub const FINALIZER: &str = "service.kubernetes.io/load-balancer-cleanup";
/// Class that is ours unless flags say otherwise.
pub const DEFAULT_CLASS: &str = "ringbolt.io/ringbolt";
/// Field manager of the controller's writes; who else wrote a status is foreign (rule 3).
pub const FIELD_MANAGER: &str = "ringbolt-controller";

/// What kind of Service it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServiceType {
    /// Reached within the cluster.
    ClusterIP,
    /// Reached on a port of every node.
    NodePort,
    /// Reached by an address of its own.
    LoadBalancer,
    /// A name for something outside.
    ExternalName,
}

/// How many families a Service wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FamilyPolicy {
    /// One.
    SingleStack,
    /// Both where they can be had.
    PreferDualStack,
    /// Both or nothing.
    RequireDualStack,
}

/// Who takes traffic for a Service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TrafficPolicy {
    /// Any node.
    Cluster,
    /// Nodes with an endpoint.
    Local,
}

/// Transport protocol of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl Protocol {
    /// As Kubernetes spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Sctp => "SCTP",
        }
    }

    /// From Kubernetes' spelling.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Tcp, Self::Udp, Self::Sctp]
            .into_iter()
            .find(|p| p.as_str() == text)
    }
}

/// A port of a Service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServicePort {
    /// Protocol.
    pub protocol: Protocol,
    /// Port number.
    pub port: u16,
    /// Name, empty for an only port without one.
    pub name: Box<str>,
}

/// A Service.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceView {
    /// Namespace and name.
    pub key: ServiceKey,
    /// Which Service of that name; [`Uid::unassigned`] before a cluster has accepted it.
    pub uid: Uid,
    /// Version to write against; [`ResourceVersion::unassigned`] likewise.
    pub resource_version: ResourceVersion,
    /// When it was created; the epoch if nobody has said.
    pub created: Timestamp,
    /// Whether it carries a deletion mark.
    pub deleting: bool,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Type.
    pub service_type: ServiceType,
    /// `spec.loadBalancerClass`.
    pub class: Option<Box<str>>,
    /// `spec.ipFamilies` in their order; empty where the source has none.
    pub families: Vec<IpFamily>,
    /// `spec.ipFamilyPolicy`; SingleStack where the source has none.
    pub family_policy: FamilyPolicy,
    /// Ports, sorted.
    pub ports: Vec<ServicePort>,
    /// `spec.externalTrafficPolicy`.
    pub traffic_policy: TrafficPolicy,
    /// `spec.selector`.
    pub selector: BTreeMap<String, String>,
    /// Key by which the Service shares its address with others of the same key.
    pub sharing_key: Option<SharingKey>,
    /// Addresses asked for, at most one per family; see [`Self::request`].
    pub requested_addresses: Vec<IpAddr>,
    /// Pool asked for; see [`Self::request`].
    pub requested_pool: Option<PoolName>,
    /// Where it says so.
    pub spelling: Spelling,
    /// Attributes for its routes, if an advertisement allows them.
    pub attributes: ServiceAttributes,
    /// What is in `status.loadBalancer.ingress`, in its order.
    pub ingress: Vec<Ingress>,
    /// Who wrote that.
    pub status_writer: StatusWriter,
    /// `status.conditions`.
    pub conditions: Vec<Condition>,
    /// `ringbolt.io/ip-allocated-from-pool` as it stands.
    pub allocated_from: Option<Box<str>>,
    /// Whether [`FINALIZER`] is on it.
    pub has_finalizer: bool,
    /// `spec.externalIPs`.
    pub external_ips: BTreeSet<IpAddr>,
    /// `spec.clusterIPs`.
    pub cluster_ips: Vec<IpAddr>,
    /// Annotations that seem to wish something and that nothing here reads.
    pub unread_annotations: Vec<Box<str>>,
    /// What could not be read.
    pub problems: Vec<ServiceProblem>,
}

/// What a Service asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request<'a> {
    /// Addresses, at most one per family.
    pub addresses: &'a [IpAddr],
    /// Pool.
    pub pool: Option<&'a PoolName>,
    /// Key by which the address is shared.
    pub sharing_key: Option<&'a SharingKey>,
}

impl ServiceView {
    /// Reads a Service of a checked name.
    pub fn new(key: ServiceKey, object: Service) -> Self {
        let mut problems = Vec::new();
        let metadata = object.metadata;
        let annotations = metadata.annotations.unwrap_or_default();
        let spec = object.spec.unwrap_or_default();
        let status = object.status.unwrap_or_default();
        let asked = annotations::read(
            &annotations,
            spec.load_balancer_ip.as_deref(),
            &mut problems,
        );
        Self {
            uid: metadata
                .uid
                .and_then(|t| t.parse().ok())
                .unwrap_or_else(Uid::unassigned),
            resource_version: metadata
                .resource_version
                .and_then(|t| t.parse().ok())
                .unwrap_or_else(ResourceVersion::unassigned),
            created: metadata
                .creation_timestamp
                .map_or(Timestamp::UNIX_EPOCH, |time| time.0),
            deleting: metadata.deletion_timestamp.is_some(),
            labels: metadata.labels.unwrap_or_default(),
            service_type: service_type(&spec, &mut problems),
            families: families(&spec, &mut problems),
            family_policy: family_policy(&spec, &mut problems),
            traffic_policy: traffic_policy(&spec, &mut problems),
            ports: ports(&spec, &mut problems),
            selector: spec.selector.unwrap_or_default(),
            class: spec.load_balancer_class.map(Into::into),
            sharing_key: asked.sharing_key,
            requested_addresses: asked.addresses,
            requested_pool: asked.pool,
            spelling: asked.spelling,
            attributes: asked.attributes,
            ingress: status::ingress(status.load_balancer.unwrap_or_default()),
            status_writer: status::writer(metadata.managed_fields.as_deref().unwrap_or_default()),
            conditions: status.conditions.unwrap_or_default(),
            allocated_from: annotations
                .get(annotations::ALLOCATED_FROM)
                .map(|pool| pool.as_str().into()),
            has_finalizer: metadata.finalizers.iter().flatten().any(|f| f == FINALIZER),
            external_ips: spec
                .external_ips
                .iter()
                .flatten()
                .filter_map(|text| parse_ip(text))
                .collect(),
            cluster_ips: spec
                .cluster_ips
                .iter()
                .flatten()
                .filter_map(|text| parse_ip(text))
                .collect(),
            unread_annotations: annotations::unread(&annotations),
            key,
            problems,
        }
    }

    /// Whether it is of type LoadBalancer.
    pub fn is_load_balancer(&self) -> bool {
        self.service_type == ServiceType::LoadBalancer
    }

    /// What it asks for, or the first thing about it that cannot be read or is ambiguous.
    pub fn request(&self) -> Result<Request<'_>, &ServiceProblem> {
        match self
            .problems
            .iter()
            .find(|problem| problem.concerns() == Concern::Request)
        {
            Some(problem) => Err(problem),
            None => Ok(Request {
                addresses: &self.requested_addresses,
                pool: self.requested_pool.as_ref(),
                sharing_key: self.sharing_key.as_ref(),
            }),
        }
    }

    /// What the Service seems to wish and does not get, although it gets its address.
    pub fn remarks(&self) -> Vec<Remark> {
        let attributes = self
            .problems
            .iter()
            .filter(|problem| problem.concerns() == Concern::Attributes)
            .map(|problem| Remark {
                reason: problem.reason(),
                field: problem.field().to_string(),
                message: problem.to_string(),
            });
        let unread = self.unread_annotations.iter().map(|name| Remark {
            reason: "NotRead",
            field: format!("metadata.annotations[{name}]"),
            message: "nothing here reads this annotation".to_owned(),
        });
        attributes.chain(unread).collect()
    }

    /// Addresses in status, without what is not one.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.ingress.iter().filter_map(Ingress::address)
    }

    /// A condition of a type.
    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        self.conditions
            .iter()
            .find(|condition| condition.type_ == kind)
    }

    /// What two Services must have in common, beside the sharing key, to share an address: for
    /// `Local` the selector, for `Cluster` that it is `Cluster` (semantics rule 32).
    pub fn backend_key(&self) -> Option<&BTreeMap<String, String>> {
        (self.traffic_policy == TrafficPolicy::Local).then_some(&self.selector)
    }

    /// Wraps the view for sharing.
    pub fn shared(self) -> Arc<Self> {
        Arc::new(self)
    }
}

/// Reads an address as old API servers accepted it: leading zeros are decimal, an IPv4-mapped
/// IPv6 address is the IPv4 address (semantics rule 12).
pub fn parse_ip(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    if let Ok(v6) = text.parse::<Ipv6Addr>() {
        return Some(v6.to_canonical());
    }
    let octet = |part: &str| -> Option<u8> {
        let decimal = (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        if decimal { part.parse().ok() } else { None }
    };
    let octets: Vec<u8> = text.split('.').map(octet).collect::<Option<_>>()?;
    Some(<[u8; 4]>::try_from(octets).ok()?.into())
}

fn refuse(problems: &mut Vec<ServiceProblem>, field: Field, text: &str) {
    problems.push(ServiceProblem::InvalidValue {
        field,
        text: text.into(),
    });
}

fn service_type(spec: &ServiceSpec, problems: &mut Vec<ServiceProblem>) -> ServiceType {
    match spec.type_.as_deref() {
        None | Some("ClusterIP") => ServiceType::ClusterIP,
        Some("NodePort") => ServiceType::NodePort,
        Some("LoadBalancer") => ServiceType::LoadBalancer,
        Some("ExternalName") => ServiceType::ExternalName,
        Some(other) => {
            refuse(problems, Field::Spec("type"), other);
            ServiceType::ClusterIP
        }
    }
}

fn families(spec: &ServiceSpec, problems: &mut Vec<ServiceProblem>) -> Vec<IpFamily> {
    let mut families = Vec::new();
    for text in spec.ip_families.iter().flatten() {
        let family = match text.as_str() {
            "IPv4" => IpFamily::IPv4,
            "IPv6" => IpFamily::IPv6,
            other => {
                refuse(problems, Field::Spec("ipFamilies"), other);
                continue;
            }
        };
        if families.contains(&family) {
            refuse(problems, Field::Spec("ipFamilies"), text);
        } else {
            families.push(family);
        }
    }
    families
}

fn family_policy(spec: &ServiceSpec, problems: &mut Vec<ServiceProblem>) -> FamilyPolicy {
    match spec.ip_family_policy.as_deref() {
        None | Some("SingleStack") => FamilyPolicy::SingleStack,
        Some("PreferDualStack") => FamilyPolicy::PreferDualStack,
        Some("RequireDualStack") => FamilyPolicy::RequireDualStack,
        Some(other) => {
            refuse(problems, Field::Spec("ipFamilyPolicy"), other);
            FamilyPolicy::SingleStack
        }
    }
}

fn traffic_policy(spec: &ServiceSpec, problems: &mut Vec<ServiceProblem>) -> TrafficPolicy {
    match spec.external_traffic_policy.as_deref() {
        None | Some("" | "Cluster") => TrafficPolicy::Cluster,
        Some("Local") => TrafficPolicy::Local,
        Some(other) => {
            refuse(problems, Field::Spec("externalTrafficPolicy"), other);
            TrafficPolicy::Cluster
        }
    }
}

fn ports(spec: &ServiceSpec, problems: &mut Vec<ServiceProblem>) -> Vec<ServicePort> {
    let mut ports = Vec::new();
    for port in spec.ports.iter().flatten() {
        let number = u16::try_from(port.port).ok().filter(|n| *n != 0);
        let protocol = Protocol::parse(port.protocol.as_deref().unwrap_or("TCP"));
        match (number, protocol) {
            (Some(number), Some(protocol)) => ports.push(ServicePort {
                protocol,
                port: number,
                name: port.name.as_deref().unwrap_or_default().into(),
            }),
            (None, _) => refuse(problems, Field::Spec("ports.port"), &port.port.to_string()),
            (_, None) => {
                let text = port.protocol.as_deref().unwrap_or_default();
                refuse(problems, Field::Spec("ports.protocol"), text);
            }
        }
    }
    ports.sort();
    ports
}

#[cfg(test)]
mod tests;
