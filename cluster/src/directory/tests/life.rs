//! What only a directory can do to us: half-written files, broken ones, files that vanish, copies,
//! restarts, and people who look with `ls`.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use ringbolt_config::api::{IPAllocation, IPAllocationSpec};
use ringbolt_config::{Kind, Object, ServiceView};
use tokio::time::timeout;

use super::*;
use crate::{
    FinalizerChange, Part, SPEAKER_KEY_NAMESPACE, SPEAKER_KEY_SECRET, ServiceStatusPatch, Watch,
};

const LIMIT: Duration = Duration::from_secs(20);

const POOL: &str = "\
apiVersion: ringbolt.io/v1beta1
kind: IPAddressPool
metadata:
  name: public
spec:
  addresses: [192.0.2.0/24]
";

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_is_named_with_line_and_column_and_keeps_its_objects() {
    let place = Place::new();
    place.put("web.yaml", &service("web", 80));
    let mut seen = Seen::new(&place.cluster(Role::Controller));
    seen.until(|seen| seen.port("web") == Some(80)).await;
    place.put(
        "web.yaml",
        "apiVersion: v1\nkind: Service\nmetadata: {name: web\nspec: 1\n",
    );
    let problem = seen.problem("Syntax").await;
    assert_eq!(
        problem.file.as_deref(),
        Some(&place.path().join("web.yaml"))
    );
    assert!(
        problem.line >= Some(3) && problem.column.is_some(),
        "{problem}"
    );
    place.put("web.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n  type: LoadBalancer\n  ports:\n  - name: a\n    port: 81\n  - port: 99999\n    name: b\n");
    let problem = seen.problem("InvalidField").await;
    assert_eq!(problem.field.as_deref(), Some("spec.ports[1].port"));
    assert_eq!((problem.line, problem.column), (Some(9), Some(5)));
    place.put("web.yaml", &service("web", 82));
    seen.until(|seen| seen.port("web") == Some(82)).await;
    seen.no_problem().await;
    assert_eq!(seen.deletions, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_in_two_files_is_a_problem_that_names_both() {
    let place = Place::new();
    place.put("b.yaml", &service("web", 80));
    let mut seen = Seen::new(&place.cluster(Role::Controller));
    seen.until(|seen| seen.port("web") == Some(80)).await;
    place.put("a.yaml", &service("web", 81));
    let problem = seen.problem("Duplicate").await;
    let text = problem.to_string();
    assert!(text.contains("a.yaml") && text.contains("b.yaml"), "{text}");
    assert_eq!(
        seen.port("web"),
        Some(80),
        "the one that was there first stays"
    );
    fs::remove_file(place.path().join("b.yaml")).unwrap();
    seen.until(|seen| seen.port("web") == Some(81)).await;
    seen.no_problem().await;
    assert_eq!(seen.deletions, 0, "the other file takes over");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_written_in_place_is_believed_when_it_is_closed() {
    let place = Place::new();
    place.put(
        "all.yaml",
        &format!("{}---\n{}", service("web", 80), service("api", 80)),
    );
    let mut seen = Seen::new(&place.cluster(Role::Controller));
    seen.until(|seen| seen.services() == ["api", "web"]).await;
    let mut file = fs::File::create(place.path().join("all.yaml")).unwrap();
    // A truncated text that happens to be a manifest: one object less, another port.
    file.write_all(service("web", 8).as_bytes()).unwrap();
    place.put("other.yaml", &service("other", 80));
    seen.until(|seen| seen.services() == ["api", "other", "web"])
        .await;
    assert_eq!(seen.port("web"), Some(80), "half a file is not read");
    file.write_all(format!("---\n{}", service("api", 81)).as_bytes())
        .unwrap();
    drop(file);
    seen.until(|seen| seen.port("api") == Some(81)).await;
    assert_eq!(seen.deletions, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_taken_out_in_place_is_gone_after_two_equal_looks() {
    let place = Place::new();
    place.put(
        "all.yaml",
        &format!("{}---\n{}", service("web", 80), service("api", 80)),
    );
    let mut seen = Seen::new(&place.cluster(Role::Controller));
    seen.until(|seen| seen.services() == ["api", "web"]).await;
    let began = Instant::now();
    fs::write(place.path().join("all.yaml"), service("web", 80)).unwrap();
    seen.until(|seen| seen.services() == ["web"]).await;
    assert!(
        began.elapsed() >= Duration::from_millis(500),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_file_keeps_its_objects_until_it_is_removed() {
    let place = Place::new();
    place.put("web.yaml", &service("web", 80));
    let mut seen = Seen::new(&place.cluster(Role::Controller));
    seen.until(|seen| seen.services() == ["web"]).await;
    place.put("web.yaml", "# nothing for now\n");
    seen.problem("Emptied").await;
    assert_eq!(seen.services(), ["web"]);
    fs::remove_file(place.path().join("web.yaml")).unwrap();
    seen.until(|seen| seen.services().is_empty()).await;
    seen.no_problem().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_cannot_be_read_changes_nothing() {
    let place = Place::scanned_often();
    let directory = place.path().join("manifests");
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("web.yaml"), service("web", 80)).unwrap();
    let options = DirectoryOptions {
        state_dir: Some(place.path().join("state")),
        ..DirectoryOptions::new(&directory, Role::Controller)
    };
    let mut seen = Seen::new(&Cluster::directory(options));
    seen.until(|seen| seen.services() == ["web"]).await;
    fs::rename(&directory, place.path().join("away")).unwrap();
    seen.problem("DirectoryUnreadable").await;
    assert_eq!(seen.services(), ["web"]);
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("web.yaml"), service("web", 81)).unwrap();
    seen.until(|seen| seen.port("web") == Some(81)).await;
    seen.no_problem().await;
    assert_eq!(seen.deletions, 0);
}

#[tokio::test]
async fn a_missing_directory_is_an_error_for_those_who_only_look() {
    let place = Place::new();
    let options = DirectoryOptions::new(place.path().join("nowhere"), Role::Reader);
    let error = Cluster::directory(options).read_all().await.unwrap_err();
    assert!(error.to_string().contains("nowhere"), "{error}");
}

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
        seen.until(|seen| seen.service("web").is_some()).await;
        let view = seen.service("web").unwrap();
        assert!(view.deleting, "{role:?}");
        assert_eq!(view.uid, first.uid, "{role:?}");
        assert_eq!(view.ports, first.ports, "what it was is kept");
    }
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
async fn without_reports_everything_comes_true_within_five_seconds() {
    let place = Place::scanned();
    place.put("web.yaml", &service("web", 80));
    let controller = place.cluster(Role::Controller);
    let mut seen = Seen::new(&controller);
    let mut far = Seen::new(&place.cluster(Role::Speaker));
    seen.until(|seen| seen.port("web").is_some()).await;
    let limit = Duration::from_secs(5);
    let began = Instant::now();
    place.put("new.yaml", &service("new", 80));
    seen.until(|seen| seen.service("new").is_some()).await;
    assert!(began.elapsed() < limit, "a new file: {:?}", began.elapsed());
    let began = Instant::now();
    let patch = hold(&seen.service("new").unwrap());
    controller
        .writer()
        .patch_service_status(patch)
        .await
        .unwrap();
    far.until(|seen| seen.service("new").is_some_and(|view| view.has_finalizer))
        .await;
    assert!(began.elapsed() < limit, "a status: {:?}", began.elapsed());
    let began = Instant::now();
    fs::write(place.path().join("web.yaml"), service("web", 81)).unwrap();
    seen.until(|seen| seen.port("web") == Some(81)).await;
    assert!(
        began.elapsed() < limit,
        "a file written in place: {:?}",
        began.elapsed()
    );
    let began = Instant::now();
    fs::remove_file(place.path().join("new.yaml")).unwrap();
    far.until(|seen| seen.service("new").is_some_and(|view| view.deleting))
        .await;
    assert!(began.elapsed() < limit, "a removal: {:?}", began.elapsed());
}

fn service(name: &str, port: u16) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\n  namespace: default\nspec:\n  type: LoadBalancer\n  ports:\n  - port: {port}\n"
    )
}

fn claim() -> IPAllocation {
    let spec = IPAllocationSpec {
        address: "192.0.2.10".to_owned(),
        ..IPAllocationSpec::default()
    };
    IPAllocation::new("v4-192-0-2-10", spec)
}

/// Puts an address and the finalizer on a Service.
fn hold(view: &ServiceView) -> ServiceStatusPatch {
    ServiceStatusPatch {
        key: view.key.clone(),
        uid: view.uid.clone(),
        resource_version: view.resource_version.clone(),
        ingress: Part::Set(vec!["192.0.2.1".parse().unwrap()]),
        finalizer: FinalizerChange::Add,
        allocated_from: Part::Keep,
        conditions: Vec::new(),
    }
}

/// Everything a cluster has told so far.
struct Seen {
    cluster: Cluster,
    watch: Watch,
    objects: BTreeMap<ObjectRef, Object>,
    deletions: usize,
}

impl Seen {
    fn new(cluster: &Cluster) -> Self {
        Self {
            cluster: cluster.clone(),
            watch: cluster.watch(Kind::ALL),
            objects: BTreeMap::new(),
            deletions: 0,
        }
    }

    async fn until(&mut self, enough: impl Fn(&Self) -> bool) {
        let follow = async {
            while !enough(self) {
                for change in self.watch.next().await {
                    match change {
                        Change::Apply(object) => {
                            self.objects.insert(object.object_ref(), object);
                        }
                        Change::Delete(name) => {
                            self.objects.remove(&name);
                            self.deletions += 1;
                        }
                        Change::Synced(_) => {}
                    }
                }
            }
        };
        let in_time = timeout(LIMIT, follow).await.is_ok();
        assert!(
            in_time,
            "waited in vain; {:?}; {:?}",
            self.objects,
            self.cluster.problems()
        );
    }

    /// Waits for a problem of this reason.
    async fn problem(&self, reason: &str) -> SourceProblem {
        let mut problems = self.cluster.problems();
        let of_reason = |problems: &Arc<[SourceProblem]>| {
            problems
                .iter()
                .find(|problem| problem.reason() == reason)
                .cloned()
        };
        let found = problems.wait_for(|problems| of_reason(problems).is_some());
        let found = timeout(LIMIT, found)
            .await
            .expect("the problem is told")
            .unwrap();
        of_reason(&found).unwrap()
    }

    async fn no_problem(&self) {
        let mut problems = self.cluster.problems();
        let none = problems.wait_for(|problems| problems.is_empty());
        assert!(
            timeout(LIMIT, none).await.is_ok(),
            "{:?}",
            self.cluster.problems()
        );
    }

    fn service(&self, name: &str) -> Option<Arc<ServiceView>> {
        match self
            .objects
            .get(&ObjectRef::new(Kind::Service, None, name).unwrap())?
        {
            Object::Service(view) => Some(Arc::clone(view)),
            _ => None,
        }
    }

    fn services(&self) -> Vec<&str> {
        let names = self
            .objects
            .keys()
            .filter(|name| name.kind == Kind::Service);
        names.map(|name| &*name.name).collect()
    }

    fn port(&self, name: &str) -> Option<u16> {
        self.service(name)?.ports.first().map(|port| port.port)
    }

    fn claim(&self) -> Option<&IPAllocation> {
        self.objects.values().find_map(|object| match object {
            Object::IPAllocation(claim) => Some(&**claim),
            _ => None,
        })
    }
}
