//! `ringbolt uninstall`: leaves a cluster clean, with or without a controller at work (contract 1.12).
//!
//! Owns which objects are ours: Services that a claim names, and pools that carry our finalizer. The
//! finalizer on Services is one that other providers use too, so it alone proves nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Result, bail};
use jiff::Timestamp;
use ringbolt_cluster::{
    Cluster, FinalizerChange, Listing, Part, Role, ServiceStatusPatch, Trouble, WriteError, Writer,
};
use ringbolt_config::api::condition::{ConditionStatus, set_condition};
use ringbolt_config::api::{IPAddressPool, IPAllocation};
use ringbolt_config::service::StatusWriter;
use ringbolt_config::{Kind, Object, ObjectRef, ResourceVersion, ServiceKey, ServiceView, Uid};
use ringbolt_controller::ALLOCATED;

use crate::args::UninstallArgs;
use crate::source::{self, Source};
use crate::validate::Verdict;
use crate::{out, runtime};

/// How often an object that somebody else changes meanwhile is read again.
const TRIES: u32 = 5;
/// How long a controller that was told to stop may take: its pod's grace period.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn run(args: UninstallArgs) -> Result<Verdict> {
    let source = Source::new(args.source, Role::Controller)?;
    if let Source::Directory(options) = &source {
        bail!(
            "nothing is installed in a directory: delete {} when no daemon runs",
            options.state_folder().display()
        );
    }
    let mode = if args.dry_run { Mode::Say } else { Mode::Act };
    let addresses = if args.release {
        Addresses::Release
    } else {
        Addresses::Keep
    };
    runtime::build()?.block_on(async {
        let cluster = source.clone().open();
        let listing = source::read(&cluster).await?;
        if is_incomplete(&listing) && !args.force {
            bail!("not everything of Ringbolt can be seen; --force frees what can");
        }
        if mode == Mode::Act && !args.force {
            nobody_works(&cluster).await?;
        }
        let leaving = Leaving {
            writer: cluster.writer(),
            mode,
            addresses,
        };
        let left = leaving.all(&listing).await;
        if left > 0 {
            out::complain(&format!(
                "{left} objects are left as they were; run the command again"
            ));
            return Ok(Verdict::Bad);
        }
        if mode == Mode::Say {
            out::text("nothing was changed");
            return Ok(Verdict::Good);
        }
        // With a new connection: what is shown is what is so after all writes.
        Ok(look_back(&source::read(&source.open()).await?))
    })
}

/// Says what kinds could not be read, and whether something of ours may be among them. Kinds that are
/// gone with their definitions have no objects.
fn is_incomplete(listing: &Listing) -> bool {
    for line in source::unread(listing) {
        out::complain(&line);
    }
    let mut troubles = listing.unread.values();
    !troubles.all(|trouble| matches!(trouble, Trouble::NotServed { .. }))
}

/// A controller that sees a pool go takes its addresses away, so that none may be at work before the
/// first finalizer goes.
async fn nobody_works(cluster: &Cluster) -> Result<()> {
    let seconds = PATIENCE.as_secs();
    let seen = |who: &str| {
        out::text(&format!(
            "controller {who} is at work; waiting up to {seconds} s for its end"
        ));
    };
    match cluster.wait_for_no_leader(PATIENCE, seen).await? {
        None => Ok(()),
        Some(who) => bail!(
            "controller {who} is at work: delete its Deployment, then run the command again (nothing was changed; \
             --force works beside it)"
        ),
    }
}

/// Whether somebody has put back what was taken, and what else there is of ours.
fn look_back(listing: &Listing) -> Verdict {
    let back = waiting_for_us(listing);
    if !back.is_empty() {
        for object in &back {
            out::complain(&format!("{object}: has the finalizer again"));
        }
        out::complain("a controller is at work: delete its Deployment, then run the command again");
        return Verdict::Bad;
    }
    let mut counts: BTreeMap<Kind, usize> = BTreeMap::new();
    for object in &listing.objects {
        if object.kind().is_ours() {
            *counts.entry(object.kind()).or_default() += 1;
        }
    }
    for (kind, count) in counts {
        out::text(&format!("left: {count} {kind}"));
    }
    out::text("nothing waits for Ringbolt any more: its manifests and CRDs can be deleted");
    Verdict::Good
}

