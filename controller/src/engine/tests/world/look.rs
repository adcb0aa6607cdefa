//! What tests look at, and the promises that hold at every moment.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ringbolt_config::api::IPAllocation;
use ringbolt_config::names::allocation_address;
use ringbolt_config::{Kind, Object, ObjectRef, ServiceView};
use serde_json::Value;

use super::{Use, World, decoded, object_ref, service_ref};

impl World {
    pub(in crate::engine::tests) fn view(&self, name: &str) -> Option<Arc<ServiceView>> {
        let value = self.objects.get(&service_ref(name))?;
        match decoded(Kind::Service, value) {
            Object::Service(view) => Some(view),
            other => panic!("{other:?} is no Service"),
        }
    }

    pub(in crate::engine::tests) fn exists(&self, name: &str) -> bool {
        self.objects.contains_key(&service_ref(name))
    }

    /// The addresses in a Service's status, as text.
    pub(in crate::engine::tests) fn addresses(&self, name: &str) -> Vec<String> {
        let view = self.view(name);
        view.map(|v| v.addresses().map(|a| a.to_string()).collect())
            .unwrap_or_default()
    }

    /// Status and reason of our condition on a Service.
    pub(in crate::engine::tests) fn condition(&self, name: &str) -> (String, String) {
        let view = self.view(name).expect("it exists");
        let condition = view.condition(crate::ALLOCATED);
        condition
            .map(|c| (c.status.clone(), c.reason.clone()))
            .unwrap_or_default()
    }

    pub(in crate::engine::tests) fn reason(&self, name: &str) -> String {
        self.condition(name).1
    }

    pub(in crate::engine::tests) fn claims(&self) -> BTreeMap<IpAddr, IPAllocation> {
        let claims = self
            .objects
            .iter()
            .filter(|(o, _)| o.kind == Kind::IPAllocation);
        let claim = |(target, value): (&ObjectRef, &Value)| {
            let address = allocation_address(&target.name).expect("claims are named so");
            (
                address,
                serde_json::from_value(value.clone()).expect("it was written so"),
            )
        };
        claims.map(claim).collect()
    }

    /// Names of the holders of an address.
    pub(in crate::engine::tests) fn holders(&self, address: &str) -> Vec<String> {
        let claims = self.claims();
        let claim = claims.get(&address.parse().expect("an address"));
        claim
            .into_iter()
            .flat_map(|c| &c.spec.holders)
            .map(|h| h.name.clone())
            .collect()
    }

    pub(in crate::engine::tests) fn pool_status(&self, name: &str) -> Value {
        self.objects[&object_ref(Kind::IPAddressPool, None, name)]["status"].clone()
    }

    pub(in crate::engine::tests) fn l2_status(&self, name: &str) -> Value {
        self.objects[&object_ref(Kind::L2Advertisement, None, name)]["status"].clone()
    }

    /// Everything that must not depend on when a controller died.
    pub(in crate::engine::tests) fn outcome(&self) -> BTreeMap<String, String> {
        let mut outcome = BTreeMap::new();
        for (target, value) in &self.objects {
            let said = match target.kind {
                Kind::Service => format!(
                    "{} {}",
                    value["status"]["loadBalancer"]["ingress"], value["metadata"]["finalizers"]
                ),
                Kind::IPAllocation => {
                    let released = !value["spec"]["releasedAt"].is_null();
                    format!("{} released: {released}", value["spec"]["holders"])
                }
                _ => continue,
            };
            outcome.insert(target.to_string(), said);
        }
        outcome
    }

    fn services(&self) -> impl Iterator<Item = Arc<ServiceView>> + '_ {
        let services = self.objects.iter().filter(|(o, _)| o.kind == Kind::Service);
        services.map(|(target, value)| match decoded(target.kind, value) {
            Object::Service(view) => view,
            other => panic!("{other:?} is no Service"),
        })
    }

    /// The promises that hold at every moment.
    pub(in crate::engine::tests) fn check(&mut self) {
        let mut users: BTreeMap<IpAddr, Vec<Arc<ServiceView>>> = BTreeMap::new();
        for view in self.services().collect::<Vec<_>>() {
            for address in view.addresses() {
                users.entry(address).or_default().push(Arc::clone(&view));
            }
        }
        let mut pairs = BTreeSet::new();
        for (address, users) in &users {
            for (place, one) in users.iter().enumerate() {
                for other in &users[place + 1..] {
                    let pair = (*address, one.uid.to_string(), other.uid.to_string());
                    // People may change what two sharers have in common; nobody may make new ones
                    // but by a claim.
                    assert!(
                        self.claimed_by_both(*address, one, other) || self.pairs.contains(&pair),
                        "{address} is given to {} and {}",
                        one.key,
                        other.key
                    );
                    pairs.insert(pair);
                }
            }
        }
        self.pairs = pairs;
        let shared = self
            .claims()
            .into_iter()
            .filter(|(_, claim)| claim.spec.holders.len() > 1);
        self.shared.extend(shared.map(|(address, _)| address));
        let in_force = |view: &&Arc<ServiceView>| !view.deleting && view.is_load_balancer();
        let uses = users.iter().flat_map(|(address, users)| {
            users
                .iter()
                .filter(in_force)
                .map(|user| (*address, user.uid.to_string()))
        });
        let uses: BTreeSet<Use> = uses.collect();
        for ended in self.uses.difference(&uses) {
            self.ended.insert(ended.clone(), self.now.mono);
        }
        for (address, uid) in uses.difference(&self.uses) {
            let others = self
                .ended
                .iter()
                .filter(|((a, u), _)| a == address && u != uid);
            let since = others.map(|(_, time)| self.now.mono.saturating_duration_since(*time));
            let rested = since.min().unwrap_or(Duration::MAX);
            assert!(
                self.shared.contains(address) || rested >= self.settings.taking_bound,
                "{address} passes to {uid} {rested:?} after its last use"
            );
        }
        self.uses = uses;
    }

    /// Whether the claim on an address lets both have it: they share, and do not want one port.
    fn claimed_by_both(&self, address: IpAddr, one: &ServiceView, other: &ServiceView) -> bool {
        let claims = self.claims();
        let claim = &claims[&address].spec;
        let holder = |view: &ServiceView| {
            claim
                .holders
                .iter()
                .find(|holder| holder.uid == view.uid.as_str())
        };
        let (Some(one), Some(other)) = (holder(one), holder(other)) else {
            return false;
        };
        claim.sharing_key.is_some() && one.ports.iter().all(|port| !other.ports.contains(port))
    }
}
