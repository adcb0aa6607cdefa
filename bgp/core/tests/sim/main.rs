//! The simulator: whole networks of Routers in virtual time, each drawn from a seed.
//!
//! A world has two to four nodes that dial each other, change their minds, lose connections,
//! power and patience. After it has been left alone for a while, every peer's view must equal the
//! policy over the exports of its neighbour, by an independent model. A failure names its seed;
//! `RINGBOLT_SIM_SEED=n cargo test -p ringbolt-bgp --test sim every_world` runs that one alone.

mod check;
mod driver;
mod link;
mod lives;
mod model;
mod node;
mod observer;
mod rng;
mod scenario;
mod world;

use std::ops::RangeInclusive;
use std::thread::{self, available_parallelism};

use ringbolt_bgp::sabotage::Sabotage;

const SEEDS: u64 = 300;
/// A fault must show within so many worlds.
const PATIENCE: u64 = 60;

#[test]
fn every_world_comes_to_rest_with_the_views_its_policy_demands() {
    let workers = available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for worker in 0..workers {
            let mine = seeds().skip(worker).step_by(workers);
            scope.spawn(move || mine.for_each(judge));
        }
    });
}

fn judge(seed: u64) {
    let wrong = scenario::run(seed, None);
    assert!(wrong.is_empty(), "seed {seed}: {wrong:#?}");
}

/// `RINGBOLT_SIM_SEED` is one seed, or the first and the last of many: `7`, `1000-9000`.
fn seeds() -> RangeInclusive<u64> {
    let Ok(wanted) = std::env::var("RINGBOLT_SIM_SEED") else {
        return 0..=SEEDS - 1;
    };
    let (first, last) = wanted.split_once('-').unwrap_or((&wanted, &wanted));
    let number = |text: &str| text.parse().expect("RINGBOLT_SIM_SEED holds numbers");
    number(first)..=number(last)
}

#[test]
fn equal_seeds_give_equal_worlds() {
    // A world with a fault has something to say, and must say it twice.
    let fault = Some(Sabotage::InvertSentBits);
    assert_eq!(scenario::run(7, fault), scenario::run(7, fault));
}

/// Some world must go wrong with this fault built in.
#[expect(
    clippy::print_stdout,
    reason = "the seed is what the reader wants to try"
)]
fn notices(fault: Sabotage) {
    let wrong = |seed| scenario::run(seed, Some(fault)).into_iter().next();
    let found = (0..PATIENCE).find_map(|seed| Some((seed, wrong(seed)?)));
    let (seed, first) =
        found.unwrap_or_else(|| panic!("nobody noticed {fault:?} in {PATIENCE} worlds"));
    println!("{fault:?} shows in the world of seed {seed}: {first:?}");
}

#[test]
fn a_cursor_kept_across_a_reconnect_is_noticed() {
    notices(Sabotage::KeepCursorOnReconnect);
}

#[test]
fn a_cursor_kept_across_a_refresh_is_noticed() {
    notices(Sabotage::KeepCursorOnRefresh);
}

#[test]
fn a_cursor_kept_across_a_drain_is_noticed() {
    notices(Sabotage::KeepCursorOnParting);
}

#[test]
fn an_end_of_rib_that_comes_too_early_is_noticed() {
    notices(Sabotage::EndOfRibTooEarly);
}

#[test]
fn an_end_of_rib_that_comes_twice_is_noticed() {
    notices(Sabotage::EndOfRibTwice);
}

#[test]
fn inverted_sent_bits_are_noticed() {
    notices(Sabotage::InvertSentBits);
}

#[test]
fn routes_forgotten_while_they_wait_for_company_are_noticed() {
    notices(Sabotage::ForgetKept);
}

#[test]
fn a_forgotten_withdrawal_is_noticed() {
    notices(Sabotage::ForgetWithdrawn);
}

#[test]
fn a_forgotten_batch_is_noticed() {
    notices(Sabotage::ForgetBatch);
}

#[test]
fn a_view_called_whole_inside_a_batch_is_noticed() {
    notices(Sabotage::EndInsideBatch);
}

#[test]
fn a_forgotten_keepalive_is_noticed() {
    notices(Sabotage::ForgetKeepalive);
}

#[test]
fn a_word_after_the_notification_is_noticed() {
    notices(Sabotage::SpeakAfterNotification);
}
