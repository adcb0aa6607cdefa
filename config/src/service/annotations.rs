//! The annotations of a Service: one wish, all its spellings, and what happens when two of them
//! disagree (refused with both names, never guessed).

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::parse_ip;
use super::problem::{Field, ServiceProblem};
use crate::names::{PoolName, SharingKey};

/// Spellings of the pool that is asked for; ours first.
pub const POOL: &[&str] = &[
    "ringbolt.io/address-pool",
    "metallb.io/address-pool",
    "metallb.universe.tf/address-pool",
    "purelb.io/service-group",
];
/// Spellings of the addresses that are asked for; ours first.
pub const ADDRESSES: &[&str] = &[
    "ringbolt.io/loadBalancerIPs",
    "metallb.io/loadBalancerIPs",
    "metallb.universe.tf/loadBalancerIPs",
    "lbipam.cilium.io/ips",
    "kube-vip.io/loadbalancerIPs",
    "purelb.io/addresses",
];
/// Spellings of the sharing key; ours first.
pub const SHARING: &[&str] = &[
    "ringbolt.io/allow-shared-ip",
    "metallb.io/allow-shared-ip",
    "metallb.universe.tf/allow-shared-ip",
    "lbipam.cilium.io/sharing-key",
    "purelb.io/allow-shared-ip",
];
/// Written by us: the pool an address came from.
pub const ALLOCATED_FROM: &str = "ringbolt.io/ip-allocated-from-pool";
/// Communities of the Service's routes, comma list.
pub const COMMUNITIES: &str = "ringbolt.io/communities";
/// MULTI_EXIT_DISC of the Service's routes.
pub const MED: &str = "ringbolt.io/med";
/// LOCAL_PREF of the Service's routes.
pub const LOCAL_PREF: &str = "ringbolt.io/local-pref";
/// Prepending on the Service's routes.
pub const AS_PATH_PREPEND: &str = "ringbolt.io/as-path-prepend";
/// Link bandwidth of the Service's routes.
pub const LINK_BANDWIDTH: &str = "ringbolt.io/link-bandwidth";

/// Domains whose annotations on a Service are wishes for its address or its routes.
const DOMAINS: &[&str] = &[
    "ringbolt.io/",
    "metallb.io/",
    "metallb.universe.tf/",
    "lbipam.cilium.io/",
    "kube-vip.io/",
    "purelb.io/",
];

/// Marks that other controllers of these domains write themselves: no wishes, and left behind on every
/// Service when they are replaced.
const MARKS_OF_OTHERS: &[&str] = &[
    "metallb.io/ip-allocated-from-pool",
    "metallb.universe.tf/ip-allocated-from-pool",
    "kube-vip.io/vipHost",
    "purelb.io/allocated-by",
    "purelb.io/allocated-from",
    "purelb.io/announcing-IPv4",
    "purelb.io/announcing-IPv6",
];

const ATTRIBUTES: &[&str] = &[
    COMMUNITIES,
    MED,
    LOCAL_PREF,
    AS_PATH_PREPEND,
    LINK_BANDWIDTH,
];
/// Most that a path may be prepended, as in BGPAdvertisement.
const MAX_PREPEND: u8 = 32;
/// Most communities, as in BGPAdvertisement.
const MAX_COMMUNITIES: usize = 64;

/// Attributes that a Service asks for its routes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceAttributes {
    /// LOCAL_PREF.
    pub local_pref: Option<u32>,
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// Prepending.
    pub as_path_prepend: Option<u8>,
    /// Communities as written; [`crate::model::CommunityTable::resolve`] knows the aliases.
    pub communities: Vec<Box<str>>,
}

/// Where a Service says what it asks for: the first of the spellings it uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spelling {
    /// The addresses.
    pub addresses: Option<Field>,
    /// The pool.
    pub pool: Option<Field>,
    /// The sharing key.
    pub sharing_key: Option<Field>,
}

/// A wish that was read, and where it stands.
type Found<T> = Option<(Field, T)>;

/// All that is asked by annotation or `spec.loadBalancerIP`.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) addresses: Vec<IpAddr>,
    pub(super) pool: Option<PoolName>,
    pub(super) sharing_key: Option<SharingKey>,
    pub(super) attributes: ServiceAttributes,
    pub(super) spelling: Spelling,
}

/// Whether a field is about attributes of routes.
pub(super) fn is_attribute(field: Field) -> bool {
    matches!(field, Field::Annotation(name) if ATTRIBUTES.contains(&name))
}

/// Annotations that seem to wish something and that nothing here reads: a word spelt wrong, or a
/// feature of somebody else's. They are reported, never guessed.
pub(super) fn unread(annotations: &Annotations) -> Vec<Box<str>> {
    let read = |name: &str| {
        let marks = [MARKS_OF_OTHERS, &[ALLOCATED_FROM]];
        let mut known = [POOL, ADDRESSES, SHARING, ATTRIBUTES]
            .into_iter()
            .chain(marks);
        known.any(|names| names.contains(&name))
    };
    let names = annotations.keys().map(String::as_str);
    let ours = names.filter(|name| DOMAINS.iter().any(|domain| name.starts_with(domain)));
    ours.filter(|name| !read(name)).map(Into::into).collect()
}

type Annotations = BTreeMap<String, String>;

