//! Order, doubles, gaps and bounds of a stream.

use proptest::prelude::*;

use super::*;
use crate::bgp::samples::message;

#[test]
fn segments_in_any_order_and_sent_again_are_one_stream() {
    let mut stream = Stream::default();
    // The numbers wrap in the middle.
    let first = u32::MAX - 1;
    stream.open(first);
    assert_eq!(stream.push(first.wrapping_add(4), b"ef"), Pushed::Fine);
    assert_eq!(stream.ready(), b"");
    stream.push(first, b"ab");
    stream.push(first, b"abcd");
    assert_eq!(stream.ready(), b"abcdef");
    stream.push(first.wrapping_add(1), b"bcdefgh");
    assert_eq!((stream.ready(), stream.size()), (&b"abcdefgh"[..], 8));
}

#[test]
fn a_stream_that_is_joined_in_its_middle_starts_at_a_message() {
    let mut stream = Stream::default();
    let keepalive = message(4, &[]);
    stream.push(100, &[&[1, 2, 3, 0xff, 0xff], &keepalive[..10]].concat());
    stream.push(115, &keepalive[10..]);
    assert_eq!(stream.ready(), keepalive);
}

#[test]
fn a_gap_is_told_and_the_stream_goes_on_at_the_next_message() {
    let mut stream = Stream::default();
    let keepalive = message(4, &[]);
    stream.open(0);
    stream.push(0, &keepalive[..5]);
    assert_eq!(stream.push(12, &keepalive[12..]), Pushed::Fine);
    stream.push(19, &keepalive);
    assert_eq!(stream.skip(), Pushed::Gap(7));
    assert_eq!(stream.ready(), keepalive);
    assert_eq!(stream.skip(), Pushed::Fine);
}

#[test]
fn what_the_receiver_has_is_not_waited_for() {
    let mut stream = Stream::default();
    let keepalive = message(4, &[]);
    stream.open(0);
    stream.push(19, &keepalive);
    assert_eq!(stream.acknowledged(18), Pushed::Fine);
    assert_eq!(stream.acknowledged(38), Pushed::Gap(19));
    assert_eq!(stream.ready(), keepalive);
    assert_eq!(stream.acknowledged(38), Pushed::Fine);
}

#[test]
fn what_waits_for_a_lost_octet_is_bounded() {
    let mut stream = Stream::default();
    stream.open(0);
    let payload = [0_u8; 4096];
    let told = (0..1_000_u32)
        .map(|index| stream.push(1 + index * 4096, &payload))
        .filter(|pushed| *pushed == Pushed::Gap(1))
        .count();
    assert_eq!(told, 1);
    assert!(
        stream.size() <= HELD_MAX + payload.len(),
        "{}",
        stream.size()
    );
}

proptest! {
    #[test]
    fn any_segments_keep_the_bounds(
        segments in prop::collection::vec(
            (any::<u32>(), prop::collection::vec(prop_oneof![Just(0xff_u8), any::<u8>()], 0..64)),
            0..64,
        ),
    ) {
        let mut stream = Stream::default();
        for (sequence, payload) in &segments {
            // Near one another, and far away.
            let sequence = if sequence % 2 == 0 { sequence % 256 } else { *sequence };
            stream.push(sequence, payload);
            let held: usize = stream.early.values().map(Vec::len).sum();
            prop_assert_eq!(held, stream.held);
        }
        while stream.skip() != Pushed::Fine {}
        prop_assert_eq!(stream.held, 0);
    }

    #[test]
    fn a_stream_cut_anywhere_and_shuffled_is_whole_again(
        cuts in prop::collection::vec(1_usize..40, 1..20),
        start in any::<u32>(),
        swap in any::<prop::sample::Index>(),
    ) {
        let whole: Vec<u8> = (0..cuts.iter().sum::<usize>())
            .map(|index| u8::try_from(index % 251).unwrap())
            .collect();
        let mut pieces = Vec::new();
        let mut at = 0;
        for cut in cuts {
            pieces.push((start.wrapping_add(u32::try_from(at).unwrap()), &whole[at..at + cut]));
            at += cut;
        }
        let middle = swap.index(pieces.len());
        pieces.rotate_left(middle);
        let mut stream = Stream::default();
        stream.open(start);
        for (sequence, piece) in pieces {
            prop_assert_eq!(stream.push(sequence, piece), Pushed::Fine);
        }
        prop_assert_eq!(stream.ready(), whole);
    }
}
