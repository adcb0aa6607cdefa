//! Writes through refusals, lost answers and rivals: what is not sure is not acknowledged, what is stale
//! is refused, and what others own stays.

use std::net::IpAddr;

use ringbolt_config::api::{IPAllocation, IPAllocationSpec, Speaker};
use ringbolt_config::service::FINALIZER;

use super::*;
use crate::kubernetes::KubernetesOptions;
use crate::writer::{
    Drain, Event, EventType, FinalizerChange, Part, ServiceStatusPatch, UnavailableCause,
    WriteError,
};

const NAME: &str = "v4-192-0-2-10";

fn claim(pool: &str) -> IPAllocation {
    let spec = IPAllocationSpec {
        address: "192.0.2.10".to_owned(),
        pool: Some(pool.to_owned()),
        ..IPAllocationSpec::default()
    };
    IPAllocation::new(NAME, spec)
}

fn claim_ref() -> ObjectRef {
    object(Kind::IPAllocation, NAME)
}

/// A patch that gives `address` to the Service as it is read at this moment.
async fn giving(cluster: &Cluster, address: &str) -> ServiceStatusPatch {
    let key = "default/web".parse().unwrap();
    let read = cluster.writer().get_service(&key).await.unwrap();
    ServiceStatusPatch {
        key,
        uid: read.uid.clone(),
        resource_version: read.resource_version.clone(),
        ingress: Part::Set(vec![address.parse::<IpAddr>().unwrap()]),
        finalizer: FinalizerChange::Add,
        allocated_from: Part::Set(Some("public".parse().unwrap())),
        conditions: Vec::new(),
    }
}

fn web(fake: &FakeApi) -> Value {
    fake.object(&object(Kind::Service, "web")).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_was_paused_between_reading_and_writing_is_refused() {
    let fake = FakeApi::new();
    fake.apply(&service("web", 80));
    let (old, new) = (
        fake.cluster_of(Role::Controller),
        fake.cluster_of(Role::Controller),
    );
    let claimed = old.writer().create_allocation(&claim("a")).await.unwrap();
    let late = giving(&old, "192.0.2.1").await;
    let stall = fake.stall(On::all().writing());
    let writer = old.writer();
    let mut changed = claimed.clone();
    changed.spec.pool = Some("b".to_owned());
    let paused = tokio::spawn(async move {
        tokio::join!(
            writer.patch_service_status(late),
            writer.update_allocation(&changed)
        )
    });
    stall.holds(2).await;
    // Its successor works directly on what the store has.
    let address = json!({"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.2"}]}}});
    fake.patch_status(&object(Kind::Service, "web"), &address);
    fake.apply(&json!({
        "apiVersion": "ringbolt.io/v1beta1", "kind": "IPAllocation",
        "metadata": {"name": NAME}, "spec": {"pool": "c"},
    }));
    drop(stall);
    let (status, claim) = paused.await.unwrap();
    let conflict = |object| WriteError::Conflict { object };
    assert_eq!(status.unwrap_err(), conflict(object(Kind::Service, "web")));
    assert_eq!(claim.unwrap_err(), conflict(claim_ref()));
    assert_eq!(
        web(&fake)["status"]["loadBalancer"]["ingress"][0]["ip"],
        "192.0.2.2"
    );
    assert_eq!(fake.object(&claim_ref()).unwrap()["spec"]["pool"], "c");
    let deleted = new.writer();
    let uid = claimed.metadata.uid.unwrap().parse().unwrap();
    let stale = claimed.metadata.resource_version.unwrap().parse().unwrap();
    let deleted = deleted.delete_allocation(NAME, &uid, &stale).await;
    assert_eq!(deleted.unwrap_err(), conflict(claim_ref()));
}

