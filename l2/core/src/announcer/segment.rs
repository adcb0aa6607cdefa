//! One announcing interface and everything known of the segment behind it.
//!
//! State only, and the small operations that keep it consistent; what happens to it is told in the files beside this
//! one: `decide` (who owns), `hear` and `say` (sealed messages), `answer` (ARP, NDP), `announce` (schedule), `hearing`
//! (can we hear at all), `tick` (time).
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use super::hearing::Hearing;
use super::say::Outbox;
use crate::announcer::{
    AcquireCause, Condition, Counters, Event, Interface, Link, Output, Withheld, YieldCause,
};
use crate::askers::Askers;
use crate::claim::ClaimTable;
use crate::limits::AnswerLimits;
use crate::liveness::{LISTEN_ALONE, LISTEN_INTERVALS, Members};
use crate::ndp::solicited_node;
use crate::pacing::{Jitter, Once};
use crate::schedule::Schedule;
use crate::types::{Epoch, IfIndex};

/// A carrier that comes back within this time has lost nothing: nobody has missed us yet.
const FLAP: Duration = Duration::from_secs(2);

/// Where effects go, and the chance that spreads them.
#[derive(Debug)]
pub(super) struct Effects {
    pub(super) outputs: VecDeque<Output>,
    pub(super) jitter: Jitter,
    /// Number of the next sealed message: one count for all segments, so that it grows whatever becomes of them.
    pub(super) sequence: u64,
    /// Addresses that nobody took while we drained.
    pub(super) abandoned: usize,
}

impl Effects {
    pub(super) fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }
}

/// How far we are on the segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// No carrier, or nothing to say yet (no key, no identity).
    Down { since: Instant },
    /// Listening before taking part.
    Listening { since: Instant },
    /// Heard enough and said so: those who began with us get the time to say the same, so that each takes what it
    /// ranks first for.
    Arriving { until: Instant },
    /// Taking part.
    Active { since: Instant },
}

/// What we are about to do, or do, with an address. No entry: nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    /// Claim it when `due`, unless somebody else does.
    Waiting {
        since: Instant,
        due: Instant,
        cause: AcquireCause,
    },
    /// We own it; `until` is set while it is to be handed over.
    Holding {
        epoch: Epoch,
        until: Option<(Instant, YieldCause)>,
    },
}

/// What is remembered of a conflict about an address we own.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Dispute {
    /// RFC 5227 §2.4: one defence per 10 s.
    pub(super) defence: Once,
    /// Questions to members.
    pub(super) question: Once,
    /// Claims repeated because somebody seems not to know them.
    pub(super) repeat: Once,
    /// Schedules begun anew because of a competing claim.
    pub(super) restart: Once,
}

/// One announcing interface.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) interface: Interface,
    pub(super) phase: Phase,
    pub(super) members: Members,
    pub(super) claims: ClaimTable,
    /// Addresses that belong here, whoever owns them.
    pub(super) wanted: BTreeSet<IpAddr>,
    pub(super) plans: BTreeMap<IpAddr, Plan>,
    pub(super) plan_timers: BTreeSet<(Instant, IpAddr)>,
    /// The answer table.
    pub(super) held: BTreeSet<IpAddr>,
    pub(super) disputes: BTreeMap<IpAddr, Dispute>,
    /// Solicited-node groups and the addresses that need them.
    pub(super) groups: BTreeMap<Ipv6Addr, BTreeSet<Ipv6Addr>>,
    /// Addresses to look at again.
    pub(super) dirty: BTreeSet<IpAddr>,
    pub(super) schedule: Schedule,
    pub(super) askers: Askers,
    pub(super) limits: AnswerLimits,
    pub(super) outbox: Outbox,
    pub(super) hearing: Hearing,
    pub(super) conditions: BTreeSet<Condition>,
    /// Frames under an unknown key forbid new claims until then.
    pub(super) key_unknown_until: Option<Instant>,
    /// Another process with our own name: first and last heard.
    pub(super) namesake: Option<(Instant, Instant)>,
    /// When our own standing last changed: nothing is taken back before it has been so for a while.
    pub(super) standing_since: Instant,
    pub(super) failback_cursor: Option<IpAddr>,
    /// When the next slice is looked through; `None` while a pass would find what the last one found.
    pub(super) failback_at: Option<Instant>,
    /// Something changed that another pass may find.
    pub(super) failback_wanted: bool,
    /// Own frames seen within the running second.
    pub(super) loop_window: (Option<Instant>, u32),
    pub(super) counters: Counters,
}

