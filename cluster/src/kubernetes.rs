//! A Kubernetes API server as a cluster.
//!
//! ```text
//! API server ──list, watch──► follow (reflector) ──► hub ──► Watch
//!      ▲                                                        
//!      └──── calls, fenced by resourceVersion ◄── writing ◄── Writer
//! ```
//!
//! Nothing here fails for good: what is not there (a kubeconfig, a server, a permission) is a
//! [`SourceProblem`] and is tried again, and what is known stays. Objects are decoded one by one into
//! the same views as everywhere else; whole API objects are not kept.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use kube::client::{Body, Client};
use ringbolt_config::{Kind, NodeName, Object};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::calls::{CallCounts, Calls};
use crate::hub::{Hub, Subscription};
use crate::source::{
    Change, ClusterId, Leader, Leadership, Listing, Presence, PresenceState, ReadError, Role,
    SourceProblem, Trouble,
};
use crate::writer::SPEAKER_KEY_NAMESPACE;
use call::{Call, CallError, Caller, Failed};
use client::Target;
use events::Series;
use outlook::Outlook;
use pace::Gate;
use supervise::{Work, supervise};

mod call;
mod client;
mod configure;
mod events;
mod follow;
mod leadership;
mod outlook;
mod pace;
mod patch;
mod record;
mod reflector;
mod resource;
mod secrets;
mod supervise;
#[cfg(test)]
mod tests;
mod writing;

/// How long a call waits for the configuration to be read.
const CONFIGURED: Duration = Duration::from_secs(5);
/// How long who looks once waits for everything.
const READ_ALL: Duration = Duration::from_secs(20);

/// How long the last write of a view may take.
const LAST_WRITE: Duration = Duration::from_secs(2);

/// Which API server, as whom, and what for.
#[derive(Clone, Debug)]
pub struct KubernetesOptions {
    /// The kubeconfig. `None`: the pod's service account where `KUBERNETES_SERVICE_HOST` is set, else
    /// the file that `KUBECONFIG` names, else `~/.kube/config`.
    pub kubeconfig: Option<PathBuf>,
    /// The context in it; `None`: the current one.
    pub context: Option<String>,
    /// Ringbolt's own namespace: leases, the key, events of objects without a namespace. `None`: that of
    /// the service account, else `ringbolt-system`.
    pub namespace: Option<String>,
    /// On whose behalf.
    pub role: Role,
    /// A speaker's node: it reads its own Node object alone (contract 3.1).
    pub node: Option<NodeName>,
    /// Who this process is among candidates for leadership; `None`: the host's name and a random part.
    pub instance: Option<String>,
    /// Whether a controller waits for the lease. Without it, every controller works: nothing is given
    /// twice all the same, but work is done twice. For tests.
    pub election: Election,
    /// A folder for the last view of a speaker, from which it starts when no API server answers.
    pub snapshot: Option<PathBuf>,
}

/// Whether controllers take turns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Election {
    /// One works, the others wait.
    #[default]
    Lease,
    /// All work.
    Off,
}

impl KubernetesOptions {
    /// The usual options.
    pub fn new(role: Role) -> Self {
        Self {
            kubeconfig: None,
            context: None,
            namespace: None,
            role,
            node: None,
            instance: None,
            election: Election::default(),
            snapshot: None,
        }
    }
}

/// The handle that `Cluster`, `Watch` and `Writer` share; what it has begun ends with it.
#[derive(Debug)]
pub(crate) struct Kubernetes {
    api: Arc<Api>,
}

impl Drop for Kubernetes {
    fn drop(&mut self) {
        self.api.end.cancel();
    }
}

/// What the tasks share.
struct Api {
    settings: KubernetesOptions,
    hub: Hub,
    outlook: Outlook,
    calls: Calls,
    gate: Gate,
    series: Mutex<Series>,
    /// `None` until the configuration can be read.
    link: watch::Receiver<Option<Link>>,
    /// Kinds that are followed.
    followed: Mutex<BTreeSet<Kind>>,
    followers: TaskTracker,
    end: CancellationToken,
}

