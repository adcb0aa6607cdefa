//! On what terms bytes are read: the outcome of an OPEN exchange, as flags or a recording tell it.

use ringbolt_bgp::types::{FamilySet, Peering};
use ringbolt_bgp::wire::{AsnWidth, DecodeCtx, EncodeCtx, MessageLimit, RefreshForm};

use super::flags::{DecodeArgs, PeerKind};

/// Whether messages are encoded again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reencode {
    Check,
    Skip,
}

/// What to read by, and what to do besides.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub(super) ctx: DecodeCtx,
    pub(super) reencode: Reencode,
}

impl Terms {
    /// What the flags say; what they do not say is taken for negotiated, for nothing else shows a
    /// message whole.
    pub(super) fn new(args: &DecodeArgs) -> Self {
        let peering = match args.peer {
            Some(PeerKind::Ibgp) => Peering::Internal,
            Some(PeerKind::Ebgp) | None => Peering::External,
        };
        let asn_width = if args.as2 {
            AsnWidth::TwoOctets
        } else {
            AsnWidth::FourOctets
        };
        let limit = if args.extended_message {
            MessageLimit::Extended
        } else {
            MessageLimit::Standard
        };
        let reencode = if args.reencode {
            Reencode::Check
        } else {
            Reencode::Skip
        };
        Self {
            ctx: DecodeCtx {
                asn_width,
                families: FamilySet::ALL,
                extended_next_hop: FamilySet::ALL,
                peering,
                refresh: RefreshForm::Enhanced,
                limit,
            },
            reencode,
        }
    }

    /// The same terms the other way round.
    pub(super) const fn encoding(&self) -> EncodeCtx {
        EncodeCtx {
            asn_width: self.ctx.asn_width,
            limit: self.ctx.limit,
        }
    }
}