impl Segment {
    pub(super) fn new(interface: Interface, seed: u64, now: Instant) -> Self {
        Self {
            phase: Phase::Down { since: now },
            interface,
            members: Members::default(),
            claims: ClaimTable::default(),
            wanted: BTreeSet::new(),
            plans: BTreeMap::new(),
            plan_timers: BTreeSet::new(),
            held: BTreeSet::new(),
            disputes: BTreeMap::new(),
            groups: BTreeMap::new(),
            dirty: BTreeSet::new(),
            schedule: Schedule::new(),
            askers: Askers::new(seed),
            limits: AnswerLimits::new(seed),
            outbox: Outbox::default(),
            hearing: Hearing::default(),
            conditions: BTreeSet::new(),
            key_unknown_until: None,
            namesake: None,
            standing_since: now,
            failback_cursor: None,
            failback_at: None,
            failback_wanted: false,
            loop_window: (None, 0),
            counters: Counters::default(),
        }
    }

    pub(super) fn index(&self) -> IfIndex {
        self.interface.index
    }

    /// Whether frames pass and we have a voice.
    pub(super) fn is_up(&self) -> bool {
        !matches!(self.phase, Phase::Down { .. })
    }

    /// Begins to listen, or goes on where a short flap of the carrier interrupted us.
    pub(super) fn begin(&mut self, now: Instant, fx: &mut Effects) {
        let Phase::Down { since } = self.phase else {
            return;
        };
        let resumes = !self.held.is_empty() && now.saturating_duration_since(since) <= FLAP;
        self.outbox.hello_at = Some(now);
        if resumes {
            self.phase = Phase::Active { since: now };
            self.members.forgive(now.saturating_duration_since(since));
            return;
        }
        self.clear(YieldCause::InterfaceDown, fx);
        self.phase = Phase::Listening { since: now };
    }

    /// When what is held is given up because the carrier stays away.
    pub(super) fn flap_ends(&self) -> Option<Instant> {
        match self.phase {
            Phase::Down { since } if !self.held.is_empty() => Some(since + FLAP),
            _ => None,
        }
    }

    /// Stops hearing and saying anything. What is held is kept for a short flap and not answered meanwhile.
    pub(super) fn suspend(&mut self, now: Instant) {
        if self.is_up() {
            self.phase = Phase::Down { since: now };
        }
    }

    /// Gives everything up without a word.
    pub(super) fn clear(&mut self, cause: YieldCause, fx: &mut Effects) {
        let interface = self.index();
        for address in std::mem::take(&mut self.held) {
            self.counters.yielded += 1;
            fx.event(Event::Yielded {
                interface,
                address,
                to: None,
                cause,
            });
        }
        for group in std::mem::take(&mut self.groups).into_keys() {
            fx.outputs
                .push_back(Output::LeaveGroup { interface, group });
        }
        for condition in std::mem::take(&mut self.conditions) {
            fx.event(Event::ConditionCleared {
                interface,
                condition,
            });
        }
        self.members = Members::default();
        self.claims = ClaimTable::default();
        self.plans.clear();
        self.plan_timers.clear();
        self.disputes.clear();
        self.schedule = Schedule::new();
        self.outbox = Outbox {
            hello_at: self.outbox.hello_at,
            ..Outbox::default()
        };
        self.hearing = Hearing::default();
        self.key_unknown_until = None;
        self.namesake = None;
        self.failback_at = None;
        self.dirty.clone_from(&self.wanted);
    }

