//! What outlives a process and a document: identity, claims, keys, what is left of a Service; and
//! who may write what.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;

use ringbolt_config::{Kind, Object};
use tokio::time::timeout;

use super::seen::{LIMIT, POOL, Seen, claim, hold, service};
use super::*;
use crate::{SPEAKER_KEY_NAMESPACE, SPEAKER_KEY_SECRET};

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_writes_nothing_and_sees_everything() {
    let place = Place::new();
    place.put("web.yaml", &service("web", 80));
    place.put("pool.yaml", POOL);
    place.put(
        "more.json",
        r#"{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}}"#,
    );
    fs::write(place.path().join("README.md"), "no manifest").unwrap();
    fs::write(place.path().join(".hidden.yaml"), "{").unwrap();
    let reader = place.cluster(Role::Reader);
    let listing = reader.read_all().await.unwrap();
    let names: Vec<_> = listing
        .objects
        .iter()
        .map(|o| o.object_ref().to_string())
        .collect();
    assert_eq!(
        names,
        [
            "Namespace default",
            "IPAddressPool public",
            "Service default/web"
        ]
    );
    assert_eq!(
        *listing.skipped,
        BTreeMap::from([("apps/v1 Deployment".to_owned(), 1)])
    );
    assert!(listing.problems.is_empty(), "{:?}", listing.problems);
    assert!(!place.path().join(".ringbolt").exists());
    let refused = reader
        .writer()
        .create_allocation(&claim())
        .await
        .unwrap_err();
    assert!(matches!(
        refused,
        WriteError::Invalid {
            reason: InvalidReason::ReadOnly,
            ..
        }
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_deleted_while_nobody_looked_terminates_at_the_next_start() {
    let place = Place::new();
    place.put("web.yaml", &service("web", 80));
    let first = {
        let controller = place.cluster(Role::Controller);
        let mut seen = Seen::new(&controller);
        seen.until(|seen| seen.port("web").is_some()).await;
        let view = seen.service("web").unwrap();
        controller
            .writer()
            .patch_service_status(hold(&view))
            .await
            .unwrap();
        view
    };
    fs::remove_file(place.path().join("web.yaml")).unwrap();
    place.put("other.yaml", &service("other", 80));
    for role in [Role::Speaker, Role::Controller] {
        let mut seen = Seen::new(&place.cluster(role));
        seen.until(|seen| seen.service("web").is_some_and(|view| view.deleting))
            .await;
        let view = seen.service("web").unwrap();
        assert_eq!(view.uid, first.uid, "{role:?}");
        assert_eq!(view.ports, first.ports, "what it was is kept");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_speaker_that_starts_first_is_told_of_everything_the_controller_makes() {
    let place = Place::reported();
    let speaker = place.cluster(Role::Speaker);
    let mut far = Seen::new(&speaker);
    far.until(|seen| seen.synced == Kind::ALL.len()).await;
    let controller = place.cluster(Role::Controller);
    let mut seen = Seen::new(&controller);
    for name in ["one", "two"] {
        place.put(&format!("{name}.yaml"), &service(name, 80));
        seen.until(|seen| seen.port(name).is_some()).await;
        let patch = hold(&seen.service(name).unwrap());
        controller
            .writer()
            .patch_service_status(patch)
            .await
            .unwrap();
        far.until(|seen| seen.service(name).is_some_and(|view| view.has_finalizer))
            .await;
    }
    controller.writer().ensure_speaker_key().await.unwrap();
    far.until(|seen| seen.objects.keys().any(|name| name.kind == Kind::Secret))
        .await;
    let mut identity = speaker.identity();
    let known = identity.wait_for(Option::is_some);
    assert!(
        timeout(LIMIT, known).await.is_ok(),
        "the speaker learns who the cluster is"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strange_status_that_somebody_wrote_below_our_folder_is_replaced() {
    let place = Place::new();
    place.put("web.yaml", &service("web", 80));
    let controller = place.cluster(Role::Controller);
    let mut seen = Seen::new(&controller);
    seen.until(|seen| seen.port("web").is_some()).await;
    let record = place.path().join(STATE).join("services/default/web");
    let mut value: Value = serde_json::from_slice(&fs::read(&record).unwrap()).unwrap();
    value["status"] = 5.into();
    place.put("strange", &value.to_string());
    fs::rename(place.path().join("strange"), &record).unwrap();
    let patch = hold(&seen.service("web").unwrap());
    let written = controller
        .writer()
        .patch_service_status(patch)
        .await
        .unwrap();
    assert_eq!(written.unwrap().addresses().count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_speaker_sees_a_deletion_without_a_controller() {
    let place = Place::new();
    place.put("web.yaml", &service("web", 80));
    {
        let controller = place.cluster(Role::Controller);
        let mut seen = Seen::new(&controller);
        seen.until(|seen| seen.port("web").is_some()).await;
        let patch = hold(&seen.service("web").unwrap());
        controller
            .writer()
            .patch_service_status(patch)
            .await
            .unwrap();
    }
    let mut seen = Seen::new(&place.cluster(Role::Speaker));
    seen.until(|seen| seen.service("web").is_some_and(|view| !view.deleting))
        .await;
    fs::remove_file(place.path().join("web.yaml")).unwrap();
    seen.until(|seen| seen.service("web").is_some_and(|view| view.deleting))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reservation_of_people_is_a_claim_that_is_never_overwritten() {
    let place = Place::new();
    let reservation = "apiVersion: ringbolt.io/v1beta1\nkind: IPAllocation\nmetadata: {name: v4-192-0-2-10}\nspec:\n  address: 192.0.2.10\n  reservedFor: {namespace: default, name: web}\n  holders: []\n";
    place.put("reserved.yaml", reservation);
    let controller = place.cluster(Role::Controller);
    let mut seen = Seen::new(&controller);
    seen.until(|seen| seen.claim().is_some()).await;
    assert_eq!(
        seen.problem("NotForPeople").await.field.as_deref(),
        Some("spec.holders")
    );
    let writer = controller.writer();
    let taken = writer.create_allocation(&claim()).await.unwrap_err();
    assert!(matches!(taken, WriteError::AlreadyExists { .. }), "{taken}");
    let mut read = writer.get_allocation("v4-192-0-2-10").await.unwrap();
    assert!(read.spec.reserved_for.is_some());
    read.spec.pool = Some("public".to_owned());
    let held = writer.update_allocation(&read).await.unwrap();
    assert_eq!(held.spec.pool.as_deref(), Some("public"));
    assert!(held.spec.reserved_for.is_some(), "the reservation stays");
    let stale = writer.update_allocation(&read).await.unwrap_err();
    assert!(matches!(stale, WriteError::Conflict { .. }), "{stale}");
    assert_eq!(
        fs::read_to_string(place.path().join("reserved.yaml")).unwrap(),
        reservation
    );
    fs::remove_file(place.path().join("reserved.yaml")).unwrap();
    seen.until(|seen| {
        seen.claim()
            .is_some_and(|claim| claim.spec.reserved_for.is_none())
    })
    .await;
    assert_eq!(seen.claim().unwrap().spec.pool.as_deref(), Some("public"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_a_directory_is_another_cluster() {
    let place = Place::new();
    place.put("web.yaml", &service("web", 80));
    let identity = async |path: &Path, role| {
        let cluster = Cluster::directory(DirectoryOptions::new(path, role));
        let mut identity = cluster.identity();
        let known = identity.wait_for(Option::is_some);
        timeout(LIMIT, known)
            .await
            .unwrap()
            .unwrap()
            .clone()
            .unwrap()
    };
    let first = identity(place.path(), Role::Controller).await;
    assert_eq!(
        identity(place.path(), Role::Controller).await,
        first,
        "a restart changes nothing"
    );
    assert_eq!(identity(place.path(), Role::Speaker).await, first);
    let copy = TempDir::new().unwrap();
    fs::create_dir(copy.path().join(STATE)).unwrap();
    fs::copy(
        place.path().join(STATE).join("cluster-id"),
        copy.path().join(STATE).join("cluster-id"),
    )
    .unwrap();
    assert_ne!(identity(copy.path(), Role::Controller).await, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_speaker_key_is_a_file_for_its_owner_alone() {
    let place = Place::new();
    let controller = place.cluster(Role::Controller);
    controller.writer().ensure_speaker_key().await.unwrap();
    let path = place
        .path()
        .join(STATE)
        .join("secrets")
        .join(SPEAKER_KEY_NAMESPACE);
    let mode = fs::metadata(path.join(SPEAKER_KEY_SECRET))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let listing = place.cluster(Role::Reader).read_all().await.unwrap();
    assert!(
        !listing
            .objects
            .iter()
            .any(|object| object.kind() == Kind::Secret)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn namespaces_that_objects_are_in_exist() {
    let place = Place::new();
    place.put("web.yaml", &service("web", 80).replace("default", "shop"));
    let mut seen = Seen::new(&place.cluster(Role::Speaker));
    let shop = ObjectRef::new(Kind::Namespace, None, "shop").unwrap();
    seen.until(|seen| seen.objects.contains_key(&shop)).await;
    let Object::Namespace(view) = &seen.objects[&shop] else {
        panic!("a namespace")
    };
    assert_eq!(view.labels["kubernetes.io/metadata.name"], "shop");
    fs::remove_file(place.path().join("web.yaml")).unwrap();
    seen.until(|seen| seen.objects.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_folder_that_cannot_be_written_is_told_and_speakers_go_on() {
    let place = Place::new();
    place.put("pool.yaml", POOL);
    let state = place.path().join("taken");
    fs::write(&state, "a file stands where the folder should be").unwrap();
    let options = |role| DirectoryOptions {
        state_dir: Some(state.clone()),
        ..DirectoryOptions::new(place.path(), role)
    };
    let controller = Cluster::directory(options(Role::Controller));
    let seen = Seen::new(&controller);
    seen.problem("StateUnwritable").await;
    let refused = controller
        .writer()
        .create_allocation(&claim())
        .await
        .unwrap_err();
    assert!(
        matches!(refused, WriteError::Unavailable { .. }),
        "{refused}"
    );
    let mut seen = Seen::new(&Cluster::directory(options(Role::Speaker)));
    seen.until(|seen| !seen.objects.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_folder_that_is_removed_and_made_anew_is_watched_again() {
    let place = Place {
        rescan: Duration::from_millis(50),
        ..Place::new()
    };
    let controller = place.cluster(Role::Controller);
    let writer = controller.writer();
    let mut seen = Seen::new(&place.cluster(Role::Speaker));
    for _ in 0..3 {
        writer.create_allocation(&claim()).await.unwrap();
        seen.until(|seen| seen.claim().is_some()).await;
        fs::remove_dir_all(place.path().join(STATE).join("ipallocations")).unwrap();
        seen.until(|seen| seen.claim().is_none()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_broken_at_a_start_keeps_what_was_stored_of_it() {
    let place = Place::new();
    place.put("web.yaml", &service("web", 80));
    place.put("pool.yaml", POOL);
    let first = {
        let controller = place.cluster(Role::Controller);
        let mut seen = Seen::new(&controller);
        seen.until(|seen| seen.port("web").is_some() && seen.synced == Kind::ALL.len())
            .await;
        let view = seen.service("web").unwrap();
        let writer = controller.writer();
        writer.patch_service_status(hold(&view)).await.unwrap();
        view
    };
    for broken in ["kind: Service\nspec: [\n", "# nothing\n", ""] {
        place.put("web.yaml", broken);
        for role in [Role::Speaker, Role::Controller] {
            let cluster = place.cluster(role);
            let mut seen = Seen::new(&cluster);
            seen.until(|seen| seen.synced == Kind::ALL.len()).await;
            let kept = seen.service("web").unwrap();
            assert!(!kept.deleting, "{role:?} with {broken:?}");
            assert_eq!((&kept.uid, &kept.ports), (&first.uid, &first.ports));
            // What comes after two equal looks comes after them, too.
            place.put("late.yaml", &service("late", 81));
            seen.until(|seen| seen.port("late") == Some(81)).await;
            let mut problems = cluster.problems();
            let named = problems.wait_for(|problems| !problems.is_empty());
            timeout(LIMIT, named).await.unwrap().unwrap();
            assert!(
                !seen.service("web").unwrap().deleting,
                "{role:?} with {broken:?}"
            );
            fs::remove_file(place.path().join("late.yaml")).unwrap();
            seen.until(|seen| seen.service("late").is_none()).await;
        }
    }
    let mut seen = Seen::new(&place.cluster(Role::Controller));
    fs::remove_file(place.path().join("web.yaml")).unwrap();
    seen.until(|seen| seen.service("web").is_some_and(|view| view.deleting))
        .await;
}
