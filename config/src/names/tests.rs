//! Names: what passes, what does not, and that the claim's name is reversible.

use proptest::prelude::*;

use super::*;

#[test]
fn names_that_could_leave_their_folder_are_refused() {
    for bad in [
        "", "..", "../x", "a/b", "A", "-a", "a-", "a..b", "a\0b", ".hidden", "ä",
    ] {
        assert!(bad.parse::<PoolName>().is_err(), "{bad:?} passed");
        assert!(
            ObjectRef::new(Kind::IPAddressPool, None, bad).is_err(),
            "{bad:?} passed"
        );
    }
    let long = "a".repeat(MAX_NAME + 1);
    assert_eq!(
        long.parse::<PoolName>(),
        Err(NameProblem::TooLong { max: MAX_NAME })
    );
    assert!("a".repeat(MAX_NAME).parse::<PoolName>().is_ok());
    assert!("10.0.0.1".parse::<NodeName>().is_ok());
}

#[test]
fn service_keys_round_trip_through_text_and_json() {
    let key: ServiceKey = "shop/web".parse().unwrap();
    assert_eq!((key.namespace(), key.name()), ("shop", "web"));
    assert_eq!(key.to_string().parse::<ServiceKey>().unwrap(), key);
    let json = serde_json::to_string(&key).unwrap();
    assert_eq!(serde_json::from_str::<ServiceKey>(&json).unwrap(), key);
    assert_eq!("web".parse::<ServiceKey>(), Err(NameProblem::NoSlash));
    assert_eq!(ObjectRef::from(&key).service_key(), Some(key));
}

#[test]
fn every_kind_is_found_by_its_manifest_header_and_no_other() {
    for &kind in Kind::ALL {
        assert_eq!(
            Kind::from_manifest(kind.api_version(), kind.as_str()),
            Some(kind)
        );
        assert_eq!(
            Kind::from_manifest("metallb.io/v1beta1", kind.as_str()),
            None
        );
    }
    assert_eq!(Kind::ALL.iter().filter(|k| k.is_ours()).count(), 10);
}

#[test]
fn claim_names_are_the_documented_ones() {
    assert_eq!(
        allocation_name("192.0.2.10".parse().unwrap()),
        "v4-192-0-2-10"
    );
    let v6 = allocation_name("2001:db8::1".parse().unwrap());
    assert_eq!(v6, "v6-20010db8000000000000000000000001");
    for bad in [
        "v4-1-2-3",
        "v4-1-2-3-04",
        "v4-+1-2-3-4",
        "v6-1",
        "v6-+1",
        "x",
        "v4-1-2-3-4-5",
    ] {
        assert_eq!(allocation_address(bad), None, "{bad}");
    }
}

proptest! {
    #[test]
    fn a_claim_name_leads_back_to_its_address(v4: u32, v6: u128) {
        for address in [IpAddr::V4(v4.into()), IpAddr::V6(v6.into())] {
            prop_assert_eq!(allocation_address(&allocation_name(address)), Some(address));
        }
    }
}
