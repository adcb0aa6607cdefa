//! One session: RFC 5880 §6.8 in asynchronous mode. Owns its state, its times and what it knows of
//! the other end; knows nothing of sockets, addresses and other sessions.
//!
//! Times are of three kinds: *wanted* by the configuration and the state, *offered* in our packets,
//! and *in force*. While a session is up, an offer that relaxes something comes into force only when
//! the other end has answered a Poll with a Final (§6.5, §6.8.3); one that tightens, at once.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use crate::wire::{Diagnostic, Packet, State};
use config::{Config, Role};
use jitter::{Jitter, Share};
use pace::{Pace, Poll};
use remote::Remote;
use transition::Step;

pub(crate) mod config;
mod jitter;
mod pace;
mod remote;
#[cfg(test)]
mod tests;
mod transition;

/// What happens to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Time has passed.
    Tick,
    /// A packet that [`Demux`](crate::Demux) gave to this session.
    Received(Packet),
    /// Other settings.
    Configure(Config),
    /// The operator holds the session down.
    Disable,
    /// The operator lets it go.
    Enable,
}

/// What is to be done for a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send this, at once.
    Send(Packet),
    /// Tell the owner.
    Tell(Verdict),
}

/// An end of the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Ours.
    Local,
    /// The other.
    Remote,
}

/// What became of the path. Told when a session comes up and when it ceases to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Packets pass in both directions.
    Up,
    /// They do not.
    Down {
        /// How it was noticed.
        cause: DownCause,
        /// Whether the other end's BFD survives its control plane (its C bit): if so, the path
        /// itself is lost (RFC 5882 §4.3).
        control_plane_independent: bool,
    },
    /// An operator has ended the session: says nothing about the path (RFC 5882 §3.2).
    AdminDown(Side),
}

/// How a failure was noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DownCause {
    /// Nothing arrived for a detection time.
    DetectionTimeExpired,
    /// The other end said Down.
    NeighborSignaledDown,
}

/// What a session has counted since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets accepted.
    pub received: u64,
    /// Packets that named another session, or arrived while held down.
    pub discarded: u64,
    /// Packets sent.
    pub sent: u64,
    /// Times it came up.
    pub ups: u64,
    /// Failures: what is told as [`Verdict::Down`].
    pub downs: u64,
}

/// The last packet we sent.
#[derive(Clone, Copy, Debug)]
struct Sent {
    at: Instant,
    /// Of the interval, until the next one.
    share: Share,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Session {
    config: Config,
    discriminator: NonZeroU32,
    jitter: Jitter,
    made: Instant,
    state: State,
    diagnostic: Diagnostic,
    remote: Remote,
    offered: Pace,
    in_force: Pace,
    poll: Poll,
    sent: Option<Sent>,
    /// Arrival of the last packet that counts as a sign of life.
    heard: Option<Instant>,
    /// What we say has changed since our last packet.
    news: bool,
    counters: Counters,
}

impl Session {
    /// A session that is down, and due to send at `now`. The discriminator is unique among the
    /// sessions of this system.
    #[must_use]
    pub fn new(config: Config, discriminator: NonZeroU32, seed: u64, now: Instant) -> Self {
        let pace = Pace::wanted(&config, State::Down);
        Self {
            config,
            discriminator,
            jitter: Jitter::new(seed),
            made: now,
            state: State::Down,
            diagnostic: Diagnostic::None,
            remote: Remote::UNKNOWN,
            offered: pace,
            in_force: pace,
            poll: Poll::Idle,
            sent: None,
            heard: None,
            news: false,
            counters: Counters::default(),
        }
    }

    /// Takes in an event and appends what is to be done. At most four actions.
    pub fn step(&mut self, now: Instant, event: Event, actions: &mut Vec<Action>) {
        match event {
            Event::Tick => {}
            Event::Received(packet) => self.receive(now, &packet, actions),
            Event::Configure(config) => self.configure(config),
            Event::Disable => self.disable(actions),
            Event::Enable => self.enable(),
        }
        self.expire(now, actions);
        if self.due(now) {
            self.send(now, Answer::No, actions);
        }
    }

