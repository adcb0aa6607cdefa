//! When a report is made and where it goes: `/status` and metrics soon after something worth showing changed, the
//! Speaker object at most as often as all nodes together may write.
//!
//! It knows nothing of what the report says ([`crate::status`] does). The object is written beside everything else:
//! an API server that does not answer delays no announcement. A write that fails is tried again at a later turn.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use ringbolt_bgp_net::{ListenerState, Stats as BgpStats};
use ringbolt_cluster::{PresenceState, SourceProblem, WriteError, Writer};
use ringbolt_config::api::condition::Condition;
use ringbolt_config::api::speaker::{Speaker, SpeakerStatus};
use ringbolt_l2_net::Stats as L2Stats;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::{debug, info, warn};

use crate::keys::{KeySource, KeyState};
use crate::metrics::Metrics;
use crate::planner::{Planner, Touched};
use crate::status::{self, Phase, Picture};

/// The least time between two reports.
const GAP_MIN: Duration = Duration::from_millis(200);
/// Reports take at most one part in this many of a core: with many Services they are made less often.
const SHARE: u32 = 20;
/// How long an object is not written while the source is still read: what it would say is over in a moment.
const READING_PATIENCE: Duration = Duration::from_secs(5);
/// Wait after a write that failed; doubled with each further one, up to the longest.
const RETRY: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(16);
/// How long after a write was begun its end is looked for.
const LOOK: Duration = Duration::from_millis(200);
/// How long the last write of a process may take.
const LAST_WRITE: Duration = Duration::from_secs(1);
/// Counters alone make a new report only this often.
const REFRESH_INTERVAL: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests;

/// What a report needs beside the planner.
pub(crate) struct Outside<'a> {
    pub(crate) phase: &'a Phase,
    pub(crate) bgp: Option<Arc<BgpStats>>,
    pub(crate) layer2: Option<Arc<L2Stats>>,
    pub(crate) source: Arc<[SourceProblem]>,
    pub(crate) keys: &'a KeySource,
    pub(crate) presence: PresenceState,
}

/// What the last report was made of, as far as it is compared.
struct Shown {
    at: Instant,
    phase: Phase,
    bgp: Option<Arc<BgpStats>>,
    layer2: Option<Arc<L2Stats>>,
    source: Arc<[SourceProblem]>,
    keys: KeyState,
    presence: PresenceState,
}

/// A write under way.
struct Writing {
    began: Instant,
    status: SpeakerStatus,
    task: JoinHandle<Result<(), WriteError>>,
}

/// Makes reports.
pub(crate) struct Reporter {
    writer: Writer,
    metrics: Metrics,
    publish: watch::Sender<Arc<str>>,
    conditions: Vec<Condition>,
    planner: Touched,
    shown: Option<Shown>,
    written: Option<(Instant, SpeakerStatus)>,
    writing: Option<Writing>,
    /// Writes that failed since the last that did not, and no write before this.
    failures: u32,
    retry_at: Instant,
    started: Instant,
    /// When the next report is due, if one is.
    due: Option<Instant>,
    /// No report before this.
    not_before: Instant,
}

impl Reporter {
    pub(crate) fn new(writer: Writer, metrics: Metrics, publish: watch::Sender<Arc<str>>) -> Self {
        let now = Instant::now();
        Self {
            writer,
            metrics,
            publish,
            conditions: Vec::new(),
            planner: Touched::Yes,
            shown: None,
            written: None,
            writing: None,
            failures: 0,
            retry_at: now,
            started: now,
            due: Some(now),
            not_before: now,
        }
    }

    /// Something may have changed outside the planner.
    pub(crate) fn note(&mut self) {
        let soon = self.not_before;
        self.due = Some(self.due.map_or(soon, |due| due.min(soon)));
    }

    /// The planner took something in.
    pub(crate) fn planner_changed(&mut self) {
        self.planner = Touched::Yes;
        self.note();
    }

    /// When to call [`Self::report`].
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Makes a report if there is something to show.
    pub(crate) async fn report(&mut self, planner: &Planner, outside: Outside<'_>) {
        let now = Instant::now();
        self.due = None;
        if self.planner == Touched::No
            && self
                .shown
                .as_ref()
                .is_some_and(|shown| shown.covers(&outside, now))
        {
            return;
        }
        let time = Timestamp::now();
        let picture = outside.picture(planner, now, time);
        status::conditions::update(&mut self.conditions, &picture, time);
        self.metrics.update(&picture);
        self.publish
            .send_replace(status::report(&picture, &self.conditions).into());
        let speaker = status::speaker(&picture, self.conditions.clone());
        self.not_before = now + GAP_MIN.max(now.elapsed() * SHARE);
        let interval = status::write_interval(planner.nodes());
        // What could not be written yet makes another turn.
        self.due = self.write(speaker, outside.phase, now, interval).await;
        self.planner = if self.due.is_some() {
            Touched::Yes
        } else {
            Touched::No
        };
        self.shown = Some(Shown {
            at: now,
            phase: outside.phase.clone(),
            bgp: outside.bgp,
            layer2: outside.layer2,
            source: outside.source,
            keys: outside.keys.state(),
            presence: outside.presence,
        });
    }

