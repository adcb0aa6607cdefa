//! What vtysh prints, read.

use serde_json::json;

use super::{read_routes, sessions};
use crate::router::{Routes, listed};

#[test]
fn best_and_equal_paths_are_next_hops_and_others_are_not() {
    let path =
        |ip: &str, flag: &str| json!({flag: true, "nexthops": [{"ip": ip, "scope": "global"}]});
    let table = json!({"routes": {"192.0.2.1/32":
        [path("10.7.0.11", "bestpath"), path("10.7.0.12", "multipath"), path("10.7.0.13", "valid")]}});
    let mut routes = Routes::new();
    read_routes(&table, &mut routes);
    let hops = routes.values().next().expect("one route");
    assert_eq!(listed(hops), "10.7.0.11 10.7.0.12");
}

#[test]
fn a_session_is_up_when_every_family_is() {
    let peers = |state: &str| json!({"peers": {"10.7.0.11": {"state": state}}});
    let both = |a: &str, b: &str| {
        let summary = json!({"ipv4Unicast": peers(a), "ipv6Unicast": peers(b)});
        sessions(&summary)
            .into_values()
            .next()
            .expect("one session")
    };
    assert_eq!(both("Established", "Established"), "Established");
    assert_eq!(both("Established", "Active"), "Active");
    assert_eq!(both("Active", "Established"), "Active");
}
