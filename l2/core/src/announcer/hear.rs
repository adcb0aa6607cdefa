//! What we hear in sealed messages, and what it changes.
//!
//! A message is used as a whole or not at all, and only from a member's living process; everything it says about
//! ownership goes through the claim table, so that the order in which messages arrive matters little.
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::policy::{Fit, Policy};
use super::segment::{Effects, Plan, Segment};
use crate::announcer::{AcquireCause, Condition, Event, Identity, LossCause, YieldCause};
use crate::claim::Owner;
use crate::hello::{
    Claim, CounterKnown, Hello, Listing, Message, Record, Release, Sender, Successor, decode,
};
use crate::liveness::{Admission, Heard};
use crate::pacing::Taken;
use crate::types::{Incarnation, NodeName};

/// A counter told to us is believed below this: nobody restarts so often.
const COUNTER_MAX: u64 = 1 << 63;
/// Pause between two questions to one node about everything it holds.
const ASK_PAUSE_MIN: Duration = Duration::from_secs(1);
const ASK_PAUSE_MAX: Duration = Duration::from_secs(30);
/// Askers spread their questions over this much time per member, so that few ask.
const ASK_SPREAD: Duration = Duration::from_millis(5);
/// A newcomer is greeted within this time, or within 10 ms per member, so that it learns soon who is there.
const GREETING: Duration = Duration::from_millis(300);
/// A competing claim restarts the schedule of an address whose own began longer ago than this.
const SETTLED: Duration = Duration::from_secs(1);
const RESTART_PERIOD: Duration = Duration::from_secs(10);
/// A claim is repeated at most once in this time for those that seem not to know it.
const REPEAT_PERIOD: Duration = Duration::from_millis(100);
/// See [`Segment::namesake_is_alive`].
const NAMESAKE_OVERLAP: Duration = Duration::from_millis(500);
/// An address that fell out of its owner's list is asked about this long before it counts as free.
const DOUBT: Duration = Duration::from_millis(300);

impl Segment {
    /// Takes in a plaintext that `sealer`'s key opened.
    pub(super) fn hear(
        &mut self,
        sealer: &NodeName,
        plaintext: &[u8],
        policy: &Policy,
        now: Instant,
        fx: &mut Effects,
    ) -> Option<CounterKnown> {
        let (Ok(identity), true) = (policy.ready(), self.is_up()) else {
            return None;
        };
        self.counters.sealed_received += 1;
        let message = match decode(plaintext) {
            Ok(message) if message.sender.node == *sealer => message,
            Ok(_) | Err(_) => {
                self.counters.sealed_malformed += 1;
                return None;
            }
        };
        if message.sender.cluster != identity.cluster {
            self.counters.foreign_cluster += 1;
            return None;
        }
        if message.sender.node == identity.node {
            self.hear_own_name(&message.sender, identity, now);
            return None;
        }
        self.heard_something(now);
        self.hear_member(message, identity, policy, now, fx)
    }

    /// Our own frames come back, or somebody else uses our name.
    fn hear_own_name(&mut self, sender: &Sender, identity: &Identity, now: Instant) {
        if sender.instance == identity.instance {
            self.counters.looped += 1;
            return;
        }
        let first = self.namesake.map_or(now, |(first, _)| first);
        self.namesake = Some((first, now));
    }

    fn hear_member(
        &mut self,
        message: Message,
        identity: &Identity,
        policy: &Policy,
        now: Instant,
        fx: &mut Effects,
    ) -> Option<CounterKnown> {
        let Message { sender, records } = message;
        let mut told = None;
        let admission = self.members.admit(&sender, now);
        match admission {
            Admission::Current | Admission::Duplicate => {}
            Admission::Stranger => {
                if !records
                    .iter()
                    .any(|record| matches!(record, Record::Hello(_)))
                {
                    self.counters.stale += 1;
                    return None;
                }
            }
            Admission::Rival => {
                self.counters.stale += 1;
                return None;
            }
            Admission::Behind(incarnation) => {
                self.counters.stale += 1;
                let known = CounterKnown {
                    node: sender.node.clone(),
                    instance: sender.instance,
                    incarnation,
                };
                self.outbox.counters.insert(sender.node, known);
                return None;
            }
        }
        let mut listing = None;
        for record in records {
            match record {
                // The second process of a name changes nothing that is known of the first.
                Record::Hello(_) | Record::Eligibility(_) | Record::Listing(_)
                    if admission == Admission::Duplicate => {}
                Record::Hello(hello) => self.hear_hello(&sender, &hello, now, fx),
                Record::Eligibility(part) => {
                    if self.members.hear_eligibility(&sender.node, part) == Heard::Changed {
                        self.standing_changed(&sender.node);
                    }
                }
                Record::Claim(claim) => {
                    if let Some(listing) = listing {
                        self.note_listed(&sender.node, listing, claim.address);
                    }
                    self.hear_claim(&sender.node, claim, policy, now, fx);
                }
                Record::Release(release) => self.hear_release(&sender.node, release, policy, now),
                Record::Listing(part) => {
                    if let Some(member) = self.members.get_mut(&sender.node) {
                        member.begin_listing(part);
                        listing = Some(part);
                    }
                }
                Record::AskNode(node) => self.outbox.list_wanted |= node == identity.node,
                Record::AskAddress(address) => self.repeat_claim(address, now),
                Record::Counter(known) => {
                    let ours = known.node == identity.node && known.instance == identity.instance;
                    if ours && (identity.incarnation.0..COUNTER_MAX).contains(&known.incarnation.0)
                    {
                        told = Some(known);
                    }
                }
            }
        }
        self.finish_listing(&sender.node, now);
        told
    }

