//! The next write for one Service: claim, then publish, then let go of what is not needed.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Instant;

use ringbolt_cluster::{Part, ServiceStatusPatch};
use ringbolt_config::api::{IPAllocation, IPAllocationSpec};
use ringbolt_config::names::allocation_name;
use ringbolt_config::{ServiceKey, ServiceView, Uid};

use super::answers::About;
use super::queue::Subject;
use super::{Engine, Moment, Write};
use crate::allocator::{Claim, Holder};
use crate::mirror::Effect;
use crate::projector::project;
use crate::reconcile::{Cause, Decision, Slot, Surroundings, Target, decide, tenancy};

/// A write, and what its answer is about.
pub(super) type Step = Option<(Write, About)>;

impl Engine {
    pub(super) fn work_on_service(&mut self, key: &ServiceKey, now: Moment) -> Step {
        if self.unclear.contains(&Subject::Service(key.clone())) {
            return Some((Write::ReadService(key.clone()), About::ReadService));
        }
        let view = self.index.services.get(key).cloned()?;
        let namespace_labels = self.index.namespace_labels(key.namespace());
        let around = Surroundings {
            settings: &self.settings,
            allocator: &self.allocator,
            namespace_labels: &namespace_labels,
            now: now.wall,
        };
        let decision = decide(&around, &view);
        self.counts.decisions += 1;
        self.note(&view, &decision, now);
        if !matches!(decision, Decision::Ignore) {
            self.remark(&view);
        }
        match &decision {
            Decision::Ignore => {
                self.takings.keep(&view.uid, []);
                self.let_unwatched_go(key, now);
                None
            }
            Decision::Keep(target) | Decision::Assign(target) => {
                self.pursue(&view, &decision, target, now)
            }
            Decision::Clear(Cause::Deleted | Cause::NotOurs | Cause::Displaced) => {
                self.take_back(&view, &decision, now)
            }
            Decision::Clear(Cause::Refused(_)) | Decision::Wait(_) => {
                self.takings.keep(&view.uid, []);
                self.publish(&view, &decision, &[], now)
            }
        }
    }

    /// A Service that has left the type is not watched where the watch selects the type: nobody
    /// would tell of its end. It is forgotten when nobody rests a decision on its having been read.
    fn let_unwatched_go(&mut self, key: &ServiceKey, now: Moment) {
        if !self.index.services.is_unwatched(key) {
            return;
        }
        let until = self
            .index
            .services
            .confirmed(key)
            .map(|read| read + self.takings.freshness());
        if let Some(until) = until.filter(|until| *until > now.mono) {
            self.queue.at(until, Subject::Service(key.clone()));
            return;
        }
        self.index.services.forget(key);
        let concerns = self.index.service_effect(key.clone(), Effect::Changed);
        self.concern(concerns);
    }

    /// Claims what is to be had, then publishes it.
    fn pursue(
        &mut self,
        view: &ServiceView,
        decision: &Decision,
        target: &Target,
        now: Moment,
    ) -> Step {
        let addresses: Vec<IpAddr> = target.slots.iter().map(|slot| slot.address).collect();
        self.takings.keep(&view.uid, addresses.iter().copied());
        for slot in &target.slots {
            let wanted = self.claim_for(view, slot);
            if self.is_held_up(view, slot.address) {
                return None;
            }
            if self.allocator.claim(slot.address) != Some(&wanted) {
                return Some(self.write_claim(wanted));
            }
        }
        self.publish(view, decision, &addresses, now)
    }

    /// Waits if the claim on an address is being written or has to be read.
    fn is_held_up(&mut self, view: &ServiceView, address: IpAddr) -> bool {
        let subject = Subject::Claim(address);
        let held_up = self.index.claims.is_pending(&address) || self.unclear.contains(&subject);
        if held_up {
            self.hold_up(Subject::Service(view.key.clone()), subject);
        }
        held_up
    }

    /// Waits until the claim on an address is read, unless it is known well enough.
    fn is_unsure(&mut self, view: &ServiceView, address: IpAddr, now: Moment) -> bool {
        let confirmed = self.index.claims.confirmed(&address);
        if confirmed.is_some() && confirmed >= self.fresh_since(now.mono) {
            return false;
        }
        self.doubt_claim(address);
        self.hold_up(Subject::Service(view.key.clone()), Subject::Claim(address));
        true
    }

    /// The claim as it should be for the Service to have the slot.
    fn claim_for(&self, view: &ServiceView, slot: &Slot) -> Claim {
        let known = self.allocator.claim(slot.address).cloned();
        let mut claim = known.unwrap_or_else(|| Claim::unheld(slot.address));
        let tenancy = tenancy(view);
        let holder = Holder {
            uid: view.uid.clone(),
            key: view.key.clone(),
            ports: tenancy
                .as_ref()
                .map(|t| t.ports.clone())
                .unwrap_or_default(),
        };
        match claim.holders.iter_mut().find(|h| h.uid == view.uid) {
            Some(entry) => *entry = holder,
            None => claim.holders.push(holder),
        }
        if claim.holders.len() == 1 {
            claim.sharing_key = tenancy.map(|t| t.key);
        }
        claim.pool = Some(slot.pool.clone());
        claim.released_at = None;
        claim
    }

