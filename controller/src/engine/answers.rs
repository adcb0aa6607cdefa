//! What an answer changes: the mirror, the allocator, and who gets a turn next.
//!
//! A refused write teaches nothing but that the state is not what it was thought to be, so the
//! object is read. A write that did not arrive may have happened: the object is read, too, later.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use ringbolt_cluster::{Event, FinalizerChange, WriteError};
use ringbolt_config::api::IPAllocation;
use ringbolt_config::{ObjectRef, ServiceKey, ServiceView};

use super::queue::Subject;
use super::{Answer, Engine, Moment, Output, Ticket};
use crate::allocator::Claim;
use crate::pool_status::Attempt;

/// Delay after a first failure.
const RETRY_FIRST: Duration = Duration::from_millis(100);
/// Longest delay between two tries.
const RETRY_LONGEST: Duration = Duration::from_secs(30);
/// Conflicts in a row that are met by reading and trying again at once.
const CONFLICTS_AT_ONCE: u32 = 5;
/// Failures that are remembered for the status page.
const FAILURES_KEPT: usize = 16;

/// What a write under way is about.
#[derive(Debug)]
pub(super) enum About {
    /// The claim on an address becomes this, or goes.
    Claim {
        address: IpAddr,
        assumed: Option<Claim>,
    },
    /// The claim on an address is read.
    ReadClaim(IpAddr),
    /// The Service of the subject is patched; people are told when that is done.
    Service {
        events: Vec<Event>,
        /// What its status carries by that, if it was written.
        published: Option<Vec<IpAddr>>,
    },
    /// The Service of the subject is read.
    ReadService,
    /// The status of the subject is patched.
    Status(Attempt),
    /// The finalizer of the pool of the subject is changed.
    Finalizer(ObjectRef, FinalizerChange),
}

/// How often a subject failed in a row, and when it may try again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Retry {
    failures: u32,
    not_before: Instant,
}

impl Retry {
    /// The time to wait for, if it has not come.
    pub(super) fn not_before(self, now: Instant) -> Option<Instant> {
        (self.not_before > now).then_some(self.not_before)
    }
}

/// A write that failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) time: Timestamp,
    pub(super) error: WriteError,
}

impl Engine {
    pub(super) fn answered(&mut self, ticket: Ticket, answer: Answer, now: Moment) {
        let Some((subject, about)) = self.flights.remove(&ticket) else {
            return;
        };
        self.busy.remove(&subject);
        let result = match (about, answer) {
            (About::Claim { address, .. }, Answer::Claim(result)) => {
                self.claim_written(address, result.map(Some), now)
            }
            (About::Claim { address, .. }, Answer::Deleted(result)) => {
                self.claim_written(address, result.map(|()| None), now)
            }
            (About::ReadClaim(address), Answer::Claim(result)) => {
                self.claim_read(address, result, now)
            }
            (About::Service { events, published }, Answer::Service(result)) => {
                if result.is_ok() {
                    self.outputs.extend(events.into_iter().map(Output::Event));
                    self.remember_published(&subject, published, now.mono);
                }
                self.service_written(&subject, result, now)
            }
            (About::ReadService, Answer::Service(result)) => {
                self.service_read(&subject, result, now)
            }
            (About::Status(attempt), Answer::Status(result)) => {
                self.statuses.answered(attempt, &result, now.mono)
            }
            (About::Finalizer(pool, change), Answer::Finalizer(result)) => self
                .statuses
                .finalizer_answered(&pool, change, result, now.mono),
            (about, answer) => {
                debug_assert!(false, "{answer:?} does not answer {about:?}");
                Ok(())
            }
        };
        match result {
            Ok(()) => {
                self.retries.remove(&subject);
            }
            Err(error) => self.failed(&subject, error, now),
        }
        self.enqueue(subject);
    }

    fn failed(&mut self, subject: &Subject, error: WriteError, now: Moment) {
        self.counts.failures += 1;
        let failures = self.retries.get(subject).map_or(0, |retry| retry.failures) + 1;
        let moved_on = matches!(
            error,
            WriteError::AlreadyExists { .. }
                | WriteError::Conflict { .. }
                | WriteError::NotFound { .. }
        );
        let delay = if moved_on && failures <= CONFLICTS_AT_ONCE {
            Duration::ZERO
        } else {
            RETRY_FIRST
                .saturating_mul(1 << failures.min(10))
                .min(RETRY_LONGEST)
        };
        self.retries.insert(
            subject.clone(),
            Retry {
                failures,
                not_before: now.mono + delay,
            },
        );
        if self.failures.len() == FAILURES_KEPT {
            self.failures.pop_front();
        }
        self.failures.push_back(Failure {
            time: now.wall,
            error,
        });
    }

