//! Two sessions over a pipe that loses, delays and reorders, in virtual time.

use std::collections::BTreeMap;
use std::num::{NonZeroU8, NonZeroU32};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use crate::session::config::{Config, Hop, Interval, Role};
use crate::session::{Action, Event, Session, Verdict};
use crate::wire::{Packet, State};

/// What the pipe does to packets.
#[derive(Clone, Copy, Debug)]
struct Weather {
    /// Thousandths lost.
    loss: u64,
    least: Duration,
    /// On top of `least`, different for each packet: reorders those closer together.
    more: Duration,
    order: Order,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Kept,
    Mixed,
}

struct World {
    sessions: [Session; 2],
    now: Instant,
    /// Packets under way by arrival, and to whom.
    pipe: BTreeMap<(Instant, u64), (usize, Packet)>,
    last_arrival: [Instant; 2],
    count: u64,
    random: u64,
    weather: Weather,
    /// Directions that pass nothing.
    cut: [bool; 2],
    told: Vec<(Instant, usize, Verdict)>,
}

impl World {
    fn new(configs: [Config; 2], weather: Weather, seed: u64) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "virtual time has to start somewhere"
        )]
        let now = Instant::now();
        let session = |index: usize, number| {
            let number = NonZeroU32::new(number).unwrap();
            Session::new(configs[index], number, seed ^ u64::from(number.get()), now)
        };
        Self {
            sessions: [session(0, 11), session(1, 22)],
            now,
            pipe: BTreeMap::new(),
            last_arrival: [now; 2],
            count: 0,
            random: seed | 1,
            weather,
            cut: [false; 2],
            told: Vec::new(),
        }
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % below
    }

    fn event(&mut self, index: usize, event: Event) {
        let mut actions = Vec::new();
        self.sessions[index].step(self.now, event, &mut actions);
        for action in actions {
            match action {
                Action::Tell(verdict) => self.told.push((self.now, index, verdict)),
                Action::Send(packet) => self.carry(1 - index, packet),
            }
        }
    }

    fn carry(&mut self, to: usize, packet: Packet) {
        if self.cut[to] || self.draw(1000) < self.weather.loss {
            return;
        }
        let more = u64::try_from(self.weather.more.as_micros()).unwrap();
        let delay = self.weather.least + Duration::from_micros(self.draw(more + 1));
        let mut at = self.now + delay;
        if self.weather.order == Order::Kept {
            at = at.max(self.last_arrival[to]);
        }
        self.last_arrival[to] = at;
        self.count += 1;
        self.pipe.insert((at, self.count), (to, packet));
    }

    /// Lets time pass until `end`, or until `stop` holds.
    fn run(&mut self, end: Instant, stop: impl Fn(&Self) -> bool) {
        while !stop(self) {
            let arrival = self.pipe.keys().next().map(|(at, _)| *at);
            let due = [self.sessions[0].deadline(), self.sessions[1].deadline()];
            let Some(next) = due.into_iter().chain([arrival]).flatten().min() else {
                break;
            };
            if next > end {
                break;
            }
            self.now = next.max(self.now);
            if arrival == Some(next) {
                let (_, (to, packet)) = self.pipe.pop_first().expect("one is under way");
                self.event(to, Event::Received(packet));
            } else {
                let index = usize::from(due[0].is_none_or(|at| at != next));
                self.event(index, Event::Tick);
            }
        }
        if !stop(self) {
            self.now = end;
        }
    }

    fn run_for(&mut self, span: Duration) {
        self.run(self.now + span, |_| false);
    }

    fn both_up(&self) -> bool {
        self.sessions
            .iter()
            .all(|session| session.state() == State::Up)
    }

    /// Runs until both are up, and until nothing sent before is under way.
    fn come_up(&mut self, within: Duration) -> bool {
        let end = self.now + within;
        self.run(end, Self::both_up);
        let up = self.both_up();
        let slack = 2 * (self.weather.least + self.weather.more);
        self.run_for(slack + Duration::from_millis(1));
        up
    }

    fn downs_since(&self, since: Instant) -> usize {
        let downs = self
            .told
            .iter()
            .filter(|(at, _, verdict)| *at >= since && *verdict != Verdict::Up);
        downs.count()
    }
}

fn any_config() -> impl Strategy<Value = Config> {
    (10..2000_u32, 10..2000_u32, 1..6_u8).prop_map(|(tx, rx, mult)| Config {
        desired_min_tx: Interval::from_millis(tx).unwrap(),
        required_min_rx: Interval::from_millis(rx).unwrap(),
        detect_mult: NonZeroU8::new(mult).unwrap(),
        role: Role::Active,
        hop: Hop::Single,
    })
}

/// Two configurations of which at most one is passive.
fn any_configs() -> impl Strategy<Value = [Config; 2]> {
    (any_config(), any_config(), any::<bool>()).prop_map(|(first, mut second, passive)| {
        if passive {
            second.role = Role::Passive;
        }
        [first, second]
    })
}

