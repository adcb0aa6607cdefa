//! Messages both ways, and what a host has to ignore.
use proptest::prelude::*;

use super::*;

const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 0x10]);
const HOST_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 0x77]);
const VIP: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x100);
const HOST: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x77);
const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x10);

#[test]
fn the_announcement_has_the_bytes_of_an_overriding_unsolicited_advertisement() {
    let frame = Ndp::announcement(MAC, LINK_LOCAL, VIP).encode();
    assert_eq!(
        frame[..14],
        [0x33, 0x33, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0x10, 0x86, 0xdd]
    );
    // Version 6, no flow label; 32 bytes of ICMPv6 with hop limit 255.
    assert_eq!(frame[14..22], [0x60, 0, 0, 0, 0, 32, 58, 255]);
    assert_eq!(frame[54..56], [136, 0]);
    // R = 0, S = 0, O = 1.
    assert_eq!(frame[58..62], [0x20, 0, 0, 0]);
    assert_eq!(frame[62..78], VIP.octets());
    assert_eq!(frame[78..], [2, 1, 2, 0, 0, 0, 0, 0x10]);
}

#[test]
fn the_checksum_is_the_one_of_rfc_4443() {
    let frame = Ndp::announcement(MAC, LINK_LOCAL, VIP).encode();
    // Pseudo-header and message summed by hand, as RFC 8200 §8.1 has it: all ones is right.
    let words = |bytes: &[u8]| -> u32 {
        bytes
            .chunks(2)
            .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
            .sum()
    };
    let mut sum = words(&frame[22..54]) + 32 + 58 + words(&frame[54..]);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    assert_eq!(sum, 0xffff);
}

#[test]
fn groups_are_those_of_rfc_4291() {
    let address = "2001:db8::1:ab:cdef".parse().unwrap();
    let group = solicited_node(address);
    assert_eq!(group, "ff02::1:ffab:cdef".parse::<Ipv6Addr>().unwrap());
    assert_eq!(
        MacAddr::of_ipv6_group(group),
        MacAddr([0x33, 0x33, 0xff, 0xab, 0xcd, 0xef])
    );
}

#[test]
fn an_answer_goes_to_the_source_option_and_overrides() {
    let question = Ndp::directed(HOST_MAC, HOST, VIP, None);
    assert_eq!(question.destination, solicited_node(VIP));
    let answer = question.answer(MAC, LINK_LOCAL);
    assert_eq!(answer.ether_destination, HOST_MAC);
    assert_eq!(
        answer.body,
        Body::Advertisement(Flags {
            solicited: true,
            overrides: true
        })
    );
    assert_eq!((answer.destination, answer.link_layer), (HOST, Some(MAC)));
    let detection = Ndp {
        source: Ipv6Addr::UNSPECIFIED,
        link_layer: None,
        ..question
    };
    assert_eq!(
        detection.answer(MAC, LINK_LOCAL),
        Ndp::announcement(MAC, LINK_LOCAL, VIP)
    );
}

#[test]
fn a_frame_cut_anywhere_is_too_short() {
    for ndp in [
        Ndp::announcement(MAC, LINK_LOCAL, VIP),
        Ndp::directed(MAC, VIP, HOST, None),
    ] {
        let frame = ndp.encode();
        for length in 0..frame.len() {
            assert_eq!(
                Ndp::decode(&frame[..length]),
                Err(NdpProblem::Short),
                "{length}"
            );
        }
        assert_eq!(Ndp::decode(&frame), Ok(ndp));
    }
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(
        (source, target, mac) in any::<([u8; 16], [u8; 16], [u8; 6])>(),
        (unicast, option) in any::<(bool, bool)>(),
    ) {
        let (source, target, mac) = (Ipv6Addr::from(source), Ipv6Addr::from(target), MacAddr(mac));
        prop_assume!(!source.is_multicast() && !target.is_multicast() && mac.is_station());
        prop_assume!(!source.is_unspecified());
        let host_mac = unicast.then_some(HOST_MAC);
        let solicitation = Ndp::directed(mac, source, target, host_mac);
        let solicitation = Ndp { link_layer: option.then_some(mac), ..solicitation };
        prop_assert_eq!(Ndp::decode(&solicitation.encode()), Ok(solicitation));
        let answer = solicitation.answer(MAC, LINK_LOCAL);
        prop_assert_eq!(Ndp::decode(&answer.encode()), Ok(answer));
    }

    #[test]
    fn no_bytes_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..2_000),
        changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 0..6),
    ) {
        let _ = Ndp::decode(&bytes);
        let mut frame = Ndp::directed(MAC, VIP, HOST, None).encode().to_vec();
        for (at, byte) in changes {
            let length = frame.len();
            frame[at % length] = byte;
        }
        let _ = Ndp::decode(&frame);
    }

    #[test]
    fn any_single_flipped_bit_of_the_message_is_noticed(bit in 0_usize..32 * 8) {
        let mut frame = Ndp::announcement(MAC, LINK_LOCAL, VIP).encode().to_vec();
        frame[54 + bit / 8] ^= 1 << (bit % 8);
        prop_assert!(Ndp::decode(&frame).is_err());
    }
}
