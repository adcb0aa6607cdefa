//! The cells of the matrix, and what keeps one from being looked at: a daemon's own limit, or ours.

use super::Kind;

/// One thing that two speakers may be able to do together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cell {
    Ipv4,
    Ipv6,
    DualFamily,
    /// The daemon's IPv6 route over its IPv4 session.
    DualFamilyBack,
    Internal,
    Md5,
    Multihop,
    Gtsm,
    TwoOctetAs,
    /// The daemon asks us for every route again.
    RefreshForThem,
    /// We ask the daemon.
    RefreshForUs,
    Standard,
    Large,
    Extended,
    /// The daemon shows the words of our NOTIFICATION.
    ReasonSent,
    /// We show the words of the daemon's.
    ReasonReceived,
    GracefulRestart,
    Unnumbered,
}

/// Why a cell is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bar {
    /// The daemon cannot, or has no way to be told to.
    Theirs(&'static str),
    /// Ringbolt does not serve it yet.
    Ours,
}

impl Cell {
    pub(super) const ALL: &[Self] = &[
        Self::Ipv4,
        Self::Ipv6,
        Self::DualFamily,
        Self::DualFamilyBack,
        Self::Internal,
        Self::Md5,
        Self::Multihop,
        Self::Gtsm,
        Self::TwoOctetAs,
        Self::RefreshForThem,
        Self::RefreshForUs,
        Self::Standard,
        Self::Large,
        Self::Extended,
        Self::ReasonSent,
        Self::ReasonReceived,
        Self::GracefulRestart,
        Self::Unnumbered,
    ];

    /// For people.
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Ipv4 => "eBGP, IPv4",
            Self::Ipv6 => "eBGP, IPv6",
            Self::DualFamily => "both families on one IPv4 session",
            Self::DualFamilyBack => "its IPv6 route on that session",
            Self::Internal => "iBGP",
            Self::Md5 => "TCP-MD5",
            Self::Multihop => "multihop",
            Self::Gtsm => "GTSM",
            Self::TwoOctetAs => "peer with 2-octet AS numbers",
            Self::RefreshForThem => "route refresh, it asks",
            Self::RefreshForUs => "route refresh, we ask",
            Self::Standard => "communities",
            Self::Large => "large communities",
            Self::Extended => "extended communities",
            Self::ReasonSent => "our NOTIFICATION's text, shown by it",
            Self::ReasonReceived => "its NOTIFICATION's text, shown by us",
            Self::GracefulRestart => "graceful restart, it helps",
            Self::Unnumbered => "unnumbered",
        }
    }

    /// Why the cell is not looked at with this daemon.
    pub(super) fn bar(self, kind: Kind) -> Option<Bar> {
        if OURS.contains(&self) {
            return Some(Bar::Ours);
        }
        let limit = LIMITS
            .iter()
            .find(|(who, cell, _)| *who == kind && *cell == self);
        limit.map(|(_, _, words)| Bar::Theirs(words))
    }
}

/// What Ringbolt does not serve yet.
const OURS: &[Cell] = &[Cell::RefreshForUs, Cell::Extended, Cell::Unnumbered];

/// What the daemons cannot do, in the versions of Debian 12.
const LIMITS: &[(Kind, Cell, &str)] = &[
    (
        Kind::Frr,
        Cell::TwoOctetAs,
        "with `dont-capability-negotiate` it sends 4-octet paths all the same",
    ),
    (
        Kind::GoBgp,
        Cell::TwoOctetAs,
        "it always offers 4-octet AS numbers",
    ),
    (
        Kind::GoBgp,
        Cell::RefreshForThem,
        "it never asks: `softresetin` applies its policy to what it kept",
    ),
    (
        Kind::OpenBgpd,
        Cell::DualFamilyBack,
        "its next hop there is `::1`",
    ),
    (Kind::ExaBgp, Cell::GracefulRestart, "it keeps no table"),
    (
        Kind::ExaBgp,
        Cell::ReasonSent,
        "its decoder fails at any text and answers 1/0",
    ),
    (
        Kind::ExaBgp,
        Cell::ReasonReceived,
        "`teardown` takes a subcode and no text",
    ),
];

#[cfg(test)]
mod tests;
