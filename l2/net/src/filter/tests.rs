//! The filters against frames, by a small interpreter of the instructions they use. That the kernel agrees is shown by
//! the labs, where answers come only through these filters.

use super::*;

const HOST: u32 = 0;
const BROADCAST: u32 = 1;

/// Runs a filter over a frame of the given packet type, as the kernel would.
fn passes(filter: &[Instruction], packet_type: u32, frame: &[u8]) -> bool {
    let (mut at, mut accumulator) = (0, 0_u32);
    loop {
        let Instruction {
            code,
            jump_true,
            jump_false,
            operand: k,
        } = filter[at];
        at += 1;
        let offset = usize::try_from(k).unwrap();
        match code {
            LD_BYTE if k == PACKET_TYPE => accumulator = packet_type,
            LD_BYTE => match frame.get(offset) {
                Some(byte) => accumulator = u32::from(*byte),
                None => return false,
            },
            LD_HALF => match frame.get(offset..offset + 2) {
                Some(&[high, low]) => accumulator = u32::from(u16::from_be_bytes([high, low])),
                _ => return false,
            },
            LD_LENGTH => accumulator = u32::try_from(frame.len()).unwrap(),
            JEQ => at += usize::from([jump_false, jump_true][usize::from(accumulator == k)]),
            JGE => at += usize::from([jump_false, jump_true][usize::from(accumulator >= k)]),
            RET => return k != 0,
            other => panic!("no such instruction: {other:#x}"),
        }
    }
}

fn arp_frame(operation: u8) -> Vec<u8> {
    let mut frame = vec![0xff; 12];
    frame.extend([0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, operation]);
    frame.resize(60, 0);
    frame
}

fn ndp_frame(hop_limit: u8, kind: u8) -> Vec<u8> {
    let mut frame = vec![0x33; 12];
    frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 24, 58, hop_limit]);
    frame.resize(54, 0);
    frame.push(kind);
    frame.resize(78, 0);
    frame
}

#[test]
fn requests_and_replies_pass_and_nothing_else_of_arp() {
    for (operation, pass) in [(0, false), (1, true), (2, true), (3, false), (8, false)] {
        assert_eq!(
            passes(&arp(), BROADCAST, &arp_frame(operation)),
            pass,
            "operation {operation}"
        );
    }
    for (offset, value) in [(15, 6), (17, 1), (18, 8), (19, 16)] {
        let mut frame = arp_frame(1);
        frame[offset] = value;
        assert!(
            !passes(&arp(), BROADCAST, &frame),
            "byte {offset} = {value}"
        );
    }
    assert!(!passes(&arp(), BROADCAST, &arp_frame(1)[..41]), "41 bytes");
    assert!(passes(&arp(), BROADCAST, &arp_frame(1)[..42]), "42 bytes");
}

#[test]
fn solicitations_and_advertisements_pass_and_nothing_else_of_ipv6() {
    for (hop_limit, kind, pass) in [
        (255, 135, true),
        (255, 136, true),
        (254, 135, false),
        (255, 134, false),
        (255, 128, false),
    ] {
        assert_eq!(
            passes(&ndp(), HOST, &ndp_frame(hop_limit, kind)),
            pass,
            "{hop_limit} {kind}"
        );
    }
    let mut with_extension = ndp_frame(255, 135);
    with_extension[20] = 44;
    assert!(!passes(&ndp(), HOST, &with_extension));
}

#[test]
fn frames_for_others_and_our_own_never_pass() {
    for filter in [arp(), ndp(), sealed()] {
        for packet_type in [PACKET_OTHERHOST, PACKET_OUTGOING] {
            assert!(!passes(&filter, packet_type, &arp_frame(1)));
            assert!(!passes(&filter, packet_type, &ndp_frame(255, 135)));
        }
    }
    assert!(passes(&sealed(), BROADCAST, &arp_frame(1)));
}