/// How unequal delays may be without a packet in time being taken for a lost one: less than what
/// detection allows beyond one interval.
fn tolerance(configs: &[Config; 2]) -> Duration {
    let allowed = |sender: &Config, receiver: &Config| {
        let interval = Duration::from(sender.desired_min_tx.max(receiver.required_min_rx));
        match sender.detect_mult.get() {
            1 => interval / 10,
            mult => interval * u32::from(mult - 1),
        }
    };
    let [a, b] = configs;
    let least = allowed(a, b).min(allowed(b, a));
    least.min(Duration::from_millis(400)) * 9 / 10
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn without_loss_both_come_up_within_a_second_and_never_flap(
        configs in any_configs(), seed: u64, least in 0..100_u64, share in 0..=100_u32,
    ) {
        let more = tolerance(&configs) * share / 100;
        let least = Duration::from_millis(least);
        let weather = Weather { loss: 0, least, more, order: Order::Kept };
        let mut world = World::new(configs, weather, seed);
        prop_assert!(world.come_up(Duration::from_secs(1) + 4 * (least + more)), "not up");
        let since = world.now;
        world.run_for(Duration::from_secs(60));
        prop_assert_eq!(world.downs_since(since), 0, "{:?}", world.told);
    }

    #[test]
    fn reordered_packets_bring_no_established_session_down(
        configs in any_configs(), seed: u64, share in 0..=100_u32,
    ) {
        let more = tolerance(&configs) * share / 100;
        let weather = Weather { loss: 0, least: Duration::from_millis(1), more, order: Order::Mixed };
        let mut world = World::new(configs, weather, seed);
        // An old Down that arrives after an Init takes the session down while it comes up: the
        // protocol has no sequence numbers. It comes back.
        world.run_for(Duration::from_secs(30));
        prop_assert!(world.both_up(), "not up");
        let since = world.now;
        world.run_for(Duration::from_secs(60));
        prop_assert_eq!(world.downs_since(since), 0, "{:?}", world.told);
    }

    #[test]
    fn with_loss_both_come_up_and_a_cut_is_noticed_within_the_detection_time(
        configs in any_configs(), seed: u64, loss in 0..250_u64, both: bool, wait in 0..5_000_u64,
    ) {
        let least = Duration::from_millis(5);
        let more = tolerance(&configs).min(Duration::from_millis(50));
        let weather = Weather { loss, least, more, order: Order::Mixed };
        let mut world = World::new(configs, weather, seed);
        let end = world.now + Duration::from_secs(300);
        world.run(end, World::both_up);
        prop_assert!(world.both_up(), "not up");
        world.run_for(Duration::from_millis(wait));
        world.cut = [true, both];
        // Nothing that arrives later counts from later than this.
        let flight = least + more;
        let detection = world.sessions.iter().map(Session::detection_time).max().unwrap();
        // The slow pace may be what was last heard.
        let slow = Duration::from_secs(2) * 5;
        let bound = flight * 2 + detection.max(slow);
        world.run_for(bound);
        prop_assert!(world.sessions[0].state() != State::Up, "the deaf end is up");
        if both {
            prop_assert!(world.sessions[1].state() != State::Up);
            let since = world.now;
            world.run_for(Duration::from_secs(20));
            prop_assert!(!world.told.iter().any(|(at, _, verdict)| *at >= since && *verdict == Verdict::Up));
        }
        world.cut = [false; 2];
        let end = world.now + Duration::from_secs(300);
        world.run(end, World::both_up);
        prop_assert!(world.both_up(), "not up again");
    }

    #[test]
    fn a_quiet_cut_is_noticed_at_the_detection_time_and_not_before(
        configs in any_configs(), seed: u64,
    ) {
        let weather = Weather {
            loss: 0, least: Duration::from_millis(1), more: Duration::ZERO, order: Order::Kept,
        };
        let mut world = World::new(configs, weather, seed);
        world.run_for(Duration::from_secs(30));
        prop_assert!(world.both_up(), "not up");
        world.cut = [true; 2];
        let at = world.now;
        let spans = [0, 1].map(|index| world.sessions[index].detection_time());
        world.run_for(spans[0].max(spans[1]) + Duration::from_millis(2));
        for (index, span) in spans.into_iter().enumerate() {
            let sender = &configs[1 - index];
            let receiver = &configs[index];
            let interval = Duration::from(sender.desired_min_tx.max(receiver.required_min_rx));
            prop_assert_eq!(span, interval * u32::from(sender.detect_mult.get()));
            let downs: Vec<Instant> = world.told.iter()
                .filter(|(_, who, verdict)| *who == index && *verdict != Verdict::Up)
                .map(|(at, _, _)| *at).collect();
            prop_assert_eq!(downs.len(), 1);
            prop_assert!(downs[0] <= at + span + Duration::from_millis(1));
            prop_assert!(downs[0] + interval >= at + span);
        }
    }

    #[test]
    fn changed_times_bring_no_session_down(
        configs in any_configs(), seed: u64, changes in proptest::collection::vec((any_config(), 0..2_usize, 0..4_000_u64), 1..8),
    ) {
        let weather = Weather {
            loss: 0, least: Duration::from_millis(2), more: Duration::ZERO, order: Order::Kept,
        };
        // Changes of the multiplier take effect without a Poll: it stays, at two or more.
        let mult = NonZeroU8::new(3).unwrap();
        let configs = configs.map(|config| Config { detect_mult: mult, ..config });
        let mut world = World::new(configs, weather, seed);
        prop_assert!(world.come_up(Duration::from_secs(4)), "not up");
        let since = world.now;
        let mut last = configs;
        for (config, index, wait) in changes {
            let config = Config { detect_mult: mult, ..config };
            last[index] = config;
            world.event(index, Event::Configure(config));
            world.run_for(Duration::from_millis(wait));
        }
        world.run_for(Duration::from_secs(60));
        prop_assert_eq!(world.downs_since(since), 0, "{:?}", world.told);
        for index in [0, 1] {
            let pace = last[index].desired_min_tx.max(last[1 - index].required_min_rx);
            prop_assert_eq!(world.sessions[index].transmit_interval(), Duration::from(pace));
        }
    }
}