pub(super) fn read(
    annotations: &Annotations,
    load_balancer_ip: Option<&str>,
    problems: &mut Vec<ServiceProblem>,
) -> Asked {
    let addresses = addresses(annotations, load_balancer_ip, problems);
    let pool = one_of(annotations, POOL, problems, |field, text| {
        let problem = || ServiceProblem::InvalidPoolName {
            field,
            text: text.into(),
        };
        text.parse().map_err(|_| problem())
    });
    let sharing_key = one_of(annotations, SHARING, problems, |field, text| {
        text.parse()
            .map_err(|_| ServiceProblem::InvalidSharingKey { field })
    });
    Asked {
        spelling: Spelling {
            addresses: place(&addresses),
            pool: place(&pool),
            sharing_key: place(&sharing_key),
        },
        addresses: addresses.map(|(_, list)| list).unwrap_or_default(),
        pool: pool.map(|(_, name)| name),
        sharing_key: sharing_key.map(|(_, key)| key),
        attributes: attributes(annotations, problems),
    }
}

fn place<T>(found: &Found<T>) -> Option<Field> {
    found.as_ref().map(|(field, _)| *field)
}

/// The value of a wish that has several spellings. All spellings that are present must mean the
/// same; an empty value is as good as none.
fn one_of<T: PartialEq>(
    annotations: &Annotations,
    spellings: &[&'static str],
    problems: &mut Vec<ServiceProblem>,
    parse: impl Fn(Field, &str) -> Result<T, ServiceProblem>,
) -> Found<T> {
    let mut found: Found<T> = None;
    for name in spellings {
        let Some(text) = annotations
            .get(*name)
            .map(|t| t.trim())
            .filter(|t| !t.is_empty())
        else {
            continue;
        };
        let field = Field::Annotation(name);
        match (parse(field, text), &found) {
            (Ok(value), None) => found = Some((field, value)),
            (Ok(value), Some((first, earlier))) if value != *earlier => {
                problems.push(ServiceProblem::Disagreement {
                    first: *first,
                    second: field,
                });
            }
            (Ok(_), Some(_)) => {}
            (Err(problem), _) => problems.push(problem),
        }
    }
    found
}

fn addresses(
    annotations: &Annotations,
    load_balancer_ip: Option<&str>,
    problems: &mut Vec<ServiceProblem>,
) -> Found<Vec<IpAddr>> {
    let annotated = one_of(annotations, ADDRESSES, problems, address_list);
    let field = Field::Spec("loadBalancerIP");
    let single = load_balancer_ip
        .map(str::trim)
        .filter(|text| !text.is_empty());
    let single = match single.map(|text| address_list(field, text)) {
        Some(Ok(list)) => list,
        Some(Err(problem)) => {
            problems.push(problem);
            return annotated;
        }
        None => return annotated,
    };
    let Some((first, listed)) = annotated.filter(|(_, listed)| !listed.is_empty()) else {
        return Some((field, single));
    };
    if !single.iter().all(|address| listed.contains(address)) {
        let second = field;
        problems.push(ServiceProblem::Disagreement { first, second });
    }
    Some((first, listed))
}

/// IPv4 before IPv6, at most one of each, so that two spellings compare by meaning.
fn address_list(field: Field, text: &str) -> Result<Vec<IpAddr>, ServiceProblem> {
    let mut list = Vec::new();
    for text in text
        .split(',')
        .map(str::trim)
        .filter(|text| !text.is_empty())
    {
        let invalid = || ServiceProblem::InvalidAddress {
            field,
            text: text.into(),
        };
        let address = parse_ip(text)
            .filter(|ip| !ip.is_unspecified())
            .ok_or_else(invalid)?;
        if list.contains(&address) {
            continue;
        }
        if list
            .iter()
            .any(|other: &IpAddr| other.is_ipv4() == address.is_ipv4())
        {
            return Err(ServiceProblem::TwoOfOneFamily { field });
        }
        list.push(address);
    }
    list.sort();
    Ok(list)
}

fn attributes(annotations: &Annotations, problems: &mut Vec<ServiceProblem>) -> ServiceAttributes {
    if annotations.contains_key(LINK_BANDWIDTH) {
        let field = Field::Annotation(LINK_BANDWIDTH);
        problems.push(ServiceProblem::NotImplemented { field });
    }
    ServiceAttributes {
        local_pref: number(annotations, LOCAL_PREF, u32::MAX, problems),
        med: number(annotations, MED, u32::MAX, problems),
        as_path_prepend: number(
            annotations,
            AS_PATH_PREPEND,
            u32::from(MAX_PREPEND),
            problems,
        )
        .and_then(|times| u8::try_from(times).ok()),
        communities: communities(annotations, problems),
    }
}

fn number(
    annotations: &Annotations,
    name: &'static str,
    max: u32,
    problems: &mut Vec<ServiceProblem>,
) -> Option<u32> {
    let text = annotations.get(name)?.trim();
    let value = text.parse().ok().filter(|value| *value <= max);
    if value.is_none() {
        let field = Field::Annotation(name);
        problems.push(ServiceProblem::InvalidAttribute {
            field,
            text: text.into(),
        });
    }
    value
}

fn communities(annotations: &Annotations, problems: &mut Vec<ServiceProblem>) -> Vec<Box<str>> {
    let text = annotations.get(COMMUNITIES).map_or("", String::as_str);
    let list = text
        .split(',')
        .map(str::trim)
        .filter(|text| !text.is_empty());
    let list: Vec<Box<str>> = list.map(Into::into).collect();
    if list.len() > MAX_COMMUNITIES {
        let field = Field::Annotation(COMMUNITIES);
        problems.push(ServiceProblem::InvalidAttribute {
            field,
            text: text.into(),
        });
        return Vec::new();
    }
    list
}

#[cfg(test)]
mod tests;
