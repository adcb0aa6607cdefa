//! What counts as a difference, and that it is named.

use ringbolt_bgp::types::Asn;
use ringbolt_bgp::wire::{Announcement, AsPath, Origin, Reach};

use super::*;

fn announcing(med: Option<u32>, prefixes: &[&str]) -> Message {
    let mut attributes = PathAttributes::new(Origin::Igp, AsPath::sequence(&[Asn(65_001)]));
    attributes.med = med;
    Message::Update(Update {
        announced: Some(Announcement {
            attributes,
            reaches: vec![Reach {
                family: Family::Ipv4Unicast,
                next_hop: NextHop::V4([192, 0, 2, 1].into()),
                prefixes: prefixes.iter().map(|text| text.parse().unwrap()).collect(),
            }],
        }),
        ..Update::default()
    })
}

#[test]
fn several_messages_may_say_what_one_said() {
    let whole = announcing(None, &["10.0.0.0/8", "192.0.2.0/24"]);
    let pieces = [
        announcing(None, &["192.0.2.0/24"]),
        announcing(None, &["10.0.0.0/8"]),
    ];
    assert_eq!(compare(&whole, &pieces), Ok(()));
}

#[test]
fn a_difference_is_named_by_its_part() {
    let was = announcing(Some(5), &["10.0.0.0/8"]);
    for (is, part) in [
        (announcing(None, &["10.0.0.0/8"]), "attributes"),
        (announcing(Some(5), &["10.0.0.0/9"]), "announced"),
        (
            Message::Update(Update {
                end_of_rib: Some(Family::Ipv6Unicast),
                ..Update::default()
            }),
            "end_of_rib",
        ),
        (Message::Keepalive, "message"),
    ] {
        let difference = compare(&was, &[is]).unwrap_err().to_string();
        assert!(
            difference.starts_with(&format!("reencode: {part} differs: ")),
            "{difference}"
        );
    }
}
