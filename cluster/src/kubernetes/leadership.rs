//! Which of several controllers works: kube-leader-election behind the one place that knows its limits.
//!
//! A lease saves work and is no more than that. The library renews without comparing versions, trusts
//! the wall clock and calls a renewed lease acquired although another holds it. So: who leads is read
//! from the answer's holder; the right ends on our own monotonic clock, a margin before others may take
//! it, whatever the server says; and a new leader waits one tick and asks again before it works. A lease
//! that was given back is taken under its version, so that a shorter wait will do; giving back goes by the
//! version too. Even so two may work for a moment: every write is fenced by its own version (contract 1.3).
//!
//! [`Term`] decides and is pure; the rest asks.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube_leader_election::{LeaseLock, LeaseLockParams, LeaseLockResult};
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::{Value, json};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::call::{Call, CallError, Payload};
use super::{Api, Election};
use crate::calls::{CallOutcome, Verb};
use crate::source::Leadership;

pub(super) mod leader;
#[cfg(test)]
mod tests;

/// The name of the Lease.
const NAME: &str = "ringbolt-controller";
/// How long a lease is good without being renewed.
const TTL: Duration = Duration::from_secs(15);
/// How often a follower looks whether it can be had. client-go does the same.
const LOOK: Duration = Duration::from_secs(2);
/// How long who has taken a lease that was given back waits before it asks again.
const SOON: Duration = Duration::from_secs(1);
/// How often it is renewed, and how long who has gained it from another waits before it asks again: longer
/// than a write of somebody who gained it at the same time may be on its way.
const TICK: Duration = Duration::from_secs(5);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(4);
/// How long before the end of the lease the right to work ends.
const MARGIN: Duration = Duration::from_secs(3);
/// A lease that nobody has renewed for this long by our own clock is over, whatever its times say: the
/// clock of its holder may be ahead of ours.
const STILL: Duration = Duration::from_secs(20);
/// How long an orderly end may take to tell the others.
const STEP_DOWN: Duration = Duration::from_secs(2);

/// What came of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// The lease in the answer names us.
    Ours,
    /// It was free and names us, and nobody else can have gained it meanwhile.
    Taken,
    /// It names another, whatever the library calls it.
    Others,
    /// No answer, or none that says who holds it.
    Unknown,
}

/// Where a candidate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Following,
    /// The lease was gained; the first write waits until it was seen to be ours once more.
    Gained {
        until: Duration,
        pause: Duration,
    },
    /// Works, up to this instant.
    Leading {
        until: Duration,
    },
}

/// The decision. Times are monotonic, since any fixed instant.
#[derive(Debug)]
struct Term {
    standing: Standing,
}

impl Term {
    fn new() -> Self {
        Self {
            standing: Standing::Following,
        }
    }

    /// `asked` is when the question was sent: the lease may have been renewed then at the earliest.
    fn answered(&mut self, asked: Duration, answer: Answer, now: Duration) {
        let until = asked + TTL - MARGIN;
        self.standing = match (self.standing(now), answer) {
            (Standing::Following, Answer::Ours) => Standing::Gained { until, pause: TICK },
            (_, Answer::Taken) => Standing::Gained { until, pause: SOON },
            (Standing::Gained { .. } | Standing::Leading { .. }, Answer::Ours) => {
                Standing::Leading { until }
            }
            (_, Answer::Others) => Standing::Following,
            (standing, Answer::Unknown) => standing,
        };
    }

    /// What holds at this time: a right that has run out is none.
    fn standing(&self, now: Duration) -> Standing {
        match self.standing {
            Standing::Gained { until, .. } | Standing::Leading { until } if now >= until => {
                Standing::Following
            }
            standing => standing,
        }
    }

    /// When the right to work ends unless it is renewed.
    fn until(&self) -> Option<Duration> {
        match self.standing {
            Standing::Leading { until } => Some(until),
            Standing::Following | Standing::Gained { .. } => None,
        }
    }
}

/// For how long another one's lease has not changed, as seen from here.
#[derive(Debug, Default)]
struct Stillness {
    version: Option<String>,
    since: Duration,
}

impl Stillness {
    /// Whether the lease, which is in this version, is over.
    fn is_over(&mut self, version: Option<&str>, now: Duration) -> bool {
        if self.version.as_deref() != version {
            self.version = version.map(str::to_owned);
            self.since = now;
        }
        now.saturating_sub(self.since) >= STILL
    }
}

/// One candidate.
struct Candidate {
    api: Arc<Api>,
    me: String,
    term: Term,
    stillness: Stillness,
    started: Instant,
    /// What was said last about why the lease cannot be had.
    trouble: Option<String>,
}

