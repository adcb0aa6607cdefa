//! What stands in the way of an object, as values.

use std::fmt;

use crate::model::community::CommunityProblem;
use crate::model::range::{RangeProblem, Span};
use crate::model::selector::SelectorProblem;
use crate::names::{Kind, NameProblem, ObjectRef};

/// A problem of one object.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// The object.
    pub object: ObjectRef,
    /// Field path within it: `spec.addresses[2]`.
    pub field: Box<str>,
    /// What is wrong.
    pub reason: Reason,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.object, self.field, self.reason)
    }
}

/// What a problem does to its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// The object is in force all the same.
    Notice,
    /// The object is not in force as it stands: its last good version is, if there is one.
    Refused,
}

/// Why an object, or a part of it, is not in force.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Reason {
    /// Understood, and not served in this version.
    #[error("is not implemented in this version")]
    NotImplemented,
    /// A field must be there, given the others.
    #[error("is required")]
    Missing,
    /// Two fields that exclude each other.
    #[error("excludes {other}")]
    Excludes {
        /// The other field.
        other: &'static str,
    },
    /// Does not belong to what another field says.
    #[error("does not belong to source {source_name}")]
    WrongSource {
        /// The source.
        source_name: &'static str,
    },
    /// Two fields that say opposite things.
    #[error("disagrees with {other}")]
    Disagrees {
        /// The other field.
        other: &'static str,
    },
    /// Not an IP address, or not of the family that is needed.
    #[error("is not a usable IP address")]
    InvalidAddress,
    /// Not a CIDR.
    #[error("is not a CIDR without bits beyond its length")]
    InvalidPrefix,
    /// Not a range of addresses.
    #[error("{0}")]
    InvalidRange(RangeProblem),
    /// Not a name.
    #[error("{0}")]
    InvalidName(NameProblem),
    /// Not a usable selector.
    #[error("{0}")]
    InvalidSelector(SelectorProblem),
    /// Not a community.
    #[error("{0}")]
    InvalidCommunity(CommunityProblem),
    /// Not a duration, or outside what BGP allows.
    #[error("is not a duration between {min_s} s and {max_s} s")]
    InvalidDuration {
        /// Least, seconds.
        min_s: u64,
        /// Greatest, seconds.
        max_s: u64,
    },
    /// A number outside what the field allows.
    #[error("must be between {min} and {max}")]
    OutOfRange {
        /// Least.
        min: u64,
        /// Greatest.
        max: u64,
    },
    /// Too long for what it is used for.
    #[error("is longer than {max} bytes")]
    TooLong {
        /// Greatest length, bytes.
        max: usize,
    },
    /// The same entry twice.
    #[error("is listed twice")]
    Duplicate,
    /// Two ranges of one pool have addresses in common.
    #[error("overlaps {other} of the same pool")]
    SelfOverlap {
        /// The other range.
        other: Span,
    },
    /// An older pool holds some of the addresses and stays in force.
    #[error("overlaps pool {pool}, which is older and stays in force")]
    PoolOverlap {
        /// The older pool.
        pool: Box<str>,
    },
    /// Addresses of a node or of its pods lie in the pool; they are not handed out.
    #[error("holds addresses of node {node}; they are not handed out")]
    NodeOverlap {
        /// The node.
        node: Box<str>,
    },
    /// No object of that kind has this name.
    #[error("there is no {kind} {name:?}")]
    Unknown {
        /// Kind of the object that is missing.
        kind: Kind,
        /// Its name.
        name: Box<str>,
    },
    /// The Secret lacks what is needed.
    #[error("Secret {name:?} has no usable entry {key:?}")]
    SecretEntry {
        /// The Secret.
        name: Box<str>,
        /// The entry.
        key: &'static str,
    },
    /// Two objects give one alias different meanings; the older is in force.
    #[error("alias {alias:?} means something else in {other}")]
    AliasConflict {
        /// The alias.
        alias: Box<str>,
        /// The older object.
        other: ObjectRef,
    },
    /// The object this one rests on has a problem itself.
    #[error("{object} has a problem")]
    Depends {
        /// That object.
        object: ObjectRef,
    },
}

impl Reason {
    /// Reason for conditions, events and metrics.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NotImplemented => "NotImplemented",
            Self::Missing => "MissingField",
            Self::Excludes { .. } => "ExclusiveFields",
            Self::WrongSource { .. } => "WrongSource",
            Self::Disagrees { .. } => "Disagreement",
            Self::InvalidAddress => "InvalidAddress",
            Self::InvalidPrefix => "InvalidPrefix",
            Self::InvalidRange(_) => "InvalidRange",
            Self::InvalidName(_) => "InvalidName",
            Self::InvalidSelector(_) => "InvalidSelector",
            Self::InvalidCommunity(CommunityProblem::Extended) => "NotImplemented",
            Self::InvalidCommunity(CommunityProblem::Unknown) => "UnknownCommunity",
            Self::InvalidDuration { .. } => "InvalidDuration",
            Self::OutOfRange { .. } => "OutOfRange",
            Self::TooLong { .. } => "TooLong",
            Self::Duplicate => "Duplicate",
            Self::SelfOverlap { .. } | Self::PoolOverlap { .. } => "Overlap",
            Self::NodeOverlap { .. } => "OverlapsNode",
            Self::Unknown { .. } => "UnknownReference",
            Self::SecretEntry { .. } => "SecretEntry",
            Self::AliasConflict { .. } => "AliasConflict",
            Self::Depends { .. } => "DependencyProblem",
        }
    }

    /// What it does to the object. A list that names something unknown works without it: the
    /// named object may simply not have been created yet, and whatever the list names besides
    /// must not wait for it.
    pub const fn effect(&self) -> Effect {
        match self {
            Self::Unknown {
                kind: Kind::IPAddressPool | Kind::BGPPeer,
                ..
            }
            | Self::NodeOverlap { .. } => Effect::Notice,
            _ => Effect::Refused,
        }
    }
}
