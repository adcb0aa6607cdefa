//! Configuration taken in: identity, keys, interfaces, advertisements, addresses. Each is compared with what was there,
//! and only what changed is looked at again.
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Instant;

use super::policy::{Departure, Wanted, shares_exclude_each_other};
use super::segment::{Segment, carries};
use crate::announcer::{
    Advertisement, Announcer, Claimable, Event, Identity, Interface, Keys, YieldCause,
};
use crate::owner::mix;
use crate::pacing::Jitter;
use crate::types::{IfIndex, Incarnation};

impl Announcer {
    pub(super) fn set_node(&mut self, identity: Identity, now: Instant) {
        let same_process = self.policy.identity.as_ref().is_some_and(|before| {
            (before.cluster, &before.node, before.instance)
                == (identity.cluster, &identity.node, identity.instance)
        });
        if same_process {
            self.raise_incarnation(identity.incarnation, now);
            return;
        }
        self.fx.jitter = Jitter::new(identity.instance.0);
        self.stop_all(YieldCause::Left, now);
        self.policy.identity = Some(identity);
        // A drain is the operator's word about the node, whatever cluster it is in; a departure was of the life before.
        if self.policy.departure == Departure::Left {
            self.policy.departure = Departure::Staying;
        }
        self.start_all(now);
    }

    /// Goes on with a higher counter.
    pub(super) fn raise_incarnation(&mut self, incarnation: Incarnation, now: Instant) {
        let Some(identity) = &mut self.policy.identity else {
            return;
        };
        if incarnation > identity.incarnation {
            identity.incarnation = incarnation;
            self.hello_everywhere(now);
        }
    }

    pub(super) fn set_keys(&mut self, keys: Keys, now: Instant) {
        if self.policy.keys == keys {
            return;
        }
        self.policy.keys = keys;
        if self.policy.ready().is_err() {
            self.stop_all(YieldCause::Left, now);
        }
        self.start_all(now);
        self.hello_everywhere(now);
    }

    /// Hellos now: what we say of ourselves has changed.
    pub(super) fn hello_everywhere(&mut self, now: Instant) {
        for segment in self.segments.values_mut() {
            segment.outbox.hello_by(now);
        }
    }

    pub(super) fn stop_all(&mut self, cause: YieldCause, now: Instant) {
        for segment in self.segments.values_mut() {
            segment.suspend(now);
            segment.clear(cause, &mut self.fx);
        }
    }

    /// Begins to listen wherever frames can pass and we have a voice.
    pub(super) fn start_all(&mut self, now: Instant) {
        if self.policy.ready().is_err() {
            return;
        }
        for segment in self
            .segments
            .values_mut()
            .filter(|one| carries(&one.interface))
        {
            segment.begin(now, &mut self.fx);
        }
    }

    pub(super) fn set_interfaces(&mut self, interfaces: Vec<Interface>, now: Instant) {
        let interfaces: BTreeMap<IfIndex, Interface> =
            interfaces.into_iter().map(|one| (one.index, one)).collect();
        self.policy.own_macs = interfaces.values().map(|one| one.mac).collect();
        let gone: Vec<IfIndex> = self
            .segments
            .keys()
            .filter(|index| !interfaces.contains_key(index))
            .copied()
            .collect();
        for index in gone {
            self.remove_segment(index, now);
        }
        for (index, segment) in &mut self.segments {
            let Some(interface) = interfaces.get(index) else {
                continue;
            };
            let before = std::mem::replace(&mut segment.interface, interface.clone());
            if before == segment.interface {
                continue;
            }
            if !carries(&segment.interface) {
                segment.suspend(now);
            }
            segment.outbox.hello_by(now);
            if before.mac != segment.interface.mac {
                segment.announce_all_anew(&self.policy, now);
            }
        }
        self.interfaces = interfaces;
        self.place_all_anew(now);
        let resuming: Vec<IfIndex> = self.segments.keys().copied().collect();
        for index in resuming {
            self.resume(index, now);
        }
    }

    /// The carrier of an interface may be back: everything on it is made known again.
    fn resume(&mut self, index: IfIndex, now: Instant) {
        let Some(segment) = self.segments.get_mut(&index) else {
            return;
        };
        if segment.is_up() || !carries(&segment.interface) || self.policy.ready().is_err() {
            return;
        }
        segment.begin(now, &mut self.fx);
        segment.announce_all_anew(&self.policy, now);
    }

    pub(super) fn set_advertisements(&mut self, advertisements: Vec<Advertisement>, now: Instant) {
        let advertisements: BTreeMap<_, _> = advertisements
            .into_iter()
            .map(|one| (one.name.clone(), one))
            .collect();
        if self.policy.advertisements == advertisements {
            return;
        }
        self.policy.advertisements = advertisements;
        self.place_all_anew(now);
        for segment in self.segments.values_mut() {
            segment.standing_since = now;
            segment.outbox.hello_by(now);
            segment.touch_all();
        }
    }