/// Waits until this process leads. Cancel safe: a lease that was gained runs out or is found again.
pub(super) async fn lead(api: &Arc<Api>) -> Leadership {
    if api.settings.election == Election::Off {
        return Leadership::new(CancellationToken::new());
    }
    let me = api.identity_of_candidate();
    let mut candidate = Candidate {
        api: Arc::clone(api),
        me,
        term: Term::new(),
        stillness: Stillness::default(),
        started: Instant::now(),
        trouble: None,
    };
    loop {
        candidate.ask().await;
        let pause = match candidate.term.standing(candidate.now()) {
            Standing::Following => LOOK,
            Standing::Gained { pause, .. } => pause,
            Standing::Leading { .. } => break,
        };
        sleep(pause).await;
    }
    info!(
        lease = NAME,
        identity = candidate.me,
        "this controller leads"
    );
    let (lost, released) = (CancellationToken::new(), CancellationToken::new());
    let guard = Leadership::released_by(lost.clone(), released.clone());
    tokio::spawn(async move {
        // However this task ends, the right ends with it.
        let _ended = (lost.clone().drop_guard(), released.drop_guard());
        candidate.hold(&lost).await;
    });
    guard
}

impl Candidate {
    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Renews until the right is given back or runs out.
    async fn hold(&mut self, lost: &CancellationToken) {
        // The lease was renewed a moment ago.
        let mut tick = interval_at(Instant::now() + TICK, TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let end = self.term.until().unwrap_or_default();
            let runs_out = tokio::time::sleep_until(self.started + end);
            let renew = async {
                tick.tick().await;
                self.ask().await;
            };
            tokio::select! {
                biased;
                () = lost.cancelled() => break,
                () = runs_out => {
                    warn!(lease = NAME, "the lease was not renewed in time; another controller may lead");
                    lost.cancel();
                    return;
                }
                () = renew => {}
            }
            if self.term.until().is_none() {
                warn!(lease = NAME, "another controller holds the lease");
                lost.cancel();
                return;
            }
        }
        // One that does not succeed is waited for by the others, as after a crash.
        let _late = timeout(STEP_DOWN, self.give_back()).await;
    }

    async fn ask(&mut self) {
        let asked = self.now();
        let answer = match timeout(PATIENCE, self.answer()).await {
            Ok(answer) => answer,
            Err(_) => {
                let verb = match self.term.standing(asked) {
                    Standing::Following => Verb::Get,
                    Standing::Gained { .. } | Standing::Leading { .. } => Verb::Patch,
                };
                self.count(verb, CallOutcome::Timeout);
                Answer::Unknown
            }
        };
        let now = self.now();
        self.term.answered(asked, answer, now);
    }

    async fn answer(&mut self) -> Answer {
        let Some(lock) = self.lock() else {
            return Answer::Unknown;
        };
        match lock.try_acquire_or_renew().await {
            Ok(LeaseLockResult::Acquired(lease)) => {
                self.count(Verb::Patch, CallOutcome::Ok);
                self.trouble = None;
                if holder(&lease) == Some(&self.me) {
                    Answer::Ours
                } else {
                    Answer::Others
                }
            }
            Ok(LeaseLockResult::NotAcquired(lease)) => {
                self.count(Verb::Get, CallOutcome::Ok);
                self.trouble = None;
                if holder(&lease).is_some_and(String::is_empty) {
                    return self.take(lease).await;
                }
                let (version, now) = (lease.metadata.resource_version.as_deref(), self.now());
                if self.stillness.is_over(version, now) {
                    self.expire(&lease).await;
                }
                Answer::Others
            }
            Err(kube_leader_election::Error::TraverseLease { key }) => {
                warn!(
                    lease = NAME,
                    key, "the lease lacks a field; writing it anew"
                );
                self.mend().await;
                Answer::Unknown
            }
            Err(error) => {
                let (verb, outcome) = refused(&error);
                self.count(verb, outcome);
                let trouble = error.to_string();
                if self.trouble.as_ref() != Some(&trouble) {
                    warn!(lease = NAME, %error, "the lease cannot be had");
                    self.trouble = Some(trouble);
                }
                Answer::Unknown
            }
        }
    }

    /// Takes a lease that was given back, if it still is.
    async fn take(&self, free: Lease) -> Answer {
        let transitions = free.spec.and_then(|spec| spec.lease_transitions);
        let now = format!("{:.6}", Timestamp::now());
        let patch = json!({
            "holderIdentity": self.me,
            "leaseDurationSeconds": TTL.as_secs(),
            "leaseTransitions": transitions.unwrap_or(0).saturating_add(1),
            "acquireTime": now,
            "renewTime": now,
        });
        match self.rewrite(free.metadata.resource_version, patch).await {
            Ok(lease) if holder(&lease) == Some(&self.me) => Answer::Taken,
            Ok(_) => Answer::Others,
            Err(error) if error.outcome() == CallOutcome::Conflict => Answer::Others,
            Err(_) => Answer::Unknown,
        }
    }