    /// When listening ends as things stand.
    pub(super) fn listening_ends(&self) -> Option<Instant> {
        match (self.phase, self.members.longest_interval()) {
            (Phase::Listening { since }, Some(interval)) => {
                Some(since + (interval * LISTEN_INTERVALS).max(LISTEN_ALONE))
            }
            (Phase::Listening { since }, None) => Some(since + LISTEN_ALONE),
            (Phase::Arriving { until }, _) => Some(until),
            (Phase::Down { .. } | Phase::Active { .. }, _) => None,
        }
    }

    /// Replaces what is planned for an address, and its timer with it.
    pub(super) fn set_plan(&mut self, address: IpAddr, plan: Option<Plan>) {
        let before = match plan {
            Some(plan) => self.plans.insert(address, plan),
            None => self.plans.remove(&address),
        };
        if let Some(due) = before.and_then(Plan::due) {
            self.plan_timers.remove(&(due, address));
        }
        if let Some(due) = plan.and_then(Plan::due) {
            self.plan_timers.insert((due, address));
        }
    }

    pub(super) fn set_condition(&mut self, condition: Condition, stands: Stands, fx: &mut Effects) {
        let interface = self.index();
        match stands {
            Stands::Yes if self.conditions.insert(condition) => {
                fx.event(Event::ConditionRaised {
                    interface,
                    condition,
                });
            }
            Stands::No if self.conditions.remove(&condition) => {
                fx.event(Event::ConditionCleared {
                    interface,
                    condition,
                });
            }
            Stands::Yes | Stands::No => {}
        }
    }

    /// Something that kept us from claiming has gone: look at everything again.
    pub(super) fn touch_all(&mut self) {
        self.dirty.clone_from(&self.wanted);
    }

    pub(super) fn join_group(&mut self, address: IpAddr, fx: &mut Effects) {
        let IpAddr::V6(address) = address else { return };
        let group = solicited_node(address);
        let users = self.groups.entry(group).or_default();
        if users.is_empty() {
            fx.outputs.push_back(Output::JoinGroup {
                interface: self.interface.index,
                group,
            });
        }
        users.insert(address);
    }

    pub(super) fn leave_group(&mut self, address: IpAddr, fx: &mut Effects) {
        let IpAddr::V6(address) = address else { return };
        let group = solicited_node(address);
        let Some(users) = self.groups.get_mut(&group) else {
            return;
        };
        users.remove(&address);
        if users.is_empty() {
            self.groups.remove(&group);
            fx.outputs.push_back(Output::LeaveGroup {
                interface: self.interface.index,
                group,
            });
        }
    }

    /// The condition that forbids new claims, the gravest first.
    pub(super) fn blocked(&self) -> Option<Withheld> {
        let condition = if self.namesake_is_alive() {
            Condition::DuplicateNodeName
        } else if self.key_unknown_until.is_some() {
            Condition::KeyUnknown
        } else {
            self.conditions.get(&Condition::Deaf).copied()?
        };
        Some(Withheld::Blocked(condition))
    }

    /// We did not listen for `pause`: nothing that should have happened meanwhile is held against anybody.
    pub(super) fn forgive(&mut self, pause: Duration, now: Instant) {
        self.members.forgive(pause);
        // Nor is it held for us: who has just been away is not stable.
        self.standing_since = now;
        if let Phase::Listening { since } = &mut self.phase {
            *since += pause;
        }
        for (address, plan) in self.plans.clone() {
            if let Plan::Waiting { since, due, cause } = plan {
                let plan = Plan::Waiting {
                    since: since + pause,
                    due: due + pause,
                    cause,
                };
                self.set_plan(address, Some(plan));
            }
        }
    }
}

/// Whether a condition stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stands {
    Yes,
    No,
}

impl From<bool> for Stands {
    fn from(stands: bool) -> Self {
        if stands { Self::Yes } else { Self::No }
    }
}

impl Plan {
    pub(super) fn due(self) -> Option<Instant> {
        match self {
            Self::Waiting { due, .. } => Some(due),
            Self::Holding { until, .. } => until.map(|(due, _)| due),
        }
    }
}

/// Whether an interface as given can carry frames.
pub(super) fn carries(interface: &Interface) -> bool {
    interface.link == Link::Up && interface.mac.is_station()
}