    fn hear_hello(&mut self, sender: &Sender, hello: &Hello, now: Instant, fx: &mut Effects) {
        let interface = self.index();
        if hello.flags.leaving {
            self.lose_member(&sender.node, LossCause::Left, fx);
            return;
        }
        match self.members.hear(sender, hello, now) {
            Heard::Joined => {
                fx.event(Event::MemberJoined {
                    interface,
                    node: sender.node.clone(),
                });
                self.hearing.ever_heard_member = true;
                let spread = GREETING.max(Duration::from_millis(10) * self.member_count());
                self.outbox.hello_by(now + fx.jitter.below(spread));
                self.standing_changed(&sender.node);
            }
            Heard::Changed => self.standing_changed(&sender.node),
            Heard::Same => {}
            Heard::Late => return,
        }
        let (count, digest) = self.claims.digest(&sender.node);
        let spread = ASK_SPREAD * self.member_count();
        let Some(member) = self.members.get_mut(&sender.node) else {
            return;
        };
        if (count, digest) == (hello.held, hello.digest) {
            member.ask_at = None;
            member.ask_pause = Duration::ZERO;
        } else if member.ask_at.is_none() {
            member.ask_at = Some(now + member.ask_pause + fx.jitter.below(spread));
        }
    }

    fn member_count(&self) -> u32 {
        u32::try_from(self.members.len()).unwrap_or(u32::MAX)
    }

    /// Takes a node out of the segment; what it held is free from this moment on.
    pub(super) fn lose_member(&mut self, node: &NodeName, cause: LossCause, fx: &mut Effects) {
        let Some(member) = self.members.remove(node) else {
            return;
        };
        self.remember_lost(&member.addresses);
        let interface = self.index();
        fx.event(Event::MemberLost {
            interface,
            node: node.clone(),
            cause,
        });
        self.standing_changed(node);
    }

    /// What decisions know of a node has changed: its addresses, and those that wait for somebody, are looked at again.
    fn standing_changed(&mut self, node: &NodeName) {
        self.failback_wanted = true;
        self.dirty.extend(self.claims.held_by(node));
        let undecided = self.plans.iter().filter(|(_, plan)| plan.due().is_some());
        self.dirty.extend(undecided.map(|(address, _)| *address));
    }

    fn hear_claim(
        &mut self,
        from: &NodeName,
        claim: Claim,
        policy: &Policy,
        now: Instant,
        fx: &mut Effects,
    ) {
        let address = claim.address;
        let Some(member) = self.members.get(from) else {
            return;
        };
        let newer = match (claim.view, policy.view(address)) {
            (Some(theirs), Some(ours)) => theirs > ours,
            _ => false,
        };
        let entitled = policy
            .member_standing(address, from, member, Fit::Owner)
            .is_some();
        if self.wanted.contains(&address) && !entitled && !newer {
            self.counters.claims_refused += 1;
            return;
        }
        let Ok(epoch) = self.claims.believe(address, claim.epoch) else {
            self.counters.claims_refused += 1;
            return;
        };
        let incoming = Owner {
            node: from.clone(),
            claim: Claim {
                epoch,
                moves: 0,
                ..claim
            },
        };
        if self.claims.owner(address) == Some(&incoming) {
            return self.claims.learn_moves(address, claim.moves, now);
        }
        let holding = match self.plans.get(&address) {
            Some(Plan::Holding { until, .. }) => Some(until.is_some()),
            Some(Plan::Waiting { .. }) | None => None,
        };
        let takes = match (self.claims.owner(address), holding) {
            (None, _) => true,
            // Handing over: whoever takes it is right.
            (Some(_), Some(true)) => true,
            (Some(ours), Some(false)) => incoming.beats(ours),
            (Some(owner), None) if owner.node == *from => epoch >= owner.claim.epoch,
            (Some(owner), None) => !self.owner_is_valid(owner, policy) || incoming.beats(owner),
        };
        match (takes, holding) {
            (true, Some(_)) => {
                self.claims.set_owner(address, Some(incoming), now);
                self.give_up(address, Some(from.clone()), YieldCause::Outclaimed, now, fx);
            }
            (true, None) => {
                self.claims.set_owner(address, Some(incoming), now);
                self.claims.learn_moves(address, claim.moves, now);
            }
            (false, Some(_)) => {
                self.repeat_claim(address, now);
                self.insist(address, policy, now);
            }
            (false, None) => {}
        }
        if takes {
            self.dirty.insert(address);
        }
    }

