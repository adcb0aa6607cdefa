//! The range of the spread.

use std::num::NonZeroU8;
use std::time::Duration;

use super::{Jitter, Share};

fn spread(detect_mult: u8) -> (Duration, Duration) {
    let detect_mult = NonZeroU8::new(detect_mult).unwrap();
    let mut jitter = Jitter::new(7);
    let drawn = (0..10_000).map(|_| jitter.draw().of(Duration::from_secs(1), detect_mult));
    drawn.fold((Duration::MAX, Duration::ZERO), |(least, most), span| {
        (least.min(span), most.max(span))
    })
}

#[test]
fn intervals_are_spread_over_their_last_quarter() {
    assert_eq!(
        spread(3),
        (Duration::from_millis(750), Duration::from_millis(1000))
    );
}

#[test]
fn with_a_multiplier_of_one_a_tenth_is_left_for_the_way() {
    assert_eq!(
        spread(1),
        (Duration::from_millis(750), Duration::from_millis(900))
    );
}

#[test]
fn equal_seeds_give_equal_spreads_and_others_do_not() {
    let draws = |seed| -> Vec<Share> {
        let mut jitter = Jitter::new(seed);
        (0..20).map(|_| jitter.draw()).collect()
    };
    assert_eq!(draws(0), draws(0));
    assert_ne!(draws(0), draws(2));
}
