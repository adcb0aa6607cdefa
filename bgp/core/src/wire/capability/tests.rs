//! Single capabilities in both directions.

use proptest::prelude::*;

use super::super::tests::{hex, values};
use super::*;

fn read(bytes: &[u8]) -> Option<Capability> {
    let mut reader = Reader::new(bytes);
    let capability = Capability::decode(&mut reader)?;
    assert!(reader.is_empty());
    Some(capability)
}

fn written(capability: &Capability) -> Vec<u8> {
    let mut buf = BytesMut::new();
    capability.encode(&mut buf);
    buf.to_vec()
}

#[test]
fn every_known_capability_reads_both_ways() {
    let ipv6 = Family::Ipv6Unicast.afi_safi();
    let graceful = GracefulRestart {
        restarting: true,
        notifications: true,
        restart_time_s: 120,
        families: vec![GracefulFamily {
            family: ipv6,
            forwarding: true,
        }],
    };
    let cases = [
        ("01 04 0002 00 01", Capability::Multiprotocol(ipv6)),
        ("02 00", Capability::RouteRefresh),
        (
            "05 06 0001 0001 0002",
            Capability::ExtendedNextHop(vec![ExtendedNextHop::IPV4_OVER_IPV6]),
        ),
        ("06 00", Capability::ExtendedMessage),
        (
            "40 06 c078 0002 01 80",
            Capability::GracefulRestart(graceful),
        ),
        ("41 04 0000fde9", Capability::FourOctetAs(Asn(65_001))),
        ("46 00", Capability::EnhancedRouteRefresh),
        (
            "49 03 026869",
            Capability::Unknown {
                code: 0x49,
                bytes: vec![2, b'h', b'i'],
            },
        ),
    ];
    for (bytes, value) in cases {
        assert_eq!(read(&hex(bytes)).as_ref(), Some(&value));
        assert_eq!(written(&value), hex(bytes), "{value:?}");
    }
}

#[test]
fn known_capabilities_of_wrong_length_mean_nothing() {
    for bytes in [
        "01 03 000200",
        "02 01 00",
        "05 05 0001000100",
        "40 01 c0",
        "41 02 fde9",
    ] {
        let bytes = hex(bytes);
        let value = Capability::Unknown {
            code: bytes[0],
            bytes: bytes[2..].to_vec(),
        };
        assert_eq!(read(&bytes), Some(value));
    }
}

#[test]
fn a_restart_time_beyond_its_field_is_the_longest_there_is() {
    let graceful = GracefulRestart {
        restarting: false,
        notifications: false,
        restart_time_s: u16::MAX,
        families: Vec::new(),
    };
    assert_eq!(
        written(&Capability::GracefulRestart(graceful)),
        hex("40 02 0fff")
    );
}

#[test]
fn a_value_that_cannot_be_counted_is_not_sent() {
    let long = Capability::Unknown {
        code: 9,
        bytes: vec![0; 256],
    };
    assert!(written(&long).is_empty());
}

proptest! {
    #[test]
    fn capabilities_survive_the_wire(capability in values::capability()) {
        prop_assert_eq!(read(&written(&capability)), Some(capability));
    }

    #[test]
    fn a_capability_cut_anywhere_is_not_read(capability in values::capability()) {
        let bytes = written(&capability);
        for length in 0..bytes.len() {
            prop_assert_eq!(Capability::decode(&mut Reader::new(&bytes[..length])), None);
        }
    }
}