/// Objects that cannot end without us.
fn waiting_for_us(listing: &Listing) -> Vec<ObjectRef> {
    let services = holders(listing);
    let mut waiting = Vec::new();
    for object in &listing.objects {
        let waits = match object {
            Object::Service(view) => {
                let held = services.contains_key(&(view.key.clone(), view.uid.to_string()));
                view.has_finalizer && (held || is_marked(view))
            }
            Object::IPAddressPool(pool) => carries_ours(pool),
            _ => false,
        };
        if waits {
            waiting.push(object.object_ref());
        }
    }
    waiting
}

/// A Service, as claims name it: its name and its uid.
type Named = (ServiceKey, String);

/// The Services that claims name, with what is claimed for each.
fn holders(listing: &Listing) -> BTreeMap<Named, BTreeSet<IpAddr>> {
    let mut holders: BTreeMap<Named, BTreeSet<IpAddr>> = BTreeMap::new();
    for object in &listing.objects {
        let Object::IPAllocation(claim) = object else {
            continue;
        };
        for holder in &claim.spec.holders {
            if let Ok(key) = ServiceKey::new(&holder.namespace, &holder.name) {
                let held = holders.entry((key, holder.uid.clone())).or_default();
                held.extend(claim.spec.address.parse::<IpAddr>());
            }
        }
    }
    holders
}

/// A Service of which we wrote the status, though no claim names it. The annotation alone is copied
/// too easily.
fn is_marked(view: &ServiceView) -> bool {
    view.allocated_from.is_some() && view.status_writer == StatusWriter::Ours
}

fn carries_ours(pool: &IPAddressPool) -> bool {
    let mut finalizers = pool.metadata.finalizers.iter().flatten();
    finalizers.any(|name| name == ringbolt_config::api::pool::FINALIZER)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Say,
    Act,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Addresses {
    Keep,
    Release,
}

struct Leaving {
    writer: Writer,
    mode: Mode,
    addresses: Addresses,
}

impl Leaving {
    /// Everything of ours in the listing; how many objects are left as they were.
    async fn all(&self, listing: &Listing) -> usize {
        let mut left = 0;
        let mut services = holders(listing);
        services.extend(listing.objects.iter().filter_map(|object| match object {
            Object::Service(view) if is_marked(view) => {
                let named = (view.key.clone(), view.uid.to_string());
                Some((named, view.addresses().collect()))
            }
            _ => None,
        }));
        let all = services.len();
        for (place, ((key, uid), held)) in services.into_iter().enumerate() {
            let outcome = self.service(&key, &uid, &held).await;
            let object = format!("[{}/{all}] {}", place + 1, ObjectRef::from(&key));
            left += self.told(&object, outcome);
        }
        for object in &listing.objects {
            let outcome = match object {
                Object::IPAddressPool(pool) => self.pool(&object.object_ref(), pool).await,
                Object::IPAllocation(claim) if self.addresses == Addresses::Release => {
                    self.claim(claim).await
                }
                _ => continue,
            };
            left += self.told(&object.object_ref().to_string(), outcome);
        }
        left
    }

    /// Says what came of one object; 1 if it is left as it was.
    fn told(&self, object: &str, outcome: Result<Option<&'static str>, WriteError>) -> usize {
        match outcome {
            Ok(Some(what)) => {
                let would = match self.mode {
                    Mode::Say => "would be ",
                    Mode::Act => "",
                };
                out::text(&format!("{object}: {would}{what}"));
                0
            }
            Ok(None) => 0,
            Err(error) => {
                out::complain(&format!("{object}: {error}"));
                1
            }
        }
    }

    async fn service(
        &self,
        key: &ServiceKey,
        uid: &str,
        held: &BTreeSet<IpAddr>,
    ) -> Result<Option<&'static str>, WriteError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let view = match self.writer.get_service(key).await {
                Ok(view) => view,
                Err(WriteError::NotFound { .. }) => return Ok(None),
                Err(error) => return Err(error),
            };
            // Of a Service that ends, nobody wants to keep the address.
            let addresses = if view.deleting {
                Addresses::Release
            } else {
                self.addresses
            };
            let carries = view.addresses().any(|address| held.contains(&address));
            let marked = carries || view.allocated_from.is_some();
            let release = addresses == Addresses::Release && marked;
            let done = !view.has_finalizer && !release;
            if view.uid.as_str() != uid || done {
                return Ok(None);
            }
            let (what, patch) = parting(&view, addresses, held);
            if self.mode == Mode::Say {
                return Ok(Some(what));
            }
            match self.writer.patch_service_status(patch).await {
                Ok(_) => return Ok(Some(what)),
                Err(WriteError::NotFound { .. }) => return Ok(None),
                Err(WriteError::Conflict { .. }) if tries < TRIES => {}
                Err(error) => return Err(error),
            }
        }
    }

    async fn pool(
        &self,
        name: &ObjectRef,
        pool: &IPAddressPool,
    ) -> Result<Option<&'static str>, WriteError> {
        let version = pool.metadata.resource_version.as_deref();
        let version: Option<ResourceVersion> = version.and_then(|version| version.parse().ok());
        let Some(version) = version.filter(|_| carries_ours(pool)) else {
            return Ok(None);
        };
        if self.mode == Mode::Act {
            let change = FinalizerChange::Remove;
            match self.writer.patch_finalizer(name, &version, change).await {
                Ok(_) | Err(WriteError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Some("freed of the finalizer"))
    }

    async fn claim(&self, claim: &IPAllocation) -> Result<Option<&'static str>, WriteError> {
        // A reservation is a person's.
        if claim.spec.reserved_for.is_some() {
            return Ok(None);
        }
        if self.mode == Mode::Say {
            return Ok(Some("deleted"));
        }
        let mut claim = claim.clone();
        let mut tries = 0;
        loop {
            tries += 1;
            let Some((name, uid, version)) = identity(&claim) else {
                return Ok(None);
            };
            match self.writer.delete_allocation(&name, &uid, &version).await {
                Ok(()) => return Ok(Some("deleted")),
                Err(WriteError::NotFound { .. }) => return Ok(None),
                Err(WriteError::Conflict { .. }) if tries < TRIES => {}
                Err(error) => return Err(error),
            }
            claim = match self.writer.get_allocation(&name).await {
                Ok(claim) => claim,
                Err(WriteError::NotFound { .. }) => return Ok(None),
                Err(error) => return Err(error),
            };
        }
    }
}

