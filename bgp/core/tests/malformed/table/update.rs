//! Rows 30-84: UPDATE, as bytes and what must come of them.

use super::Reaction::{Accept, Discard, Reset, Withdraw};
use super::bytes::{
    GLOBAL_6, HOP, ORIGIN, PATH, ROUTE_6, hex, message, only, reach, reach_6, unreach, update_of,
    with,
};
use super::{Case, Session, cases};

pub(super) fn framing() -> Vec<Case> {
    let sections = |body| message(2, &hex(body));
    let reach_twice = format!("80 0e 1c 0002 01 10 {GLOBAL_6} 00 {ROUTE_6}").repeat(2);
    let reach_twice = [ORIGIN, PATH, &reach_twice].concat();
    cases! {
        30 "withdrawn length 4000": sections("0fa0 0000") => Reset(3, 1);
        31 "attribute length 4000": sections("0000 0fa0") => Reset(3, 1);
        32 "NLRI /33":
            update_of("", &[ORIGIN, PATH, HOP].concat(), "21 cb00710000") => Reset(3, 10);
        32 "withdrawn /33": update_of("21 cb00710000", "", "") => Reset(3, 10);
        33 "NLRI cut": update_of("", &[ORIGIN, PATH, HOP].concat(), "18 cb00") => Reset(3, 10);
        34 "MP_REACH twice": update_of("", &reach_twice, "") => Reset(3, 1);
        34 "MP_UNREACH twice": update_of("", &"80 0f 03 0002 01".repeat(2), "") => Reset(3, 1);
        35 "MP_REACH of 3 octets": reach("0002 01") => Reset(3, 9);
        36 "next-hop length 9": reach_6("09", "20010db80000000000") => Reset(3, 9);
        37 "next-hop length 0": reach_6("00", "") => Reset(3, 9);
        38 "next-hop length 64 with 16 left":
            reach("0002 01 40 20010db8000000000000000000000002") => Reset(3, 9);
        39 "MP_REACH /129":
            reach(&format!("0002 01 10 {GLOBAL_6} 00 81 {GLOBAL_6} 00")) => Reset(3, 10);
        40 "MP_UNREACH of 2 octets": unreach("0002") => Reset(3, 9);
        41 "MP_UNREACH /64 with 4 octets": unreach("0002 01 40 20010db8") => Reset(3, 10);
    }
}

pub(super) fn mandatory() -> Vec<Case> {
    cases! {
        42 "ORIGIN of 0 octets": only(&["40 01 00", PATH, HOP]) => Withdraw;
        42 "ORIGIN of 2 octets": only(&["40 01 02 0000", PATH, HOP]) => Withdraw;
        43 "ORIGIN 3": only(&["40 01 01 03", PATH, HOP]) => Withdraw;
        44 "ORIGIN flags C0": only(&["c0 01 01 00", PATH, HOP]) => Withdraw;
        44 "MED flags C0": with("c0 04 04 00000001") => Withdraw;
        44 "COMMUNITIES flags 80": with("80 08 04 fdea0001") => Withdraw;
        45 "ORIGIN flags 60": only(&["60 01 01 00", PATH, HOP]) => Accept;
        45 "ORIGIN flags 4F": only(&["4f 01 01 00", PATH, HOP]) => Accept;
        46 "extended length on ORIGIN": only(&["50 01 0001 00", PATH, HOP]) => Accept;
        47 "ORIGIN missing": only(&[PATH, HOP]) => Withdraw;
        47 "AS_PATH missing": only(&[ORIGIN, HOP]) => Withdraw;
        47 "NEXT_HOP missing": only(&[ORIGIN, PATH]) => Withdraw;
        48 "no attributes": only(&[]) => Withdraw;
        49 "only an unknown transitive attribute": only(&["c0 63 01 00"]) => Withdraw;
        50 "empty MP_UNREACH and a route": only(&["80 0f 03 0002 01"]) => Withdraw;
        51 "segment type 0": only(&[ORIGIN, "40 02 06 00 01 0000fdea", HOP]) => Withdraw;
        51 "segment type 5": only(&[ORIGIN, "40 02 06 05 01 0000fdea", HOP]) => Withdraw;
        51 "segment count 0": only(&[ORIGIN, "40 02 02 02 00", HOP]) => Withdraw;
        51 "segment count 255": only(&[ORIGIN, "40 02 06 02 ff 0000fdea", HOP]) => Withdraw;
        51 "odd octet left": only(&[ORIGIN, "40 02 07 02 01 0000fdea 02", HOP]) => Withdraw;
        52 "AS 0": only(&[ORIGIN, "40 02 0a 02 02 0000fdea 00000000", HOP]) => Withdraw;
        53 "confederation segment": only(&[ORIGIN, "40 02 06 03 01 0000fdea", HOP]) => Withdraw;
        54 "empty AS_PATH": only(&[ORIGIN, "40 02 00", HOP]) => Accept;
        57 "NEXT_HOP of 0 octets": only(&[ORIGIN, PATH, "40 03 00"]) => Withdraw;
        57 "NEXT_HOP of 3 octets": only(&[ORIGIN, PATH, "40 03 03 0a6300"]) => Withdraw;
        57 "NEXT_HOP of 5 octets": only(&[ORIGIN, PATH, "40 03 05 0a63000200"]) => Withdraw;
        58 "NEXT_HOP 0.0.0.0": only(&[ORIGIN, PATH, "40 03 04 00000000"]) => Withdraw;
        58 "NEXT_HOP 127.0.0.1": only(&[ORIGIN, PATH, "40 03 04 7f000001"]) => Withdraw;
        58 "NEXT_HOP 224.0.0.1": only(&[ORIGIN, PATH, "40 03 04 e0000001"]) => Withdraw;
    }
}

