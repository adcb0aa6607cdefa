//! The interoperation matrix: Ringbolt's speaker with BGP daemons of others, one session for every feature, all at
//! once. What a daemon cannot do is written down beside its name, and the table a run prints says so.
//!
//! `cell` is what is looked at and what each daemon cannot do; `line` the sessions; `site` the namespaces between
//! which they run; `matrix` looks. The other files each drive one daemon behind [`Daemon`]. Refuses to know how
//! scenarios are chosen.

mod bird;
mod cell;
mod exabgp;
mod frr;
mod gobgp;
mod line;
mod matrix;
mod openbgpd;
mod site;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;

use anyhow::Result;
use ipnet::IpNet;

use crate::netns::Netns;
use crate::process::Kept;
use line::Line;

pub(crate) use matrix::run;

/// Which daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Bird,
    Frr,
    GoBgp,
    OpenBgpd,
    ExaBgp,
}

impl Kind {
    /// The daemon as its makers write it.
    const fn name(self) -> &'static str {
        match self {
            Self::Bird => "BIRD",
            Self::Frr => "FRR",
            Self::GoBgp => "GoBGP",
            Self::OpenBgpd => "OpenBGPD",
            Self::ExaBgp => "ExaBGP",
        }
    }

    #[cfg(test)]
    const ALL: &[Self] = &[
        Self::Bird,
        Self::Frr,
        Self::GoBgp,
        Self::OpenBgpd,
        Self::ExaBgp,
    ];
}

/// Where a daemon is to run, and with whom it is to talk.
#[derive(Debug, Clone, Copy)]
struct Setup<'a> {
    space: &'a Netns,
    lines: &'a [Line],
    folder: &'a Path,
    kept: &'a Kept,
}

/// What a daemon holds of one prefix, in the same words whoever it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Seen {
    next_hop: Option<IpAddr>,
    as_path: Vec<u32>,
    med: Option<u32>,
    local_pref: Option<u32>,
    /// `65010:7`.
    standard: BTreeSet<String>,
    /// `65010:1:2`.
    large: BTreeSet<String>,
}

/// A running daemon with one session for every line of its setup.
trait Daemon {
    /// Name and version, as the program prints them.
    fn version(&self) -> Result<String>;

    /// Succeeds when the daemon calls the session established.
    fn established(&self, line: &Line) -> Result<()>;

    /// What it holds of a prefix, from this session.
    fn route(&self, line: &Line, prefix: IpNet) -> Result<Seen>;

    /// Makes it ask for every route again (RFC 2918).
    fn ask_again(&mut self, line: &Line) -> Result<()>;

    /// Makes it end the session with a reason in words (RFC 9003).
    fn shut(&mut self, line: &Line, reason: &str) -> Result<()>;

    /// What it has written down about how this session has ended.
    fn farewell(&self, line: &Line) -> Result<String>;

    /// Everything, for a folder of diagnostics.
    fn state(&self) -> String;

    /// An error once its process has ended.
    fn check_alive(&mut self) -> Result<()>;
}

/// Starts a daemon.
fn start(kind: Kind, setup: Setup<'_>) -> Result<Box<dyn Daemon>> {
    Ok(match kind {
        Kind::Bird => Box::new(bird::Lines::start(setup)?),
        Kind::Frr => Box::new(frr::Lines::start(setup)?),
        Kind::GoBgp => Box::new(gobgp::GoBgp::start(setup)?),
        Kind::OpenBgpd => Box::new(openbgpd::OpenBgpd::start(setup)?),
        Kind::ExaBgp => Box::new(exabgp::ExaBgp::start(setup)?),
    })
}

/// Refuses where a daemon is not installed, before a lab is built for it.
fn require(kind: Kind) -> Result<()> {
    match kind {
        Kind::Bird => crate::bird::Bird::require(),
        Kind::Frr => crate::frr::Frr::require(),
        Kind::GoBgp => gobgp::require(),
        Kind::OpenBgpd => openbgpd::require(),
        Kind::ExaBgp => exabgp::require(),
    }
}
