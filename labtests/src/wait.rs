//! Waiting for a condition, and watching that one holds. Nothing else waits for something to happen: other pauses in
//! the labs pace traffic.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::netns;
use crate::progress::say_if_silent;

const POLL: Duration = Duration::from_millis(20);

/// A reason that no waiting will cure: what is waited for cannot come any more.
#[derive(Debug)]
pub(crate) struct Hopeless(pub(crate) String);

impl fmt::Display for Hopeless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Hopeless {}

/// Tries `probe` until it succeeds. An error of the probe means "not yet, because"; after `limit` the last one
/// is the failure, and one that is [`Hopeless`] is so at once. Says every few seconds what it waits for.
pub(crate) fn wait_for<T>(
    what: &str,
    limit: Duration,
    mut probe: impl FnMut() -> Result<T>,
) -> Result<T> {
    let started = Instant::now();
    loop {
        let reason = match probe() {
            Ok(value) => return Ok(value),
            Err(reason) => reason,
        };
        if reason.chain().any(|cause| cause.is::<Hopeless>()) {
            return Err(reason).context(what.to_owned());
        }
        if netns::is_interrupted() {
            bail!("interrupted while waiting: {what}");
        }
        let elapsed = started.elapsed();
        if elapsed >= limit {
            return Err(reason).context(format!("{what}: not within {:.0} s", limit.as_secs_f64()));
        }
        say_if_silent(|| {
            let reason = format!("{reason:#}");
            let reason = reason.lines().next().unwrap_or_default();
            format!(
                "        … {:.0} s: {what} ({reason})",
                elapsed.as_secs_f64()
            )
        });
        thread::sleep(POLL);
    }
}

/// Watches that `probe` succeeds for all of `span`; its first error is the failure.
pub(crate) fn holds_for(
    what: &str,
    span: Duration,
    mut probe: impl FnMut() -> Result<()>,
) -> Result<()> {
    let started = Instant::now();
    while started.elapsed() < span {
        if let Err(reason) = probe() {
            let held = started.elapsed().as_secs_f64();
            return Err(reason).context(format!("{what}: held for {held:.1} s only"));
        }
        say_if_silent(|| format!("        … {:.0} s: {what}", started.elapsed().as_secs_f64()));
        if netns::is_interrupted() {
            bail!("interrupted while watching: {what}");
        }
        thread::sleep(POLL);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
