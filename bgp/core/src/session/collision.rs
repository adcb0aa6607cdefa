//! Two connections to one peer: which one stays (RFC 4271 §6.8).
//!
//! One function over what both sides know, so that both decide alike: the connection dialled by
//! the dominant speaker wins, and an Established session is never given up for a newcomer.

use crate::types::{Asn, RouterId};

use super::connection::Origin;

#[cfg(test)]
mod tests;

/// A speaker as the rule sees it: the higher identifier dominates, equal identifiers are told apart
/// by AS number (RFC 6286 §2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Contender {
    pub(crate) router_id: RouterId,
    pub(crate) asn: Asn,
}

/// How far the other connection has come when an OPEN arrives on this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rival {
    /// The peer has not told us there who it is: decided when it does.
    OpenSent,
    /// The peer's OPEN has arrived there as well.
    OpenConfirm,
    /// It carries routes.
    Established,
}

/// Which connection is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Both, for the time being.
    Undecided,
    /// The one on which the OPEN arrived.
    KeepThis,
    /// The one that was there before.
    KeepRival,
}

/// Decides when an OPEN arrives on a connection of origin `this` while another one, of the opposite
/// origin, is as far as `rival`.
pub(crate) fn decide(this: Origin, rival: Rival, us: Contender, peer: Contender) -> Verdict {
    match rival {
        Rival::OpenSent => Verdict::Undecided,
        Rival::Established => Verdict::KeepRival,
        Rival::OpenConfirm => {
            let winner = if us > peer {
                Origin::Dialled
            } else {
                Origin::Accepted
            };
            if this == winner {
                Verdict::KeepThis
            } else {
                Verdict::KeepRival
            }
        }
    }
}