    /// Leaves the lease to whoever comes, unless it is another one's already. Its duration stays: within
    /// that it is taken under its version alone.
    async fn give_back(&self) {
        let Ok(lease) = self.read().await else {
            return;
        };
        if holder(&lease) == Some(&self.me) {
            let now = format!("{:.6}", Timestamp::now());
            let patch = json!({"holderIdentity": "", "renewTime": now});
            let version = lease.metadata.resource_version;
            let _outcome = self.rewrite(version, patch).await;
        }
    }

    async fn read(&self) -> Result<Lease, CallError> {
        let get = Call::new(Verb::Get, "leases", self.path());
        let bytes = self.api.bytes(&get).await?;
        understood(&bytes)
    }

    /// A lease that a person made by hand may lack what the library cannot do without.
    async fn mend(&self) {
        let Ok(lease) = self.read().await else {
            return;
        };
        let spec = lease.spec.unwrap_or_default();
        let renewed = spec.renew_time.map(|time| time.0);
        let patch = json!({
            "holderIdentity": spec.holder_identity.unwrap_or_default(),
            "leaseDurationSeconds": spec.lease_duration_seconds.unwrap_or(1),
            "leaseTransitions": spec.lease_transitions.unwrap_or(0),
            "renewTime": format!("{:.6}", renewed.unwrap_or_else(Timestamp::now)),
        });
        let version = lease.metadata.resource_version;
        let _outcome = self.rewrite(version, patch).await;
    }

    /// Gives a lease that is over a time that says so; a holder that renews it meanwhile wins.
    async fn expire(&self, lease: &Lease) {
        warn!(
            lease = NAME,
            "the lease is not renewed, though its time is not over by its holder's clock; ending it"
        );
        let patch = json!({"renewTime": format!("{:.6}", Timestamp::now() - 2 * TTL)});
        let version = lease.metadata.resource_version.clone();
        let _outcome = self.rewrite(version, patch).await;
    }

    /// Merges `spec` into the lease if it is still in this version.
    async fn rewrite(&self, version: Option<String>, spec: Value) -> Result<Lease, CallError> {
        let patch = json!({"metadata": {"resourceVersion": version}, "spec": spec});
        let call = Call {
            verb: Verb::Patch,
            plural: "leases",
            path: self.path(),
            body: Some(Payload {
                media: "application/merge-patch+json",
                bytes: patch.to_string().into(),
            }),
        };
        let bytes = self.api.bytes(&call).await?;
        understood(&bytes)
    }

    fn path(&self) -> String {
        lease_path(&self.api.namespace())
    }

    fn lock(&self) -> Option<LeaseLock> {
        let link = self.api.link.borrow();
        let link = link.as_ref()?;
        let params = LeaseLockParams {
            lease_name: NAME.to_owned(),
            holder_id: self.me.clone(),
            lease_ttl: TTL,
        };
        Some(LeaseLock::new(link.client.clone(), &link.namespace, params))
    }

    fn count(&self, verb: Verb, outcome: CallOutcome) {
        self.api.calls.count(verb, "leases", outcome);
    }
}

/// What the library could not do, in the words of our own calls.
fn refused(error: &kube_leader_election::Error) -> (Verb, CallOutcome) {
    use kube_leader_election::Error;
    let of = |error: &kube::Error| match error {
        kube::Error::Api(status) => refusal(status),
        _ => CallOutcome::Unavailable,
    };
    match error {
        Error::CreateLease(error) => (Verb::Create, of(error)),
        Error::AcquireLease(error) | Error::RenewLease(error) | Error::ReleaseLease(error) => {
            (Verb::Patch, of(error))
        }
        Error::GetLease(error) | Error::Kube(error) => (Verb::Get, of(error)),
        Error::ApiError { response } => (Verb::Get, refusal(response)),
        _ => (Verb::Get, CallOutcome::Unavailable),
    }
}

fn refusal(status: &kube::core::Status) -> CallOutcome {
    let refused = CallError::Refused {
        status: status.code,
        reason: status.reason.clone(),
        message: status.message.clone(),
    };
    refused.outcome()
}

fn understood(bytes: &[u8]) -> Result<Lease, CallError> {
    serde_json::from_slice(bytes).map_err(|error| CallError::NotUnderstood(error.to_string()))
}

fn lease_path(namespace: &str) -> String {
    format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{NAME}")
}

fn holder(lease: &Lease) -> Option<&String> {
    lease.spec.as_ref()?.holder_identity.as_ref()
}

impl Api {
    /// Pod name (or what the options say) and a random part: two processes never share it.
    fn identity_of_candidate(&self) -> String {
        let host = || std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let name = self.settings.instance.clone().unwrap_or_else(host);
        let mut random = [0; 8];
        if SystemRandom::new().fill(&mut random).is_err() {
            // Two processes of one number do not begin in the same nanosecond.
            let now = Timestamp::now().as_nanosecond().to_le_bytes();
            random.copy_from_slice(&now[..8]);
        }
        let random = u64::from_le_bytes(random);
        format!("{}-{:x}-{random:016x}", name.trim(), std::process::id())
    }
}
