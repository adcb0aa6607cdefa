//! Threads over loopback: against each other, and against a peer written by hand.

use std::collections::BTreeMap;
use std::net::{IpAddr, UdpSocket};
use std::num::{NonZeroU8, NonZeroU32};
use std::time::{Duration, Instant};

use ringbolt_bfd::Packet;
use tokio::time::timeout;

use super::*;

/// Longer than anything here takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(20);

fn config(ms: u32, hop: Hop) -> Config {
    Config {
        desired_min_tx: Interval::from_millis(ms).unwrap(),
        required_min_rx: Interval::from_millis(ms).unwrap(),
        detect_mult: NonZeroU8::new(3).unwrap(),
        role: Role::Active,
        hop,
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn key(local: &str, remote: &str) -> SessionKey {
    SessionKey {
        remote: ip(remote),
        local: Some(ip(local)),
        interface: None,
    }
}

/// A thread at `local` with one session.
fn end(local: &str, remote: &str, config: Config) -> Bfd {
    let listen = vec![ip(local)];
    let bfd = Bfd::spawn(Settings { listen }).unwrap();
    bfd.set(BTreeMap::from([(key(local, remote), config)]));
    bfd
}

async fn next(verdicts: &mut Verdicts) -> Vec<Verdict> {
    let told = timeout(LIMIT, verdicts.next()).await.expect("in time");
    let told = told.expect("the thread lives");
    told.into_iter().map(|(_, verdict)| verdict).collect()
}

/// Waits until `found` finds what it looks for in published numbers.
async fn find<T>(bfd: &Bfd, found: impl Fn(&Stats) -> Option<T>) -> T {
    let mut stats = bfd.stats.clone();
    let waited = timeout(LIMIT, async {
        loop {
            let current = Arc::clone(&stats.borrow_and_update());
            if let Some(value) = found(&current) {
                return value;
            }
            stats.changed().await.expect("the thread lives");
        }
    });
    waited.await.expect("in time")
}

#[tokio::test]
async fn two_threads_come_up_agree_on_times_and_part_without_a_failure() {
    for (hop, a, b) in [
        (Hop::Single, "127.0.11.1", "127.0.11.2"),
        (Hop::Multi { min_ttl: 254 }, "127.0.11.3", "127.0.11.4"),
    ] {
        let first = end(a, b, config(100, hop));
        let second = end(b, a, config(150, hop));
        let mut verdicts = [first.verdicts(), second.verdicts()];
        for verdicts in &mut verdicts {
            assert_eq!(next(verdicts).await, [Verdict::Up]);
        }
        for (bfd, local, remote) in [(&first, a, b), (&second, b, a)] {
            let agreed = |stats: &Stats| {
                let report = stats.sessions[&key(local, remote)];
                let interval = Duration::from_millis(150);
                (report.transmit_interval == interval && report.detection_time == interval * 3)
                    .then_some(())
            };
            find(bfd, agreed).await;
        }
        first.set(BTreeMap::new());
        assert_eq!(
            next(&mut verdicts[1]).await,
            [Verdict::AdminDown(Side::Remote)]
        );
        // Wanted again, it comes back.
        first.set(BTreeMap::from([(key(a, b), config(100, hop))]));
        assert_eq!(next(&mut verdicts[1]).await, [Verdict::Up]);
        drop(first);
        assert_eq!(
            next(&mut verdicts[1]).await,
            [Verdict::AdminDown(Side::Remote)]
        );
        assert_eq!(second.stats().sessions[&key(b, a)].counters.downs, 0);
    }
}

/// A session whose other end is itself shows all of the way of IPv6.
#[tokio::test]
async fn ipv6_packets_come_with_their_hop_limit() {
    for hop in [Hop::Single, Hop::Multi { min_ttl: 255 }] {
        let bfd = end("::1", "::1", config(100, hop));
        assert_eq!(next(&mut bfd.verdicts()).await, [Verdict::Up]);
        assert_eq!(bfd.stats().strays, BTreeMap::new());
        drop(bfd);
    }
}

#[test]
fn a_runtime_that_stalls_for_500_ms_costs_no_session() {
    let (a, b) = ("127.0.12.1", "127.0.12.2");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let ends = [
            end(a, b, config(100, Hop::Single)),
            end(b, a, config(100, Hop::Single)),
        ];
        let keys = [key(a, b), key(b, a)];
        for (bfd, key) in ends.iter().zip(&keys) {
            let fast = |stats: &Stats| {
                let detection = stats.sessions.get(key)?.detection_time;
                (detection == Duration::from_millis(300)).then_some(())
            };
            find(bfd, fast).await;
        }
        let before = ends[0].stats().sessions[&keys[0]].counters.received;
        let until = Instant::now() + Duration::from_millis(500);
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        for (bfd, key) in ends.iter().zip(&keys) {
            let counters = find(bfd, |stats| {
                let counters = stats.sessions[key].counters;
                (counters.received > before + 4).then_some(counters)
            });
            assert_eq!(counters.await.downs, 0);
            assert_eq!(bfd.stats().sessions[key].state, State::Up);
        }
    });
}

/// A peer that answers as it is told to.
struct Script {
    socket: UdpSocket,
    to: SocketAddr,
}

impl Script {
    /// At port 3784 of `local`, where the session of `to` sends.
    fn new(local: &str, to: &str) -> Self {
        let socket = UdpSocket::bind((ip(local), 3784)).unwrap();
        socket.set_ttl(255).unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        let to = SocketAddr::new(ip(to), 3784);
        Self { socket, to }
    }

