//! A route as bgpctl prints it.

use serde_json::json;

use super::read;
use crate::interop::Seen;

#[test]
fn every_attribute_is_read() {
    let shown = json!({
        "aspath": "4200000001 64512",
        "exit_nexthop": "10.99.3.1",
        "true_nexthop": "10.99.3.2",
        "metric": 50,
        "localpref": 100,
        "communities": ["65010:7", "65010:8"],
        "large_communities": ["65010:1:2"],
    });
    let wanted = Seen {
        next_hop: Some("10.99.3.1".parse().unwrap()),
        as_path: vec![4_200_000_001, 64512],
        med: Some(50),
        local_pref: Some(100),
        standard: ["65010:7".to_owned(), "65010:8".to_owned()].into(),
        large: ["65010:1:2".to_owned()].into(),
    };
    assert_eq!(read(&shown).unwrap(), wanted);
}
