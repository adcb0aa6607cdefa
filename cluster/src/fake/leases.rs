//! How old a lease looks. Its times are of the wall clock, while tests run on a clock that they turn
//! themselves: a lease grows older by what that clock has gone ahead of the wall since it was written.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::time::Instant;

/// Differences below this are the cost of measuring.
const NOTHING: Duration = Duration::from_millis(100);

/// When which lease was written last, by version.
#[derive(Debug)]
pub(super) struct Leases {
    began: (Instant, std::time::Instant),
    written: Mutex<BTreeMap<String, Duration>>,
}

impl Leases {
    pub(super) fn new() -> Self {
        Self {
            began: (Instant::now(), std::time::Instant::now()),
            written: Mutex::default(),
        }
    }

    /// How far the clock of this test is ahead of the wall.
    fn ahead(&self) -> Duration {
        let (turned, wall) = self.began;
        turned.elapsed().saturating_sub(wall.elapsed())
    }

    /// Notes that a lease was written in this state.
    pub(super) fn wrote(&self, lease: &Value) {
        let times = lease["spec"]["renewTime"].as_str().unwrap_or_default();
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written
            .entry(times.to_owned())
            .or_insert_with(|| self.ahead());
    }

    /// The lease as it looks.
    pub(super) fn seen(&self, lease: &Value) -> Value {
        let mut lease = lease.clone();
        let time = &lease["spec"]["renewTime"];
        let text = time.as_str().unwrap_or_default();
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let then = written.get(text).copied().unwrap_or_default();
        let older = self.ahead().saturating_sub(then);
        if let Ok(time) = text.parse::<Timestamp>()
            && older > NOTHING
            && let Ok(older) = SignedDuration::try_from(older)
        {
            lease["spec"]["renewTime"] = format!("{:.6}", time - older).into();
        }
        lease
    }
}
