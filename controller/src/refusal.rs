//! Why a Service does not have the address it asks for, as a value.
//!
//! Condition, event, metric, log and status all take their words from here: `reason()` is the
//! closed vocabulary, `field()` the place in the Service that asked, in the spelling it uses, `Display`
//! what is wrong, `sentence()` both. No sentence holds a clock or a count that moves by itself, so that repeating a refusal writes
//! nothing.

use std::fmt;
use std::net::IpAddr;

use jiff::Timestamp;
use ringbolt_config::service::{Field, ServiceProblem, Spelling};
use ringbolt_config::{PoolName, ServiceKey};

use crate::Family;

/// Why an address cannot be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// There is no pool in force.
    NoPools,
    /// The Service names a pool that is not in force.
    UnknownPool {
        /// The name it gives.
        pool: PoolName,
    },
    /// Namespace or labels of the Service do not fit the pool it names or its address lies in.
    PoolNotEligible {
        /// The pool.
        pool: PoolName,
    },
    /// No pool gives addresses of this family to this Service unasked.
    NoEligiblePool {
        /// The family that was wanted.
        family: Family,
    },
    /// The pool that would do takes no new allocations.
    PoolPaused {
        /// The pool.
        pool: PoolName,
    },
    /// The pool that would do has no free address; the first such pool where there are several.
    PoolExhausted {
        /// The pool.
        pool: PoolName,
        /// The family that ran out.
        family: Family,
    },
    /// The namespace holds as much of the pool as it may.
    QuotaExceeded {
        /// The pool.
        pool: PoolName,
        /// Addresses one namespace may hold.
        limit: u32,
    },
    /// The requested address lies in no pool in force.
    AddressOutsidePools {
        /// The address.
        address: IpAddr,
    },
    /// The requested address lies in another pool than the one the Service names.
    AddressOutsidePool {
        /// The address.
        address: IpAddr,
        /// The pool that was named.
        pool: PoolName,
    },
    /// The address lies in a pool and is never handed out.
    AddressUnusable {
        /// The address.
        address: IpAddr,
        /// Why not.
        why: Unusable,
    },
    /// Somebody else holds the address, and one side does not share.
    AddressTaken {
        /// The address.
        address: IpAddr,
        /// Who holds it.
        by: ServiceKey,
    },
    /// Both sides share, but not with each other.
    SharingRefused {
        /// The address.
        address: IpAddr,
        /// The holder it cannot be shared with.
        with: ServiceKey,
        /// Why not.
        why: SharingConflict,
    },
    /// The address is kept for another Service.
    AddressReserved {
        /// The address.
        address: IpAddr,
        /// For whom.
        reserved_for: ServiceKey,
    },
    /// The address was freed less than `reuseDelaySeconds` ago.
    AddressResting {
        /// The address.
        address: IpAddr,
        /// When it may be taken.
        until: Timestamp,
    },
    /// The object that would be the claim on the address cannot be read.
    ClaimUnreadable {
        /// The address.
        address: IpAddr,
    },
    /// An address is requested whose family the Service does not have.
    RequestedFamilyMissing {
        /// The address.
        address: IpAddr,
    },
    /// A request that cannot be read, or contradicts itself.
    RequestInvalid {
        /// What is wrong with it, and where.
        problem: ServiceProblem,
    },
    /// The status carries an address that somebody else wrote.
    ForeignStatus {
        /// The field manager that wrote it, where known.
        writer: Option<String>,
    },
    /// Somebody else overwrites the status again and again.
    StatusContested {
        /// The field manager that wrote it last, where known.
        writer: Option<String>,
    },
}

/// Why an address of a pool is never handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unusable {
    /// `excludeAddresses` names it.
    Excluded,
    /// `avoidBuggyIPs` leaves out .0 and .255.
    Buggy,
    /// `avoidEdgeAddresses` leaves out network and broadcast.
    Edge,
    /// A node has it.
    NodeAddress,
    /// It lies in a pod network.
    PodNetwork,
    /// A Service lists it in `spec.externalIPs`.
    ExternalIp,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Excluded => "the pool excludes it",
            Self::Buggy => "the pool leaves out .0 and .255",
            Self::Edge => "the pool leaves out network and broadcast addresses",
            Self::NodeAddress => "a node has it",
            Self::PodNetwork => "it lies in a pod network",
            Self::ExternalIp => "a Service has it in spec.externalIPs",
        })
    }
}

/// Why two Services that both share do not share with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SharingConflict {
    /// Their keys differ.
    OtherKey,
    /// They are of two namespaces, and the pool shares within one.
    OtherNamespace,
    /// The pool does not share.
    PoolNeverShares,
    /// A port of one protocol is wanted by both.
    Port(crate::allocator::Port),
    /// Their traffic policies send the packets to different endpoints.
    OtherBackend,
}

impl fmt::Display for SharingConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherKey => f.write_str("the sharing keys differ"),
            Self::OtherNamespace => f.write_str("the pool shares within one namespace"),
            Self::PoolNeverShares => f.write_str("the pool does not share addresses"),
            Self::Port(port) => write!(f, "both want port {port}"),
            Self::OtherBackend => {
                f.write_str("externalTrafficPolicy Local is shared with the same selector only")
            }
        }
    }
}

