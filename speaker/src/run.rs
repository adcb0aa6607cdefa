//! The wiring: one task that takes changes from the cluster into the planner and carries its orders out. It owns the
//! order of things (read everything, then announce; say goodbye, then end) and nothing else.
//!
//! Cancel safety: between steps the loop awaits only `Watch::next`, watch channels, timers and the shutdown token,
//! all of which lose nothing when dropped; a step itself is never cancelled.

use std::collections::BTreeSet;
use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus_client::registry::Registry;
use ringbolt_bgp::router::ShutdownMode;
use ringbolt_cluster::{Change, Cluster, Presence, PresenceState};
use ringbolt_config::names::Kind;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::keys::KeySource;
use crate::layer2::Layer2;
use crate::metrics::Metrics;
use crate::planner::{KINDS, Planner, Touched};
use crate::reporter::{Outside, Reporter};
use crate::routing::Routing;
use crate::settings::{OnTerm, Settings};
use crate::status::Phase;

#[cfg(test)]
mod tests;

/// What a running speaker shows, and how to wait for its end.
#[derive(Debug)]
pub struct Handles {
    /// Metrics, registered once.
    pub metrics: Registry,
    /// What `/status` shows, as JSON text.
    pub status: watch::Receiver<Arc<str>>,
    /// Whether everything was read and announced, and no goodbye is under way.
    pub ready: watch::Receiver<bool>,
    /// Ends when, after the shutdown was asked for, all goodbyes are said.
    pub task: JoinHandle<()>,
}

/// Starts a speaker; call inside a tokio runtime. It works until `shutdown` is cancelled.
pub fn run(settings: Settings, cluster: Cluster, shutdown: CancellationToken) -> Handles {
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let (publish, status) = watch::channel(Arc::from("null"));
    let (tell_ready, ready) = watch::channel(false);
    let reporter = Reporter::new(cluster.writer(), metrics, publish);
    let speaker = Speaker {
        planner: Planner::new(&settings),
        answered: None,
        waiting: KINDS.iter().copied().collect(),
        restored: BTreeSet::new(),
        phase: Phase::Reading(KINDS.to_vec()),
        routing: None,
        layer2: Layer2::spawn(&settings.node, settings.state_dir.as_deref()),
        keys: KeySource::new(settings.key_file.clone()),
        presence: cluster.announce_presence(&settings.node),
        reporter,
        ready: tell_ready,
        settings,
        cluster,
    };
    Handles {
        metrics: registry,
        status,
        ready,
        task: tokio::spawn(speaker.work(shutdown)),
    }
}

/// For how long after the source has answered first a view that is not whole keeps End-of-RIB back. What is only late
/// is added to later; what is never coming must not keep peers waiting (contracts 4.3).
const VIEW_LIMIT: Duration = Duration::from_secs(60);
/// How often the key file is read, and what nobody reports is looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

struct Speaker {
    settings: Settings,
    cluster: Cluster,
    planner: Planner,
    /// Kinds that were not read completely yet.
    waiting: BTreeSet<Kind>,
    /// Those of them of which an earlier process has left a view.
    restored: BTreeSet<Kind>,
    /// When the source first said that it has told all of a kind.
    answered: Option<Instant>,
    phase: Phase,
    routing: Option<Routing>,
    layer2: Option<Layer2>,
    keys: KeySource,
    /// Held to the end: others tell by it that this speaker lives.
    presence: Presence,
    reporter: Reporter,
    ready: watch::Sender<bool>,
}

impl Speaker {
    async fn work(mut self, shutdown: CancellationToken) {
        let mut changes = self.cluster.watch(KINDS);
        let mut identity = self.cluster.identity();
        let mut source = self.cluster.problems();
        let mut look = interval(LOOK_INTERVAL);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        identity.mark_changed();
        loop {
            let due = self.reporter.due();
            let overdue = self.view_due();
            tokio::select! {
                () = shutdown.cancelled() => break,
                changes = changes.next() => self.take(changes).await,
                Ok(()) = identity.changed() => {
                    let known = identity.borrow_and_update().clone();
                    if let (Some(cluster), Some(layer2)) = (known, &self.layer2) {
                        layer2.set_cluster(cluster.as_str()).await;
                    }
                }
                () = changed(self.routing.as_mut().map(Routing::stats_mut)) => self.reporter.note(),
                () = changed(self.layer2.as_mut().map(Layer2::stats_mut)) => self.segments_changed().await,
                () = self.presence.changed() => self.presence_changed(),
                Ok(()) = source.changed() => self.reporter.note(),
                () = sleep_until(due.unwrap_or_else(Instant::now).into()), if due.is_some() => {
                    self.report().await;
                }
                () = sleep_until(overdue.unwrap_or_else(Instant::now).into()), if overdue.is_some() => {
                    self.complete_overdue().await;
                }
                _ = look.tick() => {
                    self.refresh_keys().await;
                    self.reporter.note();
                }
            }
        }
        self.leave().await;
    }

