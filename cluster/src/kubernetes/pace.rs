//! How fast writes follow each other: as fast as they are answered, a few at a time, until the API server
//! says that this is too fast. Then all of them wait for as long as it asks, and go on at a rate that
//! large clusters bear; the rate is forgotten step by step while nobody complains.
//!
//! [`Pace`] decides and is pure; [`Gate`] lets writes through. Knows no requests.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until, timeout_at};

#[cfg(test)]
mod tests;

/// Writes under way at one time.
const AT_ONCE: usize = 10;
/// Between two writes after the first complaint: 50 a second.
const FIRST_GAP: Duration = Duration::from_millis(20);
/// Between two writes after many complaints: 20 a second.
const LONGEST_GAP: Duration = Duration::from_millis(50);
/// A gap below this is none.
const SHORTEST_GAP: Duration = Duration::from_millis(1);
/// Without a complaint for this long, the gap is halved.
const CALM: Duration = Duration::from_secs(10);
/// The longest pause that is kept for all writes, whatever the server asks of one.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The decision. Times are monotonic, since any fixed instant.
#[derive(Debug, Default)]
struct Pace {
    gap: Duration,
    /// Before this, no further write is sent.
    next: Duration,
    /// Since when nobody has complained, as far as the gap has been made shorter for it.
    calm: Duration,
}

impl Pace {
    /// When a write that comes at this time may be sent.
    fn admit(&mut self, now: Duration) -> Duration {
        while !self.gap.is_zero() && now >= self.calm + CALM {
            self.calm += CALM;
            self.gap /= 2;
            if self.gap < SHORTEST_GAP {
                self.gap = Duration::ZERO;
            }
        }
        let at = self.next.max(now);
        self.next = at + self.gap;
        at
    }

    /// The same, for a write that is of no use after a time: one that is not let through takes no turn.
    fn admit_before(&mut self, now: Duration, deadline: Duration) -> Option<Duration> {
        let next = self.next;
        let at = self.admit(now);
        if at >= deadline {
            self.next = next;
            return None;
        }
        Some(at)
    }

    /// The server has asked to come again later: that long, where it says.
    fn throttled(&mut self, now: Duration, pause: Option<Duration>) {
        self.gap = (self.gap * 2).clamp(FIRST_GAP, LONGEST_GAP);
        self.calm = now;
        let pause = pause.unwrap_or_default().min(LONGEST_PAUSE);
        self.next = self.next.max(now + pause);
    }
}

/// What all writes of a process pass.
#[derive(Debug)]
pub(super) struct Gate {
    pace: Mutex<Pace>,
    places: Semaphore,
    started: Instant,
}

/// Why a write is not let through before its deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Late {
    /// Others are under way, and are not answered.
    Crowded,
    /// The server has asked for a longer pause.
    Throttled,
}

impl Gate {
    pub(super) fn new() -> Self {
        Self {
            pace: Mutex::default(),
            places: Semaphore::new(AT_ONCE),
            started: Instant::now(),
        }
    }

    /// Waits for a place among the writes under way, and for the time to send.
    pub(super) async fn pass(&self, deadline: Instant) -> Result<SemaphorePermit<'_>, Late> {
        let place = timeout_at(deadline, self.places.acquire()).await;
        // Nobody closes the semaphore.
        let place = place.ok().and_then(Result::ok).ok_or(Late::Crowded)?;
        let deadline = deadline.saturating_duration_since(self.started);
        let at = self.with(|pace, now| pace.admit_before(now, deadline));
        let at = at.ok_or(Late::Throttled)?;
        sleep_until(self.started + at).await;
        Ok(place)
    }

    /// See [`Pace::throttled`].
    pub(super) fn throttled(&self, pause: Option<Duration>) {
        self.with(|pace, now| pace.throttled(now, pause));
    }

    fn with<T>(&self, decide: impl FnOnce(&mut Pace, Duration) -> T) -> T {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        decide(&mut pace, self.started.elapsed())
    }
}
