//! Who owns an address on a segment: looked at anew whenever something it depends on has changed.
//!
//! [`Segment::settle`] is level-triggered: it compares what is held with what should be, whatever event led there.
//! An address with a valid owner is left alone; a vacant one is claimed by the first in rank at once and by each
//! further one 150 ms later, unless a claim is seen; an owner that may not hold any more goes on answering until a
//! successor's claim is seen, or 2 s have passed.
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::policy::{Departure, Fit, Policy};
use super::segment::{Effects, Phase, Plan, Segment};
use crate::announcer::{AcquireCause, Event, Failback, Withheld, YieldCause};
use crate::claim::Owner;
use crate::hello::{Claim, Release, Successor};
use crate::owner::{Rank, node_seed};
use crate::schedule::Urgency;
use crate::types::{Epoch, NodeName, Standing};

/// Each further successor waits this much longer for the claims of those before it.
pub(super) const STAGGER: Duration = Duration::from_millis(150);
/// How long an address is held for a successor.
pub(super) const HAND_OVER_MAX: Duration = Duration::from_secs(2);
/// An address asked for within this time is announced before others.
const ASKED_LATELY: Duration = Duration::from_secs(60);
/// How long one must have been taking part, unchanged, before addresses come back.
pub(super) const STABLE: Duration = Duration::from_secs(30);
/// Addresses taken back per second and interface.
pub(super) const FAILBACK_PER_S: usize = 50;
/// Failback leaves room for an unplanned move within the three that fabrics bear.
const MOVES_BEFORE_FAILBACK: usize = 2;
/// Pairs of address and member compared per look; the rest waits for the next tick.
const BUDGET: usize = 100_000;

/// Where we stand among those who may have an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Members that rank before us.
    pub(super) before: u32,
}

impl Segment {
    /// Looks at every address that something happened to, within the budget; the rest stays for the next tick.
    pub(super) fn settle(&mut self, policy: &Policy, now: Instant, fx: &mut Effects) {
        let mut budget = BUDGET;
        self.failback_wanted |= !self.dirty.is_empty();
        while let Some(address) = self.dirty.pop_first() {
            self.evaluate(address, policy, now, fx);
            budget = budget.saturating_sub(self.members.len() + 1);
            if budget == 0 {
                return;
            }
        }
    }

    fn evaluate(&mut self, address: IpAddr, policy: &Policy, now: Instant, fx: &mut Effects) {
        match self.plans.get(&address).copied() {
            Some(Plan::Holding { epoch, until }) => {
                self.review_holding(address, epoch, until, policy, now, fx);
            }
            Some(Plan::Waiting { .. }) | None => self.review_vacancy(address, policy, now, fx),
        }
        if !self.wanted.contains(&address) {
            self.forget_if_ownerless(address, now);
        }
    }

    /// What nobody wants here is kept only as long as somebody alive owns it.
    fn forget_if_ownerless(&mut self, address: IpAddr, now: Instant) {
        let owner = self.claims.owner(address);
        if owner.is_some_and(|owner| self.members.get(&owner.node).is_none()) {
            self.claims.set_owner(address, None, now);
        }
        self.claims.forget_unowned(address);
    }

    fn review_holding(
        &mut self,
        address: IpAddr,
        epoch: Epoch,
        until: Option<(Instant, YieldCause)>,
        policy: &Policy,
        now: Instant,
        fx: &mut Effects,
    ) {
        if !self.wanted.contains(&address) {
            return self.give_up(address, None, YieldCause::Removed, now, fx);
        }
        if policy.ready().is_err() {
            return self.give_up(address, None, YieldCause::Left, now, fx);
        }
        let cause = match policy.own_standing(address, self.index(), &self.interface.name) {
            _ if policy.departure != Departure::Staying => YieldCause::Drained,
            Err(_) => YieldCause::Ineligible,
            Ok(standing) => {
                self.set_plan(address, Some(Plan::Holding { epoch, until: None }));
                return self.renew_claim(address, standing, policy, now);
            }
        };
        // Somebody who is only late to know that it may have the address is worth waiting for, too.
        let deadline = until.map_or(now + HAND_OVER_MAX, |(deadline, _)| deadline);
        let worth_waiting = match cause {
            YieldCause::Drained => !self.members.is_empty(),
            _ => self.has_candidate(address, policy),
        };
        if now >= deadline || !worth_waiting {
            return self.give_up(address, None, cause, now, fx);
        }
        self.set_plan(
            address,
            Some(Plan::Holding {
                epoch,
                until: Some((deadline, cause)),
            }),
        );
    }

