//! What this node should announce, as a pure function of the mirror and the configuration in force, and for every
//! address that is not announced the reason why.
//!
//! It does not know what is announced at present ([`crate::diff`] does), which node owns a layer 2 address (the
//! announcer does) nor when to take leave of a peer (the Router does). Equal inputs give equal outputs, in whatever
//! order the objects arrived.
//!
//! A drained or excluded node keeps wanting its Service routes here: letting go of them gently, per peer, is the
//! Router's work, and so is the hand-over of addresses for the announcer. The verdicts say what is so.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ringbolt_bgp::types::{PeerName, Prefix};
use ringbolt_config::names::{AdvertisementName, PoolName, ServiceKey};
use ringbolt_l2::announcer::Share;

use crate::diff::{Owner, Wanted};
use crate::index::{Index, Tracked};
pub use local::{LocalChange, LocalConfig, Selection};
pub use withheld::Withheld;

mod attributes;
mod bgp;
mod eligibility;
mod l2;
mod local;
#[cfg(test)]
pub(crate) mod tests;
mod withheld;

/// What one Service asks of this node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Announcements {
    /// Its routes; each way to announce once.
    pub routes: Vec<Wanted>,
    /// Its part in each address that the announcer may claim.
    pub shares: BTreeMap<IpAddr, Share>,
    /// Every address in its status, with what becomes of it here.
    pub addresses: BTreeMap<IpAddr, Verdicts>,
    /// What it asks and does not get, without an address being withheld.
    pub remarks: BTreeSet<Remark>,
}

/// What becomes of one address on this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdicts {
    /// The pool it lies in.
    pub pool: Option<PoolName>,
    /// Over BGP.
    pub bgp: BgpVerdict,
    /// On layer 2.
    pub l2: L2Verdict,
}

/// What becomes of an address over BGP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BgpVerdict {
    /// These routes cover it.
    Announced(Vec<RouteVerdict>),
    /// None does.
    Withheld(Withheld),
}

/// One route that covers an address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RouteVerdict {
    /// The route.
    pub prefix: Prefix,
    /// On account of which advertisement.
    pub advertisement: AdvertisementName,
    /// The peers of this node it is for.
    pub peers: BTreeSet<PeerName>,
}

/// What becomes of an address on layer 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum L2Verdict {
    /// The announcer may claim it, on account of these advertisements; who owns it is decided there.
    Claimable(BTreeSet<AdvertisementName>),
    /// It may not.
    Withheld(Withheld),
}

/// What a Service asks for and does not get, although it is announced.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remark {
    /// It asks for attributes and an advertisement of it does not allow that.
    AttributesNotAllowed {
        /// Which advertisement.
        advertisement: AdvertisementName,
    },
    /// A community it asks for is neither an alias nor a number.
    UnknownCommunity {
        /// As written.
        text: Box<str>,
    },
}

impl Remark {
    /// The closed set of words programs may match on.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::AttributesNotAllowed { .. } => "ServiceAttributesNotAllowed",
            Self::UnknownCommunity { .. } => "UnknownCommunity",
        }
    }
}

/// What a Service asks of this node. A Service that is not there, or not ours, asks nothing.
pub fn compute(index: &Index, local: &LocalConfig, key: &ServiceKey) -> Announcements {
    let mut announcements = Announcements::default();
    let Some(service) = index.service(key) else {
        return announcements;
    };
    let mut routes = bgp::Routes::default();
    for &address in &service.addresses {
        let scene = Scene {
            index,
            local,
            key,
            service,
            address,
        };
        let verdicts = scene.judge(&mut routes, &mut announcements);
        announcements.addresses.insert(address, verdicts);
    }
    announcements.routes = routes.into_wanted();
    announcements
}

/// What an advertisement asks of this node whose prefixes do not come from Services.
pub fn compute_standing(
    local: &LocalConfig,
    name: &AdvertisementName,
) -> Result<Vec<Wanted>, Withheld> {
    bgp::standing(local, name)
}

/// On whose account a Service's routes are wanted.
pub fn owner(key: &ServiceKey) -> Owner {
    Owner::Service(key.clone())
}

/// One address of one Service, and everything a decision about it may look at.
#[derive(Clone, Copy)]
struct Scene<'a> {
    index: &'a Index,
    local: &'a LocalConfig,
    key: &'a ServiceKey,
    service: &'a Tracked,
    address: IpAddr,
}

impl Scene<'_> {
    fn judge(self, routes: &mut bgp::Routes, out: &mut Announcements) -> Verdicts {
        let pool = match self.announceable() {
            Ok(pool) => pool,
            Err((pool, withheld)) => {
                return Verdicts {
                    pool,
                    bgp: BgpVerdict::Withheld(withheld.clone()),
                    l2: L2Verdict::Withheld(withheld),
                };
            }
        };
        let bgp = match (
            self.routes(&pool, routes, &mut out.remarks),
            self.local.node_withheld(),
        ) {
            (Ok(_), Some(withheld)) => BgpVerdict::Withheld(withheld.clone()),
            (Ok(covering), None) => BgpVerdict::Announced(covering),
            (Err(withheld), _) => BgpVerdict::Withheld(withheld),
        };
        let share = self.share(&pool);
        let l2 = match (self.l2_verdict(&share), self.local.node_withheld()) {
            (Ok(_), Some(withheld)) => L2Verdict::Withheld(withheld.clone()),
            (Ok(advertisements), None) => L2Verdict::Claimable(advertisements),
            (Err(withheld), _) => L2Verdict::Withheld(withheld),
        };
        if let Ok(share) = share {
            out.shares.insert(self.address, share);
        }
        Verdicts {
            pool: Some(pool),
            bgp,
            l2,
        }
    }
}
