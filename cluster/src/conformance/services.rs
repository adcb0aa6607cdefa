//! Checks of a Service's life: identity, status, finalizer, deletion; of the status of our kinds;
//! and of what a process alone writes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use ringbolt_config::api::{Condition, Speaker};
use ringbolt_config::{Kind, NodeName, Object, ServiceView};
use serde_json::json;
use tokio::time::timeout;

use super::{Ground, LIMIT, Seen, node, pool, reference, service};
use crate::{
    Cluster, Drain, Event, EventType, FinalizerChange, Part, ServiceStatusPatch, WriteError,
};

const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

/// `deleting` for every reader from the deletion on, gone when the finalizer is.
pub async fn a_service_with_a_finalizer_terminates_until_it_is_removed(ground: &impl Ground) {
    ground.apply(&service("web", 80)).await;
    let (controller, speaker) = (ground.controller(), ground.speaker());
    let mut seen = Seen::new(&controller, &[Kind::Service]);
    let mut far = Seen::new(&speaker, &[Kind::Service]);
    let view = give_address(&controller, &mut seen).await;
    far.until("the address", |seen| address(seen) == Some(ADDRESS))
        .await;
    ground.delete(&reference(Kind::Service, "web")).await;
    for seen in [&mut seen, &mut far] {
        seen.until("the mark", |seen| {
            web(seen).is_some_and(|view| view.deleting)
        })
        .await;
        assert_eq!(
            address(seen),
            Some(ADDRESS),
            "the status stays until it is taken"
        );
        assert_eq!(
            web(seen).map(|view| view.uid.clone()),
            Some(view.uid.clone())
        );
    }
    let gone = release(&controller, &mut seen).await;
    assert!(
        gone,
        "the patch that takes the last finalizer says that the Service is gone"
    );
    for seen in [&mut seen, &mut far] {
        seen.until("its end", |seen| web(seen).is_none()).await;
    }
}

/// The successor waits, and is another object.
pub async fn a_name_taken_again_while_terminating_becomes_another_object(ground: &impl Ground) {
    ground.apply(&service("web", 80)).await;
    let controller = ground.controller();
    let mut seen = Seen::new(&controller, &[Kind::Service]);
    let first = give_address(&controller, &mut seen).await;
    ground.delete(&reference(Kind::Service, "web")).await;
    seen.until("the mark", |seen| {
        web(seen).is_some_and(|view| view.deleting)
    })
    .await;
    ground.apply(&service("web", 81)).await;
    ground.apply(&service("other", 80)).await;
    seen.until("the other", |seen| {
        seen.object(Kind::Service, "other").is_some()
    })
    .await;
    assert!(
        web(&seen).is_some_and(|view| view.deleting),
        "{:?}",
        seen.history
    );
    release(&controller, &mut seen).await;
    seen.until("the successor", |seen| {
        web(seen).is_some_and(|view| !view.deleting)
    })
    .await;
    let second = web(&seen).expect("it was waited for");
    assert_ne!(second.uid, first.uid);
    assert_eq!(
        second.addresses().count(),
        0,
        "a successor has no status of its predecessor"
    );
}

/// A change of the manifest, and another process, leave uid and age alone.
pub async fn a_service_keeps_its_identity_when_it_changes(ground: &impl Ground) {
    ground.apply(&service("web", 80)).await;
    let mut seen = Seen::new(&ground.controller(), &[Kind::Service]);
    seen.until("the Service", |seen| web(seen).is_some()).await;
    let first = web(&seen).expect("it was waited for");
    ground.apply(&service("web", 81)).await;
    seen.until("its change", |seen| {
        web(seen).is_some_and(|view| view.ports[0].port == 81)
    })
    .await;
    let changed = web(&seen).expect("it was waited for");
    assert_ne!(
        changed.resource_version, first.resource_version,
        "a change makes a new version"
    );
    let mut again = Seen::new(&ground.controller(), &[Kind::Service]);
    again.until("the Service", |seen| web(seen).is_some()).await;
    let later = web(&again).expect("it was waited for");
    assert_eq!((&later.uid, later.created), (&first.uid, first.created));
}

