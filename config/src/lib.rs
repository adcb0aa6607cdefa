//! Resource types, views of Kubernetes objects, and the resolver from objects to configuration.
//!
//! Everything Ringbolt reads passes this crate once, at the border:
//!
//! ```text
//! JSON ──decode──► Object ──apply──► Snapshot ──resolve──► Config (or problems by object and field)
//! ```
//!
//! - [`names`]: identifiers, and [`Kind`], the closed list of what is read.
//! - [`api`]: our resources as Rust types; the CRDs are generated from them.
//! - [`service`], [`endpoints`], [`node`], [`namespace`], [`secret`]: what we read of Kubernetes
//!   objects, converted once; inside, nobody looks at an annotation or an optional field again.
//! - [`object`]: the one conversion from JSON, shared by every source of objects.
//! - [`snapshot`]: all configuration objects at one time.
//! - [`model`]: configuration without open defaults and without unresolved references.
//! - [`resolve`](mod@resolve): from one to the other; every problem names object, field and reason.
//! - [`served`]: which field is read, which is refused in this version.
//! - [`checksum`]: what tells texts apart, the same in every build.
//!
//! The crate knows neither `bgp` nor `l2`, performs no I/O and never writes an object.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod api;
pub mod checksum;
pub mod endpoints;
pub mod model;
pub mod names;
pub mod namespace;
pub mod node;
pub mod object;
pub mod resolve;
pub mod secret;
pub mod served;
pub mod service;
pub mod snapshot;

pub use checksum::Checksum;
pub use endpoints::EndpointSliceView;
pub use model::Config;
pub use names::{
    AdvertisementName, Kind, NodeName, ObjectRef, PeerName, PoolName, ResourceVersion, ServiceKey,
    Uid,
};
pub use namespace::NamespaceView;
pub use node::NodeView;
pub use object::{DecodeProblem, Object, decode, decode_noting};
pub use resolve::{LastGood, Problem, resolve};
pub use secret::SecretView;
pub use service::ServiceView;
pub use snapshot::Snapshot;
