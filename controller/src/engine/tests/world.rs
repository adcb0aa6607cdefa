//! A cluster in memory for engines under test: objects as JSON with versions, atomic writes, a log
//! that each controller reads at its own pace, and a clock that moves when told to.
//!
//! Every write is checked on the spot: no address is in two statuses unless they share it, and none
//! passes to another Service before the bound after its last sign of use.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringbolt_cluster::{Change, Event, FinalizerChange, Part, ServiceStatusPatch, WriteError};
use ringbolt_config::api::IPAllocation;
use ringbolt_config::names::{allocation_address, allocation_name};
use ringbolt_config::service::FINALIZER;
use ringbolt_config::{Kind, Object, ObjectRef, ServiceKey, ServiceView, decode};
use serde_json::{Value, json};

use crate::engine::{Answer, Engine, Input, Moment, Output, Ticket, Write};
use crate::index::KINDS;
use crate::settings::Settings;

/// A controller and what lies between it and the cluster.
pub(super) struct Controller {
    pub(super) engine: Engine,
    read: usize,
    pub(super) unsent: VecDeque<(Ticket, Write)>,
    pub(super) answers: VecDeque<(Ticket, Answer)>,
}

/// A use of an address: the address and the uid of a Service that carries it in force.
type Use = (IpAddr, String);

pub(super) struct World {
    pub(super) settings: Settings,
    now: Moment,
    objects: BTreeMap<ObjectRef, Value>,
    log: Vec<Change>,
    next_version: u64,
    pub(super) controllers: Vec<Option<Controller>>,
    pub(super) events: Vec<Event>,
    /// Writes that changed a claim or a Service.
    pub(super) writes: usize,
    /// Writes that changed the status of another object.
    pub(super) status_writes: usize,
    uses: BTreeSet<Use>,
    /// When a use ended.
    ended: BTreeMap<Use, Instant>,
    shared: BTreeSet<IpAddr>,
}

fn object_ref(kind: Kind, namespace: Option<&str>, name: &str) -> ObjectRef {
    ObjectRef::new(kind, namespace, name).expect("names in tests are names")
}

pub(super) fn service_ref(name: &str) -> ObjectRef {
    object_ref(Kind::Service, Some("default"), name)
}

impl World {
    pub(super) fn new(settings: Settings) -> Self {
        let wall = "2026-01-01T00:00:00Z".parse().expect("a time");
        Self {
            settings,
            now: Moment {
                mono: Instant::now(),
                wall,
            },
            objects: BTreeMap::new(),
            log: Vec::new(),
            next_version: 1,
            controllers: Vec::new(),
            events: Vec::new(),
            writes: 0,
            status_writes: 0,
            uses: BTreeSet::new(),
            ended: BTreeMap::new(),
            shared: BTreeSet::new(),
        }
    }

    /// A world with one controller and these pools of single ranges.
    pub(super) fn with_pools(pools: &[(&str, Value)]) -> Self {
        let mut world = Self::new(Settings::default());
        for (name, spec) in pools {
            world.pool(name, spec.clone());
        }
        world.start_controller();
        world
    }

    pub(super) fn start_controller(&mut self) -> usize {
        self.controllers.push(None);
        let place = self.controllers.len() - 1;
        self.restart(place);
        place
    }

    /// The controller dies, with what was under way, and another one starts.
    pub(super) fn restart(&mut self, place: usize) {
        let mut engine = Engine::new(self.settings.clone());
        let mut changes: Vec<Change> = Vec::new();
        for (target, value) in &self.objects {
            changes.push(Change::Apply(decoded(target.kind, value)));
        }
        changes.extend(KINDS.iter().map(|kind| Change::Synced(*kind)));
        engine.handle(Input::Changes(changes), self.now);
        let controller = Controller {
            engine,
            read: self.log.len(),
            unsent: VecDeque::new(),
            answers: VecDeque::new(),
        };
        self.controllers[place] = Some(controller);
        self.collect(place);
    }

    pub(super) fn controller(&mut self, place: usize) -> &mut Controller {
        self.controllers[place].as_mut().expect("it runs")
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now.mono += time;
        self.now.wall += time;
        for place in 0..self.controllers.len() {
            let now = self.now;
            self.controller(place).engine.handle(Input::Tick, now);
            self.collect(place);
        }
    }

    fn collect(&mut self, place: usize) {
        let controller = self.controllers[place].as_mut().expect("it runs");
        while let Some(output) = controller.engine.poll_output() {
            match output {
                Output::Write { ticket, write } => controller.unsent.push_back((ticket, write)),
                Output::Event(event) => self.events.push(event),
            }
        }
    }

