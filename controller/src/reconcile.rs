//! The decision about one Service: which addresses it should have, or why it has none.
//!
//! [`decide`] is pure and takes the world as it is known: the Service, the claims and pools in the
//! allocator. It says what should be, never how to get there; the steps are the engine's. Which of
//! several claims wins, and what becomes of a status that somebody else wrote, is decided here
//! (contracts 1.4 to 1.7).

mod ask;
mod foreign;

use std::cmp::Reverse;
use std::net::IpAddr;

use jiff::Timestamp;
use ringbolt_config::model::selector::Labels;
use ringbolt_config::names::allocation_name;
use ringbolt_config::service::{FamilyPolicy, StatusWriter};
use ringbolt_config::{PoolName, ServiceView, Uid};

use crate::Family;
use crate::allocator::{Allocator, Pick, Request, Verdict};
use crate::refusal::Refusal;
use crate::settings::Settings;

pub(crate) use ask::{request, tenancy};

/// Why a Service is looked after, or is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// It names our class.
    ByClass,
    /// It names no class, and we are the default provider.
    ByDefault,
    /// It names another class, or none while we look after classes only.
    OtherClass,
    /// Its type is not LoadBalancer.
    OtherType,
}

impl Ownership {
    /// Reads it off a Service.
    pub fn of(settings: &Settings, view: &ServiceView) -> Self {
        match &view.class {
            _ if !view.is_load_balancer() => Self::OtherType,
            _ if !settings.classes.include(view) => Self::OtherClass,
            Some(_) => Self::ByClass,
            None => Self::ByDefault,
        }
    }

    /// Whether the Service should have addresses of ours.
    pub const fn is_ours(self) -> bool {
        matches!(self, Self::ByClass | Self::ByDefault)
    }
}

/// Whether an address is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// A claim of the Service holds it.
    Held,
    /// The claim is to be written first.
    ToClaim,
}

/// An address the Service should have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The address.
    pub address: IpAddr,
    /// The pool it lies in.
    pub pool: PoolName,
    /// Whether it is claimed.
    pub hold: Hold,
}

/// What a Service should have, in the order of its families.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The addresses; never none.
    pub slots: Vec<Slot>,
    /// What of the request is not met although there is an address.
    pub unmet: Option<Refusal>,
    /// Whether what is not met is a mere wish (`PreferDualStack`).
    pub content: bool,
}

/// Why a Service loses all it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// It is deleted.
    Deleted,
    /// It has another type, or another class.
    NotOurs,
    /// Somebody else has written the status, and may: what we claimed was never published, or the
    /// Service has another class by now. Nothing there is ours.
    Displaced,
    /// What it has cannot stay, and there is nothing else.
    Refused(Refusal),
}

/// What should become of a Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing of it is ours, and nothing should be.
    Ignore,
    /// It has what it should have, as far as claims go.
    Keep(Target),
    /// It should have something that is not claimed yet.
    Assign(Target),
    /// It should have nothing, and has something.
    Clear(Cause),
    /// It should have something, has nothing, and cannot get it.
    Wait(Refusal),
}

impl Decision {
    /// What the Service is refused, if anything.
    pub const fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Wait(refusal) | Self::Clear(Cause::Refused(refusal)) => Some(refusal),
            Self::Keep(target) | Self::Assign(target) => target.unmet.as_ref(),
            Self::Ignore | Self::Clear(Cause::Deleted | Cause::NotOurs | Cause::Displaced) => None,
        }
    }
}

/// What is known around a Service.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// How the controller works.
    pub settings: &'a Settings,
    /// Pools and claims.
    pub allocator: &'a Allocator,
    /// Labels of the Service's namespace.
    pub namespace_labels: &'a Labels,
    /// The wall clock.
    pub now: Timestamp,
}

