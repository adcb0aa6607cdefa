//! Configuration as it is meant: no default left open, every reference resolved, every text parsed.
//!
//! A [`Config`] is a value: equal inputs give equal configs, and a part that did not change keeps
//! its `Arc`, so that readers may compare by pointer first. It is made by
//! [`resolve`](mod@crate::resolve) alone and knows nothing of who reads it.

pub mod bgp;
pub mod community;
pub mod l2;
pub mod pool;
pub mod range;
pub mod selector;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::names::{AdvertisementName, PeerName, PoolName};

pub use bgp::{
    BgpAdvertisement, BgpAttributes, Origin, Password, Peer, PeerScope, RemoteAsn, ServiceScope,
};
pub use community::{Community, CommunityTable};
pub use l2::{InterfaceScope, L2Advertisement};
pub use pool::Pool;
pub use range::AddressRange;
pub use selector::{Selector, Selectors};

pub use crate::api::bgp_advertisement::WithoutEndpoints;
pub use crate::api::bgp_peer::IpFamily;
pub use crate::api::l2_advertisement::Failback;
pub use crate::api::pool::{OnRemoval, PoolSharing};

/// All configuration in force.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Config {
    /// Pools; their ranges are disjoint.
    pub pools: BTreeMap<PoolName, Arc<Pool>>,
    /// What is answered for on layer 2.
    pub l2_advertisements: BTreeMap<AdvertisementName, Arc<L2Advertisement>>,
    /// What is announced over BGP.
    pub bgp_advertisements: BTreeMap<AdvertisementName, Arc<BgpAdvertisement>>,
    /// To whom.
    pub peers: BTreeMap<PeerName, Arc<Peer>>,
    /// Names for communities, for the annotations of Services.
    pub communities: Arc<CommunityTable>,
}

impl Config {
    /// The pool whose ranges hold an address, whether or not the address may be handed out.
    pub fn pool_of(&self, address: IpAddr) -> Option<&Arc<Pool>> {
        self.pools.values().find(|pool| pool.contains(address))
    }
}

/// Pools that an advertisement covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PoolScope {
    /// All pools.
    All,
    /// These pools, be it none.
    Only(BTreeSet<PoolName>),
}

impl PoolScope {
    /// Whether a pool is covered.
    pub fn covers(&self, pool: &PoolName) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(pool),
        }
    }
}
