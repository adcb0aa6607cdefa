//! Candidates on one lease: nobody works on a lease that names another, or longer than it is good for.

use super::*;
use crate::source::Leadership;

/// The lease is good for this long without being renewed.
const TTL: Duration = Duration::from_secs(15);
/// Candidates look this often.
const TICK: Duration = Duration::from_secs(5);

async fn leads(cluster: &Cluster) -> Leadership {
    timeout(LIMIT, cluster.lead())
        .await
        .expect("nobody else leads")
}

/// Waits for the end of a right; how long that took.
async fn lost(leadership: &Leadership) -> Duration {
    let began = Instant::now();
    timeout(LIMIT, leadership.lost()).await.expect("it ends");
    began.elapsed()
}

/// Somebody else writes the lease.
fn lease(fake: &FakeApi, spec: &Value) {
    fake.apply(&json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "ringbolt-controller", "namespace": "ringbolt-system"},
        "spec": spec,
    }));
}

fn held_by_another() -> Value {
    json!({
        "holderIdentity": "another", "leaseDurationSeconds": 15, "leaseTransitions": 0,
        "acquireTime": format!("{:.6}", jiff::Timestamp::now()),
        "renewTime": format!("{:.6}", jiff::Timestamp::now()),
    })
}

#[tokio::test(start_paused = true)]
async fn the_first_write_waits_until_the_lease_was_seen_twice() {
    let fake = FakeApi::new();
    let cluster = fake.cluster_of(Role::Controller);
    let began = Instant::now();
    let leadership = leads(&cluster).await;
    assert!(began.elapsed() >= TICK && began.elapsed() < TICK + s(1));
    assert!(!leadership.is_lost());
}

#[tokio::test(start_paused = true)]
async fn a_leader_keeps_the_lease_for_as_long_as_it_renews_it() {
    let fake = FakeApi::new();
    let (one, two) = (
        fake.cluster_of(Role::Controller),
        fake.cluster_of(Role::Controller),
    );
    let leadership = leads(&one).await;
    let other = timeout(s(3_600), two.lead()).await;
    assert!(other.is_err(), "two lead");
    assert!(!leadership.is_lost());
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_nobody_renews_is_taken_after_its_time() {
    let fake = FakeApi::new();
    lease(&fake, &held_by_another());
    let cluster = fake.cluster_of(Role::Controller);
    let began = Instant::now();
    let _leadership = leads(&cluster).await;
    assert!(began.elapsed() >= TTL, "{:?}", began.elapsed());
    assert!(began.elapsed() <= TTL + 3 * TICK, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_holder_whose_clock_is_ahead_does_not_hold_the_lease_for_longer() {
    let fake = FakeApi::new();
    let mut ahead = held_by_another();
    let time = jiff::Timestamp::now() + s(3_600);
    ahead["renewTime"] = format!("{time:.6}").into();
    lease(&fake, &ahead);
    let cluster = fake.cluster_of(Role::Controller);
    let began = Instant::now();
    let _leadership = leads(&cluster).await;
    assert!(began.elapsed() >= TTL, "{:?}", began.elapsed());
    assert!(began.elapsed() <= s(35), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_lease_given_back_in_order_is_taken_soon() {
    let fake = FakeApi::new();
    let (one, two) = (
        fake.cluster_of(Role::Controller),
        fake.cluster_of(Role::Controller),
    );
    leads(&one).await.step_down().await;
    let began = Instant::now();
    let _leadership = leads(&two).await;
    assert!(began.elapsed() < 2 * TICK + s(1), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_cannot_renew_stops_before_others_may_begin() {
    for fault in [
        Fault::Hang,
        Fault::LoseAnswer,
        Fault::Refuse(Refusal::unavailable()),
    ] {
        let fake = FakeApi::new();
        let cluster = fake.cluster_of(Role::Controller);
        let leadership = leads(&cluster).await;
        fake.inject(On::kind("leases"), fault);
        let worked = lost(&leadership).await;
        assert!(worked > TICK && worked <= TTL - s(3), "{worked:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_leader_whose_lease_another_holds_stops_at_the_next_look() {
    let fake = FakeApi::new();
    let cluster = fake.cluster_of(Role::Controller);
    let leadership = leads(&cluster).await;
    lease(&fake, &held_by_another());
    assert!(lost(&leadership).await < TICK + s(1));
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_renews_another_ones_lease_stops() {
    let fake = FakeApi::new();
    let cluster = fake.cluster_of(Role::Controller);
    let leadership = leads(&cluster).await;
    // It has read its own name, and before it writes the lease is taken.
    let stall = fake.stall(On::of(Verb::Patch, "leases"));
    stall.holds(1).await;
    lease(&fake, &held_by_another());
    drop(stall);
    let worked = lost(&leadership).await;
    assert!(worked <= s(1), "{worked:?}");
    let holder = &fake.objects("leases")[0]["spec"]["holderIdentity"];
    assert_eq!(holder, "another");
}

#[tokio::test(start_paused = true)]
async fn of_two_that_take_an_expired_lease_one_works() {
    let fake = FakeApi::new();
    let mut expired = held_by_another();
    expired["renewTime"] = "2024-01-01T00:00:00.000000Z".into();
    lease(&fake, &expired);
    let stall = fake.stall(On::of(Verb::Patch, "leases"));
    let (one, two) = (
        fake.cluster_of(Role::Controller),
        fake.cluster_of(Role::Controller),
    );
    let both = [one, two].map(|cluster| {
        tokio::spawn(async move {
            let leadership = timeout(s(120), cluster.lead()).await.ok();
            // Whoever leads goes on while the other is still looking.
            tokio::time::sleep(s(120)).await;
            leadership.is_some_and(|leadership| !leadership.is_lost())
        })
    });
    stall.holds(2).await;
    drop(stall);
    let mut working = 0;
    for candidate in both {
        working += usize::from(candidate.await.unwrap());
    }
    assert_eq!(working, 1);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_a_person_made_is_completed() {
    for spec in [
        json!({}),
        json!({"holderIdentity": "somebody"}),
        json!({"leaseDurationSeconds": 1}),
    ] {
        let fake = FakeApi::new();
        lease(&fake, &spec);
        let cluster = fake.cluster_of(Role::Controller);
        let _leadership = leads(&cluster).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_must_not_be_touched_keeps_a_candidate_waiting() {
    let fake = FakeApi::new();
    fake.inject(On::kind("leases"), Fault::Refuse(Refusal::forbidden()));
    let cluster = fake.cluster_of(Role::Controller);
    assert!(timeout(LIMIT, cluster.lead()).await.is_err());
    fake.heal();
    let _leadership = leads(&cluster).await;
}
