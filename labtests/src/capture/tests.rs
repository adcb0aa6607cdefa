//! Complaints are heard, and silence is not proof.

use super::Decoded;

fn verdict(text: &str) -> bool {
    Decoded {
        text: text.to_owned(),
    }
    .check_clean()
    .is_ok()
}

#[test]
fn a_complaint_of_the_decoder_is_a_failure() {
    assert!(verdict(
        "ARP, Ethernet (len 6), IPv4 (len 4), Request who-has 10.0.0.1 tell 10.0.0.2\n"
    ));
    assert!(!verdict(
        "Update Message (2), length: 40\n  Unknown Attribute (99), length: 3, Flags [T]: [|bgp]\n"
    ));
    assert!(!verdict(
        "IP6 fd00::1 > ff02::1: [bad icmp6 cksum 0x1 -> 0x2!] ICMP6, bad cksum\n"
    ));
}

#[test]
fn what_dumped_octets_spell_is_no_complaint() {
    assert!(verdict(
        "ethertype Unknown (0x88b5), length 90:\n\t0x0030:  705b 7cc3  p[|...k.\n"
    ));
}

#[test]
fn an_empty_recording_is_a_failure() {
    assert!(!verdict("\n"));
}
