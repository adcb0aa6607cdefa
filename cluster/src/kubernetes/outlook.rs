//! What a Kubernetes source says beside objects: which kinds cannot be read and why, which objects are
//! not understood, the cluster's identity. Newest states; each problem is logged once, when it comes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ringbolt_config::object::DecodeProblem;
use ringbolt_config::{Kind, ObjectRef, names};
use tokio::sync::watch;
use tracing::{info, warn};

use super::call::CallError;
use super::reflector::Failure;
use super::supervise::Work;
use crate::calls::Verb;
use crate::source::{ClusterId, Definer, SourceProblem, Trouble, WatchEnd};

#[cfg(test)]
mod tests;

/// The most objects that are named as not understood; one of our kinds at fault is usually all of them.
const MAX_NAMED: usize = 1000;

/// The namespace whose uid says which cluster this is (contract 3.6).
pub(super) const IDENTITY: &str = "kube-system";

/// See the module.
#[derive(Debug)]
pub(super) struct Outlook {
    problems: watch::Sender<Arc<[SourceProblem]>>,
    identity: watch::Sender<Option<ClusterId>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Why there is no client.
    connection: Option<Trouble>,
    /// Why it is not known who the cluster is.
    identity: Option<Trouble>,
    kinds: BTreeMap<Kind, Trouble>,
    objects: BTreeMap<ObjectRef, Vec<SourceProblem>>,
    noted: Noted,
    /// Kinds whose view cannot be written into this folder, and why.
    unstored: BTreeMap<Kind, (Arc<PathBuf>, ErrorKind)>,
}

impl Outlook {
    pub(super) fn new() -> Self {
        Self {
            problems: watch::channel(Arc::from([])).0,
            identity: watch::channel(None).0,
            state: Mutex::default(),
        }
    }

    pub(super) fn problems(&self) -> watch::Receiver<Arc<[SourceProblem]>> {
        self.problems.subscribe()
    }

    pub(super) fn identity(&self) -> watch::Receiver<Option<ClusterId>> {
        self.identity.subscribe()
    }

    /// The cluster says who it is.
    pub(super) fn is(&self, identity: &str) {
        self.change(|state| state.identity.take().is_some());
        self.identity.send_if_modified(|current| {
            let identity = Some(ClusterId::new(identity));
            let changed = *current != identity;
            *current = identity;
            changed
        });
    }

    /// The cluster does not say who it is. That there is no server is said elsewhere.
    pub(super) fn not_identified(&self, error: &CallError) {
        let trouble = match trouble(Kind::Namespace, Verb::List, error) {
            Trouble::Unreachable { .. } => return,
            trouble => trouble,
        };
        self.change(|state| state.identity.replace(trouble.clone()) != Some(trouble));
    }

    /// An earlier process knew who the cluster is; what the cluster itself says is preferred.
    pub(super) fn was(&self, identity: &str) {
        self.identity.send_if_modified(|current| {
            let first = current.is_none();
            if first {
                *current = Some(ClusterId::new(identity));
            }
            first
        });
    }

    /// The cluster's identity as text, as far as it is known.
    pub(super) fn known(&self) -> Option<String> {
        let identity = self.identity.borrow();
        identity
            .as_ref()
            .map(|identity| identity.as_str().to_owned())
    }

    /// Whether there is a client to ask with.
    pub(super) fn connected(&self, trouble: Option<Trouble>) {
        self.change(|state| {
            let changed = state.connection != trouble;
            state.connection = trouble;
            changed
        });
    }

    /// Objects of this kind can be read.
    pub(super) fn reached(&self, kind: Kind) {
        self.change(|state| state.kinds.remove(&kind).is_some());
    }

    /// Objects of this kind cannot be read.
    pub(super) fn failed(&self, kind: Kind, verb: Verb, error: &CallError) {
        // Without a client, that is the problem, and it is named once.
        if *error == CallError::NotConfigured {
            return;
        }
        self.change(|state| {
            let trouble = trouble(kind, verb, error);
            state.kinds.insert(kind, trouble.clone()).as_ref() != Some(&trouble)
        });
    }

