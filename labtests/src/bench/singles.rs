//! One more route while many are there: from the trigger to the last sink. Once on an idle daemon, once while other
//! routes come and go all the time.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use super::daemon::{Flow, Kind, Subject};
use super::sink::{Range, Sink, last};
use crate::netns::Netns;

/// How many single routes are added, one after the other.
const COUNT: u32 = 50;
/// Quiet before each: longer than any daemon holds a change back for company.
const QUIET: Duration = Duration::from_millis(120);
/// The churn: so many routes appear or go, so often; 10,000 changes a second.
const CHURN: Range = Range {
    first: Ipv4Addr::new(12, 0, 0, 0),
    count: 1000,
};
const EVERY: Duration = Duration::from_millis(100);

/// Times in seconds, in the order they were measured.
#[derive(Debug, Default, Clone)]
pub(super) struct Singles {
    pub(super) idle: Vec<f64>,
    /// Empty for a daemon that cannot follow the churn at all.
    pub(super) busy: Vec<f64>,
}

impl Singles {
    pub(super) fn extend(&mut self, other: Self) {
        self.idle.extend(other.idle);
        self.busy.extend(other.busy);
    }
}

pub(super) fn measure(subject: &Subject, space: &Netns, sinks: &[Sink]) -> Result<Singles> {
    let idle = add(subject, space, sinks, Ipv4Addr::new(11, 0, 0, 0))?;
    // BIRD reads its whole configuration for every change, which takes it half of the interval.
    if subject.kind() == Kind::Bird {
        return Ok(Singles {
            idle,
            busy: Vec::new(),
        });
    }
    let stop = AtomicBool::new(false);
    let busy = thread::scope(|scope| {
        let churn = scope.spawn(|| churn(subject, space, &stop));
        let busy = add(subject, space, sinks, Ipv4Addr::new(11, 1, 0, 0));
        stop.store(true, Ordering::SeqCst);
        churn.join().map_err(|_| anyhow!("the churn panicked"))??;
        busy
    })?;
    Ok(Singles { idle, busy })
}

fn add(subject: &Subject, space: &Netns, sinks: &[Sink], first: Ipv4Addr) -> Result<Vec<f64>> {
    let one = |number| {
        let host = Ipv4Addr::from(u32::from(first) + number);
        thread::sleep(QUIET);
        sinks.iter().try_for_each(|sink| {
            sink.expect(Range {
                first: host,
                count: 1,
            })
        })?;
        let started = subject.one_more(space, host)?;
        Ok((last(sinks)? - started).as_secs_f64())
    };
    (0..COUNT).map(one).collect()
}

fn churn(subject: &Subject, space: &Netns, stop: &AtomicBool) -> Result<()> {
    let started = Instant::now();
    let mut flow = Flow::Come;
    for turn in 1.. {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        subject.churn(space, CHURN, flow)?;
        flow = flow.turned();
        thread::sleep((started + EVERY * turn).saturating_duration_since(Instant::now()));
    }
    Ok(())
}
