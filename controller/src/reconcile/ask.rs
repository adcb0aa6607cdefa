//! What a Service asks for, in the allocator's terms.

use std::sync::Arc;

use ringbolt_config::ServiceView;
use ringbolt_config::model::selector::Labels;
use ringbolt_config::service::{FamilyPolicy, TrafficPolicy};

use crate::Family;
use crate::allocator::{Allocator, Backend, Port, Request, Tenancy};
use crate::refusal::Refusal;

/// How a Service shares, if it does.
pub(crate) fn tenancy(view: &ServiceView) -> Option<Tenancy> {
    let port = |p: &ringbolt_config::service::ServicePort| Port {
        protocol: p.protocol,
        number: p.port,
    };
    let backend = match view.traffic_policy {
        TrafficPolicy::Cluster => Backend::Everywhere,
        TrafficPolicy::Local => Backend::Local(Arc::new(view.selector.clone())),
    };
    Some(Tenancy {
        key: view.sharing_key.clone()?,
        ports: view.ports.iter().map(port).collect(),
        backend,
    })
}

/// The request of a Service. One that cannot be read comes back without its wishes, so that what
/// the Service has can still be judged.
#[expect(
    clippy::result_large_err,
    reason = "both sides are the answer; it lives for one decision"
)]
pub(crate) fn request(
    view: &ServiceView,
    namespace_labels: &Labels,
) -> Result<Request, (Request, Refusal)> {
    let mut request = Request {
        key: view.key.clone(),
        uid: view.uid.clone(),
        labels: Arc::new(view.labels.clone()),
        namespace_labels: Arc::new(namespace_labels.clone()),
        pool: None,
        addresses: Vec::new(),
        tenancy: tenancy(view),
    };
    match view.request() {
        Ok(asked) => {
            request.pool = asked.pool.cloned();
            request.addresses = asked.addresses.to_vec();
            Ok(request)
        }
        Err(problem) => {
            let refusal = Refusal::RequestInvalid {
                problem: problem.clone(),
            };
            Err((request, refusal))
        }
    }
}

/// The families the Service should have addresses of, in order. Without an API server nobody has
/// filled them in: then the Service's own addresses and requests say which, else IPv4 if a pool
/// that may be used has it, else IPv6 (contracts 2.3).
pub(super) fn families(
    allocator: &Allocator,
    view: &ServiceView,
    request: &Request,
) -> Vec<Family> {
    let named: Vec<Family> = view.families.iter().map(|f| Family::from(*f)).collect();
    let single = view.family_policy == FamilyPolicy::SingleStack;
    match (named.first(), single) {
        (Some(first), true) => return vec![*first],
        (Some(_), false) => return named,
        (None, false) => return Family::ALL.to_vec(),
        (None, true) => {}
    }
    let carried = view
        .addresses()
        .find(|a| allocator.adopt(request, *a).is_ok());
    let held = || allocator.held_by(&request.uid).next();
    let family = match request.addresses[..] {
        [only] => Family::of(only),
        _ => match carried.or_else(held) {
            Some(address) => Family::of(address),
            None if allocator.offers(request, Family::Ipv4) => Family::Ipv4,
            None if allocator.offers(request, Family::Ipv6) => Family::Ipv6,
            None => Family::Ipv4,
        },
    };
    vec![family]
}

/// A requested address of a family that the Service does not have is no request to be followed in
/// part.
pub(super) fn stray_address(request: &Request, families: &[Family]) -> Option<Refusal> {
    let stray = request
        .addresses
        .iter()
        .find(|a| !families.contains(&Family::of(**a)))?;
    Some(Refusal::RequestedFamilyMissing { address: *stray })
}
