//! One session against packets written by hand; two over a pipe are in `pair`.

use std::num::{NonZeroU8, NonZeroU32};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::config::{Config, Hop, Interval, Role};
use super::{Action, DownCause, Event, Session, Side, Verdict};
use crate::wire::{Diagnostic, Packet, State};

mod pair;
mod times;

const OURS: NonZeroU32 = NonZeroU32::new(7).unwrap();
const THEIRS: NonZeroU32 = NonZeroU32::new(9).unwrap();

fn config() -> Config {
    Config {
        desired_min_tx: Interval::from_millis(300).unwrap(),
        required_min_rx: Interval::from_millis(300).unwrap(),
        detect_mult: NonZeroU8::new(3).unwrap(),
        role: Role::Active,
        hop: Hop::Single,
    }
}

/// From the other end, which knows us and sends every 200 ms, four lost being a failure.
fn packet(state: State) -> Packet {
    Packet {
        diagnostic: Diagnostic::None,
        state,
        poll: false,
        finished: false,
        control_plane_independent: false,
        demand: false,
        detect_mult: NonZeroU8::new(4).unwrap(),
        my_discriminator: THEIRS,
        your_discriminator: Some(OURS),
        desired_min_tx_us: 200_000,
        required_min_rx_us: 100_000,
        required_min_echo_rx_us: 50_000,
    }
}

/// A session and its clock.
struct Bench {
    session: Session,
    now: Instant,
    sent: Vec<Packet>,
    told: Vec<Verdict>,
}

impl Bench {
    fn new(config: Config) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "virtual time has to start somewhere"
        )]
        let now = Instant::now();
        let session = Session::new(config, OURS, 1, now);
        Self {
            session,
            now,
            sent: Vec::new(),
            told: Vec::new(),
        }
    }

    /// A session that the other end has brought into `state`.
    fn at(state: State, config: Config) -> Self {
        let mut bench = Self::new(config);
        match state {
            State::AdminDown => bench.event(Event::Disable),
            State::Down => {}
            State::Init => bench.hear(packet(State::Down)),
            State::Up => bench.hear(packet(State::Init)),
        }
        assert_eq!(bench.session.state(), state);
        bench.sent.clear();
        bench.told.clear();
        bench
    }

    fn event(&mut self, event: Event) {
        let mut actions = Vec::new();
        self.session.step(self.now, event, &mut actions);
        assert!(actions.len() <= 4, "{actions:?}");
        for action in actions {
            match action {
                Action::Send(packet) => self.sent.push(packet),
                Action::Tell(verdict) => self.told.push(verdict),
            }
        }
    }

    fn hear(&mut self, packet: Packet) {
        self.event(Event::Received(packet));
    }

    /// Lets time pass, ticking at every deadline.
    fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(at) = self.session.deadline().filter(|at| *at <= end) {
            self.now = at.max(self.now);
            self.event(Event::Tick);
        }
        self.now = end;
    }

    fn last(&self) -> Packet {
        *self.sent.last().expect("a packet was sent")
    }
}

#[test]
fn every_state_goes_where_the_rfc_says_with_its_diagnostic_and_verdict() {
    use Diagnostic::NeighborSignaledDown as Signaled;
    use State::{AdminDown, Down, Init, Up};
    let failed = Verdict::Down {
        cause: DownCause::NeighborSignaledDown,
        control_plane_independent: false,
    };
    let held = Diagnostic::AdministrativelyDown;
    let none = Diagnostic::None;
    // Ours, heard, then ours, our diagnostic, what is told.
    let table = [
        (AdminDown, AdminDown, AdminDown, held, None),
        (AdminDown, Down, AdminDown, held, None),
        (AdminDown, Init, AdminDown, held, None),
        (AdminDown, Up, AdminDown, held, None),
        (Down, AdminDown, Down, none, None),
        (Down, Down, Init, none, None),
        (Down, Init, Up, none, Some(Verdict::Up)),
        (Down, Up, Down, none, None),
        (Init, AdminDown, Down, Signaled, None),
        (Init, Down, Init, none, None),
        (Init, Init, Up, none, Some(Verdict::Up)),
        (Init, Up, Up, none, Some(Verdict::Up)),
        (
            Up,
            AdminDown,
            Down,
            Signaled,
            Some(Verdict::AdminDown(Side::Remote)),
        ),
        (Up, Down, Down, Signaled, Some(failed)),
        (Up, Init, Up, none, None),
        (Up, Up, Up, none, None),
    ];
    for (from, heard, to, diagnostic, told) in table {
        let mut bench = Bench::at(from, config());
        bench.hear(packet(heard));
        let case = format!("{from:?} hears {heard:?}");
        assert_eq!(bench.session.state(), to, "{case}");
        assert_eq!(bench.session.diagnostic(), diagnostic, "{case}");
        assert_eq!(bench.told, Vec::from_iter(told), "{case}");
        if from != to {
            let last = bench.last();
            assert_eq!(
                (last.state, last.diagnostic),
                (to, diagnostic),
                "{case}: told at once"
            );
        }
    }
}

