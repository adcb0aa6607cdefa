//! The attributes of a path as gobgp prints them.

use serde_json::json;

use super::read;
use crate::interop::Seen;

#[test]
fn every_attribute_is_read() {
    let shown = json!([
        {"type": 1, "value": 0},
        {"type": 2, "as_paths": [
            {"segment_type": 2, "num": 2, "asns": [4_200_000_001_u32, 64512]},
        ]},
        {"type": 4, "metric": 50},
        {"type": 5, "value": 100},
        {"type": 8, "communities": [4_260_495_367_u32, 4_260_495_368_u32]},
        {"type": 32, "value": [{"ASN": 65010, "LocalData1": 1, "LocalData2": 2}]},
        {"type": 14, "nexthop": "fd00:99:3::1", "afi": 2, "safi": 1},
    ]);
    let wanted = Seen {
        next_hop: Some("fd00:99:3::1".parse().unwrap()),
        as_path: vec![4_200_000_001, 64512],
        med: Some(50),
        local_pref: Some(100),
        standard: ["65010:7".to_owned(), "65010:8".to_owned()].into(),
        large: ["65010:1:2".to_owned()].into(),
    };
    assert_eq!(read(shown.as_array().unwrap()).unwrap(), wanted);
}
