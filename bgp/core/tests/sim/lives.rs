//! Single sessions in virtual time, each drawn from a seed: a peer that says right and wrong things, cut
//! anywhere, over connections that come and go, held against the properties of the stateful fuzz target.
//!
//! Worlds have no foreign routes and only whole messages; what those would show is shown here.

use std::panic::catch_unwind;

use ringbolt_bgp::sabotage::Sabotage;

use crate::rng::Rng;

#[path = "../../fuzz/properties/session.rs"]
mod session;

const LIVES: u64 = 3_000;
/// A fault must show within so many lives.
const PATIENCE: u64 = 500;

/// A script of the stateful target. Most lives begin with a session that comes up.
fn life(seed: u64) -> Vec<u8> {
    let mut rng = Rng::new(seed);
    let mut octet = move || u8::try_from(rng.below(256)).expect("below an octet");
    let mut script = vec![octet()];
    if !octet().is_multiple_of(8) {
        script.extend([0, 4, 0, 8, 0, 4, 3, 0, 0]);
    }
    script.extend((0..usize::from(octet()) * 2).map(|_| octet()));
    script
}

#[test]
fn every_life_of_a_session_keeps_the_rules() {
    for seed in 0..LIVES {
        let kept = catch_unwind(|| session::holds_for(&life(seed)));
        assert!(kept.is_ok(), "seed {seed}");
    }
}

/// Some life must go wrong with this fault built in.
#[expect(
    clippy::print_stdout,
    reason = "the seed is what the reader wants to try"
)]
fn notices(fault: Sabotage) {
    let goes_wrong =
        |seed: &u64| catch_unwind(|| session::play(&life(*seed), Some(fault))).is_err();
    let seed = (0..PATIENCE).find(goes_wrong);
    let seed = seed.unwrap_or_else(|| panic!("nobody noticed {fault:?} in {PATIENCE} lives"));
    println!("{fault:?} shows in the life of seed {seed}");
}

#[test]
fn a_path_kept_beside_a_loop_is_noticed() {
    notices(Sabotage::KeepPathBesideLoop);
}

#[test]
fn half_a_message_taken_for_a_sign_of_life_is_noticed() {
    notices(Sabotage::RearmHoldByPart);
}

#[test]
fn a_word_after_the_notification_is_noticed_in_a_single_life() {
    notices(Sabotage::SpeakAfterNotification);
}
