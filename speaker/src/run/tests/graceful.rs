//! Graceful restart as a whole speaker does it, read from the wire (RFC 4724, RFC 8538).

use ringbolt_cluster::{Cluster, DirectoryOptions, Role};
use serde_json::json;
use tokio::net::TcpListener;

use super::wire::{Wire, is_end};
use super::{Running, listed, tor, write};
use crate::desired::tests::world::{HERE, node};
use crate::run::{VIEW_LIMIT, view_due};
use crate::settings::OnTerm;
use crate::status::Phase;

/// Graceful restart, restart time 120 s, N bit, helper only.
const HELPER: [u8; 4] = [64, 2, 0x40, 120];
/// What the speaker offers: R and N bit, 60 s, IPv4 unicast with its forwarding state kept.
const RECOVERING: [u8; 8] = [64, 6, 0xc0, 60, 0, 1, 1, 0x80];
/// The same without the R bit.
const SETTLED: [u8; 8] = [64, 6, 0x40, 60, 0, 1, 1, 0x80];
const NOTIFICATION: u8 = 3;

/// A speaker that asks its one peer to keep its routes, and a session that has been told everything.
async fn served(listener: &TcpListener, on_term: OnTerm) -> (Running, Wire, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let graceful = json!({"enableGracefulRestart": true});
    for manifest in [
        node(HERE),
        tor(listener.local_addr().unwrap(), graceful),
        listed(&["10.1.0.0/16"]),
    ] {
        write(folder.path(), &manifest);
    }
    let cluster = Cluster::directory(DirectoryOptions::new(folder.path(), Role::Speaker));
    let speaker = Running::told_to(cluster, folder, HERE, None, on_term);
    let (mut wire, open) = Wire::accept_as(listener, &HELPER).await;
    wire.until(is_end).await;
    (speaker, wire, open)
}

fn holds(open: &[u8], capability: &[u8]) -> bool {
    open.windows(capability.len())
        .any(|part| part == capability)
}

#[tokio::test]
async fn a_speaker_that_ends_for_a_moment_closes_without_a_word() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (speaker, wire, open) = served(&listener, OnTerm::Restart).await;
    assert!(holds(&open, &RECOVERING), "{open:?}");
    let (said, _folder) = tokio::join!(wire.what_follows(), speaker.end());
    assert_eq!(said, [], "the peer keeps the routes");
}

#[tokio::test]
async fn a_speaker_that_leaves_for_good_takes_its_routes_along() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (speaker, wire, _) = served(&listener, OnTerm::Leave).await;
    let (said, _folder) = tokio::join!(wire.what_follows(), speaker.end());
    let (kind, body) = said.last().unwrap();
    assert_eq!(*kind, NOTIFICATION);
    assert_eq!(body[..4], [6, 9, 6, 2], "a Hard Reset around a shutdown");
}

#[tokio::test]
async fn a_session_that_is_lost_later_is_no_restart() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (_speaker, wire, _) = served(&listener, OnTerm::Restart).await;
    drop(wire);
    let (_wire, open) = Wire::accept_as(&listener, &HELPER).await;
    assert!(holds(&open, &SETTLED), "{open:?}");
}

#[test]
fn a_view_that_is_only_restored_waits_no_longer_than_a_minute_for_a_source_that_answers() {
    let now = std::time::Instant::now();
    let restored = Phase::Restored(Vec::new());
    assert_eq!(view_due(&restored, Some(now)), Some(now + VIEW_LIMIT));
    assert_eq!(view_due(&restored, None), None, "it does not answer");
    assert_eq!(view_due(&Phase::Announcing, Some(now)), None);
    assert_eq!(view_due(&Phase::Reading(Vec::new()), Some(now)), None);
}
