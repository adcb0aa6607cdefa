//! Rows 1-29: framing, OPEN, and messages out of turn.

use super::Reaction::{Accept, Close, Ignore, Reset, ResetWith};
use super::bytes::{
    HOP, ORIGIN, PATH, ROUTE, capable, hex, message, only, open, update_of, with_length,
};
use super::{Case, Delivery, Session, Stage, cases};

pub(super) fn framing() -> Vec<Case> {
    let keepalive = || message(4, &[]);
    let mut bad_marker = keepalive();
    bad_marker[0] = 0;
    let mut rows = cases! {
        1 "marker octet 0 is 00": bad_marker => ResetWith(1, 1, &[]);
        2 "length 18": with_length(keepalive(), 18) => ResetWith(1, 2, &[0, 18]);
        2 "length 0": with_length(keepalive(), 0) => ResetWith(1, 2, &[0, 0]);
        2 "length 1": with_length(keepalive(), 1) => ResetWith(1, 2, &[0, 1]);
        3 "length 4097": with_length(message(2, &[0; 4]), 4_097) => ResetWith(1, 2, &[0x10, 1]);
        3 "length 65535": with_length(message(2, &[0; 4]), 65_535) => ResetWith(1, 2, &[0xff, 0xff]);
        4 "type 0": message(0, &[0; 4]) => ResetWith(1, 3, &[0]);
        4 "type 6": message(6, &[0; 4]) => ResetWith(1, 3, &[6]);
        4 "type 9": message(9, &[0; 4]) => ResetWith(1, 3, &[9]);
        4 "type 255": message(255, &[0; 4]) => ResetWith(1, 3, &[255]);
        5 "KEEPALIVE of 20 octets": message(4, &[0]) => ResetWith(1, 2, &[0, 20]);
        6 "UPDATE of 22 octets": message(2, &[0; 3]) => ResetWith(1, 2, &[0, 22]);
        6 "OPEN of 28 octets": message(1, &[4; 9]) => ResetWith(1, 2, &[0, 28]);
        6 "NOTIFICATION of 20 octets": message(3, &[6]) => ResetWith(1, 2, &[0, 20]);
        7 "ROUTE-REFRESH with a body of 3 octets": message(5, &[0, 1, 0]) => Reset(7, 1);
        7 "ROUTE-REFRESH with filters past its end":
            message(5, &hex("0001 00 01 01 80 ffff 00")) => Reset(7, 1);
        8 "ROUTE-REFRESH for AFI 99": message(5, &[0, 99, 0, 1]) => Ignore;
        29 "CAPABILITY message": message(6, &[0, 1, 0, 200, 9]) => ResetWith(1, 3, &[6]);
    };
    let plain = cases! {
        7 "ROUTE-REFRESH with a body of 3 octets":
            message(5, &[0, 1, 0]) => ResetWith(1, 2, &[0, 22]);
    };
    rows.extend(plain.into_iter().map(|case| case.on(Session::PlainRefresh)));
    rows.extend(fragments());
    rows
}

/// Rows about messages that do not arrive in one piece.
fn fragments() -> Vec<Case> {
    let keepalive = message(4, &[]);
    let several = [
        keepalive.clone(),
        only(&[ORIGIN, PATH, HOP]),
        keepalive.clone(),
    ]
    .concat();
    let [trickle, fin] = cases! {
        9 "header without an end": keepalive[..18].to_vec() => Reset(4, 0);
        10 "FIN inside a header": keepalive[..9].to_vec() => Close;
    }
    .try_into()
    .expect("two cases");
    let [cut, at_once] = cases! {
        10 "header cut anywhere": only(&[ORIGIN, PATH, HOP]) => Accept;
        10 "three messages in one read": several => Accept;
    }
    .try_into()
    .expect("two cases");
    vec![
        trickle
            .on(Session::ShortHold)
            .delivered(Delivery::Trickle)
            .judged_by_the_session(),
        fin.delivered(Delivery::ThenFin).judged_by_the_session(),
        cut.delivered(Delivery::CutInHeader),
        at_once,
    ]
}