    /// Writes the object if it says something new and it is time; when to try again, if that is needed.
    async fn write(
        &mut self,
        speaker: Speaker,
        phase: &Phase,
        now: Instant,
        interval: Duration,
    ) -> Option<Instant> {
        if let Some(again) = self.collect(now).await {
            return Some(again);
        }
        if now < self.retry_at {
            return Some(self.retry_at);
        }
        let status = speaker.status.as_ref()?;
        let patience = self.started + READING_PATIENCE;
        if matches!(phase, Phase::Reading(_)) && now < patience {
            return Some(patience);
        }
        if let Some((at, before)) = &self.written {
            if same(before, status) {
                return None;
            }
            if now < *at + interval {
                return Some(*at + interval);
            }
        }
        let (writer, status) = (self.writer.clone(), status.clone());
        let task = tokio::spawn(async move { writer.apply_speaker(&speaker).await });
        self.writing = Some(Writing {
            began: now,
            status,
            task,
        });
        Some(now + LOOK)
    }

    /// Takes in how the write under way has ended; when to look again if it has not, or has failed.
    async fn collect(&mut self, now: Instant) -> Option<Instant> {
        let writing = self.writing.take()?;
        if !writing.task.is_finished() {
            self.writing = Some(writing);
            return Some(now + LOOK);
        }
        match writing.task.await {
            Ok(Ok(())) => {
                debug!("wrote the Speaker object");
                if self.failures > 0 {
                    info!(
                        failures = self.failures,
                        "the Speaker object is written again"
                    );
                }
                self.failures = 0;
                self.written = Some((writing.began, writing.status));
                None
            }
            Ok(Err(error)) => {
                if self.failures == 0 {
                    warn!(%error, "cannot write the Speaker object; trying on");
                } else {
                    debug!(%error, "cannot write the Speaker object");
                }
                self.retry_at = now + pause(self.failures);
                self.failures = self.failures.saturating_add(1);
                Some(self.retry_at)
            }
            // It was cancelled with the runtime.
            Err(_) => None,
        }
    }

    /// Waits for the write under way, for a moment.
    pub(crate) async fn finish(&mut self) {
        if let Some(writing) = self.writing.take() {
            let _late = timeout(LAST_WRITE, writing.task).await;
        }
    }
}

impl Outside<'_> {
    fn picture<'a>(&'a self, planner: &'a Planner, now: Instant, time: Timestamp) -> Picture<'a> {
        let bgp = self.bgp.as_deref();
        Picture {
            planner,
            phase: self.phase,
            router: bgp.map(|stats| &stats.router),
            listener: bgp.and_then(listener_trouble),
            dial_errors: bgp.map(|stats| &stats.dial_errors),
            layer2: self.layer2.as_deref(),
            source: &self.source,
            keys: self.keys.problem(),
            key_ids: self.keys.ids(),
            presence: self.presence,
            now,
            time,
        }
    }
}

impl Shown {
    /// Whether the report that was made would say the same, but for counters.
    fn covers(&self, outside: &Outside<'_>, now: Instant) -> bool {
        now.duration_since(self.at) < REFRESH_INTERVAL
            && self.phase == *outside.phase
            && same_sessions(self.bgp.as_deref(), outside.bgp.as_deref())
            && same_segments(self.layer2.as_deref(), outside.layer2.as_deref())
            && self.source == outside.source
            && self.keys == outside.keys.state()
            && self.presence == outside.presence
    }
}

fn same_sessions(before: Option<&BgpStats>, after: Option<&BgpStats>) -> bool {
    let (Some(before), Some(after)) = (before, after) else {
        return before.is_none() && after.is_none();
    };
    let peers = before.router.peers.iter().zip(&after.router.peers);
    before.router.peers.len() == after.router.peers.len()
        && listener_trouble(before) == listener_trouble(after)
        && before.dial_errors == after.dial_errors
        && peers.into_iter().all(|((id, was), (other_id, is))| {
            id == other_id
                && was.state == is.state
                && was.flaps == is.flaps
                && was.prefixes_in == is.prefixes_in
                && was.prefixes_out == is.prefixes_out
                && was.withheld == is.withheld
        })
}

fn same_segments(before: Option<&L2Stats>, after: Option<&L2Stats>) -> bool {
    let (Some(before), Some(after)) = (before, after) else {
        return before.is_none() && after.is_none();
    };
    let heard = |stats: &L2Stats| -> Vec<_> {
        let all = stats.announcer.interfaces.iter();
        all.map(|(index, found)| {
            let members: Vec<_> = found.members.keys().cloned().collect();
            (*index, found.joined, members, found.conditions.clone())
        })
        .collect()
    };
    before.announcer.withheld == after.announcer.withheld
        && before.announcer.addresses == after.announcer.addresses
        && before.interfaces == after.interfaces
        && before.failures == after.failures
        && heard(before) == heard(after)
}

/// How long to wait after a failure that so many came before.
fn pause(failures: u32) -> Duration {
    let doubled = RETRY.saturating_mul(1_u32 << failures.min(10));
    doubled.min(RETRY_MAX)
}

/// Whether two statuses say the same; when they were written is not a statement.
fn same(before: &SpeakerStatus, after: &SpeakerStatus) -> bool {
    let after = SpeakerStatus {
        updated_at: before.updated_at,
        ..after.clone()
    };
    *before == after
}

/// The first listening socket that is wanted and does not listen, or does not know a peer's key.
fn listener_trouble(stats: &BgpStats) -> Option<(&'static str, String)> {
    stats
        .listeners
        .iter()
        .find_map(|(at, found)| match (&found.state, found.unkeyed.first()) {
            (ListenerState::Waiting { problem, .. }, _) => Some((
                problem.reason(),
                format!("cannot listen on {at}; it is tried again"),
            )),
            (ListenerState::Listening, Some(peer)) => Some((
                "KeyNotSet",
                format!("{at}: no TCP-MD5 key could be set for {peer}"),
            )),
            (ListenerState::Listening, None) => None,
        })
}