/// What a usable configuration gives.
#[derive(Clone)]
struct Link {
    client: Client,
    namespace: Arc<str>,
    /// The URL of the API server.
    server: Arc<str>,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Kubernetes {
    /// Looks for the configuration and for the cluster's identity. Kinds are followed when somebody asks
    /// for them.
    pub(crate) fn start(options: KubernetesOptions) -> Arc<Self> {
        let target = Target {
            kubeconfig: options.kubeconfig.clone(),
            context: options.context.clone(),
        };
        let (tell, link) = watch::channel(None);
        let api = Api::new(options, link);
        let tell = Arc::new(tell);
        let configure = move |api| configure::connect(api, target.clone(), Arc::clone(&tell));
        tokio::spawn(supervise(Arc::clone(&api), Work::Configuration, configure));
        Self::begin(api)
    }

    /// The same over a client that is there: a fake one, in tests.
    #[cfg(any(test, feature = "fake"))]
    pub(crate) fn over(client: Client, options: KubernetesOptions) -> Arc<Self> {
        Self::begin(Api::over(client, options))
    }

    fn begin(api: Arc<Api>) -> Arc<Self> {
        let identify = supervise(Arc::clone(&api), Work::Identity, configure::identify);
        tokio::spawn(identify);
        Arc::new(Self { api })
    }

    pub(crate) fn subscribe(&self, kinds: &[Kind]) -> Subscription {
        self.api.subscribe(kinds)
    }

    pub(crate) fn problems(&self) -> watch::Receiver<Arc<[SourceProblem]>> {
        self.api.outlook.problems()
    }

    /// Nothing is passed over: kinds that nobody asks for are not read.
    pub(crate) fn skipped(&self) -> watch::Receiver<Arc<BTreeMap<String, usize>>> {
        watch::channel(Arc::default()).1
    }

    pub(crate) fn identity(&self) -> watch::Receiver<Option<ClusterId>> {
        self.api.outlook.identity()
    }

    pub(crate) fn namespace(&self) -> Arc<str> {
        self.api.namespace()
    }

    /// Follows nothing any more, and has written down what was told.
    pub(crate) async fn finish(&self) {
        self.api.end.cancel();
        self.api.followers.close();
        let _late = timeout(LAST_WRITE, self.api.followers.wait()).await;
    }

    pub(crate) fn calls(&self) -> CallCounts {
        self.api.calls.snapshot()
    }

    pub(crate) async fn lead(&self) -> Leadership {
        leadership::lead(&self.api).await
    }

    pub(crate) async fn leader(&self) -> Result<Leader, ReadError> {
        let seen = leadership::leader::look(&self.api).await;
        seen.map(|(leader, _)| leader)
            .map_err(|error| lease_unread(&error))
    }

    pub(crate) async fn wait_for_no_leader(
        &self,
        patience: Duration,
        seen: impl FnOnce(&str),
    ) -> Result<Option<String>, ReadError> {
        let waited = leadership::leader::wait_for_none(&self.api, patience, seen).await;
        waited.map_err(|error| lease_unread(&error))
    }

    /// The DaemonSet sees to it that a node has one speaker; there is nothing to announce.
    pub(crate) fn announce_presence(&self) -> Presence {
        let (_tell, state) = watch::channel(PresenceState::Announced);
        Presence::new(state, CancellationToken::new())
    }

    /// Everything this process may read, once. What it may not read is left out and named.
    pub(crate) async fn read_all(&self) -> Result<Listing, ReadError> {
        let kinds: Vec<Kind> = Kind::ALL
            .iter()
            .copied()
            .filter(|kind| self.api.settings.role.reads_state_of(*kind))
            .collect();
        let mut missing: BTreeSet<Kind> = kinds.iter().copied().collect();
        let mut watch = self.subscribe(&kinds);
        let mut problems = self.problems();
        // What was said before this began counts.
        problems.mark_changed();
        let mut shown = 0;
        let whole = async {
            while !missing.is_empty() {
                tokio::select! {
                    changes = watch.next() => for change in changes {
                        if let Change::Synced(kind) = change {
                            missing.remove(&kind);
                            shown += 1;
                        }
                    },
                    _ = problems.changed() => {
                        if let Some(error) = hopeless(&problems.borrow_and_update()) {
                            return Err(error);
                        }
                        // Kinds about which there is such an answer are not waited for.
                        let refused = self.api.outlook.refused();
                        missing.retain(|kind| !refused.contains_key(kind));
                        // Which Secrets are read, these say.
                        let mut naming = [Kind::BGPPeer, Kind::BGPPeerTemplate].iter();
                        if naming.any(|kind| refused.contains_key(kind)) {
                            missing.remove(&Kind::Secret);
                        }
                    }
                }
            }
            // An empty cluster and one that shows nothing are not the same.
            match self.api.outlook.refused().into_values().next() {
                Some(trouble) if shown == 0 => Err(ReadError::NothingShown {
                    message: trouble.to_string().into(),
                }),
                _ => Ok(()),
            }
        };
        match timeout(READ_ALL, whole).await {
            Ok(done) => done?,
            Err(_) => return Err(ReadError::NoAnswer { within: READ_ALL }),
        }
        let problems = Arc::clone(&self.problems().borrow());
        Ok(Listing {
            objects: self.api.hub.objects(),
            problems,
            skipped: Arc::default(),
            unread: self.api.outlook.refused(),
            events: Vec::new(),
            present: self.api.present(),
        })
    }
}

fn lease_unread(error: &CallError) -> ReadError {
    ReadError::LeaseUnread {
        message: error.to_string().into(),
    }
}

/// What makes waiting for everything pointless.
fn hopeless(problems: &[SourceProblem]) -> Option<ReadError> {
    problems.iter().find_map(|problem| match &problem.trouble {
        Trouble::Unreachable { message } | Trouble::NotConfigured { message } => {
            Some(ReadError::NoApiServer {
                message: message.clone(),
            })
        }
        _ => None,
    })
}

impl Api {
    fn new(settings: KubernetesOptions, link: watch::Receiver<Option<Link>>) -> Arc<Self> {
        Arc::new(Self {
            settings,
            hub: Hub::default(),
            outlook: Outlook::new(),
            calls: Calls::default(),
            gate: Gate::new(),
            series: Mutex::default(),
            link,
            followed: Mutex::default(),
            followers: TaskTracker::new(),
            end: CancellationToken::new(),
        })
    }