/// Another version, another uid, no such object: three refusals, nothing written.
pub async fn a_status_is_written_under_the_version_that_was_read(ground: &impl Ground) {
    ground.apply(&service("web", 80)).await;
    let controller = ground.controller();
    let mut seen = Seen::new(&controller, &[Kind::Service]);
    seen.until("the Service", |seen| web(seen).is_some()).await;
    let read = web(&seen).expect("it was waited for");
    let writer = controller.writer();
    let written = writer.patch_service_status(address_patch(&read)).await;
    let written = written
        .expect("a first write succeeds")
        .expect("it is not deleted");
    assert_ne!(written.resource_version, read.resource_version);
    assert!(written.has_finalizer);
    assert_eq!(written.addresses().collect::<Vec<_>>(), [ADDRESS]);
    let conflict = WriteError::Conflict {
        object: reference(Kind::Service, "web"),
    };
    let late = writer.patch_service_status(address_patch(&read)).await;
    assert_eq!(late.expect_err("the version is used up"), conflict);
    let mut foreign = address_patch(&written);
    foreign.uid = "another".parse().expect("a uid is any text");
    let foreign = writer.patch_service_status(foreign).await;
    assert_eq!(foreign.expect_err("it is another object"), conflict);
    let fresh = writer.get_service(&read.key).await.expect("it exists");
    assert_eq!(
        fresh.resource_version, written.resource_version,
        "nothing else was written"
    );
    let nobody = "default/nobody".parse().expect("a name");
    let missing = writer.get_service(&nobody).await;
    assert!(
        matches!(missing, Err(WriteError::NotFound { .. })),
        "{missing:?}"
    );
}

/// Address, finalizer and annotation of one patch arrive together.
pub async fn a_status_is_seen_by_every_reader(ground: &impl Ground) {
    ground.apply(&service("web", 80)).await;
    let controller = ground.controller();
    let mut seen = Seen::new(&controller, &[Kind::Service]);
    let mut far = Seen::new(&ground.speaker(), &[Kind::Service]);
    give_address(&controller, &mut seen).await;
    for seen in [&mut seen, &mut far] {
        seen.until("the address", |seen| address(seen) == Some(ADDRESS))
            .await;
        let view = web(seen).expect("it was waited for");
        assert!(view.has_finalizer);
        assert_eq!(view.allocated_from.as_deref(), Some("public"));
    }
}

/// Conditions of other types stay.
pub async fn conditions_are_replaced_by_type(ground: &impl Ground) {
    ground.apply(&service("web", 80)).await;
    let controller = ground.controller();
    let mut seen = Seen::new(&controller, &[Kind::Service]);
    seen.until("the Service", |seen| web(seen).is_some()).await;
    let mut view = web(&seen).expect("it was waited for");
    for (kind, reason) in [("A", "One"), ("B", "Two"), ("A", "Three")] {
        let conditions = vec![condition(kind, reason)];
        let patch = ServiceStatusPatch {
            conditions,
            ..empty_patch(&view)
        };
        let written = controller.writer().patch_service_status(patch).await;
        view = written
            .expect("the version is the newest")
            .expect("it is not deleted");
    }
    let reasons: BTreeSet<_> = view
        .conditions
        .iter()
        .map(|c| (&*c.type_, &*c.reason))
        .collect();
    assert_eq!(reasons, BTreeSet::from([("A", "Three"), ("B", "Two")]));
}

