//! Identifiers: newtypes for every name that Ringbolt keys something by, and the closed list of
//! kinds it reads. Names are checked once, here; whoever holds one may use it as a path component
//! or a map key. Nothing here knows what the named objects contain.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Why a text is not a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameProblem {
    /// Nothing there.
    #[error("is empty")]
    Empty,
    /// Longer than an object name may be.
    #[error("is longer than {max} characters")]
    TooLong {
        /// Longest allowed, in bytes.
        max: usize,
    },
    /// Not a lowercase RFC 1123 subdomain.
    #[error("is not a lowercase DNS name")]
    NotDns,
    /// A `namespace/name` without its slash.
    #[error("is not of the form namespace/name")]
    NoSlash,
}

/// Longest object name, RFC 1123 subdomain (bytes).
const MAX_NAME: usize = 253;
/// Longest sharing key (bytes).
const MAX_SHARING_KEY: usize = 1024;
/// What stands where no cluster has assigned a UID or a version yet; no API server writes it.
const UNASSIGNED: &str = "unassigned";

/// Lowercase RFC 1123 subdomain: what the API server asks of the names used here.
fn check_dns(text: &str) -> Result<(), NameProblem> {
    if text.is_empty() {
        return Err(NameProblem::Empty);
    }
    if text.len() > MAX_NAME {
        return Err(NameProblem::TooLong { max: MAX_NAME });
    }
    let label = |l: &str| {
        let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        l.starts_with(edge) && l.ends_with(edge) && l.chars().all(|c| edge(c) || c == '-')
    };
    if text.split('.').all(label) {
        Ok(())
    } else {
        Err(NameProblem::NotDns)
    }
}

/// Opaque identifiers: anything non-empty of bounded length.
fn check_opaque(text: &str) -> Result<(), NameProblem> {
    match text.len() {
        0 => Err(NameProblem::Empty),
        n if n > MAX_NAME => Err(NameProblem::TooLong { max: MAX_NAME }),
        _ => Ok(()),
    }
}