#[tokio::test(start_paused = true)]
async fn finalizers_conditions_and_annotations_of_others_stay() {
    let fake = FakeApi::new();
    let mut manifest = service("web", 80);
    manifest["metadata"]["finalizers"] = json!(["example.org/theirs"]);
    manifest["metadata"]["annotations"] = json!({"example.org/theirs": "kept"});
    fake.apply(&manifest);
    let theirs = json!([{"type": "example.org/Theirs", "status": "True"}]);
    let web_ref = object(Kind::Service, "web");
    fake.patch_status(&web_ref, &json!({"status": {"conditions": theirs}}));
    let cluster = fake.cluster_of(Role::Controller);
    let mut patch = giving(&cluster, "192.0.2.1").await;
    patch.conditions = serde_json::from_value(json!([{
        "type": "ringbolt.io/Ours", "status": "True", "reason": "R", "message": "",
        "lastTransitionTime": "2024-01-01T00:00:00Z",
    }]))
    .unwrap();
    cluster.writer().patch_service_status(patch).await.unwrap();
    let written = web(&fake);
    let finalizers = &written["metadata"]["finalizers"];
    assert_eq!(*finalizers, json!(["example.org/theirs", FINALIZER]));
    let entry = &written["status"]["loadBalancer"]["ingress"][0];
    assert_eq!(*entry, json!({"ip": "192.0.2.1", "ipMode": "VIP"}));
    let taken = ServiceStatusPatch {
        ingress: Part::Set(Vec::new()),
        finalizer: FinalizerChange::Remove,
        allocated_from: Part::Set(None),
        ..giving(&cluster, "192.0.2.1").await
    };
    cluster.writer().patch_service_status(taken).await.unwrap();
    let written = web(&fake);
    let metadata = &written["metadata"];
    assert_eq!(metadata["finalizers"], json!(["example.org/theirs"]));
    assert_eq!(
        metadata["annotations"],
        json!({"example.org/theirs": "kept"})
    );
    assert_eq!(written["status"]["conditions"].as_array().unwrap().len(), 2);
    assert_eq!(written["status"]["loadBalancer"], json!({}));
}

#[tokio::test(start_paused = true)]
async fn a_create_whose_answer_is_lost_is_found_to_be_done() {
    let fake = FakeApi::new();
    fake.inject(
        On::of(Verb::Create, "ipallocations").times(1),
        Fault::LoseAnswer,
    );
    let cluster = fake.cluster_of(Role::Controller);
    let writer = cluster.writer();
    let created = writer.create_allocation(&claim("a")).await;
    assert_eq!(
        created.unwrap_err(),
        WriteError::AlreadyExists {
            object: claim_ref()
        }
    );
    let found = writer.get_allocation(NAME).await.unwrap();
    assert_eq!(found.spec.pool.as_deref(), Some("a"));
}