pub(super) fn optional() -> Vec<Case> {
    cases! {
        60 "MED of 3 octets": with("80 04 03 000001") => Withdraw;
        61 "LOCAL_PREF of 3 octets": with("40 05 03 000064") => Discard;
        61 "LOCAL_PREF": with("40 05 04 00000064") => Discard;
        62 "ATOMIC_AGGREGATE of 1 octet": with("40 06 01 00") => Discard;
        63 "AGGREGATOR of 7 octets": with("c0 07 07 0000fd0a630002") => Discard;
        63 "AGGREGATOR AS 0": with("c0 07 08 00000000 0a630002") => Discard;
        64 "COMMUNITIES of 0 octets": with("c0 08 00") => Withdraw;
        65 "COMMUNITIES of 5 octets": with("c0 08 05 fdea000100") => Withdraw;
        66 "ORIGINATOR_ID of 3 octets": with("80 09 03 0a6300") => Discard;
        67 "CLUSTER_LIST of 5 octets": with("80 0a 05 0a63000200") => Discard;
        67 "CLUSTER_LIST of 0 octets": with("80 0a 00") => Discard;
        68 "EXT_COMMUNITIES of 9 octets": with("c0 10 09 000000000000000000") => Withdraw;
        68 "EXT_COMMUNITIES of 0 octets": with("c0 10 00") => Withdraw;
        68 "IPv6 extended communities of 21 octets":
            with(&format!("c0 19 15 {}", "00".repeat(21))) => Withdraw;
        69 "LARGE_COMMUNITIES of 13 octets":
            with(&format!("c0 20 0d {}", "00".repeat(13))) => Withdraw;
        69 "LARGE_COMMUNITIES of 0 octets": with("c0 20 00") => Withdraw;
        70 "ORIGIN twice": with("40 01 01 02") => Discard;
        71 "list ends with 40 01": with("40 01") => Withdraw;
        72 "last attribute one octet too long": with("80 04 05 00000001") => Withdraw;
        73 "OTC with stray extended length": with("f0 23 04 00000000fdea") => Withdraw;
        74 "unknown well-known attribute": with("40 63 01 00") => Withdraw;
        75 "unknown optional non-transitive": with("80 63 01 00") => Accept;
        75 "unknown optional transitive": with("c0 63 01 00") => Accept;
        76 "attribute 0": with("c0 00 01 00") => Accept;
        76 "attribute 255": with("c0 ff 04 00000000") => Accept;
        77 "malformed AS4_PATH in front":
            only(&["c0 11 03 02 ff 00", ORIGIN, PATH, HOP]) => Discard;
        77 "well-formed AS4_PATH behind": with("c0 11 06 02 01 0000fdea") => Discard;
        78 "tunnel encapsulation with inner overrun": with("c0 17 06 0008 00ff 0102") => Accept;
        79 "prefix-SID with inner overrun": with("c0 28 04 01 00ff 00") => Accept;
        80 "AIGP with a bad TLV": with("80 1a 03 01 0001") => Accept;
        80 "NHC with a TLV underflow": with("c0 27 04 0001 0000") => Accept;
        81 "MP_REACH for 25/70": with("80 0e 05 0019 46 00 00") => Discard;
    }
}

pub(super) fn multiprotocol() -> Vec<Case> {
    cases! {
        82 "MP_REACH reserved octet":
            reach(&format!("0002 01 10 {GLOBAL_6} 07 {ROUTE_6}")) => Accept;
        83 "MP_REACH flags 40":
            update_of("", &[ORIGIN, PATH, "40 0e 1c 0002 01 10", GLOBAL_6, "00", ROUTE_6].concat(), "")
                => Withdraw;
        84 "v4-mapped next hop": reach_6("10", "00000000000000000000ffff0a630002") => Accept;
        84 ":: and link-local":
            reach_6("20", &format!("{}fe80000000000000{}02", "00".repeat(16), "00".repeat(7)))
                => Accept;
        84 "link-local twice":
            reach_6("20", &format!("fe80000000000000{}02", "00".repeat(7)).repeat(2)) => Accept;
        84 "global and ::": reach_6("20", &format!("{GLOBAL_6}{}", "00".repeat(16))) => Accept;
    }
}

/// Rows whose reaction differs inside an AS.
pub(super) fn internal() -> Vec<Case> {
    let rows = cases! {
        61 "LOCAL_PREF of 3 octets": with("40 05 03 000064") => Withdraw;
        61 "LOCAL_PREF": with("40 05 04 00000064") => Accept;
        66 "ORIGINATOR_ID of 3 octets": with("80 09 03 0a6300") => Withdraw;
        67 "CLUSTER_LIST of 5 octets": with("80 0a 05 0a63000200") => Withdraw;
        67 "CLUSTER_LIST of 0 octets": with("80 0a 00") => Withdraw;
    };
    rows.into_iter()
        .map(|case| case.on(Session::Internal))
        .collect()
}
