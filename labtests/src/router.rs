//! What a lab asks of a router, whoever made it: its sessions, its routes and their next hops, as it tells them
//! itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Result, bail, ensure};
use ipnet::IpNet;

/// What a router's own table holds: next hops by prefix.
pub(crate) type Routes = BTreeMap<IpNet, BTreeSet<IpAddr>>;

/// What a router tells of what it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Table {
    /// Every route learned by BGP, with all next hops in use.
    Routes(Routes),
    /// Only how many IPv4 and IPv6 prefixes each neighbour has announced.
    Counts(BTreeMap<IpAddr, [u64; 2]>),
}

impl Table {
    /// How much there is in it.
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Routes(routes) => routes.values().map(|_| 1).sum(),
            Self::Counts(counts) => counts.values().flatten().sum(),
        }
    }
}

/// Which daemon plays the router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RouterKind {
    Bird,
    Frr,
    /// Another Ringbolt speaker: speaks BGP, forwards nothing.
    Ringbolt,
}

impl RouterKind {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        match text {
            "bird" => Ok(Self::Bird),
            "frr" => Ok(Self::Frr),
            "ringbolt" => Ok(Self::Ringbolt),
            other => bail!("--router takes bird, frr or ringbolt, not `{other}`"),
        }
    }
}

impl fmt::Display for RouterKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bird => "bird",
            Self::Frr => "frr",
            Self::Ringbolt => "ringbolt",
        })
    }
}

/// Someone the router expects.
#[derive(Debug, Clone)]
pub(crate) struct Neighbour {
    pub(crate) name: String,
    pub(crate) address: IpAddr,
    pub(crate) asn: u32,
    /// TCP-MD5.
    pub(crate) password: Option<String>,
}

/// How the router is set up.
#[derive(Debug, Clone)]
pub(crate) struct RouterSetup {
    pub(crate) asn: u32,
    pub(crate) id: Ipv4Addr,
    /// Where its sessions start from.
    pub(crate) address: IpAddr,
    pub(crate) neighbours: Vec<Neighbour>,
}

/// A running router.
pub(crate) trait Router {
    /// Name and version, as the program prints them.
    fn version(&self) -> Result<String>;

    /// The state of each session as the router calls it, by the neighbour's address.
    fn sessions(&self) -> Result<BTreeMap<IpAddr, String>>;

    /// What it was told.
    fn table(&self) -> Result<Table>;

    /// What the router prints about one prefix, for a person.
    fn shown(&self, prefix: IpNet) -> Result<String>;

    /// The BGP attributes of one prefix as text; the words are the router's.
    fn attributes(&self, prefix: IpNet) -> Result<String>;

    /// Everything, for a folder of diagnostics.
    fn state(&self) -> String;

    /// Ends it, without a farewell.
    fn stop(&mut self) -> Result<()>;

    /// An error once its process has ended.
    fn check_alive(&mut self) -> Result<()>;
}

/// Succeeds when the router has a session, and it is Established, with each of these.
pub(crate) fn established(router: &dyn Router, with: &[IpAddr]) -> Result<()> {
    let sessions = router.sessions()?;
    for address in with {
        match sessions.get(address).map(String::as_str) {
            Some("Established") => {}
            Some(state) => bail!("the session with {address} is {state}"),
            None => bail!("no session with {address}"),
        }
    }
    Ok(())
}

/// Succeeds when the next hops of a prefix are exactly these; none means the prefix is absent.
pub(crate) fn has_next_hops(
    routes: &Routes,
    prefix: IpNet,
    wanted: &BTreeSet<IpAddr>,
) -> Result<()> {
    let found = routes.get(&prefix).cloned().unwrap_or_default();
    ensure!(
        found == *wanted,
        "{prefix} goes to {}, not to {}",
        listed(&found),
        listed(wanted)
    );
    Ok(())
}

/// Addresses with blanks between, or "nobody".
pub(crate) fn listed(addresses: &BTreeSet<IpAddr>) -> String {
    if addresses.is_empty() {
        return "nobody".to_owned();
    }
    addresses
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(" ")
}
