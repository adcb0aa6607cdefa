//! ARP and Neighbor Discovery from the segment: answers, askers, conflicts. At most one frame leaves per frame.
use std::net::IpAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::policy::Policy;
use super::segment::{Effects, Segment};
use crate::announcer::{Condition, Event, Output, Purpose};
use crate::arp::Arp;
use crate::askers::Asker;
use crate::limits::Verdict;
use crate::ndp::Ndp;
use crate::pacing::Taken;
use crate::responder::{Manner, Meaning, Owned, Question, Station, arp_meaning, ndp_meaning};
use crate::types::MacAddr;

/// Time between two defences of one address (RFC 5227 §2.4, DEFEND_INTERVAL).
pub(super) const DEFEND_INTERVAL: Duration = Duration::from_secs(10);
/// Time between two questions to the members about one address.
const QUESTION_INTERVAL: Duration = Duration::from_secs(1);
/// Own frames coming back within a second that make a loop.
const LOOP_FRAMES: u32 = 10;
/// A loop is over when nothing came back for this long.
pub(super) const LOOP_OVER: Duration = Duration::from_secs(10);

impl Segment {
    /// Takes an ARP frame in.
    pub(super) fn hear_arp(
        &mut self,
        frame: &[u8],
        policy: &Policy,
        now: Instant,
        fx: &mut Effects,
    ) {
        let Ok(arp) = Arp::decode(frame) else {
            self.counters.malformed += 1;
            return;
        };
        let meaning = arp_meaning(&arp, &self.station(policy));
        let mac = self.interface.mac;
        self.react(meaning, arp.ether_source, now, fx, || {
            arp.answer(mac).encode()
        });
    }

    /// Takes a Neighbor Discovery frame in.
    pub(super) fn hear_ndp(
        &mut self,
        frame: &[u8],
        policy: &Policy,
        now: Instant,
        fx: &mut Effects,
    ) {
        let Ok(ndp) = Ndp::decode(frame) else {
            self.counters.malformed += 1;
            return;
        };
        let meaning = ndp_meaning(&ndp, &self.station(policy));
        let mac = self.interface.mac;
        let source = self.link_local().unwrap_or(ndp.target);
        self.react(meaning, ndp.ether_source, now, fx, || {
            ndp.answer(mac, source).encode()
        });
    }

    fn station<'a>(&'a self, policy: &'a Policy) -> Station<'a> {
        Station {
            mac: self.interface.mac,
            own_macs: &policy.own_macs,
            addresses: &self.interface.addresses,
            held: &self.held,
            wanted: &self.wanted,
        }
    }

    fn react(
        &mut self,
        meaning: Meaning,
        source: MacAddr,
        now: Instant,
        fx: &mut Effects,
        answer: impl FnOnce() -> Bytes,
    ) {
        match meaning {
            Meaning::Elsewhere => return,
            Meaning::Looped => return self.hear_own_frame(now, fx),
            Meaning::IllegalTarget => {
                self.counters.malformed += 1;
                return;
            }
            Meaning::Chatter { from } => self.heard_gateway(from),
            Meaning::Question(question) => {
                if let Some(asker) = question.asker {
                    self.heard_gateway(asker);
                }
                self.hear_question(&question, now, fx, answer);
            }
            Meaning::Used { address, mac } => self.hear_use(address, mac, now, fx),
        }
        if source.is_station() {
            self.heard_something(now);
        }
    }

    fn hear_question(
        &mut self,
        question: &Question,
        now: Instant,
        fx: &mut Effects,
        answer: impl FnOnce() -> Bytes,
    ) {
        let Question {
            address,
            owned,
            mac,
            asker,
            manner,
        } = *question;
        if let Some(asker) = asker {
            self.askers.note(
                address,
                Asker {
                    address: asker,
                    mac,
                    at: now,
                },
            );
        }
        if owned == Owned::Elsewhere {
            return;
        }
        self.counters.requests += 1;
        match manner {
            Manner::Ordinary => {}
            Manner::SenderMismatch => self.counters.sender_mismatch += 1,
            Manner::Duplicate => {
                self.note_conflict(address, mac, now, fx);
            }
        }
        match self.limits.judge(mac, address, now) {
            Verdict::Answer => {
                self.counters.answers += 1;
                self.send(answer(), Purpose::Answer, fx);
            }
            Verdict::AskerTooFast => self.counters.limited_by_asker += 1,
            Verdict::InterfaceTooFast => self.counters.limited_by_interface += 1,
        }
    }

    /// Another station uses an address of ours. A member is asked what it thinks it owns; a stranger is answered with
    /// one announcement per 10 s. The address is kept in either case.
    fn hear_use(&mut self, address: IpAddr, mac: MacAddr, now: Instant, fx: &mut Effects) {
        if self.members.by_mac(mac).is_some() {
            let dispute = self.disputes.entry(address).or_default();
            if dispute.question.per(QUESTION_INTERVAL, now) == Taken::Token {
                self.outbox.ask_about(address);
                self.outbox.claims.insert(address);
            }
            return;
        }
        if self.note_conflict(address, mac, now, fx) == Taken::Token {
            self.counters.defences += 1;
            if let Some(frame) = self.announcement(address) {
                self.send(frame, Purpose::Announcement(address), fx);
            }
        }
    }

    fn note_conflict(
        &mut self,
        address: IpAddr,
        mac: MacAddr,
        now: Instant,
        fx: &mut Effects,
    ) -> Taken {
        self.counters.conflicts += 1;
        let dispute = self.disputes.entry(address).or_default();
        let occasion = dispute.defence.per(DEFEND_INTERVAL, now);
        if occasion == Taken::Token {
            let interface = self.index();
            fx.event(Event::Conflict {
                interface,
                address,
                mac,
            });
        }
        occasion
    }

    fn hear_own_frame(&mut self, now: Instant, fx: &mut Effects) {
        self.counters.looped += 1;
        let (since, count) = self.loop_window;
        self.loop_window = match since {
            Some(since) if now.saturating_duration_since(since) < Duration::from_secs(1) => {
                (Some(since), count.saturating_add(1))
            }
            _ => (Some(now), 1),
        };
        if self.loop_window.1 > LOOP_FRAMES {
            self.set_condition(Condition::FramesLooped, true.into(), fx);
        }
    }

    pub(super) fn send(&mut self, frame: Bytes, purpose: Purpose, fx: &mut Effects) {
        fx.outputs.push_back(Output::Send {
            interface: self.interface.index,
            frame,
            purpose,
        });
    }
}
