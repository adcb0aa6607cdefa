//! Our resources as Rust types, one file per kind; the CRDs are generated from them.
//!
//! A type here says what a manifest may contain: optional, as typed, with the bounds and CEL rules
//! that an API server checks. What it *means* is decided in [`resolve`](mod@crate::resolve). Where MetalLB has
//! the same kind, its field names are kept.
#![expect(
    unreachable_pub,
    reason = "KubeSchema's derive repeats each public struct inside a function"
)]
#![expect(
    clippy::duplicated_attributes,
    reason = "printed columns are attributes of one name and often of one type"
)]

pub mod allocation;
pub mod bfd;
pub mod bgp_advertisement;
pub mod bgp_peer;
pub mod community;
pub mod condition;
pub mod l2_advertisement;
pub mod pool;
pub mod reference;
pub mod route_import;
pub mod selector;
pub mod speaker;
pub mod validate;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;

pub use allocation::{IPAllocation, IPAllocationSpec};
pub use bfd::{BFDProfile, BFDProfileSpec};
pub use bgp_advertisement::{BGPAdvertisement, BGPAdvertisementSpec};
pub use bgp_peer::{
    BGPPeer, BGPPeerSpec, BGPPeerStatus, BGPPeerTemplate, BGPPeerTemplateSpec, PeerFields,
    SecretReference,
};
pub use community::{Community, CommunitySpec};
pub use condition::{Condition, ConditionKind, ConfigStatus};
pub use l2_advertisement::{L2Advertisement, L2AdvertisementSpec, L2AdvertisementStatus};
pub use pool::{IPAddressPool, IPAddressPoolSpec, IPAddressPoolStatus};
pub use route_import::{RouteImport, RouteImportSpec};
pub use selector::LabelSelector;
pub use speaker::{Speaker, SpeakerSpec, SpeakerStatus};

/// All CRDs, in the order in which they are printed.
pub fn crds() -> Vec<CustomResourceDefinition> {
    let mut crds = vec![
        IPAddressPool::crd(),
        IPAllocation::crd(),
        L2Advertisement::crd(),
        BGPAdvertisement::crd(),
        BGPPeer::crd(),
        BGPPeerTemplate::crd(),
        BFDProfile::crd(),
        Community::crd(),
        RouteImport::crd(),
        Speaker::crd(),
    ];
    let versions = crds.iter_mut().flat_map(|crd| &mut crd.spec.versions);
    let schemas = versions.filter_map(|version| version.schema.as_mut());
    schemas
        .filter_map(|schema| schema.open_api_v3_schema.as_mut())
        .for_each(tighten);
    crds
}

/// Number formats of an API server; it warns about all others.
const KNOWN_FORMATS: &[&str] = &["int32", "int64", "float", "double", "date-time"];

/// Takes the description off an enumeration's own schema, so that each field that is of it is
/// described by what it means there.
fn undescribed(schema: &mut schemars::Schema) {
    schema.remove("description");
}

/// Takes out what the derive says about Rust rather than about manifests. A `null` in a field that
/// is not nullable is pruned by an API server, so that CEL's `has()` means what it seems to.
fn tighten(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    if schema
        .format
        .as_deref()
        .is_some_and(|format| !KNOWN_FORMATS.contains(&format))
    {
        schema.format = None;
    }
    schema
        .properties
        .iter_mut()
        .flatten()
        .for_each(|(_, member)| tighten(member));
    if let Some(JSONSchemaPropsOrArray::Schema(item)) = &mut schema.items {
        tighten(item);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(value)) = &mut schema.additional_properties {
        tighten(value);
    }
}

/// File name and text of every CRD: what `ringbolt crds` prints and `manifests/crds` holds.
pub fn crd_yaml() -> Vec<(String, String)> {
    crds()
        .into_iter()
        .map(|crd| {
            let yaml = serde_saphyr::to_string(&crd).expect("a CRD holds nothing but plain JSON");
            (format!("{}.yaml", crd.spec.names.plural), yaml)
        })
        .collect()
}

#[cfg(test)]
mod tests;
