//! On what terms bytes are read: the outcome of an OPEN exchange, as flags or a recording tell it.

use ringbolt_bgp::types::{AfiSafi, Asn, Family, FamilySet, Peering};
use ringbolt_bgp::wire::{
    AsnWidth, Capability, DecodeCtx, EncodeCtx, MessageLimit, Open, RefreshForm,
};

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
    /// `--peer` was given: no OPEN says otherwise.
    peer: Option<PeerKind>,
}

impl Terms {
    /// What the flags say; what they do not say is taken for negotiated, for nothing else shows a
    /// message whole.
    pub(super) fn new(args: &DecodeArgs) -> Self {
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
                peering: args.peer.map_or(Peering::External, PeerKind::peering),
                refresh: RefreshForm::Enhanced,
                limit,
            },
            reencode,
            peer: args.peer,
        }
    }

    /// The terms of a session of which these OPENs were seen. A side that was not seen is taken to
    /// have offered everything.
    pub(super) fn between(&self, sender: Option<Offer>, receiver: Option<Offer>) -> Self {
        let mut terms = *self;
        let ctx = &mut terms.ctx;
        for offer in [sender, receiver].into_iter().flatten() {
            ctx.families = ctx.families.intersection(offer.families);
            if !offer.four_octet_as {
                ctx.asn_width = AsnWidth::TwoOctets;
            }
            if !offer.ipv4_over_ipv6 {
                ctx.extended_next_hop = FamilySet::EMPTY;
            }
            if !offer.enhanced_refresh {
                ctx.refresh = RefreshForm::Plain;
            }
        }
        let (Some(sender), Some(receiver)) = (sender, receiver) else {
            return terms;
        };
        if sender.extended_message && receiver.extended_message {
            ctx.limit = MessageLimit::Extended;
        }
        terms.of_ases(sender.asn, receiver.asn)
    }

    /// The terms between these ASes, unless the flags say what the sender is.
    pub(super) fn of_ases(self, sender: Asn, receiver: Asn) -> Self {
        self.unless_told(if sender == receiver {
            Peering::Internal
        } else {
            Peering::External
        })
    }

    /// The terms of this kind of session, unless the flags say what the sender is.
    pub(super) const fn unless_told(mut self, peering: Peering) -> Self {
        if self.peer.is_none() {
            self.ctx.peering = peering;
        }
        self
    }

    /// With AS numbers of this width, whatever the flags say.
    pub(super) const fn with_width(mut self, width: AsnWidth) -> Self {
        self.ctx.asn_width = width;
        self
    }

    /// With messages as long as there are.
    pub(super) const fn with_longest_messages(mut self) -> Self {
        self.ctx.limit = MessageLimit::Extended;
        self
    }

    /// The same terms the other way round.
    pub(super) const fn encoding(&self) -> EncodeCtx {
        EncodeCtx {
            asn_width: self.ctx.asn_width,
            limit: self.ctx.limit,
        }
    }
}

impl PeerKind {
    const fn peering(self) -> Peering {
        match self {
            Self::Ebgp => Peering::External,
            Self::Ibgp => Peering::Internal,
        }
    }
}

/// What an OPEN offers, as far as it decides how bytes are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offer {
    asn: Asn,
    families: FamilySet,
    four_octet_as: bool,
    ipv4_over_ipv6: bool,
    enhanced_refresh: bool,
    extended_message: bool,
    /// Families whose prefixes it would send with path identifiers.
    sends_paths: FamilySet,
    /// Families whose prefixes it takes with path identifiers.
    takes_paths: FamilySet,
}

/// The capability of RFC 7911.
const ADD_PATH: u8 = 69;

impl Offer {
    pub(super) fn of(open: &Open) -> Self {
        let mut offer = Self {
            asn: open.asn,
            families: open.families(),
            four_octet_as: open.four_octet_as(),
            ipv4_over_ipv6: open.ipv4_over_ipv6(),
            enhanced_refresh: open.enhanced_route_refresh(),
            extended_message: open.extended_message(),
            sends_paths: FamilySet::EMPTY,
            takes_paths: FamilySet::EMPTY,
        };
        for capability in &open.capabilities {
            let Capability::Unknown {
                code: ADD_PATH,
                bytes,
            } = capability
            else {
                continue;
            };
            for [high, low, safi, mode] in bytes.as_chunks().0.iter().copied() {
                let afi = u16::from_be_bytes([high, low]);
                let Some(family) = Family::from_afi_safi(AfiSafi { afi, safi }) else {
                    continue;
                };
                if matches!(mode, 1 | 3) {
                    offer.takes_paths.insert(family);
                }
                if matches!(mode, 2 | 3) {
                    offer.sends_paths.insert(family);
                }
            }
        }
        offer
    }

    /// Whether prefixes come with path identifiers.
    pub(super) fn path_identifiers(sender: Option<Self>, receiver: Option<Self>) -> bool {
        sender.zip(receiver).is_some_and(|(sender, receiver)| {
            let both = sender.sends_paths.intersection(receiver.takes_paths);
            !both.is_empty()
        })
    }
}