/// What a deletion is fenced by: name, uid and version.
fn identity(claim: &IPAllocation) -> Option<(String, Uid, ResourceVersion)> {
    let metadata = &claim.metadata;
    Some((
        metadata.name.clone()?,
        metadata.uid.as_deref()?.parse().ok()?,
        metadata.resource_version.as_deref()?.parse().ok()?,
    ))
}

/// The patch that ends what a Service has of us, and what that is called.
fn parting(
    view: &ServiceView,
    addresses: Addresses,
    held: &BTreeSet<IpAddr>,
) -> (&'static str, ServiceStatusPatch) {
    let mut patch = ServiceStatusPatch {
        key: view.key.clone(),
        uid: view.uid.clone(),
        resource_version: view.resource_version.clone(),
        ingress: Part::Keep,
        finalizer: FinalizerChange::Remove,
        allocated_from: Part::Keep,
        conditions: Vec::new(),
    };
    if addresses == Addresses::Keep {
        return ("freed of the finalizer", patch);
    }
    patch.allocated_from = Part::Set(None);
    // What somebody else wrote there is not ours to take.
    let foreign = matches!(view.status_writer, StatusWriter::Foreign { .. });
    if !foreign || view.addresses().any(|address| held.contains(&address)) {
        patch.ingress = Part::Set(Vec::new());
    }
    let mut conditions: Vec<_> = view.condition(ALLOCATED).into_iter().cloned().collect();
    let (status, now) = (ConditionStatus::False, Timestamp::now());
    let changed = set_condition(
        &mut conditions,
        ALLOCATED,
        status,
        "Uninstalled",
        "Ringbolt was uninstalled",
        None,
        now,
    );
    if changed {
        patch.conditions = conditions;
    }
    ("released", patch)
}

#[cfg(test)]
mod tests;
