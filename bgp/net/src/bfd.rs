//! BFD sessions in a thread of their own: the face, by which an owner says which sessions there
//! should be and learns what became of their paths.
//!
//! The thread shares nothing with the rest of the process but a slot for the wanted sessions, a
//! byte that wakes it, and the last [`Stats`]: a runtime that stalls costs no session. What a slow
//! owner has not read is not queued; [`Verdicts`] compares the last [`Stats`] with those before,
//! so no failure is missed, however short.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::watch;

pub use ringbolt_bfd::{
    Config, Counters, DecodeError, Diagnostic, Discard, DownCause, Hop, Interval, Role, Side,
    State, Verdict,
};

use crate::listener::ListenProblem;

mod sockets;
#[cfg(test)]
mod tests;
mod worker;

/// Whom a session is with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionKey {
    /// Address of the other end.
    pub remote: IpAddr,
    /// Address we send from; unset, the one the route gives.
    pub local: Option<IpAddr>,
    /// Index of the interface, where the address alone does not say.
    pub interface: Option<u32>,
}

/// What is fixed for the life of the thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Addresses on which packets are received, on port 3784 while there are single-hop sessions
    /// of the family, and on 4784 while there are multihop ones.
    pub listen: Vec<IpAddr>,
}

impl Default for Settings {
    /// Every address of both families.
    fn default() -> Self {
        Self {
            listen: vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()],
        }
    }
}

/// How one session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Our state.
    pub state: State,
    /// The other end's, as it last told.
    pub remote_state: State,
    /// Why we last left Up.
    pub diagnostic: Diagnostic,
    /// What was last told; unset until the session has come up once.
    pub verdict: Option<Verdict>,
    /// The last failure that was told.
    pub failure: Option<Verdict>,
    /// What was counted.
    pub counters: Counters,
    /// Longest time between two packets of ours.
    pub transmit_interval: Duration,
    /// Silence that is a failure.
    pub detection_time: Duration,
    /// Packets that could not be sent.
    pub unsent: u64,
    /// Why, if the last one could not.
    pub problem: Option<io::ErrorKind>,
}

/// How things stand: published at once when a session comes up or ceases to be, and once a second.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Wanted sessions.
    pub sessions: BTreeMap<SessionKey, Report>,
    /// Ports that are wanted and not open, and why.
    pub closed: BTreeMap<SocketAddr, ListenProblem>,
    /// Datagrams that are no control packets.
    pub undecodable: u64,
    /// Control packets that are nobody's, by why.
    pub strays: BTreeMap<Discard, u64>,
    /// Times the thread was woken more than [`LATE`] after it had asked to be.
    pub late_wakeups: u64,
    /// The worst of them.
    pub latest_wakeup: Duration,
}

/// Later than this, the machine is too busy for intervals that are as short as ours may be.
pub const LATE: Duration = Duration::from_millis(10);

/// The sessions that are wanted, until the thread takes them.
type Slot = Arc<Mutex<Option<BTreeMap<SessionKey, Config>>>>;

/// The handle of the thread, which ends with it, after an AdminDown to every other end.
#[derive(Debug)]
pub struct Bfd {
    wanted: Slot,
    waker: UnixStream,
    stats: watch::Receiver<Arc<Stats>>,
}

impl Bfd {
    /// Starts the thread, without a session.
    ///
    /// # Errors
    /// The kernel's, when it has no thread or no descriptors for us.
    pub fn spawn(settings: Settings) -> io::Result<Self> {
        let wanted = Slot::default();
        let (waker, woken) = UnixStream::pair()?;
        waker.set_nonblocking(true)?;
        woken.set_nonblocking(true)?;
        let (publish, stats) = watch::channel(Arc::default());
        let worker = worker::Worker::new(settings, Arc::clone(&wanted), woken, publish);
        thread::Builder::new()
            .name("bfd".to_owned())
            .spawn(move || worker.run())?;
        Ok(Self {
            wanted,
            waker,
            stats,
        })
    }

    /// Says which sessions there should be. One that is there goes on, with other times if they
    /// differ; one that is not wanted is ended by an AdminDown, which is no failure.
    pub fn set(&self, sessions: BTreeMap<SessionKey, Config>) {
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        *wanted = Some(sessions);
        drop(wanted);
        // A pipe that is full wakes it as well as one more byte would.
        (&self.waker).write_all(&[0]).ok();
    }

    /// What became of the paths from here on.
    #[must_use]
    pub fn verdicts(&self) -> Verdicts {
        Verdicts {
            stats: self.stats.clone(),
            seen: BTreeMap::new(),
        }
    }

    /// How things stand.
    #[must_use]
    pub fn stats(&self) -> Arc<Stats> {
        Arc::clone(&self.stats.borrow())
    }
}

/// What [`Verdicts`] has told of a session.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    verdict: Option<Verdict>,
    downs: u64,
}

/// What became of the paths, at the reader's pace: of several failures of a session between two
/// reads the last is told, and how it stands after it.
#[derive(Debug)]
pub struct Verdicts {
    stats: watch::Receiver<Arc<Stats>>,
    seen: BTreeMap<SessionKey, Seen>,
}

impl Verdicts {
    /// Waits for the next ones, in the order of their keys and of time. `None` once the thread has
    /// ended. Cancel-safe: what was not returned is told by the next call.
    pub async fn next(&mut self) -> Option<Vec<(SessionKey, Verdict)>> {
        loop {
            let told = self.read();
            if !told.is_empty() {
                return Some(told);
            }
            self.stats.changed().await.ok()?;
        }
    }

    fn read(&mut self) -> Vec<(SessionKey, Verdict)> {
        let stats = Arc::clone(&self.stats.borrow_and_update());
        self.seen.retain(|key, _| stats.sessions.contains_key(key));
        let mut told = Vec::new();
        for (key, report) in &stats.sessions {
            let seen = self.seen.entry(*key).or_default();
            // A session that was made anew counts from zero.
            let fell = report.counters.downs != seen.downs;
            if let Some(failure) = report.failure.filter(|_| fell) {
                told.push((*key, failure));
                seen.verdict = Some(failure);
            }
            if let Some(verdict) = report.verdict.filter(|_| report.verdict != seen.verdict) {
                told.push((*key, verdict));
            }
            *seen = Seen {
                verdict: report.verdict,
                downs: report.counters.downs,
            };
        }
        told
    }
}
