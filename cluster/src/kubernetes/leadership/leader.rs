//! Whether a controller is at work, for commands that must not work beside one.
//!
//! Goes by what the lease does and not by the times in it: the clock of this machine may be far from the
//! holder's. Knows nothing of controllers that take no turns (`--leader-election off`).

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use tokio::time::{Instant, sleep};

use super::super::call::{Call, CallError};
use super::{Api, TTL, holder, lease_path};
use crate::calls::{CallOutcome, Verb};
use crate::source::Leader;

/// How often the lease is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// A holder that has not renewed for as long as its right lasts works no longer.
const DEAD: Duration = TTL;
/// Between a leader that gives the lease back and the next one it names nobody; for this long it does not.
const HAND_OVER: Duration = Duration::from_secs(4);

/// Waits until no controller renews the lease; after `patience`, who still does. Tells `seen` once whom it
/// waits for.
pub(in crate::kubernetes) async fn wait_for_none(
    api: &Api,
    patience: Duration,
    seen: impl FnOnce(&str),
) -> Result<Option<String>, CallError> {
    let started = Instant::now();
    let mut seen = Some(seen);
    let mut last: Option<(Option<String>, Instant)> = None;
    loop {
        let (leader, version) = look(api).await?;
        let since = match &last {
            Some((before, since)) if *before == version => *since,
            _ => Instant::now(),
        };
        let over = match &leader {
            Leader::Unknown => return Ok(None),
            Leader::Nobody => HAND_OVER,
            Leader::Named { .. } => DEAD,
        };
        if since.elapsed() >= over {
            return Ok(None);
        }
        if let Leader::Named { name, .. } = leader {
            if started.elapsed() >= patience {
                return Ok(Some(name));
            }
            if let Some(seen) = seen.take() {
                seen(&name);
            }
        }
        last = Some((version, since));
        sleep(LOOK).await;
    }
}

/// Whom the lease names, nobody after an orderly end; and the lease's version.
pub(in crate::kubernetes) async fn look(api: &Api) -> Result<(Leader, Option<String>), CallError> {
    let get = Call::new(Verb::Get, "leases", lease_path(&api.namespace()));
    let bytes = match api.bytes(&get).await {
        Ok(bytes) => bytes,
        Err(error) if error.outcome() == CallOutcome::NotFound => {
            return Ok((Leader::Unknown, None));
        }
        Err(error) => return Err(error),
    };
    let lease: Lease = serde_json::from_slice(&bytes)
        .map_err(|error| CallError::NotUnderstood(error.to_string()))?;
    let name = holder(&lease).filter(|name| !name.is_empty()).cloned();
    let renewed = lease.spec.and_then(|spec| spec.renew_time);
    let leader = name.map_or(Leader::Nobody, |name| Leader::Named {
        name,
        renewed: renewed.map(|time| time.0),
    });
    Ok((leader, lease.metadata.resource_version))
}
