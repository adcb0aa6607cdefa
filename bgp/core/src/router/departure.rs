//! Leaving: drain and shutdown, with their deadlines (RFC 8326, contract of the speaker).
//!
//! A peer is asked to look elsewhere (GRACEFUL_SHUTDOWN), given time, told that the routes are
//! gone, and only then, when we leave for good, told goodbye. Each peer has its own wait; all go
//! through the steps of [`Departing`] and none waits for another.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::policy::export::Parting;
use crate::session::{Afterwards, DownReason};
use crate::types::PeerId;
use crate::wire::Notification;

use super::{Drain, Event, Router, ShutdownMode};

/// Longest wait between asking and withdrawing, whatever is configured.
const WAIT_LIMIT: Duration = Duration::from_secs(3600);
/// How long a peer may take to read its withdrawals before it is left regardless.
const WITHDRAWAL_LIMIT: Duration = Duration::from_secs(2);

/// What the Router as a whole is up to.
#[derive(Debug, Default)]
pub(super) struct Departure {
    drained: bool,
    shutdown: Option<Shutdown>,
}

#[derive(Debug)]
struct Shutdown {
    reason: Arc<str>,
    told: Told,
}

/// Whether the driver knows that everything is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    NotYet,
    Complete,
}

impl Departure {
    pub(super) const fn is_shutting_down(&self) -> bool {
        self.shutdown.is_some()
    }

    /// Where a peer stands that is configured now.
    pub(super) const fn of_new_peers(&self) -> Departing {
        if self.shutdown.is_some() {
            Departing::Left
        } else if self.drained {
            Departing::Drained
        } else {
            Departing::Serving
        }
    }
}

/// Where one peer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Departing {
    /// Nothing is going on.
    Serving,
    /// Asked to look elsewhere.
    Asked { until: Instant, then: Then },
    /// Service routes are withdrawn; the session stays.
    Drained,
    /// Everything is being withdrawn.
    Withdrawing { until: Instant },
    /// The session has ended for good.
    Left,
}

/// What follows when a peer has had its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    Stay,
    Leave,
}

impl Departing {
    pub(super) const fn parting(self) -> Parting {
        match self {
            Self::Serving => Parting::Serving,
            Self::Asked { .. } => Parting::Asked,
            Self::Drained => Parting::Drained,
            Self::Withdrawing { .. } | Self::Left => Parting::Gone,
        }
    }

    pub(super) const fn deadline(self) -> Option<Instant> {
        match self {
            Self::Asked { until, .. } | Self::Withdrawing { until } => Some(until),
            Self::Serving | Self::Drained | Self::Left => None,
        }
    }
}

impl Router {
    pub(super) fn drain(&mut self, drain: Drain) {
        if self.departure.is_shutting_down() {
            return;
        }
        self.departure.drained = drain == Drain::Drained;
        for id in self.peer_ids() {
            match drain {
                Drain::Drained => self.ask(&id, Then::Stay),
                Drain::Serving => self.depart(&id, Departing::Serving),
            }
        }
    }

    pub(super) fn shut_down(&mut self, mode: ShutdownMode, reason: Arc<str>) {
        self.departure.shutdown.get_or_insert(Shutdown {
            reason,
            told: Told::NotYet,
        });
        for id in self.peer_ids() {
            let Some(peer) = self.peers.get(&id) else {
                continue;
            };
            let live = peer
                .session
                .established()
                .and_then(|conn| conn.negotiated());
            let helped = live.is_some_and(|agreed| agreed.graceful_restart.is_some());
            match mode {
                _ if peer.departing == Departing::Left => {}
                ShutdownMode::Plain => self.vanish(&id),
                ShutdownMode::Restart if helped => self.vanish(&id),
                ShutdownMode::Restart | ShutdownMode::Leave => self.ask(&id, Then::Leave),
            }
        }
    }

    fn peer_ids(&self) -> Vec<PeerId> {
        self.peers.keys().cloned().collect()
    }

