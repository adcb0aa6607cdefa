//! The rows: everything that differs from one attribute to the next.
//!
//! Adding an attribute is one row, a field in `PathAttributes` and `Collected`, and two functions.

use bytes::BytesMut;

use super::super::fault::{FaultCause, Reaction};
use super::super::{AsnWidth, DecodeCtx, EncodeCtx};
use super::{Collected, FLAG_OPTIONAL, FLAG_TRANSITIVE, PathAttributes, value};
use crate::types::Peering;

/// One attribute this speaker knows.
pub(super) struct Row {
    pub(super) code: u8,
    pub(super) class: Class,
    pub(super) scope: Scope,
    /// What a malformed value leads to.
    malformed: Reaction,
    pub(super) decode: Decode,
    pub(super) encode: Encode,
}

/// Reads a value into what has been collected.
type Decode = for<'a> fn(&mut Collected<'a>, u8, &'a [u8], &DecodeCtx) -> Result<(), FaultCause>;
/// Appends the value and returns `true` when the attribute is there.
type Encode = fn(&PathAttributes, &EncodeCtx, &mut BytesMut) -> bool;

/// Which of the two flags an attribute carries (RFC 4271 §4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    WellKnown,
    OptionalTransitive,
    OptionalNonTransitive,
}

impl Class {
    pub(super) const fn flags(self) -> u8 {
        match self {
            Self::WellKnown => FLAG_TRANSITIVE,
            Self::OptionalTransitive => FLAG_OPTIONAL | FLAG_TRANSITIVE,
            Self::OptionalNonTransitive => FLAG_OPTIONAL,
        }
    }
}

/// From whom an attribute is taken; from others it is discarded unread (RFC 7606 §7.5, §7.9,
/// §7.10; RFC 6793 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Anyone,
    InternalPeers,
    TwoOctetSpeakers,
}

impl Scope {
    pub(super) fn admits(self, ctx: &DecodeCtx) -> bool {
        match self {
            Self::Anyone => true,
            Self::InternalPeers => ctx.peering == Peering::Internal,
            Self::TwoOctetSpeakers => ctx.asn_width == AsnWidth::TwoOctets,
        }
    }
}

impl Row {
    /// RFC 7606 §3 c. The companions of two-octet speakers never cost a route (RFC 6793 §6).
    pub(super) const fn on_wrong_flags(&self) -> Reaction {
        match self.scope {
            Scope::TwoOctetSpeakers => Reaction::Discard,
            Scope::Anyone | Scope::InternalPeers => Reaction::Withdraw,
        }
    }

    /// What a fault found in the value leads to.
    pub(super) const fn reaction(&self, cause: FaultCause) -> Reaction {
        match cause {
            FaultCause::Multiprotocol
            | FaultCause::MultiprotocolNlri
            | FaultCause::MultiprotocolRepeated
            | FaultCause::ListOverrunWithoutNlri => Reaction::Reset,
            FaultCause::FamilyNotNegotiated
            | FaultCause::NotFromThisPeer
            | FaultCause::Repeated => Reaction::Discard,
            FaultCause::Flags
            | FaultCause::Length
            | FaultCause::Value
            | FaultCause::AsPath
            | FaultCause::AsZero
            | FaultCause::ConfederationFromOutside
            | FaultCause::NextHop
            | FaultCause::NextHopNotNegotiated
            | FaultCause::Missing
            | FaultCause::ListOverrun
            | FaultCause::UnknownWellKnown => self.malformed,
        }
    }
}

/// The row of an attribute, when it has one.
pub(super) fn row(code: u8) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.code == code)
}

/// Lays rows out as a table: code, flags, from whom, what a malformed value leads to, how the
/// value is read and written.
macro_rules! rows {
    ($($code:literal $class:ident $scope:ident $malformed:ident $decode:ident $encode:ident;)*) => {
        /// Every known attribute, ascending.
        pub(super) static ROWS: &[Row] = &[$(Row {
            code: $code,
            class: Class::$class,
            scope: Scope::$scope,
            malformed: Reaction::$malformed,
            decode: value::$decode,
            encode: value::$encode,
        },)*];
    };
}

rows! {
    1  WellKnown             Anyone           Withdraw decode_origin         encode_origin;
    2  WellKnown             Anyone           Withdraw decode_as_path        encode_as_path;
    // Judged with the prefixes it belongs to, and written by whoever knows them.
    3  WellKnown             Anyone           Withdraw decode_next_hop       absent;
    4  OptionalNonTransitive Anyone           Withdraw decode_med            encode_med;
    5  WellKnown             InternalPeers    Withdraw decode_local_pref     encode_local_pref;
    6  WellKnown             Anyone           Discard  decode_atomic         encode_atomic;
    7  OptionalTransitive    Anyone           Discard  decode_aggregator     encode_aggregator;
    8  OptionalTransitive    Anyone           Withdraw decode_communities    encode_communities;
    9  OptionalNonTransitive InternalPeers    Withdraw decode_originator     encode_originator;
    10 OptionalNonTransitive InternalPeers    Withdraw decode_clusters       encode_clusters;
    // Written around the prefixes by the message builder.
    14 OptionalNonTransitive Anyone           Withdraw decode_mp_reach       absent;
    15 OptionalNonTransitive Anyone           Withdraw decode_mp_unreach     absent;
    16 OptionalTransitive    Anyone           Withdraw decode_extended       encode_extended;
    17 OptionalTransitive    TwoOctetSpeakers Discard  decode_as4_path       encode_as4_path;
    18 OptionalTransitive    TwoOctetSpeakers Discard  decode_as4_aggregator encode_as4_aggregator;
    // Checked, then carried like an unknown one.
    25 OptionalTransitive    Anyone           Withdraw decode_ipv6_extended  absent;
    32 OptionalTransitive    Anyone           Withdraw decode_large          encode_large;
}
