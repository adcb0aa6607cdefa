//! Limits of what is kept, and loops that only iBGP knows.

use super::*;
use crate::wire::{AsPath, NextHop, Origin};

fn own() -> Own {
    Own {
        asn: Asn(65_000),
        router_id: RouterId::new(0x0a00_0001).unwrap(),
        address: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
        saboteur: Saboteur::default(),
    }
}

fn attributes() -> PathAttributes {
    PathAttributes::new(Origin::Igp, AsPath::sequence(&[Asn(65_001)]))
}

fn announce(attributes: PathAttributes, prefixes: Vec<Prefix>) -> Update {
    let next_hop = NextHop::V4(Ipv4Addr::new(10, 0, 0, 2));
    let reaches = vec![Reach {
        family: Family::Ipv4Unicast,
        next_hop,
        prefixes,
    }];
    Update {
        announced: Some(Announcement {
            attributes,
            reaches,
        }),
        ..Update::default()
    }
}

fn prefixes(count: u32) -> Vec<Prefix> {
    let prefix = |number: u32| Prefix::new(Ipv4Addr::from(number << 8).into(), 24).unwrap();
    (0..count).map(prefix).collect()
}

#[test]
fn a_full_table_costs_no_more_than_what_is_kept() {
    let mut rib = AdjRibIn::new();
    let count = u32::try_from(KEEP_MAX).unwrap() + 7;
    rib.apply(announce(attributes(), prefixes(count)), own(), None)
        .unwrap();
    assert_eq!(rib.len(Family::Ipv4Unicast), KEEP_MAX);
    assert_eq!(rib.not_kept(), 7);
    // What is kept already may still change.
    rib.apply(announce(attributes(), prefixes(1)), own(), None)
        .unwrap();
    assert_eq!(rib.not_kept(), 7);
}

#[test]
fn a_limit_is_exceeded_by_the_first_prefix_beyond_it() {
    let mut rib = AdjRibIn::new();
    assert_eq!(
        rib.apply(announce(attributes(), prefixes(3)), own(), Some(3)),
        Ok(())
    );
    assert_eq!(
        rib.apply(announce(attributes(), prefixes(3)), own(), Some(3)),
        Ok(())
    );
    let outcome = rib.apply(announce(attributes(), prefixes(4)), own(), Some(3));
    assert_eq!(outcome, Err(TooMany { limit: 3 }));
}

#[test]
fn a_reflectors_marks_of_us_are_loops() {
    let id = own().router_id.to_addr();
    let reflected = [
        PathAttributes {
            originator_id: Some(id),
            ..attributes()
        },
        PathAttributes {
            cluster_list: vec![Ipv4Addr::new(9, 9, 9, 9), id],
            ..attributes()
        },
    ];
    for attributes_of_ours in reflected {
        let mut rib = AdjRibIn::new();
        rib.apply(announce(attributes(), prefixes(2)), own(), None)
            .unwrap();
        rib.apply(announce(attributes_of_ours, prefixes(2)), own(), None)
            .unwrap();
        assert_eq!(rib.len(Family::Ipv4Unicast), 0);
        assert_eq!(rib.loops(), 2);
    }
}

#[test]
fn attributes_nobody_uses_are_forgotten() {
    let mut rib = AdjRibIn::new();
    for med in 0..100 {
        let attributes = PathAttributes {
            med: Some(med),
            ..attributes()
        };
        rib.apply(announce(attributes, prefixes(3)), own(), None)
            .unwrap();
    }
    assert_eq!(rib.attributes.len(), 1);
    rib.apply(
        Update {
            withdrawn: prefixes(3),
            ..Update::default()
        },
        own(),
        None,
    )
    .unwrap();
    assert_eq!(rib.attributes.len(), 0);
}