    fn hear_release(&mut self, from: &NodeName, release: Release, policy: &Policy, now: Instant) {
        let Release {
            address,
            epoch,
            successor,
        } = release;
        if self.held.contains(&address) {
            // It announced as well until this moment: we have to be the last.
            return self.insist(address, policy, now);
        }
        let Some(owner) = self.claims.owner(address) else {
            return;
        };
        if owner.node == *from && epoch >= owner.claim.epoch && successor == Successor::Nobody {
            self.claims.set_owner(address, None, now);
            self.dirty.insert(address);
            if !self.wanted.contains(&address) {
                self.claims.forget_unowned(address);
            }
        }
    }

    /// Says a claim of ours again.
    pub(super) fn repeat_claim(&mut self, address: IpAddr, now: Instant) {
        if !self.held.contains(&address) {
            return;
        }
        let dispute = self.disputes.entry(address).or_default();
        if dispute.repeat.per(REPEAT_PERIOD, now) == Taken::Token {
            self.outbox.claims.insert(address);
        }
    }

    /// Another owner showed itself and is in the wrong: announce from the first round on, so that ours is the last word.
    fn insist(&mut self, address: IpAddr, policy: &Policy, now: Instant) {
        let settled = self
            .schedule
            .started(address)
            .is_none_or(|at| now >= at + SETTLED);
        let dispute = self.disputes.entry(address).or_default();
        if settled && dispute.restart.per(RESTART_PERIOD, now) == Taken::Token {
            self.announce_anew(address, policy, now);
        }
    }

    fn note_listed(&mut self, node: &NodeName, listing: Listing, address: IpAddr) {
        if let Some(member) = self.members.get_mut(node) {
            member.begin_listing(listing).addresses.insert(address);
        }
    }

    /// A complete list ends every ownership that is not in it, after a doubt.
    fn finish_listing(&mut self, node: &NodeName, now: Instant) {
        let Some(member) = self.members.get_mut(node) else {
            return;
        };
        let complete =
            |one: &crate::liveness::ListingUnderWay| one.came.len() >= usize::from(one.parts);
        let Some(listing) = member.listing.take_if(|one| complete(one)) else {
            return;
        };
        member.ask_at = None;
        member.has_answered = true;
        for address in self.claims.held_by(node) {
            if listing.addresses.contains(&address) {
                continue;
            }
            self.claims.set_owner(address, None, now);
            if self.wanted.contains(&address) {
                let since = now + DOUBT;
                let cause = AcquireCause::Vacant;
                self.set_plan(
                    address,
                    Some(Plan::Waiting {
                        since,
                        due: since,
                        cause,
                    }),
                );
                self.outbox.ask_about(address);
                self.dirty.insert(address);
            } else {
                self.claims.forget_unowned(address);
            }
        }
    }

    /// Asks the members whose digest differs from our table, and makes the pause longer while that does not help.
    pub(super) fn ask_members(&mut self, now: Instant) {
        let due = self
            .members
            .iter()
            .filter(|(_, member)| member.ask_at.is_some_and(|at| at <= now));
        let due: Vec<NodeName> = due.map(|(node, _)| node.clone()).collect();
        for node in due {
            let held = self.claims.digest(&node);
            let Some(member) = self.members.get_mut(&node) else {
                continue;
            };
            member.ask_at = None;
            if held != (member.held, member.digest) {
                // A list that came and did not help says that we disagree, not that we missed something.
                let pause = if member.has_answered {
                    member.ask_pause * 2
                } else {
                    ASK_PAUSE_MIN
                };
                member.ask_pause = pause.clamp(ASK_PAUSE_MIN, ASK_PAUSE_MAX);
                member.has_answered = false;
                self.outbox.ask_nodes.insert(node);
            }
        }
    }

    /// When a member is to be asked next.
    pub(super) fn ask_deadline(&self) -> Option<Instant> {
        self.members
            .iter()
            .filter_map(|(_, member)| member.ask_at)
            .min()
    }

    /// Whether another process with our name is alive. One frame can be the last word of our own earlier life; half a
    /// second later it is somebody else.
    pub(super) fn namesake_is_alive(&self) -> bool {
        self.namesake
            .is_some_and(|(first, last)| last >= first + NAMESAKE_OVERLAP)
    }

    /// Somebody uses our name, or two others share one.
    pub(super) fn count_names(&mut self, now: Instant, fx: &mut Effects) {
        let before = self.namesake_is_alive();
        if self.namesake_ends().is_some_and(|ends| ends <= now) {
            self.namesake = None;
        }
        let ours = self.namesake_is_alive();
        let stands = ours || self.members.any_duplicate(now);
        self.set_condition(Condition::DuplicateNodeName, stands.into(), fx);
        if before && !ours {
            self.touch_all();
        }
    }

    /// When the other process with our name counts as gone.
    pub(super) fn namesake_ends(&self) -> Option<Instant> {
        self.namesake
            .map(|(_, last)| last + self.hello_interval() * 4)
    }
}

/// The counter to go on with after somebody told us a higher one.
pub(super) fn jump_above(known: &CounterKnown) -> Incarnation {
    Incarnation(known.incarnation.0 + 1)
}
