//! Where the segment starts under each link header, and that no bytes are too strange.

use proptest::prelude::*;

use super::*;

/// IPv4, TCP 192.0.2.1:179 to 192.0.2.2:50000, sequence 7, "bgp", and two octets of padding.
fn packet4() -> Vec<u8> {
    let mut packet = vec![
        0x45, 0, 0, 43, 0, 0, 0x40, 0, 64, 6, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2,
    ];
    packet.extend(tcp());
    packet.extend([0, 0]);
    packet
}

fn tcp() -> Vec<u8> {
    let mut segment = vec![0, 179, 0xc3, 0x50, 0, 0, 0, 7, 0, 0, 0, 0, 0x50, 0x10];
    segment.extend([0; 6]);
    segment.extend(b"bgp");
    segment
}

/// The same over IPv6, behind destination options.
fn packet6() -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0, 0, 31, 60, 64];
    packet.extend("2001:db8::1".parse::<Ipv6Addr>().unwrap().octets());
    packet.extend("2001:db8::2".parse::<Ipv6Addr>().unwrap().octets());
    packet.extend([6, 0, 0, 0, 0, 0, 0, 0]);
    packet.extend(tcp());
    packet
}

#[test]
fn the_segment_is_found_under_each_link_header() {
    let ethernet = |kind: &[u8]| [&[2; 12], kind].concat();
    for (link, header, packet) in [
        (Link::Raw, Vec::new(), packet4()),
        (Link::Loopback, vec![2, 0, 0, 0], packet4()),
        (Link::Ethernet, ethernet(&[0x08, 0]), packet4()),
        (
            Link::Ethernet,
            ethernet(&[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 0x08, 0]),
            packet4(),
        ),
        (Link::Cooked, [&[0; 14][..], &[0x08, 0]].concat(), packet4()),
        (
            Link::Cooked2,
            [&[0x86, 0xdd][..], &[0; 18]].concat(),
            packet6(),
        ),
    ] {
        let octets = [header, packet].concat();
        let segment = segment(link, &octets).unwrap();
        assert_eq!(
            (segment.from.port(), segment.to.port()),
            (179, 50_000),
            "{link:?}"
        );
        assert_eq!(
            (segment.sequence, segment.payload),
            (7, &b"bgp"[..]),
            "{link:?}"
        );
    }
}

#[test]
fn a_syn_counts_as_an_octet() {
    let mut packet = packet4();
    packet[33] = 0x02;
    let segment = segment(Link::Raw, &packet).unwrap();
    assert_eq!((segment.syn, segment.sequence), (true, 8));
}

#[test]
fn fragments_and_other_protocols_are_no_segments() {
    let mut fragment = packet4();
    fragment[6] = 0x20;
    let mut datagram = packet4();
    datagram[9] = 17;
    assert_eq!(segment(Link::Raw, &fragment), None);
    assert_eq!(segment(Link::Raw, &datagram), None);
    assert_eq!(
        segment(
            Link::Ethernet,
            &[[2; 12].as_slice(), &[8, 6, 0, 1]].concat()
        ),
        None
    );
}

proptest! {
    #[test]
    fn any_change_of_a_packet_is_read_or_left(
        six in any::<bool>(),
        at in any::<prop::sample::Index>(),
        value in any::<u8>(),
        length in any::<prop::sample::Index>(),
    ) {
        let mut packet = if six { packet6() } else { packet4() };
        let at = at.index(packet.len());
        packet[at] = value;
        packet.truncate(length.index(packet.len() + 1));
        if let Some(segment) = segment(Link::Raw, &packet) {
            prop_assert!(segment.payload.len() <= packet.len());
        }
    }
}
