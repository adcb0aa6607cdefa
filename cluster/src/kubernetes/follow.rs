//! The task behind one kind: does what its [`Reflector`] asks and tells the hub what it says.
//!
//! Owns the connection of the watch and its silence. Decides nothing about objects.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use jiff::Timestamp;
use kube::client::Body;
use ringbolt_config::Kind;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::Api;
use super::call::{Call, CallError, Failed, spread};
use super::record::{self, NotStored, Place, Record};
use super::reflector::{Ask, Failure, GOOD_WATCH, Reflector, Told};
use super::resource::{Freshness, Resource};
use crate::calls::Verb;
use crate::hub::Publication;
use crate::source::Role;
use decode::failure;

mod decode;
mod earlier;
#[cfg(test)]
mod tests;

/// How long the server is asked to keep a watch open, in seconds, before the spread.
const WATCH: u64 = 290;
/// How much longer it may stay open.
const LATE: Duration = Duration::from_secs(10);
/// A watch that says nothing for this long is opened again: servers send a bookmark every minute.
const SILENCE: Duration = Duration::from_secs(100);
/// The longest single event, in octets; the API server keeps no object as large.
const LONGEST_EVENT: usize = 16 << 20;
/// Speakers are many, and may all begin at one time: their first questions are spread over this.
const START: Duration = Duration::from_millis(500);
/// How long a list is relied on: the last resort against a watch that silently shows another past.
/// Many speakers ask less often than few controllers.
const MAX_AGE_CONTROLLER: Duration = Duration::from_secs(600);
const MAX_AGE_SPEAKER: Duration = Duration::from_secs(1800);

/// Follows a kind for as long as the cluster is held.
pub(super) async fn follow(api: Arc<Api>, kind: Kind) {
    let end = api.end.clone();
    let mut follower = Follower::new(api, kind);
    let work = async {
        // Without a configuration there is nobody to ask, and asking in vain would make for pauses.
        follower.api.server().await;
        if follower.api.settings.role == Role::Speaker {
            sleep(START.mul_f64(spread() - 0.5)).await;
        }
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
        let answer = match self.api.list(&call).await {
            Ok(bytes) => self
                .read_page(&bytes)
                .map_err(|error| CallError::NotUnderstood(error.to_string()).into()),
            Err(failed) => Err(failed),
        };
        match answer {
            Ok(page) => {
                let now = self.now();
                self.heard = Timestamp::now();
                self.away = false;
                // A list says nothing of a watch that does not come about.
                if !self.reflector.doubts_watch() {
                    self.api.outlook.reached(self.kind());
                }
                self.reflector.page(page, now);
            }
            Err(failed) => self.refused(Verb::List, &failed),
        }
    }

    /// A request of this kind failed: says so, and tells the reflector what it needs to know.
    fn refused(&mut self, verb: Verb, failed: &Failed) {
        let error = &failed.error;
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
        let failure = failure(error.status());
        // A version that is not kept is no trouble; one time after the other it is.
        if failure == Failure::Unavailable || self.reflector.is_failing() {
            self.api.outlook.failed(self.kind(), verb, error);
        }
        self.reflector.failed(failure);
        // A server that has just begun refuses everybody for a moment, until it knows who may do what.
        if error.status() == Some(403) && self.reflector.is_complete() {
            self.reflector.ask_soon();
        }
        if let Some(pause) = failed.retry_after {
            self.reflector.asked_to_wait(pause);
        }
        if verb == Verb::Watch {
            self.name_bad_watches(failure);
        }
    }

    /// Names watches that do not come about, one after the other, where nothing else was named.
    fn name_bad_watches(&self, failure: Failure) {
        if self.reflector.watches_badly() {
            self.api.outlook.watches_badly(self.kind(), failure);
        }
    }

    async fn watch(&mut self, version: &str) {
        let seconds = WATCH + self.started.elapsed().subsec_millis() as u64 % 30;
        let path = self.resource.watch(version, seconds);
        let call = Call::new(Verb::Watch, self.kind().plural(), path);
        let body = match self.api.open(&call).await {
            Ok(response) => response.into_body(),
            Err(failed) => return self.refused(Verb::Watch, &failed),
        };
        self.heard = Timestamp::now();
        self.away = false;
        // One that opens well every time and does not last is no good.
        if !self.reflector.watches_badly() {
            self.api.outlook.reached(self.kind());
        }
        let now = self.now();
        let lasts = Duration::from_secs(seconds);
        self.reflector.watch_opened(now, lasts);
        let due = self.reflector.relist_at().saturating_sub(now);
        let read = self.read(body);
        let how = timeout(due.min(lasts + LATE), read).await;
        // There may be no server for a while: what it said last is told and kept.
        self.tell().await;
        if self.record.is_some() {
            self.confirm().await;
        }
        let now = self.now();
        match how {
            Err(_) if now >= self.reflector.relist_at() => self.reflector.too_old(),
            how => {
                let failure = how.unwrap_or(Failure::Unavailable);
                self.reflector.watch_over(failure, now);
                self.name_bad_watches(failure);
            }
        }
    }

    /// Reads events until the stream ends, and says how it did.
    async fn read(&mut self, mut body: Body) -> Failure {
        let mut lines = Vec::new();
        let good = Instant::now() + GOOD_WATCH;
        let mut lasted = false;
        loop {
            let silent = Instant::now() + SILENCE;
            let frame = loop {
                tokio::select! {
                    () = sleep_until(self.confirm_at), if self.record.is_some() => {
                        self.confirm().await;
                    }
                    () = sleep_until(good), if !lasted => {
                        lasted = true;
                        self.reflector.watch_lasted();
                        self.api.outlook.reached(self.kind());
                    }
                    () = sleep_until(silent) => return Failure::Unavailable,
                    frame = body.frame() => break frame,
                }
            };
            let frame = match frame {
                Some(Err(_)) => return Failure::Unavailable,
                None => return Failure::Ended,
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
                match self.read_event(line) {
                    Ok(Some(event)) => self.reflector.event(event),
                    Ok(None) => {}
                    Err(failure) => return failure,
                }
            }
            lines.drain(..begin);
            if lines.len() > LONGEST_EVENT {
                return Failure::Unavailable;
            }
            self.tell().await;
        }
    }

    async fn tell(&mut self) {
        let told = self.reflector.told();
        self.keep().await;
        self.api.outlook.settle();
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
        self.api.outlook.settle();
        self.api.hub.publish(publications);
        if complete {
            self.api.hub.synced(&[self.kind()]);
        }
    }
}
