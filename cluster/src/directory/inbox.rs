//! What has arrived for the observer since it last looked: state, not messages, so that a burst of
//! reports costs no more than the files it is about.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use ringbolt_config::{Object, ObjectRef};
use tokio::sync::oneshot;

use super::look::Evidence;

/// More reports than this of one kind are answered by looking at everything.
const MAX_REPORTS: usize = 10_000;

/// A question for the newest state of one object, files and all.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) object: ObjectRef,
    pub(super) answer: oneshot::Sender<Result<Option<Object>, ErrorKind>>,
}

/// What has arrived.
#[derive(Debug, Default)]
pub(super) struct Arrived {
    /// Manifests that were reported, with what that says about them.
    pub(super) manifests: BTreeMap<PathBuf, Option<Evidence>>,
    /// Something happened among the manifests that names none of them.
    pub(super) list_manifests: bool,
    /// Files below the state folder that were reported.
    pub(super) state_files: BTreeSet<PathBuf>,
    /// Objects that this process has written.
    pub(super) written: BTreeSet<ObjectRef>,
    /// Reports were lost, or something happened that no report describes.
    pub(super) everything: bool,
    pub(super) questions: Vec<Question>,
    pub(super) stop: bool,
}

impl Arrived {
    fn is_empty(&self) -> bool {
        self.manifests.is_empty()
            && !self.list_manifests
            && self.state_files.is_empty()
            && self.written.is_empty()
            && !self.everything
            && self.questions.is_empty()
            && !self.stop
    }
}

/// Where reports, writers and callers leave word.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    arrived: Mutex<Arrived>,
    signal: Condvar,
}

impl Inbox {
    /// A manifest was reported. A file that is gone says nothing of what may come in its place.
    pub(super) fn manifest(&self, path: PathBuf, evidence: Option<Evidence>) {
        self.leave(|arrived| {
            if arrived.manifests.len() < MAX_REPORTS {
                arrived.manifests.insert(path, evidence);
            } else {
                arrived.everything = true;
            }
        });
    }

    /// Something that is no manifest itself changed among them: a link, it may be.
    pub(super) fn list_manifests(&self) {
        self.leave(|arrived| arrived.list_manifests = true);
    }

    pub(super) fn state_file(&self, path: PathBuf) {
        self.leave(|arrived| {
            if arrived.state_files.len() < MAX_REPORTS {
                arrived.state_files.insert(path);
            } else {
                arrived.everything = true;
            }
        });
    }

    pub(super) fn written(&self, object: ObjectRef) {
        self.leave(|arrived| {
            arrived.written.insert(object);
        });
    }

    pub(super) fn everything(&self) {
        self.leave(|arrived| arrived.everything = true);
    }

    pub(super) fn ask(&self, question: Question) {
        self.leave(|arrived| arrived.questions.push(question));
    }

    pub(super) fn stop(&self) {
        self.leave(|arrived| arrived.stop = true);
    }

    /// Waits until something arrives or the time comes, and takes what is there.
    pub(super) fn wait_until(&self, deadline: Instant) -> Arrived {
        let mut arrived = self.lock();
        while arrived.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            arrived = self
                .signal
                .wait_timeout(arrived, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        std::mem::take(&mut *arrived)
    }

    fn leave(&self, word: impl FnOnce(&mut Arrived)) {
        word(&mut self.lock());
        self.signal.notify_one();
    }

    /// Nothing but assignments happens under this lock, so a poisoned one is whole.
    fn lock(&self) -> MutexGuard<'_, Arrived> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