/// Sharing keys: anything non-empty; the bound is that of IPAllocation.
fn check_sharing(text: &str) -> Result<(), NameProblem> {
    match text.len() {
        0 => Err(NameProblem::Empty),
        n if n > MAX_SHARING_KEY => Err(NameProblem::TooLong {
            max: MAX_SHARING_KEY,
        }),
        _ => Ok(()),
    }
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameProblem;
            fn from_str(text: &str) -> Result<Self, NameProblem> {
                $check(text)?;
                Ok(Self(text.into()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameProblem;
            fn try_from(text: String) -> Result<Self, NameProblem> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.as_str().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

name_type! {
    /// Name of a Node.
    NodeName, check_dns
}
name_type! {
    /// Name of an IPAddressPool.
    PoolName, check_dns
}
name_type! {
    /// Name of a BGPPeer.
    PeerName, check_dns
}
name_type! {
    /// Name of an L2Advertisement or a BGPAdvertisement.
    AdvertisementName, check_dns
}
name_type! {
    /// Name of a Namespace.
    NamespaceName, check_dns
}
name_type! {
    /// `metadata.uid`: which object of a name this is, over deletion and re-creation.
    Uid, check_opaque
}
name_type! {
    /// Key by which Services share an address.
    SharingKey, check_sharing
}
name_type! {
    /// `metadata.resourceVersion`: opaque, compared for equality only (semantics rule 46).
    ResourceVersion, check_opaque
}

impl Uid {
    /// Stands for the UID of an object that no cluster has accepted yet.
    pub fn unassigned() -> Self {
        Self(UNASSIGNED.into())
    }
}

impl ResourceVersion {
    /// Stands for the version of an object that no cluster has accepted yet.
    pub fn unassigned() -> Self {
        Self(UNASSIGNED.into())
    }
}

/// Namespace and name of a Service; `Display` and `FromStr` use `namespace/name`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServiceKey {
    namespace: Arc<str>,
    name: Arc<str>,
}

impl ServiceKey {
    /// Checks both parts as DNS names.
    pub fn new(namespace: &str, name: &str) -> Result<Self, NameProblem> {
        check_dns(namespace)?;
        check_dns(name)?;
        Ok(Self {
            namespace: namespace.into(),
            name: name.into(),
        })
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The name within the namespace.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl fmt::Debug for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for ServiceKey {
    type Err = NameProblem;
    fn from_str(text: &str) -> Result<Self, NameProblem> {
        let (namespace, name) = text.split_once('/').ok_or(NameProblem::NoSlash)?;
        Self::new(namespace, name)
    }
}

impl TryFrom<String> for ServiceKey {
    type Error = NameProblem;
    fn try_from(text: String) -> Result<Self, NameProblem> {
        text.parse()
    }
}

impl From<ServiceKey> for String {
    fn from(key: ServiceKey) -> Self {
        key.to_string()
    }
}

macro_rules! kinds {
    ($($kind:ident, $name:literal, $api:expr, $plural:literal, $scope:ident;)*) => {
        /// Every kind Ringbolt reads; nothing else enters.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Kind {
            $(
                #[doc = concat!("`", $name, "`")]
                #[serde(rename = $name)]
                $kind,
            )*
        }

        impl Kind {
            /// All kinds, in the order in which a start reads them.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            /// The kind as manifests spell it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            /// `apiVersion` as manifests spell it.
            pub const fn api_version(self) -> &'static str {
                match self { $(Self::$kind => $api,)* }
            }

            /// Plural, lowercase: the path segment of the API and the folder of the directory.
            pub const fn plural(self) -> &'static str {
                match self { $(Self::$kind => $plural,)* }
            }

            /// Whether objects of the kind live in namespaces.
            pub const fn namespaced(self) -> bool {
                match self { $(Self::$kind => kinds!(@$scope),)* }
            }
        }
    };
    (@namespaced) => { true };
    (@cluster) => { false };
}

/// Group of our kinds.
pub const GROUP: &str = "ringbolt.io";
/// Version of our kinds.
pub const VERSION: &str = "v1beta1";
const OURS: &str = "ringbolt.io/v1beta1";

kinds! {
    Node, "Node", "v1", "nodes", cluster;
    Namespace, "Namespace", "v1", "namespaces", cluster;
    Secret, "Secret", "v1", "secrets", namespaced;
    IPAddressPool, "IPAddressPool", OURS, "ipaddresspools", cluster;
    Community, "Community", OURS, "communities", cluster;
    BFDProfile, "BFDProfile", OURS, "bfdprofiles", cluster;
    BGPPeerTemplate, "BGPPeerTemplate", OURS, "bgppeertemplates", cluster;
    BGPPeer, "BGPPeer", OURS, "bgppeers", cluster;
    BGPAdvertisement, "BGPAdvertisement", OURS, "bgpadvertisements", cluster;
    L2Advertisement, "L2Advertisement", OURS, "l2advertisements", cluster;
    RouteImport, "RouteImport", OURS, "routeimports", cluster;
    IPAllocation, "IPAllocation", OURS, "ipallocations", cluster;
    Speaker, "Speaker", OURS, "speakers", cluster;
    Service, "Service", "v1", "services", namespaced;
    EndpointSlice, "EndpointSlice", "discovery.k8s.io/v1", "endpointslices", namespaced;
}

impl Kind {
    /// Whether the kind belongs to our group.
    pub fn is_ours(self) -> bool {
        self.api_version() == OURS
    }

    /// The kind of a manifest, if Ringbolt reads it.
    pub fn from_manifest(api_version: &str, kind: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|k| k.as_str() == kind && k.api_version() == api_version)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which object is meant: kind, namespace where the kind has one, name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectRef {
    /// Kind of the object.
    pub kind: Kind,
    /// Namespace; `None` for cluster-scoped kinds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Arc<str>>,
    /// `metadata.name`.
    pub name: Arc<str>,
}

impl ObjectRef {
    /// Checks the name as a DNS name and supplies namespace `default` where the kind needs one
    /// and none is given; a namespace on a cluster-scoped kind is dropped.
    pub fn new(kind: Kind, namespace: Option<&str>, name: &str) -> Result<Self, NameProblem> {
        check_dns(name)?;
        let namespace = match (kind.namespaced(), namespace) {
            (false, _) => None,
            (true, None) => Some("default".into()),
            (true, Some(ns)) => {
                check_dns(ns)?;
                Some(ns.into())
            }
        };
        Ok(Self {
            kind,
            namespace,
            name: name.into(),
        })
    }

    /// The Service this refers to, if it is one.
    pub fn service_key(&self) -> Option<ServiceKey> {
        match (self.kind, &self.namespace) {
            (Kind::Service, Some(namespace)) => Some(ServiceKey {
                namespace: namespace.clone(),
                name: self.name.clone(),
            }),
            _ => None,
        }
    }
}

impl From<&ServiceKey> for ObjectRef {
    fn from(key: &ServiceKey) -> Self {
        Self {
            kind: Kind::Service,
            namespace: Some(key.namespace.clone()),
            name: key.name.clone(),
        }
    }
}

macro_rules! object_ref_from {
    ($($name:ty => $kind:expr;)*) => {$(
        impl From<&$name> for ObjectRef {
            fn from(name: &$name) -> Self {
                Self { kind: $kind, namespace: None, name: name.0.clone() }
            }
        }
    )*};
}
object_ref_from! {
    NodeName => Kind::Node;
    PoolName => Kind::IPAddressPool;
    PeerName => Kind::BGPPeer;
    NamespaceName => Kind::Namespace;
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

/// Name of the claim on an address: `v4-192-0-2-10`, or `v6-` and 32 hex digits.
pub fn allocation_name(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            format!("v4-{a}-{b}-{c}-{d}")
        }
        IpAddr::V6(v6) => format!("v6-{:032x}", v6.to_bits()),
    }
}

/// The address a claim's name stands for; the inverse of [`allocation_name`], nothing else passes.
pub fn allocation_address(name: &str) -> Option<IpAddr> {
    let address = if let Some(rest) = name.strip_prefix("v4-") {
        let octets: Vec<u8> = rest
            .split('-')
            .map(str::parse)
            .collect::<Result<_, _>>()
            .ok()?;
        IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(octets).ok()?))
    } else {
        let bits = u128::from_str_radix(name.strip_prefix("v6-")?, 16).ok()?;
        IpAddr::V6(Ipv6Addr::from_bits(bits))
    };
    (allocation_name(address) == name).then_some(address)
}

#[cfg(test)]
mod tests;
