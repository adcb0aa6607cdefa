//! The task behind one kind: does what its [`Reflector`] asks and tells the hub what it says.
//!
//! Owns the connection of the watch and its silence. Decides nothing about objects.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use jiff::Timestamp;
use kube::client::Body;
use ringbolt_config::{Kind, Object, ObjectRef, object};
use serde::Deserialize;
use serde::de::Error as _;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::Api;
use super::call::{Call, CallError, spread};
use super::record::{self, NotStored, Place, Record};
use super::reflector::{Ask, Event, Failure, Item, Page, Reading, Reflector, Told};
use super::resource::{Freshness, Resource};
use crate::calls::Verb;
use crate::hub::Publication;
use crate::source::Role;

mod earlier;

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
    /// What is being written of it.
    writing: Option<JoinHandle<Result<(), NotStored>>>,
    /// Where an earlier process may have left a view that has not been looked at.
    earlier: Option<Place>,
    confirm_at: Instant,
    /// When the server has last said something.
    heard: Timestamp,
    /// Whether the last question had no answer: a refusal is one.
    away: bool,
    /// Whether the last watch was refused.
    watch_refused: bool,
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
        // A follower before this one may have told them.
        let mut known = api.hub.names(kind);
        known.extend(api.outlook.unused(kind));
        Self {
            reflector: Reflector::new(freshness, max_age, seed, known),
            resource,
            record: None,
            writing: None,
            earlier: None,
            heard: Timestamp::now(),
            away: false,
            watch_refused: false,
            confirm_at: Instant::now() + record::EVERY,
            started: Instant::now(),
            api,
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
            self.lose_patience().await;
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
                self.heard = Timestamp::now();
                self.away = false;
                // A list says nothing of a watch that was refused.
                if !self.watch_refused {
                    self.api.outlook.reached(self.kind());
                }
                self.reflector.page(page, now);
            }
            Err(error) => self.refused(Verb::List, &error),
        }
    }

    /// A request of this kind failed: says so, and tells the reflector what it needs to know.
    fn refused(&mut self, verb: Verb, error: &CallError) {
        // An old server that cannot select by this field. A bad token or version is 410 or 422.
        let first = matches!(self.reflector.next().ask, Ask::List { token: None, .. });
        if error.status() == Some(400)
            && first
            && self.kind() == Kind::Service
            && let Some(wider) = self.resource.without_fields()
        {
            self.resource = wider;
        }
        self.away = error.is_no_answer();
        self.watch_refused = verb == Verb::Watch;
        let failure = match error.status() {
            Some(410) => Failure::Expired,
            Some(400 | 422) => Failure::Refused,
            _ => Failure::Unavailable,
        };
        // A version that is not kept is no trouble; one time after the other it is.
        if failure == Failure::Unavailable || self.reflector.is_failing() {
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
        self.heard = Timestamp::now();
        (self.away, self.watch_refused) = (false, false);
        self.api.outlook.reached(self.kind());
        let now = self.now();
        self.reflector.watch_opened(now);
        let longest = Duration::from_secs(seconds + 10);
        let due = self.reflector.relist_at().saturating_sub(now);
        let read = self.read(body);
        let how = timeout(due.min(longest), read).await;
        // There may be no server for a while: what it said last is told and kept.
        self.tell().await;
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
            self.heard = Timestamp::now();
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
        self.keep().await;
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
        // What went and came again at once was put into the record when it was read.
        let mut last = BTreeMap::new();
        for publication in &publications {
            match publication {
                Publication::Object(object) => last.insert(object.object_ref(), false),
                Publication::Gone(name) => last.insert(name.clone(), true),
            };
        }
        for (name, _) in last.iter().filter(|(_, gone)| **gone) {
            self.api.outlook.understood(name);
            if let Some(record) = &mut self.record {
                record.gone(name);
            }
        }
        self.api.hub.publish(publications);
        if complete {
            self.api.hub.synced(&[self.kind()]);
        }
    }

    fn read_page(&mut self, bytes: &[u8]) -> Result<Page, serde_json::Error> {
        let list: List<'_> = serde_json::from_slice(bytes)?;
        // Anything that is no list would be taken for an empty one, and everything for gone.
        if list.metadata.resource_version.is_empty() {
            return Err(serde_json::Error::custom("it is no list of objects"));
        }
        // One by one: a list from the server's cache is one page however long it is, and its objects
        // are many times larger as JSON values than as what is kept of them.
        let mut items = Vec::new();
        for raw in list.items.unwrap_or_default() {
            let value = serde_json::from_str(raw.get())?;
            items.extend(self.item(value).filter(selected));
        }
        Ok(Page {
            items,
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
        prune(self.kind(), self.api.settings.role, &mut value);
        let recorded = self.record.is_some().then(|| value.clone());
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
        let item = Item { name, object };
        if let (Some(record), Some(value)) = (&mut self.record, recorded)
            && item.object.is_some()
            && selected(&item)
        {
            record.put(&item.name, &value);
        }
        Some(item)
    }
}

/// Removes what nobody here reads and what is large, before it is decoded.
fn prune(kind: Kind, role: Role, value: &mut Value) {
    if let Some(metadata) = value["metadata"].as_object_mut() {
        // Who wrote a Service's status is read from there, by those who write it too.
        if kind != Kind::Service || role == Role::Speaker {
            metadata.remove("managedFields");
        }
        if let Some(annotations) = metadata
            .get_mut("annotations")
            .and_then(Value::as_object_mut)
        {
            annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        }
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
