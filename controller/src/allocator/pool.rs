//! One pool in force: what it lists, what of that is free, resting and assigned.
//!
//! Addresses that can never be handed out are either cut out of the free set when the pool is
//! cleared, or, where there may be millions of them (.0 and .255, subnet-router anycast), dropped
//! when they come to its low end, which is the only place where it is read.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use ringbolt_config::PoolName;
use ringbolt_config::model::pool::{Admission, Withheld};
use ringbolt_config::model::range::Written;
use ringbolt_config::model::selector::Labels;
use ringbolt_config::model::{self, PoolSharing};

use super::REST;
use super::claim::{Claim, Standing};
use super::request::Request;
use super::space::{Space, is_anycast, is_buggy};
use crate::Family;
use crate::refusal::Unusable;

/// Addresses that somebody else has, wherever they lie.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Barred {
    nodes: Space,
    pods: Space,
    external: Space,
}

impl Barred {
    /// Bars addresses of nodes, pod networks, and what Services list in `spec.externalIPs`.
    pub fn new(
        nodes: impl IntoIterator<Item = IpAddr>,
        pods: impl IntoIterator<Item = IpNet>,
        external: impl IntoIterator<Item = IpAddr>,
    ) -> Self {
        let single = |addresses: &mut dyn Iterator<Item = IpAddr>| {
            let mut space = Space::new();
            addresses.for_each(|a| space.insert(a, a));
            space
        };
        let mut nets = Space::new();
        for net in pods {
            nets.insert(net.network(), net.broadcast());
        }
        Self {
            nodes: single(&mut nodes.into_iter()),
            pods: nets,
            external: single(&mut external.into_iter()),
        }
    }

    /// Why an address is barred, if it is.
    pub(super) fn why(&self, address: IpAddr) -> Option<Unusable> {
        [
            (&self.nodes, Unusable::NodeAddress),
            (&self.pods, Unusable::PodNetwork),
            (&self.external, Unusable::ExternalIp),
        ]
        .into_iter()
        .find_map(|(space, why)| space.contains(address).then_some(why))
    }

    fn ranges(&self) -> impl Iterator<Item = (IpAddr, IpAddr, Unusable)> + '_ {
        let of = |space: &'_ Space, why| {
            space
                .iter()
                .map(move |(first, last)| (first, last, why))
                .collect::<Vec<_>>()
        };
        [
            of(&self.nodes, Unusable::NodeAddress),
            of(&self.pods, Unusable::PodNetwork),
            of(&self.external, Unusable::ExternalIp),
        ]
        .into_iter()
        .flatten()
    }
}

/// How full a pool is, in one family; all counts saturate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fill {
    /// Addresses that could be handed out if nobody had one.
    pub capacity: u128,
    /// Addresses that Services hold, a shared one counted once.
    pub assigned: u64,
    /// Addresses that can be handed out.
    pub available: u128,
}

/// How full a pool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Occupancy {
    /// IPv4.
    pub ipv4: Fill,
    /// IPv6.
    pub ipv6: Fill,
    /// The first address of the pool that a node, a pod network or another Service has.
    pub conflict: Option<(IpAddr, Unusable)>,
}

/// Counts per family.
#[derive(Debug, Clone, Copy, Default)]
struct PerFamily<T> {
    ipv4: T,
    ipv6: T,
}

impl<T> PerFamily<T> {
    fn of(&self, family: Family) -> &T {
        match family {
            Family::Ipv4 => &self.ipv4,
            Family::Ipv6 => &self.ipv6,
        }
    }

    fn of_mut(&mut self, family: Family) -> &mut T {
        match family {
            Family::Ipv4 => &mut self.ipv4,
            Family::Ipv6 => &mut self.ipv6,
        }
    }
}

/// `since` plus `delay`, at most the end of time.
pub(super) fn later(since: Timestamp, delay: Duration) -> Timestamp {
    let delay = SignedDuration::try_from(delay).unwrap_or(SignedDuration::MAX);
    since.saturating_add(delay).unwrap_or(Timestamp::MAX)
}

/// A pool in force.
#[derive(Debug)]
pub(super) struct Pool {
    spec: Arc<model::Pool>,
    /// What the pool permits, except for `avoidBuggyIPs`.
    usable: Space,
    /// What it could give unasked if nobody had anything.
    capacity: PerFamily<u128>,
    free: Space,
    resting: PerFamily<BTreeSet<(Timestamp, IpAddr)>>,
    assigned: PerFamily<u64>,
    /// Claims on addresses that would be available without them.
    occupied: PerFamily<u64>,
    /// What would be available without any claim.
    unclaimed: PerFamily<u128>,
    by_namespace: BTreeMap<Arc<str>, u64>,
    conflict: Option<(IpAddr, Unusable)>,
}

