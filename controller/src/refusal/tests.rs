//! Sentences name the field that the Service's author wrote.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::*;

fn spelling(annotations: Value, spec: Value) -> Spelling {
    let object = json!({ "metadata": { "annotations": annotations }, "spec": spec });
    let key = "default/web".parse().unwrap();
    let object = serde_json::from_value(object).unwrap();
    ringbolt_config::ServiceView::new(key, object).spelling
}

fn outside() -> Refusal {
    let address: IpAddr = "10.1.1.2".parse().unwrap();
    Refusal::AddressOutsidePools { address }
}

#[test]
fn an_address_is_refused_where_it_was_asked_for() {
    let single = spelling(json!({}), json!({ "loadBalancerIP": "10.1.1.2" }));
    assert_eq!(
        outside().sentence(&single),
        "spec.loadBalancerIP: 10.1.1.2 lies in no pool in force"
    );
    let cilium = spelling(json!({ "lbipam.cilium.io/ips": "10.1.1.2" }), json!({}));
    assert_eq!(
        outside().sentence(&cilium),
        "metadata.annotations[lbipam.cilium.io/ips]: 10.1.1.2 lies in no pool in force"
    );
}

#[test]
fn a_pool_is_refused_where_it_was_named_or_implied() {
    let pool: PoolName = "front".parse().unwrap();
    let paused = Refusal::PoolPaused { pool: pool.clone() };
    let metallb = json!({ "metallb.io/address-pool": "front" });
    let named = spelling(metallb, json!({ "loadBalancerIP": "10.1.1.2" }));
    let field = "metadata.annotations[metallb.io/address-pool]";
    for refusal in [
        paused.clone(),
        Refusal::UnknownPool { pool: pool.clone() },
        Refusal::PoolExhausted {
            pool: pool.clone(),
            family: Family::Ipv4,
        },
        Refusal::QuotaExceeded { pool, limit: 1 },
    ] {
        let told = refusal.sentence(&named);
        assert_eq!(told, format!("{field}: {refusal}"));
    }
    let implied = spelling(json!({}), json!({ "loadBalancerIP": "10.1.1.2" }));
    assert!(
        paused
            .sentence(&implied)
            .starts_with("spec.loadBalancerIP: ")
    );
}

#[test]
fn a_service_that_asks_for_nothing_is_shown_no_field() {
    let nothing = Spelling::default();
    let pool: PoolName = "front".parse().unwrap();
    for refusal in [
        Refusal::NoPools,
        Refusal::NoEligiblePool {
            family: Family::Ipv6,
        },
        Refusal::PoolPaused { pool: pool.clone() },
        Refusal::PoolExhausted {
            pool,
            family: Family::Ipv4,
        },
    ] {
        assert_eq!(refusal.sentence(&nothing), refusal.to_string());
    }
}

#[test]
fn a_request_that_cannot_be_read_names_its_field_once() {
    let field = Field::Annotation("metallb.io/loadBalancerIPs");
    let problem = ServiceProblem::TwoOfOneFamily { field };
    assert_eq!(
        Refusal::RequestInvalid { problem }.sentence(&Spelling::default()),
        "metadata.annotations[metallb.io/loadBalancerIPs]: more than one address of one family"
    );
}
