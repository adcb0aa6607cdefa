//! Waiting ends at the first success or at the limit; holding ends at the first failure.

use std::time::Duration;

use anyhow::{Result, bail};

use super::{Hopeless, holds_for, wait_for};

#[test]
fn the_first_success_is_returned() {
    let mut tries = 0;
    let found: Result<i32> = wait_for("three", Duration::from_secs(60), || {
        tries += 1;
        if tries < 3 {
            bail!("only {tries}")
        } else {
            Ok(tries)
        }
    });
    assert_eq!(found.expect("a success"), 3);
}

#[test]
fn the_last_reason_is_the_failure() {
    let found: Result<()> = wait_for("never", Duration::ZERO, || bail!("the reason"));
    let text = format!("{:#}", found.expect_err("a failure"));
    assert!(
        text.contains("never") && text.contains("the reason"),
        "{text}"
    );
}

#[test]
fn a_hopeless_reason_ends_the_wait() {
    let found: Result<()> = wait_for("never", Duration::from_secs(60), || {
        Err(Hopeless("it is dead".to_owned()).into())
    });
    assert!(format!("{:#}", found.expect_err("a failure")).contains("it is dead"));
}

#[test]
fn a_condition_that_breaks_is_a_failure() {
    let mut tries = 0;
    let held = holds_for("steady", Duration::from_secs(60), || {
        tries += 1;
        if tries > 2 { bail!("it broke") } else { Ok(()) }
    });
    assert!(format!("{:#}", held.expect_err("a failure")).contains("it broke"));
}