    /// Watches of this kind do not come about, one after the other.
    pub(super) fn watches_badly(&self, kind: Kind, last: Failure) {
        let how = match last {
            Failure::Expired => WatchEnd::Expired,
            Failure::Refused => WatchEnd::Refused,
            Failure::Unavailable => WatchEnd::Broken,
            Failure::Ended => WatchEnd::Ended,
        };
        let trouble = Trouble::WatchFails { how };
        self.change(|state| {
            let named = state.kinds.get(&kind);
            // Whatever keeps it from being read at all is the better word.
            let free = matches!(named, None | Some(Trouble::WatchFails { .. }));
            free && state.kinds.insert(kind, trouble.clone()) != Some(trouble)
        });
    }

    /// A task has ended before its time, and is begun anew.
    pub(super) fn stopped(&self, work: Work, message: Box<str>) {
        let trouble = Trouble::ReaderStopped { message };
        self.change(|state| {
            let before = match work {
                Work::Kind(kind) => state.kinds.insert(kind, trouble.clone()),
                Work::Configuration => state.connection.replace(trouble.clone()),
                Work::Identity => state.identity.replace(trouble.clone()),
            };
            before != Some(trouble)
        });
    }

    /// Kinds about which the server has answered that, or in a way that, nothing can be read.
    pub(super) fn refused(&self) -> BTreeMap<Kind, Trouble> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let answered = state.kinds.iter().filter(|(_, trouble)| {
            matches!(
                trouble,
                Trouble::Forbidden { .. }
                    | Trouble::NotServed { .. }
                    | Trouble::NoUsableAnswer { .. }
            )
        });
        let answered = answered.map(|(kind, trouble)| (*kind, trouble.clone()));
        answered.collect()
    }

    /// The view of this kind is on disk.
    pub(super) fn stored(&self, kind: Kind) {
        self.change(|state| state.unstored.remove(&kind).is_some());
    }

    /// The view of this kind cannot be written into this folder.
    pub(super) fn not_stored(&self, kind: Kind, folder: &Path, cause: ErrorKind) {
        let why = (Arc::new(folder.to_owned()), cause);
        self.change(|state| state.unstored.insert(kind, why.clone()) != Some(why));
    }

    /// Objects of this kind that are not used as they are.
    pub(super) fn unused(&self, kind: Kind) -> BTreeSet<ObjectRef> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let names = state.objects.keys().filter(|name| name.kind == kind);
        names.cloned().collect()
    }

    /// The object is used, or gone. Said with [`Self::settle`], as all that is noted of objects.
    pub(super) fn understood(&self, name: &ObjectRef) {
        self.note(|state| state.objects.remove(name).is_some());
    }

    /// The object existed when an earlier process saw it, and what it said was not kept.
    pub(super) fn withheld(&self, name: &ObjectRef) {
        let problem = SourceProblem {
            file: None,
            line: None,
            column: None,
            object: Some(name.clone()),
            field: Some("spec.password".to_owned()),
            trouble: Trouble::PasswordNotKept,
        };
        self.note(|state| {
            let problem = vec![problem];
            let full = state.objects.len() >= MAX_NAMED && !state.objects.contains_key(name);
            !full && state.objects.insert(name.clone(), problem.clone()) != Some(problem)
        });
    }

    /// The object is not used; its last good content stays.
    pub(super) fn not_understood(&self, name: &ObjectRef, problem: &DecodeProblem) {
        let faults = problem.faults.iter().map(|fault| SourceProblem {
            file: None,
            line: None,
            column: None,
            object: Some(name.clone()),
            field: Some(fault.path.to_string()),
            trouble: Trouble::InvalidField {
                message: fault.reason.to_string().into(),
            },
        });
        let faults: Vec<_> = faults.collect();
        self.note(|state| {
            let full = state.objects.len() >= MAX_NAMED && !state.objects.contains_key(name);
            !full && state.objects.insert(name.clone(), faults.clone()) != Some(faults)
        });
    }

    /// Says what was noted of objects since the last time: once for a whole list, which may be at fault
    /// in each of its objects.
    pub(super) fn settle(&self) {
        self.change(|_| false);
    }

    fn note(&self, change: impl FnOnce(&mut State) -> bool) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if change(&mut state) {
            state.noted = Noted::Unsaid;
        }
    }

    fn change(&self, change: impl FnOnce(&mut State) -> bool) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let noted = std::mem::take(&mut state.noted);
        if !change(&mut state) && noted == Noted::Said {
            return;
        }
        let problems: Arc<[SourceProblem]> = state.problems().into();
        let before = self.problems.send_replace(Arc::clone(&problems));
        // Kinds join and leave a trouble one by one, within moments: that is one trouble, told once.
        let key = |problem: &SourceProblem| {
            let field = problem.object.is_some().then(|| problem.field.clone());
            (problem.object.clone(), field, problem.trouble.clone())
        };
        let known: BTreeSet<_> = before.iter().map(key).collect();
        for problem in problems
            .iter()
            .filter(|problem| !known.contains(&key(problem)))
        {
            warn!(reason = problem.reason(), %problem, "the source is not as it should be");
        }
        if problems.is_empty() && !before.is_empty() {
            info!("the source is as it should be");
        }
    }
}

