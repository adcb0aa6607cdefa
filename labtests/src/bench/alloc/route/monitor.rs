//! What a namespace's kernel tells of its routes, as it happens.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::netns::Netns;

/// A host route that has come, and when that was read.
type Came = (Ipv4Addr, Instant);

/// Listens until it is dropped.
#[derive(Debug)]
pub(super) struct Monitor {
    ip: Child,
    came: Receiver<Came>,
}

impl Drop for Monitor {
    fn drop(&mut self) {
        // It may be gone already, which is what is wanted.
        self.ip.kill().ok();
        self.ip.wait().ok();
    }
}

impl Monitor {
    pub(super) fn start(space: &Netns) -> Result<Self> {
        let mut command = space.command("ip");
        command.args(["-4", "-o", "monitor", "route"]);
        let mut ip = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = ip.stdout.take().context("a pipe")?;
        let (tell, came) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let at = Instant::now();
                if let Some(host) = host(&line)
                    && tell.send((host, at)).is_err()
                {
                    return;
                }
            }
        });
        Ok(Self { ip, came })
    }

    /// When the route to a host came.
    pub(super) fn route(&mut self, wanted: Ipv4Addr, limit: Duration) -> Result<Instant> {
        let end = Instant::now() + limit;
        loop {
            let next = self.next(end);
            let (host, at) = next.with_context(|| format!("no route to {wanted}"))?;
            if host == wanted {
                return Ok(at);
            }
        }
    }

    /// Waits until there were routes to so many hosts; returns when the last one came.
    pub(super) fn until(&self, count: usize, limit: Duration) -> Result<Instant> {
        let end = Instant::now() + limit;
        let mut hosts = BTreeSet::new();
        loop {
            let had = hosts.len();
            let next = self.next(end);
            let (host, at) = next.with_context(|| format!("{had} routes of {count}"))?;
            hosts.insert(host);
            if hosts.len() >= count {
                return Ok(at);
            }
        }
    }

    /// What came so far is of no interest.
    pub(super) fn forget_past(&self) {
        while self.came.try_recv().is_ok() {}
    }

    fn next(&self, end: Instant) -> Result<Came> {
        let left = end.saturating_duration_since(Instant::now());
        Ok(self.came.recv_timeout(left)?)
    }
}

/// The host in a line of `ip -o monitor route`, unless it tells of a route that is gone.
fn host(line: &str) -> Option<Ipv4Addr> {
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests;