#[test]
fn our_packets_reflect_no_echo_and_share_their_fate_with_the_control_plane() {
    let mut bench = Bench::new(config());
    bench.event(Event::Tick);
    let first = bench.last();
    assert_eq!(first.your_discriminator, None);
    assert_eq!(first.my_discriminator, OURS);
    bench.hear(packet(State::Init));
    bench.pass(Duration::from_millis(700));
    assert!(bench.sent.len() > 3);
    for packet in &bench.sent {
        assert_eq!(packet.required_min_echo_rx_us, 0);
        assert!(!packet.control_plane_independent && !packet.demand);
    }
    assert_eq!(bench.last().your_discriminator, Some(THEIRS));
}

#[test]
fn silence_for_the_detection_time_is_a_failure_and_forgets_the_other_end() {
    let mut bench = Bench::at(State::Up, config());
    // 4 x max(300 ms, 200 ms).
    assert_eq!(bench.session.detection_time(), Duration::from_millis(1200));
    let independent = Packet {
        control_plane_independent: true,
        ..packet(State::Up)
    };
    bench.hear(independent);
    bench.pass(Duration::from_millis(1199));
    assert_eq!(bench.told, []);
    bench.pass(Duration::from_millis(1));
    let told = Verdict::Down {
        cause: DownCause::DetectionTimeExpired,
        control_plane_independent: true,
    };
    assert_eq!(bench.told, [told]);
    let last = bench.last();
    assert_eq!(
        (last.state, last.diagnostic, last.your_discriminator),
        (State::Down, Diagnostic::DetectionTimeExpired, None)
    );
    let counters = bench.session.counters();
    assert_eq!((counters.ups, counters.downs), (1, 1));
}

#[test]
fn silence_in_init_leads_back_to_down_without_a_verdict() {
    let mut bench = Bench::at(State::Init, config());
    bench.pass(Duration::from_secs(2));
    assert_eq!(bench.session.state(), State::Down);
    assert_eq!(bench.told, []);
}

#[test]
fn a_slower_sender_is_awaited_at_its_own_pace() {
    let mut bench = Bench::at(State::Up, config());
    let slow = Packet {
        desired_min_tx_us: 2_000_000,
        ..packet(State::Up)
    };
    bench.hear(slow);
    assert_eq!(bench.session.detection_time(), Duration::from_secs(8));
}

#[test]
fn an_operator_here_ends_the_session_without_a_failure_and_may_let_it_come_back() {
    let mut bench = Bench::at(State::Up, config());
    bench.event(Event::Disable);
    assert_eq!(bench.told, [Verdict::AdminDown(Side::Local)]);
    let last = bench.last();
    assert_eq!(
        (last.state, last.diagnostic),
        (State::AdminDown, Diagnostic::AdministrativelyDown)
    );
    bench.sent.clear();
    bench.pass(Duration::from_secs(4));
    assert!((3..=6).contains(&bench.sent.len()), "it goes on saying so");
    bench.event(Event::Enable);
    assert_eq!(bench.last().state, State::Down);
    bench.hear(packet(State::Init));
    assert_eq!(bench.session.state(), State::Up);
    assert_eq!(bench.session.counters().downs, 0);
}

