//! What a stream may hold at once.

use ringbolt_config::ObjectRef;
use serde_json::{Value, json};

use super::*;
use crate::fake::FakeApi;
use crate::kubernetes::KubernetesOptions;
use crate::source::Change;

fn service(uid: &str, version: &str) -> Value {
    json!({
        "metadata": {"name": "a", "namespace": "default", "uid": uid, "resourceVersion": version},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
    })
}

fn line(event: &str, object: &Value) -> String {
    format!("{}\n", json!({"type": event, "object": object}))
}

fn lines(changes: &[Change]) -> Vec<String> {
    let line = |change: &Change| match change {
        Change::Apply(object) => format!("+{}", object.object_ref().name),
        Change::Delete(name) => format!("-{}", name.name),
        Change::Synced(_) => "synced".to_owned(),
        Change::Restored(_) => "restored".to_owned(),
    };
    changes.iter().map(line).collect()
}

/// A follower that has listed Service `a` of this uid at version 10.
async fn follower(uid: &str) -> Follower {
    let fake = FakeApi::new();
    let api = Api::over(fake.client(), KubernetesOptions::new(Role::Controller));
    let mut follower = Follower::new(api, Kind::Service);
    let list = json!({"metadata": {"resourceVersion": "10"}, "items": [service(uid, "9")]});
    let page = follower.read_page(list.to_string().as_bytes());
    follower
        .reflector
        .page(page.expect("a page"), Duration::ZERO);
    follower.tell().await;
    follower
}

#[tokio::test(start_paused = true)]
async fn what_goes_and_comes_again_in_one_piece_is_another_object() {
    let mut follower = follower("first").await;
    let mut watch = follower.api.hub.subscribe(&[Kind::Service]);
    assert_eq!(lines(&watch.next().await), ["+a", "synced"]);
    let deleted = line("DELETED", &service("first", "11"));
    let added = line("ADDED", &service("second", "12"));
    let stream = Body::from(format!("{deleted}{added}").into_bytes());
    assert_eq!(follower.read(stream).await, Failure::Ended);
    assert_eq!(lines(&watch.next().await), ["-a", "+a"]);
    let name = ObjectRef::new(Kind::Service, Some("default"), "a").unwrap();
    assert!(follower.reflector.knows(&name));
    let version = "12".to_owned();
    assert_eq!(follower.reflector.next().ask, Ask::Watch { version });
}

#[tokio::test(start_paused = true)]
async fn what_comes_and_goes_in_one_piece_is_gone() {
    let mut follower = follower("first").await;
    let mut watch = follower.api.hub.subscribe(&[Kind::Service]);
    watch.next().await;
    let deleted = line("DELETED", &service("first", "11"));
    let added = line("ADDED", &service("second", "12"));
    let again = line("DELETED", &service("second", "13"));
    let stream = Body::from(format!("{deleted}{added}{again}").into_bytes());
    assert_eq!(follower.read(stream).await, Failure::Ended);
    assert_eq!(lines(&watch.next().await), ["-a"]);
}

#[tokio::test(start_paused = true)]
async fn a_list_without_a_version_is_no_list() {
    let mut follower = follower("first").await;
    for answer in ["{}", r#"{"items": []}"#, r#"{"metadata": {}}"#, "[]", ""] {
        assert!(follower.read_page(answer.as_bytes()).is_err(), "{answer}");
    }
}
