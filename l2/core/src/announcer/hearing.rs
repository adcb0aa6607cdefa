//! Whether we can hear the segment at all, and what forbids new claims.
//!
//! A node that no longer hears anybody cannot tell a dead cluster from its own deaf ear. Before it takes what seems
//! free it wants proof: any frame of another station within the last seconds, else an answer to a question of its own
//! to gateways, recent askers or lost members. Without proof it claims and announces nothing, and lets others know
//! that what it holds is to be had.
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use ipnet::IpNet;

use super::policy::Policy;
use super::segment::{Effects, Phase, Segment};
use crate::announcer::{Condition, Purpose};
use crate::arp::Arp;
use crate::ndp::Ndp;
use crate::types::MacAddr;

/// A frame heard within this time proves that we hear: one and a half hello intervals.
const PROOF_AGE: Duration = Duration::from_secs(3);
/// Time between the first questions, and between the later ones.
const PROBE_FIRST: Duration = Duration::from_millis(100);
const PROBE_LATER: Duration = Duration::from_secs(1);
/// Rounds of questions without an answer that make us deaf.
const PROBES_UNANSWERED: u32 = 3;
/// Stations asked per round.
const PROBE_TARGETS: usize = 4;
/// Gateways written to.
pub(super) const GATEWAYS_MAX: usize = 8;
/// Directed requests that a gateway may leave unanswered before it is counted.
const GATEWAY_PATIENCE: u32 = 3;
/// New claims wait this long after a frame under an unknown key: three hello intervals.
const KEY_UNKNOWN: Duration = Duration::from_millis(7_200);

/// What is known of our own ear.
#[derive(Debug, Default)]
pub(super) struct Hearing {
    last: Option<Instant>,
    pub(super) ever_heard_member: bool,
    probing: Option<Probing>,
    /// We hear again and have to act on it at the next tick.
    pub(super) regained: bool,
    /// Unanswered directed requests per gateway.
    gateways: BTreeMap<IpAddr, u32>,
    /// Addresses of members lost lately: their kernels may still answer.
    lost: VecDeque<IpAddr>,
}

#[derive(Debug, Clone, Copy)]
struct Probing {
    rounds: u32,
    next: Instant,
}

impl Segment {
    /// Whether a new claim may be made; where only proof is missing, it is sought.
    pub(super) fn may_claim(&mut self, policy: &Policy, now: Instant) -> bool {
        if self.namesake_is_alive() || self.key_unknown_until.is_some() {
            return false;
        }
        let hears = self.hears(policy, now);
        if !hears {
            self.hearing.probing.get_or_insert(Probing {
                rounds: 0,
                next: now,
            });
        }
        hears
    }

    fn hears(&self, policy: &Policy, now: Instant) -> bool {
        let recent = |at: Instant| now.saturating_duration_since(at) < PROOF_AGE;
        !self.members.is_empty()
            || !self.expects_others(policy)
            || self.hearing.last.is_some_and(recent)
    }

    /// Whether there should be others on the segment.
    pub(super) fn expects_others(&self, policy: &Policy) -> bool {
        match policy.expected {
            Some(speakers) => speakers > 1,
            None => self.hearing.ever_heard_member,
        }
    }

    /// A frame of another station came in.
    pub(super) fn heard_something(&mut self, now: Instant) {
        self.hearing.last = Some(now);
        if self.hearing.probing.take().is_some() {
            self.hearing.regained = true;
        }
    }

    /// A gateway spoke.
    pub(super) fn heard_gateway(&mut self, from: IpAddr) {
        if let Some(unanswered) = self.hearing.gateways.get_mut(&from) {
            *unanswered = 0;
        }
    }

    /// A directed request goes to a gateway.
    pub(super) fn asked_gateway(&mut self, gateway: IpAddr) {
        let unanswered = self.hearing.gateways.entry(gateway).or_default();
        *unanswered = unanswered.saturating_add(1);
        if *unanswered == GATEWAY_PATIENCE {
            self.counters.gateways_silent += 1;
        }
    }

    /// Keeps the addresses of a lost member as stations to ask.
    pub(super) fn remember_lost(&mut self, addresses: &[IpNet]) {
        for address in addresses.iter().map(IpNet::addr).filter(IpAddr::is_ipv4) {
            self.hearing.lost.push_front(address);
        }
        self.hearing.lost.truncate(PROBE_TARGETS);
    }

