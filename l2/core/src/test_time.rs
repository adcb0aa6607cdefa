//! An origin for the virtual time of tests; only differences from it count.
use std::time::Instant;

#[expect(
    clippy::disallowed_methods,
    reason = "tests need one instant to count from"
)]
pub(crate) fn origin() -> Instant {
    Instant::now()
}
