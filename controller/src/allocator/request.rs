//! What a Service asks of the allocator, and what it may be given.

use std::net::IpAddr;
use std::sync::Arc;

use ringbolt_config::model::selector::Labels;
use ringbolt_config::{PoolName, ServiceKey, Uid};

use super::sharing::Tenancy;
use crate::Family;
use crate::refusal::Refusal;

/// Everything about a Service that bears on which address it may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its name: reservations are for names.
    pub key: ServiceKey,
    /// Its incarnation: claims are held by incarnations.
    pub uid: Uid,
    /// Its labels, for `serviceSelectors`.
    pub labels: Arc<Labels>,
    /// Its namespace's labels, for `namespaceSelectors`.
    pub namespace_labels: Arc<Labels>,
    /// The pool it names.
    pub pool: Option<PoolName>,
    /// The addresses it names, at most one of a family.
    pub addresses: Vec<IpAddr>,
    /// How it shares, if it does.
    pub tenancy: Option<Tenancy>,
}

impl Request {
    /// The address it names of a family.
    pub fn address(&self, family: Family) -> Option<IpAddr> {
        self.addresses.iter().copied().find(|a| family.holds(*a))
    }

    /// Whether an address is what it asks for: its address if it names one, in its pool if it names
    /// one.
    pub fn accepts(&self, pick: &Pick) -> bool {
        self.address(Family::of(pick.address))
            .is_none_or(|a| a == pick.address)
            && self.pool.as_ref().is_none_or(|named| *named == pick.pool)
    }
}

/// An address the allocator offers. Nothing is taken until the claim is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pick {
    /// The address.
    pub address: IpAddr,
    /// The pool it lies in.
    pub pool: PoolName,
}

/// What can be given for each family that was asked for, in the order of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// One answer per family.
    pub answers: Vec<(Family, Result<Pick, Refusal>)>,
}

/// What an address that a Service holds is to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// What it asks for; `pool` is where the address lies.
    Satisfies {
        /// The pool.
        pool: PoolName,
    },
    /// Not what it asks for, but good until that can be had.
    Tolerable {
        /// The pool.
        pool: PoolName,
    },
    /// Not to be kept, whatever else there is.
    Untenable {
        /// Why.
        why: Refusal,
    },
}
