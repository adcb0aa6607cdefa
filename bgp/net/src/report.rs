//! One log line per event of the Router, in one place.

use ringbolt_bgp::router::Event;
use ringbolt_bgp::session::DownReason;

/// Writes the line.
pub(crate) fn log(event: &Event) {
    match event {
        Event::Up {
            peer,
            conn,
            asn,
            router_id,
        } => tracing::info!(%peer, %conn, %asn, %router_id, "BGP session established"),
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
            tracing::info!(%peer, direction = ?record.direction, notification = %record, "BGP NOTIFICATION");
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
