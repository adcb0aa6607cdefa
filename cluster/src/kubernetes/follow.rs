//! The task behind one kind: does what its [`Reflector`] asks and tells the hub what it says.
//!
//! Owns the connection of the watch and its silence. Decides nothing about objects.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use jiff::Timestamp;
use kube::client::Body;
use ringbolt_config::{Kind, Object, ObjectRef, object};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};
use tracing::{info, warn};

use super::Api;
use super::call::{Call, CallError, spread};
use super::record::{self, Owner, Record, View};
use super::reflector::{Ask, Event, Failure, Item, Page, Reading, Reflector, Told};
use super::resource::{Freshness, Resource};
use crate::calls::Verb;
use crate::hub::Publication;
use crate::source::{Role, Trouble};

/// How long the server is asked to keep a watch open, in seconds, before the spread.
const WATCH: u64 = 290;
/// A watch that says nothing for this long is opened again: servers send a bookmark every minute.
const SILENCE: Duration = Duration::from_secs(100);
/// The longest single event, in octets; the API server keeps no object as large.
const LONGEST_EVENT: usize = 16 << 20;
/// How long a list is relied on: the last resort against a watch that silently shows another past.
/// Many speakers ask less often than few controllers.
const MAX_AGE_CONTROLLER: Duration = Duration::from_secs(600);
const MAX_AGE_SPEAKER: Duration = Duration::from_secs(1800);

/// How long a speaker that has an earlier view waits for the API server before it uses that.
const PATIENCE: Duration = Duration::from_secs(2);

/// Follows a kind for as long as the cluster is held.
pub(super) async fn follow(api: Arc<Api>, kind: Kind) {
    let end = api.end.clone();
    let mut follower = Follower::new(api, kind);
    let work = async {
        follower.restore().await;
        follower.run().await;
    };
    end.run_until_cancelled(work).await;
    follower.confirm().await;
}

struct Follower {
    api: Arc<Api>,
    resource: Resource,
    reflector: Reflector,
    /// What a restart without an API server would go by; speakers alone keep that.
    record: Option<Record>,
    confirm_at: Instant,
    started: Instant,
}

impl Follower {
    fn new(api: Arc<Api>, kind: Kind) -> Self {
        let settings = &api.settings;
        let resource = Resource::new(kind, settings.role, settings.node.as_ref());
        let (freshness, age) = match settings.role {
            Role::Speaker => (Freshness::Cached, MAX_AGE_SPEAKER),
            Role::Controller | Role::Reader => (Freshness::Quorum, MAX_AGE_CONTROLLER),
        };
        // A number below 2^53 is exact as a float; the spread itself is the chance.
        let seed = spread().to_bits();
        let max_age = age.mul_f64(spread());
        Self {
            reflector: Reflector::new(freshness, max_age, seed, BTreeSet::new()),
            resource,
            record: None,
            confirm_at: Instant::now() + record::EVERY,
            started: Instant::now(),
            api,
        }
    }

    /// Begins with what an earlier process has left, if nobody answers.
    async fn restore(&mut self) {
        let settings = &self.api.settings;
        let (Some(folder), Some(node)) = (settings.snapshot.clone(), settings.node.clone()) else {
            return;
        };
        let deadline = Instant::now() + PATIENCE;
        // Without a configuration there is no telling whose view is wanted.
        let Some(server) = self.api.server().await else {
            return;
        };
        let node = node.to_string();
        let record = Record::new(&folder, self.kind(), Owner { server, node });
        let path = self.resource.probe();
        let probe = Call::new(Verb::List, self.kind().plural(), path);
        let answered = timeout_at(deadline, async {
            while self.api.bytes(&probe).await.is_err() {
                sleep(Duration::from_millis(200)).await;
            }
        });
        if answered.await.is_err() {
            let earlier = self.api.patiently(move || {
                let view = record.read(Timestamp::now());
                (record, view)
            });
            let Some((record, view)) = earlier.await else {
                return;
            };
            self.record = Some(record);
            match view {
                Ok(view) => self.use_view(view),
                Err(why) => {
                    warn!(kind = %self.kind(), %why, "the view of an earlier process is not used");
                }
            }
        } else {
            self.record = Some(record);
        }
    }

    fn use_view(&mut self, view: View) {
        info!(
            kind = %self.kind(), objects = view.objects.len(),
            "the API server does not answer; going on with the view of an earlier process"
        );
        if let Some(cluster) = view.cluster {
            self.api.outlook.was(&cluster);
        }
        let names = view.objects.iter().map(Object::object_ref).collect();
        self.reflector.remember(names);
        let objects = view.objects.into_iter().map(Publication::Object);
        self.api.hub.publish(objects);
        self.api.hub.restored(self.kind());
    }

    /// Has it written down that what was told is so.
    async fn confirm(&mut self) {
        self.confirm_at = Instant::now() + record::EVERY;
        let cluster = self.api.outlook.known();
        let job = self
            .record
            .as_mut()
            .and_then(|record| record.confirm(Timestamp::now(), cluster));
        self.store(job).await;
    }