impl Refusal {
    /// The word for conditions, events and metrics.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NoPools => "NoPools",
            Self::UnknownPool { .. } => "UnknownPool",
            Self::PoolNotEligible { .. } => "PoolNotEligible",
            Self::NoEligiblePool { .. } => "NoEligiblePool",
            Self::PoolPaused { .. } => "PoolPaused",
            Self::PoolExhausted { .. } => "PoolExhausted",
            Self::QuotaExceeded { .. } => "QuotaExceeded",
            Self::AddressOutsidePools { .. } => "AddressOutsidePools",
            Self::AddressOutsidePool { .. } => "AddressOutsidePool",
            Self::AddressUnusable { .. } => "AddressUnusable",
            Self::AddressTaken { .. } => "AddressTaken",
            Self::SharingRefused { .. } => "SharingRefused",
            Self::AddressReserved { .. } => "AddressReserved",
            Self::AddressResting { .. } => "AddressResting",
            Self::ClaimUnreadable { .. } => "ClaimUnreadable",
            Self::RequestedFamilyMissing { .. } => "RequestedFamilyMissing",
            Self::RequestInvalid { .. } => "RequestInvalid",
            Self::ForeignStatus { .. } => "ForeignStatus",
            Self::StatusContested { .. } => "StatusContested",
        }
    }

    /// The field of the Service that asks for what is refused, as the Service spells it; none where it
    /// asks for nothing but an address.
    pub fn field(&self, spelling: &Spelling) -> Option<Field> {
        match self {
            Self::NoPools | Self::NoEligiblePool { .. } => None,
            Self::UnknownPool { .. }
            | Self::PoolNotEligible { .. }
            | Self::PoolPaused { .. }
            | Self::QuotaExceeded { .. } => spelling.pool.or(spelling.addresses),
            Self::PoolExhausted { .. } => spelling.pool,
            Self::AddressOutsidePools { .. }
            | Self::AddressOutsidePool { .. }
            | Self::AddressUnusable { .. }
            | Self::AddressTaken { .. }
            | Self::AddressReserved { .. }
            | Self::AddressResting { .. }
            | Self::ClaimUnreadable { .. }
            | Self::RequestedFamilyMissing { .. } => spelling.addresses,
            Self::SharingRefused { .. } => spelling.sharing_key,
            Self::RequestInvalid { problem } => Some(problem.field()),
            Self::ForeignStatus { .. } | Self::StatusContested { .. } => {
                Some(Field::Status("loadBalancer.ingress"))
            }
        }
    }

    /// What is refused, with the field that asks for it before it.
    pub fn sentence(&self, spelling: &Spelling) -> String {
        match self.field(spelling) {
            Some(field) => format!("{field}: {self}"),
            None => self.to_string(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPools => f.write_str("no IPAddressPool is in force"),
            Self::UnknownPool { pool } => {
                write!(f, "pool {pool} does not exist or is not in force")
            }
            Self::PoolNotEligible { pool } => {
                write!(
                    f,
                    "namespace or labels of the Service do not fit pool {pool}"
                )
            }
            Self::NoEligiblePool { family } => {
                write!(
                    f,
                    "no pool gives {family} addresses to this Service unasked"
                )
            }
            Self::PoolPaused { pool } => write!(f, "pool {pool} takes no new allocations"),
            Self::PoolExhausted { pool, family } => {
                write!(f, "pool {pool} has no free {family} address")
            }
            Self::QuotaExceeded { pool, limit } => {
                write!(
                    f,
                    "the namespace may hold {limit} addresses of pool {pool}, and does"
                )
            }
            Self::AddressOutsidePools { address } => {
                write!(f, "{address} lies in no pool in force")
            }
            Self::AddressOutsidePool { address, pool } => {
                write!(f, "{address} does not lie in pool {pool}")
            }
            Self::AddressUnusable { address, why } => {
                write!(f, "{address} is never handed out: {why}")
            }
            Self::AddressTaken { address, by } => write!(f, "{address} is held by {by}"),
            Self::SharingRefused { address, with, why } => {
                write!(f, "{address} cannot be shared with {with}: {why}")
            }
            Self::AddressReserved {
                address,
                reserved_for,
            } => {
                write!(f, "{address} is kept for {reserved_for}")
            }
            Self::AddressResting { address, until } => {
                write!(
                    f,
                    "{address} was freed a short while ago and rests until {until}"
                )
            }
            Self::ClaimUnreadable { address } => {
                write!(f, "the IPAllocation named after {address} cannot be read")
            }
            Self::RequestedFamilyMissing { address } => {
                write!(
                    f,
                    "{address} is requested, but the Service does not have its family"
                )
            }
            Self::RequestInvalid { problem } => problem.fmt(f),
            Self::ForeignStatus { writer } => {
                write!(
                    f,
                    "the status carries an address that {} wrote",
                    named(writer)
                )
            }
            Self::StatusContested { writer } => {
                write!(
                    f,
                    "the status is overwritten by {} again and again",
                    named(writer)
                )
            }
        }
    }
}

/// A writer of statuses, where known.
fn named(writer: &Option<String>) -> &str {
    writer.as_deref().unwrap_or("somebody else")
}

#[cfg(test)]
mod tests;
