//! The JSON that programs rely on, field by field.

use ringbolt_bgp::types::{FamilySet, Peering};
use ringbolt_bgp::wire::{AsnWidth, DecodeCtx, MessageLimit, RefreshForm};
use serde_json::{Value, json};

use super::super::decode;
use super::*;

const CTX: DecodeCtx = DecodeCtx {
    asn_width: AsnWidth::FourOctets,
    families: FamilySet::ALL,
    extended_next_hop: FamilySet::ALL,
    peering: Peering::External,
    refresh: RefreshForm::Enhanced,
    limit: MessageLimit::Standard,
};

fn shown(kind: u8, body: &str, ctx: &DecodeCtx) -> Value {
    let body = hex::octets(body.as_bytes()).unwrap();
    let mut message = vec![0xff; 16];
    message.extend(u16::try_from(body.len() + 19).unwrap().to_be_bytes());
    message.push(kind);
    message.extend(body);
    serde_json::to_value(super::message(&decode::next(&message, ctx).unwrap())).unwrap()
}

/// ORIGIN, AS_PATH 65001, NEXT_HOP 198.51.100.1.
const USUAL: &str = "40010100 400206 0201 0000fde9 400304 c6336401";

#[test]
fn an_update_has_its_routes_and_attributes() {
    let body =
        format!("0002 080a 0026 {USUAL} 800404 00000005 c00808 fde80001 ffffff01 20 c0000201");
    assert_eq!(
        shown(2, &body, &CTX),
        json!({
            "type": "update",
            "withdrawn": ["10.0.0.0/8"],
            "announced": ["192.0.2.1/32"],
            "next_hop": "198.51.100.1",
            "next_hops": [{"family": "ipv4-unicast", "address": "198.51.100.1"}],
            "attributes": {
                "origin": "igp", "as_path": [65001], "med": 5,
                "communities": ["65000:1", "65535:65281"],
            },
            "end_of_rib": false,
            "reaction": "accept",
            "faults": [],
            "notification": null,
        })
    );
}

#[test]
fn an_update_that_is_treated_as_withdraw_lists_its_prefixes_as_withdrawn() {
    // LOCAL_PREF of three octets, from a peer of the same AS.
    let ctx = DecodeCtx {
        peering: Peering::Internal,
        ..CTX
    };
    let value = shown(
        2,
        &format!("0000 001a {USUAL} 400503 000064 20 c0000201"),
        &ctx,
    );
    assert_eq!(value["withdrawn"], json!(["192.0.2.1/32"]));
    assert_eq!(value["announced"], json!([]));
    assert_eq!(value["attributes"], json!({}));
    assert_eq!(value["reaction"], "withdraw");
    assert_eq!(
        value["faults"],
        json!([{"attribute": 5, "reaction": "withdraw", "reason": "length"}])
    );
}

#[test]
fn an_update_that_ends_the_session_has_its_notification() {
    let value = shown(2, "ffff 0000", &CTX);
    assert_eq!(value["type"], "update");
    assert_eq!(value["reaction"], "reset");
    assert_eq!(
        value["faults"],
        json!([{"attribute": null, "reaction": "reset", "reason": "update_sections"}])
    );
    assert_eq!(
        value["notification"],
        json!({"code": 3, "subcode": 1, "data": ""})
    );
    assert_eq!(value["withdrawn"], json!([]));
}

#[test]
fn an_empty_update_is_the_end_of_a_table() {
    let value = shown(2, "0000 0000", &CTX);
    assert_eq!(
        (&value["end_of_rib"], &value["family"]),
        (&json!(true), &json!("ipv4-unicast"))
    );
    assert_eq!(
        shown(2, "0000 0006 800f03 000201", &CTX)["family"],
        "ipv6-unicast"
    );
}

#[test]
fn ipv6_routes_show_both_next_hops() {
    let value = shown(
        2,
        "0000 0040 40010102 40020c 0101 0000fde9 0201 00000001 800e2a 000201 20 \
         20010db8000000000000000000000001 fe800000000000000000000000000001 00 20 20010db8",
        &CTX,
    );
    assert_eq!(value["announced"], json!(["2001:db8::/32"]));
    assert_eq!(value["next_hop"], "2001:db8::1");
    assert_eq!(value["next_hops"][0]["link_local"], "fe80::1");
    assert_eq!(
        value["attributes"],
        json!({"origin": "incomplete", "as_path": [{"set": [65001]}, 1]})
    );
}

#[test]
fn an_open_has_its_capabilities() {
    assert_eq!(
        shown(
            1,
            "04 5ba0 005a 0a000001 18 0216 010400010001 0200 4006 8078 00010180 4104 0001d4c0",
            &CTX
        ),
        json!({
            "type": "open", "asn": 120_000, "router_id": "10.0.0.1", "hold_time": 90,
            "capabilities": [
                {"code": 1, "name": "multiprotocol", "family": "ipv4-unicast"},
                {"code": 2, "name": "route_refresh"},
                {"code": 64, "name": "graceful_restart", "restarting": true, "notifications": false,
                 "restart_time": 120, "families": [{"family": "ipv4-unicast", "forwarding": true}]},
                {"code": 65, "name": "four_octet_as", "asn": 120_000},
            ],
            "reaction": "accept", "faults": [], "notification": null,
        })
    );
}

#[test]
fn a_notification_is_told_with_its_text() {
    let value = shown(3, "06 02 03 627965", &CTX);
    assert_eq!(
        (
            &value["code"],
            &value["subcode"],
            &value["data"],
            &value["text"]
        ),
        (&json!(6), &json!(2), &json!("03627965"), &json!("bye"))
    );
    assert_eq!(value["reason"], "administrative shutdown");
    assert_eq!(value["notification"], Value::Null);
}

#[test]
fn a_route_refresh_has_family_and_subtype() {
    let value = shown(5, "0002 01 01", &CTX);
    assert_eq!(
        (&value["family"], &value["subtype"]),
        (&json!("ipv6-unicast"), &json!("begin_of_rib"))
    );
    assert_eq!(shown(5, "0019 00 46", &CTX)["family"], "25/70");
}
