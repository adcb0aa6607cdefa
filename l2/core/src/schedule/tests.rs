//! Rounds, forms and pace.
use std::net::{Ipv4Addr, Ipv6Addr};

use super::*;
use crate::test_time::origin;

const REFRESH: Duration = Duration::from_secs(60);

fn address(index: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, index).into()
}

/// Everything the schedule lets out until `until`, with the time since the start.
fn run(
    schedule: &mut Schedule,
    from: Instant,
    until: Instant,
    stations: usize,
) -> Vec<(Duration, Shot)> {
    let mut jitter = Jitter::new(1);
    let (mut now, mut shots) = (from, Vec::new());
    loop {
        while let Some(shot) = schedule.poll(now, &mut jitter, |_, station| station < stations) {
            shots.push((now - from, shot));
        }
        match schedule.next_deadline(now) {
            Some(at) if at <= until => now = at,
            _ => return shots,
        }
    }
}

#[test]
fn requests_of_all_go_before_replies_and_those_before_directed_ones() {
    let start = origin();
    let mut schedule = Schedule::new();
    for index in 0..3 {
        schedule.start(address(index), Urgency::Quiet, REFRESH, start);
    }
    schedule.start(address(9), Urgency::Asked, REFRESH, start);
    let shots = run(&mut schedule, start, start, 2);
    let order: Vec<(IpAddr, Form)> = shots
        .iter()
        .map(|(_, shot)| (shot.address, shot.form))
        .collect();
    let asked_first = [address(9), address(0), address(1), address(2)];
    let each = |form: Form| asked_first.map(|address| (address, form));
    assert_eq!(order[..4], each(Form::Request));
    assert_eq!(order[4..8], each(Form::Reply));
    assert_eq!(order.len(), 4 * 4);
    assert!(
        order[8..]
            .iter()
            .all(|(_, form)| matches!(form, Form::Directed(_)))
    );
}

#[test]
fn rounds_come_at_their_times_and_then_refreshes_with_jitter() {
    let start = origin();
    let mut schedule = Schedule::new();
    schedule.start(address(1), Urgency::Quiet, REFRESH, start);
    let shots = run(&mut schedule, start, start + Duration::from_secs(300), 0);
    let requests = shots.iter().filter(|(_, shot)| shot.form == Form::Request);
    let times: Vec<Duration> = requests.map(|(at, _)| *at).collect();
    assert_eq!(times[..6], ROUNDS);
    let gaps = times[5..].windows(2).map(|pair| pair[1] - pair[0]);
    assert!(
        gaps.clone()
            .all(|gap| gap >= Duration::from_secs(50) && gap < Duration::from_secs(70))
    );
    assert!((4..=5).contains(&gaps.count()));
    assert_eq!(
        shots
            .iter()
            .filter(|(_, shot)| shot.form == Form::Reply)
            .count(),
        6
    );
}

#[test]
fn ipv6_has_no_reply_form_but_directed_ones() {
    let start = origin();
    let mut schedule = Schedule::new();
    let address = IpAddr::from(Ipv6Addr::LOCALHOST);
    schedule.start(address, Urgency::Quiet, REFRESH, start);
    let shots = run(&mut schedule, start, start, 1);
    let forms: Vec<Form> = shots.iter().map(|(_, shot)| shot.form).collect();
    assert_eq!(forms, [Form::Request, Form::Directed(0)]);
}

#[test]
fn a_round_that_the_pacer_held_back_merges_with_the_next() {
    let start = origin();
    let mut schedule = Schedule::new();
    let addresses: Vec<IpAddr> = (0..2_000_u32)
        .map(|one| Ipv4Addr::from(0x0a00_0000 + one).into())
        .collect();
    for address in &addresses {
        schedule.start(*address, Urgency::Quiet, REFRESH, start);
    }
    let shots = run(&mut schedule, start, start + Duration::from_secs(30), 0);
    // Later rounds get 200 frames a second, whatever is due.
    let later = shots
        .iter()
        .filter(|(_, shot)| shot.round != Round::Takeover(0));
    assert!(later.count() <= 200 * 30 + 20);
    let first = shots
        .iter()
        .filter(|(_, shot)| shot.round == Round::Takeover(0));
    assert_eq!(first.count(), 4_000);
    assert!(schedule.queued() <= addresses.len());
}

#[test]
fn a_stopped_address_is_never_polled_again() {
    let start = origin();
    let mut schedule = Schedule::new();
    schedule.start(address(1), Urgency::Quiet, REFRESH, start);
    let mut jitter = Jitter::new(1);
    assert!(schedule.poll(start, &mut jitter, |_, _| true).is_some());
    schedule.stop(address(1));
    assert!(
        schedule
            .poll(start + REFRESH, &mut jitter, |_, _| true)
            .is_none()
    );
    assert_eq!(
        (schedule.next_deadline(start), schedule.queued()),
        (None, 0)
    );
}

#[test]
fn many_failures_of_one_round_cost_one_round() {
    let start = origin();
    let mut schedule = Schedule::new();
    schedule.start(address(1), Urgency::Quiet, REFRESH, start);
    run(&mut schedule, start, start + Duration::from_secs(6), 0);
    let failed = start + Duration::from_secs(6);
    for _ in 0..10 {
        schedule.retry(address(1), failed);
    }
    let shots = run(&mut schedule, failed, failed + Duration::from_secs(10), 0);
    let requests: Vec<Duration> = shots
        .iter()
        .filter(|(_, shot)| shot.form == Form::Request)
        .map(|(at, _)| *at)
        .collect();
    assert_eq!(
        requests,
        [Duration::from_millis(100), Duration::from_secs(4)]
    );
}
