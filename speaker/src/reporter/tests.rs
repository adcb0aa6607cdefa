//! How long the reporter waits before it writes again.

use super::*;

#[test]
fn waits_after_failures_double_up_to_a_bound() {
    let pauses: Vec<u64> = (0..6).map(|failures| pause(failures).as_secs()).collect();
    assert_eq!(pauses, [1, 2, 4, 8, 16, 16]);
    assert_eq!(pause(u32::MAX), RETRY_MAX);
}