    async fn store(&self, job: Option<record::Job>) {
        if let Some(job) = job {
            self.api.patiently(move || job.carry_out()).await;
        }
    }

    async fn run(&mut self) {
        loop {
            let next = self.reflector.next();
            sleep(next.after).await;
            match next.ask {
                Ask::List { freshness, token } => {
                    if token.is_none()
                        && let Some(record) = &mut self.record
                    {
                        record.begin();
                    }
                    let path = self.resource.list(freshness, token.as_deref());
                    self.list(path).await;
                }
                Ask::Probe => self.list(self.resource.probe()).await,
                Ask::Watch { version } => self.watch(&version).await,
            }
            self.tell().await;
        }
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn kind(&self) -> Kind {
        self.resource.kind
    }

    async fn list(&mut self, path: String) {
        let call = Call::new(Verb::List, self.kind().plural(), path);
        let answer = match self.api.bytes(&call).await {
            Ok(bytes) => match self.read_page(&bytes) {
                Ok(page) => Ok(page),
                Err(error) => Err(CallError::NotUnderstood(error.to_string())),
            },
            Err(error) => Err(error),
        };
        match answer {
            Ok(page) => {
                let now = self.now();
                self.api.outlook.reached(self.kind());
                self.reflector.page(page, now);
            }
            Err(error) => self.refused(Verb::List, &error),
        }
    }

    /// A request of this kind failed: says so, and tells the reflector what it needs to know.
    fn refused(&mut self, verb: Verb, error: &CallError) {
        // An old server that cannot select by this field. A bad token or version is 410 or 422.
        if error.status() == Some(400)
            && let Some(wider) = self.resource.without_fields()
        {
            self.resource = wider;
        }
        let failure = match error.status() {
            Some(410) => Failure::Expired,
            Some(400 | 422) => Failure::Refused,
            _ => Failure::Unavailable,
        };
        if failure == Failure::Unavailable {
            self.api.outlook.failed(self.kind(), verb, error);
        }
        self.reflector.failed(failure);
    }

    async fn watch(&mut self, version: &str) {
        let seconds = WATCH + self.started.elapsed().subsec_millis() as u64 % 30;
        let path = self.resource.watch(version, seconds);
        let call = Call::new(Verb::Watch, self.kind().plural(), path);
        let body = match self.api.open(&call).await {
            Ok(response) => response.into_body(),
            Err(error) => return self.refused(Verb::Watch, &error),
        };
        self.api.outlook.reached(self.kind());
        let now = self.now();
        self.reflector.watch_opened(now);
        let longest = Duration::from_secs(seconds + 10);
        let due = self.reflector.relist_at().saturating_sub(now);
        let read = self.read(body);
        let how = timeout(due.min(longest), read).await;
        // There may be no server for a while: what it said last is kept.
        if self.record.is_some() {
            self.confirm().await;
        }
        let now = self.now();
        match how {
            Ok(Some(failure)) => self.reflector.watch_over(failure, now),
            // The reflector has heard it as an event.
            Ok(None) => {}
            Err(_) if now >= self.reflector.relist_at() => self.reflector.too_old(),
            Err(_) => self.reflector.watch_over(Failure::Unavailable, now),
        }
    }

    /// Reads events until the stream ends; `None` when the reflector has had enough itself.
    async fn read(&mut self, mut body: Body) -> Option<Failure> {
        let mut lines = Vec::new();
        loop {
            let silent = Instant::now() + SILENCE;
            let frame = loop {
                tokio::select! {
                    () = sleep_until(self.confirm_at), if self.record.is_some() => {
                        self.confirm().await;
                    }
                    () = sleep_until(silent) => return Some(Failure::Unavailable),
                    frame = body.frame() => break frame,
                }
            };
            let frame = match frame {
                Some(Err(_)) => return Some(Failure::Unavailable),
                None => return Some(Failure::Ended),
                Some(Ok(frame)) => frame,
            };
            let Ok(bytes) = frame.into_data() else {
                continue;
            };
            lines.extend_from_slice(&bytes);
            let mut begin = 0;
            while let Some(length) = lines[begin..].iter().position(|byte| *byte == b'\n') {
                let line = &lines[begin..begin + length];
                begin += length + 1;
                let Ok(event) = self.read_event(line) else {
                    return Some(Failure::Unavailable);
                };
                let now = self.now();
                if let Some(event) = event
                    && self.reflector.event(event, now) == Reading::Over
                {
                    return None;
                }
            }
            lines.drain(..begin);
            if lines.len() > LONGEST_EVENT {
                return Some(Failure::Unavailable);
            }
            self.tell().await;
        }
    }

    async fn tell(&mut self) {
        let told = self.reflector.told();
        if matches!(self.reflector.next().ask, Ask::Watch { .. }) {
            self.listed().await;
        }
        if told.is_empty() {
            return;
        }
        let mut complete = false;
        let publications = told.into_iter().filter_map(|told| match told {
            Told::Exists(object) => Some(Publication::Object(object)),
            Told::Gone(name) => Some(Publication::Gone(name)),
            Told::Complete => {
                complete = true;
                None
            }
        });
        let publications: Vec<_> = publications.collect();
        for publication in &publications {
            if let Publication::Gone(name) = publication {
                self.api.outlook.understood(name);
                if let Some(record) = &mut self.record {
                    record.gone(name);
                }
            }
        }
        self.api.hub.publish(publications);
        if complete {
            self.api.hub.synced(&[self.kind()]);
        }
    }

    /// A list that has come to its end is the view to begin with.
    async fn listed(&mut self) {
        let cluster = self.api.outlook.known();
        let job = self
            .record
            .as_mut()
            .and_then(|record| record.complete(Timestamp::now(), cluster));
        self.store(job).await;
    }

    fn read_page(&mut self, bytes: &[u8]) -> Result<Page, serde_json::Error> {
        let list: List<'_> = serde_json::from_slice(bytes)?;
        let items = list.items.unwrap_or_default();
        Ok(Page {
            items: items
                .into_iter()
                .filter_map(|raw| self.item(serde_json::from_str(raw.get()).ok()?))
                .filter(selected)
                .collect(),
            version: list.metadata.resource_version,
            token: list.metadata.token.filter(|token| !token.is_empty()),
        })
    }

    /// `None` for an event that means nothing here.
    fn read_event(&mut self, line: &[u8]) -> Result<Option<Event>, serde_json::Error> {
        if line.trim_ascii().is_empty() {
            return Ok(None);
        }
        let envelope: Envelope = serde_json::from_slice(line)?;
        let version = envelope.object["metadata"]["resourceVersion"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        Ok(match envelope.event.as_str() {
            "ADDED" | "MODIFIED" => self.item(envelope.object).map(|item| {
                if selected(&item) {
                    Event::Applied(item, version)
                } else {
                    Event::Deleted(item.name, version)
                }
            }),
            "DELETED" => {
                let name = self.name(&envelope.object);
                name.map(|name| Event::Deleted(name, version))
            }
            "BOOKMARK" => Some(Event::Bookmark(version)),
            "ERROR" => {
                let code = envelope.object["code"].as_u64();
                let failure = match code {
                    Some(410) => Failure::Expired,
                    Some(400 | 422) => Failure::Refused,
                    _ => Failure::Unavailable,
                };
                Some(Event::Failed(failure))
            }
            _ => None,
        })
    }

    fn name(&self, value: &Value) -> Option<ObjectRef> {
        let metadata = &value["metadata"];
        let namespace = metadata["namespace"].as_str();
        ObjectRef::new(self.kind(), namespace, metadata["name"].as_str()?).ok()
    }

    /// Decodes an object. One that is not understood is named as a problem; its last good content
    /// stays (the item says only that it exists).
    fn item(&mut self, mut value: Value) -> Option<Item> {
        let name = self.name(&value)?;
        prune(self.kind(), &mut value);
        if let Some(record) = &mut self.record {
            record.put(&name, &value);
        }
        let object = match object::decode(self.kind(), value) {
            Ok(object) => {
                self.api.outlook.understood(&name);
                Some(object)
            }
            Err(problem) => {
                self.api.outlook.not_understood(&name, &problem);
                None
            }
        };
        Some(Item { name, object })
    }
}

/// Removes what nobody here reads and what is large, before it is decoded.
fn prune(kind: Kind, value: &mut Value) {
    // Who wrote a Service's status is read from there.
    if kind != Kind::Service
        && let Some(metadata) = value["metadata"].as_object_mut()
    {
        metadata.remove("managedFields");
    }
    if kind == Kind::Node
        && let Some(status) = value["status"].as_object_mut()
    {
        status.remove("images");
    }
}

#[derive(Deserialize)]
struct List<'a> {
    #[serde(default)]
    metadata: ListMeta,
    #[serde(borrow)]
    items: Option<Vec<&'a RawValue>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ListMeta {
    resource_version: String,
    #[serde(rename = "continue")]
    token: Option<String>,
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "type")]
    event: String,
    object: Value,
}

/// Whether an item is of interest: what a server cannot select is selected here.
fn selected(item: &Item) -> bool {
    match &item.object {
        Some(Object::Service(view)) => view.is_load_balancer(),
        _ => true,
    }
}

/// Problems of a list as they are shown.
pub(super) fn trouble(verb: Verb, error: &CallError) -> Trouble {
    match error.status() {
        Some(401 | 403) => Trouble::Forbidden {
            verb,
            message: error.to_string().into(),
        },
        _ => Trouble::Unreachable {
            message: error.to_string().into(),
        },
    }
}
