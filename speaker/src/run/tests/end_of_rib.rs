//! When End-of-RIB is sent, read from the wire: a view that an earlier process left completes nothing (contracts 4.3).

use ringbolt_cluster::KubernetesOptions;
use ringbolt_cluster::Role;
use ringbolt_cluster::fake::{FakeApi, Fault, On};
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::wire::{END_OF_RIB, KEEPALIVE, UPDATE, Wire, is_end, names};
use super::{Running, listed, tor};
use crate::desired::tests::world::{HERE, node};

#[tokio::test]
async fn no_end_of_rib_follows_a_view_that_is_only_restored() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let fake = FakeApi::new();
    fake.apply(&node(HERE));
    fake.apply(&tor(listener.local_addr().unwrap(), json!({})));
    fake.apply(&listed(&["10.1.0.0/16"]));
    let start = |folder: TempDir| {
        let cluster = fake.cluster(KubernetesOptions {
            node: Some(HERE.parse().unwrap()),
            snapshot: Some(folder.path().to_owned()),
            ..KubernetesOptions::new(Role::Speaker)
        });
        Running::on(cluster, folder, HERE, None)
    };
    let known = |update: &[u8]| names(update, &[16, 10, 1]);

    let speaker = start(tempfile::tempdir().unwrap());
    let mut wire = Wire::accept(&listener).await;
    let updates = wire.until(is_end).await;
    assert!(updates.iter().any(|update| known(update)), "{updates:?}");
    drop(wire);
    let folder = speaker.end().await;

    fake.inject(On::all(), Fault::LoseAnswer);
    let mut speaker = start(folder);
    let mut wire = Wire::accept(&listener).await;
    wire.until(|(kind, body)| *kind == UPDATE && known(body))
        .await;
    // Its keepalive timer runs out a second later: what was to follow the route has followed.
    let updates = wire.until(|(kind, _)| *kind == KEEPALIVE).await;
    assert_eq!(updates, Vec::<Vec<u8>>::new());
    speaker
        .status("the view of before", |status| status["phase"] == "Restored")
        .await;

    fake.apply(&listed(&["10.1.0.0/16", "10.2.0.0/16"]));
    fake.heal();
    let updates = wire.until(is_end).await;
    let (end, others) = updates.split_last().unwrap();
    assert_eq!(*end, END_OF_RIB);
    assert!(
        others.iter().any(|update| names(update, &[16, 10, 2])),
        "it comes after what the server knows: {updates:?}"
    );
    assert!(!others.iter().any(|update| known(update)), "{updates:?}");
}
