//! When two Services may have one address: the same key, no port in common, and packets that go to
//! the same endpoints. A refusal is always the newcomer's (semantics rule 32).
//!
//! What a holder occupies is what its claim records, not what its Service says by this minute: so
//! of two holders that collide, the one whose ports differ from the record is the newcomer.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use ringbolt_config::model::PoolSharing;
use ringbolt_config::names::SharingKey;
use ringbolt_config::service::Protocol;
use ringbolt_config::{ServiceKey, Uid};

use super::claim::{Claim, Holder};
use super::request::Request;
use crate::refusal::{Refusal, SharingConflict};

/// A port of one protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Port {
    /// TCP, UDP or SCTP.
    pub protocol: Protocol,
    /// The port number.
    pub number: u16,
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.protocol.as_str(), self.number)
    }
}

/// Which endpoints get the packets of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Backend {
    /// Any node forwards to any endpoint.
    Everywhere,
    /// A node forwards to its own endpoints of this selector.
    Local(Arc<BTreeMap<String, String>>),
}

/// How a Service shares an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenancy {
    /// The sharing key.
    pub key: SharingKey,
    /// What it occupies.
    pub ports: BTreeSet<Port>,
    /// Where its packets go.
    pub backend: Backend,
}

/// What is known of how the holders of a claim share at this time.
pub(super) trait Tenants {
    /// The tenancy of a Service; `None` if it does not share, or is not known.
    fn tenancy(&self, uid: &Uid) -> Option<&Tenancy>;
}

/// Whether the Service of `request` may be a further holder of `claim`.
pub(super) fn may_join(
    request: &Request,
    claim: &Claim,
    scope: PoolSharing,
    tenants: &impl Tenants,
) -> Result<(), Refusal> {
    let Some(first) = claim.holders.first() else {
        return Ok(());
    };
    let (Some(tenancy), Some(key)) = (&request.tenancy, &claim.sharing_key) else {
        return Err(taken(claim, &first.key));
    };
    if scope == PoolSharing::Never {
        return Err(refused(claim, &first.key, SharingConflict::PoolNeverShares));
    }
    if tenancy.key != *key {
        return Err(refused(claim, &first.key, SharingConflict::OtherKey));
    }
    for holder in &claim.holders {
        let elsewhere = holder.key.namespace() != request.key.namespace();
        if scope == PoolSharing::Namespace && elsewhere {
            return Err(refused(claim, &holder.key, SharingConflict::OtherNamespace));
        }
        if let Some(port) = tenancy.ports.intersection(&holder.ports).next() {
            return Err(refused(claim, &holder.key, SharingConflict::Port(*port)));
        }
        match tenants.tenancy(&holder.uid) {
            Some(other) if other.backend == tenancy.backend => {}
            Some(_) => return Err(refused(claim, &holder.key, SharingConflict::OtherBackend)),
            None => return Err(taken(claim, &holder.key)),
        }
    }
    Ok(())
}

/// Whether a holder of `claim` may stay one as its Service is at this time.
pub(super) fn may_stay(
    request: &Request,
    claim: &Claim,
    tenants: &impl Tenants,
) -> Result<(), Refusal> {
    let Some(place) = claim.holders.iter().position(|h| h.uid == request.uid) else {
        return Ok(());
    };
    let (earlier, later) = (&claim.holders[..place], &claim.holders[place + 1..]);
    let Some(other) = earlier.first().or(later.first()) else {
        return Ok(());
    };
    let (Some(tenancy), Some(key)) = (&request.tenancy, &claim.sharing_key) else {
        return Err(taken(claim, &other.key));
    };
    if tenancy.key != *key {
        return Err(refused(claim, &other.key, SharingConflict::OtherKey));
    }
    let changed = claim.holders[place].ports != tenancy.ports;
    let before = |holder: &&Holder| changed || earlier.iter().any(|h| h.uid == holder.uid);
    for holder in earlier.iter().chain(later).filter(before) {
        if let Some(port) = tenancy.ports.intersection(&holder.ports).next() {
            return Err(refused(claim, &holder.key, SharingConflict::Port(*port)));
        }
    }
    for holder in earlier {
        if tenants
            .tenancy(&holder.uid)
            .is_some_and(|t| t.backend != tenancy.backend)
        {
            return Err(refused(claim, &holder.key, SharingConflict::OtherBackend));
        }
    }
    Ok(())
}

fn taken(claim: &Claim, by: &ServiceKey) -> Refusal {
    Refusal::AddressTaken {
        address: claim.address,
        by: by.clone(),
    }
}

fn refused(claim: &Claim, with: &ServiceKey, why: SharingConflict) -> Refusal {
    Refusal::SharingRefused {
        address: claim.address,
        with: with.clone(),
        why,
    }
}