    /// The watch of a controller tells it of up to `most` changes.
    pub(super) fn deliver(&mut self, place: usize, most: usize) -> bool {
        let controller = self.controllers[place].as_mut().expect("it runs");
        let end = self.log.len().min(controller.read.saturating_add(most));
        let changes = self.log[controller.read..end].to_vec();
        controller.read = end;
        if changes.is_empty() {
            return false;
        }
        controller.engine.handle(Input::Changes(changes), self.now);
        self.collect(place);
        true
    }

    /// The cluster carries out the write at `index` of those under way.
    pub(super) fn carry_out(&mut self, place: usize, index: usize) -> bool {
        let Some((ticket, write)) = self.controller(place).unsent.remove(index) else {
            return false;
        };
        let answer = self.answer(write);
        self.controller(place).answers.push_back((ticket, answer));
        true
    }

    /// An answer reaches its controller.
    pub(super) fn reply(&mut self, place: usize, index: usize) -> bool {
        let now = self.now;
        let Some((ticket, answer)) = self.controller(place).answers.remove(index) else {
            return false;
        };
        self.controller(place)
            .engine
            .handle(Input::Answer { ticket, answer }, now);
        self.collect(place);
        true
    }

    /// Everything under way arrives, again and again, without time passing.
    pub(super) fn flow(&mut self) {
        for round in 0.. {
            assert!(round < 10_000, "the controllers do not come to rest");
            let mut moved = false;
            for place in 0..self.controllers.len() {
                moved |= self.carry_out(place, 0);
                moved |= self.reply(place, 0);
                moved |= self.deliver(place, usize::MAX);
            }
            if !moved {
                return;
            }
        }
    }

    /// Lets everything happen that happens within `time`.
    pub(super) fn run_for(&mut self, time: Duration) {
        let end = self.now.mono + time;
        loop {
            self.flow();
            let controllers = self.controllers.iter().flatten();
            let deadlines = controllers.filter_map(|c| c.engine.next_deadline());
            let next = deadlines.min().filter(|next| *next <= end).unwrap_or(end);
            let step = next.saturating_duration_since(self.now.mono);
            self.pass(step);
            if self.now.mono >= end {
                self.flow();
                return;
            }
        }
    }

    /// Time passes to the next deadline of a controller, if it is within a minute.
    pub(super) fn jump(&mut self, place: usize) -> bool {
        let deadline = self.controller(place).engine.next_deadline();
        let left = deadline.map(|time| time.saturating_duration_since(self.now.mono));
        let Some(step) = left.filter(|left| *left <= Duration::from_secs(60)) else {
            return false;
        };
        self.pass(step);
        true
    }

    /// Long enough for everything but the end of a rest.
    pub(super) fn settle(&mut self) {
        self.run_for(Duration::from_secs(60));
    }
}

/// What people do.
impl World {
    fn put(&mut self, target: ObjectRef, mut value: Value) {
        value["apiVersion"] = json!(target.kind.api_version());
        value["kind"] = json!(target.kind.as_str());
        value["metadata"]["name"] = json!(&*target.name);
        if let Some(namespace) = &target.namespace {
            value["metadata"]["namespace"] = json!(&**namespace);
        }
        value["metadata"]["resourceVersion"] = json!(self.next_version.to_string());
        self.next_version += 1;
        let object = decoded(target.kind, &value);
        self.log.push(Change::Apply(object));
        self.objects.insert(target, value);
        self.check();
    }

    fn take(&mut self, target: &ObjectRef) {
        self.objects.remove(target);
        self.log.push(Change::Delete(target.clone()));
        self.check();
    }

    pub(super) fn pool(&mut self, name: &str, spec: Value) {
        let target = object_ref(Kind::IPAddressPool, None, name);
        let status = self.objects.get(&target).map(|old| old["status"].clone());
        let mut value = json!({ "metadata": { "generation": 1 }, "spec": spec });
        if let Some(status) = status.filter(|status| !status.is_null()) {
            value["status"] = status;
        }
        self.put(target, value);
    }

    pub(super) fn remove_pool(&mut self, name: &str) {
        self.take(&object_ref(Kind::IPAddressPool, None, name));
    }