    fn review_vacancy(&mut self, address: IpAddr, policy: &Policy, now: Instant, fx: &mut Effects) {
        let Ok(standing) = self.may_have(address, policy) else {
            return self.set_plan(address, None);
        };
        let cause = match self.claims.owner(address) {
            None => AcquireCause::Vacant,
            Some(owner) if self.owner_is_valid(owner, policy) => {
                return self.set_plan(address, None);
            }
            Some(owner) if self.members.get(&owner.node).is_some() => AcquireCause::HandedOver,
            Some(_) => AcquireCause::OwnerLost,
        };
        let (since, cause) = match self.plans.get(&address) {
            // The reason of the vacancy may go with its owner; the first one found is kept.
            Some(Plan::Waiting { since, cause, .. }) => (*since, *cause),
            _ => (now, cause),
        };
        let Some(node) = policy.node() else { return };
        let place = self.place(address, node, standing, policy);
        let due = since + STAGGER * place.before;
        self.set_plan(address, Some(Plan::Waiting { since, due, cause }));
        if due > now {
            return;
        }
        // Whatever forbids it has everything looked at again when it ends; until then no timer is due.
        self.plan_timers.remove(&(due, address));
        if self.may_claim(policy, now) {
            self.claim(address, standing, cause, policy, now, fx);
        }
    }

    /// Whether we may own the address at all, by what is configured and how far we are.
    fn may_have(&self, address: IpAddr, policy: &Policy) -> Result<Standing, Withheld> {
        policy.ready()?;
        if !self.wanted.contains(&address) {
            return Err(Withheld::NoInterface);
        }
        match self.phase {
            Phase::Down { .. } => return Err(Withheld::InterfaceDown),
            Phase::Listening { .. } | Phase::Arriving { .. } => return Err(Withheld::Joining),
            Phase::Active { .. } => {}
        }
        if policy.departure != Departure::Staying {
            return Err(Withheld::Draining);
        }
        policy.own_standing(address, self.index(), &self.interface.name)
    }

    /// Why this node does not own an address that it does not hold: the answer of status.
    pub(super) fn withheld(&self, address: IpAddr, policy: &Policy) -> Withheld {
        if let Err(reason) = self.may_have(address, policy) {
            return reason;
        }
        match self.claims.owner(address) {
            Some(owner) if self.owner_is_valid(owner, policy) => {
                Withheld::HeldBy(owner.node.clone())
            }
            _ => self.blocked().unwrap_or(Withheld::AwaitingSuccessor),
        }
    }

    /// An owner counts while it is a member that takes part and may have the address; by our view, or by a newer one.
    pub(super) fn owner_is_valid(&self, owner: &Owner, policy: &Policy) -> bool {
        let Some(member) = self.members.get(&owner.node) else {
            return false;
        };
        if !member.may_hold() {
            return false;
        }
        let newer = match (owner.claim.view, policy.view(owner.claim.address)) {
            (Some(theirs), Some(ours)) => theirs > ours,
            _ => false,
        };
        let address = owner.claim.address;
        newer
            || policy
                .member_standing(address, &owner.node, member, Fit::Owner)
                .is_some()
    }

    fn has_candidate(&self, address: IpAddr, policy: &Policy) -> bool {
        self.members.iter().any(|(node, member)| {
            let standing = policy.member_standing(address, node, member, Fit::Candidate);
            member.is_candidate() && standing.is_some()
        })
    }

    /// Our place among the candidates.
    pub(super) fn place(
        &self,
        address: IpAddr,
        node: &NodeName,
        standing: Standing,
        policy: &Policy,
    ) -> Place {
        let own = Rank::new(node, node_seed(node), standing, address);
        let before = self.members.iter().filter(|(name, member)| {
            member.is_candidate()
                && policy
                    .member_standing(address, name, member, Fit::Candidate)
                    .is_some_and(|standing| Rank::new(name, member.seed, standing, address) > own)
        });
        Place {
            before: u32::try_from(before.count()).unwrap_or(u32::MAX),
        }
    }

    pub(super) fn claim(
        &mut self,
        address: IpAddr,
        standing: Standing,
        cause: AcquireCause,
        policy: &Policy,
        now: Instant,
        fx: &mut Effects,
    ) {
        let Some(node) = policy.node() else { return };
        let epoch = Epoch(self.claims.highest(address).0 + 1);
        let claim = Claim {
            address,
            epoch,
            view: policy.view(address),
            standing,
            moves: 0,
        };
        self.claims.set_owner(
            address,
            Some(Owner {
                node: node.clone(),
                claim,
            }),
            now,
        );
        self.set_plan(address, Some(Plan::Holding { epoch, until: None }));
        self.held.insert(address);
        self.outbox.releases.remove(&address);
        self.outbox.claims.insert(address);
        self.join_group(address, fx);
        self.announce_anew(address, policy, now);
        self.counters.acquired += 1;
        let interface = self.index();
        fx.event(Event::Acquired {
            interface,
            address,
            epoch,
            cause,
        });
    }

