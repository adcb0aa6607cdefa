//! Attributes as birdc prints them.

use super::read;
use crate::interop::Seen;

const ROUTE: &str = "BIRD 2.0.12 ready.
Table master6:
2001:db8:99::3/128   unicast [line3 13:47:41.758 from 10.99.3.1] * (100) [AS64512i]
\tvia fd00:99:3::1 on wire3
\tType: BGP univ
\tBGP.origin: IGP
\tBGP.as_path: 4200000001 64512
\tBGP.next_hop: fd00:99:3::1 fe80::1
\tBGP.med: 50
\tBGP.local_pref: 100
\tBGP.community: (65010,7) (65010,8)
\tBGP.large_community: (65010, 1, 2)
";

#[test]
fn every_attribute_is_read_and_the_link_local_hop_left_out() {
    let wanted = Seen {
        next_hop: Some("fd00:99:3::1".parse().unwrap()),
        as_path: vec![4_200_000_001, 64512],
        med: Some(50),
        local_pref: Some(100),
        standard: ["65010:7".to_owned(), "65010:8".to_owned()].into(),
        large: ["65010:1:2".to_owned()].into(),
    };
    assert_eq!(read(ROUTE).unwrap(), wanted);
}

#[test]
fn an_empty_path_is_one() {
    let seen = read("\tBGP.as_path: \n\tBGP.next_hop: 10.99.4.1\n").unwrap();
    assert_eq!(seen.as_path, Vec::<u32>::new());
    assert_eq!(seen.next_hop, Some("10.99.4.1".parse().unwrap()));
}