    pub(super) fn node(&mut self, name: &str, addresses: &[&str], pod_cidrs: &[&str]) {
        let address = |a: &&str| json!({ "type": "InternalIP", "address": a });
        let addresses: Vec<Value> = addresses.iter().map(address).collect();
        let value = json!({
            "metadata": {},
            "spec": { "podCIDRs": pod_cidrs },
            "status": { "addresses": addresses },
        });
        self.put(object_ref(Kind::Node, None, name), value);
    }

    pub(super) fn namespace(&mut self, name: &str, labels: Value) {
        let value = json!({ "metadata": { "labels": labels } });
        self.put(object_ref(Kind::Namespace, None, name), value);
    }

    /// A Service of type LoadBalancer in namespace `default`; `change` is merged into it.
    pub(super) fn service(&mut self, name: &str, change: Value) {
        self.service_in("default", name, change);
    }

    pub(super) fn service_in(&mut self, namespace: &str, name: &str, change: Value) {
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
    pub(super) fn edit(&mut self, name: &str, change: Value) {
        let target = service_ref(name);
        let mut value = self.objects[&target].clone();
        merge(&mut value, &change);
        self.put(target, value);
    }

    /// Deletes a Service as an API server does: at once, or by a mark while it has a finalizer.
    pub(super) fn delete(&mut self, name: &str) {
        let target = service_ref(name);
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
    pub(super) fn force_delete(&mut self, name: &str) {
        self.take(&service_ref(name));
    }

    pub(super) fn claim(&mut self, address: &str, spec: Value) {
        let name = allocation_name(address.parse().expect("an address"));
        let mut value = json!({
            "metadata": { "uid": format!("claim-{}", self.next_version) },
            "spec": { "address": address },
        });
        merge(&mut value["spec"], &spec);
        self.put(object_ref(Kind::IPAllocation, None, &name), value);
    }

    pub(super) fn delete_claim(&mut self, address: &str) {
        let name = allocation_name(address.parse().expect("an address"));
        self.take(&object_ref(Kind::IPAllocation, None, &name));
    }
}

/// What tests look at.
impl World {
    pub(super) fn view(&self, name: &str) -> Option<Arc<ServiceView>> {
        let value = self.objects.get(&service_ref(name))?;
        match decoded(Kind::Service, value) {
            Object::Service(view) => Some(view),
            other => panic!("{other:?} is no Service"),
        }
    }

    pub(super) fn exists(&self, name: &str) -> bool {
        self.objects.contains_key(&service_ref(name))
    }

    /// The addresses in a Service's status, as text.
    pub(super) fn addresses(&self, name: &str) -> Vec<String> {
        let view = self.view(name);
        view.map(|v| v.addresses().map(|a| a.to_string()).collect())
            .unwrap_or_default()
    }

    /// Status and reason of our condition on a Service.
    pub(super) fn condition(&self, name: &str) -> (String, String) {
        let view = self.view(name).expect("it exists");
        let condition = view.condition(crate::ALLOCATED);
        condition
            .map(|c| (c.status.clone(), c.reason.clone()))
            .unwrap_or_default()
    }

    pub(super) fn reason(&self, name: &str) -> String {
        self.condition(name).1
    }

    pub(super) fn claims(&self) -> BTreeMap<IpAddr, IPAllocation> {
        let claims = self
            .objects
            .iter()
            .filter(|(o, _)| o.kind == Kind::IPAllocation);
        let claim = |(target, value): (&ObjectRef, &Value)| {
            let address = allocation_address(&target.name).expect("claims are named so");
            (
                address,
                serde_json::from_value(value.clone()).expect("it was written so"),
            )
        };
        claims.map(claim).collect()
    }

    /// Names of the holders of an address.
    pub(super) fn holders(&self, address: &str) -> Vec<String> {
        let claims = self.claims();
        let claim = claims.get(&address.parse().expect("an address"));
        claim
            .into_iter()
            .flat_map(|c| &c.spec.holders)
            .map(|h| h.name.clone())
            .collect()
    }

    pub(super) fn pool_status(&self, name: &str) -> Value {
        self.objects[&object_ref(Kind::IPAddressPool, None, name)]["status"].clone()
    }

    /// Everything that must not depend on when a controller died.
    pub(super) fn outcome(&self) -> BTreeMap<String, String> {
        let mut outcome = BTreeMap::new();
        for (target, value) in &self.objects {
            let said = match target.kind {
                Kind::Service => format!(
                    "{} {}",
                    value["status"]["loadBalancer"]["ingress"], value["metadata"]["finalizers"]
                ),
                Kind::IPAllocation => {
                    let released = !value["spec"]["releasedAt"].is_null();
                    format!("{} released: {released}", value["spec"]["holders"])
                }
                _ => continue,
            };
            outcome.insert(target.to_string(), said);
        }
        outcome
    }

    fn services(&self) -> impl Iterator<Item = Arc<ServiceView>> + '_ {
        let services = self.objects.iter().filter(|(o, _)| o.kind == Kind::Service);
        services.map(|(target, value)| match decoded(target.kind, value) {
            Object::Service(view) => view,
            other => panic!("{other:?} is no Service"),
        })
    }

    /// The promises that hold at every moment.
    fn check(&mut self) {
        let mut users: BTreeMap<IpAddr, Vec<Arc<ServiceView>>> = BTreeMap::new();
        for view in self.services().collect::<Vec<_>>() {
            for address in view.addresses() {
                users.entry(address).or_default().push(Arc::clone(&view));
            }
        }
        for (address, users) in &users {
            for (one, other) in users.iter().zip(users.iter().skip(1)) {
                let same_key = one.sharing_key.is_some() && one.sharing_key == other.sharing_key;
                assert!(
                    same_key,
                    "{address} is given to {} and {}",
                    one.key, other.key
                );
                self.shared.insert(*address);
            }
        }
        let in_force = |view: &&Arc<ServiceView>| !view.deleting && view.is_load_balancer();
        let uses = users.iter().flat_map(|(address, users)| {
            users
                .iter()
                .filter(in_force)
                .map(|user| (*address, user.uid.to_string()))
        });
        let uses: BTreeSet<Use> = uses.collect();
        for ended in self.uses.difference(&uses) {
            self.ended.insert(ended.clone(), self.now.mono);
        }
        for (address, uid) in uses.difference(&self.uses) {
            let others = self
                .ended
                .iter()
                .filter(|((a, u), _)| a == address && u != uid);
            let since = others.map(|(_, time)| self.now.mono.saturating_duration_since(*time));
            let rested = since.min().unwrap_or(Duration::MAX);
            assert!(
                self.shared.contains(address) || rested >= self.settings.taking_bound,
                "{address} passes to {uid} {rested:?} after its last use"
            );
        }
        self.uses = uses;
    }
}

/// What the cluster does.
impl World {
    fn answer(&mut self, write: Write) -> Answer {
        match write {
            Write::CreateClaim(claim) => Answer::Claim(self.create_claim(&claim)),
            Write::UpdateClaim(claim) => Answer::Claim(self.update_claim(&claim)),
            Write::DeleteClaim {
                name,
                uid,
                resource_version,
            } => {
                let target = object_ref(Kind::IPAllocation, None, &name);
                Answer::Deleted(
                    self.fenced(&target, uid.as_str(), resource_version.as_str())
                        .map(|()| {
                            self.writes += 1;
                            self.take(&target);
                        }),
                )
            }
            Write::ReadClaim(address) => {
                let target = object_ref(Kind::IPAllocation, None, &allocation_name(address));
                Answer::Claim(self.read_claim(&target))
            }
            Write::PatchService(patch) => Answer::Service(self.patch_service(&patch)),
            Write::ReadService(key) => {
                let target = ObjectRef::from(&key);
                let read = self.objects.get(&target).map(|_| self.read_service(&key));
                Answer::Service(read.ok_or(WriteError::NotFound { object: target }))
            }
            Write::PatchStatus {
                object,
                resource_version,
                status,
            } => {
                let uid = self
                    .objects
                    .get(&object)
                    .map(|v| text(&v["metadata"]["uid"]));
                let fenced =
                    self.fenced(&object, &uid.unwrap_or_default(), resource_version.as_str());
                Answer::Status(fenced.map(|()| {
                    self.status_writes += 1;
                    let mut value = self.objects[&object].clone();
                    merge(&mut value["status"], &status);
                    self.put(object.clone(), value);
                    text(&self.objects[&object]["metadata"]["resourceVersion"])
                        .parse()
                        .expect("a version")
                }))
            }
        }
    }