    /// Says our claim again where what it rests on has changed: a newer view must not lie behind an older claim.
    fn renew_claim(&mut self, address: IpAddr, standing: Standing, policy: &Policy, now: Instant) {
        let Some(owner) = self.claims.owner(address) else {
            return;
        };
        let renewed = Claim {
            view: policy.view(address),
            standing,
            ..owner.claim
        };
        if renewed != owner.claim {
            let owner = Owner {
                node: owner.node.clone(),
                claim: renewed,
            };
            self.claims.set_owner(address, Some(owner), now);
            self.outbox.claims.insert(address);
        }
    }

    /// Begins the full schedule of an address we hold.
    pub(super) fn announce_anew(&mut self, address: IpAddr, policy: &Policy, now: Instant) {
        let asked = self.askers.last_asked(address);
        let lately = asked.is_some_and(|at| now.saturating_duration_since(at) <= ASKED_LATELY);
        let urgency = if lately {
            Urgency::Asked
        } else {
            Urgency::Quiet
        };
        self.schedule
            .start(address, urgency, policy.habits(address).1, now);
    }

    /// Stops answering for an address. Unless another owner is in place, the address is free after it.
    pub(super) fn give_up(
        &mut self,
        address: IpAddr,
        to: Option<NodeName>,
        cause: YieldCause,
        now: Instant,
        fx: &mut Effects,
    ) {
        let Some(Plan::Holding { epoch, .. }) = self.plans.get(&address).copied() else {
            return;
        };
        self.held.remove(&address);
        self.schedule.stop(address);
        self.set_plan(address, None);
        self.disputes.remove(&address);
        self.leave_group(address, fx);
        self.outbox.claims.remove(&address);
        let successor = if to.is_some() {
            Successor::Claimed
        } else {
            Successor::Nobody
        };
        self.outbox.releases.insert(
            address,
            Release {
                address,
                epoch,
                successor,
            },
        );
        if to.is_none() {
            self.claims.set_owner(address, None, now);
        }
        self.counters.yielded += 1;
        fx.abandoned += usize::from(cause == YieldCause::Drained);
        let interface = self.index();
        fx.event(Event::Yielded {
            interface,
            address,
            to,
            cause,
        });
    }

    /// Looks through a slice of the addresses for those that should return to us.
    pub(super) fn fail_back(&mut self, policy: &Policy, now: Instant, fx: &mut Effects) {
        let Phase::Active { since } = self.phase else {
            return;
        };
        let Some(node) = policy.node() else { return };
        let stable = now >= since.max(self.standing_since) + STABLE;
        let slice = (BUDGET / (self.members.len() + 1)).max(1);
        let (mut looked, mut taken) = (0, 0);
        if self.failback_cursor.is_none() {
            self.failback_wanted = false;
        }
        while looked < slice && taken < FAILBACK_PER_S {
            let from = self
                .failback_cursor
                .map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
            let Some(address) = self
                .wanted
                .range((from, std::ops::Bound::Unbounded))
                .next()
                .copied()
            else {
                self.failback_cursor = None;
                if !self.failback_wanted {
                    self.failback_at = None;
                }
                break;
            };
            self.failback_cursor = Some(address);
            looked += 1;
            if self.held.contains(&address) {
                continue;
            }
            let Ok(standing) = self.may_have(address, policy) else {
                self.leave_group(address, fx);
                continue;
            };
            let place = self.place(address, node, standing, policy);
            match place.before {
                0 | 1 => self.join_group(address, fx),
                _ => self.leave_group(address, fx),
            }
            if place.before > 0 || !self.should_return(address, policy) {
                continue;
            }
            let calm = self.claims.recent_moves(address, now) < MOVES_BEFORE_FAILBACK;
            if stable && calm && self.may_claim(policy, now) {
                self.claim(address, standing, AcquireCause::Failback, policy, now, fx);
                taken += 1;
            } else {
                self.failback_wanted = true;
            }
        }
    }

    fn should_return(&self, address: IpAddr, policy: &Policy) -> bool {
        let Some(owner) = self.claims.owner(address) else {
            return false;
        };
        // A claim on a newer view of the endpoints would win against ours.
        let newer = match (owner.claim.view, policy.view(address)) {
            (Some(theirs), Some(ours)) => theirs > ours,
            _ => false,
        };
        policy.habits(address).0 == Failback::Auto && !newer && self.owner_is_valid(owner, policy)
    }
}
