//! The schedule's shots as frames.
use std::net::IpAddr;
use std::time::Instant;

use bytes::Bytes;

use super::hearing::GATEWAYS_MAX;
use super::policy::Policy;
use super::segment::{Effects, Segment};
use crate::announcer::{Condition, Purpose};
use crate::arp::Arp;
use crate::ndp::Ndp;
use crate::schedule::{Form, Round, Shot};
use crate::types::MacAddr;

/// Rounds that say the claim again, for members that missed it.
const CLAIM_ROUNDS: std::ops::RangeInclusive<usize> = 1..=2;

impl Segment {
    /// Sends what the schedule and the pacer let through.
    pub(super) fn announce(&mut self, now: Instant, fx: &mut Effects) {
        // A deaf node keeps its schedule and its silence: it begins anew when it hears again.
        while self.is_up() && !self.conditions.contains(&Condition::Deaf) {
            let (interface, askers) = (&self.interface, &self.askers);
            let more = |address: IpAddr, station: usize| {
                let gateways = gateways_of(&interface.gateways, address).count();
                station < gateways + askers.recent(address, now).count()
            };
            let Some(shot) = self.schedule.poll(now, &mut fx.jitter, more) else {
                return;
            };
            self.fire(shot, now, fx);
        }
    }

    /// When [`Segment::announce`] has something to do.
    pub(super) fn announce_deadline(&self, now: Instant) -> Option<Instant> {
        let silent = !self.is_up() || self.conditions.contains(&Condition::Deaf);
        if silent {
            None
        } else {
            self.schedule.next_deadline(now)
        }
    }

    /// Begins the full schedule of everything we hold.
    pub(super) fn announce_all_anew(&mut self, policy: &Policy, now: Instant) {
        for address in self.held.clone() {
            self.announce_anew(address, policy, now);
            self.outbox.claims.insert(address);
        }
    }

    fn fire(&mut self, shot: Shot, now: Instant, fx: &mut Effects) {
        let Shot {
            address,
            form,
            round,
        } = shot;
        let repeats = matches!(round, Round::Takeover(index) if CLAIM_ROUNDS.contains(&index));
        if form == Form::Request && repeats {
            self.outbox.claims.insert(address);
        }
        let frame = match form {
            Form::Request => self.announcement(address),
            Form::Reply => self.announcement_as_reply(address),
            Form::Directed(station) => self.directed(address, station, now),
        };
        if let Some(frame) = frame {
            self.counters.announcements += 1;
            self.send(frame, Purpose::Announcement(address), fx);
        }
    }

    /// The request form of ARP, the unsolicited advertisement of Neighbor Discovery.
    pub(super) fn announcement(&self, address: IpAddr) -> Option<Bytes> {
        let mac = self.interface.mac;
        Some(match address {
            IpAddr::V4(address) => Arp::announcement(mac, address).encode(),
            IpAddr::V6(address) => {
                // Where IPv6 is disabled on the interface the address itself is the source.
                let source = self.link_local().unwrap_or(address);
                Ndp::announcement(mac, source, address).encode()
            }
        })
    }

    fn announcement_as_reply(&self, address: IpAddr) -> Option<Bytes> {
        match address {
            IpAddr::V4(address) => {
                Some(Arp::announcement_as_reply(self.interface.mac, address).encode())
            }
            IpAddr::V6(_) => None,
        }
    }

    /// A question from the address to its n-th station: gateways first, then those that asked lately.
    fn directed(&mut self, address: IpAddr, station: usize, now: Instant) -> Option<Bytes> {
        let gateways: Vec<IpAddr> = gateways_of(&self.interface.gateways, address).collect();
        let (host, host_mac) = match gateways.get(station) {
            Some(gateway) => {
                self.asked_gateway(*gateway);
                (*gateway, None)
            }
            None => {
                let asker = self
                    .askers
                    .recent(address, now)
                    .nth(station - gateways.len())?;
                (asker.address, Some(asker.mac))
            }
        };
        let mac = self.interface.mac;
        match (address, host) {
            (IpAddr::V4(address), IpAddr::V4(host)) => {
                let host_mac = host_mac.unwrap_or(MacAddr::BROADCAST);
                Some(Arp::directed(mac, address, host, host_mac).encode())
            }
            (IpAddr::V6(address), IpAddr::V6(host)) => {
                Some(Ndp::directed(mac, address, host, host_mac).encode())
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => None,
        }
    }
}

fn gateways_of(gateways: &[IpAddr], address: IpAddr) -> impl Iterator<Item = IpAddr> {
    let family = move |gateway: &&IpAddr| gateway.is_ipv4() == address.is_ipv4();
    gateways.iter().filter(family).take(GATEWAYS_MAX).copied()
}
