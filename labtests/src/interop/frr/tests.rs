//! A path as vtysh prints it.

use serde_json::json;

use super::read;
use crate::interop::Seen;

#[test]
fn every_attribute_is_read() {
    let shown = json!({
        "aspath": {"segments": [{"type": "as-sequence", "list": [4_200_000_001_u32]}]},
        "metric": 50,
        "locPrf": 100,
        "community": {"list": ["65010:7", "65010:8"]},
        "largeCommunity": {"list": ["65010:1:2"]},
        "nexthops": [
            {"ip": "fe80::1", "scope": "link-local"},
            {"ip": "fd00:99:3::1", "scope": "global"},
        ],
    });
    let wanted = Seen {
        next_hop: Some("fd00:99:3::1".parse().unwrap()),
        as_path: vec![4_200_000_001],
        med: Some(50),
        local_pref: Some(100),
        standard: ["65010:7".to_owned(), "65010:8".to_owned()].into(),
        large: ["65010:1:2".to_owned()].into(),
    };
    assert_eq!(read(&shown).unwrap(), wanted);
}
