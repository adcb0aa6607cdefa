//! Rows 54-59 and 85-91 as far as they depend on who we are, on configuration, on time or on number.

use std::net::Ipv4Addr;

use super::Reaction::{Accept, Close, Discard, Ignore, Reset, Withdraw};
use super::bytes::{HOP, ORIGIN, PATH, ROUTE, hex, long_path, message, only, update_of, with};
use super::{Case, Delivery, Session, Stage, cases};

/// More messages than anybody would keep.
const MANY: u32 = 10_000;

/// Routes that are none, or that are only just.
pub(super) fn routes(own: Ipv4Addr) -> Vec<Case> {
    let own_hop = format!("40 03 04 {:08x}", own.to_bits());
    let looped = cases! {
        55 "our own AS in a later path":
            only(&[ORIGIN, "40 02 0a 02 02 0000fdea 0000fde8", HOP]) => Withdraw;
        59 "NEXT_HOP is our own address": only(&[ORIGIN, PATH, &own_hop]) => Withdraw;
    };
    let path = long_path(62);
    let widest = cases! {
        56 "15,810 ASes": only(&[ORIGIN, &path, HOP]) => Accept;
    };
    let path = long_path(3);
    let wide = cases! {
        54 "first AS is not the peer's": only(&[ORIGIN, PATH, HOP]) => Accept;
        56 "765 ASes": only(&[ORIGIN, &path, HOP]) => Accept;
    };
    looped
        .into_iter()
        .map(Case::judged_by_the_session)
        .chain(widest.into_iter().map(|case| case.on(Session::Extended)))
        .chain(wide)
        .collect()
}

/// How a session ends: what the peer says, how often, and peers that say nothing.
pub(super) fn endings() -> Vec<Case> {
    let reason = |octets: &[u8], text: &[u8]| message(3, &[octets, text].concat());
    let said = |row_85: &[Case]| row_85.to_vec();
    let notifications = cases! {
        85 "reason longer than its message": reason(&[6, 2, 255], b"bye") => Close;
        85 "reason that is not UTF-8": reason(&[6, 2, 4], b"\xff\xfe\xc3\x28") => Close;
        85 "reason with control characters": reason(&[6, 2, 6], b"a\nb\x1b[2") => Close;
        86 "NOTIFICATION with code 99": message(3, &[99, 1]) => Close;
        86 "Hard Reset without its cause": message(3, &[6, 9, 6]) => Close;
        86 "NOTIFICATION twice": message(3, &[6, 4]).repeat(2) => Close;
    };
    let at = |stage| {
        said(&notifications)
            .into_iter()
            .map(move |case: Case| case.at(stage))
    };
    let over = cases! {
        88 "three prefixes where two are wanted":
            update_of("", &[ORIGIN, PATH, HOP].concat(), "18 cb0071 18 cb0072 18 cb0073")
            => Reset(6, 1);
    };
    let over_and_faulty = cases! {
        88 "three prefixes where two are wanted, with a fault":
            update_of("", &["40 01 01 03", PATH, HOP].concat(), "18 cb0071 18 cb0072 18 cb0073")
            => Withdraw;
    };
    let storm = cases! {
        90 "withdrawn length past the message, on every session": message(2, &hex("0fa0 0000")) => Reset(3, 1);
    };
    let deaf = cases! {
        89 "a peer that never reads": Vec::new() => Reset(8, 0);
    };
    let limited = |case: Case| case.on(Session::TwoPrefixes);
    at(Stage::Established)
        .chain(at(Stage::OpenSent))
        .chain(at(Stage::OpenConfirm))
        .chain(
            over.into_iter()
                .map(|case| limited(case).judged_by_the_session()),
        )
        .chain(over_and_faulty.into_iter().map(limited))
        .chain(
            storm
                .into_iter()
                .map(|case| case.delivered(Delivery::EverySession)),
        )
        .chain(
            deaf.into_iter()
                .map(|case| case.delivered(Delivery::NeverReads).judged_by_the_session()),
        )
        .collect()
}

/// A great deal of what means little, and families nobody asked for.
pub(super) fn floods() -> Vec<Case> {
    let unknown =
        || (0..MANY).flat_map(|n| update_of(&format!("20 {:08x}", 0x0a00_0000 + n), "", ""));
    let flap = [update_of(ROUTE, "", ""), only(&[ORIGIN, PATH, HOP])].concat();
    let times = usize::try_from(MANY).expect("a small number");
    let garbage = "ff 01 02 03 04 05 06";
    let of = |family: &str| with(&format!("80 0e 0c {family} 00 00 {garbage}"));
    cases! {
        87 "End-of-RIB without end": update_of("", "", "").repeat(times) => Ignore;
        87 "withdrawals of what was never there": unknown().collect() => Ignore;
        87 "a route that comes and goes": flap.repeat(times / 2) => Accept;
        91 "FlowSpec that is not negotiated": of("0001 85") => Discard;
        91 "VPN that is not negotiated": of("0001 80") => Discard;
        91 "EVPN that is not negotiated": of("0019 46") => Discard;
        91 "link state that is not negotiated": of("4004 47") => Discard;
        91 "withdrawal from FlowSpec": with(&format!("80 0f 0a 0001 85 {garbage}")) => Discard;
    }
}