/// Whether what is noted of objects has been said.
#[derive(Debug, Default, PartialEq, Eq)]
enum Noted {
    #[default]
    Said,
    Unsaid,
}

impl State {
    /// Kinds that fail in one way are one problem: an API server that is away is not fifteen.
    fn problems(&self) -> Vec<SourceProblem> {
        let plain = |trouble: &Trouble, field: Option<String>| SourceProblem {
            file: None,
            line: None,
            column: None,
            object: None,
            field,
            trouble: trouble.clone(),
        };
        let mut kinds: BTreeMap<&Trouble, Vec<&'static str>> = BTreeMap::new();
        for (kind, trouble) in &self.kinds {
            kinds.entry(trouble).or_default().push(kind.plural());
        }
        let connection = self.connection.iter().map(|trouble| plain(trouble, None));
        let kinds = kinds
            .into_iter()
            .map(|(trouble, kinds)| plain(trouble, Some(kinds.join(", "))));
        // A full disk is one problem, whatever is not written.
        let unstored: BTreeSet<_> = self.unstored.values().collect();
        let unstored = unstored.into_iter().map(|(folder, cause)| SourceProblem {
            file: Some(Arc::clone(folder)),
            ..plain(&Trouble::StateUnwritable { cause: *cause }, None)
        });
        let identity = self.identity.iter().map(|trouble| SourceProblem {
            object: ObjectRef::new(Kind::Namespace, None, IDENTITY).ok(),
            ..plain(trouble, None)
        });
        connection
            .chain(identity)
            .chain(kinds)
            .chain(unstored)
            .chain(self.objects.values().flatten().cloned())
            .collect()
    }
}

/// How a failed reading of a kind is shown: who got an answer is told what it was, and not that there is
/// no server.
fn trouble(kind: Kind, verb: Verb, error: &CallError) -> Trouble {
    let message = error.to_string().into();
    match error {
        CallError::Refused {
            status: 401 | 403, ..
        } => Trouble::Forbidden { verb, message },
        CallError::Refused { status: 404, .. } => Trouble::NotServed {
            definer: if kind.api_version().starts_with(names::GROUP) {
                Definer::Ringbolt
            } else {
                Definer::Kubernetes
            },
        },
        CallError::Refused { .. } | CallError::NotUnderstood(_) => {
            Trouble::NoUsableAnswer { message }
        }
        CallError::Timeout | CallError::Unreachable(_) | CallError::NotConfigured => {
            Trouble::Unreachable { message }
        }
    }
}
