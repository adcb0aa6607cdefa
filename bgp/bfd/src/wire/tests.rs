//! Packets byte by byte, and datagrams that are none.

use std::num::{NonZeroU8, NonZeroU32};

use proptest::prelude::*;

use super::{DecodeError, Diagnostic, PACKET_LEN, Packet, State};

/// Up, final, multiplier 3, 300 ms both ways, no echo.
const BYTES: [u8; PACKET_LEN] = [
    0x20, 0xd0, 3, 24, 0, 0, 0x12, 0x34, 0, 0, 0xab, 0xcd, 0, 4, 0x93, 0xe0, 0, 4, 0x93, 0xe0, 0,
    0, 0, 0,
];

fn packet() -> Packet {
    Packet {
        diagnostic: Diagnostic::None,
        state: State::Up,
        poll: false,
        finished: true,
        control_plane_independent: false,
        demand: false,
        detect_mult: NonZeroU8::new(3).unwrap(),
        my_discriminator: NonZeroU32::new(0x1234).unwrap(),
        your_discriminator: NonZeroU32::new(0xabcd),
        desired_min_tx_us: 300_000,
        required_min_rx_us: 300_000,
        required_min_echo_rx_us: 0,
    }
}

/// `BYTES` with some octets replaced.
fn with(changes: &[(usize, u8)]) -> Vec<u8> {
    let mut bytes = BYTES.to_vec();
    for (at, octet) in changes {
        bytes[*at] = *octet;
    }
    bytes
}

#[test]
fn a_packet_is_read_and_written_octet_by_octet() {
    assert_eq!(Packet::decode(&BYTES), Ok(packet()));
    assert_eq!(packet().encode(), BYTES);
}

#[test]
fn each_rule_of_6_8_6_refuses_by_its_name() {
    let zero_mine = [(6, 0), (7, 0)];
    let zero_yours = [(10, 0), (11, 0)];
    let cases: &[(Vec<u8>, DecodeError)] = &[
        (Vec::new(), DecodeError::TooShort { octets: 0 }),
        (with(&[(0, 0x00)]), DecodeError::Version { version: 0 }),
        (with(&[(0, 0x40)]), DecodeError::Version { version: 2 }),
        (
            with(&[(3, 23)]),
            DecodeError::Length {
                length: 23,
                octets: 24,
            },
        ),
        (
            with(&[(3, 25)]),
            DecodeError::Length {
                length: 25,
                octets: 24,
            },
        ),
        // With authentication the least length is 26.
        (
            [with(&[(1, 0xd4)]), vec![0, 0]].concat(),
            DecodeError::Length {
                length: 24,
                octets: 26,
            },
        ),
        (with(&[(2, 0)]), DecodeError::ZeroMultiplier),
        (with(&[(1, 0xd1)]), DecodeError::Multipoint),
        (with(&zero_mine), DecodeError::ZeroDiscriminator),
        (
            with(&zero_yours),
            DecodeError::NoDiscriminator { state: State::Up },
        ),
        (
            with(&[(1, 0x80), zero_yours[0], zero_yours[1]]),
            DecodeError::NoDiscriminator { state: State::Init },
        ),
        (
            [with(&[(1, 0xd4), (3, 26)]), vec![1, 2]].concat(),
            DecodeError::Authenticated,
        ),
    ];
    for (bytes, error) in cases {
        assert_eq!(Packet::decode(bytes), Err(*error), "{bytes:02x?}");
    }
}

#[test]
fn a_packet_without_our_discriminator_may_say_down_or_admin_down() {
    for (bits, state) in [(0x00, State::AdminDown), (0x40, State::Down)] {
        let decoded = Packet::decode(&with(&[(1, bits), (10, 0), (11, 0)])).unwrap();
        assert_eq!((decoded.state, decoded.your_discriminator), (state, None));
    }
}

#[test]
fn octets_after_the_packet_are_ignored() {
    let longer = [BYTES.as_slice(), &[0xff; 9]].concat();
    assert_eq!(Packet::decode(&longer), Ok(packet()));
}

#[test]
fn a_packet_cut_at_any_length_is_too_short() {
    for octets in 0..PACKET_LEN {
        assert_eq!(
            Packet::decode(&BYTES[..octets]),
            Err(DecodeError::TooShort { octets })
        );
    }
}

proptest! {
    #[test]
    fn any_octets_decode_or_are_refused_and_what_decodes_comes_back(
        bytes in proptest::collection::vec(any::<u8>(), 0..64),
        near in any::<bool>(),
    ) {
        let mut bytes = bytes;
        // Random octets alone rarely pass the first rules.
        if near && bytes.len() >= PACKET_LEN {
            bytes[0] = 0x20 | (bytes[0] & 0x1f);
            bytes[1] &= 0xfa;
            bytes[3] = 24;
        }
        if let Ok(packet) = Packet::decode(&bytes) {
            let encoded = packet.encode();
            prop_assert_eq!(Packet::decode(&encoded), Ok(packet));
            prop_assert_eq!(&encoded[..3], &bytes[..3]);
            prop_assert_eq!(&encoded[4..], &bytes[4..PACKET_LEN]);
        }
    }
}
