//! The wiring: waits for leadership, then lets one [`Engine`] see the watch, the clock and the
//! answers to its writes, until shutdown or until leadership is lost.
//!
//! One task owns the engine. Writes run as tasks of their own, as many as the engine begins; events
//! and the status page are paced here, because only here is time known to pass. A term that ends
//! leaves nothing behind: the next one begins with a new watch and a new engine.

mod events;
mod page;
mod writes;

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use prometheus_client::registry::Registry;
use ringbolt_cluster::{Cluster, Leadership, SourceProblem, Watch, Writer};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::engine::{Answer, Engine, Input, Moment, Output, Ticket};
use crate::index::KINDS;
use crate::metrics::Metrics;
use crate::settings::Settings;
use events::Events;
use page::{Page, Role};

/// A candidate that does not lead after this long follows somebody.
const FOLLOWING_AFTER: Duration = Duration::from_millis(500);
/// After a term that ended by a fault of ours.
const PAUSE_AFTER_FAULT: Duration = Duration::from_secs(1);
/// How long writes under way may take once we are to stop.
const LAST_WRITES: Duration = Duration::from_secs(2);
/// Between two tries to create the speakers' key.
const KEY_RETRY: Duration = Duration::from_secs(5);
/// Least and greatest time between two status pages; in between, by the number of Services.
const PAGE_LEAST: Duration = Duration::from_millis(250);
const PAGE_GREATEST: Duration = Duration::from_secs(5);
const PAGE_PER_SERVICE: Duration = Duration::from_micros(200);

/// What is left to a caller of [`run`].
#[derive(Debug)]
pub struct Handles {
    /// The controller's metrics.
    pub metrics: Registry,
    /// The status page as JSON, newest first and only.
    pub status: watch::Receiver<Arc<str>>,
    /// Whether the controller does its work, or stands by to do it.
    pub ready: watch::Receiver<bool>,
    /// Ends after `shutdown`, when writes under way are done.
    pub task: JoinHandle<()>,
}

/// Starts the controller. Call it inside a tokio runtime.
pub fn run(settings: Settings, cluster: Cluster, shutdown: CancellationToken) -> Handles {
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let (status, status_seen) = watch::channel(Page::of(Role::Starting, &[]).text());
    let (ready, ready_seen) = watch::channel(false);
    let outlets = Outlets {
        metrics,
        status,
        ready,
    };
    let task = tokio::spawn(work(settings, cluster, shutdown, outlets));
    Handles {
        metrics: registry,
        status: status_seen,
        ready: ready_seen,
        task,
    }
}

/// Where the controller shows itself.
struct Outlets {
    metrics: Metrics,
    status: watch::Sender<Arc<str>>,
    ready: watch::Sender<bool>,
}

impl Outlets {
    /// Readiness does not depend on leadership, and does not end with it.
    fn is_ready(&self) {
        self.ready
            .send_if_modified(|ready| !std::mem::replace(ready, true));
    }
}

/// How a term ended.
enum End {
    Shutdown,
    Lost,
    /// A write task died; what it did is not known.
    Fault,
}

async fn work(settings: Settings, cluster: Cluster, shutdown: CancellationToken, outlets: Outlets) {
    loop {
        let Some(leadership) = candidacy(&cluster, &shutdown, &outlets).await else {
            return;
        };
        tracing::info!("this controller leads");
        outlets.metrics.set_leading(true);
        let end = Term::new(&settings, &cluster, &outlets)
            .run(&leadership, &shutdown)
            .await;
        outlets.metrics.set_leading(false);
        match end {
            End::Shutdown => {
                // So that the next one need not wait for the end of a lease.
                leadership.step_down().await;
                return;
            }
            End::Lost => tracing::warn!("this controller leads no longer"),
            End::Fault => {
                tracing::error!("a write ended without an answer; starting over");
                sleep(PAUSE_AFTER_FAULT).await;
            }
        }
    }
}

/// Waits for leadership; `None` on shutdown.
async fn candidacy(
    cluster: &Cluster,
    shutdown: &CancellationToken,
    outlets: &Outlets,
) -> Option<Leadership> {
    let lead = cluster.lead();
    tokio::pin!(lead);
    tokio::select! {
        () = shutdown.cancelled() => return None,
        leadership = &mut lead => return Some(leadership),
        () = sleep(FOLLOWING_AFTER) => {}
    }
    tracing::info!("this controller follows until it is its turn to lead");
    let mut problems = cluster.problems();
    let mut identity = cluster.identity();
    loop {
        // Before the page: who reads there that this one follows may ask whether it is ready. A
        // cluster that says who it is can be reached.
        if identity.borrow_and_update().is_some() {
            outlets.is_ready();
        }
        let page = Page::of(Role::Following, &problems.borrow_and_update()).text();
        outlets.status.send_replace(page);
        tokio::select! {
            () = shutdown.cancelled() => return None,
            leadership = &mut lead => return Some(leadership),
            Ok(()) = problems.changed() => {}
            Ok(()) = identity.changed() => {}
        }
    }
}