    fn hear(&self) -> (Packet, SocketAddr) {
        let mut buffer = [0; 64];
        let (octets, from) = self.socket.recv_from(&mut buffer).unwrap();
        (Packet::decode(&buffer[..octets]).unwrap(), from)
    }

    /// Hears until a packet says `state`.
    fn hear_state(&self, state: State) -> (Packet, SocketAddr) {
        loop {
            let heard = self.hear();
            if heard.0.state == state {
                return heard;
            }
        }
    }

    fn say(&self, state: State, yours: Option<NonZeroU32>) {
        let packet = Packet {
            diagnostic: Diagnostic::None,
            state,
            poll: false,
            finished: false,
            control_plane_independent: true,
            demand: false,
            detect_mult: NonZeroU8::new(2).unwrap(),
            my_discriminator: NonZeroU32::new(77).unwrap(),
            your_discriminator: yours,
            desired_min_tx_us: 100_000,
            required_min_rx_us: 100_000,
            required_min_echo_rx_us: 0,
        };
        self.socket.send_to(&packet.encode(), self.to).unwrap();
    }
}

#[tokio::test]
async fn silence_is_told_with_the_c_bit_and_the_source_port_stays() {
    let (us, them) = ("127.0.13.1", "127.0.13.2");
    let script = Script::new(them, us);
    let bfd = end(us, them, config(100, Hop::Single));
    let mut verdicts = bfd.verdicts();
    let (first, from) = script.hear();
    assert!(from.port() >= 49_152);
    assert_eq!(from.ip(), ip(us));
    script.say(State::Init, Some(first.my_discriminator));
    assert_eq!(next(&mut verdicts).await, [Verdict::Up]);
    let down = Verdict::Down {
        cause: DownCause::DetectionTimeExpired,
        control_plane_independent: true,
    };
    assert_eq!(next(&mut verdicts).await, [down]);
    let (last, again) = script.hear_state(State::Down);
    assert_eq!(again, from);
    assert_eq!(last.my_discriminator, first.my_discriminator);
}

#[tokio::test]
async fn a_failure_between_two_reads_is_told_before_what_followed() {
    let (us, them) = ("127.0.14.1", "127.0.14.2");
    let script = Script::new(them, us);
    let bfd = end(us, them, config(100, Hop::Single));
    let mut verdicts = bfd.verdicts();
    let (first, _) = script.hear();
    let ours = Some(first.my_discriminator);
    script.say(State::Init, ours);
    assert_eq!(next(&mut verdicts).await, [Verdict::Up]);
    script.say(State::Down, ours);
    script.say(State::Init, ours);
    find(&bfd, |stats| {
        let report = stats.sessions.values().next()?;
        (report.counters.ups == 2).then_some(())
    })
    .await;
    let down = Verdict::Down {
        cause: DownCause::NeighborSignaledDown,
        control_plane_independent: true,
    };
    assert_eq!(
        verdicts.read(),
        [(key(us, them), down), (key(us, them), Verdict::Up)]
    );
}

#[tokio::test]
async fn packets_from_afar_from_strangers_and_garbage_are_counted_and_nothing_else() {
    let (us, them) = ("127.0.15.1", "127.0.15.2");
    let script = Script::new(them, us);
    let bfd = end(us, them, config(100, Hop::Single));
    let (first, _) = script.hear();
    let stranger = Script::new("127.0.15.3", us);
    stranger.say(State::Down, None);
    script.say(
        State::Down,
        NonZeroU32::new(first.my_discriminator.get() ^ 1),
    );
    script.socket.send_to(&[0xff; 70], script.to).unwrap();
    script.socket.send_to(&[], script.to).unwrap();
    script.socket.set_ttl(254).unwrap();
    script.say(State::Init, Some(first.my_discriminator));
    let expected = BTreeMap::from([
        (Discard::UnknownDiscriminator, 1),
        (Discard::UnknownSource, 1),
        (Discard::Ttl, 1),
    ]);
    let counted =
        |stats: &Stats| (stats.strays == expected && stats.undecodable == 2).then_some(());
    find(&bfd, counted).await;
    assert_eq!(bfd.stats().sessions[&key(us, them)].state, State::Down);
}

#[tokio::test]
async fn a_busy_port_is_told_and_taken_when_it_is_free() {
    let (us, them) = ("127.0.16.1", "127.0.16.2");
    let other = UdpSocket::bind((ip(us), 3784)).unwrap();
    let bfd = end(us, them, config(100, Hop::Single));
    let address = SocketAddr::new(ip(us), 3784);
    let closed = find(&bfd, |stats| stats.closed.get(&address).copied());
    assert_eq!(closed.await, ListenProblem::PortBusy);
    drop(other);
    find(&bfd, |stats| stats.closed.is_empty().then_some(())).await;
}

#[tokio::test]
async fn an_address_that_is_missing_is_the_sessions_own_problem() {
    let (us, them) = ("127.0.17.1", "127.0.17.2");
    let listen = vec![ip(us), ip(them)];
    let bfd = Bfd::spawn(Settings { listen }).unwrap();
    let missing = key("192.0.2.77", us);
    let config = config(100, Hop::Single);
    bfd.set(BTreeMap::from([
        (missing, config),
        (key(us, them), config),
        (key(them, us), config),
    ]));
    let stuck = find(&bfd, |stats| stats.sessions.get(&missing)?.problem);
    assert_eq!(stuck.await, io::ErrorKind::AddrNotAvailable);
    find(&bfd, |stats| {
        let up = |local, remote| stats.sessions[&key(local, remote)].state == State::Up;
        (up(us, them) && up(them, us)).then_some(())
    })
    .await;
}