#[tokio::test(start_paused = true)]
async fn a_patch_whose_answer_is_lost_is_not_done_twice() {
    let fake = FakeApi::new();
    fake.apply(&service("web", 80));
    fake.inject(On::of(Verb::Patch, "services").times(1), Fault::LoseAnswer);
    let cluster = fake.cluster_of(Role::Controller);
    let patch = giving(&cluster, "192.0.2.1").await;
    let version = patch.resource_version.clone();
    let refused = cluster.writer().patch_service_status(patch).await;
    let conflict = WriteError::Conflict {
        object: object(Kind::Service, "web"),
    };
    assert_eq!(refused.unwrap_err(), conflict);
    assert_ne!(web(&fake)["metadata"]["resourceVersion"], version.as_str());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_asks_to_come_again_later_is_asked_later() {
    let fake = FakeApi::new();
    let cluster = fake.cluster_of(Role::Controller);
    let throttled = |seconds| Fault::Refuse(Refusal::too_many_requests(seconds));
    fake.inject(On::of(Verb::Create, "ipallocations").times(1), throttled(3));
    let began = Instant::now();
    cluster
        .writer()
        .create_allocation(&claim("a"))
        .await
        .unwrap();
    assert!(began.elapsed() >= s(3));
    let counted = |outcome| calls(&cluster, Verb::Create, "ipallocations", outcome);
    assert_eq!(
        (counted(CallOutcome::Throttled), counted(CallOutcome::Ok)),
        (1, 1)
    );
    // A pause that is longer than anybody waits is told at once.
    fake.inject(On::of(Verb::Get, "ipallocations"), throttled(3_600));
    let began = Instant::now();
    let refused = cluster.writer().get_allocation(NAME).await.unwrap_err();
    let cause = UnavailableCause::Throttled;
    assert_eq!(
        refused,
        WriteError::Unavailable {
            object: claim_ref(),
            cause
        }
    );
    assert!(began.elapsed() < s(1));
}

#[tokio::test(start_paused = true)]
async fn what_a_server_asks_of_one_write_holds_for_all() {
    let fake = FakeApi::new();
    let cluster = fake.cluster_of(Role::Controller);
    let throttled = Fault::Refuse(Refusal::too_many_requests(3));
    fake.inject(On::of(Verb::Create, "ipallocations").times(1), throttled);
    let writer = cluster.writer();
    let first = tokio::spawn(async move { writer.create_allocation(&claim("a")).await });
    let refused = async {
        while calls(
            &cluster,
            Verb::Create,
            "ipallocations",
            CallOutcome::Throttled,
        ) == 0
        {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(LIMIT, refused).await.unwrap();
    let began = Instant::now();
    let mut second = claim("b");
    second.metadata.name = Some("v4-192-0-2-11".to_owned());
    cluster.writer().create_allocation(&second).await.unwrap();
    assert!(began.elapsed() >= s(3), "{:?}", began.elapsed());
    first.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_is_given_up_on_in_time() {
    let fake = FakeApi::new();
    fake.inject(On::all(), Fault::Hang);
    let cluster = fake.cluster_of(Role::Controller);
    let began = Instant::now();
    let refused = cluster
        .writer()
        .create_allocation(&claim("a"))
        .await
        .unwrap_err();
    let cause = UnavailableCause::Unreachable;
    assert_eq!(
        refused,
        WriteError::Unavailable {
            object: claim_ref(),
            cause
        }
    );
    assert!(began.elapsed() <= s(15), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_is_not_allowed_or_not_acceptable_is_not_tried_again() {
    for (refusal, outcome) in [
        (Refusal::forbidden(), CallOutcome::Forbidden),
        (
            Refusal::invalid("spec.address: Invalid value"),
            CallOutcome::Invalid,
        ),
    ] {
        let fake = FakeApi::new();
        fake.inject(On::kind("ipallocations"), Fault::Refuse(refusal));
        let cluster = fake.cluster_of(Role::Controller);
        cluster
            .writer()
            .create_allocation(&claim("a"))
            .await
            .unwrap_err();
        assert_eq!(calls(&cluster, Verb::Create, "ipallocations", outcome), 1);
        assert_eq!(writes(&cluster), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_speaker_whose_state_is_the_same_writes_nothing() {
    let fake = FakeApi::new();
    let cluster = fake.cluster_of(Role::Speaker);
    let mut speaker = Speaker::new("node-1", Default::default());
    speaker.status = Some(serde_json::from_value(json!({"conditions": []})).unwrap());
    cluster.writer().apply_speaker(&speaker).await.unwrap();
    let before = writes(&cluster);
    for _ in 0..5 {
        cluster.writer().apply_speaker(&speaker).await.unwrap();
    }
    assert_eq!(writes(&cluster), before);
}

#[tokio::test(start_paused = true)]
async fn a_speaker_object_that_another_process_wrote_meanwhile_is_read_again() {
    let fake = FakeApi::new();
    let cluster = fake.cluster_of(Role::Speaker);
    cluster
        .writer()
        .apply_speaker(&speaker("First"))
        .await
        .unwrap();
    let stall = fake.stall(On::of(Verb::Patch, "speakers").times(1));
    let writer = cluster.writer();
    let late = tokio::spawn(async move { writer.apply_speaker(&speaker("Second")).await });
    stall.holds(1).await;
    let node = object(Kind::Speaker, "node-1");
    fake.patch_status(&node, &json!({"status": {"conditions": []}}));
    drop(stall);
    late.await.unwrap().unwrap();
    let conditions = &fake.object(&node).unwrap()["status"]["conditions"];
    assert_eq!(conditions[0]["type"], "Second");
    assert_eq!(
        calls(&cluster, Verb::Patch, "speakers", CallOutcome::Conflict),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn who_only_reads_writes_nothing_but_a_drain_mark() {
    let fake = FakeApi::new();
    fake.apply(&json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}}));
    let cluster = fake.cluster_of(Role::Reader);
    let writer = cluster.writer();
    let refused = writer.create_allocation(&claim("a")).await;
    assert!(
        matches!(refused, Err(WriteError::Invalid { .. })),
        "{refused:?}"
    );
    let node = "node-1".parse().unwrap();
    writer.set_drain(&node, Drain::Begin).await.unwrap();
    assert_eq!(writes(&cluster), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_told_again_is_counted_in_one_event() {
    let fake = FakeApi::new();
    fake.apply(&service("web", 80));
    let cluster = fake.cluster_of(Role::Controller);
    let event = Event {
        regarding: object(Kind::Service, "web"),
        event_type: EventType::Warning,
        reason: "AllocationFailed",
        note: "é".repeat(2_000),
    };
    for _ in 0..3 {
        cluster.writer().event(event.clone()).await.unwrap();
    }
    let events = fake.objects("events");
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["series"]["count"], 3);
    assert!(events[0]["note"].as_str().unwrap().len() <= 1_024);
}

/// A Speaker object with one condition.
fn speaker(condition: &str) -> Speaker {
    let mut speaker = Speaker::new("node-1", Default::default());
    let conditions = json!([{
        "type": condition, "status": "True", "reason": "R", "message": "",
        "lastTransitionTime": "2024-01-01T00:00:00Z",
    }]);
    speaker.status = Some(serde_json::from_value(json!({"conditions": conditions})).unwrap());
    speaker
}

#[tokio::test(start_paused = true)]
async fn a_speaker_object_is_written_though_every_first_answer_is_lost() {
    let fake = FakeApi::new();
    for verb in [Verb::Create, Verb::Patch] {
        fake.inject(On::of(verb, "speakers").times(1), Fault::LoseAnswer);
    }
    let cluster = fake.cluster_of(Role::Speaker);
    let written = cluster.writer().apply_speaker(&speaker("Ready")).await;
    written.unwrap();
    let counted = |verb, outcome| calls(&cluster, verb, "speakers", outcome);
    assert_eq!(counted(Verb::Create, CallOutcome::AlreadyExists), 1);
    assert_eq!(counted(Verb::Patch, CallOutcome::Conflict), 1);
    let stored = fake.object(&object(Kind::Speaker, "node-1")).unwrap();
    assert_eq!(stored["status"]["conditions"][0]["type"], "Ready");
}

#[tokio::test(start_paused = true)]
async fn one_deadline_holds_for_all_tries_to_write_a_speaker_object() {
    let fake = FakeApi::new();
    let cluster = fake.cluster_of(Role::Speaker);
    let writer = cluster.writer();
    writer.apply_speaker(&speaker("First")).await.unwrap();
    // Reading takes its time, and writing never ends.
    fake.inject(On::of(Verb::Get, "speakers").times(2), Fault::Hang);
    fake.inject(On::of(Verb::Patch, "speakers"), Fault::Hang);
    let began = Instant::now();
    let refused = writer.apply_speaker(&speaker("Second")).await;
    let cause = UnavailableCause::Unreachable;
    let object = object(Kind::Speaker, "node-1");
    assert_eq!(
        refused.unwrap_err(),
        WriteError::Unavailable { object, cause }
    );
    assert!(began.elapsed() <= s(15), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_event_whose_answer_is_lost_is_told_once() {
    let fake = FakeApi::new();
    fake.apply(&service("web", 80));
    fake.inject(On::of(Verb::Create, "events").times(1), Fault::LoseAnswer);
    let cluster = fake.cluster_of(Role::Controller);
    let event = Event {
        regarding: object(Kind::Service, "web"),
        event_type: EventType::Normal,
        reason: "IPAllocated",
        note: "192.0.2.1".to_owned(),
    };
    cluster.writer().event(event.clone()).await.unwrap();
    cluster.writer().event(event).await.unwrap();
    let events = fake.objects("events");
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["series"]["count"], 2);
}

#[tokio::test(start_paused = true)]
async fn a_long_name_of_a_process_is_cut_in_events() {
    let fake = FakeApi::new();
    fake.apply(&service("web", 80));
    let cluster = fake.cluster(KubernetesOptions {
        instance: Some("é".repeat(100)),
        ..KubernetesOptions::new(Role::Controller)
    });
    let event = Event {
        regarding: object(Kind::Service, "web"),
        event_type: EventType::Normal,
        reason: "IPAllocated",
        note: String::new(),
    };
    cluster.writer().event(event).await.unwrap();
    let told = fake.objects("events")[0]["reportingInstance"].to_string();
    assert_eq!(told, format!("\"{}\"", "é".repeat(64)));
}
