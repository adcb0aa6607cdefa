//! Which Services are ours (semantics rule 1). Controller and speakers must agree, so they ask the
//! same value; it does not change while a process lives.

use std::collections::BTreeSet;

use super::{DEFAULT_CLASS, ServiceView};

#[cfg(test)]
mod tests;

/// Whether Services without a class are ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// They are.
    Default,
    /// Only Services that name one of our classes are.
    ClassedOnly,
}

/// Which Services are ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classes {
    /// Whether Services without a class are ours.
    pub provider: Provider,
    /// The values of `spec.loadBalancerClass` that are ours.
    pub named: BTreeSet<String>,
}

impl Default for Classes {
    fn default() -> Self {
        Self {
            provider: Provider::Default,
            named: BTreeSet::from([DEFAULT_CLASS.to_owned()]),
        }
    }
}

impl Classes {
    /// Whether the Service is ours to look after, by type and class.
    pub fn include(&self, service: &ServiceView) -> bool {
        service.is_load_balancer()
            && match service.class.as_deref() {
                None => self.provider == Provider::Default,
                Some(class) => self.named.contains(class),
            }
    }
}