/// RFC 7396, under the version that was read.
pub async fn a_status_of_our_kinds_is_merged(ground: &impl Ground) {
    ground.apply(&pool("public", "192.0.2.0/24")).await;
    let controller = ground.controller();
    let mut seen = Seen::new(&controller, &[Kind::IPAddressPool]);
    seen.until("the pool", |seen| public(seen).is_some()).await;
    let first = version(public(&seen).expect("it was waited for"));
    let object = reference(Kind::IPAddressPool, "public");
    let writer = controller.writer();
    let status = json!({"assignedIPv4": 1, "availableIPv4": 255});
    let second = writer
        .patch_status(&object, &first, status)
        .await
        .expect("a first write");
    let late = writer
        .patch_status(&object, &first, json!({"assignedIPv4": 9}))
        .await;
    assert_eq!(
        late.expect_err("the version is used up"),
        WriteError::Conflict {
            object: object.clone()
        }
    );
    let status = json!({"assignedIPv4": 2});
    writer
        .patch_status(&object, &second, status)
        .await
        .expect("the version is the newest");
    seen.until("the second status", |seen| assigned(seen) == Some((2, 255)))
        .await;
}

/// The same Speaker object again is no write.
pub async fn a_speaker_object_is_written_when_it_differs(ground: &impl Ground) {
    let (speaker, person) = (ground.speaker(), ground.person());
    let mut seen = Seen::new(&person, &[Kind::Speaker]);
    // The last one shows that the others have been seen; no speaker may write that of another node.
    for (by, name) in [
        (&speaker, "node-1"),
        (&speaker, "node-1"),
        (&person, "node-2"),
    ] {
        let object = Speaker::new(name, Default::default());
        by.writer()
            .apply_speaker(&object)
            .await
            .expect("a speaker writes its object");
    }
    seen.until("both", |seen| seen.objects.len() == 2).await;
    assert_eq!(
        seen.changes_of(Kind::Speaker, "node-1"),
        1,
        "{:?}",
        seen.history
    );
}

/// One key of 32 bytes, the same for everybody.
pub async fn the_speaker_key_is_made_once(ground: &impl Ground) {
    let (one, two) = (ground.controller(), ground.controller());
    let (one, two) = (one.writer(), two.writer());
    let (one, two) = tokio::join!(one.ensure_speaker_key(), two.ensure_speaker_key());
    let (one, two) = (one.expect("a key"), two.expect("a key"));
    assert_eq!(one, two);
    let keys: Vec<_> = one
        .entries
        .iter()
        .map(|(id, key)| (&**id, key.expose().len()))
        .collect();
    assert_eq!(keys, [("1", 32)]);
    let mut seen = Seen::new(&ground.speaker(), &[Kind::Secret]);
    seen.until("the key", |seen| !seen.objects.is_empty()).await;
}

/// Begin and end; a node that nobody knows is refused.
pub async fn a_drain_mark_is_seen_on_the_node(ground: &impl Ground) {
    ground.apply(&node("node-1")).await;
    let mut seen = Seen::new(&ground.speaker(), &[Kind::Node]);
    let writer = ground.person().writer();
    let name: NodeName = "node-1".parse().expect("a name");
    for (drain, mark) in [(Drain::Begin, true), (Drain::End, false)] {
        writer
            .set_drain(&name, drain)
            .await
            .expect("the node exists");
        seen.until("the mark", |seen| match seen.object(Kind::Node, "node-1") {
            Some(Object::Node(view)) => view.draining == mark,
            _ => false,
        })
        .await;
    }
    let nobody: NodeName = "nobody".parse().expect("a name");
    let refused = writer.set_drain(&nobody, Drain::Begin).await;
    assert!(
        matches!(refused, Err(WriteError::NotFound { .. })),
        "{refused:?}"
    );
}

/// The second waits until the first lets go.
pub async fn one_controller_leads(ground: &impl Ground) {
    let (one, two) = (ground.controller(), ground.controller());
    let first = timeout(LIMIT, one.lead()).await.expect("nobody else leads");
    assert!(!first.is_lost());
    tokio::select! {
        biased;
        _ = two.lead() => panic!("two lead"),
        // Longer than a follower's pause between two tries would be no proof, and slower.
        _ = one.read_all() => {}
    }
    drop(first);
    let second = timeout(LIMIT, two.lead())
        .await
        .expect("the first has let go");
    assert!(!second.is_lost());
}

