//! Every error has its NOTIFICATION, and reactions are ordered by strength.

use super::*;

const CAUSES: [(FaultCause, u8); 18] = [
    (FaultCause::Flags, 4),
    (FaultCause::Length, 5),
    (FaultCause::Value, 6),
    (FaultCause::AsPath, 11),
    (FaultCause::AsZero, 11),
    (FaultCause::ConfederationFromOutside, 11),
    (FaultCause::NextHop, 8),
    (FaultCause::NextHopNotNegotiated, 8),
    (FaultCause::Repeated, 1),
    (FaultCause::MultiprotocolRepeated, 1),
    (FaultCause::Multiprotocol, 9),
    (FaultCause::MultiprotocolNlri, 10),
    (FaultCause::Missing, 3),
    (FaultCause::ListOverrun, 1),
    (FaultCause::ListOverrunWithoutNlri, 1),
    (FaultCause::UnknownWellKnown, 2),
    (FaultCause::NotFromThisPeer, 1),
    (FaultCause::FamilyNotNegotiated, 1),
];

#[test]
fn reactions_are_ordered_by_strength() {
    use Reaction::{Accept, Discard, Reset, Withdraw};
    assert!(Accept < Discard && Discard < Withdraw && Withdraw < Reset);
}

#[test]
fn causes_map_to_update_subcodes_and_distinct_names() {
    for (cause, subcode) in CAUSES {
        let fault = AttrFault {
            code: 1,
            cause,
            reaction: Reaction::Reset,
        };
        let notification = DecodeError::Attribute(fault).notification();
        assert_eq!(notification.code.octets(), (3, subcode), "{cause:?}");
    }
    let names: std::collections::BTreeSet<_> =
        CAUSES.iter().map(|(cause, _)| cause.reason()).collect();
    assert_eq!(names.len(), CAUSES.len());
}

#[test]
fn errors_map_to_one_notification_each() {
    let cases = [
        (DecodeError::Marker, (1, 1), vec![]),
        (DecodeError::Length { length: 18 }, (1, 2), vec![0, 18]),
        (DecodeError::Type { kind: 9 }, (1, 3), vec![9]),
        (DecodeError::Version { version: 3 }, (2, 1), vec![0, 4]),
        (DecodeError::PeerAsZero, (2, 2), vec![]),
        (DecodeError::RouterIdZero, (2, 3), vec![]),
        (DecodeError::HoldTime { seconds: 1 }, (2, 6), vec![]),
        (DecodeError::OptionalParameter { kind: 1 }, (2, 4), vec![]),
        (DecodeError::OpenParameters, (2, 0), vec![]),
        (DecodeError::UpdateSections, (3, 1), vec![]),
        (DecodeError::Nlri { bits: 33 }, (3, 10), vec![]),
        (
            DecodeError::RefreshLength {
                message: Bytes::from_static(&[1]),
            },
            (7, 1),
            vec![1],
        ),
    ];
    for (error, codes, data) in cases {
        let notification = error.notification();
        assert_eq!(
            (notification.code.octets(), notification.data),
            (codes, data),
            "{error}"
        );
    }
}