/// One term of leadership.
struct Term<'a> {
    cluster: &'a Cluster,
    outlets: &'a Outlets,
    watch: Watch,
    writer: Writer,
    engine: Engine,
    writes: JoinSet<(Ticket, Answer)>,
    events: Events,
    page_shown: Option<Instant>,
    /// Something happened since the page was made.
    page_stale: Shown,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Stale,
    Fresh,
}

impl<'a> Term<'a> {
    fn new(settings: &Settings, cluster: &'a Cluster, outlets: &'a Outlets) -> Self {
        Self {
            watch: cluster.watch(KINDS),
            writer: cluster.writer(),
            cluster,
            outlets,
            engine: Engine::new(settings.clone()),
            writes: JoinSet::new(),
            events: Events::new(now()),
            page_shown: None,
            page_stale: Shown::Stale,
        }
    }

    async fn run(mut self, leadership: &Leadership, shutdown: &CancellationToken) -> End {
        let mut chores = JoinSet::new();
        chores.spawn(ensure_key(self.writer.clone()));
        let problems = self.cluster.problems();
        let mut problems_changed = problems.clone();
        loop {
            self.effects();
            self.show(&problems);
            let tick = self.next_tick();
            tokio::select! {
                () = shutdown.cancelled() => {
                    self.finish().await;
                    return End::Shutdown;
                }
                () = leadership.lost() => return End::Lost,
                changes = self.watch.next() => {
                    // Known as soon as there is a client, and so before the first change.
                    let namespace = self.cluster.secret_namespace();
                    self.engine.handle(Input::SecretNamespace(namespace), moment());
                    self.handle(Input::Changes(changes));
                }
                Some(done) = self.writes.join_next() => {
                    let Ok((ticket, answer)) = done else { return End::Fault };
                    self.handle(Input::Answer { ticket, answer });
                }
                Ok(()) = problems_changed.changed() => self.page_stale = Shown::Stale,
                () = sleep_until(tick.into()) => self.engine.handle(Input::Tick, moment()),
            }
        }
    }

    fn handle(&mut self, input: Input) {
        self.engine.handle(input, moment());
        self.page_stale = Shown::Stale;
    }

    /// Begins what the engine wants to be done.
    fn effects(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Write { ticket, write } => {
                    let writer = self.writer.clone();
                    self.writes
                        .spawn(async move { (ticket, writes::carry_out(&writer, write).await) });
                }
                Output::Event(event) => {
                    tracing::info!(object = %event.regarding, reason = event.reason, note = event.note, "event");
                    if !self.events.push(event) {
                        self.outlets.metrics.event_dropped();
                    }
                }
                Output::Refused {
                    object,
                    reason,
                    message,
                } => tracing::warn!(%object, reason, message, "an object is refused"),
                Output::InForce(object) => tracing::info!(%object, "an object is in force"),
            }
        }
        while let Some(event) = self.events.pop(now()) {
            let writer = self.writer.clone();
            // Losing an event is nobody's loss but the event's.
            tokio::spawn(async move { writer.event(event).await.ok() });
        }
    }

    fn next_tick(&self) -> Instant {
        let far = now() + Duration::from_secs(3600);
        let page = (self.page_stale == Shown::Stale).then(|| self.page_due());
        [
            self.engine.next_deadline(),
            self.events.next_deadline(),
            page,
        ]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or(far)
    }

    fn page_due(&self) -> Instant {
        let services = u32::try_from(self.engine.services()).unwrap_or(u32::MAX);
        let spacing = PAGE_PER_SERVICE
            .saturating_mul(services)
            .clamp(PAGE_LEAST, PAGE_GREATEST);
        self.page_shown.map_or_else(now, |shown| shown + spacing)
    }

    fn show(&mut self, problems: &watch::Receiver<Arc<[SourceProblem]>>) {
        if self.engine.is_ready() {
            self.outlets.is_ready();
        }
        if self.page_stale == Shown::Fresh || self.page_due() > now() {
            return;
        }
        self.page_stale = Shown::Fresh;
        self.page_shown = Some(now());
        self.outlets.metrics.observe(&self.engine);
        let mut page = Page::of(Role::Leading, &problems.borrow());
        page.report = Some(self.engine.report());
        self.outlets.status.send_replace(page.text());
    }

    /// Waits for writes under way: the next controller then needs no bound for them.
    async fn finish(&mut self) {
        let last = async { while self.writes.join_next().await.is_some() {} };
        if timeout(LAST_WRITES, last).await.is_err() {
            tracing::warn!("writes were under way at the end");
        }
    }
}

/// The key by which speakers know each other exists before they need it (contracts 3.6).
async fn ensure_key(writer: Writer) {
    while let Err(error) = writer.ensure_speaker_key().await {
        tracing::warn!(%error, "the speakers' key cannot be made sure of");
        sleep(KEY_RETRY).await;
    }
}

/// The clock that waiting goes by: tests turn it themselves.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn moment() -> Moment {
    Moment {
        mono: now(),
        wall: Timestamp::now(),
    }
}

#[cfg(test)]
mod tests;
