//! Our resources as Rust types, one file per kind; the CRDs are generated from them.
//!
//! A type here says what a manifest may contain: optional, as typed, with the bounds and CEL rules
//! that an API server checks. What it *means* is decided in [`resolve`](mod@crate::resolve). Where MetalLB has
//! the same kind, its field names are kept.
#![expect(
    unreachable_pub,
    reason = "KubeSchema's derive repeats each public struct inside a function"
)]

pub mod allocation;
pub mod bfd;
pub mod bgp_advertisement;
pub mod bgp_peer;
pub mod community;
pub mod condition;
pub mod l2_advertisement;
pub mod pool;
pub mod route_import;
pub mod selector;
pub mod speaker;
pub mod validate;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

pub use allocation::{IPAllocation, IPAllocationSpec};
pub use bfd::{BFDProfile, BFDProfileSpec};
pub use bgp_advertisement::{BGPAdvertisement, BGPAdvertisementSpec};
pub use bgp_peer::{BGPPeer, BGPPeerSpec, BGPPeerTemplate, BGPPeerTemplateSpec, PeerFields};
pub use community::{Community, CommunitySpec};
pub use condition::{Condition, ConditionKind, ConfigStatus};
pub use l2_advertisement::{L2Advertisement, L2AdvertisementSpec};
pub use pool::{IPAddressPool, IPAddressPoolSpec, IPAddressPoolStatus};
pub use route_import::{RouteImport, RouteImportSpec};
pub use selector::LabelSelector;
pub use speaker::{Speaker, SpeakerSpec, SpeakerStatus};

/// All CRDs, in the order in which they are printed.
pub fn crds() -> Vec<CustomResourceDefinition> {
    vec![
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
    ]
}

#[cfg(test)]
mod tests;
