//! Truces: at once, then later and later, and peace makes it a first time again.

use super::*;

#[test]
fn what_is_undone_is_published_at_once_and_then_later_and_later() {
    let start = Instant::now();
    let addresses = vec![IpAddr::from([192, 0, 2, 1])];
    let mut contest = Contest::default();
    assert_eq!(contest.truce(&addresses, start), None);
    contest.published(addresses.clone(), start);
    assert_eq!(contest.truce(&addresses, start), None, "undone once");
    let mut now = start;
    for truce in [10, 60, 300, 300] {
        contest.published(addresses.clone(), now);
        let until = now + Duration::from_secs(truce);
        assert_eq!(contest.truce(&addresses, now), Some(until));
        assert_eq!(contest.truce(&addresses, until), None);
        now = until;
    }
    now += PEACE;
    contest.published(addresses.clone(), now);
    let until = now + TRUCES[1];
    assert_eq!(contest.truce(&addresses, now), Some(until), "a first time");
    let others = [IpAddr::from([192, 0, 2, 2])];
    assert_eq!(contest.truce(&others, now), None, "another address");
}
