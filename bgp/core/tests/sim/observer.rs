//! What one direction of a connection says, read from its bytes by nobody's friend.
//!
//! Decodes the stream on its own and keeps the view a receiver has of it, and every rule of
//! conduct that was broken.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Buf, BytesMut};
use ringbolt_bgp::types::{Family, FamilySet, Peering, Prefix};
use ringbolt_bgp::wire::{
    self, AsnWidth, DecodeCtx, Message, MessageLimit, NextHop, PathAttributes, RefreshForm,
    RefreshKind, Update,
};

/// Prefixes with what is said about them.
pub(crate) type View = BTreeMap<Prefix, (PathAttributes, NextHop)>;

/// One direction of a connection.
#[derive(Debug)]
pub(crate) struct Observer {
    stream: BytesMut,
    ctx: DecodeCtx,
    pub(crate) view: View,
    pub(crate) end_of_rib: BTreeMap<Family, u32>,
    /// Between BoRR and EoRR: what has not been repeated yet (RFC 7313 §4).
    stale: BTreeMap<Family, BTreeSet<Prefix>>,
    closed_by_notification: bool,
    pub(crate) violations: Vec<String>,
}

/// Something the world has to look at.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    EndOfRib(Family),
    /// The repetition of a table is complete.
    Repeated(Family),
}

impl Observer {
    pub(crate) fn new(peering: Peering) -> Self {
        Self {
            stream: BytesMut::new(),
            ctx: DecodeCtx {
                asn_width: AsnWidth::FourOctets,
                families: FamilySet::ALL,
                extended_next_hop: FamilySet::only(Family::Ipv4Unicast),
                peering,
                refresh: RefreshForm::Enhanced,
                limit: MessageLimit::Standard,
            },
            view: View::new(),
            end_of_rib: BTreeMap::new(),
            stale: BTreeMap::new(),
            closed_by_notification: false,
            violations: Vec::new(),
        }
    }

    /// Reads what was said.
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Vec<Sight> {
        self.stream.extend_from_slice(bytes);
        let mut sights = Vec::new();
        loop {
            let frame = match wire::frame(&self.stream, self.ctx.limit) {
                Ok(Some(frame)) => frame,
                Ok(None) => return sights,
                Err(error) => {
                    self.violations.push(format!("unreadable header: {error}"));
                    return sights;
                }
            };
            let length = frame.len();
            let message = wire::decode(frame, &self.ctx);
            self.stream.advance(length);
            if self.closed_by_notification {
                self.violations
                    .push(format!("after NOTIFICATION came {message:?}"));
            }
            match message {
                Ok(message) => self.see(message, &mut sights),
                Err(error) => self.violations.push(format!("unreadable message: {error}")),
            }
        }
    }

    fn see(&mut self, message: Message, sights: &mut Vec<Sight>) {
        match message {
            Message::Open(_) | Message::Keepalive => {}
            Message::Notification(_) => self.closed_by_notification = true,
            Message::Update(update) => self.update(update, sights),
            Message::RouteRefresh(refresh) => {
                let family = Family::from_afi_safi(refresh.family).expect("we ask for our own");
                match refresh.kind {
                    RefreshKind::Request | RefreshKind::Unknown(_) => {}
                    RefreshKind::BeginOfRib => {
                        let held = self.view.keys().copied();
                        let held = held.filter(|prefix| Family::of(prefix) == family);
                        self.stale.insert(family, held.collect());
                    }
                    RefreshKind::EndOfRib => {
                        match self.stale.remove(&family) {
                            Some(stale) => stale
                                .iter()
                                .for_each(|prefix| drop(self.view.remove(prefix))),
                            None => self.violations.push(format!("EoRR without BoRR: {family}")),
                        }
                        sights.push(Sight::Repeated(family));
                    }
                }
            }
        }
    }

    fn update(&mut self, update: Update, sights: &mut Vec<Sight>) {
        if !update.faults.is_empty() {
            self.violations
                .push(format!("faulty UPDATE: {:?}", update.faults));
        }
        for prefix in &update.withdrawn {
            if let Some(stale) = self.stale.get_mut(&Family::of(prefix)) {
                stale.remove(prefix);
            }
            if self.view.remove(prefix).is_none() {
                self.violations
                    .push(format!("withdrawal of {prefix}, which was not announced"));
            }
        }
        if let Some(family) = update.end_of_rib {
            let count = self.end_of_rib.entry(family).or_default();
            *count += 1;
            if *count > 1 {
                self.violations
                    .push(format!("End-of-RIB of {family} came {count} times"));
            }
            sights.push(Sight::EndOfRib(family));
        }
        let Some(announcement) = update.announced else {
            return;
        };
        for reach in announcement.reaches {
            for prefix in reach.prefixes {
                if let Some(stale) = self.stale.get_mut(&reach.family) {
                    stale.remove(&prefix);
                }
                self.view
                    .insert(prefix, (announcement.attributes.clone(), reach.next_hop));
            }
        }
    }
}
