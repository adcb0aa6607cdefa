//! An L2Advertisement in force.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::PoolScope;
use super::selector::{Labels, Selector, Selectors};
use crate::api::bgp_advertisement::WithoutEndpoints;
use crate::api::l2_advertisement::Failback;
use crate::names::AdvertisementName;

/// What is answered for on layer 2, by whom and where.
#[derive(Debug, Clone, PartialEq)]
pub struct L2Advertisement {
    /// Name of the L2Advertisement.
    pub name: AdvertisementName,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// Pools it covers.
    pub pools: PoolScope,
    /// Services it covers, by label.
    pub services: Selectors,
    /// Namespaces of the Services it covers, by label.
    pub namespaces: Selectors,
    /// Nodes that may announce.
    pub nodes: Selectors,
    /// Interfaces on which they do.
    pub interfaces: InterfaceScope,
    /// Preferences for nodes: weight and selector.
    pub preferences: Vec<(u8, Selector)>,
    /// Whether a returning better node takes addresses back.
    pub failback: Failback,
    /// Time between unasked repetitions; `None` for none.
    pub refresh: Option<Duration>,
    /// What happens to a Service without a usable endpoint.
    pub without_endpoints: WithoutEndpoints,
}

impl L2Advertisement {
    /// Preference for a node with these labels: the sum of the weights that apply.
    pub fn preference(&self, node: &Labels) -> u32 {
        let applying = self
            .preferences
            .iter()
            .filter(|(_, selector)| selector.matches(node));
        applying.map(|(weight, _)| u32::from(*weight)).sum()
    }
}

/// Interfaces of an L2Advertisement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InterfaceScope {
    /// All that are suitable.
    Any,
    /// Those with one of these names, or whose name fits one of these patterns.
    Named {
        /// Exact names.
        names: BTreeSet<Box<str>>,
        /// Globs.
        patterns: Vec<Glob>,
    },
}

impl InterfaceScope {
    /// Whether an interface is covered.
    pub fn covers(&self, interface: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Named { names, patterns } => {
                names.contains(interface) || patterns.iter().any(|p| p.matches(interface))
            }
        }
    }
}

/// A pattern for names: `*` is any run of characters, `?` any one, all else stands for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(Box<str>);

impl Glob {
    /// A pattern; every text is one.
    pub fn new(pattern: &str) -> Self {
        Self(pattern.into())
    }

    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a name fits. Time is bounded by the product of both lengths: only the last `*` is
    /// ever reconsidered.
    pub fn matches(&self, name: &str) -> bool {
        let (pattern, name) = (self.0.as_bytes(), name.as_bytes());
        let (mut p, mut n) = (0, 0);
        let mut star = None;
        while n < name.len() {
            match pattern.get(p) {
                Some(b'*') => {
                    star = Some((p, n));
                    p += 1;
                }
                Some(&c) if c == b'?' || c == name[n] => {
                    p += 1;
                    n += 1;
                }
                _ => {
                    let Some((at, from)) = star else { return false };
                    star = Some((at, from + 1));
                    p = at + 1;
                    n = from + 1;
                }
            }
        }
        pattern[p..].iter().all(|&c| c == b'*')
    }
}

#[cfg(test)]
mod tests;
