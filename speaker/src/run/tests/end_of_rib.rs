//! When End-of-RIB is sent, read from the wire: a view that an earlier process left completes nothing (contracts 4.3).

use std::net::SocketAddr;

use ringbolt_cluster::KubernetesOptions;
use ringbolt_cluster::Role;
use ringbolt_cluster::fake::{FakeApi, Fault, On};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::{LIMIT, Running, listed};
use crate::desired::tests::world::{HERE, node, peer, with};

const HEADER: usize = 19;
const OPEN: u8 = 1;
const UPDATE: u8 = 2;
const KEEPALIVE: u8 = 4;

/// An UPDATE with nothing in it (RFC 4724 §2): no withdrawn routes, no attributes, no prefixes.
const END_OF_RIB: [u8; 4] = [0; 4];

/// A router that answers as little as it must, and sees every byte.
struct Wire(TcpStream);

impl Wire {
    /// Waits for the speaker to call, and exchanges what makes a session.
    async fn accept(listener: &TcpListener) -> Self {
        let (stream, _) = timeout(LIMIT, listener.accept())
            .await
            .expect("it calls")
            .unwrap();
        let mut wire = Self(stream);
        assert_eq!(wire.read().await.0, OPEN);
        // Version 4, AS 64513, hold time 3 s, an identifier, no parameters: IPv4 alone.
        wire.write(OPEN, &[4, 0xfc, 0x01, 0, 3, 192, 0, 2, 254, 0])
            .await;
        wire.write(KEEPALIVE, &[]).await;
        assert_eq!(wire.read().await, (KEEPALIVE, Vec::new()));
        wire
    }

    async fn write(&mut self, kind: u8, body: &[u8]) {
        let length = u16::try_from(HEADER + body.len()).unwrap().to_be_bytes();
        let message = [&[0xff; 16][..], &length, &[kind], body].concat();
        self.0.write_all(&message).await.unwrap();
    }

    async fn read(&mut self) -> (u8, Vec<u8>) {
        let whole = async {
            let mut header = [0; HEADER];
            self.0.read_exact(&mut header).await?;
            let length = usize::from(u16::from_be_bytes([header[16], header[17]]));
            let mut body = vec![0; length - HEADER];
            self.0.read_exact(&mut body).await?;
            std::io::Result::Ok((header[18], body))
        };
        let read = timeout(LIMIT, whole).await.expect("it says something");
        read.expect("the session lives")
    }

    /// Reads updates up to one that holds, and answers keepalives; then returns all of them.
    async fn until(&mut self, last: impl Fn(&(u8, Vec<u8>)) -> bool) -> Vec<Vec<u8>> {
        let mut updates = Vec::new();
        loop {
            let message = self.read().await;
            let found = last(&message);
            match message {
                (UPDATE, body) => updates.push(body),
                (KEEPALIVE, _) => self.write(KEEPALIVE, &[]).await,
                (other, body) => panic!("a message {other}: {body:?}"),
            }
            if found {
                return updates;
            }
        }
    }
}

fn is_end(message: &(u8, Vec<u8>)) -> bool {
    *message == (UPDATE, END_OF_RIB.to_vec())
}

fn names(update: &[u8], prefix: &[u8]) -> bool {
    update.windows(prefix.len()).any(|part| part == prefix)
}

#[tokio::test]
async fn no_end_of_rib_follows_a_view_that_is_only_restored() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let fake = FakeApi::new();
    fake.apply(&node(HERE));
    fake.apply(&tor(listener.local_addr().unwrap()));
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

fn tor(at: SocketAddr) -> serde_json::Value {
    with(
        peer("tor"),
        json!({"spec": {
            "peerAddress": at.ip(), "peerPort": at.port(), "holdTime": "3s", "connectTime": "1s",
            "drain": {"waitSeconds": 0},
        }}),
    )
}