impl Pool {
    pub(super) fn new(spec: Arc<model::Pool>) -> Self {
        let mut usable = Space::new();
        for range in &spec.ranges {
            let (first, last) = range.span.ends();
            usable.insert(first, last);
        }
        for range in &spec.ranges {
            let (first, last) = range.span.ends();
            for end in [first, last] {
                if spec.permits(end) == Err(Withheld::Edge) {
                    usable.remove(end, end);
                }
            }
        }
        for span in &spec.excludes {
            let (first, last) = span.ends();
            usable.remove(first, last);
        }
        Self {
            capacity: countable(&spec, &usable),
            spec,
            free: usable.clone(),
            usable,
            resting: PerFamily::default(),
            assigned: PerFamily::default(),
            occupied: PerFamily::default(),
            unclaimed: PerFamily::default(),
            by_namespace: BTreeMap::new(),
            conflict: None,
        }
    }

    /// Forgets all claims; what is barred is not free.
    pub(super) fn clear(&mut self, barred: &Barred) {
        self.free = self.usable.clone();
        self.conflict = None;
        for (first, last, why) in barred.ranges() {
            if self.conflict.is_none() && self.free.overlaps(first, last) {
                let listed = self.free.at_or_above(first).unwrap_or(first);
                self.conflict = Some((listed, why));
            }
            self.free.remove(first, last);
        }
        self.unclaimed = countable(&self.spec, &self.free);
        self.resting = PerFamily::default();
        self.assigned = PerFamily::default();
        self.occupied = PerFamily::default();
        self.by_namespace.clear();
    }

    /// Whether an address may be given to a Service that names none.
    fn fits(&self, address: IpAddr) -> bool {
        !(self.spec.avoid_buggy_ips && is_buggy(address)) && self.spec.is_chosen_freely(address)
    }

    /// Takes a claim into account.
    pub(super) fn enter(&mut self, claim: &Claim) {
        let (address, family) = (claim.address, Family::of(claim.address));
        let counted = self.fits(address) && self.free.contains(address);
        self.free.remove(address, address);
        match claim.standing() {
            Standing::Resting(since) => {
                if counted {
                    self.resting.of_mut(family).insert((since, address));
                }
                return;
            }
            Standing::Held => {
                *self.assigned.of_mut(family) += 1;
                for namespace in namespaces(claim) {
                    *self.by_namespace.entry(namespace).or_default() += 1;
                }
            }
            Standing::Reserved(_) | Standing::Faulty => {}
        }
        *self.occupied.of_mut(family) += u64::from(counted);
    }

    /// The opposite of [`Self::enter`].
    pub(super) fn leave(&mut self, claim: &Claim, barred: &Barred) {
        let (address, family) = (claim.address, Family::of(claim.address));
        let usable = self.usable.contains(address) && barred.why(address).is_none();
        let counted = usable && self.fits(address);
        if usable {
            self.free.insert(address, address);
        }
        match claim.standing() {
            Standing::Resting(since) => {
                self.resting.of_mut(family).remove(&(since, address));
                return;
            }
            Standing::Held => {
                *self.assigned.of_mut(family) -= 1;
                for namespace in namespaces(claim) {
                    if let Some(count) = self.by_namespace.get_mut(&namespace) {
                        *count -= 1;
                        if *count == 0 {
                            self.by_namespace.remove(&namespace);
                        }
                    }
                }
            }
            Standing::Reserved(_) | Standing::Faulty => {}
        }
        *self.occupied.of_mut(family) -= u64::from(counted);
    }

    /// Drops from the low end of the free set what is never given unasked.
    pub(super) fn settle(&mut self) {
        for family in Family::ALL {
            while let Some(low) = self.free.lowest(family).filter(|low| !self.fits(*low)) {
                self.free.remove(low, low);
            }
        }
    }

    pub(super) fn name(&self) -> &PoolName {
        &self.spec.name
    }

