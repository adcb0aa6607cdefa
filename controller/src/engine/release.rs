//! Claims that nobody works for: the holder is gone, or the address has rested.

use std::net::IpAddr;

use ringbolt_config::ServiceKey;
use ringbolt_config::names::allocation_name;

use super::answers::About;
use super::queue::Subject;
use super::service::Step;
use super::{Engine, Moment, Write};
use crate::allocator::Standing;
use crate::mirror::Versioned;

impl Engine {
    pub(super) fn work_on_claim(&mut self, address: IpAddr, now: Moment) -> Step {
        if self.index.claims.is_pending(&address) {
            return None;
        }
        if self.unclear.contains(&Subject::Claim(address)) {
            return Some((Write::ReadClaim(address), About::ReadClaim(address)));
        }
        let claim = self.allocator.claim(address)?.clone();
        for holder in &claim.holders {
            // A Service that is there lets go by itself.
            if self.index.incarnation(&holder.key, &holder.uid).is_some() {
                continue;
            }
            // That it is not known may be for a watch that is late: the bound begins when it is
            // known to be gone.
            let seen = self.takings.has_begun(&holder.uid, address);
            if !seen && self.index.services.confirmed(&holder.key).is_none() {
                self.read_first(address, &holder.key);
                continue;
            }
            let due = self.takings.address(&holder.uid, address, now.mono);
            if now.mono < due {
                self.queue.at(due, Subject::Claim(address));
                continue;
            }
            if !self.is_fresh(&holder.key, due, now) {
                self.read_first(address, &holder.key);
                continue;
            }
            return self.release(address, &holder.uid, now);
        }
        let Standing::Resting(_) = claim.standing() else {
            return None;
        };
        let until = self.allocator.rests_until(&claim)?;
        if until > now.wall {
            self.queue
                .at(Self::instant_of(until, now), Subject::Claim(address));
            return None;
        }
        let object = self.index.claims.get(&address)?;
        let write = Write::DeleteClaim {
            name: allocation_name(address),
            uid: object
                .metadata
                .uid
                .as_deref()
                .and_then(|uid| uid.parse().ok())?,
            resource_version: object.version(),
        };
        Some((
            write,
            About::Claim {
                address,
                assumed: None,
            },
        ))
    }

    /// A claim waits until the Service of that name is read.
    fn read_first(&mut self, address: IpAddr, key: &ServiceKey) {
        let service = Subject::Service(key.clone());
        self.unclear.insert(service.clone());
        self.hold_up(Subject::Claim(address), service.clone());
        self.enqueue(service);
    }
}
