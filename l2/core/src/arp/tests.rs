//! Frames both ways.
use proptest::prelude::*;

use super::*;

const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 0x10]);
const HOST_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 0x77]);
const VIP: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 10);
const HOST: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 77);

#[test]
fn each_form_has_the_bytes_that_caches_expect() {
    let cases = [
        (
            Arp::announcement(MAC, VIP),
            "ffffffffffff 020000000010 0806 0001 0800 06 04 0001 020000000010 c000020a 000000000000 c000020a",
        ),
        (
            Arp::announcement_as_reply(MAC, VIP),
            "ffffffffffff 020000000010 0806 0001 0800 06 04 0002 020000000010 c000020a 020000000010 c000020a",
        ),
        (
            Arp::directed(MAC, VIP, HOST, HOST_MAC),
            "020000000077 020000000010 0806 0001 0800 06 04 0001 020000000010 c000020a 000000000000 c000024d",
        ),
        (
            Arp::directed(HOST_MAC, HOST, VIP, MacAddr::BROADCAST).answer(MAC),
            "020000000077 020000000010 0806 0001 0800 06 04 0002 020000000010 c000020a 020000000077 c000024d",
        ),
    ];
    for (arp, hex) in cases {
        let digits: Vec<u8> = hex.bytes().filter(|byte| *byte != b' ').collect();
        let bytes = digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap());
        let mut expected: Vec<u8> = bytes.collect();
        expected.resize(FRAME_BYTES_MIN, 0);
        assert_eq!(arp.encode(), expected);
        assert_eq!(Arp::decode(&expected), Ok(arp));
    }
}

#[test]
fn a_frame_cut_anywhere_is_too_short_or_whole() {
    let frame = Arp::announcement(MAC, VIP).encode();
    for length in 0..frame.len() {
        let decoded = Arp::decode(&frame[..length]);
        match length {
            0..42 => assert_eq!(decoded, Err(ArpProblem::Short), "{length}"),
            _ => assert!(decoded.is_ok(), "{length}"),
        }
    }
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(
        (destination, source, sender_mac, target_mac) in any::<([u8; 6], [u8; 6], [u8; 6], [u8; 6])>(),
        (sender, target, reply) in any::<([u8; 4], [u8; 4], bool)>(),
    ) {
        let arp = Arp {
            ether_destination: MacAddr(destination),
            ether_source: MacAddr(source),
            operation: if reply { Operation::Reply } else { Operation::Request },
            sender_mac: MacAddr(sender_mac),
            sender: sender.into(),
            target_mac: MacAddr(target_mac),
            target: target.into(),
        };
        let expected =
            if arp.sender_mac.is_station() { Ok(arp) } else { Err(ArpProblem::SenderMac) };
        prop_assert_eq!(Arp::decode(&arp.encode()), expected);
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        let _ = Arp::decode(&bytes);
    }
}