    /// The whole list: what is missing is removed.
    pub(super) fn set_addresses(&mut self, claimables: Vec<Claimable>, now: Instant) {
        let listed: BTreeSet<IpAddr> = claimables.iter().map(|one| one.address).collect();
        let known = self.policy.wanted.keys().copied();
        let removed: Vec<IpAddr> = known.filter(|address| !listed.contains(address)).collect();
        self.change_addresses(claimables, removed, now);
    }

    pub(super) fn change_addresses(
        &mut self,
        set: Vec<Claimable>,
        removed: Vec<IpAddr>,
        now: Instant,
    ) {
        for address in removed {
            if let Some(before) = self.policy.wanted.remove(&address) {
                self.move_address(address, Some(&before), &BTreeSet::new());
            }
        }
        for claimable in set {
            let known = self.policy.wanted.get(&claimable.address);
            if known.is_none_or(|known| known.claimable != claimable) {
                self.want(claimable);
            }
        }
        self.fit_segments(now);
    }

    fn want(&mut self, claimable: Claimable) {
        let address = claimable.address;
        let wanted = self.policy.place(claimable, &self.interfaces);
        let excluded = shares_exclude_each_other(&wanted.claimable.shares);
        let interfaces = wanted.interfaces.clone();
        let before = self.policy.wanted.insert(address, wanted);
        let excluded_before = before
            .as_ref()
            .is_some_and(|one| shares_exclude_each_other(&one.claimable.shares));
        if excluded && !excluded_before {
            self.fx.event(Event::SharedEligibilityEmpty { address });
        }
        self.move_address(address, before.as_ref(), &interfaces);
    }

    /// Tells the segments where an address belongs.
    fn move_address(
        &mut self,
        address: IpAddr,
        before: Option<&Wanted>,
        now_on: &BTreeSet<IfIndex>,
    ) {
        let left = before.into_iter().flat_map(|wanted| &wanted.interfaces);
        for index in left.filter(|index| !now_on.contains(index)) {
            if let Some(segment) = self.segments.get_mut(index) {
                segment.wanted.remove(&address);
                segment.dirty.insert(address);
                segment.askers.forget(address);
            }
        }
        for index in now_on {
            if let Some(segment) = self.segments.get_mut(index) {
                segment.wanted.insert(address);
                segment.dirty.insert(address);
            }
        }
    }

    /// Interfaces or advertisements changed: every address may belong elsewhere.
    fn place_all_anew(&mut self, now: Instant) {
        let claimables: Vec<Claimable> = self
            .policy
            .wanted
            .values()
            .map(|wanted| wanted.claimable.clone())
            .collect();
        for claimable in claimables {
            let address = claimable.address;
            let wanted = self.policy.place(claimable, &self.interfaces);
            let interfaces = wanted.interfaces.clone();
            if let Some(before) = self.policy.wanted.insert(address, wanted)
                && before.interfaces != interfaces
            {
                self.move_address(address, Some(&before), &interfaces);
            }
        }
        self.fit_segments(now);
    }

    /// Makes a segment of every interface that something belongs on, and ends the others.
    fn fit_segments(&mut self, now: Instant) {
        let announcing = |one: &&Interface| self.policy.announces_on(one);
        let announcing: BTreeSet<IfIndex> = self
            .interfaces
            .values()
            .filter(announcing)
            .map(|one| one.index)
            .collect();
        let superfluous: Vec<IfIndex> = self
            .segments
            .keys()
            .filter(|index| !announcing.contains(index))
            .copied()
            .collect();
        for index in superfluous {
            self.remove_segment(index, now);
        }
        for index in announcing {
            if self.segments.contains_key(&index) {
                continue;
            }
            let seed = mix(self.fx.jitter.next() ^ u64::from(index.0));
            let mut segment = Segment::new(self.interfaces[&index].clone(), seed, now);
            let here = self
                .policy
                .wanted
                .iter()
                .filter(|(_, one)| one.interfaces.contains(&index));
            segment.wanted = here.map(|(address, _)| *address).collect();
            if carries(&segment.interface) && self.policy.ready().is_ok() {
                segment.begin(now, &mut self.fx);
            }
            self.segments.insert(index, segment);
        }
    }

    fn remove_segment(&mut self, index: IfIndex, now: Instant) {
        if let Some(mut segment) = self.segments.remove(&index) {
            segment.say_goodbye(&self.policy, now, &mut self.fx);
            segment.clear(YieldCause::InterfaceDown, &mut self.fx);
        }
    }
}