    /// Takes in what the source says. Nothing is announced before everything was said once, by the source
    /// or by the view of an earlier process; only the former completes what is announced (contracts 4.3).
    async fn take(&mut self, changes: Vec<Change>) {
        let (secrets, key) = (
            self.cluster.secret_namespace(),
            self.cluster.key_namespace(),
        );
        self.planner.set_namespaces(secrets, key);
        for change in changes {
            match change {
                Change::Apply(object) => self.planner.apply(object),
                Change::Delete(object) => self.planner.remove(&object),
                Change::Synced(kind) => {
                    self.answered.get_or_insert_with(Instant::now);
                    self.waiting.remove(&kind);
                }
                Change::Restored(kind) => {
                    self.restored.insert(kind);
                }
            }
        }
        match &self.phase {
            Phase::Reading(_) | Phase::Restored(_) if !self.waiting.is_empty() => {
                let waiting = self.waiting.iter().copied().collect();
                self.phase = if self.is_restored() {
                    self.settle().await;
                    Phase::Restored(waiting)
                } else {
                    Phase::Reading(waiting)
                };
            }
            Phase::Reading(_) | Phase::Restored(_) => {
                self.settle().await;
                if let Some(routing) = &mut self.routing {
                    routing.originations_complete().await;
                }
                self.phase = Phase::Announcing;
                self.ready.send_replace(true);
                info!(node = %self.settings.node, "everything read, announcing");
            }
            Phase::Announcing | Phase::Leaving => self.settle().await,
        }
        self.reporter.planner_changed();
    }

    /// When End-of-RIB follows what was restored although the source has not told everything.
    fn view_due(&self) -> Option<Instant> {
        let complete = self.routing.as_ref().is_none_or(Routing::is_complete);
        view_due(&self.phase, self.answered).filter(|_| !complete)
    }

    async fn complete_overdue(&mut self) {
        warn!(
            waiting = ?self.waiting,
            "not everything was read in time: peers wait for no more than what was announced"
        );
        if let Some(routing) = &mut self.routing {
            routing.originations_complete().await;
        }
    }

    /// Whether what an earlier process has left is all there. It never holds Secrets: what needs one waits,
    /// and is named as a problem.
    fn is_restored(&self) -> bool {
        !self.restored.is_empty()
            && self
                .waiting
                .difference(&self.restored)
                .all(|kind| *kind == Kind::Secret)
    }

    /// Computes what is to be announced and says it to both halves.
    async fn settle(&mut self) {
        let mut orders = self.planner.settle();
        let routing = self.routing.get_or_insert_with(|| {
            Routing::spawn(self.planner.identity(), self.settings.bgp_listen)
        });
        routing.carry_out(&self.planner, &mut orders).await;
        if orders.keys == Touched::Yes {
            self.refresh_keys().await;
        }
        let Some(layer2) = &mut self.layer2 else {
            return;
        };
        layer2
            .set_expected_speakers(self.planner.expected_speakers())
            .await;
        if let Some(drain) = orders.drain {
            layer2.set_drain(drain).await;
        }
        if orders.l2_advertisements == Touched::Yes {
            layer2.set_advertisements(&self.planner).await;
        }
        layer2.change_addresses(orders.shares).await;
    }

    /// Patterns of interface names mean the interfaces there are.
    async fn segments_changed(&mut self) {
        if let Some(layer2) = &mut self.layer2 {
            layer2.set_advertisements(&self.planner).await;
        }
        self.reporter.note();
    }

    fn presence_changed(&mut self) {
        if self.presence.state() == PresenceState::Duplicate {
            warn!(
                node = %self.settings.node, reason = "DuplicateNodeName",
                "another speaker runs with this --node-name; going on"
            );
        }
        self.reporter.note();
    }

    async fn refresh_keys(&mut self) {
        let ring = self
            .keys
            .refresh(self.planner.speaker_key().map(Arc::as_ref));
        if let (Some(ring), Some(layer2)) = (ring, &mut self.layer2) {
            layer2.set_keys(ring).await;
        }
    }

    async fn report(&mut self) {
        let outside = Outside {
            phase: &self.phase,
            bgp: self
                .routing
                .as_ref()
                .map(|routing| routing.stats().borrow().clone()),
            layer2: self
                .layer2
                .as_ref()
                .map(|layer2| layer2.stats().borrow().clone()),
            source: self.cluster.problems().borrow().clone(),
            keys: &self.keys,
            presence: self.presence.state(),
        };
        self.reporter.report(&self.planner, outside).await;
    }

    /// Says goodbye on both halves at once (contracts 4.1), then ends.
    async fn leave(mut self) {
        info!("told to end");
        self.phase = Phase::Leaving;
        self.ready.send_replace(false);
        self.report().await;
        let mode = match self.settings.on_term {
            OnTerm::Restart => ShutdownMode::Restart,
            OnTerm::Leave => ShutdownMode::Leave,
        };
        let routing = async {
            if let Some(routing) = self.routing.take() {
                routing.leave(mode).await;
            }
        };
        let layer2 = async {
            if let Some(layer2) = self.layer2.take() {
                layer2.leave().await;
            }
        };
        tokio::join!(
            routing,
            layer2,
            self.reporter.finish(),
            self.cluster.finish()
        );
        info!("said goodbye");
    }
}

/// When a view stops keeping End-of-RIB back: a while after the source has answered, and never before it has.
fn view_due(phase: &Phase, answered: Option<Instant>) -> Option<Instant> {
    match phase {
        Phase::Restored(_) => answered.map(|at| at + VIEW_LIMIT),
        Phase::Reading(_) | Phase::Announcing | Phase::Leaving => None,
    }
}

/// Returns when the channel holds something new; never if there is none, or its sender is gone.
async fn changed<T>(channel: Option<&mut watch::Receiver<T>>) {
    if let Some(channel) = channel
        && channel.changed().await.is_ok()
    {
        return;
    }
    pending::<()>().await;
}
