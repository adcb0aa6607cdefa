//! ROUTE-REFRESH in both directions. Wrong lengths are row 7 of the malformed-input table.

use proptest::prelude::*;

use super::super::tests::{CTX, both_ways, cut_at_every_length, decode_one, encoded};
use super::super::{EncodeCtx, Message};
use super::*;
use crate::types::Family;

#[test]
fn every_kind_reads_both_ways() {
    let family = Family::Ipv6Unicast.afi_safi();
    let cases = [
        ("00", RefreshKind::Request),
        ("01", RefreshKind::BeginOfRib),
        ("02", RefreshKind::EndOfRib),
        ("09", RefreshKind::Unknown(9)),
    ];
    for (subtype, kind) in cases {
        both_ways(
            &format!("ffffffffffffffffffffffffffffffff 0017 05 0002 {subtype} 01"),
            &Message::RouteRefresh(RouteRefresh { family, kind }),
        );
    }
}

proptest! {
    #[test]
    fn requests_survive_the_wire(afi in any::<u16>(), subtype in any::<u8>(), safi in any::<u8>()) {
        let family = AfiSafi { afi, safi };
        let message =
            Message::RouteRefresh(RouteRefresh { family, kind: RefreshKind::from_code(subtype) });
        let bytes = encoded(&message, &EncodeCtx::USUAL);
        prop_assert_eq!(decode_one(&bytes, &CTX), Ok(message));
        cut_at_every_length(&bytes);
    }
}