    /// When the next [`Event::Tick`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let next = [self.transmission(), self.expiry()];
        next.into_iter().flatten().min()
    }

    /// Our state.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// The state the other end last told.
    #[must_use]
    pub const fn remote_state(&self) -> State {
        self.remote.state
    }

    /// Why we last left Up.
    #[must_use]
    pub const fn diagnostic(&self) -> Diagnostic {
        self.diagnostic
    }

    /// Our number for the session.
    #[must_use]
    pub const fn discriminator(&self) -> NonZeroU32 {
        self.discriminator
    }

    /// The settings in use.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// What was counted.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Longest time between two packets of ours (RFC 5880 §6.8.2).
    #[must_use]
    pub fn transmit_interval(&self) -> Duration {
        let us = self.in_force.tx_us.max(self.remote.required_min_rx_us);
        Duration::from_micros(u64::from(us))
    }

    /// Silence that is a failure: the other end's multiplier times the slower of what we take and
    /// what it sends (RFC 5880 §6.8.4).
    #[must_use]
    pub fn detection_time(&self) -> Duration {
        let us = self.in_force.rx_us.max(self.remote.desired_min_tx_us);
        Duration::from_micros(u64::from(us)) * u32::from(self.remote.detect_mult.get())
    }

    fn receive(&mut self, now: Instant, packet: &Packet, actions: &mut Vec<Action>) {
        let for_us = packet
            .your_discriminator
            .is_none_or(|yours| yours == self.discriminator);
        if !for_us {
            self.counters.discarded += 1;
            return;
        }
        self.remote = Remote::of(packet);
        self.hear_final(packet);
        match transition::step(self.state, packet.state) {
            Step::Discard => {
                self.counters.discarded += 1;
                return;
            }
            Step::Stay => {}
            Step::Rise(State::Up) => self.rise_to_up(actions),
            Step::Rise(state) => self.change(state, self.diagnostic),
            Step::Fall => {
                let verdict = match packet.state {
                    State::AdminDown => Verdict::AdminDown(Side::Remote),
                    State::Down | State::Init | State::Up => {
                        self.failure(DownCause::NeighborSignaledDown)
                    }
                };
                self.leave(
                    State::Down,
                    Diagnostic::NeighborSignaledDown,
                    verdict,
                    actions,
                );
            }
        }
        self.counters.received += 1;
        self.heard = Some(now);
        if packet.poll {
            self.send(now, Answer::Final, actions);
        }
    }

    /// A Final ends a Poll Sequence; only a packet without one shows that the next Final will
    /// belong to the next Poll (§6.5).
    fn hear_final(&mut self, packet: &Packet) {
        match (self.poll, packet.finished) {
            (Poll::Asking, true) => {
                self.in_force = self.offered;
                self.poll = Poll::Draining;
            }
            (Poll::Draining, false) => {
                self.poll = Poll::Idle;
                self.offer();
            }
            (Poll::Idle, _) | (Poll::Asking, false) | (Poll::Draining, true) => {}
        }
    }

    fn rise_to_up(&mut self, actions: &mut Vec<Action>) {
        self.change(State::Up, Diagnostic::None);
        // The slow pace ends here; even where nothing differs from it, the other end is asked to
        // confirm what it has.
        self.ask(Pace::wanted(&self.config, State::Up));
        self.counters.ups += 1;
        actions.push(Action::Tell(Verdict::Up));
    }

    fn configure(&mut self, config: Config) {
        self.config = config;
        match self.state {
            State::Up => self.offer(),
            State::AdminDown | State::Down | State::Init => self.settle(),
        }
    }

    fn disable(&mut self, actions: &mut Vec<Action>) {
        if self.state != State::AdminDown {
            let verdict = Verdict::AdminDown(Side::Local);
            let why = Diagnostic::AdministrativelyDown;
            self.leave(State::AdminDown, why, verdict, actions);
        }
    }

    fn enable(&mut self) {
        if self.state == State::AdminDown {
            self.change(State::Down, self.diagnostic);
            self.heard = None;
        }
    }

