//! Differences and nothing else, whatever the order and the pace.

use ringbolt_config::decode;
use serde_json::json;

use super::*;

#[test]
fn what_exists_comes_first_and_then_that_it_is_all() {
    let hub = Hub::default();
    hub.publish([object("a", "1", 80)]);
    hub.synced(&[Kind::Service]);
    assert_eq!(
        taken(&hub.subscribe(&[Kind::Service])),
        ["apply a:80", "synced Service"]
    );
    assert_eq!(taken(&hub.subscribe(&[Kind::Node])), [""; 0]);
}

#[test]
fn what_did_not_change_is_not_said() {
    let hub = Hub::default();
    let watch = hub.subscribe(&[Kind::Service]);
    hub.publish([object("a", "1", 80)]);
    assert_eq!(taken(&watch), ["apply a:80"]);
    hub.publish([object("a", "1", 80)]);
    hub.publish([gone("b")]);
    assert_eq!(taken(&watch), [""; 0]);
}

#[test]
fn the_newest_state_is_said_once() {
    let hub = Hub::default();
    let watch = hub.subscribe(&[Kind::Service]);
    for port in 80..90 {
        hub.publish([object("a", "1", port)]);
    }
    assert_eq!(taken(&watch), ["apply a:89"]);
}

#[test]
fn what_came_and_went_unheard_is_not_said() {
    let hub = Hub::default();
    let watch = hub.subscribe(&[Kind::Service]);
    hub.publish([object("a", "1", 80), gone("a")]);
    assert_eq!(taken(&watch), [""; 0]);
    hub.publish([object("a", "1", 80)]);
    assert_eq!(taken(&watch), ["apply a:80"]);
    hub.publish([object("a", "1", 81), gone("a")]);
    assert_eq!(taken(&watch), ["delete a"]);
}

#[test]
fn another_object_of_the_name_is_a_deletion_first() {
    for gone_between in [true, false] {
        let hub = Hub::default();
        let watch = hub.subscribe(&[Kind::Service]);
        hub.publish([object("a", "1", 80)]);
        assert_eq!(taken(&watch), ["apply a:80"]);
        if gone_between {
            hub.publish([gone("a")]);
        }
        hub.publish([object("a", "2", 80)]);
        hub.publish([object("a", "2", 81)]);
        assert_eq!(taken(&watch), ["delete a", "apply a:81"]);
        hub.publish([object("a", "3", 80), gone("a")]);
        assert_eq!(taken(&watch), ["delete a"]);
    }
}

#[test]
fn an_object_that_is_given_its_uid_later_is_the_same() {
    let hub = Hub::default();
    let watch = hub.subscribe(&[Kind::Service]);
    hub.publish([object("a", "unassigned", 80)]);
    assert_eq!(taken(&watch), ["apply a:80"]);
    hub.publish([object("a", "1", 80)]);
    assert_eq!(taken(&watch), ["apply a:80"]);
}

#[test]
fn a_subscription_that_is_dropped_is_forgotten() {
    let hub = Hub::default();
    drop(hub.subscribe(&[Kind::Service]));
    hub.publish([object("a", "1", 80)]);
    assert_eq!(lock(&hub.state).queues.len(), 0);
}

#[tokio::test]
async fn a_cancelled_call_loses_nothing() {
    let hub = Hub::default();
    let mut watch = hub.subscribe(&[Kind::Service]);
    tokio::select! {
        biased;
        changes = watch.next() => panic!("nothing has happened: {changes:?}"),
        () = std::future::ready(()) => {}
    }
    hub.publish([object("a", "1", 80)]);
    assert_eq!(watch.next().await.len(), 1);
}

#[tokio::test]
async fn whoever_waits_is_woken() {
    let hub = Arc::new(Hub::default());
    let mut watch = hub.subscribe(&[Kind::Service]);
    let waiting = tokio::spawn(async move { watch.next().await.len() });
    tokio::task::yield_now().await;
    hub.publish([object("a", "1", 80), object("b", "1", 80)]);
    assert_eq!(waiting.await.unwrap(), 2);
}

fn object(name: &str, uid: &str, port: u16) -> Publication {
    let value = json!({
        "metadata": {"name": name, "uid": uid},
        "spec": {"ports": [{"port": port}]},
    });
    Publication::Object(decode(Kind::Service, value).unwrap())
}

fn gone(name: &str) -> Publication {
    Publication::Gone(ObjectRef::new(Kind::Service, None, name).unwrap())
}

fn taken(watch: &Subscription) -> Vec<String> {
    let changes = lock(&watch.queue.pending).take();
    let line = |change| match change {
        Change::Apply(Object::Service(view)) => {
            format!("apply {}:{}", view.key.name(), view.ports[0].port)
        }
        Change::Apply(object) => panic!("not a Service: {object:?}"),
        Change::Delete(name) => format!("delete {}", name.name),
        Change::Synced(kind) => format!("synced {kind}"),
        Change::Restored(kind) => format!("restored {kind}"),
    };
    changes.into_iter().map(line).collect()
}