    /// The same with a client that is there.
    #[cfg(any(test, feature = "fake"))]
    fn over(client: Client, options: KubernetesOptions) -> Arc<Self> {
        let namespace = options.namespace.as_deref();
        let namespace = namespace.unwrap_or(SPEAKER_KEY_NAMESPACE).into();
        let (_tell, link) = watch::channel(Some(Link {
            client,
            namespace,
            server: "".into(),
        }));
        Self::new(options, link)
    }

    /// A subscription; kinds that nobody has asked for yet are followed from here on.
    fn subscribe(self: &Arc<Self>, kinds: &[Kind]) -> Subscription {
        for &kind in kinds {
            self.ensure_followed(kind);
        }
        self.hub.subscribe(kinds)
    }

    fn ensure_followed(self: &Arc<Self>, kind: Kind) {
        let mut followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        if !followed.insert(kind) {
            return;
        }
        drop(followed);
        let api = Arc::clone(self);
        let work = Work::Kind(kind);
        if kind == Kind::Secret {
            tokio::spawn(supervise(api, work, secrets::read));
        } else {
            let follow = move |api| follow::follow(api, kind);
            self.followers.spawn(supervise(api, work, follow));
        }
    }

    /// Events that were told lately; held for moments.
    fn series(&self) -> MutexGuard<'_, Series> {
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ringbolt's own namespace, as far as it is known.
    fn namespace(&self) -> Arc<str> {
        let link = self.link.borrow();
        link.as_ref().map_or_else(
            || SPEAKER_KEY_NAMESPACE.into(),
            |link| Arc::clone(&link.namespace),
        )
    }

    /// The body of the answer to a call.
    async fn bytes(&self, call: &Call) -> Result<Bytes, CallError> {
        self.list(call).await.map_err(|failed| failed.error)
    }

    /// The same, for who comes again when the server wants it.
    async fn list(&self, call: &Call) -> Result<Bytes, Failed> {
        let client = self.client().await?;
        self.caller(&client).call(call).await
    }

    /// An answer whose body is yet to be read.
    async fn open(&self, call: &Call) -> Result<http::Response<Body>, Failed> {
        let client = self.client().await?;
        self.caller(&client).open(call).await
    }

    fn caller<'a>(&'a self, client: &'a Client) -> Caller<'a> {
        Caller {
            client,
            calls: &self.calls,
            gate: &self.gate,
        }
    }

    /// The client. Who asks while the configuration is still read waits for it a moment.
    async fn client(&self) -> Result<Client, CallError> {
        let link = self.linked().await.ok_or(CallError::NotConfigured)?;
        Ok(link.client)
    }

    async fn linked(&self) -> Option<Link> {
        let mut link = self.link.clone();
        let waited = timeout(CONFIGURED, link.wait_for(Option::is_some)).await;
        waited.ok()?.ok()?.clone()
    }

    /// The URL of the API server, as soon as the configuration can be read.
    async fn server(&self) -> Option<String> {
        let mut link = self.link.clone();
        let link = link.wait_for(Option::is_some).await.ok()?;
        link.as_ref().map(|link| link.server.to_string())
    }

    /// Does `work` on a thread that may wait.
    async fn patiently<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        tokio::task::spawn_blocking(work).await.ok()
    }

    /// The nodes that have a Speaker object. Whether its speaker lives at this moment is not known
    /// here: its conditions and their times say what can be said.
    fn present(&self) -> BTreeSet<NodeName> {
        let speakers = self
            .hub
            .objects()
            .into_iter()
            .filter_map(|object| match object {
                Object::Speaker(speaker) => speaker.metadata.name.as_deref()?.parse().ok(),
                _ => None,
            });
        speakers.collect()
    }
}