/// What is told can be read.
pub async fn events_are_kept(ground: &impl Ground) {
    ground.apply(&service("web", 80)).await;
    let controller = ground.controller();
    for _ in 0..2 {
        let event = Event {
            regarding: reference(Kind::Service, "web"),
            event_type: EventType::Warning,
            reason: "AllocationFailed",
            note: "no pool has a free address".to_owned(),
        };
        controller
            .writer()
            .event(event)
            .await
            .expect("events can be written");
    }
    let mut told = BTreeMap::new();
    for (reason, event_type, count) in ground.events().await {
        *told.entry((reason, event_type.as_str())).or_insert(0) += count;
    }
    let expected = ("AllocationFailed".to_owned(), EventType::Warning.as_str());
    assert_eq!(told, BTreeMap::from([(expected, 2)]));
}

async fn give_address(controller: &Cluster, seen: &mut Seen) -> Arc<ServiceView> {
    seen.until("the Service", |seen| web(seen).is_some()).await;
    let view = web(seen).expect("it was waited for");
    let written = controller
        .writer()
        .patch_service_status(address_patch(&view))
        .await;
    written
        .expect("the version is the newest")
        .expect("it is not deleted")
}

/// Takes status and finalizer as a controller does; whether the Service is gone by that.
async fn release(controller: &Cluster, seen: &mut Seen) -> bool {
    loop {
        let view = web(seen).expect("it terminates");
        let patch = ServiceStatusPatch {
            ingress: Part::Set(Vec::new()),
            finalizer: FinalizerChange::Remove,
            allocated_from: Part::Set(None),
            ..empty_patch(&view)
        };
        match controller.writer().patch_service_status(patch).await {
            Ok(left) => return left.is_none(),
            // Somebody noted the deletion in between: the next version says so.
            Err(WriteError::Conflict { .. }) => {
                let stale = view.resource_version.clone();
                seen.until("a newer version", |seen| {
                    web(seen).is_some_and(|view| view.resource_version != stale)
                })
                .await;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

fn empty_patch(view: &ServiceView) -> ServiceStatusPatch {
    ServiceStatusPatch {
        key: view.key.clone(),
        uid: view.uid.clone(),
        resource_version: view.resource_version.clone(),
        ingress: Part::Keep,
        finalizer: FinalizerChange::Keep,
        allocated_from: Part::Keep,
        conditions: Vec::new(),
    }
}

fn address_patch(view: &ServiceView) -> ServiceStatusPatch {
    ServiceStatusPatch {
        ingress: Part::Set(vec![ADDRESS]),
        finalizer: FinalizerChange::Add,
        allocated_from: Part::Set(Some("public".parse().expect("a name"))),
        ..empty_patch(view)
    }
}

fn condition(kind: &str, reason: &str) -> Condition {
    serde_json::from_value(json!({
        "type": kind,
        "status": "True",
        "reason": reason,
        "message": "",
        "lastTransitionTime": "2024-01-01T00:00:00Z",
    }))
    .expect("a condition")
}

fn web(seen: &Seen) -> Option<Arc<ServiceView>> {
    match seen.object(Kind::Service, "web")? {
        Object::Service(view) => Some(Arc::clone(view)),
        _ => None,
    }
}

fn address(seen: &Seen) -> Option<IpAddr> {
    web(seen)?.addresses().next()
}

fn public(seen: &Seen) -> Option<&ringbolt_config::api::IPAddressPool> {
    match seen.object(Kind::IPAddressPool, "public")? {
        Object::IPAddressPool(pool) => Some(pool),
        _ => None,
    }
}

fn version(pool: &ringbolt_config::api::IPAddressPool) -> ringbolt_config::ResourceVersion {
    let version = pool
        .metadata
        .resource_version
        .as_deref()
        .expect("a delivered object has one");
    version.parse().expect("a version is any text")
}

fn assigned(seen: &Seen) -> Option<(i64, i64)> {
    let status = public(seen)?.status.as_ref()?;
    Some((status.assigned_ipv4?, status.available_ipv4?))
}