    /// Starts the way out for one peer, at the step that makes sense for it.
    fn ask(&mut self, id: &PeerId, then: Then) {
        let Some(peer) = self.peers.get(id) else {
            return;
        };
        let wait = peer.session.config().drain_wait.min(WAIT_LIMIT);
        let listens = self.export.holds_any(id) && !wait.is_zero();
        let until = self.now + wait;
        match (peer.departing, then) {
            (Departing::Serving, _) if listens => {
                self.depart(id, Departing::Asked { until, then });
            }
            (Departing::Serving, Then::Stay) => self.depart(id, Departing::Drained),
            // It has been asked already: its time runs on.
            (Departing::Asked { until, .. }, Then::Leave) => {
                self.set_departing(
                    id,
                    Departing::Asked {
                        until,
                        then: Then::Leave,
                    },
                );
            }
            (Departing::Serving | Departing::Drained, Then::Leave) => self.withdraw_all(id),
            (Departing::Asked { .. } | Departing::Drained, Then::Stay)
            | (Departing::Withdrawing { .. } | Departing::Left, _) => {}
        }
    }

    fn withdraw_all(&mut self, id: &PeerId) {
        let until = self.now + WITHDRAWAL_LIMIT;
        self.depart(id, Departing::Withdrawing { until });
    }

    /// Moves a peer to a step and lets its policy know.
    fn depart(&mut self, id: &PeerId, step: Departing) {
        self.set_departing(id, step);
        self.export.set_parting(id, step.parting(), self.now);
    }

    fn set_departing(&mut self, id: &PeerId, step: Departing) {
        if let Some(peer) = self.peers.get_mut(id) {
            peer.departing = step;
        }
    }

    /// Takes every peer as far as it can go.
    pub(super) fn advance_departures(&mut self) {
        let under_way = self
            .peers
            .iter()
            .filter(|(_, peer)| peer.departing.deadline().is_some());
        let under_way: Vec<(PeerId, Departing)> = under_way
            .map(|(id, peer)| (id.clone(), peer.departing))
            .collect();
        for (id, step) in under_way {
            match step {
                Departing::Asked { until, then } if until <= self.now => match then {
                    Then::Stay => self.depart(&id, Departing::Drained),
                    Then::Leave => self.withdraw_all(&id),
                },
                Departing::Withdrawing { until } => {
                    if until <= self.now || self.has_heard_everything(&id) {
                        self.say_goodbye(&id);
                    }
                }
                Departing::Serving
                | Departing::Asked { .. }
                | Departing::Drained
                | Departing::Left => {}
            }
        }
        self.tell_when_complete();
    }

    /// Whether the withdrawals are with the kernel.
    fn has_heard_everything(&self, id: &PeerId) -> bool {
        let Some(peer) = self.peers.get(id) else {
            return true;
        };
        let flushed = peer
            .session
            .established()
            .is_none_or(|conn| conn.is_flushed());
        flushed && self.export.is_up_to_date(id)
    }

    fn say_goodbye(&mut self, id: &PeerId) {
        let text = self
            .departure
            .shutdown
            .as_ref()
            .map_or("", |shutdown| &shutdown.reason);
        let cease = Notification::shutdown(text);
        self.set_departing(id, Departing::Left);
        self.with_session(id, |session, env| {
            session.stop(&cease, &DownReason::Shutdown, Afterwards::Rest, env);
        });
    }

    fn vanish(&mut self, id: &PeerId) {
        self.set_departing(id, Departing::Left);
        self.with_session(id, |session, env| session.vanish(env));
    }

    /// A session ended while its peer was on the way out, or not.
    pub(super) fn session_lost(&mut self, id: &PeerId) {
        let Some(peer) = self.peers.get(id) else {
            return;
        };
        match peer.departing {
            Departing::Asked {
                then: Then::Stay, ..
            } => self.set_departing(id, Departing::Drained),
            Departing::Asked {
                then: Then::Leave, ..
            }
            | Departing::Withdrawing { .. } => {
                self.say_goodbye(id);
            }
            Departing::Serving | Departing::Drained | Departing::Left => {}
        }
    }

    fn tell_when_complete(&mut self) {
        let all_left = self
            .peers
            .values()
            .all(|peer| peer.departing == Departing::Left);
        let Some(shutdown) = &mut self.departure.shutdown else {
            return;
        };
        if all_left && shutdown.told == Told::NotYet {
            shutdown.told = Told::Complete;
            self.tell(Event::ShutdownComplete);
        }
    }
}