    /// First and last address of each listed range.
    pub(super) fn listed(&self) -> impl Iterator<Item = (IpAddr, IpAddr)> + '_ {
        self.spec.ranges.iter().map(|range| range.span.ends())
    }

    pub(super) fn gives_unasked(&self) -> bool {
        self.spec.auto_assign
    }

    /// Pools for certain Services come before those for everybody.
    pub(super) fn rank(&self) -> (bool, u32, PoolName) {
        let spec = &self.spec;
        (
            !spec.allocation.is_pinned(),
            spec.priority,
            spec.name.clone(),
        )
    }

    pub(super) fn has(&self, family: Family) -> bool {
        self.spec
            .ranges
            .iter()
            .any(|range| Family::of(range.span.ends().0) == family)
    }

    pub(super) fn is_paused(&self) -> bool {
        self.spec.admission != Admission::Open
    }

    pub(super) fn sharing(&self) -> PoolSharing {
        self.spec.sharing
    }

    pub(super) fn reuse_delay(&self) -> Duration {
        self.spec.reuse_delay
    }

    /// How long a freed address is the last choice.
    pub(super) fn rest(&self) -> Duration {
        self.spec.reuse_delay.max(REST)
    }

    pub(super) fn suits(&self, request: &Request) -> bool {
        let namespace = request.key.namespace();
        self.spec
            .allocation
            .admits(namespace, &request.namespace_labels, &request.labels)
    }

    /// Why the pool itself never hands an address out, if so.
    pub(super) fn unusable(&self, address: IpAddr) -> Option<Unusable> {
        match self.spec.permits(address) {
            Ok(()) => None,
            // Only asked about listed addresses.
            Err(Withheld::Excluded | Withheld::Outside) => Some(Unusable::Excluded),
            Err(Withheld::Buggy) => Some(Unusable::Buggy),
            Err(Withheld::Edge) => Some(Unusable::Edge),
        }
    }

    /// The limit that the Service's namespace has reached, if it has.
    pub(super) fn over_quota(&self, request: &Request) -> Option<u32> {
        self.limit_reached(request.key.namespace(), &request.namespace_labels)
    }

    /// The limit that a namespace has reached, if it has.
    pub(super) fn limit_reached(&self, namespace: &str, labels: &Labels) -> Option<u32> {
        let held = self.by_namespace.get(namespace).copied().unwrap_or(0);
        let limits = self.spec.limits.iter();
        let applying = limits.filter(|l| l.applies(namespace, labels));
        applying
            .map(|l| l.max_addresses)
            .min()
            .filter(|max| held >= u64::from(*max))
    }

    pub(super) fn lowest_free(&self, family: Family) -> Option<IpAddr> {
        self.free.lowest(family)
    }

    /// The address that rests longest, if that is long enough to take it.
    pub(super) fn longest_resting(&self, family: Family, now: Timestamp) -> Option<IpAddr> {
        let (since, address) = self.resting.of(family).first()?;
        (later(*since, self.spec.reuse_delay) <= now).then_some(*address)
    }

    /// When, after `now`, the first address of a family may be taken that rests until then.
    pub(super) fn next_rested(&self, family: Family, now: Timestamp) -> Option<Timestamp> {
        let delay = self.spec.reuse_delay;
        if delay.is_zero() {
            return None;
        }
        let resting = self.resting.of(family).iter();
        let mut times = resting.map(|(since, _)| later(*since, delay));
        times.find(|time| *time > now)
    }

    pub(super) fn occupancy(&self) -> Occupancy {
        let fill = |family| {
            let waiting = if self.spec.reuse_delay.is_zero() {
                0
            } else {
                self.resting.of(family).len()
            };
            let occupied = u128::from(*self.occupied.of(family)) + waiting as u128;
            Fill {
                capacity: *self.capacity.of(family),
                assigned: *self.assigned.of(family),
                available: self.unclaimed.of(family).saturating_sub(occupied),
            }
        };
        Occupancy {
            ipv4: fill(Family::Ipv4),
            ipv6: fill(Family::Ipv6),
            conflict: self.conflict,
        }
    }
}

/// How many addresses of a space the pool gives to Services that name none.
fn countable(spec: &model::Pool, space: &Space) -> PerFamily<u128> {
    let buggy = if spec.avoid_buggy_ips {
        space.buggy_len()
    } else {
        0
    };
    let listed = spec.ranges.iter().filter(|r| r.written == Written::Single);
    let singly = listed
        .map(|r| r.span.ends().0)
        .filter(|a| is_anycast(*a) && space.contains(*a));
    let withheld = space.anycast_len() - singly.count() as u128;
    PerFamily {
        ipv4: space.len(Family::Ipv4) - buggy,
        ipv6: space.len(Family::Ipv6) - withheld,
    }
}

/// The namespaces of the holders, each once.
fn namespaces(claim: &Claim) -> BTreeSet<Arc<str>> {
    claim
        .holders
        .iter()
        .map(|h| Arc::from(h.key.namespace()))
        .collect()
}
