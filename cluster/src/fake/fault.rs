//! What can be made to go wrong, and for which requests.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::refusal::Refusal;
use super::store::Checkpoint;
use crate::calls::Verb;

/// Which requests something happens to.
#[derive(Clone, Copy, Debug, Default)]
pub struct On {
    verb: Option<Verb>,
    plural: Option<&'static str>,
    writing: bool,
    spared: u32,
    times: Option<u32>,
}

impl On {
    /// Every request.
    pub fn all() -> Self {
        Self::default()
    }

    /// Requests with this verb, about the kind with this plural.
    pub fn of(verb: Verb, plural: &'static str) -> Self {
        Self {
            verb: Some(verb),
            plural: Some(plural),
            ..Self::default()
        }
    }

    /// All requests about a kind.
    pub fn kind(plural: &'static str) -> Self {
        Self {
            plural: Some(plural),
            ..Self::default()
        }
    }

    /// Only those that change something.
    pub fn writing(self) -> Self {
        Self {
            writing: true,
            ..self
        }
    }

    /// But not the first ones.
    pub fn after(self, spared: u32) -> Self {
        Self { spared, ..self }
    }

    /// So often and then no more.
    pub fn times(self, times: u32) -> Self {
        Self {
            times: Some(times),
            ..self
        }
    }

    fn holds(self, verb: Verb, plural: &str) -> bool {
        self.verb.is_none_or(|wanted| wanted == verb)
            && self.plural.is_none_or(|wanted| wanted == plural)
            && (!self.writing || verb.writes())
            && self.times != Some(0)
    }
}

/// What happens to a request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// It is refused before anything is done.
    Refuse(Refusal),
    /// List and watch: this server cannot select by fields of the spec, and says so (400).
    NoFieldsOfSpec,
    /// It is never answered, and nothing is done.
    Hang,
    /// It is carried out, and the connection breaks before the answer.
    LoseAnswer,
    /// The connection breaks in the middle of the answer's body.
    BreakOff,
    /// Whoever asks dies of the answer, as of a mistake in how it is read.
    Panic,
    /// The answer's body comes in so many parts, with so much time before each.
    Trickle(u32, Duration),
    /// Nothing is done, and the answer is `{}`; a watch ends with it.
    EmptyAnswer,
    /// List: an answer without objects.
    EmptyList,
    /// List: how things were then, as a cache that lags would answer.
    AsOf(Checkpoint),
}

/// What happens to streams that are open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// They end, as they do after their time.
    End,
    /// The connection breaks.
    Break,
    /// An ERROR event says that the version is not kept (410), and the stream ends.
    Expire,
    /// They say nothing any more and stay open.
    Freeze,
}

/// The faults in force.
#[derive(Debug, Default)]
pub(super) struct Faults {
    rules: Mutex<Vec<(On, Happening)>>,
}

#[derive(Clone, Debug)]
enum Happening {
    Fault(Fault),
    Stall(Arc<Gate>),
}

#[derive(Debug)]
struct Gate {
    open: watch::Sender<bool>,
    waiting: watch::Sender<usize>,
}

/// Requests wait for as long as this is held; then they are carried out.
#[derive(Debug)]
pub struct Stall {
    gate: Arc<Gate>,
}

impl Stall {
    /// Returns when this many requests wait.
    pub async fn holds(&self, requests: usize) {
        let mut waiting = self.gate.waiting.subscribe();
        // The gate holds the sender.
        let _reached = waiting.wait_for(|waiting| *waiting >= requests).await;
    }
}

impl Drop for Stall {
    fn drop(&mut self) {
        self.gate.open.send_replace(true);
    }
}

impl Faults {
    pub(super) fn add(&self, on: On, fault: Fault) {
        self.push(on, Happening::Fault(fault));
    }

    pub(super) fn stall(&self, on: On) -> Stall {
        let gate = Arc::new(Gate {
            open: watch::channel(false).0,
            waiting: watch::channel(0).0,
        });
        self.push(on, Happening::Stall(Arc::clone(&gate)));
        Stall { gate }
    }

    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    fn push(&self, on: On, happening: Happening) {
        self.lock().push((on, happening));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(On, Happening)>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits where the request is stalled, and says what else happens to it.
    pub(super) async fn meet(&self, verb: Verb, plural: &str) -> Option<Fault> {
        loop {
            let happening = {
                let mut rules = self.lock();
                let mut rules = rules.iter_mut().filter(|(on, _)| on.holds(verb, plural));
                let (on, happening) = rules.find_map(|(on, happening)| {
                    let met = on.spared == 0;
                    on.spared = on.spared.saturating_sub(1);
                    met.then_some((on, happening))
                })?;
                on.times = on.times.map(|times| times - 1);
                happening.clone()
            };
            match happening {
                Happening::Fault(fault) => return Some(fault),
                Happening::Stall(gate) => {
                    gate.waiting.send_modify(|waiting| *waiting += 1);
                    let mut open = gate.open.subscribe();
                    let _opened = open.wait_for(|open| *open).await;
                    self.lock().retain(|(_, other)| match other {
                        Happening::Stall(other) => !Arc::ptr_eq(other, &gate),
                        Happening::Fault(_) => true,
                    });
                }
            }
        }
    }
}
