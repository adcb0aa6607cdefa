//! A cluster in memory for engines under test: objects as JSON with versions, atomic writes, a log
//! that each controller reads at its own pace, and a clock that moves when told to.
//!
//! Every write is checked on the spot: no address is in two statuses unless they share it, and none
//! passes to another Service before the bound after its last sign of use.

mod look;
mod people;
mod store;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use ringbolt_cluster::{Change, Event};
use ringbolt_config::{Kind, Object, ObjectRef, decode};
use serde_json::{Value, json};

use crate::engine::{Answer, Engine, Input, Moment, Output, Ticket, Write};
use crate::index::KINDS;
use crate::settings::Settings;

/// A controller and what lies between it and the cluster.
pub(super) struct Controller {
    pub(super) engine: Engine,
    /// How far it has read in each log.
    read: [usize; 2],
    pub(super) unsent: VecDeque<(Ticket, Write)>,
    pub(super) answers: VecDeque<(Ticket, Answer)>,
}

/// A use of an address: the address and the uid of a Service that carries it in force.
type Use = (IpAddr, String);

/// Which Services the watch tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Selection {
    /// All, as a directory does.
    All,
    /// Those of type LoadBalancer, as an API server does that is asked for these: one that leaves
    /// the type is told as a deletion. The API server empties its status, too.
    LoadBalancers,
}

pub(super) struct World {
    pub(super) settings: Settings,
    pub(super) selection: Selection,
    now: Moment,
    objects: BTreeMap<ObjectRef, Value>,
    /// Changes by [`log_of`]: a watch of one kind may be late against that of another.
    logs: [Vec<Change>; 2],
    next_version: u64,
    pub(super) controllers: Vec<Option<Controller>>,
    pub(super) events: Vec<Event>,
    /// What was told of refused objects.
    pub(super) refused: Vec<String>,
    /// Writes that changed a claim or a Service.
    pub(super) writes: usize,
    /// Writes that changed the status of another object.
    pub(super) status_writes: usize,
    uses: BTreeSet<Use>,
    /// When a use ended.
    ended: BTreeMap<Use, Instant>,
    shared: BTreeSet<IpAddr>,
    /// Services that have an address in common.
    pairs: BTreeSet<(IpAddr, String, String)>,
}

/// Services have a watch of their own.
fn log_of(kind: Kind) -> usize {
    usize::from(kind == Kind::Service)
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
            selection: Selection::All,
            now: Moment {
                mono: Instant::now(),
                wall,
            },
            objects: BTreeMap::new(),
            logs: Default::default(),
            next_version: 1,
            controllers: Vec::new(),
            events: Vec::new(),
            refused: Vec::new(),
            writes: 0,
            status_writes: 0,
            uses: BTreeSet::new(),
            ended: BTreeMap::new(),
            shared: BTreeSet::new(),
            pairs: BTreeSet::new(),
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
        self.restart_without(place, &[]);
    }

    /// The same, and these kinds are not to be had yet.
    pub(super) fn restart_without(&mut self, place: usize, missing: &[Kind]) {
        let controller = Controller {
            engine: Engine::new(self.settings.clone()),
            read: [0, 1].map(|log| self.logs[log].len()),
            unsent: VecDeque::new(),
            answers: VecDeque::new(),
        };
        self.controllers[place] = Some(controller);
        let there = KINDS.iter().filter(|kind| !missing.contains(kind));
        self.list(place, &there.copied().collect::<Vec<_>>());
    }

    /// A controller is told of all objects of these kinds, and that this is all of them.
    pub(super) fn list(&mut self, place: usize, kinds: &[Kind]) {
        let told = self
            .objects
            .iter()
            .filter(|(target, value)| kinds.contains(&target.kind) && self.selects(target, value));
        let told = told.map(|(target, value)| Change::Apply(decoded(target.kind, value)));
        let complete = kinds.iter().map(|kind| Change::Synced(*kind));
        let changes = told.chain(complete).collect();
        let now = self.now;
        self.controller(place)
            .engine
            .handle(Input::Changes(changes), now);
        self.collect(place);
    }

    /// Whether the watch tells of an object like this.
    fn selects(&self, target: &ObjectRef, value: &Value) -> bool {
        let of_type = value["spec"]["type"] == "LoadBalancer";
        self.selection == Selection::All || target.kind != Kind::Service || of_type
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
                Output::Refused { object, reason, .. } => {
                    self.refused.push(format!("{object}: {reason}"));
                }
                Output::InForce(object) => self.refused.push(format!("{object}: in force")),
            }
        }
    }

    /// The watches of a controller tell it of all changes.
    pub(super) fn deliver(&mut self, place: usize) -> bool {
        self.deliver_some(place, 0, usize::MAX) | self.deliver_some(place, 1, usize::MAX)
    }

    /// One watch of a controller tells it of up to `most` changes.
    pub(super) fn deliver_some(&mut self, place: usize, log: usize, most: usize) -> bool {
        let controller = self.controllers[place].as_mut().expect("it runs");
        let begin = controller.read[log];
        let end = self.logs[log].len().min(begin.saturating_add(most));
        let changes = self.logs[log][begin..end].to_vec();
        controller.read[log] = end;
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
                moved |= self.deliver(place);
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

/// The record of who wrote the status of a Service.
pub(super) fn managed(writer: &str) -> Value {
    json!([{
        "manager": writer, "operation": "Update", "fieldsType": "FieldsV1",
        "fieldsV1": { "f:status": { "f:loadBalancer": { "f:ingress": {} } } },
    }])
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
