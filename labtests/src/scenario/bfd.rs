//! BFD sessions of ours against those of FRR and BIRD: that they agree, hold, and notice a daemon that hangs.
//! BGP has no part in it: the thread of `bgp/net` is driven directly.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ringbolt_bgp_net::bfd::{
    Bfd, Config, DownCause, Hop, Interval, Report, Role, SessionKey, Settings, State, Verdict,
};

use super::Scenario;
use crate::lab::{Lab, link};
use crate::netns::{Netns, Signal};
use crate::node::Ringbolt;
use crate::process::Kept;
use crate::wait::{holds_for, wait_for};
use daemon::{Bfdd, Bird, Other};

mod daemon;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "bfd_with_frr_agrees_holds_and_notices_a_daemon_that_hangs",
        run: with_frr,
    },
    Scenario {
        name: "bfd_with_bird_agrees_holds_and_notices_a_daemon_that_hangs",
        run: with_bird,
    },
];

const LIMIT: Duration = Duration::from_secs(20);
/// Beyond the detection time: until the numbers are published and read.
const READING: Duration = Duration::from_millis(300);
/// How long sessions are watched at each pace.
const WATCHED: Duration = Duration::from_secs(3);

/// The link, at our end and at the other's; the last pair is far away by configuration.
const SINGLE: [[&str; 2]; 2] = [
    ["192.0.2.1", "192.0.2.2"],
    ["2001:db8:bfd::1", "2001:db8:bfd::2"],
];
const MULTI: [&str; 2] = ["198.51.100.1", "198.51.100.2"];
/// BIRD leaves the TTL of multihop packets to the kernel, whose default is 64.
const BIRD_TTL: u8 = 64;

fn with_frr(_ringbolt: &Ringbolt) -> Result<()> {
    agrees_holds_notices("bfd-frr", 254, |space, folder, kept| {
        Ok(Box::new(Bfdd::start(space, folder, kept)?))
    })
}

fn with_bird(_ringbolt: &Ringbolt) -> Result<()> {
    agrees_holds_notices("bfd-bird", BIRD_TTL, |space, folder, kept| {
        Ok(Box::new(Bird::start(space, folder, kept)?))
    })
}

type Start = fn(&Netns, &Path, &Kept) -> Result<Box<dyn Other>>;

fn agrees_holds_notices(name: &str, min_ttl: u8, start: Start) -> Result<()> {
    let mut lab = Lab::new(name)?;
    let spaces = wire(&mut lab)?;
    let [ours, theirs] = &spaces;
    let other = start(theirs, lab.folder(), lab.kept())?;
    let bfd = ours.inside(|| Bfd::spawn(Settings::default()))??;
    let keys = keys(min_ttl)?;
    for ms in [300, 100, 50] {
        bfd.set(wanted(&keys, ms)?);
        let pace = Duration::from_millis(ms.into());
        let agreed = || each(&bfd, &keys, |report| is_at(report, pace));
        wait_for(&format!("three sessions at {ms} ms"), LIMIT, agreed)
            .with_context(|| format!("{:?}, at the other end {}", bfd.stats(), other.state()))?;
        let before = downs(&bfd);
        holds_for("no session flaps", WATCHED, || {
            let flaps = downs(&bfd) - before;
            ensure!(flaps == 0, "{flaps} flaps at {ms} ms: {:?}", bfd.stats());
            Ok(())
        })?;
        other.signal(Signal::Stop)?;
        let since = Instant::now();
        wait_for("the failure", LIMIT, || each(&bfd, &keys, is_expired))?;
        let took = since.elapsed();
        ensure!(
            took < pace * 3 + READING,
            "noticed after {took:?} at {ms} ms"
        );
        other.signal(Signal::Continue)?;
    }
    wait_for("they come back", LIMIT, || {
        each(&bfd, &keys, |report| {
            is_at(report, Duration::from_millis(50))
        })
    })?;
    drop(bfd);
    wait_for("the other end is down, too", LIMIT, || other.all_down())?;
    lab.succeeded();
    Ok(())
}

/// Two namespaces with a link, addresses on it, and one each behind it.
fn wire(lab: &mut Lab) -> Result<[Netns; 2]> {
    let spaces = [lab.host("ours")?, lab.host("theirs")?];
    link(&spaces[0], "lab0", &spaces[1], "lab0")?;
    for (end, space) in spaces.iter().enumerate() {
        let far = 1 - end;
        space.ip("link set lo up")?;
        space.ip(&format!("addr add {}/24 dev lab0", SINGLE[0][end]))?;
        space.ip(&format!("addr add {}/64 dev lab0 nodad", SINGLE[1][end]))?;
        space.ip(&format!("addr add {}/32 dev lo", MULTI[end]))?;
        space.ip(&format!(
            "route add {}/32 via {}",
            MULTI[far], SINGLE[0][far]
        ))?;
    }
    Ok(spaces)
}

/// The sessions, with how far away their other ends are.
fn keys(min_ttl: u8) -> Result<BTreeMap<SessionKey, Hop>> {
    let key = |[local, remote]: [&str; 2]| -> Result<SessionKey> {
        Ok(SessionKey {
            remote: remote.parse::<IpAddr>()?,
            local: Some(local.parse()?),
            interface: None,
        })
    };
    Ok(BTreeMap::from([
        (key(SINGLE[0])?, Hop::Single),
        (key(SINGLE[1])?, Hop::Single),
        (key(MULTI)?, Hop::Multi { min_ttl }),
    ]))
}

fn wanted(keys: &BTreeMap<SessionKey, Hop>, ms: u32) -> Result<BTreeMap<SessionKey, Config>> {
    let interval = Interval::from_millis(ms).context("an interval of zero")?;
    let config = |hop| -> Result<Config> {
        Ok(Config {
            desired_min_tx: interval,
            required_min_rx: interval,
            detect_mult: 3.try_into()?,
            role: Role::Active,
            hop,
        })
    };
    let configs = keys.iter().map(|(key, hop)| Ok((*key, config(*hop)?)));
    configs.collect()
}

/// Succeeds when `check` does for every session.
fn each(
    bfd: &Bfd,
    keys: &BTreeMap<SessionKey, Hop>,
    check: impl Fn(&Report) -> Result<()>,
) -> Result<()> {
    let stats = bfd.stats();
    for key in keys.keys() {
        let report = stats.sessions.get(key).context("no such session")?;
        check(report).with_context(|| format!("with {}", key.remote))?;
    }
    Ok(())
}

/// Up, and both ends have agreed on `pace`.
fn is_at(report: &Report, pace: Duration) -> Result<()> {
    let agreed = report.transmit_interval == pace && report.detection_time == pace * 3;
    ensure!(report.state == State::Up && agreed, "{report:?}");
    Ok(())
}

fn is_expired(report: &Report) -> Result<()> {
    let expired = matches!(
        report.verdict,
        Some(Verdict::Down {
            cause: DownCause::DetectionTimeExpired,
            ..
        })
    );
    ensure!(expired, "{report:?}");
    Ok(())
}

fn downs(bfd: &Bfd) -> u64 {
    let stats = bfd.stats();
    let sessions = stats.sessions.values();
    sessions.map(|report| report.counters.downs).sum()
}
