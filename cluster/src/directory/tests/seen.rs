//! What a watch has told so far, and the manifests that the stories here are about.

use std::collections::BTreeMap;

use ringbolt_config::api::{IPAllocation, IPAllocationSpec};
use ringbolt_config::{Kind, Object, ServiceView};
use tokio::time::timeout;

use super::*;
use crate::{FinalizerChange, Part, ServiceStatusPatch, Watch};

/// Nothing that a test waits for takes longer.
pub(super) const LIMIT: Duration = Duration::from_secs(20);

pub(super) const POOL: &str = "\
apiVersion: ringbolt.io/v1beta1
kind: IPAddressPool
metadata:
  name: public
spec:
  addresses: [192.0.2.0/24]
";

pub(super) fn service(name: &str, port: u16) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\n  namespace: default\nspec:\n  type: LoadBalancer\n  ports:\n  - port: {port}\n"
    )
}

pub(super) fn claim() -> IPAllocation {
    let spec = IPAllocationSpec {
        address: "192.0.2.10".to_owned(),
        ..IPAllocationSpec::default()
    };
    IPAllocation::new("v4-192-0-2-10", spec)
}

/// Puts an address and the finalizer on a Service.
pub(super) fn hold(view: &ServiceView) -> ServiceStatusPatch {
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
pub(super) struct Seen {
    pub(super) cluster: Cluster,
    pub(super) watch: Watch,
    pub(super) objects: BTreeMap<ObjectRef, Object>,
    pub(super) deletions: usize,
    /// How many kinds have been delivered in full.
    pub(super) synced: usize,
}

impl Seen {
    pub(super) fn new(cluster: &Cluster) -> Self {
        Self {
            cluster: cluster.clone(),
            watch: cluster.watch(Kind::ALL),
            objects: BTreeMap::new(),
            deletions: 0,
            synced: 0,
        }
    }

    pub(super) async fn until(&mut self, enough: impl Fn(&Self) -> bool) {
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
                        Change::Synced(_) => self.synced += 1,
                        Change::Restored(kind) => panic!("{kind} is restored by nobody"),
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
    pub(super) async fn problem(&self, reason: &str) -> SourceProblem {
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

    pub(super) async fn no_problem(&self) {
        let mut problems = self.cluster.problems();
        let none = problems.wait_for(|problems| problems.is_empty());
        assert!(
            timeout(LIMIT, none).await.is_ok(),
            "{:?}",
            self.cluster.problems()
        );
    }

    pub(super) fn service(&self, name: &str) -> Option<Arc<ServiceView>> {
        match self
            .objects
            .get(&ObjectRef::new(Kind::Service, None, name).unwrap())?
        {
            Object::Service(view) => Some(Arc::clone(view)),
            _ => None,
        }
    }

    pub(super) fn services(&self) -> Vec<&str> {
        let names = self
            .objects
            .keys()
            .filter(|name| name.kind == Kind::Service);
        names.map(|name| &*name.name).collect()
    }

    pub(super) fn port(&self, name: &str) -> Option<u16> {
        self.service(name)?.ports.first().map(|port| port.port)
    }

    pub(super) fn claim(&self) -> Option<&IPAllocation> {
        self.objects.values().find_map(|object| match object {
            Object::IPAllocation(claim) => Some(&**claim),
            _ => None,
        })
    }
}
