//! Secrets by name: the speakers' key, and the passwords that peers and templates name.
//!
//! Neither list nor watch of Secrets is needed, so neither has to be granted. Each is read again every
//! half minute, and at once when a peer names another; one that is not there yet sooner. What cannot be
//! read stays as it was.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use ringbolt_config::api::SecretReference;
use ringbolt_config::{Kind, Object, ObjectRef, object};
use tokio::time::{Instant, sleep_until};

use super::Api;
use super::call::{Call, CallError, spread};
use super::resource::collection;
use crate::calls::Verb;
use crate::hub::{Publication, Subscription};
use crate::source::{Change, Role};
use crate::writer::SPEAKER_KEY_SECRET;

/// How long a Secret that was read is good.
const EVERY: Duration = Duration::from_secs(30);
/// How soon one that is not there is asked for again; doubled each time, up to [`EVERY`]. A new cluster
/// has no key before its first controller has made one.
const MISSING: Duration = Duration::from_secs(2);
/// The kinds that name Secrets.
pub(super) const NAMING: [Kind; 2] = [Kind::BGPPeer, Kind::BGPPeerTemplate];

/// Reads Secrets for as long as the cluster is held.
pub(super) async fn read(api: Arc<Api>) {
    let end = api.end.clone();
    let naming = api.subscribe(&NAMING);
    // A reader before this one may have told them.
    let known = api.hub.names(Kind::Secret);
    let mut reader = Reader {
        api,
        naming,
        named: BTreeMap::new(),
        known,
        missing: BTreeSet::new(),
        failing: BTreeSet::new(),
        synced: 0,
        complete: false,
    };
    end.run_until_cancelled(reader.run()).await;
}

struct Reader {
    api: Arc<Api>,
    naming: Subscription,
    /// Which Secrets an object names.
    named: BTreeMap<ObjectRef, ObjectRef>,
    /// Secrets that were asked for and answered.
    known: BTreeSet<ObjectRef>,
    /// Those of them that do not exist.
    missing: BTreeSet<ObjectRef>,
    /// Those that could not be read the last time.
    failing: BTreeSet<ObjectRef>,
    synced: usize,
    complete: bool,
}

impl Reader {
    async fn run(&mut self) {
        let mut patience = MISSING;
        // Whose Secrets they are is known with the configuration.
        self.api.server().await;
        loop {
            let wanted = self.wanted();
            for name in wanted.clone() {
                self.look(name).await;
            }
            self.finish(&wanted);
            let pause = if self.missing.is_empty() {
                patience = MISSING;
                EVERY
            } else {
                patience
            };
            let again = Instant::now() + pause.mul_f64(0.8 + 0.4 * (spread() - 0.5));
            self.wait(again).await;
            patience = (patience * 2).min(EVERY);
        }
    }

    /// Follows the objects that name Secrets until it is time to read all of them again; a name that is
    /// new is read at once.
    async fn wait(&mut self, again: Instant) {
        loop {
            tokio::select! {
                () = sleep_until(again) => return,
                changes = self.naming.next() => {
                    changes.into_iter().for_each(|change| self.take(change));
                }
            }
            let wanted = self.wanted();
            let new: Vec<_> = wanted.difference(&self.known).cloned().collect();
            for name in new {
                self.look(name).await;
            }
            self.finish(&wanted);
        }
    }

    fn take(&mut self, change: Change) {
        match change {
            Change::Apply(object) => {
                let name = object.object_ref();
                let reference = match &object {
                    Object::BGPPeer(peer) => peer.spec.fields.password_secret.as_ref(),
                    Object::BGPPeerTemplate(template) => {
                        template.spec.fields.password_secret.as_ref()
                    }
                    _ => None,
                };
                let secret = reference.and_then(|reference| self.secret(reference));
                match secret {
                    Some(secret) => self.named.insert(name, secret),
                    None => self.named.remove(&name),
                };
            }
            Change::Delete(name) => {
                self.named.remove(&name);
            }
            Change::Synced(_) => self.synced += 1,
            Change::Restored(_) => {}
        }
    }

    fn secret(&self, reference: &SecretReference) -> Option<ObjectRef> {
        let ours = self.api.namespace();
        let namespace = reference.namespace.as_deref().unwrap_or(&ours);
        ObjectRef::new(Kind::Secret, Some(namespace), &reference.name).ok()
    }

    fn wanted(&self) -> BTreeSet<ObjectRef> {
        let key = (self.api.settings.role == Role::Speaker).then(|| {
            let ours = self.api.namespace();
            ObjectRef::new(Kind::Secret, Some(&ours), SPEAKER_KEY_SECRET).ok()
        });
        self.named.values().cloned().chain(key.flatten()).collect()
    }

    async fn look(&mut self, name: ObjectRef) {
        let path = format!(
            "{}/{}",
            collection(Kind::Secret, name.namespace.as_deref()),
            name.name
        );
        let call = Call::new(Verb::Get, Kind::Secret.plural(), path);
        let publication = match self.api.bytes(&call).await {
            Ok(bytes) => {
                let value = match serde_json::from_slice(&bytes) {
                    Ok(value) => value,
                    Err(error) => {
                        let error = CallError::NotUnderstood(error.to_string());
                        self.api.outlook.failed(Kind::Secret, Verb::Get, &error);
                        self.failing.insert(name);
                        return;
                    }
                };
                match object::decode(Kind::Secret, value) {
                    Ok(object) => {
                        self.missing.remove(&name);
                        self.api.outlook.understood(&name);
                        self.api.outlook.settle();
                        Publication::Object(object)
                    }
                    Err(problem) => {
                        self.api.outlook.not_understood(&name, &problem);
                        self.api.outlook.settle();
                        return;
                    }
                }
            }
            Err(CallError::Refused { status: 404, .. }) => {
                self.missing.insert(name.clone());
                self.api.outlook.understood(&name);
                self.api.outlook.settle();
                Publication::Gone(name.clone())
            }
            Err(error) => {
                self.api.outlook.failed(Kind::Secret, Verb::Get, &error);
                self.failing.insert(name.clone());
                // A refusal is an answer: who waits for all of them does not wait for this one.
                if error.status() == Some(403) {
                    self.known.insert(name);
                }
                return;
            }
        };
        // One that can be read says nothing of another that cannot.
        self.failing.remove(&name);
        if self.failing.is_empty() {
            self.api.outlook.reached(Kind::Secret);
        }
        self.known.insert(name);
        self.api.hub.publish([publication]);
    }

    /// Forgets what nobody names any more; says when everything that is named was tried.
    fn finish(&mut self, wanted: &BTreeSet<ObjectRef>) {
        let all_heard = self.synced >= NAMING.len();
        // Before, what nobody names may be named by an object that has not been told yet.
        if all_heard {
            let gone: Vec<_> = self.known.difference(wanted).cloned().collect();
            for name in &gone {
                self.known.remove(name);
                self.missing.remove(name);
                self.api.outlook.understood(name);
            }
            self.api.outlook.settle();
            self.api
                .hub
                .publish(gone.into_iter().map(Publication::Gone));
        }
        // Including those that were never answered.
        self.failing.retain(|name| wanted.contains(name));
        if self.failing.is_empty() {
            self.api.outlook.reached(Kind::Secret);
        }
        let all = all_heard && wanted.is_subset(&self.known);
        if all && !self.complete {
            self.complete = true;
            self.api.hub.synced(&[Kind::Secret]);
        }
    }
}
