//! Paths in both directions and both widths, prepending, and the merge of RFC 6793.

use proptest::prelude::*;

use super::super::super::tests::{hex, values};
use super::*;

fn asns(numbers: &[u32]) -> Vec<Asn> {
    numbers.iter().copied().map(Asn).collect()
}

fn path(segments: &[(SegmentKind, &[u32])]) -> AsPath {
    let segments: Vec<_> = segments
        .iter()
        .map(|(kind, list)| (*kind, asns(list)))
        .collect();
    AsPath::from_segments(&segments)
}

fn written(path: &AsPath, width: AsnWidth) -> Vec<u8> {
    let mut buf = BytesMut::new();
    path.encode(width, &mut buf);
    buf.to_vec()
}

use AsnWidth::{FourOctets, TwoOctets};
use SegmentKind::{ConfedSequence, ConfedSet, Sequence, Set};

#[test]
fn paths_read_both_ways_in_both_widths() {
    let cases = [
        (TwoOctets, "", path(&[])),
        (
            TwoOctets,
            "02 02 fde9 fdea",
            path(&[(Sequence, &[65_001, 65_002])]),
        ),
        (
            FourOctets,
            "02 01 fa56ea01",
            path(&[(Sequence, &[4_200_000_001])]),
        ),
        (
            FourOctets,
            "01 01 00000007 02 01 00000008",
            path(&[(Set, &[7]), (Sequence, &[8])]),
        ),
        (
            FourOctets,
            "03 01 00000007 04 01 00000008",
            path(&[(ConfedSequence, &[7]), (ConfedSet, &[8])]),
        ),
    ];
    for (width, bytes, value) in cases {
        assert_eq!(AsPath::decode(&hex(bytes), width), Ok(value.clone()));
        assert_eq!(written(&value, width), hex(bytes));
    }
}

#[test]
fn a_wide_number_becomes_as_trans_for_old_speakers() {
    let path = AsPath::sequence(&asns(&[4_200_000_001, 65_002]));
    assert!(path.needs_four_octets());
    assert_eq!(written(&path, TwoOctets), hex("02 02 5ba0 fdea"));
}

#[test]
fn prepending_extends_a_leading_sequence() {
    let path = AsPath::sequence(&asns(&[2, 3])).prepend(Asn(1), 2);
    assert_eq!(path, AsPath::sequence(&asns(&[1, 1, 2, 3])));
    assert_eq!(
        AsPath::empty().prepend(Asn(1), 1),
        AsPath::sequence(&[Asn(1)])
    );
    let behind_a_set = self::path(&[(Set, &[9])]).prepend(Asn(1), 1);
    assert_eq!(behind_a_set, self::path(&[(Sequence, &[1]), (Set, &[9])]));
    assert_eq!(AsPath::empty().prepend(Asn(1), 0), AsPath::empty());
}

#[test]
fn row_56_prepending_to_a_full_segment_opens_another() {
    let full = AsPath::sequence(&asns(&[7; 255]));
    let longer = full.prepend(Asn(1), 1);
    assert_eq!(longer.length(), 256);
    assert_eq!(longer.first(), Some(Asn(1)));
    let counts: Vec<usize> = longer
        .segments()
        .map(|segment| segment.asns().len())
        .collect();
    assert_eq!(counts.iter().sum::<usize>(), 256);
    assert!(
        counts.iter().all(|count| (1..=255).contains(count)),
        "{counts:?}"
    );
    let bytes = written(&longer, FourOctets);
    assert_eq!(AsPath::decode(&bytes, FourOctets), Ok(longer));
}

#[test]
fn a_set_counts_once_and_confederations_do_not() {
    let path = path(&[
        (ConfedSequence, &[1, 2]),
        (Sequence, &[3, 4]),
        (Set, &[5, 6, 7]),
    ]);
    assert_eq!(path.length(), 3);
    assert_eq!(path.first(), None);
    assert!(path.contains(Asn(6)) && !path.contains(Asn(8)));
    assert!(path.has_confederation());
}

#[test]
fn merging_replaces_as_trans_and_keeps_what_is_in_front() {
    let trans = Asn::TRANS.0;
    let cases = [
        // Old speaker 1 in front of the two that know wide numbers.
        (
            path(&[(Sequence, &[1, trans, trans])]),
            path(&[(Sequence, &[70_000, 80_000])]),
            path(&[(Sequence, &[1, 70_000, 80_000])]),
        ),
        // As long: nothing of the old path is left.
        (
            path(&[(Sequence, &[trans, 2])]),
            path(&[(Sequence, &[70_000, 2])]),
            path(&[(Sequence, &[70_000, 2])]),
        ),
        // Longer than the path itself: not believed.
        (
            path(&[(Sequence, &[trans])]),
            path(&[(Sequence, &[70_000, 80_000])]),
            path(&[(Sequence, &[trans])]),
        ),
        // A set in front counts once and stays whole.
        (
            path(&[(Set, &[1, 2]), (Sequence, &[trans])]),
            path(&[(Sequence, &[70_000])]),
            path(&[(Set, &[1, 2]), (Sequence, &[70_000])]),
        ),
        // Confederation segments have no place in AS4_PATH.
        (
            path(&[(Sequence, &[1, trans])]),
            path(&[(ConfedSequence, &[9]), (Sequence, &[70_000])]),
            path(&[(Sequence, &[1, 70_000])]),
        ),
    ];
    for (as_path, as4_path, merged) in cases {
        assert_eq!(as_path.merge_as4(&as4_path), merged, "{as_path:?}");
    }
}

proptest! {
    #[test]
    fn paths_survive_the_wire(path in values::as_path()) {
        let bytes = written(&path, FourOctets);
        prop_assert_eq!(AsPath::decode(&bytes, FourOctets), Ok(path));
    }

    #[test]
    fn an_old_speaker_in_between_loses_nothing(path in values::as_path()) {
        let narrow = AsPath::decode(&written(&path, TwoOctets), TwoOctets).unwrap();
        let mut as4 = BytesMut::new();
        path.encode_as4(&mut as4);
        let as4 = AsPath::decode(&as4, FourOctets).unwrap();
        prop_assert!(narrow.merge_as4(&as4).asns().eq(path.asns()));
    }

    #[test]
    fn a_path_is_never_larger_than_twice_its_bytes(bytes in prop::collection::vec(0_u8..4, 0..200)) {
        for width in [TwoOctets, FourOctets] {
            if let Ok(path) = AsPath::decode(&bytes, width) {
                prop_assert!(path.0.len() <= bytes.len() * 2);
            }
        }
    }

    #[test]
    fn a_segment_cut_anywhere_is_refused(list in prop::collection::vec(values::asn(), 1..9)) {
        let bytes = written(&AsPath::sequence(&list), FourOctets);
        for length in 1..bytes.len() {
            prop_assert_eq!(
                AsPath::decode(&bytes[..length], FourOctets),
                Err(FaultCause::AsPath)
            );
        }
    }
}