    fn claim_written(
        &mut self,
        address: IpAddr,
        result: Result<Option<Arc<IPAllocation>>, WriteError>,
        now: Moment,
    ) -> Result<(), WriteError> {
        let result = match result {
            Ok(object) => {
                let before = self.known_claim(address);
                let concerns = self.index.claim_written(address, object, now.mono);
                self.sync_claim(address);
                self.concern(concerns);
                self.let_gone(address, before);
                Ok(())
            }
            Err(error) => {
                self.index.claims.failed(&address);
                self.sync_claim(address);
                self.doubt_claim(address);
                Err(error)
            }
        };
        self.clear(&Subject::Claim(address));
        self.enqueue(Subject::Claim(address));
        result
    }

    fn known_claim(&self, address: IpAddr) -> Option<Claim> {
        self.index
            .claims
            .get(&address)
            .map(|object| Claim::of(address, object))
    }

    /// What a write of ours took from a claim. The allocator knew when the write began; those who
    /// wait are told only by its success.
    fn let_gone(&mut self, address: IpAddr, before: Option<Claim>) {
        let Some(before) = before else {
            return;
        };
        let after = self.known_claim(address);
        for holder in &before.holders {
            if after
                .as_ref()
                .is_none_or(|after| after.holder(&holder.uid).is_none())
            {
                self.takings.released(&holder.uid, address);
            }
        }
        self.claim_changed(address, &before, after.as_ref());
        self.status_of_pool(address);
    }

    fn claim_read(
        &mut self,
        address: IpAddr,
        result: Result<Arc<IPAllocation>, WriteError>,
        now: Moment,
    ) -> Result<(), WriteError> {
        let object = match result {
            Ok(object) => Some(object),
            Err(WriteError::NotFound { .. }) => None,
            Err(error) => {
                self.index.claims.failed(&address);
                return Err(error);
            }
        };
        self.unclear.remove(&Subject::Claim(address));
        let concerns = self.index.claim_read(address, object, now.mono);
        self.sync_claim(address);
        self.concern(concerns);
        self.clear(&Subject::Claim(address));
        Ok(())
    }

    fn remember_published(
        &mut self,
        subject: &Subject,
        published: Option<Vec<IpAddr>>,
        now: Instant,
    ) {
        if let (Subject::Service(key), Some(addresses)) = (subject, published)
            && let Some(case) = self.cases.get_mut(key)
        {
            case.contest.published(addresses, now);
        }
    }

    fn service_written(
        &mut self,
        subject: &Subject,
        result: Result<Option<Arc<ServiceView>>, WriteError>,
        now: Moment,
    ) -> Result<(), WriteError> {
        let Subject::Service(key) = subject else {
            return Ok(());
        };
        match result {
            Ok(view) => {
                let effect = self.index.services.written(key, view, now.mono);
                let concerns = self.index.service_effect(key.clone(), effect);
                // A doubt must not hide what the write itself has changed.
                self.service_changed(key.clone());
                self.concern(concerns);
                self.clear(subject);
                Ok(())
            }
            Err(error) => {
                self.index.services.failed(key);
                self.unclear.insert(subject.clone());
                Err(error)
            }
        }
    }

    fn service_read(
        &mut self,
        subject: &Subject,
        result: Result<Option<Arc<ServiceView>>, WriteError>,
        now: Moment,
    ) -> Result<(), WriteError> {
        let Subject::Service(key) = subject else {
            return Ok(());
        };
        let view = match result {
            Ok(view) => view,
            Err(WriteError::NotFound { .. }) => None,
            Err(error) => {
                self.index.services.failed(key);
                return Err(error);
            }
        };
        self.unclear.remove(subject);
        self.learn_service(key, view, now);
        self.clear(subject);
        Ok(())
    }

    fn learn_service(&mut self, key: &ServiceKey, view: Option<Arc<ServiceView>>, now: Moment) {
        let effect = self.index.services.read(key, view, now.mono);
        let concerns = self.index.service_effect(key.clone(), effect);
        // A doubt must not hide what the read has found.
        self.service_changed(key.clone());
        self.concern(concerns);
    }

    /// Whoever was held up by a subject gets a turn.
    fn clear(&mut self, obstacle: &Subject) {
        for subject in self.held_up.remove(obstacle).into_iter().flatten() {
            self.enqueue(subject);
        }
    }
}