/// Decides about a Service.
pub fn decide(around: &Surroundings<'_>, view: &ServiceView) -> Decision {
    if view.uid == Uid::unassigned() {
        // The cluster has not accepted it yet; a claim could not say whose it is.
        return Decision::Ignore;
    }
    let ownership = Ownership::of(around.settings, view);
    let holds = around.allocator.held_by(&view.uid).next().is_some();
    let carries = !view.ingress.is_empty() || view.has_finalizer;
    // The annotation is written by nobody else: it tells whose a status and a finalizer are after
    // the claim is gone.
    let foreign = foreign::hands_off(around.allocator, view, ownership);
    let evident = match ownership {
        Ownership::ByClass | Ownership::ByDefault => foreign.is_none(),
        Ownership::OtherType => view.allocated_from.is_some(),
        // Annotations are copied along with Services: on one of another class they prove nothing.
        Ownership::OtherClass => {
            view.allocated_from.is_some() && view.status_writer == StatusWriter::Ours
        }
    };
    let ours = holds || (carries && evident);
    match (ownership.is_ours(), view.deleting, ours) {
        (false, _, true) if foreign::is_displaced(around.allocator, view, ownership) => {
            return Decision::Clear(Cause::Displaced);
        }
        (true, true, true) if foreign.is_some() => return Decision::Clear(Cause::Displaced),
        (_, true, true) => return Decision::Clear(Cause::Deleted),
        (false, false, true) => return Decision::Clear(Cause::NotOurs),
        (false, _, false) | (true, true, false) => return Decision::Ignore,
        (true, false, _) => {}
    }
    if let Some(refusal) = foreign {
        return Decision::Wait(refusal);
    }
    let (request, invalid) = match request(view, around.namespace_labels) {
        Ok(request) => (request, None),
        Err((lenient, refusal)) => (lenient, Some(refusal)),
    };
    let families = ask::families(around.allocator, view, &request);
    let stays: Vec<Option<Incumbent>> = families
        .iter()
        .map(|f| incumbent(around.allocator, view, &request, *f))
        .collect();
    let outcome = match invalid.or_else(|| ask::stray_address(&request, &families)) {
        Some(refusal) => unchanged(&families, &stays, &refusal),
        None => fill(around, view, &request, &families, &stays),
    };
    conclude(view, outcome)
}

/// The families in which a Service that is refused something may be helped.
pub(crate) fn open_families(
    allocator: &Allocator,
    view: &ServiceView,
    request: &Request,
    decision: &Decision,
    refusal: &Refusal,
) -> Vec<Family> {
    if let (FamilyPolicy::RequireDualStack, Refusal::PoolExhausted { family, .. }) =
        (view.family_policy, refusal)
    {
        // Both or nothing: as long as this one is missing, the other is of no use.
        return vec![*family];
    }
    let slots = match decision {
        Decision::Keep(target) | Decision::Assign(target) => &target.slots[..],
        Decision::Ignore | Decision::Clear(_) | Decision::Wait(_) => &[],
    };
    let met = |family: &Family| {
        slots.iter().any(|slot| {
            let pick = Pick {
                address: slot.address,
                pool: slot.pool.clone(),
            };
            family.holds(slot.address) && request.accepts(&pick)
        })
    };
    let mut families = ask::families(allocator, view, request);
    families.retain(|family| !met(family));
    families
}

/// An address that a Service has and may go on having.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Incumbent {
    slot: Slot,
    satisfies: bool,
}

/// The best of what the Service has in a family: by claims, else by its status (contracts 1.4).
fn incumbent(
    allocator: &Allocator,
    view: &ServiceView,
    request: &Request,
    family: Family,
) -> Option<Incumbent> {
    let carried = |address: IpAddr| view.addresses().any(|a| a == address);
    let held = allocator.held_by(&view.uid).filter(|a| family.holds(*a));
    let best = held
        .filter_map(|address| {
            let (pool, satisfies) = match allocator.verdict(request, address) {
                Verdict::Satisfies { pool } => (pool, true),
                Verdict::Tolerable { pool } => (pool, false),
                Verdict::Untenable { .. } => return None,
            };
            Some(Incumbent {
                slot: Slot {
                    address,
                    pool,
                    hold: Hold::Held,
                },
                satisfies,
            })
        })
        .max_by_key(|incumbent| {
            let address = incumbent.slot.address;
            let created = allocator.claim(address).and_then(|claim| claim.created);
            let age = Reverse(created.unwrap_or(Timestamp::MAX));
            let name = Reverse(allocation_name(address));
            (incumbent.satisfies, carried(address), age, name)
        });
    best.or_else(|| {
        let carried = view.addresses().filter(|a| family.holds(*a));
        let adopted = carried.filter_map(|address| {
            let pick = allocator.adopt(request, address).ok()?;
            let satisfies = request.accepts(&pick);
            let slot = Slot {
                address,
                pool: pick.pool,
                hold: Hold::ToClaim,
            };
            Some(Incumbent { slot, satisfies })
        });
        adopted.max_by_key(|incumbent| (incumbent.satisfies, Reverse(incumbent.slot.address)))
    })
}

