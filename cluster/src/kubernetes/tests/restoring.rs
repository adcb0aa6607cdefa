//! A speaker that starts while no API server answers: it goes by its last view, adds and withdraws nothing
//! beyond that, and believes the server again as soon as it speaks.

use std::fs;

use ringbolt_config::NodeName;
use tempfile::TempDir;

use super::*;
use crate::kubernetes::KubernetesOptions;

fn speaker(fake: &FakeApi, folder: &TempDir) -> Cluster {
    let node: NodeName = "n1".parse().unwrap();
    fake.cluster(KubernetesOptions {
        node: Some(node),
        snapshot: Some(folder.path().to_owned()),
        ..KubernetesOptions::new(Role::Speaker)
    })
}

/// A server whose Services and peers a speaker has seen before it ended in order.
async fn seen_before(kinds: &[Kind]) -> (FakeApi, TempDir) {
    let fake = FakeApi::new();
    let folder = TempDir::new().unwrap();
    fake.apply(&service("a", 80));
    fake.apply(&peer("open", json!({})));
    fake.apply(&peer("locked", json!({"password": "open-sesame"})));
    let cluster = speaker(&fake, &folder);
    let mut seen = Seen::new(&cluster, kinds);
    seen.until("everything", |seen| seen.synced == kinds.len())
        .await;
    fake.apply(&service("b", 80));
    if kinds.contains(&Kind::Service) {
        seen.until("the second", |seen| seen.names().contains(&"b"))
            .await;
    }
    cluster.finish().await;
    (fake, folder)
}

fn peer(name: &str, more: Value) -> Value {
    let mut peer = json!({
        "apiVersion": "ringbolt.io/v1beta1", "kind": "BGPPeer", "metadata": {"name": name},
        "spec": {"myASN": 64512, "peerASN": 64513, "peerAddress": "192.0.2.1"},
    });
    let spec = peer["spec"].as_object_mut().unwrap();
    spec.extend(more.as_object().unwrap().clone());
    peer
}

/// Everything in the folder, as text.
fn stored(folder: &TempDir) -> BTreeMap<String, String> {
    let files = fs::read_dir(folder.path()).unwrap().map(Result::unwrap);
    let text = |file: fs::DirEntry| {
        let name = file.file_name().into_string().unwrap();
        (name, fs::read_to_string(file.path()).unwrap())
    };
    files.map(text).collect()
}

#[tokio::test(start_paused = true)]
async fn without_a_server_the_last_view_is_told_and_nothing_is_complete() {
    let (fake, folder) = seen_before(&[Kind::Service]).await;
    fake.inject(On::all(), Fault::Hang);
    fake.delete(&ObjectRef::new(Kind::Service, Some("default"), "a").unwrap());
    fake.apply(&service("c", 80));
    let cluster = speaker(&fake, &folder);
    let mut seen = Seen::new(&cluster, &[Kind::Service]);
    seen.until("the view", |seen| seen.restored == 1).await;
    assert_eq!(seen.names(), ["a", "b"]);
    seen.during(LIMIT).await;
    assert_eq!(seen.names(), ["a", "b"], "nobody has said otherwise");
    assert_eq!((seen.synced, seen.restored), (0, 1));
    fake.heal();
    seen.until("the server", |seen| seen.synced == 1).await;
    assert_eq!(seen.names(), ["b", "c"]);
    let gone: Vec<_> = seen.deleted.iter().map(|name| &*name.name).collect();
    assert_eq!(gone, ["a"], "a difference and no more");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_answers_once_and_then_breaks_off_is_away_too() {
    let (fake, folder) = seen_before(&[Kind::Service]).await;
    fake.inject(On::of(Verb::List, "services").after(1), Fault::BreakOff);
    let cluster = speaker(&fake, &folder);
    let mut seen = Seen::new(&cluster, &[Kind::Service]);
    seen.until("the view", |seen| seen.restored == 1).await;
    assert_eq!(seen.names(), ["a", "b"]);
    assert_eq!(seen.synced, 0);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_answers_is_believed_alone() {
    let (fake, folder) = seen_before(&[Kind::Service]).await;
    let cluster = speaker(&fake, &folder);
    let mut seen = Seen::new(&cluster, &[Kind::Service]);
    seen.until("the server", |seen| seen.synced == 1).await;
    seen.during(LIMIT).await;
    assert_eq!(seen.restored, 0);
}

#[tokio::test(start_paused = true)]
async fn a_peer_with_a_password_waits_and_is_named() {
    let (fake, folder) = seen_before(&[Kind::BGPPeer]).await;
    let files = stored(&folder);
    assert!(!files.is_empty());
    for (name, text) in &files {
        assert!(!text.contains("open-sesame"), "{name}: {text}");
    }
    fake.inject(On::all(), Fault::Hang);
    let cluster = speaker(&fake, &folder);
    let mut seen = Seen::new(&cluster, &[Kind::BGPPeer]);
    seen.until("the view", |seen| seen.restored == 1).await;
    assert_eq!(seen.names(), ["open"]);
    let named = |cluster: &Cluster| {
        let problems = cluster.problems().borrow().to_vec();
        let of = problems
            .into_iter()
            .filter(|found| found.trouble == Trouble::PasswordNotKept);
        of.map(|found| found.object.unwrap().name.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(named(&cluster), ["locked"]);
    fake.heal();
    seen.until("the server", |seen| seen.synced == 1).await;
    assert_eq!(seen.names(), ["locked", "open"]);
    assert_eq!(named(&cluster), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_view_that_does_not_change_is_not_written() {
    let fake = FakeApi::new();
    let folder = TempDir::new().unwrap();
    fake.apply(&service("a", 80));
    let cluster = speaker(&fake, &folder);
    let mut seen = Seen::new(&cluster, &[Kind::Service]);
    seen.until("it", |seen| seen.synced == 1).await;
    // Until the cluster's identity is in it too.
    seen.during(s(30)).await;
    let before = stored(&folder);
    seen.during(s(600)).await;
    assert_eq!(stored(&folder), before);
    fake.apply(&service("b", 80));
    seen.during(s(15)).await;
    assert_ne!(stored(&folder), before);
}

#[tokio::test(start_paused = true)]
async fn a_view_that_cannot_be_stored_is_named_once_for_as_long_as_that_lasts() {
    let fake = FakeApi::new();
    let folder = TempDir::new().unwrap();
    let place = folder.path().join("views");
    fs::write(&place, "a file where a folder should be").unwrap();
    fake.apply(&service("a", 80));
    let cluster = fake.cluster(KubernetesOptions {
        node: Some("n1".parse().unwrap()),
        snapshot: Some(place.clone()),
        ..KubernetesOptions::new(Role::Speaker)
    });
    let mut seen = Seen::new(&cluster, &[Kind::Service, Kind::Namespace, Kind::BGPPeer]);
    seen.until("everything", |seen| seen.synced == 3).await;
    seen.during(s(30)).await;
    let problems = cluster.problems().borrow().to_vec();
    let [problem] = problems.as_slice() else {
        panic!("{problems:?}");
    };
    assert_eq!(problem.reason(), "StateUnwritable");
    assert_eq!(problem.file.as_deref(), Some(&place));
    // A list is renewed twice in an hour, and stored with that.
    fs::remove_file(&place).unwrap();
    seen.during(s(3_600)).await;
    assert_eq!(*cluster.problems().borrow().to_vec(), []);
    assert!(place.join("view-services.jsonl").exists());
}
