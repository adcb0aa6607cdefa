//! The controller on a real directory.

use std::fs;
use std::path::Path;

use ringbolt_cluster::{DirectoryOptions, Role as DirectoryRole};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

mod storms;

const POOL: &str = "
apiVersion: ringbolt.io/v1beta1
kind: IPAddressPool
metadata: {name: public}
spec: {addresses: [192.0.2.0/30]}
";

/// The longest a test waits for anything.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_in_a_directory_gets_an_address_and_gives_it_back() {
    let place = Place::new();
    place.put("pool.yaml", POOL);
    place.put("web.yaml", &service("web", ""));
    let mut controller = place.controller();
    controller
        .until(|page| addresses(page, "default/web") == ["192.0.2.0"])
        .await;
    assert!(*controller.handles.ready.borrow());
    assert_eq!(place.status_of("web").await, ["192.0.2.0"]);
    fs::remove_file(place.folder.path().join("web.yaml")).unwrap();
    controller
        .until(|page| page["pools"][0]["ipv4"]["assigned"] == 0)
        .await;
    place.put("next.yaml", &service("next", "loadBalancerIP: 192.0.2.0"));
    controller
        .until(|page| addresses(page, "default/next") == ["192.0.2.0"])
        .await;
    controller.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_controller_follows_and_takes_over_without_moving_anything() {
    let place = Place::new();
    place.put("pool.yaml", POOL);
    place.put("web.yaml", &service("web", "loadBalancerIP: 192.0.2.2"));
    let mut first = place.controller();
    first
        .until(|page| addresses(page, "default/web") == ["192.0.2.2"])
        .await;
    let mut second = place.controller();
    second.until(|page| page["role"] == "Following").await;
    assert!(*second.handles.ready.borrow(), "who stands by is ready");
    first.stop().await;
    let led = |page: &Value| page["role"] == "Leading" && page["ready"] == true;
    second
        .until(|page| led(page) && addresses(page, "default/web") == ["192.0.2.2"])
        .await;
    let page = second.page();
    assert_eq!(page["writes"], 0, "{page}");
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_manifest_is_named_and_changes_nothing() {
    let place = Place::new();
    place.put("pool.yaml", POOL);
    place.put("web.yaml", &service("web", ""));
    let mut controller = place.controller();
    controller
        .until(|page| addresses(page, "default/web") == ["192.0.2.0"])
        .await;
    place.put("pool.yaml", "kind: IPAddressPool\nspec: [");
    controller
        .until(|page| {
            page["sourceProblems"]
                .as_array()
                .is_some_and(|f| !f.is_empty())
        })
        .await;
    let page = controller.page();
    assert!(
        page["sourceProblems"][0]["message"]
            .as_str()
            .unwrap()
            .contains("pool.yaml"),
        "{page}"
    );
    assert_eq!(addresses(&page, "default/web"), ["192.0.2.0"]);
    controller.stop().await;
}

/// A directory of manifests.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
        }
    }

    fn put(&self, name: &str, text: &str) {
        let (new, old) = (
            self.folder.path().join(".new"),
            self.folder.path().join(name),
        );
        fs::write(&new, text).unwrap();
        fs::rename(&new, &old).unwrap();
    }

    fn cluster(&self, role: DirectoryRole) -> Cluster {
        let path: &Path = self.folder.path();
        Cluster::directory(DirectoryOptions::new(path, role))
    }

    fn controller(&self) -> Running {
        let settings = Settings {
            taking_bound: Duration::from_millis(300),
            ..Settings::default()
        };
        let shutdown = CancellationToken::new();
        let cluster = self.cluster(DirectoryRole::Controller);
        Running {
            handles: run(settings, cluster, shutdown.clone()),
            shutdown,
        }
    }

    /// What a reader of the directory finds in the Service's status.
    async fn status_of(&self, name: &str) -> Vec<String> {
        let listing = self
            .cluster(DirectoryRole::Reader)
            .read_all()
            .await
            .unwrap();
        let of_name = listing.objects.iter().filter_map(|object| match object {
            ringbolt_config::Object::Service(view) if view.key.name() == name => Some(view),
            _ => None,
        });
        of_name
            .flat_map(|view| view.addresses())
            .map(|address| address.to_string())
            .collect()
    }
}

struct Running {
    handles: Handles,
    shutdown: CancellationToken,
}

impl Running {
    async fn until(&mut self, holds: impl Fn(&Value) -> bool) {
        let holds = |page: &Arc<str>| holds(&serde_json::from_str(page).unwrap());
        let seen = self.handles.status.wait_for(holds);
        let in_time = timeout(PATIENCE, seen).await.is_ok_and(|seen| seen.is_ok());
        assert!(in_time, "not within {PATIENCE:?}: {}", self.page());
    }

    fn page(&self) -> Value {
        serde_json::from_str(&self.handles.status.borrow()).unwrap()
    }

    async fn stop(self) {
        self.shutdown.cancel();
        timeout(PATIENCE, self.handles.task).await.unwrap().unwrap();
    }
}

fn service(name: &str, more: &str) -> String {
    format!(
        "
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec:
  type: LoadBalancer
  ports: [{{port: 80}}]
  {more}
"
    )
}

fn addresses(page: &Value, service: &str) -> Vec<String> {
    let services = page["services"].as_array().into_iter().flatten();
    let found = services.filter(|entry| entry["service"] == service);
    let list = found.flat_map(|entry| entry["addresses"].as_array().into_iter().flatten());
    list.filter_map(|address| address.as_str().map(str::to_owned))
        .collect()
}