/// What each family gets, in the order of families.
#[derive(Debug)]
struct Outcome {
    slots: Vec<Slot>,
    unmet: Option<Refusal>,
    content: bool,
}

/// A request that cannot be followed changes nothing.
fn unchanged(families: &[Family], stays: &[Option<Incumbent>], refusal: &Refusal) -> Outcome {
    let slots = stays
        .iter()
        .take(families.len())
        .flatten()
        .map(|i| i.slot.clone());
    Outcome {
        slots: slots.collect(),
        unmet: Some(refusal.clone()),
        content: false,
    }
}

/// Keeps what satisfies, looks for the rest, and falls back on what is there.
fn fill(
    around: &Surroundings<'_>,
    view: &ServiceView,
    request: &Request,
    families: &[Family],
    stays: &[Option<Incumbent>],
) -> Outcome {
    let settled = |i: &&Incumbent| i.satisfies;
    let beside = stays
        .iter()
        .flatten()
        .find(settled)
        .map(|i| i.slot.pool.clone());
    let open: Vec<Family> = families
        .iter()
        .zip(stays)
        .filter(|(_, stay)| stay.as_ref().filter(settled).is_none())
        .map(|(family, _)| *family)
        .collect();
    let choice = around
        .allocator
        .choose(request, &open, beside.as_ref(), around.now);
    let refusal = choice
        .answers
        .iter()
        .find_map(|(_, answer)| answer.as_ref().err())
        .cloned();
    // A claim that was never published is no reason to publish half of what is required.
    let carries = |i: &Incumbent| view.addresses().any(|a| a == i.slot.address);
    let unpublished = !stays.iter().flatten().any(carries);
    if let (FamilyPolicy::RequireDualStack, Some(refusal), true) =
        (view.family_policy, &refusal, unpublished)
    {
        return Outcome {
            slots: Vec::new(),
            unmet: Some(refusal.clone()),
            content: false,
        };
    }
    let slot_of = |family: Family, stay: &Option<Incumbent>| {
        let answer = choice
            .answers
            .iter()
            .find(|(f, _)| *f == family)
            .map(|(_, a)| a);
        match (answer, stay) {
            (Some(Ok(Pick { address, pool })), _) => {
                let held = around.allocator.held_by(&view.uid).any(|a| a == *address);
                let hold = if held { Hold::Held } else { Hold::ToClaim };
                Some(Slot {
                    address: *address,
                    pool: pool.clone(),
                    hold,
                })
            }
            (_, Some(stay)) => Some(stay.slot.clone()),
            (_, None) => None,
        }
    };
    let slots: Vec<Slot> = families
        .iter()
        .zip(stays)
        .filter_map(|(f, stay)| slot_of(*f, stay))
        .collect();
    let wish = view.family_policy == FamilyPolicy::PreferDualStack;
    let content =
        wish && request.addresses.is_empty() && stays.iter().flatten().all(|i| i.satisfies);
    Outcome {
        slots,
        unmet: refusal,
        content,
    }
}

fn conclude(view: &ServiceView, outcome: Outcome) -> Decision {
    let Outcome {
        slots,
        unmet,
        content,
    } = outcome;
    if slots.is_empty() {
        let refusal = unmet.unwrap_or(Refusal::NoPools);
        let had = view.has_finalizer || foreign::is_ours(view) && !view.ingress.is_empty();
        return if had {
            Decision::Clear(Cause::Refused(refusal))
        } else {
            Decision::Wait(refusal)
        };
    }
    let to_claim = slots.iter().any(|slot| slot.hold == Hold::ToClaim);
    let target = Target {
        slots,
        unmet,
        content,
    };
    if to_claim {
        Decision::Assign(target)
    } else {
        Decision::Keep(target)
    }
}
