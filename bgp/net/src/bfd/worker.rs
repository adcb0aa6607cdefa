//! The thread: waits for packets and deadlines, steps the sessions, sends what they say.
//!
//! Sockets are emptied before deadlines are looked at: packets that waited while the thread did
//! not run are signs of life, not silence. Nothing here blocks but the wait itself.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::io::{ErrorKind, Read};
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, TryLockError};
use std::time::{Duration, Instant};

use ringbolt_bfd::{Action, Config, Demux, Event, Packet, Session, Verdict};
use socket2::Socket;
use tokio::sync::watch;

use super::{LATE, Report, SessionKey, Settings, Slot, Stats, sockets};
use crate::listener::ListenProblem;
use crate::sockopt;

#[cfg(test)]
mod tests;

/// How often counters are published, and a closed port is tried again.
const ROUND: Duration = Duration::from_secs(1);
/// Datagrams taken from one socket before others have their turn.
const BATCH: usize = 256;
/// How long a session that is not wanted says AdminDown: its other end loses some packets, too.
const FAREWELL: Duration = Duration::from_secs(3);
/// Longer than any control packet with authentication.
const DATAGRAM_MAX: usize = 128;

/// A session with what it sends from.
struct Line {
    session: Session,
    socket: Option<Socket>,
    port: Option<u16>,
    verdict: Option<Verdict>,
    failure: Option<Verdict>,
    unsent: u64,
    problem: Option<ErrorKind>,
    /// When it is forgotten, if it is not wanted.
    leaving: Option<Instant>,
}

/// See the module.
pub(super) struct Worker {
    settings: Settings,
    wanted: Slot,
    woken: UnixStream,
    publish: watch::Sender<Arc<Stats>>,
    random: RandomState,
    draws: u64,
    lines: BTreeMap<SessionKey, Line>,
    demux: Demux<SessionKey>,
    receivers: BTreeMap<SocketAddr, Socket>,
    /// What is counted of all sessions together; its sessions are filled in when it is published.
    stats: Stats,
    /// Something was told since the last publication.
    news: bool,
    actions: Vec<Action>,
}

/// Whether the owner is still there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    There,
    Gone,
}

impl Worker {
    pub(super) fn new(
        settings: Settings,
        wanted: Slot,
        woken: UnixStream,
        publish: watch::Sender<Arc<Stats>>,
    ) -> Self {
        Self {
            settings,
            wanted,
            woken,
            publish,
            random: RandomState::new(),
            draws: 0,
            lines: BTreeMap::new(),
            demux: Demux::default(),
            receivers: BTreeMap::new(),
            stats: Stats::default(),
            news: false,
            actions: Vec::new(),
        }
    }

