//! `ringbolt uninstall`: leaves a cluster clean, with or without a controller at work (contract 1.12).
//!
//! Owns which objects are ours: Services that a claim names, and pools that carry our finalizer. The
//! finalizer on Services is one that other providers use too, so it alone proves nothing.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use ringbolt_cluster::{
    FinalizerChange, Listing, Part, Role, ServiceStatusPatch, WriteError, Writer,
};
use ringbolt_config::api::IPAllocation;
use ringbolt_config::{Kind, Object, ObjectRef, ResourceVersion, ServiceKey, Uid};

use crate::args::UninstallArgs;
use crate::source::{self, Source};
use crate::validate::Verdict;
use crate::{out, runtime};

/// How often an object that somebody else changes meanwhile is read again.
const TRIES: u32 = 5;

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
        let cluster = source.open();
        let listing = source::read(&cluster).await?;
        let leaving = Leaving {
            writer: cluster.writer(),
            mode,
            addresses,
        };
        leaving.all(&listing).await
    })
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
    async fn all(&self, listing: &Listing) -> Result<Verdict> {
        let mut left = 0;
        let claims: Vec<_> = listing
            .objects
            .iter()
            .filter_map(|object| match object {
                Object::IPAllocation(claim) => Some(claim),
                _ => None,
            })
            .collect();
        let services: BTreeSet<(ServiceKey, String)> = claims
            .iter()
            .flat_map(|claim| &claim.spec.holders)
            .filter_map(|holder| {
                let key = ServiceKey::new(&holder.namespace, &holder.name).ok()?;
                Some((key, holder.uid.clone()))
            })
            .collect();
        let (mut done, all) = (0, services.len());
        for (key, uid) in services {
            done += 1;
            let outcome = self.service(&key, &uid).await;
            left += self.told(
                &format!("[{done}/{all}] {}", ObjectRef::from(&key)),
                outcome,
            );
        }
        for object in &listing.objects {
            if let Object::IPAddressPool(_) = object {
                let name = object.object_ref();
                let outcome = self.pool(object).await;
                left += self.told(&name.to_string(), outcome);
            }
        }
        if self.addresses == Addresses::Release {
            for claim in claims {
                let name = claim.metadata.name.as_deref().unwrap_or_default();
                let outcome = self.claim(claim).await;
                left += self.told(&format!("{} {name}", Kind::IPAllocation), outcome);
            }
        }
        if left > 0 {
            out::complain(&format!("{left} objects are left; run the command again"));
            return Ok(Verdict::Bad);
        }
        out::text(match self.mode {
            Mode::Say => "nothing was changed",
            Mode::Act => "nothing waits for Ringbolt any more: its manifests can be deleted",
        });
        Ok(Verdict::Good)
    }

    /// Says what came of one object; 1 if it is left as it was.
    fn told(&self, object: &str, outcome: Result<Option<&'static str>, WriteError>) -> u32 {
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
    ) -> Result<Option<&'static str>, WriteError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let view = match self.writer.get_service(key).await {
                Ok(view) => view,
                Err(WriteError::NotFound { .. }) => return Ok(None),
                Err(error) => return Err(error),
            };
            let keep = self.addresses == Addresses::Keep && !view.deleting;
            let nothing = !view.has_finalizer && (keep || view.ingress.is_empty());
            if view.uid.as_str() != uid || nothing {
                return Ok(None);
            }
            let what = if keep {
                "freed of the finalizer"
            } else {
                "released"
            };
            if self.mode == Mode::Say {
                return Ok(Some(what));
            }
            let patch = ServiceStatusPatch {
                key: key.clone(),
                uid: view.uid.clone(),
                resource_version: view.resource_version.clone(),
                ingress: if keep {
                    Part::Keep
                } else {
                    Part::Set(Vec::new())
                },
                finalizer: FinalizerChange::Remove,
                allocated_from: if keep { Part::Keep } else { Part::Set(None) },
                conditions: Vec::new(),
            };
            match self.writer.patch_service_status(patch).await {
                Ok(_) => return Ok(Some(what)),
                Err(WriteError::NotFound { .. }) => return Ok(None),
                Err(WriteError::Conflict { .. }) if tries < TRIES => {}
                Err(error) => return Err(error),
            }
        }
    }

    async fn pool(&self, object: &Object) -> Result<Option<&'static str>, WriteError> {
        let Object::IPAddressPool(pool) = object else {
            return Ok(None);
        };
        let ours = ringbolt_config::api::pool::FINALIZER;
        let finalizers = pool.metadata.finalizers.as_deref().unwrap_or_default();
        let version = pool.metadata.resource_version.as_deref();
        let version: Option<ResourceVersion> = version.and_then(|version| version.parse().ok());
        let (true, Some(version)) = (finalizers.iter().any(|name| name == ours), version) else {
            return Ok(None);
        };
        if self.mode == Mode::Act {
            let change = FinalizerChange::Remove;
            let name = object.object_ref();
            self.writer.patch_finalizer(&name, &version, change).await?;
        }
        Ok(Some("freed of the finalizer"))
    }

    async fn claim(&self, claim: &IPAllocation) -> Result<Option<&'static str>, WriteError> {
        let metadata = &claim.metadata;
        let parts = (&metadata.name, &metadata.uid, &metadata.resource_version);
        let (Some(name), Some(uid), Some(version)) = parts else {
            return Ok(None);
        };
        let (Ok(uid), Ok(version)) = (uid.parse::<Uid>(), version.parse::<ResourceVersion>())
        else {
            return Ok(None);
        };
        // A reservation is a person's.
        if claim.spec.reserved_for.is_some() {
            return Ok(None);
        }
        if self.mode == Mode::Act {
            match self.writer.delete_allocation(name, &uid, &version).await {
                Ok(()) | Err(WriteError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Some("deleted"))
    }
}
