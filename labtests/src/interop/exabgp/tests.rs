//! The attributes of an UPDATE as ExaBGP prints them.

use serde_json::json;

use super::read;

#[test]
fn every_attribute_is_read() {
    let seen = read(&json!({
        "origin": "igp",
        "as-path": [4_200_000_001_u32, 64512],
        "med": 50,
        "local-preference": 100,
        "community": [[65010, 7], [65010, 8]],
        "large-community": [[65010, 1, 2]],
    }))
    .unwrap();
    assert_eq!(seen.as_path, [4_200_000_001, 64512]);
    assert_eq!((seen.med, seen.local_pref), (Some(50), Some(100)));
    let standard: Vec<&String> = seen.standard.iter().collect();
    assert_eq!(standard, ["65010:7", "65010:8"]);
    let large: Vec<&String> = seen.large.iter().collect();
    assert_eq!(large, ["65010:1:2"]);
}