    fn expire(&mut self, now: Instant, actions: &mut Vec<Action>) {
        if self.expiry().is_none_or(|at| at > now) {
            return;
        }
        if matches!(self.state, State::Init | State::Up) {
            let verdict = self.failure(DownCause::DetectionTimeExpired);
            self.leave(
                State::Down,
                Diagnostic::DetectionTimeExpired,
                verdict,
                actions,
            );
        }
        // §6.8.1: the other end may have begun anew, under another number.
        self.remote = Remote::UNKNOWN;
        self.heard = None;
    }

    const fn failure(&self, cause: DownCause) -> Verdict {
        Verdict::Down {
            cause,
            control_plane_independent: self.remote.control_plane_independent,
        }
    }

    /// To Down or AdminDown. Told only of a session that was up.
    fn leave(&mut self, to: State, why: Diagnostic, told: Verdict, actions: &mut Vec<Action>) {
        if self.state == State::Up {
            self.counters.downs += u64::from(matches!(told, Verdict::Down { .. }));
            actions.push(Action::Tell(told));
        }
        self.change(to, why);
        self.settle();
    }

    fn change(&mut self, state: State, diagnostic: Diagnostic) {
        self.state = state;
        self.diagnostic = diagnostic;
        self.news = true;
    }

    /// While not up nothing of ours is in use at the other end: offers need no confirmation.
    fn settle(&mut self) {
        self.offered = Pace::wanted(&self.config, self.state);
        self.in_force = self.offered;
        self.poll = Poll::Idle;
    }

    /// Begins a Poll Sequence where other times are wanted than offered and none is under way.
    fn offer(&mut self) {
        let wanted = Pace::wanted(&self.config, self.state);
        if wanted != self.offered && self.poll == Poll::Idle {
            self.ask(wanted);
        }
    }

    fn ask(&mut self, wanted: Pace) {
        self.offered = wanted;
        self.in_force = self.in_force.tightened(wanted);
        self.poll = Poll::Asking;
        self.news = true;
    }

    /// Whether we may send unasked (§6.8.7).
    fn may_send(&self) -> bool {
        self.config.role == Role::Active || self.remote.discriminator.is_some()
    }

    /// Whether we may send periodically (§6.8.7).
    fn is_periodic(&self) -> bool {
        let both_up = self.state == State::Up && self.remote.state == State::Up;
        let silenced = self.remote.demand && both_up && self.poll != Poll::Asking;
        self.may_send() && self.remote.required_min_rx_us != 0 && !silenced
    }

    fn due(&self, now: Instant) -> bool {
        let news = self.news && self.may_send();
        news || self.transmission().is_some_and(|at| at <= now)
    }

    fn transmission(&self) -> Option<Instant> {
        if !self.is_periodic() {
            return None;
        }
        let interval = self.transmit_interval();
        let next = |sent: Sent| {
            sent.at
                .checked_add(sent.share.of(interval, self.config.detect_mult))
        };
        self.sent.map_or(Some(self.made), next)
    }

    fn expiry(&self) -> Option<Instant> {
        self.heard?.checked_add(self.detection_time())
    }

    fn send(&mut self, now: Instant, answer: Answer, actions: &mut Vec<Action>) {
        let finished = answer == Answer::Final;
        actions.push(Action::Send(Packet {
            diagnostic: self.diagnostic,
            state: self.state,
            poll: self.poll == Poll::Asking && !finished,
            finished,
            control_plane_independent: false,
            demand: false,
            detect_mult: self.config.detect_mult,
            my_discriminator: self.discriminator,
            your_discriminator: self.remote.discriminator,
            desired_min_tx_us: self.offered.tx_us,
            required_min_rx_us: self.offered.rx_us,
            required_min_echo_rx_us: 0,
        }));
        self.sent = Some(Sent {
            at: now,
            share: self.jitter.draw(),
        });
        self.news = false;
        self.counters.sent += 1;
    }
}

/// Whether a packet answers a Poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    No,
    Final,
}