    fn fenced(&self, target: &ObjectRef, uid: &str, version: &str) -> Result<(), WriteError> {
        let object = target.clone();
        let Some(value) = self.objects.get(target) else {
            return Err(WriteError::NotFound { object });
        };
        let metadata = &value["metadata"];
        let same = text(&metadata["resourceVersion"]) == version && text(&metadata["uid"]) == uid;
        if same {
            Ok(())
        } else {
            Err(WriteError::Conflict { object })
        }
    }

    fn read_claim(&self, target: &ObjectRef) -> Result<Arc<IPAllocation>, WriteError> {
        let value = self.objects.get(target);
        let value = value.ok_or_else(|| WriteError::NotFound {
            object: target.clone(),
        })?;
        Ok(Arc::new(
            serde_json::from_value(value.clone()).expect("it was written so"),
        ))
    }

    fn create_claim(&mut self, claim: &IPAllocation) -> Result<Arc<IPAllocation>, WriteError> {
        let name = claim.metadata.name.as_deref().expect("claims are named");
        let target = object_ref(Kind::IPAllocation, None, name);
        if self.objects.contains_key(&target) {
            return Err(WriteError::AlreadyExists { object: target });
        }
        self.writes += 1;
        let mut value = serde_json::to_value(claim).expect("it can be written");
        value["metadata"]["uid"] = json!(format!("claim-{}", self.next_version));
        value["metadata"]["creationTimestamp"] = json!(self.now.wall);
        self.put(target.clone(), value);
        self.read_claim(&target)
    }

