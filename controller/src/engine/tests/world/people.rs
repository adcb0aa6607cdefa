//! What people do to the cluster of memory.

use std::time::Duration;

use ringbolt_cluster::Change;
use ringbolt_config::names::allocation_name;
use ringbolt_config::{Kind, ObjectRef};
use serde_json::{Value, json};

use super::{World, decoded, has_finalizer, log_of, merge, object_ref, service_ref};

impl World {
    pub(in crate::engine::tests) fn put(&mut self, target: ObjectRef, mut value: Value) {
        value["apiVersion"] = json!(target.kind.api_version());
        value["kind"] = json!(target.kind.as_str());
        value["metadata"]["name"] = json!(&*target.name);
        if let Some(namespace) = &target.namespace {
            value["metadata"]["namespace"] = json!(&**namespace);
        }
        value["metadata"]["resourceVersion"] = json!(self.next_version.to_string());
        self.next_version += 1;
        let selected = self.selects(&target, &value);
        if !selected {
            value["status"]["loadBalancer"] = json!({});
        }
        if selected {
            let object = decoded(target.kind, &value);
            self.logs[log_of(target.kind)].push(Change::Apply(object));
        } else {
            self.tell_deletion(&target);
        }
        self.objects.insert(target, value);
        self.check();
    }

    /// The watch says that an object is gone, if it has told of it.
    fn tell_deletion(&mut self, target: &ObjectRef) {
        let told = self.objects.get(target);
        if told.is_some_and(|old| self.selects(target, old)) {
            self.logs[log_of(target.kind)].push(Change::Delete(target.clone()));
        }
    }

    pub(in crate::engine::tests) fn take(&mut self, target: &ObjectRef) {
        self.tell_deletion(target);
        self.objects.remove(target);
        self.check();
    }

    pub(in crate::engine::tests) fn pool(&mut self, name: &str, spec: Value) {
        let target = object_ref(Kind::IPAddressPool, None, name);
        let status = self.objects.get(&target).map(|old| old["status"].clone());
        let mut value = json!({ "metadata": { "generation": 1 }, "spec": spec });
        if let Some(status) = status.filter(|status| !status.is_null()) {
            value["status"] = status;
        }
        self.put(target, value);
    }

    pub(in crate::engine::tests) fn l2_advertisement(&mut self, name: &str, spec: Value) {
        let value = json!({ "metadata": { "generation": 1 }, "spec": spec });
        self.put(object_ref(Kind::L2Advertisement, None, name), value);
    }

    pub(in crate::engine::tests) fn edit_pool(&mut self, name: &str, change: Value) {
        let target = object_ref(Kind::IPAddressPool, None, name);
        let mut value = self.objects[&target].clone();
        merge(&mut value, &change);
        self.put(target, value);
    }

    /// Deletes a pool as an API server does.
    pub(in crate::engine::tests) fn delete_pool(&mut self, name: &str) {
        self.delete_object(object_ref(Kind::IPAddressPool, None, name));
    }

    /// The finalizers of a pool; `None` if there is none of this name.
    pub(in crate::engine::tests) fn pool_finalizers(&self, name: &str) -> Option<Value> {
        let pool = self
            .objects
            .get(&object_ref(Kind::IPAddressPool, None, name))?;
        Some(pool["metadata"]["finalizers"].clone())
    }

    pub(in crate::engine::tests) fn remove_pool(&mut self, name: &str) {
        self.take(&object_ref(Kind::IPAddressPool, None, name));
    }

    pub(in crate::engine::tests) fn node(
        &mut self,
        name: &str,
        addresses: &[&str],
        pod_cidrs: &[&str],
    ) {
        let address = |a: &&str| json!({ "type": "InternalIP", "address": a });
        let addresses: Vec<Value> = addresses.iter().map(address).collect();
        let value = json!({
            "metadata": {},
            "spec": { "podCIDRs": pod_cidrs },
            "status": { "addresses": addresses },
        });
        self.put(object_ref(Kind::Node, None, name), value);
    }

    pub(in crate::engine::tests) fn namespace(&mut self, name: &str, labels: Value) {
        let value = json!({ "metadata": { "labels": labels } });
        self.put(object_ref(Kind::Namespace, None, name), value);
    }

    /// A Service of type LoadBalancer in namespace `default`; `change` is merged into it.
    pub(in crate::engine::tests) fn service(&mut self, name: &str, change: Value) {
        self.service_in("default", name, change);
    }

    pub(in crate::engine::tests) fn service_in(
        &mut self,
        namespace: &str,
        name: &str,
        change: Value,
    ) {
        let target = object_ref(Kind::Service, Some(namespace), name);
        let uid = format!("uid-{name}-{}", self.next_version);
        // A second apart: who comes first is seen from the time of creation.
        self.now.wall += Duration::from_secs(1);
        self.now.mono += Duration::from_secs(1);
        let mut value = json!({
            "metadata": { "uid": uid, "creationTimestamp": self.now.wall },
            "spec": {
                "type": "LoadBalancer",
                "ports": [{ "port": 80, "protocol": "TCP" }],
            },
        });
        merge(&mut value, &change);
        self.put(target, value);
    }

    /// Merges a change into a Service.
    pub(in crate::engine::tests) fn edit(&mut self, name: &str, change: Value) {
        let target = service_ref(name);
        let mut value = self.objects[&target].clone();
        merge(&mut value, &change);
        self.put(target, value);
    }

    /// Deletes a Service as an API server does: at once, or by a mark while it has a finalizer.
    pub(in crate::engine::tests) fn delete(&mut self, name: &str) {
        self.delete_object(service_ref(name));
    }

    fn delete_object(&mut self, target: ObjectRef) {
        let Some(mut value) = self.objects.get(&target).cloned() else {
            return;
        };
        if has_finalizer(&value) {
            if value["metadata"]["deletionTimestamp"].is_null() {
                value["metadata"]["deletionTimestamp"] = json!(self.now.wall);
                self.put(target, value);
            }
        } else {
            self.take(&target);
        }
    }

    /// Takes the Service away whatever its finalizers say.
    pub(in crate::engine::tests) fn force_delete(&mut self, name: &str) {
        self.take(&service_ref(name));
    }

    pub(in crate::engine::tests) fn claim(&mut self, address: &str, spec: Value) {
        let name = allocation_name(address.parse().expect("an address"));
        let mut value = json!({
            "metadata": { "uid": format!("claim-{}", self.next_version) },
            "spec": { "address": address },
        });
        merge(&mut value["spec"], &spec);
        self.put(object_ref(Kind::IPAllocation, None, &name), value);
    }

    pub(in crate::engine::tests) fn delete_claim(&mut self, address: &str) {
        let name = allocation_name(address.parse().expect("an address"));
        self.take(&object_ref(Kind::IPAllocation, None, &name));
    }
}