    /// The write that makes a claim this.
    pub(super) fn write_claim(&self, claim: Claim) -> (Write, About) {
        let address = claim.address;
        let write = match self.index.claims.get(&address) {
            Some(object) => {
                let mut object = IPAllocation::clone(object);
                claim.write(&mut object);
                Write::UpdateClaim(Box::new(object))
            }
            None => {
                let name = allocation_name(address);
                let mut object = IPAllocation::new(&name, IPAllocationSpec::default());
                claim.write(&mut object);
                Write::CreateClaim(Box::new(object))
            }
        };
        (
            write,
            About::Claim {
                address,
                assumed: Some(claim),
            },
        )
    }

    /// Makes the Service say what was decided, once every claim that this rests on is certain.
    fn publish(
        &mut self,
        view: &ServiceView,
        decision: &Decision,
        addresses: &[IpAddr],
        now: Moment,
    ) -> Step {
        let Some(patch) = project(view, decision, now.wall) else {
            return self.let_go(view, addresses, now);
        };
        if patch.ingress != Part::Keep {
            if let Some(until) = self.contested_until(view, addresses, now) {
                return self.sit_out(view, decision, until, now);
            }
            let carried: BTreeSet<IpAddr> = view.addresses().collect();
            let fresh = addresses.iter().filter(|a| !carried.contains(a));
            let held = |a: &IpAddr| self.allocator.held_by(&view.uid).any(|held| held == *a);
            // What leaves the status although nobody is known to have claimed it for the Service
            // may be what another controller has just published.
            let unexplained = carried
                .iter()
                .filter(|a| !addresses.contains(a) && !held(a));
            let unsure: Vec<IpAddr> = fresh.chain(unexplained).copied().collect();
            for address in unsure {
                if self.is_held_up(view, address) || self.is_unsure(view, address, now) {
                    return None;
                }
            }
        }
        Some(self.patch(view, decision, patch))
    }

    pub(super) fn patch(
        &self,
        view: &ServiceView,
        decision: &Decision,
        patch: ServiceStatusPatch,
    ) -> (Write, About) {
        let events = self.news(view, decision, &patch);
        let published = match &patch.ingress {
            Part::Set(addresses) => Some(addresses.clone()),
            Part::Keep => None,
        };
        let about = About::Service { events, published };
        (Write::PatchService(Box::new(patch)), about)
    }

    /// Takes everything from a Service after the bound: status and finalizer in one patch, then the
    /// claims.
    fn take_back(&mut self, view: &ServiceView, decision: &Decision, now: Moment) -> Step {
        let due = self.takings.service(&view.uid, now.mono);
        let holds = self.allocator.held_by(&view.uid).next().is_some();
        if now.mono < due && (holds || !view.ingress.is_empty()) {
            self.queue.at(due, Subject::Service(view.key.clone()));
            return None;
        }
        match project(view, decision, now.wall) {
            Some(patch) => Some(self.patch(view, decision, patch)),
            None => self.let_go(view, &[], now),
        }
    }

    /// Releases what the Service holds for nothing, after the bound and a fresh look at it.
    fn let_go(&mut self, view: &ServiceView, keep: &[IpAddr], now: Moment) -> Step {
        let carried: BTreeSet<IpAddr> = view.addresses().collect();
        let held: Vec<IpAddr> = self.allocator.held_by(&view.uid).collect();
        for address in held {
            if keep.contains(&address) || carried.contains(&address) {
                continue;
            }
            if self.is_held_up(view, address) {
                continue;
            }
            let due = self.takings.address(&view.uid, address, now.mono);
            if now.mono < due {
                self.queue.at(due, Subject::Service(view.key.clone()));
                continue;
            }
            if !self.is_fresh(&view.key, due, now) {
                return Some((Write::ReadService(view.key.clone()), About::ReadService));
            }
            return self.release(address, &view.uid, now);
        }
        None
    }

    /// Whether the Service was read or written since `due`, and not long ago.
    pub(super) fn is_fresh(&self, key: &ServiceKey, due: Instant, now: Moment) -> bool {
        let Some(confirmed) = self.index.services.confirmed(key) else {
            return false;
        };
        confirmed >= due && Some(confirmed) >= self.fresh_since(now.mono)
    }

    /// The write by which a Service does not hold an address any longer.
    pub(super) fn release(&self, address: IpAddr, uid: &Uid, now: Moment) -> Step {
        let mut claim = self.allocator.claim(address)?.clone();
        claim.holders.retain(|holder| holder.uid != *uid);
        if claim.holders.is_empty() {
            claim.released_at = Some(now.wall);
            claim.sharing_key = None;
        }
        Some(self.write_claim(claim))
    }
}
