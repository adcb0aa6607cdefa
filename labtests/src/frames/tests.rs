//! Frames read by hand.

use super::{Mac, Said, read};

const HEAD: [u8; 12] = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1];

#[test]
fn an_arp_packet_claims_its_senders_address() {
    let mut frame = HEAD.to_vec();
    frame.extend([
        0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 1, 192, 0, 2, 7,
    ]);
    frame.extend([0; 10]);
    let (source, said) = read(&frame).expect("ARP");
    assert_eq!(source.to_string(), "02:00:00:00:00:01");
    assert_eq!(said, Said::Claim("192.0.2.7".parse().expect("an address")));
}

#[test]
fn a_neighbour_advertisement_claims_its_target_and_a_solicitation_does_not() {
    let mut frame = HEAD.to_vec();
    frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 24, 58, 255]);
    frame.extend([0xfe; 16]);
    frame.extend([0xff; 16]);
    frame.extend([136, 0, 0, 0, 0, 0, 0, 0]);
    frame.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]);
    assert_eq!(
        read(&frame).expect("NDP").1,
        Said::Claim("fd00::9".parse().expect("an address"))
    );
    frame[54] = 135;
    assert!(matches!(read(&frame).expect("NDP").1, Said::Packet(_)));
}

#[test]
fn a_short_frame_says_nothing() {
    assert!(read(&HEAD).is_none());
    assert!(read(&[]).is_none());
}

#[test]
fn a_hardware_address_is_read_and_written_alike() {
    let mac = Mac::parse("0a:1b:2c:3d:4e:5f").expect("an address");
    assert_eq!(mac.to_string(), "0a:1b:2c:3d:4e:5f");
    assert!(Mac::parse("0a:1b").is_none());
}
