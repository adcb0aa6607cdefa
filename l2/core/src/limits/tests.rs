//! Storms.
use std::net::Ipv4Addr;
use std::time::Duration;

use super::*;
use crate::test_time::origin;

fn address(index: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, index).into()
}

#[test]
fn one_asker_is_slowed_and_others_are_not() {
    let mut limits = AnswerLimits::new(1);
    let now = origin();
    let (eager, calm) = (MacAddr([2, 0, 0, 0, 0, 1]), MacAddr([2, 0, 0, 0, 0, 2]));
    for _ in 0..PER_ASKER_BURST {
        assert_eq!(limits.judge(eager, address(1), now), Verdict::Answer);
    }
    assert_eq!(limits.judge(eager, address(1), now), Verdict::AskerTooFast);
    assert_eq!(limits.judge(eager, address(2), now), Verdict::Answer);
    assert_eq!(limits.judge(calm, address(1), now), Verdict::Answer);
    assert_eq!(
        limits.judge(eager, address(1), now + Duration::from_millis(100)),
        Verdict::Answer
    );
}

#[test]
fn the_table_never_grows() {
    let mut limits = AnswerLimits::new(1);
    let now = origin();
    for number in 0..50_000_u32 {
        let [a, b, c, d] = number.to_be_bytes();
        limits.judge(MacAddr([2, 0, a, b, c, d]), address(1), now);
    }
    assert_eq!(limits.slots.len(), 4_096);
}
