//! The layer 2 half as the speaker sees it: from configuration, keys and shares to the announcer's words.
//!
//! It owns the translation and the order of requests. Who owns an address, and what goes onto a wire, is decided
//! behind the handle.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ringbolt_bgp::router::Drain;
use ringbolt_config::model::selector::Labels;
use ringbolt_config::model::{Failback, InterfaceScope, L2Advertisement};
use ringbolt_config::names::NodeName;
use ringbolt_l2::announcer::{self, Advertisement, InterfaceChoice};
use ringbolt_l2::types::{self, ClusterId, InterfaceName, KeyId, Standing};
use ringbolt_l2_net::{Drained, Key, L2, Settings, Stats};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{info, warn};

use crate::desired::{LocalConfig, Selection};
use crate::diff::ShareChange;
use crate::keys::KeyRing;
use crate::planner::Planner;

#[cfg(test)]
mod tests;

/// What stands for "never" where the announcer wants a period.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3_600);

/// The announcer's handle, and what it was told last.
#[derive(Debug)]
pub(crate) struct Layer2 {
    l2: L2,
    stats: watch::Receiver<Arc<Stats>>,
    advertisements: Vec<Advertisement>,
    keys: KeyRing,
    expected: Option<u32>,
    draining: Option<JoinHandle<Drained>>,
}

impl Layer2 {
    /// Starts the announcer. `None` for a node name that layer 2 frames cannot carry.
    pub(crate) fn spawn(node: &NodeName, state_dir: Option<&Path>) -> Option<Self> {
        let name = types::NodeName::new(node.as_str()).ok()?;
        // One folder may be the state of several speakers: the directory back end's is shared.
        let incarnation_file = state_dir.map(|dir| dir.join("incarnation").join(node.as_str()));
        let l2 = L2::spawn(Settings {
            node: name,
            incarnation_file,
        });
        Some(Self {
            stats: l2.stats(),
            l2,
            advertisements: Vec::new(),
            keys: KeyRing::default(),
            expected: None,
            draining: None,
        })
    }

    /// How things stand.
    pub(crate) fn stats(&self) -> &watch::Receiver<Arc<Stats>> {
        &self.stats
    }

    /// The same, to wait for something else.
    pub(crate) fn stats_mut(&mut self) -> &mut watch::Receiver<Arc<Stats>> {
        &mut self.stats
    }

    /// Which cluster this is.
    pub(crate) async fn set_cluster(&self, identity: &str) {
        self.l2.set_cluster(cluster_id(identity)).await;
    }

    /// The keys in force.
    pub(crate) async fn set_keys(&mut self, keys: KeyRing) {
        if keys == self.keys {
            return;
        }
        let ring = keys
            .iter()
            .filter_map(|(id, key)| Some((KeyId(id), Key::new(key.expose())?)));
        self.l2.set_keys(ring.collect()).await;
        self.keys = keys;
    }

    /// The advertisements as they concern this node; also after the interfaces changed.
    pub(crate) async fn set_advertisements(&mut self, planner: &Planner) {
        let interfaces: BTreeSet<InterfaceName> = self
            .stats
            .borrow()
            .interfaces
            .iter()
            .map(|found| found.name.clone())
            .collect();
        let labels = planner.index().node().map(|node| &node.labels);
        let advertisements = advertisements(planner.local(), labels, &interfaces);
        if advertisements != self.advertisements {
            self.l2.set_advertisements(advertisements.clone()).await;
            self.advertisements = advertisements;
        }
    }

    /// What changed about the addresses.
    pub(crate) async fn change_addresses(&self, change: ShareChange) {
        if !change.is_empty() {
            self.l2.change_addresses(change.set, change.removed).await;
        }
    }

    /// How many speakers there should be.
    pub(crate) async fn set_expected_speakers(&mut self, nodes: usize) {
        let expected = u32::try_from(nodes).ok().filter(|&nodes| nodes > 0);
        if expected != self.expected {
            self.l2.set_expected_speakers(expected).await;
            self.expected = expected;
        }
    }

    /// Hands everything over, or takes part again. The hand-over goes on by itself.
    pub(crate) async fn set_drain(&mut self, drain: Drain) {
        match drain {
            Drain::Drained => {
                let l2 = self.l2.clone();
                self.draining = Some(tokio::spawn(async move { l2.drain().await }));
            }
            Drain::Serving => {
                // The two requests must arrive in this order; the first takes 2 s at most.
                if let Some(draining) = self.draining.take() {
                    let _ended = draining.await;
                }
                self.l2.undrain().await;
            }
        }
    }

    /// Hands everything over and says goodbye.
    pub(crate) async fn leave(self) {
        let drained = self.l2.drain().await;
        if drained.abandoned > 0 {
            warn!(
                addresses = drained.abandoned,
                "nobody took over layer 2 addresses"
            );
        }
        self.l2.leave().await;
        info!("left layer 2");
    }
}

/// The advertisements in the announcer's words.
fn advertisements(
    local: &LocalConfig,
    node_labels: Option<&Labels>,
    interfaces: &BTreeSet<InterfaceName>,
) -> Vec<Advertisement> {
    let none = Labels::new();
    let labels = node_labels.unwrap_or(&none);
    let all = local.l2_advertisements();
    all.filter_map(|(found, selection)| advertisement(found, selection, labels, interfaces))
        .collect()
}

fn advertisement(
    found: &L2Advertisement,
    selection: Selection,
    labels: &Labels,
    interfaces: &BTreeSet<InterfaceName>,
) -> Option<Advertisement> {
    let preference = found.preference(labels);
    Some(Advertisement {
        name: types::AdvertisementName::new(found.name.as_str()).ok()?,
        standing: match selection {
            Selection::Here => Some(Standing {
                preference,
                ..Standing::default()
            }),
            Selection::Elsewhere | Selection::NodeUnknown => None,
        },
        interfaces: interface_choice(&found.interfaces, interfaces),
        failback: match found.failback {
            Failback::Auto => announcer::Failback::Auto,
            Failback::Never => announcer::Failback::Never,
        },
        refresh: found.refresh.unwrap_or(NEVER),
    })
}

/// Names stand for themselves, be the interface there or not; patterns for what is there.
fn interface_choice(scope: &InterfaceScope, present: &BTreeSet<InterfaceName>) -> InterfaceChoice {
    match scope {
        InterfaceScope::Any => InterfaceChoice::Any,
        InterfaceScope::Named { names, .. } => {
            let named = names
                .iter()
                .filter_map(|name| InterfaceName::new(name).ok());
            let fitting = present
                .iter()
                .filter(|name| scope.covers(name.as_str()))
                .cloned();
            InterfaceChoice::Named(named.chain(fitting).collect())
        }
    }
}

/// The identity as sixteen octets: FNV-1a, 128 bits wide. It keeps clusters apart, it proves nothing.
fn cluster_id(identity: &str) -> ClusterId {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let hash = identity.bytes().fold(OFFSET, |hash, byte| {
        (hash ^ u128::from(byte)).wrapping_mul(PRIME)
    });
    ClusterId(hash.to_be_bytes())
}