    /// Until the handle is dropped.
    pub(super) fn run(mut self) {
        let mut round = Instant::now() + ROUND;
        loop {
            let deadline = self.deadline().map_or(round, |at| at.min(round));
            let idle = self.lines.is_empty() && !self.news;
            self.wait((!idle).then_some(deadline));
            let now = Instant::now();
            if !idle {
                self.note_lateness(now.saturating_duration_since(deadline));
            }
            if self.hear_owner() == Owner::Gone {
                break;
            }
            self.take_wanted(now);
            self.receive_all();
            self.tick(Instant::now());
            if now >= round {
                round = now + ROUND;
                self.keep_receivers();
                self.news = true;
            }
            if self.news {
                self.publish();
            }
        }
        let now = Instant::now();
        let keys: Vec<SessionKey> = self.lines.keys().copied().collect();
        for key in keys {
            self.step(now, key, Event::Disable);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let lines = self.lines.values();
        let due = lines.flat_map(|line| [line.session.deadline(), line.leaving]);
        due.flatten().min()
    }

    /// Until a packet, a word of the owner or the deadline comes.
    fn wait(&self, deadline: Option<Instant>) {
        let limit = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        let sockets = self.receivers.values().map(AsFd::as_fd);
        let all: Vec<BorrowedFd<'_>> = sockets.chain([self.woken.as_fd()]).collect();
        if let Err(error) = sockopt::wait_readable(&all, limit) {
            tracing::warn!(%error, "BFD cannot wait for packets");
            // Without the wait this would spin; the pace of the fastest sessions is kept.
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn note_lateness(&mut self, late: Duration) {
        if late > LATE {
            self.stats.late_wakeups += 1;
            self.stats.latest_wakeup = self.stats.latest_wakeup.max(late);
        }
    }

    fn hear_owner(&mut self) -> Owner {
        let mut bytes = [0; 64];
        loop {
            match self.woken.read(&mut bytes) {
                Ok(0) => return Owner::Gone,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Owner::There,
            }
        }
    }

    /// Never waits for an owner that is in the middle of saying something: it wakes us afterwards.
    fn take_wanted(&mut self, now: Instant) {
        let wanted = match self.wanted.try_lock() {
            Ok(mut slot) => slot.take(),
            Err(TryLockError::Poisoned(slot)) => slot.into_inner().take(),
            Err(TryLockError::WouldBlock) => None,
        };
        let Some(wanted) = wanted else {
            return;
        };
        let keys: Vec<SessionKey> = self.lines.keys().copied().collect();
        for key in keys.into_iter().filter(|key| !wanted.contains_key(key)) {
            self.dismiss(now, key);
        }
        for (key, config) in wanted {
            self.want(now, key, config);
        }
        self.keep_receivers();
        self.news = true;
    }

    fn dismiss(&mut self, now: Instant, key: SessionKey) {
        if let Some(line) = self.lines.get_mut(&key)
            && line.leaving.is_none()
        {
            line.leaving = Some(now + FAREWELL);
            self.step(now, key, Event::Disable);
        }
    }

    fn want(&mut self, now: Instant, key: SessionKey, config: Config) {
        let there = self.lines.get_mut(&key);
        let Some(line) = there.filter(|line| line.session.config().hop == config.hop) else {
            self.forget(key);
            self.begin(now, key, config);
            return;
        };
        let leaving = line.leaving.take();
        if leaving.is_some() {
            self.step(now, key, Event::Enable);
        }
        self.step(now, key, Event::Configure(config));
    }

    fn begin(&mut self, now: Instant, key: SessionKey, config: Config) {
        let discriminator = loop {
            let drawn = u32::try_from(self.draw() >> 32).expect("32 bits are left");
            if let Some(drawn) = NonZeroU32::new(drawn).filter(|drawn| !self.demux.contains(*drawn))
            {
                break drawn;
            }
        };
        let seed = self.draw();
        let source = sockets::source(key, config.hop);
        self.demux.insert(discriminator, source, config.hop, key);
        let line = Line {
            session: Session::new(config, discriminator, seed, now),
            socket: None,
            port: None,
            verdict: None,
            failure: None,
            unsent: 0,
            problem: None,
            leaving: None,
        };
        self.lines.insert(key, line);
    }

    fn forget(&mut self, key: SessionKey) {
        if let Some(line) = self.lines.remove(&key) {
            self.demux.remove(line.session.discriminator());
        }
    }

    /// Numbers nobody can guess: whoever knows a discriminator can speak for its session.
    fn draw(&mut self) -> u64 {
        self.draws += 1;
        self.random.hash_one(self.draws)
    }

    /// Opens the ports that sessions need, and closes others.
    fn keep_receivers(&mut self) {
        let needed = |ip: IpAddr, port: u16| {
            let mut lines = self.lines.iter();
            lines.any(|(key, line)| {
                let config = line.session.config();
                key.remote.is_ipv4() == ip.is_ipv4() && sockets::port(config.hop) == port
            })
        };
        let ports = [sockets::SINGLE_PORT, sockets::MULTI_PORT];
        let listen = self.settings.listen.iter();
        let all = listen.flat_map(|ip| ports.map(|port| SocketAddr::new(*ip, port)));
        let needed: Vec<SocketAddr> = all.filter(|at| needed(at.ip(), at.port())).collect();
        self.receivers.retain(|address, _| needed.contains(address));
        self.stats.closed.clear();
        for address in needed {
            if self.receivers.contains_key(&address) {
                continue;
            }
            match sockets::receiver(address) {
                Ok(socket) => {
                    self.receivers.insert(address, socket);
                }
                Err(error) => {
                    let problem = ListenProblem::from_io(&error);
                    self.stats.closed.insert(address, problem);
                }
            }
        }
    }

    fn receive_all(&mut self) {
        let mut arrived = Vec::new();
        for (address, socket) in &self.receivers {
            let mut buffer = [0; DATAGRAM_MAX];
            for _ in 0..BATCH {
                // Errors are those of single datagrams, and of there being none.
                let Ok(datagram) = sockopt::receive(socket, &mut buffer) else {
                    break;
                };
                let octets = buffer.get(..datagram.octets).unwrap_or_default();
                let Ok(packet) = Packet::decode(octets) else {
                    self.stats.undecodable += 1;
                    continue;
                };
                let arrival = sockets::arrival(&datagram, address.port());
                match self.demux.find(&packet, &arrival) {
                    Ok(key) => arrived.push((*key, packet)),
                    Err(why) => *self.stats.strays.entry(why).or_default() += 1,
                }
            }
        }
        let now = Instant::now();
        for (key, packet) in arrived {
            self.step(now, key, Event::Received(packet));
        }
    }

    fn tick(&mut self, now: Instant) {
        let past = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let keys = |due: &dyn Fn(&Line) -> bool| -> Vec<SessionKey> {
            let lines = self.lines.iter().filter(|(_, line)| due(line));
            lines.map(|(key, _)| *key).collect()
        };
        let due = keys(&|line| past(line.session.deadline()));
        let over = keys(&|line| past(line.leaving));
        for key in due {
            self.step(now, key, Event::Tick);
        }
        let some_are_over = !over.is_empty();
        for key in over {
            self.forget(key);
        }
        if some_are_over {
            self.keep_receivers();
        }
    }

    fn step(&mut self, now: Instant, key: SessionKey, event: Event) {
        let mut actions = std::mem::take(&mut self.actions);
        let draw = u16::try_from(self.draw() >> 48).expect("16 bits are left");
        if let Some(line) = self.lines.get_mut(&key) {
            line.session.step(now, event, &mut actions);
            for action in actions.drain(..) {
                match action {
                    Action::Send(packet) => line.send(key, &packet, draw),
                    Action::Tell(verdict) => {
                        line.note(verdict);
                        self.news = true;
                    }
                }
            }
        }
        self.actions = actions;
    }

    fn publish(&mut self) {
        self.news = false;
        let wanted = self.lines.iter().filter(|(_, line)| line.leaving.is_none());
        let sessions = wanted.map(|(key, line)| (*key, line.report())).collect();
        let stats = Stats {
            sessions,
            ..self.stats.clone()
        };
        // Readers clone the Arc and let go: this does not wait for them.
        self.publish.send_replace(Arc::new(stats));
    }
}

impl Line {
    fn note(&mut self, verdict: Verdict) {
        if matches!(verdict, Verdict::Down { .. }) {
            self.failure = Some(verdict);
        }
        self.verdict = Some(verdict);
    }

    fn send(&mut self, key: SessionKey, packet: &Packet, draw: u16) {
        match self.try_send(key, packet, draw) {
            Ok(()) => self.problem = None,
            Err(error) => {
                self.unsent += 1;
                self.problem = Some(error.kind());
                // Its address may have gone, or its interface: the next packet opens another.
                self.socket = None;
            }
        }
    }

    fn try_send(&mut self, key: SessionKey, packet: &Packet, draw: u16) -> std::io::Result<()> {
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => {
                let (socket, port) = sockets::sender(key, self.port, draw)?;
                self.port = Some(port);
                socket
            }
        };
        let to = sockets::destination(key, self.session.config().hop);
        let sent = socket.send_to(&packet.encode(), &to.into());
        self.socket = Some(socket);
        sent.map(|_| ())
    }

    fn report(&self) -> Report {
        Report {
            state: self.session.state(),
            remote_state: self.session.remote_state(),
            diagnostic: self.session.diagnostic(),
            verdict: self.verdict,
            failure: self.failure,
            counters: self.session.counters(),
            transmit_interval: self.session.transmit_interval(),
            detection_time: self.session.detection_time(),
            unsent: self.unsent,
            problem: self.problem,
        }
    }
}