#[test]
fn a_passive_session_is_silent_until_it_is_spoken_to() {
    let passive = Config {
        role: Role::Passive,
        ..config()
    };
    let mut bench = Bench::new(passive);
    bench.pass(Duration::from_secs(10));
    assert_eq!(bench.sent, []);
    assert_eq!(bench.session.deadline(), None);
    let first = Packet {
        your_discriminator: None,
        ..packet(State::Down)
    };
    bench.hear(first);
    assert_eq!(bench.last().state, State::Init);
    bench.hear(packet(State::Init));
    assert_eq!(bench.session.state(), State::Up);
    // Silence makes the other end unknown: we are silent, too.
    bench.pass(Duration::from_secs(2));
    bench.sent.clear();
    bench.pass(Duration::from_secs(10));
    assert_eq!(bench.sent, []);
}

#[test]
fn a_packet_for_another_session_is_no_sign_of_life() {
    let mut bench = Bench::at(State::Up, config());
    for _ in 0..13 {
        bench.pass(Duration::from_millis(100));
        let stray = Packet {
            your_discriminator: NonZeroU32::new(8),
            ..packet(State::Up)
        };
        bench.hear(stray);
    }
    assert_eq!(bench.session.state(), State::Down);
    assert_eq!(bench.session.counters().discarded, 13);
}

fn any_packet() -> impl Strategy<Value = Packet> {
    // Bytes that pass the first rules, so that most decode.
    let bytes = proptest::collection::vec(any::<u8>(), 24..30);
    bytes.prop_filter_map("decodes", |mut bytes| {
        bytes[0] = 0x20 | (bytes[0] & 0x1f);
        bytes[1] &= 0xfa;
        bytes[3] = 24;
        if bytes[4] < 200 {
            bytes[8..12].copy_from_slice(&OURS.get().to_be_bytes());
        }
        Packet::decode(&bytes).ok()
    })
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => any_packet().prop_map(Event::Received),
        2 => Just(Event::Tick),
        1 => Just(Event::Disable),
        1 => Just(Event::Enable),
        1 => (1..u32::MAX, 1..u32::MAX, 1..=u8::MAX, any::<bool>()).prop_map(|(tx, rx, mult, passive)| {
            Event::Configure(Config {
                desired_min_tx: Interval::from_micros(NonZeroU32::new(tx).unwrap()),
                required_min_rx: Interval::from_micros(NonZeroU32::new(rx).unwrap()),
                detect_mult: NonZeroU8::new(mult).unwrap(),
                role: if passive { Role::Passive } else { Role::Active },
                hop: Hop::Single,
            })
        }),
    ]
}

proptest! {
    #[test]
    fn whatever_decodes_and_happens_the_session_lives_by_its_rules(
        events in proptest::collection::vec((any_event(), 0..3_000_000_u64), 1..80),
    ) {
        let mut bench = Bench::new(config());
        for (event, us) in events {
            bench.now += Duration::from_micros(us);
            let before = (bench.session.state(), bench.sent.len(), bench.told.len());
            bench.event(event);
            let after = bench.session.state();
            for packet in &bench.sent[before.1..] {
                prop_assert!(!(packet.poll && packet.finished));
                prop_assert_eq!(Packet::decode(&packet.encode()), Ok(*packet));
                if packet.state != State::Up {
                    prop_assert!(packet.desired_min_tx_us >= 1_000_000);
                }
            }
            // Told exactly when Up is entered or left.
            let told = &bench.told[before.2..];
            prop_assert_eq!(told.contains(&Verdict::Up), before.0 != State::Up && after == State::Up);
            let left = told.iter().any(|verdict| *verdict != Verdict::Up);
            prop_assert_eq!(left, before.0 == State::Up && after != State::Up);
            if before.0 == State::AdminDown && event != Event::Enable {
                prop_assert_eq!(after, State::AdminDown);
            }
            // What is due was done: a driver that ticks at the deadline never spins.
            if let Some(at) = bench.session.deadline() {
                prop_assert!(at > bench.now, "{:?} is due after a step", after);
            }
        }
    }
}
