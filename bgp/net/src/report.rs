//! One log line per event of the Router, in one place, and how loud it is.
//!
//! A peer that is refused again and again says the same each time: the words are told once, loud, and after that only
//! to those who listen closely. A session that comes up ends the story.

use std::collections::BTreeMap;

use ringbolt_bgp::router::Event;
use ringbolt_bgp::session::{DownReason, NotificationRecord};
use ringbolt_bgp::types::PeerId;

#[cfg(test)]
mod tests;

/// What has been told of NOTIFICATIONs.
#[derive(Debug, Default)]
pub(crate) struct Log {
    told: BTreeMap<PeerId, NotificationRecord>,
}

/// How loud a NOTIFICATION is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Volume {
    /// Somebody has to look.
    Warn,
    /// Somebody wanted it.
    Info,
    /// It has been told.
    Debug,
}

impl Log {
    /// Writes the line.
    pub(crate) fn write(&mut self, event: &Event) {
        match event {
            Event::Up {
                peer,
                conn,
                asn,
                router_id,
            } => {
                self.told.remove(peer);
                tracing::info!(%peer, %conn, %asn, %router_id, "BGP session established");
            }
            Event::Down { peer, reason } if wanted(reason) => {
                tracing::info!(%peer, reason = reason.reason(), detail = %reason, "BGP session ended");
            }
            Event::Down { peer, reason } => {
                tracing::warn!(%peer, reason = reason.reason(), detail = %reason, "BGP session lost");
            }
            Event::AttemptFailed { peer, reason } => {
                tracing::debug!(%peer, reason = reason.reason(), detail = %reason, "BGP attempt failed");
            }
            Event::Notification { peer, record } => {
                let direction = record.direction;
                match self.volume(peer, record) {
                    Volume::Warn => {
                        tracing::warn!(%peer, ?direction, notification = %record, "BGP NOTIFICATION");
                    }
                    Volume::Info => {
                        tracing::info!(%peer, ?direction, notification = %record, "BGP NOTIFICATION");
                    }
                    Volume::Debug => {
                        tracing::debug!(%peer, ?direction, notification = %record, "BGP NOTIFICATION");
                    }
                }
            }
            Event::FaultyUpdate { peer, fault } => {
                tracing::warn!(%peer, %fault, "BGP UPDATE with a fault");
            }
            Event::Withheld {
                peer,
                family,
                reason: Some(reason),
            } => {
                let reason = reason.reason();
                tracing::warn!(%peer, %family, reason, "family withheld from BGP peer");
            }
            Event::Withheld {
                peer,
                family,
                reason: None,
            } => tracing::info!(%peer, %family, "family announced to BGP peer"),
            Event::ShutdownComplete => tracing::info!("BGP has taken leave of all peers"),
        }
    }

    /// Forgets what was told of peers that are not configured.
    pub(crate) fn retain(&mut self, configured: impl Fn(&PeerId) -> bool) {
        self.told.retain(|peer, _| configured(peer));
    }

    fn volume(&mut self, peer: &PeerId, record: &NotificationRecord) -> Volume {
        if self.told.get(peer) == Some(record) {
            return Volume::Debug;
        }
        self.told.insert(peer.clone(), record.clone());
        if is_administrative(record) {
            Volume::Info
        } else {
            Volume::Warn
        }
    }
}

/// Whether somebody at either end wanted it: shutdown, reset for now or for good, another configuration, or one of
/// two connections.
const fn is_administrative(record: &NotificationRecord) -> bool {
    matches!((record.code, record.subcode), (6, 2..=4 | 6 | 7 | 9))
}

/// Whether we ended the session ourselves, for reasons of our own.
const fn wanted(reason: &DownReason) -> bool {
    matches!(
        reason,
        DownReason::Shutdown
            | DownReason::Deconfigured
            | DownReason::OperatorReset
            | DownReason::ConfigurationChanged
            | DownReason::CollisionLost
    )
}
