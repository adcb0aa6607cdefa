//! Whole speakers on directories of manifests, over the loopback interface.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use ringbolt_cluster::fake::{FakeApi, Fault, On};
use ringbolt_cluster::{Cluster, DirectoryOptions, KubernetesOptions, Role};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{Handles, run};
use crate::desired::tests::world::{HERE, bgp_advertisement, node, peer, with};
use crate::settings::{OnTerm, Settings};

mod end_of_rib;
mod graceful;
mod wire;

/// Far more than a loaded machine needs.
const LIMIT: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_speaker_is_ready_once_everything_was_read_and_ends_when_told() {
    let mut speaker = Running::start(HERE, None, &[node(HERE)]);
    speaker
        .status("announcing", |status| status["phase"] == "Announcing")
        .await;
    assert!(*speaker.handles.ready.borrow());
    let written = speaker
        .folder
        .path()
        .join(".ringbolt/speakers/_")
        .join(HERE);
    let written = async {
        while !written.exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(LIMIT, written)
        .await
        .expect("the object is written");
    speaker.shutdown.cancel();
    timeout(LIMIT, &mut speaker.handles.task)
        .await
        .expect("it ends")
        .expect("without a panic");
    assert!(!*speaker.handles.ready.borrow());
    assert_eq!(parsed(&speaker.handles.status.borrow())["phase"], "Leaving");
}

#[tokio::test]
async fn what_a_directory_holds_is_told_to_a_peer_and_followed() {
    let port = free_port();
    let mut router = Running::router(port);
    let tor = with(
        peer("tor"),
        json!({"spec": {
            "peerAddress": "127.0.0.1", "peerPort": port.port(), "drain": {"waitSeconds": 0},
        }}),
    );
    let mut speaker = Running::start(
        HERE,
        None,
        &[node(HERE), tor, listed(&["10.1.0.0/16", "10.2.0.0/16"])],
    );
    router
        .status("two routes", |status| received(status) == 2)
        .await;
    speaker
        .status("its side of it", |status| {
            let session = &status["bgp"]["peers"][0];
            session["state"] == "Established" && session["prefixesOut"]["ipv4"] == 2
        })
        .await;
    write(speaker.folder.path(), &listed(&["10.3.0.0/16"]));
    router
        .status("one route", |status| received(status) == 1)
        .await;
    speaker.shutdown.cancel();
    timeout(LIMIT, &mut speaker.handles.task)
        .await
        .expect("it ends")
        .expect("without a panic");
    router
        .status("the goodbye", |status| {
            status["bgp"]["peers"][0]["lastError"]["code"] == 6 && received(status) == 0
        })
        .await;
}

#[tokio::test]
async fn without_an_api_server_a_speaker_announces_what_it_knew_and_is_not_ready() {
    let port = free_port();
    let mut router = Running::router(port);
    let fake = FakeApi::new();
    fake.apply(&node(HERE));
    fake.apply(&with(
        peer("tor"),
        json!({"spec": {
            "peerAddress": "127.0.0.1", "peerPort": port.port(), "drain": {"waitSeconds": 0},
        }}),
    ));
    fake.apply(&listed(&["10.1.0.0/16", "10.2.0.0/16"]));
    let start = |folder: TempDir| {
        let cluster = fake.cluster(KubernetesOptions {
            node: Some(HERE.parse().unwrap()),
            snapshot: Some(folder.path().to_owned()),
            ..KubernetesOptions::new(Role::Speaker)
        });
        Running::on(cluster, folder, HERE, None)
    };
    let speaker = start(tempfile::tempdir().unwrap());
    router
        .status("two routes", |status| received(status) == 2)
        .await;
    let folder = speaker.end().await;
    router
        .status("the goodbye", |status| received(status) == 0)
        .await;

    fake.inject(On::all(), Fault::LoseAnswer);
    let mut speaker = start(folder);
    router
        .status("both routes again", |status| received(status) == 2)
        .await;
    speaker
        .status("the view of before", |status| status["phase"] == "Restored")
        .await;
    assert!(!*speaker.handles.ready.borrow());
    let flaps = |router: &Running| {
        let status = parsed(&router.handles.status.borrow());
        status["bgp"]["peers"][0]["flaps"].as_u64()
    };
    let before = flaps(&router);

    fake.apply(&listed(&["10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"]));
    fake.heal();
    speaker
        .status("the server", |status| status["phase"] == "Announcing")
        .await;
    assert!(*speaker.handles.ready.borrow());
    router
        .status("the third route", |status| received(status) == 3)
        .await;
    assert_eq!(flaps(&router), before, "the session stays");
}

#[tokio::test]
async fn a_node_that_is_deleted_leaves_its_peers_for_good_and_may_come_back() {
    let port = free_port();
    let mut router = Running::router(port);
    let tor = with(
        peer("tor"),
        json!({"spec": {
            "peerAddress": "127.0.0.1", "peerPort": port.port(), "drain": {"waitSeconds": 0},
            "connectTime": "1s",
        }}),
    );
    let manifests = [node(HERE), tor, listed(&["10.1.0.0/16"])];
    let mut speaker = Running::start(HERE, None, &manifests);
    router
        .status("the route", |status| received(status) == 1)
        .await;
    let identifier = |router: &Running| {
        let status = parsed(&router.handles.status.borrow());
        status["bgp"]["peers"][0]["peerRouterId"].clone()
    };
    let before = identifier(&router);
    assert!(before.is_string(), "{before}");

    let file = speaker.folder.path().join(format!("Node-{HERE}.json"));
    fs::remove_file(file).unwrap();
    router
        .status("the goodbye", |status| {
            let error = &status["bgp"]["peers"][0]["lastError"];
            (&error["code"], &error["subcode"]) == (&json!(6), &json!(2)) && received(status) == 0
        })
        .await;
    speaker
        .status("its reason", |status| {
            let conditions = status["conditions"].as_array().unwrap();
            let has = |reason: &str| conditions.iter().any(|one| one["reason"] == reason);
            has("NodeDeleted") && has("NodeDeleting")
        })
        .await;
    assert!(*speaker.handles.ready.borrow());

    write(speaker.folder.path(), &node(HERE));
    router
        .status("the route again", |status| received(status) == 1)
        .await;
    assert_eq!(identifier(&router), before);
}

#[tokio::test]
async fn a_node_that_is_back_while_it_leaves_begins_again_at_once() {
    let port = free_port();
    let mut router = Running::router(port);
    let at = SocketAddr::from(([127, 0, 0, 1], port.port()));
    // Far longer than this test waits for anything.
    let patient = tor(at, json!({"drain": {"waitSeconds": 300}}));
    let manifests = [node(HERE), patient, listed(&["10.1.0.0/16"])];
    let mut speaker = Running::start(HERE, None, &manifests);
    router
        .status("the route", |status| received(status) == 1)
        .await;
    let file = speaker.folder.path().join(format!("Node-{HERE}.json"));
    fs::remove_file(file).unwrap();
    speaker
        .status("that it leaves", |status| {
            let conditions = status["conditions"].as_array().unwrap();
            conditions.iter().any(|one| one["reason"] == "NodeDeleting")
        })
        .await;
    write(speaker.folder.path(), &node(HERE));
    router
        .status("another session with the route", |status| {
            let session = &status["bgp"]["peers"][0];
            session["flaps"] == 1 && session["state"] == "Established" && received(status) == 1
        })
        .await;
}

/// An advertisement of these prefixes.
fn listed(prefixes: &[&str]) -> Value {
    bgp_advertisement(
        "listed",
        json!({"source": "Static", "prefixes": prefixes, "nextHop": "192.0.2.1"}),
    )
}

/// A router at this address, with these fields besides.
fn tor(at: SocketAddr, fields: Value) -> Value {
    let router = with(
        peer("tor"),
        json!({"spec": {
            "peerAddress": at.ip(), "peerPort": at.port(), "holdTime": "3s", "connectTime": "1s",
            "drain": {"waitSeconds": 0},
        }}),
    );
    with(router, json!({"spec": fields}))
}

/// A speaker on a directory of its own.
struct Running {
    folder: TempDir,
    handles: Handles,
    shutdown: CancellationToken,
}

impl Running {
    /// A router that waits here for speakers to dial it.
    fn router(port: SocketAddr) -> Self {
        let node = with(
            peer("node"),
            json!({"spec": {
                "myASN": 64513, "peerASN": 64512, "peerAddress": "127.0.0.1", "passive": true,
            }}),
        );
        Self::start("router", Some(port), &[node])
    }

    fn start(name: &str, listen: Option<SocketAddr>, manifests: &[Value]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for manifest in manifests {
            write(folder.path(), manifest);
        }
        let cluster = Cluster::directory(DirectoryOptions::new(folder.path(), Role::Speaker));
        Self::on(cluster, folder, name, listen)
    }

    fn on(cluster: Cluster, folder: TempDir, name: &str, listen: Option<SocketAddr>) -> Self {
        Self::told_to(cluster, folder, name, listen, OnTerm::Leave)
    }

    fn told_to(
        cluster: Cluster,
        folder: TempDir,
        name: &str,
        listen: Option<SocketAddr>,
        on_term: OnTerm,
    ) -> Self {
        let mut settings = Settings::new(name.parse().unwrap());
        settings.bgp_listen = listen;
        settings.on_term = on_term;
        let shutdown = CancellationToken::new();
        let handles = run(settings, cluster, shutdown.clone());
        Self {
            folder,
            handles,
            shutdown,
        }
    }

    /// Tells it to end, and waits for that; its folder is left.
    async fn end(mut self) -> TempDir {
        self.shutdown.cancel();
        timeout(LIMIT, &mut self.handles.task)
            .await
            .expect("it ends")
            .expect("without a panic");
        self.folder
    }

    async fn status(&mut self, what: &str, holds: impl Fn(&Value) -> bool) {
        let seen = self
            .handles
            .status
            .wait_for(|status| holds(&parsed(status)));
        let seen = timeout(LIMIT, seen).await.map(|status| status.is_ok());
        assert_eq!(
            seen,
            Ok(true),
            "no sign of {what}: {}",
            &**self.handles.status.borrow()
        );
    }
}

fn parsed(status: &str) -> Value {
    serde_json::from_str(status).unwrap()
}

/// Prefixes of IPv4 that the one peer has told us.
fn received(status: &Value) -> i64 {
    status["bgp"]["peers"][0]["prefixesIn"]["ipv4"]
        .as_i64()
        .unwrap_or(-1)
}

fn write(folder: &Path, manifest: &Value) {
    let name = manifest["metadata"]["name"].as_str().unwrap();
    let kind = manifest["kind"].as_str().unwrap();
    let beside = folder.join(format!(".{kind}-{name}"));
    fs::write(&beside, manifest.to_string()).unwrap();
    fs::rename(beside, folder.join(format!("{kind}-{name}.json"))).unwrap();
}

fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}