    fn update_claim(&mut self, claim: &IPAllocation) -> Result<Arc<IPAllocation>, WriteError> {
        let metadata = &claim.metadata;
        let name = metadata.name.as_deref().expect("claims are named");
        let target = object_ref(Kind::IPAllocation, None, name);
        let version = metadata.resource_version.as_deref().unwrap_or_default();
        self.fenced(
            &target,
            metadata.uid.as_deref().unwrap_or_default(),
            version,
        )?;
        self.writes += 1;
        self.put(
            target.clone(),
            serde_json::to_value(claim).expect("it can be written"),
        );
        self.read_claim(&target)
    }

    fn read_service(&self, key: &ServiceKey) -> Option<Arc<ServiceView>> {
        let value = self.objects.get(&ObjectRef::from(key))?;
        match decoded(Kind::Service, value) {
            Object::Service(view) => Some(view),
            other => panic!("{other:?} is no Service"),
        }
    }

    fn patch_service(
        &mut self,
        patch: &ServiceStatusPatch,
    ) -> Result<Option<Arc<ServiceView>>, WriteError> {
        let target = ObjectRef::from(&patch.key);
        self.fenced(&target, patch.uid.as_str(), patch.resource_version.as_str())?;
        self.writes += 1;
        let mut value = self.objects[&target].clone();
        if let Part::Set(addresses) = &patch.ingress {
            let entry = |ip: &IpAddr| json!({ "ip": ip.to_string(), "ipMode": "VIP" });
            let entries: Vec<Value> = addresses.iter().map(entry).collect();
            value["status"]["loadBalancer"] = json!({ "ingress": entries });
        }
        match patch.finalizer {
            FinalizerChange::Keep => {}
            FinalizerChange::Add => value["metadata"]["finalizers"] = json!([FINALIZER]),
            FinalizerChange::Remove => value["metadata"]["finalizers"] = json!([]),
        }
        if let Part::Set(pool) = &patch.allocated_from {
            let name = ringbolt_config::service::annotations::ALLOCATED_FROM;
            let annotations = value["metadata"]["annotations"].take();
            let mut annotations = if annotations.is_null() {
                json!({})
            } else {
                annotations
            };
            match pool {
                Some(pool) => annotations[name] = json!(pool),
                None => {
                    annotations.as_object_mut().expect("a map").remove(name);
                }
            }
            value["metadata"]["annotations"] = annotations;
        }
        for condition in &patch.conditions {
            let old = value["status"]["conditions"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let others = old
                .into_iter()
                .filter(|c| c["type"] != json!(condition.type_));
            let condition = serde_json::to_value(condition).expect("it can be written");
            let list: Vec<Value> = others.chain([condition]).collect();
            value["status"]["conditions"] = json!(list);
        }
        let deleted = !value["metadata"]["deletionTimestamp"].is_null();
        if deleted && !has_finalizer(&value) {
            self.take(&target);
            return Ok(None);
        }
        self.put(target, value);
        Ok(self.read_service(&patch.key))
    }
}

fn decoded(kind: Kind, value: &Value) -> Object {
    decode(kind, value.clone()).unwrap_or_else(|problem| panic!("{problem}: {value}"))
}

fn has_finalizer(value: &Value) -> bool {
    value["metadata"]["finalizers"]
        .as_array()
        .is_some_and(|list| !list.is_empty())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// RFC 7396.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let map = target.as_object_mut().expect("it was made one");
    for (key, value) in patch {
        if value.is_null() {
            map.remove(key);
        } else {
            merge(map.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}
