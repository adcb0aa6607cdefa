//! When an address may be taken away: the bounds of contracts 1.2, on the monotonic clock of the
//! process that saw the sign.
//!
//! The signs are a Service that is to lose everything, and an address that neither the status of
//! its holder carries nor its request asks for. A process that starts has seen nothing: whatever
//! was under way begins with a whole bound again, which is late and never early.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use ringbolt_config::Uid;

/// When which sign was first seen.
#[derive(Debug)]
pub(crate) struct Takings {
    bound: Duration,
    services: BTreeMap<Uid, Instant>,
    addresses: BTreeMap<(Uid, IpAddr), Instant>,
}

impl Takings {
    pub(crate) const fn new(bound: Duration) -> Self {
        Self {
            bound,
            services: BTreeMap::new(),
            addresses: BTreeMap::new(),
        }
    }

    /// How long a state that was learnt by a write or a read may be acted on. Two controllers that
    /// both keep to it, with a bound that is four times as long, do not undo each other's publishing.
    pub(crate) fn freshness(&self) -> Duration {
        self.bound / 4
    }

    /// A Service is to lose everything: when that may be written.
    pub(crate) fn service(&mut self, uid: &Uid, now: Instant) -> Instant {
        *self.services.entry(uid.clone()).or_insert(now) + self.bound
    }

    /// An address is held for nothing: when it may be released. What its Service has waited counts.
    pub(crate) fn address(&mut self, uid: &Uid, address: IpAddr, now: Instant) -> Instant {
        let since = self.services.get(uid).copied().unwrap_or(now);
        *self
            .addresses
            .entry((uid.clone(), address))
            .or_insert(since)
            + self.bound
    }

    /// Whether a bound runs for an address, its own or that of its Service.
    pub(crate) fn has_begun(&self, uid: &Uid, address: IpAddr) -> bool {
        self.services.contains_key(uid) || self.addresses.contains_key(&(uid.clone(), address))
    }

    /// The Service is to have addresses (again); of these, none is held for nothing.
    pub(crate) fn keep(&mut self, uid: &Uid, addresses: impl IntoIterator<Item = IpAddr>) {
        self.services.remove(uid);
        for address in addresses {
            self.addresses.remove(&(uid.clone(), address));
        }
    }

    /// What a Service carries has changed, or it is gone: an address that it did not carry by the
    /// last word may have been carried since, by the hand of another controller.
    pub(crate) fn begin_again(&mut self, uid: &Uid) {
        let marked: Vec<_> = self.of(uid).map(|(key, _)| key.clone()).collect();
        for key in marked {
            self.addresses.remove(&key);
        }
    }

    /// The address is not held by that Service any longer.
    pub(crate) fn released(&mut self, uid: &Uid, address: IpAddr) {
        self.addresses.remove(&(uid.clone(), address));
        if self.of(uid).next().is_none() {
            self.services.remove(uid);
        }
    }

    /// Nothing of that incarnation is left.
    pub(crate) fn forget(&mut self, uid: &Uid) {
        self.services.remove(uid);
    }

    fn of(&self, uid: &Uid) -> impl Iterator<Item = (&(Uid, IpAddr), &Instant)> {
        let first = (uid.clone(), IpAddr::from([0; 4]));
        let uid = uid.clone();
        self.addresses
            .range(first..)
            .take_while(move |((other, _), _)| *other == uid)
    }
}