    /// Asks and judges, when it is time.
    pub(super) fn listen(&mut self, policy: &Policy, now: Instant, fx: &mut Effects) {
        let active = matches!(self.phase, Phase::Active { .. });
        if std::mem::take(&mut self.hearing.regained) {
            self.touch_all();
            if self.conditions.contains(&Condition::Deaf) {
                self.set_condition(Condition::Deaf, false.into(), fx);
                self.outbox.hello_by(now);
                self.announce_all_anew(policy, now);
            }
        }
        if !active || self.hears(policy, now) {
            self.hearing.probing = None;
            return;
        }
        let probing = self.hearing.probing.get_or_insert(Probing {
            rounds: 0,
            next: now,
        });
        if probing.next > now {
            return;
        }
        let unanswered = probing.rounds >= PROBES_UNANSWERED;
        probing.rounds = probing.rounds.saturating_add(1);
        probing.next = now + if unanswered { PROBE_LATER } else { PROBE_FIRST };
        if unanswered && !self.conditions.contains(&Condition::Deaf) {
            self.set_condition(Condition::Deaf, true.into(), fx);
            self.outbox.hello_by(now);
        }
        self.probe(now, fx);
    }

    /// When [`Segment::listen`] has something to do.
    pub(super) fn listen_deadline(&self, policy: &Policy, now: Instant) -> Option<Instant> {
        if self.hearing.regained {
            return Some(now);
        }
        if let Some(probing) = &self.hearing.probing {
            return Some(probing.next);
        }
        let alone = self.members.is_empty() && self.expects_others(policy);
        let active = matches!(self.phase, Phase::Active { .. });
        (alone && active).then(|| self.hearing.last.map_or(now, |last| last + PROOF_AGE))
    }

    fn probe(&mut self, now: Instant, fx: &mut Effects) {
        let askers = self.askers.some_recent(now, PROBE_TARGETS);
        let askers = askers.iter().map(|asker| (asker.address, Some(asker.mac)));
        let gateways = self
            .interface
            .gateways
            .iter()
            .take(GATEWAYS_MAX)
            .map(|one| (*one, None));
        let lost = self.hearing.lost.iter().map(|one| (*one, None));
        let targets: Vec<_> = gateways
            .chain(askers)
            .chain(lost)
            .take(PROBE_TARGETS)
            .collect();
        for (target, mac) in targets {
            if let Some(frame) = self.question(target, mac) {
                self.counters.probes += 1;
                self.send(frame, Purpose::Probe, fx);
            }
        }
    }

    /// A question in the name of the node, not of an address that it may not own.
    fn question(&self, target: IpAddr, target_mac: Option<MacAddr>) -> Option<bytes::Bytes> {
        let mac = self.interface.mac;
        match target {
            IpAddr::V4(target) => {
                // 0.0.0.0 makes it a probe (RFC 5227 §2.1.1), which is answered as well and changes no cache.
                let own = self.own_ipv4().unwrap_or(Ipv4Addr::UNSPECIFIED);
                let host_mac = target_mac.unwrap_or(MacAddr::BROADCAST);
                Some(Arp::directed(mac, own, target, host_mac).encode())
            }
            IpAddr::V6(target) => {
                Some(Ndp::directed(mac, self.link_local()?, target, target_mac).encode())
            }
        }
    }

    fn own_ipv4(&self) -> Option<Ipv4Addr> {
        self.interface
            .addresses
            .iter()
            .find_map(|network| match network.addr() {
                IpAddr::V4(address) => Some(address),
                IpAddr::V6(_) => None,
            })
    }

    /// The interface's link-local IPv6 address.
    pub(super) fn link_local(&self) -> Option<Ipv6Addr> {
        self.interface
            .addresses
            .iter()
            .find_map(|network| match network.addr() {
                IpAddr::V6(address) if address.is_unicast_link_local() => Some(address),
                IpAddr::V4(_) | IpAddr::V6(_) => None,
            })
    }

    /// A frame under a key that we do not have: somebody is ahead of us, or we of somebody.
    pub(super) fn key_unknown(&mut self, now: Instant, fx: &mut Effects) {
        self.counters.key_unknown += 1;
        self.key_unknown_until = Some(now + KEY_UNKNOWN);
        self.set_condition(Condition::KeyUnknown, true.into(), fx);
    }

    pub(super) fn forget_key_unknown(&mut self, now: Instant, fx: &mut Effects) {
        if self.key_unknown_until.is_some_and(|until| until <= now) {
            self.key_unknown_until = None;
            self.set_condition(Condition::KeyUnknown, false.into(), fx);
            self.touch_all();
        }
    }

    /// Nobody heard where others should be.
    pub(super) fn count_peers(&mut self, policy: &Policy, fx: &mut Effects) {
        let expected = policy.expected.is_some_and(|speakers| speakers > 1);
        let active = matches!(self.phase, Phase::Active { .. });
        let stands = expected && active && self.members.is_empty();
        self.set_condition(Condition::NoPeersHeard, stands.into(), fx);
    }
}
