//! What is left of a cluster that Ringbolt leaves.

use ringbolt_cluster::Cluster;
use ringbolt_cluster::fake::{FakeApi, Fault, On, Refusal};
use serde_json::{Value, json};

use super::*;

#[tokio::test]
async fn finalizers_go_and_addresses_stay_unless_they_are_to_be_released() {
    let api = FakeApi::new();
    let uid = installed(&api);
    assert_eq!(uninstall(&api, Mode::Say, Addresses::Release).await, 0);
    assert!(finalizers(&api, &service("web")).is_some(), "a mere look");

    assert_eq!(uninstall(&api, Mode::Act, Addresses::Keep).await, 0);
    assert_eq!(finalizers(&api, &service("web")), None);
    assert_eq!(finalizers(&api, &pool()), None);
    let web = api.object(&service("web")).unwrap();
    assert_eq!(
        web["status"]["loadBalancer"]["ingress"][0]["ip"],
        "192.0.2.1"
    );
    assert_eq!(web["metadata"]["uid"], json!(uid));
    assert_eq!(api.objects("ipallocations").len(), 2);

    assert_eq!(uninstall(&api, Mode::Act, Addresses::Release).await, 0);
    let web = api.object(&service("web")).unwrap();
    assert!(web["status"]["loadBalancer"]["ingress"].is_null(), "{web}");
    assert_eq!(web["status"]["conditions"][0]["reason"], "Uninstalled");
    let claims = api.objects("ipallocations");
    let names: Vec<&Value> = claims
        .iter()
        .map(|claim| &claim["metadata"]["name"])
        .collect();
    assert_eq!(names, ["v4-192-0-2-9"], "a reservation is a person's");
}

#[tokio::test]
async fn services_of_others_are_untouched() {
    let api = FakeApi::new();
    installed(&api);
    let before = api.object(&service("theirs")).unwrap();
    uninstall(&api, Mode::Act, Addresses::Release).await;
    assert_eq!(api.object(&service("theirs")).unwrap(), before);
}

#[tokio::test]
async fn a_controller_that_is_still_at_work_is_noticed() {
    let api = FakeApi::new();
    installed(&api);
    let waiting = waiting_for_us(&listing(&api).await);
    assert_eq!(waiting, [pool(), service("web")]);
    uninstall(&api, Mode::Act, Addresses::Keep).await;
    assert_eq!(waiting_for_us(&listing(&api).await), []);
}

/// Services that carry our finalizer hang when somebody deletes the definitions first, and this is the
/// command that frees them.
#[tokio::test]
async fn services_are_freed_after_the_definitions_are_gone() {
    let api = FakeApi::new();
    installed(&api);
    let late = service("late");
    api.apply(&json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "late", "namespace": "default"},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
    }));
    let writer = api.cluster_of(Role::Controller).writer();
    let key = ServiceKey::new("default", "late").unwrap();
    let seen = writer.get_service(&key).await.unwrap();
    let given = ServiceStatusPatch {
        ingress: Part::Set(vec!["192.0.2.2".parse().unwrap()]),
        finalizer: FinalizerChange::Add,
        allocated_from: Part::Set(Some("public".parse().unwrap())),
        ..parting(&seen, Addresses::Keep, &BTreeSet::new()).1
    };
    writer.patch_service_status(given).await.unwrap();
    assert!(finalizers(&api, &late).is_some());
    for kind in Kind::ALL.iter().filter(|kind| kind.is_ours()) {
        let missing = Refusal::not_found(kind.plural());
        api.inject(On::kind(kind.plural()), Fault::Refuse(missing));
    }
    let seen = listing(&api).await;
    assert!(!is_incomplete(&seen), "{:?}", seen.problems);
    assert_eq!(uninstall(&api, Mode::Act, Addresses::Keep).await, 0);
    assert_eq!(finalizers(&api, &late), None);
}

#[tokio::test]
async fn what_may_not_be_seen_is_not_taken_for_absent() {
    let api = FakeApi::new();
    installed(&api);
    let refusal = Fault::Refuse(Refusal::forbidden());
    api.inject(On::kind(Kind::IPAllocation.plural()), refusal);
    assert!(is_incomplete(&listing(&api).await));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_changed_beside_a_controller_at_work() {
    let api = FakeApi::new();
    installed(&api);
    let controller = api.cluster_of(Role::Controller);
    let leadership = controller.lead().await;
    let person = api.cluster_of(Role::Controller);
    let refused = nobody_works(&person).await.unwrap_err().to_string();
    assert!(refused.contains("delete its Deployment"), "{refused}");
    leadership.step_down().await;
    nobody_works(&person).await.unwrap();
}

/// A cluster with a pool, a Service of ours, one of somebody else, and a reservation; the uid of ours.
fn installed(api: &FakeApi) -> String {
    api.apply(&json!({
        "apiVersion": "ringbolt.io/v1beta1", "kind": "IPAddressPool",
        "metadata": {"name": "public", "finalizers": ["ringbolt.io/in-use"]},
        "spec": {"addresses": ["192.0.2.0/28"], "onRemoval": "Keep"},
    }));
    for name in ["web", "theirs"] {
        api.apply(&json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {
                "name": name, "namespace": "default",
                "finalizers": ["service.kubernetes.io/load-balancer-cleanup"],
            },
            "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
        }));
        let ingress = json!([{"ip": "192.0.2.1", "ipMode": "VIP"}]);
        let status = json!({"status": {"loadBalancer": {"ingress": ingress}}});
        api.patch_status(&service(name), &status);
    }
    let web = api.object(&service("web")).unwrap();
    let uid = web["metadata"]["uid"].as_str().unwrap().to_owned();
    let holder = json!({"uid": uid, "namespace": "default", "name": "web"});
    let kept = json!({"namespace": "default", "name": "later"});
    for (name, spec) in [
        (
            "v4-192-0-2-1",
            json!({"address": "192.0.2.1", "pool": "public", "holders": [holder]}),
        ),
        (
            "v4-192-0-2-9",
            json!({"address": "192.0.2.9", "reservedFor": kept}),
        ),
    ] {
        api.apply(&json!({
            "apiVersion": "ringbolt.io/v1beta1", "kind": "IPAllocation",
            "metadata": {"name": name}, "spec": spec,
        }));
    }
    uid
}

async fn uninstall(api: &FakeApi, mode: Mode, addresses: Addresses) -> usize {
    let cluster: Cluster = api.cluster_of(Role::Controller);
    let listing = source::read(&cluster).await.unwrap();
    let leaving = Leaving {
        writer: cluster.writer(),
        mode,
        addresses,
    };
    leaving.all(&listing).await
}

async fn listing(api: &FakeApi) -> Listing {
    source::read(&api.cluster_of(Role::Reader)).await.unwrap()
}

fn service(name: &str) -> ObjectRef {
    ObjectRef::new(Kind::Service, Some("default"), name).unwrap()
}

fn pool() -> ObjectRef {
    ObjectRef::new(Kind::IPAddressPool, None, "public").unwrap()
}

fn finalizers(api: &FakeApi, object: &ObjectRef) -> Option<Value> {
    let value = api.object(object)?;
    let list = value["metadata"]["finalizers"].as_array()?;
    (!list.is_empty()).then(|| json!(list))
}