pub(super) fn opens() -> Vec<Case> {
    let version_3 = {
        let mut bytes = open(65_001, 90, 1, &[0]);
        bytes[19] = 3;
        bytes
    };
    let plain = |my_as, hold, id| open(my_as, hold, id, &[0]);
    let rows = cases! {
        11 "version 3": version_3 => ResetWith(2, 1, &[0, 4]);
        12 "My-AS 0": plain(0, 90, 1) => ResetWith(2, 2, &[]);
        12 "capability 65 with AS 0": capable("41 04 00000000") => ResetWith(2, 2, &[]);
        13 "router id 0": plain(65_001, 90, 0) => ResetWith(2, 3, &[]);
        14 "router id 224.0.0.1": plain(65_001, 90, 0xe000_0001) => Accept;
        14 "our own router id": plain(65_001, 90, OWN_ID) => Accept;
        15 "hold time 1": plain(65_001, 1, 1) => ResetWith(2, 6, &[]);
        15 "hold time 2": plain(65_001, 2, 1) => ResetWith(2, 6, &[]);
        16 "hold time 0": plain(65_001, 0, 1) => Accept;
        17 "parameter length 200, 8 octets present":
            open(65_001, 90, 1, &hex("08 02 c8 01 04 0001 00 01")) => ResetWith(2, 0, &[]);
        17 "parameters length 200, 8 octets present":
            open(65_001, 90, 1, &hex("c8 02 06 01 04 0001 00 01")) => ResetWith(2, 0, &[]);
        17 "one stray octet": open(65_001, 90, 1, &[0, 7]) => ResetWith(2, 0, &[]);
        17 "capability past its parameter": capable("01 08 0001 00 01") => ResetWith(2, 0, &[]);
        18 "multiprotocol capability of 3 octets": capable("01 03 0001 00") => Accept;
        19 "capability 65 of 0 octets, then another": capable("41 00 02 00") => Accept;
        20 "graceful restart of 3 octets": capable("40 03 0078 00") => Accept;
        20 "long-lived graceful restart of 5 octets": capable("47 05 0001 01 80 00") => Accept;
        21 "FQDN host length past its end": capable("49 03 10 61 62") => Accept;
        22 "software version of 0 octets": capable("4b 00") => Accept;
        22 "software version past its end": capable("4b 02 20 61") => Accept;
        23 "optional parameter 1": open(65_001, 90, 1, &[4, 1, 2, 0, 0]) => ResetWith(2, 4, &[]);
        24 "no capabilities": plain(65_001, 90, 1) => Accept;
        24 "capabilities twice": capable("01 04 0001 00 01 01 04 0001 00 01") => Accept;
        24 "unknown capability 200": capable("c8 03 010203") => Accept;
        25 "extended parameters":
            open(65_001, 90, 1, &hex("ff ff 0009 02 0006 01 04 0001 00 01")) => Accept;
        26 "extended parameters with the header cut":
            open(65_001, 90, 1, &hex("ff ff 0002 02 00")) => ResetWith(2, 0, &[]);
        26 "extended parameters without their length":
            open(65_001, 90, 1, &hex("ff ff 00")) => ResetWith(2, 0, &[]);
    };
    let refused = cases! {
        12 "an AS that is not the configured one": plain(65_009, 90, 1) => Reset(2, 2);
    };
    let own_id = cases! {
        13 "our own router id": open(65_000, 90, OWN_ID, &[0]) => Reset(2, 3);
    };
    let refused = refused.into_iter().map(Case::judged_by_the_session);
    let own_id = own_id
        .into_iter()
        .map(|case| case.on(Session::Internal).judged_by_the_session());
    rows.into_iter()
        .chain(refused)
        .chain(own_id)
        .map(|case| case.at(Stage::OpenSent))
        .collect()
}

/// The identifier our side of every session uses.
pub(crate) const OWN_ID: u32 = 0x0a00_0001;

pub(super) fn out_of_turn() -> Vec<Case> {
    let early = cases! {
        27 "UPDATE in OpenSent": update_of("", "", "") => Reset(5, 1);
        27 "KEEPALIVE in OpenSent": message(4, &[]) => Reset(5, 1);
    };
    let confirmed = cases! {
        27 "UPDATE in OpenConfirm": update_of(ROUTE, "", "") => Reset(5, 2);
    };
    let late = cases! {
        28 "OPEN in Established": open(65_001, 90, 1, &[0]) => Reset(5, 3);
    };
    let early = early.into_iter().map(|case| case.at(Stage::OpenSent));
    let confirmed = confirmed
        .into_iter()
        .map(|case| case.at(Stage::OpenConfirm));
    early
        .chain(confirmed)
        .chain(late)
        .map(Case::judged_by_the_session)
        .collect()
}
