//! What about a Service cannot be read, or says two things at once.

use std::fmt;

/// Where in a Service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// A field below `spec`.
    Spec(&'static str),
    /// An annotation.
    Annotation(&'static str),
    /// A field below `status`.
    Status(&'static str),
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spec(path) => write!(f, "spec.{path}"),
            Self::Annotation(name) => write!(f, "metadata.annotations[{name}]"),
            Self::Status(path) => write!(f, "status.{path}"),
        }
    }
}

/// What a problem stands in the way of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Concern {
    /// Giving the Service an address: it waits until the problem is gone, and keeps what it has.
    Request,
    /// Attributes of its routes: it is announced without them.
    Attributes,
}

/// Something that a Service seems to wish and does not get, and that stands in the way of nothing:
/// its address is the same without it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Remark {
    /// The word for events.
    pub reason: &'static str,
    /// Where.
    pub field: String,
    /// What is wrong there.
    pub message: String,
}

/// Something about a Service that cannot be read, or says two things at once. As text it says what is
/// wrong and leaves the place to [`Self::field`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServiceProblem {
    /// Not among the values the field may have.
    #[error("{text:?} is not a value of this field")]
    InvalidValue {
        /// Where.
        field: Field,
        /// What stands there.
        text: Box<str>,
    },
    /// Not an IP address.
    #[error("{text:?} is not an IP address")]
    InvalidAddress {
        /// Where.
        field: Field,
        /// What stands there.
        text: Box<str>,
    },
    /// More than one address of one family.
    #[error("more than one address of one family")]
    TwoOfOneFamily {
        /// Where.
        field: Field,
    },
    /// Two spellings of one wish that do not say the same.
    #[error("disagrees with {second}")]
    Disagreement {
        /// One.
        first: Field,
        /// The other.
        second: Field,
    },
    /// Cannot be the name of a pool.
    #[error("{text:?} is not the name of a pool")]
    InvalidPoolName {
        /// Where.
        field: Field,
        /// What stands there.
        text: Box<str>,
    },
    /// Empty or too long.
    #[error("a sharing key has 1 to 1024 characters")]
    InvalidSharingKey {
        /// Where.
        field: Field,
    },
    /// Not an attribute of a route.
    #[error("{text:?} is not a value of this attribute")]
    InvalidAttribute {
        /// Where.
        field: Field,
        /// What stands there.
        text: Box<str>,
    },
    /// Understood, and not served in this version.
    #[error("is not implemented in this version")]
    NotImplemented {
        /// Where.
        field: Field,
    },
}

impl ServiceProblem {
    /// Where; for a disagreement, the first of the two.
    pub const fn field(&self) -> Field {
        match self {
            Self::InvalidValue { field, .. }
            | Self::InvalidAddress { field, .. }
            | Self::TwoOfOneFamily { field }
            | Self::InvalidPoolName { field, .. }
            | Self::InvalidSharingKey { field }
            | Self::InvalidAttribute { field, .. }
            | Self::NotImplemented { field } => *field,
            Self::Disagreement { first, .. } => *first,
        }
    }

    /// Reason for conditions, events and metrics.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::InvalidValue { .. } => "InvalidValue",
            Self::InvalidAddress { .. } => "InvalidAddress",
            Self::TwoOfOneFamily { .. } => "TwoOfOneFamily",
            Self::Disagreement { .. } => "Disagreement",
            Self::InvalidPoolName { .. } => "InvalidPoolName",
            Self::InvalidSharingKey { .. } => "InvalidSharingKey",
            Self::InvalidAttribute { .. } => "InvalidAttribute",
            Self::NotImplemented { .. } => "NotImplemented",
        }
    }

    /// What it stands in the way of.
    pub fn concerns(&self) -> Concern {
        match self {
            Self::InvalidAttribute { .. } | Self::NotImplemented { .. } => Concern::Attributes,
            _ if super::annotations::is_attribute(self.field()) => Concern::Attributes,
            _ => Concern::Request,
        }
    }
}
